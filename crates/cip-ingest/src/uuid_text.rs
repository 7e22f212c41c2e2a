//! UUIDs as texts, all digits in a few steps where the processor can.

use cip_core::Uuid;

/// How UUIDs are read on this processor.
#[derive(Debug, Clone, Copy)]
pub(crate) enum UuidReader {
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl UuidReader {
    pub(crate) fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Self::Avx2;
        }
        Self::Plain
    }

    /// Returns the UUID that `text` writes, or none.
    #[inline(always)]
    pub(crate) fn read(self, text: &[u8]) -> Option<Uuid> {
        match self {
            Self::Plain => Uuid::parse(text),
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls what the processor was asked for")]
            // SAFETY: the processor has the feature that the function is compiled for.
            Self::Avx2 => unsafe { read_avx2(text.try_into().ok()?) },
        }
    }
}

/// The digits are brought together from overlapping parts of the text, 32 in a register; the hyphens are looked at by
/// themselves.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn read_avx2(text: &[u8; 36]) -> Option<Uuid> {
    use std::arch::x86_64::{
        __m128i, _mm_cvtsi128_si64, _mm_extract_epi64, _mm_packus_epi16, _mm_set_epi8, _mm_set_epi64x,
        _mm_shuffle_epi8, _mm256_add_epi8, _mm256_and_si256, _mm256_castsi256_si128, _mm256_cmpeq_epi8,
        _mm256_extracti128_si256, _mm256_maddubs_epi16, _mm256_min_epu8, _mm256_movemask_epi8,
        _mm256_or_si256, _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_sub_epi8,
    };

    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&text[at..at + 8]);
        i64::from_le_bytes(bytes)
    };
    let sixteen = |at: usize| _mm_set_epi64x(word(at + 8), word(at));
    let hyphens = [8, 13, 18, 23].iter().fold(0, |differ, &at| differ | (text[at] ^ b'-'));
    // Digits 0 to 7, 9 to 12, 14 to 17; 19 to 22, 24 to 35.
    const NONE: i8 = -1;
    let first: __m128i =
        _mm_shuffle_epi8(sixteen(0), _mm_set_epi8(NONE, NONE, 15, 14, 12, 11, 10, 9, 7, 6, 5, 4, 3, 2, 1, 0));
    let second = _mm_shuffle_epi8(
        sixteen(2),
        _mm_set_epi8(
            15, 14, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE,
        ),
    );
    let third = _mm_shuffle_epi8(
        sixteen(16),
        _mm_set_epi8(NONE, NONE, NONE, NONE, 15, 14, 13, 12, 11, 10, 9, 8, 6, 5, 4, 3),
    );
    let fourth = _mm_shuffle_epi8(
        sixteen(20),
        _mm_set_epi8(15, 14, 13, 12, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE),
    );
    let digits = _mm256_or_si256(_mm256_set_m128i(third, first), _mm256_set_m128i(fourth, second));
    // What a digit or a letter writes, and which of them it is.
    let number = _mm256_sub_epi8(digits, _mm256_set1_epi8(b'0'.cast_signed()));
    let is_number = _mm256_cmpeq_epi8(_mm256_min_epu8(number, _mm256_set1_epi8(9)), number);
    let lower = _mm256_or_si256(digits, _mm256_set1_epi8(0x20));
    let letter = _mm256_sub_epi8(lower, _mm256_set1_epi8(b'a'.cast_signed()));
    let is_letter = _mm256_cmpeq_epi8(_mm256_min_epu8(letter, _mm256_set1_epi8(5)), letter);
    if hyphens != 0 || _mm256_movemask_epi8(_mm256_or_si256(is_number, is_letter)) != -1 {
        return None;
    }
    let letter = _mm256_add_epi8(letter, _mm256_set1_epi8(10));
    let nibbles = _mm256_or_si256(_mm256_and_si256(number, is_number), _mm256_and_si256(letter, is_letter));
    // Sixteen times the first of two, and the second.
    let bytes = _mm256_maddubs_epi16(nibbles, _mm256_set1_epi16(0x0110));
    let bytes = _mm_packus_epi16(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256::<1>(bytes));
    let mut uuid = [0; 16];
    uuid[..8].copy_from_slice(&_mm_cvtsi128_si64(bytes).to_le_bytes());
    uuid[8..].copy_from_slice(&_mm_extract_epi64::<1>(bytes).to_le_bytes());
    Some(Uuid::from_bytes(uuid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_is_read_in_the_plain_way(
            text in "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
            at in 0usize..36,
            byte: u8,
            length in 0usize..40,
        ) {
            let reader = UuidReader::new();
            let mut text = text.into_bytes();
            prop_assert!(reader.read(&text).is_some());
            prop_assert_eq!(reader.read(&text), Uuid::parse(&text));
            text[at] = byte;
            prop_assert_eq!(reader.read(&text), Uuid::parse(&text));
            text.resize(length, b'0');
            prop_assert_eq!(reader.read(&text), Uuid::parse(&text));
        }
    }
}
