//! Where events and results live: an ordinary folder of Parquet files with a manifest.
//!
//! A store holds commits; a commit is a set of files that was added in one step and never changes. Its events are
//! sorted by user, then time, so every later stage reads "all events of some users" in one pass and any other
//! engine can read the files as they are (`SELECT … FROM 'STORE/commits/*/events-*.parquet'`).
//!
//! ```text
//! STORE/
//!   manifest.json                       schema, mapping, commits: files, rows, spans, checksums, accounts
//!   commits/000001/
//!     events-00000.parquet …            sorted by user_id, event_time, source file, line
//!     transactions.parquet              the purchases and cancellations among them, where they are few
//!     session_dictionary.parquet        source_session ─▶ user_session (16 bytes), user_id
//!     product_dictionary.parquet        product_code ─▶ product_id
//!     rejects.parquet                   source_file, line, byte range, column, reason, detail, raw
//!     offers.parquet                      offer ─▶ product_id, category_id, category_code, brand, price, in compact stores
//!     places.parquet                    where the events stand among the rejects of their files
//!     aliases.parquet                     alias ─▶ user_id, where users have several ids
//! ```
//!
//! Nothing appears before it is whole: [`StagedFolder`] and [`StagedFile`] write beside their target and rename.
//!
//! # Tour
//! - [`EventStore::open`], [`EventStore::scan`]: read, pruned by time and user, in bounded memory; [`EventStore::scan_transactions`]:
//!   purchases and cancellations alone.
//! - [`StoreWriter`]: write a store; encode row groups on many threads, append them in order.
//! - [`StoreEraser`]: erase users from a store and from result tables, and prove it.
//! - [`TableWriter`], [`read_table`]: result tables; [`write_csv`]: small ones for spreadsheets.
//! - [`KeptTable`]: a result table that is kept with what it was made of, so that the next run reads what came since; [`KeptState`]: a state
//!   of a method that is kept in the same way.
//! - [`TableSource`]: any table from elsewhere, Parquet, Arrow or CSV; [`TableColumn`]: its columns as ids, labels or numbers.
//! - [`BasketLines`]: a text file with one basket a line.

mod aliases;
mod arrow_file;
mod basket_lines;
mod column;
mod commit;
mod crash;
mod csv_file;
mod csv_records;
mod csv_table;
mod currency;
mod document;
mod early_sync;
mod encoding;
mod erase;
mod error;
mod event_encoder;
mod event_form;
mod kept_state;
mod manifest;
mod merge;
mod offers;
mod page;
mod parquet_file;
mod places;
mod scan;
mod scratch_file;
mod session_map;
mod side_tables;
mod staged;
mod statistics;
mod store;
mod stored_file;
mod table;
mod table_column;
mod table_source;
mod table_state;
mod transactions;
mod unified;
mod user_range;
mod user_set;

pub use aliases::AliasTable;
pub use basket_lines::BasketLines;
pub use commit::{
    CommitParts, EVENT_ROW_GROUP_ROWS, EventsWriter, SideTableWriter, StoreWriter, WrittenEvents,
};
pub use csv_file::write_csv;
pub use currency::{CurrencyCount, CurrencyCounts};
pub use document::write_document;
pub use erase::{ErasedFile, ErasedStore, ErasedUsers, FileContent, RejectedRow, StoreEraser, Whose};
pub use error::{CsvProblem, StoreError};
pub use event_encoder::{EncodedEvents, EventEncoder};
pub use event_form::{CompactFiles, CompactForm, EventLayout, StoredTimes};
pub use kept_state::KeptState;
pub use manifest::{
    Account, ColumnSpec, Commit, CommitLayout, DataFile, EventFile, Manifest, RowGroupSpan, SourceFile,
    UserField,
};
pub use offers::{OfferCounts, Offers};
pub use page::write_page;
pub use places::{PlacesWriter, take_places};
pub use scan::{EventBatches, EventPartition, EventScan};
pub use scratch_file::{ScratchFile, ScratchPart, ScratchWriter};
pub use staged::{StagedFile, StagedFolder};
pub use statistics::{ColumnBytes, StoreStatistics};
pub use store::EventStore;
pub use table::{TableReader, TableWriter, read_table};
pub use table_column::TableColumn;
pub use table_source::{TableBatches, TableFormat, TableSource};
pub use table_state::{KeptTable, SinceState, TableState, WhyRebuilt};
pub use user_set::UserSet;
