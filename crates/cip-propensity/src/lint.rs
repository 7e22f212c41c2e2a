//! Leaks: what a table knows that nobody could have known, or that says nothing of others.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::error::PropensityError;
use crate::evaluation::{auc, steps};
use crate::matrix::FeatureMatrix;

/// Something that makes a model look better in training than it will be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// A feature that tells rows apart and nothing else: its name ends in `id`, `key` or `uuid`, or of at least 100 known values, all
    /// whole or all text, nine tenths are different.
    IdLike {
        /// The feature.
        feature: Box<str>,
        /// Different values, in 32 bits.
        distinct: u64,
        /// Rows where it is known.
        known: u64,
    },
    /// A feature that tells the label by itself: its AUC, or 1 less it, is at least 0.99. Categories rank by their shares of positives.
    TellsTheLabel {
        /// The feature.
        feature: Box<str>,
        /// The AUC of ranking by it, upwards or downwards, the unknown first or last: the best of the four.
        auc: f64,
    },
    /// Rows to test on that stand among those to train on as well, features and label: at least one in a hundred.
    Duplicates {
        /// Rows to test on that do.
        rows: u64,
        /// Rows to test on.
        of: u64,
    },
    /// Rows whose label looks into the time of rows of a later side.
    LabelOverlap {
        /// Rows that do.
        rows: u64,
        /// Rows of the earlier sides.
        of: u64,
    },
}

impl Finding {
    /// The least AUC of a feature that tells the label by itself.
    pub const TELLING_AUC: f64 = 0.99;
    /// The least share of rows to test on that makes duplicates a finding. Features that count few things repeat by themselves.
    pub const DUPLICATE_SHARE: f64 = 0.01;

    /// Returns the leaks of single features: the id-like ones, then those that tell the label, in the order of the features.
    ///
    /// # Complexity
    /// Sorts each feature twice.
    ///
    /// # Errors
    /// [`PropensityError::Lengths`].
    pub fn of_features(features: &FeatureMatrix, labels: &[bool]) -> Result<Vec<Self>, PropensityError> {
        if features.rows() != labels.len() {
            return Err(PropensityError::Lengths { rows: features.rows(), labels: labels.len() });
        }
        let view = features.view();
        let columns =
            || features.columns().iter().zip(view.columns()).map(|(of, values)| (of, values.to_vec()));
        let ids = columns()
            .zip(features.different_texts())
            .filter_map(|(((name, _), values), texts)| id_like(name, &values, *texts));
        let telling = columns().filter_map(|((name, categories), values)| {
            let values = if categories.is_some() { shares(&values, labels) } else { values };
            tells_the_label(name, &values, labels)
        });
        Ok(ids.chain(telling).collect())
    }

    /// Returns the finding of rows to test on that stand among those to train on; none where they are fewer than
    /// [`Finding::DUPLICATE_SHARE`].
    ///
    /// # Method
    /// XXH3-128 of the features, in the bytes of 32 bits with one NaN, and of the label.
    ///
    /// # Errors
    /// [`PropensityError::Lengths`].
    pub fn of_duplicates(
        train: (&FeatureMatrix, &[bool]),
        test: (&FeatureMatrix, &[bool]),
    ) -> Result<Option<Self>, PropensityError> {
        let known: HashSet<u128> = hashes(train)?.into_iter().collect();
        let hashes = hashes(test)?;
        let (rows, of) = (hashes.iter().filter(|hash| known.contains(hash)).count(), hashes.len());
        let many = of > 0 && rows as f64 >= Self::DUPLICATE_SHARE * of as f64 && rows > 0;
        Ok(many.then_some(Self::Duplicates { rows: rows as u64, of: of as u64 }))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdLike { feature, distinct, known } => write!(
                f,
                "`{feature}` looks like an id: {distinct} different values in {known} rows; name it as an id, or leave it out"
            ),
            Self::TellsTheLabel { feature, auc } => write!(
                f,
                "`{feature}` tells the label by itself (AUC {auc:.4}): is it known before the label is? If not, leave it out"
            ),
            Self::Duplicates { rows, of } => write!(
                f,
                "{rows} of {of} rows to test on stand among those to train on as well: the test flatters where these are the same users"
            ),
            Self::LabelOverlap { rows, of } => write!(
                f,
                "the labels of {rows} of {of} rows look into the time of later sides: leave a gap as long as the label window"
            ),
        }
    }
}

/// What looks like an id; `texts` are the different ones of a column of text, all rows taken together.
fn id_like(name: &str, values: &[f32], texts: Option<u64>) -> Option<Finding> {
    const FEWEST: usize = 100;
    let mut known: Vec<u32> =
        values.iter().filter(|value| !value.is_nan()).map(|value| (value + 0.0).to_bits()).collect();
    let rows = known.len();
    known.sort_unstable();
    known.dedup();
    // Of as many rows as there are, no more can be different.
    let distinct = texts.map_or(known.len(), |texts| rows.min(texts as usize));
    let whole = values.iter().all(|value| value.is_nan() || value.fract() == 0.0);
    let last = name.rsplit(['_', '.', ' ']).next().unwrap_or(name);
    let named = ["id", "key", "uuid"].iter().any(|end| last.eq_ignore_ascii_case(end));
    let apart = whole && rows >= FEWEST && distinct as f64 >= 0.9 * rows as f64;
    (named || apart).then(|| Finding::IdLike {
        feature: name.into(),
        distinct: distinct as u64,
        known: rows as u64,
    })
}

/// The share of positives of each category in place of its code: categories have no order to rank by.
fn shares(values: &[f32], labels: &[bool]) -> Vec<f32> {
    let mut counts: HashMap<u32, [f32; 2]> = HashMap::new();
    for (value, label) in values.iter().zip(labels) {
        let [rows, positives] = counts.entry(value.to_bits()).or_default();
        *rows += 1.0;
        *positives += f32::from(u8::from(*label));
    }
    let share = |value: &f32| counts.get(&value.to_bits()).map(|[rows, positives]| positives / rows);
    values.iter().map(|value| if value.is_nan() { None } else { share(value) }.unwrap_or(f32::NAN)).collect()
}

fn tells_the_label(name: &str, values: &[f32], labels: &[bool]) -> Option<Finding> {
    let positives = labels.iter().filter(|&&label| label).count() as u64;
    let with_unknown = |place: f64| {
        let ranking: Vec<f64> =
            values.iter().map(|&value| if value.is_nan() { place } else { f64::from(value) }).collect();
        auc(&steps(&ranking, labels), labels.len() as u64, positives).map(|auc| auc.max(1.0 - auc))
    };
    let any_unknown = values.iter().any(|value| value.is_nan());
    let first = with_unknown(f64::NEG_INFINITY);
    let last = if any_unknown { with_unknown(f64::INFINITY) } else { None };
    let auc = first.into_iter().chain(last).reduce(f64::max)?;
    (auc >= Finding::TELLING_AUC).then(|| Finding::TellsTheLabel { feature: name.into(), auc })
}

/// A hash of each row: its features and its label.
fn hashes((features, labels): (&FeatureMatrix, &[bool])) -> Result<Vec<u128>, PropensityError> {
    if features.rows() != labels.len() {
        return Err(PropensityError::Lengths { rows: features.rows(), labels: labels.len() });
    }
    let mut bytes = Vec::new();
    let rows = features.view();
    let hash = |(row, &label): (ndarray::ArrayView1<'_, f32>, &bool)| {
        bytes.clear();
        for &value in row {
            // One NaN, and one 0.
            let value = if value.is_nan() { f32::NAN } else { value + 0.0 };
            bytes.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        bytes.push(u8::from(label));
        xxh3_128(&bytes)
    };
    Ok(rows.rows().into_iter().zip(labels).map(hash).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch};

    fn matrix(columns: &[(&str, Vec<Option<f64>>)]) -> FeatureMatrix {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let arrays = columns.iter().map(|(name, values)| {
            (*name, Arc::new(values.iter().copied().collect::<Float64Array>()) as ArrayRef, true)
        });
        FeatureMatrix::from_batches(&names, &[RecordBatch::try_from_iter_with_nullable(arrays).unwrap()])
            .unwrap()
    }

    #[test]
    fn what_leaks_is_found_and_nothing_else() {
        let labels: Vec<bool> = (0..200).map(|row| row % 5 == 0).collect();
        let of = |value: &dyn Fn(usize) -> Option<f64>| (0..200).map(value).collect::<Vec<_>>();
        let features = matrix(&[
            ("views", of(&|row| Some((row * 7 % 40) as f64))),
            ("customer", of(&|row| Some((10_000 + row * 3) as f64))),
            ("plan_id", of(&|row| Some((row % 3) as f64))),
            ("spend", of(&|row| Some(row as f64 * 1.37))),
            // Known of those alone who will cancel.
            ("days_to_end", of(&|row| labels[row].then_some((row % 9) as f64))),
            // Unknown of those alone.
            ("renewal", of(&|row| (!labels[row]).then_some((row % 9) as f64))),
            ("refund", of(&|row| Some(if labels[row] { -1.0 } else { (row % 9) as f64 }))),
        ]);
        let found = Finding::of_features(&features, &labels).unwrap();
        let names: Vec<String> = found
            .iter()
            .map(|finding| match finding {
                Finding::IdLike { feature, .. } => format!("id {feature}"),
                Finding::TellsTheLabel { feature, .. } => format!("tells {feature}"),
                other => other.to_string(),
            })
            .collect();
        assert_eq!(
            names,
            ["id customer", "id plan_id", "tells days_to_end", "tells renewal", "tells refund"]
        );
        assert!(found[0].to_string().contains("200 different values in 200 rows"));
        assert!(found[2].to_string().contains("AUC 1.0000"), "{}", found[2]);
        assert!(Finding::of_features(&features, &[]).is_err());
        assert_eq!(Finding::of_features(&matrix(&[("a", vec![])]), &[]).unwrap(), []);
    }

    #[test]
    fn rows_of_the_test_that_were_trained_on_are_counted() {
        let train =
            matrix(&[("a", vec![Some(1.0), None, Some(3.0)]), ("b", vec![Some(0.0), Some(2.0), None])]);
        let test =
            matrix(&[("a", vec![Some(1.0), None, Some(4.0)]), ("b", vec![Some(-0.0), Some(2.0), None])]);
        let labels = [true, false, true];
        let found = Finding::of_duplicates((&train, &labels), (&test, &labels)).unwrap();
        assert_eq!(found, Some(Finding::Duplicates { rows: 2, of: 3 }));
        // The same features with another label are another row.
        assert_eq!(Finding::of_duplicates((&train, &labels), (&test, &[false, true, true])).unwrap(), None);
        assert!(Finding::of_duplicates((&train, &[]), (&test, &labels)).is_err());
    }
}
