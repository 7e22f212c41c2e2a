//! Sequences against all subsequences of all histories.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    ArrayRef, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array,
};
use cip_basket::{BasketError, Histories, HistoryScope, ItemLevel, MinSupport, SequencePatterns, Sequences};
use cip_core::{CoreError, EventBatch, MemoryBudget, table};
use proptest::prelude::*;

use crate::itemsets::BUDGET;

/// An event: user (none: unknown), session, seconds since the one before, type, product.
type Event = (Option<i64>, u32, i64, usize, Option<i64>);

const TYPES: [&str; 2] = ["view", "purchase"];

/// By user, and by time inside each: users ascend, the unknown one comes last.
fn batch(events: &[Event]) -> EventBatch {
    let mut sorted = events.to_vec();
    sorted.sort_by_key(|event| (event.0.is_none(), event.0));
    let mut clock = 0;
    let times: Vec<i64> = sorted
        .iter()
        .map(|event| {
            clock += event.2 * 1_000_000;
            clock
        })
        .collect();
    let types: DictionaryArray<Int32Type> = sorted.iter().map(|event| TYPES[event.3]).collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("user_id", Arc::new(sorted.iter().map(|event| event.0).collect::<Int64Array>())),
        ("event_time", Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))),
        ("event_type", Arc::new(types)),
        ("product_id", Arc::new(sorted.iter().map(|event| event.4).collect::<Int64Array>())),
        ("source_session", Arc::new(UInt32Array::from_iter_values(sorted.iter().map(|event| event.1)))),
    ];
    EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
}

fn histories(scope: HistoryScope, batches: &[EventBatch]) -> Histories {
    let mut builder = Histories::builder(batches[0].schema(), ItemLevel::Product, scope, BUDGET).unwrap();
    batches.iter().for_each(|batch| builder.push(batch).unwrap());
    builder.finish().unwrap()
}

/// Sequences with their counts and confidences.
fn counts(found: &Sequences) -> BTreeMap<Vec<String>, (u64, f64)> {
    found
        .iter()
        .map(|sequence| {
            let steps = sequence.steps().map(|(kind, product)| format!("{kind} {product}")).collect();
            (steps, (sequence.count(), sequence.confidence()))
        })
        .collect()
}

/// Steps in order, with their times.
type History = Vec<(i64, String)>;

/// Every choice of events of every history, in order and inside the time.
fn oracle(
    scope: HistoryScope,
    events: &EventBatch,
    least: u64,
    within: i64,
    most: usize,
) -> BTreeMap<Vec<String>, (u64, f64)> {
    let mut known: BTreeMap<(Option<i64>, u32), History> = BTreeMap::new();
    let rows = events.record_batch();
    let ints = |column: &str| rows[column].as_primitive::<Int64Type>().iter().collect::<Vec<_>>();
    let (users, products) = (ints("user_id"), ints("product_id"));
    let sessions = events.source_sessions().unwrap().values();
    for row in 0..events.len() {
        let Some(product) = products[row] else { continue };
        let key = match scope {
            HistoryScope::User if users[row].is_none() => continue,
            HistoryScope::User => (users[row], 0),
            HistoryScope::Session => (users[row], sessions[row]),
        };
        let types = events.event_types().unwrap().downcast_dict::<arrow_array::StringArray>().unwrap();
        let step = format!("{} {product}", arrow_array::ArrayAccessor::value(&types, row));
        let history = known.entry(key).or_default();
        if history.last().is_none_or(|(_, before)| *before != step) {
            history.push((events.times().unwrap().value(row), step));
        }
    }
    let mut counts: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for history in known.values() {
        let mut held: BTreeSet<Vec<String>> = BTreeSet::new();
        for chosen in 1u32..1 << history.len() {
            let events: Vec<_> =
                (0..history.len()).filter(|at| chosen >> at & 1 == 1).map(|at| &history[at]).collect();
            if events.len() <= most && events[events.len() - 1].0 - events[0].0 <= within {
                held.insert(events.iter().map(|(_, step)| step.clone()).collect());
            }
        }
        held.into_iter().for_each(|sequence| *counts.entry(sequence).or_default() += 1);
    }
    let frequent = counts.iter().filter(|&(steps, &count)| steps.len() > 1 && count >= least);
    frequent
        .map(|(steps, &count)| {
            (steps.clone(), (count, count as f64 / counts[&steps[..steps.len() - 1]] as f64))
        })
        .collect()
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (
        proptest::option::weighted(0.9, 0i64..6),
        0u32..2,
        0i64..4,
        0usize..2,
        proptest::option::weighted(0.9, 0i64..3),
    );
    // No history is too long for the oracle.
    proptest::collection::vec(event, 0..30).prop_map(|events| {
        let mut seen: BTreeMap<Option<i64>, usize> = BTreeMap::new();
        let few = |event: &Event| {
            let count = seen.entry(event.0).or_default();
            *count += 1;
            *count <= 8
        };
        let mut few = few;
        events.into_iter().filter(|event| few(event)).collect()
    })
}

/// A bot looks at two products in turn: each of its looks starts a sequence that all later ones go on.
#[test]
fn a_long_history_of_few_steps_is_looked_at_once() {
    const EVENTS: usize = 40_000;
    let events: Vec<Event> = (0..EVENTS).map(|at| (Some(1), 0, 1, 0, Some(at as i64 % 2))).collect();
    let given = histories(HistoryScope::User, &[batch(&events)]);
    let patterns = SequencePatterns::new(MinSupport::Count(1), Duration::from_secs(1 << 30)).unwrap();
    let found = patterns.with_most_steps(5).unwrap().find(&given).unwrap();
    // Every sequence of 2 to 5 steps of the two.
    assert_eq!(found.len(), 4 + 8 + 16 + 32);
    assert!(found.iter().all(|sequence| sequence.count() == 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn sequences_are_those_of_the_definition(
        events in events(),
        scope in prop_oneof![Just(HistoryScope::User), Just(HistoryScope::Session)],
        least in 1u64..4,
        within in 1u64..12,
        most in 2usize..5,
    ) {
        let batch = batch(&events);
        let patterns = SequencePatterns::new(MinSupport::Count(least), Duration::from_secs(within)).unwrap();
        let patterns = patterns.with_most_steps(most).unwrap();
        let expected = oracle(scope, &batch, least, within as i64 * 1_000_000, most);
        let given = histories(scope, std::slice::from_ref(&batch));
        let found = patterns.find(&given).unwrap();
        prop_assert_eq!(counts(&found), expected.clone());
        let mut bought = expected;
        bought.retain(|steps, _| steps.last().unwrap().starts_with("purchase"));
        prop_assert_eq!(counts(&patterns.with_last_type("purchase").find(&given).unwrap()), bought);
    }

    #[test]
    fn parts_and_threads_give_the_same_table(events in events(), border in 0i64..6, threads in 1usize..4) {
        let whole = batch(&events);
        let patterns = SequencePatterns::new(MinSupport::Count(1), Duration::from_secs(9)).unwrap();
        let expected = patterns.find(&histories(HistoryScope::User, std::slice::from_ref(&whole))).unwrap();
        let users = whole.record_batch()["user_id"].as_primitive::<Int64Type>();
        let cut = (0..whole.len()).find(|&row| users.iter().nth(row).unwrap().is_none_or(|user| user >= border));
        let cut = cut.unwrap_or(whole.len());
        let mut parts = histories(HistoryScope::User, &[whole.slice(0, cut)]);
        parts.append(histories(HistoryScope::User, &[whole.slice(cut, whole.len() - cut)])).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| patterns.find(&parts)).unwrap();
        prop_assert_eq!(&found, &expected);
        let mut rows = 0;
        for (batch, sequence) in found.batches().map(Result::unwrap).zip(found.iter()) {
            prop_assert_eq!(batch.schema(), table::sequences());
            let types = batch["event_types"].as_list::<i32>().value(0);
            prop_assert_eq!(types.as_string::<i32>().value(0), sequence.steps().next().unwrap().0);
            let support = batch["support"].as_primitive::<Float64Type>().value(0);
            prop_assert_eq!(support, sequence.count() as f64 / found.histories() as f64);
            rows += batch.num_rows();
        }
        prop_assert_eq!(rows, found.len());
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let patterns =
        |count, seconds| SequencePatterns::new(MinSupport::Count(count), Duration::from_secs(seconds));
    assert!(matches!(patterns(1, 0), Err(BasketError::Within)));
    assert!(matches!(patterns(1, 1).unwrap().with_most_steps(1), Err(BasketError::MostSteps { given: 1 })));
    let batch =
        batch(&[(Some(1), 0, 0, 0, Some(1)), (Some(1), 0, 1, 1, Some(1)), (Some(1), 0, 1, 0, Some(2))]);
    let given = histories(HistoryScope::User, std::slice::from_ref(&batch));
    assert!(matches!(patterns(0, 1).unwrap().find(&given), Err(BasketError::MinSupport { .. })));
    assert_eq!(patterns(1, u64::MAX).unwrap().find(&given).unwrap().len(), 4);
    let mut parts = histories(HistoryScope::User, std::slice::from_ref(&batch));
    let other = histories(HistoryScope::Session, std::slice::from_ref(&batch));
    assert!(matches!(parts.append(other), Err(BasketError::ScopesDiffer)));
    let mut tight = Histories::builder(
        batch.schema(),
        ItemLevel::Product,
        HistoryScope::User,
        MemoryBudget::from_bytes(99),
    )
    .unwrap();
    tight.push(&batch).unwrap();
    assert!(matches!(tight.finish(), Err(BasketError::Core(CoreError::Memory { .. }))));
}
