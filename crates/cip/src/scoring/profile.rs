//! The profile of a table: the distribution of its features, and of what a model makes of them.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use cip_core::pipeline::ordered_map;
use cip_drift::TableProfile;
use cip_propensity::{FeatureMatrixBuilder, PropensityModel};

use crate::scoring::{ScoringError, ScoringTable};

/// The column of a model's scores in a profile.
pub const MODEL_SCORE: &str = "model score";

impl ScoringTable {
    /// Returns the profile of some columns, of up to `cells` counts each (see [`TableProfile::cells_within`]); with a model, also of its
    /// scores, as the column [`MODEL_SCORE`].
    ///
    /// # Complexity
    /// Reads the columns once on all `threads`; memory for the profile, and for a few batches and their profiles a thread.
    ///
    /// # Errors
    /// [`StoreError::UnknownColumn`](cip_store::StoreError::UnknownColumn) where a column, or a feature of the model, is missing;
    /// [`ScoringError::ScoreName`], and [`ScoringError`].
    pub fn profile(
        &self,
        columns: &[impl AsRef<str>],
        model: Option<&PropensityModel>,
        cells: usize,
        threads: NonZeroUsize,
    ) -> Result<TableProfile, ScoringError> {
        let mut names: Vec<&str> = columns.iter().map(AsRef::as_ref).collect();
        let mut fields = self.fields(&names)?;
        if let Some(model) = model {
            if names.contains(&MODEL_SCORE) {
                return Err(ScoringError::ScoreName { column: MODEL_SCORE.into() });
            }
            fields.push(Field::new(MODEL_SCORE, DataType::Float64, false));
            for feature in model.trees().features() {
                if !names.contains(&&**feature) {
                    names.push(feature);
                }
            }
        }
        let empty = TableProfile::new(&Schema::new(fields)).with_cells(cells);
        let mut rows = 0;
        let batches = self.source.batches(&names)?.map(move |batch| {
            let (batch, first_row) = (batch?, rows);
            rows += batch.num_rows() as u64;
            Ok::<_, ScoringError>((batch, first_row))
        });
        let profile = |batch: Result<(RecordBatch, u64), ScoringError>| {
            let (batch, first_row) = batch?;
            let batch = match model {
                Some(model) => with_scores(&batch, model, first_row)?,
                None => batch,
            };
            let mut profile = empty.clone();
            profile.push(&batch)?;
            Ok::<_, ScoringError>(profile)
        };
        let mut whole = empty.clone();
        std::thread::scope(|scope| {
            for part in ordered_map(scope, threads, batches, profile) {
                whole.merge(&part?)?;
            }
            Ok(whole)
        })
    }

    fn fields(&self, names: &[&str]) -> Result<Vec<Field>, ScoringError> {
        let batches = self.source.batches(names)?;
        Ok(batches.schema().fields().iter().map(|field| field.as_ref().clone()).collect())
    }
}

/// A batch, and the scores that a model gives its rows.
fn with_scores(
    batch: &RecordBatch,
    model: &PropensityModel,
    first_row: u64,
) -> Result<RecordBatch, ScoringError> {
    let mut features = FeatureMatrixBuilder::of_model(model.trees()).with_first_row(first_row);
    features.push(batch)?;
    let margins = model.trees().margins(&features.finish()?.view())?;
    let scores: Float64Array = margins.iter().map(|&margin| Some(model.score(margin))).collect();
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(MODEL_SCORE, DataType::Float64, false)));
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(scores));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(cip_core::CoreError::from)?)
}
