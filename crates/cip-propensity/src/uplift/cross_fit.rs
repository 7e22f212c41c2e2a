//! Uplift of rows by models that have not seen them.

use cip_core::IdRef;

use crate::error::PropensityError;
use crate::matrix::FeatureMatrix;
use crate::params::BoostedTreesValidParams;
use crate::split::place_of;
use crate::uplift::model::{UpliftMethod, UpliftModel, check_arms};

/// Deals ids to folds of about equal sizes, always the same: all rows of an id are in one.
///
/// # Method
/// The fold is the whole part of k h, where h is the hash of [`IdSplit`](crate::IdSplit), of 0 to 1.
///
/// # Examples
/// ```
/// use cip_core::IdRef;
/// use cip_propensity::IdFolds;
///
/// let folds = IdFolds::new(5, 7)?;
/// let first = (0..10_000).filter(|&user| folds.fold(IdRef::Int64(user)) == 0).count();
/// assert_eq!(first, 2008);
/// assert!(IdFolds::new(1, 7).is_err());
/// # Ok::<(), cip_propensity::PropensityError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdFolds {
    folds: u32,
    seed: u64,
}

impl IdFolds {
    /// Returns a deal to as many folds, 2 to 100.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`].
    pub fn new(folds: u32, seed: u64) -> Result<Self, PropensityError> {
        if (2..=100).contains(&folds) {
            Ok(Self { folds, seed })
        } else {
            let value = f64::from(folds);
            Err(PropensityError::Parameter { name: "the number of folds", value, expected: "2 to 100" })
        }
    }

    /// How many folds there are.
    pub const fn folds(self) -> u32 {
        self.folds
    }

    /// Returns the fold of an id, from 0.
    pub fn fold(self, id: IdRef<'_>) -> u32 {
        // A hash that rounds up to 1 is in the last.
        ((place_of(self.seed, id) * f64::from(self.folds)) as u32).min(self.folds - 1)
    }
}

/// Returns the uplift of every row by a model of the rows of all other folds, so that it can be tested on the same rows.
///
/// # Complexity
/// As many fits as there are folds with rows; each copies the rows that it learns from.
///
/// # Errors
/// As [`UpliftModel::fit`]; [`PropensityError::NoRows`] where all rows are of one fold.
pub fn cross_fitted_uplift(
    method: UpliftMethod,
    params: &BoostedTreesValidParams,
    features: &FeatureMatrix,
    treated: &[bool],
    outcomes: &[bool],
    folds: &[u32],
) -> Result<Vec<f64>, PropensityError> {
    check_arms(features.rows(), treated, outcomes.len())?;
    cross_fitted(features, folds, |features, rows| {
        let of = |labels: &[bool]| rows.iter().map(|&row| labels[row]).collect::<Vec<_>>();
        UpliftModel::fit(method, params, features, &of(treated), &of(outcomes))
    })
}

/// Returns the uplift of every row, of outcomes that are amounts, as [`cross_fitted_uplift`] does.
///
/// # Errors
/// As [`UpliftModel::fit_amounts`]; [`PropensityError::NoRows`] where all rows are of one fold.
pub fn cross_fitted_amounts(
    method: UpliftMethod,
    params: &BoostedTreesValidParams,
    features: &FeatureMatrix,
    treated: &[bool],
    amounts: &[f64],
    folds: &[u32],
) -> Result<Vec<f64>, PropensityError> {
    check_arms(features.rows(), treated, amounts.len())?;
    cross_fitted(features, folds, |features, rows| {
        let treated: Vec<bool> = rows.iter().map(|&row| treated[row]).collect();
        let amounts: Vec<f64> = rows.iter().map(|&row| amounts[row]).collect();
        UpliftModel::fit_amounts(method, params, features, &treated, &amounts)
    })
}

/// The uplift of every row by the model that `fit` makes of the rows of all other folds.
fn cross_fitted(
    features: &FeatureMatrix,
    folds: &[u32],
    fit: impl Fn(&FeatureMatrix, &[usize]) -> Result<UpliftModel, PropensityError>,
) -> Result<Vec<f64>, PropensityError> {
    if folds.len() != features.rows() {
        return Err(PropensityError::Lengths { rows: features.rows(), labels: folds.len() });
    }
    let mut all: Vec<u32> = folds.to_vec();
    all.sort_unstable();
    all.dedup();
    if all.len() < 2 {
        return Err(PropensityError::NoRows { what: "learn uplift from, all being in one fold" });
    }
    let mut uplift = vec![0.0; folds.len()];
    for fold in all {
        let (inside, others): (Vec<usize>, Vec<usize>) =
            (0..folds.len()).partition(|&row| folds[row] == fold);
        let model = fit(&features.select(&others), &others)?;
        let found = model.uplift(&features.select(&inside).view())?;
        inside.into_iter().zip(found).for_each(|(row, found)| uplift[row] = found);
    }
    Ok(uplift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boosted::BoostedTrees;
    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    use linfa::ParamGuard;
    use std::sync::Arc;

    #[test]
    fn a_row_has_no_say_in_its_own_uplift() {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..400).map(|row| row * 7 % 11)));
        let table = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let features = FeatureMatrix::from_batches(&["x"], &[table]).unwrap();
        let treated: Vec<bool> = (0..400).map(|row| row % 2 == 0).collect();
        let mut outcomes: Vec<bool> = (0..400).map(|row| row % 5 == 0).collect();
        let folds: Vec<u32> = (0..400).map(|row| row / 7 % 3).collect();
        let params = BoostedTrees::params(7).with_trees(5).check().unwrap();
        let found = |outcomes: &[bool]| {
            cross_fitted_uplift(UpliftMethod::TwoModel, &params, &features, &treated, outcomes, &folds)
                .unwrap()
        };
        let before = found(&outcomes);
        (0..400).filter(|&row| folds[row] == 1).for_each(|row| outcomes[row] = row % 3 == 0);
        let after = found(&outcomes);
        let same =
            |fold: u32| (0..400).filter(|&row| folds[row] == fold).all(|row| before[row] == after[row]);
        assert!(same(1) && !same(0) && !same(2));
        let one_fold =
            cross_fitted_uplift(UpliftMethod::TwoModel, &params, &features, &treated, &outcomes, &[0; 400]);
        assert!(one_fold.unwrap_err().to_string().contains("all being in one fold"));
    }
}
