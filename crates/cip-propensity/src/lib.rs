//! Who will buy?
//!
//! A [`FeatureMatrix`] holds what is known of every user before a date, labels say who bought after it. [`BoostedTrees`]
//! learn from some of the users; an [`Evaluation`] says how well they foretell the others; scores rank everybody.
//!
//! ```
//! use std::sync::Arc;
//! use arrow_array::{ArrayRef, Int64Array, RecordBatch};
//! use cip_propensity::{BoostedTrees, Evaluation, FeatureMatrix, ParamGuard, probability};
//!
//! // A thousand users: their views and carts, and whether they bought later.
//! let views: ArrayRef = Arc::new(Int64Array::from_iter_values((0..1_000).map(|user| user % 40)));
//! let carts: ArrayRef = Arc::new(Int64Array::from_iter_values((0..1_000).map(|user| user % 7)));
//! let bought: Vec<bool> = (0..1_000).map(|user| user % 7 > 4 && user % 40 > 20).collect();
//! let table = RecordBatch::try_from_iter([("views", views), ("carts", carts)])?;
//!
//! let features = FeatureMatrix::from_batches(&["views", "carts"], &[table])?;
//! let (train, test): (Vec<usize>, Vec<usize>) = (0..1_000).partition(|user| user % 5 > 0);
//! let labels = |rows: &[usize]| rows.iter().map(|&row| bought[row]).collect::<Vec<_>>();
//! let params = BoostedTrees::params(7).with_trees(50).check()?;
//! let model = params.fit_matrix(&features.select(&train), &labels(&train))?;
//!
//! let margins = model.margins(&features.select(&test).view())?.to_vec();
//! let scores: Vec<f64> = margins.iter().map(|&margin| probability(margin)).collect();
//! let found = Evaluation::new(&margins, &scores, &labels(&test))?;
//! assert_eq!(found.auc, Some(1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Tour
//! - [`FeatureMatrix`], [`LabelBuilder`]: tables as numbers, batch by batch. [`IdSplit`]: who is kept for the test.
//! - [`BoostedTrees`], [`BoostedTreesParams`]: the model, with linfa's `Fit` and `Predict`. [`Tree`]: what it is made of.
//! - [`Evaluation`], [`Lift`], [`Importance`]: how good it is, and what it leans on. [`TreeBaseline`]: what it must beat.
//! - [`PropensityModel`]: the model file. [`ranks`], [`score_batch`]: the table of scores.
//!
//! # Columns in
//! Any columns of integers, floating-point numbers, decimals or booleans, null or NaN where unknown. A label is a boolean,
//! or a number that is 0 or 1.
//!
//! # Columns out
//! [`cip_core::table::scores`], in the order of the rows that were scored.
//!
//! | column | type | |
//! |---|---|---|
//! | the id columns | as they came | |
//! | score | Float64 | the probability that the margin stands for |
//! | margin | Float64 | the log of the odds; strictly for ranking |
//! | rank | Int64 | 1 for the highest margin; equal ones in the order of the rows |
//!
//! # What it refuses
//! Text, infinities, labels that are unknown or neither 0 nor 1, tables with one class, and model files that are damaged
//! or of another version: see [`PropensityError`].

mod baseline;
mod boosted;
mod engine;
mod error;
mod evaluation;
mod file;
mod fit;
mod forest;
mod labels;
mod matrix;
mod number;
mod params;
mod scores;
mod split;
mod tree;

pub use baseline::TreeBaseline;
pub use boosted::{BoostedTrees, Importance, probability};
pub use error::PropensityError;
pub use evaluation::{Evaluation, FRACTIONS, Lift};
pub use file::{PropensityModel, Training};
pub use labels::LabelBuilder;
/// linfa's own, with which parameters are checked: [`BoostedTreesParams`] implements it.
pub use linfa::ParamGuard;
pub use matrix::{FeatureMatrix, FeatureMatrixBuilder};
pub use params::{BoostedTreesParams, BoostedTreesValidParams};
pub use scores::{ranks, score_batch};
pub use split::{IdSplit, Side};
pub use tree::{Leaf, Node, Split, Tree};
