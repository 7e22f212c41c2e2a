//! Source files: what they are compressed with, and their bytes in chunks of whole records.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cip_store::{StoreError, TableFormat};
use flate2::read::MultiGzDecoder;
use memchr::memchr;
use twox_hash::XxHash3_128;

use crate::buffer::{Buffer, SpareBuffers};
use crate::error::IngestError;
use crate::format::RecordFormat;
use crate::mapping::SourceMapping;
use crate::origin::{Origin, OriginReader, is_of_store, read_full};
use crate::record::{MAX_RECORD_BYTES, RecordEnd, last_line_end};
use crate::table_text::{self, TableText};

/// Bytes kept of a line that is rejected for its length.
pub(crate) const MAX_RAW_BYTES: usize = 64 << 10;

/// A file to ingest.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The path or the address, as messages name it.
    pub(crate) path: PathBuf,
    pub(crate) origin: Origin,
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) compression: Compression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
    /// Parquet or Arrow: read as the text of its columns.
    Table,
}

impl Compression {
    /// Tells by the first bytes of a file.
    pub(crate) fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            start if TableFormat::of(start).is_some() => Self::Table,
            _ => Self::None,
        }
    }
}

/// Sources whose first bytes are on their way while one is read.
pub(crate) const SOURCES_AHEAD: usize = 8;

/// Bytes that are read at once until the first record is there.
const STEP: usize = 64 << 10;

/// Bytes that are read at once, hashed, and searched for quotes: they are still in the processor's second cache.
const READ_AT_ONCE: usize = 256 << 10;

/// Buffers of chunks that are kept to be used again.
const SPARE_BUFFERS: usize = 16;

/// Returns the XXH3-128 of a file's bytes as they lie on disk or in their store, as the manifest writes it.
pub(crate) fn content_hash(source: &Source) -> Result<String, IngestError> {
    let io = |error| IngestError::Io { action: "read", path: source.path.clone(), source: error };
    let mut bytes = source.origin.open().map_err(io)?;
    let mut hash = XxHash3_128::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match read_full(&mut bytes, &mut buffer).map_err(io)? {
            0 => return Ok(format!("{:032x}", hash.finish_128())),
            read => hash.write(&buffer[..read]),
        }
    }
}

/// Some whole records of a file.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Index of the source.
    pub(crate) file: usize,
    /// The columns of the file, as its header has them.
    pub(crate) header: Arc<Header>,
    /// Where the data starts in the decompressed file.
    pub(crate) offset: u64,
    pub(crate) data: Buffer,
    /// A record that is too long: `data` is its start, and this its whole length with the line end.
    pub(crate) oversized: Option<u64>,
    /// Bytes on disk that were read so far, over all files.
    pub(crate) bytes_read: u64,
    /// The file's bytes and checksum, with its last chunk.
    pub(crate) finished: Option<FinishedFile>,
}

/// What is known of a file once it was read to its end.
#[derive(Debug)]
pub(crate) struct FinishedFile {
    pub(crate) bytes: u64,
    pub(crate) xxh3: String,
}

/// The columns of a file, matched with the mapping.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Header {
    pub(crate) names: Vec<String>,
    /// Lines that the header takes: mostly 1, more where a name has a line end, none where records say it themselves.
    pub(crate) lines: u64,
    pub(crate) format: RecordFormat,
    /// Columns of the file that are in no record, because the mapping does not read them.
    pub(crate) left_out: Vec<String>,
}

impl Header {
    pub(crate) fn index_of(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|candidate| candidate == name)
    }
}

/// Reads files one after the other in chunks of whole records.
pub(crate) struct ChunkReader {
    sources: Arc<[Source]>,
    mapping: Arc<SourceMapping>,
    chunk_bytes: usize,
    next: usize,
    open: Option<OpenFile>,
    bytes_before: u64,
    failed: bool,
    spare: SpareBuffers,
}

impl ChunkReader {
    pub(crate) fn new(sources: Arc<[Source]>, mapping: Arc<SourceMapping>, chunk_bytes: usize) -> Self {
        Self {
            sources,
            mapping,
            chunk_bytes,
            next: 0,
            open: None,
            bytes_before: 0,
            failed: false,
            spare: SpareBuffers::new(SPARE_BUFFERS),
        }
    }

    /// Where the buffers of chunks that are done go.
    pub(crate) fn spare_buffers(&self) -> SpareBuffers {
        self.spare.clone()
    }

    fn next_chunk(&mut self) -> Result<Option<Chunk>, IngestError> {
        let file = match &mut self.open {
            Some(file) => file,
            none => {
                let Some(source) = self.sources.get(self.next) else { return Ok(None) };
                self.next += 1;
                let following = self.sources.iter().skip(self.next).take(SOURCES_AHEAD);
                following.for_each(|source| source.origin.expect());
                none.insert(OpenFile::open(self.next - 1, source, &self.mapping)?)
            }
        };
        let mut chunk = file.next_chunk(self.chunk_bytes, &self.spare)?;
        chunk.bytes_read += self.bytes_before;
        if chunk.finished.is_some() {
            self.bytes_before = chunk.bytes_read;
            self.open = None;
        }
        Ok(Some(chunk))
    }
}

impl Iterator for ChunkReader {
    type Item = Result<Chunk, IngestError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_chunk();
        self.failed = next.is_err();
        next.transpose()
    }
}

/// A file that is being read, behind its header.
pub(crate) struct OpenFile {
    path: PathBuf,
    index: usize,
    reader: Box<dyn Read + Send>,
    /// The bytes of a table, whose parts are not read in their order: they are read for their checksum in the end.
    unread: Option<HashingReader>,
    raw: Arc<Mutex<RawBytes>>,
    compression: Compression,
    header: Arc<Header>,
    /// Decompressed bytes from a record's start on.
    pending: Buffer,
    /// Where `pending` starts in the decompressed file.
    offset: u64,
    ended: bool,
}

impl OpenFile {
    /// Opens a file and reads its header.
    pub(crate) fn open(index: usize, source: &Source, mapping: &SourceMapping) -> Result<Self, IngestError> {
        let path = source.path.clone();
        let io = |source| IngestError::Io { action: "read", path: path.clone(), source };
        let raw = Arc::new(Mutex::new(RawBytes { hash: Box::new(XxHash3_128::new()), bytes: 0 }));
        let file = HashingReader { bytes: source.origin.open().map_err(io)?, raw: Arc::clone(&raw) };
        let (mut left_out, mut unread) = (Vec::new(), None);
        let reader: Box<dyn Read + Send> = match source.compression {
            Compression::None => Box::new(file),
            Compression::Gzip => Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, file))),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(file).map_err(io)?),
            Compression::Table => {
                let (text, others) = TableText::open(source, mapping)?;
                left_out = others;
                unread = Some(file);
                Box::new(text)
            }
        };
        let mut open = Self {
            path,
            index,
            reader,
            unread,
            raw,
            compression: source.compression,
            header: Arc::new(Header {
                names: Vec::new(),
                lines: 0,
                format: RecordFormat::Csv(table_text::MARKS),
                left_out,
            }),
            pending: Buffer::default(),
            offset: 0,
            ended: false,
        };
        open.read_header(mapping)?;
        Ok(open)
    }

    pub(crate) fn header(&self) -> &Arc<Header> {
        &self.header
    }

    fn read_header(&mut self, mapping: &SourceMapping) -> Result<(), IngestError> {
        self.fill(STEP)?;
        if self.pending.starts_with(b"\xef\xbb\xbf") {
            self.consume(3);
        }
        let mut refused = None;
        let formats = match self.compression {
            Compression::Table => vec![self.header.format],
            _ => mapping.formats(&self.pending),
        };
        for format in formats {
            let end = self.first_record(format)?;
            match crate::header::read_header(&self.path, &self.pending[..end], mapping, format) {
                Ok(mut header) => {
                    self.consume(if header.lines > 0 { end } else { 0 });
                    header.left_out.extend_from_slice(&self.header.left_out);
                    self.header = Arc::new(header);
                    return Ok(());
                }
                // Of a delimiter that is only tried, the likeliest one's error says most.
                Err(error) => {
                    refused.get_or_insert(error);
                }
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Reads the first record and returns its end.
    fn first_record(&mut self, format: RecordFormat) -> Result<usize, IngestError> {
        loop {
            match format.record_end(&self.pending, 0, self.ended) {
                RecordEnd::Whole(end) | RecordEnd::Unclosed(end) | RecordEnd::TooLong(end) => return Ok(end),
                RecordEnd::Undecided if self.pending.len() <= MAX_RECORD_BYTES => {}
                RecordEnd::Undecided => return Ok(self.pending.len()),
            }
            self.fill(self.pending.len() + STEP)?;
        }
    }

    /// Returns the next records, about `chunk_bytes` of them.
    pub(crate) fn next_chunk(
        &mut self,
        chunk_bytes: usize,
        spare: &SpareBuffers,
    ) -> Result<Chunk, IngestError> {
        let format = self.header.format;
        let mut wanted = chunk_bytes;
        // The buffer is one that this thread has used; what is behind the last record waits in another.
        let mut data = spare.take();
        data.extend(&self.pending);
        let mut rest = std::mem::replace(&mut self.pending, data);
        rest.truncate(0);
        let mut quoted = format.has_quotes(&self.pending);
        loop {
            self.pending.reserve(wanted);
            while self.pending.len() < wanted && !self.ended {
                let before = self.pending.len();
                self.fill(wanted.min(before + READ_AT_ONCE))?;
                quoted = quoted || format.has_quotes(&self.pending[before..]);
            }
            let end = match self.ended {
                true => self.pending.len(),
                false if quoted => format.last_record_end(&self.pending),
                false => last_line_end(&self.pending),
            };
            if end > 0 || self.ended {
                rest.extend(&self.pending[end..]);
                let mut data = std::mem::replace(&mut self.pending, rest);
                data.truncate(end);
                return Ok(self.chunk(data));
            }
            if self.pending.len() > MAX_RECORD_BYTES && memchr(b'\n', &self.pending).is_none() {
                let data = Buffer::from(self.pending[..MAX_RAW_BYTES].to_vec());
                let length = self.skip_line()?;
                let start = self.offset;
                let mut chunk = self.chunk(data);
                self.offset = start + length;
                chunk.oversized = Some(length);
                return Ok(chunk);
            }
            wanted = self.pending.len() + chunk_bytes.max(MAX_RECORD_BYTES / 8);
        }
    }

    fn chunk(&mut self, data: Buffer) -> Chunk {
        let offset = self.offset;
        self.offset += data.len() as u64;
        let raw = self.raw.lock().unwrap_or_else(PoisonError::into_inner);
        let finished = (self.ended && self.pending.is_empty())
            .then(|| FinishedFile { bytes: raw.bytes, xxh3: format!("{:032x}", raw.hash.finish_128()) });
        Chunk {
            file: self.index,
            header: Arc::clone(&self.header),
            offset,
            data,
            oversized: None,
            bytes_read: raw.bytes,
            finished,
        }
    }

    /// Returns the records in some bytes from the midst of a plain file, for a sample; reading is left at another place.
    pub(crate) fn probe(&mut self, mut data: Vec<u8>) -> Option<Chunk> {
        // The first line is cut anywhere.
        let start = memchr(b'\n', &data)?;
        data.drain(..=start);
        data.truncate(self.header.format.last_record_end(&data));
        Some(self.chunk(data.into()))
    }

    /// Skips the line that `pending` starts with, however long, and returns its length.
    fn skip_line(&mut self) -> Result<u64, IngestError> {
        let mut length = 0u64;
        loop {
            if let Some(end) = memchr(b'\n', &self.pending) {
                self.pending.consume(end + 1);
                return Ok(length + end as u64 + 1);
            }
            length += self.pending.len() as u64;
            self.pending.truncate(0);
            if self.ended {
                return Ok(length);
            }
            self.fill(MAX_RECORD_BYTES)?;
        }
    }

    /// Reads until `pending` holds `wanted` bytes or the file ends.
    fn fill(&mut self, wanted: usize) -> Result<(), IngestError> {
        let have = self.pending.len();
        if self.ended || have >= wanted {
            return Ok(());
        }
        let read = read_full(&mut self.reader, self.pending.room(wanted));
        let filled = read.as_ref().map_or(0, |read| *read);
        self.pending.truncate(have + filled);
        match read {
            Ok(filled) => {
                self.ended = have + filled < wanted;
                if self.ended
                    && let Some(mut file) = self.unread.take()
                {
                    let io = |source| IngestError::Io { action: "read", path: self.path.clone(), source };
                    io::copy(&mut file, &mut io::sink()).map_err(io)?;
                }
                Ok(())
            }
            Err(source) if self.compression == Compression::None || is_of_store(&source) => {
                Err(IngestError::Io { action: "read", path: self.path.clone(), source })
            }
            Err(source) if self.compression == Compression::Table => {
                Err(match source.downcast::<StoreError>() {
                    Ok(error) => table_text::failure(&self.path, error),
                    Err(source) => IngestError::Table { path: self.path.clone(), source },
                })
            }
            Err(source) => Err(IngestError::Compression {
                path: self.path.clone(),
                offset: self.offset + self.pending.len() as u64,
                source,
            }),
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.pending.consume(bytes);
        self.offset += bytes as u64;
    }
}

struct RawBytes {
    hash: Box<XxHash3_128>,
    bytes: u64,
}

/// Takes the checksum of a file's bytes as they lie on disk.
struct HashingReader {
    bytes: OriginReader,
    raw: Arc<Mutex<RawBytes>>,
}

impl Read for HashingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        let mut raw = self.raw.lock().unwrap_or_else(PoisonError::into_inner);
        raw.hash.write(&buffer[..read]);
        raw.bytes += read as u64;
        Ok(read)
    }
}
