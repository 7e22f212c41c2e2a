//! A result table that is kept with what it was made of, so that a later run reads only what came since.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::manifest::{Commit, CommitLayout, FILE_NAME};
use crate::parquet_file::checksum;
use crate::staged::StagedFolder;
use crate::store::EventStore;
use crate::table::{TableReader, TableWriter, read_batches};

const FORMAT: &str = "cip-table-state";
const VERSION: u32 = 1;

/// Rows of a batch of the kept table.
const BATCH_ROWS: usize = 8_192;

/// What a kept table was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableState {
    format: String,
    version: u32,
    /// The table.
    pub table: String,
    /// How often it changed, the first time included.
    pub run: u64,
    /// The rule by which it was made.
    pub rule: String,
    /// Events without a user, which are in no row.
    pub skipped_events: u64,
    /// The commits whose events are in it, oldest first.
    commits: Vec<CommitMark>,
    /// XXH3-128 of the table's file, 32 hexadecimal digits.
    xxh3: String,
}

/// By what a commit is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct CommitMark {
    id: u32,
    /// The checksums of its files of events.
    events: Vec<String>,
    /// Source files of which the rows are not read any more.
    replaced: BTreeSet<String>,
}

impl CommitMark {
    fn of(commit: &Commit) -> Self {
        let replaced = commit.sources.iter().filter(|source| source.replaced_by.is_some());
        Self {
            id: commit.id,
            events: commit.events.iter().map(|events| events.file.xxh3.clone()).collect(),
            replaced: replaced.map(|source| source.name.clone()).collect(),
        }
    }
}

/// What a store has that a kept table has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinceState {
    /// Nothing.
    Nothing,
    /// The commits from this one on, counted from 0; all before it are as they were.
    Commits(usize),
    /// All of it may differ.
    All(WhyRebuilt),
}

/// Why a kept table is made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyRebuilt {
    /// There is none yet.
    First,
    /// It was made by another rule.
    Rule {
        /// That rule.
        before: String,
    },
    /// A source file of a commit was replaced by another.
    Replaced {
        /// The commit that had it.
        commit: u32,
    },
    /// Users were erased from a commit.
    Erased {
        /// The commit.
        commit: u32,
    },
    /// A commit is not there any more, or another: commits were compacted, rejects were replayed, or the store was made anew.
    Rewritten {
        /// The commit.
        commit: u32,
    },
}

impl fmt::Display for WhyRebuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("there is no table yet"),
            Self::Rule { before } => write!(f, "the table was made by another rule: {before}"),
            Self::Replaced { commit } => write!(f, "source files of commit {commit} were replaced"),
            Self::Erased { commit } => write!(f, "users were erased from commit {commit}"),
            Self::Rewritten { commit } => {
                write!(f, "commit {commit} was compacted, or the store was made anew")
            }
        }
    }
}

impl TableState {
    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, StoreError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let refuse = |reason: String| StoreError::TableState { path: path.to_owned(), reason };
        let head: Head = serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
        if head.format != FORMAT {
            return Err(refuse(format!("its format is `{}`, expected `{FORMAT}`", head.format)));
        }
        if head.version != VERSION {
            let (path, found) = (path.to_owned(), head.version);
            return Err(StoreError::Version { path, found, supported: VERSION });
        }
        serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))
    }

    /// Returns what `store` has that the table has not, where it is made by `rule`.
    pub fn since(&self, store: &EventStore, rule: &str) -> SinceState {
        if self.rule != rule {
            return SinceState::All(WhyRebuilt::Rule { before: self.rule.clone() });
        }
        let commits = &store.manifest().commits;
        for (place, mark) in self.commits.iter().enumerate() {
            let now = commits.get(place).filter(|commit| commit.id == mark.id);
            let same = now.is_some_and(|commit| CommitMark::of(commit) == *mark);
            if !same {
                return SinceState::All(mark.differs_from(now));
            }
        }
        if self.commits.len() == commits.len() {
            SinceState::Nothing
        } else {
            SinceState::Commits(self.commits.len())
        }
    }
}

impl CommitMark {
    fn differs_from(&self, now: Option<&Commit>) -> WhyRebuilt {
        let commit = self.id;
        match now {
            Some(now) if CommitMark::of(now).replaced != self.replaced => WhyRebuilt::Replaced { commit },
            Some(now) if now.layout == CommitLayout::Erased => WhyRebuilt::Erased { commit },
            _ => WhyRebuilt::Rewritten { commit },
        }
    }
}

/// The folder of a kept table, held against other runs: what is there, and what will take its place.
///
/// ```text
/// FOLDER/
///   manifest.json      the commits that were read, the rule, the checksum of the table
///   TABLE.parquet      the table
///   diff.parquet       what the last run changed in it
/// ```
///
/// All of it is replaced in one step. Dropped without [`KeptTable::publish`], the folder stays as it was.
#[derive(Debug)]
pub struct KeptTable {
    staged: StagedFolder,
    table: &'static str,
    /// Of its file.
    extension: &'static str,
    before: Option<TableState>,
}

impl KeptTable {
    /// The name of the file of changes.
    pub const CHANGES: &'static str = "diff.parquet";

    /// Opens the folder at `path`, which is made where there is none.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`] where something else is there, [`StoreError::Busy`] where another run has it,
    /// [`StoreError::TableState`] and [`StoreError::Version`] where its document cannot be understood, [`StoreError::Io`].
    pub fn begin(path: &Path, table: &'static str) -> Result<Self, StoreError> {
        Self::begin_as(path, table, "parquet")
    }

    /// As [`KeptTable::begin`], of a file of another kind.
    pub(crate) fn begin_as(
        path: &Path,
        table: &'static str,
        extension: &'static str,
    ) -> Result<Self, StoreError> {
        let staged = StagedFolder::begin(path)?;
        let document = staged.target().join(FILE_NAME);
        let before = match fs::read(&document) {
            Ok(bytes) => Some(TableState::parse(&document, &bytes)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // A folder of cip's with another marker is something else.
                let empty = fs::read_dir(staged.target()).is_ok_and(|mut entries| entries.next().is_none());
                if staged.target().exists() && !empty {
                    return Err(StoreError::NotOurs { path: path.to_owned() });
                }
                None
            }
            Err(source) => return Err(StoreError::io("read", &document)(source)),
        };
        if let Some(other) = before.as_ref().filter(|before| before.table != table) {
            let reason = format!("it keeps the table `{}`, expected `{table}`", other.table);
            return Err(StoreError::TableState { path: document, reason });
        }
        Ok(Self { staged, table, extension, before })
    }

    /// What is there; none where the folder is new.
    pub fn before(&self) -> Option<&TableState> {
        self.before.as_ref()
    }

    /// Reads the table that is there.
    ///
    /// # Errors
    /// [`StoreError::KeptTable`] where it is not as it was written, [`StoreError::Io`].
    pub fn read(&self) -> Result<Option<TableReader>, StoreError> {
        let Some((file, path)) = self.open_before()? else { return Ok(None) };
        read_batches(file, &path, BATCH_ROWS).map(Some)
    }

    /// Opens the file that is there.
    pub(crate) fn open_before(&self) -> Result<Option<(fs::File, PathBuf)>, StoreError> {
        let Some(before) = &self.before else { return Ok(None) };
        let path = self.file(self.staged.target());
        let found = checksum(&path)?;
        if found != before.xxh3 {
            return Err(StoreError::KeptTable { path, found, expected: before.xxh3.clone() });
        }
        let file = fs::File::open(&path).map_err(StoreError::io("read", &path))?;
        Ok(Some((file, path)))
    }

    /// Starts the new file.
    pub(crate) fn create_file(&self) -> Result<fs::File, StoreError> {
        let path = self.file(self.staged.path());
        fs::File::create(&path).map_err(StoreError::io("write", &path))
    }

    /// Starts the new table.
    ///
    /// # Errors
    /// As [`TableWriter::create`].
    pub fn create(&self, schema: &SchemaRef) -> Result<TableWriter, StoreError> {
        TableWriter::create(&self.file(self.staged.path()), self.table, schema)
    }

    /// Starts the table of changes, which has the name `changes`.
    ///
    /// # Errors
    /// As [`TableWriter::create`].
    pub fn create_changes(&self, changes: &str, schema: &SchemaRef) -> Result<TableWriter, StoreError> {
        TableWriter::create(&self.staged.path().join(Self::CHANGES), changes, schema)
    }

    /// Copies the table, the new one where it is written, to `out`.
    ///
    /// # Errors
    /// As [`TableWriter::create`].
    pub fn copy(&self, out: &Path) -> Result<(), StoreError> {
        let new = self.file(self.staged.path());
        let table = if new.exists() { new } else { self.file(self.staged.target()) };
        crate::table::copy(&table, out)
    }

    /// Puts the new table and its changes in place, as made of all commits of `store` by `rule`, and returns what is said of it.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the old ones are then still there.
    pub fn publish(
        self,
        store: &EventStore,
        rule: &str,
        skipped_events: u64,
    ) -> Result<TableState, StoreError> {
        let state = TableState {
            format: FORMAT.to_owned(),
            version: VERSION,
            table: self.table.to_owned(),
            run: self.before.as_ref().map_or(0, |before| before.run) + 1,
            rule: rule.to_owned(),
            skipped_events,
            commits: store.manifest().commits.iter().map(CommitMark::of).collect(),
            xxh3: checksum(&self.file(self.staged.path()))?,
        };
        let path = self.staged.path().join(FILE_NAME);
        let mut bytes = serde_json::to_vec_pretty(&state)
            .map_err(|error| StoreError::TableState { path, reason: error.to_string() })?;
        bytes.push(b'\n');
        self.staged.write(FILE_NAME, &bytes)?;
        self.staged.publish()?;
        Ok(state)
    }

    fn file(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.{}", self.table, self.extension))
    }
}
