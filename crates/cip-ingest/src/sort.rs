//! A partition's rows in the store's order, with their source sessions told apart.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::row::{RowKey, RowLayout};

/// Rows sorted by user, time, source file and line.
#[derive(Debug)]
pub(crate) struct SortedRows {
    data: Vec<u8>,
    /// Where each row starts, in order.
    order: Vec<u32>,
    /// For each row in order, which of `sessions` it belongs to.
    row_sessions: Vec<u32>,
    /// Distinct (user, session id), in order: the first row of each.
    sessions: Vec<u32>,
    /// How many of `sessions` belong to the first user, and from which on they belong to the last.
    first_user_sessions: usize,
    last_user_sessions: usize,
}

/// Stands for "no session".
const NO_SESSION: u32 = u32::MAX;

impl SortedRows {
    /// Sorts rows.
    pub(crate) fn new(layout: &RowLayout, data: Vec<u8>) -> Self {
        let starts = layout.starts(&data);
        let mut keyed: Vec<(RowKey<'_>, u32)> =
            starts.into_iter().map(|start| (layout.row(&data, start).key(), start)).collect();
        keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let order: Vec<u32> = keyed.iter().map(|(_, start)| *start).collect();
        drop(keyed);
        let mut sorted = Self {
            data,
            order,
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
        let mut row_sessions = Vec::with_capacity(self.order.len());
        let mut sessions: Vec<u32> = Vec::new();
        let id = |first_row: u32| layout.row(&self.data, self.order[first_row as usize]).bytes(slot);
        let mut many: HashMap<&[u8], u32, RandomState> = HashMap::default();
        let mut user_start = 0;
        let mut first_user_sessions = None;
        let mut user: Option<RowKey<'_>> = None;
        for (index, &start) in self.order.iter().enumerate() {
            let row = layout.row(&self.data, start);
            let key = row.key();
            if let Some(before) = &user
                && !before.same_user(&key)
            {
                first_user_sessions.get_or_insert(sessions.len());
                user_start = sessions.len();
                many.clear();
            }
            user = Some(key);
            if row.is_null(column) {
                row_sessions.push(NO_SESSION);
                continue;
            }
            let wanted = row.bytes(slot);
            let of_user = &sessions[user_start..];
            let known = if of_user.len() <= FEW {
                of_user.iter().rposition(|&first| id(first) == wanted).map(|at| (user_start + at) as u32)
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
        self.order.len()
    }

    pub(crate) fn row<'a>(&'a self, layout: &'a RowLayout, index: usize) -> crate::row::Row<'a> {
        layout.row(&self.data, self.order[index])
    }

    /// Which of the partition's sessions a row belongs to.
    pub(crate) fn session_of(&self, index: usize) -> Option<usize> {
        let session = self.row_sessions[index];
        (session != NO_SESSION).then_some(session as usize)
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
