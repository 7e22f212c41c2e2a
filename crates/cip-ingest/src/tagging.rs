//! The column `experiment_group`: every event has the arm of its user.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
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
        let mut codes: Vec<Option<i32>> = Vec::with_capacity(users.len());
        for (user, rows) in users.runs() {
            let arm = user.and_then(|user| self.experiment.assign_index(user)).map(|arm| arm as i32);
            codes.resize(rows.end, arm);
        }
        let codes = Int32Array::from(codes);
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
