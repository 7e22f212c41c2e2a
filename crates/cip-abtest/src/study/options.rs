//! How a study is looked at.

use crate::bootstrap::Bootstrap;
use crate::correction::Correction;
use crate::error::AbTestError;
use crate::group_sequential::{GroupSequential, Look, Spending};
use crate::score::RateInterval;
use crate::sequential::Sequential;

/// How a [`Study`](crate::Study) is looked at. The default is one look at alpha .05, checks at .01, Bonferroni's correction, and nothing
/// else.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyOptions {
    /// The allowed probability of a false finding.
    pub alpha: f64,
    /// The level of checks.
    pub check_alpha: f64,
    /// How p-values of several arms, and of several segments, are adjusted.
    pub correction: Correction,
    /// The test whose p-value decides, of one look.
    pub test: DecidingTest,
    /// The interval around differences of rates.
    pub rate_interval: RateInterval,
    /// With which the arms are compared by this quantile instead of the mean.
    pub quantile: Option<f64>,
    /// With which the verdict is one at any time; without it for one look.
    pub sequential: Option<Sequential>,
    /// With which the verdict is that of one of several planned looks.
    pub look: Option<PlannedLook>,
    /// With which means or quantiles are resampled.
    pub bootstrap: Option<Bootstrap>,
    /// Whether beliefs are told as well.
    pub beliefs: Beliefs,
    /// The margin by which the arm may be worse.
    pub non_inferiority: Option<f64>,
    /// The margin by which the arms may differ.
    pub equivalence: Option<f64>,
    /// The share of outcomes that are no outliers, for the check of these.
    pub winsorise: Option<f64>,
}

impl Default for StudyOptions {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            check_alpha: 0.01,
            correction: Correction::Bonferroni,
            test: DecidingTest::Usual,
            rate_interval: RateInterval::Wald,
            quantile: None,
            sequential: None,
            look: None,
            bootstrap: None,
            beliefs: Beliefs::Silent,
            non_inferiority: None,
            equivalence: None,
            winsorise: None,
        }
    }
}

/// The test whose p-value decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DecidingTest {
    /// Pearson's chi-square of rates; of all else, and of what is adjusted, the effect over its standard error.
    #[default]
    Usual,
    /// Pearson's chi-square of rates with Yates' correction.
    Yates,
    /// The likelihood-ratio test of rates.
    GTest,
    /// Fisher's exact test of rates.
    Fisher,
    /// The Mann-Whitney test of numbers.
    MannWhitney,
}

impl DecidingTest {
    /// Its name, where it is not the usual one.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Usual => "the usual test",
            Self::Yates => "Yates' correction",
            Self::GTest => "the G test",
            Self::Fisher => "Fisher's exact test",
            Self::MannWhitney => "the Mann-Whitney test",
        }
    }
}

/// Whether beliefs are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beliefs {
    /// They are not.
    Silent,
    /// They are: from a uniform prior of rates, and a flat prior of other effects.
    Told,
}

/// One of several looks that were planned before the experiment.
///
/// # Examples
/// ```
/// use cip_abtest::{PlannedLook, Spending};
/// let second = PlannedLook::equally_spaced(4, 2, Spending::ObrienFleming)?;
/// assert!(PlannedLook::equally_spaced(4, 5, Spending::Pocock).is_err());
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedLook {
    shares: Vec<f64>,
    look: usize,
    spending: Spending,
}

impl PlannedLook {
    /// Returns the look `look`, from 1, of those at these shares of the units.
    ///
    /// # Errors
    /// [`AbTestError::Looks`] where the shares do not rise to 1, [`AbTestError::UnplannedLook`].
    pub fn new(shares: &[f64], look: usize, spending: Spending) -> Result<Self, AbTestError> {
        // Whether they rise is seen at any level.
        GroupSequential::new(shares, spending, 0.05)?;
        if !(1..=shares.len()).contains(&look) {
            return Err(AbTestError::UnplannedLook { look, looks: shares.len() });
        }
        Ok(Self { shares: shares.to_vec(), look, spending })
    }

    /// Returns the look `look`, from 1, of `looks` at equal distances.
    ///
    /// # Errors
    /// As [`PlannedLook::new`].
    pub fn equally_spaced(looks: u32, look: usize, spending: Spending) -> Result<Self, AbTestError> {
        let shares: Vec<f64> = (1..=looks).map(|look| f64::from(look) / f64::from(looks)).collect();
        Self::new(&shares, look, spending)
    }

    /// Which look it is, and of how many.
    pub(crate) const fn place(&self) -> (usize, usize) {
        (self.look, self.shares.len())
    }

    /// The look, where all of them together find something by chance with probability `alpha`.
    pub(crate) fn at(&self, alpha: f64) -> Result<Look, AbTestError> {
        let design = GroupSequential::new(&self.shares, self.spending, alpha)?;
        let (look, looks) = self.place();
        design.looks().get(look - 1).copied().ok_or(AbTestError::UnplannedLook { look, looks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_one_of_those_planned() {
        let look = PlannedLook::new(&[0.25, 0.5, 0.75, 1.0], 2, Spending::ObrienFleming).unwrap();
        // As the example of `GroupSequential`.
        assert_eq!(format!("{:.3}", look.at(0.05).unwrap().boundary), "2.963");
        assert_eq!(PlannedLook::equally_spaced(4, 2, Spending::ObrienFleming).unwrap(), look);
        for wrong in [0, 5] {
            let error = PlannedLook::equally_spaced(4, wrong, Spending::Pocock).unwrap_err().to_string();
            assert_eq!(error, format!("look {wrong} of 4, expected 1 to 4"));
        }
        assert!(PlannedLook::new(&[0.5, 0.4, 1.0], 1, Spending::Pocock).is_err());
        assert!(PlannedLook::new(&[f64::NAN], 1, Spending::Pocock).is_err());
        assert!(look.at(f64::NAN).is_err());
    }
}
