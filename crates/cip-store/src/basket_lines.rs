//! Baskets in a text file: one a line, its items behind each other.

use std::path::{Path, PathBuf};

use crate::csv_records::CsvRecords;
use crate::error::StoreError;

/// A file with one basket a line, as the transactions of frequent-itemset benchmarks come.
///
/// # Input
/// UTF-8, LF or CRLF, items split by the separator. A name that holds the separator stands in quotes (RFC 4180); names are not
/// trimmed. A separator with nothing before or behind it adds no item. Empty lines are left out; a line of separators alone has no
/// items.
///
/// # Examples
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("baskets.csv");
/// std::fs::write(&path, "milk,cream cheese ,\"bread, rye\"\r\n\r\nmilk,,\r\n")?;
/// let mut lines = cip_store::BasketLines::open(&path, b',')?;
/// let mut baskets = Vec::new();
/// while let Some(basket) = lines.next_line()? {
///     baskets.push(basket.map(str::to_owned).collect::<Vec<_>>());
/// }
/// assert_eq!(baskets, [vec!["milk", "cream cheese ", "bread, rye"], vec!["milk"]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BasketLines {
    path: PathBuf,
    records: CsvRecords,
}

/// The most items of a line.
const MOST_ITEMS: usize = 1 << 22;

impl BasketLines {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`StoreError::NotATable`] where it is no regular file, [`StoreError::Io`].
    pub fn open(path: &Path, separator: u8) -> Result<Self, StoreError> {
        let metadata = std::fs::metadata(path).map_err(StoreError::io("read", path))?;
        if !metadata.is_file() {
            return Err(StoreError::NotATable { path: path.to_owned() });
        }
        let records = CsvRecords::open(path, separator)?.with_most_fields(MOST_ITEMS);
        Ok(Self { path: path.to_owned(), records })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the names of the next line's items, as they stand; none behind the last line.
    ///
    /// # Errors
    /// [`StoreError::CsvLine`] with the line that is not text, opens a quote that is not closed, or is longer than 16 MiB;
    /// [`StoreError::Io`].
    pub fn next_line(&mut self) -> Result<Option<impl Iterator<Item = &str>>, StoreError> {
        let record = self.records.next()?;
        Ok(record.map(|record| record.into_fields().filter(|item| !item.is_empty())))
    }
}

impl std::fmt::Debug for BasketLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BasketLines").field("path", &self.path).finish_non_exhaustive()
    }
}
