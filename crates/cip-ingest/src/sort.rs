//! A partition's rows in the store's order, with their source sessions told apart.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

use arrow_array::builder::BooleanBufferBuilder;
use cip_core::{fetch, first_where};
use foldhash::fast::RandomState;

use crate::buffer::{Buffer, SpareBuffers};
use crate::order::sort_texts;
use crate::packed_rows::PackedRows;
use crate::packing::{ID, Packing};
use crate::partition::LoadedBlocks;
use crate::row::{Row, RowLayout, Slot, User};
use crate::sorted_columns::{Bit, SortedColumns};

/// Rows sorted by user, time, source file and line, one behind the other in memory.
#[derive(Debug)]
pub(crate) struct SortedRows {
    rows: Rows,
    /// The UUIDs of `sessions`, where rows have one length.
    uuids: Vec<[u8; ID]>,
    /// Where the rows' buffer goes in the end.
    spare: SpareBuffers,
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
        if let Rows::WithTexts { data, .. } = &mut self.rows {
            self.spare.give(std::mem::take(data));
        }
    }
}

/// Stands for "no session".
const NO_SESSION: u32 = u32::MAX;

/// How rows lie in memory.
#[derive(Debug)]
enum Rows {
    /// All have one length.
    Columns(SortedColumns),
    /// One behind the other, and where each starts.
    WithTexts { data: Buffer, starts: Vec<u32> },
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
        let (rows, ids) = match layout.packing() {
            Some(packing) => {
                let packed = PackedRows::new(packing, blocks.segments());
                let columns = packed.columns(&packed.ordered());
                let ids = packed.into_ids();
                spare.give(blocks.into_read());
                (Rows::Columns(columns), ids)
            }
            None => {
                let (bytes, mut data) = (blocks.into_bytes(), spare.take());
                let starts = sort_texts(layout, &bytes, &mut data);
                spare.give(bytes);
                (Rows::WithTexts { data, starts }, Vec::new())
            }
        };
        let mut sorted = Self {
            rows,
            spare: spare.clone(),
            uuids: Vec::new(),
            row_sessions: Vec::new(),
            sessions: Vec::new(),
            first_user_sessions: 0,
            last_user_sessions: 0,
        };
        if let Some(column) = layout.session {
            match layout.packing() {
                Some(packing) => sorted.tell_uuids_apart(layout, packing, column, ids.as_chunks().0),
                None => sorted.tell_texts_apart(layout, column),
            }
        }
        sorted
    }

    /// `ids` are the UUIDs by the codes that the rows have.
    fn tell_uuids_apart(&mut self, layout: &RowLayout, packing: &Packing, column: usize, ids: &[[u8; ID]]) {
        /// So many rows before one is looked at, the processor is told where its session will be looked up.
        const AHEAD: usize = 16;
        let Rows::Columns(columns) = &self.rows else { return };
        // The last session that each code stood for: a session may have several codes, and a code be of several users.
        let mut by_code = vec![NO_SESSION; ids.len()];
        let mut apart = SessionsApart::new(self.len());
        let mut uuids: Vec<[u8; ID]> = Vec::with_capacity(ids.len());
        let mut many: HashMap<[u8; ID], u32, RandomState> = HashMap::default();
        let mut codes: Vec<u32> = Vec::with_capacity(self.len());
        columns
            .column(packing, layout.slot(column).at)
            .append_to(0..self.len(), &mut codes, |code| code as u32);
        let mut ahead = codes.iter().skip(AHEAD);
        let missing = Some(columns.bit(packing, layout.null(column))).filter(Bit::is_anywhere);
        let mut start = 0;
        for end in columns.user_ends(packing) {
            if start > 0 {
                apart.next_user();
                many.clear();
            }
            for (index, &code) in (start..).zip(&codes[start..end]) {
                if let Some(&later) = ahead.next() {
                    ids.get(later as usize).into_iter().for_each(fetch);
                    by_code.get(later as usize).into_iter().for_each(fetch);
                }
                if missing.is_some_and(|missing| missing.is_set(index)) {
                    apart.enter(NO_SESSION);
                    continue;
                }
                let known = &mut by_code[code as usize];
                if *known == NO_SESSION || (*known as usize) < apart.user_start {
                    let id = ids[code as usize];
                    *known = apart.find(&uuids, &mut many, id).unwrap_or_else(|| {
                        uuids.push(id);
                        apart.found(index)
                    });
                }
                apart.enter(*known);
            }
            start = end;
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
        for (index, row) in self.rows_with_texts(layout, 0..self.len()).enumerate() {
            if before.is_some_and(|before| before.user() != row.user()) {
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
        match (&self.rows, self.uuids.get(session)) {
            (_, Some(id)) => id,
            (Rows::WithTexts { data, starts }, None) => {
                layout.row(data, starts[self.sessions[session] as usize]).bytes(layout.slot(column))
            }
            (Rows::Columns(_), None) => &[],
        }
    }

    /// Rows that have texts; none where all have one length.
    pub(crate) fn rows_with_texts<'a>(
        &'a self,
        layout: &'a RowLayout,
        rows: Range<usize>,
    ) -> impl Iterator<Item = Row<'a>> {
        let (data, starts): (&[u8], _) = match &self.rows {
            Rows::WithTexts { data, starts } => (data, &starts[rows]),
            Rows::Columns(_) => (&[], &[][..]),
        };
        starts.iter().map(|&start| layout.row(data, start))
    }

    pub(crate) fn len(&self) -> usize {
        match &self.rows {
            Rows::Columns(columns) => columns.len(),
            Rows::WithTexts { starts, .. } => starts.len(),
        }
    }

    /// The user of a row; none where they are unknown, or rows have no users.
    pub(crate) fn user<'a>(&'a self, layout: &'a RowLayout, row: usize) -> Option<User<'a>> {
        match &self.rows {
            Rows::Columns(columns) => {
                layout.packing().and_then(|packing| columns.user(packing, row)).map(User::Integer)
            }
            Rows::WithTexts { data, starts } => layout.row(data, starts[row]).user(),
        }
    }

    /// Appends what `of` makes of a column's integers, amounts, codes or bits of doubles in some rows.
    pub(crate) fn append_to<T>(
        &self,
        layout: &RowLayout,
        slot: Slot,
        rows: Range<usize>,
        into: &mut Vec<T>,
        of: impl Fn(u64) -> T,
    ) {
        match (&self.rows, layout.packing()) {
            (Rows::Columns(columns), Some(packing)) => {
                columns.column(packing, slot.at).append_to(rows, into, of);
            }
            _ => into.extend(self.rows_with_texts(layout, rows).map(|row| of(row.word(slot)))),
        }
    }

    /// Appends whether a column has a value in some rows.
    pub(crate) fn append_validity(
        &self,
        layout: &RowLayout,
        column: usize,
        rows: Range<usize>,
        into: &mut BooleanBufferBuilder,
    ) {
        match (&self.rows, layout.packing()) {
            (Rows::Columns(columns), Some(packing)) => {
                let missing = columns.bit(packing, layout.null(column));
                append_bits(rows.map(|row| !missing.is_set(row)), into);
            }
            _ => append_bits(self.rows_with_texts(layout, rows).map(|row| !row.is_null(column)), into),
        }
    }

    /// What some rows count in a row group.
    pub(crate) fn counted_bytes(&self, layout: &RowLayout, rows: Range<usize>) -> usize {
        layout.counted_bytes(rows.len(), self.bytes_before(rows.end) - self.bytes_before(rows.start))
    }

    /// Bytes of all rows before `index`.
    fn bytes_before(&self, index: usize) -> usize {
        match &self.rows {
            Rows::Columns(columns) => index * columns.row_bytes,
            Rows::WithTexts { data, starts } => starts.get(index).map_or(data.len(), |&start| start as usize),
        }
    }

    /// Returns the first row from `from` on with which the rows count `bytes` or more; the number of rows where none does.
    pub(crate) fn row_at_bytes(&self, layout: &RowLayout, from: usize, bytes: usize) -> usize {
        first_where(from..self.len(), |row| self.counted_bytes(layout, from..row) >= bytes)
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

/// Appends bits, 64 at once.
fn append_bits(bits: impl Iterator<Item = bool>, into: &mut BooleanBufferBuilder) {
    let (mut word, mut count) = (0u64, 0);
    for bit in bits {
        word |= u64::from(bit) << count;
        count += 1;
        if count == 64 {
            into.append_packed_range(0..count, &word.to_le_bytes());
            (word, count) = (0, 0);
        }
    }
    into.append_packed_range(0..count, &word.to_le_bytes());
}
