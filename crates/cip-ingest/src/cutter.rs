//! Row groups of events that were ingested before, cut where an ingest cuts them.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use cip_core::{EventBatch, IdColumn, column};
use cip_store::{EVENT_ROW_GROUP_ROWS, EventStore};

use crate::error::IngestError;
use crate::mapping::{SourceMapping, SourceMappingBuilder};
use crate::number::ROW_GROUP_BYTES;
use crate::row::RowLayout;

/// What a row of an ingest takes.
#[derive(Debug, Clone)]
pub(crate) struct RowBytes {
    /// Without its texts.
    fixed: usize,
    texts: Vec<String>,
}

impl RowBytes {
    /// Returns what a row of a store takes while it is ingested.
    pub(crate) fn of(store: &EventStore) -> Result<Self, IngestError> {
        let rules: SourceMappingBuilder = serde_json::from_value(store.manifest().mapping.clone())?;
        let mapping: SourceMapping = rules.build()?;
        let layout = RowLayout::new(&mapping.targets()?, None);
        let fields = store.schema().arrow().fields();
        let texts = fields.iter().filter(|field| field.data_type() == &arrow_schema::DataType::Utf8);
        Ok(RowBytes { fixed: layout.fixed, texts: texts.map(|field| field.name().clone()).collect() })
    }
}

/// Cuts events into row groups as an ingest does: after the user with whom a row group is full, and at twice as much in any
/// case.
pub(crate) struct Cutter {
    row_bytes: RowBytes,
    pieces: Vec<EventBatch>,
    rows: usize,
    bytes: usize,
}

impl Cutter {
    pub(crate) fn new(row_bytes: RowBytes) -> Self {
        Self { row_bytes, pieces: Vec::new(), rows: 0, bytes: 0 }
    }

    fn holds(&self, times: usize) -> bool {
        self.rows >= times * EVENT_ROW_GROUP_ROWS || self.bytes >= times * ROW_GROUP_BYTES
    }

    /// Takes the next events; returns the row groups that are whole.
    pub(crate) fn take(
        &mut self,
        events: &EventBatch,
        sessions: &[usize],
    ) -> Result<Vec<Vec<EventBatch>>, IngestError> {
        let batch = events.record_batch();
        let texts: Vec<_> = (self.row_bytes.texts.iter())
            .filter_map(|name| batch.column_by_name(name))
            .filter_map(|array| array.as_string_opt::<i32>())
            .collect();
        let users = batch.column_by_name(column::USER_ID);
        let users = users.map(|users| IdColumn::try_new(column::USER_ID, users)).transpose()?;
        let before = self.last_user()?;
        let mut groups = Vec::new();
        let mut start = 0;
        for row in 0..events.len() {
            let same_user = || match (&users, row) {
                (None, _) => true,
                (Some(users), 0) => {
                    before.as_ref().is_none_or(|(before, last)| before.get(*last) == users.get(0))
                }
                (Some(users), _) => users.compare(row - 1, row).is_eq(),
            };
            if self.holds(1) && (self.holds(2) || !same_user()) {
                if row > start {
                    self.pieces.push(events.slice(start, row - start));
                }
                start = row;
                groups.push(std::mem::take(&mut self.pieces));
                (self.rows, self.bytes) = (0, 0);
            }
            let of_texts: usize = (texts.iter())
                .map(|texts| if texts.is_valid(row) { texts.value_length(row) as usize } else { 0 })
                .sum();
            self.rows += 1;
            self.bytes += self.row_bytes.fixed + of_texts + sessions.get(row).copied().unwrap_or_default();
        }
        self.pieces.push(events.slice(start, events.len() - start));
        Ok(groups)
    }

    /// The users of the last piece, and the last row.
    fn last_user(&self) -> Result<Option<(IdColumn, usize)>, IngestError> {
        let Some(last) = self.pieces.last().filter(|last| !last.is_empty()) else { return Ok(None) };
        let Some(users) = last.record_batch().column_by_name(column::USER_ID) else { return Ok(None) };
        Ok(Some((IdColumn::try_new(column::USER_ID, users)?, last.len() - 1)))
    }

    /// Returns what is left.
    pub(crate) fn finish(&mut self) -> Option<Vec<EventBatch>> {
        let pieces = std::mem::take(&mut self.pieces);
        (!pieces.is_empty()).then_some(pieces)
    }
}
