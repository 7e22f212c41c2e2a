//! Has the data changed since the model learned from it?
//!
//! A [`TableProfile`] keeps the distribution of every column of a table in bounded memory. A [`DriftReport`] compares two of them: how far each
//! feature has moved, whether that is more than chance among that many rows and features, and what the model still achieves.
//!
//! ```
//! use std::sync::Arc;
//! use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
//! use cip_drift::{DriftOptions, DriftReport, Preset, TableProfile, Verdict};
//!
//! let profile = |month: usize| {
//!     let spend: ArrayRef = Arc::new(Float64Array::from_iter((0..2_000).map(|user| (user % 7 != 0).then_some((user % 90) as f64))));
//!     let plans = ["basic", "plus", "family"];
//!     let plan: ArrayRef = Arc::new(StringArray::from_iter_values((0..2_000).map(|user| plans[user % 5 % (1 + month)])));
//!     let table = RecordBatch::try_from_iter_with_nullable([("spend", spend, true), ("plan", plan, true)])?;
//!     let mut profile = TableProfile::new(&table.schema());
//!     profile.push(&table)?;
//!     Ok::<_, Box<dyn std::error::Error>>(profile)
//! };
//! let report = DriftReport::compare(&profile(1)?, &profile(2)?, &DriftOptions::new(Preset::Cip))?;
//! let verdicts: Vec<_> = report.features.iter().map(|feature| (&*feature.name, feature.verdict)).collect();
//! assert_eq!(verdicts, [("spend", Verdict::Stable), ("plan", Verdict::Large)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Tour
//! - [`TableProfile`]: what is kept of a table, batch by batch, merged, and kept in a file. [`ColumnKind`]: what is compared with what.
//! - [`DriftReport`], [`DriftOptions`], [`Preset`]: the comparison, and by whose conventions. [`Verdict`]: the answer.
//! - [`FeatureDrift`], [`Distances`], [`DriftTest`], [`Bin`]: what has changed in a column, and what decides.
//! - [`EstimatedPerformance`]: what a model achieves where nobody knows the truth yet.
//!
//! # Columns in
//! Any: numbers of any type, booleans, texts and dictionaries of them. Null and NaN are missing. Other types are not compared, and told.
//!
//! # What it refuses
//! Tables without rows, tables that share no column, batches of another schema: see [`DriftError`].

mod bins;
mod cells;
mod column;
mod decision;
mod distance;
mod error;
mod feature;
mod file;
mod kolmogorov;
mod number_key;
mod options;
mod paired;
mod performance;
mod profile;
mod report;
mod tail;

pub use bins::{Bin, BinRange};
pub use column::ColumnKind;
pub use decision::{DriftTest, Statistic};
pub use error::DriftError;
pub use feature::{CategoryChange, ColumnSummary, Distances, FeatureDrift, MissingChange, Verdict};
pub use options::{DriftOptions, Preset, UnknownPreset};
pub use performance::EstimatedPerformance;
pub use profile::{SkippedColumn, TableProfile};
pub use report::{ColumnChanges, DriftReport, KindChange, PerformanceChange};
