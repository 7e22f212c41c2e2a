//! Tail probabilities and quantiles of the distributions that the tests refer to.

use statrs::function::erf::erfc;
use statrs::function::gamma::gamma_ur;

/// P(X > x) of the chi-square distribution with `df` degrees of freedom; of none, X is 0.
pub(crate) fn chi_square_above(x: f64, df: usize) -> f64 {
    if x <= 0.0 {
        1.0
    } else if df == 0 || x == f64::INFINITY {
        0.0
    } else {
        gamma_ur(df as f64 / 2.0, x / 2.0).clamp(0.0, 1.0)
    }
}

/// The x with P(X > x) = `alpha`, 0 < alpha < 1; of no degrees of freedom 0.
pub(crate) fn chi_square_cut(alpha: f64, df: usize) -> f64 {
    if df == 0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while chi_square_above(high, df) > alpha {
        (low, high) = (high, 2.0 * high);
    }
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return high;
        }
        if chi_square_above(middle, df) > alpha { low = middle } else { high = middle }
    }
}

/// P(|Z| > |z|) of the standard normal distribution.
pub(crate) fn normal_beyond(z: f64) -> f64 {
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found} {expected}");
    }

    #[test]
    fn tails_and_quantiles_of_scipy() {
        // SciPy 1.17.1: stats.chi2.isf(.05, 9), chi2.isf(.01, 1), chi2.sf(30, 9), 2 * stats.norm.sf(2.5).
        close(chi_square_cut(0.05, 9), 16.918_977_604_620_448);
        close(chi_square_cut(0.01, 1), 6.634_896_601_021_214);
        close(chi_square_above(30.0, 9), 0.000_438_721_770_979_479_36);
        close(normal_beyond(-2.5), 0.012_419_330_651_552_265);
        assert_eq!((chi_square_above(0.0, 3), chi_square_above(f64::INFINITY, 3)), (1.0, 0.0));
        assert_eq!((chi_square_above(1.0, 0), chi_square_above(0.0, 0)), (0.0, 1.0));
    }
}
