//! From the arms' summaries to a verdict.

use crate::arm_count::{ArmCount, check_level, proportion_difference};
use crate::arm_moments::{ArmMoments, welch};
use crate::contingency::{ChiSquare, ContingencyTable, checked_total};
use crate::error::AbTestError;
use crate::estimate::{ArmEstimate, EffectEstimate, EffectScale, Interval};
use crate::experiment::{Experiment, check_names, check_weights};
use crate::report::{ArmReport, Comparison, Report, Verdict, Warning};
use crate::sample_ratio::SampleRatio;
use crate::score::RateInterval;
use crate::trust::{Check, CheckStatus};

/// How the arms of an experiment are compared: with which control, at which levels, and what shares of units were
/// expected.
///
/// # Method
/// The verdict is that of the p-value at level alpha, .05 unless set otherwise (Fisher 1925). With k arms, each of
/// the k - 1 comparisons has level alpha / (k - 1), and its interval the confidence 1 - alpha / (k - 1)
/// (Bonferroni), so that the probability of any false finding stays below alpha. Where the numbers of units differ from the expected
/// shares (equal, unless set otherwise) with a p-value below `srm_alpha`, .01 unless set otherwise, the verdict is
/// [`Verdict::Untrustworthy`].
///
/// # Examples
/// ```
/// use cip_abtest::{Analysis, ArmCount, Verdict};
///
/// let day_7 = [ArmCount::new("gate 30", 44_700, 8_502)?, ArmCount::new("gate 40", 45_489, 8_279)?];
/// let analysis = Analysis::new("gate 30");
/// // More players are in gate 40 than half of them makes likely.
/// assert_eq!(analysis.proportions(&day_7)?.verdict, Verdict::Untrustworthy);
/// assert_eq!(analysis.with_srm_alpha(0.001)?.proportions(&day_7)?.verdict, Verdict::Worse);
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    control: Box<str>,
    alpha: f64,
    srm_alpha: f64,
    rate_interval: RateInterval,
    /// Equal ones where there are none.
    weights: Vec<(Box<str>, f64)>,
}

impl Analysis {
    /// Returns an analysis in which all arms are compared with the arm `control`, and expected to have equal shares
    /// of the units.
    pub fn new(control: impl Into<Box<str>>) -> Self {
        Self {
            control: control.into(),
            alpha: 0.05,
            srm_alpha: 0.01,
            rate_interval: RateInterval::Wald,
            weights: Vec::new(),
        }
    }

    /// Returns an analysis of an experiment, with its control, its level, and the shares that its assignment makes.
    pub fn of(experiment: &Experiment) -> Self {
        let weights =
            experiment.arms().iter().map(|arm| arm.name().into()).zip(experiment.shares()).collect();
        Self { weights, alpha: experiment.protocol().alpha(), ..Self::new(experiment.control()) }
    }

    /// The probability of a false finding that is allowed.
    pub const fn alpha(&self) -> f64 {
        self.alpha
    }

    /// The place of an arm among the weights; beyond all where it has none.
    pub(crate) fn place(&self, arm: &str) -> usize {
        self.weights.iter().position(|(known, _)| **known == *arm).unwrap_or(self.weights.len())
    }

    /// Sets the probability of a false finding that is allowed; without it .05.
    ///
    /// # Errors
    /// [`AbTestError::Level`] where it is not between 0 and 1.
    pub fn with_alpha(self, alpha: f64) -> Result<Self, AbTestError> {
        Ok(Self { alpha: check_level("alpha", alpha)?, ..self })
    }

    /// Sets the p-value below which the arms' numbers of units are a mismatch; without it .01.
    ///
    /// # Errors
    /// [`AbTestError::Level`] where it is not between 0 and 1.
    pub fn with_srm_alpha(self, srm_alpha: f64) -> Result<Self, AbTestError> {
        Ok(Self { srm_alpha: check_level("srm_alpha", srm_alpha)?, ..self })
    }

    /// Sets the interval around differences of rates; without it Wald's.
    #[must_use]
    pub fn with_rate_interval(self, rate_interval: RateInterval) -> Self {
        Self { rate_interval, ..self }
    }

    /// Sets the shares of units that the arms are expected to have, as weights of any sum.
    ///
    /// An arm that has a weight and is not among those analysed has no units. An arm with the weight 0 should have none: where
    /// it has, the sample ratio is a mismatch.
    ///
    /// # Errors
    /// [`AbTestError::TooFewArms`], [`AbTestError::BlankArm`], [`AbTestError::DuplicateArm`];
    /// [`AbTestError::Weight`] where a weight is not 0 or a positive number, or all are 0.
    pub fn with_weights<N: Into<Box<str>>>(
        self,
        weights: impl IntoIterator<Item = (N, f64)>,
    ) -> Result<Self, AbTestError> {
        let weights: Vec<(Box<str>, f64)> =
            weights.into_iter().map(|(arm, weight)| (arm.into(), weight)).collect();
        check_names(weights.iter().map(|(arm, _)| &**arm))?;
        // An arm that is not to have units may be named, with the weight 0.
        let expecting = weights.iter().filter(|(_, weight)| *weight != 0.0);
        let total = check_weights(expecting.map(|(arm, weight)| (&**arm, *weight)))?;
        match weights.first() {
            Some((arm, weight)) if total == 0.0 => {
                Err(AbTestError::Weight { arm: arm.clone(), weight: *weight })
            }
            _ => Ok(Self { weights, ..self }),
        }
    }

    /// Returns the comparison of arms whose units succeed or not.
    ///
    /// # Method
    /// Pearson's chi-square of all arms; for each arm but the control [`proportion_difference`].
    ///
    /// # Errors
    /// [`AbTestError::TooFewArms`], [`AbTestError::BlankArm`], [`AbTestError::DuplicateArm`],
    /// [`AbTestError::UnknownControl`]; [`AbTestError::UnexpectedArm`] where there are weights and an arm has none;
    /// [`AbTestError::NoUnits`], [`AbTestError::TooManyUnits`].
    pub fn proportions(&self, arms: &[ArmCount]) -> Result<Report, AbTestError> {
        let arms = self.complete(arms, ArmCount::arm, ArmCount::empty)?;
        let mut report = self.start(arms.iter().map(|count| ArmReport {
            arm: count.arm().into(),
            n: count.n(),
            successes: Some(count.successes()),
            mean: count.rate(),
        }))?;
        let filled: Vec<&ArmCount> = arms.iter().filter(|count| count.n() > 0).collect();
        if filled.len() >= 2 {
            let rows: Vec<[u64; 2]> =
                filled.iter().map(|count| [count.successes(), count.n() - count.successes()]).collect();
            let two = rows.len() == 2 && arms.len() == 2;
            let (pearson, yates) = match ContingencyTable::try_new(&rows) {
                Ok(table) => {
                    let expected = table.expected().fold(f64::INFINITY, f64::min);
                    if expected < 5.0 {
                        report.warnings.push(Warning::SmallExpected { expected });
                    }
                    (table.pearson(), if two { Some(table.yates()?.p_value) } else { None })
                }
                // Where no unit or every unit succeeded, the counts are all as expected.
                Err(AbTestError::EmptyMargin { .. }) => {
                    (ChiSquare::new(0.0, rows.len() as u64 - 1), two.then_some(1.0))
                }
                Err(error) => return Err(error),
            };
            report.chi2 = Some(pearson.statistic);
            report.df = Some(pearson.df as f64);
            report.p_value = Some(pearson.p_value);
            report.p_value_yates = yates;
        }
        let control = self.find(&arms, ArmCount::arm)?;
        for &arm in filled.iter().filter(|arm| arm.arm() != &*self.control && control.n() > 0) {
            let alpha = self.family_alpha(arms.len());
            let found = proportion_difference(control, arm, alpha)?;
            let wald = Interval { low: found.ci_low, high: found.ci_high };
            let interval = self.rate_interval.difference(control, arm, alpha)?.unwrap_or(wald);
            if [0, control.n() + arm.n()].contains(&(control.successes() + arm.successes())) {
                report.warnings.push(Warning::NoVariation { arm: arm.arm().into() });
            }
            report.comparisons.push(Comparison {
                arm: arm.arm().into(),
                difference: found.difference,
                ci_low: interval.low,
                ci_high: interval.high,
                relative_lift: lift(found.difference, control.rate()),
                statistic: found.z,
                p_value: found.p_value,
                verdict: self.verdict(found.difference, found.p_value, arms.len()),
            });
        }
        Ok(self.conclude(report, control.rate()))
    }

    /// Returns the comparison of arms whose units have numbers.
    ///
    /// # Method
    /// For each arm but the control [`welch`]. There is no test of all arms together.
    ///
    /// # Errors
    /// As [`Analysis::proportions`], and [`AbTestError::NoSpread`] and [`AbTestError::OutcomeRange`] of [`welch`].
    pub fn means(&self, arms: &[ArmMoments]) -> Result<Report, AbTestError> {
        let arms = self.complete(arms, ArmMoments::arm, ArmMoments::empty)?;
        let mut report = self.start(arms.iter().map(|moments| ArmReport {
            arm: moments.arm().into(),
            n: moments.n(),
            successes: None,
            mean: moments.mean(),
        }))?;
        for moments in arms.iter().filter(|moments| moments.n() == 1) {
            report.warnings.push(Warning::OneUnit { arm: moments.arm().into() });
        }
        let control = self.find(&arms, ArmMoments::arm)?;
        for arm in arms.iter().filter(|arm| arm.arm() != &*self.control && arm.n() > 1 && control.n() > 1) {
            let found = welch(control, arm, self.family_alpha(arms.len()))?;
            if found.standard_error == 0.0 {
                report.warnings.push(Warning::NoVariation { arm: arm.arm().into() });
            }
            if arms.len() == 2 {
                report.t = Some(found.t);
                report.df = Some(found.df);
                report.p_value = Some(found.p_value);
            }
            report.comparisons.push(Comparison {
                arm: arm.arm().into(),
                difference: found.difference,
                ci_low: found.ci_low,
                ci_high: found.ci_high,
                relative_lift: lift(found.difference, control.mean()),
                statistic: found.t,
                p_value: found.p_value,
                verdict: self.verdict(found.difference, found.p_value, arms.len()),
            });
        }
        Ok(self.conclude(report, control.mean()))
    }

    /// Returns the comparison of arms of which the value and its standard error are known: ratios, quantiles, or whatever
    /// [`ArmEstimate`] holds.
    ///
    /// # Method
    /// For each arm but the control [`EffectEstimate::between`], absolute. There is no test of all arms together.
    ///
    /// # Errors
    /// As [`Analysis::proportions`], and [`AbTestError::OutcomeRange`]; [`AbTestError::NoSpread`] where arms without a standard
    /// error differ.
    pub fn estimates(&self, arms: &[ArmEstimate]) -> Result<Report, AbTestError> {
        let arms = self.complete(arms, ArmEstimate::arm, ArmEstimate::empty)?;
        let level = |arm: &ArmEstimate| (arm.n() > 0).then_some(arm.value());
        let mut report = self.start(arms.iter().map(|arm| ArmReport {
            arm: arm.arm().into(),
            n: arm.n(),
            successes: None,
            mean: level(arm),
        }))?;
        for arm in arms.iter().filter(|arm| arm.n() == 1) {
            report.warnings.push(Warning::OneUnit { arm: arm.arm().into() });
        }
        let control = self.find(&arms, ArmEstimate::arm)?;
        for arm in arms.iter().filter(|arm| arm.arm() != &*self.control && arm.n() > 1 && control.n() > 1) {
            let found = EffectEstimate::between(control, arm, EffectScale::Absolute)?;
            let interval = found.interval(self.family_alpha(arms.len()))?;
            found.check_spread(arm.arm())?;
            if found.standard_error == 0.0 {
                report.warnings.push(Warning::NoVariation { arm: arm.arm().into() });
            }
            report.comparisons.push(Comparison {
                arm: arm.arm().into(),
                difference: found.effect,
                ci_low: interval.low,
                ci_high: interval.high,
                relative_lift: lift(found.effect, level(control)),
                statistic: found.statistic(),
                p_value: found.p_value(),
                verdict: self.verdict(found.effect, found.p_value(), arms.len()),
            });
        }
        if let ([only], 2) = (&report.comparisons[..], arms.len()) {
            report.p_value = Some(only.p_value);
        }
        Ok(self.conclude(report, level(control)))
    }

    /// The arms, and those that only the weights name.
    fn complete<A: Clone>(
        &self,
        arms: &[A],
        name: impl Fn(&A) -> &str,
        empty: impl Fn(&str) -> A,
    ) -> Result<Vec<A>, AbTestError> {
        let mut all = arms.to_vec();
        for (arm, weight) in &self.weights {
            if *weight > 0.0 && arms.iter().all(|known| name(known) != &**arm) {
                all.push(empty(arm));
            }
        }
        check_names(all.iter().map(&name))?;
        let weighted = |arm: &str| self.weights.iter().any(|(known, _)| &**known == arm);
        if let Some(arm) = all.iter().map(&name).find(|arm| !self.weights.is_empty() && !weighted(arm)) {
            let arms = self.weights.iter().map(|(arm, _)| arm.clone()).collect();
            return Err(AbTestError::UnexpectedArm { arm: arm.into(), arms });
        }
        self.find(&all, name)?;
        Ok(all)
    }

    fn find<'a, A>(&self, arms: &'a [A], name: impl Fn(&A) -> &str) -> Result<&'a A, AbTestError> {
        arms.iter().find(|arm| name(arm) == &*self.control).ok_or_else(|| AbTestError::UnknownControl {
            control: self.control.clone(),
            arms: arms.iter().map(|arm| name(arm).into()).collect(),
        })
    }

    /// A report with the arms and the check of their shares.
    fn start(&self, arms: impl Iterator<Item = ArmReport>) -> Result<Report, AbTestError> {
        let arms: Vec<ArmReport> = arms.collect();
        let units: Vec<u64> = arms.iter().map(|arm| arm.n).collect();
        if checked_total(units.iter().copied())? == 0 {
            return Err(AbTestError::NoUnits);
        }
        let weight = |arm: &ArmReport| {
            self.weights.iter().find(|(known, _)| *known == arm.arm).map_or(1.0, |(_, weight)| *weight)
        };
        let weights: Vec<f64> = arms.iter().map(weight).collect();
        let srm = SampleRatio::of(&units, &weights)?;
        let check = Check::sample_ratio(&srm, self.srm_alpha);
        let mut warnings = Vec::new();
        let mut verdict = Verdict::NoDifference;
        if check.status == CheckStatus::Failed {
            warnings.push(Warning::SampleRatio { p_value: srm.p_value, srm_alpha: self.srm_alpha });
            verdict = Verdict::Untrustworthy;
        }
        let empty = arms.iter().zip(&weights).filter(|(arm, weight)| arm.n == 0 && **weight > 0.0);
        let empty = empty.map(|(arm, _)| arm);
        warnings.extend(empty.map(|arm| Warning::EmptyArm { arm: arm.arm.clone() }));
        Ok(Report {
            arms,
            chi2: None,
            t: None,
            df: None,
            p_value: None,
            p_value_yates: None,
            difference: None,
            ci_low: None,
            ci_high: None,
            relative_lift: None,
            comparisons: Vec::new(),
            checks: vec![check],
            srm_chi2: srm.chi2,
            srm_p_value: srm.p_value,
            warnings,
            verdict,
        })
    }

    /// Fills in what follows from the comparisons.
    fn conclude(&self, mut report: Report, control: Option<f64>) -> Report {
        if control == Some(0.0) {
            report.warnings.push(Warning::ZeroControl);
        }
        if let ([only], 2) = (&report.comparisons[..], report.arms.len()) {
            report.difference = Some(only.difference);
            report.ci_low = Some(only.ci_low);
            report.ci_high = Some(only.ci_high);
            report.relative_lift = only.relative_lift;
        }
        if report.verdict == Verdict::Untrustworthy {
            for comparison in &mut report.comparisons {
                comparison.verdict = Verdict::Untrustworthy;
            }
        } else {
            let any = |verdict| report.comparisons.iter().any(|comparison| comparison.verdict == verdict);
            report.verdict = if report.comparisons.is_empty() {
                Verdict::Untrustworthy
            } else if any(Verdict::Better) {
                Verdict::Better
            } else if any(Verdict::Worse) {
                Verdict::Worse
            } else {
                Verdict::NoDifference
            };
        }
        report
    }

    /// The level of each of the comparisons of `arms` arms.
    fn family_alpha(&self, arms: usize) -> f64 {
        self.alpha / (arms.max(2) - 1) as f64
    }

    fn verdict(&self, difference: f64, p_value: f64, arms: usize) -> Verdict {
        if p_value < self.family_alpha(arms) {
            if difference > 0.0 { Verdict::Better } else { Verdict::Worse }
        } else {
            Verdict::NoDifference
        }
    }
}

/// The difference over the control's level, where that is a number to divide by.
fn lift(difference: f64, control: Option<f64>) -> Option<f64> {
    control.map(|control| difference / control).filter(|lift| lift.is_finite())
}
