//! The names of families in a document.

use serde::{Deserialize, Serialize};

use crate::spec::family::{Family, Statistic};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Name {
    Count,
    PerDay,
    Sum,
    Mean,
    Min,
    Max,
    Std,
    Distinct,
    Ratio,
    Recency,
    Span,
    ActiveDays,
    Sessions,
    Trend,
    Volatility,
    Share,
    Affinity,
    Last,
}

impl Name {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::PerDay => "per_day",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Std => "std",
            Self::Distinct => "distinct",
            Self::Ratio => "ratio",
            Self::Recency => "recency",
            Self::Span => "span",
            Self::ActiveDays => "active_days",
            Self::Sessions => "sessions",
            Self::Trend => "trend",
            Self::Volatility => "volatility",
            Self::Share => "share",
            Self::Affinity => "affinity",
            Self::Last => "last",
        }
    }

    pub(super) const fn of(family: &Family) -> Self {
        match family {
            Family::Count => Self::Count,
            Family::PerDay => Self::PerDay,
            Family::Number { statistic: Statistic::Sum, .. } => Self::Sum,
            Family::Number { statistic: Statistic::Mean, .. } => Self::Mean,
            Family::Number { statistic: Statistic::Min, .. } => Self::Min,
            Family::Number { statistic: Statistic::Max, .. } => Self::Max,
            Family::Number { statistic: Statistic::Std, .. } => Self::Std,
            Family::Distinct { .. } => Self::Distinct,
            Family::Ratio { .. } => Self::Ratio,
            Family::Recency { .. } => Self::Recency,
            Family::Span { .. } => Self::Span,
            Family::ActiveDays => Self::ActiveDays,
            Family::Sessions { .. } => Self::Sessions,
            Family::Trend => Self::Trend,
            Family::Volatility => Self::Volatility,
            Family::Share { .. } => Self::Share,
            Family::Affinity { .. } => Self::Affinity,
            Family::Last { .. } => Self::Last,
        }
    }
}
