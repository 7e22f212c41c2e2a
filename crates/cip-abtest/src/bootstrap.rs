//! Intervals from the numbers alone: the bootstrap, where no formula gives the standard error.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::Serialize;

use crate::arm_count::check_level;
use crate::arm_moments::check_outcomes;
use crate::distribution::{normal_below, normal_quantile};
use crate::error::AbTestError;
use crate::quantile::quantile_of_sorted;

/// What is compared between two arms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// The mean.
    Mean,
    /// A quantile, `.5` for the median.
    Quantile(f64),
}

/// Resampling of both arms, the same for the same seed.
///
/// # Method
/// Bias-corrected and accelerated intervals (BCa) of Efron 1987; the acceleration is that of the jackknife over both
/// samples, as in SciPy's `bootstrap`.
///
/// # Examples
/// ```
/// use cip_abtest::{Bootstrap, Statistic};
/// let control: Vec<f64> = (0..200).map(|unit| f64::from(unit * unit % 97)).collect();
/// let arm: Vec<f64> = control.iter().map(|value| value + 9.0).collect();
/// let found = Bootstrap::new(7).difference(&control, &arm, Statistic::Mean, 0.05)?;
/// assert!(found.difference == 9.0 && found.low < 9.0 && 9.0 < found.high);
/// assert_eq!(found, Bootstrap::new(7).difference(&control, &arm, Statistic::Mean, 0.05)?);
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    seed: u64,
    resamples: usize,
}

/// A difference with its bootstrap interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BootstrapDifference {
    /// The statistic of the arm less that of the control.
    pub difference: f64,
    /// The standard deviation of the difference over the resamples.
    pub standard_error: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

impl Bootstrap {
    /// Returns a bootstrap of 2,000 resamples.
    pub const fn new(seed: u64) -> Self {
        Self { seed, resamples: 2_000 }
    }

    /// Sets the number of resamples.
    ///
    /// # Errors
    /// [`AbTestError::Setting`] below 100.
    pub fn with_resamples(self, resamples: usize) -> Result<Self, AbTestError> {
        if resamples >= 100 {
            return Ok(Self { resamples, ..self });
        }
        let value = resamples as f64;
        Err(AbTestError::Setting { what: "the number of resamples", value, allowed: "100 or more" })
    }

    /// Returns how much the statistic of `arm` exceeds that of `control`, with an interval of confidence 1 - `alpha`.
    ///
    /// # Complexity
    /// As many passes over the numbers as there are resamples; quantiles, as many selections.
    ///
    /// # Errors
    /// [`AbTestError::Level`]; [`AbTestError::TooFewUnits`] below two units; [`AbTestError::Outcome`] for a number that is not
    /// finite, [`AbTestError::OutcomeRange`] where the statistic is not.
    pub fn difference(
        &self,
        control: &[f64],
        arm: &[f64],
        statistic: Statistic,
        alpha: f64,
    ) -> Result<BootstrapDifference, AbTestError> {
        check_level("alpha", alpha)?;
        if let Statistic::Quantile(p) = statistic {
            check_level("the quantile", p)?;
        }
        let sorted = |name: &str, values: &[f64]| {
            check_outcomes(values)?;
            if values.len() < 2 {
                return Err(AbTestError::TooFewUnits { arm: name.into(), n: values.len() as u64 });
            }
            let mut sorted = values.to_vec();
            sorted.sort_unstable_by(f64::total_cmp);
            Ok(sorted)
        };
        // Sorted, so that the order of the units does not matter.
        let (control, arm) = (sorted("control", control)?, sorted("arm", arm)?);
        let difference = statistic.of_sorted(&arm) - statistic.of_sorted(&control);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let mut scratch = Vec::with_capacity(control.len().max(arm.len()));
        let mut draw = |of: &[f64]| {
            scratch.clear();
            scratch.extend((0..of.len()).map(|_| of[below(&mut random, of.len())]));
            statistic.of_any(&mut scratch)
        };
        let mut found: Vec<f64> = (0..self.resamples).map(|_| -draw(&control) + draw(&arm)).collect();
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        let squares: f64 = found.iter().map(|value| (value - mean).powi(2)).sum();
        let standard_error = (squares / (found.len() - 1) as f64).sqrt();
        if !(difference.is_finite() && standard_error.is_finite()) {
            return Err(AbTestError::OutcomeRange { arm: "arm".into() });
        }
        found.sort_unstable_by(f64::total_cmp);
        let [low, high] = ends(&found, difference, acceleration(&control, &arm, statistic), alpha);
        Ok(BootstrapDifference { difference, standard_error, low, high })
    }
}

/// The ends of the BCa interval among sorted resamples.
fn ends(sorted: &[f64], difference: f64, acceleration: f64, alpha: f64) -> [f64; 2] {
    let below = sorted.partition_point(|&value| value < difference);
    let ties = sorted[below..].partition_point(|&value| value <= difference);
    // Half of the ties lie below; never none or all, which have no quantile.
    let share = (below as f64 + ties as f64 / 2.0) / sorted.len() as f64;
    let edge = 0.5 / sorted.len() as f64;
    let bias = normal_quantile(share.clamp(edge, 1.0 - edge));
    let moved = |z: f64| {
        let shifted = bias + z;
        let under = 1.0 - acceleration * shifted;
        if under > 0.0 { normal_below(bias + shifted / under) } else { f64::from(u8::from(z > 0.0)) }
    };
    let z = normal_quantile(alpha / 2.0);
    [z, -z].map(|z| quantile_of_sorted(sorted, moved(z)))
}

/// How the standard error moves with the statistic, from the statistic without each of the units.
fn acceleration(control: &[f64], arm: &[f64], statistic: Statistic) -> f64 {
    let (mut cubes, mut squares) = (0.0, 0.0);
    for (sorted, sign) in [(control, -1.0), (arm, 1.0)] {
        let without = statistic.without_each(sorted);
        let n = sorted.len() as f64;
        let mean = without.iter().sum::<f64>() / n;
        for value in without {
            let influence = sign * (n - 1.0) * (mean - value) / n;
            squares += influence * influence;
            cubes += influence * influence * influence;
        }
    }
    if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 }
}

/// A whole number of `0..n`, each as likely.
fn below(random: &mut Xoshiro256PlusPlus, n: usize) -> usize {
    // Lemire 2019: the high half of a product, and another draw where the low half is among the few that are too many.
    let n = n as u64;
    loop {
        let product = u128::from(random.next_u64()) * u128::from(n);
        if product as u64 >= n.wrapping_neg() % n {
            return (product >> 64) as usize;
        }
    }
}

impl Statistic {
    fn of_sorted(self, sorted: &[f64]) -> f64 {
        match self {
            Self::Mean => sorted.iter().sum::<f64>() / sorted.len() as f64,
            Self::Quantile(p) => quantile_of_sorted(sorted, p),
        }
    }

    fn of_any(self, values: &mut [f64]) -> f64 {
        if let Self::Quantile(p) = self {
            let place = (values.len() - 1) as f64 * p;
            let (_, low, rest) = values.select_nth_unstable_by(place as usize, f64::total_cmp);
            let low = *low;
            let next = rest.iter().copied().fold(f64::INFINITY, f64::min);
            return quantile_of_sorted(&[low, if next.is_finite() { next } else { low }], place.fract());
        }
        self.of_sorted(values)
    }

    /// The statistic without each of the sorted numbers.
    fn without_each(self, sorted: &[f64]) -> Vec<f64> {
        let n = sorted.len();
        match self {
            Self::Mean => {
                let sum: f64 = sorted.iter().sum();
                sorted.iter().map(|value| (sum - value) / (n - 1) as f64).collect()
            }
            Self::Quantile(p) => {
                let place = (n - 2) as f64 * p;
                (0..n)
                    .map(|left_out| {
                        let at = |index: usize| sorted[(index + usize::from(index >= left_out)).min(n - 1)];
                        let below = place as usize;
                        quantile_of_sorted(&[at(below), at((below + 1).min(n - 2))], place.fract())
                    })
                    .collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm_moments::{ArmMoments, welch};
    use proptest::prelude::*;

    fn exponential(seed: u64, n: usize, scale: f64) -> Vec<f64> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut uniform = || ((random.next_u64() >> 11) as f64 + 0.5) / 2f64.powi(53);
        (0..n).map(|_| -scale * uniform().ln()).collect()
    }

    proptest! {
        #[test]
        fn leaving_one_out_is_what_it_says(values in proptest::collection::vec(-9.0..9.0f64, 2..15), p in 0.01..0.99f64) {
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            for statistic in [Statistic::Mean, Statistic::Quantile(p)] {
                for (left_out, found) in statistic.without_each(&sorted).into_iter().enumerate() {
                    let mut rest = sorted.clone();
                    rest.remove(left_out);
                    prop_assert!((found - statistic.of_sorted(&rest)).abs() < 1e-12);
                    rest.reverse();
                    prop_assert!((statistic.of_any(&mut rest.clone()) - found).abs() < 1e-12);
                }
            }
        }

        #[test]
        fn the_order_of_units_does_not_matter(values in proptest::collection::vec(-9.0..9.0f64, 4..20)) {
            let bootstrap = Bootstrap::new(3).with_resamples(100).unwrap();
            let mut backwards = values.clone();
            backwards.reverse();
            let found = |of: &[f64]| bootstrap.difference(of, &values, Statistic::Quantile(0.5), 0.1).unwrap();
            prop_assert_eq!(found(&values), found(&backwards));
        }
    }

    #[test]
    fn of_many_units_it_is_welchs_interval() {
        let (a, b) = (exponential(1, 3_000, 1.0), exponential(2, 3_000, 1.1));
        let found = Bootstrap::new(5)
            .with_resamples(4_000)
            .unwrap()
            .difference(&a, &b, Statistic::Mean, 0.05)
            .unwrap();
        let moments = |of: &[f64]| ArmMoments::from_values("x", of.iter().copied()).unwrap();
        let expected = welch(&moments(&a), &moments(&b), 0.05).unwrap();
        assert!((found.difference - expected.difference).abs() < 1e-9);
        for (found, expected) in [(found.low, expected.ci_low), (found.high, expected.ci_high)] {
            // The ends of 4,000 resamples are uncertain by about a twentieth of the standard error.
            assert!((found - expected).abs() < 0.2 * 0.027, "{found} {expected}");
        }
    }

    #[test]
    fn it_covers_a_skewed_difference_as_often_as_it_says() {
        let bootstrap = Bootstrap::new(11).with_resamples(400).unwrap();
        let missed = (0..300)
            .filter(|&round| {
                let (a, b) = (exponential(2 * round, 40, 1.0), exponential(2 * round + 1, 40, 2.0));
                let found = bootstrap.difference(&a, &b, Statistic::Mean, 0.1).unwrap();
                !(found.low..=found.high).contains(&1.0)
            })
            .count();
        // 10 % of 300 are 30, with a standard deviation of 5.2; 40 skewed units miss a little more often.
        assert!((12..=54).contains(&missed), "{missed}");
    }

    #[test]
    fn constant_and_broken_numbers() {
        let bootstrap = Bootstrap::new(1);
        let same = bootstrap.difference(&[2.0; 5], &[3.0; 4], Statistic::Mean, 0.05).unwrap();
        assert_eq!((same.difference, same.low, same.high, same.standard_error), (1.0, 1.0, 1.0, 0.0));
        let refuse = |a: &[f64], b: &[f64], s, alpha| bootstrap.difference(a, b, s, alpha).unwrap_err();
        assert!(matches!(
            refuse(&[1.0], &[1.0, 2.0], Statistic::Mean, 0.05),
            AbTestError::TooFewUnits { n: 1, .. }
        ));
        assert!(matches!(
            refuse(&[1.0, f64::NAN], &[1.0, 2.0], Statistic::Mean, 0.05),
            AbTestError::Outcome { .. }
        ));
        assert!(matches!(
            refuse(&[f64::MAX; 2], &[1.0, 2.0], Statistic::Mean, 0.05),
            AbTestError::OutcomeRange { .. }
        ));
        assert!(matches!(
            refuse(&[1.0; 2], &[1.0; 2], Statistic::Quantile(1.0), 0.05),
            AbTestError::Level { .. }
        ));
        assert!(matches!(refuse(&[1.0; 2], &[1.0; 2], Statistic::Mean, f64::NAN), AbTestError::Level { .. }));
        assert!(matches!(bootstrap.with_resamples(9), Err(AbTestError::Setting { .. })));
    }
}
