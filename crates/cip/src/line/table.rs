//! Result tables that are in memory as a whole.

use std::path::Path;

use arrow_array::RecordBatch;
use cip_store::TableWriter;

use crate::line::LineError;

/// Writes `table`, whose name goes into the file's metadata, to `path`, and returns its number of rows.
///
/// # Errors
/// [`LineError`]; the old file at `path` is then still there.
pub fn write_table(path: &Path, table: &str, batch: RecordBatch) -> Result<u64, LineError> {
    let mut writer = TableWriter::create(path, table, &batch.schema())?;
    writer.write(batch)?;
    Ok(writer.finish()?)
}
