//! One code for a user's source session, in however many commits its events lie.

use std::collections::HashMap;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_select::concat::concat_batches;
use cip_core::{CoreError, IdColumn, IdRef, column};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector};
use parquet::file::statistics::Statistics;

use crate::error::StoreError;
use crate::manifest::DataFile;
use crate::stored_file::StoredFile;
use crate::user_range::UserRange;

/// The source sessions of some users over all commits.
///
/// A session has the code of the first commit that has it, behind the codes of all commits before that one. So no two
/// sessions of a store have one code.
#[derive(Debug, Default)]
pub(crate) struct SessionMap {
    commits: Vec<CommitSessions>,
}

/// A range of a commit's session dictionary.
#[derive(Debug)]
struct CommitSessions {
    /// Where the commit's codes start among those of all commits.
    offset: u32,
    /// The first code of the range.
    first: u32,
    /// The code over all commits of each session of the range.
    codes: Vec<u32>,
    /// The range's rows: code, session id, perhaps user.
    rows: Option<RecordBatch>,
}

/// A session dictionary, and the codes of a commit that are wanted.
pub(crate) struct WantedSessions<'a> {
    pub(crate) file: &'a StoredFile,
    pub(crate) data: &'a DataFile,
    /// Codes of all earlier commits.
    pub(crate) offset: u64,
    /// Empty where no event has a session.
    pub(crate) codes: Range<u32>,
}

impl SessionMap {
    /// Reads the sessions of the users in `range`: some codes of each commit, in the commits' order.
    pub(crate) fn read(wanted: &[Option<WantedSessions<'_>>], range: &UserRange) -> Result<Self, StoreError> {
        let mut known: HashMap<Box<[u8]>, u32> = HashMap::new();
        let mut commits = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let Some(wanted) = wanted else {
                commits.push(CommitSessions { offset: 0, first: 0, codes: Vec::new(), rows: None });
                continue;
            };
            let first = wanted.codes.start;
            let last = wanted.offset + u64::from(wanted.codes.end);
            let offset = u32::try_from(last)
                .map(|_| wanted.offset as u32)
                .map_err(|_| CoreError::TooManyCodes { column: column::SOURCE_SESSION, limit: 1 << 32 })?;
            let rows = if wanted.codes.is_empty() { None } else { Some(read_rows(wanted)?) };
            let mut codes = Vec::with_capacity(wanted.codes.len());
            if let Some(rows) = &rows {
                let users = users_of(rows)?;
                for row in 0..rows.num_rows() {
                    let own = offset + first + row as u32;
                    let user = users.as_ref().and_then(|users| users.get(row));
                    codes.push(if range.has(user) {
                        *known.entry(key(user, session_bytes(rows.column(1), row))).or_insert(own)
                    } else {
                        own
                    });
                }
            }
            commits.push(CommitSessions { offset, first, codes, rows });
        }
        Ok(Self { commits })
    }

    /// Returns a commit's codes as those over all commits.
    pub(crate) fn recoded(&self, commit: usize, codes: &UInt32Array) -> UInt32Array {
        let CommitSessions { first, codes: mapped, .. } = &self.commits[commit];
        let code = |&code: &u32| {
            // What is null holds anything.
            code.checked_sub(*first).and_then(|place| mapped.get(place as usize)).copied().unwrap_or_default()
        };
        UInt32Array::new(codes.values().iter().map(code).collect(), codes.nulls().cloned())
    }

    /// Returns the row of the dictionary for a code over all commits; none where it is not one of these.
    pub(crate) fn entry(&self, code: u32) -> Option<(&RecordBatch, usize)> {
        let commit = self.commits.iter().rfind(|commit| commit.rows.is_some() && commit.offset <= code)?;
        let row = (code - commit.offset).checked_sub(commit.first)? as usize;
        commit.rows.as_ref().filter(|rows| row < rows.num_rows()).map(|rows| (rows, row))
    }

    /// Returns the sessions of the users in `range`, each once, as rows of the dictionary.
    pub(crate) fn distinct(&self, range: &UserRange) -> Result<Vec<RecordBatch>, StoreError> {
        let mut batches = Vec::new();
        for commit in &self.commits {
            let Some(rows) = &commit.rows else { continue };
            let users = users_of(rows)?;
            let own = |row: usize| commit.offset + commit.first + row as u32;
            let keep: Vec<u32> = (0..rows.num_rows())
                .filter(|&row| {
                    commit.codes[row] == own(row)
                        && range.has(users.as_ref().and_then(|users| users.get(row)))
                })
                .map(|row| row as u32)
                .collect();
            let kept = arrow_select::take::take_record_batch(rows, &UInt32Array::from(keep.clone()))?;
            let mut columns = kept.columns().to_vec();
            let codes = UInt32Array::from_iter_values(keep.iter().map(|&row| own(row as usize)));
            columns[0] = std::sync::Arc::new(codes);
            batches.push(RecordBatch::try_new(rows.schema(), columns)?);
        }
        Ok(batches)
    }
}

fn users_of(rows: &RecordBatch) -> Result<Option<IdColumn>, StoreError> {
    let users = rows.column_by_name(column::USER_ID);
    Ok(users.map(|users| IdColumn::try_new(column::USER_ID, users)).transpose()?)
}

/// The bytes of a session id.
pub(crate) fn session_bytes(ids: &ArrayRef, row: usize) -> &[u8] {
    match (ids.as_fixed_size_binary_opt(), ids.as_string_opt::<i32>()) {
        (Some(uuids), _) => uuids.value(row),
        (_, Some(texts)) => texts.value(row).as_bytes(),
        _ => &[],
    }
}

/// What tells a user's session from all others: the id, with the user before it.
fn key(user: Option<IdRef<'_>>, session: &[u8]) -> Box<[u8]> {
    let mut key = Vec::with_capacity(9 + session.len());
    match user {
        None => key.push(0),
        Some(IdRef::Int64(user)) => {
            key.push(1);
            key.extend_from_slice(&user.to_le_bytes());
        }
        Some(IdRef::Utf8(user)) => {
            key.push(2);
            key.extend_from_slice(&(user.len() as u64).to_le_bytes());
            key.extend_from_slice(user.as_bytes());
        }
    }
    key.extend_from_slice(session);
    key.into()
}

/// Reads the rows of some codes: the row of code n is the n-th.
fn read_rows(wanted: &WantedSessions<'_>) -> Result<RecordBatch, StoreError> {
    const BATCH_ROWS: usize = 8_192;
    let path = wanted.file.path();
    let metadata = ArrowReaderMetadata::load(wanted.file, ArrowReaderOptions::new())
        .map_err(StoreError::parquet(path))?;
    let (start, end) = (u64::from(wanted.codes.start), u64::from(wanted.codes.end));
    let (mut groups, mut skip, mut at) = (Vec::new(), 0, 0u64);
    for (index, group) in metadata.metadata().row_groups().iter().enumerate() {
        let rows = group.num_rows().max(0).cast_unsigned();
        if at < end && start < at + rows {
            if groups.is_empty() {
                skip = start - at;
            }
            for column in 0..group.num_columns() {
                wanted.file.check_column(wanted.data, metadata.metadata(), index, column)?;
            }
            groups.push(index);
        }
        at += rows;
    }
    let selected = RowSelection::from(vec![
        RowSelector::skip(skip as usize),
        RowSelector::select((end - start) as usize),
    ]);
    let schema = std::sync::Arc::clone(metadata.schema());
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(wanted.file.clone(), metadata)
        .with_row_groups(groups)
        .with_row_selection(selected)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(StoreError::parquet(path))?;
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let rows = concat_batches(&schema, &batches)?;
    let codes = rows.column(0).as_primitive_opt::<arrow_array::types::UInt32Type>();
    let dense = codes.is_some_and(|codes| codes.values().iter().copied().eq(wanted.codes.clone()));
    if dense { Ok(rows) } else { Err(StoreError::not_as_recorded(path)) }
}

/// Widens a range of codes by what the statistics of a column of codes say; false where they say nothing.
pub(crate) fn widen(codes: &mut Option<(u32, u32)>, statistics: Option<&Statistics>) {
    if let Some(Statistics::Int32(bounds)) = statistics
        && let (Some(first), Some(last)) = (bounds.min_opt(), bounds.max_opt())
    {
        let (first, last) = (first.cast_unsigned(), last.cast_unsigned());
        *codes = Some(codes.map_or((first, last), |(low, high)| (low.min(first), high.max(last))));
    }
}
