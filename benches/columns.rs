//! The columns of a clickstream as text, narrowed, and with codes: bytes in memory and on disk.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, DictionaryArray, RecordBatch, StringArray, cast::AsArray};
use arrow_cast::cast;
use arrow_csv::ReaderBuilder;
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use arrow_select::concat::concat_batches;
use cip::core::{IdColumn, IdDictionary};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::encodings::SessionForm;

/// The columns of the file, in their order.
pub const COLUMNS: [&str; 9] = [
    "event_time",
    "event_type",
    "product_id",
    "category_id",
    "category_code",
    "brand",
    "price",
    "user_id",
    "user_session",
];

/// Reads all columns of all files of a folder as text, in the order of the files' names.
///
/// # Errors
/// Where a file cannot be read.
pub fn read_texts(folder: &Path) -> Result<RecordBatch, Box<dyn Error>> {
    let fields: Vec<Field> = COLUMNS.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let mut files: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut batches = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "csv")) {
        let reader = ReaderBuilder::new(Arc::clone(&schema)).with_header(true).build(File::open(file)?)?;
        for batch in reader {
            batches.push(batch?);
        }
    }
    Ok(concat_batches(&schema, &batches)?)
}

/// A column in the form that its values have by nature: instants, integers, decimals, 16 bytes of a UUID.
///
/// # Errors
/// Where a value is not of that form.
pub fn narrowed(name: &str, texts: &StringArray) -> Result<ArrayRef, Box<dyn Error>> {
    let texts: ArrayRef = Arc::new(texts.clone());
    Ok(match name {
        "event_time" => {
            let plain: StringArray = texts
                .as_string::<i32>()
                .iter()
                .map(|text| text.map(|text| text.trim_end_matches(" UTC")))
                .collect();
            let times = cast(&plain, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            Arc::new(times.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC"))
        }
        "product_id" | "category_id" | "user_id" => cast(&texts, &DataType::Int64)?,
        "price" => cast(&texts, &DataType::Decimal128(18, 2))?,
        "user_session" => SessionForm::FixedSizeBinary.encode(texts.as_string::<i32>())?,
        _ => texts,
    })
}

/// A column with codes in the place of values that repeat: 32-bit keys of a dictionary, or dense 32-bit codes of ids.
///
/// # Errors
/// Where a value is not of its form.
pub fn coded(name: &str, texts: &StringArray) -> Result<ArrayRef, Box<dyn Error>> {
    Ok(match name {
        "event_type" | "category_code" | "brand" => {
            Arc::new(texts.iter().collect::<DictionaryArray<Int32Type>>())
        }
        "product_id" | "category_id" | "user_id" => {
            let ids = IdColumn::try_new(name, &narrowed(name, texts)?)?;
            Arc::new(IdDictionary::new("id", ids.id_type()).encode(&ids)?)
        }
        "user_session" => SessionForm::Dense.encode(texts)?,
        _ => narrowed(name, texts)?,
    })
}

/// Returns the bytes of a column as a Parquet file of its own, with the writer's dictionary and zstd.
///
/// # Errors
/// None in memory.
pub fn parquet_bytes(column: &ArrayRef) -> Result<usize, Box<dyn Error>> {
    let batch = RecordBatch::try_from_iter([("column", Arc::clone(column))])?;
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(file.len())
}

/// Returns the bytes of a column in memory: its buffers, without what they hold in reserve.
pub fn memory_bytes(column: &ArrayRef) -> usize {
    fn bytes(data: &ArrayData) -> usize {
        let own: usize = data.buffers().iter().map(|buffer| buffer.len()).sum();
        let nulls = data.nulls().map_or(0, |nulls| nulls.buffer().len());
        own + nulls + data.child_data().iter().map(bytes).sum::<usize>()
    }
    bytes(&column.to_data())
}
