//! The beta distribution as a posterior of a rate: exact enough for any number of units.

use crate::error::AbTestError;

/// What is believed of a rate after x successes of n: a beta distribution, tabulated over the log odds, where its density
/// is smooth and falls off fast at both ends, whatever its parameters.
#[derive(Debug, Clone)]
pub(crate) struct BetaPosterior {
    a: f64,
    b: f64,
    low: f64,
    step: f64,
    peak: f64,
    /// The share below each node; the last is 1.
    below: Vec<f64>,
    total: f64,
}

const PANELS: usize = 400;
/// The density is left out where it is below e^-40 of its peak.
const DEPTH: f64 = 40.0;
/// Nodes and weights of Gauss and Legendre of order 5 on -1..1.
const NODES: [f64; 5] =
    [0.0, 0.538_469_310_105_683, -0.538_469_310_105_683, 0.906_179_845_938_664, -0.906_179_845_938_664];
const WEIGHTS: [f64; 5] = [
    0.568_888_888_888_888_9,
    0.478_628_670_499_366_47,
    0.478_628_670_499_366_47,
    0.236_926_885_056_189_08,
    0.236_926_885_056_189_08,
];

impl BetaPosterior {
    /// Both parameters are .5 or more: below, a panel would be too wide for the bend of the density.
    pub(crate) fn new(a: f64, b: f64) -> Self {
        let middle = (a / b).ln();
        let peak = log_density(a, b, middle);
        let edge = |direction: f64| {
            let outside = |distance: f64| log_density(a, b, middle + direction * distance) < peak - DEPTH;
            let (mut near, mut far) = (0.0, 1e-9);
            while !outside(far) {
                (near, far) = (far, 2.0 * far);
            }
            for _ in 0..60 {
                let half = f64::midpoint(near, far);
                if outside(half) { far = half } else { near = half }
            }
            middle + direction * far
        };
        let (low, high) = (edge(-1.0), edge(1.0));
        let step = (high - low) / PANELS as f64;
        let mut posterior = Self { a, b, low, step, peak, below: vec![0.0], total: 1.0 };
        let mut sum = 0.0;
        for panel in 0..PANELS {
            let start = low + step * panel as f64;
            sum += posterior.mass(start, start + step);
            posterior.below.push(sum);
        }
        posterior.below.iter_mut().for_each(|below| *below /= sum);
        posterior.total = sum;
        posterior
    }

    /// The posterior after one success more.
    pub(crate) fn with_success(&self) -> Self {
        Self::new(self.a + 1.0, self.b)
    }

    /// How wide it is, as the panels of its log odds are.
    pub(crate) fn width(&self) -> f64 {
        self.step
    }

    pub(crate) fn mean(&self) -> f64 {
        self.a / (self.a + self.b)
    }

    /// P(rate <= x).
    pub(crate) fn below(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return 0.0;
        }
        if x >= 1.0 {
            return 1.0;
        }
        self.below_odds((x / (1.0 - x)).ln())
    }

    /// The expected value of a function of the rate.
    pub(crate) fn expect(&self, function: impl Fn(f64) -> f64) -> f64 {
        // The density and all its derivatives vanish at the ends: the trapezoidal rule converges faster than any power.
        let weighted = (0..=PANELS).map(|node| {
            let odds = self.low + self.step * node as f64;
            self.density(odds) * function(rate(odds))
        });
        weighted.sum::<f64>() * self.step / self.total
    }

    /// The same over the rates in `from..to` alone, where the function may break off at either.
    pub(crate) fn expect_between(&self, [from, to]: [f64; 2], function: impl Fn(f64) -> f64) -> f64 {
        const PARTS: usize = PANELS / 4;
        let high = self.low + self.step * PANELS as f64;
        let odds = |rate: f64| (rate / (1.0 - rate)).ln();
        let start = if from > 0.0 { odds(from).clamp(self.low, high) } else { self.low };
        let end = if to < 1.0 { odds(to).clamp(self.low, high) } else { high };
        let half = 0.5 * (end - start).max(0.0) / PARTS as f64;
        let part = |part: usize| {
            let middle = start + half * (2 * part + 1) as f64;
            let weighted = NODES.iter().zip(WEIGHTS).map(|(node, weight)| {
                let odds = middle + half * node;
                weight * self.density(odds) * function(rate(odds))
            });
            weighted.sum::<f64>()
        };
        (0..PARTS).map(part).sum::<f64>() * half / self.total
    }

    fn below_odds(&self, odds: f64) -> f64 {
        let place = (odds - self.low) / self.step;
        if place <= 0.0 {
            return 0.0;
        }
        let panel = place as usize;
        match self.below.get(panel) {
            Some(below) if panel < PANELS => {
                let start = self.low + self.step * panel as f64;
                (below + self.mass(start, odds) / self.total).min(1.0)
            }
            _ => 1.0,
        }
    }

    fn mass(&self, from: f64, to: f64) -> f64 {
        let (middle, half) = (f64::midpoint(from, to), 0.5 * (to - from));
        NODES
            .iter()
            .zip(WEIGHTS)
            .map(|(node, weight)| weight * self.density(middle + half * node))
            .sum::<f64>()
            * half
    }

    fn density(&self, odds: f64) -> f64 {
        (log_density(self.a, self.b, odds) - self.peak).exp()
    }
}

/// The log density of the log odds, but for a constant: a ln x + b ln(1 - x).
fn log_density(a: f64, b: f64, odds: f64) -> f64 {
    -a * softplus(-odds) - b * softplus(odds)
}

/// ln(1 + e^x), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn rate(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

/// Refuses parameters that make no distribution.
pub(crate) fn check_prior(what: &'static str, value: f64) -> Result<f64, AbTestError> {
    if (0.5..=1e12).contains(&value) {
        Ok(value)
    } else {
        Err(AbTestError::Setting { what, value, allowed: "0.5 to 1e12" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::function::beta::beta_reg;

    #[test]
    fn it_is_the_incomplete_beta_function() {
        for (a, b) in [(1.0, 1.0), (0.5, 0.5), (3.0, 7.0), (0.5, 20.0), (200.0, 5.0), (900.0, 1_100.0)] {
            let posterior = BetaPosterior::new(a, b);
            for x in [1e-6, 0.001, 0.1, 0.3, 0.45, 0.5, 0.9, 0.98, 0.999_9] {
                let expected = beta_reg(a, b, x);
                assert!((posterior.below(x) - expected).abs() < 1e-9, "{a} {b} {x} {}", posterior.below(x));
            }
            assert!((posterior.expect(|x| x) - posterior.mean()).abs() < 1e-9, "{a} {b}");
            assert_eq!((posterior.below(0.0), posterior.below(1.0)), (0.0, 1.0));
        }
    }

    #[test]
    fn of_many_units_it_is_normal() {
        let posterior = BetaPosterior::new(3e9, 7e9);
        let deviation = (0.3 * 0.7 / 1e10f64).sqrt();
        assert!((posterior.below(0.3 + 1.959_964 * deviation) - 0.975).abs() < 1e-5);
        assert!((posterior.below(0.3) - 0.5).abs() < 1e-4);
    }
}
