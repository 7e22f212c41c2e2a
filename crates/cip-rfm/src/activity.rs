//! From events to customers: the streaming pass.

use cip_core::{CoreError, DistinctIds, EventBatch, EventKind, Id, IdType, Timestamp, check_sum, column};

use crate::customers::{Customer, CustomerTable};
use crate::error::RfmError;
use crate::input::Input;
use crate::rfm::Facts;

/// Counts customers from a stream of batches sorted by user_id, nulls last; made by
/// [`Rfm::customers`](crate::Rfm::customers).
///
/// Events of one user may span any number of batches, and may come in any order of time. What is held between
/// batches is the finished customers, and the distinct orders of one user.
#[derive(Debug)]
pub struct CustomerBuilder {
    done: CustomerTable,
    open: Option<OpenCustomer>,
    orders: DistinctIds,
    /// The last user seen, customer or not.
    last_user: Option<Id>,
    rows: u64,
}

/// What is known so far of the user whose events come in.
#[derive(Debug)]
struct OpenCustomer {
    user: Id,
    last_purchase: Option<i64>,
    /// Whether there is a purchase before the window.
    bought_before: bool,
    /// Purchases that are orders of their own.
    single_orders: usize,
    monetary: i128,
}

impl CustomerBuilder {
    pub(crate) fn new(facts: Facts) -> Self {
        Self {
            orders: DistinctIds::new(facts.input.orders.unwrap_or(IdType::Int64)),
            done: CustomerTable::new(facts),
            open: None,
            last_user: None,
            rows: 0,
        }
    }

    /// Adds a batch.
    ///
    /// # Errors
    /// [`CoreError::NotSorted`] where a row's user comes before that of the row above it, also where that is
    /// the last of the batch before; [`CoreError::MissingColumn`] and [`CoreError::ColumnType`] where a column
    /// of the schema is missing or has another type; [`CoreError::MoneyOverflow`] where a customer's sum
    /// exceeds 38 digits; [`RfmError::TooManyCustomers`], [`RfmError::TooMuchText`]. After an error the count
    /// is not whole: start again.
    pub fn push(&mut self, events: &EventBatch) -> Result<(), RfmError> {
        let facts = self.done.facts().clone();
        let input = facts.input.read(events)?;
        let known = input.known_users(self.last_user.as_ref().map(Id::as_ref));
        let known = match known {
            Ok(known) if known > 0 && self.done.skipped_events > 0 => Err(0),
            known => known,
        }
        .map_err(|row| CoreError::NotSorted { row: self.rows + row as u64 })?;
        for row in input.rows_of(known, |kind| facts.returns.counts(kind)) {
            if input.times[row] < facts.as_of.micros() {
                self.add(&input, row)?;
            }
        }
        if let Some(last) = known.checked_sub(1).and_then(|last| input.users.get(last)) {
            self.last_user = Some(last.to_owned());
        }
        self.rows += events.len() as u64;
        self.done.skipped_events += (events.len() - known) as u64;
        Ok(())
    }

    /// How many events so far had no user.
    pub fn skipped_events(&self) -> u64 {
        self.done.skipped_events
    }

    /// Returns the customers.
    ///
    /// # Errors
    /// As [`CustomerBuilder::push`], for the last customer.
    pub fn finish(mut self) -> Result<CustomerTable, RfmError> {
        self.close()?;
        self.done.shrink_to_fit();
        Ok(self.done)
    }

    /// Adds a purchase or a cancellation that counts.
    fn add(&mut self, input: &Input<'_>, row: usize) -> Result<(), RfmError> {
        let kind = input.kind(row);
        let Some(user) = input.users.get(row) else { return Ok(()) };
        if self.open.as_ref().is_none_or(|open| open.user.as_ref() != user) {
            self.close()?;
        }
        let open = self.open.get_or_insert_with(|| OpenCustomer {
            user: user.to_owned(),
            last_purchase: None,
            bought_before: false,
            single_orders: 0,
            monetary: 0,
        });
        if self.done.facts().is_before(input.times[row]) {
            open.bought_before |= kind == EventKind::Purchase;
            return Ok(());
        }
        let (price, pieces) = input.price_and_pieces(row);
        let pieces = if kind == EventKind::Cancellation { -pieces.abs() } else { pieces };
        open.monetary = price
            .checked_mul(pieces)
            .and_then(|amount| open.monetary.checked_add(amount))
            .ok_or(CoreError::MoneyOverflow { column: column::PRICE })?;
        if kind == EventKind::Purchase {
            open.last_purchase = open.last_purchase.max(Some(input.times[row]));
            match input.orders.and_then(|orders| orders.get(row)) {
                Some(order) => self.orders.insert(order),
                None => open.single_orders += 1,
            }
        }
        Ok(())
    }

    /// Writes the open user, if there is one with a purchase.
    fn close(&mut self) -> Result<(), RfmError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        if let Some(last_purchase) = open.last_purchase {
            check_sum(column::PRICE, Some(open.monetary))?;
            let last_day = Timestamp::from_micros(last_purchase).day();
            self.done.push(Customer {
                user: open.user,
                recency_days: self.done.facts().as_of.day() - last_day,
                frequency: (self.orders.count() + open.single_orders) as i64,
                monetary: open.monetary,
            })?;
        } else if open.bought_before {
            self.done.before += 1;
        }
        self.orders.clear();
        Ok(())
    }
}
