//! What is written here reads as what the Arrow writer of the `parquet` crate writes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int32Array,
    Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow_schema::{Field, Schema};
use arrow_select::take::take_record_batch;
use bytes::Bytes;
use cip_core::column;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

use crate::event_form::EVENT_SECOND;
use crate::manifest::DataFile;
use crate::offers::OFFER;
use crate::parquet_file::{EncodedRowGroup, ParquetFile, RowGroupEncoder};

/// The least and the greatest value of a column as bytes, and how many are null.
type Bounds = (Option<Vec<u8>>, Option<Vec<u8>>, Option<u64>);

/// The rows, and the bounds and null counts of the columns, of a file with one row group.
fn read(file: Bytes) -> (RecordBatch, Vec<Bounds>) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let group = reader.metadata().row_group(0);
    let bounds = group.columns().iter().map(|chunk| {
        let statistics = chunk.statistics().unwrap();
        let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        (bytes(statistics.min_bytes_opt()), bytes(statistics.max_bytes_opt()), statistics.null_count_opt())
    });
    let bounds = bounds.collect();
    let batches: Vec<RecordBatch> =
        reader.with_batch_size(1 << 20).build().unwrap().map(Result::unwrap).collect();
    (batches.into_iter().next().unwrap(), bounds)
}

fn written(batch: &RecordBatch) -> (Bytes, DataFile) {
    written_by(batch, |encoder| encoder.encode(batch).unwrap())
}

fn written_by(
    batch: &RecordBatch,
    encode: impl FnOnce(&RowGroupEncoder) -> EncodedRowGroup,
) -> (Bytes, DataFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    let encoder = RowGroupEncoder::new("events", &batch.schema(), &path).unwrap();
    let mut file = ParquetFile::create(&path, &encoder).unwrap();
    file.append(encode(&encoder)).unwrap();
    let data = file.finish("table.parquet".to_owned()).unwrap();
    (std::fs::read(&path).unwrap().into(), data)
}

/// The same columns, but for the first, said once for each distinct number: the bytes must be the same.
fn check_keyed(batch: &RecordBatch, numbers: &[i64], file: &Bytes) {
    let mut codes: HashMap<i64, u32> = HashMap::new();
    let mut first: Vec<u32> = Vec::new();
    let keys: Vec<u32> = (0..)
        .zip(numbers)
        .map(|(row, &number)| {
            *codes.entry(number).or_insert_with(|| {
                first.push(row);
                first.len() as u32 - 1
            })
        })
        .collect();
    let own = batch.project(&[0]).unwrap();
    let keyed = batch.project(&(1..batch.num_columns()).collect::<Vec<_>>()).unwrap();
    let keyed = take_record_batch(&keyed, &UInt32Array::from(first)).unwrap();
    let (same, _) = written_by(batch, |encoder| encoder.encode_keyed(&own, &keyed, &keys).unwrap());
    assert!(same == *file, "the bytes of keyed columns differ");
}

fn check(columns: Vec<(&str, ArrayRef, bool)>) -> (RecordBatch, Bytes) {
    let fields =
        columns.iter().map(|(name, array, nullable)| Field::new(*name, array.data_type().clone(), *nullable));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batch =
        RecordBatch::try_new(schema, columns.into_iter().map(|(_, array, _)| array).collect()).unwrap();
    let mut oracle = Vec::new();
    let properties = WriterProperties::builder().set_max_row_group_row_count(None).build();
    let mut writer = ArrowWriter::try_new(&mut oracle, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let (expected, expected_bounds) = read(oracle.into());
    let (file, data) = written(&batch);
    let (rows, bounds) = read(file.clone());
    assert_eq!(rows, expected);
    assert_eq!(bounds, expected_bounds);
    // The checksums are those of the bytes in the file.
    let metadata = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap().metadata().clone();
    for (chunk, xxh3) in metadata.row_group(0).columns().iter().zip(&data.column_xxh3[0]) {
        let (start, length) = chunk.byte_range();
        let bytes = file.slice(start as usize..(start + length) as usize);
        assert_eq!(*xxh3, format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes)));
    }
    (batch, file)
}

/// All kinds of columns, from the same integers; `nulls` says which of them are missing where that is allowed.
fn check_all(values: &[i64], nulls: impl Fn(usize) -> bool) {
    let some = |row: usize, value: i64| (!nulls(row)).then_some(value);
    let optional: Vec<Option<i64>> =
        values.iter().enumerate().map(|(row, &value)| some(row, value)).collect();
    let texts: Vec<String> =
        (0..200).map(|n| if n == 7 { String::new() } else { format!("tëxt {n}") }).collect();
    let texts: ArrayRef = Arc::new(StringArray::from(texts));
    let keys = |value: i64| value.rem_euclid(200) as i32;
    let dictionary = |keys: Int32Array| Arc::new(DictionaryArray::new(keys, Arc::clone(&texts))) as ArrayRef;
    let money =
        |values: Decimal128Array| Arc::new(values.with_precision_and_scale(18, 2).unwrap()) as ArrayRef;
    let amount = |value: i64| i128::from(value % 1_000_000_000_000_000_000);
    let times = TimestampMicrosecondArray::from(values.to_vec()).with_timezone("UTC");
    let uuids: Vec<[u8; 16]> = values.iter().map(|&value| i128::from(value).to_le_bytes()).collect();
    let codes = |value: i64| value as u32;
    // Any bits, among them both zeros, infinities, and one NaN, as equality of arrays is that of bits.
    let double = |value: i64| match value % 9 {
        0 => 0.0,
        1 => -0.0,
        2 if value % 4 == 0 => f64::NAN,
        3 if value % 4 == 0 => f64::INFINITY,
        _ => value as f64 / 7.0,
    };
    // What is missing in a row is missing in all rows of the same number, too, where it is said once for them.
    let (batch, file) = check(vec![
        (column::EVENT_TIME, Arc::new(times.clone()), false),
        ("session_start", Arc::new(times), false),
        (column::USER_ID, Arc::new(Int64Array::from(values.to_vec())), false),
        (column::PRODUCT_ID, Arc::new(Int64Array::from(values.to_vec())), false),
        (column::CATEGORY_ID, Arc::new(Int64Array::from(optional.clone())), true),
        (column::PRICE, money(values.iter().map(|&value| amount(value)).collect::<Vec<_>>().into()), false),
        ("revenue", money(optional.iter().map(|value| value.map(amount)).collect()), true),
        (
            column::EVENT_TYPE,
            dictionary(values.iter().map(|&value| keys(value) % 3).collect::<Vec<_>>().into()),
            false,
        ),
        (column::BRAND, dictionary(optional.iter().map(|value| value.map(keys)).collect()), true),
        (
            column::SOURCE_SESSION,
            Arc::new(optional.iter().map(|value| value.map(codes)).collect::<UInt32Array>()),
            true,
        ),
        (
            "session_key",
            Arc::new(values.iter().map(|&value| value.cast_unsigned()).collect::<UInt64Array>()),
            false,
        ),
        (
            "support",
            Arc::new(values.iter().map(|&value| Some(double(value))).collect::<Float64Array>()),
            false,
        ),
        ("lift", Arc::new(optional.iter().map(|value| value.map(double)).collect::<Float64Array>()), true),
        (EVENT_SECOND, Arc::new(Int64Array::from(values.to_vec())), false),
        (OFFER, Arc::new(values.iter().map(|&value| codes(value)).collect::<UInt32Array>()), false),
        ("product_code", Arc::new(values.iter().map(|&value| codes(value)).collect::<UInt32Array>()), false),
    ]);
    let numbers: Vec<i64> =
        (0..).zip(values).map(|(row, &value)| value ^ i64::from(nulls(row)) << 62).collect();
    check_keyed(&batch, &numbers, &file);
    // The Arrow writer has statistics of such columns, the store has none.
    let uuids = FixedSizeBinaryArray::try_from_iter(uuids.iter()).unwrap();
    let sums = |shift: u32, precision: u8| {
        let sums = optional.iter().map(|value| value.map(|value| i128::from(value) << shift));
        let sums = sums.collect::<Decimal128Array>().with_precision_and_scale(precision, 2).unwrap();
        Arc::new(sums) as ArrayRef
    };
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("user_session", Arc::new(uuids), false),
        ("sum", sums(0, 38), true),
        ("narrower_sum", sums(0, 20), true),
        // Beyond 64 bits.
        ("wide_sum", sums(40, 38), true),
    ];
    let fields =
        columns.iter().map(|(name, array, nullable)| Field::new(*name, array.data_type().clone(), *nullable));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let columns = columns.into_iter().map(|(_, array, _)| array).collect();
    let batch = RecordBatch::try_new(schema, columns).unwrap();
    let file = written(&batch).0;
    let mut reader =
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().with_batch_size(1 << 20).build().unwrap();
    assert_eq!(reader.next().unwrap().unwrap(), batch);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn columns_read_as_those_of_the_arrow_writer(
        values in prop_oneof![
            proptest::collection::vec(any::<i64>(), 1..300),
            proptest::collection::vec(-5i64..5, 1..300),
            proptest::collection::vec((0i64..300).prop_map(|second| 1_569_888_000_000_000 + second * 1_000_000), 1..300),
        ],
        every in 1usize..5,
    ) {
        check_all(&values, |row| row % every == 0);
    }
}

#[test]
fn columns_of_many_pages_read_as_those_of_the_arrow_writer() {
    let mixed = |row: i64| row.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()) >> 20;
    for (rows, distinct) in [
        (20_479, 3),
        (20_480, 300),
        (20_481, 30_000),
        (70_001, 65_536),
        (140_000, 65_537),
        (140_000, 1 << 40),
    ] {
        let values: Vec<i64> = (0..rows).map(|row| mixed(row % distinct)).collect();
        check_all(&values, |row| row / 9_000 % 2 == 0);
        let mut sorted = values;
        sorted.sort_unstable();
        check_all(&sorted, |row| row > 30_000);
    }
}

#[test]
fn whole_rows_of_one_value_or_of_none() {
    for rows in [1, 7, 8, 9, 20_480, 41_000] {
        check_all(&vec![42; rows], |_| true);
        check_all(&vec![i64::MIN; rows], |_| false);
    }
}
