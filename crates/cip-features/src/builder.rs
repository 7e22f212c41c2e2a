//! From events to features: the streaming pass over users.

use std::ops::Range;

use arrow_array::RecordBatch;
use cip_core::{CoreError, EventBatch, IdRef};

use crate::error::FeaturesError;
use crate::features::Features;
use crate::history::History;
use crate::input::{Input, InputSchema};
use crate::pass::{Kernel, UserPass};
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
    pass: UserPass<SetKernel>,
}

impl FeatureBuilder {
    pub(crate) fn new(features: &Features) -> Self {
        Self {
            pass: UserPass::new(SetKernel {
                schema: features.input().clone(),
                windows: Windows::new(features),
                history: History::new(features),
                positive: false,
                done: FeatureTable::new(features),
            }),
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
        self.pass.push(events)
    }

    /// Returns the row of the user that is still open, if there is one.
    ///
    /// # Errors
    /// [`CoreError::MoneyOverflow`] and [`FeaturesError::TooMuchText`], as [`FeatureBuilder::push`].
    pub fn finish(self) -> Result<RecordBatch, FeaturesError> {
        self.pass.finish()
    }

    /// How many events of [`Features::time_range`] so far had no user.
    pub fn skipped_events(&self) -> u64 {
        self.pass.skipped()
    }

    /// Adds a batch to the open user and those behind.
    pub(crate) fn absorb(&mut self, events: &EventBatch) -> Result<(), FeaturesError> {
        self.pass.absorb(events)
    }
}

/// The features of the ready sets: one history for all of them.
#[derive(Debug)]
struct SetKernel {
    schema: InputSchema,
    windows: Windows,
    history: History,
    /// Whether the user did, behind the cutoff, what the label is about.
    positive: bool,
    done: FeatureTable,
}

impl Kernel for SetKernel {
    type Input<'a> = Input<'a>;

    fn read<'a>(&mut self, events: &'a EventBatch) -> Result<Input<'a>, FeaturesError> {
        let input = self.schema.read(events)?;
        self.history.begin(&input)?;
        Ok(input)
    }

    fn add(&mut self, input: &Input<'_>, rows: Range<usize>) -> Result<(), FeaturesError> {
        let (known, label) = self.windows.cut(input, rows);
        self.history.extend(&known)?;
        self.positive |= label.are_positive();
        Ok(())
    }

    fn close(&mut self, user: IdRef<'_>) -> Result<(), FeaturesError> {
        if self.history.events > 0 {
            self.history.check()?;
            self.done.append(user, &self.history, self.positive)?;
            self.history.clear();
        }
        self.positive = false;
        Ok(())
    }

    fn contains(&self, time: i64) -> bool {
        self.windows.contain(time)
    }

    fn take(&mut self) -> Result<RecordBatch, FeaturesError> {
        Ok(self.done.take().map_err(CoreError::from)?)
    }
}
