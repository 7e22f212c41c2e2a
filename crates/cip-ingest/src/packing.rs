//! Blocks of rows of one length, of which only the bits are kept in which the rows differ.
//!
//! ```text
//! length u32 │ rows u32 │ ids u32 │ base u64, shift u8, bits u8 for each value │ rows … │ 8 bytes of room │ ids …
//! ```
//!
//! Rows of one key range that came after one another have similar users, times and places in their file: a value is kept
//! as what it is more than the least of the block, without the zeros at its end that all have (frame of reference); times, in
//! whole seconds where they are.
//! Every row of a block takes the same whole number of bytes, so that rows can be taken from it in any order. `ids` are the
//! session ids that the partition's rows had not named before.

#[cfg(target_arch = "x86_64")]
use crate::lane_packing::LanePacking;
use crate::row::RowLayout;

/// Bytes of a UUID.
pub(crate) const ID: usize = 16;
/// Where values are read and written, so many bytes are: behind the last there must be room.
pub(crate) const ROOM: usize = 8;
/// Rows that are packed are read with so many bytes behind them.
pub(crate) const ROWS_ROOM: usize = 64;
/// Rows of a block at most: their number takes eight bits.
pub(crate) const MOST_ROWS: usize = 1 << ROW_BITS;
pub(crate) const ROW_BITS: u32 = 8;

/// Bytes before the values of a block, and of each.
pub(crate) const HEAD: usize = 12;
pub(crate) const FRAME: usize = 10;

/// The value that a byte of rows is part of.
fn place(values: &[Value], at: usize) -> Option<usize> {
    values.iter().position(|value| value.at <= at && at < value.at + value.bytes)
}

fn bit(values: &[Value], (byte, bit): (usize, u8)) -> Option<(usize, u64)> {
    let value = place(values, byte)?;
    Some((value, u64::from(bit) << (8 * (byte - values[value].at))))
}

/// How the rows of a layout are packed.
#[derive(Debug)]
pub(crate) struct Packing {
    /// The values of a row, which together are all of its bytes, in the order in which they lie there.
    pub(crate) values: Vec<Value>,
    /// Bytes of a row.
    pub(crate) row_bytes: usize,
    /// The values that rows are ordered by: the user, where there are any, and the bit that says whether they are unknown.
    pub(crate) user: Option<(usize, usize, u64)>,
    pub(crate) time: usize,
    pub(crate) position: usize,
    /// The value that is the code of a session, where sessions have UUIDs.
    pub(crate) session: Option<usize>,
    #[cfg(target_arch = "x86_64")]
    lanes: Option<LanePacking>,
}

/// At most eight bytes of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value {
    pub(crate) at: usize,
    pub(crate) bytes: usize,
    mask: u64,
}

impl Value {
    fn new((at, bytes): (usize, usize)) -> Self {
        Self { at, bytes, mask: u64::MAX >> (u64::BITS - 8 * bytes as u32) }
    }

    /// The value in a row with [`ROOM`] behind it.
    #[inline(always)]
    pub(crate) fn of(self, row: &[u8]) -> u64 {
        let mut word = [0; 8];
        word.copy_from_slice(&row[self.at..self.at + 8]);
        u64::from_le_bytes(word) & self.mask
    }
}

/// What the values of a block have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) base: u64,
    /// How many zeros all end with, or [`Frame::SECONDS`].
    pub(crate) shift: u8,
    /// The bits of the rest.
    pub(crate) bits: u8,
}

impl Frame {
    /// The shift of times that lie whole seconds apart.
    const SECONDS: u8 = 64;
    const SECOND: u64 = 1_000_000;
    /// Two to the power of this, times an odd number, is a second.
    const TWOS: u32 = Self::SECOND.trailing_zeros();
    /// A multiple of an odd number becomes the quotient where it is multiplied with its inverse modulo 2^64, by Newton's method;
    /// no other number becomes so little (Hacker's Delight, 10-17).
    const ODD: u64 = Self::SECOND >> Self::TWOS;
    const INVERSE: u64 = {
        let mut inverse = Self::ODD;
        let mut step = 0;
        while step < 5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(Self::ODD.wrapping_mul(inverse)));
            step += 1;
        }
        inverse
    };

    /// What the rest of a value is multiplied with.
    pub(crate) fn step(self) -> u64 {
        if self.shift == Self::SECONDS { Self::SECOND } else { 1 << (self.shift & 63) }
    }

    /// How a value less the base becomes its rest: it is shifted, and then multiplied.
    pub(crate) fn rest(self) -> (u64, u64) {
        if self.shift == Self::SECONDS { (Self::TWOS.into(), Self::INVERSE) } else { (self.shift.into(), 1) }
    }

    /// Appends the frame as it stands in a block.
    pub(crate) fn append_to(self, frames: &mut Vec<u8>) {
        frames.extend_from_slice(&self.base.to_le_bytes());
        frames.extend_from_slice(&[self.shift, self.bits]);
    }

    #[inline(always)]
    fn around(values: &[u64]) -> Self {
        let first = values.first().copied().unwrap_or(0);
        let (mut least, mut most, mut differ) = (first, first, 0);
        for &value in values {
            least = least.min(value);
            most = most.max(value);
            differ |= value ^ first;
        }
        Self::of(least, most, differ)
    }

    /// The frame of values between two, which differ in some bits.
    #[inline(always)]
    pub(crate) fn of(least: u64, most: u64, differ: u64) -> Self {
        if differ == 0 {
            return Self { base: least, ..Self::default() };
        }
        // What no two values differ in, no difference has.
        let shift = differ.trailing_zeros();
        let bits = u64::BITS - ((most - least) >> shift).leading_zeros();
        Self { base: least, shift: shift as u8, bits: bits as u8 }
    }

    /// Returns the frame of times that lie whole seconds apart, and leaves how many in their place; where they do not, nothing
    /// changes.
    #[inline(always)]
    pub(crate) fn of_seconds(self, times: &mut [u64]) -> Self {
        let seconds = |time: u64| (time.wrapping_sub(self.base) >> Self::TWOS).wrapping_mul(Self::INVERSE);
        if self.bits == 0 || u32::from(self.shift) < Self::TWOS {
            return self;
        }
        let most = times.iter().fold(0, |most, &time| seconds(time).max(most));
        if most > u64::MAX / Self::ODD {
            return self;
        }
        times.iter_mut().for_each(|time| *time = seconds(*time));
        Self { base: self.base, shift: Self::SECONDS, bits: (u64::BITS - most.leading_zeros()) as u8 }
    }
}

/// What packing a block needs that the next one needs again.
#[derive(Debug, Default)]
pub(crate) struct PackScratch {
    pub(crate) frames: Vec<u8>,
    /// The packed rows, and what is behind them.
    pub(crate) packed: Vec<u8>,
    /// The words of all rows that are complete or begun: those of one place behind the other.
    words: Vec<[u64; MOST_ROWS]>,
}

/// Where the rests of values lie in a packed row: none in two words of eight bytes.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    end: u32,
}

impl Offsets {
    /// The byte where the word of the next value starts, and the value's first bit in it.
    pub(crate) fn next(&mut self, bits: u8) -> (usize, u32) {
        let bits = u32::from(bits);
        if self.end % u64::BITS + bits > u64::BITS {
            self.end = self.end.next_multiple_of(u64::BITS);
        }
        // A value that takes no bits may stand behind a full word.
        let start = self.end.min((self.end + bits).saturating_sub(1));
        self.end += bits;
        ((start / u64::BITS * 8) as usize, start % u64::BITS)
    }

    /// Bytes of a row.
    pub(crate) fn stride(&self) -> u32 {
        self.end.div_ceil(8)
    }
}

impl Packing {
    /// Returns how the rows of a layout are packed; none where they have texts.
    pub(crate) fn new(layout: &RowLayout) -> Option<Self> {
        let row_bytes = layout.row_bytes()?;
        let mut values: Vec<Value> = layout.values().into_iter().map(Value::new).collect();
        values.sort_unstable_by_key(|value| value.at);
        let place = |at: usize| place(&values, at);
        let user = layout.user_at().and_then(|(at, null)| {
            let (known, bit) = bit(&values, null)?;
            Some((place(at)?, known, bit))
        });
        let time = place(RowLayout::TIME)?;
        Some(Self {
            #[cfg(target_arch = "x86_64")]
            lanes: LanePacking::new(&values, row_bytes, time),
            user,
            time,
            position: place(RowLayout::POSITION)?,
            session: layout.id_at().and_then(place),
            values,
            row_bytes,
        })
    }

    /// The value and its bit that is a bit of a byte of rows.
    pub(crate) fn bit(&self, byte: (usize, u8)) -> (usize, u64) {
        bit(&self.values, byte).unwrap_or_default()
    }

    /// Makes a block of rows, behind which there is [`ROWS_ROOM`], with the ids that are new; `room` gives what its bytes are appended to.
    pub(crate) fn pack<'a>(
        &self,
        rows: &[u8],
        ids: &[u8],
        scratch: &mut PackScratch,
        room: impl FnOnce(usize) -> &'a mut Vec<u8>,
    ) {
        let count = (rows.len() - ROWS_ROOM) / self.row_bytes;
        scratch.frames.clear();
        let stride = self.pack_rows(rows, count, scratch);
        let (frames, packed) = (&scratch.frames, &scratch.packed[..count * stride]);
        let length = HEAD + frames.len() + packed.len() + ROOM + ids.len();
        let block = room(length);
        block.extend_from_slice(&(length as u32).to_le_bytes());
        block.extend_from_slice(&(count as u32).to_le_bytes());
        block.extend_from_slice(&((ids.len() / ID) as u32).to_le_bytes());
        block.extend_from_slice(frames);
        block.extend_from_slice(packed);
        block.extend_from_slice(&[0; ROOM]);
        block.extend_from_slice(ids);
    }

    /// Finds frames and packs rows; returns the bytes of a packed row.
    fn pack_rows(&self, rows: &[u8], count: usize, scratch: &mut PackScratch) -> usize {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(lanes) = &self.lanes {
                return lanes.pack(rows, count, scratch);
            }
            if std::arch::is_x86_feature_detected!("avx2") {
                #[expect(unsafe_code, reason = "calls what the processor was asked for")]
                // SAFETY: the processor has the feature that the function is compiled for.
                return unsafe { self.pack_avx2(rows, count, scratch) };
            }
        }
        self.pack_with(rows, count, scratch)
    }

    /// The same, with the least and the most of four values at once.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn pack_avx2(&self, rows: &[u8], count: usize, scratch: &mut PackScratch) -> usize {
        self.pack_with(rows, count, scratch)
    }

    #[inline(always)]
    fn pack_with(&self, rows: &[u8], count: usize, scratch: &mut PackScratch) -> usize {
        let PackScratch { frames, packed, words } = scratch;
        words.clear();
        let mut offsets = Offsets::default();
        let mut column = [0; MOST_ROWS];
        for (index, &value) in self.values.iter().enumerate() {
            let column = &mut column[..count];
            for (to, start) in column.iter_mut().zip((0..).step_by(self.row_bytes)) {
                *to = value.of(&rows[start..]);
            }
            let mut frame = Frame::around(column);
            if index == self.time {
                frame = frame.of_seconds(column);
            }
            frame.append_to(frames);
            let (byte, bit) = offsets.next(frame.bits);
            if frame.bits == 0 {
                continue;
            }
            if words.len() <= byte / 8 {
                words.push([0; MOST_ROWS]);
            }
            let bit = bit & 63;
            // Seconds are rests already.
            let (base, shift) =
                if frame.shift == Frame::SECONDS { (0, 0) } else { (frame.base, frame.shift & 63) };
            for (word, value) in words[byte / 8].iter_mut().zip(&*column) {
                *word |= (value.wrapping_sub(base) >> shift) << bit;
            }
        }
        let stride = offsets.stride() as usize;
        packed.resize(count * stride + ROOM, 0);
        for index in 0..count {
            // What is written behind a row is written again with the next one.
            let packed = &mut packed[index * stride..][..stride + ROOM];
            for (place, word) in packed.as_chunks_mut::<8>().0.iter_mut().zip(&*words) {
                *place = word[index].to_le_bytes();
            }
        }
        stride
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::AttributeUse;
    use crate::mapping::SourceMapping;
    use crate::parse::Parser;
    use proptest::prelude::*;

    /// A layout of so many values that each has a lane.
    fn layout() -> RowLayout {
        let mapping = SourceMapping::from_toml(
            "name = 't'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
             event_type = { from = 'e', type = 'dictionary' }\n\
             user_id = { from = 'u', type = 'int64', nullable = true }\n\
             source_session = { from = 's', type = 'uuid', nullable = true }\n\
             price = { from = 'p', type = 'money', scale = 2 }",
        );
        Parser::new(&mapping.unwrap(), AttributeUse::Products).unwrap().layout
    }

    proptest! {
        #[test]
        fn any_processor_packs_rows_as_columns_are_packed(
            like in proptest::collection::vec(any::<u64>(), 8),
            differ in proptest::collection::vec(prop_oneof![Just(0), (0u32..64).prop_map(|bits| u64::MAX >> bits)], 8),
            zeros in proptest::collection::vec(0u32..40, 8),
            unit in prop_oneof![Just(1u64), Just(1_000_000), Just(64)],
            rows in proptest::collection::vec(proptest::collection::vec(any::<u64>(), 8), 1..=MOST_ROWS),
        ) {
            let layout = layout();
            let packing = layout.packing().unwrap();
            prop_assert!(packing.values.len() <= 8 && packing.row_bytes <= 64);
            let mut bytes = Vec::new();
            for row in &rows {
                let start = bytes.len();
                bytes.resize(start + packing.row_bytes + ROOM, 0);
                for (index, value) in packing.values.iter().enumerate() {
                    let distance = (row[index] & differ[index]) >> zeros[index] << zeros[index];
                    let unit = if index == packing.time { unit } else { 1 };
                    let word = like[index].wrapping_add(distance.wrapping_mul(unit)) & value.mask;
                    bytes[start + value.at..start + value.at + value.bytes]
                        .copy_from_slice(&word.to_le_bytes()[..value.bytes]);
                }
                bytes.truncate(start + packing.row_bytes);
            }
            bytes.resize(bytes.len() + ROWS_ROOM, 0xaa);
            let packed = |pack: &dyn Fn(&mut PackScratch) -> usize| {
                let mut scratch = PackScratch::default();
                let stride = pack(&mut scratch);
                (scratch.frames, scratch.packed[..rows.len() * stride].to_vec())
            };
            let expected = packed(&|scratch| packing.pack_with(&bytes, rows.len(), scratch));
            prop_assert_eq!(packed(&|scratch| packing.pack_rows(&bytes, rows.len(), scratch)), expected.clone());
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                #[expect(unsafe_code, reason = "calls what the processor was asked for")]
                // SAFETY: the processor has the feature that the function is compiled for.
                let columns = packed(&|scratch| unsafe { packing.pack_avx2(&bytes, rows.len(), scratch) });
                prop_assert_eq!(columns, expected);
            }
        }
    }

    #[test]
    fn times_that_lie_whole_seconds_apart_are_kept_as_seconds() {
        let base = 1_569_888_000_250_000i64.cast_unsigned();
        let frame_of = |distances: &[u64]| {
            let mut times: Vec<u64> = distances.iter().map(|distance| base.wrapping_add(*distance)).collect();
            let frame = Frame::around(&times).of_seconds(&mut times);
            (frame.base.wrapping_sub(base), frame.step(), frame.bits, times)
        };
        assert_eq!(frame_of(&[3_000_000, 0, 7_000_000]), (0, 1_000_000, 3, vec![3, 0, 7]));
        // A day and more, and as far as times go.
        assert_eq!(frame_of(&[0, 100_000_000_000]), (0, 1_000_000, 17, vec![0, 100_000]));
        let far = u64::MAX / 1_000_000;
        let (_, step, bits, _) = frame_of(&[0, far * 1_000_000 - base / 1_000_000 * 1_000_000]);
        assert_eq!((step, bits), (1_000_000, 45));
        // 64 microseconds are no second, nor are half of one and one and a bit.
        for (distances, step, bits) in
            [([0, 64, 128], 64, 2), ([0, 500_000, 2_000_000], 32, 16), ([0, 1_000_000, 2_000_001], 1, 21)]
        {
            let (_, of_frame, of_bits, times) = frame_of(&distances);
            assert_eq!((of_frame, of_bits), (step, bits));
            assert_eq!(times, distances.map(|distance| base + distance));
        }
        // One time has no bits.
        assert_eq!(frame_of(&[0, 0]), (0, 1, 0, vec![base, base]));
    }
}
