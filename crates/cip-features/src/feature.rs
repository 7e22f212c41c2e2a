//! The features there are: names, types, and what each is made from.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use arrow_schema::{DataType, Field};
use cip_core::{EventSchema, column};

use crate::error::FeaturesError;
use crate::set::FeatureSet;

/// A column of the table: one fact about a user, from the events in the window. A [`FeatureSet`](crate::FeatureSet) names those
/// for a kind of source.
///
/// **Commerce.** Event types are `view`, `cart`, `remove_from_cart` and `purchase`; all others count as events only. Days are
/// differences of UTC dates.
///
/// **StreamFlow.** From [`Feature::DailyAvgEvents`] on. Events of support are those of type `support` and of all types that
/// begin with `support_`. Days are whole elapsed days of 24 hours; never is 999. None of these is ever null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// Events of all types.
    Events,
    /// Events of type `view`.
    Views,
    /// Events of type `cart`.
    Carts,
    /// Events of type `remove_from_cart`.
    Removes,
    /// Events of type `purchase`.
    Purchases,
    /// Sum of price x quantity over purchases, in the source's currency. A null quantity, or none, is 1; a null price
    /// adds nothing. The sum is exact and becomes a float at the end.
    Spend,
    /// Distinct `source_session`, nulls not counted; where the source has none, runs of events no two neighbours of which
    /// lie more than 30 minutes apart.
    Sessions,
    /// Distinct `product_id`.
    Products,
    /// Distinct `category_id`, or `category_code` where the source has no ids.
    Categories,
    /// Distinct `brand`.
    Brands,
    /// Mean of the prices over events of all types; null where all are null.
    AvgPrice,
    /// Highest price over events of all types; null where all are null.
    MaxPrice,
    /// Days from the first event to the last.
    ActiveSpanDays,
    /// Days with an event.
    ActiveDays,
    /// Days from the last event to the cutoff.
    RecencyDays,
    /// carts / views; null without views.
    ViewToCartRate,
    /// purchases / carts; null without carts.
    CartToPurchaseRate,
    /// purchases / events.
    PurchaseRate,
    /// events / sessions; null without sessions.
    EventsPerSession,
    /// (h2 - h1) / (h1 + h2), with h1 and h2 the events in the first and in the second half of the window: -1 to 1.
    ActivityTrend,
    /// |h2 - h1| / (h1 + h2 + 1): 0 to 1.
    ActivityVolatility,
    /// Days from the last `cart` to the cutoff; null for never.
    DaysSinceLastCart,
    /// Days from the last `purchase` to the cutoff; null for never.
    DaysSinceLastPurchase,
    /// events / whole days of the window, of which there is at least one.
    DailyAvgEvents,
    /// `video_complete` / `video_start`; 0 without starts. Above 1 where the source tells of more ends than starts.
    VideoCompletionRate,
    /// How many of `page_view`, `video_start`, `search`, `feature_click`, `share` and `download` occur: 0 to 6.
    FeatureBreadth,
    /// Events of support / events.
    SupportIntensity,
    /// Events on the device `mobile` / events; an event without a device is on none.
    MobileFraction,
    /// Sum of `revenue` / events, in the source's currency.
    RevenuePerEvent,
    /// Distinct `device_type`, nulls not counted.
    DeviceDiversity,
    /// Sum of `revenue` over events of all types, in the source's currency; a null adds nothing. The sum is exact and becomes
    /// a float at the end.
    TotalRevenue,
    /// Sum of `duration_seconds` over events of all types / `video_start`, in seconds; a null adds nothing; 0 without starts.
    AvgVideoDuration,
    /// `search` / `video_start`; without starts 10 where there are searches, else 0.
    SearchToViewRatio,
    /// Whole days from the last event to the cutoff.
    DaysSinceLastEvent,
    /// Whole days from the last event of support to the cutoff; 999 for never.
    DaysSinceLastSupport,
    /// Whole days from the last `video_start` or `video_complete` to the cutoff; 999 for never.
    DaysSinceLastVideo,
}

impl Feature {
    /// All features of all sets.
    pub const ALL: [Self; 36] = [
        Self::Events,
        Self::Views,
        Self::Carts,
        Self::Removes,
        Self::Purchases,
        Self::Spend,
        Self::Sessions,
        Self::Products,
        Self::Categories,
        Self::Brands,
        Self::AvgPrice,
        Self::MaxPrice,
        Self::ActiveSpanDays,
        Self::ActiveDays,
        Self::RecencyDays,
        Self::ViewToCartRate,
        Self::CartToPurchaseRate,
        Self::PurchaseRate,
        Self::EventsPerSession,
        Self::ActivityTrend,
        Self::ActivityVolatility,
        Self::DaysSinceLastCart,
        Self::DaysSinceLastPurchase,
        Self::DailyAvgEvents,
        Self::VideoCompletionRate,
        Self::FeatureBreadth,
        Self::SupportIntensity,
        Self::MobileFraction,
        Self::RevenuePerEvent,
        Self::DeviceDiversity,
        Self::TotalRevenue,
        Self::AvgVideoDuration,
        Self::SearchToViewRatio,
        Self::DaysSinceLastEvent,
        Self::DaysSinceLastSupport,
        Self::DaysSinceLastVideo,
    ];

    /// The name of its column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Views => "views",
            Self::Carts => "carts",
            Self::Removes => "removes",
            Self::Purchases => "purchases",
            Self::Spend => "spend",
            Self::Sessions => "sessions",
            Self::Products => "products",
            Self::Categories => "categories",
            Self::Brands => "brands",
            Self::AvgPrice => "avg_price",
            Self::MaxPrice => "max_price",
            Self::ActiveSpanDays => "active_span_days",
            Self::ActiveDays => "active_days",
            Self::RecencyDays => "recency_days",
            Self::ViewToCartRate => "view_to_cart_rate",
            Self::CartToPurchaseRate => "cart_to_purchase_rate",
            Self::PurchaseRate => "purchase_rate",
            Self::EventsPerSession => "events_per_session",
            Self::ActivityTrend => "activity_trend",
            Self::ActivityVolatility => "activity_volatility",
            Self::DaysSinceLastCart => "days_since_last_cart",
            Self::DaysSinceLastPurchase => "days_since_last_purchase",
            Self::DailyAvgEvents => "daily_avg_events",
            Self::VideoCompletionRate => "video_completion_rate",
            Self::FeatureBreadth => "feature_breadth",
            Self::SupportIntensity => "support_intensity",
            Self::MobileFraction => "mobile_fraction",
            Self::RevenuePerEvent => "revenue_per_event",
            Self::DeviceDiversity => "device_diversity",
            Self::TotalRevenue => "total_revenue",
            Self::AvgVideoDuration => "avg_video_duration",
            Self::SearchToViewRatio => "search_to_view_ratio",
            Self::DaysSinceLastEvent => "days_since_last_event",
            Self::DaysSinceLastSupport => "days_since_last_support",
            Self::DaysSinceLastVideo => "days_since_last_video",
        }
    }

    /// The type of its column: Int64 for counts and days, Float64 for money and ratios.
    pub const fn data_type(self) -> DataType {
        match self {
            Self::Spend
            | Self::AvgPrice
            | Self::MaxPrice
            | Self::ViewToCartRate
            | Self::CartToPurchaseRate
            | Self::PurchaseRate
            | Self::EventsPerSession
            | Self::ActivityTrend
            | Self::ActivityVolatility
            | Self::DailyAvgEvents
            | Self::VideoCompletionRate
            | Self::SupportIntensity
            | Self::MobileFraction
            | Self::RevenuePerEvent
            | Self::TotalRevenue
            | Self::AvgVideoDuration
            | Self::SearchToViewRatio => DataType::Float64,
            _ => DataType::Int64,
        }
    }

    /// Whether its column has nulls, for what is unknown of a user.
    pub const fn is_nullable(self) -> bool {
        matches!(
            self,
            Self::AvgPrice
                | Self::MaxPrice
                | Self::ViewToCartRate
                | Self::CartToPurchaseRate
                | Self::EventsPerSession
                | Self::DaysSinceLastCart
                | Self::DaysSinceLastPurchase
        )
    }

    /// Where its values should lie; none where any value makes sense. A value outside is kept, and
    /// [`MatrixReport`](crate::MatrixReport) counts it: it tells of a source that is not as expected, such as one with more
    /// carts than views.
    pub const fn range(self) -> Option<RangeInclusive<f64>> {
        match self {
            Self::ViewToCartRate
            | Self::CartToPurchaseRate
            | Self::PurchaseRate
            | Self::ActivityVolatility
            | Self::VideoCompletionRate
            | Self::SupportIntensity
            | Self::MobileFraction => Some(0.0..=1.0),
            Self::ActivityTrend => Some(-1.0..=1.0),
            Self::FeatureBreadth => Some(0.0..=6.0),
            Self::DeviceDiversity => Some(1.0..=4.0),
            _ => None,
        }
    }

    /// Returns what it cannot do without and the source does not have, or not of the type that it is made from: any one of
    /// these columns would do. None where the source can give it.
    pub fn missing(self, schema: &EventSchema) -> Option<&'static [&'static str]> {
        self.needs().iter().find(|any| !any.iter().any(|name| schema.can_give(name))).copied()
    }

    /// Which words for event types it counts; none where any event counts alike.
    pub(crate) fn vocabulary(self) -> Option<FeatureSet> {
        let counts = self.needs().iter().any(|any| any.contains(&column::EVENT_TYPE));
        counts.then(|| if self.is_of_a_shop() { FeatureSet::Commerce } else { FeatureSet::StreamFlow })
    }

    pub(crate) fn is_of_a_shop(self) -> bool {
        FeatureSet::Commerce.features().contains(&self)
    }

    /// The event columns from which a source of `schema` makes it, besides user_id and event_time.
    pub(crate) fn inputs(self, schema: &EventSchema) -> impl Iterator<Item = &'static str> {
        let needed =
            self.needs().iter().filter_map(|any| any.iter().copied().find(|name| schema.can_give(name)));
        let used: &[_] = match self {
            Self::Spend => &[column::QUANTITY],
            Self::Sessions | Self::EventsPerSession => &[column::SOURCE_SESSION],
            _ => &[],
        };
        needed.chain(used.iter().copied().filter(|name| schema.has(name)))
    }

    /// What it cannot do without besides user_id and event_time: of each group one column.
    const fn needs(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Events
            | Self::Sessions
            | Self::ActiveSpanDays
            | Self::ActiveDays
            | Self::RecencyDays
            | Self::EventsPerSession
            | Self::ActivityTrend
            | Self::ActivityVolatility
            | Self::DailyAvgEvents
            | Self::DaysSinceLastEvent => &[],
            Self::Views
            | Self::Carts
            | Self::Removes
            | Self::Purchases
            | Self::ViewToCartRate
            | Self::CartToPurchaseRate
            | Self::PurchaseRate
            | Self::DaysSinceLastCart
            | Self::DaysSinceLastPurchase
            | Self::VideoCompletionRate
            | Self::FeatureBreadth
            | Self::SupportIntensity
            | Self::SearchToViewRatio
            | Self::DaysSinceLastSupport
            | Self::DaysSinceLastVideo => &[&[column::EVENT_TYPE]],
            Self::Spend => &[&[column::EVENT_TYPE], &[column::PRICE]],
            Self::Products => &[&[column::PRODUCT_ID]],
            Self::Categories => &[&[column::CATEGORY_ID, column::CATEGORY_CODE]],
            Self::Brands => &[&[column::BRAND]],
            Self::AvgPrice | Self::MaxPrice => &[&[column::PRICE]],
            Self::MobileFraction | Self::DeviceDiversity => &[&[column::DEVICE_TYPE]],
            Self::RevenuePerEvent | Self::TotalRevenue => &[&[column::REVENUE]],
            Self::AvgVideoDuration => &[&[column::EVENT_TYPE], &[column::DURATION_SECONDS]],
        }
    }

    /// Its column.
    pub(crate) fn field(self) -> Field {
        Field::new(self.name(), self.data_type(), self.is_nullable())
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Feature {
    type Err = FeaturesError;

    fn from_str(name: &str) -> Result<Self, FeaturesError> {
        Self::ALL
            .into_iter()
            .find(|feature| feature.name() == name)
            .ok_or_else(|| FeaturesError::UnknownFeature { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_a_name_of_its_own_and_is_read_by_it() {
        for (at, feature) in Feature::ALL.into_iter().enumerate() {
            assert_eq!(feature.name().parse::<Feature>().unwrap(), feature);
            assert!(Feature::ALL[..at].iter().all(|other| other.name() != feature.name()));
            assert_eq!(feature as usize, at, "the order is that of the enum");
            let sets = [FeatureSet::Commerce, FeatureSet::StreamFlow];
            assert!(sets.iter().any(|set| set.features().contains(&feature)), "{feature} is in no set");
        }
        let error = "revenue".parse::<Feature>().unwrap_err().to_string();
        assert!(
            error.starts_with("`revenue` is not a feature: expected one of events, views, carts"),
            "{error}"
        );
    }
}
