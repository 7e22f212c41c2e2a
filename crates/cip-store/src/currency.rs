//! Currencies: how many events a store has in each, so that amounts in two are never summed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Schema};
use cip_core::column;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::store::EventStore;

/// Events by currency, as the column `currency` names it; events that name none are a currency of their own.
///
/// In a manifest it is a list of [`CurrencyCount`]s, named currencies first.
///
/// # Examples
/// ```
/// use cip_store::CurrencyCounts;
/// let counts: CurrencyCounts = serde_json::from_str(
///     r#"[{"currency":"EUR","events":7,"amounts":2},{"currency":null,"events":3,"amounts":0}]"#,
/// )?;
/// assert_eq!((counts.events(), counts.events_in("EUR"), counts.events_in("USD")), (10, 7, 0));
/// assert!(!counts.is_mixed(), "events without an amount mix nothing");
/// assert_eq!(counts.to_string(), "`EUR` (7 events, 2 with an amount), none named (3 events)");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<CurrencyCount>", into = "Vec<CurrencyCount>")]
pub struct CurrencyCounts {
    by_currency: BTreeMap<Option<String>, Tally>,
}

/// The events of one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrencyCount {
    /// The currency as the source writes it; none where it names none.
    pub currency: Option<String>,
    /// Its events.
    pub events: u64,
    /// Those of them with an amount: a column of money that is not null.
    pub amounts: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    events: u64,
    amounts: u64,
}

impl CurrencyCounts {
    /// Returns the currencies that any event has, by their names; that of events that name none comes last.
    pub fn counts(&self) -> impl Iterator<Item = CurrencyCount> {
        let named = self.by_currency.iter().filter(|(currency, _)| currency.is_some());
        named.chain(self.by_currency.get_key_value(&None)).map(|(currency, tally)| CurrencyCount {
            currency: currency.clone(),
            events: tally.events,
            amounts: tally.amounts,
        })
    }

    /// All events.
    pub fn events(&self) -> u64 {
        self.by_currency.values().map(|tally| tally.events).sum()
    }

    /// Events that name this currency, in these letters.
    pub fn events_in(&self, currency: &str) -> u64 {
        self.by_currency.get(&Some(currency.to_owned())).map_or(0, |tally| tally.events)
    }

    /// Whether there are amounts in more than one currency, so that their sum means nothing. An amount without a currency
    /// may be in any.
    pub fn is_mixed(&self) -> bool {
        self.by_currency.values().filter(|tally| tally.amounts > 0).count() > 1
    }

    /// Adds other events.
    pub fn add(&mut self, other: &Self) {
        for (currency, more) in &other.by_currency {
            self.count(currency.clone(), *more);
        }
    }

    /// Takes events away that were counted.
    pub(crate) fn remove(&mut self, gone: &Self) {
        for (currency, less) in &gone.by_currency {
            if let Some(tally) = self.by_currency.get_mut(currency) {
                tally.events = tally.events.saturating_sub(less.events);
                tally.amounts = tally.amounts.saturating_sub(less.amounts);
            }
        }
        self.by_currency.retain(|_, tally| tally.events > 0);
    }

    fn count(&mut self, currency: Option<String>, more: Tally) {
        let tally = self.by_currency.entry(currency).or_default();
        tally.events += more.events;
        tally.amounts += more.amounts;
    }
}

impl From<Vec<CurrencyCount>> for CurrencyCounts {
    fn from(counts: Vec<CurrencyCount>) -> Self {
        let mut all = Self::default();
        for CurrencyCount { currency, events, amounts } in counts {
            all.count(currency, Tally { events, amounts });
        }
        all
    }
}

impl From<CurrencyCounts> for Vec<CurrencyCount> {
    fn from(counts: CurrencyCounts) -> Self {
        counts.counts().collect()
    }
}

impl fmt::Display for CurrencyCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        if self.by_currency.is_empty() {
            return f.write_str("none");
        }
        for (place, CurrencyCount { currency, events, amounts }) in self.counts().enumerate().take(SHOWN) {
            let comma = if place > 0 { ", " } else { "" };
            match currency {
                Some(currency) => write!(f, "{comma}`{currency}` ({events} events")?,
                None => write!(f, "{comma}none named ({events} events")?,
            }
            match amounts {
                0 => f.write_str(")")?,
                _ if amounts == events => f.write_str(", all with an amount)")?,
                _ => write!(f, ", {amounts} with an amount)")?,
            }
        }
        match self.by_currency.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl EventStore {
    /// Returns how many events there are in each currency; none where the store has no column `currency`.
    ///
    /// The manifest has kept them since the column has a meaning. Of a commit that was written before, the column and those of
    /// money are read.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Parquet`].
    pub fn currencies(&self) -> Result<Option<CurrencyCounts>, StoreError> {
        if !self.schema().has(column::CURRENCY) {
            return Ok(None);
        }
        let mut all = CurrencyCounts::default();
        if self.manifest().sources().all(|source| source.currencies.is_some()) {
            self.manifest()
                .sources()
                .filter_map(|source| source.currencies.as_ref())
                .for_each(|of| all.add(of));
            return Ok(Some(all));
        }
        let mut columns = money_columns(self.schema().arrow());
        columns.push(column::CURRENCY);
        for partition in self.scan(&columns).partitions() {
            for events in partition.batches()? {
                all.add(&counts(events?.record_batch()));
            }
        }
        Ok(Some(all))
    }

    /// Checks that the amounts of the store may be summed: that they are in one currency, or the store has no column
    /// `currency`.
    ///
    /// # Errors
    /// [`StoreError::MixedCurrencies`], which names them, and as [`EventStore::currencies`].
    pub fn check_one_currency(&self) -> Result<(), StoreError> {
        match self.currencies()? {
            Some(found) if found.is_mixed() => {
                Err(StoreError::MixedCurrencies { path: self.path().to_owned(), found: Box::new(found) })
            }
            _ => Ok(()),
        }
    }

    /// Returns how many events are not in `currency`: those that
    /// [`EventScan::with_currency`](crate::EventScan::with_currency) leaves out.
    ///
    /// # Errors
    /// [`StoreError::UnknownCurrency`] where no event is in it, and as [`EventStore::currencies`].
    pub fn events_of_other_currencies(&self, currency: &str) -> Result<u64, StoreError> {
        let found = self.currencies()?.unwrap_or_default();
        match found.events_in(currency) {
            0 => Err(StoreError::UnknownCurrency {
                path: self.path().to_owned(),
                currency: currency.to_owned(),
                found: Box::new(found),
            }),
            events => Ok(found.events() - events),
        }
    }
}

/// Events by currency, for each source file by its name.
pub(crate) type CountsByFile = BTreeMap<String, CurrencyCounts>;

/// Counts the events of a batch by source file; none where it lacks the columns for that.
pub(crate) fn counts_by_file(batch: &RecordBatch) -> CountsByFile {
    let mut by_file = CountsByFile::new();
    let (Some(currencies), Some(files)) = (texts(batch, column::CURRENCY), texts(batch, column::SOURCE_FILE))
    else {
        return by_file;
    };
    for ((file, currency), tally) in tallies(batch, &currencies, Some(&files)) {
        let file = files.text(file).unwrap_or_default();
        let counts = by_file.entry(file.to_owned()).or_default();
        counts.count(currencies.text(currency).map(str::to_owned), tally);
    }
    by_file
}

/// Counts the events of a batch.
fn counts(batch: &RecordBatch) -> CurrencyCounts {
    let mut counts = CurrencyCounts::default();
    if let Some(currencies) = texts(batch, column::CURRENCY) {
        for ((_, currency), tally) in tallies(batch, &currencies, None) {
            counts.count(currencies.text(currency).map(str::to_owned), tally);
        }
    }
    counts
}

/// Which events of a column of currencies are in `currency`; none where all are.
pub(crate) fn in_currency(column: &ArrayRef, currency: &str) -> Option<BooleanArray> {
    let texts = Texts::of(column)?;
    let codes: Vec<bool> = (0..texts.values.len() as i32)
        .map(|code| texts.text(Some(code)).is_some_and(|text| text == currency))
        .collect();
    let is_in =
        |row| texts.code(row).is_some_and(|code| codes.get(code as usize).is_some_and(|&is_in| is_in));
    let keep: BooleanArray = (0..column.len()).map(|row| Some(is_in(row))).collect();
    (keep.true_count() < keep.len()).then_some(keep)
}

/// The columns of money.
pub(crate) fn money_columns(schema: &Schema) -> Vec<&str> {
    let is_money = |data_type: &DataType| matches!(data_type, DataType::Decimal128(..));
    let fields = schema.fields().iter().filter(|field| is_money(field.data_type()));
    fields.map(|field| field.name().as_str()).collect()
}

/// A column of texts that repeat, by their codes.
struct Texts<'a> {
    keys: &'a arrow_array::Int32Array,
    values: &'a arrow_array::StringArray,
}

fn texts<'a>(batch: &'a RecordBatch, column: &str) -> Option<Texts<'a>> {
    Texts::of(batch.column_by_name(column)?)
}

impl<'a> Texts<'a> {
    fn of(column: &'a ArrayRef) -> Option<Self> {
        let column = column.as_dictionary_opt::<Int32Type>()?;
        Some(Self { keys: column.keys(), values: column.values().as_string_opt::<i32>()? })
    }

    fn code(&self, row: usize) -> Option<i32> {
        self.keys.is_valid(row).then(|| self.keys.value(row))
    }

    fn text(&self, code: Option<i32>) -> Option<&'a str> {
        let code = code? as usize;
        (code < self.values.len() && self.values.is_valid(code)).then(|| self.values.value(code))
    }
}

/// Counts rows by the codes of their file and their currency. Neighbours mostly share both.
fn tallies(
    batch: &RecordBatch,
    currencies: &Texts<'_>,
    files: Option<&Texts<'_>>,
) -> HashMap<(Option<i32>, Option<i32>), Tally> {
    let schema = batch.schema_ref();
    let money = money_columns(schema).into_iter().filter_map(|name| batch.column_by_name(name));
    let nulls: Vec<Option<&NullBuffer>> = money.map(|column| column.nulls()).collect();
    let has_amount = |row: usize| nulls.iter().any(|nulls| nulls.is_none_or(|nulls| nulls.is_valid(row)));
    let mut tallies: HashMap<_, Tally> = HashMap::new();
    let mut run = ((None, None), Tally::default());
    for row in 0..batch.num_rows() {
        let key = (files.and_then(|files| files.code(row)), currencies.code(row));
        if key != run.0 {
            add(&mut tallies, run);
            run = (key, Tally::default());
        }
        run.1.events += 1;
        run.1.amounts += u64::from(has_amount(row));
    }
    add(&mut tallies, run);
    tallies
}

fn add<K: std::hash::Hash + Eq>(tallies: &mut HashMap<K, Tally>, (key, run): (K, Tally)) {
    if run.events > 0 {
        let tally = tallies.entry(key).or_default();
        tally.events += run.events;
        tally.amounts += run.amounts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Decimal128Array, DictionaryArray, Int32Array, StringArray};
    use std::sync::Arc;

    /// Currencies as codes of a dictionary that has a text twice and a text that is null.
    fn currencies(codes: &[Option<i32>]) -> ArrayRef {
        let texts = StringArray::from(vec![Some("EUR"), Some("USD"), None, Some("EUR")]);
        Arc::new(
            DictionaryArray::<Int32Type>::try_new(Int32Array::from(codes.to_vec()), Arc::new(texts)).unwrap(),
        )
    }

    fn batch(codes: &[Option<i32>], prices: &[Option<i128>]) -> RecordBatch {
        let files: DictionaryArray<Int32Type> = codes.iter().map(|_| "a.csv").collect();
        let prices = Decimal128Array::from(prices.to_vec()).with_precision_and_scale(18, 2).unwrap();
        let columns: [(&str, ArrayRef); 3] =
            [("currency", currencies(codes)), ("price", Arc::new(prices)), ("source_file", Arc::new(files))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn list(counts: &CurrencyCounts) -> Vec<(Option<String>, u64, u64)> {
        counts.counts().map(|count| (count.currency, count.events, count.amounts)).collect()
    }

    #[test]
    fn twins_nulls_and_slices_are_counted_by_their_texts() {
        let events = batch(
            &[Some(1), Some(0), Some(3), None, Some(2), Some(0), Some(0)],
            &[Some(1), None, Some(5), None, Some(0), Some(1), None],
        );
        let expected = vec![(Some("EUR".to_owned()), 3, 2), (None, 2, 1)];
        let slice = events.slice(1, 5);
        assert_eq!(list(&counts(&slice)), expected);
        assert_eq!(list(&counts_by_file(&slice)["a.csv"]), expected);
        assert!(counts_by_file(&slice.project(&[1, 2]).unwrap()).is_empty());
        assert!(counts_by_file(&events.slice(0, 0)).is_empty());
        let keep = in_currency(slice.column(0), "EUR").unwrap();
        assert_eq!(keep.values().iter().collect::<Vec<_>>(), [true, true, false, false, true]);
        assert_eq!(in_currency(&currencies(&[Some(0), Some(3)]), "EUR"), None, "all are");
        assert_eq!(in_currency(&currencies(&[]), "EUR"), None);
    }

    #[test]
    fn what_is_added_can_be_taken_away() {
        let all = counts(&batch(&[Some(0), Some(1), None], &[Some(1), Some(1), Some(1)]));
        let some = counts(&batch(&[Some(1), None], &[Some(1), Some(1)]));
        assert!(all.is_mixed());
        let mut left = all.clone();
        left.remove(&some);
        assert_eq!(list(&left), [(Some("EUR".to_owned()), 1, 1)]);
        assert!(!left.is_mixed());
        left.add(&some);
        assert_eq!(left, all);
        let json = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<CurrencyCounts>(&json).unwrap(), all);
        assert_eq!(CurrencyCounts::default().to_string(), "none");
    }

    #[test]
    fn a_column_that_holds_no_currencies_does_not_fill_the_screen() {
        let many: CurrencyCounts = (0..1_000u64)
            .map(|id| CurrencyCount { currency: Some(format!("{id:03}")), events: 1, amounts: 1 })
            .collect::<Vec<_>>()
            .into();
        assert!(many.to_string().ends_with("`011` (1 events, all with an amount) and 988 more"), "{many}");
    }
}
