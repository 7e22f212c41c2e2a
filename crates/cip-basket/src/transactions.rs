//! Baskets of named items in sparse form: what itemsets and rules are mined from.

use cip_core::{CoreError, IdDictionary, IdRef, IdType, MemoryBudget, split_mix};
use rayon::prelude::*;

use crate::basket_rows::BasketRows;
use crate::chunk::{self, Chunk};
use crate::error::BasketError;
use crate::hierarchy::{Above, Hierarchy, Wider};
use crate::table::BasketTable;

/// What an item takes: its place in the dictionary and in the list of names.
const ITEM_BYTES: u64 = 96;

/// What becomes of baskets that are longer than they should be.
///
/// A basket of n items holds 2^n itemsets, so a few long ones can outweigh all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LongBaskets {
    /// They stay as they are.
    #[default]
    Keep,
    /// Those of more than so many distinct items are left out, and counted.
    LeaveOut(usize),
    /// Those of more than so many distinct items become several baskets of so many, in the order in which the items came.
    /// Each part counts as a basket.
    Split(usize),
}

/// Builds [`Transactions`] from a stream of baskets; made by [`Transactions::builder`].
#[derive(Debug)]
pub struct TransactionsBuilder {
    budget: MemoryBudget,
    long: LongBaskets,
    names: IdDictionary,
    text: u64,
    chunks: Option<Vec<Chunk>>,
    totals: TransactionTotals,
    /// The items of the basket that comes in: in their order, and sorted.
    open: Vec<u32>,
    sorted: Vec<u32>,
}

/// What became of the baskets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TransactionTotals {
    /// Baskets that count: the N of all formulas. A basket without items is one, too.
    pub baskets: u64,
    /// Distinct (basket, item) in those.
    pub entries: u64,
    /// Baskets that are left out because they are too long.
    pub left_out: u64,
    /// Baskets that were split because they are too long; their parts are among `baskets`.
    pub split: u64,
}

/// Baskets of named items: sets, without order and repeats.
///
/// Items are known by their names, and numbered in the order of the names' UTF-8 bytes: what is found does not depend on the order
/// of the baskets.
///
/// # Complexity
/// 4 bytes an entry, 4 a basket, and about 96 an item with the text of its name twice.
///
/// # Examples
/// ```
/// use cip_basket::Transactions;
/// use cip_core::MemoryBudget;
/// let mut builder = Transactions::builder(MemoryBudget::from_mib(16));
/// builder.push(["milk", "bread", "milk"])?;
/// builder.push(["bread"])?;
/// let baskets = builder.finish()?;
/// assert_eq!((baskets.len(), baskets.totals().entries), (2, 3));
/// assert_eq!(baskets.items().collect::<Vec<_>>(), ["bread", "milk"]);
/// # Ok::<(), cip_basket::BasketError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Transactions {
    budget: MemoryBudget,
    /// By item, which is the rank of the name.
    names: Vec<Box<str>>,
    chunks: Vec<Chunk>,
    totals: TransactionTotals,
    /// By item, what it is under; the baskets of an item hold that as well.
    above: Above,
}

impl Transactions {
    /// Returns a builder of baskets that may take, with what is mined from them, `budget`.
    pub fn builder(budget: MemoryBudget) -> TransactionsBuilder {
        TransactionsBuilder {
            budget,
            long: LongBaskets::Keep,
            names: IdDictionary::new("item", IdType::Utf8),
            text: 0,
            chunks: Some(Vec::new()),
            totals: TransactionTotals::default(),
            open: Vec::new(),
            sorted: Vec::new(),
        }
    }

    /// Returns the baskets of a table of events: those of one product, too, which count in N as in the literature.
    /// Product ids that are numbers become their digits.
    ///
    /// # Errors
    /// [`CoreError::Memory`] where they exceed the budget that the table was built with; [`BasketError::PairsAlone`] where it holds pairs inside
    /// some time and no baskets, or no longer holds all baskets.
    pub fn from_table(table: BasketTable) -> Result<Self, BasketError> {
        if !table.holds_all_baskets() {
            return Err(BasketError::PairsAlone);
        }
        let budget = table.budget();
        let (known, mut chunks) = table.take()?;
        let mut names = Vec::with_capacity(known.products.len());
        for code in 0..known.products.len() as u32 {
            names.extend(known.products.id(code).map(|id| id.to_string().into_boxed_str()));
        }
        chunks.iter_mut().for_each(Chunk::forget_money);
        // Baskets of one product were counted by product.
        let singles = (0u32..).zip(&known.singles);
        for product in singles.flat_map(|(code, &baskets)| std::iter::repeat_n(code, baskets as usize)) {
            chunk::push(&mut chunks, &[product], &[]);
        }
        let totals = TransactionTotals {
            baskets: known.totals.baskets + known.totals.single_baskets,
            entries: known.totals.entries + known.totals.single_baskets,
            left_out: known.totals.oversized_baskets,
            split: 0,
        };
        Self::new(budget, names, chunks, totals)
    }

    fn new(
        budget: MemoryBudget,
        names: Vec<Box<str>>,
        mut chunks: Vec<Chunk>,
        totals: TransactionTotals,
    ) -> Result<Self, BasketError> {
        let mut codes: Vec<u32> = (0..names.len() as u32).collect();
        codes.sort_unstable_by(|&a, &b| names[a as usize].cmp(&names[b as usize]));
        let mut ranks = vec![0; codes.len()];
        for (rank, &code) in codes.iter().enumerate() {
            ranks[code as usize] = rank as u32;
        }
        chunks.par_iter_mut().for_each(|chunk| chunk.renumber_and_sort(&ranks));
        let names = codes.iter().map(|&code| names[code as usize].clone()).collect();
        let baskets = Self { budget, names, chunks, totals, above: Above::default() };
        budget.require("baskets", MemoryBudget::from_bytes(baskets.bytes()))?;
        Ok(baskets)
    }

    /// The number of baskets: the N of all formulas.
    pub fn len(&self) -> usize {
        self.totals.baskets as usize
    }

    /// Whether there are no baskets.
    pub fn is_empty(&self) -> bool {
        self.totals.baskets == 0
    }

    /// What became of the baskets that came in.
    pub fn totals(&self) -> TransactionTotals {
        self.totals
    }

    /// The names of the items, by their UTF-8 bytes.
    pub fn items(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// The name of an item.
    pub(crate) fn name(&self, item: u32) -> &str {
        &self.names[item as usize]
    }

    /// The item of a name; none where no basket has it.
    pub(crate) fn item(&self, name: &str) -> Option<u32> {
        self.names.binary_search_by(|known| (**known).cmp(name)).ok().map(|rank| rank as u32)
    }

    /// The baskets, each ascending.
    pub(crate) fn baskets(&self) -> impl Iterator<Item = &[u32]> {
        self.chunks.iter().flat_map(Chunk::baskets).map(|basket| basket.products)
    }

    /// What each item is under.
    pub(crate) fn above(&self) -> &Above {
        &self.above
    }

    pub(crate) fn budget(&self) -> MemoryBudget {
        self.budget
    }

    /// The bytes that the baskets take.
    pub fn bytes(&self) -> u64 {
        let text: u64 = self.names.iter().map(|name| name.len() as u64).sum();
        bytes(self.totals, self.names.len() as u64, text) + self.above.bytes()
    }

    /// Returns the baskets with all that their items are under, in the place of a hierarchy that they had: itemsets and rules then mix the levels.
    ///
    /// No itemset holds an item and what it is under: its count would be that of the lower item. So no rule says that a product is of its own
    /// category. A group counts once a basket, however many of its items are in it. The number of baskets stays as it is: where products are
    /// not asked for, the baskets of those that are under nothing have no items.
    ///
    /// # Method
    /// Generalised association rules: baskets with their ancestors, and candidates without an item and its ancestor (Srikant and Agrawal 1995).
    ///
    /// # Complexity
    /// 4 bytes for each distinct (basket, item or group), beside the baskets that come in.
    ///
    /// # Errors
    /// [`BasketError::UnderItself`] where the hierarchy goes round in a circle, [`CoreError::Memory`] where the baskets exceed the budget.
    pub fn with_hierarchy(mut self, hierarchy: &Hierarchy) -> Result<Self, BasketError> {
        let Wider { names, items, above } = Wider::of(&self.names, hierarchy)?;
        let text = names.iter().map(|name| name.len() as u64).sum();
        let (mut chunks, mut basket) = (Vec::new(), Vec::new());
        self.totals.entries = 0;
        for chunk in std::mem::take(&mut self.chunks) {
            for narrow in chunk.baskets() {
                basket.clear();
                basket.extend(narrow.products.iter().flat_map(|&item| &items[item as usize]));
                basket.sort_unstable();
                basket.dedup();
                self.totals.entries += basket.len() as u64;
                if bytes(self.totals, names.len() as u64, text) <= self.budget.bytes() {
                    chunk::push(&mut chunks, &basket, &[]);
                }
            }
        }
        let wide = Self { names, chunks, above, ..self };
        wide.budget
            .require("baskets with what their items are under", MemoryBudget::from_bytes(wide.bytes()))?;
        Ok(wide)
    }

    /// Returns `size` baskets, drawn without replacement by `seed`, in their order; all where there are no more.
    ///
    /// How far a share in the sample may be from the share in all baskets is [`sampling_error`].
    pub fn sample(&self, size: usize, seed: u64) -> Self {
        if size >= self.len() {
            return self.clone();
        }
        let draw = |basket: u64| (split_mix(seed ^ split_mix(basket)), basket);
        let mut draws: Vec<(u64, u64)> = (0..self.totals.baskets).map(draw).collect();
        if size < draws.len() {
            draws.select_nth_unstable(size);
        }
        draws.truncate(size);
        draws.sort_unstable_by_key(|&(_, basket)| basket);
        let mut chunks = Vec::new();
        let mut totals = TransactionTotals {
            baskets: size as u64,
            entries: 0,
            left_out: self.totals.left_out,
            ..self.totals
        };
        let mut drawn = draws.iter().map(|&(_, basket)| basket).peekable();
        for (number, basket) in (0u64..).zip(self.baskets()) {
            if drawn.next_if_eq(&number).is_some() {
                totals.entries += basket.len() as u64;
                chunk::push(&mut chunks, basket, &[]);
            }
        }
        Self { chunks, totals, names: self.names.clone(), budget: self.budget, above: self.above.clone() }
    }
}

/// Returns how far the share of a sample's baskets that hold an itemset is at most from the share of all baskets,
/// but with a probability of `risk`.
///
/// # Formula
/// ```text
/// sqrt(ln(2 itemsets / risk) / (2 sample))
/// ```
///
/// # Method
/// Hoeffding's inequality (1963, theorem 2; by his section 6 it holds for draws without replacement, too) for each of `itemsets`
/// itemsets that were chosen without looking at the sample, and the union bound over them. Toivonen (1996) chooses the size of
/// samples for association rules so, and lowers the smallest support by the error to miss few itemsets.
///
/// # Errors
/// [`BasketError::Risk`] beyond 0 < risk < 1.
///
/// # Examples
/// ```
/// // 20,000 baskets tell the support of one itemset to 1 percentage point, 19 times out of 20.
/// let error = cip_basket::sampling_error(20_000, 1, 0.05)?;
/// assert!((error - 0.0096).abs() < 1e-4);
/// # Ok::<(), cip_basket::BasketError>(())
/// ```
pub fn sampling_error(sample: u64, itemsets: u64, risk: f64) -> Result<f64, BasketError> {
    if !(0.0 < risk && risk < 1.0) {
        return Err(BasketError::Risk { given: risk });
    }
    if sample == 0 {
        return Ok(1.0);
    }
    Ok(((2.0 * itemsets.max(1) as f64 / risk).ln() / (2.0 * sample as f64)).sqrt().min(1.0))
}

impl TransactionsBuilder {
    /// Sets what becomes of long baskets.
    ///
    /// # Errors
    /// [`BasketError::LongestBasket`] for 0 items.
    pub fn with_long_baskets(mut self, long: LongBaskets) -> Result<Self, BasketError> {
        if matches!(long, LongBaskets::LeaveOut(0) | LongBaskets::Split(0)) {
            return Err(BasketError::LongestBasket);
        }
        self.long = long;
        Ok(self)
    }

    /// Adds a basket; items that come again in it add nothing.
    ///
    /// # Errors
    /// [`BasketError::TooManyBaskets`], [`CoreError::TooManyCodes`].
    pub fn push<'a>(&mut self, items: impl IntoIterator<Item = &'a str>) -> Result<(), BasketError> {
        self.open.clear();
        for name in items {
            let item = self.item(name)?;
            self.open.push(item);
        }
        self.close()
    }

    /// Returns the baskets.
    ///
    /// # Errors
    /// [`CoreError::Memory`] where they exceed the budget, naming one that would hold them.
    pub fn finish(self) -> Result<Transactions, BasketError> {
        let smallest = bytes(self.totals, self.names.len() as u64, self.text);
        self.budget.require("baskets", MemoryBudget::from_bytes(smallest))?;
        let mut names = Vec::with_capacity(self.names.len());
        for code in 0..self.names.len() as u32 {
            names.extend(self.names.id(code).map(|id| id.to_string().into_boxed_str()));
        }
        Transactions::new(self.budget, names, self.chunks.unwrap_or_default(), self.totals)
    }

    /// Puts the rows of a long table together instead, whose baskets have ids of this type.
    pub fn by_rows(self, baskets: IdType) -> BasketRows {
        BasketRows::new(self, baskets)
    }

    pub(crate) fn budget(&self) -> MemoryBudget {
        self.budget
    }

    pub(crate) fn item(&mut self, name: &str) -> Result<u32, CoreError> {
        let known = self.names.len();
        let item = self.names.code(IdRef::Utf8(name))?;
        if self.names.len() > known {
            self.text += name.len() as u64;
        }
        Ok(item)
    }

    /// Adds a basket of items that are known.
    pub(crate) fn push_items(&mut self, items: impl Iterator<Item = u32>) -> Result<(), BasketError> {
        self.open.clear();
        self.open.extend(items);
        self.close()
    }

    fn close(&mut self) -> Result<(), BasketError> {
        self.sorted.clone_from(&self.open);
        self.sorted.sort_unstable();
        self.sorted.dedup();
        let distinct = self.sorted.len();
        match self.long {
            LongBaskets::LeaveOut(most) if distinct > most => self.totals.left_out += 1,
            LongBaskets::Split(most) if distinct > most => {
                self.totals.split += 1;
                // In the order in which they came, each once: `sorted` keeps those that did not come yet.
                let mut open = std::mem::take(&mut self.open);
                let mut waiting = vec![true; distinct];
                open.retain(|item| {
                    let place = self.sorted.binary_search(item).map(|place| &mut waiting[place]);
                    place.is_ok_and(std::mem::take)
                });
                open.chunks(most).for_each(|part| self.add(part));
                self.open = open;
            }
            _ => {
                let sorted = std::mem::take(&mut self.sorted);
                self.add(&sorted);
                self.sorted = sorted;
            }
        }
        let limit = u64::from(u32::MAX);
        if self.totals.baskets > limit {
            return Err(BasketError::TooManyBaskets { limit });
        }
        if bytes(self.totals, self.names.len() as u64, self.text) > self.budget.bytes() {
            self.chunks = None;
        }
        Ok(())
    }

    fn add(&mut self, basket: &[u32]) {
        self.totals.baskets += 1;
        self.totals.entries += basket.len() as u64;
        if let Some(chunks) = &mut self.chunks {
            chunk::push(chunks, basket, &[]);
        }
    }
}

fn bytes(totals: TransactionTotals, items: u64, text: u64) -> u64 {
    4 * (totals.entries + totals.baskets) + ITEM_BYTES * items + 2 * text
}
