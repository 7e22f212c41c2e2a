//! The columns that features are made from: their types, and the values of one batch.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int32Type, Int64Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, Float64Array, Int64Array, StringArray, UInt32Array,
};
use arrow_schema::DataType;
use cip_core::{CoreError, EventBatch, EventSchema, Id, column};

use super::known::KnownRow;
use crate::error::FeaturesError;

/// The column that is price x quantity.
pub(super) const SPEND: &str = "spend";

/// What a column must be for its values to be told apart.
pub(super) const DISCRETE: &str = "texts or integers";
/// What a column must be to be summed.
pub(super) const NUMBERS: &str = "Int64, UInt32, Float64 or money";

/// A type that features can be made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnType {
    Dictionary,
    Utf8,
    Int64,
    UInt32,
    Float64,
    /// Decimals.
    Money(u8),
    /// Price x quantity, with the decimals of the price.
    Spend(u8),
}

impl ColumnType {
    /// The type of a column; none where it is none to make features from.
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Dictionary(keys, values) if **keys == DataType::Int32 && **values == DataType::Utf8 => {
                Self::Dictionary
            }
            DataType::Utf8 => Self::Utf8,
            DataType::Int64 => Self::Int64,
            DataType::UInt32 => Self::UInt32,
            DataType::Float64 => Self::Float64,
            DataType::Decimal128(_, scale @ 0..=18) => Self::Money(scale.unsigned_abs()),
            _ => return None,
        })
    }

    pub(super) const fn is_discrete(self) -> bool {
        self.holds_texts() || matches!(self, Self::Int64 | Self::UInt32)
    }

    pub(super) const fn is_number(self) -> bool {
        !self.holds_texts()
    }

    const fn holds_texts(self) -> bool {
        matches!(self, Self::Dictionary | Self::Utf8)
    }

    /// What a number is divided by to be read by people.
    pub(super) fn unit(self) -> f64 {
        match self {
            Self::Money(decimals) | Self::Spend(decimals) => 10u64.pow(u32::from(decimals)) as f64,
            _ => 1.0,
        }
    }

    /// What its values are written as; none where this is one.
    pub(super) fn expected_for(self, value: &Id) -> Option<&'static str> {
        match (self, value) {
            (Self::Dictionary | Self::Utf8, Id::Int64(_)) => Some("a text: write it in quotes"),
            (Self::Int64 | Self::UInt32, Id::Utf8(_)) => Some("an integer: write it without quotes"),
            _ => None,
        }
    }
}

/// A column of one batch.
#[derive(Debug)]
pub(super) enum Column {
    Dictionary(DictionaryArray<Int32Type>),
    Utf8(StringArray),
    Int64(Int64Array),
    UInt32(UInt32Array),
    Float64(Float64Array),
    Money(Decimal128Array),
    Spend { prices: Decimal128Array, quantities: Option<Int64Array> },
}

/// A number, as its column has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// In units of the column.
    Exact(i128),
    Float(f64),
}

impl Column {
    /// Returns a column of `events`, of the type that the plan found in the schema.
    pub(super) fn read(
        name: &str,
        column_type: ColumnType,
        events: &EventBatch,
    ) -> Result<Self, FeaturesError> {
        let missing = || CoreError::MissingColumn { column: "of the schema given first" };
        let array = |name: &str| events.record_batch().column_by_name(name).ok_or_else(missing);
        Ok(match column_type {
            ColumnType::Dictionary => Self::Dictionary(array(name)?.as_dictionary().clone()),
            ColumnType::Utf8 => Self::Utf8(array(name)?.as_string().clone()),
            ColumnType::Int64 => Self::Int64(array(name)?.as_primitive::<Int64Type>().clone()),
            ColumnType::UInt32 => Self::UInt32(array(name)?.as_primitive::<UInt32Type>().clone()),
            ColumnType::Float64 => Self::Float64(finite(name, array(name)?)?),
            ColumnType::Money(_) => Self::Money(array(name)?.as_primitive::<Decimal128Type>().clone()),
            ColumnType::Spend(_) => Self::Spend {
                prices: array(column::PRICE)?.as_primitive::<Decimal128Type>().clone(),
                quantities: events.quantities().cloned(),
            },
        })
    }

    /// The number in a row; none where it is null. A product beyond 128 bits is `Err`.
    #[inline]
    pub(super) fn number(&self, row: KnownRow) -> Result<Option<Number>, Beyond> {
        self.number_at(row.place())
    }

    /// The number in a row of whichever user and time, to select rows by.
    #[inline]
    pub(super) fn number_at(&self, row: usize) -> Result<Option<Number>, Beyond> {
        Ok(match self {
            Self::Int64(array) => array.is_valid(row).then(|| Number::Exact(array.value(row).into())),
            Self::UInt32(array) => array.is_valid(row).then(|| Number::Exact(array.value(row).into())),
            Self::Money(array) => array.is_valid(row).then(|| Number::Exact(array.value(row))),
            Self::Float64(array) => array.is_valid(row).then(|| Number::Float(array.value(row))),
            Self::Spend { prices, quantities } => {
                let pieces = match quantities {
                    Some(quantities) if quantities.is_valid(row) => quantities.value(row).into(),
                    _ => 1,
                };
                match prices.is_valid(row) {
                    true => Some(Number::Exact(prices.value(row).checked_mul(pieces).ok_or(Beyond)?)),
                    false => None,
                }
            }
            Self::Dictionary(_) | Self::Utf8(_) => None,
        })
    }

    /// Whether a row has a value that can be told from others.
    #[inline]
    pub(super) fn is_known(&self, row: KnownRow) -> bool {
        let row = row.place();
        match self {
            Self::Dictionary(array) => array.key(row).is_some_and(|code| array.values().is_valid(code)),
            Self::Utf8(array) => array.is_valid(row),
            Self::Int64(array) => array.is_valid(row),
            Self::UInt32(array) => array.is_valid(row),
            Self::Float64(_) | Self::Money(_) | Self::Spend { .. } => false,
        }
    }
}

/// A number that is beyond its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beyond;

/// The type of a column by its name; [`SPEND`] is made of price and quantity.
pub(super) fn type_of(name: &str, schema: &EventSchema) -> Option<Result<ColumnType, DataType>> {
    if name == SPEND {
        return schema.money_scale().map(|scale| Ok(ColumnType::Spend(scale.decimals())));
    }
    let field = schema.arrow().field_with_name(name).ok()?;
    Some(ColumnType::of(field.data_type()).ok_or_else(|| field.data_type().clone()))
}

fn finite(name: &str, array: &ArrayRef) -> Result<Float64Array, FeaturesError> {
    let array = array.as_primitive::<Float64Type>().clone();
    let bad = array
        .iter()
        .enumerate()
        .find_map(|(row, value)| Some(row).zip(value.filter(|value| !value.is_finite())));
    match bad {
        Some((row, value)) => Err(FeaturesError::NotFinite { row, column: name.into(), value }),
        None => Ok(array),
    }
}
