//! How far two distributions over the same bins are apart.

use crate::tail::{chi_square_above, chi_square_cut};

/// Counts of two tables over the same bins; both have rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Binned {
    pub(crate) reference: Vec<u64>,
    pub(crate) current: Vec<u64>,
}

/// Shares of a bin in both tables.
type Shares = (f64, f64);

impl Binned {
    /// Returns the bins of pairs of counts.
    pub(crate) fn of(pairs: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let (reference, current) = pairs.into_iter().unzip();
        Self { reference, current }
    }

    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.reference.iter().sum(), self.current.iter().sum())
    }

    /// The bins in which either table has rows.
    fn occupied(&self) -> impl Iterator<Item = (f64, f64)> {
        let pairs = self.reference.iter().zip(&self.current);
        pairs.filter(|(r, c)| **r + **c > 0).map(|(&r, &c)| (r as f64, c as f64))
    }

    fn shares(&self) -> impl Iterator<Item = Shares> {
        let (n, m) = self.totals();
        self.occupied().map(move |(r, c)| (r / n as f64, c / m as f64))
    }

    /// The degrees of freedom: the bins with rows, but one.
    pub(crate) fn df(&self) -> usize {
        self.occupied().count().saturating_sub(1)
    }

    /// Returns the population stability index: the sum of (c - r) ln(c / r) over the shares; a bin that is empty in one table counts as half
    /// a row there.
    pub(crate) fn psi(&self) -> f64 {
        let (n, m) = self.totals();
        let share = |count: f64, of: u64| count.max(0.5) / of as f64;
        self.occupied().map(|(r, c)| (share(r, n), share(c, m))).map(|(r, c)| (c - r) * (c / r).ln()).sum()
    }

    /// Returns the p-value of the index: where nothing has changed, it is about (1/n + 1/m) times a chi-square.
    pub(crate) fn psi_p_value(&self) -> f64 {
        chi_square_above(self.psi() / self.rows_term(), self.df())
    }

    /// Returns the index that chance exceeds with probability `alpha`.
    pub(crate) fn psi_threshold(&self, alpha: f64) -> f64 {
        chi_square_cut(alpha, self.df()) * self.rows_term()
    }

    fn rows_term(&self) -> f64 {
        let (n, m) = self.totals();
        1.0 / n as f64 + 1.0 / m as f64
    }

    /// Returns the Jensen-Shannon distance, the root of the divergence in bits: 0 to 1.
    pub(crate) fn jensen_shannon(&self) -> f64 {
        let part = |share: f64, mean: f64| if share > 0.0 { share * (share / mean).log2() } else { 0.0 };
        let divergence: f64 = (self.shares())
            .map(|(r, c)| {
                let mean = f64::midpoint(r, c);
                f64::midpoint(part(r, mean), part(c, mean))
            })
            .sum();
        divergence.clamp(0.0, 1.0).sqrt()
    }

    /// Returns the Hellinger distance: 0 to 1.
    pub(crate) fn hellinger(&self) -> f64 {
        let sum: f64 = self.shares().map(|(r, c)| (r.sqrt() - c.sqrt()).powi(2)).sum();
        (sum / 2.0).clamp(0.0, 1.0).sqrt()
    }

    /// Returns the greatest difference of shares.
    pub(crate) fn l_infinity(&self) -> f64 {
        self.shares().map(|(r, c)| (r - c).abs()).fold(0.0, f64::max)
    }

    /// Returns Pearson's chi-square of homogeneity, without correction.
    pub(crate) fn chi_square(&self) -> f64 {
        let (n, m) = self.totals();
        let (n, m) = (n as f64, m as f64);
        let term = |found: f64, expected: f64| (found - expected).powi(2) / expected;
        let cell = |(r, c): (f64, f64)| term(r, (r + c) * n / (n + m)) + term(c, (r + c) * m / (n + m));
        self.occupied().map(cell).sum()
    }

    pub(crate) fn chi_square_p_value(&self) -> f64 {
        chi_square_above(self.chi_square(), self.df())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-12 * (1.0 + expected.abs()), "{found} {expected}");
    }

    #[test]
    fn distances_of_scipy() {
        // SciPy 1.17.1 of [40, 30, 30] and [20, 50, 130]: spatial.distance.jensenshannon(p, q, base=2),
        // stats.chi2_contingency(correction=False); Hellinger and PSI by NumPy.
        let binned = Binned::of([(40, 20), (30, 50), (30, 130)]);
        close(binned.jensen_shannon(), 0.344_646_750_659_746_8);
        close(binned.chi_square(), 45.9375);
        assert!((binned.chi_square_p_value() / 1.058_762_665_855_772_9e-10 - 1.0).abs() < 1e-9);
        close(binned.hellinger(), 0.290_775_992_700_609_05);
        close(binned.psi(), 0.695_620_847_057_383_7);
        close(binned.l_infinity(), 0.35);
        // Chance exceeds chi2.isf(.05, 2) x (1/100 + 1/200) once in twenty times.
        close(binned.psi_threshold(0.05), 0.089_871_968_206_619_73);
        assert!(binned.psi_p_value() < 1e-9);
    }

    #[test]
    fn what_is_empty_in_both_is_no_bin_and_what_is_empty_in_one_is_half_a_row() {
        let binned = Binned::of([(0, 0), (4, 5), (4, 0)]);
        assert_eq!(binned.df(), 1);
        close(binned.psi(), 0.5 * 2f64.ln() + (0.1 - 0.5) * 0.2f64.ln());
        assert!(binned.jensen_shannon() < 1.0 && binned.chi_square().is_finite());
        let apart = Binned::of([(7, 0), (0, 3)]);
        assert_eq!((apart.jensen_shannon(), apart.hellinger(), apart.l_infinity()), (1.0, 1.0, 1.0));
        let one = Binned::of([(7, 3)]);
        assert_eq!(
            (one.psi(), one.psi_p_value(), one.psi_threshold(0.05), one.chi_square_p_value()),
            (0.0, 1.0, 0.0, 1.0)
        );
    }

    proptest! {
        #[test]
        fn distances_are_symmetric_and_zero_between_equal_shares(
            pairs in proptest::collection::vec((0u64..50, 0u64..50), 1..9), times in 1u64..5,
        ) {
            let there = Binned::of(pairs.clone());
            let (n, m) = there.totals();
            prop_assume!(n > 0 && m > 0);
            let back = Binned::of(pairs.iter().map(|&(r, c)| (c, r)));
            let measures = [Binned::psi, Binned::jensen_shannon, Binned::hellinger, Binned::l_infinity, Binned::chi_square];
            for measure in measures {
                let (found, other) = (measure(&there), measure(&back));
                prop_assert!(found >= -1e-15 && (found - other).abs() < 1e-9, "{} {}", found, other);
            }
            let same = Binned::of(pairs.iter().map(|&(r, _)| (r, r * times)));
            for measure in measures {
                prop_assert!(measure(&same).abs() < 1e-7);
            }
            // Hellinger's bounds of the total variation, which half of the sum of differences is.
            let total = there.shares().map(|(r, c)| (r - c).abs()).sum::<f64>() / 2.0;
            let hellinger = there.hellinger();
            prop_assert!(hellinger * hellinger <= total + 1e-12 && total <= hellinger * 2f64.sqrt() + 1e-12);
            prop_assert!(there.l_infinity() <= total + 1e-12);
        }

        #[test]
        fn joining_bins_brings_tables_no_farther_apart(pairs in proptest::collection::vec((1u64..50, 1u64..50), 2..9)) {
            let fine = Binned::of(pairs.clone());
            let joined = [(pairs[0].0 + pairs[1].0, pairs[0].1 + pairs[1].1)].into_iter().chain(pairs[2..].iter().copied());
            let coarse = Binned::of(joined);
            for measure in [Binned::psi, Binned::jensen_shannon, Binned::hellinger] {
                prop_assert!(measure(&coarse) <= measure(&fine) + 1e-9);
            }
        }
    }
}
