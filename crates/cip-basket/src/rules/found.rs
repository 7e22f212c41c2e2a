//! The rules that were found, in their order.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch};
use arrow_schema::SchemaRef;
use cip_core::{CoreError, table};

use crate::error::BasketError;
use crate::itemsets::Itemsets;
use crate::itemsets::lists::Lists;
use crate::rules::consequents::{Side, take_side};
use crate::rules::measures::{Measures, RuleCounts};
use crate::rules::search::{ItemCounts, counts};
use crate::transactions::Transactions;

/// Rows of a batch; the last one has what is left.
const BATCH: usize = 1 << 13;

/// A rule, as it is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The itemset of both sides.
    pub(crate) itemset: usize,
    /// The positions of the consequent's items in it.
    pub(crate) consequent: u64,
    pub(crate) p_value: f64,
    pub(crate) q_value: f64,
    pub(crate) redundant: bool,
}

/// Association rules; made by [`AssociationRules::find`](crate::AssociationRules::find).
#[derive(Debug, Clone)]
pub struct Rules<'a> {
    itemsets: &'a Itemsets,
    item_counts: ItemCounts,
    rows: Vec<Row>,
    tested: u64,
    later: Option<Later>,
}

/// The counts of the itemsets in later baskets.
#[derive(Debug, Clone)]
struct Later {
    baskets: u64,
    counts: Vec<u32>,
}

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule<'a> {
    rules: &'a Rules<'a>,
    row: Row,
    counts: RuleCounts,
}

impl<'a> Rule<'a> {
    /// The names of the items that come first, by their UTF-8 bytes.
    pub fn antecedent(&self) -> impl Iterator<Item = &'a str> {
        self.side(Side::Antecedent)
    }

    /// The names of the items that follow, by their UTF-8 bytes.
    pub fn consequent(&self) -> impl Iterator<Item = &'a str> {
        self.side(Side::Consequent)
    }

    /// How many baskets hold the sides.
    pub fn counts(&self) -> RuleCounts {
        self.counts
    }

    /// The measures.
    pub fn measures(&self) -> Measures {
        self.counts.measures()
    }

    /// The share of false rules among those that are as sure or surer.
    pub fn q_value(&self) -> f64 {
        self.row.q_value
    }

    /// Whether a more general rule has the same confidence or a higher one.
    pub fn is_redundant(&self) -> bool {
        self.row.redundant
    }

    fn side(&self, side: Side) -> impl Iterator<Item = &'a str> + use<'a> {
        let (itemsets, mut items) = (self.rules.itemsets, Vec::new());
        take_side(itemsets.items_of(self.row.itemset), self.row.consequent, side, &mut items);
        items.into_iter().map(move |item| &*itemsets.names()[item as usize])
    }
}

impl<'a> Rules<'a> {
    pub(crate) fn new(itemsets: &'a Itemsets, item_counts: ItemCounts, rows: Vec<Row>, tested: u64) -> Self {
        Self { itemsets, item_counts, rows, tested, later: None }
    }

    /// Adds how the rules do in other baskets, which had no say in finding them: the table then has `later_count` and
    /// `later_lift` as well.
    pub fn with_later(mut self, baskets: &Transactions) -> Self {
        self.later = Some(Later { baskets: baskets.len() as u64, counts: self.itemsets.counts_in(baskets) });
        self
    }

    /// The number of rules.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rules that reach the smallest support and confidence: the tests that q-values are adjusted for.
    pub fn tested(&self) -> u64 {
        self.tested
    }

    /// The itemsets that they were made from.
    pub fn itemsets(&self) -> &'a Itemsets {
        self.itemsets
    }

    /// The rules in their order.
    pub fn iter(&self) -> impl Iterator<Item = Rule<'_>> {
        self.rows.iter().filter_map(|row| {
            let counts = counts(self.itemsets, &self.item_counts, row.itemset, row.consequent)?;
            Some(Rule { rules: self, row: *row, counts })
        })
    }

    /// Returns the table, of the schema [`table::rules`], in batches of 8,192 rows.
    pub fn batches(&self) -> RuleBatches<'_> {
        let later =
            if self.later.is_some() { table::LaterBaskets::Known } else { table::LaterBaskets::Unknown };
        RuleBatches { rules: self, next: 0, schema: table::rules(later) }
    }

    /// The counts of a rule in the later baskets.
    fn later_counts(&self, row: &Row) -> Option<RuleCounts> {
        let later = self.later.as_ref()?;
        let items = self.itemsets.items_of(row.itemset);
        let mut side = Vec::new();
        let mut count = |which| {
            take_side(items, row.consequent, which, &mut side);
            self.itemsets.find(&side).map(|number| u64::from(later.counts[number]))
        };
        Some(RuleCounts {
            baskets: later.baskets,
            antecedent: count(Side::Antecedent)?,
            consequent: count(Side::Consequent)?,
            both: u64::from(later.counts[row.itemset]),
            most_frequent_item: 0,
        })
    }
}

/// The batches of [`Rules::batches`].
#[derive(Debug)]
pub struct RuleBatches<'a> {
    rules: &'a Rules<'a>,
    next: usize,
    schema: SchemaRef,
}

impl RuleBatches<'_> {
    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn batch(&self, rows: &[Row]) -> Result<RecordBatch, BasketError> {
        let (itemsets, rules) = (self.rules.itemsets, self.rules);
        let (mut antecedents, mut consequents, mut side) = (Lists::default(), Lists::default(), Vec::new());
        let mut of: Vec<(RuleCounts, Measures)> = Vec::with_capacity(rows.len());
        for row in rows {
            let items = itemsets.items_of(row.itemset);
            take_side(items, row.consequent, Side::Antecedent, &mut side);
            antecedents.push(itemsets.names(), &side);
            take_side(items, row.consequent, Side::Consequent, &mut side);
            consequents.push(itemsets.names(), &side);
            let counts = counts(itemsets, &rules.item_counts, row.itemset, row.consequent);
            of.extend(counts.map(|counts| (counts, counts.measures())));
        }
        let count = |of_counts: &dyn Fn(&RuleCounts) -> u64| -> ArrayRef {
            Arc::new(of.iter().map(|(counts, _)| of_counts(counts).cast_signed()).collect::<Int64Array>())
        };
        let value = |measure: &dyn Fn(&Measures) -> f64| -> ArrayRef {
            Arc::new(of.iter().map(|(_, measures)| measure(measures)).collect::<Float64Array>())
        };
        let known = |measure: &dyn Fn(&Measures) -> Option<f64>| -> ArrayRef {
            Arc::new(of.iter().map(|(_, measures)| measure(measures)).collect::<Float64Array>())
        };
        let mut columns = vec![
            antecedents.finish(),
            consequents.finish(),
            count(&|counts| counts.both),
            count(&|counts| counts.antecedent),
            count(&|counts| counts.consequent),
            value(&|measures| measures.support),
            value(&|measures| measures.confidence),
            value(&|measures| measures.lift),
            value(&|measures| measures.leverage),
            known(&|measures| measures.conviction),
            known(&|measures| measures.zhang),
            value(&|measures| measures.jaccard),
            value(&|measures| measures.cosine),
            value(&|measures| measures.kulczynski),
            value(&|measures| measures.all_confidence),
            value(&|measures| measures.imbalance),
            known(&|measures| measures.certainty),
            known(&|measures| measures.odds_ratio),
            known(&|measures| measures.phi),
            known(&|measures| measures.chi_square),
            known(&|measures| measures.chi_square_p),
            value(&|measures| measures.p_value),
            value(&|measures| measures.hyper_lift),
            Arc::new(rows.iter().map(|row| row.q_value).collect::<Float64Array>()),
            Arc::new(rows.iter().map(|row| Some(row.redundant)).collect::<BooleanArray>()),
        ];
        if rules.later.is_some() {
            let later: Vec<Option<RuleCounts>> = rows.iter().map(|row| rules.later_counts(row)).collect();
            let both = later.iter().map(|counts| counts.map(|counts| counts.both.cast_signed()));
            columns.push(Arc::new(both.collect::<Int64Array>()));
            let lift = later.iter().map(|counts| counts.and_then(RuleCounts::lift));
            columns.push(Arc::new(lift.collect::<Float64Array>()));
        }
        Ok(RecordBatch::try_new(self.schema(), columns).map_err(CoreError::from)?)
    }
}

impl Iterator for RuleBatches<'_> {
    type Item = Result<RecordBatch, BasketError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = &self.rules.rows[self.next..];
        let rows = &rows[..rows.len().min(BATCH)];
        self.next += rows.len();
        (!rows.is_empty()).then(|| self.batch(rows))
    }
}
