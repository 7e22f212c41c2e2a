//! How far a feature looks back from the cutoff.

use std::fmt;
use std::str::FromStr;

use cip_core::{CoreError, parse_duration};
use serde::{Deserialize, Serialize};

const SECONDS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A stretch of time that ends at the cutoff: `7d` is `[cutoff - 7 days, cutoff)`, with days of 24 hours.
///
/// Reads a whole number with `s`, `m`, `h` or `d`, at least 1; prints the largest unit that is whole: `48h` is `2d`.
///
/// # Examples
/// ```
/// use cip_features::spec::LookBack;
/// assert_eq!("48h".parse::<LookBack>()?.to_string(), "2d");
/// assert!("0d".parse::<LookBack>().is_err());
/// # Ok::<(), cip_core::CoreError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Box<str>", into = "Box<str>")]
pub struct LookBack {
    seconds: u64,
}

impl LookBack {
    /// What a session's gap is unless another is given.
    pub(super) const HALF_AN_HOUR: Self = Self { seconds: 1_800 };

    pub(super) const fn seconds(self) -> u64 {
        self.seconds
    }

    /// Where it starts, in microseconds; never after `cutoff`.
    pub(super) fn start(self, cutoff: i64) -> i64 {
        // 32 bits of days are beyond all times: the start is then before all of them.
        let micros = i64::try_from(self.seconds).ok().and_then(|seconds| seconds.checked_mul(1_000_000));
        micros.map_or(i64::MIN, |micros| cutoff.saturating_sub(micros))
    }
}

impl FromStr for LookBack {
    type Err = CoreError;

    fn from_str(text: &str) -> Result<Self, CoreError> {
        let seconds = parse_duration(text)?.as_secs();
        if seconds == 0 {
            let expected = "a stretch of time to look back: write one of at least a second, such as 7d";
            return Err(CoreError::Quantity { text: text.to_owned(), expected });
        }
        Ok(Self { seconds })
    }
}

impl fmt::Display for LookBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = SECONDS.iter().find(|(_, unit)| self.seconds.is_multiple_of(*unit));
        let (unit, seconds) = whole.copied().unwrap_or(('s', 1));
        f.pad(&format!("{}{unit}", self.seconds / seconds))
    }
}

impl TryFrom<Box<str>> for LookBack {
    type Error = CoreError;

    fn try_from(text: Box<str>) -> Result<Self, CoreError> {
        text.parse()
    }
}

impl From<LookBack> for Box<str> {
    fn from(back: LookBack) -> Self {
        back.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_printed_and_counted_back() {
        for (text, printed, seconds) in
            [("7d", "7d", 604_800), ("168h", "7d", 604_800), ("90m", "90m", 5_400), ("61s", "61s", 61)]
        {
            let back: LookBack = text.parse().unwrap();
            assert_eq!((back.to_string(), back.start(0)), (printed.to_owned(), -1_000_000 * seconds));
        }
        let longest: LookBack = format!("{}d", u32::MAX).parse().unwrap();
        assert_eq!(longest.start(0), i64::MIN);
        for text in ["", "0d", "7", "-7d", "1.5d", "7 d", "week"] {
            assert!(text.parse::<LookBack>().is_err(), "{text}");
        }
    }
}
