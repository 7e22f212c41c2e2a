//! One score of three: weights of recency, frequency and monetary.

use std::fmt;
use std::str::FromStr;

use crate::error::RfmError;

/// What is written behind the point of a weight at most.
const DECIMALS: usize = 6;
/// One, in the units that texts are read in.
const UNIT: u64 = 10u64.pow(DECIMALS as u32);
/// The greatest weight.
const GREATEST: u64 = 1_000_000;

/// How much the scores of recency, frequency and monetary count in one score of the customer.
///
/// # Formula
/// `(w_r r + w_f f + w_m m) / (w_r + w_f + w_m)`: from 1 to the number of bins, whatever the weights add up to. Both sums are
/// whole numbers, so the quotient is rounded once, to the nearest Float64: equal scores of r, f and m have equal bits everywhere.
///
/// # Examples
/// ```
/// use cip_rfm::Weights;
/// let weights: Weights = "r=0.5,f=0.3,m=0.2".parse()?;
/// assert_eq!(weights, Weights::new(5, 3, 2)?);
/// assert_eq!(weights.score(5, 4, 3), 4.3);
/// assert_eq!(weights.to_string(), "r=5,f=3,m=2");
/// # Ok::<(), cip_rfm::RfmError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Weights {
    /// Of r, f and m, without a common divisor.
    terms: [u64; 3],
}

impl Weights {
    /// Returns weights that are whole numbers; only their ratios matter.
    ///
    /// # Errors
    /// [`RfmError::Weights`] where all are 0, or one is above 1,000,000.
    pub fn new(r: u32, f: u32, m: u32) -> Result<Self, RfmError> {
        let refused = || RfmError::Weights { text: format!("r={r},f={f},m={m}") };
        Self::of([r, f, m].map(|weight| u64::from(weight) * UNIT)).ok_or_else(refused)
    }

    /// In units of [`UNIT`].
    fn of(weights: [u64; 3]) -> Option<Self> {
        let divisor = weights.into_iter().fold(0, greatest_common_divisor);
        let fits = weights.iter().all(|weight| *weight <= GREATEST * UNIT);
        (fits && divisor > 0).then(|| Self { terms: weights.map(|weight| weight / divisor) })
    }

    /// The score of a customer's three.
    pub fn score(&self, r: u8, f: u8, m: u8) -> f64 {
        let sum: u64 = self.terms.iter().zip([r, f, m]).map(|(term, score)| term * u64::from(score)).sum();
        // Below 2^53: three times a million million, times a score of up to 255.
        sum as f64 / self.terms.iter().sum::<u64>() as f64
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [recency, frequency, monetary] = self.terms;
        write!(f, "r={recency},f={frequency},m={monetary}")
    }
}

impl FromStr for Weights {
    type Err = RfmError;

    /// Reads `r=0.5,f=0.3,m=0.2`: each once and in any order, with up to six decimals.
    fn from_str(text: &str) -> Result<Self, RfmError> {
        read(text).and_then(Self::of).ok_or_else(|| RfmError::Weights { text: text.to_owned() })
    }
}

fn read(text: &str) -> Option<[u64; 3]> {
    let mut found: [Option<u64>; 3] = [None; 3];
    for part in text.split(',') {
        let (name, weight) = part.split_once('=')?;
        let place = &mut found[["r", "f", "m"].iter().position(|known| *known == name.trim())?];
        if place.replace(units(weight.trim())?).is_some() {
            return None;
        }
    }
    let [Some(r), Some(f), Some(m)] = found else { return None };
    Some([r, f, m])
}

/// The number that a text writes, in units of [`UNIT`].
fn units(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > DECIMALS {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let decimals: u64 = format!("{decimals:0<DECIMALS$}").parse().ok()?;
    whole.checked_mul(UNIT)?.checked_add(decimals)
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_read_exactly_or_refused() {
        let read = |text: &str| text.parse::<Weights>();
        for (text, expected) in [
            ("r=1,f=1,m=1", [1, 1, 1]),
            (" m=0.2, r=0.50 ,f=0.3", [5, 3, 2]),
            ("r=0,f=0,m=7", [0, 0, 1]),
            ("r=0.000001,f=1000000,m=0", [1, 1_000_000_000_000, 0]),
        ] {
            assert_eq!(read(text).unwrap().terms, expected, "{text}");
        }
        for text in [
            "",
            "r=1",
            "r=1,f=1",
            "r=1,f=1,m=1,",
            "r=1,f=1,m=1,r=1",
            "r=1,f=1,x=1",
            "r=0,f=0,m=0",
            "r=-1,f=1,m=1",
            "r=NaN,f=1,m=1",
            "r=inf,f=1,m=1",
            "r=1e3,f=1,m=1",
            "r=.5,f=1,m=1",
            "r=0.0000001,f=1,m=1",
            "r=1000001,f=1,m=1",
            "r=99999999999999999999,f=1,m=1",
            "r=1_0,f=1,m=1",
            "r=+1,f=1,m=1",
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("the weights are `{text}`, expected")), "{error}");
        }
        assert!(Weights::new(0, 0, 0).is_err() && Weights::new(1_000_001, 0, 0).is_err());
    }

    proptest! {
        /// As one of the two codes is better by whole numbers, it is by the rounded scores.
        #[test]
        fn rounding_keeps_the_order_of_codes(
            weights in proptest::array::uniform3(0u32..=1_000_000),
            a in proptest::array::uniform3(1u8..=10),
            b in proptest::array::uniform3(1u8..=10),
        ) {
            prop_assume!(weights != [0; 3]);
            let [r, f, m] = weights;
            let of = Weights::new(r, f, m).unwrap();
            let exact = |code: [u8; 3]| -> u64 {
                weights.iter().zip(code).map(|(weight, score)| u64::from(*weight) * u64::from(score)).sum()
            };
            let score = |[r, f, m]: [u8; 3]| of.score(r, f, m);
            prop_assert_eq!(score(a).partial_cmp(&score(b)), Some(exact(a).cmp(&exact(b))));
            prop_assert!((1.0..=10.0).contains(&score(a)));
            prop_assert_eq!(of.to_string().parse::<Weights>().ok(), Some(of).filter(|of| of.terms.iter().all(|term| *term <= GREATEST)));
            prop_assert_eq!(score([a[0]; 3]), f64::from(a[0]));
        }
    }
}
