//! What is known of an arm whose units succeed or not.

use serde::Serialize;

use crate::distribution::{normal_beyond, normal_cut};
use crate::error::AbTestError;

/// The units of an arm, and how many of them succeeded, which is never more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArmCount {
    arm: Box<str>,
    n: u64,
    successes: u64,
}

impl ArmCount {
    /// Returns the count of an arm.
    ///
    /// # Errors
    /// [`AbTestError::Successes`] where there are more successes than units.
    pub fn new(arm: impl Into<Box<str>>, n: u64, successes: u64) -> Result<Self, AbTestError> {
        let arm = arm.into();
        if successes <= n {
            Ok(Self { arm, n, successes })
        } else {
            Err(AbTestError::Successes { arm, n, successes })
        }
    }

    /// The arm's name.
    pub fn arm(&self) -> &str {
        &self.arm
    }

    /// Units.
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// Units that succeeded.
    pub const fn successes(&self) -> u64 {
        self.successes
    }

    /// Returns successes over units; none without units.
    pub fn rate(&self) -> Option<f64> {
        (self.n > 0).then(|| self.successes as f64 / self.n as f64)
    }

    /// Counts another unit.
    pub(crate) fn push(&mut self, success: bool) {
        self.n += 1;
        self.successes += u64::from(success);
    }

    /// Adds the units of the same arm elsewhere.
    pub(crate) fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.successes += other.successes;
    }

    pub(crate) fn empty(arm: &str) -> Self {
        Self { arm: arm.into(), n: 0, successes: 0 }
    }
}

/// The difference of two proportions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ProportionDifference {
    /// The rate of the arm minus that of the control.
    pub difference: f64,
    /// The lower end of the confidence interval.
    pub ci_low: f64,
    /// The upper end of the confidence interval.
    pub ci_high: f64,
    /// The difference over its standard error if the arms had one rate; 0 where no unit or every unit succeeded.
    pub z: f64,
    /// The probability of a z that is as far from 0 or farther, where the arms have one rate.
    pub p_value: f64,
}

/// Returns how much the rate of `arm` exceeds that of `control`, with an interval of confidence 1 - `alpha`.
///
/// # Formula
/// With rates p and q of n and m units: p - q ± z sqrt(p(1 - p) / n + q(1 - q) / m), Wald's unpooled interval. The
/// test divides p - q by sqrt(r(1 - r)(1/n + 1/m)), where r is the rate of both together; its square is
/// Pearson's chi-square of the 2 x 2 table.
///
/// # Errors
/// [`AbTestError::TooFewUnits`] where either has no units, [`AbTestError::Level`] where `alpha` is not between 0
/// and 1.
///
/// # Examples
/// ```
/// use cip_abtest::{ArmCount, proportion_difference};
/// let (gate_30, gate_40) = (ArmCount::new("gate 30", 44_700, 8_502)?, ArmCount::new("gate 40", 45_489, 8_279)?);
/// let found = proportion_difference(&gate_30, &gate_40, 0.05)?;
/// let text = format!("{:.4} [{:.4}, {:.4}]", found.difference, found.ci_low, found.ci_high);
/// assert_eq!(text, "-0.0082 [-0.0133, -0.0031]");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
pub fn proportion_difference(
    control: &ArmCount,
    arm: &ArmCount,
    alpha: f64,
) -> Result<ProportionDifference, AbTestError> {
    let alpha = check_level("alpha", alpha)?;
    let rate =
        |of: &ArmCount| of.rate().ok_or_else(|| AbTestError::TooFewUnits { arm: of.arm.clone(), n: of.n });
    let (q, p) = (rate(control)?, rate(arm)?);
    let (m, n) = (control.n as f64, arm.n as f64);
    let (x, y) = (control.successes as f64, arm.successes as f64);
    let difference = p - q;
    let half = normal_cut(alpha) * (p * (1.0 - p) / n + q * (1.0 - q) / m).sqrt();
    let (successes, units) = (x + y, m + n);
    let failures = units - successes;
    // sqrt(r(1 - r)(1/n + 1/m)), where r(1 - r) is successes x failures / units^2.
    let pooled = ((successes / units) * (failures / units) * (1.0 / n + 1.0 / m)).sqrt();
    let z = if pooled > 0.0 { difference / pooled } else { 0.0 };
    Ok(ProportionDifference {
        difference,
        ci_low: difference - half,
        ci_high: difference + half,
        z,
        p_value: normal_beyond(z),
    })
}

/// Returns a level that lies between 0 and 1.
pub(crate) fn check_level(what: &'static str, value: f64) -> Result<f64, AbTestError> {
    if 0.0 < value && value < 1.0 { Ok(value) } else { Err(AbTestError::Level { what, value }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_cats() {
        // Recomputed from the raw data of Cookie Cats: gate 30 is the control, gate 40 the arm.
        let day_1 = [(44_700, 20_034), (45_489, 20_119)].map(|(n, x)| ArmCount::new("", n, x).unwrap());
        let found = proportion_difference(&day_1[0], &day_1[1], 0.05).unwrap();
        assert!((found.z - -1.784_086_2).abs() < 5e-8, "{found:?}");
        assert!((found.p_value - 0.074_409_7).abs() < 5e-8, "{found:?}");
        let day_7 = [(44_700, 8_502), (45_489, 8_279)].map(|(n, x)| ArmCount::new("", n, x).unwrap());
        let found = proportion_difference(&day_7[0], &day_7[1], 0.05).unwrap();
        for (found, expected) in [found.difference, found.ci_low, found.ci_high].into_iter().zip([
            -0.008_201_3,
            -0.013_281_6,
            -0.003_121_0,
        ]) {
            assert!((found - expected).abs() < 5.1e-8, "{found} {expected}");
        }
    }

    #[test]
    fn all_or_no_successes_are_no_difference_and_no_nan() {
        for (x, y) in [(0, 0), (7, 9)] {
            let (control, arm) = (ArmCount::new("a", 7, x).unwrap(), ArmCount::new("b", 9, y).unwrap());
            let found = proportion_difference(&control, &arm, 0.05).unwrap();
            assert_eq!((found.difference, found.ci_low, found.ci_high), (0.0, 0.0, 0.0));
            assert_eq!((found.z, found.p_value), (0.0, 1.0));
        }
        let (none, all) = (ArmCount::new("a", 7, 0).unwrap(), ArmCount::new("b", 9, 9).unwrap());
        let found = proportion_difference(&none, &all, 0.05).unwrap();
        // Pearson's chi-square of [[0, 7], [9, 0]] is the number of units.
        assert!((found.z - 4.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn impossible_counts_and_levels_are_refused() {
        let error = ArmCount::new("b", 3, 4).unwrap_err().to_string();
        assert_eq!(error, "arm `b` has 4 successes of 3 units, expected at most 3: count each unit once");
        let (some, none) = (ArmCount::new("a", 3, 1).unwrap(), ArmCount::new("b", 0, 0).unwrap());
        assert_eq!(none.rate(), None);
        assert!(matches!(
            proportion_difference(&some, &none, 0.05),
            Err(AbTestError::TooFewUnits { n: 0, .. })
        ));
        for alpha in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
            assert!(
                matches!(proportion_difference(&some, &some, alpha), Err(AbTestError::Level { .. })),
                "{alpha}"
            );
        }
    }
}
