//! A tree: leaf by leaf, where the loss falls most.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use crate::boost::binning::{Binned, Cuts};
use crate::boost::gain::{Bounds, Scorer};
use crate::boost::histogram::Histogram;
use crate::boost::search::{self, Found};
use crate::boost::shard::{ROOT, Route, Shard};
use crate::boost::sums::Sums;
use crate::matrix::Categories;
use crate::params::{BoostedTreesValidParams, Monotone};
use crate::tree::{Leaf, Node, Split, Test};

/// Where shards have fewer rows in the mean, one thread deals with all of them: to wake another takes longer.
const FEW_ROWS: usize = 1 << 11;

/// Has the shards of some rows, so many in all, do a job each.
pub(super) fn each<'a>(shards: &mut [Shard<'a>], rows: usize, job: impl Fn(&mut Shard<'a>) + Send + Sync) {
    if shards.len() > 1 && rows >= FEW_ROWS * shards.len() {
        shards.par_iter_mut().with_max_len(1).for_each(job);
    } else {
        shards.iter_mut().for_each(job);
    }
}

/// Nodes of fewer rows do not keep their histograms: to sum both of their children takes no longer, and of many leaves most have few rows.
const KEPT_ROWS: usize = 512;

/// What trees are grown from.
#[derive(Debug)]
pub(super) struct Growth<'a> {
    pub(super) binned: &'a Binned,
    pub(super) categories: &'a [Option<Categories>],
    pub(super) directions: &'a [Option<Monotone>],
    pub(super) params: &'a BoostedTreesValidParams,
    /// Histograms to be used again.
    pub(super) free: Vec<Histogram>,
}

/// A node that grew.
#[derive(Debug)]
struct Grown {
    sums: Sums,
    bounds: Bounds,
    depth: u32,
    /// Where it was split, with the positions of its children.
    split: Option<(Found, [u32; 2])>,
}

/// A node that may be split.
#[derive(Debug)]
struct Open {
    node: usize,
    found: Found,
    /// That of its rows, unless they are few.
    histogram: Option<Histogram>,
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The highest gain is split first, of equal ones the node that was there first.
impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        self.found.gain.total_cmp(&other.found.gain).then_with(|| other.node.cmp(&self.node))
    }
}

/// A tree, and what it adds to the margins of each of its leaves, in the order of the nodes.
pub(super) struct GrownTree {
    pub(super) nodes: Vec<Node>,
    pub(super) leaf_values: Vec<f64>,
}

impl Growth<'_> {
    /// Grows a tree over all rows, whose derivatives are there, and leaves in the shards to which leaf each came.
    pub(super) fn tree(&mut self, shards: &mut [Shard<'_>], scorer: &Scorer) -> GrownTree {
        let binned = self.binned;
        let rows = shards.iter().map(Shard::all_rows).sum();
        each(shards, rows, |shard| shard.begin(binned));
        let sums = shards.iter().fold(Sums::default(), |sums, shard| sums + shard.total);
        let mut grown = vec![Grown { sums, bounds: Bounds::NONE, depth: 0, split: None }];
        let mut open = BinaryHeap::new();
        let histogram = self.sum(shards);
        self.look(&mut open, &grown, (ROOT, rows), histogram, scorer);
        for leaves in 2..=self.params.leaves() {
            let Some(Open { node, found, histogram }) = open.pop() else { break };
            let children = [grown.len(), grown.len() + 1];
            self.grow_children(&mut grown, node, &found, scorer);
            let (route, feature) = (found.route(&binned.features[found.feature]), found.feature);
            grown[node].split = Some((found, children.map(|child| child as u32)));
            let route = Route { node, feature, left: &route };
            let goes_on =
                children.map(|child| leaves < self.params.leaves() && self.may_grow(&grown[child], scorer));
            let [left, right] = self.histograms(shards, route, children, goes_on, histogram);
            for (child, histogram) in children.into_iter().zip([left, right]) {
                if let Some(histogram) = histogram {
                    let rows = shards.iter().map(|shard| shard.rows(child)).sum();
                    self.look(&mut open, &grown, (child, rows), histogram, scorer);
                }
            }
        }
        self.free.extend(open.into_iter().filter_map(|open| open.histogram));
        let leaves: Vec<usize> = (0..grown.len()).filter(|&node| grown[node].split.is_none()).collect();
        each(shards, rows, |shard| shard.end(&leaves));
        // In 32 bits, as the files of XGBoost and ONNX have them.
        let value = |node: &Grown| scorer.value(node.sums, node.bounds) * self.params.learning_rate();
        let value = |node: &Grown| f64::from(value(node) as f32);
        GrownTree {
            leaf_values: leaves.iter().map(|&node| value(&grown[node])).collect(),
            nodes: grown.iter().map(|node| self.written(node, value(node), scorer)).collect(),
        }
    }

    /// Looks for a split of a node.
    fn look(
        &mut self,
        open: &mut BinaryHeap<Open>,
        grown: &[Grown],
        (node, rows): (usize, usize),
        histogram: Histogram,
        scorer: &Scorer,
    ) {
        let Grown { sums, bounds, .. } = grown[node];
        let looked = search::Node { total: sums, bounds, scorer, directions: self.directions };
        match looked.best_split(&histogram, self.binned) {
            Some(found) if rows >= KEPT_ROWS => open.push(Open { node, found, histogram: Some(histogram) }),
            found => {
                self.free.push(histogram);
                open.extend(found.map(|found| Open { node, found, histogram: None }));
            }
        }
    }

    /// Whether a node may have children.
    fn may_grow(&self, node: &Grown, scorer: &Scorer) -> bool {
        let deep = self.params.depth().is_some_and(|most| node.depth >= most.get());
        !deep && scorer.cover(node.sums) >= 2.0 * self.params.min_child_weight()
    }

    fn grow_children(&self, grown: &mut Vec<Grown>, node: usize, found: &Found, scorer: &Scorer) {
        let Grown { bounds, depth, .. } = grown[node];
        let values = found.children.map(|child| scorer.value(child, bounds));
        let direction = self.directions.get(found.feature).copied().flatten();
        for (sums, bounds) in found.children.into_iter().zip(bounds.of_children(direction, values)) {
            grown.push(Grown { sums, bounds, depth: depth + 1, split: None });
        }
    }

    /// Sends the rows of a node to its children, and returns the histograms of those that are to go on.
    ///
    /// Where the node has its histogram only the rows of one child are summed: the other one has what is left. Which of them is smaller is judged by
    /// some of the rows, and does not matter to what comes out.
    fn histograms(
        &mut self,
        shards: &mut [Shard<'_>],
        route: Route<'_>,
        children: [usize; 2],
        goes_on: [bool; 2],
        histogram: Option<Histogram>,
    ) -> [Option<Histogram>; 2] {
        let binned = self.binned;
        let rows = shards.iter().map(|shard| shard.rows(route.node)).sum();
        if goes_on == [false; 2] {
            each(shards, rows, |shard| shard.split(route));
            self.free.extend(histogram);
            return [None, None];
        }
        let samples = shards.iter().map(|shard| shard.sample(route));
        let [seen, left] = samples.fold([0; 2], |[a, b], [c, d]| [a + c, b + d]);
        let smaller = usize::from(2 * left > seen);
        each(shards, rows, |shard| {
            shard.split(route);
            shard.sum(children[smaller], binned);
        });
        let summed = self.sum(shards);
        let rest = match histogram {
            Some(mut histogram) => {
                histogram.subtract(&summed, binned);
                histogram
            }
            None => {
                each(shards, rows, |shard| shard.sum(children[1 - smaller], binned));
                self.sum(shards)
            }
        };
        let mut both = [Some(summed), Some(rest)];
        both.rotate_left(smaller);
        for (histogram, goes_on) in both.iter_mut().zip(goes_on) {
            if !goes_on {
                self.free.extend(histogram.take());
            }
        }
        both
    }

    /// The sums of all shards.
    fn sum(&mut self, shards: &mut [Shard<'_>]) -> Histogram {
        let mut sum = self.free.pop().unwrap_or_else(|| Histogram::new(self.binned));
        if let Some((first, others)) = shards.split_first_mut() {
            std::mem::swap(&mut sum, &mut first.histogram);
            others.iter().for_each(|other| sum.add(&other.histogram, self.binned));
        }
        sum
    }

    /// A node as trees have them.
    fn written(&self, node: &Grown, value: f64, scorer: &Scorer) -> Node {
        let cover = scorer.cover(node.sums) as f32;
        let Some((found, [left, right])) = &node.split else { return Node::Leaf(Leaf { value, cover }) };
        Node::Split(Split {
            feature: found.feature as u32,
            test: self.test(found),
            missing_left: found.unknown_left,
            left: *left,
            right: *right,
            gain: found.gain.min(f32::MAX.into()) as f32,
            cover,
        })
    }

    /// What no row learned from had goes where more of the rows went.
    fn test(&self, found: &Found) -> Test {
        let feature = &self.binned.features[found.feature];
        let left = found.route(feature);
        let mut bins = (0..usize::from(feature.bins)).filter(|&bin| left[bin]);
        match &feature.cuts {
            Cuts::Numbers { thresholds, .. } => {
                // Without one it is all that is known.
                Test::Below(
                    bins.next_back().and_then(|last| thresholds.get(last)).copied().unwrap_or(f32::MAX),
                )
            }
            Cuts::Codes(codes) => {
                let mut left: Vec<u32> = bins.flat_map(|bin| codes[bin].iter().copied()).collect();
                if found.is_larger_left() {
                    let other = self.categories[found.feature].as_ref().map_or(0, Categories::other);
                    left.extend((0..=other).filter(|code| !codes.iter().any(|seen| seen.contains(code))));
                }
                left.sort_unstable();
                Test::OneOf(left.into())
            }
        }
    }
}
