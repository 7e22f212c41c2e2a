//! Ids a second of each hash, one by one, over a column, and over a column each of two threads.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array};
use cip::abtest::{Arm, Assignment, Experiment, IdHash};
use cip::core::{IdColumn, IdRef};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const IDS: i64 = 100_000;

fn assign(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("assign");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(2))
        .throughput(Throughput::Elements(IDS.unsigned_abs()));
    let start = 500_000_000;
    let weighted = || {
        let arms = [Arm::new("as is", 8.0), Arm::new("low", 1.0), Arm::new("high", 1.0)];
        Experiment::new("bench", Assignment::WeightedHash { seed: "bench-1".into() })
            .unwrap()
            .with_arms(arms)
            .unwrap()
    };
    let mut experiments = vec![("md5_parity", Experiment::new("bench", Assignment::Md5Parity).unwrap())];
    for (name, hash) in [
        ("growthbook_v2", IdHash::GrowthbookV2),
        ("growthbook_v1", IdHash::GrowthbookV1),
        ("murmur3", IdHash::Murmur3),
        ("xxh3", IdHash::Xxh3),
        ("md5", IdHash::Md5),
    ] {
        experiments.push((name, weighted().with_hash(hash).unwrap()));
    }
    for (name, experiment) in &experiments {
        group.bench_function(BenchmarkId::new("one", format!("ids=1e5/hash={name}")), |bencher| {
            bencher.iter(|| {
                let arms = (start..start + IDS).map(|id| experiment.assign_index(IdRef::Int64(id)));
                black_box(arms.flatten().sum::<usize>())
            });
        });
    }
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(start..start + IDS));
    let ids = IdColumn::try_new("user_id", &ids).unwrap();
    for (name, experiment) in &experiments {
        group.bench_function(BenchmarkId::new("column", format!("ids=1e5/hash={name}")), |bencher| {
            bencher.iter(|| black_box(experiment.assign_column(&ids)));
        });
    }
    group.throughput(Throughput::Elements(2 * IDS.unsigned_abs()));
    for (name, experiment) in &experiments {
        group.bench_function(BenchmarkId::new("two_threads", format!("ids=2e5/hash={name}")), |bencher| {
            bencher.iter(|| {
                std::thread::scope(|scope| {
                    for _ in 0..2 {
                        scope.spawn(|| black_box(experiment.assign_column(&ids)));
                    }
                });
            });
        });
    }
}

criterion_group!(benches, assign);
criterion_main!(benches);
