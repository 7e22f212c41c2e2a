//! Counting the pairs of a range of anchors in a bounded buffer.

use std::ops::Range;

use crate::ranked::Ranked;
use crate::table::Chunk;

/// What a product takes in a worker: a cursor, a counter, a place among the products met, and one among the pairs.
pub(crate) const PRODUCT_BYTES: u64 = 28;
/// What an instance of a pair takes in a worker: a place in the buffer, and one among the pairs.
pub(crate) const INSTANCE_BYTES: u64 = 16;

/// Two products, by rank, and how many baskets hold both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) together: u32,
}

/// What one thread counts with.
#[derive(Debug)]
pub(crate) struct Worker {
    /// For each anchor of the range, the products seen with it.
    buffer: Vec<u32>,
    /// For each anchor of the range, where the next product goes.
    cursors: Vec<usize>,
    counter: Counter,
    /// Pairs of the range, sorted.
    pub(crate) pairs: Vec<Pair>,
}

impl Worker {
    pub(crate) fn new(products: usize) -> Self {
        let counter = Counter { counts: vec![0; products], met: Vec::new() };
        Self { buffer: Vec::new(), cursors: Vec::new(), counter, pairs: Vec::new() }
    }

    /// Replaces `pairs` by those that have their anchor in `anchors` and are seen together `min_together` times
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
        self.pairs.clear();
        let instances: u64 = baskets.instances[anchors.clone()].iter().sum();
        if instances > capacity {
            self.count_one(baskets, anchors.start, min_together);
            return;
        }
        self.fill(baskets, anchors.clone(), instances as usize);
        let mut start = 0;
        for (anchor, &end) in anchors.zip(&self.cursors) {
            self.counter.add(&self.buffer[start..end]);
            self.counter.take(anchor as u32, min_together, &mut self.pairs);
            start = end;
        }
    }

    /// Gathers the products seen with each anchor; the cursors then stand at the ends.
    fn fill(&mut self, baskets: &Ranked, anchors: Range<usize>, instances: usize) {
        if self.buffer.len() < instances {
            self.buffer.resize(instances, 0);
        }
        self.cursors.clear();
        let mut start = 0;
        for &instances in &baskets.instances[anchors.clone()] {
            self.cursors.push(start);
            start += instances as usize;
        }
        let (low, high) = (anchors.start as u32, anchors.end as u32);
        for mut rest in baskets.chunks.iter().flat_map(Chunk::baskets) {
            while let [anchor, behind @ ..] = rest {
                if *anchor >= high {
                    break;
                }
                if *anchor >= low {
                    let cursor = &mut self.cursors[(*anchor - low) as usize];
                    let end = *cursor + behind.len();
                    for (slot, &product) in self.buffer[*cursor..end].iter_mut().zip(behind) {
                        *slot = product;
                    }
                    *cursor = end;
                }
                rest = behind;
            }
        }
    }

    /// Counts the pairs of one anchor while they pass.
    fn count_one(&mut self, baskets: &Ranked, anchor: usize, min_together: u32) {
        let anchor = anchor as u32;
        for basket in baskets.chunks.iter().flat_map(Chunk::baskets) {
            if let Ok(at) = basket.binary_search(&anchor) {
                self.counter.add(&basket[at + 1..]);
            }
        }
        self.counter.take(anchor, min_together, &mut self.pairs);
    }
}

/// Counts by product, and which of them are not zero.
#[derive(Debug)]
struct Counter {
    counts: Vec<u32>,
    met: Vec<u32>,
}

impl Counter {
    fn add(&mut self, products: &[u32]) {
        for &product in products {
            let count = &mut self.counts[product as usize];
            if *count == 0 {
                self.met.push(product);
            }
            *count += 1;
        }
    }

    /// Moves the counts that reach `min_together` behind `pairs`, by product, and starts again from zero.
    fn take(&mut self, anchor: u32, min_together: u32, pairs: &mut Vec<Pair>) {
        let Self { counts, met } = self;
        met.retain(|&product| {
            let count = &mut counts[product as usize];
            let stays = *count >= min_together;
            if !stays {
                *count = 0;
            }
            stays
        });
        met.sort_unstable();
        pairs.extend(met.drain(..).map(|product| Pair {
            a: anchor,
            b: product,
            together: std::mem::take(&mut counts[product as usize]),
        }));
    }
}
