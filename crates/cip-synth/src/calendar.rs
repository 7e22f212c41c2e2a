//! Days, and the rhythm of a world: how its rows spread over hours, and how hours are cut into slices of work.

use std::ops::Range;

use crate::chance::Dice;
use crate::text::{push_pair, push_uint};

/// Seconds in an hour and in a day.
pub(crate) const HOUR: u32 = 3_600;
pub(crate) const DAY: u32 = 86_400;

/// A calendar date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: u32,
    pub(crate) month: u32,
    pub(crate) day: u32,
}

/// Returns the date `days` days after 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms").
pub(crate) const fn date(days: u32) -> Date {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    Date { year: year_of_era + era * 400 + (month <= 2) as u32, month, day }
}

/// Returns the day of the week of `days` after 1970-01-01: 0 is Monday.
pub(crate) const fn weekday(days: u32) -> u32 {
    (days + 3) % 7
}

/// Appends `2019-10-01`.
pub(crate) fn push_day(out: &mut Vec<u8>, days: u32) {
    let date = date(days);
    push_uint(out, u64::from(date.year));
    out.push(b'-');
    push_pair(out, date.month);
    out.push(b'-');
    push_pair(out, date.day);
}

/// Appends `08:26:00`.
pub(crate) fn push_clock(out: &mut Vec<u8>, second_of_day: u32) {
    push_pair(out, second_of_day / HOUR);
    out.push(b':');
    push_pair(out, second_of_day / 60 % 60);
    out.push(b':');
    push_pair(out, second_of_day % 60);
}

/// How many rows each hour of a world gets, relative to the others.
#[derive(Debug)]
pub(crate) struct Rhythm {
    /// Weight of all hours before each hour; one entry more than there are hours.
    before: Vec<u64>,
}

impl Rhythm {
    /// The rhythm of `days` days, `weight(day, hour)` each.
    pub(crate) fn new(days: u32, weight: impl Fn(u32, u32) -> u64) -> Self {
        let mut before = vec![0];
        let mut sum = 0;
        for hour in 0..days * 24 {
            sum += weight(hour / 24, hour % 24);
            before.push(sum);
        }
        Self { before }
    }

    fn hours(&self) -> u32 {
        self.before.len() as u32 - 1
    }

    fn at(&self, hour: u32) -> u64 {
        self.before.get(hour as usize).copied().unwrap_or(0)
    }

    /// Of `rows` rows, those that fall before `hour`.
    fn rows_before(&self, hour: u32, rows: u64) -> u64 {
        let total = self.at(self.hours()).max(1);
        (u128::from(rows) * u128::from(self.at(hour)) / u128::from(total)) as u64
    }

    /// Cuts the world into slices of about `target` rows; their rows add up to `rows`, their times to the whole.
    pub(crate) fn slices(&self, rows: u64, target: u64) -> Vec<Slice> {
        let mut slices = Vec::new();
        let mut hour = 0;
        while hour < self.hours() {
            let from = self.rows_before(hour, rows);
            let mut end = hour + 1;
            while end < self.hours() && self.rows_before(end + 1, rows) - from <= target {
                end += 1;
            }
            let made = self.rows_before(end, rows) - from;
            let parts = made.div_ceil(target).clamp(1, u64::from(HOUR)) as u32;
            let seconds = (end - hour) * HOUR;
            for part in 0..parts {
                let share = |whole: u64, part: u32| whole * u64::from(part) / u64::from(parts);
                slices.push(Slice {
                    index: slices.len() as u64,
                    hours: hour..end,
                    start: hour * HOUR + share(u64::from(seconds), part) as u32,
                    end: hour * HOUR + share(u64::from(seconds), part + 1) as u32,
                    rows: share(made, part + 1) - share(made, part),
                });
            }
            hour = end;
        }
        slices
    }

    /// Cuts the world into its days.
    pub(crate) fn days(&self, rows: u64) -> Vec<Slice> {
        let day = |day: u32| Slice {
            index: u64::from(day),
            hours: day * 24..day * 24 + 24,
            start: day * DAY,
            end: (day + 1) * DAY,
            rows: self.rows_before(day * 24 + 24, rows) - self.rows_before(day * 24, rows),
        };
        (0..self.hours() / 24).map(day).collect()
    }

    /// A second of the slice, at random by the rhythm.
    pub(crate) fn draw(&self, slice: &Slice, dice: &mut Dice) -> u32 {
        let Range { start, end } = slice.hours;
        let (low, high) = (self.at(start), self.at(end));
        if end - start == 1 || low == high {
            return slice.start + dice.below(u64::from(slice.end - slice.start)) as u32;
        }
        let mark = low + dice.below(high - low);
        let inside = &self.before[start as usize..=end as usize];
        let hour = start + inside.partition_point(|&before| before <= mark) as u32 - 1;
        hour * HOUR + dice.below(u64::from(HOUR)) as u32
    }
}

/// A stretch of a world's time that is made at once. Times are seconds since the world's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) index: u64,
    /// The hours that it covers or is a part of.
    hours: Range<u32>,
    pub(crate) start: u32,
    /// The first second after it.
    pub(crate) end: u32,
    /// Rows that begin here.
    pub(crate) rows: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_weekdays() {
        assert_eq!(date(0), Date { year: 1970, month: 1, day: 1 });
        assert_eq!(date(18_170), Date { year: 2019, month: 10, day: 1 });
        assert_eq!(date(19_782), Date { year: 2024, month: 2, day: 29 });
        assert_eq!(weekday(0), 3, "1970-01-01 was a Thursday");
        assert_eq!(weekday(18_170), 1, "2019-10-01 was a Tuesday");
    }

    #[test]
    fn slices_cover_all_time_and_all_rows() {
        let rhythm = Rhythm::new(7, |day, hour| u64::from(day + 1) * u64::from(hour));
        for rows in [1, 2, 1_000, 123_457, 40_000_000] {
            for target in [1_000, 32_768] {
                let slices = rhythm.slices(rows, target);
                assert_eq!(slices.iter().map(|slice| slice.rows).sum::<u64>(), rows);
                assert_eq!((slices[0].start, slices[slices.len() - 1].end), (0, 7 * DAY));
                assert!(slices.windows(2).all(|pair| pair[0].end == pair[1].start));
                assert!(slices.iter().all(|slice| slice.start < slice.end));
            }
            let days = rhythm.days(rows);
            assert_eq!((days.len(), days.iter().map(|day| day.rows).sum::<u64>()), (7, rows));
        }
    }

    #[test]
    fn draws_stay_inside_and_skip_hours_without_weight() {
        let rhythm = Rhythm::new(2, |_, hour| u64::from(hour >= 8));
        let mut dice = Dice::new(1, 1, 1);
        for slice in rhythm.slices(100, 1_000_000).iter().chain(&rhythm.slices(1_000_000, 5_000)) {
            for _ in 0..200 {
                let second = rhythm.draw(slice, &mut dice);
                assert!((slice.start..slice.end).contains(&second));
                assert!(slice.rows == 0 || second % DAY >= 8 * HOUR || slice.end - slice.start <= HOUR);
            }
        }
    }
}
