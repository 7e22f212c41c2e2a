//! Who will buy?
//!
//! A [`FeatureMatrix`] holds what is known of every user before a date, labels say who bought after it. [`BoostedTrees`]
//! learn from some of the users; a [`Calibration`] on others makes probabilities of their margins; an [`Evaluation`] says how
//! well they foretell the rest; scores rank everybody, and an [`Explainer`] says why.
//!
//! ```
//! use std::sync::Arc;
//! use arrow_array::{ArrayRef, Int64Array, RecordBatch};
//! use cip_propensity::{BoostedTrees, Calibration, FeatureMatrix, ParamGuard, PropensityModel};
//!
//! // A thousand users: their views and carts, and whether they bought later.
//! let views: ArrayRef = Arc::new(Int64Array::from_iter_values((0..1_000).map(|user| user % 40)));
//! let carts: ArrayRef = Arc::new(Int64Array::from_iter_values((0..1_000).map(|user| user % 7)));
//! let bought: Vec<bool> = (0..1_000).map(|user| user % 7 > 4 && user % 40 > 20).collect();
//! let table = RecordBatch::try_from_iter([("views", views), ("carts", carts)])?;
//!
//! let features = FeatureMatrix::from_batches(&["views", "carts"], &[table])?;
//! let [train, others, test] = [0, 1, 2].map(|part| (part..1_000).step_by(3).collect::<Vec<_>>());
//! let labels = |rows: &[usize]| rows.iter().map(|&row| bought[row]).collect::<Vec<_>>();
//! let trees = BoostedTrees::params(7).with_trees(50).check()?;
//! let trees = trees.fit_matrix(&features.select(&train), &labels(&train))?;
//! let margins = |rows: &[usize]| Ok::<_, cip_propensity::PropensityError>(trees.margins(&features.select(rows).view())?.to_vec());
//! let calibration = Calibration::Platt.fit(&margins(&others)?, &labels(&others))?;
//!
//! let found = margins(&test)?;
//! let model = PropensityModel::new(trees, "bought", &labels(&train)).with_calibration(calibration);
//! assert_eq!(model.evaluate(&found, &labels(&test))?.auc, Some(1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Tour
//! - [`FeatureMatrix`], [`Categories`], [`LabelBuilder`]: tables as numbers, batch by batch. [`Finding`]: what they know that nobody could have known.
//! - [`IdSplit`], [`TimeSplit`]: who, and which days, are kept for the test. [`Search`]: which parameters do best on [`Fold`]s of the rest.
//! - [`BoostedTrees`], [`BoostedTreesParams`]: the model, with linfa's `Fit` and `Predict`. [`Tree`]: what it is made of.
//! - [`Evaluation`], [`Lift`], [`Importance`]: how good it is, and what it leans on. [`Baseline`]: what it must beat.
//! - [`Bootstrap`]: how far the metrics might be off. [`Response`], [`Offer`]: what a budget brings, and whom to contact.
//! - [`Calibration`], [`FittedCalibration`]: from margins to probabilities. [`ReliabilityBin`]: whether they come true.
//! - [`Explainer`], [`Reason`]: what each feature adds to a margin. [`FeatureEffect`]: to those of many rows. [`PairEffect`]: what two do.
//! - [`UpliftModel`], [`UpliftEvaluation`], [`UpliftFile`]: whom a treatment moves, where it was given at random. [`WeightBuilder`]: rows that count.
//! - [`ModelCard`]: what one must know before one uses it. [`PropensityModel`]: the model file. [`ranks`], [`score_batch`], [`explained_batch`]: the table of scores.
//!
//! # Columns in
//! Integers, floating-point numbers, decimals, booleans or text (see [`Categories`]), null or NaN where unknown. A label is yes or no.
//!
//! # Columns out
//! [`cip_core::table::scores`], or [`cip_core::table::explained_scores`], in the order of the rows that were scored.
//!
//! | column | type | |
//! |---|---|---|
//! | the id columns | as they came | |
//! | score | Float64 | the calibrated probability |
//! | margin | Float64 | the log of the odds, not calibrated; strictly for ranking |
//! | rank | Int64 | 1 for the highest margin; equal ones in the order of the rows |
//! | base | Float64 | explained scores alone: the margin of which nothing is known |
//! | contribution_… | Float64 | explained scores alone: what the feature adds to it |
//!
//! # What it refuses
//! Dates, lists, infinities, labels that are unknown, tables with one class, and damaged model files: see [`PropensityError`].

mod baseline;
mod boost;
mod boosted;
mod bootstrap;
mod calibration;
mod card;
mod engine;
mod error;
mod evaluation;
mod file;
mod fit;
mod forest;
mod labels;
mod leaf_mask;
mod lightgbm;
mod lint;
mod matrix;
mod onnx;
mod params;
mod response;
mod scores;
mod search;
mod shap;
mod split;
mod stamp;
mod stratified;
mod time_split;
mod tree;
mod uplift;
mod weights;
mod xgboost;

pub use baseline::{Baseline, FittedBaseline};
pub use boosted::{BoostedTrees, Importance, probability};
pub use bootstrap::{Bootstrap, Interval, MetricIntervals};
pub use calibration::{Calibration, CalibrationFallback, CalibrationMap, FittedCalibration};
pub use card::ModelCard;
pub use error::PropensityError;
pub use evaluation::{Evaluation, FRACTIONS, Lift, ProbabilityLosses, ReliabilityBin};
pub use file::{PropensityModel, Training};
pub use labels::LabelBuilder;
/// linfa's own, with which parameters are checked: [`BoostedTreesParams`] implements it.
pub use linfa::ParamGuard;
pub use lint::Finding;
pub use matrix::{Categories, FeatureMatrix, FeatureMatrixBuilder};
pub use params::{BoostedTreesParams, BoostedTreesValidParams, ClassWeight, Monotone};
pub use response::{Offer, Profit, Response};
pub use scores::{explained_batch, ranks, score_batch, score_schema};
pub use search::{Fold, Search, Searched, Trial};
pub use shap::{
    EffectBuilder, Explainer, FeatureEffect, FeatureValue, PairEffect, Reason, SampledRow, SampledRows,
    effects_batch, pairs_batch, points_batch, reasons, sampled_matrix,
};
pub use split::{IdSplit, Side};
pub use stratified::stratified_sides;
pub use time_split::{Shares, TimeSplit};
pub use tree::{Leaf, Node, Split, Test, Tree};
pub use uplift::{
    AmountBuilder, IdFolds, OutcomeKind, UpliftEvaluation, UpliftFile, UpliftMethod, UpliftModel, UpliftTop,
    cross_fitted_amounts, cross_fitted_uplift,
};
pub use weights::{WeightBuilder, WeightedEvaluation};
