//! Baskets in memory: numbers of products one behind the other, and where each basket ends.

use std::ops::Range;

/// Entries after which a chunk is full. Chunks are never copied to grow, so their bytes are what they hold.
const CHUNK: usize = 1 << 18;

/// Some baskets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chunk {
    /// Their products, basket behind basket.
    pub(crate) products: Vec<u32>,
    /// The money of each entry, or none at all.
    money: Vec<i64>,
    /// Where each basket ends.
    ends: Vec<u32>,
}

/// One basket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BasketView<'a> {
    pub(crate) products: &'a [u32],
    /// As many as there are products, or none.
    pub(crate) money: &'a [i64],
}

impl Chunk {
    /// Where each basket lies among the products.
    fn spans(&self) -> impl Iterator<Item = Range<usize>> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let span = start..end as usize;
            start = span.end;
            span
        })
    }

    /// Returns the baskets.
    pub(crate) fn baskets(&self) -> impl Iterator<Item = BasketView<'_>> {
        self.spans().map(|span| BasketView {
            products: &self.products[span.clone()],
            money: self.money.get(span).unwrap_or_default(),
        })
    }

    /// Returns the products of each basket.
    pub(crate) fn products_of_baskets(&self) -> impl Iterator<Item = &[u32]> {
        self.spans().map(|span| &self.products[span])
    }

    /// Gives every product its new number, and sorts each basket by these.
    pub(crate) fn renumber_and_sort(&mut self, numbers: &[u32]) {
        let mut start = 0;
        let mut both = Vec::new();
        for &end in &self.ends {
            let products = &mut self.products[start..end as usize];
            products.iter_mut().for_each(|product| *product = numbers[*product as usize]);
            match self.money.get_mut(start..end as usize) {
                None => products.sort_unstable(),
                Some(money) => {
                    both.clear();
                    both.extend(products.iter().copied().zip(money.iter().copied()));
                    both.sort_unstable();
                    for ((product, amount), &sorted) in products.iter_mut().zip(money).zip(&both) {
                        (*product, *amount) = sorted;
                    }
                }
            }
            start = end as usize;
        }
    }

    pub(crate) fn has_money(&self) -> bool {
        !self.money.is_empty()
    }

    pub(crate) fn forget_money(&mut self) {
        self.money = Vec::new();
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        self.products.shrink_to_fit();
        self.money.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

/// Puts a basket behind the others.
pub(crate) fn push(chunks: &mut Vec<Chunk>, products: &[u32], money: &[i64]) {
    if chunks.last().is_none_or(|chunk| chunk.products.len() + products.len() > CHUNK) {
        if let Some(full) = chunks.last_mut() {
            full.shrink_to_fit();
        }
        chunks.push(Chunk::default());
    }
    if let Some(chunk) = chunks.last_mut() {
        chunk.products.extend_from_slice(products);
        chunk.money.extend_from_slice(money);
        chunk.ends.push(chunk.products.len() as u32);
    }
}
