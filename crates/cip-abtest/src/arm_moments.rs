//! What is known of an arm whose units have numbers: how many, their mean and their spread; and Welch's test.

use serde::Serialize;

use crate::arm_count::check_level;
use crate::distribution::{student_beyond, student_cut};
use crate::error::AbTestError;
use crate::joint_moments::JointSums;

/// The number of units of an arm, the mean of their numbers, and the sum of squares of the deviations from it.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmMoments {
    arm: Box<str>,
    n: u64,
    mean: f64,
    squares: f64,
}

impl ArmMoments {
    /// Returns the moments of an arm from the sum of its numbers and of their squares.
    ///
    /// Where the mean is large against the spread, the two sums hold few digits of the spread:
    /// [`ArmMoments::from_values`] keeps them.
    ///
    /// # Formula
    /// The sum of squared deviations is `sum_of_squares` - `sum`^2 / n.
    ///
    /// # Errors
    /// [`AbTestError::Moments`] where no n numbers have these sums.
    pub fn from_sums(
        arm: impl Into<Box<str>>,
        n: u64,
        sum: f64,
        sum_of_squares: f64,
    ) -> Result<Self, AbTestError> {
        let arm = arm.into();
        let mean = if n == 0 { sum } else { sum / n as f64 };
        let squares = sum_of_squares - mean * sum;
        // What rounding may take from sums of equal numbers.
        let rounding = 1e-9 * sum_of_squares;
        let possible = match n {
            0 => sum == 0.0 && sum_of_squares == 0.0,
            1 => squares.abs() <= rounding,
            _ => -rounding <= squares && squares < f64::INFINITY && sum.is_finite(),
        };
        if !possible {
            return Err(AbTestError::Moments { arm, n, sum, sum_of_squares });
        }
        let squares = if n < 2 { 0.0 } else { squares.max(0.0) };
        Ok(Self { arm, n, mean, squares })
    }

    /// Returns the moments of an arm's numbers, summed without loss of the spread, and the same for any order of them.
    ///
    /// # Method
    /// That of [`JointSums`].
    ///
    /// # Errors
    /// [`AbTestError::Outcome`] for a number that is not finite, [`AbTestError::OutcomeRange`] where their squares
    /// are not.
    pub fn from_values(
        arm: impl Into<Box<str>>,
        values: impl IntoIterator<Item = f64>,
    ) -> Result<Self, AbTestError> {
        let mut sums = JointSums::new();
        for value in values {
            sums.push([value])?;
        }
        Ok(sums.moments(arm)?.into())
    }

    /// The arm's name.
    pub fn arm(&self) -> &str {
        &self.arm
    }

    /// Units.
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// Returns the mean; none without units.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mean)
    }

    /// Returns the sample variance, which divides by n - 1; none below two units.
    pub fn variance(&self) -> Option<f64> {
        (self.n > 1).then(|| self.squares / (self.n - 1) as f64)
    }

    pub(crate) fn empty(arm: &str) -> Self {
        Self { arm: arm.into(), n: 0, mean: 0.0, squares: 0.0 }
    }

    pub(crate) const fn new(arm: Box<str>, n: u64, mean: f64, squares: f64) -> Self {
        Self { arm, n, mean, squares }
    }

    /// The squared standard error of the mean.
    fn mean_variance(&self) -> Result<f64, AbTestError> {
        let too_few = || AbTestError::TooFewUnits { arm: self.arm.clone(), n: self.n };
        Ok(self.variance().ok_or_else(too_few)? / self.n as f64)
    }
}

/// The difference of two means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MeanDifference {
    /// The mean of the arm minus that of the control.
    pub difference: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The lower end of the confidence interval.
    pub ci_low: f64,
    /// The upper end of the confidence interval.
    pub ci_high: f64,
    /// The difference over its standard error; 0 where both are 0.
    pub t: f64,
    /// The degrees of freedom of t by Welch and Satterthwaite.
    pub df: f64,
    /// The probability of a t that is as far from 0 or farther, where the arms have one mean.
    pub p_value: f64,
}

/// Returns how much the mean of `arm` exceeds that of `control`, with an interval of confidence 1 - `alpha`, by
/// Welch's test, which lets the variances differ.
///
/// # Formula
/// With variances s and r of n and m units: t = difference / sqrt(s/n + r/m), on (s/n + r/m)^2 / ((s/n)^2 / (n - 1) +
/// (r/m)^2 / (m - 1)) degrees of freedom.
///
/// # Errors
/// [`AbTestError::TooFewUnits`] where either has fewer than two units, [`AbTestError::NoSpread`] where both are
/// constant and differ, [`AbTestError::Level`] where `alpha` is not between 0 and 1,
/// [`AbTestError::OutcomeRange`] where numbers overflow.
///
/// # Examples
/// ```
/// use cip_abtest::{ArmMoments, welch};
/// let control = ArmMoments::from_sums("control", 3407, 1396.87, 52377.9767)?;
/// let treatment = ArmMoments::from_sums("treatment", 3461, 2422.7, 134698.29)?;
/// let found = welch(&control, &treatment, 0.05)?;
/// let text = format!("{:.2} [{:.5}, {:.5}]", found.difference, found.ci_low, found.ci_high);
/// assert_eq!(text, "0.29 [0.04538, 0.53462]");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
pub fn welch(control: &ArmMoments, arm: &ArmMoments, alpha: f64) -> Result<MeanDifference, AbTestError> {
    let alpha = check_level("alpha", alpha)?;
    let (r, s) = (control.mean_variance()?, arm.mean_variance()?);
    let difference = arm.mean - control.mean;
    let variance = r + s;
    if !(variance.is_finite() && difference.is_finite()) {
        return Err(AbTestError::OutcomeRange { arm: arm.arm.clone() });
    }
    let (control_df, arm_df) = ((control.n - 1) as f64, (arm.n - 1) as f64);
    // By the share that the arm has of the variance, so that no square underflows.
    let share = if variance > 0.0 { s / variance } else { 0.5 };
    let df = 1.0 / ((1.0 - share).powi(2) / control_df + share.powi(2) / arm_df);
    let standard_error = variance.sqrt();
    let t = if standard_error > 0.0 {
        difference / standard_error
    } else if difference == 0.0 {
        0.0
    } else {
        return Err(AbTestError::NoSpread { arm: arm.arm.clone() });
    };
    let half = if standard_error > 0.0 { student_cut(alpha, df) * standard_error } else { 0.0 };
    let (ci_low, ci_high) = (difference - half, difference + half);
    Ok(MeanDifference { difference, standard_error, ci_low, ci_high, t, df, p_value: student_beyond(t, df) })
}

/// Refuses numbers that are not finite.
pub(crate) fn check_outcomes(values: &[f64]) -> Result<(), AbTestError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(row) => Err(AbTestError::Outcome { row: row as u64, value: values[row] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(found: f64, expected: f64, unit: f64) {
        assert!((found - expected).abs() <= 0.51 * unit, "{found} is not {expected}");
    }

    #[test]
    fn r_sleep_data() {
        // R's t.test(extra ~ group, sleep): Student 1908, hours of sleep gained.
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let sums = |values: &[f64]| {
            let squares = values.iter().map(|value| value * value).sum();
            ArmMoments::from_sums("x", values.len() as u64, values.iter().sum(), squares).unwrap()
        };
        let values = |values: &[f64]| ArmMoments::from_values("x", values.iter().copied()).unwrap();
        for (first, second) in [(sums(&first), sums(&second)), (values(&first), values(&second))] {
            // R subtracts the second group from the first.
            let found = welch(&second, &first, 0.05).unwrap();
            close(found.t, -1.860_813_5, 1e-7);
            close(found.df, 17.776_473_5, 1e-7);
            close(found.p_value, 0.079_394_1, 1e-7);
            close(found.ci_low, -3.365_483_2, 1e-7);
            close(found.ci_high, 0.205_483_2, 1e-7);
        }
    }

    #[test]
    fn growthbooks_two_sided_test() {
        // gbstats' own tests, absolute difference of means.
        let control = ArmMoments::from_sums("a", 3407, 1396.87, 52_377.976_7).unwrap();
        let arm = ArmMoments::from_sums("b", 3461, 2422.7, 134_698.29).unwrap();
        let found = welch(&control, &arm, 0.05).unwrap();
        close(found.difference, 0.29, 1e-5);
        close(found.ci_low, 0.045_38, 1e-5);
        close(found.ci_high, 0.534_62, 1e-5);
        close(found.p_value, 0.020_16, 1e-5);
        close(found.standard_error, 0.124_78, 1e-5);
        close(found.df, 5_841.742, 1e-3);
    }

    #[test]
    fn the_spread_survives_a_large_mean() {
        let moments = ArmMoments::from_values("x", [1e9, 1e9 + 1.0, 1e9 + 2.0]).unwrap();
        assert_eq!((moments.mean(), moments.variance()), (Some(1e9 + 1.0), Some(1.0)));
    }

    #[test]
    fn sums_of_no_numbers_are_refused() {
        for (n, sum, squares) in [
            (0, 1.0, 1.0),
            (1, 2.0, 5.0),
            (2, 4.0, 1.0),
            (2, 4.0, -1.0),
            (2, f64::NAN, 1.0),
            (2, 1.0, f64::NAN),
            (2, f64::INFINITY, f64::INFINITY),
            (2, 1.0, f64::INFINITY),
            (2, 1e200, 1e300),
        ] {
            let error = ArmMoments::from_sums("b", n, sum, squares).unwrap_err();
            assert!(matches!(error, AbTestError::Moments { .. }), "{n} {sum} {squares}");
        }
        // Ten times 0.1 has a negative spread by rounding.
        let tenths = ArmMoments::from_sums("b", 10, 1.0, 0.1).unwrap();
        assert!(tenths.variance().unwrap() < 1e-15);
        assert_eq!(ArmMoments::from_sums("b", 0, 0.0, 0.0).unwrap().mean(), None);
        assert!(matches!(
            ArmMoments::from_values("b", [1.0, f64::NAN]),
            Err(AbTestError::Outcome { row: 1, .. })
        ));
        assert!(matches!(
            ArmMoments::from_values("b", [1e300, -1e300]),
            Err(AbTestError::OutcomeRange { .. })
        ));
    }

    #[test]
    fn constant_arms_have_an_answer_only_where_they_agree() {
        let constant = |value: f64| ArmMoments::from_values("b", [value; 3]).unwrap();
        let same = welch(&constant(2.0), &constant(2.0), 0.05).unwrap();
        assert_eq!(
            (same.difference, same.t, same.p_value, same.ci_low, same.ci_high),
            (0.0, 0.0, 1.0, 0.0, 0.0)
        );
        assert!(matches!(welch(&constant(2.0), &constant(3.0), 0.05), Err(AbTestError::NoSpread { .. })));
        let one = ArmMoments::from_values("b", [1.0]).unwrap();
        assert!(matches!(welch(&constant(2.0), &one, 0.05), Err(AbTestError::TooFewUnits { n: 1, .. })));
        assert!(matches!(welch(&constant(2.0), &constant(2.0), f64::NAN), Err(AbTestError::Level { .. })));
    }
}
