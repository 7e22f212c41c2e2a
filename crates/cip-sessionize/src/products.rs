//! Distinct products of the open session, counted exactly in time linear in its events.

use std::collections::HashSet;
use std::ops::Range;

use arrow_array::{Array, Int64Array, StringArray};
use cip_core::{IdColumn, IdType};
use xxhash_rust::xxh3::xxh3_64;

/// Up to here a scan of a flat list beats a hash table; nearly all sessions stay below.
const FEW: usize = 32;

/// The distinct products seen since the last [`DistinctProducts::clear`].
#[derive(Debug)]
pub(crate) enum DistinctProducts {
    /// The source has no products.
    Absent,
    Int64(DistinctInts),
    Utf8(DistinctTexts),
}

impl DistinctProducts {
    pub(crate) fn new(id_type: Option<IdType>) -> Self {
        match id_type {
            None => Self::Absent,
            Some(IdType::Int64) => Self::Int64(DistinctInts::default()),
            Some(IdType::Utf8) => Self::Utf8(DistinctTexts::default()),
        }
    }

    /// Adds the products of `rows`; nulls and ids of another type are none.
    pub(crate) fn extend(&mut self, products: Option<&IdColumn>, rows: Range<usize>) {
        match (self, products) {
            (Self::Int64(distinct), Some(IdColumn::Int64(array))) => distinct.extend(array, rows),
            (Self::Utf8(distinct), Some(IdColumn::Utf8(array))) => distinct.extend(array, rows),
            _ => {}
        }
    }

    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Int64(distinct) => distinct.few.len() + distinct.many.len(),
            Self::Utf8(distinct) => distinct.hashes.len() + distinct.many.len(),
        }
    }

    pub(crate) fn clear(&mut self) {
        match self {
            Self::Absent => {}
            Self::Int64(distinct) => {
                distinct.few.clear();
                clear_set(&mut distinct.many);
            }
            Self::Utf8(distinct) => {
                distinct.clear_few();
                clear_set(&mut distinct.many);
            }
        }
    }
}

/// Empties a set that is seldom used; clearing a table takes time in its capacity, so that of one huge session
/// must not stay for all later ones.
fn clear_set<T>(set: &mut HashSet<T>) {
    if !set.is_empty() {
        *set = HashSet::new();
    }
}

/// Distinct integers: a flat list, or once there are more than [`FEW`], a set.
#[derive(Debug, Default)]
pub(crate) struct DistinctInts {
    few: Vec<i64>,
    many: HashSet<i64>,
}

impl DistinctInts {
    fn extend(&mut self, array: &Int64Array, rows: Range<usize>) {
        let values = &array.values()[rows.clone()];
        if array.null_count() == 0 {
            values.iter().for_each(|&value| self.insert(value));
        } else {
            rows.zip(values)
                .filter(|(row, _)| array.is_valid(*row))
                .for_each(|(_, &value)| self.insert(value));
        }
    }

    #[inline]
    fn insert(&mut self, value: i64) {
        if !self.many.is_empty() {
            self.many.insert(value);
        } else if !self.few.contains(&value) {
            self.few.push(value);
            if self.few.len() > FEW {
                self.many.extend(self.few.drain(..));
            }
        }
    }
}

/// Distinct texts: a flat list that compares hashes first, or once there are more than [`FEW`], a set.
#[derive(Debug, Default)]
pub(crate) struct DistinctTexts {
    /// Hash and text of each, the texts one behind the other.
    hashes: Vec<u64>,
    ends: Vec<usize>,
    text: String,
    many: HashSet<Box<str>>,
}

impl DistinctTexts {
    fn extend(&mut self, array: &StringArray, rows: Range<usize>) {
        rows.filter(|&row| array.is_valid(row)).for_each(|row| self.insert(array.value(row)));
    }

    fn insert(&mut self, value: &str) {
        if self.many.is_empty() {
            let hash = xxh3_64(value.as_bytes());
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
                let mut products = DistinctProducts::new(Some(column.id_type()));
                for _ in 0..2 {
                    let half = column.len() / 2;
                    products.extend(Some(&column), 0..half);
                    products.extend(Some(&column), half..column.len());
                    assert_eq!(products.count(), expected, "{distinct}");
                    products.clear();
                    assert_eq!(products.count(), 0);
                }
            }
        }
    }

    #[test]
    fn without_products_there_are_none() {
        let mut products = DistinctProducts::new(None);
        products.extend(Some(&IdColumn::Int64(vec![1].into())), 0..1);
        assert_eq!(products.count(), 0);
    }
}
