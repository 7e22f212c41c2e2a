//! Baskets made ready to be counted: products by the rank of their ids, and how many pairs each one anchors.

use std::sync::Arc;

use cip_core::IdDictionary;
use rayon::prelude::*;

use crate::chunk::Chunk;

/// What a product takes here: order, rank and pairs.
pub(crate) const PRODUCT_BYTES: u64 = 16;

/// Baskets whose products are ranks, ascending in each basket.
///
/// The first of two products in a basket is the **anchor** of the pair.
#[derive(Debug)]
pub(crate) struct Ranked {
    pub(crate) chunks: Vec<Chunk>,
    /// By rank: pairs in all baskets of which the product is the anchor.
    pub(crate) instances: Vec<u64>,
    /// By rank, the product's code.
    pub(crate) codes: Arc<[u32]>,
}

impl Ranked {
    pub(crate) fn new(products: &IdDictionary, mut chunks: Vec<Chunk>) -> Self {
        let codes = by_rank(products);
        let ranks = ranks(&codes);
        chunks.par_iter_mut().for_each(|chunk| chunk.renumber_and_sort(&ranks));
        let mut instances = vec![0u64; codes.len()];
        for basket in chunks.iter().flat_map(Chunk::baskets) {
            for (behind, &product) in basket.products.iter().rev().enumerate() {
                instances[product as usize] += behind as u64;
            }
        }
        Self { chunks, instances, codes }
    }
}

/// The codes of products in the order of their ids.
pub(crate) fn by_rank(products: &IdDictionary) -> Arc<[u32]> {
    let mut codes: Vec<u32> = (0..products.len() as u32).collect();
    codes.par_sort_unstable_by_key(|&code| products.id(code));
    codes.into()
}

/// By code, the rank.
pub(crate) fn ranks(codes: &[u32]) -> Vec<u32> {
    let mut ranks = vec![0; codes.len()];
    for (rank, &code) in (0u32..).zip(codes) {
        ranks[code as usize] = rank;
    }
    ranks
}
