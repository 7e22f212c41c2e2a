//! Product pairs: what is asked of them.

use std::io::Read;
use std::sync::Arc;

use cip_core::MemoryBudget;

use crate::error::BasketError;
use crate::pairs::batches::{PairBatches, Source};
use crate::pairs::counting::Counting;
use crate::pairs::merge::{self, HasMoney, Merge, RunBytes};
use crate::pairs::ranked::{self, Ranked};
use crate::pairs::worker;
use crate::table::BasketTable;

/// Instances of pairs that a worker buffers at most: more make room for fewer passes, and miss the caches.
const MOST_INSTANCES: u64 = 1 << 22;
/// Instances that a second worker must leave each: two that share a small buffer scan the baskets more often, and gain
/// nothing.
const SHARED_INSTANCES: u64 = 1 << 20;
/// Instances below which a pass is not worth its scan.
const LEAST_INSTANCES: u64 = 1 << 12;

/// Whether baskets of one product count: in the number of baskets, and in the counts of their products.
///
/// They hold no pair, so they change what a pair is compared with, not how often it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SingleBaskets {
    /// They do not: support, confidence and lift are among the baskets in which there was a choice of a second
    /// product. What SQL gives that joins the baskets of 2 products or more.
    #[default]
    Skip,
    /// They do: support, confidence and lift are among all baskets within the limit of size, as in the
    /// literature on association rules and in arules.
    Count,
}

/// Which pairs of products are asked for.
///
/// # Formula
/// Of the N baskets that count ([`SingleBaskets`]), n(a) hold product a, n(b) product b, and n(ab) both:
///
/// ```text
/// support = n(ab) / N        confidence_ab = n(ab) / n(a)
/// lift = n(ab) N / (n(a) n(b))    confidence_ba = n(ab) / n(b)
/// ```
///
/// Lift is 1 where the two are independent, above 1 where they attract each other (Brin, Motwani, Ullman and Tsur
/// 1997, who call it interest).
///
/// # Method
/// Products are ranked by id. The smaller product of a pair is its anchor, so that anchors one after the other
/// give sorted pairs, and none need be kept to be sorted; how many instances of pairs each product anchors is
/// counted beforehand. A pass over the baskets
/// takes a range of anchors whose instances fill a bounded buffer, gathers the products behind each anchor, and
/// counts them in an array with a place for every product. An anchor that exceeds the buffer has a pass of its
/// own, and no buffer. Ranges are counted in parallel on Rayon's threads; the result depends neither on their
/// number nor on the size of the buffers.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array, RecordBatch};
/// # use cip_core::{EventBatch, MemoryBudget};
/// use cip_basket::{Baskets, Pairs, SingleBaskets};
/// let events = EventBatch::try_new(RecordBatch::try_from_iter([
///     ("order_id", Arc::new(Int64Array::from(vec![1, 1, 2, 2, 2, 3])) as ArrayRef),
///     ("product_id", Arc::new(Int64Array::from(vec![10, 11, 10, 11, 12, 12]))),
/// ])?)?;
/// let lift = |singles| {
///     let baskets = Baskets::new(events.schema(), MemoryBudget::from_mib(64))?.collect(&[events.clone()])?;
///     let batch = Pairs::new(2)?.with_single_baskets(singles).count(baskets)?.next().unwrap()?;
///     let lift = batch["lift"].as_any().downcast_ref::<arrow_array::Float64Array>().unwrap().value(0);
///     Ok::<_, cip_basket::BasketError>(lift)
/// };
/// assert_eq!(lift(SingleBaskets::Skip)?, 1.0); // 2 · 2 / (2 · 2)
/// assert_eq!(lift(SingleBaskets::Count)?, 1.5); // 2 · 3 / (2 · 2)
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pairs {
    min_together: u32,
    singles: SingleBaskets,
}

impl Pairs {
    /// Asks for the pairs that `min_together` baskets or more hold.
    ///
    /// # Errors
    /// [`BasketError::MinTogether`] for 0, which every two products reach.
    pub fn new(min_together: u32) -> Result<Self, BasketError> {
        if min_together == 0 {
            return Err(BasketError::MinTogether);
        }
        Ok(Self { min_together, singles: SingleBaskets::default() })
    }

    /// Sets whether baskets of one product count.
    pub fn with_single_baskets(mut self, singles: SingleBaskets) -> Self {
        self.singles = singles;
        self
    }

    /// Returns the pairs of `baskets`, sorted by product_a, product_b, batch by batch.
    ///
    /// Batches have 16,384 rows, the last one what is left; where no pair is found there is none.
    ///
    /// # Errors
    /// [`CoreError::Memory`](cip_core::CoreError) where the baskets exceed the budget that they were built with, which names the
    /// smallest that would do: in this form all baskets are held at once.
    ///
    /// # Complexity
    /// Linear in the instances of pairs, and in the entries of the baskets once a pass. Memory beside the
    /// baskets is 20 bytes a product, and for each thread 28 a product and 16 an instance in its buffer, of up to
    /// 4,194,304 instances. The budget decides: at least one thread and 4,096 instances, more threads where each has
    /// 1,048,576. The batch handed out comes on top.
    pub fn count(self, baskets: BasketTable) -> Result<PairBatches, BasketError> {
        let money = baskets.money();
        let (known, chunks, room) = baskets.take_to_count()?;
        let ranked = Ranked::new(&known.products, chunks);
        let codes = Arc::clone(&ranked.codes);
        let counting = Counting::new(ranked, room, self.min_together);
        Ok(PairBatches::new(self.singles, known, codes, money, Source::Baskets(counting)))
    }

    /// Returns the pairs of all baskets that went through `table`: those that were written as runs
    /// ([`BasketTable::write_run`]), and those that it still holds, as [`Pairs::count`] would of all of them.
    ///
    /// # Errors
    /// [`CoreError::Memory`](cip_core::CoreError) where the products and a buffer for each run exceed the budget that the table was built with, or the baskets that it
    /// still holds do; [`BasketError::NotPairCounts`] where a run is none of this table's, [`BasketError::Io`].
    ///
    /// # Examples
    /// ```
    /// # use std::sync::Arc;
    /// # use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    /// # use cip_core::{EventBatch, MemoryBudget};
    /// use cip_basket::{Baskets, Pairs};
    /// let day = |user: i64, products: [i64; 2]| {
    ///     let batch = RecordBatch::try_from_iter([
    ///         ("user_id", Arc::new(Int64Array::from(vec![user; 2])) as ArrayRef),
    ///         ("order_id", Arc::new(Int64Array::from(vec![user; 2]))),
    ///         ("product_id", Arc::new(Int64Array::from(products.to_vec()))),
    ///     ]);
    ///     EventBatch::try_new(batch?)
    /// };
    /// let rule = Baskets::new(day(1, [5, 6])?.schema(), MemoryBudget::from_mib(64))?;
    /// let mut table = rule.collect(&[day(1, [5, 6])?])?;
    /// let mut run = Vec::new(); // a file, where there are many
    /// table.write_run(&mut run)?;
    /// table.append(rule.collect(&[day(2, [6, 5])?])?)?;
    /// let pairs = Pairs::new(2)?.merge(table, vec![std::io::Cursor::new(run)])?.next().unwrap()?;
    /// assert_eq!(pairs.num_rows(), 1); // 5 and 6 are together twice
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merge<R: Read + Send + 'static>(
        self,
        mut table: BasketTable,
        runs: Vec<R>,
    ) -> Result<PairBatches, BasketError> {
        let mut last = Vec::new();
        table.write_run(&mut last)?;
        let needed = table.bytes()
            + last.len() as u64
            + merge::PRODUCT_BYTES * table.products() as u64
            + merge::RUN_BYTES * runs.len() as u64;
        table.budget().require("merging product pairs", MemoryBudget::from_bytes(needed))?;
        let boxed = runs.into_iter().map(|run| Box::new(run) as RunBytes);
        let runs = boxed.chain([Box::new(std::io::Cursor::new(last)) as RunBytes]).collect();
        self.merge_runs(table, runs)
    }

    /// Returns the pairs of runs whose codes are those of `table`.
    pub(crate) fn merge_runs(
        self,
        table: BasketTable,
        runs: Vec<RunBytes>,
    ) -> Result<PairBatches, BasketError> {
        let money = table.money();
        let known = table.into_known();
        let codes = ranked::by_rank(&known.products);
        let ranks: Arc<[u32]> = ranked::ranks(&codes).into();
        let runs = runs.into_iter().map(|run| (run, Arc::clone(&ranks))).collect();
        let has_money = HasMoney::of(money);
        let merge = Merge::new(runs, codes.len(), self.min_together, has_money)?;
        Ok(PairBatches::new(self.singles, known, codes, money, Source::Runs(merge)))
    }
}

/// On how many threads baskets are counted, and how many instances of pairs each of them buffers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) workers: usize,
    pub(crate) capacity: u64,
}

impl Room {
    /// The least that counting takes.
    pub(crate) fn least(products: usize, money: HasMoney) -> u64 {
        let (product, instance) = Self::bytes(money);
        (ranked::PRODUCT_BYTES + product) * products as u64 + instance * LEAST_INSTANCES
    }

    /// What counting takes where memory is not short.
    pub(crate) fn wanted(products: usize, money: HasMoney) -> u64 {
        let (product, instance) = Self::bytes(money);
        let threads = rayon::current_num_threads().max(1) as u64;
        (ranked::PRODUCT_BYTES + threads * product) * products as u64 + threads * instance * MOST_INSTANCES
    }

    /// Divides what is left beside the baskets.
    pub(crate) fn divide(left: u64, products: usize, money: HasMoney) -> Self {
        let (product, instance) = Self::bytes(money);
        let threads = rayon::current_num_threads().max(1) as u64;
        let left = left.saturating_sub(ranked::PRODUCT_BYTES * products as u64);
        let fixed = product * products as u64;
        let workers = (left / (fixed + instance * SHARED_INSTANCES)).clamp(1, threads);
        let capacity = ((left / workers).saturating_sub(fixed) / instance).min(MOST_INSTANCES);
        Self { workers: workers as usize, capacity }
    }

    /// What a product and an instance take in a worker.
    fn bytes(money: HasMoney) -> (u64, u64) {
        match money {
            HasMoney::No => (worker::PRODUCT_BYTES, worker::INSTANCE_BYTES),
            HasMoney::Yes => (
                worker::PRODUCT_BYTES + worker::PRODUCT_MONEY_BYTES,
                worker::INSTANCE_BYTES + worker::INSTANCE_MONEY_BYTES,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    use cip_core::EventBatch;
    use proptest::prelude::*;

    use crate::rule::Baskets;

    /// Baskets of the given products.
    fn table(baskets: &[Vec<i64>]) -> BasketTable {
        let rows = (0i64..)
            .zip(baskets)
            .flat_map(|(order, basket)| basket.iter().map(move |&product| (order, product)));
        let (orders, products): (Vec<i64>, Vec<i64>) = rows.unzip();
        let columns: [(&str, ArrayRef); 2] = [
            ("order_id", Arc::new(Int64Array::from(orders))),
            ("product_id", Arc::new(Int64Array::from(products))),
        ];
        let events = EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap();
        let rule = Baskets::new(events.schema(), MemoryBudget::from_mib(1)).unwrap();
        rule.collect(&[events]).unwrap()
    }

    proptest! {
        #[test]
        fn neither_buffers_nor_workers_change_the_pairs(
            baskets in proptest::collection::vec(proptest::collection::vec(0i64..12, 0..9), 0..20),
            capacity in 0u64..40,
            workers in 1usize..5,
            min_together in 1u32..4,
        ) {
            let batches = |workers, capacity| {
                let (known, chunks, _) = table(&baskets).take_to_count().unwrap();
                let ranked = Ranked::new(&known.products, chunks);
                let codes = Arc::clone(&ranked.codes);
                let counting = Counting::new(ranked, Room { workers, capacity }, min_together);
                let source = Source::Baskets(counting);
                let batches = PairBatches::new(SingleBaskets::Skip, known, codes, None, source);
                batches.map(Result::unwrap).collect::<Vec<_>>()
            };
            prop_assert_eq!(batches(workers, capacity), batches(1, u64::MAX));
        }
    }
}
