//! From events to histories, against a plain oracle.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use cip_core::{CoreError, Id, IdColumn, MICROS_PER_DAY, Timestamp};
use cip_rfm::RfmError;
use cip_rfm::lifetime::{FirstPurchase, Forecast, HistoryTable, PurchaseDays, RepeatHistory, TimeUnit};
use proptest::option;
use proptest::prelude::*;

use crate::events::{CANCELLATION, Event, PURCHASE, Shape, TYPES, split};

const UNTIL: i64 = 5 * MICROS_PER_DAY;
const HOLD_OUT: i64 = 9 * MICROS_PER_DAY;

fn event() -> impl Strategy<Value = Event> {
    // Around midnights, around the end and around that of the hold-out.
    let time = (-8i64..11, -1i64..2).prop_map(|(day, off)| day * MICROS_PER_DAY + off);
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

fn shape() -> impl Strategy<Value = Shape> {
    (any::<bool>(), any::<bool>()).prop_map(|(text_users, quantities)| Shape {
        text_users,
        quantities,
        ..Shape::FULL
    })
}

/// User, frequency, recency and T in days, mean spend, purchases held out.
type Row = (Id, i64, f64, f64, Option<f64>, i64);

fn oracle(shape: Shape, first: FirstPurchase, events: &[Event]) -> Vec<Row> {
    let mut users: BTreeMap<Id, Vec<&Event>> = BTreeMap::new();
    for event in events.iter().filter(|event| TYPES[event.kind as usize] == "purchase") {
        if let Some(user) = event.user {
            users.entry(shape.user(user)).or_default().push(event);
        }
    }
    let day = |event: &&Event| event.time.div_euclid(MICROS_PER_DAY);
    let row = |(user, events): (Id, Vec<&Event>)| {
        let known: Vec<&Event> = events.iter().copied().filter(|event| event.time < UNTIL).collect();
        let days: BTreeSet<i64> = known.iter().map(day).collect();
        let (start, end) = (*days.first()?, *days.last()?);
        let counted = |event: &&&Event| first == FirstPurchase::Include || day(event) > start;
        let pieces = |event: &&Event| if shape.quantities { event.quantity.unwrap() } else { 1 };
        let cents: i64 =
            known.iter().filter(counted).map(|event| event.price.unwrap_or(0) * pieces(event)).sum();
        let transactions = days.len() - usize::from(first == FirstPurchase::Exclude);
        let mean = (transactions > 0 && cents > 0).then(|| cents as f64 / 100.0 / transactions as f64);
        let later: BTreeSet<i64> =
            events.iter().filter(|event| event.time >= UNTIL && event.time < HOLD_OUT).map(day).collect();
        let age = UNTIL / MICROS_PER_DAY - 1 - start;
        Some((user, days.len() as i64 - 1, (end - start) as f64, age as f64, mean, later.len() as i64))
    };
    users.into_iter().filter_map(row).collect()
}

fn rows(table: &HistoryTable<RepeatHistory>) -> Vec<Row> {
    let batch = table.record_batch(&vec![Forecast::default(); table.len()]).unwrap();
    let users = IdColumn::try_new("user_id", batch.column(0)).unwrap();
    let integers = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone();
    let numbers = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().clone();
    let (frequency, held_out) = (integers("frequency"), integers("holdout_frequency"));
    let (recency, age, monetary) = (numbers("recency"), numbers("T"), numbers("monetary_value"));
    (0..batch.num_rows())
        .map(|row| {
            let user = users.get(row).unwrap().to_owned();
            let mean = monetary.iter().nth(row).unwrap();
            (user, frequency.value(row), recency.value(row), age.value(row), mean, held_out.value(row))
        })
        .collect()
}

fn days(shape: Shape) -> PurchaseDays {
    let schema = shape.batch(&[]).schema().clone();
    let days = PurchaseDays::new(Timestamp::from_micros(UNTIL), &schema).unwrap();
    days.with_hold_out(Timestamp::from_micros(HOLD_OUT)).unwrap()
}

proptest! {
    #[test]
    fn the_histories_equal_the_oracle_however_they_come(
        events in proptest::collection::vec(event(), 0..120),
        shape in shape(),
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
        first in prop::sample::select(&[FirstPurchase::Exclude, FirstPurchase::Include]),
    ) {
        let sorted = shape.sorted(&events);
        let days = days(shape);
        let mut builder = days.builder();
        for batch in split(&sorted, &cuts) {
            builder.push(&batch).unwrap();
        }
        let histories = builder.finish().unwrap();
        let nobody = events.iter().filter(|event| event.user.is_none()).count();
        prop_assert_eq!(histories.skipped_events(), nobody as u64);
        let table = histories.table(TimeUnit::Day, first).unwrap();
        let expected = oracle(shape, first, &events);
        prop_assert_eq!(&rows(&table), &expected);

        // Ranges of users append to the same.
        let users = sorted.users().unwrap().clone();
        let mut whole = days.builder().finish().unwrap();
        for (_, range) in users.runs() {
            let mut part = days.builder();
            part.push(&sorted.slice(range.start, range.len())).unwrap();
            whole.append(part.finish().unwrap()).unwrap();
        }
        prop_assert_eq!(&rows(&whole.table(TimeUnit::Day, first).unwrap()), &expected);
    }
}

#[test]
fn purchases_of_one_day_are_one_and_weeks_have_seven_days() {
    let at = |day: i64, hour: i64| Event {
        time: day * MICROS_PER_DAY + hour * MICROS_PER_DAY / 24,
        ..Event::on(0, 1, PURCHASE)
    };
    let events =
        [at(-30, 1), at(-30, 23), at(-2, 3), at(-2, 4), at(-2, 5), Event::on(4, 1, CANCELLATION), at(6, 1)];
    let mut builder = days(Shape::FULL).builder();
    builder.push(&Shape::FULL.batch(&events)).unwrap();
    let table = builder.finish().unwrap().table(TimeUnit::Week, FirstPurchase::Exclude).unwrap();
    // Three pieces of 1.00 on one day; the last day that is observed is that before the end.
    assert_eq!(rows(&table), [(Id::Int64(1), 1, 4.0, 34.0 / 7.0, Some(3.0), 1)]);
}

#[test]
fn what_cannot_be_combined_or_held_out_is_refused() {
    let days = days(Shape::FULL);
    let part = |days: &PurchaseDays, user| {
        let mut builder = days.builder();
        builder.push(&Shape::FULL.batch(&[Event::on(1, user, PURCHASE)])).unwrap();
        builder.finish().unwrap()
    };
    let mut whole = part(&days, 5);
    assert!(matches!(whole.append(part(&days, 5)), Err(RfmError::PartsOverlap { .. })));
    let schema = Shape::FULL.batch(&[]).schema().clone();
    let other = PurchaseDays::new(Timestamp::from_micros(UNTIL), &schema).unwrap();
    assert!(matches!(whole.append(part(&other, 6)), Err(RfmError::PartsDiffer)));
    let error = other.with_hold_out(Timestamp::from_micros(UNTIL)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the hold-out ends at 1970-01-06, expected a day at least behind the calibration, which ends at 1970-01-06"
    );
    let mut builder = days.builder();
    let back = Shape::FULL.batch(&[Event::on(1, 2, PURCHASE), Event::on(1, 1, PURCHASE)]);
    let error = builder.push(&back).unwrap_err();
    assert!(matches!(error, RfmError::Core(CoreError::NotSorted { row: 1 })), "{error}");
    let table = whole.table(TimeUnit::Day, FirstPurchase::Exclude).unwrap();
    let error = table.record_batch(&[]).unwrap_err();
    assert_eq!(error.to_string(), "there are 0 forecasts for 1 customers, expected one each");
    assert!(table.clone().with_weights(vec![0.0]).is_err() && table.with_spend(vec![]).is_err());
}

#[test]
fn sums_beyond_38_digits_are_refused() {
    let dear = Event { price: Some(i64::MAX), quantity: Some(i64::MAX), ..Event::on(1, 1, PURCHASE) };
    for copies in [2, 3] {
        let mut builder = days(Shape::FULL).builder();
        let pushed = builder.push(&Shape::FULL.batch(&vec![dear.clone(); copies]));
        let error = pushed.and_then(|()| builder.finish().map(drop)).unwrap_err();
        assert_eq!(error.to_string(), "the sum of `price` exceeds 38 digits: check the amounts");
    }
}
