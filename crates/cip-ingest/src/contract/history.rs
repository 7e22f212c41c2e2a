//! What contracts found over the life of a store: a report for each ingest, and all of them as a table.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{
    Float64Builder, Int64Builder, StringBuilder, StringDictionaryBuilder, UInt32Builder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use cip_core::{CoreError, table};
use cip_store::{EventStore, TableWriter};
use serde::Deserialize;

use super::quality::{ExpectationReport, QualityReport};
use crate::error::IngestError;

/// The quality reports that a store keeps, in the order of its commits; of one commit, in the order of their ingests.
///
/// # Examples
/// ```no_run
/// use cip_ingest::QualityHistory;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = cip_store::EventStore::open("STORE".as_ref())?;
/// let history = QualityHistory::of(&store)?;
/// for kept in history.reports() {
///     println!("commit {}: {} of {} rows are gold", kept.commit, kept.report.gold, kept.report.bronze);
/// }
/// history.write("quality.parquet".as_ref())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QualityHistory {
    reports: Vec<KeptReport>,
}

/// A report and where it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptReport {
    /// The commit that keeps it.
    pub commit: u32,
    /// 1, 2, 3, … in this commit, which has several where commits were merged.
    pub number: u32,
    /// What was found.
    pub report: QualityReport,
}

impl QualityHistory {
    /// Returns the reports that a store keeps; none where no contract was given to any ingest.
    ///
    /// # Errors
    /// [`IngestError::Report`] where the manifest has something else in its place.
    pub fn of(store: &EventStore) -> Result<Self, IngestError> {
        let mut reports = Vec::new();
        for commit in &store.manifest().commits {
            for (number, kept) in (1..).zip(&commit.quality) {
                let report = QualityReport::deserialize(&kept["report"])
                    .map_err(|source| IngestError::Report { commit: commit.id, source })?;
                reports.push(KeptReport { commit: commit.id, number, report });
            }
        }
        Ok(Self { reports })
    }

    /// The reports, the oldest first.
    pub fn reports(&self) -> &[KeptReport] {
        &self.reports
    }

    /// Returns the table `quality` ([`cip_core::table::quality`]): a row for each expectation of each report.
    ///
    /// # Errors
    /// [`IngestError::Core`] where a count is beyond 63 bits.
    pub fn record_batch(&self) -> Result<RecordBatch, IngestError> {
        let mut columns = Columns::default();
        for kept in &self.reports {
            for found in &kept.report.expectations {
                columns.push(kept, found)?;
            }
        }
        Ok(columns.finish()?)
    }

    /// Writes the table `quality` to `path` and returns its rows.
    ///
    /// # Errors
    /// As [`QualityHistory::record_batch`], and [`cip_store::StoreError`]; the old file at `path` is then still there.
    pub fn write(&self, path: &Path) -> Result<u64, IngestError> {
        let batch = self.record_batch()?;
        let mut writer = TableWriter::create(path, "quality", &batch.schema())?;
        writer.write(batch)?;
        Ok(writer.finish()?)
    }
}

/// The columns of the table so far.
#[derive(Default)]
struct Columns {
    commit: UInt32Builder,
    report: UInt32Builder,
    contract: StringDictionaryBuilder<Int32Type>,
    /// `bronze`, `silver` and `gold`.
    layers: [Int64Builder; 3],
    expectation: StringBuilder,
    kind: StringDictionaryBuilder<Int32Type>,
    column: StringBuilder,
    action: StringDictionaryBuilder<Int32Type>,
    /// `checked`, `nulls`, `passed`, `failed`, `warned`, `dropped` and `quarantined`.
    counts: [Int64Builder; 7],
    share: Float64Builder,
    observed: StringBuilder,
    status: StringDictionaryBuilder<Int32Type>,
}

impl Columns {
    fn push(&mut self, kept: &KeptReport, found: &ExpectationReport) -> Result<(), IngestError> {
        let KeptReport { commit, number, report } = kept;
        self.commit.append_value(*commit);
        self.report.append_value(*number);
        self.contract.append_value(&report.contract);
        count(&mut self.layers, [report.bronze, report.silver, report.gold])?;
        self.expectation.append_value(&found.name);
        self.kind.append_value(&found.expect);
        self.column.append_option((!found.columns.is_empty()).then(|| found.columns.join(", ")));
        self.action.append_value(&found.action);
        let failed = found.violations;
        let ExpectationReport { checked, nulls, passed, warned, dropped, quarantined, .. } = *found;
        count(&mut self.counts, [checked, nulls, passed, failed, warned, dropped, quarantined])?;
        self.share.append_option((checked > 0).then(|| failed as f64 / checked as f64));
        self.observed.append_option(found.observed.as_ref());
        self.status.append_value(if found.holds { "holds" } else { "violated" });
        Ok(())
    }

    fn finish(mut self) -> Result<RecordBatch, CoreError> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.commit.finish()),
            Arc::new(self.report.finish()),
            Arc::new(self.contract.finish()),
        ];
        columns.extend(self.layers.iter_mut().map(|layer| Arc::new(layer.finish()) as ArrayRef));
        let texts: [ArrayRef; 4] = [
            Arc::new(self.expectation.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.column.finish()),
            Arc::new(self.action.finish()),
        ];
        columns.extend(texts);
        columns.extend(self.counts.iter_mut().map(|counts| Arc::new(counts.finish()) as ArrayRef));
        let last: [ArrayRef; 3] =
            [Arc::new(self.share.finish()), Arc::new(self.observed.finish()), Arc::new(self.status.finish())];
        columns.extend(last);
        Ok(RecordBatch::try_new(table::quality(), columns)?)
    }
}

/// Appends a count to each of some columns.
fn count<const N: usize>(columns: &mut [Int64Builder; N], counts: [u64; N]) -> Result<(), CoreError> {
    for (column, count) in columns.iter_mut().zip(counts) {
        let count = i64::try_from(count).map_err(|_| CoreError::Quantity {
            text: count.to_string(),
            expected: "a count of rows: the manifest holds another number",
        })?;
        column.append_value(count);
    }
    Ok(())
}
