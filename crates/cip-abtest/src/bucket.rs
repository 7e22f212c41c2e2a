//! The published bucketing hashes of GrowthBook: 32-bit FNV-1a over UTF-8 bytes.

use std::fmt::{self, Write};

use cip_core::IdRef;

use crate::id_hash::decimal::Digits;

/// How many buckets [`bucket_v2`] has.
pub const BUCKETS: u16 = 10_000;

/// Returns the bucket of an id, `0..10_000`, by version 2 of the hash; an integer id is hashed as its decimal
/// digits.
///
/// # Formula
/// `fnv1a32(decimal(fnv1a32(seed + id))) % 10000`, over UTF-8 bytes. The published hash is this number divided
/// by 10,000.
///
/// # Method
/// GrowthBook's SDK specification, `hashVersion` 2. Its JavaScript SDK hashes UTF-16 code units instead of UTF-8
/// bytes: ids beyond ASCII fall elsewhere there, and where [`IdHash::GrowthbookV2Utf16`](crate::IdHash::GrowthbookV2Utf16) puts
/// them.
///
/// # Examples
/// ```
/// use cip_core::IdRef;
/// assert_eq!(cip_abtest::bucket_v2("seed", IdRef::Utf8("a")), 505);
/// assert_eq!(cip_abtest::bucket_v2("seed", IdRef::Int64(-7)), cip_abtest::bucket_v2("seed", IdRef::Utf8("-7")));
/// ```
pub fn bucket_v2(seed: &str, id: IdRef<'_>) -> u16 {
    let mut inner = Fnv1a32::default();
    inner.update(seed.as_bytes());
    inner.update_id(id);
    let mut outer = Fnv1a32::default();
    outer.update_number(inner.hash.into());
    (outer.hash % u32::from(BUCKETS)) as u16
}

/// Returns the bucket of an id, `0..1_000`, by version 1 of the hash, which correlates between experiments: for
/// reading the arms of old ones.
///
/// # Formula
/// `fnv1a32(id + seed) % 1000`, over UTF-8 bytes. The published hash is this number divided by 1,000.
pub fn bucket_v1(seed: &str, id: IdRef<'_>) -> u16 {
    let mut hash = Fnv1a32::default();
    hash.update_id(id);
    hash.update(seed.as_bytes());
    (hash.hash % 1_000) as u16
}

/// [`bucket_v2`] over UTF-16 code units.
pub(crate) fn bucket_v2_utf16(seed: &str, id: IdRef<'_>) -> u16 {
    let mut inner = Utf16(Fnv1a32::default());
    // This writer never fails.
    let _ = write!(inner, "{seed}{id}");
    let mut outer = Fnv1a32::default();
    outer.update_number(inner.0.hash.into());
    (outer.hash % u32::from(BUCKETS)) as u16
}

/// [`bucket_v1`] over UTF-16 code units.
pub(crate) fn bucket_v1_utf16(seed: &str, id: IdRef<'_>) -> u16 {
    let mut hash = Utf16(Fnv1a32::default());
    let _ = write!(hash, "{id}{seed}");
    (hash.0.hash % 1_000) as u16
}

/// Hashes each UTF-16 code unit as if it were a byte.
struct Utf16(Fnv1a32);

impl Write for Utf16 {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for unit in text.encode_utf16() {
            self.0.hash = (self.0.hash ^ u32::from(unit)).wrapping_mul(0x0100_0193);
        }
        Ok(())
    }
}

/// The state of a hash of 32 bits by FNV-1a.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fnv1a32 {
    pub(crate) hash: u32,
}

impl Default for Fnv1a32 {
    fn default() -> Self {
        Self { hash: 0x811c_9dc5 }
    }
}

impl Fnv1a32 {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.hash = (self.hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }

    /// Hashes the text of an id.
    fn update_id(&mut self, id: IdRef<'_>) {
        match id {
            IdRef::Utf8(text) => self.update(text.as_bytes()),
            IdRef::Int64(number) => self.update_number(number),
        }
    }

    /// Hashes the decimal digits of a number.
    fn update_number(&mut self, number: i64) {
        match Digits::of(number) {
            Some(digits) => self.update(&digits.bytes()[16 - digits.len..]),
            None => self.update_text(number),
        }
    }

    /// Hashes what the value prints, without a text in between.
    fn update_text(&mut self, value: impl fmt::Display) {
        // This writer never fails.
        let _ = write!(self, "{value}");
    }
}

impl Write for Fnv1a32 {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.update(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growthbooks_published_cases() {
        // growthbook, packages/sdk-js/test/cases.json, section `hash`.
        for (seed, id, bucket) in [("", "a", 220), ("b", "a", 946), ("", "123", 11)] {
            assert_eq!(bucket_v1(seed, IdRef::Utf8(id)), bucket, "{seed:?} {id:?}");
        }
        for (seed, id, bucket) in [
            ("seed", "a", 505),
            ("seed", "b", 2696),
            ("foo", "ab", 2575),
            ("90850943850283058242805", "123", 7516),
        ] {
            assert_eq!(bucket_v2(seed, IdRef::Utf8(id)), bucket, "{seed:?} {id:?}");
        }
        assert_eq!(bucket_v2("90850943850283058242805", IdRef::Int64(123)), 7516);
    }

    #[test]
    fn text_is_hashed_as_utf_8_or_as_utf_16() {
        assert_eq!(bucket_v2("seed", IdRef::Utf8("é用户")), 9118);
        assert_eq!(bucket_v2_utf16("seed", IdRef::Utf8("é用户")), 3398);
        // Of ASCII they are the same.
        for id in ["a", "ab", "123", ""] {
            assert_eq!(bucket_v2("seed", IdRef::Utf8(id)), bucket_v2_utf16("seed", IdRef::Utf8(id)));
            assert_eq!(bucket_v1("seed", IdRef::Utf8(id)), bucket_v1_utf16("seed", IdRef::Utf8(id)));
        }
    }

    #[test]
    fn the_hash_of_nothing_is_the_offset_basis() {
        // The FNV specification's test vectors for the empty text, "a" and "foobar".
        for (text, hash) in [("", 0x811c_9dc5), ("a", 0xe40c_292c), ("foobar", 0xbf9c_f968)] {
            let mut fnv = Fnv1a32::default();
            fnv.update(text.as_bytes());
            assert_eq!(fnv.hash, hash, "{text:?}");
        }
    }
}
