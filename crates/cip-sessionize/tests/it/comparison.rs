//! The sessions of the source beside those of a rule, against sets of events.

use std::collections::{BTreeMap, BTreeSet};

use cip_sessionize::{SessionRule, SessionizeError, SourceComparer, SourceComparison, compare_sessions};
use proptest::prelude::*;

use crate::events::{Shape, split};
use crate::laws::shape;
use crate::rules::{Campaigns, Marked, Plan, campaigns, cut, marked, plan, sorted};

/// The sessions of every user as sets of events, which are told apart by their place in memory.
fn sets(plan: &Plan, shape: Shape, events: &[Marked]) -> Vec<BTreeSet<*const Marked>> {
    let sessions = cut(plan, shape, events).into_iter().flat_map(|(_, sessions)| sessions);
    sessions.map(|session| session.into_iter().map(std::ptr::from_ref).collect()).collect()
}

fn oracle(plan: &Plan, shape: Shape, events: &[Marked]) -> SourceComparison {
    let ours = sets(plan, shape, events);
    let mut source: BTreeMap<(i64, u32), BTreeSet<*const Marked>> = BTreeMap::new();
    for event in events {
        if let (Some(user), Some(code)) = (event.0.user, event.1) {
            source.entry((user, code)).or_default().insert(event);
        }
    }
    let mut found = SourceComparison {
        sessions: ours.len() as u64,
        source_sessions: source.len() as u64,
        skipped_events: events.iter().filter(|event| event.0.user.is_none()).count() as u64,
        ..SourceComparison::default()
    };
    for theirs in source.values() {
        let parts = ours.iter().filter(|ours| !ours.is_disjoint(theirs)).count() as u64;
        *found.parts.entry(parts).or_default() += 1;
        found.split += u64::from(parts > 1);
        found.exact += u64::from(ours.contains(theirs));
    }
    for ours in &ours {
        match source.values().filter(|theirs| !theirs.is_disjoint(ours)).count() {
            0 => found.without_source += 1,
            1 => {}
            _ => found.merged += 1,
        }
    }
    found
}

proptest! {
    #[test]
    fn the_comparison_is_that_of_sets_of_events(
        plan in plan(),
        events in marked(),
        shape in shape(),
        campaigns in campaigns(),
        cuts in proptest::collection::vec(any::<usize>(), 0..8),
    ) {
        let plan = plan.by_inactivity();
        let batches = split(&sorted(shape, campaigns, &events), &cuts);
        prop_assert_eq!(compare_sessions(plan.rule(), &batches).unwrap(), oracle(&plan, shape, &events));
    }

    #[test]
    fn parts_by_user_add_up(plan in plan(), events in marked(), border in -3i64..3) {
        let plan = plan.by_inactivity();
        let compare = |events: &[Marked]| {
            compare_sessions(plan.rule(), &[sorted(Shape::FULL, Campaigns::Int64, events)]).unwrap()
        };
        let whole = compare(&events);
        let (low, high): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| event.0.user.is_some_and(|user| user < border));
        let mut sum = compare(&low);
        sum.merge(&compare(&high));
        prop_assert_eq!(sum, whole);
    }
}

#[test]
fn the_source_is_not_compared_with_itself() {
    let batch = sorted(Shape::FULL, Campaigns::Int64, &[]);
    let error = SourceComparer::new(SessionRule::source(), batch.schema()).unwrap_err();
    assert!(matches!(error, SessionizeError::SourceWithSource), "{error}");
    let bare = Shape::FULL.batch(&[]);
    let error = SourceComparer::new(SessionRule::default(), bare.schema()).unwrap_err().to_string();
    assert!(error.starts_with("column `source_session` is missing"), "{error}");
}
