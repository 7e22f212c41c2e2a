//! Expectations as their author writes them.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::reject::Reason;

/// Something that a contract expects of the rows or of the whole input, and what happens where it is not so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    pub(crate) name: String,
    pub(crate) expect: Expect,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) columns: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) values: Option<Vec<Literal>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file_column: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<Literal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) above: Option<Literal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<Literal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) below: Option<Literal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<LengthUnit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_age: Option<String>,
    pub(crate) action: Action,
}

/// The kinds of expectations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Expect {
    /// The value is there.
    NotNull,
    /// The value is one of a list.
    AcceptedValues,
    /// The value lies between bounds.
    Range,
    /// The text is as long as it should be.
    Length,
    /// The whole text matches a pattern.
    Regex,
    /// No earlier row has the same values.
    Unique,
    /// The value is one of those of a list that lies elsewhere.
    Referential,
    /// The newest event is not too old.
    Freshness,
    /// There are as many events as there should be.
    RowCount,
    /// As many values are missing as may be.
    NullRate,
}

/// What happens to a row that an expectation does not hold for, or to the ingest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Action {
    /// The row is kept and counted.
    Warn,
    /// The row is left out, a declared drop under the expectation's name.
    Drop,
    /// The row goes to the rejects.
    Quarantine,
    /// The ingest stops, and nothing is written.
    Fail,
}

/// What the length of a text is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LengthUnit {
    /// Unicode scalar values, such as `é` (U+00E9).
    Characters,
    /// Bytes of UTF-8.
    Bytes,
}

/// A value in a contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected an integer, a number or a text")]
#[non_exhaustive]
pub enum Literal {
    /// A whole number.
    Integer(i64),
    /// A number with a point.
    Number(f64),
    /// A text, a date, or an exact amount.
    Text(String),
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Number(value) => fmt::Debug::fmt(value, f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

impl From<i64> for Literal {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Literal {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Literal {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl Expect {
    /// Its name in a contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotNull => "not_null",
            Self::AcceptedValues => "accepted_values",
            Self::Range => "range",
            Self::Length => "length",
            Self::Regex => "regex",
            Self::Unique => "unique",
            Self::Referential => "referential",
            Self::Freshness => "freshness",
            Self::RowCount => "row_count",
            Self::NullRate => "null_rate",
        }
    }

    /// Why a row is rejected that does not hold it; none where it speaks of no row.
    pub(crate) fn reason(self) -> Option<Reason> {
        match self {
            Self::NotNull => Some(Reason::NotNull),
            Self::AcceptedValues => Some(Reason::AcceptedValues),
            Self::Range => Some(Reason::Range),
            Self::Length => Some(Reason::Length),
            Self::Regex => Some(Reason::Regex),
            Self::Unique => Some(Reason::Unique),
            Self::Referential => Some(Reason::Referential),
            Self::Freshness | Self::RowCount | Self::NullRate => None,
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Action {
    /// Its name in a contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Drop => "drop",
            Self::Quarantine => "quarantine",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl LengthUnit {
    /// Its name in a contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Characters => "characters",
            Self::Bytes => "bytes",
        }
    }
}

impl Expectation {
    fn new(name: &str, expect: Expect, column: Option<&str>, action: Action) -> Self {
        Self {
            name: name.to_owned(),
            expect,
            column: column.map(str::to_owned),
            columns: None,
            values: None,
            file: None,
            file_column: None,
            min: None,
            above: None,
            max: None,
            below: None,
            unit: None,
            pattern: None,
            max_age: None,
            action,
        }
    }

    /// Values of `column` are there.
    pub fn not_null(name: &str, column: &str, action: Action) -> Self {
        Self::new(name, Expect::NotNull, Some(column), action)
    }

    /// Values of `column`, integers or texts, are among `values`.
    pub fn accepted_values<L: Into<Literal>>(
        name: &str,
        column: &str,
        values: impl IntoIterator<Item = L>,
        action: Action,
    ) -> Self {
        Self::new(name, Expect::AcceptedValues, Some(column), action).with_values(values)
    }

    /// Values of `column` lie between bounds: add [`Expectation::with_min`] and the others.
    pub fn range(name: &str, column: &str, action: Action) -> Self {
        Self::new(name, Expect::Range, Some(column), action)
    }

    /// Texts of `column` are as long as the bounds say that [`Expectation::with_min`] and [`Expectation::with_max`] add.
    pub fn length(name: &str, column: &str, unit: LengthUnit, action: Action) -> Self {
        Self { unit: Some(unit), ..Self::new(name, Expect::Length, Some(column), action) }
    }

    /// Whole texts of `column` match `pattern`.
    pub fn regex(name: &str, column: &str, pattern: &str, action: Action) -> Self {
        Self { pattern: Some(pattern.to_owned()), ..Self::new(name, Expect::Regex, Some(column), action) }
    }

    /// No two rows have the same values in all of `columns`.
    pub fn unique(name: &str, columns: &[&str], action: Action) -> Self {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Self { columns: Some(columns), ..Self::new(name, Expect::Unique, None, action) }
    }

    /// Values of `column` are among those of a list: add [`Expectation::with_values`] or [`Expectation::with_file`].
    pub fn referential(name: &str, column: &str, action: Action) -> Self {
        Self::new(name, Expect::Referential, Some(column), action)
    }

    /// The newest event is not older than `max_age` (such as `1d`) before the contract's `as_of`.
    pub fn freshness(name: &str, max_age: &str, action: Action) -> Self {
        Self { max_age: Some(max_age.to_owned()), ..Self::new(name, Expect::Freshness, None, action) }
    }

    /// There are as many events as the bounds say that [`Expectation::with_min`] and [`Expectation::with_max`] add.
    pub fn row_count(name: &str, action: Action) -> Self {
        Self::new(name, Expect::RowCount, None, action)
    }

    /// The share of events without a value in `column` lies between the bounds that [`Expectation::with_min`] and
    /// [`Expectation::with_max`] add.
    pub fn null_rate(name: &str, column: &str, action: Action) -> Self {
        Self::new(name, Expect::NullRate, Some(column), action)
    }

    /// Lists the values.
    pub fn with_values<L: Into<Literal>>(mut self, values: impl IntoIterator<Item = L>) -> Self {
        self.values = Some(values.into_iter().map(Into::into).collect());
        self
    }

    /// Takes the values of a column of a table, Parquet or CSV.
    pub fn with_file(mut self, file: impl Into<PathBuf>, column: &str) -> Self {
        self.file = Some(file.into());
        self.file_column = Some(column.to_owned());
        self
    }

    /// The least value that holds.
    pub fn with_min(mut self, min: impl Into<Literal>) -> Self {
        self.min = Some(min.into());
        self
    }

    /// The greatest value that holds.
    pub fn with_max(mut self, max: impl Into<Literal>) -> Self {
        self.max = Some(max.into());
        self
    }

    /// Values hold that are greater than this.
    pub fn with_above(mut self, above: impl Into<Literal>) -> Self {
        self.above = Some(above.into());
        self
    }

    /// Values hold that are less than this.
    pub fn with_below(mut self, below: impl Into<Literal>) -> Self {
        self.below = Some(below.into());
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind.
    pub fn expect(&self) -> Expect {
        self.expect
    }

    /// What happens where it is not held.
    pub fn action(&self) -> Action {
        self.action
    }
}
