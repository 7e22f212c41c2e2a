//! Tables as numbers: what is read, and what is refused.

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
    Int8Array, Int64Array, NullArray, StringArray, UInt64Array,
};
use arrow_cast::cast;
use arrow_schema::DataType;

use super::*;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

#[test]
fn every_kind_of_number_is_read_and_nulls_are_unknown() {
    let money = Decimal128Array::from(vec![Some(1_250), None]).with_precision_and_scale(18, 2).unwrap();
    let batch = batch(vec![
        ("int8", Arc::new(Int8Array::from(vec![Some(-3), None]))),
        ("uint64", Arc::new(UInt64Array::from(vec![Some(1 << 40), None]))),
        ("float32", Arc::new(Float32Array::from(vec![Some(0.5), Some(f32::NAN)]))),
        ("float64", Arc::new(Float64Array::from(vec![Some(0.25), None]))),
        ("boolean", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("money", Arc::new(money)),
        ("null", Arc::new(NullArray::new(2))),
    ]);
    let names = ["int8", "uint64", "float32", "float64", "boolean", "money", "null"];
    let matrix = FeatureMatrix::from_batches(&names, &[batch.clone(), batch]).unwrap();
    assert_eq!((matrix.rows(), matrix.view().ncols()), (4, 7));
    let row = matrix.view().row(2).to_vec();
    assert_eq!(row[..6], [-3.0, (1u64 << 40) as f32, 0.5, 0.25, 1.0, 12.5]);
    assert!(row[6].is_nan() && matrix.view().row(1).iter().all(|value| value.is_nan()));
    assert_eq!(matrix.select(&[3, 0]).view().row(1).to_vec()[..6], row[..6]);
}

/// Sixty rows of plans, as text of four kinds and as numbers; one in six is null, one in six is rare.
fn plans(rows: std::ops::Range<usize>) -> RecordBatch {
    let of = |row: usize| match row % 6 {
        0 => None,
        1 => Some(if row == 1 { "trial" } else { "staff" }),
        2 | 3 => Some("yearly"),
        _ => Some("monthly"),
    };
    let text = || rows.clone().map(of);
    let strings: StringArray = text().collect();
    let number = |row: usize| of(row).map(|plan| plan.len() as i64);
    batch(vec![
        ("utf8", Arc::new(strings.clone())),
        ("view", cast(&strings, &DataType::Utf8View).unwrap()),
        ("large", cast(&strings, &DataType::LargeUtf8).unwrap()),
        ("dictionary", Arc::new(text().collect::<DictionaryArray<Int32Type>>())),
        ("number", Arc::new(rows.clone().map(number).collect::<Int64Array>())),
        ("float", Arc::new(rows.clone().map(|row| number(row).map(|n| n as f64)).collect::<Float64Array>())),
    ])
}

#[test]
fn text_is_the_code_of_its_category_however_it_is_stored_and_cut() {
    let names = ["utf8", "view", "large", "dictionary", "number", "float"];
    let builder = || FeatureMatrixBuilder::new(&names).unwrap().with_categorical(&names[4..]).unwrap();
    let mut whole = builder();
    whole.push(&plans(0..60)).unwrap();
    let whole = whole.finish().unwrap();
    for (name, categories) in names.iter().zip(whole.categories()) {
        let kept: Vec<&str> = categories.as_ref().unwrap().names().iter().map(AsRef::as_ref).collect();
        // Of lengths there is one more: trial and staff have the same.
        let expected = match *name {
            "number" | "float" => ["5", "6", "7"].as_slice(),
            _ => ["monthly", "yearly"].as_slice(),
        };
        assert_eq!(kept, expected, "{name}");
    }
    let row = |matrix: &FeatureMatrix, row: usize| matrix.view().row(row).to_vec();
    assert_eq!(row(&whole, 1), [2.0, 2.0, 2.0, 2.0, 0.0, 0.0]);
    assert_eq!(row(&whole, 2), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!(row(&whole, 5), [0.0, 0.0, 0.0, 0.0, 2.0, 2.0]);
    assert!(row(&whole, 0).iter().all(|value| value.is_nan()));
    assert_eq!(whole.different_texts()[..2], [Some(4), Some(4)]);

    // In any parts, and sliced.
    let mut parts = builder();
    for (from, rows) in [(0, 7), (7, 0), (7, 40), (47, 13)] {
        parts.push(&plans(0..60).slice(from, rows)).unwrap();
    }
    let parts = parts.finish().unwrap();
    assert_eq!(parts.columns, whole.columns);
    for at in 0..60 {
        assert_eq!(format!("{:?}", row(&parts, at)), format!("{:?}", row(&whole, at)));
    }

    // Other rows have the same codes, by either way, and what is new is what is rare.
    let other = plans(2..4);
    let (mut like, mut finished) = (FeatureMatrixBuilder::like(&whole), builder());
    like.push(&other).unwrap();
    finished.push(&other).unwrap();
    let finished = finished.finish_like(&whole).unwrap();
    assert_eq!(like.finish().unwrap().view(), finished.view());
    assert_eq!(row(&finished, 0), row(&whole, 2));
    let mut number = FeatureMatrixBuilder::new(&names).unwrap();
    number.push(&other).unwrap();
    let error = number.finish_like(&whole).unwrap_err().to_string();
    assert!(error.starts_with("feature `number` has other categories"), "{error}");
}

#[test]
fn what_has_no_categories_is_refused_with_its_place() {
    let refuse = |array: ArrayRef| {
        let mut builder = FeatureMatrixBuilder::new(&["x"]).unwrap().with_categorical(&["x"]).unwrap();
        builder.push(&batch(vec![("x", array)])).unwrap_err().to_string()
    };
    assert!(
        refuse(Arc::new(Float64Array::from(vec![1.0, f64::NAN, -2.5])))
            .contains("feature `x` is -2.5 in row 2 (from 0), expected a whole number")
    );
    assert!(refuse(Arc::new(Float64Array::from(vec![f64::INFINITY]))).contains("is inf in row 0"));
    assert!(refuse(Arc::new(Date32Array::from(vec![1]))).contains("is Date32, expected text"));
    let gone = FeatureMatrixBuilder::new(&["x"]).unwrap().with_categorical(&["y"]).unwrap_err().to_string();
    assert!(gone.contains("`y` is missing"), "{gone}");
    // A number where a model has numbers, and text that says nothing.
    let numbers = matrix_of(Arc::new(Float64Array::from(vec![1.0])));
    let like = |text: Option<&str>| {
        let mut like = FeatureMatrixBuilder::like(&numbers);
        like.push(&batch(vec![("x", Arc::new(StringArray::from(vec![text])) as ArrayRef)]))?;
        like.finish()
    };
    assert!(like(None).unwrap().view()[[0, 0]].is_nan());
    let error = like(Some("1")).unwrap_err().to_string();
    assert!(error.starts_with("feature `x` is Utf8, expected numbers or booleans:"), "{error}");
}

fn matrix_of(array: ArrayRef) -> FeatureMatrix {
    FeatureMatrix::from_batches(&["x"], &[batch(vec![("x", array)])]).unwrap()
}

#[test]
fn what_is_no_feature_is_refused_with_its_place() {
    let good: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
    let batch = batch(vec![
        ("good", good),
        ("infinite", Arc::new(Float64Array::from(vec![0.0, f64::NEG_INFINITY]))),
        ("huge", Arc::new(Float64Array::from(vec![1e39, 0.0]))),
        ("day", Arc::new(Date32Array::from(vec![1, 2]))),
    ]);
    let refuse = |names: &[&str]| {
        let mut builder = match FeatureMatrixBuilder::new(names) {
            Ok(builder) => builder,
            Err(error) => return error.to_string(),
        };
        builder
            .push(&batch.slice(0, 1))
            .err()
            .or_else(|| builder.push(&batch.slice(1, 1)).err())
            .unwrap()
            .to_string()
    };
    assert!(refuse(&["infinite"]).contains("feature `infinite` is -inf in row 1 (from 0)"));
    assert!(
        refuse(&["good", "huge"])
            .contains("feature `huge` is 1000000000000000000000000000000000000000 in row 0 (from 0)")
    );
    assert!(refuse(&["day"]).contains("feature `day` is Date32, expected numbers or booleans, or text"));
    assert!(refuse(&["gone"]).contains("the table has `good`, `infinite`, `huge`, `day`"));
    assert!(refuse(&["good", "good"]).contains("given twice"));
    assert!(refuse(&[]).contains("no column is left"));
}
