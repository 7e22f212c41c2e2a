//! Finished users, column by column.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder};
use arrow_array::{ArrayRef, RecordBatch, UInt8Array};
use arrow_schema::{ArrowError, SchemaRef};
use cip_core::{IdBuilder, IdRef};

use super::plan::PlannedFeature;
use super::spec_features::SpecFeatures;
use super::state::Value;
use crate::error::FeaturesError;
use crate::table::MAX_TEXT;

/// Builds a table of features.
#[derive(Debug)]
pub(super) struct SpecRows {
    schema: SchemaRef,
    user_bytes: usize,
    users: IdBuilder,
    /// Each with the place of its feature in the plan.
    columns: Vec<(usize, Column)>,
    /// None where there is no label.
    labels: Option<Vec<u8>>,
}

#[derive(Debug)]
enum Column {
    Whole(Int64Builder),
    Float(Float64Builder),
}

impl SpecRows {
    pub(super) fn new(features: &SpecFeatures) -> Self {
        let column = |(place, feature): (usize, &PlannedFeature)| {
            let column = match feature.is_whole() {
                true => Column::Whole(Int64Builder::new()),
                false => Column::Float(Float64Builder::new()),
            };
            (place, column)
        };
        Self {
            schema: features.schema(),
            user_bytes: 0,
            users: IdBuilder::new(features.users()),
            columns: features.plan().written().map(column).collect(),
            labels: features.label_until().map(|_| Vec::new()),
        }
    }

    pub(super) fn append(
        &mut self,
        user: IdRef<'_>,
        values: &[Value],
        positive: bool,
    ) -> Result<(), FeaturesError> {
        if let IdRef::Utf8(user) = user {
            self.user_bytes = self.user_bytes.saturating_add(user.len());
            if self.user_bytes > MAX_TEXT {
                return Err(FeaturesError::TooMuchText { limit: MAX_TEXT });
            }
        }
        self.users.append(Some(user))?;
        for (place, column) in &mut self.columns {
            match (column, values[*place]) {
                (Column::Whole(column), Value::Whole(value)) => column.append_value(value),
                (Column::Whole(column), _) => column.append_null(),
                (Column::Float(column), value) => column.append_option(value.number()),
            }
        }
        if let Some(labels) = &mut self.labels {
            labels.push(u8::from(positive));
        }
        Ok(())
    }

    /// Returns the users so far, and starts a new table.
    pub(super) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.user_bytes = 0;
        let mut columns: Vec<ArrayRef> = vec![self.users.finish()];
        for (_, column) in &mut self.columns {
            columns.push(match column {
                Column::Whole(values) => Arc::new(values.finish()),
                Column::Float(values) => Arc::new(values.finish()),
            });
        }
        if let Some(labels) = &mut self.labels {
            columns.push(Arc::new(UInt8Array::from(std::mem::take(labels))));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}
