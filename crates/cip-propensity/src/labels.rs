//! Labels: what is to be foreseen, yes or no.

use arrow_array::RecordBatch;

use crate::error::PropensityError;
use crate::number::numbers;

/// Gathers the labels of a table, batch by batch.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, RecordBatch, UInt8Array};
/// use cip_propensity::LabelBuilder;
/// # let batch = RecordBatch::try_from_iter([("label", Arc::new(UInt8Array::from(vec![1, 0])) as ArrayRef)])?;
/// let mut labels = LabelBuilder::new("label");
/// labels.push(&batch)?;
/// assert_eq!(labels.finish(), [true, false]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct LabelBuilder {
    column: Box<str>,
    labels: Vec<bool>,
    /// Rows that were given, kept or not.
    seen: u64,
}

impl LabelBuilder {
    /// Returns an empty builder of the labels in `column`.
    pub fn new(column: impl Into<Box<str>>) -> Self {
        Self { column: column.into(), labels: Vec::new(), seen: 0 }
    }

    /// Adds the rows of a batch: booleans, or numbers that are 0 or 1.
    ///
    /// # Errors
    /// [`PropensityError::MissingColumn`], [`PropensityError::LabelType`]; [`PropensityError::LabelValue`] where one is
    /// null or another number.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), PropensityError> {
        self.push_where(batch, |_| true)
    }

    /// Adds the rows of a batch, counted from 0, for which `keep` holds. The others count in the rows that errors name.
    ///
    /// # Errors
    /// As [`LabelBuilder::push`].
    pub fn push_where(
        &mut self,
        batch: &RecordBatch,
        keep: impl Fn(usize) -> bool,
    ) -> Result<(), PropensityError> {
        let refuse = |found| PropensityError::LabelType { column: self.column.clone(), found };
        let values = numbers(batch, &self.column, refuse)?;
        for (row, value) in values.iter().enumerate().filter(|(row, _)| keep(*row)) {
            self.labels.push(match value {
                Some(0.0) => false,
                Some(1.0) => true,
                value => {
                    let row = self.seen + row as u64;
                    return Err(PropensityError::LabelValue { column: self.column.clone(), row, value });
                }
            });
        }
        self.seen += batch.num_rows() as u64;
        Ok(())
    }

    /// Returns the labels, one a row.
    pub fn finish(self) -> Vec<bool> {
        self.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
    use std::sync::Arc;

    fn labels(arrays: Vec<ArrayRef>) -> Result<Vec<bool>, PropensityError> {
        let mut builder = LabelBuilder::new("label");
        for array in arrays {
            builder.push(&RecordBatch::try_from_iter_with_nullable([("label", array, true)]).unwrap())?;
        }
        Ok(builder.finish())
    }

    #[test]
    fn booleans_and_zeros_and_ones_are_labels() {
        let booleans: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
        let integers: ArrayRef = Arc::new(Int64Array::from(vec![0, 1]));
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0, -0.0]));
        assert_eq!(
            labels(vec![booleans, integers, floats]).unwrap(),
            [true, false, false, true, true, false]
        );
        assert!(labels(vec![]).unwrap().is_empty());
    }

    #[test]
    fn anything_else_is_refused_with_its_row() {
        let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0, 0]));
        let error = |array: ArrayRef| labels(vec![zeros.clone(), array]).unwrap_err().to_string();
        assert!(
            error(Arc::new(Int64Array::from(vec![Some(1), None])))
                .contains("label `label` is null in row 3 (from 0)")
        );
        assert!(error(Arc::new(Float64Array::from(vec![0.5]))).contains("is 0.5 in row 2 (from 0)"));
        assert!(error(Arc::new(Float64Array::from(vec![f64::NAN]))).contains("is NaN in row 2 (from 0)"));
        assert!(
            error(Arc::new(StringArray::from(vec!["yes"])))
                .contains("label `label` is Utf8, expected booleans")
        );
    }
}
