//! Which rows are learned from and which are held out.

use cip_core::IdRef;
use xxhash_rust::xxh3::Xxh3;

use crate::error::PropensityError;

/// Holds out a share of the ids, always the same: all rows of an id are on one side, in any order and on any machine.
///
/// # Method
/// XXH3-64 of the id (8 bytes little-endian, or UTF-8) with the seed, as a fraction of 2^64, below the share: held out.
///
/// # Examples
/// ```
/// use cip_core::IdRef;
/// use cip_propensity::HoldOut;
///
/// let hold_out = HoldOut::new(0.2, 7)?;
/// let held_out = (0..10_000).filter(|&user| hold_out.holds(IdRef::Int64(user))).count();
/// assert_eq!(held_out, 2008);
/// # Ok::<(), cip_propensity::PropensityError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HoldOut {
    share: f64,
    seed: u64,
}

impl HoldOut {
    /// Returns a split that holds out `share` of the ids.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`] where the share is not between 0 and 1.
    pub fn new(share: f64, seed: u64) -> Result<Self, PropensityError> {
        if 0.0 < share && share < 1.0 {
            Ok(Self { share, seed })
        } else {
            let expected = "more than 0 and less than 1";
            Err(PropensityError::Parameter { name: "the share to hold out", value: share, expected })
        }
    }

    /// The share of the ids that is held out.
    pub const fn share(self) -> f64 {
        self.share
    }

    /// Whether the rows of an id are held out.
    pub fn holds(self, id: IdRef<'_>) -> bool {
        let mut hash = Xxh3::with_seed(self.seed);
        match id {
            IdRef::Int64(id) => hash.update(&id.to_le_bytes()),
            IdRef::Utf8(id) => hash.update(id.as_bytes()),
        }
        // 2^64 as a number: the quotient is below 1 but for rounding, which no share notices.
        const RANGE: f64 = 18_446_744_073_709_551_616.0;
        (hash.digest() as f64) / RANGE < self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_that_are_none_are_refused() {
        for share in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
            assert!(HoldOut::new(share, 7).is_err(), "{share}");
        }
    }

    #[test]
    fn another_seed_holds_out_others_and_text_ids_are_hashed_as_text() {
        let [a, b] = [1, 2].map(|seed| HoldOut::new(0.5, seed).unwrap());
        let both = (0..1_000).filter(|&id| a.holds(IdRef::Int64(id)) && b.holds(IdRef::Int64(id))).count();
        assert!((200..300).contains(&both), "{both}");
        let texts: Vec<String> = (0..1_000).map(|id| format!("user {id}")).collect();
        let held = texts.iter().filter(|id| a.holds(IdRef::Utf8(id))).count();
        assert!((450..550).contains(&held), "{held}");
    }
}
