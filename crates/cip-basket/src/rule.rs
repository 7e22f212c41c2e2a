//! What a basket is: the key, and how many products it may hold.

use cip_core::{EventBatch, EventSchema, MemoryBudget};

use crate::builder::BasketBuilder;
use crate::error::BasketError;
use crate::input::{BasketKey, InputSchema};
use crate::table::BasketTable;

/// The largest limit of basket size: a basket of 65,535 products has 2,147,385,345 pairs.
pub const MOST_PRODUCTS: usize = u16::MAX as usize;

/// How baskets are made from events.
///
/// A basket is the set of distinct products in a user's events of one [`BasketKey`], whatever the type of the
/// events. Baskets of one product hold no pair and are counted by product; baskets of more than
/// [`max_products`](Baskets::max_products) are counted and left out, because a basket of n products has
/// n (n - 1) / 2 pairs: crawlers and test accounts would outweigh all customers.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array, RecordBatch};
/// # use cip_core::{EventBatch, MemoryBudget};
/// use cip_basket::{BasketKey, Baskets};
/// let events = EventBatch::try_new(RecordBatch::try_from_iter([
///     ("order_id", Arc::new(Int64Array::from(vec![1, 1, 1, 2, 3, 3, 3])) as ArrayRef),
///     ("product_id", Arc::new(Int64Array::from(vec![10, 11, 10, 10, 10, 11, 12]))),
/// ])?)?;
/// let rule = Baskets::new(events.schema(), MemoryBudget::from_mib(64))?.with_max_products(2)?;
/// assert_eq!(rule.key(), BasketKey::Order);
/// let totals = rule.collect(&[events])?.totals();
/// assert_eq!((totals.baskets, totals.single_baskets, totals.oversized_baskets), (1, 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Baskets {
    pub(crate) input: InputSchema,
    pub(crate) budget: MemoryBudget,
    max_products: usize,
}

impl Baskets {
    /// Returns the rule for events of `schema`: by source session where there is one, else by order; of at most
    /// 50 products.
    ///
    /// The limit is this project's convention for sessions, not the field's; [`BasketTotals`](crate::BasketTotals)
    /// says how many baskets it left out. `budget` is for the baskets and for counting their pairs.
    ///
    /// # Errors
    /// [`BasketError::NoBasketKey`] without both keys; [`CoreError::MissingColumn`](cip_core::CoreError) without
    /// `product_id`.
    pub fn new(schema: &EventSchema, budget: MemoryBudget) -> Result<Self, BasketError> {
        Self::by(BasketKey::of(schema)?, schema, budget)
    }

    /// Returns the rule for events of `schema` by `key`; else as [`Baskets::new`].
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`](cip_core::CoreError) without the key's column or `product_id`.
    pub fn by(key: BasketKey, schema: &EventSchema, budget: MemoryBudget) -> Result<Self, BasketError> {
        Ok(Self { input: InputSchema::try_new(schema, key)?, budget, max_products: 50 })
    }

    /// Sets how many distinct products a basket may hold.
    ///
    /// # Errors
    /// [`BasketError::MaxProducts`] beyond 2..=[`MOST_PRODUCTS`].
    pub fn with_max_products(mut self, max_products: usize) -> Result<Self, BasketError> {
        if !(2..=MOST_PRODUCTS).contains(&max_products) {
            return Err(BasketError::MaxProducts { given: max_products });
        }
        self.max_products = max_products;
        Ok(self)
    }

    /// What makes a basket.
    pub fn key(&self) -> BasketKey {
        self.input.key
    }

    /// How many distinct products a basket may hold.
    pub fn max_products(&self) -> usize {
        self.max_products
    }

    /// Returns a builder of the baskets of a range of users.
    pub fn builder(&self) -> BasketBuilder {
        BasketBuilder::new(self.clone())
    }

    /// Returns the baskets of all `batches`, which together are sorted by user_id (nulls last).
    ///
    /// # Errors
    /// As [`BasketBuilder::push`] and [`BasketBuilder::finish`].
    pub fn collect(&self, batches: &[EventBatch]) -> Result<BasketTable, BasketError> {
        let mut builder = self.builder();
        for batch in batches {
            builder.push(batch)?;
        }
        builder.finish()
    }

    /// Checks that tables built by both mean the same; budgets may differ.
    pub(crate) fn check_same(&self, other: &Self) -> Result<(), BasketError> {
        let types = |rule: &Self| (rule.input.key, rule.input.users, rule.input.products, rule.max_products);
        if types(self) == types(other) {
            return Ok(());
        }
        Err(BasketError::PartsDiffer {
            keys: (self.input.key, other.input.key),
            max_products: (self.max_products, other.max_products),
        })
    }
}
