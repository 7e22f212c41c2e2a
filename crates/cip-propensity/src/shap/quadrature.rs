//! The rule of Gauss and Legendre on 0 to 1.

use std::f64::consts::PI;

/// Points and weights that integrate polynomials of degree 2n - 1 or less from 0 to 1 exactly.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quadrature {
    pub(super) points: Vec<Point>,
}

/// A point of the rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) t: f64,
    /// 1 - t, to its last digit.
    pub(super) rest: f64,
    pub(super) weight: f64,
}

impl Quadrature {
    /// Returns the rule of `n` points, at least one.
    ///
    /// # Method
    /// The points are the roots of the Legendre polynomial of degree n, by Newton's method from Tricomi's estimate cos(π (i - 1/4)
    /// / (n + 1/2)); the weights follow from its derivative there.
    pub(super) fn new(n: usize) -> Self {
        const STEPS: usize = 100;
        let point = |i: usize| {
            let mut x = (PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
            for _ in 0..STEPS {
                let (value, slope) = legendre(n, x);
                let step = value / slope;
                x -= step;
                if step.abs() <= f64::EPSILON {
                    break;
                }
            }
            let (_, slope) = legendre(n, x);
            // Half of 2 / ((1 - x^2) slope^2), for an interval of half the length.
            Point { t: 0.5 * (1.0 - x), rest: 0.5 * (1.0 + x), weight: 1.0 / ((1.0 - x * x) * slope * slope) }
        };
        Self { points: (0..n.max(1)).map(point).collect() }
    }
}

/// The Legendre polynomial of degree `n` and its derivative.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=n {
        let k = k as f64;
        (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_integrated_exactly_up_to_the_degree() {
        for n in (1..=20).chain([64, 200]) {
            let rule = Quadrature::new(n);
            assert_eq!(rule.points.len(), n);
            for degree in 0..2 * n {
                let sum: f64 =
                    (rule.points.iter()).map(|point| point.weight * point.t.powi(degree as i32)).sum();
                let expected = 1.0 / (degree + 1) as f64;
                assert!((sum - expected).abs() < 1e-14, "{n} points, degree {degree}: {sum} {expected}");
            }
            for point in &rule.points {
                assert!(0.0 < point.t && point.t < 1.0 && point.weight > 0.0, "{point:?}");
                assert!((point.t + point.rest - 1.0).abs() < 1e-15, "{point:?}");
            }
        }
    }
}
