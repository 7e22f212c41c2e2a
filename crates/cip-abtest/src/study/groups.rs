//! Sums by group and arm, such as by segment or by day.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use crate::error::AbTestError;
use crate::study::unit_sums::{Numbers, UnitSums};

/// The sums of each group, by the place of the arm.
#[derive(Debug, Clone)]
pub(crate) struct Groups<K> {
    places: HashMap<K, usize>,
    /// None where the group has no unit of the arm.
    sums: Vec<Vec<Option<UnitSums>>>,
}

impl<K: Ord + Hash> Groups<K> {
    pub(crate) fn new() -> Self {
        Self { places: HashMap::new(), sums: Vec::new() }
    }

    /// The sums of an arm's units in a group, which begin where there were none.
    pub(crate) fn sums<Q>(&mut self, group: &Q, arm: usize, numbers: Numbers) -> &mut UnitSums
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned + ?Sized,
        Q::Owned: Into<K>,
    {
        let place = self.places.get(group).copied().unwrap_or_else(|| {
            self.places.insert(group.to_owned().into(), self.sums.len());
            self.sums.push(Vec::new());
            self.sums.len() - 1
        });
        let arms = &mut self.sums[place];
        if arms.len() <= arm {
            arms.resize(arm + 1, None);
        }
        arms[arm].get_or_insert_with(|| UnitSums::new(numbers))
    }

    /// Adds the groups of other units, whose arms stand at `places` here.
    pub(crate) fn merge(
        &mut self,
        other: &Self,
        places: &[usize],
        numbers: Numbers,
    ) -> Result<(), AbTestError>
    where
        K: Clone + Borrow<K>,
    {
        for (group, arms) in other.sorted() {
            for (sums, &place) in arms.iter().zip(places) {
                if let Some(sums) = sums {
                    self.sums::<K>(group, place, numbers).merge(sums)?;
                }
            }
        }
        Ok(())
    }

    /// The groups in order, each with the sums by arm.
    pub(crate) fn sorted(&self) -> Vec<(&K, &[Option<UnitSums>])> {
        let mut groups: Vec<_> =
            self.places.iter().map(|(group, &place)| (group, self.sums[place].as_slice())).collect();
        groups.sort_unstable_by_key(|&(group, _)| group);
        groups
    }

    pub(crate) fn len(&self) -> usize {
        self.sums.len()
    }

    /// Sums that are held.
    pub(crate) fn cells(&self) -> usize {
        self.sums.iter().map(Vec::len).sum()
    }
}
