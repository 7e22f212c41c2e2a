//! What a study found, in numbers and verdicts.

use serde::Serialize;

use crate::bayes::Belief;
use crate::bootstrap::BootstrapDifference;
use crate::estimate::{Interval, MarginTest};
use crate::heterogeneity::Heterogeneity;
use crate::rank::RankTest;
use crate::report::{Report, Verdict};
use crate::sequential::SequentialTest;
use crate::trust::Check;

/// What the arms are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// The share of units that succeed: every outcome is 0 or 1.
    Rate,
    /// The mean of a number a unit.
    Mean,
    /// The sum of a number over the sum of another.
    Ratio,
    /// A quantile of a number a unit.
    Quantile,
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
    /// The p-value that decides: of which test, see [`StudyOptions::test`](crate::StudyOptions::test).
    pub deciding_p_value: f64,
    /// The same of other tests of rates. Of 0 and 1 alone.
    #[serde(flatten)]
    pub rates: Option<RateFinding>,
    /// The Mann-Whitney test. Of other numbers.
    pub ranks: Option<RankTest>,
    /// At this look of many.
    pub sequential: Option<SequentialTest>,
    /// At this look of those planned.
    pub look: Option<LookFinding>,
    /// The difference by resampling.
    pub bootstrap: Option<BootstrapDifference>,
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

/// What tests of rates say beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RateFinding {
    /// Pearson's chi-square of the two arms, which is that of the pooled z.
    pub pearson_p_value: f64,
    /// The same with Yates' correction.
    pub yates_p_value: f64,
    /// The likelihood-ratio test.
    pub g_p_value: f64,
    /// Fisher's exact test.
    pub fisher_p_value: f64,
    /// The difference by Miettinen and Nurminen's score interval.
    pub score_interval: Interval,
    /// The difference by Newcombe's interval.
    pub newcombe_interval: Interval,
}

/// A look among those planned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LookFinding {
    /// Which look it is, from 1.
    pub look: usize,
    /// How many are planned.
    pub looks: usize,
    /// The share of the units that were to be in.
    pub share: f64,
    /// How many standard errors from 0 the effect is a finding at this look.
    pub boundary: f64,
    /// The same as a p-value.
    pub nominal_p: f64,
    /// The part of alpha spent so far.
    pub spent: f64,
    /// The repeated confidence interval: the effect, and as many standard errors either way.
    pub interval: Interval,
    /// Whether the boundary is crossed.
    pub crossed: bool,
}

/// What was found of all arms.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StudyFindings {
    /// What the arms are compared by.
    pub metric: MetricKind,
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
