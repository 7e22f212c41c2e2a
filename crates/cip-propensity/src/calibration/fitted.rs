//! A calibration that was fitted: its map, from how many rows, and why it is none where it is.

use serde::{Deserialize, Serialize};

use super::map::{CalibrationMap, high, low};
use super::{Calibration, Groups, isotonic, logistic};

/// The calibration of a model.
///
/// Its map keeps the order of the margins (but for ties), never leaves 0 to 1, and is never NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedCalibration {
    method: Calibration,
    map: CalibrationMap,
    rows: u64,
    positives: u64,
    fallback: Option<CalibrationFallback>,
}

/// Why a map is the logistic function of the margin, although another was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CalibrationFallback {
    /// There are fewer than [`Calibration::LEAST_OF_A_CLASS`] rows of either class.
    FewRows,
    /// All margins are the same, so they say nothing of how sure to be.
    OneMargin,
    /// The numbers are so far apart that no curve was found.
    NoCurve,
}

impl CalibrationFallback {
    /// The reason in words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::FewRows => "fewer than 10 rows of a class are held out for it",
            Self::OneMargin => "all margins held out for it are the same",
            Self::NoCurve => "no curve was found",
        }
    }
}

impl FittedCalibration {
    /// The logistic function of the margin, as no calibration was asked for.
    pub const NONE: Self =
        Self { method: Calibration::None, map: CalibrationMap::None, rows: 0, positives: 0, fallback: None };

    pub(super) fn new(method: Calibration, of: &Groups) -> Self {
        let Groups { groups, rows, positives, .. } = of;
        let (rows, positives) = (*rows, *positives);
        let fitted = if method == Calibration::None {
            Ok(CalibrationMap::None)
        } else if positives.min(rows - positives) < Calibration::LEAST_OF_A_CLASS {
            Err(CalibrationFallback::FewRows)
        } else if groups.len() < 2 {
            Err(CalibrationFallback::OneMargin)
        } else {
            map(method, of).ok_or(CalibrationFallback::NoCurve)
        };
        let (map, fallback) = match fitted {
            Ok(map) => (map, None),
            Err(fallback) => (CalibrationMap::None, Some(fallback)),
        };
        Self { method, map, rows, positives, fallback }
    }

    /// Returns the probability of a margin; one that is NaN counts as the lowest.
    pub fn probability(&self, margin: f64) -> f64 {
        self.map.probability(margin)
    }

    /// The method that was asked for.
    pub const fn method(&self) -> Calibration {
        self.method
    }

    /// The map.
    pub const fn map(&self) -> &CalibrationMap {
        &self.map
    }

    /// The rows that it was fitted on.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows of them whose label is 1.
    pub const fn positives(&self) -> u64 {
        self.positives
    }

    /// Why the map is the logistic function although another was asked for, if so.
    pub const fn fallback(&self) -> Option<CalibrationFallback> {
        self.fallback
    }

    /// Checks a calibration that comes from elsewhere, and says what is wrong with it.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.positives > self.rows {
            return Err("its calibration has more positives than rows");
        }
        let fits = match &self.map {
            CalibrationMap::None => (self.method == Calibration::None) == self.fallback.is_none(),
            CalibrationMap::Platt { .. } => self.method == Calibration::Platt && self.fallback.is_none(),
            CalibrationMap::Beta { .. } => self.method == Calibration::Beta && self.fallback.is_none(),
            CalibrationMap::Isotonic { .. } => {
                self.method == Calibration::Isotonic && self.fallback.is_none()
            }
        };
        if !fits {
            return Err("its calibration is not of the method that it names");
        }
        self.map.check()
    }
}

fn map(method: Calibration, groups: &Groups) -> Option<CalibrationMap> {
    let found = match method {
        Calibration::None => CalibrationMap::None,
        Calibration::Platt => {
            let curve = logistic::fit(groups, &[|margin| margin])?;
            CalibrationMap::Platt { slope: curve.slopes[0], intercept: curve.constant }
        }
        Calibration::Beta => {
            let curve = logistic::fit(groups, &[low, high])?;
            let [a, b] = curve.slopes;
            CalibrationMap::Beta { a, b, c: curve.constant }
        }
        Calibration::Isotonic => CalibrationMap::Isotonic { points: isotonic::points(&groups.groups) },
    };
    found.check().is_ok().then_some(found)
}
