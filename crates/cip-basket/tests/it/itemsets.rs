//! Itemsets against all subsets, against a second miner, and what holds for all baskets.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use cip_basket::{
    BasketError, FrequentItemsets, ItemsetKind, Itemsets, LongBaskets, MinSupport, Transactions,
    sampling_error,
};
use cip_core::{CoreError, MemoryBudget, table};
use proptest::prelude::*;

use crate::pattern_growth::pattern_growth;

pub(crate) const BUDGET: MemoryBudget = MemoryBudget::from_mib(64);

/// Itemsets by their items, with their counts.
pub(crate) type Counts = BTreeMap<BTreeSet<String>, u64>;

pub(crate) fn transactions(baskets: &[Vec<&str>]) -> Transactions {
    let mut builder = Transactions::builder(BUDGET);
    baskets.iter().for_each(|basket| builder.push(basket.iter().copied()).unwrap());
    builder.finish().unwrap()
}

/// Baskets of numbered items; the order of the names is not that of the numbers.
pub(crate) fn numbered(baskets: &[Vec<u8>]) -> Transactions {
    let names: Vec<Vec<String>> =
        baskets.iter().map(|basket| basket.iter().map(|&item| name(item)).collect()).collect();
    transactions(&names.iter().map(|basket| basket.iter().map(String::as_str).collect()).collect::<Vec<_>>())
}

fn name(item: u8) -> String {
    if item == 3 { "é b ".to_owned() } else { format!("{}", u32::from(item) * 7 % 10) }
}

pub(crate) fn counts(itemsets: &Itemsets) -> Counts {
    itemsets.iter().map(|set| (set.names().map(str::to_owned).collect(), set.count())).collect()
}

fn mine(baskets: &Transactions, least: u64, kind: ItemsetKind) -> Counts {
    counts(&FrequentItemsets::new(MinSupport::Count(least)).with_kind(kind).mine(baskets).unwrap())
}

/// Every subset of every basket, counted.
pub(crate) fn oracle(baskets: &[Vec<u8>], least: u64) -> Counts {
    let mut counts = Counts::new();
    for basket in baskets {
        let items: Vec<String> =
            basket.iter().map(|&item| name(item)).collect::<BTreeSet<_>>().into_iter().collect();
        for subset in 1u32..1 << items.len() {
            let set = (0..items.len()).filter(|bit| subset >> bit & 1 == 1).map(|bit| items[bit].clone());
            *counts.entry(set.collect()).or_default() += 1;
        }
    }
    counts.retain(|_, count| *count >= least);
    counts
}

fn closed(all: &Counts) -> Counts {
    let larger = |set: &BTreeSet<String>, count| {
        all.iter().any(|(other, &there)| there == count && other.len() > set.len() && other.is_superset(set))
    };
    all.iter()
        .filter(|&(set, &count)| !larger(set, count))
        .map(|(set, &count)| (set.clone(), count))
        .collect()
}

fn maximal(all: &Counts) -> Counts {
    let larger =
        |set: &BTreeSet<String>| all.keys().any(|other| other.len() > set.len() && other.is_superset(set));
    all.iter().filter(|(set, _)| !larger(set)).map(|(set, &count)| (set.clone(), count)).collect()
}

fn baskets() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(0u8..9, 0..8), 0..24)
}

proptest! {
    #[test]
    fn all_closed_and_maximal_itemsets_are_those_of_the_definitions(baskets in baskets(), least in 1u64..6) {
        let (given, all) = (numbered(&baskets), oracle(&baskets, least));
        prop_assert_eq!(mine(&given, least, ItemsetKind::All), all.clone());
        prop_assert_eq!(mine(&given, least, ItemsetKind::Closed), closed(&all));
        prop_assert_eq!(mine(&given, least, ItemsetKind::Maximal), maximal(&all));
    }

    #[test]
    fn another_miner_finds_the_same(baskets in baskets(), least in 1u64..6) {
        let given = numbered(&baskets);
        let names: Vec<Vec<String>> =
            baskets.iter().map(|basket| basket.iter().map(|&item| name(item)).collect()).collect();
        prop_assert_eq!(mine(&given, least, ItemsetKind::All), pattern_growth(&names, least));
    }

    #[test]
    fn a_limit_of_size_leaves_out_the_larger_ones(baskets in baskets(), least in 1u64..4, most in 1usize..6) {
        let given = numbered(&baskets);
        for kind in [ItemsetKind::All, ItemsetKind::Closed, ItemsetKind::Maximal] {
            let search = FrequentItemsets::new(MinSupport::Count(least)).with_kind(kind);
            let mut expected = counts(&search.mine(&given).unwrap());
            expected.retain(|set, _| set.len() <= most);
            prop_assert_eq!(counts(&search.with_most_items(most).unwrap().mine(&given).unwrap()), expected);
        }
    }

    #[test]
    fn neither_order_nor_threads_change_the_table(
        (baskets, shuffled) in baskets().prop_flat_map(|baskets| (Just(baskets.clone()), Just(baskets).prop_shuffle())),
        threads in 1usize..4,
    ) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for kind in [ItemsetKind::All, ItemsetKind::Closed, ItemsetKind::Maximal] {
            let search = FrequentItemsets::new(MinSupport::Count(2)).with_kind(kind);
            let expected = search.mine(&numbered(&baskets)).unwrap();
            prop_assert_eq!(pool.install(|| search.mine(&numbered(&shuffled))).unwrap(), expected);
        }
    }

    #[test]
    fn the_table_is_sorted_and_says_the_same(baskets in baskets()) {
        let found = FrequentItemsets::new(MinSupport::Count(1)).mine(&numbered(&baskets)).unwrap();
        let mut rows = Vec::new();
        for batch in found.batches() {
            let batch = batch.unwrap();
            prop_assert_eq!(batch.schema(), table::itemsets());
            for row in 0..batch.num_rows() {
                let names = batch["items"].as_list::<i32>().value(row);
                let names: Vec<String> = names.as_string::<i32>().iter().map(|name| name.unwrap().to_owned()).collect();
                let number = |column: &str| batch[column].as_primitive::<Int64Type>().value(row);
                prop_assert_eq!(number("size"), names.len() as i64);
                let support = batch["support"].as_primitive::<Float64Type>().value(row);
                prop_assert_eq!(support, number("count") as f64 / baskets.len() as f64);
                rows.push((names.len(), names, number("count") as u64));
            }
        }
        prop_assert!(rows.is_sorted());
        prop_assert_eq!(rows.len(), found.len());
        let as_counts: Counts =
            rows.into_iter().map(|(_, names, count)| (names.into_iter().collect(), count)).collect();
        prop_assert_eq!(as_counts, counts(&found));
        prop_assert_eq!(found.by_size().sum::<usize>(), found.len());
    }

    #[test]
    fn the_estimate_is_the_number_of_itemsets_where_little_is_drawn(baskets in baskets()) {
        let search = FrequentItemsets::new(MinSupport::Count(2)).with_most_items(2).unwrap();
        let given = numbered(&baskets);
        prop_assert_eq!(search.estimate(&given).unwrap().itemsets(), search.mine(&given).unwrap().len() as f64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn wide_and_deep_baskets_are_searched_by_narrowed_rows(seed in any::<u64>(), least in 2u64..12) {
        // More baskets than a word has bits, in which rare items stand beside frequent ones.
        let mut state = seed;
        let mut draw = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32
        };
        let baskets: Vec<Vec<u8>> =
            (0..600).map(|_| (0u8..8).filter(|&item| draw() % (u32::from(item) + 2) != 0).collect()).collect();
        let (given, all) = (numbered(&baskets), oracle(&baskets, least));
        prop_assert_eq!(mine(&given, least, ItemsetKind::All), all.clone());
        prop_assert_eq!(mine(&given, least, ItemsetKind::Closed), closed(&all));
    }
}

#[test]
fn nothing_and_little_have_few_itemsets() {
    for baskets in [vec![], vec![vec![]], vec![vec![], vec![]]] {
        let found = FrequentItemsets::new(MinSupport::Share(0.5)).mine(&transactions(&baskets)).unwrap();
        assert!(found.is_empty() && found.batches().next().is_none());
        assert_eq!((found.baskets(), found.by_size().sum::<usize>()), (baskets.len() as u64, 0));
    }
    // A basket without items is one all the same.
    let given = transactions(&[vec!["a", "a", "b"], vec![]]);
    assert_eq!((given.len(), given.totals().entries), (2, 2));
    let found = FrequentItemsets::new(MinSupport::Share(0.5)).mine(&given).unwrap();
    assert_eq!((found.len(), found.min_count()), (3, 1));
    assert!(FrequentItemsets::new(MinSupport::Share(0.51)).mine(&given).unwrap().is_empty());
    assert!(FrequentItemsets::new(MinSupport::Count(u64::MAX)).mine(&given).unwrap().is_empty());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let given = transactions(&[vec!["a"]]);
    for support in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let refused = FrequentItemsets::new(MinSupport::Share(support)).mine(&given).unwrap_err();
        assert!(matches!(refused, BasketError::MinSupport { .. }), "{refused}");
    }
    assert!(matches!(
        FrequentItemsets::new(MinSupport::Count(0)).mine(&given),
        Err(BasketError::MinSupport { given: MinSupport::Count(0) })
    ));
    assert!(matches!(
        FrequentItemsets::new(MinSupport::Count(1)).with_most_items(0),
        Err(BasketError::MostItems)
    ));
    for risk in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(sampling_error(10, 1, risk), Err(BasketError::Risk { .. })));
    }
    assert!(matches!(
        Transactions::builder(BUDGET).with_long_baskets(LongBaskets::Split(0)),
        Err(BasketError::LongestBasket)
    ));
}

#[test]
fn long_baskets_are_left_out_or_split_in_their_order() {
    let long = |long| {
        let mut builder = Transactions::builder(BUDGET).with_long_baskets(long).unwrap();
        builder.push(["e", "d", "e", "c", "b", "a"]).unwrap();
        builder.push(["a", "b", "a", "b"]).unwrap();
        builder.finish().unwrap()
    };
    let kept = long(LongBaskets::Keep).totals();
    assert_eq!((kept.baskets, kept.entries, kept.left_out, kept.split), (2, 7, 0, 0));
    let left_out = long(LongBaskets::LeaveOut(2)).totals();
    assert_eq!((left_out.baskets, left_out.entries, left_out.left_out, left_out.split), (1, 2, 1, 0));
    let split = long(LongBaskets::Split(2));
    let totals = split.totals();
    assert_eq!((totals.baskets, totals.entries, totals.left_out, totals.split), (4, 7, 0, 1));
    let pairs: Vec<String> = FrequentItemsets::new(MinSupport::Count(1))
        .mine(&split)
        .unwrap()
        .iter()
        .filter(|set| set.size() == 2)
        .map(|set| set.names().collect())
        .collect();
    assert_eq!(pairs, ["ab", "bc", "de"]);
}

#[test]
fn a_basket_that_would_have_too_many_itemsets_is_named() {
    let names: Vec<String> = (0..100_000).map(|item| format!("item {item:05}")).collect();
    let mut builder = Transactions::builder(MemoryBudget::from_mib(128));
    for item in 0..20 {
        builder.push([names[item].as_str(), names[item + 1].as_str()]).unwrap();
    }
    builder.push(names.iter().map(String::as_str)).unwrap();
    let given = builder.finish().unwrap();
    let refused = FrequentItemsets::new(MinSupport::Count(1)).mine(&given).unwrap_err();
    let BasketError::TooManyItemsets { estimate, most, least, .. } = &refused else { panic!("{refused}") };
    assert_eq!((estimate.longest()[0].number, estimate.longest()[0].frequent_items), (21, 100_000));
    assert!(*least == 1 && estimate.itemsets() > 1e6 * *most as f64);
    assert!(
        refused.to_string().contains("the longest are basket 21 (100000 frequent items), basket 1 (2"),
        "{refused}"
    );
    // At two baskets there are only the chain's items and pairs left.
    let found = FrequentItemsets::new(MinSupport::Count(2)).mine(&given).unwrap();
    assert_eq!(found.by_size().collect::<Vec<_>>(), [21, 20]);
}

#[test]
fn items_that_are_always_together_are_named() {
    // 40 items in ten equal baskets: 2^40 itemsets, one of them closed.
    let names: Vec<String> = (0..40).map(|item| format!("twin {item:02}")).collect();
    let mut builder = Transactions::builder(BUDGET);
    for other in ["x", "y"].iter().cycle().take(1_000) {
        builder.push([*other]).unwrap();
    }
    for _ in 0..10 {
        builder.push(names.iter().map(String::as_str)).unwrap();
    }
    let given = builder.finish().unwrap();
    let all = FrequentItemsets::new(MinSupport::Count(10));
    let refused = all.mine(&given).unwrap_err().to_string();
    assert!(refused.contains("most itemsets hold `twin "), "{refused}");
    let closed = all.with_kind(ItemsetKind::Closed).mine(&given).unwrap();
    assert_eq!(
        closed.iter().map(|set| (set.size(), set.count())).collect::<Vec<_>>(),
        [(1, 500), (1, 500), (40, 10)]
    );
    // Few enough, but more than may be found.
    let refused = all.with_most_items(2).unwrap().with_most_itemsets(821).mine(&given).unwrap_err();
    assert!(matches!(refused, BasketError::TooManyItemsets { most: 821, .. }), "{refused}");
    assert_eq!(
        all.with_most_items(2).unwrap().with_most_itemsets(822).mine(&given).unwrap().len(),
        2 + 40 + 780
    );
}

#[test]
fn closed_itemsets_inside_each_other_are_followed_without_recursion() {
    let names: Vec<String> = (0..600).map(|item| format!("{item:04}")).collect();
    let mut builder = Transactions::builder(MemoryBudget::from_mib(64));
    for basket in 1..=names.len() {
        builder.push(names[..basket].iter().map(String::as_str)).unwrap();
    }
    let given = builder.finish().unwrap();
    let search = FrequentItemsets::new(MinSupport::Count(1)).with_kind(ItemsetKind::Closed);
    let found = search.mine(&given).unwrap();
    assert!(found.by_size().all(|itemsets| itemsets == 1) && found.len() == 600);
}

#[test]
fn baskets_beyond_the_budget_are_refused_with_one_that_does() {
    let fill = |budget| {
        let mut builder = Transactions::builder(budget);
        for basket in 0..1_000u32 {
            let names = [format!("{}", basket % 17), format!("{}", basket % 91)];
            builder.push(names.iter().map(String::as_str)).unwrap();
        }
        builder.finish()
    };
    let smallest = |error: BasketError| match error {
        BasketError::Core(CoreError::Memory { smallest, .. }) => smallest,
        other => panic!("{other}"),
    };
    let needed = smallest(fill(MemoryBudget::from_bytes(1)).unwrap_err());
    assert!(fill(MemoryBudget::from_bytes(needed.bytes() - 1)).is_err());
    let given = fill(needed).unwrap();
    let search = FrequentItemsets::new(MinSupport::Count(5));
    let mut budget = smallest(search.mine(&given).unwrap_err());
    // First the baskets must fit twice, then the rows of the search.
    if let Err(error) = search.mine(&fill(budget).unwrap()) {
        budget = smallest(error);
    }
    let found = search.with_most_itemsets(1_000).mine(&fill(budget).unwrap()).unwrap();
    assert_eq!(found, search.mine(&fill(BUDGET).unwrap()).unwrap());
}

#[test]
fn a_sample_is_drawn_by_its_seed_and_near_the_whole() {
    let mut builder = Transactions::builder(BUDGET);
    for basket in 0..20_000u32 {
        builder.push((basket % 5 == 0).then_some("fifth").into_iter().chain(["all"])).unwrap();
    }
    let whole = builder.finish().unwrap();
    let count = |baskets: &Transactions| {
        let found = FrequentItemsets::new(MinSupport::Count(1)).mine(baskets).unwrap();
        found.iter().find(|set| set.names().eq(["fifth"])).unwrap().count() as f64 / baskets.len() as f64
    };
    let error = sampling_error(5_000, 1, 1e-6).unwrap();
    let samples: Vec<_> = (0..20).map(|seed| whole.sample(5_000, seed)).collect();
    assert!(samples.iter().all(|sample| sample.len() == 5_000 && (count(sample) - 0.2).abs() <= error));
    assert_eq!(count(&samples[3]), count(&whole.sample(5_000, 3)));
    assert!(samples.iter().any(|sample| count(sample) != count(&samples[0])));
    assert_eq!(whole.sample(0, 1).len(), 0);
    assert_eq!(count(&whole.sample(usize::MAX, 1)), 0.2);
}

/// The rarest item is in some baskets of which each holds one item more than the one before; what comes later is more frequent elsewhere. So the
/// closed itemsets that begin with it lie inside each other.
fn nested(baskets: usize, budget: MemoryBudget) -> Result<Transactions, BasketError> {
    let names: Vec<String> = (0..baskets).map(|item| format!("{item:04}")).collect();
    let mut builder = Transactions::builder(budget);
    for (item, name) in names.iter().enumerate() {
        builder.push(names[..=item].iter().map(String::as_str).chain(["rarest"]))?;
        for _ in 0..baskets + 2 * item {
            builder.push([name.as_str()])?;
        }
    }
    builder.finish()
}

#[test]
fn what_is_refused_does_not_depend_on_the_number_of_threads() {
    let search = FrequentItemsets::new(MinSupport::Count(1)).with_kind(ItemsetKind::Closed);
    let search = search.with_most_itemsets(10_000);
    let needed = nested(40, MemoryBudget::from_mib(64)).unwrap().bytes();
    let (mut deep, mut mined) = (0, 0);
    for more in (0..200_000).step_by(8_000) {
        let baskets = nested(40, MemoryBudget::from_bytes(needed + more)).unwrap();
        let found = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                search.mine(&baskets).map(|itemsets| itemsets.len()).map_err(|error| error.to_string())
            })
        };
        let alone = found(1);
        for threads in [2, 3] {
            assert_eq!(found(threads), alone, "{threads} threads, {more} bytes more");
        }
        match alone {
            Ok(_) => mined += 1,
            Err(error) => deep += usize::from(error.starts_with("closed itemsets lie inside each other")),
        }
    }
    assert!(deep > 0 && mined > 0, "{deep} are too deep, {mined} are mined");
}

#[test]
fn closed_itemsets_of_very_long_baskets_are_refused() {
    let names: Vec<String> = (0..10_001).map(|item| item.to_string()).collect();
    let mut builder = Transactions::builder(BUDGET);
    builder.push(["0", "1"]).unwrap();
    builder.push(names.iter().map(String::as_str)).unwrap();
    let baskets = builder.finish().unwrap();
    let mine = |least, kind| FrequentItemsets::new(MinSupport::Count(least)).with_kind(kind).mine(&baskets);
    for kind in [ItemsetKind::Closed, ItemsetKind::Maximal] {
        let refused = mine(1, kind).unwrap_err();
        assert!(
            matches!(refused, BasketError::BasketTooLong { number: 2, items: 10_001, most: 10_000 }),
            "{refused}"
        );
        // Where its items are not frequent, it is not long.
        assert_eq!(mine(2, kind).unwrap().len(), 1);
    }
}
