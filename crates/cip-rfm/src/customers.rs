//! Customers and their facts, column by column, before they are scored.

use arrow_array::ArrayRef;
use arrow_schema::ArrowError;
use cip_core::Id;

use crate::error::RfmError;
use crate::rfm::Facts;
use crate::users::Users;

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
    /// Users whose purchases all lie before the window.
    pub(crate) before: u64,
}

/// One customer.
#[derive(Debug)]
pub(crate) struct Customer {
    pub(crate) user: Id,
    pub(crate) recency_days: i32,
    pub(crate) frequency: i64,
    pub(crate) monetary: i128,
}

impl CustomerTable {
    pub(crate) fn new(facts: Facts) -> Self {
        let users = Users::new(facts.input.users);
        let (recency_days, frequency, monetary) = (Vec::new(), Vec::new(), Vec::new());
        Self { facts, users, recency_days, frequency, monetary, skipped_events: 0, before: 0 }
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

    /// How many users bought before the window and not in it: they are no customers.
    pub fn customers_before(&self) -> u64 {
        self.before
    }

    /// Adds the customers of a later range of users.
    ///
    /// # Errors
    /// [`RfmError::PartsOverlap`] where `later` does not begin behind this table's last customer,
    /// [`RfmError::PartsDiffer`] where it was counted with another date, window, treatment of returns,
    /// currency, type of user_id or scale, [`RfmError::TooManyCustomers`] and [`RfmError::TooMuchText`].
    pub fn append(&mut self, later: CustomerTable) -> Result<(), RfmError> {
        self.facts.check_same(&later.facts)?;
        self.users.append(later.users)?;
        self.recency_days.extend(later.recency_days);
        self.frequency.extend(later.frequency);
        self.monetary.extend(later.monetary);
        self.skipped_events += later.skipped_events;
        self.before += later.before;
        Ok(())
    }

    /// Adds a customer behind all others.
    pub(crate) fn push(&mut self, customer: Customer) -> Result<(), RfmError> {
        self.users.push(customer.user.as_ref())?;
        self.recency_days.push(customer.recency_days);
        self.frequency.push(customer.frequency);
        self.monetary.push(customer.monetary);
        Ok(())
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.users.shrink_to_fit();
        self.recency_days.shrink_to_fit();
        self.frequency.shrink_to_fit();
        self.monetary.shrink_to_fit();
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Takes the ids as a column; the table has none afterwards.
    pub(crate) fn take_users(&mut self) -> Result<ArrayRef, ArrowError> {
        self.users.take()
    }
}
