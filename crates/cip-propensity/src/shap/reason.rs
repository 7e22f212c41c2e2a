//! The reasons for one score: the features that moved its margin most.

use std::fmt;

use ndarray::ArrayView1;
use serde::{Serialize, Serializer};

use crate::boosted::BoostedTrees;
use crate::matrix::Categories;
use crate::tree::code;

/// What a feature of a row did to its margin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// The feature.
    pub feature: Box<str>,
    /// Its value.
    pub value: FeatureValue,
    /// What it adds to the margin: above 0 it speaks for a 1, below for a 0.
    pub contribution: f64,
}

/// The value of a feature, as a table has it. It is written as a number or a text, and none where it is unknown.
#[derive(Debug, Clone, PartialEq)]
pub enum FeatureValue {
    /// It is unknown.
    Unknown,
    /// A number.
    Number(f32),
    /// A category.
    Category(Box<str>),
    /// A text that is no category: it was rare among the rows learned from, or not there. It is written `(other)`.
    Other,
}

impl Serialize for FeatureValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unknown => serializer.serialize_none(),
            Self::Number(number) => serializer.serialize_f32(*number),
            text => serializer.collect_str(text),
        }
    }
}

impl FeatureValue {
    /// Returns what a value of a matrix means, its feature having these categories, or none where it is a number.
    pub fn new(value: f32, categories: Option<&Categories>) -> Self {
        match categories {
            _ if value.is_nan() => Self::Unknown,
            None => Self::Number(value),
            Some(categories) => {
                let name = code(value).and_then(|code| categories.name(code));
                name.map_or(Self::Other, |name| Self::Category(name.into()))
            }
        }
    }
}

impl fmt::Display for FeatureValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Category(name) => f.write_str(name),
            Self::Other => f.write_str("(other)"),
        }
    }
}

impl fmt::Display for Reason {
    /// The feature with its value: `carts 3`, or `contract=Two year` of a category.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = match self.value {
            FeatureValue::Unknown | FeatureValue::Number(_) => ' ',
            FeatureValue::Category(_) | FeatureValue::Other => '=',
        };
        write!(f, "{}{between}{}", self.feature, self.value)
    }
}

/// Returns the features of one row that contribute most, by magnitude, `most` of them; equal ones in the order of the features.
/// What contributes nothing is no reason.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use cip_propensity::{BoostedTrees, Explainer, FeatureMatrix, ParamGuard, reasons};
/// # let views: ArrayRef = Arc::new(Int64Array::from_iter_values((0..400).map(|row| row % 7)));
/// # let plans: ArrayRef = Arc::new(StringArray::from_iter_values((0..400).map(|row| if row % 2 == 0 { "monthly" } else { "yearly" })));
/// # let table = RecordBatch::try_from_iter([("views", views), ("plan", plans)])?;
/// # let left: Vec<bool> = (0..400).map(|row| row % 2 == 0 && row % 5 > 0).collect();
/// let features = FeatureMatrix::from_batches(&["views", "plan"], &[table])?;
/// let model = BoostedTrees::params(7).with_trees(20).check()?.fit_matrix(&features, &left)?;
/// let contributions = Explainer::new(&model).contributions(&features.view())?;
/// let found = reasons(&model, features.view().row(1), contributions.row(1), 1);
/// assert_eq!(found[0].to_string(), "plan=yearly");
/// assert!(found[0].contribution < -0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn reasons(
    model: &BoostedTrees,
    values: ArrayView1<'_, f32>,
    contributions: ArrayView1<'_, f64>,
    most: usize,
) -> Vec<Reason> {
    let rows = model.columns.iter().zip(values).zip(contributions);
    let mut found: Vec<Reason> = rows
        .filter(|(_, contribution)| **contribution != 0.0)
        .map(|(((feature, categories), &value), &contribution)| Reason {
            feature: feature.into(),
            value: FeatureValue::new(value, categories),
            contribution,
        })
        .collect();
    found.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    found.truncate(most);
    found
}
