//! Reading events: pruned by time and user, in partitions that hold whole users.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{BooleanArray, RecordBatch, cast::AsArray};
use arrow_select::filter::filter_record_batch;
use cip_core::{EventBatch, EventSchema, Id, IdColumn, TimeRange, column};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use crate::error::StoreError;
use crate::manifest::{DataFile, RowGroupSpan};
use crate::store::{EventStore, same_columns};
use crate::stored_file::{StoredFile, StoredFiles};

/// Rows of a batch: small enough that a stage's columns stay in the processor's cache.
const BATCH_ROWS: usize = 16_384;

/// Which events to read, and which of their columns.
///
/// # Examples
/// ```no_run
/// use cip_core::TimeRange;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = cip_store::EventStore::open("STORE".as_ref())?;
/// let october = TimeRange::new("2019-10-01".parse()?, "2019-11-01".parse()?)?;
/// for partition in store.scan(&["user_id", "event_time"]).with_time_range(october).partitions() {
///     for events in partition.batches()? {
///         println!("{} events", events?.len());
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct EventScan {
    files: Arc<[ScanFile]>,
    open_files: StoredFiles,
    stored: EventSchema,
    schema: EventSchema,
    columns: Arc<[String]>,
    time: TimeRange,
    user: Option<Id>,
}

#[derive(Debug)]
struct ScanFile {
    data: DataFile,
    row_groups: Vec<RowGroupSpan>,
    /// The footer, read once however many partitions the file has.
    metadata: OnceLock<ArrowReaderMetadata>,
}

impl ScanFile {
    /// Checks that the file is the one of which the manifest speaks.
    fn check(
        &self,
        file: &StoredFile,
        metadata: &ArrowReaderMetadata,
        stored: &EventSchema,
    ) -> Result<(), StoreError> {
        let groups = metadata.metadata().row_groups();
        let rows = groups.iter().map(|group| group.num_rows());
        let same_rows = rows.eq(self.row_groups.iter().map(|span| span.rows.cast_signed()));
        if same_rows && same_columns(metadata.schema(), stored.arrow()) {
            Ok(())
        } else {
            Err(StoreError::not_as_recorded(file.path()))
        }
    }
}

impl EventScan {
    pub(crate) fn new(store: &EventStore, columns: &[&str]) -> Self {
        let files =
            store.manifest().commits.iter().flat_map(|commit| &commit.events).map(|events| ScanFile {
                data: events.file.clone(),
                row_groups: events.row_groups.clone(),
                metadata: OnceLock::new(),
            });
        Self {
            files: files.collect(),
            open_files: store.open_files().clone(),
            stored: store.schema().clone(),
            schema: store.schema().project(columns),
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            time: TimeRange::ALL,
            user: None,
        }
    }

    /// Keeps only events inside `range`.
    pub fn with_time_range(mut self, range: TimeRange) -> Self {
        self.time = range;
        self
    }

    /// Keeps only one user's events.
    pub fn with_user(mut self, user: Id) -> Self {
        self.user = Some(user);
        self
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &EventSchema {
        &self.schema
    }

    /// Returns the parts of the scan, ascending by user. No user is in two of them, so each can be worked on by
    /// itself, and what is written in their order is sorted by user.
    ///
    /// A partition is one row group of 131,072 events, more only where a user's events go on in the next.
    /// Parts in which nothing can match are left out.
    pub fn partitions(&self) -> Vec<EventPartition> {
        let mut partitions: Vec<EventPartition> = Vec::new();
        let mut last: Option<&RowGroupSpan> = None;
        for (file, scan_file) in self.files.iter().enumerate() {
            for (index, span) in scan_file.row_groups.iter().enumerate() {
                // The unknown user (none) is one user as well.
                let same_user = last.is_some_and(|last| last.users[1] == span.users[0]);
                last = Some(span);
                if !self.may_match(span) {
                    continue;
                }
                match partitions.last_mut() {
                    Some(partition) if same_user => partition.row_groups.push((file, index)),
                    _ => partitions
                        .push(EventPartition { scan: self.clone(), row_groups: vec![(file, index)] }),
                }
            }
        }
        partitions
    }

    fn may_match(&self, span: &RowGroupSpan) -> bool {
        let user_fits = self.user.as_ref().is_none_or(|user| {
            span.users[0].as_ref().is_some_and(|first| first <= user)
                && span.users[1].as_ref().is_none_or(|last| user <= last)
        });
        user_fits && self.time.meets(span.times[0], span.times[1])
    }

    /// Opens a run of row groups of one file.
    fn open(&self, file: usize, row_groups: Vec<usize>) -> Result<ParquetRecordBatchReader, StoreError> {
        let scan_file = &self.files[file];
        let handle = self.open_files.get(&scan_file.data)?;
        let path = handle.path();
        let metadata = match scan_file.metadata.get() {
            Some(metadata) => metadata.clone(),
            None => {
                let loaded = ArrowReaderMetadata::load(handle, ArrowReaderOptions::new())
                    .map_err(StoreError::parquet(path))?;
                scan_file.check(handle, &loaded, &self.stored)?;
                scan_file.metadata.get_or_init(|| loaded).clone()
            }
        };
        // The columns that the filters need are read as well.
        let wanted = |name: &str| {
            self.columns.iter().any(|column| column == name)
                || (name == column::EVENT_TIME && self.time != TimeRange::ALL)
                || (name == column::USER_ID && self.user.is_some())
        };
        let fields = metadata.schema().fields().iter().enumerate();
        let roots: Vec<usize> =
            fields.filter(|(_, field)| wanted(field.name())).map(|(index, _)| index).collect();
        for &group in &row_groups {
            for &column in &roots {
                handle.check_column(&scan_file.data, metadata.metadata(), group, column)?;
            }
        }
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
        ParquetRecordBatchReaderBuilder::new_with_metadata(handle.clone(), metadata)
            .with_projection(mask)
            .with_row_groups(row_groups)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(StoreError::parquet(path))
    }

    /// Applies the filters and leaves only the columns that were asked for.
    fn narrow(&self, mut batch: RecordBatch) -> Result<RecordBatch, StoreError> {
        if self.time != TimeRange::ALL
            && let Some(times) = batch.column_by_name(column::EVENT_TIME)
        {
            let times = times.as_primitive::<TimestampMicrosecondType>().values();
            if !times.iter().all(|&time| self.time.contains(time)) {
                let keep: BooleanArray = times.iter().map(|&time| Some(self.time.contains(time))).collect();
                batch = filter_record_batch(&batch, &keep)?;
            }
        }
        if let Some(user) = &self.user
            && let Some(users) = batch.column_by_name(column::USER_ID)
        {
            let users = IdColumn::try_new(column::USER_ID, users)?;
            let keep: BooleanArray =
                (0..users.len()).map(|row| Some(users.get(row) == Some(user.as_ref()))).collect();
            batch = filter_record_batch(&batch, &keep)?;
        }
        if batch.num_columns() != self.schema.arrow().fields().len() {
            let keep: Vec<usize> = (batch.schema().fields().iter().enumerate())
                .filter(|(_, field)| self.schema.has(field.name()))
                .map(|(index, _)| index)
                .collect();
            batch = batch.project(&keep)?;
        }
        Ok(batch)
    }
}

/// All events of some users: a part of a scan that can be worked on by itself.
#[derive(Debug, Clone)]
pub struct EventPartition {
    scan: EventScan,
    /// (file, row group), ascending.
    row_groups: Vec<(usize, usize)>,
}

impl EventPartition {
    /// Returns its events in batches, sorted by user and time.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Parquet`], also from the iterator.
    pub fn batches(&self) -> Result<EventBatches, StoreError> {
        let mut readers = Vec::new();
        for part in self.row_groups.chunk_by(|a, b| a.0 == b.0) {
            let groups = part.iter().map(|&(_, group)| group).collect();
            readers.push((part[0].0, self.scan.open(part[0].0, groups)?));
        }
        readers.reverse();
        Ok(EventBatches { scan: self.scan.clone(), readers })
    }

    /// Rows in the files, before any filter.
    pub fn rows(&self) -> u64 {
        self.row_groups.iter().map(|&(file, group)| self.scan.files[file].row_groups[group].rows).sum()
    }
}

/// The batches of a partition; none is empty.
#[derive(Debug)]
pub struct EventBatches {
    scan: EventScan,
    /// The readers that are left, the next one last.
    readers: Vec<(usize, ParquetRecordBatchReader)>,
}

impl Iterator for EventBatches {
    type Item = Result<EventBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (file, reader) = self.readers.last_mut()?;
            match reader.next() {
                None => {
                    self.readers.pop();
                }
                Some(Err(error)) => {
                    let path = PathBuf::from(&self.scan.files[*file].data.path);
                    self.readers.clear();
                    return Some(Err(StoreError::Parquet { path, source: error.into() }));
                }
                Some(Ok(batch)) => match self.scan.narrow(batch) {
                    Ok(batch) if batch.num_rows() == 0 => {}
                    narrowed => {
                        return Some(narrowed.and_then(|batch| Ok(EventBatch::try_new(batch)?)));
                    }
                },
            }
        }
    }
}
