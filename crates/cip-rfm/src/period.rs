//! Calendar weeks and months, numbered one behind the other.

/// A length of calendar periods, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CohortPeriod {
    /// From Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

impl CohortPeriod {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The number of the period in which a day lies; days count from 1970-01-01.
    pub(crate) fn of_day(self, day: i32) -> i32 {
        match self {
            // 1970-01-01 was a Thursday.
            Self::Week => (i64::from(day) + 3).div_euclid(7) as i32,
            Self::Month => month_of(i64::from(day)) as i32,
        }
    }

    /// The first day of a period.
    pub(crate) fn first_day(self, period: i32) -> i32 {
        match self {
            Self::Week => period.saturating_mul(7).saturating_sub(3),
            Self::Month => i32::try_from(first_of_month(i64::from(period))).unwrap_or(i32::MAX),
        }
    }
}

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// Months since the first of year 0, of the proleptic Gregorian calendar.
///
/// # Method
/// Years that begin in March, in eras of 400 years (146,097 days); a month of such a year begins (153 m + 2) / 5 days
/// into it.
fn month_of(day: i64) -> i64 {
    let day = day + EPOCH;
    let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    (era * 400 + year_of_era) * 12 + (5 * day_of_year + 2) / 153 + 2
}

fn first_of_month(month: i64) -> i64 {
    let (year, month) = ((month - 2).div_euclid(12), (month - 2).rem_euclid(12));
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * month + 2) / 5 - EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        // Every day of eight centuries, by counting.
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let mut day = -(1_970 - 1_600) * 365 - (1_600..1_970).filter(|&year| leap(year)).count() as i64;
        for year in 1_600..2_400 {
            let february = if leap(year) { 29 } else { 28 };
            for (month, length) in (0..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
                assert_eq!(first_of_month(year * 12 + month), day, "{year} {month}");
                for _ in 0..length {
                    assert_eq!(month_of(day), year * 12 + month, "{year} {month}");
                    day += 1;
                }
            }
        }
        for day in [i32::MIN, -1, 0, i32::MAX] {
            let month = CohortPeriod::Month.of_day(day);
            assert!(first_of_month(i64::from(month)) <= i64::from(day));
            assert!(i64::from(day) < first_of_month(i64::from(month) + 1));
        }
    }

    #[test]
    fn weeks_begin_on_mondays() {
        // 1970-01-05 was one, and 2011-12-05.
        for (day, first) in
            [(4, 4), (10, 4), (3, -3), (-3, -3), (-4, -10), (15_313, 15_313), (15_319, 15_313)]
        {
            assert_eq!(CohortPeriod::Week.first_day(CohortPeriod::Week.of_day(day)), first, "{day}");
        }
    }
}
