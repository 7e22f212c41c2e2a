//! The histories of all customers side by side, and what is foretold of each.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch};
use cip_core::{CoreError, IdColumn, column, table};

use super::forecast::{Forecast, Forecaster};
use super::gamma_gamma::GammaGamma;
use super::history::{ContractHistory, Histories, History, RepeatHistory, SpendHistory};
use super::hold_out::HoldOutReport;
use super::purchase_model::{Horizon, PurchaseModel, check_time};
use super::shifted_beta::ShiftedBeta;
use crate::error::RfmError;

/// Customers with their histories: what models are fitted to, and what they foretell.
///
/// Rows keep their order. [`CustomerHistories::table`](crate::lifetime::CustomerHistories::table) makes it from events; a service
/// that has a summary of its customers makes it from columns.
#[derive(Debug, Clone)]
pub struct HistoryTable<H> {
    users: ArrayRef,
    histories: Vec<H>,
    spend: Option<Vec<Option<SpendHistory>>>,
    weights: Option<Vec<f64>>,
    hold_out: Option<(f64, Vec<u64>)>,
}

impl<H: History> HistoryTable<H> {
    /// Returns the table of the histories of these users: integers or text.
    ///
    /// # Errors
    /// [`RfmError::Rows`] where the two are not of equal length, [`CoreError::ColumnType`] for other ids.
    pub fn new(users: ArrayRef, histories: Vec<H>) -> Result<Self, RfmError> {
        IdColumn::try_new(column::USER_ID, &users)?;
        check_rows("histories", histories.len(), users.len())?;
        Ok(Self { users, histories, spend: None, weights: None, hold_out: None })
    }

    /// Adds what each customer spends; none where that is not known.
    ///
    /// # Errors
    /// [`RfmError::Rows`] unless there is one a customer.
    pub fn with_spend(mut self, spend: Vec<Option<SpendHistory>>) -> Result<Self, RfmError> {
        check_rows("spend", spend.len(), self.len())?;
        self.spend = Some(spend);
        Ok(self)
    }

    /// Lets each row stand for several customers.
    ///
    /// # Errors
    /// [`RfmError::Rows`] unless there is one a row; [`RfmError::Weight`] unless all are finite and above 0.
    pub fn with_weights(mut self, weights: Vec<f64>) -> Result<Self, RfmError> {
        check_rows("weights", weights.len(), self.len())?;
        if let Some(&weight) = weights.iter().find(|weight| !(0.0 < **weight && **weight < f64::INFINITY)) {
            return Err(RfmError::Weight { weight });
        }
        self.weights = Some(weights);
        Ok(self)
    }

    /// Adds what each customer bought in the time that followed.
    ///
    /// # Errors
    /// [`RfmError::Rows`] unless there is one a customer; [`RfmError::Time`] unless the time is finite and not below 0.
    pub fn with_hold_out(mut self, time: f64, purchases: Vec<u64>) -> Result<Self, RfmError> {
        check_rows("hold-out purchases", purchases.len(), self.len())?;
        self.hold_out = Some((check_time(time)?, purchases));
        Ok(self)
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.histories.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.histories.is_empty()
    }

    /// Returns the histories to fit a model to.
    ///
    /// # Errors
    /// [`RfmError::Weight`].
    pub fn histories(&self) -> Result<Histories<H>, RfmError> {
        match &self.weights {
            Some(_) => Histories::weighted(self.weighted().map(|(history, weight)| (*history, weight))),
            None => Ok(self.histories.iter().copied().collect()),
        }
    }

    /// Returns the spend to fit a model to, of customers of whom it is known; none where no column of it was given.
    ///
    /// # Errors
    /// [`RfmError::Weight`].
    pub fn spend_histories(&self) -> Result<Option<Histories<SpendHistory>>, RfmError> {
        let Some(spend) = &self.spend else { return Ok(None) };
        let known = spend.iter().enumerate().filter_map(|(row, spend)| Some(((*spend)?, self.weight(row))));
        Ok(Some(match &self.weights {
            Some(_) => Histories::weighted(known)?,
            None => known.map(|(history, _)| history).collect(),
        }))
    }

    /// Returns the histories and for how many customers each stands, row by row.
    pub fn weighted(&self) -> impl Iterator<Item = (&H, f64)> {
        self.histories.iter().enumerate().map(|(row, history)| (history, self.weight(row)))
    }

    /// Returns `lifetime_values`, as [`table::lifetime_values`] describes it, in the order of the rows.
    ///
    /// # Errors
    /// [`RfmError::Rows`] unless there is a forecast a row.
    pub fn record_batch(&self, forecasts: &[Forecast]) -> Result<RecordBatch, RfmError> {
        check_rows("forecasts", forecasts.len(), self.len())?;
        let of = |of: fn(&Forecast) -> Option<f64>| -> ArrayRef {
            Arc::new(forecasts.iter().map(of).collect::<Float64Array>())
        };
        let facts = || self.histories.iter();
        let monetary = (0..self.len()).map(|row| self.spend(row).map(|spend| spend.mean()));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::clone(&self.users),
            Arc::new(facts().map(|history| i64::try_from(history.count()).ok()).collect::<Int64Array>()),
            Arc::new(facts().map(History::last).collect::<Float64Array>()),
            Arc::new(Float64Array::from_iter_values(facts().map(History::observed))),
            of(|forecast| forecast.p_alive),
            of(|forecast| forecast.purchases),
            of(|forecast| forecast.spend),
            of(|forecast| forecast.value),
            Arc::new(monetary.collect::<Float64Array>()),
        ];
        if let Some((_, purchases)) = &self.hold_out {
            let purchases = purchases.iter().map(|&purchases| i64::try_from(purchases).ok());
            columns.push(Arc::new(purchases.collect::<Int64Array>()));
        }
        let ids = IdColumn::try_new(column::USER_ID, &self.users)?.id_type();
        let hold_out = self.hold_out.as_ref().map_or(table::HoldOut::Unknown, |_| table::HoldOut::Known);
        let schema = table::lifetime_values(ids, hold_out);
        Ok(RecordBatch::try_new(schema, columns).map_err(CoreError::from)?)
    }

    pub(super) fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    pub(super) fn rows(&self) -> &[H] {
        &self.histories
    }

    /// What is known of the spend of each row; none where no column of it was given.
    pub(super) fn spends(&self) -> Option<&[Option<SpendHistory>]> {
        self.spend.as_deref()
    }

    pub(super) fn spend(&self, row: usize) -> Option<&SpendHistory> {
        self.spend.as_ref()?[row].as_ref()
    }
}

impl HistoryTable<RepeatHistory> {
    /// Returns what is foretold of every customer within the horizon: by `model` whether and how often he comes back, by `spend`
    /// what he spends, by both the value. Of whom no spend is known, the mean of all is expected.
    ///
    /// # Complexity
    /// Customers of equal histories are foretold once. With a discount rate each takes as many steps as there are periods.
    ///
    /// # Errors
    /// As [`PurchaseModel::discounted_purchases`].
    pub fn forecast(
        &self,
        model: Option<&dyn PurchaseModel>,
        spend: Option<&GammaGamma>,
        horizon: Horizon,
    ) -> Result<Vec<Forecast>, RfmError> {
        Forecaster::new(model, spend, horizon).forecast(self)
    }

    /// Returns how the model's expectations compare with what was held out; none where nothing was. Of customers in several tables,
    /// `before` is what was said of those above.
    ///
    /// # Errors
    /// As [`PurchaseModel::expected_purchases_given`].
    pub fn hold_out(
        &self,
        model: &dyn PurchaseModel,
        before: Option<HoldOutReport>,
    ) -> Result<Option<HoldOutReport>, RfmError> {
        let Some((time, purchases)) = &self.hold_out else { return Ok(before) };
        let mut report = before.unwrap_or_else(|| HoldOutReport::new(*time));
        for ((history, weight), &purchases) in self.weighted().zip(purchases) {
            let expected = model.expected_purchases_given(history, *time)?;
            report.add(history.frequency(), weight, purchases as f64, expected);
        }
        Ok(Some(report))
    }
}

impl HistoryTable<ContractHistory> {
    /// Returns what is foretold of every contract within the horizon: whether it runs, how often it is renewed, and what that is worth
    /// where each renewal brings what the customer has paid on average.
    pub fn forecast(&self, model: &ShiftedBeta, horizon: Horizon) -> Vec<Forecast> {
        let undiscounted = horizon.undiscounted();
        let forecast = |(row, history): (usize, &ContractHistory)| {
            let spend = self.spend(row).map(SpendHistory::mean);
            Forecast {
                p_alive: Some(f64::from(u8::from(history.is_active()))),
                purchases: Some(model.discounted_renewals(history, undiscounted)),
                spend,
                value: spend.map(|spend| spend * model.discounted_renewals(history, horizon)),
            }
        };
        self.histories.iter().enumerate().map(forecast).collect()
    }
}

fn check_rows(what: &'static str, found: usize, expected: usize) -> Result<(), RfmError> {
    if found == expected { Ok(()) } else { Err(RfmError::Rows { what, found, expected }) }
}
