//! hessboost, which grows trees as XGBoost does: what tests compare with.

use hessboost::config::{GrowPolicy, Monotone as Direction, TrainingParams, TreeMethod};
use hessboost::data::{DMatrix, FeatureType};
use hessboost::model::Iterations;
use hessboost::objective::{Objective, RegLoss};
use hessboost::training::train;
use ndarray::Array2;

use crate::matrix::Categories;
use crate::params::{BoostedTreesValidParams, Monotone};

/// What hessboost learns from.
pub(super) struct Peer<'a> {
    pub(super) values: &'a Array2<f32>,
    pub(super) targets: &'a [f32],
    pub(super) weights: Option<&'a [f32]>,
    pub(super) categories: &'a [Option<Categories>],
    pub(super) directions: &'a [Option<Monotone>],
    pub(super) params: &'a BoostedTreesValidParams,
}

impl Peer<'_> {
    /// The margins of rows that it learned to tell labels of.
    pub(super) fn margins(&self, rows: &Array2<f32>) -> Vec<f64> {
        self.learn(Objective::BinaryLogistic(RegLoss::default()), rows)
    }

    /// The amounts of rows that it learned.
    pub(super) fn amounts(&self, rows: &Array2<f32>) -> Vec<f64> {
        self.learn(Objective::SquaredError(RegLoss::default()), rows)
    }

    fn learn(&self, objective: Objective, rows: &Array2<f32>) -> Vec<f64> {
        let params = self.params;
        let mut builder = TrainingParams::builder()
            .objective(objective)
            .tree_method(TreeMethod::Hist)
            .grow_policy(GrowPolicy::LossGuide)
            .max_leaves(params.leaves() as usize)
            .eta(params.learning_rate())
            .min_child_weight(params.min_child_weight())
            .lambda(params.lambda());
        builder = match params.depth() {
            Some(depth) => builder.max_depth(depth.get() as usize),
            None => builder.unlimited_depth(),
        };
        if self.directions.iter().any(Option::is_some) {
            let direction = |direction: &Option<Monotone>| match direction {
                None => Direction::None,
                Some(Monotone::Increasing) => Direction::Increasing,
                Some(Monotone::Decreasing) => Direction::Decreasing,
            };
            builder = builder.monotone_constraints(self.directions.iter().map(direction).collect());
        }
        let mut matrix = self.matrix(self.values).with_labels(self.targets).unwrap();
        if let Some(weights) = self.weights {
            matrix = matrix.with_weights(weights).unwrap();
        }
        let trained = train(&builder.build().unwrap(), &matrix, params.trees() as usize).unwrap();
        let found = trained.predict_margin(&self.matrix(rows), Iterations::Best).unwrap();
        found.as_slice().iter().map(|&margin| f64::from(margin)).collect()
    }

    fn matrix(&self, values: &Array2<f32>) -> DMatrix {
        let (rows, columns) = values.dim();
        let kind = |categories: &Option<Categories>| match categories {
            Some(_) => FeatureType::Categorical,
            None => FeatureType::Numerical,
        };
        let kinds: Vec<FeatureType> = self.categories.iter().map(kind).collect();
        let matrix = DMatrix::from_dense(values.as_slice().unwrap(), rows, columns).unwrap();
        matrix.with_feature_types(&kinds).unwrap()
    }
}
