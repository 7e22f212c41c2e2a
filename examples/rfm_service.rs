//! Segments inside a service: its own record batches in, one row a customer out. No files, no store.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;
use std::sync::Arc;

use cip::arrow_array::types::Int32Type;
use cip::arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use cip::core::{EventBatch, Timestamp};
use cip::rfm::Rfm;

/// Orders as the service has them: (customer, day of November, amount in cents), in no order.
const ORDERS: [(&str, i64, i128); 7] = [
    ("ada", 28, 12_000),
    ("ben", 2, 1_950),
    ("ada", 12, 8_000),
    ("cyd", 21, 4_500),
    ("ada", 20, 9_900),
    ("dee", 9, 700),
    ("ben", 5, 2_050),
];

fn main() -> Result<(), Box<dyn Error>> {
    // Two batches, as they might arrive from a queue.
    let batches = [batch(&ORDERS[..4])?, batch(&ORDERS[4..])?];
    // The kernels want a user's events together; sorting is one call.
    let events = EventBatch::sorted(&batches)?;

    let as_of: Timestamp = "2019-12-01".parse()?;
    let scored = Rfm::new(as_of, events.schema())?.segment(&[events])?;
    let users = scored.record_batch().column(0);
    let users = users.as_any().downcast_ref::<StringArray>().ok_or("text ids in, text ids out")?;
    for (row, segment) in scored.segments().enumerate() {
        println!(
            "{:<4} last {:>2} days ago, {} orders, {:>6} spent: {segment}",
            users.value(row),
            scored.recency_days()[row],
            scored.frequency()[row],
            scored.money_scale().display(scored.monetary()[row]),
        );
    }
    Ok(())
}

fn batch(orders: &[(&str, i64, i128)]) -> Result<EventBatch, Box<dyn Error>> {
    let november: Timestamp = "2019-11-01".parse()?;
    let times = orders.iter().map(|(_, day, _)| november.micros() + (day - 1) * cip::core::MICROS_PER_DAY);
    let types: DictionaryArray<Int32Type> = orders.iter().map(|_| "purchase").collect();
    let prices = Decimal128Array::from_iter_values(orders.iter().map(|(_, _, cents)| *cents));
    let columns: [(&str, ArrayRef); 4] = [
        ("user_id", Arc::new(StringArray::from_iter_values(orders.iter().map(|(user, _, _)| *user)))),
        ("event_time", Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))),
        ("event_type", Arc::new(types)),
        ("price", Arc::new(prices.with_precision_and_scale(18, 2)?)),
    ];
    Ok(EventBatch::try_new(RecordBatch::try_from_iter(columns)?)?)
}
