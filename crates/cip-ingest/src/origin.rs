//! Where the bytes of a source come from: a file, or an object of a store.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
#[cfg(feature = "object-store")]
use std::sync::Arc;

#[cfg(feature = "object-store")]
use crate::object::{Object, ObjectRanges, ObjectReader};

/// Where bytes come from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    File(PathBuf),
    #[cfg(feature = "object-store")]
    Object(Arc<Object>),
}

impl Origin {
    /// Opens the bytes, to be read from their start.
    pub(crate) fn open(&self) -> io::Result<OriginReader> {
        match self {
            Self::File(path) => Ok(OriginReader::File(File::open(path)?)),
            #[cfg(feature = "object-store")]
            Self::Object(object) => Ok(OriginReader::Object(ObjectReader::new(Arc::clone(object)))),
        }
    }

    /// Reads `length` bytes, or what is left, from each of these offsets.
    pub(crate) fn ranges(
        &self,
        offsets: impl Iterator<Item = u64> + 'static,
        length: usize,
    ) -> io::Result<OriginRanges> {
        match self {
            Self::File(path) => {
                Ok(OriginRanges::File { file: File::open(path)?, offsets: Box::new(offsets), length })
            }
            #[cfg(feature = "object-store")]
            Self::Object(object) => {
                Ok(OriginRanges::Object(ObjectRanges::new(Arc::clone(object), offsets, length)))
            }
        }
    }

    /// Says that it will be opened soon: of an object the first bytes are asked for.
    pub(crate) fn expect(&self) {
        match self {
            Self::File(_) => {}
            #[cfg(feature = "object-store")]
            Self::Object(object) => object.expect(),
        }
    }

    /// The file; none of an object.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            #[cfg(feature = "object-store")]
            Self::Object(_) => None,
        }
    }
}

/// The bytes of a source from their start.
pub(crate) enum OriginReader {
    File(File),
    #[cfg(feature = "object-store")]
    Object(ObjectReader),
}

impl Read for OriginReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            #[cfg(feature = "object-store")]
            Self::Object(object) => object.read(buffer),
        }
    }
}

/// Bytes from some places of a source.
pub(crate) enum OriginRanges {
    File {
        file: File,
        offsets: Box<dyn Iterator<Item = u64>>,
        length: usize,
    },
    #[cfg(feature = "object-store")]
    Object(ObjectRanges),
}

impl Iterator for OriginRanges {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::File { file, offsets, length } => offsets.next().map(|offset| {
                let mut data = vec![0; *length];
                file.seek(SeekFrom::Start(offset))?;
                let read = read_full(file, &mut data)?;
                data.truncate(read);
                Ok(data)
            }),
            #[cfg(feature = "object-store")]
            Self::Object(ranges) => ranges.next(),
        }
    }
}

/// Whether it is the store of an object that failed, and not what reads its bytes.
pub(crate) fn is_of_store(error: &io::Error) -> bool {
    #[cfg(feature = "object-store")]
    return error.get_ref().is_some_and(|inner| inner.is::<crate::object::Failure>());
    #[cfg(not(feature = "object-store"))]
    {
        let _ = error;
        false
    }
}

/// Fills the buffer, or reads to the end.
pub(crate) fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
