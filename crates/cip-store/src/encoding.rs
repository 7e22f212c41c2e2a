//! How each column is encoded: chosen a column by what its values look like in (user, time) order.

use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use cip_core::column;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::event_form::EVENT_SECOND;
use crate::offers::OFFER;

/// Rows of a row group: the unit that is encoded, pruned and read at once.
pub(crate) const ROW_GROUP_ROWS: usize = 131_072;

/// Rows of a row group of `table`. A row of rejects may hold 64 KiB of the line as it was.
pub(crate) fn row_group_rows(table: &str) -> usize {
    if table == "rejects" { 1_024 } else { ROW_GROUP_ROWS }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Values that repeat.
    Dictionary,
    /// Sorted or slowly growing integers.
    Delta,
    /// Users and times in the order of (user, time).
    ByteDelta,
    /// Times so far apart that no codec makes their differences smaller.
    PackedDelta,
    /// Fixed-width values of which the high bytes are alike.
    ByteStreamSplit,
    /// Bytes that no codec makes smaller.
    Incompressible,
}

pub(crate) fn scheme(name: &str, data_type: &DataType) -> Scheme {
    match (name, data_type) {
        (_, DataType::FixedSizeBinary(_)) => Scheme::Incompressible,
        (column::USER_ID, DataType::Int64) | (column::EVENT_TIME, _) => Scheme::ByteDelta,
        ("session_start" | "session_end", DataType::Timestamp(..)) | (EVENT_SECOND, DataType::Int64) => {
            Scheme::PackedDelta
        }
        (OFFER, DataType::UInt32) => Scheme::ByteStreamSplit,
        (column::SOURCE_SESSION | "product_code" | "byte_start" | "byte_end" | "line", _) => Scheme::Delta,
        (_, DataType::Timestamp(..)) => Scheme::ByteStreamSplit,
        // Means seldom repeat.
        ("avg_price", _) => Scheme::ByteStreamSplit,
        ("session_key", _) => Scheme::Incompressible,
        _ => Scheme::Dictionary,
    }
}

/// Whether Parquet keeps the values as FIXED_LEN_BYTE_ARRAY.
///
/// Such a column has no statistics: the writer's minimum and maximum are slices that keep the values of the whole row group
/// in memory until the file ends (350 MB for the revenue of 22 million sessions), and nobody prunes by a UUID or a sum.
fn is_fixed_length_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::FixedSizeBinary(_) | DataType::Decimal128(19.., _))
}

/// The order of a store's events, for engines that make use of it.
fn sorting_columns(table: &str, schema: &Schema) -> Option<Vec<SortingColumn>> {
    let ascending = |name| {
        let column_idx = i32::try_from(schema.index_of(name).ok()?).ok()?;
        Some(SortingColumn { column_idx, descending: false, nulls_first: false })
    };
    (table == "events").then(|| {
        [column::USER_ID, column::EVENT_TIME, EVENT_SECOND].into_iter().filter_map(ascending).collect()
    })
}

/// Returns the writer properties of a table; `table` is written into the file's metadata.
pub(crate) fn writer_properties(table: &str, schema: &Schema) -> Arc<WriterProperties> {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let mut properties = WriterProperties::builder()
        .set_created_by(format!("cip {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![KeyValue::new("cip.table".to_owned(), table.to_owned())]))
        .set_compression(zstd)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_dictionary_page_size_limit(4 << 20)
        .set_sorting_columns(sorting_columns(table, schema));
    for field in schema.fields() {
        let path = ColumnPath::from(field.name().as_str());
        if is_fixed_length_bytes(field.data_type()) {
            properties = properties.set_column_statistics_enabled(path.clone(), EnabledStatistics::None);
        }
        let fixed = |builder: parquet::file::properties::WriterPropertiesBuilder, encoding| {
            builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), encoding)
        };
        properties = match scheme(field.name(), field.data_type()) {
            Scheme::Dictionary => properties,
            Scheme::Delta if field.data_type().is_integer() => {
                fixed(properties, Encoding::DELTA_BINARY_PACKED)
            }
            Scheme::Delta => properties,
            Scheme::ByteStreamSplit | Scheme::ByteDelta => fixed(properties, Encoding::BYTE_STREAM_SPLIT),
            Scheme::PackedDelta => fixed(properties, Encoding::DELTA_BINARY_PACKED)
                .set_column_compression(path.clone(), Compression::UNCOMPRESSED),
            Scheme::Incompressible => fixed(properties, Encoding::PLAIN)
                .set_column_compression(path.clone(), Compression::UNCOMPRESSED),
        };
    }
    Arc::new(properties.build())
}
