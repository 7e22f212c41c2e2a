//! Numbers that look drawn by lot, and are the same for the same seed.

/// The odd number nearest to 2^64 over the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sequence of numbers: SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The sequence with this number, of those of a seed.
    pub(crate) fn numbered(seed: u64, number: u64) -> Self {
        Self(mix(seed).wrapping_add(mix(!number)))
    }

    /// Returns a number of 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        let value = mix(self.0);
        self.0 = self.0.wrapping_add(STEP);
        value
    }

    /// Returns a number below `bound`, which is at least 1. The bias is below bound / 2^64.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_those_of_splitmix64() {
        // The reference implementation (Vigna, splitmix64.c) with the seed 1234567.
        let mut draws = Draws::new(1_234_567);
        assert_eq!((draws.next(), draws.next()), (6_457_827_717_110_365_317, 3_203_168_211_198_807_973));
    }

    #[test]
    fn numbers_are_below_the_bound_and_sequences_differ() {
        let mut seen = [0u32; 5];
        let mut draws = Draws::numbered(7, 1);
        (0..5_000).for_each(|_| seen[draws.below(5)] += 1);
        assert!(seen.iter().all(|&times| (850..1_150).contains(&times)), "{seen:?}");
        assert_ne!(Draws::numbered(7, 0).next(), Draws::numbered(7, 1).next());
        assert_ne!(Draws::numbered(7, 0).next(), Draws::numbered(8, 0).next());
    }
}
