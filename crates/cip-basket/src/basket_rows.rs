//! Baskets from a long table: a row for each item of each basket, in any order.

use cip_core::{CoreError, IdDictionary, IdRef, IdType, MemoryBudget};

use crate::error::BasketError;
use crate::transactions::{Transactions, TransactionsBuilder};

/// Rows from which on repeats are dropped while they come in.
const FEW_ROWS: usize = 1 << 16;

/// Puts the rows of a long table together to baskets; made by [`TransactionsBuilder::by_rows`].
///
/// # Complexity
/// 8 bytes for each distinct (basket, item), up to four times that while they come in, and the dictionary of the baskets.
///
/// # Examples
/// ```
/// use cip_basket::Transactions;
/// use cip_core::{IdRef, IdType, MemoryBudget};
/// let mut rows = Transactions::builder(MemoryBudget::from_mib(16)).by_rows(IdType::Int64);
/// for (order, item) in [(1, "milk"), (2, "milk"), (1, "bread"), (1, "milk")] {
///     rows.push(IdRef::Int64(order), item)?;
/// }
/// let baskets = rows.finish()?;
/// assert_eq!((baskets.len(), baskets.totals().entries), (2, 3));
/// # Ok::<(), cip_basket::BasketError>(())
/// ```
#[derive(Debug)]
pub struct BasketRows {
    builder: TransactionsBuilder,
    baskets: IdDictionary,
    /// The basket in the upper half, the item in the lower.
    rows: Vec<u64>,
    compact_at: usize,
}

impl BasketRows {
    pub(crate) fn new(builder: TransactionsBuilder, baskets: IdType) -> Self {
        let baskets = IdDictionary::new("basket", baskets);
        Self { builder, baskets, rows: Vec::new(), compact_at: FEW_ROWS }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`CoreError::ColumnType`] where the basket's id is of another type, [`CoreError::TooManyCodes`], [`CoreError::Memory`] where the
    /// rows alone exceed the budget.
    pub fn push(&mut self, basket: IdRef<'_>, item: &str) -> Result<(), BasketError> {
        let (basket, item) = (self.baskets.code(basket)?, self.builder.item(item)?);
        self.rows.push(u64::from(basket) << 32 | u64::from(item));
        if self.rows.len() >= self.compact_at {
            self.compact()?;
        }
        Ok(())
    }

    /// Returns the baskets, in the order in which their first rows came; the items of one come in the order in which they were first
    /// seen anywhere.
    ///
    /// # Errors
    /// As [`TransactionsBuilder::push`] and [`TransactionsBuilder::finish`].
    pub fn finish(mut self) -> Result<Transactions, BasketError> {
        self.compact()?;
        for basket in self.rows.chunk_by(|a, b| a >> 32 == b >> 32) {
            self.builder.push_items(basket.iter().map(|&row| row as u32))?;
        }
        self.builder.finish()
    }

    fn compact(&mut self) -> Result<(), CoreError> {
        self.rows.sort_unstable();
        self.rows.dedup();
        self.compact_at = FEW_ROWS.max(2 * self.rows.len());
        let needed = 8 * self.rows.len() as u64;
        self.builder.budget().require("baskets of a long table", MemoryBudget::from_bytes(needed))
    }
}
