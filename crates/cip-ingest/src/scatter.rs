//! Rows scattered to key ranges, on all threads: in memory while they fit, in temporary files beyond.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use cip_store::EventLayout;

use crate::error::IngestError;
use crate::part::LocalRows;
use crate::partition::Partition;
use crate::row::{Row, RowLayout, Rows};
use crate::row_tally::RowTally;
use crate::spill::SpillFolder;
use crate::splitters::Splitters;

/// Spreads rows over partitions.
pub(crate) struct Scatter<'a> {
    layout: &'a RowLayout,
    splitters: Splitters,
    folder: SpillFolder,
    /// What a thread may hold in memory.
    bytes: usize,
    /// How the rows will be kept.
    kept: EventLayout,
    idle: Mutex<Vec<LocalRows>>,
}

impl<'a> Scatter<'a> {
    /// `buffer_bytes` bounds what the threads hold in memory together.
    pub(crate) fn new(
        layout: &'a RowLayout,
        splitters: Splitters,
        folder: SpillFolder,
        buffer_bytes: usize,
        threads: NonZeroUsize,
    ) -> Self {
        let bytes = buffer_bytes / threads.get();
        Self { layout, splitters, folder, bytes, kept: EventLayout::Plain, idle: Mutex::default() }
    }

    /// Counts what must be known of rows that will be kept in this way.
    pub(crate) fn with_event_layout(mut self, kept: EventLayout) -> Self {
        self.kept = kept;
        self
    }

    /// How the rows will be kept.
    pub(crate) fn event_layout(&self) -> EventLayout {
        self.kept
    }

    /// Returns the rows of a thread that does nothing now, or none yet.
    ///
    /// # Errors
    /// [`IngestError::Io`] where a temporary file cannot be made.
    pub(crate) fn begin(&self) -> Result<LocalRows, IngestError> {
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(idle);
        }
        let local =
            LocalRows::new(self.layout, self.splitters.partitions(), self.bytes, self.folder.create()?);
        Ok(match self.kept {
            EventLayout::Plain => local,
            EventLayout::Compact => local.with_tally(),
        })
    }

    /// Keeps rows.
    pub(crate) fn push_all(&self, local: &mut LocalRows, rows: Rows<'_>) {
        /// So many rows before one is kept, the processor is told where its session is looked up.
        const AHEAD: usize = 8;
        let mut ahead = rows;
        ahead.by_ref().take(AHEAD).for_each(|row| local.expect(&row));
        for row in rows {
            if let Some(later) = ahead.next() {
                local.expect(&later);
            }
            self.push(local, &row);
        }
    }

    #[inline]
    pub(crate) fn push(&self, local: &mut LocalRows, row: &Row<'_>) {
        local.push(self.splitters.route(row), row);
    }

    /// Takes a thread's rows back.
    ///
    /// # Errors
    /// [`IngestError::Io`] where a row could not be written.
    pub(crate) fn end(&self, mut local: LocalRows) -> Result<(), IngestError> {
        let failure = local.take_failure();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(local);
        failure
    }

    /// Returns the partitions in key order, where they can be spread again, and what each thread counted.
    ///
    /// # Errors
    /// [`IngestError::Io`] where the disk is full.
    pub(crate) fn into_partitions(self) -> Result<(Vec<Partition>, SpillFolder, Vec<RowTally>), IngestError> {
        let mut locals = self.idle.into_inner().unwrap_or_else(PoisonError::into_inner);
        let tallies = locals.iter_mut().filter_map(LocalRows::take_tally).collect();
        let threads = locals.into_iter().map(|local| local.into_parts(self.layout));
        let threads = threads.collect::<Result<Vec<_>, _>>()?;
        Ok((Partition::of(self.splitters.partitions(), threads), self.folder, tallies))
    }
}
