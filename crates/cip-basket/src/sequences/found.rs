//! The sequences that were found, in their order.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{Float64Array, Int64Array, RecordBatch};
use arrow_schema::SchemaRef;
use cip_core::{CoreError, Id, IdRef, table};

use crate::error::BasketError;

/// Rows of a batch; the last one has what is left.
const BATCH: usize = 1 << 14;

/// Steps: event types with products.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Steps {
    types: Vec<Box<str>>,
    /// By rank, the place of the type and the product.
    by_rank: Vec<(u32, Id)>,
}

impl Steps {
    /// Keeps so many `steps`, which are sorted by event type and product.
    pub(crate) fn new<'a>(number: usize, steps: impl Iterator<Item = (IdRef<'a>, IdRef<'a>)>) -> Self {
        let mut by_rank = Vec::with_capacity(number);
        let (mut types, mut last) = (Vec::new(), None);
        for (event_type, product) in steps {
            if last != Some(event_type) {
                types.push(event_type.to_string().into());
                last = Some(event_type);
            }
            by_rank.push((types.len() as u32 - 1, product.to_owned()));
        }
        Self { types, by_rank }
    }

    /// The number of steps.
    pub(crate) fn len(&self) -> usize {
        self.by_rank.len()
    }

    /// The event type and the product of a rank.
    pub(crate) fn get(&self, rank: u32) -> (&str, IdRef<'_>) {
        let (event_type, product) = &self.by_rank[rank as usize];
        (&self.types[*event_type as usize], product.as_ref())
    }
}

/// A sequence, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) steps: Box<[u32]>,
    /// Histories that hold it.
    pub(crate) count: u32,
    /// Histories that hold it without its last step.
    pub(crate) before: u32,
}

/// Sequences of steps, sorted by their number, then by steps; made by
/// [`SequencePatterns::find`](crate::SequencePatterns::find).
#[derive(Debug, Clone, PartialEq)]
pub struct Sequences {
    steps: Steps,
    rows: Vec<Row>,
    histories: u64,
    least: u64,
}

/// One sequence.
#[derive(Debug, Clone, Copy)]
pub struct Sequence<'a> {
    steps: &'a Steps,
    row: &'a Row,
}

impl<'a> Sequence<'a> {
    /// Its steps in order: event type and product.
    pub fn steps(self) -> impl ExactSizeIterator<Item = (&'a str, IdRef<'a>)> {
        self.row.steps.iter().map(move |&step| self.steps.get(step))
    }

    /// Histories that hold it.
    pub fn count(self) -> u64 {
        u64::from(self.row.count)
    }

    /// How many of the histories that hold it without its last step hold it whole.
    pub fn confidence(self) -> f64 {
        f64::from(self.row.count) / f64::from(self.row.before)
    }
}

impl Sequences {
    pub(crate) fn new(steps: Steps, mut rows: Vec<Row>, histories: u64, least: u64) -> Self {
        rows.sort_unstable_by(|a, b| a.steps.len().cmp(&b.steps.len()).then_with(|| a.steps.cmp(&b.steps)));
        Self { steps, rows, histories, least }
    }

    /// The number of sequences.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The histories: the N of the support.
    pub fn histories(&self) -> u64 {
        self.histories
    }

    /// The smallest count that was asked for.
    pub fn min_count(&self) -> u64 {
        self.least
    }

    /// The sequences in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Sequence<'_>> {
        self.rows.iter().map(|row| Sequence { steps: &self.steps, row })
    }

    /// Returns the table, of the schema [`table::sequences`], in batches of 16,384 rows.
    pub fn batches(&self) -> SequenceBatches<'_> {
        SequenceBatches { sequences: self, next: 0, schema: table::sequences() }
    }
}

/// The batches of [`Sequences::batches`].
#[derive(Debug)]
pub struct SequenceBatches<'a> {
    sequences: &'a Sequences,
    next: usize,
    schema: SchemaRef,
}

impl SequenceBatches<'_> {
    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn batch(&self, rows: &[Row]) -> Result<RecordBatch, BasketError> {
        let list = || ListBuilder::new(StringBuilder::new()).with_field(table::itemset_item());
        let (mut types, mut products) = (list(), list());
        for row in rows {
            for &step in &row.steps {
                let (event_type, product) = self.sequences.steps.get(step);
                types.values().append_value(event_type);
                products.values().append_value(product.to_string());
            }
            types.append(true);
            products.append(true);
        }
        let number = |of: &dyn Fn(&Row) -> i64| Arc::new(rows.iter().map(of).collect::<Int64Array>());
        let ratio = |of: &dyn Fn(&Row) -> f64| Arc::new(rows.iter().map(of).collect::<Float64Array>());
        let all = self.sequences.histories as f64;
        let batch = RecordBatch::try_new(
            self.schema(),
            vec![
                Arc::new(types.finish()),
                Arc::new(products.finish()),
                number(&|row| row.steps.len() as i64),
                number(&|row| i64::from(row.count)),
                ratio(&|row| f64::from(row.count) / all),
                ratio(&|row| f64::from(row.count) / f64::from(row.before)),
            ],
        );
        Ok(batch.map_err(CoreError::from)?)
    }
}

impl Iterator for SequenceBatches<'_> {
    type Item = Result<RecordBatch, BasketError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = &self.sequences.rows[self.next..];
        let rows = &rows[..rows.len().min(BATCH)];
        self.next += rows.len();
        (!rows.is_empty()).then(|| self.batch(rows))
    }
}
