//! Rows that did not become events, and why.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder, StringDictionaryBuilder, UInt64Builder};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use cip_core::table;

/// Why a row was rejected: a fixed set of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// `field_count`: more or fewer fields than the header has.
    FieldCount,
    /// `unclosed_quote`: a quote opened on this line is not closed.
    UnclosedQuote,
    /// `text_after_quote`: a closing quote is followed by more text.
    TextAfterQuote,
    /// `invalid_json`: the line is not a JSON object, or has a key twice.
    InvalidJson,
    /// `too_long`: the record is longer than 1 MiB.
    TooLong,
    /// `missing_value`: an empty field in a column that is not nullable.
    MissingValue,
    /// `invalid_utf8`: not UTF-8 text.
    InvalidUtf8,
    /// `invalid_integer`: not a whole number.
    InvalidInteger,
    /// `invalid_number`: not a number.
    InvalidNumber,
    /// `invalid_money`: not a decimal number.
    InvalidMoney,
    /// `scale`: more decimals than the column keeps.
    Scale,
    /// `out_of_range`: beyond what the column's type holds.
    OutOfRange,
    /// `invalid_time`: not a time in the mapping's format.
    InvalidTime,
    /// `invalid_uuid`: not a UUID.
    InvalidUuid,
    /// `not_null`: a contract expects a value.
    NotNull,
    /// `accepted_values`: a contract lists other values.
    AcceptedValues,
    /// `range`: beyond the bounds of a contract.
    Range,
    /// `length`: shorter or longer than a contract allows.
    Length,
    /// `regex`: not of the pattern of a contract.
    Regex,
    /// `unique`: an earlier row has the same values.
    Unique,
    /// `referential`: not in the list that a contract names.
    Referential,
}

impl Reason {
    const ALL: [Self; 21] = [
        Self::FieldCount,
        Self::UnclosedQuote,
        Self::TextAfterQuote,
        Self::InvalidJson,
        Self::TooLong,
        Self::MissingValue,
        Self::InvalidUtf8,
        Self::InvalidInteger,
        Self::InvalidNumber,
        Self::InvalidMoney,
        Self::Scale,
        Self::OutOfRange,
        Self::InvalidTime,
        Self::InvalidUuid,
        Self::NotNull,
        Self::AcceptedValues,
        Self::Range,
        Self::Length,
        Self::Regex,
        Self::Unique,
        Self::Referential,
    ];

    /// Returns the reason of a code; none where the code is unknown.
    pub(crate) fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// Its code in the table of rejects.
    pub fn code(self) -> &'static str {
        match self {
            Self::FieldCount => "field_count",
            Self::UnclosedQuote => "unclosed_quote",
            Self::TextAfterQuote => "text_after_quote",
            Self::InvalidJson => "invalid_json",
            Self::TooLong => "too_long",
            Self::MissingValue => "missing_value",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::InvalidInteger => "invalid_integer",
            Self::InvalidNumber => "invalid_number",
            Self::InvalidMoney => "invalid_money",
            Self::Scale => "scale",
            Self::OutOfRange => "out_of_range",
            Self::InvalidTime => "invalid_time",
            Self::InvalidUuid => "invalid_uuid",
            Self::NotNull => "not_null",
            Self::AcceptedValues => "accepted_values",
            Self::Range => "range",
            Self::Length => "length",
            Self::Regex => "regex",
            Self::Unique => "unique",
            Self::Referential => "referential",
        }
    }
}

/// A rejected row; lines count from the start of its chunk.
#[derive(Debug)]
pub(crate) struct Reject {
    pub(crate) line: u64,
    pub(crate) byte_start: u64,
    pub(crate) byte_end: u64,
    pub(crate) column: Option<Arc<str>>,
    pub(crate) reason: Reason,
    pub(crate) detail: String,
    pub(crate) raw: Vec<u8>,
    /// The expectation that ends the ingest at this row.
    pub(crate) stops: Option<String>,
}

/// Returns rejects as a batch of the table; `lines_before` are the file's lines before the chunk.
pub(crate) fn to_batch(
    file: &str,
    lines_before: u64,
    rejects: &[Reject],
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let mut files = StringDictionaryBuilder::<Int32Type>::new();
    let (mut lines, mut starts, mut ends) =
        (UInt64Builder::new(), UInt64Builder::new(), UInt64Builder::new());
    let mut columns = StringDictionaryBuilder::<Int32Type>::new();
    let mut reasons = StringDictionaryBuilder::<Int32Type>::new();
    let (mut details, mut raws) = (StringBuilder::new(), BinaryBuilder::new());
    for reject in rejects {
        files.append(file)?;
        lines.append_value(lines_before + reject.line);
        starts.append_value(reject.byte_start);
        ends.append_value(reject.byte_end);
        columns.append_option(reject.column.as_deref());
        reasons.append(reject.reason.code())?;
        details.append_value(&reject.detail);
        raws.append_value(&reject.raw);
    }
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(files.finish()),
        Arc::new(lines.finish()),
        Arc::new(starts.finish()),
        Arc::new(ends.finish()),
        Arc::new(columns.finish()),
        Arc::new(reasons.finish()),
        Arc::new(details.finish()),
        Arc::new(raws.finish()),
    ];
    RecordBatch::try_new(table::rejects(), arrays)
}
