//! What becomes of a row: kept, dropped, refused, or the end of the ingest.

use cip_core::table::SessionIdType;
use cip_core::{Timestamp, Uuid};

use super::expectation::Action;
use super::inspection::{CodeMemo, Findings, Inspection};
use super::resolve::Rule;
use super::uniqueness::Candidate;
use crate::fault::{Fault, Violation, shorten};
use crate::number::text;
use crate::parse::{ParsedChunk, Parser};
use crate::reject::Reason;
use crate::row::{Row, SlotKind};
use crate::target::ColumnKind;

/// Whether a row goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Kept,
    Dropped,
}

impl Parser {
    /// Holds a row that was just built against the contract and counts what is found; `code` is that of its attributes, `start`
    /// where its record starts in the chunk.
    ///
    /// # Errors
    /// The fault of a row that is refused, or that ends the ingest.
    #[inline(never)]
    pub(crate) fn admit(
        &self,
        inspection: &Inspection,
        row: Row<'_>,
        code: Option<u32>,
        start: usize,
        memo: &mut CodeMemo,
        parsed: &mut ParsedChunk,
    ) -> Result<Admission, Fault> {
        let Findings { violated, nulls } =
            inspection.inspect(row, code, &self.dictionaries, self.attributes.as_ref(), memo);
        let (of_all, of_kept) = inspection.split_nulls(nulls);
        parsed.tally.add(of_all, |counts| &mut counts.nulls);
        if violated != 0 {
            parsed.tally.add(violated, |counts| &mut counts.violations);
            if let Some(rule) = inspection.decides(violated) {
                // On a sample, what would end an ingest is kept.
                if self.refuse(inspection, rule, row, parsed)? == Admission::Dropped {
                    return Ok(Admission::Dropped);
                }
            }
        }
        let time = inspection.wants_times.then(|| row.user_and_time().1);
        if inspection.compares_rows() {
            let candidate = Candidate { start, lines: parsed.lines, violated, nulls: of_kept, time };
            parsed.comparison.push(candidate, self, inspection, row);
        } else {
            parsed.tally.keep(violated, of_kept, time);
        }
        Ok(Admission::Kept)
    }

    /// Does with a row what an expectation says that it violates.
    pub(crate) fn refuse(
        &self,
        inspection: &Inspection,
        index: usize,
        row: Row<'_>,
        parsed: &mut ParsedChunk,
    ) -> Result<Admission, Fault> {
        let rule = &inspection.rules()[index];
        let counts = &mut parsed.tally.counts[index];
        match rule.action {
            Action::Warn => return Ok(Admission::Kept),
            Action::Drop => {
                counts.dropped += 1;
                return Ok(Admission::Dropped);
            }
            Action::Quarantine => counts.quarantined += 1,
            Action::Fail => (),
        }
        Err(Fault {
            column: rule.columns.first().copied().filter(|_| rule.columns.len() == 1),
            reason: rule.expect.reason().unwrap_or(Reason::Range),
            violation: Some(Box::new(Violation {
                detail: self.detail(rule, row),
                stops: (rule.action == Action::Fail).then(|| rule.name.clone()),
            })),
        })
    }

    /// The expectation, the value and what was expected.
    fn detail(&self, rule: &Rule, row: Row<'_>) -> String {
        let values: Vec<_> = rule.columns.iter().map(|&column| self.value_text(row, column)).collect();
        let values: Vec<_> = values
            .iter()
            .map(|value| value.as_ref().map_or("null".to_owned(), |value| format!("`{value}`")))
            .collect();
        format!("{}: {} is not as expected: {}", rule.name, values.join(", "), shorten(rule.bound.as_bytes()))
    }

    /// A value of a row as a text; none where it is null.
    fn value_text(&self, row: Row<'_>, column: usize) -> Option<String> {
        let slot = self.layout.slot(column);
        let kind = &self.columns[column].kind;
        if let SlotKind::Attribute(place) = slot.kind {
            let (shared, code) = (self.attributes.as_ref()?, self.layout.attributes?);
            let value = shared.values(row.code(code)).get(place)?;
            return match kind {
                ColumnKind::Dictionary(_) => self.dictionary_text(column, value as u32),
                ColumnKind::Money(scale) => Some(scale.display(i128::from(value)).to_string()),
                _ => Some(value.to_string()),
            };
        }
        if self.columns[column].nullable && row.is_null(column) {
            return None;
        }
        Some(match kind {
            ColumnKind::Int64 => row.int64(slot).to_string(),
            ColumnKind::Float64 => row.float64(slot).to_string(),
            ColumnKind::Timestamp(_) => Timestamp::from_micros(row.int64(slot)).to_string(),
            ColumnKind::Money(scale) => scale.display(i128::from(row.int64(slot))).to_string(),
            ColumnKind::Dictionary(_) => return self.dictionary_text(column, row.code(slot)),
            ColumnKind::Session(SessionIdType::Uuid) => {
                let bytes = <[u8; 16]>::try_from(row.bytes(slot)).ok()?;
                Uuid::from_bytes(bytes).to_string()
            }
            ColumnKind::Utf8 | ColumnKind::Session(SessionIdType::Utf8) => {
                shorten(text(row.bytes(slot)).as_bytes())
            }
        })
    }

    fn dictionary_text(&self, column: usize, code: u32) -> Option<String> {
        self.dictionaries[column].with_text(code, |text| shorten(text.as_bytes()))
    }
}
