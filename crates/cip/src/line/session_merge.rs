//! A table of sessions, and the sessions of some of its users as they are now: the new table and what differs, in one pass.

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use cip_core::{CoreError, IdColumn, IdRef, column, first_where};
use cip_sessionize::{AbsentUsers, SessionChange, SessionChanges, apply_changes, diff_sessions};
use cip_store::{TableReader, TableWriter};

use crate::line::LineError;
use crate::line::sessions::SessionTotals;

/// Merges sessions into a table that is read, written and compared some thousand rows at a time.
pub(super) struct SessionMerge {
    before: Option<TableReader>,
    /// Rows of `before` that were read and not merged yet, whole users.
    read: RecordBatch,
    /// Rows behind those, of a user of whom more may come.
    more: RecordBatch,
    absent: AbsentUsers,
    table: TableWriter,
    changes: TableWriter,
    totals: SessionTotals,
    counts: [u64; SessionChange::ALL.len()],
    users: u64,
}

/// What came of a merge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merged {
    /// Of the whole table, but for the events without a user.
    pub(super) totals: SessionTotals,
    /// How many sessions there are of which what became, as [`SessionChange::ALL`] has them.
    pub(super) counts: [u64; SessionChange::ALL.len()],
    /// Users whose sessions came.
    pub(super) users: u64,
}

impl SessionMerge {
    /// Starts with the table before, if there is one. `empty` is a table without rows.
    pub(super) fn begin(
        before: Option<TableReader>,
        empty: RecordBatch,
        absent: AbsentUsers,
        (table, changes): (TableWriter, TableWriter),
        totals: SessionTotals,
    ) -> Self {
        let counts = [0; SessionChange::ALL.len()];
        Self { before, read: empty.clone(), more: empty, absent, table, changes, totals, counts, users: 0 }
    }

    /// Takes all sessions of users who come behind those before.
    pub(super) fn add(&mut self, mut now: RecordBatch) -> Result<(), LineError> {
        self.users += users_of(&now)?.runs().count() as u64;
        while now.num_rows() > 0 {
            self.fill()?;
            let (old, new) = (users_of(&self.read)?, users_of(&now)?);
            let (last_old, last_new) = (last(&old), last(&new));
            let (old_rows, new_rows) = match (last_old, last_new) {
                // Users up to the first of the two ends are whole on both sides.
                (Some(last), Some(end)) if last < end => (old.len(), rows_up_to(&new, last)),
                (Some(_), Some(end)) => (rows_up_to(&old, end), new.len()),
                _ => (old.len(), new.len()),
            };
            let before = take(&mut self.read, old_rows);
            self.merge(&before, &take(&mut now, new_rows))?;
        }
        Ok(())
    }

    /// Takes what is left of the table before, and puts nothing in place yet: the caller publishes the folder.
    pub(super) fn finish(mut self) -> Result<Merged, LineError> {
        loop {
            self.fill()?;
            let rows = self.read.num_rows();
            if rows == 0 {
                break;
            }
            let before = take(&mut self.read, rows);
            let nobody = before.slice(0, 0);
            self.merge(&before, &nobody)?;
        }
        self.table.finish()?;
        self.changes.finish()?;
        Ok(Merged { totals: self.totals, counts: self.counts, users: self.users })
    }

    /// Reads on, where nothing is left, until a user ends.
    fn fill(&mut self) -> Result<(), LineError> {
        while self.read.num_rows() == 0 {
            match self.before.as_mut().and_then(Iterator::next) {
                Some(batch) => {
                    let batch = batch?;
                    let all = concat_batches(&self.more.schema(), [&self.more, &batch]);
                    let all = all.map_err(CoreError::from)?;
                    let users = users_of(&all)?;
                    let whole = last(&users).map_or(0, |user| rows_before(&users, user));
                    self.more = all;
                    self.read = take(&mut self.more, whole);
                }
                None => {
                    self.before = None;
                    let rows = self.more.num_rows();
                    self.read = take(&mut self.more, rows);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Merges rows of the same users.
    fn merge(&mut self, before: &RecordBatch, now: &RecordBatch) -> Result<(), LineError> {
        let changes = diff_sessions(before, now, self.absent)?;
        self.count(&changes);
        let after = match self.absent {
            AbsentUsers::Gone => now.clone(),
            AbsentUsers::Untouched => apply_changes(before, changes.record_batch())?,
        };
        self.totals.add(&after)?;
        self.table.write(after)?;
        Ok(self.changes.write(changes.record_batch().clone())?)
    }

    fn count(&mut self, changes: &SessionChanges) {
        for (count, change) in self.counts.iter_mut().zip(SessionChange::ALL) {
            *count += changes.count(change);
        }
    }
}

fn users_of(sessions: &RecordBatch) -> Result<IdColumn, CoreError> {
    let column = column::USER_ID;
    IdColumn::try_new(column, sessions.column_by_name(column).ok_or(CoreError::MissingColumn { column })?)
}

fn last(users: &IdColumn) -> Option<IdRef<'_>> {
    users.len().checked_sub(1).and_then(|row| users.get(row))
}

/// How many rows of sorted users there are up to a user, the user's included.
fn rows_up_to(users: &IdColumn, user: IdRef<'_>) -> usize {
    first_where(0..users.len(), |row| users.get(row).is_none_or(|here| here > user))
}

/// How many rows of sorted users there are before a user.
fn rows_before(users: &IdColumn, user: IdRef<'_>) -> usize {
    first_where(0..users.len(), |row| users.get(row).is_none_or(|here| here >= user))
}

/// Takes the first rows off a batch.
fn take(batch: &mut RecordBatch, rows: usize) -> RecordBatch {
    let taken = batch.slice(0, rows);
    *batch = batch.slice(rows, batch.num_rows() - rows);
    taken
}
