//! From events to features: the streaming pass over users.

use std::ops::Range;

use arrow_array::RecordBatch;
use cip_core::{CoreError, EventBatch, Id, IdRef};

use crate::error::FeaturesError;
use crate::features::Features;
use crate::history::History;
use crate::input::{Input, InputSchema};
use crate::table::FeatureTable;
use crate::window::Windows;

/// Computes features from a stream of batches sorted by user_id (nulls last), event_time; made by
/// [`Features::builder`].
///
/// Events of one user may span any number of batches. What is held between batches is what is known of one user: counts,
/// sums, and the distinct sessions, products, categories, brands and devices.
///
/// ```text
///          start              cutoff         label_until
///  ignored ──┤ features ────────┤ label ─────────┤ ignored ──▶ event_time
/// ```
///
/// The rows of a user are cut at the cutoff before any is looked at, and features are computed from those before it alone.
///
/// # Complexity
/// Linear in the events; memory beyond the batch is linear in the distinct values of one user.
#[derive(Debug)]
pub struct FeatureBuilder {
    schema: InputSchema,
    windows: Windows,
    open: Option<OpenUser>,
    history: History,
    done: FeatureTable,
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
    /// Whether the user did, behind the cutoff, what the label is about.
    positive: bool,
}

impl FeatureBuilder {
    pub(crate) fn new(features: &Features) -> Self {
        Self {
            schema: features.input().clone(),
            windows: Windows::new(features),
            open: None,
            history: History::new(features),
            done: FeatureTable::new(features),
            unknown: false,
            skipped: 0,
            rows: 0,
        }
    }

    /// Returns the rows of the users that `events` completes: all before the user of its last row.
    ///
    /// # Errors
    /// [`CoreError::NotSorted`] where a row comes before the one above it, also where that is the last of the batch
    /// before; [`CoreError::MissingColumn`] and [`CoreError::ColumnType`] where a column of the schema is missing or has
    /// another type; [`CoreError::MoneyOverflow`] where a sum of a user's money exceeds 38 digits;
    /// [`CoreError::TooManyCodes`]; [`FeaturesError::TooMuchText`]. After an error the open user is not whole: start again.
    pub fn push(&mut self, events: &EventBatch) -> Result<RecordBatch, FeaturesError> {
        self.absorb(events)?;
        self.take()
    }

    /// Returns the row of the user that is still open, if there is one.
    ///
    /// # Errors
    /// [`CoreError::MoneyOverflow`] and [`FeaturesError::TooMuchText`], as [`FeatureBuilder::push`].
    pub fn finish(mut self) -> Result<RecordBatch, FeaturesError> {
        self.close()?;
        self.take()
    }

    /// How many events of [`Features::time_range`] so far had no user.
    pub fn skipped_events(&self) -> u64 {
        self.skipped
    }

    /// Adds a batch to the open user and those behind.
    pub(crate) fn absorb(&mut self, events: &EventBatch) -> Result<(), FeaturesError> {
        let input = self.schema.read(events)?;
        self.history.begin(&input)?;
        for (user, rows) in input.users.runs() {
            match user {
                Some(user) => self.add(&input, user, rows)?,
                None => self.skip(&input.times[rows]),
            }
        }
        self.rows += events.len() as u64;
        Ok(())
    }

    /// Adds neighbouring rows of a user.
    fn add(&mut self, input: &Input<'_>, user: IdRef<'_>, rows: Range<usize>) -> Result<(), FeaturesError> {
        let times = &input.times[rows.clone()];
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
            self.open = Some(OpenUser { user: user.to_owned(), time: last, positive: false });
        }
        let (known, label) = self.windows.cut(input, rows);
        self.history.extend(&known)?;
        if let Some(open) = &mut self.open {
            open.time = last;
            open.positive |= label.are_positive();
        }
        Ok(())
    }

    /// Counts events without a user.
    fn skip(&mut self, times: &[i64]) {
        self.unknown = true;
        self.skipped += times.iter().filter(|&&time| self.windows.contain(time)).count() as u64;
    }

    /// Writes the open user, if there is one with an event in the window.
    fn close(&mut self) -> Result<(), FeaturesError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        if self.history.events > 0 {
            self.history.check()?;
            self.done.append(open.user.as_ref(), &self.history, open.positive)?;
            self.history.clear();
        }
        Ok(())
    }

    fn not_sorted(&self, row: usize) -> FeaturesError {
        CoreError::NotSorted { row: self.rows + row as u64 }.into()
    }

    fn take(&mut self) -> Result<RecordBatch, FeaturesError> {
        Ok(self.done.take().map_err(CoreError::from)?)
    }
}

/// The position of the first pair that does not ascend.
fn first_back(times: &[i64]) -> Option<usize> {
    // One pass without a branch a row tells whether a search is worth it: it seldom is.
    let back = |pair: &[i64]| pair[1] < pair[0];
    let any = times.windows(2).fold(false, |any, pair| any | back(pair));
    if any { times.windows(2).position(back) } else { None }
}
