//! The table of scores.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow_schema::{Field, SchemaRef};
use cip_core::{CoreError, table};
use ndarray::Array2;

use crate::error::PropensityError;
use crate::file::PropensityModel;

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

/// Returns the schema of `scores` with these id columns, and, where `explained` features are given, with what each contributes.
///
/// # Errors
/// [`PropensityError::IdName`] where an id has the name of a column that the scores have.
pub fn score_schema(ids: &[Field], explained: Option<&[Box<str>]>) -> Result<SchemaRef, PropensityError> {
    let fields = ids.iter().cloned();
    let schema = match explained {
        None => table::scores(fields),
        Some(features) => table::explained_scores(fields, features.iter().map(AsRef::as_ref)),
    };
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    match names[..ids.len()].iter().find(|name| names[ids.len()..].contains(name)) {
        Some(&name) => Err(PropensityError::IdName { column: name.into() }),
        None => Ok(schema),
    }
}

/// Returns rows of `scores`: the id columns as they are, and the score of a model, margin and rank of each row.
///
/// # Errors
/// [`PropensityError::IdName`]; [`PropensityError::Core`] where the columns have different lengths.
pub fn score_batch(
    model: &PropensityModel,
    ids: &[(Field, ArrayRef)],
    margins: &[f64],
    ranks: &[i64],
) -> Result<RecordBatch, PropensityError> {
    let fields: Vec<Field> = ids.iter().map(|(field, _)| field.clone()).collect();
    let mut columns: Vec<ArrayRef> = ids.iter().map(|(_, array)| Arc::clone(array)).collect();
    columns.push(Arc::new(margins.iter().map(|&margin| model.score(margin)).collect::<Float64Array>()));
    columns.push(Arc::new(Float64Array::from(margins.to_vec())));
    columns.push(Arc::new(Int64Array::from(ranks.to_vec())));
    Ok(RecordBatch::try_new(score_schema(&fields, None)?, columns).map_err(CoreError::from)?)
}

/// Returns rows of `scores` with their explanation: `base`, and the contributions of the model's features (columns) to the
/// margin of each row, as [`Explainer`](crate::Explainer) gives them.
///
/// # Errors
/// [`PropensityError::IdName`]; [`PropensityError::Core`] where the columns have different lengths, and
/// [`PropensityError::FeatureCount`] where there are other columns of contributions than the model has features.
pub fn explained_batch(
    model: &PropensityModel,
    scores: &RecordBatch,
    base: f64,
    contributions: &Array2<f64>,
) -> Result<RecordBatch, PropensityError> {
    let features = model.trees().features();
    if contributions.ncols() != features.len() {
        let (found, expected) = (contributions.ncols(), features.len());
        return Err(PropensityError::FeatureCount { found, expected });
    }
    let own = table::scores([]).fields().len();
    let ids: Vec<Field> = (scores.schema().fields().iter().take(scores.num_columns() - own))
        .map(|field| field.as_ref().clone())
        .collect();
    let mut columns = scores.columns().to_vec();
    columns.push(Arc::new(Float64Array::from(vec![base; scores.num_rows()])));
    for feature in contributions.columns() {
        columns.push(Arc::new(feature.iter().copied().collect::<Float64Array>()));
    }
    Ok(RecordBatch::try_new(score_schema(&ids, Some(features))?, columns).map_err(CoreError::from)?)
}
