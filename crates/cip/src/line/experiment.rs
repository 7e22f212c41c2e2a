//! The users of a store by the arm of an experiment, and who of them converted.

use cip_abtest::{ConversionCounter, Conversions, EventMetric, Exposure, MetricReader, MetricUnits};
use cip_core::TimeRange;
use cip_store::EventPartition;

use crate::line::{Line, LineError};

impl Line<'_> {
    /// Returns the users exposed in `range` by arm, and how many of them have an event of type `metric` from their
    /// exposure on.
    ///
    /// # Examples
    /// ```no_run
    /// use cip::abtest::{Analysis, Experiment, Exposure};
    /// use cip::core::TimeRange;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = cip::store::EventStore::open("STORE".as_ref())?;
    /// let experiment = Experiment::from_toml(&std::fs::read_to_string("checkout.toml")?)?;
    /// let exposure = Exposure::Assigned(experiment.clone());
    /// let conversions = cip::line::Line::new(&store).conversions(&exposure, "purchase", TimeRange::ALL)?;
    /// println!("{:?}", Analysis::of(&experiment).proportions(conversions.arms())?.verdict);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LineError`], where the store lacks a column that the exposure needs as well.
    pub fn conversions(
        &self,
        exposure: &Exposure,
        metric: &str,
        range: TimeRange,
    ) -> Result<Conversions, LineError> {
        let schema = self.store.schema();
        let counter = || {
            ConversionCounter::new(exposure.clone(), metric, schema).map(|counter| counter.with_range(range))
        };
        let count = |partition: EventPartition| {
            let mut counter = counter()?;
            for events in partition.batches()? {
                counter.push(&events?)?;
            }
            Ok::<_, LineError>(counter.finish())
        };
        let mut conversions = counter()?.finish();
        let scan = self.scan(exposure.columns())?.with_time_range(range);
        self.each_partition(scan, count, |part| Ok(conversions.merge(&part)?))?;
        Ok(conversions)
    }

    /// Returns the users that `metric` exposes, with what it measures of them: a study, of which all else can be asked.
    ///
    /// # Examples
    /// ```no_run
    /// use cip::abtest::{Assignment, EventMetric, Experiment, Exposure, Measure, StudyOptions};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = cip::store::EventStore::open("STORE".as_ref())?;
    /// let exposure = Exposure::Assigned(Experiment::new("checkout", Assignment::Md5Parity)?);
    /// let revenue = EventMetric::new(exposure, "purchase", Measure::Amount)?;
    /// let units = cip::line::Line::new(&store).metric_units(&revenue)?;
    /// println!("{:?}", units.study.analyze("control", &StudyOptions::default())?.arms);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LineError`], where the store lacks a column that the metric needs as well.
    pub fn metric_units(&self, metric: &EventMetric) -> Result<MetricUnits, LineError> {
        let schema = self.store.schema();
        let reader = || MetricReader::new(metric.clone(), schema);
        let read = |partition: EventPartition| {
            let mut reader = reader()?;
            for events in partition.batches()? {
                reader.push(&events?)?;
            }
            Ok::<_, LineError>(reader.finish()?)
        };
        let mut units = reader()?.finish()?;
        let columns: Vec<&str> = metric.columns().into_iter().filter(|column| schema.has(column)).collect();
        let scan = self.scan(&columns)?.with_time_range(metric.time_range());
        self.each_partition(scan, read, |part| Ok(units.merge(&part)?))?;
        Ok(units)
    }
}
