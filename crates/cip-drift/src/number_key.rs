//! Numbers as unsigned integers of the same order.

const SIGN: u64 = 1 << 63;

/// Returns an integer that is greater for a greater number; both zeros have the same. The number is not NaN.
pub(crate) fn key_of(number: f64) -> u64 {
    // Adding zero makes the negative zero positive.
    let bits = (number + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// Returns the number of a key.
pub(crate) fn number_of(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}

/// Returns the number in the middle of a cell of keys, of which the last `dropped` bits are not known.
pub(crate) fn middle_of(cell: u64, dropped: u32) -> f64 {
    match dropped {
        0 => number_of(cell),
        // A cell at the end of the numbers holds keys of no number as well.
        _ => {
            let key = (cell << dropped) | 1 << (dropped - 1);
            number_of(key.clamp(key_of(f64::MIN), key_of(f64::MAX)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ends_and_zero() {
        let ends = [f64::NEG_INFINITY, f64::MIN, -1.0, -f64::from_bits(1), 0.0, f64::from_bits(1), f64::MAX];
        let keys = ends.map(key_of);
        assert!(keys.is_sorted() && keys.iter().all(|key| *key < key_of(f64::INFINITY)));
        assert_eq!(key_of(-0.0), key_of(0.0));
        assert!(
            (0..2).all(|cell| middle_of(cell, 63).is_finite())
                && middle_of(key_of(f64::INFINITY), 0) == f64::INFINITY
        );
    }

    proptest! {
        #[test]
        fn keys_are_ordered_as_their_numbers_and_cells_are_narrow(a in any::<f64>(), b in any::<f64>(), dropped in 1u32..52) {
            prop_assert_eq!(a.partial_cmp(&b), Some(key_of(a).cmp(&key_of(b))));
            prop_assert_eq!(number_of(key_of(a)), a);
            // Of normal numbers the middle is within 2^(dropped - 53) of any number in the cell.
            let middle = middle_of(key_of(a) >> dropped, dropped);
            if a.is_normal() {
                prop_assert!((middle - a).abs() <= a.abs() * 2f64.powi(dropped.cast_signed() - 53), "{} {}", a, middle);
            }
        }
    }
}
