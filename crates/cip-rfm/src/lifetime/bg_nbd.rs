//! The BG/NBD and MBG/NBD models: customers who may leave after a purchase.

use super::dual::{Real, ln_sum_exp};
use super::fit::{Fit, check_parameters, fit};
use super::history::{Histories, RepeatHistory};
use super::hypergeometric::scaled_hypergeometric;
use super::maximum::Likelihood;
use super::purchase_model::{PurchaseModel, check_time, mean_age};
use crate::error::RfmError;

/// After which purchases a customer may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropOut {
    /// After every repeat purchase, so a customer without one is still there: BG/NBD.
    AfterRepeat,
    /// After every purchase, also the first, so customers without a repeat may be gone: MBG/NBD.
    AfterAny,
}

/// The beta-geometric / NBD model, or its modified form.
///
/// While alive, a customer buys at a rate λ of his own, gamma-distributed over customers with shape r and rate α. After a purchase he
/// leaves with a probability of his own, beta-distributed with a and b; [`DropOut`] says after which.
///
/// # Method
/// BG/NBD: Fader, Hardie and Lee (2005), "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD
/// Model", Marketing Science 24. MBG/NBD: Batislam, Denizel and Filiztekin (2007), "Empirical validation and comparison of models
/// for customer base analysis", International Journal of Research in Marketing 24. The MBG/NBD model is the BG/NBD model
/// with one chance more to leave: n is x or x + 1 below.
///
/// # Formula
/// ```text
/// L(x, t_x, T) = Γ(r+x) α^r / Γ(r) · B(a, b+n) / B(a, b) · [(α+T)^-(r+x) + a / (b+n-1) (α+t_x)^-(r+x)]
/// ```
/// where the second term is absent for n = 0.
///
/// # Examples
/// ```
/// use cip_rfm::lifetime::{BgNbd, DropOut, PurchaseModel, RepeatHistory};
/// // The published estimates of the CDNOW sample, in weeks.
/// let model = BgNbd::new(DropOut::AfterRepeat, 0.243, 4.414, 0.793, 2.426)?;
/// let customer = RepeatHistory::new(2, 30.43, 38.86)?;
/// assert_eq!(format!("{:.3}", model.expected_purchases_given(&customer, 39.0)?), "1.226");
/// assert_eq!(format!("{:.3}", model.p_alive(&customer)), "0.727");
/// # Ok::<(), cip_rfm::RfmError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BgNbd {
    drop_out: DropOut,
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
}

impl BgNbd {
    /// Returns the model of known parameters.
    ///
    /// # Errors
    /// [`RfmError::Parameter`] unless all are finite and above 0.
    pub fn new(drop_out: DropOut, r: f64, alpha: f64, a: f64, b: f64) -> Result<Self, RfmError> {
        check_parameters(drop_out.names(), [r, alpha, a, b])?;
        Ok(Self { drop_out, r, alpha, a, b })
    }

    /// Returns the model under which these histories are most likely.
    ///
    /// # Errors
    /// [`RfmError::NoRepeats`] where nobody came back, [`RfmError::NoMaximum`] where the histories do not tell a parameter.
    pub fn fit(drop_out: DropOut, histories: &Histories<RepeatHistory>) -> Result<Fit<Self>, RfmError> {
        let (name, _) = drop_out.names();
        let start = [1.0, mean_age(name, histories)?, 1.0, 2.0];
        fit(&drop_out, histories, start, |[r, alpha, a, b]| Self::new(drop_out, r, alpha, a, b))
    }

    /// The shape and the rate of the distribution of purchase rates, and the two parameters of that of leaving: r, α, a, b.
    pub fn parameters(&self) -> [f64; 4] {
        [self.r, self.alpha, self.a, self.b]
    }

    /// Returns the logarithm of the likelihood of a history.
    pub fn log_likelihood(&self, history: &RepeatHistory) -> f64 {
        self.drop_out.ln_likelihood(self.parameters(), history)
    }

    /// Returns the probability that a customer of whom nothing is known makes exactly `purchases` repeat purchases in `time`
    /// from the first.
    ///
    /// # Complexity
    /// Linear in the purchases.
    ///
    /// # Errors
    /// [`RfmError::Time`] unless the time is finite and not below 0.
    pub fn probability_of(&self, purchases: u64, time: f64) -> Result<f64, RfmError> {
        let time = check_time(time)?;
        let [r, alpha, a, b] = self.parameters();
        let (ln_stays, bought) = (-r * (time / alpha).ln_1p(), time / (alpha + time));
        // The purchases of customers who never leave: a negative binomial distribution.
        let (mut never_left, mut fewer) = (ln_stays.exp(), 0.0);
        for count in 0..purchases {
            fewer += never_left;
            never_left *= bought * (r + count as f64) / (count as f64 + 1.0);
        }
        let chances = self.drop_out.chances(purchases);
        // B(a, b + n) / B(a, b): what is left of customers after n chances.
        let stayed = |chances: u64| {
            (Real::ln_gamma(b + chances as f64) - Real::ln_gamma(a + b + chances as f64)
                + Real::ln_gamma(a + b)
                - Real::ln_gamma(b))
            .exp()
        };
        let left = match chances.checked_sub(1) {
            Some(before) => stayed(before) * a / (a + b + before as f64) * (1.0 - fewer),
            None => 0.0,
        };
        Ok(stayed(chances) * never_left + left)
    }

    /// How much more probable it is that the customer left after the last purchase than that he did not.
    fn odds_of_having_left(&self, history: &RepeatHistory) -> f64 {
        let [r, alpha, a, b] = self.parameters();
        let chances = self.drop_out.chances(history.frequency()) as f64;
        if chances == 0.0 {
            return 0.0;
        }
        let silence = ((history.age() - history.recency()) / (alpha + history.recency())).ln_1p();
        a / (b + chances - 1.0) * ((r + history.frequency() as f64) * silence).exp()
    }

    /// The purchases in `time` of a customer who is known to be alive.
    fn expected_of_alive(&self, history: &RepeatHistory, time: f64) -> f64 {
        let [r, alpha, a, b] = self.parameters();
        let shape = r + history.frequency() as f64;
        let b = b + self.drop_out.chances(history.frequency()) as f64;
        let now = alpha + history.age();
        let ln_stays = -shape * (time / now).ln_1p();
        let expected = |a: f64| {
            let c = a + b - 1.0;
            (c - scaled_hypergeometric(shape, b, c, time / (now + time), ln_stays)) / (a - 1.0)
        };
        // At a = 1 the formula is 0 / 0, and its limit between its neighbours.
        let near = 1e-4;
        if (a - 1.0).abs() < near / 10.0 {
            (expected(1.0 - near) + expected(1.0 + near)) / 2.0
        } else {
            expected(a)
        }
    }
}

impl PurchaseModel for BgNbd {
    fn name(&self) -> &'static str {
        self.drop_out.names().0
    }

    fn p_alive(&self, history: &RepeatHistory) -> f64 {
        (1.0 + self.odds_of_having_left(history)).recip()
    }

    fn expected_purchases(&self, time: f64) -> Result<f64, RfmError> {
        self.expected_purchases_given(&RepeatHistory::new(0, 0.0, 0.0)?, time)
    }

    fn expected_purchases_given(&self, history: &RepeatHistory, time: f64) -> Result<f64, RfmError> {
        let time = check_time(time)?;
        Ok(self.p_alive(history) * self.expected_of_alive(history, time))
    }
}

impl DropOut {
    /// How often a customer could have left, who made so many repeat purchases.
    fn chances(self, frequency: u64) -> u64 {
        match self {
            Self::AfterRepeat => frequency,
            Self::AfterAny => frequency.saturating_add(1),
        }
    }
}

impl Likelihood<4> for DropOut {
    type History = RepeatHistory;

    fn names(&self) -> (&'static str, [&'static str; 4]) {
        let model = match self {
            Self::AfterRepeat => "BG/NBD",
            Self::AfterAny => "MBG/NBD",
        };
        (model, ["r", "alpha", "a", "b"])
    }

    fn ln_likelihood<R: Real>(&self, [r, alpha, a, b]: [R; 4], history: &RepeatHistory) -> R {
        let chances = self.chances(history.frequency()) as f64;
        let shape = r + history.frequency() as f64;
        let alive = -(shape * (alpha + history.age()).ln());
        let mut all = shape.ln_gamma() - r.ln_gamma() + r * alpha.ln();
        if chances == 0.0 {
            return all + alive;
        }
        all =
            all + (b + chances).ln_gamma() - (a + b + chances).ln_gamma() + (a + b).ln_gamma() - b.ln_gamma();
        let left = a.ln() - (b + (chances - 1.0)).ln() - shape * (alpha + history.recency()).ln();
        all + ln_sum_exp(alive, left)
    }
}
