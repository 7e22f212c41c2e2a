//! What a treatment is made to do in synthetic data.

use serde::{Deserialize, Serialize};

use crate::error::AbTestError;

/// The effect of a treatment, for a generator of data: a share of the treated users' events of one type become
/// another.
///
/// Analysis never reads it: it stands in the specification so that one file serves the generator, the ingestion
/// and the analysis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Effect {
    from: Box<str>,
    to: Box<str>,
    share: f64,
}

impl Effect {
    /// Returns the effect that turns a share, 0 to 1, of the events of type `from` into events of type `to`.
    ///
    /// # Errors
    /// [`AbTestError::EffectBlank`], [`AbTestError::EffectKinds`] where the types are the same,
    /// [`AbTestError::EffectShare`] where the share is not in `0..=1`.
    pub fn new(from: impl Into<Box<str>>, to: impl Into<Box<str>>, share: f64) -> Result<Self, AbTestError> {
        Unchecked { from: from.into(), to: to.into(), share }.try_into()
    }

    /// The event type that is turned.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// What it is turned into.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// The share of events turned, 0 to 1.
    pub const fn share(&self) -> f64 {
        self.share
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename = "Effect")]
struct Unchecked {
    from: Box<str>,
    to: Box<str>,
    share: f64,
}

impl TryFrom<Unchecked> for Effect {
    type Error = AbTestError;

    fn try_from(Unchecked { from, to, share }: Unchecked) -> Result<Self, AbTestError> {
        if from.trim().is_empty() || to.trim().is_empty() {
            return Err(AbTestError::EffectBlank);
        }
        if from == to {
            return Err(AbTestError::EffectKinds { kind: from });
        }
        if (0.0..=1.0).contains(&share) {
            Ok(Self { from, to, share })
        } else {
            Err(AbTestError::EffectShare { share })
        }
    }
}
