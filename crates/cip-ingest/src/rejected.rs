//! Rejected rows as a store keeps them, read again.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt64Type};
use arrow_array::{DictionaryArray, RecordBatch, StringArray};
use cip_core::{CoreError, table};
use cip_store::UserField;

use crate::buffer::Buffer;
use crate::error::IngestError;
use crate::parse::{ParsedChunk, Parser};
use crate::reject::{Reason, Reject};
use crate::row::Rows;
use crate::source::{Chunk, Header, MAX_RAW_BYTES};

/// A source file of which there are rejects.
#[derive(Debug)]
pub(crate) struct RejectedFile {
    pub(crate) name: String,
    /// Its number among those files.
    pub(crate) index: usize,
    pub(crate) header: Arc<Header>,
    /// How its records are written, for the manifest.
    pub(crate) records: serde_json::Value,
    /// Where the user stands in them, likewise.
    pub(crate) user_field: Option<UserField>,
}

/// Some rows of the table of rejects.
pub(crate) struct Rejected {
    batch: RecordBatch,
}

/// What became of a row that was read again.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) parsed: ParsedChunk,
    /// The reject that it is still, and how it was before.
    pub(crate) still: Option<(Reject, Before)>,
}

/// How a reject compares with what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// It was not read again: the store has only a part of it.
    Cut,
    Same,
    /// It had another reason.
    Other,
}

const FILE: usize = 0;
const LINE: usize = 1;
const START: usize = 2;
const END: usize = 3;
const COLUMN: usize = 4;
const REASON: usize = 5;
const DETAIL: usize = 6;
const RAW: usize = 7;

impl Rejected {
    /// `batch` is of the table of rejects.
    pub(crate) fn new(batch: RecordBatch) -> Result<Self, IngestError> {
        // What is read of a store was held against the schema.
        let batch = RecordBatch::try_new(table::rejects(), batch.columns().to_vec());
        Ok(Self { batch: batch.map_err(CoreError::from)? })
    }

    pub(crate) fn len(&self) -> usize {
        self.batch.num_rows()
    }

    fn dictionary(&self, column: usize) -> &DictionaryArray<Int32Type> {
        self.batch.column(column).as_dictionary::<Int32Type>()
    }

    fn text(&self, column: usize, row: usize) -> Option<&str> {
        let texts = self.dictionary(column);
        let values: &StringArray = texts.values().as_string::<i32>();
        texts.key(row).map(|key| values.value(key))
    }

    fn number(&self, column: usize, row: usize) -> u64 {
        self.batch.column(column).as_primitive::<UInt64Type>().value(row)
    }

    pub(crate) fn file(&self, row: usize) -> &str {
        self.text(FILE, row).unwrap_or_default()
    }

    pub(crate) fn byte_start(&self, row: usize) -> u64 {
        self.number(START, row)
    }

    fn raw(&self, row: usize) -> &[u8] {
        self.batch.column(RAW).as_binary::<i32>().value(row)
    }

    fn detail(&self, row: usize) -> &str {
        self.batch.column(DETAIL).as_string::<i32>().value(row)
    }

    /// The row as the reject that it was.
    fn as_it_was(&self, row: usize) -> Reject {
        let reason = self.text(REASON, row).and_then(Reason::of_code);
        Reject {
            line: self.number(LINE, row),
            byte_start: self.byte_start(row),
            byte_end: self.number(END, row),
            column: self.text(COLUMN, row).map(Arc::from),
            // A code that this version does not know is of a record that it cannot judge, as one that is too long.
            reason: reason.unwrap_or(Reason::TooLong),
            detail: self.detail(row).to_owned(),
            raw: self.raw(row).to_vec(),
            stops: None,
        }
    }

    /// Reads a row again; `emit` is given the event that it may be now.
    ///
    /// # Errors
    /// [`IngestError::Expectation`] where `contract` stops at it.
    pub(crate) fn read_again(
        &self,
        row: usize,
        file: &RejectedFile,
        parser: &Parser,
        contract: &str,
        emit: impl FnMut(Rows<'_>),
    ) -> Result<Outcome, IngestError> {
        if self.raw(row).len() >= MAX_RAW_BYTES {
            let parsed = ParsedChunk { rows: 1, ..ParsedChunk::default() };
            return Ok(Outcome { parsed, still: Some((self.as_it_was(row), Before::Cut)) });
        }
        // With this line end none of the bytes before it is taken for one.
        let record = [self.raw(row), b"\r\n"].concat();
        let chunk = Chunk {
            file: file.index,
            header: Arc::clone(&file.header),
            offset: self.byte_start(row),
            data: Buffer::from(record),
            oversized: None,
            bytes_read: 0,
            finished: None,
        };
        let mut parsed = parser.parse(&chunk, emit);
        let Some(mut reject) = parsed.rejects.pop() else { return Ok(Outcome { parsed, still: None }) };
        let line = self.number(LINE, row);
        if let Some(expectation) = reject.stops {
            return Err(IngestError::Expectation {
                contract: contract.to_owned(),
                expectation,
                file: file.name.clone(),
                line,
                detail: reject.detail,
            });
        }
        (reject.line, reject.byte_end) = (line, self.number(END, row));
        let now = (Some(reject.reason.code()), reject.detail.as_str(), reject.column.as_deref());
        let same = now == (self.text(REASON, row), self.detail(row), self.text(COLUMN, row));
        let before = if same { Before::Same } else { Before::Other };
        Ok(Outcome { parsed, still: Some((reject, before)) })
    }
}
