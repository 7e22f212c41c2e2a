//! Which rows are learned from, and which are tested on, by lot: with as many positives on every side as there are in all.

use cip_core::Draws;

use crate::error::PropensityError;
use crate::split::Side;
use crate::time_split::Shares;

/// Returns the side of every row: of either label as many rows go to each side as its share says, rounded down.
///
/// Users and days are not looked at: rows of one user may be on two sides, and rows be foretold from later ones. That flatters; it is
/// here to be compared with [`TimeSplit`](crate::TimeSplit) and [`IdSplit`](crate::IdSplit).
///
/// # Method
/// The rows of a label in the order of SplitMix64 of their number and the seed: the first are held out, then those to calibrate on, then
/// those to validate on.
///
/// # Errors
/// [`PropensityError::Parameter`] where a share makes no sense.
///
/// # Examples
/// ```
/// use cip_propensity::{Shares, Side, stratified_sides};
///
/// let labels: Vec<bool> = (0..100).map(|row| row < 10).collect();
/// let sides = stratified_sides(&labels, Shares { held_out: 0.2, calibrate: 0.0, validate: 0.0 }, 7)?;
/// let held_out = |label| (0..100).filter(|&row| labels[row] == label && sides[row] == Side::HeldOut).count();
/// assert_eq!((held_out(true), held_out(false)), (2, 18));
/// # Ok::<(), cip_propensity::PropensityError>(())
/// ```
pub fn stratified_sides(labels: &[bool], shares: Shares, seed: u64) -> Result<Vec<Side>, PropensityError> {
    shares.check()?;
    let rest = 1.0 - shares.held_out;
    let sizes = [
        (Side::HeldOut, shares.held_out),
        (Side::Calibrate, shares.calibrate * rest),
        (Side::Validate, shares.validate * rest),
    ];
    let mut sides = vec![Side::Train; labels.len()];
    for label in [false, true] {
        let rows = (0..labels.len()).filter(|&row| labels[row] == label);
        let mut rows: Vec<(u64, usize)> =
            rows.map(|row| (Draws::numbered(seed, row as u64).draw(), row)).collect();
        rows.sort_unstable();
        let all = rows.len() as f64;
        let mut rows = rows.into_iter().map(|(_, row)| row);
        for (side, share) in sizes {
            rows.by_ref().take((share * all) as usize).for_each(|row| sides[row] = side);
        }
    }
    Ok(sides)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_side_has_its_share_of_either_label(
            labels in proptest::collection::vec(any::<bool>(), 0..200), seed in any::<u64>()
        ) {
            let shares = Shares { held_out: 0.2, calibrate: 0.25, validate: 0.1 };
            let sides = stratified_sides(&labels, shares, seed).unwrap();
            for label in [false, true] {
                let all = labels.iter().filter(|&&of| of == label).count() as f64;
                let count = |side| (0..labels.len()).filter(|&row| labels[row] == label && sides[row] == side).count();
                prop_assert_eq!(count(Side::HeldOut), (0.2 * all) as usize);
                prop_assert_eq!(count(Side::Calibrate), (0.25 * 0.8 * all) as usize);
                prop_assert_eq!(count(Side::Validate), (0.1 * 0.8 * all) as usize);
            }
        }
    }

    #[test]
    fn another_seed_holds_out_others_and_nonsense_is_refused() {
        let labels = vec![true; 100];
        let shares = Shares { held_out: 0.5, calibrate: 0.0, validate: 0.0 };
        let of = |seed| stratified_sides(&labels, shares, seed).unwrap();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(stratified_sides(&labels, Shares { held_out: f64::NAN, ..shares }, 1).is_err());
    }
}
