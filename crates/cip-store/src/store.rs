//! Opening a store and finding its parts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::Schema;
use cip_core::{EventSchema, column, table};

use crate::commit::StoreWriter;
use crate::error::StoreError;
use crate::event_form::{CompactForm, EventForms};
use crate::manifest::{Commit, DataFile, FILE_NAME, Manifest};
use crate::merge::CommitsInLine;
use crate::parquet_file::checksum;
use crate::scan::{EventScan, ScanRows};
use crate::side_tables::{self, RejectRows, SessionRows};
use crate::stored_file::StoredFiles;
use crate::table::{TableReader, read_from};

/// Where the files of another store are, in a joined one.
const JOINED: &str = "joined";

/// An event store that is open for reading. Its files are held open, so what is read does not change even where the
/// store is replaced meanwhile.
#[derive(Debug, Clone)]
pub struct EventStore {
    path: PathBuf,
    manifest: Manifest,
    schema: EventSchema,
    open_files: StoredFiles,
    forms: EventForms,
    /// What merges the commits, where there are several.
    line: Option<Arc<CommitsInLine>>,
}

impl EventStore {
    /// Opens the store at `path`.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] where there is no manifest, [`StoreError::Manifest`] where it cannot be understood,
    /// [`StoreError::Version`] where a later version wrote it, [`StoreError::Io`] where there is no such folder or one of
    /// its files is missing, [`StoreError::Damaged`] where a footer is not the one that was written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = path.join(FILE_NAME);
        let mut bytes = read_manifest(path)?;
        loop {
            let opened =
                Manifest::parse(&file, &bytes).and_then(|manifest| Self::with_manifest(path, manifest));
            if opened.is_ok() {
                return opened;
            }
            // Another run may have put a new store in place between the manifest and the files.
            match read_manifest(path) {
                Ok(now) if now != bytes => bytes = now,
                _ => return opened,
            }
        }
    }

    /// Whether there is a store at `path`, of this version or another. What is damaged or something else is none.
    pub fn is_at(path: &Path) -> bool {
        fs::read(path.join(FILE_NAME)).is_ok_and(|bytes| Manifest::is_one(&bytes))
    }

    /// Opens the files of which a manifest speaks.
    pub(crate) fn with_manifest(path: &Path, manifest: Manifest) -> Result<Self, StoreError> {
        let file = path.join(FILE_NAME);
        let schema = manifest.schema()?;
        if !manifest.is_one_commit() && !schema.has(column::SOURCE_FILE) {
            let reason = format!("it has several commits, but no column `{}`", column::SOURCE_FILE);
            return Err(StoreError::Manifest { path: file, reason });
        }
        let open_files = StoredFiles::open(path, manifest.files())?;
        let line = CommitsInLine::new(&manifest).map(Arc::new);
        let forms = EventForms::new(&manifest);
        Ok(Self { path: path.to_owned(), manifest, schema, open_files, forms, line })
    }

    /// Returns those commits of this store that `ids` names, and behind them those of `other`, as one store to be read, with the
    /// columns and the mapping of the store that `writer` makes. The events of a source file may lie in commits of both: read them with
    /// [`EventScan::with_places`].
    ///
    /// # Errors
    /// Where the stores have other columns.
    pub fn joined(
        &self,
        ids: &[u32],
        other: Option<&Self>,
        writer: &StoreWriter,
    ) -> Result<Self, StoreError> {
        let commits = self.manifest.commits.iter().filter(|commit| ids.contains(&commit.id)).cloned();
        let mut manifest = writer.manifest().with_commits(commits.collect());
        let schema = manifest.schema()?;
        let mut open_files = self.open_files.clone();
        for store in [Some(self), other].into_iter().flatten() {
            if !same_columns(store.schema.arrow(), schema.arrow()) {
                return Err(StoreError::not_as_recorded(&store.path));
            }
        }
        if let Some(other) = other {
            manifest.commits.extend(other.manifest.commits.iter().map(|commit| commit.clone().below(JOINED)));
            open_files = open_files.with_those_of(&other.open_files, Path::new(JOINED));
        }
        let line = Some(Arc::new(CommitsInLine::of(&manifest)));
        let forms = EventForms::new(&manifest);
        Ok(Self { path: self.path.clone(), manifest, schema, open_files, forms, line })
    }

    /// The same store, read as if it had several commits: its scans tell the source's own session of each event
    /// ([`crate::EventBatches::session`]).
    #[must_use]
    pub fn merging(mut self) -> Self {
        self.line.get_or_insert_with(|| Arc::new(CommitsInLine::of(&self.manifest)));
        self
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The columns of its events.
    pub fn schema(&self) -> &EventSchema {
        &self.schema
    }

    /// Returns a scan of those of `columns` that the store has. `user_id` and `event_time`, by which the rows are
    /// ordered, are read where they are named, as any other.
    pub fn scan(&self, columns: &[&str]) -> EventScan {
        EventScan::new(self, columns, ScanRows::All)
    }

    /// Returns a scan of the purchases and cancellations alone, as [`EventStore::scan`] does of all events. Where the store keeps
    /// them beside the others, only they are read. In a store that does not say of what type its events are, all are read. Over several
    /// commits, the codes of source sessions are those of this scan alone.
    pub fn scan_transactions(&self, columns: &[&str]) -> EventScan {
        EventScan::new(self, columns, ScanRows::Transactions)
    }

    /// Reads the dictionary of source sessions; none where the source has no sessions.
    ///
    /// Its codes are those that a scan of all events gives. Rows are sorted by them; in a store with several commits they
    /// are sorted inside parts of users, and found by a scan.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Parquet`], also from the iterator.
    pub fn session_dictionary(&self) -> Result<Option<TableReader>, StoreError> {
        let mut tables = self.side_tables(|commit| commit.session_dictionary.as_ref())?;
        Ok(match (&self.line, tables.pop()) {
            (Some(_), Some(table)) => {
                Some(TableReader::made(&self.path, table.schema(), SessionRows::new(self)))
            }
            (_, table) => table,
        })
    }

    /// Reads the dictionary of products; none where the source has no products. In a store with several commits, products
    /// of files that were replaced are among them.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Parquet`].
    pub fn product_dictionary(&self) -> Result<Option<TableReader>, StoreError> {
        let mut tables = self.side_tables(|commit| commit.product_dictionary.as_ref())?;
        if self.line.is_none() {
            return Ok(tables.pop());
        }
        let products = side_tables::products(tables)?;
        Ok(products.map(|batch| TableReader::made(&self.path, batch.schema(), std::iter::once(Ok(batch)))))
    }

    /// Reads the rejected rows, in the order of their files and bytes.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Parquet`].
    pub fn rejects(&self) -> Result<Option<TableReader>, StoreError> {
        let mut tables = self.side_tables(|commit| Some(&commit.rejects))?;
        for table in &tables {
            if !same_columns(&table.schema(), &table::rejects()) {
                return Err(StoreError::not_as_recorded(table.path()));
            }
        }
        if self.line.is_none() {
            return Ok(tables.pop());
        }
        Ok(Some(TableReader::made(&self.path, table::rejects(), RejectRows::new(self, tables))))
    }

    /// Reads the table of aliases that counts: the last one.
    pub(crate) fn last_aliases(&self) -> Result<Option<TableReader>, StoreError> {
        Ok(self.side_tables(|commit| commit.aliases.as_ref())?.pop())
    }

    /// Reads every file and compares its checksum with the manifest's.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] at the first file that differs, [`StoreError::Io`] where one is missing.
    pub fn verify(&self) -> Result<(), StoreError> {
        for file in self.files() {
            let path = self.path.join(&file.path);
            let found = checksum(&path)?;
            if found != file.xxh3 {
                return Err(StoreError::Damaged { path, found, expected: file.xxh3.clone() });
            }
        }
        Ok(())
    }

    /// Every Parquet file of the store.
    pub fn files(&self) -> impl Iterator<Item = &DataFile> {
        self.manifest.files()
    }

    pub(crate) fn commits_in_line(&self) -> Option<&Arc<CommitsInLine>> {
        self.line.as_ref()
    }

    /// The forms of the commits' events.
    pub(crate) fn forms(&self) -> &EventForms {
        &self.forms
    }

    /// The form of the events of one of its commits; none where they are plain.
    pub(crate) fn form_of(&self, commit: &Commit) -> Result<Option<Arc<CompactForm>>, StoreError> {
        let place = self.manifest.commits.iter().position(|known| known.id == commit.id);
        place.map_or(Ok(None), |place| self.forms.of(place, &self.schema, &self.open_files))
    }

    pub(crate) fn open_files(&self) -> &StoredFiles {
        &self.open_files
    }

    /// One side table of each commit that has it.
    fn side_tables(
        &self,
        pick: impl Fn(&Commit) -> Option<&DataFile>,
    ) -> Result<Vec<TableReader>, StoreError> {
        let files = self.manifest.commits.iter().filter_map(pick);
        files
            .map(|file| {
                let stored = self.open_files.get(file)?;
                stored.check_columns(file)?;
                let table = read_from(stored.clone(), stored.path())?;
                if table.rows() == file.rows {
                    Ok(table)
                } else {
                    Err(StoreError::not_as_recorded(stored.path()))
                }
            })
            .collect()
    }
}

fn read_manifest(path: &Path) -> Result<Vec<u8>, StoreError> {
    let file = path.join(FILE_NAME);
    match fs::read(&file) {
        Ok(bytes) => Ok(bytes),
        Err(_) if path.is_dir() && !file.exists() => Err(StoreError::NotAStore { path: path.to_owned() }),
        Err(_) if path.is_file() => Err(StoreError::NotAStore { path: path.to_owned() }),
        Err(source) => Err(StoreError::io("open", path)(source)),
    }
}

/// Whether two schemas have the same names and types in the same order.
pub(crate) fn same_columns(a: &Schema, b: &Schema) -> bool {
    a.fields().len() == b.fields().len()
        && (a.fields().iter().zip(b.fields()))
            .all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type())
}
