//! The column `experiment_group`: every event has the arm of its user.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema};
use cip_abtest::Experiment;
use cip_core::{CoreError, EventSchema, IdColumn, column};

/// Gives events the arm that an experiment assigns to their user.
pub(crate) struct Tagging<'a> {
    experiment: &'a Experiment,
    arms: Arc<StringArray>,
}

impl<'a> Tagging<'a> {
    pub(crate) fn new(experiment: &'a Experiment) -> Self {
        let arms = StringArray::from_iter_values(experiment.arms().iter().map(|arm| arm.name()));
        Self { experiment, arms: Arc::new(arms) }
    }

    /// Returns the column for events of these users.
    ///
    /// # Complexity
    /// One assignment for each run of a user, not for each row.
    pub(crate) fn column(&self, users: &IdColumn) -> Result<ArrayRef, CoreError> {
        let mut codes: Vec<i32> = Vec::new();
        let mut unknown = 0;
        for (user, rows) in users.runs() {
            let arm = user.map_or(0, |user| self.experiment.assign_index(user));
            unknown += if user.is_none() { rows.len() } else { 0 };
            codes.resize(rows.end, arm as i32);
        }
        let nulls = (unknown > 0).then(|| {
            // The unknown user comes last.
            let known = codes.len() - unknown;
            NullBuffer::from_iter((0..codes.len()).map(|row| row < known))
        });
        let codes = Int32Array::new(ScalarBuffer::from(codes), nulls);
        let groups = DictionaryArray::<Int32Type>::try_new(codes, Arc::clone(&self.arms) as ArrayRef)?;
        Ok(Arc::new(groups))
    }
}

/// Returns the schema with the column at its place.
pub(crate) fn tagged(schema: &EventSchema) -> Result<EventSchema, CoreError> {
    with_text(schema, column::EXPERIMENT_GROUP, Nulls::Possible)
}

/// Returns the schema with the column that names the source file of each event, at its place.
pub(crate) fn with_source_file(schema: &EventSchema) -> Result<EventSchema, CoreError> {
    with_text(schema, column::SOURCE_FILE, Nulls::Never)
}

#[derive(Clone, Copy, PartialEq)]
enum Nulls {
    Possible,
    Never,
}

/// Adds a column of texts that repeat behind those of the contract's columns that the schema has.
fn with_text(schema: &EventSchema, name: &str, nulls: Nulls) -> Result<EventSchema, CoreError> {
    let mut fields: Vec<Arc<Field>> = schema.arrow().fields().iter().cloned().collect();
    let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let place = column::EVENT_COLUMNS.iter().filter(|column| schema.has(column)).count();
    fields.insert(place, Arc::new(Field::new(name, text, nulls == Nulls::Possible)));
    EventSchema::try_new(Schema::new(fields).into())
}
