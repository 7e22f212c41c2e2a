//! Days, hours and weekdays by the clocks of a time zone.

use cip_core::{TimeZone, ZonePeriod};

use super::family::Weekday;

const MICROS_PER_HOUR: i64 = 3_600_000_000;
/// 1970-01-01 was a Thursday, the day behind three others of its week.
const WEEKDAY_OF_THE_EPOCH: i64 = 3;

/// The clocks of a time zone, and the time around the last instant that was asked for in which they are not changed.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    zone: TimeZone,
    near: ZonePeriod,
}

impl Calendar {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, near: ZonePeriod::NEVER }
    }

    /// The date of an instant, in days since 1970-01-01.
    #[inline]
    pub(super) fn day(&mut self, time: i64) -> i64 {
        self.zone.period_near(time, &mut self.near).day(time)
    }

    /// The hour of its day, 0 to 23.
    #[inline]
    pub(super) fn hour(&mut self, time: i64) -> u8 {
        (self.zone.period_near(time, &mut self.near).time_of_day(time) / MICROS_PER_HOUR) as u8
    }

    #[inline]
    pub(super) fn weekday(&mut self, time: i64) -> Weekday {
        Weekday::ALL[(self.day(time) + WEEKDAY_OF_THE_EPOCH).rem_euclid(7) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cip_core::Timestamp;

    #[test]
    fn hours_and_weekdays_are_those_of_the_calendar() {
        for (zone, text, hour, weekday) in [
            ("UTC", "1970-01-01T00:00:00Z", 0, Weekday::Thu),
            ("UTC", "1969-12-31T23:59:59.999999Z", 23, Weekday::Wed),
            ("UTC", "2019-10-06T13:00:00Z", 13, Weekday::Sun),
            ("UTC", "2019-10-07T12:59:59Z", 12, Weekday::Mon),
            ("+05:30", "2019-10-06T18:29:59Z", 23, Weekday::Sun),
            ("+05:30", "2019-10-06T18:30:00Z", 0, Weekday::Mon),
            ("-01:00", "1970-01-01T00:30:00Z", 23, Weekday::Wed),
            // The hour from 02:00 to 03:00 comes twice.
            ("Europe/Berlin", "2019-10-27T00:30:00Z", 2, Weekday::Sun),
            ("Europe/Berlin", "2019-10-27T01:30:00Z", 2, Weekday::Sun),
            ("Europe/Berlin", "2019-10-27T23:00:00Z", 0, Weekday::Mon),
            ("Europe/Berlin", "2019-07-27T22:00:00Z", 0, Weekday::Sun),
        ] {
            let time = text.parse::<Timestamp>().unwrap().micros();
            let mut calendar = Calendar::new(zone.parse().unwrap());
            assert_eq!((calendar.hour(time), calendar.weekday(time)), (hour, weekday), "{zone} {text}");
        }
    }
}
