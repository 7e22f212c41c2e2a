//! The session id in five forms: what it takes to encode, to filter, to group and to join by them.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on should stop")]

use std::hint::black_box;

use arrow_array::{Array, UInt32Array, cast::AsArray};
use cip_benches::Shop;
use cip_benches::columns::read_texts;
use cip_benches::encodings::{SessionForm, distinct, filter, group, join};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const EVENTS: u64 = 500_000;

fn encodings(criterion: &mut Criterion) {
    let shop = Shop::new(EVENTS).unwrap();
    let events = read_texts(&shop.files()).unwrap();
    let texts = events.column_by_name("user_session").unwrap().as_string::<i32>();
    let distinct = distinct(texts);
    let numbers = UInt32Array::from_iter_values(0..distinct.len() as u32);
    let mut bench = criterion.benchmark_group("session_id");
    bench.sample_size(10).throughput(Throughput::Elements(EVENTS));
    for form in SessionForm::ALL {
        let id = |what: &str| BenchmarkId::new(what, form.name());
        let (ids, sessions) = (form.encode(texts).unwrap(), form.encode(&distinct).unwrap());
        // Texts to the form; what is dropped with it counts as well.
        bench.bench_function(id("encode"), |bencher| {
            bencher.iter(|| black_box(form.encode(texts).unwrap().len()))
        });
        // Rows of one session.
        bench.bench_function(id("filter"), |bencher| bencher.iter(|| black_box(filter(&ids).unwrap())));
        // Rows of each session.
        bench.bench_function(id("group"), |bencher| bencher.iter(|| black_box(group(&ids))));
        // A number for each row from a table with a row a session, hash table included.
        bench.bench_function(id("join"), |bencher| {
            bencher.iter(|| black_box(join(&ids, &sessions, &numbers)))
        });
    }
    bench.finish();
}

criterion_group!(benches, encodings);
criterion_main!(benches);
