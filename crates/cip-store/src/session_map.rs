//! One code for a user's source session, in however many commits its events lie.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_select::concat::concat_batches;
use arrow_select::interleave::interleave;
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
/// Every session has a code that no other session of the store has: in the first commit that has it, behind the codes of all
/// commits before that one. A user's codes are given to the user's sessions as they come, the lowest first, so that they
/// ascend as those of one commit do.
#[derive(Debug, Default)]
pub(crate) struct SessionMap {
    commits: Vec<CommitSessions>,
    sessions: Vec<Session>,
    users: Vec<UserCodes>,
    /// Which session a code was given to.
    given: HashMap<u32, u32>,
}

/// A range of a commit's session dictionary.
#[derive(Debug, Default)]
struct CommitSessions {
    /// The first code of the range.
    first: u32,
    /// Which of the sessions each code of the range is.
    sessions: Vec<u32>,
    /// The range's rows: code, session id, perhaps user.
    rows: Option<RecordBatch>,
}

#[derive(Debug)]
struct Session {
    /// A row of a commit's range, which says what it is.
    commit: u32,
    row: u32,
    user: u32,
    code: Option<u32>,
}

/// The codes of a user's sessions, ascending, and how many of them are given.
#[derive(Debug, Default)]
struct UserCodes {
    codes: Vec<u32>,
    given: usize,
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

/// Stands for a session that is not one of these users'.
const NOBODYS: u32 = u32::MAX;

impl SessionMap {
    /// Reads the sessions of the users in `range`: some codes of each commit, in the commits' order.
    pub(crate) fn read(wanted: &[Option<WantedSessions<'_>>], range: &UserRange) -> Result<Self, StoreError> {
        let mut map = Self::default();
        let mut users_known: HashMap<Box<[u8]>, u32> = HashMap::new();
        let mut known: HashMap<(u32, Box<[u8]>), u32> = HashMap::new();
        for (commit, wanted) in wanted.iter().enumerate() {
            let Some(wanted) = wanted.as_ref().filter(|wanted| !wanted.codes.is_empty()) else {
                map.commits.push(CommitSessions::default());
                continue;
            };
            let first = wanted.codes.start;
            let limit = wanted.offset + u64::from(wanted.codes.end);
            let offset = u32::try_from(limit)
                .map(|_| wanted.offset as u32)
                .map_err(|_| CoreError::TooManyCodes { column: column::SOURCE_SESSION, limit: 1 << 32 })?;
            let rows = read_rows(wanted)?;
            let users = users_of(&rows)?;
            let mut sessions = Vec::with_capacity(rows.num_rows());
            // The rows of a user stand together.
            let mut last: Option<(usize, u32)> = None;
            for row in 0..rows.num_rows() {
                let user_id = users.as_ref().and_then(|users| users.get(row));
                if !range.has(user_id) {
                    sessions.push(NOBODYS);
                    continue;
                }
                let again = last.filter(|(before, _)| {
                    users.as_ref().is_none_or(|users| users.compare(*before, row).is_eq())
                });
                let user = match again {
                    Some((_, user)) => user,
                    None => *users_known.entry(user_key(user_id)).or_insert_with(|| {
                        map.users.push(UserCodes::default());
                        map.users.len() as u32 - 1
                    }),
                };
                last = Some((row, user));
                let key = (user, session_bytes(rows.column(1), row).into());
                sessions.push(*known.entry(key).or_insert_with(|| {
                    map.users[user as usize].codes.push(offset + first + row as u32);
                    map.sessions.push(Session { commit: commit as u32, row: row as u32, user, code: None });
                    map.sessions.len() as u32 - 1
                }));
            }
            map.commits.push(CommitSessions { first, sessions, rows: Some(rows) });
        }
        Ok(map)
    }

    /// Returns which sessions a commit's codes are.
    pub(crate) fn sessions(&self, commit: usize, codes: &UInt32Array) -> UInt32Array {
        let CommitSessions { first, sessions, .. } = &self.commits[commit];
        let session = |&code: &u32| {
            // What is null holds anything.
            code.checked_sub(*first)
                .and_then(|place| sessions.get(place as usize))
                .copied()
                .unwrap_or(NOBODYS)
        };
        UInt32Array::new(codes.values().iter().map(session).collect(), codes.nulls().cloned())
    }

    /// Returns the codes of sessions in the order in which they come.
    pub(crate) fn codes(&mut self, sessions: &UInt32Array) -> UInt32Array {
        // What is null holds anything, and is no session.
        let mut code = |session: u32| {
            let Some(found) = self.sessions.get_mut(session as usize) else { return 0 };
            if let Some(code) = found.code {
                return code;
            }
            let user = &mut self.users[found.user as usize];
            // There are as many codes as sessions.
            let code = user.codes.get(user.given).copied().unwrap_or_default();
            user.given += 1;
            found.code = Some(code);
            self.given.insert(code, session);
            code
        };
        sessions.iter().map(|session| session.map(&mut code)).collect()
    }

    /// Returns the row of a dictionary that says what a code was given to; none where it was not given.
    pub(crate) fn entry(&self, code: u32) -> Option<(&RecordBatch, usize)> {
        let session = &self.sessions[*self.given.get(&code)? as usize];
        Some((self.commits[session.commit as usize].rows.as_ref()?, session.row as usize))
    }

    /// Returns all sessions that were given a code as rows of the dictionary, by their codes.
    pub(crate) fn rows(&self) -> Result<Option<RecordBatch>, StoreError> {
        let mut given: Vec<(u32, &Session)> =
            self.sessions.iter().filter_map(|session| Some((session.code?, session))).collect();
        given.sort_unstable_by_key(|(code, _)| *code);
        let rows: Vec<&RecordBatch> = self.commits.iter().filter_map(|commit| commit.rows.as_ref()).collect();
        let (Some(first), false) = (rows.first(), given.is_empty()) else { return Ok(None) };
        // Where each commit's rows are among those that there are.
        let mut at = 0;
        let places: Vec<usize> = (self.commits.iter())
            .map(|commit| {
                at += usize::from(commit.rows.is_some());
                at.saturating_sub(1)
            })
            .collect();
        let taken: Vec<(usize, usize)> = given
            .iter()
            .map(|(_, session)| (places[session.commit as usize], session.row as usize))
            .collect();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(first.num_columns());
        columns.push(Arc::new(UInt32Array::from_iter_values(given.iter().map(|(code, _)| *code))));
        for column in 1..first.num_columns() {
            let arrays: Vec<&dyn Array> = rows.iter().map(|rows| rows.column(column).as_ref()).collect();
            columns.push(interleave(&arrays, &taken)?);
        }
        Ok(Some(RecordBatch::try_new(first.schema(), columns)?))
    }
}

fn users_of(rows: &RecordBatch) -> Result<Option<IdColumn>, StoreError> {
    let users = rows.column_by_name(column::USER_ID);
    Ok(users.map(|users| IdColumn::try_new(column::USER_ID, users)).transpose()?)
}

/// The bytes of a session id.
fn session_bytes(ids: &ArrayRef, row: usize) -> &[u8] {
    match (ids.as_fixed_size_binary_opt(), ids.as_string_opt::<i32>()) {
        (Some(uuids), _) => uuids.value(row),
        (_, Some(texts)) => texts.value(row).as_bytes(),
        _ => &[],
    }
}

/// What tells a user from all others.
fn user_key(user: Option<IdRef<'_>>) -> Box<[u8]> {
    match user {
        None => [0].into(),
        Some(IdRef::Int64(user)) => [&[1][..], &user.to_le_bytes()].concat().into(),
        Some(IdRef::Utf8(user)) => [&[2][..], user.as_bytes()].concat().into(),
    }
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
    let schema = Arc::clone(metadata.schema());
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
