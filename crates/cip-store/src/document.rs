//! Documents: one JSON file each, written atomically.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::StoreError;
use crate::staged::{StagedFile, is_marker};

/// Writes a JSON document to `path`, whole or not at all; `write` makes its bytes.
///
/// It replaces an empty file, or a document that cip wrote: one with a `format` that starts with `cip-`.
///
/// # Errors
/// [`StoreError::NotOurs`] where something else is there, [`StoreError::Busy`] where another run writes it,
/// [`StoreError::Io`], and what `write` fails with. The old file is then still there.
///
/// # Examples
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("model.json");
/// use std::io::Write;
/// use cip_store::{StoreError, write_document};
///
/// for version in 1..=2 {
///     write_document(&path, |file| {
///         write!(file, r#"{{"format":"cip-model","version":{version}}}"#)
///             .map_err(|source| StoreError::Io { action: "write", path: path.clone(), source })
///     })?;
/// }
/// std::fs::write(&path, "notes")?;
/// assert!(write_document(&path, |_| Ok::<(), StoreError>(())).is_err());
/// assert_eq!(std::fs::read_to_string(&path)?, "notes");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_document<E: From<StoreError>>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    if path.exists() && !(fs::metadata(path).is_ok_and(|file| file.len() == 0) || is_marker(path)) {
        return Err(StoreError::NotOurs { path: path.to_owned() }.into());
    }
    let staged = StagedFile::begin(path)?;
    let file = File::create(staged.path()).map_err(StoreError::io("create", staged.path()))?;
    let mut file = BufWriter::new(file);
    write(&mut file)?;
    file.flush().map_err(StoreError::io("write", staged.path()))?;
    Ok(staged.publish()?)
}
