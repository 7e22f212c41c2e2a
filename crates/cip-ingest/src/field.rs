//! The fields of one record: texts with the bytes that follow them.

use std::ops::RangeInclusive;

use crate::record::{Escape, FieldSpan, unescape};

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

    /// The text in words that are filled with zeros; none where it is longer than 32 bytes.
    #[inline(always)]
    pub(crate) fn words(&self) -> Option<TextWords> {
        let (words, _) = self.ahead.first_chunk::<32>()?.as_chunks::<8>();
        let masks = MASKS.get(self.length)?;
        let word = |at: usize| u64::from_le_bytes(words[at]) & masks[at];
        Some(TextWords { length: self.length as u64, a: word(0), b: word(1), c: word(2), d: word(3) })
    }
}

/// A text of at most 32 bytes. Fields, not an array: an array is compared from memory, right after it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TextWords {
    pub(crate) length: u64,
    pub(crate) a: u64,
    pub(crate) b: u64,
    pub(crate) c: u64,
    pub(crate) d: u64,
}

/// What is left of four words in a text of so many bytes.
static MASKS: [[u64; 4]; 33] = {
    let mut masks = [[0; 4]; 33];
    let mut length = 0;
    while length <= 32 {
        let mut byte = 0;
        while byte < length {
            masks[length][byte / 8] |= 0xff << (8 * (byte % 8));
            byte += 1;
        }
        length += 1;
    }
    masks
};

/// A record that was split into as many fields as the header has.
pub(crate) trait Fields {
    /// The text of a field; `buffer` is for texts that do not stand in the record as they are.
    fn field<'a>(&'a self, index: usize, buffer: &'a mut Vec<u8>) -> FieldText<'a>;

    /// The text of some neighbouring fields with what is between them; none where it does not stand in the record as it is.
    fn span(&self, fields: RangeInclusive<usize>) -> Option<FieldText<'_>>;
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

impl PlainFields<'_> {
    #[inline(always)]
    fn start(&self, field: usize) -> usize {
        field.checked_sub(1).map_or(self.start, |before| self.base + self.ends[before] as usize + 1)
    }

    #[inline(always)]
    fn end(&self, field: usize) -> usize {
        if field + 1 == self.ends.len() { self.end } else { self.base + self.ends[field] as usize }
    }
}

impl Fields for PlainFields<'_> {
    #[inline(always)]
    fn field<'a>(&'a self, index: usize, _: &'a mut Vec<u8>) -> FieldText<'a> {
        let start = self.start(index);
        FieldText::new(self.data, start, self.end(index) - start)
    }

    #[inline(always)]
    fn span(&self, fields: RangeInclusive<usize>) -> Option<FieldText<'_>> {
        let start = self.start(*fields.start());
        Some(FieldText::new(self.data, start, self.end(*fields.end()) - start))
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
        match span.escape {
            Escape::None => FieldText::new(self.text, span.start, span.end - span.start),
            escape => FieldText::alone(unescape(&self.text[span.start..span.end], escape, buffer)),
        }
    }

    fn span(&self, _: RangeInclusive<usize>) -> Option<FieldText<'_>> {
        None
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
            if let Some(TextWords { length, a, b, c, d }) = words {
                let length = length as usize;
                let bytes: Vec<u8> = [a, b, c, d].iter().flat_map(|word| word.to_le_bytes()).collect();
                prop_assert_eq!(&bytes[..length], text.as_bytes());
                prop_assert!(bytes[length..].iter().all(|&byte| byte == 0));
            } else {
                prop_assert!(text.len() > 32 || text.len() + behind.len() < 32);
            }
        }
    }
}
