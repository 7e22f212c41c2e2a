//! Leaf values, and by how much a split lowers the loss.

use crate::boost::sums::{Scales, Sums};
use crate::params::{BoostedTreesValidParams, Monotone};

/// The least gain of a split, as XGBoost has it.
pub(super) const LEAST_GAIN: f64 = 1e-6;

/// The values that the leaves below a node may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    low: f64,
    high: f64,
}

impl Bounds {
    pub(super) const NONE: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY };

    /// Those of both children of a split by a feature along which values go this way: neither crosses the middle of their own values.
    pub(super) fn of_children(self, direction: Option<Monotone>, [left, right]: [f64; 2]) -> [Self; 2] {
        let middle = f64::midpoint(left, right);
        let (lower, upper) = (Self { high: middle, ..self }, Self { low: middle, ..self });
        match direction {
            None => [self; 2],
            Some(Monotone::Increasing) => [lower, upper],
            Some(Monotone::Decreasing) => [upper, lower],
        }
    }

    fn clamp(self, value: f64) -> f64 {
        value.max(self.low).min(self.high)
    }
}

/// What values and gains depend on besides the sums.
///
/// # Formula
/// With G and H the sums of first and second derivatives, the value of a leaf is -G / (H + lambda) and its score G^2 / (H + lambda), by which
/// the loss falls twice as much; the gain of a split is the score of both children less that of the node (Chen and Guestrin 2016, equations 5
/// to 7). Where a leaf has to keep to bounds, its value v is the nearest in them and its score -(2 G v + (H + lambda) v^2).
#[derive(Debug, Clone, Copy)]
pub(super) struct Scorer {
    /// The first derivative in one unit, the second in one unit.
    unit: [f64; 2],
    lambda: f64,
    /// The least second derivatives of a leaf.
    least: f64,
}

impl Scorer {
    pub(super) fn new(params: &BoostedTreesValidParams, scales: Scales) -> Self {
        let unit = scales.units().map(f64::recip);
        Self { unit, lambda: params.lambda(), least: params.min_child_weight() }
    }

    /// The second derivatives of rows.
    pub(super) fn cover(&self, sums: Sums) -> f64 {
        f64::from(sums.second()) * self.unit[1]
    }

    /// Whether rows may be a leaf of their own.
    pub(super) fn is_leaf(&self, sums: Sums) -> bool {
        sums.second() > 0 && self.cover(sums) >= self.least
    }

    /// The value of a leaf; 0 of rows that may be none.
    pub(super) fn value(&self, sums: Sums, bounds: Bounds) -> f64 {
        if !self.is_leaf(sums) {
            return bounds.clamp(0.0);
        }
        bounds.clamp(-f64::from(sums.first()) * self.unit[0] / (self.cover(sums) + self.lambda))
    }

    /// The score of a leaf.
    pub(super) fn score(&self, sums: Sums, bounds: Bounds) -> f64 {
        let value = self.value(sums, bounds);
        let first = f64::from(sums.first()) * self.unit[0];
        -(2.0 * first * value + (self.cover(sums) + self.lambda) * value * value)
    }

    /// The score of both children of a split; none where one of them may be no leaf, or their values go the other way.
    pub(super) fn score_of_children(
        &self,
        children: [Sums; 2],
        bounds: Bounds,
        direction: Option<Monotone>,
    ) -> Option<f64> {
        if !children.iter().all(|&child| self.is_leaf(child)) {
            return None;
        }
        let [left, right] = children.map(|child| self.value(child, bounds));
        let agrees = match direction {
            None => true,
            Some(Monotone::Increasing) => left <= right,
            Some(Monotone::Decreasing) => left >= right,
        };
        agrees.then(|| children.iter().map(|&child| self.score(child, bounds)).sum())
    }

    /// The scores of both children where `left` goes left of `total`, without bounds, for many splits at once: they are written to `out`, in
    /// units of their own, which are returned; negative infinity where a child may be no leaf.
    pub(super) fn scores(&self, total: Sums, left: &[Sums], out: &mut [f64]) -> f64 {
        // In units the penalty is the only other constant, and one division does for both children.
        let lambda = self.lambda / self.unit[1];
        let least = (self.least / self.unit[1]).ceil().clamp(1.0, f64::from(i32::MAX)) as i32;
        let [all_first, all_second] = [total.first(), total.second()];
        for (out, left) in out.iter_mut().zip(left) {
            let (first, second) = (left.first(), left.second());
            let (other_first, other_second) =
                (all_first.wrapping_sub(first), all_second.wrapping_sub(second));
            let [a, b] = [f64::from(first), f64::from(other_first)];
            let [over_a, over_b] = [f64::from(second) + lambda, f64::from(other_second) + lambda];
            let score = (a * a * over_b + b * b * over_a) / (over_a * over_b);
            *out = if (second >= least) & (other_second >= least) { score } else { f64::NEG_INFINITY };
        }
        self.unit[0] * self.unit[0] / self.unit[1]
    }
}
