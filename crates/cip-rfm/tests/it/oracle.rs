//! RFM by grouping, filtering and sorting: slow, and plain enough to be read as the definition.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, UInt8Type};
use arrow_array::{RecordBatch, StringArray, cast::AsArray};
use cip_core::{Id, IdColumn, MICROS_PER_DAY};
use cip_rfm::Returns;

use crate::events::{Event, Shape, TYPES};

/// The cuts of recency, frequency and monetary.
pub(crate) type Bounds = ([i32; 4], [i64; 4], [i128; 4]);

#[derive(Debug, Clone, Copy)]
pub(crate) enum How {
    Default,
    Ntile,
    Cuts(Bounds),
}

/// A row of `rfm_segments`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) user: Id,
    pub(crate) recency_days: i32,
    pub(crate) frequency: i64,
    pub(crate) monetary: i128,
    pub(crate) scores: [u8; 3],
    pub(crate) segment: String,
}

pub(crate) fn oracle(as_of: i64, returns: Returns, how: How, shape: Shape, events: &[Event]) -> Vec<Row> {
    let mut by_user: BTreeMap<Id, Vec<&Event>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.time < as_of) {
        if let Some(user) = event.user {
            by_user.entry(shape.user(user)).or_default().push(event);
        }
    }
    let mut rows: Vec<Row> = by_user
        .into_iter()
        .filter_map(|(user, events)| facts(as_of, returns, shape, user, &events))
        .collect();
    score(how, &mut rows);
    for row in &mut rows {
        row.segment = segment(row.scores[0], row.scores[1]).to_owned();
    }
    rows
}

fn facts(as_of: i64, returns: Returns, shape: Shape, user: Id, events: &[&Event]) -> Option<Row> {
    let of = |name: &str| -> Vec<&&Event> {
        events.iter().filter(|event| TYPES[event.kind as usize] == name).collect()
    };
    let (purchases, cancellations) = (of("purchase"), of("cancellation"));
    let last = purchases.iter().map(|event| event.time).max()?;
    let frequency = if shape.orders.is_some() {
        let orders: BTreeSet<i64> = purchases.iter().filter_map(|event| event.order).collect();
        orders.len() + purchases.iter().filter(|event| event.order.is_none()).count()
    } else {
        purchases.len()
    };
    let pieces = |event: &Event| i128::from(if shape.quantities { event.quantity.unwrap_or(1) } else { 1 });
    let price = |event: &Event| i128::from(event.price.unwrap_or(0));
    let mut monetary: i128 = purchases.iter().map(|event| price(event) * pieces(event)).sum();
    if returns == Returns::Net {
        monetary -= cancellations.iter().map(|event| price(event) * pieces(event).abs()).sum::<i128>();
    }
    let day = |time: i64| time.div_euclid(MICROS_PER_DAY);
    Some(Row {
        user,
        recency_days: (day(as_of) - day(last)) as i32,
        frequency: frequency as i64,
        monetary,
        scores: [0; 3],
        segment: String::new(),
    })
}

fn score(how: How, rows: &mut [Row]) {
    match how {
        How::Default => {
            ntile(rows, 0, |row| -i128::from(row.recency_days));
            for row in rows.iter_mut() {
                row.scores[1] = match row.frequency {
                    ..=1 => 1,
                    2 => 2,
                    3 => 3,
                    4 | 5 => 4,
                    6.. => 5,
                };
            }
            ntile(rows, 2, |row| row.monetary);
        }
        How::Ntile => {
            ntile(rows, 0, |row| -i128::from(row.recency_days));
            ntile(rows, 1, |row| i128::from(row.frequency));
            ntile(rows, 2, |row| row.monetary);
        }
        How::Cuts((days, orders, money)) => {
            for row in rows {
                row.scores[0] = match row.recency_days {
                    r if r <= days[0] => 5,
                    r if r <= days[1] => 4,
                    r if r <= days[2] => 3,
                    r if r <= days[3] => 2,
                    _ => 1,
                };
                row.scores[1] = match row.frequency {
                    f if f < orders[0] => 1,
                    f if f < orders[1] => 2,
                    f if f < orders[2] => 3,
                    f if f < orders[3] => 4,
                    _ => 5,
                };
                row.scores[2] = match row.monetary {
                    m if m < money[0] => 1,
                    m if m < money[1] => 2,
                    m if m < money[2] => 3,
                    m if m < money[3] => 4,
                    _ => 5,
                };
            }
        }
    }
}

/// NTILE(5) OVER (ORDER BY key, user_id), dealt out tile by tile.
fn ntile(rows: &mut [Row], score: usize, key: impl Fn(&Row) -> i128) {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| (key(&rows[a]), &rows[a].user).cmp(&(key(&rows[b]), &rows[b].user)));
    let mut next = order.into_iter();
    for tile in 1..=5 {
        let size = rows.len() / 5 + usize::from(tile <= rows.len() % 5);
        for row in next.by_ref().take(size) {
            rows[row].scores[score] = tile as u8;
        }
    }
}

/// All pairs of scores, r 5 first, f 1 first.
fn segment(r: u8, f: u8) -> &'static str {
    const TABLE: &str = "\
        New Customers|At Risk|Loyal Customers|Champions|Champions
        New Customers|At Risk|Loyal Customers|Champions|Champions
        Promising|At Risk|Loyal Customers|Loyal Customers|Loyal Customers
        At Risk|Need Attention|Need Attention|Need Attention|Need Attention
        Hibernating|Hibernating|At Risk|Can't Lose Them|Can't Lose Them";
    let row = TABLE.lines().nth(5 - usize::from(r)).unwrap();
    row.trim().split('|').nth(usize::from(f) - 1).unwrap()
}

/// Reads a table of `rfm_segments`.
pub(crate) fn rows(table: &RecordBatch) -> Vec<Row> {
    let column = |name| table.column_by_name(name).unwrap();
    let score = |name| column(name).as_primitive::<UInt8Type>().values();
    let users = IdColumn::try_new("user_id", column("user_id")).unwrap();
    let segments = column("segment").as_dictionary::<Int32Type>();
    let segments = segments.downcast_dict::<StringArray>().unwrap();
    (0..table.num_rows())
        .map(|row| Row {
            user: users.get(row).unwrap().to_owned(),
            recency_days: column("recency_days").as_primitive::<Int32Type>().value(row),
            frequency: column("frequency").as_primitive::<Int64Type>().value(row),
            monetary: column("monetary").as_primitive::<Decimal128Type>().value(row),
            scores: [score("r")[row], score("f")[row], score("m")[row]],
            segment: segments.values().value(segments.keys().value(row) as usize).to_owned(),
        })
        .collect()
}
