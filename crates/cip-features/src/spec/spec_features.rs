//! A specification, asked of events: the window, the columns, and the label.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use cip_core::table::{self, Label};
use cip_core::{EventBatch, EventSchema, IdType, TimeRange, TimeZone, Timestamp};

use super::FeatureSpec;
use super::builder::SpecBuilder;
use super::expansion::{Single, expand};
use super::filter::Filter;
use super::plan::{Plan, project};
use crate::error::FeaturesError;
use crate::features::check_window;
use crate::input::user_type;

/// The features of a [`FeatureSpec`] as of a cutoff: from which window, of which columns, and whether with a label.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
/// # use cip_core::EventBatch;
/// # let times = TimestampMicrosecondArray::from(vec![0, 1]).with_timezone("UTC");
/// # let columns: [(&str, ArrayRef); 2] =
/// #     [("user_id", Arc::new(Int64Array::from(vec![7, 9]))), ("event_time", Arc::new(times))];
/// # let events = EventBatch::try_new(RecordBatch::try_from_iter(columns)?)?;
/// use cip_core::TimeRange;
/// use cip_features::spec::{Family, FeatureRule, FeatureSpec, SpecFeatures};
/// let events_by_window = FeatureRule::new("events", Family::Count)?.with_windows(&["1d".parse()?, "7d".parse()?])?;
/// let spec = FeatureSpec::new(vec![events_by_window])?;
/// let window = TimeRange::new("1970-01-01".parse()?, "1970-01-31".parse()?)?;
/// let features = SpecFeatures::new(&spec, window, events.schema())?;
/// assert_eq!(features.names().collect::<Vec<_>>(), ["events_1d", "events_7d"]);
/// assert_eq!(features.columns(), ["user_id", "event_time"]);
/// assert_eq!(features.matrix(&[events])?.num_rows(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SpecFeatures {
    window: TimeRange,
    singles: Arc<[Single]>,
    /// Places of those that are written.
    written: Vec<usize>,
    label: Option<(Timestamp, Filter)>,
    own_label: Option<Filter>,
    time_zone: TimeZone,
    /// As given: what else could be selected.
    available: EventSchema,
    /// The part of it that is read.
    input: EventSchema,
    users: IdType,
    plan: Arc<Plan>,
}

impl SpecFeatures {
    /// Returns all features of a specification, from the events of `schema` in `window`, `[start, cutoff)`. A feature with a window
    /// of its own looks at the part of it inside this one.
    ///
    /// # Errors
    /// [`FeaturesError::Window`] where the window is empty or open at an end; [`CoreError::MissingColumn`](cip_core::CoreError::MissingColumn) without `user_id` or
    /// `event_time`; [`FeaturesError::UnknownColumn`], [`FeaturesError::ColumnKind`] and [`FeaturesError::ValueKind`] where a feature
    /// asks for what the events cannot give; [`FeaturesError::UnknownPart`] of a ratio of what does not stand above it;
    /// [`FeaturesError::DuplicateRule`] where two features have one name; [`FeaturesError::Unsettled`] where the values of a pivot are
    /// to be found first, by a [`Survey`](super::Survey).
    pub fn new(spec: &FeatureSpec, window: TimeRange, schema: &EventSchema) -> Result<Self, FeaturesError> {
        check_window(window)?;
        let users = user_type(schema)?;
        let singles = expand(spec)?;
        let written: Vec<usize> = (0..singles.len()).collect();
        let plan = Plan::new(&singles, &written, window, schema, None)?;
        Ok(Self {
            window,
            singles: singles.into(),
            written,
            label: None,
            own_label: spec.label().cloned(),
            time_zone: spec.time_zone().clone(),
            available: schema.clone(),
            input: project(&plan.columns, schema),
            users,
            plan: Arc::new(plan),
        })
    }

    /// Selects features by their names, in the order of their columns. Those that they are made from are computed all the same.
    ///
    /// # Errors
    /// [`FeaturesError::EmptySpec`] without names, [`FeaturesError::UnknownName`], [`FeaturesError::AskedTwice`].
    pub fn with_columns(mut self, names: &[impl AsRef<str>]) -> Result<Self, FeaturesError> {
        if names.is_empty() {
            return Err(FeaturesError::EmptySpec);
        }
        let mut written = Vec::with_capacity(names.len());
        for name in names.iter().map(AsRef::as_ref) {
            let place = self.singles.iter().position(|single| *single.name == *name);
            let unknown = || FeaturesError::UnknownName {
                name: name.into(),
                names: self.singles.iter().map(|single| single.name.clone()).collect(),
            };
            let place = place.ok_or_else(unknown)?;
            if written.contains(&place) {
                return Err(FeaturesError::AskedTwice { name: name.into() });
            }
            written.push(place);
        }
        self.written = written;
        self.replan()
    }

    /// Adds the column `label`: 1 where the user has an event in `[cutoff, until)` that matches the specification's label, or
    /// `otherwise` where it has none; else 0.
    ///
    /// # Errors
    /// [`FeaturesError::LabelWindow`] where `until` is not behind the cutoff, [`FeaturesError::NoLabel`] where neither has a
    /// condition, and the errors of columns and values as [`SpecFeatures::new`].
    pub fn with_label_until(
        mut self,
        until: Timestamp,
        otherwise: Option<Filter>,
    ) -> Result<Self, FeaturesError> {
        let cutoff = self.window.end();
        if until <= cutoff {
            return Err(FeaturesError::LabelWindow { label_until: until, cutoff });
        }
        let label = self.own_label.clone().or(otherwise).ok_or(FeaturesError::NoLabel)?;
        self.label = Some((until, label));
        self.replan()
    }

    fn replan(mut self) -> Result<Self, FeaturesError> {
        let label = self.label.as_ref().map(|(_, label)| label);
        self.plan = Plan::new(&self.singles, &self.written, self.window, &self.available, label)?.into();
        self.input = project(&self.plan.columns, &self.available);
        Ok(self)
    }

    /// The names of the features, in the order of their columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.plan.written().map(|(_, feature)| &*feature.name)
    }

    /// The names, and where the values should lie.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (&str, Option<[f64; 2]>)> {
        self.plan.written().map(|(_, feature)| (&*feature.name, feature.range))
    }

    /// The event columns that these features and the label are made from, in the order of the schema: what a reader should project.
    pub fn columns(&self) -> Vec<&str> {
        self.input.arrow().fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// The window, `[start, cutoff)`.
    pub const fn window(&self) -> TimeRange {
        self.window
    }

    /// The time zone by whose clocks hours and dates are told.
    pub const fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// The features whose own window starts before that of the table, of which they then see only a part.
    pub fn cut_short(&self) -> impl Iterator<Item = &str> {
        let cutoff = self.window.end().micros();
        let early = move |single: &Single| {
            single.window.is_some_and(|back| back.start(cutoff) < self.window.start().micros())
        };
        self.names()
            .filter(move |name| self.singles.iter().any(|single| *single.name == **name && early(single)))
    }

    /// The end of the label window, or none where there is no label.
    pub fn label_until(&self) -> Option<Timestamp> {
        self.label.as_ref().map(|(until, _)| *until)
    }

    /// Which events make the label 1; none where there is no label.
    pub fn label(&self) -> Option<&Filter> {
        self.label.as_ref().map(|(_, label)| label)
    }

    /// The events that matter, from the start of the window to its end, or to that of the label window. Others may be given as
    /// well: they change nothing.
    pub fn time_range(&self) -> TimeRange {
        // The label window ends behind the cutoff, so the range never ends before it starts.
        let end = self.label_until().unwrap_or(self.window.end());
        TimeRange::new(self.window.start(), end).unwrap_or(self.window)
    }

    /// The schema of the table.
    pub fn schema(&self) -> SchemaRef {
        let fields = self.plan.written().map(|(_, feature)| feature.field());
        let events = self.label().map(Filter::to_string);
        let label = events.as_deref().map_or(Label::Unknown, |events| Label::Matching { events });
        table::features(self.users, fields, label)
    }

    /// Returns a builder that takes a stream of sorted batches.
    pub fn builder(&self) -> SpecBuilder {
        SpecBuilder::new(self)
    }

    /// Returns the features of all users in `batches`, which together are sorted by user_id (nulls last), event_time.
    ///
    /// # Errors
    /// As [`SpecBuilder::push`] and [`SpecBuilder::finish`].
    pub fn matrix(&self, batches: &[EventBatch]) -> Result<RecordBatch, FeaturesError> {
        let mut builder = self.builder();
        for batch in batches {
            builder.absorb(batch)?;
        }
        builder.finish()
    }

    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub(super) fn input(&self) -> &EventSchema {
        &self.input
    }

    pub(super) fn users(&self) -> IdType {
        self.users
    }
}
