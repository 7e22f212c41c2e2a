//! Boosting: rounds of one tree each.
//!
//! [`binning`] makes small codes of the table, once. In every round [`loss`] says which way each row pulls, [`growth`] grows a tree: it has
//! each [`shard`] of the rows sum [`sums`] in a [`histogram`], [`search`]es it for the split with the highest [`gain`] (a [`category`] has no
//! threshold), and has the rows go to the children.

mod binning;
mod category;
mod gain;
mod growth;
mod histogram;
mod loss;
#[cfg(test)]
mod peer;
mod rounds;
mod search;
mod shard;
mod sums;
#[cfg(test)]
mod tests;

use ndarray::ArcArray2;

use crate::boost::loss::{Loss, Targets};
use crate::boost::rounds::{Rounds, Validation};
use crate::engine::{Engine, Ensemble, Task};
use crate::error::PropensityError;
use crate::matrix::Categories;
use crate::params::BoostedTreesValidParams;

/// Boosting by histograms, leaf by leaf, on the threads of the current pool.
///
/// # Method
/// Friedman 2001, with the second-order gain of XGBoost (Chen and Guestrin 2016) and the leaf-wise growth of LightGBM (Ke et al. 2017). The
/// derivatives are summed in fixed point, so that neither the number of threads nor the order of the rows changes a tree.
#[derive(Debug)]
pub(crate) struct Boosting;

impl Engine for Boosting {
    fn boost(&self, task: Task<'_>, params: &BoostedTreesValidParams) -> Result<Ensemble, PropensityError> {
        let numbers = |labels: &[bool]| labels.iter().map(|&label| f32::from(u8::from(label))).collect();
        let labels: Vec<f32> = numbers(task.train.labels);
        let outcomes: Vec<f32> = task.validate.as_ref().map(|rows| numbers(rows.labels)).unwrap_or_default();
        let validate = task.validate.as_ref().zip(params.early_stopping()).map(|(rows, patience)| {
            let targets = Targets { values: &outcomes, weights: rows.weights };
            Validation::new(rows.values.view(), targets, patience)
        });
        let rounds = Rounds {
            values: task.train.values.view(),
            targets: Targets { values: &labels, weights: task.train.weights },
            loss: Loss::Logistic,
            categories: task.categories,
            directions: &task.directions,
            params,
        };
        rounds.run(validate)
    }

    fn boost_amounts(
        &self,
        values: ArcArray2<f32>,
        amounts: &[f32],
        categories: &[Option<Categories>],
        params: &BoostedTreesValidParams,
    ) -> Result<Ensemble, PropensityError> {
        let targets = Targets { values: amounts, weights: None };
        let (values, loss) = (values.view(), Loss::Squared);
        Rounds { values, targets, loss, categories, directions: &[], params }.run(None)
    }
}
