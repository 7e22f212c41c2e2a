//! What holds for all events.

use std::time::Duration;

use arrow_array::RecordBatch;
use cip_core::{EventBatch, table};
use cip_sessionize::{SessionRule, Sessionizer, sessionize};
use proptest::option;
use proptest::prelude::*;

use crate::events::{Event, Shape, TYPES, split};
use crate::oracle::{Row, oracle, rows};

const TIMEOUT: i64 = 10_000_000;

fn rule() -> SessionRule {
    SessionRule::new(Duration::from_micros(TIMEOUT as u64)).unwrap()
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    // Few users and coarse times, so that users repeat, times tie and gaps of exactly the timeout occur.
    let time = prop_oneof![(-12i64..12).prop_map(|tick| tick * TIMEOUT / 2), -60_000_000i64..60_000_000];
    (
        option::weighted(0.9, -3i64..3),
        time,
        1..TYPES.len() as i32,
        option::weighted(0.8, 0i64..5),
        option::weighted(0.8, -5_000i64..5_000),
        option::weighted(0.8, -3i64..9),
    )
        .prop_map(|(user, time, kind, product, price, quantity)| Event {
            user,
            time,
            kind,
            product,
            price,
            quantity,
        })
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(event(), 0..80)
}

pub(crate) fn shape() -> impl Strategy<Value = Shape> {
    (any::<bool>(), any::<Option<bool>>(), any::<bool>(), any::<bool>()).prop_map(
        |(text_users, products, prices, quantities)| Shape { text_users, products, prices, quantities },
    )
}

/// Pushes batch by batch; the tables, and how many events were skipped.
fn stream(batches: &[EventBatch]) -> (Vec<RecordBatch>, u64) {
    let mut sessionizer = Sessionizer::new(rule(), batches[0].schema()).unwrap();
    let mut tables: Vec<_> = batches.iter().map(|batch| sessionizer.push(batch).unwrap()).collect();
    let skipped = sessionizer.skipped_events();
    tables.push(sessionizer.finish().unwrap());
    (tables, skipped)
}

proptest! {
    #[test]
    fn the_kernel_equals_the_oracle(events in events(), shape in shape()) {
        let sorted = shape.sorted(&events);
        let sessions = sessionize(rule(), std::slice::from_ref(&sorted)).unwrap();
        let schema = table::fact_sessions(sorted.schema().user_type().unwrap(), sorted.schema().money_scale());
        prop_assert_eq!(sessions.schema(), schema);
        prop_assert_eq!(rows(&[sessions]), oracle(TIMEOUT, shape, &events));
    }

    #[test]
    fn any_split_into_batches_gives_the_same_rows(
        events in events(),
        shape in shape(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let sorted = shape.sorted(&events);
        let batches = split(&sorted, &cuts);
        let whole = sessionize(rule(), &[sorted]).unwrap();
        prop_assert_eq!(&sessionize(rule(), &batches).unwrap(), &whole);
        let (tables, skipped) = stream(&batches);
        prop_assert_eq!(&arrow_select::concat::concat_batches(&whole.schema(), &tables).unwrap(), &whole);
        prop_assert_eq!(skipped, events.iter().filter(|event| event.user.is_none()).count() as u64);
    }

    #[test]
    fn parts_by_user_put_together_are_the_same_table(events in events(), shape in shape(), border in -3i64..3) {
        let whole = sessionize(rule(), &[shape.sorted(&events)]).unwrap();
        let (low, high): (Vec<_>, Vec<_>) = events
            .into_iter()
            .partition(|event| event.user.is_some_and(|user| shape.user(user) < shape.user(border)));
        let parts = [low, high].map(|part| sessionize(rule(), &[shape.sorted(&part)]).unwrap());
        prop_assert_eq!(arrow_select::concat::concat_batches(&whole.schema(), &parts).unwrap(), whole);
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(
        (events, shuffled) in events().prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        shape in shape(),
    ) {
        let one = sessionize(rule(), &[shape.sorted(&events)]).unwrap();
        prop_assert_eq!(sessionize(rule(), &[shape.sorted(&shuffled)]).unwrap(), one);
    }

    #[test]
    fn relabelled_users_keep_their_sessions(events in events(), shape in shape()) {
        let relabelled: Vec<Event> =
            events.iter().map(|event| Event { user: event.user.map(|user| 1_000 - 7 * user), ..*event }).collect();
        let facts = |events: &[Event]| {
            let mut facts: Vec<_> = rows(&[sessionize(rule(), &[shape.sorted(events)]).unwrap()])
                .into_iter()
                .map(|Row { seq, start, end, numbers, revenue, .. }| (seq, start, end, numbers, revenue))
                .collect();
            facts.sort_unstable();
            facts
        };
        prop_assert_eq!(facts(&relabelled), facts(&events));
    }

    #[test]
    fn totals_of_sessions_are_totals_of_events(events in events()) {
        let sorted = Shape::FULL.sorted(&events);
        let sessions = rows(&[sessionize(rule(), std::slice::from_ref(&sorted)).unwrap()]);
        let total = |number: usize| sessions.iter().map(|session| session.numbers[number]).sum::<i64>() as usize;
        let known = |name: &str| {
            events.iter().filter(|event| event.user.is_some() && TYPES[event.kind as usize] == name).count()
        };
        prop_assert_eq!(total(1), events.iter().filter(|event| event.user.is_some()).count());
        prop_assert_eq!([total(2), total(3), total(4), total(5)],
            [known("view"), known("cart"), known("remove_from_cart"), known("purchase")]);
        let kinds = sorted.kinds().unwrap();
        let spent: i128 = (0..sorted.len())
            .filter(|&row| kinds[row] == cip_core::EventKind::Purchase && sorted.users().unwrap().get(row).is_some())
            .map(|row| sorted.amounts().map_or(0, |amounts| amounts.amount(row).unwrap()))
            .sum();
        prop_assert_eq!(sessions.iter().filter_map(|session| session.revenue).sum::<i128>(), spent);
    }

    #[test]
    fn the_first_row_out_of_order_is_named(
        events in proptest::collection::vec(event(), 1..12),
        text_users in any::<bool>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..4),
    ) {
        let shape = Shape { text_users, ..Shape::FULL };
        let key = |event: &Event| (event.user.is_none(), event.user.map(|user| shape.user(user)));
        // Among unknown users, times do not matter.
        let back = events.windows(2).position(|pair| {
            key(&pair[0]) > key(&pair[1])
                || (pair[0].user.is_some() && pair[0].user == pair[1].user && pair[0].time > pair[1].time)
        });
        let result = sessionize(rule(), &split(&shape.batch(&events), &cuts));
        match back {
            None => prop_assert!(result.is_ok()),
            Some(above) => {
                let text = result.unwrap_err().to_string();
                prop_assert!(text.starts_with(&format!("row {} comes before the row above", above + 1)), "{}", text);
            }
        }
    }
}
