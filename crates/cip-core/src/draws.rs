//! Numbers that look drawn by lot, and are the same for the same seed.

/// The odd number nearest to 2^64 over the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sequence of numbers: SplitMix64 (Steele, Lea and Flood 2014).
///
/// # Examples
/// ```
/// use cip_core::Draws;
/// let mut draws = Draws::new(7);
/// assert!(draws.below(6) < 6);
/// assert_eq!(Draws::new(7).draw(), Draws::new(7).draw());
/// ```
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The sequence with this number, of those of a seed.
    pub fn numbered(seed: u64, number: u64) -> Self {
        Self(split_mix(seed).wrapping_add(split_mix(!number)))
    }

    /// Returns the next number, of 64 bits.
    pub fn draw(&mut self) -> u64 {
        let value = split_mix(self.0);
        self.0 = self.0.wrapping_add(STEP);
        value
    }

    /// Returns the next number below `bound`, which is at least 1. The bias is below bound / 2^64.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.draw()) * bound as u128) >> 64) as usize
    }
}

/// Returns a number that spreads the bits of `value` over all 64: the output function of SplitMix64.
pub fn split_mix(value: u64) -> u64 {
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
        assert_eq!((draws.draw(), draws.draw()), (6_457_827_717_110_365_317, 3_203_168_211_198_807_973));
    }

    #[test]
    fn numbers_are_below_the_bound_and_sequences_differ() {
        let mut seen = [0u32; 5];
        let mut draws = Draws::numbered(7, 1);
        (0..5_000).for_each(|_| seen[draws.below(5)] += 1);
        assert!(seen.iter().all(|&times| (850..1_150).contains(&times)), "{seen:?}");
        assert_eq!(draws.below(1), 0);
        assert_ne!(Draws::numbered(7, 0).draw(), Draws::numbered(7, 1).draw());
        assert_ne!(Draws::numbered(7, 0).draw(), Draws::numbered(8, 0).draw());
    }
}
