//! The seam to the library that grows the trees: numbers in, our own trees out. Nothing of its types goes further.

use std::num::NonZeroUsize;
use std::sync::Arc;

use hessboost::config::{GrowPolicy, Monotone as EngineMonotone, TrainingParams, TreeMethod};
use hessboost::data::{DMatrix, FeatureType};
use hessboost::model::BoostedModel;
use hessboost::objective::{Objective, RegLoss};
use hessboost::training::Trainer;
use hessboost::tree::RegTree;
use ndarray::{ArcArray2, ArrayView1};

use crate::error::PropensityError;
use crate::matrix::Categories;
use crate::params::{BoostedTreesValidParams, Monotone};
use crate::tree::{Leaf, Node, Split, Test, Tree};

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
    /// The categories of each feature; none of a number.
    pub(crate) categories: &'a [Option<Categories>],
    /// Which way the margin may go with each feature.
    pub(crate) directions: Vec<Option<Monotone>>,
}

/// What was learned.
pub(crate) struct Ensemble {
    /// The margin of every row before the first tree.
    pub(crate) base_margin: f32,
    pub(crate) trees: Vec<Tree>,
}

/// A library that boosts trees.
///
/// The same examples and parameters must give the same trees, on any number of threads.
pub(crate) trait Engine {
    fn boost(&self, task: Task<'_>, params: &BoostedTreesValidParams) -> Result<Ensemble, PropensityError>;

    /// Boosts on the squared error of amounts, one a row: the margins are amounts.
    fn boost_amounts(
        &self,
        values: ArcArray2<f32>,
        amounts: &[f32],
        categories: &[Option<Categories>],
        params: &BoostedTreesValidParams,
    ) -> Result<Ensemble, PropensityError>;
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
        let objective = Objective::BinaryLogistic(RegLoss::default());
        let given = training_params(params, objective, &task.directions).map_err(engine)?;
        let seen = Seen::all(task.categories, &task.train.values);
        let matrix = |examples: Examples<'_>| {
            let labels: Vec<f32> = examples.labels.iter().map(|&label| f32::from(u8::from(label))).collect();
            let matrix = matrix(examples.values, &labels, task.categories)?;
            match examples.weights {
                Some(weights) => matrix.with_weights(weights),
                None => Ok(matrix),
            }
        };
        let train = matrix(task.train).map_err(engine)?;
        let validate = task.validate.map(matrix).transpose().map_err(engine)?;
        let mut trainer = Trainer::new(&given, &train, params.trees() as usize);
        if let (Some(rows), Some(rounds)) = (&validate, params.early_stopping()) {
            let rounds = NonZeroUsize::try_from(rounds).unwrap_or(NonZeroUsize::MAX);
            trainer = trainer.eval(rows, "validate").early_stopping_rounds(rounds);
        }
        ensemble(&trainer.train().map_err(engine)?.model, &seen, task.categories)
    }

    fn boost_amounts(
        &self,
        values: ArcArray2<f32>,
        amounts: &[f32],
        categories: &[Option<Categories>],
        params: &BoostedTreesValidParams,
    ) -> Result<Ensemble, PropensityError> {
        let objective = Objective::SquaredError(RegLoss::default());
        let given = training_params(params, objective, &[]).map_err(engine)?;
        let seen = Seen::all(categories, &values);
        let train = matrix(values, amounts, categories).map_err(engine)?;
        let trainer = Trainer::new(&given, &train, params.trees() as usize);
        ensemble(&trainer.train().map_err(engine)?.model, &seen, categories)
    }
}

fn engine(error: hessboost::error::HessboostError) -> PropensityError {
    PropensityError::Engine(Box::new(error))
}

/// The trees of a model as our own.
fn ensemble(
    model: &BoostedModel,
    seen: &[Seen],
    categories: &[Option<Categories>],
) -> Result<Ensemble, PropensityError> {
    // The trees behind the best round did not help.
    let kept = model.best_iteration().map_or(usize::MAX, |best| best + 1);
    let trees = model.trees().iter().zip(model.tree_weights()).take(kept).enumerate();
    let trees = trees.map(|(index, (tree, weight))| {
        let nodes = (0..tree.num_nodes()).map(|node| own(tree, node, weight, seen)).collect();
        let refuse = |(node, reason)| PropensityError::ModelTree { tree: index, node, reason };
        Tree::try_new(nodes, categories).map_err(refuse)
    });
    Ok(Ensemble { base_margin: model.base_score(), trees: trees.collect::<Result<_, _>>()? })
}

/// Rows and what is to be foretold of them, as the engine takes them.
fn matrix(
    values: ArcArray2<f32>,
    targets: &[f32],
    categories: &[Option<Categories>],
) -> hessboost::error::Result<DMatrix> {
    let (rows, columns) = values.dim();
    let mut matrix = DMatrix::from_dense_shared(Arc::new(InPlace(values)), rows, columns, f32::NAN)?
        .with_labels(targets)?;
    if categories.iter().any(Option::is_some) {
        let kind = |categories: &Option<Categories>| match categories {
            Some(_) => FeatureType::Categorical,
            None => FeatureType::Numerical,
        };
        matrix = matrix.with_feature_types(&categories.iter().map(kind).collect::<Vec<_>>())?;
    }
    Ok(matrix)
}

fn training_params(
    params: &BoostedTreesValidParams,
    objective: Objective,
    directions: &[Option<Monotone>],
) -> hessboost::error::Result<TrainingParams> {
    let mut builder = TrainingParams::builder()
        .objective(objective)
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

/// What of a feature with categories the rows learned from do not tell, as none had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// A number: the engine says where the unknown go.
    Number,
    /// Categories.
    Categories {
        /// The code of a text that is no category of its own, unless rows had it.
        unseen_other: Option<u32>,
        /// Whether rows had an unknown value.
        unknown: bool,
    },
}

impl Seen {
    /// What the rows tell of each feature.
    fn all(categories: &[Option<Categories>], values: &ArcArray2<f32>) -> Vec<Self> {
        let features = categories.iter().zip(values.columns());
        features.map(|(categories, values)| Self::of(categories.as_ref(), values)).collect()
    }

    fn of(categories: Option<&Categories>, values: ArrayView1<'_, f32>) -> Self {
        let Some(categories) = categories else { return Self::Number };
        let other = categories.other();
        let has_other = values.iter().any(|&value| value == other as f32);
        let unknown = values.iter().any(|value| value.is_nan());
        Self::Categories { unseen_other: (!has_other).then_some(other), unknown }
    }
}

/// A node as our own.
///
/// The engine sends categories that no row had to the right, whatever is there. What the feature of a split has never shown goes where more
/// rows went instead.
fn own(tree: &RegTree, at: usize, weight: f32, seen: &[Seen]) -> Node {
    let node = tree.node(at);
    if node.is_leaf() {
        return Node::Leaf(Leaf { value: f64::from(node.leaf_value * weight), cover: node.sum_hess });
    }
    let [left, right] = [node.left, node.right].map(i32::cast_unsigned);
    let mut missing_left = node.default_left;
    let test = match seen.get(node.split_feature as usize) {
        Some(Seen::Categories { unseen_other, unknown }) if node.is_categorical => {
            let [to_left, to_right] = [left, right].map(|child| tree.node(child as usize).sum_hess);
            let mut codes = tree.split_categories(at).to_vec();
            // It is the last of all codes.
            codes.extend(unseen_other.filter(|_| to_left > to_right));
            if !unknown {
                missing_left = to_left > to_right;
            }
            Test::OneOf(codes.into())
        }
        _ => Test::Below(node.split_cond),
    };
    Node::Split(Split {
        feature: node.split_feature,
        test,
        missing_left,
        left,
        right,
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
    use crate::matrix::columns::Columns;

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
            if value < 0.1 { f32::NAN } else { (value * 29.0).floor() }
        });
        let labels: Vec<bool> =
            values.rows().into_iter().map(|row| row[0] + row[1] > 28.0 || next() < 0.1).collect();
        let params = BoostedTrees::params(7).with_trees(50).check().unwrap();
        // Two of the columns are codes of categories.
        let codes = Categories::new((0..30).map(|code| format!("{code:02}").into()).collect()).unwrap();
        let categories = [None, Some(codes.clone()), None, Some(codes)];
        let names = ["a", "b", "c", "d"].map(Into::into);
        let model = params.fit_examples(
            Arc::new(Columns::new(names.into_iter().zip(categories))),
            Examples { values: values.to_shared(), labels: &labels, weights: None },
        );
        let model = model.unwrap();
        let ours = model.margins(&values).unwrap();
        let by_codes = |split: &&Split| matches!(split.test, Test::OneOf(_));
        assert!(model.trees().iter().flat_map(Tree::splits).filter(by_codes).count() > 50);

        let kinds = [FeatureType::Numerical, FeatureType::Categorical].repeat(2);
        let matrix = DMatrix::from_dense(values.as_slice().unwrap(), 3_000, 4).unwrap();
        let matrix = matrix.with_feature_types(&kinds).unwrap();
        let floats: Vec<f32> = labels.iter().map(|&label| f32::from(u8::from(label))).collect();
        let trained = hessboost::training::train(
            &training_params(&params, Objective::BinaryLogistic(RegLoss::default()), &[]).unwrap(),
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
