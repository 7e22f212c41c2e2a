//! What is said of a rule: its counts, and the measures that follow from them.

use statrs::function::erf::erfc;

use crate::rules::hypergeometric::chance;

/// How many baskets hold the sides of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleCounts {
    /// Baskets.
    pub baskets: u64,
    /// Those that hold the antecedent.
    pub antecedent: u64,
    /// Those that hold the consequent.
    pub consequent: u64,
    /// Those that hold both.
    pub both: u64,
    /// Those that hold the most frequent item of the two.
    pub most_frequent_item: u64,
}

/// The measures of a rule: how strong it is, and how sure.
///
/// # Formula
/// Of n baskets, a hold the antecedent X, b the consequent Y, and c both; m hold the most frequent of their items; P(X) = a / n.
///
/// ```text
/// support         c / n
/// confidence      c / a                                       P(Y | X)
/// lift            c n / (a b)                                 1: independent
/// leverage        c / n - (a / n)(b / n)                      0: independent
/// conviction      (1 - P(Y)) / (1 - confidence)               1: independent, infinity: never wrong
/// zhang           leverage / max(P(XY)(1 - P(X)), P(X)(P(Y) - P(XY)))      -1 to 1
/// jaccard         c / (a + b - c)
/// cosine          c / sqrt(a b)
/// kulczynski      (c / a + c / b) / 2
/// all_confidence  c / m
/// imbalance       |a - b| / (a + b - c)
/// certainty       (confidence - P(Y)) / (1 - P(Y))
/// odds_ratio      c (n - a - b + c) / ((a - c)(b - c))
/// phi             (n c - a b) / sqrt(a b (n - a)(n - b))
/// chi_square      n phi^2, without a correction; chi_square_p with one degree of freedom
/// p_value         P(C >= c), C hypergeometric: Fisher's exact test, one-sided
/// hyper_lift      c / the least q with P(C <= q) >= 0.99
/// ```
///
/// # Output
/// A positive number over 0 is infinity, as in arules; 0 over 0 has no value (null in the table). None is ever NaN.
///
/// # Method
/// The definitions are those that Hahsler collects ("A Probabilistic Comparison of Commonly Used Interest Measures for Association
/// Rules", 2015, and the R package arules). By origin: lift and conviction Brin, Motwani, Ullman and Tsur 1997; leverage
/// Piatetsky-Shapiro 1991; Zhang 2000; all-confidence Omiecinski 2003; Kulczynski and imbalance Wu, Chen and Han 2010; certainty
/// Berzal et al. 2002, of whose two branches arules takes the one for positive dependence for both; chi-square Liu, Hsu and Ma 1999; Fisher's test and
/// hyper-lift Hahsler and Hornik 2007.
///
/// # Examples
/// ```
/// use cip_basket::RuleCounts;
/// // Other vegetables and whole milk in the Groceries of arules.
/// let counts = RuleCounts { baskets: 9_835, antecedent: 1_903, consequent: 2_513, both: 736, most_frequent_item: 2_513 };
/// let measures = counts.measures();
/// assert!((measures.lift - 1.513634).abs() < 5e-7);
/// assert!((measures.chi_square.unwrap() - 213.649017).abs() < 5e-7);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "each is defined by its formula above")]
pub struct Measures {
    pub support: f64,
    pub confidence: f64,
    pub lift: f64,
    pub leverage: f64,
    pub conviction: Option<f64>,
    pub zhang: Option<f64>,
    pub jaccard: f64,
    pub cosine: f64,
    pub kulczynski: f64,
    pub all_confidence: f64,
    pub imbalance: f64,
    pub certainty: Option<f64>,
    pub odds_ratio: Option<f64>,
    pub phi: Option<f64>,
    pub chi_square: Option<f64>,
    pub chi_square_p: Option<f64>,
    pub p_value: f64,
    pub hyper_lift: f64,
}

impl RuleCounts {
    /// Returns the measures.
    ///
    /// They make sense where `both` is 1 or more, at most either side, and the baskets hold them all.
    pub fn measures(self) -> Measures {
        let Self { baskets, antecedent, consequent, both, most_frequent_item } = self;
        let [n, a, b, c] = [baskets, antecedent, consequent, both].map(|count| count as f64);
        // n c - a b and the cells of the table, exact.
        let excess =
            (i128::from(baskets) * i128::from(both) - i128::from(antecedent) * i128::from(consequent)) as f64;
        let (only_a, only_b) = ((antecedent - both) as f64, (consequent - both) as f64);
        let neither = (baskets + both - antecedent - consequent) as f64;
        let phi = over(excess, (a * b).sqrt() * ((n - a) * (n - b)).sqrt());
        let chi_square = phi.map(|phi| n * phi * phi);
        let chance = chance(both, antecedent, consequent, baskets);
        Measures {
            support: c / n,
            confidence: self.confidence(),
            lift: c * n / (a * b),
            leverage: excess / (n * n),
            conviction: over(a * (n - b), n * only_a),
            zhang: over(excess, (c * (n - a)).max(a * only_b)),
            jaccard: c / (a + b - c),
            cosine: c / (a * b).sqrt(),
            kulczynski: 0.5 * (c / a + c / b),
            all_confidence: c / most_frequent_item as f64,
            imbalance: (a - b).abs() / (a + b - c),
            certainty: over(excess, a * (n - b)),
            odds_ratio: over(c * neither, only_a * only_b),
            phi,
            chi_square,
            chi_square_p: chi_square.map(|chi_square| erfc((0.5 * chi_square).sqrt())),
            p_value: chance.at_least,
            hyper_lift: over(c, chance.quantile as f64).unwrap_or(f64::INFINITY),
        }
    }

    /// Returns how often the consequent comes with the antecedent.
    pub fn confidence(self) -> f64 {
        self.both as f64 / self.antecedent as f64
    }

    /// Returns the p-value alone.
    pub(crate) fn p_value(self) -> f64 {
        chance(self.both, self.antecedent, self.consequent, self.baskets).at_least
    }

    /// Returns the lift; none where a side is in no basket.
    pub fn lift(self) -> Option<f64> {
        let [n, a, b, c] =
            [self.baskets, self.antecedent, self.consequent, self.both].map(|count| count as f64);
        over(c * n, a * b)
    }
}

/// A quotient; infinite over 0, none of 0 over 0.
fn over(part: f64, whole: f64) -> Option<f64> {
    if whole == 0.0 && part == 0.0 { None } else { Some(part / whole) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(baskets: u64, antecedent: u64, consequent: u64, both: u64) -> Measures {
        RuleCounts { baskets, antecedent, consequent, both, most_frequent_item: antecedent.max(consequent) }
            .measures()
    }

    #[test]
    fn other_vegetables_and_whole_milk() {
        let found = of(9_835, 1_903, 2_513, 736);
        // The Groceries of arules (Hahsler, Grün and Hornik), recomputed from the baskets to six digits.
        for (found, expected) in [
            (found.confidence, 0.386_758),
            (found.lift, 1.513_634),
            (found.leverage, 0.025_394_3),
            (found.conviction.unwrap(), 1.214_013),
            (found.jaccard, 0.2),
            (found.cosine, 0.336_560),
            (found.kulczynski, 0.339_817),
            (found.all_confidence, 0.292_877),
            (found.zhang.unwrap(), 0.420_750),
            (found.odds_ratio.unwrap(), 2.184_478),
            (found.chi_square.unwrap(), 213.649_017),
        ] {
            assert!((found - expected).abs() < 6e-7, "{found} {expected}");
        }
        assert!((found.hyper_lift - 736.0 / 526.0).abs() < 1e-12);
        assert!((found.phi.unwrap() - (213.649_017f64 / 9_835.0).sqrt()).abs() < 1e-9);
        assert!((found.imbalance - 610.0 / 3_680.0).abs() < 1e-12);
    }

    #[test]
    fn what_has_no_value_and_what_is_infinite() {
        // Never wrong.
        let sure = of(10, 2, 4, 2);
        assert_eq!((sure.conviction, sure.odds_ratio), (Some(f64::INFINITY), Some(f64::INFINITY)));
        assert_eq!(sure.certainty, Some(1.0));
        // The consequent is everywhere.
        let everywhere = of(10, 2, 10, 2);
        assert_eq!(everywhere.conviction, None);
        assert_eq!((everywhere.certainty, everywhere.odds_ratio, everywhere.phi), (None, None, None));
        assert_eq!(
            (everywhere.chi_square, everywhere.chi_square_p, everywhere.zhang),
            (None, None, Some(0.0))
        );
        assert_eq!((everywhere.p_value, everywhere.hyper_lift), (1.0, 1.0));
        // Both are.
        assert_eq!(of(10, 10, 10, 10).zhang, None);
        // Even 0 is not rare enough to lie below the quantile.
        assert_eq!(of(1_000, 1, 1, 1).hyper_lift, f64::INFINITY);
    }

    proptest! {
        #[test]
        fn no_measure_is_nan_and_each_is_in_its_range(cells in proptest::array::uniform4(0u64..3_000)) {
            let [both, only_a, only_b, neither] = cells;
            let both = both + 1;
            let found = of(both + only_a + only_b + neither, both + only_a, both + only_b, both);
            let shares = [found.support, found.confidence, found.jaccard, found.cosine, found.kulczynski,
                found.all_confidence, found.imbalance, found.p_value, found.chi_square_p.unwrap_or(0.0)];
            for share in shares {
                prop_assert!((0.0..=1.0 + 1e-15).contains(&share), "{:?}", found);
            }
            for around in [found.zhang, found.phi] {
                prop_assert!(around.is_none_or(|value| value.abs() <= 1.0 + 1e-12), "{:?}", found);
            }
            for positive in [Some(found.lift), found.conviction, found.odds_ratio, found.chi_square, Some(found.hyper_lift)] {
                prop_assert!(positive.is_none_or(|value| value >= 0.0), "{:?}", found);
            }
            prop_assert!(found.certainty.is_none_or(|value| value <= 1.0) && found.leverage.abs() <= 0.25);
        }
    }
}
