//! A table to learn from or to score: which of its columns are ids, and which are features.

use std::path::Path;

use cip_store::TableSource;

use crate::scoring::ScoringError;

/// The id column where none is named.
const DEFAULT_ID: &str = "user_id";

/// A table, Parquet or CSV, of which some columns are ids: carried into the scores, and never used as features.
#[derive(Debug, Clone)]
pub struct ScoringTable {
    pub(super) source: TableSource,
    ids: Vec<String>,
}

impl ScoringTable {
    /// Opens a table whose id is `user_id`, where it has such a column.
    ///
    /// # Errors
    /// As [`TableSource::open`].
    pub fn open(path: &Path) -> Result<Self, ScoringError> {
        let source = TableSource::open(path)?;
        let ids = source.schema().index_of(DEFAULT_ID).map(|_| DEFAULT_ID.to_owned()).into_iter().collect();
        Ok(Self { source, ids })
    }

    /// Names the id columns; rows are split by the first.
    ///
    /// # Errors
    /// [`StoreError::UnknownColumn`](cip_store::StoreError::UnknownColumn).
    pub fn with_ids(mut self, ids: &[impl AsRef<str>]) -> Result<Self, ScoringError> {
        let names: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        self.require(&names)?;
        self.ids = names.into_iter().map(str::to_owned).collect();
        Ok(self)
    }

    /// Checks that the table has these columns.
    ///
    /// # Errors
    /// [`StoreError::UnknownColumn`](cip_store::StoreError::UnknownColumn).
    pub fn require(&self, columns: &[&str]) -> Result<(), ScoringError> {
        self.source.batches(columns)?;
        Ok(())
    }

    /// Whether the table has this column.
    pub fn has(&self, column: &str) -> bool {
        self.source.schema().index_of(column).is_ok()
    }

    /// The id columns.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// Returns the columns that are neither ids nor in `others`, in the table's order: the features.
    pub fn columns_without(&self, others: &[&str]) -> Vec<String> {
        let fields = self.source.schema().fields().iter().map(|field| field.name());
        fields.filter(|name| !self.ids.contains(name) && !others.contains(&name.as_str())).cloned().collect()
    }
}
