//! Where a day ends: midnight at a fixed offset from UTC.

use std::fmt;
use std::str::FromStr;

use cip_core::MICROS_PER_DAY;

use crate::error::SessionizeError;

/// The furthest offset, in minutes: clocks nowhere differ more from UTC.
const MAX_MINUTES: i64 = 18 * 60;

/// Midnight by clocks that have a fixed offset from UTC.
///
/// Reads `UTC` or an offset such as `+01:00`, east of Greenwich; prints the same. A clock that is put forward in summer has
/// two offsets: which one holds when is not known here, as rules of time zones change with the machine that has them.
///
/// # Examples
/// ```
/// use cip_sessionize::Midnight;
/// let berlin_in_winter: Midnight = "+01:00".parse()?;
/// assert_eq!(berlin_in_winter.to_string(), "+01:00");
/// assert_eq!("+00:00".parse::<Midnight>()?, Midnight::UTC);
/// assert!("+1:00".parse::<Midnight>().is_err());
/// # Ok::<(), cip_sessionize::SessionizeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Midnight {
    /// Minutes east of UTC, -MAX_MINUTES..=MAX_MINUTES.
    minutes: i64,
}

impl Midnight {
    /// Midnight of UTC.
    pub const UTC: Self = Self { minutes: 0 };

    /// The calendar day of an instant: days since 1970-01-01.
    #[inline]
    pub(crate) const fn day(self, micros: i64) -> i64 {
        let (day, within) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
        day + (within + self.minutes * 60_000_000).div_euclid(MICROS_PER_DAY)
    }

    /// The first instant of the day behind that of `micros`; the last there is where the day does not end.
    pub(crate) fn next(self, micros: i64) -> i64 {
        let local = i128::from(self.day(micros) + 1) * i128::from(MICROS_PER_DAY);
        i64::try_from(local - i128::from(self.minutes * 60_000_000)).unwrap_or(i64::MAX)
    }
}

impl FromStr for Midnight {
    type Err = SessionizeError;

    fn from_str(text: &str) -> Result<Self, SessionizeError> {
        let refuse = || SessionizeError::Midnight { text: text.into() };
        if text == "UTC" {
            return Ok(Self::UTC);
        }
        let &[sign, a, b, b':', c, d] = text.as_bytes() else { return Err(refuse()) };
        let number = |tens: u8, ones: u8| {
            let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
            digits.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
        };
        let minute = number(c, d).filter(|&minute| minute < 60).ok_or_else(refuse)?;
        let minutes = number(a, b).ok_or_else(refuse)? * 60 + minute;
        match sign {
            b'+' if minutes <= MAX_MINUTES => Ok(Self { minutes }),
            b'-' if minutes <= MAX_MINUTES => Ok(Self { minutes: -minutes }),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for Midnight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.minutes == 0 {
            return f.pad("UTC");
        }
        let (sign, minutes) = (if self.minutes < 0 { '-' } else { '+' }, self.minutes.abs());
        f.pad(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_and_printed() {
        for (text, minutes) in [("UTC", 0), ("+01:00", 60), ("-09:30", -570), ("+18:00", 1_080)] {
            let midnight: Midnight = text.parse().unwrap();
            assert_eq!((midnight.minutes, midnight.to_string().as_str()), (minutes, text));
        }
        for text in [
            "",
            "utc",
            "Z",
            "01:00",
            "+1:00",
            "+01:60",
            "+18:01",
            "-19:00",
            "+0a:00",
            "+01:00 ",
            "Europe/Berlin",
        ] {
            let error = text.parse::<Midnight>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no midnight")), "{error}");
        }
    }

    #[test]
    fn days_start_at_midnight_even_at_the_ends_of_time() {
        let east: Midnight = "+01:00".parse().unwrap();
        let hour = 3_600_000_000;
        assert_eq!((east.day(23 * hour - 1), east.day(23 * hour)), (0, 1));
        assert_eq!((Midnight::UTC.day(-1), Midnight::UTC.day(0)), (-1, 0));
        let west: Midnight = "-01:00".parse().unwrap();
        assert_eq!((west.day(hour - 1), west.day(hour)), (-1, 0));
        for midnight in [east, west, Midnight::UTC] {
            assert!(midnight.day(i64::MIN) < midnight.day(i64::MAX));
            assert_eq!(midnight.next(i64::MAX), i64::MAX);
            let next = midnight.next(5 * hour);
            assert_eq!((midnight.day(next - 1), midnight.day(next)), (0, 1));
        }
    }
}
