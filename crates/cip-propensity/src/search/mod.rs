//! The search for parameters: a seeded draw from a small space, each tried on folds that are tested on what came later.

mod fold;

use std::collections::HashSet;

use cip_core::Draws;
use linfa::ParamGuard;
use serde::Serialize;

use crate::boosted::BoostedTrees;
use crate::error::PropensityError;
use crate::evaluation::{Step, auc, steps, weighted_steps};
use crate::matrix::FeatureMatrix;
use crate::params::BoostedTreesParams;
use crate::weights::parts;

pub use fold::Fold;

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
    /// The AUC of each fold that has rows of both classes on both sides, by their weights where they have some.
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
        self.run_rows(given, Rows { features, labels, weights: None }, folds)
    }

    /// Returns the same of rows of which each counts as much as its weight says, in the trees and in the AUC of a fold. A fold needs rows of both
    /// classes with weight on both sides.
    ///
    /// # Errors
    /// As [`Search::run`]; [`PropensityError::NoWeight`] where the weights add up to nothing, [`PropensityError::Parameter`] where one is not 0 or
    /// more.
    pub fn run_weighted(
        &self,
        given: &BoostedTreesParams,
        (features, labels, weights): (&FeatureMatrix, &[bool], &[f64]),
        folds: &[Fold],
    ) -> Result<Searched, PropensityError> {
        parts(weights, labels.len())?;
        self.run_rows(given, Rows { features, labels, weights: Some(weights) }, folds)
    }

    fn run_rows(
        &self,
        given: &BoostedTreesParams,
        of: Rows<'_>,
        folds: &[Fold],
    ) -> Result<Searched, PropensityError> {
        let rows = of.features.rows();
        if rows != of.labels.len() {
            return Err(PropensityError::Lengths { rows, labels: of.labels.len() });
        }
        let named = folds.iter().flat_map(|fold| fold.train.iter().chain(&fold.validate));
        if let Some(&row) = named.into_iter().find(|&&row| row >= rows) {
            return Err(PropensityError::FoldRow { row, rows });
        }
        let candidates = self.candidates(given);
        let mut aucs: Vec<Vec<f64>> = vec![Vec::new(); candidates.len()];
        for fold in folds {
            if !(of.have_both_classes(&fold.train) && of.have_both_classes(&fold.validate)) {
                continue;
            }
            let (train, tried) = (FoldSide::new(of, &fold.train), FoldSide::new(of, &fold.validate));
            for (candidate, aucs) in candidates.iter().zip(&mut aucs) {
                aucs.extend(tried.auc(&train.fit(candidate, &tried)?)?);
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

/// The rows of a search.
#[derive(Clone, Copy)]
struct Rows<'a> {
    features: &'a FeatureMatrix,
    labels: &'a [bool],
    weights: Option<&'a [f64]>,
}

impl Rows<'_> {
    /// Whether some rows of either class count.
    fn have_both_classes(&self, rows: &[usize]) -> bool {
        let counted = rows.iter().filter(|&&row| self.weights.is_none_or(|weights| weights[row] > 0.0));
        counted.map(|&row| self.labels[row]).collect::<HashSet<_>>().len() == 2
    }
}

/// The rows of one side of a fold.
struct FoldSide {
    features: FeatureMatrix,
    labels: Vec<bool>,
    weights: Option<Vec<f64>>,
}

impl FoldSide {
    fn new(of: Rows<'_>, rows: &[usize]) -> Self {
        let weights = of.weights.map(|weights| rows.iter().map(|&row| weights[row]).collect());
        let labels = rows.iter().map(|&row| of.labels[row]).collect();
        Self { features: of.features.select(rows), labels, weights }
    }

    /// The trees of these rows; those that they are tried on may say when to stop.
    fn fit(&self, params: &BoostedTreesParams, tried: &Self) -> Result<BoostedTrees, PropensityError> {
        let params = params.check_ref()?;
        match (&self.weights, &tried.weights) {
            (Some(weights), Some(of_tried)) => params.fit_weighted(
                (&self.features, &self.labels, weights),
                Some((&tried.features, &tried.labels, of_tried)),
            ),
            _ => params.fit_validated((&self.features, &self.labels), (&tried.features, &tried.labels)),
        }
    }

    /// How well trees rank these rows.
    fn auc(&self, trees: &BoostedTrees) -> Result<Option<f64>, PropensityError> {
        let margins = trees.margins(&self.features.view())?.to_vec();
        let steps = match &self.weights {
            Some(weights) => weighted_steps(&margins, &self.labels, &parts(weights, margins.len())?),
            None => steps(&margins, &self.labels),
        };
        let sum = |of: fn(&Step) -> u64| steps.iter().map(of).sum::<u64>();
        Ok(auc(&steps, sum(|step| step.rows), sum(|step| step.positives)))
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
    }
}
