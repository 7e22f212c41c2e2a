//! Whether a result may be believed: checks, and a verdict that names no winner where one fails.

use serde::Serialize;

use crate::arm_count::check_level;
use crate::arm_moments::check_outcomes;
use crate::contingency::ChiSquare;
use crate::error::AbTestError;
use crate::estimate::EffectEstimate;
use crate::quantile::quantile_of_sorted;
use crate::sample_ratio::{GroupRatio, SampleRatio};
use crate::stability::Trend;

/// A check of an experiment, and what it found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// What was checked.
    pub kind: CheckKind,
    /// How it ended.
    pub status: CheckStatus,
    /// The p-value, where the check is a test.
    pub p_value: Option<f64>,
    /// What was found, in words.
    pub found: Box<str>,
}

/// What a [`Check`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckKind {
    /// The numbers of units against the expected shares.
    SampleRatio,
    /// The same by day or segment.
    SampleRatioByGroup,
    /// Units that were seen in several arms.
    SeveralArms,
    /// Units that were exposed before the experiment began, or after it ended.
    OutsideExperiment,
    /// An effect that moves from day to day.
    Novelty,
    /// An effect that differs between days of the week.
    WeekdayPattern,
    /// A finding that a few units make.
    Outliers,
}

/// How a [`Check`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// There is nothing to see.
    Passed,
    /// The result stands, and has to be read with care.
    Warned,
    /// Whatever was found may come from the way that units were assigned, counted or lost: there is no winner.
    Failed,
}

/// The share of units in several arms above which the check fails: GrowthBook's default.
const MOST_IN_SEVERAL_ARMS: f64 = 0.01;

impl Check {
    fn new(kind: CheckKind, status: CheckStatus, p_value: Option<f64>, found: impl Into<Box<str>>) -> Self {
        Self { kind, status, p_value, found: found.into() }
    }

    /// Returns the check of the sample ratio at level `alpha`: it fails below.
    pub fn sample_ratio(ratio: &SampleRatio, alpha: f64) -> Self {
        let p = ratio.p_value;
        let (status, found) = if ratio.stray > 0 {
            (CheckStatus::Failed, format!("{} units are in arms that should have none", ratio.stray))
        } else if p < alpha {
            (CheckStatus::Failed, format!("the arms do not have the expected shares of units (p {p:.3e})"))
        } else {
            (CheckStatus::Passed, format!("the arms have the expected shares of units (p {p:.4})"))
        };
        Self::new(CheckKind::SampleRatio, status, Some(p), found)
    }

    /// Returns the check of the sample ratios of groups, of which `what` says what they are, such as days: it fails where an
    /// adjusted p-value is below `alpha`.
    pub fn sample_ratio_by_group(what: &str, groups: &[GroupRatio], alpha: f64) -> Self {
        let flagged: Vec<&GroupRatio> =
            groups.iter().filter(|group| group.adjusted_p_value < alpha).collect();
        let least = groups.iter().map(|group| group.adjusted_p_value).reduce(f64::min);
        let (status, found) = match flagged.first() {
            None => (
                CheckStatus::Passed,
                format!("the arms have the expected shares in all of {} {what}", groups.len()),
            ),
            Some(first) => (
                CheckStatus::Failed,
                format!(
                    "the arms do not have the expected shares in {} of {} {what}, the first `{}`",
                    flagged.len(),
                    groups.len(),
                    first.group
                ),
            ),
        };
        Self::new(CheckKind::SampleRatioByGroup, status, least, found)
    }

    /// Returns the check of units that were seen in several arms: it warns of any, and fails above 1 % of all units.
    pub fn several_arms(in_several: u64, units: u64) -> Self {
        let all = (in_several + units).max(1) as f64;
        let status = match in_several {
            0 => CheckStatus::Passed,
            _ if in_several as f64 / all <= MOST_IN_SEVERAL_ARMS => CheckStatus::Warned,
            _ => CheckStatus::Failed,
        };
        let found = format!("{in_several} of {} units were in several arms", in_several + units);
        Self::new(CheckKind::SeveralArms, status, None, found)
    }

    /// Returns the check of units that were exposed outside of the time of the experiment: it fails where there are any.
    pub fn outside_experiment(outside: u64) -> Self {
        let status = if outside == 0 { CheckStatus::Passed } else { CheckStatus::Failed };
        let found = format!("{outside} units were exposed before the start or after the end");
        Self::new(CheckKind::OutsideExperiment, status, None, found)
    }

    /// Returns the check of an effect that fades or grows from day to day: it warns below `alpha`.
    pub fn novelty(trend: &Trend, alpha: f64) -> Self {
        let moves = trend.p_value < alpha;
        let status = if moves { CheckStatus::Warned } else { CheckStatus::Passed };
        let how = match (moves, trend.fades()) {
            (false, _) => "stays from day to day",
            (true, true) => "fades: wait until it stays, and judge by the last days",
            (true, false) => "grows: it may be larger by and by",
        };
        let found = format!(
            "the effect {how} ({:+.4} on the first day, {:+.4} on the last)",
            trend.first, trend.last
        );
        Self::new(CheckKind::Novelty, status, Some(trend.p_value), found)
    }

    /// Returns the check of a pattern of the week: it warns below `alpha`.
    pub fn weekday_pattern(pattern: &ChiSquare, alpha: f64) -> Self {
        let (status, how) = if pattern.p_value < alpha {
            (CheckStatus::Warned, "differs between days of the week: run whole weeks")
        } else {
            (CheckStatus::Passed, "is the same on all days of the week")
        };
        let found = format!("the effect {how} (p {:.4})", pattern.p_value);
        Self::new(CheckKind::WeekdayPattern, status, Some(pattern.p_value), found)
    }

    /// Returns the check of a finding that a few units make: it warns where the effect of outcomes as they are and that of
    /// [`winsorised`] ones are not both findings in one direction, or both none, at level `alpha`.
    pub fn outliers(raw: &EffectEstimate, winsorised: &EffectEstimate, alpha: f64) -> Self {
        let finding = |of: &EffectEstimate| if of.p_value() < alpha { of.effect.signum() } else { 0.0 };
        let (status, how) = if finding(raw) == finding(winsorised) {
            (CheckStatus::Passed, "does not hang on a few units")
        } else {
            (CheckStatus::Warned, "hangs on a few units")
        };
        let found = format!(
            "the result {how}: {:+.4} as it is (p {:.4}), {:+.4} winsorised (p {:.4})",
            raw.effect,
            raw.p_value(),
            winsorised.effect,
            winsorised.p_value()
        );
        Self::new(CheckKind::Outliers, status, None, found)
    }
}

/// Returns the numbers of all arms with those below the 1 - `share` quantile and above the `share` quantile of all arms
/// together moved to these.
///
/// # Errors
/// [`AbTestError::Setting`] where `share` is not above .5 and below 1; [`AbTestError::NoUnits`] without numbers;
/// [`AbTestError::Outcome`] for a number that is not finite.
///
/// # Examples
/// ```
/// let control: Vec<f64> = (0..99).map(f64::from).collect();
/// let arms = cip_abtest::winsorised(&[&control, &[1e6]], 0.99)?;
/// assert_eq!((arms[0][0] > 0.9, arms[0][50], arms[1][0] < 2e4), (true, 50.0, true));
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
pub fn winsorised(arms: &[&[f64]], share: f64) -> Result<Vec<Vec<f64>>, AbTestError> {
    check_level("the share", share)?;
    if share <= 0.5 {
        return Err(AbTestError::Setting { what: "the share", value: share, allowed: "more than 0.5" });
    }
    let mut all: Vec<f64> = arms.concat();
    check_outcomes(&all)?;
    if all.is_empty() {
        return Err(AbTestError::NoUnits);
    }
    all.sort_unstable_by(f64::total_cmp);
    let (low, high) = (quantile_of_sorted(&all, 1.0 - share), quantile_of_sorted(&all, share));
    Ok(arms.iter().map(|arm| arm.iter().map(|value| value.clamp(low, high)).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::EffectScale;

    fn effect(effect: f64, standard_error: f64) -> EffectEstimate {
        EffectEstimate { scale: EffectScale::Absolute, effect, standard_error, df: f64::INFINITY, n: 100 }
    }

    #[test]
    fn checks_end_as_documented() {
        let ratio = |units: &[u64], weights: &[f64]| {
            Check::sample_ratio(&SampleRatio::of(units, weights).unwrap(), 0.001)
        };
        // Cookie Cats passes at .001 and fails at .01.
        let cats = SampleRatio::of(&[44_700, 45_489], &[1.0, 1.0]).unwrap();
        assert_eq!(Check::sample_ratio(&cats, 0.001).status, CheckStatus::Passed);
        assert_eq!(Check::sample_ratio(&cats, 0.01).status, CheckStatus::Failed);
        let stray = ratio(&[10, 10, 1], &[1.0, 1.0, 0.0]);
        assert_eq!(
            (stray.status, &*stray.found),
            (CheckStatus::Failed, "1 units are in arms that should have none")
        );
        let statuses =
            [(0, 100), (1, 100), (2, 100)].map(|(several, units)| Check::several_arms(several, units).status);
        assert_eq!(statuses, [CheckStatus::Passed, CheckStatus::Warned, CheckStatus::Failed]);
        assert_eq!(Check::outside_experiment(0).status, CheckStatus::Passed);
        assert_eq!(Check::outside_experiment(3).status, CheckStatus::Failed);
        let groups = SampleRatio::by_group(&[("mon", &[50, 50]), ("tue", &[10, 90])], &[1.0, 1.0]).unwrap();
        let check = Check::sample_ratio_by_group("days", &groups, 0.01);
        assert_eq!(check.status, CheckStatus::Failed);
        assert!(check.found.contains("in 1 of 2 days, the first `tue`"), "{}", check.found);
        let trend = |first: f64, last: f64| {
            Trend::of(&[(0, effect(first, 0.1)), (1, effect(0.5, 0.1)), (2, effect(last, 0.1))]).unwrap()
        };
        assert!(Check::novelty(&trend(1.0, 0.0), 0.01).found.contains("fades"));
        assert!(Check::novelty(&trend(0.0, 1.0), 0.01).found.contains("grows"));
        assert_eq!(Check::novelty(&trend(0.5, 0.5), 0.01).status, CheckStatus::Passed);
        assert_eq!(Check::weekday_pattern(&ChiSquare::new(30.0, 6), 0.01).status, CheckStatus::Warned);
        assert_eq!(Check::weekday_pattern(&ChiSquare::new(3.0, 6), 0.01).status, CheckStatus::Passed);
        assert_eq!(Check::outliers(&effect(1.0, 0.1), &effect(0.9, 0.1), 0.05).status, CheckStatus::Passed);
        assert_eq!(Check::outliers(&effect(1.0, 0.1), &effect(0.1, 0.1), 0.05).status, CheckStatus::Warned);
        assert_eq!(Check::outliers(&effect(1.0, 0.1), &effect(-1.0, 0.1), 0.05).status, CheckStatus::Warned);
    }

    #[test]
    fn what_cannot_be_winsorised_is_refused() {
        assert!(matches!(winsorised(&[&[1.0]], 0.5), Err(AbTestError::Setting { .. })));
        assert!(matches!(winsorised(&[&[1.0]], f64::NAN), Err(AbTestError::Level { .. })));
        assert!(matches!(winsorised(&[&[], &[]], 0.9), Err(AbTestError::NoUnits)));
        assert!(matches!(winsorised(&[&[f64::NAN]], 0.9), Err(AbTestError::Outcome { .. })));
    }
}
