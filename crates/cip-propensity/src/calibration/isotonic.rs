//! Isotonic regression: the non-decreasing shares that are nearest to the labels.

use super::Group;

/// Returns the points between which the probability runs in lines: the first and the last margin of every pool, with the share
/// of positives in it.
///
/// # Method
/// Pool adjacent violators: a pool whose share is not above that of the pool before it is one with it. Shares are compared as
/// fractions of whole numbers, without rounding. As scikit-learn's `IsotonicRegression(out_of_bounds="clip")` has it, lines join
/// the pools: a step would move a customer whose margin hardly differs by a whole step, and ties more of them.
///
/// # Complexity
/// One pass over the groups.
pub(super) fn points(groups: &[Group]) -> Vec<[f64; 2]> {
    let mut pools: Vec<Pool> = Vec::new();
    for group in groups {
        let mut pool =
            Pool { first: group.margin, last: group.margin, rows: group.rows, positives: group.positives };
        while let Some(before) = pools.pop_if(|before| !before.is_below(&pool)) {
            pool.first = before.first;
            pool.rows += before.rows;
            pool.positives += before.positives;
        }
        pools.push(pool);
    }
    let mut points = Vec::with_capacity(2 * pools.len());
    for pool in pools {
        let share = pool.positives as f64 / pool.rows as f64;
        points.push([pool.first, share]);
        if pool.last > pool.first {
            points.push([pool.last, share]);
        }
    }
    points
}

/// Neighbouring groups that have one share.
struct Pool {
    first: f64,
    last: f64,
    rows: u64,
    positives: u64,
}

impl Pool {
    fn is_below(&self, other: &Self) -> bool {
        let part = |positives: u64, rows: u64| u128::from(positives) * u128::from(rows);
        part(self.positives, other.rows) < part(other.positives, self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::Groups;

    #[test]
    fn violators_are_pooled_back_as_far_as_it_takes() {
        let margins = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let labels = [false, true, true, false, false, true];
        let found = points(&Groups::new(&margins, &labels, None).groups);
        assert_eq!(found, [[1.0, 0.0], [2.0, 0.5], [5.0, 0.5], [6.0, 1.0]]);
    }

    #[test]
    fn margins_that_descend_are_one_pool() {
        let found = points(&Groups::new(&[1.0, 2.0, 3.0], &[true, true, false], None).groups);
        assert_eq!(found, [[1.0, 2.0 / 3.0], [3.0, 2.0 / 3.0]]);
    }
}
