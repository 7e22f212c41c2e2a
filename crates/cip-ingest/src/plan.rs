//! How a memory budget is divided: chunk size, buffers, partitions.

use std::num::NonZeroUsize;

use cip_core::MemoryBudget;
use cip_store::EventLayout;

use crate::buffer::SpareBuffers;
use crate::compact_events::MOST_OFFERS;
use crate::error::IngestError;
use crate::interner::SharedDictionary;
use crate::parse::Parser;
use crate::source::{Chunk, Compression, OpenFile, Source};

/// Sizes that keep an ingest inside its budget.
#[derive(Debug)]
pub(crate) struct Plan {
    budget: MemoryBudget,
    /// Threads that it carries.
    pub(crate) threads: NonZeroUsize,
    /// Bytes parsed at once by one thread.
    pub(crate) chunk_bytes: usize,
    /// What the rows that wait to be sorted may take before they are spilled.
    pub(crate) buffer_bytes: usize,
    /// Key ranges to scatter to.
    pub(crate) partitions: usize,
    /// Bytes of rows that are sorted at once; larger ranges are split again.
    pub(crate) partition_bytes: usize,
    /// Threads that load and sort.
    pub(crate) sort_threads: NonZeroUsize,
    /// The attributes of products may take so much; with more, every row keeps its own.
    pub(crate) attribute_bytes: u64,
    total_bytes: u64,
}

/// What the row groups in flight and their encoders take a thread, what the process has anyway, and the least that chunks,
/// partitions and buffers need.
const WRITE_BYTES: u64 = 24 << 20;
const BASE_BYTES: u64 = 16 << 20;
const WORK_BYTES: u64 = 32 << 20;
/// With so much a thread, as many sort as encode.
const AMPLE_BYTES: u64 = 96 << 20;
/// A compressed file, as a table, is taken for ten times its size; ranges that come out too large are split later.
const INFLATION: u64 = 10;
/// The part of the memory that is for what rows share.
const ATTRIBUTE_PART: u64 = 6;
/// Places at which a plain file is sampled, and the bytes read there.
const PROBES: u64 = 64;
const PROBE_BYTES: u64 = 32 << 10;
const HEAD_BYTES: usize = 256 << 10;

/// What reading ahead takes: of objects bytes are asked for before they are wanted.
fn read_ahead_bytes(sources: &[Source]) -> u64 {
    #[cfg(feature = "object-store")]
    if sources.iter().any(|source| source.origin.file().is_none()) {
        return crate::object::READ_AHEAD_BYTES;
    }
    let _ = sources;
    0
}

impl Plan {
    pub(crate) fn new(
        budget: MemoryBudget,
        threads: Option<NonZeroUsize>,
        chunk_bytes: Option<NonZeroUsize>,
        sources: &[Source],
    ) -> Result<Self, IngestError> {
        // Nobody who asks for no number should be refused for having many processors.
        let base = BASE_BYTES + read_ahead_bytes(sources);
        let carried =
            ((budget.bytes() * 2 / 3).saturating_sub(base + WORK_BYTES) / WRITE_BYTES).max(1) as usize;
        let threads = threads.unwrap_or_else(|| {
            let machine = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
            machine.min(NonZeroUsize::new(carried).unwrap_or(NonZeroUsize::MIN))
        });
        let workers = threads;
        let threads = threads.get() as u64;
        let fixed = base + WRITE_BYTES * threads;
        let smallest = MemoryBudget::from_bytes((fixed + WORK_BYTES) * 3 / 2);
        budget.require("ingest", smallest)?;
        // What is freed does not all go back at once: a third is the allocator's.
        let free = budget.part(2, 3).bytes() - fixed;
        // In flight: the chunks, the rows made of them, and what the reader holds.
        let chunk_bytes = chunk_bytes.map_or_else(
            || (free / 4 / (3 * threads + 1)).clamp(256 << 10, 4 << 20) as usize,
            NonZeroUsize::get,
        );
        // Sorted partitions in flight, each with its keys.
        let partition_bytes = (free / (2 * (2 * threads + 2))).clamp(2 << 20, 64 << 20) as usize;
        // Sorting is less work than encoding, and every thread that sorts holds partitions: where memory is ample, encoders need not wait.
        let ample = free / threads >= AMPLE_BYTES;
        let sort_threads = if ample { workers.get() } else { workers.get().div_ceil(2) };
        let csv: u64 = sources
            .iter()
            .map(|source| {
                if source.compression == Compression::None { source.bytes } else { source.bytes * INFLATION }
            })
            .sum();
        // The bytes of rows are not known yet; those of the text are more, for nearly all columns.
        let partitions = csv.div_ceil(partition_bytes as u64).clamp(1, 4_096) as usize;
        Ok(Self {
            budget,
            threads: workers,
            chunk_bytes,
            // With the sorted partitions, all of it: what is held of the rows is there until it is sorted, and what is freed in
            // small pieces does not go back to the system.
            buffer_bytes: (free / 2) as usize,
            partitions,
            partition_bytes,
            sort_threads: NonZeroUsize::new(sort_threads).unwrap_or(NonZeroUsize::MIN),
            total_bytes: csv.max(1),
            attribute_bytes: budget.bytes() / ATTRIBUTE_PART,
        })
    }

    /// Gives `visit` some chunks of a file that tell what its keys are like: spread over a plain file, the start of a
    /// compressed one. A larger file gives more.
    pub(crate) fn sample(
        &self,
        file: &mut OpenFile,
        source: &Source,
        mut visit: impl FnMut(&Chunk),
    ) -> Result<(), IngestError> {
        if source.compression != Compression::None {
            visit(&file.next_chunk(HEAD_BYTES, &SpareBuffers::new(0))?);
            return Ok(());
        }
        let probes =
            (u128::from(PROBES) * 4 * u128::from(source.bytes) / u128::from(self.total_bytes)).max(1) as u64;
        let io = |error| IngestError::Io { action: "read", path: source.path.clone(), source: error };
        let step = source.bytes / probes;
        let places = (0..probes).map(move |probe| step * probe);
        for data in source.origin.ranges(places, PROBE_BYTES as usize).map_err(io)? {
            if let Some(chunk) = file.probe(data.map_err(io)?) {
                visit(&chunk);
            }
        }
        Ok(())
    }

    /// Whether what rows share has room; where it has not, they share less.
    ///
    /// # Errors
    /// [`CoreError::BudgetTooSmall`](cip_core::CoreError) where they must share it, since the store is compact.
    pub(crate) fn attributes_fit(&self, parser: &Parser, kept: EventLayout) -> Result<bool, IngestError> {
        let Some(shared) = &parser.attributes else { return Ok(true) };
        if kept == EventLayout::Compact && shared.are_offers() {
            if shared.len() > MOST_OFFERS {
                return Ok(false);
            }
            let needed = MemoryBudget::from_bytes(shared.bytes() * ATTRIBUTE_PART);
            self.budget.require("the offers of a compact store", needed)?;
        }
        Ok(shared.bytes() <= self.attribute_bytes)
    }

    /// Refuses dictionaries that outgrow their part of the budget.
    pub(crate) fn check_dictionaries(&self, parser: &Parser) -> Result<(), IngestError> {
        // Each thread has a copy, and so have the shared dictionary and the batches.
        let copies = self.threads.get() as u64 + 2;
        let bytes = parser.dictionaries.iter().map(SharedDictionary::bytes).sum::<u64>() * copies;
        if bytes <= self.budget.part(1, 4).bytes() {
            return Ok(());
        }
        let largest =
            parser.dictionaries.iter().zip(&parser.columns).max_by_key(|(values, _)| values.bytes());
        let column = largest.map(|(_, target)| target.name.clone()).unwrap_or_default();
        Err(IngestError::TooManyValues { column, budget: self.budget })
    }

    /// Refuses more products than their dictionary has room for.
    pub(crate) fn check_products(&self, products: usize) -> Result<(), IngestError> {
        /// A code, an id and its place in the hash table; they may take a quarter of the budget.
        const BYTES_A_PRODUCT: u64 = 48;
        let needed = MemoryBudget::from_bytes(products as u64 * BYTES_A_PRODUCT * 4);
        Ok(self.budget.require("the dictionary of products", needed)?)
    }
}
