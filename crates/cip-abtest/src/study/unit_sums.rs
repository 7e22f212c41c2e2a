//! The sums of units, whichever numbers they have.

use crate::error::AbTestError;
use crate::joint_moments::{JointMoments, JointSums};

/// Which numbers the units have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// An outcome.
    Mean,
    /// An outcome and a covariate.
    AdjustedMean,
    /// A numerator and a denominator.
    Ratio,
    /// The same twice: of now, and of before.
    AdjustedRatio,
}

/// Sums of as many numbers a unit as there are, so that no sum is kept of what nobody gave.
#[derive(Debug, Clone)]
pub(crate) enum UnitSums {
    Mean(JointSums<1>),
    AdjustedMean(JointSums<2>),
    Ratio(JointSums<2>),
    AdjustedRatio(JointSums<4>),
}

impl UnitSums {
    pub(crate) fn new(numbers: Numbers) -> Self {
        match numbers {
            Numbers::Mean => Self::Mean(JointSums::new()),
            Numbers::AdjustedMean => Self::AdjustedMean(JointSums::new()),
            Numbers::Ratio => Self::Ratio(JointSums::new()),
            Numbers::AdjustedRatio => Self::AdjustedRatio(JointSums::new()),
        }
    }

    /// Bytes of the sums of units with these numbers.
    pub(crate) const fn bytes(numbers: Numbers) -> u64 {
        // A kilobyte for each of the K (K + 3) / 2 sums.
        match numbers {
            Numbers::Mean => 2 << 10,
            Numbers::AdjustedMean | Numbers::Ratio => 5 << 10,
            Numbers::AdjustedRatio => 14 << 10,
        }
    }

    /// Adds a unit: outcome, denominator, covariate and the denominator of the covariate, of which those are read that there
    /// are.
    pub(crate) fn push(&mut self, [y, x, before, over]: [f64; 4]) -> Result<(), AbTestError> {
        match self {
            Self::Mean(sums) => sums.push([y]),
            Self::AdjustedMean(sums) => sums.push([y, before]),
            Self::Ratio(sums) => sums.push([y, x]),
            Self::AdjustedRatio(sums) => sums.push([y, x, before, over]),
        }
    }

    /// Adds other units with the same numbers.
    pub(crate) fn merge(&mut self, other: &Self) -> Result<(), AbTestError> {
        match (self, other) {
            (Self::Mean(sums), Self::Mean(more)) => sums.merge(more),
            (Self::AdjustedMean(sums), Self::AdjustedMean(more)) | (Self::Ratio(sums), Self::Ratio(more)) => {
                sums.merge(more);
            }
            (Self::AdjustedRatio(sums), Self::AdjustedRatio(more)) => sums.merge(more),
            _ => return Err(AbTestError::MixedUnits { row: other.n() }),
        }
        Ok(())
    }

    pub(crate) const fn n(&self) -> u64 {
        match self {
            Self::Mean(sums) => sums.n(),
            Self::AdjustedMean(sums) | Self::Ratio(sums) => sums.n(),
            Self::AdjustedRatio(sums) => sums.n(),
        }
    }

    /// The moments of the metric and of the covariate, which is 0 where there is none.
    pub(crate) fn moments(&self, arm: &str) -> Result<JointMoments<2>, AbTestError> {
        match self {
            Self::Mean(sums) => Ok(sums.moments(arm)?.without_covariate()),
            Self::AdjustedMean(sums) => sums.moments(arm),
            Self::Ratio(sums) => Ok(sums.moments(arm)?.ratio()?.without_covariate()),
            Self::AdjustedRatio(sums) => sums.moments(arm)?.ratios(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: [[f64; 4]; 4] =
        [[1.0, 2.0, 3.0, 1.0], [4.0, 1.0, 2.0, 2.0], [0.0, 5.0, 7.0, 1.0], [2.5, 2.0, 0.0, 4.0]];

    #[test]
    fn the_metric_is_what_the_numbers_make() {
        for (numbers, metric, covariate) in [
            (Numbers::Mean, 7.5 / 4.0, 0.0),
            (Numbers::AdjustedMean, 7.5 / 4.0, 3.0),
            (Numbers::Ratio, 0.75, 0.0),
            (Numbers::AdjustedRatio, 0.75, 1.5),
        ] {
            let mut whole = UnitSums::new(numbers);
            UNITS.iter().for_each(|&unit| whole.push(unit).unwrap());
            let [mut left, mut right] = [UnitSums::new(numbers), UnitSums::new(numbers)];
            UNITS[..1].iter().for_each(|&unit| left.push(unit).unwrap());
            UNITS[1..].iter().for_each(|&unit| right.push(unit).unwrap());
            right.merge(&left).unwrap();
            let found = whole.moments("a").unwrap();
            assert_eq!((found.n(), found.means()), (4, Some([metric, covariate])), "{numbers:?}");
            assert_eq!(right.moments("a").unwrap(), found);
        }
        let mut mean = UnitSums::new(Numbers::Mean);
        assert!(mean.merge(&UnitSums::new(Numbers::Ratio)).is_err());
    }
}
