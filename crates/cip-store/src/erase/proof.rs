//! The proof of an erasure: what was written is read again and searched for the users.

use std::path::Path;

use cip_core::{IdRef, column};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;

use super::users::ErasedUsers;
use crate::error::StoreError;
use crate::manifest::Manifest;
use crate::table_column::TableColumn;

/// What a search found of the users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Occurrences {
    /// Their ids where ids stand.
    pub(super) ids: u64,
    /// Words of other texts that are like an id.
    pub(super) mentions: u64,
}

/// Ids of other things than users: that one is like a user's says nothing.
const OTHER_IDS: [&str; 5] =
    [column::PRODUCT_ID, column::CATEGORY_ID, column::ORDER_ID, "product_a", "product_b"];

/// Searches a Parquet file: of `id_column` every value, every bound of the statistics, and every entry of a dictionary, used or
/// not; of other texts the bytes of every page, uncompressed.
pub(super) fn search<R: ChunkReader + Clone + 'static>(
    file: &R,
    path: &Path,
    id_column: Option<&str>,
    users: &ErasedUsers,
) -> Result<Occurrences, StoreError> {
    let mut found = search_pages(file, id_column, users).map_err(StoreError::parquet(path))?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file.clone()).map_err(StoreError::parquet(path))?;
    let Some(place) = id_column.and_then(|name| builder.schema().index_of(name).ok()) else {
        return Ok(found);
    };
    let mask = ProjectionMask::roots(builder.parquet_schema(), [place]);
    let rows = builder.with_projection(mask).build().map_err(StoreError::parquet(path))?;
    for batch in rows {
        let batch = batch.map_err(|error| StoreError::parquet(path)(error.into()))?;
        let ids = TableColumn::new(path, id_column.unwrap_or_default(), 0, batch.column(0)).ids()?;
        found.ids += ids
            .runs()
            .filter(|(id, _)| id.is_some_and(|id| users.has(id)))
            .map(|(_, rows)| rows.len() as u64)
            .sum::<u64>();
    }
    Ok(found)
}

fn search_pages<R: ChunkReader + Clone + 'static>(
    file: &R,
    id_column: Option<&str>,
    users: &ErasedUsers,
) -> Result<Occurrences, ParquetError> {
    let reader = SerializedFileReader::new(file.clone())?;
    let mut found = Occurrences::default();
    for group in 0..reader.metadata().num_row_groups() {
        let rows = reader.get_row_group(group)?;
        for (column, chunk) in rows.metadata().columns().iter().enumerate() {
            let parts = chunk.column_path().parts();
            let is_id = parts.first().map(String::as_str) == id_column && parts.len() == 1;
            if is_id {
                found.ids += chunk.statistics().map_or(0, |bounds| named_by_bounds(bounds, users));
            } else if chunk.column_type() != Type::BYTE_ARRAY
                || parts.iter().any(|name| OTHER_IDS.contains(&name.as_str()))
            {
                continue;
            }
            let mut pages = rows.get_column_page_reader(column)?;
            while let Some(page) = pages.get_next_page()? {
                match page {
                    Page::DictionaryPage { buf, .. } if is_id => {
                        found.ids += named_by_entries(&buf, chunk.column_type(), users);
                    }
                    _ if is_id => (),
                    // Codes of a dictionary may look like anything.
                    Page::DataPage { encoding, .. } | Page::DataPageV2 { encoding, .. }
                        if matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY) => {}
                    page => found.mentions += users.named_in(page.buffer()),
                }
            }
        }
    }
    Ok(found)
}

fn named_by_bounds(bounds: &Statistics, users: &ErasedUsers) -> u64 {
    let bytes = [bounds.min_bytes_opt(), bounds.max_bytes_opt()];
    let is_text = matches!(bounds, Statistics::ByteArray(_));
    let names = |bytes: &[u8]| if is_text { names_text(bytes, users) } else { names_integer(bytes, users) };
    bytes.into_iter().flatten().filter(|bytes| names(bytes)).count() as u64
}

/// Looks at every entry of a dictionary, whether or not a row has it.
fn named_by_entries(page: &[u8], physical: Type, users: &ErasedUsers) -> u64 {
    let width = match physical {
        Type::INT64 => 8,
        Type::INT32 => 4,
        _ => 0,
    };
    if width > 0 {
        return page.chunks_exact(width).filter(|bytes| names_integer(bytes, users)).count() as u64;
    }
    let (mut found, mut rest) = (0, page);
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some((text, behind)) = behind.split_at_checked(length) else { break };
        found += u64::from(names_text(text, users));
        rest = behind;
    }
    found
}

fn names_integer(bytes: &[u8], users: &ErasedUsers) -> bool {
    let value = match (<[u8; 8]>::try_from(bytes), <[u8; 4]>::try_from(bytes)) {
        (Ok(bytes), _) => i64::from_le_bytes(bytes),
        (_, Ok(bytes)) => i64::from(i32::from_le_bytes(bytes)),
        _ => return false,
    };
    users.has(IdRef::Int64(value))
}

fn names_text(bytes: &[u8], users: &ErasedUsers) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| users.has(IdRef::Utf8(text)))
}

/// Searches the manifest: the users of row groups, and all its texts.
pub(super) fn search_manifest(
    manifest: &Manifest,
    users: &ErasedUsers,
) -> Result<Occurrences, serde_json::Error> {
    let spans = manifest.commits.iter().flat_map(|commit| &commit.events).flat_map(|file| &file.row_groups);
    let ids = spans.flat_map(|span| &span.users).flatten().filter(|id| users.has(id.as_ref())).count() as u64;
    let mut mentions = users.named_in(&serde_json::to_vec(&manifest.mapping)?);
    for document in
        manifest.experiment.iter().chain(manifest.commits.iter().flat_map(|commit| &commit.quality))
    {
        mentions += named_by_texts(document, users);
    }
    let sources = manifest.commits.iter().flat_map(|commit| &commit.sources);
    mentions += sources.map(|source| users.named_in(source.name.as_bytes())).sum::<u64>();
    Ok(Occurrences { ids, mentions })
}

/// Counts are no ids: only the texts of a document are looked at.
fn named_by_texts(document: &serde_json::Value, users: &ErasedUsers) -> u64 {
    match document {
        serde_json::Value::String(text) => users.named_in(text.as_bytes()),
        serde_json::Value::Array(parts) => parts.iter().map(|part| named_by_texts(part, users)).sum(),
        serde_json::Value::Object(parts) => parts.values().map(|part| named_by_texts(part, users)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cip_core::IdType;

    #[test]
    fn entries_of_a_dictionary_and_bounds_are_ids_whether_or_not_a_row_has_them() {
        let texts = ErasedUsers::new(IdType::Utf8, ["ann"]).unwrap();
        let mut page = Vec::new();
        for text in ["anna", "ann", "bob"] {
            page.extend_from_slice(&(text.len() as u32).to_le_bytes());
            page.extend_from_slice(text.as_bytes());
        }
        assert_eq!(named_by_entries(&page, Type::BYTE_ARRAY, &texts), 1);
        // A page that is cut ends the search.
        assert_eq!(named_by_entries(&page[..page.len() - 1], Type::BYTE_ARRAY, &texts), 1);
        assert_eq!(named_by_entries(&[9, 0, 0], Type::BYTE_ARRAY, &texts), 0);
        let integers = ErasedUsers::new(IdType::Int64, ["-7", "300"]).unwrap();
        let page: Vec<u8> = [7i64, -7, 300, 1].iter().flat_map(|id| id.to_le_bytes()).collect();
        assert_eq!(named_by_entries(&page, Type::INT64, &integers), 2);
        let bounds = Statistics::int64(Some(-7), Some(9), None, None, false);
        assert_eq!(named_by_bounds(&bounds, &integers), 1);
        let bounds = Statistics::byte_array(Some("ann".into()), Some("ann".into()), None, None, false);
        assert_eq!(named_by_bounds(&bounds, &texts), 2);
    }

    #[test]
    fn counts_of_a_document_are_no_ids() {
        let users = ErasedUsers::new(IdType::Int64, ["7"]).unwrap();
        let document =
            serde_json::json!({ "rows": 7, "example": ["user_id 7", { "raw": "7,view" }], "seven": "77" });
        assert_eq!(named_by_texts(&document, &users), 2);
    }
}
