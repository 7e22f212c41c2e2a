//! The session kernel by the shape of its events: users, rows a batch, rules, and what it takes to bring rows into order.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use std::hint::black_box;
use std::time::Duration;

use cip::core::EventBatch;
use cip::sessionize::{Paths, SessionRule, Sessionizer};
use cip_benches::events::{Arrival, batches};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const EVENTS: usize = 1_000_000;

/// Rows of a batch of a store.
const BATCH: usize = 65_536;

/// The sessions of sorted batches, pushed one by one as a store streams them.
fn sessions(rule: &SessionRule, batches: &[EventBatch]) -> usize {
    let mut sessionizer = Sessionizer::new(rule.clone(), batches[0].schema()).unwrap();
    let rows: usize = batches.iter().map(|events| sessionizer.push(events).unwrap().num_rows()).sum();
    rows + sessionizer.finish().unwrap().num_rows()
}

/// 1e5 for 100,000.
fn short(number: usize) -> String {
    format!("{number:e}")
}

fn kernel(criterion: &mut Criterion) {
    let plain = SessionRule::default();
    let mut group = criterion.benchmark_group("sessions");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(3))
        .throughput(Throughput::Elements(EVENTS as u64));

    // As many events of ever more users: from 100,000 each to one each.
    for users in [10, 1_000, 10_000, 100_000, 1_000_000] {
        let events = batches(EVENTS, users, BATCH, Arrival::ByUser).unwrap();
        let id = BenchmarkId::new("kernel", format!("events=1e6/users={}", short(users)));
        group.bench_function(id, |bencher| bencher.iter(|| black_box(sessions(&plain, &events))));
    }
    // The same 100,000 users in smaller and larger batches: 10 users a batch to all of them.
    for rows in [100, 1_000, 10_000, EVENTS] {
        let events = batches(EVENTS, 100_000, rows, Arrival::ByUser).unwrap();
        let id =
            BenchmarkId::new("kernel", format!("events=1e6/users=1e5/users-per-batch={}", short(rows / 10)));
        group.bench_function(id, |bencher| bencher.iter(|| black_box(sessions(&plain, &events))));
    }
    // Other rules, and the paths, over the same events.
    let events = batches(EVENTS, 100_000, BATCH, Arrival::ByUser).unwrap();
    let cut = |midnight: &str| SessionRule::default().with_day_cut(midnight.parse().unwrap());
    for (name, rule) in [
        ("max-length", SessionRule::default().with_max_length(Duration::from_secs(3_600)).unwrap()),
        ("midnight-utc", cut("UTC")),
        ("midnight-zone", cut("Europe/Berlin")),
        ("cut-on-one", SessionRule::default().with_attribute_cut("event_type")),
        (
            "cut-on-two",
            SessionRule::default().with_attribute_cut("event_type").with_attribute_cut("product_id"),
        ),
    ] {
        let id = BenchmarkId::new(name, "events=1e6/users=1e5");
        group.bench_function(id, |bencher| bencher.iter(|| black_box(sessions(&rule, &events))));
    }
    group.bench_function(BenchmarkId::new("paths", "events=1e6/users=1e5"), |bencher| {
        bencher.iter(|| black_box(Paths::default().follow(&events).unwrap().different()));
    });
    // Rows that come in another order are sorted first.
    group.sample_size(10);
    for arrival in Arrival::ALL {
        let events = batches(EVENTS, 100_000, BATCH, arrival).unwrap();
        let id = BenchmarkId::new("sort-and-kernel", format!("events=1e6/users=1e5/{}", arrival.name()));
        group.bench_function(id, |bencher| {
            bencher.iter(|| black_box(sessions(&plain, &[EventBatch::sorted(&events).unwrap()])));
        });
    }
    group.finish();
}

criterion_group!(benches, kernel);
criterion_main!(benches);
