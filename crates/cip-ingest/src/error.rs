//! Why an ingest stopped. Bad rows do not stop it: they go to the rejects.

use std::io;
use std::path::PathBuf;

use cip_core::MemoryBudget;
use cip_store::EventLayout;

use crate::contract::error::ContractError;
use crate::format::FileFormat;

/// Why files did not become a store. Nothing was written then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file that ends too early or is damaged for its decompressor.
    #[error("{} cannot be decompressed after {offset} bytes: {source}; it may be cut or damaged, fetch it again", path.display())]
    Compression {
        /// The file.
        path: PathBuf,
        /// Decompressed bytes until there.
        offset: u64,
        /// The decompressor's reason.
        source: io::Error,
    },
    /// A Parquet or Arrow file that cannot be read to its end.
    #[error("{} cannot be read: {source}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// The decoder's reason.
        source: io::Error,
    },
    /// A column of lists or structures, of which no column of the store is made.
    #[error("{}: column `{column}` holds lists or structures; write its parts as columns of their own, or leave it out of the mapping", path.display())]
    NestedColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// No file to read.
    #[error("no source files in {}: expected files ending in .csv, .tsv, .ndjson or .jsonl, plain, .gz or .zst, or in .parquet, .arrow or .feather", path.display())]
    NoSources {
        /// The folder, or the empty list's stand-in.
        path: PathBuf,
    },
    /// A pattern that is none.
    #[error("{} is no pattern: {reason}; a file that is called so is named with `[*]`, `[?]` or `[[]`", pattern.display())]
    Pattern {
        /// As given.
        pattern: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern that matches nothing.
    #[error("no file matches {}: `*` stays inside of a folder and `**` does not; check the pattern, or wait for the files", pattern.display())]
    NoMatch {
        /// As given.
        pattern: PathBuf,
    },
    /// An address of an object, in a build that reads none.
    #[error(
        "{address} is in an object store, which this build of cip cannot read: build it with `--features object-store`, or copy the files to this machine"
    )]
    NoObjectStores {
        /// As given.
        address: String,
    },
    /// An address of a store that is not known.
    #[error("{address}: no object store is known for `{scheme}://`: expected s3, gs, az, abfs or abfss")]
    UnknownStore {
        /// As given.
        address: String,
        /// What stands before `://`.
        scheme: String,
    },
    /// Tables of an object store that are larger than the disk to which they are copied.
    #[error("the Parquet and Arrow objects have {bytes} bytes, which are copied to {} first, but {free} are free there: free some space, choose another --out, or take fewer files at once", folder.display())]
    NoRoom {
        /// Where they would be copied to.
        folder: PathBuf,
        /// How many bytes they have.
        bytes: u64,
        /// How many are free.
        free: u64,
    },
    /// A pipe or a device: a source is read more than once.
    #[error("{} is not a regular file: write its bytes to one first, a source is opened more than once", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Two sources of one name: their order would be undefined.
    #[error("two sources are called `{name}`: rename one, the order of equal events follows the names")]
    DuplicateSource {
        /// The name.
        name: String,
    },
    /// A file without a header line.
    #[error("{} is empty: expected a header line with the columns {expected}; remove the file or fetch it again", path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
        /// The columns that the mapping reads.
        expected: String,
    },
    /// A first line that is not the header that the mapping reads.
    #[error("{} has another header than mapping `{mapping}` reads: missing {missing}; found {found}; choose another --mapping or write one", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The mapping's name.
        mapping: String,
        /// The columns that are missing or stand twice.
        missing: String,
        /// The header as it is, shortened.
        found: String,
    },
    /// A first line that is not text at all.
    #[error("{} does not start with a CSV header but with {found}: expected UTF-8 text, plain, .gz or .zst", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// What it starts with.
        found: String,
    },
    /// No rows at all.
    #[error("there are no data rows in {files} source file(s), only headers: check the export")]
    NoRows {
        /// Files read.
        files: usize,
    },
    /// More rejects than the caller allows.
    #[error("{rejects} rows were rejected, more than the {allowed} allowed; first: {first}")]
    TooManyRejects {
        /// Rejected rows so far.
        rejects: u64,
        /// What the caller allows.
        allowed: u64,
        /// Where the first one is, and why it was rejected.
        first: String,
    },
    /// A row that an expectation fails for.
    #[error(
        "{file} line {line}: {detail}; contract `{contract}` stops the ingest there: mend the row, or give `{expectation}` another action"
    )]
    Expectation {
        /// The contract's name.
        contract: String,
        /// The expectation's name.
        expectation: String,
        /// The source file.
        file: String,
        /// The line on which the row starts.
        line: u64,
        /// The expectation, the value and what was expected.
        detail: String,
    },
    /// A whole input that an expectation fails for.
    #[error(
        "contract `{contract}` expects {bound} (`{expectation}`), found {observed}: check the source, or give the expectation another bound or action"
    )]
    ExpectationOfInput {
        /// The contract's name.
        contract: String,
        /// The expectation's name.
        expectation: String,
        /// What is expected.
        bound: String,
        /// What was found.
        observed: String,
    },
    /// A dictionary column with too many values for the budget.
    #[error(
        "column `{column}` has too many distinct values for a dictionary in {budget} of memory: give more memory, or map it as `utf8` where it is a column of your own"
    )]
    TooManyValues {
        /// The column of the store.
        column: String,
        /// The caller's budget.
        budget: MemoryBudget,
    },
    /// A store that keeps its events in another layout than it is asked to.
    #[error("{} keeps its events {}, not {}: leave the layout out, or ingest all files into a new store", store.display(), known, asked)]
    OtherLayout {
        /// The store.
        store: PathBuf,
        /// Its layout.
        known: EventLayout,
        /// The one that was asked for.
        asked: EventLayout,
    },
    /// An experiment without users to assign.
    #[error(
        "experiment `{experiment}` assigns users, but mapping `{mapping}` has no `user_id`: map it, or ingest without the experiment"
    )]
    NoUsers {
        /// The experiment's name.
        experiment: Box<str>,
        /// The mapping's name.
        mapping: String,
    },
    /// A file of a name that the store has taken, with other bytes.
    #[error(
        "`{name}` is in the store already, with other bytes: ask for it to be replaced (--changed replace), or rename it if it is another file; nothing was written"
    )]
    ChangedSource {
        /// The file's name.
        name: String,
    },
    /// A file whose bytes the store has taken under another name: its rows would count twice.
    #[error(
        "`{name}` has the same bytes as `{other}`, which is in the store already: its rows would count twice; leave it out, nothing was written"
    )]
    SameBytes {
        /// The file's name.
        name: String,
        /// The name that the store knows.
        other: String,
    },
    /// Rejects that the mapping cannot read, because their file has other columns.
    #[error(
        "the rejects of `{file}` have the columns {found}, mapping `{mapping}` reads {wanted}: read columns that are there, or ingest the file itself again (--changed replace, --rebuild)"
    )]
    ReplayColumns {
        /// The source file.
        file: String,
        /// The mapping's name.
        mapping: String,
        /// The columns that it reads.
        wanted: String,
        /// The columns that there are.
        found: String,
    },
    /// Rejects that are written in another way than the mapping says.
    #[error(
        "the rejects of `{file}` are written in {found}, which the mapping does not read: leave out its `format`, `delimiter` and `quote`, declare them as they were for this file, or make the store anew from all files (--rebuild)"
    )]
    ReplayFormat {
        /// The source file.
        file: String,
        /// How its records are written.
        found: String,
    },
    /// Rejects whose rows would be compared with those that were kept.
    #[error(
        "contract `{contract}` expects rows to be unique (`{expectation}`), which a replay cannot tell: the rows that were kept before are not compared again; leave it out, or make the store anew from all files (--rebuild)"
    )]
    ReplayUnique {
        /// The contract's name.
        contract: String,
        /// The expectation's name.
        expectation: String,
    },
    /// Rejects of rows that were held against a contract, to be replayed without one.
    #[error(
        "the rows of {} were held against contract `{contract}`: give the contract to hold the rejects against (--contract)", store.display()
    )]
    ReplayContract {
        /// The store.
        store: PathBuf,
        /// The contract's name.
        contract: String,
    },
    /// Rejects of which nobody knows where they stood among the events.
    #[error(
        "commit {commit} of {} does not say where its events stand among its {rejects} rejects, so their order cannot be kept: make the store anew from all files (--rebuild)", store.display()
    )]
    ReplayPlaces {
        /// The store.
        store: PathBuf,
        /// The commit.
        commit: u32,
        /// Its rejects.
        rejects: u64,
    },
    /// A store that was filled in another way.
    #[error(
        "{} was filled with another {what}: {place}; choose another --out, use the store's, or make the store anew from all files (--rebuild)", store.display()
    )]
    OtherStore {
        /// The store.
        store: PathBuf,
        /// What is another.
        what: &'static str,
        /// Where they first differ, and how.
        place: String,
    },
    /// A user who was to be erased and was found afterwards: an error in this library, never in the input.
    #[error("{} still has {found} place(s) where a user stands who was to be erased: do not rely on it, and please report this", path.display())]
    NotErased {
        /// The first file with such a place.
        path: PathBuf,
        /// Places in all files.
        found: u64,
    },
    /// Aliases where nobody has an id.
    #[error(
        "mapping `{mapping}` has no `user_id`, so no alias can be anybody's: map the users, or leave the aliases out"
    )]
    AliasesWithoutUsers {
        /// The mapping.
        mapping: String,
    },
    /// Aliases that are ids of another type than the users.
    #[error(
        "the aliases are {found}, but the users of mapping `{mapping}` are {expected}: read them as {expected}"
    )]
    AliasType {
        /// The mapping.
        mapping: String,
        /// The type of the aliases.
        found: arrow_schema::DataType,
        /// The type of the users.
        expected: arrow_schema::DataType,
    },
    /// Aliases that a store does not know, with a replay.
    #[error(
        "{} does not know all of these aliases, and a replay leaves its events as they are: give them to `cip compact --aliases` first",
        store.display()
    )]
    ReplayAliases {
        /// The store.
        store: PathBuf,
    },
    /// What a commit keeps of a contract is no quality report.
    #[error(
        "commit {commit} keeps a quality report that cannot be read: {source}; restore the manifest, or ingest again"
    )]
    Report {
        /// The commit.
        commit: u32,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The mapping or the experiment cannot be kept in the manifest.
    #[error("the manifest cannot be written: {0}")]
    Manifest(#[from] serde_json::Error),
    /// The mapping is wrong.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The contract is wrong, or not for this mapping.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The store could not be written.
    #[error(transparent)]
    Store(#[from] cip_store::StoreError),
    /// A budget too small, or more than 2^32 codes.
    #[error(transparent)]
    Core(#[from] cip_core::CoreError),
}

/// What is wrong with a source mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// Not the TOML that is expected.
    #[error("the mapping cannot be read: {reason}")]
    Toml {
        /// Where and why.
        reason: String,
    },
    /// A column that every event has is not mapped.
    #[error("`{column}` is not mapped: every event needs it, add it to [columns]")]
    Required {
        /// The column.
        column: &'static str,
    },
    /// A rule that contradicts itself.
    #[error("column `{column}`: {reason}")]
    Rule {
        /// The column.
        column: String,
        /// Why.
        reason: &'static str,
    },
    /// A column of the contract with another type.
    #[error(
        "column `{column}` is mapped as {found}, but the store keeps it as {expected}: change its `type`"
    )]
    Contract {
        /// The column.
        column: String,
        /// Its type by the mapping.
        found: arrow_schema::DataType,
        /// The type that every store has.
        expected: &'static str,
    },
    /// A delimiter where fields have none.
    #[error("files of {format:?} have no delimiter: leave `delimiter` or `format` out")]
    NoDelimiter {
        /// The format.
        format: FileFormat,
    },
    /// A quote where fields have none.
    #[error("files of {format:?} have no quotes: leave `quote` or `format` out")]
    NoQuote {
        /// The format.
        format: FileFormat,
    },
    /// Names for files without a header line that leave a column out, or stand twice for as many fields.
    #[error("`without_header` of {fields} fields must {}", without_header(column.as_ref()))]
    WithoutHeader {
        /// How many names there are.
        fields: usize,
        /// The column that the mapping reads and that does not stand there once.
        column: Option<String>,
    },
    /// A delimiter that cannot be told from the text.
    #[error(
        "the delimiter {delimiter:?} cannot split fields: choose an ASCII character other than the quote and line ends"
    )]
    Delimiter {
        /// As given.
        delimiter: char,
    },
    /// A quote that cannot be told from the text.
    #[error(
        "the quote {quote:?} cannot protect fields: choose an ASCII character other than line ends, or `none`"
    )]
    Quote {
        /// As given.
        quote: char,
    },
    /// A text that is no quote.
    #[error("{text:?} is no quote: expected one character, or `none`")]
    QuoteText {
        /// As given.
        text: String,
    },
    /// More columns than a row has room for.
    #[error("{columns} columns are mapped, at most {limit} are possible: leave some out")]
    TooManyColumns {
        /// As mapped.
        columns: usize,
        /// The limit.
        limit: usize,
    },
}

fn without_header(column: Option<&String>) -> String {
    match column {
        Some(column) => format!("name `{column}`, which the mapping reads, once"),
        None => "stand once: files are told by the number of their fields".to_owned(),
    }
}
