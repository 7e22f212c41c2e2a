//! Outcomes that are kept one by one, for methods that no sums serve.

use crate::error::AbTestError;

/// The outcomes of each arm, where all of them together are few enough.
#[derive(Debug, Clone)]
pub(crate) struct KeptNumbers {
    most: u64,
    seen: u64,
    arms: Vec<Vec<f64>>,
}

impl KeptNumbers {
    pub(crate) const fn new(most: u64) -> Self {
        Self { most, seen: 0, arms: Vec::new() }
    }

    /// Adds an outcome. As soon as there are too many, none is kept.
    pub(crate) fn push(&mut self, arm: usize, outcome: f64) {
        self.seen += 1;
        if self.seen > self.most {
            self.arms = Vec::new();
            return;
        }
        if self.arms.len() <= arm {
            self.arms.resize(arm + 1, Vec::new());
        }
        self.arms[arm].push(outcome);
    }

    /// Adds the outcomes of other units, whose arms stand at `places` here.
    pub(crate) fn merge(&mut self, other: &Self, places: &[usize]) {
        self.seen += other.seen;
        if self.seen > self.most || !other.are_all() {
            self.arms = Vec::new();
            self.most = self.most.min(self.seen - 1);
            return;
        }
        for (outcomes, &place) in other.arms.iter().zip(places) {
            if self.arms.len() <= place {
                self.arms.resize(place + 1, Vec::new());
            }
            self.arms[place].extend(outcomes);
        }
    }

    /// Whether all were kept.
    pub(crate) const fn are_all(&self) -> bool {
        self.seen <= self.most
    }

    /// The outcomes of an arm.
    pub(crate) fn of(&self, arm: usize, what: &'static str) -> Result<&[f64], AbTestError> {
        if self.are_all() {
            Ok(self.arms.get(arm).map_or(&[], Vec::as_slice))
        } else {
            Err(AbTestError::NumbersNotKept { what, units: self.seen, most: self.most })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_kept_or_none() {
        let mut kept = KeptNumbers::new(2);
        kept.push(1, 1.0);
        kept.push(1, 2.0);
        assert_eq!((kept.of(1, "x").unwrap(), kept.of(0, "x").unwrap().len()), (&[1.0, 2.0][..], 0));
        kept.push(0, 3.0);
        kept.push(0, 4.0);
        let error = kept.of(1, "the median").unwrap_err().to_string();
        assert_eq!(
            error,
            "the median needs the numbers of all 4 units, of which 2 may be kept: keep as many"
        );
        assert!(kept.arms.is_empty());
    }
}
