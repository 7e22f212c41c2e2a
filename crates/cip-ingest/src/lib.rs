//! From event files to the event store, with an account of every row.
//!
//! Give it CSV files (plain, `.gz` or `.zst`, LF or CRLF, quoted fields, one file or a folder of them) and a
//! [`SourceMapping`], which says which source column becomes which column of the store. It gives back a store sorted by
//! user and time, the rejects with line, byte range, column and reason, and an [`IngestReport`] for which the law
//! `rows = events + rejects + declared drops` was checked.
//!
//! With an [`Experiment`](cip_abtest::Experiment) every event has the arm of its user: see
//! [`Ingest::with_experiment`]. With a [`Contract`] events, and the input as a whole, are held against expectations, which warn,
//! drop, quarantine or fail; the report and the store then have a [`QualityReport`]. See [`Ingest`] for a runnable example.
//!
//! # What it refuses
//! Bad rows never stop it (unless [`Ingest::with_max_rejects`] asks for that). It stops, and leaves whatever was at the
//! target, on: a file that is empty or does not start with the header that the mapping reads, a damaged archive, a full
//! disk, a budget too small to work in, an experiment where the mapping has no users, a contract that is not for the
//! mapping, an expectation that fails. Byte positions count decompressed bytes; lines count from 1, the header included.

mod address;
mod assemble;
mod attributes;
mod block;
mod books;
mod buffer;
mod compact;
mod compact_events;
mod contract;
mod cutter;
mod dialect;
mod digits;
mod erasure;
mod error;
mod fault;
mod field;
mod file_plan;
mod find;
mod format;
mod frames;
mod header;
mod idle;
mod ingest;
mod interner;
mod known_texts;
#[cfg(target_arch = "x86_64")]
mod lane_packing;
mod local_copy;
mod mapping;
mod merged_places;
mod moved;
mod number;
#[cfg(feature = "object-store")]
mod object;
mod order;
mod origin;
mod owner;
mod packed_rows;
mod packing;
mod parse;
mod part;
mod partition;
mod plan;
mod preview;
mod products;
mod record;
mod record_form;
mod reject;
mod reject_places;
mod rejected;
mod replay_books;
mod report;
mod row;
mod row_builder;
mod row_tally;
mod rule;
mod scatter;
mod session_codes;
mod sort;
mod sorted_columns;
mod source;
mod spill;
mod splitters;
mod stitching;
mod stores;
mod structure;
mod table_text;
mod tagging;
mod taken;
mod target;
mod uuid_text;
mod value;

pub use compact::{Compaction, CompactionOutcome, CompactionReport};
pub use contract::error::ContractError;
pub use contract::expectation::{Action, Expect, Expectation, LengthUnit, Literal};
pub use contract::history::{KeptReport, QualityHistory};
pub use contract::quality::{ExpectationReport, QualityReport};
pub use contract::{Contract, ContractBuilder};
pub use dialect::{Dialect, Quote};
pub use erasure::{Erasure, ErasureReport};
pub use error::{IngestError, MappingError};
pub use format::FileFormat;
pub use ingest::Ingest;
pub use mapping::{SourceMapping, SourceMappingBuilder};
pub use preview::{ColumnPreview, Preview};
pub use reject::Reason;
pub use report::{IngestPhase, IngestProgress, IngestReport, ReplayReport};
pub use rule::{ColumnRule, Condition, MappedType, TimeFormat};
pub use taken::ChangedFiles;
