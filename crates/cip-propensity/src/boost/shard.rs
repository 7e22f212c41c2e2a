//! The rows that one thread looks after: their margins, derivatives and places in the tree.

use std::ops::Range;

use crate::boost::binning::Binned;
use crate::boost::histogram::{CODES, GroupRows, Histogram, Rows};
use crate::boost::loss::{Loss, Targets};
use crate::boost::sums::{Magnitudes, Scales, Sums};

/// Neighbouring rows of the table. Rows are counted from the first of the shard.
///
/// How many shards there are changes the time and nothing else, as sums of derivatives do not depend on the order of the rows.
#[derive(Debug)]
pub(super) struct Shard<'a> {
    targets: Targets<'a>,
    /// The codes of each feature.
    columns: Vec<&'a [u8]>,
    groups: Vec<GroupRows<'a>>,
    margins: Vec<f64>,
    derivatives: Vec<Sums>,
    /// The leaf of each row in the last tree.
    leaves: Vec<u16>,
    /// The rows of each node side by side, ascending; those of the root are not written down.
    order: Vec<u32>,
    /// Where the rows of each node stand in the order.
    nodes: Vec<Range<usize>>,
    /// Rows on their way to the right.
    aside: Vec<u32>,
    /// How large the derivatives are, and what they add up to.
    pub(super) magnitudes: Magnitudes,
    pub(super) total: Sums,
    /// The sums of what was asked for last.
    pub(super) histogram: Histogram,
}

/// The root of a tree.
pub(super) const ROOT: usize = 0;

/// A split of a node, as rows follow it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route<'a> {
    pub(super) node: usize,
    pub(super) feature: usize,
    /// Which codes go left.
    pub(super) left: &'a [bool; CODES],
}

impl<'a> Shard<'a> {
    /// The rows of a table from some to some, all with one margin.
    pub(super) fn new(binned: &'a Binned, rows: Range<usize>, targets: Targets<'a>, margin: f64) -> Self {
        let groups = binned.groups.iter().map(|group| {
            let features = group.features.len();
            let codes = &group.codes[rows.start * features..rows.end * features];
            GroupRows { first_feature: group.features.start, features, codes }
        });
        Self {
            targets: targets.part(rows.clone()),
            columns: binned.features.iter().map(|feature| &feature.codes[rows.clone()]).collect(),
            groups: groups.collect(),
            margins: vec![margin; rows.len()],
            derivatives: vec![Sums::default(); rows.len()],
            leaves: vec![0; rows.len()],
            order: vec![0; rows.len()],
            nodes: Vec::new(),
            aside: vec![0; rows.len()],
            magnitudes: Magnitudes::default(),
            total: Sums::default(),
            histogram: Histogram::new(binned),
        }
    }

    /// Adds the value of its leaf to the margin of each row, and takes the derivatives there.
    pub(super) fn derive(&mut self, loss: Loss, scales: Scales, leaf_values: &[f64]) {
        /// Rows that stay in the nearest cache from one step to the next.
        const BLOCK: usize = 1_024;
        (self.magnitudes, self.total) = Default::default();
        let margins = self.margins.chunks_mut(BLOCK).zip(self.leaves.chunks(BLOCK));
        let blocks = margins.zip(self.derivatives.chunks_mut(BLOCK));
        for (block, ((margins, leaves), derivatives)) in blocks.enumerate() {
            for (margin, &leaf) in margins.iter_mut().zip(leaves) {
                *margin += leaf_values[usize::from(leaf)];
            }
            let rows = block * BLOCK..block * BLOCK + margins.len();
            self.magnitudes += loss.derive(margins, self.targets.part(rows), scales, derivatives);
            derivatives.iter().for_each(|sums| self.total += *sums);
        }
    }

    /// Begins a tree, and sums all rows.
    pub(super) fn begin(&mut self, binned: &Binned) {
        self.nodes.clear();
        self.nodes.push(0..self.margins.len());
        self.sum(ROOT, binned);
    }

    pub(super) fn all_rows(&self) -> usize {
        self.margins.len()
    }

    /// The rows of a node.
    pub(super) fn rows(&self, node: usize) -> usize {
        self.nodes[node].len()
    }

    /// Of some rows of a node, evenly spread, how many there are and how many of them a split sends to the left.
    pub(super) fn sample(&self, route: Route<'_>) -> [usize; 2] {
        const MOST: usize = 128;
        let range = self.nodes[route.node].clone();
        let step = range.len().div_ceil(MOST).max(1);
        let codes = self.columns[route.feature];
        let left = range.clone().step_by(step).filter(|&at| {
            let row = if route.node == ROOT { at } else { self.order[at] as usize };
            route.left[usize::from(codes[row])]
        });
        [range.len().div_ceil(step), left.count()]
    }

    /// Sends the rows of a node to its children, the left one the next node and the right one behind it; both keep their order.
    pub(super) fn split(&mut self, route: Route<'_>) {
        /// Rows that are told apart before they are moved: their number fits in a byte.
        const BLOCK: usize = 255;
        let range = self.nodes[route.node].clone();
        let codes = self.columns[route.feature];
        let (mut end, mut aside) = (range.start, 0);
        let mut block = [0; BLOCK];
        let [mut lefts, mut rights] = [[0; CODES]; 2];
        for start in range.clone().step_by(BLOCK) {
            let rows = &mut block[..BLOCK.min(range.end - start)];
            if route.node == ROOT {
                (start as u32..).zip(&mut *rows).for_each(|(row, to)| *to = row);
            } else {
                rows.copy_from_slice(&self.order[start..start + rows.len()]);
            }
            let (mut left, mut right) = (0u8, 0u8);
            for &row in &*rows {
                let goes_left = u8::from(route.left[usize::from(codes[row as usize])]);
                lefts[usize::from(left)] = row;
                rights[usize::from(right)] = row;
                left += goes_left;
                right += 1 - goes_left;
            }
            let (left, right) = (usize::from(left), usize::from(right));
            self.order[end..end + left].copy_from_slice(&lefts[..left]);
            self.aside[aside..aside + right].copy_from_slice(&rights[..right]);
            (end, aside) = (end + left, aside + right);
        }
        self.order[end..range.end].copy_from_slice(&self.aside[..aside]);
        self.nodes.extend([range.start..end, end..range.end]);
    }

    /// Sums the rows of a node.
    pub(super) fn sum(&mut self, node: usize, binned: &Binned) {
        self.histogram.clear(binned);
        let rows = if node == ROOT { Rows::All } else { Rows::Some(&self.order[self.nodes[node].clone()]) };
        for &group in &self.groups {
            self.histogram.add_rows(group, rows, &self.derivatives);
        }
    }

    /// Writes down the leaf of each row, by the nodes that are leaves.
    pub(super) fn end(&mut self, leaves: &[usize]) {
        if let [ROOT] = leaves {
            self.leaves.fill(0);
            return;
        }
        for (leaf, &node) in (0..=u16::MAX).zip(leaves) {
            for &row in &self.order[self.nodes[node].clone()] {
                self.leaves[row as usize] = leaf;
            }
        }
    }
}
