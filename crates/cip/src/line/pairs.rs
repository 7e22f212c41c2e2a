//! The products of a store that come together.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use cip_basket::{BasketTable, BasketTotals, Baskets, Pairs};
use cip_core::{CoreError, Id, IdColumn, TimeRange};
use cip_store::{EventPartition, TableWriter};

use crate::line::{Line, LineError};

/// What a table of product pairs was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct PairTotals {
    /// Pairs.
    pub pairs: u64,
    /// What became of the events.
    pub baskets: BasketTotals,
    /// The pairs seen together most often, the most frequent first; equal ones in the order of their ids.
    pub top: Vec<TopPair>,
}

/// A pair of products that are often together.
#[derive(Debug, Clone, PartialEq)]
pub struct TopPair {
    /// The one.
    pub product_a: Id,
    /// The other.
    pub product_b: Id,
    /// Baskets that hold both.
    pub together: i64,
    /// How much more often than by chance.
    pub lift: f64,
}

impl Line<'_> {
    /// Returns the baskets of the events inside `range`.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn baskets(&self, baskets: &Baskets, range: TimeRange) -> Result<BasketTable, LineError> {
        let collect = |partition: EventPartition| {
            let mut builder = baskets.builder();
            for events in partition.batches()? {
                builder.push(&events?)?;
            }
            Ok::<_, LineError>(builder.finish()?)
        };
        let mut table = baskets.builder().finish()?;
        let scan = self.scan(baskets.key().columns())?.with_time_range(range);
        self.each_partition(scan, collect, |part| Ok(table.append(part)?))?;
        Ok(table)
    }

    /// Writes `product_pairs`, sorted by product_a and product_b, to `path`.
    ///
    /// # Errors
    /// [`LineError`], where all baskets do not fit the memory that `baskets` was given as well; the old file at `path` is
    /// then still there.
    pub fn write_pairs(&self, baskets: &Baskets, pairs: Pairs, path: &Path) -> Result<PairTotals, LineError> {
        let table = self.baskets(baskets, TimeRange::ALL)?;
        let mut batches = pairs.count(table)?;
        let mut writer = TableWriter::create(path, "product_pairs", &batches.schema())?;
        let mut top = Vec::new();
        for batch in &mut batches {
            let batch = batch?;
            add_top_pairs(&mut top, &batch)?;
            writer.write(batch)?;
        }
        Ok(PairTotals { pairs: writer.finish()?, baskets: batches.totals(), top })
    }
}

/// Keeps the pairs of the highest counts so far.
fn add_top_pairs(top: &mut Vec<TopPair>, batch: &RecordBatch) -> Result<(), LineError> {
    const KEPT: usize = 5;
    let column =
        |column: &'static str| batch.column_by_name(column).ok_or(CoreError::MissingColumn { column });
    let a = IdColumn::try_new("product_a", column("product_a")?)?;
    let b = IdColumn::try_new("product_b", column("product_b")?)?;
    let together = column("together")?.as_primitive::<Int64Type>().values();
    let lift = column("lift")?.as_primitive::<Float64Type>().values();
    for (row, &together) in together.iter().enumerate() {
        if top.len() == KEPT && top.last().is_some_and(|least| least.together >= together) {
            continue;
        }
        let (Some(product_a), Some(product_b)) = (a.get(row), b.get(row)) else { continue };
        let pair = TopPair {
            product_a: product_a.to_owned(),
            product_b: product_b.to_owned(),
            together,
            lift: lift[row],
        };
        let place = top.partition_point(|before| before.together >= together);
        top.insert(place, pair);
        top.truncate(KEPT);
    }
    Ok(())
}
