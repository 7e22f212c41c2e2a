//! Categories as columns of 0 and 1, for models that know numbers alone.

use ndarray::{Array2, ArrayView2};

use crate::matrix::FeatureMatrix;

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

    /// The columns of the features of some rows: of categories the most frequent there, of equals the first.
    pub(super) fn of(features: &FeatureMatrix) -> Self {
        let mut columns = Vec::new();
        for (at, categories) in features.categories().iter().enumerate() {
            let Some(categories) = categories else {
                columns.push(Column::Number(at));
                continue;
            };
            let mut counts: Vec<(usize, usize)> =
                (0..=categories.other() as usize).map(|code| (0, code)).collect();
            for value in features.view().column(at).iter().filter(|value| !value.is_nan()) {
                if let Some((count, _)) = counts.get_mut(*value as usize) {
                    *count += 1;
                }
            }
            counts.sort_by(|(a, _), (b, _)| b.cmp(a));
            let kept = counts.into_iter().take(Self::MOST).filter(|(count, _)| *count > 0);
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
        let found = OneHot::of(&features).rows(&features.view());
        // The more frequent first; nobody has another category.
        assert_eq!(found.ncols(), 3);
        for (row, cells) in found.rows().into_iter().enumerate() {
            let expected = [f32::from(row % 6 > 2), f32::from(row % 6 == 1 || row % 6 == 2), row as f32];
            assert_eq!(cells.to_vec(), expected, "row {row}");
        }
    }
}
