//! The scores and segments of a store's customers.

use std::path::Path;

use cip_rfm::{CustomerTable, Rfm, RfmTable};
use cip_store::EventPartition;

use crate::line::{Line, LineError, write_table};

impl Line<'_> {
    /// Returns every customer's score and segment, with the currency of the store where it is known.
    ///
    /// # Errors
    /// [`LineError`], where the store has no users or no prices as well.
    pub fn rfm(&self, rfm: &Rfm) -> Result<RfmTable, LineError> {
        let rfm = &match self.currency()? {
            Some(currency) => rfm.clone().with_currency(&currency),
            None => rfm.clone(),
        };
        let collect = |partition: EventPartition| {
            let mut customers = rfm.customers();
            for events in partition.batches()? {
                customers.push(&events?)?;
            }
            Ok::<_, LineError>(customers.finish()?)
        };
        let mut customers: CustomerTable = rfm.customers().finish()?;
        self.each_partition(self.scan_transactions(cip_rfm::COLUMNS)?, collect, |part| {
            Ok(customers.append(part)?)
        })?;
        Ok(rfm.score(customers)?)
    }

    /// Writes `rfm_segments`, sorted by user_id, to `path` and returns it.
    ///
    /// # Errors
    /// As [`Line::rfm`]; the old file at `path` is then still there.
    pub fn write_rfm(&self, rfm: &Rfm, path: &Path) -> Result<RfmTable, LineError> {
        let scored = self.rfm(rfm)?;
        write_table(path, "rfm_segments", scored.record_batch().clone())?;
        Ok(scored)
    }
}
