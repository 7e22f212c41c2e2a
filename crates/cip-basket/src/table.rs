//! Baskets in memory: product codes one behind the other, in chunks, and where each basket ends.

use std::io::Write;

use cip_core::{CoreError, Id, IdDictionary, IdRef, IdType, MemoryBudget, MoneyScale, column};

use crate::chunk::{self, Chunk};
use crate::error::BasketError;
use crate::pairs::{Counting, HasMoney, Ranked, Room, run};
use crate::rule::Baskets;

/// What a product takes: its place in the dictionary and two counts, each with room to grow.
const PRODUCT_BYTES: u64 = 76;
/// What an entry takes, and what its money adds.
const ENTRY_BYTES: u64 = 4;
const ENTRY_MONEY_BYTES: u64 = 8;
/// What a basket takes: where it ends.
const BASKET_BYTES: u64 = 4;

/// What became of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BasketTotals {
    /// Events read.
    pub events: u64,
    /// Events that name no basket: the key is null.
    pub events_without_key: u64,
    /// Events of a basket that name no product, or no category or brand where these are asked for.
    pub events_without_product: u64,
    /// Events of other types than those that were asked for.
    pub events_of_other_types: u64,
    /// Baskets of 2 to [`max_products`](Baskets::max_products) products: those that hold pairs.
    pub baskets: u64,
    /// Distinct (basket, product) in those.
    pub entries: u64,
    /// Baskets of one product.
    pub single_baskets: u64,
    /// Baskets of more than [`max_products`](Baskets::max_products) products, which are left out.
    pub oversized_baskets: u64,
}

/// How many products ahead the processor is told which will be looked up.
pub(crate) const FETCHED_AHEAD: usize = 24;

/// The baskets of a range of users; made by [`BasketBuilder`](crate::BasketBuilder).
///
/// # Complexity
/// 4 bytes an entry (12 with money), 4 a basket, and about 76 a product, with the text of its id. Where
/// that exceeds the budget, the baskets are let go, and what they would have taken goes on being counted, so
/// that [`Pairs::count`](crate::Pairs::count) can say what budget would do. [`BasketTable::write_run`] makes room before.
#[derive(Debug, Clone)]
pub struct BasketTable {
    rule: Baskets,
    products: IdDictionary,
    /// Bytes of text in `products`.
    text: u64,
    /// By product code: baskets of two products or more that hold it. May end before the last product.
    counts: Vec<u32>,
    /// By product code: baskets of this product alone. May end before the last product.
    singles: Vec<u32>,
    /// None once they did not fit.
    chunks: Option<Vec<Chunk>>,
    /// Entries and baskets in the chunks, or what would be in them.
    held: (u64, u64),
    /// Whether baskets were let go once they were counted.
    has_runs: bool,
    totals: BasketTotals,
    /// The first and the last user; none for the unknown one.
    users: Option<(Option<Id>, Option<Id>)>,
}

/// What is known beside the baskets.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) products: IdDictionary,
    pub(crate) product_type: IdType,
    /// By product code: baskets of two products or more that hold it. May end before the last product.
    pub(crate) counts: Vec<u32>,
    /// By product code: baskets of this product alone. May end before the last product.
    pub(crate) singles: Vec<u32>,
    pub(crate) totals: BasketTotals,
}

impl BasketTable {
    pub(crate) fn new(rule: Baskets) -> Self {
        Self {
            products: IdDictionary::new(column::PRODUCT_ID, rule.input.items),
            rule,
            text: 0,
            counts: Vec::new(),
            singles: Vec::new(),
            chunks: Some(Vec::new()),
            held: (0, 0),
            has_runs: false,
            totals: BasketTotals::default(),
            users: None,
        }
    }

    /// What became of the events.
    pub fn totals(&self) -> BasketTotals {
        self.totals
    }

    /// Distinct products, those of baskets that were left out as well.
    pub fn products(&self) -> usize {
        self.products.len()
    }

    /// The bytes that the baskets and the dictionary of products take, or would take where they exceed the
    /// budget.
    pub fn bytes(&self) -> u64 {
        let entry = if self.money().is_some() { ENTRY_BYTES + ENTRY_MONEY_BYTES } else { ENTRY_BYTES };
        entry * self.held.0
            + BASKET_BYTES * self.held.1
            + PRODUCT_BYTES * self.products.len() as u64
            + self.text
    }

    /// Adds the baskets of a later range of users.
    ///
    /// Which user a product was first seen with decides its code and nothing else: pairs do not depend on how
    /// the users were cut into parts.
    ///
    /// # Errors
    /// [`BasketError::PartsOverlap`] where `later` does not begin behind this table's last user,
    /// [`BasketError::PartsDiffer`] where it was built by another rule, [`BasketError::TooManyBaskets`].
    pub fn append(&mut self, later: BasketTable) -> Result<(), BasketError> {
        self.rule.check_same(&later.rule)?;
        match (&mut self.users, later.users.clone()) {
            (_, None) => {}
            (users @ None, there) => *users = there,
            (Some((_, last)), Some((first, _))) if !before(last, &first) => {
                return Err(BasketError::PartsOverlap { last: last.clone(), first });
            }
            (Some((_, last)), Some((_, there))) => *last = there,
        }
        self.absorb(later)?;
        Ok(())
    }

    /// Adds baskets of whichever users, and returns the codes of their products here, by their codes there.
    pub(crate) fn absorb(&mut self, later: BasketTable) -> Result<Vec<u32>, BasketError> {
        let mut codes = Vec::with_capacity(later.products.len());
        let there = || (0..later.products.len() as u32).filter_map(|code| later.products.id(code));
        let mut ahead = there().skip(FETCHED_AHEAD);
        for product in there() {
            if let Some(soon) = ahead.next() {
                self.fetch(soon);
            }
            codes.push(self.code(product)?);
        }
        for (counts, there) in [(&mut self.counts, &later.counts), (&mut self.singles, &later.singles)] {
            for (&code, &baskets) in codes.iter().zip(there) {
                add(counts, code, baskets);
            }
        }
        match (&mut self.chunks, later.chunks) {
            (Some(chunks), Some(mut there)) => {
                for product in there.iter_mut().flat_map(|chunk| &mut chunk.products) {
                    *product = codes[*product as usize];
                }
                chunks.append(&mut there);
            }
            (chunks, _) => *chunks = None,
        }
        self.held = (self.held.0 + later.held.0, self.held.1 + later.held.1);
        self.has_runs |= later.has_runs;
        self.totals = self.totals.plus(later.totals);
        self.check_size()?;
        Ok(codes)
    }

    /// Whether no basket of several products is held.
    pub fn is_empty(&self) -> bool {
        self.held.1 == 0
    }

    /// Whether the baskets of `later` as well could be held and counted at once, with as much memory as counting likes to have: where not,
    /// [`BasketTable::write_run`] makes room.
    pub fn has_room_for(&self, later: &BasketTable) -> bool {
        let products = self.products.len() + later.products.len();
        let wanted = Room::wanted(products, HasMoney::of(self.money())).min(self.rule.budget.bytes() / 2);
        self.bytes() + later.bytes() + wanted <= self.rule.budget.bytes()
    }

    /// Counts the pairs of the baskets that are held, writes them all to `writer`, and lets the baskets go; the products, and how many baskets
    /// held each, stay. [`Pairs::merge`](crate::Pairs::merge) puts such runs together.
    ///
    /// # Complexity
    /// About 5 bytes a distinct pair of these baskets. Memory as [`Pairs::count`](crate::Pairs::count).
    ///
    /// # Errors
    /// [`CoreError::Memory`] where the baskets exceed the budget; [`BasketError::Io`].
    pub fn write_run(&mut self, mut writer: impl Write) -> Result<(), BasketError> {
        let room = self.room_to_count()?;
        let chunks = self.chunks.replace(Vec::new()).unwrap_or_default();
        (self.held, self.has_runs) = ((0, 0), true);
        let mut bytes = Vec::new();
        Counting::new(Ranked::new(&self.products, chunks), room, 1)
            .each_range(|rows, codes| run::write_rows(rows, codes, &mut bytes, &mut writer))
    }

    /// Checks that the baskets can be counted, and says how.
    fn room_to_count(&self) -> Result<Room, BasketError> {
        let (products, money) = (self.products.len(), HasMoney::of(self.money()));
        let smallest = self.bytes() + Room::least(products, money);
        self.rule.budget.require("counting product pairs", MemoryBudget::from_bytes(smallest))?;
        Ok(Room::divide(self.rule.budget.bytes() - self.bytes(), products, money))
    }

    /// Checks that the baskets can be counted and takes the table apart.
    pub(crate) fn take_to_count(mut self) -> Result<(Known, Vec<Chunk>, Room), BasketError> {
        let room = self.room_to_count()?;
        let chunks = self.chunks.take().unwrap_or_default();
        Ok((self.into_known(), chunks, room))
    }

    /// Checks that the baskets fit and takes the table apart.
    pub(crate) fn take(mut self) -> Result<(Known, Vec<Chunk>), BasketError> {
        self.rule.budget.require("baskets", MemoryBudget::from_bytes(self.bytes()))?;
        let chunks = self.chunks.take().unwrap_or_default();
        Ok((self.into_known(), chunks))
    }

    /// What is known beside the baskets.
    pub(crate) fn into_known(self) -> Known {
        Known {
            product_type: self.rule.input.items,
            products: self.products,
            counts: self.counts,
            singles: self.singles,
            totals: self.totals,
        }
    }

    /// Whether some baskets are in runs and no longer here.
    pub(crate) fn has_written_runs(&self) -> bool {
        self.has_runs
    }

    /// The products by code.
    pub(crate) fn known_products(&self) -> &IdDictionary {
        &self.products
    }

    /// Baskets of several products that hold this one, and baskets of this one alone.
    pub(crate) fn counts_of(&self, code: u32) -> [u32; 2] {
        [&self.counts, &self.singles].map(|counts| counts.get(code as usize).copied().unwrap_or(0))
    }

    /// Adds to these counts.
    pub(crate) fn add_counts(&mut self, code: u32, [several, single]: [u32; 2]) {
        add(&mut self.counts, code, several);
        add(&mut self.singles, code, single);
    }

    /// Whether every basket that was counted is here as a whole.
    pub(crate) fn holds_all_baskets(&self) -> bool {
        self.rule.window().is_none() && !self.has_runs
    }

    /// The decimals of the money of each entry; none where there is none.
    pub(crate) fn money(&self) -> Option<MoneyScale> {
        self.rule.input.money
    }

    /// What the caller allowed.
    pub(crate) fn budget(&self) -> MemoryBudget {
        self.rule.budget
    }

    pub(crate) fn rule(&self) -> &Baskets {
        &self.rule
    }

    pub(crate) fn totals_mut(&mut self) -> &mut BasketTotals {
        &mut self.totals
    }

    /// The last user, behind whom `next` is to come; says whether it does, and makes it the last.
    pub(crate) fn next_user(&mut self, next: Option<IdRef<'_>>) -> bool {
        match &mut self.users {
            users @ None => *users = Some((next.map(IdRef::to_owned), next.map(IdRef::to_owned))),
            Some((_, last)) => {
                let next = next.map(IdRef::to_owned);
                if !before(last, &next) {
                    return false;
                }
                *last = next;
            }
        }
        true
    }

    /// The last user; none before the first.
    pub(crate) fn last_user(&self) -> Option<Option<IdRef<'_>>> {
        self.users.as_ref().map(|(_, last)| last.as_ref().map(Id::as_ref))
    }

    /// Has the processor fetch where a product is looked up.
    #[inline]
    pub(crate) fn fetch(&self, product: IdRef<'_>) {
        self.products.fetch(product);
    }

    pub(crate) fn code(&mut self, product: IdRef<'_>) -> Result<u32, CoreError> {
        let known = self.products.len();
        let code = self.products.code(product)?;
        if self.products.len() > known
            && let IdRef::Utf8(text) = product
        {
            self.text += text.len() as u64;
        }
        Ok(code)
    }

    /// Adds a basket: distinct product codes, and the money of each where it is asked for.
    pub(crate) fn push(&mut self, products: &[u32], money: &[i64]) {
        if self.count(products) {
            self.hold(products, money);
        }
    }

    /// Counts a basket and its products; says whether it may hold pairs.
    pub(crate) fn count(&mut self, products: &[u32]) -> bool {
        match *products {
            [] => false,
            [product] => {
                self.totals.single_baskets += 1;
                add(&mut self.singles, product, 1);
                false
            }
            _ if products.len() > self.rule.max_products() => {
                self.totals.oversized_baskets += 1;
                false
            }
            _ => {
                self.totals.baskets += 1;
                self.totals.entries += products.len() as u64;
                products.iter().for_each(|&product| add(&mut self.counts, product, 1));
                true
            }
        }
    }

    /// Holds products of which every two are a pair.
    pub(crate) fn hold(&mut self, products: &[u32], money: &[i64]) {
        self.held = (self.held.0 + products.len() as u64, self.held.1 + 1);
        if let Some(chunks) = &mut self.chunks {
            chunk::push(chunks, products, money);
        }
    }

    /// Lets the baskets go where they do not fit; refuses more of them than a count has bits for.
    pub(crate) fn check_size(&mut self) -> Result<(), BasketError> {
        if self.bytes() > self.rule.budget.bytes() {
            self.chunks = None;
        }
        let limit = u64::from(u32::MAX);
        if self.totals.baskets.saturating_add(self.totals.single_baskets) > limit {
            return Err(BasketError::TooManyBaskets { limit });
        }
        Ok(())
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        if let Some(chunk) = self.chunks.as_mut().and_then(|chunks| chunks.last_mut()) {
            chunk.shrink_to_fit();
        }
    }
}

impl BasketTotals {
    pub(crate) const NUMBERS: usize = 8;

    /// All of them, in their order.
    pub(crate) fn numbers(self) -> [u64; Self::NUMBERS] {
        [
            self.events,
            self.events_without_key,
            self.events_without_product,
            self.events_of_other_types,
            self.baskets,
            self.entries,
            self.single_baskets,
            self.oversized_baskets,
        ]
    }

    pub(crate) fn of_numbers(numbers: [u64; Self::NUMBERS]) -> Self {
        let [
            events,
            events_without_key,
            events_without_product,
            events_of_other_types,
            baskets,
            entries,
            single_baskets,
            oversized_baskets,
        ] = numbers;
        Self {
            events,
            events_without_key,
            events_without_product,
            events_of_other_types,
            baskets,
            entries,
            single_baskets,
            oversized_baskets,
        }
    }

    fn plus(self, other: Self) -> Self {
        let (ours, theirs) = (self.numbers(), other.numbers());
        Self::of_numbers(std::array::from_fn(|number| ours[number].saturating_add(theirs[number])))
    }
}

/// Adds baskets to a product's count.
fn add(counts: &mut Vec<u32>, product: u32, baskets: u32) {
    let product = product as usize;
    if product >= counts.len() {
        counts.resize(product + 1, 0);
    }
    counts[product] = counts[product].saturating_add(baskets);
}

/// Whether a user comes before another; the unknown one comes last.
fn before(user: &Option<Id>, next: &Option<Id>) -> bool {
    (user.is_none(), user) < (next.is_none(), next)
}
