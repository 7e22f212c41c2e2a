//! The bytes of an object in their order, the next ones on their way while some are parsed.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;

use super::failure::Failure;
use super::fetch::{Object, Pending};

/// The first range of an object: enough for its header, and all of a small one.
pub(super) const FIRST_RANGE: u64 = 256 << 10;
/// Ranges grow by this factor, up to the longest.
const GROWTH: u64 = 4;
const LONGEST_RANGE: u64 = 8 << 20;
/// Ranges on their way while one is parsed.
const RANGES_AHEAD: usize = 2;
/// Probes on their way at once.
const PROBES_AHEAD: usize = 16;

/// What reading objects takes: the ranges of the one that is read, the first ranges of those that follow, and what the
/// connections hold.
pub(crate) const READ_AHEAD_BYTES: u64 = (RANGES_AHEAD as u64 + 1) * LONGEST_RANGE + (6 << 20);

/// Reads an object from its start.
#[derive(Debug)]
pub(crate) struct ObjectReader {
    object: Arc<Object>,
    current: Bytes,
    pending: VecDeque<Pending<Bytes>>,
    /// Where the next range starts that is asked for, and how long it is.
    next: u64,
    length: u64,
    longest: u64,
    /// Ranges that were taken. The first comes alone: of many objects no more than the header is wanted.
    taken: usize,
    failed: Option<Failure>,
}

impl ObjectReader {
    pub(crate) fn new(object: Arc<Object>) -> Self {
        let first = object.take_first();
        let next = if first.is_some() { object.bytes().min(FIRST_RANGE) } else { 0 };
        let length = if first.is_some() { FIRST_RANGE * GROWTH } else { FIRST_RANGE };
        Self {
            object,
            current: Bytes::new(),
            pending: first.into_iter().collect(),
            next,
            length,
            longest: LONGEST_RANGE,
            taken: 0,
            failed: None,
        }
    }

    /// Returns the next range; an empty one at the end.
    fn advance(&mut self) -> Result<Bytes, Failure> {
        if let Some(failure) = &self.failed {
            return Err(failure.clone());
        }
        while self.pending.len() <= self.taken.min(RANGES_AHEAD) && self.next < self.object.bytes() {
            let end = (self.next + self.length).min(self.object.bytes());
            self.pending.push_back(self.object.ask(self.next..end));
            self.next = end;
            self.length = (self.length * GROWTH).min(self.longest);
        }
        let Some(range) = self.pending.pop_front() else { return Ok(Bytes::new()) };
        self.taken += 1;
        let range = range.wait();
        if let Err(failure) = &range {
            self.failed = Some(failure.clone());
            self.pending.clear();
        }
        range
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.current.is_empty() {
            // What was read is gone before more is waited for.
            self.current = Bytes::new();
            self.current = self.advance()?;
        }
        let read = buffer.len().min(self.current.len());
        buffer[..read].copy_from_slice(&self.current.split_to(read));
        Ok(read)
    }
}

/// Reads some places of an object, several at once.
pub(crate) struct ObjectRanges {
    object: Arc<Object>,
    offsets: Box<dyn Iterator<Item = u64>>,
    length: u64,
    pending: VecDeque<Pending<Bytes>>,
}

impl ObjectRanges {
    pub(crate) fn new(
        object: Arc<Object>,
        offsets: impl Iterator<Item = u64> + 'static,
        length: usize,
    ) -> Self {
        let inside = object.bytes();
        let offsets = Box::new(offsets.filter(move |&offset| offset < inside));
        Self { object, offsets, length: length as u64, pending: VecDeque::new() }
    }
}

impl Iterator for ObjectRanges {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.pending.len() < PROBES_AHEAD {
            let Some(offset) = self.offsets.next() else { break };
            let end = (offset + self.length).min(self.object.bytes());
            self.pending.push_back(self.object.ask(offset..end));
        }
        let range = self.pending.pop_front()?;
        Some(range.wait().map(|bytes| bytes.to_vec()).map_err(io::Error::from))
    }
}

#[cfg(test)]
mod tests;
