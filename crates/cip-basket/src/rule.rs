//! What a basket is: the key, and how many products it may hold.

use std::time::Duration;

use cip_core::{EventBatch, EventSchema, MemoryBudget};

use crate::builder::BasketBuilder;
use crate::error::BasketError;
use crate::input::{BasketKey, InputSchema};
use crate::level::ItemLevel;
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

    /// Puts categories or brands in the place of products.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`](cip_core::CoreError) where the events do not have them.
    pub fn with_level(mut self, level: ItemLevel) -> Result<Self, BasketError> {
        self.input = self.input.with_level(level)?;
        Ok(self)
    }

    /// Makes baskets of the events of some types alone, such as `purchase`.
    ///
    /// # Errors
    /// [`BasketError::NoEventTypes`] for none; [`CoreError::MissingColumn`](cip_core::CoreError) without `event_type`.
    pub fn with_event_types<'a>(
        mut self,
        types: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, BasketError> {
        let mut types: Vec<Box<str>> = types.into_iter().map(Into::into).collect();
        types.sort_unstable();
        types.dedup();
        if types.is_empty() {
            return Err(BasketError::NoEventTypes);
        }
        self.input = self.input.with_event_types(types)?;
        Ok(self)
    }

    /// Counts two products of a basket as a pair only where some event of the one is not further than `window` from some event of the other;
    /// exactly as far counts. The basket, N and the counts of single products stay as they are: so pairs by user within 7 days are those of
    /// customers who did both inside a week, among all customers of two products or more.
    ///
    /// Such a table has pairs and no baskets: it is for [`Pairs`](crate::Pairs), not for [`Transactions`](crate::Transactions).
    ///
    /// # Errors
    /// [`BasketError::Window`] beyond 292,000 years; [`CoreError::MissingColumn`](cip_core::CoreError) without `event_time`.
    pub fn with_window(mut self, window: Duration) -> Result<Self, BasketError> {
        let micros = i64::try_from(window.as_micros()).map_err(|_| BasketError::Window { given: window })?;
        self.input = self.input.with_window(micros)?;
        Ok(self)
    }

    /// Sums the revenue of each pair: price x quantity of the purchases of the two products in each basket that holds the pair. Pairs then have
    /// the column `revenue`, exact decimals.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`](cip_core::CoreError) without `price` or `event_type`.
    pub fn with_revenue(mut self) -> Result<Self, BasketError> {
        self.input = self.input.with_money()?;
        Ok(self)
    }

    /// The event columns that baskets are made from, in the store's order: what a reader should project. `user_id` may be absent, unless it is the
    /// key, and `quantity`.
    pub fn columns(&self) -> Vec<&'static str> {
        self.input.columns()
    }

    /// What stands for a product.
    pub fn level(&self) -> ItemLevel {
        self.input.level
    }

    /// How far two events of a pair may be apart; none where any two of a basket count.
    pub fn window(&self) -> Option<Duration> {
        self.window_micros().map(|micros| Duration::from_micros(micros.unsigned_abs()))
    }

    pub(crate) fn window_micros(&self) -> Option<i64> {
        self.input.window
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
        let (ours, theirs) = (self.meaning(), other.meaning());
        if ours == theirs { Ok(()) } else { Err(BasketError::PartsDiffer { ours, theirs }) }
    }

    /// What a table of such baskets means, in words.
    pub(crate) fn meaning(&self) -> String {
        let input = &self.input;
        let users = input.users.map_or_else(|| "none".to_owned(), |ids| ids.data_type().to_string());
        let types = input.event_types.as_ref().map_or_else(|| "all".to_owned(), |types| types.join("+"));
        let window = input.window.map_or_else(|| "none".to_owned(), |micros| format!("{micros} us"));
        let money = input.money.map_or_else(|| "none".to_owned(), |scale| scale.decimals().to_string());
        let level = match input.level {
            ItemLevel::Product => "product".to_owned(),
            ItemLevel::Category => "category".to_owned(),
            ItemLevel::CategoryTo(depth) => format!("category to depth {depth}"),
            ItemLevel::Brand => "brand".to_owned(),
        };
        format!(
            "baskets by {} of at most {} products (level {level}, {}; users {users}; event types {types}; window {window}; decimals of revenue \
             {money})",
            input.key,
            self.max_products,
            input.items.data_type()
        )
    }
}
