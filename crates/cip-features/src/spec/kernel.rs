//! The features of a specification, one user at a time.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{RecordBatch, TimestampMicrosecondArray};
use cip_core::{CoreError, EventBatch, EventSchema, IdRef};

use super::calendar::Calendar;
use super::codes::Codes;
use super::column::{Beyond, Column};
use super::known::Cut;
use super::plan::{Measure, Plan, PlannedColumn, PlannedFeature};
use super::rows::SpecRows;
use super::spec_features::SpecFeatures;
use super::state::{Failure, State, Value};
use crate::error::FeaturesError;
use crate::pass::Kernel;

/// What is kept of the open user: for each feature its state.
#[derive(Debug)]
pub(super) struct SpecKernel {
    schema: EventSchema,
    plan: Arc<Plan>,
    cut: Cut,
    cutoff: i64,
    calendar: Calendar,
    codes: Vec<Codes>,
    states: Vec<State>,
    /// Whether the user has an event in the window, and one that makes the label 1 behind it.
    seen: bool,
    positive: bool,
    values: Vec<Value>,
    done: SpecRows,
}

/// The columns of one batch, and which rows each selection selects.
#[derive(Debug)]
pub(super) struct SpecInput {
    times: TimestampMicrosecondArray,
    columns: Vec<Column>,
    masks: Vec<Vec<bool>>,
}

impl SpecKernel {
    pub(super) fn new(features: &SpecFeatures) -> Self {
        let plan = Arc::clone(features.plan());
        Self {
            schema: features.input().clone(),
            cut: Cut::new(features.window(), features.label_until()),
            cutoff: features.window().end().micros(),
            calendar: Calendar::new(features.time_zone().clone()),
            codes: plan.columns.iter().map(|column| Codes::new(column.column_type)).collect(),
            states: plan.features.iter().map(|feature| State::new(&feature.measure)).collect(),
            seen: false,
            positive: false,
            values: Vec::with_capacity(plan.features.len()),
            done: SpecRows::of(features),
            plan,
        }
    }

    /// The values of the open user, feature by feature.
    fn evaluate(&mut self) -> Result<(), FeaturesError> {
        self.values.clear();
        for (feature, state) in self.plan.features.iter().zip(&self.states) {
            let (measure, calendar) = (&feature.measure, &mut self.calendar);
            let value = match state.value(measure, self.cutoff, &self.values, &self.codes, calendar) {
                Ok(Value::Float(value)) if !value.is_finite() => return Err(beyond(&self.plan, feature)),
                Ok(Value::Unknown) => feature.filling(),
                Ok(value) => value,
                Err(Beyond) => return Err(beyond(&self.plan, feature)),
            };
            self.values.push(value);
        }
        Ok(())
    }
}

impl Kernel for SpecKernel {
    type Input<'a> = SpecInput;

    fn read(&mut self, events: &EventBatch) -> Result<SpecInput, FeaturesError> {
        self.schema.require(events.schema())?;
        let read = |column: &PlannedColumn| Column::read(&column.name, column.column_type, events);
        let columns = self.plan.columns.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        self.codes.iter_mut().zip(&columns).for_each(|(codes, column)| codes.begin(column));
        let masks =
            self.plan.selections.iter().map(|selection| selection.mask(&columns, events.len())).collect();
        Ok(SpecInput { times: events.times()?.clone(), columns, masks })
    }

    fn add(&mut self, input: &SpecInput, rows: Range<usize>) -> Result<(), FeaturesError> {
        let (known, label) = self.cut.cut(input.times.values(), rows);
        if let Some(place) = self.plan.label {
            self.positive |= input.masks[place][label].contains(&true);
        }
        if known.is_empty() {
            return Ok(());
        }
        self.seen = true;
        for (feature, state) in self.plan.features.iter().zip(&mut self.states) {
            let selected = |place: Option<usize>| {
                known.select(feature.start, place.map(|place| input.masks[place].as_slice()))
            };
            let of_value = match feature.measure {
                Measure::ValueShare { of_value, .. } => Some(selected(of_value)),
                _ => None,
            };
            let all = selected(feature.selection);
            let (columns, codes, calendar) = (&input.columns, &mut self.codes, &mut self.calendar);
            match state.extend(&feature.measure, &all, of_value.as_ref(), columns, codes, calendar) {
                Ok(()) => {}
                Err(Failure::Core(error)) => return Err(error.into()),
                Err(Failure::Beyond) => return Err(beyond(&self.plan, feature)),
            }
        }
        Ok(())
    }

    fn close(&mut self, user: IdRef<'_>) -> Result<(), FeaturesError> {
        if self.seen {
            self.evaluate()?;
            self.done.append_values(user, &self.values, self.positive)?;
            self.states.iter_mut().for_each(State::clear);
            self.codes.iter_mut().for_each(Codes::close);
        }
        (self.seen, self.positive) = (false, false);
        Ok(())
    }

    fn contains(&self, time: i64) -> bool {
        self.cut.contains(time)
    }

    fn take(&mut self) -> Result<RecordBatch, FeaturesError> {
        Ok(self.done.take().map_err(CoreError::from)?)
    }
}

fn beyond(plan: &Plan, feature: &PlannedFeature) -> FeaturesError {
    let column = match feature.measure {
        Measure::Number { column, .. } => Some(plan.columns[column].name.clone()),
        _ => None,
    };
    FeaturesError::OutOfRange { feature: feature.name.clone(), column }
}
