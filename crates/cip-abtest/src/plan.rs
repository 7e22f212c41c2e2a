//! How many units an experiment takes, what it can find, and how long it lasts.

use serde::Serialize;

use crate::arm_count::check_level;
use crate::distribution::{noncentral_student_above, normal_below, normal_cut, normal_quantile, student_cut};
use crate::error::AbTestError;
use crate::group_sequential::{GroupSequential, Spending};
use crate::power::{power_of_rates, units_for_power};
use crate::sequential::tightest_cut;

/// What is measured of each unit, as far as planning needs to know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PlannedMetric {
    /// A share of units that succeed, at this rate in the control.
    Rate(f64),
    /// A number a unit, of this standard deviation. For a ratio it is that of [`JointMoments::ratio`](crate::JointMoments::ratio).
    Mean(f64),
}

/// When the units are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Design {
    /// Once, at the end.
    Fixed,
    /// At equal distances, with alpha spending.
    Group(Spending, u32),
    /// At any time; the tuning parameter is the planned number of units.
    Sequential,
}

/// A planned experiment: its arms, its level, its power, and when it is looked at.
///
/// # Method
/// Rates as R's `power.prop.test`, means as R's `power.t.test`, both with `strict = FALSE`: a finding in the wrong direction is
/// not counted. With k arms each comparison has the level alpha / (k - 1). A design of several looks needs a larger expected
/// statistic at the end, and so the units with which a single look would have more power; a confidence sequence is counted
/// as if it were looked at once, at the end, so that it has the power at least.
///
/// # Examples
/// ```
/// use cip_abtest::{Plan, PlannedMetric};
/// let plan = Plan::new(0.05, 0.8)?;
/// let planned = plan.units(PlannedMetric::Rate(0.05), 0.005)?;
/// assert_eq!((planned.per_arm, planned.total), (31_234, 62_468));
/// assert_eq!(planned.days(5_000.0)?, 13);
/// // Less can be found with more units.
/// let found = plan.detectable(PlannedMetric::Rate(0.05), 100_000.0)?;
/// assert_eq!(format!("{found:.5}"), "0.00277");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    alpha: f64,
    power: f64,
    arms: u32,
    design: Design,
    explained: f64,
}

/// The units that a [`Plan`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PlannedUnits {
    /// Of each arm.
    pub per_arm: u64,
    /// Of all arms.
    pub total: u64,
}

impl PlannedUnits {
    /// Returns in how many days so many units a day come to that, the last one whole.
    ///
    /// # Errors
    /// [`AbTestError::Setting`] where `a_day` is not a positive number.
    pub fn days(&self, a_day: f64) -> Result<u64, AbTestError> {
        Ok((self.total as f64 / check_positive("the traffic", a_day)?).ceil() as u64)
    }
}

impl Plan {
    /// Returns the plan of two arms that are looked at once.
    ///
    /// # Errors
    /// [`AbTestError::Level`].
    pub fn new(alpha: f64, power: f64) -> Result<Self, AbTestError> {
        let (alpha, power) = (check_level("alpha", alpha)?, check_level("power", power)?);
        Ok(Self { alpha, power, arms: 2, design: Design::Fixed, explained: 0.0 })
    }

    /// Sets the number of arms of equal size, the control included.
    ///
    /// # Errors
    /// [`AbTestError::TooFewArms`] below two.
    pub fn with_arms(self, arms: u32) -> Result<Self, AbTestError> {
        if arms >= 2 {
            Ok(Self { arms, ..self })
        } else {
            Err(AbTestError::TooFewArms { arms: arms as usize })
        }
    }

    /// Sets when the units are looked at.
    #[must_use]
    pub const fn with_design(self, design: Design) -> Self {
        Self { design, ..self }
    }

    /// Sets the share of the variance that a covariate explains: [`Cuped::variance_explained`](crate::Cuped::variance_explained).
    ///
    /// # Errors
    /// [`AbTestError::Setting`] where it is not in `0.0..1.0`.
    pub fn with_variance_explained(self, explained: f64) -> Result<Self, AbTestError> {
        if (0.0..1.0).contains(&explained) {
            return Ok(Self { explained, ..self });
        }
        let what = "the share of the variance that is explained";
        Err(AbTestError::Setting { what, value: explained, allowed: "0 or more and less than 1" })
    }

    /// The level of each comparison.
    pub fn comparison_alpha(&self) -> f64 {
        self.alpha / f64::from(self.arms - 1)
    }

    /// Returns the units that it takes to find an absolute `effect`, up or down.
    ///
    /// # Errors
    /// [`AbTestError::Level`] where a rate is not between 0 and 1, [`AbTestError::Setting`] where a deviation is not a positive
    /// number, [`AbTestError::NoPower`] where no number of units is enough.
    pub fn units(&self, metric: PlannedMetric, effect: f64) -> Result<PlannedUnits, AbTestError> {
        let per_arm = self.units_once(metric, effect, self.single_look(self.power)?)?.ceil().max(2.0);
        let total = per_arm * f64::from(self.arms);
        if total < 9e15 {
            Ok(PlannedUnits { per_arm: per_arm as u64, total: total as u64 })
        } else {
            Err(self.no_power(metric, effect))
        }
    }

    /// Returns the probability to find an absolute `effect` with so many units in each arm.
    ///
    /// # Errors
    /// As [`Plan::units`], and [`AbTestError::NoUnits`] where `per_arm` is not 2 or more.
    pub fn power(&self, metric: PlannedMetric, effect: f64, per_arm: f64) -> Result<f64, AbTestError> {
        let once = self.power_once(metric, effect, check_units(per_arm)?)?;
        let cut = normal_cut(self.comparison_alpha());
        // What is expected of the statistic at the end; a power of 1 is beyond what the normal distribution tells.
        let drift = cut + normal_quantile(once.clamp(1e-300, 1.0 - f64::EPSILON));
        match self.design {
            Design::Fixed => Ok(once),
            Design::Group(spending, looks) => {
                let group = GroupSequential::equally_spaced(looks, spending, self.comparison_alpha())?;
                Ok(group.crossings(drift).iter().sum())
            }
            Design::Sequential => Ok(normal_below(drift - tightest_cut(self.comparison_alpha()))),
        }
    }

    /// Returns the least absolute effect, upwards, that is found with so many units in each arm.
    ///
    /// # Errors
    /// As [`Plan::power`]; [`AbTestError::NoPower`] where no rate below 1 is far enough.
    pub fn detectable(&self, metric: PlannedMetric, per_arm: f64) -> Result<f64, AbTestError> {
        let (per_arm, power) = (check_units(per_arm)?, self.single_look(self.power)?);
        let most = match metric {
            PlannedMetric::Rate(rate) => 1.0 - f64::EPSILON - rate,
            PlannedMetric::Mean(deviation) => 1e6 * check_positive("the deviation", deviation)?,
        };
        let enough = |effect: f64| Ok::<_, AbTestError>(self.power_once(metric, effect, per_arm)? >= power);
        let (mut low, mut high) = (0.0, most);
        if !enough(high)? {
            return Err(self.no_power(metric, high));
        }
        loop {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high || high - low < 1e-10 * high {
                return Ok(high);
            }
            if enough(middle)? { high = middle } else { low = middle }
        }
    }

    fn no_power(&self, metric: PlannedMetric, effect: f64) -> AbTestError {
        let control = if let PlannedMetric::Rate(rate) = metric { rate } else { 0.0 };
        AbTestError::NoPower { control, treatment: control + effect, power: self.power }
    }

    /// The power that a single look has with the units with which this design has `power`.
    fn single_look(&self, power: f64) -> Result<f64, AbTestError> {
        let alpha = self.comparison_alpha();
        let drift = match self.design {
            Design::Fixed => return Ok(power),
            Design::Group(spending, looks) => {
                GroupSequential::equally_spaced(looks, spending, alpha)?.drift(power)?
            }
            Design::Sequential => tightest_cut(alpha) + normal_quantile(power),
        };
        Ok(normal_below(drift - normal_cut(alpha)))
    }

    /// The units of each arm for a single look.
    fn units_once(&self, metric: PlannedMetric, effect: f64, power: f64) -> Result<f64, AbTestError> {
        let needed = match metric {
            PlannedMetric::Rate(rate) => {
                units_for_power(rate, rate + effect, power, self.comparison_alpha())? * (1.0 - self.explained)
            }
            PlannedMetric::Mean(deviation) => {
                let deviation = check_positive("the deviation", deviation)?;
                if !(effect != 0.0 && effect.is_finite()) {
                    return Err(self.no_power(metric, effect));
                }
                let z = normal_cut(self.comparison_alpha()) + normal_quantile(power);
                let about = 2.0 * (z * deviation / effect).powi(2) * (1.0 - self.explained);
                // Student's distribution asks for few units more than the normal one; for many it is the same.
                let (mut low, mut high) = (2.0, (2.0 * about).max(2.0) + 20.0);
                while self.power_once(metric, effect, high)? < power && high < 1e15 {
                    high *= 2.0;
                }
                while high - low > 1e-9 * high {
                    let middle = f64::midpoint(low, high);
                    if self.power_once(metric, effect, middle)? < power {
                        low = middle
                    } else {
                        high = middle
                    }
                }
                high
            }
        };
        Ok(needed)
    }

    fn power_once(&self, metric: PlannedMetric, effect: f64, n: f64) -> Result<f64, AbTestError> {
        let alpha = self.comparison_alpha();
        match metric {
            PlannedMetric::Rate(rate) => {
                power_of_rates(n / (1.0 - self.explained), rate, rate + effect, alpha)
            }
            PlannedMetric::Mean(deviation) => {
                let spread = check_positive("the deviation", deviation)? * (1.0 - self.explained).sqrt();
                let (df, expected) = (2.0 * (n - 1.0), (n / 2.0).sqrt() * effect.abs() / spread);
                Ok(noncentral_student_above(student_cut(alpha, df), df, expected))
            }
        }
    }
}

fn check_positive(what: &'static str, value: f64) -> Result<f64, AbTestError> {
    if 0.0 < value && value < f64::INFINITY {
        Ok(value)
    } else {
        Err(AbTestError::Setting { what, value, allowed: "a positive number" })
    }
}

fn check_units(per_arm: f64) -> Result<f64, AbTestError> {
    if (2.0..f64::INFINITY).contains(&per_arm) { Ok(per_arm) } else { Err(AbTestError::NoUnits) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn r_power_prop_test() {
        // The examples of R's power.prop.test.
        let plan = Plan::new(0.05, 0.9).unwrap();
        assert!((plan.power(PlannedMetric::Rate(0.5), 0.25, 50.0).unwrap() - 0.740).abs() < 5e-4);
        assert_eq!(plan.units(PlannedMetric::Rate(0.5), 0.25).unwrap().per_arm, 77);
        assert!((plan.detectable(PlannedMetric::Rate(0.5), 50.0).unwrap() - 0.3026).abs() < 5e-5);
    }

    #[test]
    fn r_power_t_test() {
        // The examples of R's power.t.test: n = 20, delta = 1, sd = 1 has the power 0.8689528; delta = 1, power = .90 takes
        // 22.02110.
        let plan = Plan::new(0.05, 0.9).unwrap();
        assert!((plan.power(PlannedMetric::Mean(1.0), 1.0, 20.0).unwrap() - 0.868_952_8).abs() < 1e-7);
        assert!((plan.units_once(PlannedMetric::Mean(1.0), 1.0, 0.9).unwrap() - 22.021_10).abs() < 5e-6);
        assert_eq!(plan.units(PlannedMetric::Mean(1.0), -1.0).unwrap().per_arm, 23);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        #[test]
        fn units_power_and_effect_agree(
            rate in 0.02f64..0.6, lift in 0.05f64..0.5, power in 0.5f64..0.95, arms in 2u32..5, explained in 0.0f64..0.8, which in 0usize..3,
        ) {
            let design = [Design::Fixed, Design::Sequential, Design::Group(Spending::Pocock, 3)][which];
            let plan = Plan::new(0.05, power).unwrap().with_arms(arms).unwrap().with_design(design).with_variance_explained(explained).unwrap();
            for (metric, effect) in [(PlannedMetric::Rate(rate), rate * lift), (PlannedMetric::Mean(3.0), lift)] {
                let planned = plan.units(metric, effect).unwrap();
                prop_assert_eq!(planned.total, planned.per_arm * u64::from(arms));
                let n = planned.per_arm as f64;
                prop_assert!(plan.power(metric, effect, n).unwrap() >= power - 1e-6);
                prop_assert!(plan.power(metric, effect, (n - 1.5).max(2.0)).unwrap() < power + 1e-6 || n < 5.0);
                prop_assert!(plan.detectable(metric, n).unwrap() <= effect * (1.0 + 1e-6));
            }
        }
    }

    #[test]
    fn looks_cost_units_and_covariates_save_them() {
        let plan = Plan::new(0.05, 0.8).unwrap();
        let of = |plan: Plan| plan.units(PlannedMetric::Rate(0.1), 0.01).unwrap().per_arm;
        let fixed = of(plan);
        let by_design = [
            Design::Group(Spending::ObrienFleming, 5),
            Design::Group(Spending::Pocock, 5),
            Design::Sequential,
        ]
        .map(|design| of(plan.with_design(design)));
        assert!(fixed < by_design[0] && by_design[0] < by_design[1] && by_design[1] < by_design[2]);
        assert_eq!(of(plan.with_variance_explained(0.5).unwrap()), fixed.div_ceil(2));
    }

    #[test]
    fn what_has_no_answer_is_refused() {
        let plan = Plan::new(0.05, 0.8).unwrap();
        assert!(matches!(plan.units(PlannedMetric::Rate(0.5), 0.0), Err(AbTestError::NoPower { .. })));
        assert!(matches!(plan.units(PlannedMetric::Mean(1.0), 0.0), Err(AbTestError::NoPower { .. })));
        assert!(matches!(plan.units(PlannedMetric::Mean(1.0), 1e-12), Err(AbTestError::NoPower { .. })));
        assert!(matches!(plan.units(PlannedMetric::Rate(0.9), 0.2), Err(AbTestError::Level { .. })));
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(plan.units(PlannedMetric::Mean(value), 1.0), Err(AbTestError::Setting { .. })));
            assert!(plan.detectable(PlannedMetric::Mean(1.0), value).is_err());
            assert!(plan.units(PlannedMetric::Mean(1.0), 1.0).unwrap().days(value).is_err());
            assert!(Plan::new(0.05, value).is_err() && Plan::new(value, 0.8).is_err());
        }
        assert!(plan.with_arms(1).is_err() && plan.with_variance_explained(1.0).is_err());
        assert!(plan.with_variance_explained(f64::NAN).is_err());
    }
}
