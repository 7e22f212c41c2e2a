//! Rows of events as plain values, and as batches.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow_select::concat::concat_batches;
use cip_core::{EventBatch, Id};

/// The event types of tests; the first is a value that no row uses, and one stands twice.
pub(crate) const TYPES: [&str; 8] =
    ["unused", "view", "cart", "remove_from_cart", "purchase", "cancellation", "wish", "purchase"];
pub(crate) const VIEW: i32 = 1;
pub(crate) const CART: i32 = 2;
pub(crate) const PURCHASE: i32 = 4;

/// The brands and categories of tests.
pub(crate) const TEXTS: [&str; 5] = ["aqua", "", "elenberg", "aqua é", "shiseido"];

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) user: Option<i64>,
    pub(crate) time: i64,
    /// Position in [`TYPES`].
    pub(crate) kind: i32,
    pub(crate) product: Option<i64>,
    pub(crate) category: Option<i64>,
    /// Positions in [`TEXTS`].
    pub(crate) code: Option<usize>,
    pub(crate) brand: Option<usize>,
    pub(crate) price: Option<i64>,
    pub(crate) quantity: Option<i64>,
    pub(crate) session: Option<u32>,
}

impl Event {
    /// One piece of product 1 for 1.00.
    pub(crate) fn at(time: i64, user: i64, kind: i32) -> Self {
        Self {
            user: Some(user),
            time,
            kind,
            product: Some(1),
            category: Some(1),
            code: Some(0),
            brand: Some(0),
            price: Some(100),
            quantity: Some(1),
            session: Some(1),
        }
    }
}

impl Event {
    /// A number that is no integer and no money, and null at times.
    pub(crate) fn weight(&self) -> Option<f64> {
        self.product.filter(|product| product % 5 != 0).map(|product| product as f64 / 7.0 - 2.5)
    }
}

/// Which columns there are, and of what types.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) text_users: bool,
    /// Absent, integers or text.
    pub(crate) products: Option<bool>,
    pub(crate) categories: Option<bool>,
    pub(crate) codes: bool,
    pub(crate) brands: bool,
    pub(crate) prices: bool,
    pub(crate) quantities: bool,
    pub(crate) sessions: bool,
}

impl Shape {
    pub(crate) const FULL: Self = Self {
        text_users: false,
        products: Some(false),
        categories: Some(false),
        codes: true,
        brands: true,
        prices: true,
        quantities: true,
        sessions: true,
    };

    pub(crate) fn user(self, user: i64) -> Id {
        if self.text_users { Id::Utf8(text(user).into()) } else { Id::Int64(user) }
    }

    /// Dictionaries begin at the text `turn`, so that codes of two batches differ.
    pub(crate) fn batch_turned(self, events: &[Event], turn: usize) -> EventBatch {
        let keys: Int32Array = events.iter().map(|event| event.kind).collect();
        let types = DictionaryArray::<Int32Type>::new(keys, Arc::new(StringArray::from(TYPES.to_vec())));
        let times = TimestampMicrosecondArray::from_iter_values(events.iter().map(|event| event.time));
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("event_type", Arc::new(types)),
            ("user_id", ids(self.text_users, events.iter().map(|event| event.user))),
            ("event_time", Arc::new(times.with_timezone("UTC"))),
            ("note", Arc::new(Int32Array::from(vec![0; events.len()]))),
            ("weight", Arc::new(events.iter().map(Event::weight).collect::<Float64Array>())),
        ];
        if let Some(text) = self.products {
            columns.push(("product_id", ids(text, events.iter().map(|event| event.product))));
        }
        if let Some(text) = self.categories {
            columns.push(("category_id", ids(text, events.iter().map(|event| event.category))));
        }
        if self.codes {
            columns.push(("category_code", labels(turn, events.iter().map(|event| event.code))));
        }
        if self.brands {
            columns.push(("brand", labels(turn + 2, events.iter().map(|event| event.brand))));
        }
        if self.prices {
            let prices: Decimal128Array = events.iter().map(|event| event.price.map(i128::from)).collect();
            columns.push(("price", Arc::new(prices.with_precision_and_scale(18, 2).unwrap())));
        }
        if self.quantities {
            let quantities: Int64Array = events.iter().map(|event| event.quantity).collect();
            columns.push(("quantity", Arc::new(quantities)));
        }
        if self.sessions {
            let sessions: UInt32Array = events.iter().map(|event| event.session).collect();
            columns.push(("source_session", Arc::new(sessions)));
        }
        EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
    }

    pub(crate) fn batch(self, events: &[Event]) -> EventBatch {
        self.batch_turned(events, 0)
    }

    /// In the order of the store.
    pub(crate) fn sort(self, events: &[Event]) -> Vec<Event> {
        let mut sorted = events.to_vec();
        sorted
            .sort_by_key(|event| (event.user.is_none(), event.user.map(|user| self.user(user)), event.time));
        sorted
    }

    /// Sorted as the store has them.
    pub(crate) fn sorted(self, events: &[Event]) -> EventBatch {
        self.batch(&self.sort(events))
    }

    /// Sorted, in batches that begin at the given rows: in turn slices of one batch, and batches with dictionaries of their
    /// own.
    pub(crate) fn split(self, events: &[Event], cuts: &[usize]) -> Vec<EventBatch> {
        let sorted = self.sort(events);
        let whole = self.batch(&sorted);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (sorted.len() + 1)).collect();
        cuts.extend([0, sorted.len()]);
        cuts.sort_unstable();
        cuts.windows(2)
            .enumerate()
            .map(|(turn, rows)| match turn % 2 {
                0 => self.batch_turned(&sorted[rows[0]..rows[1]], turn),
                _ => whole.slice(rows[0], rows[1] - rows[0]),
            })
            .collect()
    }
}

/// Several tables as one.
pub(crate) fn concat(tables: &[RecordBatch]) -> RecordBatch {
    concat_batches(&tables[0].schema(), tables).unwrap()
}

fn ids(as_text: bool, ids: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    if as_text {
        Arc::new(ids.map(|id| id.map(text)).collect::<StringArray>())
    } else {
        Arc::new(ids.collect::<Int64Array>())
    }
}

/// A dictionary that begins at `turn`, repeats one text, and has a null that rows without a text may use.
fn labels(turn: usize, texts: impl Iterator<Item = Option<usize>>) -> ArrayRef {
    let len = TEXTS.len();
    let mut values: Vec<_> = (0..len).map(|at| Some(TEXTS[(at + turn) % len])).collect();
    values.extend([None, Some(TEXTS[turn % len])]);
    let keys: Int32Array = texts
        .enumerate()
        .map(|(row, text)| match text {
            Some(text) if text == turn % len && row % 2 == 1 => Some(len as i32 + 1),
            Some(text) => Some(((text + len - turn % len) % len) as i32),
            None if row % 2 == 1 => Some(len as i32),
            None => None,
        })
        .collect();
    Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(StringArray::from(values))))
}

/// Of several lengths; the order of the texts is not that of the numbers.
pub(crate) fn text(id: i64) -> String {
    if id == 0 { String::new() } else { format!("id {id} é") }
}
