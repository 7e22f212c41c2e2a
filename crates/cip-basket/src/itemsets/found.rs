//! The itemsets that were found, in their order.

use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, RecordBatch};
use arrow_schema::SchemaRef;
use cip_core::{CoreError, table};
use rayon::prelude::*;

use crate::error::BasketError;
use crate::hierarchy::Above;
use crate::itemsets::lists::Lists;
use crate::itemsets::params::{ItemsetKind, Plan};
use crate::itemsets::search::Rows;
use crate::transactions::Transactions;

/// Rows of a batch; the last one has what is left.
const BATCH: usize = 1 << 14;

/// Frequent itemsets, sorted by size, then by items; made by [`FrequentItemsets::mine`](crate::FrequentItemsets::mine).
#[derive(Debug, Clone, PartialEq)]
pub struct Itemsets {
    /// By item.
    names: Vec<Box<str>>,
    /// By item, what it is under.
    above: Above,
    kind: ItemsetKind,
    baskets: u64,
    /// The smallest count.
    least: u64,
    items: Vec<u32>,
    ends: Vec<usize>,
    counts: Vec<u32>,
    /// By size less one, where the itemsets of the size end.
    size_ends: Vec<usize>,
}

/// One itemset.
#[derive(Debug, Clone, Copy)]
pub struct Itemset<'a> {
    names: &'a [Box<str>],
    items: &'a [u32],
    count: u32,
}

impl<'a> Itemset<'a> {
    /// The names of its items, by their UTF-8 bytes.
    pub fn names(self) -> impl ExactSizeIterator<Item = &'a str> {
        self.items.iter().map(move |&item| &*self.names[item as usize])
    }

    /// How many items it has.
    pub fn size(self) -> usize {
        self.items.len()
    }

    /// Baskets that hold all of them.
    pub fn count(self) -> u64 {
        u64::from(self.count)
    }
}

impl Itemsets {
    pub(crate) fn new(plan: &Plan<'_>, parts: Vec<Rows>) -> Self {
        let mut starts: Vec<(u32, u32, usize)> = Vec::new();
        for (part, rows) in (0u32..).zip(&parts) {
            let mut start = 0;
            for &size in &rows.sizes {
                starts.push((size, part, start));
                start += size as usize;
            }
        }
        let items_of =
            |&(size, part, start): &(u32, u32, usize)| &parts[part as usize].items[start..][..size as usize];
        // The count goes with its itemset: where they start tells them apart.
        let counts: Vec<u32> = parts.iter().flat_map(|rows| rows.counts.iter().copied()).collect();
        let mut order: Vec<((u32, u32, usize), u32)> = starts.into_iter().zip(counts).collect();
        order.par_sort_unstable_by(|(a, _), (b, _)| a.0.cmp(&b.0).then_with(|| items_of(a).cmp(items_of(b))));
        let mut items = Vec::with_capacity(parts.iter().map(|rows| rows.items.len()).sum());
        let mut ends = Vec::with_capacity(order.len());
        let mut size_ends = Vec::new();
        for (number, (row, _)) in order.iter().enumerate() {
            let size = row.0 as usize;
            while size_ends.len() + 1 < size {
                size_ends.push(number);
            }
            items.extend_from_slice(items_of(row));
            ends.push(items.len());
        }
        size_ends.push(order.len());
        Self {
            names: plan.transactions.items().map(Into::into).collect(),
            above: plan.transactions.above().clone(),
            kind: plan.kind,
            baskets: plan.transactions.len() as u64,
            least: u64::from(plan.database.least),
            items,
            ends,
            counts: order.into_iter().map(|(_, count)| count).collect(),
            size_ends,
        }
    }

    /// The number of itemsets.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Which of the frequent itemsets they are.
    pub fn kind(&self) -> ItemsetKind {
        self.kind
    }

    /// The baskets: the N of all formulas.
    pub fn baskets(&self) -> u64 {
        self.baskets
    }

    /// The smallest count that was asked for.
    pub fn min_count(&self) -> u64 {
        self.least
    }

    /// How many itemsets there are of each size, from one item on.
    pub fn by_size(&self) -> impl ExactSizeIterator<Item = usize> {
        (1..self.size_ends.len() + 1).map(|size| self.of_size(size).len())
    }

    /// The itemsets in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Itemset<'_>> {
        (0..self.len()).map(|number| Itemset {
            names: &self.names,
            items: self.items_of(number),
            count: self.counts[number],
        })
    }

    /// Returns the table, of the schema [`table::itemsets`], in batches of 16,384 rows.
    pub fn batches(&self) -> ItemsetBatches<'_> {
        ItemsetBatches { itemsets: self, next: 0, schema: table::itemsets() }
    }

    /// Returns in how many of other baskets each itemset is, in their order. Items that the others do not have are in
    /// none of them.
    pub(crate) fn counts_in(&self, others: &Transactions) -> Vec<u32> {
        let mut holding: Vec<Vec<u32>> = vec![Vec::new(); others.items().len()];
        for (number, basket) in (0u32..).zip(others.baskets()) {
            basket.iter().for_each(|&item| holding[item as usize].push(number));
        }
        let there: Vec<Option<u32>> = self.names.iter().map(|name| others.item(name)).collect();
        // Neighbours share their first items: what these are in together is kept.
        let mut prefixes: Vec<(u32, Vec<u32>)> = Vec::new();
        let mut counts = Vec::with_capacity(self.len());
        for number in 0..self.len() {
            let items = self.items_of(number);
            let shared = prefixes.iter().zip(items).take_while(|((known, _), item)| known == *item).count();
            prefixes.truncate(shared);
            for &item in &items[shared..] {
                let baskets = there[item as usize].map_or(&[][..], |item| &holding[item as usize]);
                let both = match prefixes.last() {
                    None => baskets.to_vec(),
                    Some((_, before)) => in_both(before, baskets),
                };
                prefixes.push((item, both));
            }
            counts.push(prefixes.last().map_or(0, |(_, baskets)| baskets.len() as u32));
        }
        counts
    }

    pub(crate) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// By item, what it is under.
    pub(crate) fn above(&self) -> &Above {
        &self.above
    }

    /// Keeps those of a kind and of up to so many items, of all itemsets of up to one item more.
    ///
    /// An itemset in as many baskets as a larger one is in as many as one of one item more: what lies between is an itemset, too.
    pub(crate) fn of_kind(mut self, kind: ItemsetKind, most_items: usize) -> Self {
        let mut has_larger = vec![false; self.len()];
        let mut smaller = Vec::new();
        for number in self.of_size(1).end..self.len() {
            let items = self.items_of(number);
            for left_out in 0..items.len() {
                smaller.clear();
                smaller
                    .extend(items.iter().enumerate().filter(|&(at, _)| at != left_out).map(|(_, item)| item));
                if let Some(smaller) = self.find(&smaller)
                    && (kind == ItemsetKind::Maximal || self.counts[smaller] == self.counts[number])
                {
                    has_larger[smaller] = true;
                }
            }
        }
        let all = std::mem::take(&mut self.counts);
        let (all_items, all_ends) = (std::mem::take(&mut self.items), std::mem::take(&mut self.ends));
        let starts = std::iter::once(0).chain(all_ends.iter().copied());
        self.size_ends.clear();
        for (number, (start, &end)) in starts.zip(&all_ends).enumerate() {
            let size = end - start;
            if has_larger[number] || size > most_items {
                continue;
            }
            while self.size_ends.len() + 1 < size {
                self.size_ends.push(self.ends.len());
            }
            self.items.extend_from_slice(&all_items[start..end]);
            self.ends.push(self.items.len());
            self.counts.push(all[number]);
        }
        self.size_ends.push(self.ends.len());
        Self { kind, ..self }
    }

    /// The items of an itemset, ascending.
    pub(crate) fn items_of(&self, number: usize) -> &[u32] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.items[start..self.ends[number]]
    }

    pub(crate) fn count_of(&self, number: usize) -> u32 {
        self.counts[number]
    }

    /// The itemsets of a size, by their numbers.
    pub(crate) fn of_size(&self, size: usize) -> std::ops::Range<usize> {
        let end = |size: usize| self.size_ends.get(size).copied().unwrap_or(self.len());
        match size.checked_sub(1) {
            None => 0..0,
            Some(0) => 0..end(0),
            Some(before) => end(before - 1)..end(before),
        }
    }

    /// The number of an itemset of these items, which ascend.
    pub(crate) fn find(&self, items: &[u32]) -> Option<usize> {
        let range = self.of_size(items.len());
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.items_of(middle).cmp(items) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }
}

/// What is in both of two lists that ascend.
fn in_both(few: &[u32], many: &[u32]) -> Vec<u32> {
    let mut rest = many;
    let mut both = Vec::new();
    for &number in few {
        let skipped = rest.partition_point(|&other| other < number);
        rest = &rest[skipped..];
        if rest.first() == Some(&number) {
            both.push(number);
        }
    }
    both
}

/// The batches of [`Itemsets::batches`].
#[derive(Debug)]
pub struct ItemsetBatches<'a> {
    itemsets: &'a Itemsets,
    next: usize,
    schema: SchemaRef,
}

impl ItemsetBatches<'_> {
    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Iterator for ItemsetBatches<'_> {
    type Item = Result<RecordBatch, BasketError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.next..self.itemsets.len().min(self.next + BATCH);
        if rows.is_empty() {
            return None;
        }
        self.next = rows.end;
        let all = self.itemsets.baskets as f64;
        let mut lists = Lists::default();
        rows.clone().for_each(|row| lists.push(&self.itemsets.names, self.itemsets.items_of(row)));
        let counts = &self.itemsets.counts[rows.clone()];
        let batch = RecordBatch::try_new(
            self.schema(),
            vec![
                lists.finish(),
                Arc::new(rows.map(|row| self.itemsets.items_of(row).len() as i64).collect::<Int64Array>()),
                Arc::new(counts.iter().map(|&count| i64::from(count)).collect::<Int64Array>()),
                Arc::new(counts.iter().map(|&count| f64::from(count) / all).collect::<Float64Array>()),
            ],
        );
        Some(batch.map_err(|error| CoreError::from(error).into()))
    }
}
