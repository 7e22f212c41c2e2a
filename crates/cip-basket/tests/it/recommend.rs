//! Recommendations against their formulas, what is always returned, and the file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array};
use cip_basket::{BasketError, ItemLevel, Recommender, RecommenderParams, Similarity, Visits};
use cip_core::{CoreError, EventBatch, IdRef, MICROS_PER_DAY, MemoryBudget, Timestamp};
use proptest::prelude::*;

use crate::itemsets::BUDGET;

/// One visit a user, a day after the other.
fn events(visits: &[Vec<i64>]) -> EventBatch {
    let rows =
        (0i64..).zip(visits).flat_map(|(user, visit)| visit.iter().map(move |&product| (user, product)));
    let (users, products): (Vec<i64>, Vec<i64>) = rows.unzip();
    let times = TimestampMicrosecondArray::from_iter_values(users.iter().map(|user| user * MICROS_PER_DAY));
    let sessions = UInt32Array::from_iter_values(users.iter().map(|&user| user as u32));
    let columns: [(&str, ArrayRef); 4] = [
        ("user_id", Arc::new(Int64Array::from(users))),
        ("event_time", Arc::new(times.with_timezone("UTC"))),
        ("product_id", Arc::new(Int64Array::from(products))),
        ("source_session", Arc::new(sessions)),
    ];
    EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
}

fn collect(batches: &[EventBatch]) -> Visits {
    let mut builder = Visits::builder(batches[0].schema(), ItemLevel::Product, 50, BUDGET).unwrap();
    batches.iter().for_each(|batch| builder.push(batch).unwrap());
    builder.finish().unwrap()
}

fn visits(given: &[Vec<i64>]) -> Visits {
    collect(&[events(given)])
}

fn ids(found: &[cip_basket::Recommended<'_>]) -> Vec<i64> {
    found
        .iter()
        .map(|next| match next.product {
            IdRef::Int64(id) => id,
            IdRef::Utf8(_) => i64::MIN,
        })
        .collect()
}

fn given() -> impl Strategy<Value = Vec<Vec<i64>>> {
    proptest::collection::vec(proptest::collection::vec(-3i64..6, 0..6), 1..14)
}

/// The similarities of all products, by the formulas.
fn oracle(given: &[Vec<i64>], similarity: Similarity, half_life: Option<f64>) -> BTreeMap<(i64, i64), f64> {
    let last = given.len() as f64;
    let baskets: Vec<(BTreeSet<i64>, f64)> = (given.iter().enumerate())
        .filter(|(_, visit)| !visit.is_empty())
        .map(|(day, visit)| {
            let weight = half_life.map_or(1.0, |days| 0.5f64.powf((last - day as f64) / days));
            (visit.iter().copied().collect(), weight)
        })
        .collect();
    let products: BTreeSet<i64> = given.iter().flatten().copied().collect();
    let n = |i: i64| {
        baskets.iter().filter(|(visit, _)| visit.contains(&i)).map(|(_, weight)| weight).sum::<f64>()
    };
    let all: f64 = baskets.iter().map(|(_, weight)| weight).sum();
    let mean = products.iter().map(|&i| n(i)).sum::<f64>() / products.len() as f64;
    let gain = |i: i64| 2.2 / (1.2 * (0.25 + 0.75 * n(i) / mean) + 1.0);
    let idf = |visit: &BTreeSet<i64>| {
        let (all, length) = (products.len() as f64, visit.len() as f64);
        (1.0 + (all - length + 0.5) / (length + 0.5)).ln()
    };
    let mut found = BTreeMap::new();
    for &i in &products {
        for &j in products.iter().filter(|&&j| j != i) {
            let both = || baskets.iter().filter(|(visit, _)| visit.contains(&i) && visit.contains(&j));
            if both().next().is_none() {
                continue;
            }
            let sum: f64 = both().map(|(_, weight)| weight).sum();
            let score = match similarity {
                Similarity::Cosine => sum / (n(i) * n(j)).sqrt(),
                Similarity::Lift => sum * all / (n(i) * n(j)),
                Similarity::Bm25 => {
                    gain(i) * gain(j) * both().map(|(visit, weight)| weight * idf(visit).powi(2)).sum::<f64>()
                }
            };
            found.insert((i, j), score);
        }
    }
    found
}

proptest! {
    #[test]
    fn similar_products_are_those_of_the_formulas(
        given in given(),
        similarity in prop_oneof![Just(Similarity::Cosine), Just(Similarity::Lift), Just(Similarity::Bm25)],
        half_life in proptest::option::of(0.5f64..20.0),
    ) {
        let visits = visits(&given);
        prop_assume!(visits.products() > 0);
        let mut params = RecommenderParams::new(similarity).with_min_together(1).unwrap();
        if let Some(days) = half_life {
            params = params.with_half_life(days, Timestamp::from_micros(given.len() as i64 * MICROS_PER_DAY)).unwrap();
        }
        let recommender = params.train(&visits).unwrap();
        let expected = oracle(&given, similarity, half_life);
        let products: BTreeSet<i64> = given.iter().flatten().copied().collect();
        for &i in &products {
            let found = recommender.similar(IdRef::Int64(i), 100);
            prop_assert_eq!(found.len(), products.len() - 1);
            let scores: BTreeMap<i64, f64> = ids(&found).into_iter().zip(found.iter().map(|next| next.score)).collect();
            for (&j, &score) in &scores {
                let expected = expected.get(&(i, j)).copied().unwrap_or(0.0);
                prop_assert!((score - expected).abs() <= 1e-6 * expected.max(1.0), "{} {} {} {}", i, j, score, expected);
            }
            prop_assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score));
        }
    }

    #[test]
    fn there_are_always_as_many_as_asked_for_and_none_that_one_has(
        given in given(),
        session in proptest::collection::vec(-4i64..8, 0..5),
        owned in proptest::collection::vec(-4i64..8, 0..5),
        count in 0usize..12,
    ) {
        let visits = visits(&given);
        prop_assume!(visits.products() > 0);
        let recommender = RecommenderParams::default().train(&visits).unwrap();
        let products: BTreeSet<i64> = given.iter().flatten().copied().collect();
        let has: BTreeSet<i64> = session.iter().chain(&owned).copied().collect();
        let refs = |ids: &[i64]| ids.iter().map(|&id| IdRef::Int64(id)).collect::<Vec<_>>();
        let (session, owned) = (refs(&session), refs(&owned));
        let found = ids(&recommender.next(&session, &owned, count));
        prop_assert_eq!(found.len(), count.min(products.difference(&has).count()));
        let distinct: BTreeSet<i64> = found.iter().copied().collect();
        prop_assert_eq!(distinct.len(), found.len());
        prop_assert!(distinct.is_subset(&products) && distinct.is_disjoint(&has));
        // Fewer are the first of more.
        let more = ids(&recommender.next(&session, &owned, count + 3));
        prop_assert_eq!(&more[..found.len()], &found[..]);
    }

    #[test]
    fn parts_and_threads_give_the_same_file_and_it_reads_back(given in given(), cut in 0usize..14, threads in 1usize..4) {
        let whole = visits(&given);
        prop_assume!(whole.products() > 0);
        let cut = cut.min(given.len());
        let params = RecommenderParams::new(Similarity::Bm25).with_min_together(1).unwrap();
        let file = |recommender: &Recommender| {
            let mut bytes = Vec::new();
            recommender.write_to(&mut bytes).unwrap();
            bytes
        };
        let expected = params.train(&whole).unwrap();
        let all = events(&given);
        let rows = given[..cut].iter().map(Vec::len).sum::<usize>();
        let mut parts = collect(&[all.slice(0, rows)]);
        parts.append(collect(&[all.slice(rows, all.len() - rows)])).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| params.train(&parts)).unwrap();
        prop_assert_eq!(file(&found), file(&expected));
        prop_assert_eq!(Recommender::read_from(&file(&found)[..]).unwrap(), expected);
    }
}

#[test]
fn the_next_product_of_later_visits_is_counted() {
    let teach = vec![vec![1, 2], vec![1, 2], vec![1, 2], vec![3], vec![3], vec![3], vec![3]];
    let recommender = RecommenderParams::default().train(&visits(&teach)).unwrap();
    // 1 leads to 2: first by similarity; by popularity 3 comes before it.
    let quality = recommender.evaluate(&visits(&[vec![1, 2], vec![1, 9], vec![3]]), 2);
    assert_eq!((quality.predictions, quality.hits, quality.popular_hits), (2, 1, 1));
    assert_eq!((quality.hit_rate(), quality.mean_reciprocal_rank()), (Some(0.5), Some(0.5)));
    assert_eq!((quality.popular_hit_rate(), quality.popular_mean_reciprocal_rank()), (Some(0.5), Some(0.25)));
    assert_eq!(recommender.evaluate(&visits(&[vec![3]]), 2).hit_rate(), None);
}

#[test]
fn visits_keep_the_order_of_products_and_leave_out_long_ones() {
    let batch = events(&[vec![5, 4, 5, 3], (0..60).collect(), vec![]]);
    let found = collect(&[batch.slice(0, 2), batch.slice(2, batch.len() - 2)]);
    assert_eq!((found.len(), found.too_long()), (1, 1));
    // 5, then 4, then 3: two predictions.
    let recommender = RecommenderParams::default().train(&found).unwrap();
    assert_eq!(recommender.evaluate(&found, 10).predictions, 2);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let params = RecommenderParams::default();
    for given in [0, 10_001] {
        assert!(matches!(params.with_neighbours(given), Err(BasketError::Neighbours { .. })));
    }
    for given in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refused = params.with_half_life(given, Timestamp::from_micros(0));
        assert!(matches!(refused, Err(BasketError::HalfLife { .. })));
    }
    assert!(matches!(params.with_min_together(0), Err(BasketError::MinTogether)));
    assert!(matches!(params.train(&visits(&[vec![]])), Err(BasketError::NoVisits)));
    let batch = events(&[vec![1, 2]]);
    assert!(matches!(
        Visits::builder(batch.schema(), ItemLevel::Product, 1, BUDGET),
        Err(BasketError::MaxProducts { given: 1 })
    ));
    let mut tight =
        Visits::builder(batch.schema(), ItemLevel::Product, 50, MemoryBudget::from_bytes(10)).unwrap();
    tight.push(&batch).unwrap();
    assert!(matches!(tight.finish(), Err(BasketError::Core(CoreError::Memory { .. }))));
}

#[test]
fn without_sessions_an_order_is_a_visit() {
    let given = [vec![1, 2, 2], vec![3], vec![2, 1], vec![]];
    let batch = events(&given);
    let column = |name: &str| Arc::clone(batch.record_batch().column_by_name(name).unwrap());
    // A second order of the first user, at the time of the first: what was bought in both is no visit of three products.
    let orders: ArrayRef =
        Arc::new(StringArray::from(vec![Some("a"), Some("a"), Some("b"), Some("c"), None, Some("c")]));
    let columns = [
        ("user_id", column("user_id")),
        ("event_time", column("event_time")),
        ("product_id", column("product_id")),
        ("order_id", orders),
    ];
    let orders = EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    assert_eq!(
        Visits::columns(orders.schema(), ItemLevel::Product).unwrap(),
        ["user_id", "event_time", "product_id", "order_id"]
    );
    let by_order = collect(&[orders]);
    assert_eq!((by_order.len(), by_order.products()), (4, 3));
    let params = RecommenderParams::default().with_min_together(1).unwrap();
    // Users 0 and 2 have orders of their own, whatever they are called: only the first has two products.
    assert_eq!(ids(&params.train(&by_order).unwrap().next(&[IdRef::Int64(2)], &[], 1)), [1]);
    assert!(matches!(
        Visits::builder(
            EventBatch::try_new(batch.record_batch().project(&[0, 1, 2]).unwrap()).unwrap().schema(),
            ItemLevel::Product,
            50,
            BUDGET
        ),
        Err(BasketError::Core(CoreError::MissingColumn { column: "source_session" }))
    ));
}

#[test]
fn a_file_that_is_cut_or_changed_anywhere_is_refused() {
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "ä", "b"]));
    let batch = events(&[vec![1, 2], vec![1, 2]]);
    let columns = [
        ("user_id", Arc::clone(batch.record_batch().column_by_name("user_id").unwrap())),
        ("event_time", Arc::clone(batch.record_batch().column_by_name("event_time").unwrap())),
        ("product_id", names),
        ("source_session", Arc::clone(batch.record_batch().column_by_name("source_session").unwrap())),
    ];
    let texts = EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    let recommender =
        RecommenderParams::default().with_min_together(1).unwrap().train(&collect(&[texts])).unwrap();
    let mut file = Vec::new();
    recommender.write_to(&mut file).unwrap();
    assert_eq!(Recommender::read_from(&file[..]).unwrap(), recommender);
    assert_eq!(recommender.next(&[IdRef::Utf8("a")], &[], 9)[0].product, IdRef::Utf8("b"));
    for end in 0..file.len() {
        assert!(Recommender::read_from(&file[..end]).is_err());
    }
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(Recommender::read_from(&changed[..]).is_err(), "byte {at}");
    }
    file[8] = 9;
    let refused = Recommender::read_from(&file[..]).unwrap_err().to_string();
    assert!(refused.starts_with("the index of recommendations has version 9, expected 1"), "{refused}");
}
