//! What is known of several numbers of each unit of an arm: their means, and how they vary together.

use crate::arm_moments::ArmMoments;
use crate::error::AbTestError;
use crate::exact_sum::ExactSum;

/// Sums of `K` numbers a unit, from which [`JointMoments`] follow: the same bits for any order of the units and any split
/// into parts.
///
/// # Complexity
/// A kilobyte for each of the K (K + 3) / 2 sums, whatever the number of units.
///
/// # Examples
/// ```
/// use cip_abtest::JointSums;
/// // What a customer spent, and what the customer had spent in the month before.
/// let (mut monday, mut tuesday) = (JointSums::<2>::new(), JointSums::new());
/// monday.push([12.5, 10.0])?;
/// tuesday.push([0.1, 0.0])?;
/// tuesday.push([7.3, 9.0])?;
/// let mut both = tuesday.clone();
/// both.merge(&monday);
/// monday.merge(&tuesday);
/// assert_eq!(both.moments("control")?, monday.moments("control")?);
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone)]
pub struct JointSums<const K: usize> {
    n: u64,
    sums: [ExactSum; K],
    /// Of each number with itself and those after it.
    products: Vec<ExactSum>,
}

impl<const K: usize> JointSums<K> {
    /// Returns the sums of no units.
    pub fn new() -> Self {
        let sums = std::array::from_fn(|_| ExactSum::new());
        Self { n: 0, sums, products: vec![ExactSum::new(); K * (K + 1) / 2] }
    }

    /// Adds a unit.
    ///
    /// # Errors
    /// [`AbTestError::Outcome`] where a number is not finite, with the number of units before; nothing is added then.
    pub fn push(&mut self, values: [f64; K]) -> Result<(), AbTestError> {
        if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
            return Err(AbTestError::Outcome { row: self.n, value });
        }
        self.n += 1;
        for (sum, value) in self.sums.iter_mut().zip(values) {
            sum.add(value);
        }
        for ((i, j), product) in pairs::<K>().zip(&mut self.products) {
            product.add_product(values[i], values[j]);
        }
        Ok(())
    }

    /// Adds the units of another part.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        let sums = self.sums.iter_mut().zip(&other.sums);
        for (sum, more) in sums.chain(self.products.iter_mut().zip(&other.products)) {
            sum.merge(more);
        }
    }

    /// Units.
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// Returns the moments of these units, as those of the arm `arm`.
    ///
    /// # Method
    /// About a point near the means, in exact arithmetic, so that no digit of the spread is lost to large means.
    ///
    /// # Errors
    /// [`AbTestError::OutcomeRange`] where a mean or a square is beyond what a number holds.
    pub fn moments(&self, arm: impl Into<Box<str>>) -> Result<JointMoments<K>, AbTestError> {
        let (arm, n) = (arm.into(), self.n as f64);
        let mut moments = JointMoments { arm, n: self.n, means: [0.0; K], spreads: [[0.0; K]; K] };
        if self.n == 0 {
            return Ok(moments);
        }
        let totals: [(f64, f64); K] = std::array::from_fn(|i| self.sums[i].value());
        moments.means = totals.map(|(total, _)| total / n);
        let all_finite = |moments: &JointMoments<K>| {
            moments.means.iter().chain(moments.spreads.iter().flatten()).all(|value| value.is_finite())
        };
        let sums_are_finite = self.products.iter().all(|product| product.value().0.is_finite());
        if !all_finite(&moments) || !sums_are_finite {
            return Err(AbTestError::OutcomeRange { arm: moments.arm });
        }
        if self.n > 1 {
            // How far the totals are from n times the rounded means.
            let rest: [f64; K] = std::array::from_fn(|i| {
                let mut rest = self.sums[i].clone();
                rest.add_product(-n, moments.means[i]);
                rest.value().0
            });
            for ((i, j), product) in pairs::<K>().zip(&self.products) {
                let (a, b) = (moments.means[i], moments.means[j]);
                // The sum of (x - a)(y - b) is that of xy, less a times that of y, less b times what x leaves of n a.
                let mut spread = product.clone();
                spread.add_product(-a, totals[j].0);
                spread.add_product(-a, totals[j].1);
                spread.add_product(-b, rest[i]);
                let spread = spread.value().0 - rest[i] * (rest[j] / n);
                let spread = if i == j { spread.max(0.0) } else { spread };
                (moments.spreads[i][j], moments.spreads[j][i]) = (spread, spread);
            }
        }
        if all_finite(&moments) { Ok(moments) } else { Err(AbTestError::OutcomeRange { arm: moments.arm }) }
    }
}

impl<const K: usize> Default for JointSums<K> {
    fn default() -> Self {
        Self::new()
    }
}

/// The pairs of numbers that there are, each once.
fn pairs<const K: usize>() -> impl Iterator<Item = (usize, usize)> {
    (0..K).flat_map(|i| (i..K).map(move |j| (i, j)))
}

/// The number of units of an arm, the means of their `K` numbers, and the sums of products of deviations from them.
#[derive(Debug, Clone, PartialEq)]
pub struct JointMoments<const K: usize> {
    arm: Box<str>,
    n: u64,
    means: [f64; K],
    spreads: [[f64; K]; K],
}

impl<const K: usize> JointMoments<K> {
    /// Returns the moments of an arm from sums of its numbers and of their products, of which each pair is read once
    /// (`products[i][j]` with `i <= j`).
    ///
    /// Where means are large against the spread, such sums hold few digits of it: [`JointSums`] keeps them.
    ///
    /// # Errors
    /// [`AbTestError::Moments`] where no n units have these sums.
    pub fn from_sums(
        arm: impl Into<Box<str>>,
        n: u64,
        sums: [f64; K],
        products: [[f64; K]; K],
    ) -> Result<Self, AbTestError> {
        let arm = arm.into();
        let means = if n == 0 { sums } else { sums.map(|sum| sum / n as f64) };
        let mut spreads = [[0.0; K]; K];
        for (i, j) in pairs::<K>() {
            let spread = products[i][j] - means[i] * sums[j];
            let rounding = 1e-9 * products[i][i].abs();
            let possible = match n {
                0 => sums[i] == 0.0 && products[i][j] == 0.0,
                1 => i != j || spread.abs() <= rounding,
                _ => spread.is_finite() && (i != j || -rounding <= spread),
            };
            if !possible {
                let (sum, sum_of_squares) = (sums[i], products[i][i]);
                return Err(AbTestError::Moments { arm, n, sum, sum_of_squares });
            }
            let spread = if n < 2 { 0.0 } else { spread };
            let spread = if i == j { spread.max(0.0) } else { spread };
            (spreads[i][j], spreads[j][i]) = (spread, spread);
        }
        Ok(Self { arm, n, means, spreads })
    }

    /// The arm's name.
    pub fn arm(&self) -> &str {
        &self.arm
    }

    /// Units.
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// Returns the means; none without units.
    pub fn means(&self) -> Option<[f64; K]> {
        (self.n > 0).then_some(self.means)
    }

    /// Returns the sample covariances, which divide by n - 1; none below two units.
    pub fn covariances(&self) -> Option<[[f64; K]; K]> {
        (self.n > 1).then(|| self.spreads.map(|row| row.map(|spread| spread / (self.n - 1) as f64)))
    }

    pub(crate) const fn mean(&self, i: usize) -> f64 {
        self.means[i]
    }

    pub(crate) const fn spread(&self, i: usize, j: usize) -> f64 {
        self.spreads[i][j]
    }

    /// The moments of `M` functions of the means, by their values and gradients: the delta method.
    fn linearised<const M: usize>(&self, values: [f64; M], gradients: [[f64; K]; M]) -> JointMoments<M> {
        let spreads = std::array::from_fn(|a| {
            std::array::from_fn(|b| {
                let terms = (0..K).flat_map(|i| (0..K).map(move |j| (i, j)));
                terms.map(|(i, j)| gradients[a][i] * self.spreads[i][j] * gradients[b][j]).sum::<f64>()
            })
        });
        let mut moments = JointMoments { arm: self.arm.clone(), n: self.n, means: values, spreads };
        for i in 0..M {
            // Rounding may take a variance of nothing below nothing.
            moments.spreads[i][i] = moments.spreads[i][i].max(0.0);
        }
        moments
    }

    /// A mean over another, and its gradient by all.
    fn quotient(&self, over: usize, under: usize) -> Result<(f64, [f64; K]), AbTestError> {
        if self.n > 0 && self.means[under] == 0.0 {
            return Err(AbTestError::ZeroDenominator { arm: self.arm.clone() });
        }
        let under_mean = if self.n > 0 { self.means[under] } else { 1.0 };
        let ratio = self.means[over] / under_mean;
        let mut gradient = [0.0; K];
        gradient[over] = 1.0 / under_mean;
        gradient[under] = -ratio / under_mean;
        Ok((ratio, gradient))
    }
}

impl JointMoments<1> {
    /// The same with a covariate that is always 0.
    pub(crate) fn without_covariate(&self) -> JointMoments<2> {
        self.linearised([self.means[0], 0.0], [[1.0], [0.0]])
    }
}

impl From<JointMoments<1>> for ArmMoments {
    fn from(moments: JointMoments<1>) -> Self {
        Self::new(moments.arm, moments.n, moments.means[0], moments.spreads[0][0])
    }
}

impl JointMoments<2> {
    /// The first number alone.
    pub(crate) fn metric(&self) -> JointMoments<1> {
        self.linearised([self.means[0]], [[1.0, 0.0]])
    }

    /// Returns the moments of the ratio of sums, numerator (the first number) over denominator (the second), as if each
    /// unit had one number whose mean is that ratio.
    ///
    /// # Formula
    /// With means y and x, R = y / x and the number of a unit R + ((y_i - y) - R (x_i - x)) / x.
    ///
    /// # Method
    /// The delta method. With the sum of a cluster's rows and their number as the two, it is the mean of all rows with the
    /// variance that clustered rows have (Deng, Knoblich and Lu 2018).
    ///
    /// # Errors
    /// [`AbTestError::ZeroDenominator`] where the denominators sum to 0.
    pub fn ratio(&self) -> Result<JointMoments<1>, AbTestError> {
        let (ratio, gradient) = self.quotient(0, 1)?;
        Ok(self.linearised([ratio], [gradient]))
    }
}

impl JointMoments<4> {
    /// Returns the moments of two ratios: of the first number over the second, and of the third over the fourth, which
    /// were known before the experiment. [`Cuped`](crate::Cuped) adjusts the one by the other.
    ///
    /// # Errors
    /// [`AbTestError::ZeroDenominator`] where the denominators of either sum to 0.
    pub fn ratios(&self) -> Result<JointMoments<2>, AbTestError> {
        let ((now, by_now), (before, by_before)) = (self.quotient(0, 1)?, self.quotient(2, 3)?);
        Ok(self.linearised([now, before], [by_now, by_before]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sums<const K: usize>(rows: &[[f64; K]]) -> JointSums<K> {
        let mut sums = JointSums::new();
        rows.iter().for_each(|&row| sums.push(row).unwrap());
        sums
    }

    proptest! {
        #[test]
        fn any_split_and_order_gives_the_same_bits(
            rows in proptest::collection::vec([-1e9f64..1e9, -1e-9f64..1e-9, -1e38f64..1e38], 0..30),
            at in any::<proptest::sample::Index>(),
        ) {
            let (left, right) = rows.split_at(if rows.is_empty() { 0 } else { at.index(rows.len()) });
            let mut merged = sums(right);
            merged.merge(&sums(left));
            let mut backwards = rows.clone();
            backwards.reverse();
            let whole = sums(&rows).moments("a").unwrap();
            prop_assert_eq!(&merged.moments("a").unwrap(), &whole);
            prop_assert_eq!(&sums(&backwards).moments("a").unwrap(), &whole);
        }

        #[test]
        fn two_passes_find_the_same(rows in proptest::collection::vec([-50f64..50.0, -50f64..50.0], 2..40), shift in -1e7f64..1e7) {
            let rows: Vec<_> = rows.iter().map(|&[x, y]| [x + shift, y - shift]).collect();
            let found = sums(&rows).moments("a").unwrap();
            let n = rows.len() as f64;
            let mean = |i: usize| rows.iter().map(|row| row[i]).sum::<f64>() / n;
            for (i, j) in [(0, 0), (0, 1), (1, 1)] {
                let (a, b) = (mean(i), mean(j));
                let expected = rows.iter().map(|row| (row[i] - a) * (row[j] - b)).sum::<f64>() / (n - 1.0);
                let covariance = found.covariances().unwrap()[i][j];
                prop_assert!((covariance - expected).abs() < 1e-6, "{} {}", covariance, expected);
            }
        }
    }

    #[test]
    fn the_spread_survives_any_mean() {
        let far = sums(&[[1e15], [1e15 + 1.0], [1e15 + 2.0]]).moments("a").unwrap();
        assert_eq!((far.means(), far.covariances()), (Some([1e15 + 1.0]), Some([[1.0]])));
    }

    #[test]
    fn a_ratio_of_one_denominator_is_a_mean() {
        let rows = [[3.0, 1.0], [5.0, 1.0], [1.0, 1.0], [7.0, 1.0]];
        let ratio = sums(&rows).moments("a").unwrap().ratio().unwrap();
        let mean = sums(&rows.map(|[y, _]| [y])).moments("a").unwrap();
        assert_eq!((ratio.means(), ratio.covariances()), (mean.means(), mean.covariances()));
        let none = sums(&rows.map(|[y, _]| [y, 0.0])).moments("a").unwrap();
        assert!(matches!(none.ratio(), Err(AbTestError::ZeroDenominator { .. })));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let mut sums = JointSums::<2>::new();
        sums.push([1.0, 2.0]).unwrap();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(matches!(sums.push([0.0, value]), Err(AbTestError::Outcome { row: 1, .. })));
        }
        sums.push([1e200, 2.0]).unwrap();
        assert!(matches!(sums.moments("a"), Err(AbTestError::OutcomeRange { .. })));
        assert_eq!(JointSums::<2>::new().moments("a").unwrap().means(), None);
        let refuse = |n, sum, square| JointMoments::from_sums("a", n, [sum], [[square]]).is_err();
        assert!(
            refuse(0, 1.0, 1.0) && refuse(1, 2.0, 5.0) && refuse(2, 4.0, 1.0) && refuse(2, f64::NAN, 1.0)
        );
        assert!(refuse(2, 1.0, f64::INFINITY) && !refuse(2, 3.0, 5.0));
    }
}
