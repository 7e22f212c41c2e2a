//! What features add to the margins of some rows, point by point: the data of a beeswarm, and of a dependence chart.

use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, RecordBatch, StringArray};
use cip_core::{CoreError, Draws, table};
use ndarray::{ArrayView1, Axis};

use crate::boosted::BoostedTrees;
use crate::error::PropensityError;
use crate::shap::{FeatureEffect, FeatureValue, PairEffect};

/// Some rows of a table with what each feature adds to their margins: the same rows however the table is cut.
///
/// # Method
/// The rows whose SplitMix64 of their number is lowest: as good as drawn by lot.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledRows {
    most: usize,
    /// In the order of their numbers drawn.
    rows: Vec<SampledRow>,
}

/// A row of a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledRow {
    draw: u64,
    /// 0-based row of the table.
    pub row: u64,
    /// The values of the features, of categories their codes; none where unknown.
    pub values: Vec<Option<f32>>,
    /// What each adds to the margin.
    pub contributions: Vec<f64>,
}

impl SampledRows {
    const SEED: u64 = 7;

    /// Returns a sample of no rows yet, that holds at most so many.
    pub const fn new(most: usize) -> Self {
        Self { most, rows: Vec::new() }
    }

    /// Adds a row with this number in the table, where it belongs to the sample.
    pub fn push(&mut self, row: u64, values: ArrayView1<'_, f32>, contributions: ArrayView1<'_, f64>) {
        let known = |&value: &f32| (!value.is_nan()).then_some(value);
        self.add(row, || SampledRow {
            draw: Draws::numbered(Self::SEED, row).draw(),
            row,
            values: values.iter().map(known).collect(),
            contributions: contributions.to_vec(),
        });
    }

    fn add(&mut self, row: u64, made: impl FnOnce() -> SampledRow) {
        let draw = Draws::numbered(Self::SEED, row).draw();
        let last = self.rows.last().map(|last| (last.draw, last.row));
        if self.rows.len() >= self.most && last.is_none_or(|last| (draw, row) > last) {
            return;
        }
        let place = self.rows.partition_point(|other| (other.draw, other.row) < (draw, row));
        self.rows.insert(place, made());
        self.rows.truncate(self.most);
    }

    /// Adds the rows of another sample.
    pub fn merge(&mut self, other: Self) {
        for row in other.rows {
            self.add(row.row, || row);
        }
    }

    /// Returns the rows in the order of the table.
    pub fn finish(mut self) -> Vec<SampledRow> {
        self.rows.sort_unstable_by_key(|row| row.row);
        self.rows
    }
}

/// Returns `feature_points`: for each effect, in the order given, what its feature adds to each of the rows.
///
/// # Errors
/// [`PropensityError::MissingColumn`] where an effect is of a feature that the model does not have.
pub fn points_batch(
    model: &BoostedTrees,
    effects: &[FeatureEffect],
    rows: &[SampledRow],
) -> Result<RecordBatch, PropensityError> {
    let features = model.features();
    let (mut names, mut numbers, mut values, mut contributions) = (vec![], vec![], vec![], vec![]);
    let mut texts = vec![];
    for effect in effects {
        let Some(at) = features.iter().position(|name| *name == effect.feature) else {
            let (column, columns) = (effect.feature.clone(), features.to_vec());
            return Err(PropensityError::MissingColumn { column, columns });
        };
        for row in rows {
            names.push(&*effect.feature);
            numbers.push(row.row.cast_signed());
            let value =
                FeatureValue::new(row.values[at].unwrap_or(f32::NAN), model.categories()[at].as_ref());
            let text = matches!(value, FeatureValue::Category(_) | FeatureValue::Other);
            texts.push(text.then(|| value.to_string()));
            values.push(if text { None } else { row.values[at].map(f64::from) });
            contributions.push(row.contributions[at]);
        }
    }
    let batch = RecordBatch::try_new(
        table::feature_points(),
        vec![
            Arc::new(StringArray::from(names)),
            Arc::new(Int64Array::from(numbers)),
            Arc::new(Float64Array::from(values)),
            Arc::new(StringArray::from(texts)),
            Arc::new(Float64Array::from(contributions)),
        ],
    );
    Ok(batch.map_err(CoreError::from)?)
}

/// Returns `pair_effects`, one row a pair, in the order given.
///
/// # Errors
/// [`PropensityError::Core`], which does not come about: the columns have one length.
pub fn pairs_batch(pairs: &[PairEffect]) -> Result<RecordBatch, PropensityError> {
    let names = |of: fn(&PairEffect) -> &str| StringArray::from_iter_values(pairs.iter().map(of));
    let batch = RecordBatch::try_new(
        table::pair_effects(),
        vec![
            Arc::new(names(|pair| &pair.feature_a)),
            Arc::new(names(|pair| &pair.feature_b)),
            Arc::new(pairs.iter().map(|pair| pair.mean_magnitude).collect::<Float64Array>()),
        ],
    );
    Ok(batch.map_err(CoreError::from)?)
}

/// Returns the values of some rows as a matrix, NaN where unknown: what [`Explainer::pair_effects`](crate::Explainer::pair_effects) takes.
///
/// # Errors
/// [`PropensityError::Linfa`] where rows have different numbers of values.
pub fn sampled_matrix(
    features: &[Box<str>],
    rows: &[SampledRow],
) -> Result<ndarray::Array2<f32>, PropensityError> {
    let mut matrix = ndarray::Array2::zeros((0, features.len()));
    for row in rows {
        let values: Vec<f32> = row.values.iter().map(|value| value.unwrap_or(f32::NAN)).collect();
        matrix.push(Axis(0), ArrayView1::from(&values)).map_err(linfa::Error::from)?;
    }
    Ok(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Ensemble;
    use crate::matrix::Categories;
    use crate::matrix::columns::Columns;
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use linfa::ParamGuard;
    use ndarray::arr1;

    fn sample(rows: std::ops::Range<u64>, most: usize) -> SampledRows {
        let mut sample = SampledRows::new(most);
        for row in rows {
            sample.push(row, arr1(&[row as f32, f32::NAN]).view(), arr1(&[row as f64, 0.5]).view());
        }
        sample
    }

    #[test]
    fn a_sample_is_the_same_however_the_rows_come() {
        let whole = sample(0..1_000, 50);
        for cut in [0, 1, 499, 990] {
            let mut parts = sample(0..cut, 50);
            parts.merge(sample(cut..1_000, 50));
            assert_eq!(parts, whole);
        }
        let rows = whole.finish();
        assert_eq!(rows.len(), 50);
        assert!(rows.windows(2).all(|pair| pair[0].row < pair[1].row));
        let mean = rows.iter().map(|row| row.row as f64).sum::<f64>() / 50.0;
        assert!((350.0..650.0).contains(&mean), "{mean}");
        assert_eq!(sample(0..7, 50).finish().len(), 7);
        assert_eq!(sample(0..7, 0).finish(), []);
    }

    #[test]
    fn points_are_told_feature_by_feature() {
        let rows = sample(0..3, 9).finish();
        let names = ["a", "b"].map(Into::into);
        let effect = |name: &str| FeatureEffect {
            feature: name.into(),
            mean_magnitude: 1.0,
            share: 0.5,
            lowest: 0.0,
            highest: 1.0,
        };
        // The names of the codes of `a`; two rows have one of them.
        let plans = Categories::new(["x", "y"].map(Into::into).to_vec()).unwrap();
        for (categories, nulls) in [(None, [3, 6]), (Some(plans), [6, 3])] {
            let columns = Arc::new(Columns::new([("a".into(), categories), ("b".into(), None)]));
            let params = BoostedTrees::params(7).check().unwrap();
            let model = BoostedTrees::new(columns, params, Ensemble { base_margin: 0.0, trees: Vec::new() });
            let batch = points_batch(&model, &[effect("b"), effect("a")], &rows).unwrap();
            assert_eq!(batch.num_rows(), 6);
            assert_eq!([batch["value"].null_count(), batch["category"].null_count()], nulls);
            assert_eq!(batch["contribution"].null_count(), 0);
            assert!(points_batch(&model, &[effect("z")], &rows).is_err());
            if nulls[1] == 3 {
                let texts = batch["category"].as_string::<i32>();
                assert_eq!([3, 4, 5].map(|row| texts.value(row)), ["x", "y", "(other)"]);
            }
        }
        assert_eq!(sampled_matrix(&names, &rows).unwrap().dim(), (3, 2));
        let pair = PairEffect { feature_a: "a".into(), feature_b: "b".into(), mean_magnitude: 0.25 };
        assert_eq!(pairs_batch(&[pair]).unwrap().num_rows(), 1);
    }
}
