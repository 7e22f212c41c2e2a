//! Empty, huge and refused inputs.

use std::time::Duration;

use cip_core::{CoreError, EventBatch, column};
use cip_sessionize::{COLUMNS, SessionRule, SessionizeError, Sessionizer, sessionize};

use crate::events::{Event, Shape};
use crate::oracle::rows;

fn event(user: i64, time: i64) -> Event {
    Event { user: Some(user), time, kind: 4, product: Some(1), price: Some(100), quantity: Some(1) }
}

fn refuse(events: &[EventBatch]) -> SessionizeError {
    sessionize(SessionRule::default(), events).unwrap_err()
}

#[test]
fn no_events_give_a_table_without_rows() {
    let empty = Shape::FULL.batch(&[]);
    let sessions = sessionize(SessionRule::default(), &[empty]).unwrap();
    assert_eq!((sessions.num_rows(), sessions.num_columns()), (0, 13));
    let unknown = Event { user: None, ..event(0, 0) };
    assert_eq!(sessionize(SessionRule::default(), &[Shape::FULL.batch(&[unknown])]).unwrap().num_rows(), 0);
}

#[test]
fn the_columns_read_suffice() {
    let batch = Shape::FULL.batch(&[event(1, 0), event(1, 5)]);
    let projected: Vec<usize> =
        COLUMNS.iter().map(|name| batch.schema().arrow().index_of(name).unwrap()).collect();
    let narrow = EventBatch::try_new(batch.record_batch().project(&projected).unwrap()).unwrap();
    let rule = SessionRule::default();
    assert_eq!(sessionize(rule.clone(), &[narrow]).unwrap(), sessionize(rule, &[batch]).unwrap());
}

#[test]
fn the_first_schema_decides() {
    let rule = SessionRule::default();
    let bare = Shape { products: None, prices: false, quantities: false, ..Shape::FULL };
    let (bare, full) = (bare.batch(&[event(1, 0)]), Shape::FULL.batch(&[event(1, 5)]));
    // Columns that the first schema does not have are not used.
    let sessions = rows(&[sessionize(rule.clone(), &[bare.clone(), full.clone()]).unwrap()]);
    assert_eq!((sessions[0].numbers[6], sessions[0].revenue), (0, None));
    let single = Shape { quantities: false, ..Shape::FULL }.batch(&[event(1, 0)]);
    let nine = Shape::FULL.batch(&[Event { quantity: Some(9), ..event(1, 5) }]);
    assert_eq!(rows(&[sessionize(rule, &[single, nine]).unwrap()])[0].revenue, Some(200));
    // Those that it has must come.
    let error = refuse(&[full.clone(), bare]);
    assert!(
        matches!(error, SessionizeError::Core(CoreError::MissingColumn { column: column::PRODUCT_ID })),
        "{error}"
    );
    let text = Shape { text_users: true, ..Shape::FULL }.batch(&[event(2, 0)]);
    assert_eq!(
        refuse(&[full, text]).to_string(),
        "column `user_id` is Utf8, expected Int64 as in the schema given first: cast it before the batch is made"
    );
}

#[test]
fn a_schema_without_users_times_or_types_is_refused() {
    let schema = Shape::FULL.batch(&[]).schema().clone();
    for missing in [column::USER_ID, column::EVENT_TIME, column::EVENT_TYPE] {
        let rest: Vec<&str> = COLUMNS.iter().copied().filter(|name| *name != missing).collect();
        let error = Sessionizer::new(SessionRule::default(), &schema.project(&rest)).unwrap_err();
        assert!(error.to_string().starts_with(&format!("column `{missing}` is missing")), "{error}");
    }
    assert!(matches!(refuse(&[]), SessionizeError::Core(CoreError::MissingColumn { .. })));
}

#[test]
fn an_unknown_user_comes_last_also_over_batches() {
    let unknown = Event { user: None, ..event(0, 0) };
    let batches = [Shape::FULL.batch(&[event(1, 0), unknown]), Shape::FULL.batch(&[event(2, 0)])];
    assert!(matches!(refuse(&batches), SessionizeError::Core(CoreError::NotSorted { row: 2 })));
}

#[test]
fn sums_beyond_38_digits_are_refused() {
    let dear = Event { price: Some(i64::MAX), quantity: Some(i64::MAX), ..event(1, 0) };
    let enough = Shape::FULL.batch(&vec![dear.clone(); 1]);
    assert!(sessionize(SessionRule::default(), &[enough]).is_ok());
    let error = refuse(&[Shape::FULL.batch(&[dear.clone(), dear.clone()])]);
    assert!(matches!(error, SessionizeError::Core(CoreError::MoneyOverflow { .. })), "{error}");
    let error = refuse(&[Shape::FULL.batch(&vec![dear; 3])]);
    assert_eq!(error.to_string(), "the sum of `price` exceeds 38 digits: check the amounts");
}

#[test]
fn instants_at_the_ends_of_time_do_not_overflow() {
    let batch = Shape::FULL.batch(&[event(1, i64::MIN), event(1, i64::MAX)]);
    assert_eq!(sessionize(SessionRule::default(), &[batch]).unwrap().num_rows(), 2);
    let longest = SessionRule::new(Duration::from_micros(i64::MAX as u64)).unwrap();
    let batch = Shape::FULL.batch(&[event(1, i64::MIN), event(1, -1), event(1, i64::MAX - 1)]);
    let sessions = rows(&[sessionize(longest, &[batch]).unwrap()]);
    assert_eq!(sessions[0].numbers[0], (u64::MAX / 1_000_000) as i64);
}

#[test]
fn one_user_with_one_endless_session_stays_linear() {
    const EVENTS: i64 = 300_000;
    for text in [false, true] {
        let shape = Shape { products: Some(text), ..Shape::FULL };
        let mut sessionizer = Sessionizer::new(SessionRule::default(), shape.batch(&[]).schema()).unwrap();
        for first in (0..EVENTS).step_by(30_000) {
            let events: Vec<_> = (first..first + 30_000)
                .map(|n| Event { product: Some(n * 7 % 50_000), ..event(1, n * 1_000_000) })
                .collect();
            assert_eq!(sessionizer.push(&shape.batch(&events)).unwrap().num_rows(), 0);
        }
        let sessions = rows(&[sessionizer.finish().unwrap()]);
        assert_eq!(sessions[0].numbers, [EVENTS - 1, EVENTS, 0, 0, 0, EVENTS, 50_000]);
        assert_eq!(sessions[0].revenue, Some(i128::from(EVENTS) * 100));
    }
}
