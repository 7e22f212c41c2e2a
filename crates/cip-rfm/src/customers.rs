//! Customers and their facts, column by column, before they are scored.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use cip_core::{Id, IdRef, IdType};

use crate::error::RfmError;
use crate::rfm::Facts;

/// Bytes that a text column can address.
const MAX_TEXT: usize = i32::MAX as usize;

/// The customers of a range of users, in the order of their ids; made by
/// [`CustomerBuilder`](crate::CustomerBuilder).
///
/// # Complexity
/// 36 bytes a customer with integer ids, 32 and the text with text ids.
#[derive(Debug)]
pub struct CustomerTable {
    facts: Facts,
    users: Users,
    pub(crate) recency_days: Vec<i32>,
    pub(crate) frequency: Vec<i64>,
    pub(crate) monetary: Vec<i128>,
    pub(crate) skipped_events: u64,
}

/// One customer.
#[derive(Debug)]
pub(crate) struct Customer {
    pub(crate) user: Id,
    pub(crate) recency_days: i32,
    pub(crate) frequency: i64,
    pub(crate) monetary: i128,
}

#[derive(Debug)]
enum Users {
    Int64(Vec<i64>),
    /// Where each text ends, and the texts one behind the other.
    Utf8(Vec<i32>, String),
}

impl CustomerTable {
    pub(crate) fn new(facts: Facts) -> Self {
        let users = match facts.input.users {
            IdType::Int64 => Users::Int64(Vec::new()),
            IdType::Utf8 => Users::Utf8(Vec::new(), String::new()),
        };
        let (recency_days, frequency, monetary) = (Vec::new(), Vec::new(), Vec::new());
        Self { facts, users, recency_days, frequency, monetary, skipped_events: 0 }
    }

    /// Customers.
    pub fn len(&self) -> usize {
        self.recency_days.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events had no user.
    pub fn skipped_events(&self) -> u64 {
        self.skipped_events
    }

    /// Adds the customers of a later range of users.
    ///
    /// # Errors
    /// [`RfmError::PartsOverlap`] where `later` does not begin behind this table's last customer,
    /// [`RfmError::PartsDiffer`] where it was counted with another date, treatment of returns, type of user_id
    /// or scale, [`RfmError::TooManyCustomers`] and [`RfmError::TooMuchText`].
    pub fn append(&mut self, later: CustomerTable) -> Result<(), RfmError> {
        self.facts.check_same(&later.facts)?;
        if let (Some(last), Some(first)) = (self.user(self.len().wrapping_sub(1)), later.user(0))
            && last >= first
        {
            return Err(RfmError::PartsOverlap { last: last.to_owned(), first: first.to_owned() });
        }
        check_len(self.len() + later.len())?;
        match (&mut self.users, later.users) {
            (Users::Int64(users), Users::Int64(later)) => users.extend(later),
            (Users::Utf8(ends, text), Users::Utf8(later_ends, later_text)) => {
                let start = text_end(text.len())?;
                text_end(text.len() + later_text.len())?;
                ends.extend(later_ends.iter().map(|end| start + end));
                text.push_str(&later_text);
            }
            _ => return Err(RfmError::PartsDiffer),
        }
        self.recency_days.extend(later.recency_days);
        self.frequency.extend(later.frequency);
        self.monetary.extend(later.monetary);
        self.skipped_events += later.skipped_events;
        Ok(())
    }

    /// Adds a customer behind all others.
    pub(crate) fn push(&mut self, customer: Customer) -> Result<(), RfmError> {
        check_len(self.len() + 1)?;
        match (&mut self.users, customer.user.as_ref()) {
            (Users::Int64(users), IdRef::Int64(user)) => users.push(user),
            (Users::Utf8(ends, text), IdRef::Utf8(user)) => {
                ends.push(text_end(text.len() + user.len())?);
                text.push_str(user);
            }
            _ => return Err(RfmError::PartsDiffer),
        }
        self.recency_days.push(customer.recency_days);
        self.frequency.push(customer.frequency);
        self.monetary.push(customer.monetary);
        Ok(())
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        match &mut self.users {
            Users::Int64(users) => users.shrink_to_fit(),
            Users::Utf8(ends, text) => {
                ends.shrink_to_fit();
                text.shrink_to_fit();
            }
        }
        self.recency_days.shrink_to_fit();
        self.frequency.shrink_to_fit();
        self.monetary.shrink_to_fit();
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Takes the ids as a column; the table has none afterwards.
    pub(crate) fn take_users(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match &mut self.users {
            Users::Int64(users) => Arc::new(Int64Array::from(std::mem::take(users))),
            Users::Utf8(ends, text) => {
                let mut offsets = std::mem::take(ends);
                offsets.insert(0, 0);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let text = Buffer::from_vec(std::mem::take(text).into_bytes());
                Arc::new(StringArray::try_new(offsets, text, None)?)
            }
        })
    }

    /// The id of a row, or none beyond the table.
    fn user(&self, row: usize) -> Option<IdRef<'_>> {
        match &self.users {
            Users::Int64(users) => users.get(row).map(|&user| IdRef::Int64(user)),
            Users::Utf8(ends, text) => {
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
