//! What the values of a table are like: nulls, the least, the greatest, and those outside their range.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrowPrimitiveType, PrimitiveArray, RecordBatch};

use crate::feature::Feature;
use crate::features::Features;
use crate::spec::SpecFeatures;

/// What the values of one feature are like.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnReport {
    /// The feature's name.
    pub name: Box<str>,
    /// Where its values should lie, the ends included; none where any value makes sense: [`Feature::range`](crate::Feature::range),
    /// or [`FeatureRule::range`](crate::spec::FeatureRule::range).
    pub range: Option<[f64; 2]>,
    /// Users of whom it is unknown.
    pub nulls: u64,
    /// The least value; none where all are null.
    pub min: Option<f64>,
    /// The greatest value; none where all are null.
    pub max: Option<f64>,
    /// Values outside the range; 0 where it has none.
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
        let range = |feature: &Feature| feature.range().map(|range| [*range.start(), *range.end()]);
        let column = |feature: &Feature| ColumnReport::new(feature.name(), range(feature));
        Self { columns: features.selected().iter().map(column).collect() }
    }

    /// Returns the report of a table of a specification, without rows.
    pub fn of_spec(features: &SpecFeatures) -> Self {
        Self { columns: features.ranges().map(|(name, range)| ColumnReport::new(name, range)).collect() }
    }

    /// Adds rows of the table; columns that it does not have add nothing.
    pub fn add(&mut self, batch: &RecordBatch) {
        for report in &mut self.columns {
            let Some(column) = batch.column_by_name(&report.name) else { continue };
            if let Some(counts) = column.as_primitive_opt::<Int64Type>() {
                report.add(counts, |count| count as f64);
            } else if let Some(ratios) = column.as_primitive_opt::<Float64Type>() {
                report.add(ratios, |ratio| ratio);
            }
        }
    }

    /// The features, in the order of their columns.
    pub fn columns(&self) -> &[ColumnReport] {
        &self.columns
    }
}

impl ColumnReport {
    fn new(name: &str, range: Option<[f64; 2]>) -> Self {
        Self { name: name.into(), range, nulls: 0, min: None, max: None, outside: 0 }
    }

    fn add<T: ArrowPrimitiveType>(
        &mut self,
        column: &PrimitiveArray<T>,
        to_float: impl Fn(T::Native) -> f64,
    ) {
        self.nulls += column.null_count() as u64;
        let mut add = |values: &[T::Native]| {
            let Some((least, greatest)) = extremes(values) else { return };
            let (least, greatest) = (to_float(least), to_float(greatest));
            self.min = Some(self.min.map_or(least, |min| min.min(least)));
            self.max = Some(self.max.map_or(greatest, |max| max.max(greatest)));
            let Some([low, high]) = self.range else { return };
            let range = low..=high;
            if !(range.contains(&least) && range.contains(&greatest)) {
                self.outside +=
                    values.iter().filter(|&&value| !range.contains(&to_float(value))).count() as u64;
            }
        };
        match column.nulls() {
            None => add(column.values()),
            Some(nulls) => nulls.valid_slices().for_each(|(start, end)| add(&column.values()[start..end])),
        }
    }
}

/// The least and the greatest of `values`: of eight lanes, none of which waits for another.
fn extremes<T: Copy + PartialOrd>(values: &[T]) -> Option<(T, T)> {
    let first = *values.first()?;
    let least = |a: T, b: T| if b < a { b } else { a };
    let greatest = |a: T, b: T| if b > a { b } else { a };
    let (chunks, rest) = values.as_chunks::<8>();
    let ends = |values: &[T]| {
        values.iter().fold((first, first), |(low, high), &value| (least(low, value), greatest(high, value)))
    };
    if chunks.is_empty() {
        return Some(ends(rest));
    }
    let (mut low, mut high) = ([first; 8], [first; 8]);
    for chunk in chunks {
        for (lane, &value) in chunk.iter().enumerate() {
            low[lane] = least(low[lane], value);
            high[lane] = greatest(high[lane], value);
        }
    }
    let (rest_low, rest_high) = ends(rest);
    Some((low.into_iter().fold(rest_low, least), high.into_iter().fold(rest_high, greatest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extremes_are_found_wherever_they_stand() {
        assert_eq!(extremes::<i64>(&[]), None);
        for len in 1..40 {
            for low in 0..len {
                let high = (low * 7 + 3) % len;
                let mut values: Vec<i64> = (0..len as i64).map(|value| value % 5).collect();
                values[high] = 9;
                values[low] = -9;
                let expected = values.iter().copied().min().zip(values.iter().copied().max());
                assert_eq!(extremes(&values), expected, "{values:?}");
                let floats: Vec<f64> = values.iter().map(|&value| value as f64).collect();
                assert_eq!(extremes(&floats), expected.map(|(low, high)| (low as f64, high as f64)));
            }
        }
    }
}
