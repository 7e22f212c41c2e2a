//! DELTA_BINARY_PACKED: differences of neighbours among the kept values, in blocks with a smallest difference each.

use parquet::basic::Encoding;
use parquet::errors::Result;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::pages::{Codec, EncodedColumn, Pages};
use super::{Rows, Scratch, bits, statistics};

/// The `parquet` crate unpacks 64 values at a time, where a miniblock has as many.
const BLOCK: usize = 1_024;
const MINIBLOCKS: usize = 4;
const MINIBLOCK: usize = BLOCK / MINIBLOCKS;

/// Users and times in the order of (user, time), as differences of whole bytes.
///
/// Every few rows a user or a session begins, so nearly every miniblock needs the width of the largest difference, and
/// packed bits would be as long as plain values. In whole bytes, with one smallest difference for the whole page, the
/// same difference is always the same bytes, and zstd finds what repeats.
///
/// Differences that differ in their lowest `low_bits` alone have the same high bytes.
pub(super) fn bytes(
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
    low_bits: u32,
) -> Result<EncodedColumn> {
    let Scratch { compressors, values: present, page, .. } = scratch;
    let mut pages = Pages::new(descriptor, BYTES_CODEC, compressors);
    rows.pages(|of_page, values_of_page| {
        page.clear();
        rows.levels(of_page.clone(), page);
        append_bytes(&present[values_of_page], low_bits, page);
        pages.data(page, of_page.len(), Encoding::DELTA_BINARY_PACKED)
    })?;
    pages.finish(rows.rows, Some(statistics(present, rows.null_count())))
}

const BYTES_CODEC: Codec = Codec::Zstd(2);

/// Appends the differences of values in whole bytes to a page.
fn append_bytes(values: &[i64], low_bits: u32, page: &mut Vec<u8>) {
    let differences = || neighbours(values).map(|(before, value)| value.wrapping_sub(before));
    let (smallest, largest) = (differences().min().unwrap_or(0), differences().max().unwrap_or(0));
    let smallest = smallest >> low_bits << low_bits;
    let width = width(largest.wrapping_sub(smallest).cast_unsigned());
    header(values, page);
    let mut block = [0; BLOCK];
    let mut differences = differences();
    for start in (1..values.len()).step_by(BLOCK) {
        let count = BLOCK.min(values.len() - start);
        for (place, difference) in block.iter_mut().zip(&mut differences) {
            *place = difference.wrapping_sub(smallest).cast_unsigned();
        }
        block[count..].fill(0);
        bits::zigzag(smallest, page);
        page.extend_from_slice(&[8 * width as u8; MINIBLOCKS]);
        append_words(&block[..count.next_multiple_of(MINIBLOCK)], width, page);
    }
}

/// Appends the lowest bytes of words.
fn append_words(words: &[u64], width: usize, page: &mut Vec<u8>) {
    fn append<const WIDTH: usize>(words: &[u64], page: &mut Vec<u8>) {
        let start = page.len();
        page.resize(start + WIDTH * words.len(), 0);
        for (place, word) in page[start..].as_chunks_mut::<WIDTH>().0.iter_mut().zip(words) {
            place.copy_from_slice(&word.to_le_bytes()[..WIDTH]);
        }
    }
    match width {
        1 => append::<1>(words, page),
        2 => append::<2>(words, page),
        3 => append::<3>(words, page),
        4 => append::<4>(words, page),
        5 => append::<5>(words, page),
        6 => append::<6>(words, page),
        7 => append::<7>(words, page),
        _ => append::<8>(words, page),
    }
}

/// Bytes that hold a value.
fn width(value: u64) -> usize {
    (8 - value.leading_zeros() as usize / 8).max(1)
}

/// 32-bit codes that grow slowly, as differences of as many bits as they need.
pub(super) fn codes(
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
    statistics: Statistics,
) -> Result<EncodedColumn> {
    // As 32-bit integers, which may wrap.
    let difference = |before, value| i64::from((value - before) as i32);
    packed(descriptor, rows, scratch, Codec::Zstd(1), statistics, difference)
}

/// Times as differences of as many bits as they need, uncompressed.
pub(super) fn times(descriptor: &ColumnDescPtr, rows: &Rows, scratch: &mut Scratch) -> Result<EncodedColumn> {
    let statistics = statistics(&scratch.values, rows.null_count());
    packed(descriptor, rows, scratch, Codec::None, statistics, |before, value| value.wrapping_sub(before))
}

/// Seconds in the order of (user, time): packed in bits, uncompressed, unless the codec makes less than half of that of whole
/// bytes, as where many events of a user have one time.
pub(super) fn seconds(
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
) -> Result<EncodedColumn> {
    /// 18 hours.
    const LOW_BITS: u32 = 16;
    /// Values that tell which it will be.
    const SAMPLE: usize = 4_096;
    let Scratch { compressors, values, page, .. } = scratch;
    let sample = &values[..values.len().min(SAMPLE)];
    page.clear();
    append_packed(sample, |before, value| value.wrapping_sub(before), page);
    let packed = page.len();
    page.clear();
    append_bytes(sample, LOW_BITS, page);
    let compressed = Pages::new(descriptor, BYTES_CODEC, compressors).compressed_len(page)?;
    if 2 * compressed < packed {
        bytes(descriptor, rows, scratch, LOW_BITS)
    } else {
        times(descriptor, rows, scratch)
    }
}

/// The kept values as differences of as many bits as they need.
fn packed(
    descriptor: &ColumnDescPtr,
    rows: &Rows,
    scratch: &mut Scratch,
    codec: Codec,
    statistics: Statistics,
    difference: impl Fn(i64, i64) -> i64,
) -> Result<EncodedColumn> {
    let Scratch { compressors, values, page, .. } = scratch;
    let mut pages = Pages::new(descriptor, codec, compressors);
    rows.pages(|of_page, values_of_page| {
        page.clear();
        rows.levels(of_page.clone(), page);
        append_packed(&values[values_of_page], &difference, page);
        pages.data(page, of_page.len(), Encoding::DELTA_BINARY_PACKED)
    })?;
    pages.finish(rows.rows, Some(statistics))
}

/// Appends the differences of values in as many bits as they need to a page.
fn append_packed(values: &[i64], difference: impl Fn(i64, i64) -> i64, page: &mut Vec<u8>) {
    header(values, page);
    let mut block = [0; BLOCK];
    for start in (1..values.len()).step_by(BLOCK) {
        let of_block = &values[start - 1..values.len().min(start + BLOCK)];
        let differences = || neighbours(of_block).map(|(before, value)| difference(before, value));
        let smallest = differences().min().unwrap_or(0);
        for (place, difference) in block.iter_mut().zip(differences()) {
            *place = difference.wrapping_sub(smallest).cast_unsigned();
        }
        let count = of_block.len() - 1;
        block[count..].fill(0);
        bits::zigzag(smallest, page);
        let widths: [u8; MINIBLOCKS] = std::array::from_fn(|miniblock| {
            let all = block[miniblock * MINIBLOCK..][..MINIBLOCK].iter().fold(0, |all, value| all | value);
            (u64::BITS - all.leading_zeros()) as u8
        });
        page.extend_from_slice(&widths);
        for (values, width) in block.chunks(MINIBLOCK).zip(widths).take(count.div_ceil(MINIBLOCK)) {
            bits::pack(values.iter().copied(), u32::from(width), page);
        }
    }
}

/// Every value but the last, with the one behind it.
fn neighbours(values: &[i64]) -> impl Iterator<Item = (i64, i64)> {
    values.iter().copied().zip(values.iter().copied().skip(1))
}

/// What stands before the blocks.
fn header(values: &[i64], page: &mut Vec<u8>) {
    bits::varint(BLOCK as u64, page);
    bits::varint(MINIBLOCKS as u64, page);
    bits::varint(values.len() as u64, page);
    bits::zigzag(values.first().copied().unwrap_or(0), page);
}
