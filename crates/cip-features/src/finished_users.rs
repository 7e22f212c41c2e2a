//! Finished users, column by column.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder};
use arrow_array::{ArrayRef, RecordBatch, UInt8Array};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use cip_core::{IdBuilder, IdRef, IdType, column};

use crate::error::FeaturesError;

/// Bytes that a text column can address.
const MAX_TEXT: usize = i32::MAX as usize;

/// Builds a table of users: their ids, a column for each `F`, and the label where the table has one.
#[derive(Debug)]
pub(crate) struct FinishedUsers<F> {
    schema: SchemaRef,
    user_bytes: usize,
    users: IdBuilder,
    columns: Vec<(F, Column)>,
    /// None where there is no label.
    labels: Option<Vec<u8>>,
}

/// The values of a feature so far.
#[derive(Debug)]
pub(crate) enum Column {
    Int64(Int64Builder),
    Float64(Float64Builder),
}

impl<F> FinishedUsers<F> {
    /// `features` are those of the columns behind the user's, in their order.
    pub(crate) fn new(schema: SchemaRef, users: IdType, features: impl Iterator<Item = F>) -> Self {
        let column = |(feature, data_type): (F, &DataType)| {
            let column = match data_type {
                DataType::Int64 => Column::Int64(Int64Builder::new()),
                _ => Column::Float64(Float64Builder::new()),
            };
            (feature, column)
        };
        let types = schema.fields().iter().skip(1).map(|field| field.data_type());
        Self {
            user_bytes: 0,
            users: IdBuilder::new(users),
            columns: features.zip(types).map(column).collect(),
            labels: schema.column_with_name(column::LABEL).map(|_| Vec::new()),
            schema,
        }
    }

    /// Adds a user; `append` adds the value of each feature to its column.
    ///
    /// # Errors
    /// [`FeaturesError::TooMuchText`].
    pub(crate) fn append(
        &mut self,
        user: IdRef<'_>,
        positive: bool,
        mut append: impl FnMut(&F, &mut Column),
    ) -> Result<(), FeaturesError> {
        if let IdRef::Utf8(user) = user {
            self.user_bytes = self.user_bytes.saturating_add(user.len());
            if self.user_bytes > MAX_TEXT {
                return Err(FeaturesError::TooMuchText { limit: MAX_TEXT });
            }
        }
        self.users.append(Some(user))?;
        self.columns.iter_mut().for_each(|(feature, column)| append(feature, column));
        if let Some(labels) = &mut self.labels {
            labels.push(u8::from(positive));
        }
        Ok(())
    }

    /// Returns the users so far, and starts a new table.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.user_bytes = 0;
        let mut columns: Vec<ArrayRef> = vec![self.users.finish()];
        for (_, column) in &mut self.columns {
            columns.push(match column {
                Column::Int64(values) => Arc::new(values.finish()),
                Column::Float64(values) => Arc::new(values.finish()),
            });
        }
        if let Some(labels) = &mut self.labels {
            columns.push(Arc::new(UInt8Array::from(std::mem::take(labels))));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}
