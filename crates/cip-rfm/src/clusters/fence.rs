//! Tukey's fences, beyond which a value is an outlier.

use serde::{Deserialize, Serialize};

/// The bounds between which values are ordinary: 1.5 interquartile ranges below the first quartile and above the third.
///
/// # Method
/// Tukey (1977), "Exploratory Data Analysis"; quartiles by linear interpolation, type 7 of Hyndman and Fan (1996). Where the interquartile
/// range is 0, half of the values and more are one, and everything else would be an outlier: there is no fence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fence {
    /// The least ordinary value.
    pub low: f64,
    /// The greatest ordinary value.
    pub high: f64,
}

impl Fence {
    /// Returns the fences of values; none where their interquartile range is 0, or there are no values.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (first, third) = (quantile(&sorted, 0.25)?, quantile(&sorted, 0.75)?);
        let range = third - first;
        (range > 0.0).then_some(Self { low: first - 1.5 * range, high: third + 1.5 * range })
    }

    fn is_beyond(&self, value: f64) -> bool {
        value < self.low || self.high < value
    }
}

/// Whether a value is beyond its fence; never where there is none.
pub(super) fn is_outlier(fence: Option<Fence>, value: f64) -> bool {
    fence.is_some_and(|fence| fence.is_beyond(value))
}

/// The quantile of sorted values, by linear interpolation.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (*sorted.get(place.floor() as usize)?, *sorted.get(place.ceil() as usize)?);
    Some(low + (high - low) * place.fract())
}

/// The median; none of no values.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quartiles as numpy 2.4 gives them for 1, 2, 4, 8, 16: 2 and 8.
    #[test]
    fn fences_are_those_of_the_quartiles() {
        let fence = Fence::of(&[16.0, 1.0, 8.0, 2.0, 4.0]).unwrap();
        assert_eq!((fence.low, fence.high), (-7.0, 17.0));
        assert!(fence.is_beyond(17.5) && fence.is_beyond(-8.0) && !fence.is_beyond(17.0));
        assert_eq!(Fence::of(&[1.0, 1.0, 1.0, 1.0, 9.0]), None);
        assert_eq!(Fence::of(&[]), None);
        assert!(is_outlier(Some(fence), 17.5) && !is_outlier(Some(fence), 17.0) && !is_outlier(None, 17.5));
        assert_eq!(median([4.0, 1.0, 3.0, 2.0].into_iter()), Some(2.5));
        assert_eq!(median([].into_iter()), None);
    }
}
