//! Amounts: outcomes that are numbers, such as what was spent.

use arrow_array::RecordBatch;

use crate::error::PropensityError;
use crate::matrix::number::each_number;

/// Gathers the amounts of a table, batch by batch.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Decimal128Array, RecordBatch};
/// use cip_propensity::AmountBuilder;
/// # let spent = Decimal128Array::from(vec![1_250, 0]).with_precision_and_scale(18, 2)?;
/// # let batch = RecordBatch::try_from_iter([("spent", Arc::new(spent) as ArrayRef)])?;
/// let mut amounts = AmountBuilder::new("spent");
/// amounts.push_where(&batch, |_| true)?;
/// assert_eq!(amounts.finish(), [12.5, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct AmountBuilder {
    column: Box<str>,
    amounts: Vec<f64>,
    /// Rows that were given, kept or not.
    seen: u64,
}

impl AmountBuilder {
    /// Returns an empty builder of the amounts in `column`.
    pub fn new(column: impl Into<Box<str>>) -> Self {
        Self { column: column.into(), amounts: Vec::new(), seen: 0 }
    }

    /// Adds the rows of a batch, counted from 0, for which `keep` holds. The others count in the rows that errors name.
    ///
    /// # Errors
    /// [`PropensityError::MissingColumn`]; [`PropensityError::AmountType`] where it is no number; [`PropensityError::AmountValue`] where one is null or
    /// not finite.
    pub fn push_where(
        &mut self,
        batch: &RecordBatch,
        keep: impl Fn(usize) -> bool,
    ) -> Result<(), PropensityError> {
        let refuse = |found| PropensityError::AmountType { column: self.column.clone(), found };
        each_number(batch, &self.column, keep, refuse, |value, row| {
            let row = self.seen + row as u64;
            let amount = value.filter(|amount| amount.is_finite());
            let refused = || PropensityError::AmountValue { column: self.column.clone(), row, value };
            self.amounts.push(amount.ok_or_else(refused)?);
            Ok(())
        })?;
        self.seen += batch.num_rows() as u64;
        Ok(())
    }

    /// Returns the amounts, one a row.
    pub fn finish(self) -> Vec<f64> {
        self.amounts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Float64Array, StringArray};
    use std::sync::Arc;

    #[test]
    fn what_is_no_amount_is_refused_with_its_row() {
        let push = |array: ArrayRef| {
            let mut amounts = AmountBuilder::new("spent");
            let batch = RecordBatch::try_from_iter_with_nullable([("spent", array, true)]).unwrap();
            amounts.push_where(&batch, |row| row > 0).map(|()| amounts.finish())
        };
        let floats = |values: Vec<Option<f64>>| Arc::new(Float64Array::from(values));
        assert_eq!(push(floats(vec![None, Some(-2.5)])).unwrap(), [-2.5]);
        for (value, told) in [(None, "null"), (Some(f64::NAN), "NaN"), (Some(f64::INFINITY), "inf")] {
            let error = push(floats(vec![Some(1.0), value])).unwrap_err().to_string();
            assert!(error.starts_with(&format!("amount `spent` is {told} in row 1 (from 0)")), "{error}");
        }
        let text = push(Arc::new(StringArray::from(vec!["1", "2"]))).unwrap_err().to_string();
        assert!(text.starts_with("amount `spent` is Utf8, expected numbers"), "{text}");
    }
}
