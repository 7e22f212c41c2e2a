//! What is wrong with a data contract.

use std::path::PathBuf;

use arrow_schema::DataType;
use cip_core::MemoryBudget;

use super::expectation::{Action, Expect};

/// What is wrong with a contract, by itself or for a mapping. No source file was read then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContractError {
    /// Not the TOML that is expected.
    #[error("the contract cannot be read: {reason}")]
    Toml {
        /// Where and why.
        reason: String,
    },
    /// The file is not there, or is no text.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A name that is missing, stands twice or is taken.
    #[error("expectation `{expectation}`: {reason}")]
    Name {
        /// The name.
        expectation: String,
        /// Why it cannot be used.
        reason: &'static str,
    },
    /// A key that is missing, or that does not belong there.
    #[error("expectation `{expectation}`: `{expect}` {reason}")]
    Key {
        /// The expectation's name.
        expectation: String,
        /// Its kind.
        expect: Expect,
        /// What is wrong with its keys.
        reason: &'static str,
    },
    /// An action that an expectation over the whole input cannot have.
    #[error(
        "expectation `{expectation}`: `{expect}` speaks of the whole input and cannot `{action}` a row: use `warn` or `fail`"
    )]
    Action {
        /// The expectation's name.
        expectation: String,
        /// Its kind.
        expect: Expect,
        /// Its action.
        action: Action,
    },
    /// A bound or a value of another type than the column.
    #[error("expectation `{expectation}`: `{key} = {found}` is not {expected}")]
    Literal {
        /// The expectation's name.
        expectation: String,
        /// The key.
        key: &'static str,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// A range that no value lies in.
    #[error(
        "expectation `{expectation}`: no value is {bound}: the lower bound must not lie above the upper one"
    )]
    EmptyRange {
        /// The expectation's name.
        expectation: String,
        /// The range.
        bound: String,
    },
    /// A pattern that cannot be used.
    #[error("expectation `{expectation}`: the pattern cannot be used: {reason}")]
    Pattern {
        /// The expectation's name.
        expectation: String,
        /// Where and why.
        reason: String,
    },
    /// A column that the mapping does not fill.
    #[error(
        "expectation `{expectation}`: mapping `{mapping}` has no column `{column}`, but {known}: an expectation names a column of the store"
    )]
    UnknownColumn {
        /// The expectation's name.
        expectation: String,
        /// The mapping's name.
        mapping: String,
        /// The column.
        column: String,
        /// The columns that there are.
        known: String,
    },
    /// A column of a type that the expectation has no meaning for.
    #[error("expectation `{expectation}`: `{expect}` needs {expected}, but `{column}` is {found}")]
    ColumnType {
        /// The expectation's name.
        expectation: String,
        /// Its kind.
        expect: Expect,
        /// The column.
        column: String,
        /// Its type in the store.
        found: DataType,
        /// The types that would do.
        expected: &'static str,
    },
    /// Freshness without an instant to measure from.
    #[error(
        "expectation `{expectation}`: `freshness` needs an instant to measure from: give `as_of` in the contract, or --contract-as-of"
    )]
    AsOf {
        /// The expectation's name.
        expectation: String,
    },
    /// A list of values that cannot be read.
    #[error("expectation `{expectation}`: {source}")]
    List {
        /// The expectation's name.
        expectation: String,
        /// Why.
        source: cip_store::StoreError,
    },
    /// A list with values of another type than the column's.
    #[error(
        "expectation `{expectation}`: `{column}` holds integers, but {} column `{file_column}` holds {found}: give a list of integers",
        path.display()
    )]
    ListType {
        /// The expectation's name.
        expectation: String,
        /// The column of the store.
        column: String,
        /// The file.
        path: PathBuf,
        /// The file's column.
        file_column: String,
        /// What it holds.
        found: DataType,
    },
    /// A list that is larger than its part of the memory.
    #[error(
        "expectation `{expectation}`: the list has more values than fit in an eighth of {budget} of memory: give more memory"
    )]
    ListTooLarge {
        /// The expectation's name.
        expectation: String,
        /// The caller's budget.
        budget: MemoryBudget,
    },
    /// More expectations than are told apart.
    #[error("the contract has {expectations} expectations, at most {limit} are possible: leave some out")]
    TooMany {
        /// As given.
        expectations: usize,
        /// The limit.
        limit: usize,
    },
}
