//! How often something took how many seconds: exact means and medians that add up.

use std::collections::BTreeMap;

/// Counts of durations in whole seconds.
///
/// # Method
/// One count for each different number of seconds, so that the median is exact and the counts of parts add up, in whatever
/// order. Memory is bounded by the different durations: a day has 86,401.
///
/// # Examples
/// ```
/// use cip_sessionize::DurationCounts;
/// let mut counts = DurationCounts::default();
/// for seconds in [10, 10, 30, 90] {
///     counts.add(seconds);
/// }
/// assert_eq!((counts.len(), counts.median(), counts.mean()), (4, Some(20.0), Some(35.0)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DurationCounts {
    counts: BTreeMap<i64, u64>,
    len: u64,
    sum: i128,
}

impl DurationCounts {
    /// Adds one duration.
    pub fn add(&mut self, seconds: i64) {
        *self.counts.entry(seconds).or_default() += 1;
        self.len += 1;
        self.sum += i128::from(seconds);
    }

    /// Adds all durations of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (&seconds, &count) in &other.counts {
            *self.counts.entry(seconds).or_default() += count;
        }
        self.len += other.len;
        self.sum += other.sum;
    }

    /// How many durations there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The mean in seconds; none of nothing.
    pub fn mean(&self) -> Option<f64> {
        (self.len > 0).then(|| self.sum as f64 / self.len as f64)
    }

    /// The median in seconds: the one in the middle, of an even number the mean of the two in the middle; none of nothing.
    pub fn median(&self) -> Option<f64> {
        let upper = self.nth(self.len / 2)?;
        if self.len.is_multiple_of(2) {
            let lower = self.nth(self.len / 2 - 1)?;
            Some((i128::from(lower) + i128::from(upper)) as f64 / 2.0)
        } else {
            Some(upper as f64)
        }
    }

    /// The duration at a position of all in ascending order, from 0.
    fn nth(&self, position: u64) -> Option<i64> {
        let mut before = 0;
        self.counts.iter().find_map(|(&seconds, &count)| {
            before += count;
            (position < before).then_some(seconds)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(values: &[i64]) -> DurationCounts {
        let mut counts = DurationCounts::default();
        values.iter().for_each(|&seconds| counts.add(seconds));
        counts
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_two_in_the_middle() {
        assert_eq!((counts(&[]).median(), counts(&[]).mean()), (None, None));
        assert_eq!(counts(&[7]).median(), Some(7.0));
        assert_eq!(counts(&[9, 0]).median(), Some(4.5));
        assert_eq!(counts(&[5, 1, 100]).median(), Some(5.0));
        assert_eq!(counts(&[3, 3, 3, 8]).median(), Some(3.0));
        assert_eq!(counts(&[i64::MAX, i64::MAX]).median(), Some(i64::MAX as f64));
    }

    #[test]
    fn parts_add_up() {
        let mut sum = counts(&[1, 5, 5]);
        sum.merge(&counts(&[5, 9]));
        assert_eq!(sum, counts(&[9, 5, 1, 5, 5]));
    }
}
