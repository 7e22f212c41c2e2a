//! The trees of XGBoost, from our own and to them.

use std::collections::{HashMap, VecDeque};

use crate::error::PropensityError;
use crate::matrix::columns::Columns;
use crate::tree::{Leaf, Node, Split, Test, Tree};
use crate::xgboost::document::{Flag, ForeignTree, TreeParam, one, zero};

/// What a root has for a parent.
const NO_PARENT: i32 = i32::MAX;
const NO_CHILD: i32 = -1;
/// The codes of a feature are below it.
const MOST_CODES: i32 = 1 << 16;

impl ForeignTree {
    /// The tree with its nodes level by level: XGBoost takes the right child to stand behind the left one.
    pub(super) fn of(tree: &Tree, id: u64, features: usize) -> Self {
        // There the categories of a split go right.
        let is_turned = |split: &Split| matches!(split.test, Test::OneOf(_));
        let mut order = vec![0usize];
        let (mut parents, mut left_children) = (vec![NO_PARENT], Vec::new());
        while let Some(&at) = order.get(left_children.len()) {
            let Node::Split(split) = &tree.nodes()[at] else {
                left_children.push(NO_CHILD);
                continue;
            };
            let children = [split.left as usize, split.right as usize];
            let [left, right] = if is_turned(split) { [children[1], children[0]] } else { children };
            parents.extend([left_children.len() as i32; 2]);
            left_children.push(order.len() as i32);
            order.extend([left, right]);
        }
        let nodes: Vec<&Node> = order.iter().map(|&at| &tree.nodes()[at]).collect();
        fn each<T>(nodes: &[&Node], of_split: impl Fn(&Split) -> T, of_leaf: impl Fn(&Leaf) -> T) -> Vec<T> {
            let of = |node: &&Node| match node {
                Node::Split(split) => of_split(split),
                Node::Leaf(leaf) => of_leaf(leaf),
            };
            nodes.iter().map(of).collect()
        }
        let (mut categories, mut categories_nodes) = (Vec::new(), Vec::new());
        let (mut categories_segments, mut categories_sizes) = (Vec::new(), Vec::new());
        for (at, node) in nodes.iter().enumerate() {
            if let Node::Split(Split { test: Test::OneOf(codes), .. }) = node {
                categories_nodes.push(at as i32);
                categories_segments.push(categories.len() as i64);
                categories_sizes.push(codes.len() as i64);
                categories.extend(codes.iter().map(|code| code.cast_signed()));
            }
        }
        Self {
            base_weights: each(&nodes, |_| 0.0, |leaf| leaf.value as f32),
            categories,
            categories_nodes,
            categories_segments,
            categories_sizes,
            default_left: each(
                &nodes,
                |split| Flag::Number(u8::from(split.missing_left != is_turned(split))),
                |_| Flag::Number(0),
            ),
            id,
            right_children: left_children
                .iter()
                .map(|&left| if left == NO_CHILD { NO_CHILD } else { left + 1 })
                .collect(),
            left_children,
            loss_changes: each(&nodes, |split| split.gain, |_| 0.0),
            parents,
            split_conditions: each(
                &nodes,
                |split| match split.test {
                    Test::Below(threshold) => Some(threshold),
                    Test::OneOf(_) => Some(0.0),
                },
                |leaf| Some(leaf.value as f32),
            ),
            split_indices: each(&nodes, |split| split.feature, |_| 0),
            split_type: each(&nodes, |split| u8::from(is_turned(split)), |_| 0),
            sum_hessian: each(&nodes, |split| split.cover, |leaf| leaf.cover),
            tree_param: TreeParam {
                num_deleted: zero(),
                num_feature: features.to_string().into(),
                num_nodes: nodes.len().to_string().into(),
                size_leaf_vector: one(),
            },
        }
    }

    /// The codes of the categories that go right at each split by some.
    fn sets(&self, tree: usize) -> Result<HashMap<usize, &[i32]>, PropensityError> {
        let refuse = |node, reason| PropensityError::ModelTree { tree, node, reason };
        let parts = self.categories_nodes.iter().zip(&self.categories_segments).zip(&self.categories_sizes);
        let mut sets = HashMap::new();
        for ((&node, &segment), &size) in parts {
            let node = usize::try_from(node).map_err(|_| refuse(0, "its categories are of no node"))?;
            let range = usize::try_from(segment).ok().zip(usize::try_from(size).ok());
            let range = range.and_then(|(from, size)| Some(from..from.checked_add(size)?));
            let codes = range.and_then(|range| self.categories.get(range)).filter(|codes| !codes.is_empty());
            let codes = codes.ok_or_else(|| refuse(node, "its categories are not there"))?;
            // Far more than XGBoost learns from, and few enough for a name each.
            if codes.iter().any(|code| !(0..MOST_CODES).contains(code)) {
                return Err(refuse(node, "a category is none of 0 to 65535"));
            }
            sets.insert(node, codes);
        }
        match self.split_type.iter().enumerate().find(|(node, kind)| **kind != 0 && !sets.contains_key(node))
        {
            Some((node, _)) => Err(refuse(node, "it is a split by categories, and has none")),
            None => Ok(sets),
        }
    }

    /// Raises the number of codes of each feature to what the splits of this tree ask for.
    pub(super) fn count_codes(&self, tree: usize, counts: &mut [Option<i32>]) -> Result<(), PropensityError> {
        for (node, codes) in self.sets(tree)? {
            let feature = self.split_indices.get(node).and_then(|feature| counts.get_mut(*feature as usize));
            let highest = codes.iter().max().map_or(0, |highest| highest + 1);
            if let Some(count) = feature {
                *count = Some(count.map_or(highest, |count| count.max(highest)));
            }
        }
        Ok(())
    }

    /// The tree as our own: its nodes level by level, those that are deleted left out. `numbered` has our code of each of the other's.
    pub(super) fn own(
        &self,
        tree: usize,
        columns: &Columns,
        numbered: &[Vec<u32>],
    ) -> Result<Tree, PropensityError> {
        let refuse = |node, reason| PropensityError::ModelTree { tree, node, reason };
        let nodes = self.left_children.len();
        let lengths = [
            self.right_children.len(),
            self.split_conditions.len(),
            self.split_indices.len(),
            self.default_left.len(),
            self.loss_changes.len(),
            self.sum_hessian.len(),
        ];
        if nodes == 0 || lengths.iter().any(|&length| length != nodes) {
            return Err(refuse(0, "its lists are empty, or have different lengths"));
        }
        let sets = self.sets(tree)?;
        let mut own = Vec::new();
        let mut open = VecDeque::from([0usize]);
        let mut seen = 1u32;
        while let Some(at) = open.pop_front() {
            let cover = self.sum_hessian[at];
            let (left, right) = (self.left_children[at], self.right_children[at]);
            if (left, right) == (NO_CHILD, NO_CHILD) {
                let value = self.split_conditions[at].ok_or_else(|| refuse(at, "its value is no number"))?;
                own.push(Node::Leaf(Leaf { value: f64::from(value), cover }));
                continue;
            }
            let child = |child: i32| usize::try_from(child).ok().filter(|&child| child < nodes && child > at);
            let (Some(left), Some(right)) = (child(left), child(right)) else {
                return Err(refuse(at, "a child does not stand behind its split"));
            };
            let feature = self.split_indices[at];
            let missing_left = self.default_left[at].is_set();
            let (test, missing_left, left, right) = match sets.get(&at).filter(|_| self.is_by_categories(at))
            {
                None => {
                    let threshold = self.split_conditions[at];
                    let threshold = threshold.ok_or_else(|| refuse(at, "its threshold is no number"))?;
                    (Test::Below(threshold), missing_left, left, right)
                }
                Some(codes) => {
                    let own = numbered.get(feature as usize).map_or(&[][..], |codes| codes);
                    let mut codes: Vec<u32> =
                        codes.iter().filter_map(|&code| own.get(code as usize).copied()).collect();
                    codes.sort_unstable();
                    (Test::OneOf(codes.into()), !missing_left, right, left)
                }
            };
            // Each node stands behind its parent, so this ends; a node of two parents makes more nodes than there are.
            open.extend([left, right]);
            if seen as usize + 2 > nodes {
                return Err(refuse(at, "its splits have more children than the tree has nodes"));
            }
            own.push(Node::Split(Split {
                feature,
                test,
                missing_left,
                left: seen,
                right: seen + 1,
                gain: self.loss_changes[at],
                cover,
            }));
            seen += 2;
        }
        Tree::try_new(own, columns.categories()).map_err(|(node, reason)| refuse(node, reason))
    }

    fn is_by_categories(&self, node: usize) -> bool {
        self.split_type.get(node).is_some_and(|kind| *kind != 0)
    }
}
