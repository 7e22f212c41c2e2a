//! What is believed of an arm after the experiment: the chance that it wins, and what is lost if it does not.

use serde::Serialize;

use crate::arm_count::{ArmCount, check_level};
use crate::beta::{BetaPosterior, check_prior};
use crate::distribution::{normal_below, normal_cut, normal_density};
use crate::error::AbTestError;
use crate::estimate::{EffectEstimate, Interval};

/// The posterior of an effect, in few numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Belief {
    /// The mean of the effect.
    pub effect: f64,
    /// The probability that the arm is better than the control.
    pub chance_to_win: f64,
    /// What choosing the control loses on average, against the better of the two, in the units of the effect.
    pub risk_of_control: f64,
    /// What choosing the arm loses on average.
    pub risk_of_arm: f64,
    /// The credible interval of the effect.
    pub interval: Interval,
}

/// What was believed of an effect before: a normal distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalPrior {
    mean: f64,
    precision: f64,
}

impl NormalPrior {
    /// No belief: the posterior is what the experiment says alone.
    pub const FLAT: Self = Self { mean: 0.0, precision: 0.0 };

    /// Returns the belief that the effect is about `mean`, give or take `deviation`.
    ///
    /// # Errors
    /// [`AbTestError::Setting`] where the mean is not finite or the deviation not a positive number.
    pub fn new(mean: f64, deviation: f64) -> Result<Self, AbTestError> {
        if !mean.is_finite() {
            return Err(AbTestError::Setting {
                what: "the prior's mean",
                value: mean,
                allowed: "a finite number",
            });
        }
        let precision = 1.0 / (deviation * deviation);
        if 0.0 < deviation && 0.0 < precision && precision < f64::INFINITY {
            return Ok(Self { mean, precision });
        }
        let what = "the prior's deviation";
        Err(AbTestError::Setting { what, value: deviation, allowed: "a positive number" })
    }

    /// Returns what is believed of an effect that was estimated, with a credible interval of probability 1 - `alpha`.
    ///
    /// # Formula
    /// The posterior is normal, with the precision of prior and estimate together and their mean by precision. With its mean m
    /// and deviation s: P(win) = Phi(m / s), the risk of the arm s phi(m / s) - m Phi(-m / s).
    ///
    /// # Method
    /// As GrowthBook's gbstats, where the prior is flat for want of another.
    ///
    /// # Errors
    /// [`AbTestError::Level`].
    ///
    /// # Examples
    /// ```
    /// use cip_abtest::{ArmCount, ArmEstimate, EffectEstimate, EffectScale, NormalPrior};
    /// let a = ArmEstimate::of_count(&ArmCount::new("a", 100, 49)?)?;
    /// let b = ArmEstimate::of_count(&ArmCount::new("b", 100, 51)?)?;
    /// let lift = EffectEstimate::between(&a, &b, EffectScale::Relative)?;
    /// let belief = NormalPrior::FLAT.belief(&lift, 0.05)?;
    /// assert_eq!(format!("{:.5} {:.5}", belief.chance_to_win, belief.risk_of_arm), "0.60918 0.04058");
    /// # Ok::<(), cip_abtest::AbTestError>(())
    /// ```
    pub fn belief(&self, of: &EffectEstimate, alpha: f64) -> Result<Belief, AbTestError> {
        check_level("alpha", alpha)?;
        let variance = of.standard_error * of.standard_error;
        // By the share of the prior, which is none for a certain effect.
        let share = self.precision * variance / (1.0 + self.precision * variance);
        let effect = share * self.mean + (1.0 - share) * of.effect;
        let deviation = of.standard_error * (1.0 - share).sqrt();
        let z = if effect == 0.0 { 0.0 } else { effect / deviation };
        // What the choice of the better one loses; the other loses the effect on top.
        let beyond = (deviation * normal_density(z) - effect.abs() * normal_below(-z.abs())).max(0.0);
        let (risk_of_arm, risk_of_control) =
            if effect >= 0.0 { (beyond, beyond + effect) } else { (beyond - effect, beyond) };
        let half = normal_cut(alpha) * deviation;
        let interval = Interval { low: effect - half, high: effect + half };
        Ok(Belief { effect, chance_to_win: normal_below(z), risk_of_control, risk_of_arm, interval })
    }
}

/// What was believed of each arm's rate before: a beta distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaPrior {
    successes: f64,
    failures: f64,
}

impl BetaPrior {
    /// Every rate is as likely: one success and one failure.
    pub const UNIFORM: Self = Self { successes: 1.0, failures: 1.0 };

    /// Returns the belief that so many successes and failures would leave in one who believed nothing.
    ///
    /// # Errors
    /// [`AbTestError::Setting`] where either is not in `0.5..=1e12`.
    pub fn new(successes: f64, failures: f64) -> Result<Self, AbTestError> {
        let successes = check_prior("the prior's successes", successes)?;
        Ok(Self { successes, failures: check_prior("the prior's failures", failures)? })
    }

    /// Returns what is believed of the rate of `arm` less that of `control`, with a credible interval of probability
    /// 1 - `alpha`.
    ///
    /// # Formula
    /// Each rate has the posterior Beta(successes + prior's, failures + prior's). P(win) is the mean of P(control <= p) over
    /// the arm's p; the risk of the arm the mean of max(q - p, 0).
    ///
    /// # Method
    /// By quadrature over the log odds: nothing is drawn at random. The chance and the risks have about nine digits, the ends of
    /// the interval eight.
    ///
    /// # Errors
    /// [`AbTestError::Level`].
    ///
    /// # Examples
    /// ```
    /// use cip_abtest::{ArmCount, BetaPrior};
    /// let (a, b) = (ArmCount::new("a", 1_000, 100)?, ArmCount::new("b", 1_000, 120)?);
    /// let belief = BetaPrior::UNIFORM.belief(&a, &b, 0.05)?;
    /// assert_eq!(format!("{:.4}", belief.chance_to_win), "0.9232");
    /// # Ok::<(), cip_abtest::AbTestError>(())
    /// ```
    pub fn belief(&self, control: &ArmCount, arm: &ArmCount, alpha: f64) -> Result<Belief, AbTestError> {
        check_level("alpha", alpha)?;
        let posterior = |of: &ArmCount| {
            let failures = (of.n() - of.successes()) as f64;
            BetaPosterior::new(of.successes() as f64 + self.successes, failures + self.failures)
        };
        let (control, arm) = (posterior(control), posterior(arm));
        let effect = arm.mean() - control.mean();
        // Over the narrower of the two, beside which the share of the other below is smooth.
        if arm.width() <= control.width() {
            let (chance_to_win, lead, interval) = ahead(&arm, &control, alpha);
            let risk_of_control = lead.max(effect).max(0.0);
            let risk_of_arm = (risk_of_control - effect).max(0.0);
            Ok(Belief { effect, chance_to_win, risk_of_control, risk_of_arm, interval })
        } else {
            let (chance_to_lose, lead, Interval { low, high }) = ahead(&control, &arm, alpha);
            let risk_of_arm = lead.max(-effect).max(0.0);
            let risk_of_control = (risk_of_arm + effect).max(0.0);
            let interval = Interval { low: -high, high: -low };
            Ok(Belief { effect, chance_to_win: 1.0 - chance_to_lose, risk_of_control, risk_of_arm, interval })
        }
    }
}

/// The chance that `a` is above `b`, by how much it is to be expected to be (where it is not, by 0), and the credible interval of
/// a - b.
fn ahead(a: &BetaPosterior, b: &BetaPosterior, alpha: f64) -> (f64, f64, Interval) {
    let chance = a.expect(|a| b.below(a)).clamp(0.0, 1.0);
    // The expected rate of b where it is below a: its mean times the share of a posterior with one more success.
    let more = b.with_success();
    let lead = a.expect(|a| a * b.below(a) - b.mean() * more.below(a));
    // P(a - b <= difference); where a - difference leaves 0..1, b is certainly on one side of it.
    let differ = |difference: f64| {
        let [from, to] = [difference.max(0.0), (1.0 + difference).min(1.0)];
        a.below(to) - a.expect_between([from, to], |a| b.below(a - difference))
    };
    let [low, high] = [alpha / 2.0, 1.0 - alpha / 2.0].map(|share| {
        let (mut low, mut high) = (-1.0, 1.0);
        while high - low > 1e-9 {
            let middle = f64::midpoint(low, high);
            if differ(middle) < share { low = middle } else { high = middle }
        }
        f64::midpoint(low, high)
    });
    (chance, lead, Interval { low, high })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::{ArmEstimate, EffectScale};
    use proptest::prelude::*;

    fn count(n: u64, successes: u64) -> ArmCount {
        ArmCount::new("a", n, successes).unwrap()
    }

    #[test]
    fn growthbooks_bayesian_test() {
        // gbstats' own test of its Bayesian engine with a flat prior.
        let estimate = |n, x| ArmEstimate::of_count(&count(n, x)).unwrap();
        let lift =
            EffectEstimate::between(&estimate(100, 49), &estimate(100, 51), EffectScale::Relative).unwrap();
        let found = NormalPrior::FLAT.belief(&lift, 0.05).unwrap();
        for (found, expected) in [
            (found.chance_to_win, 0.609_18),
            (found.risk_of_control, 0.081_4),
            (found.risk_of_arm, 0.040_58),
            (found.interval.low, -0.247_79),
            (found.interval.high, 0.329_43),
        ] {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }

    #[test]
    fn a_prior_pulls_as_much_as_it_is_certain() {
        let found =
            EffectEstimate { scale: EffectScale::Absolute, effect: 0.2, standard_error: 0.1, df: 9.0, n: 9 };
        // As certain as the estimate: half way, with half the variance.
        let belief = NormalPrior::new(0.0, 0.1).unwrap().belief(&found, 0.05).unwrap();
        assert!((belief.effect - 0.1).abs() < 1e-12);
        assert!((belief.interval.high - 0.1 - 1.959_964 * 0.1 / 2f64.sqrt()).abs() < 1e-6);
        let certain = EffectEstimate { standard_error: 0.0, ..found };
        let belief = NormalPrior::FLAT.belief(&certain, 0.05).unwrap();
        assert_eq!((belief.chance_to_win, belief.risk_of_arm, belief.risk_of_control), (1.0, 0.0, 0.2));
        for (mean, deviation) in [(f64::NAN, 1.0), (0.0, 0.0), (0.0, f64::NAN), (0.0, f64::INFINITY)] {
            assert!(NormalPrior::new(mean, deviation).is_err(), "{mean} {deviation}");
        }
        assert!(BetaPrior::new(0.0, 1.0).is_err() && BetaPrior::new(1.0, f64::NAN).is_err());
    }

    #[test]
    fn rates_that_may_be_one_are_exchanged_as_well() {
        for ((n, x), (m, y)) in
            [((587, 567), (18, 18)), ((18, 18), (5, 5)), ((40, 0), (7, 7)), ((0, 0), (3, 3))]
        {
            let (a, b) = (count(n, x), count(m, y));
            let there = BetaPrior::UNIFORM.belief(&a, &b, 0.1).unwrap().interval;
            let back = BetaPrior::UNIFORM.belief(&b, &a, 0.1).unwrap().interval;
            assert!(
                (there.low + back.high).abs() < 1e-7 && (there.high + back.low).abs() < 1e-7,
                "{there:?} {back:?}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        /// Evan Miller's sum, exact for whole parameters: P(B > A) is the sum over i of
        /// B(a + i, b + b') / ((b' + i) B(1 + i, b') B(a, b)).
        #[test]
        fn the_chance_to_win_is_millers_sum((n, x) in (0u64..60).prop_flat_map(|n| (Just(n), 0..=n)), (m, y) in (0u64..60).prop_flat_map(|n| (Just(n), 0..=n))) {
            let ln_beta = |a: f64, b: f64| {
                use statrs::function::gamma::ln_gamma;
                ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
            };
            let (a, b) = (x as f64 + 1.0, (n - x) as f64 + 1.0);
            let d = (m - y) as f64 + 1.0;
            let expected: f64 = (0..=y).map(|i| {
                let i = i as f64;
                (ln_beta(a + i, b + d) - (d + i).ln() - ln_beta(1.0 + i, d) - ln_beta(a, b)).exp()
            }).sum();
            let found = BetaPrior::UNIFORM.belief(&count(n, x), &count(m, y), 0.05).unwrap();
            prop_assert!((found.chance_to_win - expected).abs() < 1e-8, "{:?} {}", found, expected);
        }

        #[test]
        fn exchanging_the_arms_exchanges_the_beliefs((n, x) in (0u64..5_000).prop_flat_map(|n| (Just(n), 0..=n)), (m, y) in (0u64..5_000).prop_flat_map(|n| (Just(n), 0..=n))) {
            let (a, b) = (count(n, x), count(m, y));
            let (there, back) = (BetaPrior::UNIFORM.belief(&a, &b, 0.1).unwrap(), BetaPrior::UNIFORM.belief(&b, &a, 0.1).unwrap());
            prop_assert!((there.chance_to_win + back.chance_to_win - 1.0).abs() < 1e-7);
            prop_assert!((there.risk_of_arm - back.risk_of_control).abs() < 1e-7);
            prop_assert!((there.interval.low + back.interval.high).abs() < 1e-7);
            prop_assert!(there.interval.low <= there.interval.high);
        }
    }
}
