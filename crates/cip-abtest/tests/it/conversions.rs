//! Conversions against an oracle that holds all events of a user at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use cip_abtest::{
    AbTestError, Arm, Assignment, COLUMNS, ConversionCounter, Conversions, Experiment, Exposure,
};
use cip_core::{CoreError, EventBatch, IdRef, TimeRange, Timestamp};
use proptest::option;
use proptest::prelude::*;

/// The first name is one that no row uses, and one stands twice.
const TYPES: [&str; 4] = ["refund", "view", "purchase", "purchase"];
const GROUPS: [&str; 4] = ["nobody", "b", "a", "b"];

#[derive(Debug, Clone)]
struct Event {
    user: Option<i64>,
    time: i64,
    kind: i32,
    group: Option<i32>,
}

fn event() -> impl Strategy<Value = Event> {
    (option::weighted(0.9, -5i64..9), 0i64..20, 1i32..4, option::weighted(0.4, 1i32..4))
        .prop_map(|(user, time, kind, group)| Event { user, time, kind, group })
}

fn batch(text_users: bool, events: &[Event]) -> EventBatch {
    let users: ArrayRef = if text_users {
        Arc::new(events.iter().map(|event| event.user.map(|user| user.to_string())).collect::<StringArray>())
    } else {
        Arc::new(events.iter().map(|event| event.user).collect::<Int64Array>())
    };
    let dictionary = |keys: Int32Array, names: [&str; 4]| -> ArrayRef {
        Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(StringArray::from(names.to_vec()))))
    };
    let times = TimestampMicrosecondArray::from_iter_values(events.iter().map(|event| event.time));
    let columns = [
        ("experiment_group", dictionary(events.iter().map(|event| event.group).collect(), GROUPS)),
        ("event_type", dictionary(events.iter().map(|event| Some(event.kind)).collect(), TYPES)),
        ("user_id", users),
        ("event_time", Arc::new(times.with_timezone("UTC")) as ArrayRef),
    ];
    EventBatch::try_new(
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap(),
    )
    .unwrap()
}

fn sorted(text_users: bool, events: &[Event]) -> EventBatch {
    EventBatch::sorted(&[batch(text_users, events)]).unwrap()
}

fn experiment() -> Experiment {
    let assignment = Assignment::WeightedHash { seed: "s".into() };
    let arms = [("a", 2.0), ("b", 1.0), ("c", 1.0)].map(|(name, weight)| Arm::new(name, weight));
    Experiment::new("x", assignment).unwrap().with_arms(arms).unwrap()
}

fn exposure(recorded: bool) -> Exposure {
    if recorded { Exposure::Recorded } else { Exposure::Assigned(experiment()) }
}

fn range() -> TimeRange {
    TimeRange::new(Timestamp::from_micros(3), Timestamp::from_micros(17)).unwrap()
}

fn count(recorded: bool, batches: &[EventBatch]) -> Conversions {
    let empty = batch(false, &[]);
    let schema = batches.first().unwrap_or(&empty).schema();
    let mut counter =
        ConversionCounter::new(exposure(recorded), "purchase", schema).unwrap().with_range(range());
    for batch in batches {
        counter.push(batch).unwrap();
    }
    counter.finish()
}

fn split(batch: &EventBatch, cuts: &[usize]) -> Vec<EventBatch> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (batch.len() + 1)).collect();
    cuts.extend([0, batch.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|rows| batch.slice(rows[0], rows[1] - rows[0])).collect()
}

/// (arm, users, converted), and users in several arms.
fn oracle(recorded: bool, events: &[Event]) -> (Vec<(String, u64, u64)>, u64) {
    let mut events: Vec<&Event> =
        events.iter().filter(|event| event.user.is_some() && (3..17).contains(&event.time)).collect();
    events.sort_by_key(|event| event.time);
    let mut users: BTreeMap<i64, Vec<&Event>> = BTreeMap::new();
    for event in events {
        users.entry(event.user.unwrap()).or_default().push(event);
    }
    let mut arms: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    if !recorded {
        arms.extend(experiment().arms().iter().map(|arm| (arm.name().to_owned(), (0, 0))));
    }
    let mut several = 0;
    for (user, events) in users {
        let groups: BTreeSet<&str> =
            events.iter().filter_map(|event| event.group).map(|group| GROUPS[group as usize]).collect();
        let (arm, exposed) = if !recorded {
            (experiment().assign(IdRef::Int64(user)).unwrap().to_owned(), 0)
        } else if groups.len() == 1 {
            let first = events.iter().position(|event| event.group.is_some()).unwrap();
            (groups.first().unwrap().to_string(), first)
        } else {
            several += u64::from(groups.len() > 1);
            continue;
        };
        let converted = events[exposed..].iter().any(|event| TYPES[event.kind as usize] == "purchase");
        let count = arms.entry(arm).or_default();
        count.0 += 1;
        count.1 += u64::from(converted);
    }
    (arms.into_iter().map(|(arm, (n, successes))| (arm, n, successes)).collect(), several)
}

fn rows(conversions: &Conversions) -> (Vec<(String, u64, u64)>, u64) {
    let arms =
        conversions.arms().iter().map(|arm| (arm.arm().to_owned(), arm.n(), arm.successes())).collect();
    (arms, conversions.users_in_several_arms())
}

proptest! {
    #[test]
    fn the_count_equals_the_oracle(
        events in proptest::collection::vec(event(), 0..80),
        recorded in any::<bool>(),
        text_users in any::<bool>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..9),
    ) {
        let all = sorted(text_users, &events);
        let whole = count(recorded, std::slice::from_ref(&all));
        prop_assert_eq!(rows(&whole), oracle(recorded, &events));
        let unknown = events.iter().filter(|event| event.user.is_none()).count() as u64;
        prop_assert_eq!(whole.skipped_events(), unknown);
        prop_assert_eq!(count(recorded, &split(&all, &cuts)), whole);
    }

    #[test]
    fn parts_of_users_merge_to_the_whole(
        events in proptest::collection::vec(event(), 0..80),
        recorded in any::<bool>(),
        parts in 1i64..5,
    ) {
        let whole = count(recorded, &[sorted(false, &events)]);
        let mut merged = count(recorded, &[]);
        for part in (0..parts).rev() {
            let of = |event: &&Event| event.user.unwrap_or(0).rem_euclid(parts) == part;
            let events: Vec<Event> = events.iter().filter(of).cloned().collect();
            merged.merge(&count(recorded, &[sorted(false, &events)])).unwrap();
        }
        prop_assert_eq!(merged, whole);
    }
}

fn at(user: Option<i64>, time: i64) -> Event {
    Event { user, time, kind: 2, group: Some(1) }
}

#[test]
fn events_out_of_order_are_refused_with_their_row() {
    for (events, row) in [
        (vec![at(Some(2), 4), at(Some(1), 4)], 1),
        (vec![at(Some(1), 4), at(Some(1), 5), at(Some(1), 4)], 2),
        (vec![at(Some(1), 4), at(None, 5), at(Some(2), 6)], 2),
        (vec![at(Some(1), 4), at(None, 5), at(None, 4)], u64::MAX),
    ] {
        let all = batch(false, &events);
        for batches in [vec![all.clone()], (0..all.len()).map(|row| all.slice(row, 1)).collect()] {
            let mut counter = ConversionCounter::new(Exposure::Recorded, "purchase", all.schema()).unwrap();
            let error = batches.iter().find_map(|batch| counter.push(batch).err());
            match error {
                Some(AbTestError::Core(CoreError::NotSorted { row: found })) => assert_eq!(found, row),
                found => assert!(row == u64::MAX && found.is_none(), "{events:?} {found:?}"),
            }
        }
    }
}

#[test]
fn missing_columns_other_types_and_other_parts_are_refused() {
    let all = batch(false, &[at(Some(1), 4)]);
    for &missing in COLUMNS {
        let rest: Vec<&str> = COLUMNS.iter().copied().filter(|name| *name != missing).collect();
        let schema = all.schema().project(&rest);
        let error = ConversionCounter::new(Exposure::Recorded, "purchase", &schema).unwrap_err();
        assert!(error.to_string().starts_with(&format!("column `{missing}` is missing")), "{error}");
        let assigned = ConversionCounter::new(exposure(false), "purchase", &schema);
        assert_eq!(assigned.is_ok(), missing == "experiment_group");
    }
    let mut counter = ConversionCounter::new(Exposure::Recorded, "purchase", all.schema()).unwrap();
    let error = counter.push(&batch(true, &[])).unwrap_err();
    assert!(error.to_string().starts_with("column `user_id` is Utf8"), "{error}");
    assert!(matches!(
        ConversionCounter::new(Exposure::Recorded, " ", all.schema()),
        Err(AbTestError::BlankMetric)
    ));
    let mut recorded = count(true, &[]);
    assert!(matches!(recorded.merge(&count(false, &[])), Err(AbTestError::PartsDiffer)));
}
