//! What a compact store must know of all its rows before the first is written.

use crate::row::Row;

/// How many rows have each code of what they share, and whether all times are whole seconds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RowTally {
    /// By code; behind the end there are none.
    pub(crate) shared: Vec<u64>,
    pub(crate) has_fractions: bool,
}

impl RowTally {
    /// Counts a row.
    #[inline]
    pub(crate) fn add(&mut self, row: &Row<'_>) {
        const MICROS: i64 = 1_000_000;
        let (_, time) = row.user_and_time();
        self.has_fractions |= time % MICROS != 0;
        if let Some(slot) = row.layout.attributes {
            let code = row.code(slot) as usize;
            if code >= self.shared.len() {
                self.shared.resize((code + 1).next_power_of_two(), 0);
            }
            self.shared[code] += 1;
        }
    }

    /// Adds what another thread counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.has_fractions |= other.has_fractions;
        if self.shared.len() < other.shared.len() {
            self.shared.resize(other.shared.len(), 0);
        }
        self.shared.iter_mut().zip(&other.shared).for_each(|(all, more)| *all += more);
    }
}
