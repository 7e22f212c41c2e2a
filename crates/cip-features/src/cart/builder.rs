//! From events to sessions with a cart: the streaming pass over users.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, RecordBatch};
use cip_core::{CoreError, EventBatch, EventKind, Id, column};

use super::CartSessions;
use super::rows::CartRows;
use super::session::{CartEvent, UserEvents};
use crate::error::FeaturesError;

/// Finds sessions with a cart in a stream of batches sorted by user_id (nulls last), event_time; made by
/// [`CartSessions::builder`].
///
/// # Complexity
/// Sorts the events of each user by session; memory for the events of one user, 64 bytes each.
#[derive(Debug)]
pub struct CartBuilder {
    spec: Arc<CartSessions>,
    open: Option<Id>,
    events: UserEvents,
    /// Codes of the products of the open user, in the order in which they came.
    products: HashMap<Id, u32>,
    done: CartRows,
    /// Whether an event without a user came: none with a user may follow.
    unknown: bool,
    rows: u64,
}

impl CartBuilder {
    pub(super) fn new(spec: Arc<CartSessions>) -> Self {
        Self {
            open: None,
            events: UserEvents::default(),
            products: HashMap::new(),
            done: CartRows::new(&spec),
            unknown: false,
            rows: 0,
            spec,
        }
    }

    /// Returns the rows of the users that `events` completes: all before the user of its last row.
    ///
    /// # Errors
    /// [`CoreError::NotSorted`] where a row comes before the one above it; [`CoreError::MissingColumn`] and
    /// [`CoreError::ColumnType`] where a column of the schema is missing or has another type; [`CoreError::MoneyOverflow`].
    pub fn push(&mut self, events: &EventBatch) -> Result<RecordBatch, FeaturesError> {
        self.absorb(events)?;
        self.done.take()
    }

    /// Returns the rows of the user that is still open.
    ///
    /// # Errors
    /// As [`CartBuilder::push`].
    pub fn finish(mut self) -> Result<RecordBatch, FeaturesError> {
        self.close()?;
        self.done.take()
    }

    /// Adds a batch to the open user and those behind.
    pub(super) fn absorb(&mut self, events: &EventBatch) -> Result<(), FeaturesError> {
        self.spec.input().require(events.schema())?;
        let users = events.users()?;
        let kinds = events.kinds()?;
        let groups = self.groups(events)?;
        for (user, rows) in users.runs() {
            let Some(user) = user else {
                self.unknown = true;
                continue;
            };
            let before = self.open.as_ref().map(Id::as_ref);
            if self.unknown || before.is_some_and(|before| user < before) {
                return Err(CoreError::NotSorted { row: self.rows + rows.start as u64 }.into());
            }
            if before != Some(user) {
                self.close()?;
                self.open = Some(user.to_owned());
            }
            self.add(events, &kinds, groups.as_deref(), rows)?;
        }
        self.rows += events.len() as u64;
        Ok(())
    }

    /// Adds neighbouring rows of the open user.
    fn add(
        &mut self,
        events: &EventBatch,
        kinds: &[EventKind],
        groups: Option<&[Option<u32>]>,
        rows: Range<usize>,
    ) -> Result<(), FeaturesError> {
        let has = |name| self.spec.input().has(name);
        let times = events.times()?.values();
        let products = if has(column::PRODUCT_ID) { Some(events.products()?) } else { None };
        let prices = events.prices().filter(|_| has(column::PRICE));
        let sessions = events.source_sessions().filter(|_| has(column::SOURCE_SESSION));
        for row in rows {
            let next = self.products.len() as u32;
            let product = products.and_then(|products| products.get(row));
            let event = CartEvent {
                time: times[row],
                kind: kinds[row],
                product: product.map(|product| *self.products.entry(product.to_owned()).or_insert(next)),
                price: prices.filter(|prices| prices.is_valid(row)).map(|prices| prices.value(row)),
                session: sessions
                    .filter(|sessions| sessions.is_valid(row))
                    .map(|sessions| sessions.value(row)),
                group: groups.and_then(|groups| groups[row]),
            };
            if !self.events.push(event) {
                return Err(CoreError::NotSorted { row: self.rows + row as u64 }.into());
            }
        }
        Ok(())
    }

    /// The position of each row's group among those that have a column.
    fn groups(&self, events: &EventBatch) -> Result<Option<Vec<Option<u32>>>, FeaturesError> {
        if self.spec.groups().is_empty() {
            return Ok(None);
        }
        let missing = CoreError::MissingColumn { column: column::EXPERIMENT_GROUP };
        let Some(array) = events.record_batch().column_by_name(column::EXPERIMENT_GROUP) else {
            return Err(missing.into());
        };
        let groups = array.as_dictionary::<Int32Type>();
        let names = groups.values().as_string::<i32>();
        let position = |name: Option<&str>| {
            let found = self.spec.groups().iter().position(|group| Some(&**group) == name);
            found.map(|position| position as u32)
        };
        let positions: Vec<_> = names.iter().map(position).collect();
        Ok(Some(groups.keys().iter().map(|key| key.and_then(|key| positions[key as usize])).collect()))
    }

    /// Writes the sessions of the open user.
    fn close(&mut self) -> Result<(), FeaturesError> {
        let Some(user) = self.open.take() else { return Ok(()) };
        let by_source = self.spec.input().has(column::SOURCE_SESSION);
        for session in self.events.sessions(by_source, self.spec.moment()) {
            if self.spec.window().contains(session.start) {
                self.done.append(user.as_ref(), &session)?;
            }
        }
        self.events.clear();
        self.products.clear();
        Ok(())
    }
}
