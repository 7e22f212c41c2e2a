//! The aliases of users who are erased: they are erased with them.

use std::collections::HashSet;
use std::path::Path;

use arrow_array::BooleanArray;
use arrow_select::filter::filter_record_batch;
use cip_core::{Id, IdColumn, IdRef, column};

use super::side;
use super::users::ErasedUsers;
use crate::aliases::AliasTable;
use crate::error::StoreError;
use crate::manifest::DataFile;
use crate::store::EventStore;

/// Returns the users with all ids under which they are known; one who was named by an alias is the user of it.
pub(super) fn with_aliases(users: ErasedUsers, aliases: &AliasTable) -> Result<ErasedUsers, String> {
    let in_the_end = |id: &Id| aliases.user(id.as_ref()).map_or_else(|| id.clone(), IdRef::to_owned);
    let ends: HashSet<Id> = users.ids().iter().map(in_the_end).collect();
    let theirs = aliases.pairs().iter().map(|(alias, _)| alias);
    let theirs = theirs
        .filter(|alias| aliases.user(alias.as_ref()).is_some_and(|user| ends.contains(&user.to_owned())));
    let ids: Vec<String> = ends.iter().chain(theirs).map(Id::to_string).collect();
    ErasedUsers::new(aliases.id_type(), ids)
}

/// Counts the rows of a table of aliases that name the users.
pub(super) fn count(store: &EventStore, data: &DataFile, users: &ErasedUsers) -> Result<u64, StoreError> {
    let mut theirs = 0;
    for batch in side::read(store, data)? {
        theirs += stay(&batch?, users)?.false_count() as u64;
    }
    Ok(theirs)
}

/// Writes a table of aliases without the rows that name the users. It stays, even without rows: an earlier one counts no more.
pub(super) fn write(
    store: &EventStore,
    data: &DataFile,
    users: &ErasedUsers,
    folder: &Path,
) -> Result<DataFile, StoreError> {
    side::write(store, data, "aliases", folder, |batch| {
        let keep = stay(&batch, users)?;
        Ok(filter_record_batch(&batch, &keep)?)
    })
}

/// Which rows of a table of aliases name none of the users.
fn stay(batch: &arrow_array::RecordBatch, users: &ErasedUsers) -> Result<BooleanArray, StoreError> {
    let ids = |name: &'static str| {
        let ids = batch.column_by_name(name).ok_or(cip_core::CoreError::MissingColumn { column: name })?;
        IdColumn::try_new(name, ids)
    };
    let (aliases, known) = (ids(column::ALIAS)?, ids(column::USER_ID)?);
    let named = |ids: &IdColumn, row| ids.get(row).is_some_and(|id| users.has(id));
    Ok((0..batch.num_rows()).map(|row| Some(!named(&aliases, row) && !named(&known, row))).collect())
}
