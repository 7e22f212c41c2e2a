//! The search for parameters: a seeded draw from a small space, each tried on folds that are tested on what came later.

use std::collections::HashSet;

use cip_core::{Draws, IdRef};
use linfa::ParamGuard;
use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use crate::error::PropensityError;
use crate::evaluation::{auc, steps};
use crate::matrix::FeatureMatrix;
use crate::params::BoostedTreesParams;

/// Rows to train on and rows to try the model on, by their positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Rows to train on.
    pub train: Vec<usize>,
    /// Rows to try the model on.
    pub validate: Vec<usize>,
}

/// A search over leaves (7, 15, 31, 63), learning rate (0.03, 0.05, 0.1, 0.2), least weight of a leaf (1, 2, 5, 20) and L2 penalty
/// (0.1, 1, 10).
///
/// # Method
/// Random search (Bergstra and Bengio 2012): the given parameters first, then draws from the 192 points without replacement, each the
/// same for the same seed. The best is the one with the highest mean AUC over the folds, the earlier one of equals: a ranking does not
/// depend on class weights, and calibration comes later.
///
/// # Examples
/// ```
/// use cip_propensity::{BoostedTrees, Search};
///
/// let candidates = Search::new(4, 7)?.candidates(&BoostedTrees::params(7));
/// assert_eq!((candidates.len(), &candidates[0]), (4, &BoostedTrees::params(7)));
/// # Ok::<(), cip_propensity::PropensityError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    candidates: u32,
    seed: u64,
}

/// Parameters that were tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Trial {
    /// The most leaves of a tree.
    pub leaves: u32,
    /// The share of each tree's step that is taken.
    pub learning_rate: f64,
    /// The least sum of second derivatives in a leaf.
    pub min_child_weight: f64,
    /// The L2 penalty on leaf values.
    pub lambda: f64,
    /// The AUC of each fold that has rows of both classes on both sides.
    pub aucs: Vec<f64>,
    /// Their mean.
    pub mean_auc: f64,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// The best parameters.
    pub best: BoostedTreesParams,
    /// What was tried, in that order.
    pub trials: Vec<Trial>,
}

impl Fold {
    /// Returns folds whose cutoff rolls on: of `count` + 1 spans of time with about as many rows each, the first is only trained on, and
    /// every other one is foretold from what was known where it begins, `gap` being how long a label takes to be known.
    ///
    /// ```text
    ///  fold 1   train │gap│ validate │
    ///  fold 2   train            │gap│ validate │
    /// ```
    ///
    /// With `groups` (one number a row, such as a hash of the user) no group is on both sides of a fold: one in `count` is tried on,
    /// and the others are trained on. Folds without rows on both sides are left out.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`] where `count` is not 1 to 20 or the gap is negative; [`PropensityError::Lengths`].
    pub fn rolling(
        times: &[i64],
        groups: Option<&[u64]>,
        count: u32,
        gap: i64,
    ) -> Result<Vec<Self>, PropensityError> {
        check_count(count)?;
        if gap < 0 {
            return Err(PropensityError::Parameter {
                name: "the gap",
                value: gap as f64,
                expected: "0 or more",
            });
        }
        if let Some(groups) = groups.filter(|groups| groups.len() != times.len()) {
            return Err(PropensityError::Lengths { rows: times.len(), labels: groups.len() });
        }
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let spans = count as usize + 1;
        let begin = |span: usize| sorted.get(sorted.len() * span / spans).copied();
        let fold = |number: usize| {
            let from = begin(number)?;
            let until = if number + 1 < spans { begin(number + 1) } else { None };
            let tried =
                |row: usize| groups.is_none_or(|groups| groups[row] % u64::from(count) == number as u64 - 1);
            let rows = || 0..times.len();
            let is_grouped = groups.is_some();
            let train = rows().filter(|&row| times[row].saturating_add(gap) <= from && times[row] < from);
            let train = train.filter(|&row| !is_grouped || !tried(row)).collect();
            let validate =
                rows().filter(|&row| from <= times[row] && until.is_none_or(|until| times[row] < until));
            let validate = validate.filter(|&row| tried(row)).collect();
            Some(Self { train, validate })
        };
        Ok((1..spans).filter_map(fold).filter(Self::has_rows).collect())
    }

    /// Returns `count` folds of rows without a time: each is tried on one group in `count`, and trained on the others.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`] where `count` is not 2 to 20.
    pub fn by_group(groups: &[u64], count: u32) -> Result<Vec<Self>, PropensityError> {
        check_count(count)?;
        if count < 2 {
            let expected = "2 to 20 where rows have no time";
            return Err(PropensityError::Parameter { name: "the number of folds", value: 1.0, expected });
        }
        let fold = |number: u64| {
            let (validate, train) =
                (0..groups.len()).partition(|&row| groups[row] % u64::from(count) == number);
            Self { train, validate }
        };
        Ok((0..u64::from(count)).map(fold).filter(Self::has_rows).collect())
    }

    /// The number of the group of an id: XXH3-64 with a seed of its own, so that it has nothing to do with the side that an
    /// [`IdSplit`](crate::IdSplit) of the same seed gives it.
    pub fn group(id: IdRef<'_>, seed: u64) -> u64 {
        let mut hash = Xxh3::with_seed(!seed);
        match id {
            IdRef::Int64(id) => hash.update(&id.to_le_bytes()),
            IdRef::Utf8(id) => hash.update(id.as_bytes()),
        }
        hash.digest()
    }

    fn has_rows(&self) -> bool {
        !self.train.is_empty() && !self.validate.is_empty()
    }
}

fn check_count(count: u32) -> Result<(), PropensityError> {
    match count {
        1..=20 => Ok(()),
        _ => {
            let value = f64::from(count);
            Err(PropensityError::Parameter { name: "the number of folds", value, expected: "1 to 20" })
        }
    }
}

impl Search {
    const LEAVES: [u32; 4] = [7, 15, 31, 63];
    const LEARNING_RATES: [f64; 4] = [0.03, 0.05, 0.1, 0.2];
    const MIN_CHILD_WEIGHTS: [f64; 4] = [1.0, 2.0, 5.0, 20.0];
    const LAMBDAS: [f64; 3] = [0.1, 1.0, 10.0];
    /// Points of the space.
    const POINTS: usize = 192;

    /// Returns a search of so many candidates, 1 to 193.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`].
    pub fn new(candidates: u32, seed: u64) -> Result<Self, PropensityError> {
        if (1..=Self::POINTS as u32 + 1).contains(&candidates) {
            Ok(Self { candidates, seed })
        } else {
            let value = f64::from(candidates);
            Err(PropensityError::Parameter { name: "the number of candidates", value, expected: "1 to 193" })
        }
    }

    /// Returns the parameters that are tried, the given ones first.
    pub fn candidates(&self, given: &BoostedTreesParams) -> Vec<BoostedTreesParams> {
        let mut points: Vec<usize> = (0..Self::POINTS).collect();
        let mut draws = Draws::new(self.seed);
        let mut candidates = vec![given.clone()];
        while candidates.len() < self.candidates as usize && !points.is_empty() {
            let mut point = points.swap_remove(draws.below(points.len()));
            let mut digit = |base: usize| {
                let digit = point % base;
                point /= base;
                digit
            };
            let candidate = (given.clone())
                .with_leaves(Self::LEAVES[digit(Self::LEAVES.len())])
                .with_learning_rate(Self::LEARNING_RATES[digit(Self::LEARNING_RATES.len())])
                .with_min_child_weight(Self::MIN_CHILD_WEIGHTS[digit(Self::MIN_CHILD_WEIGHTS.len())])
                .with_lambda(Self::LAMBDAS[digit(Self::LAMBDAS.len())]);
            if candidate != *given {
                candidates.push(candidate);
            }
        }
        candidates
    }

    /// Returns the best of the candidates on `folds` of the rows. Where the parameters stop early, the rows of a fold to try the model on
    /// also say when, which favours all candidates alike.
    ///
    /// # Complexity
    /// Trains every candidate on every fold.
    ///
    /// # Errors
    /// [`PropensityError::NoFolds`] where no fold has rows of both classes on both sides; [`PropensityError::Lengths`];
    /// [`PropensityError::FoldRow`] where a fold names a row that is not there; those of
    /// [`BoostedTreesValidParams::fit_matrix`](crate::BoostedTreesValidParams::fit_matrix).
    pub fn run(
        &self,
        given: &BoostedTreesParams,
        features: &FeatureMatrix,
        labels: &[bool],
        folds: &[Fold],
    ) -> Result<Searched, PropensityError> {
        let rows = features.rows();
        if rows != labels.len() {
            return Err(PropensityError::Lengths { rows, labels: labels.len() });
        }
        let named = folds.iter().flat_map(|fold| fold.train.iter().chain(&fold.validate));
        if let Some(&row) = named.into_iter().find(|&&row| row >= rows) {
            return Err(PropensityError::FoldRow { row, rows });
        }
        let candidates = self.candidates(given);
        let mut aucs: Vec<Vec<f64>> = vec![Vec::new(); candidates.len()];
        for fold in folds {
            let labels_of = |rows: &[usize]| rows.iter().map(|&row| labels[row]).collect::<Vec<_>>();
            let (train_labels, tried_labels) = (labels_of(&fold.train), labels_of(&fold.validate));
            let both = |labels: &[bool]| labels.iter().collect::<HashSet<_>>().len() == 2;
            if !(both(&train_labels) && both(&tried_labels)) {
                continue;
            }
            let (train, tried) = (features.select(&fold.train), features.select(&fold.validate));
            let positives = tried_labels.iter().filter(|&&label| label).count() as u64;
            for (candidate, aucs) in candidates.iter().zip(&mut aucs) {
                let params = candidate.check_ref()?;
                let trees = params.fit_validated((&train, &train_labels), (&tried, &tried_labels))?;
                let margins = trees.margins(&tried.view())?.to_vec();
                aucs.extend(auc(&steps(&margins, &tried_labels), margins.len() as u64, positives));
            }
        }
        let trials: Vec<Trial> = candidates
            .iter()
            .zip(aucs)
            .map(|(candidate, aucs)| Trial::new(candidate, aucs))
            .collect::<Result<_, _>>()?;
        let mut best = 0;
        for (at, trial) in trials.iter().enumerate() {
            if trial.mean_auc > trials[best].mean_auc {
                best = at;
            }
        }
        Ok(Searched { best: candidates[best].clone(), trials })
    }
}

impl Trial {
    fn new(params: &BoostedTreesParams, aucs: Vec<f64>) -> Result<Self, PropensityError> {
        if aucs.is_empty() {
            return Err(PropensityError::NoFolds);
        }
        let params = params.check_ref()?;
        Ok(Self {
            leaves: params.leaves(),
            learning_rate: params.learning_rate(),
            min_child_weight: params.min_child_weight(),
            lambda: params.lambda(),
            mean_auc: aucs.iter().sum::<f64>() / aucs.len() as f64,
            aucs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BoostedTrees;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn folds_foretell_what_came_later_and_part_groups(
            rows in proptest::collection::vec((0i64..40, 0u64..9), 1..60), count in 1u32..5, gap in 0i64..8
        ) {
            let (times, groups): (Vec<i64>, Vec<u64>) = rows.into_iter().unzip();
            for groups in [None, Some(&groups[..])] {
                for fold in Fold::rolling(&times, groups, count, gap).unwrap() {
                    for (&a, &b) in fold.train.iter().flat_map(|a| fold.validate.iter().map(move |b| (a, b))) {
                        prop_assert!(times[a] + gap <= times[b] && times[a] < times[b]);
                        prop_assert!(groups.is_none_or(|groups| groups[a] != groups[b]));
                    }
                }
            }
            if count > 1 {
                let folds = Fold::by_group(&groups, count).unwrap();
                for fold in &folds {
                    prop_assert_eq!(fold.train.len() + fold.validate.len(), groups.len());
                    prop_assert!(fold.train.iter().all(|&a| fold.validate.iter().all(|&b| groups[a] != groups[b])));
                }
            }
        }
    }

    #[test]
    fn candidates_differ_and_follow_from_the_seed() {
        let given = BoostedTrees::params(7);
        let all = Search::new(193, 3).unwrap().candidates(&given);
        // The given parameters are a point of the space themselves.
        assert_eq!(all.len(), 192);
        assert!(all.iter().enumerate().all(|(at, one)| all[..at].iter().all(|other| other != one)));
        let few = |seed| Search::new(5, seed).unwrap().candidates(&given);
        assert_eq!(few(3), all[..5]);
        assert_ne!(few(3), few(4));
        assert!(Search::new(0, 1).is_err() && Search::new(194, 1).is_err());
        assert!(Fold::rolling(&[1], None, 0, 0).is_err() && Fold::rolling(&[1], None, 1, -1).is_err());
        assert!(Fold::by_group(&[1], 1).is_err() && Fold::rolling(&[1], Some(&[]), 1, 0).is_err());
    }
}
