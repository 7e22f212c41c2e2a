//! Specifications by hand: what they are made of, and what is refused.

use std::sync::Arc;

use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray, cast::AsArray,
};
use arrow_schema::DataType;
use cip_core::{EventBatch, MICROS_PER_DAY, TimeRange};
use cip_features::FeaturesError;
use cip_features::spec::{Family, FeatureRule, FeatureSpec, Filter, SpecFeatures, Statistic, Survey, Test};

use crate::events::{CART, Event, PURCHASE, Shape, VIEW};

fn week() -> TimeRange {
    TimeRange::new("1970-01-01".parse().unwrap(), "1970-01-08".parse().unwrap()).unwrap()
}

fn read(rules: &str) -> FeatureSpec {
    FeatureSpec::from_toml(rules).unwrap()
}

/// Features of which each line is one, in TOML's inline form without braces.
fn lines(lines: &[&str]) -> FeatureSpec {
    let rules: Vec<String> = lines.iter().map(|line| format!("{{ {line} }}")).collect();
    read(&format!("features = [{}]", rules.join(", ")))
}

fn bound(spec: &FeatureSpec) -> Result<SpecFeatures, FeaturesError> {
    SpecFeatures::new(spec, week(), Shape::FULL.batch(&[]).schema())
}

fn refused<T>(result: Result<T, FeaturesError>) -> String {
    result.err().map_or_else(|| "taken".to_owned(), |error| error.to_string())
}

#[test]
fn a_user_without_what_is_asked_for_has_the_values_of_none() {
    let spec = lines(&[
        r#"name = "n", family = "count", where = { event_type = "cart" }"#,
        r#"name = "spend", family = "sum", column = "spend", where = { event_type = "cart" }"#,
        r#"name = "mean", family = "mean", column = "price", where = { event_type = "cart" }"#,
        r#"name = "least", family = "min", column = "price", where = { event_type = "cart" }, fill = 0"#,
        r#"name = "dev", family = "std", column = "price""#,
        r#"name = "kinds", family = "distinct", column = "brand", where = { event_type = "cart" }"#,
        r#"name = "since", family = "recency", where = { event_type = "cart" }"#,
        r#"name = "since_filled", family = "recency", where = { event_type = "cart" }, fill = 999"#,
        r#"name = "span", family = "span", where = { event_type = "cart" }"#,
        r#"name = "days", family = "active_days", where = { event_type = "cart" }"#,
        r#"name = "trend", family = "trend", where = { event_type = "cart" }"#,
        r#"name = "wild", family = "volatility", where = { event_type = "cart" }"#,
        r#"name = "night", family = "share", hours = [22, 6], where = { event_type = "cart" }"#,
        r#"name = "fond", family = "affinity", column = "brand", where = { event_type = "cart" }"#,
        r#"name = "second", family = "last", k = 2, values = ["view"]"#,
        r#"name = "unknown", family = "ratio", numerator = "spend", denominator = "n", zero = "null""#,
        r#"name = "none", family = "ratio", numerator = "spend", denominator = "n", zero = "zero""#,
        r#"name = "some", family = "ratio", numerator = "spend", denominator = "n", zero = { fill = 2.5 }"#,
        r#"name = "lost", family = "ratio", numerator = "mean", denominator = "n", zero = "zero""#,
        r#"name = "all", family = "count""#,
        r#"name = "over_none", family = "ratio", numerator = "spend", denominator = "n", zero = { by_numerator = { nonzero = 10, zero = 1 } }"#,
        r#"name = "over_some", family = "ratio", numerator = "all", denominator = "n", zero = { by_numerator = { nonzero = 10, zero = 1 } }"#,
        r#"name = "daily", family = "per_day", where = { event_type = "cart" }"#,
        r#"name = "visits", family = "sessions", gap = "30m", where = { event_type = "cart" }"#,
    ]);
    let features = bound(&spec).unwrap();
    let table = features.matrix(&[Shape::FULL.batch(&[Event::at(MICROS_PER_DAY, 7, VIEW)])]).unwrap();
    let value = |name: &str| {
        let column = &table[name];
        match column.data_type() {
            _ if column.is_null(0) => None,
            DataType::Int64 => Some(column.as_primitive::<Int64Type>().value(0) as f64),
            _ => Some(column.as_primitive::<Float64Type>().value(0)),
        }
    };
    for (name, expected) in [
        ("n", Some(0.0)),
        ("spend", Some(0.0)),
        ("mean", None),
        ("least", Some(0.0)),
        ("dev", None),
        ("kinds", Some(0.0)),
        ("since", None),
        ("since_filled", Some(999.0)),
        ("span", None),
        ("days", Some(0.0)),
        ("trend", None),
        ("wild", Some(0.0)),
        ("night", None),
        ("fond", None),
        ("second", None),
        ("unknown", None),
        ("none", Some(0.0)),
        ("some", Some(2.5)),
        ("lost", None),
        ("over_none", Some(1.0)),
        ("over_some", Some(10.0)),
        ("daily", Some(0.0)),
        ("visits", Some(0.0)),
    ] {
        assert_eq!(value(name), expected, "{name}");
        // What is never null is said to be so.
        let field = table.schema().field_with_name(name).unwrap().clone();
        assert!(expected.is_some() || field.is_nullable(), "{name}");
    }
    assert!(!table.schema().field_with_name("since_filled").unwrap().is_nullable());
}

#[test]
fn windows_and_values_go_into_the_names() {
    let spec = lines(&[
        r#"name = "n", family = "count", windows = ["2d", "168h"], pivot = { column = "event_type", values = ["view", "cart"] }"#,
        r#"name = "all", family = "count", windows = ["2d", "7d"]"#,
        r#"name = "of", family = "ratio", numerator = "n_cart", denominator = "all", zero = "null", windows = ["2d", "7d"]"#,
    ]);
    let features = bound(&spec).unwrap();
    let names: Vec<_> = features.names().collect();
    assert_eq!(
        names,
        ["n_view_2d", "n_cart_2d", "n_view_7d", "n_cart_7d", "all_2d", "all_7d", "of_2d", "of_7d"]
    );
    let day = |day: i64, kind| Event::at(day * MICROS_PER_DAY, 7, kind);
    let events = [day(0, VIEW), day(4, CART), day(5, CART), day(5, VIEW), day(7, CART)];
    let table = features.matrix(&[Shape::FULL.batch(&events)]).unwrap();
    let whole = |name: &str| table[name].as_primitive::<Int64Type>().value(0);
    assert_eq!(["n_view_2d", "n_cart_2d", "n_view_7d", "n_cart_7d", "all_2d"].map(whole), [1, 1, 2, 2, 2]);
    assert_eq!(table["of_7d"].as_primitive::<Float64Type>().value(0), 0.5);
    assert_eq!(features.columns(), ["event_type", "user_id", "event_time"]);
}

#[test]
fn the_place_of_a_last_value_counts_from_the_end() {
    let spec = lines(&[
        r#"name = "last", family = "last", values = ["view", "cart"]"#,
        r#"name = "third", family = "last", k = 3, values = ["view", "cart"]"#,
        r#"name = "none", family = "last", k = 4, values = ["view", "cart"], fill = -1"#,
    ]);
    let events =
        [(0, CART), (1, VIEW), (2, PURCHASE), (9, VIEW)].map(|(time, kind)| Event::at(time, 7, kind));
    let one_by_one: Vec<_> =
        events[..3].iter().map(|event| Shape::FULL.batch(std::slice::from_ref(event))).collect();
    let table = bound(&spec).unwrap().matrix(&one_by_one).unwrap();
    let whole = |name: &str| table[name].as_primitive::<Int64Type>().value(0);
    assert_eq!(["last", "third", "none"].map(whole), [0, 2, -1]);
}

/// A day in Berlin, where clocks are put back in the night of the 27th: 02:30 comes twice, and the day has 25 hours.
#[test]
fn hours_days_and_dates_are_those_of_the_time_zone() {
    let times = [
        "2019-10-26T21:59:00Z",
        "2019-10-26T22:00:00Z",
        "2019-10-27T00:30:00Z",
        "2019-10-27T01:30:00Z",
        "2019-10-27T22:59:00Z",
    ];
    let events: Vec<Event> = times
        .iter()
        .map(|time| Event::at(time.parse::<cip_core::Timestamp>().unwrap().micros(), 7, VIEW))
        .collect();
    let events = Shape::FULL.batch(&events);
    let window =
        TimeRange::new("2019-10-01".parse().unwrap(), "2019-10-27T23:30:00Z".parse().unwrap()).unwrap();
    let values = |zone: &str| {
        let rules = r#"features = [
            { name = "days", family = "active_days" },
            { name = "since", family = "recency" },
            { name = "elapsed", family = "recency", days = "elapsed" },
            { name = "span", family = "span" },
            { name = "sunday", family = "share", weekdays = ["sun"] },
            { name = "two", family = "share", hours = [2, 3] },
        ]"#;
        let spec = read(&format!("{zone}{rules}"));
        assert_eq!(FeatureSpec::from_toml(&spec.to_toml().unwrap()).unwrap(), spec);
        let table =
            SpecFeatures::new(&spec, window, events.schema()).unwrap().matrix(std::slice::from_ref(&events));
        let table = table.unwrap();
        let whole = |name: &str| table[name].as_primitive::<Int64Type>().value(0);
        let part = |name: &str| table[name].as_primitive::<Float64Type>().value(0);
        (["days", "since", "elapsed", "span"].map(whole), ["sunday", "two"].map(part))
    };
    assert_eq!(values(""), ([2, 0, 0, 1], [0.6, 0.0]));
    assert_eq!(values("time_zone = \"Europe/Berlin\"\n"), ([2, 1, 0, 1], [0.8, 0.4]));
    assert_eq!(values("time_zone = \"+01:00\"\n"), ([2, 1, 0, 1], [0.6, 0.2]));
    let error = refused(FeatureSpec::from_toml(
        "time_zone = \"Berlin\"\nfeatures = [{ name = \"n\", family = \"count\" }]",
    ));
    assert!(error.starts_with("`Berlin` is no time zone: write UTC"), "{error}");
}

#[test]
fn sessions_are_those_of_the_source_or_end_where_nothing_happens() {
    let minute = 60_000_000;
    let events = [0, 10, 40, 71, 200].map(|at| Event { session: Some(3), ..Event::at(at * minute, 7, VIEW) });
    let spec = lines(&[
        r#"name = "own", family = "sessions""#,
        r#"name = "half_hours", family = "sessions", gap = "30m""#,
        r#"name = "hours", family = "sessions", gap = "1h""#,
    ]);
    let counts = |shape: Shape| {
        // A batch each: what is open goes on.
        let batches: Vec<_> = events.iter().map(|event| shape.batch(std::slice::from_ref(event))).collect();
        let features = SpecFeatures::new(&spec, week(), batches[0].schema()).unwrap();
        let table = features.matrix(&batches).unwrap();
        ["own", "half_hours", "hours"].map(|name| table[name].as_primitive::<Int64Type>().value(0))
    };
    // 31 minutes are more than 30, and 30 are not.
    assert_eq!(counts(Shape::FULL), [1, 3, 2]);
    assert_eq!(counts(Shape { sessions: false, ..Shape::FULL }), [3, 3, 2]);
}

#[test]
fn a_document_says_what_is_wrong_with_it() {
    let text = |line: &str| refused(FeatureSpec::from_toml(&format!("features = [{{ {line} }}]")));
    for (line, what) in [
        (r#"name = "a", family = "kount""#, "unknown variant `kount`, expected one of `count`, `per_day`"),
        (r#"name = "a", family = "count", colum = "price""#, "unknown field `colum`, expected one of `name`"),
        (
            r#"name = "a", family = "count", column = "price""#,
            "feature `a` of family `count` takes no `column`",
        ),
        (r#"name = "a", family = "sum""#, "feature `a` of family `sum` has no `column`: say it"),
        (r#"name = "a", family = "last""#, "feature `a` of family `last` has no `values`"),
        (r#"name = "a", family = "ratio", numerator = "b", denominator = "c""#, "has no `zero`: say it"),
        (
            r#"name = "a", family = "ratio", numerator = "b", denominator = "c", zero = "nil""#,
            "unknown variant `nil`",
        ),
        (
            r#"name = "a", family = "ratio", numerator = "b", denominator = "c", zero = { by_numerator = { nonzero = 10 } }"#,
            "missing field `zero`",
        ),
        (
            r#"name = "a", family = "ratio", numerator = "b", denominator = "c", zero = { by_numerator = { nonzero = 1, zero = 0, some = 1 } }"#,
            "unexpected keys in table: some, available keys: nonzero, zero",
        ),
        (
            r#"name = "a", family = "ratio", numerator = "b", denominator = "c", zero = { by_numerator = { nonzero = inf, zero = 0 } }"#,
            "`zero` is { nonzero = inf, zero = 0 }, expected two finite numbers",
        ),
        (r#"name = "a", family = "count", gap = "30m""#, "feature `a` of family `count` takes no `gap`"),
        (r#"name = "a", family = "sessions", gap = "0m""#, "`0m` is not a stretch of time"),
        (r#"name = "a", family = "share""#, "`hours` is absent, expected hours, weekdays or both"),
        (
            r#"name = "a", family = "share", hours = [6, 6]"#,
            "`hours` is [6, 6], expected two different hours",
        ),
        (
            r#"name = "a", family = "share", weekdays = ["son"]"#,
            "unknown variant `son`, expected one of `mon`",
        ),
        (r#"name = "a", family = "count", window = "7""#, "`7` is not a duration"),
        (r#"name = "a", family = "count", window = "0d""#, "`0d` is not a stretch of time to look back"),
        (
            r#"name = "a", family = "count", window = "7d", windows = ["1d"]"#,
            "`window` is beside `windows`, expected only",
        ),
        (
            r#"name = "a", family = "count", where = { brand = 1.5 }"#,
            "`where.brand` is 1.5, expected a text, an integer",
        ),
        (
            r#"name = "a", family = "count", where = { brand = [] }"#,
            "`where.brand` is `= `, expected one value or more",
        ),
        (
            r#"name = "a", family = "count", where = { brand = { like = "a" } }"#,
            "expected a text, an integer, a list",
        ),
        (
            r#"name = "a", family = "count", pivot = { column = "brand" }"#,
            "`pivot` is without `values`, expected",
        ),
        (
            r#"name = "a", family = "count", pivot = { column = "brand", top = 3, values = ["a"] }"#,
            "beside `values`",
        ),
        (
            r#"name = "a", family = "count", pivot = { column = "brand", values = [true] }"#,
            "expected a list of texts",
        ),
        (r#"name = "a", family = "count", fill = 0"#, "family `count` takes no `fill`"),
        (
            r#"name = "a", family = "recency", days = "working""#,
            "unknown variant `working`, expected `dates` or `elapsed`",
        ),
        (r#"name = "a", family = "count", range = [1, 0]"#, "`range` is [1, 0], expected two finite numbers"),
        (
            r#"name = "a", family = "mean", column = "price", fill = nan"#,
            "`fill` is NaN, expected a finite number",
        ),
        (r#"name = "a b", family = "count""#, "`a b` is no name of a feature"),
        (r#"name = "label", family = "count""#, "`label` is no name of a feature"),
        (r#"name = "a", family = "count" }, { name = "a", family = "trend""#, "two features `a`"),
    ] {
        let said = text(line);
        assert!(said.contains(what), "`{what}` is not in: {said}");
    }
    assert!(
        refused(FeatureSpec::from_toml("features = []")).starts_with("the specification has no features")
    );
    assert!(refused(FeatureSpec::from_toml("[label]\nwhere = {}")).contains("missing field `features`"));
    assert!(
        refused(FeatureSpec::from_toml("features = ["))
            .starts_with("the specification of features: TOML parse error")
    );
}

#[test]
fn what_the_events_cannot_give_is_refused_with_what_they_can() {
    let text = |line: &str| refused(bound(&lines(&[r#"name = "n", family = "count""#, line])));
    for (line, what) in [
        (
            r#"name = "a", family = "distinct", column = "colour""#,
            "feature `a` is made from column `colour`, which the events do not have: map it in the source mapping, or take \
             one of event_type, user_id",
        ),
        (
            r#"name = "a", family = "distinct", column = "note""#,
            "feature `a` is made from column `note`, which is Int32, expected texts or integers",
        ),
        (
            r#"name = "a", family = "distinct", column = "price""#,
            "which is Decimal128(18, 2), expected texts or integers",
        ),
        (
            r#"name = "a", family = "distinct", column = "weight""#,
            "which is Float64, expected texts or integers",
        ),
        (
            r#"name = "a", family = "distinct", column = "spend""#,
            "which is Decimal128(18, 2), expected texts or integers",
        ),
        (r#"name = "a", family = "mean", column = "brand""#, "expected Int64, UInt32, Float64 or money"),
        (
            r#"name = "a", family = "mean", column = "event_time""#,
            "which is Timestamp(µs, \"UTC\"), expected Int64",
        ),
        (
            r#"name = "a", family = "count", where = { product_id = "7" }"#,
            "feature `a`: `7` is no value of column `product_id`, expected an integer: write it without quotes",
        ),
        (
            r#"name = "a", family = "count", where = { brand = { not = 7 } }"#,
            "feature `a`: `7` is no value of column `brand`, expected a text: write it in quotes",
        ),
        (
            r#"name = "a", family = "count", where = { product_id = { starts_with = "7" } }"#,
            "expected an integer",
        ),
        (
            r#"name = "a", family = "count", where = { brand = { below = 7 } }"#,
            "expected Int64, UInt32, Float64 or money",
        ),
        (
            r#"name = "a", family = "count", where = { price = 7 }"#,
            "which is Decimal128(18, 2), expected texts or integers",
        ),
        (r#"name = "a", family = "affinity", column = "brand", value = 7"#, "expected a text"),
        (r#"name = "a", family = "last", values = [7]"#, "expected a text"),
        (
            r#"name = "a", family = "ratio", numerator = "n", denominator = "m", zero = "null""#,
            "feature `a`: its denominator `m` is none of the features above it: n",
        ),
        (
            r#"name = "a", family = "ratio", numerator = "a", denominator = "n", zero = "null""#,
            "its numerator `a`",
        ),
        (
            r#"name = "n_", family = "count", pivot = { column = "brand", values = ["x", "x"] }"#,
            "two features `n__x`",
        ),
        (
            r#"name = "a", family = "count", pivot = { column = "brand", top = 3 }"#,
            "feature `a` is of the most frequent values of column `brand`, which are not known: find them with",
        ),
    ] {
        let said = text(line);
        assert!(said.contains(what), "`{what}` is not in: {said}");
    }
    let no_prices = Shape { prices: false, ..Shape::FULL }.batch(&[]);
    let spend = lines(&[r#"name = "a", family = "sum", column = "spend""#]);
    let said = refused(SpecFeatures::new(&spend, week(), no_prices.schema()));
    assert!(
        said.starts_with("feature `a` is made from column `price`, which the events do not have"),
        "{said}"
    );
    let day = TimeRange::new(week().end(), week().end()).unwrap();
    assert!(
        refused(SpecFeatures::new(&spend, day, Shape::FULL.batch(&[]).schema()))
            .contains("the window of the features")
    );
}

#[test]
fn columns_are_selected_by_name_and_parts_need_not_be() {
    let spec = lines(&[
        r#"name = "views", family = "count", where = { event_type = "view" }"#,
        r#"name = "brands", family = "distinct", column = "brand""#,
        r#"name = "carts", family = "count", where = { event_type = "cart" }"#,
        r#"name = "rate", family = "ratio", numerator = "carts", denominator = "views", zero = "null""#,
    ]);
    let features = bound(&spec).unwrap().with_columns(&["rate", "views"]).unwrap();
    assert_eq!(features.columns(), ["event_type", "user_id", "event_time"]);
    let events = [VIEW, VIEW, CART].map(|kind| Event::at(MICROS_PER_DAY, 7, kind));
    let table = features.matrix(&[Shape::FULL.batch(&events)]).unwrap();
    assert_eq!(table["rate"].as_primitive::<Float64Type>().values(), &[0.5]);
    assert_eq!(table["views"].as_primitive::<Int64Type>().values(), &[2]);
    assert_eq!(table.num_columns(), 3);
    let bound = || bound(&spec).unwrap();
    assert!(
        refused(bound().with_columns(&["sales"])).ends_with("expected one of views, brands, carts, rate")
    );
    assert!(refused(bound().with_columns(&["views", "views"])).contains("`views` is asked for twice"));
    assert!(refused(bound().with_columns(&[""; 0])).contains("no features"));
}

#[test]
fn the_label_is_that_of_the_specification_or_of_who_asks() {
    let spec = lines(&[r#"name = "n", family = "count""#]);
    let until = "1970-01-15".parse().unwrap();
    let events = [
        Event::at(0, 7, VIEW),
        Event { brand: Some(2), ..Event::at(9 * MICROS_PER_DAY, 7, CART) },
        Event::at(0, 8, VIEW),
        Event::at(9 * MICROS_PER_DAY, 8, CART),
        Event { brand: Some(2), ..Event::at(16 * MICROS_PER_DAY, 8, CART) },
    ];
    let labels = |features: SpecFeatures| {
        let table = features.matrix(&[Shape::FULL.batch(&events)]).unwrap();
        table["label"].as_primitive::<arrow_array::types::UInt8Type>().values().to_vec()
    };
    let carts = Filter::event_type("cart");
    assert_eq!(labels(bound(&spec).unwrap().with_label_until(until, Some(carts.clone())).unwrap()), [1, 1]);
    let own = spec.clone().with_label(carts.clone().and("brand", Test::text("elenberg"))).unwrap();
    let features = bound(&own).unwrap().with_label_until(until, Some(carts)).unwrap();
    let metadata = features.schema().field_with_name("label").unwrap().metadata().clone();
    assert_eq!(metadata["events"], "brand = elenberg, event_type = cart");
    assert_eq!(labels(features), [1, 0]);
    assert!(
        refused(bound(&spec).unwrap().with_label_until(until, None)).contains("add a [label] with a `where`")
    );
    assert!(
        refused(spec.clone().with_label(Filter::default().and("brand", Test::AnyOf(vec![]))))
            .contains("`where.brand`")
    );
    let nothing = bound(&spec).unwrap().with_label_until(until, Some(Filter::default()));
    assert!(refused(nothing).contains("add a [label] with a `where`"));
    let cutoff = week().end();
    assert!(refused(bound(&own).unwrap().with_label_until(cutoff, None)).contains("behind the cutoff"));
    let strange = spec.with_label(Filter::default().and("colour", Test::text("red"))).unwrap();
    assert!(
        refused(bound(&strange).unwrap().with_label_until(until, None))
            .starts_with("feature `label` is made from")
    );
}

/// Events of user 7, one a microsecond, with a price in cents and a quantity, and a number.
fn numbers(prices: &[i128], quantities: &[i64], floats: &[f64]) -> EventBatch {
    let rows = prices.len();
    let times = TimestampMicrosecondArray::from_iter_values(0..rows as i64).with_timezone("UTC");
    let prices = Decimal128Array::from(prices.to_vec()).with_precision_and_scale(18, 2).unwrap();
    let columns: [(&str, ArrayRef); 5] = [
        ("user_id", Arc::new(StringArray::from(vec!["7"; rows]))),
        ("event_time", Arc::new(times)),
        ("price", Arc::new(prices)),
        ("quantity", Arc::new(Int64Array::from(quantities.to_vec()))),
        ("weight", Arc::new(Float64Array::from(floats.to_vec()))),
    ];
    EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
}

fn number(statistic: Statistic, column: &str, events: &EventBatch) -> Result<f64, FeaturesError> {
    let rule = FeatureRule::new("x", Family::Number { statistic, column: column.into() }).unwrap();
    let spec = FeatureSpec::new(vec![rule]).unwrap();
    let table = SpecFeatures::new(&spec, week(), events.schema())?.matrix(std::slice::from_ref(events))?;
    Ok(table["x"].as_primitive::<Float64Type>().value(0))
}

#[test]
fn money_is_summed_exactly_and_refused_beyond_its_range() {
    let most = 999_999_999_999_999_999;
    let events = numbers(&[most, 1, -most], &[1, 1, 1], &[0.0; 3]);
    assert_eq!(number(Statistic::Sum, "spend", &events).unwrap(), 0.01);
    assert_eq!(number(Statistic::Sum, "price", &events).unwrap(), 0.01);
    // Two products of 36 digits; of a hundred the sum has 39.
    let large = numbers(&[most; 2], &[i64::MAX; 2], &[0.0; 2]);
    assert!(number(Statistic::Sum, "spend", &large).unwrap() > 1e35);
    let larger = numbers(&[most; 40], &[i64::MAX; 40], &[0.0; 40]);
    let said = refused(number(Statistic::Sum, "spend", &larger));
    assert!(said.starts_with("feature `x` is beyond the range of its numbers"), "{said}");
    assert!(said.contains("made from column `spend`"), "{said}");
}

#[test]
fn ends_in_money_are_those_that_were_written() {
    // 0.29 x 100 is 28.999999999999996 in floats.
    let events = numbers(&[28, 29, 30, 57, 58], &[1; 5], &[0.0; 5]);
    let count = |test: &str| {
        let spec = lines(&[&format!(r#"name = "n", family = "count", where = {{ price = {{ {test} }} }}"#)]);
        let table =
            SpecFeatures::new(&spec, week(), events.schema()).unwrap().matrix(std::slice::from_ref(&events));
        table.unwrap()["n"].as_primitive::<Int64Type>().value(0)
    };
    assert_eq!(count("at_least = 0.29"), 4);
    assert_eq!(count("below = 0.58"), 4);
    assert_eq!(count("below = 0.58, at_least = 0.29"), 3);
    assert_eq!(count("at_least = 1"), 0);
}

#[test]
fn numbers_that_are_none_are_refused_and_no_value_is_infinite() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let events = numbers(&[1, 1], &[1, 1], &[0.5, bad]);
        let said = refused(number(Statistic::Mean, "weight", &events));
        assert_eq!(said, format!("row 1: column `weight` is {bad}, expected a finite number or null"));
        // A column that is not read may hold anything.
        assert_eq!(number(Statistic::Mean, "price", &events).unwrap(), 0.01);
    }
    let huge = numbers(&[1, 1], &[1, 1], &[f64::MAX, f64::MAX]);
    for statistic in [Statistic::Sum, Statistic::Mean] {
        assert!(
            refused(number(statistic, "weight", &huge)).contains("made from column `weight`"),
            "{statistic:?}"
        );
    }
    assert_eq!(number(Statistic::Max, "weight", &huge).unwrap(), f64::MAX);
    let apart = numbers(&[1, 1], &[1, 1], &[f64::MAX, -f64::MAX]);
    assert!(refused(number(Statistic::Std, "weight", &apart)).contains("beyond the range"));
}

#[test]
fn no_events_make_no_rows_and_no_values() {
    let spec = lines(&[
        r#"name = "all", family = "count""#,
        r#"name = "n", family = "count", pivot = { column = "brand", top = 3 }"#,
    ]);
    let events = Shape::FULL.batch(&[]);
    let mut survey = Survey::new(&spec, week(), events.schema()).unwrap();
    assert_eq!(survey.columns(), ["user_id", "event_time", "brand"]);
    survey.push(&events).unwrap();
    let settled = survey.settle().unwrap();
    assert_eq!(settled.rules().len(), 1);
    assert_eq!(bound(&settled).unwrap().matrix(std::slice::from_ref(&events)).unwrap().num_rows(), 0);
    let lonely = lines(&[r#"name = "n", family = "count", pivot = { column = "brand", top = 3 }"#]);
    let survey = Survey::new(&lonely, week(), events.schema()).unwrap();
    assert!(refused(survey.settle()).starts_with("the specification has no features"));
    assert!(
        refused(Survey::new(&lonely, week(), Shape { brands: false, ..Shape::FULL }.batch(&[]).schema()))
            .contains("`brand`")
    );
}

#[test]
fn a_pivot_over_too_many_values_is_refused() {
    let rows = (1 << 20) + 1;
    let times = TimestampMicrosecondArray::from(vec![0; rows]).with_timezone("UTC");
    let columns: [(&str, ArrayRef); 3] = [
        ("user_id", Arc::new(Int64Array::from(vec![7; rows]))),
        ("event_time", Arc::new(times)),
        ("page", Arc::new(Int64Array::from_iter_values(0..rows as i64))),
    ];
    let events = EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    let spec = lines(&[r#"name = "n", family = "count", pivot = { column = "page", top = 3 }"#]);
    let survey = || Survey::new(&spec, week(), events.schema()).unwrap();
    let refusal = "column `page` has more than 1048576 values: list those that are to have a feature";
    assert_eq!(refused(survey().push(&events)), refusal);
    let (mut low, mut high) = (survey(), survey());
    low.push(&events.slice(0, rows - 1)).unwrap();
    high.push(&events.slice(rows - 1, 1)).unwrap();
    assert_eq!(refused(low.merge(high)), refusal);
}

#[test]
fn the_values_of_a_huge_user_do_not_disturb_the_next() {
    let many = 70_000;
    // User 7 has every page, user 8 the first three, the second of them twice; in two batches of one dictionary.
    let pages: Vec<i32> = (0..many).chain([0, 1, 2, 1]).collect();
    let users: Vec<i64> =
        pages.iter().enumerate().map(|(row, _)| if row < many as usize { 7 } else { 8 }).collect();
    let rows = pages.len();
    let texts = StringArray::from_iter_values((0..many).map(|page| format!("page {page}")));
    let coded = DictionaryArray::<Int32Type>::new(Int32Array::from(pages.clone()), Arc::new(texts));
    let columns: [(&str, ArrayRef); 4] = [
        ("user_id", Arc::new(Int64Array::from(users))),
        ("event_time", Arc::new(TimestampMicrosecondArray::from(vec![0; rows]).with_timezone("UTC"))),
        ("page", Arc::new(coded)),
        ("number", Arc::new(Int64Array::from_iter_values(pages.iter().map(|&page| page.into())))),
    ];
    let events = EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    let spec = lines(&[
        r#"name = "pages", family = "distinct", column = "page""#,
        r#"name = "numbers", family = "distinct", column = "number""#,
        r#"name = "page", family = "affinity", column = "page""#,
        r#"name = "number", family = "affinity", column = "number""#,
        r#"name = "last_page", family = "last", column = "page", values = ["page 0", "page 1"]"#,
        r#"name = "last_number", family = "last", column = "number", values = [0, 1]"#,
    ]);
    let features = SpecFeatures::new(&spec, week(), events.schema()).unwrap();
    let table = features.matrix(&[events.slice(0, rows - 2), events.slice(rows - 2, 2)]).unwrap();
    for (name, expected) in
        [("pages", [70_000, 3]), ("numbers", [70_000, 3]), ("last_page", [0, 2]), ("last_number", [0, 2])]
    {
        assert_eq!(table[name].as_primitive::<Int64Type>().values(), &expected, "{name}");
    }
    for name in ["page", "number"] {
        assert_eq!(table[name].as_primitive::<Float64Type>().values(), &[1.0 / 70_000.0, 0.5], "{name}");
    }
}

#[test]
fn a_window_longer_than_that_of_the_table_is_told() {
    let spec = lines(&[r#"name = "n", family = "count", windows = ["1d", "7d", "8d"]"#]);
    let features = bound(&spec).unwrap();
    assert_eq!(features.cut_short().collect::<Vec<_>>(), ["n_8d"]);
}

#[test]
fn batches_that_do_not_go_on_are_refused() {
    let features = bound(&lines(&[r#"name = "n", family = "distinct", column = "brand""#])).unwrap();
    let mut builder = features.builder();
    let without = Shape { brands: false, ..Shape::FULL }.batch(&[Event::at(0, 7, VIEW)]);
    assert!(refused(builder.push(&without)).starts_with("column `brand` is missing"));
    builder.push(&Shape::FULL.batch(&[Event::at(5, 7, VIEW)])).unwrap();
    let said = refused(builder.push(&Shape::FULL.batch(&[Event::at(4, 7, VIEW)])));
    assert!(said.starts_with("row 1 comes before the row above it"), "{said}");
}
