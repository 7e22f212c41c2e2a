//! What the products of a store are under.

use cip_basket::{Hierarchy, ItemLevel};
use cip_core::MemoryBudget;
use cip_store::EventPartition;

use crate::line::{Line, LineError};

impl Line<'_> {
    /// Returns the hierarchy of the store's products, of these levels: for baskets of products, see [`Hierarchy::builder`].
    ///
    /// # Errors
    /// [`LineError`], where it does not fit `budget` as well.
    pub fn hierarchy(
        &self,
        levels: impl IntoIterator<Item = ItemLevel>,
        budget: MemoryBudget,
    ) -> Result<Hierarchy, LineError> {
        let (schema, levels): (_, Vec<ItemLevel>) = (self.store.schema(), levels.into_iter().collect());
        let builder = || Hierarchy::builder(schema, levels.iter().copied(), budget);
        let columns = builder()?.columns();
        let collect = |partition: EventPartition| {
            let mut builder = builder()?;
            for events in partition.batches()? {
                builder.push(&events?)?;
            }
            Ok::<_, LineError>(builder.finish()?)
        };
        let mut hierarchy = builder()?.finish()?;
        self.each_partition(self.scan(&columns)?, collect, |part| {
            hierarchy.append(&part)?;
            Ok(budget.require("the hierarchy", MemoryBudget::from_bytes(hierarchy.bytes()))?)
        })?;
        Ok(hierarchy)
    }
}
