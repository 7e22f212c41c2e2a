//! Visits: the products of a session or an order, in the order in which they were met.

use std::collections::HashMap;

use arrow_array::Array;
use cip_core::{
    CoreError, EventBatch, EventSchema, Id, IdDictionary, IdRef, IdType, MemoryBudget, Timestamp, column,
};

use crate::error::BasketError;
use crate::level::{ItemLevel, ItemSource};

/// What makes a visit of a user's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum VisitKey {
    Session,
    Order,
}

/// Which visit of the open user an event is in.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Place {
    Session(u32),
    Order(Id),
}

/// What a visit and a product take beside the entries.
const VISIT_BYTES: u64 = 16;
const PRODUCT_BYTES: u64 = 96;

/// The visits of a range of users, in the order of their users and first events.
///
/// A visit is a source session of one user, or one of their orders where the source has no sessions: its distinct products in the
/// order of their first events, and the time of its last one.
#[derive(Debug)]
pub struct Visits {
    budget: MemoryBudget,
    most_products: usize,
    product_type: IdType,
    pub(crate) products: IdDictionary,
    entries: Vec<u32>,
    ends: Vec<usize>,
    times: Vec<Timestamp>,
    too_long: u64,
}

/// Builds [`Visits`] from a stream of batches sorted by user and time; made by [`Visits::builder`].
#[derive(Debug)]
pub struct VisitBuilder {
    visits: Visits,
    items: ItemSource,
    key: VisitKey,
    /// Where each visit of the open user is among the open visits.
    places: HashMap<Place, usize>,
    open: Vec<(Timestamp, Vec<u32>)>,
    user: Option<Id>,
}

impl VisitKey {
    /// Sessions, or else orders; none where the source has neither.
    fn of(schema: &EventSchema) -> Option<Self> {
        if schema.has(column::SOURCE_SESSION) {
            Some(Self::Session)
        } else {
            schema.has(column::ORDER_ID).then_some(Self::Order)
        }
    }
}

impl Visits {
    /// Returns the event columns that visits are made from, in the store's order.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] without the level's column.
    pub fn columns(schema: &EventSchema, level: ItemLevel) -> Result<Vec<&'static str>, BasketError> {
        let key = match VisitKey::of(schema) {
            Some(VisitKey::Order) => column::ORDER_ID,
            _ => column::SOURCE_SESSION,
        };
        Ok(vec![column::USER_ID, column::EVENT_TIME, level.of(schema)?.column, key])
    }

    /// Returns a builder for events of `schema`; visits of more than `most_products` distinct products, or what stands for them, are counted and
    /// left out.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] without one of [`Visits::columns`], [`BasketError::MaxProducts`] below 2.
    pub fn builder(
        schema: &EventSchema,
        level: ItemLevel,
        most_products: usize,
        budget: MemoryBudget,
    ) -> Result<VisitBuilder, BasketError> {
        if !(2..=crate::rule::MOST_PRODUCTS).contains(&most_products) {
            return Err(BasketError::MaxProducts { given: most_products });
        }
        for column in Self::columns(schema, level)? {
            if !schema.has(column) {
                return Err(CoreError::MissingColumn { column }.into());
            }
        }
        let key = VisitKey::of(schema).unwrap_or(VisitKey::Session);
        let items = level.of(schema)?;
        let product_type = items.ids;
        let visits = Self {
            budget,
            most_products,
            product_type,
            products: IdDictionary::new(column::PRODUCT_ID, product_type),
            entries: Vec::new(),
            ends: Vec::new(),
            times: Vec::new(),
            too_long: 0,
        };
        Ok(VisitBuilder { visits, items, key, places: HashMap::new(), open: Vec::new(), user: None })
    }

    /// The number of visits.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Visits of too many products, which are left out.
    pub fn too_long(&self) -> u64 {
        self.too_long
    }

    /// When the last visit ended; none where there are none.
    pub fn last(&self) -> Option<Timestamp> {
        self.times.iter().copied().max()
    }

    /// Distinct products.
    pub fn products(&self) -> usize {
        self.products.len()
    }

    /// The visits: when each ended, and its products by code.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Timestamp, &[u32])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let entries = starts.zip(&self.ends).map(|(start, &end)| &self.entries[start..end]);
        self.times.iter().copied().zip(entries)
    }

    pub(crate) fn product_type(&self) -> IdType {
        self.product_type
    }

    /// Adds the visits of a later range of users.
    ///
    /// # Errors
    /// [`CoreError::ColumnType`] where its products are of another type, [`CoreError::Memory`] beyond the budget.
    pub fn append(&mut self, later: Visits) -> Result<(), BasketError> {
        let mut codes = Vec::with_capacity(later.products.len());
        for code in 0..later.products.len() as u32 {
            if let Some(product) = later.products.id(code) {
                codes.push(self.products.code(product)?);
            }
        }
        let before = self.entries.len();
        self.entries.extend(later.entries.iter().map(|&product| codes[product as usize]));
        self.ends.extend(later.ends.iter().map(|end| before + end));
        self.times.extend(later.times);
        self.too_long += later.too_long;
        self.check()
    }

    fn check(&self) -> Result<(), BasketError> {
        let bytes = 4 * self.entries.len() as u64
            + VISIT_BYTES * self.ends.len() as u64
            + PRODUCT_BYTES * self.products.len() as u64;
        Ok(self.budget.require("visits", MemoryBudget::from_bytes(bytes))?)
    }
}

impl VisitBuilder {
    /// Adds a batch.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`], [`CoreError::ColumnType`], [`CoreError::TooManyCodes`]; [`CoreError::Memory`] beyond the budget.
    pub fn push(&mut self, events: &EventBatch) -> Result<(), BasketError> {
        let sessions = events.source_sessions();
        let orders = events.orders();
        let key = self.key;
        let place = |row: usize| match key {
            VisitKey::Session => {
                let sessions = sessions.filter(|sessions| sessions.is_valid(row))?;
                Some(Place::Session(sessions.value(row)))
            }
            VisitKey::Order => Some(Place::Order(orders?.get(row)?.to_owned())),
        };
        let (users, times) = (events.users()?, events.times()?);
        let mut items = self.items.read(events)?;
        for (user, rows) in users.runs() {
            // A session of no known user is a visit all the same; the unknown user is one.
            if self.user.as_ref().map(Id::as_ref) != user {
                self.close()?;
                self.user = user.map(IdRef::to_owned);
            }
            for row in rows {
                let Some(place) = place(row) else { continue };
                let product = items.code(row, |item| self.visits.products.code(item))?;
                let Some(product) = product else { continue };
                let place = *self.places.entry(place).or_insert_with(|| {
                    self.open.push((Timestamp::from_micros(0), Vec::new()));
                    self.open.len() - 1
                });
                let (last, met) = &mut self.open[place];
                *last = Timestamp::from_micros(times.value(row));
                if met.last() != Some(&product)
                    && !met.contains(&product)
                    && met.len() <= self.visits.most_products
                {
                    met.push(product);
                }
            }
        }
        Ok(())
    }

    /// Returns the visits.
    ///
    /// # Errors
    /// [`CoreError::Memory`] beyond the budget.
    pub fn finish(mut self) -> Result<Visits, BasketError> {
        self.close()?;
        Ok(self.visits)
    }

    fn close(&mut self) -> Result<(), BasketError> {
        for (time, products) in self.open.drain(..) {
            if products.len() > self.visits.most_products {
                self.visits.too_long += 1;
                continue;
            }
            self.visits.entries.extend_from_slice(&products);
            self.visits.ends.push(self.visits.entries.len());
            self.visits.times.push(time);
        }
        self.places.clear();
        self.visits.check()
    }
}
