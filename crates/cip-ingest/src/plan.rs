//! How a memory budget is divided: chunk size, buffers, partitions.

use std::num::NonZeroUsize;

use cip_core::MemoryBudget;

use crate::error::IngestError;
use crate::parse::Parser;
use crate::row::RowLayout;
use crate::source::{Chunk, Compression, OpenFile, Source};

/// Sizes that keep an ingest inside its budget.
#[derive(Debug)]
pub(crate) struct Plan {
    budget: MemoryBudget,
    /// Bytes parsed at once by one thread.
    pub(crate) chunk_bytes: usize,
    /// What the partitions buffer together before they spill.
    pub(crate) buffer_bytes: usize,
    /// Key ranges to scatter to.
    pub(crate) partitions: usize,
    /// Bytes of rows that are sorted at once; larger ranges are split again.
    pub(crate) partition_bytes: usize,
    total_bytes: u64,
}

/// What a row group and its encoder take, and what the process has anyway.
const WRITE_BYTES: u64 = 24 << 20;
const BASE_BYTES: u64 = 16 << 20;
/// Row bytes are at most about this many times the bytes of CSV; a compressed file is taken for ten times its size.
const INFLATION: u64 = 10;
/// Places at which a plain file is sampled, and the bytes read there.
const PROBES: u64 = 64;
const PROBE_BYTES: u64 = 32 << 10;
const HEAD_BYTES: usize = 256 << 10;

impl Plan {
    pub(crate) fn new(
        budget: MemoryBudget,
        threads: NonZeroUsize,
        chunk_bytes: Option<NonZeroUsize>,
        sources: &[Source],
        layout: &RowLayout,
    ) -> Result<Self, IngestError> {
        let threads = threads.get() as u64;
        // Twice as many row groups as threads are in flight, and one is being appended.
        let fixed = BASE_BYTES + WRITE_BYTES * threads;
        let smallest = MemoryBudget::from_bytes((fixed + (32 << 20)) * 3 / 2);
        budget.require("ingest", smallest)?;
        // What is freed does not all go back at once: a third is the allocator's.
        let free = budget.part(2, 3).bytes() - fixed;
        // In flight: the chunks, the rows made of them, and what the reader holds.
        let chunk_bytes = chunk_bytes.map_or_else(
            || (free / 4 / (3 * threads + 1)).clamp(256 << 10, 4 << 20) as usize,
            NonZeroUsize::get,
        );
        // Sorted partitions in flight, each with its keys.
        let partition_bytes = (free / (2 * (2 * threads + 2))).clamp(1 << 20, 64 << 20) as usize;
        let csv: u64 = sources
            .iter()
            .map(|source| {
                if source.compression == Compression::None { source.bytes } else { source.bytes * INFLATION }
            })
            .sum();
        // A row takes at least its fixed bytes, a record of CSV at least two for each of the columns.
        let rows = csv.max(layout.fixed_bytes() as u64);
        let partitions = rows.div_ceil(partition_bytes as u64).clamp(1, 4_096) as usize;
        Ok(Self {
            budget,
            chunk_bytes,
            buffer_bytes: (free / 3) as usize,
            partitions,
            partition_bytes,
            total_bytes: csv.max(1),
        })
    }

    /// Gives `visit` some chunks of a file that tell what its keys are like: spread over a plain file, the start of a
    /// compressed one. A larger file gives more.
    pub(crate) fn sample(
        &self,
        file: &mut OpenFile,
        source: &Source,
        delimiter: u8,
        mut visit: impl FnMut(&Chunk),
    ) -> Result<(), IngestError> {
        if source.compression != Compression::None {
            visit(&file.next_chunk(HEAD_BYTES, delimiter)?);
            return Ok(());
        }
        let probes =
            (u128::from(PROBES) * 4 * u128::from(source.bytes) / u128::from(self.total_bytes)).max(1) as u64;
        for probe in 0..probes {
            let offset = source.bytes / probes * probe;
            if let Some(chunk) = file.probe(offset, PROBE_BYTES as usize, delimiter)? {
                visit(&chunk);
            }
        }
        Ok(())
    }

    /// Refuses dictionaries that outgrow their part of the budget.
    pub(crate) fn check_dictionaries(&self, parser: &Parser) -> Result<(), IngestError> {
        const BYTES_A_VALUE: u64 = 256;
        let allowed = self.budget.part(1, 8).bytes() / BYTES_A_VALUE;
        for (dictionary, target) in parser.dictionaries.iter().zip(&parser.columns) {
            if dictionary.len() as u64 > allowed {
                return Err(IngestError::TooManyValues { column: target.name.clone(), budget: self.budget });
            }
        }
        Ok(())
    }

    /// Refuses more products than their dictionary has room for.
    pub(crate) fn check_products(&self, products: usize) -> Result<(), IngestError> {
        /// A code, an id and its place in the hash table; they may take a quarter of the budget.
        const BYTES_A_PRODUCT: u64 = 48;
        let needed = MemoryBudget::from_bytes(products as u64 * BYTES_A_PRODUCT * 4);
        Ok(self.budget.require("the dictionary of products", needed)?)
    }
}
