//! Calibration: from margins, which rank, to probabilities that come true as often as they say.

mod fitted;
mod isotonic;
mod logistic;
mod map;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::PropensityError;
use crate::weights::{PARTS, parts};

pub use fitted::{CalibrationFallback, FittedCalibration};
pub use map::CalibrationMap;

/// How margins become probabilities: fitted on rows that neither the trees nor the test have seen.
///
/// Trees that fit their rows closely are too sure of themselves: a margin of 2 stands for odds of 7.4 in training, and for fewer on
/// others. All methods keep the order of the margins, up to ties.
///
/// | method | probability of margin m | rows that it needs |
/// |---|---|---|
/// | `platt` | 1 / (1 + exp(-(slope m + intercept))) | few: two numbers, no ties |
/// | `beta` | the same with a ln s - b ln(1 - s) + c, s = 1 / (1 + exp(-m)) | few: three numbers; bends where one end is too sure and the other is not |
/// | `isotonic` | the non-decreasing steps of least squared error, joined by lines | a thousand and more: any shape, but ties, and 0 and 1 at the ends |
/// | `none` | 1 / (1 + exp(-m)) | none: the trees have all of them |
///
/// # Examples
/// ```
/// use cip_propensity::Calibration;
///
/// // The trees say 3 and -3, odds of 20; what comes true is three in four, and one in four.
/// let margins: Vec<f64> = (0..400).map(|row| if row % 2 == 0 { 3.0 } else { -3.0 }).collect();
/// let labels: Vec<bool> = (0..400).map(|row| (row / 2 % 4 == 0) != (row % 2 == 0)).collect();
/// let fitted = Calibration::Platt.fit(&margins, &labels)?;
/// assert!((fitted.probability(3.0) - 0.75).abs() < 0.01);
/// assert!((fitted.probability(-3.0) - 0.25).abs() < 0.01);
/// # Ok::<(), cip_propensity::PropensityError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Calibration {
    /// A logistic curve (Platt 1999), with smoothed targets and Newton's method as by Lin, Lin and Weng 2007.
    #[default]
    Platt,
    /// The pool-adjacent-violators algorithm (Ayer et al. 1955), by lines between the ends of the pools.
    Isotonic,
    /// A beta curve (Kull, Silva Filho and Flach 2017), with the targets of Platt's.
    Beta,
    /// The logistic function of the margin itself.
    None,
}

impl Calibration {
    /// The methods, in the order of their documentation.
    pub const ALL: [Self; 4] = [Self::Platt, Self::Isotonic, Self::Beta, Self::None];
    /// The fewest rows of each class that a method is fitted on; with fewer it falls back on none.
    pub const LEAST_OF_A_CLASS: u64 = 10;

    /// The name, as it is written and parsed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Platt => "platt",
            Self::Isotonic => "isotonic",
            Self::Beta => "beta",
            Self::None => "none",
        }
    }

    /// Returns the calibration of rows whose margins and labels are known. Their order does not matter.
    ///
    /// Rows that cannot tell how sure to be do not fail: with fewer than [`Calibration::LEAST_OF_A_CLASS`] of either class,
    /// or margins that are all the same, it is the logistic function of the margin, and
    /// [`FittedCalibration::fallback`] says why.
    ///
    /// # Complexity
    /// Sorts the rows once; the curves then take some passes over the distinct margins.
    ///
    /// # Errors
    /// [`PropensityError::Lengths`]; [`PropensityError::Score`] where a margin is not finite.
    pub fn fit(self, margins: &[f64], labels: &[bool]) -> Result<FittedCalibration, PropensityError> {
        self.fit_parts(margins, labels, None)
    }

    /// Returns the calibration of rows of which each counts as often as its weight says, the mean being 1: see
    /// [`WeightedEvaluation`](crate::WeightedEvaluation).
    ///
    /// # Errors
    /// As [`Calibration::fit`]; [`PropensityError::NoWeight`] where the weights add up to nothing, [`PropensityError::Parameter`] where one is not 0 or
    /// more.
    pub fn fit_weighted(
        self,
        margins: &[f64],
        labels: &[bool],
        weights: &[f64],
    ) -> Result<FittedCalibration, PropensityError> {
        self.fit_parts(margins, labels, Some(&parts(weights, labels.len())?))
    }

    fn fit_parts(
        self,
        margins: &[f64],
        labels: &[bool],
        parts: Option<&[u64]>,
    ) -> Result<FittedCalibration, PropensityError> {
        if margins.len() != labels.len() {
            return Err(PropensityError::Lengths { rows: margins.len(), labels: labels.len() });
        }
        if let Some(row) = margins.iter().position(|margin| !margin.is_finite()) {
            let expected = "a finite margin";
            return Err(PropensityError::Score { row: row as u64, value: margins[row], expected });
        }
        Ok(FittedCalibration::new(self, &Groups::new(margins, labels, parts)))
    }
}

impl fmt::Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Calibration {
    type Err = PropensityError;

    /// Reads a name.
    ///
    /// # Errors
    /// [`PropensityError::UnknownCalibration`], with the names that there are.
    fn from_str(text: &str) -> Result<Self, PropensityError> {
        let found = Self::ALL.into_iter().find(|method| method.name() == text);
        found.ok_or_else(|| PropensityError::UnknownCalibration { found: text.into() })
    }
}

/// Rows by their margin, in ascending order: what is made of them cannot depend on theirs.
#[derive(Debug, Clone, PartialEq)]
struct Groups {
    groups: Vec<Group>,
    /// So many parts are a row.
    unit: f64,
    /// Rows, whatever they weigh.
    rows: u64,
    positives: u64,
}

/// Rows of one margin, in parts of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Group {
    margin: f64,
    rows: u64,
    positives: u64,
}

impl Groups {
    /// Rows are as many as they have parts, or one each. Those without any are left out.
    fn new(margins: &[f64], labels: &[bool], parts: Option<&[u64]>) -> Self {
        let part = |row: usize| parts.map_or(1, |parts| parts[row]);
        // -0 and 0 are one margin.
        let rows = margins.iter().map(|margin| margin + 0.0).zip(labels.iter().copied()).enumerate();
        let mut rows: Vec<(f64, bool, u64)> =
            rows.map(|(row, (margin, label))| (margin, label, part(row))).filter(|row| row.2 > 0).collect();
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let positive = |rows: &[(f64, bool, u64)]| -> u64 {
            rows.iter().filter(|(_, label, _)| *label).map(|(.., parts)| parts).sum()
        };
        let group = |rows: &[(f64, bool, u64)]| Group {
            margin: rows[0].0,
            rows: rows.iter().map(|(.., parts)| parts).sum(),
            positives: positive(rows),
        };
        Self {
            groups: rows.chunk_by(|a, b| a.0 == b.0).map(group).collect(),
            unit: if parts.is_some() { PARTS as f64 } else { 1.0 },
            rows: rows.len() as u64,
            positives: rows.iter().filter(|(_, label, _)| *label).count() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for method in Calibration::ALL {
            assert_eq!(method.to_string().parse::<Calibration>().unwrap(), method);
            assert_eq!(serde_json::to_string(&method).unwrap(), format!("\"{method}\""));
        }
        let error = "sigmoid".parse::<Calibration>().unwrap_err().to_string();
        assert_eq!(error, "there is no calibration `sigmoid`, expected platt, isotonic, beta or none");
    }

    #[test]
    fn rows_of_one_margin_are_one_group() {
        let groups = Groups::new(&[1.0, -0.0, 1.0, 0.0], &[true, false, false, true], None);
        assert_eq!(
            groups.groups,
            [Group { margin: 0.0, rows: 2, positives: 1 }, Group { margin: 1.0, rows: 2, positives: 1 }]
        );
    }
}
