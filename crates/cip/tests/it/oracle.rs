//! Sessions, segments and features by grouping, sorting and looping: slow, and plain enough to be read as the definition.

use std::collections::{BTreeMap, BTreeSet};

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{
    Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type, UInt64Type,
};
use cip::arrow_array::{Array, RecordBatch};
use cip::core::{IdRef, Timestamp};

use crate::source::{Kind, Row, customer};

/// 2019-10-01T00:00:00Z in seconds.
const EPOCH: i64 = 1_569_888_000;

/// A row of `fact_sessions`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Session {
    key: u64,
    user: String,
    seq: i64,
    /// Microseconds.
    span: [i64; 2],
    /// duration_seconds, events, views, carts, removes, purchases, products.
    numbers: [i64; 7],
    revenue: i128,
}

/// A row of `rfm_segments`, without the segment's name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Customer {
    user: String,
    recency_days: i32,
    frequency: i64,
    monetary: i128,
    scores: [u8; 3],
}

/// A row of `features`, of some of its columns.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    user: String,
    /// events, purchases, sessions, products, active_days, recency_days.
    numbers: [i64; 6],
    spend: f64,
    max_price: Option<f64>,
    pub(crate) label: u8,
}

fn by_user(kind: Kind, rows: &[Row]) -> BTreeMap<u8, Vec<Row>> {
    let mut users: BTreeMap<u8, Vec<Row>> = BTreeMap::new();
    for row in rows.iter().map(|row| kind.narrow(row)) {
        if let Some(user) = row.user {
            users.entry(user).or_default().push(row);
        }
    }
    users
}

fn amount(row: &Row) -> i128 {
    i128::from(row.price.unwrap_or(0)) * i128::from(row.quantity)
}

fn user_text(kind: Kind, user: u8) -> String {
    match kind {
        Kind::Clicks => user.to_string(),
        Kind::Till => customer(user),
    }
}

pub(crate) fn sessions(kind: Kind, timeout: u32, rows: &[Row]) -> Vec<Session> {
    let mut found = Vec::new();
    for (user, mut rows) in by_user(kind, rows) {
        rows.sort_by_key(|row| row.time);
        let mut sessions: Vec<Vec<Row>> = Vec::new();
        for row in rows {
            match sessions.last_mut() {
                Some(session) if row.time - session.last().unwrap().time <= timeout => session.push(row),
                _ => sessions.push(vec![row]),
            }
        }
        for (index, session) in sessions.iter().enumerate() {
            let (start, end) = (session[0].time, session[session.len() - 1].time);
            let of = |kind: &str| session.iter().filter(|row| row.kind == kind).count() as i64;
            let span = [start, end].map(|time| (EPOCH + i64::from(time)) * 1_000_000);
            let text = user_text(kind, user);
            let id = match kind {
                Kind::Clicks => IdRef::Int64(user.into()),
                Kind::Till => IdRef::Utf8(&text),
            };
            found.push(Session {
                key: cip::sessionize::session_key(id, Timestamp::from_micros(span[0])),
                seq: index as i64 + 1,
                span,
                numbers: [
                    i64::from(end - start),
                    session.len() as i64,
                    of("view"),
                    of("cart"),
                    of("remove_from_cart"),
                    of("purchase"),
                    session.iter().map(|row| row.product).collect::<BTreeSet<_>>().len() as i64,
                ],
                revenue: session.iter().filter(|row| row.kind == "purchase").map(amount).sum(),
                user: text,
            });
        }
    }
    found
}

/// `as_of` in days since 2019-10-01.
pub(crate) fn customers(kind: Kind, as_of: u32, rows: &[Row]) -> Vec<Customer> {
    let mut found = Vec::new();
    for (user, rows) in by_user(kind, rows) {
        let purchases: Vec<&Row> =
            rows.iter().filter(|row| row.kind == "purchase" && row.time < as_of * 86_400).collect();
        let Some(last) = purchases.iter().map(|row| row.time).max() else { continue };
        let orders: BTreeSet<u8> = purchases.iter().filter_map(|row| row.order).collect();
        let loose = purchases.iter().filter(|row| row.order.is_none()).count();
        found.push(Customer {
            user: user_text(kind, user),
            recency_days: (as_of - last / 86_400) as i32,
            frequency: (orders.len() + loose) as i64,
            monetary: purchases.iter().map(|row| amount(row)).sum(),
            scores: [0; 3],
        });
    }
    ntile(&mut found, 0, |customer| -i128::from(customer.recency_days));
    for customer in &mut found {
        customer.scores[1] = [1, 1, 2, 3, 4, 4, 5][customer.frequency.min(6) as usize];
    }
    ntile(&mut found, 2, |customer| customer.monetary);
    found
}

/// From 2019-10-01 up to `cutoff`, with labels up to `until`, both in days since then.
pub(crate) fn known(kind: Kind, [cutoff, until]: [u32; 2], rows: &[Row]) -> Vec<Known> {
    let mut found = Vec::new();
    for (user, mut rows) in by_user(kind, rows) {
        rows.sort_by_key(|row| row.time);
        let (past, later): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.time < cutoff * 86_400);
        let Some(last) = past.last().map(|row| row.time) else { continue };
        let bought = later.iter().any(|row| row.kind == "purchase" && row.time < until * 86_400);
        let purchases: Vec<&Row> = past.iter().filter(|row| row.kind == "purchase").collect();
        let sessions = match kind {
            // The column is there, and empty.
            Kind::Clicks => 0,
            Kind::Till => {
                1 + past.windows(2).filter(|pair| pair[1].time - pair[0].time > 1_800).count() as i64
            }
        };
        let spend: i128 = purchases.iter().map(|row| amount(row)).sum();
        found.push(Known {
            user: user_text(kind, user),
            numbers: [
                past.len() as i64,
                purchases.len() as i64,
                sessions,
                past.iter().map(|row| row.product).collect::<BTreeSet<_>>().len() as i64,
                past.iter().map(|row| row.time / 86_400).collect::<BTreeSet<_>>().len() as i64,
                i64::from(cutoff - last / 86_400),
            ],
            spend: spend as f64 / 100.0,
            max_price: past.iter().filter_map(|row| row.price).max().map(|price| f64::from(price) / 100.0),
            label: u8::from(bought),
        });
    }
    found
}

/// NTILE(5) OVER (ORDER BY key, user_id), dealt out tile by tile; the customers come by user_id.
fn ntile(customers: &mut [Customer], score: usize, key: impl Fn(&Customer) -> i128) {
    let mut order: Vec<usize> = (0..customers.len()).collect();
    order.sort_by_key(|&index| (key(&customers[index]), index));
    let (each, rest) = (customers.len() / 5, customers.len() % 5);
    let mut next = order.into_iter();
    for tile in 1..=5 {
        for index in next.by_ref().take(each + usize::from(tile <= rest)) {
            customers[index].scores[score] = tile as u8;
        }
    }
}

fn user_of(batch: &RecordBatch, row: usize) -> String {
    let users = batch.column_by_name("user_id").unwrap();
    match users.as_string_opt::<i32>() {
        Some(texts) => texts.value(row).to_owned(),
        None => users.as_primitive::<Int64Type>().value(row).to_string(),
    }
}

/// Reads `fact_sessions`.
pub(crate) fn read_sessions(batches: &[RecordBatch]) -> Vec<Session> {
    let mut found = Vec::new();
    for batch in batches {
        let column = |name| batch.column_by_name(name).unwrap();
        let ints = |name| column(name).as_primitive::<Int64Type>();
        let times = |name| column(name).as_primitive::<TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let numbers =
                ["duration_seconds", "events", "views", "carts", "removes", "purchases", "products"];
            assert!(column("revenue").is_valid(row));
            found.push(Session {
                key: column("session_key").as_primitive::<UInt64Type>().value(row),
                user: user_of(batch, row),
                seq: ints("session_seq").value(row),
                span: ["session_start", "session_end"].map(|name| times(name).value(row)),
                numbers: numbers.map(|name| ints(name).value(row)),
                revenue: column("revenue").as_primitive::<Decimal128Type>().value(row),
            });
        }
    }
    found
}

/// Reads `rfm_segments`.
pub(crate) fn read_customers(batches: &[RecordBatch]) -> Vec<Customer> {
    let mut found = Vec::new();
    for batch in batches {
        let column = |name| batch.column_by_name(name).unwrap();
        for row in 0..batch.num_rows() {
            found.push(Customer {
                user: user_of(batch, row),
                recency_days: column("recency_days").as_primitive::<Int32Type>().value(row),
                frequency: column("frequency").as_primitive::<Int64Type>().value(row),
                monetary: column("monetary").as_primitive::<Decimal128Type>().value(row),
                scores: ["r", "f", "m"].map(|name| column(name).as_primitive::<UInt8Type>().value(row)),
            });
        }
    }
    found
}

/// Reads `features`.
pub(crate) fn read_known(batches: &[RecordBatch]) -> Vec<Known> {
    let mut found = Vec::new();
    for batch in batches {
        let column = |name| batch.column_by_name(name).unwrap();
        let floats = |name| column(name).as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let numbers = ["events", "purchases", "sessions", "products", "active_days", "recency_days"];
            let prices = floats("max_price");
            found.push(Known {
                user: user_of(batch, row),
                numbers: numbers.map(|name| column(name).as_primitive::<Int64Type>().value(row)),
                spend: floats("spend").value(row),
                max_price: prices.is_valid(row).then(|| prices.value(row)),
                label: column("label").as_primitive::<UInt8Type>().value(row),
            });
        }
    }
    found
}

/// The totals that `sessions` add up to: sessions, events, purchases, duration, revenue.
pub(crate) fn totals(sessions: &[Session]) -> (u64, i64, i64, i64, i128) {
    let sum = |number: usize| sessions.iter().map(|session| session.numbers[number]).sum::<i64>();
    (sessions.len() as u64, sum(1), sum(5), sum(0), sessions.iter().map(|session| session.revenue).sum())
}
