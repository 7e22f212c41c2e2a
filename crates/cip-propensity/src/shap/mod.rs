//! Explanations: what each feature of a row adds to its margin, exactly.

mod effect;
mod interaction;
mod path;
mod points;
mod quadrature;
mod reason;
#[cfg(test)]
mod tests;

use ndarray::{Array2, ArrayBase, Data, Ix2, s};

use crate::boosted::BoostedTrees;
use crate::error::PropensityError;
use crate::shap::path::{Path, paths};
use crate::shap::quadrature::Quadrature;

pub use effect::{EffectBuilder, FeatureEffect, effects_batch};
pub use interaction::PairEffect;
pub use points::{SampledRow, SampledRows, pairs_batch, points_batch, sampled_matrix};
pub use reason::{FeatureValue, Reason, reasons};

/// Rows that are explained side by side.
const LANES: usize = 8;
/// One number a row.
type Lanes = [f64; LANES];

/// Explains the margins of a model: the contribution of every feature, of every row.
///
/// # Formula
/// The contributions of a row are the Shapley values of the game whose players are the features and whose worth v(S) is the margin
/// that is expected where only the features in S are known: at a split by one of them the row goes its way, at any other both
/// ways, each with its part of the two covers. v of no feature is [`Explainer::base`], v of all is the margin. So
///
/// margin = base + sum of the contributions,
///
/// but for rounding (below 1e-9 for margins of ordinary size). A feature that no tree tests contributes 0. Features that say the
/// same divide what they say. A contribution tells how the model came to its margin, not what would happen were the feature
/// another.
///
/// # Method
/// The game is that of path-dependent TreeSHAP (Lundberg, Erion and Lee 2018, arXiv 1802.03888), XGBoost's and LightGBM's
/// `pred_contrib`. It is a sum over the leaves. For a leaf of value v whose path tests the features k, with o_k = 1 where the row
/// meets all tests of k and else 0, and with z_k the product of the parts of the covers at those tests, the contribution of
/// feature j is
///
/// v (o_j - z_j) x integral from 0 to 1 of product over k ≠ j of (o_k t + z_k (1 - t)) dt,
///
/// as the weight of a subset of size s among d - 1 others is the integral of t^s (1 - t)^(d - 1 - s). The integrand is a
/// polynomial of degree d - 1 and never negative, so that ⌈d / 2⌉ points of Gauss and Legendre integrate it exactly and nothing
/// cancels (as in Quadrature TreeSHAP, Wettenstein, Mitchell and Yu 2026, arXiv 2605.04497, there with eight fixed points). Tests
/// hold it to Algorithm 2 of the first paper and to the sum over all subsets.
///
/// # Examples
/// ```
/// # use cip_propensity::{BoostedTrees, Explainer};
/// # use linfa::traits::Fit;
/// # use linfa::Dataset;
/// # use ndarray::{Array1, Array2};
/// # let visits = Array2::from_shape_fn((400, 2), |(row, column)| (row * (3 + column) % 20) as f32);
/// # let buys: Array1<bool> = visits.rows().into_iter().map(|row| row[0] > 12.0).collect();
/// # let dataset = Dataset::new(visits.clone(), buys).with_feature_names(vec!["visits", "recency"]);
/// let model = BoostedTrees::params(7).with_trees(40).fit(&dataset)?;
/// let explainer = Explainer::new(&model);
/// let contributions = explainer.contributions(&visits)?;
/// let margins = model.margins(&visits)?;
/// assert!((explainer.base() + contributions.row(0).sum() - margins[0]).abs() < 1e-9);
/// // Visits alone decide who buys.
/// assert!(contributions[[0, 0]].abs() > 10.0 * contributions[[0, 1]].abs());
/// # Ok::<(), cip_propensity::PropensityError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Explainer {
    features: usize,
    base: f64,
    /// The leaves of all trees, tree by tree.
    paths: Vec<Path>,
    /// By the number of their points, less one.
    quadratures: Vec<Quadrature>,
}

impl Explainer {
    /// Returns the explainer of a model.
    ///
    /// # Complexity
    /// For each leaf the length of its path; memory for 24 bytes for each of the distinct features on it.
    pub fn new(model: &BoostedTrees) -> Self {
        let mut quadratures = Vec::new();
        let mut base = f64::from(model.base_margin());
        let mut all = Vec::new();
        for tree in model.trees() {
            let paths = paths(tree, &mut quadratures);
            base += paths.iter().map(Path::expected).sum::<f64>();
            all.extend(paths);
        }
        Self { features: model.features().len(), base, paths: all, quadratures }
    }

    /// The margin that is expected where nothing is known of a row: the same for all.
    pub const fn base(&self) -> f64 {
        self.base
    }

    /// Returns the contributions of every feature (columns) to the margin of every row.
    ///
    /// What a row's contributions are does not depend on the other rows.
    ///
    /// # Complexity
    /// For each row and leaf, the square of the number of distinct features on the leaf's path; memory for 8 bytes a value.
    ///
    /// # Errors
    /// [`PropensityError::FeatureCount`] where the rows have another number of values than the model has features.
    pub fn contributions<D: Data<Elem = f32>>(
        &self,
        rows: &ArrayBase<D, Ix2>,
    ) -> Result<Array2<f64>, PropensityError> {
        /// Rows that go from leaf to leaf together, while they are in the processor's cache.
        const BLOCK: usize = 8 * LANES;
        let expected = self.features;
        if rows.ncols() != expected {
            return Err(PropensityError::FeatureCount { found: rows.ncols(), expected });
        }
        let mut found = Array2::zeros(rows.dim());
        let mut scratch = Scratch::default();
        for start in (0..rows.nrows()).step_by(BLOCK) {
            let part = s![start..(start + BLOCK).min(rows.nrows()), ..];
            let (rows, mut found) = (rows.slice(part), found.slice_mut(part));
            let groups = rows.nrows().div_ceil(LANES);
            // Lane by lane; the lanes behind the last row are of no interest.
            let mut values = vec![[0.0f32; LANES]; groups * expected];
            for ((row, feature), &value) in rows.indexed_iter() {
                values[row / LANES * expected + feature][row % LANES] = value;
            }
            let mut sums = vec![[0.0; LANES]; groups * expected];
            for path in &self.paths {
                path.add(&self.quadratures, (&values, &mut sums), expected, &mut scratch);
            }
            for ((row, feature), found) in found.indexed_iter_mut() {
                *found = sums[row / LANES * expected + feature][row % LANES];
            }
        }
        Ok(found)
    }
}

/// Room for the features of one path.
#[derive(Debug, Default)]
struct Scratch {
    /// For each point and feature: weight (1 - z) / (t + z (1 - t)).
    coefficients: Vec<f64>,
    /// 1 where the row meets the tests of the feature, else 0.
    met: Vec<Lanes>,
    /// The contribution where it meets them.
    met_sums: Vec<Lanes>,
}
