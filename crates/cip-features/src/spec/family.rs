//! The families of features, and what each is told.

use cip_core::Id;
use serde::{Deserialize, Serialize};

use super::gap::Gap;

/// What a feature says of the events that it looks at: those of the user before the cutoff, inside its window, which match its
/// [`Filter`](super::Filter).
///
/// Hours, days and dates are those of the specification's time zone, UTC unless it has another:
/// [`FeatureSpec::with_time_zone`](super::FeatureSpec::with_time_zone). What is null for want of events, or of values, can be filled: [`FeatureRule::with_fill`](super::FeatureRule::with_fill).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Family {
    /// Events. Int64, never null.
    Count,
    /// Events / whole days of 24 hours of the feature's window, of which there is at least one. Float64, never null.
    PerDay,
    /// A statistic of a column of numbers. Float64.
    Number {
        /// Which one.
        statistic: Statistic,
        /// The column: Int64, UInt32, Float64 or money; or `spend`, which is price x quantity of each event, where a quantity that
        /// is null or absent is 1.
        column: Box<str>,
    },
    /// Distinct values of a column of texts or integers, nulls not counted. Int64, never null.
    Distinct {
        /// The column.
        column: Box<str>,
    },
    /// One feature / another, of those that stand above it. Float64; null where either is.
    Ratio {
        /// What is divided.
        numerator: Box<str>,
        /// By what.
        denominator: Box<str>,
        /// What it is where the denominator is 0.
        zero: ZeroRule,
    },
    /// Days from the last event to the cutoff. Int64; null for never.
    Recency {
        /// What a day is.
        days: DayRule,
    },
    /// Days from the first event to the last. Int64; null without events.
    Span {
        /// What a day is.
        days: DayRule,
    },
    /// Dates with an event. Int64, never null.
    ActiveDays,
    /// Sessions of the events. Int64, never null.
    Sessions {
        /// Runs of events no two neighbours of which lie further apart; none: distinct `source_session`, nulls not counted, or, where the source
        /// has none, runs with the gap of [`Gap::default`], as in [`FeatureSet::Commerce`](crate::FeatureSet::Commerce).
        gap: Option<Gap>,
    },
    /// (h2 - h1) / (h1 + h2), with h1 and h2 the events in the first and in the second half of the feature's window: -1 to 1.
    /// Float64; null without events.
    Trend,
    /// |h2 - h1| / (h1 + h2 + 1), with the halves of [`Family::Trend`]: 0 to 1. Float64, never null.
    Volatility,
    /// The part of the events that lies at certain hours and on certain weekdays: 0 to 1. Float64; null without events.
    Share {
        /// The hours of the day; none: all.
        hours: Option<Hours>,
        /// The days of the week; none: all.
        weekdays: Vec<Weekday>,
    },
    /// The part of the events with a value in a column that have one value: 0 to 1. Float64; null where no event has a value.
    Affinity {
        /// The column, of texts or integers.
        column: Box<str>,
        /// Which value; none: the one that most events of the user have.
        value: Option<Id>,
    },
    /// The value in the k-th last event that has one, as its place in a list, from 1; 0 for a value that is not listed. Int64; null
    /// where there are fewer such events. Of events of one time the later in the source is the last.
    Last {
        /// The column, of texts or integers.
        column: Box<str>,
        /// 1 is the last.
        k: u32,
        /// The values that have a place.
        values: Vec<Id>,
    },
}

impl Family {
    /// Its name in a document.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::PerDay => "per_day",
            Self::Number { statistic, .. } => statistic.name(),
            Self::Distinct { .. } => "distinct",
            Self::Ratio { .. } => "ratio",
            Self::Recency { .. } => "recency",
            Self::Span { .. } => "span",
            Self::ActiveDays => "active_days",
            Self::Sessions { .. } => "sessions",
            Self::Trend => "trend",
            Self::Volatility => "volatility",
            Self::Share { .. } => "share",
            Self::Affinity { .. } => "affinity",
            Self::Last { .. } => "last",
        }
    }

    /// Whether its values are whole numbers.
    pub(super) const fn is_whole(&self) -> bool {
        matches!(
            self,
            Self::Count
                | Self::Distinct { .. }
                | Self::Recency { .. }
                | Self::Span { .. }
                | Self::ActiveDays
                | Self::Sessions { .. }
                | Self::Last { .. }
        )
    }

    /// Whether something can be unknown of a user, given whether every user has an event that it looks at.
    pub(super) fn is_nullable(&self, always: bool) -> bool {
        match self {
            Self::Count
            | Self::PerDay
            | Self::Distinct { .. }
            | Self::ActiveDays
            | Self::Sessions { .. }
            | Self::Volatility => false,
            Self::Number { statistic, .. } => *statistic != Statistic::Sum,
            Self::Recency { .. } | Self::Span { .. } | Self::Trend | Self::Share { .. } => !always,
            Self::Ratio { .. } | Self::Affinity { .. } | Self::Last { .. } => true,
        }
    }

    /// Where its values must lie by its formula.
    pub(super) const fn range(&self) -> Option<[f64; 2]> {
        match self {
            Self::Trend => Some([-1.0, 1.0]),
            Self::Volatility | Self::Share { .. } | Self::Affinity { .. } => Some([0.0, 1.0]),
            _ => None,
        }
    }
}

/// What is said of the numbers of some events. Nulls are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// The sum; 0 without numbers. Exact for integers and money, which become a float at the end; floats are added in the order of
    /// the events.
    Sum,
    /// The sum / how many there are; null without numbers.
    Mean,
    /// The least; null without numbers.
    Min,
    /// The greatest; null without numbers.
    Max,
    /// The standard deviation with n - 1, by Welford's method in the order of the events; null with fewer than two numbers.
    ///
    /// B. P. Welford (1962), Note on a method for calculating corrected sums of squares and products, Technometrics 4(3).
    Std,
}

impl Statistic {
    /// Its name in a document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Std => "std",
        }
    }
}

/// What a ratio is where its denominator is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ZeroRule {
    /// Null: unknown.
    Null,
    /// 0.
    Zero,
    /// Another number, which is finite, whatever the numerator is.
    Fill(f64),
    /// One number where the numerator is not 0, and another where it is: both are finite.
    ByNumerator {
        /// Where it is not 0.
        nonzero: f64,
        /// Where it is 0 as well.
        zero: f64,
    },
}

/// What a day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayRule {
    /// The difference of two dates, as in [`FeatureSet::Commerce`](crate::FeatureSet::Commerce).
    #[default]
    Dates,
    /// Whole elapsed days of 24 hours, as in [`FeatureSet::StreamFlow`](crate::FeatureSet::StreamFlow).
    Elapsed,
}

/// Hours of the day, from one up to, and without, another; round midnight where the second is not greater.
///
/// # Examples
/// ```
/// use cip_features::spec::Hours;
/// let night = Hours::new(22, 6).ok_or("hours of the day")?;
/// assert!(night.contains(23) && night.contains(5) && !night.contains(6));
/// assert_eq!(Hours::new(22, 25), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hours {
    from: u8,
    to: u8,
}

impl Hours {
    /// Returns `[from, to)`; none where they are equal, or beyond the day: `from` is 0 to 23, `to` 0 to 24.
    pub fn new(from: u8, to: u8) -> Option<Self> {
        (from < 24 && to <= 24 && from != to).then_some(Self { from, to })
    }

    /// The first hour, and that behind the last.
    pub const fn ends(self) -> [u8; 2] {
        [self.from, self.to]
    }

    /// Whether an hour is among them.
    pub fn contains(self, hour: u8) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&hour)
        } else {
            hour >= self.from || hour < self.to
        }
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    /// All, in the order of ISO 8601: Monday is the first.
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];
}
