//! Labels: what is to be foreseen, yes or no.

use arrow_array::{Array, RecordBatch};

use crate::error::PropensityError;
use crate::matrix::number::{column, each_number};
use crate::matrix::text::{is_text, texts};

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

    /// Adds the rows of a batch: booleans, numbers that are 0 or 1, or texts that are `yes` and `no`, `true` and `false`, or `1` and `0`, in
    /// any case.
    ///
    /// # Errors
    /// [`PropensityError::MissingColumn`], [`PropensityError::LabelType`]; [`PropensityError::LabelValue`] and
    /// [`PropensityError::LabelText`] where one is null, another number or another text.
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
        if is_text(column(batch, &self.column)?.data_type()) {
            let words = texts(batch, &self.column, self.seen)?;
            for row in (0..batch.num_rows()).filter(|&row| keep(row)) {
                let text = words.is_valid(row).then(|| words.value(row));
                self.labels.push(self.label_of(text, row)?);
            }
            self.seen += batch.num_rows() as u64;
            return Ok(());
        }
        let refuse = |found| PropensityError::LabelType { column: self.column.clone(), found };
        each_number(batch, &self.column, keep, refuse, |value, row| {
            let row = self.seen + row as u64;
            self.labels.push(match value {
                Some(0.0) => false,
                Some(1.0) => true,
                value => {
                    return Err(PropensityError::LabelValue { column: self.column.clone(), row, value });
                }
            });
            Ok(())
        })?;
        self.seen += batch.num_rows() as u64;
        Ok(())
    }

    /// The label that a text stands for.
    fn label_of(&self, text: Option<&str>, row: usize) -> Result<bool, PropensityError> {
        let (column, row) = (self.column.clone(), self.seen + row as u64);
        let Some(text) = text else {
            return Err(PropensityError::LabelValue { column, row, value: None });
        };
        let is_one_of = |words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        if is_one_of(["yes", "true", "1"]) {
            Ok(true)
        } else if is_one_of(["no", "false", "0"]) {
            Ok(false)
        } else {
            Err(PropensityError::LabelText { column, row, text: text.into() })
        }
    }

    /// Returns the labels, one a row.
    pub fn finish(self) -> Vec<bool> {
        self.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::Int32Type;
    use arrow_array::{
        ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int64Array, StringArray,
    };
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
        let words: ArrayRef = Arc::new(StringArray::from(vec!["YES", "no", "True", "FALSE", "1", "0"]));
        let coded: ArrayRef =
            Arc::new(["No", "Yes", "No"].into_iter().collect::<DictionaryArray<Int32Type>>());
        assert_eq!(
            labels(vec![words, coded.slice(1, 2)]).unwrap(),
            [true, false, true, false, true, false, true, false]
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
            error(Arc::new(StringArray::from(vec!["Yes", "maybe"])))
                .contains("label `label` is `maybe` in row 3 (from 0), expected yes or no")
        );
        assert!(error(Arc::new(StringArray::from(vec![None::<&str>]))).contains("is null in row 2"));
        assert!(
            error(Arc::new(Date32Array::from(vec![1])))
                .contains("label `label` is Date32, expected booleans")
        );
    }
}
