//! A model that was fitted, and how sure its parameters are.

use super::history::{Histories, History};
use super::maximum::{Likelihood, maximize};
use crate::error::RfmError;

/// A model with the parameters of the greatest likelihood; made by the `fit` of each model.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit<M> {
    model: M,
    parameters: Vec<Estimate>,
    covariance: Vec<f64>,
    log_likelihood: f64,
    customers: f64,
    distinct: usize,
}

/// One parameter of a fitted model.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// What the literature calls it.
    pub name: &'static str,
    /// Its value at the greatest likelihood.
    pub value: f64,
    /// How sure that is: the square root of its variance by the observed information.
    pub standard_error: f64,
}

impl<M> Fit<M> {
    /// The model.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The parameters, in the order of the literature.
    pub fn parameters(&self) -> &[Estimate] {
        &self.parameters
    }

    /// Returns the covariance of two parameters, by their positions in [`Fit::parameters`]; none beyond them.
    ///
    /// # Method
    /// The inverse of the observed information, the negative second derivatives of the log-likelihood at its maximum.
    pub fn covariance(&self, row: usize, column: usize) -> Option<f64> {
        let size = self.parameters.len();
        (row < size && column < size).then(|| self.covariance[row * size + column])
    }

    /// The greatest log-likelihood: over all customers, and without terms that no parameter changes.
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// How many customers the model was fitted to.
    pub fn customers(&self) -> f64 {
        self.customers
    }

    /// How many different histories they have.
    pub fn distinct(&self) -> usize {
        self.distinct
    }
}

/// Fits a likelihood from `start`, and makes the model of what it found.
pub(super) fn fit<const N: usize, M, L>(
    likelihood: &L,
    histories: &Histories<L::History>,
    start: [f64; N],
    model: impl FnOnce([f64; N]) -> Result<M, RfmError>,
) -> Result<Fit<M>, RfmError>
where
    L: Likelihood<N>,
    L::History: History,
{
    let maximum = maximize(likelihood, histories.groups(), start)?;
    let (_, names) = likelihood.names();
    let parameters = (0..N)
        .map(|at| Estimate {
            name: names[at],
            value: maximum.parameters[at],
            standard_error: maximum.covariance[at][at].sqrt(),
        })
        .collect();
    Ok(Fit {
        model: model(maximum.parameters)?,
        parameters,
        covariance: maximum.covariance.iter().flatten().copied().collect(),
        log_likelihood: maximum.log_likelihood,
        customers: histories.customers(),
        distinct: histories.distinct(),
    })
}

/// Checks that all parameters of a model are finite and above 0.
pub(super) fn check_parameters<const N: usize>(
    (model, names): (&'static str, [&'static str; N]),
    values: [f64; N],
) -> Result<(), RfmError> {
    match names.into_iter().zip(values).find(|(_, value)| !(0.0 < *value && *value < f64::INFINITY)) {
        Some((parameter, value)) => Err(RfmError::Parameter { model, parameter, value }),
        None => Ok(()),
    }
}
