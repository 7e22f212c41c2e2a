//! Rows as columns: a row group becomes a typed batch.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{BooleanBufferBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{FieldRef, Fields, Schema, SchemaRef};
use cip_core::{AMOUNT_PRECISION, CoreError, EventBatch, EventSchema, IdColumn, column};

use crate::attributes::{AttributeValues, Attributes};
use crate::error::IngestError;
use crate::number::{Piece, RowGroupRows, text};
use crate::parse::Parser;
use crate::reject_places::RejectPlaces;
use crate::row::{Position, RowLayout, Slot};
use crate::tagging::Tagging;
use crate::target::{ColumnKind, TargetColumn};

/// Builds the batches of events from rows; shared by all threads.
pub(crate) struct Assembler<'a> {
    schema: EventSchema,
    columns: &'a [TargetColumn],
    layout: &'a RowLayout,
    /// The texts of each dictionary column, complete once everything is parsed.
    dictionaries: Vec<StringArray>,
    /// The attributes of products, complete as well.
    attributes: Option<AttributeTable>,
    /// The columns that rows have of their own.
    own: Vec<usize>,
    /// In a compact store, the code of the offer that stands for each code of the attributes.
    codes: Option<Arc<[u32]>>,
    /// With the position of the users.
    tagging: Option<(Tagging<'a>, usize)>,
    /// The names of the source files, in their order.
    files: Arc<StringArray>,
}

/// A row group as typed columns: those of the events, and those that are said once for many of them.
pub(crate) struct Assembled {
    pub(crate) events: EventBatch,
    pub(crate) shared: Shared,
}

/// What many events of a row group share.
pub(crate) enum Shared {
    Nothing,
    Attributes(Keyed),
    /// The code of each event's offer.
    Offers(Vec<u32>),
}

/// The attributes of the products of a row group, in the order in which they come, and which of them each event has.
pub(crate) struct Keyed {
    pub(crate) values: RecordBatch,
    pub(crate) keys: Vec<u32>,
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
    /// `schema` is that of the store; `files` are the names of the sources.
    pub(crate) fn new(
        schema: EventSchema,
        parser: &'a Parser,
        tagging: Option<Tagging<'a>>,
        files: StringArray,
    ) -> Self {
        let attributes =
            parser.attributes.as_ref().map(|shared| AttributeTable::new(shared, &parser.columns));
        let is_own =
            |index: &usize| attributes.as_ref().is_none_or(|attributes| !attributes.columns.contains(index));
        let own: Vec<usize> = (0..parser.columns.len()).filter(is_own).collect();
        let users = own.iter().position(|&index| parser.columns[index].name == column::USER_ID);
        Self {
            schema,
            columns: &parser.columns,
            layout: &parser.layout,
            dictionaries: parser.dictionaries.iter().map(|dictionary| dictionary.to_array()).collect(),
            attributes,
            own,
            codes: None,
            tagging: tagging.zip(users),
            files: Arc::new(files),
        }
    }

    /// Gives events the codes of their offers, by the codes of their attributes.
    pub(crate) fn with_offers(mut self, codes: Arc<[u32]>) -> Self {
        self.codes = Some(codes);
        self
    }

    /// All attributes, in the rows that are their codes; none where rows share none.
    pub(crate) fn attributes(&self) -> Result<Option<RecordBatch>, IngestError> {
        let all = |attributes: &AttributeTable| {
            self.values_of(attributes, &(0..).take(attributes.table.len()).collect::<Vec<_>>())
        };
        self.attributes.as_ref().map(all).transpose()
    }

    pub(crate) fn assemble(&self, rows: &RowGroupRows) -> Result<Assembled, IngestError> {
        let shared = match (self.attributes.as_ref().zip(self.layout.attributes), &self.codes) {
            (Some((_, slot)), Some(codes)) => Shared::Offers(self.offers(slot, codes, rows)),
            (Some((attributes, slot)), None) => Shared::Attributes(self.keyed(attributes, slot, rows)?),
            (None, _) => Shared::Nothing,
        };
        Ok(Assembled { events: self.events(rows)?, shared })
    }

    /// The codes of the rows' offers.
    fn offers(&self, slot: Slot, codes: &[u32], rows: &RowGroupRows) -> Vec<u32> {
        let mut offers = Vec::with_capacity(rows.len());
        for piece in &rows.pieces {
            let offer = |code| codes[code as usize];
            piece.sorted.append_to(self.layout, slot, piece.rows.clone(), &mut offers, offer);
        }
        offers
    }

    /// The columns that rows have of their own.
    fn events(&self, rows: &RowGroupRows) -> Result<EventBatch, IngestError> {
        let mut values: Vec<(usize, Values)> =
            self.own.iter().map(|&index| (index, self.values(index, rows.len()))).collect();
        for piece in &rows.pieces {
            // A block of rows stays in the processor's cache from column to column.
            for start in piece.rows.clone().step_by(BLOCK) {
                let block = start..piece.rows.end.min(start + BLOCK);
                for (index, values) in &mut values {
                    self.take(*index, piece, block.clone(), values);
                }
            }
        }
        let mut arrays = (values.into_iter())
            .map(|(index, values)| self.array(index, values))
            .collect::<Result<Vec<_>, CoreError>>()?;
        let is_own = |field: &&FieldRef| {
            let attributes = self.attributes.as_ref();
            attributes.is_none_or(|attributes| attributes.schema.index_of(field.name()).is_err())
        };
        let fields: Fields = self.schema.arrow().fields().iter().filter(is_own).cloned().collect();
        if let (Some((tagging, users)), Some((place, _))) =
            (&self.tagging, fields.find(column::EXPERIMENT_GROUP))
        {
            let users = IdColumn::try_new(column::USER_ID, &arrays[*users])?;
            arrays.insert(place, tagging.column(&users)?);
        }
        if let Some((place, _)) = fields.find(column::SOURCE_FILE) {
            arrays.insert(place, self.source_files(rows)?);
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(CoreError::from)?;
        Ok(EventBatch::try_new(batch)?)
    }

    /// Which source file each row is from.
    fn source_files(&self, rows: &RowGroupRows) -> Result<ArrayRef, CoreError> {
        let mut codes: Vec<i32> = Vec::with_capacity(rows.len());
        for piece in &rows.pieces {
            let file = |position: u64| Position(position).file().cast_signed();
            let (sorted, slot) = (&piece.sorted, RowLayout::POSITION_SLOT);
            sorted.append_to(self.layout, slot, piece.rows.clone(), &mut codes, file);
        }
        let names = Arc::clone(&self.files) as ArrayRef;
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::new(codes.into(), None), names)?))
    }

    /// How many rejects of its file stand before each row.
    pub(crate) fn places(&self, rows: &RowGroupRows, rejects: &RejectPlaces) -> Vec<u32> {
        let mut places: Vec<u32> = Vec::with_capacity(rows.len());
        for piece in &rows.pieces {
            let before =
                |position: u64| rejects.before(Position(position).file(), Position(position).byte_start());
            let (sorted, slot) = (&piece.sorted, RowLayout::POSITION_SLOT);
            sorted.append_to(self.layout, slot, piece.rows.clone(), &mut places, before);
        }
        places
    }

    /// The attributes of the rows' products.
    fn keyed(
        &self,
        attributes: &AttributeTable,
        slot: Slot,
        rows: &RowGroupRows,
    ) -> Result<Keyed, IngestError> {
        // For each code, one more than its number in the row group.
        let mut numbers = vec![0u32; attributes.table.len()];
        let mut named: Vec<u32> = Vec::new();
        let mut keys: Vec<u32> = Vec::with_capacity(rows.len());
        for piece in &rows.pieces {
            piece.sorted.append_to(self.layout, slot, piece.rows.clone(), &mut keys, |code| code as u32);
        }
        for key in &mut keys {
            let number = &mut numbers[*key as usize];
            if *number == 0 {
                named.push(*key);
                *number = named.len() as u32;
            }
            *key = *number - 1;
        }
        Ok(Keyed { values: self.values_of(attributes, &named)?, keys })
    }

    /// The values of some codes of attributes.
    fn values_of(&self, attributes: &AttributeTable, named: &[u32]) -> Result<RecordBatch, IngestError> {
        let arrays = attributes.columns.iter().enumerate().map(|(place, &index)| {
            let mut values = self.values(index, named.len());
            for &code in named {
                let value = attributes.table[code as usize].get(place);
                values.kind.push(value.unwrap_or_default());
                if let Some(valid) = &mut values.valid {
                    valid.append(value.is_some());
                }
            }
            self.array(index, values)
        });
        let arrays = arrays.collect::<Result<Vec<_>, CoreError>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&attributes.schema), arrays).map_err(CoreError::from)?)
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
        let Piece { sorted, .. } = piece;
        match &mut values.kind {
            Kind::Int64(values) => {
                sorted.append_to(self.layout, slot, rows.clone(), values, u64::cast_signed)
            }
            Kind::Float64(values) => {
                sorted.append_to(self.layout, slot, rows.clone(), values, f64::from_bits)
            }
            Kind::Money(values) => {
                let units = |value: u64| i128::from(value.cast_signed());
                sorted.append_to(self.layout, slot, rows.clone(), values, units);
            }
            Kind::Code(values) => {
                sorted.append_to(self.layout, slot, rows.clone(), values, |code| code as i32);
            }
            Kind::Text(texts) => {
                for row in sorted.rows_with_texts(self.layout, rows) {
                    texts.append_option((!row.is_null(index)).then(|| text(row.bytes(slot))));
                }
                return;
            }
            Kind::Session(codes) => {
                let sessions = sorted.sessions_of(rows.clone());
                codes.extend(sessions.map(|session| session.map_or(0, |session| piece.codes[session])));
            }
        }
        if let Some(valid) = &mut values.valid {
            sorted.append_validity(self.layout, index, rows, valid);
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
}

impl Kind {
    /// Appends an integer, an amount or a code.
    fn push(&mut self, value: i64) {
        match self {
            Self::Int64(values) => values.push(value),
            Self::Money(values) => values.push(i128::from(value)),
            Self::Code(values) => values.push(value as i32),
            Self::Float64(_) | Self::Text(_) | Self::Session(_) => (),
        }
    }
}

/// The attributes of all products, by their codes.
struct AttributeTable {
    columns: Vec<usize>,
    schema: SchemaRef,
    table: Vec<AttributeValues>,
}

impl AttributeTable {
    fn new(attributes: &Attributes, columns: &[TargetColumn]) -> Self {
        let fields: Fields = attributes.columns().iter().map(|&index| columns[index].field()).collect();
        Self {
            columns: attributes.columns().to_vec(),
            schema: Arc::new(Schema::new(fields)),
            table: attributes.take_table(),
        }
    }
}
