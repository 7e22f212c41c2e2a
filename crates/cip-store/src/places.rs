//! Where events stand among the rejects of their files: what puts a rejected record that becomes an event later into its old place.
//!
//! Events are ordered by user, time, source file and position, and the position is not kept. How many rejected records
//! of its file stand before an event is all of it that is asked for again. It lies in a file of its own, with a row group for each of
//! the events, which no stage reads.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::{Field, Schema};
use cip_core::{CoreError, column, table};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use crate::error::StoreError;
use crate::manifest::{Commit, DataFile};
use crate::parquet_file::{ParquetFile, RowGroupEncoder};
use crate::store::same_columns;
use crate::stored_file::StoredFiles;

/// The table's name.
pub(crate) const TABLE: &str = "places";

/// Writes the places of a commit's events: a row group for each of the events, in their order.
pub struct PlacesWriter {
    encoder: RowGroupEncoder,
    path: PathBuf,
    name: String,
    file: Option<ParquetFile>,
}

impl std::fmt::Debug for PlacesWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlacesWriter").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PlacesWriter {
    /// `name` is the file's path inside the store.
    pub(crate) fn new(path: PathBuf, name: String) -> Result<Self, StoreError> {
        let encoder = RowGroupEncoder::new(TABLE, &table::places(), &path)?;
        Ok(Self { encoder, path, name, file: None })
    }

    /// Appends the places of the next row group of events: for each, how many rejects of its file stand before it.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the disk is full.
    pub fn append(&mut self, rejects_before: Vec<u32>) -> Result<(), StoreError> {
        let places = Arc::new(UInt32Array::from(rejects_before));
        let batch = RecordBatch::try_new(table::places(), vec![places])?;
        let group = self.encoder.encode(&batch)?;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(ParquetFile::create(&self.path, &self.encoder)?),
        };
        file.append(group)
    }

    /// Ends the table; none where there are no events.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn finish(self) -> Result<Option<DataFile>, StoreError> {
        self.file.map(|file| file.finish(self.name)).transpose()
    }
}

/// The places of the events of all commits.
#[derive(Debug)]
pub(crate) struct CommitPlaces {
    /// One for each commit; none where its files have no rejects, so that all places are 0.
    commits: Vec<Option<PlacesFile>>,
}

#[derive(Debug)]
struct PlacesFile {
    data: DataFile,
    metadata: OnceLock<ArrowReaderMetadata>,
}

impl CommitPlaces {
    pub(crate) fn new(commits: &[Commit]) -> Self {
        let places = commits
            .iter()
            .map(|commit| commit.places.clone().map(|data| PlacesFile { data, metadata: OnceLock::new() }));
        Self { commits: places.collect() }
    }

    /// Opens a row group of one commit, counted over all its files.
    pub(crate) fn open(
        &self,
        commit: usize,
        row_group: usize,
        batch_rows: usize,
        open_files: &StoredFiles,
    ) -> Result<PlaceBatches, StoreError> {
        let Some(Some(places)) = self.commits.get(commit) else { return Ok(PlaceBatches::Zero) };
        let handle = open_files.get(&places.data)?;
        let metadata = match places.metadata.get() {
            Some(metadata) => metadata.clone(),
            None => {
                let loaded = ArrowReaderMetadata::load(handle, ArrowReaderOptions::new())
                    .map_err(StoreError::parquet(handle.path()))?;
                if !same_columns(loaded.schema(), &table::places()) {
                    return Err(StoreError::not_as_recorded(handle.path()));
                }
                places.metadata.get_or_init(|| loaded).clone()
            }
        };
        let columns = handle.read_columns(&places.data, metadata.metadata(), row_group, &[0])?;
        ParquetRecordBatchReaderBuilder::new_with_metadata(columns, metadata)
            .with_row_groups(vec![row_group])
            .with_batch_size(batch_rows)
            .build()
            .map(|reader| PlaceBatches::Stored { path: handle.path().to_owned(), reader })
            .map_err(StoreError::parquet(handle.path()))
    }
}

/// The places of some row groups, batch by batch as their events.
#[derive(Debug)]
pub(crate) enum PlaceBatches {
    Zero,
    Stored { path: PathBuf, reader: ParquetRecordBatchReader },
}

impl PlaceBatches {
    /// Returns the events with their places as the last column.
    pub(crate) fn beside(&mut self, events: &RecordBatch) -> Result<RecordBatch, StoreError> {
        let places: ArrayRef = match self {
            Self::Zero => Arc::new(UInt32Array::from(vec![0; events.num_rows()])),
            Self::Stored { path, reader } => match reader.next().transpose() {
                Ok(Some(batch)) if batch.num_rows() == events.num_rows() && batch.num_columns() == 1 => {
                    Arc::clone(batch.column(0))
                }
                Ok(_) => return Err(StoreError::not_as_recorded(path)),
                Err(error) => {
                    return Err(StoreError::Parquet { path: std::mem::take(path), source: error.into() });
                }
            },
        };
        let mut columns = events.columns().to_vec();
        columns.push(places);
        Ok(RecordBatch::try_new(Arc::new(with_places(events.schema_ref())), columns)?)
    }
}

/// Returns a schema of events with their places as the last column.
pub(crate) fn with_places(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().cloned();
    Schema::new(fields.chain(table::places().fields().iter().cloned()).collect::<Vec<Arc<Field>>>())
}

/// Takes the places, which a scan put beside events, off again; nothing where it did not.
///
/// # Errors
/// [`StoreError::Arrow`].
pub fn take_places(events: &RecordBatch) -> Result<(RecordBatch, Vec<u32>), StoreError> {
    let last = events.num_columns().saturating_sub(1);
    let is_last = |place: &usize| *place == last;
    let place = events.schema_ref().index_of(column::REJECTS_BEFORE).ok().filter(is_last);
    let places = place.and_then(|place| events.column(place).as_primitive_opt::<UInt32Type>());
    let Some(places) = places.filter(|places| places.null_count() == 0) else {
        return Ok((events.clone(), Vec::new()));
    };
    let kept: Vec<usize> = (0..last).collect();
    Ok((events.project(&kept).map_err(CoreError::from)?, places.values().to_vec()))
}
