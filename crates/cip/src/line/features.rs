//! What was known of a store's users before a cutoff.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt8Type;
use cip_core::{EventBatch, TimeRange, column};
use cip_features::spec::{FeatureSpec, SpecBuilder, SpecFeatures, Survey};
use cip_features::{FeatureBuilder, Features, FeaturesError, MatrixReport};
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
        consume: impl FnMut(RecordBatch) -> Result<(), LineError>,
    ) -> Result<FeatureTotals, LineError> {
        let totals = FeatureTotals {
            positives: features.label_until().map(|_| 0),
            report: MatrixReport::new(features),
            ..FeatureTotals::default()
        };
        self.users(&features.columns(), totals, |partition| compute(features, &partition), consume)
    }

    /// Gives the features of a specification of all users to `consume`, batch by batch and sorted by user_id.
    ///
    /// # Errors
    /// [`LineError`], and what `consume` returns.
    pub fn spec_features(
        &self,
        features: &SpecFeatures,
        consume: impl FnMut(RecordBatch) -> Result<(), LineError>,
    ) -> Result<FeatureTotals, LineError> {
        let totals = FeatureTotals {
            positives: features.label_until().map(|_| 0),
            report: MatrixReport::of_spec(features),
            ..FeatureTotals::default()
        };
        let run = Run {
            push: SpecBuilder::push,
            skipped: SpecBuilder::skipped_events,
            finish: SpecBuilder::finish,
        };
        let compute = |partition: EventPartition| run.over(features.builder(), &partition);
        self.users(&features.columns(), totals, compute, consume)
    }

    /// Writes the features of a specification, sorted by user_id, to `path`.
    ///
    /// # Errors
    /// [`LineError`]; the old file at `path` is then still there.
    pub fn write_spec_features(
        &self,
        features: &SpecFeatures,
        path: &Path,
    ) -> Result<FeatureTotals, LineError> {
        let mut writer = TableWriter::create(path, "features", &features.schema())?;
        let totals = self.spec_features(features, |batch| Ok(writer.write(batch)?))?;
        writer.finish()?;
        Ok(totals)
    }

    /// Returns a specification with the values of its pivots listed: those that are most frequent in `window`, of which a pass over
    /// the events is made. One that is settled comes back as it is.
    ///
    /// # Errors
    /// [`LineError`], with what [`Survey`] refuses.
    pub fn settle(&self, spec: &FeatureSpec, window: TimeRange) -> Result<FeatureSpec, LineError> {
        if spec.is_settled() {
            return Ok(spec.clone());
        }
        let mut survey = Survey::new(spec, window, self.store.schema())?;
        let scan = self.scan(&survey.columns())?;
        let count = |partition: EventPartition| {
            let mut survey = Survey::new(spec, window, self.store.schema())?;
            for events in partition.batches()? {
                survey.push(&events?)?;
            }
            Ok(survey)
        };
        self.each_partition(scan, count, |counted| Ok(survey.merge(counted)?))?;
        Ok(survey.settle()?)
    }

    /// Computes the features of every partition, adds up what is to be told of them, and hands them on.
    fn users(
        &self,
        columns: &[&str],
        mut totals: FeatureTotals,
        compute: impl Fn(EventPartition) -> Result<(Vec<RecordBatch>, u64), LineError> + Send + Sync,
        mut consume: impl FnMut(RecordBatch) -> Result<(), LineError>,
    ) -> Result<FeatureTotals, LineError> {
        // The scan has no time range: the builder finds the window by bisection, a filter would copy every column.
        self.each_partition(self.scan(columns)?, compute, |(batches, skipped)| {
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
    let run = Run {
        push: FeatureBuilder::push,
        skipped: FeatureBuilder::skipped_events,
        finish: FeatureBuilder::finish,
    };
    run.over(features.builder(), partition)
}

/// How a builder makes rows of users from a stream of events.
struct Run<B> {
    push: fn(&mut B, &EventBatch) -> Result<RecordBatch, FeaturesError>,
    skipped: fn(&B) -> u64,
    finish: fn(B) -> Result<RecordBatch, FeaturesError>,
}

impl<B> Run<B> {
    fn over(&self, mut builder: B, partition: &EventPartition) -> Result<(Vec<RecordBatch>, u64), LineError> {
        let mut batches = Vec::new();
        for events in partition.batches()? {
            batches.push((self.push)(&mut builder, &events?)?);
        }
        let skipped = (self.skipped)(&builder);
        batches.push((self.finish)(builder)?);
        batches.retain(|batch| batch.num_rows() > 0);
        Ok((batches, skipped))
    }
}
