//! From itemsets to rules, a size of itemsets at a time.

use cip_core::{MemoryBudget, benjamini_hochberg};
use rayon::prelude::*;

use crate::error::BasketError;
use crate::itemsets::Itemsets;
use crate::rules::consequents::{Consequents, Side, take_side, without_position};
use crate::rules::found::{Row, Rules};
use crate::rules::interest::are_interesting;
use crate::rules::measures::RuleCounts;
use crate::rules::params::{AssociationRules, RedundantRules};

/// What a rule takes: its row, and what its q-value is made from.
const RULE_BYTES: u64 = 40;
/// What a way to split an itemset takes: the highest confidence, of this size and of the one before.
const SPLIT_BYTES: u64 = 16;

/// The highest confidence of a rule and of all more general ones, for every split of the itemsets of one size.
struct Level {
    consequents: Consequents,
    /// Where the itemsets of the size start.
    first: usize,
    highest: Vec<f64>,
}

impl Level {
    fn highest(&self, itemset: usize, consequent: u64) -> Option<f64> {
        let place = self.consequents.place(consequent)?;
        self.highest.get((itemset - self.first) * self.consequents.len() + place).copied()
    }
}

pub(crate) fn find(
    rules: AssociationRules,
    itemsets: &Itemsets,
    budget: MemoryBudget,
) -> Result<Rules<'_>, BasketError> {
    let item_counts = ItemCounts::of(itemsets);
    let mut rows: Vec<Row> = Vec::new();
    let mut before = Level { consequents: Consequents::of(1, 1), first: 0, highest: Vec::new() };
    for size in 2..=itemsets.by_size().len() {
        let consequents = Consequents::of(size, rules.most_consequent);
        let range = itemsets.of_size(size);
        let splits = range.len() * consequents.len();
        let check = |rules: usize| {
            let bytes = RULE_BYTES * rules as u64 + SPLIT_BYTES * splits as u64;
            let too_many = BasketError::TooManyRules { rules: rules as u64, items: size, budget };
            if bytes > budget.bytes() { Err(too_many) } else { Ok(()) }
        };
        check(rows.len())?;
        let mut level = Level { consequents, first: range.start, highest: vec![0.0; splits] };
        let width = level.consequents.len().max(1);
        let (consequents, before_it, counts) = (&level.consequents, &before, &item_counts);
        let parts: Vec<Vec<Row>> = level
            .highest
            .par_chunks_mut(width)
            .zip(range.into_par_iter())
            .map(|(highest, itemset)| {
                split(rules, itemsets, counts, itemset, consequents, before_it, highest)
            })
            .collect();
        rows.extend(parts.into_iter().flatten());
        check(rows.len())?;
        before = level;
    }
    let p_values: Vec<f64> = rows.iter().map(|row| row.p_value).collect();
    for (row, q_value) in rows.iter_mut().zip(benjamini_hochberg(&p_values)) {
        row.q_value = q_value;
    }
    let tested = rows.len() as u64;
    let interesting = rules.min_interest.map(|least| are_interesting(itemsets, &rows, least));
    let mut interesting = interesting.into_iter().flatten();
    rows.retain(|row| {
        interesting.next() != Some(false)
            && row.q_value <= rules.most_q
            && !(row.redundant && rules.redundant == RedundantRules::LeaveOut)
    });
    Ok(Rules::new(itemsets, item_counts, rows, tested))
}

/// Splits one itemset in all ways; returns the rules, and the highest confidence of each way and of its more general ones.
fn split(
    rules: AssociationRules,
    itemsets: &Itemsets,
    item_counts: &ItemCounts,
    itemset: usize,
    consequents: &Consequents,
    before: &Level,
    highest: &mut [f64],
) -> Vec<Row> {
    let items = itemsets.items_of(itemset);
    // The itemsets of one item less, by the position that is left out.
    let smaller: Vec<Option<usize>> = (0..items.len())
        .map(|left_out| {
            let rest: Vec<u32> =
                items.iter().enumerate().filter(|&(at, _)| at != left_out).map(|(_, &item)| item).collect();
            itemsets.find(&rest)
        })
        .collect();
    let mut rows = Vec::new();
    for (place, highest) in highest.iter_mut().enumerate() {
        let consequent = consequents.mask(place);
        let Some(counts) = counts(itemsets, item_counts, itemset, consequent) else { continue };
        let confidence = counts.confidence();
        let positions = (0..items.len()).filter(|at| consequent >> at & 1 == 0);
        let general = positions
            .filter_map(|at| before.highest(smaller[at]?, without_position(consequent, at)))
            .fold(0.0, f64::max);
        *highest = general.max(confidence);
        if confidence >= rules.min_confidence {
            rows.push(Row {
                itemset,
                consequent,
                p_value: counts.p_value(),
                q_value: 1.0,
                redundant: general >= confidence,
            });
        }
    }
    rows
}

/// Returns the counts of a rule.
pub(crate) fn counts(
    itemsets: &Itemsets,
    item_counts: &ItemCounts,
    itemset: usize,
    consequent: u64,
) -> Option<RuleCounts> {
    let items = itemsets.items_of(itemset);
    let mut side = Vec::with_capacity(items.len());
    let mut count = |which| {
        take_side(items, consequent, which, &mut side);
        itemsets.find(&side).map(|side| u64::from(itemsets.count_of(side)))
    };
    Some(RuleCounts {
        baskets: itemsets.baskets(),
        antecedent: count(Side::Antecedent)?,
        consequent: count(Side::Consequent)?,
        both: u64::from(itemsets.count_of(itemset)),
        most_frequent_item: items.iter().map(|&item| item_counts.of_item(item)).max()?,
    })
}

/// How many baskets hold each item.
#[derive(Debug, Clone)]
pub(crate) struct ItemCounts(Vec<u32>);

impl ItemCounts {
    fn of(itemsets: &Itemsets) -> Self {
        let mut counts = vec![0; itemsets.names().len()];
        for single in itemsets.of_size(1) {
            itemsets
                .items_of(single)
                .iter()
                .for_each(|&item| counts[item as usize] = itemsets.count_of(single));
        }
        Self(counts)
    }

    fn of_item(&self, item: u32) -> u64 {
        u64::from(self.0[item as usize])
    }
}
