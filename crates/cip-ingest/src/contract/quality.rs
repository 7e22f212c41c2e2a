//! What a contract found: the quality report.

use cip_core::Timestamp;
use cip_store::Account;
use serde::{Deserialize, Serialize};

use super::expectation::Action;
use super::resolve::{Check, Rule};
use super::tally::Tally;
use crate::error::IngestError;

/// How well the rows of an ingest held a contract. It depends on the files, the mapping and the contract alone.
///
/// The three layers are those of a medallion architecture: data as it came, data that was cleaned and checked, and data
/// that can be relied on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QualityReport {
    /// The contract's name.
    pub contract: String,
    /// Rows read: all records of the files, empty lines included.
    pub bronze: u64,
    /// Rows that were parsed and kept: the events of the store.
    pub silver: u64,
    /// Events that hold every expectation of rows, those that only warn included.
    pub gold: u64,
    /// Each expectation, in the contract's order.
    pub expectations: Vec<ExpectationReport>,
}

/// What became of one expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExpectationReport {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub expect: String,
    /// The columns that it speaks of.
    pub columns: Vec<String>,
    /// What is expected, in words.
    pub bound: String,
    /// What happens where it is not so.
    pub action: String,
    /// Whether it held: for every row, or for the whole input.
    pub holds: bool,
    /// Rows that it was held against. An expectation of single rows: all that were parsed and not dropped by the mapping;
    /// `unique`: those that expectations of single rows let through; one of the whole input: the events.
    pub checked: u64,
    /// Of these, rows without the value.
    pub nulls: u64,
    /// `nulls / checked`; none where no row was checked.
    pub null_rate: Option<f64>,
    /// Rows that hold it; nulls are none of them. For one of the whole input: all or none.
    pub passed: u64,
    /// Rows that do not hold it, whichever expectation decided what became of them.
    pub violations: u64,
    /// Violations in rows that were kept.
    pub warned: u64,
    /// Rows that it dropped.
    pub dropped: u64,
    /// Rows that it sent to the rejects.
    pub quarantined: u64,
    /// What was found, where the expectation speaks of the whole input: the newest event, the number of events, the share of
    /// nulls.
    pub observed: Option<String>,
}

impl QualityReport {
    pub(crate) fn new(contract: &str, rules: &[Rule], account: &Account, tally: &Tally) -> Self {
        let total = |pick: fn(&super::tally::Counts) -> u64, unique: bool| {
            let of_kind = rules
                .iter()
                .zip(&tally.counts)
                .filter(|(rule, _)| matches!(rule.check, Check::Unique) == unique);
            of_kind.map(|(_, counts)| pick(counts)).sum::<u64>()
        };
        let refused = |unique| total(|counts| counts.dropped + counts.quarantined, unique);
        // Rows that came to `unique`, and all that came to the contract.
        let compared = account.events + refused(true);
        let inspected = compared + refused(false);
        let expectations = rules.iter().zip(&tally.counts).map(|(rule, counts)| {
            let checked = match rule.check {
                Check::Row(_) => inspected,
                Check::Unique => compared,
                Check::Freshness { .. } | Check::RowCount { .. } | Check::NullRate { .. } => account.events,
            };
            let null_rate = (checked > 0).then(|| counts.nulls as f64 / checked as f64);
            let (holds, observed) = match rule.check {
                Check::Row(_) | Check::Unique => (counts.violations == 0, None),
                Check::Freshness { oldest } => (
                    tally.newest.is_some_and(|newest| newest >= oldest),
                    tally.newest.map(|newest| Timestamp::from_micros(newest).to_string()),
                ),
                Check::RowCount { least, greatest } => {
                    ((least..=greatest).contains(&account.events), Some(account.events.to_string()))
                }
                Check::NullRate { least, greatest } => (
                    null_rate.is_none_or(|rate| least <= rate && rate <= greatest),
                    null_rate.map(|rate| rate.to_string()),
                ),
            };
            let passed = match (&rule.check, rule.expect) {
                (Check::Row(_), super::expectation::Expect::NotNull) => checked - counts.violations,
                (Check::Row(_) | Check::Unique, _) => checked - counts.nulls - counts.violations,
                (_, _) => {
                    if holds {
                        checked
                    } else {
                        0
                    }
                }
            };
            ExpectationReport {
                name: rule.name.clone(),
                expect: rule.expect.name().to_owned(),
                columns: rule.column_names.clone(),
                bound: rule.bound.clone(),
                action: rule.declared.name().to_owned(),
                holds,
                checked,
                nulls: counts.nulls,
                null_rate,
                passed,
                violations: counts.violations,
                warned: counts.warned,
                dropped: counts.dropped,
                quarantined: counts.quarantined,
                observed,
            }
        });
        Self {
            contract: contract.to_owned(),
            bronze: account.rows,
            silver: account.events,
            gold: account.events - tally.warned_rows,
            expectations: expectations.collect(),
        }
    }

    /// Stops an ingest whose whole input is not as a failing expectation wants it; `rules` are those of the report.
    pub(crate) fn check(&self, rules: &[Rule]) -> Result<(), IngestError> {
        let of_input = |rule: &Rule| !matches!(rule.check, Check::Row(_) | Check::Unique);
        let broken = (rules.iter().zip(&self.expectations))
            .find(|(rule, found)| of_input(rule) && rule.action == Action::Fail && !found.holds);
        match broken {
            None => Ok(()),
            Some((rule, found)) => Err(IngestError::ExpectationOfInput {
                contract: self.contract.clone(),
                expectation: rule.name.clone(),
                bound: match rule.column_names.as_slice() {
                    [] => rule.bound.clone(),
                    columns => format!("{} of {}", rule.bound, columns.join(", ")),
                },
                observed: found.observed.clone().unwrap_or_else(|| "nothing".to_owned()),
            }),
        }
    }
}
