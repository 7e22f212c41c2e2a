//! Models in the JSON of XGBoost, both ways.

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::boosted::{BoostedTrees, probability};
use crate::category::Categories;
use crate::columns::Columns;
use crate::engine::Ensemble;
use crate::error::PropensityError;
use crate::file::PropensityModel;
use crate::params::BoostedTreesParams;
use crate::tree::{Leaf, Node, Split, Test, Tree};
use linfa::ParamGuard;

/// What the file of a model that was written here carries, beside what XGBoost looks at: whoever writes one knows the older one by it.
const FORMAT: &str = "cip-xgboost-model";
/// What a root has for a parent.
const NO_PARENT: i32 = i32::MAX;
const NO_CHILD: i32 = -1;
/// The codes of a feature are below it.
const MOST_CODES: i32 = 1 << 16;

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
    /// parameters the number of trees and of leaves are its own, the others the documented ones. Its scores are not calibrated. Categories are
    /// known by their codes alone there, so their names are these numbers.
    ///
    /// # Errors
    /// [`PropensityError::ModelJson`] where it is not XGBoost's JSON; [`PropensityError::ForeignModel`] where it is a model of another kind:
    /// another booster than `gbtree`, another objective than the logistic ones, several classes or targets, or categories that have names there;
    /// [`PropensityError::ModelTree`] and [`PropensityError::ModelHeader`] where it contradicts itself; [`PropensityError::Io`].
    pub fn read_xgboost(mut reader: impl Read, label: &str) -> Result<Self, PropensityError> {
        let mut text = Vec::new();
        reader.read_to_end(&mut text)?;
        let document: Document = serde_json::from_slice(&text).map_err(PropensityError::ModelJson)?;
        Ok(Self::new(document.trees()?, label, &[]))
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(default)]
    format: Box<str>,
    learner: Learner,
    version: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct Learner {
    #[serde(default)]
    attributes: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    feature_names: Vec<Box<str>>,
    #[serde(default)]
    feature_types: Vec<Box<str>>,
    gradient_booster: Booster,
    learner_model_param: LearnerParam,
    objective: Objective,
}

#[derive(Serialize, Deserialize)]
struct Booster {
    name: Box<str>,
    model: Option<Forest>,
}

#[derive(Serialize, Deserialize)]
struct LearnerParam {
    /// A number, or (since XGBoost 3.1) a list of one.
    base_score: Box<str>,
    #[serde(default = "one")]
    boost_from_average: Box<str>,
    num_class: Box<str>,
    num_feature: Box<str>,
    #[serde(default = "one")]
    num_target: Box<str>,
}

#[derive(Serialize, Deserialize)]
struct Objective {
    name: Box<str>,
    #[serde(default)]
    reg_loss_param: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Forest {
    /// Names of categories, since XGBoost 3.1.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    cats: serde_json::Map<String, serde_json::Value>,
    gbtree_model_param: ForestParam,
    #[serde(default)]
    iteration_indptr: Vec<u64>,
    tree_info: Vec<i32>,
    trees: Vec<ForeignTree>,
}

#[derive(Serialize, Deserialize)]
struct ForestParam {
    num_parallel_tree: Box<str>,
    num_trees: Box<str>,
}

#[derive(Serialize, Deserialize)]
struct ForeignTree {
    base_weights: Vec<f32>,
    #[serde(default)]
    categories: Vec<i32>,
    #[serde(default)]
    categories_nodes: Vec<i32>,
    #[serde(default)]
    categories_segments: Vec<i64>,
    #[serde(default)]
    categories_sizes: Vec<i64>,
    default_left: Vec<Flag>,
    id: u64,
    left_children: Vec<i32>,
    loss_changes: Vec<f32>,
    parents: Vec<i32>,
    right_children: Vec<i32>,
    split_conditions: Vec<f32>,
    split_indices: Vec<u32>,
    #[serde(default)]
    split_type: Vec<u8>,
    sum_hessian: Vec<f32>,
    tree_param: TreeParam,
}

#[derive(Serialize, Deserialize)]
struct TreeParam {
    #[serde(default = "zero")]
    num_deleted: Box<str>,
    num_feature: Box<str>,
    num_nodes: Box<str>,
    size_leaf_vector: Box<str>,
}

/// Yes or no, as one version and another write it.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum Flag {
    Number(u8),
    Truth(bool),
}

impl Flag {
    const fn is_set(self) -> bool {
        match self {
            Self::Number(number) => number != 0,
            Self::Truth(truth) => truth,
        }
    }
}

fn one() -> Box<str> {
    "1".into()
}

fn zero() -> Box<str> {
    "0".into()
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
                        cats: serde_json::Map::new(),
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
        let columns: usize =
            num_feature.parse().map_err(|_| foreign("number of features", &num_feature, "a number"))?;
        let features = match feature_names.len() {
            0 => (0..columns).map(|column| format!("f{column}").into()).collect(),
            named if named == columns => feature_names,
            _ => return Err(PropensityError::ModelHeader { reason: "it has other names than features" }),
        };
        let mut codes = vec![None; columns];
        for (at, tree) in forest.trees.iter().enumerate() {
            tree.count_codes(at, &mut codes)?;
        }
        let has_names = |names: &serde_json::Value| names.as_array().is_some_and(|names| !names.is_empty());
        if codes.iter().any(Option::is_some) && forest.cats.get("enc").is_some_and(has_names) {
            return Err(foreign("encoding of categories", "one of names", "codes: give XGBoost numbers"));
        }
        let mut numbered = Vec::with_capacity(columns);
        let mut named = Vec::with_capacity(columns);
        for (name, codes) in features.into_iter().zip(codes) {
            let names = codes.map(|codes| (0..codes).map(|code| code.to_string().into()).collect::<Vec<_>>());
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

impl ForeignTree {
    /// The tree with its nodes level by level: XGBoost takes the right child to stand behind the left one.
    fn of(tree: &Tree, id: u64, features: usize) -> Self {
        // There the categories of a split go right.
        let is_turned = |split: &Split| matches!(split.test, Test::OneOf(_));
        let mut order = vec![0usize];
        let (mut parents, mut left_children) = (vec![NO_PARENT], Vec::new());
        while let Some(&at) = order.get(left_children.len()) {
            let Node::Split(split) = &tree.nodes()[at] else {
                left_children.push(NO_CHILD);
                continue;
            };
            let children = [split.left as usize, split.right as usize];
            let [left, right] = if is_turned(split) { [children[1], children[0]] } else { children };
            parents.extend([left_children.len() as i32; 2]);
            left_children.push(order.len() as i32);
            order.extend([left, right]);
        }
        let nodes: Vec<&Node> = order.iter().map(|&at| &tree.nodes()[at]).collect();
        fn each<T>(nodes: &[&Node], of_split: impl Fn(&Split) -> T, of_leaf: impl Fn(&Leaf) -> T) -> Vec<T> {
            let of = |node: &&Node| match node {
                Node::Split(split) => of_split(split),
                Node::Leaf(leaf) => of_leaf(leaf),
            };
            nodes.iter().map(of).collect()
        }
        let (mut categories, mut categories_nodes) = (Vec::new(), Vec::new());
        let (mut categories_segments, mut categories_sizes) = (Vec::new(), Vec::new());
        for (at, node) in nodes.iter().enumerate() {
            if let Node::Split(Split { test: Test::OneOf(codes), .. }) = node {
                categories_nodes.push(at as i32);
                categories_segments.push(categories.len() as i64);
                categories_sizes.push(codes.len() as i64);
                categories.extend(codes.iter().map(|code| code.cast_signed()));
            }
        }
        Self {
            base_weights: each(&nodes, |_| 0.0, |leaf| leaf.value as f32),
            categories,
            categories_nodes,
            categories_segments,
            categories_sizes,
            default_left: each(
                &nodes,
                |split| Flag::Number(u8::from(split.missing_left != is_turned(split))),
                |_| Flag::Number(0),
            ),
            id,
            right_children: left_children
                .iter()
                .map(|&left| if left == NO_CHILD { NO_CHILD } else { left + 1 })
                .collect(),
            left_children,
            loss_changes: each(&nodes, |split| split.gain, |_| 0.0),
            parents,
            split_conditions: each(
                &nodes,
                |split| match split.test {
                    Test::Below(threshold) => threshold,
                    Test::OneOf(_) => 0.0,
                },
                |leaf| leaf.value as f32,
            ),
            split_indices: each(&nodes, |split| split.feature, |_| 0),
            split_type: each(&nodes, |split| u8::from(is_turned(split)), |_| 0),
            sum_hessian: each(&nodes, |split| split.cover, |leaf| leaf.cover),
            tree_param: TreeParam {
                num_deleted: zero(),
                num_feature: features.to_string().into(),
                num_nodes: nodes.len().to_string().into(),
                size_leaf_vector: one(),
            },
        }
    }

    /// The codes of the categories that go right at each split by some.
    fn sets(&self, tree: usize) -> Result<HashMap<usize, &[i32]>, PropensityError> {
        let refuse = |node, reason| PropensityError::ModelTree { tree, node, reason };
        let parts = self.categories_nodes.iter().zip(&self.categories_segments).zip(&self.categories_sizes);
        let mut sets = HashMap::new();
        for ((&node, &segment), &size) in parts {
            let node = usize::try_from(node).map_err(|_| refuse(0, "its categories are of no node"))?;
            let range = usize::try_from(segment).ok().zip(usize::try_from(size).ok());
            let range = range.and_then(|(from, size)| Some(from..from.checked_add(size)?));
            let codes = range.and_then(|range| self.categories.get(range)).filter(|codes| !codes.is_empty());
            let codes = codes.ok_or_else(|| refuse(node, "its categories are not there"))?;
            // Far more than XGBoost learns from, and few enough for a name each.
            if codes.iter().any(|code| !(0..MOST_CODES).contains(code)) {
                return Err(refuse(node, "a category is none of 0 to 65535"));
            }
            sets.insert(node, codes);
        }
        match self.split_type.iter().enumerate().find(|(node, kind)| **kind != 0 && !sets.contains_key(node))
        {
            Some((node, _)) => Err(refuse(node, "it is a split by categories, and has none")),
            None => Ok(sets),
        }
    }

    /// Raises the number of codes of each feature to what the splits of this tree ask for.
    fn count_codes(&self, tree: usize, counts: &mut [Option<i32>]) -> Result<(), PropensityError> {
        for (node, codes) in self.sets(tree)? {
            let feature = self.split_indices.get(node).and_then(|feature| counts.get_mut(*feature as usize));
            let highest = codes.iter().max().map_or(0, |highest| highest + 1);
            if let Some(count) = feature {
                *count = Some(count.map_or(highest, |count| count.max(highest)));
            }
        }
        Ok(())
    }

    /// The tree as our own: its nodes level by level, those that are deleted left out. `numbered` has our code of each of the other's.
    fn own(&self, tree: usize, columns: &Columns, numbered: &[Vec<u32>]) -> Result<Tree, PropensityError> {
        let refuse = |node, reason| PropensityError::ModelTree { tree, node, reason };
        let nodes = self.left_children.len();
        let lengths = [
            self.right_children.len(),
            self.split_conditions.len(),
            self.split_indices.len(),
            self.default_left.len(),
            self.loss_changes.len(),
            self.sum_hessian.len(),
        ];
        if nodes == 0 || lengths.iter().any(|&length| length != nodes) {
            return Err(refuse(0, "its lists are empty, or have different lengths"));
        }
        let sets = self.sets(tree)?;
        let mut own = Vec::new();
        let mut open = VecDeque::from([0usize]);
        let mut seen = 1u32;
        while let Some(at) = open.pop_front() {
            let cover = self.sum_hessian[at];
            let (left, right) = (self.left_children[at], self.right_children[at]);
            if (left, right) == (NO_CHILD, NO_CHILD) {
                own.push(Node::Leaf(Leaf { value: f64::from(self.split_conditions[at]), cover }));
                continue;
            }
            let child = |child: i32| usize::try_from(child).ok().filter(|&child| child < nodes && child > at);
            let (Some(left), Some(right)) = (child(left), child(right)) else {
                return Err(refuse(at, "a child does not stand behind its split"));
            };
            let feature = self.split_indices[at];
            let missing_left = self.default_left[at].is_set();
            let (test, missing_left, left, right) = match sets.get(&at).filter(|_| self.is_by_categories(at))
            {
                None => (Test::Below(self.split_conditions[at]), missing_left, left, right),
                Some(codes) => {
                    let own = numbered.get(feature as usize).map_or(&[][..], |codes| codes);
                    let mut codes: Vec<u32> =
                        codes.iter().filter_map(|&code| own.get(code as usize).copied()).collect();
                    codes.sort_unstable();
                    (Test::OneOf(codes.into()), !missing_left, right, left)
                }
            };
            // Each node stands behind its parent, so this ends; a node of two parents makes more nodes than there are.
            open.extend([left, right]);
            if seen as usize + 2 > nodes {
                return Err(refuse(at, "its splits have more children than the tree has nodes"));
            }
            own.push(Node::Split(Split {
                feature,
                test,
                missing_left,
                left: seen,
                right: seen + 1,
                gain: self.loss_changes[at],
                cover,
            }));
            seen += 2;
        }
        Tree::try_new(own, columns.categories()).map_err(|(node, reason)| refuse(node, reason))
    }

    fn is_by_categories(&self, node: usize) -> bool {
        self.split_type.get(node).is_some_and(|kind| *kind != 0)
    }
}
