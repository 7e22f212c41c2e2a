//! The side tables of several commits as if they were one.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt32Array};
use cip_core::{CoreError, IdColumn, IdRef, IdType, column, table};

use crate::error::StoreError;
use crate::scan::EventPartition;
use crate::store::EventStore;
use crate::table::TableReader;

/// The session dictionaries of all commits: every session of an event once, by partitions of users.
pub(crate) struct SessionRows {
    partitions: std::vec::IntoIter<EventPartition>,
}

impl SessionRows {
    pub(crate) fn new(store: &EventStore) -> Self {
        Self { partitions: store.scan(&[column::SOURCE_SESSION]).partitions().into_iter() }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        for partition in &mut self.partitions {
            let mut batches = partition.batches()?;
            // The order of the events decides on the codes.
            for events in &mut batches {
                events?;
            }
            if let Some(sessions) = batches.sessions()? {
                return Ok(Some(sessions));
            }
        }
        Ok(None)
    }
}

impl Iterator for SessionRows {
    type Item = Result<RecordBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

/// The rejects of all commits in the order of their files, those of files that were replaced left out.
pub(crate) struct RejectRows {
    /// Of each file that has rejects: its name, and its commit.
    files: std::vec::IntoIter<(String, usize)>,
    current: Option<(String, usize)>,
    commits: Vec<CommitRejects>,
}

struct CommitRejects {
    table: TableReader,
    /// What is left of a batch.
    rest: Option<RecordBatch>,
}

impl RejectRows {
    /// `tables` are those of the commits, in their order.
    pub(crate) fn new(store: &EventStore, tables: Vec<TableReader>) -> Self {
        let commits = store.manifest().commits.iter().enumerate();
        let mut files: Vec<(String, usize)> = commits
            .flat_map(|(commit, parts)| {
                let read = parts.sources.iter().filter(|source| source.replaced_by.is_none());
                read.filter(|source| source.account.rejected() > 0)
                    .map(move |source| (source.name.clone(), commit))
            })
            .collect();
        files.sort_unstable();
        let commits = tables.into_iter().map(|table| CommitRejects { table, rest: None }).collect();
        Self { files: files.into_iter(), current: None, commits }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        loop {
            let Some((name, commit)) = &self.current else {
                self.current = self.files.next();
                if self.current.is_none() {
                    return Ok(None);
                }
                continue;
            };
            match self.commits[*commit].rows_of(name)? {
                Some(rows) => return Ok(Some(rows)),
                None => self.current = None,
            }
        }
    }
}

impl Iterator for RejectRows {
    type Item = Result<RecordBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

impl CommitRejects {
    /// Returns the next rows of a file, those of files before it left out; none where its rows have ended.
    fn rows_of(&mut self, name: &str) -> Result<Option<RecordBatch>, StoreError> {
        loop {
            let batch = match self.rest.take() {
                Some(rest) => rest,
                None => match self.table.next() {
                    Some(batch) => batch?,
                    None => return Ok(None),
                },
            };
            let files = batch.column(0).as_dictionary::<Int32Type>();
            let names = files.values().as_string::<i32>();
            let of_row = |row: usize| names.value(files.keys().value(row) as usize);
            let start = (0..batch.num_rows()).find(|&row| of_row(row) >= name).unwrap_or(batch.num_rows());
            let end = (start..batch.num_rows()).find(|&row| of_row(row) > name).unwrap_or(batch.num_rows());
            if end < batch.num_rows() {
                self.rest = Some(batch.slice(end, batch.num_rows() - end));
            }
            if end > start {
                return Ok(Some(batch.slice(start, end - start)));
            }
            if self.rest.is_some() {
                return Ok(None);
            }
        }
    }
}

/// Returns the product dictionary of all commits: their products, each once, ascending.
pub(crate) fn products(tables: Vec<TableReader>) -> Result<Option<RecordBatch>, StoreError> {
    let mut integers: Vec<i64> = Vec::new();
    let mut texts: Vec<Box<str>> = Vec::new();
    let mut id_type = None;
    for batch in tables.into_iter().flatten() {
        let batch = batch?;
        let products = batch.column_by_name(column::PRODUCT_ID);
        let products = products.ok_or(CoreError::MissingColumn { column: column::PRODUCT_ID })?;
        let ids = IdColumn::try_new(column::PRODUCT_ID, products)?;
        id_type = Some(ids.id_type());
        for row in 0..ids.len() {
            match ids.get(row) {
                Some(IdRef::Int64(id)) => integers.push(id),
                Some(IdRef::Utf8(id)) => texts.push(id.into()),
                None => (),
            }
        }
    }
    let ids: ArrayRef = match id_type {
        None => return Ok(None),
        Some(IdType::Int64) => {
            integers.sort_unstable();
            integers.dedup();
            Arc::new(Int64Array::from(integers))
        }
        Some(IdType::Utf8) => {
            texts.sort_unstable();
            texts.dedup();
            Arc::new(StringArray::from_iter_values(texts))
        }
    };
    let codes = UInt32Array::from_iter_values((0..).take(ids.len()));
    let schema = table::product_dictionary(id_type.unwrap_or(IdType::Int64));
    Ok(Some(RecordBatch::try_new(schema, vec![Arc::new(codes), ids])?))
}
