//! Exact counts of distinct values, in time linear in the values, for sets that are mostly small and often cleared.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};
use std::ops::Range;

use arrow_array::{Array, Int64Array, StringArray};
use foldhash::fast::RandomState;

use crate::id::{IdColumn, IdRef, IdType};

/// Up to here a scan of a flat list beats a hash table; nearly all sessions and users stay below.
const FEW: usize = 32;

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
    Int64(Distinct<i64>),
    Utf8(DistinctTexts),
}

impl DistinctIds {
    /// Returns an empty set of ids of `id_type`.
    pub fn new(id_type: IdType) -> Self {
        let values = match id_type {
            IdType::Int64 => Values::Int64(Distinct::default()),
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
            (Values::Int64(distinct), IdColumn::Int64(array)) => distinct.extend_ints(array, rows),
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
            Values::Int64(distinct) => distinct.count(),
            Values::Utf8(distinct) => distinct.hashes.len() + distinct.many.len(),
        }
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        match &mut self.values {
            Values::Int64(distinct) => distinct.clear(),
            Values::Utf8(distinct) => {
                distinct.clear_few();
                clear_set(&mut distinct.many);
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
    codes: Distinct<u32>,
}

impl DistinctCodes {
    /// Adds a code.
    #[inline]
    pub fn insert(&mut self, code: u32) {
        self.codes.insert(code);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.codes.count()
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.codes.clear();
    }

    /// Returns the codes, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.codes.few.iter().chain(&self.codes.many).copied()
    }
}

/// Empties a set that is seldom used; clearing a table takes time in its capacity, so that of one huge session or user
/// must not stay for all later ones.
fn clear_set<T>(set: &mut HashSet<T, RandomState>) {
    if !set.is_empty() {
        *set = HashSet::default();
    }
}

/// Distinct values: a flat list, or once there are more than [`FEW`], a set.
#[derive(Debug)]
struct Distinct<T> {
    few: Vec<T>,
    many: HashSet<T, RandomState>,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self { few: Vec::new(), many: HashSet::default() }
    }
}

impl Distinct<i64> {
    fn extend_ints(&mut self, array: &Int64Array, rows: Range<usize>) {
        let values = &array.values()[rows.clone()];
        if array.null_count() == 0 {
            values.iter().for_each(|&value| self.insert(value));
        } else {
            rows.zip(values)
                .filter(|(row, _)| array.is_valid(*row))
                .for_each(|(_, &value)| self.insert(value));
        }
    }
}

impl<T: Copy + Eq + Hash> Distinct<T> {
    #[inline]
    fn insert(&mut self, value: T) {
        if !self.many.is_empty() {
            self.many.insert(value);
        } else if !self.few.contains(&value) {
            self.few.push(value);
            if self.few.len() > FEW {
                self.many.extend(self.few.drain(..));
            }
        }
    }

    fn count(&self) -> usize {
        self.few.len() + self.many.len()
    }

    fn clear(&mut self) {
        self.few.clear();
        clear_set(&mut self.many);
    }
}

/// Distinct texts: a flat list that compares hashes first, or once there are more than [`FEW`], a set.
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
                if self.hashes.len() > FEW {
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
        for distinct in [0, 1, 5, FEW - 1, FEW, FEW + 1, 1_000] {
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
        for distinct in [0, 1, FEW as u32, FEW as u32 + 1, 500] {
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
