//! The ingest from outside: real data, hostile data, and the laws that hold for any data.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod commits;
mod contract_laws;
mod contracts;
mod currencies;
mod dialects;
mod erasure;
mod formats;
mod hostile;
mod identities;
mod laws;
#[cfg(feature = "object-store")]
mod objects;
mod patterns;
mod quality;
mod real;
mod replay;
mod tables;
mod tags;
mod transactions;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt32Type};
use cip_ingest::{Ingest, IngestError, IngestReport, SourceMapping};
use cip_store::{EventLayout, EventScan, EventStore};
use proptest::prelude::*;

pub(crate) fn threads(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// How a store may keep its events.
pub(crate) fn layouts() -> impl Strategy<Value = EventLayout> {
    prop_oneof![Just(EventLayout::Plain), Just(EventLayout::Compact)]
}

pub(crate) const HEADER: &str =
    "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session";

pub(crate) fn rees46() -> SourceMapping {
    SourceMapping::built_in("rees46").unwrap()
}

/// Ingests `text` as one file in a folder of its own.
pub(crate) fn ingest_text(
    text: impl AsRef<[u8]>,
) -> Result<(tempfile::TempDir, EventStore, IngestReport), IngestError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    std::fs::write(&file, text).unwrap();
    let (store, report) = Ingest::new(rees46()).run(&[file], &folder.path().join("store"), &mut |_| ())?;
    Ok((folder, store, report))
}

/// Every file of a store, by path.
pub(crate) fn bytes_of(store: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(store).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The events of a store as lines of text, in its order, with the source's own session ids.
pub(crate) fn event_lines(store: &EventStore) -> Vec<String> {
    let mut sessions = BTreeMap::new();
    for batch in store.session_dictionary().unwrap().into_iter().flatten() {
        let batch = batch.unwrap();
        let codes = batch.column(0).as_primitive::<UInt32Type>();
        for row in 0..batch.num_rows() {
            let bytes: [u8; 16] = batch.column(1).as_fixed_size_binary().value(row).try_into().unwrap();
            let before = sessions.insert(codes.value(row), cip_core::Uuid::from_bytes(bytes).to_string());
            assert_eq!(before, None, "every code has exactly one UUID");
        }
    }
    let names: Vec<&str> =
        store.schema().arrow().fields().iter().map(|field| field.name().as_str()).collect();
    lines(&store.scan(&names), &sessions)
}

/// The events of a scan without source sessions as lines of text, in their order.
pub(crate) fn lines_of(scan: &EventScan) -> Vec<String> {
    lines(scan, &BTreeMap::new())
}

fn lines(scan: &EventScan, sessions: &BTreeMap<u32, String>) -> Vec<String> {
    let names: Vec<&str> = scan.schema().arrow().fields().iter().map(|field| field.name().as_str()).collect();
    let mut lines = Vec::new();
    for partition in scan.partitions() {
        for events in partition.batches().unwrap() {
            let batch = events.unwrap().record_batch().clone();
            for row in 0..batch.num_rows() {
                let text = |name: &str| {
                    let array = batch.column_by_name(name).unwrap();
                    if array.is_null(row) {
                        return String::new();
                    }
                    match name {
                        "event_time" => {
                            array.as_primitive::<TimestampMicrosecondType>().value(row).to_string()
                        }
                        "price" => array.as_primitive::<Decimal128Type>().value(row).to_string(),
                        "source_session" => sessions[&array.as_primitive::<UInt32Type>().value(row)].clone(),
                        "event_type" | "category_code" | "brand" | "experiment_group" | "source_file" => {
                            let dictionary = array.as_dictionary::<Int32Type>();
                            let key = dictionary.keys().value(row) as usize;
                            dictionary.values().as_string::<i32>().value(key).to_owned()
                        }
                        _ => array.as_primitive::<Int64Type>().value(row).to_string(),
                    }
                };
                lines.push(names.iter().map(|name| text(name)).collect::<Vec<_>>().join(","));
            }
        }
    }
    lines
}
