//! Any text as a specification of features: it is refused with a message, or it is read back as it is written, and makes a table.

#![no_main]

use std::sync::Arc;
use std::sync::OnceLock;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Float64Array, Int64Array, RecordBatch,
    TimestampMicrosecondArray, UInt32Array,
};
use cip_core::{EventBatch, MICROS_PER_DAY, TimeRange};
use cip_features::spec::{FeatureSpec, SpecFeatures, Survey};
use libfuzzer_sys::fuzz_target;

/// A week of two users, with columns of all types, and nulls.
fn events() -> &'static EventBatch {
    static EVENTS: OnceLock<EventBatch> = OnceLock::new();
    EVENTS.get_or_init(|| {
        let texts = |texts: [Option<&str>; 6]| -> ArrayRef {
            Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>())
        };
        let times = [0, 0, 1, 8, 2, 3].map(|quarters| quarters * MICROS_PER_DAY / 4 - 1);
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
        let money = |cents: [Option<i128>; 6]| -> ArrayRef {
            Arc::new(Decimal128Array::from(cents.to_vec()).with_precision_and_scale(18, 2).unwrap())
        };
        let whole = |numbers: [Option<i64>; 6]| -> ArrayRef { Arc::new(Int64Array::from(numbers.to_vec())) };
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("user_id", whole([1, 1, 1, 1, 2, 2].map(Some))),
            ("event_time", Arc::new(times)),
            ("event_type", texts(["view", "cart", "purchase", "view", "search", "video_start"].map(Some))),
            ("brand", texts([Some("a"), Some("a"), None, Some("b c"), None, Some("")])),
            ("device_type", texts([Some("mobile"), None, Some("tv"), None, Some("mobile"), None])),
            ("product_id", whole([Some(1), Some(i64::MAX), None, Some(-7), Some(1), None])),
            ("price", money([Some(-5), None, Some(999_999), Some(0), Some(1), Some(1)])),
            ("quantity", whole([Some(2), None, Some(i64::MIN), Some(0), None, None])),
            ("revenue", money([None, Some(899), None, None, Some(1), None])),
            ("duration_seconds", whole([None, Some(60), None, None, Some(-1), None])),
            ("weight", Arc::new(Float64Array::from(vec![1.5, -1e300, 0.0, 1e308, 1e308, 2.0]))),
            (
                "source_session",
                Arc::new(UInt32Array::from(vec![Some(1), None, Some(1), Some(2), None, None])),
            ),
        ];
        EventBatch::try_new(
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| {
                let nullable = name != "event_time";
                (name, array, nullable)
            }))
            .unwrap(),
        )
        .unwrap()
    })
}

fuzz_target!(|text: &str| {
    let spec = match FeatureSpec::from_toml(text) {
        Ok(spec) => spec,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let written = spec.to_toml().unwrap();
    assert_eq!(FeatureSpec::from_toml(&written).unwrap(), spec, "{written}");

    let window = TimeRange::new("1970-01-01".parse().unwrap(), "1970-01-03".parse().unwrap()).unwrap();
    let settled = Survey::new(&spec, window, events().schema()).and_then(|mut survey| {
        survey.push(events())?;
        survey.settle()
    });
    let features = settled.and_then(|spec| SpecFeatures::new(&spec, window, events().schema()));
    // Sums may be beyond their range, and say so.
    match features.and_then(|features| Ok((features.matrix(&[events().clone()])?, features))) {
        Ok((table, features)) => {
            assert_eq!((table.schema(), table.num_rows()), (features.schema(), 2));
            let halves = [events().slice(0, 2), events().slice(2, 4)];
            assert_eq!(features.matrix(&halves).unwrap(), table);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
