//! Whether an effect lasts: a trend over the days, and a pattern of the week.

use serde::Serialize;

use crate::contingency::ChiSquare;
use crate::correction::Correction;
use crate::distribution::normal_beyond;
use crate::error::AbTestError;
use crate::estimate::EffectEstimate;
use crate::heterogeneity::Heterogeneity;

/// How an effect moves from day to day.
///
/// # Formula
/// The slope of the line through the daily effects, weighted by their inverse variances w: sum of w (t - t') d / sum of
/// w (t - t')^2, of the variance 1 / sum of w (t - t')^2.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Trend {
    /// The effect on the first day, by the line.
    pub first: f64,
    /// The effect on the last day.
    pub last: f64,
    /// The change a day.
    pub slope: f64,
    /// The probability of a slope as steep or steeper, where the effect stays.
    pub p_value: f64,
}

impl Trend {
    /// Returns the line through effects, each with its day. Days whose effect has no spread are left out.
    ///
    /// # Errors
    /// [`AbTestError::StrataDiffer`] where fewer than three days are left.
    ///
    /// # Examples
    /// ```
    /// use cip_abtest::{ArmEstimate, EffectEstimate, EffectScale, Trend};
    /// let day = |effect: f64| {
    ///     let control = ArmEstimate::new("control", 500, 1.0, 0.01, 499.0)?;
    ///     let arm = ArmEstimate::new("arm", 500, 1.0 + effect, 0.01, 499.0)?;
    ///     EffectEstimate::between(&control, &arm, EffectScale::Absolute)
    /// };
    /// // Everybody tries what is new, and then no longer.
    /// let fading = Trend::of(&[(0, day(0.20)?), (1, day(0.12)?), (2, day(0.05)?), (3, day(0.01)?)])?;
    /// assert!(fading.p_value < 1e-6 && fading.fades());
    /// # Ok::<(), cip_abtest::AbTestError>(())
    /// ```
    pub fn of(days: &[(i64, EffectEstimate)]) -> Result<Self, AbTestError> {
        let days: Vec<_> = days.iter().filter(|(_, effect)| effect.standard_error > 0.0).collect();
        let first = days.iter().map(|(day, _)| *day).min().unwrap_or_default();
        let last = days.iter().map(|(day, _)| *day).max().unwrap_or_default();
        if days.len() < 3 || first == last {
            return Err(AbTestError::StrataDiffer { control: days.len(), arm: days.len() });
        }
        let least = days.iter().map(|(_, effect)| effect.standard_error).fold(f64::INFINITY, f64::min);
        // In units of the least standard error, so that no square overflows.
        let points: Vec<[f64; 3]> = days
            .iter()
            .map(|(day, effect)| {
                [(least / effect.standard_error).powi(2), (day - first) as f64, effect.effect / least]
            })
            .collect();
        let total: f64 = points.iter().map(|[w, ..]| w).sum();
        let mean = |of: usize| points.iter().map(|point| point[0] * point[of]).sum::<f64>() / total;
        let (day, effect) = (mean(1), mean(2));
        let spread: f64 = points.iter().map(|[w, t, _]| w * (t - day).powi(2)).sum();
        let slope = points.iter().map(|[w, t, d]| w * (t - day) * (d - effect)).sum::<f64>() / spread;
        let at = |t: f64| least * (effect + slope * (t - day));
        Ok(Self {
            first: at(0.0),
            last: at((last - first) as f64),
            slope: least * slope,
            p_value: normal_beyond(slope * spread.sqrt()),
        })
    }

    /// Returns whether the effect becomes smaller, or turns.
    pub fn fades(&self) -> bool {
        self.first * self.slope < 0.0
    }
}

/// Returns whether the effect differs between days of the week, from effects with their day counted from any Monday.
///
/// # Method
/// Effects of one day of the week are pooled by inverse variance; Cochran's Q of those.
///
/// # Errors
/// [`AbTestError::StrataDiffer`] where fewer than two days of the week have an effect with a spread.
pub fn weekday_pattern(days: &[(i64, EffectEstimate)]) -> Result<ChiSquare, AbTestError> {
    let mut weekdays: Vec<(&str, EffectEstimate)> = Vec::new();
    for (weekday, name) in ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].into_iter().enumerate() {
        let of_day = days
            .iter()
            .filter(|(day, effect)| day.rem_euclid(7) == weekday as i64 && effect.standard_error > 0.0);
        let (mut weight, mut sum, mut pooled) = (0.0, 0.0, None);
        for (_, effect) in of_day {
            let certainty = effect.standard_error.powi(-2);
            weight += certainty;
            sum += certainty * effect.effect;
            pooled =
                Some(EffectEstimate { effect: sum / weight, standard_error: weight.powf(-0.5), ..*effect });
        }
        weekdays.extend(pooled.map(|pooled| (name, pooled)));
    }
    Ok(Heterogeneity::of(&weekdays, 0.05, Correction::None)?.q)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::EffectScale;

    fn day(effect: f64, standard_error: f64) -> EffectEstimate {
        EffectEstimate { scale: EffectScale::Absolute, effect, standard_error, df: f64::INFINITY, n: 100 }
    }

    #[test]
    fn the_line_is_that_of_weighted_least_squares() {
        // numpy.polyfit([0, 1, 2, 4], [.3, .1, .2, -.1], 1, w=1 / se, cov="unscaled") with se .1, .2, .1, .4.
        let days = [(10, day(0.3, 0.1)), (11, day(0.1, 0.2)), (12, day(0.2, 0.1)), (14, day(-0.1, 0.4))];
        let found = Trend::of(&days).unwrap();
        assert!((found.slope - -0.063_129_97).abs() < 1e-8, "{found:?}");
        assert!((found.p_value - 0.313_660_718).abs() < 1e-8, "{found:?}");
        assert!(found.fades() && (found.last - found.first - 4.0 * found.slope).abs() < 1e-12);
    }

    #[test]
    fn a_weekend_is_a_pattern() {
        let effect = |day: i64| if day % 7 >= 5 { 0.5 } else { 0.1 };
        let days: Vec<_> = (0..14).map(|at| (at, day(effect(at), 0.1))).collect();
        let found = weekday_pattern(&days).unwrap();
        // Seven pooled effects of variance .005 each around their mean: five of .1 and two of .5.
        let mean = (5.0 * 0.1 + 2.0 * 0.5) / 7.0;
        let expected = (5.0 * f64::powi(0.1 - mean, 2) + 2.0 * f64::powi(0.5 - mean, 2)) / 0.005;
        assert!(
            (found.statistic - expected).abs() < 1e-9 && found.df == 6 && found.p_value < 1e-6,
            "{found:?}"
        );
        let flat: Vec<_> = (0..14).map(|at| (at, day(0.1, 0.1))).collect();
        assert!(weekday_pattern(&flat).unwrap().p_value > 0.999);
    }

    #[test]
    fn too_few_days_have_no_trend() {
        assert!(Trend::of(&[(0, day(1.0, 1.0)), (1, day(1.0, 1.0)), (2, day(1.0, 0.0))]).is_err());
        assert!(Trend::of(&[(3, day(1.0, 1.0)); 3]).is_err());
        assert!(weekday_pattern(&[(0, day(1.0, 1.0)), (7, day(1.0, 1.0))]).is_err());
    }
}
