//! Counts of keys in bounded memory: one by one while they are few, by ranges of equal width where they are many.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// How often each key came; where there would be more than `most` counts, keys that differ in their last bits share one.
///
/// # Invariant
/// As many last bits are dropped as are needed for the keys seen so far, and no more. That depends on the set of keys alone, so
/// any split of them and any order of merges makes the same cells.
#[derive(Debug, Clone)]
pub(crate) struct Cells {
    counts: HashMap<u64, u64, RandomState>,
    /// The last bits of keys that are not looked at.
    dropped: u32,
    most: usize,
}

impl Cells {
    /// Returns no counts, of which there will never be more than `most`, two or more.
    pub(crate) fn new(most: usize) -> Self {
        Self { counts: HashMap::default(), dropped: 0, most: most.max(2) }
    }

    /// Returns cells that [`Cells::sorted`] gave, with the bits that were not looked at; none where such cells cannot be.
    pub(crate) fn from_sorted(cells: &[(u64, u64)], dropped: u32, most: usize) -> Option<Self> {
        let ascending = cells.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let fits = dropped < u64::BITS && cells.last().is_none_or(|(cell, _)| *cell <= u64::MAX >> dropped);
        let counted = cells.iter().all(|(_, count)| *count > 0);
        let possible = ascending && fits && counted && (2..=1 << 16).contains(&most) && cells.len() <= most;
        possible.then(|| Self { counts: cells.iter().copied().collect(), dropped, most })
    }

    /// The most counts that there may be.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Adds `count` times `key`.
    pub(crate) fn add(&mut self, key: u64, count: u64) {
        *self.counts.entry(key >> self.dropped).or_default() += count;
        while self.counts.len() > self.most {
            self.drop_bits(self.dropped + 1);
        }
    }

    /// Adds what another has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.most = self.most.min(other.most);
        if other.dropped > self.dropped {
            self.drop_bits(other.dropped);
        }
        for (&cell, &count) in &other.counts {
            self.add(cell << other.dropped, count);
        }
        while self.counts.len() > self.most {
            self.drop_bits(self.dropped + 1);
        }
    }

    /// The last bits that are not looked at: 0 where every key has a count of its own.
    pub(crate) fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Returns the cells and their counts in the order of keys, where `dropped` bits, at least its own, are not looked at.
    pub(crate) fn sorted(&self, dropped: u32) -> Vec<(u64, u64)> {
        let shift = dropped.saturating_sub(self.dropped);
        let mut cells: Vec<_> = self.counts.iter().map(|(&cell, &count)| (cell >> shift, count)).collect();
        cells.sort_unstable();
        cells.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        cells
    }

    fn drop_bits(&mut self, dropped: u32) {
        let shift = dropped - self.dropped;
        let mut counts = HashMap::with_capacity_and_hasher(self.counts.len(), RandomState::default());
        for (cell, count) in self.counts.drain() {
            *counts.entry(cell >> shift).or_default() += count;
        }
        (self.counts, self.dropped) = (counts, dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cells(keys: &[u64], most: usize) -> Cells {
        let mut cells = Cells::new(most);
        keys.iter().for_each(|&key| cells.add(key, 1));
        cells
    }

    #[test]
    fn few_keys_are_counted_one_by_one() {
        let found = cells(&[7, 7, u64::MAX, 0], 3);
        assert_eq!((found.dropped(), found.sorted(0)), (0, vec![(0, 1), (7, 2), (u64::MAX, 1)]));
        // Of 0, 1, 2, 3 two cells of two are made; all bits but one can go.
        assert_eq!(cells(&[0, 1, 2, 3], 2).sorted(1), [(0, 2), (1, 2)]);
        assert_eq!(cells(&[0, 1, 1 << 62, 1 << 63, u64::MAX], 2).sorted(63), [(0, 3), (1, 2)]);
    }

    proptest! {
        #[test]
        fn splits_and_merges_make_the_same_cells(
            keys in proptest::collection::vec(prop_oneof![0u64..40, any::<u64>()], 0..120),
            parts in proptest::collection::vec(0usize..3, 120),
            most in 2usize..30,
        ) {
            let whole = cells(&keys, most);
            let part = |number: usize| {
                let of: Vec<u64> = keys.iter().zip(&parts).filter(|(_, part)| **part == number).map(|(key, _)| *key).collect();
                cells(&of, most)
            };
            // Two orders of merging.
            let (mut left, mut right) = (part(0), part(2));
            left.merge(&part(1));
            left.merge(&part(2));
            let mut others = part(1);
            others.merge(&part(0));
            right.merge(&others);
            for merged in [&left, &right] {
                prop_assert_eq!(merged.dropped(), whole.dropped());
                prop_assert_eq!(merged.sorted(whole.dropped()), whole.sorted(whole.dropped()));
            }
            // The oracle: the fewest bits with which the keys fit.
            let distinct = |dropped: u32| keys.iter().map(|key| key >> dropped).collect::<std::collections::BTreeSet<_>>().len();
            prop_assert_eq!((0..64).find(|&dropped| distinct(dropped) <= most), Some(whole.dropped()));
            prop_assert_eq!(whole.sorted(63).iter().map(|(_, count)| count).sum::<u64>(), keys.len() as u64);
        }
    }
}
