//! The visits of a store, which recommendations are learnt from.

use cip_basket::{ItemLevel, Visits};
use cip_core::{MemoryBudget, TimeRange};
use cip_store::EventPartition;

use crate::line::{Line, LineError};

impl Line<'_> {
    /// Returns the visits of the events inside `range`, of up to `most_products` distinct products each, or what stands for them.
    ///
    /// # Errors
    /// [`LineError`], where they do not fit `budget` as well.
    pub fn visits(
        &self,
        range: TimeRange,
        level: ItemLevel,
        most_products: usize,
        budget: MemoryBudget,
    ) -> Result<Visits, LineError> {
        let schema = self.store.schema();
        let collect = |partition: EventPartition| {
            let mut builder = Visits::builder(schema, level, most_products, budget)?;
            for events in partition.batches()? {
                builder.push(&events?)?;
            }
            Ok::<_, LineError>(builder.finish()?)
        };
        let mut visits = Visits::builder(schema, level, most_products, budget)?.finish()?;
        let scan = self.scan(&Visits::columns(schema, level)?)?.with_time_range(range);
        self.each_partition(scan, collect, |part| Ok(visits.append(part)?))?;
        Ok(visits)
    }
}
