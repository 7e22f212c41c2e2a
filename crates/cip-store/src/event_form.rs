//! The forms that the events of a commit may have on disk: their columns as they are, or fewer and smaller ones.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::take::{TakeOptions, take};
use cip_core::{EventSchema, column};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::manifest::{DataFile, Manifest};
use crate::offers::{OFFER, OfferCounts, Offers};
use crate::store::same_columns;
use crate::stored_file::StoredFiles;
use crate::table::read_from;

/// Seconds since 1970-01-01 UTC, in the place of `event_time`.
pub(crate) const EVENT_SECOND: &str = "event_second";
const MICROS: i64 = 1_000_000;

/// How a store keeps its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventLayout {
    /// Every column as it is: any engine reads the files alone.
    #[default]
    Plain,
    /// Offers as codes, with a table of them beside the events, and times as seconds, where they are: seven tenths of the bytes of a clickstream.
    Compact,
}

impl EventLayout {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
}

impl std::fmt::Display for EventLayout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Compact => "compact",
        })
    }
}

/// How times lie in the files of events.
///
/// Those of several events are kept as the greatest of them says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredTimes {
    /// All are whole seconds: in the column `event_second`.
    #[default]
    Seconds,
    /// In the column `event_time`.
    Microseconds,
}

impl StoredTimes {
    /// Returns how a time can be kept, given in UTC microseconds.
    #[inline]
    pub fn of(time: i64) -> Self {
        if time % MICROS == 0 { Self::Seconds } else { Self::Microseconds }
    }
}

/// What the manifest says of the compact events of a commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompactFiles {
    /// `offers`: the values that `offer` in the events stands for; none where events have no offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offers: Option<DataFile>,
    /// How times lie in the events.
    pub times: StoredTimes,
}

/// Events in fewer and smaller columns, and back.
#[derive(Debug)]
pub struct CompactForm {
    whole: SchemaRef,
    stored: SchemaRef,
    offers: Option<Offers>,
    pub(crate) times: StoredTimes,
}

impl CompactForm {
    /// Returns the form of events of a schema, with these offers.
    pub fn new(schema: &EventSchema, offers: Option<Offers>, times: StoredTimes) -> Self {
        let times = if schema.has(EVENT_SECOND) { StoredTimes::Microseconds } else { times };
        let of_offers = |name: &str| offers.as_ref().is_some_and(|offers| offers.has(name));
        let mut fields: Vec<Arc<Field>> = Vec::new();
        for field in schema.arrow().fields() {
            if field.name() == column::EVENT_TIME && times == StoredTimes::Seconds {
                fields.push(Arc::new(Field::new(EVENT_SECOND, DataType::Int64, field.is_nullable())));
            } else if !of_offers(field.name()) {
                fields.push(Arc::clone(field));
            } else if !fields.iter().any(|field| field.name() == OFFER) {
                fields.push(Arc::new(Field::new(OFFER, DataType::UInt32, false)));
            }
        }
        let stored = Arc::new(Schema::new(fields));
        Self { whole: Arc::clone(schema.arrow()), stored, offers, times }
    }

    /// The columns of the files.
    pub(crate) fn stored(&self) -> &SchemaRef {
        &self.stored
    }

    /// The offers.
    pub fn offers(&self) -> Option<&Offers> {
        self.offers.as_ref()
    }

    /// Whether a column of the files is needed for some of the whole events.
    pub(crate) fn needs(&self, stored: &str, mut wanted: impl FnMut(&str) -> bool) -> bool {
        match stored {
            EVENT_SECOND => wanted(column::EVENT_TIME),
            OFFER => self.offers().is_some_and(|offers| {
                offers.values().schema_ref().fields().iter().any(|field| wanted(field.name()))
            }),
            _ => wanted(stored),
        }
    }

    /// Returns whole events as the files have them. They may lack the columns of offers where `codes` are given.
    ///
    /// # Errors
    /// [`StoreError::Arrow`] where a time is no whole second and should be, or an offer is not known.
    pub(crate) fn store(
        &self,
        events: &RecordBatch,
        codes: Option<Vec<u32>>,
    ) -> Result<RecordBatch, StoreError> {
        let codes = match (codes, &self.offers) {
            (None, Some(offers)) => Some(offers.codes(events)?),
            (codes, _) => codes,
        };
        let mut codes = codes.map(|codes| Arc::new(UInt32Array::from(codes)) as ArrayRef);
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.stored.fields().len());
        for field in self.stored.fields() {
            let found = match field.name().as_str() {
                OFFER => codes.take(),
                EVENT_SECOND => events.column_by_name(column::EVENT_TIME).map(seconds).transpose()?,
                name => events.column_by_name(name).cloned(),
            };
            columns.push(found.ok_or_else(|| {
                ArrowError::SchemaError(format!("events of [{}] have no `{}`", events.schema(), field.name()))
            })?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.stored), columns)?)
    }

    /// Returns those of the wanted columns of whole events that rows of the files give.
    ///
    /// # Errors
    /// [`StoreError::Arrow`] where there is no offer of a code.
    pub(crate) fn restore(
        &self,
        rows: &RecordBatch,
        mut wanted: impl FnMut(&str) -> bool,
    ) -> Result<RecordBatch, StoreError> {
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        let codes = rows.column_by_name(OFFER);
        for field in self.whole.fields().iter().filter(|field| wanted(field.name())) {
            let of_offers = self.offers().and_then(|offers| offers.values().column_by_name(field.name()));
            let column = match (of_offers, codes) {
                (Some(values), Some(codes)) => {
                    Some(take(values, codes, Some(TakeOptions { check_bounds: true }))?)
                }
                _ if field.name() == column::EVENT_TIME && self.times == StoredTimes::Seconds => {
                    rows.column_by_name(EVENT_SECOND).map(micros).transpose()?
                }
                _ => rows.column_by_name(field.name()).cloned(),
            };
            if let Some(column) = column {
                fields.push(Arc::clone(field));
                columns.push(column);
            }
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }
}

/// Times as seconds.
fn seconds(times: &ArrayRef) -> Result<ArrayRef, StoreError> {
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let refuse =
        |time: i64| ArrowError::InvalidArgumentError(format!("the time {time} µs is no whole second"));
    let seconds = times.values().iter().map(|&time| match time % MICROS {
        0 => Ok(time / MICROS),
        _ => Err(refuse(time)),
    });
    let seconds: Vec<i64> = seconds.collect::<Result<_, _>>()?;
    Ok(Arc::new(Int64Array::new(seconds.into(), times.nulls().cloned())))
}

/// Seconds as times.
fn micros(seconds: &ArrayRef) -> Result<ArrayRef, StoreError> {
    let seconds = seconds.as_primitive::<Int64Type>();
    let times = seconds.values().iter().map(|second| second.checked_mul(MICROS));
    let times: Option<Vec<i64>> = times.collect();
    let times = times.ok_or_else(|| ArrowError::InvalidArgumentError("a time is too late".to_owned()))?;
    Ok(Arc::new(TimestampMicrosecondArray::new(times.into(), seconds.nulls().cloned()).with_timezone("UTC")))
}

/// The forms of all commits of a store; the offers of a commit are read when they are first wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventForms(Arc<HashMap<usize, Stored>>);

#[derive(Debug)]
struct Stored {
    files: CompactFiles,
    form: OnceLock<Arc<CompactForm>>,
}

impl EventForms {
    pub(crate) fn new(manifest: &Manifest) -> Self {
        let compact = manifest.commits.iter().enumerate().filter_map(|(commit, parts)| {
            Some((commit, Stored { files: parts.compact.clone()?, form: OnceLock::new() }))
        });
        Self(Arc::new(compact.collect()))
    }

    /// Returns the form of a commit's events, counted from 0; none where they are plain.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Parquet`], [`StoreError::Damaged`].
    pub(crate) fn of(
        &self,
        commit: usize,
        schema: &EventSchema,
        open_files: &StoredFiles,
    ) -> Result<Option<Arc<CompactForm>>, StoreError> {
        let Some(Stored { files, form }) = self.0.get(&commit) else { return Ok(None) };
        if let Some(form) = form.get() {
            return Ok(Some(Arc::clone(form)));
        }
        let offers = match &files.offers {
            Some(data) => Some(read_offers(data, schema, open_files)?),
            None => None,
        };
        let read = Arc::new(CompactForm::new(schema, offers, files.times));
        Ok(Some(Arc::clone(form.get_or_init(|| read))))
    }
}

/// Reads the table of offers of a commit.
pub(crate) fn read_offers(
    data: &DataFile,
    schema: &EventSchema,
    open_files: &StoredFiles,
) -> Result<Offers, StoreError> {
    let stored = open_files.get(data)?;
    stored.check_columns(data)?;
    let table = read_from(stored.clone(), stored.path())?;
    let refuse = || StoreError::not_as_recorded(stored.path());
    let counts = OfferCounts::new(schema).ok_or_else(refuse)?;
    let schema = table.schema();
    if !same_columns(&schema, &Offers::table_schema(counts.columns())) || table.rows() != data.rows {
        return Err(refuse());
    }
    let batches = table.collect::<Result<Vec<_>, _>>()?;
    let all = crate::unified::without_twins(concat_batches(&schema, &batches)?)?;
    Offers::from_table(counts.columns(), &all).ok_or_else(refuse)
}
