//! What was known of a store's users before a cutoff.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt8Type;
use cip_core::column;
use cip_features::{Features, MatrixReport};
use cip_store::{EventPartition, TableWriter};

use crate::line::{Line, LineError};

/// Totals of a table of features.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FeatureTotals {
    /// Users with an event in the window.
    pub users: u64,
    /// Those of them with label 1; none where there is no label.
    pub positives: Option<u64>,
    /// Events in the window, or in that of the label, without a user.
    pub skipped_events: u64,
    /// What the values of each feature are like.
    pub report: MatrixReport,
}

impl Line<'_> {
    /// Writes `features`, sorted by user_id, to `path`.
    ///
    /// # Errors
    /// [`LineError`]; the old file at `path` is then still there.
    pub fn write_features(&self, features: &Features, path: &Path) -> Result<FeatureTotals, LineError> {
        let mut writer = TableWriter::create(path, "features", &features.schema())?;
        let totals = self.features(features, |batch| Ok(writer.write(batch)?))?;
        writer.finish()?;
        Ok(totals)
    }

    /// Gives the features of all users to `consume`, batch by batch and sorted by user_id: for a model that needs no file.
    ///
    /// # Errors
    /// [`LineError`], and what `consume` returns.
    pub fn features(
        &self,
        features: &Features,
        mut consume: impl FnMut(RecordBatch) -> Result<(), LineError>,
    ) -> Result<FeatureTotals, LineError> {
        let mut totals = FeatureTotals {
            positives: features.label_until().map(|_| 0),
            report: MatrixReport::new(features),
            ..FeatureTotals::default()
        };
        let compute = |partition| compute(features, &partition);
        // The scan has no time range: the builder finds the window by bisection, a filter would copy every column.
        self.each_partition(self.scan(&features.columns())?, compute, |(batches, skipped)| {
            totals.skipped_events += skipped;
            for batch in batches {
                totals.users += batch.num_rows() as u64;
                totals.report.add(&batch);
                if let (Some(positives), Some(labels)) =
                    (&mut totals.positives, batch.column_by_name(column::LABEL))
                {
                    let labels = labels.as_primitive::<UInt8Type>().values();
                    *positives += labels.iter().map(|&label| u64::from(label)).sum::<u64>();
                }
                consume(batch)?;
            }
            Ok(())
        })?;
        Ok(totals)
    }
}

/// The features of a partition's users, and how many events are nobody's.
pub(super) fn compute(
    features: &Features,
    partition: &EventPartition,
) -> Result<(Vec<RecordBatch>, u64), LineError> {
    let mut builder = features.builder();
    let mut batches = Vec::new();
    for events in partition.batches()? {
        batches.push(builder.push(&events?)?);
    }
    let skipped = builder.skipped_events();
    batches.push(builder.finish()?);
    batches.retain(|batch| batch.num_rows() > 0);
    Ok((batches, skipped))
}
