//! What every model of repeat purchases foretells, and for how long.

use super::history::{Histories, RepeatHistory};
use crate::error::RfmError;

/// A model of customers who buy when they like and leave without a word.
///
/// Times are in the unit of the histories that the parameters were fitted to.
pub trait PurchaseModel {
    /// What the model is called.
    fn name(&self) -> &'static str;

    /// Returns the probability that a customer of this history has not left.
    fn p_alive(&self, history: &RepeatHistory) -> f64;

    /// Returns how many repeat purchases a customer of whom nothing is known makes in `time` from the first purchase.
    ///
    /// # Errors
    /// [`RfmError::Time`] unless the time is finite and not below 0.
    fn expected_purchases(&self, time: f64) -> Result<f64, RfmError>;

    /// Returns how many purchases a customer of this history makes in the `time` that follows.
    ///
    /// # Errors
    /// [`RfmError::Time`] unless the time is finite and not below 0.
    fn expected_purchases_given(&self, history: &RepeatHistory, time: f64) -> Result<f64, RfmError>;

    /// Returns the purchases that a customer of this history makes within the horizon, each discounted from the end of its
    /// period. Times the value of a purchase, it is the customer's lifetime value.
    ///
    /// # Formula
    /// Σ (E\[Y(k)\] - E\[Y(k - 1)\]) / (1 + d)^k for k = 1 … periods, where Y(k) are the purchases within k periods.
    ///
    /// # Method
    /// Fader, Hardie and Lee (2005), "RFM and CLV", in discrete time.
    ///
    /// # Errors
    /// As [`PurchaseModel::expected_purchases_given`].
    fn discounted_purchases(&self, history: &RepeatHistory, horizon: Horizon) -> Result<f64, RfmError> {
        if horizon.discount_rate == 0.0 {
            return self.expected_purchases_given(history, f64::from(horizon.periods));
        }
        let (mut value, mut before, mut discount) = (0.0, 0.0, 1.0);
        for period in 1..=horizon.periods {
            let until = self.expected_purchases_given(history, f64::from(period))?;
            discount /= 1.0 + horizon.discount_rate;
            value += (until - before) * discount;
            before = until;
        }
        Ok(value)
    }
}

/// How many periods ahead, and what a later one is worth less.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Horizon {
    periods: u32,
    discount_rate: f64,
}

impl Horizon {
    /// The most periods.
    pub const MOST_PERIODS: u32 = 10_000;

    /// Returns the horizon of so many periods, undiscounted. A period is one unit of the histories' time.
    ///
    /// # Errors
    /// [`RfmError::Periods`] unless there are 1 to [`Horizon::MOST_PERIODS`].
    pub fn new(periods: u32) -> Result<Self, RfmError> {
        if (1..=Self::MOST_PERIODS).contains(&periods) {
            Ok(Self { periods, discount_rate: 0.0 })
        } else {
            Err(RfmError::Periods { periods, most: Self::MOST_PERIODS })
        }
    }

    /// Sets the discount rate a period: what comes a period later is worth 1 / (1 + rate).
    ///
    /// # Errors
    /// [`RfmError::DiscountRate`] unless the rate is finite and not below 0.
    ///
    /// # Examples
    /// ```
    /// use cip_rfm::lifetime::Horizon;
    /// // 15% a year is a weekly rate of 1.15^(1/52) - 1.
    /// let year = Horizon::new(52)?.with_discount_rate(1.15f64.powf(1.0 / 52.0) - 1.0)?;
    /// assert_eq!(format!("{:.6}", year.discount_rate()), "0.002691");
    /// assert!(Horizon::new(52)?.with_discount_rate(f64::NAN).is_err());
    /// # Ok::<(), cip_rfm::RfmError>(())
    /// ```
    pub fn with_discount_rate(mut self, rate: f64) -> Result<Self, RfmError> {
        if (0.0..f64::INFINITY).contains(&rate) {
            self.discount_rate = rate;
            Ok(self)
        } else {
            Err(RfmError::DiscountRate { rate })
        }
    }

    /// Returns as many periods, undiscounted.
    #[must_use]
    pub fn undiscounted(self) -> Self {
        Self { discount_rate: 0.0, ..self }
    }

    /// Periods.
    pub fn periods(&self) -> u32 {
        self.periods
    }

    /// The discount rate a period.
    pub fn discount_rate(&self) -> f64 {
        self.discount_rate
    }
}

pub(super) fn check_time(time: f64) -> Result<f64, RfmError> {
    if (0.0..f64::INFINITY).contains(&time) { Ok(time) } else { Err(RfmError::Time { time }) }
}

/// Returns the mean time of observation, where there is a repeat to learn from: a start for parameters that are times.
pub(super) fn mean_age(model: &'static str, histories: &Histories<RepeatHistory>) -> Result<f64, RfmError> {
    let repeats: u64 =
        histories.iter().fold(0, |repeats, (history, _)| repeats.saturating_add(history.frequency()));
    let age = if repeats == 0 { 0.0 } else { histories.mean(RepeatHistory::age) };
    if 0.0 < age { Ok(age) } else { Err(RfmError::NoRepeats { model, customers: histories.customers() }) }
}
