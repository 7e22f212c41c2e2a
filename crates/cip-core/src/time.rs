//! Instants, UTC days and half-open time ranges.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::CoreError;

/// Microseconds in a UTC day.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

/// An instant in time: microseconds since 1970-01-01T00:00:00Z, as in an Arrow `Timestamp(us, UTC)`.
///
/// Reads a UTC day (its first instant) or RFC 3339; prints a whole day as `2019-11-01`, any other instant as
/// RFC 3339.
///
/// # Examples
/// ```
/// use cip_core::Timestamp;
/// let cutoff: Timestamp = "2019-11-01".parse()?;
/// assert_eq!(cutoff, "2019-11-01T01:00:00+01:00".parse()?);
/// assert_eq!(cutoff.to_string(), "2019-11-01");
/// # Ok::<(), cip_core::CoreError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp {
    micros: i64,
}

impl Timestamp {
    /// Returns the instant `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self { micros }
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.micros
    }

    /// The UTC calendar day: days since 1970-01-01.
    pub const fn day(self) -> i32 {
        self.micros.div_euclid(MICROS_PER_DAY) as i32
    }

    /// The first instant of the UTC day after this instant's day.
    pub const fn next_day(self) -> Self {
        Self { micros: (self.micros.div_euclid(MICROS_PER_DAY) + 1).saturating_mul(MICROS_PER_DAY) }
    }
}

impl FromStr for Timestamp {
    type Err = CoreError;

    fn from_str(text: &str) -> Result<Self, CoreError> {
        let micros = if text.len() == 10 {
            text.parse::<jiff::civil::Date>()
                .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC))
                .map(|zoned| zoned.timestamp().as_microsecond())
        } else {
            text.parse::<jiff::Timestamp>().map(|instant| instant.as_microsecond())
        };
        micros.map(Self::from_micros).map_err(|_| CoreError::Date { text: text.to_owned() })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.micros) {
            Ok(timestamp) if self.micros.rem_euclid(MICROS_PER_DAY) == 0 => {
                let day = timestamp.to_zoned(jiff::tz::TimeZone::UTC).date();
                f.pad(&day.to_string())
            }
            Ok(timestamp) => f.pad(&timestamp.to_string()),
            // Outside the years -9999..=9999 there is no calendar text.
            Err(_) => write!(f, "{}us", self.micros),
        }
    }
}

/// A half-open range of time: from `start` up to, and without, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct TimeRange {
    start: Timestamp,
    end: Timestamp,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self { start: Timestamp { micros: i64::MIN }, end: Timestamp { micros: i64::MAX } };

    /// Returns `[start, end)`; an empty range is allowed.
    ///
    /// # Errors
    /// [`CoreError::TimeRange`] where `end` lies before `start`.
    pub fn new(start: Timestamp, end: Timestamp) -> Result<Self, CoreError> {
        if start <= end {
            Ok(Self { start, end })
        } else {
            Err(CoreError::TimeRange { start: start.micros, end: end.micros })
        }
    }

    /// Returns everything before `end`.
    pub const fn before(end: Timestamp) -> Self {
        Self { start: Self::ALL.start, end }
    }

    /// The first instant inside.
    pub const fn start(self) -> Timestamp {
        self.start
    }

    /// The first instant after the range.
    pub const fn end(self) -> Timestamp {
        self.end
    }

    /// Whether `micros` lies inside.
    pub const fn contains(self, micros: i64) -> bool {
        self.start.micros <= micros && micros < self.end.micros
    }

    /// Whether any instant of the *closed* span `[first, last]` lies inside: the test that prunes a file.
    pub const fn meets(self, first: i64, last: i64) -> bool {
        self.start.micros <= last && first < self.end.micros
    }
}

/// Returns the duration that `text` writes: a whole number with `s`, `m`, `h` or `d`.
///
/// # Examples
/// ```
/// assert_eq!(cip_core::parse_duration("30m")?.as_secs(), 1800);
/// # Ok::<(), cip_core::CoreError>(())
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, CoreError> {
    let refuse = || CoreError::Quantity {
        text: text.to_owned(),
        expected: "a duration: write a whole number with s, m, h or d, such as 30m",
    };
    let split = text.len().checked_sub(1).ok_or_else(refuse)?;
    let (number, unit) = text.split_at_checked(split).ok_or_else(refuse)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(refuse()),
    };
    let number: u32 = number.parse().map_err(|_| refuse())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_instants_are_read_and_printed() {
        let day: Timestamp = "2019-10-01".parse().unwrap();
        assert_eq!(day.micros(), 1_569_888_000_000_000);
        assert_eq!(day.day(), 18_170);
        assert_eq!(
            "2019-10-01T02:50:00.5Z".parse::<Timestamp>().unwrap().to_string(),
            "2019-10-01T02:50:00.5Z"
        );
        assert_eq!(Timestamp::from_micros(-1).day(), -1);
        assert_eq!(Timestamp::from_micros(-1).next_day(), Timestamp::from_micros(0));
        assert_eq!(Timestamp::from_micros(i64::MAX).to_string(), format!("{}us", i64::MAX));
        for text in ["", "2019-13-01", "yesterday", "2019-10-01 00:00", "é019-10-0"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_are_half_open() {
        let (a, b) = (Timestamp::from_micros(10), Timestamp::from_micros(20));
        let range = TimeRange::new(a, b).unwrap();
        assert!(range.contains(10) && range.contains(19) && !range.contains(20) && !range.contains(9));
        assert!(range.meets(0, 10) && !range.meets(0, 9) && !range.meets(20, 30));
        assert!(TimeRange::new(b, a).is_err());
    }

    #[test]
    fn durations_as_people_write_them() {
        assert_eq!(parse_duration("1d").unwrap().as_secs(), 86_400);
        for text in ["", "m", "30", "-5m", "1.5h", "30 m", "3é"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
