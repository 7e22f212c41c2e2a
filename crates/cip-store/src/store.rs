//! Opening a store and finding its parts.

use std::fs;
use std::path::{Path, PathBuf};

use arrow_schema::Schema;
use cip_core::{EventSchema, table};

use crate::error::StoreError;
use crate::manifest::{Commit, DataFile, FILE_NAME, Manifest};
use crate::parquet_file::checksum;
use crate::scan::EventScan;
use crate::stored_file::StoredFiles;
use crate::table::{TableReader, read_from};

/// An event store that is open for reading. Its files are held open, so what is read does not change even where the
/// store is replaced meanwhile.
#[derive(Debug, Clone)]
pub struct EventStore {
    path: PathBuf,
    manifest: Manifest,
    schema: EventSchema,
    open_files: StoredFiles,
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
        let bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(_) if path.is_dir() && !file.exists() => {
                return Err(StoreError::NotAStore { path: path.to_owned() });
            }
            Err(_) if path.is_file() => return Err(StoreError::NotAStore { path: path.to_owned() }),
            Err(source) => return Err(StoreError::io("open", path)(source)),
        };
        let manifest = Manifest::parse(&file, &bytes)?;
        if manifest.commits.len() > 1 {
            let reason = format!("it has {} commits, this version reads one", manifest.commits.len());
            return Err(StoreError::Manifest { path: file, reason });
        }
        let schema = manifest.schema()?;
        let open_files = StoredFiles::open(path, manifest.files())?;
        Ok(Self { path: path.to_owned(), manifest, schema, open_files })
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
        EventScan::new(self, columns)
    }

    /// Reads the dictionary of source sessions; none where the source has no sessions.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Parquet`].
    pub fn session_dictionary(&self) -> Result<Option<TableReader>, StoreError> {
        self.side_table(|commit| commit.session_dictionary.as_ref())
    }

    /// Reads the dictionary of products; none where the source has no products.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Parquet`].
    pub fn product_dictionary(&self) -> Result<Option<TableReader>, StoreError> {
        self.side_table(|commit| commit.product_dictionary.as_ref())
    }

    /// Reads the rejected rows, in the order of their files and bytes.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Parquet`].
    pub fn rejects(&self) -> Result<Option<TableReader>, StoreError> {
        let rejects = self.side_table(|commit| Some(&commit.rejects))?;
        match &rejects {
            Some(table) if !same_columns(&table.schema(), &table::rejects()) => {
                Err(StoreError::not_as_recorded(table.path()))
            }
            _ => Ok(rejects),
        }
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

    pub(crate) fn open_files(&self) -> &StoredFiles {
        &self.open_files
    }

    fn side_table(
        &self,
        pick: impl Fn(&Commit) -> Option<&DataFile>,
    ) -> Result<Option<TableReader>, StoreError> {
        let file = self.manifest.commits.iter().find_map(pick);
        file.map(|file| {
            let stored = self.open_files.get(file)?;
            stored.check_columns(file)?;
            let table = read_from(stored.clone(), stored.path())?;
            if table.rows() == file.rows {
                Ok(table)
            } else {
                Err(StoreError::not_as_recorded(stored.path()))
            }
        })
        .transpose()
    }
}

/// Whether two schemas have the same names and types in the same order.
pub(crate) fn same_columns(a: &Schema, b: &Schema) -> bool {
    a.fields().len() == b.fields().len()
        && (a.fields().iter().zip(b.fields()))
            .all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type())
}
