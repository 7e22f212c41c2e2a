//! The stages in line over an event store: partitions of whole users in parallel, results in order.

use std::num::NonZeroUsize;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use cip_basket::{BasketError, BasketTable, BasketTotals, Baskets, Pairs};
use cip_core::pipeline::ordered_map;
use cip_core::{CoreError, Id, IdColumn, MemoryBudget, MoneyScale, table};
use cip_rfm::{CustomerTable, Rfm, RfmError, RfmTable};
use cip_sessionize::{SessionRule, SessionizeError, Sessionizer};
use cip_store::{EventPartition, EventStore, StoreError, TableWriter};

/// Why a stage over a store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// Reading the store or writing a table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store lacks what a stage needs.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// Sessionizing.
    #[error(transparent)]
    Sessionize(#[from] SessionizeError),
    /// Scoring.
    #[error(transparent)]
    Rfm(#[from] RfmError),
    /// Counting pairs.
    #[error(transparent)]
    Basket(#[from] BasketError),
}

/// A store and the threads to work on it with.
///
/// Each stage reads only its own columns, takes one partition of whole users a thread, and writes what it makes in the
/// order of the partitions. What is written does not depend on the number of threads.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    store: &'a EventStore,
    threads: NonZeroUsize,
}

/// Totals of a table of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionTotals {
    /// Sessions.
    pub sessions: u64,
    /// Events in them.
    pub events: u64,
    /// Events without a user, which belong to no session.
    pub skipped_events: u64,
    /// Sessions with a purchase.
    pub purchasing_sessions: u64,
    /// Purchase events.
    pub purchases: u64,
    /// The sum of all durations, in seconds.
    pub duration_seconds: i128,
    /// The sum of all revenue, in units of `money`.
    pub revenue: i128,
    /// The decimals of `revenue`; none where the source has no prices.
    pub money: Option<MoneyScale>,
}

/// What a table of product pairs was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct PairTotals {
    /// Pairs.
    pub pairs: u64,
    /// What became of the events.
    pub baskets: BasketTotals,
    /// The pairs seen together most often, the most frequent first; equal ones in the order of their ids.
    pub top: Vec<TopPair>,
}

/// A pair of products that are often together.
#[derive(Debug, Clone, PartialEq)]
pub struct TopPair {
    /// The one.
    pub product_a: Id,
    /// The other.
    pub product_b: Id,
    /// Baskets that hold both.
    pub together: i64,
    /// How much more often than by chance.
    pub lift: f64,
}

impl<'a> Line<'a> {
    /// Returns the line over `store`, on as many threads as the machine runs at once.
    pub fn new(store: &'a EventStore) -> Self {
        Self { store, threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN) }
    }

    /// Sets the number of threads.
    pub fn with_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets how much memory the stages may use: fewer threads work where it does not carry all. What a stage keeps a
    /// customer (60 bytes in RFM) comes on top.
    ///
    /// # Errors
    /// [`CoreError::Memory`] below 64 MiB.
    pub fn with_memory(mut self, budget: MemoryBudget) -> Result<Self, LineError> {
        /// What the process and the table that is written take, and what the partitions in flight take a thread.
        const BASE_BYTES: u64 = 32 << 20;
        const THREAD_BYTES: u64 = 32 << 20;
        budget.require("a stage over a store", MemoryBudget::from_bytes(BASE_BYTES + THREAD_BYTES))?;
        let carried = ((budget.bytes() - BASE_BYTES) / THREAD_BYTES) as usize;
        self.threads = self.threads.min(NonZeroUsize::new(carried).unwrap_or(NonZeroUsize::MIN));
        Ok(self)
    }

    /// Writes `fact_sessions`, sorted by user_id and session_start, to `path`.
    ///
    /// # Errors
    /// [`LineError`]; the old file at `path` is then still there.
    pub fn write_sessions(&self, rule: SessionRule, path: &Path) -> Result<SessionTotals, LineError> {
        let schema = self.store.schema();
        let mut totals = SessionTotals { money: schema.money_scale(), ..SessionTotals::default() };
        let mut writer = TableWriter::create(
            path,
            "fact_sessions",
            &table::fact_sessions(schema.user_type()?, totals.money),
        )?;
        let sessionize = |partition: EventPartition| {
            let mut sessionizer = Sessionizer::new(rule, schema)?;
            let mut batches = Vec::new();
            for events in partition.batches()? {
                batches.push(sessionizer.push(&events?)?);
            }
            let skipped = sessionizer.skipped_events();
            batches.push(sessionizer.finish()?);
            Ok::<_, LineError>((batches, skipped))
        };
        self.each_partition(cip_sessionize::COLUMNS, sessionize, |(batches, skipped)| {
            totals.skipped_events += skipped;
            for batch in batches {
                totals.add(&batch)?;
                writer.write(batch)?;
            }
            Ok(())
        })?;
        writer.finish()?;
        Ok(totals)
    }

    /// Returns every customer's score and segment.
    ///
    /// # Errors
    /// [`LineError`], where the store has no users or no prices as well.
    pub fn rfm(&self, rfm: &Rfm) -> Result<RfmTable, LineError> {
        let collect = |partition: EventPartition| {
            let mut customers = rfm.customers();
            for events in partition.batches()? {
                customers.push(&events?)?;
            }
            Ok::<_, LineError>(customers.finish()?)
        };
        let mut customers: CustomerTable = rfm.customers().finish()?;
        self.each_partition(cip_rfm::COLUMNS, collect, |part| Ok(customers.append(part)?))?;
        Ok(rfm.score(customers)?)
    }

    /// Writes `rfm_segments`, sorted by user_id, to `path` and returns it.
    ///
    /// # Errors
    /// As [`Line::rfm`]; the old file at `path` is then still there.
    pub fn write_rfm(&self, rfm: &Rfm, path: &Path) -> Result<RfmTable, LineError> {
        let scored = self.rfm(rfm)?;
        let batch = scored.record_batch();
        let mut writer = TableWriter::create(path, "rfm_segments", &batch.schema())?;
        writer.write(batch.clone())?;
        writer.finish()?;
        Ok(scored)
    }

    /// Writes `product_pairs`, sorted by product_a and product_b, to `path`.
    ///
    /// # Errors
    /// [`LineError`], where all baskets do not fit the memory that `baskets` was given as well; the old file at `path` is
    /// then still there.
    pub fn write_pairs(&self, baskets: &Baskets, pairs: Pairs, path: &Path) -> Result<PairTotals, LineError> {
        let collect = |partition: EventPartition| {
            let mut builder = baskets.builder();
            for events in partition.batches()? {
                builder.push(&events?)?;
            }
            Ok::<_, LineError>(builder.finish()?)
        };
        let mut table: BasketTable = baskets.builder().finish()?;
        self.each_partition(baskets.key().columns(), collect, |part| Ok(table.append(part)?))?;
        let mut batches = pairs.count(table)?;
        let mut writer = TableWriter::create(path, "product_pairs", &batches.schema())?;
        let mut top = Vec::new();
        for batch in &mut batches {
            let batch = batch?;
            add_top_pairs(&mut top, &batch)?;
            writer.write(batch)?;
        }
        Ok(PairTotals { pairs: writer.finish()?, baskets: batches.totals(), top })
    }

    /// Writes the rejected rows, in the order of their files and lines, to `path` and returns how many there are.
    ///
    /// # Errors
    /// [`LineError`]; the old file at `path` is then still there.
    pub fn write_rejects(&self, path: &Path) -> Result<u64, LineError> {
        let mut writer = TableWriter::create(path, "rejects", &table::rejects())?;
        for batch in self.store.rejects()?.into_iter().flatten() {
            writer.write(batch?)?;
        }
        Ok(writer.finish()?)
    }
}

impl Line<'_> {
    /// Works on every partition with `columns` on some thread, and gives the results to `consume` in their order.
    fn each_partition<R: Send>(
        &self,
        columns: &[&str],
        work: impl Fn(EventPartition) -> Result<R, LineError> + Send + Sync,
        mut consume: impl FnMut(R) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        let partitions = self.store.scan(columns).partitions();
        std::thread::scope(|scope| {
            ordered_map(scope, self.threads, partitions.into_iter(), work)
                .try_for_each(|result| consume(result?))
        })
    }
}

/// Keeps the pairs of the highest counts so far.
fn add_top_pairs(top: &mut Vec<TopPair>, batch: &RecordBatch) -> Result<(), LineError> {
    const KEPT: usize = 5;
    let column =
        |column: &'static str| batch.column_by_name(column).ok_or(CoreError::MissingColumn { column });
    let a = IdColumn::try_new("product_a", column("product_a")?)?;
    let b = IdColumn::try_new("product_b", column("product_b")?)?;
    let together = column("together")?.as_primitive::<Int64Type>().values();
    let lift = column("lift")?.as_primitive::<Float64Type>().values();
    for (row, &together) in together.iter().enumerate() {
        if top.len() == KEPT && top.last().is_some_and(|least| least.together >= together) {
            continue;
        }
        let (Some(product_a), Some(product_b)) = (a.get(row), b.get(row)) else { continue };
        let pair = TopPair {
            product_a: product_a.to_owned(),
            product_b: product_b.to_owned(),
            together,
            lift: lift[row],
        };
        let place = top.partition_point(|before| before.together >= together);
        top.insert(place, pair);
        top.truncate(KEPT);
    }
    Ok(())
}

impl SessionTotals {
    fn add(&mut self, sessions: &RecordBatch) -> Result<(), LineError> {
        let count = |column: &'static str| {
            let array = sessions.column_by_name(column).ok_or(CoreError::MissingColumn { column })?;
            Ok::<_, CoreError>(array.as_primitive::<Int64Type>().values())
        };
        self.sessions += sessions.num_rows() as u64;
        self.events += count("events")?.iter().sum::<i64>().cast_unsigned();
        self.purchases += count("purchases")?.iter().sum::<i64>().cast_unsigned();
        self.purchasing_sessions +=
            count("purchases")?.iter().filter(|&&purchases| purchases > 0).count() as u64;
        self.duration_seconds +=
            count("duration_seconds")?.iter().map(|&seconds| i128::from(seconds)).sum::<i128>();
        let column = "revenue";
        let revenue = sessions.column_by_name(column).ok_or(CoreError::MissingColumn { column })?;
        for amount in revenue.as_primitive::<Decimal128Type>().iter().flatten() {
            self.revenue = self.revenue.checked_add(amount).ok_or(CoreError::MoneyOverflow { column })?;
        }
        Ok(())
    }
}
