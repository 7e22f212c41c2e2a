//! Rows that must not be the same: compared one after the other, in the order of files and lines.
//!
//! Threads parse chunks in any order, so they only take hashes of what is compared and hold the rows back. The thread that
//! collects the chunks, in their order, tells which rows came before.

use std::collections::HashSet;

use cip_core::MemoryBudget;
use foldhash::fast::RandomState;
use xxhash_rust::xxh3::xxh3_128;

use super::inspection::Inspection;
use super::verdict::Admission;
use crate::error::IngestError;
use crate::file_plan::FilePlan;
use crate::parse::{ParsedChunk, Parser};
use crate::record::RecordEnd;
use crate::row::{Row, SlotKind};
use crate::source::Chunk;
use crate::target::ColumnKind;

/// The rows of a chunk that were held back.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    candidates: Vec<Candidate>,
    /// Of each candidate, one for each expectation of uniqueness; none where a value is null.
    hashes: Vec<Option<u128>>,
    key: Vec<u8>,
}

/// A row that is kept if no earlier one is the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// Where its record starts in the chunk, and the chunk's lines before.
    pub(crate) start: usize,
    pub(crate) lines: u64,
    /// What it was warned of, and what kept rows count as null.
    pub(crate) violated: u64,
    pub(crate) nulls: u64,
    pub(crate) time: Option<i64>,
}

impl Comparison {
    /// Holds a row back, with the hashes of what is compared of it.
    pub(crate) fn push(
        &mut self,
        candidate: Candidate,
        parser: &Parser,
        inspection: &Inspection,
        row: Row<'_>,
    ) {
        let Self { candidates, hashes, key } = self;
        candidates.push(candidate);
        for &index in &inspection.unique {
            key.clear();
            let mut columns = inspection.rules()[index].columns.iter();
            let whole = columns.all(|&column| append_value(parser, row, column, key).is_some());
            hashes.push(whole.then(|| xxh3_128(key)));
        }
    }
}

/// Appends a value so that no two rows of different values give the same bytes; none where it is null.
fn append_value(parser: &Parser, row: Row<'_>, column: usize, key: &mut Vec<u8>) -> Option<()> {
    let slot = parser.layout.slot(column);
    let is_text = matches!(parser.columns[column].kind, ColumnKind::Dictionary(_));
    let integer = match slot.kind {
        SlotKind::Attribute(place) => {
            let code = row.code(parser.layout.attributes?);
            parser.attributes.as_ref()?.values(code).get(place)?
        }
        _ if parser.columns[column].nullable && row.is_null(column) => return None,
        SlotKind::Code => i64::from(row.code(slot)),
        // Adding zero makes one of both zeros.
        SlotKind::Float64 => (row.float64(slot) + 0.0).to_bits().cast_signed(),
        SlotKind::Text | SlotKind::Uuid => {
            append_text(row.bytes(slot), key);
            return Some(());
        }
        SlotKind::Time | SlotKind::Int64 => row.int64(slot),
    };
    if is_text {
        // Codes depend on which thread came first.
        return parser.dictionaries[column]
            .with_text(integer as u32, |text| append_text(text.as_bytes(), key));
    }
    key.extend_from_slice(&integer.to_le_bytes());
    Some(())
}

fn append_text(text: &[u8], key: &mut Vec<u8>) {
    key.extend_from_slice(&(text.len() as u64).to_le_bytes());
    key.extend_from_slice(text);
}

/// What kept rows have, by expectation of uniqueness.
#[derive(Debug)]
pub(crate) struct Uniqueness {
    seen: Vec<SeenKeys>,
    budget: MemoryBudget,
}

/// Hashes in many small sets: one of them grows at a time.
#[derive(Debug)]
struct SeenKeys {
    sets: Vec<HashSet<u128, RandomState>>,
    keys: u64,
}

impl SeenKeys {
    const SETS: usize = 256;

    fn place(key: u128) -> usize {
        (key >> 120) as usize
    }

    fn contains(&self, key: u128) -> bool {
        self.sets[Self::place(key)].contains(&key)
    }

    fn insert(&mut self, key: u128) {
        self.keys += u64::from(self.sets[Self::place(key)].insert(key));
    }
}

impl Uniqueness {
    /// Keys may take `budget`.
    pub(crate) fn new(inspection: &Inspection, budget: MemoryBudget) -> Self {
        let seen = inspection.unique.iter().map(|_| {
            let mut sets = Vec::new();
            sets.resize_with(SeenKeys::SETS, HashSet::default);
            SeenKeys { sets, keys: 0 }
        });
        Self { seen: seen.collect(), budget }
    }

    /// Gives `emit` the rows of a chunk that are kept, and does with the others what the contract says. `rows` are those that
    /// were held back, in their order.
    ///
    /// # Errors
    /// Where the keys outgrow their part of the memory.
    pub(crate) fn settle(
        &mut self,
        parser: &Parser,
        inspection: &Inspection,
        chunk: &Chunk,
        rows: &[u8],
        parsed: &mut ParsedChunk,
        mut emit: impl FnMut(Row<'_>),
    ) -> Result<(), IngestError> {
        let comparison = std::mem::take(&mut parsed.comparison);
        let plan = FilePlan::new(parser, &chunk.header);
        let refused_before = parsed.rejects.len();
        let mut rest = rows;
        for (candidate, hashes) in
            comparison.candidates.iter().zip(comparison.hashes.chunks_exact(self.seen.len()))
        {
            let row = Row { layout: &parser.layout, bytes: rest };
            rest = &rest[row.len()..];
            let (mut repeated, mut nulls) = (0, 0);
            for ((hash, seen), &index) in hashes.iter().zip(&self.seen).zip(&inspection.unique) {
                match hash {
                    None => nulls |= 1 << index,
                    Some(hash) => repeated |= u64::from(seen.contains(*hash)) << index,
                }
            }
            parsed.tally.add(nulls, |counts| &mut counts.nulls);
            parsed.tally.add(repeated, |counts| &mut counts.violations);
            let admission = match inspection.decides(repeated) {
                None => Ok(Admission::Kept),
                Some(index) => parser.refuse(inspection, index, row, parsed),
            };
            match admission {
                Ok(Admission::Kept) => {
                    for (hash, seen) in hashes.iter().zip(&mut self.seen) {
                        hash.iter().for_each(|hash| seen.insert(*hash));
                    }
                    parsed.tally.keep(candidate.violated | repeated, candidate.nulls, candidate.time);
                    emit(row);
                    continue;
                }
                Ok(Admission::Dropped) => (),
                Err(fault) => {
                    let end = match chunk.header.format.record_end(&chunk.data, candidate.start, true) {
                        RecordEnd::Whole(end) => end,
                        _ => chunk.data.len(),
                    };
                    let place = (candidate.start, end);
                    parsed.rejects.push(parser.reject(&plan, &fault, chunk, place, candidate.lines));
                }
            }
            parsed.events -= 1;
        }
        if parsed.rejects.len() > refused_before {
            parsed.rejects.sort_by_key(|reject| reject.byte_start);
        }
        self.check_memory()
    }

    fn check_memory(&self) -> Result<(), IngestError> {
        /// Sixteen, and places in a table that is between half and nearly full.
        const BYTES_A_KEY: u64 = 40;
        let bytes = self.seen.iter().map(|seen| seen.keys).sum::<u64>() * BYTES_A_KEY;
        // They have half of what the caller gives.
        let needed = MemoryBudget::from_bytes(bytes * 2);
        Ok(self.budget.require("telling rows apart for `unique`", needed)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_beyond_half_of_the_memory_are_refused_with_what_would_do() {
        let full = |keys| Uniqueness {
            seen: vec![SeenKeys { sets: Vec::new(), keys }, SeenKeys { sets: Vec::new(), keys: 1 << 20 }],
            budget: MemoryBudget::from_mib(512),
        };
        let fit = (512 << 20) / 80 - (1 << 20);
        full(fit).check_memory().unwrap();
        assert_eq!(
            full(fit + (1 << 20)).check_memory().unwrap_err().to_string(),
            "telling rows apart for `unique` needs at least 592.0MiB of memory, but the budget is 512MiB: give it 592.0MiB or more"
        );
    }
}
