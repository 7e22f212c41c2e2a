//! The folds that a search tries parameters on.

use cip_core::IdRef;
use xxhash_rust::xxh3::Xxh3;

use crate::error::PropensityError;

/// Rows to train on and rows to try the model on, by their positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Rows to train on.
    pub train: Vec<usize>,
    /// Rows to try the model on.
    pub validate: Vec<usize>,
}

impl Fold {
    /// Returns folds whose cutoff rolls on: of `count` + 1 spans of time with about as many rows each, the first is only trained on, and
    /// every other one is foretold from what was known where it begins, `gap` being how long a label takes to be known.
    ///
    /// ```text
    ///  fold 1   train │gap│ validate │
    ///  fold 2   train            │gap│ validate │
    /// ```
    ///
    /// With `groups` (one number a row, such as a hash of the user) no group is on both sides of a fold: one in `count` is tried on,
    /// and the others are trained on. Folds without rows on both sides are left out.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`] where `count` is not 1 to 20 or the gap is negative; [`PropensityError::Lengths`].
    pub fn rolling(
        times: &[i64],
        groups: Option<&[u64]>,
        count: u32,
        gap: i64,
    ) -> Result<Vec<Self>, PropensityError> {
        check_count(count)?;
        if gap < 0 {
            return Err(PropensityError::Parameter {
                name: "the gap",
                value: gap as f64,
                expected: "0 or more",
            });
        }
        if let Some(groups) = groups.filter(|groups| groups.len() != times.len()) {
            return Err(PropensityError::Lengths { rows: times.len(), labels: groups.len() });
        }
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let spans = count as usize + 1;
        let begin = |span: usize| sorted.get(sorted.len() * span / spans).copied();
        let fold = |number: usize| {
            let from = begin(number)?;
            let until = if number + 1 < spans { begin(number + 1) } else { None };
            let tried =
                |row: usize| groups.is_none_or(|groups| groups[row] % u64::from(count) == number as u64 - 1);
            let rows = || 0..times.len();
            let is_grouped = groups.is_some();
            let train = rows().filter(|&row| times[row].saturating_add(gap) <= from && times[row] < from);
            let train = train.filter(|&row| !is_grouped || !tried(row)).collect();
            let validate =
                rows().filter(|&row| from <= times[row] && until.is_none_or(|until| times[row] < until));
            let validate = validate.filter(|&row| tried(row)).collect();
            Some(Self { train, validate })
        };
        Ok((1..spans).filter_map(fold).filter(Self::has_rows).collect())
    }

    /// Returns `count` folds of rows without a time: each is tried on one group in `count`, and trained on the others.
    ///
    /// # Errors
    /// [`PropensityError::Parameter`] where `count` is not 2 to 20.
    pub fn by_group(groups: &[u64], count: u32) -> Result<Vec<Self>, PropensityError> {
        check_count(count)?;
        if count < 2 {
            let expected = "2 to 20 where rows have no time";
            return Err(PropensityError::Parameter { name: "the number of folds", value: 1.0, expected });
        }
        let fold = |number: u64| {
            let (validate, train) =
                (0..groups.len()).partition(|&row| groups[row] % u64::from(count) == number);
            Self { train, validate }
        };
        Ok((0..u64::from(count)).map(fold).filter(Self::has_rows).collect())
    }

    /// The number of the group of an id: XXH3-64 with a seed of its own, so that it has nothing to do with the side that an
    /// [`IdSplit`](crate::IdSplit) of the same seed gives it.
    pub fn group(id: IdRef<'_>, seed: u64) -> u64 {
        let mut hash = Xxh3::with_seed(!seed);
        match id {
            IdRef::Int64(id) => hash.update(&id.to_le_bytes()),
            IdRef::Utf8(id) => hash.update(id.as_bytes()),
        }
        hash.digest()
    }

    fn has_rows(&self) -> bool {
        !self.train.is_empty() && !self.validate.is_empty()
    }
}

fn check_count(count: u32) -> Result<(), PropensityError> {
    match count {
        1..=20 => Ok(()),
        _ => {
            let value = f64::from(count);
            Err(PropensityError::Parameter { name: "the number of folds", value, expected: "1 to 20" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn folds_foretell_what_came_later_and_part_groups(
            rows in proptest::collection::vec((0i64..40, 0u64..9), 1..60), count in 1u32..5, gap in 0i64..8
        ) {
            let (times, groups): (Vec<i64>, Vec<u64>) = rows.into_iter().unzip();
            for groups in [None, Some(&groups[..])] {
                for fold in Fold::rolling(&times, groups, count, gap).unwrap() {
                    for (&a, &b) in fold.train.iter().flat_map(|a| fold.validate.iter().map(move |b| (a, b))) {
                        prop_assert!(times[a] + gap <= times[b] && times[a] < times[b]);
                        prop_assert!(groups.is_none_or(|groups| groups[a] != groups[b]));
                    }
                }
            }
            if count > 1 {
                let folds = Fold::by_group(&groups, count).unwrap();
                for fold in &folds {
                    prop_assert_eq!(fold.train.len() + fold.validate.len(), groups.len());
                    prop_assert!(fold.train.iter().all(|&a| fold.validate.iter().all(|&b| groups[a] != groups[b])));
                }
            }
        }
    }

    #[test]
    fn what_makes_no_folds_is_refused() {
        assert!(Fold::rolling(&[1], None, 0, 0).is_err() && Fold::rolling(&[1], None, 1, -1).is_err());
        assert!(Fold::by_group(&[1], 1).is_err() && Fold::rolling(&[1], Some(&[]), 1, 0).is_err());
    }
}
