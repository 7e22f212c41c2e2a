//! The batches of pairs, from wherever the pairs come.

use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch};
use arrow_schema::SchemaRef;
use cip_core::{CoreError, IdBuilder, IdRef, MoneyScale, check_sum, column, table};

use crate::error::BasketError;
use crate::pairs::counter::PairRows;
use crate::pairs::counting::Counting;
use crate::pairs::merge::Merge;
use crate::pairs::params::SingleBaskets;
use crate::table::{BasketTotals, Known};

/// Rows of a batch; the last one has what is left.
const BATCH: usize = 1 << 14;

/// The batches of [`Pairs::count`](crate::Pairs::count), of the schema [`table::product_pairs`]; with the money of pairs
/// ([`Baskets::with_revenue`](crate::Baskets::with_revenue)) of [`table::product_pairs_with_revenue`].
#[derive(Debug)]
pub struct PairBatches {
    singles: SingleBaskets,
    known: Known,
    /// By rank, the code.
    codes: Arc<[u32]>,
    money: Option<MoneyScale>,
    schema: SchemaRef,
    source: Source,
    /// Rows that are not handed out, by rank.
    ready: PairRows,
    /// How many of them are.
    taken: usize,
}

/// Where pairs come from.
#[derive(Debug)]
pub(crate) enum Source {
    Baskets(Counting),
    Runs(Merge),
    /// No more, behind an error.
    Ended,
}

impl PairBatches {
    pub(crate) fn new(
        singles: SingleBaskets,
        known: Known,
        codes: Arc<[u32]>,
        money: Option<MoneyScale>,
        source: Source,
    ) -> Self {
        let schema = match money {
            None => table::product_pairs(known.product_type),
            Some(scale) => table::product_pairs_with_revenue(known.product_type, scale),
        };
        Self { singles, known, codes, money, schema, source, ready: PairRows::default(), taken: 0 }
    }

    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What became of the events.
    pub fn totals(&self) -> BasketTotals {
        self.known.totals
    }

    /// The baskets that count: N of the [formulas](crate::Pairs#formula).
    pub fn baskets(&self) -> u64 {
        let totals = self.known.totals;
        match self.singles {
            SingleBaskets::Skip => totals.baskets,
            SingleBaskets::Count => totals.baskets + totals.single_baskets,
        }
    }

    /// Makes the rows of a batch ready, where there are so many.
    fn read(&mut self) -> Result<(), BasketError> {
        if self.ready.len() - self.taken >= BATCH {
            return Ok(());
        }
        self.ready.drop_first(self.taken);
        self.taken = 0;
        match &mut self.source {
            Source::Baskets(counting) => counting.read(&mut self.ready, BATCH),
            Source::Runs(merge) => merge.read(&mut self.ready, BATCH)?,
            Source::Ended => {}
        }
        Ok(())
    }

    /// Baskets that hold a product and count.
    fn baskets_with(&self, rank: u32) -> i64 {
        let of = |counts: &[u32]| {
            let count = counts.get(self.codes[rank as usize] as usize);
            count.map_or(0, |&count| i64::from(count))
        };
        match self.singles {
            SingleBaskets::Skip => of(&self.known.counts),
            SingleBaskets::Count => of(&self.known.counts) + of(&self.known.singles),
        }
    }

    /// Writes the next rows that are ready.
    fn batch(&mut self) -> Result<RecordBatch, BasketError> {
        let end = self.ready.len().min(self.taken + BATCH);
        let range = self.taken..end;
        self.taken = end;
        let rows = &self.ready.pairs[range.clone()];
        let baskets = self.baskets() as f64;
        let counts_a: Int64Array = rows.iter().map(|pair| self.baskets_with(pair.a)).collect();
        let counts_b: Int64Array = rows.iter().map(|pair| self.baskets_with(pair.b)).collect();
        let ratio = |of: &dyn Fn(f64, f64, f64) -> f64| {
            let counts = counts_a.values().iter().zip(counts_b.values());
            let ratios = rows
                .iter()
                .zip(counts)
                .map(|(pair, (&a, &b))| of(f64::from(pair.together), a as f64, b as f64));
            Arc::new(Float64Array::from_iter_values(ratios))
        };
        let mut columns: Vec<ArrayRef> = vec![
            self.ids(rows.iter().map(|pair| pair.a))?,
            self.ids(rows.iter().map(|pair| pair.b))?,
            Arc::new(rows.iter().map(|pair| i64::from(pair.together)).collect::<Int64Array>()),
            Arc::new(counts_a.clone()),
            Arc::new(counts_b.clone()),
            ratio(&|together, _, _| together / baskets),
            ratio(&|together, a, _| together / a),
            ratio(&|together, _, b| together / b),
            ratio(&|together, a, b| together * baskets / (a * b)),
        ];
        if let Some(scale) = self.money {
            let sums = self.ready.money[range].iter().map(|&sum| check_sum(column::REVENUE, Some(sum)));
            let sums = Decimal128Array::from(sums.collect::<Result<Vec<i128>, _>>()?);
            columns.push(Arc::new(sums.with_data_type(scale.sum_type())));
        }
        Ok(RecordBatch::try_new(self.schema(), columns).map_err(CoreError::from)?)
    }

    fn ids(&self, ranks: impl Iterator<Item = u32>) -> Result<ArrayRef, BasketError> {
        const LIMIT: usize = i32::MAX as usize;
        let mut ids = IdBuilder::new(self.known.product_type);
        let mut text = 0;
        for rank in ranks {
            let id = self.known.products.id(self.codes[rank as usize]);
            if let Some(IdRef::Utf8(id)) = id {
                text += id.len();
                if text > LIMIT {
                    return Err(BasketError::TooMuchText { limit: LIMIT });
                }
            }
            ids.append(id)?;
        }
        Ok(ids.finish())
    }
}

impl Iterator for PairBatches {
    type Item = Result<RecordBatch, BasketError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.read() {
            // What comes behind a damaged place is not known.
            self.source = Source::Ended;
            self.ready.clear();
            self.taken = 0;
            return Some(Err(error));
        }
        (self.taken < self.ready.len()).then(|| self.batch())
    }
}
