//! What the values of a table are like: nulls, the least, the greatest, and those outside their range.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};

use crate::feature::Feature;
use crate::features::Features;

/// What the values of one feature are like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColumnReport {
    /// Which one.
    pub feature: Feature,
    /// Users of whom it is unknown.
    pub nulls: u64,
    /// The least value; none where all are null.
    pub min: Option<f64>,
    /// The greatest value; none where all are null.
    pub max: Option<f64>,
    /// Values outside [`Feature::range`]; 0 where it has none.
    pub outside: u64,
}

/// What the columns of a table of features are like, over all batches that were added.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
/// # use cip_core::{EventBatch, TimeRange};
/// # let times = TimestampMicrosecondArray::from(vec![0, 1, 2]).with_timezone("UTC");
/// # let columns: [(&str, ArrayRef); 2] =
/// #     [("user_id", Arc::new(Int64Array::from(vec![7, 7, 9]))), ("event_time", Arc::new(times))];
/// # let events = EventBatch::try_new(RecordBatch::try_from_iter(columns)?)?;
/// # let window = TimeRange::new("1970-01-01".parse()?, "1970-01-31".parse()?)?;
/// use cip_features::{Feature, Features, MatrixReport};
/// let features = Features::new(window, events.schema())?.with_columns(&[Feature::Events])?;
/// let mut report = MatrixReport::new(&features);
/// report.add(&features.matrix(&[events])?);
/// let [events] = report.columns() else { panic!("one feature was selected") };
/// assert_eq!((events.min, events.max, events.nulls, events.outside), (Some(1.0), Some(2.0), 0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MatrixReport {
    columns: Vec<ColumnReport>,
}

impl MatrixReport {
    /// Returns the report of a table without rows.
    pub fn new(features: &Features) -> Self {
        let column = |&feature: &_| ColumnReport { feature, nulls: 0, min: None, max: None, outside: 0 };
        Self { columns: features.selected().iter().map(column).collect() }
    }

    /// Adds rows of the table; columns that it does not have add nothing.
    pub fn add(&mut self, batch: &RecordBatch) {
        for report in &mut self.columns {
            let Some(column) = batch.column_by_name(report.feature.name()) else { continue };
            report.nulls += column.null_count() as u64;
            if let Some(counts) = column.as_primitive_opt::<Int64Type>() {
                match counts.null_count() {
                    0 => report.add(counts.values().iter().map(|&count| count as f64)),
                    _ => report.add(counts.iter().flatten().map(|count| count as f64)),
                }
            } else if let Some(ratios) = column.as_primitive_opt::<Float64Type>() {
                match ratios.null_count() {
                    0 => report.add(ratios.values().iter().copied()),
                    _ => report.add(ratios.iter().flatten()),
                }
            }
        }
    }

    /// The features, in the order of their columns.
    pub fn columns(&self) -> &[ColumnReport] {
        &self.columns
    }
}

impl ColumnReport {
    fn add(&mut self, values: impl Iterator<Item = f64>) {
        let range = self.feature.range().unwrap_or(f64::NEG_INFINITY..=f64::INFINITY);
        let (mut min, mut max) = (self.min.unwrap_or(f64::INFINITY), self.max.unwrap_or(f64::NEG_INFINITY));
        for value in values {
            min = min.min(value);
            max = max.max(value);
            self.outside += u64::from(!range.contains(&value));
        }
        if min <= max {
            (self.min, self.max) = (Some(min), Some(max));
        }
    }
}
