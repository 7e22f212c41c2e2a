//! Stitching: users in the place of their aliases, at the door.

use std::sync::Arc;

use cip_core::{IdRef, column};
use cip_store::AliasTable;

use crate::number::text;
use crate::target::TargetColumn;

/// The aliases of users, and where users stand.
#[derive(Debug)]
pub(crate) struct Stitching {
    aliases: Arc<AliasTable>,
    users: usize,
}

impl Stitching {
    /// Returns none where there are no users, or no aliases.
    pub(crate) fn new(aliases: Arc<AliasTable>, columns: &[TargetColumn]) -> Option<Self> {
        let users = columns.iter().position(|target| target.name == column::USER_ID)?;
        (!aliases.is_empty()).then_some(Self { aliases, users })
    }
}

/// The user of one row.
pub(crate) struct Stitched<'a> {
    stitching: Option<&'a Stitching>,
    found: bool,
}

impl<'a> Stitched<'a> {
    #[inline]
    pub(crate) fn new(stitching: Option<&'a Stitching>) -> Self {
        Self { stitching, found: false }
    }

    /// The integer of a column, or the user whose alias it is.
    #[inline]
    pub(crate) fn integer(&mut self, column: usize, value: i64) -> i64 {
        match self.user(column, IdRef::Int64(value)) {
            Some(IdRef::Int64(user)) => user,
            _ => value,
        }
    }

    /// The text of a column, which was checked, or the user whose alias it is.
    #[inline]
    pub(crate) fn text<'b>(&mut self, column: usize, value: &'b [u8]) -> &'b [u8]
    where
        'a: 'b,
    {
        match self.user(column, IdRef::Utf8(text(value))) {
            Some(IdRef::Utf8(user)) => user.as_bytes(),
            _ => value,
        }
    }

    #[inline]
    fn user(&mut self, column: usize, id: IdRef<'_>) -> Option<IdRef<'a>> {
        let stitching = self.stitching.filter(|stitching| stitching.users == column)?;
        let user = stitching.aliases.user(id);
        self.found |= user.is_some();
        user
    }

    /// 1 where the row is stitched.
    #[inline]
    pub(crate) fn events(&self) -> u64 {
        u64::from(self.found)
    }
}
