//! Whether the arms have the numbers of units that they should, all together and by day or segment.

use serde::Serialize;

use crate::contingency::goodness_of_fit;
use crate::correction::Correction;
use crate::error::AbTestError;

/// What the check of a sample ratio found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SampleRatio {
    /// Pearson's chi-square of the units of arms that expect any.
    pub chi2: f64,
    /// Its degrees of freedom: the arms that expect any, less one.
    pub df: u64,
    /// Units in arms that expect none.
    pub stray: u64,
    /// The probability of units as far from the expected ones or farther; 0 where there are stray ones.
    pub p_value: f64,
}

impl SampleRatio {
    /// Returns how the units of the arms agree with their weights.
    ///
    /// # Input
    /// Units and weights in one order of arms; weights of any positive sum. An arm with the weight 0 should have no units, and
    /// takes no part in the chi-square.
    ///
    /// # Errors
    /// [`AbTestError::GoodnessShape`]; [`AbTestError::Weight`] where a weight is negative, not a number or all are 0 (it names the
    /// position); [`AbTestError::NoUnits`], [`AbTestError::TooManyUnits`].
    ///
    /// # Examples
    /// ```
    /// use cip_abtest::SampleRatio;
    /// let found = SampleRatio::of(&[5_030, 4_970, 0], &[0.5, 0.5, 0.0])?;
    /// assert_eq!((found.df, format!("{:.3}", found.p_value)), (1, "0.549".to_owned()));
    /// // One unit in an arm that nobody should come to is one too many.
    /// assert_eq!(SampleRatio::of(&[5_030, 4_970, 1], &[0.5, 0.5, 0.0])?.p_value, 0.0);
    /// # Ok::<(), cip_abtest::AbTestError>(())
    /// ```
    pub fn of(units: &[u64], weights: &[f64]) -> Result<Self, AbTestError> {
        if units.len() != weights.len() || units.len() < 2 {
            return Err(AbTestError::GoodnessShape { observed: units.len(), weights: weights.len() });
        }
        let wrong =
            |index: usize| AbTestError::Weight { arm: index.to_string().into(), weight: weights[index] };
        if let Some(index) = weights.iter().position(|&weight| !(0.0..f64::INFINITY).contains(&weight)) {
            return Err(wrong(index));
        }
        let expecting = || units.iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
        let stray = units.iter().zip(weights).filter(|(_, weight)| **weight == 0.0).map(|(n, _)| *n).sum();
        let (kept, shares): (Vec<u64>, Vec<f64>) = expecting().map(|(&n, &weight)| (n, weight)).unzip();
        let fit = match kept.len() {
            0 => return Err(wrong(0)),
            // A single arm has all of its units.
            1 if kept[0] + stray == 0 => return Err(AbTestError::NoUnits),
            1 => None,
            _ if stray > 0 && kept.iter().all(|&n| n == 0) => None,
            _ => Some(goodness_of_fit(&kept, &shares)?),
        };
        let (chi2, df) = fit.map_or((0.0, kept.len() as u64 - 1), |fit| (fit.statistic, fit.df));
        let p_value = if stray > 0 { 0.0 } else { fit.map_or(1.0, |fit| fit.p_value) };
        Ok(Self { chi2, df, stray, p_value })
    }

    /// Returns the same for each group of units, such as those of a day, with p-values adjusted for their number by Holm's
    /// method. Groups without units are left out.
    ///
    /// # Errors
    /// As [`SampleRatio::of`].
    pub fn by_group(groups: &[(&str, &[u64])], weights: &[f64]) -> Result<Vec<GroupRatio>, AbTestError> {
        let filled = groups.iter().filter(|(_, units)| units.iter().any(|&n| n > 0));
        let found: Vec<(&str, u64, Self)> = filled
            .map(|(group, units)| Ok((*group, units.iter().sum(), Self::of(units, weights)?)))
            .collect::<Result<_, AbTestError>>()?;
        let p_values: Vec<f64> = found.iter().map(|(_, _, ratio)| ratio.p_value).collect();
        let adjusted = Correction::Holm.adjust(&p_values);
        let rows = found.into_iter().zip(adjusted);
        let rows = rows.map(|((group, n, ratio), adjusted_p_value)| GroupRatio {
            group: group.into(),
            n,
            ratio,
            adjusted_p_value,
        });
        Ok(rows.collect())
    }
}

/// The sample ratio of a group of units.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GroupRatio {
    /// The group.
    pub group: Box<str>,
    /// Its units.
    pub n: u64,
    /// What was found of the group alone.
    #[serde(flatten)]
    pub ratio: SampleRatio,
    /// The p-value adjusted for the number of groups.
    pub adjusted_p_value: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arms_without_weight_and_units_change_nothing(units in proptest::array::uniform3(1u64..1_000)) {
            let weights = [1.0, 2.0, 3.0];
            let plain = SampleRatio::of(&units, &weights).unwrap();
            let more = SampleRatio::of(&[0, units[0], units[1], 0, units[2]], &[0.0, 1.0, 2.0, 0.0, 3.0]).unwrap();
            prop_assert_eq!(plain, more);
            let fit = goodness_of_fit(&units, &weights).unwrap();
            prop_assert_eq!((plain.chi2, plain.df, plain.p_value), (fit.statistic, 2, fit.p_value));
        }
    }

    #[test]
    fn groups_are_flagged_one_by_one() {
        // Recomputed from the raw data of Cookie Cats: the whole is flagged at .01 and not at .001.
        let whole = SampleRatio::of(&[44_700, 45_489], &[1.0, 1.0]).unwrap();
        assert!(whole.p_value < 0.01 && whole.p_value > 0.001);
        let days: [(&str, &[u64]); 4] =
            [("mon", &[500, 510]), ("tue", &[400, 600]), ("wed", &[0, 0]), ("thu", &[300, 300])];
        let found = SampleRatio::by_group(&days, &[1.0, 1.0]).unwrap();
        let flagged: Vec<_> =
            found.iter().filter(|day| day.adjusted_p_value < 0.01).map(|day| &*day.group).collect();
        assert_eq!((found.len(), flagged), (3, vec!["tue"]));
    }

    #[test]
    fn what_has_no_ratio_is_refused() {
        for weight in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(SampleRatio::of(&[1, 2], &[1.0, weight]), Err(AbTestError::Weight { .. })));
        }
        assert!(matches!(SampleRatio::of(&[1, 2], &[0.0, 0.0]), Err(AbTestError::Weight { .. })));
        assert!(matches!(SampleRatio::of(&[0, 0], &[1.0, 1.0]), Err(AbTestError::NoUnits)));
        assert!(matches!(SampleRatio::of(&[0, 0], &[1.0, 0.0]), Err(AbTestError::NoUnits)));
        assert!(matches!(SampleRatio::of(&[1], &[1.0]), Err(AbTestError::GoodnessShape { .. })));
        let one = SampleRatio::of(&[7, 0], &[1.0, 0.0]).unwrap();
        assert_eq!((one.df, one.p_value), (0, 1.0));
        assert_eq!(SampleRatio::of(&[0, 0, 4], &[1.0, 1.0, 0.0]).unwrap().p_value, 0.0);
    }
}
