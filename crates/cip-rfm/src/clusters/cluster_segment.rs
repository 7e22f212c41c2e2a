//! The names of clusters: their medians against those of all customers.

use serde::{Deserialize, Serialize};

/// What a cluster is, by its medians of monetary (M), frequency (F) and recency (R) against those of all customers (m, f, r).
///
/// A cluster with R below r is recent, any other dormant. The first rule that fits:
///
/// | | recent | dormant |
/// |---|---|---|
/// | M > 2m and F > 2f | Super VIP Champions | VIP At Risk |
/// | F > 2f | Super Frequent Active | as below |
///
/// | recent | M > 4m | M > 2m | M > m | M > m/2 | else |
/// |---|---|---|---|---|---|
/// | F > f | Ultra High Value Active | High Value Active | Champions | Frequent Buyers | Frequent Buyers |
/// | else | Big Spenders | Big Spenders | Big Spenders | Potential Loyalists | New Customers |
///
/// | dormant | M > 2m | M > m | else |
/// |---|---|---|---|
/// | F > f | High Value At Risk | Loyal Customers At Risk | Cannot Lose Them |
/// | else | High Value At Risk | At Risk Customers | Hibernating |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterSegment {
    /// Recent, and far above the medians of all in money and orders.
    SuperVipChampions,
    /// As these, but dormant.
    VipAtRisk,
    /// Recent, with far more orders.
    SuperFrequentActive,
    /// Recent, with more orders and more than four times the money.
    UltraHighValueActive,
    /// Recent, with more orders and more than twice the money.
    HighValueActive,
    /// Recent, with more orders and more money.
    Champions,
    /// Recent, with more orders and no more money.
    FrequentBuyers,
    /// Recent, with no more orders and more money.
    BigSpenders,
    /// Recent, with no more orders and more than half the money.
    PotentialLoyalists,
    /// Recent, with no more orders and little money.
    NewCustomers,
    /// Dormant, with more than twice the money.
    HighValueAtRisk,
    /// Dormant, with more orders and more money.
    LoyalCustomersAtRisk,
    /// Dormant, with no more orders and more money.
    AtRiskCustomers,
    /// Dormant, with more orders and no more money.
    CannotLoseThem,
    /// Dormant, with no more orders and no more money.
    Hibernating,
}

/// The medians of some customers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Medians {
    /// In units of the scale of money.
    pub(super) monetary: f64,
    pub(super) frequency: f64,
    pub(super) recency_days: f64,
}

impl ClusterSegment {
    /// All, in the order of their rules.
    pub const ALL: [Self; 15] = [
        Self::SuperVipChampions,
        Self::VipAtRisk,
        Self::SuperFrequentActive,
        Self::UltraHighValueActive,
        Self::HighValueActive,
        Self::Champions,
        Self::FrequentBuyers,
        Self::BigSpenders,
        Self::PotentialLoyalists,
        Self::NewCustomers,
        Self::HighValueAtRisk,
        Self::LoyalCustomersAtRisk,
        Self::AtRiskCustomers,
        Self::CannotLoseThem,
        Self::Hibernating,
    ];

    pub(super) fn of(cluster: &Medians, all: &Medians) -> Self {
        let recent = cluster.recency_days < all.recency_days;
        let money = |times: f64| cluster.monetary > times * all.monetary;
        let orders = |times: f64| cluster.frequency > times * all.frequency;
        match recent {
            true if money(2.0) && orders(2.0) => Self::SuperVipChampions,
            false if money(2.0) && orders(2.0) => Self::VipAtRisk,
            true if orders(2.0) => Self::SuperFrequentActive,
            true if orders(1.0) && money(4.0) => Self::UltraHighValueActive,
            true if orders(1.0) && money(2.0) => Self::HighValueActive,
            true if orders(1.0) && money(1.0) => Self::Champions,
            true if orders(1.0) => Self::FrequentBuyers,
            true if money(1.0) => Self::BigSpenders,
            true if money(0.5) => Self::PotentialLoyalists,
            true => Self::NewCustomers,
            false if money(2.0) => Self::HighValueAtRisk,
            false if money(1.0) && orders(1.0) => Self::LoyalCustomersAtRisk,
            false if money(1.0) => Self::AtRiskCustomers,
            false if orders(1.0) => Self::CannotLoseThem,
            false => Self::Hibernating,
        }
    }

    /// The name, as the tables write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SuperVipChampions => "Super VIP Champions",
            Self::VipAtRisk => "VIP At Risk",
            Self::SuperFrequentActive => "Super Frequent Active",
            Self::UltraHighValueActive => "Ultra High Value Active",
            Self::HighValueActive => "High Value Active",
            Self::Champions => "Champions",
            Self::FrequentBuyers => "Frequent Buyers",
            Self::BigSpenders => "Big Spenders",
            Self::PotentialLoyalists => "Potential Loyalists",
            Self::NewCustomers => "New Customers",
            Self::HighValueAtRisk => "High Value At Risk",
            Self::LoyalCustomersAtRisk => "Loyal Customers At Risk",
            Self::AtRiskCustomers => "At Risk Customers",
            Self::CannotLoseThem => "Cannot Lose Them",
            Self::Hibernating => "Hibernating",
        }
    }

    /// The name of the segment in a cluster: outliers, which are below 0, are VIPs, and told so where the name does not say it.
    pub(super) fn name_in(self, cluster: i32) -> String {
        match self {
            Self::SuperVipChampions | Self::VipAtRisk => self.name().to_owned(),
            _ if cluster < 0 => format!("VIP {}", self.name()),
            _ => self.name().to_owned(),
        }
    }

    /// What to do with its customers.
    pub const fn recommendation(self) -> &'static str {
        match self {
            Self::SuperVipChampions => "Give them a person to call, and let them in before all others",
            Self::VipAtRisk => "Call each of them: find out what went wrong, and mend it",
            Self::SuperFrequentActive => {
                "Raise the value of an order: bundles, and free delivery from an amount on"
            }
            Self::UltraHighValueActive => "Invite them to a club of few, with a service of its own",
            Self::HighValueActive => "Offer the best of the range first, and ask for referrals",
            Self::Champions => "Reward loyalty, and ask for reviews",
            Self::FrequentBuyers => "Recommend what goes with their baskets, a little dearer",
            Self::BigSpenders => "Give a reason to come more often: reminders and refills",
            Self::PotentialLoyalists => "Offer a membership with a gain at the next order",
            Self::NewCustomers => "Welcome them, and make the second order easy",
            Self::HighValueAtRisk => "Write personally, with an offer that is worth their money",
            Self::LoyalCustomersAtRisk => "Remind them of what they used to buy, and ask why they stay away",
            Self::AtRiskCustomers => "Make a limited offer on what they bought",
            Self::CannotLoseThem => "Bring them back with their favourites at a good price",
            Self::Hibernating => "Send an occasional offer, at low cost",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every combination of the bands that the rules tell apart, written out as the rules are told.
    #[test]
    fn every_combination_has_its_segment() {
        let all = Medians { monetary: 100.0, frequency: 10.0, recency_days: 30.0 };
        let mut seen = BTreeSet::new();
        for monetary in [-5.0, 50.0, 51.0, 100.0, 101.0, 200.0, 201.0, 400.0, 401.0] {
            for frequency in [1.0, 10.0, 11.0, 20.0, 21.0] {
                for recency_days in [29.0, 30.0, 31.0] {
                    let found = ClusterSegment::of(&Medians { monetary, frequency, recency_days }, &all);
                    let expected = if recency_days < 30.0 {
                        if monetary > 200.0 && frequency > 20.0 {
                            "Super VIP Champions"
                        } else if frequency > 20.0 {
                            "Super Frequent Active"
                        } else if frequency > 10.0 {
                            if monetary > 400.0 {
                                "Ultra High Value Active"
                            } else if monetary > 200.0 {
                                "High Value Active"
                            } else if monetary > 100.0 {
                                "Champions"
                            } else {
                                "Frequent Buyers"
                            }
                        } else if monetary > 100.0 {
                            "Big Spenders"
                        } else if monetary > 50.0 {
                            "Potential Loyalists"
                        } else {
                            "New Customers"
                        }
                    } else if monetary > 200.0 && frequency > 20.0 {
                        "VIP At Risk"
                    } else if monetary > 200.0 {
                        "High Value At Risk"
                    } else if monetary > 100.0 {
                        if frequency > 10.0 { "Loyal Customers At Risk" } else { "At Risk Customers" }
                    } else if frequency > 10.0 {
                        "Cannot Lose Them"
                    } else {
                        "Hibernating"
                    };
                    assert_eq!(found.name(), expected, "M {monetary}, F {frequency}, R {recency_days}");
                    assert_eq!(found.name_in(0), expected);
                    for outliers in [-1, -2, -3] {
                        let marked = match expected {
                            "Super VIP Champions" | "VIP At Risk" => expected.to_owned(),
                            _ => format!("VIP {expected}"),
                        };
                        assert_eq!(found.name_in(outliers), marked);
                    }
                    seen.insert(found);
                }
            }
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ClusterSegment::ALL, "all fifteen occur");
        let actions: BTreeSet<_> = ClusterSegment::ALL.map(ClusterSegment::recommendation).into();
        assert_eq!(actions.len(), 15, "each its own");
    }
}
