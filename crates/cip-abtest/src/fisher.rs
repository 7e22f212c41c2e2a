//! The hypergeometric distribution, as far as Fisher's exact test needs it.

/// The two-sided p-value of a cell of a 2 x 2 table with these margins, which are all above zero.
pub(crate) fn fisher_two_sided(cell: u64, row: u64, column: u64, total: u64) -> f64 {
    let low = (row + column).saturating_sub(total);
    let high = row.min(column);
    let mode = (u128::from(row + 1) * u128::from(column + 1) / u128::from(total + 2)) as u64;
    let mode = mode.clamp(low, high);
    // The probability of x + 1 over that of x.
    let ratio = |x: u64| {
        let rest = total - row + x + 1 - column;
        ((row - x) as f64 / (x + 1) as f64) * ((column - x) as f64 / rest as f64)
    };
    // Probabilities relative to the mode's, outwards until they vanish.
    let above = Falling { x: mode, weight: 1.0, step: |x: u64| (x < high).then(|| (x + 1, ratio(x))) };
    let below =
        Falling { x: mode, weight: 1.0, step: |x: u64| (x > low).then(|| (x - 1, 1.0 / ratio(x - 1))) };
    let observed = if cell == mode {
        1.0
    } else {
        // Where it is not found it is too small for a number.
        let found = if cell > mode {
            above.clone().find(|step| step.0 == cell)
        } else {
            below.clone().find(|step| step.0 == cell)
        };
        found.map_or(0.0, |(_, weight)| weight)
    };
    let tied = observed * (1.0 + 1e-7);
    let start = if 1.0 <= tied { 1.0 } else { 0.0 };
    let (sum, tail) = above.chain(below).fold((1.0, start), |(sum, tail), (_, weight)| {
        (sum + weight, if weight <= tied { tail + weight } else { tail })
    });
    (tail / sum).min(1.0)
}

/// Steps away from the mode, without it.
#[derive(Clone)]
struct Falling<F> {
    x: u64,
    weight: f64,
    step: F,
}

impl<F: Fn(u64) -> Option<(u64, f64)>> Iterator for Falling<F> {
    type Item = (u64, f64);

    fn next(&mut self) -> Option<(u64, f64)> {
        let (x, ratio) = (self.step)(self.x)?;
        self.x = x;
        self.weight *= ratio;
        // Below, rounding would keep it from ever reaching 0.
        (self.weight >= f64::MIN_POSITIVE).then_some((x, self.weight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Exact, by binomial coefficients: for small tables.
    fn oracle(cell: u64, row: u64, column: u64, total: u64) -> f64 {
        let choose = |n: u64, k: u64| (0..k).fold(1u128, |c, i| c * u128::from(n - i) / u128::from(i + 1));
        let ways = |x: u64| choose(column, x) * choose(total - column, row - x);
        let all: Vec<u128> = ((row + column).saturating_sub(total)..=row.min(column)).map(ways).collect();
        let tail: u128 = all.iter().filter(|&&w| w <= ways(cell)).sum();
        tail as f64 / all.iter().sum::<u128>() as f64
    }

    proptest! {
        #[test]
        fn it_equals_the_count_of_all_tables(cells in proptest::array::uniform4(0u64..15)) {
            let [a, b, c, d] = cells;
            let (row, column, total) = (a + b, a + c, a + b + c + d);
            prop_assume!(row > 0 && column > 0 && row < total && column < total);
            let (found, expected) = (fisher_two_sided(a, row, column, total), oracle(a, row, column, total));
            prop_assert!((found - expected).abs() < 1e-9, "{} {}", found, expected);
        }
    }

    #[test]
    fn large_counts_take_little_time_and_vanish_at_last() {
        let (half, all) = (1 << 31, 1 << 32);
        assert!(fisher_two_sided(half / 2, half, half, all) > 0.99);
        assert_eq!(fisher_two_sided(0, half, half, all), 0.0);
    }
}
