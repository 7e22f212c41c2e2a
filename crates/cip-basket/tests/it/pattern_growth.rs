//! A second miner, of another family: pattern growth (Han, Pei and Yin 2000), without the tree.

use std::collections::{BTreeMap, BTreeSet};

use crate::itemsets::Counts;

/// Returns the itemsets that `least` baskets or more hold.
///
/// The baskets that hold an item, each cut before it, are the smaller problem; equal ones are merged.
pub(crate) fn pattern_growth(baskets: &[Vec<String>], least: u64) -> Counts {
    let mut merged: BTreeMap<Vec<&str>, u64> = BTreeMap::new();
    for basket in baskets {
        let distinct: BTreeSet<&str> = basket.iter().map(String::as_str).collect();
        *merged.entry(distinct.into_iter().collect()).or_default() += 1;
    }
    let mut found = Counts::new();
    grow(&merged, least, &BTreeSet::new(), &mut found);
    found
}

fn grow(baskets: &BTreeMap<Vec<&str>, u64>, least: u64, set: &BTreeSet<String>, found: &mut Counts) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (basket, times) in baskets {
        basket.iter().for_each(|item| *counts.entry(item).or_default() += times);
    }
    for (item, count) in counts.into_iter().filter(|&(_, count)| count >= least) {
        let mut larger = set.clone();
        larger.insert(item.to_owned());
        let mut conditional: BTreeMap<Vec<&str>, u64> = BTreeMap::new();
        for (basket, times) in baskets {
            if let Some(at) = basket.iter().position(|&other| other == item) {
                *conditional.entry(basket[..at].to_vec()).or_default() += times;
            }
        }
        grow(&conditional, least, &larger, found);
        found.insert(larger, count);
    }
}
