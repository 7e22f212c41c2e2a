//! How many baskets hold both sides of a rule where the sides have nothing to do with each other.

/// What the hypergeometric distribution says of a count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Chance {
    /// P(X >= count): Fisher's exact test, one-sided.
    pub(crate) at_least: f64,
    /// The least x with P(X <= x) >= 0.99.
    pub(crate) quantile: u64,
}

/// Of which probability a quantile is wanted: that of hyper-lift.
const QUANTILE: f64 = 0.99;
/// How far below it rounding may leave a probability, as in R's `qhyper`.
const FUZZ: f64 = 1e-13;
/// What no longer changes a sum.
const NEGLIGIBLE: f64 = 1e-18;

/// Returns what to expect of `count` baskets that hold both of two itemsets, of which `a` and `b` of all `n` baskets hold one.
///
/// Probabilities are taken relative to the mode's, outwards until they are negligible, so there are no factorials of large numbers.
/// Where the probability of the count is below 1e-300 of the mode's, `at_least` is 0.
pub(crate) fn chance(count: u64, a: u64, b: u64, n: u64) -> Chance {
    let (low, high) = ((a + b).saturating_sub(n), a.min(b));
    let mode = (u128::from(a + 1) * u128::from(b + 1) / u128::from(n + 2)) as u64;
    let mode = mode.clamp(low, high);
    // The probability of x + 1 over that of x.
    let ratio = |x: u64| ((a - x) as f64 / (x + 1) as f64) * ((b - x) as f64 / (n - a + x + 1 - b) as f64);
    // Below the mode: all, and what is below the count.
    let (mut below, mut below_count) = (0.0, 0.0);
    let (mut x, mut weight) = (mode, 1.0);
    while x > low {
        weight /= ratio(x - 1);
        x -= 1;
        below += weight;
        if x < count {
            below_count += weight;
        }
        if weight < NEGLIGIBLE * (1.0 + below) {
            break;
        }
    }
    // From the mode on: all, and what is from the count on.
    let (mut from, mut from_count) = (1.0, if mode >= count { 1.0 } else { 0.0 });
    (x, weight) = (mode, 1.0);
    while x < high && weight > f64::MIN_POSITIVE {
        weight *= ratio(x);
        x += 1;
        from += weight;
        if x >= count {
            from_count += weight;
            if weight < NEGLIGIBLE * from_count {
                break;
            }
        }
    }
    let all = below + from;
    let at_least = if count > mode { from_count / all } else { (all - below_count) / all };
    let wanted = QUANTILE * (1.0 - FUZZ) * all;
    let mut sum = below + 1.0;
    (x, weight) = (mode, 1.0);
    while sum < wanted && x < high {
        weight *= ratio(x);
        x += 1;
        sum += weight;
    }
    Chance { at_least: at_least.clamp(0.0, 1.0), quantile: x }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Exact, by binomial coefficients: for few baskets.
    fn oracle(count: u64, a: u64, b: u64, n: u64) -> Chance {
        let choose = |n: u64, k: u64| (0..k).fold(1u128, |c, i| c * u128::from(n - i) / u128::from(i + 1));
        let ways =
            |x: u64| if x > a.min(b) || a - x > n - b { 0 } else { choose(b, x) * choose(n - b, a - x) };
        let all: u128 = (0..=a.min(b)).map(ways).sum();
        let tail: u128 = (count..=a.min(b)).map(ways).sum();
        let mut sum = 0;
        let quantile = (0..=a.min(b)).find(|&x| {
            sum += ways(x);
            100 * sum >= 99 * all
        });
        Chance { at_least: tail as f64 / all as f64, quantile: quantile.unwrap() }
    }

    proptest! {
        #[test]
        fn it_equals_the_count_of_all_ways(cells in proptest::array::uniform4(0u64..16)) {
            let [both, only_a, only_b, neither] = cells;
            let (a, b, n) = (both + only_a, both + only_b, both + only_a + only_b + neither);
            prop_assume!(a > 0 && b > 0);
            let (found, expected) = (chance(both, a, b, n), oracle(both, a, b, n));
            prop_assert!((found.at_least / expected.at_least - 1.0).abs() < 1e-12, "{:?} {:?}", found, expected);
            prop_assert_eq!(found.quantile, expected.quantile);
        }
    }

    #[test]
    fn rules_of_the_groceries_and_large_counts() {
        // Sums of binomial coefficients in exact integers; scipy 1.17.1 (hypergeom.sf, ppf) agrees to ten digits.
        for (count, a, b, n, at_least, quantile) in [
            (736, 1_903, 2_513, 9_835, 1.443_891_554_743_753e-45, 526),
            (19, 21, 792, 9_835, 2.403_244_020_245_989e-19, 5),
            (12, 16, 327, 9_835, 2.417_544_369_969_249e-15, 3),
            (480, 1_903, 2_513, 9_835, 0.652_611_580_513_656_2, 526),
            (60, 400, 5_000, 1_000_000, 1.753_795_021_185_078e-67, 6),
            (1, 1, 1, 1_000, 0.001, 0),
        ] {
            let found = chance(count, a, b, n);
            assert!((found.at_least / at_least - 1.0).abs() < 1e-11, "{found:?}");
            assert_eq!(found.quantile, quantile);
        }
    }

    #[test]
    fn what_is_certain_and_what_is_all_but_impossible() {
        assert_eq!(chance(5, 5, 9, 9), Chance { at_least: 1.0, quantile: 5 });
        let half = 1 << 31;
        let rare = chance(half, half, half, 2 * half);
        assert_eq!(rare.at_least, 0.0);
        assert!(rare.quantile > half / 2 && rare.quantile < half / 2 + 100_000);
    }
}
