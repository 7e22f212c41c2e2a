//! Tail probabilities and quantiles of the distributions that the tests refer to.

use statrs::function::beta::beta_reg;
use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::gamma::gamma_ur;

/// P(X > x) of the chi-square distribution with `df` > 0 degrees of freedom.
pub(crate) fn chi_square_above(x: f64, df: u64) -> f64 {
    if x <= 0.0 {
        1.0
    } else if x == f64::INFINITY {
        0.0
    } else if df == 1 {
        normal_beyond(x.sqrt())
    } else {
        gamma_ur(df as f64 / 2.0, x / 2.0).clamp(0.0, 1.0)
    }
}

/// P(|Z| > |z|) of the standard normal distribution.
pub(crate) fn normal_beyond(z: f64) -> f64 {
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The z with P(|Z| > z) = `alpha`, 0 < alpha < 1.
pub(crate) fn normal_cut(alpha: f64) -> f64 {
    erfc_inv(alpha) * std::f64::consts::SQRT_2
}

/// P(Z <= z) of the standard normal distribution.
pub(crate) fn normal_below(z: f64) -> f64 {
    0.5 * erfc(-z / std::f64::consts::SQRT_2)
}

/// The z with P(Z <= z) = `p`, 0 < p < 1.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    if p >= 0.5 { normal_cut(2.0 * (1.0 - p).max(f64::MIN_POSITIVE)) } else { -normal_cut(2.0 * p) }
}

/// The density of the standard normal distribution at `z`.
pub(crate) fn normal_density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// P(T > t) of Student's distribution with `df` > 0 degrees of freedom, infinitely many for the normal one.
pub(crate) fn student_above(t: f64, df: f64) -> f64 {
    let half = 0.5 * student_beyond(t, df);
    if t > 0.0 { half } else { 1.0 - half }
}

/// P(|T| > |t|) of Student's distribution with `df` > 0 degrees of freedom.
pub(crate) fn student_beyond(t: f64, df: f64) -> f64 {
    if df >= NEARLY_NORMAL {
        // The inverse of the expansion below.
        return normal_beyond(t * (1.0 - (t * t + 1.0) / (4.0 * df)).max(0.0));
    }
    let below = df / (df + t * t);
    if below <= 0.0 { 0.0 } else { beta_reg(df / 2.0, 0.5, below.min(1.0)).clamp(0.0, 1.0) }
}

/// P(T > t) of the noncentral Student's distribution: a normal number with the mean `shift`, over an independent one like
/// the root of chi-square over its `df` degrees of freedom.
pub(crate) fn noncentral_student_above(t: f64, df: f64, shift: f64) -> f64 {
    if df >= NEARLY_NORMAL {
        return normal_below(shift - t);
    }
    // The mean of P(Z > t s - shift) over s, by the trapezoidal rule over ln s, where the density falls off fast both ways.
    const NODES: u32 = 400;
    let log_density = |w: f64| df * (w - 0.5 * (2.0 * w).exp_m1());
    let edge = |step: f64| {
        let mut end = step;
        while log_density(end) > -40.0 {
            end *= 1.25;
        }
        end
    };
    let (low, high) = (edge(-0.1 / df.sqrt()), edge(0.1 / df.sqrt()));
    let (mut all, mut above) = (0.0, 0.0);
    for node in 0..=NODES {
        let w = low + (high - low) * f64::from(node) / f64::from(NODES);
        let weight = log_density(w).exp();
        all += weight;
        above += weight * normal_below(shift - t * w.exp());
    }
    above / all
}

/// The t with P(|T| > t) = `alpha`, 0 < alpha < 1.
pub(crate) fn student_cut(alpha: f64, df: f64) -> f64 {
    if df >= NEARLY_NORMAL {
        // The first term of the Cornish-Fisher expansion; the next is of the order of 1 / df^2.
        let z = normal_cut(alpha);
        return z + (z * z * z + z) / (4.0 * df);
    }
    // The library's inverse of the incomplete beta function has three digits for many degrees of freedom: bisect.
    let (mut low, mut high) = (0.0, 1.0);
    while student_beyond(high, df) > alpha && high < f64::MAX / 2.0 {
        (low, high) = (high, 2.0 * high);
    }
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return high;
        }
        if student_beyond(middle, df) > alpha { low = middle } else { high = middle }
    }
}

/// From here on the incomplete beta function loses more than the expansion leaves out.
const NEARLY_NORMAL: f64 = 1e6;

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found} {expected}");
    }

    #[test]
    fn tails_and_quantiles_as_in_tables() {
        close(normal_cut(0.05), 1.959_963_984_540_054, 1e-12);
        close(normal_beyond(1.959_963_984_540_054), 0.05, 1e-10);
        // NIST/SEMATECH e-Handbook, critical values of chi-square and of Student's t.
        close(chi_square_above(5.991, 2), 0.05, 1e-3);
        close(chi_square_above(18.307, 10), 0.05, 1e-3);
        close(student_cut(0.05, 10.0), 2.228, 1e-3);
        close(student_cut(0.01, 100.0), 2.626, 1e-3);
        // Of one degree of freedom, Cauchy's: tan(pi (1 - alpha) / 2).
        close(student_cut(0.05, 1.0), 12.706_204_736_174_705, 1e-9);
        close(student_beyond(1.0, 1.0), 0.5, 1e-12);
    }

    #[test]
    fn student_and_normal_meet() {
        for alpha in [0.5, 0.05, 1e-3, 1e-6] {
            let (below, above) = (student_cut(alpha, 999_999.0), student_cut(alpha, 1_000_001.0));
            close(below, above, 1e-7);
            close(student_beyond(below, 999_999.0), alpha, 1e-7);
            close(student_beyond(above, 1_000_001.0), alpha, 1e-7);
        }
    }

    #[test]
    fn without_a_shift_the_noncentral_distribution_is_students() {
        for df in [1.0, 2.5, 10.0, 300.0, 2e6] {
            for t in [-2.0, 0.0, 0.5, 3.0] {
                close(noncentral_student_above(t, df, 0.0), student_above(t, df), 2e-5);
            }
        }
        // SciPy 1.17.1: scipy.stats.nct.sf(2.0, 10, 1.5).
        close(noncentral_student_above(2.0, 10.0, 1.5), 0.340_845_927_557_809, 1e-9);
    }

    #[test]
    fn the_ends_are_certain() {
        assert_eq!((chi_square_above(0.0, 3), chi_square_above(f64::INFINITY, 3)), (1.0, 0.0));
        assert_eq!((chi_square_above(1e300, 1), chi_square_above(1e300, 2)), (0.0, 0.0));
        assert_eq!((normal_beyond(0.0), normal_beyond(1e300)), (1.0, 0.0));
        assert_eq!((student_beyond(0.0, 5.0), student_beyond(1e300, 5.0)), (1.0, 0.0));
    }
}
