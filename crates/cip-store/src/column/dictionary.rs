//! Dictionaries of a row group: its distinct values, and a code for each row.

use arrow_array::Array;
use arrow_array::DictionaryArray;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use parquet::basic::Encoding;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::pages::{Codec, EncodedColumn, Pages};
use super::{Rows, Scratch, bits, statistics};

/// Longer texts are no bounds.
const LONGEST_BOUND: usize = 64;

/// Integers that repeat; the dictionary is sorted. Byte streams where there are too many of them.
pub(super) fn integers(
    values: impl ExactSizeIterator<Item = i64> + Clone,
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
) -> Result<EncodedColumn> {
    if !find_codes(values.clone(), rows, scratch) {
        return byte_streams(values, descriptor, rows, scratch);
    }
    let new = scratch.distinct.sort();
    scratch.codes.iter_mut().for_each(|code| *code = new[usize::from(*code)]);
    let Scratch { compressors, distinct, codes, page, .. } = scratch;
    let mut pages = Pages::new(descriptor, Codec::Zstd(1), compressors);
    integer_dictionary(distinct.values(), page, &mut pages)?;
    coded_pages(distinct.values().len(), codes, rows, page, &mut pages)?;
    let column = pages.finish(rows.rows, Some(statistics(distinct.values(), rows.null_count())))?;
    Ok(EncodedColumn { distinct: Some(distinct.values().to_vec()), ..column })
}

/// Fills the codes of the values that are there; false where there are too many distinct ones.
fn find_codes(values: impl ExactSizeIterator<Item = i64>, rows: &Rows, scratch: &mut Scratch) -> bool {
    let Scratch { distinct, codes, .. } = scratch;
    distinct.clear();
    codes.clear();
    codes.reserve(rows.rows);
    let mut enter = |value| match distinct.code(value) {
        Some(code) => {
            codes.push(code);
            true
        }
        None => false,
    };
    match rows.nulls.as_ref() {
        None => values.into_iter().all(enter),
        Some(nulls) => values.zip(nulls.iter()).all(|(value, valid)| !valid || enter(value)),
    }
}

fn integer_dictionary(values: &[i64], page: &mut Vec<u8>, pages: &mut Pages<'_>) -> Result<()> {
    page.clear();
    page.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    pages.dictionary(page, values.len())
}

/// Writes pages of codes of a dictionary with so many values.
fn coded_pages(
    distinct: usize,
    codes: &[u16],
    rows: &Rows,
    page: &mut Vec<u8>,
    pages: &mut Pages<'_>,
) -> Result<()> {
    let width = bits::code_bits(distinct);
    rows.pages(|of_page, values_of_page| {
        page.clear();
        rows.levels(of_page.clone(), page);
        page.push(width);
        bits::codes(&codes[values_of_page], width, page);
        pages.data(page, of_page.len(), Encoding::RLE_DICTIONARY)
    })
}

/// Integers that seldom repeat: all first bytes of a page, then all second ones, ….
fn byte_streams(
    values: impl ExactSizeIterator<Item = i64>,
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
) -> Result<EncodedColumn> {
    let Scratch { compressors, values: present, page, .. } = scratch;
    present.clear();
    match rows.nulls.as_ref() {
        None => present.extend(values),
        Some(nulls) => {
            present.extend(values.zip(nulls.iter()).filter_map(|(value, valid)| valid.then_some(value)))
        }
    }
    let mut pages = Pages::new(descriptor, Codec::Zstd(1), compressors);
    rows.pages(|of_page, values_of_page| {
        page.clear();
        rows.levels(of_page.clone(), page);
        let values = &present[values_of_page];
        for byte in 0..8 {
            page.extend(values.iter().map(|value| (value >> (8 * byte)) as u8));
        }
        pages.data(page, of_page.len(), Encoding::BYTE_STREAM_SPLIT)
    })?;
    pages.finish(rows.rows, Some(statistics(present, rows.null_count())))
}

/// Texts of a dictionary that is larger than the row group's; none where the row group has too many of them.
pub(super) fn texts(
    array: &DictionaryArray<Int32Type>,
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
) -> Result<Option<EncodedColumn>> {
    let texts = array.values().as_string::<i32>();
    let Scratch { compressors, codes, page, .. } = scratch;
    codes.clear();
    page.clear();
    // The code and one more of each text of the array's dictionary.
    let mut known = vec![0u32; texts.len()];
    let mut distinct: Vec<usize> = Vec::new();
    let keys = array.keys().values();
    let fits = rows.try_each_present(|row| {
        let key = keys[row] as usize;
        if known[key] == 0 {
            if distinct.len() == super::distinct::Distinct::MOST {
                return None;
            }
            distinct.push(key);
            known[key] = distinct.len() as u32;
        }
        codes.push((known[key] - 1) as u16);
        Some(())
    });
    if fits.is_none() {
        return Ok(None);
    }
    let (mut first, mut last): (Option<&str>, Option<&str>) = (None, None);
    for &key in &distinct {
        let text = texts.value(key);
        first = first.filter(|first| *first <= text).or(Some(text));
        last = last.filter(|last| *last >= text).or(Some(text));
        page.extend_from_slice(&(text.len() as u32).to_le_bytes());
        page.extend_from_slice(text.as_bytes());
    }
    let mut pages = Pages::new(descriptor, Codec::Zstd(1), compressors);
    pages.dictionary(page, distinct.len())?;
    coded_pages(distinct.len(), codes, rows, page, &mut pages)?;
    let bound = |text: Option<&str>| text.filter(|text| text.len() <= LONGEST_BOUND).map(ByteArray::from);
    let statistics = Statistics::byte_array(bound(first), bound(last), None, Some(rows.null_count()), false);
    pages.finish(rows.rows, Some(statistics)).map(Some)
}
