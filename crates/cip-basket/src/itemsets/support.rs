//! The smallest support.

use std::fmt;
use std::str::FromStr;

use crate::error::BasketError;

/// How many baskets must hold an itemset: a share of all, or a number.
///
/// # Examples
/// ```
/// use cip_basket::MinSupport;
/// assert_eq!(MinSupport::Share(0.01).count(9_835)?, 99);
/// assert_eq!("0.01".parse::<MinSupport>()?, MinSupport::Share(0.01));
/// assert_eq!("99".parse::<MinSupport>()?, MinSupport::Count(99));
/// assert!(MinSupport::Share(0.0).count(9_835).is_err());
/// # Ok::<(), cip_basket::BasketError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MinSupport {
    /// This share of all baskets, or more: above 0, up to 1.
    Share(f64),
    /// This many baskets, or more: at least 1.
    Count(u64),
}

impl MinSupport {
    /// Returns the smallest count of an itemset among `baskets`: the least c with c / baskets >= share, and at least 1.
    ///
    /// # Errors
    /// [`BasketError::MinSupport`] for a share beyond 0 < share <= 1, and for a count of 0.
    pub fn count(self, baskets: u64) -> Result<u64, BasketError> {
        match self {
            Self::Count(count) if count >= 1 => Ok(count),
            Self::Share(share) if 0.0 < share && share <= 1.0 => {
                let all = baskets as f64;
                // The product may be rounded to the other side of a whole number.
                let near = ((share * all) as u64).saturating_sub(1);
                Ok((near.max(1)..).find(|&count| count as f64 >= share * all || count as f64 / all >= share))
                    .map(|count| count.unwrap_or(1))
            }
            given => Err(BasketError::MinSupport { given }),
        }
    }
}

impl FromStr for MinSupport {
    type Err = BasketError;

    /// Reads digits alone as a count, and what has a point or an exponent as a share: `1` is one basket, `1.0` all of them.
    fn from_str(text: &str) -> Result<Self, BasketError> {
        let support = match text.parse() {
            Ok(count) => Self::Count(count),
            Err(_) => Self::Share(text.parse().unwrap_or(f64::NAN)),
        };
        // Whether it makes sense does not depend on the number of baskets.
        support.count(1).map(|_| support)
    }
}

impl fmt::Display for MinSupport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => share.fmt(f),
            Self::Count(count) => count.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_count_is_the_smallest_whose_share_suffices(share in 1e-6f64..=1.0, baskets in 1u64..20_000_000) {
            let count = MinSupport::Share(share).count(baskets).unwrap();
            prop_assert!(count as f64 / baskets as f64 >= share);
            prop_assert!(count == 1 || ((count - 1) as f64 / baskets as f64) < share);
        }
    }

    #[test]
    fn shares_of_whole_numbers_are_whole() {
        assert_eq!(MinSupport::Share(0.1).count(10).unwrap(), 1);
        assert_eq!(MinSupport::Share(0.07).count(100).unwrap(), 7);
        assert_eq!(MinSupport::Share(1.0).count(7).unwrap(), 7);
        assert_eq!(MinSupport::Share(0.001).count(0).unwrap(), 1);
        assert_eq!(MinSupport::Count(3).count(2).unwrap(), 3);
    }

    #[test]
    fn what_is_no_support_is_refused() {
        for text in ["0", "0.0", "-1", "-0.1", "1.1", "NaN", "inf", "", "x", "1e-400"] {
            let refused = text.parse::<MinSupport>().unwrap_err().to_string();
            assert!(refused.contains("above 0 and up to 1.0"), "{text}: {refused}");
        }
        assert_eq!("1.0".parse::<MinSupport>().unwrap(), MinSupport::Share(1.0));
        assert_eq!("1e-3".parse::<MinSupport>().unwrap(), MinSupport::Share(0.001));
    }
}
