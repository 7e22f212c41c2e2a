//! Funnels against the plain oracle, and at their edges.

use std::time::Duration;

use arrow_array::RecordBatch;
use cip_core::{CoreError, EventBatch, Timestamp, column, table};
use cip_sessionize::{
    FUNNEL_COLUMNS, Funnel, FunnelMode, FunnelScope, FunnelTotals, SessionRule, SessionizeError, StepOrder,
    window_funnel,
};
use proptest::option;
use proptest::prelude::*;

use crate::events::{Event, Shape, TYPES, split};
use crate::funnel_oracle::{Plan, Row, oracle, rows};

const TICK: i64 = 500_000;

fn event() -> impl Strategy<Value = Event> {
    // Few users and coarse times, so that times tie and windows end exactly at events. Views and carts come most.
    let kind =
        prop_oneof![4 => Just(1), 4 => Just(2), 3 => Just(4), 1 => Just(3), 1 => 5..TYPES.len() as i32];
    (option::weighted(0.9, -2i64..2), -10i64..14, kind).prop_map(|(user, tick, kind)| Event {
        user,
        time: tick * TICK,
        kind,
        product: None,
        price: None,
        quantity: None,
    })
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(event(), 0..40)
}

fn plan() -> impl Strategy<Value = Plan> {
    let steps = prop_oneof![
        3 => Just(vec!["view", "cart", "purchase"]),
        1 => Just(vec!["cart", "view"]),
        1 => Just(vec!["view", "remove_from_cart", "cart", "purchase"]),
        1 => Just(vec!["view", "view", "cart"]),
        1 => Just(vec!["cart", "view", "cart", "view"]),
        1 => Just(vec!["view", "absent", "cart"]),
    ];
    (steps, 1i64..16, any::<bool>(), any::<bool>(), 1i64..8).prop_map(
        |(steps, window, any, session, pause)| {
            let repeated = steps.iter().enumerate().any(|(place, step)| steps[..place].contains(step));
            Plan {
                steps,
                within: window * TICK,
                order: if any && !repeated { StepOrder::Any } else { StepOrder::Strict },
                scope: if session { FunnelScope::Session } else { FunnelScope::User },
                timeout: pause * TICK,
            }
        },
    )
}

fn micros(time: i64) -> Duration {
    Duration::from_micros(time.unsigned_abs())
}

fn funnel(plan: &Plan) -> Funnel {
    Funnel::new(plan.steps.iter().copied(), micros(plan.within))
        .unwrap()
        .with_order(plan.order)
        .unwrap()
        .with_scope(plan.scope)
        .with_session_rule(SessionRule::new(micros(plan.timeout)).unwrap())
        .unwrap()
}

fn text_or_not(text_users: bool) -> Shape {
    Shape { text_users, products: None, prices: false, quantities: false }
}

/// Pushes batch by batch.
fn stream(funnel: &Funnel, batches: &[EventBatch]) -> (Vec<RecordBatch>, FunnelTotals) {
    let mut builder = funnel.builder(batches[0].schema()).unwrap();
    let mut tables: Vec<_> = batches.iter().map(|batch| builder.push(batch).unwrap()).collect();
    let (last, totals) = builder.finish().unwrap();
    tables.push(last);
    (tables, totals)
}

/// Compares totals with those of the rows, in the plainest way.
fn check_totals(totals: &FunnelTotals, rows: &[Row], events: &[Event]) {
    for step in totals.steps() {
        let came = |count: usize| rows.iter().filter(|row| row.seconds.len() >= count).collect::<Vec<_>>();
        let (here, first) = (came(step.step), came(1));
        assert_eq!(step.users, here.len() as u64);
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        assert_eq!(step.from_first, share(here.len(), first.len()));
        if step.step == 1 {
            assert_eq!(
                (step.lost, step.drop_off, step.median_seconds, step.mean_seconds),
                (None, None, None, None)
            );
            continue;
        }
        let before = came(step.step - 1).len();
        assert_eq!(step.from_previous, share(here.len(), before));
        assert_eq!(
            (step.lost, step.drop_off),
            (Some((before - here.len()) as u64), share(before - here.len(), before))
        );
        let mut took: Vec<i64> =
            here.iter().map(|row| row.seconds[step.step - 1] - row.seconds[step.step - 2]).collect();
        took.sort_unstable();
        let middle =
            (!took.is_empty()).then(|| (took[(took.len() - 1) / 2] + took[took.len() / 2]) as f64 / 2.0);
        assert_eq!(step.median_seconds, middle);
        assert_eq!(step.mean_seconds, share(took.iter().sum::<i64>() as usize, took.len()));
    }
    let mut users: Vec<_> = events.iter().filter_map(|event| event.user).collect();
    users.sort_unstable();
    users.dedup();
    assert_eq!(totals.users(), users.len() as u64);
    assert_eq!(totals.skipped_events(), events.iter().filter(|event| event.user.is_none()).count() as u64);
    let mut types: Vec<_> = events.iter().map(|event| TYPES[event.kind as usize]).collect();
    types.sort_unstable();
    types.dedup();
    assert!(totals.event_types().eq(types));
}

proptest! {
    #[test]
    fn the_funnel_is_that_of_all_chains(events in events(), plan in plan(), text in any::<bool>()) {
        let shape = text_or_not(text);
        let sorted = shape.sorted(&events);
        let (table, totals) = funnel(&plan).follow(std::slice::from_ref(&sorted)).unwrap();
        let schema = table::funnel(sorted.schema().user_type().unwrap(), plan.steps.len());
        prop_assert_eq!(table.schema(), schema);
        let (expected, carts) = oracle(&plan, shape, &events);
        prop_assert_eq!(rows(&[table]), expected.clone());
        check_totals(&totals, &expected, &events);
        let days: Vec<_> = totals
            .abandonment()
            .days()
            .map(|(day, count)| (i64::from(day.day()), count.cart_sessions, count.abandoned))
            .collect();
        prop_assert_eq!(days, carts);
    }

    #[test]
    fn any_split_into_batches_gives_the_same_funnel(
        events in events(),
        plan in plan(),
        text in any::<bool>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..10),
    ) {
        let (funnel, sorted) = (funnel(&plan), text_or_not(text).sorted(&events));
        let batches = split(&sorted, &cuts);
        let (whole, totals) = funnel.follow(&[sorted]).unwrap();
        let (tables, parts) = stream(&funnel, &batches);
        prop_assert_eq!(arrow_select::concat::concat_batches(&whole.schema(), &tables).unwrap(), whole);
        prop_assert_eq!(parts, totals);
    }

    #[test]
    fn parts_by_user_add_up(events in events(), plan in plan(), text in any::<bool>(), border in -2i64..2) {
        let (funnel, shape) = (funnel(&plan), text_or_not(text));
        let (whole, totals) = funnel.follow(&[shape.sorted(&events)]).unwrap();
        let (low, high): (Vec<_>, Vec<_>) = events
            .into_iter()
            .partition(|event| event.user.is_some_and(|user| shape.user(user) < shape.user(border)));
        let parts = [low, high].map(|part| funnel.follow(&[shape.sorted(&part)]).unwrap());
        let [(first, mut sum), (second, rest)] = parts;
        prop_assert_eq!(arrow_select::concat::concat_batches(&whole.schema(), &[first, second]).unwrap(), whole);
        sum.merge(&rest).unwrap();
        prop_assert_eq!(sum, totals);
    }

    #[test]
    fn window_funnel_finds_the_longest_chain(events in events(), plan in plan()) {
        let plan = Plan { order: StepOrder::Strict, scope: FunnelScope::User, ..plan };
        for user in -2..2 {
            let mut own: Vec<_> = events.iter().filter(|event| event.user == Some(user)).cloned().collect();
            own.sort_by_key(|event| event.time);
            let (expected, _) = oracle(&plan, Shape::FULL, &own);
            let longest = expected.first().map_or(0, |row| row.seconds.len());
            let sequence: Vec<_> =
                own.iter().map(|event| (Timestamp::from_micros(event.time), TYPES[event.kind as usize])).collect();
            let reached = |mode| window_funnel(&sequence, &plan.steps, micros(plan.within), mode);
            prop_assert_eq!(reached(FunnelMode::Default), longest);
            for mode in [FunnelMode::StrictOrder, FunnelMode::StrictDeduplication, FunnelMode::StrictIncrease] {
                prop_assert!(reached(mode) <= longest, "{:?}", mode);
            }
            // Where no times tie, an increase is no restriction.
            let apart: Vec<_> = (0..)
                .zip(&sequence)
                .map(|(place, (time, name))| (Timestamp::from_micros(time.micros() * 100 + place), *name))
                .collect();
            let within = micros(plan.within) * 100;
            prop_assert_eq!(
                window_funnel(&apart, &plan.steps, within, FunnelMode::StrictIncrease),
                window_funnel(&apart, &plan.steps, within, FunnelMode::Default)
            );
        }
    }

    #[test]
    fn strict_increase_is_the_longest_of_all_chains_that_increase(events in events(), plan in plan()) {
        fn longest(steps: &[&str], events: &[(i64, &str)], limit: i64, after: i64) -> usize {
            let Some((step, later)) = steps.split_first() else { return 0 };
            let next = events.iter().enumerate().filter(|(_, event)| {
                event.1 == *step && event.0 > after && event.0 <= limit
            });
            next.map(|(place, event)| 1 + longest(later, &events[place + 1..], limit, event.0)).max().unwrap_or(0)
        }
        let mut own: Vec<_> =
            events.iter().map(|event| (event.time, TYPES[event.kind as usize])).take(16).collect();
        own.sort_by_key(|event| event.0);
        let starts = own.iter().enumerate().filter(|(_, event)| event.1 == plan.steps[0]);
        let expected = starts
            .map(|(place, event)| 1 + longest(&plan.steps[1..], &own[place + 1..], event.0 + plan.within, event.0))
            .max()
            .unwrap_or(0);
        let sequence: Vec<_> = own.iter().map(|event| (Timestamp::from_micros(event.0), event.1)).collect();
        let found = window_funnel(&sequence, &plan.steps, micros(plan.within), FunnelMode::StrictIncrease);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn the_first_row_out_of_order_is_named(
        events in proptest::collection::vec(event(), 1..12),
        text in any::<bool>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..4),
    ) {
        let shape = text_or_not(text);
        let key = |event: &Event| (event.user.is_none(), event.user.map(|user| shape.user(user)));
        let back = events.windows(2).position(|pair| {
            key(&pair[0]) > key(&pair[1])
                || (pair[0].user.is_some() && pair[0].user == pair[1].user && pair[0].time > pair[1].time)
        });
        let result = shop().follow(&split(&shape.batch(&events), &cuts));
        match back {
            None => prop_assert!(result.is_ok()),
            Some(above) => {
                let text = result.unwrap_err().to_string();
                prop_assert!(text.starts_with(&format!("row {} comes before the row above", above + 1)), "{}", text);
            }
        }
    }
}

fn shop() -> Funnel {
    Funnel::new(["view", "cart", "purchase"], Duration::from_secs(86_400)).unwrap()
}

fn one(user: Option<i64>, time: i64, kind: i32) -> Event {
    Event { user, time, kind, product: None, price: None, quantity: None }
}

#[test]
fn no_events_and_nobody_s_events_give_no_rows() {
    let shape = text_or_not(false);
    for events in [vec![], vec![one(None, 0, 1), one(None, -5, 2)]] {
        let (table, totals) = shop().follow(&[shape.batch(&events)]).unwrap();
        assert_eq!((table.num_rows(), table.num_columns(), totals.users()), (0, 5, 0));
        assert_eq!(totals.skipped_events(), events.len() as u64);
        assert!(totals.steps().all(|step| step.users == 0));
    }
}

#[test]
fn one_event_is_the_first_step_or_nothing() {
    let shape = text_or_not(true);
    let (table, totals) = shop().follow(&[shape.batch(&[one(Some(1), 7, 1), one(Some(2), 7, 2)])]).unwrap();
    let expected = [Row { user: shape.user(1), first: 7, seconds: vec![0] }];
    assert_eq!(rows(&[table]), expected);
    assert_eq!((totals.users(), totals.missing_types()), (2, vec!["purchase"]));
}

#[test]
fn the_window_ends_behind_the_event_at_its_limit() {
    let day = 86_400_000_000;
    for (late, reached) in [(0, 3), (1, 2)] {
        let events = [one(Some(1), -9, 1), one(Some(1), 0, 2), one(Some(1), day - 9 + late, 4)];
        let (table, _) = shop().follow(&[text_or_not(false).batch(&events)]).unwrap();
        assert_eq!(rows(&[table])[0].seconds.len(), reached, "{late}");
    }
}

#[test]
fn what_a_funnel_needs_is_named() {
    let full = Shape::FULL.batch(&[one(Some(1), 0, 1)]);
    for &missing in FUNNEL_COLUMNS {
        let rest: Vec<&str> = FUNNEL_COLUMNS.iter().copied().filter(|name| *name != missing).collect();
        let error = shop().builder(&full.schema().project(&rest)).unwrap_err();
        assert!(error.to_string().starts_with(&format!("column `{missing}` is missing")), "{error}");
    }
    let error = shop().follow(&[]).unwrap_err();
    assert!(matches!(error, SessionizeError::Core(CoreError::MissingColumn { column: column::USER_ID })));
    let text = Shape { text_users: true, ..Shape::FULL }.batch(&[one(Some(2), 0, 1)]);
    let error = shop().follow(&[full.clone(), text]).unwrap_err().to_string();
    assert!(error.starts_with("column `user_id` is Utf8, expected Int64"), "{error}");
    // More columns do no harm, and the columns that are read suffice.
    let read: Vec<usize> =
        FUNNEL_COLUMNS.iter().map(|name| full.schema().arrow().index_of(name).unwrap()).collect();
    let narrow = EventBatch::try_new(full.record_batch().project(&read).unwrap()).unwrap();
    assert_eq!(shop().follow(&[narrow]).unwrap(), shop().follow(&[full]).unwrap());
}

#[test]
fn one_user_with_endless_events_stays_linear() {
    const EVENTS: i64 = 300_000;
    for order in [StepOrder::Strict, StepOrder::Any] {
        let funnel = shop().with_order(order).unwrap();
        let mut builder = funnel.builder(Shape::FULL.batch(&[]).schema()).unwrap();
        for first in (0..EVENTS).step_by(30_000) {
            // Views and carts without a purchase.
            let events: Vec<_> =
                (first..first + 30_000).map(|n| one(Some(1), n * 1_000_000, 1 + (n % 2) as i32)).collect();
            assert_eq!(builder.push(&Shape::FULL.batch(&events)).unwrap().num_rows(), 0);
        }
        let (table, totals) = builder.finish().unwrap();
        assert_eq!(rows(&[table])[0].seconds, [0, 1]);
        assert_eq!(totals.abandonment().total().rate(), Some(1.0));
    }
}
