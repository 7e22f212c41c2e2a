//! The Gamma-Gamma model: what a transaction is worth.

use super::dual::Real;
use super::fit::{Fit, check_parameters, fit};
use super::history::{Histories, SpendHistory};
use super::maximum::Likelihood;
use crate::error::RfmError;

/// The Gamma-Gamma model of the value of transactions.
///
/// The values of a customer's transactions are gamma-distributed with shape p and a rate of his own, which is gamma-distributed
/// over customers with shape q and rate v. How much somebody spends is independent of how often.
///
/// # Formula
/// ```text
/// L(x, m) = Γ(px+q) / (Γ(px) Γ(q)) · v^q m^(px-1) x^(px) / (v+mx)^(px+q)
/// E[M | x, m] = p (v + mx) / (px + q - 1)
/// ```
///
/// # Method
/// Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary Value".
///
/// # Examples
/// ```
/// use cip_rfm::lifetime::{GammaGamma, SpendHistory};
/// // The published estimates of the CDNOW sample, in dollars.
/// let model = GammaGamma::new(6.25, 3.74, 15.44)?;
/// // Two transactions of 22.35 on average, drawn to the mean of all customers.
/// let expected = model.expected_spend_given(&SpendHistory::new(2, 22.35)?);
/// assert_eq!(expected.map(|spend| format!("{spend:.2}")), Some("24.66".to_owned()));
/// # Ok::<(), cip_rfm::RfmError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GammaGamma {
    p: f64,
    q: f64,
    v: f64,
}

impl GammaGamma {
    /// Returns the model of known parameters.
    ///
    /// # Errors
    /// [`RfmError::Parameter`] unless all are finite and above 0.
    pub fn new(p: f64, q: f64, v: f64) -> Result<Self, RfmError> {
        check_parameters(Form.names(), [p, q, v])?;
        Ok(Self { p, q, v })
    }

    /// Returns the model under which these histories are most likely.
    ///
    /// # Errors
    /// [`RfmError::NoSpend`] without histories, [`RfmError::NoMaximum`] where they do not tell a parameter.
    pub fn fit(histories: &Histories<SpendHistory>) -> Result<Fit<Self>, RfmError> {
        if histories.distinct() == 0 {
            return Err(RfmError::NoSpend);
        }
        let start = [2.0, 3.0, histories.mean(SpendHistory::mean)];
        fit(&Form, histories, start, |[p, q, v]| Self::new(p, q, v))
    }

    /// The shape of a customer's transactions, and the shape and the rate of the distribution of their rates: p, q, v.
    pub fn parameters(&self) -> [f64; 3] {
        [self.p, self.q, self.v]
    }

    /// Returns the logarithm of the likelihood of a history.
    pub fn log_likelihood(&self, history: &SpendHistory) -> f64 {
        Form.ln_likelihood(self.parameters(), history)
    }

    /// Returns the mean of a transaction of a customer of whom nothing is known; none where q is not above 1, and the
    /// distribution has no mean.
    pub fn expected_spend(&self) -> Option<f64> {
        let Self { p, q, v } = *self;
        (1.0 < q).then(|| p * v / (q - 1.0))
    }

    /// Returns the mean of a transaction of a customer of this history; none where px + q is not above 1.
    ///
    /// It lies between the customer's own mean and that of all, the nearer to the own the more transactions there are.
    pub fn expected_spend_given(&self, history: &SpendHistory) -> Option<f64> {
        let Self { p, q, v } = *self;
        let transactions = history.transactions() as f64;
        let shape = p * transactions + q;
        (1.0 < shape).then(|| p * (v + history.mean() * transactions) / (shape - 1.0))
    }
}

struct Form;

impl Likelihood<3> for Form {
    type History = SpendHistory;

    fn names(&self) -> (&'static str, [&'static str; 3]) {
        ("Gamma-Gamma", ["p", "q", "v"])
    }

    fn ln_likelihood<R: Real>(&self, [p, q, v]: [R; 3], history: &SpendHistory) -> R {
        let transactions = history.transactions() as f64;
        let shape = p * transactions;
        let sum = history.mean() * transactions;
        (shape + q).ln_gamma() - shape.ln_gamma() - q.ln_gamma() + q * v.ln() + shape * sum.ln()
            - (shape + q) * (v + sum).ln()
            - history.mean().ln()
    }
}
