//! Buckets of many integer ids at once.

use xxhash_rust::xxh3::xxh3_64;

use crate::bucket::{BUCKETS, Fnv1a32};
use crate::id_hash::decimal::Digits;
use crate::id_hash::{IdHash, murmur3_32, murmur3_end, murmur3_mix, murmur3_step};
use cip_core::IdRef;

/// Ids that are hashed together: their texts stay in the first cache, and are read after all of them have been written.
pub(crate) const BATCH: usize = 32;
/// Bytes of the text of an id and the seed, with room for words that are read or written whole.
const SLOT: usize = 64;
/// The longest seed.
const SEED: usize = 32;
/// Where digits begin.
const BEFORE: usize = SEED;

/// Hashes integers with one seed.
///
/// # Method
/// Digits are written as whole words, right-aligned, so that no text has to be moved: what precedes them is put over their
/// leading zeros, and what follows them stands there already. Texts of one length are hashed in lanes, of which none
/// waits for another.
pub(crate) struct IntegerBuckets<'a> {
    hash: IdHash,
    seed: &'a str,
    slots: [[u8; SLOT]; BATCH],
    lengths: [usize; BATCH],
    /// The seed at the end.
    head: [u8; SEED],
    /// The state after the seed, where it comes first.
    fnv: Fnv1a32,
}

impl<'a> IntegerBuckets<'a> {
    /// Returns none where one by one is as good: for hashes and seeds that this has no way of its own for.
    pub(crate) fn new(hash: IdHash, seed: &'a str) -> Option<Self> {
        let own = match hash {
            IdHash::Xxh3 | IdHash::Murmur3 => seed.len() <= SEED,
            IdHash::GrowthbookV2 => true,
            // Of ASCII code units are bytes.
            IdHash::GrowthbookV2Utf16 => seed.is_ascii(),
            IdHash::GrowthbookV1 | IdHash::GrowthbookV1Utf16 | IdHash::Md5 => false,
        };
        if !own {
            return None;
        }
        let mut slot = [0; SLOT];
        let mut head = [0; SEED];
        if seed.len() <= SEED {
            head[SEED - seed.len()..].copy_from_slice(seed.as_bytes());
            // Room for digits, and the seed behind them.
            slot[16..16 + seed.len()].copy_from_slice(seed.as_bytes());
        }
        let mut fnv = Fnv1a32::default();
        fnv.update(seed.as_bytes());
        Some(Self { hash, seed, slots: [slot; BATCH], lengths: [0; BATCH], head, fnv })
    }

    /// Finds the bucket of each of up to [`BATCH`] ids.
    pub(crate) fn find(&mut self, ids: &[i64], buckets: &mut [u64]) {
        let found = match self.hash {
            IdHash::Xxh3 => self.xxh3(ids, buckets),
            IdHash::Murmur3 => self.murmur3(ids, buckets),
            _ => self.growthbook(ids, buckets),
        };
        if found.is_none() {
            // Some id is negative, or has too many digits.
            for (bucket, &id) in buckets.iter_mut().zip(ids) {
                *bucket = self.hash.bucket(self.seed, IdRef::Int64(id));
            }
        }
    }

    fn xxh3(&mut self, ids: &[i64], buckets: &mut [u64]) -> Option<()> {
        for ((&id, slot), length) in ids.iter().zip(&mut self.slots).zip(&mut self.lengths) {
            let digits = Digits::of(id)?;
            slot[BEFORE..BEFORE + 16].copy_from_slice(&digits.bytes());
            let start = BEFORE + 16 - digits.len;
            slot[start - SEED..start].copy_from_slice(&self.head);
            *length = digits.len + self.seed.len();
        }
        let texts = self.slots.iter().zip(&self.lengths);
        for (bucket, (slot, &length)) in buckets.iter_mut().zip(texts).take(ids.len()) {
            *bucket = xxh3_64(&slot[BEFORE + 16 - length..BEFORE + 16]) >> 32;
        }
        Some(())
    }

    fn murmur3(&mut self, ids: &[i64], buckets: &mut [u64]) -> Option<()> {
        for ((&id, slot), length) in ids.iter().zip(&mut self.slots).zip(&mut self.lengths) {
            let digits = Digits::of(id)?;
            slot[..16].copy_from_slice(&digits.bytes());
            *length = digits.len;
        }
        let scaled = |hash: u32| (u64::from(hash) * u64::from(BUCKETS)) >> 32;
        let length = self.lengths[0];
        if ids.len() == BATCH && self.lengths.iter().all(|&other| other == length) {
            let hashes = murmur3_lanes(&self.slots, 16 - length, 16 + self.seed.len());
            buckets.iter_mut().zip(hashes).for_each(|(bucket, hash)| *bucket = scaled(hash));
        } else {
            let texts = self.slots.iter().zip(&self.lengths);
            for (bucket, (slot, &length)) in buckets.iter_mut().zip(texts).take(ids.len()) {
                *bucket = scaled(murmur3_32(&slot[16 - length..16 + self.seed.len()], 1));
            }
        }
        Some(())
    }

    fn growthbook(&mut self, ids: &[i64], buckets: &mut [u64]) -> Option<()> {
        for (bucket, &id) in buckets.iter_mut().zip(ids) {
            let digits = Digits::of(id)?;
            let mut inner = self.fnv;
            inner.update(&digits.bytes()[16 - digits.len..]);
            let digits = Digits::of(i64::from(inner.hash))?;
            let mut outer = Fnv1a32::default();
            outer.update(&digits.bytes()[16 - digits.len..]);
            *bucket = u64::from(outer.hash % u32::from(BUCKETS));
        }
        Some(())
    }
}

/// MurmurHash3 of the bytes from `start` to `end` of each slot, with the seed 1.
fn murmur3_lanes(slots: &[[u8; SLOT]; BATCH], start: usize, end: usize) -> [u32; BATCH] {
    let mut hashes = [1u32; BATCH];
    let word = |slot: &[u8; SLOT], at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&slot[at..at + 4]);
        u32::from_le_bytes(bytes)
    };
    let length = end - start;
    let rest = start + length / 4 * 4;
    for at in (start..rest).step_by(4) {
        for (hash, slot) in hashes.iter_mut().zip(slots) {
            *hash = murmur3_step(*hash, word(slot, at));
        }
    }
    // What stands behind the text is left out; nothing mixes to nothing.
    let kept = (1u32 << (8 * (length % 4))) - 1;
    for (hash, slot) in hashes.iter_mut().zip(slots) {
        *hash = murmur3_end(*hash ^ murmur3_mix(word(slot, rest) & kept), length);
    }
    hashes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASHES: [IdHash; 4] =
        [IdHash::Xxh3, IdHash::Murmur3, IdHash::GrowthbookV2, IdHash::GrowthbookV2Utf16];

    #[test]
    fn what_has_no_way_of_its_own_goes_one_by_one() {
        for hash in [IdHash::Md5, IdHash::GrowthbookV1, IdHash::GrowthbookV1Utf16] {
            assert!(IntegerBuckets::new(hash, "s").is_none());
        }
        assert!(IntegerBuckets::new(IdHash::Xxh3, &"s".repeat(33)).is_none());
        assert!(IntegerBuckets::new(IdHash::GrowthbookV2Utf16, "é").is_none());
        assert!(IntegerBuckets::new(IdHash::GrowthbookV2, &"é".repeat(40)).is_some());
    }

    proptest! {
        #[test]
        fn buckets_are_those_of_one_by_one(
            seed in "[a-zé]{0,32}", first in any::<i64>(), digits in 0..19u32, step in -7..1_000i64, n in 1..=BATCH, odd in any::<bool>(),
        ) {
            let first = (first / 10i64.pow(digits)).saturating_abs();
            let mut ids: Vec<i64> = (0..n as i64).map(|at| first.saturating_add(step * at)).collect();
            if odd {
                ids[n / 2] = -5;
            }
            for hash in HASHES {
                let Some(mut integers) = IntegerBuckets::new(hash, &seed) else { continue };
                let mut found = [0; BATCH];
                // Twice, as slots are used again.
                for ids in [&[7, 123_456][..], &ids] {
                    integers.find(ids, &mut found);
                    for (&id, bucket) in ids.iter().zip(found) {
                        prop_assert_eq!(bucket, hash.bucket(&seed, IdRef::Int64(id)), "{:?} {}", hash, id);
                    }
                }
            }
        }
    }
}
