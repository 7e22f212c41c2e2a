//! From events to baskets: the streaming pass over users.

use std::ops::Range;

use arrow_array::Array;
use cip_core::{CoreError, EventBatch, IdDictionary, column};

use crate::error::BasketError;
use crate::input::{Input, Keys};
use crate::open_user::{self, Line, OpenBasket, OpenUser, TooMuchMoney};
use crate::rule::Baskets;
use crate::table::{BasketTable, FETCHED_AHEAD};

/// Builds baskets from a stream of batches sorted by user_id, nulls last; made by [`Baskets::builder`].
///
/// Events of one user may span any number of batches, and may come in any order. What is held between batches is
/// the finished baskets, and 8 bytes for each distinct (basket, product) of one user, or 24 for each distinct (basket, product, time) where times or
/// money are asked for: up to four times that while they come in, and the order ids of this user where baskets are orders.
///
/// The unknown user is one user, behind all others: where a source session or an order has no user, its products
/// are a basket all the same.
#[derive(Debug)]
pub struct BasketBuilder {
    table: BasketTable,
    open: OpenUser,
    /// Where `open` is next looked through for repeats.
    compact_at: usize,
    basket: OpenBasket,
    /// The order ids of the open user.
    orders: IdDictionary,
    rows: u64,
}

impl BasketBuilder {
    pub(crate) fn new(rule: Baskets) -> Self {
        let is_detailed = rule.input.window.is_some() || rule.input.money.is_some();
        let open = if is_detailed { OpenUser::Lines(Vec::new()) } else { OpenUser::Entries(Vec::new()) };
        Self {
            compact_at: open.compact_at(),
            open,
            basket: OpenBasket::default(),
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
    /// [`BasketError::UserTooLarge`], [`BasketError::TooMuchMoney`], [`BasketError::TooManyBaskets`]. After an error the baskets are not whole:
    /// start again.
    pub fn push(&mut self, events: &EventBatch) -> Result<(), BasketError> {
        let rule = self.table.rule().clone();
        let mut input = rule.input.read(events)?;
        match input.users {
            Some(users) => {
                for (user, rows) in users.runs() {
                    if self.table.last_user() != Some(user) {
                        self.close()?;
                        if !self.table.next_user(user) {
                            return Err(CoreError::NotSorted { row: self.rows + rows.start as u64 }.into());
                        }
                    }
                    self.extend(&mut input, rows)?;
                }
            }
            None => {
                if self.rows == 0 && !events.is_empty() {
                    self.table.next_user(None);
                }
                self.extend(&mut input, 0..events.len())?;
            }
        }
        self.rows += events.len() as u64;
        self.table.totals_mut().events += events.len() as u64;
        Ok(())
    }

    /// Returns the baskets.
    ///
    /// # Errors
    /// [`BasketError::TooManyBaskets`], [`BasketError::TooMuchMoney`], with those of the last user.
    pub fn finish(mut self) -> Result<BasketTable, BasketError> {
        self.close()?;
        self.table.shrink_to_fit();
        Ok(self.table)
    }

    /// Adds `rows` to the open user.
    fn extend(&mut self, input: &mut Input<'_>, rows: Range<usize>) -> Result<(), BasketError> {
        let user = self.table.last_user().flatten().map(|_| 0);
        let mut last = None;
        for row in rows {
            if let Some(item) = input.items.id(row + FETCHED_AHEAD) {
                self.table.fetch(item);
            }
            if !input.is_wanted(row) {
                self.table.totals_mut().events_of_other_types += 1;
                continue;
            }
            let key = match input.keys {
                Keys::Sessions(sessions) => sessions.is_valid(row).then(|| sessions.value(row)),
                Keys::Orders(orders) => orders.get(row).map(|order| self.orders.code(order)).transpose()?,
                Keys::User => user,
            };
            let Some(key) = key else {
                self.table.totals_mut().events_without_key += 1;
                continue;
            };
            let Some(product) = input.items.code(row, |item| self.table.code(item))? else {
                self.table.totals_mut().events_without_product += 1;
                continue;
            };
            let entry = u64::from(key) << 32 | u64::from(product);
            match &mut self.open {
                OpenUser::Entries(entries) => {
                    if last == Some(entry) {
                        continue;
                    }
                    last = Some(entry);
                    entries.push(entry);
                }
                OpenUser::Lines(lines) => {
                    let money = input.amount(row).ok_or(TooMuchMoney).and_then(open_user::money);
                    let Ok(money) = money else { return Err(self.too_much_money()) };
                    lines.push(Line { entry, time: input.time(row), money });
                }
            }
            if self.open.len() >= self.compact_at {
                self.compact()?;
            }
        }
        Ok(())
    }

    /// Drops what says nothing new of the open user.
    fn compact(&mut self) -> Result<(), BasketError> {
        if self.open.compact().is_err() {
            return Err(self.too_much_money());
        }
        self.compact_at = self.open.compact_at();
        let budget = self.table.rule().budget;
        if self.open.bytes() > budget {
            let user = self.table.last_user().flatten().map(|user| user.to_owned());
            return Err(BasketError::UserTooLarge { user, budget });
        }
        Ok(())
    }

    fn too_much_money(&self) -> BasketError {
        BasketError::TooMuchMoney { user: self.table.last_user().flatten().map(|user| user.to_owned()) }
    }

    /// Writes the open user's baskets.
    fn close(&mut self) -> Result<(), BasketError> {
        if self.open.len() == 0 {
            return Ok(());
        }
        if self.open.close(&mut self.table, &mut self.basket).is_err() {
            return Err(self.too_much_money());
        }
        self.compact_at = self.open.compact_at();
        if !self.orders.is_empty() {
            self.orders = IdDictionary::new(column::ORDER_ID, self.table.rule().input.orders);
        }
        self.table.check_size()
    }
}
