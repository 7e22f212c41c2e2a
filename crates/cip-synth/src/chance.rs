//! Randomness that gives the same bits on every machine: hashes, dice, quantile tables, weighted choice.
//!
//! Only `+ - * /` and square roots touch floating point here: IEEE 754 rounds those the same everywhere,
//! which it does not promise for `ln`, `exp` and `pow`.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Returns `x` scrambled: the finaliser of SplitMix64 (Steele, Lea and Flood 2014), a bijection.
pub(crate) const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Returns 64 bits that depend on the seed, on what they are for, and on which one of those.
pub(crate) const fn hash(seed: u64, purpose: u64, which: u64) -> u64 {
    mix(mix(mix(seed) ^ purpose) ^ which)
}

/// Returns a number in `[0, 1)` made of the upper 53 bits.
pub(crate) const fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// Returns a number in `0..n` made of the bits, without the bias that matters (`n / 2^64`).
pub(crate) const fn below(bits: u64, n: u64) -> u64 {
    ((bits as u128 * n as u128) >> 64) as u64
}

/// Returns `x < 2^bits` scattered over all `bits`-bit numbers: a bijection, another one for every seed.
pub(crate) const fn scatter(seed: u64, x: u64, bits: u32) -> u64 {
    let mask = (1 << bits) - 1;
    // An odd factor and a shifted xor are bijections of `bits`-bit numbers.
    let mut x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask;
    x ^= x >> (bits / 2);
    x.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(seed) & mask
}

/// A stream of random numbers.
#[derive(Debug)]
pub(crate) struct Dice {
    rng: Xoshiro256PlusPlus,
}

impl Dice {
    pub(crate) fn new(seed: u64, purpose: u64, which: u64) -> Self {
        Self { rng: Xoshiro256PlusPlus::seed_from_u64(hash(seed, purpose, which)) }
    }

    #[inline]
    pub(crate) fn bits(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// A number in `[0, 1)`.
    #[inline]
    pub(crate) fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    /// A number in `0..n`; 0 where `n` is 0.
    #[inline]
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        below(self.bits(), n)
    }

    /// True with probability `p`.
    #[inline]
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// An index into a slice of `len` items, small ones more often: density proportional to `1 / sqrt(rank)`.
    #[inline]
    pub(crate) fn skewed(&mut self, len: usize) -> usize {
        let x = self.unit();
        ((x * x * len as f64) as usize).min(len.saturating_sub(1))
    }

    /// One of `items`; the first ones more often.
    #[inline]
    pub(crate) fn one_of<'a, T: ?Sized>(&mut self, items: &[&'a T], otherwise: &'a T) -> &'a T {
        items.get(self.skewed(items.len())).copied().unwrap_or(otherwise)
    }

    /// A number that is nearly standard normal: the sum of twelve uniforms, less six.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// Returns `x` to the power `sixteenths / 16`, by square roots.
pub(crate) fn power(x: f64, sixteenths: u32) -> f64 {
    let mut result = 1.0;
    for _ in 0..sixteenths / 16 {
        result *= x;
    }
    let mut root = x;
    for bit in [8, 4, 2, 1] {
        root = root.sqrt();
        if sixteenths & bit != 0 {
            result *= root;
        }
    }
    result
}

/// Returns e to the power `x` for `|x| < 20`, by its series after halving `x` ten times.
pub(crate) fn exponential(x: f64) -> f64 {
    let small = x / 1024.0;
    let mut sum = 1.0;
    let mut term = 1.0;
    for n in 1..12 {
        term = term * small / f64::from(n);
        sum += term;
    }
    for _ in 0..10 {
        sum *= sum;
    }
    sum
}

/// A log-logistic distribution as a table of its quantiles: one look-up a draw.
///
/// # Formula
/// `quantile(p) = median * (p / (1 - p))^(sixteenths / 16)`, limited to `least..=most`. The exponent is the
/// spread: the upper tail falls as a power `16 / sixteenths`.
#[derive(Debug)]
pub(crate) struct LogLogistic {
    table: Vec<f64>,
}

impl LogLogistic {
    const SIZE: usize = 4096;

    pub(crate) fn new(median: f64, sixteenths: u32, least: f64, most: f64) -> Self {
        let quantile = |i: usize| {
            let p = (i as f64 + 0.5) / Self::SIZE as f64;
            (median * power(p / (1.0 - p), sixteenths)).clamp(least, most)
        };
        Self { table: (0..Self::SIZE).map(quantile).collect() }
    }

    /// The same distribution scaled so that its mean is `mean`.
    pub(crate) fn with_mean(mut self, mean: f64) -> Self {
        let sum: f64 = self.table.iter().sum();
        let factor = mean * Self::SIZE as f64 / sum;
        self.table.iter_mut().for_each(|value| *value *= factor);
        self
    }

    /// The value that 12 of the bits stand for.
    #[inline]
    pub(crate) fn value(&self, bits: u64) -> f64 {
        self.table[(bits >> 52) as usize % Self::SIZE]
    }
}

/// Weighted choice in constant time (Walker 1977, Vose 1991).
#[derive(Debug)]
pub(crate) struct Alias {
    /// Of each slot: the share that stays, in 2^-32, and who takes the rest.
    slots: Vec<(u32, u32)>,
}

impl Alias {
    /// Chooses index `i` with probability proportional to `weights[i]`.
    pub(crate) fn new(weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        let mut share: Vec<f64> = weights.iter().map(|w| w * weights.len() as f64 / total).collect();
        let mut slots: Vec<(u32, u32)> = (0..weights.len() as u32).map(|i| (u32::MAX, i)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..share.len()).partition(|&i| share[i] < 1.0);
        while let (Some(s), Some(&l)) = (small.pop(), large.last()) {
            slots[s] = ((share[s] * 4_294_967_296.0) as u32, l as u32);
            share[l] -= 1.0 - share[s];
            if share[l] < 1.0 {
                large.pop();
                small.push(l);
            }
        }
        Self { slots }
    }

    /// The index that 64 random bits stand for.
    #[inline]
    pub(crate) fn choose(&self, bits: u64) -> usize {
        let wide = u128::from(bits) * self.slots.len() as u128;
        let slot = (wide >> 64) as usize;
        let rest = (wide as u64 >> 32) as u32;
        match self.slots.get(slot) {
            Some(&(stay, _)) if rest <= stay => slot,
            Some(&(_, other)) => other as usize,
            None => 0,
        }
    }
}

/// Returns `base * (events / at)^(sixteenths / 16)`: how many things a world of `events` rows has.
pub(crate) fn scaled(base: f64, events: u64, at: f64, sixteenths: u32) -> u64 {
    (base * power(events as f64 / at, sixteenths)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_and_exponential_agree_with_the_standard_library() {
        for x in [0.001, 0.3, 1.0, 7.5, 4000.0] {
            for k in [0, 1, 8, 11, 16, 21] {
                let expected = f64::powf(x, f64::from(k) / 16.0);
                assert!((power(x, k) / expected - 1.0).abs() < 1e-12, "{x}^({k}/16)");
            }
        }
        for x in [-8.0, -0.1, 0.0, 0.7, 9.0] {
            assert!((exponential(x) / f64::exp(x) - 1.0).abs() < 1e-11, "e^{x}");
        }
    }

    #[test]
    fn an_alias_table_chooses_by_weight() {
        let weights = [5.0, 1.0, 0.0, 3.0, 1.0];
        let alias = Alias::new(&weights);
        let mut dice = Dice::new(1, 2, 3);
        let mut seen = [0u32; 5];
        for _ in 0..100_000 {
            seen[alias.choose(dice.bits())] += 1;
        }
        for (n, w) in seen.iter().zip(weights) {
            assert!((f64::from(*n) / 10_000.0 - w).abs() < 0.1, "{seen:?}");
        }
    }

    #[test]
    fn a_quantile_table_has_its_median_and_limits() {
        let table = LogLogistic::new(30.0, 11, 1.0, 9000.0);
        assert!((table.value(1 << 63) - 30.0).abs() < 0.1);
        assert!(table.value(0) >= 1.0 && table.value(u64::MAX) <= 9000.0);
        let mean: f64 = table.with_mean(5.0).table.iter().sum::<f64>() / 4096.0;
        assert!((mean - 5.0).abs() < 1e-9);
    }

    #[test]
    fn dice_stay_in_range() {
        let mut dice = Dice::new(0, 0, 0);
        for _ in 0..1000 {
            assert!(dice.below(7) < 7 && dice.skewed(5) < 5);
        }
        assert_eq!((dice.below(0), dice.skewed(0)), (0, 0));
    }
}
