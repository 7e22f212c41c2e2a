//! Answers that hold however often one looks: confidence sequences, and the sequential probability ratio.

use serde::Serialize;

use crate::arm_count::check_level;
use crate::error::AbTestError;
use crate::estimate::{EffectEstimate, Interval};

/// Tests of an effect that may be repeated at any time, as often as one likes: over all looks, the probability that any of
/// them errs is at most alpha.
///
/// # Formula
/// With N units in both arms, the standard error s and rho^2 = (-2 ln alpha + ln(1 - 2 ln alpha)) / tuning, the interval is
/// the effect ± s sqrt(2 (N rho^2 + 1) / (N rho^2) ln(sqrt(N rho^2 + 1) / alpha)).
///
/// # Method
/// The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2021 (arXiv 2103.06476), with
/// GrowthBook's tuning parameter: the number of units at which the interval is tightest, 5,000 unless set otherwise. It is
/// the mixture sequential probability ratio test with a normal mixture (Robbins 1970; Johari, Koomen, Pekelis and Walsh 2017),
/// whose prior variance [`Sequential::with_prior_deviation`] sets instead.
///
/// # Examples
/// ```
/// use cip_abtest::{ArmCount, ArmEstimate, EffectEstimate, EffectScale, Sequential};
/// let a = ArmEstimate::of_count(&ArmCount::new("a", 3_000, 1_396)?)?;
/// let b = ArmEstimate::of_count(&ArmCount::new("b", 3_461, 2_422)?)?;
/// let lift = EffectEstimate::between(&a, &b, EffectScale::Relative)?;
/// let found = Sequential::new(0.05)?.test(&lift);
/// assert_eq!(format!("{:.5} {:.5}", found.interval.low, found.interval.high), "0.40098 0.60675");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequential {
    alpha: f64,
    mixture: Mixture,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mixture {
    /// rho^2, of effects in standard deviations of one unit.
    Unit(f64),
    /// The variance of effects, in their own unit.
    Effect(f64),
}

/// What a look at a [`Sequential`] test finds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SequentialTest {
    /// An interval that holds the effect at all looks together, with the probability 1 - alpha. Unbounded before there is
    /// anything to know.
    pub interval: Interval,
    /// A p-value that is at most alpha at any look with the probability alpha, where there is no effect.
    pub p_value: f64,
}

impl Sequential {
    /// Returns tests at level `alpha`, tightest at 5,000 units.
    ///
    /// # Errors
    /// [`AbTestError::Level`].
    pub fn new(alpha: f64) -> Result<Self, AbTestError> {
        let alpha = check_level("alpha", alpha)?;
        Ok(Self { alpha, mixture: Mixture::Unit(rho_squared(alpha, 5_000.0)) })
    }

    /// Sets the number of units of both arms at which the interval shall be tightest.
    ///
    /// # Errors
    /// [`AbTestError::Setting`] where it is not a positive number.
    pub fn with_tuning(self, units: f64) -> Result<Self, AbTestError> {
        if 0.0 < units && units < f64::INFINITY {
            return Ok(Self { mixture: Mixture::Unit(rho_squared(self.alpha, units)), ..self });
        }
        Err(AbTestError::Setting { what: "the tuning parameter", value: units, allowed: "a positive number" })
    }

    /// Sets how far effects of experiments like this one lie from 0, as a standard deviation: the mSPRT.
    ///
    /// # Formula
    /// The ratio of likelihoods is sqrt(v / (v + t^2)) exp(t^2 d^2 / (2 v (v + t^2))) for an effect d of variance v; its
    /// inverse is the p-value.
    ///
    /// # Errors
    /// [`AbTestError::Setting`] where it is not a positive number.
    pub fn with_prior_deviation(self, deviation: f64) -> Result<Self, AbTestError> {
        let variance = deviation * deviation;
        if 0.0 < deviation && 0.0 < variance && variance < f64::INFINITY {
            return Ok(Self { mixture: Mixture::Effect(variance), ..self });
        }
        let what = "the deviation of effects";
        Err(AbTestError::Setting { what, value: deviation, allowed: "a positive number" })
    }

    /// The probability that any look errs.
    pub const fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Returns what this look at the effect finds.
    pub fn test(&self, effect: &EffectEstimate) -> SequentialTest {
        let variance = effect.standard_error * effect.standard_error;
        if variance == 0.0 {
            let interval = Interval { low: effect.effect, high: effect.effect };
            return SequentialTest { interval, p_value: f64::from(u8::from(effect.effect == 0.0)) };
        }
        // The variance of the mixture over that of the estimate.
        let ratio = match self.mixture {
            Mixture::Unit(rho_squared) => rho_squared * effect.n as f64,
            Mixture::Effect(of) => of / variance,
        };
        let half = effect.standard_error * cut(self.alpha, ratio);
        let z = effect.statistic();
        let evidence = 0.5 * z * z * (ratio / (ratio + 1.0)) - 0.5 * ratio.ln_1p();
        SequentialTest {
            interval: Interval { low: effect.effect - half, high: effect.effect + half },
            p_value: (-evidence).exp().min(1.0),
        }
    }
}

/// How many standard errors the interval reaches either way.
fn cut(alpha: f64, ratio: f64) -> f64 {
    (2.0 * ((ratio + 1.0) / ratio) * (0.5 * ratio.ln_1p() - alpha.ln())).sqrt()
}

/// The same at the units that it is tuned for, where it is least.
pub(crate) fn tightest_cut(alpha: f64) -> f64 {
    cut(alpha, rho_squared(alpha, 1.0))
}

/// The mixture that makes the interval tightest at so many units: equation 161 of arXiv 2103.06476v7.
fn rho_squared(alpha: f64, units: f64) -> f64 {
    let twice = -2.0 * alpha.ln();
    (twice + twice.ln_1p()) / units
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm_count::ArmCount;
    use crate::arm_moments::ArmMoments;
    use crate::estimate::{ArmEstimate, EffectScale};
    use proptest::prelude::*;

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 0.51e-5, "{found} is not {expected}");
    }

    fn effect(value: f64, standard_error: f64, n: u64) -> EffectEstimate {
        let zero = ArmEstimate::new("a", n / 2, 0.0, 0.0, f64::INFINITY).unwrap();
        let arm = ArmEstimate::new("b", n - n / 2, value, standard_error, f64::INFINITY).unwrap();
        EffectEstimate::between(&zero, &arm, EffectScale::Absolute).unwrap()
    }

    #[test]
    fn growthbooks_sequential_tests() {
        // gbstats' own tests of its sequential two-sided t test.
        let mean = |arm, n, sum, squares| {
            ArmEstimate::of_moments(&ArmMoments::from_sums(arm, n, sum, squares).unwrap()).unwrap()
        };
        let (a, b) = (mean("a", 3_000, 1396.87, 52_377.976_7), mean("b", 3_461, 2422.7, 134_698.29));
        let lift = EffectEstimate::between(&a, &b, EffectScale::Relative).unwrap();
        close(lift.effect, 0.503_36);
        let found = Sequential::new(0.05).unwrap().with_tuning(1_000.0).unwrap().test(&lift);
        close(found.interval.low, -0.558_44);
        close(found.interval.high, 1.565_16);
        assert_eq!(found.p_value, 1.0);
        let rate = |n, x| ArmEstimate::of_count(&ArmCount::new("a", n, x).unwrap()).unwrap();
        let lift =
            EffectEstimate::between(&rate(3_000, 1_396), &rate(3_461, 2_422), EffectScale::Relative).unwrap();
        let found = Sequential::new(0.05).unwrap().test(&lift);
        close(found.interval.low, 0.400_98);
        close(found.interval.high, 0.606_75);
        assert!(found.p_value < 1e-9);
    }

    proptest! {
        #[test]
        fn the_interval_and_the_p_value_say_the_same(
            value in -3.0f64..3.0, standard_error in 0.01f64..2.0, n in 4u64..1_000_000, alpha in 0.001f64..0.3, prior in 0.01f64..3.0,
        ) {
            let found = effect(value, standard_error, n);
            for sequential in [Sequential::new(alpha).unwrap(), Sequential::new(alpha).unwrap().with_prior_deviation(prior).unwrap()] {
                let SequentialTest { interval, p_value } = sequential.test(&found);
                let apart = interval.low > 0.0 || interval.high < 0.0;
                prop_assert!(apart == (p_value < alpha) || (p_value - alpha).abs() < 1e-9, "{:?}", interval);
                // To look at any time costs something.
                let once = found.interval(alpha).unwrap();
                prop_assert!(interval.low <= once.low && once.high <= interval.high);
            }
        }
    }

    #[test]
    fn it_is_tightest_where_it_is_tuned() {
        let reach = |tuning: f64| {
            let sequential = Sequential::new(0.05).unwrap().with_tuning(tuning).unwrap();
            sequential.test(&effect(0.0, 1.0, 10_000)).interval.high
        };
        assert!((reach(10_000.0) - tightest_cut(0.05)).abs() < 1e-12);
        assert!(
            [100.0, 3_000.0, 7_000.0, 14_000.0, 1e6].iter().all(|&tuning| reach(10_000.0) < reach(tuning))
        );
    }

    #[test]
    fn what_is_no_setting_is_refused() {
        let sequential = Sequential::new(0.05).unwrap();
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(
                sequential.with_tuning(value).is_err() && sequential.with_prior_deviation(value).is_err()
            );
            assert!(Sequential::new(value).is_err());
        }
        let certain = sequential.test(&effect(1.0, 0.0, 10));
        assert_eq!((certain.interval.low, certain.p_value), (1.0, 0.0));
        assert_eq!(sequential.test(&effect(0.0, 0.0, 10)).p_value, 1.0);
    }
}
