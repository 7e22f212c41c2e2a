//! The reasons for one score: the features that moved its margin most.

use ndarray::ArrayView1;
use serde::Serialize;

/// What a feature of a row did to its margin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// The feature.
    pub feature: Box<str>,
    /// Its value; none where it is unknown.
    pub value: Option<f32>,
    /// What it adds to the margin: above 0 it speaks for a 1, below for a 0.
    pub contribution: f64,
}

/// Returns the features of one row that contribute most, by magnitude, `most` of them; equal ones in the order of the features.
/// What contributes nothing is no reason.
///
/// # Examples
/// ```
/// use cip_propensity::reasons;
/// let features = ["views", "carts", "brands"].map(Into::into);
/// let values = [40.0, 0.0, f32::NAN];
/// let found = reasons(&features, (&values).into(), (&[0.25, -1.5, 0.0]).into(), 3);
/// assert_eq!(found.len(), 2);
/// assert_eq!((found[0].feature.as_ref(), found[0].value, found[0].contribution), ("carts", Some(0.0), -1.5));
/// ```
pub fn reasons(
    features: &[Box<str>],
    values: ArrayView1<'_, f32>,
    contributions: ArrayView1<'_, f64>,
    most: usize,
) -> Vec<Reason> {
    let rows = features.iter().zip(values).zip(contributions);
    let mut found: Vec<Reason> = rows
        .filter(|(_, contribution)| **contribution != 0.0)
        .map(|((feature, &value), &contribution)| Reason {
            feature: feature.clone(),
            value: (!value.is_nan()).then_some(value),
            contribution,
        })
        .collect();
    found.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    found.truncate(most);
    found
}
