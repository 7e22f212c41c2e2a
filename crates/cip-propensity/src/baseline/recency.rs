//! Who was here last comes first.

use ndarray::ArrayView2;

use crate::calibration::{Calibration, FittedCalibration};
use crate::error::PropensityError;
use crate::matrix::FeatureMatrix;

/// The days since somebody was here, and how likely that makes them.
#[derive(Debug, Clone)]
pub(super) struct RecencyBaseline {
    column: usize,
    /// The margin of whoever is not known to have been here.
    never: f64,
    calibration: FittedCalibration,
}

impl RecencyBaseline {
    /// The features that tell how long ago somebody was here.
    const FEATURES: [&str; 2] = ["recency_days", "days_since_last_event"];

    /// The rule of some rows; none where no feature tells how long ago somebody was here.
    pub(super) fn fit(
        features: &FeatureMatrix,
        labels: &[bool],
        weights: Option<&[f64]>,
    ) -> Result<Option<Self>, PropensityError> {
        let position = |wanted: &&str| features.names().iter().position(|name| &**name == *wanted);
        let Some(column) = Self::FEATURES.iter().find_map(position) else { return Ok(None) };
        let counts = |row: usize| weights.is_none_or(|weights| weights[row] > 0.0);
        let view = features.view();
        let days = view.column(column).into_iter().enumerate().filter(|&(row, _)| counts(row));
        let known =
            days.filter(|(_, days)| !days.is_nan()).fold(0.0, |most, (_, &days)| f32::max(most, days));
        let mut rule = Self { column, never: -f64::from(known) - 1.0, calibration: FittedCalibration::NONE };
        let margins = rule.margins(&view);
        rule.calibration = match weights {
            Some(weights) => Calibration::Platt.fit_weighted(&margins, labels, weights)?,
            None => Calibration::Platt.fit(&margins, labels)?,
        };
        Ok(Some(rule))
    }

    /// The days, negative, so that the latest are the highest.
    pub(super) fn margins(&self, rows: &ArrayView2<'_, f32>) -> Vec<f64> {
        let days = rows.column(self.column);
        days.iter().map(|&days| if days.is_nan() { self.never } else { -f64::from(days) }).collect()
    }

    pub(super) fn scores(&self, rows: &ArrayView2<'_, f32>) -> Vec<f64> {
        self.margins(rows).into_iter().map(|margin| self.calibration.probability(margin)).collect()
    }
}
