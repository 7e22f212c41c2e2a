//! Rules against their definitions.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use cip_basket::{
    AssociationRules, BasketError, FrequentItemsets, ItemsetKind, MinSupport, RedundantRules, Rules,
    Transactions,
};
use cip_core::{MemoryBudget, table};
use proptest::prelude::*;

use crate::itemsets::{BUDGET, numbered, oracle, transactions};

type Sides = (BTreeSet<String>, BTreeSet<String>);

/// What the definitions say of a rule.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    counts: [u64; 3],
    redundant: bool,
}

fn sides(rules: &Rules<'_>) -> BTreeMap<Sides, Expected> {
    let names = |side: &mut dyn Iterator<Item = &str>| side.map(str::to_owned).collect::<BTreeSet<_>>();
    rules
        .iter()
        .map(|rule| {
            let counts = rule.counts();
            let expected = Expected {
                counts: [counts.both, counts.antecedent, counts.consequent],
                redundant: rule.is_redundant(),
            };
            ((names(&mut rule.antecedent()), names(&mut rule.consequent())), expected)
        })
        .collect()
}

/// All rules, by all splits of all itemsets.
fn rule_oracle(
    baskets: &[Vec<u8>],
    least: u64,
    min_confidence: f64,
    most: usize,
) -> BTreeMap<Sides, Expected> {
    let all = oracle(baskets, least);
    let mut rules: BTreeMap<Sides, [u64; 3]> = BTreeMap::new();
    for (set, &both) in &all {
        for consequent in
            all.keys().filter(|side| side.len() <= most && side.len() < set.len() && side.is_subset(set))
        {
            let antecedent: BTreeSet<String> = set.difference(consequent).cloned().collect();
            rules.insert((antecedent.clone(), consequent.clone()), [both, all[&antecedent], all[consequent]]);
        }
    }
    let confidence = |counts: &[u64; 3]| counts[0] as f64 / counts[1] as f64;
    rules
        .iter()
        .filter(|(_, counts)| confidence(counts) >= min_confidence)
        .map(|((antecedent, consequent), counts)| {
            let more_general = rules.iter().any(|((fewer, same), there)| {
                same == consequent
                    && fewer.len() < antecedent.len()
                    && fewer.is_subset(antecedent)
                    && confidence(there) >= confidence(counts)
            });
            ((antecedent.clone(), consequent.clone()), Expected { counts: *counts, redundant: more_general })
        })
        .collect()
}

fn itemsets(baskets: &Transactions, least: u64) -> cip_basket::Itemsets {
    FrequentItemsets::new(MinSupport::Count(least)).mine(baskets).unwrap()
}

fn columns(batch: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    match batch[name].as_primitive_opt::<Float64Type>() {
        Some(values) => values.iter().collect(),
        None => batch[name]
            .as_primitive::<Int64Type>()
            .iter()
            .map(|value| value.map(|value| value as f64))
            .collect(),
    }
}

/// Few items, so that the plain ways to count end soon.
fn baskets() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(0u8..6, 0..6), 0..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rules_are_those_of_the_definitions(
        baskets in baskets(),
        least in 1u64..5,
        min_confidence in prop_oneof![Just(0.0), 0.0f64..=1.0, Just(1.0)],
        most in 1usize..5,
    ) {
        let itemsets = itemsets(&numbered(&baskets), least);
        let asked = AssociationRules::new(min_confidence).unwrap().with_most_consequent(most).unwrap();
        let expected = rule_oracle(&baskets, least, min_confidence, most);
        let found = asked.find(&itemsets, BUDGET).unwrap();
        prop_assert_eq!(found.len(), expected.len());
        prop_assert_eq!(sides(&found), expected.clone());
        let without = asked.with_redundant(RedundantRules::LeaveOut).find(&itemsets, BUDGET).unwrap();
        prop_assert_eq!(without.tested() as usize, expected.len());
        prop_assert_eq!(without.len(), expected.values().filter(|rule| !rule.redundant).count());
    }

    #[test]
    fn the_table_says_what_the_rules_say(baskets in baskets(), later in baskets()) {
        let (given, later) = (numbered(&baskets), numbered(&later));
        let itemsets = itemsets(&given, 1);
        let rules = AssociationRules::new(0.3).unwrap().with_most_consequent(2).unwrap();
        let rules = rules.find(&itemsets, BUDGET).unwrap().with_later(&later);
        let there = FrequentItemsets::new(MinSupport::Count(1)).mine(&later).unwrap();
        let there: BTreeMap<BTreeSet<&str>, u64> = there.iter().map(|set| (set.names().collect(), set.count())).collect();
        let mut next = rules.iter();
        for batch in rules.batches() {
            let batch = batch.unwrap();
            prop_assert_eq!(batch.schema(), table::rules(table::LaterBaskets::Known));
            for (row, rule) in next.by_ref().take(batch.num_rows()).enumerate() {
                let names = |column: &str| {
                    let list = batch[column].as_list::<i32>().value(row);
                    list.as_string::<i32>().iter().map(|name| name.unwrap().to_owned()).collect::<Vec<_>>()
                };
                prop_assert!(rule.antecedent().eq(names("antecedent").iter()));
                prop_assert!(rule.consequent().eq(names("consequent").iter()));
                let measures = rule.measures();
                for (column, expected) in [
                    ("count", Some(rule.counts().both as f64)),
                    ("confidence", Some(measures.confidence)),
                    ("conviction", measures.conviction),
                    ("zhang", measures.zhang),
                    ("odds_ratio", measures.odds_ratio),
                    ("chi_square_p", measures.chi_square_p),
                    ("p_value", Some(measures.p_value)),
                    ("q_value", Some(rule.q_value())),
                ] {
                    prop_assert_eq!(columns(&batch, column)[row], expected, "{}", column);
                }
                let count = |set: &mut dyn Iterator<Item = &str>| {
                    there.get(&set.collect::<BTreeSet<_>>()).copied().unwrap_or(0) as f64
                };
                let both = count(&mut rule.antecedent().chain(rule.consequent()));
                let sides = count(&mut rule.antecedent()) * count(&mut rule.consequent());
                prop_assert_eq!(columns(&batch, "later_count")[row], Some(both));
                let lift = (sides > 0.0).then(|| both * later.len() as f64 / sides);
                prop_assert_eq!(columns(&batch, "later_lift")[row], lift);
            }
            for column in batch.columns() {
                if let Some(values) = column.as_primitive_opt::<Float64Type>() {
                    prop_assert!(values.iter().flatten().all(|value| !value.is_nan()));
                }
            }
        }
        prop_assert!(next.next().is_none());
    }

    #[test]
    fn q_values_are_those_of_all_rules_whichever_are_kept(baskets in baskets(), most_q in 0.01f64..1.0) {
        let itemsets = itemsets(&numbered(&baskets), 1);
        let asked = AssociationRules::new(0.2).unwrap();
        let all = asked.find(&itemsets, BUDGET).unwrap();
        let p: Vec<f64> = all.iter().map(|rule| rule.measures().p_value).collect();
        for rule in all.iter() {
            // Directly from the definition.
            let at_most = |limit: f64| p.iter().filter(|&&p| p <= limit).count() as f64;
            let own = rule.measures().p_value;
            let q = p.iter().filter(|&&p| p >= own).map(|&p| p * all.len() as f64 / at_most(p)).fold(1.0, f64::min);
            prop_assert!((rule.q_value() - q).abs() < 1e-12);
        }
        let kept = asked.with_most_q(most_q).unwrap().find(&itemsets, BUDGET).unwrap();
        prop_assert_eq!(kept.tested(), all.tested());
        prop_assert!(kept.iter().map(|rule| rule.q_value()).eq(all.iter().map(|rule| rule.q_value()).filter(|&q| q <= most_q)));
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for given in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert!(matches!(AssociationRules::new(given), Err(BasketError::MinConfidence { .. })));
    }
    let rules = AssociationRules::new(0.5).unwrap();
    for given in [0.0, -0.1, 1.1, f64::NAN] {
        assert!(matches!(rules.with_most_q(given), Err(BasketError::MostQ { .. })));
    }
    assert!(matches!(rules.with_most_consequent(0), Err(BasketError::MostConsequent)));
    let given = transactions(&[vec!["a", "b"], vec!["a"]]);
    let search = FrequentItemsets::new(MinSupport::Count(1));
    for kind in [ItemsetKind::Closed, ItemsetKind::Maximal] {
        let itemsets = search.with_kind(kind).mine(&given).unwrap();
        assert!(matches!(rules.find(&itemsets, BUDGET), Err(BasketError::NotAllItemsets)));
    }
    let itemsets = search.mine(&given).unwrap();
    let refused = rules.find(&itemsets, MemoryBudget::from_bytes(100)).unwrap_err();
    assert!(matches!(refused, BasketError::TooManyRules { items: 2, .. }), "{refused}");
    assert!(rules.find(&itemsets, MemoryBudget::from_bytes(112)).is_ok());
}

#[test]
fn nothing_has_no_rules() {
    for given in [transactions(&[]), transactions(&[vec!["a"], vec!["b"]])] {
        let itemsets = itemsets(&given, 1);
        let rules = AssociationRules::new(0.0).unwrap().find(&itemsets, BUDGET).unwrap();
        assert!(rules.is_empty() && rules.batches().next().is_none() && rules.iter().next().is_none());
    }
}
