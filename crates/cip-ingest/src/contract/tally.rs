//! What was counted of each expectation.

/// Counts of some rows, by expectation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tally {
    /// By expectation; empty where there is no contract.
    pub(crate) counts: Vec<Counts>,
    /// Kept rows that were warned of.
    pub(crate) warned_rows: u64,
    /// The newest kept row, UTC microseconds, where it is asked for.
    pub(crate) newest: Option<i64>,
}

/// Counts of one expectation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Rows whose value was missing: of those that the contract saw, for null rates of those that were kept.
    pub(crate) nulls: u64,
    /// Rows that it does not hold for, whatever became of them.
    pub(crate) violations: u64,
    /// Of these: rows that were kept, dropped, quarantined.
    pub(crate) warned: u64,
    pub(crate) dropped: u64,
    pub(crate) quarantined: u64,
}

impl Tally {
    pub(crate) fn new(expectations: usize) -> Self {
        Self { counts: vec![Counts::default(); expectations], warned_rows: 0, newest: None }
    }

    /// Adds one to a count of every expectation whose bit is set.
    #[inline]
    pub(crate) fn add(&mut self, mut bits: u64, count: impl Fn(&mut Counts) -> &mut u64) {
        while bits != 0 {
            if let Some(counts) = self.counts.get_mut(bits.trailing_zeros() as usize) {
                *count(counts) += 1;
            }
            bits &= bits - 1;
        }
    }

    /// Enters a row that is kept; `violated` are the warnings.
    #[inline]
    pub(crate) fn keep(&mut self, violated: u64, nulls: u64, time: Option<i64>) {
        self.add(nulls, |counts| &mut counts.nulls);
        if violated != 0 {
            self.add(violated, |counts| &mut counts.warned);
            self.warned_rows += 1;
        }
        if time > self.newest {
            self.newest = time;
        }
    }

    /// Adds the counts of other rows.
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), Counts::default());
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            mine.nulls += theirs.nulls;
            mine.violations += theirs.violations;
            mine.warned += theirs.warned;
            mine.dropped += theirs.dropped;
            mine.quarantined += theirs.quarantined;
        }
        self.warned_rows += other.warned_rows;
        self.newest = self.newest.max(other.newest);
    }
}
