//! A store that grows by files, in a folder of its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{args, cip};

pub(crate) struct GrowingStore {
    folder: tempfile::TempDir,
    mapping: &'static str,
}

impl GrowingStore {
    pub(crate) fn new(mapping: &'static str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), mapping }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A place in the folder; that of the store is `store`.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds files, as one commit.
    pub(crate) fn ingest(&self, files: &[PathBuf], more: &[&str]) {
        let mut arguments = args!["ingest", "--mapping", self.mapping, "--out", self.at("store")].to_vec();
        arguments.extend(more.iter().map(OsString::from));
        arguments.extend(files.iter().map(OsString::from));
        cip(arguments).ok();
    }
}
