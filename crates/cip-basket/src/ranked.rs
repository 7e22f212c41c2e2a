//! Baskets made ready to be counted: products by the rank of their ids, and how many pairs each one anchors.

use cip_core::{IdDictionary, IdRef};
use rayon::prelude::*;

use crate::table::{BasketTotals, Chunk, Contents};

/// What a product takes here: order, rank, count and pairs.
pub(crate) const PRODUCT_BYTES: u64 = 20;

/// Baskets whose products are ranks, ascending in each basket.
///
/// The first of two products in a basket is the **anchor** of the pair.
#[derive(Debug)]
pub(crate) struct Ranked {
    pub(crate) chunks: Vec<Chunk>,
    /// By rank: pairs in all baskets of which the product is the anchor.
    pub(crate) instances: Vec<u64>,
    /// By rank: baskets of two products or more that hold the product.
    pub(crate) counts: Vec<u32>,
    /// By product code: baskets of this product alone. May end before the last product.
    singles: Vec<u32>,
    pub(crate) totals: BasketTotals,
    products: IdDictionary,
    /// By rank, the product's code.
    codes: Vec<u32>,
}

impl Ranked {
    pub(crate) fn new(contents: Contents) -> Self {
        let Contents { products, singles, mut chunks, totals, .. } = contents;
        let mut codes: Vec<u32> = (0..products.len() as u32).collect();
        codes.par_sort_unstable_by_key(|&code| products.id(code));
        let mut ranks = vec![0; codes.len()];
        for (rank, &code) in codes.iter().enumerate() {
            ranks[code as usize] = rank as u32;
        }
        chunks.par_iter_mut().for_each(|chunk| {
            for basket in chunk.baskets_mut() {
                for product in basket.iter_mut() {
                    *product = ranks[*product as usize];
                }
                basket.sort_unstable();
            }
        });
        drop(ranks);
        let (mut counts, mut instances) = (vec![0u32; codes.len()], vec![0u64; codes.len()]);
        for basket in chunks.iter().flat_map(Chunk::baskets) {
            for (behind, &product) in basket.iter().rev().enumerate() {
                counts[product as usize] += 1;
                instances[product as usize] += behind as u64;
            }
        }
        Self { chunks, instances, counts, singles, totals, products, codes }
    }

    /// Baskets of this product alone.
    pub(crate) fn single_baskets(&self, rank: u32) -> u32 {
        self.singles.get(self.codes[rank as usize] as usize).copied().unwrap_or(0)
    }

    /// The id of a product.
    pub(crate) fn id(&self, rank: u32) -> Option<IdRef<'_>> {
        self.products.id(self.codes[rank as usize])
    }
}
