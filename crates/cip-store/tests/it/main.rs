//! The store from outside: what is written comes back, whole and once, and what is damaged is said to be.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod damage;
mod laws;
mod refusals;
mod sources;
mod tables;
mod transactions;

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use cip_core::table::{self, SessionIdType};
use cip_core::{EventBatch, EventSchema, IdType};
use cip_store::{
    Account, CommitParts, CompactForm, DataFile, EventLayout, EventScan, EventStore, OfferCounts, SourceFile,
    StoreError, StoreWriter, StoredTimes,
};
use serde_json::json;

/// One event; `row` tells it from all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    /// False for known users, so that the unknown one sorts last.
    pub(crate) unknown: bool,
    pub(crate) user: i64,
    pub(crate) time: i64,
    pub(crate) row: i64,
    pub(crate) kind: usize,
    pub(crate) session: Option<u32>,
}

pub(crate) const KINDS: [&str; 3] = ["view", "purchase", "wish"];

pub(crate) fn event(user: Option<i64>, time: i64, row: i64) -> Event {
    Event {
        unknown: user.is_none(),
        user: user.unwrap_or_default(),
        time,
        row,
        kind: row.unsigned_abs() as usize % KINDS.len(),
        session: (row % 4 != 0).then_some(row.unsigned_abs() as u32 / 3),
    }
}

impl Event {
    fn user(&self) -> Option<i64> {
        (!self.unknown).then_some(self.user)
    }
}

/// User ids as text keep the order of their numbers.
pub(crate) fn text_id(user: i64) -> String {
    format!("ü{:06}", user + 1_000)
}

pub(crate) fn schema(users: IdType) -> EventSchema {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let fields = vec![
        Field::new("user_id", users.data_type(), true),
        Field::new("event_time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("event_type", dictionary, false),
        Field::new("product_id", DataType::Int64, false),
        Field::new("price", DataType::Decimal128(18, 2), true),
        Field::new("source_session", DataType::UInt32, true),
    ];
    EventSchema::try_new(Schema::new(fields).into()).unwrap()
}

pub(crate) fn batch(users: IdType, events: &[Event]) -> EventBatch {
    let ids: ArrayRef = match users {
        IdType::Int64 => Arc::new(events.iter().map(Event::user).collect::<Int64Array>()),
        IdType::Utf8 => {
            Arc::new(events.iter().map(|event| event.user().map(text_id)).collect::<StringArray>())
        }
    };
    let kinds: DictionaryArray<Int32Type> = events.iter().map(|event| KINDS[event.kind]).collect();
    let prices: Decimal128Array =
        events.iter().map(|event| (event.row % 5 != 0).then_some(price(event))).collect();
    let columns: Vec<ArrayRef> = vec![
        ids,
        Arc::new(
            events
                .iter()
                .map(|event| Some(event.time))
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        ),
        Arc::new(kinds),
        Arc::new(events.iter().map(|event| Some(event.row)).collect::<Int64Array>()),
        Arc::new(prices.with_precision_and_scale(18, 2).unwrap()),
        Arc::new(events.iter().map(|event| event.session).collect::<UInt32Array>()),
    ];
    EventBatch::try_new(RecordBatch::try_new(Arc::clone(schema(users).arrow()), columns).unwrap()).unwrap()
}

fn price(event: &Event) -> i128 {
    i128::from(event.row) * 101
}

/// What a store is made of beside its events.
#[derive(Default)]
pub(crate) struct Extras {
    /// Rows of the session dictionary: code, UUID, user.
    pub(crate) sessions: Vec<(u32, [u8; 16], i64)>,
    pub(crate) account: Option<Account>,
    pub(crate) layout: EventLayout,
}

pub(crate) fn no_rejects(writer: &StoreWriter) -> Result<DataFile, StoreError> {
    writer.side_table("rejects", &table::rejects())?.finish()
}

/// The compact form of some events.
fn compact(users: IdType, groups: &[EventBatch]) -> Result<CompactForm, StoreError> {
    let schema = schema(users);
    let mut counts = OfferCounts::new(&schema).unwrap();
    for group in groups {
        counts.add(group.record_batch(), None)?;
    }
    let times = groups.iter().flat_map(|group| group.times().unwrap().values());
    let whole = times.into_iter().all(|time| time % 1_000_000 == 0);
    let times = if whole { StoredTimes::Seconds } else { StoredTimes::Microseconds };
    Ok(CompactForm::new(&schema, Some(counts.finish()?.0), times))
}

/// Writes a store of `groups`, one row group each.
pub(crate) fn write(
    target: &Path,
    users: IdType,
    groups: &[EventBatch],
    extras: &Extras,
) -> Result<EventStore, StoreError> {
    let writer = StoreWriter::create(target, &schema(users), json!({ "name": "test" }))?;
    let mut events = match extras.layout {
        EventLayout::Plain => writer.events()?,
        EventLayout::Compact => writer.compact_events(compact(users, groups)?)?,
    };
    let encoder = events.encoder();
    for group in groups {
        events.append(encoder.encode(group)?)?;
    }
    let rows: u64 = groups.iter().map(|group| group.len() as u64).sum();
    let account = extras.account.clone().unwrap_or(Account { rows, events: rows, ..Account::default() });
    let session_schema = table::session_dictionary(SessionIdType::Uuid, Some(IdType::Int64));
    let mut sessions = writer.side_table("session_dictionary", &session_schema)?;
    let mut uuids = arrow_array::builder::FixedSizeBinaryBuilder::new(16);
    extras.sessions.iter().for_each(|(_, uuid, _)| uuids.append_value(uuid).unwrap());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_iter_values(extras.sessions.iter().map(|session| session.0))),
        Arc::new(uuids.finish()),
        Arc::new(Int64Array::from_iter_values(extras.sessions.iter().map(|session| session.2))),
    ];
    sessions.write(RecordBatch::try_new(session_schema, columns).unwrap())?;
    let parts = CommitParts {
        sources: vec![SourceFile {
            name: "test.csv".to_owned(),
            bytes: 0,
            xxh3: String::new(),
            account,
            records: None,
            replaced_by: None,
            user_field: None,
            currencies: None,
        }],
        events: events.finish()?,
        session_dictionary: Some(sessions.finish()?),
        product_dictionary: None,
        rejects: no_rejects(&writer)?,
        places: None,
        aliases: None,
        quality: Vec::new(),
    };
    writer.finish(parts)
}

/// The partitions of a scan of all columns, as events.
pub(crate) fn read(scan: &EventScan) -> Vec<Vec<Event>> {
    scan.partitions()
        .iter()
        .map(|partition| partition.batches().unwrap().flat_map(|batch| events_of(&batch.unwrap())).collect())
        .collect()
}

fn events_of(batch: &EventBatch) -> Vec<Event> {
    assert!(!batch.is_empty(), "no batch is empty");
    let column = |name| batch.record_batch().column_by_name(name).unwrap();
    let kinds = column("event_type").as_dictionary::<Int32Type>();
    let names = kinds.values().as_string::<i32>();
    let sessions = column("source_session").as_primitive::<UInt32Type>();
    let prices = column("price").as_primitive::<Decimal128Type>();
    (0..batch.len())
        .map(|row| {
            let kind = names.value(kinds.keys().value(row) as usize);
            let user = batch.users().unwrap().get(row).map(|id| match id {
                cip_core::IdRef::Int64(id) => id,
                cip_core::IdRef::Utf8(id) => id.trim_start_matches('ü').parse::<i64>().unwrap() - 1_000,
            });
            let event = Event {
                unknown: user.is_none(),
                user: user.unwrap_or_default(),
                time: column("event_time").as_primitive::<TimestampMicrosecondType>().value(row),
                row: column("product_id").as_primitive::<Int64Type>().value(row),
                kind: KINDS.iter().position(|&name| name == kind).unwrap(),
                session: sessions.is_valid(row).then(|| sessions.value(row)),
            };
            let read = prices.is_valid(row).then(|| prices.value(row));
            assert_eq!(read, (event.row % 5 != 0).then_some(price(&event)), "the price of its row");
            event
        })
        .collect()
}

pub(crate) const ALL: [&str; 6] =
    ["user_id", "event_time", "event_type", "product_id", "price", "source_session"];
