//! Pages, and other files that start with a mark of their own, written atomically.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use crate::error::StoreError;
use crate::staged::StagedFile;

/// Writes a page or another file, which starts with `mark`, to `path`, whole or not at all.
///
/// It replaces an empty file, or one that starts with the same mark: one of this kind that was written before.
///
/// # Errors
/// [`StoreError::NotOurs`] where something else is there, [`StoreError::Busy`] where another run writes it, [`StoreError::Io`]. The
/// old file is then still there.
///
/// # Examples
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("card.md");
/// cip_store::write_page(&path, "<!-- card -->", "<!-- card -->\n# Old")?;
/// cip_store::write_page(&path, "<!-- card -->", "<!-- card -->\n# New")?;
/// assert!(std::fs::read_to_string(&path)?.ends_with("# New"));
/// std::fs::write(&path, "notes")?;
/// assert!(cip_store::write_page(&path, "<!-- card -->", "<!-- card -->\n# New").is_err());
/// assert_eq!(std::fs::read_to_string(&path)?, "notes");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_page(path: &Path, mark: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Result<(), StoreError> {
    let mark = mark.as_ref();
    if path.exists() && !(fs::metadata(path).is_ok_and(|file| file.len() == 0) || starts_with(path, mark)) {
        return Err(StoreError::NotOurs { path: path.to_owned() });
    }
    let staged = StagedFile::begin(path)?;
    let mut file = File::create(staged.path()).map_err(StoreError::io("create", staged.path()))?;
    file.write_all(content.as_ref()).map_err(StoreError::io("write", staged.path()))?;
    staged.publish()
}

fn starts_with(path: &Path, mark: &[u8]) -> bool {
    let mut start = vec![0; mark.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == mark
}
