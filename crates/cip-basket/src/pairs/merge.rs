//! Runs put together: the pairs of all of them, added up anchor by anchor.

use std::fmt;
use std::io::Read;
use std::sync::Arc;

use cip_core::MoneyScale;

use crate::error::BasketError;
use crate::pairs::counter::{Counter, PairRows};
use crate::pairs::run::{READ, RunReader, damaged};

/// What a product takes: its rank, and its place in the counter twice.
pub(crate) const PRODUCT_BYTES: u64 = 16;
/// What a run takes: its reader.
pub(crate) const RUN_BYTES: u64 = READ as u64 + 256;

/// Where the bytes of a run come from.
pub(crate) type RunBytes = Box<dyn Read + Send>;

/// Runs that are being merged; gives all pairs in their order.
///
/// The runs name products by code, and are sorted by the ids behind the codes. The products with one anchor are added up in an array with a
/// place for every product, as they are when baskets are counted.
pub(crate) struct Merge {
    runs: Vec<Run>,
    counter: Counter,
    min_together: u32,
    money: bool,
}

/// Where a run stands.
struct Run {
    reader: RunReader<RunBytes>,
    /// By code of the run, the rank.
    ranks: Arc<[u32]>,
    /// The rank of the next anchor, and how many products are with it; none at the end.
    next: Option<(u32, u32)>,
}

impl Run {
    fn rank(&self, code: u32) -> Result<u32, BasketError> {
        self.ranks.get(code as usize).copied().ok_or(damaged("a product has no id"))
    }

    /// Goes to the next anchor, which comes behind the one before.
    fn advance(&mut self) -> Result<(), BasketError> {
        let before = self.next.map(|(anchor, _)| anchor);
        self.next = match self.reader.anchor()? {
            None => None,
            Some((code, with)) => Some((self.rank(code)?, with)),
        };
        match (before, self.next) {
            (Some(before), Some((anchor, _))) if anchor <= before => Err(damaged("its pairs are not sorted")),
            _ => Ok(()),
        }
    }
}

impl Merge {
    /// Begins with all runs, each with its products' ranks by code.
    pub(crate) fn new(
        runs: Vec<(RunBytes, Arc<[u32]>)>,
        products: usize,
        min_together: u32,
        has_money: HasMoney,
    ) -> Result<Self, BasketError> {
        let open = |(reader, ranks)| {
            let mut run = Run { reader: RunReader::new(reader), ranks, next: None };
            run.advance()?;
            Ok(run)
        };
        let runs = runs.into_iter().map(open).collect::<Result<_, BasketError>>()?;
        let money = has_money == HasMoney::Yes;
        Ok(Self { runs, counter: Counter::new(products), min_together, money })
    }

    /// Adds pairs to `rows`, by rank, all of an anchor at once, until there are `most` or more, or no more.
    pub(crate) fn read(&mut self, rows: &mut PairRows, most: usize) -> Result<(), BasketError> {
        while rows.len() < most {
            let anchors = self.runs.iter().filter_map(|run| run.next);
            let Some(anchor) = anchors.map(|(anchor, _)| anchor).min() else { break };
            for run in &mut self.runs {
                let Some((_, with)) = run.next.filter(|&(next, _)| next == anchor) else { continue };
                let mut before = anchor;
                for _ in 0..with {
                    let code = run.reader.small()?;
                    let (product, together) = (run.rank(code)?, run.reader.small()?);
                    if product <= before || together == 0 {
                        return Err(damaged("its pairs are not sorted"));
                    }
                    before = product;
                    self.counter.add_count(product, together);
                    if self.money {
                        self.counter.add_sum(product, run.reader.money()?);
                    }
                }
                run.advance()?;
            }
            self.counter.take(anchor, self.min_together, rows);
        }
        Ok(())
    }
}

/// Whether runs hold money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HasMoney {
    Yes,
    No,
}

impl HasMoney {
    pub(crate) fn of(scale: Option<MoneyScale>) -> Self {
        if scale.is_some() { Self::Yes } else { Self::No }
    }
}

impl fmt::Debug for Merge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merge").field("runs", &self.runs.len()).finish_non_exhaustive()
    }
}
