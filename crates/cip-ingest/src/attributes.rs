//! What many rows say of a product: its category and brand, or all of an offer, kept once for all events that share it.
//!
//! Rows of a shop say it again and again, in the same bytes. So these bytes are looked up as a whole, before they are taken
//! for numbers and texts.

use std::sync::{Arc, PoisonError, RwLock};

use arrow_schema::{Fields, Schema};
use cip_core::column;
use cip_store::OfferCounts;

use crate::known_texts::{Fingerprint, KnownTexts, TextTable};
use crate::target::{ColumnKind, Fill, TargetColumn};

/// What rows share, and what each has for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttributeUse {
    /// The product, all that is said of it, and its price.
    Offers,
    /// What is said of the product.
    Products,
    InEachRow,
}

impl AttributeUse {
    /// What rows of these columns may share, the most first.
    pub(crate) fn of(columns: &[TargetColumn]) -> Vec<Self> {
        let shared = [Self::Offers, Self::Products].into_iter().filter(|some| some.shared(columns).is_some());
        shared.chain([Self::InEachRow]).collect()
    }

    /// Returns which of `columns` are shared: two or more.
    fn shared(self, columns: &[TargetColumn]) -> Option<Vec<usize>> {
        const OF_PRODUCTS: [&str; 3] = [column::CATEGORY_ID, column::CATEGORY_CODE, column::BRAND];
        let named = |name: &str| columns.iter().position(|target| target.name == name);
        let is_read = |index: &usize| matches!(columns[*index].fill, Fill::From(_));
        let is_short =
            |index: &usize| matches!(columns[*index].kind, ColumnKind::Int64 | ColumnKind::Dictionary(_));
        let shared: Vec<usize> = match self {
            Self::Offers => {
                let fields: Fields = columns.iter().map(TargetColumn::field).collect();
                let offered = OfferCounts::columns_of(&Schema::new(fields))?;
                let offered: Vec<usize> =
                    offered.fields().iter().filter_map(|field| named(field.name())).collect();
                // What the mapping says of all products is in no text of theirs.
                offered.iter().all(is_read).then_some(offered)?
            }
            Self::Products => {
                OF_PRODUCTS.into_iter().filter_map(named).filter(is_short).filter(is_read).collect()
            }
            Self::InEachRow => return None,
        };
        (shared.len() > 1).then_some(shared)
    }
}

/// Columns that rows share at most.
const MOST_COLUMNS: usize = 5;

/// The values of what rows share: integers, amounts, and codes of texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AttributeValues {
    values: [i64; MOST_COLUMNS],
    /// A bit for each value that is missing.
    nulls: u8,
}

impl AttributeValues {
    pub(crate) fn set(&mut self, index: usize, value: Option<i64>) {
        match value {
            Some(value) => self.values[index] = value,
            None => self.nulls |= 1 << index,
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<i64> {
        (self.nulls & 1 << index == 0).then_some(self.values[index])
    }
}

/// All values so far by their text, shared by all threads. Codes depend on which thread came first; they never leave the
/// process.
#[derive(Debug)]
pub(crate) struct Attributes {
    /// The columns, as the store has them.
    columns: Vec<usize>,
    attribute_use: AttributeUse,
    known: KnownTexts,
    values: RwLock<Vec<AttributeValues>>,
}

impl Attributes {
    /// Returns a table for those of `columns` that rows share; none where they share none.
    pub(crate) fn new(columns: &[TargetColumn], attribute_use: AttributeUse) -> Option<Self> {
        let columns = attribute_use.shared(columns)?;
        Some(Self { columns, attribute_use, known: KnownTexts::new(), values: RwLock::default() })
    }

    /// Whether they are offers.
    pub(crate) fn are_offers(&self) -> bool {
        self.attribute_use == AttributeUse::Offers
    }

    /// How many there are so far.
    pub(crate) fn len(&self) -> usize {
        self.values.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The columns, as the store has them.
    pub(crate) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The codes of all texts that are known now.
    pub(crate) fn known(&self) -> Arc<TextTable> {
        self.known.table()
    }

    /// Enters values and returns their code, which another thread may have given them before.
    pub(crate) fn enter(&self, text: &[u8], values: AttributeValues) -> u32 {
        let text = Fingerprint::of(text);
        let mut all = self.values.write().unwrap_or_else(PoisonError::into_inner);
        self.known.table().code(text).unwrap_or_else(|| {
            let code = all.len() as u32;
            all.push(values);
            self.known.enter(text, code);
            code
        })
    }

    /// Returns the values of a code that was given.
    pub(crate) fn values(&self, code: u32) -> AttributeValues {
        let all = self.values.read().unwrap_or_else(PoisonError::into_inner);
        all.get(code as usize).copied().unwrap_or_default()
    }

    /// About what they take.
    pub(crate) fn bytes(&self) -> u64 {
        /// Values, some places for the text, and what is needed to write a row group.
        const BYTES: usize = 160;
        (self.len() * BYTES) as u64
    }

    /// Takes all values by their codes: nothing is looked up any more.
    pub(crate) fn take_table(&self) -> Vec<AttributeValues> {
        self.known.clear();
        std::mem::take(&mut *self.values.write().unwrap_or_else(PoisonError::into_inner))
    }
}
