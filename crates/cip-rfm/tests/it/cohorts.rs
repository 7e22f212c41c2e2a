//! Cohorts against a plain oracle, and their masks and means.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type};
use cip_core::{MICROS_PER_DAY, Timestamp, table};
use cip_rfm::{CohortPeriod, CohortTable, Cohorts, Returns, RfmError};
use proptest::option;
use proptest::prelude::*;

use crate::events::{CANCELLATION, Event, PURCHASE, Shape, TYPES, split};

/// In December 1969 and the first half of 1970.
fn event() -> impl Strategy<Value = Event> {
    let time = (-31i64..150, -1i64..2).prop_map(|(day, off)| day * MICROS_PER_DAY + off);
    (
        option::weighted(0.9, -6i64..6),
        time,
        1..TYPES.len() as i32,
        option::weighted(0.9, -200i64..900),
        0i64..4,
    )
        .prop_map(|(user, time, kind, price, quantity)| Event {
            user,
            time,
            kind,
            price,
            quantity: Some(quantity),
            order: None,
        })
}

/// The first days of the periods that lie around.
fn starts(by: CohortPeriod) -> Vec<i64> {
    match by {
        CohortPeriod::Week => (-10..40).map(|week| 4 + 7 * week).collect(),
        CohortPeriod::Month => [30, 31, 31, 28, 31, 30, 31].iter().fold(vec![-61], |mut days, length| {
            days.push(days[days.len() - 1] + length);
            days
        }),
    }
}

/// Cohort, period, customers, and where it is over active customers, revenue and revenue so far.
type Row = (i64, i32, i64, Option<(i64, i128, i128)>);

fn oracle(by: CohortPeriod, as_of: i64, returns: Returns, events: &[Event]) -> Vec<Row> {
    let starts = starts(by);
    let period = |time: i64| starts.iter().rposition(|start| start * MICROS_PER_DAY <= time).unwrap();
    let mut users: BTreeMap<i64, Vec<&Event>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.time < as_of) {
        if let Some(user) = event.user {
            users.entry(user).or_default().push(event);
        }
    }
    let is = |event: &Event, name: &str| TYPES[event.kind as usize] == name;
    let first =
        |events: &[&Event]| events.iter().filter(|event| is(event, "purchase")).map(|event| event.time).min();
    let amount = |event: &Event, first: i64| {
        let amount = i128::from(event.price.unwrap_or(0) * event.quantity.unwrap());
        let taken_back = returns == Returns::Net && event.time >= first;
        if is(event, "purchase") {
            amount
        } else if is(event, "cancellation") && taken_back {
            -amount
        } else {
            0
        }
    };
    let cohorts: BTreeSet<usize> = users.values().filter_map(|events| Some(period(first(events)?))).collect();
    let mut rows = Vec::new();
    for cohort in cohorts {
        let own: Vec<_> = users
            .values()
            .filter_map(|events| Some((first(events)?, events)))
            .filter(|(first, _)| period(*first) == cohort)
            .collect();
        let mut so_far = 0;
        for at in (cohort..starts.len() - 1).take_while(|&at| starts[at] * MICROS_PER_DAY < as_of) {
            let here = |event: &&&Event| period(event.time) == at;
            let active = own
                .iter()
                .filter(|(_, events)| events.iter().filter(here).any(|event| is(event, "purchase")))
                .count();
            let revenue: i128 = own
                .iter()
                .map(|(first, events)| {
                    events.iter().filter(here).map(|event| amount(event, *first)).sum::<i128>()
                })
                .sum();
            so_far += revenue;
            let is_over = starts[at + 1] * MICROS_PER_DAY <= as_of;
            let cell = is_over.then_some((active as i64, revenue, so_far));
            rows.push((starts[cohort], (at - cohort) as i32, own.len() as i64, cell));
        }
    }
    rows
}

fn rows(cohorts: &CohortTable) -> Vec<Row> {
    let batch = cohorts.record_batch().unwrap();
    assert_eq!(batch.schema(), table::cohorts(cohorts.money_scale()));
    let money = |at: usize, row: usize| batch.column(at).as_primitive::<Decimal128Type>().value(row);
    (0..batch.num_rows())
        .map(|row| {
            let customers = batch.column(2).as_primitive::<Int64Type>().value(row);
            let active = batch.column(3).as_primitive::<Int64Type>();
            let cell = active.is_valid(row).then(|| (active.value(row), money(5, row), money(6, row)));
            for (ratio, expected) in
                [(4, cell.map(|cell| cell.0 as f64)), (7, cell.map(|cell| cell.2 as f64 / 100.0))]
            {
                let found = batch.column(ratio).as_primitive::<Float64Type>();
                assert_eq!(found.is_valid(row), expected.is_some());
                assert!(expected.is_none_or(|sum| found.value(row) == sum / customers as f64));
            }
            let cohort = batch.column(0).as_primitive::<Date32Type>().value(row);
            (i64::from(cohort), batch.column(1).as_primitive::<Int32Type>().value(row), customers, cell)
        })
        .collect()
}

fn cohorts(by: CohortPeriod, as_of: i64, returns: Returns) -> Cohorts {
    let schema = Shape::FULL.batch(&[]).schema().clone();
    Cohorts::new(by, Timestamp::from_micros(as_of), &schema).unwrap().with_returns(returns)
}

proptest! {
    #[test]
    fn the_table_equals_the_oracle_however_events_come(
        events in proptest::collection::vec(event(), 0..120),
        by in prop::sample::select(&[CohortPeriod::Week, CohortPeriod::Month]),
        returns in prop::sample::select(&[Returns::Exclude, Returns::Net]),
        // The first of May is day 120.
        as_of in (100i64..125, -1i64..2).prop_map(|(day, off)| day * MICROS_PER_DAY + off),
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
    ) {
        let sorted = Shape::FULL.sorted(&events);
        let cohorts = cohorts(by, as_of, returns);
        let mut builder = cohorts.builder();
        for batch in split(&sorted, &cuts) {
            builder.push(&batch).unwrap();
        }
        let found = builder.finish().unwrap();
        let expected = oracle(by, as_of, returns, &events);
        prop_assert_eq!(&rows(&found), &expected);

        // Users in any order of parts merge to the same.
        let mut whole = cohorts.builder();
        let users: Vec<_> = sorted.users().unwrap().runs().map(|(_, range)| range).collect();
        for range in users.into_iter().rev() {
            let mut part = cohorts.builder();
            part.push(&sorted.slice(range.start, range.len())).unwrap();
            whole.merge(part).unwrap();
        }
        prop_assert_eq!(&whole.finish().unwrap(), &found);

        // Each mean is over the cohorts of which the period is over, by their customers.
        for (period, mean) in (0..).zip(found.means()) {
            let over = expected.iter().filter(|row| row.1 == period).filter_map(|row| Some((row.2, row.3?)));
            let over: Vec<_> = over.collect();
            let customers: i64 = over.iter().map(|row| row.0).sum();
            prop_assert_eq!((mean.cohorts, mean.customers), (over.len() as u64, customers as u64));
            let active: i64 = over.iter().map(|row| row.1.0).sum();
            prop_assert_eq!(mean.retention, active as f64 / customers as f64);
            let revenue: i128 = over.iter().map(|row| row.1.2).sum();
            prop_assert!((mean.value - revenue as f64 / 100.0 / customers as f64).abs() < 1e-9);
        }
    }
}

#[test]
fn a_period_that_is_not_over_says_nothing() {
    // 1970-01-05 is a Monday.
    let events = [Event::on(4, 1, PURCHASE), Event::on(12, 1, PURCHASE), Event::on(12, 2, PURCHASE)];
    let found = |as_of: i64| {
        let mut builder = cohorts(CohortPeriod::Week, as_of, Returns::Exclude).builder();
        builder.push(&Shape::FULL.batch(&events)).unwrap();
        rows(&builder.finish().unwrap())
    };
    let monday = 18 * MICROS_PER_DAY;
    let over =
        [(4, 0, 1, Some((1, 100, 100))), (4, 1, 1, Some((1, 100, 200))), (11, 0, 1, Some((1, 100, 100)))];
    assert_eq!(found(monday), over);
    let mut open = over;
    (open[1].3, open[2].3) = (None, None);
    assert_eq!(found(monday - 1), open);
    assert_eq!(found(monday + 1).len(), 5, "the next week has begun");
    assert_eq!(found(4 * MICROS_PER_DAY), []);
}

#[test]
fn parts_must_mean_the_same_and_users_ascend() {
    let month = cohorts(CohortPeriod::Month, 0, Returns::Exclude).builder();
    let week = cohorts(CohortPeriod::Week, 0, Returns::Exclude);
    assert!(matches!(week.builder().merge(month), Err(RfmError::PartsDiffer)));
    let back = Shape::FULL.batch(&[Event::on(-9, 2, PURCHASE), Event::on(-9, 1, CANCELLATION)]);
    assert!(week.builder().push(&back).unwrap_err().to_string().starts_with("row 1 comes before"));
    let dear = Event { price: Some(i64::MAX), quantity: Some(i64::MAX), ..Event::on(-9, 1, PURCHASE) };
    let mut builder = week.builder();
    let pushed = builder.push(&Shape::FULL.batch(&[dear.clone(), dear.clone(), dear]));
    let error = pushed.and_then(|()| builder.finish().map(drop)).unwrap_err();
    assert_eq!(error.to_string(), "the sum of `price` exceeds 38 digits: check the amounts");
}
