//! Features by grouping, sorting and looping: slow, and plain enough to be read as the definition.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::types::{Float64Type, Int64Type, UInt8Type};
use arrow_array::{Array, RecordBatch, cast::AsArray};
use arrow_schema::DataType;
use cip_core::{Id, IdColumn, MICROS_PER_DAY, TimeRange, Timestamp};
use cip_features::{Features, MatrixReport};

use crate::events::{Event, Shape, TYPES};

/// A value of a feature: a count, the bits of a float, or unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    Int(i64),
    Bits(u64),
    Unknown,
}

/// A row of `features`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) user: Id,
    pub(crate) values: Vec<(String, Value)>,
    pub(crate) label: Option<u8>,
}

/// Start, cutoff, end of the label window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window(pub(crate) i64, pub(crate) i64, pub(crate) Option<i64>);

impl Window {
    /// From the start to the cutoff.
    pub(crate) fn range(self) -> TimeRange {
        TimeRange::new(Timestamp::from_micros(self.0), Timestamp::from_micros(self.1)).unwrap()
    }
}

fn float(value: f64) -> Value {
    assert!(value.is_finite());
    Value::Bits(value.to_bits())
}

fn rate(part: usize, whole: usize) -> Value {
    if whole == 0 { Value::Unknown } else { float(part as f64 / whole as f64) }
}

pub(crate) fn oracle(window: Window, shape: Shape, events: &[Event]) -> Vec<Row> {
    let Window(start, cutoff, until) = window;
    let mut by_user: BTreeMap<Id, Vec<&Event>> = BTreeMap::new();
    for event in events.iter().filter(|event| start <= event.time && event.time < cutoff) {
        if let Some(user) = event.user {
            by_user.entry(shape.user(user)).or_default().push(event);
        }
    }
    let is_purchase = |event: &Event| TYPES[event.kind as usize] == "purchase";
    by_user
        .into_iter()
        .map(|(user, mut known)| {
            known.sort_by_key(|event| event.time);
            let label = until.map(|until| {
                let bought = events.iter().any(|event| {
                    event.user.map(|user| shape.user(user)).as_ref() == Some(&user)
                        && is_purchase(event)
                        && cutoff <= event.time
                        && event.time < until
                });
                u8::from(bought)
            });
            Row { values: values(window, shape, &known), user, label }
        })
        .collect()
}

fn values(Window(start, cutoff, _): Window, shape: Shape, events: &[&Event]) -> Vec<(String, Value)> {
    let of = |name: &str| -> Vec<&Event> {
        events.iter().filter(|event| TYPES[event.kind as usize] == name).copied().collect()
    };
    let (views, carts, purchases) = (of("view"), of("cart"), of("purchase"));
    let day = |time: i64| time.div_euclid(MICROS_PER_DAY);
    let days_since = |last: Option<&&Event>| {
        last.map_or(Value::Unknown, |event| Value::Int(day(cutoff) - day(event.time)))
    };
    let pieces = |event: &Event| if shape.quantities { event.quantity.unwrap_or(1) } else { 1 };
    let spend: i128 =
        purchases.iter().map(|event| i128::from(event.price.unwrap_or(0)) * i128::from(pieces(event))).sum();
    let prices: Vec<i64> = events.iter().filter_map(|event| event.price).collect();
    let sessions = if shape.sessions {
        events.iter().filter_map(|event| event.session).collect::<BTreeSet<_>>().len()
    } else {
        1 + events.windows(2).filter(|pair| pair[1].time - pair[0].time > 1_800_000_000).count()
    };
    let categories = if shape.categories.is_some() {
        events.iter().filter_map(|event| event.category).collect::<BTreeSet<_>>().len()
    } else {
        events.iter().filter_map(|event| event.code).collect::<BTreeSet<_>>().len()
    };
    let middle = start + (cutoff - start) / 2;
    let early = events.iter().filter(|event| event.time < middle).count() as i64;
    let late = events.len() as i64 - early;
    let count = |count: usize| Value::Int(count as i64);
    let last = events[events.len() - 1].time;
    let mut values = vec![
        ("events", count(events.len())),
        ("views", count(views.len())),
        ("carts", count(carts.len())),
        ("removes", count(of("remove_from_cart").len())),
        ("purchases", count(purchases.len())),
    ];
    if shape.prices {
        values.push(("spend", float(spend as f64 / 100.0)));
    }
    values.push(("sessions", count(sessions)));
    if shape.products.is_some() {
        let products: BTreeSet<_> = events.iter().filter_map(|event| event.product).collect();
        values.push(("products", count(products.len())));
    }
    if shape.categories.is_some() || shape.codes {
        values.push(("categories", count(categories)));
    }
    if shape.brands {
        let brands: BTreeSet<_> = events.iter().filter_map(|event| event.brand).collect();
        values.push(("brands", count(brands.len())));
    }
    if shape.prices {
        let sum: i128 = prices.iter().map(|&price| i128::from(price)).sum();
        let mean = || float(sum as f64 / (prices.len() * 100) as f64);
        values.push(("avg_price", if prices.is_empty() { Value::Unknown } else { mean() }));
        let max = prices.iter().max();
        values.push(("max_price", max.map_or(Value::Unknown, |&price| float(price as f64 / 100.0))));
    }
    values.extend([
        ("active_span_days", Value::Int(day(last) - day(events[0].time))),
        ("active_days", count(events.iter().map(|event| day(event.time)).collect::<BTreeSet<_>>().len())),
        ("recency_days", Value::Int(day(cutoff) - day(last))),
        ("view_to_cart_rate", rate(carts.len(), views.len())),
        ("cart_to_purchase_rate", rate(purchases.len(), carts.len())),
        ("purchase_rate", rate(purchases.len(), events.len())),
        ("events_per_session", rate(events.len(), sessions)),
        ("activity_trend", float((late - early) as f64 / (early + late) as f64)),
        ("activity_volatility", float((late - early).abs() as f64 / (early + late + 1) as f64)),
        ("days_since_last_cart", days_since(carts.last())),
        ("days_since_last_purchase", days_since(purchases.last())),
    ]);
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The rows of a table without the labels, which may well depend on the future.
pub(crate) fn unlabelled(table: &RecordBatch) -> Vec<Row> {
    rows(table).into_iter().map(|row| Row { label: None, ..row }).collect()
}

/// Reads a table of `features`.
pub(crate) fn rows(table: &RecordBatch) -> Vec<Row> {
    let users = IdColumn::try_new("user_id", table.column_by_name("user_id").unwrap()).unwrap();
    let value = |column: usize, row: usize| {
        let array = table.column(column);
        match array.data_type() {
            _ if array.is_null(row) => Value::Unknown,
            DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
            _ => float(array.as_primitive::<Float64Type>().value(row)),
        }
    };
    let names: Vec<_> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
    let features = 1..names.len() - usize::from(names.last().unwrap() == "label");
    (0..table.num_rows())
        .map(|row| Row {
            user: users.get(row).unwrap().to_owned(),
            values: features.clone().map(|column| (names[column].clone(), value(column, row))).collect(),
            label: table.column_by_name("label").map(|labels| labels.as_primitive::<UInt8Type>().value(row)),
        })
        .collect()
}

/// Holds the report of a table to its values, one by one.
pub(crate) fn check_report(features: &Features, table: &RecordBatch) {
    let mut report = MatrixReport::new(features);
    report.add(table);
    assert_eq!(report.columns().len(), features.selected().len());
    let rows = rows(table);
    for (at, column) in report.columns().iter().enumerate() {
        let values: Vec<Option<f64>> = rows
            .iter()
            .map(|row| match row.values[at].1 {
                Value::Int(value) => Some(value as f64),
                Value::Bits(bits) => Some(f64::from_bits(bits)),
                Value::Unknown => None,
            })
            .collect();
        let known: Vec<f64> = values.iter().copied().flatten().collect();
        let outside = features.selected()[at].range().map_or(0, |range| {
            known.iter().filter(|&&value| value < *range.start() || *range.end() < value).count()
        });
        assert_eq!(&*column.name, features.selected()[at].name());
        assert_eq!(column.nulls, (values.len() - known.len()) as u64, "{}", column.name);
        assert_eq!(column.outside, outside as u64, "{}", column.name);
        assert_eq!(column.min, known.iter().copied().reduce(f64::min), "{}", column.name);
        assert_eq!(column.max, known.iter().copied().reduce(f64::max), "{}", column.name);
    }
}
