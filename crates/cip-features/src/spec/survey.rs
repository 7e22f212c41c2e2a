//! The most frequent values of the columns that a specification is to have a feature for each of.

use std::collections::HashMap;

use cip_core::{EventBatch, EventSchema, Id, TimeRange};

use super::FeatureSpec;
use super::codes::Codes;
use super::column::Column;
use super::known::Cut;
use super::plan::{PivotPlan, PlannedColumn, PlannedPivot, project};
use crate::error::FeaturesError;
use crate::features::check_window;
use crate::input::user_type;

/// Values that a column may have.
const LIMIT: usize = 1 << 20;

/// Counts the values of pivots with [`PivotValues::Top`](super::PivotValues::Top) over the events of a window, and lists the most
/// frequent ones: a pass over the events before that which makes the table.
///
/// Counted are events of known users in the window of the table, whatever the rule's own windows are, that match the rule's filter.
/// Batches may come in any order; surveys of different events can be [merged](Survey::merge).
///
/// # Complexity
/// Linear in the events times the pivots; memory is linear in the distinct values, of which a column may have 1,048,576.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::types::Int32Type;
/// # use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
/// # use cip_core::{EventBatch, TimeRange};
/// # let types: DictionaryArray<Int32Type> = ["view", "cart", "view", "search"].into_iter().collect();
/// # let events = EventBatch::try_new(RecordBatch::try_from_iter([
/// #     ("user_id", Arc::new(Int64Array::from(vec![7, 7, 9, 9])) as ArrayRef),
/// #     ("event_time", Arc::new(TimestampMicrosecondArray::from(vec![0, 1, 2, 3]).with_timezone("UTC"))),
/// #     ("event_type", Arc::new(types)),
/// # ])?)?;
/// use cip_features::spec::{Family, FeatureRule, FeatureSpec, Pivot, PivotValues, SpecFeatures, Survey};
/// let by_type = FeatureRule::new("n", Family::Count)?.with_pivot(Pivot::new("event_type", PivotValues::Top(2)))?;
/// let spec = FeatureSpec::new(vec![by_type])?;
/// let window = TimeRange::new("1970-01-01".parse()?, "1970-01-31".parse()?)?;
/// let mut survey = Survey::new(&spec, window, events.schema())?;
/// survey.push(&events)?;
/// let settled = survey.settle()?;
/// // Of two types with one event each the first in the order of texts.
/// let features = SpecFeatures::new(&settled, window, events.schema())?;
/// assert_eq!(features.names().collect::<Vec<_>>(), ["n_view", "n_cart"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Survey {
    spec: FeatureSpec,
    cut: Cut,
    input: EventSchema,
    plan: PivotPlan,
    /// By pivot.
    counts: Vec<ValueCounts>,
}

/// Events by value.
#[derive(Debug)]
struct ValueCounts {
    codes: Codes,
    /// By code.
    events: Vec<u64>,
}

impl Survey {
    /// Returns a survey of no events yet.
    ///
    /// # Errors
    /// Those of windows, columns and values of [`SpecFeatures::new`](super::SpecFeatures::new).
    pub fn new(spec: &FeatureSpec, window: TimeRange, schema: &EventSchema) -> Result<Self, FeaturesError> {
        check_window(window)?;
        user_type(schema)?;
        let plan = PivotPlan::new(spec, schema)?;
        let counts_of = |pivot: &PlannedPivot| ValueCounts {
            codes: Codes::new(plan.columns[pivot.column].column_type),
            events: Vec::new(),
        };
        Ok(Self {
            spec: spec.clone(),
            cut: Cut::new(window, None),
            input: project(&plan.columns, schema),
            counts: plan.pivots.iter().map(counts_of).collect(),
            plan,
        })
    }

    /// The event columns that are read, in the order of the schema.
    pub fn columns(&self) -> Vec<&str> {
        self.input.arrow().fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// Counts the values of a batch.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`](cip_core::CoreError::MissingColumn) and [`CoreError::ColumnType`](cip_core::CoreError::ColumnType)
    /// where a column of the schema is missing or has another type; [`FeaturesError::TooManyValues`].
    pub fn push(&mut self, events: &EventBatch) -> Result<(), FeaturesError> {
        self.input.require(events.schema())?;
        let read = |column: &PlannedColumn| Column::read(&column.name, column.column_type, events);
        let columns = self.plan.columns.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let masks: Vec<_> =
            self.plan.selections.iter().map(|selection| selection.mask(&columns, events.len())).collect();
        let (users, times) = (events.users()?, events.times()?.values());
        for (pivot, counts) in self.plan.pivots.iter().zip(&mut self.counts) {
            let column = &columns[pivot.column];
            counts.codes.begin(column);
            let mask = pivot.selection.map(|place| &masks[place]);
            let counted = |row: &usize| mask.is_none_or(|mask| mask[*row]) && users.get(*row).is_some();
            let known = (0..events.len()).filter(counted).filter_map(|row| self.cut.known(times, row));
            for row in known {
                if let Some(code) = counts.codes.code(column, row)? {
                    counts.add(code, 1);
                }
            }
            counts.check(&self.plan.columns[pivot.column].name)?;
        }
        Ok(())
    }

    /// Adds the counts of other events, of a survey of the same specification.
    ///
    /// # Errors
    /// [`FeaturesError::TooManyValues`].
    pub fn merge(&mut self, other: Self) -> Result<(), FeaturesError> {
        for ((pivot, counts), other) in self.plan.pivots.iter().zip(&mut self.counts).zip(other.counts) {
            for (value, events) in other.codes.into_values().iter().zip(other.events) {
                let code = counts.codes.code_of(value.as_ref())?;
                counts.add(code, events);
            }
            counts.check(&self.plan.columns[pivot.column].name)?;
        }
        Ok(())
    }

    /// Returns the specification with the most frequent values listed; a rule whose column has no values is left out.
    ///
    /// # Errors
    /// [`FeaturesError::EmptySpec`] where no rule is left.
    pub fn settle(self) -> Result<FeatureSpec, FeaturesError> {
        let counted = self.plan.pivots.iter().zip(self.counts);
        let mut found: HashMap<usize, Vec<Id>> =
            counted.map(|(pivot, counts)| (pivot.rule, counts.top(pivot.top))).collect();
        self.spec.settle(|rule| found.remove(&rule))
    }
}

impl ValueCounts {
    fn add(&mut self, code: u32, events: u64) {
        let place = code as usize;
        if self.events.len() <= place {
            self.events.resize(place + 1, 0);
        }
        self.events[place] += events;
    }

    fn check(&self, column: &str) -> Result<(), FeaturesError> {
        match self.events.len() <= LIMIT {
            true => Ok(()),
            false => Err(FeaturesError::TooManyValues { column: column.into(), limit: LIMIT }),
        }
    }

    /// The most frequent values, then in the order of the values.
    fn top(self, most: usize) -> Vec<Id> {
        let mut values: Vec<_> = self.events.into_iter().zip(self.codes.into_values()).collect();
        values.sort_unstable_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.cmp(y)));
        values.into_iter().take(most).map(|(_, value)| value).collect()
    }
}
