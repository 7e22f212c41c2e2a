//! Regression trees: how a row comes to a leaf, and what it adds to the margin there.

use serde::{Deserialize, Serialize};

use crate::matrix::Categories;

/// A node of a [`Tree`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Node {
    /// Where rows go on to one of two nodes.
    Split(Split),
    /// Where rows end.
    Leaf(Leaf),
}

/// A test of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "WrittenSplit", try_from = "WrittenSplit")]
pub struct Split {
    /// Position of the feature.
    pub feature: u32,
    /// Which known values go left.
    pub test: Test,
    /// Whether unknown values go left.
    pub missing_left: bool,
    /// Position of the node for values that pass the test.
    pub left: u32,
    /// Position of the node for the other values.
    pub right: u32,
    /// By how much the split lowered the loss in training.
    pub gain: f32,
    /// The sum of second derivatives of the training rows that came by: that of its children's, but for rounding.
    pub cover: f32,
}

/// Which known values go left at a split.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Numbers below a threshold.
    Below(f32),
    /// Categories of these codes, which ascend.
    OneOf(Box<[u32]>),
}

/// An end of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// What it adds to the margin.
    pub value: f64,
    /// The sum of second derivatives of the training rows that came here.
    pub cover: f32,
}

/// A split as a file has it: with a threshold, or with categories.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSplit {
    feature: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    threshold: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    categories: Option<Box<[u32]>>,
    missing_left: bool,
    left: u32,
    right: u32,
    gain: f32,
    cover: f32,
}

impl From<Split> for WrittenSplit {
    fn from(split: Split) -> Self {
        let Split { feature, test, missing_left, left, right, gain, cover } = split;
        let (threshold, categories) = match test {
            Test::Below(threshold) => (Some(threshold), None),
            Test::OneOf(codes) => (None, Some(codes)),
        };
        Self { feature, threshold, categories, missing_left, left, right, gain, cover }
    }
}

impl TryFrom<WrittenSplit> for Split {
    type Error = &'static str;

    fn try_from(split: WrittenSplit) -> Result<Self, Self::Error> {
        let WrittenSplit { feature, threshold, categories, missing_left, left, right, gain, cover } = split;
        let test = match (threshold, categories) {
            (Some(threshold), None) => Test::Below(threshold),
            (None, Some(codes)) => Test::OneOf(codes),
            _ => return Err("a split has either a threshold or categories"),
        };
        Ok(Self { feature, test, missing_left, left, right, gain, cover })
    }
}

impl Split {
    /// Whether a value goes left; NaN is unknown.
    #[inline]
    pub fn is_left(&self, value: f32) -> bool {
        match &self.test {
            _ if value.is_nan() => self.missing_left,
            Test::Below(threshold) => value < *threshold,
            Test::OneOf(codes) => code(value).is_some_and(|code| codes.binary_search(&code).is_ok()),
        }
    }
}

/// The code that a value stands for; none of what is no code.
#[inline]
pub(crate) fn code(value: f32) -> Option<u32> {
    (value >= 0.0).then_some(value as u32)
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
    /// Returns the tree of `nodes` over features with these categories, none of numbers.
    ///
    /// # Errors
    /// The position of a node that does not fit, and why.
    pub(crate) fn try_new(
        nodes: Vec<Node>,
        categories: &[Option<Categories>],
    ) -> Result<Self, (usize, &'static str)> {
        let tree = Self { nodes };
        tree.check(categories)?;
        Ok(tree)
    }

    /// The tree of one leaf that adds nothing.
    pub(crate) fn nothing() -> Self {
        Self { nodes: vec![Node::Leaf(Leaf { value: 0.0, cover: 0.0 })] }
    }

    /// Checks a tree that comes from elsewhere.
    pub(crate) fn check(&self, categories: &[Option<Categories>]) -> Result<(), (usize, &'static str)> {
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
                    let Some(categories) = categories.get(split.feature as usize) else {
                        return Err((index, "it tests a feature that the model does not have"));
                    };
                    match (&split.test, categories) {
                        (Test::Below(threshold), None) if threshold.is_finite() => {}
                        (Test::Below(_), None) => return Err((index, "the threshold is not finite")),
                        (Test::OneOf(codes), Some(categories)) if are_codes(codes, categories) => {}
                        (Test::OneOf(_), Some(_)) => {
                            return Err((
                                index,
                                "its categories do not ascend, or are not all of its feature",
                            ));
                        }
                        (Test::Below(_), Some(_)) => {
                            return Err((index, "it has a threshold, and its feature has categories"));
                        }
                        (Test::OneOf(_), None) => {
                            return Err((index, "it has categories, and its feature has none"));
                        }
                    }
                    if !(split.gain.is_finite() && is_cover(split.cover)) {
                        return Err((index, "the gain is not finite, or the cover is not 0 or more"));
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
    pub fn value(&self, row: &[f32]) -> f64 {
        let mut at = 0;
        loop {
            match &self.nodes[at] {
                Node::Leaf(leaf) => return leaf.value,
                Node::Split(split) => {
                    let left = split.is_left(row[split.feature as usize]);
                    at = if left { split.left } else { split.right } as usize;
                }
            }
        }
    }

    /// The tree with its leaf values rounded to 32 bits, as files before version 4 meant them.
    pub(crate) fn rounded(mut self) -> Self {
        for node in &mut self.nodes {
            if let Node::Leaf(leaf) = node {
                leaf.value = f64::from(leaf.value as f32);
            }
        }
        self
    }
}

/// Whether codes ascend, and are those of categories or of any other.
fn are_codes(codes: &[u32], categories: &Categories) -> bool {
    codes.windows(2).all(|pair| pair[0] < pair[1])
        && codes.last().is_some_and(|last| *last <= categories.other())
}

fn is_cover(cover: f32) -> bool {
    (0.0..f32::INFINITY).contains(&cover)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(value: f64) -> Node {
        Node::Leaf(Leaf { value, cover: 1.0 })
    }

    fn split(feature: u32, left: u32, right: u32) -> Node {
        Node::Split(Split {
            feature,
            test: Test::Below(2.0),
            missing_left: false,
            left,
            right,
            gain: 1.0,
            cover: 2.0,
        })
    }

    fn numbers_and_plans() -> [Option<Categories>; 2] {
        let plans = Categories::new(["monthly", "yearly"].map(Into::into).to_vec());
        [None, Some(plans.unwrap())]
    }

    fn by_codes(codes: &[u32]) -> Node {
        let Node::Split(split) = split(1, 1, 2) else { unreachable!() };
        Node::Split(Split { test: Test::OneOf(codes.into()), ..split })
    }

    #[test]
    fn categories_go_left_where_they_are_among_those_of_the_split() {
        let tree =
            Tree::try_new(vec![by_codes(&[0, 2]), leaf(-1.0), leaf(1.0)], &numbers_and_plans()).unwrap();
        // Code 2 is any other text; what is no code at all is not among them.
        let values = [0.0, 1.0, 2.0, f32::NAN, -1.0, 7.0, f32::INFINITY];
        assert_eq!(values.map(|value| tree.value(&[9.0, value])), [-1.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0]);
        let text = serde_json::to_string(&tree).unwrap();
        assert!(text.starts_with(r#"[{"feature":1,"categories":[0,2],"missing_left":false,"#), "{text}");
        assert_eq!(serde_json::from_str::<Tree>(&text).unwrap(), tree);
        let both = text.replace("\"categories\"", "\"threshold\":1.5,\"categories\"");
        assert!(serde_json::from_str::<Tree>(&both).is_err());
    }

    #[test]
    fn below_the_threshold_is_left_and_unknown_goes_where_it_is_told() {
        let tree = Tree::try_new(vec![split(1, 1, 2), leaf(-1.0), leaf(1.0)], &[None, None]).unwrap();
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
            (vec![split(1, 1, 2), leaf(0.0), leaf(0.0)], 0),
            (vec![by_codes(&[]), leaf(0.0), leaf(0.0)], 0),
            (vec![by_codes(&[1, 1]), leaf(0.0), leaf(0.0)], 0),
            (vec![by_codes(&[1, 3]), leaf(0.0), leaf(0.0)], 0),
            (vec![leaf(f64::NAN)], 0),
            (vec![leaf(f64::INFINITY)], 0),
            (vec![Node::Leaf(Leaf { value: 0.0, cover: f32::NAN })], 0),
            (vec![Node::Leaf(Leaf { value: 0.0, cover: -1.0 })], 0),
            (vec![Node::Leaf(Leaf { value: 0.0, cover: f32::INFINITY })], 0),
            (vec![split(0, 1, 2), leaf(0.0), Node::Leaf(Leaf { value: 0.0, cover: 1.1 })], 0),
        ] {
            assert_eq!(Tree::try_new(nodes.clone(), &numbers_and_plans()).unwrap_err().0, at, "{nodes:?}");
        }
    }
}
