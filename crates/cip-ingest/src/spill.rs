//! Rows scattered to partitions by their key: in memory while they fit, in one temporary file beyond.

use std::fs::File;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::buffer::{Buffer, SpareBuffers};
use crate::error::IngestError;
use crate::row::{Row, RowKey, RowLayout};

/// Key ranges: partition `i` holds the keys from the splitter before it (inclusive) to the next.
#[derive(Debug, Default)]
pub(crate) struct Splitters {
    keys: Vec<OwnedKey>,
    guide: Guide,
}

#[derive(Debug)]
struct OwnedKey {
    key: RowKey<'static>,
    text: Box<[u8]>,
}

impl OwnedKey {
    fn new(key: &RowKey<'_>) -> Self {
        Self { key: key.with_text(&[]), text: key.text().into() }
    }

    fn get(&self) -> RowKey<'_> {
        self.key.with_text(&self.text)
    }
}

impl Splitters {
    /// Returns splitters that cut `sample` into `parts` of about the same size.
    pub(crate) fn from_sample(mut sample: KeySample, parts: usize) -> Self {
        sample.keys.sort_unstable_by(|a, b| a.get().cmp(&b.get()));
        let mut keys: Vec<OwnedKey> = Vec::new();
        let total = sample.keys.len();
        for (index, key) in sample.keys.into_iter().enumerate() {
            let due = (keys.len() + 1) * total / parts;
            if index >= due && keys.len() + 1 < parts && keys.last().is_none_or(|last| last.get() < key.get())
            {
                keys.push(key);
            }
        }
        let guide = Guide::new(&keys);
        Self { keys, guide }
    }

    pub(crate) fn partitions(&self) -> usize {
        self.keys.len() + 1
    }

    /// Returns the partition of a row.
    #[inline]
    pub(crate) fn route(&self, row: &Row<'_>) -> usize {
        let range = self.guide.range(row.known_prefix());
        if range.is_empty() {
            return range.start;
        }
        // All before the range are at most the key, all behind it are greater.
        let key = row.key();
        range.start + self.keys[range].partition_point(|splitter| splitter.get() <= key)
    }
}

/// Which splitters a key may lie between, by the highest bits of what it starts with.
#[derive(Debug, Default)]
struct Guide {
    first: u64,
    shift: u32,
    /// How many splitters there are.
    splitters: usize,
    /// For each value of those bits, the splitters that start with less.
    less: Vec<u32>,
}

impl Guide {
    const PLACES: u64 = 1 << 12;

    fn new(keys: &[OwnedKey]) -> Self {
        let known: Vec<u64> = keys.iter().filter_map(|key| key.get().known_prefix()).collect();
        let (Some(first), Some(last)) = (known.first(), known.last()) else {
            return Self { splitters: keys.len(), ..Self::default() };
        };
        let shift =
            (0..u64::BITS - 1).find(|&shift| (last - first) >> shift < Self::PLACES).unwrap_or_default();
        let places = ((last - first) >> shift) + 1;
        let less = (0..=places)
            .map(|place| known.partition_point(|&prefix| (prefix - first) >> shift < place) as u32);
        Self { first: *first, shift, splitters: keys.len(), less: less.collect() }
    }

    #[inline]
    fn range(&self, prefix: Option<u64>) -> std::ops::Range<usize> {
        let (Some(prefix), Some(&all)) = (prefix, self.less.last()) else {
            // The unknown user comes behind all others.
            let known = self.less.last().map_or(0, |&all| all as usize);
            return known..self.splitters;
        };
        let Some(place) = prefix.checked_sub(self.first).map(|distance| (distance >> self.shift) as usize)
        else {
            return 0..0;
        };
        match (self.less.get(place), self.less.get(place + 1)) {
            (Some(&from), Some(&to)) => from as usize..to as usize,
            _ => all as usize..all as usize,
        }
    }
}

/// Some keys of the rows to come.
#[derive(Debug, Default)]
pub(crate) struct KeySample {
    keys: Vec<OwnedKey>,
}

impl KeySample {
    pub(crate) fn push(&mut self, key: &RowKey<'_>) {
        self.keys.push(OwnedKey::new(key));
    }
}

/// Where temporary files are made: one for each writer, because the system lets one at a time write to a file.
#[derive(Debug)]
pub(crate) struct SpillFolder {
    path: PathBuf,
    files: AtomicU64,
}

impl SpillFolder {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), files: AtomicU64::new(0) }
    }

    fn create(&self) -> Result<SpillFile, IngestError> {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("spill-{number}.tmp"));
        let io = |action| {
            let path = path.clone();
            move |source| IngestError::Io { action, path, source }
        };
        let mut options = File::options();
        let file =
            options.create(true).truncate(true).read(true).write(true).open(&path).map_err(io("create"))?;
        // It is there as long as it is open, and gone whatever becomes of this process.
        std::fs::remove_file(&path).map_err(io("remove"))?;
        Ok(SpillFile { file: Arc::new(file), path: path.into(), end: 0 })
    }
}

/// A temporary file that is appended to.
#[derive(Debug)]
struct SpillFile {
    file: Arc<File>,
    path: Arc<Path>,
    end: u64,
}

impl SpillFile {
    fn write(&mut self, bytes: &[u8]) -> Result<Extent, IngestError> {
        let start = self.end;
        self.file.write_all_at(bytes, start).map_err(|source| IngestError::Io {
            action: "write",
            path: self.path.to_path_buf(),
            source,
        })?;
        self.end += bytes.len() as u64;
        let (file, path) = (Arc::clone(&self.file), Arc::clone(&self.path));
        Ok(Extent { file, path, start, length: bytes.len() })
    }
}

/// Rows in a temporary file.
#[derive(Debug)]
struct Extent {
    file: Arc<File>,
    path: Arc<Path>,
    start: u64,
    length: usize,
}

impl Extent {
    fn read(&self, into: &mut [u8]) -> Result<(), IngestError> {
        self.file.read_exact_at(into, self.start).map_err(|source| IngestError::Io {
            action: "read",
            path: self.path.to_path_buf(),
            source,
        })
    }
}

/// Rows of one key range: whole rows in every extent and in every buffer.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    buffers: Vec<Vec<u8>>,
    extents: Vec<Extent>,
    bytes: usize,
}

/// What one thread has of a partition.
#[derive(Debug, Default)]
struct Part {
    buffer: Vec<u8>,
    extents: Vec<Extent>,
    bytes: usize,
}

impl Part {
    #[inline]
    fn append(&mut self, row: &[u8], file: &mut SpillFile, flush_bytes: usize) -> Result<(), IngestError> {
        self.bytes += row.len();
        if self.buffer.len() + row.len() > self.buffer.capacity() {
            self.make_room(row.len(), file, flush_bytes)?;
        }
        self.buffer.extend_from_slice(row);
        Ok(())
    }

    #[cold]
    fn make_room(
        &mut self,
        bytes: usize,
        file: &mut SpillFile,
        flush_bytes: usize,
    ) -> Result<(), IngestError> {
        const LEAST: usize = 1 << 10;
        // The buffer never grows past what it was given: growing by doubling would take twice the plan.
        if self.buffer.len() + bytes > flush_bytes && !self.buffer.is_empty() {
            self.extents.push(file.write(&self.buffer)?);
            self.buffer.clear();
        }
        let wanted = (2 * self.buffer.capacity()).max(LEAST).min(flush_bytes).max(self.buffer.len() + bytes);
        self.buffer.reserve_exact(wanted - self.buffer.len());
        Ok(())
    }
}

impl Partition {
    fn add(&mut self, part: Part) {
        self.bytes += part.bytes;
        self.extents.extend(part.extents);
        if !part.buffer.is_empty() {
            self.buffers.push(part.buffer);
        }
    }

    /// Returns all its rows, in no order; `spare` may have room for them.
    pub(crate) fn load(mut self, spare: &SpareBuffers) -> Result<Buffer, IngestError> {
        if self.extents.is_empty() && self.buffers.len() == 1 {
            return Ok(self.buffers.pop().unwrap_or_default().into());
        }
        let mut rows = spare.take();
        let mut rest = rows.room(self.bytes);
        for extent in &self.extents {
            let (place, behind) = rest.split_at_mut(extent.length);
            extent.read(place)?;
            rest = behind;
        }
        for buffer in &self.buffers {
            let (place, behind) = rest.split_at_mut(buffer.len());
            place.copy_from_slice(buffer);
            rest = behind;
        }
        Ok(rows)
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
        let mut rows = 0;
        self.each_block(|block| {
            rows += layout.starts(block).len();
            Ok(())
        })?;
        let parts = 2 * self.bytes.div_ceil(limit);
        let step = (rows / (parts * SAMPLES_A_PART)).max(1);
        let mut sample = KeySample::default();
        self.each_block(|rows| {
            for &start in layout.starts(rows).iter().step_by(step) {
                sample.push(&layout.row(rows, start).key());
            }
            Ok(())
        })?;
        let splitters = Splitters::from_sample(sample, parts);
        if splitters.partitions() == 1 {
            return Ok(vec![self]);
        }
        let mut parts: Vec<Part> = Vec::new();
        parts.resize_with(splitters.partitions(), Part::default);
        let flush_bytes = (limit / splitters.partitions()).max(1 << 12);
        let mut file = folder.create()?;
        self.each_block(|rows| {
            for start in layout.starts(rows) {
                let row = layout.row(rows, start);
                parts[splitters.route(&row)].append(row.as_bytes(), &mut file, flush_bytes)?;
            }
            Ok(())
        })?;
        let mut refined: Vec<Partition> = Vec::new();
        refined.resize_with(splitters.partitions(), Partition::default);
        refined.iter_mut().zip(parts).for_each(|(partition, part)| partition.add(part));
        // One row may be larger than the limit: where nothing was split off, nothing will be.
        if refined.iter().any(|partition| partition.bytes == self.bytes) {
            return Ok(vec![self]);
        }
        drop(self);
        let mut all = Vec::new();
        for partition in refined {
            all.extend(partition.refine(layout, folder, limit)?);
        }
        Ok(all)
    }

    fn each_block(&self, mut visit: impl FnMut(&[u8]) -> Result<(), IngestError>) -> Result<(), IngestError> {
        let mut block = Vec::new();
        for extent in &self.extents {
            block.resize(extent.length, 0);
            extent.read(&mut block)?;
            visit(&block)?;
        }
        self.buffers.iter().try_for_each(|buffer| visit(buffer))
    }
}

/// Spreads rows over partitions, on all threads.
pub(crate) struct Scatter {
    splitters: Splitters,
    folder: SpillFolder,
    flush_bytes: usize,
    idle: Mutex<Vec<LocalRows>>,
}

/// What one thread has of all partitions.
#[derive(Debug)]
pub(crate) struct LocalRows {
    parts: Vec<Part>,
    file: SpillFile,
    /// Why a row could not be kept.
    failure: Option<IngestError>,
}

impl Scatter {
    /// `buffer_bytes` bounds what the threads hold in memory together.
    pub(crate) fn new(
        splitters: Splitters,
        folder: SpillFolder,
        buffer_bytes: usize,
        threads: NonZeroUsize,
    ) -> Self {
        const BUFFER: std::ops::RangeInclusive<usize> = 4 << 10..=64 << 20;
        let share = buffer_bytes / (splitters.partitions() * threads.get());
        let flush_bytes = share.clamp(*BUFFER.start(), *BUFFER.end());
        Self { splitters, folder, flush_bytes, idle: Mutex::default() }
    }

    /// Returns the rows of a thread that does nothing now, or none yet.
    ///
    /// # Errors
    /// [`IngestError::Io`] where a temporary file cannot be made.
    pub(crate) fn begin(&self) -> Result<LocalRows, IngestError> {
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(idle);
        }
        let mut parts = Vec::new();
        parts.resize_with(self.splitters.partitions(), Part::default);
        Ok(LocalRows { parts, file: self.folder.create()?, failure: None })
    }

    #[inline]
    pub(crate) fn push(&self, local: &mut LocalRows, row: &Row<'_>) {
        let part = &mut local.parts[self.splitters.route(row)];
        if let Err(failure) = part.append(row.as_bytes(), &mut local.file, self.flush_bytes) {
            local.failure.get_or_insert(failure);
        }
    }

    /// Takes a thread's rows back.
    ///
    /// # Errors
    /// [`IngestError::Io`] where a row could not be written.
    pub(crate) fn end(&self, mut local: LocalRows) -> Result<(), IngestError> {
        let failure = local.failure.take();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(local);
        failure.map_or(Ok(()), Err)
    }

    /// Returns the partitions in key order, and where they can be spread again.
    pub(crate) fn into_partitions(self) -> (Vec<Partition>, SpillFolder) {
        let mut partitions: Vec<Partition> = Vec::new();
        partitions.resize_with(self.splitters.partitions(), Partition::default);
        for local in self.idle.into_inner().unwrap_or_else(PoisonError::into_inner) {
            partitions.iter_mut().zip(local.parts).for_each(|(partition, part)| partition.add(part));
        }
        (partitions, self.folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::SourceMapping;
    use crate::parse::Parser;
    use crate::row::RowBuilder;
    use proptest::prelude::*;

    /// Rows of these users; the unknown one for none.
    fn with_rows(users: &[Option<i64>], check: impl FnOnce(&[Row<'_>])) {
        let mapping = SourceMapping::from_toml(
            "name = 't'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
             event_type = { from = 'e', type = 'dictionary' }\n\
             user_id = { from = 'u', type = 'int64', nullable = true }",
        );
        let parser = Parser::new(&mapping.unwrap()).unwrap();
        let layout = &parser.layout;
        let user = parser.columns.iter().position(|column| column.name == "user_id").unwrap();
        let mut row = RowBuilder::default();
        for (position, id) in users.iter().enumerate() {
            row.start(layout, 0, position as u64);
            match id {
                Some(id) => row.put(layout.slot(user), id.to_le_bytes()),
                None => row.null(layout, user),
            }
            row.finish(layout);
        }
        let data = row.rows();
        let rows: Vec<Row<'_>> =
            layout.starts(&data).into_iter().map(|start| layout.row(&data, start)).collect();
        check(&rows);
    }

    proptest! {
        #[test]
        fn the_guide_leads_where_a_search_of_all_splitters_does(
            users in proptest::collection::vec(
                prop_oneof![Just(None), any::<i64>().prop_map(Some), (0i64..50).prop_map(Some), (0i64..1 << 40).prop_map(Some)],
                1..60,
            ),
            sampled in 0usize..40,
            parts in 1usize..20,
        ) {
            with_rows(&users, |rows| {
                let mut sample = KeySample::default();
                rows.iter().take(sampled).for_each(|row| sample.push(&row.key()));
                let splitters = Splitters::from_sample(sample, parts);
                for row in rows {
                    let searched = splitters.keys.partition_point(|splitter| splitter.get() <= row.key());
                    assert_eq!(splitters.route(row), searched);
                }
            });
        }
    }
}
