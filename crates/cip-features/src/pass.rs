//! The walk over users: their order is checked, their rows are handed on, and they are closed one by one.

use std::fmt::Debug;
use std::ops::Range;

use arrow_array::RecordBatch;
use cip_core::{CoreError, EventBatch, Id, IdRef};

use crate::error::FeaturesError;

/// What makes features of the rows that a [`UserPass`] hands to it, one user at a time.
pub(crate) trait Kernel: Debug {
    /// The columns of one batch.
    type Input<'a>;

    /// Begins a batch.
    fn read<'a>(&mut self, events: &'a EventBatch) -> Result<Self::Input<'a>, FeaturesError>;

    /// Adds neighbouring rows of the open user, which ascend in time. It cuts them at the cutoff before it looks at any.
    fn add(&mut self, input: &Self::Input<'_>, rows: Range<usize>) -> Result<(), FeaturesError>;

    /// Writes the open user, if there is an event in the window, and forgets what is known of it.
    fn close(&mut self, user: IdRef<'_>) -> Result<(), FeaturesError>;

    /// Whether an event lies in the window of the features or of the label.
    fn contains(&self, time: i64) -> bool;

    /// Returns the users so far, and starts a new table.
    fn take(&mut self) -> Result<RecordBatch, FeaturesError>;
}

/// One pass over batches sorted by user_id (nulls last), event_time.
#[derive(Debug)]
pub(crate) struct UserPass<K> {
    kernel: K,
    open: Option<OpenUser>,
    /// Whether an event without a user came: none with a user may follow.
    unknown: bool,
    skipped: u64,
    rows: u64,
}

/// The user whose events come in.
#[derive(Debug)]
struct OpenUser {
    user: Id,
    /// Of the last event, wherever it lies.
    time: i64,
}

impl<K: Kernel> UserPass<K> {
    pub(crate) fn new(kernel: K) -> Self {
        Self { kernel, open: None, unknown: false, skipped: 0, rows: 0 }
    }

    /// Adds a batch to the open user and those behind; returns those that it completes.
    pub(crate) fn push(&mut self, events: &EventBatch) -> Result<RecordBatch, FeaturesError> {
        self.absorb(events)?;
        self.kernel.take()
    }

    /// Returns all users that were not returned yet.
    pub(crate) fn finish(mut self) -> Result<RecordBatch, FeaturesError> {
        self.close()?;
        self.kernel.take()
    }

    /// Events of the windows without a user.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Adds a batch to the open user and those behind.
    pub(crate) fn absorb(&mut self, events: &EventBatch) -> Result<(), FeaturesError> {
        let input = self.kernel.read(events)?;
        let times = events.times()?.values();
        for (user, rows) in events.users()?.runs() {
            match user {
                Some(user) => self.add(&input, times, user, rows)?,
                None => self.skip(&times[rows]),
            }
        }
        self.rows += events.len() as u64;
        Ok(())
    }

    /// Adds neighbouring rows of a user.
    fn add(
        &mut self,
        input: &K::Input<'_>,
        times: &[i64],
        user: IdRef<'_>,
        rows: Range<usize>,
    ) -> Result<(), FeaturesError> {
        let times = &times[rows.clone()];
        let (first, last) = (times[0], times[times.len() - 1]);
        let goes_on = self.open.as_ref().is_some_and(|open| open.user.as_ref() == user);
        let back = self
            .open
            .as_ref()
            .is_some_and(|open| if goes_on { first < open.time } else { user < open.user.as_ref() });
        if back || self.unknown {
            return Err(self.not_sorted(rows.start));
        }
        if let Some(above) = first_back(times) {
            return Err(self.not_sorted(rows.start + above + 1));
        }
        if !goes_on {
            self.close()?;
            self.open = Some(OpenUser { user: user.to_owned(), time: last });
        }
        self.kernel.add(input, rows)?;
        if let Some(open) = &mut self.open {
            open.time = last;
        }
        Ok(())
    }

    /// Counts events without a user.
    fn skip(&mut self, times: &[i64]) {
        self.unknown = true;
        self.skipped += times.iter().filter(|&&time| self.kernel.contains(time)).count() as u64;
    }

    fn close(&mut self) -> Result<(), FeaturesError> {
        self.open.take().map_or(Ok(()), |open| self.kernel.close(open.user.as_ref()))
    }

    fn not_sorted(&self, row: usize) -> FeaturesError {
        CoreError::NotSorted { row: self.rows + row as u64 }.into()
    }
}

/// The position of the first pair that does not ascend.
fn first_back(times: &[i64]) -> Option<usize> {
    // One pass without a branch a row tells whether a search is worth it: it seldom is.
    let back = |pair: &[i64]| pair[1] < pair[0];
    let any = times.windows(2).fold(false, |any, pair| any | back(pair));
    if any { times.windows(2).position(back) } else { None }
}
