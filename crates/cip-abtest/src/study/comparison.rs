//! Each arm of a study against the control, in all the ways that were asked for.

use cip_core::{MICROS_PER_DAY, Timestamp};

use crate::arm_count::{ArmCount, check_level, proportion_difference};
use crate::bayes::{BetaPrior, NormalPrior};
use crate::bootstrap::{BootstrapDifference, Statistic};
use crate::contingency::ContingencyTable;
use crate::correction::Correction;
use crate::cuped::{Cuped, stratified};
use crate::error::AbTestError;
use crate::estimate::{ArmEstimate, EffectEstimate, EffectScale, Interval};
use crate::heterogeneity::Heterogeneity;
use crate::quantile::quantile_estimate;
use crate::rank::{RankTest, mann_whitney};
use crate::report::Verdict;
use crate::sample_ratio::SampleRatio;
use crate::score::{miettinen_nurminen, newcombe};
use crate::stability::{Trend, weekday_pattern};
use crate::study::findings::{
    ArmFinding, DayFinding, Finding, LookFinding, MetricKind, RateFinding, StudyFindings,
};
use crate::study::options::{Beliefs, DecidingTest, StudyOptions};
use crate::study::unit_sums::{Numbers, UnitSums};
use crate::study::{ArmUnits, Study};
use crate::trust::{Check, winsorised};

/// A study that is being looked at.
pub(crate) struct Comparing<'a> {
    study: &'a Study,
    options: &'a StudyOptions,
    base: usize,
    /// All arms, by name.
    order: Vec<usize>,
    kind: MetricKind,
    cuped: Option<Cuped>,
}

/// An arm and the control.
struct Pair {
    arm: usize,
    control: ArmEstimate,
    treated: ArmEstimate,
    effect: EffectEstimate,
}

impl<'a> Comparing<'a> {
    pub(crate) fn new(
        study: &'a Study,
        control: &str,
        options: &'a StudyOptions,
    ) -> Result<Self, AbTestError> {
        check_level("alpha", options.alpha)?;
        check_level("the level of checks", options.check_alpha)?;
        let base = study.position(control).ok_or_else(|| AbTestError::UnknownControl {
            control: control.into(),
            arms: study.arms().into_iter().map(Box::from).collect(),
        })?;
        let mut order: Vec<usize> = (0..study.arms.len()).collect();
        order.sort_by(|&a, &b| study.arms[a].name().cmp(study.arms[b].name()));
        let kind = match study.numbers {
            Some(Numbers::Ratio) => MetricKind::Ratio,
            // A mean that is adjusted by a ratio is a ratio over 1 a unit.
            Some(Numbers::AdjustedRatio) => MetricKind::Ratio,
            _ if options.quantile.is_some() => MetricKind::Quantile,
            _ if study.zero_or_one => MetricKind::Rate,
            _ => MetricKind::Mean,
        };
        let is_adjusted = matches!(study.numbers, Some(Numbers::AdjustedMean | Numbers::AdjustedRatio));
        let cuped = if is_adjusted {
            let moments = order.iter().map(|&arm| study.arms[arm].sums.moments(study.arms[arm].name()));
            Some(Cuped::fit(&moments.collect::<Result<Vec<_>, _>>()?)?)
        } else {
            None
        };
        let comparing = Self { study, options, base, order, kind, cuped };
        comparing.check()?;
        Ok(comparing)
    }

    /// Refuses options that make no sense of this metric.
    fn check(&self) -> Result<(), AbTestError> {
        let Self { study, options, kind, .. } = self;
        let adjusted = self.cuped.is_some() || study.strata.len() > 0;
        let whole = study.segments.len() == 0 && !adjusted;
        let rates = *kind == MetricKind::Rate && !adjusted;
        let plain = matches!(kind, MetricKind::Rate | MetricKind::Mean);
        let refused = [
            (options.quantile.is_some() && *kind != MetricKind::Quantile, "a quantile", "a number a unit"),
            (
                *kind == MetricKind::Quantile && !whole,
                "a segment, a covariate or a stratum",
                "means, rates and ratios",
            ),
            (study.strata.len() > 0 && !plain, "a stratum", "means and rates"),
            (
                options.bootstrap.is_some() && (adjusted || *kind == MetricKind::Ratio),
                "the bootstrap",
                "means and quantiles without a covariate and strata",
            ),
            (options.winsorise.is_some() && !plain, "the check of outliers", "means and rates"),
            (
                matches!(options.test, DecidingTest::Yates | DecidingTest::GTest | DecidingTest::Fisher)
                    && !rates,
                options.test.name(),
                "rates (outcomes 0 and 1) without a covariate and strata",
            ),
            (
                options.test == DecidingTest::MannWhitney && (*kind != MetricKind::Mean || adjusted),
                options.test.name(),
                "numbers other than 0 and 1 without a covariate and strata",
            ),
            (
                options.test != DecidingTest::Usual && options.sequential.is_some(),
                options.test.name(),
                "one look or of planned looks, not of any time",
            ),
            (options.look.is_some() && options.sequential.is_some(), "a planned look", "planned looks alone"),
        ];
        match refused.into_iter().find(|(refused, ..)| *refused) {
            Some((_, what, of)) => Err(AbTestError::NotOfThisMetric { what, of }),
            None => Ok(()),
        }
    }

    pub(crate) fn findings(&self) -> Result<StudyFindings, AbTestError> {
        let options = self.options;
        let mut pairs = Vec::new();
        for &arm in self.order.iter().filter(|&&arm| arm != self.base) {
            pairs.extend(self.pair(arm)?);
        }
        let mut p_values = Vec::new();
        for pair in &pairs {
            p_values.push(self.deciding(pair)?);
        }
        let adjusted = options.correction.adjust(&p_values.iter().map(|&(p, _)| p).collect::<Vec<_>>());
        let (mut arms, mut checks) = (Vec::new(), Vec::new());
        for ((pair, decided), adjusted_p_value) in pairs.iter().zip(&p_values).zip(adjusted) {
            if self.kind != MetricKind::Quantile {
                checks.extend(stability(&self.daily(pair)?, options.check_alpha));
            }
            checks.extend(self.outliers(pair)?);
            arms.push(self.arm(pair, *decided, adjusted_p_value, pairs.len())?);
        }
        checks.extend(self.ratio_by_group()?);
        Ok(StudyFindings {
            metric: self.kind,
            arms,
            theta: self.cuped.map(|cuped| cuped.theta()),
            variance_explained: self.cuped.map(|cuped| cuped.variance_explained()),
            checks,
        })
    }

    /// The arm with the control, where both have units enough.
    fn pair(&self, arm: usize) -> Result<Option<Pair>, AbTestError> {
        let found = if self.kind == MetricKind::Quantile {
            let estimate = |arm: usize| self.study.raw_estimate(arm, self.options.quantile);
            Some((estimate(self.base)?, estimate(arm)?))
        } else if self.study.strata.len() > 0 {
            self.stratified(arm)?
        } else {
            let sums = |arm: usize| Some(&self.study.arms[arm].sums);
            self.estimate(self.base, sums(self.base))?.zip(self.estimate(arm, sums(arm))?)
        };
        let Some((control, treated)) = found else { return Ok(None) };
        let effect = EffectEstimate::between(&control, &treated, EffectScale::Absolute)?;
        effect.check_spread(treated.arm())?;
        Ok(Some(Pair { arm, control, treated, effect }))
    }

    /// The estimate of an arm by these sums of its units; none below two of them.
    fn estimate(&self, arm: usize, sums: Option<&UnitSums>) -> Result<Option<ArmEstimate>, AbTestError> {
        let Some(sums) = sums.filter(|sums| sums.n() > 1) else { return Ok(None) };
        let name = self.study.arms[arm].name();
        let moments = sums.moments(name)?;
        match self.cuped {
            Some(cuped) => cuped.adjust(&moments).map(Some),
            None => {
                let variance = moments.covariances().map(|covariances| covariances[0][0]);
                ArmEstimate::from_variance(name, sums.n(), Some(moments.mean(0)), variance).map(Some)
            }
        }
    }

    fn stratified(&self, arm: usize) -> Result<Option<(ArmEstimate, ArmEstimate)>, AbTestError> {
        let (mut controls, mut arms) = (Vec::new(), Vec::new());
        for (stratum, sums) in self.study.strata.sorted() {
            let of = |arm: usize| sums.get(arm).and_then(Option::as_ref);
            let units = |arm: usize| of(arm).map_or(0, UnitSums::n);
            // A stratum of other arms has no part in this comparison.
            if units(self.base) == 0 && units(arm) == 0 {
                continue;
            }
            for (arm, estimates) in [(self.base, &mut controls), (arm, &mut arms)] {
                let estimate = self.estimate(arm, of(arm))?.ok_or_else(|| AbTestError::ThinStratum {
                    stratum: stratum.clone(),
                    arm: self.study.arms[arm].name().into(),
                    n: units(arm),
                })?;
                estimates.push(estimate);
            }
        }
        if arms.is_empty() { Ok(None) } else { stratified(&controls, &arms).map(Some) }
    }

    /// The effect in a group, where both arms have units enough and something to divide by.
    fn group_effect(
        &self,
        arm: usize,
        sums: &[Option<UnitSums>],
    ) -> Result<Option<EffectEstimate>, AbTestError> {
        let estimate = |arm: usize| match self.estimate(arm, sums.get(arm).and_then(Option::as_ref)) {
            Err(AbTestError::ZeroDenominator { .. }) => Ok(None),
            estimate => estimate,
        };
        match (estimate(self.base)?, estimate(arm)?) {
            (Some(a), Some(b)) => EffectEstimate::between(&a, &b, EffectScale::Absolute).map(Some),
            _ => Ok(None),
        }
    }

    /// The counts of control and arm, of rates.
    fn counts(&self, arm: usize) -> Option<(&'a ArmCount, &'a ArmCount)> {
        let counts = || (&self.study.arms[self.base].count, &self.study.arms[arm].count);
        (self.kind == MetricKind::Rate).then(counts)
    }

    /// The same where rates are compared as they are.
    fn plain_counts(&self, arm: usize) -> Option<(&'a ArmCount, &'a ArmCount)> {
        self.counts(arm).filter(|_| self.cuped.is_none() && self.study.strata.len() == 0)
    }

    fn ranks(&self, arm: usize) -> Result<RankTest, AbTestError> {
        let outcomes = |arm| self.study.kept.of(arm, DecidingTest::MannWhitney.name());
        mann_whitney(outcomes(self.base)?, outcomes(arm)?)
    }

    /// The p-value that decides, and whether the arm is the higher one.
    fn deciding(&self, pair: &Pair) -> Result<(f64, bool), AbTestError> {
        let higher = pair.effect.effect > 0.0;
        if let Some(sequential) = self.options.sequential {
            return Ok((sequential.test(&pair.effect).p_value, higher));
        }
        if self.options.test == DecidingTest::MannWhitney {
            let ranks = self.ranks(pair.arm)?;
            return Ok((ranks.p_value, ranks.superiority > 0.5));
        }
        let Some((control, arm)) = self.plain_counts(pair.arm) else {
            return Ok((pair.effect.p_value(), higher));
        };
        let rates = self.rates(control, arm)?;
        let p_value = match self.options.test {
            DecidingTest::Yates => rates.yates_p_value,
            DecidingTest::GTest => rates.g_p_value,
            DecidingTest::Fisher => rates.fisher_p_value,
            DecidingTest::Usual | DecidingTest::MannWhitney => rates.pearson_p_value,
        };
        Ok((p_value, higher))
    }

    fn rates(&self, control: &ArmCount, arm: &ArmCount) -> Result<RateFinding, AbTestError> {
        let alpha = self.options.alpha;
        let rows = [control, arm].map(|count| [count.successes(), count.n() - count.successes()]);
        // Where no unit or every unit succeeded, all tables are this one.
        let [yates, g, fisher] = match ContingencyTable::try_new(rows) {
            Ok(table) => [table.yates()?.p_value, table.g_test().p_value, table.fisher()?],
            Err(AbTestError::EmptyMargin { .. }) => [1.0; 3],
            Err(error) => return Err(error),
        };
        Ok(RateFinding {
            pearson_p_value: proportion_difference(control, arm, alpha)?.p_value,
            yates_p_value: yates,
            g_p_value: g,
            fisher_p_value: fisher,
            score_interval: miettinen_nurminen(control, arm, alpha)?,
            newcombe_interval: newcombe(control, arm, alpha)?,
        })
    }

    fn arm(
        &self,
        pair: &Pair,
        (deciding_p_value, higher): (f64, bool),
        adjusted_p_value: f64,
        comparisons: usize,
    ) -> Result<ArmFinding, AbTestError> {
        let (options, study) = (self.options, self.study);
        let Pair { arm, control, treated, effect } = pair;
        let counts = self.plain_counts(*arm);
        let relative = EffectEstimate::between(control, treated, EffectScale::Relative).ok();
        let mut absolute = finding(effect, options.alpha)?;
        let mut relative = relative.map(|relative| finding(&relative, options.alpha)).transpose()?;
        if let Some((a, b)) = counts {
            if let Some(interval) = options.rate_interval.difference(a, b, options.alpha)? {
                absolute.interval = interval;
            }
            if let Some(relative) = &mut relative
                && let Some(interval) = options.rate_interval.relative(a, b, options.alpha)?
            {
                relative.interval = interval;
            }
        }
        let belief = match (options.beliefs, counts) {
            (Beliefs::Silent, _) => None,
            (Beliefs::Told, Some((a, b))) => Some(BetaPrior::UNIFORM.belief(a, b, options.alpha)?),
            (Beliefs::Told, None) => Some(NormalPrior::FLAT.belief(effect, options.alpha)?),
        };
        let look = self.look(effect, deciding_p_value, comparisons)?;
        let found = match &look {
            Some(look) => look.crossed,
            None => adjusted_p_value < options.alpha,
        };
        let ranks = self.kind == MetricKind::Mean && study.kept.are_all();
        Ok(ArmFinding {
            arm: study.arms[*arm].name().into(),
            absolute,
            relative,
            deciding_p_value,
            adjusted_p_value,
            rates: self.counts(*arm).map(|(a, b)| self.rates(a, b)).transpose()?,
            ranks: if ranks { Some(self.ranks(*arm)?) } else { None },
            sequential: options.sequential.map(|sequential| sequential.test(effect)),
            look,
            bootstrap: self.bootstrap(*arm)?,
            belief,
            non_inferiority: options
                .non_inferiority
                .map(|margin| effect.non_inferiority(margin, options.alpha))
                .transpose()?,
            equivalence: options
                .equivalence
                .map(|margin| effect.equivalence(margin, options.alpha))
                .transpose()?,
            segments: self.by_segment(*arm)?,
            days: self.cumulative(pair)?,
            verdict: match (found, higher) {
                (true, true) => Verdict::Better,
                (true, false) => Verdict::Worse,
                (false, _) => Verdict::NoDifference,
            },
        })
    }

    /// This look, with its part of the level of all arms.
    fn look(
        &self,
        effect: &EffectEstimate,
        p_value: f64,
        comparisons: usize,
    ) -> Result<Option<LookFinding>, AbTestError> {
        let Some(planned) = &self.options.look else { return Ok(None) };
        let alpha = match self.options.correction {
            Correction::None => self.options.alpha,
            _ => self.options.alpha / comparisons as f64,
        };
        let at = planned.at(alpha)?;
        let (look, looks) = planned.place();
        let half = at.boundary * effect.standard_error;
        Ok(Some(LookFinding {
            look,
            looks,
            share: at.share,
            boundary: at.boundary,
            nominal_p: at.nominal_p,
            spent: at.spent,
            interval: Interval { low: effect.effect - half, high: effect.effect + half },
            crossed: p_value < at.nominal_p,
        }))
    }

    fn bootstrap(&self, arm: usize) -> Result<Option<BootstrapDifference>, AbTestError> {
        let Some(bootstrap) = self.options.bootstrap else { return Ok(None) };
        let statistic = self.options.quantile.map_or(Statistic::Mean, Statistic::Quantile);
        let outcomes = |arm| self.study.kept.of(arm, "the bootstrap");
        let found =
            bootstrap.difference(outcomes(self.base)?, outcomes(arm)?, statistic, self.options.alpha)?;
        Ok(Some(found))
    }

    fn by_segment(&self, arm: usize) -> Result<Option<Heterogeneity>, AbTestError> {
        let mut effects = Vec::new();
        for (segment, sums) in self.study.segments.sorted() {
            if let Some(effect) = self.group_effect(arm, sums)?
                && effect.standard_error > 0.0
            {
                effects.push((&**segment, effect));
            }
        }
        if effects.len() < 2 {
            return Ok(None);
        }
        Heterogeneity::of(&effects, self.options.alpha, self.options.correction).map(Some)
    }

    /// The effect of the units of each day.
    fn daily(&self, pair: &Pair) -> Result<Vec<(i64, EffectEstimate)>, AbTestError> {
        let mut effects = Vec::new();
        for (day, sums) in self.study.days.sorted() {
            effects.extend(self.group_effect(pair.arm, sums)?.map(|effect| (*day, effect)));
        }
        Ok(effects)
    }

    /// The effect of the units up to and on each day.
    fn cumulative(&self, pair: &Pair) -> Result<Vec<DayFinding>, AbTestError> {
        let (mut found, mut until): (_, Vec<Option<UnitSums>>) = (Vec::new(), Vec::new());
        if self.kind == MetricKind::Quantile {
            return Ok(found);
        }
        for (day, sums) in self.study.days.sorted() {
            until.resize(until.len().max(sums.len()), None);
            for (so_far, more) in until.iter_mut().zip(sums) {
                match (so_far, more) {
                    (Some(so_far), Some(more)) => so_far.merge(more)?,
                    (so_far @ None, Some(more)) => *so_far = Some(more.clone()),
                    (_, None) => {}
                }
            }
            if let Some(effect) = self.group_effect(pair.arm, &until)? {
                let interval = match self.options.sequential {
                    Some(sequential) => sequential.test(&effect).interval,
                    None => effect.interval(self.options.alpha)?,
                };
                found.push(DayFinding { day: *day, effect: effect.effect, interval });
            }
        }
        Ok(found)
    }

    /// The sample ratio of each day, and of each segment, against that of all together: whether any differs.
    fn ratio_by_group(&self) -> Result<Vec<Check>, AbTestError> {
        let study = self.study;
        let date = |day: i64| Timestamp::from_micros(day.saturating_mul(MICROS_PER_DAY)).to_string();
        let days = study.days.sorted().into_iter().map(|(day, sums)| (date(*day), sums));
        let segments = study.segments.sorted().into_iter().map(|(name, sums)| (name.to_string(), sums));
        let all: Vec<f64> = self.order.iter().map(|&arm| study.arms[arm].sums.n() as f64).collect();
        let mut checks = Vec::new();
        for (what, groups) in [("days", days.collect::<Vec<_>>()), ("segments", segments.collect())] {
            if groups.len() < 2 || study.arms.len() < 2 {
                continue;
            }
            let units: Vec<(&str, Vec<u64>)> = groups
                .iter()
                .map(|(group, sums)| {
                    let of = |arm: usize| sums.get(arm).and_then(Option::as_ref).map_or(0, UnitSums::n);
                    (group.as_str(), self.order.iter().map(|&arm| of(arm)).collect())
                })
                .collect();
            let units: Vec<(&str, &[u64])> =
                units.iter().map(|(group, units)| (*group, units.as_slice())).collect();
            let ratios = SampleRatio::by_group(&units, &all)?;
            checks.push(Check::sample_ratio_by_group(what, &ratios, self.options.check_alpha));
        }
        Ok(checks)
    }

    fn outliers(&self, pair: &Pair) -> Result<Option<Check>, AbTestError> {
        let Some(share) = self.options.winsorise else { return Ok(None) };
        let outcomes = |arm| self.study.kept.of(arm, "the check of outliers");
        let (control, treated) = (outcomes(self.base)?, outcomes(pair.arm)?);
        let effect = |control: &[f64], treated: &[f64]| {
            let estimate = |values: &[f64]| {
                let mut sums = UnitSums::new(Numbers::Mean);
                values.iter().try_for_each(|&value| sums.push([value, 1.0, 0.0, 1.0]))?;
                ArmEstimate::of_moments(&sums.moments("arm")?.metric().into())
            };
            EffectEstimate::between(&estimate(control)?, &estimate(treated)?, EffectScale::Absolute)
        };
        let cut = winsorised(&[control, treated], share)?;
        let (raw, cut) = (effect(control, treated)?, effect(&cut[0], &cut[1])?);
        Ok(Some(Check::outliers(&raw, &cut, self.options.alpha)))
    }
}

impl Study {
    /// The quantile of an arm's outcomes, or the mean or ratio of its units as they are.
    pub(crate) fn raw_estimate(&self, arm: usize, quantile: Option<f64>) -> Result<ArmEstimate, AbTestError> {
        let units: &ArmUnits = &self.arms[arm];
        if let Some(p) = quantile {
            return quantile_estimate(units.name(), self.kept.of(arm, "a quantile")?, p);
        }
        let moments = units.sums.moments(units.name())?;
        match moments.covariances() {
            None => ArmEstimate::of_few(units.name(), units.sums.n(), moments.mean(0)),
            Some(covariances) => ArmEstimate::from_variance(
                units.name(),
                units.sums.n(),
                Some(moments.mean(0)),
                Some(covariances[0][0]),
            ),
        }
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
