//! Two tables, compared.

use serde::Serialize;

use crate::column::ColumnKind;
use crate::error::DriftError;
use crate::feature::{FeatureDrift, Verdict};
use crate::options::{DriftOptions, Preset};
use crate::performance::EstimatedPerformance;
use crate::profile::{Profiled, SkippedColumn, TableProfile};

/// What has changed between a reference and a current table.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use arrow_array::{ArrayRef, Int64Array, RecordBatch};
/// use cip_drift::{DriftOptions, DriftReport, Preset, TableProfile, Verdict};
///
/// let profile = |visits: &[i64]| {
///     let visits: ArrayRef = Arc::new(Int64Array::from(visits.to_vec()));
///     let batch = RecordBatch::try_from_iter([("visits", visits)])?;
///     let mut profile = TableProfile::new(&batch.schema());
///     profile.push(&batch)?;
///     Ok::<_, Box<dyn std::error::Error>>(profile)
/// };
/// let may: Vec<i64> = (0..1_000).map(|user| user % 50).collect();
/// let june: Vec<i64> = may.iter().map(|visits| visits + 15).collect();
/// let report = DriftReport::compare(&profile(&may)?, &profile(&june)?, &DriftOptions::new(Preset::Cip))?;
/// assert_eq!(report.verdict, Verdict::Large);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DriftReport {
    /// By whose conventions.
    pub preset: Preset,
    /// The level of significance.
    pub alpha: f64,
    /// Rows of the reference.
    pub reference_rows: u64,
    /// Rows of the current table.
    pub current_rows: u64,
    /// Of both tables: by the preset `evidently` large where half of the features drift or more, else the worst of the features, and large
    /// where a column is gone or has another kind.
    pub verdict: Verdict,
    /// Features that drift: whose verdict is moderate or large.
    pub drifted: usize,
    /// Their share of those that were compared.
    pub share_drifted: f64,
    /// How much the model leans on those that drift, where that was said: the sum of their importances.
    pub importance_drifted: Option<f64>,
    /// The features, in the reference's order.
    pub features: Vec<FeatureDrift>,
    /// The prediction, where one was named.
    pub prediction: Option<FeatureDrift>,
    /// What the model achieves by its own scores, where they are probabilities.
    pub performance: Option<PerformanceChange>,
    /// Columns that could not be compared.
    pub columns: ColumnChanges,
}

/// What a model achieves in both tables, by its own scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PerformanceChange {
    /// In the reference.
    pub reference: EstimatedPerformance,
    /// In the current table.
    pub current: EstimatedPerformance,
}

/// Columns that could not be compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ColumnChanges {
    /// Of the reference alone.
    pub gone: Vec<Box<str>>,
    /// Of the current table alone.
    pub new: Vec<Box<str>>,
    /// Texts in one table and numbers in the other.
    pub changed_kind: Vec<KindChange>,
    /// Columns whose type has no distribution that is compared.
    pub skipped: Vec<SkippedColumn>,
}

/// A column of another kind than before.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KindChange {
    /// The column.
    pub column: Box<str>,
    /// Its kind in the reference.
    pub reference: ColumnKind,
    /// Its kind in the current table.
    pub current: ColumnKind,
}

impl DriftReport {
    /// Returns what has changed between the table of `reference` and that of `current`.
    ///
    /// # Errors
    /// [`DriftError::NoRows`], [`DriftError::NoColumns`]; [`DriftError::MissingColumn`] and [`DriftError::ScoreKind`] for the column of
    /// scores.
    pub fn compare(
        reference: &TableProfile,
        current: &TableProfile,
        options: &DriftOptions,
    ) -> Result<Self, DriftError> {
        for (table, profile) in [("reference", reference), ("current", current)] {
            if profile.rows() == 0 {
                return Err(DriftError::NoRows { table });
            }
        }
        let prediction = match &options.score {
            Some(score) => {
                Some([score_of("reference", reference, score)?, score_of("current", current, score)?])
            }
            None => None,
        };
        let is_score = |column: &Profiled| options.score.as_ref() == Some(&column.name);
        let mut columns = ColumnChanges { skipped: reference.skipped().to_vec(), ..ColumnChanges::default() };
        let unseen = |skipped: &&SkippedColumn| {
            !reference.skipped().iter().any(|known| known.column == skipped.column)
        };
        columns.skipped.extend(current.skipped().iter().filter(unseen).cloned());
        let skipped =
            |name: &str, table: &TableProfile| table.skipped().iter().any(|skipped| *skipped.column == *name);
        let mut features = Vec::new();
        for column in reference.columns().iter().filter(|column| !is_score(column)) {
            let Some(other) = current.find(&column.name) else {
                if !skipped(&column.name, current) {
                    columns.gone.push(column.name.clone());
                }
                continue;
            };
            let kinds = [column.profile.known_kind(), other.profile.known_kind()];
            match kinds[0].beside(kinds[1]) {
                Some(kind) => {
                    features.push(FeatureDrift::new(
                        &column.name,
                        kind,
                        [&column.profile, &other.profile],
                        options,
                    ));
                }
                None => columns.changed_kind.push(KindChange {
                    column: column.name.clone(),
                    reference: kinds[0],
                    current: kinds[1],
                }),
            }
        }
        let added = current
            .columns()
            .iter()
            .filter(|column| !is_score(column) && reference.find(&column.name).is_none());
        columns.new.extend(added.map(|column| column.name.clone()).filter(|name| !skipped(name, reference)));
        if features.is_empty() && prediction.is_none() && columns.changed_kind.is_empty() {
            return Err(DriftError::NoColumns { reference: reference.names(), current: current.names() });
        }
        FeatureDrift::judge(&mut features, options);
        let mut scores: Vec<_> = (prediction.iter())
            .map(|pair| {
                FeatureDrift::new(&pair[0].name, ColumnKind::Number, pair.map(|of| &of.profile), options)
            })
            .collect();
        FeatureDrift::judge(&mut scores, options);
        let performance = prediction.and_then(|pair| {
            let [reference, current] =
                pair.map(|of| EstimatedPerformance::of(&of.profile, options.threshold));
            Some(PerformanceChange { reference: reference?, current: current? })
        });
        let drifting = || features.iter().filter(|feature| feature.drifts());
        let drifted = drifting().count();
        let share_drifted = if features.is_empty() { 0.0 } else { drifted as f64 / features.len() as f64 };
        Ok(Self {
            preset: options.preset(),
            alpha: options.alpha,
            reference_rows: reference.rows(),
            current_rows: current.rows(),
            verdict: verdict(&features, share_drifted, &columns, options.preset()),
            drifted,
            share_drifted,
            importance_drifted: (!options.importance.is_empty())
                .then(|| drifting().filter_map(|feature| feature.importance).sum()),
            features,
            prediction: scores.pop(),
            performance,
            columns,
        })
    }
}

fn score_of<'a>(
    table: &'static str,
    profile: &'a TableProfile,
    score: &str,
) -> Result<&'a Profiled, DriftError> {
    let missing = || DriftError::MissingColumn { table, column: score.into(), columns: profile.names() };
    let column = profile.find(score).ok_or_else(missing)?;
    match column.profile.kind {
        ColumnKind::Number | ColumnKind::Unknown => Ok(column),
        _ => Err(DriftError::ScoreKind { table, column: score.into() }),
    }
}

/// The verdict of both tables.
fn verdict(
    features: &[FeatureDrift],
    share_drifted: f64,
    columns: &ColumnChanges,
    preset: Preset,
) -> Verdict {
    /// Evidently's share of features from which on a table drifts.
    const DRIFT_SHARE: f64 = 0.5;
    if !columns.gone.is_empty() || !columns.changed_kind.is_empty() {
        return Verdict::Large;
    }
    match preset {
        Preset::Evidently if share_drifted >= DRIFT_SHARE => Verdict::Large,
        Preset::Evidently => Verdict::Stable,
        _ => features.iter().map(|feature| feature.verdict).max().unwrap_or(Verdict::Stable),
    }
}
