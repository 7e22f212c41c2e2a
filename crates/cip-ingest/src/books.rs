//! The account of rows: what was read, kept, refused and left out, chunk by chunk.

use cip_core::CoreError;
use cip_store::{Account, DataFile, SideTableWriter, SourceFile};

use crate::contract::inspection::Inspection;
use crate::contract::tally::Tally;
use crate::error::IngestError;
use crate::owner::user_field;
use crate::parse::{BLANK_LINE, ParsedChunk, Parser};
use crate::record_form::RecordForm;
use crate::reject;
use crate::reject_places::RejectPlaces;
use crate::report::{IngestPhase, IngestProgress};
use crate::source::{Chunk, Source};

/// The account of rows, entered chunk by chunk in their order.
pub(crate) struct Books<'a> {
    sources: &'a [Source],
    parser: &'a Parser,
    rejects: SideTableWriter,
    max_rejects: Option<u64>,
    total_bytes: u64,
    first_reject: Option<String>,
    /// Lines of the current file before the next chunk, the header's included.
    lines: u64,
    account: Account,
    file: Account,
    files: Vec<SourceFile>,
    /// The contract's name, and what it counted.
    contract: String,
    tally: Tally,
    places: RejectPlaces,
    stitched: u64,
}

impl<'a> Books<'a> {
    /// Opens the books; more than `max_rejects` rejects are refused.
    pub(crate) fn new(
        sources: &'a [Source],
        parser: &'a Parser,
        rejects: SideTableWriter,
        max_rejects: Option<u64>,
        contract: &str,
    ) -> Self {
        Self {
            sources,
            parser,
            rejects,
            max_rejects,
            total_bytes: sources.iter().map(|source| source.bytes).sum(),
            first_reject: None,
            lines: 0,
            account: Account::default(),
            file: Account::default(),
            files: Vec::new(),
            contract: contract.to_owned(),
            tally: Tally::default(),
            places: RejectPlaces::new(sources.len()),
            stitched: 0,
        }
    }

    /// Closes the books when the last chunk is entered.
    pub(crate) fn close(self) -> Result<ClosedBooks, IngestError> {
        Ok(ClosedBooks {
            account: self.account,
            files: self.files,
            rejects: self.rejects.finish()?,
            tally: self.tally,
            places: self.places.kept(),
            stitched: self.stitched,
        })
    }

    /// Enters the next chunk.
    pub(crate) fn enter(&mut self, chunk: Chunk, parsed: ParsedChunk) -> Result<IngestProgress, IngestError> {
        let source = &self.sources[chunk.file];
        if self.lines == 0 {
            self.lines = chunk.header.lines;
        }
        enter_kept(&parsed, self.parser, &mut self.file);
        self.tally.merge(&parsed.tally);
        self.stitched += parsed.stitched;
        let mut rejects = self.account.rejected() + self.file.rejected();
        for reject in &parsed.rejects {
            if let Some(expectation) = &reject.stops {
                return Err(IngestError::Expectation {
                    contract: self.contract.clone(),
                    expectation: expectation.clone(),
                    file: source.name.clone(),
                    line: self.lines + reject.line,
                    detail: reject.detail.clone(),
                });
            }
            *self.file.rejects.entry(reject.reason.code().to_owned()).or_default() += 1;
            self.places.push(chunk.file, reject.byte_start);
            self.first_reject.get_or_insert_with(|| {
                let line = self.lines + reject.line;
                format!("{} line {line}: {} ({})", source.name, reject.detail, reject.reason.code())
            });
            rejects += 1;
            if let Some(allowed) = self.max_rejects.filter(|&allowed| rejects > allowed) {
                let first = self.first_reject.take().unwrap_or_default();
                return Err(IngestError::TooManyRejects { rejects, allowed, first });
            }
        }
        if !parsed.rejects.is_empty() {
            let batch =
                reject::to_batch(&source.name, self.lines, &parsed.rejects).map_err(CoreError::from)?;
            self.rejects.write(batch)?;
        }
        self.lines += parsed.lines;
        let rows = self.account.rows + self.file.rows;
        if let Some(finished) = chunk.finished {
            let account = std::mem::take(&mut self.file);
            account.check()?;
            self.account.add(&account);
            self.lines = 0;
            let (name, bytes, xxh3) = (source.name.clone(), finished.bytes, finished.xxh3);
            let records = match account.rejected() {
                0 => None,
                _ => Some(serde_json::to_value(RecordForm::new(&chunk.header, source.compression))?),
            };
            // Records that are kept as they came must be found again by their users.
            let user_field =
                if account.rejected() > 0 { user_field(self.parser, &chunk.header) } else { None };
            self.files.push(SourceFile {
                name,
                bytes,
                xxh3,
                account,
                records,
                replaced_by: None,
                user_field,
                currencies: None,
            });
        }
        Ok(IngestProgress {
            phase: IngestPhase::Parse,
            done: chunk.bytes_read,
            total: self.total_bytes,
            rows,
            rejects,
        })
    }
}

/// Adds to an account the rows of a chunk, its events and what was dropped.
pub(crate) fn enter_kept(parsed: &ParsedChunk, parser: &Parser, account: &mut Account) {
    account.rows += parsed.rows;
    account.events += parsed.events;
    let drops = parser.drop_rules().zip(&parsed.drops).chain([(BLANK_LINE, &parsed.blank_lines)]);
    for (rule, &count) in drops.filter(|(_, count)| **count > 0) {
        *account.drops.entry(rule.to_owned()).or_default() += count;
    }
    let rules = parser.inspection.as_ref().map(Inspection::rules).unwrap_or_default();
    for (rule, counts) in rules.iter().zip(&parsed.tally.counts).filter(|(_, counts)| counts.dropped > 0) {
        *account.drops.entry(rule.name.clone()).or_default() += counts.dropped;
    }
}

/// The whole account, by file, and the rejects as they were written.
pub(crate) struct ClosedBooks {
    pub(crate) account: Account,
    pub(crate) files: Vec<SourceFile>,
    pub(crate) rejects: DataFile,
    pub(crate) tally: Tally,
    /// Events of users who were named by an alias.
    pub(crate) stitched: u64,
    /// Where the rejects are; none where there are none, or too many.
    pub(crate) places: Option<RejectPlaces>,
}
