//! Some users, to be found among all.

use std::sync::Arc;

use arrow_array::BooleanArray;
use cip_core::{Id, IdColumn, IdRef};

use crate::manifest::RowGroupSpan;

/// Users of a store, each once.
///
/// # Examples
/// ```
/// use cip_core::{Id, IdRef};
/// use cip_store::UserSet;
/// let users: UserSet = [9, 7, 9].into_iter().map(Id::Int64).collect();
/// assert_eq!(users.len(), 2);
/// assert!(users.has(IdRef::Int64(7)) && !users.has(IdRef::Int64(8)));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserSet {
    /// Ascending.
    ids: Arc<[Id]>,
}

impl FromIterator<Id> for UserSet {
    fn from_iter<I: IntoIterator<Item = Id>>(ids: I) -> Self {
        let mut ids: Vec<Id> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        Self { ids: ids.into() }
    }
}

impl UserSet {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether a user is one of them.
    pub fn has(&self, user: IdRef<'_>) -> bool {
        self.ids.binary_search_by(|id| id.as_ref().cmp(&user)).is_ok()
    }

    /// Whether a row group may hold one of them.
    pub(crate) fn meets(&self, span: &RowGroupSpan) -> bool {
        let [Some(first), last] = &span.users else { return false };
        let next = self.ids.partition_point(|id| id < first);
        self.ids.get(next).is_some_and(|id| last.as_ref().is_none_or(|last| id <= last))
    }

    /// Returns which rows of a column are theirs. Its users ascend, the unknown one last, so both are gone through once.
    pub(crate) fn rows(&self, users: &IdColumn) -> BooleanArray {
        let first = (!users.is_empty()).then(|| users.get(0)).flatten();
        let mut at = first.map_or(0, |first| self.ids.partition_point(|id| id.as_ref() < first));
        let mut keep = Vec::with_capacity(users.len());
        for (user, rows) in users.runs() {
            let theirs = user.is_some_and(|user| {
                let behind = self.ids[at..].iter().take_while(|id| id.as_ref() < user);
                at += behind.count();
                self.ids.get(at).is_some_and(|id| id.as_ref() == user)
            });
            keep.resize(rows.end, theirs);
        }
        keep.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(first: Option<i64>, last: Option<i64>) -> RowGroupSpan {
        RowGroupSpan { rows: 1, users: [first.map(Id::Int64), last.map(Id::Int64)], times: [0, 0] }
    }

    #[test]
    fn row_groups_meet_where_a_user_may_be_in_them() {
        let users: UserSet = [20, 10].into_iter().map(Id::Int64).collect();
        for (first, last, meets) in [
            (Some(0), Some(9), false),
            (Some(0), Some(10), true),
            (Some(11), Some(19), false),
            (Some(20), Some(20), true),
            (Some(15), None, true),
            (Some(21), None, false),
            (None, None, false),
        ] {
            assert_eq!(users.meets(&span(first, last)), meets, "{first:?} to {last:?}");
        }
        assert!(!UserSet::default().meets(&span(Some(0), None)));
    }

    #[test]
    fn rows_of_runs_and_of_nobody() {
        let users: UserSet = [2, 3].into_iter().map(Id::Int64).collect();
        let column = IdColumn::Int64(vec![Some(1), Some(2), Some(2), Some(4), None].into());
        let rows: Vec<_> = users.rows(&column).iter().flatten().collect();
        assert_eq!(rows, [false, true, true, false, false]);
    }
}
