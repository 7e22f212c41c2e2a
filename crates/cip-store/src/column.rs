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
use arrow_array::types::{Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{ArrowError, DataType, TimeUnit};
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
    values: Vec<i64>,
    codes: Vec<u16>,
    key_codes: Vec<u16>,
    page: Vec<u8>,
}

/// Rows of a page: the compressor's and the reader's memory is for one page.
const PAGE_ROWS: usize = 20_480;

/// The values of a column in the rows of a row group.
#[derive(Clone, Copy)]
pub(crate) enum Values<'a> {
    /// One for each row.
    Own(&'a ArrayRef),
    /// Some that are said once for many rows: `keys` tell which of them each row has.
    Keyed { values: &'a ArrayRef, keys: &'a [u32] },
}

impl Values<'_> {
    /// Returns a value for each row.
    pub(crate) fn to_array(self) -> std::result::Result<ArrayRef, ArrowError> {
        match self {
            Self::Own(array) => Ok(Arc::clone(array)),
            Self::Keyed { values, keys } => take(values, &UInt32Array::from(keys.to_vec()), None),
        }
    }

    fn rows(&self, nullable: bool) -> Rows {
        match self {
            Self::Own(array) => Rows { nulls: array.logical_nulls(), rows: array.len(), nullable },
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
    let array = &values.to_array()?;
    match (scheme, array.data_type(), descriptor.physical_type()) {
        (Scheme::Dictionary, DataType::Dictionary(key, value), Type::BYTE_ARRAY)
            if **key == DataType::Int32 && **value == DataType::Utf8 =>
        {
            dictionary::texts(array.as_dictionary::<Int32Type>(), descriptor, &rows, scratch)
        }
        (Scheme::Dictionary, DataType::Int64, Type::INT64) => {
            let values = array.as_primitive::<Int64Type>().values();
            dictionary::integers(values.iter().copied(), descriptor, &rows, scratch).map(Some)
        }
        (Scheme::Dictionary, DataType::Decimal128(..), Type::INT64) => {
            let values = array.as_primitive::<Decimal128Type>().values();
            // The physical type says that they fit.
            dictionary::integers(values.iter().map(|&value| value as i64), descriptor, &rows, scratch)
                .map(Some)
        }
        (Scheme::ByteDelta, DataType::Int64, Type::INT64) => {
            let values = array.as_primitive::<Int64Type>().values();
            delta::bytes(values, descriptor, &rows, scratch).map(Some)
        }
        (Scheme::ByteDelta, DataType::Timestamp(TimeUnit::Microsecond, _), Type::INT64) => {
            let values = array.as_primitive::<TimestampMicrosecondType>().values();
            delta::bytes(values, descriptor, &rows, scratch).map(Some)
        }
        (Scheme::Delta, DataType::UInt32, Type::INT32) => {
            let values = array.as_primitive::<UInt32Type>().values();
            let (mut first, mut last) = (u32::MAX, 0);
            scratch.values.clear();
            rows.each_present(|row| {
                (first, last) = (first.min(values[row]), last.max(values[row]));
                scratch.values.push(i64::from(values[row].cast_signed()));
            });
            let bounds = (first <= last).then_some((first.cast_signed(), last.cast_signed()));
            let (first, last) = bounds.unzip();
            let statistics = Statistics::int32(first, last, None, Some(rows.null_count()), false);
            delta::codes(descriptor, &rows, scratch, statistics).map(Some)
        }
        (Scheme::Incompressible, DataType::FixedSizeBinary(width), Type::FIXED_LEN_BYTE_ARRAY)
            if rows.null_count() == 0 =>
        {
            let values = array.as_fixed_size_binary().value_data();
            plain(values, *width as usize, descriptor, &rows, scratch).map(Some)
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

    /// Calls `visit` with every row that has a value.
    #[inline]
    fn each_present(&self, mut visit: impl FnMut(usize)) {
        match &self.nulls {
            None => (0..self.rows).for_each(visit),
            Some(nulls) => nulls.valid_indices().for_each(&mut visit),
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

    /// Appends the definition levels of a page to it.
    fn levels(&self, rows: Range<usize>, page: &mut Vec<u8>) {
        if !self.nullable {
            return;
        }
        let start = page.len();
        page.extend_from_slice(&[0; 4]);
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
        let length = (page.len() - start - 4) as u32;
        page[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }
}

/// The statistics of the values that are there.
fn statistics(values: &[i64], nulls: u64) -> Statistics {
    let (first, last) = (values.iter().min().copied(), values.iter().max().copied());
    Statistics::int64(first, last, None, Some(nulls), false)
}

/// Values as they are, uncompressed.
fn plain(
    values: &[u8],
    width: usize,
    descriptor: &ColumnDescPtr,
    rows: &Rows,
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
    pages.finish(rows.rows, None)
}

#[cfg(test)]
mod tests;
