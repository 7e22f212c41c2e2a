//! The document of a specification, as it is written and read.

use cip_core::{Id, TimeZone, column};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::FeatureSpec;
use super::family::{DayRule, Family, Hours, Statistic, Weekday, ZeroRule};
use super::filter::{Filter, Test};
use super::gap::Gap;
use super::look_back::LookBack;
use super::pivot::{Pivot, PivotValues};
use super::rule::{FeatureRule, Windows};
use crate::error::FeaturesError;

const VALUES: &str = "a text, an integer, a list of them, or one of { not = … }, { starts_with = \"…\" }, { at_least = 1, below = 9 }";
const LIST: &str = "a list of texts or of integers";

/// The document, before it is checked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time_zone: Option<Box<str>>,
    features: Vec<Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<Label>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    #[serde(rename = "where")]
    filter: Table,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
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

/// All that any family is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
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

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PivotTable {
    column: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    top: Option<u32>,
}

impl TryFrom<Document> for FeatureSpec {
    type Error = FeaturesError;

    fn try_from(document: Document) -> Result<Self, FeaturesError> {
        let rules = document.features.into_iter().map(Rule::check).collect::<Result<_, _>>()?;
        let mut spec = Self::new(rules)?;
        if let Some(zone) = document.time_zone {
            spec = spec.with_time_zone(zone.parse()?);
        }
        match document.label {
            Some(label) => spec.with_label(filter("label", label.filter)?),
            None => Ok(spec),
        }
    }
}

impl From<FeatureSpec> for Document {
    fn from(spec: FeatureSpec) -> Self {
        Self {
            time_zone: (spec.time_zone != TimeZone::UTC).then(|| spec.time_zone.to_string().into()),
            features: spec.rules.iter().map(Rule::of).collect(),
            label: spec.label.as_ref().map(|filter| Label { filter: table(filter) }),
        }
    }
}

impl Rule {
    fn check(mut self) -> Result<FeatureRule, FeaturesError> {
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

    fn of(rule: &FeatureRule) -> Self {
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

impl Name {
    const fn text(self) -> &'static str {
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

    const fn of(family: &Family) -> Self {
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

impl PivotTable {
    fn check(self, feature: &str) -> Result<Pivot, FeaturesError> {
        let values = match (self.values, self.top) {
            (Some(values), None) => {
                let listed =
                    ids(&values).ok_or_else(|| refuse(feature, "pivot.values", &values.to_string(), LIST));
                PivotValues::Listed(listed?)
            }
            (None, Some(top)) => PivotValues::Top(top),
            (Some(_), Some(_)) => {
                return Err(refuse(feature, "pivot.top", "beside `values`", "only one of the two"));
            }
            (None, None) => {
                return Err(refuse(feature, "pivot", "without `values`", "`values = [...]` or `top = 10`"));
            }
        };
        Ok(Pivot::new(self.column, values))
    }

    fn of(pivot: &Pivot) -> Self {
        let (values, top) = match pivot.values() {
            PivotValues::Listed(values) => (Some(list_of(values)), None),
            PivotValues::Top(top) => (None, Some(*top)),
        };
        Self { column: pivot.column().into(), values, top }
    }
}

/// The conditions that a table writes.
fn filter(feature: &str, table: Table) -> Result<Filter, FeaturesError> {
    let mut filter = Filter::default();
    for (column, value) in table {
        let test = test(&value)
            .ok_or_else(|| refuse(feature, &format!("where.{column}"), &value.to_string(), VALUES))?;
        filter = filter.and(column, test);
    }
    Ok(filter)
}

fn test(value: &Value) -> Option<Test> {
    let Value::Table(table) = value else { return some_ids(value).map(Test::AnyOf) };
    let mut keys = table.iter().map(|(key, value)| (key.as_str(), value));
    match (keys.next()?, keys.next(), keys.next()) {
        (("not", value), None, None) => some_ids(value).map(Test::NoneOf),
        (("starts_with", Value::String(text)), None, None) => Some(Test::StartsWith(text.as_str().into())),
        (("at_least", value), None, None) => {
            Some(Test::Between { at_least: Some(number(value)?), below: None })
        }
        (("below", value), None, None) => Some(Test::Between { at_least: None, below: Some(number(value)?) }),
        (("at_least", low), Some(("below", high)), None)
        | (("below", high), Some(("at_least", low)), None) => {
            Some(Test::Between { at_least: Some(number(low)?), below: Some(number(high)?) })
        }
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

fn table(filter: &Filter) -> Table {
    let one_of = |values: &[Id]| match values {
        [value] => value_of(value),
        values => list_of(values),
    };
    let named = |key: &str, value: Value| (key.to_owned(), value);
    let value = |test: &Test| match test {
        Test::AnyOf(values) => one_of(values),
        Test::NoneOf(values) => Value::Table(Table::from_iter([named("not", one_of(values))])),
        Test::StartsWith(text) => {
            Value::Table(Table::from_iter([named("starts_with", Value::String(text.to_string()))]))
        }
        Test::Between { at_least, below } => {
            let ends = [("at_least", at_least), ("below", below)];
            let ends = ends.into_iter().filter_map(|(key, end)| Some(named(key, Value::Float((*end)?))));
            Value::Table(ends.collect())
        }
    };
    filter.conditions().iter().map(|(column, test)| (column.to_string(), value(test))).collect()
}

/// One value, or a list.
fn some_ids(value: &Value) -> Option<Vec<Id>> {
    id(value).map(|id| vec![id]).or_else(|| ids(value))
}

fn ids(value: &Value) -> Option<Vec<Id>> {
    value.as_array()?.iter().map(id).collect()
}

fn id(value: &Value) -> Option<Id> {
    match value {
        Value::String(text) => Some(Id::Utf8(text.as_str().into())),
        Value::Integer(number) => Some(Id::Int64(*number)),
        _ => None,
    }
}

fn value_of(id: &Id) -> Value {
    match id {
        Id::Int64(number) => Value::Integer(*number),
        Id::Utf8(text) => Value::String(text.to_string()),
    }
}

fn list_of(values: &[Id]) -> Value {
    Value::Array(values.iter().map(value_of).collect())
}

fn refuse(feature: &str, argument: &str, found: &str, expected: &'static str) -> FeaturesError {
    FeaturesError::Argument {
        feature: feature.into(),
        argument: argument.into(),
        found: found.into(),
        expected,
    }
}
