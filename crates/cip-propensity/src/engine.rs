//! The seam to the library that grows the trees: numbers in, our own trees out. Nothing of its types goes further.

use std::num::NonZeroUsize;
use std::sync::Arc;

use hessboost::config::{GrowPolicy, Monotone as EngineMonotone, TrainingParams, TreeMethod};
use hessboost::data::DMatrix;
use hessboost::objective::{Objective, RegLoss};
use hessboost::training::Trainer;
use ndarray::ArcArray2;

use crate::error::PropensityError;
use crate::params::{BoostedTreesValidParams, Monotone};
use crate::tree::{Leaf, Node, Split, Tree};

/// What is learned from.
pub(crate) struct Examples<'a> {
    /// One row a row, NaN where unknown, in row-major order.
    pub(crate) values: ArcArray2<f32>,
    pub(crate) labels: &'a [bool],
    pub(crate) weights: Option<&'a [f32]>,
}

/// What is learned from, and how.
pub(crate) struct Task<'a> {
    pub(crate) train: Examples<'a>,
    /// Rows whose log loss says when to stop; there are some where the parameters ask to stop early.
    pub(crate) validate: Option<Examples<'a>>,
    /// Which way the margin may go with each feature.
    pub(crate) directions: Vec<Option<Monotone>>,
}

/// What was learned.
pub(crate) struct Ensemble {
    /// The margin of every row before the first tree.
    pub(crate) base_margin: f32,
    pub(crate) trees: Vec<Tree>,
}

/// A library that boosts trees on the logistic loss.
///
/// The same examples and parameters must give the same trees, on any number of threads.
pub(crate) trait Engine {
    fn boost(&self, task: Task<'_>, params: &BoostedTreesValidParams) -> Result<Ensemble, PropensityError>;
}

/// hessboost: histograms, leaf-wise growth, XGBoost's gain.
pub(crate) struct Hessboost;

/// A matrix that hessboost reads where it lies.
struct InPlace(ArcArray2<f32>);

impl AsRef<[f32]> for InPlace {
    fn as_ref(&self) -> &[f32] {
        self.0.as_slice().unwrap_or_default()
    }
}

impl Engine for Hessboost {
    fn boost(&self, task: Task<'_>, params: &BoostedTreesValidParams) -> Result<Ensemble, PropensityError> {
        let engine = |error: hessboost::error::HessboostError| PropensityError::Engine(Box::new(error));
        let columns = task.train.values.ncols();
        let given = training_params(params, &task.directions).map_err(engine)?;
        let train = matrix(task.train).map_err(engine)?;
        let validate = task.validate.map(matrix).transpose().map_err(engine)?;
        let mut trainer = Trainer::new(&given, &train, params.trees() as usize);
        if let (Some(rows), Some(rounds)) = (&validate, params.early_stopping()) {
            let rounds = NonZeroUsize::try_from(rounds).unwrap_or(NonZeroUsize::MAX);
            trainer = trainer.eval(rows, "validate").early_stopping_rounds(rounds);
        }
        let model = trainer.train().map_err(engine)?.model;
        // The trees behind the best round did not help.
        let kept = model.best_iteration().map_or(usize::MAX, |best| best + 1);
        let trees = model.trees().iter().zip(model.tree_weights()).take(kept).enumerate();
        let trees = trees.map(|(index, (tree, weight))| {
            let nodes = tree.nodes().iter().map(|node| own(node, weight)).collect();
            let refuse = |(node, reason)| PropensityError::ModelTree { tree: index, node, reason };
            Tree::try_new(nodes, columns).map_err(refuse)
        });
        Ok(Ensemble { base_margin: model.base_score(), trees: trees.collect::<Result<_, _>>()? })
    }
}

/// Examples as the engine takes them.
fn matrix(examples: Examples<'_>) -> hessboost::error::Result<DMatrix> {
    let Examples { values, labels, weights } = examples;
    let (rows, columns) = values.dim();
    let labels: Vec<f32> = labels.iter().map(|&label| f32::from(u8::from(label))).collect();
    let matrix = DMatrix::from_dense_shared(Arc::new(InPlace(values)), rows, columns, f32::NAN)?
        .with_labels(&labels)?;
    match weights {
        Some(weights) => matrix.with_weights(weights),
        None => Ok(matrix),
    }
}

fn training_params(
    params: &BoostedTreesValidParams,
    directions: &[Option<Monotone>],
) -> hessboost::error::Result<TrainingParams> {
    let mut builder = TrainingParams::builder()
        .objective(Objective::BinaryLogistic(RegLoss::default()))
        .tree_method(TreeMethod::Hist)
        .grow_policy(GrowPolicy::LossGuide)
        .max_leaves(params.leaves() as usize)
        .eta(params.learning_rate())
        .min_child_weight(params.min_child_weight())
        .lambda(params.lambda())
        .seed(params.seed());
    builder = match params.depth() {
        Some(depth) => builder.max_depth(depth.get() as usize),
        None => builder.unlimited_depth(),
    };
    if directions.iter().any(Option::is_some) {
        let direction = |direction: &Option<Monotone>| match direction {
            None => EngineMonotone::None,
            Some(Monotone::Increasing) => EngineMonotone::Increasing,
            Some(Monotone::Decreasing) => EngineMonotone::Decreasing,
        };
        builder = builder.monotone_constraints(directions.iter().map(direction).collect());
    }
    match params.threads() {
        Some(threads) => builder.nthread(threads.get()),
        None => builder,
    }
    .build()
}

/// A node as our own.
fn own(node: &hessboost::tree::Node, weight: f32) -> Node {
    if node.is_leaf() {
        return Node::Leaf(Leaf { value: node.leaf_value * weight, cover: node.sum_hess });
    }
    Node::Split(Split {
        feature: node.split_feature,
        threshold: node.split_cond,
        missing_left: node.default_left,
        left: node.left.cast_unsigned(),
        right: node.right.cast_unsigned(),
        gain: node.split_gain,
        cover: node.sum_hess,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hessboost::model::Iterations;
    use linfa::ParamGuard;
    use ndarray::Array2;

    use crate::boosted::BoostedTrees;

    /// Our walk of the copied trees is the engine's own prediction, but for its sums in 32 bits.
    #[test]
    fn the_copied_trees_are_the_engines() {
        let mut rng = 1u64;
        let mut next = || {
            rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (rng >> 40) as f32 / (1u64 << 24) as f32
        };
        let values = Array2::from_shape_fn((3_000, 4), |_| {
            let value = next();
            if value < 0.1 { f32::NAN } else { (value * 30.0).floor() }
        });
        let labels: Vec<bool> =
            values.rows().into_iter().map(|row| row[0] + row[1] > 28.0 || next() < 0.1).collect();
        let params = BoostedTrees::params(7).with_trees(50).check().unwrap();
        let model = params.fit_examples(
            ["a", "b", "c", "d"].map(Into::into).to_vec(),
            Examples { values: values.to_shared(), labels: &labels, weights: None },
        );
        let ours = model.unwrap().margins(&values).unwrap();

        let matrix = DMatrix::from_dense(values.as_slice().unwrap(), 3_000, 4).unwrap();
        let floats: Vec<f32> = labels.iter().map(|&label| f32::from(u8::from(label))).collect();
        let trained = hessboost::training::train(
            &training_params(&params, &[]).unwrap(),
            &matrix.clone().with_labels(&floats).unwrap(),
            50,
        );
        let theirs = trained.unwrap().predict_margin(&matrix, Iterations::Best).unwrap();
        assert_eq!(ours.len(), theirs.as_slice().len());
        for (&ours, &theirs) in ours.iter().zip(theirs.as_slice()) {
            assert!((ours - f64::from(theirs)).abs() < 1e-5, "{ours} {theirs}");
        }
    }
}
