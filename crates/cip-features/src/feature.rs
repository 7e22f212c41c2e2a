//! The features there are: names, types, and what each is made from.

use std::fmt;
use std::str::FromStr;

use arrow_schema::{DataType, Field};
use cip_core::{EventSchema, column};

use crate::error::FeaturesError;

/// A column of the table: one fact about a user, from the events in the window.
///
/// Event types are `view`, `cart`, `remove_from_cart` and `purchase`; all others count as events only. Days are differences
/// of UTC dates.
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
}

impl Feature {
    /// All features, in the table's order.
    pub const ALL: [Self; 23] = [
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
            | Self::ActivityVolatility => DataType::Float64,
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

    /// Returns what it cannot do without and the source does not have: any one of these columns would do. None where the
    /// source can give it.
    pub fn missing(self, schema: &EventSchema) -> Option<&'static [&'static str]> {
        self.needs().iter().find(|any| !any.iter().any(|name| schema.has(name))).copied()
    }

    /// The event columns from which a source of `schema` makes it, besides user_id and event_time.
    pub(crate) fn inputs(self, schema: &EventSchema) -> impl Iterator<Item = &'static str> {
        let needed = self.needs().iter().filter_map(|any| any.iter().copied().find(|name| schema.has(name)));
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
            | Self::ActivityVolatility => &[],
            Self::Views
            | Self::Carts
            | Self::Removes
            | Self::Purchases
            | Self::ViewToCartRate
            | Self::CartToPurchaseRate
            | Self::PurchaseRate
            | Self::DaysSinceLastCart
            | Self::DaysSinceLastPurchase => &[&[column::EVENT_TYPE]],
            Self::Spend => &[&[column::EVENT_TYPE], &[column::PRICE]],
            Self::Products => &[&[column::PRODUCT_ID]],
            Self::Categories => &[&[column::CATEGORY_ID, column::CATEGORY_CODE]],
            Self::Brands => &[&[column::BRAND]],
            Self::AvgPrice | Self::MaxPrice => &[&[column::PRICE]],
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
            assert_eq!(feature as usize, at, "the order of the table is that of the enum");
        }
        let error = "revenue".parse::<Feature>().unwrap_err().to_string();
        assert!(
            error.starts_with("`revenue` is not a feature: expected one of events, views, carts"),
            "{error}"
        );
    }
}
