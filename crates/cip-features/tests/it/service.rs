//! Each definition of a subscription service by hand, and what is refused.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt8Type};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray};
use cip_core::{EventBatch, EventSchema, MICROS_PER_DAY, TimeRange, Timestamp};
use cip_features::{Feature, FeatureSet, Features, MatrixReport};

use crate::service_events::{Use, batch_turned, sorted};

const HOUR: i64 = MICROS_PER_DAY / 24;

/// Ten days, and a label window of two.
fn features(schema: &EventSchema) -> Features {
    let window =
        TimeRange::new(Timestamp::from_micros(0), Timestamp::from_micros(10 * MICROS_PER_DAY)).unwrap();
    Features::new(window, schema)
        .and_then(|features| features.with_set(FeatureSet::StreamFlow))
        .and_then(|features| features.with_label_until(Timestamp::from_micros(12 * MICROS_PER_DAY)))
        .unwrap()
}

fn table(events: &[Use]) -> RecordBatch {
    let batch = sorted(events);
    features(batch.schema()).matrix(&[batch]).unwrap()
}

/// The value of the only user.
fn value(events: &[Use], feature: Feature) -> f64 {
    let table = table(events);
    assert_eq!(table.num_rows(), 1);
    let column = &table[feature.name()];
    assert_eq!(column.null_count(), 0);
    match column.as_primitive_opt::<Int64Type>() {
        Some(counts) => counts.value(0) as f64,
        None => column.as_primitive::<Float64Type>().value(0),
    }
}

fn all(names: &[&str]) -> Vec<Use> {
    names.iter().map(|name| Use::at(HOUR, name)).collect()
}

#[test]
fn events_a_day_are_of_the_whole_days_of_the_window() {
    assert_eq!(value(&all(&["share"; 5]), Feature::DailyAvgEvents), 0.5);
    let batch = sorted(&all(&["share"; 6]));
    let mean = |end: i64| {
        let window = TimeRange::new(Timestamp::from_micros(0), Timestamp::from_micros(end)).unwrap();
        let features = Features::new(window, batch.schema()).unwrap();
        let features = features.with_columns(&[Feature::DailyAvgEvents]).unwrap();
        features.matrix(std::slice::from_ref(&batch)).unwrap()["daily_avg_events"]
            .as_primitive::<Float64Type>()
            .value(0)
    };
    // Two days and 23 hours are two days, and less than a day is one.
    assert_eq!([3 * MICROS_PER_DAY, 3 * MICROS_PER_DAY - 1, 2 * HOUR].map(mean), [2.0, 3.0, 6.0]);
}

#[test]
fn completions_are_of_starts_and_nothing_is_of_none() {
    let rate = |names: &[&str]| value(&all(names), Feature::VideoCompletionRate);
    assert_eq!(rate(&["video_start", "video_start", "video_complete", "video_pause"]), 0.5);
    assert_eq!(rate(&["video_complete", "page_view"]), 0.0);
    // More ends than starts are kept, and told of.
    assert_eq!(rate(&["video_start", "video_complete", "video_complete"]), 2.0);
}

#[test]
fn breadth_counts_what_is_used_and_not_how_often() {
    let breadth = |names: &[&str]| value(&all(names), Feature::FeatureBreadth);
    assert_eq!(breadth(&["page_view", "video_start", "search", "feature_click", "share", "download"]), 6.0);
    assert_eq!(breadth(&["share", "share", "video_complete", "support", "video_pause"]), 1.0);
    assert_eq!(breadth(&["support_ticket"]), 0.0);
}

#[test]
fn shares_are_of_all_events() {
    let names = ["support", "support_ticket", "supporter_joined", "search", "page_view", "page_view"];
    assert_eq!(value(&all(&names), Feature::SupportIntensity), 2.0 / 6.0);
    // Mobile is one name, and no device is none.
    let on = |device| Use { device, ..Use::at(HOUR, "share") };
    let devices = [Some(1), Some(4), Some(3), None];
    assert_eq!(value(&devices.map(on), Feature::MobileFraction), 0.25);
    assert_eq!(value(&devices.map(on), Feature::DeviceDiversity), 3.0);
    assert_eq!(value(&[on(None), on(None)], Feature::DeviceDiversity), 0.0);
}

#[test]
fn revenue_is_exact_and_of_events_of_any_type() {
    let pays = |revenue| Use { revenue, ..Use::at(HOUR, "subscription_started") };
    let events = [pays(Some(10)), pays(Some(20)), pays(None), Use::at(HOUR, "search")];
    assert_eq!(value(&events, Feature::TotalRevenue), 0.3);
    assert_eq!(value(&events, Feature::RevenuePerEvent), 0.075);
    assert_eq!(value(&[pays(None)], Feature::TotalRevenue), 0.0);
}

#[test]
fn durations_of_all_events_are_shared_out_to_the_starts() {
    let lasts = |name: &str, seconds| Use { seconds, ..Use::at(HOUR, name) };
    let events = [
        lasts("video_start", None),
        lasts("video_start", Some(5)),
        lasts("video_pause", Some(60)),
        lasts("page_view", Some(10)),
    ];
    assert_eq!(value(&events, Feature::AvgVideoDuration), 37.5);
    assert_eq!(value(&events[2..], Feature::AvgVideoDuration), 0.0);
}

#[test]
fn searches_without_starts_have_a_number_of_their_own() {
    let ratio = |names: &[&str]| value(&all(names), Feature::SearchToViewRatio);
    assert_eq!(ratio(&["search", "video_start", "video_start"]), 0.5);
    assert_eq!(ratio(&["video_start"]), 0.0);
    assert_eq!(ratio(&["search"]), 10.0);
    assert_eq!(ratio(&["search", "search", "page_view"]), 10.0);
    assert_eq!(ratio(&["page_view"]), 0.0);
}

#[test]
fn days_are_whole_elapsed_days_and_never_is_999() {
    let (support, video) = (Feature::DaysSinceLastSupport, Feature::DaysSinceLastVideo);
    // A microsecond short of a day is none, on whichever date it lies.
    for (before, days) in [(1, 0.0), (MICROS_PER_DAY - 1, 0.0), (MICROS_PER_DAY, 1.0), (47 * HOUR, 1.0)] {
        let events = [Use::at(10 * MICROS_PER_DAY - before, "support_ticket")];
        assert_eq!(value(&events, Feature::DaysSinceLastEvent), days, "{before}");
        assert_eq!((value(&events, support), value(&events, video)), (days, 999.0));
    }
    let late = |name: &str| [Use::at(0, "video_start"), Use::at(5 * MICROS_PER_DAY, name)];
    for (name, days) in [("video_complete", 5.0), ("video_start", 5.0), ("video_pause", 10.0)] {
        assert_eq!((value(&late(name), video), value(&late(name), support)), (days, 999.0), "{name}");
    }
    // Behind the cutoff it is as if it never was.
    let events = [Use::at(0, "share"), Use::at(10 * MICROS_PER_DAY, "support")];
    assert_eq!(value(&events, support), 999.0);
}

#[test]
fn a_single_event_lies_in_one_half() {
    let at = |time| [Use::at(time, "share")];
    for (time, trend) in [(0, -1.0), (5 * MICROS_PER_DAY - 1, -1.0), (5 * MICROS_PER_DAY, 1.0)] {
        assert_eq!(value(&at(time), Feature::ActivityTrend), trend);
        assert_eq!(value(&at(time), Feature::ActivityVolatility), 0.5);
    }
    // Without an event in either half there is no row.
    for time in [-1, 10 * MICROS_PER_DAY] {
        assert_eq!(table(&at(time)).num_rows(), 0);
    }
}

#[test]
fn the_label_is_a_cancellation_behind_the_cutoff_and_before_its_end() {
    let day = |day: i64| day * MICROS_PER_DAY;
    for (name, time, label) in [
        ("subscription_cancelled", day(10), 1),
        ("subscription_cancelled", day(12) - 1, 1),
        ("subscription_cancelled", day(12), 0),
        ("subscription_cancelled", day(10) - 1, 0),
        ("purchase", day(11), 0),
        ("video_start", day(11), 0),
    ] {
        let found = table(&[Use::at(0, "page_view"), Use::at(time, name)]);
        assert_eq!(found["label"].as_primitive::<UInt8Type>().values(), &[label], "{name} at {time}");
    }
    // The table says what its label is about.
    let events = sorted(&[]);
    let event_of = |features: Features| {
        features.schema().field_with_name("label").unwrap().metadata()["event_type"].clone()
    };
    assert_eq!(event_of(features(events.schema())), "subscription_cancelled");
    assert_eq!(event_of(features(events.schema()).with_set(FeatureSet::Commerce).unwrap()), "purchase");
    // With the label alone, event types are read for it.
    let alone = features(events.schema()).with_columns(&[Feature::DailyAvgEvents]).unwrap();
    assert_eq!(alone.columns(), ["user_id", "event_time", "event_type"]);
}

#[test]
fn what_is_outside_its_range_is_kept_and_counted() {
    let other = |event: &Use| Use { user: Some(2), ..event.clone() };
    let odd = all(&["video_start", "video_complete", "video_complete"]);
    let mut events: Vec<Use> = odd.iter().map(other).collect();
    events.extend([0, 1, 2, 3, 4].map(|device| Use { device: Some(device), ..Use::at(HOUR, "share") }));
    let batch = sorted(&events);
    let features = features(batch.schema());
    let mut report = MatrixReport::new(&features);
    report.add(&features.matrix(&[batch]).unwrap());
    let of = |feature: Feature| {
        let column = report.columns().iter().find(|column| *column.name == *feature.name()).unwrap();
        (column.min.unwrap(), column.max.unwrap(), column.outside)
    };
    assert_eq!(of(Feature::VideoCompletionRate), (0.0, 2.0, 1));
    // One user has five devices, the other none.
    assert_eq!(of(Feature::DeviceDiversity), (0.0, 5.0, 2));
    assert_eq!(of(Feature::FeatureBreadth), (1.0, 1.0, 0));
    assert_eq!(of(Feature::DaysSinceLastVideo), (9.0, 999.0, 0));
}

/// Events with `column` in place of the column of that name, or without it.
fn schema_with(name: &str, column: Option<ArrayRef>) -> EventSchema {
    let batch = batch_turned(&all(&["share"]), 0).record_batch().clone();
    let schema = batch.schema();
    let columns =
        schema.fields().iter().zip(batch.columns()).filter_map(|(field, old)| match field.name() == name {
            true => column.as_ref().map(|new| (name.to_owned(), Arc::clone(new))),
            false => Some((field.name().clone(), Arc::clone(old))),
        });
    let batch = RecordBatch::try_from_iter(columns.collect::<Vec<_>>()).unwrap();
    EventBatch::try_new(batch).unwrap().schema().clone()
}

#[test]
fn what_the_events_lack_is_left_out_or_refused_with_the_mend() {
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["mobile"]));
    for (name, other, missing, expected) in [
        (
            "revenue",
            floats.clone(),
            vec![Feature::RevenuePerEvent, Feature::TotalRevenue],
            "`revenue` (money)",
        ),
        (
            "device_type",
            texts,
            vec![Feature::MobileFraction, Feature::DeviceDiversity],
            "`device_type` (dictionary)",
        ),
        ("duration_seconds", floats, vec![Feature::AvgVideoDuration], "`duration_seconds` (int64)"),
    ] {
        for column in [None, Some(other)] {
            let schema = schema_with(name, column);
            assert_eq!(FeatureSet::of(&schema), FeatureSet::Commerce);
            let features = features(&schema);
            let left: Vec<_> = (FeatureSet::StreamFlow.features().iter().copied())
                .filter(|feature| !missing.contains(feature))
                .collect();
            assert_eq!(features.selected(), left);
            assert!(!features.columns().contains(&name));
            for &feature in &missing {
                assert_eq!(
                    features.clone().with_columns(&[feature]).unwrap_err().to_string(),
                    format!(
                        "feature `{feature}` is made from column {expected}, which the events do not have: map it in the \
                         source mapping, or leave the feature out"
                    )
                );
            }
        }
    }
    let whole = sorted(&[]);
    assert_eq!(FeatureSet::of(whole.schema()), FeatureSet::StreamFlow);
    // A batch that lacks what the first had.
    let narrow: Vec<_> = (0..5).collect();
    let narrow = EventBatch::try_new(whole.record_batch().project(&narrow).unwrap()).unwrap();
    let error = features(whole.schema()).matrix(&[narrow]).unwrap_err().to_string();
    assert!(error.starts_with("column `revenue` is missing"), "{error}");
}

#[test]
fn sums_beyond_38_digits_are_refused() {
    // No mapping reads such amounts; a batch of a caller may have them.
    let events = batch_turned(&all(&["share", "share"]), 0);
    let huge = arrow_array::Decimal128Array::from(vec![i128::MAX - 1; 2]);
    let mut columns = events.record_batch().columns().to_vec();
    columns[5] = Arc::new(huge.with_data_type(columns[5].data_type().clone()));
    let batch = RecordBatch::try_new(events.record_batch().schema(), columns).unwrap();
    for rows in [1, 2] {
        let events = EventBatch::try_new(batch.slice(0, rows)).unwrap();
        let error = features(events.schema()).matrix(&[events]).unwrap_err().to_string();
        assert_eq!(error, "the sum of `revenue` exceeds 38 digits: check the amounts");
    }
}
