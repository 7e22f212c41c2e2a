//! The histories of a store, in which sequences are found.

use cip_basket::{Histories, HistoryScope, ItemLevel};
use cip_core::MemoryBudget;
use cip_store::EventPartition;

use crate::line::{Line, LineError};

impl Line<'_> {
    /// Returns the histories of the store's users or sessions, with steps of products or what stands for them.
    ///
    /// # Errors
    /// [`LineError`], where they do not fit `budget` as well.
    pub fn histories(
        &self,
        level: ItemLevel,
        scope: HistoryScope,
        budget: MemoryBudget,
    ) -> Result<Histories, LineError> {
        let schema = self.store.schema();
        let collect = |partition: EventPartition| {
            let mut builder = Histories::builder(schema, level, scope, budget)?;
            for events in partition.batches()? {
                builder.push(&events?)?;
            }
            Ok::<_, LineError>(builder.finish()?)
        };
        let mut histories = Histories::builder(schema, level, scope, budget)?.finish()?;
        self.each_partition(self.scan(&Histories::columns(schema, level, scope)?)?, collect, |part| {
            Ok(histories.append(part)?)
        })?;
        Ok(histories)
    }
}
