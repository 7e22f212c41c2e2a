//! The baskets as a search wants them: frequent items alone, the rarest first, and which baskets hold each.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::hierarchy::Above;
use crate::transactions::Transactions;

/// What an entry takes: one in its basket, one in its item's list.
pub(crate) const ENTRY_BYTES: u64 = 8;
/// What a basket takes: where it ends.
pub(crate) const BASKET_BYTES: u64 = 8;
/// What an item takes: its counts and places, here and in one worker.
pub(crate) const ITEM_BYTES: u64 = 48;

/// Baskets of frequent items.
///
/// Items are numbered by **place**: the rarest is 0, and of equally frequent ones the first by name comes first. The
/// search begins an itemset with its rarest item, so that the most frequent ones are looked at in few baskets.
#[derive(Debug)]
pub(crate) struct Database {
    /// By place: the item.
    pub(crate) items: Vec<u32>,
    /// By place: baskets that hold it.
    pub(crate) counts: Vec<u32>,
    /// The places of the baskets, each ascending, basket behind basket.
    places: Vec<u32>,
    /// By basket, where it ends.
    ends: Vec<usize>,
    /// The baskets of each place.
    baskets: Vec<u32>,
    /// By place, where its baskets end.
    basket_ends: Vec<usize>,
    /// The smallest count.
    pub(crate) least: u32,
    /// By place: the places that it is under.
    above: Above,
}

/// Which items beside the first a search looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Those behind it: enough to find each itemset once.
    Behind,
    /// All: what comes before it tells whether an itemset is closed.
    All,
}

impl Database {
    /// Keeps the items that `least` baskets or more hold.
    pub(crate) fn new(transactions: &Transactions, least: u64) -> Self {
        let least = u32::try_from(least).unwrap_or(u32::MAX);
        let mut all = vec![0u32; transactions.items().len()];
        transactions.baskets().flatten().for_each(|&item| all[item as usize] += 1);
        let mut items: Vec<u32> = (0..all.len() as u32).filter(|&item| all[item as usize] >= least).collect();
        items.sort_by_key(|&item| all[item as usize]);
        let counts: Vec<u32> = items.iter().map(|&item| all[item as usize]).collect();
        let mut place_of = vec![u32::MAX; all.len()];
        (0u32..).zip(&items).for_each(|(place, &item)| place_of[item as usize] = place);

        let entries = counts.iter().map(|&count| count as usize).sum();
        let (mut places, mut ends) = (Vec::with_capacity(entries), Vec::with_capacity(transactions.len()));
        let mut basket_ends: Vec<usize> = Vec::with_capacity(counts.len());
        let mut end = 0;
        for &count in &counts {
            basket_ends.push(end);
            end += count as usize;
        }
        let mut baskets = vec![0; entries];
        for (number, basket) in (0u32..).zip(transactions.baskets()) {
            let start = places.len();
            places.extend(
                basket.iter().map(|&item| place_of[item as usize]).filter(|&place| place != u32::MAX),
            );
            places[start..].sort_unstable();
            for &place in &places[start..] {
                let cursor = &mut basket_ends[place as usize];
                baskets[*cursor] = number;
                *cursor += 1;
            }
            ends.push(places.len());
        }
        let above = (transactions.above())
            .renumbered(&items, |item| Some(place_of[item as usize]).filter(|&place| place != u32::MAX));
        Self { items, counts, places, ends, baskets, basket_ends, least, above }
    }

    /// The number of frequent items.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether an itemset may hold both: neither is under the other.
    pub(crate) fn may_join(&self, place: u32, other: u32) -> bool {
        self.above.is_empty() || !self.above.are_related(place, other)
    }

    /// The places of a basket, ascending.
    pub(crate) fn basket(&self, basket: u32) -> &[u32] {
        let basket = basket as usize;
        let start = basket.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.places[start..self.ends[basket]]
    }

    /// The number of baskets, those without frequent items included.
    pub(crate) fn baskets(&self) -> usize {
        self.ends.len()
    }

    /// The baskets that hold a place, ascending.
    pub(crate) fn holding(&self, place: u32) -> &[u32] {
        let end = self.basket_ends[place as usize];
        &self.baskets[end - self.counts[place as usize] as usize..end]
    }

    /// The places of a basket beside `first`.
    pub(crate) fn beside(&self, basket: u32, first: u32, which: Beside) -> impl Iterator<Item = u32> {
        let places = self.basket(basket);
        let behind = places.partition_point(|&place| place <= first);
        let before = match which {
            Beside::Behind => &[],
            // `first` itself is the last of these.
            Beside::All => &places[..behind.saturating_sub(1)],
        };
        before.iter().chain(&places[behind..]).copied()
    }

    /// Counts, for every place, how many others are frequent with it.
    pub(crate) fn degrees(&self, which: Beside) -> Vec<u32> {
        let degree = |met: &mut Met, first: u32| {
            self.meet(first, which, met);
            met.places.iter().filter(|&&place| self.is_beside(first, place, met)).count() as u32
        };
        let work = |met: &mut Met, first| {
            let degree = degree(met, first);
            met.clear();
            degree
        };
        (0..self.len() as u32).into_par_iter().map_init(|| Met::new(self.len()), work).collect()
    }

    /// Whether a place that was met with `first` is frequent with it, and may join it.
    pub(crate) fn is_beside(&self, first: u32, place: u32, met: &Met) -> bool {
        met.counts[place as usize] >= self.least && self.may_join(first, place)
    }

    /// Counts the places that come with `first`.
    pub(crate) fn meet(&self, first: u32, which: Beside, met: &mut Met) {
        for &basket in self.holding(first) {
            for place in self.beside(basket, first, which) {
                let count = &mut met.counts[place as usize];
                if *count == 0 {
                    met.places.push(place);
                }
                *count += 1;
            }
        }
    }
}

/// Which places were met, and how often.
#[derive(Debug)]
pub(crate) struct Met {
    /// By place; 0 for those that were not met.
    pub(crate) counts: Vec<u32>,
    pub(crate) places: Vec<u32>,
}

impl Met {
    pub(crate) fn new(places: usize) -> Self {
        Self { counts: vec![0; places], places: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        for place in self.places.drain(..) {
            self.counts[place as usize] = 0;
        }
    }
}

/// Hands out the places one by one: a worker that is done takes the next, the most work first.
#[derive(Debug)]
pub(crate) struct Queue {
    next: AtomicUsize,
    places: usize,
}

impl Queue {
    pub(crate) fn new(places: usize) -> Self {
        Self { next: AtomicUsize::new(0), places }
    }

    pub(crate) fn next(&self) -> Option<u32> {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        (place < self.places).then_some(place as u32)
    }
}
