//! Baskets in memory: product codes one behind the other, in chunks, and where each basket ends.

use cip_core::{CoreError, Id, IdDictionary, IdRef, IdType, MemoryBudget, column};

use crate::error::BasketError;
use crate::rule::Baskets;

/// Entries after which a chunk is full. Chunks are never copied to grow, so their bytes are what they hold.
const CHUNK: usize = 1 << 18;

/// What a product takes: two words in the dictionary and one in its index, each with room to grow, and a count.
const PRODUCT_BYTES: u64 = 68;

/// What became of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BasketTotals {
    /// Events read.
    pub events: u64,
    /// Events that name no basket: the key is null.
    pub events_without_key: u64,
    /// Events of a basket that name no product: product_id is null.
    pub events_without_product: u64,
    /// Baskets of 2 to [`max_products`](Baskets::max_products) products: those that hold pairs.
    pub baskets: u64,
    /// Distinct (basket, product) in those.
    pub entries: u64,
    /// Baskets of one product.
    pub single_baskets: u64,
    /// Baskets of more than [`max_products`](Baskets::max_products) products, which are left out.
    pub oversized_baskets: u64,
}

/// The baskets of a range of users; made by [`BasketBuilder`](crate::BasketBuilder).
///
/// # Complexity
/// 4 bytes an entry, 4 a basket, and about 68 a product, with the text of its id. Where
/// that exceeds the budget, the baskets are let go, and what they would have taken goes on being counted, so
/// that [`Pairs::count`](crate::Pairs::count) can say what budget would do.
#[derive(Debug)]
pub struct BasketTable {
    rule: Baskets,
    products: IdDictionary,
    /// Bytes of text in `products`.
    text: u64,
    /// By product code: baskets of this product alone. May end before the last product.
    singles: Vec<u32>,
    /// None once they did not fit.
    chunks: Option<Vec<Chunk>>,
    totals: BasketTotals,
    /// The first and the last user; none for the unknown one.
    users: Option<(Option<Id>, Option<Id>)>,
}

/// Some baskets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chunk {
    /// Their products, basket behind basket.
    pub(crate) products: Vec<u32>,
    /// Where each basket ends.
    pub(crate) ends: Vec<u32>,
}

impl Chunk {
    /// Returns the baskets.
    pub(crate) fn baskets(&self) -> impl Iterator<Item = &[u32]> {
        let mut rest = self.products.as_slice();
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let (basket, behind) = rest.split_at((end - start) as usize);
            (rest, start) = (behind, end);
            basket
        })
    }

    /// Returns the baskets to change in place.
    pub(crate) fn baskets_mut(&mut self) -> impl Iterator<Item = &mut [u32]> {
        let mut rest = self.products.as_mut_slice();
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let (basket, behind) = std::mem::take(&mut rest).split_at_mut((end - start) as usize);
            (rest, start) = (behind, end);
            basket
        })
    }

    fn shrink_to_fit(&mut self) {
        self.products.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

/// What is left of a table when its baskets are counted.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) products: IdDictionary,
    pub(crate) product_type: IdType,
    pub(crate) singles: Vec<u32>,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) totals: BasketTotals,
    /// What the caller allowed, less the table.
    pub(crate) left: MemoryBudget,
}

impl BasketTable {
    pub(crate) fn new(rule: Baskets) -> Self {
        Self {
            products: IdDictionary::new(column::PRODUCT_ID, rule.input.products),
            rule,
            text: 0,
            singles: Vec::new(),
            chunks: Some(Vec::new()),
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
        4 * (self.totals.entries + self.totals.baskets)
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
        match (&mut self.users, later.users) {
            (_, None) => {}
            (users @ None, there) => *users = there,
            (Some((_, last)), Some((first, _))) if !before(last, &first) => {
                return Err(BasketError::PartsOverlap { last: last.clone(), first });
            }
            (Some((_, last)), Some((_, there))) => *last = there,
        }
        let mut codes = Vec::with_capacity(later.products.len());
        for code in 0..later.products.len() as u32 {
            if let Some(product) = later.products.id(code) {
                codes.push(self.code(product)?);
            }
        }
        for (&code, &baskets) in codes.iter().zip(&later.singles) {
            let single = self.single_mut(code);
            *single = single.saturating_add(baskets);
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
        self.totals = self.totals.plus(later.totals);
        self.check_size()
    }

    /// Checks that the baskets fit and takes the table apart, to do `what`; `more` is the least that it needs.
    pub(crate) fn take(
        self,
        what: &'static str,
        more: impl Fn(usize) -> u64,
    ) -> Result<Contents, BasketError> {
        let bytes = self.bytes();
        let smallest = bytes + more(self.products.len());
        let budget = self.rule.budget;
        budget.require(what, MemoryBudget::from_bytes(smallest))?;
        Ok(Contents {
            product_type: self.rule.input.products,
            products: self.products,
            singles: self.singles,
            chunks: self.chunks.unwrap_or_default(),
            totals: self.totals,
            left: MemoryBudget::from_bytes(budget.bytes() - bytes),
        })
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

    /// Adds a basket: distinct product codes.
    pub(crate) fn push(&mut self, basket: impl ExactSizeIterator<Item = u32> + Clone) {
        match basket.len() {
            0 => {}
            1 => {
                self.totals.single_baskets += 1;
                for product in basket {
                    let single = self.single_mut(product);
                    *single = single.saturating_add(1);
                }
            }
            products if products > self.rule.max_products() => self.totals.oversized_baskets += 1,
            products => {
                self.totals.baskets += 1;
                self.totals.entries += products as u64;
                let Some(chunks) = &mut self.chunks else { return };
                if chunks.last().is_none_or(|chunk| chunk.products.len() + products > CHUNK) {
                    if let Some(full) = chunks.last_mut() {
                        full.shrink_to_fit();
                    }
                    chunks.push(Chunk::default());
                }
                let Some(chunk) = chunks.last_mut() else { return };
                chunk.products.extend(basket);
                chunk.ends.push(chunk.products.len() as u32);
            }
        }
    }

    /// Lets the baskets go where they do not fit; refuses more of them than a count has bits for.
    pub(crate) fn check_size(&mut self) -> Result<(), BasketError> {
        if self.bytes() > self.rule.budget.bytes() {
            self.chunks = None;
        }
        let limit = u64::from(u32::MAX);
        if self.totals.baskets + self.totals.single_baskets > limit {
            return Err(BasketError::TooManyBaskets { limit });
        }
        Ok(())
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        if let Some(chunk) = self.chunks.as_mut().and_then(|chunks| chunks.last_mut()) {
            chunk.shrink_to_fit();
        }
    }

    fn single_mut(&mut self, product: u32) -> &mut u32 {
        let product = product as usize;
        if product >= self.singles.len() {
            self.singles.resize(product + 1, 0);
        }
        &mut self.singles[product]
    }
}

impl BasketTotals {
    fn plus(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            events_without_key: self.events_without_key + other.events_without_key,
            events_without_product: self.events_without_product + other.events_without_product,
            baskets: self.baskets + other.baskets,
            entries: self.entries + other.entries,
            single_baskets: self.single_baskets + other.single_baskets,
            oversized_baskets: self.oversized_baskets + other.oversized_baskets,
        }
    }
}

/// Whether a user comes before another; the unknown one comes last.
fn before(user: &Option<Id>, next: &Option<Id>) -> bool {
    (user.is_none(), user) < (next.is_none(), next)
}
