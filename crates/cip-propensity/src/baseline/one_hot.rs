//! Categories as columns of 0 and 1, for models that know numbers alone.

use ndarray::{Array2, ArrayView2};

use super::sample::Sample;

/// Which columns are made of each feature.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OneHot {
    columns: Vec<Column>,
}

/// A column that is made.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Column {
    /// The feature as it is.
    Number(usize),
    /// 1 where the feature has this code.
    Code(usize, f32),
}

impl OneHot {
    /// The most columns of a feature.
    const MOST: usize = 20;

    /// The columns of the features of some rows: of categories those of the most weight there, of equals the first.
    pub(super) fn of(sample: &Sample) -> Self {
        let features = &sample.features;
        let mut columns = Vec::new();
        for (at, categories) in features.categories().iter().enumerate() {
            let Some(categories) = categories else {
                columns.push(Column::Number(at));
                continue;
            };
            let mut counts: Vec<(f64, usize)> =
                (0..=categories.other() as usize).map(|code| (0.0, code)).collect();
            let values = features.view();
            for (row, value) in values.column(at).iter().enumerate().filter(|(_, value)| !value.is_nan()) {
                if let Some((count, _)) = counts.get_mut(*value as usize) {
                    *count += sample.weight(row);
                }
            }
            counts.sort_by(|(a, _), (b, _)| b.total_cmp(a));
            let kept = counts.into_iter().take(Self::MOST).filter(|(count, _)| *count > 0.0);
            columns.extend(kept.map(|(_, code)| Column::Code(at, code as f32)));
        }
        Self { columns }
    }

    /// Returns the columns of some rows. An unknown category is none of them.
    pub(super) fn rows(&self, rows: &ArrayView2<'_, f32>) -> Array2<f32> {
        Array2::from_shape_fn((rows.nrows(), self.columns.len()), |(row, column)| {
            match self.columns[column] {
                Column::Number(at) => rows[[row, at]],
                Column::Code(at, code) => f32::from(u8::from(rows[[row, at]] == code)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};

    use crate::matrix::FeatureMatrix;

    #[test]
    fn categories_are_columns_and_numbers_stay() {
        let plan: ArrayRef = Arc::new(
            (0..60)
                .map(|row| match row % 6 {
                    0 => None,
                    1 | 2 => Some("b"),
                    _ => Some("a"),
                })
                .collect::<StringArray>(),
        );
        let views: ArrayRef = Arc::new(Int64Array::from_iter_values(0..60));
        let table =
            RecordBatch::try_from_iter_with_nullable([("plan", plan, true), ("views", views, true)]).unwrap();
        let features = FeatureMatrix::from_batches(&["plan", "views"], &[table]).unwrap();
        let sample = |weights: Option<&[f64]>| Sample::new(&features, &[true; 60], weights);
        let found = OneHot::of(&sample(None)).rows(&features.view());
        // The more frequent first; nobody has another category.
        assert_eq!(found.ncols(), 3);
        for (row, cells) in found.rows().into_iter().enumerate() {
            let expected = [f32::from(row % 6 > 2), f32::from(row % 6 == 1 || row % 6 == 2), row as f32];
            assert_eq!(cells.to_vec(), expected, "row {row}");
        }
        // By weight the other one comes first.
        let weights: Vec<f64> = (0..60).map(|row| if row % 6 < 3 { 2.0 } else { 1.0 }).collect();
        let weighted = OneHot::of(&sample(Some(&weights))).rows(&features.view());
        assert_eq!((weighted.column(0), weighted.column(1)), (found.column(1), found.column(0)));
    }
}
