//! p-values of several tests at a time.

use cip_core::benjamini_hochberg;
use serde::{Deserialize, Serialize};

/// What the error rate of several tests is about, and how it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// The probability of any false finding: each p-value times the number of tests (Bonferroni).
    #[default]
    Bonferroni,
    /// The same with fewer findings missed: the least times m, the next times m - 1, and so on (Holm 1979).
    Holm,
    /// The expected share of false ones among the findings (Benjamini and Hochberg 1995).
    BenjaminiHochberg,
    /// Of each test by itself.
    None,
}

impl Correction {
    /// Returns the adjusted p-values in the order given: a test is a finding where its adjusted p-value is below the
    /// level of them all.
    ///
    /// # Input
    /// p-values of 0 to 1.
    ///
    /// # Examples
    /// ```
    /// use cip_abtest::Correction;
    /// let p = [0.01, 0.04, 0.03];
    /// assert_eq!(Correction::Bonferroni.adjust(&p), [0.03, 0.12, 0.09]);
    /// assert_eq!(Correction::Holm.adjust(&p), [0.03, 0.06, 0.06]);
    /// assert_eq!(Correction::BenjaminiHochberg.adjust(&p), [0.03, 0.04, 0.04]);
    /// ```
    pub fn adjust(self, p_values: &[f64]) -> Vec<f64> {
        let m = p_values.len();
        let mut order: Vec<usize> = (0..m).collect();
        order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
        let mut adjusted = p_values.to_vec();
        match self {
            Self::None => {}
            Self::Bonferroni => adjusted.iter_mut().for_each(|p| *p = (*p * m as f64).min(1.0)),
            Self::Holm => {
                let mut greatest = 0.0;
                for (rank, &at) in order.iter().enumerate() {
                    greatest = f64::max(greatest, (p_values[at] * (m - rank) as f64).min(1.0));
                    adjusted[at] = greatest;
                }
            }
            Self::BenjaminiHochberg => adjusted = benjamini_hochberg(p_values),
        }
        adjusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_method_finds_what_its_steps_find(p_values in proptest::collection::vec(0.0..1.0f64, 0..12), alpha in 0.001..0.5f64) {
            let m = p_values.len() as f64;
            let mut sorted = p_values.clone();
            sorted.sort_by(f64::total_cmp);
            // Step down until one is too large; step up from the greatest that is small enough.
            let down = sorted.iter().enumerate().take_while(|(k, p)| **p * (m - *k as f64) < alpha).count();
            let up = sorted.iter().enumerate().rev().find(|(k, p)| **p * (m / (*k as f64 + 1.0)) < alpha).map_or(0, |(k, _)| k + 1);
            let found = |correction: Correction| correction.adjust(&p_values).iter().filter(|p| **p < alpha).count();
            prop_assert_eq!(found(Correction::Holm), down);
            prop_assert_eq!(found(Correction::BenjaminiHochberg), up);
            prop_assert!(found(Correction::Bonferroni) <= down && down <= up && up <= found(Correction::None));
            for correction in [Correction::Holm, Correction::Bonferroni, Correction::BenjaminiHochberg] {
                for (adjusted, p) in correction.adjust(&p_values).iter().zip(&p_values) {
                    prop_assert!(p <= adjusted && *adjusted <= 1.0);
                }
            }
        }
    }
}
