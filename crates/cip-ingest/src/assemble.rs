//! Rows as columns: a row group becomes a typed batch.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{BooleanBufferBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow_buffer::NullBuffer;
use cip_core::{AMOUNT_PRECISION, CoreError, EventBatch, EventSchema, IdColumn, IdRef, column};
use foldhash::fast::RandomState;

use crate::error::IngestError;
use crate::number::{Piece, RowGroupRows, text};
use crate::parse::Parser;
use crate::row::{Row, RowLayout};
use crate::tagging::Tagging;
use crate::target::{ColumnKind, TargetColumn};

/// Builds the batches of events from rows; shared by all threads.
pub(crate) struct Assembler<'a> {
    schema: EventSchema,
    columns: &'a [TargetColumn],
    layout: &'a RowLayout,
    /// The texts of each dictionary column, complete once everything is parsed.
    dictionaries: Vec<StringArray>,
    product: Option<usize>,
    /// With the position of the users.
    tagging: Option<(Tagging<'a>, usize)>,
}

/// Distinct product ids.
pub(crate) enum Products {
    None,
    Int64(Vec<i64>),
    Utf8(HashSet<Box<str>, RandomState>),
}

/// Rows that are taken apart column by column at once.
const BLOCK: usize = 256;

/// The values of a column so far.
struct Values {
    kind: Kind,
    /// Which are there, in columns that may have nulls; texts know it themselves.
    valid: Option<BooleanBufferBuilder>,
}

enum Kind {
    Int64(Vec<i64>),
    Float64(Vec<f64>),
    Money(Vec<i128>),
    Code(Vec<i32>),
    Text(StringBuilder),
    Session(Vec<u32>),
}

impl<'a> Assembler<'a> {
    /// `schema` is that of the store.
    pub(crate) fn new(schema: EventSchema, parser: &'a Parser, tagging: Option<Tagging<'a>>) -> Self {
        let position = |name| parser.columns.iter().position(|target| target.name == name);
        Self {
            schema,
            columns: &parser.columns,
            layout: &parser.layout,
            dictionaries: parser.dictionaries.iter().map(|dictionary| dictionary.to_array()).collect(),
            product: position(column::PRODUCT_ID),
            tagging: tagging.zip(position(column::USER_ID)),
        }
    }

    pub(crate) fn assemble(&self, rows: &RowGroupRows) -> Result<EventBatch, IngestError> {
        let mut values: Vec<Values> =
            (0..self.columns.len()).map(|index| self.values(index, rows.len())).collect();
        for piece in &rows.pieces {
            // A block of rows stays in the processor's cache from column to column.
            for start in piece.rows.clone().step_by(BLOCK) {
                let block = start..piece.rows.end.min(start + BLOCK);
                for (index, values) in values.iter_mut().enumerate() {
                    self.take(index, piece, block.clone(), values);
                }
            }
        }
        let mut arrays = (values.into_iter().enumerate())
            .map(|(index, values)| self.array(index, values))
            .collect::<Result<Vec<_>, CoreError>>()?;
        if let Some((tagging, users)) = &self.tagging {
            let users = IdColumn::try_new(column::USER_ID, &arrays[*users])?;
            tagging.insert(&users, &mut arrays)?;
        }
        let batch = RecordBatch::try_new(Arc::clone(self.schema.arrow()), arrays).map_err(CoreError::from)?;
        Ok(EventBatch::try_new(batch)?)
    }

    fn values(&self, index: usize, rows: usize) -> Values {
        let kind = match &self.columns[index].kind {
            ColumnKind::Int64 | ColumnKind::Timestamp(_) => Kind::Int64(Vec::with_capacity(rows)),
            ColumnKind::Float64 => Kind::Float64(Vec::with_capacity(rows)),
            ColumnKind::Money(_) => Kind::Money(Vec::with_capacity(rows)),
            ColumnKind::Dictionary(_) => Kind::Code(Vec::with_capacity(rows)),
            ColumnKind::Session(_) => Kind::Session(Vec::with_capacity(rows)),
            ColumnKind::Utf8 => Kind::Text(StringBuilder::with_capacity(rows, rows * 16)),
        };
        let nullable = self.columns[index].nullable;
        Values { kind, valid: nullable.then(|| BooleanBufferBuilder::new(rows)) }
    }

    /// Appends a column's values in some rows.
    fn take(&self, index: usize, piece: &Piece, rows: Range<usize>, values: &mut Values) {
        let slot = self.layout.slot(index);
        let each = |visit: &mut dyn FnMut(Row<'_>)| piece.sorted.each(self.layout, rows.clone(), visit);
        match &mut values.kind {
            Kind::Int64(values) => {
                piece.sorted.each(self.layout, rows.clone(), |row| values.push(row.int64(slot)))
            }
            Kind::Float64(values) => each(&mut |row| values.push(row.float64(slot))),
            Kind::Money(values) => {
                piece.sorted.each(self.layout, rows.clone(), |row| values.push(i128::from(row.int64(slot))));
            }
            Kind::Code(values) => {
                piece.sorted.each(self.layout, rows.clone(), |row| values.push(row.code(slot).cast_signed()));
            }
            Kind::Text(texts) => {
                each(&mut |row| texts.append_option((!row.is_null(index)).then(|| text(row.bytes(slot)))));
                return;
            }
            Kind::Session(codes) => {
                let sessions = piece.sorted.sessions_of(rows.clone());
                codes.extend(sessions.map(|session| session.map_or(0, |session| piece.codes[session])));
            }
        }
        if let Some(valid) = &mut values.valid {
            let (mut bits, mut count) = (0u64, 0);
            piece.sorted.each(self.layout, rows.clone(), |row| {
                bits |= u64::from(!row.is_null(index)) << count;
                count += 1;
                if count == 64 {
                    valid.append_packed_range(0..count, &bits.to_le_bytes());
                    (bits, count) = (0, 0);
                }
            });
            valid.append_packed_range(0..count, &bits.to_le_bytes());
        }
    }

    fn array(&self, index: usize, values: Values) -> Result<ArrayRef, CoreError> {
        let nulls = values.valid.map(|mut valid| NullBuffer::new(valid.finish()));
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        Ok(match (values.kind, &self.columns[index].kind) {
            (Kind::Int64(values), ColumnKind::Timestamp(_)) => {
                Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
            }
            (Kind::Int64(values), _) => Arc::new(Int64Array::new(values.into(), nulls)),
            (Kind::Float64(values), _) => Arc::new(Float64Array::new(values.into(), nulls)),
            (Kind::Money(values), ColumnKind::Money(scale)) => {
                let amounts = Decimal128Array::new(values.into(), nulls);
                let decimals = scale.decimals().cast_signed();
                Arc::new(amounts.with_precision_and_scale(AMOUNT_PRECISION, decimals)?)
            }
            (Kind::Money(values), _) => Arc::new(Decimal128Array::new(values.into(), nulls)),
            (Kind::Code(keys), _) => {
                let values = Arc::new(self.dictionaries[index].clone());
                Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::new(keys.into(), nulls), values)?)
            }
            (Kind::Text(mut texts), _) => Arc::new(texts.finish()),
            (Kind::Session(codes), _) => Arc::new(UInt32Array::new(codes.into(), nulls)),
        })
    }

    fn rows<'b>(&'b self, rows: &'b RowGroupRows) -> impl Iterator<Item = Row<'b>> {
        rows.pieces
            .iter()
            .flat_map(move |piece| piece.rows.clone().map(move |index| piece.sorted.row(self.layout, index)))
    }

    /// Returns the distinct products.
    pub(crate) fn products(&self, rows: &RowGroupRows) -> Products {
        let Some(index) = self.product else { return Products::None };
        let slot = self.layout.slot(index);
        let present = self.rows(rows).filter(|row| !row.is_null(index));
        match self.columns[index].kind {
            ColumnKind::Int64 => {
                let ids: HashSet<i64, RandomState> = present.map(|row| row.int64(slot)).collect();
                Products::Int64(ids.into_iter().collect())
            }
            _ => {
                let mut seen: HashSet<Box<str>, RandomState> = HashSet::default();
                for row in present {
                    let id = text(row.bytes(slot));
                    if !seen.contains(id) {
                        seen.insert(id.into());
                    }
                }
                Products::Utf8(seen)
            }
        }
    }
}

impl Products {
    /// Calls `each` with every product.
    pub(crate) fn for_each<E>(&self, mut each: impl FnMut(IdRef<'_>) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::None => Ok(()),
            Self::Int64(ids) => ids.iter().try_for_each(|&id| each(IdRef::Int64(id))),
            Self::Utf8(ids) => ids.iter().try_for_each(|id| each(IdRef::Utf8(id))),
        }
    }
}
