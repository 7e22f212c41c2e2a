//! Whether the numbers of one arm tend to be higher, by ranks: for outcomes whose mean a few units decide.

use serde::Serialize;

use crate::arm_moments::check_outcomes;
use crate::distribution::normal_beyond;
use crate::error::AbTestError;

/// What the Mann-Whitney test found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RankTest {
    /// The pairs of a unit of the arm and one of the control in which the arm's number is the greater; ties count half.
    pub u: f64,
    /// The same as a share of all pairs: .5 where neither tends to be higher.
    pub superiority: f64,
    /// The probability of a U as far from the middle or farther, where both have one distribution.
    pub p_value: f64,
    /// How the p-value was found.
    pub method: RankMethod,
}

/// How the p-value of a [`RankTest`] was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RankMethod {
    /// From all orders of the units: fewer than 50 in each arm, and no ties.
    Exact,
    /// By the normal distribution, corrected for ties and for continuity.
    Normal,
}

/// The units of an arm from which on the normal distribution serves, as in R's `wilcox.test`.
const MANY: usize = 50;

/// Returns whether the numbers of `arm` tend to be higher or lower than those of `control`: the Mann-Whitney test.
///
/// # Formula
/// Normal: (|U - mn / 2| - 1/2) / sqrt(mn / 12 (N + 1 - sum of (t^3 - t) / (N (N - 1)))), over groups of t equal numbers.
///
/// # Method
/// Mann and Whitney 1947; which of the two methods is used is R's rule.
///
/// # Complexity
/// A sort; exact, (mn)^2 / 2 additions.
///
/// # Errors
/// [`AbTestError::NoUnits`] where either is empty, [`AbTestError::Outcome`] for a number that is not finite.
///
/// # Examples
/// ```
/// let found = cip_abtest::mann_whitney(&[1.1, 2.2, 3.3], &[4.4, 5.5, 2.5, 6.6])?;
/// assert_eq!((found.u, format!("{:.4}", found.p_value)), (11.0, "0.1143".to_owned()));
/// # Ok::<(), cip_abtest::AbTestError>(())
/// ```
pub fn mann_whitney(control: &[f64], arm: &[f64]) -> Result<RankTest, AbTestError> {
    if control.is_empty() || arm.is_empty() {
        return Err(AbTestError::NoUnits);
    }
    check_outcomes(control)?;
    check_outcomes(arm)?;
    let mut all: Vec<(f64, bool)> =
        control.iter().map(|&value| (value, false)).chain(arm.iter().map(|&value| (value, true))).collect();
    // Zeros of both signs are one number.
    all.sort_unstable_by(|(a, _), (b, _)| (a + 0.0).total_cmp(&(b + 0.0)));
    let (m, n) = (control.len() as f64, arm.len() as f64);
    let (mut u, mut ties, mut controls_below) = (0.0, 0.0, 0.0);
    for group in all.chunk_by(|(a, _), (b, _)| a == b) {
        let arms = group.iter().filter(|(_, of_arm)| *of_arm).count() as f64;
        let size = group.len() as f64;
        u += arms * (controls_below + (size - arms) / 2.0);
        controls_below += size - arms;
        ties += size * size * size - size;
    }
    let exact = ties == 0.0 && control.len() < MANY && arm.len() < MANY;
    let (p_value, method) = if exact {
        (exact_p_value(control.len(), arm.len(), u as usize), RankMethod::Exact)
    } else {
        let total = m + n;
        let variance = m * n / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
        let distance = ((u - m * n / 2.0).abs() - 0.5).max(0.0);
        let p =
            if distance > 0.0 && variance > 0.0 { normal_beyond(distance / variance.sqrt()) } else { 1.0 };
        (p, RankMethod::Normal)
    };
    Ok(RankTest { u, superiority: u / (m * n), p_value, method })
}

/// Twice the smaller tail of U among all orders of m and n units.
fn exact_p_value(m: usize, n: usize, u: usize) -> f64 {
    // orders[j][u]: of the units so far of one arm and j of the other, by how many pairs the one wins.
    let pairs = m * n;
    let mut orders = vec![vec![0.0; pairs + 1]; n + 1];
    orders.iter_mut().for_each(|of| of[0] = 1.0);
    for i in 1..=m {
        // The greatest unit is either one of the first arm, which wins all j, or one of the second.
        for j in 1..=n {
            let mut next = orders[j - 1].clone();
            for u in j..=i * j {
                next[u] += orders[j][u - j];
            }
            orders[j] = next;
        }
    }
    let all: f64 = orders[n].iter().sum();
    let tail: f64 = orders[n][..=u.min(pairs - u)].iter().sum();
    (2.0 * (tail / all)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn r_wilcox_test() {
        // R's wilcox.test, depression of Hollander and Wolfe 1973, p. 69: permeability constants at term and at 12 to 26 weeks,
        // W = 35, exact p = 0.2544 two-sided (0.1272 one-sided).
        let at_term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let early = [1.15, 0.88, 0.90, 0.74, 1.21];
        let found = mann_whitney(&early, &at_term).unwrap();
        assert_eq!((found.u, found.method), (35.0, RankMethod::Exact));
        assert!((found.p_value - 0.2544).abs() < 6e-5, "{found:?}");
    }

    #[test]
    fn equal_numbers_tell_nothing() {
        let found = mann_whitney(&[2.0; 60], &[2.0; 70]).unwrap();
        assert_eq!((found.superiority, found.p_value, found.method), (0.5, 1.0, RankMethod::Normal));
        assert_eq!(mann_whitney(&[0.0], &[-0.0]).unwrap().u, 0.5);
        assert_eq!(mann_whitney(&[1.0], &[2.0]).unwrap().p_value, 1.0);
    }

    #[test]
    fn what_has_no_rank_is_refused() {
        assert!(matches!(mann_whitney(&[], &[1.0]), Err(AbTestError::NoUnits)));
        for value in [f64::NAN, f64::INFINITY] {
            assert!(matches!(mann_whitney(&[1.0], &[2.0, value]), Err(AbTestError::Outcome { row: 1, .. })));
        }
    }

    proptest! {
        #[test]
        fn u_is_the_count_of_pairs_and_its_tail_that_of_orders(
            control in proptest::collection::vec(0i8..20, 1..6), arm in proptest::collection::vec(0i8..20, 1..6),
        ) {
            let [a, b] = [&control, &arm].map(|values| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>());
            let wins = |a: &[f64], b: &[f64]| -> f64 {
                let pairs = b.iter().flat_map(|b| a.iter().map(move |a| (a, b)));
                pairs.map(|(a, b)| if a < b { 1.0 } else if a == b { 0.5 } else { 0.0 }).sum()
            };
            let found = mann_whitney(&a, &b).unwrap();
            prop_assert_eq!(found.u, wins(&a, &b));
            let back = mann_whitney(&b, &a).unwrap();
            prop_assert!((found.p_value - back.p_value).abs() < 1e-12 && found.superiority + back.superiority == 1.0);
            if found.method == RankMethod::Exact {
                // All ways to choose which of the units are the arm's.
                let all: Vec<f64> = a.iter().chain(&b).copied().collect();
                let (mut ways, mut as_far) = (0.0, 0.0);
                let middle = (a.len() * b.len()) as f64 / 2.0;
                for chosen in 0u32..1 << all.len() {
                    if chosen.count_ones() as usize != b.len() { continue; }
                    let part = |of_arm: bool| -> Vec<f64> {
                        let kept = all.iter().enumerate().filter(|(i, _)| (chosen >> i & 1 == 1) == of_arm);
                        kept.map(|(_, &value)| value).collect()
                    };
                    ways += 1.0;
                    as_far += f64::from(u8::from((wins(&part(false), &part(true)) - middle).abs() >= (found.u - middle).abs()));
                }
                prop_assert!((found.p_value - as_far / ways).abs() < 1e-12, "{:?} {}", found, as_far / ways);
            }
        }
    }
}
