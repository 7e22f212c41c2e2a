//! Dictionaries of a row group: its distinct values, and a code for each row.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, DictionaryArray, StringArray};
use arrow_buffer::NullBuffer;
use parquet::basic::Encoding;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::pages::{Codec, EncodedColumn, Pages};
use super::{PAGE_ROWS, Rows, Scratch, bits, double_statistics, statistics};

/// Longer texts are no bounds.
const LONGEST_BOUND: usize = 64;

/// The kept integers, which repeat; the dictionary is sorted. Byte streams where there are too many of them.
pub(super) fn integers(
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
) -> Result<EncodedColumn> {
    if !sorted_codes(scratch) {
        return byte_streams(descriptor, rows, scratch, 8, statistics);
    }
    let column = coded_numbers(descriptor, rows, scratch, statistics)?;
    Ok(EncodedColumn { distinct: Some(scratch.distinct.values().to_vec()), ..column })
}

/// The same for the bits of doubles. Of those whose first thousands seldom repeat no dictionary is tried.
pub(super) fn doubles(
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
) -> Result<EncodedColumn> {
    if repeat_soon(scratch) && sorted_codes(scratch) {
        coded_numbers(descriptor, rows, scratch, double_statistics)
    } else {
        byte_streams(descriptor, rows, scratch, 8, double_statistics)
    }
}

/// The kept values as decimals of more than 8 bytes that repeat, as sums do that are often zero; the dictionary is sorted. None
/// where there are too many of them.
pub(super) fn wide_decimals(
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
) -> Result<Option<EncodedColumn>> {
    if !sorted_codes(scratch) {
        return Ok(None);
    }
    let Scratch { compressors, distinct, codes, page, .. } = scratch;
    let mut pages = Pages::new(descriptor, Codec::Zstd(1), compressors);
    let width = descriptor.type_length().clamp(0, size_of::<i128>() as i32) as usize;
    page.clear();
    for &value in distinct.values() {
        page.extend_from_slice(&i128::from(value).to_be_bytes()[size_of::<i128>() - width..]);
    }
    pages.dictionary(page, distinct.values().len())?;
    coded_pages(distinct.values().len(), codes, rows, page, &mut pages)?;
    pages.finish(rows.rows, None).map(Some)
}

/// Whether one in eight of the first values is one that was there before.
fn repeat_soon(scratch: &mut Scratch) -> bool {
    const FIRST: usize = 4_096;
    let Scratch { distinct, values, .. } = scratch;
    let Some(first) = values.get(..FIRST) else { return true };
    distinct.clear();
    first.iter().for_each(|&value| {
        distinct.code(value);
    });
    distinct.values().len() <= FIRST / 8 * 7
}

/// Fills the codes of the values, their ranks among the distinct ones; false where there are too many of these.
fn sorted_codes(scratch: &mut Scratch) -> bool {
    let Scratch { distinct, codes, values, .. } = scratch;
    codes.clear();
    if distinct.rank_small(values) {
        codes.extend(distinct.ranks(values));
        return true;
    }
    distinct.clear();
    codes.reserve(values.len());
    let mut last: Option<(i64, u16)> = None;
    for &value in &*values {
        // Sorted columns come in runs.
        let code = match last {
            Some((before, code)) if before == value => code,
            _ => match distinct.code(value) {
                Some(code) => code,
                None => return false,
            },
        };
        last = Some((value, code));
        codes.push(code);
    }
    let new = distinct.sort();
    codes.iter_mut().for_each(|code| *code = new[usize::from(*code)]);
    true
}

/// The same for values that are said once for many rows; `nulls` are theirs.
pub(super) fn keyed_integers(
    values: impl ExactSizeIterator<Item = i64> + Clone,
    nulls: Option<&NullBuffer>,
    keys: &[u32],
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
) -> Result<EncodedColumn> {
    let Scratch { distinct, key_codes, .. } = scratch;
    distinct.clear();
    key_codes.clear();
    key_codes.reserve(values.len());
    let few = values.clone().enumerate().all(|(key, value)| {
        let code = if nulls.is_none_or(|nulls| nulls.is_valid(key)) { distinct.code(value) } else { Some(0) };
        code.is_some_and(|code| {
            key_codes.push(code);
            true
        })
    });
    if !few {
        let values: Vec<i64> = values.collect();
        let of_row = |row: usize| values[keys[row] as usize];
        let kept = &mut scratch.values;
        kept.clear();
        match &rows.nulls {
            None => kept.extend((0..rows.rows).map(of_row)),
            Some(nulls) => kept.extend(nulls.valid_indices().map(of_row)),
        }
        return byte_streams(descriptor, rows, scratch, 8, statistics);
    }
    let new = distinct.sort();
    // Keys without a value may have no codes at all.
    key_codes.iter_mut().for_each(|code| *code = new.get(usize::from(*code)).copied().unwrap_or_default());
    spread(keys, rows, scratch);
    let column = coded_numbers(descriptor, rows, scratch, statistics)?;
    Ok(EncodedColumn { distinct: Some(scratch.distinct.values().to_vec()), ..column })
}

/// Fills the codes of the rows that have a value by those of the keys.
fn spread(keys: &[u32], rows: &Rows, scratch: &mut Scratch) {
    let Scratch { codes, key_codes, .. } = scratch;
    codes.clear();
    codes.reserve(rows.rows);
    match &rows.nulls {
        None => codes.extend(keys.iter().map(|&key| key_codes[key as usize])),
        Some(nulls) => codes.extend(nulls.valid_indices().map(|row| key_codes[keys[row] as usize])),
    }
}

/// Writes the dictionary that was made, and the codes.
fn coded_numbers(
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
    statistics: impl Fn(&[i64], u64) -> Statistics,
) -> Result<EncodedColumn> {
    let Scratch { compressors, distinct, codes, page, .. } = scratch;
    let mut pages = Pages::new(descriptor, Codec::Zstd(1), compressors);
    integer_dictionary(distinct.values(), page, &mut pages)?;
    coded_pages(distinct.values().len(), codes, rows, page, &mut pages)?;
    pages.finish(rows.rows, Some(statistics(distinct.values(), rows.null_count())))
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
    let packed_width = bits::fewest_code_bits(distinct);
    if width == 16 && are_as_small_packed(codes, packed_width, page, pages)? {
        return rows.pages(|of_page, values_of_page| {
            page.clear();
            rows.bare_levels(of_page.clone(), page);
            let (levels, nulls) = (page.len(), of_page.len() - values_of_page.len());
            page.push(packed_width);
            bits::codes(&codes[values_of_page], packed_width, page);
            pages.incompressible_data(page, levels, of_page.len(), nulls, Encoding::RLE_DICTIONARY)
        });
    }
    rows.pages(|of_page, values_of_page| {
        page.clear();
        rows.levels(of_page.clone(), page);
        page.push(width);
        bits::codes(&codes[values_of_page], width, page);
        pages.data(page, of_page.len(), Encoding::RLE_DICTIONARY)
    })
}

/// Whether the codec would save less than a tenth of codes packed into as few bits as tell them apart. Those are read
/// without decompressing anything.
fn are_as_small_packed(codes: &[u16], width: u8, page: &mut Vec<u8>, pages: &mut Pages<'_>) -> Result<bool> {
    let sample = &codes[..codes.len().min(PAGE_ROWS)];
    page.clear();
    bits::codes(sample, 16, page);
    let packed = sample.len() * usize::from(width) / 8;
    Ok(pages.compressed_len(page)? * 10 > packed * 9)
}

/// The kept values of so many bytes, which seldom repeat: all first bytes of a page, then all second ones, ….
pub(super) fn byte_streams(
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
    bytes: usize,
    statistics: impl Fn(&[i64], u64) -> Statistics,
) -> Result<EncodedColumn> {
    let Scratch { compressors, values: present, page, .. } = scratch;
    let mut pages = Pages::new(descriptor, Codec::Zstd(1), compressors);
    rows.pages(|of_page, values_of_page| {
        page.clear();
        rows.levels(of_page.clone(), page);
        let values = &present[values_of_page];
        for byte in 0..bytes {
            page.extend(values.iter().map(|value| (value >> (8 * byte)) as u8));
        }
        pages.data(page, of_page.len(), Encoding::BYTE_STREAM_SPLIT)
    })?;
    pages.finish(rows.rows, Some(statistics(present, rows.null_count())))
}

/// The distinct texts of a row group, as they come.
struct DistinctTexts {
    /// The code and one more of each text of the array's dictionary.
    known: Vec<u32>,
    /// The text of each code.
    distinct: Vec<usize>,
}

impl DistinctTexts {
    fn new(texts: usize) -> Self {
        Self { known: vec![0; texts], distinct: Vec::new() }
    }

    /// Returns the code of a text; none where it is one too many.
    #[inline]
    fn code(&mut self, text: usize) -> Option<u16> {
        let known = &mut self.known[text];
        if *known == 0 {
            if self.distinct.len() == super::distinct::Distinct::MOST {
                return None;
            }
            self.distinct.push(text);
            *known = self.distinct.len() as u32;
        }
        Some((*known - 1) as u16)
    }
}

/// Texts of a dictionary that is larger than the row group's; none where the row group has too many of them.
pub(super) fn texts(
    array: &DictionaryArray<Int32Type>,
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
) -> Result<Option<EncodedColumn>> {
    let texts = array.values().as_string::<i32>();
    let codes = &mut scratch.codes;
    codes.clear();
    let mut distinct = DistinctTexts::new(texts.len());
    let keys = array.keys().values();
    let fits = rows.try_each_present(|row| {
        codes.push(distinct.code(keys[row] as usize)?);
        Some(())
    });
    match fits {
        Some(()) => coded_texts(texts, &distinct.distinct, descriptor, rows, scratch).map(Some),
        None => Ok(None),
    }
}

/// The same for texts that are said once for many rows.
pub(super) fn keyed_texts(
    array: &DictionaryArray<Int32Type>,
    keys: &[u32],
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
) -> Result<Option<EncodedColumn>> {
    let texts = array.values().as_string::<i32>();
    let key_codes = &mut scratch.key_codes;
    key_codes.clear();
    let mut distinct = DistinctTexts::new(texts.len());
    let nulls = array.logical_nulls();
    for (key, &text) in array.keys().values().iter().enumerate() {
        let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(key));
        let Some(code) = (if valid { distinct.code(text as usize) } else { Some(0) }) else {
            return Ok(None);
        };
        key_codes.push(code);
    }
    spread(keys, rows, scratch);
    coded_texts(texts, &distinct.distinct, descriptor, rows, scratch).map(Some)
}

/// Writes the dictionary of some texts, and the codes.
fn coded_texts(
    texts: &StringArray,
    distinct: &[usize],
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
) -> Result<EncodedColumn> {
    let Scratch { compressors, codes, page, .. } = scratch;
    page.clear();
    let (mut first, mut last): (Option<&str>, Option<&str>) = (None, None);
    for &text in distinct {
        let text = texts.value(text);
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
    pages.finish(rows.rows, Some(statistics))
}
