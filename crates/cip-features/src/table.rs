//! Users of the ready sets, and the formulas of their features.

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use cip_core::{IdRef, MICROS_PER_DAY, MoneyScale, TimeRange, Timestamp};

use crate::error::FeaturesError;
use crate::feature::Feature;
use crate::features::Features;
use crate::finished_users::{Column, FinishedUsers};
use crate::history::History;
use crate::service::{ServiceKind, ServiceUse};

/// Days since what never happened, where a feature has a number for it.
const NEVER_DAYS: i64 = 999;

/// Searches for a start of a video, of those who search and start none.
const SEARCHES_ALONE: f64 = 10.0;

/// Builds a table of features.
#[derive(Debug)]
pub(crate) struct FeatureTable {
    window: TimeRange,
    units: Units,
    users: FinishedUsers<Feature>,
}

/// What a number is divided by to be read by people.
#[derive(Debug, Clone, Copy)]
struct Units {
    /// 10^scale.
    price: f64,
    revenue: f64,
    /// Whole days of the window, at least one.
    days: f64,
}

impl FeatureTable {
    pub(crate) fn new(features: &Features) -> Self {
        let one =
            |scale: Option<MoneyScale>| 10u64.pow(u32::from(scale.map_or(0, MoneyScale::decimals))) as f64;
        let (input, window) = (features.input(), features.window());
        let days = elapsed_days(window.start().micros(), window.end().micros()).max(1) as f64;
        let selected = features.selected().iter().copied();
        Self {
            window,
            units: Units { price: one(input.money), revenue: one(input.revenue), days },
            users: FinishedUsers::new(features.schema(), input.users, selected),
        }
    }

    pub(crate) fn append(
        &mut self,
        user: IdRef<'_>,
        history: &History,
        positive: bool,
    ) -> Result<(), FeaturesError> {
        let (end, units) = (self.window.end(), self.units);
        self.users.append(user, positive, |&feature, column| match column {
            Column::Int64(values) => values.append_option(count(feature, history, end)),
            Column::Float64(values) => values.append_option(ratio(feature, history, units)),
        })
    }

    /// Returns the users so far, and starts a new table.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.users.take()
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
        Feature::DaysSinceLastEvent => elapsed_days(history.last, cutoff.micros()),
        _ => return service_count(feature, history.service.as_ref()?, cutoff),
    })
}

/// Counts and days of how a service is used.
// Apart, so that the loop over the features of a shop stays small.
#[inline(never)]
fn service_count(feature: Feature, service: &ServiceUse, cutoff: Timestamp) -> Option<i64> {
    let days_since = |last: Option<i64>| last.map_or(NEVER_DAYS, |last| elapsed_days(last, cutoff.micros()));
    Some(match feature {
        Feature::FeatureBreadth => service.breadth(),
        Feature::DeviceDiversity => service.devices(),
        Feature::DaysSinceLastSupport => days_since(service.last_support),
        Feature::DaysSinceLastVideo => days_since(service.last_video),
        _ => return None,
    })
}

/// Whole days of 24 hours from one instant to a later one.
fn elapsed_days(from: i64, to: i64) -> i64 {
    // The difference of two i64 in order always fits a u64.
    (to.wrapping_sub(from).cast_unsigned() / MICROS_PER_DAY.cast_unsigned()).cast_signed()
}

/// Money and ratios.
fn ratio(feature: Feature, history: &History, units: Units) -> Option<f64> {
    let (early, late) = (history.early, history.events - history.early);
    let one = units.price;
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
        Feature::DailyAvgEvents => (history.events as f64, units.days),
        _ => return service_ratio(feature, history.events as f64, history.service.as_ref()?, units),
    };
    (whole > 0.0).then(|| part / whole)
}

/// Money and ratios of how a service is used; a ratio of nothing has a number of its own.
#[inline(never)]
fn service_ratio(feature: Feature, events: f64, service: &ServiceUse, units: Units) -> Option<f64> {
    let count = |kind| service.count(kind) as f64;
    let (starts, searches) = (count(ServiceKind::VideoStart), count(ServiceKind::Search));
    let (part, whole, of_nothing) = match feature {
        Feature::VideoCompletionRate => (count(ServiceKind::VideoComplete), starts, 0.0),
        Feature::SupportIntensity => (count(ServiceKind::Support), events, 0.0),
        Feature::MobileFraction => (service.mobile as f64, events, 0.0),
        Feature::RevenuePerEvent => (service.revenue as f64, events * units.revenue, 0.0),
        Feature::AvgVideoDuration => (service.seconds as f64, starts, 0.0),
        Feature::SearchToViewRatio => (searches, starts, if searches > 0.0 { SEARCHES_ALONE } else { 0.0 }),
        Feature::TotalRevenue => (service.revenue as f64, units.revenue, 0.0),
        _ => return None,
    };
    Some(if whole > 0.0 { part / whole } else { of_nothing })
}
