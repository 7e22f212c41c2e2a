//! Ranges of users: how commits that overlap are read in parts that can be worked on by themselves.

use std::cmp::Ordering;
use std::ops::Range;

use cip_core::{Id, IdColumn, IdRef, first_where};

use crate::manifest::RowGroupSpan;

/// A user, ordered as the store orders them: ids ascending, then the unknown user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UserKey {
    Known(Id),
    Unknown,
}

impl UserKey {
    pub(crate) fn of(user: &Option<Id>) -> Self {
        user.clone().map_or(Self::Unknown, Self::Known)
    }

    /// Compares with a user of a column.
    fn compare(&self, user: Option<IdRef<'_>>) -> Ordering {
        match (self, user) {
            (Self::Known(id), Some(user)) => id.as_ref().cmp(&user),
            (Self::Known(_), None) => Ordering::Less,
            (Self::Unknown, Some(_)) => Ordering::Greater,
            (Self::Unknown, None) => Ordering::Equal,
        }
    }
}

/// The users behind one, up to and with another; none is no bound.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserRange {
    pub(crate) after: Option<UserKey>,
    pub(crate) up_to: Option<UserKey>,
}

impl UserRange {
    /// Whether a row group has users of the range.
    pub(crate) fn meets(&self, span: &RowGroupSpan) -> bool {
        let [first, last] = &span.users;
        self.after.as_ref().is_none_or(|after| *after < UserKey::of(last))
            && self.up_to.as_ref().is_none_or(|up_to| UserKey::of(first) <= *up_to)
    }

    /// Whether a user is in the range.
    pub(crate) fn has(&self, user: Option<IdRef<'_>>) -> bool {
        self.after.as_ref().is_none_or(|after| after.compare(user).is_lt())
            && self.up_to.as_ref().is_none_or(|up_to| up_to.compare(user).is_ge())
    }

    /// Returns which of some rows, sorted by user, are in the range.
    pub(crate) fn rows(&self, users: &IdColumn) -> Range<usize> {
        let first_behind =
            |last: &UserKey| first_where(0..users.len(), |row| last.compare(users.get(row)).is_lt());
        let start = self.after.as_ref().map_or(0, first_behind);
        let end = self.up_to.as_ref().map_or(users.len(), first_behind);
        start..end.max(start)
    }
}
