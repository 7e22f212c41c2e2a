//! How a document writes a feature.

use cip_core::column;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::name::Name;
use super::pivot::PivotTable;
use super::refuse;
use super::values::{LIST, filter, id, ids, list_of, table, value_of};
use crate::error::FeaturesError;
use crate::spec::family::{DayRule, Family, Hours, Statistic, Weekday, ZeroRule};
use crate::spec::gap::Gap;
use crate::spec::look_back::LookBack;
use crate::spec::rule::{FeatureRule, Windows};

/// All that any family is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    name: Box<str>,
    family: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    numerator: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    denominator: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zero: Option<ZeroRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    days: Option<DayRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gap: Option<Gap>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hours: Option<[u8; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weekdays: Option<Vec<Weekday>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<LookBack>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    windows: Option<Vec<LookBack>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fill: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<[f64; 2]>,
    // Tables come last, so that TOML can write them.
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    filter: Option<Table>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pivot: Option<PivotTable>,
}

impl Rule {
    pub(super) fn check(mut self) -> Result<FeatureRule, FeaturesError> {
        let name = self.name.clone();
        let family = self.take_family()?;
        let mut rule = FeatureRule::new(name, family)?;
        if let Some(argument) = self.left() {
            return Err(rule.unused(argument));
        }
        if let Some(conditions) = self.filter {
            rule = rule.with_filter(filter(&self.name, conditions)?)?;
        }
        rule = match (self.window, self.windows) {
            (Some(_), Some(_)) => {
                return Err(refuse(&self.name, "window", "beside `windows`", "only one of the two"));
            }
            (Some(window), None) => rule.with_window(window)?,
            (None, Some(windows)) => rule.with_windows(&windows)?,
            (None, None) => rule,
        };
        if let Some(pivot) = self.pivot {
            rule = rule.with_pivot(pivot.check(&self.name)?)?;
        }
        if let Some(fill) = self.fill {
            rule = rule.with_fill(fill)?;
        }
        if let Some([low, high]) = self.range {
            rule = rule.with_range(low..=high)?;
        }
        Ok(rule)
    }

    /// Takes what the family is told.
    fn take_family(&mut self) -> Result<Family, FeaturesError> {
        let (name, family) = (self.name.clone(), self.family.text());
        let missing =
            |argument| move || FeaturesError::MissingArgument { feature: name.clone(), family, argument };
        let mut column = || self.column.take().ok_or_else(missing.clone()("column"));
        Ok(match self.family {
            Name::Count => Family::Count,
            Name::PerDay => Family::PerDay,
            Name::Sum => Family::Number { statistic: Statistic::Sum, column: column()? },
            Name::Mean => Family::Number { statistic: Statistic::Mean, column: column()? },
            Name::Min => Family::Number { statistic: Statistic::Min, column: column()? },
            Name::Max => Family::Number { statistic: Statistic::Max, column: column()? },
            Name::Std => Family::Number { statistic: Statistic::Std, column: column()? },
            Name::Distinct => Family::Distinct { column: column()? },
            Name::Ratio => Family::Ratio {
                numerator: self.numerator.take().ok_or_else(missing.clone()("numerator"))?,
                denominator: self.denominator.take().ok_or_else(missing.clone()("denominator"))?,
                zero: self.zero.take().ok_or_else(missing("zero"))?,
            },
            Name::Recency => Family::Recency { days: self.days.take().unwrap_or_default() },
            Name::Span => Family::Span { days: self.days.take().unwrap_or_default() },
            Name::ActiveDays => Family::ActiveDays,
            Name::Sessions => Family::Sessions { gap: self.gap.take() },
            Name::Trend => Family::Trend,
            Name::Volatility => Family::Volatility,
            Name::Share => {
                let hours = self.hours.take().map(|[from, to]| {
                    let expected = "two different hours of the day, such as [22, 6]: the first 0 to 23, the second 0 to 24";
                    Hours::new(from, to)
                        .ok_or_else(|| refuse(&self.name, "hours", &format!("[{from}, {to}]"), expected))
                });
                Family::Share {
                    hours: hours.transpose()?,
                    weekdays: self.weekdays.take().unwrap_or_default(),
                }
            }
            Name::Affinity => {
                let column = column()?;
                let value = self.value.take().map(|value| {
                    id(&value).ok_or_else(|| {
                        refuse(&self.name, "value", &value.to_string(), "a text or an integer")
                    })
                });
                Family::Affinity { column, value: value.transpose()? }
            }
            Name::Last => Family::Last {
                column: self.column.take().unwrap_or_else(|| column::EVENT_TYPE.into()),
                k: self.k.take().unwrap_or(1),
                values: {
                    let values = self.values.take().ok_or_else(missing("values"))?;
                    ids(&values).ok_or_else(|| refuse(&self.name, "values", &values.to_string(), LIST))?
                },
            },
        })
    }

    /// A key that was written and is not of the family.
    fn left(&self) -> Option<&'static str> {
        let left = [
            (self.column.is_some(), "column"),
            (self.numerator.is_some(), "numerator"),
            (self.denominator.is_some(), "denominator"),
            (self.zero.is_some(), "zero"),
            (self.days.is_some(), "days"),
            (self.gap.is_some(), "gap"),
            (self.hours.is_some(), "hours"),
            (self.weekdays.is_some(), "weekdays"),
            (self.value.is_some(), "value"),
            (self.k.is_some(), "k"),
            (self.values.is_some(), "values"),
        ];
        left.into_iter().find_map(|(written, name)| written.then_some(name))
    }

    pub(super) fn of(rule: &FeatureRule) -> Self {
        let mut document = Self {
            name: rule.name().into(),
            family: Name::of(rule.family()),
            column: None,
            numerator: None,
            denominator: None,
            zero: None,
            days: None,
            gap: None,
            hours: None,
            weekdays: None,
            value: None,
            k: None,
            values: None,
            window: None,
            windows: None,
            fill: rule.fill(),
            range: rule.own_range(),
            filter: (!rule.filter().conditions().is_empty()).then(|| table(rule.filter())),
            pivot: rule.pivot().map(PivotTable::of),
        };
        match rule.each_window() {
            Windows::One(window) => document.window = *window,
            Windows::Each(windows) => document.windows = Some(windows.clone()),
        }
        match rule.family().clone() {
            Family::Count | Family::PerDay | Family::ActiveDays | Family::Trend | Family::Volatility => {}
            Family::Sessions { gap } => document.gap = gap,
            Family::Number { column, .. } | Family::Distinct { column } => document.column = Some(column),
            Family::Ratio { numerator, denominator, zero } => {
                (document.numerator, document.denominator) = (Some(numerator), Some(denominator));
                document.zero = Some(zero);
            }
            Family::Recency { days } | Family::Span { days } => {
                document.days = (days != DayRule::default()).then_some(days);
            }
            Family::Share { hours, weekdays } => {
                document.hours = hours.map(Hours::ends);
                document.weekdays = (!weekdays.is_empty()).then_some(weekdays);
            }
            Family::Affinity { column, value } => {
                (document.column, document.value) = (Some(column), value.as_ref().map(value_of));
            }
            Family::Last { column, k, values } => {
                document.column = (*column != *column::EVENT_TYPE).then_some(column);
                document.k = (k != 1).then_some(k);
                document.values = Some(list_of(&values));
            }
        }
        document
    }
}
