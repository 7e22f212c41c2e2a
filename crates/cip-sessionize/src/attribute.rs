//! The columns whose changes end sessions.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, DictionaryArray, Int64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use cip_core::{EventSchema, IdRef, column};

use crate::error::SessionizeError;

/// The values of an attribute in one batch.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AttributeColumn<'a> {
    Dictionary(&'a DictionaryArray<Int32Type>, &'a StringArray),
    Utf8(&'a StringArray),
    Int64(&'a Int64Array),
}

impl<'a> AttributeColumn<'a> {
    /// Returns the column, or none where the batch does not have it with a type that would do.
    pub(crate) fn of(batch: &'a RecordBatch, name: &str) -> Option<Self> {
        let array = batch.column_by_name(name)?;
        Some(match array.data_type() {
            DataType::Int64 => Self::Int64(array.as_primitive::<Int64Type>()),
            DataType::Utf8 => Self::Utf8(array.as_string::<i32>()),
            _ => {
                let dictionary = array.as_dictionary_opt::<Int32Type>()?;
                Self::Dictionary(dictionary, dictionary.values().as_string_opt::<i32>()?)
            }
        })
    }

    /// The value of a row, or none where it is null.
    #[inline]
    pub(crate) fn get(self, row: usize) -> Option<IdRef<'a>> {
        match self {
            Self::Dictionary(dictionary, values) => {
                let code = dictionary.key(row)?;
                values.is_valid(code).then(|| IdRef::Utf8(values.value(code)))
            }
            Self::Utf8(array) => array.is_valid(row).then(|| IdRef::Utf8(array.value(row))),
            Self::Int64(array) => array.is_valid(row).then(|| IdRef::Int64(array.value(row))),
        }
    }
}

/// Checks that the events have the column, with a type that would do.
pub(crate) fn check_attribute(schema: &EventSchema, name: &str) -> Result<(), SessionizeError> {
    let fields = schema.arrow().fields();
    let known = || {
        let known =
            fields.iter().filter(|field| allows(field.data_type()) && field.name() != column::USER_ID);
        known.map(|field| format!("`{}`", field.name())).collect::<Vec<_>>().join(", ").into()
    };
    match fields.iter().find(|field| field.name() == name).map(|field| field.data_type()) {
        None => Err(SessionizeError::NoAttribute { column: name.into(), known: known() }),
        Some(found) if !allows(found) => {
            Err(SessionizeError::AttributeType { column: name.into(), found: found.clone(), known: known() })
        }
        Some(_) => Ok(()),
    }
}

fn allows(data_type: &DataType) -> bool {
    match data_type {
        DataType::Int64 | DataType::Utf8 => true,
        DataType::Dictionary(keys, values) => **keys == DataType::Int32 && **values == DataType::Utf8,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Int32Array};
    use std::sync::Arc;

    #[test]
    fn nulls_of_keys_and_of_values_are_no_values() {
        let keys = Int32Array::from(vec![Some(1), None, Some(0)]);
        let values = Arc::new(StringArray::from(vec![None, Some("mail")]));
        let columns: [(&str, ArrayRef); 3] = [
            ("d", Arc::new(DictionaryArray::new(keys, values))),
            ("t", Arc::new(StringArray::from(vec![Some("mail"), None, None]))),
            ("i", Arc::new(Int64Array::from(vec![Some(3), None, None]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        for (name, first) in [("d", IdRef::Utf8("mail")), ("t", IdRef::Utf8("mail")), ("i", IdRef::Int64(3))]
        {
            let column = AttributeColumn::of(&batch, name).unwrap();
            assert_eq!([0, 1, 2].map(|row| column.get(row)), [Some(first), None, None]);
            let slice = batch.slice(1, 2);
            assert_eq!(AttributeColumn::of(&slice, name).unwrap().get(0), None);
        }
        assert!(AttributeColumn::of(&batch, "x").is_none());
    }
}
