//! Finished users, column by column, and the formulas of their features.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder};
use arrow_array::{ArrayRef, RecordBatch, UInt8Array};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use cip_core::{IdBuilder, IdRef, MoneyScale, Timestamp};

use crate::error::FeaturesError;
use crate::feature::Feature;
use crate::features::Features;
use crate::history::History;

/// Bytes that a text column can address.
const MAX_TEXT: usize = i32::MAX as usize;

/// Builds a table of features.
#[derive(Debug)]
pub(crate) struct FeatureTable {
    schema: SchemaRef,
    cutoff: Timestamp,
    /// 10^scale.
    one: f64,
    user_bytes: usize,
    users: IdBuilder,
    columns: Vec<(Feature, Column)>,
    /// None where there is no label window.
    labels: Option<Vec<u8>>,
}

#[derive(Debug)]
enum Column {
    Int64(Int64Builder),
    Float64(Float64Builder),
}

impl FeatureTable {
    pub(crate) fn new(features: &Features) -> Self {
        let column = |&feature: &Feature| {
            let column = match feature.data_type() {
                DataType::Int64 => Column::Int64(Int64Builder::new()),
                _ => Column::Float64(Float64Builder::new()),
            };
            (feature, column)
        };
        let decimals = features.input().money.map_or(0, MoneyScale::decimals);
        Self {
            schema: features.schema(),
            cutoff: features.cutoff(),
            one: 10u64.pow(u32::from(decimals)) as f64,
            user_bytes: 0,
            users: IdBuilder::new(features.input().users),
            columns: features.selected().iter().map(column).collect(),
            labels: features.label_until().map(|_| Vec::new()),
        }
    }

    pub(crate) fn append(
        &mut self,
        user: IdRef<'_>,
        history: &History,
        bought: bool,
    ) -> Result<(), FeaturesError> {
        if let IdRef::Utf8(user) = user {
            self.user_bytes = self.user_bytes.saturating_add(user.len());
            if self.user_bytes > MAX_TEXT {
                return Err(FeaturesError::TooMuchText { limit: MAX_TEXT });
            }
        }
        self.users.append(Some(user))?;
        for (feature, column) in &mut self.columns {
            match column {
                Column::Int64(values) => values.append_option(count(*feature, history, self.cutoff)),
                Column::Float64(values) => values.append_option(ratio(*feature, history, self.one)),
            }
        }
        if let Some(labels) = &mut self.labels {
            labels.push(u8::from(bought));
        }
        Ok(())
    }

    /// Returns the users so far, and starts a new table.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.user_bytes = 0;
        let mut columns: Vec<ArrayRef> = vec![self.users.finish()];
        for (_, column) in &mut self.columns {
            columns.push(match column {
                Column::Int64(values) => Arc::new(values.finish()),
                Column::Float64(values) => Arc::new(values.finish()),
            });
        }
        if let Some(labels) = &mut self.labels {
            columns.push(Arc::new(UInt8Array::from(std::mem::take(labels))));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

/// Counts and days.
fn count(feature: Feature, history: &History, cutoff: Timestamp) -> Option<i64> {
    let day = |micros: i64| i64::from(Timestamp::from_micros(micros).day());
    let days_since = |micros: i64| day(cutoff.micros()) - day(micros);
    Some(match feature {
        Feature::Events => history.events,
        Feature::Views => history.kinds.views,
        Feature::Carts => history.kinds.carts,
        Feature::Removes => history.kinds.removes,
        Feature::Purchases => history.kinds.purchases,
        Feature::Sessions => history.sessions() as i64,
        Feature::Products => history.products() as i64,
        Feature::Categories => history.categories() as i64,
        Feature::Brands => history.brands() as i64,
        Feature::ActiveSpanDays => day(history.last) - day(history.first),
        Feature::ActiveDays => history.active_days,
        Feature::RecencyDays => days_since(history.last),
        Feature::DaysSinceLastCart => days_since(history.kinds.last_cart?),
        Feature::DaysSinceLastPurchase => days_since(history.kinds.last_purchase?),
        _ => return None,
    })
}

/// Money and ratios; `one` is a unit of the currency in units of its scale.
fn ratio(feature: Feature, history: &History, one: f64) -> Option<f64> {
    let (early, late) = (history.early, history.events - history.early);
    let (part, whole) = match feature {
        Feature::Spend => (history.spend as f64, one),
        // Counts of events and powers of ten up to 10^9 are exact, and so is their product up to 2^53.
        Feature::AvgPrice => (history.prices.sum as f64, history.prices.count as f64 * one),
        Feature::MaxPrice if history.prices.count > 0 => (history.prices.max as f64, one),
        Feature::ViewToCartRate => (history.kinds.carts as f64, history.kinds.views as f64),
        Feature::CartToPurchaseRate => (history.kinds.purchases as f64, history.kinds.carts as f64),
        Feature::PurchaseRate => (history.kinds.purchases as f64, history.events as f64),
        Feature::EventsPerSession => (history.events as f64, history.sessions() as f64),
        Feature::ActivityTrend => ((late - early) as f64, history.events as f64),
        Feature::ActivityVolatility => ((late - early).abs() as f64, (history.events + 1) as f64),
        _ => return None,
    };
    (whole > 0.0).then(|| part / whole)
}
