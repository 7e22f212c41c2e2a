//! From events to the features of a specification: the streaming pass over users.

use arrow_array::RecordBatch;
use cip_core::EventBatch;

use super::kernel::SpecKernel;
use super::spec_features::SpecFeatures;
use crate::error::FeaturesError;
use crate::pass::UserPass;

/// Computes the features of a specification from a stream of batches sorted by user_id (nulls last), event_time; made by
/// [`SpecFeatures::builder`].
///
/// Events of one user may span any number of batches. The rows of a user are cut at the cutoff before any is looked at, as by
/// [`FeatureBuilder`](crate::FeatureBuilder).
///
/// # Complexity
/// Linear in the events times the features. Memory beyond the batch: a byte a row for each different `where`; the distinct values of
/// one user, and up to 65,536 of users before it, in each column that distinct counts, affinities and last values are made from.
#[derive(Debug)]
pub struct SpecBuilder {
    pass: UserPass<SpecKernel>,
}

impl SpecBuilder {
    pub(super) fn new(features: &SpecFeatures) -> Self {
        Self { pass: UserPass::new(SpecKernel::new(features)) }
    }

    /// Returns the rows of the users that `events` completes: all before the user of its last row.
    ///
    /// # Errors
    /// [`CoreError::NotSorted`](cip_core::CoreError::NotSorted), [`CoreError::MissingColumn`](cip_core::CoreError::MissingColumn) and
    /// [`CoreError::ColumnType`](cip_core::CoreError::ColumnType) as [`FeatureBuilder::push`](crate::FeatureBuilder::push);
    /// [`FeaturesError::NotFinite`] where a column of floats that is read has NaN or an infinity, [`FeaturesError::OutOfRange`] where
    /// a sum exceeds 38 digits or a value the range of 64-bit floats, [`FeaturesError::TooMuchText`]. After an error the open user is
    /// not whole: start again.
    pub fn push(&mut self, events: &EventBatch) -> Result<RecordBatch, FeaturesError> {
        self.pass.push(events)
    }

    /// Returns the row of the user that is still open, if there is one.
    ///
    /// # Errors
    /// [`FeaturesError::OutOfRange`] and [`FeaturesError::TooMuchText`], as [`SpecBuilder::push`].
    pub fn finish(self) -> Result<RecordBatch, FeaturesError> {
        self.pass.finish()
    }

    /// How many events of [`SpecFeatures::time_range`] so far had no user.
    pub fn skipped_events(&self) -> u64 {
        self.pass.skipped()
    }

    pub(super) fn absorb(&mut self, events: &EventBatch) -> Result<(), FeaturesError> {
        self.pass.absorb(events)
    }
}
