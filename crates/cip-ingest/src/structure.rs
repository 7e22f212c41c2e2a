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
        // A step writes eight or sixteen places at once, whatever it finds.
        let most = data.len() + BLOCK;
        if self.ends.len() < most {
            self.ends.resize(most, 0);
            self.lines.resize(most, 0);
        }
        self.clear();
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let with_bits = has!("bmi1") && has!("popcnt");
            if with_bits && has!("avx512f") && has!("avx512bw") && has!("avx512vbmi2") {
                #[expect(unsafe_code, reason = "calls what the processor was asked for")]
                // SAFETY: the processor has the features that the function is compiled for.
                unsafe {
                    self.scan_avx512(data, marks);
                }
                return;
            }
            if with_bits && has!("avx2") {
                #[expect(unsafe_code, reason = "calls what the processor was asked for")]
                // SAFETY: the processor has the three features that the function is compiled for.
                unsafe {
                    self.scan_avx2(data, marks);
                }
                return;
            }
        }
        self.scan_with(data, marks, masks, places);
    }

    /// Forgets what was found.
    pub(crate) fn clear(&mut self) {
        (self.found, self.lines_found) = (0, 0);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,popcnt")]
    fn scan_avx2(&mut self, data: &[u8], marks: Marks) {
        self.scan_with(data, marks, |block, marks| masks_avx2(block, marks), places);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,popcnt")]
    fn scan_avx512(&mut self, data: &[u8], marks: Marks) {
        self.scan_with(
            data,
            marks,
            |block, marks| masks_avx512(block, marks),
            |bits, at, into| places_avx512(bits, at, into),
        );
    }

    #[inline(always)]
    fn scan_with(
        &mut self,
        data: &[u8],
        marks: Marks,
        masks: impl Fn(&[u8; BLOCK], Marks) -> Masks,
        places: impl Fn(u64, usize, &mut [u32]) -> usize,
    ) {
        let (blocks, rest) = data.as_chunks::<BLOCK>();
        for (index, block) in blocks.iter().enumerate() {
            if !self.take(index * BLOCK, masks(block, marks), &places) {
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
            self.take(blocks.len() * BLOCK, found, &places);
        }
    }

    /// Enters a block; false behind a quote.
    #[inline(always)]
    fn take(
        &mut self,
        at: usize,
        mut masks: Masks,
        places: impl Fn(u64, usize, &mut [u32]) -> usize,
    ) -> bool {
        let quoted = masks.quotes != 0;
        if quoted {
            let before = (masks.quotes & masks.quotes.wrapping_neg()) - 1;
            masks.delimiters &= before;
            masks.lines &= before;
        }
        self.found += places(masks.delimiters | masks.lines, at, &mut self.ends[self.found..]);
        // Whether a block has a line end is hard to foretell: its place is written in any case.
        let mut lines = masks.lines;
        loop {
            self.lines[self.lines_found] = at as u32 + lines.trailing_zeros();
            self.lines_found += usize::from(lines != 0);
            lines &= lines.wrapping_sub(1);
            if lines == 0 {
                break;
            }
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

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn masks_avx512(block: &[u8; BLOCK], Marks { delimiter, quote }: Marks) -> Masks {
    use std::arch::x86_64::{_mm512_cmpeq_epi8_mask, _mm512_set_epi64, _mm512_set1_epi8};

    let (words, _) = block.as_chunks::<8>();
    let word = |at: usize| i64::from_le_bytes(words[at]);
    let all = _mm512_set_epi64(word(7), word(6), word(5), word(4), word(3), word(2), word(1), word(0));
    let bits = |wanted: u8| _mm512_cmpeq_epi8_mask(all, _mm512_set1_epi8(wanted.cast_signed()));
    Masks { delimiters: bits(delimiter), lines: bits(b'\n'), quotes: quote.map_or(0, bits) }
}

/// The same as [`places`], sixteen at once.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
#[inline]
fn places_avx512(bits: u64, at: usize, into: &mut [u32]) -> usize {
    use std::arch::x86_64::{
        __m128i, __m512i, _mm512_add_epi32, _mm512_cvtepu8_epi32, _mm512_maskz_compress_epi8,
        _mm512_set1_epi32,
    };

    /// The number of each byte.
    const NUMBERS: [u8; BLOCK] = {
        let mut numbers = [0; BLOCK];
        let mut at = 0;
        while at < BLOCK {
            numbers[at] = at as u8;
            at += 1;
        }
        numbers
    };
    let count = bits.count_ones() as usize;
    #[expect(unsafe_code, reason = "registers as the bytes that they are")]
    // SAFETY: both sides are plain bytes of the same number, and any bytes are a value of either.
    let lanes: [__m128i; 4] = unsafe {
        let numbers: __m512i = std::mem::transmute(NUMBERS);
        std::mem::transmute(_mm512_maskz_compress_epi8(bits, numbers))
    };
    let first = _mm512_set1_epi32(at as i32);
    for (sixteen, lane) in into.as_chunks_mut::<16>().0.iter_mut().zip(lanes).take(count.div_ceil(16)) {
        #[expect(unsafe_code, reason = "a register as the numbers that it is")]
        // SAFETY: both sides are plain numbers of the same size, and any bytes are a value of either.
        let places: [u32; 16] =
            unsafe { std::mem::transmute(_mm512_add_epi32(_mm512_cvtepu8_epi32(lane), first)) };
        *sixteen = places;
    }
    count
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
                structure.clear();
                structure.scan_with(data, marks, masks, places);
                prop_assert_eq!((structure.ends(), structure.lines()), (&ends[..], &lines[..]));
                // Where the processor has more, it was not asked for that.
                #[cfg(target_arch = "x86_64")]
                if std::arch::is_x86_feature_detected!("avx2") {
                    structure.clear();
                    #[expect(unsafe_code, reason = "calls what the processor was asked for")]
                    // SAFETY: processors with AVX2 have the other features too.
                    unsafe {
                        structure.scan_avx2(data, marks);
                    }
                    prop_assert_eq!((structure.ends(), structure.lines()), (&ends[..], &lines[..]));
                }
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
