//! Temporary files for rows that do not fit in memory.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::IngestError;

/// Where temporary files are made: one for each writer, because the system lets one at a time write to a file.
#[derive(Debug)]
pub(crate) struct SpillFolder {
    path: PathBuf,
    files: AtomicU64,
}

impl SpillFolder {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), files: AtomicU64::new(0) }
    }

    /// Makes some files.
    pub(crate) fn create_all(&self, files: usize) -> Result<Vec<Arc<SpillFile>>, IngestError> {
        (0..files).map(|_| self.create().map(Arc::new)).collect()
    }

    fn create(&self) -> Result<SpillFile, IngestError> {
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("spill-{number}.tmp"));
        let io = |action| {
            let path = path.clone();
            move |source| IngestError::Io { action, path, source }
        };
        let mut options = File::options();
        let file =
            options.create(true).truncate(true).read(true).write(true).open(&path).map_err(io("create"))?;
        // It is there as long as it is open, and gone whatever becomes of this process.
        std::fs::remove_file(&path).map_err(io("remove"))?;
        Ok(SpillFile { file, path, end: AtomicU64::new(0) })
    }
}

/// Writes all bytes of some parts behind what was written before.
fn write_all(mut file: &File, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    // Parts without bytes are no reason to write.
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match file.write_vectored(parts) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut parts, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A temporary file that one thread appends to.
#[derive(Debug)]
pub(crate) struct SpillFile {
    file: File,
    path: PathBuf,
    end: AtomicU64,
}

impl SpillFile {
    /// Appends some bytes one behind the other.
    pub(crate) fn write(self: &Arc<Self>, slabs: &[Vec<u8>]) -> Result<Extent, IngestError> {
        /// Slabs that the system is given at once.
        const AT_ONCE: usize = 256;
        let length: usize = slabs.iter().map(Vec::len).sum();
        let start = self.end.fetch_add(length as u64, Ordering::Relaxed);
        for slabs in slabs.chunks(AT_ONCE) {
            let mut parts = [IoSlice::new(&[]); AT_ONCE];
            parts.iter_mut().zip(slabs).for_each(|(part, slab)| *part = IoSlice::new(slab));
            write_all(&self.file, &mut parts[..slabs.len()]).map_err(|source| IngestError::Io {
                action: "write",
                path: self.path.clone(),
                source,
            })?;
        }
        Ok(Extent { file: Arc::clone(self), start, length: length as u32 })
    }
}

/// Bytes in a temporary file, fewer than 4 GiB: the file is there as long as anything of it is to be read.
#[derive(Debug)]
pub(crate) struct Extent {
    file: Arc<SpillFile>,
    start: u64,
    pub(crate) length: u32,
}

impl Extent {
    pub(crate) fn read(&self, into: &mut [u8]) -> Result<(), IngestError> {
        self.file.file.read_exact_at(into, self.start).map_err(|source| IngestError::Io {
            action: "read",
            path: self.file.path.clone(),
            source,
        })
    }
}
