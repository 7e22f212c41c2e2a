//! The trees as the attributes of an ensemble.

use crate::boosted::BoostedTrees;
use crate::onnx::protobuf::Message;
use crate::tree::{Node, Test, Tree};

/// The kinds of attributes, as ONNX numbers them.
const STRING: i64 = 3;
const FLOATS: i64 = 6;
const INTS: i64 = 7;
const STRINGS: i64 = 8;

/// The nodes of all trees, and what their leaves add.
#[derive(Debug, Default)]
struct Ensemble {
    trees: Vec<i64>,
    nodes: Vec<i64>,
    features: Vec<i64>,
    modes: Vec<&'static str>,
    values: Vec<f32>,
    /// The nodes for values that pass, and for those that do not.
    ways: [Vec<i64>; 2],
    unknown_passes: Vec<i64>,
    leaf_trees: Vec<i64>,
    leaf_nodes: Vec<i64>,
    weights: Vec<f32>,
}

/// A node as the ensemble has it.
struct Row {
    node: i64,
    feature: u32,
    mode: &'static str,
    value: f32,
    ways: [i64; 2],
    unknown_passes: bool,
}

impl Ensemble {
    fn push(&mut self, tree: i64, row: &Row) {
        self.trees.push(tree);
        self.nodes.push(row.node);
        self.features.push(i64::from(row.feature));
        self.modes.push(row.mode);
        self.values.push(row.value);
        self.ways[0].push(row.ways[0]);
        self.ways[1].push(row.ways[1]);
        self.unknown_passes.push(i64::from(row.unknown_passes));
    }

    /// Adds a tree; the splits of a chain beyond its first stand behind all nodes.
    fn add(&mut self, tree: i64, of: &Tree) {
        let mut more = of.nodes().len() as i64;
        for (node, content) in (0..).zip(of.nodes()) {
            let split = match content {
                Node::Leaf(leaf) => {
                    self.leaf_trees.push(tree);
                    self.leaf_nodes.push(node);
                    self.weights.push(leaf.value as f32);
                    let (mode, ways) = ("LEAF", [0; 2]);
                    self.push(tree, &Row { node, feature: 0, mode, value: 0.0, ways, unknown_passes: false });
                    continue;
                }
                Node::Split(split) => split,
            };
            let [left, right] = [split.left, split.right].map(i64::from);
            let (feature, unknown_passes) = (split.feature, split.missing_left);
            match &split.test {
                Test::Below(threshold) => {
                    let (mode, value) = ("BRANCH_LT", *threshold);
                    self.push(tree, &Row { node, feature, mode, value, ways: [left, right], unknown_passes });
                }
                Test::OneOf(codes) => {
                    let mut node = node;
                    for (at, code) in codes.iter().enumerate() {
                        let next = if at + 1 < codes.len() { more } else { right };
                        let (mode, value) = ("BRANCH_EQ", *code as f32);
                        self.push(
                            tree,
                            &Row { node, feature, mode, value, ways: [left, next], unknown_passes },
                        );
                        node = next;
                        more += i64::from(at + 1 < codes.len());
                    }
                }
            }
        }
    }
}

/// Returns the attributes of `TreeEnsembleRegressor`.
pub(super) fn attributes(model: &BoostedTrees) -> Vec<Message> {
    let mut all = Ensemble::default();
    for (number, tree) in (0..).zip(model.trees()) {
        all.add(number, tree);
    }
    if model.trees().is_empty() {
        // An ensemble has at least one node.
        all.add(0, &Tree::nothing());
    }
    let leaves = all.weights.len();
    let [passed, failed] = all.ways;
    vec![
        ints("nodes_treeids", all.trees),
        ints("nodes_nodeids", all.nodes),
        ints("nodes_featureids", all.features),
        texts("nodes_modes", &all.modes),
        floats("nodes_values", all.values),
        ints("nodes_truenodeids", passed),
        ints("nodes_falsenodeids", failed),
        ints("nodes_missing_value_tracks_true", all.unknown_passes),
        ints("target_treeids", all.leaf_trees),
        ints("target_nodeids", all.leaf_nodes),
        ints("target_ids", vec![0; leaves]),
        floats("target_weights", all.weights),
        attribute("n_targets", 2).int(3, 1),
        floats("base_values", vec![model.base_margin()]),
        attribute("aggregate_function", STRING).text(4, "SUM"),
        attribute("post_transform", STRING).text(4, "NONE"),
    ]
}

fn attribute(name: &str, kind: i64) -> Message {
    Message::default().text(1, name).int(20, kind)
}

fn ints(name: &str, values: Vec<i64>) -> Message {
    attribute(name, INTS).ints(8, values)
}

fn floats(name: &str, values: Vec<f32>) -> Message {
    attribute(name, FLOATS).floats(7, values)
}

fn texts(name: &str, values: &[&str]) -> Message {
    values.iter().fold(attribute(name, STRINGS), |attribute, value| attribute.text(9, value))
}
