//! Rows packed one at a time, where the processor has AVX-512 VBMI: each value in a lane of a register.
//!
//! ```text
//! row ──permute──▶ 8 values ──less base, shifted──▶ 8 rests ──or, compress──▶ words of the packed row
//! ```

use std::arch::x86_64::{
    __m512i, _mm512_maskz_alignr_epi64, _mm512_maskz_compress_epi64, _mm512_maskz_permutexvar_epi8,
    _mm512_max_epu64, _mm512_min_epu64, _mm512_mullo_epi64, _mm512_or_si512, _mm512_setzero_si512,
    _mm512_sllv_epi64, _mm512_srlv_epi64, _mm512_sub_epi64, _mm512_xor_si512,
};

use crate::packing::{Frame, MOST_ROWS, Offsets, PackScratch, ROWS_ROOM, Value};

/// Values of a row at most.
const LANES: usize = 8;
/// Bytes of a row at most.
const BYTES: usize = 64;
const _: () = assert!(BYTES <= ROWS_ROOM, "a row is read with what is behind it");

/// Which byte of a row each byte of the lanes is.
#[derive(Debug)]
pub(crate) struct LanePacking {
    bytes: [u8; BYTES],
    /// The bytes that values have.
    there: u64,
    row_bytes: usize,
    values: usize,
    /// The lane of the times, and where they are in a row.
    time: (usize, Value),
}

/// What becomes of the values of a block in their lanes.
struct Rests {
    base: [u64; LANES],
    shift: [u64; LANES],
    factor: [u64; LANES],
    /// Where they are in the words of packed rows.
    bit: [u64; LANES],
    /// The first lane of each word, and the lanes that share a word with the next, the second next and the fourth next.
    first: u8,
    shared: [u8; 3],
}

impl LanePacking {
    /// Returns none where the processor cannot, or rows have too much.
    pub(crate) fn new(values: &[Value], row_bytes: usize, time: usize) -> Option<Self> {
        use std::arch::is_x86_feature_detected as has;
        let can = has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vbmi");
        if !can || values.len() > LANES || row_bytes > BYTES {
            return None;
        }
        let (mut bytes, mut there) = ([0; BYTES], 0);
        for (lane, value) in values.iter().enumerate() {
            for byte in 0..value.bytes {
                bytes[8 * lane + byte] = (value.at + byte) as u8;
                there |= 1 << (8 * lane + byte);
            }
        }
        Some(Self { bytes, there, row_bytes, values: values.len(), time: (time, values[time]) })
    }

    /// Packs rows, of which there are at most [`MOST_ROWS`], with [`ROWS_ROOM`] behind them. Returns the bytes of a packed row.
    pub(crate) fn pack(&self, rows: &[u8], count: usize, scratch: &mut PackScratch) -> usize {
        #[expect(unsafe_code, reason = "calls what the processor was asked for")]
        // SAFETY: without the features that the function is compiled for, there is no `Self`.
        unsafe {
            self.pack_avx512(rows, count, scratch)
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vbmi")]
    fn pack_avx512(&self, rows: &[u8], count: usize, scratch: &mut PackScratch) -> usize {
        let bytes = of_bytes(self.bytes);
        let first = self.lanes(rows, 0, bytes);
        let (mut least, mut most, mut differ) = (first, first, _mm512_setzero_si512());
        for row in 1..count {
            let values = self.lanes(rows, row, bytes);
            least = _mm512_min_epu64(least, values);
            most = _mm512_max_epu64(most, values);
            differ = _mm512_or_si512(differ, _mm512_xor_si512(values, first));
        }
        let (least, most, differ) = (words_of(least), words_of(most), words_of(differ));
        let mut frames: [Frame; LANES] =
            std::array::from_fn(|lane| Frame::of(least[lane], most[lane], differ[lane]));
        let (lane, time) = self.time;
        let mut times = [0; MOST_ROWS];
        for (row, to) in times[..count].iter_mut().enumerate() {
            *to = time.of(&rows[row * self.row_bytes..]);
        }
        frames[lane] = frames[lane].of_seconds(&mut times[..count]);
        let frames = &frames[..self.values];
        frames.iter().for_each(|frame| frame.append_to(&mut scratch.frames));

        let (rests, stride) = Rests::new(frames);
        let (base, shift) = (of_words(rests.base), of_words(rests.shift));
        let (factor, bit) = (of_words(rests.factor), of_words(rests.bit));
        let [next, second, fourth] = rests.shared;
        let multiplied = rests.factor != [1; LANES];
        scratch.packed.resize(MOST_ROWS * BYTES + BYTES, 0);
        for row in 0..count {
            let values = self.lanes(rows, row, bytes);
            let mut rest = _mm512_srlv_epi64(_mm512_sub_epi64(values, base), shift);
            if multiplied {
                rest = _mm512_mullo_epi64(rest, factor);
            }
            let mut all = _mm512_sllv_epi64(rest, bit);
            all = _mm512_or_si512(all, _mm512_maskz_alignr_epi64::<1>(next, all, all));
            all = _mm512_or_si512(all, _mm512_maskz_alignr_epi64::<2>(second, all, all));
            all = _mm512_or_si512(all, _mm512_maskz_alignr_epi64::<4>(fourth, all, all));
            let packed = _mm512_maskz_compress_epi64(rests.first, all);
            // What is written behind a row is written again with the next one.
            if let Some(place) = scratch.packed[row * stride..].first_chunk_mut::<BYTES>() {
                *place = bytes_of(packed);
            }
        }
        stride
    }

    /// The values of a row.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    #[inline]
    fn lanes(&self, rows: &[u8], row: usize, bytes: __m512i) -> __m512i {
        let row = rows[row * self.row_bytes..].first_chunk::<BYTES>().copied().unwrap_or([0; BYTES]);
        _mm512_maskz_permutexvar_epi8(self.there, bytes, of_bytes(row))
    }
}

impl Rests {
    /// What becomes of values with these frames, and the bytes of a packed row.
    fn new(frames: &[Frame]) -> (Self, usize) {
        let mut rests = Self {
            base: [0; LANES],
            shift: [0; LANES],
            factor: [1; LANES],
            bit: [0; LANES],
            first: 0,
            shared: [0; 3],
        };
        let (mut offsets, mut words) = (Offsets::default(), [usize::MAX; LANES]);
        for (lane, frame) in frames.iter().enumerate() {
            let (byte, bit) = offsets.next(frame.bits);
            words[lane] = byte / 8;
            rests.bit[lane] = bit.into();
            rests.base[lane] = frame.base;
            (rests.shift[lane], rests.factor[lane]) = frame.rest();
        }
        for lane in 0..frames.len() {
            let shares = |other: usize| words.get(other) == Some(&words[lane]);
            let bit = 1 << lane;
            if lane == 0 || !shares(lane - 1) {
                rests.first |= bit;
            }
            for (shared, ahead) in rests.shared.iter_mut().zip([1, 2, 4]) {
                if shares(lane + ahead) {
                    *shared |= bit;
                }
            }
        }
        (rests, offsets.stride() as usize)
    }
}

#[expect(unsafe_code, reason = "a register as the bytes that it is")]
fn of_bytes(bytes: [u8; BYTES]) -> __m512i {
    // SAFETY: both sides are plain bytes of the same number, and any bytes are a value of either.
    unsafe { std::mem::transmute(bytes) }
}

#[expect(unsafe_code, reason = "a register as the bytes that it is")]
fn bytes_of(register: __m512i) -> [u8; BYTES] {
    // SAFETY: both sides are plain bytes of the same number, and any bytes are a value of either.
    unsafe { std::mem::transmute(register) }
}

fn of_words(words: [u64; LANES]) -> __m512i {
    let mut bytes = [0; BYTES];
    bytes.as_chunks_mut().0.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
    of_bytes(bytes)
}

fn words_of(register: __m512i) -> [u64; LANES] {
    let bytes = bytes_of(register);
    let mut words = [0; LANES];
    words.iter_mut().zip(bytes.as_chunks().0).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
    words
}
