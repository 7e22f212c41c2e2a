//! The document, as XGBoost has it.

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct Document {
    #[serde(default)]
    pub(super) format: Box<str>,
    pub(super) learner: Learner,
    pub(super) version: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Learner {
    #[serde(default)]
    pub(super) attributes: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    pub(super) feature_names: Vec<Box<str>>,
    #[serde(default)]
    pub(super) feature_types: Vec<Box<str>>,
    pub(super) gradient_booster: Booster,
    pub(super) learner_model_param: LearnerParam,
    pub(super) objective: Objective,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Booster {
    pub(super) name: Box<str>,
    pub(super) model: Option<Forest>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct LearnerParam {
    /// A number, or (since XGBoost 3.1) a list of one.
    pub(super) base_score: Box<str>,
    #[serde(default = "one")]
    pub(super) boost_from_average: Box<str>,
    pub(super) num_class: Box<str>,
    pub(super) num_feature: Box<str>,
    #[serde(default = "one")]
    pub(super) num_target: Box<str>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Objective {
    pub(super) name: Box<str>,
    #[serde(default)]
    pub(super) reg_loss_param: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Forest {
    #[serde(default, skip_serializing_if = "CategoryNames::is_empty")]
    pub(super) cats: CategoryNames,
    pub(super) gbtree_model_param: ForestParam,
    #[serde(default)]
    pub(super) iteration_indptr: Vec<u64>,
    pub(super) tree_info: Vec<i32>,
    pub(super) trees: Vec<ForeignTree>,
}

/// Names of categories, since XGBoost 3.1.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct CategoryNames {
    /// Those of each feature, or none where no feature has any.
    #[serde(default)]
    pub(super) enc: Vec<FeatureNames>,
}

/// The names of one feature, in the order of their codes.
#[derive(Serialize, Deserialize)]
pub(super) struct FeatureNames {
    /// Where each text begins, and where the last one ends; none where the names are whole numbers. A number has neither.
    pub(super) offsets: Option<Vec<i64>>,
    /// The bytes of all texts, of which XGBoost writes those above 127 less 256; or the numbers.
    pub(super) values: Vec<i64>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ForestParam {
    pub(super) num_parallel_tree: Box<str>,
    pub(super) num_trees: Box<str>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ForeignTree {
    pub(super) base_weights: Vec<f32>,
    #[serde(default)]
    pub(super) categories: Vec<i32>,
    #[serde(default)]
    pub(super) categories_nodes: Vec<i32>,
    #[serde(default)]
    pub(super) categories_segments: Vec<i64>,
    #[serde(default)]
    pub(super) categories_sizes: Vec<i64>,
    pub(super) default_left: Vec<Flag>,
    pub(super) id: u64,
    pub(super) left_children: Vec<i32>,
    pub(super) loss_changes: Vec<f32>,
    pub(super) parents: Vec<i32>,
    pub(super) right_children: Vec<i32>,
    /// Null where XGBoost has written NaN: before version 3 it did for splits by categories.
    pub(super) split_conditions: Vec<Option<f32>>,
    pub(super) split_indices: Vec<u32>,
    #[serde(default)]
    pub(super) split_type: Vec<u8>,
    pub(super) sum_hessian: Vec<f32>,
    pub(super) tree_param: TreeParam,
}

#[derive(Serialize, Deserialize)]
pub(super) struct TreeParam {
    #[serde(default = "zero")]
    pub(super) num_deleted: Box<str>,
    pub(super) num_feature: Box<str>,
    pub(super) num_nodes: Box<str>,
    pub(super) size_leaf_vector: Box<str>,
}

/// Yes or no, as one version and another write it.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Flag {
    Number(u8),
    Truth(bool),
}

impl Flag {
    pub(super) const fn is_set(self) -> bool {
        match self {
            Self::Number(number) => number != 0,
            Self::Truth(truth) => truth,
        }
    }
}

pub(super) fn one() -> Box<str> {
    "1".into()
}

pub(super) fn zero() -> Box<str> {
    "0".into()
}
