//! From events to arms: who was exposed, and who of them converted.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray};
use cip_core::{CoreError, EventBatch, EventSchema, Id, IdRef, TimeRange, column};

use crate::arm_count::ArmCount;
use crate::error::AbTestError;
use crate::experiment::Experiment;

/// The event columns that conversions are counted from, in the store's order: what a reader should project.
///
/// `experiment_group` is read with [`Exposure::Recorded`] alone.
pub const COLUMNS: &[&str] =
    &[column::USER_ID, column::EVENT_TIME, column::EVENT_TYPE, column::EXPERIMENT_GROUP];

/// What exposes a user to an arm.
#[derive(Debug, Clone, PartialEq)]
pub enum Exposure {
    /// Every user with an event in the time range who takes part is in the arm that the experiment assigns, from the first
    /// event on.
    Assigned(Experiment),
    /// A user is in the arm that `experiment_group` names, from the first event in the time range where it is not
    /// null; the events before do not count. A user of several arms is in none.
    Recorded,
}

impl Exposure {
    /// The [`COLUMNS`] that it needs.
    pub const fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::Assigned(_) => &[column::USER_ID, column::EVENT_TIME, column::EVENT_TYPE],
            Self::Recorded => COLUMNS,
        }
    }
}

/// Counts users and conversions by arm from a stream of batches sorted by user_id (nulls last) and event_time.
///
/// A user counts once: exposed, and converted where any event of the metric's type is among the user's events from
/// the exposure on (the exposing event included). Events of one user may span any number of batches; what is held
/// between batches is one user.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray, types::Int32Type};
/// # use cip_core::EventBatch;
/// use cip_abtest::{Analysis, Assignment, ConversionCounter, Experiment, Exposure};
///
/// # let kinds: DictionaryArray<Int32Type> = ["view", "view", "purchase", "view", "purchase"].into_iter().collect();
/// # let columns: [(&str, ArrayRef); 3] = [
/// #     ("user_id", Arc::new(Int64Array::from(vec![1, 2, 3, 10, 10]))),
/// #     ("event_time", Arc::new(TimestampMicrosecondArray::from_value(0, 5).with_timezone("UTC"))),
/// #     ("event_type", Arc::new(kinds)),
/// # ];
/// # let events = EventBatch::try_new(RecordBatch::try_from_iter(columns)?)?;
/// let experiment = Experiment::new("checkout", Assignment::Md5Parity)?;
/// // Users 2 and 10 are in control, 1 and 3 in treatment; 3 and 10 purchase.
/// let mut counter = ConversionCounter::new(Exposure::Assigned(experiment.clone()), "purchase", events.schema())?;
/// counter.push(&events)?;
/// let conversions = counter.finish();
/// let counts: Vec<_> = conversions.arms().iter().map(|arm| (arm.arm(), arm.n(), arm.successes())).collect();
/// assert_eq!(counts, [("control", 2, 1), ("treatment", 2, 1)]);
/// assert_eq!(Analysis::of(&experiment).proportions(conversions.arms())?.difference, Some(0.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ConversionCounter {
    schema: EventSchema,
    done: Conversions,
    open: OpenUser,
    /// The last user and time seen.
    last: Option<(Id, i64)>,
    rows: u64,
}

/// Users by arm, and how many of them converted; made by [`ConversionCounter`].
#[derive(Debug, Clone, PartialEq)]
pub struct Conversions {
    metric: Metric,
    arms: Vec<ArmCount>,
    skipped_events: u64,
    users_in_several_arms: u64,
}

/// What decides a count: two can be added where it is the same.
#[derive(Debug, Clone, PartialEq)]
struct Metric {
    exposure: Exposure,
    event_type: Box<str>,
    range: TimeRange,
}

/// What is known so far of the user whose events come in.
#[derive(Debug, Clone, Copy, Default)]
struct OpenUser {
    arm: Option<usize>,
    converted: bool,
    several_arms: bool,
}

impl ConversionCounter {
    /// Returns a counter of users for whom an event of type `event_type` is a success.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] where the schema has not the [`COLUMNS`] that the exposure needs,
    /// [`AbTestError::BlankMetric`].
    pub fn new(
        exposure: Exposure,
        event_type: impl Into<Box<str>>,
        schema: &EventSchema,
    ) -> Result<Self, AbTestError> {
        let event_type = event_type.into();
        if event_type.trim().is_empty() {
            return Err(AbTestError::BlankMetric);
        }
        let needed = exposure.columns();
        for &column in needed {
            if !schema.has(column) {
                return Err(CoreError::MissingColumn { column }.into());
            }
        }
        let arms = match &exposure {
            Exposure::Assigned(experiment) => {
                experiment.arms().iter().map(|arm| ArmCount::empty(arm.name())).collect()
            }
            Exposure::Recorded => Vec::new(),
        };
        let metric = Metric { exposure, event_type, range: TimeRange::ALL };
        let done = Conversions { metric, arms, skipped_events: 0, users_in_several_arms: 0 };
        Ok(Self { schema: schema.project(needed), done, open: OpenUser::default(), last: None, rows: 0 })
    }

    /// Sets the time in which events count; without it, all.
    #[must_use]
    pub fn with_range(mut self, range: TimeRange) -> Self {
        self.done.metric.range = range;
        self
    }

    /// Adds a batch.
    ///
    /// # Complexity
    /// One pass over the rows, and for assigned arms one hash for each user.
    ///
    /// # Errors
    /// [`CoreError::NotSorted`] where a row's user, or the same user's time, comes before that of the row above it,
    /// also across batches; [`CoreError::MissingColumn`] and [`CoreError::ColumnType`] where a column of the schema
    /// is missing or has another type. After an error the count is not whole: start again.
    pub fn push(&mut self, events: &EventBatch) -> Result<(), AbTestError> {
        self.schema.require(events.schema())?;
        let users = events.users()?;
        let times = events.times()?.values();
        let types = texts(events, column::EVENT_TYPE)?;
        let is_metric: Vec<bool> =
            names(types).map(|name| name == Some(&self.done.metric.event_type)).collect();
        let type_codes = types.keys().values();
        let groups = match self.done.metric.exposure {
            Exposure::Assigned(_) => None,
            Exposure::Recorded => {
                let groups = texts(events, column::EXPERIMENT_GROUP)?;
                Some((groups.keys(), self.recorded_arms(groups)))
            }
        };
        let carried = self.last.take();
        let mut last = carried.as_ref().map(|(user, time)| (user.as_ref(), *time));
        for (user, rows) in users.runs() {
            let not_sorted = |row: usize| CoreError::NotSorted { row: self.rows + row as u64 };
            let Some(user) = user else {
                self.done.skipped_events += rows.len() as u64;
                continue;
            };
            let goes_back = last.is_some_and(|(last, _)| user < last);
            if goes_back || self.done.skipped_events > 0 {
                return Err(not_sorted(rows.start).into());
            }
            // The first run of a batch may go on with the user of the batch before.
            let mut previous = i64::MIN;
            match last {
                Some((last, time)) if last == user => previous = time,
                _ => self.done.close(std::mem::take(&mut self.open)),
            }
            let open = &mut self.open;
            for row in rows {
                let time = times[row];
                if time < previous {
                    return Err(not_sorted(row).into());
                }
                previous = time;
                if !self.done.metric.range.contains(time) {
                    continue;
                }
                match &groups {
                    None if open.arm.is_none() => open.arm = self.done.assigned_arm(user),
                    None => {}
                    Some((codes, arms)) if codes.is_valid(row) => {
                        let arm = arms[codes.value(row) as usize];
                        open.several_arms |= arm.is_some() && open.arm.is_some() && arm != open.arm;
                        open.arm = open.arm.or(arm);
                    }
                    Some(_) => {}
                }
                open.converted |= open.arm.is_some() && is_metric[type_codes[row] as usize];
            }
            last = Some((user, previous));
        }
        self.last = last.map(|(user, time)| (user.to_owned(), time));
        self.rows += events.len() as u64;
        Ok(())
    }

    /// Returns the count.
    pub fn finish(mut self) -> Conversions {
        self.done.close(self.open);
        self.done.tidy();
        self.done
    }

    /// The position of the arm that each name of the dictionary stands for.
    fn recorded_arms(&mut self, groups: &DictionaryArray<Int32Type>) -> Vec<Option<usize>> {
        names(groups).map(|name| name.map(|name| self.done.position(name))).collect()
    }
}

impl Conversions {
    /// The arms: those of the experiment in its order, or with [`Exposure::Recorded`] those that a user is in, by
    /// name.
    pub fn arms(&self) -> &[ArmCount] {
        &self.arms
    }

    /// Events without a user, which are nobody's.
    pub const fn skipped_events(&self) -> u64 {
        self.skipped_events
    }

    /// Users who were recorded in several arms, and count in none.
    pub const fn users_in_several_arms(&self) -> u64 {
        self.users_in_several_arms
    }

    /// Adds the conversions of other users: parts may be counted on different threads.
    ///
    /// No user may be in both; that is not checked.
    ///
    /// # Errors
    /// [`AbTestError::PartsDiffer`] where they were counted in another way.
    pub fn merge(&mut self, other: &Self) -> Result<(), AbTestError> {
        if self.metric != other.metric {
            return Err(AbTestError::PartsDiffer);
        }
        for count in &other.arms {
            let position = self.position(count.arm());
            self.arms[position].add(count);
        }
        self.skipped_events += other.skipped_events;
        self.users_in_several_arms += other.users_in_several_arms;
        self.tidy();
        Ok(())
    }

    fn assigned_arm(&self, user: IdRef<'_>) -> Option<usize> {
        match &self.metric.exposure {
            Exposure::Assigned(experiment) => experiment.assign_index(user),
            Exposure::Recorded => None,
        }
    }

    /// The position of an arm, a new one where it is not known.
    fn position(&mut self, arm: &str) -> usize {
        self.arms.iter().position(|known| known.arm() == arm).unwrap_or_else(|| {
            self.arms.push(ArmCount::empty(arm));
            self.arms.len() - 1
        })
    }

    /// Counts a user of whom all events are known.
    fn close(&mut self, user: OpenUser) {
        if user.several_arms {
            self.users_in_several_arms += 1;
        } else if let Some(arm) = user.arm {
            self.arms[arm].push(user.converted);
        }
    }

    /// Drops the arms that stand in dictionaries alone, and makes the order independent of that of the events.
    fn tidy(&mut self) {
        if self.metric.exposure == Exposure::Recorded {
            self.arms.retain(|count| count.n() > 0);
            self.arms.sort_by(|a, b| a.arm().cmp(b.arm()));
        }
    }
}

pub(crate) fn texts<'a>(
    events: &'a EventBatch,
    column: &'static str,
) -> Result<&'a DictionaryArray<Int32Type>, CoreError> {
    let array: &ArrayRef =
        events.record_batch().column_by_name(column).ok_or(CoreError::MissingColumn { column })?;
    Ok(array.as_dictionary::<Int32Type>())
}

/// The names of a dictionary, by code.
fn names(texts: &DictionaryArray<Int32Type>) -> impl Iterator<Item = Option<&str>> {
    texts.values().as_string::<i32>().iter()
}
