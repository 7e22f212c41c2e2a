//! Columns of any table as what a command wants of them: ids, or numbers.

use std::path::Path;
use std::sync::Arc;

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use cip::arrow_array::{Array, ArrayRef, Int64Array, StringArray};
use cip::arrow_schema::DataType;
use cip::core::{IdColumn, IdType};

use crate::error::CliError;

/// A column, for what is said about it.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) path: &'a Path,
    pub(crate) name: &'a str,
    /// Rows of the batches before.
    pub(crate) rows_before: u64,
}

impl Named<'_> {
    /// The value of a row is not what is needed; `reason` says why, and how to mend it.
    pub(crate) fn refuse(self, row: usize, reason: String) -> CliError {
        CliError::Row {
            path: self.path.to_owned(),
            row: self.rows_before + row as u64 + 1,
            column: self.name.to_owned(),
            reason,
        }
    }

    fn wrong_type(self, found: &DataType, expected: &'static str) -> CliError {
        CliError::ColumnType {
            path: self.path.to_owned(),
            column: self.name.to_owned(),
            found: found.clone(),
            expected,
        }
    }
}

/// The type that [`ids`] gives for a column of this type; none where such values are no ids.
pub(crate) fn id_type(data_type: &DataType) -> Option<IdType> {
    match data_type {
        DataType::Dictionary(_, values) => id_type(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(IdType::Utf8),
        integer if integer.is_integer() => Some(IdType::Int64),
        _ => None,
    }
}

/// Returns a column of text or integers as ids.
pub(crate) fn ids(column: Named<'_>, array: &ArrayRef) -> Result<IdColumn, CliError> {
    let plain = expanded(array);
    let ids: ArrayRef = match plain.data_type() {
        DataType::Utf8 => plain,
        DataType::LargeUtf8 => Arc::new(plain.as_string::<i64>().iter().collect::<StringArray>()),
        DataType::Utf8View => Arc::new(plain.as_string_view().iter().collect::<StringArray>()),
        DataType::Int64 => plain,
        DataType::Int8 => widen::<Int8Type>(&plain),
        DataType::Int16 => widen::<Int16Type>(&plain),
        DataType::Int32 => widen::<Int32Type>(&plain),
        DataType::UInt8 => widen::<UInt8Type>(&plain),
        DataType::UInt16 => widen::<UInt16Type>(&plain),
        DataType::UInt32 => widen::<UInt32Type>(&plain),
        DataType::UInt64 => {
            let wide = plain.as_primitive::<UInt64Type>();
            let id = |(row, id): (usize, Option<u64>)| {
                id.map(|id| {
                    let beyond = || {
                        column.refuse(row, format!("{id} is beyond 64 bits with a sign: write it as text"))
                    };
                    i64::try_from(id).map_err(|_| beyond())
                })
                .transpose()
            };
            Arc::new(wide.iter().enumerate().map(id).collect::<Result<Int64Array, _>>()?)
        }
        found => return Err(column.wrong_type(found, "integers or text: write ids as one of these")),
    };
    Ok(IdColumn::try_new(column.name, &ids)?)
}

/// Returns a column of text, integers or booleans as labels: integers by their digits, booleans as `true` and `false`.
pub(crate) fn labels(column: Named<'_>, array: &ArrayRef) -> Result<Vec<Option<String>>, CliError> {
    if let Some(flags) = array.as_boolean_opt() {
        return Ok(flags.iter().map(|flag| flag.map(|flag| flag.to_string())).collect());
    }
    let ids = ids(column, array)?;
    Ok((0..ids.len()).map(|row| ids.get(row).map(|id| id.to_string())).collect())
}

/// Returns a column of numbers or booleans as numbers, false 0 and true 1.
pub(crate) fn numbers(column: Named<'_>, array: &ArrayRef) -> Result<Vec<Option<f64>>, CliError> {
    fn of<T: ArrowPrimitiveType>(array: &ArrayRef, number: impl Fn(T::Native) -> f64) -> Vec<Option<f64>> {
        array.as_primitive::<T>().iter().map(|value| value.map(&number)).collect()
    }
    let plain = expanded(array);
    Ok(match plain.data_type() {
        DataType::Boolean => plain.as_boolean().iter().map(|value| value.map(f64::from)).collect(),
        DataType::Int8 => of::<Int8Type>(&plain, f64::from),
        DataType::Int16 => of::<Int16Type>(&plain, f64::from),
        DataType::Int32 => of::<Int32Type>(&plain, f64::from),
        DataType::Int64 => of::<Int64Type>(&plain, |value| value as f64),
        DataType::UInt8 => of::<UInt8Type>(&plain, f64::from),
        DataType::UInt16 => of::<UInt16Type>(&plain, f64::from),
        DataType::UInt32 => of::<UInt32Type>(&plain, f64::from),
        DataType::UInt64 => of::<UInt64Type>(&plain, |value| value as f64),
        DataType::Float32 => of::<Float32Type>(&plain, f64::from),
        DataType::Float64 => of::<Float64Type>(&plain, |value| value),
        DataType::Decimal128(_, scale) => {
            let unit = 10f64.powi(i32::from(*scale));
            of::<Decimal128Type>(&plain, |value| value as f64 / unit)
        }
        found => return Err(column.wrong_type(found, "booleans or numbers")),
    })
}

/// The values of a dictionary one by one; any other column as it is.
fn expanded(array: &ArrayRef) -> ArrayRef {
    match array.as_any_dictionary_opt() {
        Some(dictionary) if id_type(dictionary.values().data_type()) == Some(IdType::Utf8) => {
            let values = dictionary.values();
            let texts: Vec<Option<&str>> = match values.data_type() {
                DataType::Utf8 => values.as_string::<i32>().iter().collect(),
                DataType::LargeUtf8 => values.as_string::<i64>().iter().collect(),
                _ => values.as_string_view().iter().collect(),
            };
            let keys = dictionary.normalized_keys();
            let text = |(row, key): (usize, &usize)| {
                if dictionary.is_null(row) { None } else { texts.get(*key).copied().flatten() }
            };
            Arc::new(keys.iter().enumerate().map(text).collect::<StringArray>())
        }
        _ => Arc::clone(array),
    }
}

fn widen<T: ArrowPrimitiveType>(array: &ArrayRef) -> ArrayRef
where
    i64: From<T::Native>,
{
    Arc::new(array.as_primitive::<T>().iter().map(|value| value.map(i64::from)).collect::<Int64Array>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cip::arrow_array::{
        BooleanArray, Decimal128Array, DictionaryArray, Float64Array, LargeStringArray, StringViewArray,
        UInt64Array,
    };

    fn column() -> Named<'static> {
        Named { path: Path::new("t"), name: "c", rows_before: 10 }
    }

    fn texts(array: ArrayRef) -> Vec<Option<String>> {
        let ids = ids(column(), &array).unwrap();
        (0..ids.len()).map(|row| ids.get(row).map(|id| id.to_string())).collect()
    }

    #[test]
    fn ids_are_those_of_the_table_whatever_its_types() {
        let expected = [Some("a".to_owned()), None, Some("b".to_owned())];
        let given = [Some("a"), None, Some("b")];
        let dictionary: DictionaryArray<Int8Type> = given.into_iter().collect();
        for array in [
            Arc::new(StringArray::from(given.to_vec())) as ArrayRef,
            Arc::new(LargeStringArray::from(given.to_vec())),
            Arc::new(StringViewArray::from(given.to_vec())),
            Arc::new(dictionary),
        ] {
            assert_eq!(texts(Arc::clone(&array)), expected);
            // A slice reads its own rows.
            assert_eq!(texts(array.slice(1, 2)), expected[1..]);
        }
        assert_eq!(texts(Arc::new(UInt64Array::from(vec![7]))), [Some("7".to_owned())]);
        let beyond: ArrayRef = Arc::new(UInt64Array::from(vec![1, u64::MAX]));
        let error = ids(column(), &beyond).unwrap_err().to_string();
        assert!(error.starts_with("t row 12: `c`: 18446744073709551615 is beyond"), "{error}");
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
        let error = ids(column(), &floats).unwrap_err().to_string();
        assert_eq!(error, "t: column `c` is Float64, expected integers or text: write ids as one of these");
    }

    #[test]
    fn numbers_are_numbers() {
        let money = Decimal128Array::from(vec![Some(-125), None]).with_precision_and_scale(18, 2).unwrap();
        assert_eq!(numbers(column(), &(Arc::new(money) as ArrayRef)).unwrap(), [Some(-1.25), None]);
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]));
        assert_eq!(numbers(column(), &flags).unwrap(), [Some(1.0), Some(0.0), None]);
        let text: ArrayRef = Arc::new(StringArray::from(vec!["1"]));
        assert!(numbers(column(), &text).is_err());
    }
}
