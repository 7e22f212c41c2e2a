//! The records of a CSV file, one by one, each with the line on which it starts.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use crate::error::{CsvProblem, StoreError};

/// The most bytes of a record: what is longer holds a quote that nobody closed.
pub(crate) const MAX_RECORD_BYTES: usize = 16 << 20;
/// The most fields of a record.
pub(crate) const MAX_FIELDS: usize = 1 << 14;

/// Splits a file into records: one delimiter, RFC 4180 quotes, LF or CRLF; a byte-order mark and blank lines are left out.
pub(crate) struct CsvRecords {
    path: PathBuf,
    input: BufReader<File>,
    parser: Reader,
    /// Ends of lines so far.
    lines: u64,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    most_fields: usize,
}

/// A record, whose text is checked.
#[derive(Clone)]
pub(crate) struct CsvRecord<'a> {
    /// The line on which it starts, from 1.
    pub(crate) line: u64,
    text: &'a str,
    ends: &'a [usize],
}

/// Returns the delimiter of a file: of comma, semicolon and tab the one that its header line has most of, outside quotes;
/// the first of these where none is ahead.
pub(crate) fn delimiter(path: &Path) -> Result<u8, StoreError> {
    /// A header that is longer is told by its start.
    const LOOKED_AT: u64 = 1 << 16;
    const CANDIDATES: [u8; 3] = [b',', b';', b'\t'];
    let mut start = Vec::new();
    let file = File::open(path).map_err(StoreError::io("read", path))?;
    file.take(LOOKED_AT).read_to_end(&mut start).map_err(StoreError::io("read", path))?;
    let (mut counts, mut quoted) = ([0usize; CANDIDATES.len()], false);
    let header = start.iter().skip_while(|byte| matches!(byte, b'\n' | b'\r'));
    for &byte in header {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => counts.iter_mut().zip(CANDIDATES).for_each(|(count, of)| *count += usize::from(byte == of)),
        }
    }
    let most = counts.iter().max().copied().unwrap_or_default();
    Ok(CANDIDATES.into_iter().zip(counts).find(|(_, count)| *count == most).map_or(b',', |(of, _)| of))
}

impl CsvRecords {
    pub(crate) fn open(path: &Path, delimiter: u8) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(StoreError::io("read", path))?;
        Ok(Self {
            path: path.to_owned(),
            input: BufReader::with_capacity(1 << 16, file),
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            lines: 0,
            bytes: vec![0; 1 << 10],
            ends: vec![0; 1 << 6],
            most_fields: MAX_FIELDS,
        })
    }

    /// Sets how many fields a record may have.
    pub(crate) fn with_most_fields(self, most_fields: usize) -> Self {
        Self { most_fields, ..self }
    }

    /// Returns the next record; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<CsvRecord<'_>>, StoreError> {
        self.skip_blank_lines()?;
        let line = self.lines + 1;
        let refuse = |path: &Path, problem| StoreError::CsvLine { path: path.to_owned(), line, problem };
        let (mut begun, mut length, mut fields) = (false, 0, 0);
        loop {
            let buffer = self.input.fill_buf().map_err(StoreError::io("read", &self.path))?;
            let at_end = buffer.is_empty();
            if at_end && !begun {
                return Ok(None);
            }
            // A line end ends the last record, unless it stands inside a quote.
            let input = if at_end { &b"\n"[..] } else { buffer };
            let (result, read, written, ended) =
                self.parser.read_record(input, &mut self.bytes[length..], &mut self.ends[fields..]);
            begun = true;
            length += written;
            fields += ended;
            if !at_end {
                self.lines += buffer[..read].iter().filter(|&&byte| byte == b'\n').count() as u64;
                self.input.consume(read);
            }
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::InputEmpty if at_end => {
                    return Err(refuse(&self.path, CsvProblem::OpenQuote));
                }
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.bytes.len() >= MAX_RECORD_BYTES => {
                    return Err(refuse(&self.path, CsvProblem::TooLong { limit: MAX_RECORD_BYTES }));
                }
                ReadRecordResult::OutputFull => self.bytes.resize(2 * self.bytes.len(), 0),
                ReadRecordResult::OutputEndsFull if self.ends.len() >= self.most_fields => {
                    return Err(refuse(&self.path, CsvProblem::TooManyFields { limit: self.most_fields }));
                }
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::End => return Ok(None),
            }
        }
        let (bytes, ends) = (&self.bytes[..length], &self.ends[..fields]);
        let text = std::str::from_utf8(bytes).ok();
        // A character that a comma cuts in two is none.
        match text.filter(|text| ends.iter().all(|&end| text.is_char_boundary(end))) {
            Some(text) => Ok(Some(CsvRecord { line, text, ends })),
            None => Err(refuse(&self.path, CsvProblem::NotUtf8)),
        }
    }

    fn skip_blank_lines(&mut self) -> Result<(), StoreError> {
        loop {
            let buffer = self.input.fill_buf().map_err(StoreError::io("read", &self.path))?;
            let blank = buffer.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            self.lines += buffer[..blank].iter().filter(|&&byte| byte == b'\n').count() as u64;
            let more = blank > 0 && blank == buffer.len();
            self.input.consume(blank);
            if !more {
                return Ok(());
            }
        }
    }
}

impl<'a> CsvRecord<'a> {
    /// How many fields it has.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Its bytes, without delimiters and quotes.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.clone().into_fields()
    }

    pub(crate) fn into_fields(self) -> impl Iterator<Item = &'a str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(self.ends).map(move |(start, &end)| &self.text[start..end])
    }
}
