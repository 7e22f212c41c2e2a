//! The model as linfa has models: `Fit` on a dataset, `Predict` probabilities.

use std::sync::Arc;

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Pr};
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, ArrayBase, Data, Ix2};

use crate::boosted::{BoostedTrees, probability};
use crate::engine::Examples;
use crate::error::PropensityError;
use crate::matrix::columns::Columns;
use crate::params::BoostedTreesValidParams;
use crate::weights::mean;

impl<D, T> Fit<ArrayBase<D, Ix2>, T, PropensityError> for BoostedTreesValidParams
where
    D: Data<Elem = f32>,
    T: AsSingleTargets<Elem = bool>,
{
    type Object = BoostedTrees;

    /// Returns the model of a dataset: 32-bit records (NaN is unknown), boolean targets, and weights where there are any.
    /// Features without names are called `f0`, `f1`, and so on.
    ///
    /// # Errors
    /// [`PropensityError::NotFinite`], and those of [`BoostedTreesValidParams::fit_matrix`]; of weights those of
    /// [`BoostedTreesValidParams::fit_weighted`].
    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<BoostedTrees, PropensityError> {
        let records = dataset.records();
        let columns = records.ncols();
        let mut names: Vec<Box<str>> =
            dataset.feature_names().iter().map(|name| name.as_str().into()).collect();
        if names.len() != columns {
            names = (0..columns).map(|column| format!("f{column}").into()).collect();
        }
        if let Some(((row, column), &value)) = records.indexed_iter().find(|(_, value)| value.is_infinite()) {
            let column = names[column].clone();
            return Err(PropensityError::NotFinite { column, row: row as u64, value: value.into() });
        }
        if let Some(weights) = dataset.weights() {
            let weights: Vec<f64> = weights.iter().map(|&weight| weight.into()).collect();
            mean(&weights, records.nrows())?;
        }
        let labels: Vec<bool> = dataset.as_single_targets().iter().copied().collect();
        // In row-major order, whatever the order of the records.
        let values = Array1::from_iter(records.iter().copied()).into_shape_with_order(records.dim());
        let values = values.map_err(linfa::Error::from)?.into_shared();
        self.fit_examples(
            Arc::new(Columns::numbers(names)),
            Examples { values, labels: &labels, weights: dataset.weights() },
        )
    }
}

impl<D: Data<Elem = f32>> PredictInplace<ArrayBase<D, Ix2>, Array1<Pr>> for BoostedTrees {
    /// Writes the probability of every row.
    ///
    /// # Panics
    /// Where the records have another number of columns than the model has features, or other rows than `y`, as linfa's
    /// models do. [`BoostedTrees::margins`] returns an error instead.
    fn predict_inplace(&self, records: &ArrayBase<D, Ix2>, y: &mut Array1<Pr>) {
        assert_eq!(
            records.nrows(),
            y.len(),
            "the number of data points must match the number of output targets"
        );
        match self.margins(records) {
            // A logistic value lies from 0 to 1, also after rounding.
            Ok(margins) => {
                y.zip_mut_with(&margins, |y, &margin| *y = Pr::new_unchecked(probability(margin) as f32))
            }
            Err(error) => assert_eq!(records.ncols(), self.features().len(), "{error}"),
        }
    }

    fn default_target(&self, records: &ArrayBase<D, Ix2>) -> Array1<Pr> {
        Array1::default(records.nrows())
    }
}
