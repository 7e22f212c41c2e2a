//! The serial part between sorting and encoding: dense session codes, and where row groups are cut.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder, UInt32Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use cip_core::{CoreError, IdBuilder, IdRef, IdType, column};
use cip_store::{EVENT_ROW_GROUP_ROWS, SideTableWriter};

use crate::error::IngestError;
use crate::row::{RowLayout, SlotKind, User};
use crate::sort::SortedRows;

/// Rows of some sorted partitions that make one row group.
pub(crate) struct RowGroupRows {
    pub(crate) pieces: Vec<Piece>,
}

/// Neighbouring rows of one partition.
#[derive(Clone)]
pub(crate) struct Piece {
    pub(crate) sorted: Arc<SortedRows>,
    pub(crate) rows: Range<usize>,
    /// The dense code of each of the partition's sessions.
    pub(crate) codes: Arc<[u32]>,
}

impl RowGroupRows {
    pub(crate) fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.rows.len()).sum()
    }
}

/// Bytes of rows at which a row group is full as well: texts may be long.
pub(crate) const ROW_GROUP_BYTES: usize = 12 << 20;

/// Cuts sorted partitions into row groups: after the user with whom [`EVENT_ROW_GROUP_ROWS`] or [`ROW_GROUP_BYTES`] are
/// reached, and at twice as much in any case. The cuts follow from the rows alone, not from how they were partitioned.
pub(crate) struct RowGroupCutter<'a, I> {
    layout: &'a RowLayout,
    partitions: I,
    sessions: Option<SessionNumbering>,
    pieces: Vec<Piece>,
    ready: VecDeque<RowGroupRows>,
    ended: bool,
}

impl<'a, I> RowGroupCutter<'a, I>
where
    I: Iterator<Item = Result<SortedRows, IngestError>>,
{
    pub(crate) fn new(layout: &'a RowLayout, partitions: I, sessions: Option<SessionNumbering>) -> Self {
        Self { layout, partitions, sessions, pieces: Vec::new(), ready: VecDeque::new(), ended: false }
    }

    /// Rows and bytes of the row group that is being collected.
    fn pending(&self) -> (usize, usize) {
        self.pieces.iter().fold((0, 0), |(rows, bytes), piece| {
            (rows + piece.rows.len(), bytes + piece.sorted.counted_bytes(self.layout, piece.rows.clone()))
        })
    }

    fn cut(&mut self) {
        self.ready.push_back(RowGroupRows { pieces: std::mem::take(&mut self.pieces) });
    }

    fn take(&mut self, sorted: SortedRows) -> Result<(), IngestError> {
        let codes: Arc<[u32]> = match &mut self.sessions {
            Some(numbering) => numbering.number(self.layout, &sorted)?.into(),
            None => Arc::new([]),
        };
        let sorted = Arc::new(sorted);
        let mut from = 0;
        while from < sorted.len() {
            let (rows, bytes) = self.pending();
            // Where a row group that holds so many times the usual rows or bytes would end.
            let end = |times: usize| {
                let by_rows = from + (times * EVENT_ROW_GROUP_ROWS).saturating_sub(rows);
                let by_bytes =
                    sorted.row_at_bytes(self.layout, from, (times * ROW_GROUP_BYTES).saturating_sub(bytes));
                by_rows.min(by_bytes)
            };
            let (enough, most) = (end(1), end(2));
            if most == from {
                self.cut();
                continue;
            }
            let mut to = enough.min(sorted.len());
            let most = most.min(sorted.len());
            while to < most && self.same_user_as_before(&sorted, from, to) {
                to += 1;
            }
            if to > from {
                let piece = Piece { sorted: Arc::clone(&sorted), rows: from..to, codes: Arc::clone(&codes) };
                self.pieces.push(piece);
            }
            // At the end of a partition the user may go on in the next: wait for it.
            if to < sorted.len() {
                self.cut();
            }
            from = to;
        }
        Ok(())
    }

    /// Whether the row at `to` has the user of the row before it, which may lie in the last piece.
    fn same_user_as_before(&self, sorted: &SortedRows, from: usize, to: usize) -> bool {
        let user = sorted.user(self.layout, to);
        if to > from {
            return sorted.user(self.layout, to - 1) == user;
        }
        let last = |piece: &Piece| piece.sorted.user(self.layout, piece.rows.end - 1) == user;
        self.pieces.last().is_some_and(last)
    }

    /// Writes the rest of the session dictionary.
    fn finish_sessions(&mut self) -> Result<(), IngestError> {
        match &mut self.sessions {
            Some(numbering) => numbering.flush(),
            None => Ok(()),
        }
    }
}

impl<I> Iterator for RowGroupCutter<'_, I>
where
    I: Iterator<Item = Result<SortedRows, IngestError>>,
{
    type Item = Result<RowGroupRows, IngestError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(group) = self.ready.pop_front() {
                return Some(Ok(group));
            }
            if self.ended {
                return None;
            }
            let step = match self.partitions.next() {
                Some(sorted) => sorted.and_then(|sorted| self.take(sorted)),
                None => {
                    self.ended = true;
                    if !self.pieces.is_empty() {
                        self.cut();
                    }
                    self.finish_sessions()
                }
            };
            if let Err(error) = step {
                self.ended = true;
                self.ready.clear();
                return Some(Err(error));
            }
        }
    }
}

/// Gives every pair of user and source session the next code, in the store's order, and writes the dictionary.
pub(crate) struct SessionNumbering {
    column: usize,
    users: Option<(usize, IdType)>,
    next: u64,
    /// The last user so far and the codes of their sessions: they may go on in the next partition.
    last: Option<LastUser>,
    writer: SharedWriter,
    rows: DictionaryRows,
}

/// The writer of the dictionary, taken back when all is written.
pub(crate) type SharedWriter = Arc<std::sync::Mutex<Option<SideTableWriter>>>;

struct LastUser {
    user: OwnedUser,
    codes: HashMap<Box<[u8]>, u32>,
}

/// The bytes of an id; none for the unknown user.
type OwnedUser = Option<Box<[u8]>>;

struct DictionaryRows {
    schema: SchemaRef,
    codes: UInt32Builder,
    uuids: Option<FixedSizeBinaryBuilder>,
    texts: StringBuilder,
    users: Option<IdBuilder>,
}

impl SessionNumbering {
    /// `column` is the layout's session column; `users` the user column and its type.
    pub(crate) fn new(
        layout: &RowLayout,
        column: usize,
        users: Option<(usize, IdType)>,
        schema: SchemaRef,
        writer: SharedWriter,
    ) -> Self {
        let uuids = (layout.slot(column).kind == SlotKind::Uuid).then(|| FixedSizeBinaryBuilder::new(16));
        let rows = DictionaryRows {
            schema,
            codes: UInt32Builder::new(),
            uuids,
            texts: StringBuilder::new(),
            users: users.map(|(_, id_type)| IdBuilder::new(id_type)),
        };
        Self { column, users, next: 0, last: None, writer, rows }
    }

    /// Returns the code of each of the partition's sessions.
    fn number(&mut self, layout: &RowLayout, sorted: &SortedRows) -> Result<Vec<u32>, IngestError> {
        const FLUSH_ROWS: usize = 1 << 16;
        if sorted.len() == 0 {
            return Ok(Vec::new());
        }
        let slot = layout.slot(self.column);
        let first_user = self.user(layout, sorted, 0);
        let continued = self.last.as_ref().is_some_and(|last| last.user == first_user);
        let mut codes = Vec::with_capacity(sorted.session_rows().len());
        for (session, &row) in sorted.session_rows().iter().enumerate() {
            let id = sorted.session_id(layout, self.column, session);
            let known = match &self.last {
                Some(last) if continued && session < sorted.first_user_sessions() => {
                    last.codes.get(id).copied()
                }
                _ => None,
            };
            let code = match known {
                Some(code) => code,
                None => {
                    let code = u32::try_from(self.next).map_err(|_| CoreError::TooManyCodes {
                        column: column::SOURCE_SESSION,
                        limit: 1 << 32,
                    })?;
                    self.next += 1;
                    let user = sorted.user(layout, row as usize);
                    self.rows.push(user, slot.kind, code, id)?;
                    code
                }
            };
            codes.push(code);
        }
        let last_user = self.user(layout, sorted, sorted.len() - 1);
        let same = self.last.as_ref().is_some_and(|last| last.user == last_user);
        let mut last = match self.last.take() {
            Some(last) if same => last,
            _ => LastUser { user: last_user, codes: HashMap::new() },
        };
        for (session, &code) in codes.iter().enumerate().skip(sorted.last_user_sessions()) {
            last.codes.insert(sorted.session_id(layout, self.column, session).into(), code);
        }
        self.last = Some(last);
        if self.rows.len() >= FLUSH_ROWS {
            self.flush()?;
        }
        Ok(codes)
    }

    fn user(&self, layout: &RowLayout, sorted: &SortedRows, row: usize) -> OwnedUser {
        let user = self.users.and_then(|_| sorted.user(layout, row));
        user.map(|user| match user {
            User::Text(text) => text.into(),
            User::Integer(id) => id.to_le_bytes().into(),
        })
    }

    fn flush(&mut self) -> Result<(), IngestError> {
        let batch = self.rows.finish()?;
        let mut writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match writer.as_mut() {
            Some(writer) => Ok(writer.write(batch)?),
            None => Ok(()),
        }
    }
}

impl DictionaryRows {
    fn len(&self) -> usize {
        arrow_array::builder::ArrayBuilder::len(&self.codes)
    }

    fn push(
        &mut self,
        user: Option<User<'_>>,
        kind: SlotKind,
        code: u32,
        id: &[u8],
    ) -> Result<(), IngestError> {
        self.codes.append_value(code);
        match (&mut self.uuids, kind) {
            (Some(uuids), SlotKind::Uuid) => uuids.append_value(id).map_err(CoreError::from)?,
            _ => self.texts.append_value(text(id)),
        }
        if let Some(users) = &mut self.users {
            users.append(user.map(|user| match user {
                User::Integer(id) => IdRef::Int64(id),
                User::Text(id) => IdRef::Utf8(text(id)),
            }))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<RecordBatch, IngestError> {
        let sessions: ArrayRef = match &mut self.uuids {
            Some(uuids) => Arc::new(uuids.finish()),
            None => Arc::new(self.texts.finish()),
        };
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(self.codes.finish()), sessions];
        arrays.extend(self.users.as_mut().map(IdBuilder::finish));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(CoreError::from)?)
    }
}

/// Texts were checked when they were parsed.
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
