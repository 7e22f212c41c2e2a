//! How large a search will be, and what makes it so: told before it is made.

use std::fmt;

use cip_core::{Draws, split_mix};
use rayon::prelude::*;

use crate::itemsets::database::Database;
use crate::itemsets::params::Plan;
use crate::itemsets::projection::Projection;
use crate::itemsets::walk::{Step, Walk};

/// Items that are frequent with a first one, from which on what begins with it is estimated.
const LARGE_DEGREE: u32 = 16;
/// First items that are looked at.
const MOST_PLACES: usize = 1 << 10;
/// Random descents for each.
const DESCENTS: u64 = 16;
/// First items after which it is seen whether to go on.
const TOGETHER: usize = 64;
/// Beyond so many times the limit nothing more need be known.
const CERTAIN: f64 = 1e6;
/// Items and baskets that are named.
const NAMED: usize = 5;

/// How many itemsets a search would visit, and what there are so many of.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    itemsets: f64,
    items: Vec<(Box<str>, f64)>,
    longest: Vec<LongBasket>,
}

/// A basket with many frequent items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongBasket {
    /// Which one, from 1, in the order in which the baskets came; those that were left out do not count.
    pub number: u64,
    /// Its frequent items.
    pub frequent_items: usize,
}

impl Estimate {
    /// About how many itemsets a search would visit; of maximal ones, the closed ones that it goes through.
    pub fn itemsets(&self) -> f64 {
        self.itemsets
    }

    /// The items that most of the itemsets hold, with about which share of them; none where there are few itemsets.
    pub fn items(&self) -> impl Iterator<Item = (&str, f64)> {
        self.items.iter().map(|(name, share)| (&**name, *share))
    }

    /// The baskets with the most frequent items, the longest first.
    pub fn longest(&self) -> &[LongBasket] {
        &self.longest
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest: Vec<_> = (self.longest.iter())
            .map(|basket| format!("basket {} ({} frequent items)", basket.number, basket.frequent_items))
            .collect();
        write!(f, "the longest are {}", longest.join(", "))?;
        if !self.items.is_empty() {
            let items: Vec<_> =
                self.items.iter().map(|(name, share)| format!("`{name}` ({:.0}%)", 100.0 * share)).collect();
            write!(f, "; most itemsets hold {}", items.join(", "))?;
        }
        Ok(())
    }
}

/// Returns a number that the itemsets of a search do not exceed.
pub(crate) fn bound(plan: &Plan<'_>) -> f64 {
    let below =
        plan.degrees.iter().map(|&degree| subsets(degree, plan.most_items.saturating_sub(1))).sum::<f64>();
    // Each is in so many baskets, of which each holds so many.
    let database = &plan.database;
    let lengths = (0..database.baskets() as u32).map(|basket| database.basket(basket).len() as u32);
    let within =
        lengths.map(|length| subsets(length, plan.most_items)).sum::<f64>() / f64::from(database.least);
    below.min(within)
}

/// Returns an estimate that there are at least so many itemsets: the subsets of what as many of the longest baskets share as an
/// itemset must be in.
pub(crate) fn certain(plan: &Plan<'_>) -> Estimate {
    let database = &plan.database;
    let least = database.least as usize;
    let mut baskets: Vec<u32> = (0..database.baskets() as u32).collect();
    baskets.sort_by_key(|&basket| std::cmp::Reverse(database.basket(basket).len()));
    let mut shared = match baskets.first() {
        Some(&longest) if least <= baskets.len() => database.basket(longest).to_vec(),
        _ => Vec::new(),
    };
    for &basket in baskets.iter().take(least).skip(1) {
        let places = database.basket(basket);
        shared.retain(|place| places.binary_search(place).is_ok());
        if shared.is_empty() {
            break;
        }
    }
    // Of an item and what it is under, one.
    let mut unrelated: Vec<u32> = Vec::new();
    for place in shared {
        if unrelated.iter().all(|&taken| database.may_join(taken, place)) {
            unrelated.push(place);
        }
    }
    let shared = unrelated;
    let items = shared.len() as u32;
    let itemsets = subsets(items, plan.most_items) - 1.0;
    let holding = subsets(items.saturating_sub(1), plan.most_items - 1) / itemsets;
    // Of all subsets of very many items, a half.
    let share = if holding.is_finite() { holding } else { 0.5 };
    let name = |&place: &u32| (plan.name(place), share);
    Estimate { itemsets, items: shared.iter().take(NAMED).map(name).collect(), longest: longest(plan) }
}

/// Sets of up to `most` of `items` items, the empty one included.
fn subsets(items: u32, most: usize) -> f64 {
    if most >= items as usize {
        return f64::from(items).exp2();
    }
    let mut ways = 1.0;
    (0..=most).fold(0.0, |sum, size| {
        let sum = sum + ways;
        ways *= (f64::from(items) - size as f64) / (size as f64 + 1.0);
        sum
    })
}

/// The bytes of the largest projection that a search starts with.
pub(crate) fn largest_first_step(database: &Database, degrees: &[u32]) -> u64 {
    let steps =
        degrees.iter().zip(&database.counts).map(|(&degree, &count)| Projection::bytes(degree, count));
    steps.max().unwrap_or(0)
}

pub(crate) fn estimate(plan: &Plan<'_>) -> Estimate {
    let degrees = &plan.degrees;
    let mut large: Vec<u32> =
        (0..degrees.len() as u32).filter(|&place| degrees[place as usize] >= LARGE_DEGREE).collect();
    large.sort_by_key(|&place| std::cmp::Reverse(degrees[place as usize]));
    large.truncate(MOST_PLACES);
    let mut sum = Weights { itemsets: 0.0, places: vec![0.0; degrees.len()] };
    let mut looked_at = vec![false; degrees.len()];
    for places in large.chunks(TOGETHER) {
        let weights: Vec<_> = places.par_iter().map(|&place| probe(plan, place)).collect();
        for (&place, (itemsets, held)) in places.iter().zip(weights) {
            looked_at[place as usize] = true;
            sum.itemsets += itemsets;
            held.into_iter().for_each(|(place, weight)| sum.places[place as usize] += weight);
        }
        if sum.itemsets > CERTAIN * plan.most_itemsets.max(1) as f64 {
            break;
        }
    }
    // Where little begins: at least the item and its pairs.
    let mut itemsets = sum.itemsets;
    if plan.most_items > 1 {
        let rest = degrees.iter().zip(&looked_at).filter(|(_, looked_at)| !**looked_at);
        itemsets += rest.map(|(&degree, _)| 1.0 + f64::from(degree)).sum::<f64>();
    } else {
        itemsets = degrees.len() as f64;
    }
    Estimate { itemsets, items: sum.most_held(plan), longest: longest(plan) }
}

/// By place, how many of the itemsets hold it.
struct Weights {
    itemsets: f64,
    places: Vec<f64>,
}

impl Weights {
    fn most_held(&self, plan: &Plan<'_>) -> Vec<(Box<str>, f64)> {
        let mut places: Vec<usize> =
            (0..self.places.len()).filter(|&place| self.places[place] > 0.0).collect();
        places.sort_by(|&a, &b| self.places[b].total_cmp(&self.places[a]).then(a.cmp(&b)));
        places
            .into_iter()
            .take(NAMED)
            .map(|place| (plan.name(place as u32), self.places[place] / self.itemsets))
            .collect()
    }
}

/// Estimates how many itemsets begin with a place, and how many of these hold each place.
///
/// A random descent takes one child of each itemset that it meets; the itemset stands for as many as the numbers of
/// children above it multiply to.
fn probe(plan: &Plan<'_>, first: u32) -> (f64, Vec<(u32, f64)>) {
    let mut walk = Walk::new(&plan.database, plan.kind, plan.most_items);
    let (mut itemsets, mut held) = (0.0, Vec::new());
    if walk.start(first) == Step::Refused {
        return (itemsets, held);
    }
    let mut draws = Draws::new(split_mix(u64::from(first)));
    // Its seed is a first number already.
    draws.draw();
    let enough = CERTAIN * plan.most_itemsets.max(1) as f64;
    for _ in 0..DESCENTS {
        let mut weight = 1.0 / DESCENTS as f64;
        loop {
            if let Some((set, _)) = walk.here() {
                itemsets += weight;
                held.extend(set.iter().map(|&place| (place, weight)));
            }
            let children = walk.children();
            weight *= children as f64;
            if children == 0 || weight > enough || walk.descend(draws.below(children)) == Step::Refused {
                break;
            }
        }
        walk.back_to_start();
    }
    (itemsets, held)
}

pub(crate) fn longest(plan: &Plan<'_>) -> Vec<LongBasket> {
    let mut longest: Vec<LongBasket> = Vec::new();
    for basket in 0..plan.database.baskets() as u32 {
        let frequent_items = plan.database.basket(basket).len();
        if longest.len() == NAMED && longest.last().is_some_and(|last| last.frequent_items >= frequent_items)
        {
            continue;
        }
        let place = longest.partition_point(|before| before.frequent_items >= frequent_items);
        longest.insert(place, LongBasket { number: u64::from(basket) + 1, frequent_items });
        longest.truncate(NAMED);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_are_binomial_sums() {
        assert_eq!(subsets(5, usize::MAX), 32.0);
        assert_eq!(subsets(5, 5), 32.0);
        assert_eq!(subsets(5, 2), 1.0 + 5.0 + 10.0);
        assert_eq!(subsets(5, 0), 1.0);
        assert_eq!(subsets(0, 3), 1.0);
        assert_eq!(subsets(100_000, usize::MAX), f64::INFINITY);
    }
}
