//! Less noise from what was known before: CUPED, and post-stratification.

use crate::arm_moments::ArmMoments;
use crate::error::AbTestError;
use crate::estimate::ArmEstimate;
use crate::joint_moments::JointMoments;

/// The adjustment of a metric by a covariate that was measured before the experiment.
///
/// # Formula
/// theta = sum over arms of cov(y, x) / sum over arms of var(x), and of an arm y - theta (x - x of all units), with the
/// variance var(y) - 2 theta cov(y, x) + theta^2 var(x).
///
/// # Method
/// Deng, Xu, Kohavi and Walker 2013. The covariate must not be touched by the treatment: take what a unit did before its
/// first exposure, and 0 where it did nothing. Ratios are adjusted by ratios through [`JointMoments::ratios`].
///
/// # Examples
/// ```
/// use cip_abtest::{Cuped, EffectEstimate, EffectScale, JointSums};
///
/// let (mut control, mut arm) = (JointSums::<2>::new(), JointSums::new());
/// for unit in 0..1_000_u32 {
///     let before = f64::from(unit * 7_919 % 1_000);
///     let noise = f64::from(unit * 104_729 % 100);
///     control.push([before + noise, before])?;
///     arm.push([before + noise + 10.0, before])?;
/// }
/// let (control, arm) = (control.moments("control")?, arm.moments("arm")?);
/// let cuped = Cuped::fit([&control, &arm])?;
/// let (a, b) = (cuped.adjust(&control)?, cuped.adjust(&arm)?);
/// let found = EffectEstimate::between(&a, &b, EffectScale::Absolute)?;
/// assert!((found.effect - 10.0).abs() < 1e-9);
/// // The covariate explains nearly all of the variance.
/// assert!(cuped.variance_explained() > 0.98);
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cuped {
    theta: f64,
    covariate: f64,
    explained: f64,
}

impl Cuped {
    /// Returns the adjustment that all arms share; the first number of the moments is the metric, the second the
    /// covariate. A covariate that is constant adjusts nothing.
    ///
    /// # Errors
    /// [`AbTestError::NoUnits`] where no arm has any.
    pub fn fit<'a>(arms: impl IntoIterator<Item = &'a JointMoments<2>>) -> Result<Self, AbTestError> {
        let (mut units, mut sum, mut metric, mut both, mut spread) = (0, 0.0, 0.0, 0.0, 0.0);
        for arm in arms {
            units += arm.n();
            sum += arm.mean(1) * arm.n() as f64;
            metric += arm.spread(0, 0);
            both += arm.spread(0, 1);
            spread += arm.spread(1, 1);
        }
        if units == 0 {
            return Err(AbTestError::NoUnits);
        }
        let theta = if spread > 0.0 { both / spread } else { 0.0 };
        let explained = if metric > 0.0 { (theta * (both / metric)).clamp(0.0, 1.0) } else { 0.0 };
        Ok(Self { theta, covariate: sum / units as f64, explained })
    }

    /// The slope of the metric over the covariate.
    pub const fn theta(&self) -> f64 {
        self.theta
    }

    /// The share of the metric's variance within arms that the covariate explains, 0 to 1: an experiment needs as much
    /// less of its units.
    pub const fn variance_explained(&self) -> f64 {
        self.explained
    }

    /// Returns the adjusted mean of an arm.
    ///
    /// # Errors
    /// [`AbTestError::TooFewUnits`] below two units.
    pub fn adjust(&self, arm: &JointMoments<2>) -> Result<ArmEstimate, AbTestError> {
        let theta = self.theta;
        let mean = arm.mean(0) - theta * (arm.mean(1) - self.covariate);
        let spread = arm.spread(0, 0) - 2.0 * theta * arm.spread(0, 1) + theta * theta * arm.spread(1, 1);
        let variance = (arm.n() > 1).then(|| spread.max(0.0) / (arm.n() - 1) as f64);
        ArmEstimate::from_variance(arm.arm(), arm.n(), Some(mean), variance)
    }
}

/// Returns the means of control and arm, weighted so that both have the strata in the shares that all units have.
///
/// # Input
/// The moments of each stratum, in one order for both arms. A stratum is a class of units that was known before the
/// experiment, such as a country.
///
/// # Formula
/// sum of w_s mean_s with the variance sum of w_s^2 var_s / n_s, where w_s is the stratum's share of the units of both
/// arms; degrees of freedom by Satterthwaite.
///
/// # Method
/// Miratrix, Sekhon and Yu 2013.
///
/// # Errors
/// [`AbTestError::StrataDiffer`]; [`AbTestError::TooFewUnits`] where an arm has fewer than two units of a stratum: merge it with
/// another.
pub fn post_stratified(
    control: &[ArmMoments],
    arm: &[ArmMoments],
) -> Result<(ArmEstimate, ArmEstimate), AbTestError> {
    if control.len() != arm.len() {
        return Err(AbTestError::StrataDiffer { control: control.len(), arm: arm.len() });
    }
    let estimates =
        |strata: &[ArmMoments]| strata.iter().map(ArmEstimate::of_moments).collect::<Result<Vec<_>, _>>();
    stratified(&estimates(control)?, &estimates(arm)?)
}

/// [`post_stratified`] of estimates of any kind of mean.
pub(crate) fn stratified(
    control: &[ArmEstimate],
    arm: &[ArmEstimate],
) -> Result<(ArmEstimate, ArmEstimate), AbTestError> {
    if control.is_empty() || control.len() != arm.len() {
        return Err(AbTestError::StrataDiffer { control: control.len(), arm: arm.len() });
    }
    let units: Vec<f64> = control.iter().zip(arm).map(|(a, b)| (a.n() + b.n()) as f64).collect();
    let total: f64 = units.iter().sum();
    let weighted = |strata: &[ArmEstimate]| {
        let (mut n, mut mean, mut variance, mut over_df) = (0, 0.0, 0.0, 0.0);
        for (estimate, units) in strata.iter().zip(&units) {
            let weight = units / total;
            let part = (weight * estimate.standard_error()).powi(2);
            n += estimate.n();
            mean += weight * estimate.value();
            variance += part;
            over_df += part * part / estimate.df();
        }
        let df = if over_df > 0.0 { variance * variance / over_df } else { (n - strata.len() as u64) as f64 };
        let arm = strata.first().map_or("", ArmEstimate::arm);
        ArmEstimate::new(arm, n, mean, variance.sqrt(), df)
    };
    Ok((weighted(control)?, weighted(arm)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::{EffectEstimate, EffectScale};
    use crate::joint_moments::JointSums;
    use proptest::prelude::*;

    fn moments<const K: usize>(arm: &str, rows: &[[f64; K]]) -> JointMoments<K> {
        let mut sums = JointSums::new();
        rows.iter().for_each(|&row| sums.push(row).unwrap());
        sums.moments(arm).unwrap()
    }

    proptest! {
        /// Adjusting by moments is adjusting every unit and taking the moments of that.
        #[test]
        fn it_is_the_adjustment_of_each_unit(
            a in proptest::collection::vec([-9f64..9.0, -9f64..9.0], 3..20),
            b in proptest::collection::vec([-9f64..9.0, -9f64..9.0], 3..20),
        ) {
            let arms = [moments("a", &a), moments("b", &b)];
            let cuped = Cuped::fit(&arms).unwrap();
            let all: Vec<_> = a.iter().chain(&b).collect();
            let mean = all.iter().map(|row| row[1]).sum::<f64>() / all.len() as f64;
            for (rows, arm) in [(&a, &arms[0]), (&b, &arms[1])] {
                let adjusted: Vec<_> = rows.iter().map(|[y, x]| [y - cuped.theta() * (x - mean)]).collect();
                let expected = ArmEstimate::of_moments(&moments("x", &adjusted).into()).unwrap();
                let found = cuped.adjust(arm).unwrap();
                prop_assert!((found.value() - expected.value()).abs() < 1e-9);
                prop_assert!((found.standard_error() - expected.standard_error()).abs() < 1e-9);
            }
            // No other slope leaves less variance.
            let spread = |theta: f64| arms.iter().map(|m| {
                m.spread(0, 0) - 2.0 * theta * m.spread(0, 1) + theta * theta * m.spread(1, 1)
            }).sum::<f64>();
            for off in [-0.1, 0.1] {
                prop_assert!(spread(cuped.theta()) <= spread(cuped.theta() + off) + 1e-9);
            }
        }
    }

    #[test]
    fn a_covariate_that_says_nothing_changes_nothing() {
        let arms = [moments("a", &[[1.0, 5.0], [2.0, 5.0]]), moments("b", &[[4.0, 5.0], [2.0, 5.0]])];
        let cuped = Cuped::fit(&arms).unwrap();
        assert_eq!((cuped.theta(), cuped.variance_explained()), (0.0, 0.0));
        assert_eq!(cuped.adjust(&arms[0]).unwrap().value(), 1.5);
        assert!(matches!(Cuped::fit([&moments::<2>("a", &[])]), Err(AbTestError::NoUnits)));
        assert!(matches!(cuped.adjust(&moments("a", &[[1.0, 2.0]])), Err(AbTestError::TooFewUnits { .. })));
    }

    #[test]
    fn ratios_are_adjusted_by_ratios() {
        // The ratio before foretells the ratio now but for a constant: nothing is left.
        let rows: Vec<[f64; 4]> = (0..50u32)
            .map(|unit| {
                let (rate, visits) = (f64::from(unit % 7), f64::from(1 + unit % 3));
                [rate * visits, visits, rate * visits, visits]
            })
            .collect();
        let ratios = moments("a", &rows).ratios().unwrap();
        let cuped = Cuped::fit([&ratios]).unwrap();
        assert!((cuped.theta() - 1.0).abs() < 1e-12 && cuped.variance_explained() > 1.0 - 1e-12);
        assert!(cuped.adjust(&ratios).unwrap().standard_error() < 1e-6);
    }

    #[test]
    fn strata_are_weighted_by_all_units() {
        let of = |arm: &str, values: &[f64]| ArmMoments::from_values(arm, values.iter().copied()).unwrap();
        let control = [of("a", &[1.0, 3.0]), of("a", &[10.0, 12.0, 14.0, 12.0])];
        let arm = [of("b", &[2.0, 4.0, 3.0, 3.0]), of("b", &[13.0, 15.0])];
        let (a, b) = post_stratified(&control, &arm).unwrap();
        // Each stratum has half of the twelve units: (2 + 12) / 2 and (3 + 14) / 2.
        assert_eq!((a.value(), b.value(), a.n()), (7.0, 8.5, 6));
        // Variances of the means: 2 / 2 and (8 / 3) / 4, each with the weight 1/4.
        assert!((a.standard_error().powi(2) - (1.0 + 2.0 / 3.0) / 4.0).abs() < 1e-12);
        let found = EffectEstimate::between(&a, &b, EffectScale::Absolute).unwrap();
        assert_eq!(found.effect, 1.5);
        assert!(matches!(post_stratified(&control, &arm[..1]), Err(AbTestError::StrataDiffer { .. })));
        assert!(matches!(post_stratified(&[], &[]), Err(AbTestError::StrataDiffer { .. })));
        let one = [of("b", &[2.0]), of("b", &[13.0, 15.0])];
        assert!(matches!(post_stratified(&control, &one), Err(AbTestError::TooFewUnits { n: 1, .. })));
    }
}
