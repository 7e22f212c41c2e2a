//! A chunk of records as rows and rejects.

use std::sync::{Arc, Mutex, PoisonError};

use cip_core::table::SessionIdType;
use cip_core::{MoneyFault, Uuid};

use crate::error::IngestError;
use crate::interner::{DictionaryCache, SharedDictionary};
use crate::mapping::SourceMapping;
use crate::record::{FieldSpan, RecordEnd, record_end, split_fields, trim_line_end, unescape};
use crate::reject::{Reason, Reject};
use crate::row::{Row, RowBuilder, RowLayout};
use crate::rule::Condition;
use crate::source::{Chunk, Header, MAX_RAW_BYTES};
use crate::target::{ColumnKind, Fill, TargetColumn};

/// The declared drop of empty lines, which every mapping has.
pub(crate) const BLANK_LINE: &str = "blank_line";

/// Turns records into rows; shared by all threads.
pub(crate) struct Parser {
    delimiter: u8,
    pub(crate) columns: Vec<TargetColumn>,
    pub(crate) layout: RowLayout,
    /// One for each column; only dictionary columns use theirs.
    pub(crate) dictionaries: Vec<SharedDictionary>,
    drops: Vec<(String, String, Condition)>,
    scratches: Mutex<Vec<Scratch>>,
}

/// What a thread keeps from record to record.
#[derive(Debug)]
struct Scratch {
    fields: Vec<FieldSpan>,
    unescaped: Vec<u8>,
    row: RowBuilder,
    caches: Vec<DictionaryCache>,
}

/// What became of a chunk's rows.
#[derive(Debug, Default)]
pub(crate) struct ParsedChunk {
    pub(crate) rows: u64,
    pub(crate) events: u64,
    pub(crate) blank_lines: u64,
    /// Rows dropped, by rule.
    pub(crate) drops: Vec<u64>,
    pub(crate) rejects: Vec<Reject>,
    /// Line ends in the chunk.
    pub(crate) lines: u64,
}

/// Where the fields of one file go.
struct FilePlan<'a> {
    fields: usize,
    columns: Vec<ColumnPlan<'a>>,
    drops: Vec<(usize, &'a Condition)>,
}

enum ColumnPlan<'a> {
    Field(usize),
    Constant { value: &'a str, when: Vec<(usize, &'a Condition, &'a str)> },
}

/// A field that does not fit its column.
struct Fault {
    column: Option<usize>,
    reason: Reason,
}

impl Parser {
    pub(crate) fn new(mapping: &SourceMapping) -> Result<Self, IngestError> {
        let columns = mapping.targets()?;
        let mut dictionaries = Vec::new();
        dictionaries.resize_with(columns.len(), SharedDictionary::default);
        let drops =
            mapping.drops().map(|(rule, column, condition)| (rule.to_owned(), column.to_owned(), condition));
        Ok(Self {
            delimiter: mapping.delimiter(),
            layout: RowLayout::new(&columns),
            drops: drops.collect(),
            columns,
            dictionaries,
            scratches: Mutex::new(Vec::new()),
        })
    }

    /// The names of the declared drops, in the order of [`ParsedChunk::drops`].
    pub(crate) fn drop_rules(&self) -> impl Iterator<Item = &str> {
        self.drops.iter().map(|(rule, _, _)| rule.as_str())
    }

    /// Parses a chunk; `emit` is given every event.
    pub(crate) fn parse(&self, chunk: &Chunk, mut emit: impl FnMut(Row<'_>, &[u8])) -> ParsedChunk {
        let plan = self.plan(&chunk.header);
        let mut parsed = ParsedChunk { drops: vec![0; self.drops.len()], ..ParsedChunk::default() };
        let data = chunk.data.as_slice();
        if let Some(length) = chunk.oversized {
            parsed.rows = 1;
            parsed.lines = 1;
            parsed.rejects.push(too_long(trim_line_end(data), 0, chunk.offset, length));
            return parsed;
        }
        let mut scratch = self.take_scratch();
        let mut at = 0;
        // Lines are counted only up to rejects: nearly no chunk has one.
        let mut counted = (0, 0);
        while at < data.len() {
            let (end, broken) = match record_end(data, at, self.delimiter, true) {
                RecordEnd::Whole(end) => (end, None),
                RecordEnd::Unclosed(end) => (end, Some(Reason::UnclosedQuote)),
                RecordEnd::TooLong(end) => (end, Some(Reason::TooLong)),
                RecordEnd::Undecided => (data.len(), Some(Reason::UnclosedQuote)),
            };
            let record = &data[at..end];
            let offset = chunk.offset + at as u64;
            parsed.rows += 1;
            let text = trim_line_end(record);
            let outcome = match broken {
                Some(reason) => Err(Fault { column: None, reason }),
                None if text.is_empty() => {
                    parsed.blank_lines += 1;
                    Ok(())
                }
                None => self.record(&plan, chunk.file, offset, text, &mut scratch, &mut parsed, &mut emit),
            };
            if let Err(fault) = outcome {
                counted.1 += count_lines(&data[counted.0..at]);
                counted.0 = at;
                parsed.rejects.push(match fault.reason {
                    Reason::TooLong => too_long(text, counted.1, offset, record.len() as u64),
                    _ => self.reject(
                        &plan,
                        &fault,
                        text,
                        record.len(),
                        counted.1,
                        offset,
                        &chunk.header,
                        &scratch.fields,
                    ),
                });
            }
            at = end;
        }
        parsed.lines = counted.1 + count_lines(&data[counted.0..]);
        self.scratches.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        parsed
    }

    fn take_scratch(&self) -> Scratch {
        self.scratches.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_else(|| {
            let mut caches = Vec::new();
            caches.resize_with(self.columns.len(), DictionaryCache::default);
            Scratch { fields: Vec::new(), unescaped: Vec::new(), row: RowBuilder::new(), caches }
        })
    }

    fn plan<'a>(&'a self, header: &Header) -> FilePlan<'a> {
        // The header was held against the mapping: every column is there.
        let index = |name: &str| header.index_of(name).unwrap_or_default();
        let columns = self.columns.iter().map(|target| match &target.fill {
            Fill::From(from) => ColumnPlan::Field(index(from)),
            Fill::Constant { value, when } => ColumnPlan::Constant {
                value,
                when: when.iter().map(|(column, fits, then)| (index(column), fits, then.as_str())).collect(),
            },
        });
        FilePlan {
            fields: header.names.len(),
            columns: columns.collect(),
            drops: self.drops.iter().map(|(_, column, condition)| (index(column), condition)).collect(),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call, in the innermost loop")]
    fn record(
        &self,
        plan: &FilePlan<'_>,
        file: usize,
        offset: u64,
        text: &[u8],
        scratch: &mut Scratch,
        parsed: &mut ParsedChunk,
        emit: &mut impl FnMut(Row<'_>, &[u8]),
    ) -> Result<(), Fault> {
        let Scratch { fields, unescaped, row, caches } = scratch;
        if split_fields(text, self.delimiter, fields).is_err() {
            return Err(Fault { column: None, reason: Reason::TextAfterQuote });
        }
        if fields.len() != plan.fields {
            return Err(Fault { column: None, reason: Reason::FieldCount });
        }
        for (rule, (field, condition)) in plan.drops.iter().enumerate() {
            let span = fields[*field];
            if condition.fits(unescape(&text[span.start..span.end], span.escaped, unescaped)) {
                parsed.drops[rule] += 1;
                return Ok(());
            }
        }
        row.start(&self.layout, file, offset);
        for (index, (target, column)) in self.columns.iter().zip(&plan.columns).enumerate() {
            let value = match column {
                ColumnPlan::Field(field) => {
                    let span = fields[*field];
                    unescape(&text[span.start..span.end], span.escaped, unescaped)
                }
                ColumnPlan::Constant { value, when } => {
                    let fitting = when.iter().find(|(field, condition, _)| {
                        let span = fields[*field];
                        condition.fits(unescape(&text[span.start..span.end], span.escaped, unescaped))
                    });
                    fitting.map_or(*value, |(_, _, then)| then).as_bytes()
                }
            };
            let fault = |reason| Fault { column: Some(index), reason };
            if value.is_empty() {
                if !target.nullable {
                    return Err(fault(Reason::MissingValue));
                }
                row.null(&self.layout, index);
                continue;
            }
            let slot = self.layout.slot(index);
            match &target.kind {
                ColumnKind::Int64 => {
                    row.put(slot, crate::value::parse_int64(value).map_err(fault)?.to_le_bytes());
                }
                ColumnKind::Float64 => {
                    row.put(slot, crate::value::parse_float64(value).map_err(fault)?.to_le_bytes());
                }
                ColumnKind::Timestamp(format) => {
                    row.put(slot, crate::value::parse_time(value, *format).map_err(fault)?.to_le_bytes());
                }
                ColumnKind::Money(scale) => {
                    let units = scale.parse(value).map_err(|money| fault(money_reason(money)))?;
                    row.put(slot, units.to_le_bytes());
                }
                ColumnKind::Dictionary(rename) => {
                    let code = self.dictionaries[index]
                        .code(value, &mut caches[index], rename)
                        .map_err(|_| fault(Reason::InvalidUtf8))?;
                    row.put(slot, code.to_le_bytes());
                }
                ColumnKind::Session(SessionIdType::Uuid) => {
                    let uuid = Uuid::parse(value).ok_or_else(|| fault(Reason::InvalidUuid))?;
                    row.put(slot, uuid.bytes());
                }
                ColumnKind::Utf8 | ColumnKind::Session(SessionIdType::Utf8) => {
                    simdutf8::basic::from_utf8(value).map_err(|_| fault(Reason::InvalidUtf8))?;
                    row.put_text(slot, value);
                }
            }
        }
        parsed.events += 1;
        let (row, bytes) = row.finish(&self.layout);
        emit(row, bytes);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "everything that a reject tells")]
    fn reject(
        &self,
        plan: &FilePlan<'_>,
        fault: &Fault,
        text: &[u8],
        length: usize,
        line: u64,
        offset: u64,
        header: &Header,
        fields: &[FieldSpan],
    ) -> Reject {
        let field = fault.column.and_then(|column| match plan.columns[column] {
            ColumnPlan::Field(field) => Some(field),
            ColumnPlan::Constant { .. } => None,
        });
        let detail = match (fault.reason, field.zip(fault.column)) {
            (Reason::FieldCount, _) => format!("{} fields, expected {}", fields.len(), plan.fields),
            (Reason::UnclosedQuote, _) => "a quote opened on this line is not closed within 1 MiB".to_owned(),
            (Reason::TextAfterQuote, _) => "a closing quote is followed by more text".to_owned(),
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
        };
        Reject {
            line: line + 1,
            byte_start: offset,
            byte_end: offset + length as u64,
            column: field.map(|field| Arc::from(header.names[field].as_str())),
            reason: fault.reason,
            detail,
            raw: text[..text.len().min(MAX_RAW_BYTES)].to_vec(),
        }
    }
}

fn too_long(record: &[u8], line: u64, offset: u64, length: u64) -> Reject {
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
    }
}

fn count_lines(data: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', data).count() as u64
}

fn money_reason(fault: MoneyFault) -> Reason {
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
        ColumnKind::Timestamp(crate::rule::TimeFormat::Iso8601) => {
            "a time such as 2019-10-01 00:00:00 UTC".to_owned()
        }
        ColumnKind::Timestamp(_) => "a whole number of seconds or milliseconds since 1970".to_owned(),
        ColumnKind::Money(scale) => {
            format!("an amount with at most {} decimals and 18 digits", scale.decimals())
        }
        ColumnKind::Session(SessionIdType::Uuid) => "a UUID".to_owned(),
        _ => "UTF-8 text".to_owned(),
    }
}

fn shorten(text: &[u8]) -> String {
    const LIMIT: usize = 60;
    let shown = String::from_utf8_lossy(&text[..text.len().min(LIMIT)]);
    if text.len() > LIMIT { format!("{shown}…") } else { shown.into_owned() }
}
