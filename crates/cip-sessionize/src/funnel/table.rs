//! What users reached, column by column.

use std::sync::Arc;

use arrow_array::builder::Int64Builder;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, SchemaRef};
use cip_core::{IdBuilder, IdRef, IdType, table};

use crate::error::SessionizeError;

/// Bytes that a text column can address.
const MAX_TEXT: usize = i32::MAX as usize;

/// Builds a table of `funnel`.
#[derive(Debug)]
pub(crate) struct FunnelTable {
    schema: SchemaRef,
    user_bytes: usize,
    users: IdBuilder,
    reached: Vec<i64>,
    first_times: Vec<i64>,
    /// From the second step on.
    seconds: Vec<Int64Builder>,
}

impl FunnelTable {
    pub(crate) fn new(users: IdType, steps: usize) -> Self {
        Self {
            schema: table::funnel(users, steps),
            user_bytes: 0,
            users: IdBuilder::new(users),
            reached: Vec::new(),
            first_times: Vec::new(),
            seconds: (2..=steps).map(|_| Int64Builder::new()).collect(),
        }
    }

    /// Adds a user: the time of the first step, and the seconds from there to each step, the first included.
    pub(crate) fn append(
        &mut self,
        user: IdRef<'_>,
        first: i64,
        seconds: &[i64],
    ) -> Result<(), SessionizeError> {
        if let IdRef::Utf8(user) = user {
            self.user_bytes = self.user_bytes.saturating_add(user.len());
            if self.user_bytes > MAX_TEXT {
                return Err(SessionizeError::TooMuchText { limit: MAX_TEXT });
            }
        }
        self.users.append(Some(user))?;
        self.reached.push(seconds.len() as i64);
        self.first_times.push(first);
        for (step, column) in self.seconds.iter_mut().enumerate() {
            column.append_option(seconds.get(step + 1).copied());
        }
        Ok(())
    }

    /// Returns the users so far, and starts a new table.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.user_bytes = 0;
        let times =
            TimestampMicrosecondArray::from(std::mem::take(&mut self.first_times)).with_timezone("UTC");
        let mut columns: Vec<ArrayRef> = vec![
            self.users.finish(),
            Arc::new(Int64Array::from(std::mem::take(&mut self.reached))),
            Arc::new(times),
        ];
        columns.extend(self.seconds.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef));
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}
