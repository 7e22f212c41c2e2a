//! Logistic regression of linfa, on all features.

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2, ArrayView2};

use super::evenly_spaced;
use super::one_hot::OneHot;
use crate::error::PropensityError;
use crate::matrix::FeatureMatrix;

/// Weights of standardised features.
#[derive(Debug, Clone)]
pub(super) struct LogisticBaseline {
    columns: OneHot,
    /// Mean and deviation of each column.
    scales: Vec<[f64; 2]>,
    weights: Array1<f64>,
    constant: f64,
}

impl LogisticBaseline {
    /// The regression of some rows, of which there are both labels; none where linfa finds no optimum.
    pub(super) fn fit(features: &FeatureMatrix, labels: &[bool]) -> Result<Option<Self>, PropensityError> {
        const MOST_ROWS: usize = 20_000;
        const PENALTY: f64 = 1.0;
        const MOST_STEPS: u64 = 100;
        let rows = evenly_spaced(features.rows(), MOST_ROWS);
        let labels: Array1<bool> = rows.iter().map(|&row| labels[row]).collect();
        if labels.iter().all(|&label| label == labels[0]) {
            return Ok(None);
        }
        let sample = features.select(&rows);
        let columns = OneHot::of(&sample);
        let values = columns.rows(&sample.view());
        let scales = values.columns().into_iter().map(|column| scale(column.iter().copied())).collect();
        let mut baseline = Self { columns, scales, weights: Array1::zeros(0), constant: 0.0 };
        let dataset = Dataset::new(baseline.standardised(&sample.view()), labels);
        let regression = LogisticRegression::default().alpha(PENALTY).max_iterations(MOST_STEPS);
        let Ok(found) = regression.fit(&dataset) else { return Ok(None) };
        // linfa takes the more frequent class for the positive one.
        let sign = if found.labels().pos.class { 1.0 } else { -1.0 };
        baseline.weights = found.params() * sign;
        baseline.constant = found.intercept() * sign;
        let finite =
            baseline.constant.is_finite() && baseline.weights.iter().all(|weight| weight.is_finite());
        Ok(finite.then_some(baseline))
    }

    pub(super) fn margins(&self, rows: &ArrayView2<'_, f32>) -> Vec<f64> {
        (self.standardised(rows).dot(&self.weights) + self.constant).to_vec()
    }

    fn standardised(&self, rows: &ArrayView2<'_, f32>) -> Array2<f64> {
        const FARTHEST: f64 = 10.0;
        let rows = self.columns.rows(rows);
        Array2::from_shape_fn(rows.dim(), |(row, column)| {
            let [mean, deviation] = self.scales[column];
            let value = rows[[row, column]];
            if value.is_nan() {
                0.0
            } else {
                ((f64::from(value) - mean) / deviation).clamp(-FARTHEST, FARTHEST)
            }
        })
    }
}

/// Mean and deviation of the values that are known; a deviation of 1 where they are all the same.
fn scale(values: impl Iterator<Item = f32> + Clone) -> [f64; 2] {
    let known = || values.clone().filter(|value| !value.is_nan()).map(f64::from);
    let count = known().count().max(1) as f64;
    let mean = known().sum::<f64>() / count;
    let deviation = (known().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    [mean, if deviation > 0.0 { deviation } else { 1.0 }]
}
