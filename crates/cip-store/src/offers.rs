//! The offers of a commit: a product, what is said of it, and its price, once for all events that have them.
//!
//! A shop has some ten thousand offers and many million events. Five columns that say the same of each other become one code,
//! and a small table beside the events.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arrow_array::builder::Int32Builder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};
use cip_core::{EventSchema, column};
use foldhash::fast::RandomState;
use indexmap::{IndexMap, IndexSet};

use crate::error::StoreError;

/// The code of an offer, in events and in the table of offers.
pub(crate) const OFFER: &str = "offer";
/// How many events have an offer.
const EVENTS: &str = "events";

/// More codes no commit has.
const MOST: u32 = 1 << 24;

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

/// Returns the number of a text, which is entered where it is new.
fn intern(texts: &mut Texts, text: &str) -> Option<usize> {
    Some(texts.get_index_of(text).unwrap_or_else(|| texts.insert_full(text.into()).0))
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
    /// Returns none where events have no offers.
    pub fn new(schema: &EventSchema) -> Option<Self> {
        let schema = Self::columns_of(schema.arrow())?;
        let texts = schema.fields().iter().map(|_| Texts::default()).collect();
        Some(Self { schema, texts, counts: IndexMap::default() })
    }

    /// Returns the columns of which offers are made; none where events have no offers: these need an integer `product_id` and a
    /// `price`, in one currency.
    pub fn columns_of(events: &Schema) -> Option<SchemaRef> {
        let has = |name: &str| events.fields().find(name).is_some();
        if !has(column::PRODUCT_ID) || !has(column::PRICE) || has(column::CURRENCY) || has(OFFER) {
            return None;
        }
        let fields = COLUMNS.iter().filter_map(|name| events.fields().find(name));
        let fields: Vec<FieldRef> = fields.map(|(_, field)| Arc::clone(field)).collect();
        let fits = fields.iter().all(|field| match (field.name().as_str(), field.data_type()) {
            (column::PRODUCT_ID | column::CATEGORY_ID, data_type) => *data_type == DataType::Int64,
            (column::PRICE, data_type) => matches!(data_type, DataType::Decimal128(18, _)),
            (_, data_type) => matches!(data_type, DataType::Dictionary(..)),
        });
        fits.then(|| Arc::new(Schema::new(fields)))
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

    /// Adds the offers of some rows, each with as many events as `events` says; without, one. Returns the number of each row's offer:
    /// 0, 1, 2, … as they came. There should be less than 16,777,216 in the end.
    ///
    /// # Errors
    /// [`StoreError::Arrow`] where the rows do not have the columns.
    pub fn add(&mut self, rows: &RecordBatch, events: Option<&[u64]>) -> Result<Vec<u32>, StoreError> {
        let mut numbers = Vec::with_capacity(rows.num_rows());
        for (row, key) in self.intern(rows)?.into_iter().enumerate() {
            let events = events.map_or(Some(1), |events| events.get(row).copied()).unwrap_or_default();
            let offer = self.counts.entry(key);
            numbers.push(offer.index() as u32);
            *offer.or_default() += events;
        }
        Ok(numbers)
    }

    fn intern(&mut self, rows: &RecordBatch) -> Result<Vec<Key>, StoreError> {
        let texts = &mut self.texts;
        keys(&self.schema, rows, |place, text| intern(&mut texts[place], text))
            .ok_or_else(|| other_columns(rows))
    }

    /// Returns the offers with their codes: 0, 1, 2, … by the number of their events, the most first, then by their values; and
    /// the code of each number.
    ///
    /// # Errors
    /// [`StoreError::Arrow`].
    pub fn finish(self) -> Result<(Offers, Vec<u32>), StoreError> {
        let Self { schema, texts, counts } = self;
        let text = |place: usize, value: Option<i64>| -> Option<&str> {
            texts[place].get_index(usize::try_from(value?).ok()?).map(|text| &**text)
        };
        // The numbers in the order of their codes.
        let mut order: Vec<u32> = (0u32..).take(counts.len()).collect();
        let at = |number: u32| {
            counts.get_index(number as usize).map(|(key, events)| (*key, *events)).unwrap_or_default()
        };
        order.sort_unstable_by(|&a, &b| {
            let ((a, a_events), (b, b_events)) = (at(a), at(b));
            let by_values = (0..texts.len()).map(|place| {
                let (a, b) = (a.get(place), b.get(place));
                if texts[place].is_empty() { a.cmp(&b) } else { text(place, a).cmp(&text(place, b)) }
            });
            b_events.cmp(&a_events).then_with(|| by_values.fold(Ordering::Equal, Ordering::then))
        });
        let column = |(place, field): (usize, &Arc<Field>)| -> Result<ArrayRef, StoreError> {
            let values = || order.iter().map(|&number| at(number).0.get(place));
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
        let events = order.iter().map(|&number| at(number).1).collect();
        let mut codes = vec![0; order.len()];
        (0u32..).zip(&order).for_each(|(code, &number)| codes[number as usize] = code);
        Ok((Offers { values, events, lookup: OnceLock::new() }, codes))
    }
}

/// The offers of a commit, by their codes.
#[derive(Debug)]
pub struct Offers {
    /// In the rows that are their codes.
    values: RecordBatch,
    /// Likewise; none of a code that is not used any more.
    events: Vec<u64>,
    /// Made when codes are asked for: who only reads events has no need of it.
    lookup: OnceLock<Lookup>,
}

/// The codes of offers by their values.
#[derive(Debug)]
struct Lookup {
    texts: Vec<Texts>,
    codes: HashMap<Key, u32, RandomState>,
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

    /// Whether they have a column of the events.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.values.schema_ref().index_of(column).is_ok()
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
        let Lookup { texts, codes } = self.lookup();
        let number = |place: usize, text: &str| texts[place].get_index_of(text);
        let keys = keys(self.values.schema_ref(), rows, number);
        let codes = keys.and_then(|keys| keys.iter().map(|key| codes.get(key).copied()).collect());
        codes.ok_or_else(|| other_columns(rows))
    }

    fn lookup(&self) -> &Lookup {
        self.lookup.get_or_init(|| {
            let mut texts: Vec<Texts> = self.values.columns().iter().map(|_| Texts::default()).collect();
            let keys =
                keys(self.values.schema_ref(), &self.values, |place, text| intern(&mut texts[place], text));
            let used = (0u32..).zip(keys.unwrap_or_default()).zip(&self.events);
            let used = used.filter(|(_, events)| **events > 0);
            let codes = used.map(|((code, key), _)| (key, code)).collect();
            Lookup { texts, codes }
        })
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

    /// Returns the offers of a table with these columns; none where it is not one of theirs.
    pub(crate) fn from_table(columns: &SchemaRef, table: &RecordBatch) -> Option<Self> {
        let codes = table.column_by_name(OFFER)?.as_primitive_opt::<UInt32Type>()?.values();
        let counted = table.column_by_name(EVENTS)?.as_primitive_opt::<Int64Type>()?.values();
        if !codes.is_sorted_by(|a, b| a < b) || codes.last().is_some_and(|&last| last >= MOST) {
            return None;
        }
        // Codes that are not used have the values of the next one that is.
        let mut rows: Vec<u32> = Vec::with_capacity(codes.len());
        let mut events: Vec<u64> = Vec::with_capacity(codes.len());
        for ((row, &code), &count) in (0u32..).zip(codes).zip(counted) {
            rows.resize(code as usize + 1, row);
            events.resize(code as usize, 0);
            events.push(u64::try_from(count).ok()?);
        }
        let column = |field: &Arc<Field>| table.column_by_name(field.name()).cloned();
        let values = columns.fields().iter().map(column).collect::<Option<Vec<_>>>()?;
        let values = RecordBatch::try_new(Arc::clone(columns), values).ok()?;
        let values = arrow_select::take::take_record_batch(&values, &UInt32Array::from(rows)).ok()?;
        Some(Self { values, events, lookup: OnceLock::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schema() -> EventSchema {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let fields = vec![
            Field::new(column::PRODUCT_ID, DataType::Int64, false),
            Field::new(column::BRAND, dictionary, true),
            Field::new(column::PRICE, DataType::Decimal128(18, 2), true),
        ];
        EventSchema::try_new(Arc::new(Schema::new(fields))).unwrap()
    }

    type Row = (i64, Option<&'static str>, Option<i64>);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let brand = proptest::option::of(prop_oneof![Just("b"), Just("a"), Just("")]);
        proptest::collection::vec((0i64..3, brand, proptest::option::of(0i64..3)), 0..60)
    }

    fn batch(rows: &[Row]) -> RecordBatch {
        let prices: Decimal128Array = rows.iter().map(|row| row.2.map(i128::from)).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.1).collect::<DictionaryArray<Int32Type>>()),
            Arc::new(prices.with_precision_and_scale(18, 2).unwrap()),
        ];
        RecordBatch::try_new(Arc::clone(schema().arrow()), columns).unwrap()
    }

    fn offers(parts: &[Vec<Row>]) -> Offers {
        let mut counts = OfferCounts::new(&schema()).unwrap();
        let numbers: Vec<u32> =
            parts.iter().flat_map(|rows| counts.add(&batch(rows), None).unwrap()).collect();
        let (offers, codes) = counts.finish().unwrap();
        let by_numbers: Vec<u32> = numbers.iter().map(|&number| codes[number as usize]).collect();
        assert_eq!(by_numbers, offers.codes(&batch(&parts.concat())).unwrap());
        offers
    }

    proptest! {
        #[test]
        fn codes_depend_on_the_rows_alone_and_lead_back_to_them(
            parts in proptest::collection::vec(rows(), 1..4),
            gone in any::<proptest::sample::Index>(),
        ) {
            let all = parts.concat();
            let mut backwards = parts.clone();
            backwards.iter_mut().for_each(|rows| rows.reverse());
            backwards.reverse();
            let (known, other) = (offers(&parts), offers(&backwards));
            prop_assert_eq!(known.to_table(&[]).unwrap(), other.to_table(&[]).unwrap());
            let codes = known.codes(&batch(&all)).unwrap();
            // The most events first, and each as often as it is said to be.
            let mut counted = vec![0u64; known.len()];
            codes.iter().for_each(|&code| counted[code as usize] += 1);
            prop_assert_eq!(&counted, &known.events);
            prop_assert!(counted.is_sorted_by(|a, b| a >= b));
            // What is written is read as it was, also where an offer is gone.
            let less: Vec<u64> = match known.len() {
                0 => Vec::new(),
                some => {
                    let gone = gone.index(some);
                    counted.iter().enumerate().map(|(code, &events)| if code == gone { events } else { 0 }).collect()
                }
            };
            let read = Offers::from_table(known.values.schema_ref(), &known.to_table(&less).unwrap()).unwrap();
            let stays = |code: u32| less.get(code as usize) != Some(&counted[code as usize]);
            let left: Vec<Row> =
                all.iter().zip(&codes).filter(|(_, code)| stays(**code)).map(|(row, _)| *row).collect();
            let expected: Vec<u32> = codes.iter().copied().filter(|&code| stays(code)).collect();
            prop_assert_eq!(read.codes(&batch(&left)).unwrap(), expected);
            for row in all.iter().zip(&codes).filter(|(_, code)| !stays(**code)).map(|(row, _)| row) {
                prop_assert!(read.codes(&batch(&[*row])).is_err());
            }
        }
    }

    #[test]
    fn events_without_a_product_or_in_several_currencies_have_no_offers() {
        let without = |name: &str| {
            let fields = schema()
                .arrow()
                .fields()
                .iter()
                .filter(|field| field.name() != name)
                .cloned()
                .collect::<Vec<_>>();
            OfferCounts::new(&EventSchema::try_new(Arc::new(Schema::new(fields))).unwrap())
        };
        assert!(without(column::PRODUCT_ID).is_none() && without(column::PRICE).is_none());
        assert!(without(column::BRAND).is_some());
        let with = |field: Field| {
            let fields: Vec<Arc<Field>> =
                schema().arrow().fields().iter().cloned().chain([Arc::new(field)]).collect();
            OfferCounts::new(&EventSchema::try_new(Arc::new(Schema::new(fields))).unwrap())
        };
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        assert!(with(Field::new(column::CURRENCY, dictionary, true)).is_none());
        assert!(with(Field::new(OFFER, DataType::Int64, true)).is_none());
    }
}
