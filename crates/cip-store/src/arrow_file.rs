//! Arrow files of strangers, a batch at a time: no length in them is believed before it was held against the file.
//!
//! The reader of `arrow-ipc` asks for as many bytes as a file says that it has, and a process that asks for more than there are
//! ends.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::{Block, root_as_footer, root_as_message};
use arrow_schema::{ArrowError, SchemaRef};

/// The longest buffer of a batch, when it is decompressed.
const LONGEST_BUFFER: i64 = 2 << 30;
/// The length of the footer, and the magic bytes.
const TRAILER: u64 = 10;

/// An Arrow file that is read from its start.
#[derive(Debug)]
pub(crate) struct ArrowFile {
    file: File,
    length: u64,
    schema: SchemaRef,
    decoder: FileDecoder,
    blocks: Vec<Block>,
    next: usize,
}

impl ArrowFile {
    /// Reads the footer and, where batches of some `columns` are wanted, the dictionaries.
    pub(crate) fn open(mut file: File, columns: Option<Vec<usize>>) -> Result<Self, ArrowError> {
        let length = file.metadata()?.len();
        let damaged = || ArrowError::ParseError("it is cut or damaged".to_owned());
        let trailer_at = length.checked_sub(TRAILER).ok_or_else(damaged)?;
        let mut trailer = [0; TRAILER as usize];
        file.seek(SeekFrom::Start(trailer_at))?;
        file.read_exact(&mut trailer)?;
        let footer_length = read_footer_length(trailer)?;
        let footer_at = trailer_at.checked_sub(footer_length as u64).ok_or_else(damaged)?;
        let mut footer = vec![0; footer_length];
        file.seek(SeekFrom::Start(footer_at))?;
        file.read_exact(&mut footer)?;
        let footer = root_as_footer(&footer).map_err(|error| ArrowError::ParseError(error.to_string()))?;
        let schema: SchemaRef = Arc::new(fb_to_schema(footer.schema().ok_or_else(damaged)?));
        let blocks = footer.recordBatches().ok_or_else(damaged)?.iter().copied().collect();
        let dictionaries: Vec<Block> = footer.dictionaries().into_iter().flatten().copied().collect();
        let mut decoder = FileDecoder::new(Arc::clone(&schema), footer.version());
        let wanted = columns.is_some();
        if let Some(columns) = columns {
            decoder = decoder.with_projection(columns);
        }
        let mut open = Self { file, length, schema, decoder, blocks, next: 0 };
        if wanted {
            for block in &dictionaries {
                let bytes = open.block(block)?;
                open.decoder.read_dictionary(block, &bytes)?;
            }
        }
        Ok(open)
    }

    /// All columns of the file.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the next batch; none behind the last.
    pub(crate) fn next_batch(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        while let Some(&block) = self.blocks.get(self.next) {
            self.next += 1;
            let bytes = self.block(&block)?;
            if let Some(batch) = self.decoder.read_record_batch(&block, &bytes)? {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// Reads a message and its body.
    fn block(&mut self, block: &Block) -> Result<Buffer, ArrowError> {
        let part = |length: i64| u64::try_from(length).ok();
        let start = part(block.offset());
        let head = part(i64::from(block.metaDataLength()));
        let lengths = head.zip(part(block.bodyLength()));
        let length = lengths.and_then(|(head, body)| head.checked_add(body));
        let inside =
            |(start, length): (u64, u64)| start.checked_add(length).is_some_and(|end| end <= self.length);
        let (Some((start, length)), Some(head)) = (start.zip(length).filter(|&part| inside(part)), head)
        else {
            return Err(ArrowError::ParseError("a block lies outside of the file".to_owned()));
        };
        self.file.seek(SeekFrom::Start(start))?;
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes)?;
        check_buffers(&bytes, head as usize)?;
        Ok(bytes.into())
    }
}

/// Checks what the compressed buffers of a message say of their lengths; the body starts at `head`.
fn check_buffers(bytes: &[u8], head: usize) -> Result<(), ArrowError> {
    /// What stands before a message in files of today, and in those before Arrow 0.15.
    const CONTINUATION: [u8; 4] = [0xff; 4];
    let start = if bytes.starts_with(&CONTINUATION) { 8 } else { 4 };
    let message = bytes.get(start..head).unwrap_or_default();
    let message = root_as_message(message).map_err(|error| ArrowError::ParseError(error.to_string()))?;
    let dictionary = message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
    let batch = message.header_as_record_batch().or(dictionary);
    let Some(batch) = batch.filter(|batch| batch.compression().is_some()) else { return Ok(()) };
    for buffer in batch.buffers().into_iter().flatten() {
        let at = usize::try_from(buffer.offset()).ok().and_then(|offset| offset.checked_add(head));
        let length =
            at.and_then(|at| bytes.get(at..)?.first_chunk()).map(|length| i64::from_le_bytes(*length));
        if buffer.length() > 0 && length.is_none_or(|length| length > LONGEST_BUFFER) {
            let reason = format!("a buffer says that it is longer than {} MiB", LONGEST_BUFFER >> 20);
            return Err(ArrowError::ParseError(reason));
        }
    }
    Ok(())
}
