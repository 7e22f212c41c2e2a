//! Trees packed for scoring: many rows at once, without a branch that could be foretold wrong.

use crate::leaf_mask::{Lane, LeafMasks, ROWS};
use crate::tree::{Node, Test, Tree, code};

/// Rows that walk a tree side by side: the loads of one wait for nothing of the others.
const LANES: usize = 8;

/// Whether unknown values go left stands in the highest bit of a node's feature.
const MISSING_LEFT: u32 = 1 << 31;

/// Whether it is categories that go left stands in the next.
const CATEGORIES: u32 = 1 << 30;

const FEATURE: u32 = !(MISSING_LEFT | CATEGORIES);

/// Fewer rows walk sooner than they ask all splits.
const FEW_ROWS: usize = 6;

/// The nodes of all trees, one behind the other, and the masks of those that are small and of numbers.
///
/// # Method
/// Small trees are asked by [`LeafMasks`]; large ones, and few rows, walk. A leaf leads to itself, so a walk needs no test for its end: the
/// rows of a group step on until none of them moves. The walk of [`Tree::value`] is the oracle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Forest {
    nodes: Vec<PackedNode>,
    roots: Vec<u32>,
    /// Of each tree.
    masks: Vec<Option<LeafMasks>>,
    /// What leaves add to the margin.
    values: Vec<f64>,
    /// For each split by categories, how many words of bits follow; the bits of codes that go left are set.
    sets: Vec<u32>,
}

/// A node in 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct PackedNode {
    /// The threshold of a split; the bits of the place of its set, or of the value of a leaf.
    number: f32,
    feature: u32,
    /// For values that do not pass the test, and for those that do.
    children: [u32; 2],
}

impl PackedNode {
    /// The next node; without `WITH_SETS` no split may be one by categories.
    #[inline]
    fn next<const WITH_SETS: bool>(&self, row: &[f32], sets: &[u32]) -> u32 {
        let value = row[(self.feature & FEATURE) as usize];
        let unknown_left = value.is_nan() & (self.feature & MISSING_LEFT != 0);
        let passes = if WITH_SETS && self.feature & CATEGORIES != 0 {
            self.has(value, sets)
        } else {
            value < self.number
        };
        self.children[usize::from(passes | unknown_left)]
    }

    /// Whether a value is the code of a category that goes left.
    fn has(&self, value: f32, sets: &[u32]) -> bool {
        let Some(code) = code(value) else { return false };
        let set = self.place();
        let word = code / u32::BITS;
        word < sets[set] && sets[set + 1 + word as usize] >> (code % u32::BITS) & 1 == 1
    }

    fn place(&self) -> usize {
        self.number.to_bits() as usize
    }
}

impl Forest {
    pub(crate) fn new(trees: &[Tree]) -> Self {
        let mut forest = Self {
            nodes: Vec::new(),
            roots: Vec::with_capacity(trees.len()),
            masks: trees.iter().map(LeafMasks::new).collect(),
            values: Vec::new(),
            sets: Vec::new(),
        };
        for tree in trees {
            let root = forest.nodes.len() as u32;
            forest.roots.push(root);
            for (node, own) in tree.nodes().iter().zip(root..) {
                let packed = forest.pack(node, root, own);
                forest.nodes.push(packed);
            }
        }
        forest
    }

    fn pack(&mut self, node: &Node, root: u32, own: u32) -> PackedNode {
        let place = |length: usize| f32::from_bits(length as u32);
        match node {
            Node::Leaf(leaf) => {
                self.values.push(leaf.value);
                PackedNode { number: place(self.values.len() - 1), feature: 0, children: [own; 2] }
            }
            Node::Split(split) => {
                let (number, kind) = match &split.test {
                    Test::Below(threshold) => (*threshold, 0),
                    Test::OneOf(codes) => {
                        let set = self.sets.len();
                        let words = codes.last().map_or(0, |last| last / u32::BITS + 1);
                        self.sets.push(words);
                        self.sets.resize(set + 1 + words as usize, 0);
                        for code in codes {
                            self.sets[set + 1 + (code / u32::BITS) as usize] |= 1 << (code % u32::BITS);
                        }
                        (place(set), CATEGORIES)
                    }
                };
                let missing = if split.missing_left { MISSING_LEFT } else { 0 };
                PackedNode {
                    number,
                    feature: split.feature | missing | kind,
                    children: [root + split.right, root + split.left],
                }
            }
        }
    }

    /// Adds the values of all trees, in their order, to the margin of each row; `values` holds `columns` of them a row.
    ///
    /// # Panics
    /// Where there are fewer values than rows and columns.
    pub(crate) fn add(&self, margins: &mut [f64], values: &[f32], columns: usize) {
        let mut lanes: Vec<Lane> = vec![[0.0; ROWS]; columns];
        for (margins, values) in margins.chunks_mut(ROWS).zip(values.chunks(ROWS * columns)) {
            let few = margins.len() < FEW_ROWS;
            if !few {
                for (row, values) in values.chunks_exact(columns).enumerate() {
                    lanes.iter_mut().zip(values).for_each(|(lane, value)| lane[row] = *value);
                }
            }
            for (&root, masks) in self.roots.iter().zip(&self.masks) {
                match masks {
                    Some(masks) if !few => masks.add(margins, &lanes),
                    _ if self.sets.is_empty() => self.walk_all::<false>(root, margins, values, columns),
                    _ => self.walk_all::<true>(root, margins, values, columns),
                }
            }
        }
    }

    /// Adds the values of one tree to the margins of all rows.
    fn walk_all<const WITH_SETS: bool>(
        &self,
        root: u32,
        margins: &mut [f64],
        values: &[f32],
        columns: usize,
    ) {
        let whole = margins.len() / LANES * LANES;
        let (groups, rest) = margins.split_at_mut(whole);
        for (group, margins) in groups.chunks_exact_mut(LANES).enumerate() {
            let start = group * LANES * columns;
            let rows = &values[start..start + LANES * columns];
            self.walk::<LANES, WITH_SETS>(root, margins, rows, columns);
        }
        for (row, margin) in rest.iter_mut().enumerate() {
            let start = (whole + row) * columns;
            let row = &values[start..start + columns];
            self.walk::<1, WITH_SETS>(root, std::slice::from_mut(margin), row, columns);
        }
    }

    /// Adds the values of one tree to the margins of N rows.
    #[inline]
    fn walk<const N: usize, const WITH_SETS: bool>(
        &self,
        root: u32,
        margins: &mut [f64],
        values: &[f32],
        columns: usize,
    ) {
        let rows: [&[f32]; N] = std::array::from_fn(|lane| &values[lane * columns..(lane + 1) * columns]);
        let mut at = [root; N];
        loop {
            let next: [u32; N] = std::array::from_fn(|lane| {
                self.nodes[at[lane] as usize].next::<WITH_SETS>(rows[lane], &self.sets)
            });
            if next == at {
                break;
            }
            at = next;
        }
        for (margin, leaf) in margins.iter_mut().zip(at) {
            *margin += self.values[self.nodes[leaf as usize].place()];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Categories;
    use crate::tree::{Leaf, Split};
    use proptest::prelude::*;

    /// The feature with categories, of the three.
    const CATEGORICAL: u32 = 2;
    /// More than two words of bits.
    const CODES: u32 = 90;

    fn kinds() -> [Option<Categories>; 3] {
        let names = (0..CODES - 1).map(|code| format!("{code:02}").into()).collect();
        [None, None, Some(Categories::new(names).unwrap())]
    }

    /// A tree of some depth, of so many of the features; every number is drawn from few, so that values often equal thresholds.
    fn tree(features: u32) -> impl Strategy<Value = Tree> {
        let draws = proptest::collection::vec(
            (0..features, -3i8..4, 1u64..1 << 60, any::<bool>(), any::<bool>()),
            1..80,
        );
        draws.prop_map(move |draws| {
            let mut nodes = vec![Node::Leaf(Leaf { value: 0.0, cover: 0.0 })];
            let mut open = vec![0usize];
            for (feature, number, mask, missing_left, deep) in draws {
                let at = if deep { open.pop() } else { Some(open.remove(0)) };
                let Some(at) = at else { break };
                let [left, right] = [nodes.len(), nodes.len() + 1].map(|child| child as u32);
                let test = if feature == CATEGORICAL {
                    Test::OneOf((0..CODES).filter(|code| mask >> (code % 60) & 1 == 1).collect())
                } else {
                    Test::Below(f32::from(number))
                };
                nodes[at] =
                    Node::Split(Split { feature, test, missing_left, left, right, gain: 1.0, cover: 0.0 });
                for side in 0..2u8 {
                    open.push(nodes.len());
                    let value = f64::from(number) * 0.37 + f64::from(side);
                    nodes.push(Node::Leaf(Leaf { value, cover: 0.0 }));
                }
            }
            Tree::try_new(nodes, &kinds()).unwrap()
        })
    }

    proptest! {
        #[test]
        fn the_packed_trees_are_the_plain_walk(
            trees in proptest::collection::vec(prop_oneof![tree(CATEGORICAL), tree(CATEGORICAL + 1)], 0..6),
            rows in proptest::collection::vec((value(), value(), code_or_value()), 0..80),
        ) {
            let rows: Vec<[f32; 3]> = rows.into_iter().map(|(a, b, c)| [a, b, c]).collect();
            let values: Vec<f32> = rows.iter().flatten().copied().collect();
            let mut margins = vec![0.5; rows.len()];
            Forest::new(&trees).add(&mut margins, &values, 3);
            for (row, margin) in rows.iter().zip(margins) {
                let plain = trees.iter().fold(0.5, |sum, tree| sum + tree.value(row));
                prop_assert_eq!(margin, plain);
            }
        }
    }

    fn code_or_value() -> impl Strategy<Value = f32> {
        prop_oneof![4 => (0..CODES + 40).prop_map(|code| code as f32), 1 => value()]
    }

    fn value() -> impl Strategy<Value = f32> {
        prop_oneof![
            4 => (-4i8..5).prop_map(f32::from),
            1 => Just(f32::NAN),
            1 => Just(f32::INFINITY),
            1 => Just(f32::NEG_INFINITY),
            1 => Just(-0.0),
        ]
    }
}
