//! The cohorts of a store's customers.

use cip_rfm::{CohortTable, Cohorts};
use cip_store::EventPartition;

use crate::line::{Line, LineError};

impl Line<'_> {
    /// Returns the cohorts of all customers.
    ///
    /// # Errors
    /// [`LineError`], where the store has no users or no prices as well.
    pub fn cohorts(&self, cohorts: &Cohorts) -> Result<CohortTable, LineError> {
        let collect = |partition: EventPartition| {
            let mut builder = cohorts.builder();
            for events in partition.batches()? {
                builder.push(&events?)?;
            }
            Ok::<_, LineError>(builder)
        };
        let mut all = cohorts.builder();
        self.each_partition(self.scan_transactions(cip_rfm::COLUMNS)?, collect, |part| Ok(all.merge(part)?))?;
        Ok(all.finish()?)
    }
}
