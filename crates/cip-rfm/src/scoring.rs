//! How recency, frequency and monetary become scores.

use std::cmp::Reverse;
use std::ops::RangeInclusive;

use crate::customers::CustomerTable;
use crate::error::RfmError;
use crate::ntile::{Ties, ntile};

/// How values become scores, the greatest the best: 1 to 5, or to another number of bins.
///
/// | | r | f | m |
/// |---|---|---|---|
/// | [`Default`](Scoring::Default) | NTILE(5) | cuts 2, 3, 4, 6 | NTILE(5) |
/// | [`Ntile`](Scoring::Ntile) | NTILE(5) | NTILE(5) | NTILE(5) |
/// | [`Quantiles`](Scoring::Quantiles) | NTILE(n) | NTILE(n) | NTILE(n) |
/// | [`Cuts`](Scoring::Cuts) | your cuts | your cuts | your cuts |
///
/// NTILE(5) is SQL's, the tile is the score, and equal values are told apart by user_id, so that the result is
/// the same in every engine:
///
/// ```sql
/// NTILE(5) OVER (ORDER BY recency_days DESC, user_id) AS r,
/// NTILE(5) OVER (ORDER BY frequency, user_id)         AS f,
/// NTILE(5) OVER (ORDER BY monetary, user_id)          AS m
/// ```
///
/// The tiles have equal numbers of customers, and the first `n % 5` tiles one more; fewer than five customers
/// have the scores 1 to n. [`Quantiles`] can keep equal customers together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Scoring {
    /// R and M by NTILE(5); F 1, 2, 3, 4 and 5 for 1, 2, 3, 4 to 5, and 6 and more orders.
    ///
    /// Most customers of a shop order once or twice, and tiles of frequency would give equal customers unequal
    /// scores.
    #[default]
    Default,
    /// All three by NTILE(5).
    Ntile,
    /// All three by NTILE of another number of bins, or with another rule for ties.
    Quantiles(Quantiles),
    /// All three by bounds of your own.
    Cuts(Cuts),
}

/// Bins of equal numbers of customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quantiles {
    bins: u8,
    ties: Ties,
}

/// The fewest and the most bins.
const BINS: RangeInclusive<usize> = 3..=10;

impl Quantiles {
    /// Returns so many bins, with a rule for equal customers.
    ///
    /// # Errors
    /// [`RfmError::Bins`] unless there are 3 to 10.
    ///
    /// # Examples
    /// ```
    /// use cip_rfm::{Quantiles, Ties};
    /// assert!(Quantiles::new(10, Ties::Together).is_ok());
    /// assert_eq!(Quantiles::new(2, Ties::Together).unwrap_err().to_string(), "there are 2 bins, expected 3 to 10");
    /// ```
    pub fn new(bins: u8, ties: Ties) -> Result<Self, RfmError> {
        if BINS.contains(&usize::from(bins)) { Ok(Self { bins, ties }) } else { Err(RfmError::Bins { bins }) }
    }
}

/// The bounds between scores: two to nine for each measure, as many for all, strictly ascending. Four make five scores:
///
/// | score | recency (days) | frequency | monetary |
/// |---|---|---|---|
/// | 1 | above c3 | below c0 | below c0 |
/// | 2 | above c2, up to c3 | c0 up to below c1 | c0 up to below c1 |
/// | 3 | above c1, up to c2 | c1 up to below c2 | c1 up to below c2 |
/// | 4 | above c0, up to c1 | c2 up to below c3 | c2 up to below c3 |
/// | 5 | up to c0 | c3 and more | c3 and more |
///
/// In words: a cut of recency is the last number of days that still has the better score, a cut of frequency or
/// monetary the first value that has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cuts {
    recency: Vec<i32>,
    frequency: Vec<i64>,
    monetary: Vec<i128>,
}

impl Cuts {
    /// Returns the bounds; those of money are in units of the scale of `price`, cents where it has two
    /// decimals.
    ///
    /// # Errors
    /// [`RfmError::Cuts`] where they do not ascend strictly, [`RfmError::CutCounts`] where there are not two to nine of each, and as many
    /// of each.
    ///
    /// # Examples
    /// ```
    /// use cip_rfm::Cuts;
    /// assert!(Cuts::new([7, 30, 90, 180], [2, 3, 4, 6], [10_00, 50_00, 100_00, 500_00]).is_ok());
    /// let error = Cuts::new([7, 30, 30, 180], [2, 3, 4, 6], [10_00, 50_00, 100_00, 500_00]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the recency cuts are [7, 30, 30, 180], expected each greater than the one before",
    /// );
    /// ```
    pub fn new(
        recency: impl Into<Vec<i32>>,
        frequency: impl Into<Vec<i64>>,
        monetary: impl Into<Vec<i128>>,
    ) -> Result<Self, RfmError> {
        let cuts = Self { recency: recency.into(), frequency: frequency.into(), monetary: monetary.into() };
        let counts = [cuts.recency.len(), cuts.frequency.len(), cuts.monetary.len()];
        if counts.iter().any(|count| !BINS.contains(&(count + 1)) || *count != counts[0]) {
            return Err(RfmError::CutCounts { counts });
        }
        ascending("recency", cuts.recency.iter().copied())?;
        ascending("frequency", cuts.frequency.iter().copied())?;
        ascending("monetary", cuts.monetary.iter().copied())?;
        Ok(cuts)
    }
}

fn ascending<T: Into<i128>>(measure: &'static str, cuts: impl Iterator<Item = T>) -> Result<(), RfmError> {
    let cuts: Vec<i128> = cuts.map(Into::into).collect();
    if cuts.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err(RfmError::Cuts { measure, cuts }) }
}

/// Cuts of frequency for 1, 2, 3, 4 to 5, and 6 and more.
const DEFAULT_FREQUENCY: [i64; 4] = [2, 3, 4, 6];

/// The scores of every customer.
#[derive(Debug)]
pub(crate) struct Scores {
    pub(crate) r: Vec<u8>,
    pub(crate) f: Vec<u8>,
    pub(crate) m: Vec<u8>,
}

impl Scoring {
    /// The greatest score.
    pub fn bins(&self) -> u8 {
        match self {
            Self::Default | Self::Ntile => 5,
            Self::Quantiles(quantiles) => quantiles.bins,
            // There are at most ten.
            Self::Cuts(cuts) => cuts.recency.len() as u8 + 1,
        }
    }

    pub(crate) fn score(&self, customers: &CustomerTable) -> Scores {
        let CustomerTable { recency_days, frequency, monetary, .. } = customers;
        // A table has at most u32::MAX customers.
        let rows = customers.len() as u32;
        let by_quantiles = |Quantiles { bins, ties }| Scores {
            r: ntile(rows, bins, ties, |row| Reverse(recency_days[row])),
            f: ntile(rows, bins, ties, |row| frequency[row]),
            m: ntile(rows, bins, ties, |row| monetary[row]),
        };
        match self {
            Self::Default => Scores {
                r: ntile(rows, 5, Ties::ByUser, |row| Reverse(recency_days[row])),
                f: above(&DEFAULT_FREQUENCY, frequency),
                m: ntile(rows, 5, Ties::ByUser, |row| monetary[row]),
            },
            Self::Ntile => by_quantiles(Quantiles { bins: 5, ties: Ties::ByUser }),
            Self::Quantiles(quantiles) => by_quantiles(*quantiles),
            Self::Cuts(cuts) => Scores {
                r: recency_days
                    .iter()
                    .map(|days| self.bins() - count(&cuts.recency, |cut| cut < days))
                    .collect(),
                f: above(&cuts.frequency, frequency),
                m: above(&cuts.monetary, monetary),
            },
        }
    }
}

/// 1, and one more for each cut that a value reaches.
fn above<T: Ord>(cuts: &[T], values: &[T]) -> Vec<u8> {
    values.iter().map(|value| 1 + count(cuts, |cut| cut <= value)).collect()
}

fn count<T>(cuts: &[T], test: impl Fn(&T) -> bool) -> u8 {
    cuts.iter().map(|cut| u8::from(test(cut))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_cuts_of_frequency() {
        let scores = above(&DEFAULT_FREQUENCY, &[1, 2, 3, 4, 5, 6, 7, 1_000]);
        assert_eq!(scores, [1, 2, 3, 4, 4, 5, 5, 5]);
    }

    #[test]
    fn every_measure_must_ascend() {
        let (days, orders, money) = ([-1, 0, 1, 2], [1, 2, 3, 4], [-5, 0, 5, i128::MAX]);
        assert!(Cuts::new(days, orders, money).is_ok());
        let measure = |cuts: Result<Cuts, RfmError>| match cuts.unwrap_err() {
            RfmError::Cuts { measure, .. } => measure,
            error => panic!("{error}"),
        };
        assert_eq!(measure(Cuts::new([0, 1, 2, 2], orders, money)), "recency");
        assert_eq!(measure(Cuts::new(days, [4, 3, 2, 1], money)), "frequency");
        assert_eq!(measure(Cuts::new(days, orders, [0, 0, 1, 2])), "monetary");
        let error = Cuts::new([1, 2], [1, 2, 3], [1, 2]).unwrap_err().to_string();
        assert_eq!(
            error,
            "there are [2, 3, 2] cuts of recency, frequency and monetary, expected 2 to 9, as many of each"
        );
        assert!(Cuts::new([1], [1], [1]).is_err() && Cuts::new([1, 2], [1, 2], [1, 2]).is_ok());
        let nine: Vec<i32> = (0..9).collect();
        let cuts = Cuts::new(
            nine.clone(),
            nine.iter().map(|&cut| cut.into()).collect::<Vec<_>>(),
            (0..9).collect::<Vec<_>>(),
        );
        assert_eq!(Scoring::Cuts(cuts.unwrap()).bins(), 10);
    }
}
