//! What is lowered: the losses, and their derivatives by the margin.

use crate::boost::sums::{Magnitudes, Scales, Sums};

/// A loss that is summed over the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// The log loss of yes (1) and no (0): margins are logs of odds.
    Logistic,
    /// Half of the squared error of amounts: margins are amounts.
    Squared,
}

/// What rows are to come to, and how much each counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Targets<'a> {
    pub(super) values: &'a [f32],
    pub(super) weights: Option<&'a [f32]>,
}

impl<'a> Targets<'a> {
    /// Those of some of the rows.
    pub(super) fn part(self, rows: std::ops::Range<usize>) -> Self {
        Self { values: &self.values[rows.clone()], weights: self.weights.map(|weights| &weights[rows]) }
    }

    fn weight(self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| f64::from(weights[row]))
    }

    /// The mean target; none of rows that weigh nothing.
    fn mean(self) -> Option<f64> {
        let (mut sum, mut weight) = (0.0, 0.0);
        for (row, &value) in self.values.iter().enumerate() {
            sum += self.weight(row) * f64::from(value);
            weight += self.weight(row);
        }
        (weight > 0.0).then_some(sum / weight)
    }
}

/// An addend that leaves the whole part of a number below 2^51 in the lowest bits, rounded to even.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// The largest derivative in units that is told from larger ones.
const MOST_UNITS: f64 = 2_147_483_647.0;

impl Loss {
    /// The one margin that is best for all rows; for yes and no of one kind, that of one in a million of the other.
    pub(super) fn base_margin(self, targets: Targets<'_>) -> f32 {
        let mean = targets.mean();
        match self {
            Self::Logistic => {
                let share = mean.unwrap_or(0.5).clamp(1e-6, 1.0 - 1e-6);
                (share / (1.0 - share)).ln() as f32
            }
            Self::Squared => mean.unwrap_or(0.0) as f32,
        }
    }

    /// The scales for rows that all have one margin.
    pub(super) fn scales(self, base_margin: f32, targets: Targets<'_>) -> Scales {
        let [mut first, mut second] = [0.0; 2];
        for (row, &target) in targets.values.iter().enumerate() {
            let [by_one, by_two] = match self {
                Self::Logistic => logistic(base_margin, target),
                Self::Squared => squared(base_margin, target),
            };
            first += targets.weight(row) * f64::from(by_one.abs());
            second += targets.weight(row) * f64::from(by_two);
        }
        Scales::of(first, second)
    }

    /// Writes the derivatives of rows with these margins, and returns how large they are.
    pub(super) fn derive(
        self,
        margins: &[f64],
        targets: Targets<'_>,
        scales: Scales,
        out: &mut [Sums],
    ) -> Magnitudes {
        let units = scales.units();
        let Targets { values, weights } = targets;
        match (self, weights) {
            (Self::Logistic, None) => {
                fill(out, units, margins, values, |_, margin, target| logistic(margin, target))
            }
            (Self::Squared, None) => {
                fill(out, units, margins, values, |_, margin, target| squared(margin, target))
            }
            (Self::Logistic, Some(weights)) => {
                let weights = &weights[..out.len()];
                fill(out, units, margins, values, |row, margin, target| {
                    logistic(margin, target).map(|derivative| derivative * weights[row])
                })
            }
            (Self::Squared, Some(weights)) => {
                let weights = &weights[..out.len()];
                fill(out, units, margins, values, |row, margin, target| {
                    squared(margin, target).map(|derivative| derivative * weights[row])
                })
            }
        }
    }
}

/// Writes derivatives in units. Nothing in it branches, so rows are done side by side.
#[inline(always)]
fn fill(
    out: &mut [Sums],
    [first_units, second_units]: [f64; 2],
    margins: &[f64],
    targets: &[f32],
    derivatives: impl Fn(usize, f32, f32) -> [f32; 2],
) -> Magnitudes {
    let rows = out.len();
    let (margins, targets) = (&margins[..rows], &targets[..rows]);
    let mut magnitudes = Magnitudes::default();
    for row in 0..rows {
        let [first, second] = derivatives(row, margins[row] as f32, targets[row]);
        let first = whole(f64::from(first) * first_units);
        let second = whole(f64::from(second) * second_units);
        out[row] = Sums::of_bits(first.to_bits(), second.to_bits());
        magnitudes.first += u64::from(out[row].first().unsigned_abs());
        magnitudes.second += u64::from(out[row].second().unsigned_abs());
    }
    magnitudes
}

/// A number of units whose lowest 32 bits are the nearest whole one.
#[inline(always)]
fn whole(units: f64) -> f64 {
    let units = if units < MOST_UNITS { units } else { MOST_UNITS };
    let units = if units > -MOST_UNITS { units } else { -MOST_UNITS };
    units + ROUND
}

#[inline(always)]
fn logistic(margin: f32, target: f32) -> [f32; 2] {
    let probability = 1.0 / (1.0 + exp(-margin));
    [probability - target, probability * (1.0 - probability)]
}

#[inline(always)]
fn squared(margin: f32, target: f32) -> [f32; 2] {
    [margin - target, 1.0]
}

/// e to the power of a number, within 2e-7 of its own size; beyond 87 in magnitude, that of 87.
///
/// # Method
/// With n the nearest whole number to x / ln 2, 2^n by its bits times the Taylor polynomial of the rest, whose terms beyond the seventh are below 1e-8. All
/// operations are exact to the last bit on every machine, and none branches.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Leaves the whole part of a number in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first of few bits.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = if x < 87.0 { x } else { 87.0 };
    let x = if x > -87.0 { x } else { -87.0 };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = x - whole * LN_2[0] - whole * LN_2[1];
    let terms = [1.0 / 5_040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let power = terms.into_iter().fold(0.0, |sum, term| sum * rest + term);
    f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// The mean log loss of rows with these margins.
pub(super) fn log_loss(margins: &[f64], targets: Targets<'_>) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for (row, (&margin, &target)) in margins.iter().zip(targets.values).enumerate() {
        // The log of the odds that it comes otherwise.
        let against = if target > 0.5 { -margin } else { margin };
        sum += targets.weight(row) * (against.max(0.0) + (-against.abs()).exp().ln_1p());
        weight += targets.weight(row);
    }
    sum / weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_within_two_ten_millionths() {
        for step in -90_000..90_000 {
            let x = step as f32 / 1_000.0;
            let exact = f64::from(x.clamp(-87.0, 87.0)).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 2e-7, "{x}: {} {exact}", exp(x));
        }
    }

    #[test]
    fn derivatives_are_those_of_the_loss_in_units() {
        let margins = [-80.0, -2.0, 0.0, 0.3, 1.5, 40.0];
        let weights = [1.0, 2.0, 0.5, 0.0, 3.0, 1.0];
        for target in [0.0f32, 1.0] {
            let targets = Targets { values: &[target; 6], weights: Some(&weights) };
            let scales = Scales::of(20.0, 20.0);
            let [first_units, second_units] = scales.units();
            let mut out = [Sums::default(); 6];
            let found = Loss::Logistic.derive(&margins, targets, scales, &mut out);
            assert_eq!(found.first, out.iter().map(|row| u64::from(row.first().unsigned_abs())).sum::<u64>());
            for ((row, &margin), &weight) in out.iter().zip(&margins).zip(&weights) {
                let (probability, weight) = (1.0 / (1.0 + f64::exp(-margin)), f64::from(weight));
                let first = f64::from(row.first()) / first_units;
                let second = f64::from(row.second()) / second_units;
                assert!((first - weight * (probability - f64::from(target))).abs() < 1e-6, "{margin}");
                assert!((second - weight * probability * (1.0 - probability)).abs() < 1e-6, "{margin}");
            }
        }
    }

    #[test]
    fn what_is_too_large_for_the_scales_is_seen() {
        let targets = Targets { values: &[0.0; 2], weights: None };
        let mut scales = Scales::of(1.0, 2.0);
        let mut out = [Sums::default(); 2];
        let mut tries = 0;
        while !scales.fit(Loss::Squared.derive(&[1e20, -3e5], targets, scales, &mut out)) {
            tries += 1;
        }
        assert!(tries < 80, "{tries}");
        assert!(out[0].first() > 1 << 29 && out[1].first() == 0, "{out:?}");
        assert_eq!(out[0].second(), out[1].second());
    }

    #[test]
    fn base_margins_and_losses_are_the_closed_forms() {
        let targets = Targets { values: &[1.0, 0.0, 0.0, 0.0], weights: None };
        assert_eq!(Loss::Logistic.base_margin(targets), (1.0f64 / 3.0).ln() as f32);
        assert_eq!(Loss::Squared.base_margin(targets), 0.25);
        let weighted = Targets { weights: Some(&[3.0, 1.0, 1.0, 1.0]), ..targets };
        assert_eq!(Loss::Logistic.base_margin(weighted), 0.0);
        let one_kind = Targets { values: &[1.0; 3], weights: None };
        assert!((Loss::Logistic.base_margin(one_kind) - 13.815_51).abs() < 1e-4);
        assert!((log_loss(&[0.0; 4], weighted) - 2f64.ln()).abs() < 1e-15);
        assert!((log_loss(&[800.0], Targets { values: &[0.0], weights: None }) - 800.0).abs() < 1e-9);
    }
}
