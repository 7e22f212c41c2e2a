//! Interactions: what two features add to a margin together, beyond what each adds alone.

use ndarray::{Array2, ArrayBase, Data, Ix1, Ix2};
use serde::Serialize;

use crate::error::PropensityError;
use crate::shap::Explainer;

/// What a pair of features does together to the margins of some rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairEffect {
    /// The feature that comes first in the model.
    pub feature_a: Box<str>,
    /// The other.
    pub feature_b: Box<str>,
    /// The mean magnitude of what they add together: of both halves of their interaction.
    pub mean_magnitude: f64,
}

impl Explainer {
    /// Returns the interactions of the features of a row: a symmetric table of as many rows and columns as the model has features.
    ///
    /// # Formula
    /// Off the diagonal stands half of the Shapley interaction index (Grabisch and Roubens 1999) of the pair, so that both halves
    /// together are what it adds; on the diagonal what is left of the contribution of the feature: its main effect. Each row of the table
    /// adds up to the contribution of its feature, and all of it and [`Explainer::base`] to the margin (Lundberg, Erion and Lee 2018).
    ///
    /// # Method
    /// As [`Explainer`], a sum over the leaves: for a pair i, j on the path of a leaf of value v it is
    ///
    /// v / 2 (o_i - z_i) (o_j - z_j) x integral from 0 to 1 of product over k other than i, j of (o_k t + z_k (1 - t)) dt,
    ///
    /// as the weight of a subset of size s among d - 2 others is the integral of t^s (1 - t)^(d - 2 - s); the same points are exact. Tests
    /// hold it to the sum over all subsets.
    ///
    /// # Complexity
    /// For each leaf the cube of the number of distinct features on its path, times half that number.
    ///
    /// # Errors
    /// [`PropensityError::FeatureCount`].
    pub fn interactions<D: Data<Elem = f32>>(
        &self,
        row: &ArrayBase<D, Ix1>,
    ) -> Result<Array2<f64>, PropensityError> {
        let row = row.to_vec();
        let values = ndarray::ArrayView2::from_shape((1, row.len()), &row).map_err(linfa::Error::from)?;
        let contributions = self.contributions(&values)?;
        let mut found = Array2::zeros((self.features, self.features));
        for path in &self.paths {
            path.add_interactions(&self.quadratures, &row, &mut found);
        }
        for feature in 0..self.features {
            let others: f64 = found.row(feature).sum();
            found[[feature, feature]] = contributions[[0, feature]] - others;
        }
        Ok(found)
    }

    /// Returns what each pair of features with these names does together to the margins of some rows, the greatest first; equal ones in
    /// the order of the features, and pairs that do nothing left out.
    ///
    /// # Errors
    /// [`PropensityError::FeatureCount`], where there are other names than features as well.
    pub fn pair_effects<D: Data<Elem = f32>>(
        &self,
        names: &[Box<str>],
        rows: &ArrayBase<D, Ix2>,
    ) -> Result<Vec<PairEffect>, PropensityError> {
        if names.len() != self.features {
            return Err(PropensityError::FeatureCount { found: names.len(), expected: self.features });
        }
        let mut sums: Array2<f64> = Array2::zeros((self.features, self.features));
        for row in rows.rows() {
            sums += &self.interactions(&row)?.mapv(f64::abs);
        }
        let count = rows.nrows().max(1) as f64;
        let pairs = (0..self.features).flat_map(|a| (a + 1..self.features).map(move |b| (a, b)));
        let effect = |(a, b): (usize, usize)| PairEffect {
            feature_a: names[a].clone(),
            feature_b: names[b].clone(),
            mean_magnitude: 2.0 * sums[[a, b]] / count,
        };
        let mut found: Vec<_> = pairs.map(effect).filter(|effect| effect.mean_magnitude > 0.0).collect();
        found.sort_by(|a, b| b.mean_magnitude.total_cmp(&a.mean_magnitude));
        Ok(found)
    }
}
