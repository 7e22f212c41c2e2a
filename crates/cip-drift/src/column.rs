//! What is kept of a column: how often each value came.

use std::collections::HashMap;
use std::fmt;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::DataType;
use cip_core::CoreError;
use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::cells::Cells;
use crate::number_key::key_of;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Integers, floating-point numbers or decimals.
    Number,
    /// True or false: numbers (0, 1) beside a column of numbers.
    Boolean,
    /// Texts.
    Category,
    /// Nulls alone, so that nothing is known of it.
    Unknown,
}

impl ColumnKind {
    /// Returns the kind of columns of a type; none where such values have no distribution that is compared.
    pub fn of(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Dictionary(_, values) => Self::of(values),
            DataType::Boolean => Some(Self::Boolean),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(Self::Category),
            DataType::Null => Some(Self::Unknown),
            other => other.is_numeric().then_some(Self::Number),
        }
    }

    /// The kind as which columns of two kinds are compared; none where they cannot be.
    pub(crate) fn beside(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Unknown, kind) | (kind, Self::Unknown) => Some(kind),
            (Self::Number, Self::Boolean) | (Self::Boolean, Self::Number) => Some(Self::Number),
            (one, other) => (one == other).then_some(one),
        }
    }
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "numbers",
            Self::Boolean => "booleans",
            Self::Category => "texts",
            Self::Unknown => "nulls alone",
        })
    }
}

/// How often each value of a column came.
#[derive(Debug, Clone)]
pub(crate) struct ColumnProfile {
    pub(crate) kind: ColumnKind,
    pub(crate) rows: u64,
    /// Nulls, and NaN.
    pub(crate) missing: u64,
    pub(crate) infinite: u64,
    /// By the keys of numbers, or the hashes of texts.
    pub(crate) cells: Cells,
    /// The texts, as long as each has a cell of its own.
    pub(crate) names: HashMap<u64, Box<str>, RandomState>,
}

impl ColumnProfile {
    pub(crate) fn new(kind: ColumnKind, most_cells: usize) -> Self {
        let cells = Cells::new(most_cells);
        Self { kind, rows: 0, missing: 0, infinite: 0, cells, names: HashMap::default() }
    }

    /// Adds the values of a column of this kind.
    pub(crate) fn push(&mut self, array: &ArrayRef) -> Result<(), CoreError> {
        self.rows += array.len() as u64;
        match self.kind {
            ColumnKind::Number | ColumnKind::Boolean => {
                let numbers = cast(array, &DataType::Float64)?;
                self.push_numbers(numbers.as_primitive::<Float64Type>().iter());
            }
            ColumnKind::Category => {
                let texts = cast(array, &DataType::LargeUtf8)?;
                for text in texts.as_string::<i64>() {
                    match text {
                        Some(text) => self.push_text(text),
                        None => self.missing += 1,
                    }
                }
            }
            ColumnKind::Unknown => self.missing += array.len() as u64,
        }
        Ok(())
    }

    fn push_numbers(&mut self, numbers: impl Iterator<Item = Option<f64>>) {
        for number in numbers {
            match number {
                Some(number) if !number.is_nan() => {
                    self.infinite += u64::from(number.is_infinite());
                    self.cells.add(key_of(number), 1);
                }
                _ => self.missing += 1,
            }
        }
    }

    fn push_text(&mut self, text: &str) {
        let key = xxh3_64(text.as_bytes());
        self.cells.add(key, 1);
        if self.cells.dropped() == 0 {
            self.names.entry(key).or_insert_with(|| shown(text));
        } else if !self.names.is_empty() {
            self.names = HashMap::default();
        }
    }

    /// Adds the values that another has of the same column.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.missing += other.missing;
        self.infinite += other.infinite;
        self.cells.merge(&other.cells);
        if self.cells.dropped() == 0 {
            for (key, name) in &other.names {
                self.names.entry(*key).or_insert_with(|| name.clone());
            }
        } else {
            self.names = HashMap::default();
        }
    }

    /// The rows with a value.
    pub(crate) fn values(&self) -> u64 {
        self.rows - self.missing
    }

    /// The kind, or that nothing is known where there is no value.
    pub(crate) fn known_kind(&self) -> ColumnKind {
        if self.values() == 0 { ColumnKind::Unknown } else { self.kind }
    }
}

/// As much of a text as is shown of it.
fn shown(text: &str) -> Box<str> {
    const MOST: usize = 64;
    if text.chars().nth(MOST).is_none() {
        return text.into();
    }
    text.chars().take(MOST - 1).chain(['…']).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::Int8Type;
    use arrow_array::{
        BooleanArray, Decimal128Array, DictionaryArray, Float64Array, Int64Array, NullArray, StringArray,
        StringViewArray,
    };
    use std::sync::Arc;

    fn profile(array: ArrayRef) -> ColumnProfile {
        let kind = ColumnKind::of(array.data_type()).unwrap();
        let mut profile = ColumnProfile::new(kind, 1 << 16);
        profile.push(&array).unwrap();
        profile
    }

    #[test]
    fn every_type_with_a_distribution_is_counted() {
        let given = [Some("a"), None, Some("b"), Some("a")];
        let dictionary: DictionaryArray<Int8Type> = given.into_iter().collect();
        let texts = profile(Arc::new(StringArray::from(given.to_vec())));
        for array in [Arc::new(dictionary) as ArrayRef, Arc::new(StringViewArray::from(given.to_vec()))] {
            let found = profile(array);
            assert_eq!((found.kind, found.missing), (ColumnKind::Category, 1));
            assert_eq!((found.cells.sorted(0), found.names), (texts.cells.sorted(0), texts.names.clone()));
        }
        let numbers = profile(Arc::new(Float64Array::from(vec![
            Some(1.5),
            None,
            Some(f64::NAN),
            Some(f64::INFINITY),
            Some(-0.0),
        ])));
        assert_eq!(
            (numbers.kind, numbers.missing, numbers.infinite, numbers.values()),
            (ColumnKind::Number, 2, 1, 3)
        );
        let money = Decimal128Array::from(vec![Some(150)]).with_precision_and_scale(18, 2).unwrap();
        assert_eq!(profile(Arc::new(money)).cells.sorted(0), [(key_of(1.5), 1)]);
        let keys = arrow_array::Int8Array::from(vec![Some(0), None]);
        let coded = profile(Arc::new(DictionaryArray::new(keys, Arc::new(Int64Array::from(vec![7])))));
        assert_eq!((coded.cells.sorted(0), coded.missing), (vec![(key_of(7.0), 1)], 1));
        assert_eq!(profile(Arc::new(BooleanArray::from(vec![true]))).cells.sorted(0), [(key_of(1.0), 1)]);
        let nothing = profile(Arc::new(NullArray::new(3)));
        assert_eq!((nothing.known_kind(), nothing.missing), (ColumnKind::Unknown, 3));
        assert_eq!(ColumnKind::of(&DataType::Date32), None);
    }

    #[test]
    fn a_slice_is_its_own_rows() {
        let array: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
        assert_eq!(profile(array.slice(1, 2)).values(), 1);
    }

    #[test]
    fn texts_beyond_the_most_are_counted_without_their_names() {
        let many: StringArray = (0..100).map(|number| Some(number.to_string())).collect();
        let array: ArrayRef = Arc::new(many);
        let mut found = ColumnProfile::new(ColumnKind::Category, 10);
        found.push(&array).unwrap();
        assert!(found.cells.dropped() > 0 && found.names.is_empty());
        assert_eq!(found.cells.sorted(63).iter().map(|(_, count)| count).sum::<u64>(), 100);
        assert_eq!(shown(&"ä".repeat(65)).chars().count(), 64);
    }
}
