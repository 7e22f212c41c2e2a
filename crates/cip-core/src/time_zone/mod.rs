//! What clocks on the wall show: those of a time zone, or with a fixed offset from UTC.

mod named;
mod period;

use std::fmt;
use std::str::FromStr;

use crate::error::CoreError;
use named::NamedZone;

pub use named::TIME_ZONES;
pub use period::ZonePeriod;

/// The furthest offset, in minutes: clocks nowhere differ more from UTC.
const MAX_MINUTES: i64 = 18 * 60;

/// The clocks of a time zone, or clocks that have a fixed offset from UTC.
///
/// Reads `UTC`, an offset such as `+01:00`, east of Greenwich, or a name of the IANA time zone database such as
/// `Europe/Berlin`, in any case; prints the same, a name as the database spells it. The database is compiled in
/// ([`TIME_ZONES`] says which), and the machine's own is never read.
///
/// # Examples
/// ```
/// use cip_core::{TimeZone, Timestamp};
/// let berlin: TimeZone = "Europe/Berlin".parse()?;
/// // In summer two hours ahead of UTC: 01:30 of the next day.
/// let instant = "2019-07-14T23:30:00Z".parse::<Timestamp>()?;
/// let period = berlin.period(instant.micros());
/// assert_eq!(period.day(instant.micros()), i64::from(instant.day()) + 1);
/// assert_eq!(period.time_of_day(instant.micros()), 90 * 60 * 1_000_000);
/// assert_eq!("+00:00".parse::<TimeZone>()?, TimeZone::UTC);
/// assert!("+1:00".parse::<TimeZone>().is_err() && "Europe/Atlantis".parse::<TimeZone>().is_err());
/// # Ok::<(), cip_core::CoreError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TimeZone {
    clocks: Clocks,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Clocks {
    /// Minutes east of UTC, -MAX_MINUTES..=MAX_MINUTES.
    Offset(i64),
    Zone(NamedZone),
}

impl TimeZone {
    /// UTC.
    pub const UTC: Self = Self { clocks: Clocks::Offset(0) };

    /// Whether the database of time zones has its rules: then what it says depends on [`TIME_ZONES`].
    pub const fn is_named(&self) -> bool {
        matches!(self.clocks, Clocks::Zone(_))
    }

    /// Returns the time around `micros`, microseconds since 1970, in which clocks keep their offset from UTC.
    pub fn period(&self, micros: i64) -> ZonePeriod {
        match &self.clocks {
            Clocks::Offset(minutes) => ZonePeriod::always(minutes * 60_000_000),
            Clocks::Zone(zone) => zone.period(micros),
        }
    }

    /// Returns the same; `near`, which the caller keeps, is the answer where the instant lies in it, and makes instants near the last one cheap.
    #[inline]
    pub fn period_near(&self, micros: i64, near: &mut ZonePeriod) -> ZonePeriod {
        if !near.contains(micros) {
            *near = self.period(micros);
        }
        *near
    }
}

impl FromStr for TimeZone {
    type Err = CoreError;

    fn from_str(text: &str) -> Result<Self, CoreError> {
        let refuse = || CoreError::TimeZone { text: text.into() };
        if text.eq_ignore_ascii_case("UTC") {
            return Ok(Self::UTC);
        }
        let clocks = match text.as_bytes() {
            [b'+' | b'-', ..] => offset(text.as_bytes()).map(Clocks::Offset),
            _ => NamedZone::named(text).map(Clocks::Zone),
        };
        Ok(Self { clocks: clocks.ok_or_else(refuse)? })
    }
}

/// Minutes east of UTC of a text such as `+01:00`.
fn offset(text: &[u8]) -> Option<i64> {
    let &[sign, a, b, b':', c, d] = text else { return None };
    let number = |tens: u8, ones: u8| {
        let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        digits.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let minute = number(c, d).filter(|&minute| minute < 60)?;
    let minutes = number(a, b)? * 60 + minute;
    (minutes <= MAX_MINUTES).then_some(if sign == b'-' { -minutes } else { minutes })
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = match &self.clocks {
            Clocks::Zone(zone) => return f.pad(zone.name()),
            Clocks::Offset(0) => return f.pad("UTC"),
            Clocks::Offset(minutes) => *minutes,
        };
        let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
        f.pad(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_and_printed() {
        for (text, minutes) in [("UTC", 0), ("+01:00", 60), ("-09:30", -570), ("+18:00", 1_080)] {
            let zone: TimeZone = text.parse().unwrap();
            assert_eq!((&zone.clocks, zone.to_string().as_str()), (&Clocks::Offset(minutes), text));
        }
        for text in [
            "", "Z", "01:00", "+1:00", "+01:60", "+18:01", "-19:00", "+0a:00", "+01:00 ", "Berlin", "Europe/",
        ] {
            let error = text.parse::<TimeZone>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no time zone")), "{error}");
        }
    }

    #[test]
    fn names_are_read_in_any_case_and_printed_as_the_database_has_them() {
        for (text, printed) in [
            ("Europe/Berlin", "Europe/Berlin"),
            ("AMERICA/new_york", "America/New_York"),
            ("utc", "UTC"),
            ("Etc/UTC", "Etc/UTC"),
            ("Asia/Calcutta", "Asia/Calcutta"),
        ] {
            assert_eq!(text.parse::<TimeZone>().unwrap().to_string(), printed);
        }
        let [berlin, again, paris] =
            ["Europe/Berlin", "europe/berlin", "Europe/Paris"].map(|text| text.parse::<TimeZone>().unwrap());
        assert!(berlin == again && berlin != paris);
    }
}
