//! Parquet files whose row groups are encoded in parallel and appended in order.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescPtr;
use xxhash_rust::xxh3::Xxh3;

use crate::column::{self, EncodedColumn, Scratch, Values};
use crate::early_sync::EarlySync;
use crate::encoding::{scheme, writer_properties};
use crate::error::StoreError;
use crate::manifest::DataFile;
use crate::store::same_columns;
use crate::stored_file::{StoredFile, column_checksum, footer_checksum};
use crate::unified::{is_text_dictionary, without_twin_texts};

/// Encodes and compresses row groups of one table; shared by all threads.
#[derive(Clone)]
pub(crate) struct RowGroupEncoder {
    schema: SchemaRef,
    properties: Arc<WriterProperties>,
    factory: Arc<ArrowRowGroupWriterFactory>,
    descriptor: SchemaDescPtr,
    scratches: Arc<Mutex<Vec<Scratch>>>,
    path: PathBuf,
}

/// A row group, ready to be appended.
pub(crate) struct EncodedRowGroup {
    chunks: Vec<EncodedChunk>,
    pub(crate) rows: u64,
}

impl EncodedRowGroup {
    /// The distinct integers of a column, where its encoding tells them.
    pub(crate) fn take_distinct(&mut self, column: usize) -> Option<Vec<i64>> {
        match self.chunks.get_mut(column)? {
            EncodedChunk::Ours(column) => column.distinct.take(),
            EncodedChunk::Arrow(_) | EncodedChunk::Stored { .. } => None,
        }
    }
}

/// A column of a row group, from the way that encoded it.
enum EncodedChunk {
    Ours(EncodedColumn),
    Arrow(ArrowColumnChunk),
    /// As it lies in a file of the store, of which it is a copy.
    Stored {
        file: StoredFile,
        close: Box<ColumnCloseResult>,
        xxh3: String,
    },
}

impl EncodedRowGroup {
    /// A row group of a file of the store as it is: its columns are copied, whatever their encodings.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a column is not the one that was written.
    pub(crate) fn stored(
        file: &StoredFile,
        data: &DataFile,
        metadata: &ParquetMetaData,
        group: usize,
    ) -> Result<Self, StoreError> {
        let described = metadata.row_group(group);
        let rows = described.num_rows().max(0).cast_unsigned();
        let mut chunks = Vec::with_capacity(described.num_columns());
        for (column, chunk) in described.columns().iter().enumerate() {
            file.check_column(data, metadata, group, column)?;
            let (_, bytes_written) = chunk.byte_range();
            let close = Box::new(ColumnCloseResult {
                bytes_written,
                rows_written: rows,
                metadata: chunk.clone(),
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            });
            let known = data.column_xxh3.get(group).and_then(|columns| columns.get(column));
            let xxh3 = known.cloned().ok_or_else(|| StoreError::not_as_recorded(file.path()))?;
            chunks.push(EncodedChunk::Stored { file: file.clone(), close, xxh3 });
        }
        Ok(Self { chunks, rows })
    }

    /// Puts another column in the place of one.
    pub(crate) fn replace(&mut self, column: usize, mut by: Self) {
        if let (Some(old), Some(new)) = (self.chunks.get_mut(column), by.chunks.pop()) {
            *old = new;
        }
    }
}

impl RowGroupEncoder {
    /// Returns the encoder of `table`; `path` is named in errors.
    pub(crate) fn new(table: &str, schema: &SchemaRef, path: &Path) -> Result<Self, StoreError> {
        let mut properties = writer_properties(table, schema);
        // Readers get the Arrow types back: dictionaries, extension types and time zones.
        add_encoded_arrow_schema_to_metadata(schema, Arc::make_mut(&mut properties));
        let writer = file_writer(io::sink(), schema, &properties).map_err(StoreError::parquet(path))?;
        let factory = Arc::new(ArrowRowGroupWriterFactory::new(&writer, Arc::clone(schema)));
        Ok(Self {
            schema: Arc::clone(schema),
            properties,
            factory,
            descriptor: Arc::new(writer.schema_descr().clone()),
            scratches: Arc::default(),
            path: path.to_owned(),
        })
    }

    /// Where a column stands in the table.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.schema.index_of(name).ok()
    }

    /// Checks that the batch has the columns of the table.
    pub(crate) fn check(&self, batch: &RecordBatch) -> Result<(), StoreError> {
        if same_columns(batch.schema_ref(), &self.schema) {
            return Ok(());
        }
        let reason = format!("a batch has [{}], its table wants [{}]", batch.schema_ref(), self.schema);
        Err(ArrowError::SchemaError(reason).into())
    }

    /// Encodes one row group.
    pub(crate) fn encode(&self, batch: &RecordBatch) -> Result<EncodedRowGroup, StoreError> {
        self.check(batch)?;
        let columns = batch.columns().iter().map(slice::from_ref).map(Values::Own);
        self.encode_columns(batch.num_rows(), columns)
    }

    /// Encodes one row group of which some rows come behind others. The bytes are those of [`RowGroupEncoder::encode`] of all.
    pub(crate) fn encode_all(&self, batches: &[RecordBatch]) -> Result<EncodedRowGroup, StoreError> {
        batches.iter().try_for_each(|batch| self.check(batch))?;
        let mut columns: Vec<Vec<ArrayRef>> = Vec::with_capacity(self.schema.fields().len());
        for column in 0..self.schema.fields().len() {
            let mut arrays: Vec<ArrayRef> =
                batches.iter().map(|batch| Arc::clone(batch.column(column))).collect();
            if is_text_dictionary(self.schema.field(column).data_type()) {
                arrays = vec![without_twin_texts(&Values::Own(&arrays).to_array()?)?];
            }
            columns.push(arrays);
        }
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        self.encode_columns(rows, columns.iter().map(|arrays| Values::Own(arrays)))
    }

    /// Encodes a row group whose columns are partly said once for many rows: `keys`, one for each row of `own`, tell
    /// which row of `keyed` it has. The bytes are those of [`RowGroupEncoder::encode`] where the keys are counted
    /// as they come and each is there.
    pub(crate) fn encode_keyed(
        &self,
        own: &RecordBatch,
        keyed: &RecordBatch,
        keys: &[u32],
    ) -> Result<EncodedRowGroup, StoreError> {
        let mut fields = Vec::with_capacity(self.schema.fields().len());
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let of = |batch: &RecordBatch| batch.schema_ref().index_of(field.name()).ok();
            if let Some(column) = of(keyed) {
                fields.push(Arc::clone(&keyed.schema_ref().fields()[column]));
                columns.push(Values::Keyed { values: keyed.column(column), keys });
            } else if let Some(column) = of(own) {
                fields.push(Arc::clone(&own.schema_ref().fields()[column]));
                columns.push(Values::Own(slice::from_ref(own.column(column))));
            }
        }
        let schema = Schema::new(fields);
        let whole = own.num_columns() + keyed.num_columns() == columns.len();
        let known = keys.len() == own.num_rows() && keys.iter().all(|&key| (key as usize) < keyed.num_rows());
        if !(whole && known && same_columns(&schema, &self.schema)) {
            let reason = format!("rows have [{schema}], their table wants [{}]", self.schema);
            return Err(ArrowError::SchemaError(reason).into());
        }
        self.encode_columns(own.num_rows(), columns.into_iter())
    }

    fn encode_columns<'a>(
        &self,
        rows: usize,
        columns: impl Iterator<Item = Values<'a>>,
    ) -> Result<EncodedRowGroup, StoreError> {
        let mut scratch = self.scratches().pop().unwrap_or_default();
        let encode = |scratch: &mut Scratch| -> parquet::errors::Result<Vec<EncodedChunk>> {
            let mut chunks = Vec::with_capacity(self.schema.fields().len());
            let mut leaves = self.descriptor.columns().iter();
            // Every writer makes a compressor: there are none where no column needs one.
            let mut writers: Vec<Option<ArrowColumnWriter>> = Vec::new();
            for (field, values) in self.schema.fields().iter().zip(columns) {
                let descriptors = leaves.as_slice();
                let ours = match (field.data_type().is_nested(), descriptors.first()) {
                    (false, Some(descriptor)) => {
                        let scheme = scheme(field.name(), field.data_type());
                        column::encode(scheme, descriptor, values, scratch)?
                    }
                    _ => None,
                };
                if let Some(encoded) = ours {
                    leaves.next();
                    chunks.push(EncodedChunk::Ours(encoded));
                    continue;
                }
                if writers.is_empty() {
                    writers = self.factory.create_column_writers(0)?.into_iter().map(Some).collect();
                }
                // A column of the schema has one leaf or, where it is nested, some.
                for leaf in &compute_leaves(field, &values.to_array()?)? {
                    let place = self.descriptor.num_columns() - leaves.len();
                    let writer = leaves.next().and_then(|_| writers.get_mut(place)?.take());
                    let Some(mut writer) = writer else { break };
                    writer.write(leaf)?;
                    chunks.push(EncodedChunk::Arrow(writer.close()?));
                }
            }
            Ok(chunks)
        };
        let chunks = encode(&mut scratch).map_err(StoreError::parquet(&self.path))?;
        self.scratches().push(scratch);
        Ok(EncodedRowGroup { chunks, rows: rows as u64 })
    }

    fn scratches(&self) -> MutexGuard<'_, Vec<Scratch>> {
        self.scratches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A Parquet file that is being written.
pub(crate) struct ParquetFile {
    path: PathBuf,
    writer: SerializedFileWriter<HashingWriter>,
    rows: u64,
    /// The checksums of the columns of every row group; none of those that the Arrow writer encoded.
    column_xxh3: Vec<Vec<Option<String>>>,
}

impl ParquetFile {
    /// Starts a file of the encoder's table.
    pub(crate) fn create(path: &Path, encoder: &RowGroupEncoder) -> Result<Self, StoreError> {
        let file = File::create(path).map_err(StoreError::io("create", path))?;
        let sink = HashingWriter {
            file: BufWriter::with_capacity(1 << 18, file),
            early: EarlySync::default(),
            hash: Box::new(Xxh3::new()),
            bytes: 0,
        };
        let writer =
            file_writer(sink, &encoder.schema, &encoder.properties).map_err(StoreError::parquet(path))?;
        Ok(Self { path: path.to_owned(), writer, rows: 0, column_xxh3: Vec::new() })
    }

    /// Appends a row group.
    pub(crate) fn append(&mut self, group: EncodedRowGroup) -> Result<(), StoreError> {
        let append = || -> parquet::errors::Result<Vec<Option<String>>> {
            let mut writer = self.writer.next_row_group()?;
            let mut checksums = Vec::with_capacity(group.chunks.len());
            for chunk in group.chunks {
                checksums.push(match chunk {
                    EncodedChunk::Ours(column) => {
                        writer.append_column(&column.bytes, column.close)?;
                        Some(column.xxh3)
                    }
                    EncodedChunk::Arrow(chunk) => {
                        chunk.append_to_row_group(&mut writer)?;
                        None
                    }
                    EncodedChunk::Stored { file, close, xxh3 } => {
                        writer.append_column(&file, *close)?;
                        Some(xxh3)
                    }
                });
            }
            writer.close()?;
            Ok(checksums)
        };
        let checksums = append().map_err(StoreError::parquet(&self.path))?;
        self.column_xxh3.push(checksums);
        self.rows += group.rows;
        Ok(())
    }

    /// Writes the footer and makes the bytes last; `name` is the file's path inside its store.
    pub(crate) fn finish(mut self, name: String) -> Result<DataFile, StoreError> {
        let metadata = self.writer.finish().map_err(StoreError::parquet(&self.path))?;
        let sink = self.writer.inner_mut();
        sink.flush().map_err(StoreError::io("write", &self.path))?;
        sink.early.finish().map_err(StoreError::io("sync", &self.path))?;
        sink.file.get_ref().sync_all().map_err(StoreError::io("sync", &self.path))?;
        let (bytes, xxh3) = (sink.bytes, format!("{:032x}", sink.hash.digest128()));
        let written = File::open(&self.path).map_err(StoreError::io("read", &self.path))?;
        let footer = footer_checksum(&written, bytes).map_err(StoreError::io("read", &self.path))?;
        let checksum = |(known, chunk): (Option<String>, &ColumnChunkMetaData)| match known {
            Some(known) => Ok(known),
            None => column_checksum(&written, chunk),
        };
        let column_xxh3 = (self.column_xxh3.into_iter().zip(metadata.row_groups()))
            .map(|(known, group)| known.into_iter().zip(group.columns()).map(checksum).collect())
            .collect::<io::Result<_>>()
            .map_err(StoreError::io("read", &self.path))?;
        Ok(DataFile {
            path: name,
            rows: self.rows,
            bytes,
            xxh3,
            footer_xxh3: footer.unwrap_or_default(),
            column_xxh3,
        })
    }
}

fn file_writer<W: Write + Send>(
    sink: W,
    schema: &SchemaRef,
    properties: &Arc<WriterProperties>,
) -> parquet::errors::Result<SerializedFileWriter<W>> {
    let descriptor = ArrowSchemaConverter::new().convert(schema)?;
    SerializedFileWriter::new(sink, descriptor.root_schema_ptr(), Arc::clone(properties))
}

/// Writes to a file and takes the checksum on the way.
struct HashingWriter {
    file: BufWriter<File>,
    early: EarlySync,
    hash: Box<Xxh3>,
    bytes: u64,
}

impl Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        self.early.written(self.file.get_ref(), self.bytes)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Returns the XXH3-128 of a file's bytes.
pub(crate) fn checksum(path: &Path) -> Result<String, StoreError> {
    let mut file = File::open(path).map_err(StoreError::io("read", path))?;
    let mut hash = Xxh3::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match io::Read::read(&mut file, &mut buffer).map_err(StoreError::io("read", path))? {
            0 => return Ok(format!("{:032x}", hash.digest128())),
            read => hash.update(&buffer[..read]),
        }
    }
}
