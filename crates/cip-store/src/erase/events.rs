//! The events of a commit without some users.
//!
//! Row groups cover ranges of users, so few hold one of them. Only those are decoded and encoded anew. Behind them the codes of
//! source sessions move up, so that one column is written anew; what else lies there is copied as it is. Files in
//! which nothing changes are not touched.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt32Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow_schema::Schema;
use arrow_select::filter::filter_record_batch;
use cip_core::{EventBatch, Id, IdColumn, column};

use super::row_group::Groups;
use super::users::ErasedUsers;
use crate::currency::{CountsByFile, counts_by_file, money_columns};
use crate::error::StoreError;
use crate::event_encoder::EventEncoder;
use crate::manifest::{Commit, EventFile, RowGroupSpan, SourceFile};
use crate::offers::{OFFER, Offers};
use crate::parquet_file::{ParquetFile, RowGroupEncoder};
use crate::store::EventStore;

/// The rows of a commit that are the users'.
#[derive(Default)]
pub(super) struct Found {
    /// Which rows stay, of each row group (file, row group) that loses some.
    keep: HashMap<(usize, usize), BooleanArray>,
    /// Rows of each source file.
    pub(super) rows_by_source: BTreeMap<String, u64>,
    /// The same by currency, where there are currencies.
    pub(super) currencies: CountsByFile,
    /// The users that have any.
    pub(super) users: BTreeSet<Id>,
    /// Their products that no row has that stays.
    pub(super) products: BTreeSet<Id>,
    /// How many of their rows have each offer, where events are compact.
    pub(super) offers: Vec<u64>,
}

impl Found {
    /// Rows in all.
    pub(super) fn rows(&self) -> u64 {
        self.rows_by_source.values().sum()
    }

    /// Looks for the rows of `users` in a commit.
    pub(super) fn find(store: &EventStore, commit: &Commit, users: &ErasedUsers) -> Result<Self, StoreError> {
        let form = store.form_of(commit)?;
        let offers = form.as_ref().and_then(|form| form.offers());
        let mut found = Self { offers: vec![0; offers.map_or(0, Offers::len)], ..Self::default() };
        for (file, events) in commit.events.iter().enumerate() {
            if !events.row_groups.iter().any(|span| users.meet(span)) {
                continue;
            }
            let groups =
                Groups::open_events(store.open_files().get(&events.file)?, &events.file, form.clone())?;
            for (group, span) in events.row_groups.iter().enumerate() {
                if users.meet(span) {
                    found.look_into(
                        &groups,
                        (file, group),
                        users,
                        (store.schema().arrow(), &commit.sources),
                    )?;
                    found.count_offers(&groups, (file, group))?;
                }
            }
        }
        found.spare_products(store, commit)?;
        Ok(found)
    }

    fn look_into(
        &mut self,
        groups: &Groups<'_>,
        place: (usize, usize),
        users: &ErasedUsers,
        (schema, sources): (&Schema, &[SourceFile]),
    ) -> Result<(), StoreError> {
        let mut columns = vec![column::USER_ID, column::SOURCE_FILE, column::PRODUCT_ID];
        if groups.column(column::CURRENCY).is_some() {
            columns.push(column::CURRENCY);
            columns.extend(money_columns(schema));
        }
        let rows = groups.read(place.1, Some(&columns))?;
        let Some(ids) = rows.column_by_name(column::USER_ID) else { return Ok(()) };
        let ids = IdColumn::try_new(column::USER_ID, ids)?;
        let mut keep = Vec::with_capacity(ids.len());
        for (user, run) in ids.runs() {
            let erased = user.filter(|&user| users.has(user));
            keep.extend(run.map(|_| erased.is_none()));
            self.users.extend(erased.map(cip_core::IdRef::to_owned));
        }
        if keep.iter().all(|&stays| stays) {
            return Ok(());
        }
        let products = rows.column_by_name(column::PRODUCT_ID);
        let products = products.map(|ids| IdColumn::try_new(column::PRODUCT_ID, ids)).transpose()?;
        let files =
            rows.column_by_name(column::SOURCE_FILE).and_then(|files| files.as_dictionary_opt::<Int32Type>());
        // In a store of one file it need not be said.
        let only = sources.first().map(|source| source.name.as_str()).unwrap_or_default();
        for row in (0..keep.len()).filter(|&row| !keep[row]) {
            let file = files.map_or(only, |files| {
                files.values().as_string::<i32>().value(files.keys().value(row) as usize)
            });
            match self.rows_by_source.get_mut(file) {
                Some(rows) => *rows += 1,
                None => {
                    self.rows_by_source.insert(file.to_owned(), 1);
                }
            }
            if let Some(product) = products.as_ref().and_then(|products| products.get(row)) {
                self.products.insert(product.to_owned());
            }
        }
        if rows.column_by_name(column::CURRENCY).is_some() {
            let theirs: BooleanArray = keep.iter().map(|&stays| Some(!stays)).collect();
            for (file, counts) in counts_by_file(&filter_record_batch(&rows, &theirs)?) {
                self.currencies.entry(file).or_default().add(&counts);
            }
        }
        self.keep.insert(place, BooleanArray::from(keep));
        Ok(())
    }

    /// Counts the offers of the rows that go from a row group.
    fn count_offers(&mut self, groups: &Groups<'_>, place: (usize, usize)) -> Result<(), StoreError> {
        let (false, Some(keep)) = (self.offers.is_empty(), self.keep.get(&place)) else { return Ok(()) };
        let rows = groups.read_stored(place.1, |name| name == OFFER)?;
        let Some(codes) = rows.column_by_name(OFFER) else { return Ok(()) };
        for (&code, stays) in codes.as_primitive::<UInt32Type>().values().iter().zip(keep.values()) {
            if let (Some(events), false) = (self.offers.get_mut(code as usize), stays) {
                *events += 1;
            }
        }
        Ok(())
    }

    /// Leaves those products out that another row has; mostly the first row groups have them all.
    fn spare_products(&mut self, store: &EventStore, commit: &Commit) -> Result<(), StoreError> {
        let form = store.form_of(commit)?;
        let theirs: Vec<Id> = std::mem::take(&mut self.products).into_iter().collect();
        let mut spared = vec![false; theirs.len()];
        let mut left = theirs.len();
        'files: for (file, events) in commit.events.iter().enumerate() {
            if left == 0 {
                break;
            }
            let groups =
                Groups::open_events(store.open_files().get(&events.file)?, &events.file, form.clone())?;
            for group in 0..groups.len() {
                let rows = groups.read(group, Some(&[column::PRODUCT_ID]))?;
                let Some(products) = rows.column_by_name(column::PRODUCT_ID) else { break 'files };
                let products = IdColumn::try_new(column::PRODUCT_ID, products)?;
                let keep = self.keep.get(&(file, group));
                for row in (0..products.len()).filter(|&row| keep.is_none_or(|keep| keep.value(row))) {
                    let Some(product) = products.get(row) else { continue };
                    if let Ok(place) = theirs.binary_search_by(|known| known.as_ref().cmp(&product))
                        && !std::mem::replace(&mut spared[place], true)
                    {
                        left -= 1;
                        if left == 0 {
                            break 'files;
                        }
                    }
                }
            }
        }
        self.products =
            theirs.into_iter().zip(spared).filter(|(_, spared)| !spared).map(|(id, _)| id).collect();
        Ok(())
    }
}

/// Writes the event files of a commit without the rows that were found, into its folder; `codes` are those of the sessions
/// that go, ascending. Files that stay as they are, are given to `keep_file`.
pub(super) fn write(
    store: &EventStore,
    commit: &Commit,
    found: &Found,
    codes: &[u32],
    folder: &Path,
    mut keep_file: impl FnMut(&str) -> Result<(), StoreError>,
) -> Result<Vec<EventFile>, StoreError> {
    let schema = store.schema().arrow();
    let form = store.form_of(commit)?;
    let events = match &form {
        Some(form) => EventEncoder::compact(schema, Arc::clone(form), folder)?,
        None => EventEncoder::new(schema, folder)?,
    };
    let sessions = match schema.field_with_name(column::SOURCE_SESSION) {
        Ok(field) => {
            Some(RowGroupEncoder::new("events", &Arc::new(Schema::new(vec![field.clone()])), folder)?)
        }
        Err(_) => None,
    };
    let mut written = Vec::with_capacity(commit.events.len());
    for (index, file) in commit.events.iter().enumerate() {
        let groups = Groups::open_events(store.open_files().get(&file.file)?, &file.file, form.clone())?;
        let session_column = groups.column(column::SOURCE_SESSION);
        let moves = |group: usize| {
            let range = session_column.and_then(|column| groups.code_range(group, column));
            range.zip(codes.first()).is_some_and(|((_, last), first)| last > *first)
        };
        if !(0..groups.len()).any(|group| found.keep.contains_key(&(index, group)) || moves(group)) {
            keep_file(&file.file.path)?;
            written.push(file.clone());
            continue;
        }
        let name = Path::new(&file.file.path).file_name().unwrap_or_default();
        let path = folder.join(name);
        let mut out: Option<(ParquetFile, Vec<RowGroupSpan>)> = None;
        for (group, span) in file.row_groups.iter().enumerate() {
            let (encoded, span) = if let Some(keep) = found.keep.get(&(index, group)) {
                let rows = filter_record_batch(&groups.read(group, None)?, keep)?;
                if rows.num_rows() == 0 {
                    continue;
                }
                let rows = with_moved_codes(rows, codes)?;
                events.encode_alone(&EventBatch::try_new(rows)?)?.into_parts()
            } else {
                let mut stored = groups.stored(group)?;
                if let (true, Some(column), Some(encoder)) = (moves(group), session_column, &sessions) {
                    let rows = groups.read(group, Some(&[column::SOURCE_SESSION]))?;
                    stored.replace(column, encoder.encode(&with_moved_codes(rows, codes)?)?);
                }
                (stored, span.clone())
            };
            let (file, spans) = match &mut out {
                Some(out) => out,
                none => none.insert((ParquetFile::create(&path, events.row_groups())?, Vec::new())),
            };
            file.append(encoded)?;
            spans.push(span);
        }
        if let Some((out, row_groups)) = out {
            written.push(EventFile { file: out.finish(file.file.path.clone())?, row_groups });
        }
    }
    Ok(written)
}

/// Gives sessions, where there are any, the codes that they have without those that go: the order stays.
fn with_moved_codes(rows: RecordBatch, codes: &[u32]) -> Result<RecordBatch, StoreError> {
    let Ok(column) = rows.schema_ref().index_of(column::SOURCE_SESSION) else { return Ok(rows) };
    let old = rows.column(column).as_primitive::<UInt32Type>();
    let new = old.values().iter().map(|&code| code - codes.partition_point(|gone| *gone < code) as u32);
    let moved: ArrayRef = Arc::new(UInt32Array::new(new.collect(), old.nulls().cloned()));
    let mut columns = rows.columns().to_vec();
    columns[column] = moved;
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}
