//! What an arm is estimated to be at, and the effect between two arms: absolute or relative, with tests and intervals.

use serde::{Deserialize, Serialize};

use crate::arm_count::{ArmCount, check_level};
use crate::arm_moments::ArmMoments;
use crate::distribution::{student_above, student_beyond, student_cut};
use crate::error::AbTestError;

/// An interval, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// What the mean, rate or ratio of an arm is estimated to be, and how uncertain that is. Every kind of metric comes down
/// to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmEstimate {
    arm: Box<str>,
    n: u64,
    value: f64,
    standard_error: f64,
    #[serde(skip)]
    df: f64,
}

impl ArmEstimate {
    /// Returns an estimate of another kind: its value, its standard error, and the degrees of freedom of that, infinite
    /// where it is known.
    ///
    /// # Errors
    /// [`AbTestError::Estimate`] where the value is not finite, the standard error not zero or a positive number, or the
    /// degrees of freedom not positive.
    pub fn new(
        arm: impl Into<Box<str>>,
        n: u64,
        value: f64,
        standard_error: f64,
        df: f64,
    ) -> Result<Self, AbTestError> {
        let arm = arm.into();
        let refuse = |what, value, allowed| AbTestError::Estimate { arm: arm.clone(), what, value, allowed };
        if !value.is_finite() {
            return Err(refuse("the value", value, "a finite number"));
        }
        if !(0.0..f64::INFINITY).contains(&standard_error) {
            return Err(refuse("the standard error", standard_error, "0 or a positive number"));
        }
        if df > 0.0 {
            Ok(Self { arm, n, value, standard_error, df })
        } else {
            Err(refuse("the degrees of freedom", df, "a positive number"))
        }
    }

    /// Returns the rate of an arm whose units succeed or not.
    ///
    /// # Formula
    /// p with the standard error sqrt(p(1 - p) / n).
    ///
    /// # Errors
    /// [`AbTestError::TooFewUnits`] below two units.
    pub fn of_count(count: &ArmCount) -> Result<Self, AbTestError> {
        let n = count.n();
        match count.rate() {
            Some(p) if n > 1 => {
                let failures = (n - count.successes()) as f64 / n as f64;
                Self::new(count.arm(), n, p, (p * failures / n as f64).sqrt(), (n - 1) as f64)
            }
            _ => Err(AbTestError::TooFewUnits { arm: count.arm().into(), n }),
        }
    }

    /// Returns the mean of an arm's numbers.
    ///
    /// # Errors
    /// [`AbTestError::TooFewUnits`] below two units.
    pub fn of_moments(moments: &ArmMoments) -> Result<Self, AbTestError> {
        Self::from_variance(moments.arm(), moments.n(), moments.mean(), moments.variance())
    }

    /// The estimate of an arm without units, of which nothing is known.
    pub(crate) fn empty(arm: &str) -> Self {
        Self { arm: arm.into(), n: 0, value: 0.0, standard_error: 0.0, df: f64::INFINITY }
    }

    /// The same value without a standard error, of an arm that has too few units for one.
    pub(crate) fn of_few(arm: &str, n: u64, value: f64) -> Result<Self, AbTestError> {
        Self::new(arm, n, value, 0.0, f64::INFINITY)
    }

    pub(crate) fn from_variance(
        arm: &str,
        n: u64,
        mean: Option<f64>,
        variance: Option<f64>,
    ) -> Result<Self, AbTestError> {
        match (mean, variance) {
            (Some(mean), Some(variance)) => {
                Self::new(arm, n, mean, (variance / n as f64).sqrt(), (n - 1) as f64)
            }
            _ => Err(AbTestError::TooFewUnits { arm: arm.into(), n }),
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

    /// The mean, rate or ratio.
    pub const fn value(&self) -> f64 {
        self.value
    }

    /// Its standard error.
    pub const fn standard_error(&self) -> f64 {
        self.standard_error
    }

    /// The degrees of freedom of the standard error.
    pub const fn df(&self) -> f64 {
        self.df
    }
}

/// How an effect is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectScale {
    /// As the arm less the control.
    Absolute,
    /// As the same over the control.
    Relative,
}

/// The effect of an arm against the control, with its standard error.
///
/// # Examples
/// ```
/// use cip_abtest::{ArmCount, ArmEstimate, EffectEstimate, EffectScale};
///
/// let control = ArmEstimate::of_count(&ArmCount::new("control", 50_210, 2_511)?)?;
/// let arm = ArmEstimate::of_count(&ArmCount::new("treatment", 49_790, 2_688)?)?;
/// let lift = EffectEstimate::between(&control, &arm, EffectScale::Relative)?;
/// let interval = lift.interval(0.05)?;
/// assert_eq!(format!("{:+.3} [{:+.3}, {:+.3}]", lift.effect, interval.low, interval.high), "+0.080 [+0.022, +0.137]");
/// // It loses no more than a fiftieth, and it is not within a twentieth of nothing.
/// assert!(lift.non_inferiority(0.02, 0.05)?.holds);
/// assert!(!lift.equivalence(0.05, 0.05)?.holds);
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EffectEstimate {
    /// Absolute or relative.
    pub scale: EffectScale,
    /// The effect.
    pub effect: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The degrees of freedom of the standard error, by Welch and Satterthwaite; null in JSON where infinite.
    pub df: f64,
    /// The units of both arms.
    pub n: u64,
}

/// Whether an effect is beyond a margin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MarginTest {
    /// The margin.
    pub margin: f64,
    /// The probability of an effect as far from the margin or farther, where it lies on the margin.
    pub p_value: f64,
    /// Whether the p-value is below alpha.
    pub holds: bool,
}

impl EffectEstimate {
    /// Returns the effect of `arm` against `control`.
    ///
    /// # Formula
    /// With values a of the control and b of the arm, of variances u and v: b - a with the variance u + v; relative
    /// b / a - 1 with v / a^2 + u b^2 / a^4.
    ///
    /// # Method
    /// Relative effects by the delta method, as GrowthBook's gbstats.
    ///
    /// # Errors
    /// [`AbTestError::ZeroControl`] for a relative effect against 0, [`AbTestError::OutcomeRange`] where numbers overflow.
    pub fn between(
        control: &ArmEstimate,
        arm: &ArmEstimate,
        scale: EffectScale,
    ) -> Result<Self, AbTestError> {
        let (a, b) = (control.value, arm.value);
        let (effect, over_control, over_arm) = match scale {
            EffectScale::Absolute => (b - a, 1.0, 1.0),
            EffectScale::Relative if a == 0.0 => {
                return Err(AbTestError::ZeroControl { control: control.arm.clone() });
            }
            EffectScale::Relative => ((b - a) / a, b / a / a, 1.0 / a),
        };
        let (u, v) = ((control.standard_error * over_control).abs(), (arm.standard_error * over_arm).abs());
        let standard_error = u.hypot(v);
        if !(effect.is_finite() && standard_error.is_finite()) {
            return Err(AbTestError::OutcomeRange { arm: arm.arm.clone() });
        }
        let df = welch_df((control.standard_error, control.df), (arm.standard_error, arm.df));
        Ok(Self { scale, effect, standard_error, df, n: control.n + arm.n })
    }

    /// Returns the effect over its standard error; 0 where both are 0.
    pub fn statistic(&self) -> f64 {
        self.from(0.0)
    }

    /// Returns the probability of an effect as far from 0 or farther, where there is none.
    pub fn p_value(&self) -> f64 {
        student_beyond(self.statistic(), self.df)
    }

    /// Returns the interval of confidence 1 - `alpha`.
    ///
    /// # Errors
    /// [`AbTestError::Level`].
    pub fn interval(&self, alpha: f64) -> Result<Interval, AbTestError> {
        let alpha = check_level("alpha", alpha)?;
        let half =
            if self.standard_error > 0.0 { student_cut(alpha, self.df) * self.standard_error } else { 0.0 };
        Ok(Interval { low: self.effect - half, high: self.effect + half })
    }

    /// Returns whether the arm is not worse than the control by `margin` or more: a one-sided test at level `alpha`.
    ///
    /// # Errors
    /// [`AbTestError::Level`], [`AbTestError::Setting`] where the margin is not a positive number.
    pub fn non_inferiority(&self, margin: f64, alpha: f64) -> Result<MarginTest, AbTestError> {
        let (margin, alpha) = (check_margin(margin)?, check_level("alpha", alpha)?);
        let p_value = student_above(self.from(-margin), self.df);
        Ok(MarginTest { margin, p_value, holds: p_value < alpha })
    }

    /// Returns whether arm and control differ by less than `margin` either way.
    ///
    /// # Method
    /// Two one-sided tests at level `alpha` (TOST; Schuirmann 1987); the p-value is the larger of the two. It holds where the
    /// interval of confidence 1 - 2 `alpha` lies within the margins.
    ///
    /// # Errors
    /// As [`EffectEstimate::non_inferiority`].
    pub fn equivalence(&self, margin: f64, alpha: f64) -> Result<MarginTest, AbTestError> {
        let (margin, alpha) = (check_margin(margin)?, check_level("alpha", alpha)?);
        let above = student_above(self.from(-margin), self.df);
        let below = student_above(-self.from(margin), self.df);
        let p_value = above.max(below);
        Ok(MarginTest { margin, p_value, holds: p_value < alpha })
    }

    /// Refuses an effect that has nothing to be measured by.
    pub(crate) fn check_spread(&self, arm: &str) -> Result<(), AbTestError> {
        if self.standard_error == 0.0 && self.effect != 0.0 {
            return Err(AbTestError::NoSpread { arm: arm.into() });
        }
        Ok(())
    }

    /// How many standard errors the effect lies from a value.
    pub(crate) fn from(&self, value: f64) -> f64 {
        let distance = self.effect - value;
        if distance == 0.0 { 0.0 } else { distance / self.standard_error }
    }
}

/// The degrees of freedom of the difference of two means, by their standard errors and the degrees of freedom of these.
pub(crate) fn welch_df((u, u_df): (f64, f64), (v, v_df): (f64, f64)) -> f64 {
    let all = u.hypot(v);
    // By the share of the variance, so that no square underflows.
    let share = if all > 0.0 { (v / all).powi(2) } else { 0.5 };
    1.0 / ((1.0 - share).powi(2) / u_df + share.powi(2) / v_df)
}

fn check_margin(margin: f64) -> Result<f64, AbTestError> {
    if 0.0 < margin && margin < f64::INFINITY {
        Ok(margin)
    } else {
        Err(AbTestError::Setting { what: "the margin", value: margin, allowed: "a positive number" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn close(found: f64, expected: f64, unit: f64) {
        assert!((found - expected).abs() <= 0.51 * unit, "{found} is not {expected}");
    }

    fn mean(arm: &str, n: u64, sum: f64, squares: f64) -> ArmEstimate {
        ArmEstimate::of_moments(&ArmMoments::from_sums(arm, n, sum, squares).unwrap()).unwrap()
    }

    fn rate(arm: &str, n: u64, successes: u64) -> ArmEstimate {
        ArmEstimate::of_count(&ArmCount::new(arm, n, successes).unwrap()).unwrap()
    }

    #[test]
    fn growthbooks_relative_tests() {
        // gbstats' own tests of its two-sided t test.
        let (control, arm) = (mean("a", 3407, 1396.87, 52_377.976_7), mean("b", 3461, 2422.7, 134_698.29));
        let found = EffectEstimate::between(&control, &arm, EffectScale::Relative).unwrap();
        close(found.effect, 0.707_32, 1e-5);
        close(found.p_value(), 0.061_91, 1e-5);
        let interval = found.interval(0.05).unwrap();
        close(interval.low, -0.035_26, 1e-5);
        close(interval.high, 1.449_89, 1e-5);
        let found =
            EffectEstimate::between(&rate("a", 28, 14), &rate("b", 30, 16), EffectScale::Relative).unwrap();
        let interval = found.interval(0.05).unwrap();
        close(interval.low, -0.477_67, 1e-5);
        close(interval.high, 0.611_01, 1e-5);
        close(found.p_value(), 0.807_07, 1e-5);
    }

    proptest! {
        #[test]
        fn absolute_effects_are_welchs(a in proptest::collection::vec(-9.0..9.0, 2..20), b in proptest::collection::vec(-9.0..9.0, 2..20)) {
            let moments = |arm: &str, values: &[f64]| ArmMoments::from_values(arm, values.iter().copied()).unwrap();
            let (a, b) = (moments("a", &a), moments("b", &b));
            let expected = crate::arm_moments::welch(&a, &b, 0.1).unwrap();
            let [a, b] = [a, b].map(|moments| ArmEstimate::of_moments(&moments).unwrap());
            let found = EffectEstimate::between(&a, &b, EffectScale::Absolute).unwrap();
            let interval = found.interval(0.1).unwrap();
            prop_assert!((found.p_value() - expected.p_value).abs() < 1e-9);
            prop_assert!((interval.low - expected.ci_low).abs() < 1e-9 && (interval.high - expected.ci_high).abs() < 1e-9);
        }

        #[test]
        fn margins_hold_where_their_interval_does(
            effect in -2.0f64..2.0, standard_error in 0.01f64..1.0, df in 1.0f64..1e4, margin in 0.01f64..2.0, alpha in 0.01f64..0.4,
        ) {
            let found = EffectEstimate { scale: EffectScale::Absolute, effect, standard_error, df, n: 9 };
            let interval = found.interval(2.0 * alpha).unwrap();
            let (not_worse, same) = (found.non_inferiority(margin, alpha).unwrap(), found.equivalence(margin, alpha).unwrap());
            prop_assert!(not_worse.holds == (interval.low > -margin) || (not_worse.p_value - alpha).abs() < 1e-9);
            let within = interval.low > -margin && interval.high < margin;
            prop_assert!(same.holds == within || (same.p_value - alpha).abs() < 1e-9);
            prop_assert!(same.p_value >= not_worse.p_value);
        }
    }

    #[test]
    fn certain_effects_have_certain_answers() {
        let constant = |arm: &str, value| ArmEstimate::new(arm, 5, value, 0.0, 4.0).unwrap();
        let (a, b) = (constant("a", 1.0), constant("b", 2.0));
        let found = EffectEstimate::between(&a, &b, EffectScale::Absolute).unwrap();
        assert_eq!((found.p_value(), found.interval(0.05).unwrap()), (0.0, Interval { low: 1.0, high: 1.0 }));
        let same = EffectEstimate::between(&a, &a, EffectScale::Relative).unwrap();
        assert_eq!((same.effect, same.p_value()), (0.0, 1.0));
        assert!(same.equivalence(0.1, 0.05).unwrap().holds);
    }

    #[test]
    fn what_has_no_answer_is_refused() {
        let (none, some) = (rate("a", 10, 0), rate("b", 10, 5));
        assert!(matches!(
            EffectEstimate::between(&none, &some, EffectScale::Relative),
            Err(AbTestError::ZeroControl { .. })
        ));
        assert!(ArmEstimate::of_count(&ArmCount::new("a", 1, 0).unwrap()).is_err());
        for value in [f64::NAN, f64::INFINITY] {
            assert!(ArmEstimate::new("a", 5, value, 1.0, 4.0).is_err());
            assert!(ArmEstimate::new("a", 5, 1.0, value, 4.0).is_err());
        }
        assert!(ArmEstimate::new("a", 5, 1.0, -1.0, 4.0).is_err());
        assert!(ArmEstimate::new("a", 5, 1.0, 1.0, f64::NAN).is_err());
        let found = EffectEstimate::between(&some, &some, EffectScale::Absolute).unwrap();
        for margin in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(found.non_inferiority(margin, 0.05).is_err() && found.equivalence(margin, 0.05).is_err());
        }
        assert!(found.interval(f64::NAN).is_err());
    }
}
