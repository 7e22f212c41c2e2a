//! Which ids are learned from, which are calibrated on, which are held out, and which are left out.

use cip_core::IdRef;
use xxhash_rust::xxh3::Xxh3;

use crate::error::PropensityError;

/// Deals ids to the side to train on and the side to test on, always the same: all rows of an id are on one side, in any
/// order and on any machine.
///
/// # Method
/// h = XXH3-64 of the id (8 bytes little-endian, or UTF-8) with the seed, over 2^64. Where h is at or above the sample,
/// the id is left out; else it is held out where h over the sample, q, is below the share to hold out, s. Of the ids to train
/// on, those with q below s + c (1 - s) are kept for the calibration, c being its share, and those with q from there on and below
/// s + (c + v) (1 - s) for the validation, v being its share.
///
/// # Examples
/// ```
/// use cip_core::IdRef;
/// use cip_propensity::{IdSplit, Side};
///
/// let split = IdSplit::new(0.2, 7)?;
/// let held_out = (0..10_000).filter(|&user| split.side(IdRef::Int64(user)) == Side::HeldOut).count();
/// assert_eq!(held_out, 2008);
/// # Ok::<(), cip_propensity::PropensityError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IdSplit {
    held_out: f64,
    /// Where the ids for the calibration end; they start where those held out end.
    calibration_end: f64,
    /// Where the ids for the validation end; they start where those for the calibration end.
    validation_end: f64,
    sample: f64,
    seed: u64,
}

/// Where the rows of an id go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// They are learned from.
    Train,
    /// They say when to stop boosting; the trees do not see them.
    Validate,
    /// Scores are calibrated on them; the trees do not see them.
    Calibrate,
    /// They are kept to test on.
    HeldOut,
    /// They are not in the sample.
    LeftOut,
}

impl IdSplit {
    /// The share of the ids to train on that the command and a run keep for the calibration.
    pub const CALIBRATION_SHARE: f64 = 0.1;
    /// The share of the ids to train on that the command keeps for the validation where boosting is to stop early.
    pub const VALIDATION_SHARE: f64 = 0.1;

    /// Returns a split that holds out `share` of the ids and trains on all others.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`] where the share is not between 0 and 1.
    pub fn new(share: f64, seed: u64) -> Result<Self, PropensityError> {
        if 0.0 < share && share < 1.0 {
            Ok(Self { held_out: share, calibration_end: share, validation_end: share, sample: 1.0, seed })
        } else {
            let expected = "more than 0 and less than 1";
            Err(PropensityError::Parameter { name: "the share to hold out", value: share, expected })
        }
    }

    /// Uses only this share of the ids, of which the share to hold out is held out.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`] where the share is not above 0 and at most 1.
    pub fn with_sample(self, share: f64) -> Result<Self, PropensityError> {
        if 0.0 < share && share <= 1.0 {
            Ok(Self { sample: share, ..self })
        } else {
            let expected = "more than 0 and at most 1";
            Err(PropensityError::Parameter { name: "the share to sample", value: share, expected })
        }
    }

    /// Keeps this share of the ids to train on for the calibration. Who is held out does not change.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`] where the share is not between 0 and 1.
    pub fn with_calibration(self, share: f64) -> Result<Self, PropensityError> {
        if 0.0 < share && share < 1.0 {
            let calibration_end = self.held_out + share * (1.0 - self.held_out);
            let validation_end = calibration_end + (self.validation_end - self.calibration_end);
            Ok(Self { calibration_end, validation_end, ..self })
        } else {
            let expected = "more than 0 and less than 1";
            Err(PropensityError::Parameter { name: "the share to calibrate on", value: share, expected })
        }
    }

    /// Keeps this share of the ids to train on for the validation. Who is held out, or kept for the calibration, does not change.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`] where the share is not between 0 and 1.
    pub fn with_validation(self, share: f64) -> Result<Self, PropensityError> {
        if 0.0 < share && share < 1.0 {
            Ok(Self { validation_end: self.calibration_end + share * (1.0 - self.held_out), ..self })
        } else {
            let expected = "more than 0 and less than 1";
            Err(PropensityError::Parameter { name: "the share to validate on", value: share, expected })
        }
    }

    /// The share of ids that are used at all.
    pub const fn sample(self) -> f64 {
        self.sample
    }

    /// Returns the side of an id.
    pub fn side(self, id: IdRef<'_>) -> Side {
        let place = place_of(self.seed, id);
        // A hash that rounds up to 2^64 belongs to a sample of all.
        if place >= self.sample && self.sample < 1.0 {
            Side::LeftOut
        } else {
            let place = place / self.sample;
            if place < self.held_out {
                Side::HeldOut
            } else if place < self.calibration_end {
                Side::Calibrate
            } else if place < self.validation_end {
                Side::Validate
            } else {
                Side::Train
            }
        }
    }
}

/// Returns the hash of an id as a number of 0 to 1, to which it may round up.
pub(crate) fn place_of(seed: u64, id: IdRef<'_>) -> f64 {
    /// 2^64.
    const RANGE: f64 = 18_446_744_073_709_551_616.0;
    let mut hash = Xxh3::with_seed(seed);
    match id {
        IdRef::Int64(id) => hash.update(&id.to_le_bytes()),
        IdRef::Utf8(id) => hash.update(id.as_bytes()),
    }
    hash.digest() as f64 / RANGE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(split: IdSplit, side: Side) -> usize {
        (0..10_000).filter(|&id| split.side(IdRef::Int64(id)) == side).count()
    }

    #[test]
    fn shares_that_are_none_are_refused() {
        for share in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
            assert!(IdSplit::new(share, 7).is_err(), "{share}");
            let split = IdSplit::new(0.2, 7).unwrap();
            assert!(share == 1.0 || split.with_sample(share).is_err(), "{share}");
            assert!(split.with_calibration(share).is_err(), "{share}");
        }
    }

    #[test]
    fn a_sample_is_split_by_the_same_share() {
        let split = IdSplit::new(0.2, 7).unwrap();
        assert_eq!(split.with_sample(1.0).unwrap(), split);
        let sampled = split.with_sample(0.25).unwrap();
        let (train, held_out) = (count(sampled, Side::Train), count(sampled, Side::HeldOut));
        assert!((1_900..2_100).contains(&train) && (450..550).contains(&held_out), "{train} {held_out}");
        assert_eq!(count(split, Side::LeftOut), 0);
    }

    #[test]
    fn the_calibration_takes_from_the_ids_to_train_on_alone() {
        let plain = IdSplit::new(0.2, 7).unwrap().with_sample(0.5).unwrap();
        let split = plain.with_calibration(0.25).unwrap();
        for id in (0..10_000).map(IdRef::Int64) {
            match split.side(id) {
                Side::Calibrate => assert_eq!(plain.side(id), Side::Train),
                side => assert_eq!(plain.side(id), side),
            }
        }
        let (train, calibrate) = (count(split, Side::Train), count(split, Side::Calibrate));
        assert!((2_900..3_100).contains(&train) && (930..1_070).contains(&calibrate), "{train} {calibrate}");
        assert_eq!(count(plain, Side::Calibrate), 0);
        let three = split.with_validation(0.25).unwrap();
        assert_eq!(three, plain.with_validation(0.25).unwrap().with_calibration(0.25).unwrap());
        for id in (0..10_000).map(IdRef::Int64).filter(|&id| three.side(id) != Side::Validate) {
            assert_eq!(three.side(id), split.side(id));
        }
        assert!((930..1_070).contains(&count(three, Side::Validate)));
        assert!(plain.with_validation(1.0).is_err() && plain.with_validation(f64::NAN).is_err());
    }

    #[test]
    fn another_seed_holds_out_others_and_text_ids_are_hashed_as_text() {
        let [a, b] = [1, 2].map(|seed| IdSplit::new(0.5, seed).unwrap());
        let held = |split: IdSplit, id: IdRef<'_>| split.side(id) == Side::HeldOut;
        let both = (0..1_000).map(IdRef::Int64).filter(|&id| held(a, id) && held(b, id)).count();
        assert!((200..300).contains(&both), "{both}");
        let texts: Vec<String> = (0..1_000).map(|id| format!("user {id}")).collect();
        let held_out = texts.iter().filter(|id| held(a, IdRef::Utf8(id))).count();
        assert!((450..550).contains(&held_out), "{held_out}");
    }
}
