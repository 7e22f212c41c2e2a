//! How an experiment is judged: its unit, its time, its metrics and its levels, all decided before it starts.

use cip_core::TimeRange;

use crate::arm_count::check_level;
use crate::error::AbTestError;

/// What is decided of an experiment before it starts, besides its arms.
#[derive(Debug, Clone, PartialEq)]
pub struct Protocol {
    unit: Box<str>,
    range: TimeRange,
    metrics: Vec<Box<str>>,
    guardrails: Vec<Guardrail>,
    alpha: f64,
    power: f64,
}

impl Default for Protocol {
    /// Users at any time, at level .05 with a power of .8, and no metrics yet.
    fn default() -> Self {
        Self {
            unit: cip_core::column::USER_ID.into(),
            range: TimeRange::ALL,
            metrics: Vec::new(),
            guardrails: Vec::new(),
            alpha: 0.05,
            power: 0.8,
        }
    }
}

impl Protocol {
    /// Sets what is assigned, as the name of its column.
    ///
    /// # Errors
    /// [`AbTestError::BlankUnit`].
    pub fn with_unit(mut self, unit: impl Into<Box<str>>) -> Result<Self, AbTestError> {
        self.unit = unit.into();
        if self.unit.trim().is_empty() { Err(AbTestError::BlankUnit) } else { Ok(self) }
    }

    /// Sets the time in which exposures and outcomes count.
    #[must_use]
    pub fn with_range(mut self, range: TimeRange) -> Self {
        self.range = range;
        self
    }

    /// Sets the event types that are successes; the first decides.
    ///
    /// # Errors
    /// [`AbTestError::BlankMetric`].
    pub fn with_metrics<N: Into<Box<str>>>(
        mut self,
        metrics: impl IntoIterator<Item = N>,
    ) -> Result<Self, AbTestError> {
        self.metrics = metrics.into_iter().map(Into::into).collect();
        let blank = self.metrics.iter().any(|metric| metric.trim().is_empty());
        if blank { Err(AbTestError::BlankMetric) } else { Ok(self) }
    }

    /// Adds what must not fall by a margin.
    #[must_use]
    pub fn with_guardrail(mut self, guardrail: Guardrail) -> Self {
        self.guardrails.push(guardrail);
        self
    }

    /// Sets the allowed probability of a false finding.
    ///
    /// # Errors
    /// [`AbTestError::Level`].
    pub fn with_alpha(self, alpha: f64) -> Result<Self, AbTestError> {
        Ok(Self { alpha: check_level("alpha", alpha)?, ..self })
    }

    /// Sets the probability to find the effect that is planned for.
    ///
    /// # Errors
    /// [`AbTestError::Level`].
    pub fn with_power(self, power: f64) -> Result<Self, AbTestError> {
        Ok(Self { power: check_level("power", power)?, ..self })
    }

    /// What is assigned.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The time in which exposures and outcomes count.
    pub const fn range(&self) -> TimeRange {
        self.range
    }

    /// The event types that are successes; the first decides.
    pub fn metrics(&self) -> &[Box<str>] {
        &self.metrics
    }

    /// What must not fall.
    pub fn guardrails(&self) -> &[Guardrail] {
        &self.guardrails
    }

    /// The allowed probability of a false finding.
    pub const fn alpha(&self) -> f64 {
        self.alpha
    }

    /// The probability to find the effect that is planned for.
    pub const fn power(&self) -> f64 {
        self.power
    }
}

/// An event type whose rate must not fall by a margin or more: see
/// [`EffectEstimate::non_inferiority`](crate::EffectEstimate::non_inferiority).
#[derive(Debug, Clone, PartialEq)]
pub struct Guardrail {
    metric: Box<str>,
    margin: f64,
}

impl Guardrail {
    /// Returns the guardrail of an event type, with an absolute margin.
    ///
    /// # Errors
    /// [`AbTestError::BlankMetric`]; [`AbTestError::Setting`] where the margin is not a positive number.
    pub fn new(metric: impl Into<Box<str>>, margin: f64) -> Result<Self, AbTestError> {
        let metric = metric.into();
        if metric.trim().is_empty() {
            return Err(AbTestError::BlankMetric);
        }
        if 0.0 < margin && margin < f64::INFINITY {
            Ok(Self { metric, margin })
        } else {
            Err(AbTestError::Setting { what: "the margin", value: margin, allowed: "a positive number" })
        }
    }

    /// The event type.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// By how much its rate may fall, as an absolute difference.
    pub const fn margin(&self) -> f64 {
        self.margin
    }
}
