//! What is kept of a table: a profile of every column, in bounded memory, that can be merged.

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use cip_core::MemoryBudget;
use serde::{Deserialize, Serialize};

use crate::column::{ColumnKind, ColumnProfile};
use crate::error::DriftError;

/// The distribution of every column of a table, from all its batches.
///
/// A column keeps a count for each of its values up to [`TableProfile::MOST_CELLS`] different ones, so that nothing is lost. Beyond, numbers
/// whose last bits differ share a count, and texts whose hashes do: as few bits are dropped as are needed.
///
/// # Invariant
/// Any split of the rows into batches and any order of pushes and merges gives the same profile.
///
/// # Complexity
/// A hash table's step a value; memory for at most 16 bytes a cell and, of texts, for the first 64 letters of each.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use arrow_array::{ArrayRef, Int64Array, RecordBatch};
/// use cip_drift::TableProfile;
///
/// let visits: ArrayRef = Arc::new(Int64Array::from_iter([Some(3), None, Some(7)]));
/// let batch = RecordBatch::try_from_iter_with_nullable([("visits", visits, true)])?;
/// let mut profile = TableProfile::new(&batch.schema());
/// profile.push(&batch)?;
/// let mut other = TableProfile::new(&batch.schema());
/// other.push(&batch.slice(1, 2))?;
/// profile.merge(&other)?;
/// assert_eq!((profile.rows(), profile.missing("visits")), (5, Some(2)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TableProfile {
    pub(crate) rows: u64,
    pub(crate) columns: Vec<Profiled>,
    pub(crate) skipped: Vec<SkippedColumn>,
}

#[derive(Debug, Clone)]
pub(crate) struct Profiled {
    pub(crate) name: Box<str>,
    pub(crate) profile: ColumnProfile,
}

/// A column that is not compared: its values have no distribution that says something, such as dates and lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SkippedColumn {
    /// Its name.
    pub column: Box<str>,
    /// Its type.
    pub data_type: String,
}

impl TableProfile {
    /// The most counts that a column has.
    pub const MOST_CELLS: usize = 1 << 16;

    /// Returns a profile of no rows, of all columns of a schema.
    pub fn new(schema: &Schema) -> Self {
        let mut table = Self { rows: 0, columns: Vec::new(), skipped: Vec::new() };
        for field in schema.fields() {
            let (name, data_type) = (field.name().as_str().into(), field.data_type());
            match ColumnKind::of(data_type) {
                Some(kind) => {
                    let profile = ColumnProfile::new(kind, Self::MOST_CELLS);
                    table.columns.push(Profiled { name, profile });
                }
                None => table.skipped.push(SkippedColumn { column: name, data_type: data_type.to_string() }),
            }
        }
        table
    }

    /// Keeps at most `cells` counts a column, at least two and at most [`TableProfile::MOST_CELLS`].
    #[must_use]
    pub fn with_cells(mut self, cells: usize) -> Self {
        for column in &mut self.columns {
            column.profile = ColumnProfile::new(column.profile.kind, cells.min(Self::MOST_CELLS));
        }
        self.rows = 0;
        self
    }

    /// Returns how many counts a column may have where profiles of two tables of `columns` columns share a budget.
    ///
    /// # Errors
    /// [`CoreError::Memory`](cip_core::CoreError::Memory) where it is not enough for 1,024 each.
    pub fn cells_within(memory: MemoryBudget, columns: usize) -> Result<usize, DriftError> {
        /// A cell in a hash table that is half full, its text, and a sorted copy.
        const CELL_BYTES: u64 = 224;
        /// What a process and the batches that it reads take.
        const BASE_BYTES: u64 = 32 << 20;
        const FEWEST: u64 = 1_024;
        let bytes = |cells: u64| BASE_BYTES + 2 * columns as u64 * cells * CELL_BYTES;
        memory.require("drift", MemoryBudget::from_bytes(bytes(FEWEST)))?;
        let mut cells = Self::MOST_CELLS as u64;
        while bytes(cells) > memory.bytes() {
            cells /= 2;
        }
        Ok(cells as usize)
    }

    /// Adds the rows of a batch; columns that the profile has not are not looked at.
    ///
    /// # Errors
    /// [`DriftError::MissingColumn`], [`DriftError::ColumnType`].
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), DriftError> {
        for column in &mut self.columns {
            let Some(array) = batch.column_by_name(&column.name) else {
                let columns =
                    batch.schema().fields().iter().map(|field| field.name().as_str().into()).collect();
                return Err(DriftError::MissingColumn {
                    table: "pushed",
                    column: column.name.clone(),
                    columns,
                });
            };
            if ColumnKind::of(array.data_type()) != Some(column.profile.kind) {
                return Err(DriftError::ColumnType {
                    column: column.name.clone(),
                    found: array.data_type().clone(),
                    expected: column.profile.kind,
                });
            }
            column.profile.push(array)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Adds the rows of another profile of the same columns.
    ///
    /// # Errors
    /// [`DriftError::MissingColumn`], [`DriftError::ColumnKind`]; this profile is then as it was.
    pub fn merge(&mut self, other: &Self) -> Result<(), DriftError> {
        for column in &self.columns {
            let Some(more) = other.find(&column.name) else {
                return Err(DriftError::MissingColumn {
                    table: "pushed",
                    column: column.name.clone(),
                    columns: other.names(),
                });
            };
            if more.profile.kind != column.profile.kind {
                return Err(DriftError::ColumnKind {
                    column: column.name.clone(),
                    found: more.profile.kind,
                    expected: column.profile.kind,
                });
            }
        }
        for column in &mut self.columns {
            if let Some(more) = other.find(&column.name) {
                column.profile.merge(&more.profile);
            }
        }
        self.rows += other.rows;
        Ok(())
    }

    /// Returns the profile of those columns for whose names `keep` holds.
    #[must_use]
    pub fn retain(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.columns.retain(|column| keep(&column.name));
        self.skipped.retain(|column| keep(&column.column));
        self
    }

    /// Rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The rows in which a column is null or NaN; none where it is not profiled.
    pub fn missing(&self, column: &str) -> Option<u64> {
        Some(self.find(column)?.profile.missing)
    }

    /// The columns that are not compared.
    pub fn skipped(&self) -> &[SkippedColumn] {
        &self.skipped
    }

    pub(crate) fn columns(&self) -> &[Profiled] {
        &self.columns
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Profiled> {
        self.columns.iter().find(|column| *column.name == *name)
    }

    pub(crate) fn names(&self) -> Vec<Box<str>> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Date32Array, Int64Array, StringArray};
    use std::sync::Arc;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn batches_of_another_schema_are_refused() {
        let table = batch(vec![
            ("n", Arc::new(Int64Array::from(vec![1]))),
            ("day", Arc::new(Date32Array::from(vec![1]))),
        ]);
        let mut profile = TableProfile::new(&table.schema());
        assert_eq!(profile.skipped()[0].data_type, "Date32");
        let texts = batch(vec![("n", Arc::new(StringArray::from(vec!["1"])))]);
        let error = profile.push(&texts).unwrap_err().to_string();
        assert_eq!(error, "column `n` is Utf8, expected numbers: give batches of one schema");
        let error =
            profile.push(&batch(vec![("m", Arc::new(Int64Array::from(vec![1])))])).unwrap_err().to_string();
        assert!(error.contains("no column `n`: name one of [\"m\"]"), "{error}");
        assert!(profile.merge(&TableProfile::new(&texts.schema())).is_err());
        profile.push(&table).unwrap();
        assert_eq!(profile.rows(), 1);
    }

    #[test]
    fn less_memory_makes_fewer_cells() {
        let cells = |mib, columns| TableProfile::cells_within(MemoryBudget::from_mib(mib), columns);
        assert_eq!(cells(512, 10).unwrap(), TableProfile::MOST_CELLS);
        assert!(cells(64, 10).unwrap() < TableProfile::MOST_CELLS);
        let error = cells(33, 1_000).unwrap_err().to_string();
        assert!(error.starts_with("drift needs at least"), "{error}");
    }
}
