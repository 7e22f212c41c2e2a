//! Sums of floating-point numbers without rounding, so that any order and any split gives the same bits.

/// The sum of numbers and of products of two numbers, exactly.
///
/// # Method
/// Kulisch's long accumulator: a fixed-point number that is wide enough for the product of the two least numbers and for
/// the sum of 2^63 products of the two greatest. It is kept in limbs of 32 bits inside words of 64, so that carries can
/// wait.
#[derive(Debug, Clone)]
pub(crate) struct ExactSum {
    limbs: Box<[i64; LIMBS]>,
    /// Additions since the carries were last passed on.
    waiting: u32,
}

/// The exponent of the lowest bit: that of the product of the two least numbers.
const LOWEST: i32 = -2 * 1_074;
/// Up to 2^(2 x 1024), and 63 bits beyond.
const LIMBS: usize = (2 * 1_074 + 2 * 1_024 + 64) / 32 + 5;
/// A limb takes as many numbers below 2^32 before it is full.
const MOST_WAITING: u32 = 1 << 30;
const LIMB: i64 = 1 << 32;

impl ExactSum {
    pub(crate) fn new() -> Self {
        Self { limbs: Box::new([0; LIMBS]), waiting: 0 }
    }

    /// Adds a finite number.
    pub(crate) fn add(&mut self, value: f64) {
        let (negative, digits, exponent) = parts(value);
        self.add_digits(negative, u128::from(digits), exponent);
    }

    /// Adds the product of two finite numbers.
    pub(crate) fn add_product(&mut self, one: f64, other: f64) {
        let ((negative, digits, exponent), (flipped, more, up)) = (parts(one), parts(other));
        self.add_digits(negative != flipped, u128::from(digits) * u128::from(more), exponent + up);
    }

    /// Adds another sum.
    pub(crate) fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        self.carry();
        other.carry();
        for (limb, more) in self.limbs.iter_mut().zip(other.limbs.iter()) {
            *limb += more;
        }
        self.waiting = 1;
    }

    /// Returns the sum as two numbers, the first the sum to its last digit and the second most of what that leaves out;
    /// infinite where it is too large for a number.
    pub(crate) fn value(&self) -> (f64, f64) {
        let mut sum = self.clone();
        sum.carry();
        let negative = sum.limbs[LIMBS - 1] < 0;
        if negative {
            sum.limbs.iter_mut().for_each(|limb| *limb = -*limb);
            sum.carry();
        }
        let Some(top) = sum.limbs.iter().rposition(|&limb| limb != 0) else { return (0.0, 0.0) };
        let lowest = top.saturating_sub(3);
        let digits = sum.limbs[lowest..=top].iter().rev().fold(0u128, |digits, &limb| {
            // Limbs are below 2^32 once carries have been passed on.
            (digits << 32) | u128::from(limb.cast_unsigned())
        });
        // The top bit is kept free, so that the rounded number is still one of 128 bits.
        let (digits, lost) = if digits >> 127 == 1 { (digits >> 1, 1) } else { (digits, 0) };
        let exponent = LOWEST + 32 * lowest as i32 + lost;
        let high = digits as f64;
        let low = digits.cast_signed().wrapping_sub((high as u128).cast_signed()) as f64;
        let sign = if negative { -1.0 } else { 1.0 };
        (sign * scaled(high, exponent), sign * scaled(low, exponent))
    }

    fn add_digits(&mut self, negative: bool, digits: u128, exponent: i32) {
        if digits == 0 {
            return;
        }
        let place = (exponent - LOWEST).cast_unsigned() as usize;
        let (mut limb, shift) = (place / 32, place % 32);
        // The first piece takes what fits into its limb, the rest follows in whole limbs.
        let first = (digits << shift) as u32;
        let mut rest = digits >> (32 - shift);
        let mut piece = i64::from(first);
        loop {
            self.limbs[limb] += if negative { -piece } else { piece };
            if rest == 0 {
                break;
            }
            piece = i64::from(rest as u32);
            rest >>= 32;
            limb += 1;
        }
        self.waiting += 1;
        if self.waiting >= MOST_WAITING {
            self.carry();
        }
    }

    /// Brings all limbs but the last into `0..2^32`; the last has the sign.
    fn carry(&mut self) {
        let mut carried = 0;
        let (last, others) = self.limbs.split_at_mut(LIMBS - 1);
        for limb in last {
            let value = *limb + carried;
            *limb = value.rem_euclid(LIMB);
            carried = value.div_euclid(LIMB);
        }
        others[0] += carried;
        self.waiting = 0;
    }
}

/// Sign, digits and exponent: the number is ± digits x 2^exponent.
fn parts(value: f64) -> (bool, u64, i32) {
    let bits = value.to_bits();
    let (fraction, exponent) = (bits & ((1 << 52) - 1), ((bits >> 52) & 0x7ff) as i32);
    let (digits, exponent) =
        if exponent == 0 { (fraction, -1_074) } else { (fraction | 1 << 52, exponent - 1_075) };
    (value.is_sign_negative(), digits, exponent)
}

/// Returns value x 2^exponent, by steps that neither overflow nor vanish before the whole does.
fn scaled(value: f64, exponent: i32) -> f64 {
    let step = exponent / 3;
    value * 2f64.powi(step) * 2f64.powi(step) * 2f64.powi(exponent - 2 * step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::new();
        values.iter().for_each(|&value| sum.add(value));
        sum
    }

    #[test]
    fn nothing_is_lost_between_the_ends_of_the_numbers() {
        let ends = [f64::MAX, 1.0, f64::from_bits(1), -f64::MAX, -1.0];
        assert_eq!(sum(&ends).value(), (f64::from_bits(1), 0.0));
        assert_eq!(sum(&[1e16, 1.0, -1e16]).value().0, 1.0);
        assert_eq!(sum(&[]).value(), (0.0, 0.0));
        assert_eq!(sum(&[f64::MAX, f64::MAX]).value().0, f64::INFINITY);
        assert_eq!(sum(&[1.0, 2f64.powi(-70)]).value(), (1.0, 2f64.powi(-70)));
        let mut products = ExactSum::new();
        products.add_product(1e200, 1e200);
        products.add_product(-1e200, 1e200);
        products.add_product(3.0, -0.1);
        assert_eq!(products.value().0, 3.0 * -0.1);
    }

    proptest! {
        #[test]
        fn it_equals_the_sum_of_integers(values in proptest::collection::vec(any::<i64>(), 0..40), twos in -900i32..900) {
            // Integers of 53 bits at any scale, summed as integers.
            let whole: Vec<i64> = values.iter().map(|value| value >> 11).collect();
            let exact = whole.iter().map(|&value| i128::from(value)).sum::<i128>();
            let scaled: Vec<f64> = whole.iter().map(|&value| value as f64 * 2f64.powi(twos)).collect();
            prop_assert_eq!(sum(&scaled).value().0, exact as f64 * 2f64.powi(twos));
        }

        #[test]
        fn products_equal_those_of_integers(pairs in proptest::collection::vec((-(1i64 << 53)..1 << 53, -(1i64 << 53)..1 << 53), 0..40)) {
            let mut products = ExactSum::new();
            pairs.iter().for_each(|&(a, b)| products.add_product(a as f64, b as f64));
            let exact: i128 = pairs.iter().map(|&(a, b)| i128::from(a) * i128::from(b)).sum();
            prop_assert_eq!(products.value().0, exact as f64);
        }

        #[test]
        fn splits_and_orders_give_the_same_bits(
            values in proptest::collection::vec(-1e300f64..1e300, 1..40),
            at in any::<proptest::sample::Index>(),
        ) {
            let (left, right) = values.split_at(at.index(values.len()));
            let mut merged = sum(right);
            merged.merge(&sum(left));
            let mut backwards = values.clone();
            backwards.reverse();
            prop_assert_eq!(merged.value(), sum(&values).value());
            prop_assert_eq!(sum(&backwards).value(), sum(&values).value());
        }
    }
}
