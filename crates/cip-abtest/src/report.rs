//! What an analysis found.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::trust::{Check, CheckStatus};

/// What an analysis found; made by [`Analysis`](crate::Analysis). It serialises to an object with these names; what
/// has no answer is none, and null there, never NaN.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The arms as they were given; an arm that only the weights name comes last.
    pub arms: Vec<ArmReport>,
    /// Pearson's chi-square of all arms that have units, without correction. None for means, and where fewer than
    /// two arms have units.
    pub chi2: Option<f64>,
    /// Welch's t. None for counts, and unless two arms were compared.
    pub t: Option<f64>,
    /// The degrees of freedom of `chi2` or `t`.
    #[serde(serialize_with = "as_whole_if_whole")]
    pub df: Option<f64>,
    /// The p-value of `chi2` or `t`.
    pub p_value: Option<f64>,
    /// The p-value of the chi-square with Yates' correction. Two arms only.
    pub p_value_yates: Option<f64>,
    /// Rate or mean of the arm minus that of the control. This and the next three: two arms only, see
    /// `comparisons`.
    pub difference: Option<f64>,
    /// The lower end of the confidence interval of `difference`.
    pub ci_low: Option<f64>,
    /// The upper end of the confidence interval of `difference`.
    pub ci_high: Option<f64>,
    /// `difference` over the control's rate or mean. None where that is 0.
    pub relative_lift: Option<f64>,
    /// Every other arm against the control; without the arms that have too few units.
    pub comparisons: Vec<Comparison>,
    /// The chi-square of the numbers of units against the expected shares.
    pub srm_chi2: f64,
    /// The p-value of `srm_chi2`; 0 where an arm that should have no units has some.
    pub srm_p_value: f64,
    /// Whether the result may be believed: the check of the sample ratio, and those that were added.
    pub checks: Vec<Check>,
    /// What a reader should know before relying on the rest.
    pub warnings: Vec<Warning>,
    /// The answer.
    pub verdict: Verdict,
}

impl Report {
    /// Returns the report with more checks. Where one failed the verdict is [`Verdict::Untrustworthy`], of all arms.
    #[must_use]
    pub fn with_checks(mut self, checks: impl IntoIterator<Item = Check>) -> Self {
        self.checks.extend(checks);
        if self.checks.iter().any(|check| check.status == CheckStatus::Failed) {
            self.verdict = Verdict::Untrustworthy;
            self.comparisons.iter_mut().for_each(|found| found.verdict = Verdict::Untrustworthy);
        }
        self
    }
}

/// An arm of a [`Report`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ArmReport {
    /// Its name.
    pub arm: Box<str>,
    /// Units.
    pub n: u64,
    /// Units that succeeded. None for means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successes: Option<u64>,
    /// The share that succeeded, or the mean. None without units.
    pub mean: Option<f64>,
}

/// An arm against the control.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The arm.
    pub arm: Box<str>,
    /// Its rate or mean minus that of the control.
    pub difference: f64,
    /// The lower end of the confidence interval of `difference`.
    pub ci_low: f64,
    /// The upper end of the confidence interval of `difference`.
    pub ci_high: f64,
    /// `difference` over the control's rate or mean. None where that is 0.
    pub relative_lift: Option<f64>,
    /// The pooled z of two proportions, or Welch's t.
    pub statistic: f64,
    /// The probability of a statistic as far from 0 or farther, where there is no difference.
    pub p_value: f64,
    /// The answer for this arm.
    pub verdict: Verdict,
}

/// The answer of an analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The arm is higher than the control. Of several arms: at least one is.
    Better,
    /// The arm is lower than the control. Of several arms: at least one is, and none is higher.
    Worse,
    /// No difference was found, which is not to say that there is none: see the confidence interval.
    NoDifference,
    /// A check failed, such as that of the sample ratio, or no arm could be compared: whatever was found may come from the
    /// way that units were assigned or lost.
    Untrustworthy,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::NoDifference => "no_difference",
            Self::Untrustworthy => "untrustworthy",
        })
    }
}

/// What a reader of a [`Report`] should know; serialises to its text.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// The arms do not have the expected shares of units.
    SampleRatio {
        /// The p-value of the check.
        p_value: f64,
        /// The level below which it is a mismatch.
        srm_alpha: f64,
    },
    /// An arm has no units.
    EmptyArm {
        /// The arm.
        arm: Box<str>,
    },
    /// An arm has a single unit, and so no variance.
    OneUnit {
        /// The arm.
        arm: Box<str>,
    },
    /// The chi-square distribution is a poor approximation: a cell has an expected count below 5 (Cochran 1954).
    SmallExpected {
        /// The smallest expected count of all cells.
        expected: f64,
    },
    /// No unit succeeded, or every unit, or all numbers of control and arm are the same.
    NoVariation {
        /// The arm.
        arm: Box<str>,
    },
    /// The control's rate or mean is 0, so that there is no relative lift.
    ZeroControl,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SampleRatio { p_value, srm_alpha } => write!(
                f,
                "the arms do not have the expected shares of units (p {p_value:.3e}, below {srm_alpha}): look for units \
                 that one arm loses before relying on any difference"
            ),
            Self::EmptyArm { arm } => write!(f, "arm `{arm}` has no units: it is not compared"),
            Self::OneUnit { arm } => {
                write!(f, "arm `{arm}` has one unit, and so no variance: it is not compared")
            }
            Self::SmallExpected { expected } => write!(
                f,
                "a cell expects {expected:.2} units, fewer than 5: the p-values are approximate, use Fisher's exact test"
            ),
            Self::NoVariation { arm } => write!(
                f,
                "every outcome of arm `{arm}` and of the control is the same: the interval has no width, and says nothing \
                 about what is rare"
            ),
            Self::ZeroControl => f.write_str("the control is at 0: there is no relative lift"),
        }
    }
}

impl Serialize for Warning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Degrees of freedom of a chi-square are a whole number, those of Welch are not.
fn as_whole_if_whole<S: Serializer>(df: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match df {
        Some(df) if df.fract() == 0.0 && *df < 9e15 => serializer.serialize_some(&(*df as u64)),
        df => df.serialize(serializer),
    }
}
