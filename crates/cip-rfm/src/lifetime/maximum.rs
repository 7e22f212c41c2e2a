//! Where a likelihood is greatest, and how sure that is.

use rayon::prelude::*;

use super::dual::{Dual, Real};
use crate::error::RfmError;

/// The likelihood of a history under `N` parameters, all above 0.
pub(super) trait Likelihood<const N: usize>: Sync {
    /// What is known of one customer.
    type History: Sync;

    /// What the model and its parameters are called.
    fn names(&self) -> (&'static str, [&'static str; N]);

    /// Returns the logarithm of the likelihood.
    fn ln_likelihood<R: Real>(&self, parameters: [R; N], history: &Self::History) -> R;

    /// Gives the logarithm of the likelihood of each history to `add`, and its weight.
    fn each<R: Real>(
        &self,
        parameters: [R; N],
        histories: &[(Self::History, f64)],
        mut add: impl FnMut(R, f64),
    ) {
        for (history, weight) in histories {
            add(self.ln_likelihood(parameters, history), *weight);
        }
    }
}

/// The parameters at which the likelihood is greatest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maximum<const N: usize> {
    pub(super) parameters: [f64; N],
    pub(super) covariance: [[f64; N]; N],
    pub(super) log_likelihood: f64,
}

/// Returns the maximum of the likelihood of weighted histories.
///
/// # Method
/// The logarithms of the parameters are searched, so that all stay above 0: by BFGS with exact gradients and a backtracking
/// line search (Nocedal and Wright 2006, chapters 3 and 6), then by Newton's method, so that the result does not
/// depend on the way to it. The covariance is the inverse of the observed information: the matrix of second
/// derivatives, from differences of the exact gradients.
///
/// # Errors
/// [`RfmError::NoMaximum`] where a parameter runs away, or may have almost any value.
pub(super) fn maximize<const N: usize, L: Likelihood<N>>(
    likelihood: &L,
    histories: &[(L::History, f64)],
    start: [f64; N],
) -> Result<Maximum<N>, RfmError> {
    let search = Search { likelihood, histories, weight: histories.iter().map(|(_, weight)| weight).sum() };
    let reached = search.descend(search.at(start.map(f64::ln)))?;
    let (point, inverse) = search.polish(reached)?;
    let parameters = point.logarithms.map(f64::exp);
    let covariance = std::array::from_fn(|row| {
        std::array::from_fn(|column| {
            inverse[row][column] / search.weight * parameters[row] * parameters[column]
        })
    });
    Ok(Maximum { parameters, covariance, log_likelihood: -point.loss * search.weight })
}

type Matrix<const N: usize> = [[f64; N]; N];

struct Search<'a, const N: usize, L: Likelihood<N>> {
    likelihood: &'a L,
    histories: &'a [(L::History, f64)],
    weight: f64,
}

/// The mean of the negative log-likelihoods at a place, and its gradient by the logarithms of the parameters.
#[derive(Clone, Copy)]
struct Point<const N: usize> {
    logarithms: [f64; N],
    loss: f64,
    gradient: [f64; N],
}

impl<const N: usize> Point<N> {
    fn steepest(&self) -> f64 {
        self.gradient.iter().fold(0.0, |most, slope| slope.abs().max(most))
    }

    fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.gradient.iter().all(|slope| slope.is_finite())
    }
}

/// Histories whose likelihoods are summed at once.
const BLOCK: usize = 4_096;
/// Beyond this logarithm a parameter has run away.
const FARTHEST: f64 = 30.0;
/// The most that a logarithm changes in one step: a factor of about seven.
const LONGEST_STEP: f64 = 2.0;

impl<const N: usize, L: Likelihood<N>> Search<'_, N, L> {
    fn at(&self, logarithms: [f64; N]) -> Point<N> {
        let parameters = logarithms.map(f64::exp);
        let dual = Dual::parameters(parameters);
        let of_block = |histories: &[(L::History, f64)]| {
            let (mut sum, mut slopes) = (0.0, [0.0; N]);
            self.likelihood.each(dual, histories, |term, weight| {
                sum += weight * term.value();
                for (sum, slope) in slopes.iter_mut().zip(term.slopes()) {
                    *sum += weight * slope;
                }
            });
            (sum, slopes)
        };
        // Blocks are summed on any thread, and their sums added in order: the same bits on any number of them.
        let blocks: Vec<(f64, [f64; N])> = self.histories.par_chunks(BLOCK).map(of_block).collect();
        let (mut sum, mut slopes) = (0.0, [0.0; N]);
        for (of_block, slopes_of_block) in blocks {
            sum += of_block;
            for (sum, slope) in slopes.iter_mut().zip(slopes_of_block) {
                *sum += slope;
            }
        }
        let gradient = std::array::from_fn(|at| -slopes[at] * parameters[at] / self.weight);
        Point { logarithms, loss: -sum / self.weight, gradient }
    }

    /// Goes down to a place that is almost level.
    fn descend(&self, mut point: Point<N>) -> Result<Point<N>, RfmError> {
        const STEPS: usize = 1_000;
        const LEVEL: f64 = 1e-7;
        let mut inverse = identity();
        let mut fresh = true;
        for _ in 0..STEPS {
            if point.steepest() <= LEVEL {
                break;
            }
            match self.next(&point, product(&inverse, &point.gradient).map(|step| -step)) {
                Some(next) => {
                    self.check_near(&next)?;
                    update(&mut inverse, &point, &next, fresh);
                    fresh = false;
                    point = next;
                }
                // What the search has learnt of the shape misleads it: forget it once.
                None if !fresh => (inverse, fresh) = (identity(), true),
                None => break,
            }
        }
        Ok(point)
    }

    /// Returns the first place on the way along `step` that is low enough.
    fn next(&self, point: &Point<N>, step: [f64; N]) -> Option<Point<N>> {
        const ENOUGH: f64 = 1e-4;
        const HALVINGS: usize = 60;
        let slope = dot(&step, &point.gradient);
        let longest = step.iter().fold(0.0, |most: f64, part| part.abs().max(most));
        let mut share = (LONGEST_STEP / longest).min(1.0);
        if slope.is_nan() || slope >= 0.0 {
            return None;
        }
        for _ in 0..HALVINGS {
            let next = self.at(std::array::from_fn(|at| point.logarithms[at] + share * step[at]));
            if next.is_finite() && next.loss <= point.loss + ENOUGH * share * slope && next.loss < point.loss
            {
                return Some(next);
            }
            share /= 2.0;
        }
        None
    }

    /// Goes to the lowest place by Newton's method, and returns it with the inverse of the second derivatives.
    fn polish(&self, mut point: Point<N>) -> Result<(Point<N>, Matrix<N>), RfmError> {
        const STEPS: usize = 20;
        /// A logarithm known no better than this is not known.
        const UNKNOWN: f64 = 10.0;
        for _ in 0..STEPS {
            let Some(inverse) = invert(&self.second_derivatives(&point)) else {
                return Err(self.no_maximum(&point));
            };
            if (0..N).any(|at| inverse[at][at] > UNKNOWN * UNKNOWN * self.weight) {
                return Err(self.no_maximum(&point));
            }
            let step = product(&inverse, &point.gradient);
            let next = self.at(std::array::from_fn(|at| point.logarithms[at] - step[at]));
            if !(next.is_finite() && next.steepest() < point.steepest()) {
                return Ok((point, inverse));
            }
            point = next;
            self.check_near(&point)?;
        }
        invert(&self.second_derivatives(&point))
            .map(|inverse| (point, inverse))
            .ok_or_else(|| self.no_maximum(&point))
    }

    /// Differences of exact gradients, of fourth order.
    fn second_derivatives(&self, point: &Point<N>) -> Matrix<N> {
        const STEP: f64 = 1e-3;
        let columns: Matrix<N> = std::array::from_fn(|by| {
            let gradient = |steps: f64| {
                let mut moved = point.logarithms;
                moved[by] += steps * STEP;
                self.at(moved).gradient
            };
            let (near, far) = ((gradient(1.0), gradient(-1.0)), (gradient(2.0), gradient(-2.0)));
            std::array::from_fn(|at| {
                (8.0 * (near.0[at] - near.1[at]) - (far.0[at] - far.1[at])) / (12.0 * STEP)
            })
        });
        std::array::from_fn(|row| {
            std::array::from_fn(|column| (columns[row][column] + columns[column][row]) / 2.0)
        })
    }

    fn check_near(&self, point: &Point<N>) -> Result<(), RfmError> {
        let far = point.logarithms.iter().any(|logarithm| logarithm.abs() > FARTHEST);
        if far { Err(self.no_maximum(point)) } else { Ok(()) }
    }

    /// Names the parameter that is farthest away from 1.
    fn no_maximum(&self, point: &Point<N>) -> RfmError {
        let (model, names) = self.likelihood.names();
        let farthest = (0..N)
            .max_by(|&a, &b| point.logarithms[a].abs().total_cmp(&point.logarithms[b].abs()).then(b.cmp(&a)));
        let at = farthest.unwrap_or_default();
        RfmError::NoMaximum { model, parameter: names[at], value: point.logarithms[at].exp() }
    }
}

/// What one step tells of the inverse of the second derivatives (BFGS).
fn update<const N: usize>(inverse: &mut Matrix<N>, from: &Point<N>, to: &Point<N>, fresh: bool) {
    let step: [f64; N] = std::array::from_fn(|at| to.logarithms[at] - from.logarithms[at]);
    let change: [f64; N] = std::array::from_fn(|at| to.gradient[at] - from.gradient[at]);
    let curvature = dot(&step, &change);
    if curvature.is_nan() || curvature <= 1e-12 * (dot(&step, &step) * dot(&change, &change)).sqrt() {
        return;
    }
    if fresh {
        let scale = curvature / dot(&change, &change);
        *inverse = identity().map(|row: [f64; N]| row.map(|value| value * scale));
    }
    let moved = product(inverse, &change);
    let factor = (1.0 + dot(&change, &moved) / curvature) / curvature;
    for row in 0..N {
        for column in 0..N {
            inverse[row][column] += factor * step[row] * step[column]
                - (moved[row] * step[column] + step[row] * moved[column]) / curvature;
        }
    }
}

fn identity<const N: usize>() -> Matrix<N> {
    std::array::from_fn(|row| std::array::from_fn(|column| f64::from(u8::from(row == column))))
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn product<const N: usize>(matrix: &Matrix<N>, vector: &[f64; N]) -> [f64; N] {
    std::array::from_fn(|row| dot(&matrix[row], vector))
}

/// Returns the inverse of a symmetric matrix by Cholesky's decomposition; none where it is not positive definite.
fn invert<const N: usize>(matrix: &Matrix<N>) -> Option<Matrix<N>> {
    let mut lower = [[0.0; N]; N];
    for row in 0..N {
        for column in 0..=row {
            let known: f64 = (0..column).map(|at| lower[row][at] * lower[column][at]).sum();
            let rest = matrix[row][column] - known;
            if row > column {
                lower[row][column] = rest / lower[column][column];
            } else if 0.0 < rest && rest.is_finite() {
                lower[row][row] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    let mut inverse = identity();
    for solution in &mut inverse {
        for row in 0..N {
            let known: f64 = (0..row).map(|at| lower[row][at] * solution[at]).sum();
            solution[row] = (solution[row] - known) / lower[row][row];
        }
        for row in (0..N).rev() {
            let known: f64 = (row + 1..N).map(|at| lower[at][row] * solution[at]).sum();
            solution[row] = (solution[row] - known) / lower[row][row];
        }
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gamma distribution of shape and rate, of which the maximum is known by its equations.
    struct Gamma;

    impl Likelihood<2> for Gamma {
        type History = f64;

        fn names(&self) -> (&'static str, [&'static str; 2]) {
            ("gamma", ["shape", "rate"])
        }

        fn ln_likelihood<R: Real>(&self, [shape, rate]: [R; 2], &value: &f64) -> R {
            shape * rate.ln() - shape.ln_gamma() + (shape - 1.0) * value.ln() - rate * value
        }
    }

    #[test]
    fn the_maximum_solves_the_equations_of_the_gamma_distribution() {
        let values = [(0.4, 3.0), (1.5, 1.0), (2.5, 2.0), (7.0, 1.0)];
        let found = maximize(&Gamma, &values, [1.0, 1.0]).unwrap();
        let [shape, rate] = found.parameters;
        let weight: f64 = values.iter().map(|(_, weight)| weight).sum();
        let mean = values.iter().map(|(value, weight)| value * weight).sum::<f64>() / weight;
        let mean_ln = values.iter().map(|(value, weight)| value.ln() * weight).sum::<f64>() / weight;
        assert!((shape / rate - mean).abs() < 1e-12, "{shape} {rate}");
        let digamma = statrs::function::gamma::digamma(shape);
        assert!((shape.ln() - digamma - (mean.ln() - mean_ln)).abs() < 1e-12);
        // The information of n values is n [[trigamma, -1/rate], [-1/rate, shape/rate²]].
        let [[a, b], [_, d]] = invert(&found.covariance).unwrap();
        assert!(
            (b + weight / rate).abs() < 1e-6 * weight && (d - weight * shape / (rate * rate)).abs() < 1e-6
        );
        let trigamma = (statrs::function::gamma::digamma(shape + 1e-5)
            - statrs::function::gamma::digamma(shape - 1e-5))
            / 2e-5;
        assert!((a - weight * trigamma).abs() < 1e-5 * a, "{a} {trigamma}");
        // From elsewhere it is the same place.
        let again = maximize(&Gamma, &values, [30.0, 0.01]).unwrap();
        assert!((again.parameters[0] - shape).abs() < 1e-9 * shape);
        assert!((again.log_likelihood - found.log_likelihood).abs() < 1e-10);
    }

    #[test]
    fn a_likelihood_without_a_maximum_is_refused() {
        let error = maximize(&Gamma, &[(2.0, 5.0)], [1.0, 1.0]).unwrap_err();
        assert!(matches!(error, RfmError::NoMaximum { model: "gamma", .. }), "{error}");
    }

    #[test]
    fn inverses_are_inverses() {
        let matrix = [[4.0, 2.0, 0.5], [2.0, 3.0, -1.0], [0.5, -1.0, 2.0]];
        let inverse = invert(&matrix).unwrap();
        for (column, unit) in identity::<3>().into_iter().enumerate() {
            let image = product(&matrix, &inverse.map(|row| row[column]));
            assert!(image.iter().zip(unit).all(|(found, expected)| (found - expected).abs() < 1e-12));
        }
        assert!(invert(&[[1.0, 2.0], [2.0, 1.0]]).is_none());
        assert!(invert(&[[f64::NAN]]).is_none());
    }
}
