//! What is told of a record that does not fit.

use std::sync::Arc;

use cip_core::MoneyFault;
use cip_core::table::SessionIdType;

use crate::file_plan::{ColumnPlan, FilePlan};
use crate::format::json_fault;
use crate::parse::Parser;
use crate::record::{FieldSpan, trim_line_end};
use crate::reject::{Reason, Reject};
use crate::rule::TimeFormat;
use crate::source::{Chunk, MAX_RAW_BYTES};
use crate::target::ColumnKind;

/// A record, or a field of it, that does not fit.
pub(crate) struct Fault {
    pub(crate) column: Option<usize>,
    pub(crate) reason: Reason,
    /// Where it is the contract that the record does not fit.
    pub(crate) violation: Option<Box<Violation>>,
}

/// What a contract says of a record.
pub(crate) struct Violation {
    pub(crate) detail: String,
    /// The expectation that ends the ingest.
    pub(crate) stops: Option<String>,
}

impl Fault {
    /// A fault of a whole record.
    pub(crate) fn of_record(reason: Reason) -> Self {
        Self { column: None, reason, violation: None }
    }

    /// A fault of a field.
    pub(crate) fn of_field(column: usize, reason: Reason) -> Self {
        Self { column: Some(column), reason, violation: None }
    }
}

impl Parser {
    /// Returns the reject of the record from `start` to `end` of a chunk, before which the chunk has `lines` lines.
    pub(crate) fn reject(
        &self,
        plan: &FilePlan<'_>,
        fault: &Fault,
        chunk: &Chunk,
        (start, end): (usize, usize),
        lines: u64,
    ) -> Reject {
        let text = trim_line_end(&chunk.data[start..end]);
        let offset = chunk.offset + start as u64;
        if fault.reason == Reason::TooLong {
            return too_long(text, lines, offset, (end - start) as u64);
        }
        let (format, names) = (chunk.header.format, &chunk.header.names);
        let mut fields = Vec::new();
        // Where a quote is followed by text, the fields before it are not asked for.
        let _ = format.split(text, names, &mut fields);
        let field = fault.column.and_then(|column| match plan.columns[column] {
            ColumnPlan::Field(field) => Some(field),
            ColumnPlan::Constant { .. } => None,
        });
        let (detail, stops) = match &fault.violation {
            Some(violation) => (violation.detail.clone(), violation.stops.clone()),
            None => (self.parse_detail(plan, fault, chunk, text, &fields, field), None),
        };
        Reject {
            line: lines + 1,
            byte_start: offset,
            byte_end: offset + (end - start) as u64,
            column: field.map(|field| Arc::from(chunk.header.names[field].as_str())),
            reason: fault.reason,
            detail,
            raw: text[..text.len().min(MAX_RAW_BYTES)].to_vec(),
            stops,
        }
    }

    /// Says why a record cannot be parsed.
    fn parse_detail(
        &self,
        plan: &FilePlan<'_>,
        fault: &Fault,
        chunk: &Chunk,
        text: &[u8],
        fields: &[FieldSpan],
        field: Option<usize>,
    ) -> String {
        match (fault.reason, field.zip(fault.column)) {
            (Reason::FieldCount, _) => format!("{} fields, expected {}", fields.len(), plan.fields),
            (Reason::UnclosedQuote, _) => "a quote opened on this line is not closed within 1 MiB".to_owned(),
            (Reason::TextAfterQuote, _) => "a closing quote is followed by more text".to_owned(),
            (Reason::InvalidJson, _) => json_fault(text, &chunk.header.names),
            (Reason::MissingValue, _) => "empty, but the column is not nullable".to_owned(),
            (_, Some((field, column))) => {
                let span = fields[field];
                format!(
                    "`{}` is not {}",
                    shorten(&text[span.start..span.end]),
                    expected(&self.columns[column].kind)
                )
            }
            (_, None) => String::new(),
        }
    }
}

/// Returns the reject of a line of which `record` is at least the start.
pub(crate) fn too_long(record: &[u8], line: u64, offset: u64, length: u64) -> Reject {
    Reject {
        line: line + 1,
        byte_start: offset,
        byte_end: offset + length,
        column: None,
        reason: Reason::TooLong,
        detail: format!(
            "{length} bytes, at most {} are read as one record; raw holds the first {MAX_RAW_BYTES}",
            crate::record::MAX_RECORD_BYTES
        ),
        raw: record[..record.len().min(MAX_RAW_BYTES)].to_vec(),
        stops: None,
    }
}

pub(crate) fn money_reason(fault: MoneyFault) -> Reason {
    match fault {
        MoneyFault::Scale => Reason::Scale,
        MoneyFault::Overflow => Reason::OutOfRange,
        _ => Reason::InvalidMoney,
    }
}

fn expected(kind: &ColumnKind) -> String {
    match kind {
        ColumnKind::Int64 => "a 64-bit integer".to_owned(),
        ColumnKind::Float64 => "a finite number".to_owned(),
        ColumnKind::Timestamp(TimeFormat::Iso8601) => "a time such as 2019-10-01 00:00:00 UTC".to_owned(),
        ColumnKind::Timestamp(TimeFormat::BasicDate) => "a date such as 20191001".to_owned(),
        ColumnKind::Timestamp(TimeFormat::MonthFirst) => "a time such as 10/1/2019 8:26".to_owned(),
        ColumnKind::Timestamp(_) => "a whole number of seconds or milliseconds since 1970".to_owned(),
        ColumnKind::Money(scale) => {
            format!("an amount with at most {} decimals and 18 digits", scale.decimals())
        }
        ColumnKind::Session(SessionIdType::Uuid) => "a UUID".to_owned(),
        _ => "UTF-8 text".to_owned(),
    }
}

/// The first bytes of a text.
pub(crate) fn shorten(text: &[u8]) -> String {
    const LIMIT: usize = 60;
    let shown = String::from_utf8_lossy(&text[..text.len().min(LIMIT)]);
    if text.len() > LIMIT { format!("{shown}…") } else { shown.into_owned() }
}
