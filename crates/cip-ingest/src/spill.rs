//! Rows scattered to partitions by their key: in memory while they fit, in temporary files beyond.

use std::fs::File;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::buffer::{Buffer, SpareBuffers};
use crate::error::IngestError;
use crate::row::{Row, RowLayout};
use crate::splitters::{KeySample, Splitters};

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
        Ok(SpillFile { file, path, end: AtomicU64::new(0) })
    }
}

/// A temporary file that one thread appends to.
#[derive(Debug)]
struct SpillFile {
    file: File,
    path: PathBuf,
    end: AtomicU64,
}

impl SpillFile {
    fn write(&self, bytes: &[u8]) -> Result<Extent, IngestError> {
        let start = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file.write_all_at(bytes, start).map_err(|source| IngestError::Io {
            action: "write",
            path: self.path.clone(),
            source,
        })?;
        Ok(Extent { start, length: bytes.len() as u32 })
    }

    fn read(&self, extent: &Extent, into: &mut [u8]) -> Result<(), IngestError> {
        self.file.read_exact_at(into, extent.start).map_err(|source| IngestError::Io {
            action: "read",
            path: self.path.clone(),
            source,
        })
    }
}

/// Rows in a temporary file. There may be a million of them: they are small, and shorter than 4 GiB.
#[derive(Debug, Clone, Copy)]
struct Extent {
    start: u64,
    length: u32,
}

/// Rows of one key range, from all threads.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    parts: Vec<(Arc<SpillFile>, Part)>,
    bytes: usize,
}

/// What one thread has of a partition: whole rows in every extent of its file, and in the buffer.
#[derive(Debug, Default)]
struct Part {
    buffer: Vec<u8>,
    extents: Vec<Extent>,
    bytes: usize,
}

impl Part {
    #[inline]
    fn append(&mut self, row: &[u8], file: &SpillFile, flush_bytes: usize) -> Result<(), IngestError> {
        self.bytes += row.len();
        if self.buffer.len() + row.len() > self.buffer.capacity() {
            self.make_room(row.len(), file, flush_bytes)?;
        }
        self.buffer.extend_from_slice(row);
        Ok(())
    }

    #[cold]
    fn make_room(&mut self, bytes: usize, file: &SpillFile, flush_bytes: usize) -> Result<(), IngestError> {
        const LEAST: usize = 1 << 10;
        // The buffer never grows past what it was given: growing by doubling would take twice the plan.
        if self.buffer.len() + bytes > flush_bytes && !self.buffer.is_empty() {
            if self.extents.len() == self.extents.capacity() {
                self.extents.reserve_exact(4 + self.extents.len() / 4);
            }
            self.extents.push(file.write(&self.buffer)?);
            self.buffer.clear();
        }
        let wanted = (2 * self.buffer.capacity()).max(LEAST).min(flush_bytes).max(self.buffer.len() + bytes);
        self.buffer.reserve_exact(wanted - self.buffer.len());
        Ok(())
    }
}

impl Partition {
    fn add(&mut self, file: &Arc<SpillFile>, part: Part) {
        if part.bytes > 0 {
            self.bytes += part.bytes;
            self.parts.push((Arc::clone(file), part));
        }
    }

    /// Returns all its rows, in no order; `spare` may have room for them.
    pub(crate) fn load(mut self, spare: &SpareBuffers) -> Result<Buffer, IngestError> {
        if let [(_, part)] = &mut self.parts[..]
            && part.extents.is_empty()
        {
            return Ok(std::mem::take(&mut part.buffer).into());
        }
        let mut rows = spare.take();
        let mut rest = rows.room(self.bytes);
        for (file, part) in &self.parts {
            for extent in &part.extents {
                let (place, behind) = rest.split_at_mut(extent.length as usize);
                file.read(extent, place)?;
                rest = behind;
            }
            let (place, behind) = rest.split_at_mut(part.buffer.len());
            place.copy_from_slice(&part.buffer);
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
        let file = Arc::new(folder.create()?);
        self.each_block(|rows| {
            for start in layout.starts(rows) {
                let row = layout.row(rows, start);
                parts[splitters.route(&row)].append(row.as_bytes(), &file, flush_bytes)?;
            }
            Ok(())
        })?;
        let mut refined: Vec<Partition> = Vec::new();
        refined.resize_with(splitters.partitions(), Partition::default);
        refined.iter_mut().zip(parts).for_each(|(partition, part)| partition.add(&file, part));
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
        for (file, part) in &self.parts {
            for extent in &part.extents {
                block.resize(extent.length as usize, 0);
                file.read(extent, &mut block)?;
                visit(&block)?;
            }
            visit(&part.buffer)?;
        }
        Ok(())
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
    file: Arc<SpillFile>,
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
        Ok(LocalRows { parts, file: Arc::new(self.folder.create()?), failure: None })
    }

    #[inline]
    pub(crate) fn push(&self, local: &mut LocalRows, row: &Row<'_>) {
        let part = &mut local.parts[self.splitters.route(row)];
        if let Err(failure) = part.append(row.as_bytes(), &local.file, self.flush_bytes) {
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

    /// Returns the partitions in key order, and where they can be spread again. Where rows were spilled, all are then: what
    /// comes next needs the memory.
    ///
    /// # Errors
    /// [`IngestError::Io`] where the disk is full.
    pub(crate) fn into_partitions(self) -> Result<(Vec<Partition>, SpillFolder), IngestError> {
        let mut partitions: Vec<Partition> = Vec::new();
        partitions.resize_with(self.splitters.partitions(), Partition::default);
        let locals = self.idle.into_inner().unwrap_or_else(PoisonError::into_inner);
        let spilled = locals.iter().flat_map(|local| &local.parts).any(|part| !part.extents.is_empty());
        for LocalRows { parts, file, .. } in locals {
            for (partition, mut part) in partitions.iter_mut().zip(parts) {
                if spilled && !part.buffer.is_empty() {
                    part.extents.push(file.write(&part.buffer)?);
                    part.buffer = Vec::new();
                }
                partition.add(&file, part);
            }
        }
        Ok((partitions, self.folder))
    }
}
