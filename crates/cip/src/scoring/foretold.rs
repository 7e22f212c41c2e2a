//! What a model foretold of a table, and what came true: its evaluation, the intervals of that, and what a budget brings.

use cip_propensity::{
    Bootstrap, Evaluation, MetricIntervals, PropensityError, PropensityModel, Response, WeightedEvaluation,
};

/// The margins of a table's rows, and their labels.
#[derive(Debug, Clone)]
pub struct Foretold<'a> {
    pub(super) model: &'a PropensityModel,
    pub(super) margins: Vec<f64>,
    pub(super) labels: Vec<bool>,
}

impl Foretold<'_> {
    /// Returns how well the labels were foretold.
    ///
    /// # Errors
    /// As [`Evaluation::new`].
    pub fn evaluate(&self) -> Result<Evaluation, PropensityError> {
        self.model.evaluate(&self.margins, &self.labels)
    }

    /// Returns how well the labels were foretold, each row counting as often as its weight says.
    ///
    /// # Errors
    /// As [`WeightedEvaluation::new`].
    pub fn evaluate_weighted(&self, weights: &[f64]) -> Result<WeightedEvaluation, PropensityError> {
        self.model.evaluate_weighted(&self.margins, &self.labels, weights)
    }

    /// Returns how far the metrics of [`Foretold::evaluate`] might be off.
    ///
    /// # Errors
    /// As [`Bootstrap::intervals`].
    pub fn intervals(&self, bootstrap: Bootstrap) -> Result<MetricIntervals, PropensityError> {
        bootstrap.intervals(&self.margins, &self.scores(), &self.labels)
    }

    /// Returns what the best-ranked rows bring.
    ///
    /// # Errors
    /// As [`Response::new`].
    pub fn response(&self) -> Result<Response, PropensityError> {
        Response::new(&self.margins, &self.scores(), &self.labels)
    }

    fn scores(&self) -> Vec<f64> {
        self.margins.iter().map(|&margin| self.model.score(margin)).collect()
    }
}
