//! How far the users of a store come through a funnel.

use std::path::Path;

use arrow_array::RecordBatch;
use cip_core::table;
use cip_sessionize::{Funnel, FunnelTotals};
use cip_store::{EventPartition, TableWriter};

use crate::line::{Line, LineError};

impl Line<'_> {
    /// Writes `funnel`, sorted by user_id, to `path` and returns the totals of all users, abandoned carts among them.
    ///
    /// # Examples
    /// ```no_run
    /// use std::time::Duration;
    /// use cip::sessionize::Funnel;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = cip::store::EventStore::open("STORE".as_ref())?;
    /// let funnel = Funnel::new(["view", "cart", "purchase"], Duration::from_secs(86_400))?;
    /// let totals = cip::line::Line::new(&store).write_funnel(&funnel, "funnel.parquet".as_ref())?;
    /// for step in totals.steps() {
    ///     println!("{:?} {} users, {:?} of them from the step before", step.event_type, step.users, step.from_previous);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LineError`]; the old file at `path` is then still there.
    pub fn write_funnel(&self, funnel: &Funnel, path: &Path) -> Result<FunnelTotals, LineError> {
        let schema = self.store.schema();
        let (_, mut totals) = funnel.builder(schema)?.finish()?;
        let mut writer =
            TableWriter::create(path, "funnel", &table::funnel(schema.user_type()?, funnel.steps().len()))?;
        let follow = |partition: EventPartition| {
            let mut builder = funnel.builder(schema)?;
            let mut batches: Vec<RecordBatch> = Vec::new();
            for events in partition.batches()? {
                batches.push(builder.push(&events?)?);
            }
            let (last, totals) = builder.finish()?;
            batches.push(last);
            Ok::<_, LineError>((batches, totals))
        };
        self.each_partition(self.scan(&funnel.columns())?, follow, |(batches, part)| {
            totals.merge(&part)?;
            for batch in batches {
                writer.write(batch)?;
            }
            Ok(())
        })?;
        writer.finish()?;
        Ok(totals)
    }
}
