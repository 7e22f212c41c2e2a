//! A contract held against the columns of a mapping.

use std::collections::HashSet;

use cip_core::table::SessionIdType;
use cip_core::{IdRef, MemoryBudget, Timestamp};
use cip_store::{TableColumn, TableSource};

use super::Contract;
use super::error::ContractError;
use super::expectation::{Action, Expect, Expectation, Literal};
use super::row_test::{RowTest, whole_pattern};
use crate::mapping::SourceMapping;
use crate::target::{ColumnKind, TargetColumn};

/// An expectation with its columns and typed bounds.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) expect: Expect,
    /// The columns of the store that it speaks of.
    pub(crate) columns: Vec<usize>,
    pub(crate) column_names: Vec<String>,
    /// What happens; on a sample nothing fails.
    pub(crate) action: Action,
    /// What the author wants to happen.
    pub(crate) declared: Action,
    /// What is expected, in words.
    pub(crate) bound: String,
    pub(crate) check: Check,
}

/// What is checked.
#[derive(Debug)]
pub(crate) enum Check {
    Row(RowTest),
    Unique,
    Freshness { oldest: i64 },
    RowCount { least: u64, greatest: u64 },
    NullRate { least: f64, greatest: f64 },
}

/// Whether a contract is for all of an input, or for a look at some of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    /// What would fail is only counted.
    Sample,
}

impl Contract {
    /// Returns its expectations with typed bounds.
    ///
    /// # Errors
    /// [`ContractError`] where the mapping has no such columns, or columns of another type, and where a list cannot be read.
    pub(crate) fn resolve(
        &self,
        mapping: &SourceMapping,
        columns: &[TargetColumn],
        budget: MemoryBudget,
        extent: Extent,
    ) -> Result<Vec<Rule>, ContractError> {
        let resolver = Resolver { contract: self, mapping, columns, budget };
        let rules = self.expectations().iter().map(|expectation| {
            let mut rule = resolver.rule(expectation)?;
            if extent == Extent::Sample && rule.action == Action::Fail {
                rule.action = Action::Warn;
            }
            Ok(rule)
        });
        rules.collect()
    }
}

struct Resolver<'a> {
    contract: &'a Contract,
    mapping: &'a SourceMapping,
    columns: &'a [TargetColumn],
    budget: MemoryBudget,
}

impl Resolver<'_> {
    fn rule(&self, expectation: &Expectation) -> Result<Rule, ContractError> {
        if expectation.action == Action::Drop
            && self.mapping.drops().any(|(rule, _, _)| rule == expectation.name)
        {
            let reason = "a drop rule of the mapping has this name: choose another";
            return Err(ContractError::Name { expectation: expectation.name.clone(), reason });
        }
        let names: Vec<&String> =
            expectation.column.iter().chain(expectation.columns.iter().flatten()).collect();
        let columns: Vec<usize> =
            names.iter().map(|name| self.column(expectation, name)).collect::<Result<_, _>>()?;
        let (check, bound) = match columns.first() {
            Some(&column) => self.check(expectation, column)?,
            None => self.whole(expectation)?,
        };
        Ok(Rule {
            name: expectation.name.clone(),
            expect: expectation.expect,
            columns,
            column_names: names.into_iter().cloned().collect(),
            action: expectation.action,
            declared: expectation.action,
            bound,
            check,
        })
    }

    fn column(&self, expectation: &Expectation, name: &str) -> Result<usize, ContractError> {
        self.columns.iter().position(|column| column.name == name).ok_or_else(|| {
            let known: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).collect();
            ContractError::UnknownColumn {
                expectation: expectation.name.clone(),
                mapping: self.mapping.name().to_owned(),
                column: name.to_owned(),
                known: known.join(", "),
            }
        })
    }

    /// A check of no column.
    fn whole(&self, expectation: &Expectation) -> Result<(Check, String), ContractError> {
        if expectation.expect == Expect::Freshness {
            let as_of = self
                .contract
                .as_of()
                .ok_or_else(|| ContractError::AsOf { expectation: expectation.name.clone() })?;
            let oldest = as_of.micros().saturating_sub(expectation.age()?);
            let bound = format!("newest event >= {}", Timestamp::from_micros(oldest));
            return Ok((Check::Freshness { oldest }, bound));
        }
        let (least, greatest) = expectation.counts()?;
        Ok((Check::RowCount { least, greatest }, format!("events {}", expectation.bound_text())))
    }

    fn check(&self, expectation: &Expectation, column: usize) -> Result<(Check, String), ContractError> {
        let target = &self.columns[column];
        let test = match expectation.expect {
            Expect::NotNull => (RowTest::Present, "not null".to_owned()),
            Expect::AcceptedValues => self.values(expectation, target)?,
            Expect::Range => (range(expectation, target)?, expectation.bound_text()),
            Expect::Length => {
                self.must_be_text(expectation, target)?;
                let (least, greatest) = expectation.counts()?;
                let unit = expectation.unit.unwrap_or(super::expectation::LengthUnit::Characters);
                let bound = format!("{} {}", expectation.bound_text(), unit.name());
                (RowTest::Length { unit, least, greatest }, bound)
            }
            Expect::Regex => {
                self.must_be_text(expectation, target)?;
                let pattern = expectation.pattern.as_deref().unwrap_or_default();
                (RowTest::Matches(whole_pattern(&expectation.name, pattern)?), format!("matching {pattern}"))
            }
            Expect::Referential => match (&expectation.file, &expectation.file_column) {
                (Some(file), Some(file_column)) => {
                    let test = self.list(expectation, target, file, file_column)?;
                    (test, format!("in {} column {file_column}", file.display()))
                }
                _ => self.values(expectation, target)?,
            },
            Expect::Unique => return Ok((Check::Unique, "no earlier row has the same".to_owned())),
            Expect::NullRate => {
                let (least, greatest) = expectation.shares()?;
                let bound = format!("null rate {}", expectation.bound_text());
                return Ok((Check::NullRate { least, greatest }, bound));
            }
            Expect::Freshness | Expect::RowCount => return self.whole(expectation),
        };
        Ok((Check::Row(test.0), test.1))
    }

    fn must_be_text(&self, expectation: &Expectation, target: &TargetColumn) -> Result<(), ContractError> {
        if is_text(&target.kind) {
            Ok(())
        } else {
            Err(wrong_type(expectation, target, "a text (utf8 or dictionary)"))
        }
    }

    /// A test by the values that the contract itself lists.
    fn values(
        &self,
        expectation: &Expectation,
        target: &TargetColumn,
    ) -> Result<(RowTest, String), ContractError> {
        let values = expectation.values.as_deref().unwrap_or_default();
        let bound =
            format!("one of {}", values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        let wrong = |literal: &Literal, expected| ContractError::Literal {
            expectation: expectation.name.clone(),
            key: "values",
            found: literal.to_string(),
            expected,
        };
        let test = if is_text(&target.kind) {
            let texts = values.iter().map(|literal| match literal {
                Literal::Text(text) => Ok(text.as_str().into()),
                other => Err(wrong(other, "a text, as the column's values are: write it in quotes")),
            });
            RowTest::OneOfTexts(texts.collect::<Result<_, _>>()?)
        } else if target.kind == ColumnKind::Int64 {
            let integers = values.iter().map(|literal| match literal {
                Literal::Integer(value) => Ok(*value),
                other => Err(wrong(other, "an integer, as the column's values are")),
            });
            RowTest::OneOfIntegers(integers.collect::<Result<_, _>>()?)
        } else {
            return Err(wrong_type(expectation, target, "integers or texts; give the others a `range`"));
        };
        Ok((test, bound))
    }

    /// A test by the values of another table's column.
    fn list(
        &self,
        expectation: &Expectation,
        target: &TargetColumn,
        file: &std::path::Path,
        file_column: &str,
    ) -> Result<RowTest, ContractError> {
        /// A place in a table, a pointer and a length.
        const BYTES_A_VALUE: u64 = 48;
        let name = || expectation.name.clone();
        let text = is_text(&target.kind);
        if !text && target.kind != ColumnKind::Int64 {
            return Err(wrong_type(expectation, target, "integers or texts"));
        }
        let path = self.contract.locate(file);
        let failed = |source| ContractError::List { expectation: name(), source };
        let table = TableSource::open(&path).map_err(failed)?;
        let (mut texts, mut integers) = (HashSet::default(), HashSet::default());
        let (mut rows, mut bytes) = (0, 0);
        for batch in table.batches(&[file_column]).map_err(failed)? {
            let batch = batch.map_err(failed)?;
            let column = TableColumn::new(&path, file_column, rows, batch.column(0));
            rows += batch.num_rows() as u64;
            if text {
                for value in column.labels().map_err(failed)?.into_iter().flatten() {
                    let length = value.len() as u64;
                    if texts.insert(value.into_boxed_str()) {
                        bytes += BYTES_A_VALUE + length;
                    }
                }
            } else {
                let ids = column.ids().map_err(failed)?;
                for row in 0..ids.len() {
                    match ids.get(row) {
                        Some(IdRef::Int64(id)) => {
                            bytes += if integers.insert(id) { BYTES_A_VALUE } else { 0 }
                        }
                        Some(IdRef::Utf8(_)) => {
                            return Err(ContractError::ListType {
                                expectation: name(),
                                column: target.name.clone(),
                                path: path.clone(),
                                file_column: file_column.to_owned(),
                                found: batch.column(0).data_type().clone(),
                            });
                        }
                        None => (),
                    }
                }
            }
            if bytes > self.budget.part(1, 8).bytes() {
                return Err(ContractError::ListTooLarge { expectation: name(), budget: self.budget });
            }
        }
        Ok(if text { RowTest::OneOfTexts(texts) } else { RowTest::OneOfIntegers(integers) })
    }
}

fn is_text(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::Utf8 | ColumnKind::Dictionary(_) | ColumnKind::Session(SessionIdType::Utf8))
}

fn wrong_type(expectation: &Expectation, target: &TargetColumn, expected: &'static str) -> ContractError {
    ContractError::ColumnType {
        expectation: expectation.name.clone(),
        expect: expectation.expect,
        column: target.name.clone(),
        found: target.field().data_type().clone(),
        expected,
    }
}

/// A test by bounds of the column's type.
fn range(expectation: &Expectation, target: &TargetColumn) -> Result<RowTest, ContractError> {
    let wrong = |key, literal: &Literal, expected| ContractError::Literal {
        expectation: expectation.name.clone(),
        key,
        found: literal.to_string(),
        expected,
    };
    let bounds = [
        ("min", &expectation.min),
        ("above", &expectation.above),
        ("max", &expectation.max),
        ("below", &expectation.below),
    ];
    if target.kind == ColumnKind::Float64 {
        let [min, above, max, below] = bounds.map(|(key, literal)| match literal {
            None => Ok(None),
            Some(Literal::Integer(value)) => Ok(Some(*value as f64)),
            Some(Literal::Number(value)) if value.is_finite() => Ok(Some(*value)),
            Some(other) => Err(wrong(key, other, "a finite number, as the column's values are")),
        });
        let least = min?.or(above?.map(f64::next_up)).unwrap_or(f64::MIN);
        let greatest = max?.or(below?.map(f64::next_down)).unwrap_or(f64::MAX);
        return if least <= greatest {
            Ok(RowTest::Floats { least, greatest })
        } else {
            Err(expectation.empty())
        };
    }
    let read = |key, literal: &Literal| -> Result<i64, ContractError> {
        match (&target.kind, literal) {
            (ColumnKind::Int64, Literal::Integer(value)) => Ok(*value),
            (ColumnKind::Int64, other) => Err(wrong(key, other, "an integer, as the column's values are")),
            (ColumnKind::Money(scale), Literal::Integer(_) | Literal::Text(_)) => {
                let amount = scale.parse(literal.to_string().as_bytes());
                amount.map_err(|_| {
                    wrong(key, literal, "an amount with at most the column's decimals and 18 digits")
                })
            }
            (ColumnKind::Money(_), other) => {
                Err(wrong(key, other, "an exact amount: write it in quotes, such as \"0.01\""))
            }
            (ColumnKind::Timestamp(_), Literal::Text(text)) => {
                let time = text.parse::<Timestamp>().map(Timestamp::micros);
                time.map_err(|_| wrong(key, literal, "a date such as \"2019-10-01\", or a time of RFC 3339"))
            }
            (ColumnKind::Timestamp(_), other) => {
                Err(wrong(key, other, "a date or a time of RFC 3339 in quotes"))
            }
            _ => Err(wrong_type(expectation, target, "integers, numbers, amounts or times")),
        }
    };
    let [min, above, max, below] =
        bounds.map(|(key, literal)| literal.as_ref().map(|literal| read(key, literal)).transpose());
    // Beyond the greatest integer there is nothing.
    let next = |value: Option<i64>, step: i64| match value {
        Some(value) => value.checked_add(step).map(Some).ok_or_else(|| expectation.empty()),
        None => Ok(None),
    };
    let least = min?.or(next(above?, 1)?).unwrap_or(i64::MIN);
    let greatest = max?.or(next(below?, -1)?).unwrap_or(i64::MAX);
    if least <= greatest { Ok(RowTest::Integers { least, greatest }) } else { Err(expectation.empty()) }
}
