//! How long nobody does anything before a session ends.

use std::fmt;
use std::str::FromStr;

use cip_core::CoreError;
use serde::{Deserialize, Serialize};

use super::look_back::LookBack;

/// The longest time between two events of one session.
///
/// Reads and prints what a [`LookBack`] does: a whole number with `s`, `m`, `h` or `d`, at least 1.
///
/// # Examples
/// ```
/// use cip_features::spec::Gap;
/// assert_eq!("90m".parse::<Gap>()?.to_string(), "90m");
/// assert_eq!(Gap::default().to_string(), "30m");
/// assert!("0m".parse::<Gap>().is_err());
/// # Ok::<(), cip_core::CoreError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gap(LookBack);

impl Gap {
    /// In microseconds.
    pub(super) fn micros(self) -> u64 {
        self.0.seconds().saturating_mul(1_000_000)
    }
}

impl Default for Gap {
    /// 30 minutes, the timeout of Google Analytics.
    fn default() -> Self {
        Self(LookBack::HALF_AN_HOUR)
    }
}

impl FromStr for Gap {
    type Err = CoreError;

    fn from_str(text: &str) -> Result<Self, CoreError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
