//! From events to units: what each exposed user did from the exposure on, and before the experiment.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, DictionaryArray};
use arrow_schema::DataType;
use cip_core::{
    CoreError, EventBatch, EventSchema, Id, IdColumn, IdRef, MICROS_PER_DAY, MoneyScale, TimeRange,
    Timestamp, check_sum, column,
};

use crate::conversions::{Exposure, texts};
use crate::error::AbTestError;
use crate::study::{Study, Unit};

/// What is measured of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Whether there was any event of the metric's type: 1 or 0.
    Converted,
    /// How many events of that type there were.
    Events,
    /// What they were worth together: price times quantity.
    Amount,
    /// The same over their number, as a ratio of sums: revenue by order.
    AmountPerEvent,
}

/// A metric of users, by the events that they have from their exposure on.
///
/// # Examples
/// ```
/// use cip_abtest::{Assignment, EventMetric, Experiment, Exposure, Measure};
/// let exposure = Exposure::Assigned(Experiment::new("checkout", Assignment::Md5Parity)?);
/// let metric = EventMetric::new(exposure, "purchase", Measure::AmountPerEvent)?.with_segment("device_type");
/// assert_eq!(metric.columns(), ["user_id", "event_time", "event_type", "price", "quantity", "device_type"]);
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EventMetric {
    exposure: Exposure,
    event_type: Box<str>,
    measure: Measure,
    range: TimeRange,
    before: Option<i64>,
    segment: Option<Box<str>>,
    exposing: Option<Box<str>>,
    most_kept: u64,
}

impl EventMetric {
    /// Returns what is measured of the events of type `event_type`.
    ///
    /// # Errors
    /// [`AbTestError::BlankMetric`].
    pub fn new(
        exposure: Exposure,
        event_type: impl Into<Box<str>>,
        measure: Measure,
    ) -> Result<Self, AbTestError> {
        let event_type = event_type.into();
        if event_type.trim().is_empty() {
            return Err(AbTestError::BlankMetric);
        }
        Ok(Self {
            exposure,
            event_type,
            measure,
            range: TimeRange::ALL,
            before: None,
            segment: None,
            exposing: None,
            most_kept: u64::MAX,
        })
    }

    /// Sets the time of the experiment; without it, all.
    #[must_use]
    pub fn with_range(self, range: TimeRange) -> Self {
        Self { range, ..self }
    }

    /// Takes the same measure of so many microseconds before the start as the covariate (CUPED).
    ///
    /// # Errors
    /// [`AbTestError::Setting`] where they are not positive, or where the [range](Self::with_range) has no start.
    pub fn with_before(self, micros: i64) -> Result<Self, AbTestError> {
        let what = "the time before the start, in microseconds,";
        if micros <= 0 {
            return Err(AbTestError::Setting { what, value: micros as f64, allowed: "a positive number" });
        }
        if self.range.start() == TimeRange::ALL.start() {
            let allowed = "none where the experiment has no start: set the start";
            return Err(AbTestError::Setting { what, value: micros as f64, allowed });
        }
        Ok(Self { before: Some(micros), ..self })
    }

    /// Takes the value that this column has in the exposing event as the user's segment; where it is null the user is in none.
    #[must_use]
    pub fn with_segment(self, column: impl Into<Box<str>>) -> Self {
        Self { segment: Some(column.into()), ..self }
    }

    /// Sets the type of the events that expose a user; without it all do. Those of before the start are then counted.
    #[must_use]
    pub fn with_exposing(self, event_type: impl Into<Box<str>>) -> Self {
        Self { exposing: Some(event_type.into()), ..self }
    }

    /// Sets for how many users outcomes are kept, see [`Study::with_most_kept`].
    #[must_use]
    pub fn with_most_kept(self, most: u64) -> Self {
        Self { most_kept: most, ..self }
    }

    /// The columns that it reads, where the events have them.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns = self.exposure.columns().to_vec();
        if matches!(self.measure, Measure::Amount | Measure::AmountPerEvent) {
            columns.extend([column::PRICE, column::QUANTITY]);
        }
        if let Some(segment) = self.segment.as_deref()
            && !columns.contains(&segment)
        {
            return columns.into_iter().chain([segment]).collect();
        }
        columns
    }

    /// The time of the events that it reads.
    pub fn time_range(&self) -> TimeRange {
        let start = match (&self.exposing, self.before) {
            (Some(_), _) => TimeRange::ALL.start(),
            (None, Some(before)) => {
                Timestamp::from_micros(self.range.start().micros().saturating_sub(before))
            }
            (None, None) => self.range.start(),
        };
        // It starts no later than the experiment.
        TimeRange::new(start, self.range.end()).unwrap_or(self.range)
    }
}

/// Reads the units of an [`EventMetric`] from batches sorted by user_id (nulls last) and event_time. Events of one user may span
/// any number of batches; what is held between batches is one user.
#[derive(Debug)]
pub struct MetricReader {
    metric: EventMetric,
    schema: EventSchema,
    /// What a whole unit of money is, in those of the price.
    scale: f64,
    done: MetricUnits,
    open: OpenUser,
    last: Option<(Id, i64)>,
    rows: u64,
}

/// Users by arm, with what was measured of them; made by [`MetricReader`].
#[derive(Debug, Clone)]
pub struct MetricUnits {
    /// The users.
    pub study: Study,
    /// Events without a user, which are nobody's.
    pub skipped_events: u64,
    /// Users who were recorded in several arms, and count in none.
    pub users_in_several_arms: u64,
    /// Users who were exposed before the start, by events of the exposing type.
    pub exposed_before: u64,
}

impl MetricUnits {
    /// Adds other users: parts may be read on different threads. No user may be in both; that is not checked.
    ///
    /// # Errors
    /// [`AbTestError::MixedUnits`] where something else was measured of them.
    pub fn merge(&mut self, other: &Self) -> Result<(), AbTestError> {
        self.study.merge(&other.study)?;
        self.skipped_events += other.skipped_events;
        self.users_in_several_arms += other.users_in_several_arms;
        self.exposed_before += other.exposed_before;
        Ok(())
    }
}

/// Events of the metric's type, and what they are worth.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    events: u64,
    amount: i128,
}

/// What is known so far of the user whose events come in.
#[derive(Debug, Default)]
struct OpenUser {
    arm: Option<Box<str>>,
    several_arms: bool,
    exposed_before: bool,
    day: i64,
    segment: Option<Box<str>>,
    before: Done,
    after: Done,
}

/// The columns of a batch, by row.
struct Rows<'a> {
    times: &'a [i64],
    is_metric: Vec<bool>,
    is_exposing: Option<Vec<bool>>,
    type_codes: &'a [i32],
    groups: Option<&'a DictionaryArray<Int32Type>>,
    events: &'a EventBatch,
}

impl MetricReader {
    /// Returns a reader without users.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] where the schema has not the columns that the exposure and the measure need,
    /// [`AbTestError::SegmentColumn`] where it has no such column of text or integers.
    pub fn new(metric: EventMetric, schema: &EventSchema) -> Result<Self, AbTestError> {
        let needs_price = matches!(metric.measure, Measure::Amount | Measure::AmountPerEvent);
        let price = needs_price.then_some(column::PRICE);
        for &column in metric.exposure.columns().iter().chain(&price) {
            if !schema.has(column) {
                return Err(CoreError::MissingColumn { column }.into());
            }
        }
        if let Some(segment) = &metric.segment
            && !schema.arrow().field_with_name(segment).is_ok_and(|field| is_class(field.data_type()))
        {
            return Err(AbTestError::SegmentColumn { column: segment.clone() });
        }
        let decimals = schema.money_scale().map_or(0, MoneyScale::decimals);
        let columns: Vec<&str> = metric.columns().into_iter().filter(|column| schema.has(column)).collect();
        let schema = schema.project(&columns);
        let study = Study::new().with_most_kept(metric.most_kept);
        let done = MetricUnits { study, skipped_events: 0, users_in_several_arms: 0, exposed_before: 0 };
        let scale = 10f64.powi(i32::from(decimals));
        Ok(Self { metric, schema, scale, done, open: OpenUser::default(), last: None, rows: 0 })
    }

    /// Adds a batch.
    ///
    /// # Complexity
    /// One pass over the rows, and for assigned arms one hash for each user.
    ///
    /// # Errors
    /// [`CoreError::NotSorted`] where a row's user, or the same user's time, comes before that of the row above it,
    /// also across batches; [`CoreError::MissingColumn`] and [`CoreError::ColumnType`] where a column of the schema
    /// is missing or has another type; [`CoreError::MoneyOverflow`]. After an error the units are not whole: start again.
    pub fn push(&mut self, events: &EventBatch) -> Result<(), AbTestError> {
        self.schema.require(events.schema())?;
        let users = events.users()?;
        let rows = Rows::of(events, &self.metric)?;
        let rows_before = self.rows;
        let not_sorted = |row: usize| CoreError::NotSorted { row: rows_before + row as u64 };
        let carried = self.last.take();
        let mut last = carried.as_ref().map(|(user, time)| (user.as_ref(), *time));
        for (user, run) in users.runs() {
            let Some(user) = user else {
                self.done.skipped_events += run.len() as u64;
                continue;
            };
            if last.is_some_and(|(last, _)| user < last) || self.done.skipped_events > 0 {
                return Err(not_sorted(run.start).into());
            }
            // The first run of a batch may go on with the user of the batch before.
            let mut previous = i64::MIN;
            match last {
                Some((last, time)) if last == user => previous = time,
                _ => self.close()?,
            }
            for row in run {
                let time = rows.times[row];
                if time < previous {
                    return Err(not_sorted(row).into());
                }
                previous = time;
                self.metric.take(&mut self.open, user, &rows, row)?;
            }
            last = Some((user, previous));
        }
        self.last = last.map(|(user, time)| (user.to_owned(), time));
        self.rows += events.len() as u64;
        Ok(())
    }

    /// Returns the units.
    ///
    /// # Errors
    /// Those of [`Study::push`].
    pub fn finish(mut self) -> Result<MetricUnits, AbTestError> {
        self.close()?;
        Ok(self.done)
    }

    /// Counts the user of whom all events are known.
    fn close(&mut self) -> Result<(), AbTestError> {
        let user = std::mem::take(&mut self.open);
        self.done.exposed_before += u64::from(user.exposed_before);
        if user.several_arms {
            self.done.users_in_several_arms += 1;
            return Ok(());
        }
        let Some(arm) = &user.arm else { return Ok(()) };
        let [(outcome, denominator), (covariate, before)] =
            [user.after, user.before].map(|done| self.metric.measured(done, self.scale));
        let covariate = self.metric.before.map(|_| covariate);
        self.done.study.push(Unit {
            arm,
            outcome,
            denominator,
            covariate,
            covariate_denominator: covariate.and(before),
            segment: user.segment.as_deref(),
            stratum: None,
            day: Some(user.day),
        })
    }
}

impl EventMetric {
    /// Takes an event of a user.
    fn take(
        &self,
        open: &mut OpenUser,
        user: IdRef<'_>,
        rows: &Rows<'_>,
        row: usize,
    ) -> Result<(), AbTestError> {
        let (time, code) = (rows.times[row], rows.type_codes[row] as usize);
        let exposes = rows.is_exposing.as_ref().is_none_or(|exposing| exposing[code]);
        let start = self.range.start().micros();
        if time < start {
            open.exposed_before |= exposes && self.exposing.is_some() && self.arm(user, rows, row).is_some();
            if self.before.is_some_and(|before| start.saturating_sub(before) <= time) && rows.is_metric[code]
            {
                open.before.add(rows.events, row)?;
            }
            return Ok(());
        }
        if time >= self.range.end().micros() {
            return Ok(());
        }
        let recorded = matches!(self.exposure, Exposure::Recorded);
        if exposes && (open.arm.is_none() || recorded) {
            let arm = self.arm(user, rows, row);
            match (&open.arm, arm) {
                (None, Some(arm)) => {
                    open.arm = Some(arm.into());
                    open.day = time.div_euclid(MICROS_PER_DAY);
                    open.segment = self.segment.as_deref().and_then(|column| class(rows.events, column, row));
                }
                (Some(first), Some(arm)) => open.several_arms |= **first != *arm,
                (_, None) => {}
            }
        }
        if open.arm.is_some() && rows.is_metric[code] {
            open.after.add(rows.events, row)?;
        }
        Ok(())
    }

    /// The arm that an event puts its user in.
    fn arm<'a>(&'a self, user: IdRef<'_>, rows: &Rows<'a>, row: usize) -> Option<&'a str> {
        match &self.exposure {
            Exposure::Assigned(experiment) => experiment.assign(user),
            Exposure::Recorded => {
                let groups = rows.groups.filter(|groups| groups.is_valid(row))?;
                Some(groups.values().as_string::<i32>().value(groups.keys().value(row) as usize))
            }
        }
    }

    /// The number of a user, and of a ratio its denominator.
    fn measured(&self, done: Done, scale: f64) -> (f64, Option<f64>) {
        let (events, amount) = (done.events as f64, done.amount as f64 / scale);
        match self.measure {
            Measure::Converted => (f64::from(u8::from(done.events > 0)), None),
            Measure::Events => (events, None),
            Measure::Amount => (amount, None),
            Measure::AmountPerEvent => (amount, Some(events)),
        }
    }
}

impl Done {
    fn add(&mut self, events: &EventBatch, row: usize) -> Result<(), CoreError> {
        self.events += 1;
        if let Some(amounts) = events.amounts() {
            let sum = amounts.amount(row).and_then(|amount| self.amount.checked_add(amount));
            self.amount = check_sum(column::PRICE, sum)?;
        }
        Ok(())
    }
}

impl<'a> Rows<'a> {
    fn of(events: &'a EventBatch, metric: &EventMetric) -> Result<Self, AbTestError> {
        let types = texts(events, column::EVENT_TYPE)?;
        let is = |name: &str| {
            let names = types.values().as_string::<i32>();
            names.iter().map(|known| known == Some(name)).collect::<Vec<bool>>()
        };
        let groups = match metric.exposure {
            Exposure::Assigned(_) => None,
            Exposure::Recorded => Some(texts(events, column::EXPERIMENT_GROUP)?),
        };
        Ok(Self {
            times: events.times()?.values(),
            is_metric: is(&metric.event_type),
            is_exposing: metric.exposing.as_deref().map(is),
            type_codes: types.keys().values(),
            groups,
            events,
        })
    }
}

/// Whether the values of a column are classes of users.
fn is_class(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => **values == DataType::Utf8,
        other => matches!(other, DataType::Utf8 | DataType::Int64),
    }
}

/// The class that a row has in a column; none where it is null.
fn class(events: &EventBatch, column: &str, row: usize) -> Option<Box<str>> {
    let array = events.record_batch().column_by_name(column).filter(|array| array.is_valid(row))?;
    if let Some(names) = array.as_dictionary_opt::<Int32Type>() {
        let texts = names.values().as_string_opt::<i32>()?;
        return Some(texts.value(names.keys().value(row) as usize).into());
    }
    let ids = IdColumn::try_new(column, array).ok()?;
    ids.get(row).map(|id| id.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversions::ConversionCounter;
    use crate::experiment::{Assignment, Experiment};
    use crate::study::options::StudyOptions;
    use arrow_array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
    use proptest::prelude::*;
    use std::sync::Arc;

    /// User, day, event type, price in cents, device, arm.
    type Event = (i64, i64, &'static str, i128, Option<&'static str>, Option<&'static str>);

    fn batch(events: &[Event]) -> EventBatch {
        let dictionary = |texts: Vec<Option<&'static str>>| -> ArrayRef {
            Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>())
        };
        let days = events.iter().map(|event| event.1 * MICROS_PER_DAY + 5);
        let prices = Decimal128Array::from_iter_values(events.iter().map(|event| event.3));
        let columns: [(&str, ArrayRef); 7] = [
            ("user_id", Arc::new(Int64Array::from_iter_values(events.iter().map(|event| event.0)))),
            ("event_time", Arc::new(TimestampMicrosecondArray::from_iter_values(days).with_timezone("UTC"))),
            ("event_type", dictionary(events.iter().map(|event| Some(event.2)).collect())),
            ("price", Arc::new(prices.with_precision_and_scale(18, 2).unwrap())),
            ("quantity", Arc::new(Int64Array::from(vec![2; events.len()]))),
            ("device_type", dictionary(events.iter().map(|event| event.4).collect())),
            ("experiment_group", dictionary(events.iter().map(|event| event.5).collect())),
        ];
        EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
    }

    fn day(day: i64) -> Timestamp {
        Timestamp::from_micros(day * MICROS_PER_DAY)
    }

    fn parity() -> Exposure {
        Exposure::Assigned(Experiment::new("x", Assignment::Md5Parity).unwrap())
    }

    fn read(metric: &EventMetric, parts: &[&[Event]]) -> Result<MetricUnits, AbTestError> {
        let mut reader = MetricReader::new(metric.clone(), batch(&[]).schema())?;
        for part in parts {
            reader.push(&batch(part))?;
        }
        reader.finish()
    }

    /// Four users, two in each arm by parity: 2 and 10 in control, 1 and 3 in treatment.
    const EVENTS: [Event; 12] = [
        (1, 3, "purchase", 500, None, Some("b")),
        (1, 9, "purchase", 900, None, Some("b")),
        (1, 11, "view", 1, Some("app"), Some("b")),
        (1, 12, "purchase", 150, Some("web"), Some("b")),
        (2, 10, "view", 1, Some("web"), Some("a")),
        (2, 13, "purchase", 200, Some("web"), Some("a")),
        (2, 13, "purchase", 300, Some("web"), Some("a")),
        (3, 10, "view", 1, None, Some("b")),
        (3, 12, "view", 1, None, Some("a")),
        (10, 8, "purchase", 100, Some("app"), Some("a")),
        (10, 12, "view", 1, Some("app"), Some("a")),
        (10, 20, "purchase", 400, Some("app"), Some("a")),
    ];

    fn range() -> TimeRange {
        TimeRange::new(day(10), day(20)).unwrap()
    }

    #[test]
    fn a_user_is_measured_from_the_exposure_on_and_before_the_start() {
        let mean = |measure, arm: &str| {
            let metric = EventMetric::new(parity(), "purchase", measure).unwrap().with_range(range());
            let units = read(&metric, &[&EVENTS]).unwrap();
            let place = units.study.position(arm).unwrap();
            units.study.raw_estimate(place, None).unwrap().value()
        };
        // By hand: control is 2 (two purchases of two pieces, 10 in all) and 10 (none in time), treatment 1 (3) and 3.
        assert_eq!([Measure::Converted, Measure::Events].map(|measure| mean(measure, "control")), [0.5, 1.0]);
        assert_eq!(
            [Measure::Amount, Measure::AmountPerEvent].map(|measure| mean(measure, "control")),
            [5.0, 5.0]
        );
        assert_eq!(
            [Measure::Amount, Measure::AmountPerEvent].map(|measure| mean(measure, "treatment")),
            [1.5, 3.0]
        );
        // A week before the start: 1 has 18, 10 has 2; the purchase of day 3 is in it, to the hour.
        let metric = EventMetric::new(parity(), "purchase", Measure::Amount).unwrap().with_range(range());
        let metric = metric.with_before(7 * MICROS_PER_DAY).unwrap();
        assert_eq!((metric.time_range().start(), metric.time_range().end()), (day(3), day(20)));
        let units = read(&metric, &[&EVENTS]).unwrap();
        let covariate = |arm: &str| {
            let place = units.study.position(arm).unwrap();
            units.study.arms[place].sums.moments(arm).unwrap().mean(1)
        };
        assert_eq!([covariate("control"), covariate("treatment")], [1.0, (10.0 + 18.0) / 2.0]);
    }

    #[test]
    fn days_and_segments_are_those_of_the_exposure() {
        let metric = EventMetric::new(parity(), "purchase", Measure::Converted).unwrap().with_range(range());
        let units = read(&metric.clone().with_segment("device_type"), &[&EVENTS]).unwrap();
        let groups = |sums: &[Option<crate::study::unit_sums::UnitSums>]| {
            sums.iter().flatten().map(crate::study::unit_sums::UnitSums::n).sum::<u64>()
        };
        let segments: Vec<_> =
            units.study.segments.sorted().into_iter().map(|(name, sums)| (&**name, groups(sums))).collect();
        assert_eq!(segments, [("app", 2), ("web", 1)]);
        let days: Vec<_> =
            units.study.days.sorted().into_iter().map(|(day, sums)| (*day, groups(sums))).collect();
        assert_eq!(days, [(10, 2), (11, 1), (12, 1)]);
        for column in ["colour", "price"] {
            let error = read(&metric.clone().with_segment(column), &[]).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("the events have no column `{column}` of text or integers")),
                "{error}"
            );
        }
    }

    #[test]
    fn recorded_arms_and_exposing_events_are_followed() {
        let metric =
            EventMetric::new(Exposure::Recorded, "purchase", Measure::Events).unwrap().with_range(range());
        let units = read(&metric, &[&EVENTS[..5], &EVENTS[5..]]).unwrap();
        assert_eq!((units.users_in_several_arms, units.study.units(), units.exposed_before), (1, 3, 0));
        // Only purchases expose: 1 and 10 had one before the start, and 10 none in time.
        let units = read(&metric.with_exposing("purchase"), &[&EVENTS]).unwrap();
        assert_eq!((units.users_in_several_arms, units.study.units(), units.exposed_before), (0, 2, 2));
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        assert!(matches!(EventMetric::new(parity(), " ", Measure::Amount), Err(AbTestError::BlankMetric)));
        let metric = EventMetric::new(parity(), "x", Measure::Amount).unwrap();
        let error = metric.clone().with_before(5).unwrap_err().to_string();
        assert!(error.contains("set the start"), "{error}");
        assert!(metric.clone().with_range(range()).with_before(0).is_err());
        let no_price = batch(&EVENTS).schema().project(&["user_id", "event_time", "event_type"]);
        assert!(MetricReader::new(metric.clone(), &no_price).is_err());
        let backwards = [EVENTS[4], EVENTS[0]];
        assert!(matches!(
            read(&metric, &[&backwards]),
            Err(AbTestError::Core(CoreError::NotSorted { row: 1 }))
        ));
    }

    proptest! {
        #[test]
        fn conversions_are_those_of_the_counter_for_any_split(
            mut events in proptest::collection::vec((0..12i64, 0..30i64, 0..3usize, 0..2usize), 1..60),
            at in any::<proptest::sample::Index>(), recorded in any::<bool>(),
        ) {
            events.sort_unstable();
            let events: Vec<Event> = events
                .iter()
                .map(|&(user, day, kind, arm)| {
                    let arm = [Some("a"), None][usize::from(arm == 1 && day % 3 == 0)];
                    (user, day, ["view", "cart", "purchase"][kind], 100, None, arm)
                })
                .collect();
            let exposure = if recorded { Exposure::Recorded } else { parity() };
            let metric = EventMetric::new(exposure.clone(), "purchase", Measure::Converted).unwrap().with_range(range());
            let mut counter = ConversionCounter::new(exposure, "purchase", batch(&[]).schema()).unwrap().with_range(range());
            counter.push(&batch(&events)).unwrap();
            let counted = counter.finish();
            let (left, right) = events.split_at(at.index(events.len()));
            let split = read(&metric, &[left, right]).unwrap();
            for arm in counted.arms() {
                let found = split.study.position(arm.arm()).map(|place| split.study.arms[place].count.clone());
                prop_assert_eq!(found.map_or((0, 0), |count| (count.n(), count.successes())), (arm.n(), arm.successes()));
            }
            // Parts of whole users add up.
            let user = events[at.index(events.len())].0;
            let (left, right) = events.split_at(events.partition_point(|event| event.0 < user));
            let mut merged = read(&metric, &[left]).unwrap();
            merged.merge(&read(&metric, &[right]).unwrap()).unwrap();
            let control = split.study.arms().first().map_or("", |name| name).to_owned();
            let analyze = |units: &MetricUnits| units.study.analyze(&control, &StudyOptions::default()).map_err(|error| error.to_string());
            prop_assert_eq!(analyze(&merged), analyze(&split));
        }
    }
}
