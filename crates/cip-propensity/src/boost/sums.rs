//! Derivatives in fixed point: sums that are exact, whatever the order of the rows.

use std::ops::{Add, AddAssign, Sub, SubAssign};

/// The sums of the first and second derivatives of some rows, in units of [`Scales`].
///
/// The first stands in the upper 32 bits, with its sign, the second in the lower ones, so one addition of words adds both. Neither of any set
/// of rows leaves its 32 bits: [`Scales::fit`] sees to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums(u64);

impl Sums {
    /// The sums of a row: the lowest 32 bits of either are its derivative.
    #[inline]
    pub(super) const fn of_bits(first: u64, second: u64) -> Self {
        Self((first << 32) | (second & 0xffff_ffff))
    }

    #[inline]
    pub(super) const fn first(self) -> i32 {
        (self.0 >> 32) as i32
    }

    #[inline]
    pub(super) const fn second(self) -> i32 {
        self.0 as i32
    }
}

impl AddAssign for Sums {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl SubAssign for Sums {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_sub(other.0);
    }
}

impl Add for Sums {
    type Output = Self;

    #[inline]
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Sub for Sums {
    type Output = Self;

    #[inline]
    fn sub(mut self, other: Self) -> Self {
        self -= other;
        self
    }
}

/// How large both derivatives of some rows are in sum, in whole units: exact in any order, as far as they fit in the sums.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Magnitudes {
    pub(super) first: f64,
    pub(super) second: f64,
}

impl AddAssign for Magnitudes {
    fn add_assign(&mut self, other: Self) {
        self.first += other.first;
        self.second += other.second;
    }
}

/// How many units make one, for either derivative: powers of two, by their exponents.
///
/// # Method
/// The derivatives of a round are rounded to whole units, so many that their magnitudes add up to between 2^29 and 2^31: of a million rows
/// each has a thousand units in the mean, and of their sums nothing is lost at all. (Shi et al. 2022, "Quantized training of gradient boosting
/// decision trees", learn as well from 4 to 32 units at most.) What fitted one round is tried in the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scales {
    first: i32,
    second: i32,
}

/// Magnitudes from there on may leave the 32 bits of sums.
const MOST: f64 = 2_147_483_648.0;

/// Beyond that derivatives are zero, and their squares leave the range of numbers.
const MOST_EXPONENT: i32 = 300;

impl Scales {
    /// The scales for magnitudes in ones.
    pub(super) fn of(first: f64, second: f64) -> Self {
        Self { first: exponent(first), second: exponent(second) }
    }

    /// Whether sums of rows of these magnitudes stay in their 32 bits; where not, the scales are lowered so that they do.
    pub(super) fn fit(&mut self, found: Magnitudes) -> bool {
        let lower = |scale: &mut i32, magnitude: f64| {
            if magnitude >= MOST {
                *scale = (*scale + exponent(magnitude)).max(-MOST_EXPONENT);
            }
        };
        let before = *self;
        lower(&mut self.first, found.first);
        lower(&mut self.second, found.second);
        *self == before
    }

    /// The scales to try in the round behind one of these magnitudes.
    pub(super) fn next(self, found: Magnitudes) -> Self {
        let raise = |scale: i32, magnitude: f64| {
            if magnitude < MOST / 4.0 { (scale + exponent(magnitude)).min(MOST_EXPONENT) } else { scale }
        };
        Self { first: raise(self.first, found.first), second: raise(self.second, found.second) }
    }

    /// Units a one, for either derivative.
    pub(super) fn units(self) -> [f64; 2] {
        [self.first, self.second].map(|exponent| f64::from(exponent).exp2())
    }
}

/// By how many powers of two a magnitude may be raised so that it is at most 2^30; none of what is nothing.
fn exponent(magnitude: f64) -> i32 {
    let bits = if magnitude > 0.0 { magnitude.log2().ceil() as i32 } else { 30 };
    30i32.saturating_sub(bits).clamp(-MOST_EXPONENT, MOST_EXPONENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sums(first: i32, second: u32) -> Sums {
        Sums::of_bits(i64::from(first).cast_unsigned(), u64::from(second))
    }

    proptest! {
        #[test]
        fn one_word_adds_and_subtracts_as_two_would(
            rows in proptest::collection::vec((-100_000i32..100_000, 0u32..100_000), 1..60), cut in any::<prop::sample::Index>(),
        ) {
            let cut = cut.index(rows.len());
            let add = |rows: &[(i32, u32)]| rows.iter().fold(Sums::default(), |sum, row| sum + sums(row.0, row.1));
            let plain = |rows: &[(i32, u32)]| rows.iter().fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1.cast_signed()));
            let (all, part) = (add(&rows), add(&rows[..cut]));
            prop_assert_eq!((all.first(), all.second()), plain(&rows));
            let rest = all - part;
            prop_assert_eq!((rest.first(), rest.second()), plain(&rows[cut..]));
        }
    }

    #[test]
    fn scales_are_lowered_until_the_sums_fit_and_raised_where_there_is_room() {
        let mut scales = Scales::of(100.0, 0.0);
        assert_eq!(scales.units(), [f64::from(1 << 23), 1.0]);
        assert!(scales.fit(Magnitudes { first: f64::from(100 << 23), second: MOST - 1.0 }));
        assert!(!scales.fit(Magnitudes { first: MOST, second: 8.0 * MOST }));
        assert_eq!(scales.units(), [f64::from(1 << 22), 0.0625]);
        let raised = scales.next(Magnitudes { first: f64::from(1 << 20), second: f64::from(1 << 29) });
        assert_eq!(raised.units(), [2f64.powi(32), 0.0625]);
        assert_eq!(scales.next(Magnitudes::default()), scales);
        assert!(!scales.fit(Magnitudes { first: f64::INFINITY, second: 1.0 }));
        assert_eq!(scales.units()[0], 2f64.powi(22 - MOST_EXPONENT));
    }
}
