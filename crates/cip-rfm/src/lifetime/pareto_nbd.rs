//! The Pareto/NBD model: customers who may leave at any time.

use super::dual::Real;
use super::fit::{Fit, check_parameters, fit};
use super::history::{Histories, RepeatHistory};
use super::hypergeometric::hypergeometric_of_one;
use super::maximum::Likelihood;
use super::purchase_model::{PurchaseModel, check_time, mean_age};
use crate::error::RfmError;

/// The Pareto/NBD model.
///
/// While alive, a customer buys at a rate λ of his own, gamma-distributed over customers with shape r and rate α. He leaves at a rate μ of
/// his own, gamma-distributed with shape s and rate β.
///
/// # Formula
/// ```text
/// L(x, t_x, T) = Γ(r+x) α^r β^s / Γ(r) · [(α+T)^-(r+x) (β+T)^-s + s ∫ (α+t)^-(r+x) (β+t)^-(s+1) dt]
/// ```
/// where t goes from t_x to T.
///
/// # Method
/// Schmittlein, Morrison and Colombo (1987), "Counting Your Customers: Who Are They and What Will They Do Next?", Management
/// Science 33; Fader and Hardie (2005), "A Note on Deriving the Pareto/NBD Model and Related Expressions". The integral from
/// t to infinity is their 2F1 over a power; Euler's transformation makes it 2F1(1, r+x; r+s+x+1; (α-β)/(α+t)), or with α and β
/// swapped 2F1(1, s+1; …), which never cancels, and whose continued fraction gives its derivatives too.
///
/// # Examples
/// ```
/// use cip_rfm::lifetime::{ParetoNbd, PurchaseModel, RepeatHistory};
/// // The published estimates of the CDNOW sample, in weeks.
/// let model = ParetoNbd::new(0.553, 10.578, 0.606, 11.669)?;
/// let customer = RepeatHistory::new(26, 30.86, 31.0)?;
/// assert_eq!(format!("{:.2}", model.expected_purchases_given(&customer, 52.0)?), "25.46");
/// # Ok::<(), cip_rfm::RfmError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParetoNbd {
    r: f64,
    alpha: f64,
    s: f64,
    beta: f64,
}

impl ParetoNbd {
    /// Returns the model of known parameters.
    ///
    /// # Errors
    /// [`RfmError::Parameter`] unless all are finite and above 0.
    pub fn new(r: f64, alpha: f64, s: f64, beta: f64) -> Result<Self, RfmError> {
        check_parameters(Form.names(), [r, alpha, s, beta])?;
        Ok(Self { r, alpha, s, beta })
    }

    /// Returns the model under which these histories are most likely.
    ///
    /// # Errors
    /// [`RfmError::NoRepeats`] where nobody came back, [`RfmError::NoMaximum`] where the histories do not tell a parameter.
    pub fn fit(histories: &Histories<RepeatHistory>) -> Result<Fit<Self>, RfmError> {
        let (name, _) = Form.names();
        let age = mean_age(name, histories)?;
        fit(&Form, histories, [1.0, age, 1.0, age], |[r, alpha, s, beta]| Self::new(r, alpha, s, beta))
    }

    /// The shape and the rate of the distribution of purchase rates, and of that of the rates of leaving: r, α, s, β.
    pub fn parameters(&self) -> [f64; 4] {
        [self.r, self.alpha, self.s, self.beta]
    }

    /// Returns the logarithm of the likelihood of a history.
    pub fn log_likelihood(&self, history: &RepeatHistory) -> f64 {
        Form.ln_likelihood(self.parameters(), history)
    }

    /// E[number of purchases] of a customer who is alive, for rates of these shapes and rates.
    fn expected_of_alive(&self, shape: f64, alpha: f64, beta: f64, time: f64) -> f64 {
        let ln_growth = (time / beta).ln_1p();
        let order = self.s - 1.0;
        // (1 - (β / (β+t))^(s-1)) / (s-1), of which the limit at s = 1 is ln((β+t) / β).
        let lifetime = if order == 0.0 { ln_growth } else { -(-order * ln_growth).exp_m1() / order };
        shape * beta / alpha * lifetime
    }
}

impl PurchaseModel for ParetoNbd {
    fn name(&self) -> &'static str {
        Form.names().0
    }

    fn p_alive(&self, history: &RepeatHistory) -> f64 {
        let gone = gone_after(self.parameters(), history.frequency(), history.recency());
        let (alive, all) = shares(self.parameters(), history, gone);
        alive / all
    }

    fn expected_purchases(&self, time: f64) -> Result<f64, RfmError> {
        Ok(self.expected_of_alive(self.r, self.alpha, self.beta, check_time(time)?))
    }

    fn expected_purchases_given(&self, history: &RepeatHistory, time: f64) -> Result<f64, RfmError> {
        let (shape, age) = (self.r + history.frequency() as f64, history.age());
        let expected = self.expected_of_alive(shape, self.alpha + age, self.beta + age, check_time(time)?);
        Ok(self.p_alive(history) * expected)
    }
}

struct Form;

impl Likelihood<4> for Form {
    type History = RepeatHistory;

    fn names(&self) -> (&'static str, [&'static str; 4]) {
        ("Pareto/NBD", ["r", "alpha", "s", "beta"])
    }

    fn ln_likelihood<R: Real>(&self, parameters: [R; 4], history: &RepeatHistory) -> R {
        let gone = gone_after(parameters, history.frequency(), history.recency());
        ln_likelihood(parameters, history, gone)
    }

    /// Histories of one frequency and recency follow each other, all without a repeat among them.
    fn each<R: Real>(
        &self,
        parameters: [R; 4],
        histories: &[(RepeatHistory, f64)],
        mut add: impl FnMut(R, f64),
    ) {
        let mut last: Option<(u64, f64, R)> = None;
        for (history, weight) in histories {
            let (frequency, recency) = (history.frequency(), history.recency());
            let gone = match last {
                Some((same, at, gone)) if (same, at) == (frequency, recency) => gone,
                _ => gone_after(parameters, frequency, recency),
            };
            last = Some((frequency, recency, gone));
            add(ln_likelihood(parameters, history, gone), *weight);
        }
    }
}

/// The logarithm of the likelihood, where it is known what of it lies behind t_x.
fn ln_likelihood<R: Real>(parameters: [R; 4], history: &RepeatHistory, gone: R) -> R {
    let [r, alpha, s, beta] = parameters;
    let shape = r + history.frequency() as f64;
    let (_, all) = shares(parameters, history, gone);
    let factor = shape.ln_gamma() - r.ln_gamma() + r * alpha.ln() + s * beta.ln();
    let (buying, leaving) = (alpha + history.recency(), beta + history.recency());
    factor - shape * buying.ln() - s * leaving.ln() + all.ln()
}

/// The bracket of the likelihood over (α+t_x)^-(r+x) (β+t_x)^-s: its first term, of customers who are alive, and both.
fn shares<R: Real>(parameters: [R; 4], history: &RepeatHistory, gone: R) -> (R, R) {
    let [r, alpha, s, beta] = parameters;
    let shape = r + history.frequency() as f64;
    let silence = history.age() - history.recency();
    let grown = |rate: R| ((rate + history.recency()).recip() * silence).ln_1p();
    let alive = (-(shape * grown(alpha)) - s * grown(beta)).exp();
    let gone = gone - alive * gone_after(parameters, history.frequency(), history.age());
    (alive, alive + s / (shape + s) * gone)
}

/// (r+s+x) (α+t)^(r+x) (β+t)^s times the integral from t to infinity.
fn gone_after<R: Real>([r, alpha, s, beta]: [R; 4], frequency: u64, time: f64) -> R {
    let (buying, leaving) = (alpha + time, beta + time);
    let shape = r + frequency as f64;
    let order = shape + s + 1.0;
    if buying.value() < leaving.value() {
        let rest = buying / leaving;
        rest * hypergeometric_of_one(s + 1.0, order, -rest + 1.0, rest.value())
    } else {
        let rest = leaving / buying;
        hypergeometric_of_one(shape, order, -rest + 1.0, rest.value())
    }
}
