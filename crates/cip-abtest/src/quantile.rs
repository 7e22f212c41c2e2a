//! Quantiles of an arm, with the standard error that makes them comparable.

use crate::arm_count::check_level;
use crate::arm_moments::check_outcomes;
use crate::distribution::normal_cut;
use crate::error::AbTestError;
use crate::estimate::ArmEstimate;

/// Returns the `p`-quantile of an arm's numbers, `.5` for the median.
///
/// # Formula
/// Between the two numbers around place (n - 1) p, in proportion (type 7 of Hyndman and Fan 1996). The standard error is the
/// distance of the quantiles at p ± z sqrt(p (1 - p) / n), over 2 z, with z = 1.96.
///
/// # Method
/// Woodruff 1952: an interval of the share below, carried over to the numbers. It needs no density, and holds for numbers
/// of which many are equal only as far as the quantile moves at all: where both ends are one number the standard error is
/// 0.
///
/// # Errors
/// [`AbTestError::Level`] where `p` is not between 0 and 1; [`AbTestError::TooFewUnits`] where an end of that interval lies
/// beyond the numbers: n below about 4 (1 - p) / p or 4 p / (1 - p); [`AbTestError::Outcome`] for a number that is not
/// finite.
///
/// # Examples
/// ```
/// use cip_abtest::{EffectEstimate, EffectScale, quantile_estimate};
/// let control: Vec<f64> = (0..1_000).map(f64::from).collect();
/// let arm: Vec<f64> = control.iter().map(|seconds| 0.9 * seconds).collect();
/// let (a, b) = (quantile_estimate("control", &control, 0.95)?, quantile_estimate("arm", &arm, 0.95)?);
/// let found = EffectEstimate::between(&a, &b, EffectScale::Relative)?;
/// assert_eq!(format!("{:.2}", found.effect), "-0.10");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
pub fn quantile_estimate(arm: &str, values: &[f64], p: f64) -> Result<ArmEstimate, AbTestError> {
    check_level("the quantile", p)?;
    check_outcomes(values)?;
    let n = values.len() as f64;
    let z = normal_cut(0.05);
    let half = z * (p * (1.0 - p) / n).sqrt();
    if !(p - half >= 0.0 && p + half <= 1.0) {
        return Err(AbTestError::TooFewUnits { arm: arm.into(), n: values.len() as u64 });
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let width = quantile_of_sorted(&sorted, p + half) - quantile_of_sorted(&sorted, p - half);
    let value = quantile_of_sorted(&sorted, p);
    ArmEstimate::new(arm, values.len() as u64, value, width / (2.0 * z), f64::INFINITY)
}

/// The quantile of one or more sorted numbers.
pub(crate) fn quantile_of_sorted(sorted: &[f64], p: f64) -> f64 {
    let place = (sorted.len() - 1) as f64 * p;
    let below = (place as usize).min(sorted.len() - 1);
    let above = (below + 1).min(sorted.len() - 1);
    let (low, high) = (sorted[below], sorted[above]);
    // Weights instead of a difference, which could overflow.
    let share = place - below as f64;
    if low == high { low } else { low * (1.0 - share) + high * share }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_is_rs_type_7() {
        // R: quantile(c(1, 2, 4, 8, 16), c(.1, .5, .75, .9)).
        let values = [1.0, 2.0, 4.0, 8.0, 16.0];
        let found = [0.1, 0.5, 0.75, 0.9, 0.0, 1.0].map(|p| quantile_of_sorted(&values, p));
        let expected = [1.4, 4.0, 8.0, 12.8, 1.0, 16.0];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        assert_eq!(quantile_of_sorted(&[3.0], 0.3), 3.0);
    }

    #[test]
    fn the_standard_error_is_that_of_theory() {
        // Of n uniform numbers sqrt(p (1 - p) / n) over the density, which is 1.
        let values: Vec<f64> = (0..10_000).map(|i| (f64::from(i) + 0.5) / 10_000.0).collect();
        for p in [0.1, 0.5, 0.99] {
            let found = quantile_estimate("a", &values, p).unwrap();
            assert!((found.value() - p).abs() < 1e-4);
            assert!((found.standard_error() - (p * (1.0 - p) / 1e4).sqrt()).abs() < 2e-5, "{found:?}");
        }
    }

    #[test]
    fn too_few_numbers_have_no_far_quantile() {
        let values: Vec<f64> = (0..20).map(f64::from).collect();
        assert!(quantile_estimate("a", &values, 0.5).is_ok());
        assert!(matches!(quantile_estimate("a", &values, 0.99), Err(AbTestError::TooFewUnits { n: 20, .. })));
        assert!(matches!(quantile_estimate("a", &[], 0.5), Err(AbTestError::TooFewUnits { n: 0, .. })));
        assert!(matches!(quantile_estimate("a", &[f64::NAN; 9], 0.5), Err(AbTestError::Outcome { .. })));
        for p in [0.0, 1.0, f64::NAN] {
            assert!(matches!(quantile_estimate("a", &values, p), Err(AbTestError::Level { .. })));
        }
    }
}
