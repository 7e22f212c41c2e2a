//! A partition's rows in the store's order, with their source sessions told apart.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

use foldhash::fast::RandomState;

use crate::buffer::{Buffer, SpareBuffers};
use crate::order::sort_texts;
use crate::packed_rows::PackedRows;
use crate::packing::{ID, ROOM};
use crate::partition::LoadedBlocks;
use crate::row::{Row, RowLayout};

/// Rows sorted by user, time, source file and line, one behind the other in memory.
#[derive(Debug)]
pub(crate) struct SortedRows {
    data: Buffer,
    /// The UUIDs of `sessions`, where rows have one length.
    uuids: Vec<[u8; ID]>,
    /// Where `data` goes in the end.
    spare: SpareBuffers,
    starts: Starts,
    /// For each row, which of `sessions` it belongs to.
    row_sessions: Vec<u32>,
    /// Distinct (user, session id), in order: the first row of each.
    sessions: Vec<u32>,
    /// How many of `sessions` belong to the first user, and from which on they belong to the last.
    first_user_sessions: usize,
    last_user_sessions: usize,
}

impl Drop for SortedRows {
    fn drop(&mut self) {
        self.spare.give(std::mem::take(&mut self.data));
    }
}

/// Stands for "no session".
const NO_SESSION: u32 = u32::MAX;

/// Where rows start.
#[derive(Debug)]
enum Starts {
    /// All rows have one length.
    Every {
        bytes: usize,
        rows: usize,
    },
    At(Vec<u32>),
}

/// The sessions of sorted rows, as they are told apart.
struct SessionsApart {
    row_sessions: Vec<u32>,
    /// The first row of each.
    sessions: Vec<u32>,
    /// From which session on they belong to the user.
    user_start: usize,
    first_user_sessions: Option<usize>,
}

impl SessionsApart {
    fn new(rows: usize) -> Self {
        Self {
            row_sessions: Vec::with_capacity(rows),
            sessions: Vec::new(),
            user_start: 0,
            first_user_sessions: None,
        }
    }

    fn next_user(&mut self) {
        self.first_user_sessions.get_or_insert(self.sessions.len());
        self.user_start = self.sessions.len();
    }

    /// Returns which of the user's sessions has an id; `ids` are those of all sessions, `many` has room for those of the user.
    fn find<T: Copy + Eq + Hash>(
        &self,
        ids: &[T],
        many: &mut HashMap<T, u32, RandomState>,
        id: T,
    ) -> Option<u32> {
        /// Up to here a user's sessions are searched one by one, the latest first.
        const FEW: usize = 16;
        let of_user = &ids[self.user_start..];
        if of_user.len() <= FEW {
            return of_user.iter().rposition(|known| *known == id).map(|at| (self.user_start + at) as u32);
        }
        let entered = self.user_start + many.len();
        many.extend((entered as u32..).zip(&ids[entered..]).map(|(session, &known)| (known, session)));
        many.get(&id).copied()
    }

    /// Enters a new session, which begins with a row.
    fn found(&mut self, row: usize) -> u32 {
        self.sessions.push(row as u32);
        self.sessions.len() as u32 - 1
    }

    /// Enters the session of the next row.
    fn enter(&mut self, session: u32) {
        self.row_sessions.push(session);
    }
}

impl SortedRows {
    /// Sorts rows; `spare` may have room for them.
    pub(crate) fn new(layout: &RowLayout, blocks: LoadedBlocks, spare: &SpareBuffers) -> Self {
        let mut data = spare.take();
        let (starts, ids) = match layout.packing() {
            Some(packing) => {
                let packed = PackedRows::new(packing, &blocks.bytes, blocks.segments.iter());
                let (bytes, rows) = (packing.row_bytes, packed.len());
                let places = data.room(rows * bytes + ROOM);
                packed.unpack_all(&packed.ordered(), places);
                (Starts::Every { bytes, rows }, packed.into_ids())
            }
            None => (Starts::At(sort_texts(layout, &blocks.bytes, &mut data)), Vec::new()),
        };
        spare.give(blocks.bytes);
        let mut sorted = Self {
            data,
            spare: spare.clone(),
            starts,
            uuids: Vec::new(),
            row_sessions: Vec::new(),
            sessions: Vec::new(),
            first_user_sessions: 0,
            last_user_sessions: 0,
        };
        match (layout.session, layout.packing()) {
            (Some(column), Some(_)) => sorted.tell_uuids_apart(layout, column, ids.as_chunks().0),
            (Some(column), None) => sorted.tell_texts_apart(layout, column),
            (None, _) => (),
        }
        sorted
    }

    /// `ids` are the UUIDs by the codes that the rows have.
    fn tell_uuids_apart(&mut self, layout: &RowLayout, column: usize, ids: &[[u8; ID]]) {
        let slot = layout.slot(column);
        // The last session that each code stood for: a session may have several codes, and a code be of several users.
        let mut by_code = vec![NO_SESSION; ids.len()];
        let mut apart = SessionsApart::new(self.len());
        let mut uuids: Vec<[u8; ID]> = Vec::with_capacity(ids.len());
        let mut many: HashMap<[u8; ID], u32, RandomState> = HashMap::default();
        let mut before = None;
        for (index, row) in self.rows(layout).enumerate() {
            // Users of such rows are no texts.
            let (user, _) = row.user_and_time();
            if before.replace(user).is_some_and(|before| before != user) {
                apart.next_user();
                many.clear();
            }
            if row.is_null(column) {
                apart.enter(NO_SESSION);
                continue;
            }
            let code = row.code(slot) as usize;
            if by_code[code] == NO_SESSION || (by_code[code] as usize) < apart.user_start {
                let id = ids[code];
                by_code[code] = apart.find(&uuids, &mut many, id).unwrap_or_else(|| {
                    uuids.push(id);
                    apart.found(index)
                });
            }
            apart.enter(by_code[code]);
        }
        self.uuids = uuids;
        self.take_sessions(apart);
    }

    fn tell_texts_apart(&mut self, layout: &RowLayout, column: usize) {
        let slot = layout.slot(column);
        let mut apart = SessionsApart::new(self.len());
        let mut texts: Vec<&[u8]> = Vec::new();
        let mut many: HashMap<&[u8], u32, RandomState> = HashMap::default();
        let mut before: Option<Row<'_>> = None;
        for (index, row) in self.rows(layout).enumerate() {
            if before.is_some_and(|before| !before.same_user(&row)) {
                apart.next_user();
                many.clear();
            }
            before = Some(row);
            if row.is_null(column) {
                apart.enter(NO_SESSION);
                continue;
            }
            let text = row.bytes(slot);
            let session = apart.find(&texts, &mut many, text).unwrap_or_else(|| {
                texts.push(text);
                apart.found(index)
            });
            apart.enter(session);
        }
        self.take_sessions(apart);
    }

    fn take_sessions(&mut self, apart: SessionsApart) {
        self.first_user_sessions = apart.first_user_sessions.unwrap_or(apart.sessions.len());
        self.last_user_sessions = apart.user_start;
        self.row_sessions = apart.row_sessions;
        self.sessions = apart.sessions;
    }

    /// The id of a session.
    pub(crate) fn session_id<'a>(&'a self, layout: &'a RowLayout, column: usize, session: usize) -> &'a [u8] {
        match self.uuids.get(session) {
            Some(id) => id,
            None => self.row(layout, self.sessions[session] as usize).bytes(layout.slot(column)),
        }
    }

    fn rows<'a>(&'a self, layout: &'a RowLayout) -> impl Iterator<Item = Row<'a>> {
        (0..self.len()).map(|index| self.row(layout, index))
    }

    pub(crate) fn len(&self) -> usize {
        match &self.starts {
            Starts::Every { rows, .. } => *rows,
            Starts::At(starts) => starts.len(),
        }
    }

    pub(crate) fn row<'a>(&'a self, layout: &'a RowLayout, index: usize) -> Row<'a> {
        let start = match &self.starts {
            Starts::Every { bytes, .. } => index * bytes,
            Starts::At(starts) => starts[index] as usize,
        };
        layout.row(&self.data, start as u32)
    }

    /// What some rows count in a row group.
    pub(crate) fn counted_bytes(&self, layout: &RowLayout, rows: Range<usize>) -> usize {
        layout.counted_bytes(rows.len(), self.bytes_before(rows.end) - self.bytes_before(rows.start))
    }

    /// Bytes of all rows before `index`.
    fn bytes_before(&self, index: usize) -> usize {
        match &self.starts {
            Starts::Every { bytes, .. } => index * bytes,
            Starts::At(starts) => starts.get(index).map_or(self.data.len(), |&start| start as usize),
        }
    }

    /// Returns the first row from `from` on with which the rows count `bytes` or more; the number of rows where none does.
    pub(crate) fn row_at_bytes(&self, layout: &RowLayout, from: usize, bytes: usize) -> usize {
        let (mut low, mut high) = (from, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.counted_bytes(layout, from..middle) >= bytes { high = middle } else { low = middle + 1 }
        }
        low
    }

    /// Calls `visit` with some rows, one after the other.
    #[inline]
    pub(crate) fn each<'a>(
        &'a self,
        layout: &'a RowLayout,
        rows: Range<usize>,
        mut visit: impl FnMut(Row<'a>),
    ) {
        match &self.starts {
            Starts::Every { bytes, .. } => {
                let data = &self.data[rows.start * bytes..rows.end * bytes];
                data.chunks_exact(*bytes).for_each(|row| visit(layout.row(row, 0)));
            }
            Starts::At(starts) => starts[rows].iter().for_each(|&start| visit(layout.row(&self.data, start))),
        }
    }

    /// Which of the partition's sessions some rows belong to.
    pub(crate) fn sessions_of(&self, rows: Range<usize>) -> impl Iterator<Item = Option<usize>> {
        self.row_sessions[rows].iter().map(|&session| (session != NO_SESSION).then_some(session as usize))
    }

    /// The first row of each session, in order.
    pub(crate) fn session_rows(&self) -> &[u32] {
        &self.sessions
    }

    /// How many sessions belong to the first user.
    pub(crate) fn first_user_sessions(&self) -> usize {
        self.first_user_sessions
    }

    /// From which session on they belong to the last user.
    pub(crate) fn last_user_sessions(&self) -> usize {
        self.last_user_sessions
    }
}
