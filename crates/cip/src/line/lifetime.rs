//! The repeat purchases of a store's customers.

use cip_rfm::lifetime::{CustomerHistories, PurchaseDays};
use cip_store::EventPartition;

use crate::line::{Line, LineError};

impl Line<'_> {
    /// Returns the repeat purchases of every customer, sorted by user_id.
    ///
    /// # Errors
    /// [`LineError`], where the store has no users or no prices as well.
    pub fn customer_histories(&self, days: &PurchaseDays) -> Result<CustomerHistories, LineError> {
        let collect = |partition: EventPartition| {
            let mut builder = days.builder();
            for events in partition.batches()? {
                builder.push(&events?)?;
            }
            Ok::<_, LineError>(builder.finish()?)
        };
        let mut histories = days.builder().finish()?;
        self.each_partition(self.scan_transactions(cip_rfm::COLUMNS)?, collect, |part| {
            Ok(histories.append(part)?)
        })?;
        Ok(histories)
    }
}
