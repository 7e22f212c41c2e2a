//! Columns of any numeric type, read as 64-bit numbers.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{DataType, Schema};
use cip_core::CoreError;

use crate::error::PropensityError;
use crate::matrix::text::is_text;

/// Returns a column of a batch: integers, floating-point numbers, decimals, booleans, or nothing but nulls. `refuse` makes the
/// error for any other type.
pub(crate) fn numbers(
    batch: &RecordBatch,
    name: &str,
    refuse: impl FnOnce(DataType) -> PropensityError,
) -> Result<Float64Array, PropensityError> {
    let array = column(batch, name)?;
    // Of text that is nothing but nulls nobody knows what it would be.
    let says_nothing = is_text(array.data_type()) && array.null_count() == array.len();
    if !(is_numeric(array.data_type()) || says_nothing) {
        return Err(refuse(array.data_type().clone()));
    }
    let cast = cast(array, &DataType::Float64).map_err(CoreError::from)?;
    Ok(cast.as_primitive::<Float64Type>().clone())
}

/// Gives the number of each row for which `keep` holds to `take`, with the row; null is none. Otherwise as [`numbers`].
pub(crate) fn each_number(
    batch: &RecordBatch,
    name: &str,
    keep: impl Fn(usize) -> bool,
    refuse: impl FnOnce(DataType) -> PropensityError,
    mut take: impl FnMut(Option<f64>, usize) -> Result<(), PropensityError>,
) -> Result<(), PropensityError> {
    let numbers = numbers(batch, name, refuse)?;
    let mut kept = (0..numbers.len()).filter(|&row| keep(row));
    kept.try_for_each(|row| take(numbers.is_valid(row).then(|| numbers.value(row)), row))
}

/// Returns the column of this name.
pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, PropensityError> {
    batch.column_by_name(name).ok_or_else(|| PropensityError::MissingColumn {
        column: name.into(),
        columns: names_of(&batch.schema()),
    })
}

fn is_numeric(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_numeric(values),
        other => other.is_numeric() || matches!(other, DataType::Boolean | DataType::Null),
    }
}

fn names_of(schema: &Schema) -> Vec<Box<str>> {
    schema.fields().iter().map(|field| field.name().as_str().into()).collect()
}
