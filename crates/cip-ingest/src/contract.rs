//! Data contracts: what is expected of the rows of a source, and what happens where it is not so.

pub(crate) mod error;
pub(crate) mod expectation;
pub(crate) mod history;
pub(crate) mod inspection;
pub(crate) mod quality;
pub(crate) mod resolve;
pub(crate) mod row_test;
pub(crate) mod tally;
pub(crate) mod uniqueness;
pub(crate) mod verdict;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use cip_core::Timestamp;
use serde::{Deserialize, Serialize};

use error::ContractError;
use expectation::{Action, Expect, Expectation, Literal};
use row_test::whole_pattern;

/// A data contract: expectations of the events that a mapping makes, each with an action.
///
/// A contract is built in code or read from TOML and checked once, then again against the columns of the mapping when an
/// ingest starts, before any source file is read. Expectations speak of the columns of the store and of their typed values.
///
/// # Nulls
/// All kinds but `not_null` and `null_rate` leave null values alone, as `CHECK` and `UNIQUE` of SQL do.
///
/// # Several violations
/// All are counted. The first violated expectation whose action is not `warn`, in the contract's order, decides what becomes
/// of the row.
///
/// # Examples
/// ```
/// use cip_ingest::{Action, Contract, Expectation};
///
/// let contract = Contract::builder("shop")
///     .with_expectation(Expectation::accepted_values("known_type", "event_type", ["view", "cart"], Action::Quarantine))
///     .with_expectation(Expectation::range("price_not_negative", "price", Action::Drop).with_min(0))
///     .build()?;
/// let same = Contract::from_toml(r#"
///     name = "shop"
///     [[expectations]]
///     name = "known_type"
///     expect = "accepted_values"
///     column = "event_type"
///     values = ["view", "cart"]
///     action = "quarantine"
///     [[expectations]]
///     name = "price_not_negative"
///     expect = "range"
///     column = "price"
///     min = 0
///     action = "drop"
/// "#)?;
/// assert_eq!(contract, same);
/// # Ok::<(), cip_ingest::ContractError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Contract {
    parts: ContractBuilder,
}

/// A contract that is not checked yet: see [`Contract::builder`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractBuilder {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "instant")]
    as_of: Option<Timestamp>,
    #[serde(default)]
    expectations: Vec<Expectation>,
    /// Where files that it names are looked for.
    #[serde(skip)]
    folder: Option<PathBuf>,
}

/// One bit of a word marks each expectation, and one more whether the word was filled.
const MAX_EXPECTATIONS: usize = 63;

impl ContractBuilder {
    /// Adds an expectation behind the others.
    pub fn with_expectation(mut self, expectation: Expectation) -> Self {
        self.expectations.push(expectation);
        self
    }

    /// Looks for files of relative paths in `folder`; without it, in the folder that the process runs in.
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Checks the contract by itself.
    ///
    /// # Errors
    /// [`ContractError`], which names the expectation and the mend.
    pub fn build(self) -> Result<Contract, ContractError> {
        if self.expectations.len() > MAX_EXPECTATIONS {
            return Err(ContractError::TooMany {
                expectations: self.expectations.len(),
                limit: MAX_EXPECTATIONS,
            });
        }
        for (index, expectation) in self.expectations.iter().enumerate() {
            let refuse = |reason| Err(ContractError::Name { expectation: expectation.name.clone(), reason });
            if expectation.name.is_empty() {
                return refuse("every expectation needs a `name`");
            }
            if expectation.name == crate::parse::BLANK_LINE {
                return refuse("the name is that of the empty lines: choose another");
            }
            if self.expectations[..index].iter().any(|other| other.name == expectation.name) {
                return refuse("the name stands twice: choose another");
            }
            expectation.check_keys()?;
        }
        Ok(Contract { parts: self })
    }
}

impl Contract {
    /// Returns a builder; `name` is written into the store's manifest.
    pub fn builder(name: &str) -> ContractBuilder {
        ContractBuilder { name: name.to_owned(), as_of: None, expectations: Vec::new(), folder: None }
    }

    /// Reads a contract from TOML.
    ///
    /// # Errors
    /// [`ContractError::Toml`] with the place, or what is wrong with an expectation.
    pub fn from_toml(text: &str) -> Result<Self, ContractError> {
        let parts: ContractBuilder = toml::from_str(text)
            .map_err(|error| ContractError::Toml { reason: error.to_string().trim_end().to_owned() })?;
        parts.build()
    }

    /// Reads a contract from a TOML file; files that it names are looked for beside it.
    ///
    /// # Errors
    /// As [`Contract::from_toml`], and [`ContractError::Io`].
    pub fn read(path: &Path) -> Result<Self, ContractError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ContractError::Io { path: path.to_owned(), source })?;
        let mut contract = Self::from_toml(&text)?;
        contract.parts.folder = path.parent().map(Path::to_owned);
        Ok(contract)
    }

    /// The contracts that come with the crate: `commerce`, `retail`.
    pub const BUILT_IN: [&'static str; 2] = ["commerce", "retail"];

    /// Returns a contract that comes with the crate, or none of that name.
    pub fn built_in(name: &str) -> Option<Self> {
        let text = match name {
            "commerce" => include_str!("../contracts/commerce.toml"),
            "retail" => include_str!("../contracts/retail.toml"),
            _ => return None,
        };
        Self::from_toml(text).ok()
    }

    /// Measures freshness from this instant.
    pub fn with_as_of(mut self, as_of: Timestamp) -> Self {
        self.parts.as_of = Some(as_of);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// The instant from which freshness is measured.
    pub fn as_of(&self) -> Option<Timestamp> {
        self.parts.as_of
    }

    /// Its expectations, in their order.
    pub fn expectations(&self) -> &[Expectation] {
        &self.parts.expectations
    }

    /// Where a file that it names lies.
    pub(crate) fn locate(&self, file: &Path) -> PathBuf {
        self.parts.folder.as_deref().map_or_else(|| file.to_owned(), |folder| folder.join(file))
    }
}

/// Instants as texts.
mod instant {
    use cip_core::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(instant: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match instant {
            Some(instant) => to.collect_str(instant),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(Some).map_err(D::Error::custom)
    }
}

/// A key of an expectation, and whether it is there.
type Key = (&'static str, bool);

impl Expectation {
    fn keys(&self) -> [Key; 12] {
        [
            ("column", self.column.is_some()),
            ("columns", self.columns.is_some()),
            ("values", self.values.is_some()),
            ("file", self.file.is_some()),
            ("file_column", self.file_column.is_some()),
            ("min", self.min.is_some()),
            ("above", self.above.is_some()),
            ("max", self.max.is_some()),
            ("below", self.below.is_some()),
            ("unit", self.unit.is_some()),
            ("pattern", self.pattern.is_some()),
            ("max_age", self.max_age.is_some()),
        ]
    }

    /// Checks what can be told without a mapping.
    fn check_keys(&self) -> Result<(), ContractError> {
        let refuse =
            |reason| ContractError::Key { expectation: self.name.clone(), expect: self.expect, reason };
        let (allowed, needs): (&[&str], &'static str) = match self.expect {
            Expect::NotNull => (&["column"], "needs a `column`, and has no other key"),
            Expect::AcceptedValues => {
                (&["column", "values"], "needs a `column` and `values`, and has no other key")
            }
            Expect::Range => (
                &["column", "min", "above", "max", "below"],
                "needs a `column` and at least one of `min`, `above`, `max` and `below`, and has no other key",
            ),
            Expect::Length => (
                &["column", "unit", "min", "max"],
                "needs a `column`, a `unit` (`characters` or `bytes`) and at least one of `min` and `max`, and has no other key",
            ),
            Expect::Regex => {
                (&["column", "pattern"], "needs a `column` and a `pattern`, and has no other key")
            }
            Expect::Unique => {
                (&["column", "columns"], "needs one of `column` and `columns`, and has no other key")
            }
            Expect::Referential => (
                &["column", "values", "file", "file_column"],
                "needs a `column` and either `values` or `file` with `file_column`, and has no other key",
            ),
            Expect::Freshness => (&["max_age"], "needs a `max_age`, and has no other key"),
            Expect::RowCount => {
                (&["min", "max"], "needs at least one of `min` and `max`, and has no other key")
            }
            Expect::NullRate => (
                &["column", "min", "max"],
                "needs a `column` and at least one of `min` and `max`, and has no other key",
            ),
        };
        if self.keys().iter().any(|(key, is_there)| *is_there && !allowed.contains(key)) {
            return Err(refuse(needs));
        }
        let one_bound =
            self.min.is_some() || self.above.is_some() || self.max.is_some() || self.below.is_some();
        let file = self.file.is_some() && self.file_column.is_some();
        let no_file = self.file.is_none() && self.file_column.is_none();
        let complete = match self.expect {
            Expect::NotNull => self.column.is_some(),
            Expect::AcceptedValues => self.column.is_some() && self.values.is_some(),
            Expect::Range | Expect::NullRate => self.column.is_some() && one_bound,
            Expect::Length => self.column.is_some() && self.unit.is_some() && one_bound,
            Expect::Regex => self.column.is_some() && self.pattern.is_some(),
            Expect::Unique => self.column.is_some() != self.columns.is_some(),
            Expect::Referential => {
                self.column.is_some() && if self.values.is_some() { no_file } else { file }
            }
            Expect::Freshness => self.max_age.is_some(),
            Expect::RowCount => one_bound,
        };
        if !complete {
            return Err(refuse(needs));
        }
        if self.min.is_some() && self.above.is_some() || self.max.is_some() && self.below.is_some() {
            return Err(refuse(
                "has one lower bound (`min` or `above`) and one upper bound (`max` or `below`)",
            ));
        }
        if self.values.as_ref().is_some_and(Vec::is_empty) {
            return Err(refuse("needs at least one value in `values`: no row would hold it"));
        }
        if self.columns.as_ref().is_some_and(Vec::is_empty) {
            return Err(refuse("needs at least one column in `columns`"));
        }
        if self.expect.reason().is_none() && matches!(self.action, Action::Drop | Action::Quarantine) {
            let (expectation, expect) = (self.name.clone(), self.expect);
            return Err(ContractError::Action { expectation, expect, action: self.action });
        }
        match self.expect {
            Expect::Length | Expect::RowCount => self.counts().map(|_| ()),
            Expect::NullRate => self.shares().map(|_| ()),
            Expect::Freshness => self.age().map(|_| ()),
            Expect::Regex => {
                whole_pattern(&self.name, self.pattern.as_deref().unwrap_or_default()).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    fn wrong(&self, key: &'static str, found: impl ToString, expected: &'static str) -> ContractError {
        ContractError::Literal { expectation: self.name.clone(), key, found: found.to_string(), expected }
    }

    /// Both bounds as counts, inclusive.
    pub(crate) fn counts(&self) -> Result<(u64, u64), ContractError> {
        let count = |key, literal: &Option<Literal>, none| match literal {
            None => Ok(none),
            Some(Literal::Integer(value)) if *value >= 0 => Ok(value.unsigned_abs()),
            Some(other) => Err(self.wrong(key, other, "a whole number of 0 or more")),
        };
        let bounds = (count("min", &self.min, 0)?, count("max", &self.max, u64::MAX)?);
        if bounds.0 > bounds.1 { Err(self.empty()) } else { Ok(bounds) }
    }

    /// Both bounds as shares, inclusive.
    pub(crate) fn shares(&self) -> Result<(f64, f64), ContractError> {
        let share = |key, literal: &Option<Literal>, none| match literal {
            None => Ok(none),
            Some(Literal::Integer(value @ 0..=1)) => Ok(*value as f64),
            Some(Literal::Number(value)) if (0.0..=1.0).contains(value) => Ok(*value),
            Some(other) => Err(self.wrong(key, other, "a share from 0 to 1")),
        };
        let bounds = (share("min", &self.min, 0.0)?, share("max", &self.max, 1.0)?);
        if bounds.0 <= bounds.1 { Ok(bounds) } else { Err(self.empty()) }
    }

    /// The greatest age in microseconds.
    pub(crate) fn age(&self) -> Result<i64, ContractError> {
        let text = self.max_age.as_deref().unwrap_or_default();
        let wrong =
            || self.wrong("max_age", text, "a duration: write a whole number with s, m, h or d, such as 36h");
        let age = cip_core::parse_duration(text).map_err(|_| wrong())?;
        i64::try_from(age.as_micros()).map_err(|_| wrong())
    }

    /// The bounds in words.
    pub(crate) fn bound_text(&self) -> String {
        let parts = [(">=", &self.min), (">", &self.above), ("<=", &self.max), ("<", &self.below)];
        let parts =
            parts.iter().filter_map(|(sign, bound)| bound.as_ref().map(|bound| format!("{sign} {bound}")));
        parts.collect::<Vec<_>>().join(" and ")
    }

    pub(crate) fn empty(&self) -> ContractError {
        ContractError::EmptyRange { expectation: self.name.clone(), bound: self.bound_text() }
    }
}
