//! The specification of an experiment: who is treated, and what the treatment does.

use std::fmt;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use crate::chance::unit;
use crate::error::SynthError;

/// An experiment on the shop's users. Its effect is a real share between 0 and 1, and turns one event type into
/// another.
///
/// # Input
/// A TOML document; every key is required, unknown keys are refused:
///
/// ```toml
/// name = "checkout"
/// assignment = "md5_parity"
/// [effect]
/// from = "cart"
/// to = "purchase"
/// share = 0.05
/// ```
///
/// # Examples
/// ```
/// use cip_synth::{Arm, Experiment};
///
/// let experiment = Experiment::from_toml(
///     r#"
///     name = "checkout"
///     assignment = "md5_parity"
///     [effect]
///     from = "cart"
///     to = "purchase"
///     share = 0.05
///     "#,
/// )?;
/// // MD5("1") ends in b, which is odd; MD5("3") ends in 3; MD5("2") in c.
/// assert_eq!(experiment.arm(1), Arm::Treatment);
/// assert_eq!(experiment.arm(2), Arm::Control);
/// # Ok::<(), cip_synth::SynthError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    name: String,
    assignment: Assignment,
    effect: Effect,
}

impl Experiment {
    /// Returns an experiment in which `effect` befalls the treated users.
    ///
    /// # Errors
    /// [`SynthError::ExperimentName`] where the name is blank, [`SynthError::EffectKinds`] where the effect
    /// leaves events as they are, [`SynthError::EffectShare`] where the share is not in `0..=1`.
    pub fn new(name: impl Into<String>, assignment: Assignment, effect: Effect) -> Result<Self, SynthError> {
        Self { name: name.into(), assignment, effect }.checked()
    }

    /// Returns the experiment that a TOML document describes.
    ///
    /// # Errors
    /// [`SynthError::ExperimentText`] with line and column where the text is not of the documented form, and
    /// the errors of [`Experiment::new`].
    pub fn from_toml(text: &str) -> Result<Self, SynthError> {
        toml::from_str::<Self>(text)?.checked()
    }

    /// The experiment's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How users come to their arm.
    pub const fn assignment(&self) -> Assignment {
        self.assignment
    }

    /// What the treatment does.
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// Returns the arm of a user: always the same for the same id.
    pub fn arm(&self, user_id: i64) -> Arm {
        match self.assignment {
            Assignment::Md5Parity => {
                let digest = Md5::digest(user_id.to_string().as_bytes());
                // The last hexadecimal digit is odd where the last byte is.
                if digest.last().is_some_and(|byte| byte % 2 == 1) { Arm::Treatment } else { Arm::Control }
            }
        }
    }

    /// Returns what becomes of an event of `user_id`; `bits` are the event's own and decide by the share.
    pub(crate) fn outcome(&self, kind: ShopEvent, user_id: i64, bits: u64) -> ShopEvent {
        let Effect { from, to, share } = self.effect;
        if kind == from && unit(bits) < share && self.arm(user_id) == Arm::Treatment { to } else { kind }
    }

    fn checked(self) -> Result<Self, SynthError> {
        let Effect { from, to, share } = self.effect;
        if self.name.trim().is_empty() {
            return Err(SynthError::ExperimentName);
        }
        if from == to {
            return Err(SynthError::EffectKinds { kind: from });
        }
        if !(0.0..=1.0).contains(&share) {
            return Err(SynthError::EffectShare { share });
        }
        Ok(self)
    }
}

/// What the treatment does: a share of the treated users' events of one type become another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// The event type that is turned.
    pub from: ShopEvent,
    /// What it is turned into.
    pub to: ShopEvent,
    /// The share of events turned, 0 to 1.
    pub share: f64,
}

/// How users come to their arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Assignment {
    /// By the MD5 of the user id's decimal digits as UTF-8: control where the last hexadecimal digit is even.
    Md5Parity,
}

/// An arm of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// Left as it is.
    Control,
    /// Given the effect.
    Treatment,
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Control => "control",
            Self::Treatment => "treatment",
        })
    }
}

/// The event types of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShopEvent {
    /// A product page was looked at.
    View,
    /// A product was put into the cart.
    Cart,
    /// A product was bought.
    Purchase,
}

impl ShopEvent {
    /// The name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Cart => "cart",
            Self::Purchase => "purchase",
        }
    }
}

impl fmt::Display for ShopEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = \"checkout\"\nassignment = \"md5_parity\"\n\
                        [effect]\nfrom = \"cart\"\nto = \"purchase\"\nshare = 0.05\n";

    #[test]
    fn the_documented_form_is_read_and_written() {
        let experiment = Experiment::from_toml(TEXT).unwrap();
        let effect = Effect { from: ShopEvent::Cart, to: ShopEvent::Purchase, share: 0.05 };
        assert_eq!(experiment, Experiment::new("checkout", Assignment::Md5Parity, effect).unwrap());
        assert_eq!(Experiment::from_toml(&toml::to_string(&experiment).unwrap()).unwrap(), experiment);
    }

    #[test]
    fn shares_outside_zero_to_one_are_refused() {
        for share in ["-0.01", "1.01", "nan", "inf", "-inf"] {
            let error = Experiment::from_toml(&TEXT.replace("0.05", share)).unwrap_err();
            assert!(matches!(error, SynthError::EffectShare { .. }), "{share}: {error}");
        }
        for share in ["0.0", "1.0", "1"] {
            Experiment::from_toml(&TEXT.replace("0.05", share)).unwrap();
        }
    }

    #[test]
    fn what_is_unknown_missing_or_void_is_refused_with_a_reason() {
        let message = |text: String| Experiment::from_toml(&text).unwrap_err().to_string();
        assert!(message(TEXT.replace("name", "nmae")).contains("unknown field `nmae`"));
        assert!(message(TEXT.replace("share", "shares")).contains("unknown field `shares`"));
        assert!(message(TEXT.replace("share = 0.05", "")).contains("missing field `share`"));
        assert!(message(TEXT.replace("md5_parity", "coin")).contains("unknown variant `coin`"));
        assert!(message(TEXT.replace("\"cart\"", "\"click\"")).contains("expected one of `view`"));
        assert!(message(TEXT.replace("\"purchase\"", "\"cart\"")).contains("`cart` into itself"));
        assert!(message(TEXT.replace("checkout", " ")).contains("name is empty"));
    }

    #[test]
    fn the_arm_is_the_parity_of_the_last_md5_digit() {
        let experiment = Experiment::from_toml(TEXT).unwrap();
        // `printf 541312140 | md5sum` and so on.
        for (id, last) in [(1i64, 'b'), (2, 'c'), (3, '3'), (10, '0')] {
            let odd = last.to_digit(16).unwrap() % 2 == 1;
            assert_eq!(experiment.arm(id), if odd { Arm::Treatment } else { Arm::Control }, "{id}");
        }
        let treated = (500_000_000..500_010_000).filter(|&id| experiment.arm(id) == Arm::Treatment).count();
        assert!((4_800..5_200).contains(&treated), "{treated}");
    }
}
