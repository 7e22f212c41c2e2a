//! Logistic regression on few columns of one margin, with slopes that are not negative.

use super::Groups;
use crate::boosted::softplus;

/// Columns, and the constant.
const MOST: usize = 3;
type Vector = [f64; MOST];

/// A curve: a slope for each column, and the constant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Curve {
    pub(super) slopes: [f64; MOST - 1],
    pub(super) constant: f64,
}

/// Returns the curve of least loss whose slopes are at least 0; none where no such curve is found.
///
/// # Formula
/// Loss = - sum over the rows of t ln p + (1 - t) ln(1 - p), p = 1 / (1 + exp(-(sum of slopes x columns + constant))). The
/// target t is (n1 + 1) / (n1 + 2) for a positive row and 1 / (n0 + 2) for a negative one, with n1 and n0 the rows of either
/// kind (Platt 1999): no margin is ever certain, and so the optimum is always finite.
///
/// # Method
/// Newton's method with a backtracking line search, in the numerically stable form of Lin, Lin and Weng 2007 ("A note on
/// Platt's probabilistic outputs for support vector machines", Machine Learning 68), on columns of mean 0 and deviation 1.
/// The loss is convex, so the best curve with slopes that are not negative is the best of those on which some slopes are 0
/// and the others are free: each is tried.
pub(super) fn fit(groups: &Groups, columns: &[fn(f64) -> f64]) -> Option<Curve> {
    let columns = &columns[..columns.len().min(MOST - 1)];
    let problem = Problem::new(groups, columns)?;
    // All free first, so that a tie keeps them.
    let subsets = (0..1usize << columns.len()).rev();
    let free = |subset: usize| (0..columns.len()).filter(move |column| subset >> column & 1 == 1);
    let found = subsets.filter_map(|subset| problem.minimum(&free(subset).collect::<Vec<_>>()));
    let feasible = found.filter(|(weights, _)| weights[..MOST - 1].iter().all(|&slope| slope >= 0.0));
    let best = feasible.reduce(|best, other| if other.1 < best.1 { other } else { best })?;
    problem.curve(best.0)
}

/// Standardised columns with what is to be met.
struct Problem {
    points: Vec<Point>,
    means: [f64; MOST - 1],
    deviations: [f64; MOST - 1],
}

struct Point {
    /// The columns, and 1.
    values: Vector,
    rows: f64,
    /// The sum of the targets of the rows.
    targets: f64,
}

impl Problem {
    fn new(of: &Groups, columns: &[fn(f64) -> f64]) -> Option<Self> {
        let Groups { groups, unit, .. } = of;
        let whole = |parts: u64| parts as f64 / unit;
        let rows: u64 = groups.iter().map(|group| group.rows).sum();
        let positives: u64 = groups.iter().map(|group| group.positives).sum();
        let high = (whole(positives) + 1.0) / (whole(positives) + 2.0);
        let low = 1.0 / (whole(rows - positives) + 2.0);
        let rows = whole(rows);
        let mut points: Vec<Point> = Vec::with_capacity(groups.len());
        for group in groups {
            let mut values = [0.0, 0.0, 1.0];
            for (value, column) in values.iter_mut().zip(columns) {
                *value = column(group.margin);
            }
            let (rows, positives) = (whole(group.rows), whole(group.positives));
            points.push(Point { values, rows, targets: positives * high + (rows - positives) * low });
        }
        let (mut means, mut deviations) = ([0.0; MOST - 1], [1.0; MOST - 1]);
        for column in 0..columns.len() {
            let mean = |value: &dyn Fn(&Point) -> f64| {
                points.iter().map(|point| point.rows * value(point)).sum::<f64>() / rows
            };
            means[column] = mean(&|point| point.values[column]);
            deviations[column] = mean(&|point| (point.values[column] - means[column]).powi(2)).sqrt();
            if !(deviations[column] > 0.0 && deviations[column].is_finite()) {
                return None;
            }
            for point in &mut points {
                point.values[column] = (point.values[column] - means[column]) / deviations[column];
            }
        }
        Some(Self { points, means, deviations })
    }

    /// The weights of the least loss where only the columns `free`, and the constant, may be used; and that loss.
    fn minimum(&self, free: &[usize]) -> Option<(Vector, f64)> {
        const MOST_STEPS: usize = 200;
        const SHORTEST_STEP: f64 = 1e-12;
        const SMALLEST_GAIN: f64 = 1e-13;
        let used: Vec<usize> = free.iter().copied().chain([MOST - 1]).collect();
        let targets: f64 = self.points.iter().map(|point| point.targets).sum();
        let rows: f64 = self.points.iter().map(|point| point.rows).sum();
        let mut weights = [0.0, 0.0, (targets / (rows - targets)).ln()];
        let mut loss = self.loss(&weights);
        for _ in 0..MOST_STEPS {
            let (gradient, hessian) = self.derivatives(&weights, &used);
            let step = solve(hessian, gradient, used.len())?;
            let along = |length: f64| {
                let mut next = weights;
                for (&index, step) in used.iter().zip(step) {
                    next[index] -= length * step;
                }
                next
            };
            if dot(&gradient, &step) <= SMALLEST_GAIN * loss {
                // The loss cannot tell the points apart any more; the whole step doubles the digits that are right.
                let weights = along(1.0);
                return weights.iter().all(|weight| weight.is_finite()).then_some((weights, loss));
            }
            let mut length = 1.0;
            let mut next_loss = self.loss(&along(length));
            while next_loss.is_nan() || next_loss >= loss {
                length /= 2.0;
                if length < SHORTEST_STEP {
                    return None;
                }
                next_loss = self.loss(&along(length));
            }
            (weights, loss) = (along(length), next_loss);
        }
        None
    }

    fn loss(&self, weights: &Vector) -> f64 {
        // rows ln(1 + exp(z)) - targets z, from the side that does not overflow.
        let loss = |point: &Point| {
            let z = dot(weights, &point.values);
            point.rows * softplus(z) - point.targets * z
        };
        self.points.iter().map(loss).sum()
    }

    /// The first and second derivatives of the loss by the weights that are used.
    fn derivatives(&self, weights: &Vector, used: &[usize]) -> (Vector, [Vector; MOST]) {
        let (mut gradient, mut hessian) = ([0.0; MOST], [[0.0; MOST]; MOST]);
        for point in &self.points {
            let z = dot(weights, &point.values);
            let tail = (-z.abs()).exp();
            let probability = if z >= 0.0 { 1.0 } else { tail } / (1.0 + tail);
            let curvature = point.rows * tail / (1.0 + tail).powi(2);
            for (row, &i) in used.iter().enumerate() {
                gradient[row] += (point.rows * probability - point.targets) * point.values[i];
                for (column, &j) in used.iter().enumerate() {
                    hessian[row][column] += curvature * point.values[i] * point.values[j];
                }
            }
        }
        (gradient, hessian)
    }

    /// The curve on columns as they came.
    fn curve(&self, weights: Vector) -> Option<Curve> {
        let slopes = std::array::from_fn(|column| weights[column] / self.deviations[column]);
        let shift: f64 = slopes.iter().zip(self.means).map(|(slope, mean)| slope * mean).sum();
        let curve = Curve { slopes, constant: weights[MOST - 1] - shift };
        let finite = curve.slopes.iter().all(|slope| slope.is_finite()) && curve.constant.is_finite();
        finite.then_some(curve)
    }
}

fn dot(a: &Vector, b: &Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Solves a small symmetric system, by Cholesky; a ridge of 1e-12 keeps it definite.
fn solve(mut matrix: [Vector; MOST], mut right: Vector, size: usize) -> Option<Vector> {
    for i in 0..size {
        matrix[i][i] += 1e-12;
        for j in 0..=i {
            let inner: f64 = (0..j).map(|k| matrix[i][k] * matrix[j][k]).sum();
            let rest = matrix[i][j] - inner;
            if i > j {
                matrix[i][j] = rest / matrix[j][j];
            } else if rest > 0.0 {
                matrix[i][i] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    for i in 0..size {
        let inner: f64 = (0..i).map(|k| matrix[i][k] * right[k]).sum();
        right[i] = (right[i] - inner) / matrix[i][i];
    }
    for i in (0..size).rev() {
        let inner: f64 = (i + 1..size).map(|k| matrix[k][i] * right[k]).sum();
        right[i] = (right[i] - inner) / matrix[i][i];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_system_is_solved() {
        let matrix = [[4.0, 2.0, 0.0], [2.0, 5.0, 1.0], [0.0, 1.0, 3.0]];
        let found = solve(matrix, [8.0, 15.0, 11.0], 3).unwrap();
        for (found, expected) in found.iter().zip([1.0, 2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-10, "{found}");
        }
        assert_eq!(solve([[-1.0, 0.0, 0.0]; 3], [1.0; 3], 1), None);
    }

    #[test]
    fn a_slope_that_would_descend_is_none() {
        let margins: Vec<f64> = (0..100).map(f64::from).collect();
        let labels: Vec<bool> = (0..100).map(|row| row < 40).collect();
        let curve = fit(&Groups::new(&margins, &labels, None), &[|margin| margin]).unwrap();
        assert_eq!(curve.slopes, [0.0, 0.0]);
        // The share of the smoothed targets.
        let share = (40.0 * 41.0 / 42.0 + 60.0 / 62.0) / 100.0;
        assert!((1.0 / (1.0 + (-curve.constant).exp()) - share).abs() < 1e-12);
    }
}
