//! What an ingest tells while it runs and when it is done.

use cip_store::Account;

use crate::contract::quality::QualityReport;

/// How far an ingest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestProgress {
    /// The phase.
    pub phase: IngestPhase,
    /// Parsing: bytes on disk read so far. Writing: rows written so far.
    pub done: u64,
    /// Parsing: bytes of all sources. Writing: rows to write.
    pub total: u64,
    /// Rows read so far.
    pub rows: u64,
    /// Rows rejected so far.
    pub rejects: u64,
}

/// What an ingest is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IngestPhase {
    /// Reading and parsing the sources.
    Parse,
    /// Reading rejects again: `done` and `total` are rows.
    Replay,
    /// Sorting and writing the store.
    Write,
}

/// What became of the rejects of a store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReplayReport {
    /// The rejected rows: how many there were, how many of them are events now, are rejected still, or were dropped.
    pub account: Account,
    /// Of those that are rejected still: rows of which the store has only a part, so that they were not read again.
    pub cut: u64,
    /// The commit that was written; none where nothing came out another way than before.
    pub commit: Option<u32>,
    /// Events of users who were named by an alias.
    pub stitched: u64,
    /// How well the rows held the contract; none without one, or where nothing was written.
    pub quality: Option<QualityReport>,
}

/// Where every row went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IngestReport {
    /// All files that were read; the law of rows holds.
    pub account: Account,
    /// Files read.
    pub files: usize,
    /// Bytes read, as they lie on disk.
    pub bytes: u64,
    /// Files that the store had taken before, in the same bytes; they were not read again.
    pub files_taken: usize,
    /// Files of the store whose rows were replaced.
    pub files_replaced: usize,
    /// The commit that was written; none where there was nothing new.
    pub commit: Option<u32>,
    /// Columns of the sources that the mapping leaves out.
    pub unmapped_columns: Vec<String>,
    /// Events of users who were named by an alias; those that `unique` of a contract dropped are among them.
    pub stitched: u64,
    /// How well the rows held the contract; none without one.
    pub quality: Option<QualityReport>,
}
