//! Dense codes: every distinct id gets the next u32, so that kernels index arrays instead of probing hash tables.

use std::sync::Arc;

use arrow_array::builder::UInt32Builder;
use arrow_array::{ArrayRef, Int64Array, StringArray, UInt32Array};
use foldhash::fast::RandomState;
use indexmap::IndexSet;

use crate::error::CoreError;
use crate::id::{IdColumn, IdRef, IdType};
use crate::integer_set::IntegerSet;

/// A two-way dictionary between ids and dense codes 0, 1, 2, … in order of first appearance.
///
/// # Examples
/// ```
/// use cip_core::{IdDictionary, IdRef, IdType};
/// let mut products = IdDictionary::new("product_id", IdType::Int64);
/// assert_eq!(products.code(IdRef::Int64(44600062))?, 0);
/// assert_eq!(products.code(IdRef::Int64(3900821))?, 1);
/// assert_eq!(products.code(IdRef::Int64(44600062))?, 0);
/// assert_eq!(products.id(1), Some(IdRef::Int64(3900821)));
/// # Ok::<(), cip_core::CoreError>(())
/// ```
#[derive(Debug, Clone)]
pub struct IdDictionary {
    column: &'static str,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    Int64(IntegerSet),
    Utf8(IndexSet<Box<str>, RandomState>),
}

impl IdDictionary {
    /// Returns an empty dictionary of ids of `id_type`; `column` is named in errors.
    pub fn new(column: &'static str, id_type: IdType) -> Self {
        let values = match id_type {
            IdType::Int64 => Values::Int64(IntegerSet::default()),
            IdType::Utf8 => Values::Utf8(IndexSet::default()),
        };
        Self { column, values }
    }

    /// The number of distinct ids, which is the next code.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Int64(set) => set.len(),
            Values::Utf8(set) => set.len(),
        }
    }

    /// Whether no id was seen.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the code of `id`, a new one where it was not seen before.
    ///
    /// # Errors
    /// [`CoreError::ColumnType`] where the id is not of the dictionary's type, [`CoreError::TooManyCodes`]
    /// beyond 2^32 ids.
    #[inline]
    pub fn code(&mut self, id: IdRef<'_>) -> Result<u32, CoreError> {
        let index = match (&mut self.values, id) {
            (Values::Int64(set), IdRef::Int64(value)) => set.insert(value),
            (Values::Utf8(set), IdRef::Utf8(value)) => match set.get_index_of(value) {
                Some(index) => index,
                None => set.insert_full(value.into()).0,
            },
            (Values::Int64(_), IdRef::Utf8(_)) => return Err(self.wrong_type(IdType::Utf8)),
            (Values::Utf8(_), IdRef::Int64(_)) => return Err(self.wrong_type(IdType::Int64)),
        };
        u32::try_from(index).map_err(|_| CoreError::TooManyCodes { column: self.column, limit: 1u64 << 32 })
    }

    /// Has the processor fetch where `id` is looked up, some ids before that: they seldom lie in its caches.
    #[inline]
    pub fn fetch(&self, id: IdRef<'_>) {
        if let (Values::Int64(set), IdRef::Int64(value)) = (&self.values, id) {
            set.fetch(value);
        }
    }

    /// Returns the codes of a column; nulls stay null.
    ///
    /// # Errors
    /// As [`IdDictionary::code`].
    pub fn encode(&mut self, ids: &IdColumn) -> Result<UInt32Array, CoreError> {
        let mut codes = UInt32Builder::with_capacity(ids.len());
        for row in 0..ids.len() {
            match ids.get(row) {
                Some(id) => codes.append_value(self.code(id)?),
                None => codes.append_null(),
            }
        }
        Ok(codes.finish())
    }

    /// The id behind `code`, or none where no id has it.
    pub fn id(&self, code: u32) -> Option<IdRef<'_>> {
        let index = usize::try_from(code).ok()?;
        match &self.values {
            Values::Int64(set) => set.values().get(index).map(|value| IdRef::Int64(*value)),
            Values::Utf8(set) => set.get_index(index).map(|value| IdRef::Utf8(value)),
        }
    }

    /// Returns the ids in code order: row `c` holds the id of code `c`.
    pub fn to_array(&self) -> ArrayRef {
        match &self.values {
            Values::Int64(set) => Arc::new(Int64Array::from(set.values().to_vec())),
            Values::Utf8(set) => Arc::new(StringArray::from_iter_values(set)),
        }
    }

    /// Sorts the ids and renumbers them: the code becomes the rank. Codes given before are void.
    ///
    /// What is written then does not depend on the order in which ids were met.
    pub fn sort(&mut self) {
        match &mut self.values {
            Values::Int64(set) => set.sort(),
            Values::Utf8(set) => set.sort_unstable(),
        }
    }

    fn wrong_type(&self, found: IdType) -> CoreError {
        CoreError::ColumnType {
            column: self.column.to_owned(),
            found: found.data_type(),
            expected: match &self.values {
                Values::Int64(_) => "Int64",
                Values::Utf8(_) => "Utf8",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_round_trip_and_codes_are_dense(ids in proptest::collection::vec(proptest::option::of(-5i64..5), 0..60)) {
            let column = IdColumn::Int64(Int64Array::from(ids.clone()));
            let mut dictionary = IdDictionary::new("user_id", IdType::Int64);
            let codes = dictionary.encode(&column).unwrap();
            for (row, id) in ids.iter().enumerate() {
                prop_assert_eq!(codes.is_valid(row), id.is_some());
                if let Some(id) = id {
                    prop_assert_eq!(dictionary.id(codes.value(row)), Some(IdRef::Int64(*id)));
                }
            }
            let distinct: std::collections::BTreeSet<_> = ids.iter().flatten().collect();
            prop_assert_eq!(dictionary.len(), distinct.len());
            prop_assert_eq!(dictionary.to_array().len(), distinct.len());
        }
    }

    #[test]
    fn text_ids_keep_their_text_and_rank_after_sorting() {
        let mut dictionary = IdDictionary::new("product_id", IdType::Utf8);
        for id in ["85123A", "71053", "85123a"] {
            dictionary.code(IdRef::Utf8(id)).unwrap();
        }
        dictionary.sort();
        assert_eq!(dictionary.id(0), Some(IdRef::Utf8("71053")));
        assert_eq!(dictionary.id(3), None);
        assert!(dictionary.code(IdRef::Int64(1)).is_err());
    }
}
