//! Stitching: users in the place of their aliases, at the door.

use std::sync::Arc;

use cip_core::{IdRef, column};
use cip_store::AliasTable;

use crate::number::text;
use crate::target::TargetColumn;

/// The aliases of users, and where users stand.
///
/// Nearly all ingests have none, so what looks them up stays out of the loop over rows.
#[derive(Debug)]
pub(crate) struct Stitching {
    aliases: Option<Arc<AliasTable>>,
    /// The column of the users; none that there is where there are no aliases.
    column: usize,
}

/// The row that was stitched last, by where its record starts in the chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LastStitched(Option<usize>);

impl Stitching {
    /// Returns what does nothing where there are no users, or no aliases.
    pub(crate) fn new(aliases: Option<Arc<AliasTable>>, columns: &[TargetColumn]) -> Self {
        let column = columns.iter().position(|target| target.name == column::USER_ID);
        match (aliases.filter(|aliases| !aliases.is_empty()), column) {
            (Some(aliases), Some(column)) => Self { aliases: Some(aliases), column },
            _ => Self { aliases: None, column: usize::MAX },
        }
    }

    /// Whether a column may have aliases.
    #[inline(always)]
    pub(crate) fn meets(&self, column: usize) -> bool {
        column == self.column
    }

    /// Returns an id, or the user whose alias it is.
    #[inline(never)]
    pub(crate) fn integer(&self, id: i64, start: usize, last: &mut LastStitched) -> i64 {
        match self.user(IdRef::Int64(id)) {
            Some(IdRef::Int64(user)) => {
                *last = LastStitched(Some(start));
                user
            }
            _ => id,
        }
    }

    /// Returns an id, which was checked to be text, or the user whose alias it is.
    #[inline(never)]
    pub(crate) fn text<'a>(&'a self, id: &'a [u8], start: usize, last: &mut LastStitched) -> &'a [u8] {
        match self.user(IdRef::Utf8(text(id))) {
            Some(IdRef::Utf8(user)) => {
                *last = LastStitched(Some(start));
                user.as_bytes()
            }
            _ => id,
        }
    }

    fn user(&self, id: IdRef<'_>) -> Option<IdRef<'_>> {
        self.aliases.as_ref()?.user(id)
    }
}

impl LastStitched {
    /// 1 where the row that starts there is stitched.
    #[inline(always)]
    pub(crate) fn count(self, start: usize) -> u64 {
        u64::from(self.0 == Some(start))
    }
}
