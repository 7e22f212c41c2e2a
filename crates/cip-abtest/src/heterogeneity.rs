//! Whether an effect differs between segments of the units.

use serde::Serialize;

use crate::contingency::ChiSquare;
use crate::correction::Correction;
use crate::error::AbTestError;
use crate::estimate::{EffectEstimate, Interval};

/// The effect in each segment, with p-values that are adjusted for their number, and whether segments differ.
///
/// # Method
/// The effects are pooled by inverse variance; Cochran's Q (1954) is the sum of their squared distances from the pooled one
/// in standard errors, on (segments - 1) degrees of freedom. I^2 is the share of it that chance does not explain (Higgins
/// and Thompson 2002).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Heterogeneity {
    /// The segments, as they were given.
    pub segments: Vec<SegmentEffect>,
    /// The effect of all segments, weighted by how certain each is.
    pub pooled: f64,
    /// Cochran's Q.
    pub q: ChiSquare,
    /// I squared, 0 to 1.
    pub i_squared: f64,
}

/// The effect in one segment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SegmentEffect {
    /// The segment.
    pub segment: Box<str>,
    /// Units of both arms.
    pub n: u64,
    /// The effect.
    pub effect: f64,
    /// Its interval of confidence 1 - alpha, for this segment alone.
    pub interval: Interval,
    /// The p-value of this segment alone.
    pub p_value: f64,
    /// The p-value adjusted for the number of segments.
    pub adjusted_p_value: f64,
}

impl Heterogeneity {
    /// Returns the comparison of the effects of two or more segments, of one scale.
    ///
    /// # Errors
    /// [`AbTestError::StrataDiffer`] below two segments, [`AbTestError::Level`];
    /// [`AbTestError::NoSpread`] where a segment's effect has no standard error.
    pub fn of(
        segments: &[(&str, EffectEstimate)],
        alpha: f64,
        correction: Correction,
    ) -> Result<Self, AbTestError> {
        if segments.len() < 2 {
            return Err(AbTestError::StrataDiffer { control: segments.len(), arm: segments.len() });
        }
        if let Some((segment, _)) = segments.iter().find(|(_, effect)| effect.standard_error == 0.0) {
            return Err(AbTestError::NoSpread { arm: (*segment).into() });
        }
        // Weights relative to the most certain one, so that no square overflows.
        let least = segments.iter().map(|(_, effect)| effect.standard_error).fold(f64::INFINITY, f64::min);
        let weights: Vec<f64> =
            segments.iter().map(|(_, effect)| (least / effect.standard_error).powi(2)).collect();
        let total: f64 = weights.iter().sum();
        let pooled =
            segments.iter().zip(&weights).map(|((_, effect), weight)| effect.effect * (weight / total)).sum();
        let q = segments.iter().map(|(_, effect)| effect.from(pooled).powi(2)).sum::<f64>();
        let df = segments.len() as u64 - 1;
        let p_values: Vec<f64> = segments.iter().map(|(_, effect)| effect.p_value()).collect();
        let adjusted = correction.adjust(&p_values);
        let segments = segments.iter().zip(p_values).zip(adjusted);
        let segments = segments.map(|(((segment, effect), p_value), adjusted_p_value)| {
            Ok(SegmentEffect {
                segment: (*segment).into(),
                n: effect.n,
                effect: effect.effect,
                interval: effect.interval(alpha)?,
                p_value,
                adjusted_p_value,
            })
        });
        Ok(Self {
            segments: segments.collect::<Result<_, AbTestError>>()?,
            pooled,
            q: ChiSquare::new(q, df),
            i_squared: if q > df as f64 { 1.0 - df as f64 / q } else { 0.0 },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::EffectScale;

    fn effect(effect: f64, standard_error: f64) -> EffectEstimate {
        EffectEstimate { scale: EffectScale::Absolute, effect, standard_error, df: f64::INFINITY, n: 100 }
    }

    #[test]
    fn equal_segments_are_one_and_opposite_ones_are_not() {
        let same = [("a", effect(0.5, 0.1)), ("b", effect(0.5, 0.2))];
        let found = Heterogeneity::of(&same, 0.05, Correction::Holm).unwrap();
        assert_eq!((found.pooled, found.q.statistic, found.i_squared), (0.5, 0.0, 0.0));
        let differ = [("a", effect(0.3, 0.1)), ("b", effect(-0.3, 0.1)), ("c", effect(0.0, 0.1))];
        let found = Heterogeneity::of(&differ, 0.05, Correction::Bonferroni).unwrap();
        assert!(found.pooled.abs() < 1e-12 && (found.q.statistic - 18.0).abs() < 1e-9 && found.q.df == 2);
        assert!((found.i_squared - 16.0 / 18.0).abs() < 1e-9);
        assert!((found.segments[0].adjusted_p_value - 3.0 * found.segments[0].p_value).abs() < 1e-15);
    }

    #[test]
    fn what_cannot_be_pooled_is_refused() {
        let of = |segments: &[_]| Heterogeneity::of(segments, 0.05, Correction::None);
        assert!(matches!(of(&[("a", effect(1.0, 1.0))]), Err(AbTestError::StrataDiffer { .. })));
        let certain = [("a", effect(1.0, 1.0)), ("b", effect(1.0, 0.0))];
        assert!(matches!(of(&certain), Err(AbTestError::NoSpread { .. })));
    }
}
