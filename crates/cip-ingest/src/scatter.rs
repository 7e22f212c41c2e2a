//! Rows scattered to key ranges, on all threads: in memory while they fit, in temporary files beyond.

use std::num::NonZeroUsize;

use cip_store::EventLayout;

use crate::error::IngestError;
use crate::idle::Idle;
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
    /// What a thread may hold in memory, and its temporary files.
    bytes: usize,
    files: usize,
    /// How the rows will be kept.
    kept: EventLayout,
    idle: Idle<LocalRows>,
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
        /// A file goes when the last of its rows is read: the store grows into the room of those that are gone.
        const FILES: usize = 64;
        let bytes = buffer_bytes / threads.get();
        let files = (FILES / threads).clamp(1, splitters.partitions());
        Self { layout, splitters, folder, bytes, files, kept: EventLayout::Plain, idle: Idle::default() }
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
        if let Some(idle) = self.idle.take() {
            return Ok(idle);
        }
        let files = self.folder.create_all(self.files)?;
        let local = LocalRows::new(self.layout, self.splitters.partitions(), self.bytes, files);
        Ok(match self.kept {
            EventLayout::Plain => local,
            EventLayout::Compact => local.with_tally(),
        })
    }

    /// Keeps rows.
    pub(crate) fn push_all(&self, local: &mut LocalRows, rows: Rows<'_>) {
        /// The processor is told of so many rows where they will be kept before the first is.
        const AT_ONCE: usize = 32;
        local.count(rows);
        let mut ranges = [0; AT_ONCE];
        let (mut ahead, mut rows) = (rows, rows);
        loop {
            let mut count = 0;
            for (range, row) in ranges.iter_mut().zip(&mut ahead) {
                *range = self.splitters.route(&row);
                local.expect(*range, &row);
                count += 1;
            }
            if count == 0 {
                return;
            }
            ranges[..count].iter().for_each(|&range| local.expect_bytes(range));
            for (&range, row) in ranges[..count].iter().zip(&mut rows) {
                local.push(range, &row);
            }
        }
    }

    #[inline]
    pub(crate) fn push(&self, local: &mut LocalRows, row: &Row<'_>) {
        local.count(Rows { layout: self.layout, bytes: row.as_bytes() });
        local.push(self.splitters.route(row), row);
    }

    /// Takes a thread's rows back.
    ///
    /// # Errors
    /// [`IngestError::Io`] where a row could not be written.
    pub(crate) fn end(&self, mut local: LocalRows) -> Result<(), IngestError> {
        let failure = local.take_failure();
        self.idle.give(local, usize::MAX);
        failure
    }

    /// Returns the partitions in key order, where they can be spread again, and what each thread counted.
    ///
    /// # Errors
    /// [`IngestError::Io`] where the disk is full.
    pub(crate) fn into_partitions(self) -> Result<(Vec<Partition>, SpillFolder, Vec<RowTally>), IngestError> {
        let mut locals: Vec<LocalRows> = self.idle.into_all().collect();
        let tallies = locals.iter_mut().filter_map(LocalRows::take_tally).collect();
        let threads = locals.into_iter().map(|local| local.into_parts(self.layout));
        let threads = threads.collect::<Result<Vec<_>, _>>()?;
        Ok((Partition::of(self.splitters.partitions(), threads), self.folder, tallies))
    }
}
