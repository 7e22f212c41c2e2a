//! The two sets of features, each for one kind of source.

use std::fmt;

use cip_core::{EventSchema, column};

use crate::feature::Feature;

/// The features that are written unless others are named, and what the label foretells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FeatureSet {
    /// Of a shop: who will buy.
    #[default]
    Commerce,
    /// Of a subscription video service: who will cancel.
    StreamFlow,
}

impl FeatureSet {
    /// Returns the set that events of `schema` are for: [`FeatureSet::StreamFlow`] where there are `device_type`,
    /// `duration_seconds` and `revenue` of the types that features are made from, and no `price`; else
    /// [`FeatureSet::Commerce`].
    pub fn of(schema: &EventSchema) -> Self {
        let service = column::SERVICE_COLUMNS.iter().all(|name| schema.can_give(name));
        if service && !schema.has(column::PRICE) { Self::StreamFlow } else { Self::Commerce }
    }

    /// Its features, in the table's order.
    pub const fn features(self) -> &'static [Feature] {
        use Feature::*;
        match self {
            Self::Commerce => &[
                Events,
                Views,
                Carts,
                Removes,
                Purchases,
                Spend,
                Sessions,
                Products,
                Categories,
                Brands,
                AvgPrice,
                MaxPrice,
                ActiveSpanDays,
                ActiveDays,
                RecencyDays,
                ViewToCartRate,
                CartToPurchaseRate,
                PurchaseRate,
                EventsPerSession,
                ActivityTrend,
                ActivityVolatility,
                DaysSinceLastCart,
                DaysSinceLastPurchase,
            ],
            Self::StreamFlow => &[
                DailyAvgEvents,
                VideoCompletionRate,
                FeatureBreadth,
                SupportIntensity,
                MobileFraction,
                RevenuePerEvent,
                DeviceDiversity,
                TotalRevenue,
                AvgVideoDuration,
                SearchToViewRatio,
                DaysSinceLastEvent,
                DaysSinceLastSupport,
                DaysSinceLastVideo,
                ActivityTrend,
                ActivityVolatility,
            ],
        }
    }

    /// The type of event that makes a label 1.
    pub const fn label_event(self) -> &'static str {
        match self {
            Self::Commerce => "purchase",
            Self::StreamFlow => "subscription_cancelled",
        }
    }

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commerce => "commerce",
            Self::StreamFlow => "streamflow",
        }
    }
}

impl fmt::Display for FeatureSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
