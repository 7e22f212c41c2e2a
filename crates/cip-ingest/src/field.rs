//! The fields of one record: texts with the bytes that follow them.

use crate::record::{FieldSpan, unescape};

/// The text of a field, with the bytes that follow it: words are read across its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldText<'a> {
    ahead: &'a [u8],
    length: usize,
}

impl<'a> FieldText<'a> {
    /// The field that starts at `start` in `data` and is `length` bytes long.
    #[inline(always)]
    pub(crate) fn new(data: &'a [u8], start: usize, length: usize) -> Self {
        Self { ahead: &data[start..], length }
    }

    /// A text with nothing behind it.
    pub(crate) fn alone(text: &'a [u8]) -> Self {
        Self { ahead: text, length: text.len() }
    }

    #[inline(always)]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        &self.ahead[..self.length]
    }

    /// The text and all that follows.
    #[inline(always)]
    pub(crate) fn ahead(&self) -> &'a [u8] {
        self.ahead
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Eight bytes from `at` on, the first in the lowest bits; none where the data ends before.
    #[inline(always)]
    pub(crate) fn word(&self, at: usize) -> Option<u64> {
        self.ahead.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// The text in words that are filled with zeros, and its length; none where it is longer than 32 bytes.
    #[inline(always)]
    pub(crate) fn words(&self) -> Option<([u64; 4], usize)> {
        let (words, _) = self.ahead.first_chunk::<32>()?.as_chunks::<8>();
        let mut texts = [0; 4];
        for (index, (text, word)) in texts.iter_mut().zip(words).enumerate() {
            let bits = (8 * self.length).saturating_sub(64 * index);
            let mask = if bits >= 64 { u64::MAX } else { !(u64::MAX << bits) };
            *text = u64::from_le_bytes(*word) & mask;
        }
        (self.length <= 32).then_some((texts, self.length))
    }
}

/// A record that was split into as many fields as the header has.
pub(crate) trait Fields {
    /// The text of a field; `buffer` is for texts that do not stand in the record as they are.
    fn field<'a>(&'a self, index: usize, buffer: &'a mut Vec<u8>) -> FieldText<'a>;
}

/// The fields of a line without quotes.
pub(crate) struct PlainFields<'a> {
    data: &'a [u8],
    /// Where places count from, where the line starts, and where its last field ends.
    base: usize,
    start: usize,
    end: usize,
    /// The end of every field.
    ends: &'a [u32],
}

impl<'a> PlainFields<'a> {
    /// `ends` are those of the line's fields, counted from `base` on: at least two, the last at the line feed.
    #[inline(always)]
    pub(crate) fn new(data: &'a [u8], base: usize, start: usize, ends: &'a [u32]) -> Self {
        let end = base + ends[ends.len() - 1] as usize;
        let end = end - usize::from(data[end - 1] == b'\r');
        Self { data, base, start, end, ends }
    }
}

impl Fields for PlainFields<'_> {
    #[inline(always)]
    fn field<'a>(&'a self, index: usize, _: &'a mut Vec<u8>) -> FieldText<'a> {
        let start =
            index.checked_sub(1).map_or(self.start, |before| self.base + self.ends[before] as usize + 1);
        let end = if index + 1 == self.ends.len() { self.end } else { self.base + self.ends[index] as usize };
        FieldText::new(self.data, start, end - start)
    }
}

/// The fields of any record.
pub(crate) struct SplitFields<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) spans: &'a [FieldSpan],
}

impl Fields for SplitFields<'_> {
    fn field<'a>(&'a self, index: usize, buffer: &'a mut Vec<u8>) -> FieldText<'a> {
        let span = self.spans[index];
        if span.escaped {
            FieldText::alone(unescape(&self.text[span.start..span.end], true, buffer))
        } else {
            FieldText::new(self.text, span.start, span.end - span.start)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_hold_the_text(text in "[a-zé]{0,20}", behind in "[a-z]{0,40}") {
            let data = format!("{text}{behind}");
            let words = FieldText::new(data.as_bytes(), 0, text.len()).words();
            if let Some((words, length)) = words {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                prop_assert_eq!(&bytes[..length], text.as_bytes());
                prop_assert!(bytes[length..].iter().all(|&byte| byte == 0));
            } else {
                prop_assert!(text.len() > 32 || text.len() + behind.len() < 32);
            }
        }
    }
}
