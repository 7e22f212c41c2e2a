//! Some baskets and some items as bits: which of the baskets hold each item.

use crate::itemsets::database::{Beside, Database, Met};

/// Bits by item, over the baskets that hold some itemset.
#[derive(Debug, Default)]
pub(crate) struct Projection {
    /// By slot: the item's place; ascending.
    pub(crate) places: Vec<u32>,
    /// By slot, `words` words each.
    bits: Vec<u64>,
    /// Words of a row.
    pub(crate) words: usize,
}

impl Projection {
    /// Returns the items beside `first` that are frequent with it, over the baskets that hold it; `met` is empty before and after.
    pub(crate) fn of_place(database: &Database, first: u32, beside: Beside, met: &mut Met) -> Self {
        database.meet(first, beside, met);
        let mut places: Vec<u32> =
            met.places.iter().copied().filter(|&place| database.is_beside(first, place, met)).collect();
        places.sort_unstable();
        met.clear();
        let holding = database.holding(first);
        let words = holding.len().div_ceil(64);
        let mut bits = vec![0; places.len() * words];
        // While the bits are set, a count is a slot and one more.
        for (slot, &place) in (1u32..).zip(&places) {
            met.counts[place as usize] = slot;
        }
        for (position, &basket) in holding.iter().enumerate() {
            for place in database.beside(basket, first, beside) {
                let slot = met.counts[place as usize];
                if slot > 0 {
                    bits[(slot as usize - 1) * words + position / 64] |= 1 << (position % 64);
                }
            }
        }
        places.iter().for_each(|&place| met.counts[place as usize] = 0);
        Self { places, bits, words }
    }

    /// Returns the rows of `slots` over those baskets alone that `kept` has, of which there are `count`.
    pub(crate) fn narrowed(&self, slots: impl Iterator<Item = u32>, kept: &[u64], count: u32) -> Self {
        let words = (count as usize).div_ceil(64);
        let mut before = Vec::with_capacity(kept.len());
        let mut seen = 0;
        for word in kept {
            before.push(seen);
            seen += word.count_ones() as usize;
        }
        let (mut places, mut bits) = (Vec::new(), Vec::new());
        for slot in slots {
            places.push(self.places[slot as usize]);
            let start = bits.len();
            bits.resize(start + words, 0);
            for (word, (&row, (&kept, &before))) in
                self.row(slot).iter().zip(kept.iter().zip(&before)).enumerate()
            {
                debug_assert!(word < self.words);
                let mut both = row & kept;
                while both != 0 {
                    let lowest = both & both.wrapping_neg();
                    let position = before + (kept & (lowest - 1)).count_ones() as usize;
                    bits[start + position / 64] |= 1 << (position % 64);
                    both ^= lowest;
                }
            }
        }
        Self { places, bits, words }
    }

    /// Which baskets hold the item of a slot.
    pub(crate) fn row(&self, slot: u32) -> &[u64] {
        &self.bits[slot as usize * self.words..][..self.words]
    }

    /// How many of the baskets in `kept` hold the item of a slot.
    pub(crate) fn count(&self, slot: u32, kept: &[u64]) -> u32 {
        self.row(slot).iter().zip(kept).map(|(a, b)| (a & b).count_ones()).sum()
    }

    /// The bytes of a projection of that many items over that many baskets.
    pub(crate) fn bytes(places: u32, baskets: u32) -> u64 {
        u64::from(places) * (4 + 8 * u64::from(baskets).div_ceil(64))
    }
}

/// Puts bits for `count` baskets, all set, behind `bits`.
pub(crate) fn push_all(bits: &mut Vec<u64>, count: u32) {
    let whole = count as usize / 64;
    bits.resize(bits.len() + whole, u64::MAX);
    if !count.is_multiple_of(64) {
        bits.push((1 << (count % 64)) - 1);
    }
}
