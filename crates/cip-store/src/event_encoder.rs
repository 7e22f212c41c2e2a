//! Events as row groups: encoded on any thread, with what they cover.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_schema::{ArrowError, FieldRef, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::take::{TakeOptions, take};
use cip_core::{EventBatch, IdRef};

use crate::currency::{CountsByFile, counts_by_file};
use crate::error::StoreError;
use crate::event_form::CompactForm;
use crate::manifest::RowGroupSpan;
use crate::parquet_file::{EncodedRowGroup, RowGroupEncoder};
use crate::transactions;
use crate::unified::without_twins;

/// Encodes row groups of events; shared by all threads.
#[derive(Clone)]
pub struct EventEncoder {
    encoder: RowGroupEncoder,
    /// The columns of whole events.
    schema: SchemaRef,
    /// What makes fewer columns of them, where they are compact.
    form: Option<Arc<CompactForm>>,
}

/// An encoded row group of events and what it covers.
pub struct EncodedEvents {
    pub(crate) group: EncodedRowGroup,
    pub(crate) span: RowGroupSpan,
    pub(crate) users: UserCount,
    products: Option<Vec<i64>>,
    /// Those of its rows that are transactions; none where they are not few.
    pub(crate) transactions: Option<RecordBatch>,
    pub(crate) currencies: CountsByFile,
}

impl EncodedEvents {
    pub(crate) fn into_parts(self) -> (EncodedRowGroup, RowGroupSpan) {
        (self.group, self.span)
    }

    /// Takes the distinct products, ascending, where they are integers that repeat; none else.
    pub fn take_products(&mut self) -> Option<Vec<i64>> {
        self.products.take()
    }
}

impl std::fmt::Debug for EventEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventEncoder").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for EncodedEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncodedEvents").field("span", &self.span).finish_non_exhaustive()
    }
}

impl EventEncoder {
    /// Returns the encoder of events of this schema; `path` is named in errors.
    pub(crate) fn new(schema: &SchemaRef, path: &Path) -> Result<Self, StoreError> {
        let encoder = RowGroupEncoder::new("events", schema, path)?;
        Ok(Self { encoder, schema: Arc::clone(schema), form: None })
    }

    /// Returns the encoder of events of a form.
    pub(crate) fn compact(
        schema: &SchemaRef,
        form: Arc<CompactForm>,
        path: &Path,
    ) -> Result<Self, StoreError> {
        let encoder = RowGroupEncoder::new("events", form.stored(), path)?;
        Ok(Self { encoder, schema: Arc::clone(schema), form: Some(form) })
    }

    pub(crate) fn row_groups(&self) -> &RowGroupEncoder {
        &self.encoder
    }

    /// Encodes one row group: at least one event, sorted by user and time, unknown users last.
    ///
    /// # Errors
    /// [`StoreError::Core`] where the batch has no times or is not sorted by user, [`StoreError::Arrow`] where it has
    /// another schema than the store.
    pub fn encode(&self, events: &EventBatch) -> Result<EncodedEvents, StoreError> {
        let transactions = transactions::of_row_group(&self.schema, events.record_batch(), None)?;
        Ok(EncodedEvents { transactions, ..self.encode_alone(events)? })
    }

    /// Encodes a row group whose transactions are not kept beside it.
    pub(crate) fn encode_alone(&self, events: &EventBatch) -> Result<EncodedEvents, StoreError> {
        let covered = self.covered(events)?;
        let group = match &self.form {
            Some(form) => self.encoder.encode(&form.store(events.record_batch(), None)?)?,
            None => self.encoder.encode(events.record_batch())?,
        };
        Ok(self.encoded(group, covered))
    }

    /// Encodes one row group as [`EventEncoder::encode`] does, from batches that follow each other.
    ///
    /// # Errors
    /// As [`EventEncoder::encode`].
    pub fn encode_pieces(&self, pieces: &[EventBatch]) -> Result<EncodedEvents, StoreError> {
        self.encode(&joined(pieces.iter().map(EventBatch::record_batch))?)
    }

    /// Encodes one row group as [`EventEncoder::encode`] does, from events of which some columns are said once for many
    /// rows, such as what is known of a product: row `i` has the values of `keyed` in its row `keys[i]`.
    ///
    /// The columns of both make those of the store; times and users are the events' own. The bytes are the same as those of
    /// the whole events where the rows of `keyed` come in the order in which `keys` first names them.
    ///
    /// # Errors
    /// As [`EventEncoder::encode`], and [`StoreError::Arrow`] where there is not one key for each event, or one beyond `keyed`.
    pub fn encode_keyed(
        &self,
        events: &EventBatch,
        keyed: &RecordBatch,
        keys: &[u32],
    ) -> Result<EncodedEvents, StoreError> {
        let covered = self.covered(events)?;
        let batch = events.record_batch();
        let group = match &self.form {
            Some(form) => {
                let whole = whole(&self.schema, batch, keyed, &UInt32Array::from(keys.to_vec()))?;
                self.encoder.encode(&form.store(&whole, None)?)?
            }
            None => self.encoder.encode_keyed(batch, keyed, keys)?,
        };
        let transactions = transactions::of_row_group(&self.schema, batch, Some((keyed, keys)))?;
        Ok(EncodedEvents { transactions, ..self.encoded(group, covered) })
    }

    /// Encodes one row group of compact events as [`EventEncoder::encode`] does, from events without the columns of offers and the
    /// codes of these.
    ///
    /// # Errors
    /// As [`EventEncoder::encode`], and [`StoreError::Arrow`] where there is no offer of a code, or the store is plain.
    pub fn encode_coded(&self, events: &EventBatch, codes: Vec<u32>) -> Result<EncodedEvents, StoreError> {
        let Some((form, offers)) =
            self.form.as_ref().and_then(|form| form.offers().map(|offers| (form, offers)))
        else {
            return Err(ArrowError::SchemaError("the store keeps no offers".to_owned()).into());
        };
        if let Some(code) = codes.iter().find(|code| **code as usize >= offers.len()) {
            return Err(ArrowError::InvalidArgumentError(format!("there is no offer {code}")).into());
        }
        let covered = self.covered(events)?;
        let batch = events.record_batch();
        let keyed = Some((offers.values(), codes.as_slice()));
        let transactions = transactions::of_row_group(&self.schema, batch, keyed)?;
        let group = self.encoder.encode(&form.store(batch, Some(codes))?)?;
        Ok(EncodedEvents { transactions, ..self.encoded(group, covered) })
    }

    fn encoded(&self, mut group: EncodedRowGroup, covered: Covered) -> EncodedEvents {
        let product = self.encoder.column(cip_core::column::PRODUCT_ID);
        let products = product.and_then(|column| group.take_distinct(column));
        let Covered { span, users, currencies } = covered;
        EncodedEvents { group, span, users, products, transactions: None, currencies }
    }

    /// Users, times and currencies that a row group covers.
    fn covered(&self, events: &EventBatch) -> Result<Covered, StoreError> {
        let times = events.times()?.values();
        let span = |times: &[i64]| {
            times.iter().fold([i64::MAX, i64::MIN], |[first, last], &time| [first.min(time), last.max(time)])
        };
        let mut users = UserCount::default();
        if self.encoder.column(cip_core::column::USER_ID).is_some() {
            let column = events.users()?;
            let mut last: Option<(Option<IdRef<'_>>, usize)> = None;
            for (user, rows) in column.runs() {
                if last.is_some_and(|(_, row)| column.compare(row, rows.start).is_gt()) {
                    return Err(cip_core::CoreError::NotSorted { row: rows.start as u64 }.into());
                }
                users.count(user, rows.len());
                last = Some((user, rows.start));
            }
            users.first = column.get(0).map(IdRef::to_owned);
            users.last = last.and_then(|(user, _)| user).map(IdRef::to_owned);
        } else {
            users.count(None, events.len());
        }
        let span = RowGroupSpan {
            rows: events.len() as u64,
            users: [users.first.clone(), users.last.clone()],
            times: span(times),
        };
        Ok(Covered { span, users, currencies: counts_by_file(events.record_batch()) })
    }
}

/// Returns whole events of which `keyed` has some columns, said once for many rows: one key for each row of `own`.
pub(crate) fn whole(
    schema: &SchemaRef,
    own: &RecordBatch,
    keyed: &RecordBatch,
    keys: &UInt32Array,
) -> Result<RecordBatch, StoreError> {
    let in_bounds = || Some(TakeOptions { check_bounds: true });
    let column =
        |field: &FieldRef| match (own.column_by_name(field.name()), keyed.column_by_name(field.name())) {
            (Some(own), _) => Some(Ok(Arc::clone(own))),
            (None, Some(keyed)) => Some(take(keyed, keys, in_bounds())),
            (None, None) => None,
        };
    let columns = schema.fields().iter().filter_map(column).collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// Returns the events of batches that follow each other as one.
pub(crate) fn joined<'a>(
    pieces: impl Iterator<Item = &'a RecordBatch> + Clone,
) -> Result<EventBatch, StoreError> {
    let schema = pieces.clone().next().map_or_else(|| Schema::empty().into(), RecordBatch::schema);
    Ok(EventBatch::try_new(without_twins(concat_batches(&schema, pieces)?)?)?)
}

/// What a row group covers.
struct Covered {
    span: RowGroupSpan,
    users: UserCount,
    currencies: CountsByFile,
}

/// Distinct users of a sorted sequence, counted piece by piece.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserCount {
    first: Option<cip_core::Id>,
    last: Option<cip_core::Id>,
    pub(crate) known: u64,
    pub(crate) unknown_events: u64,
}

impl UserCount {
    fn count(&mut self, user: Option<IdRef<'_>>, events: usize) {
        match user {
            Some(_) => self.known += 1,
            None => self.unknown_events += events as u64,
        }
    }

    /// Adds the piece that follows; a user who spans the border counts once.
    pub(crate) fn append(&mut self, next: UserCount) {
        let continued = self.last.is_some() && self.last == next.first;
        self.known += next.known - u64::from(continued);
        self.unknown_events += next.unknown_events;
        self.last = next.last;
    }
}
