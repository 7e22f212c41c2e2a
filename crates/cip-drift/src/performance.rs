//! What a model achieves, estimated from its scores where nobody knows the truth yet.

use serde::Serialize;

use crate::column::{ColumnKind, ColumnProfile};
use crate::number_key::{key_of, middle_of};

/// What a model is expected to achieve on rows whose labels are not known, if its scores are calibrated.
///
/// It tells what a change of the rows does to a model that still knows how likely they are. It cannot see that the world has changed: that
/// the same rows now have other labels.
///
/// # Formula
/// A row with the score p is positive with probability p. So, over all rows, the true positives are the sum of p where p >= threshold, and
/// the false ones that of 1 - p; below the threshold they are negatives. The other measures are made of these four; log loss is the mean of
/// -p ln p - (1 - p) ln(1 - p), Brier's score that of p (1 - p), and the area under the ROC curve that of the expected curve.
///
/// # Method
/// Confidence-based performance estimation, as NannyML has it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EstimatedPerformance {
    /// Rows with a score.
    pub rows: u64,
    /// The share of positives.
    pub positive_rate: f64,
    /// The score from which on a row is foretold as positive.
    pub threshold: f64,
    /// The share of rows that are foretold as positive.
    pub predicted_rate: f64,
    /// The area under the ROC curve; none where all are surely of one class.
    pub roc_auc: Option<f64>,
    /// The share of rows that are foretold rightly.
    pub accuracy: f64,
    /// Of those foretold as positive the share that is; none where there are none.
    pub precision: Option<f64>,
    /// Of the positives the share that is foretold; none where there are none.
    pub recall: Option<f64>,
    /// The harmonic mean of both; none where neither is known.
    pub f1: Option<f64>,
    /// Logistic loss, in natural units.
    pub log_loss: f64,
    /// Brier's score.
    pub brier: f64,
}

impl EstimatedPerformance {
    /// Returns the estimate of a column of scores; none where it has no rows, or where they are not all numbers of 0 to 1.
    pub(crate) fn of(scores: &ColumnProfile, threshold: f64) -> Option<Self> {
        let dropped = scores.cells.dropped();
        let cells = scores.cells.sorted(dropped);
        let range = key_of(0.0) >> dropped..=key_of(1.0) >> dropped;
        let probabilities = scores.kind == ColumnKind::Number
            && range.contains(&cells.first()?.0)
            && range.contains(&cells.last()?.0);
        if !probabilities {
            return None;
        }
        let mut sums = Sums::default();
        // The highest score first, as a curve is drawn.
        for (cell, count) in cells.into_iter().rev() {
            sums.add(middle_of(cell, dropped).min(1.0), count as f64, threshold);
        }
        Some(sums.estimate(scores.values(), threshold))
    }
}

#[derive(Debug, Default)]
struct Sums {
    positives: f64,
    negatives: f64,
    true_positives: f64,
    false_positives: f64,
    false_negatives: f64,
    true_negatives: f64,
    log_loss: f64,
    brier: f64,
    /// Twice the area under the curve of positives over negatives.
    area: f64,
}

impl Sums {
    fn add(&mut self, p: f64, count: f64, threshold: f64) {
        let (positives, negatives) = (count * p, count * (1.0 - p));
        self.area += negatives * (2.0 * self.positives + positives);
        self.positives += positives;
        self.negatives += negatives;
        if p >= threshold {
            self.true_positives += positives;
            self.false_positives += negatives;
        } else {
            self.false_negatives += positives;
            self.true_negatives += negatives;
        }
        let entropy = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
        self.log_loss += count * (entropy(p) + entropy(1.0 - p));
        self.brier += count * p * (1.0 - p);
    }

    fn estimate(&self, rows: u64, threshold: f64) -> EstimatedPerformance {
        let n = rows as f64;
        let ratio = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        let predicted = self.true_positives + self.false_positives;
        EstimatedPerformance {
            rows,
            positive_rate: self.positives / n,
            threshold,
            predicted_rate: predicted / n,
            roc_auc: ratio(self.area / 2.0, self.positives * self.negatives),
            accuracy: (self.true_positives + self.true_negatives) / n,
            precision: ratio(self.true_positives, predicted),
            recall: ratio(self.true_positives, self.positives),
            f1: ratio(2.0 * self.true_positives, predicted + self.positives),
            log_loss: self.log_loss / n,
            brier: self.brier / n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Float64Array};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn estimate(scores: &[f64], threshold: f64) -> Option<EstimatedPerformance> {
        let mut profile = ColumnProfile::new(ColumnKind::Number, 1 << 16);
        let array: ArrayRef = Arc::new(Float64Array::from(scores.to_vec()));
        profile.push(&array).unwrap();
        EstimatedPerformance::of(&profile, threshold)
    }

    #[test]
    fn scores_that_are_sure_are_right_and_others_are_no_probabilities() {
        let sure = estimate(&[0.0, 1.0, 1.0], 0.5).unwrap();
        assert_eq!(
            (sure.accuracy, sure.f1, sure.roc_auc, sure.log_loss, sure.brier),
            (1.0, Some(1.0), Some(1.0), 0.0, 0.0)
        );
        let none = estimate(&[0.0, 0.0], 0.5).unwrap();
        assert_eq!(
            (none.roc_auc, none.precision, none.recall, none.f1, none.accuracy),
            (None, None, None, None, 1.0)
        );
        for scores in [&[0.5, 1.1][..], &[-0.1], &[f64::INFINITY], &[]] {
            assert_eq!(estimate(scores, 0.5), None, "{scores:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_all_labels_give_on_average(quarters in proptest::collection::vec(0u8..=8, 1..9), at in 1u8..8) {
            let scores: Vec<f64> = quarters.iter().map(|&eighth| f64::from(eighth) / 8.0).collect();
            let threshold = f64::from(at) / 8.0;
            let found = estimate(&scores, threshold).unwrap();
            // All labels, each with its probability: means of what is linear in them.
            let (mut accuracy, mut brier, mut hits, mut wins, mut pairs) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for labels in 0u32..1 << scores.len() {
                let label = |row: usize| labels >> row & 1 == 1;
                let chance: f64 = scores.iter().enumerate().map(|(row, p)| if label(row) { *p } else { 1.0 - p }).product();
                for (row, &p) in scores.iter().enumerate() {
                    let share = chance / scores.len() as f64;
                    let truth = f64::from(u8::from(label(row)));
                    accuracy += share * f64::from(u8::from((p >= threshold) == label(row)));
                    brier += share * (p - truth).powi(2);
                    hits += chance * f64::from(u8::from(p >= threshold && label(row)));
                }
            }
            prop_assert!((found.accuracy - accuracy).abs() < 1e-9 && (found.brier - brier).abs() < 1e-9);
            let predicted = scores.iter().filter(|p| **p >= threshold).count() as f64;
            let positives: f64 = scores.iter().sum();
            prop_assert!((found.f1.unwrap_or(0.0) * (predicted + positives) - 2.0 * hits).abs() < 1e-9);
            // Pairs of a positive and a negative, which a row may be with itself.
            for p in &scores {
                for q in &scores {
                    let weight = p * (1.0 - q);
                    pairs += weight;
                    wins += weight * if p > q { 1.0 } else if p == q { 0.5 } else { 0.0 };
                }
            }
            prop_assert!(found.roc_auc.is_none_or(|auc| (auc - wins / pairs).abs() < 1e-9));
            prop_assert_eq!(found.roc_auc.is_none(), pairs == 0.0);
        }
    }
}
