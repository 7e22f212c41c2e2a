//! How many units it takes to find a difference of two rates.

use crate::arm_count::check_level;
use crate::distribution::{normal_below, normal_cut, normal_quantile};
use crate::error::AbTestError;

/// Returns the probability that a test at level `alpha` finds the difference between two rates, with `n` units in
/// each arm.
///
/// # Formula
/// With rates p and q: P(Z <= (sqrt(n) |p - q| - z sqrt((p + q)(1 - (p + q) / 2))) / sqrt(p(1 - p) + q(1 - q))),
/// where z is the two-sided cut of alpha. A finding in the wrong direction is not counted.
///
/// # Method
/// R's `power.prop.test` with `strict = FALSE`.
///
/// # Errors
/// [`AbTestError::Level`] where a rate or `alpha` is not between 0 and 1, [`AbTestError::NoUnits`] where `n` is not
/// a positive number.
///
/// # Examples
/// ```
/// let power = cip_abtest::power_of_rates(50.0, 0.50, 0.75, 0.05)?;
/// assert_eq!(format!("{power:.3}"), "0.740");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
pub fn power_of_rates(n: f64, control: f64, treatment: f64, alpha: f64) -> Result<f64, AbTestError> {
    let rates = Rates::new(control, treatment)?;
    let cut = normal_cut(check_level("alpha", alpha)?);
    if 0.0 < n && n < f64::INFINITY { Ok(rates.power(n, cut)) } else { Err(AbTestError::NoUnits) }
}

/// Returns how many units each arm needs, so that a test at level `alpha` finds the difference between two rates
/// with probability `power`. Round it up.
///
/// # Formula
/// The n that solves [`power_of_rates`].
///
/// # Errors
/// [`AbTestError::Level`] where a rate, `power` or `alpha` is not between 0 and 1; [`AbTestError::NoPower`] where the
/// rates are equal, or `power` is so low that no units are needed.
///
/// # Examples
/// ```
/// let n = cip_abtest::units_for_power(0.50, 0.75, 0.90, 0.05)?;
/// assert_eq!(format!("{n:.1}"), "76.7");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
pub fn units_for_power(control: f64, treatment: f64, power: f64, alpha: f64) -> Result<f64, AbTestError> {
    let rates = Rates::new(control, treatment)?;
    let cut = normal_cut(check_level("alpha", alpha)?);
    let quantile = normal_quantile(check_level("power", power)?);
    let root = (cut * rates.pooled + quantile * rates.unpooled) / rates.distance;
    let n = root * root;
    if 0.0 < root && n < f64::INFINITY {
        Ok(n)
    } else {
        Err(AbTestError::NoPower { control, treatment, power })
    }
}

/// Returns the lowest rate above `control` that a test at level `alpha` tells from it with probability `power`, with
/// `n` units in each arm.
///
/// # Errors
/// [`AbTestError::Level`] where the rate, `power` or `alpha` is not between 0 and 1, [`AbTestError::NoUnits`] where
/// `n` is not a positive number; [`AbTestError::NoPower`] where no rate below 1 has that power.
///
/// # Examples
/// ```
/// let rate = cip_abtest::detectable_rate(50.0, 0.50, 0.90, 0.05)?;
/// assert_eq!(format!("{rate:.4}"), "0.8026");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
pub fn detectable_rate(n: f64, control: f64, power: f64, alpha: f64) -> Result<f64, AbTestError> {
    check_level("power", power)?;
    let enough =
        |treatment: f64| Ok::<_, AbTestError>(power_of_rates(n, control, treatment, alpha)? >= power);
    let (mut low, mut high) = (control, 1.0 - f64::EPSILON);
    if enough(control)? || high <= low || !enough(high)? {
        return Err(AbTestError::NoPower { control, treatment: high, power });
    }
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return Ok(high);
        }
        if enough(middle)? { high = middle } else { low = middle }
    }
}

#[derive(Debug, Clone, Copy)]
struct Rates {
    distance: f64,
    /// The standard deviation of the difference of one unit each, where the rates are one.
    pooled: f64,
    /// The same where they are not.
    unpooled: f64,
}

impl Rates {
    fn new(control: f64, treatment: f64) -> Result<Self, AbTestError> {
        let (p, q) =
            (check_level("the control's rate", control)?, check_level("the treatment's rate", treatment)?);
        let sum = p + q;
        Ok(Self {
            distance: (p - q).abs(),
            pooled: (sum * (1.0 - sum / 2.0)).sqrt(),
            unpooled: (p * (1.0 - p) + q * (1.0 - q)).sqrt(),
        })
    }

    fn power(self, n: f64, cut: f64) -> f64 {
        normal_below((n.sqrt() * self.distance - cut * self.pooled) / self.unpooled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_units_have_the_power(p in 0.01..0.99, q in 0.01..0.99, power in 0.1..0.99, alpha in 0.001..0.1) {
            prop_assume!(f64::abs(p - q) > 1e-3);
            let n = units_for_power(p, q, power, alpha).unwrap();
            prop_assert!((power_of_rates(n, p, q, alpha).unwrap() - power).abs() < 1e-8);
            prop_assert!(power_of_rates(2.0 * n, p, q, alpha).unwrap() > power);
        }
    }

    #[test]
    fn r_power_prop_test() {
        // The examples of R's power.prop.test.
        assert!((power_of_rates(50.0, 0.50, 0.75, 0.05).unwrap() - 0.740).abs() < 5e-4);
        assert!((units_for_power(0.50, 0.75, 0.90, 0.05).unwrap() - 76.7).abs() < 0.05);
        assert!((detectable_rate(50.0, 0.50, 0.90, 0.05).unwrap() - 0.8026).abs() < 5e-5);
    }

    #[test]
    fn what_has_no_answer_is_refused() {
        assert!(matches!(units_for_power(0.5, 0.5, 0.9, 0.05), Err(AbTestError::NoPower { .. })));
        assert!(matches!(detectable_rate(2.0, 0.5, 0.9, 0.01), Err(AbTestError::NoPower { .. })));
        for n in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(power_of_rates(n, 0.5, 0.6, 0.05), Err(AbTestError::NoUnits)), "{n}");
        }
        for level in [0.0, 1.0, f64::NAN, f64::INFINITY] {
            assert!(power_of_rates(9.0, level, 0.6, 0.05).is_err());
            assert!(power_of_rates(9.0, 0.5, level, 0.05).is_err());
            assert!(units_for_power(0.5, 0.6, level, 0.05).is_err());
            assert!(detectable_rate(9.0, 0.5, 0.9, level).is_err());
        }
    }
}
