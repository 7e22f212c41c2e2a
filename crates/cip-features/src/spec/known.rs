//! The cut at the cutoff: which rows of a user a feature can see, before any of them is looked at.

use std::ops::Range;

use cip_core::{TimeRange, Timestamp};

/// The window of the features and, where there is one, the end of the label's behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    start: i64,
    cutoff: i64,
    label_until: Option<i64>,
}

/// A row inside the window of the features. A feature reads values by it alone, and only a [`Cut`] makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KnownRow(usize);

impl KnownRow {
    /// Its place in the batch.
    #[inline]
    pub(super) const fn place(self) -> usize {
        self.0
    }
}

/// Neighbouring rows of one user inside the window of the features: all that a feature can see.
#[derive(Debug)]
pub(super) struct KnownRows<'a> {
    times: &'a [i64],
    rows: Range<usize>,
}

/// Those of them that one feature looks at: from an instant on, and where the mask says so.
#[derive(Debug, Clone)]
pub(super) struct Selected<'a> {
    times: &'a [i64],
    rows: Range<usize>,
    mask: Option<&'a [bool]>,
}

impl Cut {
    pub(super) fn new(window: TimeRange, label_until: Option<Timestamp>) -> Self {
        Self {
            start: window.start().micros(),
            cutoff: window.end().micros(),
            label_until: label_until.map(Timestamp::micros),
        }
    }

    /// Cuts rows of one user, which ascend in time: those of the features, and those of the label.
    pub(super) fn cut<'a>(&self, times: &'a [i64], rows: Range<usize>) -> (KnownRows<'a>, Range<usize>) {
        let inside = &times[rows.clone()];
        let place = |limit: i64| rows.start + inside.partition_point(|&time| time < limit);
        let (start, cutoff) = (place(self.start), place(self.cutoff));
        let label = cutoff..self.label_until.map_or(cutoff, place);
        (KnownRows { times, rows: start..cutoff }, label)
    }

    /// A row of any user, where it lies inside the window of the features.
    pub(super) fn known(&self, times: &[i64], row: usize) -> Option<KnownRow> {
        (self.start <= times[row] && times[row] < self.cutoff).then_some(KnownRow(row))
    }

    /// Whether an event lies in one of the windows.
    pub(super) fn contains(&self, time: i64) -> bool {
        self.start <= time && time < self.label_until.unwrap_or(self.cutoff)
    }
}

impl<'a> KnownRows<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Those from `start` on that the mask of the batch selects; without one all.
    pub(super) fn select(&self, start: i64, mask: Option<&'a [bool]>) -> Selected<'a> {
        let skipped = match self.times[self.rows.clone()] {
            [first, ..] if first >= start => 0,
            ref times => times.partition_point(|&time| time < start),
        };
        Selected { times: self.times, rows: self.rows.start + skipped..self.rows.end, mask }
    }
}

impl Selected<'_> {
    /// Gives each row to `take`, in the order of time.
    #[inline]
    pub(super) fn each(&self, mut take: impl FnMut(KnownRow)) {
        match self.mask {
            None => self.rows.clone().for_each(|row| take(KnownRow(row))),
            Some(mask) => {
                for row in self.rows.clone() {
                    if mask[row] {
                        take(KnownRow(row));
                    }
                }
            }
        }
    }

    /// Gives each row to `take` until it fails.
    #[inline]
    pub(super) fn try_each<E>(&self, mut take: impl FnMut(KnownRow) -> Result<(), E>) -> Result<(), E> {
        let selects = |row: &usize| self.mask.is_none_or(|mask| mask[*row]);
        self.rows.clone().filter(selects).try_for_each(|row| take(KnownRow(row)))
    }

    /// How many there are.
    pub(super) fn count(&self) -> i64 {
        match self.mask {
            None => self.rows.len() as i64,
            Some(mask) => mask[self.rows.clone()].iter().map(|&selected| i64::from(selected)).sum(),
        }
    }

    /// The first and the last time.
    pub(super) fn ends(&self) -> Option<(i64, i64)> {
        let selects = |row: &usize| self.mask.is_none_or(|mask| mask[*row]);
        let first = self.rows.clone().find(selects)?;
        let last = self.rows.clone().rfind(selects)?;
        Some((self.times[first], self.times[last]))
    }

    /// How many lie before `limit`.
    pub(super) fn before(&self, limit: i64) -> i64 {
        let end = self.rows.start + self.times[self.rows.clone()].partition_point(|&time| time < limit);
        Self { rows: self.rows.start..end, ..self.clone() }.count()
    }

    /// When a row happened.
    pub(super) fn time(&self, KnownRow(row): KnownRow) -> i64 {
        self.times[row]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_at_the_start_the_cutoff_and_the_end_of_the_label() {
        let window = TimeRange::new(Timestamp::from_micros(3), Timestamp::from_micros(5)).unwrap();
        let times = [9, 1, 3, 3, 4, 5, 6, 7, 1];
        for (until, label) in [(None, 5..5), (Some(7), 5..7), (Some(99), 5..8)] {
            let (known, rows) = Cut::new(window, until.map(Timestamp::from_micros)).cut(&times, 1..8);
            assert_eq!((known.rows, rows), (2..5, label));
        }
        let (none, label) = Cut::new(window, None).cut(&times, 7..8);
        assert!(none.is_empty() && label.is_empty());
    }

    #[test]
    fn rows_are_selected_by_time_and_mask() {
        let times = [1, 2, 2, 5, 6];
        let known = KnownRows { times: &times, rows: 0..4 };
        let mask = [true, false, true, true, true];
        let all = known.select(2, None);
        assert_eq!((all.count(), all.ends(), all.before(5)), (3, Some((2, 5)), 2));
        let some = known.select(0, Some(&mask));
        assert_eq!((some.count(), some.ends(), some.before(5)), (3, Some((1, 5)), 2));
        let (mut each, mut tried) = (Vec::new(), Vec::new());
        some.each(|row| each.push(row));
        let failed = some.try_each(|row| {
            let early = row.0 < 3;
            tried.extend(early.then_some(row));
            if early { Ok(()) } else { Err("enough") }
        });
        assert_eq!(
            (each, tried),
            (vec![KnownRow(0), KnownRow(2), KnownRow(3)], vec![KnownRow(0), KnownRow(2)])
        );
        assert_eq!(failed, Err("enough"));
        assert_eq!(known.select(9, None).ends(), None);
    }
}
