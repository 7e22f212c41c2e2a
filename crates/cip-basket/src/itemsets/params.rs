//! What itemsets are asked for.

use cip_core::MemoryBudget;

use crate::error::BasketError;
use crate::itemsets::database::{self, Beside, Database};
use crate::itemsets::found::Itemsets;
use crate::itemsets::guard::{self, Estimate};
use crate::itemsets::search::{self, ROW_BYTES};
use crate::itemsets::support::MinSupport;
use crate::transactions::Transactions;

/// Which of the frequent itemsets are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ItemsetKind {
    /// All of them: what rules are made from.
    #[default]
    All,
    /// Those of which no larger itemset is in as many baskets: the counts of all others follow from them.
    Closed,
    /// Those of which no larger itemset is frequent: all others are their subsets.
    Maximal,
}

impl ItemsetKind {
    /// Which items a search looks at.
    pub(crate) fn beside(self) -> Beside {
        match self {
            Self::All => Beside::Behind,
            Self::Closed | Self::Maximal => Beside::All,
        }
    }
}

/// Which sets of items are frequent: in `min_support` baskets or more.
///
/// # Formula
/// ```text
/// count(X) = baskets that hold every item of X        support(X) = count(X) / N
/// ```
///
/// # Method
/// Depth first, from the rarest item on (Eclat, Zaki 2000). The baskets that hold the first item become bits, a row for each item that is
/// frequent with it; a longer itemset is the conjunction of rows, and where its baskets are few, they get rows of their
/// own. Closed itemsets are found without a look at those found before (LCM, Uno, Kiyomi and Arimura 2004). Each first item
/// is a task of Rayon's threads; the result does not depend on their number.
///
/// # The guard
/// A few long baskets, or a few items that are nearly always together, can have more itemsets than any machine holds: n items have
/// 2^n. Before the search, its size is [estimated](FrequentItemsets::estimate). Where that is ten times what the budget holds, or where the search
/// finds more than that, it is refused with [`BasketError::TooManyItemsets`], which names the items and the baskets to look at.
///
/// # Examples
/// ```
/// use cip_basket::{FrequentItemsets, ItemsetKind, MinSupport, Transactions};
/// use cip_core::MemoryBudget;
/// let mut baskets = Transactions::builder(MemoryBudget::from_mib(16));
/// for basket in [&["beer", "chips"][..], &["beer", "chips", "dip"], &["beer"], &["soap"]] {
///     baskets.push(basket.iter().copied())?;
/// }
/// let baskets = baskets.finish()?;
/// let found = |kind| {
///     let itemsets = FrequentItemsets::new(MinSupport::Share(0.5)).with_kind(kind).mine(&baskets)?;
///     Ok::<_, cip_basket::BasketError>(
///         itemsets.iter().map(|set| (set.names().collect::<Vec<_>>().join("+"), set.count())).collect::<Vec<_>>(),
///     )
/// };
/// let expected = [("beer", 3), ("chips", 2), ("beer+chips", 2)].map(|(set, count)| (set.to_owned(), count));
/// assert_eq!(found(ItemsetKind::All)?, expected);
/// // Whoever takes chips takes beer.
/// assert_eq!(found(ItemsetKind::Closed)?, [expected[0].clone(), expected[2].clone()]);
/// assert_eq!(found(ItemsetKind::Maximal)?, expected[2..]);
/// # Ok::<(), cip_basket::BasketError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrequentItemsets {
    min_support: MinSupport,
    kind: ItemsetKind,
    most_items: usize,
    most_itemsets: Option<u64>,
}

impl FrequentItemsets {
    /// Asks for all itemsets of this support or more.
    pub fn new(min_support: MinSupport) -> Self {
        Self { min_support, kind: ItemsetKind::All, most_items: usize::MAX, most_itemsets: None }
    }

    /// Sets which of them are kept.
    pub fn with_kind(mut self, kind: ItemsetKind) -> Self {
        self.kind = kind;
        self
    }

    /// Leaves out itemsets of more than so many items. Which of the others are closed or maximal does not depend on it.
    ///
    /// # Errors
    /// [`BasketError::MostItems`] for 0.
    pub fn with_most_items(mut self, most: usize) -> Result<Self, BasketError> {
        if most == 0 {
            return Err(BasketError::MostItems);
        }
        self.most_items = most;
        Ok(self)
    }

    /// Sets how many itemsets may be found; without it, as many as a third of the budget holds, at 64 bytes each. One of more than
    /// 13 items counts as several.
    pub fn with_most_itemsets(mut self, most: u64) -> Self {
        self.most_itemsets = Some(most);
        self
    }

    /// The smallest support.
    pub fn min_support(&self) -> MinSupport {
        self.min_support
    }

    /// Which of them are kept.
    pub fn kind(&self) -> ItemsetKind {
        self.kind
    }

    /// Returns how many itemsets a search would visit, before it is made.
    ///
    /// # Method
    /// Single items and pairs are counted. The itemsets that begin with one item are fewer than 2^d, for d items that are frequent
    /// with it; where d is 16 or more, random descents through the search tree estimate them without bias (Knuth 1975). The 1,024
    /// items of the highest d are looked at; the draws are the same each time.
    ///
    /// # Errors
    /// As [`FrequentItemsets::mine`], but for [`BasketError::TooManyItemsets`].
    pub fn estimate(&self, baskets: &Transactions) -> Result<Estimate, BasketError> {
        match self.searched(baskets).plan(baskets) {
            Ok(plan) => Ok(guard::estimate(&plan)),
            Err(BasketError::TooManyItemsets { estimate, .. }) => Ok(*estimate),
            Err(error) => Err(error),
        }
    }

    /// Returns the itemsets, sorted by size, then by items.
    ///
    /// # Errors
    /// [`BasketError::MinSupport`], [`BasketError::TooManyItemsets`], [`BasketError::SearchTooDeep`]; of closed and maximal ones
    /// [`BasketError::BasketTooLong`] where a basket has more than 10,000 frequent items;
    /// [`CoreError::Memory`](cip_core::CoreError::Memory) where the baskets do not fit twice.
    ///
    /// # Complexity
    /// Memory, beside the baskets: 8 bytes an entry of frequent items, 8 a basket; for each thread the bits of the
    /// largest first step, which are known beforehand and at most an eighth of a byte an entry where all itemsets are asked for; and a third
    /// of the budget for what is found.
    pub fn mine(&self, baskets: &Transactions) -> Result<Itemsets, BasketError> {
        let searched = self.searched(baskets);
        let plan = searched.plan(baskets)?;
        plan.check()?;
        let found = search::mine(&plan)?;
        Ok(if searched == *self { found } else { found.of_kind(self.kind, self.most_items) })
    }

    /// What is searched for. Closed itemsets are found by what all their baskets hold, which with a hierarchy is no itemset: they are picked from
    /// all, and so are maximal ones.
    fn searched(&self, baskets: &Transactions) -> Self {
        if self.kind == ItemsetKind::All || baskets.above().is_empty() {
            return *self;
        }
        Self { kind: ItemsetKind::All, most_items: self.most_items.saturating_add(1), ..*self }
    }

    fn plan<'a>(&self, baskets: &'a Transactions) -> Result<Plan<'a>, BasketError> {
        let what = "mining itemsets";
        let least = self.min_support.count(baskets.len() as u64)?;
        let totals = baskets.totals();
        let fixed = baskets.bytes()
            + database::ENTRY_BYTES * totals.entries
            + database::BASKET_BYTES * totals.baskets
            + database::ITEM_BYTES * baskets.items().len() as u64;
        let budget = baskets.budget();
        budget.require(what, MemoryBudget::from_bytes(fixed))?;
        let mut plan = Plan {
            transactions: baskets,
            database: Database::new(baskets, least),
            degrees: Vec::new(),
            kind: self.kind,
            most_items: self.most_items,
            most_itemsets: self.most_itemsets.unwrap_or((budget.bytes() - fixed) / 3 / ROW_BYTES),
            workers: 1,
            walk_bytes: 0,
        };
        // To count the pairs of a very long basket would take longer than to see that it has too many.
        if self.kind == ItemsetKind::All {
            let certain = guard::certain(&plan);
            if certain.itemsets() > BEYOND * plan.most_itemsets as f64 {
                return Err(plan.too_many(certain));
            }
        }
        if self.kind != ItemsetKind::All
            && let Some(longest) =
                guard::longest(&plan).first().filter(|basket| basket.frequent_items > MOST_TOGETHER)
        {
            let (number, items) = (longest.number, longest.frequent_items);
            return Err(BasketError::BasketTooLong { number, items, most: MOST_TOGETHER });
        }
        plan.degrees = plan.database.degrees(self.kind.beside());
        let first_step = guard::largest_first_step(&plan.database, &plan.degrees);
        let threads = rayon::current_num_threads().max(1) as u64;
        let worker = first_step + database::ITEM_BYTES * plan.database.len() as u64;
        // A third is for what is found, a third for the threads.
        let smallest = fixed + 3 * worker.max(ROW_BYTES);
        budget.require(what, MemoryBudget::from_bytes(smallest))?;
        let third = (budget.bytes() - fixed) / 3;
        let workers = (third / worker.max(1)).clamp(1, threads);
        (plan.workers, plan.walk_bytes) = (workers as usize, third);
        Ok(plan)
    }
}

/// Frequent items of a basket among which closed and maximal itemsets are looked for: every item is held against every other.
const MOST_TOGETHER: usize = 10_000;
/// How far an estimate may be beyond the limit: it is one.
const BEYOND: f64 = 10.0;

/// A search that is about to be made.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) transactions: &'a Transactions,
    pub(crate) database: Database,
    /// By place, how many items are frequent with it.
    pub(crate) degrees: Vec<u32>,
    pub(crate) kind: ItemsetKind,
    pub(crate) most_items: usize,
    pub(crate) most_itemsets: u64,
    pub(crate) workers: usize,
    /// What all of them may hold.
    pub(crate) walk_bytes: u64,
}

impl Plan<'_> {
    /// Refuses a search that would find far more than may be kept.
    fn check(&self) -> Result<(), BasketError> {
        if guard::bound(self) <= self.most_itemsets as f64 {
            return Ok(());
        }
        let estimate = guard::estimate(self);
        if estimate.itemsets() <= BEYOND * self.most_itemsets as f64 {
            return Ok(());
        }
        Err(self.too_many(estimate))
    }

    /// The name of the item at a place.
    pub(crate) fn name(&self, place: u32) -> Box<str> {
        self.transactions.name(self.database.items[place as usize]).into()
    }

    pub(crate) fn too_many(&self, estimate: Estimate) -> BasketError {
        BasketError::TooManyItemsets {
            most: self.most_itemsets,
            least: self.database.least,
            estimate: Box::new(estimate),
        }
    }
}
