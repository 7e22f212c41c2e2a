//! What is kept of one user for one feature, and what it comes to.

use std::collections::VecDeque;

use cip_core::{CoreError, DistinctCodes, Id, IdRef, MICROS_PER_DAY};

use super::calendar::Calendar;
use super::codes::Codes;
use super::column::{Beyond, Column};
use super::family::{DayRule, ZeroRule};
use super::known::Selected;
use super::numbers::Numbers;
use super::plan::Measure;

/// Codes up to which counts by value keep their memory from user to user.
const KEPT: usize = 1 << 16;

/// A value of a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Whole(i64),
    Float(f64),
    Unknown,
}

/// What is kept for a feature. It is given [`Selected`] rows and nothing else, so nothing in it can depend on what comes at or
/// behind the cutoff.
#[derive(Debug)]
pub(super) enum State {
    Count(i64),
    Numbers(Numbers),
    Distinct(DistinctCodes),
    /// The times of the first event and the last.
    Ends(Option<(i64, i64)>),
    Days {
        days: i64,
        last: Option<i64>,
    },
    /// Sessions so far, and the time of the last event.
    Sessions {
        sessions: i64,
        last: Option<i64>,
    },
    /// Events in the first half of the window, and in all of it.
    Halves {
        early: i64,
        all: i64,
    },
    Part {
        part: i64,
        whole: i64,
    },
    /// Events by the code of their value, and the codes that any has.
    Values {
        counts: Vec<i64>,
        met: Vec<u32>,
    },
    /// Codes of the last values, the oldest first.
    Last(VecDeque<u32>),
    /// It is made of others.
    Made,
}

/// Why a feature has no value.
#[derive(Debug)]
pub(super) enum Failure {
    Core(CoreError),
    Beyond,
}

impl From<CoreError> for Failure {
    fn from(error: CoreError) -> Self {
        Self::Core(error)
    }
}

impl From<Beyond> for Failure {
    fn from(Beyond: Beyond) -> Self {
        Self::Beyond
    }
}

impl State {
    pub(super) fn new(measure: &Measure) -> Self {
        match measure {
            Measure::Count | Measure::PerDay { .. } => Self::Count(0),
            Measure::Number { statistic, .. } => Self::Numbers(Numbers::new(*statistic)),
            Measure::Distinct { .. } => Self::Distinct(DistinctCodes::default()),
            Measure::Ratio { .. } => Self::Made,
            Measure::Recency { .. } | Measure::Span { .. } => Self::Ends(None),
            Measure::ActiveDays => Self::Days { days: 0, last: None },
            Measure::Sessions { .. } => Self::Sessions { sessions: 0, last: None },
            Measure::Trend { .. } | Measure::Volatility { .. } => Self::Halves { early: 0, all: 0 },
            Measure::Share { .. } | Measure::ValueShare { .. } => Self::Part { part: 0, whole: 0 },
            Measure::TopShare { .. } => Self::Values { counts: Vec::new(), met: Vec::new() },
            Measure::Last { .. } => Self::Last(VecDeque::new()),
        }
    }

    /// Adds rows, in the order of time; `of_value` are those of them with the value of an affinity.
    pub(super) fn extend(
        &mut self,
        measure: &Measure,
        selected: &Selected<'_>,
        of_value: Option<&Selected<'_>>,
        columns: &[Column],
        codes: &mut [Codes],
        calendar: &mut Calendar,
    ) -> Result<(), Failure> {
        match (self, measure) {
            (Self::Count(count), _) => *count += selected.count(),
            (Self::Numbers(numbers), Measure::Number { column, .. }) => {
                let column = &columns[*column];
                selected.try_each(|row| match column.number(row)? {
                    Some(number) => numbers.add(number),
                    None => Ok(()),
                })?;
            }
            (Self::Distinct(distinct), Measure::Distinct { column }) => {
                let (column, codes) = (&columns[*column], &mut codes[*column]);
                selected.try_each(|row| {
                    codes
                        .code(column, row)
                        .map(|code| code.into_iter().for_each(|code| distinct.insert(code)))
                })?;
            }
            (Self::Ends(ends), _) => {
                if let Some((first, last)) = selected.ends() {
                    *ends = Some((ends.map_or(first, |(first, _)| first), last));
                }
            }
            (Self::Days { days, last }, _) => selected.each(|row| {
                let day = Some(calendar.day(selected.time(row)));
                *days += i64::from(day != *last);
                *last = day;
            }),
            (Self::Sessions { sessions, last }, Measure::Sessions { gap }) => selected.each(|row| {
                let time = selected.time(row);
                // The difference of two i64 in order always fits a u64.
                let apart = |last: i64| time.wrapping_sub(last).cast_unsigned() > *gap;
                *sessions += i64::from(last.is_none_or(apart));
                *last = Some(time);
            }),
            (Self::Halves { early, all }, Measure::Trend { middle } | Measure::Volatility { middle }) => {
                *early += selected.before(*middle);
                *all += selected.count();
            }
            (Self::Part { part, whole }, Measure::Share { hours, weekdays }) => selected.each(|row| {
                let time = selected.time(row);
                let inside = hours.is_none_or(|hours| hours.contains(calendar.hour(time)))
                    && (weekdays.is_empty() || weekdays.contains(&calendar.weekday(time)));
                *part += i64::from(inside);
                *whole += 1;
            }),
            (Self::Part { part, whole }, Measure::ValueShare { column, .. }) => {
                let column = &columns[*column];
                selected.each(|row| *whole += i64::from(column.is_known(row)));
                *part += of_value.map_or(0, Selected::count);
            }
            (Self::Values { counts, met }, Measure::TopShare { column }) => {
                let (column, codes) = (&columns[*column], &mut codes[*column]);
                selected
                    .try_each(|row| codes.code(column, row).map(|code| count_value(counts, met, code)))?;
            }
            (Self::Last(last), Measure::Last { column, k, .. }) => {
                let (column, codes) = (&columns[*column], &mut codes[*column]);
                selected.try_each(|row| {
                    codes.code(column, row).map(|code| {
                        if let Some(code) = code {
                            if last.len() == *k {
                                last.pop_front();
                            }
                            last.push_back(code);
                        }
                    })
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns what is known of the user; `above` are the values of the features above this one.
    pub(super) fn value(
        &self,
        measure: &Measure,
        cutoff: i64,
        above: &[Value],
        codes: &[Codes],
        calendar: &mut Calendar,
    ) -> Result<Value, Beyond> {
        let ratio = |part: i64, whole: i64| match whole {
            0 => Value::Unknown,
            whole => Value::Float(part as f64 / whole as f64),
        };
        Ok(match (self, measure) {
            (Self::Count(count), Measure::PerDay { days }) => ratio(*count, *days),
            (Self::Count(count), _) => Value::Whole(*count),
            (Self::Numbers(numbers), Measure::Number { unit, .. }) => {
                numbers.value(*unit)?.map_or(Value::Unknown, Value::Float)
            }
            (Self::Distinct(distinct), _) => Value::Whole(distinct.count() as i64),
            (Self::Ends(Some((_, last))), Measure::Recency { days }) => {
                Value::Whole(days.between(*last, cutoff, calendar))
            }
            (Self::Ends(Some((first, last))), Measure::Span { days }) => {
                Value::Whole(days.between(*first, *last, calendar))
            }
            (Self::Days { days, .. }, _) => Value::Whole(*days),
            (Self::Sessions { sessions, .. }, _) => Value::Whole(*sessions),
            (Self::Halves { early, all }, Measure::Trend { .. }) => ratio(all - 2 * early, *all),
            (Self::Halves { early, all }, _) => ratio((all - 2 * early).abs(), all + 1),
            (Self::Part { part, whole }, _) => ratio(*part, *whole),
            (Self::Values { counts, met }, _) => {
                let of = |&code: &u32| counts[code as usize];
                ratio(met.iter().map(of).max().unwrap_or(0), met.iter().map(of).sum())
            }
            (Self::Last(last), Measure::Last { column, k, values }) => match last.front() {
                Some(code) if last.len() == *k => Value::Whole(place_of(codes[*column].value(*code), values)),
                _ => Value::Unknown,
            },
            (Self::Made, Measure::Ratio { numerator, denominator, zero }) => {
                match (above[*numerator].number(), above[*denominator].number()) {
                    (Some(part), Some(0.0)) => zero.value(part),
                    (Some(part), Some(whole)) => Value::Float(part / whole),
                    _ => Value::Unknown,
                }
            }
            _ => Value::Unknown,
        })
    }

    /// Forgets the user.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Count(count) => *count = 0,
            Self::Numbers(numbers) => numbers.clear(),
            Self::Distinct(distinct) => distinct.clear(),
            Self::Ends(ends) => *ends = None,
            Self::Days { days, last } => (*days, *last) = (0, None),
            Self::Sessions { sessions, last } => (*sessions, *last) = (0, None),
            Self::Halves { early, all } => (*early, *all) = (0, 0),
            Self::Part { part, whole } => (*part, *whole) = (0, 0),
            Self::Values { counts, met } => {
                met.drain(..).for_each(|code| counts[code as usize] = 0);
                // The memory of one huge user must not stay for all later ones.
                counts.truncate(KEPT);
                counts.shrink_to(KEPT);
            }
            Self::Last(last) => last.clear(),
            Self::Made => {}
        }
    }
}

impl Value {
    /// It as a number; none where it is unknown.
    pub(super) fn number(self) -> Option<f64> {
        match self {
            Self::Whole(value) => Some(value as f64),
            Self::Float(value) => Some(value),
            Self::Unknown => None,
        }
    }
}

impl ZeroRule {
    fn value(self, numerator: f64) -> Value {
        match self {
            Self::Null => Value::Unknown,
            Self::Zero => Value::Float(0.0),
            Self::Fill(value) => Value::Float(value),
            Self::ByNumerator { zero, .. } if numerator == 0.0 => Value::Float(zero),
            Self::ByNumerator { nonzero, .. } => Value::Float(nonzero),
        }
    }
}

impl DayRule {
    /// Days from one instant to a later one.
    fn between(self, from: i64, to: i64, calendar: &mut Calendar) -> i64 {
        match self {
            Self::Dates => calendar.day(to) - calendar.day(from),
            // The difference of two i64 in order always fits a u64.
            Self::Elapsed => {
                (to.wrapping_sub(from).cast_unsigned() / MICROS_PER_DAY.cast_unsigned()).cast_signed()
            }
        }
    }
}

fn count_value(counts: &mut Vec<i64>, met: &mut Vec<u32>, code: Option<u32>) {
    let Some(code) = code else { return };
    let place = code as usize;
    if counts.len() <= place {
        counts.resize(place + 1, 0);
    }
    if counts[place] == 0 {
        met.push(code);
    }
    counts[place] += 1;
}

/// The place of a value among those that have one, from 1; 0 for others.
fn place_of(value: Option<IdRef<'_>>, values: &[Id]) -> i64 {
    let place = values.iter().position(|listed| Some(listed.as_ref()) == value);
    place.map_or(0, |place| place as i64 + 1)
}
