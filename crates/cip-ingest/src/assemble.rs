//! Rows as columns: a row group becomes a typed batch.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::builder::{BooleanBufferBuilder, StringBuilder};
use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type, UInt32Type};
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, PrimitiveArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use cip_core::{AMOUNT_PRECISION, CoreError, EventBatch, EventSchema, IdColumn, IdRef, column};
use foldhash::fast::RandomState;

use crate::error::IngestError;
use crate::number::{RowGroupRows, text};
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

/// A row group's events, and its distinct products.
pub(crate) struct Assembled {
    pub(crate) events: EventBatch,
    pub(crate) products: Products,
}

/// Distinct product ids.
pub(crate) enum Products {
    None,
    Int64(HashSet<i64, RandomState>),
    Utf8(HashSet<Box<str>, RandomState>),
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

    pub(crate) fn assemble(&self, rows: &RowGroupRows) -> Result<Assembled, IngestError> {
        let mut arrays = (0..self.columns.len())
            .map(|index| self.array(index, rows))
            .collect::<Result<Vec<_>, CoreError>>()?;
        if let Some((tagging, users)) = &self.tagging {
            let users = IdColumn::try_new(column::USER_ID, &arrays[*users])?;
            tagging.insert(&users, &mut arrays)?;
        }
        let batch = RecordBatch::try_new(Arc::clone(self.schema.arrow()), arrays).map_err(CoreError::from)?;
        Ok(Assembled { events: EventBatch::try_new(batch)?, products: self.products(rows) })
    }

    fn array(&self, index: usize, rows: &RowGroupRows) -> Result<ArrayRef, CoreError> {
        let slot = self.layout.slot(index);
        Ok(match &self.columns[index].kind {
            ColumnKind::Int64 => Arc::new(self.primitive::<Int64Type>(index, rows, |row| row.int64(slot))),
            ColumnKind::Float64 => {
                Arc::new(self.primitive::<Float64Type>(index, rows, |row| row.float64(slot)))
            }
            ColumnKind::Timestamp(_) => {
                let times =
                    self.primitive::<arrow_array::types::TimestampMicrosecondType>(index, rows, |row| {
                        row.int64(slot)
                    });
                Arc::new(TimestampMicrosecondArray::with_timezone(times, "UTC"))
            }
            ColumnKind::Money(scale) => {
                let amounts = self.primitive::<arrow_array::types::Decimal128Type>(index, rows, |row| {
                    i128::from(row.int64(slot))
                });
                let decimals = scale.decimals().cast_signed();
                Arc::new(Decimal128Array::with_precision_and_scale(amounts, AMOUNT_PRECISION, decimals)?)
            }
            ColumnKind::Dictionary(_) => {
                let keys = self.primitive::<Int32Type>(index, rows, |row| row.code(slot).cast_signed());
                let values = Arc::new(self.dictionaries[index].clone());
                Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values)?)
            }
            ColumnKind::Utf8 => {
                let mut texts = StringBuilder::with_capacity(rows.len(), rows.len() * 16);
                for row in self.rows(rows) {
                    texts.append_option((!row.is_null(index)).then(|| text(row.bytes(slot))));
                }
                Arc::new(texts.finish())
            }
            ColumnKind::Session(_) => Arc::new(session_codes(rows)),
        })
    }

    fn rows<'b>(&'b self, rows: &'b RowGroupRows) -> impl Iterator<Item = Row<'b>> {
        rows.pieces
            .iter()
            .flat_map(move |piece| piece.rows.clone().map(move |index| piece.sorted.row(self.layout, index)))
    }

    fn primitive<T: ArrowPrimitiveType>(
        &self,
        index: usize,
        rows: &RowGroupRows,
        get: impl Fn(Row<'_>) -> T::Native,
    ) -> PrimitiveArray<T> {
        let mut values = Vec::with_capacity(rows.len());
        values.extend(self.rows(rows).map(get));
        let nulls = self.columns[index].nullable.then(|| {
            let mut valid = BooleanBufferBuilder::new(rows.len());
            self.rows(rows).for_each(|row| valid.append(!row.is_null(index)));
            NullBuffer::new(valid.finish())
        });
        PrimitiveArray::new(ScalarBuffer::from(values), nulls.filter(|nulls| nulls.null_count() > 0))
    }

    fn products(&self, rows: &RowGroupRows) -> Products {
        let Some(index) = self.product else { return Products::None };
        let slot = self.layout.slot(index);
        let present = self.rows(rows).filter(|row| !row.is_null(index));
        match self.columns[index].kind {
            ColumnKind::Int64 => Products::Int64(present.map(|row| row.int64(slot)).collect()),
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

fn session_codes(rows: &RowGroupRows) -> PrimitiveArray<UInt32Type> {
    let codes = rows.pieces.iter().flat_map(|piece| {
        piece.rows.clone().map(|index| piece.sorted.session_of(index).map(|session| piece.codes[session]))
    });
    codes.collect()
}
