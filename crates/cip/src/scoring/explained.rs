//! Scoring a table with reasons: what each feature adds to every row's margin.

use std::num::NonZeroUsize;
use std::path::Path;

use arrow_array::RecordBatch;
use cip_core::pipeline::ordered_map;
use cip_core::{Id, IdColumn};
use cip_propensity::{
    Explainer, PropensityModel, Reason, explained_batch, ranks, reasons, score_batch, score_schema,
};
use cip_store::{TableColumn, TableWriter};

use crate::scoring::{ScoringError, ScoringTable};

/// What [`ScoringTable::write_explained_scores`] wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedScores {
    /// Rows of the table.
    pub rows: u64,
    /// The margin of a row of which nothing is known.
    pub base: f64,
    /// The best-ranked rows, the best first.
    pub best: Vec<ExplainedRow>,
}

/// A row of the scores and why it has its score.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedRow {
    /// 0-based row.
    pub row: u64,
    /// Its value in the first id column; none where there is none, or it is null or neither an integer nor text.
    pub id: Option<Id>,
    /// The log of the odds, not calibrated.
    pub margin: f64,
    /// The calibrated probability.
    pub score: f64,
    /// The features that moved its margin, the strongest first.
    pub reasons: Vec<Reason>,
}

impl ExplainedScores {
    /// The most rows in [`ExplainedScores::best`].
    pub const BEST_ROWS: usize = 5;
    /// The most reasons of each.
    pub const REASONS: usize = 3;
}

impl ScoringTable {
    /// Writes `scores` with the contribution of every feature, in the order of this table's rows, to `path`, and returns why the
    /// best rows have theirs.
    ///
    /// # Complexity
    /// Reads the features twice and the ids once; explaining takes far longer than scoring (see [`Explainer`]) and uses all
    /// `threads`. Memory for 16 bytes a row, which the ranking takes, and for a few batches of 8,192 rows a thread.
    ///
    /// # Errors
    /// As [`ScoringTable::write_scores`].
    pub fn write_explained_scores(
        &self,
        model: &PropensityModel,
        path: &Path,
        threads: NonZeroUsize,
    ) -> Result<ExplainedScores, ScoringError> {
        let fields = self.id_fields();
        let features = model.trees().features();
        let schema = score_schema(&fields, Some(features))?;
        let margins = self.margins(model, threads)?;
        let ranks = ranks(&margins);
        let explainer = Explainer::new(model.trees());
        let columns = fields.iter().map(|field| field.name().as_str());
        let columns: Vec<&str> = columns.chain(features.iter().map(AsRef::as_ref)).collect();

        let mut row = 0;
        let batches = self.source.batches(&columns)?.map(move |batch| {
            let (batch, first_row) = (batch?, row);
            row += batch.num_rows();
            Ok::<_, ScoringError>((batch, first_row))
        });
        let explain = |batch| -> Result<_, ScoringError> {
            let (batch, first_row): (RecordBatch, usize) = batch?;
            let rows = first_row..first_row + batch.num_rows();
            let ids: Vec<_> = fields.iter().cloned().zip(batch.columns().iter().cloned()).collect();
            let matrix = model.trees().features_of(std::slice::from_ref(&batch))?;
            let contributions = explainer.contributions(&matrix.view())?;
            let (margins, ranks) = self.of(&margins, &ranks, rows)?;
            let scores = score_batch(model, &ids, margins, ranks)?;
            let mut best = Vec::new();
            let is_among_the_best = |rank: &i64| *rank <= BEST_RANK;
            let ids_of_best = if ranks.iter().any(is_among_the_best) { self.first_ids(&batch) } else { None };
            for (at, &rank) in ranks.iter().enumerate().filter(|(_, rank)| is_among_the_best(rank)) {
                let (values, of) = (matrix.view(), contributions.row(at));
                let reasons = reasons(model.trees(), values.row(at), of, ExplainedScores::REASONS);
                let id = ids_of_best.as_ref().and_then(|ids| ids.get(at)).map(|id| id.to_owned());
                let margin = margins[at];
                let (row, score) = ((first_row + at) as u64, model.score(margin));
                best.push((rank, ExplainedRow { row, id, margin, score, reasons }));
            }
            Ok((explained_batch(model, &scores, explainer.base(), &contributions)?, best))
        };
        let mut writer = TableWriter::create(path, "scores", &schema)?;
        let mut best = Vec::new();
        std::thread::scope(|scope| {
            for part in ordered_map(scope, threads, batches, explain) {
                let (batch, found) = part?;
                writer.write(batch)?;
                best.extend(found);
            }
            Ok::<_, ScoringError>(())
        })?;
        best.sort_by_key(|(rank, _)| *rank);
        let best = best.into_iter().map(|(_, row)| row).collect();
        Ok(ExplainedScores { rows: writer.finish()?, base: explainer.base(), best })
    }

    /// The first ids of a batch; none where there are none, or where they are neither integers nor text.
    pub(super) fn first_ids(&self, batch: &RecordBatch) -> Option<IdColumn> {
        let name = self.ids().first()?;
        TableColumn::new(self.source.path(), name, 0, batch.column_by_name(name)?).ids().ok()
    }
}

/// The last rank that is among the best.
const BEST_RANK: i64 = ExplainedScores::BEST_ROWS as i64;
