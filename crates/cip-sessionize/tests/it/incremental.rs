//! Sessions of events in any order: what they add up to, and what comes too late.

use std::time::Duration;

use arrow_array::RecordBatch;
use cip_core::{EventBatch, Timestamp, table};
use cip_sessionize::{
    IncrementalSessions, Lateness, SessionChange, SessionRule, SessionUpdate, apply_changes, sessionize,
};
use proptest::prelude::*;

use crate::events::{Event, Shape, split};
use crate::laws::shape;
use crate::oracle::rows;
use crate::rules::{Marked, batch, campaigns, marked, plan};

const SECOND: i64 = 1_000_000;

pub(crate) fn lateness() -> impl Strategy<Value = Lateness> {
    prop_oneof![
        Just(Lateness::Unlimited),
        Just(Lateness::Within(Duration::ZERO)),
        (1u64..60_000_000).prop_map(|micros| Lateness::Within(Duration::from_micros(micros))),
    ]
}

/// The table before the first event.
pub(crate) fn nothing(events: &EventBatch) -> RecordBatch {
    let schema = events.schema();
    RecordBatch::new_empty(table::fact_sessions(schema.user_type().unwrap(), schema.money_scale()))
}

/// Which rows are taken, one after the other.
fn accepted(events: &[Marked], lateness: Lateness) -> Vec<bool> {
    let mut latest: Option<i64> = None;
    let mut accept = |time: i64| {
        let late = latest.is_some_and(|latest| match lateness {
            Lateness::Unlimited => false,
            Lateness::Within(within) => time < latest - within.as_micros() as i64,
        });
        latest = Some(latest.map_or(time, |latest| latest.max(time)));
        !late
    };
    events.iter().map(|marked| accept(marked.0.time)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn the_changes_add_up_to_the_table_of_all_events_that_were_not_late(
        plan in plan(),
        events in marked(),
        lateness in lateness(),
        shape in shape(),
        campaigns in campaigns(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
        saves in any::<u16>(),
    ) {
        let rule = plan.by_inactivity().rule();
        let all = batch(shape, campaigns, &events);
        let mut sessions = IncrementalSessions::new(rule.clone(), all.schema(), lateness).unwrap();
        let (mut now, mut rejected, mut before) = (nothing(&all), Vec::new(), 0);
        for (step, part) in split(&all, &cuts).iter().enumerate() {
            let update = sessions.push(part).unwrap();
            now = apply_changes(&now, update.changes().record_batch()).unwrap();
            rejected.extend(update.rejects().iter().map(|reject| before + reject.row));
            before += part.len();
            if saves >> (step % 16) & 1 == 1 {
                let mut saved = Vec::new();
                sessions.save(&mut saved).unwrap();
                sessions =
                    IncrementalSessions::resume(rule.clone(), all.schema(), lateness, saved.as_slice()).unwrap();
            }
        }
        let taken = accepted(&events, lateness);
        let known = |row: usize| events[row].0.user.is_some();
        let late: Vec<usize> = (0..events.len()).filter(|&row| known(row) && !taken[row]).collect();
        prop_assert_eq!(sessions.late_events(), late.len() as u64);
        prop_assert_eq!(sessions.skipped_events(), (0..events.len()).filter(|&row| !known(row)).count() as u64);
        prop_assert_eq!(rejected, late);
        prop_assert_eq!(sessions.watermark().map(Timestamp::micros), events.iter().map(|marked| marked.0.time).max());
        let kept: Vec<Marked> =
            events.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(marked, _)| marked.clone()).collect();
        let sorted = EventBatch::sorted(&[batch(shape, campaigns, &kept)]).unwrap();
        prop_assert_eq!(now, sessionize(rule, &[sorted]).unwrap());
    }

    #[test]
    fn neither_the_order_nor_the_batches_matter_where_nothing_is_late(
        plan in plan(),
        (events, shuffled) in marked().prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        shape in shape(),
        campaigns in campaigns(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
        spread in 0u64..120_000_000,
    ) {
        // Events at one instant keep their order where sessions end at changes: only clocks are looked at here.
        let rule = plan.by_the_clock().rule();
        // As if each was delayed by up to `spread`.
        let delayed = {
            let mut delayed: Vec<(i64, Marked)> = shuffled
                .into_iter()
                .enumerate()
                .map(|(place, marked)| (marked.0.time + (place as u64 * 7_919_993 % (spread + 1)) as i64, marked))
                .collect();
            delayed.sort_by_key(|(arrival, _)| *arrival);
            delayed.into_iter().map(|(_, marked)| marked).collect::<Vec<_>>()
        };
        let all = batch(shape, campaigns, &delayed);
        let lateness = Lateness::Within(Duration::from_micros(spread));
        let mut sessions = IncrementalSessions::new(rule.clone(), all.schema(), lateness).unwrap();
        let mut now = nothing(&all);
        for part in split(&all, &cuts) {
            now = apply_changes(&now, sessions.push(&part).unwrap().changes().record_batch()).unwrap();
        }
        prop_assert_eq!(sessions.late_events(), 0);
        let sorted = EventBatch::sorted(&[batch(shape, campaigns, &events)]).unwrap();
        prop_assert_eq!(now, sessionize(rule, &[sorted]).unwrap());
    }
}

fn view(user: i64, second: i64) -> Event {
    Event { user: Some(user), time: second * SECOND, kind: 1, product: None, price: None, quantity: None }
}

fn begin(lateness: Lateness) -> IncrementalSessions {
    let rule = SessionRule::new(Duration::from_secs(10)).unwrap();
    IncrementalSessions::new(rule, Shape::FULL.batch(&[]).schema(), lateness).unwrap()
}

/// What became of which sessions: change, key, user, number, start and end in seconds.
fn said(update: &SessionUpdate) -> Vec<(SessionChange, i64, i64, i64)> {
    let changes = update.changes().record_batch();
    let names =
        arrow_array::cast::AsArray::as_dictionary::<arrow_array::types::Int32Type>(changes.column(13));
    let names = names.downcast_dict::<arrow_array::StringArray>().unwrap();
    let rows = rows(std::slice::from_ref(changes)).into_iter().zip(names);
    rows.map(|(row, name)| (name.unwrap().parse().unwrap(), row.seq, row.start / SECOND, row.end / SECOND))
        .collect()
}

#[test]
fn events_start_extend_and_merge_sessions() {
    use SessionChange::{Delete, Insert, Update};
    let mut sessions = begin(Lateness::Unlimited);
    let mut push = |second: i64| said(&sessions.push(&Shape::FULL.batch(&[view(7, second)])).unwrap());
    assert_eq!(push(100), [(Insert, 1, 100, 100)]);
    assert_eq!(push(130), [(Insert, 2, 130, 130)]);
    assert_eq!(push(140), [(Update, 2, 130, 140)], "goes on");
    assert_eq!(
        push(92),
        [(Insert, 1, 92, 100), (Delete, 1, 100, 100)],
        "its start moves, and with it its key"
    );
    assert_eq!(push(110), [(Update, 1, 92, 110)]);
    assert_eq!(push(120), [(Update, 1, 92, 140), (Delete, 2, 130, 140)], "merges two");
    assert_eq!(push(50), [(Insert, 1, 50, 50), (Update, 2, 92, 140)], "the later one has another number");
}

#[test]
fn a_key_stays_when_an_earlier_session_appears() {
    let keys = |update: &SessionUpdate| {
        rows(std::slice::from_ref(update.changes().record_batch()))
            .into_iter()
            .map(|row| row.key)
            .collect::<Vec<_>>()
    };
    let mut sessions = begin(Lateness::Unlimited);
    let first = keys(&sessions.push(&Shape::FULL.batch(&[view(7, 100)])).unwrap());
    let both = keys(&sessions.push(&Shape::FULL.batch(&[view(7, 0)])).unwrap());
    assert_eq!((first.len(), both.len()), (1, 2));
    assert_eq!(first[0], both[1]);
}

#[test]
fn what_is_too_late_is_rejected_with_the_reason_and_no_more() {
    let mut sessions = begin(Lateness::Within(Duration::from_secs(60)));
    assert_eq!(sessions.watermark(), None);
    let unknown = Event { user: None, ..view(0, 0) };
    let events =
        [view(1, 100), view(2, 40), view(2, 39), Event { user: None, time: 0, ..unknown }, view(3, 160)];
    let update = sessions.push(&Shape::FULL.batch(&events)).unwrap();
    let texts: Vec<_> = update.rejects().iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["row 2: the event of 1970-01-01T00:00:39Z is late, expected 1970-01-01T00:00:40Z or later"]
    );
    assert_eq!(update.changes().count(SessionChange::Insert), 3);
    assert_eq!((sessions.late_events(), sessions.skipped_events()), (1, 1));
    // Events without a user move the watermark as well.
    let ahead = Event { user: None, time: 300 * SECOND, ..view(0, 0) };
    let update = sessions.push(&Shape::FULL.batch(&[ahead, view(3, 170)])).unwrap();
    assert_eq!(update.rejects().iter().map(|reject| reject.row).collect::<Vec<_>>(), [1]);
    assert_eq!(update.changes().record_batch().num_rows(), 0);
}

#[test]
fn no_more_is_kept_than_may_be_late() {
    let mut sessions = begin(Lateness::Within(Duration::from_secs(100)));
    let mut most = 0;
    for block in 0..100 {
        let events: Vec<Event> = (0..1_000).map(|event| view(event % 10, block * 1_000 + event)).collect();
        sessions.push(&Shape::FULL.batch(&events)).unwrap();
        most = most.max(sessions.kept_events());
    }
    assert!(most < 10_000, "{most} of 100,000 events are kept");
}

#[test]
fn the_ends_of_time_are_times() {
    let times = [i64::MAX, i64::MIN, i64::MAX, i64::MIN, 0, i64::MAX - 1];
    let events: Vec<Event> = times.into_iter().map(|time| Event { time, ..view(7, 0) }).collect();
    for lateness in [Lateness::Unlimited, Lateness::Within(Duration::from_micros(i64::MAX as u64))] {
        let mut sessions = begin(lateness);
        let mut now = nothing(&Shape::FULL.batch(&[]));
        let mut taken = Vec::new();
        for event in &events {
            let update = sessions.push(&Shape::FULL.batch(std::slice::from_ref(event))).unwrap();
            now = apply_changes(&now, update.changes().record_batch()).unwrap();
            if update.rejects().is_empty() {
                taken.push(event.clone());
            }
        }
        assert_eq!(taken.len(), if lateness == Lateness::Unlimited { 6 } else { 4 });
        let rule = SessionRule::new(Duration::from_secs(10)).unwrap();
        assert_eq!(now, sessionize(rule, &[Shape::FULL.sorted(&taken)]).unwrap());
    }
}

#[test]
fn what_fails_changes_nothing() {
    let mut sessions = begin(Lateness::Unlimited);
    sessions.push(&Shape::FULL.batch(&[view(7, 0)])).unwrap();
    let mut before = Vec::new();
    sessions.save(&mut before).unwrap();
    let without = Shape { products: None, ..Shape::FULL }.batch(&[view(7, 5)]);
    let error = sessions.push(&without).unwrap_err().to_string();
    assert!(error.contains("column `product_id` is missing"), "{error}");
    let mut after = Vec::new();
    sessions.save(&mut after).unwrap();
    assert_eq!(before, after);
}

#[test]
fn what_it_cannot_do_is_refused() {
    let events = Shape::FULL.batch(&[]);
    let refuse =
        |rule, lateness| IncrementalSessions::new(rule, events.schema(), lateness).unwrap_err().to_string();
    let source = refuse(SessionRule::source(), Lateness::Unlimited);
    assert!(source.starts_with("incremental sessions cut sessions by times"), "{source}");
    for lateness in [Duration::from_nanos(1), Duration::MAX] {
        let text = refuse(SessionRule::default(), Lateness::Within(lateness));
        assert!(text.contains("late, expected whole microseconds, at most"), "{text}");
    }
    let absent = refuse(SessionRule::default().with_attribute_cut("campaign"), Lateness::Unlimited);
    assert!(absent.contains("no column `campaign`"), "{absent}");
}
