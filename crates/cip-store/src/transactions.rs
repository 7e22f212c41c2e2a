//! Purchases and cancellations once more beside all events, where they are few: what stages of customers read.
//!
//! Of a clickstream some hundredths are transactions, but every page of every column has one, so whoever wants them would
//! decompress all. A copy of these rows, with all their columns and in the same order, makes the store a hundredth larger.

use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, BooleanArray, RecordBatch, UInt32Array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::SchemaRef;
use arrow_select::take::take_record_batch;
use cip_core::{EventKind, column};

use crate::encoding::ROW_GROUP_ROWS;
use crate::error::StoreError;
use crate::event_encoder::{EventEncoder, joined, whole};
use crate::manifest::{EventFile, RowGroupSpan};
use crate::parquet_file::ParquetFile;

/// The most transactions of a row group of events, and the smallest share of all events, that are not few any more.
const ONE_OF: usize = 8;

/// Rows of a row group of transactions.
const GROUP_ROWS: usize = ROW_GROUP_ROWS / 4;

/// Whether an event of this kind is a transaction.
fn is_transaction(kind: EventKind) -> bool {
    matches!(kind, EventKind::Purchase | EventKind::Cancellation)
}

/// Returns which rows of some events are transactions; none where they do not say of what type they are.
pub(crate) fn transactions(events: &RecordBatch) -> Option<BooleanArray> {
    let types = events.column_by_name(column::EVENT_TYPE)?.as_dictionary_opt::<Int32Type>()?;
    let names = types.values().as_string_opt::<i32>()?;
    let wanted: Vec<bool> = (0..names.len())
        .map(|code| names.is_valid(code) && is_transaction(EventKind::from_event_type(names.value(code))))
        .collect();
    let keys = types.keys();
    let is_wanted =
        |row: usize| usize::try_from(keys.value(row)).ok().and_then(|code| wanted.get(code)) == Some(&true);
    let wanted = BooleanBuffer::collect_bool(keys.len(), is_wanted);
    // There is no type at all where it is missing.
    Some(BooleanArray::from(match keys.nulls() {
        Some(nulls) => &wanted & nulls.inner(),
        None => wanted,
    }))
}

/// Returns the transactions of a row group, of which `keyed` has some columns, said once for many rows; none where they are not
/// few, or the events do not say.
pub(crate) fn of_row_group(
    schema: &SchemaRef,
    own: &RecordBatch,
    keyed: Option<(&RecordBatch, &[u32])>,
) -> Result<Option<RecordBatch>, StoreError> {
    let Some(wanted) = transactions(own) else { return Ok(None) };
    if wanted.true_count() > ROW_GROUP_ROWS / ONE_OF {
        return Ok(None);
    }
    let rows: UInt32Array = wanted.values().set_indices_u32().collect();
    let own = take_record_batch(own, &rows)?;
    let Some((keyed, keys)) = keyed else { return Ok(Some(own)) };
    let keys: UInt32Array = rows.values().iter().map(|&row| keys[row as usize]).collect();
    whole(schema, &own, keyed, &keys).map(Some)
}

/// Writes the transactions of a commit, as long as they are few.
pub(crate) struct TransactionsWriter {
    encoder: EventEncoder,
    path: PathBuf,
    name: String,
    /// None once they are too many.
    kept: Option<Kept>,
    events: u64,
    groups_of_events: usize,
}

/// The transactions so far.
#[derive(Default)]
struct Kept {
    file: Option<(ParquetFile, Vec<RowGroupSpan>)>,
    pending: Vec<RecordBatch>,
    pending_rows: usize,
    rows: u64,
}

impl TransactionsWriter {
    /// `path` is that of the file, `name` its path inside the store.
    pub(crate) fn new(encoder: EventEncoder, path: PathBuf, name: String) -> Self {
        Self { encoder, path, name, kept: Some(Kept::default()), events: 0, groups_of_events: 0 }
    }

    /// Appends the transactions of the next row group, which has so many events.
    pub(crate) fn append(
        &mut self,
        transactions: Option<RecordBatch>,
        events: u64,
    ) -> Result<(), StoreError> {
        self.events += events;
        self.groups_of_events += 1;
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let Some(transactions) = transactions else { return self.give_up() };
        let mut left = transactions;
        while left.num_rows() > 0 {
            let taken = left.num_rows().min(GROUP_ROWS - kept.pending_rows);
            kept.pending.push(left.slice(0, taken));
            kept.pending_rows += taken;
            kept.rows += taken as u64;
            left = left.slice(taken, left.num_rows() - taken);
            if kept.pending_rows == GROUP_ROWS {
                kept.write_pending(&self.encoder, &self.path)?;
            }
        }
        Ok(())
    }

    /// Ends the file, and returns it; none where the transactions are no small part of the events, or these are one row group.
    pub(crate) fn finish(mut self) -> Result<Option<EventFile>, StoreError> {
        let few = |kept: &Kept| kept.rows * ONE_OF as u64 <= self.events && self.groups_of_events > 1;
        if !self.kept.as_ref().is_some_and(few) {
            self.give_up()?;
        }
        let Some(mut kept) = self.kept.take() else { return Ok(None) };
        kept.write_pending(&self.encoder, &self.path)?;
        let file =
            kept.file.map(|(file, row_groups)| Ok(EventFile { file: file.finish(self.name)?, row_groups }));
        file.transpose()
    }

    fn give_up(&mut self) -> Result<(), StoreError> {
        let has_file = self.kept.take().is_some_and(|kept| kept.file.is_some());
        if has_file {
            fs::remove_file(&self.path).map_err(StoreError::io("remove", &self.path))?;
        }
        Ok(())
    }
}

impl Kept {
    fn write_pending(&mut self, encoder: &EventEncoder, path: &Path) -> Result<(), StoreError> {
        if self.pending_rows == 0 {
            return Ok(());
        }
        let events = joined(self.pending.iter())?;
        self.pending.clear();
        self.pending_rows = 0;
        let (group, span) = encoder.encode_alone(&events)?.into_parts();
        let (file, spans) = match &mut self.file {
            Some(open) => open,
            none => none.insert((ParquetFile::create(path, encoder.row_groups())?, Vec::new())),
        };
        file.append(group)?;
        spans.push(span);
        Ok(())
    }
}
