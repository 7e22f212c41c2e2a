//! The histories of a store, in which sequences are found.

use cip_basket::{Histories, HistoryScope};
use cip_core::MemoryBudget;
use cip_store::EventPartition;

use crate::line::{Line, LineError};

impl Line<'_> {
    /// Returns the histories of the store's users or sessions.
    ///
    /// # Errors
    /// [`LineError`], where they do not fit `budget` as well.
    pub fn histories(&self, scope: HistoryScope, budget: MemoryBudget) -> Result<Histories, LineError> {
        let schema = self.store.schema();
        let collect = |partition: EventPartition| {
            let mut builder = Histories::builder(schema, scope, budget)?;
            for events in partition.batches()? {
                builder.push(&events?)?;
            }
            Ok::<_, LineError>(builder.finish()?)
        };
        let mut histories = Histories::builder(schema, scope, budget)?.finish()?;
        self.each_partition(self.scan(scope.columns())?, collect, |part| Ok(histories.append(part)?))?;
        Ok(histories)
    }
}
