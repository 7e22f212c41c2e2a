//! Small tables that people read: Parquet, or CSV for a spreadsheet.

use std::path::Path;

use cip::arrow_array::RecordBatch;
use cip::line::write_table;
use cip::store::write_csv;

use crate::error::CliError;

/// Writes a table that names no customer: as CSV where `out` ends in `.csv`, else as Parquet.
pub(crate) fn write(out: &Path, name: &str, table: RecordBatch) -> Result<(), CliError> {
    if out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
        write_csv(out, &table)?;
    } else {
        write_table(out, name, table)?;
    }
    Ok(())
}
