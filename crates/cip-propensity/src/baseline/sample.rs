//! The rows that a baseline learns from, and how much each counts.

use ndarray::Array1;

use crate::matrix::FeatureMatrix;

/// At most so many rows, evenly spaced.
const MOST_ROWS: usize = 20_000;

/// Some rows, each with its label.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) features: FeatureMatrix,
    pub(super) labels: Array1<bool>,
    /// How much each counts, always more than 0: the sum is the number of rows where all of them are learned from. None where they
    /// count alike.
    pub(super) weights: Option<Vec<f64>>,
}

impl Sample {
    /// The rows to learn from; those without weight are none. Weights were checked, and some are more than 0.
    pub(super) fn new(features: &FeatureMatrix, labels: &[bool], weights: Option<&[f64]>) -> Self {
        let weights = weights.filter(|weights| weights.iter().any(|&weight| weight != weights[0]));
        let rows = match weights {
            None => evenly_spaced(features.rows(), MOST_ROWS),
            Some(weights) => {
                let counted: Vec<usize> = (0..weights.len()).filter(|&row| weights[row] > 0.0).collect();
                evenly_spaced(counted.len(), MOST_ROWS).into_iter().map(|at| counted[at]).collect()
            }
        };
        let scaled = |weights: &[f64]| {
            let sum: f64 = rows.iter().map(|&row| weights[row]).sum();
            let factor = labels.len().min(MOST_ROWS) as f64 / sum;
            rows.iter().map(|&row| weights[row] * factor).collect()
        };
        Self {
            features: features.select(&rows),
            labels: rows.iter().map(|&row| labels[row]).collect(),
            weights: weights.map(scaled),
        }
    }

    /// How much a row counts.
    pub(super) fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    /// How much all rows of a label count.
    pub(super) fn weight_of(&self, label: bool) -> f64 {
        let rows = self.labels.iter().enumerate().filter(|&(_, &other)| other == label);
        rows.map(|(row, _)| self.weight(row)).sum()
    }
}

/// The positions of at most `most` of `rows`, evenly spaced.
fn evenly_spaced(rows: usize, most: usize) -> Vec<usize> {
    if rows <= most {
        return (0..rows).collect();
    }
    (0..most).map(|row| (row as u128 * rows as u128 / most as u128) as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch};

    #[test]
    fn rows_with_weight_are_evenly_spaced_and_weigh_as_many_as_are_kept() {
        let rows = 3 * MOST_ROWS;
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
        let table = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let features = FeatureMatrix::from_batches(&["n"], &[table]).unwrap();
        let labels = vec![true; rows];
        let sample = |weight: &dyn Fn(usize) -> f64| {
            let weights: Vec<f64> = (0..rows).map(weight).collect();
            Sample::new(&features, &labels, Some(&weights))
        };
        let equal = sample(&|_| 0.25);
        assert_eq!((equal.weights.as_ref(), equal.features.view()[[1, 0]]), (None, 3.0));
        // Every other row has weight, and every third of these is kept.
        let half = sample(&|row| (row % 2) as f64 * 1e-9);
        let view = half.features.view();
        assert_eq!((view.nrows(), view[[0, 0]], view[[2, 0]]), (MOST_ROWS, 1.0, 7.0));
        assert!((half.weight_of(true) - MOST_ROWS as f64).abs() < 1e-6);
        assert!(half.weight(7) > 0.0 && half.weight_of(false) == 0.0);
    }
}
