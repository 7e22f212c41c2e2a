//! Any table: a Parquet file, an Arrow file, or CSV with a header.

use std::fs::{self, File};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use crate::arrow_file::ArrowFile;
use crate::csv_table::{CsvBatches, CsvTable, check_names};
use crate::error::StoreError;

/// A table that somebody else may have written: Parquet where the file starts with `PAR1`, an Arrow file (Feather 2) where it starts
/// with `ARROW1`, else CSV.
///
/// # Input
/// CSV is UTF-8 with a header line, RFC 4180 quotes, LF or CRLF, and commas, semicolons or tabs: whichever the header has
/// most of. All of it is read once to find the
/// types:
///
/// | all fields are | type |
/// |---|---|
/// | whole numbers without leading zeros, within 64 bits | Int64 |
/// | numbers, some with a point or an exponent (or NaN, inf) | Float64 |
/// | `true` and `false`, in any case | Boolean |
/// | anything else: text, dates, codes such as `007`, nothing | Utf8 |
///
/// An empty field, or one of blanks alone, is null and has no say in the type. Blank lines are left out. Every column
/// is nullable.
///
/// # Examples
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("players.csv");
/// use cip_store::TableSource;
///
/// std::fs::write(&path, "userid,version,rounds\r\n116,gate_30,3\r\n337,gate_40,\r\n")?;
/// let table = TableSource::open(&path)?;
/// let types: Vec<_> = table.schema().fields().iter().map(|field| field.data_type().to_string()).collect();
/// assert_eq!(types, ["Int64", "Utf8", "Int64"]);
/// for batch in table.batches(&["rounds", "userid"])? {
///     let batch = batch?;
///     assert_eq!((batch.num_rows(), batch.num_columns(), batch.column(0).null_count()), (2, 2, 1));
/// }
/// assert!(table.batches(&["level"]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TableSource {
    path: PathBuf,
    schema: SchemaRef,
    format: Format,
}

#[derive(Debug, Clone)]
enum Format {
    Csv(CsvTable),
    Parquet,
    Arrow,
}

/// What a table is stored as, by the first bytes of its file; none where it may be text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Apache Parquet.
    Parquet,
    /// The file format of Arrow IPC.
    Arrow,
}

impl TableFormat {
    /// Bytes of a file that are enough to tell.
    pub const MAGIC_BYTES: usize = 6;

    /// Returns the format of a file that starts with these bytes.
    pub fn of(start: &[u8]) -> Option<Self> {
        match start {
            _ if start.starts_with(b"PAR1") => Some(Self::Parquet),
            _ if start.starts_with(b"ARROW1") => Some(Self::Arrow),
            _ => None,
        }
    }

    /// Returns the format of the file at `path`.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn of_file(path: &Path) -> Result<Option<Self>, StoreError> {
        let mut start = Vec::new();
        let file = File::open(path).map_err(StoreError::io("read", path))?;
        file.take(Self::MAGIC_BYTES as u64).read_to_end(&mut start).map_err(StoreError::io("read", path))?;
        Ok(Self::of(&start))
    }
}

impl TableSource {
    /// Opens the table at `path`: reads the footer of a Parquet or Arrow file, or all of a CSV file.
    ///
    /// # Complexity
    /// CSV takes one reading, and memory for the longest row.
    ///
    /// # Errors
    /// [`StoreError::NotATable`] where it is no regular file, [`StoreError::EmptyTable`], [`StoreError::CsvLine`] with
    /// the line where it is not CSV, [`StoreError::DuplicateColumn`], [`StoreError::Parquet`], [`StoreError::Io`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let metadata = fs::metadata(path).map_err(StoreError::io("read", path))?;
        if !metadata.is_file() {
            return Err(StoreError::NotATable { path: path.to_owned() });
        }
        let (schema, format) = match TableFormat::of_file(path)? {
            Some(TableFormat::Parquet) => (parquet_builder(path)?.schema().clone(), Format::Parquet),
            Some(TableFormat::Arrow) => (Arc::clone(arrow_file(path, None)?.schema()), Format::Arrow),
            None => {
                let csv = CsvTable::scan(path)?;
                (csv.schema.clone(), Format::Csv(csv))
            }
        };
        let schema = Schema::new(schema.fields().clone());
        if !matches!(format, Format::Csv(_)) {
            check_names(path, schema.fields().iter().map(|field| field.name().as_str()))?;
        }
        Ok(Self { path: path.to_owned(), schema: schema.into(), format })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All columns of the table.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the batches of these columns, in the order in which they are named; each call reads from the start.
    ///
    /// No columns give batches without columns, which still have their rows. A column that is named twice comes twice.
    ///
    /// # Complexity
    /// Memory for one batch of 8,192 rows, or of 8 MiB of CSV where rows are long, or as an Arrow file has it, and for what Parquet's decoder
    /// holds of the columns' pages.
    ///
    /// # Errors
    /// [`StoreError::UnknownColumn`]; [`StoreError::Parquet`], [`StoreError::Changed`] and [`StoreError::Io`], also
    /// from the iterator, which ends there.
    pub fn batches(&self, columns: &[&str]) -> Result<TableBatches, StoreError> {
        let positions = columns.iter().map(|column| self.position(column)).collect::<Result<Vec<_>, _>>()?;
        // Readers give each column once and in the table's order.
        let mut read = positions.clone();
        read.sort_unstable();
        read.dedup();
        let order =
            positions.iter().map(|position| read.partition_point(|before| before < position)).collect();
        let schema = SchemaRef::new(self.schema.project(&positions)?);
        let reader = match &self.format {
            Format::Csv(csv) => Reader::Csv(Box::new(csv.read(&self.path, read)?)),
            Format::Parquet => Reader::Parquet(self.read_parquet(read)?),
            Format::Arrow => Reader::Arrow(Box::new(self.read_arrow(read)?)),
        };
        Ok(TableBatches { path: self.path.clone(), schema, order, reader: Some(reader) })
    }

    fn position(&self, column: &str) -> Result<usize, StoreError> {
        self.schema.index_of(column).map_err(|_| StoreError::UnknownColumn {
            path: self.path.clone(),
            column: column.to_owned(),
            columns: self.schema.fields().iter().map(|field| field.name().clone()).collect(),
        })
    }

    fn read_parquet(&self, positions: Vec<usize>) -> Result<ParquetRecordBatchReader, StoreError> {
        const BATCH_ROWS: usize = 8_192;
        let builder = parquet_builder(&self.path)?;
        if builder.schema().fields() != self.schema.fields() {
            return Err(StoreError::Changed { path: self.path.clone() });
        }
        guarded(&self.path, || {
            let mask = ProjectionMask::roots(builder.parquet_schema(), positions);
            builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()
        })
    }

    fn read_arrow(&self, positions: Vec<usize>) -> Result<ArrowFile, StoreError> {
        let file = arrow_file(&self.path, Some(positions))?;
        if file.schema().fields() != self.schema.fields() {
            return Err(StoreError::Changed { path: self.path.clone() });
        }
        Ok(file)
    }
}

fn arrow_file(path: &Path, columns: Option<Vec<usize>>) -> Result<ArrowFile, StoreError> {
    let file = File::open(path).map_err(StoreError::io("read", path))?;
    guarded(path, || Ok(ArrowFile::open(file, columns)?))
}

/// The batches of some columns of a [`TableSource`].
pub struct TableBatches {
    path: PathBuf,
    schema: SchemaRef,
    /// Where each column asked for stands among those that are read.
    order: Vec<usize>,
    /// None after an error.
    reader: Option<Reader>,
}

enum Reader {
    Csv(Box<CsvBatches>),
    Parquet(ParquetRecordBatchReader),
    Arrow(Box<ArrowFile>),
}

impl TableBatches {
    /// The schema of the batches: the columns that were asked for, in that order.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        let batch = match &mut self.reader {
            Some(Reader::Csv(reader)) => reader.next()?,
            Some(Reader::Parquet(reader)) => {
                guarded(&self.path, || reader.next().transpose().map_err(ParquetError::from))?
            }
            Some(Reader::Arrow(reader)) => guarded(&self.path, || Ok(reader.next_batch()?))?,
            None => None,
        };
        Ok(batch.map(|batch| batch.project(&self.order)).transpose()?)
    }
}

impl Iterator for TableBatches {
    type Item = Result<RecordBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.read().transpose();
        if !matches!(batch, Some(Ok(_))) {
            self.reader = None;
        }
        batch
    }
}

impl std::fmt::Debug for TableBatches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableBatches")
            .field("path", &self.path)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

fn parquet_builder(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, StoreError> {
    let file = File::open(path).map_err(StoreError::io("read", path))?;
    guarded(path, || ParquetRecordBatchReaderBuilder::try_new(file))
}

/// Runs the decoder on bytes that nobody vouches for: it panics on some that are damaged.
pub(crate) fn guarded<T>(
    path: &Path,
    decode: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, StoreError> {
    // What was being decoded is dropped: nothing half-done is seen afterwards.
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| {
            let reason = "its bytes cannot be decoded: it is damaged, write or fetch it again";
            Err(ParquetError::General(reason.to_owned()))
        })
        .map_err(StoreError::parquet(path))
}
