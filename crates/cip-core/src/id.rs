//! Ids as the source has them: Int64 or Utf8 columns, and single values.

use std::cmp::Ordering;
use std::fmt;

use arrow_array::{Array, ArrayRef, Int64Array, StringArray, cast::AsArray, types::Int64Type};
use arrow_schema::DataType;

use crate::error::CoreError;

/// The type of an id column, kept as the source has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdType {
    /// 64-bit integers, ordered as numbers.
    Int64,
    /// Text, ordered by its UTF-8 bytes.
    Utf8,
}

impl IdType {
    /// The Arrow type.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Int64 => DataType::Int64,
            Self::Utf8 => DataType::Utf8,
        }
    }
}

/// One id, borrowed from a column. Integers sort before text; within a column there is only one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdRef<'a> {
    /// An integer id.
    Int64(i64),
    /// A text id.
    Utf8(&'a str),
}

impl IdRef<'_> {
    /// Returns an owned copy.
    pub fn to_owned(self) -> Id {
        match self {
            Self::Int64(value) => Id::Int64(value),
            Self::Utf8(value) => Id::Utf8(value.into()),
        }
    }
}

impl fmt::Display for IdRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int64(value) => value.fmt(f),
            Self::Utf8(value) => value.fmt(f),
        }
    }
}

/// One id, owned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// An integer id.
    Int64(i64),
    /// A text id.
    Utf8(Box<str>),
}

impl Id {
    /// Borrows the id.
    pub fn as_ref(&self) -> IdRef<'_> {
        match self {
            Self::Int64(value) => IdRef::Int64(*value),
            Self::Utf8(value) => IdRef::Utf8(value),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

/// A column of ids; null means unknown.
#[derive(Debug, Clone)]
pub enum IdColumn {
    /// Integer ids.
    Int64(Int64Array),
    /// Text ids.
    Utf8(StringArray),
}

impl IdColumn {
    /// Returns the typed column.
    ///
    /// # Errors
    /// [`CoreError::ColumnType`] for any type but Int64 and Utf8.
    pub fn try_new(column: &str, array: &ArrayRef) -> Result<Self, CoreError> {
        match array.data_type() {
            DataType::Int64 => Ok(Self::Int64(array.as_primitive::<Int64Type>().clone())),
            DataType::Utf8 => Ok(Self::Utf8(array.as_string::<i32>().clone())),
            found => Err(CoreError::ColumnType {
                column: column.to_owned(),
                found: found.clone(),
                expected: "Int64 or Utf8",
            }),
        }
    }

    /// The type.
    pub fn id_type(&self) -> IdType {
        match self {
            Self::Int64(_) => IdType::Int64,
            Self::Utf8(_) => IdType::Utf8,
        }
    }

    /// Rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Int64(array) => array.len(),
            Self::Utf8(array) => array.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of `row`, or none where it is null.
    ///
    /// # Panics
    /// Where `row` is out of bounds, as slices do.
    #[inline]
    pub fn get(&self, row: usize) -> Option<IdRef<'_>> {
        match self {
            Self::Int64(array) => array.is_valid(row).then(|| IdRef::Int64(array.value(row))),
            Self::Utf8(array) => array.is_valid(row).then(|| IdRef::Utf8(array.value(row))),
        }
    }

    /// Returns how many rows from the top have an id, and the first row with an id behind those: where unknown ids come
    /// last, it is out of order.
    pub fn known(&self) -> (usize, Option<usize>) {
        let nulls = match self {
            Self::Int64(array) => array.nulls(),
            Self::Utf8(array) => array.nulls(),
        };
        let Some(nulls) = nulls else { return (self.len(), None) };
        let valid = nulls.len() - nulls.null_count();
        match (0..valid).find(|&row| nulls.is_null(row)) {
            None => (valid, None),
            Some(null) => (null, (null..nulls.len()).find(|&row| nulls.is_valid(row))),
        }
    }

    /// Compares two rows as the store orders them: ids ascending, nulls last.
    pub fn compare(&self, a: usize, b: usize) -> Ordering {
        match (self.get(a), self.get(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (a, b) => a.is_none().cmp(&b.is_none()),
        }
    }

    /// Returns where the run of ids equal to that of `start` ends.
    ///
    /// # Complexity
    /// Linear in the length of the run.
    pub fn run_end(&self, start: usize) -> usize {
        fn scan<T: PartialEq>(len: usize, start: usize, get: impl Fn(usize) -> T) -> usize {
            let first = get(start);
            (start + 1..len).find(|&row| get(row) != first).unwrap_or(len)
        }
        match self {
            Self::Int64(array) if array.null_count() == 0 => {
                let values = array.values();
                scan(values.len(), start, |row| values[row])
            }
            _ => scan(self.len(), start, |row| self.get(row)),
        }
    }

    /// Returns the runs of equal neighbouring ids: (id or none, rows).
    pub fn runs(&self) -> impl Iterator<Item = (Option<IdRef<'_>>, std::ops::Range<usize>)> {
        let mut start = 0;
        std::iter::from_fn(move || {
            (start < self.len()).then(|| {
                let rows = start..self.run_end(start);
                start = rows.end;
                (self.get(rows.start), rows)
            })
        })
    }
}

/// Builds an id column a value at a time.
#[derive(Debug)]
pub enum IdBuilder {
    /// Integer ids.
    Int64(arrow_array::builder::Int64Builder),
    /// Text ids.
    Utf8(arrow_array::builder::StringBuilder),
}

impl IdBuilder {
    /// Returns an empty builder of `id_type`.
    pub fn new(id_type: IdType) -> Self {
        match id_type {
            IdType::Int64 => Self::Int64(Default::default()),
            IdType::Utf8 => Self::Utf8(Default::default()),
        }
    }

    /// Appends an id, or null.
    ///
    /// # Errors
    /// [`CoreError::ColumnType`] where the id is not of the builder's type.
    pub fn append(&mut self, id: Option<IdRef<'_>>) -> Result<(), CoreError> {
        match (self, id) {
            (Self::Int64(builder), None) => builder.append_null(),
            (Self::Int64(builder), Some(IdRef::Int64(value))) => builder.append_value(value),
            (Self::Utf8(builder), None) => builder.append_null(),
            (Self::Utf8(builder), Some(IdRef::Utf8(value))) => builder.append_value(value),
            (Self::Int64(_), Some(IdRef::Utf8(value))) => return Err(mixed(value, DataType::Utf8, "Int64")),
            (Self::Utf8(_), Some(IdRef::Int64(value))) => {
                return Err(mixed(&value.to_string(), DataType::Int64, "Utf8"));
            }
        }
        Ok(())
    }

    /// Returns the column and empties the builder.
    pub fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Int64(builder) => std::sync::Arc::new(builder.finish()),
            Self::Utf8(builder) => std::sync::Arc::new(builder.finish()),
        }
    }
}

fn mixed(id: &str, found: DataType, expected: &'static str) -> CoreError {
    CoreError::ColumnType { column: format!("id `{id}`"), found, expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn column(values: Vec<Option<i64>>) -> IdColumn {
        IdColumn::try_new("user_id", &(Arc::new(Int64Array::from(values)) as ArrayRef)).unwrap()
    }

    #[test]
    fn runs_group_equal_neighbours_and_nulls() {
        let ids = column(vec![Some(1), Some(1), Some(2), None, None]);
        let runs: Vec<_> = ids.runs().collect();
        assert_eq!(runs, [(Some(IdRef::Int64(1)), 0..2), (Some(IdRef::Int64(2)), 2..3), (None, 3..5)]);
    }

    #[test]
    fn a_slice_starts_at_its_own_first_row() {
        let array: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 2, 2, 3]));
        let ids = IdColumn::try_new("user_id", &array.slice(1, 3)).unwrap();
        assert_eq!(ids.runs().map(|(_, rows)| rows.len()).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn nulls_sort_last() {
        let ids = column(vec![None, Some(i64::MAX), Some(i64::MIN)]);
        assert_eq!(ids.compare(0, 1), Ordering::Greater);
        assert_eq!(ids.compare(2, 1), Ordering::Less);
        assert_eq!(ids.compare(0, 0), Ordering::Equal);
    }

    #[test]
    fn unknown_ids_come_last() {
        assert_eq!(column(vec![Some(1), Some(2)]).known(), (2, None));
        assert_eq!(column(vec![Some(1), None, None]).known(), (1, None));
        assert_eq!(column(vec![None, None]).known(), (0, None));
        assert_eq!(column(vec![]).known(), (0, None));
        assert_eq!(column(vec![Some(1), None, None, Some(2), None]).known(), (1, Some(3)));
        let array: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(1), None, Some(2)]));
        assert_eq!(IdColumn::try_new("user_id", &array.slice(1, 2)).unwrap().known(), (1, None));
        let texts: ArrayRef = Arc::new(StringArray::from(vec![None, Some("a")]));
        assert_eq!(IdColumn::try_new("user_id", &texts).unwrap().known(), (0, Some(1)));
    }

    #[test]
    fn other_types_are_refused_with_the_mend() {
        let floats: ArrayRef = Arc::new(arrow_array::Float64Array::from(vec![1.0]));
        let error = IdColumn::try_new("user_id", &floats).unwrap_err();
        assert_eq!(
            error.to_string(),
            "column `user_id` is Float64, expected Int64 or Utf8: cast it before the batch is made"
        );
    }
}
