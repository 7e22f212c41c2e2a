//! Which rules are asked for.

use cip_core::MemoryBudget;

use crate::error::BasketError;
use crate::itemsets::{ItemsetKind, Itemsets};
use crate::rules::found::Rules;
use crate::rules::search;

/// What becomes of redundant rules.
///
/// A rule is redundant where a more general one, with the same consequent and fewer items before it (one at least), has the same
/// confidence or a higher one: the further items add nothing (arules' `is.redundant`; Bayardo, Agrawal and Gunopulos 2000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RedundantRules {
    /// They stay, marked.
    #[default]
    Keep,
    /// They are left out.
    LeaveOut,
}

/// Which rules X => Y are asked for: of itemsets that are frequent, with this confidence or more.
///
/// Both sides have an item or more, and share none. The baskets are those of the itemsets.
///
/// # Method
/// Each itemset is split into its sides, and the counts of the sides are looked up among the smaller itemsets (Agrawal and Srikant 1994). Whether
/// a rule is redundant is told from the highest confidence of those with one item less before them, from size to size. The
/// p-values of all rules that reach support and confidence, and of no others, are adjusted together (Benjamini and Hochberg 1995): these are the tests of
/// which the q-values speak, whichever rules are then kept.
///
/// # Examples
/// ```
/// use cip_basket::{AssociationRules, FrequentItemsets, MinSupport, Transactions};
/// use cip_core::MemoryBudget;
/// let mut baskets = Transactions::builder(MemoryBudget::from_mib(16));
/// for basket in [&["beer", "chips"][..], &["beer", "chips", "dip"], &["beer"], &["soap"]] {
///     baskets.push(basket.iter().copied())?;
/// }
/// let itemsets = FrequentItemsets::new(MinSupport::Count(2)).mine(&baskets.finish()?)?;
/// let rules = AssociationRules::new(0.6)?.find(&itemsets, MemoryBudget::from_mib(16))?;
/// let said: Vec<String> = rules
///     .iter()
///     .map(|rule| {
///         let sides = [rule.antecedent().collect::<Vec<_>>().join("+"), rule.consequent().collect::<Vec<_>>().join("+")];
///         format!("{} {:.2} {:.2}", sides.join(" => "), rule.measures().confidence, rule.measures().lift)
///     })
///     .collect();
/// assert_eq!(said, ["chips => beer 1.00 1.33", "beer => chips 0.67 1.33"]);
/// # Ok::<(), cip_basket::BasketError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AssociationRules {
    pub(crate) min_confidence: f64,
    pub(crate) most_consequent: usize,
    pub(crate) most_q: f64,
    pub(crate) redundant: RedundantRules,
    pub(crate) min_interest: Option<f64>,
}

impl AssociationRules {
    /// Asks for the rules of this confidence or more, with one item in the consequent.
    ///
    /// # Errors
    /// [`BasketError::MinConfidence`] beyond 0 <= confidence <= 1.
    pub fn new(min_confidence: f64) -> Result<Self, BasketError> {
        if !(0.0..=1.0).contains(&min_confidence) {
            return Err(BasketError::MinConfidence { given: min_confidence });
        }
        Ok(Self {
            min_confidence,
            most_consequent: 1,
            most_q: 1.0,
            redundant: RedundantRules::default(),
            min_interest: None,
        })
    }

    /// Sets how many items a consequent may have.
    ///
    /// # Errors
    /// [`BasketError::MostConsequent`] for 0.
    pub fn with_most_consequent(mut self, most: usize) -> Result<Self, BasketError> {
        if most == 0 {
            return Err(BasketError::MostConsequent);
        }
        self.most_consequent = most;
        Ok(self)
    }

    /// Keeps the rules of this q-value or less: of these, about that share is false.
    ///
    /// # Errors
    /// [`BasketError::MostQ`] beyond 0 < q <= 1.
    pub fn with_most_q(mut self, most_q: f64) -> Result<Self, BasketError> {
        if !(0.0 < most_q && most_q <= 1.0) {
            return Err(BasketError::MostQ { given: most_q });
        }
        self.most_q = most_q;
        Ok(self)
    }

    /// Sets what becomes of redundant rules.
    pub fn with_redundant(mut self, redundant: RedundantRules) -> Self {
        self.redundant = redundant;
        self
    }

    /// Keeps the rules that say something that those of the levels above do not: with a [`Hierarchy`](crate::Hierarchy), a rule of products may only
    /// repeat one of their categories. 1.1 is usual; without a hierarchy nothing is left out.
    ///
    /// # Formula
    /// A rule X => Y of the items z, of which some have groups g in their places in the more general rule G => H, with n(.) the baskets that hold a set:
    ///
    /// ```text
    /// expected support     support(G => H) x product of n(z) / n(g), over all z that have a g
    /// expected confidence  confidence(G => H) x product of n(z) / n(g), over those in Y
    /// ```
    ///
    /// It is interesting where its support or its confidence is `least` times the expected one or more, for every close one of its interesting
    /// ancestors: those that are no ancestor of another. Rules without an ancestor that reaches support and confidence are interesting.
    ///
    /// # Method
    /// R-interesting rules of Srikant and Agrawal (1995, section 2.1).
    ///
    /// # Complexity
    /// Of each rule all ways to put what its items are under in their places are looked up.
    ///
    /// # Errors
    /// [`BasketError::MinInterest`] below 1, and if it is not finite.
    pub fn with_min_interest(mut self, least: f64) -> Result<Self, BasketError> {
        if !(1.0 <= least && least.is_finite()) {
            return Err(BasketError::MinInterest { given: least });
        }
        self.min_interest = Some(least);
        Ok(self)
    }

    /// Returns the rules of `itemsets`: sorted by the items of both sides together, as itemsets are, then by consequent, the shorter first.
    ///
    /// # Errors
    /// [`BasketError::NotAllItemsets`] where only closed or maximal ones were mined, [`BasketError::TooManyRules`] where the rules
    /// do not fit `budget`.
    ///
    /// # Complexity
    /// Memory for 40 bytes a rule, and 16 for every way to split the itemsets of one size.
    pub fn find<'a>(&self, itemsets: &'a Itemsets, budget: MemoryBudget) -> Result<Rules<'a>, BasketError> {
        if itemsets.kind() != ItemsetKind::All {
            return Err(BasketError::NotAllItemsets);
        }
        search::find(*self, itemsets, budget)
    }
}
