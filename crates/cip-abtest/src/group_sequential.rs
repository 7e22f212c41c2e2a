//! A few planned looks: boundaries that spend the level alpha as information comes in.

use serde::{Deserialize, Serialize};

use crate::arm_count::check_level;
use crate::distribution::{normal_below, normal_beyond, normal_cut, normal_density, normal_quantile};
use crate::error::AbTestError;

/// How much of the level has been spent when a share t of the units is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spending {
    /// 4 - 4 Phi(z / sqrt(t)) with z cutting off alpha / 4: almost nothing early, and a last boundary near that of one look
    /// (O'Brien and Fleming 1979).
    ObrienFleming,
    /// alpha ln(1 + (e - 1) t): boundaries that are nearly alike (Pocock 1977).
    Pocock,
}

impl Spending {
    /// Returns the part of `alpha` that is spent at the share `t` of the units, 0 to 1.
    fn spent(self, alpha: f64, t: f64) -> f64 {
        match self {
            // A share of nothing has spent nothing: z over 0 is infinite.
            Self::ObrienFleming => (2.0 * normal_beyond(normal_cut(alpha / 2.0) / t.sqrt())).min(alpha),
            Self::Pocock => alpha * (t * (std::f64::consts::E - 1.0)).ln_1p(),
        }
    }
}

/// Looks at planned shares of the units, with a boundary for each.
///
/// # Method
/// Alpha spending of Lan and DeMets 1983, two-sided and symmetric; the probabilities of crossing by recursive integration
/// (Armitage, McPherson and Rowe 1969).
///
/// # Examples
/// ```
/// use cip_abtest::{GroupSequential, Spending};
/// let design = GroupSequential::new(&[0.25, 0.5, 0.75, 1.0], Spending::ObrienFleming, 0.05)?;
/// let boundaries: Vec<_> = design.looks().iter().map(|look| format!("{:.3}", look.boundary)).collect();
/// assert_eq!(boundaries, ["4.333", "2.963", "2.359", "2.014"]);
/// // It takes hardly more units than one look, if all of them are needed.
/// assert_eq!(format!("{:.3}", design.inflation(0.8)?), "1.020");
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSequential {
    alpha: f64,
    looks: Vec<Look>,
}

/// A planned look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Look {
    /// The share of the units that are in.
    pub share: f64,
    /// The effect is a finding where it lies as many standard errors from 0, either way.
    pub boundary: f64,
    /// The same as a p-value of this look alone.
    pub nominal_p: f64,
    /// The part of alpha spent so far.
    pub spent: f64,
}

/// Places at which the density between the boundaries is kept; odd, for Simpson's rule.
const PLACES: usize = 201;
/// Shares of looks must lie this far apart, or the density is narrower than the places.
const LEAST_GAP: f64 = 0.005;
/// No boundary is farther out: beyond it lies less than 1e-15.
const FARTHEST: f64 = 8.0;

impl GroupSequential {
    /// Returns the design with looks at these shares of the units: rising, the last of them 1.
    ///
    /// # Complexity
    /// Forty thousand steps a look.
    ///
    /// # Errors
    /// [`AbTestError::Level`]; [`AbTestError::Looks`] where the shares do not rise to 1 by .005 or more each.
    pub fn new(shares: &[f64], spending: Spending, alpha: f64) -> Result<Self, AbTestError> {
        let alpha = check_level("alpha", alpha)?;
        let before = std::iter::once(0.0).chain(shares.iter().copied());
        let rise = before.zip(shares).all(|(before, share)| share - before >= LEAST_GAP);
        if shares.last() != Some(&1.0) || !rise {
            return Err(AbTestError::Looks { shares: shares.to_vec() });
        }
        let mut looks: Vec<Look> = Vec::with_capacity(shares.len());
        let mut inside = Inside::start();
        let mut spent = 0.0;
        for &share in shares {
            let due = spending.spent(alpha, share);
            let boundary = inside.boundary(share, due - spent);
            looks.push(Look { share, boundary, nominal_p: normal_beyond(boundary), spent: due });
            inside = inside.after(share, boundary, 0.0);
            spent = due;
        }
        Ok(Self { alpha, looks })
    }

    /// Returns the design with `looks` looks at equal distances.
    ///
    /// # Errors
    /// As [`GroupSequential::new`].
    pub fn equally_spaced(looks: u32, spending: Spending, alpha: f64) -> Result<Self, AbTestError> {
        let shares: Vec<f64> = (1..=looks).map(|look| f64::from(look) / f64::from(looks)).collect();
        Self::new(&shares, spending, alpha)
    }

    /// The looks.
    pub fn looks(&self) -> &[Look] {
        &self.looks
    }

    /// Returns the probability to find an effect at each look, where its statistic at the last one is expected to be
    /// `drift`; findings in the wrong direction are not counted.
    pub fn crossings(&self, drift: f64) -> Vec<f64> {
        let mut inside = Inside::start();
        let crossing = self.looks.iter().map(|look| {
            let above = inside.above(look.share, look.boundary, drift);
            inside = inside.after(look.share, look.boundary, drift);
            above
        });
        crossing.collect()
    }

    /// Returns the expected statistic at the last look with which an effect is found with probability `power`.
    ///
    /// # Errors
    /// [`AbTestError::Level`].
    pub fn drift(&self, power: f64) -> Result<f64, AbTestError> {
        let power = check_level("power", power)?;
        let (mut low, mut high) = (0.0, FARTHEST + normal_quantile(power).max(0.0));
        while high - low > 1e-9 {
            let middle = f64::midpoint(low, high);
            if self.crossings(middle).iter().sum::<f64>() < power { low = middle } else { high = middle }
        }
        Ok(high)
    }

    /// Returns how many times the units of a single look it takes to have the same power, if the last look is reached.
    ///
    /// # Errors
    /// [`AbTestError::Level`].
    pub fn inflation(&self, power: f64) -> Result<f64, AbTestError> {
        let once = normal_cut(self.alpha) + normal_quantile(check_level("power", power)?);
        Ok((self.drift(power)? / once).powi(2))
    }

    /// Returns the share of the units that are in when the experiment stops, on average, for an effect with the `drift` of
    /// [`GroupSequential::crossings`].
    pub fn expected_share(&self, drift: f64) -> f64 {
        let (up, down) = (self.crossings(drift), self.crossings(-drift));
        let mut going = 1.0;
        let mut expected = 0.0;
        let mut before = 0.0;
        for ((look, up), down) in self.looks.iter().zip(up).zip(down) {
            expected += going * (look.share - before);
            going -= up + down;
            before = look.share;
        }
        expected
    }
}

/// The density of the statistic times sqrt(t), of experiments that have not been stopped.
struct Inside {
    share: f64,
    /// From the lowest place to the highest.
    places: Vec<(f64, f64)>,
}

impl Inside {
    /// All of them at 0.
    fn start() -> Self {
        Self { share: 0.0, places: vec![(0.0, 1.0)] }
    }

    /// The probability to be above the boundary at `share`.
    fn above(&self, share: f64, boundary: f64, drift: f64) -> f64 {
        let gap = share - self.share;
        let (end, spread) = (boundary * share.sqrt() - drift * gap, gap.sqrt());
        self.places.iter().map(|(place, mass)| mass * normal_below((place - end) / spread)).sum()
    }

    /// The boundary beyond which `spend` lies, on both sides together.
    fn boundary(&self, share: f64, spend: f64) -> f64 {
        let (mut low, mut high) = (0.0, FARTHEST);
        while high - low > 1e-12 {
            let middle = f64::midpoint(low, high);
            if 2.0 * self.above(share, middle, 0.0) > spend { low = middle } else { high = middle }
        }
        high
    }

    /// What is left between the boundaries at `share`.
    fn after(&self, share: f64, boundary: f64, drift: f64) -> Self {
        let (gap, end) = (share - self.share, boundary * share.sqrt());
        let (spread, step) = (gap.sqrt(), 2.0 * end / (PLACES - 1) as f64);
        let places = (0..PLACES).map(|index| {
            let place = -end + step * index as f64;
            // Simpson's weights: 1, 4, 2, 4, …, 4, 1 thirds of the step.
            let weight = match index {
                0 => 1.0,
                _ if index == PLACES - 1 => 1.0,
                _ if index % 2 == 1 => 4.0,
                _ => 2.0,
            };
            let come = self
                .places
                .iter()
                .map(|(from, mass)| mass * normal_density((place - from - drift * gap) / spread));
            (place, weight / 3.0 * step / spread * come.sum::<f64>())
        });
        Self { share, places: places.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_of_lan_and_demets() {
        // Reboussin, DeMets, Kim and Lan 2000, Controlled Clinical Trials 21, 190-207: five equal looks, two-sided .05.
        for (spending, expected) in [
            (Spending::ObrienFleming, [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
            (Spending::Pocock, [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
        ] {
            let design = GroupSequential::equally_spaced(5, spending, 0.05).unwrap();
            for (look, expected) in design.looks().iter().zip(expected) {
                assert!((look.boundary - expected).abs() < 1.5e-4, "{spending:?} {look:?} {expected}");
            }
            assert!((design.looks()[4].spent - 0.05).abs() < 1e-9);
        }
    }

    #[test]
    fn without_an_effect_alpha_is_spent_and_no_more() {
        for spending in [Spending::ObrienFleming, Spending::Pocock] {
            let design = GroupSequential::new(&[0.1, 0.35, 0.36, 0.9, 1.0], spending, 0.1).unwrap();
            let found: f64 = design.crossings(0.0).iter().sum();
            assert!((2.0 * found - 0.1).abs() < 1e-6, "{spending:?} {found}");
            let drift = design.drift(0.9).unwrap();
            assert!((design.crossings(drift).iter().sum::<f64>() - 0.9).abs() < 1e-8);
            assert!(design.inflation(0.9).unwrap() > 1.0);
            assert!(design.expected_share(drift) < 1.0);
        }
    }

    #[test]
    fn one_look_is_the_ordinary_test() {
        let design = GroupSequential::new(&[1.0], Spending::Pocock, 0.05).unwrap();
        assert!((design.looks()[0].boundary - 1.959_964).abs() < 1e-6);
        assert!((design.inflation(0.8).unwrap() - 1.0).abs() < 1e-8);
        assert_eq!(design.expected_share(2.0), 1.0);
        // Many looks are a random walk that is watched: still all of alpha.
        let daily = GroupSequential::equally_spaced(50, Spending::ObrienFleming, 0.05).unwrap();
        assert!((2.0 * daily.crossings(0.0).iter().sum::<f64>() - 0.05).abs() < 1e-6);
    }

    #[test]
    fn looks_that_do_not_rise_to_one_are_refused() {
        for shares in
            [&[][..], &[0.5], &[0.5, 0.5, 1.0], &[0.6, 0.4, 1.0], &[f64::NAN, 1.0], &[0.0, 1.0], &[0.5, 1.5]]
        {
            let error = GroupSequential::new(shares, Spending::Pocock, 0.05).unwrap_err();
            assert!(matches!(error, AbTestError::Looks { .. }), "{shares:?}");
        }
        assert!(GroupSequential::new(&[1.0], Spending::Pocock, f64::NAN).is_err());
        assert!(GroupSequential::new(&[1.0], Spending::Pocock, 0.05).unwrap().drift(1.0).is_err());
    }
}
