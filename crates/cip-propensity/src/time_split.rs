//! Which rows are learned from, and which are tested on, by their time: the past foretells the future.

use crate::error::PropensityError;
use crate::split::Side;

/// Deals rows to sides by their time, the latest to the test.
///
/// ```text
///   train      │gap│ validate │gap│ calibrate │gap│ held out
///  ────────────┼───┼──────────┼───┼───────────┼───┼─────────▶ time of the row
/// ```
///
/// The time of a row is when it was known: the cutoff of its features, or the moment of its score. Its label is known a gap later. So a
/// row of which the label is not known where the next side begins is left out: in the place of whoever trained then, nobody would have
/// had it.
///
/// # Examples
/// ```
/// use cip_propensity::{Side, Shares, TimeSplit};
///
/// // Ten days, ten rows each; labels look a day ahead.
/// let times: Vec<i64> = (0..100).map(|row| row / 10).collect();
/// let shares = Shares { held_out: 0.2, calibrate: 0.25, validate: 0.0 };
/// let split = TimeSplit::new(&times, shares, 1)?;
/// assert_eq!([4, 5, 6, 7, 8, 9].map(|day| split.side(day)), [
///     Side::Train, Side::Train, Side::Calibrate, Side::Calibrate, Side::HeldOut, Side::HeldOut
/// ]);
/// // With labels that look two days ahead, the last day of a side is in the gap.
/// let split = TimeSplit::new(&times, shares, 2)?;
/// assert_eq!([4, 5, 6, 7].map(|day| split.side(day)), [Side::Train, Side::LeftOut, Side::Calibrate, Side::LeftOut]);
/// # Ok::<(), cip_propensity::PropensityError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeSplit {
    /// The sides behind the first with where they begin, in the order of time.
    begins: Vec<(i64, Side)>,
    gap: i64,
}

/// The shares of the rows that go to each side; what is left is trained on. A side takes all rows of its first time, so it may be
/// larger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// Of all rows, more than 0 and less than 1.
    pub held_out: f64,
    /// Of the rows that are not held out, 0 or more and less than 1; 0 for none.
    pub calibrate: f64,
    /// Of the rows that are not held out, 0 or more and less than 1; 0 for none.
    pub validate: f64,
}

impl Shares {
    /// Checks that every share makes sense.
    pub(crate) fn check(self) -> Result<(), PropensityError> {
        let refuse = |name, value, expected| Err(PropensityError::Parameter { name, value, expected });
        if !(0.0 < self.held_out && self.held_out < 1.0) {
            return refuse("the share to hold out", self.held_out, "more than 0 and less than 1");
        }
        for (name, share) in
            [("the share to calibrate on", self.calibrate), ("the share to validate on", self.validate)]
        {
            if !(0.0..1.0).contains(&share) {
                return refuse(name, share, "0 or more and less than 1");
            }
        }
        Ok(())
    }
}

impl TimeSplit {
    /// Returns the split of rows with these times, with a gap of 0 or more in their unit.
    ///
    /// # Complexity
    /// Sorts the times once.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`] where a share or the gap makes no sense; [`PropensityError::NoRows`]; [`PropensityError::FewTimes`]
    /// where there are fewer times than sides.
    pub fn new(times: &[i64], shares: Shares, gap: i64) -> Result<Self, PropensityError> {
        shares.check()?;
        let Shares { held_out, calibrate, validate } = shares;
        if gap < 0 {
            return Err(PropensityError::Parameter {
                name: "the gap",
                value: gap as f64,
                expected: "0 or more",
            });
        }
        if times.is_empty() {
            return Err(PropensityError::NoRows { what: "split by time" });
        }
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let rest = 1.0 - held_out;
        let wanted = [
            (Side::HeldOut, held_out),
            (Side::Calibrate, calibrate * rest),
            (Side::Validate, validate * rest),
        ];
        let sides = || wanted.into_iter().filter(|(_, share)| *share > 0.0);
        let (mut begins, mut end) = (Vec::new(), sorted.len());
        for (side, share) in sides() {
            let rows = ((share * sorted.len() as f64) as usize).max(1);
            let begin = end.checked_sub(rows).map(|at| sorted[at]);
            // All rows of one time are on one side, and every side before it needs a time.
            end = begin.map_or(0, |begin| sorted.partition_point(|&time| time < begin));
            match begin {
                Some(begin) if end > 0 => begins.push((begin, side)),
                _ => {
                    let found = 1 + sorted.windows(2).filter(|pair| pair[0] != pair[1]).count();
                    return Err(PropensityError::FewTimes { found, sides: sides().count() + 1 });
                }
            }
        }
        begins.reverse();
        Ok(Self { begins, gap })
    }

    /// Returns the side of a row of this time; [`Side::LeftOut`] in a gap.
    pub fn side(&self, time: i64) -> Side {
        let later = self.begins.partition_point(|&(begin, _)| begin <= time);
        let known = time.saturating_add(self.gap);
        match self.begins.get(later) {
            Some(&(next, _)) if known > next => Side::LeftOut,
            _ => later.checked_sub(1).map_or(Side::Train, |at| self.begins[at].1),
        }
    }

    /// Where each side behind the first begins, in the order of time.
    pub fn begins(&self) -> &[(i64, Side)] {
        &self.begins
    }

    /// The gap.
    pub const fn gap(&self) -> i64 {
        self.gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shares(held_out: f64, calibrate: f64, validate: f64) -> Shares {
        Shares { held_out, calibrate, validate }
    }

    proptest! {
        /// No label of an earlier side looks into a later one, whatever the times.
        #[test]
        fn what_is_trained_on_was_known_before_what_is_tested_on(
            times in proptest::collection::vec(0i64..60, 4..80), gap in 0i64..20
        ) {
            let Ok(split) = TimeSplit::new(&times, shares(0.3, 0.2, 0.2), gap) else { return Ok(()) };
            let order = [Side::Train, Side::Validate, Side::Calibrate, Side::HeldOut];
            for &a in &times {
                for &b in &times {
                    let [of_a, of_b] = [a, b].map(|time| order.iter().position(|&side| side == split.side(time)));
                    if let (Some(of_a), Some(of_b)) = (of_a, of_b) && of_a < of_b {
                        prop_assert!(a + gap <= b, "{a} {b}");
                    }
                }
            }
            let held_out = times.iter().filter(|&&time| split.side(time) == Side::HeldOut).count();
            prop_assert!(held_out as f64 >= (0.3 * times.len() as f64).floor());
        }
    }

    #[test]
    fn few_cutoffs_make_a_side_each_and_fewer_are_refused() {
        let times: Vec<i64> = (0..40).map(|row| row % 4).collect();
        let split = TimeSplit::new(&times, shares(0.2, 0.1, 0.1), 1).unwrap();
        assert_eq!(
            [0, 1, 2, 3].map(|time| split.side(time)),
            [Side::Train, Side::Validate, Side::Calibrate, Side::HeldOut]
        );
        let error = TimeSplit::new(&[5, 5, 6], shares(0.2, 0.1, 0.0), 0).unwrap_err().to_string();
        assert!(error.contains("2 different times, expected at least 3"), "{error}");
        assert!(TimeSplit::new(&[], shares(0.2, 0.1, 0.0), 0).is_err());
        for wrong in
            [shares(0.0, 0.1, 0.1), shares(f64::NAN, 0.1, 0.1), shares(0.2, -0.1, 0.0), shares(0.2, 0.1, 1.0)]
        {
            assert!(TimeSplit::new(&times, wrong, 0).is_err(), "{wrong:?}");
        }
        assert!(TimeSplit::new(&times, shares(0.2, 0.1, 0.1), -1).is_err());
    }
}
