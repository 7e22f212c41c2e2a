//! Rows of events as plain values, and as batches.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use cip_core::{EventBatch, Id, MICROS_PER_DAY};

/// The event types of tests; the first is a value that no row uses, and one stands twice.
pub(crate) const TYPES: [&str; 5] = ["unused", "view", "purchase", "cancellation", "purchase"];
pub(crate) const PURCHASE: i32 = 2;
pub(crate) const CANCELLATION: i32 = 3;

#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) user: Option<i64>,
    pub(crate) time: i64,
    /// Position in [`TYPES`].
    pub(crate) kind: i32,
    pub(crate) price: Option<i64>,
    pub(crate) quantity: Option<i64>,
    pub(crate) order: Option<i64>,
}

impl Event {
    /// One piece for 1.00 at the first instant of a day.
    pub(crate) fn on(day: i64, user: i64, kind: i32) -> Self {
        let time = day * MICROS_PER_DAY;
        Self { user: Some(user), time, kind, price: Some(100), quantity: Some(1), order: None }
    }
}

/// Which columns there are, and of what types.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) text_users: bool,
    pub(crate) quantities: bool,
    /// Absent, integers or text.
    pub(crate) orders: Option<bool>,
}

impl Shape {
    pub(crate) const FULL: Self = Self { text_users: false, quantities: true, orders: Some(false) };

    pub(crate) fn user(self, user: i64) -> Id {
        if self.text_users { Id::Utf8(text(user).into()) } else { Id::Int64(user) }
    }

    pub(crate) fn batch(self, events: &[Event]) -> EventBatch {
        let keys: Int32Array = events.iter().map(|event| event.kind).collect();
        let types = DictionaryArray::<Int32Type>::new(keys, Arc::new(StringArray::from(TYPES.to_vec())));
        let times = TimestampMicrosecondArray::from_iter_values(events.iter().map(|event| event.time));
        let prices: Decimal128Array = events.iter().map(|event| event.price.map(i128::from)).collect();
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("price", Arc::new(prices.with_precision_and_scale(18, 2).unwrap())),
            ("event_type", Arc::new(types)),
            ("user_id", ids(self.text_users, events.iter().map(|event| event.user))),
            ("event_time", Arc::new(times.with_timezone("UTC"))),
            ("note", Arc::new(Int32Array::from(vec![0; events.len()]))),
        ];
        if self.quantities {
            let quantities: Int64Array = events.iter().map(|event| event.quantity).collect();
            columns.push(("quantity", Arc::new(quantities)));
        }
        if let Some(text) = self.orders {
            columns.push(("order_id", ids(text, events.iter().map(|event| event.order))));
        }
        EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
    }

    /// Sorted as the store has them.
    pub(crate) fn sorted(self, events: &[Event]) -> EventBatch {
        EventBatch::sorted(&[self.batch(events)]).unwrap()
    }
}

/// Cuts a batch at the given rows, in slices that share its memory.
pub(crate) fn split(batch: &EventBatch, cuts: &[usize]) -> Vec<EventBatch> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (batch.len() + 1)).collect();
    cuts.extend([0, batch.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|rows| batch.slice(rows[0], rows[1] - rows[0])).collect()
}

fn ids(as_text: bool, ids: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    if as_text {
        Arc::new(ids.map(|id| id.map(text)).collect::<StringArray>())
    } else {
        Arc::new(ids.collect::<Int64Array>())
    }
}

/// Of several lengths; the order of the texts is not that of the numbers.
fn text(id: i64) -> String {
    if id == 0 { String::new() } else { format!("id {id} é") }
}
