//! How good scores are: ranking, probabilities, and what the best-scored share of rows brings.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::error::PropensityError;

/// How well scores foretold labels.
///
/// What cannot be computed (a ranking of one class) is none, never NaN. Nothing depends on the order of the rows: equal
/// scores are treated alike.
///
/// # Examples
/// ```
/// use cip_propensity::Evaluation;
/// // scikit-learn's example of roc_auc_score and average_precision_score.
/// let scores = [0.1, 0.4, 0.35, 0.8];
/// let found = Evaluation::new(&scores, &scores, &[false, false, true, true])?;
/// assert_eq!(found.auc, Some(0.75));
/// assert_eq!(found.average_precision.map(|value| (100.0 * value).round()), Some(83.0));
/// # Ok::<(), cip_propensity::PropensityError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evaluation {
    /// Rows.
    pub rows: u64,
    /// Rows whose label is 1.
    pub positives: u64,
    /// The area under the ROC curve: the probability that a positive row ranks above a negative one, ties counting half
    /// (Mann and Whitney 1947). None without rows of both classes.
    pub auc: Option<f64>,
    /// The mean of precision over the recall steps of the ranking, without interpolation; equal scores are one step. None
    /// without positives.
    pub average_precision: Option<f64>,
    /// The mean negative log likelihood of the labels, in nats; probabilities are kept 2^-52 away from 0 and 1.
    pub log_loss: f64,
    /// The mean squared difference of probability and label (Brier 1950).
    pub brier: f64,
    /// The mean difference of probability and frequency over 15 bins of equal width, weighted by their rows (Guo et al.
    /// 2017).
    pub ece: f64,
    /// What the best-ranked shares of rows bring, by [`FRACTIONS`].
    pub lift: Vec<Lift>,
    /// How often came true what was foretold, by the bins of `ece`; those without rows are left out.
    pub reliability: Vec<ReliabilityBin>,
    /// The same losses of the probabilities before they were calibrated, where those are known.
    pub uncalibrated: Option<ProbabilityLosses>,
}

/// How far probabilities are off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProbabilityLosses {
    /// As [`Evaluation::log_loss`].
    pub log_loss: f64,
    /// As [`Evaluation::brier`].
    pub brier: f64,
    /// As [`Evaluation::ece`].
    pub ece: f64,
}

/// Rows whose probabilities lie close together: whether they come true as often as they say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReliabilityBin {
    /// The least probability of the bin.
    pub from: f64,
    /// Probabilities of the bin are below it; of the last bin, at most it.
    pub to: f64,
    /// Rows.
    pub rows: u64,
    /// The mean of their probabilities.
    pub mean_score: f64,
    /// The share of them whose label is 1.
    pub observed: f64,
}

/// What the best-ranked share of rows brings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lift {
    /// The share of all rows.
    pub fraction: f64,
    /// The rows that it is: rounded down, at least one.
    pub rows: u64,
    /// Positives among them; of rows whose score ties at the boundary, the share that is expected of them.
    pub positives: f64,
    /// Positives over rows.
    pub conversion: f64,
    /// Conversion over that of all rows. None without positives.
    pub lift: Option<f64>,
    /// The part of all positives that is among them. None without positives.
    pub captured: Option<f64>,
}

/// The shares of rows for which an [`Evaluation`] has a [`Lift`].
pub const FRACTIONS: [f64; 6] = [0.01, 0.05, 0.1, 0.2, 0.3, 0.5];

impl Evaluation {
    /// Returns the evaluation of rows that are ranked by `ranking`, the highest first, and have `probabilities`.
    ///
    /// # Complexity
    /// Sorts the rows once.
    ///
    /// # Errors
    /// [`PropensityError::Lengths`]; [`PropensityError::NoRows`]; [`PropensityError::Score`] where a rank is NaN, or a
    /// probability is not one.
    pub fn new(ranking: &[f64], probabilities: &[f64], labels: &[bool]) -> Result<Self, PropensityError> {
        if ranking.len() != labels.len() {
            return Err(PropensityError::Lengths { rows: ranking.len(), labels: labels.len() });
        }
        refuse(ranking, |value| !value.is_nan(), "a number")?;
        let ProbabilityLosses { log_loss, brier, ece } = ProbabilityLosses::new(probabilities, labels)?;
        let steps = steps(ranking, labels);
        let positives: u64 = steps.iter().map(|step| step.positives).sum();
        let rows = labels.len() as u64;
        Ok(Self {
            rows,
            positives,
            auc: auc(&steps, rows, positives),
            average_precision: average_precision(&steps, positives),
            log_loss,
            brier,
            ece,
            lift: FRACTIONS.iter().map(|&fraction| lift(&steps, fraction, rows, positives)).collect(),
            reliability: reliability(probabilities, labels),
            uncalibrated: None,
        })
    }

    /// Adds how far the probabilities were off before they were calibrated.
    #[must_use]
    pub fn with_uncalibrated(self, losses: ProbabilityLosses) -> Self {
        Self { uncalibrated: Some(losses), ..self }
    }

    /// Returns the lift of a share of rows, where [`FRACTIONS`] has it.
    pub fn lift_at(&self, fraction: f64) -> Option<&Lift> {
        self.lift.iter().find(|lift| lift.fraction == fraction)
    }
}

impl ProbabilityLosses {
    /// Returns how far probabilities are off.
    ///
    /// # Errors
    /// [`PropensityError::Lengths`]; [`PropensityError::NoRows`]; [`PropensityError::Score`] where one is no probability.
    pub fn new(probabilities: &[f64], labels: &[bool]) -> Result<Self, PropensityError> {
        if probabilities.len() != labels.len() {
            return Err(PropensityError::Lengths { rows: probabilities.len(), labels: labels.len() });
        }
        if labels.is_empty() {
            return Err(PropensityError::NoRows { what: "evaluate" });
        }
        refuse(probabilities, |value| (0.0..=1.0).contains(&value), "a probability, 0 to 1")?;
        let rows = labels.len() as f64;
        let mean = |term: fn(f64, bool) -> f64| {
            let terms =
                probabilities.iter().zip(labels).map(|(&probability, &label)| term(probability, label));
            terms.sum::<f64>() / rows
        };
        let bins = reliability(probabilities, labels);
        Ok(Self {
            log_loss: mean(log_loss),
            brier: mean(squared_error),
            ece: bins.iter().map(|bin| bin.rows as f64 * (bin.mean_score - bin.observed).abs()).sum::<f64>()
                / rows,
        })
    }
}

/// The negative log likelihood of a label.
pub(crate) fn log_loss(probability: f64, label: bool) -> f64 {
    let probability = probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    -(if label { probability } else { 1.0 - probability }).ln()
}

/// The squared difference of a probability and its label.
pub(crate) fn squared_error(probability: f64, label: bool) -> f64 {
    (probability - f64::from(u8::from(label))).powi(2)
}

/// Rows of one score.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) rows: u64,
    pub(crate) positives: u64,
}

/// A number, not NaN, as an integer of the same order; -0 and 0 are one.
pub(crate) fn key(value: f64) -> i64 {
    let bits = (value + 0.0).to_bits().cast_signed();
    bits ^ (((bits >> 63).cast_unsigned()) >> 1).cast_signed()
}

/// The ranking as steps of equal scores, the highest first.
pub(crate) fn steps(ranking: &[f64], labels: &[bool]) -> Vec<Step> {
    let mut order: Vec<(i64, bool)> =
        ranking.iter().map(|&value| key(value)).zip(labels.iter().copied()).collect();
    order.sort_unstable_by_key(|&(key, _)| Reverse(key));
    let equal = order.chunk_by(|a, b| a.0 == b.0);
    let positives = |rows: &[(i64, bool)]| rows.iter().filter(|(_, label)| *label).count() as u64;
    equal.map(|rows| Step { rows: rows.len() as u64, positives: positives(rows) }).collect()
}

/// The same, each row being as many as it has parts.
pub(crate) fn weighted_steps(ranking: &[f64], labels: &[bool], parts: &[u64]) -> Vec<Step> {
    let rows = ranking.iter().zip(labels).zip(parts);
    let mut order: Vec<(i64, bool, u64)> =
        rows.map(|((&value, &label), &parts)| (key(value), label, parts)).collect();
    order.sort_unstable_by_key(|&(key, ..)| Reverse(key));
    let step = |rows: &[(i64, bool, u64)]| Step {
        rows: rows.iter().map(|row| row.2).sum(),
        positives: rows.iter().filter(|row| row.1).map(|row| row.2).sum(),
    };
    // A step without weight is none.
    order.chunk_by(|a, b| a.0 == b.0).map(step).filter(|step| step.rows > 0).collect()
}

pub(crate) fn auc(steps: &[Step], rows: u64, positives: u64) -> Option<f64> {
    // Twice the pairs of a positive above a negative, a tie counting once.
    let mut above = 0u64;
    let mut twice = 0u128;
    for step in steps {
        let negatives = u128::from(step.rows - step.positives);
        twice += negatives * u128::from(2 * above + step.positives);
        above += step.positives;
    }
    let pairs = u128::from(positives) * u128::from(rows - positives);
    (pairs > 0).then(|| twice as f64 / (2.0 * pairs as f64))
}

pub(crate) fn average_precision(steps: &[Step], positives: u64) -> Option<f64> {
    let (mut seen, mut found) = (0u64, 0u64);
    let mut sum = 0.0;
    for step in steps {
        seen += step.rows;
        found += step.positives;
        sum += step.positives as f64 * (found as f64 / seen as f64);
    }
    (positives > 0).then(|| sum / positives as f64)
}

pub(crate) fn lift(steps: &[Step], fraction: f64, rows: u64, positives: u64) -> Lift {
    let top = ((rows as f64 * fraction) as u64).clamp(1, rows);
    Lift { fraction, ..lift_of(steps, top, rows, positives) }
}

/// The lift of the `top` best-ranked rows, of which there is at least one.
pub(crate) fn lift_of(steps: &[Step], top: u64, rows: u64, positives: u64) -> Lift {
    let mut left = top;
    let mut found = 0.0;
    for step in steps {
        let taken = left.min(step.rows);
        found += step.positives as f64 * (taken as f64 / step.rows as f64);
        left -= taken;
    }
    let (conversion, all) = (found / top as f64, positives as f64);
    Lift {
        fraction: top as f64 / rows as f64,
        rows: top,
        positives: found,
        conversion,
        lift: (positives > 0).then(|| conversion / (all / rows as f64)),
        captured: (positives > 0).then(|| found / all),
    }
}

/// Checks a ranking and the probabilities beside it.
pub(crate) fn check(ranking: &[f64], probabilities: &[f64], labels: &[bool]) -> Result<(), PropensityError> {
    for rows in [ranking.len(), probabilities.len()] {
        if rows != labels.len() {
            return Err(PropensityError::Lengths { rows, labels: labels.len() });
        }
    }
    if labels.is_empty() {
        return Err(PropensityError::NoRows { what: "evaluate" });
    }
    refuse(ranking, |value| !value.is_nan(), "a number")?;
    refuse(probabilities, |value| (0.0..=1.0).contains(&value), "a probability, 0 to 1")
}

/// The bins of equal width that have rows.
fn reliability(probabilities: &[f64], labels: &[bool]) -> Vec<ReliabilityBin> {
    const BINS: usize = 15;
    let mut bins = [(0u64, 0.0, 0u64); BINS];
    for (&probability, &label) in probabilities.iter().zip(labels) {
        let bin = &mut bins[((probability * BINS as f64) as usize).min(BINS - 1)];
        *bin = (bin.0 + 1, bin.1 + probability, bin.2 + u64::from(label));
    }
    let bound = |index: usize| index as f64 / BINS as f64;
    let filled = bins.iter().enumerate().filter(|(_, (rows, ..))| *rows > 0);
    let bin = |(index, &(rows, sum, positives)): (usize, &(u64, f64, u64))| ReliabilityBin {
        from: bound(index),
        to: bound(index + 1),
        rows,
        mean_score: sum / rows as f64,
        observed: positives as f64 / rows as f64,
    };
    filled.map(bin).collect()
}

/// Refuses the first value that is not allowed.
pub(crate) fn refuse(
    values: &[f64],
    allowed: impl Fn(f64) -> bool,
    expected: &'static str,
) -> Result<(), PropensityError> {
    match values.iter().position(|&value| !allowed(value)) {
        Some(row) => Err(PropensityError::Score { row: row as u64, value: values[row], expected }),
        None => Ok(()),
    }
}
