//! Where a day ends: midnight in a time zone, or at a fixed offset from UTC.

use std::fmt;
use std::str::FromStr;

use cip_core::{TimeZone, ZonePeriod};

use crate::error::SessionizeError;

/// Between two instants further apart the calendar does not come back to the same day: a day has 24 hours, and where clocks are
/// put back over the date line as many again.
const LONGEST_DAY: i64 = 3 * cip_core::MICROS_PER_DAY;

/// Midnight by the clocks of a time zone, or by clocks that have a fixed offset from UTC.
///
/// Reads and prints a [`TimeZone`]: `UTC`, an offset such as `+01:00`, east of Greenwich, or a name of the IANA time zone database such as
/// `Europe/Berlin`, in any case.
///
/// A day is what the calendar of the zone says at an instant. So where clocks are put forward or back a day has 23 or 25
/// hours; where midnight itself is left out, the day starts at the first instant that has its date; and where clocks are put
/// back over midnight (America/St_Johns until 2006, at 00:01), the earlier day comes once more for a while.
///
/// # Examples
/// ```
/// use cip_sessionize::Midnight;
/// let berlin: Midnight = "Europe/Berlin".parse()?;
/// assert_eq!(berlin.to_string(), "Europe/Berlin");
/// let always_winter: Midnight = "+01:00".parse()?;
/// assert_eq!(always_winter.to_string(), "+01:00");
/// assert_eq!("+00:00".parse::<Midnight>()?, Midnight::UTC);
/// assert!("+1:00".parse::<Midnight>().is_err());
/// assert!("Europe/Atlantis".parse::<Midnight>().is_err());
/// # Ok::<(), cip_sessionize::SessionizeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Midnight {
    zone: TimeZone,
}

impl Midnight {
    /// Midnight of UTC.
    pub const UTC: Self = Self { zone: TimeZone::UTC };

    /// Whether the database of time zones says when it is.
    pub(crate) const fn is_of_zone(&self) -> bool {
        self.zone.is_named()
    }

    /// The calendar day of an instant: days since 1970-01-01. `near` is kept by the caller, and makes instants near the last
    /// one cheap.
    #[inline]
    pub(crate) fn day(&self, micros: i64, near: &mut ZonePeriod) -> i64 {
        self.zone.period_near(micros, near).day(micros)
    }

    /// The first instant from which on no event has the day of `micros`; the last there is where the day does not end.
    pub(crate) fn end_of_day(&self, micros: i64) -> i64 {
        let mut period = self.zone.period(micros);
        let (day, mut end) = (period.day(micros), i64::MAX);
        let latest = micros.saturating_add(LONGEST_DAY);
        loop {
            if period.day(period.first.max(micros)) <= day {
                end = period.end_of(day).unwrap_or(i64::MAX);
            }
            match period.last.checked_add(1) {
                Some(next) if next <= latest => period = self.zone.period(next),
                _ => return end,
            }
        }
    }
}

impl FromStr for Midnight {
    type Err = SessionizeError;

    fn from_str(text: &str) -> Result<Self, SessionizeError> {
        match text.parse() {
            Ok(zone) => Ok(Self { zone }),
            Err(_) => Err(SessionizeError::Midnight { text: text.into() }),
        }
    }
}

impl fmt::Display for Midnight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.zone.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn day(midnight: &Midnight, micros: i64) -> i64 {
        midnight.day(micros, &mut ZonePeriod::NEVER.clone())
    }

    #[test]
    fn it_is_read_and_printed_as_a_time_zone_is() {
        for text in ["UTC", "-09:30", "Europe/Berlin"] {
            assert_eq!(text.parse::<Midnight>().unwrap().to_string(), text);
        }
        let error = "Berlin".parse::<Midnight>().unwrap_err().to_string();
        assert!(error.starts_with("`Berlin` is no midnight: write UTC, an offset"), "{error}");
    }

    #[test]
    fn days_start_at_midnight_even_at_the_ends_of_time() {
        let [east, west, berlin] =
            ["+01:00", "-01:00", "Europe/Berlin"].map(|text| text.parse::<Midnight>().unwrap());
        assert_eq!((day(&east, 23 * HOUR - 1), day(&east, 23 * HOUR)), (0, 1));
        assert_eq!((day(&Midnight::UTC, -1), day(&Midnight::UTC, 0)), (-1, 0));
        assert_eq!((day(&west, HOUR - 1), day(&west, HOUR)), (-1, 0));
        for midnight in [east, west, berlin, Midnight::UTC] {
            assert!(day(&midnight, i64::MIN) < day(&midnight, i64::MAX));
            assert_eq!(midnight.end_of_day(i64::MAX), i64::MAX);
            let next = midnight.end_of_day(5 * HOUR);
            assert_eq!((day(&midnight, next - 1), day(&midnight, next)), (0, 1));
        }
    }

    #[test]
    fn a_day_that_comes_twice_ends_with_its_second_part() {
        // Clocks went from 00:01 of the 29th back to 23:01 of the 28th.
        let midnight: Midnight = "America/St_Johns".parse().unwrap();
        let at = |text: &str| text.parse::<cip_core::Timestamp>().unwrap().micros();
        let (first, again, last) =
            (at("2006-10-29T02:30:00Z"), at("2006-10-29T02:31:00Z"), at("2006-10-29T03:30:00Z"));
        assert_eq!(midnight.end_of_day(first - 1), last);
        assert_eq!(midnight.end_of_day(again), last);
        let days =
            [first - 1, first, again - 1, again, last - 1, last].map(|instant| day(&midnight, instant));
        assert_eq!(days.map(|day| day - days[0]), [0, 1, 1, 0, 0, 1]);
    }
}
