//! What a compact store must know of all its rows before the first is written.

use cip_core::fetch;
use cip_store::StoredTimes;

use crate::row::Rows;

/// How many rows have each code of what they share, and how all their times can be kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RowTally {
    /// By code; behind the end there are none. What does not fit is in `full`.
    counts: Vec<u32>,
    /// The codes of counts that were full, once for each time.
    full: Vec<u32>,
    pub(crate) times: StoredTimes,
}

impl RowTally {
    /// Counts some rows.
    pub(crate) fn add(&mut self, rows: Rows<'_>) {
        let mut times = self.times;
        for row in rows {
            times = times.max(StoredTimes::of(row.time()));
            if let Some(slot) = rows.layout.attributes {
                self.counts.get(row.code(slot) as usize).into_iter().for_each(fetch);
            }
        }
        self.times = times;
        let Some(slot) = rows.layout.attributes else { return };
        for row in rows {
            let code = row.code(slot);
            match self.counts.get_mut(code as usize) {
                Some(count) if *count < u32::MAX => *count += 1,
                _ => self.make_room(code),
            }
        }
    }

    #[cold]
    fn make_room(&mut self, code: u32) {
        let needed = code as usize + 1;
        if self.counts.len() < needed {
            self.counts.resize(needed.next_power_of_two(), 0);
        }
        let count = &mut self.counts[code as usize];
        if *count == u32::MAX {
            self.full.push(code);
            *count = 0;
        }
        *count += 1;
    }

    /// Adds the counts to those of all threads, by code.
    pub(crate) fn add_to(&self, all: &mut Vec<u64>) {
        if all.len() < self.counts.len() {
            all.resize(self.counts.len(), 0);
        }
        all.iter_mut().zip(&self.counts).for_each(|(all, more)| *all += u64::from(*more));
        self.full.iter().for_each(|&code| all[code as usize] += u64::from(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_on_where_they_are_full() {
        let mut tally = RowTally::default();
        (0..3).for_each(|_| tally.make_room(5));
        tally.counts[5] = u32::MAX;
        (0..2).for_each(|_| tally.make_room(5));
        let mut all = vec![1, 1];
        tally.add_to(&mut all);
        assert_eq!(all, [1, 1, 0, 0, 0, u64::from(u32::MAX) + 2, 0, 0]);
    }
}
