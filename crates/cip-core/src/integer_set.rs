//! Distinct integers in order of first appearance: one look at memory tells whether one is known, and its place.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::fetch::fetch;

/// Slots of a set that holds something.
const FEWEST_SLOTS: usize = 16;

/// A set with fewer slots grows to four times as many: most that are small do not stay so.
const SLOTS_OF_SMALL: usize = 1 << 16;

/// Distinct integers, each with the place at which it was first inserted.
///
/// Open addressing with linear probing. A slot holds the integer itself beside its place, so that a known one is found in one line of memory
/// and not in three: the index, the entry, and what the index is compared with. At most three quarters of the slots are taken. The hash is
/// seeded anew for each set, and nothing that is handed out depends on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct IntegerSet {
    /// In order of first appearance.
    values: Vec<i64>,
    /// A power of two of them, or none.
    slots: Vec<Slot>,
    hasher: RandomState,
}

/// A place in the table.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    value: i64,
    /// The place of the value, from 1; 0 where the slot is free.
    place: usize,
}

impl IntegerSet {
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The integers by their places.
    pub(crate) fn values(&self) -> &[i64] {
        &self.values
    }

    /// Returns the place of `value`, a new one where it was not inserted before.
    #[inline]
    pub(crate) fn insert(&mut self, value: i64) -> usize {
        if 4 * (self.values.len() + 1) > 3 * self.slots.len() {
            self.grow();
        }
        let at = self.slot(value);
        if self.slots[at].place == 0 {
            self.values.push(value);
            self.slots[at] = Slot { value, place: self.values.len() };
        }
        self.slots[at].place - 1
    }

    /// Has the processor fetch the slot of `value`, some time before it is inserted.
    #[inline]
    pub(crate) fn fetch(&self, value: i64) {
        let last = self.slots.len().wrapping_sub(1);
        if let Some(slot) = self.slots.get(self.hasher.hash_one(value) as usize & last) {
            fetch(slot);
        }
    }

    /// Sorts the integers: the place becomes the rank.
    pub(crate) fn sort(&mut self) {
        self.values.sort_unstable();
        self.slots.fill(Slot::default());
        self.place_all();
    }

    /// Returns which slot holds `value`, or would.
    #[inline]
    fn slot(&self, value: i64) -> usize {
        let last = self.slots.len() - 1;
        let mut at = self.hasher.hash_one(value) as usize & last;
        while self.slots[at].place != 0 && self.slots[at].value != value {
            at = (at + 1) & last;
        }
        at
    }

    #[cold]
    fn grow(&mut self) {
        let times = if self.slots.len() < SLOTS_OF_SMALL { 4 } else { 2 };
        let slots = FEWEST_SLOTS.max(times * self.slots.len());
        self.slots.clear();
        self.slots.resize(slots, Slot::default());
        self.place_all();
    }

    fn place_all(&mut self) {
        for at in 0..self.values.len() {
            let value = self.values[at];
            let slot = self.slot(value);
            self.slots[slot] = Slot { value, place: at + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indexmap::IndexSet;
    use proptest::prelude::*;

    fn integer() -> impl Strategy<Value = i64> {
        prop_oneof![-20i64..20, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
    }

    proptest! {
        #[test]
        fn places_are_those_of_an_index_set(
            before in proptest::collection::vec(integer(), 0..200),
            after in proptest::collection::vec(integer(), 0..200),
        ) {
            let (mut set, mut oracle) = (IntegerSet::default(), IndexSet::new());
            for &value in &before {
                prop_assert_eq!(set.insert(value), oracle.insert_full(value).0);
            }
            set.sort();
            oracle.sort_unstable();
            for &value in &after {
                prop_assert_eq!(set.insert(value), oracle.insert_full(value).0);
            }
            prop_assert!(set.values().iter().eq(&oracle));
            prop_assert_eq!(set.len(), oracle.len());
        }
    }

    #[test]
    fn an_empty_set_takes_nothing_and_can_be_sorted() {
        let mut set = IntegerSet::default();
        set.sort();
        assert_eq!((set.len(), set.slots.capacity(), set.values.capacity()), (0, 0, 0));
    }
}
