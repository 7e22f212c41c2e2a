//! Why learning from a table, or scoring one, failed.

use cip_core::CoreError;
use cip_propensity::PropensityError;
use cip_store::StoreError;

/// Why learning from a table, or scoring one, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoringError {
    /// Reading or writing a table or a model.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in the table, or the model.
    #[error(transparent)]
    Propensity(#[from] PropensityError),
    /// Two tables that cannot be compared.
    #[cfg(feature = "drift")]
    #[error(transparent)]
    Drift(#[from] cip_drift::DriftError),
    /// A feature that cannot be told from the model's score.
    #[cfg(feature = "drift")]
    #[error("feature `{column}` has the name of the model's score: rename it")]
    ScoreName {
        /// The feature.
        column: Box<str>,
    },
    /// Ids of a type that ids do not have, or too little memory.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// A column that is to be two things at once.
    #[error("column `{column}` is an id and the label: name another as the label")]
    LabelIsId {
        /// The column.
        column: Box<str>,
    },
    /// A null among the ids that rows are split by.
    #[error("id `{column}` is null in row {row} (from 0): drop such rows, or name another id")]
    NullId {
        /// The column.
        column: Box<str>,
        /// 0-based row.
        row: u64,
    },
    /// A row of which nobody knows whether it was treated.
    #[error("treatment `{column}` is null in row {row} (from 0): drop such rows")]
    NullArm {
        /// The column.
        column: Box<str>,
        /// 0-based row.
        row: u64,
    },
    /// A treatment that is neither yes nor no, while the arms to compare were not named.
    #[error(
        "treatment `{column}` is `{value}` in row {row} (from 0), expected true and false, or 1 and 0: name the value of the treated and that of the control"
    )]
    UnknownArm {
        /// The column.
        column: Box<str>,
        /// The value.
        value: Box<str>,
        /// 0-based row.
        row: u64,
    },
    /// A null among the days that rows are split by.
    #[error(
        "`{column}` is null in row {row} (from 0), expected a day to split by: drop such rows, or split by ids alone"
    )]
    NullTime {
        /// The column.
        column: Box<str>,
        /// 0-based row.
        row: u64,
    },
    /// A customer who is to be explained and is not in the table.
    #[error(
        "no row has the id `{id}`: write it as the table has it; without ids, the number of a row (from 0)"
    )]
    UnknownCustomer {
        /// The id.
        id: Box<str>,
    },
    /// All rows of a small table fell on one side.
    #[error("none of the {rows} rows is left to {what}: give more rows, or hold out another share")]
    EmptySide {
        /// Rows of the table.
        rows: u64,
        /// What they were wanted for.
        what: &'static str,
    },
}
