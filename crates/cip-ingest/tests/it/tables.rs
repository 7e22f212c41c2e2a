//! Parquet and Arrow files as sources: the same events as from CSV.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int64Array,
    ListArray, RecordBatch, StringArray, StringViewArray, TimestampMillisecondArray,
    TimestampNanosecondArray,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use cip_ingest::{Ingest, IngestReport, SourceMapping};
use cip_store::{EventStore, TableWriter};

use crate::formats::event_lines;
use crate::{HEADER, bytes_of, rees46, threads};

const FIRST: i64 = 1_569_888_000_000;

/// Three events in the types that programs write, and as CSV.
pub(crate) fn table() -> (RecordBatch, String) {
    let session = "72d76fde-8bb3-4e00-8c23-a032dfed7300";
    let uuid = cip_core::Uuid::parse(session.as_bytes()).unwrap().bytes();
    let times = TimestampMillisecondArray::from(vec![FIRST, FIRST + 1_500, FIRST + 2_000]);
    let prices = Decimal128Array::from(vec![Some(150), None, Some(1_050)]);
    let codes: DictionaryArray<Int32Type> =
        [Some("a.b"), None, Some("with \"quotes\", and\nlines")].into_iter().collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("agent", Arc::new(StringArray::from(vec!["x", "y", "z"]))),
        ("event_time", Arc::new(times.with_timezone("+02:00"))),
        ("event_type", Arc::new(StringViewArray::from(vec!["view", "cart", "view"]))),
        ("user_id", Arc::new(Float64Array::from(vec![7.0, 7.0, 8.0]))),
        ("product_id", Arc::new(Int64Array::from(vec![1, 1, 3]))),
        ("category_id", Arc::new(Int64Array::from(vec![Some(2), Some(2), None]))),
        ("category_code", Arc::new(codes)),
        ("brand", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"c"), None, Some("ü".as_bytes())]))),
        ("price", Arc::new(prices.with_precision_and_scale(10, 2).unwrap())),
        (
            "user_session",
            Arc::new(
                FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                    [Some(uuid), Some(uuid), None].into_iter(),
                    16,
                )
                .unwrap(),
            ),
        ),
    ];
    let csv = format!(
        "{HEADER}\n2019-10-01,view,1,2,a.b,c,1.50,7,{session}\n2019-10-01 00:00:01.5,cart,1,2,,,,7,{session}\n\
         2019-10-01 00:00:02,view,3,,\"with \"\"quotes\"\", and\nlines\",ü,10.50,8,\n"
    );
    (RecordBatch::try_from_iter(columns).unwrap(), csv)
}

pub(crate) fn arrow_file(path: &Path, batch: &RecordBatch, compression: Option<CompressionType>) {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = FileWriter::try_new_with_options(file, &batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
}

pub(crate) fn parquet_file(path: &Path, batch: &RecordBatch) {
    let mut writer = TableWriter::create(path, "t", &batch.schema()).unwrap();
    writer.write(batch.clone()).unwrap();
    writer.finish().unwrap();
}

fn ingest(
    mapping: SourceMapping,
    file: &Path,
) -> Result<(tempfile::TempDir, EventStore, IngestReport), String> {
    let folder = tempfile::tempdir().unwrap();
    let done = Ingest::new(mapping).run(&[file.to_owned()], &folder.path().join("store"), &mut |_| ());
    let (store, report) = done.map_err(|error| error.to_string())?;
    Ok((folder, store, report))
}

#[test]
fn the_events_are_those_of_the_exported_csv() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (batch, csv) = table();
    std::fs::write(path("t.csv"), csv).unwrap();
    parquet_file(&path("t.parquet"), &batch);
    arrow_file(&path("plain.arrow"), &batch, None);
    arrow_file(&path("lz4.feather"), &batch, Some(CompressionType::LZ4_FRAME));
    arrow_file(&path("zstd.arrow"), &batch, Some(CompressionType::ZSTD));
    let (_folder, expected, _) = ingest(rees46(), &path("t.csv")).unwrap();
    for name in ["t.parquet", "plain.arrow", "lz4.feather", "zstd.arrow"] {
        let (_folder, store, report) = ingest(rees46(), &path(name)).unwrap();
        assert_eq!(event_lines(&store), event_lines(&expected), "{name}");
        assert_eq!(report.unmapped_columns, ["agent"]);
        assert_eq!(report.bytes, std::fs::metadata(path(name)).unwrap().len());
        let preview = Ingest::new(rees46()).preview(&[path(name)]).unwrap();
        assert_eq!((preview.account.events, preview.unmapped_columns), (3, vec!["agent".to_owned()]));
    }
    // In a folder they are found by their names.
    let target = path("store");
    let (_, report) = Ingest::new(rees46()).run(&[folder.path().to_owned()], &target, &mut |_| ()).unwrap();
    assert_eq!((report.files, report.account.events), (5, 15));
}

#[test]
fn rows_that_do_not_fit_are_rejected_with_the_row_of_the_csv() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.parquet");
    let times =
        TimestampNanosecondArray::from(vec![Some(FIRST * 1_000_000), Some(FIRST * 1_000_000 + 1), None]);
    let columns: Vec<(&str, ArrayRef)> =
        vec![("t", Arc::new(times)), ("e", Arc::new(StringArray::from(vec!["view"; 3])))];
    parquet_file(&file, &RecordBatch::try_from_iter(columns).unwrap());
    let mapping = "name = 'x'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
                   event_type = { from = 'e', type = 'dictionary' }";
    let mapping = SourceMapping::from_toml(mapping).unwrap();
    let (_folder, store, report) = ingest(mapping, &file).unwrap();
    // What is finer than a microsecond is not dropped in silence.
    assert_eq!((report.account.rejects["invalid_time"], report.account.rejects["missing_value"]), (1, 1));
    let rejects = store.rejects().unwrap().unwrap().next().unwrap().unwrap();
    let column = |name: &str| format!("{:?}", rejects.column_by_name(name).unwrap());
    assert!(column("line").contains("  3,\n  4,\n"), "{}", column("line"));
    assert!(
        column("detail").contains("`2019-10-01T00:00:00.000000001` is not a time"),
        "{}",
        column("detail")
    );
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let refuse = |name: &str| ingest(rees46(), &path(name)).map(|_| ()).unwrap_err();
    let (batch, _) = table();
    let some = batch.project(&[0, 1]).unwrap();
    parquet_file(&path("some.parquet"), &some);
    let error = refuse("some.parquet");
    assert!(error.contains("missing `event_type`") && error.contains("found `agent,event_time`"), "{error}");

    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None, None]);
    let mut columns: Vec<(String, ArrayRef)> = (batch.schema().fields().iter().zip(batch.columns()))
        .map(|(field, array)| (field.name().clone(), Arc::clone(array)))
        .collect();
    columns[7].1 = Arc::new(lists);
    parquet_file(&path("lists.parquet"), &RecordBatch::try_from_iter(columns).unwrap());
    assert!(refuse("lists.parquet").contains("column `brand` holds lists or structures"));

    arrow_file(&path("whole.arrow"), &batch, None);
    parquet_file(&path("whole.parquet"), &batch);
    for name in ["whole.arrow", "whole.parquet"] {
        let whole = std::fs::read(path(name)).unwrap();
        for cut in [6, whole.len() / 2, whole.len() - 1] {
            std::fs::write(path("cut"), &whole[..cut]).unwrap();
            assert!(refuse("cut").contains("cut"), "the file is named");
        }
    }
}

#[test]
fn the_bytes_do_not_depend_on_threads_and_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.parquet");
    let (batch, _) = table();
    let rows: Vec<RecordBatch> = std::iter::repeat_n(batch, 400).collect();
    let batch = arrow_select::concat::concat_batches(&rows[0].schema(), &rows).unwrap();
    parquet_file(&file, &batch);
    let run = |name: &str, workers, chunk: usize| {
        let target = folder.path().join(name);
        let ingest =
            Ingest::new(rees46()).with_threads(threads(workers)).with_chunk_bytes(chunk.try_into().unwrap());
        ingest.run(std::slice::from_ref(&file), &target, &mut |_| ()).unwrap();
        bytes_of(&target)
    };
    let expected = run("one", 1, 1 << 20);
    for (workers, chunk) in [(1, 100), (3, 777)] {
        assert!(run("other", workers, chunk) == expected);
    }
}
