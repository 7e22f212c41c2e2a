//! From an id to the index of an arm.

use std::ops::Range;

use cip_core::IdRef;

use crate::id_hash::column::{BATCH, IntegerBuckets};
use crate::id_hash::{IdHash, md5_of};

/// Returns whether the last hexadecimal digit of the MD5 of an id is odd; an integer id is hashed as its decimal
/// digits, text as UTF-8.
pub(crate) fn md5_is_odd(id: IdRef<'_>) -> bool {
    // The last hexadecimal digit is odd where the last byte is.
    md5_of([], id).last().is_some_and(|byte| byte % 2 == 1)
}

/// The half-open ranges of buckets that weights make, one an arm. With a coverage below 1 each takes that share of its range,
/// from the start, and the rest is nobody's: raising the coverage moves no user to another arm.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ranges {
    ranges: Box<[Range<u64>]>,
    hash: IdHash,
}

impl Ranges {
    /// The weights are positive and finite, and so is their sum; the coverage lies in 0..=1.
    pub(crate) fn new(weights: &[f64], coverage: f64, hash: IdHash) -> Self {
        let (total, buckets): (f64, u64) = (weights.iter().sum(), hash.buckets());
        // How many buckets b have b / buckets < end.
        let below = |end: f64| {
            let (mut low, mut high) = (0, buckets);
            while low < high {
                let middle = low.midpoint(high);
                if middle as f64 / (buckets as f64) < end { low = middle + 1 } else { high = middle }
            }
            low
        };
        let (mut sum, last) = (0.0, weights.len().saturating_sub(1));
        let ranges = weights.iter().enumerate().map(|(index, weight)| {
            let start = below(sum / total);
            let end = sum + coverage * weight;
            sum += weight;
            start..if index == last && coverage == 1.0 { buckets } else { below(end / total) }
        });
        Self { ranges: ranges.collect(), hash }
    }

    /// The arm of an id, none where it is not covered.
    pub(crate) fn arm(&self, seed: &str, id: IdRef<'_>) -> Option<usize> {
        self.arm_of(self.hash.bucket(seed, id))
    }

    /// The arms of many integer ids, -1 where one is not covered; none where the hash has no way for many at once.
    pub(crate) fn arms(&self, seed: &str, ids: &[i64]) -> Option<Vec<i32>> {
        let mut integers = IntegerBuckets::new(self.hash, seed)?;
        let mut arms = vec![-1i32; ids.len()];
        let mut buckets = [0; BATCH];
        for (ids, arms) in ids.chunks(BATCH).zip(arms.chunks_mut(BATCH)) {
            integers.find(ids, &mut buckets);
            if self.are_all() {
                // The first begins at 0; each that begins no later moves the id on.
                for range in &self.ranges {
                    let begun = arms.iter_mut().zip(&buckets);
                    begun.for_each(|(arm, bucket)| *arm += i32::from(range.start <= *bucket));
                }
            } else {
                for (arm, &bucket) in arms.iter_mut().zip(&buckets) {
                    *arm = self.arm_of(bucket).map_or(-1, |arm| arm as i32);
                }
            }
        }
        Some(arms)
    }

    /// Whether every bucket is in some range.
    fn are_all(&self) -> bool {
        self.sizes().sum::<u64>() == self.hash.buckets()
    }

    fn arm_of(&self, bucket: u64) -> Option<usize> {
        let arm = self.ranges.partition_point(|range| range.start <= bucket).checked_sub(1)?;
        self.ranges[arm].contains(&bucket).then_some(arm)
    }

    /// How many buckets each arm has.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = u64> {
        self.ranges.iter().map(|range| range.end.saturating_sub(range.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: IdHash = IdHash::GrowthbookV2;

    #[test]
    fn ranges_are_half_open_and_cover_all_buckets() {
        let sizes = |weights: &[f64]| Ranges::new(weights, 1.0, V2).sizes().collect::<Vec<_>>();
        assert_eq!(sizes(&[1.0, 1.0]), [5_000, 5_000]);
        assert_eq!(sizes(&[1.0, 2.0, 7.0]), [1_000, 2_000, 7_000]);
        assert_eq!(sizes(&[1.0, 1.0, 1.0]), [3_334, 3_333, 3_333]);
        assert_eq!(sizes(&[1.0, 1e9]), [1, 9_999]);
        assert_eq!(sizes(&[1e9, 1.0]), [10_000, 0]);
        assert_eq!(sizes(&[f64::MIN_POSITIVE; 2]), [5_000, 5_000]);
        // Bucket 505 of ("seed", "a") is the first of a range that starts at .0505, and not of the one before.
        let arm = |weights: &[f64]| Ranges::new(weights, 1.0, V2).arm("seed", IdRef::Utf8("a"));
        assert_eq!(arm(&[505.0, 9_495.0]), Some(1));
        assert_eq!(arm(&[506.0, 9_494.0]), Some(0));
    }

    #[test]
    fn coverage_takes_the_start_of_each_range() {
        // As GrowthBook's getBucketRanges of two halves covered by a half: 0 to .25 and .5 to .75.
        let half = Ranges::new(&[1.0, 1.0], 0.5, V2);
        assert_eq!(&half.ranges[..], [0..2_500, 5_000..7_500]);
        assert_eq!(Ranges::new(&[1.0, 1.0], 0.0, V2).sizes().sum::<u64>(), 0);
        // Who is in stays in the same arm as more are let in.
        let whole = Ranges::new(&[1.0, 1.0], 1.0, V2);
        let ids = (0..1_000).map(IdRef::Int64);
        let covered: Vec<_> = ids.filter_map(|id| Some((half.arm("s", id)?, whole.arm("s", id)?))).collect();
        assert!(covered.len() > 400 && covered.len() < 600 && covered.iter().all(|(a, b)| a == b));
    }

    #[test]
    fn parity_is_that_of_the_last_md5_digit() {
        // `printf 1 | md5sum` and so on end in b, c, 3 and 0.
        for (id, odd) in [(1, true), (2, false), (3, true), (10, false)] {
            assert_eq!(md5_is_odd(IdRef::Int64(id)), odd, "{id}");
            assert_eq!(md5_is_odd(IdRef::Utf8(&id.to_string())), odd, "{id}");
        }
        // RFC 1321: MD5 of "" ends in e, of "a" in 1, of "abc" in 2.
        for (id, odd) in [("", false), ("a", true), ("abc", false)] {
            assert_eq!(md5_is_odd(IdRef::Utf8(id)), odd, "{id:?}");
        }
    }
}
