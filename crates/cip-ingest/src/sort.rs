//! A partition's rows in the store's order, with their source sessions told apart.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::RandomState;

use crate::buffer::{Buffer, SpareBuffers};
use crate::order::{by_comparison, by_user};
use crate::row::{Row, RowLayout};

/// Rows sorted by user, time, source file and line, one behind the other in memory.
#[derive(Debug)]
pub(crate) struct SortedRows {
    data: Buffer,
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

/// Whether two session ids are the same; UUIDs are compared without a call.
#[inline]
fn same_id(a: &[u8], b: &[u8]) -> bool {
    match (<&[u8; 16]>::try_from(a), <&[u8; 16]>::try_from(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
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

impl SortedRows {
    /// Sorts rows; `spare` has room for them, and gets it back.
    pub(crate) fn new(layout: &RowLayout, data: Buffer, spare: &SpareBuffers) -> Self {
        let mut sorted = spare.take();
        let starts = match layout.row_bytes().and_then(|bytes| by_user(layout, &data, bytes, &mut sorted)) {
            Some(()) => Vec::new(),
            None => by_comparison(layout, &data, &mut sorted),
        };
        spare.give(data);
        let rows = layout.row_bytes().map_or(starts.len(), |bytes| sorted.len() / bytes);
        let starts = match layout.row_bytes() {
            Some(bytes) => Starts::Every { bytes, rows },
            None => Starts::At(starts),
        };
        let mut sorted = Self {
            data: sorted,
            spare: spare.clone(),
            starts,
            row_sessions: Vec::new(),
            sessions: Vec::new(),
            first_user_sessions: 0,
            last_user_sessions: 0,
        };
        if let Some(column) = layout.session {
            sorted.tell_sessions_apart(layout, column);
        }
        sorted
    }

    fn tell_sessions_apart(&mut self, layout: &RowLayout, column: usize) {
        /// Up to here a user's sessions are searched one by one, the latest first.
        const FEW: usize = 16;
        let slot = layout.slot(column);
        let mut row_sessions = Vec::with_capacity(self.len());
        let mut sessions: Vec<u32> = Vec::new();
        let id = |first_row: u32| self.row(layout, first_row as usize).bytes(slot);
        let mut many: HashMap<&[u8], u32, RandomState> = HashMap::default();
        let mut user_start = 0;
        let mut first_user_sessions = None;
        let mut before: Option<Row<'_>> = None;
        for index in 0..self.len() {
            let row = self.row(layout, index);
            if let Some(before) = &before
                && !before.same_user(&row)
            {
                first_user_sessions.get_or_insert(sessions.len());
                user_start = sessions.len();
                many.clear();
            }
            before = Some(row);
            if row.is_null(column) {
                row_sessions.push(NO_SESSION);
                continue;
            }
            let wanted = row.bytes(slot);
            let of_user = &sessions[user_start..];
            let known = if of_user.len() <= FEW {
                of_user
                    .iter()
                    .rposition(|&first| same_id(id(first), wanted))
                    .map(|at| (user_start + at) as u32)
            } else {
                if many.is_empty() {
                    many.extend((user_start..).zip(of_user).map(|(at, &first)| (id(first), at as u32)));
                }
                many.get(wanted).copied()
            };
            row_sessions.push(known.unwrap_or_else(|| {
                let new = sessions.len() as u32;
                sessions.push(index as u32);
                if !many.is_empty() {
                    many.insert(wanted, new);
                }
                new
            }));
        }
        self.first_user_sessions = first_user_sessions.unwrap_or(sessions.len());
        self.last_user_sessions = user_start;
        self.row_sessions = row_sessions;
        self.sessions = sessions;
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
