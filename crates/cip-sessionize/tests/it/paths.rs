//! Paths against a plain oracle, a case by hand, and at their limits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use cip_core::{CoreError, EventBatch, column, table};
use cip_sessionize::{
    MAX_PATH_STEPS, PATH_COLUMNS, PathCounts, PathScope, Paths, RepeatedTypes, SessionRule, SessionizeError,
};
use proptest::option;
use proptest::prelude::*;

use crate::events::{Event, Shape, TYPES, split};

const TICK: i64 = 500_000;

#[derive(Debug, Clone)]
struct Plan {
    max_steps: usize,
    scope: PathScope,
    repeats: RepeatedTypes,
    target: Option<&'static str>,
    timeout: i64,
}

impl Plan {
    fn paths(&self) -> Paths {
        let rule = SessionRule::new(Duration::from_micros(self.timeout as u64)).unwrap();
        let paths = Paths::new(self.max_steps).unwrap().with_scope(self.scope).with_repeats(self.repeats);
        let paths = paths.with_session_rule(rule).unwrap();
        self.target.map_or_else(|| paths.clone(), |target| paths.clone().with_target(target).unwrap())
    }
}

/// A path, its sessions, users and conversions.
type Row = (Vec<String>, u64, u64, u64);

/// Rows in their order, and users, sessions and those that have a path.
fn oracle(plan: &Plan, shape: Shape, events: &[Event]) -> (Vec<Row>, [u64; 3]) {
    let mut by_user: BTreeMap<_, Vec<&Event>> = BTreeMap::new();
    for event in events {
        if let Some(user) = event.user {
            by_user.entry(shape.user(user)).or_default().push(event);
        }
    }
    let mut found: BTreeMap<Vec<&str>, (u64, BTreeSet<_>, u64, u64)> = BTreeMap::new();
    let mut totals = [by_user.len() as u64, 0, 0];
    for (user, mut events) in by_user {
        events.sort_by_key(|event| event.time);
        let sessions: Vec<&[&Event]> = events.chunk_by(|a, b| b.time - a.time <= plan.timeout).collect();
        totals[1] += sessions.len() as u64;
        let units = match plan.scope {
            PathScope::Session => sessions.iter().map(|&session| (session, 1)).collect(),
            PathScope::User => vec![(&events[..], sessions.len() as u64)],
        };
        for (unit, sessions) in units {
            let mut names: Vec<&str> = unit.iter().map(|event| TYPES[event.kind as usize]).collect();
            let converts = names.contains(&"purchase");
            if plan.repeats == RepeatedTypes::OneStep {
                names.dedup();
            }
            let path = match plan.target {
                None => &names[..names.len().min(plan.max_steps)],
                Some(target) => {
                    let Some(end) = names.iter().position(|&name| name == target) else { continue };
                    &names[(end + 1).saturating_sub(plan.max_steps)..=end]
                }
            };
            totals[2] += 1;
            let count = found.entry(path.to_vec()).or_default();
            count.0 += sessions;
            count.1.insert(user.clone());
            count.2 += u64::from(converts);
            count.3 += 1;
        }
    }
    let mut rows: Vec<_> = found.into_iter().collect();
    rows.sort_by_key(|(_, (.., taken))| Reverse(*taken));
    let row = |(path, (sessions, users, conversions, _)): (Vec<&str>, (u64, BTreeSet<_>, u64, u64))| {
        (path.into_iter().map(str::to_owned).collect(), sessions, users.len() as u64, conversions)
    };
    (rows.into_iter().map(row).collect(), totals)
}

fn rows(counts: &PathCounts) -> Vec<Row> {
    let row = |path: cip_sessionize::TopPath<'_>| {
        let steps = path.steps.iter().map(|&step| step.to_owned()).collect();
        (steps, path.sessions, path.users, path.conversions)
    };
    counts.top(usize::MAX).into_iter().map(row).collect()
}

fn totals(counts: &PathCounts) -> [u64; 3] {
    [counts.users(), counts.sessions(), counts.with_path()]
}

fn event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![5 => Just(1), 3 => Just(2), 2 => Just(4), 1 => 3..TYPES.len() as i32];
    (option::weighted(0.9, -2i64..3), -10i64..14, kind).prop_map(|(user, tick, kind)| Event {
        user,
        time: tick * TICK,
        kind,
        product: None,
        price: None,
        quantity: None,
    })
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(event(), 0..60)
}

fn plan() -> impl Strategy<Value = Plan> {
    let target = prop_oneof![
        2 => Just(None), 2 => Just(Some("purchase")), 1 => Just(Some("cart")), 1 => Just(Some("absent")),
    ];
    (1usize..6, any::<bool>(), any::<bool>(), target, 1i64..6).prop_map(
        |(max_steps, user, each, target, pause)| Plan {
            max_steps,
            scope: if user { PathScope::User } else { PathScope::Session },
            repeats: if each { RepeatedTypes::EachAStep } else { RepeatedTypes::OneStep },
            target,
            timeout: pause * TICK,
        },
    )
}

/// Without what sessions read besides.
fn narrow(batch: &EventBatch) -> EventBatch {
    let indices: Vec<_> =
        PATH_COLUMNS.iter().map(|name| batch.record_batch().schema().index_of(name).unwrap()).collect();
    EventBatch::try_new(batch.record_batch().project(&indices).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_counts_are_those_of_the_definition_however_the_rows_are_split(
        plan in plan(),
        events in events(),
        text_users in any::<bool>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let shape = Shape { text_users, ..Shape::FULL };
        let sorted = shape.sorted(&events);
        let counts = plan.paths().follow(&split(&sorted, &cuts)).unwrap();
        let (expected, sums) = oracle(&plan, shape, &events);
        prop_assert_eq!(rows(&counts), expected);
        prop_assert_eq!(totals(&counts), sums);
        prop_assert_eq!(counts.skipped_events(), events.iter().filter(|event| event.user.is_none()).count() as u64);
        let names: BTreeSet<&str> = events.iter().map(|event| TYPES[event.kind as usize]).collect();
        prop_assert!(counts.event_types().eq(names));
        prop_assert_eq!(rows(&plan.paths().follow(&[narrow(&sorted)]).unwrap()), rows(&counts));
    }

    #[test]
    fn parts_by_user_add_up_in_any_order(plan in plan(), events in events(), border in -2i64..3, turn in any::<bool>()) {
        let shape = Shape::FULL;
        let whole = plan.paths().follow(&[shape.sorted(&events)]).unwrap();
        let (low, high): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| event.user.is_some_and(|user| user < border));
        let [low, high] = [low, high].map(|part| plan.paths().follow(&[shape.sorted(&part)]).unwrap());
        let (mut sum, other) = if turn { (high, low) } else { (low, high) };
        sum.merge(&other).unwrap();
        prop_assert_eq!(totals(&sum), totals(&whole));
        prop_assert_eq!(sum.table(usize::MAX).unwrap(), whole.table(usize::MAX).unwrap());
        prop_assert_eq!(sum.skipped_events(), whole.skipped_events());
    }

    #[test]
    fn more_paths_than_may_be_kept_are_an_error_and_as_many_are_none(
        plan in plan(),
        events in events(),
        limit in 1usize..12,
        border in -2i64..3,
    ) {
        let different = plan.paths().follow(&[Shape::FULL.sorted(&events)]).unwrap().different();
        let paths = plan.paths().with_max_paths(NonZeroUsize::new(limit).unwrap());
        let whole = paths.follow(&[Shape::FULL.sorted(&events)]);
        let (low, high): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| event.user.is_some_and(|user| user < border));
        let follow = |part: &[Event]| paths.follow(&[Shape::FULL.sorted(part)]);
        let parts = follow(&low).and_then(|mut sum| {
            sum.merge(&follow(&high)?)?;
            Ok(sum)
        });
        for counts in [whole, parts] {
            match counts {
                Ok(counts) => prop_assert!(counts.different() == different && different <= limit),
                Err(SessionizeError::TooManyPaths { limit: said, .. }) => prop_assert!(said == limit && different > limit),
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
    }
}

/// Minutes, and the position of the event type.
fn of(user: i64, events: &[(i64, i32)]) -> Vec<Event> {
    let event = |&(minute, kind): &(i64, i32)| Event {
        user: Some(user),
        time: minute * 60_000_000,
        kind,
        product: None,
        price: None,
        quantity: None,
    };
    events.iter().map(event).collect()
}

/// Four sessions of three users, counted by hand: view and cart twice, the one with a purchase, the other without.
fn shop() -> EventBatch {
    let [view, cart, purchase] = [1, 2, 4];
    let events = [
        of(1, &[(0, view), (1, view), (2, cart), (3, view), (4, purchase)]),
        of(1, &[(100, view), (101, view)]),
        of(2, &[(0, view), (1, cart)]),
        of(3, &[(0, cart), (30, view), (60, purchase), (60, purchase)]),
    ];
    Shape::FULL.sorted(&events.concat())
}

#[test]
fn a_shop_is_counted_as_by_hand() {
    let counted = |paths: Paths| {
        let counts = paths.follow(&[shop()]).unwrap();
        counts
            .top(10)
            .into_iter()
            .map(|path| (path.steps.join(" "), path.sessions, path.users, path.conversions))
            .collect::<Vec<_>>()
    };
    let row = |path: &str, sessions, users, conversions| (path.to_owned(), sessions, users, conversions);
    assert_eq!(
        counted(Paths::new(2).unwrap()),
        [row("view cart", 2, 2, 1), row("cart view", 1, 1, 1), row("view", 1, 1, 0)]
    );
    assert_eq!(
        counted(Paths::new(2).unwrap().with_repeats(RepeatedTypes::EachAStep)),
        [row("view view", 2, 1, 1), row("cart view", 1, 1, 1), row("view cart", 1, 1, 0)]
    );
    assert_eq!(
        counted(Paths::new(3).unwrap().with_target("purchase").unwrap()),
        [row("cart view purchase", 2, 2, 2)]
    );
    assert_eq!(
        counted(Paths::default().with_scope(PathScope::User)),
        [
            row("cart view purchase", 1, 1, 1),
            row("view cart", 1, 1, 0),
            row("view cart view purchase view", 2, 1, 1)
        ]
    );
}

#[test]
fn the_table_has_shares_of_what_has_a_path() {
    let counts = Paths::new(3).unwrap().with_target("cart").unwrap().follow(&[shop()]).unwrap();
    assert_eq!(totals(&counts), [3, 4, 3]);
    let found = counts.table(1).unwrap();
    assert_eq!(found.schema(), table::paths());
    let paths = found.column(0).as_list::<i32>().value(0);
    assert_eq!(paths.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["view", "cart"]);
    let ints = [1, 2, 3, 5].map(|column| found.column(column).as_primitive::<Int64Type>().value(0));
    assert_eq!(ints, [2, 2, 2, 1]);
    let shares = [4, 6].map(|column| found.column(column).as_primitive::<Float64Type>().value(0));
    assert_eq!(shares, [2.0 / 3.0, 0.5]);
    assert_eq!(counts.table(0).unwrap().num_rows(), 0);
    let none = Paths::default().with_target("absent").unwrap().follow(&[shop()]).unwrap();
    assert_eq!((none.with_path(), none.table(9).unwrap().num_rows()), (0, 0));
}

#[test]
fn paths_that_make_no_sense_are_refused() {
    let said = |result: Result<Paths, SessionizeError>| result.unwrap_err().to_string();
    assert_eq!(said(Paths::new(0)), "the paths have up to 0 steps, expected 1 to 32: 5 are usual");
    assert!(Paths::new(MAX_PATH_STEPS).is_ok() && Paths::new(MAX_PATH_STEPS + 1).is_err());
    assert!(
        said(Paths::default().with_target(" ")).starts_with("the event type that paths end with is blank")
    );
    assert!(
        said(Paths::default().with_session_rule(SessionRule::source()))
            .starts_with("paths cut sessions by times")
    );
    let limit = Paths::new(2).unwrap().with_max_paths(NonZeroUsize::MIN);
    assert_eq!(
        limit.follow(&[shop()]).unwrap_err().to_string(),
        "there are more than 1 different paths of up to 2 steps, which is as many as may be kept: follow fewer steps, \
         take repeated event types as one step, or allow more memory"
    );
    let mut one = Paths::default().follow(&[shop()]).unwrap();
    let other = Paths::new(4).unwrap().follow(&[shop()]).unwrap();
    assert!(matches!(one.merge(&other), Err(SessionizeError::OtherPaths)));
    assert!(matches!(
        Paths::default().follow(&[]),
        Err(SessionizeError::Core(CoreError::MissingColumn { column: column::USER_ID }))
    ));
    let back = Shape::FULL.batch(&[of(1, &[(5, 1)]), of(1, &[(4, 1)])].concat());
    let error = Paths::default().follow(&split(&back, &[1])).unwrap_err().to_string();
    assert!(error.starts_with("row 1 comes before the row above"), "{error}");
}
