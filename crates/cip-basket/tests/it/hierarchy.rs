//! Itemsets and rules of several levels at once: against all subsets of all baskets with their ancestors, and what the literature says.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU8;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, UInt32Array};
use cip_basket::{
    AssociationRules, BasketError, BasketKey, Baskets, FrequentItemsets, Hierarchy, ItemLevel, ItemsetKind,
    MinSupport, Rules, Transactions,
};
use cip_core::{CoreError, EventBatch, MemoryBudget};
use proptest::option;
use proptest::prelude::*;

use crate::itemsets::{BUDGET, Counts, counts, transactions};

type Set = BTreeSet<String>;
/// What each item is directly under.
type Under = BTreeSet<(String, String)>;
/// The rules by their sides, with the baskets of both and of the antecedent.
type Known = BTreeMap<(Set, Set), [u64; 2]>;

fn hierarchy(under: &Under) -> Hierarchy {
    let mut known = Hierarchy::default();
    under.iter().for_each(|(item, group)| known.add(item, group).unwrap());
    known
}

/// All that something is under.
fn above(under: &Under, item: &str) -> Set {
    let mut all = Set::new();
    let mut waiting = vec![item.to_owned()];
    while let Some(item) = waiting.pop() {
        let groups = under.iter().filter(|(member, _)| *member == item).map(|(_, group)| group.clone());
        waiting.extend(groups.filter(|group| all.insert(group.clone())));
    }
    all
}

fn with_ancestors(under: &Under, basket: &Set) -> Set {
    basket.iter().flat_map(|item| above(under, item).into_iter().chain([item.clone()])).collect()
}

/// Every subset of every wider basket that holds nothing with what it is under, counted.
fn oracle(baskets: &[Set], under: &Under, least: u64) -> Counts {
    let mut found = Counts::new();
    for basket in baskets {
        let items: Vec<String> = basket.iter().cloned().collect();
        for subset in 1u32..1 << items.len() {
            let set: Set =
                (0..items.len()).filter(|bit| subset >> bit & 1 == 1).map(|bit| items[bit].clone()).collect();
            if set.iter().all(|item| above(under, item).is_disjoint(&set)) {
                *found.entry(set).or_default() += 1;
            }
        }
    }
    found.retain(|_, count| *count >= least);
    found
}

fn of_kind(all: &Counts, kind: ItemsetKind) -> Counts {
    let has_larger = |set: &Set, count: u64| {
        let mut larger = all.iter().filter(|(other, _)| other.len() > set.len() && other.is_superset(set));
        larger.any(|(_, &there)| kind == ItemsetKind::Maximal || there == count)
    };
    let kept = all.iter().filter(|&(set, &count)| kind == ItemsetKind::All || !has_larger(set, count));
    kept.map(|(set, &count)| (set.clone(), count)).collect()
}

fn rules_of(all: &Counts, min_confidence: f64) -> Known {
    let mut rules = Known::new();
    for (set, &both) in all {
        for consequent in all.keys().filter(|side| side.len() < set.len() && side.is_subset(set)) {
            let antecedent: Set = set.difference(consequent).cloned().collect();
            let before = all[&antecedent];
            if both as f64 / before as f64 >= min_confidence {
                rules.insert((antecedent, consequent.clone()), [both, before]);
            }
        }
    }
    rules
}

fn sides(rules: &Rules<'_>) -> Known {
    let names = |side: &mut dyn Iterator<Item = &str>| side.map(str::to_owned).collect::<Set>();
    let of = |rule: cip_basket::Rule<'_>| {
        let counts = rule.counts();
        ((names(&mut rule.antecedent()), names(&mut rule.consequent())), [counts.both, counts.antecedent])
    };
    rules.iter().map(of).collect()
}

/// The ways to put the items of one set for those of another, item by item: the same, or what it is under.
fn ways(under: &Under, from: &[String], to: &Set) -> Vec<Vec<String>> {
    match from.split_first() {
        None if to.is_empty() => vec![Vec::new()],
        None => Vec::new(),
        Some((first, rest)) => {
            let mut groups = above(under, first);
            groups.insert(first.clone());
            let taken = groups.intersection(to).flat_map(|group| {
                let mut left = to.clone();
                left.remove(group);
                ways(under, rest, &left).into_iter().map(|rest| [vec![group.clone()], rest].concat())
            });
            taken.collect()
        }
    }
}

/// The rules that are interesting, straight from the definition: `general` of each rule are all ways in which another is its ancestor.
fn interesting(all: &Counts, rules: &Known, under: &Under, least: f64) -> BTreeSet<(Set, Set)> {
    let count = |item: &String| all[&Set::from([item.clone()])] as f64;
    let lists = |sides: &(Set, Set)| {
        let [before, after] = [&sides.0, &sides.1].map(|side| side.iter().cloned().collect::<Vec<_>>());
        (before, after)
    };
    let ancestors = |sides: &(Set, Set)| {
        let (before, after) = lists(sides);
        let mut found = Vec::new();
        for other in rules.keys().filter(|other| *other != sides) {
            for x in ways(under, &before, &other.0) {
                found
                    .extend(ways(under, &after, &other.1).into_iter().map(|y| (other.clone(), x.clone(), y)));
            }
        }
        found
    };
    let mut decided: BTreeMap<(Set, Set), bool> = BTreeMap::new();
    // A rule is decided once all of its ancestors are.
    while decided.len() < rules.len() {
        for (sides, [both, antecedent]) in rules {
            let general = ancestors(sides);
            if decided.contains_key(sides) || general.iter().any(|(other, ..)| !decided.contains_key(other)) {
                continue;
            }
            let general: Vec<_> = general.into_iter().filter(|(other, ..)| decided[other]).collect();
            let is_below = |(other, x, y): &(_, Vec<String>, Vec<String>),
                            (far, far_x, far_y): &(_, Vec<String>, Vec<String>)| {
                let under_each = |low: &[String], high: &[String]| {
                    low.iter().zip(high).all(|(low, high)| low == high || above(under, low).contains(high))
                };
                other != far && under_each(x, far_x) && under_each(y, far_y)
            };
            let close = general.iter().filter(|far| !general.iter().any(|near| is_below(near, far)));
            let (own_x, own_y) = lists(sides);
            let is_more = close.into_iter().all(|(other, x, y)| {
                let share = |own: &[String], general: &[String]| -> [f64; 2] {
                    own.iter().zip(general).fold([1.0, 1.0], |[a, b], (own, general)| {
                        if own == general { [a, b] } else { [a * count(own), b * count(general)] }
                    })
                };
                let (of_x, of_y) = (share(&own_x, x), share(&own_y, y));
                let [general_both, general_before] = rules[other].map(|count| count as f64);
                let (both, before) = (*both as f64, *antecedent as f64);
                both * of_x[1] * of_y[1] >= least * general_both * of_x[0] * of_y[0]
                    || both * general_before * of_y[1] >= least * general_both * before * of_y[0]
            });
            decided.insert(sides.clone(), is_more);
        }
    }
    decided.into_iter().filter(|(_, is_more)| *is_more).map(|(sides, _)| sides).collect()
}

/// Baskets of items 0 to 5, and which of 0 to 7 are under which of a higher number.
fn baskets_and_under() -> impl Strategy<Value = (Vec<Set>, Under)> {
    let item = |item: u8| format!("i{}", u32::from(item) * 7 % 10);
    let baskets =
        proptest::collection::vec(proptest::collection::btree_set((0u8..6).prop_map(item), 0..5), 0..12);
    let pair = (0u8..7, 1u8..4).prop_map(move |(low, step)| (item(low), item((low + step).min(7))));
    (baskets, proptest::collection::btree_set(pair, 0..9))
}

fn given(baskets: &[Set]) -> Transactions {
    transactions(
        &baskets.iter().map(|basket| basket.iter().map(String::as_str).collect()).collect::<Vec<_>>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn itemsets_hold_nothing_with_what_it_is_under((baskets, under) in baskets_and_under(), least in 1u64..4, most in 1usize..4) {
        let wide = given(&baskets).with_hierarchy(&hierarchy(&under)).unwrap();
        let wider: Vec<Set> = baskets.iter().map(|basket| with_ancestors(&under, basket)).collect();
        prop_assert_eq!(wide.totals().entries, wider.iter().map(|basket| basket.len() as u64).sum::<u64>());
        let all = oracle(&wider, &under, least);
        for kind in [ItemsetKind::All, ItemsetKind::Closed, ItemsetKind::Maximal] {
            let search = FrequentItemsets::new(MinSupport::Count(least)).with_kind(kind);
            let mut expected = of_kind(&all, kind);
            let found = search.mine(&wide).unwrap();
            prop_assert_eq!(counts(&found), expected.clone());
            prop_assert_eq!(found.by_size().sum::<usize>(), expected.len());
            expected.retain(|set, _| set.len() <= most);
            prop_assert_eq!(counts(&search.with_most_items(most).unwrap().mine(&wide).unwrap()), expected);
        }
    }

    #[test]
    fn rules_and_those_of_interest_are_those_of_the_definitions(
        (baskets, under) in baskets_and_under(),
        least in 1u64..4,
        min_confidence in prop_oneof![Just(0.0), 0.0f64..=1.0],
        interest in prop_oneof![Just(1.0), Just(1.25), Just(2.0)],
    ) {
        let wide = given(&baskets).with_hierarchy(&hierarchy(&under)).unwrap();
        let wider: Vec<Set> = baskets.iter().map(|basket| with_ancestors(&under, basket)).collect();
        let all = oracle(&wider, &under, least);
        let expected = rules_of(&all, min_confidence);
        let itemsets = FrequentItemsets::new(MinSupport::Count(least)).mine(&wide).unwrap();
        let asked = AssociationRules::new(min_confidence).unwrap().with_most_consequent(9).unwrap();
        let found = sides(&asked.find(&itemsets, BUDGET).unwrap());
        prop_assert_eq!(&found, &expected);
        for (antecedent, consequent) in found.keys() {
            prop_assert!(antecedent.iter().all(|item| above(&under, item).is_disjoint(consequent)));
        }
        if expected.len() <= 200 {
            let kept = asked.with_min_interest(interest).unwrap().find(&itemsets, BUDGET).unwrap();
            prop_assert_eq!(kept.tested() as usize, expected.len());
            let kept: BTreeSet<(Set, Set)> = sides(&kept).into_keys().collect();
            prop_assert_eq!(kept, interesting(&all, &expected, &under, interest));
        }
    }

    #[test]
    fn events_say_what_products_are_under(
        events in proptest::collection::vec(event(), 0..40),
        levels in proptest::sample::subsequence(LEVELS.to_vec(), 1..6),
        cut in 0usize..40,
    ) {
        let levels: Vec<ItemLevel> = levels.into_iter().map(Into::into).collect();
        let (first, second) = events.split_at(cut.min(events.len()));
        // Parts in any order say the same.
        let [first, second] = [first, second].map(|events| of_events(events, &levels));
        let mut known = second;
        known.append(&first).unwrap();
        let baskets = Baskets::by(BasketKey::SourceSession, batch(&[]).schema(), BUDGET).unwrap();
        let narrow = Transactions::from_table(baskets.collect(&[batch(&events)]).unwrap()).unwrap();
        let wide = narrow.clone().with_hierarchy(&known).unwrap();
        prop_assert_eq!(wide.len(), narrow.len());

        let mut under = Under::new();
        for event in &events {
            let Some(product) = event.product else { continue };
            let path = named(event, &levels);
            let mut lower = format!("product:{product}");
            for name in path.categories {
                under.insert((std::mem::replace(&mut lower, name.clone()), name));
            }
            under.extend(path.brand.map(|brand| (format!("product:{product}"), brand)));
        }
        let mut sessions: BTreeMap<u32, Set> = BTreeMap::new();
        for event in &events {
            if let (Some(session), Some(product)) = (event.session, event.product) {
                sessions.entry(session).or_default().insert(format!("product:{product}"));
            }
        }
        let mut wider: Vec<Set> = sessions.values().map(|basket| with_ancestors(&under, basket)).collect();
        if !levels.contains(&ItemLevel::Product) {
            wider.iter_mut().for_each(|basket| basket.retain(|item| !item.starts_with("product:")));
        }
        let found = FrequentItemsets::new(MinSupport::Count(1)).with_most_items(3).unwrap().mine(&wide).unwrap();
        let mut expected = oracle(&wider, &under, 1);
        expected.retain(|set, _| set.len() <= 3);
        prop_assert_eq!(counts(&found), expected);
    }

    #[test]
    fn where_products_have_one_category_each_level_counts_as_it_does_alone(
        sessions in proptest::collection::vec((0u32..5, 0i64..6), 0..30),
        depth in 1u8..4,
    ) {
        let events: Vec<Event> = (sessions.into_iter())
            .map(|(session, product)| Event {
                session: Some(session),
                product: Some(product),
                category: Some(product as usize % CATEGORIES.len()),
                brand: None,
            })
            .collect();
        let level = ItemLevel::CategoryTo(NonZeroU8::new(depth).unwrap());
        let rule = Baskets::by(BasketKey::SourceSession, batch(&[]).schema(), BUDGET).unwrap();
        let mine = |baskets: &Transactions| counts(&FrequentItemsets::new(MinSupport::Count(1)).mine(baskets).unwrap());
        let baskets = |rule: &Baskets| Transactions::from_table(rule.collect(&[batch(&events)]).unwrap()).unwrap();
        let alone = mine(&baskets(&rule.clone().with_level(level).unwrap()));
        let known = of_events(&events, &[ItemLevel::Product, ItemLevel::Brand, level]);
        let mut mixed = mine(&baskets(&rule).with_hierarchy(&known).unwrap());
        mixed.retain(|set, _| set.iter().all(|item| item.starts_with("category:")));
        let prefixed = |set: Set| set.iter().map(|item| format!("category:{item}")).collect::<Set>();
        prop_assert_eq!(mixed, alone.into_iter().map(|(set, count)| (prefixed(set), count)).collect::<Counts>());
    }
}

const CATEGORIES: [&str; 5] = ["a", "a.b", "a.b.c", "a.d", "e.b"];

/// Levels by number, so that they are drawn in order: a depth, or one of the others.
#[derive(Debug, Clone, Copy)]
enum Level {
    Product,
    Category,
    Depth(u8),
    Brand,
}

const LEVELS: [Level; 5] = [Level::Product, Level::Category, Level::Depth(1), Level::Depth(2), Level::Brand];

impl From<Level> for ItemLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Product => Self::Product,
            Level::Category => Self::Category,
            Level::Depth(depth) => Self::CategoryTo(NonZeroU8::new(depth).unwrap()),
            Level::Brand => Self::Brand,
        }
    }
}

#[derive(Debug, Clone)]
struct Event {
    session: Option<u32>,
    product: Option<i64>,
    category: Option<usize>,
    brand: Option<usize>,
}

fn event() -> impl Strategy<Value = Event> {
    let ids = (option::weighted(0.9, 0u32..5), option::weighted(0.9, 0i64..5));
    (ids, option::weighted(0.7, 0usize..5), option::weighted(0.7, 0usize..2))
        .prop_map(|((session, product), category, brand)| Event { session, product, category, brand })
}

fn batch(events: &[Event]) -> EventBatch {
    let label = |text: &dyn Fn(&Event) -> Option<&'static str>| -> ArrayRef {
        Arc::new(events.iter().map(text).collect::<DictionaryArray<Int32Type>>())
    };
    let columns: [(&str, ArrayRef); 4] = [
        ("product_id", Arc::new(events.iter().map(|event| event.product).collect::<Int64Array>())),
        ("category_code", label(&|event| event.category.map(|category| CATEGORIES[category]))),
        ("brand", label(&|event| event.brand.map(|brand| ["x", "y.z"][brand]))),
        ("source_session", Arc::new(events.iter().map(|event| event.session).collect::<UInt32Array>())),
    ];
    EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
}

fn of_events(events: &[Event], levels: &[ItemLevel]) -> Hierarchy {
    let mut builder = Hierarchy::builder(batch(&[]).schema(), levels.iter().copied(), BUDGET).unwrap();
    // A batch that is sliced is read like another.
    let whole = batch(
        &[&[Event { session: None, product: Some(99), category: Some(4), brand: Some(0) }], events].concat(),
    );
    let sliced = EventBatch::try_new(whole.record_batch().slice(1, events.len())).unwrap();
    builder.push(&sliced).unwrap();
    builder.finish().unwrap()
}

struct Named {
    /// The lowest first.
    categories: Vec<String>,
    brand: Option<String>,
}

fn named(event: &Event, levels: &[ItemLevel]) -> Named {
    let mut categories = Vec::new();
    if let Some(category) = event.category.map(|category| CATEGORIES[category]) {
        let parts: Vec<&str> = category.split('.').collect();
        for depth in (1..=parts.len()).rev() {
            let asked = levels.iter().any(|level| match level {
                ItemLevel::Category => true,
                // What is less deep stays.
                ItemLevel::CategoryTo(to) => usize::from(to.get()).min(parts.len()) == depth,
                _ => false,
            });
            if asked {
                categories.push(format!("category:{}", parts[..depth].join(".")));
            }
        }
    }
    let brand = event.brand.filter(|_| levels.contains(&ItemLevel::Brand));
    Named { categories, brand: brand.map(|brand| format!("brand:{}", ["x", "y.z"][brand])) }
}

fn under(pairs: &[(&str, &str)]) -> Under {
    pairs.iter().map(|&(item, group)| (item.to_owned(), group.to_owned())).collect()
}

/// Figure 2 of Srikant and Agrawal, "Mining Generalized Association Rules" (1995): six baskets, support 30%, confidence 60%.
#[test]
fn the_example_of_the_paper() {
    let clothes = under(&[
        ("outerwear", "clothes"),
        ("shirt", "clothes"),
        ("jacket", "outerwear"),
        ("ski pants", "outerwear"),
        ("shoes", "footwear"),
        ("hiking boots", "footwear"),
    ]);
    let baskets = transactions(&[
        vec!["shirt"],
        vec!["jacket", "hiking boots"],
        vec!["ski pants", "hiking boots"],
        vec!["shoes"],
        vec!["shoes"],
        vec!["jacket"],
    ]);
    let wide = baskets.with_hierarchy(&hierarchy(&clothes)).unwrap();
    let itemsets = FrequentItemsets::new(MinSupport::Share(0.3)).mine(&wide).unwrap();
    let found: BTreeMap<String, u64> =
        itemsets.iter().map(|set| (set.names().collect::<Vec<_>>().join("+"), set.count())).collect();
    let expected = [
        ("jacket", 2),
        ("outerwear", 3),
        ("clothes", 4),
        ("shoes", 2),
        ("hiking boots", 2),
        ("footwear", 4),
        ("hiking boots+outerwear", 2),
        ("clothes+hiking boots", 2),
        ("footwear+outerwear", 2),
        ("clothes+footwear", 2),
    ];
    assert_eq!(found, expected.map(|(set, count)| (set.to_owned(), count)).into());
    let rules = AssociationRules::new(0.6).unwrap();
    let rules = rules.find(&itemsets, BUDGET).unwrap();
    let said: Vec<String> = rules
        .iter()
        .map(|rule| {
            let sides = [rule.antecedent().collect::<String>(), rule.consequent().collect::<String>()];
            format!("{} {:.3} {:.3}", sides.join(" => "), rule.measures().support, rule.measures().confidence)
        })
        .collect();
    assert_eq!(
        said,
        [
            "hiking boots => clothes 0.333 1.000",
            "outerwear => footwear 0.333 0.667",
            "outerwear => hiking boots 0.333 0.667",
            "hiking boots => outerwear 0.333 1.000",
        ]
    );
}

/// Milk and its kinds (section 2.1 of the same paper): a rule of a quarter of the milk that has a quarter of its support says nothing new.
#[test]
fn a_rule_that_its_category_foretells_is_of_no_interest() {
    let milk = under(&[("skim", "milk"), ("2%", "milk")]);
    let baskets = |skim: usize| {
        let mut all = vec![vec!["skim", "cereal"]; skim];
        all.extend(vec![vec!["2%", "cereal"]; 80 - skim]);
        all.extend(vec![vec!["2%"]; 20]);
        all.extend(vec![vec!["bread"]; 100]);
        transactions(&all).with_hierarchy(&hierarchy(&milk)).unwrap()
    };
    let kept = |baskets: Transactions, interest: f64| {
        let itemsets = FrequentItemsets::new(MinSupport::Count(10)).mine(&baskets).unwrap();
        let rules = AssociationRules::new(0.5).unwrap().with_min_interest(interest).unwrap();
        let rules = rules.find(&itemsets, BUDGET).unwrap();
        let said = |rule: cip_basket::Rule<'_>| {
            format!("{} => {}", rule.antecedent().collect::<String>(), rule.consequent().collect::<String>())
        };
        rules.iter().map(said).collect::<BTreeSet<_>>()
    };
    // Of 100 with milk 80 have cereal: of 24 with skim milk 19.2 should, and all do.
    let skim = kept(baskets(24), 1.1);
    assert!(skim.contains("milk => cereal") && skim.contains("skim => cereal"), "{skim:?}");
    // Of 76 others 60.8 should, and 56 do.
    assert!(!skim.contains("2% => cereal"), "{skim:?}");
    // All do, but that is no more than a third beyond 19.2.
    assert!(!kept(baskets(24), 1.3).contains("skim => cereal"));
}

#[test]
fn a_product_of_two_categories_is_under_both() {
    let event = |session, product, category| Event {
        session: Some(session),
        product: Some(product),
        category,
        brand: None,
    };
    // Product 1 is in a.b for one event and in e.b for another; one names nothing.
    let events = [event(0, 1, Some(1)), event(1, 1, Some(4)), event(2, 1, None), event(2, 2, Some(3))];
    let known = of_events(&events, &[ItemLevel::Product, ItemLevel::Category]);
    let rule = Baskets::by(BasketKey::SourceSession, batch(&[]).schema(), BUDGET).unwrap();
    let wide = Transactions::from_table(rule.collect(&[batch(&events)]).unwrap()).unwrap();
    let wide = wide.with_hierarchy(&known).unwrap();
    let found = counts(&FrequentItemsets::new(MinSupport::Count(1)).mine(&wide).unwrap());
    let count =
        |items: &[&str]| found.get(&items.iter().map(|&item| item.to_owned()).collect::<Set>()).copied();
    assert_eq!(count(&["product:1"]), Some(3));
    for both in ["category:a.b", "category:a", "category:e.b", "category:e"] {
        assert_eq!(count(&[both]), Some(3), "{both}");
        assert_eq!(count(&[both, "product:1"]), None, "{both}");
    }
    // Neither is under the other: each basket of the product holds both.
    assert_eq!(count(&["category:a.b", "category:e.b"]), Some(3));
    // Product 2 is under a as well, and its basket holds a once.
    assert_eq!(count(&["category:a.d", "product:1"]), Some(1));
    assert_eq!(count(&["category:a", "product:2"]), None);
}

#[test]
fn items_under_each_other_do_not_make_a_search_large() {
    // 60 items in a chain have 2^60 subsets and 60 itemsets.
    let names: Vec<String> = (0..60).map(|item| format!("i{item:02}")).collect();
    let chain: Under = names.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    let wide = transactions(&[vec!["i00"], vec!["i00"]]).with_hierarchy(&hierarchy(&chain)).unwrap();
    assert_eq!(wide.totals().entries, 120);
    let search = FrequentItemsets::new(MinSupport::Count(2));
    assert_eq!(search.mine(&wide).unwrap().len(), 60);
    assert_eq!(search.estimate(&wide).unwrap().itemsets(), 60.0);
    // A sample has the hierarchy, too.
    assert_eq!(search.mine(&wide.sample(1, 7)).unwrap().len(), 0);
    assert_eq!(FrequentItemsets::new(MinSupport::Count(1)).mine(&wide.sample(1, 7)).unwrap().len(), 60);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let schema = batch(&[]).schema().clone();
    let refused = |levels: &[ItemLevel]| Hierarchy::builder(&schema, levels.iter().copied(), BUDGET);
    assert!(matches!(refused(&[]), Err(BasketError::NoLevels)));
    let bare = EventBatch::try_new(batch(&[]).record_batch().project(&[0, 3]).unwrap()).unwrap();
    let column =
        |level: ItemLevel| match Hierarchy::builder(bare.schema(), [ItemLevel::Product, level], BUDGET) {
            Err(BasketError::Core(CoreError::MissingColumn { column })) => column,
            _ => "",
        };
    assert_eq!(column(ItemLevel::Brand), "brand");
    assert_eq!(column(ItemLevel::Category), "category_id");
    assert_eq!(column(Level::Depth(1).into()), "category_code");
    assert_eq!(
        refused(&[ItemLevel::Brand, ItemLevel::Category]).unwrap().columns(),
        ["product_id", "category_code", "brand"]
    );

    let circle = hierarchy(&under(&[("a", "b"), ("b", "a"), ("x", "a")]));
    let said = transactions(&[vec!["x"]]).with_hierarchy(&circle).unwrap_err().to_string();
    assert!(said.contains("is under itself") && !said.contains("`x`"), "{said}");
    let products = of_events(&[], &[ItemLevel::Product]);
    assert!(matches!(hierarchy(&Under::new()).append(&products), Err(BasketError::PartsDiffer { .. })));

    let rules = AssociationRules::new(0.5).unwrap();
    for given in [0.9, 0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(rules.with_min_interest(given), Err(BasketError::MinInterest { .. })), "{given}");
    }
    let mut builder = Transactions::builder(MemoryBudget::from_bytes(20_000));
    for _ in 0..1_000 {
        builder.push(["a"]).unwrap();
    }
    let narrow = builder.finish().unwrap();
    let chain: Under = (0..9)
        .map(|at| (["a", "g"][usize::from(at > 0)].to_owned() + &"g".repeat(at), "g".repeat(at + 2)))
        .collect();
    let said = narrow.with_hierarchy(&hierarchy(&chain)).unwrap_err().to_string();
    assert!(said.contains("baskets with what their items are under"), "{said}");
    let mut builder = Hierarchy::builder(&schema, [ItemLevel::Brand], MemoryBudget::from_bytes(90)).unwrap();
    let event = Event { session: None, product: Some(1), category: None, brand: Some(0) };
    assert!(matches!(builder.push(&batch(&[event])), Err(BasketError::Core(CoreError::Memory { .. }))));
}

#[test]
fn nothing_under_anything_changes_nothing() {
    let narrow = transactions(&[vec!["a", "b"], vec!["b"], vec![]]);
    let wide = narrow.clone().with_hierarchy(&Hierarchy::default()).unwrap();
    let mine = |baskets: &Transactions| FrequentItemsets::new(MinSupport::Count(1)).mine(baskets).unwrap();
    assert_eq!(mine(&narrow), mine(&wide));
    let empty = transactions(&[]).with_hierarchy(&hierarchy(&under(&[("a", "b")]))).unwrap();
    assert!(empty.is_empty() && mine(&empty).is_empty());
}
