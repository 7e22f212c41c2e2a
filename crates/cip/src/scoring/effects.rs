//! What a model makes of a whole table: the effect of every feature, and the reasons of some customers.

use std::num::NonZeroUsize;

use arrow_array::RecordBatch;
use cip_core::pipeline::ordered_map;
use cip_propensity::{
    EffectBuilder, Explainer, FeatureEffect, FeatureMatrixBuilder, PropensityModel, SampledRow, SampledRows,
    reasons,
};

use crate::scoring::{ExplainedRow, ScoringError, ScoringTable};

/// What [`ScoringTable::explain`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Rows of the table.
    pub rows: u64,
    /// The margin of a row of which nothing is known.
    pub base: f64,
    /// What each feature does to the margins of all rows, the greatest first.
    pub effects: Vec<FeatureEffect>,
    /// The customers that were asked for, in that order, with all their reasons.
    pub customers: Vec<ExplainedRow>,
    /// At most [`Explanation::SAMPLED_ROWS`] rows with all that is added to their margins, in the order of the table.
    pub sample: Vec<SampledRow>,
}

impl Explanation {
    /// The most rows of the sample.
    pub const SAMPLED_ROWS: usize = 1_000;
}

impl ScoringTable {
    /// Returns what each feature of a model does to the margins of this table's rows, and why the rows of `customers` have theirs:
    /// the first row whose first id is written so; without ids, the row of this number (from 0).
    ///
    /// # Complexity
    /// Reads the features and the ids once and explains every row (see [`Explainer`]) on all `threads`; memory for a few
    /// batches of 8,192 rows a thread.
    ///
    /// # Errors
    /// [`ScoringError::UnknownCustomer`]; [`StoreError::UnknownColumn`](cip_store::StoreError::UnknownColumn) where a feature
    /// of the model is missing, and [`ScoringError`].
    pub fn explain(
        &self,
        model: &PropensityModel,
        customers: &[impl AsRef<str>],
        threads: NonZeroUsize,
    ) -> Result<Explanation, ScoringError> {
        let features = model.trees().features();
        let explainer = Explainer::new(model.trees());
        let wanted: Vec<&str> = customers.iter().map(AsRef::as_ref).collect();
        let columns = self.ids().first().map(String::as_str).into_iter();
        let columns: Vec<&str> = columns.chain(features.iter().map(AsRef::as_ref)).collect();
        let mut row = 0;
        let batches = self.source.batches(&columns)?.map(move |batch| {
            let (batch, first_row) = (batch?, row);
            row += batch.num_rows();
            Ok::<_, ScoringError>((batch, first_row))
        });
        let explain = |batch| -> Result<_, ScoringError> {
            let (batch, first_row): (RecordBatch, usize) = batch?;
            let mut matrix = FeatureMatrixBuilder::of_model(model.trees()).with_first_row(first_row as u64);
            matrix.push(&batch)?;
            let matrix = matrix.finish()?;
            let contributions = explainer.contributions(&matrix.view())?;
            let mut found = Vec::new();
            let mut sample = SampledRows::new(Explanation::SAMPLED_ROWS);
            for at in 0..batch.num_rows() {
                sample.push((first_row + at) as u64, matrix.view().row(at), contributions.row(at));
            }
            // Who it is, is looked at only where somebody is asked for.
            if !wanted.is_empty() {
                let margins = model.trees().margins(&matrix.view())?;
                let ids = self.first_ids(&batch);
                for (at, &margin) in margins.iter().enumerate() {
                    let row = (first_row + at) as u64;
                    let id = ids.as_ref().and_then(|ids| ids.get(at)).map(|id| id.to_owned());
                    let name = match &id {
                        Some(id) => id.to_string(),
                        None if self.ids().is_empty() => row.to_string(),
                        None => continue,
                    };
                    for (place, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted == name) {
                        let of = (matrix.view(), contributions.row(at));
                        let reasons = reasons(model.trees(), of.0.row(at), of.1, features.len());
                        let (id, score) = (id.clone(), model.score(margin));
                        found.push((place, ExplainedRow { row, id, margin, score, reasons }));
                    }
                }
            }
            Ok((EffectBuilder::of(&contributions), sample, found))
        };
        let (mut effects, mut rows): (Option<EffectBuilder>, _) = (None, vec![None; wanted.len()]);
        let mut sample = SampledRows::new(Explanation::SAMPLED_ROWS);
        std::thread::scope(|scope| {
            for part in ordered_map(scope, threads, batches, explain) {
                let (part, sampled, found) = part?;
                sample.merge(sampled);
                match &mut effects {
                    Some(effects) => effects.merge(&part),
                    None => effects = Some(part),
                }
                for (place, row) in found {
                    rows[place].get_or_insert(row);
                }
            }
            Ok::<_, ScoringError>(())
        })?;
        let customers = rows
            .into_iter()
            .zip(&wanted)
            .map(|(row, wanted)| row.ok_or_else(|| ScoringError::UnknownCustomer { id: (*wanted).into() }));
        Ok(Explanation {
            rows: effects.as_ref().map_or(0, EffectBuilder::rows),
            base: explainer.base(),
            customers: customers.collect::<Result<_, _>>()?,
            sample: sample.finish(),
            effects: effects.map(|effects| effects.finish(features)).unwrap_or_default(),
        })
    }
}
