//! The Groceries baskets (Hahsler, Grün and Hornik, R package arules), in the folder that `CIP_DATA` points to;
//! skipped, saying so, where it is unset.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use cip_basket::{
    AssociationRules, Baskets, FrequentItemsets, ItemsetKind, Itemsets, MinSupport, Pairs, Rule, Rules,
    SingleBaskets, Transactions,
};
use cip_core::{EventBatch, Id, MemoryBudget};

use crate::events::all;
use crate::oracle::{Row, rows};

const FILE: &str = "groceries_baskets.csv";

/// The baskets; none, saying so, where there is no file.
pub(crate) fn groceries() -> Option<Transactions> {
    let Some(folder) = std::env::var_os("CIP_DATA") else {
        println!("skipped: CIP_DATA is not set, so there is no {FILE}");
        return None;
    };
    let text = std::fs::read_to_string(Path::new(&folder).join(FILE)).unwrap();
    let mut builder = Transactions::builder(MemoryBudget::from_mib(64));
    text.lines().for_each(|line| builder.push(line.split(',')).unwrap());
    Some(builder.finish().unwrap())
}

#[test]
fn groceries_have_the_published_itemsets() {
    let Some(baskets) = groceries() else { return };
    assert_eq!((baskets.len(), baskets.items().len(), baskets.totals().entries), (9_835, 169, 43_367));
    let mine =
        |share, kind| FrequentItemsets::new(MinSupport::Share(share)).with_kind(kind).mine(&baskets).unwrap();
    // Hahsler, Grün and Hornik (arules): all at 0.001, and all, closed and maximal ones at 0.01.
    let found = mine(0.001, ItemsetKind::All);
    assert_eq!((found.len(), found.min_count()), (13_492, 10));
    assert_eq!(found.by_size().collect::<Vec<_>>(), [157, 2_981, 6_831, 3_137, 376, 10]);
    let found = mine(0.01, ItemsetKind::All);
    assert_eq!(found.by_size().collect::<Vec<_>>(), [88, 213, 32]);
    assert_eq!(mine(0.01, ItemsetKind::Closed).len(), 333);
    assert_eq!(mine(0.01, ItemsetKind::Maximal).len(), 243);
    let mut single: Vec<_> = found.iter().filter(|set| set.size() == 1).collect();
    single.sort_by_key(|set| std::cmp::Reverse(set.count()));
    let top: Vec<_> = single[..5].iter().map(|set| (set.names().collect::<String>(), set.count())).collect();
    let expected = [
        ("whole milk", 2_513),
        ("other vegetables", 1_903),
        ("rolls/buns", 1_809),
        ("soda", 1_715),
        ("yogurt", 1_372),
    ];
    assert_eq!(top, expected.map(|(name, count)| (name.to_owned(), count)));
}

/// The rules at these smallest supports and confidences.
fn rules(itemsets: &Itemsets, min_confidence: f64) -> Rules<'_> {
    AssociationRules::new(min_confidence).unwrap().find(itemsets, MemoryBudget::from_mib(64)).unwrap()
}

/// How many rules there are of each number of items.
fn by_size(rules: &Rules<'_>) -> BTreeMap<usize, usize> {
    let mut sizes = BTreeMap::new();
    for rule in rules.iter() {
        *sizes.entry(rule.antecedent().count() + rule.consequent().count()).or_default() += 1;
    }
    sizes
}

/// The rule of the highest lift.
fn top<'a>(rules: &'a Rules<'_>) -> Rule<'a> {
    rules.iter().max_by(|a, b| a.measures().lift.total_cmp(&b.measures().lift)).unwrap()
}

#[test]
fn groceries_have_the_published_rules() {
    let Some(baskets) = groceries() else { return };
    let mine = |share| FrequentItemsets::new(MinSupport::Share(share)).mine(&baskets).unwrap();
    // Hahsler, Grün and Hornik (arules), with rules of two items or more.
    let itemsets = mine(0.001);
    let sure = rules(&itemsets, 0.8);
    assert_eq!(by_size(&sure), BTreeMap::from([(3, 29), (4, 229), (5, 140), (6, 12)]));
    let wine = top(&sure);
    assert!(wine.antecedent().eq(["liquor", "red/blush wine"]) && wine.consequent().eq(["bottled beer"]));
    let measures = wine.measures();
    assert!((measures.confidence - 0.904_762).abs() < 5e-7 && (measures.lift - 11.235_269).abs() < 5e-7);
    assert_eq!(wine.counts().both, 19);
    let likely = rules(&itemsets, 0.5);
    assert_eq!((likely.len(), likely.tested()), (5_668, 5_668));
    let burger = top(&likely);
    assert!(
        burger.antecedent().eq(["Instant food products", "soda"])
            && burger.consequent().eq(["hamburger meat"])
    );
    assert!(burger.counts().both == 12 && (burger.measures().lift - 18.995_654).abs() < 5e-7);
    assert_eq!(rules(&mine(0.01), 0.5).len(), 15);
    let itemsets = mine(0.006);
    let some = rules(&itemsets, 0.25);
    assert_eq!(by_size(&some), BTreeMap::from([(2, 150), (3, 297), (4, 16)]));
    let milk = some.iter().find(|rule| rule.antecedent().eq(["other vegetables"])).unwrap();
    assert!(milk.consequent().eq(["whole milk"]) && milk.counts().both == 736);
}

#[test]
fn groceries_are_estimated_well() {
    let Some(baskets) = groceries() else { return };
    let search = FrequentItemsets::new(MinSupport::Share(0.001));
    let (estimated, found) =
        (search.estimate(&baskets).unwrap().itemsets(), search.mine(&baskets).unwrap().len());
    assert!((estimated / found as f64 - 1.0).abs() < 0.1, "{estimated} {found}");
}

#[test]
fn groceries_have_the_published_pairs() {
    let Some(folder) = std::env::var_os("CIP_DATA") else {
        println!("skipped: CIP_DATA is not set, so there is no groceries_baskets.csv");
        return;
    };
    let text = std::fs::read_to_string(Path::new(&folder).join(FILE)).unwrap();
    // One basket a line. One name ends in a blank, so names stay as they are.
    let (mut orders, mut products) = (Vec::new(), Vec::new());
    for (order, line) in (0i64..).zip(text.lines()) {
        for product in line.split(',') {
            orders.push(order);
            products.push(product);
        }
    }
    assert_eq!(products.len(), 43_367);
    let columns: [(&str, ArrayRef); 2] = [
        ("order_id", Arc::new(Int64Array::from(orders))),
        ("product_id", Arc::new(StringArray::from(products))),
    ];
    let events = EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    let baskets =
        Baskets::new(events.schema(), MemoryBudget::from_mib(16)).unwrap().collect(&[events]).unwrap();
    let totals = baskets.totals();
    assert_eq!(baskets.products(), 169);
    assert_eq!((totals.baskets + totals.single_baskets, totals.single_baskets), (9_835, 2_159));
    assert_eq!((totals.entries + totals.single_baskets, totals.oversized_baskets), (43_367, 0));

    let pairs = Pairs::new(1).unwrap().with_single_baskets(SingleBaskets::Count);
    let mut found = rows(&all(pairs.count(baskets).unwrap()));
    assert_eq!(found.len(), 9_636);
    found.sort_by_key(|row| std::cmp::Reverse(row.counts[0]));
    let top: Vec<_> =
        found[..5].iter().map(|row| (text_of(&row.a), text_of(&row.b), row.counts[0])).collect();
    assert_eq!(
        top,
        [
            ("other vegetables", "whole milk", 736),
            ("rolls/buns", "whole milk", 557),
            ("whole milk", "yogurt", 551),
            ("root vegetables", "whole milk", 481),
            ("other vegetables", "root vegetables", 466),
        ]
    );
    let Row { counts, ratios: [support, confidence, _, lift], .. } = &found[0];
    assert_eq!(counts, &[736, 1_903, 2_513]);
    assert!((support - 736.0 / 9_835.0).abs() < 1e-15);
    assert!((confidence - 0.386_758).abs() < 5e-7 && (lift - 1.513_634).abs() < 5e-7, "{confidence} {lift}");
}

fn text_of(id: &Id) -> &str {
    match id {
        Id::Utf8(text) => text,
        Id::Int64(_) => "",
    }
}
