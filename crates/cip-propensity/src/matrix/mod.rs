//! Feature tables as numbers: row-major, 32 bits, NaN where a value is unknown.

mod builder;
mod category;
pub(crate) mod columns;
pub(crate) mod number;
#[cfg(test)]
mod tests;
pub(crate) mod text;

use std::sync::Arc;

use arrow_array::RecordBatch;
use ndarray::{ArcArray2, ArrayView2, Axis};

use crate::error::PropensityError;
use crate::matrix::columns::Columns;

pub use builder::FeatureMatrixBuilder;
pub use category::Categories;

/// The features of some rows, as a model takes them.
///
/// # Input
/// Columns of integers, floating-point numbers, decimals or booleans, or of text (dictionaries of it as well); null and NaN are unknown,
/// infinities are refused. Values are rounded to 32 bits, which keeps whole numbers up to 16,777,216 exact. Text is the code of its
/// category: see [`Categories`].
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
    columns: Arc<Columns>,
    /// Of each column of text, how many different ones there were.
    different: Arc<[Option<u64>]>,
    values: ArcArray2<f32>,
}

impl FeatureMatrix {
    /// Returns the columns `names` of all batches; categories are learned from their rows.
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
        self.columns.names()
    }

    /// The categories of each column; none where it is a number.
    pub fn categories(&self) -> &[Option<Categories>] {
        self.columns.categories()
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
        Self { values: self.values.select(Axis(0), rows).into_shared(), ..self.clone() }
    }

    pub(crate) fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    /// Of each column of text, how many different ones its rows had before the rare became one.
    pub(crate) fn different_texts(&self) -> &[Option<u64>] {
        &self.different
    }

    /// The values without copying them; another handle on the same memory.
    pub(crate) fn shared_values(&self) -> ArcArray2<f32> {
        self.values.clone()
    }
}
