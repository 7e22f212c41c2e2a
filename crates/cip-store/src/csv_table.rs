//! CSV as a table: the types of its columns, found by reading all of it, and its batches.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow_csv::{Reader, ReaderBuilder};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::csv_records::{CsvRecords, delimiter};
use crate::error::{CsvProblem, StoreError};

/// What is known of a CSV file after one reading.
#[derive(Debug, Clone)]
pub(crate) struct CsvTable {
    pub(crate) schema: SchemaRef,
    delimiter: u8,
    batch_rows: usize,
}

impl CsvTable {
    /// Reads all of the file once.
    pub(crate) fn scan(path: &Path) -> Result<Self, StoreError> {
        /// The most rows of a batch, and the most bytes where rows are long.
        const BATCH_ROWS: usize = 8_192;
        const BATCH_BYTES: usize = 8 << 20;
        let delimiter = delimiter(path)?;
        let mut records = CsvRecords::open(path, delimiter)?;
        let header = records.next()?.ok_or_else(|| StoreError::EmptyTable { path: path.to_owned() })?;
        let names: Vec<String> = header.fields().map(str::to_owned).collect();
        check_names(path, names.iter().map(String::as_str))?;
        let mut longest = header.bytes() + names.len() * size_of::<usize>();
        let mut columns = vec![Seen::default(); names.len()];
        while let Some(record) = records.next()? {
            if record.len() != names.len() {
                let problem = CsvProblem::Fields { found: record.len(), expected: names.len() };
                return Err(StoreError::CsvLine { path: path.to_owned(), line: record.line, problem });
            }
            longest = longest.max(record.bytes() + names.len() * size_of::<usize>());
            columns.iter_mut().zip(record.fields()).for_each(|(column, field)| column.see(field));
        }
        let fields: Vec<Field> = names
            .into_iter()
            .zip(&columns)
            .map(|(name, column)| Field::new(name, column.data_type(), true))
            .collect();
        let batch_rows = (BATCH_BYTES / longest).clamp(1, BATCH_ROWS);
        Ok(Self { schema: Schema::new(fields).into(), delimiter, batch_rows })
    }

    /// Starts a reading of the columns at these positions.
    pub(crate) fn read(&self, path: &Path, positions: Vec<usize>) -> Result<CsvBatches, StoreError> {
        let fields = self.schema.fields();
        let texts: Vec<Field> =
            fields.iter().map(|field| Field::new(field.name(), DataType::Utf8, true)).collect();
        let file = File::open(path).map_err(StoreError::io("read", path))?;
        let reader = ReaderBuilder::new(Schema::new(texts).into())
            .with_header(true)
            .with_delimiter(self.delimiter)
            .with_batch_size(self.batch_rows)
            .with_projection(positions.clone())
            .build(file)?;
        let schema = Arc::new(self.schema.project(&positions)?);
        Ok(CsvBatches { path: path.to_owned(), schema, reader })
    }
}

/// Checks that no name is given twice.
pub(crate) fn check_names<'a>(path: &Path, names: impl Iterator<Item = &'a str>) -> Result<(), StoreError> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(StoreError::DuplicateColumn { path: path.to_owned(), column: name.to_owned() });
        }
    }
    Ok(())
}

/// The batches of some columns of a CSV file.
pub(crate) struct CsvBatches {
    path: PathBuf,
    schema: SchemaRef,
    reader: Reader<File>,
}

impl CsvBatches {
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        let changed = || StoreError::Changed { path: self.path.clone() };
        let Some(texts) = self.reader.next() else { return Ok(None) };
        // Whatever can be wrong with the text was found by the scan.
        let texts = texts.map_err(|_| changed())?;
        let typed = (texts.columns().iter().zip(self.schema.fields()))
            .map(|(texts, field)| typed(texts.as_string::<i32>(), field.data_type()).ok_or_else(changed))
            .collect::<Result<_, _>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(texts.num_rows()));
        Ok(Some(RecordBatch::try_new_with_options(Arc::clone(&self.schema), typed, &rows)?))
    }
}

/// What the fields of a column look like.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    booleans: bool,
    integers: bool,
    floats: bool,
    texts: bool,
}

impl Seen {
    fn see(&mut self, field: &str) {
        if self.texts || is_null(field) {
            return;
        }
        if integer(field).is_some() {
            self.integers = true;
        } else if float(field).is_some() {
            self.floats = true;
        } else if boolean(field).is_some() {
            self.booleans = true;
        } else {
            self.texts = true;
        }
    }

    fn data_type(self) -> DataType {
        match (self.texts, self.booleans, self.integers, self.floats) {
            (false, true, false, false) => DataType::Boolean,
            (false, false, true, false) => DataType::Int64,
            (false, false, _, true) => DataType::Float64,
            _ => DataType::Utf8,
        }
    }
}

/// The fields as values of the type that was found for them; none where they no longer are of it.
fn typed(fields: &StringArray, data_type: &DataType) -> Option<ArrayRef> {
    let present = fields.iter().map(|field| field.filter(|field| !is_null(field)));
    Some(match data_type {
        DataType::Boolean => Arc::new(values(present, boolean)?.into_iter().collect::<BooleanArray>()),
        DataType::Int64 => Arc::new(Int64Array::from(values(present, integer)?)),
        DataType::Float64 => {
            let number = |field: &str| float(field).or_else(|| integer(field).map(|whole| whole as f64));
            Arc::new(Float64Array::from(values(present, number)?))
        }
        _ if fields.iter().flatten().any(is_null) => Arc::new(present.collect::<StringArray>()),
        _ => Arc::new(fields.clone()),
    })
}

fn values<'a, T>(
    fields: impl Iterator<Item = Option<&'a str>>,
    read: impl Fn(&str) -> Option<T>,
) -> Option<Vec<Option<T>>> {
    fields.map(|field| field.map_or(Some(None), |field| read(field).map(Some))).collect()
}

/// An empty field, or one of blanks.
fn is_null(field: &str) -> bool {
    field.bytes().all(|byte| byte == b' ')
}

fn boolean(field: &str) -> Option<bool> {
    if field.eq_ignore_ascii_case("true") {
        Some(true)
    } else {
        field.eq_ignore_ascii_case("false").then_some(false)
    }
}

/// A whole number that its own digits write: `007` is a code, and would not come back.
fn integer(field: &str) -> Option<i64> {
    let digits = field.strip_prefix('-').unwrap_or(field);
    let plain = match digits.as_bytes() {
        [b'0'] => digits.len() == field.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if plain { field.parse().ok() } else { None }
}

/// A number with a point or an exponent, or one of the words for what is none.
fn float(field: &str) -> Option<f64> {
    match field {
        "NaN" | "nan" => Some(f64::NAN),
        "inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        _ => {
            let number =
                field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
            let fraction = field.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
            if number && fraction { field.parse().ok() } else { None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array;

    fn type_of(fields: &[&str]) -> DataType {
        let mut seen = Seen::default();
        fields.iter().for_each(|field| seen.see(field));
        seen.data_type()
    }

    #[test]
    fn a_column_has_the_type_of_all_its_fields() {
        for (fields, expected) in [
            (&["1", "-2", "0", "", " "][..], DataType::Int64),
            (&["9223372036854775807", "-9223372036854775808"], DataType::Int64),
            (&["1", "2.5"], DataType::Float64),
            (&["17850.0", ".5", "1.", "1e3", "-1E-3", "NaN", "inf"], DataType::Float64),
            (&["TRUE", "false", "True"], DataType::Boolean),
            // Codes, ids beyond 64 bits, mixtures, dates, padded numbers, and nothing at all.
            (&["007", "8"], DataType::Utf8),
            (&["9223372036854775808"], DataType::Utf8),
            (&["-0"], DataType::Utf8),
            (&["+1"], DataType::Utf8),
            (&["true", "1"], DataType::Utf8),
            (&["1", "x"], DataType::Utf8),
            (&["2019-10-01", "2019-10-01 00:00:00 UTC"], DataType::Utf8),
            (&["1 ", "2"], DataType::Utf8),
            (&["1.2.3"], DataType::Utf8),
            (&["e", "."], DataType::Utf8),
            (&["", " "], DataType::Utf8),
            (&[], DataType::Utf8),
        ] {
            assert_eq!(type_of(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn fields_become_values_of_the_type() {
        let fields = StringArray::from(vec![Some("1"), None, Some(" "), Some("2.5")]);
        let numbers = typed(&fields, &DataType::Float64).unwrap();
        assert_eq!(
            numbers.as_ref(),
            &Float64Array::from(vec![Some(1.0), None, None, Some(2.5)]) as &dyn Array
        );
        assert!(typed(&fields, &DataType::Int64).is_none());
        let texts = typed(&fields, &DataType::Utf8).unwrap();
        assert_eq!(texts.null_count(), 2);
    }
}
