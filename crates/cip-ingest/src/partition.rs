//! The rows of one key range, from all threads.

use std::ops::Range;

use crate::buffer::{Buffer, SpareBuffers};
use crate::error::IngestError;
use crate::packed_rows::PackedRows;
use crate::part::{LocalRows, Part, Segment, Stored};
use crate::row::{Row, RowLayout};
use crate::spill::SpillFolder;
use crate::splitters::{KeySample, Splitters};

#[derive(Debug, Default)]
pub(crate) struct Partition {
    segments: Vec<Stored>,
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
    pub(crate) fn of(ranges: usize, threads: impl IntoIterator<Item = Vec<Part>>) -> Vec<Self> {
        let mut partitions: Vec<Self> = Vec::new();
        partitions.resize_with(ranges, Self::default);
        for parts in threads {
            for (partition, part) in partitions.iter_mut().zip(parts) {
                partition.rows += part.rows;
                partition.bytes += part.bytes;
                partition.segments.extend(part.segments);
            }
        }
        partitions
    }

    /// Returns all its blocks; `spare` may have room for those that are read.
    pub(crate) fn load(self, spare: &SpareBuffers) -> Result<LoadedBlocks, IngestError> {
        let mut read = spare.take();
        let mut segments = Vec::with_capacity(self.segments.len());
        for stored in self.segments {
            segments.push(match stored {
                Stored::Memory(segment) => Loaded::Kept(segment),
                Stored::File(extent) => {
                    let start = read.len();
                    extent.read(read.room(start + extent.length as usize))?;
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
        let mut local = LocalRows::new(layout, ranges, limit, folder.create_all(1)?);
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
        for stored in &self.segments {
            block.clear();
            match stored {
                Stored::Memory(segment) => {
                    segment.slabs.iter().for_each(|slab| block.extend_from_slice(slab));
                }
                Stored::File(extent) => {
                    block.resize(extent.length as usize, 0);
                    extent.read(&mut block)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::AttributeUse;
    use crate::mapping::SourceMapping;
    use crate::parse::Parser;
    use crate::row::Rows;
    use crate::row_builder::RowBuilder;

    #[test]
    fn a_temporary_file_is_gone_when_the_last_of_its_rows_is_read() {
        const RANGES: usize = 4;
        let mapping = SourceMapping::from_toml(
            "name = 't'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
             event_type = { from = 'e', type = 'dictionary' }",
        );
        let parser = Parser::new(&mapping.unwrap(), AttributeUse::Products).unwrap();
        let layout = &parser.layout;
        let folder = tempfile::tempdir().unwrap();
        let files = SpillFolder::new(folder.path()).create_all(2).unwrap();
        let there: Vec<_> = files.iter().map(std::sync::Arc::downgrade).collect();
        let mut local = LocalRows::new(layout, RANGES, 16 << 10, files);
        let mut rows = RowBuilder::default();
        for position in 0..20_000u64 {
            rows.start(layout, 0, position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 30);
            rows.finish(layout);
        }
        let rows = Rows { layout, bytes: rows.rows() };
        rows.enumerate().for_each(|(number, row)| local.push(number % RANGES, &row));
        local.take_failure().unwrap();
        let spare = SpareBuffers::new(1);
        let mut rows = 0;
        for (range, partition) in
            Partition::of(RANGES, [local.into_parts(layout).unwrap()]).into_iter().enumerate()
        {
            rows += partition.rows;
            let is_there = |file: &std::sync::Weak<_>| file.upgrade().is_some();
            assert_eq!(there.iter().map(is_there).collect::<Vec<_>>(), [range < 2, true]);
            drop(partition.load(&spare).unwrap());
        }
        assert!(there.iter().all(|file| file.upgrade().is_none()));
        assert_eq!(rows, 20_000);
    }
}
