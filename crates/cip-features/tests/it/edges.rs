//! The borders of the windows, and empty, huge and refused inputs.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt8Type};
use arrow_array::{Array, RecordBatch};
use cip_core::{CoreError, EventBatch, MICROS_PER_DAY, TimeRange, Timestamp, column};
use cip_features::{Feature, Features, FeaturesError};

use crate::events::{CART, Event, PURCHASE, Shape, VIEW};

const CUTOFF: i64 = 10 * MICROS_PER_DAY;
const UNTIL: i64 = 12 * MICROS_PER_DAY;

fn window(start: i64, cutoff: i64) -> TimeRange {
    TimeRange::new(Timestamp::from_micros(start), Timestamp::from_micros(cutoff)).unwrap()
}

fn features() -> Features {
    let features = Features::new(window(0, CUTOFF), Shape::FULL.batch(&[]).schema()).unwrap();
    features.with_label_until(Timestamp::from_micros(UNTIL)).unwrap()
}

fn table(events: &[Event]) -> RecordBatch {
    features().matrix(&[Shape::FULL.batch(events)]).unwrap()
}

fn ints(table: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    table[name].as_primitive::<Int64Type>().iter().collect()
}

fn floats(table: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    table[name].as_primitive::<Float64Type>().iter().collect()
}

fn labels(table: &RecordBatch) -> Vec<u8> {
    table["label"].as_primitive::<UInt8Type>().values().to_vec()
}

fn refuse(batches: &[EventBatch]) -> FeaturesError {
    features().matrix(batches).unwrap_err()
}

#[test]
fn windows_are_half_open() {
    let purchases =
        |times: &[i64]| -> Vec<Event> { times.iter().map(|&time| Event::at(time, 1, PURCHASE)).collect() };
    let found = table(&purchases(&[-1, 0, CUTOFF - 1, CUTOFF, UNTIL - 1, UNTIL]));
    assert_eq!((ints(&found, "purchases"), labels(&found)), (vec![Some(2)], vec![1]));
    assert_eq!(
        (ints(&found, "active_span_days"), ints(&found, "recency_days")),
        (vec![Some(9)], vec![Some(1)])
    );
    // At the start and not before it; at the cutoff and not before it; at the end of the label window.
    for (times, expected) in [
        (&[0, CUTOFF][..], Some(1)),
        (&[0, UNTIL - 1], Some(1)),
        (&[0, UNTIL], Some(0)),
        (&[CUTOFF - 1], Some(0)),
        (&[-1, CUTOFF], None),
        (&[CUTOFF], None),
        (&[], None),
    ] {
        assert_eq!(labels(&table(&purchases(times))).first().copied(), expected, "{times:?}");
    }
    // A view behind the cutoff is no purchase.
    assert_eq!(labels(&table(&[Event::at(0, 1, VIEW), Event::at(CUTOFF, 1, CART)])), [0]);
}

#[test]
fn halves_meet_in_the_middle_rounded_down() {
    let trend = |start: i64, cutoff: i64, times: &[i64]| {
        let events: Vec<_> = times.iter().map(|&time| Event::at(time, 1, VIEW)).collect();
        let batch = Shape::FULL.batch(&events);
        let found = Features::new(window(start, cutoff), batch.schema()).unwrap().matrix(&[batch]).unwrap();
        (floats(&found, "activity_trend")[0].unwrap(), floats(&found, "activity_volatility")[0].unwrap())
    };
    assert_eq!(trend(0, 5, &[1, 2]), (0.0, 0.0));
    assert_eq!(trend(-5, 0, &[-4, -3, -2]), (-1.0 / 3.0 + 2.0 / 3.0, 0.25));
    assert_eq!(trend(0, 1, &[0]), (1.0, 0.5));
    assert_eq!(trend(0, 4, &[0, 0, 1]), (-1.0, 0.75));
    let ends = [i64::MIN + 1, -1, i64::MAX - 2];
    // The middle is -1.
    assert_eq!(trend(i64::MIN + 1, i64::MAX - 1, &ends), (1.0 / 3.0, 0.25));
}

#[test]
fn what_is_unknown_is_null_and_never_nan() {
    let bare = Event {
        product: None,
        category: None,
        code: None,
        brand: None,
        price: None,
        quantity: None,
        session: None,
        ..Event::at(5, 1, 6)
    };
    let found = table(&[bare]);
    for name in ["products", "categories", "brands", "sessions", "views", "purchases"] {
        assert_eq!(ints(&found, name), [Some(0)], "{name}");
    }
    for name in ["avg_price", "max_price", "view_to_cart_rate", "cart_to_purchase_rate", "events_per_session"]
    {
        assert_eq!(floats(&found, name), [None], "{name}");
    }
    assert_eq!(
        (floats(&found, "spend"), floats(&found, "purchase_rate")),
        (vec![Some(0.0)], vec![Some(0.0)])
    );
    for name in ["days_since_last_cart", "days_since_last_purchase"] {
        assert_eq!(ints(&found, name), [None], "{name}");
    }
    for (field, column) in found.schema().fields().iter().zip(found.columns()) {
        assert!(field.is_nullable() || column.null_count() == 0, "{field}");
    }
}

#[test]
fn no_events_give_a_table_without_rows() {
    let unknown = Event { user: None, ..Event::at(0, 0, VIEW) };
    for events in [vec![], vec![unknown]] {
        let found = table(&events);
        assert_eq!((found.num_rows(), found.num_columns()), (0, 25));
        assert_eq!(found.schema(), features().schema());
    }
    assert_eq!(features().matrix(&[]).unwrap().num_rows(), 0);
}

#[test]
fn duplicate_events_count_each() {
    let found = table(&vec![Event::at(7, 1, PURCHASE); 3]);
    assert_eq!((ints(&found, "events"), ints(&found, "products")), (vec![Some(3)], vec![Some(1)]));
    assert_eq!((floats(&found, "spend"), floats(&found, "avg_price")), (vec![Some(3.0)], vec![Some(1.0)]));
}

#[test]
fn sessions_without_codes_end_after_a_gap_inside_the_window() {
    let minutes = |minute: i64| Event::at(minute * 60_000_000, 1, VIEW);
    // The gap before the window does not count: the session at its start is one.
    let events = [minutes(-40), minutes(0), minutes(30), minutes(61)];
    let batch = Shape { sessions: false, ..Shape::FULL }.batch(&events);
    let features = Features::new(window(0, CUTOFF), batch.schema()).unwrap();
    assert!(!features.columns().contains(&"source_session"));
    assert_eq!(ints(&features.matrix(&[batch]).unwrap(), "sessions"), [Some(2)]);
}

#[test]
fn only_the_columns_of_the_selected_features_are_read() {
    let columns = |selected: &[Feature]| {
        let features = Features::new(window(0, CUTOFF), Shape::FULL.batch(&[]).schema()).unwrap();
        features.with_columns(selected).unwrap().columns()
    };
    assert_eq!(columns(&[Feature::RecencyDays, Feature::Events]), ["user_id", "event_time"]);
    assert_eq!(columns(&[Feature::Spend]), ["user_id", "event_time", "event_type", "price", "quantity"]);
    assert_eq!(columns(&[Feature::Categories]), ["user_id", "event_time", "category_id"]);
    assert_eq!(columns(&[Feature::EventsPerSession]), ["user_id", "event_time", "source_session"]);
    assert_eq!(columns(&[Feature::AvgPrice]), ["user_id", "event_time", "price"]);
    let labelled = features().with_columns(&[Feature::Events]).unwrap();
    assert_eq!(labelled.columns(), ["user_id", "event_time", "event_type"]);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_mend() {
    let schema = Shape::FULL.batch(&[]).schema().clone();
    let open = TimeRange::before(Timestamp::from_micros(CUTOFF));
    for range in [open, TimeRange::ALL, window(5, 5), window(0, i64::MAX)] {
        let error = Features::new(range, &schema).unwrap_err();
        assert!(matches!(error, FeaturesError::Window { .. }), "{error}");
    }
    let new = || Features::new(window(0, CUTOFF), &schema).unwrap();
    for until in [0, CUTOFF - 1, CUTOFF] {
        let error = new().with_label_until(Timestamp::from_micros(until)).unwrap_err();
        assert!(error.to_string().contains("expected an instant behind the cutoff, 1970-01-11"), "{error}");
    }
    assert!(matches!(new().with_columns(&[]), Err(FeaturesError::NoFeatures)));
    let twice = new().with_columns(&[Feature::Views, Feature::Spend, Feature::Views]).unwrap_err();
    assert!(twice.to_string().starts_with("feature `views` is asked for twice"), "{twice}");
    let bare = schema.project(&[column::USER_ID, column::EVENT_TIME]);
    let error = |feature| {
        let features = Features::new(window(0, CUTOFF), &bare).unwrap();
        features.with_columns(&[Feature::Events, feature]).unwrap_err().to_string()
    };
    assert_eq!(
        error(Feature::Categories),
        "feature `categories` is made from column `category_id` or `category_code`, which the events do not have: map it \
         in the source mapping, or leave the feature out"
    );
    assert!(error(Feature::Spend).contains("`event_type`") && error(Feature::AvgPrice).contains("`price`"));
    let features = Features::new(window(0, CUTOFF), &bare).unwrap();
    assert_eq!(features.selected().len(), 8);
    assert!(matches!(
        features.with_label_until(Timestamp::from_micros(UNTIL)),
        Err(FeaturesError::Core(CoreError::MissingColumn { column: column::EVENT_TYPE }))
    ));
    for missing in [column::USER_ID, column::EVENT_TIME] {
        let names: Vec<_> = column::EVENT_COLUMNS.into_iter().filter(|&name| name != missing).collect();
        let error = Features::new(window(0, CUTOFF), &schema.project(&names)).unwrap_err();
        assert!(error.to_string().starts_with(&format!("column `{missing}` is missing")), "{error}");
    }
}

#[test]
fn the_schema_decides_what_every_batch_must_have() {
    let full = Shape::FULL.batch(&[Event::at(0, 1, VIEW)]);
    let bare = Shape { brands: false, ..Shape::FULL }.batch(&[Event::at(1, 1, VIEW)]);
    let error = refuse(&[full.clone(), bare.clone()]);
    assert!(
        matches!(error, FeaturesError::Core(CoreError::MissingColumn { column: column::BRAND })),
        "{error}"
    );
    let text = Shape { text_users: true, ..Shape::FULL }.batch(&[]);
    assert_eq!(
        refuse(&[text]).to_string(),
        "column `user_id` is Utf8, expected Int64 as in the schema given first: cast it before the batch is made"
    );
    // What the schema does not have is not used.
    let features = Features::new(window(0, CUTOFF), bare.schema()).unwrap();
    let found = features.matrix(&[full, bare]).unwrap();
    assert!(found.column_by_name("brands").is_none());
    assert_eq!(ints(&found, "events"), [Some(2)]);
}

#[test]
fn an_unknown_user_comes_last_also_over_batches() {
    let unknown = Event { user: None, ..Event::at(UNTIL + 5, 0, VIEW) };
    let batches = [
        Shape::FULL.batch(&[Event::at(0, 1, VIEW), unknown]),
        Shape::FULL.batch(&[]),
        Shape::FULL.batch(&[Event::at(0, 2, VIEW)]),
    ];
    assert!(matches!(refuse(&batches), FeaturesError::Core(CoreError::NotSorted { row: 2 })));
    // Rows outside the windows are held to the order as well.
    let late = [Event::at(UNTIL + 5, 1, VIEW), Event::at(UNTIL + 4, 1, VIEW)];
    assert!(matches!(
        refuse(&[Shape::FULL.batch(&late)]),
        FeaturesError::Core(CoreError::NotSorted { row: 1 })
    ));
}

#[test]
fn sums_beyond_38_digits_are_refused() {
    let dear = Event { price: Some(i64::MAX), quantity: Some(i64::MAX), ..Event::at(0, 1, PURCHASE) };
    for copies in [2, 3] {
        let error = refuse(&[Shape::FULL.batch(&vec![dear.clone(); copies])]);
        assert_eq!(error.to_string(), "the sum of `price` exceeds 38 digits: check the amounts");
    }
    let found = table(&[dear]);
    assert_eq!(floats(&found, "max_price"), [Some(i64::MAX as f64 / 100.0)]);
}

#[test]
fn one_user_with_endless_events_stays_linear() {
    const EVENTS: i64 = 300_000;
    for text in [false, true] {
        let shape = Shape { products: Some(text), ..Shape::FULL };
        let features = Features::new(window(0, CUTOFF), shape.batch(&[]).schema()).unwrap();
        let mut builder = features.builder();
        for first in (0..EVENTS).step_by(30_000) {
            let events: Vec<_> = (first..first + 30_000)
                .map(|n| Event {
                    product: Some(n * 7 % 50_000),
                    session: Some((n / 10) as u32),
                    ..Event::at(n * 1_000_000, 1, PURCHASE)
                })
                .collect();
            assert_eq!(builder.push(&shape.batch(&events)).unwrap().num_rows(), 0);
        }
        let found = builder.finish().unwrap();
        assert_eq!(ints(&found, "products"), [Some(50_000)]);
        assert_eq!(
            (ints(&found, "sessions"), ints(&found, "events")),
            (vec![Some(EVENTS / 10)], vec![Some(EVENTS)])
        );
        assert_eq!(floats(&found, "spend"), [Some(EVENTS as f64)]);
    }
}
