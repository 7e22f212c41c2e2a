//! Which rules say more than those of a level above let expect.

use crate::hierarchy::Above;
use crate::itemsets::Itemsets;
use crate::rules::consequents::{Side, take_side};
use crate::rules::found::Row;

/// A more general rule of as many items: what stands in the place of each.
struct General {
    items: Vec<u32>,
    row: usize,
}

/// Returns, by row, whether a rule is interesting: it has `least` times the support, or `least` times the confidence, that each of its close and
/// interesting ancestors lets expect.
pub(crate) fn are_interesting(itemsets: &Itemsets, rows: &[Row], least: f64) -> Vec<bool> {
    let above = itemsets.above();
    let items_of = |row: usize| itemsets.items_of(rows[row].itemset);
    // What is above something is under less than that: ancestors come first.
    let lowness = |row: usize| items_of(row).iter().map(|&item| above.of(item).len()).sum::<usize>();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&row| lowness(row));
    let mut interesting = vec![true; rows.len()];
    for row in order {
        let mut ancestors = ancestors(itemsets, rows, row);
        ancestors.retain(|general| interesting[general.row]);
        let is_close = |general: &General| {
            ancestors
                .iter()
                .all(|other| other.row == general.row || !is_above(above, &general.items, &other.items))
        };
        interesting[row] = ancestors
            .iter()
            .filter(|general| is_close(general))
            .all(|general| exceeds(itemsets, rows, row, general, least));
    }
    interesting
}

/// The rules that some items of a rule make with what they are under in their places.
fn ancestors(itemsets: &Itemsets, rows: &[Row], row: usize) -> Vec<General> {
    let (above, Row { itemset, consequent, .. }) = (itemsets.above(), rows[row]);
    let own = itemsets.items_of(itemset);
    let mut found = Vec::new();
    // At each position: the item itself, or one of those that it is under.
    let mut choice = vec![0; own.len()];
    let mut sides: Vec<(u32, bool)> = Vec::new();
    while advance(&mut choice, |position| 1 + above.of(own[position]).len()) {
        let items: Vec<u32> = (own.iter().zip(&choice))
            .map(|(&item, &chosen)| if chosen == 0 { item } else { above.of(item)[chosen - 1] })
            .collect();
        sides.clear();
        sides.extend(items.iter().enumerate().map(|(at, &item)| (item, consequent >> at & 1 == 1)));
        sides.sort_unstable();
        if sides.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            continue;
        }
        let set: Vec<u32> = sides.iter().map(|&(item, _)| item).collect();
        let mask =
            (sides.iter().enumerate()).fold(0, |mask, (at, &(_, follows))| mask | u64::from(follows) << at);
        let Some(itemset) = itemsets.find(&set) else { continue };
        // Rows are in the order of their itemsets.
        let first = rows.partition_point(|row| row.itemset < itemset);
        let same = rows[first..].iter().take_while(|row| row.itemset == itemset);
        let at = same.enumerate().find(|(_, row)| row.consequent == mask).map(|(at, _)| at);
        found.extend(at.map(|at| General { items, row: first + at }));
    }
    found
}

/// Counts on; says whether there is a next choice.
fn advance(choice: &mut [usize], choices: impl Fn(usize) -> usize) -> bool {
    for (position, chosen) in choice.iter_mut().enumerate() {
        *chosen += 1;
        if *chosen < choices(position) {
            return true;
        }
        *chosen = 0;
    }
    false
}

/// Whether items are those of another rule, or what these are under, and not all of them the same.
fn is_above(above: &Above, general: &[u32], items: &[u32]) -> bool {
    general != items
        && general
            .iter()
            .zip(items)
            .all(|(general, item)| general == item || above.of(*item).contains(general))
}

/// Whether a rule has `least` times what an ancestor lets expect, of support or of confidence.
fn exceeds(itemsets: &Itemsets, rows: &[Row], row: usize, general: &General, least: f64) -> bool {
    let count =
        |items: &[u32]| itemsets.find(items).map_or(0.0, |number| f64::from(itemsets.count_of(number)));
    let (own, consequent) = (itemsets.items_of(rows[row].itemset), rows[row].consequent);
    // The shares of the items in what stands for them, as quotients: of all items, and of those that follow.
    let (mut all, mut following) = ([1.0, 1.0], [1.0, 1.0]);
    for (at, (&item, &general)) in own.iter().zip(&general.items).enumerate() {
        if item != general {
            let share = [count(&[item]), count(&[general])];
            all = [all[0] * share[0], all[1] * share[1]];
            if consequent >> at & 1 == 1 {
                following = [following[0] * share[0], following[1] * share[1]];
            }
        }
    }
    let counts = |row: usize| {
        let Row { itemset, consequent, .. } = rows[row];
        let mut before = Vec::new();
        take_side(itemsets.items_of(itemset), consequent, Side::Antecedent, &mut before);
        [f64::from(itemsets.count_of(itemset)), count(&before)]
    };
    let ([both, before], [general_both, general_before]) = (counts(row), counts(general.row));
    both * all[1] >= least * general_both * all[0]
        || both * general_before * following[1] >= least * general_both * before * following[0]
}
