//! Rows of events as plain values, and as batches.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use cip_basket::{BasketKey, BasketTable, Baskets, PairBatches, Pairs, SingleBaskets};
use cip_core::{EventBatch, Id, MemoryBudget, column};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) user: Option<i64>,
    /// A source session or an order, by the shape's key.
    pub(crate) key: Option<u32>,
    pub(crate) product: Option<i64>,
}

/// Which columns there are, of what types, and what is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Absent, integers or text.
    pub(crate) users: Option<bool>,
    pub(crate) text_products: bool,
    pub(crate) text_orders: bool,
    pub(crate) key: BasketKey,
    pub(crate) max_products: usize,
    pub(crate) min_together: u32,
    pub(crate) singles: SingleBaskets,
}

impl Shape {
    pub(crate) const PLAIN: Self = Self {
        users: Some(false),
        text_products: false,
        text_orders: false,
        key: BasketKey::SourceSession,
        max_products: 50,
        min_together: 1,
        singles: SingleBaskets::Skip,
    };

    pub(crate) fn user(self, event: &Event) -> Option<Id> {
        self.users.and_then(|text| event.user.map(|user| id(text, user)))
    }

    pub(crate) fn product(self, product: i64) -> Id {
        id(self.text_products, product)
    }

    /// In the order given.
    pub(crate) fn batch(self, events: &[Event]) -> EventBatch {
        let key: ArrayRef = match self.key {
            BasketKey::SourceSession => {
                Arc::new(events.iter().map(|event| event.key).collect::<UInt32Array>())
            }
            BasketKey::Order | BasketKey::User => {
                ids(self.text_orders, events.iter().map(|event| event.key.map(i64::from)))
            }
        };
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("note", Arc::new(Int32Array::from(vec![0; events.len()]))),
            (if self.key == BasketKey::User { column::ORDER_ID } else { self.key.column() }, key),
            ("product_id", ids(self.text_products, events.iter().map(|event| event.product))),
        ];
        if let Some(text) = self.users {
            columns.push(("user_id", ids(text, events.iter().map(|event| event.user))));
        }
        EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
    }

    /// Sorted by user, unknown ones last; the events of a user stay as they are.
    pub(crate) fn sorted(self, events: &[Event]) -> EventBatch {
        let mut events = events.to_vec();
        events.sort_by_key(|event| (self.user(event).is_none(), self.user(event)));
        self.batch(&events)
    }

    pub(crate) fn rule(self, budget: MemoryBudget) -> Baskets {
        let empty = self.batch(&[]);
        Baskets::by(self.key, empty.schema(), budget).unwrap().with_max_products(self.max_products).unwrap()
    }

    pub(crate) fn table(self, batches: &[EventBatch]) -> BasketTable {
        self.rule(MemoryBudget::from_mib(64)).collect(batches).unwrap()
    }

    pub(crate) fn pairs(self) -> Pairs {
        Pairs::new(self.min_together).unwrap().with_single_baskets(self.singles)
    }

    pub(crate) fn count(self, batches: &[EventBatch]) -> Vec<RecordBatch> {
        all(self.pairs().count(self.table(batches)).unwrap())
    }
}

pub(crate) fn all(pairs: PairBatches) -> Vec<RecordBatch> {
    pairs.map(Result::unwrap).collect()
}

/// Cuts a batch at the given rows, in slices that share its memory.
pub(crate) fn split(batch: &EventBatch, cuts: &[usize]) -> Vec<EventBatch> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (batch.len() + 1)).collect();
    cuts.extend([0, batch.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|rows| batch.slice(rows[0], rows[1] - rows[0])).collect()
}

fn ids(as_text: bool, ids: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    if as_text {
        Arc::new(ids.map(|id| id.map(text)).collect::<StringArray>())
    } else {
        Arc::new(ids.collect::<Int64Array>())
    }
}

fn id(as_text: bool, id: i64) -> Id {
    if as_text { Id::Utf8(text(id).into()) } else { Id::Int64(id) }
}

/// Of several lengths; the order of the texts is not that of the numbers.
fn text(id: i64) -> String {
    if id == 0 { String::new() } else { format!("id {id} é") }
}
