//! The frames of a block, ready to give values back: one of a row, or eight at once.

use crate::packing::Frame;

/// A frame, and where its values lie in a packed row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenFrame {
    base: u64,
    mask: u64,
    step: u64,
    word: u8,
    bit: u8,
}

impl OpenFrame {
    /// `byte` is where the word of the values starts in a row, `bit` their first one in it.
    pub(crate) fn new(frame: Frame, (byte, bit): (usize, u32)) -> Self {
        let mask = u64::MAX.checked_shr(u64::BITS - u32::from(frame.bits)).unwrap_or(0);
        Self { base: frame.base, mask, step: frame.step(), word: (byte / 8) as u8, bit: bit as u8 }
    }

    /// The value that all rows of the block have; none where they differ.
    pub(crate) fn constant(&self) -> Option<u64> {
        (self.mask == 0).then_some(self.base)
    }

    /// Whether some value may have a bit.
    pub(crate) fn may_have(&self, bit: u64) -> bool {
        self.mask != 0 || self.base & bit != 0
    }

    /// No value is less.
    pub(crate) fn least(&self) -> u64 {
        self.base
    }

    /// A value that none exceeds; none where that is too large.
    pub(crate) fn most(&self) -> Option<u64> {
        self.base.checked_add(self.mask.checked_mul(self.step)?)
    }

    /// The value in a packed row.
    #[inline(always)]
    pub(crate) fn value(&self, row: &[u8]) -> u64 {
        let mut word = [0; 8];
        let at = 8 * usize::from(self.word);
        word.copy_from_slice(&row[at..at + 8]);
        let rest = (u64::from_le_bytes(word) >> (self.bit & 63)) & self.mask;
        self.base.wrapping_add(rest.wrapping_mul(self.step))
    }
}

/// Values that are read at once.
pub(crate) const LANES: usize = 8;

/// The frames of up to eight values of a block. Where there are fewer, the others are zero in all rows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Frames {
    base: [u64; LANES],
    mask: [u64; LANES],
    step: [u64; LANES],
    /// The words of a row that they lie in, counted from the first of these.
    word: [u8; LANES],
    bit: [u8; LANES],
    first_word: u8,
}

impl Frames {
    /// Takes the frames of some values, which lie one behind the other.
    pub(crate) fn new(frames: &[OpenFrame]) -> Self {
        let first_word = frames.first().map_or(0, |first| first.word);
        let mut all = Self { first_word, ..Self::default() };
        for (lane, &OpenFrame { base, mask, step, word, bit }) in frames.iter().enumerate() {
            (all.base[lane], all.mask[lane], all.step[lane]) = (base, mask, step);
            (all.word[lane], all.bit[lane]) = (word - first_word, bit);
        }
        all
    }

    /// How many words of a row they lie in.
    pub(crate) fn words(&self) -> usize {
        1 + self.word.iter().copied().max().map_or(0, usize::from)
    }

    #[inline(always)]
    pub(crate) fn get(&self, lane: usize) -> OpenFrame {
        OpenFrame {
            base: self.base[lane],
            mask: self.mask[lane],
            step: self.step[lane],
            word: self.word[lane] + self.first_word,
            bit: self.bit[lane],
        }
    }

    /// The values in a packed row, which lie in so many words at most.
    // Loops without closures: what a closure does may not be compiled for the processor that the function around it is for.
    #[expect(
        clippy::needless_range_loop,
        reason = "loops of known lengths, which become steps one behind the other"
    )]
    #[inline(always)]
    fn values<const WORDS: usize>(&self, row: &[u8]) -> [u64; LANES] {
        let (words, _) = row[8 * usize::from(self.first_word)..].as_chunks();
        let words: [[u8; 8]; WORDS] = match words.first_chunk() {
            Some(words) => *words,
            // The last rows of a block may have fewer behind them.
            None => std::array::from_fn(|word| words.get(word).copied().unwrap_or_default()),
        };
        let words = words.map(u64::from_le_bytes);
        let mut chosen = [words[0]; LANES];
        for word in 1..WORDS {
            for lane in 0..LANES {
                chosen[lane] = if usize::from(self.word[lane]) == word { words[word] } else { chosen[lane] };
            }
        }
        let mut values = [0; LANES];
        for lane in 0..LANES {
            let rest = (chosen[lane] >> (self.bit[lane] & 63)) & self.mask[lane];
            values[lane] = self.base[lane].wrapping_add(rest.wrapping_mul(self.step[lane]));
        }
        values
    }
}

/// A row, and which frames it has.
pub(crate) type Place<'a> = (usize, &'a [u8]);

/// Reads the values of rows, which lie in so many words at most.
pub(crate) fn read(frames: &[Frames], rows: &[Place<'_>], words: usize, into: &mut [[u64; LANES]]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        if has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512dq") {
            #[expect(unsafe_code, reason = "calls what the processor was asked for")]
            // SAFETY: the processor has the features that the function is compiled for.
            return unsafe { read_avx512(frames, rows, words, into) };
        }
        if has!("avx2") {
            #[expect(unsafe_code, reason = "calls what the processor was asked for")]
            // SAFETY: the processor has the feature that the function is compiled for.
            return unsafe { read_avx2(frames, rows, words, into) };
        }
    }
    read_with(frames, rows, words, into);
}

/// The same, with all values of a row in a register.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn read_avx512(frames: &[Frames], rows: &[Place<'_>], words: usize, into: &mut [[u64; LANES]]) {
    read_with(frames, rows, words, into);
}

/// The same, with four values of a row in a register.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn read_avx2(frames: &[Frames], rows: &[Place<'_>], words: usize, into: &mut [[u64; LANES]]) {
    read_with(frames, rows, words, into);
}

#[inline(always)]
fn read_with(frames: &[Frames], rows: &[Place<'_>], words: usize, into: &mut [[u64; LANES]]) {
    match words {
        ..=2 => read_words::<2>(frames, rows, into),
        3 | 4 => read_words::<4>(frames, rows, into),
        _ => read_words::<LANES>(frames, rows, into),
    }
}

#[inline(always)]
fn read_words<const WORDS: usize>(frames: &[Frames], rows: &[Place<'_>], into: &mut [[u64; LANES]]) {
    for (&(frame, row), values) in rows.iter().zip(into) {
        *values = frames[frame].values::<WORDS>(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_processor_reads_what_one_value_at_a_time_is(
            frames in proptest::collection::vec(
                proptest::collection::vec((any::<u64>(), 0u8..=64, 0usize..LANES, 0u32..64, 0u8..=64), 1..=LANES),
                1..4,
            ),
            first_word in 0usize..3,
            rows in proptest::collection::vec((any::<[u8; 96]>(), any::<proptest::sample::Index>()), 0..20),
            short in 0usize..8,
        ) {
            let open: Vec<Vec<OpenFrame>> = (frames.iter())
                .map(|frames| {
                    let mut words: Vec<usize> = frames.iter().map(|frame| frame.2).collect();
                    words.sort_unstable();
                    let place = |(&(base, bits, _, bit, shift), word): (&(u64, u8, usize, u32, u8), &usize)| {
                        OpenFrame::new(Frame { base, shift, bits }, (8 * (first_word + word), bit))
                    };
                    frames.iter().zip(&words).map(place).collect()
                })
                .collect();
            let all: Vec<Frames> = open.iter().map(|frames| Frames::new(frames)).collect();
            let words = all.iter().map(Frames::words).max().unwrap();
            // Behind the last word there may be little.
            let end = 8 * (first_word + LANES) + short;
            let places: Vec<Place<'_>> =
                rows.iter().map(|(row, frame)| (frame.index(all.len()), &row[..end])).collect();
            let expected: Vec<Vec<u64>> = (places.iter())
                .map(|&(frame, row)| open[frame].iter().map(|frame| frame.value(row)).collect())
                .collect();
            for (frames, open) in all.iter().zip(&open) {
                for (lane, frame) in open.iter().enumerate() {
                    prop_assert_eq!(format!("{:?}", frames.get(lane)), format!("{frame:?}"));
                }
            }
            let check = |read: &dyn Fn(&mut [[u64; LANES]])| {
                let mut values = vec![[1; LANES]; places.len()];
                read(&mut values);
                let read: Vec<Vec<u64>> = (values.iter().zip(&places))
                    .map(|(values, &(frame, _))| values[..open[frame].len()].to_vec())
                    .collect();
                assert_eq!(read, expected);
            };
            check(&|values| read(&all, &places, words, values));
            check(&|values| read_with(&all, &places, words, values));
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                #[expect(unsafe_code, reason = "calls what the processor was asked for")]
                // SAFETY: the processor has the feature that the function is compiled for.
                check(&|values| unsafe { read_avx2(&all, &places, words, values) });
            }
        }
    }
}
