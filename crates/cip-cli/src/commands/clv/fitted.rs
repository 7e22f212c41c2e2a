//! A fitted model as it is told.

use cip::rfm::RfmError;
use cip::rfm::lifetime::{Estimate, Fit, GammaGamma};
use serde_json::{Map, Value};

use crate::number::grouped;
use crate::output::table;

/// What is told of a fitted model.
pub(super) struct Fitted {
    name: &'static str,
    parameters: Vec<Estimate>,
    log_likelihood: f64,
    customers: f64,
    distinct: usize,
    /// The mean of a transaction of a customer of whom nothing is known.
    pub(super) expected_spend: Option<f64>,
}

/// A fitted model of spend, or why there is none.
pub(super) enum Spend {
    Fitted(Fitted),
    Failed(RfmError),
    Unknown,
}

impl Fitted {
    pub(super) fn of<M>(name: &'static str, fit: &Fit<M>) -> Self {
        Self {
            name,
            parameters: fit.parameters().to_vec(),
            log_likelihood: fit.log_likelihood(),
            customers: fit.customers(),
            distinct: fit.distinct(),
            expected_spend: None,
        }
    }

    pub(super) fn of_spend(fit: &Fit<GammaGamma>) -> Self {
        Self { expected_spend: fit.model().expected_spend(), ..Self::of("Gamma-Gamma", fit) }
    }

    pub(super) fn text(&self) -> String {
        let rows: Vec<_> = self
            .parameters
            .iter()
            .map(|estimate| {
                vec![estimate.name.to_owned(), number(estimate.value), number(estimate.standard_error)]
            })
            .collect();
        format!(
            "{} of {} customers with {} different histories\n\n{}\nlog-likelihood {:.4}\n",
            self.name,
            grouped(self.customers),
            grouped(self.distinct),
            table(&["parameter", "estimate", "standard error"], &rows),
            self.log_likelihood,
        )
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let of = |of: fn(&Estimate) -> f64| -> Map<String, Value> {
            self.parameters.iter().map(|estimate| (estimate.name.to_owned(), of(estimate).into())).collect()
        };
        let mut json = Map::new();
        json.insert("params".to_owned(), of(|estimate| estimate.value).into());
        json.insert("standard_errors".to_owned(), of(|estimate| estimate.standard_error).into());
        json.insert("log_likelihood".to_owned(), self.log_likelihood.into());
        json.insert("customers".to_owned(), count(self.customers));
        json.insert("distinct".to_owned(), self.distinct.into());
        if let Some(spend) = self.expected_spend {
            json.insert("expected_spend".to_owned(), spend.into());
        }
        json
    }
}

impl Spend {
    /// The mean of a purchase of a customer of whom nothing is known.
    pub(super) fn expected(&self) -> Option<f64> {
        match self {
            Self::Fitted(fitted) => fitted.expected_spend,
            Self::Failed(_) | Self::Unknown => None,
        }
    }
}

/// A whole number where it is one: weights need not be.
pub(super) fn count(value: f64) -> Value {
    /// Whole numbers up to here are exact as floating-point numbers.
    const MOST: f64 = 9_007_199_254_740_992.0;
    if (0.0..=MOST).contains(&value) && value.fract() == 0.0 { (value as u64).into() } else { value.into() }
}

/// Four digits that say something, or more.
fn number(value: f64) -> String {
    let decimals = if value >= 1_000.0 { 1 } else { 4 };
    grouped(format!("{value:.decimals$}"))
}
