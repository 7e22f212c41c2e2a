//! The numbers of two tables side by side, in their order.

use crate::cells::Cells;
#[cfg(test)]
use crate::number_key::key_of;
use crate::number_key::middle_of;

/// The numbers of both tables, those of a cell together; at least one number in each table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Paired {
    /// Ascending.
    pub(crate) cells: Vec<PairedCell>,
    /// The last bits of keys that are not looked at.
    pub(crate) dropped: u32,
}

/// How many numbers of each table are in a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PairedCell {
    pub(crate) cell: u64,
    pub(crate) value: f64,
    pub(crate) reference: u64,
    pub(crate) current: u64,
}

impl Paired {
    /// Returns the cells of two columns on the coarser one's scale.
    pub(crate) fn new(reference: &Cells, current: &Cells) -> Self {
        let dropped = reference.dropped().max(current.dropped());
        let (left, right) = (reference.sorted(dropped), current.sorted(dropped));
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        let mut cells = Vec::new();
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(&(a, _)), Some(&(b, _))) => a.min(b),
                (Some(&(cell, _)), None) | (None, Some(&(cell, _))) => cell,
                (None, None) => return Self { cells, dropped },
            };
            let reference = left.next_if(|(cell, _)| *cell == next).map_or(0, |(_, count)| count);
            let current = right.next_if(|(cell, _)| *cell == next).map_or(0, |(_, count)| count);
            cells.push(PairedCell { cell: next, value: middle_of(next, dropped), reference, current });
        }
    }

    /// The numbers of each table.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let sum = |count: fn(&PairedCell) -> u64| self.cells.iter().map(count).sum();
        (sum(|cell| cell.reference), sum(|cell| cell.current))
    }

    /// Returns the Kolmogorov-Smirnov statistic times the product of both totals, which is a whole number.
    pub(crate) fn ks_steps(&self) -> u128 {
        let (n, m) = self.totals();
        let (mut r, mut c) = (0, 0);
        let gaps = self.cells.iter().map(|cell| {
            (r, c) = (r + cell.reference, c + cell.current);
            (u128::from(r) * u128::from(m)).abs_diff(u128::from(c) * u128::from(n))
        });
        gaps.max().unwrap_or(0)
    }

    /// Returns by how much the statistic of the numbers themselves can exceed that of their cells: 0 where each has its own.
    pub(crate) fn ks_error(&self) -> f64 {
        if self.dropped == 0 {
            return 0.0;
        }
        let (n, m) = self.totals();
        let share =
            |cell: &PairedCell| (cell.reference as f64 / n as f64).max(cell.current as f64 / m as f64);
        self.cells.iter().map(share).fold(0.0, f64::max)
    }

    /// Returns the Wasserstein distance: the area between the two distribution functions. Infinite numbers have none.
    pub(crate) fn wasserstein(&self) -> Option<f64> {
        let (n, m) = self.totals();
        let (mut r, mut c) = (0, 0);
        let steps = self.cells.windows(2).map(|pair| {
            (r, c) = (r + pair[0].reference, c + pair[0].current);
            (r as f64 / n as f64 - c as f64 / m as f64).abs() * (pair[1].value - pair[0].value)
        });
        Some(steps.sum()).filter(|area: &f64| area.is_finite())
    }

    /// The mean and the standard deviation (of n, not n - 1) of one side; none of infinite numbers, or of none.
    pub(crate) fn moments(&self, count: fn(&PairedCell) -> u64) -> Option<(f64, f64)> {
        let central = |of: &dyn Fn(f64) -> f64| {
            let total: u64 = self.cells.iter().map(count).sum();
            let cells = self.cells.iter().filter(|cell| count(cell) > 0);
            cells.map(|cell| count(cell) as f64 / total as f64 * of(cell.value)).sum::<f64>()
        };
        let mean = central(&|value| value);
        let variance = central(&|value| (value - mean).powi(2));
        let known = mean.is_finite() && variance.is_finite() && self.cells.iter().any(|cell| count(cell) > 0);
        known.then(|| (mean, variance.sqrt()))
    }

    /// Returns the counts between edges, ascending cells of which each is the last of its bin; the last bin has no end.
    pub(crate) fn binned(&self, edges: &[u64]) -> Vec<(u64, u64)> {
        let mut counts = vec![(0, 0); edges.len() + 1];
        for cell in &self.cells {
            let bin = &mut counts[edges.partition_point(|edge| *edge < cell.cell)];
            *bin = (bin.0 + cell.reference, bin.1 + cell.current);
        }
        counts
    }

    /// Returns the ends of the bins of a reference: of few different numbers each has a bin, and there is one below and one above them; of
    /// many, `bins` bins of about equal counts, fewer where one number is frequent.
    pub(crate) fn reference_edges(&self, bins: u32) -> Vec<u64> {
        let of_reference = || self.cells.iter().filter(|cell| cell.reference > 0);
        if self.dropped == 0 && of_reference().count() <= MOST_VALUES {
            let below = of_reference().next().map(|first| first.cell.saturating_sub(1));
            return below.into_iter().chain(of_reference().map(|cell| cell.cell)).collect();
        }
        let (n, _) = self.totals();
        let mut edges = Vec::new();
        let (mut sum, mut quantile) = (0u64, 1);
        for cell in of_reference() {
            sum += cell.reference;
            let reached =
                |quantile: u32| u128::from(sum) * u128::from(bins) >= u128::from(n) * u128::from(quantile);
            if quantile < bins && reached(quantile) {
                edges.push(cell.cell);
                while quantile < bins && reached(quantile) {
                    quantile += 1;
                }
            }
        }
        edges
    }

    /// The first and the last number of one side, or of both.
    pub(crate) fn range(&self, count: impl Fn(&PairedCell) -> u64) -> Option<(f64, f64)> {
        let first = self.cells.iter().find(|cell| count(cell) > 0)?;
        let last = self.cells.iter().rfind(|cell| count(cell) > 0)?;
        Some((first.value, last.value))
    }

    /// Returns the counts in `bins` bins of equal width from one number to another, and the numbers outside of them: as NumPy's
    /// histogram, the last bin with its end.
    pub(crate) fn histogram(&self, (low, high): (f64, f64), bins: usize) -> (Vec<(u64, u64)>, (u64, u64)) {
        // As NumPy widens a range of one number.
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
        let step = (high - low) / bins as f64;
        let edges: Vec<f64> =
            (0..=bins).map(|at| if at == bins { high } else { low + at as f64 * step }).collect();
        let (mut counts, mut outside) = (vec![(0, 0); bins], (0, 0));
        for cell in &self.cells {
            let at = edges.partition_point(|edge| *edge <= cell.value);
            let bin = match at {
                _ if cell.value == high => counts.last_mut(),
                0 => None,
                at => counts.get_mut(at - 1),
            };
            let bin = bin.unwrap_or(&mut outside);
            *bin = (bin.0 + cell.reference, bin.1 + cell.current);
        }
        (counts, outside)
    }
}

/// Up to so many different values of a reference each have a bin of their own.
pub(crate) const MOST_VALUES: usize = 20;

/// Returns the cells of numbers.
#[cfg(test)]
pub(crate) fn cells_of(numbers: &[f64], most: usize) -> Cells {
    let mut cells = Cells::new(most);
    numbers.iter().for_each(|&number| cells.add(key_of(number), 1));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn paired(reference: &[f64], current: &[f64]) -> Paired {
        Paired::new(&cells_of(reference, 1 << 16), &cells_of(current, 1 << 16))
    }

    #[test]
    fn statistics_of_scipy() {
        // SciPy 1.17.1: stats.wasserstein_distance([0, 1, 3], [5, 6, 8, 8]), ks_2samp([1, 2, 2, 3, 4], [2, 4, 5]).statistic.
        assert_eq!(
            paired(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0, 8.0]).wasserstein(),
            Some(5.416_666_666_666_666)
        );
        assert_eq!(paired(&[1.0, 2.0, 2.0, 3.0, 4.0], &[2.0, 4.0, 5.0]).ks_steps(), 7);
    }

    #[test]
    fn few_values_have_bins_of_their_own_and_many_have_quantiles() {
        let of = |pair: &Paired, bins| pair.binned(&pair.reference_edges(bins));
        // Below 1, at 1, up to 3 (which has 2 as well), above.
        let few = paired(&[1.0, 3.0, 3.0], &[0.0, 2.0, 3.0, 4.0, f64::INFINITY]);
        assert_eq!(of(&few, 10), [(0, 1), (1, 0), (2, 2), (0, 2)]);
        let many: Vec<f64> = (0..100).map(f64::from).collect();
        let shifted: Vec<f64> = many.iter().map(|value| value + 50.0).collect();
        assert_eq!(of(&paired(&many, &shifted), 4), [(25, 0), (25, 0), (25, 25), (25, 75)]);
        // Most are equal: an edge that two quantiles share is one.
        let mostly: Vec<f64> = (0..100).map(|value| f64::from((value - 60).max(0))).collect();
        assert_eq!(of(&paired(&mostly, &[0.0]), 10), [(61, 1), (9, 0), (10, 0), (10, 0), (10, 0)]);
    }

    #[test]
    fn infinite_numbers_have_a_place_and_no_distance() {
        let pair = paired(&[1.0, f64::NEG_INFINITY], &[2.0, f64::INFINITY]);
        assert_eq!(
            (pair.wasserstein(), pair.moments(|cell| cell.reference), pair.ks_steps()),
            (None, None, 4)
        );
        // A difference that is beyond all numbers is none either.
        assert_eq!(paired(&[f64::MIN], &[f64::MAX]).wasserstein(), None);
    }

    #[test]
    fn histograms_are_numpys() {
        // NumPy 2.4: np.histogram([0, .1, .5, .9, 1.], bins=2, range=(0, 1)), and of one number.
        let pair = paired(&[0.0, 0.1, 0.5, 0.9, 1.0], &[-1.0, 0.5, 2.0]);
        assert_eq!(pair.histogram((0.0, 1.0), 2), (vec![(2, 0), (3, 1)], (0, 2)));
        assert_eq!(paired(&[3.0], &[3.0]).histogram((3.0, 3.0), 1).0, [(1, 1)]);
    }

    proptest! {
        #[test]
        fn the_statistics_are_those_of_the_definitions(
            reference in proptest::collection::vec(-8i8..8, 1..30), current in proptest::collection::vec(-8i8..8, 1..30),
        ) {
            let [reference, current] = [reference, current].map(|values| values.into_iter().map(f64::from).collect::<Vec<_>>());
            let pair = paired(&reference, &current);
            let below = |values: &[f64], x: f64| values.iter().filter(|value| **value <= x).count() as f64 / values.len() as f64;
            let places: Vec<f64> = (-8..8).map(f64::from).collect();
            let gaps = || places.iter().map(|&x| (below(&reference, x) - below(&current, x)).abs());
            let (n, m) = pair.totals();
            prop_assert!((pair.ks_steps() as f64 / (n * m) as f64 - gaps().fold(0.0, f64::max)).abs() < 1e-12);
            // Whole numbers: each gap is as wide as 1.
            prop_assert!((pair.wasserstein().unwrap() - gaps().sum::<f64>()).abs() < 1e-12);
            let mean = reference.iter().sum::<f64>() / reference.len() as f64;
            let variance = reference.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / reference.len() as f64;
            let (found, deviation) = pair.moments(|cell| cell.reference).unwrap();
            prop_assert!((found - mean).abs() < 1e-12 && (deviation - variance.sqrt()).abs() < 1e-12);
        }

        #[test]
        fn coarse_cells_keep_the_statistics_within_their_bounds(
            reference in proptest::collection::vec(-1e3f64..1e3, 1..200), current in proptest::collection::vec(-1e3f64..1e3, 1..200),
        ) {
            let exact = paired(&reference, &current);
            let coarse = Paired::new(&cells_of(&reference, 50), &cells_of(&current, 50));
            let (n, m) = exact.totals();
            let ks = |pair: &Paired| pair.ks_steps() as f64 / (n * m) as f64;
            prop_assert!(ks(&coarse) <= ks(&exact) + 1e-12 && ks(&exact) <= ks(&coarse) + coarse.ks_error() + 1e-12);
            if coarse.dropped < 52 {
                // No number has moved by more than its share of itself.
                let most = 2f64.powi(coarse.dropped.cast_signed() - 53);
                let moved = |values: &[f64]| values.iter().map(|value| value.abs() * most).sum::<f64>() / values.len() as f64;
                let off = (coarse.wasserstein().unwrap() - exact.wasserstein().unwrap()).abs();
                prop_assert!(off <= moved(&reference) + moved(&current) + 1e-9, "{}", off);
            }
        }
    }
}
