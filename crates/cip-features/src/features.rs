//! What is asked: the window, the features, and the label.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use cip_core::table::{self, Label};
use cip_core::{CoreError, EventBatch, EventSchema, TimeRange, Timestamp, column};

use crate::builder::FeatureBuilder;
use crate::error::FeaturesError;
use crate::feature::Feature;
use crate::input::InputSchema;
use crate::set::FeatureSet;

/// Features of users as of a cutoff: which ones, from which window, and whether with a label.
///
/// The window has no default, because what was known of a user in the past must not change with the day on which it is
/// computed.
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
/// use cip_features::{Feature, Features};
/// let window = TimeRange::new("1970-01-01".parse()?, "1970-01-31".parse()?)?;
/// let features = Features::new(window, events.schema())?.with_columns(&[Feature::RecencyDays, Feature::Events])?;
/// assert_eq!(features.columns(), ["user_id", "event_time"]);
/// assert_eq!(features.matrix(&[events])?.num_rows(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Features {
    set: FeatureSet,
    window: TimeRange,
    label_until: Option<Timestamp>,
    selected: Vec<Feature>,
    /// As given: what else could be selected.
    available: EventSchema,
    input: InputSchema,
}

impl Features {
    /// Returns all features of [`FeatureSet::Commerce`] that events of `schema` can give, from the events in `window`,
    /// `[start, cutoff)`.
    ///
    /// # Errors
    /// [`FeaturesError::Window`] where the window is empty or open at an end, [`CoreError::MissingColumn`] without
    /// `user_id` or `event_time`.
    pub fn new(window: TimeRange, schema: &EventSchema) -> Result<Self, FeaturesError> {
        check_window(window)?;
        let (set, available) = (FeatureSet::default(), schema.clone());
        let selected = all_of(set, schema);
        let input = InputSchema::try_new(schema, &selected, None)?;
        Ok(Self { set, window, label_until: None, selected, available, input })
    }

    /// Selects all features of another set that the events can give, and its label.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] without `user_id` or `event_time`, as [`Features::new`].
    pub fn with_set(mut self, set: FeatureSet) -> Result<Self, FeaturesError> {
        (self.set, self.selected) = (set, all_of(set, &self.available));
        self.input = InputSchema::try_new(&self.available, &self.selected, self.labelled())?;
        Ok(self)
    }

    /// Adds the column `label`: 1 where the user has an event of type [`FeatureSet::label_event`] in `[cutoff, until)`, else
    /// 0.
    ///
    /// # Errors
    /// [`FeaturesError::LabelWindow`] where `until` is not behind the cutoff, [`CoreError::MissingColumn`] without
    /// `event_type`.
    pub fn with_label_until(mut self, until: Timestamp) -> Result<Self, FeaturesError> {
        if until <= self.cutoff() {
            return Err(FeaturesError::LabelWindow { label_until: until, cutoff: self.cutoff() });
        }
        if !self.available.has(column::EVENT_TYPE) {
            return Err(CoreError::MissingColumn { column: column::EVENT_TYPE }.into());
        }
        self.label_until = Some(until);
        self.input = InputSchema::try_new(&self.available, &self.selected, self.labelled())?;
        Ok(self)
    }

    /// Selects features, in the order of their columns; they may be of any set.
    ///
    /// # Errors
    /// [`FeaturesError::NoFeatures`], [`FeaturesError::DuplicateFeature`], and [`FeaturesError::Unavailable`] where the
    /// events cannot give one.
    pub fn with_columns(mut self, features: &[Feature]) -> Result<Self, FeaturesError> {
        if features.is_empty() {
            return Err(FeaturesError::NoFeatures);
        }
        for (at, &feature) in features.iter().enumerate() {
            if features[..at].contains(&feature) {
                return Err(FeaturesError::DuplicateFeature { feature });
            }
            if let Some(columns) = feature.missing(&self.available) {
                return Err(FeaturesError::Unavailable { feature, columns });
            }
        }
        self.selected = features.to_vec();
        self.input = InputSchema::try_new(&self.available, features, self.labelled())?;
        Ok(self)
    }

    /// The set that the label is of, and the features unless others were selected.
    pub fn set(&self) -> FeatureSet {
        self.set
    }

    /// The features, in the order of their columns.
    pub fn selected(&self) -> &[Feature] {
        &self.selected
    }

    /// The event columns that these features and the label are made from, in the store's order: what a reader should
    /// project.
    pub fn columns(&self) -> Vec<&'static str> {
        self.input.columns()
    }

    /// The window, `[start, cutoff)`.
    pub fn window(&self) -> TimeRange {
        self.window
    }

    /// The end of the label window, or none where there is no label.
    pub fn label_until(&self) -> Option<Timestamp> {
        self.label_until
    }

    /// The events that matter, from the start of the window to its end, or to that of the label window. Others may be
    /// given as well: they change nothing.
    pub fn time_range(&self) -> TimeRange {
        // The label window ends behind the cutoff, so the range never ends before it starts.
        TimeRange::new(self.window.start(), self.label_until.unwrap_or(self.cutoff())).unwrap_or(self.window)
    }

    /// The schema of the table.
    pub fn schema(&self) -> SchemaRef {
        let fields = self.selected.iter().map(|feature| feature.field());
        let label = |set: FeatureSet| Label::Known { event_type: set.label_event() };
        table::features(self.input.users, fields, self.labelled().map_or(Label::Unknown, label))
    }

    /// Returns a builder that takes a stream of sorted batches.
    pub fn builder(&self) -> FeatureBuilder {
        FeatureBuilder::new(self)
    }

    /// Returns the features of all users in `batches`, which together are sorted by user_id (nulls last), event_time.
    ///
    /// # Errors
    /// As [`FeatureBuilder::push`] and [`FeatureBuilder::finish`].
    pub fn matrix(&self, batches: &[EventBatch]) -> Result<RecordBatch, FeaturesError> {
        let mut builder = self.builder();
        for batch in batches {
            builder.absorb(batch)?;
        }
        builder.finish()
    }

    pub(crate) fn cutoff(&self) -> Timestamp {
        self.window.end()
    }

    pub(crate) fn input(&self) -> &InputSchema {
        &self.input
    }

    /// The set that the label is of; none without one.
    pub(crate) fn labelled(&self) -> Option<FeatureSet> {
        self.label_until.map(|_| self.set)
    }
}

/// Refuses a window that is empty or open at an end.
pub(crate) fn check_window(window: TimeRange) -> Result<(), FeaturesError> {
    let (start, cutoff) = (window.start(), window.end());
    let open = start == TimeRange::ALL.start() || cutoff == TimeRange::ALL.end();
    if open || start == cutoff { Err(FeaturesError::Window { start, cutoff }) } else { Ok(()) }
}

/// The features of `set` that events of `schema` can give.
fn all_of(set: FeatureSet, schema: &EventSchema) -> Vec<Feature> {
    set.features().iter().copied().filter(|feature| feature.missing(schema).is_none()).collect()
}
