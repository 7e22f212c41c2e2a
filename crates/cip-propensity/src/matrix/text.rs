//! Columns of text: read as it stands, and numbered as it comes until it is known which texts are categories.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::DataType;
use cip_core::CoreError;

use crate::error::PropensityError;
use crate::matrix::Categories;
use crate::matrix::number::column;

/// Whether a type is text, or a dictionary of it.
pub(crate) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

/// Returns a column as text: whole numbers in decimal digits, booleans as `true` and `false`. `before` rows of its table stand before
/// the batch.
pub(crate) fn texts(batch: &RecordBatch, name: &str, before: u64) -> Result<StringArray, PropensityError> {
    let array = column(batch, name)?;
    let data_type = match array.data_type() {
        DataType::Dictionary(_, values) => values.as_ref(),
        other => other,
    };
    let array = match data_type {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let floats = cast(array, &DataType::Float64).map_err(CoreError::from)?;
            return whole(floats.as_primitive::<Float64Type>(), name, before);
        }
        text if is_text(text) || text.is_integer() => array,
        DataType::Boolean | DataType::Null => array,
        found => return Err(PropensityError::CategoryType { column: name.into(), found: found.clone() }),
    };
    Ok(cast(array, &DataType::Utf8).map_err(CoreError::from)?.as_string::<i32>().clone())
}

/// Whole numbers that a table holds as floating-point ones, as those with nulls often are.
fn whole(
    floats: &arrow_array::Float64Array,
    name: &str,
    before: u64,
) -> Result<StringArray, PropensityError> {
    let text = |(row, value): (usize, Option<f64>)| match value {
        Some(value) if value.is_nan() => Ok(None),
        Some(value) if value.fract() == 0.0 => Ok(Some((value + 0.0).to_string())),
        Some(value) => {
            Err(PropensityError::CategoryNumber { column: name.into(), row: before + row as u64, value })
        }
        None => Ok(None),
    };
    floats.iter().enumerate().map(text).collect()
}

/// The different texts of a column, numbered as they come, with their rows.
#[derive(Debug, Default)]
pub(crate) struct TextColumn {
    numbers: HashMap<Box<str>, u32>,
    rows: Vec<u64>,
}

impl TextColumn {
    /// The most different texts: their numbers are exact in 32 bits, and what has more tells rows apart and nothing else.
    const MOST: usize = 1 << 20;

    /// Returns the number of a text in the column of this name, and counts the row.
    pub(crate) fn number(&mut self, name: &str, text: &str) -> Result<u32, PropensityError> {
        if let Some(&number) = self.numbers.get(text) {
            self.rows[number as usize] += 1;
            return Ok(number);
        }
        if self.rows.len() == Self::MOST {
            return Err(PropensityError::ManyTexts { column: name.into(), most: Self::MOST });
        }
        let number = self.rows.len() as u32;
        self.numbers.insert(text.into(), number);
        self.rows.push(1);
        Ok(number)
    }

    /// How many different texts there are.
    pub(crate) fn different(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Makes codes of the numbers in `cells`: those of `given` categories, or else of the ones that are kept, which are returned.
    pub(crate) fn into_codes<'a>(
        self,
        cells: impl Iterator<Item = &'a mut f32>,
        given: Option<&Categories>,
    ) -> Categories {
        let Self { numbers, rows } = self;
        let categories = match given {
            Some(categories) => categories.clone(),
            None => Categories::of_counts(
                numbers.iter().map(|(text, number)| (text.clone(), rows[*number as usize])),
            ),
        };
        let mut codes = vec![0.0; rows.len()];
        for (text, number) in numbers {
            codes[number as usize] = categories.code(&text) as f32;
        }
        for cell in cells.filter(|cell| !cell.is_nan()) {
            *cell = codes[*cell as usize];
        }
        categories
    }
}
