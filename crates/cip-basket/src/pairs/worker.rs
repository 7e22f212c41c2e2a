//! Counting the pairs of a range of anchors in a bounded buffer.

use std::ops::Range;

use crate::chunk::{BasketView, Chunk};
use crate::pairs::counter::{Counter, PairRows};
use crate::pairs::ranked::Ranked;

/// What a product takes in a worker: a cursor, a counter, a place among the products met, and one among the pairs.
pub(crate) const PRODUCT_BYTES: u64 = 28;
/// What an instance of a pair takes in a worker: a place in the buffer, and one among the pairs.
pub(crate) const INSTANCE_BYTES: u64 = 16;
/// What money adds to a product: its sum.
pub(crate) const PRODUCT_MONEY_BYTES: u64 = 16;
/// What money adds to an instance: a place in the buffer, and one among the pairs.
pub(crate) const INSTANCE_MONEY_BYTES: u64 = 24;

/// What one thread counts with.
#[derive(Debug)]
pub(crate) struct Worker {
    /// For each anchor of the range, the products seen with it.
    buffer: Vec<u32>,
    /// The money of each of them with the anchor, or none.
    money: Vec<i64>,
    /// For each anchor of the range, where the next product goes.
    cursors: Vec<usize>,
    counter: Counter,
    /// Pairs of the range, sorted, by rank.
    pub(crate) rows: PairRows,
}

impl Worker {
    pub(crate) fn new(products: usize) -> Self {
        Self {
            buffer: Vec::new(),
            money: Vec::new(),
            cursors: Vec::new(),
            counter: Counter::new(products),
            rows: PairRows::default(),
        }
    }

    /// Replaces the rows by the pairs that have their anchor in `anchors` and are seen together `min_together` times
    /// or more.
    ///
    /// One pass over the baskets. More instances than `capacity` are counted without a buffer; there is then one
    /// anchor in the range.
    pub(crate) fn count(
        &mut self,
        baskets: &Ranked,
        anchors: Range<usize>,
        capacity: u64,
        min_together: u32,
    ) {
        self.rows.clear();
        let instances: u64 = baskets.instances[anchors.clone()].iter().sum();
        if instances > capacity {
            self.count_one(baskets, anchors.start, min_together);
            return;
        }
        self.fill(baskets, anchors.clone(), instances as usize);
        let mut start = 0;
        for (anchor, &end) in anchors.zip(&self.cursors) {
            self.counter.add(&self.buffer[start..end]);
            if !self.money.is_empty() {
                self.counter.add_money(&self.buffer[start..end], &self.money[start..end]);
            }
            self.counter.take(anchor as u32, min_together, &mut self.rows);
            start = end;
        }
    }

    /// Gathers the products seen with each anchor; the cursors then stand at the ends.
    fn fill(&mut self, baskets: &Ranked, anchors: Range<usize>, instances: usize) {
        let has_money = baskets.chunks.iter().any(Chunk::has_money);
        if self.buffer.len() < instances {
            self.buffer.resize(instances, 0);
        }
        if has_money && self.money.len() < instances {
            self.money.resize(instances, 0);
        }
        self.cursors.clear();
        let mut start = 0;
        for &instances in &baskets.instances[anchors.clone()] {
            self.cursors.push(start);
            start += instances as usize;
        }
        let range = anchors.start as u32..anchors.end as u32;
        if has_money {
            self.place_with_money(baskets, &range);
        } else {
            self.place(baskets, &range);
        }
    }

    /// Puts what stands behind each anchor of `range` at its cursor.
    fn place(&mut self, baskets: &Ranked, range: &Range<u32>) {
        for products in baskets.chunks.iter().flat_map(Chunk::products_of_baskets) {
            for (at, anchor) in anchors_of(products, range) {
                let behind = &products[at + 1..];
                let cursor = &mut self.cursors[anchor];
                copy(behind, &mut self.buffer[*cursor..*cursor + behind.len()]);
                *cursor += behind.len();
            }
        }
    }

    /// The same with the money of each pair.
    fn place_with_money(&mut self, baskets: &Ranked, range: &Range<u32>) {
        for BasketView { products, money } in baskets.chunks.iter().flat_map(Chunk::baskets) {
            for (at, anchor) in anchors_of(products, range) {
                let behind = &products[at + 1..];
                let cursor = &mut self.cursors[anchor];
                let end = *cursor + behind.len();
                copy(behind, &mut self.buffer[*cursor..end]);
                if let [of_anchor, behind @ ..] = money.get(at..).unwrap_or_default() {
                    for (slot, &amount) in self.money[*cursor..end].iter_mut().zip(behind) {
                        *slot = of_anchor + amount;
                    }
                }
                *cursor = end;
            }
        }
    }

    /// Counts the pairs of one anchor while they pass.
    fn count_one(&mut self, baskets: &Ranked, anchor: usize, min_together: u32) {
        let anchor = anchor as u32;
        let mut sums = Vec::new();
        for basket in baskets.chunks.iter().flat_map(Chunk::baskets) {
            if let Ok(at) = basket.products.binary_search(&anchor) {
                let BasketView { products, money } = basket;
                self.counter.add(&products[at + 1..]);
                if !money.is_empty() {
                    sums.clear();
                    sums.extend(money[at + 1..].iter().map(|amount| money[at] + amount));
                    self.counter.add_money(&products[at + 1..], &sums);
                }
            }
        }
        self.counter.take(anchor, min_together, &mut self.rows);
    }
}

/// Where the anchors of `range` stand in a basket, and their places in the range. A basket without any is passed in one look: its last
/// product anchors nothing.
#[inline]
fn anchors_of(products: &[u32], range: &Range<u32>) -> impl Iterator<Item = (usize, usize)> {
    let (first, last) = (products.first().copied(), products.last().copied());
    let may_be = first.is_some_and(|first| first < range.end) && last.is_some_and(|last| range.start < last);
    let products = if may_be { products } else { &[] };
    let from = range.start;
    (products.iter().enumerate())
        .skip_while(move |(_, product)| **product < from)
        .take_while(|(_, product)| **product < range.end)
        .map(move |(at, product)| (at, (product - from) as usize))
}

/// Copies a few numbers, four at a time: calling a function for them takes longer.
#[inline]
fn copy(from: &[u32], to: &mut [u32]) {
    let ((fours, rest), (places, places_left)) = (from.as_chunks::<4>(), to.as_chunks_mut::<4>());
    places.iter_mut().zip(fours).for_each(|(place, four)| *place = *four);
    places_left.iter_mut().zip(rest).for_each(|(place, number)| *place = *number);
}
