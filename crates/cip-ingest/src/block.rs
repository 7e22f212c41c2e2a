//! Lines of one form, column by column: the way that nearly all lines of a file are read.
//!
//! Neighbouring lines without quotes that have as many fields as the header become rows at once, if every field is written
//! as nearly all are. Otherwise nothing has happened but that products may be known: the lines are read one by one, in the
//! general way, which says what is wrong with them, if anything is.

use std::ops::RangeInclusive;

use cip_core::Uuid;
use cip_core::table::SessionIdType;

use crate::attributes::Attributes;
use crate::contract::verdict::Admission;
use crate::digits;
use crate::field::{FieldText, PlainFields, TextWords};
use crate::file_plan::{AttributePlan, ColumnPlan, FilePlan};
use crate::interner::SharedDictionary;
use crate::known_texts::Fingerprint;
use crate::parse::{ParsedChunk, Parser, Work};
use crate::row::{OFFSET_BITS, Row, Slot, SlotKind};
use crate::rule::TimeFormat;
use crate::source::Chunk;
use crate::target::ColumnKind;
use crate::uuid_text::UuidReader;

/// Lines of a block at most: their rows stay in the processor's first cache from column to column.
const LINES: usize = 64;

/// How the fields of lines become rows.
#[derive(Debug)]
pub(crate) struct BlockPlan {
    columns: Vec<BlockColumn>,
    /// Where the code of what rows share goes.
    attributes: Option<Slot>,
    uuids: UuidReader,
}

#[derive(Debug)]
struct BlockColumn {
    index: usize,
    field: usize,
    slot: Slot,
    nullable: bool,
    form: Form,
}

/// How the values of a column are written.
#[derive(Debug)]
enum Form {
    Int64,
    Time,
    Money { decimals: u8 },
    Dictionary,
    Uuid,
}

impl BlockPlan {
    /// Returns none where a column is read in another way, lines are dropped, or users are put in the place of their aliases.
    pub(crate) fn new(
        parser: &Parser,
        columns: &[ColumnPlan<'_>],
        attributes: Option<&AttributePlan>,
    ) -> Option<Self> {
        parser.layout.packing()?;
        let stitched = (0..columns.len()).any(|index| parser.stitching.meets(index));
        let as_they_are = parser.drops.is_empty() && !stitched;
        if !as_they_are || parser.attributes.is_some() != attributes.is_some() {
            return None;
        }
        let column = |(index, plan): (usize, &ColumnPlan<'_>)| {
            let target = &parser.columns[index];
            let slot = parser.layout.slot(index);
            if let SlotKind::Attribute(_) = slot.kind {
                return None;
            }
            let form = match &target.kind {
                ColumnKind::Int64 => Some(Form::Int64),
                ColumnKind::Timestamp(TimeFormat::Iso8601) => Some(Form::Time),
                ColumnKind::Money(scale) => Some(Form::Money { decimals: scale.decimals() }),
                ColumnKind::Dictionary(_) => Some(Form::Dictionary),
                ColumnKind::Session(SessionIdType::Uuid) => Some(Form::Uuid),
                _ => None,
            };
            let field = match plan {
                ColumnPlan::Field(field) => Some(*field),
                ColumnPlan::Constant { .. } => None,
            };
            let nullable = target.nullable;
            Some(field.zip(form).map(|(field, form)| BlockColumn { index, field, slot, nullable, form }))
        };
        Some(Self {
            columns: columns.iter().enumerate().filter_map(column).collect::<Option<_>>()?,
            attributes: attributes.and(parser.layout.attributes),
            uuids: UuidReader::new(),
        })
    }
}

/// Neighbouring lines that have as many fields as the header.
pub(crate) struct Lines<'a> {
    data: &'a [u8],
    /// Where places count from, and where the first line starts.
    base: usize,
    start: usize,
    /// The end of every field of every line.
    ends: &'a [u32],
    fields: usize,
}

impl<'a> Lines<'a> {
    /// Returns the lines before the first that has more or fewer fields, at most as many as make a block. `ends` are the ends
    /// of all fields counted from `base` on, `lines` those of the lines, of which the first starts at `start`.
    pub(crate) fn regular(
        data: &'a [u8],
        (base, start): (usize, usize),
        ends: &'a [u32],
        lines: &[u32],
        fields: usize,
    ) -> Self {
        let is_regular = |(line, end): &(&u32, &[u32])| end.last() == Some(*line);
        let count = if fields > 1 {
            lines.iter().zip(ends.chunks_exact(fields)).take(LINES).take_while(is_regular).count()
        } else {
            0
        };
        Self { data, base, start, ends: &ends[..count * fields], fields }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len() / self.fields
    }

    /// Where the line behind the last starts.
    pub(crate) fn end(&self) -> usize {
        self.ends.last().map_or(self.start, |&end| self.base + end as usize + 1)
    }

    /// The fields of each line.
    fn fields(&self) -> impl Iterator<Item = PlainFields<'a>> {
        let (data, base) = (self.data, self.base);
        let lines = self.ends.chunks_exact(self.fields).zip(self.bounds());
        lines.map(move |(ends, (start, _))| PlainFields::new(data, base, start, ends))
    }

    /// Where each line starts, and where it ends with its line end.
    fn bounds(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut start = self.start;
        self.ends.chunks_exact(self.fields).map(move |ends| {
            let end = self.base + ends[ends.len() - 1] as usize + 1;
            (std::mem::replace(&mut start, end), end)
        })
    }

    /// The text of some neighbouring fields of each line.
    #[inline(always)]
    fn texts(&self, span: &RangeInclusive<usize>) -> impl Iterator<Item = FieldText<'a>> {
        let (first, last) = (*span.start(), *span.end());
        let is_last = last + 1 == self.fields;
        let (data, base) = (self.data, self.base);
        let mut line_start = self.start;
        self.ends.chunks_exact(self.fields).map(move |ends| {
            let start = if first == 0 { line_start } else { base + ends[first - 1] as usize + 1 };
            let mut end = base + ends[last] as usize;
            if first == 0 || is_last {
                line_start = base + ends[ends.len() - 1] as usize + 1;
                end -= usize::from(is_last && data[end - 1] == b'\r');
            }
            FieldText::new(data, start, end - start)
        })
    }

    /// Puts the values of a column into rows; false where `read` gives none of a field.
    #[inline(always)]
    fn fill<const N: usize>(
        &self,
        column: &BlockColumn,
        rows: &mut [u8],
        row_bytes: usize,
        mut read: impl FnMut(&FieldText<'a>) -> Option<[u8; N]>,
    ) -> bool {
        for (field, row) in self.texts(&(column.field..=column.field)).zip(rows.chunks_exact_mut(row_bytes)) {
            if field.is_empty() {
                if !column.nullable {
                    return false;
                }
                let (byte, bit) = column.slot.null;
                row[byte] |= bit;
                continue;
            }
            match read(&field) {
                Some(value) => row[column.slot.at..column.slot.at + N].copy_from_slice(&value),
                None => return false,
            }
        }
        true
    }
}

impl Parser {
    /// Makes rows of lines; false, and nothing else, where they are to be read in the general way.
    pub(crate) fn block(
        &self,
        plan: &FilePlan<'_>,
        block: &BlockPlan,
        chunk: &Chunk,
        lines: &Lines<'_>,
        work: &mut Work,
        parsed: &mut ParsedChunk,
    ) -> bool {
        let row_bytes = self.layout.fixed;
        let whole = self.fill(plan, block, chunk, lines, work);
        let mut kept = 0;
        if whole {
            match &self.inspection {
                None => {
                    kept = lines.len();
                    parsed.rows += kept as u64;
                    parsed.lines += kept as u64;
                }
                Some(inspection) => {
                    for (line, (start, end)) in lines.bounds().enumerate() {
                        let rows = work.row.block();
                        let row = Row { layout: &self.layout, bytes: &rows[line * row_bytes..] };
                        let code = self.layout.attributes.map(|slot| row.code(slot));
                        match self.admit(inspection, row, code, start, &mut work.memo, parsed) {
                            Ok(Admission::Kept) => {
                                rows.copy_within(line * row_bytes..(line + 1) * row_bytes, kept * row_bytes);
                                kept += 1;
                            }
                            Ok(Admission::Dropped) => (),
                            Err(fault) => {
                                let reject = self.reject(plan, &fault, chunk, (start, end), parsed.lines);
                                parsed.rejects.push(reject);
                            }
                        }
                        parsed.rows += 1;
                        parsed.lines += 1;
                    }
                }
            }
            parsed.events += kept as u64;
        }
        work.row.finish_block(&self.layout, kept);
        whole
    }

    /// Fills the rows of a block; false where a field is not written as nearly all are, or not known yet.
    fn fill(
        &self,
        plan: &FilePlan<'_>,
        block: &BlockPlan,
        chunk: &Chunk,
        lines: &Lines<'_>,
        work: &mut Work,
    ) -> bool {
        let row_bytes = self.layout.fixed;
        let Work { unescaped, row, caches, dates, attribute_text, .. } = work;
        let rows = row.start_block(&self.layout, lines.len());
        let known = self.attributes.as_ref().map(Attributes::known);
        let mut texts = [Fingerprint::default(); LINES];
        let attributes = plan.attributes.as_ref();
        let span = attributes.and_then(AttributePlan::span);
        if let (Some(known), Some(span)) = (&known, span) {
            for (fingerprint, text) in texts.iter_mut().zip(lines.texts(span)) {
                *fingerprint = Fingerprint::of(text.bytes());
                known.expect(*fingerprint);
            }
        }
        let file = (chunk.file as u64) << OFFSET_BITS;
        for (row, (start, _)) in rows.chunks_exact_mut(row_bytes).zip(lines.bounds()) {
            let offset = (chunk.offset + start as u64) & ((1 << OFFSET_BITS) - 1);
            row[..8].copy_from_slice(&(file | offset).to_le_bytes());
        }
        for column in &block.columns {
            let index = column.index;
            let all = match column.form {
                Form::Int64 => {
                    lines.fill(column, rows, row_bytes, |field| digits::int64(field).map(i64::to_le_bytes))
                }
                Form::Time => {
                    let date = &mut dates[index];
                    lines.fill(column, rows, row_bytes, |field| date.time(field).map(i64::to_le_bytes))
                }
                Form::Money { decimals } => lines.fill(column, rows, row_bytes, |field| {
                    digits::amount(field, decimals).map(i64::to_le_bytes)
                }),
                Form::Dictionary => {
                    let cache = &caches[index];
                    // Of most events the type is that of the one before.
                    let mut last = (TextWords::default(), 0);
                    lines.fill(column, rows, row_bytes, |field| {
                        let words = field.words()?;
                        if words != last.0 {
                            last = (words, SharedDictionary::known(&words, cache)?);
                        }
                        Some(u32::to_le_bytes(last.1))
                    })
                }
                Form::Uuid => lines
                    .fill(column, rows, row_bytes, |field| block.uuids.read(field.bytes()).map(Uuid::bytes)),
            };
            if !all {
                return false;
            }
        }
        let (Some(known), Some(attributes), Some(slot)) = (&known, attributes, block.attributes) else {
            return true;
        };
        if span.is_none() {
            for (text, fields) in texts.iter_mut().zip(lines.fields()) {
                *text = Fingerprint::of(attributes.text(&fields, unescaped, attribute_text).bytes());
            }
        }
        let mut fields = lines.fields();
        texts.iter().zip(rows.chunks_exact_mut(row_bytes)).all(|(&text, row)| {
            let fields = fields.next();
            let new = |fields: PlainFields<'_>| {
                let text = attributes.text(&fields, unescaped, attribute_text);
                self.enter(plan, text.bytes(), &fields, unescaped, caches).ok()
            };
            let code = known.code(text).or_else(|| fields.and_then(new));
            code.is_some_and(|code| {
                row[slot.at..slot.at + 4].copy_from_slice(&code.to_le_bytes());
                true
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cip_core::MemoryBudget;
    use proptest::prelude::*;

    use super::*;
    use crate::attributes::AttributeUse;
    use crate::buffer::Buffer;
    use crate::contract::Contract;
    use crate::contract::resolve::Extent;
    use crate::format::RecordFormat;
    use crate::mapping::SourceMapping;
    use crate::record::Marks;
    use crate::source::Header;

    const NAMES: [&str; 9] = [
        "event_time",
        "event_type",
        "product_id",
        "category_id",
        "category_code",
        "brand",
        "price",
        "user_id",
        "user_session",
    ];

    /// A field of a line: mostly in the form that nearly all have, now and then in another, or none at all.
    fn field(name: &str) -> BoxedStrategy<String> {
        let usual = match name {
            "event_time" => "2019-1[01]-[0-2][1-9] [01][0-9]:[0-5][0-9]:[0-5][0-9] UTC",
            "event_type" => "view|cart|purchase",
            "product_id" | "category_id" => "[1-9][0-9]{0,18}",
            "price" => "[0-9]{1,5}\\.[0-9]{2}",
            "user_id" => "5[0-9]{8}",
            "user_session" => "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}",
            _ => "(a|bc)\\.[a-z]{1,3}",
        };
        let odd =
            "|-1|é|wish|2019-13-01 00:00:00 UTC|1e3|2019-10-01T00:00:00Z|\"a,b\"|99999999999999999999|a,b";
        prop_oneof![60 => usual.prop_map(String::from), 1 => odd.prop_map(String::from)].boxed()
    }

    fn chunk(text: &str) -> Chunk {
        let names = NAMES.iter().map(|name| (*name).to_owned()).collect();
        let format = RecordFormat::Csv(Marks::usual(b','));
        Chunk {
            file: 3,
            header: Arc::new(Header { names, lines: 1, format, left_out: Vec::new() }),
            offset: 77,
            data: Buffer::from(text.as_bytes().to_vec()),
            oversized: None,
            bytes_read: 0,
            finished: None,
        }
    }

    proptest! {
        #[test]
        fn a_block_is_read_as_its_lines_are_one_by_one(
            lines in proptest::collection::vec(NAMES.map(field), 0..90),
            copies in 1usize..4,
            line_end in "\n|\r\n",
            with_contract: bool,
            attribute_use in proptest::sample::select(vec![AttributeUse::Offers, AttributeUse::Products, AttributeUse::InEachRow]),
        ) {
            let mapping = SourceMapping::built_in("rees46").unwrap();
            let parser = || {
                let parser = Parser::new(&mapping, attribute_use).unwrap();
                let contract = Contract::built_in("commerce").unwrap();
                let budget = MemoryBudget::from_mib(64);
                let rules = contract.resolve(&mapping, &parser.columns, budget, Extent::Whole).unwrap();
                if with_contract { parser.with_contract(rules.into()) } else { parser }
            };
            let text: String = lines.iter().map(|fields| fields.join(",") + &line_end).collect();
            let chunk = chunk(&text);
            // What a parser does not know at first, it knows in the next copy.
            let read = |parser: &Parser, by_blocks: bool| {
                let mut plan = FilePlan::new(parser, &chunk.header);
                assert!(plan.block.is_some());
                plan.block = plan.block.filter(|_| by_blocks);
                let mut rows = Vec::new();
                let parsed: Vec<String> = (0..copies)
                    .map(|_| {
                        let emit = |some: crate::row::Rows<'_>| rows.extend_from_slice(some.bytes);
                        format!("{:?}", parser.parse_by(&plan, &chunk, emit))
                    })
                    .collect();
                (rows, parsed)
            };
            let (rows, parsed) = read(&parser(), true);
            let (expected_rows, expected) = read(&parser(), false);
            prop_assert_eq!(rows, expected_rows);
            prop_assert_eq!(parsed, expected);
        }
    }

    #[test]
    fn lines_of_a_new_product_are_a_block() {
        let parser = Parser::new(&SourceMapping::built_in("rees46").unwrap(), AttributeUse::Offers).unwrap();
        let session = "72d76fde-8bb3-4e00-8c23-a032dfed738c";
        let line = format!(
            "2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,{session}\n"
        );
        let plan = FilePlan::new(&parser, &chunk("").header);
        // The type of the events is known, not what they are of.
        parser.parse_by(&plan, &chunk(&line.replace("shiseido", "zeitun")), |_| ());
        let chunk = chunk(&line.repeat(LINES + 9));
        let ends: Vec<u32> = (0..)
            .zip(chunk.data.iter())
            .filter(|(_, byte)| matches!(byte, b',' | b'\n'))
            .map(|(at, _)| at)
            .collect();
        let lines: Vec<u32> = ends.iter().copied().skip(8).step_by(9).collect();
        let regular = Lines::regular(&chunk.data, (0, 0), &ends, &lines, 9);
        assert_eq!((regular.len(), regular.end()), (LINES, LINES * line.len()));
        let mut work = parser.take_scratch().work;
        let mut parsed = ParsedChunk::default();
        assert!(parser.block(&plan, plan.block.as_ref().unwrap(), &chunk, &regular, &mut work, &mut parsed));
        assert_eq!((parsed.events, parsed.rows, parsed.lines), (64, 64, 64));
    }
}
