//! A stretch of time in which clocks keep one offset from UTC, and the days that they show in it.

use crate::time::MICROS_PER_DAY;

/// The instants `first..=last`, in which clocks are `offset` microseconds ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ZonePeriod {
    /// The first instant.
    pub first: i64,
    /// The last instant.
    pub last: i64,
    /// Microseconds ahead of UTC: no more than a day or so.
    pub offset: i64,
}

impl ZonePeriod {
    /// No time at all: what a caller starts with who keeps the last one.
    pub const NEVER: Self = Self { first: i64::MAX, last: i64::MIN, offset: 0 };

    /// All of time.
    pub const fn always(offset: i64) -> Self {
        Self { first: i64::MIN, last: i64::MAX, offset }
    }

    /// Whether an instant lies in it.
    #[inline]
    pub const fn contains(self, micros: i64) -> bool {
        self.first <= micros && micros <= self.last
    }

    /// The calendar day that clocks show at `micros`: days since 1970-01-01.
    #[inline]
    pub const fn day(self, micros: i64) -> i64 {
        let (day, within) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
        day + (within + self.offset).div_euclid(MICROS_PER_DAY)
    }

    /// What clocks show at `micros`, in microseconds since the midnight of their day: below those of a day.
    #[inline]
    pub const fn time_of_day(self, micros: i64) -> i64 {
        (micros.rem_euclid(MICROS_PER_DAY) + self.offset).rem_euclid(MICROS_PER_DAY)
    }

    /// The first instant of this period at which clocks show a later day than `day`, or the instant behind the period; none
    /// beyond the range of instants.
    pub fn end_of(self, day: i64) -> Option<i64> {
        let midnight = (i128::from(day) + 1) * i128::from(MICROS_PER_DAY) - i128::from(self.offset);
        i64::try_from(midnight.min(i128::from(self.last) + 1).max(i128::from(self.first))).ok()
    }
}

impl Default for ZonePeriod {
    fn default() -> Self {
        Self::NEVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_or_with_the_period() {
        let hour = 3_600_000_000;
        let east = ZonePeriod { first: -hour, last: 30 * hour, offset: hour };
        assert!(east.contains(-hour) && !east.contains(30 * hour + 1) && !ZonePeriod::NEVER.contains(0));
        assert_eq!((east.day(23 * hour - 1), east.day(23 * hour)), (0, 1));
        assert_eq!((east.time_of_day(23 * hour - 1), east.time_of_day(23 * hour)), (24 * hour - 1, 0));
        assert_eq!(east.end_of(-3), Some(-hour));
        assert_eq!(east.end_of(0), Some(23 * hour));
        assert_eq!(east.end_of(1), Some(30 * hour + 1));
        assert_eq!(ZonePeriod::always(0).end_of(i64::MAX / MICROS_PER_DAY), None);
    }
}
