//! Trees packed for scoring: many rows at once, without a branch that could be foretold wrong.

use crate::leaf_mask::{Lane, LeafMasks, ROWS};
use crate::tree::{Node, Tree};

/// Rows that walk a tree side by side: the loads of one wait for nothing of the others.
const LANES: usize = 8;

/// Whether unknown values go left stands in the highest bit of a node's feature.
const MISSING_LEFT: u32 = 1 << 31;

/// Fewer rows walk sooner than they ask all splits.
const FEW_ROWS: usize = 6;

/// The nodes of all trees, one behind the other, and the masks of those that are small.
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
}

/// A node in 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct PackedNode {
    /// The threshold of a split, the value of a leaf.
    number: f32,
    feature: u32,
    /// For values that are not below the threshold, and for those that are.
    children: [u32; 2],
}

impl PackedNode {
    #[inline]
    fn next(&self, row: &[f32]) -> u32 {
        let value = row[(self.feature & !MISSING_LEFT) as usize];
        let unknown_left = value.is_nan() & (self.feature & MISSING_LEFT != 0);
        self.children[usize::from((value < self.number) | unknown_left)]
    }
}

impl Forest {
    pub(crate) fn new(trees: &[Tree]) -> Self {
        let masks = trees.iter().map(LeafMasks::new).collect();
        let mut forest = Self { nodes: Vec::new(), roots: Vec::with_capacity(trees.len()), masks };
        for tree in trees {
            let root = forest.nodes.len() as u32;
            forest.roots.push(root);
            forest.nodes.extend(tree.nodes().iter().zip(root..).map(|(node, own)| match node {
                Node::Leaf(leaf) => PackedNode { number: leaf.value, feature: 0, children: [own; 2] },
                Node::Split(split) => PackedNode {
                    number: split.threshold,
                    feature: split.feature | if split.missing_left { MISSING_LEFT } else { 0 },
                    children: [root + split.right, root + split.left],
                },
            }));
        }
        forest
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
                    _ => self.walk_all(root, margins, values, columns),
                }
            }
        }
    }

    /// Adds the values of one tree to the margins of all rows.
    fn walk_all(&self, root: u32, margins: &mut [f64], values: &[f32], columns: usize) {
        let whole = margins.len() / LANES * LANES;
        let (groups, rest) = margins.split_at_mut(whole);
        for (group, margins) in groups.chunks_exact_mut(LANES).enumerate() {
            let start = group * LANES * columns;
            self.walk::<LANES>(root, margins, &values[start..start + LANES * columns], columns);
        }
        for (row, margin) in rest.iter_mut().enumerate() {
            let start = (whole + row) * columns;
            self.walk::<1>(root, std::slice::from_mut(margin), &values[start..start + columns], columns);
        }
    }

    /// Adds the values of one tree to the margins of N rows.
    #[inline]
    fn walk<const N: usize>(&self, root: u32, margins: &mut [f64], values: &[f32], columns: usize) {
        let rows: [&[f32]; N] = std::array::from_fn(|lane| &values[lane * columns..(lane + 1) * columns]);
        let mut at = [root; N];
        loop {
            let next: [u32; N] = std::array::from_fn(|lane| self.nodes[at[lane] as usize].next(rows[lane]));
            if next == at {
                break;
            }
            at = next;
        }
        for (margin, leaf) in margins.iter_mut().zip(at) {
            *margin += f64::from(self.nodes[leaf as usize].number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Leaf, Split};
    use proptest::prelude::*;

    /// A tree of some depth; every number is drawn from few, so that values often equal thresholds.
    fn tree(features: u32) -> impl Strategy<Value = Tree> {
        let draws = proptest::collection::vec((0..features, -3i8..4, any::<bool>(), any::<bool>()), 1..80);
        draws.prop_map(move |draws| {
            let mut nodes = vec![Node::Leaf(Leaf { value: 0.0, cover: 0.0 })];
            let mut open = vec![0usize];
            for (feature, number, missing_left, deep) in draws {
                let at = if deep { open.pop() } else { Some(open.remove(0)) };
                let Some(at) = at else { break };
                let [left, right] = [nodes.len(), nodes.len() + 1].map(|child| child as u32);
                let threshold = f32::from(number);
                nodes[at] = Node::Split(Split {
                    feature,
                    threshold,
                    missing_left,
                    left,
                    right,
                    gain: 1.0,
                    cover: 0.0,
                });
                for side in 0..2u8 {
                    open.push(nodes.len());
                    let value = f32::from(number) * 0.37 + f32::from(side);
                    nodes.push(Node::Leaf(Leaf { value, cover: 0.0 }));
                }
            }
            Tree::try_new(nodes, features as usize).unwrap()
        })
    }

    proptest! {
        #[test]
        fn the_packed_trees_are_the_plain_walk(
            trees in proptest::collection::vec(tree(3), 0..6),
            rows in proptest::collection::vec([value(), value(), value()], 0..80),
        ) {
            let values: Vec<f32> = rows.iter().flatten().copied().collect();
            let mut margins = vec![0.5; rows.len()];
            Forest::new(&trees).add(&mut margins, &values, 3);
            for (row, margin) in rows.iter().zip(margins) {
                let plain = trees.iter().fold(0.5, |sum, tree| sum + f64::from(tree.value(row)));
                prop_assert_eq!(margin, plain);
            }
        }
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
