//! A chunk of records as rows and rejects.

use std::sync::Arc;

use cip_core::table::SessionIdType;
use cip_core::{MoneyScale, Uuid};
use cip_store::AliasTable;

use crate::attributes::{AttributeUse, AttributeValues, Attributes};
use crate::block::Lines;
use crate::contract::inspection::{CodeMemo, Inspection};
use crate::contract::resolve::Rule;
use crate::contract::tally::Tally;
use crate::contract::uniqueness::Comparison;
use crate::contract::verdict::Admission;
use crate::digits::{self, LastDate};
use crate::error::IngestError;
use crate::fault::{Fault, money_reason, too_long};
use crate::field::{FieldText, Fields, PlainFields, SplitFields};
use crate::file_plan::{ColumnPlan, FilePlan};
use crate::format::RecordFormat;
use crate::idle::Idle;
use crate::interner::{DictionaryCache, SharedDictionary};
use crate::known_texts::Fingerprint;
use crate::mapping::SourceMapping;
use crate::record::{FieldSpan, RecordEnd, trim_line_end};
use crate::reject::{Reason, Reject};
use crate::row::{RowLayout, Rows, SlotKind};
use crate::row_builder::RowBuilder;
use crate::rule::{Condition, TimeFormat};
use crate::source::Chunk;
use crate::stitching::{LastStitched, Stitching};
use crate::structure::Structure;
use crate::target::{ColumnKind, TargetColumn};
use crate::value;

/// The declared drop of empty lines, which every mapping has.
pub(crate) const BLANK_LINE: &str = "blank_line";

/// Turns records into rows; shared by all threads.
pub(crate) struct Parser {
    pub(crate) columns: Vec<TargetColumn>,
    pub(crate) layout: RowLayout,
    /// One for each column; only dictionary columns use theirs.
    pub(crate) dictionaries: Vec<SharedDictionary>,
    /// Where rows have the code of a product's attributes instead of their columns.
    pub(crate) attributes: Option<Attributes>,
    pub(crate) drops: Vec<(String, String, Condition)>,
    /// Where there is a contract.
    pub(crate) inspection: Option<Inspection>,
    /// Where ids of users may be aliases.
    pub(crate) stitching: Stitching,
    scratches: Idle<Scratch>,
}

/// What a thread keeps from chunk to chunk.
#[derive(Debug)]
pub(crate) struct Scratch {
    structure: Structure,
    spans: Vec<FieldSpan>,
    pub(crate) work: Work,
}

/// What a thread keeps from row to row.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) unescaped: Vec<u8>,
    pub(crate) row: RowBuilder,
    /// One for each column, as `dates`.
    pub(crate) caches: Vec<DictionaryCache>,
    pub(crate) dates: Vec<LastDate>,
    pub(crate) attribute_text: Vec<u8>,
    pub(crate) memo: CodeMemo,
    stitched: LastStitched,
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
    /// Events of users who were named by an alias.
    pub(crate) stitched: u64,
    /// Line ends in the chunk.
    pub(crate) lines: u64,
    /// What the contract counted.
    pub(crate) tally: Tally,
    /// The rows that a contract holds back to compare them.
    pub(crate) comparison: Comparison,
}

impl Parser {
    pub(crate) fn new(mapping: &SourceMapping, attribute_use: AttributeUse) -> Result<Self, IngestError> {
        let columns = mapping.targets()?;
        let attributes = Attributes::new(&columns, attribute_use);
        let mut dictionaries = Vec::new();
        dictionaries.resize_with(columns.len(), SharedDictionary::default);
        let drops =
            mapping.drops().map(|(rule, column, condition)| (rule.to_owned(), column.to_owned(), condition));
        Ok(Self {
            layout: RowLayout::new(&columns, attributes.as_ref().map(Attributes::columns)),
            attributes,
            drops: drops.collect(),
            inspection: None,
            stitching: Stitching::new(None, &[]),
            columns,
            dictionaries,
            scratches: Idle::default(),
        })
    }

    /// Holds rows against a contract as well.
    pub(crate) fn with_contract(mut self, rules: Arc<[Rule]>) -> Self {
        self.inspection = Some(Inspection::new(rules, &self.columns, &self.layout));
        self
    }

    /// Puts users in the place of their aliases.
    pub(crate) fn with_aliases(mut self, aliases: Option<Arc<AliasTable>>) -> Self {
        self.stitching = Stitching::new(aliases, &self.columns);
        self
    }

    /// The names of the declared drops, in the order of [`ParsedChunk::drops`].
    pub(crate) fn drop_rules(&self) -> impl Iterator<Item = &str> {
        self.drops.iter().map(|(rule, _, _)| rule.as_str())
    }

    /// Parses a chunk; `emit` is given every event, some at once.
    pub(crate) fn parse(&self, chunk: &Chunk, emit: impl FnMut(Rows<'_>)) -> ParsedChunk {
        self.parse_by(&FilePlan::new(self, &chunk.header), chunk, emit)
    }

    pub(crate) fn parse_by(
        &self,
        plan: &FilePlan<'_>,
        chunk: &Chunk,
        mut emit: impl FnMut(Rows<'_>),
    ) -> ParsedChunk {
        let mut parsed = ParsedChunk {
            drops: vec![0; self.drops.len()],
            tally: Tally::new(self.inspection.as_ref().map_or(0, |inspection| inspection.rules().len())),
            ..ParsedChunk::default()
        };
        let (data, format) = (&*chunk.data, chunk.header.format);
        if let Some(length) = chunk.oversized {
            parsed.rows = 1;
            parsed.lines = 1;
            parsed.rejects.push(too_long(trim_line_end(data), 0, chunk.offset, length));
            return parsed;
        }
        let Scratch { mut structure, mut spans, mut work } = self.take_scratch();
        work.stitched = LastStitched::default();
        let mut at = 0;
        while at < data.len() {
            let start = at;
            match format {
                RecordFormat::Csv(marks) => structure.scan(&data[at..], marks),
                RecordFormat::Blanks | RecordFormat::NdJson => structure.clear(),
            }
            let (mut ends, mut lines) = (structure.ends(), structure.lines());
            // Lines that are not read some at once.
            let mut one_by_one = 0;
            while let [line, behind @ ..] = lines {
                if let Some(block) = &plan.block
                    && one_by_one == 0
                {
                    let regular = Lines::regular(data, (start, at), ends, lines, plan.fields);
                    if regular.len() > 0 && self.block(plan, block, chunk, &regular, &mut work, &mut parsed) {
                        ends = &ends[regular.len() * plan.fields..];
                        lines = &lines[regular.len()..];
                        at = regular.end();
                        if work.row.is_full() {
                            work.row.drain(&self.layout, &mut emit);
                        }
                        continue;
                    }
                    one_by_one = regular.len().max(1);
                }
                one_by_one = usize::saturating_sub(one_by_one, 1);
                lines = behind;
                let end = start + *line as usize + 1;
                // Nearly every line has as many fields as the header: its last one ends where the line does.
                let outcome = if plan.fields > 1 && ends.get(plan.fields - 1) == Some(line) {
                    let (of_line, rest) = ends.split_at(plan.fields);
                    ends = rest;
                    let fields = PlainFields::new(data, start, at, of_line);
                    self.row(plan, chunk, at, &fields, &mut work, &mut parsed, &mut emit)
                } else {
                    let fields = ends.iter().take_while(|&end| end < line).count() + 1;
                    ends = &ends[fields..];
                    self.record(plan, chunk, (at, end), &mut spans, &mut work, &mut parsed, &mut emit)
                };
                if let Err(fault) = outcome {
                    parsed.rejects.push(self.reject(plan, &fault, chunk, (at, end), parsed.lines));
                }
                parsed.rows += 1;
                parsed.lines += 1;
                at = end;
            }
            if at > start {
                continue;
            }
            // A record with quotes, a long one, one that is no CSV, or the last one, which may have no line end.
            let (end, outcome) = match format.record_end(data, at, true) {
                RecordEnd::Whole(end) => {
                    (end, self.record(plan, chunk, (at, end), &mut spans, &mut work, &mut parsed, &mut emit))
                }
                RecordEnd::Unclosed(end) => (end, Err(Fault::of_record(Reason::UnclosedQuote))),
                RecordEnd::TooLong(end) => (end, Err(Fault::of_record(Reason::TooLong))),
                RecordEnd::Undecided => (data.len(), Err(Fault::of_record(Reason::UnclosedQuote))),
            };
            if let Err(fault) = outcome {
                parsed.rejects.push(self.reject(plan, &fault, chunk, (at, end), parsed.lines));
            }
            parsed.rows += 1;
            parsed.lines += count_lines(&data[at..end]);
            at = end;
        }
        work.row.drain(&self.layout, emit);
        let scratch = Scratch { structure, spans, work };
        self.scratches.give(scratch, usize::MAX);
        parsed
    }

    pub(crate) fn take_scratch(&self) -> Scratch {
        self.scratches.take().unwrap_or_else(|| {
            let mut caches = Vec::new();
            caches.resize_with(self.columns.len(), DictionaryCache::default);
            let mut dates = Vec::new();
            dates.resize_with(self.columns.len(), LastDate::default);
            let work = Work {
                unescaped: Vec::new(),
                row: RowBuilder::default(),
                caches,
                dates,
                attribute_text: Vec::new(),
                memo: CodeMemo::default(),
                stitched: LastStitched::default(),
            };
            Scratch { structure: Structure::default(), spans: Vec::new(), work }
        })
    }

    /// Splits a record in the general way and emits its row.
    #[expect(clippy::too_many_arguments, reason = "what the loop over records holds")]
    fn record(
        &self,
        plan: &FilePlan<'_>,
        chunk: &Chunk,
        (start, end): (usize, usize),
        spans: &mut Vec<FieldSpan>,
        work: &mut Work,
        parsed: &mut ParsedChunk,
        emit: &mut impl FnMut(Rows<'_>),
    ) -> Result<(), Fault> {
        let text = trim_line_end(&chunk.data[start..end]);
        if text.is_empty() {
            parsed.blank_lines += 1;
            return Ok(());
        }
        let format = chunk.header.format;
        format.split(text, &chunk.header.names, spans).map_err(Fault::of_record)?;
        if spans.is_empty() && format == RecordFormat::Blanks {
            parsed.blank_lines += 1;
            return Ok(());
        }
        if spans.len() != plan.fields {
            return Err(Fault::of_record(Reason::FieldCount));
        }
        self.row(plan, chunk, start, &SplitFields { text, spans }, work, parsed, emit)
    }

    /// Emits the row of a record that starts at `start` in its chunk, unless a rule drops it.
    #[expect(clippy::too_many_arguments, reason = "what the loop over records holds")]
    #[inline(always)]
    fn row(
        &self,
        plan: &FilePlan<'_>,
        chunk: &Chunk,
        start: usize,
        fields: &impl Fields,
        work: &mut Work,
        parsed: &mut ParsedChunk,
        emit: &mut impl FnMut(Rows<'_>),
    ) -> Result<(), Fault> {
        let Work { unescaped, row, caches, dates, attribute_text, memo, stitched } = work;
        for (rule, (field, condition)) in plan.drops.iter().enumerate() {
            if condition.fits(fields.field(*field, unescaped).bytes()) {
                parsed.drops[rule] += 1;
                return Ok(());
            }
        }
        row.start(&self.layout, chunk.file, chunk.offset + start as u64);
        // What is known of the product already need not be read again.
        let mut values = AttributeValues::default();
        let attributes = match (&self.attributes, &plan.attributes) {
            (Some(shared), Some(plan)) => {
                let text = plan.text(fields, unescaped, attribute_text);
                let known = shared.known().code(Fingerprint::of(text.bytes()));
                Some((text, known))
            }
            _ => None,
        };
        let known = matches!(attributes, Some((_, Some(_))));
        for &index in if known { &plan.but_attributes } else { &plan.every } {
            let (target, column) = (&self.columns[index], &plan.columns[index]);
            let field = match column {
                ColumnPlan::Field(field) => fields.field(*field, unescaped),
                ColumnPlan::Constant { value, when } => {
                    let fitting = when.iter().find(|(field, condition, _)| {
                        condition.fits(fields.field(*field, unescaped).bytes())
                    });
                    FieldText::alone(fitting.map_or(*value, |(_, _, then)| then).as_bytes())
                }
            };
            let fault = |reason| Fault::of_field(index, reason);
            let slot = self.layout.slot(index);
            if field.is_empty() {
                if !target.nullable {
                    return Err(fault(Reason::MissingValue));
                }
                match slot.kind {
                    SlotKind::Attribute(place) => values.set(place, None),
                    _ => row.null(&self.layout, index),
                }
                continue;
            }
            if let SlotKind::Attribute(place) = slot.kind {
                values.set(place, Some(self.attribute(index, &field, &mut caches[index]).map_err(fault)?));
                continue;
            }
            match &target.kind {
                ColumnKind::Int64 => {
                    let value = integer(&field).map_err(fault)?;
                    let value = if self.stitching.meets(index) {
                        self.stitching.integer(value, start, stitched)
                    } else {
                        value
                    };
                    row.put(slot, value.to_le_bytes());
                }
                ColumnKind::Float64 => {
                    row.put(slot, value::parse_float64(field.bytes()).map_err(fault)?.to_le_bytes());
                }
                ColumnKind::Timestamp(format) => {
                    let fast = if *format == TimeFormat::Iso8601 { dates[index].time(&field) } else { None };
                    let time = match fast {
                        Some(time) => time,
                        None => value::parse_time(field.bytes(), *format).map_err(fault)?,
                    };
                    row.put(slot, time.to_le_bytes());
                }
                ColumnKind::Money(scale) => {
                    row.put(slot, amount(&field, *scale).map_err(fault)?.to_le_bytes());
                }
                ColumnKind::Dictionary(rename) => {
                    let code = self.dictionaries[index].code(&field, &mut caches[index], rename);
                    row.put(slot, code.map_err(|_| fault(Reason::InvalidUtf8))?.to_le_bytes());
                }
                ColumnKind::Session(SessionIdType::Uuid) => {
                    let uuid = Uuid::parse(field.bytes()).ok_or_else(|| fault(Reason::InvalidUuid))?;
                    row.put(slot, uuid.bytes());
                }
                ColumnKind::Utf8 | ColumnKind::Session(SessionIdType::Utf8) => {
                    simdutf8::basic::from_utf8(field.bytes()).map_err(|_| fault(Reason::InvalidUtf8))?;
                    let text = if self.stitching.meets(index) {
                        self.stitching.text(field.bytes(), start, stitched)
                    } else {
                        field.bytes()
                    };
                    row.put_text(slot, text);
                }
            }
        }
        let mut attribute_code = None;
        if let (Some(shared), Some(slot), Some((text, known))) =
            (&self.attributes, self.layout.attributes, attributes)
        {
            let code = known.unwrap_or_else(|| shared.enter(text.bytes(), values));
            row.put(slot, code.to_le_bytes());
            attribute_code = Some(code);
        }
        if let Some(inspection) = &self.inspection {
            let current = row.current(&self.layout);
            if self.admit(inspection, current, attribute_code, start, memo, parsed)? == Admission::Dropped {
                return Ok(());
            }
        }
        parsed.events += 1;
        parsed.stitched += stitched.count(start);
        row.finish(&self.layout);
        if row.is_full() {
            row.drain(&self.layout, emit);
        }
        Ok(())
    }

    /// Reads what a line of a file says of a product that is not known yet, and returns its code.
    pub(crate) fn enter(
        &self,
        plan: &FilePlan<'_>,
        text: &[u8],
        fields: &impl Fields,
        unescaped: &mut Vec<u8>,
        caches: &mut [DictionaryCache],
    ) -> Result<u32, Fault> {
        let mut values = AttributeValues::default();
        let Some(shared) = &self.attributes else { return Ok(0) };
        for (place, &index) in shared.columns().iter().enumerate() {
            let ColumnPlan::Field(field) = plan.columns[index] else { continue };
            let field = fields.field(field, unescaped);
            let value = match field.is_empty() {
                true if self.columns[index].nullable => Ok(None),
                true => Err(Reason::MissingValue),
                false => self.attribute(index, &field, &mut caches[index]).map(Some),
            };
            values.set(place, value.map_err(|reason| Fault::of_field(index, reason))?);
        }
        Ok(shared.enter(text, values))
    }

    /// A value that rows share: an integer, an amount, or the code of a text.
    fn attribute(
        &self,
        index: usize,
        field: &FieldText<'_>,
        cache: &mut DictionaryCache,
    ) -> Result<i64, Reason> {
        match &self.columns[index].kind {
            ColumnKind::Money(scale) => amount(field, *scale),
            ColumnKind::Dictionary(rename) => {
                let code = self.dictionaries[index].code(field, cache, rename);
                code.map(i64::from).map_err(|_| Reason::InvalidUtf8)
            }
            _ => integer(field),
        }
    }
}

fn integer(field: &FieldText<'_>) -> Result<i64, Reason> {
    digits::int64(field).map_or_else(|| value::parse_int64(field.bytes()), Ok)
}

/// An amount in its smallest units.
fn amount(field: &FieldText<'_>, scale: MoneyScale) -> Result<i64, Reason> {
    digits::amount(field, scale.decimals())
        .map_or_else(|| scale.parse(field.bytes()).map_err(money_reason), Ok)
}

fn count_lines(data: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', data).count() as u64
}
