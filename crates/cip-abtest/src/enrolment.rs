//! Who takes part in an experiment at all.

use cip_core::IdRef;
use serde::{Deserialize, Serialize};

use crate::bucket::bucket_v1;
use crate::error::AbTestError;

/// A part of the users that experiments share among themselves: each takes a range of it, and ranges that do not overlap have
/// no user in common.
///
/// # Method
/// GrowthBook's: [`bucket_v1`] of `__` + id and the user lies in a half-open range of 0 to 1.
///
/// # Examples
/// ```
/// use cip_abtest::Namespace;
/// use cip_core::IdRef;
/// let (first, second) = (Namespace::new("checkout", 0.0, 0.5)?, Namespace::new("checkout", 0.5, 1.0)?);
/// assert!((0..100).all(|user| first.has(IdRef::Int64(user)) != second.has(IdRef::Int64(user))));
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Namespace {
    id: Box<str>,
    from: f64,
    to: f64,
}

impl Namespace {
    /// Returns the range from `from` up to `to` of the namespace `id`.
    ///
    /// # Errors
    /// [`AbTestError::Namespace`] where the id is blank, or not 0 <= from < to <= 1.
    pub fn new(id: impl Into<Box<str>>, from: f64, to: f64) -> Result<Self, AbTestError> {
        Unchecked { id: id.into(), from, to }.try_into()
    }

    /// Returns whether a user lies in the range.
    pub fn has(&self, id: IdRef<'_>) -> bool {
        // Hashing `__` + id as the seed: version 1 has the user first.
        let place = f64::from(bucket_v1(&format!("__{}", self.id), id)) / 1_000.0;
        self.from <= place && place < self.to
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename = "Namespace")]
struct Unchecked {
    id: Box<str>,
    from: f64,
    to: f64,
}

impl TryFrom<Unchecked> for Namespace {
    type Error = AbTestError;

    fn try_from(Unchecked { id, from, to }: Unchecked) -> Result<Self, AbTestError> {
        if !id.trim().is_empty() && 0.0 <= from && from < to && to <= 1.0 {
            Ok(Self { id, from, to })
        } else {
            Err(AbTestError::Namespace { id, from, to })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_share_the_users_out() {
        let parts =
            [(0.0, 0.25), (0.25, 0.75), (0.75, 1.0)].map(|(from, to)| Namespace::new("n", from, to).unwrap());
        let mut counts = [0u64; 3];
        for user in 0..10_000 {
            let of: Vec<_> = (0..3).filter(|&part| parts[part].has(IdRef::Int64(user))).collect();
            assert_eq!(of.len(), 1, "{user}");
            counts[of[0]] += 1;
        }
        let fit = crate::contingency::goodness_of_fit(&counts, &[1.0, 2.0, 1.0]).unwrap();
        assert!(fit.p_value > 1e-4, "{counts:?}");
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        for (id, from, to) in
            [("", 0.0, 1.0), ("n", 0.5, 0.5), ("n", -0.1, 1.0), ("n", 0.0, 1.1), ("n", f64::NAN, 1.0)]
        {
            assert!(
                matches!(Namespace::new(id, from, to), Err(AbTestError::Namespace { .. })),
                "{id} {from} {to}"
            );
        }
    }
}
