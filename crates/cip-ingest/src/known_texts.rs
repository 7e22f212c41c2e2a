//! Texts and their codes, looked up by all threads without a lock.
//!
//! A text is known by 96 bits of its XXH3-128: of a million texts, two are taken for one with a probability of 10^-17.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use cip_core::fetch;
use xxhash_rust::xxh3::xxh3_128;

/// What a text is known by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    low: u64,
    high: u32,
}

impl Fingerprint {
    #[inline(always)]
    pub(crate) fn of(text: &[u8]) -> Self {
        let hash = xxh3_128(text);
        Self { low: hash as u64, high: (hash >> 64) as u32 }
    }
}

/// Codes by texts. It grows by being replaced: whoever has an old table misses what came later.
#[derive(Debug)]
pub(crate) struct KnownTexts {
    table: RwLock<Arc<TextTable>>,
}

/// Codes by texts, at the places that these give or behind.
#[derive(Debug)]
pub(crate) struct TextTable {
    /// A power of two; a quarter is empty.
    places: Box<[Place]>,
}

/// One text, set once.
#[derive(Debug, Default)]
struct Place {
    low: AtomicU64,
    /// The high bits of the fingerprint, and below them the code and one more: zero where the place is empty. It is set last.
    high_and_code: AtomicU64,
}

impl TextTable {
    fn new(places: usize) -> Self {
        let mut empty = Vec::new();
        empty.resize_with(places, Place::default);
        Self { places: empty.into() }
    }

    #[inline(always)]
    fn first_place(&self, text: Fingerprint) -> usize {
        text.low as usize & (self.places.len() - 1)
    }

    /// Says that a text will be looked up.
    #[inline(always)]
    pub(crate) fn expect(&self, text: Fingerprint) {
        fetch(&self.places[self.first_place(text)]);
    }

    /// Returns the code of a text.
    #[inline(always)]
    pub(crate) fn code(&self, text: Fingerprint) -> Option<u32> {
        let mut index = self.first_place(text);
        loop {
            let place = &self.places[index];
            let found = place.high_and_code.load(Ordering::Acquire);
            if found == 0 {
                return None;
            }
            if (found >> 32) as u32 == text.high && place.low.load(Ordering::Relaxed) == text.low {
                return Some((found as u32).wrapping_sub(1));
            }
            index = (index + 1) & (self.places.len() - 1);
        }
    }

    fn enter(&self, text: Fingerprint, code: u32) {
        let mut index = self.first_place(text);
        while self.places[index].high_and_code.load(Ordering::Relaxed) != 0 {
            index = (index + 1) & (self.places.len() - 1);
        }
        let place = &self.places[index];
        place.low.store(text.low, Ordering::Relaxed);
        let high = u64::from(text.high) << 32;
        place.high_and_code.store(high | u64::from(code + 1), Ordering::Release);
    }

    /// Returns a table of the same with twice as many places.
    fn grown(&self) -> Self {
        let grown = Self::new(2 * self.places.len());
        for place in &self.places {
            let found = place.high_and_code.load(Ordering::Relaxed);
            if found != 0 {
                let text = Fingerprint { low: place.low.load(Ordering::Relaxed), high: (found >> 32) as u32 };
                grown.enter(text, (found as u32).wrapping_sub(1));
            }
        }
        grown
    }
}

impl KnownTexts {
    const FEWEST_PLACES: usize = 1 << 10;

    pub(crate) fn new() -> Self {
        Self { table: RwLock::new(Arc::new(TextTable::new(Self::FEWEST_PLACES))) }
    }

    /// All that is known now.
    pub(crate) fn table(&self) -> Arc<TextTable> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets all texts.
    pub(crate) fn clear(&self) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(TextTable::new(Self::FEWEST_PLACES));
    }

    /// Enters a text that is not known, with the next code: codes are 0, 1, 2, …. Only one thread may do so at a time.
    pub(crate) fn enter(&self, text: Fingerprint, code: u32) {
        let table = self.table();
        if code as usize >= table.places.len() / 4 * 3 {
            let grown = table.grown();
            grown.enter(text, code);
            *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(grown);
        } else {
            table.enter(text, code);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_has_its_own_code(texts in proptest::collection::vec("[ab]{0,9}|[0-9]{1,3},[a-z]{0,90}", 1..200)) {
            let known = KnownTexts::new();
            let mut oracle: HashMap<&str, u32> = HashMap::new();
            for text in &texts {
                let fingerprint = Fingerprint::of(text.as_bytes());
                known.table().expect(fingerprint);
                prop_assert_eq!(known.table().code(fingerprint), oracle.get(&**text).copied());
                if !oracle.contains_key(&**text) {
                    known.enter(fingerprint, oracle.len() as u32);
                    oracle.insert(text, oracle.len() as u32);
                }
            }
        }
    }

    #[test]
    fn what_one_thread_enters_all_find_while_the_table_grows() {
        let known = KnownTexts::new();
        let text = |code: u32| Fingerprint::of(&code.to_le_bytes());
        std::thread::scope(|scope| {
            scope.spawn(|| (0..20_000).for_each(|code| known.enter(text(code), code)));
            scope.spawn(|| {
                for code in (0..20_000).cycle().take(60_000) {
                    assert!(known.table().code(text(code)).is_none_or(|found| found == code));
                }
            });
        });
        assert!((0..20_000).all(|code| known.table().code(text(code)) == Some(code)));
        assert_eq!(known.table().code(text(20_000)), None);
    }

    #[test]
    fn texts_with_the_same_first_place_are_told_apart() {
        let known = KnownTexts::new();
        let all = [(5, 7), (5, 8), (5 + (1 << 32), 7), (5, 0)].map(|(low, high)| Fingerprint { low, high });
        (0..).zip(all).for_each(|(code, text)| known.enter(text, code));
        let codes: Vec<_> = all.iter().map(|text| known.table().code(*text)).collect();
        assert_eq!(codes, [Some(0), Some(1), Some(2), Some(3)]);
    }
}
