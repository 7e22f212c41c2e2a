//! The ids of customers, one behind the other and ascending.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use cip_core::{IdRef, IdType};

use crate::error::RfmError;

/// Bytes that a text column can address.
const MAX_TEXT: usize = i32::MAX as usize;

/// The ids of the customers of a range of users.
#[derive(Debug)]
pub(crate) enum Users {
    Int64(Vec<i64>),
    /// Where each text ends, and the texts one behind the other.
    Utf8(Vec<i32>, String),
}

impl Users {
    pub(crate) fn new(id_type: IdType) -> Self {
        match id_type {
            IdType::Int64 => Self::Int64(Vec::new()),
            IdType::Utf8 => Self::Utf8(Vec::new(), String::new()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Int64(users) => users.len(),
            Self::Utf8(ends, _) => ends.len(),
        }
    }

    /// Adds an id behind all others.
    pub(crate) fn push(&mut self, user: IdRef<'_>) -> Result<(), RfmError> {
        check_len(self.len() + 1)?;
        match (self, user) {
            (Self::Int64(users), IdRef::Int64(user)) => users.push(user),
            (Self::Utf8(ends, text), IdRef::Utf8(user)) => {
                ends.push(text_end(text.len() + user.len())?);
                text.push_str(user);
            }
            _ => return Err(RfmError::PartsDiffer),
        }
        Ok(())
    }

    /// Adds the ids of a later range.
    pub(crate) fn append(&mut self, later: Self) -> Result<(), RfmError> {
        if let (Some(last), Some(first)) = (self.get(self.len().wrapping_sub(1)), later.get(0))
            && last >= first
        {
            return Err(RfmError::PartsOverlap { last: last.to_owned(), first: first.to_owned() });
        }
        check_len(self.len() + later.len())?;
        match (self, later) {
            (Self::Int64(users), Self::Int64(later)) => users.extend(later),
            (Self::Utf8(ends, text), Self::Utf8(later_ends, later_text)) => {
                let start = text_end(text.len())?;
                text_end(text.len() + later_text.len())?;
                ends.extend(later_ends.iter().map(|end| start + end));
                text.push_str(&later_text);
            }
            _ => return Err(RfmError::PartsDiffer),
        }
        Ok(())
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        match self {
            Self::Int64(users) => users.shrink_to_fit(),
            Self::Utf8(ends, text) => {
                ends.shrink_to_fit();
                text.shrink_to_fit();
            }
        }
    }

    /// Takes the ids as a column; none are left.
    pub(crate) fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Int64(users) => Arc::new(Int64Array::from(std::mem::take(users))),
            Self::Utf8(ends, text) => {
                let mut offsets = std::mem::take(ends);
                offsets.insert(0, 0);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let text = Buffer::from_vec(std::mem::take(text).into_bytes());
                Arc::new(StringArray::try_new(offsets, text, None)?)
            }
        })
    }

    /// The id of a row, or none beyond the table.
    fn get(&self, row: usize) -> Option<IdRef<'_>> {
        match self {
            Self::Int64(users) => users.get(row).map(|&user| IdRef::Int64(user)),
            Self::Utf8(ends, text) => {
                let end = *ends.get(row)? as usize;
                let start = row.checked_sub(1).map_or(0, |before| ends[before] as usize);
                text.get(start..end).map(IdRef::Utf8)
            }
        }
    }
}

/// Customers are ranked by 32-bit row numbers.
fn check_len(customers: usize) -> Result<(), RfmError> {
    match u32::try_from(customers) {
        Ok(_) => Ok(()),
        Err(_) => Err(RfmError::TooManyCustomers { limit: u64::from(u32::MAX) }),
    }
}

fn text_end(bytes: usize) -> Result<i32, RfmError> {
    i32::try_from(bytes).map_err(|_| RfmError::TooMuchText { limit: MAX_TEXT })
}
