//! A Parquet file of a store, opened once and held open: whoever replaces the store does not change what is read.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::error::StoreError;
use crate::manifest::DataFile;

/// The bytes behind a Parquet file's metadata: its length and the magic.
const TAIL: u64 = 8;

/// An open file that threads read at any place at once.
#[derive(Debug, Clone)]
pub(crate) struct StoredFile {
    path: Arc<Path>,
    file: Arc<File>,
    bytes: u64,
}

impl StoredFile {
    /// Opens a file of the store at `store`, and checks its length and the checksum of its footer: a damaged footer
    /// must not reach the decoder.
    pub(crate) fn open(store: &Path, data: &DataFile) -> Result<Self, StoreError> {
        let path = store.join(&data.path);
        let file = File::open(&path).map_err(StoreError::io("read", &path))?;
        let bytes = file.metadata().map_err(StoreError::io("read", &path))?.len();
        let opened = Self { path: path.as_path().into(), file: Arc::new(file), bytes };
        let found = footer_checksum(&opened.file, bytes).map_err(StoreError::io("read", &path))?;
        match found {
            Some(found) if bytes == data.bytes && found == data.footer_xxh3 => Ok(opened),
            Some(found) if bytes == data.bytes => {
                Err(StoreError::Damaged { path, found, expected: data.footer_xxh3.clone() })
            }
            _ => Err(StoreError::not_as_recorded(&path)),
        }
    }

    /// Opens a file of which no manifest speaks.
    pub(crate) fn unrecorded(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(StoreError::io("read", path))?;
        let bytes = file.metadata().map_err(StoreError::io("read", path))?.len();
        Ok(Self { path: path.into(), file: Arc::new(file), bytes })
    }

    /// Reads the bytes of a column in a row group, which are those that were written: before anybody decodes them.
    fn read_column(
        &self,
        data: &DataFile,
        metadata: &ParquetMetaData,
        group: usize,
        column: usize,
    ) -> Result<Bytes, StoreError> {
        let chunk = metadata.row_groups().get(group).and_then(|group| group.columns().get(column));
        let expected = data.column_xxh3.get(group).and_then(|columns| columns.get(column));
        let (Some(chunk), Some(expected)) = (chunk, expected) else {
            return Err(StoreError::not_as_recorded(&self.path));
        };
        let bytes = read_chunk(&self.file, chunk).map_err(StoreError::io("read", &self.path))?;
        let found = checksum_of(&bytes);
        if found == *expected {
            Ok(bytes.into())
        } else {
            Err(StoreError::Damaged { path: self.path.to_path_buf(), found, expected: expected.clone() })
        }
    }

    /// Checks that the bytes of a column in a row group are those that were written.
    pub(crate) fn check_column(
        &self,
        data: &DataFile,
        metadata: &ParquetMetaData,
        group: usize,
        column: usize,
    ) -> Result<(), StoreError> {
        self.read_column(data, metadata, group, column).map(drop)
    }

    /// Reads columns of a row group at once, each checked: what is decoded is what was checked.
    pub(crate) fn read_columns(
        &self,
        data: &DataFile,
        metadata: &ParquetMetaData,
        group: usize,
        columns: &[usize],
    ) -> Result<CheckedColumns, StoreError> {
        let mut chunks = Vec::with_capacity(columns.len());
        for &column in columns {
            let bytes = self.read_column(data, metadata, group, column)?;
            chunks.push((metadata.row_group(group).column(column).byte_range().0, bytes));
        }
        Ok(CheckedColumns { path: Arc::clone(&self.path), bytes: self.bytes, chunks: chunks.into() })
    }

    /// Checks every column of every row group.
    pub(crate) fn check_columns(&self, data: &DataFile) -> Result<(), StoreError> {
        let reader = SerializedFileReader::new(self.clone()).map_err(StoreError::parquet(&self.path))?;
        for (group, columns) in reader.metadata().row_groups().iter().enumerate() {
            for column in 0..columns.num_columns() {
                self.check_column(data, reader.metadata(), group, column)?;
            }
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Returns the XXH3-128 of a Parquet file's footer, or none where it cannot have one.
pub(crate) fn footer_checksum(file: &File, bytes: u64) -> io::Result<Option<String>> {
    let Some(tail_at) = bytes.checked_sub(TAIL) else { return Ok(None) };
    let mut tail = [0; TAIL as usize];
    file.read_exact_at(&mut tail, tail_at)?;
    let [a, b, c, d, ..] = tail;
    let length = u64::from(u32::from_le_bytes([a, b, c, d])) + TAIL;
    let Some(start) = bytes.checked_sub(length) else { return Ok(None) };
    let mut footer = vec![0; length as usize];
    file.read_exact_at(&mut footer, start)?;
    Ok(Some(format!("{:032x}", xxh3_128(&footer))))
}

/// Returns the XXH3-64 of a column's bytes in a row group.
pub(crate) fn column_checksum(file: &File, chunk: &ColumnChunkMetaData) -> io::Result<String> {
    Ok(checksum_of(&read_chunk(file, chunk)?))
}

fn checksum_of(bytes: &[u8]) -> String {
    format!("{:016x}", xxh3_64(bytes))
}

/// Reads a column's bytes in a row group.
fn read_chunk(file: &File, chunk: &ColumnChunkMetaData) -> io::Result<Vec<u8>> {
    let (start, length) = chunk.byte_range();
    let mut bytes = Vec::with_capacity(length as usize);
    while (bytes.len() as u64) < length {
        let at = start + bytes.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(length as usize);
    Ok(bytes)
}

/// Some columns of a row group, in memory: nothing else of the file is read.
#[derive(Debug, Clone)]
pub(crate) struct CheckedColumns {
    path: Arc<Path>,
    /// Of the whole file.
    bytes: u64,
    /// Where each starts in the file.
    chunks: Arc<[(u64, Bytes)]>,
}

impl CheckedColumns {
    /// The bytes of a column from some place of the file on.
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let found = self.chunks.iter().find_map(|(first, bytes)| {
            let at = usize::try_from(start.checked_sub(*first)?).ok()?;
            (at < bytes.len()).then(|| bytes.slice(at..))
        });
        found.ok_or_else(|| self.outside(start))
    }

    fn outside(&self, start: u64) -> ParquetError {
        ParquetError::EOF(format!("byte {start} of {} is in no column that is read", self.path.display()))
    }
}

impl Length for CheckedColumns {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for CheckedColumns {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start)?;
        if length > bytes.len() {
            Err(self.outside(start + length as u64))
        } else {
            Ok(bytes.slice(..length))
        }
    }
}

impl Length for StoredFile {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for StoredFile {
    type T = BufReader<ReadFrom>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(ReadFrom { file: Arc::clone(&self.file), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, start).map_err(|error| ParquetError::External(error.into()))?;
        Ok(buffer.into())
    }
}

/// Reads a shared file from some place on, without moving anybody else's.
#[derive(Debug)]
pub(crate) struct ReadFrom {
    file: Arc<File>,
    at: u64,
}

impl Read for ReadFrom {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Open files from which on the system may refuse more.
const MANY: usize = 128;

/// Raises the number of files that the process may hold open to the most that it may ask for.
fn allow_more_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, opening a file says so.
    let _ = setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit });
}

/// The open files of a store, by their paths inside it.
#[derive(Debug, Clone)]
pub(crate) struct StoredFiles {
    files: Arc<HashMap<PathBuf, StoredFile>>,
}

impl StoredFiles {
    pub(crate) fn open<'a>(
        store: &Path,
        data: impl Iterator<Item = &'a DataFile>,
    ) -> Result<Self, StoreError> {
        let mut files = HashMap::new();
        for data in data {
            // A process may open a thousand files, unless it asks for more.
            if files.len() == MANY {
                allow_more_files();
            }
            files.insert(PathBuf::from(&data.path), StoredFile::open(store, data)?);
        }
        Ok(Self { files: Arc::new(files) })
    }

    /// Returns these files and those of another store, whose paths are put below `folder`.
    pub(crate) fn with_those_of(&self, other: &Self, folder: &Path) -> Self {
        let others = other.files.iter().map(|(path, file)| (folder.join(path), file.clone()));
        let own = self.files.iter().map(|(path, file)| (path.clone(), file.clone()));
        Self { files: Arc::new(own.chain(others).collect()) }
    }

    /// The open file of an entry of the manifest.
    pub(crate) fn get(&self, data: &DataFile) -> Result<&StoredFile, StoreError> {
        let path = Path::new(&data.path);
        self.files.get(path).ok_or_else(|| StoreError::not_as_recorded(path))
    }
}
