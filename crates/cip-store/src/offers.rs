//! The offers of a commit: a product, what is said of it, and its price, once for all events that have them.
//!
//! A shop has some ten thousand offers and many million events. Five columns that say the same of each other become one code,
//! and a small table beside the events.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::Int32Builder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use cip_core::{EventSchema, column};
use foldhash::fast::RandomState;
use indexmap::{IndexMap, IndexSet};

use crate::error::StoreError;

/// The code of an offer, in events and in the table of offers.
pub(crate) const OFFER: &str = "offer";
/// How many events have an offer.
const EVENTS: &str = "events";

/// What an offer may say, in this order.
const COLUMNS: [&str; 5] =
    [column::PRODUCT_ID, column::CATEGORY_ID, column::CATEGORY_CODE, column::BRAND, column::PRICE];

type Texts = IndexSet<Box<str>, RandomState>;

/// The values of an offer: integers, amounts, and numbers of texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Key {
    values: [i64; COLUMNS.len()],
    /// A bit for each value that is missing.
    nulls: u8,
}

impl Key {
    fn get(&self, place: usize) -> Option<i64> {
        (self.nulls & 1 << place == 0).then_some(self.values[place])
    }
}

/// Returns the offers of some rows; none where these do not have the columns, or `number` has none of a text. It is given the
/// place of its column.
fn keys(
    schema: &Schema,
    rows: &RecordBatch,
    mut number: impl FnMut(usize, &str) -> Option<usize>,
) -> Option<Vec<Key>> {
    let mut keys = vec![Key::default(); rows.num_rows()];
    for (place, field) in schema.fields().iter().enumerate() {
        let array = rows.column_by_name(field.name())?;
        let mut set = |row: usize, value: i64| keys[row].values[place] = value;
        if let Some(array) = array.as_primitive_opt::<Int64Type>() {
            array.values().iter().enumerate().for_each(|(row, &value)| set(row, value));
        } else if let Some(array) = array.as_primitive_opt::<Decimal128Type>() {
            array.values().iter().enumerate().for_each(|(row, &value)| set(row, value as i64));
        } else {
            let array = array.as_dictionary_opt::<Int32Type>()?;
            let texts = array.values().as_string_opt::<i32>()?;
            let mut numbers: Vec<Option<i64>> = vec![None; texts.len()];
            for (row, key) in array.keys().iter().enumerate() {
                let Some(key) = key.and_then(|key| usize::try_from(key).ok()) else { continue };
                let known = numbers.get_mut(key)?;
                let value = match *known {
                    Some(value) => value,
                    None => *known.insert(number(place, texts.value(key))? as i64),
                };
                set(row, value);
            }
        }
        if let Some(nulls) = array.logical_nulls().filter(|nulls| nulls.null_count() > 0) {
            for row in (0..keys.len()).filter(|&row| nulls.is_null(row)) {
                keys[row].values[place] = 0;
                keys[row].nulls |= 1 << place;
            }
        }
    }
    Some(keys)
}

fn other_columns(rows: &RecordBatch) -> StoreError {
    ArrowError::InvalidArgumentError(format!("rows of [{}] have offers that are not known", rows.schema()))
        .into()
}

/// Distinct offers and the number of their events, collected in any order.
#[derive(Debug)]
pub struct OfferCounts {
    schema: SchemaRef,
    /// Of each column; only dictionary columns have any.
    texts: Vec<Texts>,
    counts: IndexMap<Key, u64, RandomState>,
}

impl OfferCounts {
    /// Returns none where events have no offers: these need an integer `product_id` and a `price`, in one currency.
    pub fn new(schema: &EventSchema) -> Option<Self> {
        let has = |name: &str| schema.has(name);
        if !has(column::PRODUCT_ID) || !has(column::PRICE) || has(column::CURRENCY) || has(OFFER) {
            return None;
        }
        let fields = COLUMNS.iter().filter_map(|name| schema.arrow().fields().find(name));
        let fields: Vec<Field> = fields.map(|(_, field)| field.as_ref().clone()).collect();
        let fits = fields.iter().all(|field| match (field.name().as_str(), field.data_type()) {
            (column::PRODUCT_ID | column::CATEGORY_ID, data_type) => *data_type == DataType::Int64,
            (column::PRICE, data_type) => matches!(data_type, DataType::Decimal128(18, _)),
            (_, data_type) => matches!(data_type, DataType::Dictionary(..)),
        });
        let texts = fields.iter().map(|_| Texts::default()).collect();
        let schema = Arc::new(Schema::new(fields));
        fits.then(|| Self { schema, texts, counts: IndexMap::default() })
    }

    /// The columns of which offers are made.
    pub fn columns(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many offers there are so far.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Adds the offers of some rows, each with as many events as `events` says; without, one.
    ///
    /// # Errors
    /// [`StoreError::Arrow`] where the rows do not have the columns.
    pub fn add(&mut self, rows: &RecordBatch, events: Option<&[u64]>) -> Result<(), StoreError> {
        for (row, key) in self.intern(rows)?.into_iter().enumerate() {
            let events = events.map_or(Some(1), |events| events.get(row).copied()).unwrap_or_default();
            *self.counts.entry(key).or_default() += events;
        }
        Ok(())
    }

    fn intern(&mut self, rows: &RecordBatch) -> Result<Vec<Key>, StoreError> {
        let texts = &mut self.texts;
        let number = |place: usize, text: &str| match texts[place].get_index_of(text) {
            Some(known) => Some(known),
            None => Some(texts[place].insert_full(text.into()).0),
        };
        keys(&self.schema, rows, number).ok_or_else(|| other_columns(rows))
    }

    /// Returns those that have events, with their codes: 0, 1, 2, … by the number of their events, the most first, then by their
    /// values.
    ///
    /// # Errors
    /// [`StoreError::Arrow`].
    pub fn finish(self) -> Result<Offers, StoreError> {
        let Self { schema, texts, mut counts } = self;
        counts.retain(|_, events| *events > 0);
        let text = |place: usize, value: Option<i64>| -> Option<&str> {
            texts[place].get_index(usize::try_from(value?).ok()?).map(|text| &**text)
        };
        counts.sort_unstable_by(|a, a_events, b, b_events| {
            let by_values = (0..texts.len()).map(|place| {
                let (a, b) = (a.get(place), b.get(place));
                if texts[place].is_empty() { a.cmp(&b) } else { text(place, a).cmp(&text(place, b)) }
            });
            b_events.cmp(a_events).then_with(|| by_values.fold(Ordering::Equal, Ordering::then))
        });
        let column = |(place, field): (usize, &Arc<Field>)| -> Result<ArrayRef, StoreError> {
            let values = || counts.keys().map(|key| key.get(place));
            Ok(match field.data_type() {
                DataType::Int64 => Arc::new(values().collect::<Int64Array>()),
                DataType::Decimal128(precision, scale) => {
                    let amounts = values().map(|value| value.map(i128::from)).collect::<Decimal128Array>();
                    Arc::new(amounts.with_precision_and_scale(*precision, *scale)?)
                }
                _ => {
                    // Texts in the order of the codes: the same offers are the same bytes.
                    let mut named: IndexSet<i64, RandomState> = IndexSet::default();
                    let mut numbers = Int32Builder::with_capacity(counts.len());
                    for value in values() {
                        numbers.append_option(value.map(|value| named.insert_full(value).0 as i32));
                    }
                    let texts = named.iter().map(|&number| text(place, Some(number)).unwrap_or_default());
                    let texts = StringArray::from_iter_values(texts);
                    Arc::new(DictionaryArray::<Int32Type>::try_new(numbers.finish(), Arc::new(texts))?)
                }
            })
        };
        let columns = schema.fields().iter().enumerate().map(column).collect::<Result<Vec<_>, _>>()?;
        let values = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        let events = counts.values().copied().collect();
        let codes = (0..).zip(counts.keys()).map(|(code, &key)| (key, code)).collect();
        Ok(Offers { texts, codes, values, events })
    }
}

/// The offers of a commit, by their codes.
#[derive(Debug)]
pub struct Offers {
    texts: Vec<Texts>,
    codes: HashMap<Key, u32, RandomState>,
    /// In the rows that are their codes.
    values: RecordBatch,
    /// Likewise; none of a code that is not used any more.
    events: Vec<u64>,
}

impl Offers {
    /// How many codes there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Their values, in the rows that are their codes.
    pub fn values(&self) -> &RecordBatch {
        &self.values
    }

    /// Returns the code of each row's offer.
    ///
    /// # Errors
    /// [`StoreError::Arrow`] where a row has another offer, or not the columns.
    pub fn codes(&self, rows: &RecordBatch) -> Result<Vec<u32>, StoreError> {
        let number = |place: usize, text: &str| self.texts[place].get_index_of(text);
        let keys = keys(self.values.schema_ref(), rows, number);
        let codes = keys.and_then(|keys| keys.iter().map(|key| self.codes.get(key).copied()).collect());
        codes.ok_or_else(|| other_columns(rows))
    }

    /// The schema of the table of offers with these values.
    pub(crate) fn table_schema(values: &Schema) -> SchemaRef {
        let mut fields = vec![Arc::new(Field::new(OFFER, DataType::UInt32, false))];
        fields.extend(values.fields().iter().cloned());
        fields.push(Arc::new(Field::new(EVENTS, DataType::Int64, false)));
        Arc::new(Schema::new(fields))
    }

    /// Returns the table of offers: their codes, values and events, these with `less` of each. Offers without any are left out; the
    /// others keep their codes.
    ///
    /// # Errors
    /// [`StoreError::Arrow`].
    pub(crate) fn to_table(&self, less: &[u64]) -> Result<RecordBatch, StoreError> {
        let less = |code: usize| less.get(code).copied().unwrap_or_default();
        let left = self.events.iter().enumerate().map(|(code, events)| events.saturating_sub(less(code)));
        let left: Vec<u64> = left.collect();
        let used = || (0u32..).zip(&left).filter(|(_, events)| **events > 0);
        let codes = UInt32Array::from_iter_values(used().map(|(code, _)| code));
        let values = arrow_select::take::take_record_batch(&self.values, &codes)?;
        let events = Int64Array::from_iter_values(used().map(|(_, events)| events.cast_signed()));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(codes)];
        columns.extend(values.columns().iter().cloned());
        columns.push(Arc::new(events));
        Ok(RecordBatch::try_new(Self::table_schema(self.values.schema_ref()), columns)?)
    }

    /// Returns the offers of a table; none where it is not one of theirs.
    pub(crate) fn from_table(mut counts: OfferCounts, table: &RecordBatch) -> Option<Self> {
        let codes = table.column_by_name(OFFER)?.as_primitive_opt::<UInt32Type>()?.values();
        let counted = table.column_by_name(EVENTS)?.as_primitive_opt::<Int64Type>()?.values();
        if !codes.is_sorted_by(|a, b| a < b) {
            return None;
        }
        let all = codes.last().map_or(0, |&last| last as usize + 1);
        // Codes that are not used have the values of the next one that is.
        let mut rows = Vec::with_capacity(all);
        let mut events = vec![0; all];
        for ((row, &code), &count) in (0u32..).zip(codes).zip(counted) {
            rows.resize(code as usize + 1, row);
            events[code as usize] = u64::try_from(count).ok()?;
        }
        let keys = counts.intern(table).ok()?;
        let wanted: Vec<usize> = counts
            .schema
            .fields()
            .iter()
            .map(|field| table.schema_ref().index_of(field.name()))
            .collect::<Result<_, _>>()
            .ok()?;
        let values = table.project(&wanted).ok()?;
        let values = arrow_select::take::take_record_batch(&values, &UInt32Array::from(rows)).ok()?;
        let values = values.with_schema(Arc::clone(&counts.schema)).ok()?;
        let codes = keys.into_iter().zip(codes.iter().copied()).collect();
        Some(Self { texts: counts.texts, codes, values, events })
    }
}
