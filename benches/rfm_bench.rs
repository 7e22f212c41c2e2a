//! RFM of five million customers in memory: adding up what they bought, scoring them, and adding a day to what is kept.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use std::hint::black_box;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use cip::core::{EventBatch, MICROS_PER_DAY, Timestamp};
use cip::rfm::{CustomerTable, IncrementalRfm, Keeping, Quantiles, Rfm, Scoring, Ties};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const CUSTOMERS: i64 = 5_000_000;
/// Rows of a batch of a store.
const BATCH: i64 = 16_384;
const DAYS: i64 = 365;

/// Mixes a number so that what is made of it looks random (SplitMix64).
fn mixed(number: i64) -> u64 {
    let mut mixed = number.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Purchases of these users on some day of a year, two each on average, in batches as a store gives them.
fn purchases(users: impl Iterator<Item = i64>) -> Vec<EventBatch> {
    let rows = users.flat_map(|user| {
        let orders = 1 + mixed(user) % 3;
        (0..orders.cast_signed()).map(move |order| (user, mixed(4 * user + order + 1)))
    });
    let rows: Vec<(i64, u64)> = rows.collect();
    let batch = |rows: &[(i64, u64)]| {
        let types = DictionaryArray::<Int32Type>::new(
            Int32Array::from_value(0, rows.len()),
            Arc::new(StringArray::from(vec!["purchase"])),
        );
        let day = |noise: u64| (noise % DAYS.cast_unsigned()).cast_signed() * MICROS_PER_DAY;
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|(_, noise)| day(*noise)));
        let prices = Decimal128Array::from_iter_values(
            rows.iter().map(|(_, noise)| i128::from(100 + (noise >> 32) % 50_000)),
        );
        let columns: [(&str, ArrayRef); 4] = [
            ("user_id", Arc::new(Int64Array::from_iter_values(rows.iter().map(|(user, _)| *user)))),
            ("event_time", Arc::new(times.with_timezone("UTC"))),
            ("event_type", Arc::new(types)),
            ("price", Arc::new(prices.with_precision_and_scale(18, 2).unwrap())),
        ];
        EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
    };
    rows.chunks(BATCH as usize).map(batch).collect()
}

fn customers(rfm: &Rfm, batches: &[EventBatch]) -> CustomerTable {
    let mut customers = rfm.customers();
    batches.iter().for_each(|events| customers.push(events).unwrap());
    customers.finish().unwrap()
}

fn rfm(criterion: &mut Criterion) {
    let batches = purchases(0..CUSTOMERS);
    let rfm = Rfm::new(Timestamp::from_micros(DAYS * MICROS_PER_DAY), batches[0].schema()).unwrap();
    let mut group = criterion.benchmark_group("rfm");
    group.sample_size(10).throughput(Throughput::Elements(CUSTOMERS.cast_unsigned()));
    let id = |what: &str| BenchmarkId::new(what, "customers=5e6");

    // Events to customers: ten million purchases.
    group.bench_function(id("customers"), |bencher| {
        bencher.iter(|| black_box(customers(&rfm, &batches).len()));
    });
    // Customers to scores and segments.
    let together = Scoring::Quantiles(Quantiles::new(5, Ties::Together).unwrap());
    for (name, scoring) in
        [("score-default", Scoring::Default), ("score-ntile", Scoring::Ntile), ("score-together", together)]
    {
        let rfm = rfm.clone().with_scoring(scoring);
        group.bench_function(id(name), |bencher| {
            bencher.iter_batched(
                || customers(&rfm, &batches),
                |customers| black_box(rfm.score(customers).unwrap()),
                BatchSize::PerIteration,
            );
        });
    }
    // A day of one customer in a hundred, added to what is kept of all.
    let mut kept = IncrementalRfm::new(&rfm, Keeping::Sums);
    batches.iter().for_each(|events| kept.push(events).unwrap());
    let day = purchases((0..CUSTOMERS).step_by(100));
    group.throughput(Throughput::Elements((CUSTOMERS / 100).cast_unsigned()));
    group.bench_function(id("push-one-in-100"), |bencher| {
        bencher.iter(|| day.iter().for_each(|events| kept.push(events).unwrap()));
    });
    group.finish();
}

criterion_group!(benches, rfm);
criterion_main!(benches);
