//! Baselines: what anybody would try first, to show what boosting adds.

mod logistic;
mod newton;
mod one_hot;
mod recency;
mod sample;
mod tree;

use std::fmt;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::boosted::check_labels;
use crate::error::PropensityError;
use crate::evaluation::Evaluation;
use crate::matrix::FeatureMatrix;
use crate::weights::{WeightedEvaluation, relative};

use logistic::LogisticBaseline;
use recency::RecencyBaseline;
use sample::Sample;
use tree::TreeBaseline;

/// A plain model that boosted trees must beat.
///
/// | baseline | probability |
/// |---|---|
/// | `constant` | the share of positives in training, for everybody |
/// | `recency` | who was here last comes first; a logistic curve (Platt 1999) of the days makes probabilities |
/// | `logistic` | logistic regression of `linfa-logistic` on all features |
/// | `tree` | one decision tree of `linfa-trees`, of depth 4 |
///
/// # Method
/// **Recency** is the feature `recency_days` or, where there is none, `days_since_last_event`; unknown is longer ago than all others.
///
/// **Categories** are a column of 0 and 1 each, of the 20 most frequent of a feature, for the logistic regression and the tree.
///
/// **Logistic**: features less their mean over their deviation, at most 10 of it from 0, unknown as the mean; an L2 penalty of 1.
///
/// **Tree**: Gini impurity; classes weighted to equal sums, or the tree would call every row of a rare class a negative. An unknown value is below all
/// others. A leaf of n rows with k positives scores (k + 1) / (n + 2) (Laplace's rule).
///
/// Both learn from at most 20,000 rows, evenly spaced: linfa's search for the weights reads all rows in each of its steps, and its search for
/// splits sorts every column at every node.
///
/// **Weights** ([`Baseline::fit_weighted`]) are taken over their mean: a row of weight 2 is two rows, and a row of weight 0 is none, of as many rows as there are.
/// The constant is a share of weights, and Platt's curve, means, deviations, leaves and the frequencies of categories count them; the tree is grown
/// by linfa with them. linfa's logistic regression takes none, so its optimum is found by our own (truncated Newton steps) where weights differ.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use arrow_array::{ArrayRef, Int64Array, RecordBatch};
/// use cip_propensity::{Baseline, FeatureMatrix};
///
/// // Whoever was here within ten days buys.
/// let days: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
/// let table = RecordBatch::try_from_iter([("recency_days", days)])?;
/// let features = FeatureMatrix::from_batches(&["recency_days"], &[table])?;
/// let labels: Vec<bool> = (0..100).map(|days| days < 10).collect();
/// let auc = |baseline: Baseline| -> Result<Option<f64>, Box<dyn std::error::Error>> {
///     let fitted = baseline.fit(&features, &labels)?.ok_or("there is no recency")?;
///     Ok(fitted.evaluate(&features, &labels)?.auc)
/// };
/// assert_eq!((auc(Baseline::Constant)?, auc(Baseline::Recency)?), (Some(0.5), Some(1.0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Baseline {
    /// The share of positives, for everybody.
    Constant,
    /// Who was here last comes first.
    Recency,
    /// Logistic regression.
    Logistic,
    /// One decision tree.
    Tree,
}

/// A baseline that was fitted.
#[derive(Debug, Clone)]
pub struct FittedBaseline {
    columns: usize,
    rule: Rule,
}

#[derive(Debug, Clone)]
enum Rule {
    Constant(f64),
    Recency(RecencyBaseline),
    Logistic(LogisticBaseline),
    Tree(TreeBaseline),
}

impl Baseline {
    /// All of them, the plainest first.
    pub const ALL: [Self; 4] = [Self::Constant, Self::Recency, Self::Logistic, Self::Tree];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Recency => "recency",
            Self::Logistic => "logistic",
            Self::Tree => "tree",
        }
    }

    /// Returns the baseline of a feature matrix and its labels; none where it has no feature to go by, or no optimum is found.
    ///
    /// # Errors
    /// [`PropensityError::NoRows`], [`PropensityError::Lengths`], [`PropensityError::OneClass`],
    /// [`PropensityError::Linfa`].
    pub fn fit(
        self,
        features: &FeatureMatrix,
        labels: &[bool],
    ) -> Result<Option<FittedBaseline>, PropensityError> {
        check_labels(features.rows(), labels)?;
        self.fit_rows(features, labels, None)
    }

    /// Returns the baseline of rows of which each counts as much as its weight over the mean of all says. Weights that are all the same are none.
    ///
    /// # Errors
    /// As [`Baseline::fit`], [`PropensityError::OneClass`] where one class alone has weight as well; [`PropensityError::NoWeight`] where the weights add up
    /// to nothing, [`PropensityError::Parameter`] where one is not 0 or more.
    pub fn fit_weighted(
        self,
        features: &FeatureMatrix,
        labels: &[bool],
        weights: &[f64],
    ) -> Result<Option<FittedBaseline>, PropensityError> {
        check_labels(features.rows(), labels)?;
        let weights = relative(weights, labels.len())?;
        let counted = labels.iter().zip(&weights).filter(|&(_, &weight)| weight > 0.0);
        let counted: Vec<bool> = counted.map(|(&label, _)| label).collect();
        check_labels(counted.len(), &counted)?;
        self.fit_rows(features, labels, Some(&weights))
    }

    /// The same of rows that were checked.
    fn fit_rows(
        self,
        features: &FeatureMatrix,
        labels: &[bool],
        weights: Option<&[f64]>,
    ) -> Result<Option<FittedBaseline>, PropensityError> {
        let sample = || Sample::new(features, labels, weights);
        let rule = match self {
            Self::Constant => Some(Rule::Constant(share(labels, weights))),
            Self::Recency => RecencyBaseline::fit(features, labels, weights)?.map(Rule::Recency),
            Self::Logistic => LogisticBaseline::fit(&sample()).map(Rule::Logistic),
            Self::Tree => Some(Rule::Tree(TreeBaseline::fit(&sample())?)),
        };
        Ok(rule.map(|rule| FittedBaseline { columns: features.names().len(), rule }))
    }
}

/// The share of positives, by rows or by their weights.
fn share(labels: &[bool], weights: Option<&[f64]>) -> f64 {
    let positives = labels.iter().enumerate().filter(|&(_, &label)| label).map(|(row, _)| row);
    match weights {
        Some(weights) => positives.map(|row| weights[row]).sum::<f64>() / weights.iter().sum::<f64>(),
        None => positives.count() as f64 / labels.len() as f64,
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FittedBaseline {
    /// Returns the probability of every row.
    ///
    /// # Errors
    /// [`PropensityError::FeatureCount`] where the rows have another number of values than it was fitted on.
    pub fn scores(&self, rows: &ArrayView2<'_, f32>) -> Result<Vec<f64>, PropensityError> {
        self.check(rows)?;
        Ok(match &self.rule {
            Rule::Constant(share) => vec![*share; rows.nrows()],
            Rule::Recency(rule) => rule.scores(rows),
            Rule::Logistic(rule) => rule.margins(rows).into_iter().map(crate::probability).collect(),
            Rule::Tree(tree) => tree.scores(rows),
        })
    }

    /// Returns how well it foretells labels, ranked by what it ranks by: without the ties of probabilities that round to 0 or 1.
    ///
    /// # Errors
    /// As [`FittedBaseline::scores`] and [`Evaluation::new`].
    pub fn evaluate(&self, features: &FeatureMatrix, labels: &[bool]) -> Result<Evaluation, PropensityError> {
        let scores = self.scores(&features.view())?;
        Evaluation::new(self.margins(features).as_ref().unwrap_or(&scores), &scores, labels)
    }

    /// Returns the same of rows of which each counts as often as its weight says.
    ///
    /// # Errors
    /// As [`FittedBaseline::scores`] and [`WeightedEvaluation::new`].
    pub fn evaluate_weighted(
        &self,
        features: &FeatureMatrix,
        labels: &[bool],
        weights: &[f64],
    ) -> Result<WeightedEvaluation, PropensityError> {
        let scores = self.scores(&features.view())?;
        let margins = self.margins(features);
        WeightedEvaluation::new(margins.as_ref().unwrap_or(&scores), &scores, labels, weights)
    }

    /// What rows are ranked by, where that is not their scores.
    fn margins(&self, features: &FeatureMatrix) -> Option<Vec<f64>> {
        match &self.rule {
            Rule::Constant(_) | Rule::Tree(_) => None,
            Rule::Recency(rule) => Some(rule.margins(&features.view())),
            Rule::Logistic(rule) => Some(rule.margins(&features.view())),
        }
    }

    fn check(&self, rows: &ArrayView2<'_, f32>) -> Result<(), PropensityError> {
        match (rows.ncols(), self.columns) {
            (found, expected) if found == expected => Ok(()),
            (found, expected) => Err(PropensityError::FeatureCount { found, expected }),
        }
    }
}
