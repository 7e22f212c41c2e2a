//! The maps from margins to probabilities, of which a model has one.

use serde::{Deserialize, Serialize};

use crate::boosted::{probability, softplus};

/// A map from margins to probabilities: non-decreasing but for the last bit, never outside 0 to 1, never NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum CalibrationMap {
    /// 1 / (1 + exp(-m)).
    None,
    /// 1 / (1 + exp(-(slope m + intercept))).
    Platt {
        /// At least 0.
        slope: f64,
        /// Any finite number.
        intercept: f64,
    },
    /// 1 / (1 + exp(-(a ln s - b ln(1 - s) + c))), with s = 1 / (1 + exp(-m)).
    Beta {
        /// At least 0: how steep the curve is where the margin is low.
        a: f64,
        /// At least 0: how steep it is where the margin is high.
        b: f64,
        /// Any finite number.
        c: f64,
    },
    /// Lines between the points (margin, probability); level before the first and behind the last.
    Isotonic {
        /// At least one; margins ascend, probabilities do not descend.
        points: Vec<[f64; 2]>,
    },
}

impl CalibrationMap {
    /// Returns the probability of a margin; one that is NaN counts as the lowest.
    pub fn probability(&self, margin: f64) -> f64 {
        // The infinities as the largest numbers: nothing times them is nothing.
        let margin = if margin.is_nan() { f64::MIN } else { margin.clamp(f64::MIN, f64::MAX) };
        match self {
            Self::None => probability(margin),
            Self::Platt { slope, intercept } => probability(slope * margin + intercept),
            Self::Beta { a, b, c } => probability(a * low(margin) + b * high(margin) + c),
            Self::Isotonic { points } => between(points, margin),
        }
    }

    /// Checks a map that comes from elsewhere, and says what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let slope = |value: &f64| (0.0..f64::INFINITY).contains(value);
        let right = match self {
            Self::None => true,
            Self::Platt { slope: given, intercept } => slope(given) && intercept.is_finite(),
            Self::Beta { a, b, c } => slope(a) && slope(b) && c.is_finite(),
            Self::Isotonic { points } => {
                let inside = |[margin, probability]: &[f64; 2]| {
                    margin.is_finite() && (0.0..=1.0).contains(probability)
                };
                let ascend = |pair: &[[f64; 2]]| pair[0][0] < pair[1][0] && pair[0][1] <= pair[1][1];
                !points.is_empty() && points.iter().all(inside) && points.windows(2).all(ascend)
            }
        };
        if right { Ok(()) } else { Err("its calibration is no map that ascends from 0 to 1") }
    }
}

/// ln s, of s = 1 / (1 + exp(-margin)).
pub(super) fn low(margin: f64) -> f64 {
    -high(-margin)
}

/// -ln(1 - s), of s = 1 / (1 + exp(-margin)).
pub(super) fn high(margin: f64) -> f64 {
    softplus(margin)
}

fn between(points: &[[f64; 2]], margin: f64) -> f64 {
    let behind = points.partition_point(|point| point[0] <= margin);
    match (points[..behind].last(), points.get(behind)) {
        (Some([x0, y0]), Some([x1, y1])) => {
            // A line that rounding does not lift above its end.
            (y0 + (margin - x0) / (x1 - x0) * (y1 - y0)).min(*y1)
        }
        (Some([_, y]), None) | (None, Some([_, y])) => *y,
        (None, None) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps() -> [CalibrationMap; 6] {
        [
            CalibrationMap::None,
            CalibrationMap::Platt { slope: 0.7, intercept: -1.0 },
            CalibrationMap::Platt { slope: 0.0, intercept: 0.5 },
            CalibrationMap::Beta { a: 0.3, b: 1.5, c: -0.2 },
            CalibrationMap::Beta { a: 0.0, b: 0.0, c: 0.0 },
            CalibrationMap::Isotonic { points: vec![[-1.0, 0.0], [0.0, 0.25], [0.5, 0.25], [2.0, 1.0]] },
        ]
    }

    #[test]
    fn no_margin_leads_outside_or_down() {
        let ends = [f64::NEG_INFINITY, f64::MIN, -1e9, 1e9, f64::MAX, f64::INFINITY];
        let inner = (-4_000..=4_000).map(|step| f64::from(step) / 100.0);
        let mut margins: Vec<f64> = ends.into_iter().chain(inner).collect();
        margins.sort_by(f64::total_cmp);
        for map in maps() {
            map.check().unwrap();
            let found: Vec<f64> = margins.iter().map(|&margin| map.probability(margin)).collect();
            assert!(found.iter().all(|value| (0.0..=1.0).contains(value)), "{map:?}");
            assert!(found.windows(2).all(|pair| pair[0] <= pair[1] + f64::EPSILON), "{map:?}");
            assert_eq!(map.probability(f64::NAN), found[0]);
        }
    }

    #[test]
    fn lines_join_the_points_and_are_level_behind_them() {
        let [.., map] = maps();
        let found = [-9.0, -1.0, -0.5, 0.0, 0.2, 1.25, 2.0, 9.0].map(|margin| map.probability(margin));
        assert_eq!(found, [0.0, 0.0, 0.125, 0.25, 0.25, 0.625, 1.0, 1.0]);
    }

    #[test]
    fn a_beta_curve_with_equal_ends_is_a_logistic_curve() {
        let beta = CalibrationMap::Beta { a: 0.7, b: 0.7, c: -1.0 };
        let platt = CalibrationMap::Platt { slope: 0.7, intercept: -1.0 };
        for margin in [-30.0, -2.0, 0.0, 0.1, 5.0, 30.0] {
            assert!((beta.probability(margin) - platt.probability(margin)).abs() < 1e-15, "{margin}");
        }
    }

    #[test]
    fn what_does_not_ascend_is_refused() {
        let isotonic = |points: &[[f64; 2]]| CalibrationMap::Isotonic { points: points.to_vec() };
        for map in [
            CalibrationMap::Platt { slope: -0.1, intercept: 0.0 },
            CalibrationMap::Platt { slope: f64::NAN, intercept: 0.0 },
            CalibrationMap::Platt { slope: f64::INFINITY, intercept: 0.0 },
            CalibrationMap::Platt { slope: 1.0, intercept: f64::NAN },
            CalibrationMap::Beta { a: 1.0, b: -1.0, c: 0.0 },
            CalibrationMap::Beta { a: 1.0, b: 1.0, c: f64::INFINITY },
            isotonic(&[]),
            isotonic(&[[0.0, 1.1]]),
            isotonic(&[[f64::NAN, 0.5]]),
            isotonic(&[[0.0, 0.5], [0.0, 0.6]]),
            isotonic(&[[0.0, 0.5], [1.0, 0.4]]),
        ] {
            assert!(map.check().is_err(), "{map:?}");
        }
    }
}
