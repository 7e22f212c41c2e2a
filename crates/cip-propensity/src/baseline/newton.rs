//! The weights of a logistic regression whose rows count differently, which linfa's does not know.

use ndarray::{Array1, ArrayView1, ArrayView2, s};

use crate::boosted::softplus;

/// What a regression learns from.
#[derive(Debug, Clone, Copy)]
pub(super) struct WeightedRows<'a> {
    pub(super) records: ArrayView2<'a, f64>,
    pub(super) labels: ArrayView1<'a, bool>,
    /// How much each row counts, more than 0.
    pub(super) weights: &'a [f64],
    /// The L2 penalty on all but the constant.
    pub(super) penalty: f64,
}

impl WeightedRows<'_> {
    /// Returns the weights of the columns, and then the constant, of the least loss; none where no number is found.
    ///
    /// # Formula
    /// Loss = sum of w (ln(1 + exp(z)) - y z) + penalty / 2 · sum of squared weights of columns, z = columns · weights + constant.
    ///
    /// # Method
    /// Newton's method, each step by conjugate gradients until its residual is small beside the gradient (Dembo, Eisenstat and Steihaug 1982),
    /// and halved until the loss falls enough (Armijo 1966): products with the second derivatives read the rows twice, and no matrix of them is kept.
    pub(super) fn minimum(&self) -> Option<Array1<f64>> {
        const MOST_STEPS: usize = 100;
        const SMALLEST_GRADIENT: f64 = 1e-9;
        const SHORTEST_STEP: f64 = 1e-12;
        let mut at = Array1::zeros(self.records.ncols() + 1);
        let mut loss = self.loss(&at);
        let enough = SMALLEST_GRADIENT * self.weights.iter().sum::<f64>();
        for _ in 0..MOST_STEPS {
            let (gradient, curvatures) = self.derivatives(&at);
            let steepness = gradient.dot(&gradient).sqrt();
            if steepness <= enough {
                break;
            }
            let step = self.step(&gradient, &curvatures, steepness.sqrt().min(0.1) * steepness);
            let descent = gradient.dot(&step);
            let mut length = 1.0;
            let (next, next_loss) = loop {
                let next = &at - &(length * &step);
                let found = self.loss(&next);
                if found <= loss - 1e-4 * length * descent {
                    break (next, found);
                }
                length /= 2.0;
                if length < SHORTEST_STEP {
                    // The loss cannot tell the points apart any more.
                    break (at.clone(), loss);
                }
            };
            let stands = next == at;
            (at, loss) = (next, next_loss);
            if stands {
                break;
            }
        }
        at.iter().all(|value| value.is_finite()).then_some(at)
    }

    fn margins(&self, at: &Array1<f64>) -> Array1<f64> {
        let columns = self.records.ncols();
        self.records.dot(&at.slice(s![..columns])) + at[columns]
    }

    /// What is added to a sum over the rows for the penalty.
    fn penalised(&self, at: &Array1<f64>) -> Array1<f64> {
        let mut penalised = self.penalty * at;
        penalised[self.records.ncols()] = 0.0;
        penalised
    }

    fn loss(&self, at: &Array1<f64>) -> f64 {
        let rows = self.margins(at);
        let rows = rows.iter().zip(self.labels).zip(self.weights);
        // ln(1 + exp(z)) - y z, from the side that does not overflow.
        let loss = rows.map(|((&z, &label), weight)| weight * (softplus(z) - if label { z } else { 0.0 }));
        loss.sum::<f64>() + at.dot(&self.penalised(at)) / 2.0
    }

    /// The first derivatives, and how curved the loss of each row is along its margin.
    fn derivatives(&self, at: &Array1<f64>) -> (Array1<f64>, Array1<f64>) {
        let margins = self.margins(at);
        let mut slopes = margins.mapv(crate::probability);
        let curvatures: Array1<f64> =
            slopes.iter().zip(self.weights).map(|(p, weight)| weight * p * (1.0 - p)).collect();
        for ((slope, &label), weight) in slopes.iter_mut().zip(self.labels).zip(self.weights) {
            *slope = weight * (*slope - f64::from(u8::from(label)));
        }
        (self.columns_times(&slopes) + self.penalised(at), curvatures)
    }

    /// The sums of the columns, and of 1, times a value of each row.
    fn columns_times(&self, values: &Array1<f64>) -> Array1<f64> {
        let columns = self.records.ncols();
        let mut sums = Array1::zeros(columns + 1);
        sums.slice_mut(s![..columns]).assign(&self.records.t().dot(values));
        sums[columns] = values.sum();
        sums
    }

    /// The step whose product with the second derivatives is the gradient, as near as `residual`.
    fn step(&self, gradient: &Array1<f64>, curvatures: &Array1<f64>, residual: f64) -> Array1<f64> {
        let mut step = Array1::zeros(gradient.len());
        let (mut rest, mut direction) = (gradient.clone(), gradient.clone());
        let mut size = rest.dot(&rest);
        for _ in 0..2 * gradient.len() {
            let product =
                self.columns_times(&(self.margins(&direction) * curvatures)) + self.penalised(&direction);
            let curvature = direction.dot(&product);
            if curvature.is_nan() || curvature <= 0.0 {
                break;
            }
            step.scaled_add(size / curvature, &direction);
            rest.scaled_add(-size / curvature, &product);
            let next = rest.dot(&rest);
            if next.sqrt() <= residual {
                break;
            }
            direction = &rest + &(next / size * &direction);
            size = next;
        }
        step
    }
}
