//! Counts of pairs that more baskets can be added to.

use std::io::Cursor;
use std::sync::Arc;

use cip_core::MemoryBudget;

use crate::error::BasketError;
use crate::pairs::batches::PairBatches;
use crate::pairs::counter::PairRows;
use crate::pairs::merge::{HasMoney, Merge, RunBytes};
use crate::pairs::params::Pairs;
use crate::pairs::ranked;
use crate::pairs::run;
use crate::rule::Baskets;
use crate::table::{BasketTable, BasketTotals};

/// Pairs after which what is merged is written down.
const BATCH: usize = 1 << 14;

/// How often every two products are together, also once: what stays of baskets when others will come.
///
/// Counts of some baskets and counts of others add up to the counts of all ([`PairCounts::add`], [`PairCounts::merge`]): however baskets are split,
/// and in whichever order they come, [`PairCounts::pairs`] gives what [`Pairs::count`] gives of all at once. A basket has to be whole in one part:
/// that is for the caller to see to, as it is to add no basket twice.
///
/// # Complexity
/// About 5 bytes a distinct pair, and about 76 a product with the text of its id.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array, RecordBatch};
/// # use cip_core::{EventBatch, MemoryBudget};
/// use cip_basket::{Baskets, PairCounts, Pairs};
/// let day = |order: i64, products: [i64; 2]| {
///     let batch = RecordBatch::try_from_iter([
///         ("order_id", Arc::new(Int64Array::from(vec![order; 2])) as ArrayRef),
///         ("product_id", Arc::new(Int64Array::from(products.to_vec()))),
///     ]);
///     EventBatch::try_new(batch?)
/// };
/// let rule = Baskets::new(day(1, [5, 6])?.schema(), MemoryBudget::from_mib(64))?;
/// let mut counts = PairCounts::new(&rule);
/// counts.add(rule.collect(&[day(1, [5, 6])?])?)?;
/// let mut file = Vec::new();
/// counts.write_to(&mut file)?; // and on the next day
/// let mut counts = PairCounts::read_from(&rule, &file[..])?;
/// counts.add(rule.collect(&[day(2, [6, 5])?])?)?;
/// let pairs = counts.pairs(Pairs::new(2)?)?.next().unwrap()?;
/// assert_eq!(pairs.num_rows(), 1); // 5 and 6 are together twice
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PairCounts {
    /// Without baskets.
    pub(crate) table: BasketTable,
    /// All pairs.
    pub(crate) run: Arc<[u8]>,
}

impl PairCounts {
    /// Returns the counts of no baskets.
    pub fn new(rule: &Baskets) -> Self {
        Self { table: BasketTable::new(rule.clone()), run: Arc::default() }
    }

    /// What became of the events.
    pub fn totals(&self) -> BasketTotals {
        self.table.totals()
    }

    /// The bytes that the counts take.
    pub fn bytes(&self) -> u64 {
        self.table.bytes() + self.run.len() as u64
    }

    /// Adds baskets of whichever users.
    ///
    /// # Errors
    /// [`BasketError::PartsDiffer`] where they were built by another rule, [`BasketError::PairsAlone`] where they no longer hold all baskets,
    /// [`BasketError::TooManyBaskets`]; [`CoreError::Memory`](cip_core::CoreError) where they, or the counts before and after, exceed the budget. After an
    /// error the counts are as they were.
    pub fn add(&mut self, mut baskets: BasketTable) -> Result<(), BasketError> {
        if baskets.has_written_runs() {
            return Err(BasketError::PairsAlone);
        }
        let mut run = Vec::new();
        baskets.write_run(&mut run)?;
        self.merge(PairCounts { table: baskets, run: run.into() })
    }

    /// Adds other counts.
    ///
    /// # Errors
    /// As [`PairCounts::add`].
    pub fn merge(&mut self, other: PairCounts) -> Result<(), BasketError> {
        self.table.rule().check_same(other.table.rule())?;
        let mut table = self.table.clone();
        let codes = table.absorb(other.table)?;
        let by_rank = ranked::by_rank(table.known_products());
        let ranks: Arc<[u32]> = ranked::ranks(&by_rank).into();
        let other_ranks = codes.iter().map(|&code| ranks[code as usize]).collect();
        let runs = vec![
            (Box::new(Cursor::new(Arc::clone(&self.run))) as RunBytes, ranks),
            (Box::new(Cursor::new(other.run)) as RunBytes, other_ranks),
        ];
        let mut merge = Merge::new(runs, by_rank.len(), 1, HasMoney::of(table.money()))?;
        let (mut rows, mut bytes, mut run) = (PairRows::default(), Vec::new(), Vec::new());
        loop {
            rows.clear();
            merge.read(&mut rows, BATCH)?;
            if rows.len() == 0 {
                break;
            }
            run::write_rows(&rows, &by_rank, &mut bytes, &mut run)?;
            let needed = self.bytes() + table.bytes() + run.len() as u64;
            table.budget().require("counts of pairs", MemoryBudget::from_bytes(needed))?;
        }
        *self = Self { table, run: run.into() };
        Ok(())
    }

    /// Returns the pairs of all baskets that were added, as [`Pairs::count`] would.
    ///
    /// # Errors
    /// [`CoreError::Memory`](cip_core::CoreError) where a copy of what is known of the products exceeds the budget.
    pub fn pairs(&self, pairs: Pairs) -> Result<PairBatches, BasketError> {
        let needed = self.bytes() + self.table.bytes();
        self.table.budget().require("pairs of counts", MemoryBudget::from_bytes(needed))?;
        pairs.merge_runs(self.table.clone(), vec![Box::new(Cursor::new(Arc::clone(&self.run)))])
    }
}
