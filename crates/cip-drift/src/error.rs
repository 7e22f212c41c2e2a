//! The errors of drift.

use arrow_schema::DataType;
use cip_core::CoreError;

use crate::column::ColumnKind;

/// Why a table cannot be profiled, or two cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriftError {
    /// A table without rows.
    #[error("the {table} table has no rows: give one that has some")]
    NoRows {
        /// `reference` or `current`.
        table: &'static str,
    },
    /// Two tables that share no column which can be compared.
    #[error(
        "the tables share no column to compare: the reference has {reference:?}, the current table {current:?}"
    )]
    NoColumns {
        /// Columns of the reference.
        reference: Vec<Box<str>>,
        /// Columns of the current table.
        current: Vec<Box<str>>,
    },
    /// A batch, or a table, without a column that was to be there.
    #[error("the {table} table has no column `{column}`: name one of {columns:?}")]
    MissingColumn {
        /// `reference`, `current`, or `pushed` for a batch.
        table: &'static str,
        /// The column.
        column: Box<str>,
        /// The columns that there are.
        columns: Vec<Box<str>>,
    },
    /// A batch whose column has values of another kind than the profile's.
    #[error("column `{column}` is {found}, expected {expected}: give batches of one schema")]
    ColumnType {
        /// The column.
        column: Box<str>,
        /// Its type in the batch.
        found: DataType,
        /// What the profile has.
        expected: ColumnKind,
    },
    /// A profile whose column has values of another kind than that of the profile to which it is added.
    #[error("column `{column}` has {found}, expected {expected}: merge profiles of one schema")]
    ColumnKind {
        /// The column.
        column: Box<str>,
        /// What the profile has that is added.
        found: ColumnKind,
        /// What the other has.
        expected: ColumnKind,
    },
    /// Scores that are not numbers.
    #[error(
        "score `{column}` is no column of numbers in the {table} table: name a column of probabilities or margins"
    )]
    ScoreKind {
        /// `reference` or `current`.
        table: &'static str,
        /// The column.
        column: Box<str>,
    },
    /// A level of significance, or a threshold of scores, that is no probability.
    #[error("{what} is {value}, expected a number between 0 and 1")]
    Probability {
        /// What it is.
        what: &'static str,
        /// What was given.
        value: f64,
    },
    /// A sketch of another version.
    #[error("the sketch has the format `{found}`, expected `{expected}`: make it again with this version")]
    SketchFormat {
        /// What it says.
        found: Box<str>,
        /// What this version reads.
        expected: &'static str,
    },
    /// A sketch that contradicts itself.
    #[error("the sketch is damaged: column `{column}`: {reason}")]
    SketchColumn {
        /// The column.
        column: Box<str>,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A sketch that is no JSON of the documented form, or that cannot be read or written.
    #[error("the sketch: {0}")]
    Sketch(#[from] serde_json::Error),
    /// Too little memory, or values that cannot be read.
    #[error(transparent)]
    Core(#[from] CoreError),
}
