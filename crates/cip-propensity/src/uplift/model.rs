//! Models of uplift: how they are made of models of a probability.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ndarray::{ArrayBase, Data, Ix2};

use crate::boosted::{BoostedTrees, probability};
use crate::engine::Examples;
use crate::error::PropensityError;
use crate::matrix::FeatureMatrix;
use crate::params::BoostedTreesValidParams;

/// How uplift is learned from rows of which each was treated or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum UpliftMethod {
    /// One model of the treated rows, one of the others, and the difference of their probabilities.
    #[default]
    TwoModel,
    /// One model of all rows, of a label that is turned around where a row was not treated (Jaskowski and Jaroszewicz 2012).
    TransformedOutcome,
}

impl UpliftMethod {
    /// The name, as it is written and read.
    pub fn name(self) -> &'static str {
        match self {
            Self::TwoModel => "two-model",
            Self::TransformedOutcome => "transformed-outcome",
        }
    }
}

impl fmt::Display for UpliftMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for UpliftMethod {
    type Err = PropensityError;

    /// Reads a name.
    ///
    /// # Errors
    /// [`PropensityError::UnknownUplift`], with the names that there are.
    fn from_str(text: &str) -> Result<Self, PropensityError> {
        let all = [Self::TwoModel, Self::TransformedOutcome];
        let found = all.into_iter().find(|method| method.name() == text);
        found.ok_or_else(|| PropensityError::UnknownUplift { found: text.into() })
    }
}

/// Boosted trees that say what a treatment adds to the probability of an outcome.
///
/// # Input
/// The treatment was given at random: whom it was given to has nothing to do with the features. Else the model learns who was chosen.
///
/// # Formula
/// Two models: P(y | x, treated) - P(y | x, not treated), each by trees of its own rows.
/// Transformed outcome: z = y where a row was treated and 1 - y where it was not, with the weights 1 / 2p and 1 / 2(1 - p), p the share
/// of the treated: as if half had been. Then the uplift is 2 P(z | x) - 1.
///
/// # Method
/// Radcliffe and Surry 1999 for two models; Jaskowski and Jaroszewicz 2012 for the other, which is the transformed outcome of Athey and
/// Imbens (2016) for outcomes of yes and no, by a logistic loss.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use arrow_array::{ArrayRef, Int64Array, RecordBatch};
/// use cip_propensity::{BoostedTrees, FeatureMatrix, ParamGuard, UpliftMethod, UpliftModel};
///
/// // A letter moves those who have visited often, and nobody else.
/// let visits: ArrayRef = Arc::new(Int64Array::from_iter_values((0..2_000).map(|user| user % 10)));
/// let table = RecordBatch::try_from_iter([("visits", visits)])?;
/// let features = FeatureMatrix::from_batches(&["visits"], &[table])?;
/// let treated: Vec<bool> = (0..2_000).map(|user| user / 10 % 2 == 0).collect();
/// let bought: Vec<bool> = (0..2_000).map(|user| user % 3 == 0 || treated[user] && user % 10 > 6).collect();
/// let params = BoostedTrees::params(7).with_trees(20).with_leaves(4).check()?;
/// let model = UpliftModel::fit(UpliftMethod::TwoModel, &params, &features, &treated, &bought)?;
/// let uplift = model.uplift(&features.view())?;
/// assert!(uplift[9] > 0.4 && uplift[2].abs() < 0.1, "{uplift:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct UpliftModel {
    learners: Learners,
}

#[derive(Debug, Clone, PartialEq)]
enum Learners {
    TwoModel { treated: Box<BoostedTrees>, control: Box<BoostedTrees> },
    TransformedOutcome(Box<BoostedTrees>),
}

impl UpliftModel {
    /// Returns a model of the rows of `features`, of which each was `treated` or not and has an outcome.
    ///
    /// # Errors
    /// [`PropensityError::Lengths`], [`PropensityError::OneArm`]; what training fails with, such as [`PropensityError::OneClass`] where all outcomes
    /// of an arm are one.
    pub fn fit(
        method: UpliftMethod,
        params: &BoostedTreesValidParams,
        features: &FeatureMatrix,
        treated: &[bool],
        outcomes: &[bool],
    ) -> Result<Self, PropensityError> {
        check_arms(features.rows(), treated, outcomes)?;
        let learners = match method {
            UpliftMethod::TwoModel => {
                let fit = |arm: bool| {
                    let rows: Vec<usize> = (0..treated.len()).filter(|&row| treated[row] == arm).collect();
                    let labels: Vec<bool> = rows.iter().map(|&row| outcomes[row]).collect();
                    params.fit_matrix(&features.select(&rows), &labels).map(Box::new)
                };
                Learners::TwoModel { treated: fit(true)?, control: fit(false)? }
            }
            UpliftMethod::TransformedOutcome => {
                let share = treated.iter().filter(|treated| **treated).count() as f64 / treated.len() as f64;
                let weight = |treated: bool| (0.5 / if treated { share } else { 1.0 - share }) as f32;
                let weights: Vec<f32> = treated.iter().map(|&treated| weight(treated)).collect();
                let labels: Vec<bool> =
                    treated.iter().zip(outcomes).map(|(treated, outcome)| treated == outcome).collect();
                let examples =
                    Examples { values: features.shared_values(), labels: &labels, weights: Some(&weights) };
                Learners::TransformedOutcome(Box::new(
                    params.fit_examples(Arc::clone(features.columns()), examples)?,
                ))
            }
        };
        Ok(Self { learners })
    }

    /// Returns what the treatment adds to the probability of the outcome, for every row: -1 to 1.
    ///
    /// # Errors
    /// [`PropensityError::FeatureCount`].
    pub fn uplift<D: Data<Elem = f32>>(&self, rows: &ArrayBase<D, Ix2>) -> Result<Vec<f64>, PropensityError> {
        Ok(match &self.learners {
            Learners::TwoModel { treated, control } => {
                let (treated, control) = (treated.margins(rows)?, control.margins(rows)?);
                treated.iter().zip(&control).map(|(t, c)| probability(*t) - probability(*c)).collect()
            }
            Learners::TransformedOutcome(trees) => {
                trees.margins(rows)?.iter().map(|&margin| 2.0 * probability(margin) - 1.0).collect()
            }
        })
    }
}

/// Checks that every row has an arm and an outcome, and that both arms have rows.
pub(crate) fn check_arms(rows: usize, treated: &[bool], outcomes: &[bool]) -> Result<(), PropensityError> {
    for labels in [treated.len(), outcomes.len()] {
        if labels != rows {
            return Err(PropensityError::Lengths { rows, labels });
        }
    }
    match treated.first() {
        None => Err(PropensityError::NoRows { what: "learn uplift from" }),
        Some(&first) if treated.iter().all(|&other| other == first) => {
            let missing = if first { "control" } else { "treated" };
            Err(PropensityError::OneArm { rows: rows as u64, missing })
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uplift::UpliftEvaluation;
    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    use linfa::ParamGuard;
    use std::sync::Arc;

    const METHODS: [UpliftMethod; 2] = [UpliftMethod::TwoModel, UpliftMethod::TransformedOutcome];

    /// Three of ten treated; of those with `moved` of 7 and more all buy when treated, of the others a fifth in any case.
    fn given(rows: usize) -> (FeatureMatrix, Vec<bool>, Vec<bool>) {
        // SplitMix64.
        let mixed = |row: usize, salt: u64| {
            let mut z = (row as u64 * 8 + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 33) as usize
        };
        let column = |salt: u64| -> ArrayRef {
            Arc::new((0..rows).map(|row| Some((mixed(row, salt) % 10) as i64)).collect::<Int64Array>())
        };
        let table = RecordBatch::try_from_iter([("moved", column(1)), ("other", column(2))]).unwrap();
        let features = FeatureMatrix::from_batches(&["moved", "other"], &[table]).unwrap();
        let treated: Vec<bool> = (0..rows).map(|row| mixed(row, 3) % 10 < 3).collect();
        let buys = |row: usize| mixed(row, 4) % 5 == 0 || treated[row] && mixed(row, 1) % 10 >= 7;
        let outcomes = (0..rows).map(buys).collect();
        (features, treated, outcomes)
    }

    #[test]
    fn both_methods_find_whom_the_treatment_moves() {
        let (features, treated, outcomes) = given(6_000);
        let params = BoostedTrees::params(7).with_trees(30).with_leaves(4).check().unwrap();
        for method in METHODS {
            let model = UpliftModel::fit(method, &params, &features, &treated, &outcomes).unwrap();
            let uplift = model.uplift(&features.view()).unwrap();
            let mean = |moved: fn(f32) -> bool| {
                let of: Vec<f64> = (0..6_000)
                    .filter(|&row| moved(features.view()[[row, 0]]))
                    .map(|row| uplift[row])
                    .collect();
                of.iter().sum::<f64>() / of.len() as f64
            };
            let (moved, others) = (mean(|value| value >= 7.0), mean(|value| value < 7.0));
            assert!((moved - 0.8).abs() < 0.08 && others.abs() < 0.08, "{method}: {moved} {others}");
            let found = UpliftEvaluation::new(&uplift, &treated, &outcomes).unwrap();
            assert!(found.qini > Some(0.3), "{found:?}");
        }
    }

    #[test]
    fn rows_without_both_arms_are_refused() {
        let (features, treated, outcomes) = given(50);
        let params = BoostedTrees::params(7).with_trees(2).check().unwrap();
        let refuse = |treated: &[bool], outcomes: &[bool]| {
            UpliftModel::fit(UpliftMethod::TwoModel, &params, &features, treated, outcomes)
                .unwrap_err()
                .to_string()
        };
        assert!(
            refuse(&[true; 50], &outcomes).starts_with("all 50 rows are of one arm, and none is control")
        );
        assert!(refuse(&[false; 50], &outcomes).contains("none is treated"));
        assert!(refuse(&treated[1..], &outcomes).contains("49"));
        assert!(refuse(&treated, &outcomes[1..]).contains("49"));
        assert!(matches!(
            UpliftModel::fit(UpliftMethod::TwoModel, &params, &features, &treated, &[false; 50]),
            Err(PropensityError::OneClass { .. })
        ));
    }

    #[test]
    fn methods_are_read_as_they_are_written() {
        for method in METHODS {
            assert_eq!(method.to_string().parse::<UpliftMethod>().unwrap(), method);
        }
        let error = "s-learner".parse::<UpliftMethod>().unwrap_err().to_string();
        assert_eq!(error, "`s-learner` is no method of uplift: write two-model or transformed-outcome");
    }
}
