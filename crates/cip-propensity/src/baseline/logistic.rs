//! Logistic regression on all features: linfa's, and our own where rows have weights.

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2, ArrayView2, s};

use super::newton::WeightedRows;
use super::one_hot::OneHot;
use super::sample::Sample;

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
    /// The regression of some rows; none where they are of one class, or no optimum is found.
    pub(super) fn fit(sample: &Sample) -> Option<Self> {
        const PENALTY: f64 = 1.0;
        const MOST_STEPS: u64 = 100;
        let Sample { features, labels, weights } = sample;
        if labels.iter().all(|&label| label == labels[0]) {
            return None;
        }
        let columns = OneHot::of(sample);
        let values = columns.rows(&features.view());
        let scales = values.columns().into_iter().map(|column| scale(sample, column.iter().copied()));
        let scales = scales.collect();
        let mut baseline = Self { columns, scales, weights: Array1::zeros(0), constant: 0.0 };
        let records = baseline.standardised(&features.view());
        if let Some(weights) = weights {
            let rows =
                WeightedRows { records: records.view(), labels: labels.view(), weights, penalty: PENALTY };
            let found = rows.minimum()?;
            baseline.constant = found[records.ncols()];
            baseline.weights = found.slice(s![..records.ncols()]).to_owned();
            return Some(baseline);
        }
        let dataset = Dataset::new(records, labels.clone());
        let regression = LogisticRegression::default().alpha(PENALTY).max_iterations(MOST_STEPS);
        let found = regression.fit(&dataset).ok()?;
        // linfa takes the more frequent class for the positive one.
        let sign = if found.labels().pos.class { 1.0 } else { -1.0 };
        baseline.weights = found.params() * sign;
        baseline.constant = found.intercept() * sign;
        let finite =
            baseline.constant.is_finite() && baseline.weights.iter().all(|weight| weight.is_finite());
        finite.then_some(baseline)
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
fn scale(sample: &Sample, values: impl Iterator<Item = f32> + Clone) -> [f64; 2] {
    let known = || {
        let rows = values.clone().enumerate().filter(|(_, value)| !value.is_nan());
        rows.map(|(row, value)| (sample.weight(row), f64::from(value)))
    };
    let count: f64 = known().map(|(weight, _)| weight).sum();
    let count = if count > 0.0 { count } else { 1.0 };
    let mean = known().map(|(weight, value)| weight * value).sum::<f64>() / count;
    let variance = known().map(|(weight, value)| weight * (value - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt();
    [mean, if deviation > 0.0 { deviation } else { 1.0 }]
}
