//! Weights of rows: for how many each stands, and how well they are foretold so counted.

use arrow_array::RecordBatch;
use serde::Serialize;

use crate::error::PropensityError;
use crate::evaluation::{auc, average_precision, check, log_loss, squared_error, weighted_steps};
use crate::matrix::number::each_number;

/// Gathers the weights of a table, batch by batch.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Float64Array, RecordBatch};
/// use cip_propensity::WeightBuilder;
/// # let batch = RecordBatch::try_from_iter([("weight", Arc::new(Float64Array::from(vec![1.0, 0.5])) as ArrayRef)])?;
/// let mut weights = WeightBuilder::new("weight");
/// weights.push_where(&batch, |_| true)?;
/// assert_eq!(weights.finish(), [1.0, 0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct WeightBuilder {
    column: Box<str>,
    weights: Vec<f64>,
    /// Rows that were given, kept or not.
    seen: u64,
}

impl WeightBuilder {
    /// Returns an empty builder of the weights in `column`.
    pub fn new(column: impl Into<Box<str>>) -> Self {
        Self { column: column.into(), weights: Vec::new(), seen: 0 }
    }

    /// Adds the rows of a batch, counted from 0, for which `keep` holds. The others count in the rows that errors name.
    ///
    /// # Errors
    /// [`PropensityError::MissingColumn`]; [`PropensityError::WeightType`] where it is no number; [`PropensityError::WeightValue`] where one is null,
    /// negative or not finite.
    pub fn push_where(
        &mut self,
        batch: &RecordBatch,
        keep: impl Fn(usize) -> bool,
    ) -> Result<(), PropensityError> {
        let refuse = |found| PropensityError::WeightType { column: self.column.clone(), found };
        each_number(batch, &self.column, keep, refuse, |value, row| {
            let row = self.seen + row as u64;
            let weight = value.filter(|weight| (0.0..f64::INFINITY).contains(weight));
            let refused = || PropensityError::WeightValue { column: self.column.clone(), row, value };
            self.weights.push(weight.ok_or_else(refused)?);
            Ok(())
        })?;
        self.seen += batch.num_rows() as u64;
        Ok(())
    }

    /// Returns the weights, one a row.
    pub fn finish(self) -> Vec<f64> {
        self.weights
    }
}

/// How well scores foretold labels where each row counts as often as its weight says.
///
/// # Formula
/// As [`Evaluation`](crate::Evaluation) has them, a row of weight w being w rows: scikit-learn's `sample_weight`. Weights are taken over their mean
/// and rounded to 2^-30 of it, so that the order of the rows does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WeightedEvaluation {
    /// The sum of the weights.
    pub weight: f64,
    /// The sum of the weights of the rows whose label is 1.
    pub positive_weight: f64,
    /// The area under the ROC curve; none without weight of both classes.
    pub auc: Option<f64>,
    /// The mean of precision over the recall steps of the ranking; none without positives.
    pub average_precision: Option<f64>,
    /// The mean negative log likelihood of the labels.
    pub log_loss: f64,
    /// The mean squared difference of probability and label.
    pub brier: f64,
    /// The mean of the probabilities.
    pub mean_score: f64,
    /// The share of positives.
    pub observed: f64,
}

impl WeightedEvaluation {
    /// Returns the evaluation of rows that are ranked by `ranking`, the highest first, and have `probabilities` and `weights`.
    ///
    /// # Errors
    /// As [`Evaluation::new`](crate::Evaluation::new); [`PropensityError::NoWeight`] where the weights add up to nothing,
    /// [`PropensityError::Parameter`] where one is not 0 or more.
    pub fn new(
        ranking: &[f64],
        probabilities: &[f64],
        labels: &[bool],
        weights: &[f64],
    ) -> Result<Self, PropensityError> {
        check(ranking, probabilities, labels)?;
        let parts = parts(weights, labels.len())?;
        let sum = |of: &dyn Fn(usize) -> f64| -> f64 { (0..labels.len()).map(of).sum() };
        let weight = sum(&|row| weights[row]);
        let positive_weight = sum(&|row| if labels[row] { weights[row] } else { 0.0 });
        let steps = weighted_steps(ranking, labels, &parts);
        let (all, positives) =
            steps.iter().fold((0, 0), |(all, positives), step| (all + step.rows, positives + step.positives));
        let mean = |of: &dyn Fn(usize) -> f64| sum(&|row| weights[row] * of(row)) / weight;
        Ok(Self {
            weight,
            positive_weight,
            auc: auc(&steps, all, positives),
            average_precision: average_precision(&steps, positives),
            log_loss: mean(&|row| log_loss(probabilities[row], labels[row])),
            brier: mean(&|row| squared_error(probabilities[row], labels[row])),
            mean_score: mean(&|row| probabilities[row]),
            observed: positive_weight / weight,
        })
    }
}

/// So many parts make a row of mean weight.
pub(crate) const PARTS: u64 = 1 << 30;

/// Returns weights in parts of their mean: whole numbers add up exactly, in any order.
pub(crate) fn parts(weights: &[f64], rows: usize) -> Result<Vec<u64>, PropensityError> {
    let mean = mean(weights, rows)?;
    Ok(weights.iter().map(|weight| (weight / mean * PARTS as f64).round() as u64).collect())
}

/// Returns weights over their mean.
pub(crate) fn relative(weights: &[f64], rows: usize) -> Result<Vec<f64>, PropensityError> {
    let mean = mean(weights, rows)?;
    Ok(weights.iter().map(|weight| weight / mean).collect())
}

/// Returns the same as boosting takes them.
pub(crate) fn over_mean(weights: &[f64], rows: usize) -> Result<Vec<f32>, PropensityError> {
    Ok(relative(weights, rows)?.into_iter().map(|weight| weight as f32).collect())
}

/// Returns the mean of weights, which is more than 0.
pub(crate) fn mean(weights: &[f64], rows: usize) -> Result<f64, PropensityError> {
    if weights.len() != rows {
        return Err(PropensityError::Lengths { rows, labels: weights.len() });
    }
    if let Some(&value) = weights.iter().find(|weight| !(0.0..f64::INFINITY).contains(*weight)) {
        return Err(PropensityError::Parameter { name: "a weight", value, expected: "0 or more" });
    }
    let mean = weights.iter().map(|weight| weight / rows as f64).sum::<f64>();
    if mean > 0.0 { Ok(mean) } else { Err(PropensityError::NoWeight { rows: rows as u64 }) }
}
