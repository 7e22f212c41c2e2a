//! Score intervals: of a rate, of the difference of two, and of their ratio. They hold for few units and for rates near 0
//! and 1, where Wald's interval does not.

use serde::{Deserialize, Serialize};

use crate::arm_count::{ArmCount, check_level};
use crate::distribution::normal_cut;
use crate::error::AbTestError;
use crate::estimate::Interval;

/// Which interval lies around the difference of two rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateInterval {
    /// Wald's, which is as good as the others where both arms have many successes and failures.
    #[default]
    Wald,
    /// [`newcombe`].
    Newcombe,
    /// [`miettinen_nurminen`], and [`miettinen_nurminen_ratio`] of the relative effect.
    Score,
}

impl RateInterval {
    /// The interval of the difference; none where it is Wald's, that follows from the standard error.
    pub(crate) fn difference(
        self,
        control: &ArmCount,
        arm: &ArmCount,
        alpha: f64,
    ) -> Result<Option<Interval>, AbTestError> {
        match self {
            Self::Wald => Ok(None),
            Self::Newcombe => newcombe(control, arm, alpha).map(Some),
            Self::Score => miettinen_nurminen(control, arm, alpha).map(Some),
        }
    }

    /// The interval of the relative effect; none where that of the delta method serves.
    pub(crate) fn relative(
        self,
        control: &ArmCount,
        arm: &ArmCount,
        alpha: f64,
    ) -> Result<Option<Interval>, AbTestError> {
        if self != Self::Score {
            return Ok(None);
        }
        let Interval { low, high } = miettinen_nurminen_ratio(control, arm, alpha)?;
        Ok(Some(Interval { low: low - 1.0, high: high - 1.0 }))
    }
}

/// Returns the interval of confidence 1 - `alpha` of an arm's rate.
///
/// # Formula
/// The p that solve |x / n - p| <= z sqrt(p (1 - p) / n).
///
/// # Method
/// Wilson 1927, without correction for continuity.
///
/// # Errors
/// [`AbTestError::Level`]; [`AbTestError::TooFewUnits`] without units.
///
/// # Examples
/// ```
/// let none = cip_abtest::ArmCount::new("control", 20, 0)?;
/// let interval = cip_abtest::wilson(&none, 0.05)?;
/// assert_eq!(format!("{:.4} {:.4}", interval.low, interval.high), "0.0000 0.1611");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
pub fn wilson(count: &ArmCount, alpha: f64) -> Result<Interval, AbTestError> {
    let z = normal_cut(check_level("alpha", alpha)?);
    let p = rate(count)?;
    let n = count.n() as f64;
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let under = 1.0 + z * z / n;
    // At the ends the formula is exact, and rounding is not.
    let low = if count.successes() == 0 { 0.0 } else { (middle - half) / under };
    let high = if count.successes() == count.n() { 1.0 } else { (middle + half) / under };
    Ok(Interval { low: low.clamp(0.0, p), high: high.clamp(p, 1.0) })
}

/// Returns the interval of confidence 1 - `alpha` of the rate of `arm` less that of `control`, from their Wilson
/// intervals.
///
/// # Formula
/// With p, [l, u] of the arm and q, [m, v] of the control: d - sqrt((p - l)^2 + (v - q)^2) to d + sqrt((u - p)^2 + (q - m)^2).
///
/// # Method
/// Newcombe 1998, method 10.
///
/// # Errors
/// As [`wilson`].
pub fn newcombe(control: &ArmCount, arm: &ArmCount, alpha: f64) -> Result<Interval, AbTestError> {
    let (q, p) = (rate(control)?, rate(arm)?);
    let (of_control, of_arm) = (wilson(control, alpha)?, wilson(arm, alpha)?);
    let difference = p - q;
    Ok(Interval {
        low: difference - (p - of_arm.low).hypot(of_control.high - q),
        high: difference + (of_arm.high - p).hypot(q - of_control.low),
    })
}

/// Returns the interval of confidence 1 - `alpha` of the rate of `arm` less that of `control`, by the score test.
///
/// # Formula
/// The d for which |p - q - d| <= z sqrt(N / (N - 1) (p'(1 - p') / n + q'(1 - q') / m)), where p' and q' are the most
/// likely rates that differ by d.
///
/// # Method
/// Miettinen and Nurminen 1985.
///
/// # Errors
/// As [`wilson`].
///
/// # Examples
/// ```
/// use cip_abtest::{ArmCount, miettinen_nurminen};
/// let (control, arm) = (ArmCount::new("control", 30, 0)?, ArmCount::new("treatment", 30, 3)?);
/// let interval = miettinen_nurminen(&control, &arm, 0.05)?;
/// assert_eq!(format!("{:+.3} {:+.3}", interval.low, interval.high), "-0.021 +0.258");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
pub fn miettinen_nurminen(control: &ArmCount, arm: &ArmCount, alpha: f64) -> Result<Interval, AbTestError> {
    let z = normal_cut(check_level("alpha", alpha)?);
    let (q, p) = (rate(control)?, rate(arm)?);
    let score = |difference: f64| difference_score(control, arm, difference);
    // The score falls from above z at -1 to below -z at 1, where those ends are not inside.
    Ok(Interval { low: falls_to(z, -1.0, p - q, score), high: falls_to(-z, p - q, 1.0, score) })
}

/// Returns the interval of confidence 1 - `alpha` of the rate of `arm` over that of `control`, by the score test; the
/// upper end is infinite where the control has no success.
///
/// # Formula
/// As [`miettinen_nurminen`], of p - r q for a ratio r.
///
/// # Errors
/// As [`wilson`]; [`AbTestError::ZeroControl`] where neither has any success.
pub fn miettinen_nurminen_ratio(
    control: &ArmCount,
    arm: &ArmCount,
    alpha: f64,
) -> Result<Interval, AbTestError> {
    let z = normal_cut(check_level("alpha", alpha)?);
    let (q, p) = (rate(control)?, rate(arm)?);
    if control.successes() == 0 && arm.successes() == 0 {
        return Err(AbTestError::ZeroControl { control: control.arm().into() });
    }
    // On a scale where 0 and infinity have a place: r / (1 + r).
    let score = |place: f64| ratio_score(control, arm, place / (1.0 - place));
    let found = p / (p + q);
    let [low, high] = [falls_to(z, 0.0, found, score), falls_to(-z, found, 1.0, score)];
    let ratio = |place: f64| if place < 1.0 { place / (1.0 - place) } else { f64::INFINITY };
    Ok(Interval { low: ratio(low), high: ratio(high) })
}

fn rate(count: &ArmCount) -> Result<f64, AbTestError> {
    count.rate().ok_or_else(|| AbTestError::TooFewUnits { arm: count.arm().into(), n: 0 })
}

/// The place where a function that never rises comes to `level`, at the ends of the range where it does not.
fn falls_to(level: f64, low: f64, high: f64, function: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (low, high);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high || high - low < 1e-15 {
            return middle;
        }
        if function(middle) > level { low = middle } else { high = middle }
    }
}

fn difference_score(control: &ArmCount, arm: &ArmCount, difference: f64) -> f64 {
    let counts = [control, arm].map(|count| (count.successes() as f64, count.n() as f64));
    let [(x, m), (y, n)] = counts;
    // The slope of the log likelihood over the control's rate, which falls.
    let slope = |q: f64| {
        let p = q + difference;
        term(x, q) - term(m - x, 1.0 - q) + term(y, p) - term(n - y, 1.0 - p)
    };
    let q = falls_to(0.0, (-difference).max(0.0), (1.0 - difference).min(1.0), slope);
    let p = (q + difference).clamp(0.0, 1.0);
    let variance = (q * (1.0 - q) / m + p * (1.0 - p) / n) * (m + n) / (m + n - 1.0);
    over(y / n - x / m - difference, variance)
}

fn ratio_score(control: &ArmCount, arm: &ArmCount, ratio: f64) -> f64 {
    let counts = [control, arm].map(|count| (count.successes() as f64, count.n() as f64));
    let [(x, m), (y, n)] = counts;
    let slope = |q: f64| {
        let p = ratio * q;
        term(x + y, q) - term(m - x, 1.0 - q) - ratio * term(n - y, 1.0 - p)
    };
    let q = falls_to(0.0, 0.0, (1.0 / ratio).min(1.0), slope);
    let p = (ratio * q).clamp(0.0, 1.0);
    let variance = (ratio * ratio * q * (1.0 - q) / m + p * (1.0 - p) / n) * (m + n) / (m + n - 1.0);
    over(y / n - ratio * x / m, variance)
}

/// Successes over a rate; none count nothing, whatever the rate.
fn term(successes: f64, rate: f64) -> f64 {
    if successes > 0.0 { successes / rate.max(0.0) } else { 0.0 }
}

fn over(distance: f64, variance: f64) -> f64 {
    if distance == 0.0 { 0.0 } else { distance / variance.max(0.0).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(n: u64, successes: u64) -> ArmCount {
        ArmCount::new("a", n, successes).unwrap()
    }

    #[track_caller]
    fn close(found: Interval, low: f64, high: f64, unit: f64) {
        assert!((found.low - low).abs() <= 0.51 * unit, "{found:?} {low}");
        assert!((found.high - high).abs() <= 0.51 * unit, "{found:?} {high}");
    }

    #[test]
    fn newcombes_table() {
        // Newcombe 1998, Statistics in Medicine 17, 873-890, table II: 56/70 - 48/80, 9/10 - 3/10, 6/7 - 2/7, 5/56 - 0/29,
        // 0/10 - 0/10: Miettinen and Nurminen (method 6), Wilson (method 10).
        for (arm, control, score, wilson) in [
            ((70, 56), (80, 48), (0.0528, 0.3382), (0.0524, 0.3339)),
            ((10, 9), (10, 3), (0.1700, 0.8406), (0.1705, 0.8090)),
            ((56, 5), (29, 0), (-0.0326, 0.1933), (-0.0381, 0.1926)),
            ((10, 0), (10, 0), (-0.2879, 0.2879), (-0.2775, 0.2775)),
        ] {
            let (control, arm) = (count(control.0, control.1), count(arm.0, arm.1));
            close(miettinen_nurminen(&control, &arm, 0.05).unwrap(), score.0, score.1, 1e-4);
            close(newcombe(&control, &arm, 0.05).unwrap(), wilson.0, wilson.1, 1e-4);
        }
    }

    proptest! {
        #[test]
        fn intervals_hold_the_estimate_and_mirror(
            (n, x) in (1u64..500).prop_flat_map(|n| (Just(n), 0..=n)),
            (m, y) in (1u64..500).prop_flat_map(|n| (Just(n), 0..=n)),
            alpha in 0.001f64..0.5,
        ) {
            let (a, b) = (count(n, x), count(m, y));
            let (p, q) = (x as f64 / n as f64, y as f64 / m as f64);
            let own = wilson(&a, alpha).unwrap();
            prop_assert!(0.0 <= own.low && own.low <= p && p <= own.high && own.high <= 1.0);
            for interval in [newcombe, miettinen_nurminen] {
                let (there, back) = (interval(&a, &b, alpha).unwrap(), interval(&b, &a, alpha).unwrap());
                prop_assert!(there.low <= q - p + 1e-12 && q - p - 1e-12 <= there.high, "{:?}", there);
                prop_assert!((there.low + back.high).abs() < 1e-9 && (there.high + back.low).abs() < 1e-9);
                prop_assert!(-1.0 - 1e-12 <= there.low && there.high <= 1.0 + 1e-12);
            }
            if x + y > 0 {
                let ratio = miettinen_nurminen_ratio(&a, &b, alpha).unwrap();
                prop_assert!(0.0 <= ratio.low && ratio.low <= ratio.high);
                // It leaves 1 out where the interval of the difference leaves 0 out: both are the same test there.
                let difference = miettinen_nurminen(&a, &b, alpha).unwrap();
                let apart = |low: f64, high: f64| low > 1e-9 || high < -1e-9;
                prop_assert_eq!(apart(difference.low, difference.high), apart(ratio.low - 1.0, ratio.high - 1.0));
            }
        }
    }

    #[test]
    fn no_units_have_no_rate() {
        let (none, some) = (count(0, 0), count(5, 0));
        assert!(wilson(&none, 0.05).is_err() && newcombe(&none, &some, 0.05).is_err());
        assert!(miettinen_nurminen(&some, &none, 0.05).is_err());
        assert!(matches!(miettinen_nurminen_ratio(&some, &some, 0.05), Err(AbTestError::ZeroControl { .. })));
        let open = miettinen_nurminen_ratio(&some, &count(5, 3), 0.05).unwrap();
        assert!(open.low > 0.0 && open.high == f64::INFINITY, "{open:?}");
        assert!(wilson(&some, f64::NAN).is_err());
    }
}
