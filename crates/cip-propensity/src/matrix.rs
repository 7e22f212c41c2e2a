//! Feature tables as numbers: row-major, 32 bits, NaN where a value is unknown.

use std::sync::Arc;

use arrow_array::RecordBatch;
use ndarray::{ArcArray2, Array2, ArrayView2, Axis};

use crate::error::PropensityError;
use crate::number::numbers;

/// The features of some rows, as a model takes them.
///
/// # Input
/// Columns of integers, floating-point numbers, decimals or booleans; null and NaN are unknown, infinities are refused.
/// Values are rounded to 32 bits, which keeps whole numbers up to 16,777,216 exact.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
/// use cip_propensity::FeatureMatrix;
/// # let batch = RecordBatch::try_from_iter([
/// #     ("user_id", Arc::new(Int64Array::from(vec![7, 8])) as ArrayRef),
/// #     ("views", Arc::new(Int64Array::from(vec![Some(3), None]))),
/// #     ("returning", Arc::new(BooleanArray::from(vec![true, false]))),
/// # ])?;
/// let features = FeatureMatrix::from_batches(&["views", "returning"], &[batch])?;
/// assert_eq!(features.view().shape(), [2, 2]);
/// assert_eq!(features.view().row(0).to_vec(), [3.0, 1.0]);
/// assert!(features.view()[[1, 0]].is_nan());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct FeatureMatrix {
    names: Arc<[Box<str>]>,
    values: ArcArray2<f32>,
}

impl FeatureMatrix {
    /// Returns the columns `names` of all batches.
    ///
    /// # Errors
    /// As [`FeatureMatrixBuilder::new`] and [`FeatureMatrixBuilder::push`].
    pub fn from_batches<N: AsRef<str>>(
        names: &[N],
        batches: &[RecordBatch],
    ) -> Result<Self, PropensityError> {
        let mut builder = FeatureMatrixBuilder::new(names)?;
        for batch in batches {
            builder.push(batch)?;
        }
        builder.finish()
    }

    /// The names of the columns.
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.values.nrows()
    }

    /// Returns the values, one row a row, as ndarray and linfa have them.
    pub fn view(&self) -> ArrayView2<'_, f32> {
        self.values.view()
    }

    /// Returns some of the rows, in the order given.
    ///
    /// # Panics
    /// Where a row is out of bounds, as slices do.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self { names: Arc::clone(&self.names), values: self.values.select(Axis(0), rows).into_shared() }
    }

    /// The values without copying them; another handle on the same memory.
    pub(crate) fn shared_values(&self) -> ArcArray2<f32> {
        self.values.clone()
    }
}

/// Gathers the features of a table, batch by batch.
#[derive(Debug)]
pub struct FeatureMatrixBuilder {
    names: Arc<[Box<str>]>,
    values: Vec<f32>,
    rows: usize,
    /// Rows that were given, kept or not.
    seen: u64,
}

impl FeatureMatrixBuilder {
    /// Returns an empty builder of the columns `names`, in this order.
    ///
    /// # Errors
    /// [`PropensityError::NoFeatures`] without a name, [`PropensityError::DuplicateFeature`].
    pub fn new<N: AsRef<str>>(names: &[N]) -> Result<Self, PropensityError> {
        if names.is_empty() {
            return Err(PropensityError::NoFeatures);
        }
        for (index, name) in names.iter().enumerate() {
            if names[..index].iter().any(|before| before.as_ref() == name.as_ref()) {
                return Err(PropensityError::DuplicateFeature { column: name.as_ref().into() });
            }
        }
        let names = names.iter().map(|name| name.as_ref().into()).collect();
        Ok(Self { names, values: Vec::new(), rows: 0, seen: 0 })
    }

    /// Says that the next batch starts at this row of its table, for errors that name a row.
    #[must_use]
    pub fn with_first_row(self, row: u64) -> Self {
        Self { seen: row, ..self }
    }

    /// Adds the rows of a batch; its other columns are not looked at.
    ///
    /// # Errors
    /// [`PropensityError::MissingColumn`], [`PropensityError::FeatureType`], [`PropensityError::NotFinite`].
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), PropensityError> {
        self.push_where(batch, |_| true)
    }

    /// Adds the rows of a batch, counted from 0, for which `keep` holds. The others count in the rows that errors name.
    ///
    /// # Errors
    /// As [`FeatureMatrixBuilder::push`].
    pub fn push_where(
        &mut self,
        batch: &RecordBatch,
        keep: impl Fn(usize) -> bool,
    ) -> Result<(), PropensityError> {
        let columns = self.names.len();
        let start = self.values.len();
        let kept = (0..batch.num_rows()).filter(|&row| keep(row)).count();
        self.values.resize(start + kept * columns, f32::NAN);
        for (index, name) in self.names.iter().enumerate() {
            let refuse = |found| PropensityError::FeatureType { column: name.clone(), found };
            let numbers = numbers(batch, name, refuse)?;
            let cells = self.values[start..].iter_mut().skip(index).step_by(columns);
            let rows = numbers.iter().enumerate().filter(|(row, _)| keep(*row));
            for (cell, (row, value)) in cells.zip(rows) {
                let Some(value) = value else { continue };
                *cell = value as f32;
                if cell.is_infinite() {
                    let row = self.seen + row as u64;
                    return Err(PropensityError::NotFinite { column: name.clone(), row, value });
                }
            }
        }
        self.rows += kept;
        self.seen += batch.num_rows() as u64;
        Ok(())
    }

    /// Returns the matrix.
    ///
    /// # Errors
    /// None of its own: the shape is as many values as rows and columns make.
    pub fn finish(self) -> Result<FeatureMatrix, PropensityError> {
        let values = Array2::from_shape_vec((self.rows, self.names.len()), self.values)
            .map_err(linfa::Error::from)?
            .into_shared();
        Ok(FeatureMatrix { names: self.names, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::Int32Type;
    use arrow_array::{
        ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int8Array,
        NullArray, StringArray, UInt64Array,
    };

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
            .unwrap()
    }

    #[test]
    fn every_kind_of_number_is_read_and_nulls_are_unknown() {
        let money = Decimal128Array::from(vec![Some(1_250), None]).with_precision_and_scale(18, 2).unwrap();
        let batch = batch(vec![
            ("int8", Arc::new(Int8Array::from(vec![Some(-3), None]))),
            ("uint64", Arc::new(UInt64Array::from(vec![Some(1 << 40), None]))),
            ("float32", Arc::new(Float32Array::from(vec![Some(0.5), Some(f32::NAN)]))),
            ("float64", Arc::new(Float64Array::from(vec![Some(0.25), None]))),
            ("boolean", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("money", Arc::new(money)),
            ("null", Arc::new(NullArray::new(2))),
        ]);
        let names = ["int8", "uint64", "float32", "float64", "boolean", "money", "null"];
        let matrix = FeatureMatrix::from_batches(&names, &[batch.clone(), batch]).unwrap();
        assert_eq!((matrix.rows(), matrix.view().ncols()), (4, 7));
        let row = matrix.view().row(2).to_vec();
        assert_eq!(row[..6], [-3.0, (1u64 << 40) as f32, 0.5, 0.25, 1.0, 12.5]);
        assert!(row[6].is_nan() && matrix.view().row(1).iter().all(|value| value.is_nan()));
        assert_eq!(matrix.select(&[3, 0]).view().row(1).to_vec()[..6], row[..6]);
    }

    #[test]
    fn what_is_no_feature_is_refused_with_its_place() {
        let texts: DictionaryArray<Int32Type> = ["a", "b"].into_iter().collect();
        let good: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
        let batch = batch(vec![
            ("good", good),
            ("infinite", Arc::new(Float64Array::from(vec![0.0, f64::NEG_INFINITY]))),
            ("huge", Arc::new(Float64Array::from(vec![1e39, 0.0]))),
            ("text", Arc::new(StringArray::from(vec!["1", "2"]))),
            ("plan", Arc::new(texts)),
        ]);
        let refuse = |names: &[&str]| {
            let mut builder = match FeatureMatrixBuilder::new(names) {
                Ok(builder) => builder,
                Err(error) => return error.to_string(),
            };
            builder
                .push(&batch.slice(0, 1))
                .err()
                .or_else(|| builder.push(&batch.slice(1, 1)).err())
                .unwrap()
                .to_string()
        };
        assert!(refuse(&["infinite"]).contains("feature `infinite` is -inf in row 1 (from 0)"));
        assert!(
            refuse(&["good", "huge"])
                .contains("feature `huge` is 1000000000000000000000000000000000000000 in row 0 (from 0)")
        );
        assert!(refuse(&["text"]).contains("feature `text` is Utf8, expected numbers or booleans"));
        assert!(refuse(&["plan"]).contains("Dictionary(Int32, Utf8)"));
        assert!(refuse(&["gone"]).contains("the table has `good`, `infinite`, `huge`, `text`, `plan`"));
        assert!(refuse(&["good", "good"]).contains("given twice"));
        assert!(refuse(&[]).contains("no column is left"));
    }
}
