//! The seam to what grows the trees: numbers in, trees out.

use ndarray::ArcArray2;

use crate::error::PropensityError;
use crate::matrix::Categories;
use crate::params::{BoostedTreesValidParams, Monotone};
use crate::tree::Tree;

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

/// What boosts trees.
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
