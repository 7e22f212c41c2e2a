//! Scoring a table with a model of uplift: what a treatment would add for every row.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, RecordBatch};
use cip_core::{CoreError, table};
use cip_propensity::{UpliftModel, ranks};
use cip_store::TableWriter;

use crate::scoring::{ScoringError, ScoringTable};

impl ScoringTable {
    /// Writes the uplift and rank of every row, in the order of this table's rows, to `path`, and returns how many there are.
    ///
    /// # Complexity
    /// Reads the features once and the ids once; memory for 16 bytes a row, which the ranking takes.
    ///
    /// # Errors
    /// [`StoreError::UnknownColumn`](cip_store::StoreError::UnknownColumn) where a feature of the model is missing, and [`ScoringError`]; the old file at `path` is then still there.
    pub fn write_uplift_scores(
        &self,
        model: &UpliftModel,
        path: &Path,
        threads: NonZeroUsize,
    ) -> Result<u64, ScoringError> {
        let uplift =
            self.of_each_row(model.trees(), threads, |features| Ok(model.uplift(&features.view())?))?;
        let ranks = ranks(&uplift);
        let ids = self.id_fields();
        let schema = table::uplift(ids.iter().cloned());
        let names: Vec<&str> = ids.iter().map(|field| field.name().as_str()).collect();
        let mut writer = TableWriter::create(path, "uplift", &schema)?;
        let mut row = 0;
        for batch in self.source.batches(&names)? {
            let batch = batch?;
            let rows = row..row + batch.num_rows();
            let (found, places) = self.of(&uplift, &ranks, rows.clone())?;
            let mut columns = batch.columns().to_vec();
            columns.push(Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| row as i64))));
            columns.push(Arc::new(Float64Array::from(found.to_vec())));
            columns.push(Arc::new(Int64Array::from(places.to_vec())));
            writer.write(RecordBatch::try_new(Arc::clone(&schema), columns).map_err(CoreError::from)?)?;
            row = rows.end;
        }
        Ok(writer.finish()?)
    }
}
