//! Parquet files whose row groups are encoded in parallel and appended in order.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use xxhash_rust::xxh3::Xxh3;

use crate::encoding::writer_properties;
use crate::error::StoreError;
use crate::manifest::DataFile;
use crate::store::same_columns;
use crate::stored_file::{column_checksum, footer_checksum};

/// Encodes and compresses row groups of one table; shared by all threads.
#[derive(Clone)]
pub(crate) struct RowGroupEncoder {
    schema: SchemaRef,
    properties: Arc<WriterProperties>,
    factory: Arc<ArrowRowGroupWriterFactory>,
    path: PathBuf,
}

/// A row group, ready to be appended.
pub(crate) struct EncodedRowGroup {
    chunks: Vec<ArrowColumnChunk>,
    pub(crate) rows: u64,
}

impl RowGroupEncoder {
    /// Returns the encoder of `table`; `path` is named in errors.
    pub(crate) fn new(table: &str, schema: &SchemaRef, path: &Path) -> Result<Self, StoreError> {
        let mut properties = writer_properties(table, schema);
        // Readers get the Arrow types back: dictionaries, extension types and time zones.
        add_encoded_arrow_schema_to_metadata(schema, Arc::make_mut(&mut properties));
        let writer = file_writer(io::sink(), schema, &properties).map_err(StoreError::parquet(path))?;
        let factory = Arc::new(ArrowRowGroupWriterFactory::new(&writer, Arc::clone(schema)));
        Ok(Self { schema: Arc::clone(schema), properties, factory, path: path.to_owned() })
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
        let encode = || -> parquet::errors::Result<Vec<ArrowColumnChunk>> {
            let mut chunks = Vec::with_capacity(self.schema.fields().len());
            let writers = self.factory.create_column_writers(0)?;
            for ((mut writer, field), array) in
                writers.into_iter().zip(self.schema.fields()).zip(batch.columns())
            {
                for leaf in compute_leaves(field, array)? {
                    writer.write(&leaf)?;
                }
                chunks.push(writer.close()?);
            }
            Ok(chunks)
        };
        let chunks = encode().map_err(StoreError::parquet(&self.path))?;
        Ok(EncodedRowGroup { chunks, rows: batch.num_rows() as u64 })
    }
}

/// A Parquet file that is being written.
pub(crate) struct ParquetFile {
    path: PathBuf,
    writer: SerializedFileWriter<HashingWriter>,
    rows: u64,
}

impl ParquetFile {
    /// Starts a file of the encoder's table.
    pub(crate) fn create(path: &Path, encoder: &RowGroupEncoder) -> Result<Self, StoreError> {
        let file = File::create(path).map_err(StoreError::io("create", path))?;
        let sink = HashingWriter {
            file: BufWriter::with_capacity(1 << 18, file),
            hash: Box::new(Xxh3::new()),
            bytes: 0,
        };
        let writer =
            file_writer(sink, &encoder.schema, &encoder.properties).map_err(StoreError::parquet(path))?;
        Ok(Self { path: path.to_owned(), writer, rows: 0 })
    }

    /// Appends a row group.
    pub(crate) fn append(&mut self, group: EncodedRowGroup) -> Result<(), StoreError> {
        let append = || -> parquet::errors::Result<()> {
            let mut writer = self.writer.next_row_group()?;
            for chunk in group.chunks {
                chunk.append_to_row_group(&mut writer)?;
            }
            writer.close()?;
            Ok(())
        };
        append().map_err(StoreError::parquet(&self.path))?;
        self.rows += group.rows;
        Ok(())
    }

    /// Writes the footer and makes the bytes last; `name` is the file's path inside its store.
    pub(crate) fn finish(mut self, name: String) -> Result<DataFile, StoreError> {
        let metadata = self.writer.finish().map_err(StoreError::parquet(&self.path))?;
        let sink = self.writer.inner_mut();
        sink.flush().map_err(StoreError::io("write", &self.path))?;
        sink.file.get_ref().sync_all().map_err(StoreError::io("sync", &self.path))?;
        let (bytes, xxh3) = (sink.bytes, format!("{:032x}", sink.hash.digest128()));
        let written = File::open(&self.path).map_err(StoreError::io("read", &self.path))?;
        let footer = footer_checksum(&written, bytes).map_err(StoreError::io("read", &self.path))?;
        let column_xxh3 = (metadata.row_groups().iter())
            .map(|group| group.columns().iter().map(|chunk| column_checksum(&written, chunk)).collect())
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
    hash: Box<Xxh3>,
    bytes: u64,
}

impl Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
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
