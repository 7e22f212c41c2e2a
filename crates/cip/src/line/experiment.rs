//! The users of a store by the arm of an experiment, and who of them converted.

use cip_abtest::{ConversionCounter, Conversions, Exposure};
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
}
