//! One shallow decision tree of linfa.

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_trees::{DecisionTree, SplitQuality, TreeNode};
use ndarray::{Array1, ArrayView1, ArrayView2};

use super::one_hot::OneHot;
use super::sample::Sample;
use crate::error::PropensityError;

/// The nodes of [`Baseline::Tree`](crate::Baseline::Tree).
#[derive(Debug, Clone)]
pub(super) struct TreeBaseline {
    columns: OneHot,
    nodes: Vec<BaselineNode>,
}

#[derive(Debug, Clone)]
enum BaselineNode {
    Split {
        feature: usize,
        threshold: f32,
        left: usize,
        right: usize,
    },
    /// How much its rows, and the positive ones of them, count.
    Leaf {
        rows: f64,
        positives: f64,
    },
}

impl TreeBaseline {
    /// Returns the tree of some rows.
    pub(super) fn fit(sample: &Sample) -> Result<Self, PropensityError> {
        const DEPTH: usize = 4;
        let columns = OneHot::of(sample);
        let records = columns.rows(&sample.features.view()).mapv(known);
        let [negatives, positives] = [false, true].map(|label| match sample.weight_of(label) {
            0.0 => 1.0,
            weight => weight as f32,
        });
        let class = |label: bool| if label { negatives / positives } else { 1.0 };
        let labels = sample.labels.iter().enumerate();
        let weights: Array1<f32> =
            labels.map(|(row, &label)| sample.weight(row) as f32 * class(label)).collect();
        let dataset = Dataset::new(records, sample.labels.clone()).with_weights(weights);
        let tree =
            DecisionTree::params().split_quality(SplitQuality::Gini).max_depth(Some(DEPTH)).fit(&dataset)?;

        let mut baseline = Self { columns, nodes: Vec::new() };
        baseline.copy(tree.root_node());
        for (at, (row, &label)) in dataset.records.rows().into_iter().zip(&dataset.targets).enumerate() {
            let leaf = baseline.leaf(row);
            if let BaselineNode::Leaf { rows, positives } = &mut baseline.nodes[leaf] {
                let weight = sample.weight(at);
                *rows += weight;
                *positives += if label { weight } else { 0.0 };
            }
        }
        Ok(baseline)
    }

    /// The score of every row: a probability.
    pub(super) fn scores(&self, rows: &ArrayView2<'_, f32>) -> Vec<f64> {
        let score = |row| match self.nodes[self.leaf(row)] {
            BaselineNode::Leaf { rows, positives } => (positives + 1.0) / (rows + 2.0),
            BaselineNode::Split { .. } => 0.5,
        };
        self.columns.rows(rows).rows().into_iter().map(score).collect()
    }

    /// Appends a node and those below it, and returns its position.
    fn copy(&mut self, node: &TreeNode<f32, bool>) -> usize {
        let position = self.nodes.len();
        self.nodes.push(BaselineNode::Leaf { rows: 0.0, positives: 0.0 });
        if let ([Some(left), Some(right)], false) = (&node.children()[..], node.is_leaf()) {
            let (feature, threshold, _) = node.split();
            let (left, right) = (self.copy(left), self.copy(right));
            self.nodes[position] = BaselineNode::Split { feature, threshold, left, right };
        }
        position
    }

    fn leaf(&self, row: ArrayView1<'_, f32>) -> usize {
        let mut at = 0;
        while let BaselineNode::Split { feature, threshold, left, right } = self.nodes[at] {
            at = if known(row[feature]) <= threshold { left } else { right };
        }
        at
    }
}

/// An unknown value as the lowest.
fn known(value: f32) -> f32 {
    if value.is_nan() { f32::MIN } else { value }
}
