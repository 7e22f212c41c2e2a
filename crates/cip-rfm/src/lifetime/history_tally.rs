//! How many customers have which history, collected table by table within a memory budget.

use cip_core::MemoryBudget;

use super::history::{Fractions, Histories, History, SpendHistory, group};
use super::history_table::HistoryTable;
use crate::error::RfmError;

/// Which customers have a say in the model of purchases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TalliedCustomers {
    /// All: the models are of all customers.
    #[default]
    All,
    /// Those with a repeat, who tell too much of coming back.
    Repeaters,
    /// None: only what they spend is modelled.
    Nobody,
}

/// Counts the customers of each history: what models are fitted to, of more customers than fit in memory.
///
/// Histories that differ are kept, in a budget of memory: where times are whole days or weeks, and money whole cents, they are few. The same customers
/// give the same histories, whatever tables they come in, in whatever order, and whatever the budget.
///
/// # Complexity
/// A sort of what came each time that the room is full, which then grows by half: 48 bytes a different history at most, and 36 a different spend.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array};
/// use cip_core::MemoryBudget;
/// use cip_rfm::lifetime::{HistoryTable, HistoryTally, RepeatHistory, TalliedCustomers};
/// let mut tally = HistoryTally::new(TalliedCustomers::All, MemoryBudget::from_mib(16));
/// for user in 0..1_000 {
///     let users: ArrayRef = Arc::new(Int64Array::from(vec![user]));
///     tally.add(&HistoryTable::new(users, vec![RepeatHistory::new(0, 0.0, (user % 7) as f64)?])?);
/// }
/// let (histories, spend) = tally.finish()?;
/// assert_eq!((histories.customers(), histories.distinct(), spend), (1_000.0, 7, None));
/// # Ok::<(), cip_rfm::RfmError>(())
/// ```
#[derive(Debug)]
pub struct HistoryTally<H> {
    who: TalliedCustomers,
    budget: MemoryBudget,
    /// None where they do not fit: then customers are counted alone.
    found: Option<(Groups<H>, Groups<SpendHistory>)>,
    has_spend: bool,
    rows: u64,
}

impl<H: History> HistoryTally<H> {
    /// Returns a tally of nobody, that may take so much memory.
    pub fn new(who: TalliedCustomers, budget: MemoryBudget) -> Self {
        let half = budget.part(1, 2).bytes();
        let found = Some((Groups::new(half), Groups::new(half)));
        Self { who, budget, found, has_spend: false, rows: 0 }
    }

    /// Adds the customers of a table.
    pub fn add(&mut self, customers: &HistoryTable<H>) {
        self.rows += customers.len() as u64;
        self.has_spend |= customers.spends().is_some();
        if self.collect(customers).is_none() {
            self.found = None;
        }
    }

    /// Adds what fits; none where not all does.
    fn collect(&mut self, customers: &HistoryTable<H>) -> Option<()> {
        let (histories, spends) = self.found.as_mut()?;
        let budget = self.budget.bytes();
        for (row, history) in customers.rows().iter().enumerate() {
            let has_a_say = match self.who {
                TalliedCustomers::All => true,
                TalliedCustomers::Repeaters => history.count() > 0,
                TalliedCustomers::Nobody => false,
            };
            let weight = customers.weight(row);
            if has_a_say {
                histories.push(*history, weight, budget.saturating_sub(spends.bytes()))?;
            }
            if let Some(spend) = customers.spend(row) {
                spends.push(*spend, weight, budget.saturating_sub(histories.bytes()))?;
            }
        }
        Some(())
    }

    /// Returns the histories of purchases, and those of spend where a table had any.
    ///
    /// # Errors
    /// [`RfmError::ManyHistories`] where too many differ, with a budget that would do.
    pub fn finish(self) -> Result<(Histories<H>, Option<Histories<SpendHistory>>), RfmError> {
        let Self { who, budget, found, has_spend, rows } = self;
        let Some((histories, spends)) = found else {
            let histories = if who == TalliedCustomers::Nobody { 0 } else { rows };
            let spends = if has_spend { rows } else { 0 };
            let enough = Groups::<H>::enough(histories) + Groups::<SpendHistory>::enough(spends);
            let enough = MemoryBudget::from_bytes(enough);
            return Err(RfmError::ManyHistories { customers: rows, budget, enough });
        };
        Ok((Histories::of(histories.groups), has_spend.then(|| Histories::of(spends.groups))))
    }
}

/// Histories with weights, equal ones mostly once.
#[derive(Debug)]
struct Groups<H> {
    groups: Vec<(H, f64)>,
    /// How many they may be before equal ones are laid together.
    room: usize,
}

/// The room at the start, where the budget has it.
const FIRST_ROOM: usize = 1 << 16;

impl<H: History> Groups<H> {
    const ROW_BYTES: u64 = size_of::<(H, f64)>() as u64;

    fn new(budget: u64) -> Self {
        let room = usize::try_from(budget / Self::ROW_BYTES).unwrap_or(usize::MAX).min(FIRST_ROOM);
        Self { groups: Vec::new(), room }
    }

    /// The most that so many rows take, all different.
    fn enough(rows: u64) -> u64 {
        let room = rows.saturating_add(rows / 2).max(FIRST_ROOM as u64);
        // Twice the room at the start: it is no more than half of the budget.
        if rows == 0 { 0 } else { room.max(2 * FIRST_ROOM as u64).saturating_mul(Self::ROW_BYTES) }
    }

    fn bytes(&self) -> u64 {
        self.room as u64 * Self::ROW_BYTES
    }

    /// Adds a history; none where that takes more than `budget`.
    fn push(&mut self, history: H, weight: f64, budget: u64) -> Option<()> {
        if self.groups.len() >= self.room {
            self.make_room(budget)?;
        }
        self.groups.push((history, weight));
        Some(())
    }

    fn make_room(&mut self, budget: u64) -> Option<()> {
        group(&mut self.groups, Fractions::Keep);
        let used = self.groups.len();
        if used >= self.room / 4 * 3 {
            let most = usize::try_from(budget / Self::ROW_BYTES).unwrap_or(usize::MAX);
            let room = (self.room + self.room / 2).max(FIRST_ROOM).min(most);
            // With less, each sort would free little.
            if room <= used + used / 8 {
                return None;
            }
            self.groups.reserve_exact(room - used);
            self.room = room;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int64Array;
    use proptest::prelude::*;

    use super::*;
    use crate::lifetime::RepeatHistory;

    type Row = (u64, u8, Option<u8>, f64);

    fn table(rows: &[Row]) -> HistoryTable<RepeatHistory> {
        let users = Arc::new(Int64Array::from_iter_values(0..rows.len() as i64));
        let history =
            |&(frequency, age, ..): &Row| RepeatHistory::new(frequency, 0.0, f64::from(age)).unwrap();
        let spend = |&(frequency, _, spend, _): &Row| {
            spend.and_then(|spend| SpendHistory::new(frequency, f64::from(spend)).ok())
        };
        HistoryTable::new(users, rows.iter().map(history).collect())
            .and_then(|table| table.with_spend(rows.iter().map(spend).collect()))
            .and_then(|table| table.with_weights(rows.iter().map(|row| row.3).collect()))
            .unwrap()
    }

    fn tally(rows: &[Row], step: usize, budget: u64) -> Result<Found, RfmError> {
        let mut tally = HistoryTally::new(TalliedCustomers::All, MemoryBudget::from_bytes(budget));
        rows.chunks(step).for_each(|rows| tally.add(&table(rows)));
        tally.finish()
    }

    type Found = (Histories<RepeatHistory>, Option<Histories<SpendHistory>>);

    proptest! {
        #[test]
        fn tables_rows_and_budgets_change_no_bit(
            mut rows in prop::collection::vec(
                (0u64..4, 0u8..12, prop::option::of(0u8..9), prop_oneof![Just(1.0), Just(3.0), 0.01f64..2.0]), 1..400,
            ),
            step in 1usize..80,
            budget in 0u64..20_000,
            seed in any::<u64>(),
        ) {
            let all = table(&rows);
            let expected = (all.histories().unwrap(), all.spend_histories().unwrap());
            rows.sort_by_key(|row| (row.0 * 31 + u64::from(row.1)).wrapping_mul(seed | 1));
            match tally(&rows, step, budget) {
                Ok(found) => prop_assert_eq!(found, expected),
                Err(RfmError::ManyHistories { customers, enough, .. }) => {
                    prop_assert_eq!(customers, rows.len() as u64);
                    prop_assert!(budget < enough.bytes());
                    prop_assert_eq!(tally(&rows, step, enough.bytes()).unwrap(), expected);
                }
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }

    #[test]
    fn what_is_said_to_be_enough_is_enough_where_all_differ() {
        for rows in [1u64, 1_000, 65_536, 65_537, 150_000, 400_000] {
            let enough = Groups::<RepeatHistory>::enough(rows);
            let mut groups = Groups::new(enough / 2);
            for row in 0..rows {
                let history = RepeatHistory::new(row.wrapping_mul(0x9e37_79b9_7f4a_7c15), 0.0, 1.0).unwrap();
                groups.push(history, 1.0, enough).unwrap();
                assert!(groups.bytes() <= enough);
            }
            assert_eq!(Histories::of(groups.groups).distinct() as u64, rows);
        }
    }
}
