//! The parameters of boosting: unchecked, then checked.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::error::PropensityError;

/// Parameters of [`BoostedTrees`](crate::BoostedTrees) that are not checked yet; `fit` checks them.
///
/// | parameter | without it | |
/// |---|---|---|
/// | trees | 200 | rounds of boosting, one tree each |
/// | leaves | 31 | the most leaves of a tree; trees grow where the loss falls most |
/// | depth | any | the most splits from the root to a leaf |
/// | learning rate | 0.1 | the share of each tree's step that is taken |
/// | min child weight | 2 | the least sum of second derivatives in a leaf |
/// | lambda | 1 | the L2 penalty on leaf values |
/// | class weight | equal | how much a positive row counts beside a negative one |
/// | early stopping | none | rounds without a lower loss of the rows to validate on, after which boosting ends |
/// | monotone | none | features of which the margin may only rise, or only fall |
/// | seed | – | required: rows are not drawn yet, but the model says which it was |
/// | threads | all | at most so many of rayon's current pool; changes the time, never the model |
///
/// Trees, leaves and learning rate are LightGBM's way of growing and the values that its users start from; the
/// penalties are XGBoost's, which calibrate small leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct BoostedTreesParams(BoostedTreesValidParams);

/// Parameters of [`BoostedTrees`](crate::BoostedTrees) that were checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoostedTreesValidParams {
    trees: u32,
    leaves: u32,
    depth: Option<NonZeroU32>,
    learning_rate: f64,
    min_child_weight: f64,
    lambda: f64,
    class_weight: ClassWeight,
    early_stopping: Option<NonZeroU32>,
    monotone: BTreeMap<Box<str>, Monotone>,
    seed: u64,
    #[serde(skip)]
    threads: Option<NonZeroUsize>,
}

/// How much a positive row counts beside a negative one. Where it is not 1, margins are of another world than the rows': calibrate
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeight {
    /// As much.
    #[default]
    Equal,
    /// As many times as there are more negatives: both classes have the same weight in sum.
    Balanced,
    /// This many times, more than 0.
    Positive(f64),
}

/// Which way a margin may go as a feature rises, all others being the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Monotone {
    /// Never down.
    Increasing,
    /// Never up.
    Decreasing,
}

impl ClassWeight {
    /// Returns the weight of a row with each label, negative first; their mean over rows, all and the positive ones weighing this much, is 1.
    ///
    /// # Formula
    /// With w the weight of a positive row beside a negative one, and p and n the rows of either kind (where rows have weights, their sums), a negative row has
    /// (p + n) / (w p + n) and a positive one w times that: so the least weight in a leaf, and the penalties, mean what they mean
    /// without weights.
    pub(crate) fn of_rows(self, rows: f64, positives: f64) -> [f64; 2] {
        let negatives = rows - positives;
        let weight = match self {
            Self::Equal => 1.0,
            Self::Balanced if positives > 0.0 => negatives / positives,
            Self::Balanced => 1.0,
            Self::Positive(weight) => weight,
        };
        let scale = rows / (weight * positives + negatives);
        [scale, scale * weight]
    }
}

impl BoostedTreesParams {
    /// Returns the documented values with a seed.
    pub const fn new(seed: u64) -> Self {
        Self(BoostedTreesValidParams {
            trees: 200,
            leaves: 31,
            depth: None,
            learning_rate: 0.1,
            min_child_weight: 2.0,
            lambda: 1.0,
            class_weight: ClassWeight::Equal,
            early_stopping: None,
            monotone: BTreeMap::new(),
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

    /// Sets the most splits from the root of a tree to a leaf. A tree of depth d has at most 2^d leaves.
    pub const fn with_depth(mut self, depth: NonZeroU32) -> Self {
        self.0.depth = Some(depth);
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

    /// Sets how much a positive row counts beside a negative one.
    pub const fn with_class_weight(mut self, weight: ClassWeight) -> Self {
        self.0.class_weight = weight;
        self
    }

    /// Ends boosting after so many rounds in a row without a lower log loss of the rows to validate on, and keeps the trees up to the
    /// lowest. It needs such rows: [`BoostedTreesValidParams::fit_validated`].
    pub const fn with_early_stopping(mut self, rounds: NonZeroU32) -> Self {
        self.0.early_stopping = Some(rounds);
        self
    }

    /// Lets the margin only rise, or only fall, with the feature of this name.
    #[must_use]
    pub fn with_monotone(mut self, feature: impl Into<Box<str>>, direction: Monotone) -> Self {
        self.0.monotone.insert(feature.into(), direction);
        self
    }

    /// Sets the most threads, of those of rayon's current pool. It does not change the model.
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

    /// The most splits from the root of a tree to a leaf, or none for any number.
    pub const fn depth(&self) -> Option<NonZeroU32> {
        self.depth
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

    /// How much a positive row counts beside a negative one.
    pub const fn class_weight(&self) -> ClassWeight {
        self.class_weight
    }

    /// Rounds without a lower loss after which boosting ends, or none.
    pub const fn early_stopping(&self) -> Option<NonZeroU32> {
        self.early_stopping
    }

    /// The features with which the margin may only rise, or only fall.
    pub const fn monotone(&self) -> &BTreeMap<Box<str>, Monotone> {
        &self.monotone
    }

    /// The seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The most threads, or none for all of the pool.
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
        const MOST_WEIGHT: f64 = 1e6;
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
        match params.class_weight {
            ClassWeight::Positive(weight) if !(0.0 < weight && weight <= MOST_WEIGHT) => {
                refuse("the weight of a positive row", weight, "more than 0 and at most 1000000")
            }
            _ => Ok(params),
        }
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
        assert_eq!(params.check_ref().unwrap().trees(), 200);
        let params = || params.clone();
        for params in [
            params().with_trees(0),
            params().with_trees(100_001),
            params().with_leaves(1),
            params().with_leaves(65_537),
            params().with_learning_rate(0.0),
            params().with_learning_rate(1.5),
            params().with_learning_rate(f64::NAN),
            params().with_min_child_weight(-1.0),
            params().with_min_child_weight(f64::NAN),
            params().with_lambda(f64::INFINITY),
            params().with_class_weight(ClassWeight::Positive(0.0)),
            params().with_class_weight(ClassWeight::Positive(f64::NAN)),
            params().with_class_weight(ClassWeight::Positive(f64::INFINITY)),
        ] {
            assert!(matches!(params.check_ref(), Err(PropensityError::Parameter { .. })), "{params:?}");
        }
        let error = params().with_learning_rate(2.0).check().unwrap_err().to_string();
        assert_eq!(error, "the learning rate is 2, expected more than 0 and at most 1");
    }

    #[test]
    fn weights_have_the_mean_1_and_balanced_classes_the_same_sum() {
        assert_eq!(ClassWeight::Equal.of_rows(10.0, 2.0), [1.0, 1.0]);
        // n_samples / (n_classes * np.bincount(y)), scikit-learn's class_weight="balanced".
        assert_eq!(ClassWeight::Balanced.of_rows(10.0, 2.0), [0.625, 2.5]);
        let [negative, positive] = ClassWeight::Positive(3.0).of_rows(10.0, 2.0);
        assert!(
            (8.0 * negative + 2.0 * positive - 10.0).abs() < 1e-12
                && (positive / negative - 3.0).abs() < 1e-12
        );
        assert_eq!(ClassWeight::Balanced.of_rows(4.0, 0.0)[0], 1.0);
    }
}
