//! Exact counts of distinct values, in time linear in the values, for sets that are mostly small and often cleared.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};
use std::ops::Range;

use arrow_array::{Array, Int64Array, StringArray};
use foldhash::fast::RandomState;

use crate::id::{IdColumn, IdRef, IdType};

/// Texts up to which a scan of their hashes beats a table; nearly all sessions stay below.
const FEW_TEXTS: usize = 32;

/// The distinct ids seen since the last [`DistinctIds::clear`].
///
/// # Complexity
/// Linear in the ids on average; memory is linear in the distinct ones.
///
/// # Examples
/// ```
/// use cip_core::{DistinctIds, IdColumn, IdType};
/// let products = IdColumn::Int64(vec![Some(7), Some(7), None, Some(9)].into());
/// let mut distinct = DistinctIds::new(IdType::Int64);
/// distinct.extend(&products, 0..4);
/// assert_eq!(distinct.count(), 2);
/// distinct.clear();
/// assert_eq!(distinct.count(), 0);
/// ```
#[derive(Debug)]
pub struct DistinctIds {
    values: Values,
}

#[derive(Debug)]
enum Values {
    Int64(StampedSet<i64>),
    Utf8(DistinctTexts),
}

impl DistinctIds {
    /// Returns an empty set of ids of `id_type`.
    pub fn new(id_type: IdType) -> Self {
        let values = match id_type {
            IdType::Int64 => Values::Int64(StampedSet::default()),
            IdType::Utf8 => Values::Utf8(DistinctTexts::default()),
        };
        Self { values }
    }

    /// Adds the ids of `rows`; nulls and ids of another type are none.
    ///
    /// # Panics
    /// Where the rows are out of bounds, as slices do.
    pub fn extend(&mut self, ids: &IdColumn, rows: Range<usize>) {
        match (&mut self.values, ids) {
            (Values::Int64(distinct), IdColumn::Int64(array)) => distinct.extend(array, rows),
            (Values::Utf8(distinct), IdColumn::Utf8(array)) => distinct.extend(array, rows),
            _ => {}
        }
    }

    /// Adds an id; one of another type is none.
    pub fn insert(&mut self, id: IdRef<'_>) {
        match (&mut self.values, id) {
            (Values::Int64(distinct), IdRef::Int64(value)) => distinct.insert(value),
            (Values::Utf8(distinct), IdRef::Utf8(value)) => distinct.insert(value),
            _ => {}
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        match &self.values {
            Values::Int64(distinct) => distinct.len,
            Values::Utf8(distinct) => distinct.hashes.len() + distinct.many.len(),
        }
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        match &mut self.values {
            Values::Int64(distinct) => distinct.clear(),
            Values::Utf8(distinct) => {
                distinct.clear_few();
                // Clearing a table takes time in its capacity: that of one huge user must not stay for all later ones.
                if !distinct.many.is_empty() {
                    distinct.many = HashSet::default();
                }
            }
        }
    }
}

/// The distinct dense codes seen since the last [`DistinctCodes::clear`].
///
/// # Complexity
/// As [`DistinctIds`].
#[derive(Debug, Default)]
pub struct DistinctCodes {
    codes: StampedSet<u32>,
}

impl DistinctCodes {
    /// Adds a code.
    #[inline]
    pub fn insert(&mut self, code: u32) {
        self.codes.insert(code);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.codes.len
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.codes.clear();
    }

    /// Returns the codes, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.codes.iter()
    }
}

/// A hash table that is emptied by taking another stamp: its slots need not be touched.
#[derive(Debug)]
struct StampedSet<T> {
    hasher: RandomState,
    /// Each with the stamp of when it was taken; their number is a power of two, or none.
    slots: Vec<(u32, T)>,
    /// Never that of an empty slot, 0.
    stamp: u32,
    len: usize,
}

impl<T> Default for StampedSet<T> {
    fn default() -> Self {
        Self { hasher: RandomState::default(), slots: Vec::new(), stamp: 1, len: 0 }
    }
}

impl StampedSet<i64> {
    fn extend(&mut self, array: &Int64Array, rows: Range<usize>) {
        let values = &array.values()[rows.clone()];
        if array.null_count() == 0 {
            // Neighbours are often equal: a view, and what comes of it.
            let mut last = None;
            for &value in values {
                if last != Some(value) {
                    self.insert(value);
                    last = Some(value);
                }
            }
        } else {
            rows.zip(values)
                .filter(|(row, _)| array.is_valid(*row))
                .for_each(|(_, &value)| self.insert(value));
        }
    }
}

impl<T: Copy + Eq + Hash + Default> StampedSet<T> {
    const SMALLEST: usize = 128;
    /// A larger table is not kept.
    const KEPT: usize = 1 << 12;

    #[inline]
    fn insert(&mut self, value: T) {
        if 2 * self.len >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = self.hasher.hash_one(value) as usize & mask;
        while self.slots[at].0 == self.stamp {
            if self.slots[at].1 == value {
                return;
            }
            at = (at + 1) & mask;
        }
        self.slots[at] = (self.stamp, value);
        self.len += 1;
    }

    #[cold]
    fn grow(&mut self) {
        let larger = (2 * self.slots.len()).max(Self::SMALLEST);
        let (stamp, old) = (self.stamp, std::mem::replace(&mut self.slots, vec![(0, T::default()); larger]));
        self.len = 0;
        for (_, value) in old.into_iter().filter(|slot| slot.0 == stamp) {
            self.insert(value);
        }
    }

    fn iter(&self) -> impl Iterator<Item = T> {
        self.slots.iter().filter(|slot| slot.0 == self.stamp).map(|slot| slot.1)
    }

    fn clear(&mut self) {
        if self.len == 0 {
            return;
        }
        self.len = 0;
        if self.slots.len() > Self::KEPT || self.stamp == u32::MAX {
            (self.slots, self.stamp) = (Vec::new(), 1);
        } else {
            self.stamp += 1;
        }
    }
}

/// Distinct texts: a flat list that compares hashes first, or once there are more than [`FEW_TEXTS`], a set.
#[derive(Debug, Default)]
struct DistinctTexts {
    hasher: RandomState,
    /// Hash and text of each, the texts one behind the other.
    hashes: Vec<u64>,
    ends: Vec<usize>,
    text: String,
    many: HashSet<Box<str>, RandomState>,
}

impl DistinctTexts {
    fn extend(&mut self, array: &StringArray, rows: Range<usize>) {
        rows.filter(|&row| array.is_valid(row)).for_each(|row| self.insert(array.value(row)));
    }

    fn insert(&mut self, value: &str) {
        if self.many.is_empty() {
            let hash = self.hasher.hash_one(value);
            let seen =
                self.hashes.iter().enumerate().any(|(at, &other)| other == hash && self.get(at) == value);
            if !seen {
                self.hashes.push(hash);
                self.text.push_str(value);
                self.ends.push(self.text.len());
                if self.hashes.len() > FEW_TEXTS {
                    self.many = (0..self.ends.len()).map(|at| self.get(at).into()).collect();
                    self.clear_few();
                }
            }
        } else if !self.many.contains(value) {
            self.many.insert(value.into());
        }
    }

    fn get(&self, at: usize) -> &str {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start..self.ends[at]]
    }

    fn clear_few(&mut self) {
        self.hashes.clear();
        self.ends.clear();
        self.text.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact_below_at_and_beyond_the_spill() {
        for distinct in [0, 1, FEW_TEXTS, FEW_TEXTS + 1, 63, 64, 65, 128, 1_000, 9_000] {
            let ids: Vec<Option<i64>> = (0..3 * distinct)
                .map(|i| (i % 7 != 6).then_some((i * 31 % distinct.max(1)) as i64))
                .collect();
            let expected = ids.iter().flatten().collect::<HashSet<_>>().len();
            let texts: StringArray = ids.iter().map(|id| id.map(|id| format!("product {id}"))).collect();
            let columns = [IdColumn::Int64(ids.into()), IdColumn::Utf8(texts)];
            for column in columns {
                let mut products = DistinctIds::new(column.id_type());
                for _ in 0..2 {
                    let half = column.len() / 2;
                    products.extend(&column, 0..half);
                    (half..column.len()).filter_map(|row| column.get(row)).for_each(|id| products.insert(id));
                    assert_eq!(products.count(), expected, "{distinct}");
                    products.clear();
                    assert_eq!(products.count(), 0);
                }
            }
        }
    }

    #[test]
    fn codes_are_counted_and_given_back() {
        for distinct in [0, 1, 63, 64, 65, 500] {
            let mut codes = DistinctCodes::default();
            (0..distinct).chain(0..distinct).for_each(|code| codes.insert(code));
            assert_eq!(codes.count(), distinct as usize);
            let mut given: Vec<u32> = codes.iter().collect();
            given.sort_unstable();
            assert!(given.into_iter().eq(0..distinct));
            codes.clear();
            assert_eq!(codes.iter().count(), 0);
        }
    }

    #[test]
    fn ids_of_another_type_are_none() {
        let mut products = DistinctIds::new(IdType::Utf8);
        products.extend(&IdColumn::Int64(vec![1].into()), 0..1);
        products.insert(IdRef::Int64(1));
        assert_eq!(products.count(), 0);
    }
}
