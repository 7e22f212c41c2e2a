//! Scoring a table: every row's margin, probability and rank.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::Path;

use arrow_schema::Field;
use cip_core::pipeline::ordered_map;
use cip_propensity::{
    BoostedTrees, Evaluation, FeatureMatrix, FeatureMatrixBuilder, LabelBuilder, PropensityModel,
    WeightBuilder, ranks, score_batch, score_schema,
};
use cip_store::{StoreError, TableWriter};

use crate::scoring::{Foretold, ScoringError, ScoringTable};

impl ScoringTable {
    /// Writes `scores`, in the order of this table's rows, to `path` and returns how many there are.
    ///
    /// # Complexity
    /// Reads the features once and the ids once; memory for 16 bytes a row, which the ranking takes.
    ///
    /// # Errors
    /// [`StoreError::UnknownColumn`] where a feature of the model is missing, and
    /// [`ScoringError`]; the old file at `path` is then still there.
    pub fn write_scores(
        &self,
        model: &PropensityModel,
        path: &Path,
        threads: NonZeroUsize,
    ) -> Result<u64, ScoringError> {
        let fields = self.id_fields();
        let schema = score_schema(&fields, None)?;
        let margins = self.margins(model, threads)?;
        let ranks = ranks(&margins);
        let ids: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let mut writer = TableWriter::create(path, "scores", &schema)?;
        let mut row = 0;
        for batch in self.source.batches(&ids)? {
            let batch = batch?;
            let rows = row..row + batch.num_rows();
            let columns: Vec<_> = fields.iter().cloned().zip(batch.columns().iter().cloned()).collect();
            let (margins, ranks) = self.of(&margins, &ranks, rows.clone())?;
            writer.write(score_batch(model, &columns, margins, ranks)?)?;
            row = rows.end;
        }
        Ok(writer.finish()?)
    }

    /// Returns how well a model foretells the column `label` of this table.
    ///
    /// # Errors
    /// [`ScoringError`], where a feature of the model or the label is missing as well.
    pub fn evaluate(
        &self,
        model: &PropensityModel,
        label: &str,
        threads: NonZeroUsize,
    ) -> Result<Evaluation, ScoringError> {
        Ok(self.foretold(model, label, threads)?.evaluate()?)
    }

    /// Returns what a model foretells of the column `label` of this table, and what came true.
    ///
    /// # Errors
    /// As [`ScoringTable::evaluate`].
    pub fn foretold<'a>(
        &self,
        model: &'a PropensityModel,
        label: &str,
        threads: NonZeroUsize,
    ) -> Result<Foretold<'a>, ScoringError> {
        let mut labels = LabelBuilder::new(label);
        for batch in self.source.batches(&[label])? {
            labels.push(&batch?)?;
        }
        Ok(Foretold { model, margins: self.margins(model, threads)?, labels: labels.finish() })
    }

    /// Returns the weights of all rows.
    ///
    /// # Errors
    /// [`PropensityError::WeightType`](cip_propensity::PropensityError::WeightType),
    /// [`PropensityError::WeightValue`](cip_propensity::PropensityError::WeightValue), and [`ScoringError`].
    pub fn weights(&self, column: &str) -> Result<Vec<f64>, ScoringError> {
        let mut weights = WeightBuilder::new(column);
        for batch in self.source.batches(&[column])? {
            weights.push_where(&batch?, |_| true)?;
        }
        Ok(weights.finish())
    }

    /// What is known of some rows; an error where the table has more of them than when they were scored.
    pub(super) fn of<'a>(
        &self,
        margins: &'a [f64],
        ranks: &'a [i64],
        rows: Range<usize>,
    ) -> Result<(&'a [f64], &'a [i64]), StoreError> {
        let found = margins.get(rows.clone()).zip(ranks.get(rows));
        found.ok_or_else(|| StoreError::Changed { path: self.source.path().to_owned() })
    }

    /// The id columns, in the table's order.
    pub(super) fn id_fields(&self) -> Vec<Field> {
        let fields = self.source.schema().fields().iter();
        fields.filter(|field| self.ids().contains(field.name())).map(|field| field.as_ref().clone()).collect()
    }

    /// The margin of every row.
    pub(super) fn margins(
        &self,
        model: &PropensityModel,
        threads: NonZeroUsize,
    ) -> Result<Vec<f64>, ScoringError> {
        let trees = model.trees();
        self.of_each_row(trees, threads, |features| Ok(trees.margins(&features.view())?.to_vec()))
    }

    /// A number for every row, which `score` makes of the features of some, as `trees` takes them.
    pub(super) fn of_each_row(
        &self,
        trees: &BoostedTrees,
        threads: NonZeroUsize,
        score: impl Fn(&FeatureMatrix) -> Result<Vec<f64>, ScoringError> + Send + Sync,
    ) -> Result<Vec<f64>, ScoringError> {
        let names: Vec<&str> = trees.features().iter().map(AsRef::as_ref).collect();
        let mut rows = 0;
        let batches = self.source.batches(&names)?.map(move |batch| {
            let (batch, first_row) = (batch?, rows);
            rows += batch.num_rows() as u64;
            Ok::<_, StoreError>((batch, first_row))
        });
        let score = |batch| {
            let (batch, first_row) = batch?;
            let mut features = FeatureMatrixBuilder::of_model(trees).with_first_row(first_row);
            features.push(&batch)?;
            score(&features.finish()?)
        };
        let mut scores = Vec::new();
        std::thread::scope(|scope| {
            for part in ordered_map(scope, threads, batches, score) {
                scores.extend(part?);
            }
            Ok(scores)
        })
    }
}
