//! Baskets: mining itemsets of a shop of a million events, and asking an index of recommendations.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use std::hint::black_box;

use cip::basket::{
    AssociationRules, Baskets, FrequentItemsets, ItemLevel, ItemsetKind, MinSupport, Recommender,
    RecommenderParams, Similarity, Transactions,
};
use cip::core::{IdRef, MemoryBudget, TimeRange};
use cip::line::Line;
use cip_benches::Shop;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const EVENTS: u64 = 1_000_000;
const BUDGET: MemoryBudget = MemoryBudget::from_mib(512);

fn baskets(criterion: &mut Criterion) {
    let shop = Shop::new(EVENTS).unwrap();
    let line = Line::new(&shop.store);
    let rule = Baskets::new(shop.store.schema(), BUDGET).unwrap();
    let baskets = Transactions::from_table(line.baskets(&rule, TimeRange::ALL).unwrap()).unwrap();
    let search = FrequentItemsets::new(MinSupport::Share(1e-4));
    let id = |what: &str| BenchmarkId::new(what, "events=1e6/support=1e-4");
    let mut group = criterion.benchmark_group("baskets");
    group.sample_size(10).throughput(Throughput::Elements(baskets.len() as u64));
    // Baskets in memory to itemsets in memory.
    for (what, kind) in [("itemsets", ItemsetKind::All), ("closed_itemsets", ItemsetKind::Closed)] {
        let search = search.with_kind(kind);
        group.bench_function(id(what), |bencher| {
            bencher.iter(|| black_box(search.mine(&baskets).unwrap().len()))
        });
    }
    // Itemsets in memory to rules in memory, with p-values and q-values.
    let itemsets = search.mine(&baskets).unwrap();
    let rules = AssociationRules::new(0.1).unwrap();
    group.bench_function(id("rules"), |bencher| {
        bencher.iter(|| black_box(rules.find(&itemsets, BUDGET).unwrap().len()));
    });
    group.finish();
}

fn recommendations(criterion: &mut Criterion) {
    let shop = Shop::new(EVENTS).unwrap();
    let visits = Line::new(&shop.store).visits(TimeRange::ALL, ItemLevel::Product, 50, BUDGET).unwrap();
    let mut group = criterion.benchmark_group("recommendations");
    let laws = [("cosine", Similarity::Cosine), ("lift", Similarity::Lift), ("bm25", Similarity::Bm25)];
    for (law, similarity) in laws {
        let recommender = RecommenderParams::new(similarity).train(&visits).unwrap();
        let mut file = Vec::new();
        recommender.write_to(&mut file).unwrap();
        // The index file in memory to an index that answers.
        let size = format!("{law}/products={}/bytes={}", recommender.products(), file.len());
        group.bench_function(BenchmarkId::new("read", size), |bencher| {
            bencher.iter(|| Recommender::read_from(black_box(&file[..])).unwrap());
        });
        // Ten products behind one product, and behind a session of so many popular ones, two owned.
        let popular = recommender.next(&[], &[], 22);
        let popular: Vec<IdRef<'_>> = popular.iter().map(|next| next.product).collect();
        for session in [1, 5, 20] {
            let id = BenchmarkId::new("next", format!("{law}/session={session}/count=10"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| recommender.next(black_box(&popular[2..2 + session]), &popular[..2], 10));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, baskets, recommendations);
criterion_main!(benches);
