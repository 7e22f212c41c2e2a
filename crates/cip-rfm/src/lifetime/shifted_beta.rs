//! The shifted-beta-geometric model: customers with a contract, who are seen to leave.

use super::dual::Real;
use super::fit::{Fit, check_parameters, fit};
use super::history::{ContractHistory, Histories};
use super::hypergeometric::hypergeometric_of_one;
use super::maximum::Likelihood;
use super::purchase_model::Horizon;
use crate::error::RfmError;

/// The shifted-beta-geometric (sBG) model of contracts that are renewed or not.
///
/// At each renewal a customer leaves with a probability of his own, beta-distributed over customers with α and β. So the share that
/// renews grows with time, because those who are likely to leave have left.
///
/// # Formula
/// ```text
/// P(left at renewal t) = B(α+1, β+t-1) / B(α, β)     t = 1, 2, …
/// S(t)                 = B(α, β+t) / B(α, β)
/// ```
///
/// # Method
/// Fader and Hardie (2007), "How to Project Customer Retention", Journal of Interactive Marketing 21; what contracts are
/// worth: Fader and Hardie (2010), "Customer-Base Valuation in a Contractual Setting", Marketing Science 29.
///
/// # Examples
/// ```
/// use cip_rfm::lifetime::ShiftedBeta;
/// // The published estimates of the "Regular" customers.
/// let model = ShiftedBeta::new(0.704, 1.182)?;
/// let renewing: Vec<_> = (1..=3).map(|renewal| format!("{:.3}", model.retention(renewal))).collect();
/// assert_eq!(renewing, ["0.627", "0.756", "0.819"]);
/// assert_eq!(format!("{:.3}", model.survival(12)), "0.170");
/// # Ok::<(), cip_rfm::RfmError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShiftedBeta {
    alpha: f64,
    beta: f64,
}

impl ShiftedBeta {
    /// Returns the model of known parameters.
    ///
    /// # Errors
    /// [`RfmError::Parameter`] unless all are finite and above 0.
    pub fn new(alpha: f64, beta: f64) -> Result<Self, RfmError> {
        check_parameters(Form.names(), [alpha, beta])?;
        Ok(Self { alpha, beta })
    }

    /// Returns the model under which these histories are most likely.
    ///
    /// # Errors
    /// [`RfmError::NoRenewals`] where no contract could have been renewed, [`RfmError::NoMaximum`] where the histories do not tell
    /// a parameter: both need customers who left, at different renewals.
    pub fn fit(histories: &Histories<ContractHistory>) -> Result<Fit<Self>, RfmError> {
        if histories.iter().all(|(history, _)| history.opportunities() == 0) {
            return Err(RfmError::NoRenewals { customers: histories.customers() });
        }
        fit(&Form, histories, [1.0, 1.0], |[alpha, beta]| Self::new(alpha, beta))
    }

    /// The two parameters of the distribution of the probability to leave: α, β.
    pub fn parameters(&self) -> [f64; 2] {
        [self.alpha, self.beta]
    }

    /// Returns the logarithm of the likelihood of a history.
    pub fn log_likelihood(&self, history: &ContractHistory) -> f64 {
        Form.ln_likelihood(self.parameters(), history)
    }

    /// Returns the share of those who are asked for the `renewal`-th time that renew; 1 for the 0-th, which nobody is asked.
    pub fn retention(&self, renewal: u64) -> f64 {
        let stayed = renewal.checked_sub(1).map(|before| self.beta + before as f64);
        stayed.map_or(1.0, |stayed| stayed / (self.alpha + stayed))
    }

    /// Returns the share of new customers that renews at least `renewals` times: S(t).
    ///
    /// # Complexity
    /// Constant.
    pub fn survival(&self, renewals: u64) -> f64 {
        ln_survival([self.alpha, self.beta], renewals as f64).exp()
    }

    /// Returns how often a customer of this history renews within the horizon, each renewal discounted from the end of its
    /// period; 0 where the customer has left.
    pub fn discounted_renewals(&self, history: &ContractHistory, horizon: Horizon) -> f64 {
        if !history.is_active() {
            return 0.0;
        }
        let (mut value, mut worth) = (0.0, 1.0);
        for period in 1..=u64::from(horizon.periods()) {
            worth *= self.retention(history.renewals() + period) / (1.0 + horizon.discount_rate());
            value += worth;
        }
        value
    }

    /// Returns how often a customer of this history ever renews, discounted; 0 where the customer has left.
    ///
    /// # Formula
    /// (β+n) / (α+β+n) · z 2F1(1, β+n+1; α+β+n+1; z), with n renewals so far and z = 1 / (1 + d).
    ///
    /// # Errors
    /// [`RfmError::DiscountRate`] unless the rate is finite and above 0: undiscounted it may be without end.
    pub fn residual_lifetime(&self, history: &ContractHistory, discount_rate: f64) -> Result<f64, RfmError> {
        if !(0.0 < discount_rate && discount_rate < f64::INFINITY) {
            return Err(RfmError::DiscountRate { rate: discount_rate });
        }
        if !history.is_active() {
            return Ok(0.0);
        }
        let stayed = self.beta + history.renewals() as f64;
        let (z, rest) = ((1.0 + discount_rate).recip(), discount_rate / (1.0 + discount_rate));
        let all = self.alpha + stayed;
        Ok(stayed / all * z * hypergeometric_of_one(stayed + 1.0, all + 1.0, z, rest))
    }
}

struct Form;

impl Likelihood<2> for Form {
    type History = ContractHistory;

    fn names(&self) -> (&'static str, [&'static str; 2]) {
        ("sBG", ["alpha", "beta"])
    }

    fn ln_likelihood<R: Real>(&self, parameters: [R; 2], history: &ContractHistory) -> R {
        let [alpha, beta] = parameters;
        let renewals = history.renewals() as f64;
        let stayed = ln_survival(parameters, renewals);
        if history.is_active() { stayed } else { stayed + alpha.ln() - (alpha + beta + renewals).ln() }
    }
}

/// ln S(t).
fn ln_survival<R: Real>([alpha, beta]: [R; 2], renewals: f64) -> R {
    (beta + renewals).ln_gamma() - (alpha + beta + renewals).ln_gamma() + (alpha + beta).ln_gamma()
        - beta.ln_gamma()
}
