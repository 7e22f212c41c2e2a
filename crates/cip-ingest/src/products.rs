//! The distinct products of a store, collected from its row groups.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use cip_core::{CoreError, IdColumn, IdRef, IdType, column};
use foldhash::fast::RandomState;

/// Distinct product ids.
#[derive(Debug)]
pub(crate) enum Products {
    /// Ascending.
    Int64(Vec<i64>),
    Utf8(HashSet<Box<str>, RandomState>),
}

impl Products {
    /// No products yet.
    pub(crate) fn new(id_type: IdType) -> Self {
        match id_type {
            IdType::Int64 => Self::Int64(Vec::new()),
            IdType::Utf8 => Self::Utf8(HashSet::default()),
        }
    }

    /// Returns those of some events; none where events have no products.
    pub(crate) fn of(events: &RecordBatch) -> Result<Option<Self>, CoreError> {
        let Some(products) = events.column_by_name(column::PRODUCT_ID) else {
            return Ok(None);
        };
        if products.data_type() == &DataType::Int64 {
            let mut ids: Vec<i64> = products.as_primitive::<Int64Type>().iter().flatten().collect();
            ids.sort_unstable();
            ids.dedup();
            return Ok(Some(Self::Int64(ids)));
        }
        let ids = IdColumn::try_new(column::PRODUCT_ID, products)?;
        let mut seen: HashSet<Box<str>, RandomState> = HashSet::default();
        for row in 0..products.len() {
            match ids.get(row) {
                Some(IdRef::Utf8(id)) if !seen.contains(id) => {
                    seen.insert(id.into());
                }
                _ => (),
            }
        }
        Ok(Some(Self::Utf8(seen)))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Int64(ids) => ids.len(),
            Self::Utf8(ids) => ids.len(),
        }
    }

    /// Adds others; those of another type are none.
    pub(crate) fn add(&mut self, others: Self) {
        match (self, others) {
            (Self::Int64(known), Self::Int64(others)) => {
                let new = missing(known, &others);
                if !new.is_empty() {
                    known.extend(new);
                    // Two sorted runs: this merges them.
                    known.sort();
                }
            }
            (Self::Utf8(known), Self::Utf8(others)) => known.extend(others),
            _ => (),
        }
    }

    /// Returns all of them, ascending.
    pub(crate) fn into_array(self) -> ArrayRef {
        match self {
            Self::Int64(ids) => Arc::new(Int64Array::from(ids)),
            Self::Utf8(ids) => {
                let mut ids: Vec<Box<str>> = ids.into_iter().collect();
                ids.sort_unstable();
                Arc::new(StringArray::from_iter_values(ids))
            }
        }
    }
}

/// Returns what of `others` is not `known`; both ascend, and `known` is mostly the longer.
fn missing(known: &[i64], others: &[i64]) -> Vec<i64> {
    let mut rest = known;
    let mut new = Vec::new();
    for &id in others {
        // Steps that double lead past the id, a search inside the last one to it.
        let mut step = 1;
        while rest.get(step).is_some_and(|&known| known < id) {
            rest = &rest[step..];
            step *= 2;
        }
        rest = &rest[rest[..rest.len().min(step + 1)].partition_point(|&known| known < id)..];
        if rest.first() != Some(&id) {
            new.push(id);
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn added_products_are_a_set(groups in proptest::collection::vec(proptest::collection::btree_set(-90i64..90, 0..60), 0..8)) {
            let mut products = Products::new(IdType::Int64);
            let mut oracle: BTreeSet<i64> = BTreeSet::new();
            for group in groups {
                products.add(Products::Int64(group.iter().copied().collect()));
                oracle.extend(group);
                prop_assert_eq!(products.len(), oracle.len());
            }
            let ids = products.into_array();
            prop_assert_eq!(ids.as_primitive::<Int64Type>().values().to_vec(), oracle.into_iter().collect::<Vec<_>>());
        }
    }
}
