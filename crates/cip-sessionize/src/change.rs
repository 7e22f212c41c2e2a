//! What became of a table of sessions: the rows that are new, other than before, or gone.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, DictionaryArray, Int32Array, RecordBatch, StringArray, cast::AsArray};
use arrow_select::interleave::interleave_record_batch;
use cip_core::{CoreError, table};

use crate::error::SessionizeError;
use crate::facts::Facts;

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionChange {
    /// It is new. The row says how it is.
    Insert,
    /// It has the same key, and something else is other than before. The row says how it is now.
    Update,
    /// It is gone. The row says how it was.
    Delete,
}

impl SessionChange {
    /// All of them, in the order of their codes in the column `change`.
    pub const ALL: [Self; 3] = [Self::Insert, Self::Update, Self::Delete];

    /// Its name in the column `change`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for SessionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for SessionChange {
    type Err = SessionizeError;

    fn from_str(text: &str) -> Result<Self, SessionizeError> {
        let found = Self::ALL.into_iter().find(|change| change.name() == text);
        found.ok_or_else(|| SessionizeError::Change { text: text.into() })
    }
}

/// Rows of [`cip_core::table::session_changes`]: what became of a table of sessions.
#[derive(Debug, Clone)]
pub struct SessionChanges {
    rows: RecordBatch,
    counts: [u64; SessionChange::ALL.len()],
}

impl SessionChanges {
    /// The rows, sorted by user_id, session_start. No key comes twice.
    pub fn record_batch(&self) -> &RecordBatch {
        &self.rows
    }

    /// How many sessions there are of which this became.
    pub fn count(&self, change: SessionChange) -> u64 {
        self.counts[change as usize]
    }
}

/// What it means that a user has sessions before and none after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AbsentUsers {
    /// That the user is gone: the sessions are deleted.
    Gone,
    /// That the table after is of some users only: the sessions of all others are as they were.
    Untouched,
}

/// Returns what became of the sessions of `before`.
///
/// A session is known by its key, which is made of user and start. So
///
/// | what happened | what comes out |
/// |---|---|
/// | an event starts a session of its own | an insert |
/// | an event falls into a session, or goes on with it | an update |
/// | an event comes before a session and belongs to it | a delete, and an insert with the earlier start |
/// | two sessions become one | an update of the earlier, a delete of the later |
/// | a session appears before others of the user | an insert, and an update of each of those: `session_seq` is another |
///
/// # Input
/// Two tables of [`cip_core::table::fact_sessions`] with the same types, sorted by user_id, session_start, as [`sessionize`](crate::sessionize)
/// gives them.
///
/// # Complexity
/// Linear in the sessions of both.
///
/// # Errors
/// [`CoreError::MissingColumn`], [`CoreError::ColumnType`] and [`CoreError::NotSorted`] where a table is not what it should be;
/// [`SessionizeError::OtherSessions`] where the two have other types.
pub fn diff_sessions(
    before: &RecordBatch,
    after: &RecordBatch,
    absent: AbsentUsers,
) -> Result<SessionChanges, SessionizeError> {
    let old = Facts::try_new(before)?;
    let new = Facts::like(after, &old)?;
    let (mut changes, mut rows) = (Vec::new(), Vec::new());
    let mut found = |change, table: usize, row: usize| {
        changes.push(change);
        rows.push((table, row));
    };
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        match old.compare(i, &new, j) {
            Ordering::Less => {
                // The user has sessions after this one, before it, or none.
                let stays = absent == AbsentUsers::Untouched
                    && !new.has_user(j, &old, i)
                    && !j.checked_sub(1).is_some_and(|last| new.has_user(last, &old, i));
                if !stays {
                    found(SessionChange::Delete, 0, i);
                }
                i += 1;
            }
            Ordering::Greater => {
                found(SessionChange::Insert, 1, j);
                j += 1;
            }
            Ordering::Equal => {
                if !old.same_row(i, &new, j) {
                    found(SessionChange::Update, 1, j);
                }
                (i, j) = (i + 1, j + 1);
            }
        }
    }
    let sessions = interleave_record_batch(&[before, after], &rows).map_err(CoreError::from)?;
    let mut columns = sessions.columns().to_vec();
    columns.push(Arc::new(codes(&changes)));
    let schema = table::session_changes(new.user_type(), new.money());
    let rows = RecordBatch::try_new(schema, columns).map_err(CoreError::from)?;
    let mut counts = [0; SessionChange::ALL.len()];
    changes.iter().for_each(|&change| counts[change as usize] += 1);
    Ok(SessionChanges { rows, counts })
}

/// Returns the sessions of `sessions` after `changes`: what [`diff_sessions`] was given as the table after.
///
/// # Input
/// A table of [`cip_core::table::fact_sessions`], and one of [`cip_core::table::session_changes`] as [`diff_sessions`] and
/// [`IncrementalSessions`](crate::IncrementalSessions) give it.
///
/// # Complexity
/// Linear in the rows of both.
///
/// # Errors
/// As [`diff_sessions`]; [`SessionizeError::ChangeMisfit`] where a session that is new is there already, or one that changes is not:
/// the changes are those of another table, or were applied before; [`SessionizeError::Change`].
pub fn apply_changes(sessions: &RecordBatch, changes: &RecordBatch) -> Result<RecordBatch, SessionizeError> {
    let column = "change";
    let kinds = kinds(changes.column_by_name(column).ok_or(CoreError::MissingColumn { column })?)?;
    let changed =
        changes.project(&(0..sessions.num_columns()).collect::<Vec<_>>()).map_err(CoreError::from)?;
    let old = Facts::try_new(sessions)?;
    let new = Facts::like(&changed, &old)?;
    let mut rows = Vec::with_capacity(old.len());
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        match old.compare(i, &new, j) {
            Ordering::Less => {
                rows.push((0, i));
                i += 1;
            }
            // Of sessions that start together the changed ones may be later ones.
            Ordering::Equal if old.key(i) != new.key(j) => {
                rows.push((0, i));
                i += 1;
            }
            place => {
                let there = place == Ordering::Equal;
                match (kinds[j], there) {
                    (SessionChange::Insert, false) | (SessionChange::Update, true) => rows.push((1, j)),
                    (SessionChange::Delete, true) => {}
                    (change, _) => {
                        return Err(SessionizeError::ChangeMisfit { change, session_key: new.key(j) });
                    }
                }
                i += usize::from(there);
                j += 1;
            }
        }
    }
    let made = interleave_record_batch(&[sessions, &changed], &rows).map_err(CoreError::from)?;
    let schema = table::fact_sessions(old.user_type(), old.money());
    Ok(RecordBatch::try_new(schema, made.columns().to_vec()).map_err(CoreError::from)?)
}

fn codes(changes: &[SessionChange]) -> DictionaryArray<Int32Type> {
    let names = StringArray::from_iter_values(SessionChange::ALL.map(SessionChange::name));
    DictionaryArray::new(changes.iter().map(|&change| change as i32).collect::<Int32Array>(), Arc::new(names))
}

fn kinds(column: &arrow_array::ArrayRef) -> Result<Vec<SessionChange>, SessionizeError> {
    let other = || CoreError::ColumnType {
        column: "change".to_owned(),
        found: column.data_type().clone(),
        expected: "Dictionary(Int32, Utf8)",
    };
    let dictionary = column.as_dictionary_opt::<Int32Type>().ok_or_else(other)?;
    let names = dictionary.values().as_string_opt::<i32>().ok_or_else(other)?;
    let of = |row| match dictionary.key(row) {
        Some(code) => names.value(code).parse(),
        None => Err(CoreError::UnexpectedNulls { column: "change", nulls: dictionary.null_count() }.into()),
    };
    (0..dictionary.len()).map(of).collect()
}
