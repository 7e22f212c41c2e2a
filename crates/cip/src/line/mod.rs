//! The stages in line over an event store: partitions of whole users in parallel, results in order, money in one currency.

mod carts;
mod cohorts;
mod error;
mod experiment;
mod features;
mod funnel;
mod hierarchy;
mod histories;
mod kept_rfm;
mod kept_sessions;
mod lifetime;
mod pairs;
mod paths;
mod propensity;
mod rfm;
mod session_merge;
mod sessions;
mod table;
mod visits;

use std::num::NonZeroUsize;
use std::path::Path;

use cip_core::MemoryBudget;
use cip_core::pipeline::ordered_map;
use cip_store::{CurrencyCounts, EventPartition, EventScan, EventStore, TableWriter};

pub use carts::CartTotals;
pub use error::LineError;
pub use features::FeatureTotals;
pub use kept_rfm::KeptRfm;
pub use kept_sessions::KeptSessions;
pub use pairs::{PairTotals, TopPair};
pub use propensity::PropensityWindows;
pub use sessions::SessionTotals;
pub use table::write_table;

/// A store and the threads to work on it with.
///
/// Each stage reads only its own columns, takes one partition of whole users a thread, and writes what it makes in the
/// order of the partitions. What is written does not depend on the number of threads.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    store: &'a EventStore,
    threads: NonZeroUsize,
    currency: Option<OneCurrency<'a>>,
}

/// The only currency that is read.
#[derive(Debug, Clone, Copy)]
struct OneCurrency<'a> {
    code: &'a str,
    /// Events that are not in it.
    others: u64,
}

impl<'a> Line<'a> {
    /// Returns the line over `store`, on as many threads as the machine runs at once.
    pub fn new(store: &'a EventStore) -> Self {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { store, threads, currency: None }
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
    /// [`CoreError::Memory`](cip_core::CoreError::Memory) below 64 MiB, and 1 MiB more for every commit behind the first.
    pub fn with_memory(mut self, budget: MemoryBudget) -> Result<Self, LineError> {
        /// What the process and the table that is written take, and what the partitions in flight take a thread.
        const BASE_BYTES: u64 = 32 << 20;
        const THREAD_BYTES: u64 = 32 << 20;
        /// What reads one commit more takes: a page of every column.
        const COMMIT_BYTES: u64 = 1 << 20;
        let commits = self.store.manifest().commits.len() as u64;
        let thread_bytes = THREAD_BYTES + commits.saturating_sub(1) * COMMIT_BYTES;
        let what = if commits > 1 {
            "a stage over a store of several commits, which `cip compact` makes one,"
        } else {
            "a stage over a store"
        };
        budget.require(what, MemoryBudget::from_bytes(BASE_BYTES + thread_bytes))?;
        let carried = ((budget.bytes() - BASE_BYTES) / thread_bytes) as usize;
        self.threads = self.threads.min(NonZeroUsize::new(carried).unwrap_or(NonZeroUsize::MIN));
        Ok(self)
    }

    /// Reads only the events of one currency, written as the store has it: all stages, also those that sum no money. Without
    /// it a stage that sums money refuses a store with amounts in several currencies.
    ///
    /// # Examples
    /// ```no_run
    /// use cip::line::Line;
    /// use cip::sessionize::SessionRule;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = cip::store::EventStore::open("STORE".as_ref())?;
    /// let line = Line::new(&store).with_currency("EUR")?;
    /// line.write_sessions(SessionRule::default(), "sessions-eur.parquet".as_ref())?;
    /// println!("{:?} events are in other currencies, or name none", line.events_of_other_currencies());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::UnknownCurrency`](cip_store::StoreError::UnknownCurrency) where no event of the store is in it.
    pub fn with_currency(mut self, currency: &'a str) -> Result<Self, LineError> {
        let others = self.store.events_of_other_currencies(currency)?;
        self.currency = Some(OneCurrency { code: currency, others });
        Ok(self)
    }

    /// The events that are left out because of their currency; none where all currencies are read.
    pub fn events_of_other_currencies(&self) -> Option<u64> {
        self.currency.map(|only| only.others)
    }

    /// Writes the rejected rows, in the order of their files and lines, to `path` and returns how many there are.
    ///
    /// # Errors
    /// [`LineError`]; the old file at `path` is then still there.
    pub fn write_rejects(&self, path: &Path) -> Result<u64, LineError> {
        let mut writer = TableWriter::create(path, "rejects", &cip_core::table::rejects())?;
        for batch in self.store.rejects()?.into_iter().flatten() {
            writer.write(batch?)?;
        }
        Ok(writer.finish()?)
    }
}

impl Line<'_> {
    /// The events that stages read. Where they read money, it is in one currency.
    fn scan(&self, columns: &[&str]) -> Result<EventScan, LineError> {
        self.in_one_currency(self.store.scan(columns))
    }

    /// The purchases and cancellations that stages read, in the same way.
    fn scan_transactions(&self, columns: &[&str]) -> Result<EventScan, LineError> {
        self.in_one_currency(self.store.scan_transactions(columns))
    }

    fn in_one_currency(&self, scan: EventScan) -> Result<EventScan, LineError> {
        match self.currency {
            Some(only) => Ok(scan.with_currency(only.code)?),
            None => {
                if scan.reads_money() {
                    self.store.check_one_currency()?;
                }
                Ok(scan)
            }
        }
    }

    /// The currency of all amounts that are read, given that it is one; none where the store does not say.
    fn currency(&self) -> Result<Option<String>, LineError> {
        if let Some(only) = self.currency {
            return Ok(Some(only.code.to_owned()));
        }
        let counts = self.store.currencies()?;
        let named = counts.iter().flat_map(CurrencyCounts::counts).find(|count| count.amounts > 0);
        Ok(named.and_then(|count| count.currency))
    }

    /// Works on every partition of `scan` on some thread, and gives the results to `consume` in their order.
    fn each_partition<R: Send>(
        &self,
        scan: EventScan,
        work: impl Fn(EventPartition) -> Result<R, LineError> + Send + Sync,
        mut consume: impl FnMut(R) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        let partitions = scan.partitions();
        std::thread::scope(|scope| {
            ordered_map(scope, self.threads, partitions.into_iter(), work)
                .try_for_each(|result| consume(result?))
        })
    }
}
