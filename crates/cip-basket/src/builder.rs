//! From events to baskets: the streaming pass over users.

use std::ops::Range;

use arrow_array::Array;
use cip_core::{CoreError, EventBatch, IdDictionary, column};

use crate::error::BasketError;
use crate::input::{Input, Keys};
use crate::rule::Baskets;
use crate::table::BasketTable;

/// Entries of one user that are kept as they came; with more, repeats are dropped as they come in.
const SMALL_USER: usize = 1 << 16;

/// Builds baskets from a stream of batches sorted by user_id, nulls last; made by [`Baskets::builder`].
///
/// Events of one user may span any number of batches, and may come in any order. What is held between batches is
/// the finished baskets, and 8 bytes for each distinct (basket, product) of one user: up to four times that
/// while they come in, and the order ids of this user where baskets are orders.
///
/// The unknown user is one user, behind all others: where a source session or an order has no user, its products
/// are a basket all the same.
#[derive(Debug)]
pub struct BasketBuilder {
    table: BasketTable,
    /// The key in the upper half, the product in the lower.
    open: Vec<u64>,
    /// Where `open` is next looked through for repeats.
    compact_at: usize,
    /// The order ids of the open user.
    orders: IdDictionary,
    rows: u64,
}

impl BasketBuilder {
    pub(crate) fn new(rule: Baskets) -> Self {
        Self {
            open: Vec::new(),
            compact_at: SMALL_USER,
            orders: IdDictionary::new(column::ORDER_ID, rule.input.orders),
            table: BasketTable::new(rule),
            rows: 0,
        }
    }

    /// Adds a batch.
    ///
    /// # Errors
    /// [`CoreError::NotSorted`] where a row's user comes before that of the row above it, also where that is
    /// the last of the batch before; [`CoreError::MissingColumn`] and [`CoreError::ColumnType`] where a column
    /// of the schema is missing or has another type; [`CoreError::TooManyCodes`],
    /// [`BasketError::UserTooLarge`], [`BasketError::TooManyBaskets`]. After an error the baskets are not whole:
    /// start again.
    pub fn push(&mut self, events: &EventBatch) -> Result<(), BasketError> {
        let input = self.table.rule().input.read(events)?;
        match input.users {
            Some(users) => {
                for (user, rows) in users.runs() {
                    if self.table.last_user() != Some(user) {
                        self.close()?;
                        if !self.table.next_user(user) {
                            return Err(CoreError::NotSorted { row: self.rows + rows.start as u64 }.into());
                        }
                    }
                    self.extend(&input, rows)?;
                }
            }
            None => {
                if self.rows == 0 && !events.is_empty() {
                    self.table.next_user(None);
                }
                self.extend(&input, 0..events.len())?;
            }
        }
        self.rows += events.len() as u64;
        self.table.totals_mut().events += events.len() as u64;
        Ok(())
    }

    /// Returns the baskets.
    ///
    /// # Errors
    /// [`BasketError::TooManyBaskets`], with those of the last user.
    pub fn finish(mut self) -> Result<BasketTable, BasketError> {
        self.close()?;
        self.table.shrink_to_fit();
        Ok(self.table)
    }

    /// Adds `rows` to the open user.
    fn extend(&mut self, input: &Input<'_>, rows: Range<usize>) -> Result<(), BasketError> {
        let user = self.table.last_user().flatten().map(|_| 0);
        let mut last = None;
        for row in rows {
            let key = match input.keys {
                Keys::Sessions(sessions) => sessions.is_valid(row).then(|| sessions.value(row)),
                Keys::Orders(orders) => orders.get(row).map(|order| self.orders.code(order)).transpose()?,
                Keys::User => user,
            };
            let Some(key) = key else {
                self.table.totals_mut().events_without_key += 1;
                continue;
            };
            let Some(product) = input.products.get(row) else {
                self.table.totals_mut().events_without_product += 1;
                continue;
            };
            // A view and what comes of it are often neighbours.
            if last == Some((key, product)) {
                continue;
            }
            last = Some((key, product));
            let product = self.table.code(product)?;
            self.open.push(u64::from(key) << 32 | u64::from(product));
            if self.open.len() >= self.compact_at {
                self.compact()?;
            }
        }
        Ok(())
    }

    /// Sorts the open user's entries and drops repeats.
    fn compact(&mut self) -> Result<(), BasketError> {
        self.open.sort_unstable();
        self.open.dedup();
        self.compact_at = SMALL_USER.max(2 * self.open.len());
        let budget = self.table.rule().budget;
        if 8 * self.open.len() as u64 > budget.bytes() {
            let user = self.table.last_user().flatten().map(|user| user.to_owned());
            return Err(BasketError::UserTooLarge { user, budget });
        }
        Ok(())
    }

    /// Writes the open user's baskets.
    fn close(&mut self) -> Result<(), BasketError> {
        if self.open.is_empty() {
            return Ok(());
        }
        self.open.sort_unstable();
        self.open.dedup();
        for basket in self.open.chunk_by(|a, b| a >> 32 == b >> 32) {
            self.table.push(basket.iter().map(|&entry| entry as u32));
        }
        self.open.clear();
        self.open.shrink_to(SMALL_USER);
        self.compact_at = SMALL_USER;
        if !self.orders.is_empty() {
            self.orders = IdDictionary::new(column::ORDER_ID, self.table.rule().input.orders);
        }
        self.table.check_size()
    }
}
