//! A Parquet or Arrow file as the CSV that it would be exported to: then it is read as any other source.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use cip_core::Uuid;
use cip_store::{StoreError, TableBatches, TableSource};

use crate::address::Address;
use crate::error::IngestError;
use crate::mapping::SourceMapping;
use crate::record::Marks;
use crate::source::Source;

/// How the text is written.
pub(crate) const MARKS: Marks = Marks::usual(DELIMITER);

/// The delimiter of the text.
pub(crate) const DELIMITER: u8 = b',';

/// The text of those columns that a mapping reads, a batch at a time.
pub(crate) struct TableText {
    batches: TableBatches,
    text: Vec<u8>,
    /// How much of it was read.
    at: usize,
}

impl TableText {
    /// Opens a file; returns its text and the columns that are left out.
    ///
    /// # Errors
    /// [`IngestError::Header`] where the mapping reads a column that the file has not, [`IngestError::NestedColumn`] where one holds
    /// lists or structures, [`IngestError::Store`] where the file cannot be read.
    pub(crate) fn open(source: &Source, mapping: &SourceMapping) -> Result<(Self, Vec<String>), IngestError> {
        let path = &source.path;
        let table =
            TableSource::open(source.origin.file().unwrap_or(path)).map_err(|error| failure(path, error))?;
        let wanted = mapping.source_columns();
        let fields = table.schema().fields();
        let missing: Vec<String> = wanted
            .iter()
            .filter(|name| fields.find(name).is_none())
            .map(|name| format!("`{name}`"))
            .collect();
        let names = fields.iter().map(|field| field.name().as_str());
        if !missing.is_empty() {
            return Err(IngestError::Header {
                path: path.to_owned(),
                mapping: mapping.name().to_owned(),
                missing: missing.join(", "),
                found: format!("`{}`", names.collect::<Vec<_>>().join(",")),
            });
        }
        let nested = wanted
            .iter()
            .find(|name| fields.find(name).is_some_and(|(_, field)| field.data_type().is_nested()));
        if let Some(column) = nested {
            return Err(IngestError::NestedColumn { path: path.to_owned(), column: (*column).to_owned() });
        }
        let others = names.filter(|name| !wanted.contains(name)).map(str::to_owned).collect();
        let mut text = Vec::new();
        for (index, name) in wanted.iter().enumerate() {
            write_field(index, name.as_bytes(), &mut text);
        }
        text.push(b'\n');
        Ok((
            Self { batches: table.batches(&wanted).map_err(|error| failure(path, error))?, text, at: 0 },
            others,
        ))
    }

    /// Writes the text of a batch.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let columns = batch.columns().iter().map(|array| without_zone(array)).collect::<Vec<_>>();
        let options = FormatOptions::default();
        let columns =
            columns.iter().map(|array| Column::new(array, &options)).collect::<Result<Vec<_>, _>>()?;
        let mut value = String::new();
        for row in 0..batch.num_rows() {
            for (index, column) in columns.iter().enumerate() {
                value.clear();
                let bytes = column.bytes(row, &mut value)?;
                write_field(index, bytes, &mut self.text);
            }
            self.text.push(b'\n');
        }
        Ok(())
    }
}

impl Read for TableText {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() {
            self.text.clear();
            self.at = 0;
            let Some(batch) = self.batches.next() else { return Ok(0) };
            self.write(&batch.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
        let read = buffer.len().min(self.text.len() - self.at);
        buffer[..read].copy_from_slice(&self.text[self.at..self.at + read]);
        self.at += read;
        Ok(read)
    }
}

/// Says of which source a table cannot be read: the table itself may lie in a copy of an object.
pub(crate) fn failure(path: &Path, error: StoreError) -> IngestError {
    match Address::of(path) {
        Some(_) => IngestError::Table { path: path.to_owned(), source: io::Error::other(error) },
        None => error.into(),
    }
}

/// A column whose values are written as text.
enum Column<'a> {
    /// Bytes are taken for text; whether they are UTF-8 is checked as of any other source.
    Bytes(&'a ArrayRef),
    Uuids(&'a ArrayRef),
    Other(&'a ArrayRef, ArrayFormatter<'a>),
}

impl<'a> Column<'a> {
    fn new(array: &'a ArrayRef, options: &FormatOptions<'a>) -> Result<Self, ArrowError> {
        Ok(match array.data_type() {
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Self::Bytes(array),
            DataType::FixedSizeBinary(16) => Self::Uuids(array),
            _ => Self::Other(array, ArrayFormatter::try_new(array, options)?),
        })
    }

    fn bytes<'b>(&'b self, row: usize, value: &'b mut String) -> Result<&'b [u8], ArrowError> {
        let (Self::Bytes(array) | Self::Uuids(array) | Self::Other(array, _)) = self;
        if array.is_null(row) {
            return Ok(&[]);
        }
        match self {
            Self::Bytes(array) => Ok(match array.data_type() {
                DataType::Binary => array.as_binary::<i32>().value(row),
                DataType::LargeBinary => array.as_binary::<i64>().value(row),
                _ => array.as_binary_view().value(row),
            }),
            Self::Uuids(array) => {
                let uuid = <[u8; 16]>::try_from(array.as_fixed_size_binary().value(row));
                *value = uuid.map(|bytes| Uuid::from_bytes(bytes).to_string()).unwrap_or_default();
                Ok(value.as_bytes())
            }
            Self::Other(_, formatter) => {
                formatter.value(row).write(value)?;
                Ok(value.as_bytes())
            }
        }
    }
}

/// Times are instants whatever their zone, and are written in UTC.
fn without_zone(array: &ArrayRef) -> ArrayRef {
    let DataType::Timestamp(unit, Some(_)) = array.data_type() else { return Arc::clone(array) };
    match unit {
        TimeUnit::Second => {
            Arc::new(array.as_primitive::<TimestampSecondType>().clone().with_timezone_opt(None::<&str>))
        }
        TimeUnit::Millisecond => {
            Arc::new(array.as_primitive::<TimestampMillisecondType>().clone().with_timezone_opt(None::<&str>))
        }
        TimeUnit::Microsecond => {
            Arc::new(array.as_primitive::<TimestampMicrosecondType>().clone().with_timezone_opt(None::<&str>))
        }
        TimeUnit::Nanosecond => {
            Arc::new(array.as_primitive::<TimestampNanosecondType>().clone().with_timezone_opt(None::<&str>))
        }
    }
}

/// Appends a field, in quotes where it needs them.
fn write_field(index: usize, value: &[u8], text: &mut Vec<u8>) {
    if index > 0 {
        text.push(DELIMITER);
    }
    let special = |byte: &u8| matches!(*byte, b'"' | b'\n' | b'\r' | DELIMITER);
    if !value.iter().any(special) {
        text.extend_from_slice(value);
        return;
    }
    text.push(b'"');
    for &byte in value {
        text.extend_from_slice(if byte == b'"' { b"\"\"" } else { std::slice::from_ref(&byte) });
    }
    text.push(b'"');
}
