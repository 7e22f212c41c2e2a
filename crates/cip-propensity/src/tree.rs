//! Regression trees: how a row comes to a leaf, and what it adds to the margin there.

use serde::{Deserialize, Serialize};

/// A node of a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Node {
    /// Where rows go on to one of two nodes.
    Split(Split),
    /// Where rows end.
    Leaf(Leaf),
}

/// A test of one feature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Position of the feature.
    pub feature: u32,
    /// Values below it go left.
    pub threshold: f32,
    /// Whether unknown values go left.
    pub missing_left: bool,
    /// Position of the node for values below the threshold.
    pub left: u32,
    /// Position of the node for the other values.
    pub right: u32,
    /// By how much the split lowered the loss in training.
    pub gain: f32,
    /// The sum of second derivatives of the training rows that came by: that of its children's, but for rounding.
    pub cover: f32,
}

/// An end of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// What it adds to the margin.
    pub value: f32,
    /// The sum of second derivatives of the training rows that came here.
    pub cover: f32,
}

/// A regression tree, a list of nodes of which the first is the root.
///
/// Every other node is the child of exactly one split that stands before it, so a walk always ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tree {
    nodes: Vec<Node>,
}

impl Node {
    /// The sum of second derivatives of the training rows that came by.
    pub const fn cover(&self) -> f32 {
        match self {
            Self::Split(split) => split.cover,
            Self::Leaf(leaf) => leaf.cover,
        }
    }
}

impl Tree {
    /// Returns the tree of `nodes` over `features` features.
    ///
    /// # Errors
    /// The position of a node that does not fit, and why.
    pub(crate) fn try_new(nodes: Vec<Node>, features: usize) -> Result<Self, (usize, &'static str)> {
        let tree = Self { nodes };
        tree.check(features)?;
        Ok(tree)
    }

    /// Checks a tree that comes from elsewhere.
    pub(crate) fn check(&self, features: usize) -> Result<(), (usize, &'static str)> {
        let mut parents = vec![0u8; self.nodes.len()];
        if self.nodes.is_empty() {
            return Err((0, "the tree has no nodes"));
        }
        for (index, node) in self.nodes.iter().enumerate() {
            match node {
                Node::Leaf(leaf) if leaf.value.is_finite() && is_cover(leaf.cover) => {}
                Node::Leaf(_) => {
                    return Err((index, "the value is not finite, or the cover is not 0 or more"));
                }
                Node::Split(split) => {
                    if split.feature as usize >= features {
                        return Err((index, "it tests a feature that the model does not have"));
                    }
                    if !(split.threshold.is_finite() && split.gain.is_finite() && is_cover(split.cover)) {
                        return Err((
                            index,
                            "threshold or gain is not finite, or the cover is not 0 or more",
                        ));
                    }
                    for child in [split.left as usize, split.right as usize] {
                        match parents.get_mut(child) {
                            Some(count) if child > index => *count += 1,
                            _ => return Err((index, "a child does not stand behind its split")),
                        }
                    }
                }
            }
        }
        if let Some(before) = parents.iter().skip(1).position(|&count| count != 1) {
            return Err((before + 1, "it is not the child of exactly one split"));
        }
        match self.nodes.iter().position(|node| !self.is_covered_by_children(node)) {
            Some(index) => Err((index, "its cover is not the sum of those of its children")),
            None => Ok(()),
        }
    }

    /// Whether the covers of a split's children make up its own. They are rounded sums of the same rows, so a hundredth is far
    /// more than they differ by.
    fn is_covered_by_children(&self, node: &Node) -> bool {
        let Node::Split(split) = node else { return true };
        let [left, right] =
            [split.left, split.right].map(|child| f64::from(self.nodes[child as usize].cover()));
        let own = f64::from(split.cover);
        (left + right - own).abs() <= 0.01 * own + 1e-3
    }

    /// The nodes; the first is the root.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The splits among the nodes.
    pub fn splits(&self) -> impl Iterator<Item = &Split> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Split(split) => Some(split),
            Node::Leaf(_) => None,
        })
    }

    /// Returns what the leaf of a row adds to its margin; NaN is unknown.
    ///
    /// # Panics
    /// Where the row has fewer values than the model has features.
    pub fn value(&self, row: &[f32]) -> f32 {
        let mut at = 0;
        loop {
            match &self.nodes[at] {
                Node::Leaf(leaf) => return leaf.value,
                Node::Split(split) => {
                    let value = row[split.feature as usize];
                    let left = if value.is_nan() { split.missing_left } else { value < split.threshold };
                    at = if left { split.left } else { split.right } as usize;
                }
            }
        }
    }
}

fn is_cover(cover: f32) -> bool {
    (0.0..f32::INFINITY).contains(&cover)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(value: f32) -> Node {
        Node::Leaf(Leaf { value, cover: 1.0 })
    }

    fn split(feature: u32, left: u32, right: u32) -> Node {
        Node::Split(Split {
            feature,
            threshold: 2.0,
            missing_left: false,
            left,
            right,
            gain: 1.0,
            cover: 2.0,
        })
    }

    #[test]
    fn below_the_threshold_is_left_and_unknown_goes_where_it_is_told() {
        let tree = Tree::try_new(vec![split(1, 1, 2), leaf(-1.0), leaf(1.0)], 2).unwrap();
        assert_eq!(tree.value(&[9.0, 1.5]), -1.0);
        assert_eq!(tree.value(&[0.0, 2.0]), 1.0);
        assert_eq!(tree.value(&[0.0, f32::NAN]), 1.0);
        assert_eq!(tree.splits().count(), 1);
    }

    #[test]
    fn a_tree_that_could_not_be_walked_is_refused() {
        for (nodes, at) in [
            (vec![], 0),
            (vec![split(0, 0, 1), leaf(0.0)], 0),
            (vec![split(0, 1, 9), leaf(0.0)], 0),
            (vec![split(0, 1, 1), leaf(0.0)], 1),
            (vec![split(0, 1, 2), leaf(0.0), leaf(0.0), leaf(0.0)], 3),
            (vec![split(2, 1, 2), leaf(0.0), leaf(0.0)], 0),
            (vec![leaf(f32::NAN)], 0),
            (vec![leaf(f32::INFINITY)], 0),
            (vec![Node::Leaf(Leaf { value: 0.0, cover: f32::NAN })], 0),
            (vec![Node::Leaf(Leaf { value: 0.0, cover: -1.0 })], 0),
            (vec![Node::Leaf(Leaf { value: 0.0, cover: f32::INFINITY })], 0),
            (vec![split(0, 1, 2), leaf(0.0), Node::Leaf(Leaf { value: 0.0, cover: 1.1 })], 0),
        ] {
            assert_eq!(Tree::try_new(nodes.clone(), 2).unwrap_err().0, at, "{nodes:?}");
        }
    }
}
