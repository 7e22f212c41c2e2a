//! Histories: what a user, or a session, did with which product, in order.

use std::collections::HashMap;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use cip_core::{CoreError, EventBatch, EventSchema, Id, IdDictionary, IdRef, IdType, MemoryBudget, column};

use crate::error::BasketError;
use crate::level::{ItemLevel, ItemSource};

/// What an event takes, and a history and a step beside it.
const EVENT_BYTES: u64 = 16;
const HISTORY_BYTES: u64 = 8;
const STEP_BYTES: u64 = 128;

/// Whose events are one history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HistoryScope {
    /// A user's, whenever they were. Events of the unknown user are in no history.
    #[default]
    User,
    /// Those of one source session of a user.
    Session,
}

/// The histories of a range of users.
///
/// A step is an event type with a product; events without a product are none, and neither is an event that repeats the step before it.
#[derive(Debug)]
pub struct Histories {
    scope: HistoryScope,
    budget: MemoryBudget,
    types: IdDictionary,
    products: IdDictionary,
    steps: HashMap<(u32, u32), u32>,
    /// By code, the type and the product.
    codes: Vec<(u32, u32)>,
    pub(crate) events: Vec<(i64, u32)>,
    pub(crate) ends: Vec<usize>,
}

/// Builds [`Histories`] from a stream of batches sorted by user and time; made by [`Histories::builder`].
#[derive(Debug)]
pub struct HistoryBuilder {
    histories: Histories,
    items: ItemSource,
    /// The place of each session among the open histories.
    places: HashMap<u32, usize>,
    open: Vec<Vec<(i64, u32)>>,
    user: Option<Id>,
}

impl Histories {
    /// Returns the event columns that histories are made from, in the store's order.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] without the level's column.
    pub fn columns(
        schema: &EventSchema,
        level: ItemLevel,
        scope: HistoryScope,
    ) -> Result<Vec<&'static str>, BasketError> {
        let items = level.of(schema)?.column;
        let mut columns = vec![column::USER_ID, column::EVENT_TIME, column::EVENT_TYPE, items];
        columns.extend((scope == HistoryScope::Session).then_some(column::SOURCE_SESSION));
        Ok(columns)
    }

    /// Returns a builder for events of `schema`, with steps of products or what stands for them.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] without one of [`Histories::columns`].
    pub fn builder(
        schema: &EventSchema,
        level: ItemLevel,
        scope: HistoryScope,
        budget: MemoryBudget,
    ) -> Result<HistoryBuilder, BasketError> {
        for column in Self::columns(schema, level, scope)? {
            if !schema.has(column) {
                return Err(CoreError::MissingColumn { column }.into());
            }
        }
        let items = level.of(schema)?;
        let histories = Self {
            scope,
            budget,
            types: IdDictionary::new(column::EVENT_TYPE, IdType::Utf8),
            products: IdDictionary::new(column::PRODUCT_ID, items.ids),
            steps: HashMap::new(),
            codes: Vec::new(),
            events: Vec::new(),
            ends: Vec::new(),
        };
        Ok(HistoryBuilder { histories, items, places: HashMap::new(), open: Vec::new(), user: None })
    }

    /// The number of histories: the N of the support.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Distinct steps: event types with products.
    pub fn steps(&self) -> usize {
        self.codes.len()
    }

    pub(crate) fn budget(&self) -> MemoryBudget {
        self.budget
    }

    /// What the events take, and what their steps do.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let events = EVENT_BYTES * self.events.len() as u64 + HISTORY_BYTES * self.ends.len() as u64;
        (events, STEP_BYTES * self.codes.len() as u64)
    }

    /// The events of each history: when, and which step by code.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[(i64, u32)]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.events[start..end])
    }

    /// What a code stands for: an event type and a product.
    pub(crate) fn step(&self, code: u32) -> Option<(IdRef<'_>, IdRef<'_>)> {
        let (event_type, product) = *self.codes.get(code as usize)?;
        Some((self.types.id(event_type)?, self.products.id(product)?))
    }

    /// Adds the histories of a later range of users.
    ///
    /// # Errors
    /// [`BasketError::ScopesDiffer`], [`CoreError::ColumnType`] where products are of another type, [`CoreError::Memory`] beyond the budget.
    pub fn append(&mut self, later: Histories) -> Result<(), BasketError> {
        if self.scope != later.scope {
            return Err(BasketError::ScopesDiffer);
        }
        let mut codes = Vec::with_capacity(later.codes.len());
        for code in 0..later.codes.len() as u32 {
            if let Some((event_type, product)) = later.step(code) {
                let (event_type, product) = (self.types.code(event_type)?, self.products.code(product)?);
                codes.push(self.step_code(event_type, product));
            }
        }
        let before = self.events.len();
        self.events.extend(later.events.iter().map(|&(time, code)| (time, codes[code as usize])));
        self.ends.extend(later.ends.iter().map(|end| before + end));
        self.check()
    }

    fn step_code(&mut self, event_type: u32, product: u32) -> u32 {
        let step = (event_type, product);
        let next = self.codes.len() as u32;
        let code = *self.steps.entry(step).or_insert(next);
        if code == next {
            self.codes.push(step);
        }
        code
    }

    fn check(&self) -> Result<(), BasketError> {
        let (events, steps) = self.bytes();
        Ok(self.budget.require("histories", MemoryBudget::from_bytes(events + steps))?)
    }
}

impl HistoryBuilder {
    /// Adds a batch.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`], [`CoreError::ColumnType`], [`CoreError::TooManyCodes`]; [`CoreError::Memory`] beyond the budget.
    pub fn push(&mut self, events: &EventBatch) -> Result<(), BasketError> {
        let sessions = match self.histories.scope {
            HistoryScope::User => None,
            HistoryScope::Session => Some(
                events
                    .source_sessions()
                    .ok_or(CoreError::MissingColumn { column: column::SOURCE_SESSION })?,
            ),
        };
        let (users, times) = (events.users()?, events.times()?);
        let mut items = self.items.read(events)?;
        let types = events.event_types()?;
        let names = types.values().as_string::<i32>();
        for (user, rows) in users.runs() {
            if self.user.as_ref().map(Id::as_ref) != user {
                self.close()?;
                self.user = user.map(IdRef::to_owned);
            }
            for row in rows {
                let key = match sessions {
                    None => user.map(|_| 0),
                    Some(sessions) => sessions.is_valid(row).then(|| sessions.value(row)),
                };
                let (Some(key), Some(name)) = (key, types.key(row)) else { continue };
                let item = items.code(row, |item| self.histories.products.code(item))?;
                let Some(item) = item else { continue };
                let event_type = self.histories.types.code(IdRef::Utf8(names.value(name)))?;
                let code = self.histories.step_code(event_type, item);
                let place = *self.places.entry(key).or_insert_with(|| {
                    self.open.push(Vec::new());
                    self.open.len() - 1
                });
                if self.open[place].last().is_none_or(|&(_, before)| before != code) {
                    self.open[place].push((times.value(row), code));
                }
            }
        }
        Ok(())
    }

    /// Returns the histories.
    ///
    /// # Errors
    /// [`CoreError::Memory`] beyond the budget.
    pub fn finish(mut self) -> Result<Histories, BasketError> {
        self.close()?;
        Ok(self.histories)
    }

    fn close(&mut self) -> Result<(), BasketError> {
        for events in self.open.drain(..) {
            self.histories.events.extend(events);
            self.histories.ends.push(self.histories.events.len());
        }
        self.places.clear();
        self.histories.check()
    }
}
