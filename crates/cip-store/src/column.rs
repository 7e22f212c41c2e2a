//! Columns of a row group as Parquet pages, for the types and encodings that the store's large tables have.
//!
//! The Arrow writer of the `parquet` crate hashes every value of a dictionary column anew, packs codes at widths that
//! end inside a byte, and takes the encodings as they are. What is written here is as plain a Parquet file, smaller and
//! made in less time: codes of a whole byte or two, which zstd compresses better, sorted dictionaries, and times
//! as differences of whole bytes. Columns of other types go through the Arrow writer, which tests hold this one to.

mod bits;
mod delta;
mod dictionary;
mod distinct;
mod pages;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, UInt32Array};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, NullBuffer};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use arrow_select::concat::concat;
use arrow_select::take::take;
use parquet::basic::{Encoding, Type};
use parquet::errors::Result;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use crate::encoding::Scheme;
pub(crate) use pages::EncodedColumn;
use pages::{Codec, Pages};

/// What a thread keeps from column to column.
#[derive(Default)]
pub(crate) struct Scratch {
    compressors: pages::Compressors,
    distinct: distinct::Distinct,
    /// The values that are there of the column at hand.
    values: Vec<i64>,
    codes: Vec<u16>,
    key_codes: Vec<u16>,
    page: Vec<u8>,
}

/// Rows of a page: the compressor's and the reader's memory is for one page.
const PAGE_ROWS: usize = 20_480;

/// Differences of users and times that differ in less than 2^32, 71 minutes of microseconds, have the same high bytes.
const DELTA_LOW_BITS: u32 = 32;

/// The values of a column in the rows of a row group.
#[derive(Clone, Copy)]
pub(crate) enum Values<'a> {
    /// One for each row, in arrays one behind the other.
    Own(&'a [ArrayRef]),
    /// Some that are said once for many rows: `keys` tell which of them each row has.
    Keyed { values: &'a ArrayRef, keys: &'a [u32] },
}

impl<'a> Values<'a> {
    /// Returns a value for each row.
    pub(crate) fn to_array(self) -> std::result::Result<ArrayRef, ArrowError> {
        match self {
            Self::Own([array]) => Ok(Arc::clone(array)),
            Self::Own(arrays) => concat(&arrays.iter().map(|array| &**array).collect::<Vec<_>>()),
            Self::Keyed { values, keys } => take(values, &UInt32Array::from(keys.to_vec()), None),
        }
    }

    fn data_type(self) -> &'a DataType {
        match self {
            Self::Own(arrays) => arrays.first().map_or(&DataType::Null, |array| array.data_type()),
            Self::Keyed { values, .. } => values.data_type(),
        }
    }

    fn rows(self, nullable: bool) -> Rows {
        match self {
            Self::Own([array]) => Rows { nulls: array.logical_nulls(), rows: array.len(), nullable },
            Self::Own(arrays) => {
                let rows = arrays.iter().map(|array| array.len()).sum();
                let all: Vec<_> = arrays.iter().map(|array| array.logical_nulls()).collect();
                let any = all.iter().flatten().any(|nulls| nulls.null_count() > 0);
                let nulls = any.then(|| {
                    let mut valid = BooleanBufferBuilder::new(rows);
                    for (array, nulls) in arrays.iter().zip(&all) {
                        match nulls {
                            Some(nulls) => valid.append_buffer(nulls.inner()),
                            None => valid.append_n(array.len(), true),
                        }
                    }
                    NullBuffer::new(valid.finish())
                });
                Rows { nulls, rows, nullable }
            }
            Self::Keyed { values, keys } => {
                let of_row = |nulls: NullBuffer| {
                    NullBuffer::new(BooleanBuffer::collect_bool(keys.len(), |row| {
                        nulls.is_valid(keys[row] as usize)
                    }))
                };
                let nulls = values.logical_nulls().filter(|nulls| nulls.null_count() > 0);
                Rows { nulls: nulls.map(of_row), rows: keys.len(), nullable }
            }
        }
    }

    /// Keeps the values that are there, in the order of the rows, as `number` has them.
    fn keep<T: ArrowPrimitiveType>(self, kept: &mut Vec<i64>, number: impl Fn(T::Native) -> i64) {
        kept.clear();
        match self {
            Self::Own(arrays) => {
                for array in arrays {
                    let array = array.as_primitive::<T>();
                    let values = array.values();
                    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
                        None => kept.extend(values.iter().map(|&value| number(value))),
                        Some(nulls) => kept.extend(nulls.valid_indices().map(|row| number(values[row]))),
                    }
                }
            }
            Self::Keyed { values, keys } => {
                let array = values.as_primitive::<T>();
                let present = keys.iter().map(|&key| key as usize).filter(|&key| array.is_valid(key));
                kept.extend(present.map(|key| number(array.value(key))));
            }
        }
    }

    /// Whether decimals are few enough digits long for 64 bits.
    fn are_short(self) -> bool {
        let are_short = |array: &ArrayRef| {
            let mut values = array.as_primitive::<Decimal128Type>().iter().flatten();
            values.all(|value| i64::try_from(value).is_ok())
        };
        match self {
            Self::Own(arrays) => arrays.iter().all(are_short),
            Self::Keyed { values, .. } => are_short(values),
        }
    }
}

/// Returns a column's chunk of a row group, or none where it is for the Arrow writer.
pub(crate) fn encode(
    scheme: Scheme,
    descriptor: &ColumnDescPtr,
    values: Values<'_>,
    scratch: &mut Scratch,
) -> Result<Option<EncodedColumn>> {
    let rows = values.rows(descriptor.max_def_level() == 1);
    if rows.rows == 0 || descriptor.max_rep_level() > 0 || descriptor.max_def_level() > 1 {
        return Ok(None);
    }
    if let Values::Keyed { values: array, keys } = values
        && let Some(encoded) = keyed(scheme, descriptor, array, keys, &rows, scratch)?
    {
        return Ok(Some(encoded));
    }
    let kept = &mut scratch.values;
    match (scheme, values.data_type(), descriptor.physical_type()) {
        (Scheme::Dictionary, DataType::Dictionary(key, value), Type::BYTE_ARRAY)
            if **key == DataType::Int32 && **value == DataType::Utf8 =>
        {
            let array = values.to_array()?;
            dictionary::texts(array.as_dictionary::<Int32Type>(), descriptor, &rows, scratch)
        }
        (Scheme::Dictionary, DataType::Int64, Type::INT64) => {
            values.keep::<Int64Type>(kept, |value| value);
            dictionary::integers(descriptor, &rows, scratch).map(Some)
        }
        (Scheme::Dictionary, DataType::Float64, Type::DOUBLE) => {
            values.keep::<Float64Type>(kept, |value| value.to_bits().cast_signed());
            dictionary::doubles(descriptor, &rows, scratch).map(Some)
        }
        (Scheme::Dictionary, DataType::Decimal128(..), Type::INT64) => {
            // The physical type says that they fit.
            values.keep::<Decimal128Type>(kept, |value| value as i64);
            dictionary::integers(descriptor, &rows, scratch).map(Some)
        }
        (Scheme::Dictionary, DataType::Decimal128(..), Type::FIXED_LEN_BYTE_ARRAY) => {
            if !values.are_short() {
                return Ok(None);
            }
            values.keep::<Decimal128Type>(kept, |value| value as i64);
            dictionary::wide_decimals(descriptor, &rows, scratch)
        }
        (Scheme::ByteDelta, DataType::Int64, Type::INT64) => {
            values.keep::<Int64Type>(kept, |value| value);
            delta::bytes(descriptor, &rows, scratch, DELTA_LOW_BITS).map(Some)
        }
        (Scheme::ByteDelta, DataType::Timestamp(TimeUnit::Microsecond, _), Type::INT64) => {
            values.keep::<TimestampMicrosecondType>(kept, |value| value);
            delta::bytes(descriptor, &rows, scratch, DELTA_LOW_BITS).map(Some)
        }
        (Scheme::PackedDelta, DataType::Int64, Type::INT64) => {
            values.keep::<Int64Type>(kept, |value| value);
            delta::seconds(descriptor, &rows, scratch).map(Some)
        }
        (Scheme::PackedDelta, DataType::Timestamp(TimeUnit::Microsecond, _), Type::INT64) => {
            values.keep::<TimestampMicrosecondType>(kept, |value| value);
            delta::times(descriptor, &rows, scratch).map(Some)
        }
        (Scheme::Delta, DataType::UInt32, Type::INT32) => {
            values.keep::<UInt32Type>(kept, |code| i64::from(code.cast_signed()));
            let statistics = code_statistics(kept, rows.null_count());
            delta::codes(descriptor, &rows, scratch, statistics).map(Some)
        }
        (Scheme::ByteStreamSplit, DataType::UInt32, Type::INT32) => {
            values.keep::<UInt32Type>(kept, |code| i64::from(code.cast_signed()));
            dictionary::byte_streams(descriptor, &rows, scratch, 4, code_statistics).map(Some)
        }
        (Scheme::Incompressible, DataType::FixedSizeBinary(width), Type::FIXED_LEN_BYTE_ARRAY)
            if rows.null_count() == 0 =>
        {
            let array = values.to_array()?;
            let bytes = array.as_fixed_size_binary().value_data();
            plain(bytes, *width as usize, descriptor, &rows, None, scratch).map(Some)
        }
        (Scheme::Incompressible, DataType::UInt64, Type::INT64) => {
            values.keep::<UInt64Type>(kept, u64::cast_signed);
            let bytes: Vec<u8> = kept.iter().flat_map(|value| value.to_le_bytes()).collect();
            let unsigned = || kept.iter().map(|value| value.cast_unsigned());
            let bound = |value: Option<u64>| value.map(u64::cast_signed);
            let (first, last) = (bound(unsigned().min()), bound(unsigned().max()));
            let statistics = Statistics::int64(first, last, None, Some(rows.null_count()), false);
            plain(&bytes, size_of::<u64>(), descriptor, &rows, Some(statistics), scratch).map(Some)
        }
        _ => Ok(None),
    }
}

/// The same for values that are said once for many rows: they are told apart once, not once a row. None where that is of
/// no use.
fn keyed(
    scheme: Scheme,
    descriptor: &ColumnDescPtr,
    array: &ArrayRef,
    keys: &[u32],
    rows: &Rows,
    scratch: &mut Scratch,
) -> Result<Option<EncodedColumn>> {
    match (scheme, array.data_type(), descriptor.physical_type()) {
        (Scheme::Dictionary, DataType::Dictionary(key, value), Type::BYTE_ARRAY)
            if **key == DataType::Int32 && **value == DataType::Utf8 =>
        {
            dictionary::keyed_texts(array.as_dictionary::<Int32Type>(), keys, descriptor, rows, scratch)
        }
        (Scheme::Dictionary, DataType::Int64, Type::INT64) => {
            let values = array.as_primitive::<Int64Type>().values();
            let nulls = array.nulls();
            dictionary::keyed_integers(values.iter().copied(), nulls, keys, descriptor, rows, scratch)
                .map(Some)
        }
        (Scheme::Dictionary, DataType::Decimal128(..), Type::INT64) => {
            let values = array.as_primitive::<Decimal128Type>().values();
            let (values, nulls) = (values.iter().map(|&value| value as i64), array.nulls());
            dictionary::keyed_integers(values, nulls, keys, descriptor, rows, scratch).map(Some)
        }
        _ => Ok(None),
    }
}

/// Which rows of a column have a value.
struct Rows {
    nulls: Option<NullBuffer>,
    rows: usize,
    nullable: bool,
}

impl Rows {
    fn null_count(&self) -> u64 {
        self.nulls.as_ref().map_or(0, |nulls| nulls.null_count() as u64)
    }

    /// Calls `visit` with every row that has a value, until there is none for one.
    #[inline]
    fn try_each_present(&self, mut visit: impl FnMut(usize) -> Option<()>) -> Option<()> {
        match &self.nulls {
            None => (0..self.rows).try_for_each(visit),
            Some(nulls) => nulls.valid_indices().try_for_each(&mut visit),
        }
    }

    /// Calls `page` with the rows of each page, and which of the values are theirs.
    fn pages(&self, mut page: impl FnMut(Range<usize>, Range<usize>) -> Result<()>) -> Result<()> {
        let mut first = 0;
        for start in (0..self.rows).step_by(PAGE_ROWS) {
            let rows = start..self.rows.min(start + PAGE_ROWS);
            let nulls = self.nulls.as_ref().map_or(0, |nulls| nulls.slice(start, rows.len()).null_count());
            let values = first..first + rows.len() - nulls;
            first = values.end;
            page(rows, values)?;
        }
        Ok(())
    }

    /// Appends the definition levels of a page to it, behind their length.
    fn levels(&self, rows: Range<usize>, page: &mut Vec<u8>) {
        if !self.nullable {
            return;
        }
        let start = page.len();
        page.extend_from_slice(&[0; 4]);
        self.bare_levels(rows, page);
        let length = (page.len() - start - 4) as u32;
        page[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// Appends the definition levels of a page to it.
    fn bare_levels(&self, rows: Range<usize>, page: &mut Vec<u8>) {
        if !self.nullable {
            return;
        }
        let nulls = self.nulls.as_ref().map(|nulls| nulls.slice(rows.start, rows.len()));
        match nulls.filter(|nulls| nulls.null_count() > 0) {
            None => bits::run(rows.len(), &[1], page),
            Some(nulls) if nulls.null_count() == rows.len() => bits::run(rows.len(), &[0], page),
            Some(nulls) => {
                bits::packed_header(rows.len(), page);
                page.extend_from_slice(&nulls.inner().sliced()[..rows.len().div_ceil(8)]);
                if let (Some(last), used @ 1..) = (page.last_mut(), rows.len() % 8) {
                    *last &= !(u8::MAX << used);
                }
            }
        }
    }
}

/// The statistics of the values that are there.
fn statistics(values: &[i64], nulls: u64) -> Statistics {
    let (first, last) = (values.iter().min().copied(), values.iter().max().copied());
    Statistics::int64(first, last, None, Some(nulls), false)
}

/// The statistics of unsigned codes of 32 bits.
fn code_statistics(kept: &[i64], nulls: u64) -> Statistics {
    let codes = || kept.iter().map(|&code| code as u32);
    let bound = |code: Option<u32>| code.map(u32::cast_signed);
    Statistics::int32(bound(codes().min()), bound(codes().max()), None, Some(nulls), false)
}

/// The statistics of doubles, of which these are the bits: NaN is no bound, and a zero that is one has the sign that takes in both zeros.
fn double_statistics(bits: &[i64], nulls: u64) -> Statistics {
    let numbers =
        || bits.iter().map(|bits| f64::from_bits(bits.cast_unsigned())).filter(|number| !number.is_nan());
    let zero = |bound: f64, zero: f64| if bound == 0.0 { zero } else { bound };
    let first = numbers().min_by(f64::total_cmp).map(|first| zero(first, -0.0));
    let last = numbers().max_by(f64::total_cmp).map(|last| zero(last, 0.0));
    Statistics::double(first, last, None, Some(nulls), false)
}

/// Values as they are, uncompressed.
fn plain(
    values: &[u8],
    width: usize,
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    statistics: Option<Statistics>,
    scratch: &mut Scratch,
) -> Result<EncodedColumn> {
    let Scratch { compressors, page, .. } = scratch;
    let mut pages = Pages::new(descriptor, Codec::None, compressors);
    rows.pages(|of_page, values_of_page| {
        page.clear();
        rows.levels(of_page.clone(), page);
        page.extend_from_slice(&values[values_of_page.start * width..values_of_page.end * width]);
        pages.data(page, of_page.len(), Encoding::PLAIN)
    })?;
    pages.finish(rows.rows, statistics)
}

#[cfg(test)]
mod tests;
