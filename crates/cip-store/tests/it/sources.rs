//! Tables from elsewhere: CSV and Parquet are read alike, and what is neither says so.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::DataType;
use arrow_select::concat::concat_batches;
use cip_store::{StoreError, TableSource, TableWriter};
use proptest::prelude::*;

fn file(bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// All rows of some columns.
fn read(table: &TableSource, columns: &[&str]) -> RecordBatch {
    let batches = table.batches(columns).unwrap();
    let schema = Arc::clone(batches.schema());
    concat_batches(&schema, &batches.map(|batch| batch.unwrap()).collect::<Vec<_>>()).unwrap()
}

fn refuse(bytes: impl AsRef<[u8]>) -> String {
    let (_folder, path) = file(bytes);
    let message = TableSource::open(&path).unwrap_err().to_string();
    message.replace(&path.display().to_string(), "T")
}

/// The same rows as CSV and as Parquet.
fn both() -> [(tempfile::TempDir, TableSource); 2] {
    let rows = 20_000;
    let ids = Int64Array::from_iter_values(0..rows);
    let arms: StringArray =
        (0..rows).map(|row| (row % 5 != 0).then_some(["a", "b, \"c\""][row as usize % 2])).collect();
    let spent: Float64Array = (0..rows).map(|row| (row % 7 != 0).then_some(row as f64 / 4.0)).collect();
    let paid: BooleanArray = (0..rows).map(|row| Some(row % 3 == 0)).collect();
    let mut text = String::from("\u{feff}id,arm,spent,paid\r\n");
    for row in 0..rows as usize {
        let arm = if arms.is_null(row) { "" } else { ["a", "\"b, \"\"c\"\"\""][row % 2] };
        let spent = if spent.is_null(row) { String::new() } else { format!("{:?}", spent.value(row)) };
        text.push_str(&format!("{row},{arm},{spent},{}\r\n", if paid.value(row) { "TRUE" } else { "FALSE" }));
    }
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(ids)),
        ("arm", Arc::new(arms)),
        ("spent", Arc::new(spent)),
        ("paid", Arc::new(paid)),
    ];
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
    let (csv_folder, csv) = file(text);
    let folder = tempfile::tempdir().unwrap();
    let parquet = folder.path().join("t.csv");
    let mut writer = TableWriter::create(&parquet, "t", &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    [(csv_folder, TableSource::open(&csv).unwrap()), (folder, TableSource::open(&parquet).unwrap())]
}

#[test]
fn csv_and_parquet_of_the_same_rows_are_the_same_table() {
    let [(_a, csv), (_b, parquet)] = both();
    assert_eq!(csv.schema(), parquet.schema());
    for columns in [&["id", "arm", "spent", "paid"][..], &["paid", "id"], &["arm", "arm"], &["spent"], &[]] {
        let (a, b) = (read(&csv, columns), read(&parquet, columns));
        assert_eq!(a.num_rows(), 20_000);
        assert_eq!(a, b, "{columns:?}");
        let names: Vec<_> = a.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, columns);
        // Again, from the start.
        assert_eq!(read(&csv, columns), a);
    }
}

#[test]
fn a_column_that_is_not_there_is_named_with_those_that_are() {
    for (_folder, table) in both() {
        let error = table.batches(&["id", "variant"]).unwrap_err().to_string();
        assert!(error.ends_with("has no column `variant`: it has `id`, `arm`, `spent`, `paid`"), "{error}");
    }
}

#[test]
fn types_are_those_of_the_whole_file() {
    let mut text = String::from("n,code,note\n");
    for row in 0..50_000 {
        text.push_str(&format!("{row},{row},\n"));
    }
    text.push_str("0.5,007,\"line\nbreak\"\n");
    let (_folder, path) = file(text);
    let table = TableSource::open(&path).unwrap();
    let types: Vec<_> = table.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    assert_eq!(types, [DataType::Float64, DataType::Utf8, DataType::Utf8]);
    let rows = read(&table, &["code", "n", "note"]);
    assert_eq!(rows.column(0).as_string::<i32>().value(50_000), "007");
    assert_eq!(rows.column(1).as_primitive::<Float64Type>().value(50_000), 0.5);
    assert_eq!(
        (rows.column(2).null_count(), rows.column(2).as_string::<i32>().value(50_000)),
        (50_000, "line\nbreak")
    );
}

#[test]
fn the_header_tells_the_delimiter() {
    for (text, names) in [
        ("a;b, c;d\n1;2;3\n", &["a", "b, c", "d"][..]),
        ("\n\"x;y;z\",b,c\n1,2,3\n", &["x;y;z", "b", "c"]),
        ("a\tb\r\n1\t2\r\n", &["a", "b"]),
        ("a,b;c\n1,2\n", &["a", "b;c"]),
        ("alone\n7\n", &["alone"]),
    ] {
        let (_folder, path) = file(text);
        let table = TableSource::open(&path).unwrap();
        let found: Vec<_> = table.schema().fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(found, names, "{text:?}");
        let last = read(&table, &names[names.len() - 1..]);
        assert_eq!((last.num_rows(), last.column(0).data_type()), (1, &DataType::Int64), "{text:?}");
    }
}

#[test]
fn a_header_alone_is_a_table_without_rows() {
    for text in ["a,b", "a,b\n", "a,b\r\n\r\n"] {
        let (_folder, path) = file(text);
        let table = TableSource::open(&path).unwrap();
        assert_eq!(table.schema().fields().len(), 2);
        assert_eq!(table.batches(&["a"]).unwrap().count(), 0);
    }
}

#[test]
fn long_rows_come_in_small_batches() {
    let (_folder, path) = file(format!("a\n{}{}\n", "x\n".repeat(300), "y".repeat(1 << 20)));
    let table = TableSource::open(&path).unwrap();
    let rows: Vec<_> = table.batches(&["a"]).unwrap().map(|batch| batch.unwrap().num_rows()).collect();
    assert!(rows.iter().all(|&rows| rows <= 8), "{rows:?}");
    assert_eq!(rows.iter().sum::<usize>(), 301);
}

#[test]
fn what_is_no_table_is_refused_with_the_line_and_the_mend() {
    for (bytes, message) in [
        (&b""[..], "T is empty: expected a Parquet file, or CSV with a header line"),
        (b"\r\n\n", "T is empty"),
        (b"a,b\n1,2\n\n3\n", "T line 4 has 1 field(s), the header has 2: mend it"),
        (b"a,b\r\n1,\"x\r\ny\"\r\n\r\n1,2,3\r\n", "T line 5 has 3 field(s), the header has 2"),
        (b"a,b,a\n", "T has two columns named `a`: rename one"),
        (b"a,b\n1,\"x\n2,3\n", "T line 2 opens a quote that is not closed"),
        (b"a,b\n1,\"x", "T line 2 opens a quote that is not closed"),
        (b"a\nx\n\xff\n", "T line 3 is not UTF-8 text"),
        (b"a,b\n\xc3,\xa9\n", "T line 2 is not UTF-8 text"),
        (
            &[0x1f, 0x8b, 8, 0, 0xff],
            "T line 1 is not UTF-8 text: expected CSV in UTF-8 (or a Parquet file), not compressed",
        ),
        (b"PAR1", "T: "),
        (b"PAR1 and then nothing that a footer could be", "T: "),
        (b"PAR1PAR1", "T: "),
    ] {
        let found = refuse(bytes);
        assert!(found.starts_with(message), "{found}");
    }
    assert!(refuse(",".repeat(20_000)).contains("line 1 has more than 16384 fields"));
    assert!(
        refuse(format!("a\n\"{}", "x".repeat(20 << 20)))
            .contains("line 2 starts a row of more than 16777216 bytes")
    );
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(TableSource::open(folder.path()), Err(StoreError::NotATable { .. })));
    let missing = TableSource::open(&folder.path().join("none")).unwrap_err().to_string();
    assert!(missing.contains("cannot read") && missing.contains("check the path"), "{missing}");
}

#[test]
fn a_table_that_changes_under_the_reader_is_an_error() {
    let (_folder, path) = file("a,b\n1,2\n");
    let table = TableSource::open(&path).unwrap();
    for text in [&b"a,b\nx,2\n"[..], b"a,b\n1\n", b"a,b\n\xff,2\n"] {
        fs::write(&path, text).unwrap();
        let batches: Vec<_> = table.batches(&["a"]).unwrap().collect();
        assert!(matches!(batches[..], [Err(StoreError::Changed { .. })]), "{batches:?}");
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(table.batches(&["a"]), Err(StoreError::Io { .. })));
}

/// Reads all of whatever the bytes are.
fn read_through(bytes: &[u8]) {
    let (_folder, path) = file(bytes);
    let Ok(table) = TableSource::open(&path) else { return };
    let names: Vec<_> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
    let columns: Vec<_> = names.iter().map(String::as_str).collect();
    if let Ok(batches) = table.batches(&columns) {
        batches.for_each(drop);
    }
}

#[test]
fn damaged_parquet_is_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    let numbers: Int64Array = (0..50).map(|row| (row % 3 != 0).then_some(row)).collect();
    let columns: [(&str, ArrayRef); 2] = [
        ("n", Arc::new(numbers)),
        ("t", Arc::new((0..50).map(|row| Some(format!("{row}"))).collect::<StringArray>())),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = TableWriter::create(&path, "t", &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    let good = fs::read(&path).unwrap();
    assert_eq!(
        read(&TableSource::open(&path).unwrap(), &["n"]).column(0).as_primitive::<Int64Type>().len(),
        50
    );
    for end in 0..good.len() {
        read_through(&good[..end]);
    }
    for place in 4..good.len() {
        for flip in [0xff, 0x01, 0x80] {
            let mut bytes = good.clone();
            bytes[place] ^= flip;
            read_through(&bytes);
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_through(&bytes);
        read_through(&[b"PAR1", &bytes[..]].concat());
    }

    /// Every text that looks like CSV is read as often as it is asked for, and never changes meanwhile.
    #[test]
    fn whatever_opens_is_read_to_its_end(text in "[a1.,\"\r\n -]{0,80}") {
        let (_folder, path) = file(&text);
        if let Ok(table) = TableSource::open(&path) {
            let names: Vec<_> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
            let columns: Vec<_> = names.iter().map(String::as_str).collect();
            for batch in table.batches(&columns).unwrap() {
                batch.unwrap();
            }
        }
    }
}

#[test]
fn an_arrow_file_reads_as_parquet_does_and_damage_is_an_error_or_harmless() {
    let [_, (_keep, parquet)] = both();
    let rows = read(&parquet, &["id", "arm"]).slice(0, 100);
    let write = |compression| {
        let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
        let mut writer = FileWriter::try_new_with_options(Vec::new(), &rows.schema(), options).unwrap();
        writer.write(&rows).unwrap();
        writer.into_inner().unwrap()
    };
    for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        let bytes = write(compression);
        let (_folder, path) = file(&bytes);
        let table = TableSource::open(&path).unwrap();
        assert_eq!(read(&table, &["id", "arm"]), rows);
        assert_eq!(read(&table, &["arm", "id"]).column(1), rows.column(0));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            fs::write(&path, damaged).unwrap();
            if let Ok(table) = TableSource::open(&path)
                && let Ok(batches) = table.batches(&["id", "arm"])
            {
                batches.take_while(Result::is_ok).for_each(drop);
            }
        }
    }
}
