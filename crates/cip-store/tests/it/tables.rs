//! Result tables: slices, dictionaries and nulls come back as they went in.

use std::fs;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray};
use arrow_select::concat::concat_batches;
use cip_store::{StoreError, TableWriter, read_table};

fn table(rows: i64) -> RecordBatch {
    let segments: DictionaryArray<Int32Type> =
        (0..rows).map(|row| (row % 3 != 0).then_some(["Champions", "At Risk"][row as usize % 2])).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("n", Arc::new(Int64Array::from_iter_values(0..rows)) as ArrayRef, false),
        ("segment", Arc::new(segments), true),
        ("text", Arc::new((0..rows).map(|row| Some(format!("row {row}"))).collect::<StringArray>()), false),
    ])
    .unwrap()
}

#[test]
fn slices_come_back_as_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let whole = table(1_000);
    let mut writer = TableWriter::create(&path, "t", &whole.schema()).unwrap();
    let mut start = 0;
    for length in [1, 0, 99, 400, 500] {
        writer.write(whole.slice(start, length)).unwrap();
        start += length;
    }
    assert_eq!(writer.finish().unwrap(), 1_000);
    let batches: Vec<_> = read_table(&path).unwrap().map(|batch| batch.unwrap()).collect();
    assert_eq!(batches[0].schema().fields(), whole.schema().fields());
    assert_eq!(concat_batches(&batches[0].schema(), &batches).unwrap(), whole);
}

#[test]
fn an_empty_table_has_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let schema = table(1).schema();
    assert_eq!(TableWriter::create(&path, "t", &schema).unwrap().finish().unwrap(), 0);
    let reader = read_table(&path).unwrap();
    assert_eq!(reader.schema().fields(), schema.fields());
    assert_eq!(reader.count(), 0);
}

#[test]
fn a_batch_of_another_schema_is_refused_and_the_old_table_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    fs::write(&path, b"PAR1 old").unwrap();
    let whole = table(5);
    for other in [
        whole.project(&[0]).unwrap(),
        whole.project(&[1, 0, 2]).unwrap(),
        whole.project(&[0, 1, 2, 2]).unwrap(),
    ] {
        let mut writer = TableWriter::create(&path, "t", &whole.schema()).unwrap();
        writer.write(whole.clone()).unwrap();
        let written = writer.write(other).and_then(|()| writer.finish());
        assert!(matches!(written, Err(StoreError::Arrow(_))), "{written:?}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"PAR1 old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
