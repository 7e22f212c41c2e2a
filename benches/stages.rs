//! Each stage by itself, on a shop of a million events.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use std::hint::black_box;

use cip::core::TimeRange;
use cip::features::Features;
use cip::line::Line;
use cip::rfm::Rfm;
use cip::sessionize::{SessionRule, Sessionizer};
use cip_benches::{Shop, ingest};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const EVENTS: u64 = 1_000_000;

fn stages(criterion: &mut Criterion) {
    let shop = Shop::new(EVENTS).unwrap();
    let id = |what: &str| BenchmarkId::new(what, "events=1e6/users=6e4");
    let mut group = criterion.benchmark_group("stages");
    group.sample_size(10).throughput(Throughput::Elements(EVENTS));

    // Files to store: read, parse, sort, encode, write, sync.
    group.bench_function(id("ingest"), |bencher| {
        bencher.iter(|| ingest(shop.files(), shop.scratch("again")).unwrap());
    });
    // Store to Parquet table: read six columns, sessionize, encode, write, sync.
    group.bench_function(id("write_sessions"), |bencher| {
        let line = Line::new(&shop.store);
        bencher
            .iter(|| line.write_sessions(SessionRule::default(), &shop.scratch("sessions.parquet")).unwrap());
    });
    // Store to scores: read six columns, sum up a customer, score.
    group.bench_function(id("rfm"), |bencher| {
        let rfm = Rfm::new("2019-12-01".parse().unwrap(), shop.store.schema()).unwrap();
        let line = Line::new(&shop.store);
        bencher.iter(|| black_box(line.rfm(&rfm).unwrap().len()));
    });
    // Store to Parquet table: read nine columns, compute all features and the label, encode, write, sync.
    let window = TimeRange::new("2019-10-01".parse().unwrap(), "2019-11-15".parse().unwrap()).unwrap();
    let features = Features::new(window, shop.store.schema()).unwrap();
    let features = features.with_label_until("2019-12-01".parse().unwrap()).unwrap();
    group.bench_function(id("write_features"), |bencher| {
        let line = Line::new(&shop.store);
        bencher.iter(|| line.write_features(&features, &shop.scratch("features.parquet")).unwrap());
    });
    // The kernel alone, on batches in memory.
    group.bench_function(id("features_kernel"), |bencher| {
        let batches = shop.batches(&features.columns()).unwrap();
        bencher.iter(|| black_box(features.matrix(&batches).unwrap().num_rows()));
    });
    // The kernel alone, on batches in memory.
    group.bench_function(id("sessionize_kernel"), |bencher| {
        let batches = shop.batches(cip::sessionize::COLUMNS).unwrap();
        bencher.iter(|| {
            let mut sessionizer = Sessionizer::new(SessionRule::default(), batches[0].schema()).unwrap();
            let rows: usize = batches.iter().map(|events| sessionizer.push(events).unwrap().num_rows()).sum();
            black_box(rows + sessionizer.finish().unwrap().num_rows())
        });
    });
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
