//! The rows of all key ranges that one thread has: the latest as they are, the others in blocks, in memory or in its
//! temporary files.

use std::sync::Arc;

use cip_core::fetch;

use crate::error::IngestError;
use crate::packing::{MOST_ROWS, PackScratch, ROWS_ROOM};
use crate::row::{Row, RowLayout, Rows};
use crate::row_tally::RowTally;
use crate::session_codes::SessionCodes;
use crate::spill::{Extent, SpillFile};

/// Bytes at which a segment is full: what is read at once where rows are spread again.
const SEGMENT: usize = 1 << 20;

/// Bytes of rows that are copied in one step.
const SHORT_ROW: usize = 64;

/// The rows of one key range.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Rows that make the next block, and the ids of sessions that it is the first of its segment to name.
    pending: Vec<u8>,
    ids: Vec<u8>,
    open: Segment,
    /// Sessions named in the open segment so far, and its number among all segments of the thread.
    sessions: u32,
    number: u32,
    pub(crate) segments: Vec<Stored>,
    /// Rows, and what they take when they are sorted.
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

impl Part {
    #[cold]
    fn push_long(&mut self, row: &[u8]) {
        self.pending.extend_from_slice(row);
    }
}

/// Blocks of rows that can be read without others: one behind the other in each slab.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    pub(crate) slabs: Vec<Vec<u8>>,
    bytes: usize,
    /// What the slabs take.
    held: usize,
}

impl Segment {
    /// Returns a slab with room for so many bytes; a new one takes `slab_bytes`, or twice as many as are asked for.
    fn room(&mut self, bytes: usize, slab_bytes: usize) -> &mut Vec<u8> {
        self.bytes += bytes;
        let fits = self.slabs.last().is_some_and(|slab| slab.capacity() - slab.len() >= bytes);
        let index = self.slabs.len() - usize::from(fits);
        if !fits {
            // Whole kibibytes: an allocator soon finds again what it was given back in sizes that repeat.
            let slab = Vec::with_capacity(slab_bytes.max(2 * bytes).next_multiple_of(1 << 10));
            self.held += slab.capacity();
            self.slabs.push(slab);
        }
        &mut self.slabs[index]
    }
}

/// Where a segment is.
#[derive(Debug)]
pub(crate) enum Stored {
    Memory(Segment),
    File(Extent),
}

/// What one thread has of all key ranges.
#[derive(Debug)]
pub(crate) struct LocalRows {
    parts: Vec<Part>,
    /// Of neighbouring key ranges one each.
    files: Vec<Arc<SpillFile>>,
    codes: SessionCodes,
    packing: PackScratch,
    /// Bytes of rows that make a block, and of blocks that make a slab.
    block_bytes: usize,
    slab_bytes: usize,
    /// What the blocks in memory take, and may take.
    held: usize,
    most: usize,
    /// Segments so far.
    segments: u32,
    /// The part that is spilled next.
    turn: usize,
    /// What is known of all rows, where that is wanted.
    tally: Option<RowTally>,
    /// Why a row could not be kept.
    failure: Option<IngestError>,
}

impl LocalRows {
    /// Rows of so many key ranges, which take about `bytes` in memory, the others in the files.
    pub(crate) fn new(layout: &RowLayout, ranges: usize, bytes: usize, files: Vec<Arc<SpillFile>>) -> Self {
        /// A part of the memory that waits for whole blocks, at most.
        const PENDING: usize = 4;
        const LEAST_ROWS: usize = 16;
        /// Of as many slabs that a part could have, half of one has nothing in it.
        const SLABS: usize = 16;
        const MOST_SLAB: usize = 64 << 10;
        const TEXTS: std::ops::RangeInclusive<usize> = 2 << 10..=64 << 10;
        let share = bytes / PENDING / ranges;
        let block_bytes = match layout.packing() {
            Some(packing) => (share / packing.row_bytes).clamp(LEAST_ROWS, MOST_ROWS) * packing.row_bytes,
            None => share.clamp(*TEXTS.start(), *TEXTS.end()),
        };
        let mut parts = Vec::new();
        parts.resize_with(ranges, Part::default);
        (0..).zip(&mut parts).for_each(|(number, part): (u32, &mut Part)| part.number = number);
        Self {
            files,
            codes: SessionCodes::default(),
            packing: PackScratch::default(),
            block_bytes,
            slab_bytes: (bytes / SLABS / ranges).min(MOST_SLAB),
            held: 0,
            most: bytes - bytes / PENDING,
            segments: parts.len() as u32,
            turn: parts.len(),
            parts,
            tally: None,
            failure: None,
        }
    }

    /// Counts rows as well.
    pub(crate) fn with_tally(mut self) -> Self {
        self.tally = Some(RowTally::default());
        self
    }

    /// Says that a row of a key range will be kept, of which [`expect`](Self::expect) was told before.
    #[inline]
    pub(crate) fn expect_bytes(&mut self, range: usize) {
        let room = self.parts[range].pending.spare_capacity_mut();
        room.first().into_iter().chain(room.get(SHORT_ROW - 1)).for_each(fetch);
    }

    /// Says that a row of a key range will be kept.
    #[inline]
    pub(crate) fn expect(&self, range: usize, row: &Row<'_>) {
        fetch(&self.parts[range].pending);
        fetch(&self.parts[range].bytes);
        if let Some(id) = row.id() {
            self.codes.expect(id);
        }
    }

    /// Counts rows that will be kept, where that is wanted.
    pub(crate) fn count(&mut self, rows: Rows<'_>) {
        if let Some(tally) = &mut self.tally {
            tally.add(rows);
        }
    }

    /// Keeps a row of a key range.
    #[inline]
    pub(crate) fn push(&mut self, range: usize, row: &Row<'_>) {
        let part = &mut self.parts[range];
        part.rows += 1;
        match row.layout.packing() {
            Some(packing) => {
                if part.pending.len() >= self.block_bytes {
                    self.make_room(range, row.layout);
                } else if part.pending.capacity() == 0 {
                    part.pending.reserve_exact(self.block_bytes + ROWS_ROOM.max(SHORT_ROW));
                }
                let part = &mut self.parts[range];
                match row.bytes.first_chunk::<SHORT_ROW>() {
                    // A length that is known beforehand is copied without a call; what is too much is cut off.
                    Some(bytes) if packing.row_bytes <= SHORT_ROW => {
                        let end = part.pending.len() + packing.row_bytes;
                        part.pending.extend_from_slice(bytes);
                        part.pending.truncate(end);
                    }
                    _ => part.push_long(&row.bytes[..packing.row_bytes]),
                }
                if let Some(id) = row.id() {
                    let code = if row.has_id() {
                        let code = self.codes.code(id, part.number, part.sessions);
                        if code == part.sessions {
                            part.ids.extend_from_slice(id);
                            part.sessions += 1;
                        }
                        code
                    } else {
                        0
                    };
                    // The code stands where the id began.
                    let at = part.pending.len() - size_of::<u32>();
                    part.pending[at..].copy_from_slice(&code.to_le_bytes());
                }
            }
            None => {
                let text = row.as_bytes();
                if part.pending.len() + text.len() > self.block_bytes && !part.pending.is_empty() {
                    self.make_room(range, row.layout);
                }
                self.parts[range].pending.extend_from_slice(text);
            }
        }
    }

    /// Makes a block of the rows that wait for one, and room where blocks take too much.
    #[inline(never)]
    fn make_room(&mut self, range: usize, layout: &RowLayout) {
        self.seal(range, layout);
        if self.parts[range].open.bytes >= SEGMENT {
            self.close(range);
        }
        if self.held > self.most
            && let Err(failure) = self.spill(layout, self.most / 8 * 7)
        {
            self.failure.get_or_insert(failure);
        }
    }

    fn seal(&mut self, range: usize, layout: &RowLayout) {
        let part = &mut self.parts[range];
        if part.pending.is_empty() {
            return;
        }
        part.bytes += part.pending.len();
        let (open, slab_bytes) = (&mut part.open, self.slab_bytes);
        let before = open.held;
        match layout.packing() {
            Some(packing) => {
                part.pending.extend_from_slice(&[0; ROWS_ROOM]);
                packing.pack(&part.pending, &part.ids, &mut self.packing, |length| {
                    open.room(length, slab_bytes)
                });
            }
            None => open.room(part.pending.len(), slab_bytes).extend_from_slice(&part.pending),
        }
        self.held += part.open.held - before;
        part.pending.clear();
        part.ids.clear();
    }

    /// Ends a segment, of which no row waits for its block: what comes next can be read without it.
    fn close(&mut self, range: usize) {
        let part = &mut self.parts[range];
        if !part.open.slabs.is_empty() {
            part.segments.push(Stored::Memory(std::mem::take(&mut part.open)));
            part.sessions = 0;
            part.number = self.segments;
            self.segments += 1;
        }
    }

    /// Writes segments to the files until at most `most` bytes are in memory: those of the last key ranges first, which are
    /// needed last.
    fn spill(&mut self, layout: &RowLayout, most: usize) -> Result<(), IngestError> {
        for _ in 0..self.parts.len() {
            if self.held <= most {
                break;
            }
            self.turn = self.turn.checked_sub(1).unwrap_or(self.parts.len() - 1);
            self.seal(self.turn, layout);
            self.close(self.turn);
            let file = &self.files[self.turn * self.files.len() / self.parts.len()];
            for stored in &mut self.parts[self.turn].segments {
                if let Stored::Memory(segment) = stored {
                    self.held -= segment.held;
                    *stored = Stored::File(file.write(&segment.slabs)?);
                }
            }
        }
        Ok(())
    }

    /// Returns why a row could not be kept, if one could not.
    pub(crate) fn take_failure(&mut self) -> Result<(), IngestError> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Takes what is known of all rows.
    pub(crate) fn take_tally(&mut self) -> Option<RowTally> {
        self.tally.take()
    }

    /// Returns what there is of each key range.
    ///
    /// # Errors
    /// [`IngestError::Io`] where the disk is full.
    pub(crate) fn into_parts(mut self, layout: &RowLayout) -> Result<Vec<Part>, IngestError> {
        for range in 0..self.parts.len() {
            self.seal(range, layout);
            self.close(range);
            self.parts[range].pending = Vec::new();
        }
        if self.held > self.most {
            self.spill(layout, self.most)?;
        }
        Ok(self.parts)
    }
}
