//! The events of one user, until they are baskets.

use cip_core::MemoryBudget;

use crate::table::BasketTable;

/// Rows that are kept as they came; with more, those that say nothing new are dropped as they come in.
const FEW_ROWS: usize = 1 << 16;
/// The largest amount of money, with or without the sign: 18 digits, so that two of them add up in 64 bits.
const MAX_MONEY: u64 = 999_999_999_999_999_999;

/// What is known of the open user.
#[derive(Debug)]
pub(crate) enum OpenUser {
    /// Distinct entries: the basket in the upper half, the product in the lower.
    Entries(Vec<u64>),
    /// Entries with what is known of each.
    Lines(Vec<Line>),
}

/// An entry at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) entry: u64,
    pub(crate) time: i64,
    pub(crate) money: i64,
}

/// An amount of money beyond 18 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuchMoney;

impl OpenUser {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Entries(entries) => entries.len(),
            Self::Lines(lines) => lines.len(),
        }
    }

    pub(crate) fn bytes(&self) -> MemoryBudget {
        let row = match self {
            Self::Entries(_) => size_of::<u64>(),
            Self::Lines(_) => size_of::<Line>(),
        };
        MemoryBudget::from_bytes((row * self.len()) as u64)
    }

    /// Sorts the rows and drops what says nothing new.
    pub(crate) fn compact(&mut self) -> Result<(), TooMuchMoney> {
        match self {
            Self::Entries(entries) => {
                entries.sort_unstable();
                entries.dedup();
            }
            Self::Lines(lines) => {
                lines.sort_unstable();
                let mut all_fit = true;
                lines.dedup_by(|line, kept| {
                    let same = (line.entry, line.time) == (kept.entry, kept.time);
                    if same {
                        match money(i128::from(kept.money) + i128::from(line.money)) {
                            Ok(sum) => kept.money = sum,
                            Err(TooMuchMoney) => all_fit = false,
                        }
                    }
                    same
                });
                return if all_fit { Ok(()) } else { Err(TooMuchMoney) };
            }
        }
        Ok(())
    }

    /// Returns how many rows there may be before they are compacted again.
    pub(crate) fn compact_at(&self) -> usize {
        FEW_ROWS.max(2 * self.len())
    }

    /// Puts the baskets into the table, and starts again.
    pub(crate) fn close(
        &mut self,
        table: &mut BasketTable,
        basket: &mut OpenBasket,
    ) -> Result<(), TooMuchMoney> {
        self.compact()?;
        match self {
            Self::Entries(entries) => {
                for entries in entries.chunk_by(|a, b| a >> 32 == b >> 32) {
                    basket.products.clear();
                    basket.products.extend(entries.iter().map(|&entry| entry as u32));
                    table.push(&basket.products, &[]);
                }
                entries.clear();
                entries.shrink_to(FEW_ROWS);
            }
            Self::Lines(lines) => {
                for lines in lines.chunk_by(|a, b| a.entry >> 32 == b.entry >> 32) {
                    basket.fill(lines)?;
                    basket.close(lines, table);
                }
                lines.clear();
                lines.shrink_to(FEW_ROWS);
            }
        }
        Ok(())
    }
}

/// One basket of the open user; kept to be filled again.
#[derive(Debug, Default)]
pub(crate) struct OpenBasket {
    products: Vec<u32>,
    money: Vec<i64>,
    /// Where the lines of each product end.
    ends: Vec<usize>,
}

impl OpenBasket {
    /// Takes the products of the lines of one basket, which are sorted.
    fn fill(&mut self, lines: &[Line]) -> Result<(), TooMuchMoney> {
        self.products.clear();
        self.money.clear();
        self.ends.clear();
        for lines in lines.chunk_by(|a, b| a.entry == b.entry) {
            self.products.push(lines[0].entry as u32);
            self.money.push(money(lines.iter().map(|line| i128::from(line.money)).sum())?);
            self.ends.push(self.ends.last().unwrap_or(&0) + lines.len());
        }
        Ok(())
    }

    fn close(&self, lines: &[Line], table: &mut BasketTable) {
        let money = |at: usize| if table.money().is_some() { &self.money[at..=at] } else { &[] };
        let Some(window) = table.rule().window_micros() else {
            let money = if table.money().is_some() { &self.money[..] } else { &[] };
            table.push(&self.products, money);
            return;
        };
        let pair = |a: usize, b: usize| [money(a), money(b)].concat();
        let of = |at: usize| &lines[at.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[at]];
        let mut pairs = Vec::new();
        if self.products.len() <= table.rule().max_products() {
            for b in 1..self.products.len() {
                let near = (0..b).filter(|&a| are_near(of(a), of(b), window));
                pairs.extend(near.map(|a| ([self.products[a], self.products[b]], pair(a, b))));
            }
        }
        if table.count(&self.products) {
            pairs.iter().for_each(|(products, money)| table.hold(products, money));
        }
    }
}

/// Whether some line of the one and some line of the other are not further apart than `window`; both are sorted by time.
fn are_near(mut a: &[Line], mut b: &[Line], window: i64) -> bool {
    while let ([first, later_a @ ..], [other, later_b @ ..]) = (a, b) {
        if first.time.abs_diff(other.time) <= window.unsigned_abs() {
            return true;
        }
        if first.time < other.time { a = later_a } else { b = later_b }
    }
    false
}

/// Returns an amount as it is kept.
pub(crate) fn money(amount: i128) -> Result<i64, TooMuchMoney> {
    let kept = i64::try_from(amount).map_err(|_| TooMuchMoney)?;
    if kept.unsigned_abs() <= MAX_MONEY { Ok(kept) } else { Err(TooMuchMoney) }
}
