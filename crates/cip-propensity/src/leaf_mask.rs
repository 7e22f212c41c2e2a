//! A tree as masks of its leaves: rows side by side ask all of its splits, and wait for no walk.

use std::ops::BitAndAssign;

use crate::tree::{Node, Test, Tree};

/// Rows that are asked at once.
pub(crate) const ROWS: usize = 32;

/// The values of a feature in [`ROWS`] rows.
pub(crate) type Lane = [f32; ROWS];

/// A tree of numbers with at most 64 leaves, as the leaves that are left over where a row goes right.
///
/// # Method
/// QuickScorer (Lucchese et al. 2015). Leaves are the bits of a mask, the leftmost the lowest. A split that sends a row to the right strikes
/// out all leaves on its left, and the lowest bit that is left in the end is the row's leaf. No step depends on the one before, so the order
/// of the splits is free, and one comparison serves rows side by side. The walk of [`Tree::value`] is the oracle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LeafMasks {
    /// At most 32 leaves.
    Narrow(Masks<u32>),
    /// At most 64 leaves.
    Wide(Masks<u64>),
}

/// The splits of a tree with masks of this width.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Masks<M> {
    /// Splits that send the unknown to the right.
    missing_right: Vec<Rule<M>>,
    /// Splits that send the unknown to the left.
    missing_left: Vec<Rule<M>>,
    /// The values of the leaves, the leftmost first.
    values: Vec<f64>,
}

/// A split.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rule<M> {
    feature: u32,
    threshold: f32,
    /// The leaves that are left over where a row goes right.
    left_over: M,
}

/// A set of leaves.
pub(crate) trait Mask: Copy + BitAndAssign {
    const ALL: Self;
    /// The lowest leaves of a set.
    fn of(leaves: u64) -> Self;
    /// The leftmost leaf.
    fn first(self) -> usize;
}

impl Mask for u32 {
    const ALL: Self = Self::MAX;

    fn of(leaves: u64) -> Self {
        leaves as Self
    }

    #[inline]
    fn first(self) -> usize {
        self.trailing_zeros() as usize
    }
}

impl Mask for u64 {
    const ALL: Self = Self::MAX;

    fn of(leaves: u64) -> Self {
        leaves
    }

    #[inline]
    fn first(self) -> usize {
        self.trailing_zeros() as usize
    }
}

impl LeafMasks {
    /// Returns the masks of a tree; none where it has too many leaves, or a split by categories.
    pub(crate) fn new(tree: &Tree) -> Option<Self> {
        match tree.nodes().iter().filter(|node| matches!(node, Node::Leaf(_))).count() {
            0..=32 => Masks::new(tree).map(Self::Narrow),
            33..=64 => Masks::new(tree).map(Self::Wide),
            _ => None,
        }
    }

    /// Adds the values of the rows' leaves to their margins, at most [`ROWS`].
    pub(crate) fn add(&self, margins: &mut [f64], lanes: &[Lane]) {
        match self {
            Self::Narrow(masks) => masks.add(margins, lanes),
            Self::Wide(masks) => masks.add(margins, lanes),
        }
    }
}

impl<M: Mask> Masks<M> {
    fn new(tree: &Tree) -> Option<Self> {
        let nodes = tree.nodes();
        let mut masks = Self { missing_right: Vec::new(), missing_left: Vec::new(), values: Vec::new() };
        // The leaves below each node.
        let mut below = vec![0u64; nodes.len()];
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            match &nodes[at] {
                Node::Leaf(leaf) => {
                    below[at] = 1 << masks.values.len();
                    masks.values.push(leaf.value);
                }
                Node::Split(split) => open.extend([split.right as usize, split.left as usize]),
            }
        }
        // Children stand behind their split.
        for (at, node) in nodes.iter().enumerate().rev() {
            let Node::Split(split) = node else { continue };
            let left = below[split.left as usize];
            below[at] = left | below[split.right as usize];
            let rules = if split.missing_left { &mut masks.missing_left } else { &mut masks.missing_right };
            let Test::Below(threshold) = split.test else { return None };
            rules.push(Rule { feature: split.feature, threshold, left_over: M::of(!left) });
        }
        Some(masks)
    }

    fn add(&self, margins: &mut [f64], lanes: &[Lane]) {
        let mut leaves = [M::ALL; ROWS];
        // Splits are taken apart before the rows: read row by row, they keep the comparisons from being done side by side.
        for &Rule { feature, threshold, left_over } in &self.missing_right {
            for (leaves, &value) in leaves.iter_mut().zip(&lanes[feature as usize]) {
                *leaves &= if value < threshold { M::ALL } else { left_over };
            }
        }
        for &Rule { feature, threshold, left_over } in &self.missing_left {
            for (leaves, &value) in leaves.iter_mut().zip(&lanes[feature as usize]) {
                // No comparison with NaN holds.
                *leaves &= if value >= threshold { left_over } else { M::ALL };
            }
        }
        for (margin, leaves) in margins.iter_mut().zip(leaves) {
            *margin += self.values[leaves.first()];
        }
    }
}
