//! The parameters of boosting: unchecked, then checked.

use std::num::NonZeroUsize;

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::error::PropensityError;

/// Parameters of [`BoostedTrees`](crate::BoostedTrees) that are not checked yet; `fit` checks them.
///
/// | parameter | without it | |
/// |---|---|---|
/// | trees | 200 | rounds of boosting, one tree each |
/// | leaves | 31 | the most leaves of a tree; trees grow where the loss falls most |
/// | learning rate | 0.1 | the share of each tree's step that is taken |
/// | min child weight | 2 | the least sum of second derivatives in a leaf |
/// | lambda | 1 | the L2 penalty on leaf values |
/// | seed | – | required: rows are not drawn yet, but the model says which it was |
/// | threads | all | changes the time, never the model |
///
/// Trees, leaves and learning rate are LightGBM's way of growing and the values that its users start from; the
/// penalties are XGBoost's, which calibrate small leaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoostedTreesParams(BoostedTreesValidParams);

/// Parameters of [`BoostedTrees`](crate::BoostedTrees) that were checked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoostedTreesValidParams {
    trees: u32,
    leaves: u32,
    learning_rate: f64,
    min_child_weight: f64,
    lambda: f64,
    seed: u64,
    #[serde(skip)]
    threads: Option<NonZeroUsize>,
}

impl BoostedTreesParams {
    /// Returns the documented values with a seed.
    pub const fn new(seed: u64) -> Self {
        Self(BoostedTreesValidParams {
            trees: 200,
            leaves: 31,
            learning_rate: 0.1,
            min_child_weight: 2.0,
            lambda: 1.0,
            seed,
            threads: None,
        })
    }

    /// Sets the number of trees, 1 to 100,000.
    pub const fn with_trees(mut self, trees: u32) -> Self {
        self.0.trees = trees;
        self
    }

    /// Sets the most leaves of a tree, 2 to 65,536.
    pub const fn with_leaves(mut self, leaves: u32) -> Self {
        self.0.leaves = leaves;
        self
    }

    /// Sets the share of each tree's step that is taken, above 0 and at most 1.
    pub const fn with_learning_rate(mut self, learning_rate: f64) -> Self {
        self.0.learning_rate = learning_rate;
        self
    }

    /// Sets the least sum of second derivatives in a leaf, 0 or more. Of the logistic loss a row has at most a quarter.
    pub const fn with_min_child_weight(mut self, min_child_weight: f64) -> Self {
        self.0.min_child_weight = min_child_weight;
        self
    }

    /// Sets the L2 penalty on leaf values, 0 or more.
    pub const fn with_lambda(mut self, lambda: f64) -> Self {
        self.0.lambda = lambda;
        self
    }

    /// Sets the number of threads, which does not change the model.
    pub const fn with_threads(mut self, threads: NonZeroUsize) -> Self {
        self.0.threads = Some(threads);
        self
    }
}

impl From<BoostedTreesValidParams> for BoostedTreesParams {
    fn from(params: BoostedTreesValidParams) -> Self {
        Self(params)
    }
}

impl BoostedTreesValidParams {
    /// Rounds of boosting.
    pub const fn trees(&self) -> u32 {
        self.trees
    }

    /// The most leaves of a tree.
    pub const fn leaves(&self) -> u32 {
        self.leaves
    }

    /// The share of each tree's step that is taken.
    pub const fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// The least sum of second derivatives in a leaf.
    pub const fn min_child_weight(&self) -> f64 {
        self.min_child_weight
    }

    /// The L2 penalty on leaf values.
    pub const fn lambda(&self) -> f64 {
        self.lambda
    }

    /// The seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of threads, or none for all.
    pub const fn threads(&self) -> Option<NonZeroUsize> {
        self.threads
    }
}

impl ParamGuard for BoostedTreesParams {
    type Checked = BoostedTreesValidParams;
    type Error = PropensityError;

    fn check_ref(&self) -> Result<&Self::Checked, PropensityError> {
        const MOST_TREES: u32 = 100_000;
        const MOST_LEAVES: u32 = 1 << 16;
        let params = &self.0;
        let refuse = |name, value, expected| Err(PropensityError::Parameter { name, value, expected });
        if !(1..=MOST_TREES).contains(&params.trees) {
            return refuse("trees", f64::from(params.trees), "1 to 100000");
        }
        if !(2..=MOST_LEAVES).contains(&params.leaves) {
            return refuse("leaves", f64::from(params.leaves), "2 to 65536");
        }
        if !(0.0 < params.learning_rate && params.learning_rate <= 1.0) {
            return refuse("the learning rate", params.learning_rate, "more than 0 and at most 1");
        }
        for (name, value) in [("min_child_weight", params.min_child_weight), ("lambda", params.lambda)] {
            if !(0.0..f64::INFINITY).contains(&value) {
                return refuse(name, value, "0 or more");
            }
        }
        Ok(params)
    }

    fn check(self) -> Result<Self::Checked, PropensityError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let params = BoostedTreesParams::new(7);
        assert_eq!(params.check().unwrap().trees(), 200);
        for params in [
            params.with_trees(0),
            params.with_trees(100_001),
            params.with_leaves(1),
            params.with_leaves(65_537),
            params.with_learning_rate(0.0),
            params.with_learning_rate(1.5),
            params.with_learning_rate(f64::NAN),
            params.with_min_child_weight(-1.0),
            params.with_min_child_weight(f64::NAN),
            params.with_lambda(f64::INFINITY),
        ] {
            assert!(matches!(params.check(), Err(PropensityError::Parameter { .. })), "{params:?}");
        }
        let error = params.with_learning_rate(2.0).check().unwrap_err().to_string();
        assert_eq!(error, "the learning rate is 2, expected more than 0 and at most 1");
    }
}
