//! The sessions of a store with a cart, and whether they were abandoned.

use std::collections::BTreeSet;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt8Type};
use arrow_array::{Array, RecordBatch};
use cip_core::column;
use cip_features::CartSessions;
use cip_store::{EventPartition, TableWriter};

use crate::line::{Line, LineError};

/// Totals of a table of sessions with a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CartTotals {
    /// Sessions with a cart.
    pub sessions: u64,
    /// Those of them without a purchase.
    pub abandoned: u64,
}

impl Line<'_> {
    /// Writes `cart_sessions`, sorted by user_id, session_start, to `path`.
    ///
    /// # Errors
    /// [`LineError`]; the old file at `path` is then still there.
    pub fn write_cart_sessions(&self, carts: &CartSessions, path: &Path) -> Result<CartTotals, LineError> {
        let mut writer = TableWriter::create(path, "cart_sessions", &carts.schema())?;
        let mut totals = CartTotals::default();
        let compute = |partition| compute(carts, &partition);
        self.each_partition(self.scan(&carts.columns())?, compute, |batches| {
            for batch in batches {
                totals.sessions += batch.num_rows() as u64;
                if let Some(labels) = batch.column_by_name(column::LABEL) {
                    let labels = labels.as_primitive::<UInt8Type>().values();
                    totals.abandoned += labels.iter().map(|&label| u64::from(label)).sum::<u64>();
                }
                writer.write(batch)?;
            }
            Ok(())
        })?;
        writer.finish()?;
        Ok(totals)
    }

    /// Returns the experiment groups that events of the store have, in the order of their names; none where it has no such column.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn experiment_groups(&self) -> Result<Vec<String>, LineError> {
        let mut found = BTreeSet::new();
        if !self.store.schema().has(column::EXPERIMENT_GROUP) {
            return Ok(Vec::new());
        }
        let groups = |partition: EventPartition| {
            let mut found = BTreeSet::new();
            for events in partition.batches()? {
                let events = events?;
                let Some(array) = events.record_batch().column_by_name(column::EXPERIMENT_GROUP) else {
                    continue;
                };
                let groups = array.as_dictionary::<Int32Type>();
                let names = groups.values().as_string::<i32>();
                // A dictionary may hold names that no row has.
                let used: BTreeSet<i32> = groups.keys().iter().flatten().collect();
                let used = used.into_iter().map(|key| key as usize).filter(|&key| names.is_valid(key));
                found.extend(used.map(|key| names.value(key).to_owned()));
            }
            Ok::<_, LineError>(found)
        };
        self.each_partition(self.scan(&[column::EXPERIMENT_GROUP])?, groups, |names| {
            found.extend(names);
            Ok(())
        })?;
        Ok(found.into_iter().collect())
    }
}

/// The sessions with a cart of a partition's users.
fn compute(carts: &CartSessions, partition: &EventPartition) -> Result<Vec<RecordBatch>, LineError> {
    let mut builder = carts.builder();
    let mut batches = Vec::new();
    for events in partition.batches()? {
        batches.push(builder.push(&events?)?);
    }
    batches.push(builder.finish()?);
    batches.retain(|batch| batch.num_rows() > 0);
    Ok(batches)
}
