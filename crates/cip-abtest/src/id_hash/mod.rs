//! From an id to a bucket: the hashes that services use.

pub(crate) mod column;
pub(crate) mod decimal;

use cip_core::IdRef;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::bucket::{BUCKETS, bucket_v1, bucket_v1_utf16, bucket_v2, bucket_v2_utf16};
use crate::id_hash::decimal::Digits;

/// The hash that takes seed and id to a bucket; an integer id is hashed as its decimal digits.
///
/// In an experiment's TOML `hash = "growthbook_v2"` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdHash {
    /// [`bucket_v2`]: GrowthBook's version 2 over UTF-8 bytes, 10,000 buckets.
    #[default]
    GrowthbookV2,
    /// The same over UTF-16 code units, as GrowthBook's JavaScript SDK has it.
    GrowthbookV2Utf16,
    /// [`bucket_v1`]: version 1, 1,000 buckets, which correlates between experiments.
    GrowthbookV1,
    /// The same over UTF-16 code units.
    GrowthbookV1Utf16,
    /// MurmurHash3 of 32 bits with the seed 1 over id and seed, in this order, by 10,000 buckets: Optimizely's, where the seed
    /// is the experiment's id.
    Murmur3,
    /// The upper 32 bits of XXH3 over seed and id: the fastest, and 2^32 buckets.
    Xxh3,
    /// The first 32 bits of MD5 over seed and id, 2^32 buckets.
    Md5,
}

impl IdHash {
    /// How many buckets there are.
    pub const fn buckets(self) -> u64 {
        match self {
            Self::GrowthbookV1 | Self::GrowthbookV1Utf16 => 1_000,
            Self::GrowthbookV2 | Self::GrowthbookV2Utf16 | Self::Murmur3 => BUCKETS as u64,
            Self::Xxh3 | Self::Md5 => 1 << 32,
        }
    }

    /// Returns the bucket of an id, from 0 up to [`IdHash::buckets`].
    ///
    /// # Examples
    /// ```
    /// use cip_abtest::IdHash;
    /// use cip_core::IdRef;
    /// assert_eq!(IdHash::GrowthbookV2.bucket("seed", IdRef::Utf8("a")), 505);
    /// assert_eq!(IdHash::Murmur3.bucket("1886780721", IdRef::Utf8("ppid1")), 5254);
    /// ```
    pub fn bucket(self, seed: &str, id: IdRef<'_>) -> u64 {
        match self {
            Self::GrowthbookV1 => bucket_v1(seed, id).into(),
            Self::GrowthbookV1Utf16 => bucket_v1_utf16(seed, id).into(),
            Self::GrowthbookV2 => bucket_v2(seed, id).into(),
            Self::GrowthbookV2Utf16 => bucket_v2_utf16(seed, id).into(),
            Self::Murmur3 => {
                let hash = with_text(id, |id| joined([id, seed.as_bytes()], |bytes| murmur3_32(bytes, 1)));
                (u64::from(hash) * u64::from(BUCKETS)) >> 32
            }
            Self::Xxh3 => with_text(id, |id| joined([seed.as_bytes(), id], xxh3_64)) >> 32,
            Self::Md5 => {
                let digest = md5_of([seed.as_bytes()], id);
                digest.iter().take(4).fold(0, |bits, &byte| bits << 8 | u64::from(byte))
            }
        }
    }
}

/// Calls a function with the text of an id: an integer's decimal digits.
fn with_text<T>(id: IdRef<'_>, function: impl FnOnce(&[u8]) -> T) -> T {
    match id {
        IdRef::Utf8(text) => function(text.as_bytes()),
        IdRef::Int64(number) => match Digits::of(number) {
            Some(digits) => function(&digits.bytes()[16 - digits.len..]),
            None => function(number.to_string().as_bytes()),
        },
    }
}

/// Calls a function with two texts as one, which stands on the stack where it is short.
fn joined<T>(texts: [&[u8]; 2], function: impl FnOnce(&[u8]) -> T) -> T {
    let [first, second] = texts;
    let mut short = [0u8; 128];
    match short.get_mut(..first.len() + second.len()) {
        Some(place) => {
            place[..first.len()].copy_from_slice(first);
            place[first.len()..].copy_from_slice(second);
            function(place)
        }
        None => function(&texts.concat()),
    }
}

/// MurmurHash3_x86_32 of Appleby.
pub(crate) fn murmur3_32(bytes: &[u8], seed: u32) -> u32 {
    let (words, tail) = bytes.as_chunks::<4>();
    let hash = words.iter().fold(seed, |hash, &word| murmur3_step(hash, u32::from_le_bytes(word)));
    let tail = tail.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
    murmur3_end(hash ^ murmur3_mix(tail), bytes.len())
}

/// A word as it goes into the hash; nothing where it is 0.
#[inline]
pub(crate) fn murmur3_mix(word: u32) -> u32 {
    word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

/// The hash with another word.
#[inline]
pub(crate) fn murmur3_step(hash: u32, word: u32) -> u32 {
    (hash ^ murmur3_mix(word)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

/// The hash of a text that is over.
#[inline]
pub(crate) fn murmur3_end(hash: u32, length: usize) -> u32 {
    let mut hash = hash ^ length as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

/// The MD5 of some text and the text of an id behind it.
pub(crate) fn md5_of<const N: usize>(before: [&[u8]; N], id: IdRef<'_>) -> [u8; 16] {
    let mut md5 = Md5::new();
    before.into_iter().for_each(|text| md5.update(text));
    with_text(id, |text| md5.update(text));
    md5.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [IdHash; 7] = [
        IdHash::GrowthbookV2,
        IdHash::GrowthbookV2Utf16,
        IdHash::GrowthbookV1,
        IdHash::GrowthbookV1Utf16,
        IdHash::Murmur3,
        IdHash::Xxh3,
        IdHash::Md5,
    ];

    #[test]
    fn optimizelys_buckets() {
        // Optimizely's Python SDK, tests/test_bucketing.py: bucketing id and experiment id.
        let long =
            "a very very very very very very very very very very very very very very very long ppd string";
        for (id, seed, bucket) in [
            ("ppid1", "1886780721", 5254),
            ("ppid2", "1886780721", 4299),
            ("ppid2", "1886780722", 2434),
            ("ppid3", "1886780721", 5439),
            (long, "1886780721", 6128),
        ] {
            assert_eq!(IdHash::Murmur3.bucket(seed, IdRef::Utf8(id)), bucket, "{id}");
        }
        // Appleby's verification value is of another form; these are of the published reference, seeds 0 and 1.
        assert_eq!((murmur3_32(b"", 0), murmur3_32(b"", 1)), (0, 0x514e_28b7));
        assert_eq!(murmur3_32(b"test", 0), 0xba6b_d213);
    }

    #[test]
    fn known_hashes() {
        // RFC 1321: MD5 of "a" begins with 0cc175b9, of "abc" with 90015098.
        assert_eq!(IdHash::Md5.bucket("", IdRef::Utf8("a")), 0x0cc1_75b9);
        assert_eq!(IdHash::Md5.bucket("a", IdRef::Utf8("bc")), 0x9001_5098);
        // xxHash's own test: XXH3_64bits of nothing is 2d06800538d394c2.
        assert_eq!(IdHash::Xxh3.bucket("", IdRef::Utf8("")), 0x2d06_8005);
    }

    #[test]
    fn integers_are_their_digits_and_long_ids_are_hashed_as_well() {
        let long = "9".repeat(400);
        for hash in ALL {
            assert_eq!(hash.bucket("s", IdRef::Int64(-17)), hash.bucket("s", IdRef::Utf8("-17")), "{hash:?}");
            assert!(hash.bucket("s", IdRef::Utf8(&long)) < hash.buckets());
        }
        let short = IdHash::Xxh3.bucket(&long[..200], IdRef::Utf8(&long[..200]));
        assert_eq!(IdHash::Xxh3.bucket("", IdRef::Utf8(&long)), short);
    }

    #[test]
    fn ids_are_spread_evenly() {
        for hash in ALL {
            let mut counts = [0u64; 10];
            for id in 0..20_000 {
                let bucket = hash.bucket("evenly", IdRef::Int64(id));
                counts[(bucket * 10 / hash.buckets()) as usize] += 1;
            }
            let fit = crate::contingency::goodness_of_fit(&counts, &[1.0; 10]).unwrap();
            assert!(fit.p_value > 1e-4, "{hash:?} {counts:?}");
        }
    }

    #[test]
    fn seeds_split_independently() {
        // Version 1 is left out: it correlates, which is why there is a version 2.
        for hash in ALL.into_iter().filter(|hash| hash.buckets() != 1_000) {
            let mut table = [[0u64; 4]; 4];
            for id in 0..20_000 {
                let quarter = |seed| (hash.bucket(seed, IdRef::Int64(id)) * 4 / hash.buckets()) as usize;
                table[quarter("one")][quarter("other")] += 1;
            }
            let found = crate::contingency::ContingencyTable::try_new(table).unwrap().pearson();
            assert!(found.p_value > 1e-4, "{hash:?} {table:?}");
        }
    }

    #[test]
    fn names_are_those_of_the_document() {
        for (hash, name) in ALL.into_iter().zip([
            "growthbook_v2",
            "growthbook_v2_utf16",
            "growthbook_v1",
            "growthbook_v1_utf16",
            "murmur3",
            "xxh3",
            "md5",
        ]) {
            assert_eq!(serde_json::to_value(hash).unwrap(), name);
        }
    }
}
