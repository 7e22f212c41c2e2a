//! The products of a store that come together.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use cip_basket::{BasketError, BasketTable, BasketTotals, Baskets, Pairs};
use cip_core::{CoreError, Id, IdColumn, TimeRange};
use cip_store::{EventPartition, ScratchFile, ScratchPart, TableWriter};

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
        let mut table = baskets.builder().finish()?;
        self.each_basket_table(baskets, range, |part| Ok(table.append(part)?))?;
        Ok(table)
    }

    /// Writes `product_pairs`, sorted by product_a and product_b, to `path`.
    ///
    /// Where the baskets do not fit the memory that `baskets` was given, those so far are counted, their pairs go to a file without a name beside `path`
    /// ([`ScratchFile`]), and all such runs are merged in the end. The table has the same bytes.
    ///
    /// # Errors
    /// [`LineError`], where the products do not fit the memory that `baskets` was given as well; the old file at `path` is
    /// then still there.
    pub fn write_pairs(&self, baskets: &Baskets, pairs: Pairs, path: &Path) -> Result<PairTotals, LineError> {
        let mut table = baskets.builder().finish()?;
        let (mut scratch, mut runs) = (None, Vec::new());
        self.each_basket_table(baskets, TimeRange::ALL, |part| {
            if !table.has_room_for(&part) && !table.is_empty() {
                runs.push(write_run(&mut table, &mut scratch, path)?);
            }
            Ok(table.append(part)?)
        })?;
        let mut batches = if runs.is_empty() {
            pairs.count(table)?
        } else {
            runs.push(write_run(&mut table, &mut scratch, path)?);
            pairs.merge(table, runs)?
        };
        let mut writer = TableWriter::create(path, "product_pairs", &batches.schema())?;
        let mut top = Vec::new();
        for batch in &mut batches {
            let batch = batch?;
            add_top_pairs(&mut top, &batch)?;
            writer.write(batch)?;
        }
        Ok(PairTotals { pairs: writer.finish()?, baskets: batches.totals(), top })
    }

    /// Gives the baskets of each partition to `consume`.
    fn each_basket_table(
        &self,
        baskets: &Baskets,
        range: TimeRange,
        consume: impl FnMut(BasketTable) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        let collect = |partition: EventPartition| {
            let mut builder = baskets.builder();
            for events in partition.batches()? {
                builder.push(&events?)?;
            }
            Ok::<_, LineError>(builder.finish()?)
        };
        let scan = self.scan(&baskets.columns())?.with_time_range(range);
        self.each_partition(scan, collect, consume)
    }
}

/// Writes the pairs of the baskets so far, and lets the baskets go.
fn write_run(
    table: &mut BasketTable,
    scratch: &mut Option<ScratchFile>,
    path: &Path,
) -> Result<ScratchPart, LineError> {
    let scratch = match scratch {
        Some(scratch) => scratch,
        none => none.insert(ScratchFile::beside(path)?),
    };
    let mut part = scratch.part();
    table.write_run(&mut part)?;
    Ok(part.finish().map_err(BasketError::from)?)
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
