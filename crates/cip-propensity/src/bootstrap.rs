//! How far metrics might be off: intervals by resampling the rows.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use cip_core::Draws;

use crate::error::PropensityError;
use crate::evaluation::{self, Step, auc, average_precision, lift};

/// Resamples of evaluated rows, from which the intervals of their metrics come.
///
/// # Method
/// The percentile bootstrap (Efron 1979): as many rows are drawn with replacement as there are, and the metrics of what was drawn
/// computed, again and again. The interval lies between the quantiles (1 - level) / 2 and (1 + level) / 2 of what came out, between
/// two of them by a line. Rows are taken to be independent: where one user has many, the intervals are too narrow.
///
/// The order of the rows does not matter, and the same seed gives the same intervals.
///
/// # Examples
/// ```
/// use cip_propensity::Bootstrap;
///
/// let labels: Vec<bool> = (0..400).map(|row| row * 7 % 400 > 300).collect();
/// let scores: Vec<f64> = (0..400).map(|row| f64::from(row * 7 % 400 / 4 * 4) / 400.0).collect();
/// let found = Bootstrap::new(200, 7)?.intervals(&scores, &scores, &labels)?;
/// let auc = found.auc.ok_or("rows of one class")?;
/// assert!(0.99 < auc.low && auc.low <= auc.high && auc.high <= 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    resamples: u32,
    seed: u64,
    level: f64,
}

/// Where a metric lies, as far as the rows can tell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The intervals of the metrics of an [`Evaluation`](crate::Evaluation).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MetricIntervals {
    /// The share of all samples whose intervals would cover what is to be found.
    pub level: f64,
    /// Resamples.
    pub resamples: u32,
    /// The seed.
    pub seed: u64,
    /// Of the area under the ROC curve; none without a resample that has both classes.
    pub auc: Option<Interval>,
    /// Of the average precision; none without a resample that has positives.
    pub average_precision: Option<Interval>,
    /// Of the lift of the best-ranked tenth; none without a resample that has positives.
    pub top_decile_lift: Option<Interval>,
    /// Of the log loss.
    pub log_loss: Interval,
    /// Of the Brier score.
    pub brier: Interval,
}

impl Bootstrap {
    /// The level where none is given.
    pub const LEVEL: f64 = 0.95;

    /// Returns the bootstrap with so many resamples, 20 to 100,000, at a level of 0.95. A thousand and more make steady ends.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`].
    pub fn new(resamples: u32, seed: u64) -> Result<Self, PropensityError> {
        if !(20..=100_000).contains(&resamples) {
            let value = f64::from(resamples);
            let expected = "20 to 100000";
            return Err(PropensityError::Parameter { name: "the number of resamples", value, expected });
        }
        Ok(Self { resamples, seed, level: Self::LEVEL })
    }

    /// Sets the level, between 0 and 1.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`].
    pub fn with_level(self, level: f64) -> Result<Self, PropensityError> {
        if 0.0 < level && level < 1.0 {
            Ok(Self { level, ..self })
        } else {
            let expected = "more than 0 and less than 1";
            Err(PropensityError::Parameter { name: "the level", value: level, expected })
        }
    }

    /// Returns the intervals of the metrics of rows that are ranked by `ranking` and have `probabilities`.
    ///
    /// # Complexity
    /// Sorts the rows once; each resample then is one pass over them.
    ///
    /// # Errors
    /// As [`Evaluation::new`](crate::Evaluation::new).
    pub fn intervals(
        &self,
        ranking: &[f64],
        probabilities: &[f64],
        labels: &[bool],
    ) -> Result<MetricIntervals, PropensityError> {
        evaluation::check(ranking, probabilities, labels)?;
        let rows = Ranked::all(ranking, probabilities, labels);
        let (mut aucs, mut precisions, mut lifts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut log_losses, mut briers) = (Vec::new(), Vec::new());
        let mut times = vec![0u32; rows.len()];
        let mut steps: Vec<Step> = Vec::with_capacity(rows.len());
        for number in 0..self.resamples {
            times.fill(0);
            let mut draws = Draws::numbered(self.seed, u64::from(number));
            for _ in 0..rows.len() {
                times[draws.below(rows.len())] += 1;
            }
            steps.clear();
            let (mut log_loss, mut brier) = (0.0, 0.0);
            for (at, (row, &times)) in rows.iter().zip(&times).enumerate() {
                if at == 0 || rows[at - 1].key != row.key {
                    steps.push(Step { rows: 0, positives: 0 });
                }
                let drawn = u64::from(times);
                if let Some(step) = steps.last_mut() {
                    step.rows += drawn;
                    step.positives += if row.label { drawn } else { 0 };
                }
                log_loss += f64::from(times) * row.log_loss;
                brier += f64::from(times) * row.squared_error;
            }
            steps.retain(|step| step.rows > 0);
            let all = rows.len() as u64;
            let positives = steps.iter().map(|step| step.positives).sum();
            aucs.extend(auc(&steps, all, positives));
            precisions.extend(average_precision(&steps, positives));
            lifts.extend(lift(&steps, 0.1, all, positives).lift);
            log_losses.push(log_loss / all as f64);
            briers.push(brier / all as f64);
        }
        let whole = |values| self.between(values).unwrap_or(Interval { low: 0.0, high: 0.0 });
        Ok(MetricIntervals {
            level: self.level,
            resamples: self.resamples,
            seed: self.seed,
            auc: self.between(aucs),
            average_precision: self.between(precisions),
            top_decile_lift: self.between(lifts),
            log_loss: whole(log_losses),
            brier: whole(briers),
        })
    }

    /// The interval between the quantiles of some values; none without any.
    fn between(&self, mut values: Vec<f64>) -> Option<Interval> {
        values.sort_unstable_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let quantile = |share: f64| {
            let place = share * last as f64;
            let below = (place as usize).min(last);
            let above = (below + 1).min(last);
            values[below] + (place - below as f64) * (values[above] - values[below])
        };
        let tail = (1.0 - self.level) / 2.0;
        Some(Interval { low: quantile(tail), high: quantile(1.0 - tail) })
    }
}

/// A row as resamples want it.
struct Ranked {
    key: i64,
    label: bool,
    log_loss: f64,
    squared_error: f64,
}

impl Ranked {
    /// All rows, the highest first, in an order that does not depend on theirs.
    fn all(ranking: &[f64], probabilities: &[f64], labels: &[bool]) -> Vec<Self> {
        let rows = ranking.iter().zip(probabilities).zip(labels);
        let mut order: Vec<_> =
            rows.map(|((&rank, &probability), &label)| (rank, probability, label)).collect();
        let key = evaluation::key;
        order.sort_unstable_by_key(|&(rank, probability, label)| {
            Reverse((key(rank), key(probability), label))
        });
        let row = |(rank, probability, label)| Self {
            key: key(rank),
            label,
            log_loss: evaluation::log_loss(probability, label),
            squared_error: evaluation::squared_error(probability, label),
        };
        order.into_iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::Evaluation;

    /// Scores that tell something of the labels, with ties.
    fn rows() -> (Vec<f64>, Vec<f64>, Vec<bool>) {
        let mut draws = Draws::new(1);
        let mut labels = Vec::new();
        let margins: Vec<f64> = (0..600)
            .map(|_| {
                let margin = draws.below(60) as f64 / 10.0 - 3.0;
                labels.push((draws.below(1_000) as f64) < 1_000.0 / (1.0 + (1.0 - margin).exp()));
                margin
            })
            .collect();
        let scores = margins.iter().map(|margin| 1.0 / (1.0 + (1.0 - margin).exp())).collect();
        (margins, scores, labels)
    }

    #[test]
    fn intervals_hold_their_metric_and_the_order_of_the_rows_does_not_matter() {
        let (margins, scores, labels) = rows();
        let bootstrap = Bootstrap::new(300, 7).unwrap();
        let found = bootstrap.intervals(&margins, &scores, &labels).unwrap();
        let whole = Evaluation::new(&margins, &scores, &labels).unwrap();
        let holds = |interval: Interval, value: f64| interval.low < value && value < interval.high;
        assert!(holds(found.auc.unwrap(), whole.auc.unwrap()), "{found:?}");
        assert!(holds(found.average_precision.unwrap(), whole.average_precision.unwrap()), "{found:?}");
        assert!(holds(found.top_decile_lift.unwrap(), whole.lift_at(0.1).unwrap().lift.unwrap()));
        assert!(holds(found.log_loss, whole.log_loss) && holds(found.brier, whole.brier), "{found:?}");
        // Hanley and McNeil 1982 give the standard error of an AUC; 3.92 of them are an interval of 95%.
        let (a, p) = (whole.auc.unwrap(), whole.positives as f64);
        let n = whole.rows as f64 - p;
        let (q1, q2) = (a / (2.0 - a), 2.0 * a * a / (1.0 + a));
        let error = ((a * (1.0 - a) + (p - 1.0) * (q1 - a * a) + (n - 1.0) * (q2 - a * a)) / (p * n)).sqrt();
        let width = found.auc.unwrap().high - found.auc.unwrap().low;
        assert!((0.8..1.25).contains(&(width / (3.92 * error))), "{width} {error}");

        let turned = |values: &[f64]| values.iter().rev().copied().collect::<Vec<_>>();
        let labels: Vec<bool> = labels.into_iter().rev().collect();
        assert_eq!(bootstrap.intervals(&turned(&margins), &turned(&scores), &labels).unwrap(), found);
        let narrower =
            bootstrap.with_level(0.5).unwrap().intervals(&turned(&margins), &turned(&scores), &labels);
        let narrower = narrower.unwrap().auc.unwrap();
        assert!(found.auc.unwrap().low < narrower.low && narrower.high < found.auc.unwrap().high);
    }

    #[test]
    fn one_class_has_no_ranking_and_nonsense_is_refused() {
        let bootstrap = Bootstrap::new(20, 1).unwrap();
        let found = bootstrap.intervals(&[0.1, 0.2], &[0.1, 0.2], &[false, false]).unwrap();
        assert_eq!((found.auc, found.average_precision, found.top_decile_lift), (None, None, None));
        assert!(found.brier.high > 0.0);
        assert!(bootstrap.intervals(&[], &[], &[]).is_err());
        assert!(bootstrap.intervals(&[f64::NAN], &[0.1], &[true]).is_err());
        assert!(bootstrap.intervals(&[0.0], &[f64::INFINITY], &[true]).is_err());
        assert!(bootstrap.intervals(&[0.0], &[0.0, 0.1], &[true]).is_err());
        assert!(Bootstrap::new(19, 1).is_err() && Bootstrap::new(100_001, 1).is_err());
        assert!(bootstrap.with_level(1.0).is_err() && bootstrap.with_level(f64::NAN).is_err());
    }
}
