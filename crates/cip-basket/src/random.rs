//! Numbers that look drawn by lot, and are the same for the same seed.

/// Returns a number that spreads the bits of `value` over all 64: the output function of SplitMix64 (Steele, Lea and Flood
/// 2014).
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A sequence of such numbers.
#[derive(Debug, Clone)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `bound`, which is at least 1. The bias is below bound / 2^64.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((u128::from(mix(self.0)) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_those_of_splitmix64() {
        // The reference implementation (Vigna, splitmix64.c) with the seed 1234567.
        let mut state = 1_234_567u64;
        let mut next = || {
            let value = mix(state);
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            value
        };
        assert_eq!((next(), next()), (6_457_827_717_110_365_317, 3_203_168_211_198_807_973));
    }

    #[test]
    fn draws_are_below_the_bound_and_reach_all_of_it() {
        let mut draws = Draws::new(7);
        let mut seen = [0u32; 5];
        (0..5_000).for_each(|_| seen[draws.below(5)] += 1);
        assert!(seen.iter().all(|&times| (850..1_150).contains(&times)), "{seen:?}");
        assert_eq!(draws.below(1), 0);
    }
}
