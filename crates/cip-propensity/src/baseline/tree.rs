//! One shallow decision tree of linfa.

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_trees::{DecisionTree, SplitQuality, TreeNode};
use ndarray::{Array1, ArrayView1, ArrayView2};

use super::evenly_spaced;
use super::one_hot::OneHot;
use crate::error::PropensityError;
use crate::matrix::FeatureMatrix;

/// The nodes of [`Baseline::Tree`](crate::Baseline::Tree).
#[derive(Debug, Clone)]
pub(super) struct TreeBaseline {
    columns: OneHot,
    nodes: Vec<BaselineNode>,
}

#[derive(Debug, Clone)]
enum BaselineNode {
    Split { feature: usize, threshold: f32, left: usize, right: usize },
    Leaf { rows: u64, positives: u64 },
}

impl TreeBaseline {
    /// Returns the tree of a feature matrix and its labels, of which there are both.
    pub(super) fn fit(features: &FeatureMatrix, labels: &[bool]) -> Result<Self, PropensityError> {
        const MOST_ROWS: usize = 20_000;
        const DEPTH: usize = 4;
        let rows = evenly_spaced(features.rows(), MOST_ROWS);
        let sample = features.select(&rows);
        let columns = OneHot::of(&sample);
        let records = columns.rows(&sample.view()).mapv(known);
        let labels: Array1<bool> = rows.iter().map(|&row| labels[row]).collect();
        let positives = labels.iter().filter(|&&label| label).count().max(1) as f32;
        let weight = (rows.len() as f32 - positives).max(1.0) / positives;
        let weights = labels.mapv(|label| if label { weight } else { 1.0 });
        let dataset = Dataset::new(records, labels).with_weights(weights);
        let tree =
            DecisionTree::params().split_quality(SplitQuality::Gini).max_depth(Some(DEPTH)).fit(&dataset)?;

        let mut baseline = Self { columns, nodes: Vec::new() };
        baseline.copy(tree.root_node());
        for (row, &label) in dataset.records.rows().into_iter().zip(&dataset.targets) {
            let leaf = baseline.leaf(row);
            if let BaselineNode::Leaf { rows, positives } = &mut baseline.nodes[leaf] {
                *rows += 1;
                *positives += u64::from(label);
            }
        }
        Ok(baseline)
    }

    /// The score of every row: a probability.
    pub(super) fn scores(&self, rows: &ArrayView2<'_, f32>) -> Vec<f64> {
        let score = |row| match self.nodes[self.leaf(row)] {
            BaselineNode::Leaf { rows, positives } => (positives + 1) as f64 / (rows + 2) as f64,
            BaselineNode::Split { .. } => 0.5,
        };
        self.columns.rows(rows).rows().into_iter().map(score).collect()
    }

    /// Appends a node and those below it, and returns its position.
    fn copy(&mut self, node: &TreeNode<f32, bool>) -> usize {
        let position = self.nodes.len();
        self.nodes.push(BaselineNode::Leaf { rows: 0, positives: 0 });
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
