//! What a store holds, counted.

use std::collections::{BTreeMap, HashSet};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use cip_core::{Id, IdColumn, IdRef, MemoryBudget, column};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::error::StoreError;
use crate::store::EventStore;

/// Counts of a store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoreStatistics {
    /// Events.
    pub events: u64,
    /// Distinct known users.
    pub users: u64,
    /// Events without a user.
    pub events_without_user: u64,
    /// Distinct products.
    pub products: u64,
    /// Dense codes of source sessions: one for each pair of user and session id.
    pub session_codes: u64,
    /// Distinct session ids of the source; two users may share one.
    pub source_sessions: u64,
    /// Bytes on disk, everything but the manifest.
    pub bytes: u64,
    /// Bytes of the events by column, and of each side table, in the order of the files.
    pub columns: Vec<ColumnBytes>,
}

/// Bytes that a column takes on disk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnBytes {
    /// `events.price`, `session_dictionary.user_session`, …
    pub column: String,
    /// Compressed bytes.
    pub bytes: u64,
}

impl EventStore {
    /// Counts what the store holds. Most comes from the manifest and the files' footers; the distinct source
    /// sessions are counted from their dictionary, in as many passes as `budget` needs.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Parquet`].
    pub fn statistics(&self, budget: MemoryBudget) -> Result<StoreStatistics, StoreError> {
        if self.commits_in_line().is_some() {
            return self.merged_statistics(budget);
        }
        let commits = &self.manifest().commits;
        let sum = |count: fn(&crate::manifest::Commit) -> u64| commits.iter().map(count).sum();
        let session_codes = sum(|commit| commit.session_codes);
        Ok(StoreStatistics {
            events: self.manifest().account().events,
            users: sum(|commit| commit.users),
            events_without_user: sum(|commit| commit.events_without_user),
            products: sum(|commit| commit.product_dictionary.as_ref().map_or(0, |table| table.rows)),
            session_codes,
            source_sessions: self.distinct_source_sessions(session_codes, budget)?,
            bytes: self.files().map(|file| file.bytes).sum(),
            columns: self.bytes_by_column()?,
        })
    }

    /// Counts over several commits: by their events, because commits share users, products and sessions.
    fn merged_statistics(&self, budget: MemoryBudget) -> Result<StoreStatistics, StoreError> {
        let (mut users, mut events_without_user) = (0, 0);
        let (mut integers, mut texts): (HashSet<i64>, HashSet<Box<str>>) = Default::default();
        let scan = self.scan(&[column::USER_ID, column::PRODUCT_ID]);
        for partition in scan.partitions() {
            let mut last: Option<Option<Id>> = None;
            for events in partition.batches()? {
                let events = events?;
                let batch = events.record_batch();
                if events.schema().has(column::USER_ID) {
                    for (user, rows) in events.users()?.runs() {
                        let continued =
                            last.as_ref().is_some_and(|last| last.as_ref().map(Id::as_ref) == user);
                        match user {
                            None => events_without_user += rows.len() as u64,
                            Some(_) => users += u64::from(!continued),
                        }
                        if !continued {
                            last = Some(user.map(IdRef::to_owned));
                        }
                    }
                } else {
                    events_without_user += events.len() as u64;
                }
                if let Some(products) = batch.column_by_name(column::PRODUCT_ID) {
                    let ids = IdColumn::try_new(column::PRODUCT_ID, products)?;
                    for row in 0..ids.len() {
                        match ids.get(row) {
                            Some(IdRef::Int64(id)) => {
                                integers.insert(id);
                            }
                            Some(IdRef::Utf8(id)) if !texts.contains(id) => {
                                texts.insert(id.into());
                            }
                            _ => (),
                        }
                    }
                }
            }
        }
        let mut session_codes = 0;
        for batch in self.session_dictionary()?.into_iter().flatten() {
            session_codes += batch?.num_rows() as u64;
        }
        Ok(StoreStatistics {
            events: self.manifest().account().events,
            users,
            events_without_user,
            products: (integers.len() + texts.len()) as u64,
            session_codes,
            source_sessions: self.distinct_source_sessions(session_codes, budget)?,
            bytes: self.files().map(|file| file.bytes).sum(),
            columns: self.bytes_by_column()?,
        })
    }

    fn bytes_by_column(&self) -> Result<Vec<ColumnBytes>, StoreError> {
        let mut columns: Vec<ColumnBytes> = Vec::new();
        let mut index: BTreeMap<String, usize> = BTreeMap::new();
        for data in self.files() {
            let stored = self.open_files().get(data)?;
            let path = stored.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let table = if stem.starts_with("events-") { "events" } else { stem };
            let reader = SerializedFileReader::new(stored.clone()).map_err(StoreError::parquet(path))?;
            for group in reader.metadata().row_groups() {
                for chunk in group.columns() {
                    let name = format!("{table}.{}", chunk.column_path().string());
                    let at = *index.entry(name.clone()).or_insert_with(|| {
                        columns.push(ColumnBytes { column: name, bytes: 0 });
                        columns.len() - 1
                    });
                    columns[at].bytes += chunk.compressed_size().max(0).cast_unsigned();
                }
            }
        }
        Ok(columns)
    }

    /// Session ids are spread over passes by their last bits; each pass sorts its share and counts the distinct.
    fn distinct_source_sessions(&self, codes: u64, budget: MemoryBudget) -> Result<u64, StoreError> {
        const KEY_BYTES: u64 = 16;
        // Less than this saves nothing that the process does not take anyway, and costs passes.
        const SMALLEST: u64 = 16 << 20;
        let passes = (codes * KEY_BYTES).div_ceil(budget.part(1, 2).bytes().max(SMALLEST)).max(1);
        let mut distinct = 0;
        for pass in 0..passes {
            let mut keys: Vec<u128> = Vec::new();
            for batch in self.session_dictionary()?.into_iter().flatten() {
                keys.extend(
                    session_keys(&batch?).filter(|key| (key % u128::from(passes)) == u128::from(pass)),
                );
            }
            keys.sort_unstable();
            keys.dedup();
            distinct += keys.len() as u64;
        }
        Ok(distinct)
    }
}

/// UUIDs as they are, other texts by their XXH3-128.
fn session_keys(batch: &RecordBatch) -> impl Iterator<Item = u128> {
    let sessions = batch.column_by_name(column::USER_SESSION);
    let uuids = sessions.and_then(|array| array.as_fixed_size_binary_opt()).cloned();
    let texts = sessions.and_then(|array| array.as_string_opt::<i32>()).cloned();
    (0..batch.num_rows()).filter_map(move |row| match (&uuids, &texts) {
        (Some(uuids), _) if uuids.is_valid(row) => uuids.value(row).try_into().ok().map(u128::from_be_bytes),
        (_, Some(texts)) if texts.is_valid(row) => Some(xxh3_128(texts.value(row).as_bytes())),
        _ => None,
    })
}
