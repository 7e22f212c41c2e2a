//! From an id to the index of an arm.

use std::fmt::{self, Write};

use cip_core::IdRef;
use md5::{Digest, Md5};

use crate::bucket::{BUCKETS, bucket_v2};

/// Returns whether the last hexadecimal digit of the MD5 of an id is odd; an integer id is hashed as its decimal
/// digits, text as UTF-8.
pub(crate) fn md5_is_odd(id: IdRef<'_>) -> bool {
    struct Sink(Md5);
    impl Write for Sink {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.update(text.as_bytes());
            Ok(())
        }
    }
    let mut sink = Sink(Md5::new());
    // This writer never fails.
    let _ = write!(sink, "{id}");
    // The last hexadecimal digit is odd where the last byte is.
    sink.0.finalize().last().is_some_and(|byte| byte % 2 == 1)
}

/// The half-open ranges of buckets that weights make: arm `i` has those from `ends[i - 1]` up to `ends[i]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ranges {
    ends: Box<[u16]>,
}

impl Ranges {
    /// The weights are positive and finite, and so is their sum.
    pub(crate) fn new(weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        let mut below = 0.0;
        let mut ends: Box<[u16]> = weights
            .iter()
            .map(|weight| {
                below += weight;
                let end = below / total;
                // How many buckets b have b / 10000 < end.
                let (mut low, mut high) = (0, BUCKETS);
                while low < high {
                    let middle = low.midpoint(high);
                    if f64::from(middle) / f64::from(BUCKETS) < end {
                        low = middle + 1
                    } else {
                        high = middle
                    }
                }
                low
            })
            .collect();
        if let Some(last) = ends.last_mut() {
            *last = BUCKETS;
        }
        Self { ends }
    }

    pub(crate) fn arm(&self, seed: &str, id: IdRef<'_>) -> usize {
        let bucket = bucket_v2(seed, id);
        self.ends.partition_point(|&end| end <= bucket)
    }

    /// How many buckets each arm has.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = u16> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| end - start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_half_open_and_cover_all_buckets() {
        let sizes = |weights: &[f64]| Ranges::new(weights).sizes().collect::<Vec<_>>();
        assert_eq!(sizes(&[1.0, 1.0]), [5_000, 5_000]);
        assert_eq!(sizes(&[1.0, 2.0, 7.0]), [1_000, 2_000, 7_000]);
        assert_eq!(sizes(&[1.0, 1.0, 1.0]), [3_334, 3_333, 3_333]);
        assert_eq!(sizes(&[1.0, 1e9]), [1, 9_999]);
        assert_eq!(sizes(&[1e9, 1.0]), [10_000, 0]);
        assert_eq!(sizes(&[f64::MIN_POSITIVE; 2]), [5_000, 5_000]);
        // Bucket 505 of ("seed", "a") is the first of a range that starts at .0505, and not of the one before.
        assert_eq!(Ranges::new(&[505.0, 9_495.0]).arm("seed", IdRef::Utf8("a")), 1);
        assert_eq!(Ranges::new(&[506.0, 9_494.0]).arm("seed", IdRef::Utf8("a")), 0);
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
