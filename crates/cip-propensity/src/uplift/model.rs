//! Models of uplift: how they are made of models of a probability.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ndarray::{ArrayBase, Data, Ix2};
use serde::{Deserialize, Serialize};

use crate::boosted::{BoostedTrees, probability};
use crate::engine::Examples;
use crate::error::PropensityError;
use crate::matrix::FeatureMatrix;
use crate::params::BoostedTreesValidParams;

/// How uplift is learned from rows of which each was treated or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    pub(super) outcome: OutcomeKind,
    pub(super) learners: Learners,
}

/// What an outcome is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeKind {
    /// Yes or no: uplift is a difference of probabilities.
    Label,
    /// An amount: uplift is a difference of amounts.
    Amount,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Learners {
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
        check_arms(features.rows(), treated, outcomes.len())?;
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
        Ok(Self { outcome: OutcomeKind::Label, learners })
    }

    /// Returns a model of rows whose outcomes are amounts, such as what was spent.
    ///
    /// # Formula
    /// Two models: E(y | x, treated) - E(y | x, not treated), each by trees of its own rows on the squared error. Transformed outcome: trees of
    /// z = y / p where a row was treated and -y / (1 - p) where it was not, p the share of the treated, whose mean is the uplift (Athey and Imbens
    /// 2016); it varies far more than y.
    ///
    /// # Errors
    /// [`PropensityError::Lengths`], [`PropensityError::OneArm`]; [`PropensityError::Parameter`] where an amount is beyond 32 bits or not finite.
    pub fn fit_amounts(
        method: UpliftMethod,
        params: &BoostedTreesValidParams,
        features: &FeatureMatrix,
        treated: &[bool],
        amounts: &[f64],
    ) -> Result<Self, PropensityError> {
        check_arms(features.rows(), treated, amounts.len())?;
        if let Some(&value) = amounts.iter().find(|amount| !(**amount as f32).is_finite()) {
            let expected = "a finite number of at most 3.4e38";
            return Err(PropensityError::Parameter { name: "an amount", value, expected });
        }
        let learners = match method {
            UpliftMethod::TwoModel => {
                let fit = |arm: bool| {
                    let rows: Vec<usize> = (0..treated.len()).filter(|&row| treated[row] == arm).collect();
                    let amounts: Vec<f64> = rows.iter().map(|&row| amounts[row]).collect();
                    params.fit_amounts(&features.select(&rows), &amounts).map(Box::new)
                };
                Learners::TwoModel { treated: fit(true)?, control: fit(false)? }
            }
            UpliftMethod::TransformedOutcome => {
                let share = treated.iter().filter(|treated| **treated).count() as f64 / treated.len() as f64;
                let turned = |(&treated, &amount): (&bool, &f64)| {
                    if treated { amount / share } else { -amount / (1.0 - share) }
                };
                let turned: Vec<f64> = treated.iter().zip(amounts).map(turned).collect();
                Learners::TransformedOutcome(Box::new(params.fit_amounts(features, &turned)?))
            }
        };
        Ok(Self { outcome: OutcomeKind::Amount, learners })
    }

    /// What the outcome is.
    pub const fn outcome(&self) -> OutcomeKind {
        self.outcome
    }

    /// How it was learned.
    pub const fn method(&self) -> UpliftMethod {
        match self.learners {
            Learners::TwoModel { .. } => UpliftMethod::TwoModel,
            Learners::TransformedOutcome(_) => UpliftMethod::TransformedOutcome,
        }
    }

    /// A model of it, for the features and their categories: all have the same.
    pub fn trees(&self) -> &BoostedTrees {
        match &self.learners {
            Learners::TwoModel { treated, .. } => treated,
            Learners::TransformedOutcome(trees) => trees,
        }
    }

    /// Returns what the treatment adds for every row: to the probability of the outcome, -1 to 1, or to its amount.
    ///
    /// # Errors
    /// [`PropensityError::FeatureCount`].
    pub fn uplift<D: Data<Elem = f32>>(&self, rows: &ArrayBase<D, Ix2>) -> Result<Vec<f64>, PropensityError> {
        let is_amount = self.outcome == OutcomeKind::Amount;
        let value = |margin: f64| if is_amount { margin } else { probability(margin) };
        Ok(match &self.learners {
            Learners::TwoModel { treated, control } => {
                let (treated, control) = (treated.margins(rows)?, control.margins(rows)?);
                treated.iter().zip(&control).map(|(&t, &c)| value(t) - value(c)).collect()
            }
            Learners::TransformedOutcome(trees) => {
                let uplift = |margin: f64| if is_amount { margin } else { 2.0 * probability(margin) - 1.0 };
                trees.margins(rows)?.iter().map(|&margin| uplift(margin)).collect()
            }
        })
    }
}

/// Checks that every row has an arm and an outcome, and that both arms have rows.
pub(crate) fn check_arms(rows: usize, treated: &[bool], outcomes: usize) -> Result<(), PropensityError> {
    for labels in [treated.len(), outcomes] {
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
    use crate::uplift::{UpliftEvaluation, UpliftFile};
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
    fn both_methods_find_what_the_treatment_brings_and_a_file_keeps_it() {
        let (features, treated, bought) = given(8_000);
        // Whoever buys spends 30, and 10 more when treated.
        let spent: Vec<f64> = (0..8_000)
            .map(|row| f64::from(u8::from(bought[row])) * if treated[row] { 40.0 } else { 30.0 })
            .collect();
        let params = BoostedTrees::params(7).with_trees(30).with_leaves(4).with_min_child_weight(100.0);
        let params = params.check().unwrap();
        for method in METHODS {
            let model = UpliftModel::fit_amounts(method, &params, &features, &treated, &spent).unwrap();
            assert_eq!((model.outcome(), model.method()), (OutcomeKind::Amount, method));
            let uplift = model.uplift(&features.view()).unwrap();
            let mean = |moved: fn(f32) -> bool| {
                let rows = (0..8_000).filter(|&row| moved(features.view()[[row, 0]]));
                let of: Vec<f64> = rows.map(|row| uplift[row]).collect();
                of.iter().sum::<f64>() / of.len() as f64
            };
            // 40 of all less 30 of a fifth; and 40 less 30 of a fifth.
            let (moved, others) = (mean(|value| value >= 7.0), mean(|value| value < 7.0));
            assert!((moved - 34.0).abs() < 3.0 && (others - 2.0).abs() < 3.0, "{method}: {moved} {others}");
            assert!(UpliftEvaluation::of_amounts(&uplift, &treated, &spent).unwrap().qini_area > 1.0);

            let file = UpliftFile::new(model, "letter", "spent");
            let mut bytes = Vec::new();
            file.write_to(&mut bytes).unwrap();
            assert_eq!(UpliftFile::read_from(&bytes[..]).unwrap(), file);
            for end in (0..bytes.len() - 1).step_by(97) {
                assert!(UpliftFile::read_from(&bytes[..end]).is_err(), "cut at {end}");
            }
            let text = String::from_utf8(bytes).unwrap();
            let refuse = |from: &str, to: &str| {
                let changed = text.replacen(from, to, 1);
                assert_ne!(changed, text, "{from}");
                UpliftFile::read_from(changed.as_bytes()).unwrap_err().to_string()
            };
            let other = if method == UpliftMethod::TwoModel { "transformed-outcome" } else { "two-model" };
            assert!(refuse(method.name(), other).contains("other models than its method"));
            assert!(
                refuse("\"version\":1", "\"version\":2")
                    .contains("version 2, expected `cip-uplift-model`, version 1")
            );
            assert!(refuse("\"moved\",", "").contains("a feature that the model does not have"));
            assert!(refuse("\"amount\"", "\"sum\"").contains("unknown variant `sum`"));
        }
        let infinite = UpliftModel::fit_amounts(METHODS[0], &params, &features, &treated, &[1e39; 8_000]);
        assert!(infinite.unwrap_err().to_string().contains("at most 3.4e38"));
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
