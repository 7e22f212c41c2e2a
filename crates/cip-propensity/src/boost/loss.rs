//! What is lowered: the losses, and their derivatives by the margin.

use std::ops::Range;

use crate::boost::sums::{Magnitudes, Scales, Sums};
use crate::boosted::softplus;

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
    pub(super) fn part(self, rows: Range<usize>) -> Self {
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

/// An addend that leaves the nearest whole number in the lowest bits, of numbers below 2^51.
const ROUND: f64 = 6_755_399_441_055_744.0;

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
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "calls what the processor was asked for")]
            // SAFETY: the processor has the feature that the function is compiled for.
            return unsafe { self.derive_avx2(margins, targets, scales, out) };
        }
        self.derive_with(margins, targets, scales, out)
    }

    /// The same, with twice as many rows side by side.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn derive_avx2(
        self,
        margins: &[f64],
        targets: Targets<'_>,
        scales: Scales,
        out: &mut [Sums],
    ) -> Magnitudes {
        self.derive_with(margins, targets, scales, out)
    }

    #[inline(always)]
    fn derive_with(
        self,
        margins: &[f64],
        targets: Targets<'_>,
        scales: Scales,
        out: &mut [Sums],
    ) -> Magnitudes {
        let units = scales.units();
        let Targets { values, weights } = targets;
        let weighted = |derivatives: [f32; 2], weight: f32| derivatives.map(|derivative| derivative * weight);
        // Without weights the targets stand in their place, and nothing looks at them.
        match (self, weights) {
            (Self::Logistic, None) => {
                fill(out, units, margins, values, values, |margin, target, _| logistic(margin, target))
            }
            (Self::Squared, None) => {
                fill(out, units, margins, values, values, |margin, target, _| squared(margin, target))
            }
            (Self::Logistic, Some(weights)) => {
                fill(out, units, margins, values, weights, |margin, target, weight| {
                    weighted(logistic(margin, target), weight)
                })
            }
            (Self::Squared, Some(weights)) => {
                fill(out, units, margins, values, weights, |margin, target, weight| {
                    weighted(squared(margin, target), weight)
                })
            }
        }
    }
}

/// Rows that are done side by side.
const LANES: usize = 8;

/// Writes derivatives in units. Nothing in it branches.
#[inline(always)]
fn fill(
    out: &mut [Sums],
    units: [f64; 2],
    margins: &[f64],
    targets: &[f32],
    weights: &[f32],
    derivatives: impl Fn(f32, f32, f32) -> [f32; 2],
) -> Magnitudes {
    let (blocks, rest) = out.as_chunks_mut::<LANES>();
    let (margin_blocks, margins) = margins.as_chunks::<LANES>();
    let (target_blocks, targets) = targets.as_chunks::<LANES>();
    let (weight_blocks, weights) = weights.as_chunks::<LANES>();
    let mut sums = [[0.0; LANES]; 2];
    let inputs = margin_blocks.iter().zip(target_blocks).zip(weight_blocks);
    for (out, ((margins, targets), weights)) in blocks.iter_mut().zip(inputs) {
        fill_block(out, units, margins, targets, weights, &derivatives, &mut sums);
    }
    // The last rows, and as many others that are nothing.
    let mut last = ([Sums::default(); LANES], [0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let count = rest.len();
    last.1[..count].copy_from_slice(&margins[..count]);
    last.2[..count].copy_from_slice(&targets[..count]);
    last.3[..count].copy_from_slice(&weights[..count]);
    let mut last_sums = [[0.0; LANES]; 2];
    fill_block(&mut last.0, units, &last.1, &last.2, &last.3, &derivatives, &mut last_sums);
    rest.copy_from_slice(&last.0[..count]);
    let sum = |at: usize| sums[at].iter().chain(&last_sums[at][..count]).sum();
    Magnitudes { first: sum(0), second: sum(1) }
}

#[inline(always)]
fn fill_block(
    out: &mut [Sums; LANES],
    [first_units, second_units]: [f64; 2],
    margins: &[f64; LANES],
    targets: &[f32; LANES],
    weights: &[f32; LANES],
    derivatives: impl Fn(f32, f32, f32) -> [f32; 2],
    [first_sums, second_sums]: &mut [[f64; LANES]; 2],
) {
    for lane in 0..LANES {
        let [first, second] = derivatives(margins[lane] as f32, targets[lane], weights[lane]);
        let first = f64::from(first) * first_units + ROUND;
        let second = f64::from(second) * second_units + ROUND;
        out[lane] = Sums::of_bits(first.to_bits(), second.to_bits());
        first_sums[lane] += (first - ROUND).abs();
        second_sums[lane] += second - ROUND;
    }
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
        sum += targets.weight(row) * softplus(against);
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
            assert_eq!(found.first, out.iter().map(|row| f64::from(row.first().unsigned_abs())).sum::<f64>());
            for ((row, &margin), &weight) in out.iter().zip(&margins).zip(&weights) {
                let (probability, weight) = (1.0 / (1.0 + f64::exp(-margin)), f64::from(weight));
                let first = f64::from(row.first()) / first_units;
                let second = f64::from(row.second()) / second_units;
                assert!((first - weight * (probability - f64::from(target))).abs() < 1e-6, "{margin}");
                assert!((second - weight * probability * (1.0 - probability)).abs() < 1e-6, "{margin}");
            }
        }
    }

    /// The kernel that is compiled for this processor, and the one for any.
    #[test]
    fn derivatives_have_the_same_bits_on_every_processor() {
        for rows in (0..40).chain([1_000]) {
            let margins: Vec<f64> = (0..rows).map(|row| f64::from(row * 37 % 101) / 7.0 - 7.0).collect();
            let values: Vec<f32> = (0..rows).map(|row| (row % 2) as f32).collect();
            let weights: Vec<f32> = (0..rows).map(|row| (row % 5) as f32 / 2.0).collect();
            for (loss, weights) in [
                (Loss::Logistic, None),
                (Loss::Squared, None),
                (Loss::Logistic, Some(&weights)),
                (Loss::Squared, Some(&weights)),
            ] {
                let targets = Targets { values: &values, weights: weights.map(Vec::as_slice) };
                let scales = Scales::of(1e4, 1e4);
                let mut out = [vec![Sums::default(); rows as usize], vec![Sums::default(); rows as usize]];
                let one = loss.derive(&margins, targets, scales, &mut out[0]);
                assert_eq!(one, loss.derive_with(&margins, targets, scales, &mut out[1]));
                assert_eq!(out[0], out[1]);
                assert_eq!(
                    one.first,
                    out[0].iter().map(|row| f64::from(row.first().unsigned_abs())).sum::<f64>()
                );
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
        assert!(tries < 5, "{tries}");
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
