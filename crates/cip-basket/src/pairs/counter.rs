//! The pairs of one anchor, counted in an array with a place for every product.

use std::ops::Range;

/// Two products, and how many baskets hold both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) together: u32,
}

/// Pairs, and the money of each where it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PairRows {
    pub(crate) pairs: Vec<Pair>,
    /// As many as there are pairs, or none.
    pub(crate) money: Vec<i128>,
}

impl PairRows {
    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    pub(crate) fn clear(&mut self) {
        self.pairs.clear();
        self.money.clear();
    }

    /// Leaves out the first rows.
    pub(crate) fn drop_first(&mut self, rows: usize) {
        self.pairs.drain(..rows);
        self.money.drain(..rows.min(self.money.len()));
    }

    /// Adds some rows of others.
    pub(crate) fn extend(&mut self, others: &Self, rows: Range<usize>) {
        self.pairs.extend_from_slice(&others.pairs[rows.clone()]);
        if !others.money.is_empty() {
            self.money.extend_from_slice(&others.money[rows]);
        }
    }
}

/// Counts by product, and which of them are not zero.
#[derive(Debug)]
pub(crate) struct Counter {
    counts: Vec<u32>,
    /// The money of each product met; empty where there is none.
    sums: Vec<i128>,
    met: Vec<u32>,
}

impl Counter {
    pub(crate) fn new(products: usize) -> Self {
        Self { counts: vec![0; products], sums: Vec::new(), met: Vec::new() }
    }

    /// Counts each of the products once.
    pub(crate) fn add(&mut self, products: &[u32]) {
        for &product in products {
            let count = &mut self.counts[product as usize];
            if *count == 0 {
                self.met.push(product);
            }
            *count += 1;
        }
    }

    /// Counts a product as often as some baskets did.
    pub(crate) fn add_count(&mut self, product: u32, together: u32) {
        let count = &mut self.counts[product as usize];
        if *count == 0 {
            self.met.push(product);
        }
        *count = count.saturating_add(together);
    }

    /// Adds the money of a product that is counted.
    pub(crate) fn add_sum(&mut self, product: u32, amount: i128) {
        self.sums.resize(self.counts.len(), 0);
        let sum = &mut self.sums[product as usize];
        *sum = sum.saturating_add(amount);
    }

    /// Adds the money of products that are counted.
    pub(crate) fn add_money(&mut self, products: &[u32], money: &[i64]) {
        self.sums.resize(self.counts.len(), 0);
        for (&product, &amount) in products.iter().zip(money) {
            self.sums[product as usize] += i128::from(amount);
        }
    }

    /// Moves the counts that reach `min_together` behind `rows`, by product, and starts again from zero.
    pub(crate) fn take(&mut self, anchor: u32, min_together: u32, rows: &mut PairRows) {
        let Self { counts, sums, met } = self;
        met.retain(|&product| {
            let count = &mut counts[product as usize];
            let stays = *count >= min_together;
            if !stays {
                *count = 0;
                if let Some(sum) = sums.get_mut(product as usize) {
                    *sum = 0;
                }
            }
            stays
        });
        met.sort_unstable();
        if !sums.is_empty() {
            rows.money.extend(met.iter().map(|&product| std::mem::take(&mut sums[product as usize])));
        }
        rows.pairs.extend(met.drain(..).map(|product| Pair {
            a: anchor,
            b: product,
            together: std::mem::take(&mut counts[product as usize]),
        }));
    }
}
