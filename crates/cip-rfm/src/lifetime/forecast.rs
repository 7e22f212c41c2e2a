//! What is foretold of customers, table by table.

use std::collections::HashMap;

use super::gamma_gamma::GammaGamma;
use super::history::RepeatHistory;
use super::history_table::HistoryTable;
use super::purchase_model::{Horizon, PurchaseModel};
use crate::error::RfmError;

/// What is foretold of one customer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Forecast {
    /// The probability of being a customer still.
    pub p_alive: Option<f64>,
    /// Purchases, or renewals, within the horizon.
    pub purchases: Option<f64>,
    /// What each of them is worth.
    pub spend: Option<f64>,
    /// What all of them are worth, discounted: the customer's lifetime value.
    pub value: Option<f64>,
}

/// Histories that are remembered: 7/8 of 2^18, which a hash map holds in 14 MB.
const MOST_REMEMBERED: usize = (1 << 18) / 8 * 7;

/// Foretells customers by models that are fitted, in as many tables as there are.
///
/// Equal histories are foretold once, mostly: 229,376 are remembered. What is foretold of a customer does not depend on the others.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array};
/// use cip_rfm::lifetime::{BgNbd, DropOut, Forecaster, HistoryTable, Horizon, RepeatHistory};
/// // The published estimates of the CDNOW sample, in weeks.
/// let model = BgNbd::new(DropOut::AfterRepeat, 0.243, 4.414, 0.793, 2.426)?;
/// let mut forecaster = Forecaster::new(Some(&model), None, Horizon::new(39)?);
/// for user in [1, 2] {
///     let users: ArrayRef = Arc::new(Int64Array::from(vec![user]));
///     let customers = HistoryTable::new(users, vec![RepeatHistory::new(2, 30.43, 38.86)?])?;
///     let purchases = forecaster.forecast(&customers)?[0].purchases;
///     assert_eq!(purchases.map(|expected| format!("{expected:.3}")).as_deref(), Some("1.226"));
/// }
/// # Ok::<(), cip_rfm::RfmError>(())
/// ```
pub struct Forecaster<'a> {
    model: Option<&'a dyn PurchaseModel>,
    spend: Option<&'a GammaGamma>,
    horizon: Horizon,
    /// Whether customers of a history are still there, their purchases and their discounted purchases.
    remembered: HashMap<(u64, u64, u64), [f64; 3]>,
}

impl std::fmt::Debug for Forecaster<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forecaster")
            .field("model", &self.model.map(PurchaseModel::name))
            .field("spend", &self.spend)
            .field("horizon", &self.horizon)
            .finish_non_exhaustive()
    }
}

impl<'a> Forecaster<'a> {
    /// Returns what foretells by `model` whether and how often customers come back, by `spend` what they spend, by both their value.
    pub fn new(
        model: Option<&'a dyn PurchaseModel>,
        spend: Option<&'a GammaGamma>,
        horizon: Horizon,
    ) -> Self {
        Self { model, spend, horizon, remembered: HashMap::new() }
    }

    /// Returns what is foretold of every customer of a table within the horizon. Of whom no spend is known, the mean of all is expected.
    ///
    /// # Complexity
    /// With a discount rate a history takes as many steps as there are periods.
    ///
    /// # Errors
    /// As [`PurchaseModel::discounted_purchases`].
    pub fn forecast(&mut self, customers: &HistoryTable<RepeatHistory>) -> Result<Vec<Forecast>, RfmError> {
        let rows = customers.rows().iter().enumerate();
        rows.map(|(row, history)| {
            let spend = self.spend.and_then(|model| match customers.spend(row) {
                Some(known) => model.expected_spend_given(known),
                None => model.expected_spend(),
            });
            let Some(model) = self.model else { return Ok(Forecast { spend, ..Forecast::default() }) };
            let [p_alive, purchases, discounted] = self.purchases(model, history)?;
            Ok(Forecast {
                p_alive: Some(p_alive),
                purchases: Some(purchases),
                spend,
                value: spend.map(|spend| spend * discounted),
            })
        })
        .collect()
    }

    fn purchases(
        &mut self,
        model: &dyn PurchaseModel,
        history: &RepeatHistory,
    ) -> Result<[f64; 3], RfmError> {
        let key = (history.frequency(), history.recency().to_bits(), history.age().to_bits());
        if let Some(known) = self.remembered.get(&key) {
            return Ok(*known);
        }
        let time = f64::from(self.horizon.periods());
        let found = [
            model.p_alive(history),
            model.expected_purchases_given(history, time)?,
            model.discounted_purchases(history, self.horizon)?,
        ];
        if self.remembered.len() == MOST_REMEMBERED {
            self.remembered.clear();
        }
        self.remembered.insert(key, found);
        Ok(found)
    }
}
