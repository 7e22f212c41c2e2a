//! The rows of one key range, from all threads.

use std::ops::Range;
use std::sync::Arc;

use crate::buffer::{Buffer, SpareBuffers};
use crate::error::IngestError;
use crate::packed_rows::PackedRows;
use crate::part::{LocalRows, Part, Segment, Stored};
use crate::row::{Row, RowLayout};
use crate::spill::{SpillFile, SpillFolder};
use crate::splitters::{KeySample, Splitters};

#[derive(Debug, Default)]
pub(crate) struct Partition {
    segments: Vec<(Arc<SpillFile>, Stored)>,
    rows: usize,
    /// What the rows take when they are sorted.
    bytes: usize,
}

/// A partition's blocks in memory.
pub(crate) struct LoadedBlocks {
    /// Those that were in files, one behind the other.
    read: Buffer,
    segments: Vec<Loaded>,
}

enum Loaded {
    Kept(Segment),
    Read(Range<usize>),
}

impl LoadedBlocks {
    /// The bytes of each segment: blocks, or some of them one behind the other.
    pub(crate) fn segments(&self) -> impl Iterator<Item = Vec<&[u8]>> {
        self.segments.iter().map(|segment| match segment {
            Loaded::Kept(segment) => segment.slabs.iter().map(Vec::as_slice).collect(),
            Loaded::Read(range) => vec![&self.read[range.clone()]],
        })
    }

    /// The buffer that may be used again.
    pub(crate) fn into_read(self) -> Buffer {
        self.read
    }

    /// All bytes one behind the other, in no order.
    pub(crate) fn into_bytes(self) -> Buffer {
        let mut all = self.read;
        for segment in self.segments {
            if let Loaded::Kept(segment) = segment {
                segment.slabs.into_iter().for_each(|slab| all.extend(&slab));
            }
        }
        all
    }
}

impl Partition {
    /// Returns a partition for each key range of some threads' rows.
    pub(crate) fn of(
        ranges: usize,
        threads: impl IntoIterator<Item = (Vec<Part>, Arc<SpillFile>)>,
    ) -> Vec<Self> {
        let mut partitions: Vec<Self> = Vec::new();
        partitions.resize_with(ranges, Self::default);
        for (parts, file) in threads {
            for (partition, part) in partitions.iter_mut().zip(parts) {
                partition.rows += part.rows;
                partition.bytes += part.bytes;
                partition
                    .segments
                    .extend(part.segments.into_iter().map(|stored| (Arc::clone(&file), stored)));
            }
        }
        partitions
    }

    /// Returns all its blocks; `spare` may have room for those that are read.
    pub(crate) fn load(self, spare: &SpareBuffers) -> Result<LoadedBlocks, IngestError> {
        let mut read = spare.take();
        let mut segments = Vec::with_capacity(self.segments.len());
        for (file, stored) in self.segments {
            segments.push(match stored {
                Stored::Memory(segment) => Loaded::Kept(segment),
                Stored::File(extent) => {
                    let start = read.len();
                    file.read(extent, read.room(start + extent.length as usize))?;
                    Loaded::Read(start..read.len())
                }
            });
        }
        Ok(LoadedBlocks { read, segments })
    }

    /// Returns partitions of at most about `limit` bytes in key order: the rows as they are, or spread again where a
    /// few keys have more rows than the sample promised.
    pub(crate) fn refine(
        self,
        layout: &RowLayout,
        folder: &SpillFolder,
        limit: usize,
    ) -> Result<Vec<Partition>, IngestError> {
        const SAMPLES_A_PART: usize = 32;
        if self.bytes <= limit {
            return Ok(vec![self]);
        }
        let parts = 2 * self.bytes.div_ceil(limit);
        let step = (self.rows / (parts * SAMPLES_A_PART)).max(1);
        let mut sample = KeySample::default();
        let mut rows = 0;
        self.each_row(layout, |row| {
            if rows % step == 0 {
                sample.push(&row.key());
            }
            rows += 1;
        })?;
        let splitters = Splitters::from_sample(sample, parts);
        let ranges = splitters.partitions();
        if ranges == 1 {
            return Ok(vec![self]);
        }
        let mut local = LocalRows::new(layout, ranges, limit, folder.create()?);
        self.each_row(layout, |row| local.push(splitters.route(&row), &row))?;
        local.take_failure()?;
        let refined = Self::of(ranges, [local.into_parts(layout)?]);
        // One row may be larger than the limit: where nothing was split off, nothing will be.
        if refined.iter().any(|partition| partition.rows == self.rows) {
            return Ok(vec![self]);
        }
        drop(self);
        let mut all = Vec::new();
        for partition in refined {
            all.extend(partition.refine(layout, folder, limit)?);
        }
        Ok(all)
    }

    /// Gives `visit` every row as it was when it came, in no order.
    fn each_row(&self, layout: &RowLayout, mut visit: impl FnMut(Row<'_>)) -> Result<(), IngestError> {
        let mut block = Vec::new();
        for (file, stored) in &self.segments {
            block.clear();
            match stored {
                Stored::Memory(segment) => {
                    segment.slabs.iter().for_each(|slab| block.extend_from_slice(slab));
                }
                Stored::File(extent) => {
                    block.resize(extent.length as usize, 0);
                    file.read(*extent, &mut block)?;
                }
            }
            match layout.packing() {
                Some(packing) => {
                    let packed = PackedRows::new(packing, std::iter::once(vec![block.as_slice()]));
                    packed.each_whole(|row| visit(layout.row(row, 0)));
                }
                None => {
                    layout.starts(&block).into_iter().for_each(|start| visit(layout.row(&block, start)));
                }
            }
        }
        Ok(())
    }
}
