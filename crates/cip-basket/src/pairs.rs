//! Product pairs: what is asked, and the batches that answer it.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, RecordBatch};
use arrow_schema::SchemaRef;
use cip_core::{CoreError, IdBuilder, IdRef, IdType, table};
use rayon::prelude::*;

use crate::error::BasketError;
use crate::ranked::{self, Ranked};
use crate::table::{BasketTable, BasketTotals};
use crate::worker::{self, Pair, Worker};

/// Rows of a batch; the last one has what is left.
const BATCH: usize = 1 << 14;
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
    /// [`CoreError::Memory`] where the baskets exceed the budget that they were built with, which names the
    /// smallest that would do: in this form all baskets are held at once.
    ///
    /// # Complexity
    /// Linear in the instances of pairs, and in the entries of the baskets once a pass. Memory beside the
    /// baskets is 20 bytes a product, and for each thread 28 a product and 16 an instance in its buffer, of up to
    /// 4,194,304 instances. The budget decides: at least one thread and 4,096 instances, more threads where each has
    /// 1,048,576. The batch handed out comes on top.
    pub fn count(self, baskets: BasketTable) -> Result<PairBatches, BasketError> {
        let threads = rayon::current_num_threads().max(1) as u64;
        let contents = baskets.take("counting product pairs", |products| {
            let each = ranked::PRODUCT_BYTES + worker::PRODUCT_BYTES;
            each * products as u64 + worker::INSTANCE_BYTES * LEAST_INSTANCES
        })?;
        let products = contents.products.len();
        let product_type = contents.product_type;
        let left = contents.left.bytes() - ranked::PRODUCT_BYTES * products as u64;
        let fixed = worker::PRODUCT_BYTES * products as u64;
        let workers = (left / (fixed + worker::INSTANCE_BYTES * SHARED_INSTANCES)).clamp(1, threads);
        let capacity = ((left / workers - fixed) / worker::INSTANCE_BYTES).min(MOST_INSTANCES);
        Ok(self.batches(Ranked::new(contents), product_type, workers as usize, capacity))
    }

    fn batches(self, baskets: Ranked, products: IdType, workers: usize, capacity: u64) -> PairBatches {
        let workers = (0..workers).map(|_| Worker::new(baskets.counts.len())).collect();
        let schema = table::product_pairs(products);
        let (ready, next_anchor) = (Vec::new(), 0);
        PairBatches {
            pairs: self,
            baskets,
            products,
            schema,
            workers,
            capacity,
            next_anchor,
            read: (0, 0),
            ready,
        }
    }
}

/// The batches of [`Pairs::count`], of the schema [`table::product_pairs`].
#[derive(Debug)]
pub struct PairBatches {
    pairs: Pairs,
    baskets: Ranked,
    products: IdType,
    schema: SchemaRef,
    workers: Vec<Worker>,
    /// Instances that a worker buffers.
    capacity: u64,
    /// Anchors before this one are counted.
    next_anchor: usize,
    /// Which worker's pairs are read, and how many of them are.
    read: (usize, usize),
    /// Rows of the next batch.
    ready: Vec<Pair>,
}

impl PairBatches {
    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What became of the events.
    pub fn totals(&self) -> BasketTotals {
        self.baskets.totals
    }

    /// The baskets that count: N of the [formulas](Pairs#formula).
    pub fn baskets(&self) -> u64 {
        let totals = self.baskets.totals;
        match self.pairs.singles {
            SingleBaskets::Skip => totals.baskets,
            SingleBaskets::Count => totals.baskets + totals.single_baskets,
        }
    }

    /// Moves pairs from the workers until a batch is full or there are no more.
    fn read_workers(&mut self) {
        while let Some(worker) = self.workers.get(self.read.0)
            && self.ready.len() < BATCH
        {
            let there = &worker.pairs[self.read.1..];
            let taken = there.len().min(BATCH - self.ready.len());
            self.ready.extend_from_slice(&there[..taken]);
            self.read =
                if taken == there.len() { (self.read.0 + 1, 0) } else { (self.read.0, self.read.1 + taken) };
        }
    }

    /// Gives each worker the next range of anchors; none when all are counted.
    fn count_ranges(&mut self) -> Option<()> {
        let ranges: Vec<_> = self
            .workers
            .iter()
            .map_while(|_| {
                let range = next_range(&self.baskets.instances, self.next_anchor, self.capacity)?;
                self.next_anchor = range.end;
                Some(range)
            })
            .collect();
        if ranges.is_empty() {
            return None;
        }
        self.workers.truncate(ranges.len());
        let (baskets, capacity, min_together) = (&self.baskets, self.capacity, self.pairs.min_together);
        self.workers
            .par_iter_mut()
            .zip(ranges)
            .for_each(|(worker, range)| worker.count(baskets, range, capacity, min_together));
        self.read = (0, 0);
        Some(())
    }

    /// Writes the rows that are ready.
    fn batch(&mut self) -> Result<RecordBatch, BasketError> {
        let rows = std::mem::take(&mut self.ready);
        let baskets = self.baskets() as f64;
        let count = |rank: u32| {
            let single = match self.pairs.singles {
                SingleBaskets::Skip => 0,
                SingleBaskets::Count => self.baskets.single_baskets(rank),
            };
            i64::from(self.baskets.counts[rank as usize]) + i64::from(single)
        };
        let counts_a: Int64Array = rows.iter().map(|pair| count(pair.a)).collect();
        let counts_b: Int64Array = rows.iter().map(|pair| count(pair.b)).collect();
        let ratio = |of: &dyn Fn(f64, f64, f64) -> f64| {
            let counts = counts_a.values().iter().zip(counts_b.values());
            let ratios = rows
                .iter()
                .zip(counts)
                .map(|(pair, (&a, &b))| of(f64::from(pair.together), a as f64, b as f64));
            Arc::new(Float64Array::from_iter_values(ratios))
        };
        let batch = RecordBatch::try_new(
            self.schema(),
            vec![
                self.ids(rows.iter().map(|pair| pair.a))?,
                self.ids(rows.iter().map(|pair| pair.b))?,
                Arc::new(rows.iter().map(|pair| i64::from(pair.together)).collect::<Int64Array>()),
                Arc::new(counts_a.clone()),
                Arc::new(counts_b.clone()),
                ratio(&|together, _, _| together / baskets),
                ratio(&|together, a, _| together / a),
                ratio(&|together, _, b| together / b),
                ratio(&|together, a, b| together * baskets / (a * b)),
            ],
        );
        Ok(batch.map_err(CoreError::from)?)
    }

    fn ids(&self, ranks: impl Iterator<Item = u32>) -> Result<arrow_array::ArrayRef, BasketError> {
        const LIMIT: usize = i32::MAX as usize;
        let mut ids = IdBuilder::new(self.products);
        let mut text = 0;
        for rank in ranks {
            let id = self.baskets.id(rank);
            if let Some(IdRef::Utf8(id)) = id {
                text += id.len();
                if text > LIMIT {
                    return Err(BasketError::TooMuchText { limit: LIMIT });
                }
            }
            ids.append(id)?;
        }
        Ok(ids.finish())
    }
}

impl Iterator for PairBatches {
    type Item = Result<RecordBatch, BasketError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_workers();
        while self.ready.len() < BATCH && self.count_ranges().is_some() {
            self.read_workers();
        }
        (!self.ready.is_empty()).then(|| self.batch())
    }
}

/// Returns the next anchors whose instances fit the buffer together, or one anchor that does not fit; none behind
/// the last anchor.
fn next_range(instances: &[u64], start: usize, capacity: u64) -> Option<Range<usize>> {
    let start = start + instances.get(start..)?.iter().position(|&instances| instances > 0)?;
    let mut end = start + 1;
    let mut filled = instances[start];
    while end < instances.len() && filled + instances[end] <= capacity {
        filled += instances[end];
        end += 1;
    }
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::ArrayRef;
    use cip_core::{EventBatch, MemoryBudget};
    use proptest::prelude::*;

    use crate::rule::Baskets;

    /// Baskets of the given products.
    fn ranked(baskets: &[Vec<i64>]) -> Ranked {
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
        Ranked::new(rule.collect(&[events]).unwrap().take("counting product pairs", |_| 0).unwrap())
    }

    proptest! {
        #[test]
        fn neither_buffers_nor_workers_change_the_pairs(
            baskets in proptest::collection::vec(proptest::collection::vec(0i64..12, 0..9), 0..20),
            capacity in 0u64..40,
            workers in 1usize..5,
            min_together in 1u32..4,
        ) {
            let pairs = Pairs::new(min_together).unwrap();
            let batches = |workers, capacity| {
                let batches = pairs.batches(ranked(&baskets), IdType::Int64, workers, capacity);
                batches.map(Result::unwrap).collect::<Vec<_>>()
            };
            prop_assert_eq!(batches(workers, capacity), batches(1, u64::MAX));
        }

        #[test]
        fn ranges_cover_each_anchor_once_and_fit(
            instances in proptest::collection::vec(0u64..9, 0..30),
            capacity in 0u64..20,
        ) {
            let mut covered = vec![0; instances.len()];
            let mut start = 0;
            while let Some(range) = next_range(&instances, start, capacity) {
                prop_assert!(range.len() == 1 || instances[range.clone()].iter().sum::<u64>() <= capacity);
                covered[range.clone()].iter_mut().for_each(|times| *times += 1);
                start = range.end;
            }
            for (instances, covered) in instances.into_iter().zip(covered) {
                prop_assert!(covered == 1 || (covered == 0 && instances == 0));
            }
        }
    }
}
