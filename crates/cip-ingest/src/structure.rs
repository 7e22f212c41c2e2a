//! Where fields and records end, found for many records in one pass over their bytes.

use crate::record::Marks;

/// Bytes looked at in one pass: they and the places found stay in the processor's first cache.
const WINDOW: usize = 16 << 10;
/// Bytes looked at in one step: a bit each.
const BLOCK: usize = u64::BITS as usize;

/// The ends of the fields of some records without quotes.
///
/// Places count from where the pass started, so that they take four bytes.
#[derive(Debug, Default)]
pub(crate) struct Structure {
    /// Every delimiter and every line feed, ascending.
    ends: Vec<u32>,
    found: usize,
    /// Every line feed.
    lines: Vec<u32>,
    lines_found: usize,
}

/// What a block of bytes holds, a bit for each byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Masks {
    delimiters: u64,
    lines: u64,
    quotes: u64,
}

impl Structure {
    /// Finds the ends in `data` from its start on, up to the first quote and not much further than 16 KiB.
    pub(crate) fn scan(&mut self, data: &[u8], marks: Marks) {
        let data = &data[..data.len().min(WINDOW)];
        // A step writes eight places at once, whatever it finds.
        let most = data.len() + BLOCK;
        if self.ends.len() < most {
            self.ends.resize(most, 0);
            self.lines.resize(most, 0);
        }
        self.clear();
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx2") && has!("bmi1") && has!("popcnt") {
                #[expect(unsafe_code, reason = "calls what the processor was asked for")]
                // SAFETY: the processor has the three features that the function is compiled for.
                unsafe {
                    self.scan_avx2(data, marks);
                }
                return;
            }
        }
        self.scan_with(data, marks, masks);
    }

    /// Forgets what was found.
    pub(crate) fn clear(&mut self) {
        (self.found, self.lines_found) = (0, 0);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,popcnt")]
    fn scan_avx2(&mut self, data: &[u8], marks: Marks) {
        self.scan_with(data, marks, |block, marks| masks_avx2(block, marks));
    }

    #[inline(always)]
    fn scan_with(&mut self, data: &[u8], marks: Marks, masks: impl Fn(&[u8; BLOCK], Marks) -> Masks) {
        let (blocks, rest) = data.as_chunks::<BLOCK>();
        for (index, block) in blocks.iter().enumerate() {
            if !self.take(index * BLOCK, masks(block, marks)) {
                return;
            }
        }
        if !rest.is_empty() {
            let mut block = [0; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            let found = masks(&block, marks);
            let inside = !(u64::MAX << rest.len());
            let found = Masks {
                delimiters: found.delimiters & inside,
                lines: found.lines & inside,
                quotes: found.quotes & inside,
            };
            self.take(blocks.len() * BLOCK, found);
        }
    }

    /// Enters a block; false behind a quote.
    #[inline(always)]
    fn take(&mut self, at: usize, mut masks: Masks) -> bool {
        let quoted = masks.quotes != 0;
        if quoted {
            let before = (masks.quotes & masks.quotes.wrapping_neg()) - 1;
            masks.delimiters &= before;
            masks.lines &= before;
        }
        self.found += places(masks.delimiters | masks.lines, at, &mut self.ends[self.found..]);
        let mut lines = masks.lines;
        while lines != 0 {
            self.lines[self.lines_found] = at as u32 + lines.trailing_zeros();
            self.lines_found += 1;
            lines &= lines - 1;
        }
        !quoted
    }

    /// Every delimiter and every line feed, ascending.
    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends[..self.found]
    }

    /// Every line feed, ascending.
    pub(crate) fn lines(&self) -> &[u32] {
        &self.lines[..self.lines_found]
    }
}

/// Writes the places of the bits and returns how many there are. Eight are written at once: how many bits a block has
/// is hard to foretell, whether there are more than eight is easy.
#[inline(always)]
fn places(mut bits: u64, at: usize, into: &mut [u32]) -> usize {
    let count = bits.count_ones() as usize;
    for eight in into.as_chunks_mut::<8>().0.iter_mut().take(count.div_ceil(8)) {
        for place in eight {
            *place = at as u32 + bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
        }
    }
    count
}

/// The plain way, on any processor, and what the other ways are held to.
fn masks(block: &[u8; BLOCK], Marks { delimiter, quote }: Marks) -> Masks {
    let bits = |wanted: u8| {
        block.iter().enumerate().fold(0, |bits, (at, &byte)| bits | u64::from(byte == wanted) << at)
    };
    Masks { delimiters: bits(delimiter), lines: bits(b'\n'), quotes: quote.map_or(0, bits) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn masks_avx2(block: &[u8; BLOCK], Marks { delimiter, quote }: Marks) -> Masks {
    use std::arch::x86_64::{_mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_set_epi64x, _mm256_set1_epi8};

    let (words, _) = block.as_chunks::<8>();
    let word = |at: usize| i64::from_le_bytes(words[at]);
    let low = _mm256_set_epi64x(word(3), word(2), word(1), word(0));
    let high = _mm256_set_epi64x(word(7), word(6), word(5), word(4));
    let bits = |wanted: u8| {
        let wanted = _mm256_set1_epi8(wanted.cast_signed());
        let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)).cast_unsigned();
        let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)).cast_unsigned();
        u64::from(low) | u64::from(high) << 32
    };
    Masks { delimiters: bits(delimiter), lines: bits(b'\n'), quotes: quote.map_or(0, bits) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn oracle(data: &[u8], Marks { delimiter, quote }: Marks) -> (Vec<u32>, Vec<u32>) {
        let plain: Vec<(u32, u8)> =
            (0..).zip(data.iter().copied()).take_while(|(_, byte)| Some(*byte) != quote).collect();
        let places = |wanted: &dyn Fn(u8) -> bool| {
            plain.iter().filter(|(_, byte)| wanted(*byte)).map(|(at, _)| *at).collect()
        };
        (places(&|byte| byte == delimiter || byte == b'\n'), places(&|byte| byte == b'\n'))
    }

    proptest! {
        #[test]
        fn places_are_those_that_are_found_byte_by_byte(
            texts in proptest::collection::vec("[ab,;\n]{0,90}", 1..4),
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            delimiter in prop_oneof![Just(b','), Just(b';'), Just(0)],
            quote in proptest::sample::select(vec![Some(b'"'), Some(b'a'), None]),
        ) {
            let (mut structure, marks) = (Structure::default(), Marks { delimiter, quote });
            for data in [texts.concat().as_bytes(), texts.join("\"").as_bytes(), &bytes] {
                structure.scan(data, marks);
                let (ends, lines) = oracle(data, marks);
                prop_assert_eq!((structure.ends(), structure.lines()), (&ends[..], &lines[..]));
                structure.found = 0;
                structure.lines_found = 0;
                structure.scan_with(data, marks, masks);
                prop_assert_eq!((structure.ends(), structure.lines()), (&ends[..], &lines[..]));
            }
        }
    }

    #[test]
    fn only_a_window_is_looked_at() {
        let mut structure = Structure::default();
        structure.scan(&vec![b','; 3 * WINDOW], Marks::usual(b','));
        assert_eq!(structure.ends().len(), WINDOW);
    }
}
