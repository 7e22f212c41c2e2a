//! How recency, frequency and monetary become scores from 1 to 5.

use std::cmp::Reverse;

use crate::customers::CustomerTable;
use crate::error::RfmError;
use crate::ntile::tiles_of_five;

/// How values become scores from 1 to 5, 5 the best.
///
/// | | r | f | m |
/// |---|---|---|---|
/// | [`Default`](Scoring::Default) | NTILE(5) | cuts 2, 3, 4, 6 | NTILE(5) |
/// | [`Ntile`](Scoring::Ntile) | NTILE(5) | NTILE(5) | NTILE(5) |
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
/// have the scores 1 to n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scoring {
    /// R and M by NTILE(5); F 1, 2, 3, 4 and 5 for 1, 2, 3, 4 to 5, and 6 and more orders.
    ///
    /// Most customers of a shop order once or twice, and tiles of frequency would give equal customers unequal
    /// scores.
    #[default]
    Default,
    /// All three by NTILE(5).
    Ntile,
    /// All three by bounds of your own.
    Cuts(Cuts),
}

/// The bounds between scores: four for each measure, strictly ascending.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cuts {
    recency: [i32; 4],
    frequency: [i64; 4],
    monetary: [i128; 4],
}

impl Cuts {
    /// Returns the bounds; those of money are in units of the scale of `price`, cents where it has two
    /// decimals.
    ///
    /// # Errors
    /// [`RfmError::Cuts`] where four do not ascend strictly.
    ///
    /// # Examples
    /// ```
    /// use cip_rfm::Cuts;
    /// assert!(Cuts::new([7, 30, 90, 180], [2, 3, 4, 6], [10_00, 50_00, 100_00, 500_00]).is_ok());
    /// let error = Cuts::new([7, 30, 30, 180], [2, 3, 4, 6], [10_00, 50_00, 100_00, 500_00]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the recency cuts are [7, 30, 30, 180], expected four values, each greater than the one before",
    /// );
    /// ```
    pub fn new(recency: [i32; 4], frequency: [i64; 4], monetary: [i128; 4]) -> Result<Self, RfmError> {
        ascending("recency", recency.map(i128::from))?;
        ascending("frequency", frequency.map(i128::from))?;
        ascending("monetary", monetary)?;
        Ok(Self { recency, frequency, monetary })
    }
}

fn ascending(measure: &'static str, cuts: [i128; 4]) -> Result<(), RfmError> {
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
    pub(crate) fn score(self, customers: &CustomerTable) -> Scores {
        let CustomerTable { recency_days, frequency, monetary, .. } = customers;
        // A table has at most u32::MAX customers.
        let rows = customers.len() as u32;
        let by_recency = || tiles_of_five(rows, |row| Reverse(recency_days[row]));
        let by_monetary = || tiles_of_five(rows, |row| monetary[row]);
        match self {
            Self::Default => {
                Scores { r: by_recency(), f: above(&DEFAULT_FREQUENCY, frequency), m: by_monetary() }
            }
            Self::Ntile => {
                Scores { r: by_recency(), f: tiles_of_five(rows, |row| frequency[row]), m: by_monetary() }
            }
            Self::Cuts(cuts) => Scores {
                r: recency_days.iter().map(|days| 5 - count(&cuts.recency, |cut| cut < days)).collect(),
                f: above(&cuts.frequency, frequency),
                m: above(&cuts.monetary, monetary),
            },
        }
    }
}

/// 1, and one more for each cut that a value reaches.
fn above<T: Ord>(cuts: &[T; 4], values: &[T]) -> Vec<u8> {
    values.iter().map(|value| 1 + count(cuts, |cut| cut <= value)).collect()
}

fn count<T>(cuts: &[T; 4], test: impl Fn(&T) -> bool) -> u8 {
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
    }
}
