//! Result tables without some users.

use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::BooleanArray;
use arrow_schema::Schema;
use arrow_select::filter::filter_record_batch;
use cip_core::column;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::proof::{Occurrences, search};
use super::side::{RejectedRow, rejected};
use super::users::ErasedUsers;
use crate::error::StoreError;
use crate::staged::StagedFile;
use crate::store::EventStore;
use crate::stored_file::StoredFile;
use crate::table::{TableWriter, read_table};
use crate::table_column::TableColumn;
use crate::table_source::guarded;

/// What a file holds of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileContent {
    /// Rows that are a user's.
    Rows,
    /// Sums over users, such as the pairs of products: nobody's rows.
    Aggregates,
    /// What no user has a part in.
    NoUsers,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedFile {
    /// The file.
    pub path: PathBuf,
    /// The table that it holds, such as `events`; `manifest` for the manifest.
    pub table: String,
    /// What it holds of users.
    pub content: FileContent,
    /// Its rows before.
    pub rows_before: u64,
    /// Rows of the users, which are gone.
    pub erased: u64,
    /// How often the users' ids were found afterwards: 0 where the erasure is proven.
    pub found: u64,
    /// Words in texts of what stays that are like an id: they are kept, and for a person to look at.
    pub mentions: u64,
}

impl ErasedFile {
    pub(super) fn after(mut self, found: Occurrences) -> Self {
        self.found += found.ids;
        self.mentions += found.mentions;
        self
    }
}

/// Tables that are sums over users.
const AGGREGATES: [&str; 4] = ["product_pairs", "paths", "feature_effects", "quality"];

/// Rewrites a result table without the users' rows, and reads it again. It is replaced in one step, or left as it is where it has
/// none.
///
/// # Errors
/// [`StoreError::NotAResult`] where the file is no Parquet file with the name of a table, [`StoreError::PartOfStore`], [`StoreError::Busy`],
/// [`StoreError::Io`], [`StoreError::Parquet`].
pub(super) fn erase(
    path: &Path,
    users: &ErasedUsers,
    is_theirs: &dyn Fn(&RejectedRow<'_>) -> bool,
) -> Result<ErasedFile, StoreError> {
    guarded(path, || Ok(erase_rows(path, users, is_theirs)))?
}

fn erase_rows(
    path: &Path,
    users: &ErasedUsers,
    is_theirs: &dyn Fn(&RejectedRow<'_>) -> bool,
) -> Result<ErasedFile, StoreError> {
    let real = fs::canonicalize(path).map_err(StoreError::io("read", path))?;
    if let Some(store) = real.ancestors().skip(1).find(|folder| EventStore::is_at(folder)) {
        return Err(StoreError::PartOfStore { path: path.to_owned(), store: store.to_owned() });
    }
    // Nobody writes the table now, and what a run that was killed left beside it is cleared.
    drop(StagedFile::begin(path)?);
    let not_ours = |_| StoreError::NotAResult { path: path.to_owned() };
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(StoredFile::unrecorded(path)?).map_err(not_ours)?;
    let metadata = builder.metadata().file_metadata();
    let pairs = metadata.key_value_metadata().into_iter().flatten();
    let table = pairs.filter(|pair| pair.key == "cip.table").find_map(|pair| pair.value.clone());
    let table = table.ok_or_else(|| StoreError::NotAResult { path: path.to_owned() })?;
    let rows_before = metadata.num_rows().max(0).cast_unsigned();
    let id_column = id_column(&table, builder.schema()).map(str::to_owned);
    let mut erased = ErasedFile {
        path: path.to_owned(),
        content: match &id_column {
            Some(_) => FileContent::Rows,
            None if table == "rejects" => FileContent::Rows,
            None if AGGREGATES.contains(&table.as_str()) => FileContent::Aggregates,
            None => FileContent::NoUsers,
        },
        table,
        rows_before,
        erased: 0,
        found: 0,
        mentions: 0,
    };
    let keep = |batch: &arrow_array::RecordBatch, place: usize| -> Result<BooleanArray, StoreError> {
        match &id_column {
            Some(name) => {
                let ids = TableColumn::new(path, name, 0, batch.column(place)).ids()?;
                Ok((0..ids.len()).map(|row| Some(!ids.get(row).is_some_and(|id| users.has(id)))).collect())
            }
            None => Ok(rejected(batch)?.iter().map(|row| Some(!is_theirs(row))).collect()),
        }
    };
    if erased.content != FileContent::Rows {
        return Ok(erased.after(search(&StoredFile::unrecorded(path)?, path, None, users)?));
    }
    let place = id_column.as_deref().and_then(|name| builder.schema().index_of(name).ok());
    let mask = match place {
        Some(place) => ProjectionMask::roots(builder.parquet_schema(), [place]),
        None => ProjectionMask::all(),
    };
    for batch in builder.with_projection(mask).build().map_err(StoreError::parquet(path))? {
        let batch = batch.map_err(|error| StoreError::parquet(path)(error.into()))?;
        erased.erased += keep(&batch, 0)?.false_count() as u64;
    }
    if erased.erased > 0 {
        let rows = read_table(path)?;
        let mut out = TableWriter::create(path, &erased.table, &rows.schema())?;
        for batch in rows {
            let batch = batch?;
            out.write(filter_record_batch(&batch, &keep(&batch, place.unwrap_or_default())?)?)?;
        }
        out.finish()?;
    }
    let mut found = search(&StoredFile::unrecorded(path)?, path, id_column.as_deref(), users)?;
    if id_column.is_none() {
        for batch in read_table(path)? {
            found.ids += rejected(&batch?)?.iter().filter(|row| is_theirs(row)).count() as u64;
        }
    }
    Ok(erased.after(found))
}

/// The column that says whose a row is: `user_id`, or of assignments the first, which has the name of the table's ids.
fn id_column<'a>(table: &str, schema: &'a Schema) -> Option<&'a str> {
    let first = schema.fields().first().map(|field| field.name().as_str());
    match table {
        "assignments" => first,
        _ => schema.field_with_name(column::USER_ID).ok().map(|field| field.name().as_str()),
    }
}
