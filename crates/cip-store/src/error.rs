//! What can go wrong between a folder and a store.

use std::io;
use std::path::{Path, PathBuf};

use arrow_schema::DataType;

use crate::currency::CurrencyCounts;

/// Why a store or a table could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}{}", path.display(), hint(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A folder without a store's manifest.
    #[error("{} is not an event store: it has no {}; make one with `cip ingest SRC --mapping M --out STORE`", path.display(), crate::manifest::FILE_NAME)]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },
    /// A manifest that cannot be understood.
    #[error("{} cannot be read as the manifest of an event store: {reason}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A store that a later version wrote.
    #[error("{} has store version {found}, this version of cip reads {supported}: update cip", path.display())]
    Version {
        /// The manifest.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// What this library reads.
        supported: u32,
    },
    /// A target that cip did not write and will not replace.
    #[error("{} exists and was not written by cip: choose another --out, or remove it yourself", path.display())]
    NotOurs {
        /// The target.
        path: PathBuf,
    },
    /// Another process writes the same target.
    #[error("another run is writing {}: wait for it, or choose another --out", path.display())]
    Busy {
        /// The target.
        path: PathBuf,
    },
    /// A document of a kept table that cannot be understood.
    #[error("{} cannot be read as the state of a table: {reason}; choose another folder", path.display())]
    TableState {
        /// The document.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A kept table that is not the one that was written.
    #[error("{} is damaged or was changed: its checksum is {found}, the state beside it says {expected}; remove its folder, and the next run makes it anew", path.display())]
    KeptTable {
        /// The table.
        path: PathBuf,
        /// The checksum of what is there.
        found: String,
        /// The checksum of what was written.
        expected: String,
    },
    /// A file whose bytes are not those that were written.
    #[error("{} is damaged: its checksum is {found}, the manifest says {expected}; restore it or ingest again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The checksum of what is there.
        found: String,
        /// The checksum that the manifest recorded.
        expected: String,
    },
    /// Rows that were lost or made: an error in this library, never in the input.
    #[error(
        "rows do not add up: {rows} rows in, but {events} events + {rejects} rejects + {drops} declared drops + {forgotten} forgotten; nothing was written, please report this"
    )]
    Account {
        /// Rows read.
        rows: u64,
        /// Events written.
        events: u64,
        /// Rows rejected.
        rejects: u64,
        /// Rows dropped by a declared rule.
        drops: u64,
        /// Rows of users who were erased.
        forgotten: u64,
    },
    /// An id that no user of the store can have.
    #[error("`{id}` cannot be a user of {}: its user ids are whole numbers of 64 bits", path.display())]
    UserId {
        /// The store.
        path: PathBuf,
        /// The id that was asked for.
        id: String,
    },
    /// A store whose events are nobody's.
    #[error("{} has no `user_id`: it cannot tell whose its events are; leave the rows out of the source files and make it anew", path.display())]
    NoUsers {
        /// The store.
        path: PathBuf,
    },
    /// Amounts in several currencies, whose sum means nothing.
    #[error("{} has amounts in several currencies, which are never summed: {found}; read one with --currency, such as --currency {}", path.display(), example(found))]
    MixedCurrencies {
        /// The store.
        path: PathBuf,
        /// Its currencies.
        found: Box<CurrencyCounts>,
    },
    /// A currency that no event of the store is in.
    #[error("{} has no event in the currency `{currency}`: expected one of its own ({found}), in the same letters", path.display())]
    UnknownCurrency {
        /// The store.
        path: PathBuf,
        /// The currency that was asked for.
        currency: String,
        /// Its currencies; none of a store without the column `currency`.
        found: Box<CurrencyCounts>,
    },
    /// An id of an alias table that no user of the store can have.
    #[error(
        "`{id}` in the table of aliases cannot be a user of the store, whose ids are {expected}: take the row out"
    )]
    AliasType {
        /// The id.
        id: String,
        /// The type of the store's users.
        expected: DataType,
    },
    /// An alias of two users.
    #[error("`{alias}` is an alias of two users, `{}` and `{}`: leave one of them", users[0], users[1])]
    AliasOfTwo {
        /// The alias.
        alias: String,
        /// Two of its users.
        users: [String; 2],
    },
    /// An id that would be its own user.
    #[error("aliases lead back to where they start, so that nobody is the user: {ids}; take one of them out")]
    AliasCycle {
        /// The ids on the way.
        ids: String,
    },
    /// A row of an alias table without one of its ids.
    #[error("{} row {row} lacks its `alias` or its `user_id`: fill it, or take the row out", path.display())]
    AliasMissing {
        /// The table.
        path: PathBuf,
        /// The row, from 1, the header left out.
        row: u64,
    },
    /// A store whose events do not say which file they came from.
    #[error("{} has several source files but no column `source_file`: its account cannot be kept; make it anew without the user's rows", path.display())]
    NoSourceFiles {
        /// The store.
        path: PathBuf,
    },
    /// A file of a store where a result table was expected.
    #[error("{} is a part of the store {}: name the store itself", path.display(), store.display())]
    PartOfStore {
        /// The file.
        path: PathBuf,
        /// The store.
        store: PathBuf,
    },
    /// A Parquet file that is no result table of cip's.
    #[error("{} is not a table that cip wrote: leave it out, and erase the user there by other means", path.display())]
    NotAResult {
        /// The file.
        path: PathBuf,
    },
    /// A Parquet file could not be written or read.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Parquet's reason.
        source: parquet::errors::ParquetError,
    },
    /// A folder, a pipe or a device where a table was expected.
    #[error("{} is not a regular file: give a Parquet or Arrow file, or CSV with a header line", path.display())]
    NotATable {
        /// The path.
        path: PathBuf,
    },
    /// A table without a header.
    #[error("{} is empty: expected a Parquet file, or CSV with a header line", path.display())]
    EmptyTable {
        /// The file.
        path: PathBuf,
    },
    /// A line of CSV that is no row of its table.
    #[error("{} line {line} {problem}", path.display())]
    CsvLine {
        /// The file.
        path: PathBuf,
        /// The line on which the row starts, from 1, the header's included.
        line: u64,
        /// What is wrong with it.
        problem: CsvProblem,
    },
    /// Two columns of one name.
    #[error("{} has two columns named `{column}`: rename one", path.display())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
    },
    /// A column that the table has not.
    #[error("{} has no column `{column}`: it has {}", path.display(), quoted(columns))]
    UnknownColumn {
        /// The file.
        path: PathBuf,
        /// The column asked for.
        column: String,
        /// The columns that there are.
        columns: Vec<String>,
    },
    /// A column whose values are not of the kind that is needed.
    #[error("{}: column `{column}` is {found}, expected {expected}", path.display())]
    ColumnKind {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type.
        found: DataType,
        /// What is needed.
        expected: &'static str,
    },
    /// An id that is too large.
    #[error("{} row {row}: `{column}`: {id} is beyond 64 bits with a sign: write it as text", path.display())]
    IdRange {
        /// The file.
        path: PathBuf,
        /// The row, from 1, the header left out.
        row: u64,
        /// The column.
        column: String,
        /// The id.
        id: u64,
    },
    /// A table that is not the one that was opened.
    #[error("{} was changed while it was read: start again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A batch was not what its table wants.
    #[error(transparent)]
    Core(#[from] cip_core::CoreError),
    /// An Arrow kernel failed.
    #[error("arrow: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
}

/// What is wrong with a line of CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsvProblem {
    /// Another number of fields than the header has.
    #[error("has {found} field(s), the header has {expected}: mend it, or quote the fields that hold commas")]
    Fields {
        /// Its fields.
        found: usize,
        /// The header's fields.
        expected: usize,
    },
    /// More fields than a table may have columns.
    #[error("has more than {limit} fields: split the table, or check that it is CSV")]
    TooManyFields {
        /// The most that is allowed.
        limit: usize,
    },
    /// A row so long that it is none.
    #[error("starts a row of more than {limit} bytes: look for a quote that is not closed")]
    TooLong {
        /// The most that is allowed.
        limit: usize,
    },
    /// A quote without its end.
    #[error(
        "opens a quote that is not closed before the end of the file: close it, or double the quotes inside a field"
    )]
    OpenQuote,
    /// Bytes that are not text.
    #[error("is not UTF-8 text: expected CSV in UTF-8 (or a Parquet file), not compressed")]
    NotUtf8,
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// A whole Parquet file that is not the one of which the manifest speaks.
    pub(crate) fn not_as_recorded(path: &Path) -> Self {
        let reason = "its columns or rows are not those in the manifest; restore it or ingest again";
        Self::parquet(path)(parquet::errors::ParquetError::General(reason.to_owned()))
    }

    /// Parquet wraps the system's errors; a full disk should still read as one.
    pub(crate) fn parquet(path: &Path) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        move |source| match source {
            parquet::errors::ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(source) => Self::Io { action: "access", path: path.to_owned(), source: *source },
                Err(inner) => Self::Parquet {
                    path: path.to_owned(),
                    source: parquet::errors::ParquetError::External(inner),
                },
            },
            source => Self::Parquet { path: path.to_owned(), source },
        }
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; nothing was changed: free some space or choose another --out"
        }
        io::ErrorKind::NotFound => "; check the path",
        io::ErrorKind::PermissionDenied => "; check the permissions",
        _ => "",
    }
}

/// A currency that may be asked for.
fn example(found: &CurrencyCounts) -> String {
    found.counts().find_map(|count| count.currency).unwrap_or_else(|| "EUR".to_owned())
}

fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 40;
    let mut text = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
