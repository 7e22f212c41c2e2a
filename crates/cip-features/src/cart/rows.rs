//! Finished sessions with a cart, column by column, and the formulas of their features.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt8Array,
};
use arrow_schema::SchemaRef;
use cip_core::{CoreError, EventKind, IdBuilder, IdRef, MICROS_PER_DAY, column};

use super::CartSessions;
use super::session::{CartEvent, CartSession};
use crate::error::FeaturesError;

const MICROS_PER_SECOND: i64 = 1_000_000;
/// 1970-01-01 was a Thursday, the day behind three others of its week.
const WEEKDAY_OF_THE_EPOCH: i64 = 3;

/// Builds a table of sessions with a cart.
#[derive(Debug)]
pub(super) struct CartRows {
    schema: SchemaRef,
    /// What a price is divided by to be read by people: 10^scale.
    unit: f64,
    users: IdBuilder,
    starts: Vec<i64>,
    counts: [Vec<i64>; 7],
    numbers: [Vec<Option<f64>>; 5],
    earlier: [Vec<i64>; 3],
    days: [Vec<Option<f64>>; 2],
    groups: Vec<Vec<bool>>,
    labels: Vec<u8>,
}

impl CartRows {
    pub(super) fn new(spec: &CartSessions) -> Self {
        let decimals = spec.input().money_scale().map_or(0, |scale| scale.decimals());
        Self {
            schema: spec.schema(),
            unit: 10u64.pow(u32::from(decimals)) as f64,
            users: IdBuilder::new(spec.users()),
            starts: Vec::new(),
            counts: Default::default(),
            numbers: Default::default(),
            earlier: Default::default(),
            days: Default::default(),
            groups: vec![Vec::new(); spec.groups().len()],
            labels: Vec::new(),
        }
    }

    pub(super) fn append(&mut self, user: IdRef<'_>, session: &CartSession) -> Result<(), FeaturesError> {
        let CartSession { start, known, earlier, abandoned } = session;
        let of = |kind: EventKind| known.events().filter(move |event| event.kind == kind);
        let count = |kind| of(kind).count() as i64;
        let products: HashSet<u32> = known.events().filter_map(|event| event.product).collect();
        let moment = known.last_time();
        let day = moment.div_euclid(MICROS_PER_DAY);
        let counts = [
            count(EventKind::View),
            count(EventKind::Cart),
            count(EventKind::RemoveFromCart),
            products.len() as i64,
            moment.saturating_sub(*start) / MICROS_PER_SECOND,
            moment.rem_euclid(MICROS_PER_DAY) / (3_600 * MICROS_PER_SECOND),
            (day + WEEKDAY_OF_THE_EPOCH).rem_euclid(7),
        ];
        let (cart_value, carts) = self.sum(of(EventKind::Cart))?;
        let (viewed, views) = self.sum(of(EventKind::View))?;
        let last_cart = of(EventKind::Cart)
            .next_back()
            .and_then(|event| event.price)
            .map(|price| price as f64 / self.unit);
        let mean_viewed = (views > 0).then(|| viewed / views as f64);
        let ratio =
            last_cart.zip(mean_viewed).filter(|(_, mean)| *mean != 0.0).map(|(last, mean)| last / mean);
        let before_cart = known.before_cart().map(|micros| micros as f64 / MICROS_PER_SECOND as f64);
        let numbers = [(carts > 0).then_some(cart_value), last_cart, mean_viewed, ratio, before_cart];
        let since =
            |time: Option<i64>| time.map(|time| start.saturating_sub(time) as f64 / MICROS_PER_DAY as f64);

        self.users.append(Some(user))?;
        self.starts.push(*start);
        extend(&mut self.counts, counts);
        extend(&mut self.numbers, numbers);
        extend(&mut self.earlier, [earlier.sessions, earlier.carts, earlier.purchases]);
        extend(&mut self.days, [since(earlier.last_event), since(earlier.last_purchase)]);
        let group = known.events().find_map(|event| event.group);
        for (position, column) in (0..).zip(&mut self.groups) {
            column.push(group == Some(position));
        }
        self.labels.push(u8::from(*abandoned));
        Ok(())
    }

    /// The sum of the prices of some events, exact until it becomes a float, and how many there are.
    fn sum<'a>(&self, events: impl Iterator<Item = &'a CartEvent>) -> Result<(f64, i64), CoreError> {
        let (mut sum, mut count) = (0i128, 0);
        for price in events.filter_map(|event| event.price) {
            sum = sum.checked_add(price).ok_or(CoreError::MoneyOverflow { column: column::PRICE })?;
            count += 1;
        }
        Ok((sum as f64 / self.unit, count))
    }

    /// Returns the rows so far, and starts a new table.
    pub(super) fn take(&mut self) -> Result<RecordBatch, FeaturesError> {
        let whole = |values: &mut Vec<i64>| Arc::new(Int64Array::from(std::mem::take(values))) as ArrayRef;
        let number =
            |values: &mut Vec<Option<f64>>| Arc::new(Float64Array::from(std::mem::take(values))) as ArrayRef;
        let starts = TimestampMicrosecondArray::from(std::mem::take(&mut self.starts)).with_timezone("UTC");
        let mut columns: Vec<ArrayRef> = vec![self.users.finish(), Arc::new(starts)];
        columns.extend(self.counts.iter_mut().map(whole));
        columns.extend(self.numbers.iter_mut().map(number));
        columns.extend(self.earlier.iter_mut().map(whole));
        columns.extend(self.days.iter_mut().map(number));
        columns.extend(
            self.groups
                .iter_mut()
                .map(|group| Arc::new(BooleanArray::from(std::mem::take(group))) as ArrayRef),
        );
        columns.push(Arc::new(UInt8Array::from(std::mem::take(&mut self.labels))));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(CoreError::from)?)
    }
}

fn extend<T, const N: usize>(columns: &mut [Vec<T>; N], values: [T; N]) {
    for (column, value) in columns.iter_mut().zip(values) {
        column.push(value);
    }
}
