//! The repeat purchases of a store's customers.

use cip_rfm::lifetime::{
    CustomerHistories, FirstPurchase, HistoryTable, PurchaseDays, RepeatHistory, TimeUnit,
};
use cip_store::EventPartition;

use crate::line::{Line, LineError};

impl Line<'_> {
    /// Returns the repeat purchases of every customer, sorted by user_id.
    ///
    /// # Errors
    /// [`LineError`], where the store has no users or no prices as well.
    pub fn customer_histories(&self, days: &PurchaseDays) -> Result<CustomerHistories, LineError> {
        let mut histories = days.builder().finish()?;
        self.each_histories(days, |part| Ok(histories.append(part)?))?;
        Ok(histories)
    }

    /// Gives the histories of all customers to `consume`, sorted by user_id, those of a range of users at a time: of more customers than
    /// fit in memory. Each call reads the store, and gives the same.
    ///
    /// # Errors
    /// As [`Line::customer_histories`], and what `consume` returns.
    pub fn each_customer_histories(
        &self,
        days: &PurchaseDays,
        unit: TimeUnit,
        first: FirstPurchase,
        mut consume: impl FnMut(HistoryTable<RepeatHistory>) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        self.each_histories(days, |part| consume(part.table(unit, first)?))
    }

    fn each_histories(
        &self,
        days: &PurchaseDays,
        consume: impl FnMut(CustomerHistories) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        let collect = |partition: EventPartition| {
            let mut builder = days.builder();
            for events in partition.batches()? {
                builder.push(&events?)?;
            }
            Ok::<_, LineError>(builder.finish()?)
        };
        self.each_partition(self.scan_transactions(cip_rfm::COLUMNS)?, collect, consume)
    }
}
