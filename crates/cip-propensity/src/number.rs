//! Columns of any numeric type, read as 64-bit numbers.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, Float64Array, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{DataType, Schema};
use cip_core::CoreError;

use crate::error::PropensityError;

/// Whether a column of this type can be a feature: a number, a boolean, or nothing but nulls.
pub(crate) fn is_numeric(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_numeric(values),
        DataType::Float32
        | DataType::Float64
        | DataType::Boolean
        | DataType::Decimal128(..)
        | DataType::Null => true,
        other => other.is_integer(),
    }
}

/// The column of a batch.
pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a dyn Array, PropensityError> {
    match batch.column_by_name(name) {
        Some(array) => Ok(array.as_ref()),
        None => {
            Err(PropensityError::MissingColumn { column: name.into(), columns: names_of(&batch.schema()) })
        }
    }
}

/// The values of a column of which [`is_numeric`] holds.
pub(crate) fn numbers(array: &dyn Array) -> Result<Float64Array, PropensityError> {
    let cast = cast(array, &DataType::Float64).map_err(CoreError::from)?;
    Ok(cast.as_primitive::<Float64Type>().clone())
}

fn names_of(schema: &Schema) -> Vec<Box<str>> {
    schema.fields().iter().map(|field| field.name().as_str().into()).collect()
}
