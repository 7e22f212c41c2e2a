//! Rows as they are written.

use crate::row::{OFFSET_BITS, Row, RowLayout, Rows, Slot};

/// Writes rows, some of them before they are used: what was just written in small pieces is slow to read in large ones.
#[derive(Debug, Default)]
pub(crate) struct RowBuilder {
    /// Zeros from `end` on.
    bytes: Vec<u8>,
    /// Where the row that is being written starts, and how far it was written.
    at: usize,
    end: usize,
}

impl RowBuilder {
    /// Bytes of rows at which they should be used.
    const FULL: usize = 8 << 10;

    /// Starts a row; one that was not finished is gone.
    #[inline]
    pub(crate) fn start(&mut self, layout: &RowLayout, file: usize, offset: u64) {
        if self.end > self.at {
            self.bytes[self.at..self.end].fill(0);
        }
        self.end = self.at + layout.fixed;
        if self.bytes.len() < self.end {
            self.bytes.resize(self.end + Self::FULL, 0);
        }
        let position = (file as u64) << OFFSET_BITS | (offset & ((1 << OFFSET_BITS) - 1));
        self.bytes[self.at..self.at + 8].copy_from_slice(&position.to_le_bytes());
    }

    #[inline]
    pub(crate) fn null(&mut self, layout: &RowLayout, column: usize) {
        let (byte, bit) = layout.null(column);
        self.bytes[self.at + byte] |= bit;
    }

    #[inline]
    pub(crate) fn put<const N: usize>(&mut self, slot: Slot, value: [u8; N]) {
        let at = self.at + slot.at;
        self.bytes[at..at + N].copy_from_slice(&value);
    }

    pub(crate) fn put_text(&mut self, slot: Slot, text: &[u8]) {
        let start = (self.end - self.at) as u32;
        self.put(slot, start.to_le_bytes());
        self.put(Slot { at: slot.at + 4, ..slot }, (text.len() as u32).to_le_bytes());
        let start = self.end;
        self.end += text.len();
        if self.bytes.len() < self.end {
            self.bytes.resize(self.end + Self::FULL, 0);
        }
        self.bytes[start..self.end].copy_from_slice(text);
    }

    /// The row that is being written, when all of it is.
    #[inline]
    pub(crate) fn current<'a>(&'a self, layout: &'a RowLayout) -> Row<'a> {
        Row { layout, bytes: &self.bytes[self.at..self.end] }
    }

    /// Ends the row.
    #[inline]
    pub(crate) fn finish(&mut self, layout: &RowLayout) {
        if let Some(at) = layout.length_at {
            let length = (self.end - self.at) as u32;
            self.bytes[self.at + at..self.at + at + 4].copy_from_slice(&length.to_le_bytes());
        }
        self.at = self.end;
    }

    /// Starts some rows of one length, all zeros but for what is put into them, and returns them.
    pub(crate) fn start_block(&mut self, layout: &RowLayout, rows: usize) -> &mut [u8] {
        if self.end > self.at {
            self.bytes[self.at..self.end].fill(0);
        }
        self.end = self.at + rows * layout.fixed;
        if self.bytes.len() < self.end {
            self.bytes.resize(self.end + Self::FULL, 0);
        }
        self.block()
    }

    /// The rows that were started.
    pub(crate) fn block(&mut self) -> &mut [u8] {
        &mut self.bytes[self.at..self.end]
    }

    /// Ends the first of the rows that were started; the others are gone.
    pub(crate) fn finish_block(&mut self, layout: &RowLayout, rows: usize) {
        self.at += rows * layout.fixed;
        self.bytes[self.at..self.end].fill(0);
        self.end = self.at;
    }

    /// Whether the finished rows should be used.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.at >= Self::FULL
    }

    /// The finished rows.
    pub(crate) fn rows(&self) -> &[u8] {
        &self.bytes[..self.at]
    }

    /// Gives the finished rows to `visit`, and forgets them.
    pub(crate) fn drain(&mut self, layout: &RowLayout, visit: impl FnOnce(Rows<'_>)) {
        visit(Rows { layout, bytes: self.rows() });
        self.bytes[..self.end].fill(0);
        (self.at, self.end) = (0, 0);
    }
}
