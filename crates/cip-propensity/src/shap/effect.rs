//! What each feature does to the margins of many rows.

use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch, StringArray};
use cip_core::{CoreError, table};
use ndarray::Array2;
use serde::Serialize;

use crate::error::PropensityError;

/// What a feature does to the margins of some rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureEffect {
    /// The feature.
    pub feature: Box<str>,
    /// The mean magnitude of its contributions.
    pub mean_magnitude: f64,
    /// Its part of the mean magnitudes of all features; 0 where no feature does anything.
    pub share: f64,
    /// The lowest contribution.
    pub lowest: f64,
    /// The highest contribution.
    pub highest: f64,
}

/// Gathers what features do, block of rows by block.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectBuilder {
    rows: u64,
    features: Vec<Sums>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Sums {
    magnitude: f64,
    lowest: f64,
    highest: f64,
}

impl EffectBuilder {
    /// Returns what the contributions (features in columns) of some rows come to.
    pub fn of(contributions: &Array2<f64>) -> Self {
        let sums = |sums: Sums, value: &f64| Sums {
            magnitude: sums.magnitude + value.abs(),
            lowest: sums.lowest.min(*value),
            highest: sums.highest.max(*value),
        };
        let none = Sums { magnitude: 0.0, lowest: f64::INFINITY, highest: f64::NEG_INFINITY };
        let features = contributions.columns().into_iter().map(|column| column.iter().fold(none, sums));
        Self { rows: contributions.nrows() as u64, features: features.collect() }
    }

    /// Rows so far.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds what other rows of the same features come to.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        for (sums, other) in self.features.iter_mut().zip(&other.features) {
            sums.magnitude += other.magnitude;
            sums.lowest = sums.lowest.min(other.lowest);
            sums.highest = sums.highest.max(other.highest);
        }
    }

    /// Returns the effects of features with these names, the greatest first; equal ones in the order of the features. Of no
    /// rows there are none.
    pub fn finish(self, names: &[Box<str>]) -> Vec<FeatureEffect> {
        if self.rows == 0 {
            return Vec::new();
        }
        let all: f64 = self.features.iter().map(|sums| sums.magnitude).sum();
        let effect = |(name, sums): (&str, &Sums)| FeatureEffect {
            feature: name.into(),
            mean_magnitude: sums.magnitude / self.rows as f64,
            share: if all > 0.0 { sums.magnitude / all } else { 0.0 },
            lowest: sums.lowest,
            highest: sums.highest,
        };
        let mut effects: Vec<_> = names.iter().map(AsRef::as_ref).zip(&self.features).map(effect).collect();
        effects.sort_by(|a, b| b.mean_magnitude.total_cmp(&a.mean_magnitude));
        effects
    }
}

/// Returns `feature_effects`, one row a feature, in the order given.
///
/// # Errors
/// [`PropensityError::Core`], which does not come about: the columns have one length.
pub fn effects_batch(effects: &[FeatureEffect]) -> Result<RecordBatch, PropensityError> {
    let floats = |value: fn(&FeatureEffect) -> f64| -> Arc<Float64Array> {
        Arc::new(effects.iter().map(value).collect())
    };
    let names = StringArray::from_iter_values(effects.iter().map(|effect| &effect.feature));
    let batch = RecordBatch::try_new(
        table::feature_effects(),
        vec![
            Arc::new(names),
            floats(|effect| effect.mean_magnitude),
            floats(|effect| effect.share),
            floats(|effect| effect.lowest),
            floats(|effect| effect.highest),
        ],
    );
    Ok(batch.map_err(CoreError::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn effects_are_means_and_ends_however_the_rows_come() {
        let names = ["a", "b", "c"].map(Into::into);
        let rows = arr2(&[[1.0, -4.0, 0.0], [-2.0, 1.0, 0.0], [3.0, 1.0, 0.0]]);
        let whole = EffectBuilder::of(&rows).finish(&names);
        let found: Vec<_> = (whole.iter())
            .map(|of| (of.feature.as_ref(), of.mean_magnitude, of.share, of.lowest, of.highest))
            .collect();
        assert_eq!(
            found,
            [("a", 2.0, 0.5, -2.0, 3.0), ("b", 2.0, 0.5, -4.0, 1.0), ("c", 0.0, 0.0, 0.0, 0.0)]
        );
        let mut parts = EffectBuilder::of(&Array2::zeros((0, 3)));
        assert!(parts.clone().finish(&names).is_empty());
        for row in rows.rows() {
            parts.merge(&EffectBuilder::of(&row.to_owned().insert_axis(ndarray::Axis(0))));
        }
        assert_eq!(parts.finish(&names), whole);
        assert_eq!(effects_batch(&whole).unwrap().num_rows(), 3);
    }
}
