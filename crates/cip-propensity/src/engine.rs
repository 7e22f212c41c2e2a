//! The seam to the library that grows the trees: numbers in, our own trees out. Nothing of its types goes further.

use hessboost::config::{GrowPolicy, TrainingParams, TreeMethod};
use hessboost::data::DMatrix;
use hessboost::objective::{Objective, RegLoss};
use ndarray::ArcArray2;

use crate::error::PropensityError;
use crate::params::BoostedTreesValidParams;
use crate::tree::{Leaf, Node, Split, Tree};

/// What is learned from.
pub(crate) struct Examples<'a> {
    /// One row a row, NaN where unknown, in row-major order.
    pub(crate) values: ArcArray2<f32>,
    pub(crate) labels: &'a [bool],
    pub(crate) weights: Option<&'a [f32]>,
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
    fn boost(
        &self,
        examples: Examples<'_>,
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
    fn boost(
        &self,
        examples: Examples<'_>,
        params: &BoostedTreesValidParams,
    ) -> Result<Ensemble, PropensityError> {
        let engine = |error: hessboost::error::HessboostError| PropensityError::Engine(Box::new(error));
        let Examples { values, labels, weights } = examples;
        let (rows, columns) = values.dim();
        let labels: Vec<f32> = labels.iter().map(|&label| f32::from(u8::from(label))).collect();
        let mut matrix =
            DMatrix::from_dense_shared(std::sync::Arc::new(InPlace(values)), rows, columns, f32::NAN)
                .and_then(|matrix| matrix.with_labels(&labels))
                .map_err(engine)?;
        if let Some(weights) = weights {
            matrix = matrix.with_weights(weights).map_err(engine)?;
        }
        let model = training_params(params)
            .and_then(|given| hessboost::training::train(&given, &matrix, params.trees() as usize))
            .map_err(engine)?;
        let trees = model.trees().iter().zip(model.tree_weights()).enumerate();
        let trees = trees.map(|(index, (tree, weight))| {
            let nodes = tree.nodes().iter().map(|node| own(node, weight)).collect();
            let refuse = |(node, reason)| PropensityError::ModelTree { tree: index, node, reason };
            Tree::try_new(nodes, columns).map_err(refuse)
        });
        Ok(Ensemble { base_margin: model.base_score(), trees: trees.collect::<Result<_, _>>()? })
    }
}

fn training_params(params: &BoostedTreesValidParams) -> hessboost::error::Result<TrainingParams> {
    let builder = TrainingParams::builder()
        .objective(Objective::BinaryLogistic(RegLoss::default()))
        .tree_method(TreeMethod::Hist)
        .grow_policy(GrowPolicy::LossGuide)
        .unlimited_depth()
        .max_leaves(params.leaves() as usize)
        .eta(params.learning_rate())
        .min_child_weight(params.min_child_weight())
        .lambda(params.lambda())
        .seed(params.seed());
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
            &training_params(&params).unwrap(),
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
