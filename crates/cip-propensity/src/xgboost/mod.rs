//! Models in the JSON of XGBoost, both ways.

mod document;
mod names;
mod tree;

use std::io::{Read, Write};
use std::sync::Arc;

use linfa::ParamGuard;

use crate::boosted::{BoostedTrees, probability};
use crate::engine::Ensemble;
use crate::error::PropensityError;
use crate::file::PropensityModel;
use crate::matrix::Categories;
use crate::matrix::columns::Columns;
use crate::params::BoostedTreesParams;
use crate::xgboost::document::{
    Booster, CategoryNames, Document, ForeignTree, Forest, ForestParam, Learner, LearnerParam, Objective,
    one, zero,
};

/// What the file of a model that was written here carries, beside what XGBoost looks at: whoever writes one knows the older one by it.
const FORMAT: &str = "cip-xgboost-model";

/// What a file says of its features is not believed beyond so many: each of them has a name in memory.
const MOST_FEATURES: usize = 1 << 20;

impl PropensityModel {
    /// Writes the trees as XGBoost's JSON: a `binary:logistic` booster that gives the same margins, within the 32 bits of its sums.
    ///
    /// What XGBoost has no place for is left out: the label, the calibration, how well the model did, and the names of categories. A feature
    /// with categories has the type `c` there, and its values are their codes: places in [`BoostedTrees::categories`].
    ///
    /// # Errors
    /// [`PropensityError::Io`].
    ///
    /// # Examples
    /// ```
    /// # use std::sync::Arc;
    /// # use arrow_array::{ArrayRef, Float64Array, RecordBatch};
    /// # use cip_propensity::{BoostedTrees, FeatureMatrix, ParamGuard, PropensityModel};
    /// # let views: ArrayRef = Arc::new(Float64Array::from_iter_values((0..100).map(f64::from)));
    /// # let features = FeatureMatrix::from_batches(&["views"], &[RecordBatch::try_from_iter([("views", views)])?])?;
    /// # let labels: Vec<bool> = (0..100).map(|row| row > 60).collect();
    /// # let trees = BoostedTrees::params(7).with_trees(5).check()?.fit_matrix(&features, &labels)?;
    /// let model = PropensityModel::new(trees, "bought", &labels);
    /// let mut file = Vec::new();
    /// model.write_xgboost(&mut file)?;
    /// let read = PropensityModel::read_xgboost(&file[..], "bought")?;
    /// assert_eq!(read.trees().trees(), model.trees().trees());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_xgboost(&self, mut writer: impl Write) -> Result<(), PropensityError> {
        let document = Document::of(self.trees());
        serde_json::to_writer(&mut writer, &document).map_err(std::io::Error::from)?;
        Ok(writer.write_all(b"\n")?)
    }

    /// Reads a model of XGBoost's JSON (`Booster.save_model("model.json")`) that foretells the column `label`.
    ///
    /// Features without names are called `f0`, `f1`, and so on. The rows that it was trained on are not known, and told as 0; of its
    /// parameters the number of trees and of leaves are its own, the others the documented ones. Its scores are not calibrated. Categories have
    /// the names that they have there (texts and whole numbers, since XGBoost 3.1); where they are known by their codes alone, their names are
    /// these numbers. A text that is no category there, which XGBoost refuses, goes where none of a split's categories go.
    ///
    /// # Errors
    /// [`PropensityError::ModelJson`] where it is not XGBoost's JSON; [`PropensityError::ForeignModel`] where it is a model of another kind:
    /// another booster than `gbtree`, another objective than the logistic ones, several classes or targets;
    /// [`PropensityError::CategoryNames`], [`PropensityError::CategoryOrder`], [`PropensityError::ModelTree`] and [`PropensityError::ModelHeader`] where it contradicts itself; [`PropensityError::Io`].
    pub fn read_xgboost(mut reader: impl Read, label: &str) -> Result<Self, PropensityError> {
        let mut text = Vec::new();
        reader.read_to_end(&mut text)?;
        let text = without_nan(&text);
        let document: Document = serde_json::from_slice(&text).map_err(PropensityError::ModelJson)?;
        Ok(Self::new(document.trees()?, label, &[]))
    }

    /// Whether a file is JSON with a learner, as XGBoost's is.
    pub fn is_xgboost(text: &[u8]) -> bool {
        let value: Option<serde_json::Value> = serde_json::from_slice(&without_nan(text)).ok();
        value.is_some_and(|value| value.get("learner").is_some())
    }
}

/// The same text with null in place of NaN, which is no JSON, but is what XGBoost 2 writes as the threshold of a split by categories.
fn without_nan(text: &[u8]) -> Vec<u8> {
    const NAN: &[u8] = b"NaN";
    let mut clean = Vec::with_capacity(text.len());
    let (mut in_string, mut at) = (false, 0);
    while let Some(&byte) = text.get(at) {
        let taken = match byte {
            b'\\' if in_string => 2,
            b'"' => {
                in_string = !in_string;
                1
            }
            b'N' if !in_string && text[at..].starts_with(NAN) => {
                clean.extend_from_slice(b"null");
                at += NAN.len();
                continue;
            }
            _ => 1,
        };
        let end = text.len().min(at + taken);
        clean.extend_from_slice(&text[at..end]);
        at = end;
    }
    clean
}

impl Document {
    fn of(trees: &BoostedTrees) -> Self {
        let features = trees.features();
        let count = |count: usize| count.to_string().into_boxed_str();
        let all = trees.trees();
        let weight = serde_json::json!("1");
        Self {
            format: FORMAT.into(),
            learner: Learner {
                attributes: serde_json::Map::new(),
                feature_names: features.to_vec(),
                feature_types: (trees.categories().iter())
                    .map(|categories| if categories.is_some() { "c" } else { "float" }.into())
                    .collect(),
                gradient_booster: Booster {
                    name: "gbtree".into(),
                    model: Some(Forest {
                        cats: CategoryNames::default(),
                        gbtree_model_param: ForestParam {
                            num_parallel_tree: one(),
                            num_trees: count(all.len()),
                        },
                        iteration_indptr: (0..=all.len() as u64).collect(),
                        tree_info: vec![0; all.len()],
                        trees: all
                            .iter()
                            .zip(0..)
                            .map(|(tree, id)| ForeignTree::of(tree, id, features.len()))
                            .collect(),
                    }),
                },
                learner_model_param: LearnerParam {
                    base_score: format!("{:E}", probability(f64::from(trees.base_margin())) as f32).into(),
                    boost_from_average: one(),
                    num_class: zero(),
                    num_feature: count(features.len()),
                    num_target: one(),
                },
                objective: Objective {
                    name: "binary:logistic".into(),
                    reg_loss_param: [("scale_pos_weight".to_owned(), weight)].into_iter().collect(),
                },
            },
            // Of which every later version reads the JSON.
            version: vec![2, 1, 0],
        }
    }

    fn trees(self) -> Result<BoostedTrees, PropensityError> {
        let foreign = |what, found: &str, expected| PropensityError::ForeignModel {
            what,
            found: found.into(),
            expected,
        };
        let Learner { feature_names, gradient_booster, learner_model_param, objective, .. } = self.learner;
        let forest = match (&*gradient_booster.name, gradient_booster.model) {
            ("gbtree", Some(forest)) => forest,
            (other, _) => return Err(foreign("booster", other, "`gbtree`")),
        };
        let LearnerParam { base_score, num_class, num_feature, num_target, .. } = learner_model_param;
        if !matches!(&*num_class, "0" | "1") {
            return Err(foreign("number of classes", &num_class, "`0`: a label that is yes or no"));
        }
        if &*num_target != "1" && &*num_target != "0" {
            return Err(foreign("number of targets", &num_target, "`1`"));
        }
        let score = base_score.trim_start_matches('[').trim_end_matches(']');
        let expected = "a number between 0 and 1";
        let score: f64 = score.parse().map_err(|_| foreign("base score", &base_score, expected))?;
        let base_margin = match &*objective.name {
            "binary:logistic" | "reg:logistic" if 0.0 < score && score < 1.0 => (score / (1.0 - score)).ln(),
            "binary:logistic" | "reg:logistic" => return Err(foreign("base score", &base_score, expected)),
            "binary:logitraw" if score.is_finite() => score,
            other => {
                return Err(foreign(
                    "objective",
                    other,
                    "`binary:logistic`, `reg:logistic` or `binary:logitraw`",
                ));
            }
        };
        let columns = num_feature.parse::<usize>().ok().filter(|&columns| columns <= MOST_FEATURES);
        let columns = columns
            .ok_or_else(|| foreign("number of features", &num_feature, "a number of at most 1048576"))?;
        let features = match feature_names.len() {
            0 => (0..columns).map(|column| format!("f{column}").into()).collect(),
            named if named == columns => feature_names,
            _ => return Err(PropensityError::ModelHeader { reason: "it has other names than features" }),
        };
        let mut codes = vec![None; columns];
        for (at, tree) in forest.trees.iter().enumerate() {
            tree.count_codes(at, &mut codes)?;
        }
        let names = forest.cats.of_features(&features)?;
        let mut numbered = Vec::with_capacity(columns);
        let mut named = Vec::with_capacity(columns);
        for ((name, codes), names) in features.into_iter().zip(codes).zip(names) {
            let names = match (names, codes) {
                (Some(names), Some(codes)) if codes as usize > names.len() => {
                    let reason = "a split has a code behind the last of them";
                    return Err(PropensityError::CategoryNames { feature: name, reason });
                }
                (None, Some(codes)) => Some((0..codes).map(|code| code.to_string().into()).collect()),
                (names, _) => names,
            };
            let (categories, codes) = match names {
                None => (None, Vec::new()),
                Some(names) => {
                    let (categories, codes) = Categories::of_numbered(&names)?;
                    (Some(categories), codes)
                }
            };
            named.push((name, categories));
            numbered.push(codes);
        }
        let columns = Columns::new(named);
        let trees = forest.trees.iter().enumerate().map(|(at, tree)| tree.own(at, &columns, &numbered));
        let trees = trees.collect::<Result<Vec<_>, _>>()?;
        let leaves = trees.iter().map(|tree| tree.splits().count() + 1).max().unwrap_or(1).max(2);
        let params =
            BoostedTreesParams::new(0).with_trees(trees.len().max(1) as u32).with_leaves(leaves as u32);
        let params = params.check()?;
        let base_margin = base_margin as f32;
        BoostedTrees::check(&columns, &params, base_margin)?;
        Ok(BoostedTrees::new(Arc::new(columns), params, Ensemble { base_margin, trees }))
    }
}
