//! Trees of LightGBM: splits and leaves in lists, each split with the side of what is not known.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use crate::error::PropensityError;
use crate::lightgbm::header::{Header, MOST_CODES, NumberedColumns};
use crate::lightgbm::text::Section;
use crate::tree::{Leaf, Node, Split, Test, Tree};

const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;
/// What counts as unknown: nothing, zeros, or NaN.
const MISSING: u8 = 0b1100;
const MISSING_ZERO: u8 = 0b0100;
const MISSING_NAN: u8 = 0b1000;

/// The lists of a tree.
struct Lists {
    features: Vec<usize>,
    gains: Vec<f32>,
    thresholds: Vec<f64>,
    decisions: Vec<u8>,
    children: [Vec<i64>; 2],
    /// Rows in training.
    split_rows: Vec<f32>,
    leaf_rows: Vec<f32>,
    values: Vec<f64>,
    sets: Sets,
}

/// The categories that go left, by the number of their split.
struct Sets {
    bounds: Vec<usize>,
    words: Vec<u32>,
}

impl Sets {
    fn read(section: &Section<'_>) -> Result<Self, PropensityError> {
        let count: usize = section.number("num_cat", "the number of splits by categories")?;
        if count == 0 {
            return Ok(Self { bounds: vec![0], words: Vec::new() });
        }
        let expected = "ascending numbers from 0";
        let ends = count.checked_add(1);
        let ends = ends.ok_or_else(|| section.refuse("num_cat", &count.to_string(), "fewer of them"))?;
        let bounds: Vec<usize> = section.numbers("cat_boundaries", ends, expected)?;
        if bounds[0] != 0 || bounds.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(section.refuse("cat_boundaries", "other numbers", expected));
        }
        let last = bounds.last().copied().unwrap_or_default();
        let words = section.numbers("cat_threshold", last, "words of 32 bits")?;
        Ok(Self { bounds, words })
    }

    /// The codes of a split, whose threshold is the number of its set.
    fn codes(&self, threshold: f64) -> Result<Vec<u32>, &'static str> {
        let at = threshold as usize;
        let range = self.bounds.windows(2).nth(at).filter(|_| threshold == at as f64);
        let words = range.and_then(|ends| self.words.get(ends[0]..ends[1]));
        let words = words.ok_or("it names categories that are not there")?;
        if words.len() > (MOST_CODES / u32::BITS) as usize {
            return Err("a category is none of 0 to 65535");
        }
        let bits = |(word, bits): (u32, &u32)| {
            let bits = *bits;
            (0..u32::BITS).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * u32::BITS + bit)
        };
        Ok((0u32..).zip(words).flat_map(bits).collect())
    }
}

/// Adds the codes of the categories that a tree names to those that are known of each feature.
pub(super) fn gather_codes(
    section: &Section<'_>,
    tree: usize,
    seen: &mut [Option<BTreeSet<u32>>],
) -> Result<(), PropensityError> {
    if leaves(section)? == 1 {
        return Ok(());
    }
    let lists = Lists::read(section)?;
    for node in lists.splits().filter(|&node| lists.decisions[node] & CATEGORICAL != 0) {
        let refuse = |reason| PropensityError::ModelTree { tree, node, reason };
        let codes = lists.sets.codes(lists.thresholds[node]).map_err(refuse)?;
        let feature = seen.get_mut(lists.features[node]);
        let feature = feature.ok_or_else(|| refuse("it tests a feature that the model does not have"))?;
        feature.get_or_insert_default().extend(codes);
    }
    Ok(())
}

/// Reads a tree as our own, level by level.
pub(super) fn read(
    section: &Section<'_>,
    tree: usize,
    header: &Header,
    columns: &NumberedColumns,
) -> Result<Tree, PropensityError> {
    let refuse = |node, reason| PropensityError::ModelTree { tree, node, reason };
    if section.optional("is_linear").is_some_and(|linear| linear != "0") {
        let (what, found) = ("leaves", "linear".into());
        return Err(PropensityError::ForeignModel {
            what,
            found,
            expected: "values: train it without linear_tree",
        });
    }
    if leaves(section)? == 1 {
        let values: Vec<f64> = section.numbers("leaf_value", 1, "a number")?;
        let leaf = Leaf { value: header.sigmoid * values[0], cover: 0.0 };
        let tree = Tree::try_new(vec![Node::Leaf(leaf)], columns.own.categories());
        return tree.map_err(|(node, reason)| refuse(node, reason));
    }
    let lists = Lists::read(section)?;
    let mut own = Vec::new();
    let mut open = VecDeque::from([0i64]);
    let mut seen = 1u32;
    while let Some(at) = open.pop_front() {
        if at < 0 {
            let leaf = !at as usize;
            let value = lists.values.get(leaf).ok_or_else(|| refuse(leaf, "a leaf is not there"))?;
            own.push(Node::Leaf(Leaf { value: header.sigmoid * value, cover: lists.leaf_rows[leaf] }));
            continue;
        }
        let node = at as usize;
        if node >= lists.features.len() {
            return Err(refuse(node, "a split is not there"));
        }
        let [left, right] = [&lists.children[0], &lists.children[1]].map(|children| children[node]);
        // Splits and leaves are as many as a tree of them has, so whatever is there twice makes more.
        if seen as usize + 2 > lists.features.len() + lists.values.len() {
            return Err(refuse(node, "its splits have more children than the tree has nodes"));
        }
        open.extend([left, right]);
        let (test, missing_left) = lists.test(node, columns).map_err(|reason| refuse(node, reason))?;
        own.push(Node::Split(Split {
            feature: lists.features[node] as u32,
            test,
            missing_left,
            left: seen,
            right: seen + 1,
            gain: lists.gains[node],
            cover: lists.split_rows[node],
        }));
        seen += 2;
    }
    Tree::try_new(own, columns.own.categories()).map_err(|(node, reason)| refuse(node, reason))
}

fn leaves(section: &Section<'_>) -> Result<usize, PropensityError> {
    const MOST: usize = 1 << 16;
    let expected = "1 to 65536";
    let leaves: usize = section.number("num_leaves", expected)?;
    if (1..=MOST).contains(&leaves) {
        Ok(leaves)
    } else {
        Err(section.refuse("num_leaves", &leaves.to_string(), expected))
    }
}

impl Lists {
    fn read(section: &Section<'_>) -> Result<Self, PropensityError> {
        let leaves = leaves(section)?;
        let splits = leaves - 1;
        let places = "places of splits, or of leaves below 0";
        Ok(Self {
            features: section.numbers("split_feature", splits, "places of features")?,
            gains: section.numbers("split_gain", splits, "numbers")?,
            thresholds: section.numbers("threshold", splits, "numbers")?,
            decisions: section.numbers("decision_type", splits, "numbers from 0 to 255")?,
            children: [
                section.numbers("left_child", splits, places)?,
                section.numbers("right_child", splits, places)?,
            ],
            split_rows: section.numbers("internal_count", splits, "numbers of rows")?,
            leaf_rows: section.numbers("leaf_count", leaves, "numbers of rows")?,
            values: section.numbers("leaf_value", leaves, "numbers")?,
            sets: Sets::read(section)?,
        })
    }

    fn splits(&self) -> Range<usize> {
        0..self.features.len()
    }

    /// The test of a split, and whether unknown values go left.
    fn test(&self, node: usize, columns: &NumberedColumns) -> Result<(Test, bool), &'static str> {
        let (threshold, decision) = (self.thresholds[node], self.decisions[node]);
        if decision & CATEGORICAL != 0 {
            let known = columns.codes.get(self.features[node]);
            let known = known.ok_or("it tests a feature that the model does not have")?;
            let code = |code| known.get(&code).copied().ok_or("it has a category without a name");
            let mut codes: Vec<u32> =
                self.sets.codes(threshold)?.into_iter().map(code).collect::<Result<_, _>>()?;
            codes.sort_unstable();
            // Whatever a categorical split does not name goes right there, the unknown as well.
            return Ok((Test::OneOf(codes.into()), false));
        }
        let default_left = decision & DEFAULT_LEFT != 0;
        let zero_left = 0.0 <= threshold;
        let missing_left = match decision & MISSING {
            // NaN is taken for 0.
            0 => zero_left,
            MISSING_NAN => default_left,
            MISSING_ZERO if default_left == zero_left => zero_left,
            MISSING_ZERO => return Err("it takes zeros for unknown: train it without zero_as_missing"),
            _ => return Err("its decision type is none that LightGBM has"),
        };
        Ok((Test::Below(least_above(threshold)?), missing_left))
    }
}

/// The least number of 32 bits above a threshold: what is not above the one is below the other. Thresholds beyond all such numbers, which part
/// the known from the unknown, become the least of them and the greatest; the greatest itself as a value would then go the other way.
fn least_above(threshold: f64) -> Result<f32, &'static str> {
    if threshold.is_nan() {
        return Err("the threshold is not a number");
    }
    let rounded = threshold as f32;
    let above = if f64::from(rounded) > threshold { rounded } else { rounded.next_up() };
    Ok(above.clamp(f32::MIN, f32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_threshold_parts_numbers_of_32_bits_as_it_did(bits in any::<u32>(), other in any::<u32>(), step in -2i64..3) {
            let value = f32::from_bits(bits);
            prop_assume!(value.is_finite() && value.abs() < f32::MAX);
            // Right at the value, a step of 64 bits beside it, and anywhere.
            let near = f64::from_bits((f64::from(value).to_bits() as i64).wrapping_add(step) as u64);
            for threshold in [near, f64::from(f32::from_bits(other)), 1e300, -1e300, 0.0, 1e-35] {
                if !threshold.is_nan() {
                    prop_assert_eq!(value < least_above(threshold).unwrap(), f64::from(value) <= threshold);
                }
            }
        }
    }
}
