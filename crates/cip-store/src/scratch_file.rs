//! A file for what does not fit in memory.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::StoreError;
use crate::staged::neighbour;

/// Bytes that are written at once.
const WRITTEN: usize = 1 << 20;

/// A file without a name, beside what is being written: it is gone with the last of its parts, or with the process.
///
/// # Examples
/// ```
/// use std::io::{Read, Write};
/// # let folder = tempfile::tempdir()?;
/// let mut scratch = cip_store::ScratchFile::beside(&folder.path().join("pairs.parquet"))?;
/// let mut parts = Vec::new();
/// for text in ["one", "two"] {
///     let mut part = scratch.part();
///     part.write_all(text.as_bytes())?;
///     parts.push(part.finish()?);
/// }
/// assert_eq!(std::fs::read_dir(folder.path())?.count(), 0); // it has no name
/// let texts = parts.into_iter().map(std::io::read_to_string).collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(texts, ["one", "two"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ScratchFile {
    file: Arc<File>,
    path: PathBuf,
    length: u64,
}

/// A part that is being written, at the end of a [`ScratchFile`].
#[derive(Debug)]
pub struct ScratchWriter<'a> {
    scratch: &'a mut ScratchFile,
    start: u64,
    buffer: Vec<u8>,
}

/// A part of a [`ScratchFile`], to be read once.
#[derive(Debug)]
pub struct ScratchPart {
    file: Arc<File>,
    path: PathBuf,
    next: u64,
    end: u64,
}

impl ScratchFile {
    /// Makes the file in the folder of `target`.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn beside(target: &Path) -> Result<Self, StoreError> {
        let path = neighbour(target, "cip-scratch")?;
        // What a process left behind that was killed right here.
        let _ = fs::remove_file(&path);
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = Arc::new(file.map_err(StoreError::io("create", &path))?);
        fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
        Ok(Self { file, path, length: 0 })
    }

    /// Begins the next part.
    pub fn part(&mut self) -> ScratchWriter<'_> {
        let start = self.length;
        ScratchWriter { scratch: self, start, buffer: Vec::new() }
    }
}

impl ScratchWriter<'_> {
    /// Returns the part, to be read.
    ///
    /// # Errors
    /// Where the system does not write, with the path.
    pub fn finish(mut self) -> io::Result<ScratchPart> {
        self.flush()?;
        Ok(ScratchPart {
            file: Arc::clone(&self.scratch.file),
            path: self.scratch.path.clone(),
            next: self.start,
            end: self.scratch.length,
        })
    }
}

impl Write for ScratchWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITTEN {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let scratch = &mut *self.scratch;
        let written = scratch.file.write_all_at(&self.buffer, scratch.length);
        written.map_err(|error| with_path("write", &scratch.path, &error))?;
        scratch.length += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Read for ScratchPart {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.end - self.next).unwrap_or(usize::MAX).min(bytes.len());
        let read = self.file.read_at(&mut bytes[..most], self.next);
        let read = read.map_err(|error| with_path("read", &self.path, &error))?;
        self.next += read as u64;
        Ok(read)
    }
}

fn with_path(action: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {action} {}: {error}", path.display()))
}
