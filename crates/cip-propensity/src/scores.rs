//! The table of scores.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow_schema::Field;
use cip_core::{CoreError, table};

use crate::boosted::probability;
use crate::error::PropensityError;

/// Returns the rank of every margin: 1 for the highest; equal ones have the order of their rows.
///
/// # Examples
/// ```
/// assert_eq!(cip_propensity::ranks(&[0.5, 2.0, 0.5, -1.0]), [2, 1, 3, 4]);
/// ```
pub fn ranks(margins: &[f64]) -> Vec<i64> {
    let mut order: Vec<usize> = (0..margins.len()).collect();
    order.sort_by(|&a, &b| margins[b].total_cmp(&margins[a]));
    let mut ranks = vec![0; margins.len()];
    for (rank, row) in (1..).zip(order) {
        ranks[row] = rank;
    }
    ranks
}

/// Returns rows of `scores`: the id columns as they are, and the score, margin and rank of each row.
///
/// # Errors
/// [`PropensityError::Core`] where the columns have different lengths.
pub fn score_batch(
    ids: &[(Field, ArrayRef)],
    margins: &[f64],
    ranks: &[i64],
) -> Result<RecordBatch, PropensityError> {
    let schema = table::scores(ids.iter().map(|(field, _)| field.clone()));
    let mut columns: Vec<ArrayRef> = ids.iter().map(|(_, array)| Arc::clone(array)).collect();
    columns.push(Arc::new(margins.iter().map(|&margin| probability(margin)).collect::<Float64Array>()));
    columns.push(Arc::new(Float64Array::from(margins.to_vec())));
    columns.push(Arc::new(Int64Array::from(ranks.to_vec())));
    Ok(RecordBatch::try_new(schema, columns).map_err(CoreError::from)?)
}
