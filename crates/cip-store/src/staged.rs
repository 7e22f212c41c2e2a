//! Files and folders that appear whole or not at all.
//!
//! Everything is written to a hidden neighbour of its target (`.NAME.cip-staging`) and put in place by one rename.
//! A run that is killed leaves the old target as it was; the next run clears what was left behind.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::crash::{self, Moment};
use crate::error::StoreError;

/// The marker files by which a folder is known to be cip's: each is JSON with a `format` that starts with `cip-`.
const MARKERS: [&str; 3] = ["manifest.json", "summary.json", "generated.json"];

/// A file that is being written beside its target.
///
/// Dropped without [`StagedFile::publish`], it disappears.
#[derive(Debug)]
pub struct StagedFile {
    staging: PathBuf,
    target: PathBuf,
    published: bool,
    _lock: Lock,
}

impl StagedFile {
    /// Starts a file that will replace `target`.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where another process writes the same target, [`StoreError::NotOurs`] where it is a
    /// folder, [`StoreError::Io`] where the folder above it cannot be written.
    pub fn begin(target: &Path) -> Result<Self, StoreError> {
        let target: &Path = &behind_links(target)?;
        if target.exists() && !target.is_file() {
            return Err(StoreError::NotOurs { path: target.to_owned() });
        }
        let lock = Lock::acquire(target)?;
        Ok(Self {
            staging: neighbour(target, "cip-staging")?,
            target: target.to_owned(),
            published: false,
            _lock: lock,
        })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.staging
    }

    /// Puts the file in place of its target.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the old target is then still there.
    pub fn publish(mut self) -> Result<(), StoreError> {
        sync(&self.staging)?;
        fs::rename(&self.staging, &self.target).map_err(StoreError::io("replace", &self.target))?;
        self.published = true;
        sync(&parent(&self.target))
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.staging);
        }
    }
}

/// A folder that is being written beside its target.
///
/// Dropped without [`StagedFolder::publish`], it disappears.
#[derive(Debug)]
pub struct StagedFolder {
    staging: PathBuf,
    target: PathBuf,
    published: bool,
    _lock: Lock,
}

impl StagedFolder {
    /// Starts a folder that will replace `target`, which must be absent, empty, or a folder that cip wrote.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`], [`StoreError::Busy`] or [`StoreError::Io`].
    pub fn begin(target: &Path) -> Result<Self, StoreError> {
        let target: &Path = &behind_links(target)?;
        let lock = Lock::acquire(target)?;
        if !may_replace(target)? {
            return Err(StoreError::NotOurs { path: target.to_owned() });
        }
        let staging = neighbour(target, "cip-staging")?;
        remove_folder(&staging)?;
        fs::create_dir(&staging).map_err(StoreError::io("create", &staging))?;
        Ok(Self { staging, target: target.to_owned(), published: false, _lock: lock })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.staging
    }

    /// Writes a small file into the folder and makes its bytes last: the marker by which the folder is known as cip's.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.staging.join(name);
        fs::write(&path, bytes).map_err(StoreError::io("write", &path))?;
        sync(&path)
    }

    /// The folder that will be replaced.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Puts the folder in place of its target.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the old target is then still there.
    pub fn publish(mut self) -> Result<(), StoreError> {
        sync(&self.staging)?;
        crash::point(Moment::Staged)?;
        match fs::rename(&self.staging, &self.target) {
            Ok(()) => {}
            // The target holds files: swap the two in one step, then remove the old one.
            Err(_) if self.target.is_dir() => {
                // Somebody may have put something there since the run began.
                if !may_replace(&self.target)? {
                    return Err(StoreError::NotOurs { path: self.target.clone() });
                }
                exchange(&self.staging, &self.target).map_err(StoreError::io("replace", &self.target))?;
                crash::point(Moment::FolderMoved)?;
                sync(&parent(&self.target))?;
                // The new folder is in place: what cannot be removed of the old one is cleared by the next run.
                let _ = remove_folder(&self.staging);
            }
            Err(source) => return Err(StoreError::io("create", &self.target)(source)),
        }
        self.published = true;
        sync(&parent(&self.target))
    }
}

impl StagedFolder {
    /// Moves `folder` of this folder to the same place in the target, then puts `document` in place of the target's:
    /// until then nobody knows of what was moved.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the target's document is then still the old one.
    pub(crate) fn add(mut self, folder: &str, document: &str) -> Result<(), StoreError> {
        let moved = self.target.join(folder);
        crash::point(Moment::Staged)?;
        fs::rename(self.staging.join(folder), &moved).map_err(StoreError::io("create", &moved))?;
        sync(&parent(&moved))?;
        crash::point(Moment::FolderMoved)?;
        let replaced = self.target.join(document);
        fs::rename(self.staging.join(document), &replaced).map_err(StoreError::io("replace", &replaced))?;
        crash::point(Moment::DocumentReplaced)?;
        sync(&self.target)?;
        self.published = true;
        // What cannot be removed is cleared by the next run.
        let _ = remove_folder(&self.staging);
        Ok(())
    }
}

impl StagedFolder {
    /// Puts `document` in place of the target's, and nothing else.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the target's document is then still the old one.
    pub(crate) fn replace_document(mut self, document: &str) -> Result<(), StoreError> {
        crash::point(Moment::Staged)?;
        let replaced = self.target.join(document);
        fs::rename(self.staging.join(document), &replaced).map_err(StoreError::io("replace", &replaced))?;
        crash::point(Moment::DocumentReplaced)?;
        sync(&self.target)?;
        self.published = true;
        let _ = remove_folder(&self.staging);
        Ok(())
    }
}

impl Drop for StagedFolder {
    fn drop(&mut self) {
        if !self.published && !crash::happened() {
            let _ = fs::remove_dir_all(&self.staging);
        }
    }
}

/// An exclusive lock on a target: `.NAME.cip-lock` beside it, gone when the lock is dropped.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    // Held for its lock; a process that dies gives it back.
    _file: File,
}

impl Lock {
    fn acquire(target: &Path) -> Result<Self, StoreError> {
        let path = neighbour(target, "cip-lock")?;
        loop {
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(StoreError::io("create", &path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(StoreError::Busy { path: target.to_owned() }),
                Err(TryLockError::Error(source)) => return Err(StoreError::io("lock", &path)(source)),
            }
            // Whoever held it before may have removed the file between our opening and our locking.
            let ours = file.metadata().map_err(StoreError::io("read", &path))?;
            if fs::metadata(&path).is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes the bytes of a file, or the names in a folder, last.
pub(crate) fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(StoreError::io("sync", path))
}

/// Where a target that is a symbolic link leads: what is there is replaced, and the link stays.
fn behind_links(target: &Path) -> Result<PathBuf, StoreError> {
    if target.is_symlink() {
        fs::canonicalize(target).map_err(StoreError::io("follow", target))
    } else {
        Ok(target.to_owned())
    }
}

fn may_replace(target: &Path) -> Result<bool, StoreError> {
    match fs::read_dir(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(StoreError::io("read", target)(error)),
        Ok(mut entries) => {
            Ok(entries.next().is_none() || MARKERS.iter().any(|name| is_marker(&target.join(name))))
        }
    }
}

/// Whether a file is JSON with a `format` that is cip's.
pub(crate) fn is_marker(path: &Path) -> bool {
    fs::read(path)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
        .and_then(|value| value.get("format")?.as_str().map(|format| format.starts_with("cip-")))
        .unwrap_or(false)
}

pub(crate) fn remove_folder(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

/// Without an atomic swap the old folder steps aside first.
#[cfg(not(target_os = "linux"))]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    let aside = a.with_extension("cip-old");
    fs::rename(b, &aside)?;
    fs::rename(a, b)?;
    fs::rename(&aside, a)
}

pub(crate) fn neighbour(target: &Path, suffix: &str) -> Result<PathBuf, StoreError> {
    let name = target.file_name().ok_or_else(|| StoreError::Io {
        action: "write",
        path: target.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "the path has no name of its own"),
    })?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".");
    hidden.push(suffix);
    Ok(parent(target).join(hidden))
}

fn parent(target: &Path) -> PathBuf {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_whole_and_replaces_only_its_own_kind() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("store");
        for generation in ["1", "2"] {
            let staged = StagedFolder::begin(&target).unwrap();
            assert!(!staged.path().join("old").exists());
            fs::write(staged.path().join("manifest.json"), r#"{"format":"cip-test"}"#).unwrap();
            fs::write(staged.path().join(generation), "").unwrap();
            staged.publish().unwrap();
            assert!(target.join(generation).exists());
        }
        assert!(!target.join("1").exists());
        let left: Vec<_> =
            fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["store"], "no lock and no staging folder is left");

        let foreign = root.path().join("photos");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("a.jpg"), "").unwrap();
        assert!(matches!(StagedFolder::begin(&foreign), Err(StoreError::NotOurs { .. })));
        assert!(foreign.join("a.jpg").exists());
    }

    #[test]
    fn what_is_not_published_leaves_the_old_target() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("table.parquet");
        fs::write(&target, "old").unwrap();
        let staged = StagedFile::begin(&target).unwrap();
        fs::write(staged.path(), "half").unwrap();
        assert!(matches!(StagedFile::begin(&target), Err(StoreError::Busy { .. })));
        drop(staged);
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
        let staged = StagedFile::begin(&target).unwrap();
        fs::write(staged.path(), "new").unwrap();
        staged.publish().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_run_left_is_cleared() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("store");
        fs::create_dir(root.path().join(".store.cip-staging")).unwrap();
        fs::write(root.path().join(".store.cip-staging/half"), "x").unwrap();
        fs::write(root.path().join(".store.cip-lock"), "").unwrap();
        let staged = StagedFolder::begin(&target).unwrap();
        assert_eq!(fs::read_dir(staged.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let (real, link) = (root.path().join("real"), root.path().join("link"));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let staged = StagedFolder::begin(&link).unwrap();
        fs::write(staged.path().join("new"), "").unwrap();
        staged.publish().unwrap();
        assert!(link.is_symlink() && real.join("new").exists());
    }

    #[test]
    fn a_path_without_a_folder_above_it_is_an_error() {
        let error = StagedFolder::begin(Path::new("/no/such/place/store")).unwrap_err();
        assert!(error.to_string().contains("No such file or directory"), "{error}");
        assert!(StagedFile::begin(Path::new("/")).is_err());
    }
}
