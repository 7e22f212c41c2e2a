//! Result tables: one Parquet file each, written atomically and in row groups of a fixed size.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::coalesce::BatchCoalescer;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

use crate::encoding::row_group_rows;
use crate::error::StoreError;
use crate::manifest::DataFile;
use crate::parquet_file::{ParquetFile, RowGroupEncoder};
use crate::staged::StagedFile;

/// Writes a result table. Its row groups hold 131,072 rows however the batches come, so the bytes do not depend on
/// the number of threads or the size of chunks.
///
/// Dropped without [`TableWriter::finish`], it leaves the old file as it was.
pub struct TableWriter {
    rows: RowGroups,
    staged: StagedFile,
}

impl std::fmt::Debug for TableWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableWriter").field("staged", &self.staged).finish_non_exhaustive()
    }
}

impl TableWriter {
    /// Starts `table` (its name goes into the file's metadata) with `schema` at `path`.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`] where `path` is a folder, [`StoreError::Busy`] where another run writes it,
    /// [`StoreError::Io`].
    pub fn create(path: &Path, table: &str, schema: &SchemaRef) -> Result<Self, StoreError> {
        if !may_replace(path)? {
            return Err(StoreError::NotOurs { path: path.to_owned() });
        }
        let staged = StagedFile::begin(path)?;
        let rows = RowGroups::create(staged.path(), table, schema)?;
        Ok(Self { rows, staged })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// [`StoreError::Arrow`] where the batch has another schema, [`StoreError::Io`] where the disk is full.
    pub fn write(&mut self, batch: RecordBatch) -> Result<(), StoreError> {
        self.rows.write(batch)
    }

    /// Puts the table in place and returns its number of rows.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the old file is then still there.
    pub fn finish(self) -> Result<u64, StoreError> {
        let rows = self.rows.finish(String::new())?.rows;
        self.staged.publish()?;
        Ok(rows)
    }
}

/// Copies a result table to `out`, as [`TableWriter`] would have written it there.
pub(crate) fn copy(table: &Path, out: &Path) -> Result<(), StoreError> {
    if !may_replace(out)? {
        return Err(StoreError::NotOurs { path: out.to_owned() });
    }
    let staged = StagedFile::begin(out)?;
    fs::copy(table, staged.path()).map_err(StoreError::io("write", staged.path()))?;
    staged.publish()
}

/// A result table replaces a Parquet file (or an empty one): never somebody's source or notes.
fn may_replace(path: &Path) -> Result<bool, StoreError> {
    const MAGIC: [u8; 4] = *b"PAR1";
    if !path.is_file() {
        return Ok(true);
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(StoreError::io("read", path))?;
    file.take(MAGIC.len() as u64).read_to_end(&mut start).map_err(StoreError::io("read", path))?;
    Ok(start.is_empty() || start == MAGIC)
}

/// Rows of a batch from which on it is encoded as it is; smaller ones are laid together first.
const LARGE_BATCH_ROWS: usize = 1_024;

/// Cuts batches of any size into row groups of one size.
pub(crate) struct RowGroups {
    encoder: RowGroupEncoder,
    file: ParquetFile,
    row_group_rows: usize,
    /// What came last, in small batches.
    small: BatchCoalescer,
    /// The rows before it that are in no row group yet.
    pending: Vec<RecordBatch>,
    pending_rows: usize,
}

impl RowGroups {
    pub(crate) fn create(path: &Path, table: &str, schema: &SchemaRef) -> Result<Self, StoreError> {
        let encoder = RowGroupEncoder::new(table, schema, path)?;
        let file = ParquetFile::create(path, &encoder)?;
        let small = BatchCoalescer::new(schema.clone(), LARGE_BATCH_ROWS)
            .with_biggest_coalesce_batch_size(Some(LARGE_BATCH_ROWS - 1));
        let row_group_rows = row_group_rows(table);
        Ok(Self { encoder, file, row_group_rows, small, pending: Vec::new(), pending_rows: 0 })
    }

    pub(crate) fn write(&mut self, batch: RecordBatch) -> Result<(), StoreError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.encoder.check(&batch)?;
        if batch.num_rows() >= LARGE_BATCH_ROWS {
            self.small.finish_buffered_batch()?;
        }
        self.small.push_batch(batch)?;
        self.drain()
    }

    pub(crate) fn finish(mut self, name: String) -> Result<DataFile, StoreError> {
        self.small.finish_buffered_batch()?;
        self.drain()?;
        if self.pending_rows > 0 {
            self.append_pending()?;
        }
        self.file.finish(name)
    }

    fn drain(&mut self) -> Result<(), StoreError> {
        while let Some(mut batch) = self.small.next_completed_batch() {
            while self.pending_rows + batch.num_rows() >= self.row_group_rows {
                let rows = self.row_group_rows - self.pending_rows;
                self.pending.push(batch.slice(0, rows));
                batch = batch.slice(rows, batch.num_rows() - rows);
                self.append_pending()?;
            }
            if batch.num_rows() > 0 {
                self.pending_rows += batch.num_rows();
                self.pending.push(batch);
            }
        }
        Ok(())
    }

    fn append_pending(&mut self) -> Result<(), StoreError> {
        self.file.append(self.encoder.encode_all(&self.pending)?)?;
        self.pending.clear();
        self.pending_rows = 0;
        Ok(())
    }
}

/// Reads a Parquet file a batch at a time.
///
/// # Errors
/// [`StoreError::Io`] and [`StoreError::Parquet`], also from the iterator.
pub fn read_table(path: &Path) -> Result<TableReader, StoreError> {
    let file = File::open(path).map_err(StoreError::io("read", path))?;
    read_from(file, path)
}

/// Rows of a batch: few enough for rejects, whose raw lines may be long.
const BATCH_ROWS: usize = 1_024;

/// Reads from a file that is already open.
pub(crate) fn read_from<R: ChunkReader + 'static>(file: R, path: &Path) -> Result<TableReader, StoreError> {
    read_batches(file, path, BATCH_ROWS)
}

/// Reads batches of up to `batch_rows` rows from a file that is already open.
pub(crate) fn read_batches<R: ChunkReader + 'static>(
    file: R,
    path: &Path,
    batch_rows: usize,
) -> Result<TableReader, StoreError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(StoreError::parquet(path))?;
    let rows = builder.metadata().file_metadata().num_rows().max(0).cast_unsigned();
    let reader = builder.with_batch_size(batch_rows).build().map_err(StoreError::parquet(path))?;
    let schema = arrow_array::RecordBatchReader::schema(&reader);
    Ok(TableReader { path: path.to_owned(), rows, schema, batches: Batches::File(reader) })
}

/// The batches of a table, in order.
#[derive(Debug)]
pub struct TableReader {
    path: PathBuf,
    rows: u64,
    schema: SchemaRef,
    batches: Batches,
}

enum Batches {
    File(ParquetRecordBatchReader),
    /// Made of several files.
    Made(Box<dyn Iterator<Item = Result<RecordBatch, StoreError>> + Send>),
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::File(_) => "File",
            Self::Made(_) => "Made",
        })
    }
}

impl TableReader {
    /// A table that is made of several files of the store at `path`.
    pub(crate) fn made(
        path: &Path,
        schema: SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch, StoreError>> + Send + 'static,
    ) -> Self {
        Self { path: path.to_owned(), rows: 0, schema, batches: Batches::Made(Box::new(batches)) }
    }

    /// The schema of its batches.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Rows of the whole file.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }
}

impl Iterator for TableReader {
    type Item = Result<RecordBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.batches {
            Batches::Made(batches) => batches.next(),
            Batches::File(reader) => reader.next().map(|batch| {
                batch.map_err(|error| StoreError::Parquet { path: self.path.clone(), source: error.into() })
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::Int32Type;
    use arrow_array::{ArrayRef, Decimal128Array, DictionaryArray, Int64Array, StringArray};
    use std::sync::Arc;

    fn batch(values: std::ops::Range<i64>) -> RecordBatch {
        let some = || values.clone().map(|value| (value % 3 > 0).then_some(value % 70_000));
        let sums: Decimal128Array = some().map(|value| value.map(i128::from)).collect();
        // A dictionary for each batch.
        let texts: Vec<String> = values.clone().map(|value| format!("text {}", value / 5_000)).collect();
        let texts: DictionaryArray<Int32Type> = texts.iter().map(String::as_str).collect();
        RecordBatch::try_from_iter_with_nullable([
            ("n", Arc::new(Int64Array::from_iter_values(values.clone())) as ArrayRef, false),
            ("some", Arc::new(some().collect::<Int64Array>()), true),
            ("sum", Arc::new(sums.with_precision_and_scale(38, 2).unwrap()), true),
            ("text", Arc::new(texts), false),
            (
                "name",
                Arc::new(some().map(|value| value.map(|value| value.to_string())).collect::<StringArray>()),
                true,
            ),
        ])
        .unwrap()
    }

    #[test]
    fn the_bytes_do_not_depend_on_how_batches_come() {
        let folder = tempfile::tempdir().unwrap();
        let mut written = Vec::new();
        for step in [999, 3_000, 77_777, 400_000] {
            let path = folder.path().join(format!("{step}.parquet"));
            let mut table = TableWriter::create(&path, "numbers", &batch(0..1).schema()).unwrap();
            for start in (0..300_000).step_by(step) {
                table.write(batch(start..300_000.min(start + step as i64))).unwrap();
            }
            assert_eq!(table.finish().unwrap(), 300_000);
            written.push(std::fs::read(&path).unwrap());
        }
        assert!(written.windows(2).all(|pair| pair[0] == pair[1]));
        let back: usize = read_table(&folder.path().join("999.parquet"))
            .unwrap()
            .map(|batch| batch.unwrap().num_rows())
            .sum();
        assert_eq!(back, 300_000);
    }

    #[test]
    fn a_file_that_is_not_parquet_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        std::fs::write(&path, "not parquet").unwrap();
        assert!(matches!(read_table(&path), Err(StoreError::Parquet { .. })));
        assert!(matches!(read_table(&folder.path().join("none")), Err(StoreError::Io { .. })));
    }
}
