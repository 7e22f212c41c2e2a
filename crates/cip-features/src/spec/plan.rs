//! A specification bound to a schema and a window: which columns are read, and what is computed of them.

use arrow_schema::{DataType, Field};
use cip_core::{EventSchema, Id, MICROS_PER_DAY, TimeRange, column};

use super::FeatureSpec;
use super::column::{ColumnType, DISCRETE, NUMBERS, SPEND, type_of};
use super::expansion::Single;
use super::family::{DayRule, Family, Hours, Statistic, Weekday, ZeroRule};
use super::filter::{Filter, Test};
use super::selection::{Selection, Selections};
use super::state::Value;
use crate::error::FeaturesError;

/// What is read and computed.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) columns: Vec<PlannedColumn>,
    pub(super) selections: Vec<Selection>,
    /// Those that are written, and those above them that they are made from.
    pub(super) features: Vec<PlannedFeature>,
    /// The places of those that are written, in the order of their columns.
    written: Vec<usize>,
    /// Which events make a label 1; none where there is no label.
    pub(super) label: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) struct PlannedColumn {
    pub(super) name: Box<str>,
    pub(super) column_type: ColumnType,
}

#[derive(Debug, Clone)]
pub(super) struct PlannedFeature {
    pub(super) name: Box<str>,
    pub(super) measure: Measure,
    /// The place of its selection; none where it looks at every row.
    pub(super) selection: Option<usize>,
    pub(super) start: i64,
    fill: Option<f64>,
    pub(super) range: Option<[f64; 2]>,
    whole: bool,
    nullable: bool,
}

/// A family whose columns and parts are places.
#[derive(Debug, Clone)]
pub(super) enum Measure {
    Count,
    PerDay { days: i64 },
    Number { statistic: Statistic, column: usize, unit: f64 },
    Distinct { column: usize },
    Ratio { numerator: usize, denominator: usize, zero: ZeroRule },
    Recency { days: DayRule },
    Span { days: DayRule },
    ActiveDays,
    Sessions { gap: u64 },
    Trend { middle: i64 },
    Volatility { middle: i64 },
    Share { hours: Option<Hours>, weekdays: Vec<Weekday> },
    TopShare { column: usize },
    ValueShare { column: usize, of_value: Option<usize> },
    Last { column: usize, k: usize, values: Vec<Id> },
}

impl Plan {
    /// Plans those of `singles` that are named, in this order, and what they are made from.
    pub(super) fn new(
        singles: &[Single],
        written: &[usize],
        window: TimeRange,
        schema: &EventSchema,
        label: Option<&Filter>,
    ) -> Result<Self, FeaturesError> {
        let needed = needed(singles, written);
        let mut binder = Binder::new(schema);
        let mut features: Vec<PlannedFeature> = Vec::with_capacity(singles.len());
        for (_, single) in singles.iter().enumerate().filter(|(place, _)| needed[*place]) {
            let feature = binder.feature(single, window, &features)?;
            features.push(feature);
        }
        // Those that are not needed have no place.
        let place = |written: &usize| needed[..*written].iter().filter(|&&needed| needed).count();
        let written = written.iter().map(place).collect();
        let label = label.map(|filter| {
            let conditions = filter.conditions().iter().map(|(column, test)| (&**column, test.clone()));
            // Without conditions any event would make a label.
            binder.selection("label", conditions)?.ok_or(FeaturesError::NoLabel)
        });
        let label = label.transpose()?;
        Ok(Self {
            columns: binder.columns,
            selections: binder.selections.into_all(),
            features,
            written,
            label,
        })
    }

    /// The features that are written, each with its place, in the order of their columns.
    pub(super) fn written(&self) -> impl Iterator<Item = (usize, &PlannedFeature)> {
        self.written.iter().map(|&place| (place, &self.features[place]))
    }
}

/// The part of a schema that is read, `user_id` and `event_time` included.
pub(super) fn project(columns: &[PlannedColumn], schema: &EventSchema) -> EventSchema {
    let mut names = vec![column::USER_ID, column::EVENT_TIME];
    for planned in columns {
        match planned.column_type {
            ColumnType::Spend(_) => names.extend([column::PRICE, column::QUANTITY]),
            _ => names.push(&planned.name),
        }
    }
    schema.project(&names)
}

/// The pivots whose values are to be found.
#[derive(Debug)]
pub(super) struct PivotPlan {
    pub(super) columns: Vec<PlannedColumn>,
    pub(super) selections: Vec<Selection>,
    pub(super) pivots: Vec<PlannedPivot>,
}

/// A pivot whose values are to be found.
#[derive(Debug)]
pub(super) struct PlannedPivot {
    /// The place of its rule.
    pub(super) rule: usize,
    pub(super) column: usize,
    /// The place of its selection; none where it looks at every row.
    pub(super) selection: Option<usize>,
    /// How many values at the most.
    pub(super) top: usize,
}

impl PivotPlan {
    pub(super) fn new(spec: &FeatureSpec, schema: &EventSchema) -> Result<Self, FeaturesError> {
        let mut binder = Binder::new(schema);
        let mut pivots = Vec::new();
        for (rule, of, pivot, top) in spec.unsettled() {
            let conditions = of.filter().conditions().iter().map(|(column, test)| (&**column, test.clone()));
            let selection = binder.selection(of.name(), conditions)?;
            let column = binder.discrete(of.name(), pivot.column())?;
            pivots.push(PlannedPivot { rule, column, selection, top: top as usize });
        }
        Ok(Self { columns: binder.columns, selections: binder.selections.into_all(), pivots })
    }
}

/// Which features are written, or part of one that is.
fn needed(singles: &[Single], written: &[usize]) -> Vec<bool> {
    let mut needed = vec![false; singles.len()];
    written.iter().for_each(|&place| needed[place] = true);
    // Parts stand above what they are parts of.
    for place in (0..singles.len()).rev() {
        if let (true, Family::Ratio { numerator, denominator, .. }) = (needed[place], &singles[place].family)
        {
            for (above, part) in singles[..place].iter().enumerate() {
                needed[above] |= part.name == *numerator || part.name == *denominator;
            }
        }
    }
    needed
}

impl PlannedFeature {
    /// What stands in the place of what is unknown.
    pub(super) fn filling(&self) -> Value {
        match self.fill {
            None => Value::Unknown,
            Some(fill) if self.whole => Value::Whole(fill as i64),
            Some(fill) => Value::Float(fill),
        }
    }

    /// Its column.
    pub(super) fn field(&self) -> Field {
        let data_type = if self.whole { DataType::Int64 } else { DataType::Float64 };
        Field::new(&*self.name, data_type, self.nullable)
    }
}

struct Binder<'a> {
    schema: &'a EventSchema,
    columns: Vec<PlannedColumn>,
    selections: Selections,
}

impl<'s> Binder<'s> {
    fn new(schema: &'s EventSchema) -> Self {
        Self { schema, columns: Vec::new(), selections: Selections::default() }
    }

    fn feature(
        &mut self,
        single: &Single,
        window: TimeRange,
        above: &[PlannedFeature],
    ) -> Result<PlannedFeature, FeaturesError> {
        let name = &*single.name;
        let selection = self.selection(name, single.conditions())?;
        let (first, cutoff) = (window.start().micros(), window.end().micros());
        let start = single.window.map_or(first, |back| back.start(cutoff).max(first));
        let width = cutoff.wrapping_sub(start).cast_unsigned();
        let middle = start.wrapping_add((width / 2).cast_signed());
        // The expansion has found them above, so they are planned.
        let part = |part: &str| above.iter().position(|above| *above.name == *part).unwrap_or_default();
        let mut nullable = single.family.is_nullable(single.sees_all());
        let measure = match &single.family {
            Family::Count => Measure::Count,
            Family::PerDay => {
                let days = (width / MICROS_PER_DAY.cast_unsigned()).cast_signed().max(1);
                Measure::PerDay { days }
            }
            Family::Number { statistic, column } => {
                let (column, unit) = self.number(name, column)?;
                Measure::Number { statistic: *statistic, column, unit }
            }
            Family::Distinct { column } => Measure::Distinct { column: self.discrete(name, column)? },
            Family::Ratio { numerator, denominator, zero } => {
                let (numerator, denominator) = (part(numerator), part(denominator));
                let unknown = |place: usize| above.get(place).is_none_or(|above| above.nullable);
                nullable = *zero == ZeroRule::Null || unknown(numerator) || unknown(denominator);
                Measure::Ratio { numerator, denominator, zero: *zero }
            }
            Family::Recency { days } => Measure::Recency { days: *days },
            Family::Span { days } => Measure::Span { days: *days },
            Family::ActiveDays => Measure::ActiveDays,
            Family::Sessions { gap: None } if self.schema.has(column::SOURCE_SESSION) => {
                Measure::Distinct { column: self.discrete(name, column::SOURCE_SESSION)? }
            }
            Family::Sessions { gap } => Measure::Sessions { gap: gap.unwrap_or_default().micros() },
            Family::Trend => Measure::Trend { middle },
            Family::Volatility => Measure::Volatility { middle },
            Family::Share { hours, weekdays } => Measure::Share { hours: *hours, weekdays: weekdays.clone() },
            Family::Affinity { column, value: None } => {
                Measure::TopShare { column: self.discrete(name, column)? }
            }
            Family::Affinity { column, value: Some(value) } => {
                let place = self.discrete(name, column)?;
                let own = (&**column, Test::AnyOf(vec![value.clone()]));
                let of_value = self.selection(name, single.conditions().chain([own]))?;
                Measure::ValueShare { column: place, of_value }
            }
            Family::Last { column, k, values } => {
                let place = self.discrete(name, column)?;
                values.iter().try_for_each(|value| self.check_value(name, place, value))?;
                Measure::Last { column: place, k: *k as usize, values: values.clone() }
            }
        };
        Ok(PlannedFeature {
            name: single.name.clone(),
            measure,
            selection,
            start,
            fill: single.fill,
            range: single.range,
            whole: single.family.is_whole(),
            nullable: nullable && single.fill.is_none(),
        })
    }

    /// Returns the place of a selection; none where it selects every row.
    fn selection<'a>(
        &mut self,
        feature: &str,
        conditions: impl Iterator<Item = (&'a str, Test)>,
    ) -> Result<Option<usize>, FeaturesError> {
        let mut tests = Vec::new();
        for (column, test) in conditions {
            let (place, unit) = match test {
                Test::Between { .. } => self.number(feature, column)?,
                _ => (self.discrete(feature, column)?, 1.0),
            };
            test.values().iter().try_for_each(|value| self.check_value(feature, place, value))?;
            if let Test::StartsWith(text) = &test {
                self.check_value(feature, place, &Id::Utf8(text.clone()))?;
            }
            tests.push((place, unit, test));
        }
        Ok(self.selections.place(Selection::new(tests)))
    }

    /// The place of a column whose values can be told apart.
    fn discrete(&mut self, feature: &str, name: &str) -> Result<usize, FeaturesError> {
        let place = self.place(feature, name, DISCRETE)?;
        match self.columns[place].column_type.is_discrete() {
            true => Ok(place),
            false => Err(self.wrong_kind(feature, name, DISCRETE)),
        }
    }

    /// The place of a column of numbers, and what they are divided by to be read by people.
    fn number(&mut self, feature: &str, name: &str) -> Result<(usize, f64), FeaturesError> {
        let place = self.place(feature, name, NUMBERS)?;
        let column_type = self.columns[place].column_type;
        match column_type.is_number() {
            true => Ok((place, column_type.unit())),
            false => Err(self.wrong_kind(feature, name, NUMBERS)),
        }
    }

    fn place(&mut self, feature: &str, name: &str, expected: &'static str) -> Result<usize, FeaturesError> {
        if let Some(place) = self.columns.iter().position(|planned| *planned.name == *name) {
            return Ok(place);
        }
        let column_type = match type_of(name, self.schema) {
            Some(Ok(column_type)) => column_type,
            Some(Err(found)) => {
                let (feature, column) = (feature.into(), name.into());
                return Err(FeaturesError::ColumnKind { feature, column, found, expected });
            }
            None => return Err(self.unknown(feature, name)),
        };
        self.columns.push(PlannedColumn { name: name.into(), column_type });
        Ok(self.columns.len() - 1)
    }

    fn check_value(&self, feature: &str, place: usize, value: &Id) -> Result<(), FeaturesError> {
        let PlannedColumn { name, column_type } = &self.columns[place];
        match column_type.expected_for(value) {
            None => Ok(()),
            Some(expected) => Err(FeaturesError::ValueKind {
                feature: feature.into(),
                column: name.clone(),
                value: value.clone(),
                expected,
            }),
        }
    }

    fn wrong_kind(&self, feature: &str, name: &str, expected: &'static str) -> FeaturesError {
        let stored = if name == SPEND { column::PRICE } else { name };
        let found = self.schema.arrow().field_with_name(stored);
        FeaturesError::ColumnKind {
            feature: feature.into(),
            column: name.into(),
            found: found.map_or(DataType::Null, |field| field.data_type().clone()),
            expected,
        }
    }

    fn unknown(&self, feature: &str, name: &str) -> FeaturesError {
        let missing = if name == SPEND { column::PRICE } else { name };
        FeaturesError::UnknownColumn {
            feature: feature.into(),
            column: missing.into(),
            columns: self.schema.arrow().fields().iter().map(|field| field.name().as_str().into()).collect(),
        }
    }
}
