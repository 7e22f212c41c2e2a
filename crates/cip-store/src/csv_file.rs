//! Small result tables as CSV, for spreadsheets: written atomically.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_csv::WriterBuilder;

use crate::error::StoreError;
use crate::staged::StagedFile;

/// Writes `table` as CSV to `path`, with a header line, and returns its number of rows.
///
/// # Output
/// UTF-8, commas, RFC 4180 quotes and LF; nulls are empty, dates as in 2011-12-09, sums with all their decimals, other numbers with as many digits
/// as it takes to read them back.
///
/// # Errors
/// [`StoreError::NotOurs`] where `path` is a folder, or a file that does not start with this header; [`StoreError::Busy`] where another run
/// writes it; [`StoreError::Io`]; the old file is then still there.
pub fn write_csv(path: &Path, table: &RecordBatch) -> Result<u64, StoreError> {
    let mut bytes = Vec::new();
    WriterBuilder::new().with_header(true).build(&mut bytes).write(table)?;
    if !may_replace(path, &bytes)? {
        return Err(StoreError::NotOurs { path: path.to_owned() });
    }
    let staged = StagedFile::begin(path)?;
    std::fs::write(staged.path(), &bytes).map_err(StoreError::io("write", staged.path()))?;
    staged.publish()?;
    Ok(table.num_rows() as u64)
}

/// A table replaces an empty file, or one of the same columns: never somebody's notes.
fn may_replace(path: &Path, table: &[u8]) -> Result<bool, StoreError> {
    if !path.is_file() {
        return Ok(true);
    }
    let header: Vec<u8> = table.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default().to_vec();
    let file = File::open(path).map_err(StoreError::io("read", path))?;
    let mut start = Vec::new();
    let mut file = BufReader::new(file.take(header.len() as u64 + 1));
    file.read_until(b'\n', &mut start).map_err(StoreError::io("read", path))?;
    Ok(start.is_empty() || start == header)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray};

    use super::*;

    fn table() -> RecordBatch {
        let sums = Decimal128Array::from(vec![Some(-1_205), None]).with_precision_and_scale(38, 3).unwrap();
        RecordBatch::try_from_iter_with_nullable([
            ("day", Arc::new(Date32Array::from(vec![Some(15_317), Some(0)])) as ArrayRef, false),
            ("name", Arc::new(StringArray::from(vec![Some("a \"b\", c"), None])), true),
            ("n", Arc::new(Int64Array::from(vec![None, Some(-7)])), true),
            ("share", Arc::new(Float64Array::from(vec![Some(1.0 / 3.0), None])), true),
            ("sum", Arc::new(sums), true),
        ])
        .unwrap()
    }

    #[test]
    fn values_are_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let expected = "day,name,n,share,sum\n2011-12-09,\"a \"\"b\"\", c\",,0.3333333333333333,-1.205\n1970-01-01,,-7,,\n";
        for _ in 0..2 {
            assert_eq!(write_csv(&path, &table()).unwrap(), 2);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected, "its own table is replaced");
        }
        assert_eq!(write_csv(&path, &table().slice(0, 0)).unwrap(), 0);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "day,name,n,share,sum\n");
    }

    #[test]
    fn what_is_not_such_a_table_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        for text in ["day,name\n1,2\n", "dear diary", "day,name,n,share,sum", "day,name,n,share,sum,more\n"] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(write_csv(&path, &table()), Err(StoreError::NotOurs { .. })), "{text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        std::fs::write(&path, "").unwrap();
        write_csv(&path, &table()).unwrap();
        assert!(matches!(write_csv(folder.path(), &table()), Err(StoreError::NotOurs { .. })));
        assert!(matches!(write_csv(&folder.path().join("no/t.csv"), &table()), Err(StoreError::Io { .. })));
    }
}
