//! A batch of events: validated once, then read through typed columns.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray,
    UInt32Array, UInt64Array,
};
use arrow_ord::sort::{SortColumn, SortOptions, lexsort_to_indices};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;

use crate::column;
use crate::error::CoreError;
use crate::event_schema::EventSchema;
use crate::id::IdColumn;

/// What an event is, for the types that commerce gives a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// `view`
    View,
    /// `cart`
    Cart,
    /// `remove_from_cart`
    RemoveFromCart,
    /// `purchase`
    Purchase,
    /// `cancellation`: takes back an earlier purchase.
    Cancellation,
    /// Any other type.
    Other,
}

impl EventKind {
    /// Returns the kind of an event type.
    pub fn from_event_type(text: &str) -> Self {
        match text {
            "view" => Self::View,
            "cart" => Self::Cart,
            "remove_from_cart" => Self::RemoveFromCart,
            "purchase" => Self::Purchase,
            "cancellation" => Self::Cancellation,
            _ => Self::Other,
        }
    }
}

/// A batch of events whose known columns have their contract's types.
///
/// A batch may hold any subset of the columns: a stage reads from the store only those that it uses, and an
/// accessor says which one is missing. Rows may come in any order; stages that need them sorted by user and time
/// say so, and [`EventBatch::sorted`] does it.
#[derive(Debug, Clone)]
pub struct EventBatch {
    schema: EventSchema,
    batch: RecordBatch,
    users: Option<IdColumn>,
    products: Option<IdColumn>,
    categories: Option<IdColumn>,
    orders: Option<IdColumn>,
}

impl EventBatch {
    /// Validates a batch.
    ///
    /// # Errors
    /// [`CoreError::ColumnType`] where a known column has another type, [`CoreError::UnexpectedNulls`] where
    /// `event_time` or `event_type` has nulls.
    pub fn try_new(batch: RecordBatch) -> Result<Self, CoreError> {
        let schema = EventSchema::try_new(batch.schema())?;
        for column in [column::EVENT_TIME, column::EVENT_TYPE] {
            let nulls = batch.column_by_name(column).map_or(0, |array| array.logical_null_count());
            if nulls > 0 {
                return Err(CoreError::UnexpectedNulls { column, nulls });
            }
        }
        let ids = |name| batch.column_by_name(name).map(|array| IdColumn::try_new(name, array)).transpose();
        Ok(Self {
            users: ids(column::USER_ID)?,
            products: ids(column::PRODUCT_ID)?,
            categories: ids(column::CATEGORY_ID)?,
            orders: ids(column::ORDER_ID)?,
            schema,
            batch,
        })
    }

    /// Returns all rows of `batches` (which have one schema) in one batch, sorted by user_id (nulls last) and
    /// event_time; equal rows keep the order in which they came.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] without users or times; Arrow's where schemas differ.
    pub fn sorted(batches: &[EventBatch]) -> Result<Self, CoreError> {
        let Some(first) = batches.first() else {
            return Self::try_new(RecordBatch::new_empty(Arc::new(arrow_schema::Schema::empty())));
        };
        let all = concat_batches(first.schema.arrow(), batches.iter().map(|events| &events.batch))?;
        let key = |column: &'static str| {
            let values = all.column_by_name(column).ok_or(CoreError::MissingColumn { column })?;
            let options = SortOptions { descending: false, nulls_first: false };
            Ok::<_, CoreError>(SortColumn { values: Arc::clone(values), options: Some(options) })
        };
        let arrival: ArrayRef = Arc::new(UInt64Array::from_iter_values(0..all.num_rows() as u64));
        let keys =
            [key(column::USER_ID)?, key(column::EVENT_TIME)?, SortColumn { values: arrival, options: None }];
        let order = lexsort_to_indices(&keys, None)?;
        Self::try_new(take_record_batch(&all, &order)?)
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The schema.
    pub fn schema(&self) -> &EventSchema {
        &self.schema
    }

    /// The batch as Arrow has it, with every column.
    pub fn record_batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// Returns `len` rows from `offset`, without copying.
    ///
    /// # Panics
    /// Where the rows are out of bounds, as slices do.
    pub fn slice(&self, offset: usize, len: usize) -> Self {
        let ids = |name: &str, there: &Option<IdColumn>| {
            there.as_ref().and_then(|_| {
                IdColumn::try_new(name, &self.batch.column_by_name(name)?.slice(offset, len)).ok()
            })
        };
        Self {
            schema: self.schema.clone(),
            batch: self.batch.slice(offset, len),
            users: ids(column::USER_ID, &self.users),
            products: ids(column::PRODUCT_ID, &self.products),
            categories: ids(column::CATEGORY_ID, &self.categories),
            orders: ids(column::ORDER_ID, &self.orders),
        }
    }

    /// `user_id`; null means unknown.
    pub fn users(&self) -> Result<&IdColumn, CoreError> {
        self.users.as_ref().ok_or(CoreError::MissingColumn { column: column::USER_ID })
    }

    /// `product_id`.
    pub fn products(&self) -> Result<&IdColumn, CoreError> {
        self.products.as_ref().ok_or(CoreError::MissingColumn { column: column::PRODUCT_ID })
    }

    /// `category_id`, or none where the source has no such ids.
    pub fn categories(&self) -> Option<&IdColumn> {
        self.categories.as_ref()
    }

    /// `category_code`, or none where the source has no names of categories.
    pub fn category_codes(&self) -> Option<&DictionaryArray<Int32Type>> {
        self.dictionary(column::CATEGORY_CODE)
    }

    /// `brand`, or none where the source has no brands.
    pub fn brands(&self) -> Option<&DictionaryArray<Int32Type>> {
        self.dictionary(column::BRAND)
    }

    /// `order_id`, or none where the source has no orders.
    pub fn orders(&self) -> Option<&IdColumn> {
        self.orders.as_ref()
    }

    /// `event_time`: UTC microseconds, no nulls.
    pub fn times(&self) -> Result<&TimestampMicrosecondArray, CoreError> {
        Ok(self.array(column::EVENT_TIME)?.as_primitive::<TimestampMicrosecondType>())
    }

    /// `event_type`: no nulls; a value of the dictionary need not occur.
    pub fn event_types(&self) -> Result<&DictionaryArray<Int32Type>, CoreError> {
        Ok(self.array(column::EVENT_TYPE)?.as_dictionary::<Int32Type>())
    }

    /// The kind of each event, from `event_type`.
    pub fn kinds(&self) -> Result<Vec<EventKind>, CoreError> {
        self.kinds_by(EventKind::from_event_type)
    }

    /// What `of` says of each event's `event_type`; it is asked once a value of the dictionary.
    pub fn kinds_by<K: Copy>(&self, of: impl Fn(&str) -> K) -> Result<Vec<K>, CoreError> {
        let types = self.event_types()?;
        let names = types.values().as_string::<i32>();
        let kinds: Vec<_> = (0..names.len()).map(|code| of(names.value(code))).collect();
        Ok(types.keys().values().iter().map(|&code| kinds[code as usize]).collect())
    }

    /// `price` of one piece, or none where the source has no prices.
    pub fn prices(&self) -> Option<&Decimal128Array> {
        self.batch.column_by_name(column::PRICE).map(|array| array.as_primitive::<Decimal128Type>())
    }

    /// `quantity`, or none where the source does not say: one piece each.
    pub fn quantities(&self) -> Option<&Int64Array> {
        self.batch.column_by_name(column::QUANTITY).map(|array| array.as_primitive::<Int64Type>())
    }

    /// `source_session`, or none where the source has no sessions.
    pub fn source_sessions(&self) -> Option<&UInt32Array> {
        self.batch.column_by_name(column::SOURCE_SESSION).map(|array| array.as_primitive::<UInt32Type>())
    }

    /// `device_type`, or none where the source has none that is a dictionary of texts.
    pub fn device_types(&self) -> Option<&DictionaryArray<Int32Type>> {
        self.given(column::DEVICE_TYPE).map(|array| array.as_dictionary::<Int32Type>())
    }

    /// `duration_seconds`, or none where the source has none that are integers.
    pub fn durations(&self) -> Option<&Int64Array> {
        self.given(column::DURATION_SECONDS).map(|array| array.as_primitive::<Int64Type>())
    }

    /// `revenue` of each event, or none where the source has none that is money.
    pub fn revenues(&self) -> Option<&Decimal128Array> {
        self.given(column::REVENUE).map(|array| array.as_primitive::<Decimal128Type>())
    }

    /// What each event is worth, or none where the source has no prices.
    pub fn amounts(&self) -> Option<Amounts<'_>> {
        Some(Amounts { prices: self.prices()?, quantities: self.quantities() })
    }

    fn dictionary(&self, column: &str) -> Option<&DictionaryArray<Int32Type>> {
        self.batch.column_by_name(column).map(|array| array.as_dictionary::<Int32Type>())
    }

    /// A column whose type no contract fixes, where it has the type that features are made from.
    fn given(&self, column: &str) -> Option<&ArrayRef> {
        self.batch.column_by_name(column).filter(|_| self.schema.can_give(column))
    }

    fn array(&self, column: &'static str) -> Result<&ArrayRef, CoreError> {
        self.batch.column_by_name(column).ok_or(CoreError::MissingColumn { column })
    }
}

/// Prices and quantities of a batch, row by row.
#[derive(Debug, Clone, Copy)]
pub struct Amounts<'a> {
    prices: &'a Decimal128Array,
    quantities: Option<&'a Int64Array>,
}

impl<'a> Amounts<'a> {
    /// Returns the amounts of one piece each.
    pub fn without_quantities(self) -> Amounts<'a> {
        Amounts { prices: self.prices, quantities: None }
    }

    /// The price of one piece in units of the price's scale; 0 where it is null.
    pub fn price(&self, row: usize) -> i128 {
        if self.prices.is_valid(row) { self.prices.value(row) } else { 0 }
    }

    /// The pieces; 1 where the quantity is null or the source has none.
    pub fn pieces(&self, row: usize) -> i128 {
        match self.quantities {
            Some(quantities) if quantities.is_valid(row) => i128::from(quantities.value(row)),
            _ => 1,
        }
    }

    /// price x quantity; none beyond 128 bits, which prices of 18 digits cannot reach.
    pub fn amount(&self, row: usize) -> Option<i128> {
        self.price(row).checked_mul(self.pieces(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::IdRef;
    use arrow_array::StringArray;

    fn batch(users: Vec<Option<i64>>, times: Vec<i64>) -> EventBatch {
        let columns: [(&str, ArrayRef); 2] = [
            ("user_id", Arc::new(Int64Array::from(users))),
            ("event_time", Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))),
        ];
        EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
    }

    #[test]
    fn sorting_puts_unknown_users_last_and_keeps_the_order_of_arrival() {
        let a = batch(vec![None, Some(2), Some(1)], vec![0, 5, 9]);
        let b = batch(vec![Some(2), Some(1)], vec![4, 1]);
        let sorted = EventBatch::sorted(&[a, b]).unwrap();
        assert_eq!(sorted.times().unwrap().values(), &[1, 9, 4, 5, 0]);
        assert_eq!(sorted.users().unwrap().get(4), None);
        assert_eq!(sorted.users().unwrap().get(0), Some(IdRef::Int64(1)));
        assert!(EventBatch::sorted(&[]).unwrap().is_empty());
    }

    #[test]
    fn kinds_come_from_the_dictionary_even_of_a_slice() {
        let types: DictionaryArray<Int32Type> = ["view", "purchase", "wish"].into_iter().collect();
        let batch = RecordBatch::try_from_iter([("event_type", Arc::new(types) as ArrayRef)]).unwrap();
        let events = EventBatch::try_new(batch).unwrap().slice(1, 2);
        assert_eq!(events.kinds().unwrap(), [EventKind::Purchase, EventKind::Other]);
    }

    #[test]
    fn a_null_event_type_is_refused() {
        let types: DictionaryArray<Int32Type> = [Some("view"), None].into_iter().collect();
        let batch = RecordBatch::try_from_iter([("event_type", Arc::new(types) as ArrayRef)]).unwrap();
        assert!(matches!(EventBatch::try_new(batch), Err(CoreError::UnexpectedNulls { nulls: 1, .. })));
    }

    #[test]
    fn a_missing_column_is_named() {
        let brands: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
        let events = EventBatch::try_new(RecordBatch::try_from_iter([("colour", brands)]).unwrap()).unwrap();
        assert!(events.users().unwrap_err().to_string().starts_with("column `user_id` is missing"));
    }

    #[test]
    fn the_amount_is_price_times_quantity() {
        let columns: [(&str, ArrayRef); 2] = [
            (
                "price",
                Arc::new(
                    Decimal128Array::from(vec![Some(255), None]).with_precision_and_scale(18, 2).unwrap(),
                ),
            ),
            ("quantity", Arc::new(Int64Array::from(vec![Some(-6), Some(3)]))),
        ];
        let events = EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap();
        let amounts = events.amounts().unwrap();
        assert_eq!((amounts.amount(0), amounts.amount(1)), (Some(-1530), Some(0)));
    }
}
