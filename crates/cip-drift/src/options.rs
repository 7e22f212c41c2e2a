//! By whose conventions drift is judged.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::error::DriftError;

/// A set of conventions: which statistic decides, over which bins, and from where on it is drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The stability index over bins of the reference, moderate from .1 and large from .25 on, where it is more than chance among that many
    /// rows and that many features. Values that are missing are judged in the same way.
    #[default]
    Cip,
    /// Evidently 0.1.50. Up to 1,000 reference rows, p < .05: Kolmogorov-Smirnov of numbers, chi-square of categories, the z-test of two. With
    /// more, .1: the Wasserstein distance over the reference's standard deviation, Jensen-Shannon of categories. Numbers of up to five
    /// values are categories.
    Evidently,
    /// NannyML: Jensen-Shannon above .1, numbers in bins by Doane's rule. Hellinger and L-infinity are told beside it.
    NannyMl,
}

impl Preset {
    /// The name, as it is written and read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cip => "cip",
            Self::Evidently => "evidently",
            Self::NannyMl => "nannyml",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(text: &str) -> Result<Self, UnknownPreset> {
        let all = [Self::Cip, Self::Evidently, Self::NannyMl];
        all.into_iter()
            .find(|preset| preset.name() == text)
            .ok_or_else(|| UnknownPreset { text: text.into() })
    }
}

/// Text that is no [`Preset`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no preset: write cip, evidently or nannyml")]
pub struct UnknownPreset {
    text: Box<str>,
}

/// How two tables are compared.
///
/// # Examples
/// ```
/// use cip_drift::{DriftOptions, Preset};
/// let options = DriftOptions::new(Preset::Cip).with_alpha(0.01)?.with_score("score");
/// assert!(DriftOptions::new(Preset::Cip).with_alpha(f64::NAN).is_err());
/// # assert_eq!(options.preset(), Preset::Cip);
/// # Ok::<(), cip_drift::DriftError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DriftOptions {
    preset: Preset,
    pub(crate) alpha: f64,
    pub(crate) score: Option<Box<str>>,
    pub(crate) threshold: f64,
    pub(crate) importance: Vec<(Box<str>, f64)>,
}

impl DriftOptions {
    /// Returns the conventions of a preset: level .05, no column of scores.
    pub fn new(preset: Preset) -> Self {
        Self { preset, alpha: 0.05, score: None, threshold: 0.5, importance: Vec::new() }
    }

    /// Sets the level of significance of tests.
    ///
    /// # Errors
    /// [`DriftError::Probability`] where it is not between 0 and 1.
    pub fn with_alpha(mut self, alpha: f64) -> Result<Self, DriftError> {
        self.alpha = probability("the level", alpha)?;
        Ok(self)
    }

    /// Names the column that is a prediction: no feature; its drift is told apart, and where it is a probability, what the model achieves
    /// is estimated from it.
    #[must_use]
    pub fn with_score(mut self, column: &str) -> Self {
        self.score = Some(column.into());
        self
    }

    /// Sets the score from which on a row is foretold as positive.
    ///
    /// # Errors
    /// [`DriftError::Probability`] where it is not between 0 and 1.
    pub fn with_threshold(mut self, threshold: f64) -> Result<Self, DriftError> {
        self.threshold = probability("the threshold of scores", threshold)?;
        Ok(self)
    }

    /// Says how much a model leans on each feature, as shares of 1, so that the report tells how much of it drifts.
    #[must_use]
    pub fn with_importance<N: Into<Box<str>>>(mut self, shares: impl IntoIterator<Item = (N, f64)>) -> Self {
        self.importance = shares.into_iter().map(|(name, share)| (name.into(), share)).collect();
        self
    }

    /// The preset.
    pub fn preset(&self) -> Preset {
        self.preset
    }
}

fn probability(what: &'static str, value: f64) -> Result<f64, DriftError> {
    if 0.0 < value && value < 1.0 { Ok(value) } else { Err(DriftError::Probability { what, value }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_read_as_they_are_written() {
        for preset in [Preset::Cip, Preset::Evidently, Preset::NannyMl] {
            assert_eq!(preset.to_string().parse(), Ok(preset));
        }
        let error = "psi".parse::<Preset>().unwrap_err().to_string();
        assert_eq!(error, "`psi` is no preset: write cip, evidently or nannyml");
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        for value in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY] {
            let options = DriftOptions::new(Preset::Cip);
            assert!(options.clone().with_alpha(value).is_err() && options.with_threshold(value).is_err());
        }
        let error = DriftOptions::new(Preset::Cip).with_alpha(5.0).unwrap_err().to_string();
        assert_eq!(error, "the level is 5, expected a number between 0 and 1");
    }
}
