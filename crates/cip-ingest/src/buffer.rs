//! Buffers of bytes that are used again: neither asked of the system nor filled with zeros a second time.

use std::ops::Deref;
use std::sync::Arc;

use crate::idle::Idle;

/// Bytes, and behind them room that was used before.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
}

impl Buffer {
    /// Lets the buffer be `length` bytes long and returns those that are new, which hold anything.
    pub(crate) fn room(&mut self, length: usize) -> &mut [u8] {
        let before = std::mem::replace(&mut self.length, length);
        if before == 0 && self.bytes.len() < length {
            // The system gives zeros; growing would copy what nobody wants.
            self.bytes = vec![0; length];
        } else if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        &mut self.bytes[before..length]
    }

    /// Makes room for `length` bytes in all.
    pub(crate) fn reserve(&mut self, length: usize) {
        if self.bytes.len() < length {
            let before = self.length;
            self.room(length);
            self.length = before;
        }
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.room(self.length + bytes.len()).copy_from_slice(bytes);
    }

    /// Leaves the first `length` bytes, of which there are as many.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Removes the first `bytes` bytes.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.bytes.copy_within(bytes..self.length, 0);
        self.length -= bytes;
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { length: bytes.len(), bytes }
    }
}

/// Buffers that nobody uses now.
#[derive(Debug, Clone)]
pub(crate) struct SpareBuffers {
    buffers: Arc<Idle<Buffer>>,
    most: usize,
}

impl SpareBuffers {
    /// Keeps up to `most` buffers.
    pub(crate) fn new(most: usize) -> Self {
        Self { buffers: Arc::default(), most }
    }

    /// Returns an empty buffer.
    pub(crate) fn take(&self) -> Buffer {
        let mut buffer = self.buffers.take().unwrap_or_default();
        buffer.truncate(0);
        buffer
    }

    pub(crate) fn give(&self, buffer: Buffer) {
        self.buffers.give(buffer, self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_in_a_buffer_is_gone() {
        let spare = SpareBuffers::new(1);
        let mut buffer = spare.take();
        buffer.reserve(9);
        buffer.extend(b"abcdef");
        buffer.reserve(4);
        buffer.consume(2);
        assert_eq!(&*buffer, b"cdef");
        buffer.truncate(3);
        buffer.room(5).copy_from_slice(b"gh");
        assert_eq!(&*buffer, b"cdegh");
        spare.give(buffer);
        assert_eq!(&*spare.take(), b"");
    }
}
