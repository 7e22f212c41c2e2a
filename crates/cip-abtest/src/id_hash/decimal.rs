//! Decimal digits of integers, words at a time.

/// The decimal text of an integer, at the end of a word of 16 bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digits {
    /// The first eight bytes and the last eight, filled up with zeros from the left.
    pub(crate) halves: [u64; 2],
    /// Digits.
    pub(crate) len: usize,
}

/// No more digits than fit.
const BOUND: u64 = 10_000_000_000_000_000;
/// The digit 0, eight times.
const ZEROS: u64 = 0x3030_3030_3030_3030;

impl Digits {
    /// The digits of `id`; none where it is negative or has more than 16 of them.
    #[inline]
    pub(crate) fn of(id: i64) -> Option<Self> {
        let n = u64::try_from(id).ok().filter(|&n| n < BOUND)?;
        let (high, low) = (n / 100_000_000, n % 100_000_000);
        let low = eight(low);
        Some(if high == 0 {
            // The number 0 has a digit as well.
            let before = (low | 1 << 63).trailing_zeros() as usize / 8;
            Self { halves: [ZEROS, low | ZEROS], len: 8 - before }
        } else {
            let high = if high < 10_000 { four(high) << 32 } else { eight(high) };
            Self { halves: [high | ZEROS, low | ZEROS], len: 16 - high.trailing_zeros() as usize / 8 }
        })
    }

    /// The 16 bytes, of which the last [`Digits::len`] are the text.
    #[inline]
    pub(crate) fn bytes(self) -> [u8; 16] {
        let [high, low] = self.halves;
        (u128::from(high) | u128::from(low) << 64).to_le_bytes()
    }
}

/// The values of eight digits, the first in the lowest byte.
///
/// # Method
/// Halves are split into halves in all lanes at once: a quotient by multiplication with the reciprocal, and the remainder beside it.
#[inline]
fn eight(n: u64) -> u64 {
    let fours = (n / 10_000) | ((n % 10_000) << 32);
    let quotients = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    // The quotient q and, in the lane above, n - 100 q.
    pairs(fours.wrapping_shl(16).wrapping_sub(quotients * ((100 << 16) - 1)))
}

/// The same of four digits.
#[inline]
fn four(n: u64) -> u64 {
    let quotient = (n * 5_243) >> 19;
    pairs((n << 16) - quotient * ((100 << 16) - 1))
}

/// The values of both digits of each number below 100 in a lane of 16 bits.
#[inline]
fn pairs(numbers: u64) -> u64 {
    let quotients = ((numbers * 103) >> 10) & 0x000f_000f_000f_000f;
    (numbers << 8).wrapping_sub(quotients * ((10 << 8) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(id: i64) {
        let digits = Digits::of(id).unwrap();
        let text = id.to_string();
        assert_eq!(&digits.bytes()[16 - digits.len..], text.as_bytes());
        assert!(digits.bytes()[..16 - digits.len].iter().all(|&byte| byte == b'0'), "{id}");
    }

    #[test]
    fn every_length_has_its_first_and_its_last_number() {
        for power in 0..16 {
            let first = 10i64.pow(power);
            [first - 1, first, first + 1, 10 * first - 1].into_iter().for_each(check);
        }
        (0..100_000).for_each(check);
        for beyond in [-1, i64::MIN, 10i64.pow(16), i64::MAX] {
            assert!(Digits::of(beyond).is_none(), "{beyond}");
        }
    }

    proptest! {
        #[test]
        fn they_are_what_is_printed(id in 0..10i64.pow(16), power in 0..16u32) {
            check(id);
            check(id / 10i64.pow(power));
        }
    }
}
