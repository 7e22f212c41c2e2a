//! Sessions by grouping, sorting and looping: slow, and plain enough to be read as the definition.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::types::{Decimal128Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array, RecordBatch, cast::AsArray};
use cip_core::{Id, IdColumn};
use xxhash_rust::xxh3::xxh3_64;

use crate::events::{Event, Shape, TYPES};

/// A row of `fact_sessions`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) key: u64,
    pub(crate) user: Id,
    pub(crate) seq: i64,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// duration_seconds, events, views, carts, removes, purchases, products.
    pub(crate) numbers: [i64; 7],
    pub(crate) revenue: Option<i128>,
}

pub(crate) fn oracle(timeout: i64, shape: Shape, events: &[Event]) -> Vec<Row> {
    let mut by_user: BTreeMap<Id, Vec<&Event>> = BTreeMap::new();
    for event in events {
        if let Some(user) = event.user {
            by_user.entry(shape.user(user)).or_default().push(event);
        }
    }
    let mut rows = Vec::new();
    for (user, mut events) in by_user {
        events.sort_by_key(|event| event.time);
        let mut sessions: Vec<Vec<&Event>> = Vec::new();
        for event in events {
            match sessions.last_mut() {
                Some(session) if event.time - session.last().unwrap().time <= timeout => session.push(event),
                _ => sessions.push(vec![event]),
            }
        }
        for (position, session) in sessions.iter().enumerate() {
            rows.push(row(shape, &user, position as i64 + 1, session));
        }
    }
    rows
}

pub(crate) fn row(shape: Shape, user: &Id, seq: i64, session: &[&Event]) -> Row {
    let (start, end) = (session[0].time, session[session.len() - 1].time);
    let of = |name: &str| {
        session.iter().filter(move |event| TYPES[event.kind as usize] == name).copied().collect::<Vec<_>>()
    };
    let products: BTreeSet<i64> = session.iter().filter_map(|event| event.product).collect();
    let pieces = |event: &Event| if shape.quantities { event.quantity.unwrap_or(1) } else { 1 };
    let revenue = of("purchase")
        .iter()
        .map(|event| i128::from(event.price.unwrap_or(0)) * i128::from(pieces(event)))
        .sum();
    let id_bytes = match user {
        Id::Int64(id) => id.to_le_bytes().to_vec(),
        Id::Utf8(id) => id.as_bytes().to_vec(),
    };
    Row {
        key: xxh3_64(&[id_bytes, start.to_le_bytes().to_vec()].concat()),
        user: user.clone(),
        seq,
        start,
        end,
        numbers: [
            (end - start) / 1_000_000,
            session.len() as i64,
            of("view").len() as i64,
            of("cart").len() as i64,
            of("remove_from_cart").len() as i64,
            of("purchase").len() as i64,
            if shape.products.is_some() { products.len() as i64 } else { 0 },
        ],
        revenue: shape.prices.then_some(revenue),
    }
}

/// Reads tables of `fact_sessions` as one.
pub(crate) fn rows(tables: &[RecordBatch]) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in tables {
        let column = |name| table.column_by_name(name).unwrap();
        let times = |name| column(name).as_primitive::<TimestampMicrosecondType>().values();
        let ints = |name| column(name).as_primitive::<Int64Type>().values();
        let users = IdColumn::try_new("user_id", column("user_id")).unwrap();
        let revenue = column("revenue").as_primitive::<Decimal128Type>();
        for row in 0..table.num_rows() {
            let numbers =
                ["duration_seconds", "events", "views", "carts", "removes", "purchases", "products"];
            rows.push(Row {
                key: column("session_key").as_primitive::<UInt64Type>().value(row),
                user: users.get(row).unwrap().to_owned(),
                seq: ints("session_seq")[row],
                start: times("session_start")[row],
                end: times("session_end")[row],
                numbers: numbers.map(|name| ints(name)[row]),
                revenue: revenue.is_valid(row).then(|| revenue.value(row)),
            });
        }
    }
    rows
}
