//! A table with a row a unit, in all the ways that an experiment is looked at: effects, segments, days, and checks.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::arm_count::{ArmCount, check_level};
use crate::bayes::{Belief, BetaPrior, NormalPrior};
use crate::contingency::ContingencyTable;
use crate::correction::Correction;
use crate::cuped::Cuped;
use crate::error::AbTestError;
use crate::estimate::{ArmEstimate, EffectEstimate, EffectScale, Interval, MarginTest};
use crate::heterogeneity::Heterogeneity;
use crate::joint_moments::JointSums;
use crate::rank::{RankTest, mann_whitney};
use crate::report::{Report, Verdict};
use crate::sample_ratio::SampleRatio;
use crate::sequential::{Sequential, SequentialTest};
use crate::stability::{Trend, weekday_pattern};
use crate::trust::{Check, winsorised};

/// What is known of a unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit<'a> {
    /// Its arm.
    pub arm: &'a str,
    /// What it did.
    pub outcome: f64,
    /// What it did before the experiment, for all units or for none.
    pub covariate: Option<f64>,
    /// Its segment, for all units or for none.
    pub segment: Option<&'a str>,
    /// The day of its exposure since 1970-01-01, for all units or for none.
    pub day: Option<i64>,
}

/// How a [`Study`] is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StudyOptions {
    /// The allowed probability of a false finding.
    pub alpha: f64,
    /// The level of checks.
    pub check_alpha: f64,
    /// How p-values of several arms, and of several segments, are adjusted.
    pub correction: Correction,
    /// With which the verdict is one at any time; without it for one look.
    pub sequential: Option<Sequential>,
    /// Whether beliefs are told as well.
    pub beliefs: Beliefs,
    /// The margin by which the arm may be worse.
    pub non_inferiority: Option<f64>,
    /// The margin by which the arms may differ.
    pub equivalence: Option<f64>,
    /// The share of outcomes that are no outliers, for the check of these.
    pub winsorise: Option<f64>,
}

/// Whether beliefs are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beliefs {
    /// They are not.
    Silent,
    /// They are: from a uniform prior of rates, and a flat prior of effects of means.
    Told,
}

/// The units of an experiment in memory: eight bytes for each number that is given.
#[derive(Debug, Clone, Default)]
pub struct Study {
    arms: Vec<Box<str>>,
    segments: Vec<Box<str>>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    arm: usize,
    outcome: f64,
    covariate: Option<f64>,
    segment: Option<usize>,
    day: Option<i64>,
}

/// Two arms that are compared, and how they are adjusted.
#[derive(Debug, Clone, Copy)]
struct Pair {
    base: usize,
    arm: usize,
    cuped: Option<Cuped>,
}

impl Pair {
    /// The absolute effect, where both arms are known.
    fn effect(self, estimates: &[Option<ArmEstimate>]) -> Result<Option<EffectEstimate>, AbTestError> {
        match (&estimates[self.base], &estimates[self.arm]) {
            (Some(a), Some(b)) => EffectEstimate::between(a, b, EffectScale::Absolute).map(Some),
            _ => Ok(None),
        }
    }
}

/// An effect with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The effect.
    pub effect: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Its interval of confidence 1 - alpha, for this arm alone.
    pub interval: Interval,
    /// The p-value of this arm alone.
    pub p_value: f64,
}

/// What was found of an arm against the control.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ArmFinding {
    /// The arm.
    pub arm: Box<str>,
    /// The arm less the control.
    pub absolute: Finding,
    /// The same over the control; none where that is 0.
    pub relative: Option<Finding>,
    /// The p-value of the absolute effect, at any time where the test is sequential, adjusted for the number of arms.
    pub adjusted_p_value: f64,
    /// Fisher's exact test. Of 0 and 1 alone.
    pub fisher_p_value: Option<f64>,
    /// The Mann-Whitney test. Of other numbers.
    pub ranks: Option<RankTest>,
    /// At this look of many.
    pub sequential: Option<SequentialTest>,
    /// What is believed.
    pub belief: Option<Belief>,
    /// Whether the arm is not worse by the margin.
    pub non_inferiority: Option<MarginTest>,
    /// Whether the arms are equal within the margin.
    pub equivalence: Option<MarginTest>,
    /// The absolute effect by segment.
    pub segments: Option<Heterogeneity>,
    /// The absolute effect of all units exposed up to and on each day.
    pub days: Vec<DayFinding>,
    /// The answer for this arm by the adjusted p-value.
    pub verdict: Verdict,
}

/// The effect as it stood after a day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DayFinding {
    /// The day since 1970-01-01.
    pub day: i64,
    /// The effect.
    pub effect: f64,
    /// Its interval: of all looks together where the test is sequential, else of this look alone.
    pub interval: Interval,
}

/// What was found of all arms.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StudyFindings {
    /// Every arm but the control, by name.
    pub arms: Vec<ArmFinding>,
    /// The slope of the covariate, where there is one.
    pub theta: Option<f64>,
    /// The share of the variance that the covariate explains.
    pub variance_explained: Option<f64>,
    /// Checks beside that of the sample ratio.
    pub checks: Vec<Check>,
}

impl StudyFindings {
    /// Returns the report with these checks, and with the verdicts of these findings where no check fails.
    pub fn judge(&self, report: Report) -> Report {
        let mut report = report.with_checks(self.checks.iter().cloned());
        if report.verdict == Verdict::Untrustworthy {
            return report;
        }
        for comparison in &mut report.comparisons {
            if let Some(found) = self.arms.iter().find(|found| found.arm == comparison.arm) {
                comparison.verdict = found.verdict;
            }
        }
        let any = |verdict| report.comparisons.iter().any(|comparison| comparison.verdict == verdict);
        report.verdict = [Verdict::Better, Verdict::Worse]
            .into_iter()
            .find(|&verdict| any(verdict))
            .unwrap_or(Verdict::NoDifference);
        report
    }
}

impl Study {
    /// Returns a study without units.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a unit.
    ///
    /// # Errors
    /// [`AbTestError::Outcome`] where a number is not finite. Nothing is added then.
    pub fn push(&mut self, unit: Unit<'_>) -> Result<(), AbTestError> {
        let numbers = [Some(unit.outcome), unit.covariate];
        if let Some(value) = numbers.into_iter().flatten().find(|value| !value.is_finite()) {
            return Err(AbTestError::Outcome { row: self.rows.len() as u64, value });
        }
        let place = |names: &mut Vec<Box<str>>, name: &str| {
            names.iter().position(|known| **known == *name).unwrap_or_else(|| {
                names.push(name.into());
                names.len() - 1
            })
        };
        let arm = place(&mut self.arms, unit.arm);
        let segment = unit.segment.map(|segment| place(&mut self.segments, segment));
        let Unit { outcome, covariate, day, .. } = unit;
        self.rows.push(Row { arm, outcome, covariate, segment, day });
        Ok(())
    }

    /// Returns what the arms did against the control, and the checks that the units allow.
    ///
    /// Arms and segments with fewer than two units in either arm are left out.
    ///
    /// # Errors
    /// [`AbTestError::UnknownControl`], [`AbTestError::Level`], [`AbTestError::Setting`] of the margins,
    /// [`AbTestError::OutcomeRange`].
    pub fn analyze(&self, control: &str, options: &StudyOptions) -> Result<StudyFindings, AbTestError> {
        check_level("alpha", options.alpha)?;
        check_level("the level of checks", options.check_alpha)?;
        let base = self.arms.iter().position(|arm| **arm == *control).ok_or_else(|| {
            AbTestError::UnknownControl { control: control.into(), arms: self.arms.clone() }
        })?;
        let cuped = self.cuped(self.rows.iter())?;
        let all = self.estimates(self.rows.iter(), cuped)?;
        let mut order: Vec<usize> = (0..self.arms.len()).filter(|&arm| arm != base).collect();
        order.sort_by(|&a, &b| self.arms[a].cmp(&self.arms[b]));
        let mut effects = Vec::new();
        for arm in order {
            let pair = Pair { base, arm, cuped };
            if let Some(effect) = pair.effect(&all)? {
                effects.push((pair, effect));
            }
        }
        let p_value = |effect: &EffectEstimate| match options.sequential {
            Some(sequential) => sequential.test(effect).p_value,
            None => effect.p_value(),
        };
        let p_values: Vec<f64> = effects.iter().map(|(_, effect)| p_value(effect)).collect();
        let adjusted = options.correction.adjust(&p_values);
        let mut arms = Vec::new();
        let mut checks = Vec::new();
        for ((pair, effect), adjusted_p_value) in effects.into_iter().zip(adjusted) {
            checks.extend(stability(&self.daily(pair)?, options.check_alpha));
            checks.extend(self.outliers(pair, options)?);
            arms.push(self.arm(pair, &all, effect, adjusted_p_value, options)?);
        }
        if let Some(check) = self.ratio_by_day(options)? {
            checks.push(check);
        }
        Ok(StudyFindings {
            arms,
            theta: cuped.map(|cuped| cuped.theta()),
            variance_explained: cuped.map(|cuped| cuped.variance_explained()),
            checks,
        })
    }

    fn arm(
        &self,
        pair: Pair,
        all: &[Option<ArmEstimate>],
        effect: EffectEstimate,
        adjusted_p_value: f64,
        options: &StudyOptions,
    ) -> Result<ArmFinding, AbTestError> {
        let Pair { base, arm, cuped } = pair;
        let (control, treated) = (self.values(base), self.values(arm));
        let counts = self.counts(base).zip(self.counts(arm));
        let relative = match (&all[base], &all[arm]) {
            (Some(a), Some(b)) => EffectEstimate::between(a, b, EffectScale::Relative).ok(),
            _ => None,
        };
        let sequential = options.sequential.map(|sequential| sequential.test(&effect));
        let belief = match (options.beliefs, &counts) {
            (Beliefs::Silent, _) => None,
            (Beliefs::Told, Some((a, b))) if cuped.is_none() => {
                Some(BetaPrior::UNIFORM.belief(a, b, options.alpha)?)
            }
            (Beliefs::Told, _) => Some(NormalPrior::FLAT.belief(&effect, options.alpha)?),
        };
        let fisher = counts.as_ref().map(|(a, b)| {
            let rows = [a, b].map(|count| [count.successes(), count.n() - count.successes()]);
            // Where no unit or every unit succeeded, all tables are this one.
            ContingencyTable::try_new(rows).map_or(Ok(1.0), |table| table.fisher())
        });
        let verdict = match adjusted_p_value < options.alpha {
            true if effect.effect > 0.0 => Verdict::Better,
            true => Verdict::Worse,
            false => Verdict::NoDifference,
        };
        Ok(ArmFinding {
            arm: self.arms[arm].clone(),
            absolute: finding(&effect, options.alpha)?,
            relative: relative.map(|relative| finding(&relative, options.alpha)).transpose()?,
            adjusted_p_value,
            fisher_p_value: fisher.transpose()?,
            ranks: if counts.is_none() { Some(mann_whitney(&control, &treated)?) } else { None },
            sequential,
            belief,
            non_inferiority: options
                .non_inferiority
                .map(|margin| effect.non_inferiority(margin, options.alpha))
                .transpose()?,
            equivalence: options
                .equivalence
                .map(|margin| effect.equivalence(margin, options.alpha))
                .transpose()?,
            segments: self.by_segment(pair, options)?,
            days: self.cumulative(pair, options)?,
            verdict,
        })
    }

    fn values(&self, arm: usize) -> Vec<f64> {
        self.rows.iter().filter(|row| row.arm == arm).map(|row| row.outcome).collect()
    }

    /// The counts of an arm, where every outcome of all arms is 0 or 1.
    fn counts(&self, arm: usize) -> Option<ArmCount> {
        let mut count = ArmCount::empty(&self.arms[arm]);
        let whole = self.rows.iter().all(|row| row.outcome == 0.0 || row.outcome == 1.0);
        self.rows.iter().filter(|row| row.arm == arm).for_each(|row| count.push(row.outcome == 1.0));
        whole.then_some(count)
    }

    fn cuped<'a>(&self, rows: impl Iterator<Item = &'a Row>) -> Result<Option<Cuped>, AbTestError> {
        let mut sums: Vec<JointSums<2>> = vec![JointSums::new(); self.arms.len()];
        let mut any = false;
        for row in rows {
            let Some(covariate) = row.covariate else { return Ok(None) };
            any = true;
            sums[row.arm].push([row.outcome, covariate])?;
        }
        let moments = self.arms.iter().zip(&sums).map(|(arm, sums)| sums.moments(arm.clone()));
        let moments: Vec<_> = moments.collect::<Result<_, _>>()?;
        if any { Cuped::fit(&moments).map(Some) } else { Ok(None) }
    }

    /// The estimate of each arm that has two units or more among these.
    fn estimates<'a>(
        &self,
        rows: impl Iterator<Item = &'a Row>,
        cuped: Option<Cuped>,
    ) -> Result<Vec<Option<ArmEstimate>>, AbTestError> {
        let mut sums: Vec<JointSums<2>> = vec![JointSums::new(); self.arms.len()];
        for row in rows {
            sums[row.arm].push([row.outcome, row.covariate.unwrap_or(0.0)])?;
        }
        let estimate = |(arm, sums): (&str, &JointSums<2>)| {
            if sums.n() < 2 {
                return Ok(None);
            }
            let moments = sums.moments(arm)?;
            match cuped {
                Some(cuped) => cuped.adjust(&moments).map(Some),
                None => {
                    let variance = moments.covariances().map(|covariances| covariances[0][0]);
                    ArmEstimate::from_variance(arm, sums.n(), Some(moments.mean(0)), variance).map(Some)
                }
            }
        };
        self.arms.iter().map(|arm| &**arm).zip(&sums).map(estimate).collect()
    }

    fn by_segment(&self, pair: Pair, options: &StudyOptions) -> Result<Option<Heterogeneity>, AbTestError> {
        let mut order: Vec<usize> = (0..self.segments.len()).collect();
        order.sort_by(|&a, &b| self.segments[a].cmp(&self.segments[b]));
        let mut effects = Vec::new();
        for segment in order {
            let rows = self.rows.iter().filter(|row| row.segment == Some(segment));
            if let Some(effect) = pair.effect(&self.estimates(rows, pair.cuped)?)?
                && effect.standard_error > 0.0
            {
                effects.push((&*self.segments[segment], effect));
            }
        }
        if effects.len() < 2 {
            return Ok(None);
        }
        Heterogeneity::of(&effects, options.alpha, options.correction).map(Some)
    }

    /// The rows of each day, in order.
    fn days(&self) -> BTreeMap<i64, Vec<&Row>> {
        let mut days: BTreeMap<i64, Vec<&Row>> = BTreeMap::new();
        for row in &self.rows {
            if let Some(day) = row.day {
                days.entry(day).or_default().push(row);
            }
        }
        days
    }

    fn daily(&self, pair: Pair) -> Result<Vec<(i64, EffectEstimate)>, AbTestError> {
        let mut effects = Vec::new();
        for (day, rows) in self.days() {
            if let Some(effect) = pair.effect(&self.estimates(rows.into_iter(), pair.cuped)?)? {
                effects.push((day, effect));
            }
        }
        Ok(effects)
    }

    fn cumulative(&self, pair: Pair, options: &StudyOptions) -> Result<Vec<DayFinding>, AbTestError> {
        let mut found = Vec::new();
        let mut rows = Vec::new();
        for (day, more) in self.days() {
            rows.extend(more);
            if let Some(effect) = pair.effect(&self.estimates(rows.iter().copied(), pair.cuped)?)? {
                let interval = match options.sequential {
                    Some(sequential) => sequential.test(&effect).interval,
                    None => effect.interval(options.alpha)?,
                };
                found.push(DayFinding { day, effect: effect.effect, interval });
            }
        }
        Ok(found)
    }

    fn ratio_by_day(&self, options: &StudyOptions) -> Result<Option<Check>, AbTestError> {
        let days: Vec<(String, Vec<u64>)> = self
            .days()
            .into_iter()
            .map(|(day, rows)| {
                let mut units = vec![0; self.arms.len()];
                rows.iter().for_each(|row| units[row.arm] += 1);
                (day.to_string(), units)
            })
            .collect();
        if days.len() < 2 || self.arms.len() < 2 {
            return Ok(None);
        }
        let days: Vec<(&str, &[u64])> =
            days.iter().map(|(day, units)| (day.as_str(), units.as_slice())).collect();
        // Against the shares of all days together: whether any day differs.
        let mut all = vec![0.0; self.arms.len()];
        self.rows.iter().for_each(|row| all[row.arm] += 1.0);
        let groups = SampleRatio::by_group(&days, &all)?;
        Ok(Some(Check::sample_ratio_by_group(&groups, options.check_alpha)))
    }

    fn outliers(&self, pair: Pair, options: &StudyOptions) -> Result<Option<Check>, AbTestError> {
        let Some(share) = options.winsorise else { return Ok(None) };
        let (control, treated) = (self.values(pair.base), self.values(pair.arm));
        let effect = |control: &[f64], treated: &[f64]| {
            let mut sums = [JointSums::<1>::new(), JointSums::new()];
            for (sums, values) in sums.iter_mut().zip([control, treated]) {
                values.iter().try_for_each(|&value| sums.push([value]))?;
            }
            let [a, b] =
                [&sums[0], &sums[1]].map(|sums| ArmEstimate::of_moments(&sums.moments("arm")?.into()));
            EffectEstimate::between(&a?, &b?, EffectScale::Absolute)
        };
        let cut = winsorised(&[&control, &treated], share)?;
        let (raw, cut) = (effect(&control, &treated)?, effect(&cut[0], &cut[1])?);
        Ok(Some(Check::outliers(&raw, &cut, options.alpha)))
    }
}

fn finding(effect: &EffectEstimate, alpha: f64) -> Result<Finding, AbTestError> {
    Ok(Finding {
        effect: effect.effect,
        standard_error: effect.standard_error,
        interval: effect.interval(alpha)?,
        p_value: effect.p_value(),
    })
}

/// The checks of effects by day, where there are enough days. 1970-01-01 was a Thursday.
fn stability(days: &[(i64, EffectEstimate)], alpha: f64) -> impl Iterator<Item = Check> {
    let trend = Trend::of(days).ok().map(|trend| Check::novelty(&trend, alpha));
    let from_monday: Vec<_> = days.iter().map(|(day, effect)| (day + 3, *effect)).collect();
    let pattern = weekday_pattern(&from_monday).ok().map(|pattern| Check::weekday_pattern(&pattern, alpha));
    trend.into_iter().chain(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Analysis;
    use crate::outcomes::Outcomes;
    use crate::trust::{CheckKind, CheckStatus};

    const OPTIONS: StudyOptions = StudyOptions {
        alpha: 0.05,
        check_alpha: 0.01,
        correction: Correction::Holm,
        sequential: None,
        beliefs: Beliefs::Told,
        non_inferiority: Some(0.05),
        equivalence: None,
        winsorise: Some(0.999),
    };

    /// Units that do `effect` more in arm b, with a covariate that foretells most of it.
    fn study(effect: impl Fn(i64) -> f64) -> Study {
        let mut study = Study::new();
        for unit in 0..4_000_i64 {
            let noise = |factor: i64| ((unit * factor) % 1_009) as f64 / 1_009.0 - 0.5;
            let (before, day) = (10.0 * noise(7_919), unit % 14);
            let (arm, effect) = if unit / 14 % 2 == 0 { ("a", 0.0) } else { ("b", effect(day)) };
            let segment = Some(if unit % 3 == 0 { "app" } else { "web" });
            let outcome = before + noise(104_729) + effect;
            study.push(Unit { arm, outcome, covariate: Some(before), segment, day: Some(day) }).unwrap();
        }
        study
    }

    #[test]
    fn a_covariate_finds_what_would_be_lost_in_noise() {
        let study = study(|_| 0.1);
        let found = study.analyze("a", &OPTIONS).unwrap();
        let arm = &found.arms[0];
        assert!(found.variance_explained.unwrap() > 0.95 && arm.verdict == Verdict::Better, "{arm:?}");
        assert!((arm.absolute.effect - 0.1).abs() < 0.02, "{arm:?}");
        assert!(arm.segments.as_ref().unwrap().segments.len() == 2 && arm.days.len() == 14);
        assert_eq!(arm.days[13].effect, arm.absolute.effect);
        assert!(
            arm.belief.unwrap().chance_to_win > 0.99 && arm.ranks.is_some() && arm.fisher_p_value.is_none()
        );
        assert!(found.checks.iter().all(|check| check.status == CheckStatus::Passed), "{:?}", found.checks);
        let mut plain = study.clone();
        plain.rows.iter_mut().for_each(|row| row.covariate = None);
        assert!(
            plain.analyze("a", &OPTIONS).unwrap().arms[0].absolute.standard_error
                > 4.0 * arm.absolute.standard_error
        );
        let sequential = StudyOptions { sequential: Some(Sequential::new(0.05).unwrap()), ..OPTIONS };
        let looked = &study.analyze("a", &sequential).unwrap().arms[0];
        assert_eq!(looked.adjusted_p_value, looked.sequential.unwrap().p_value);
        assert!(looked.sequential.unwrap().interval.low < arm.absolute.interval.low);
    }

    #[test]
    fn what_fades_is_told() {
        let found = study(|day| 1.0 - day as f64 / 10.0).analyze("a", &OPTIONS).unwrap();
        let novelty = found.checks.iter().find(|check| check.kind == CheckKind::Novelty).unwrap();
        assert!(novelty.status == CheckStatus::Warned && novelty.found.contains("fades"), "{novelty:?}");
    }

    #[test]
    fn zeros_and_ones_are_counted_and_a_report_is_judged() {
        let (mut study, mut outcomes) = (Study::new(), Outcomes::new());
        for unit in 0..2_000_u32 {
            let arm = if unit % 2 == 0 { "a" } else { "b" };
            let outcome = f64::from(u8::from(unit * 7_919 % 1_000 < if arm == "a" { 100 } else { 160 }));
            study.push(Unit { arm, outcome, covariate: None, segment: None, day: None }).unwrap();
            outcomes.push(arm, outcome, None).unwrap();
        }
        let found = study.analyze("a", &OPTIONS).unwrap();
        let arm = &found.arms[0];
        assert!(
            arm.fisher_p_value.unwrap() < 0.01
                && arm.ranks.is_none()
                && arm.segments.is_none()
                && arm.days.is_empty()
        );
        let report = outcomes.finish().unwrap().analyze(&Analysis::new("a")).unwrap();
        assert!((report.comparisons[0].difference - arm.absolute.effect).abs() < 1e-12);
        assert_eq!(found.judge(report.clone()).verdict, Verdict::Better);
        // At any time there would not be enough yet.
        let patient =
            StudyOptions { sequential: Some(Sequential::new(1e-6).unwrap()), alpha: 1e-6, ..OPTIONS };
        assert_eq!(study.analyze("a", &patient).unwrap().judge(report).verdict, Verdict::NoDifference);
    }

    #[test]
    fn what_cannot_be_studied_is_refused() {
        let mut study = Study::new();
        let unit = Unit { arm: "a", outcome: 1.0, covariate: None, segment: None, day: None };
        for broken in [Unit { outcome: f64::NAN, ..unit }, Unit { covariate: Some(f64::INFINITY), ..unit }] {
            assert!(matches!(study.push(broken), Err(AbTestError::Outcome { row: 0, .. })));
        }
        assert!(matches!(study.analyze("a", &OPTIONS), Err(AbTestError::UnknownControl { .. })));
        study.push(unit).unwrap();
        assert!(study.analyze("a", &OPTIONS).unwrap().arms.is_empty());
        assert!(study.analyze("a", &StudyOptions { alpha: f64::NAN, ..OPTIONS }).is_err());
    }
}
