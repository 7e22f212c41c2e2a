//! The side tables of a commit without some users.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{BooleanArray, RecordBatch, UInt32Array};
use arrow_select::filter::filter_record_batch;
use cip_core::{Id, IdColumn, column};

use super::row_group::Groups;
use super::users::ErasedUsers;
use crate::error::StoreError;
use crate::manifest::DataFile;
use crate::store::EventStore;
use crate::table::{RowGroups, TableReader, read_from};

/// Reads a side table of the store, checked.
pub(super) fn read(store: &EventStore, data: &DataFile) -> Result<TableReader, StoreError> {
    let stored = store.open_files().get(data)?;
    stored.check_columns(data)?;
    read_from(stored.clone(), stored.path())
}

/// Writes those rows of a side table that stay.
pub(super) fn write(
    store: &EventStore,
    data: &DataFile,
    table: &str,
    folder: &Path,
    mut stay: impl FnMut(RecordBatch) -> Result<RecordBatch, StoreError>,
) -> Result<DataFile, StoreError> {
    let rows = read(store, data)?;
    let mut out = RowGroups::create(&folder.join(format!("{table}.parquet")), table, &rows.schema())?;
    for batch in rows {
        out.write(stay(batch?)?)?;
    }
    out.finish(data.path.clone())
}

/// Returns the codes of the users' sessions, ascending: a code is its row in the dictionary.
pub(super) fn session_codes(
    store: &EventStore,
    data: &DataFile,
    users: &ErasedUsers,
) -> Result<Vec<u32>, StoreError> {
    let groups = Groups::open(store.open_files().get(data)?, data)?;
    let (mut codes, mut before) = (Vec::new(), 0);
    for group in 0..groups.len() {
        let rows = groups.read(group, Some(&[column::USER_ID]))?;
        if let Some(ids) = rows.column_by_name(column::USER_ID) {
            let ids = IdColumn::try_new(column::USER_ID, ids)?;
            for (_, run) in ids.runs().filter(|(user, _)| user.is_some_and(|user| users.has(user))) {
                codes.extend(run.map(|row| before + row as u32));
            }
        }
        before += rows.num_rows() as u32;
    }
    Ok(codes)
}

/// Writes the dictionary of sessions without some codes; the others move up, so that they are dense again.
pub(super) fn sessions(
    store: &EventStore,
    data: &DataFile,
    gone: &[u32],
    folder: &Path,
) -> Result<DataFile, StoreError> {
    let (mut row, mut next) = (0u32, 0u32);
    write(store, data, "session_dictionary", folder, |batch| {
        let keep: BooleanArray =
            (row..).take(batch.num_rows()).map(|code| Some(gone.binary_search(&code).is_err())).collect();
        row += batch.num_rows() as u32;
        with_codes(filter_record_batch(&batch, &keep)?, &mut next)
    })
}

/// Writes the dictionary of products without some; the others move up.
pub(super) fn products(
    store: &EventStore,
    data: &DataFile,
    gone: &BTreeSet<Id>,
    folder: &Path,
) -> Result<DataFile, StoreError> {
    let mut next = 0;
    write(store, data, "product_dictionary", folder, |batch| {
        let ids = IdColumn::try_new(column::PRODUCT_ID, batch.column(1))?;
        let keep: BooleanArray = (0..ids.len())
            .map(|row| Some(ids.get(row).is_none_or(|id| !gone.contains(&id.to_owned()))))
            .collect();
        with_codes(filter_record_batch(&batch, &keep)?, &mut next)
    })
}

/// Numbers the rows of a dictionary from `next` on, in its first column.
fn with_codes(batch: RecordBatch, next: &mut u32) -> Result<RecordBatch, StoreError> {
    let mut columns = batch.columns().to_vec();
    let start = *next;
    *next += batch.num_rows() as u32;
    if let Some(codes) = columns.first_mut() {
        *codes = Arc::new(UInt32Array::from_iter_values(start..*next));
    }
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// A rejected row, as its table has it.
#[derive(Debug, Clone, Copy)]
pub struct RejectedRow<'a> {
    /// The source file.
    pub source_file: &'a str,
    /// The code of the reason.
    pub reason: &'a str,
    /// The record's bytes, its first 64 KiB at most.
    pub raw: &'a [u8],
}

/// The rows of a batch of rejects.
pub(super) fn rejected(batch: &RecordBatch) -> Result<Vec<RejectedRow<'_>>, StoreError> {
    let of_dictionary = |name: &'static str| {
        let texts = batch.column_by_name(name).and_then(|array| array.as_dictionary_opt::<Int32Type>());
        texts.ok_or(cip_core::CoreError::MissingColumn { column: name })
    };
    let (files, reasons) = (of_dictionary("source_file")?, of_dictionary("reason")?);
    let raw = batch.column_by_name("raw").and_then(|array| array.as_binary_opt::<i32>());
    let raw = raw.ok_or(cip_core::CoreError::MissingColumn { column: "raw" })?;
    let text = |array: &'_ arrow_array::DictionaryArray<Int32Type>, row: usize| {
        array.keys().value(row).max(0) as usize
    };
    Ok((0..batch.num_rows())
        .map(|row| RejectedRow {
            source_file: files.values().as_string::<i32>().value(text(files, row)),
            reason: reasons.values().as_string::<i32>().value(text(reasons, row)),
            raw: raw.value(row),
        })
        .collect())
}

/// Counts the rejects that are the users', by source file and reason.
pub(super) fn count_rejects(
    store: &EventStore,
    data: &DataFile,
    mut is_theirs: impl FnMut(&RejectedRow<'_>) -> bool,
    mut count: impl FnMut(&RejectedRow<'_>),
) -> Result<(), StoreError> {
    for batch in read(store, data)? {
        rejected(&batch?)?.iter().filter(|row| is_theirs(row)).for_each(&mut count);
    }
    Ok(())
}

/// Writes the rejects that are not the users'.
pub(super) fn rejects(
    store: &EventStore,
    data: &DataFile,
    folder: &Path,
    mut is_theirs: impl FnMut(&RejectedRow<'_>) -> bool,
) -> Result<DataFile, StoreError> {
    write(store, data, "rejects", folder, |batch| {
        let keep: BooleanArray = rejected(&batch)?.iter().map(|row| Some(!is_theirs(row))).collect();
        Ok(filter_record_batch(&batch, &keep)?)
    })
}
