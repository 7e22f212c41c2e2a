//! Gauss's hypergeometric function, where the models need it.

use super::dual::Real;

/// Returns c 2F1(a, b; c; z) times `exp(ln_factor)`, for a and b above 0, c above -1 and 0 <= z < 1; it stays finite where c
/// is 0, and where the function alone would overflow.
///
/// # Method
/// The series: c / (c)_n is 1 / (c + 1)_(n-1), and all its terms from n = 1 on are positive.
///
/// # Complexity
/// About 40 / (1 - z) terms.
pub(super) fn scaled_hypergeometric(a: f64, b: f64, c: f64, z: f64, ln_factor: f64) -> f64 {
    let (mut term, mut sum, mut ln_scale) = (a * b * z, c + a * b * z, ln_factor);
    let mut n = 1.0;
    loop {
        // Where a and b are large the terms grow first; from some n on each is less than the one before.
        let ratio = (a + n) * (b + n) / ((c + n) * (n + 1.0)) * z;
        term *= ratio;
        sum += term;
        n += 1.0;
        if ratio < 1.0 && term * ratio <= (1.0 - ratio) * f64::EPSILON * sum.abs() || !sum.is_finite() {
            return sum * ln_scale.exp();
        }
        if sum > LARGE {
            (term, sum, ln_scale) = (term / LARGE, sum / LARGE, ln_scale + LARGE.ln());
        }
    }
}

/// Sums are kept below about this.
const LARGE: f64 = 1e200;

/// Returns 2F1(1, p; q; z), for 0 < p < q and 0 <= z < 1, where `rest` is 1 - z.
///
/// # Method
/// Gauss's continued fraction (DLMF 15.7.1 with one parameter 1), from its far end backwards. It converges by a factor of
/// ((1 - √rest) / (1 + √rest))² a step at least, so its length is known before, and its derivatives converge with it.
pub(super) fn hypergeometric_of_one<R: Real>(p: R, q: R, z: R, rest: f64) -> R {
    let root = rest.max(f64::MIN_POSITIVE).sqrt();
    let rate = 2.0 * ((1.0 - root) / (1.0 + root)).max(f64::MIN_POSITIVE).ln();
    let steps = (80.0 / -rate).ceil().min(MOST_STEPS) as usize + 10;
    let mut fraction = p * 0.0 + 1.0;
    for step in (0..steps).rev() {
        let m = (step / 2) as f64;
        let coefficient = if step.is_multiple_of(2) {
            (p + m) * (q + (m - 1.0)) / ((q + (2.0 * m - 1.0)) * (q + 2.0 * m))
        } else {
            (q - p + m) * (m + 1.0) / ((q + 2.0 * m) * (q + (2.0 * m + 1.0)))
        };
        fraction = -(coefficient * z / fraction) + 1.0;
    }
    fraction.recip()
}

/// Steps for 1 - z of about 1e-7; nearer to 1 the value is less exact.
const MOST_STEPS: f64 = 65_536.0;

#[cfg(test)]
mod tests {
    use super::super::dual::Dual;
    use super::*;

    // From mpmath 1.3, to 15 digits: c hyp2f1(a, b, c, z), and hyp2f1(1, p, q, z); `scripts/check_lifetime.py` prints them.
    const SERIES: [(f64, f64, f64, f64, f64); 6] = [
        (0.243, 2.426, 2.219, 0.9, 4.32179356582748),
        (0.243, 2.426, -0.3, 0.5, 1.98887465583241),
        (2.243, 4.426, 4.219, 0.335, 11.0581307004649),
        (0.5, 1.4, 0.0001, 0.95, 173.942536268599),
        (30.5, 28.3, 31.1, 0.6, 3391484663466.38),
        (1.5, 0.2, 0.4, 0.9995, 3829.49325755499),
    ];
    const FRACTIONS: [(f64, f64, f64, f64); 7] = [
        (0.553, 2.159, 0.0934, 1.02508900674275),
        (26.553, 28.159, 0.3, 1.39492605768397),
        (1.606, 28.159, 0.3, 1.01758595445605),
        (0.0105, 1.02, 0.999, 1.06988326154183),
        (200.5, 202.25, 0.95, 17.3487702331250),
        (1.5, 10001.0, 0.9, 1.00013501687681),
        (0.75, 1.875, 0.99999, 5.39166034965417),
    ];

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 4e-13 * expected.abs(), "{found} {expected}");
    }

    #[test]
    fn the_series_is_that_of_mpmath() {
        for (a, b, c, z, expected) in SERIES {
            close(scaled_hypergeometric(a, b, c, z, 0.0), expected);
        }
        // 2F1(1, 2; 2; z) is 1 / (1 - z); at c = 0 the limit is a b z 2F1(a + 1, b + 1; 2; z), and
        // 2F1(2, 2; 2; z) is 1 / (1 - z)².
        close(scaled_hypergeometric(1.0, 2.0, 2.0, 0.75, 0.0), 8.0);
        close(scaled_hypergeometric(1.0, 1.0, 0.0, 0.5, 0.0), 0.5 * 4.0);
        assert_eq!(scaled_hypergeometric(0.3, 0.4, 1.7, 0.0, 0.0), 1.7);
        // (1 - z)^-a overflows alone.
        close(scaled_hypergeometric(400.0, 2.0, 2.0, 0.99, 400.0 * 0.01f64.ln()), 2.0);
    }

    #[test]
    fn the_fraction_is_that_of_mpmath() {
        for (p, q, z, expected) in FRACTIONS {
            close(hypergeometric_of_one(p, q, z, 1.0 - z), expected);
        }
        assert_eq!(hypergeometric_of_one(0.3, 1.7, 0.0, 1.0), 1.0);
    }

    #[test]
    fn the_slopes_of_the_fraction_are_those_of_differences() {
        for (p, q, z) in [(0.8, 2.4, 0.1), (26.5, 28.2, 0.6), (0.6, 2.2, 0.98)] {
            let value = |[p, q, z]: [f64; 3]| hypergeometric_of_one(p, q, z, 1.0 - z);
            let at = [p, q, z];
            let [p, q, z] = Dual::parameters(at);
            let slopes = hypergeometric_of_one(p, q, z, 1.0 - at[2]).slopes();
            for by in 0..3 {
                let moved = |step: f64| {
                    let mut moved = at;
                    moved[by] += step;
                    value(moved)
                };
                let step = 1e-5;
                let difference = (moved(step) - moved(-step)) / (2.0 * step);
                assert!(
                    (slopes[by] - difference).abs() < 1e-4 * slopes[by].abs(),
                    "{} {difference}",
                    slopes[by]
                );
            }
        }
    }
}
