//! What is known of a customer's purchases: how many, when the last, and for how long we have looked.

use std::cmp::Ordering;

use crate::error::RfmError;

/// The purchases of a customer as (x, t_x, T): repeat purchases, when the last of all was, and how long the customer
/// has been observed, the two times counted from the first purchase.
///
/// The unit of time is yours, and is that of all that is computed from it. The first purchase is not counted: it is what
/// makes somebody a customer, and a customer without a repeat has frequency 0 and recency 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RepeatHistory {
    frequency: u64,
    recency: f64,
    age: f64,
}

impl RepeatHistory {
    /// Returns the history of `frequency` repeat purchases, the last of them at `recency`, observed up to `age` (T).
    ///
    /// # Errors
    /// [`RfmError::History`] unless 0 <= recency <= age, all finite, with a recency of 0 where there is no repeat.
    ///
    /// # Examples
    /// ```
    /// use cip_rfm::lifetime::RepeatHistory;
    /// assert!(RepeatHistory::new(2, 30.43, 38.86).is_ok());
    /// let error = RepeatHistory::new(2, 40.0, 38.86).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "a customer has frequency 2, recency 40 and T 38.86, expected 0 <= recency <= T, and recency 0 where frequency \
    ///      is 0: count both times from the first purchase, in one unit",
    /// );
    /// ```
    pub fn new(frequency: u64, recency: f64, age: f64) -> Result<Self, RfmError> {
        let in_order = 0.0 <= recency && recency <= age && age < f64::INFINITY;
        if in_order && (frequency > 0 || recency == 0.0) {
            // Where it is zero it may have a sign, which would tell equal histories apart.
            Ok(Self { frequency, recency: recency + 0.0, age: age + 0.0 })
        } else {
            Err(RfmError::History { frequency, recency, age })
        }
    }

    /// Repeat purchases: x.
    pub fn frequency(&self) -> u64 {
        self.frequency
    }

    /// From the first purchase to the last: t_x; 0 where there is no repeat.
    pub fn recency(&self) -> f64 {
        self.recency
    }

    /// From the first purchase to the end of the observation: T.
    pub fn age(&self) -> f64 {
        self.age
    }

    fn total_cmp(&self, other: &Self) -> Ordering {
        (self.frequency.cmp(&other.frequency))
            .then_with(|| self.recency.total_cmp(&other.recency))
            .then_with(|| self.age.total_cmp(&other.age))
    }
}

/// What a customer spent a transaction: how many transactions, and their mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpendHistory {
    transactions: u64,
    mean: f64,
}

impl SpendHistory {
    /// Returns the history of `transactions` that brought `mean` on average.
    ///
    /// Fader and Hardie leave the first purchase out, as [`RepeatHistory`] does: then `transactions` is the frequency.
    /// Where the first is worth as much as any other it may be counted in. It must be the same for all customers.
    ///
    /// # Errors
    /// [`RfmError::Spend`] unless there is a transaction, and the mean is finite and above 0.
    pub fn new(transactions: u64, mean: f64) -> Result<Self, RfmError> {
        if transactions > 0 && 0.0 < mean && mean < f64::INFINITY {
            Ok(Self { transactions, mean })
        } else {
            Err(RfmError::Spend { transactions, mean })
        }
    }

    /// Transactions.
    pub fn transactions(&self) -> u64 {
        self.transactions
    }

    /// Their mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    fn total_cmp(&self, other: &Self) -> Ordering {
        self.transactions.cmp(&other.transactions).then_with(|| self.mean.total_cmp(&other.mean))
    }
}

/// The renewals of a customer with a contract: how many there were of how many that could have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContractHistory {
    renewals: u64,
    opportunities: u64,
}

impl ContractHistory {
    /// Returns the history of a contract that was renewed `renewals` times of `opportunities`. Fewer renewals than
    /// opportunities mean that the customer left at the first that was not taken.
    ///
    /// # Errors
    /// [`RfmError::Contract`] where there are more renewals than opportunities.
    pub fn new(renewals: u64, opportunities: u64) -> Result<Self, RfmError> {
        if renewals <= opportunities {
            Ok(Self { renewals, opportunities })
        } else {
            Err(RfmError::Contract { renewals, opportunities })
        }
    }

    /// Renewals.
    pub fn renewals(&self) -> u64 {
        self.renewals
    }

    /// How many there could have been.
    pub fn opportunities(&self) -> u64 {
        self.opportunities
    }

    /// Whether the customer has renewed whenever possible.
    pub fn is_active(&self) -> bool {
        self.renewals == self.opportunities
    }
}

/// Histories that may stand for several customers each: what a model is fitted to.
///
/// Equal ones are kept once, with the sum of their weights, in a fixed order. So a model is fitted to each distinct history
/// once, and the order of customers does not change a bit of it.
///
/// # Examples
/// ```
/// use cip_rfm::lifetime::{Histories, RepeatHistory};
/// let customers = [RepeatHistory::new(0, 0.0, 5.0)?, RepeatHistory::new(1, 2.0, 5.0)?, RepeatHistory::new(0, 0.0, 5.0)?];
/// let histories: Histories<RepeatHistory> = customers.into_iter().collect();
/// assert_eq!((histories.customers(), histories.distinct()), (3.0, 2));
/// # Ok::<(), cip_rfm::RfmError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Histories<H> {
    groups: Vec<(H, f64)>,
}

/// A kind of history: of repeat purchases, of spend, or of a contract.
///
/// It is sealed: the histories that there are implement it.
pub trait History: Copy + PartialEq + sealed::Ordered {
    /// How many purchases, transactions or renewals there were.
    fn count(&self) -> u64;

    /// When the last was, where that is known.
    fn last(&self) -> Option<f64>;

    /// How long, or how often, was looked.
    fn observed(&self) -> f64;
}

impl History for RepeatHistory {
    fn count(&self) -> u64 {
        self.frequency
    }

    fn last(&self) -> Option<f64> {
        Some(self.recency)
    }

    fn observed(&self) -> f64 {
        self.age
    }
}

impl History for SpendHistory {
    fn count(&self) -> u64 {
        self.transactions
    }

    fn last(&self) -> Option<f64> {
        None
    }

    fn observed(&self) -> f64 {
        self.transactions as f64
    }
}

impl History for ContractHistory {
    fn count(&self) -> u64 {
        self.renewals
    }

    fn last(&self) -> Option<f64> {
        None
    }

    fn observed(&self) -> f64 {
        self.opportunities as f64
    }
}

mod sealed {
    use std::cmp::Ordering;

    pub trait Ordered {
        fn order(&self, other: &Self) -> Ordering;
    }

    impl Ordered for super::RepeatHistory {
        fn order(&self, other: &Self) -> Ordering {
            self.total_cmp(other)
        }
    }

    impl Ordered for super::SpendHistory {
        fn order(&self, other: &Self) -> Ordering {
            self.total_cmp(other)
        }
    }

    impl Ordered for super::ContractHistory {
        fn order(&self, other: &Self) -> Ordering {
            self.cmp(other)
        }
    }
}

impl<H: History> Histories<H> {
    /// Returns histories that stand for as many customers as their weights say.
    ///
    /// # Errors
    /// [`RfmError::Weight`] unless every weight is finite and above 0.
    pub fn weighted(histories: impl IntoIterator<Item = (H, f64)>) -> Result<Self, RfmError> {
        let groups: Vec<(H, f64)> = histories.into_iter().collect();
        if let Some(&(_, weight)) =
            groups.iter().find(|(_, weight)| !(0.0 < *weight && *weight < f64::INFINITY))
        {
            return Err(RfmError::Weight { weight });
        }
        Ok(Self::of(groups))
    }

    /// Returns the histories of groups whose weights are finite and above 0.
    pub(super) fn of(mut groups: Vec<(H, f64)>) -> Self {
        group(&mut groups, Fractions::Add);
        groups.shrink_to_fit();
        Self { groups }
    }

    /// How many customers they stand for.
    pub fn customers(&self) -> f64 {
        // A sum of nothing is -0.
        self.groups.iter().fold(0.0, |customers, (_, weight)| customers + weight)
    }

    /// How many different ones there are.
    pub fn distinct(&self) -> usize {
        self.groups.len()
    }

    /// Returns every distinct history and its weight, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&H, f64)> {
        self.groups.iter().map(|(history, weight)| (history, *weight))
    }

    pub(super) fn groups(&self) -> &[(H, f64)] {
        &self.groups
    }

    /// The mean of what `of` says of a customer.
    pub(super) fn mean(&self, of: impl Fn(&H) -> f64) -> f64 {
        self.iter().map(|(history, weight)| weight * of(history)).sum::<f64>() / self.customers()
    }
}

impl Histories<RepeatHistory> {
    /// Returns the histories of customers with a repeat purchase alone.
    ///
    /// The models are of all customers; of those who came back alone they tell too much of coming back.
    #[must_use]
    pub fn repeaters(mut self) -> Self {
        self.groups.retain(|(history, _)| history.frequency() > 0);
        self
    }
}

impl<H: History> FromIterator<H> for Histories<H> {
    fn from_iter<I: IntoIterator<Item = H>>(histories: I) -> Self {
        Self::of(histories.into_iter().map(|history| (history, 1.0)).collect())
    }
}

/// What becomes of weights that are no whole numbers where equal histories become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fractions {
    /// They stand apart, as more may come: their sum depends on the order in which they are added.
    Keep,
    /// They are added, the least first.
    Add,
}

/// Sorts histories, and adds the weights of equal ones: first those that are whole numbers, whose sum is the same in any order.
pub(super) fn group<H: History>(groups: &mut Vec<(H, f64)>, fractions: Fractions) {
    let is_fraction = |weight: f64| weight.fract() != 0.0;
    groups.sort_unstable_by(|(a, weight), (b, other)| {
        a.order(b)
            .then_with(|| is_fraction(*weight).cmp(&is_fraction(*other)))
            .then_with(|| weight.total_cmp(other))
    });
    groups.dedup_by(|(later, weight), (kept, sum)| {
        let whole = !is_fraction(*weight) && !is_fraction(*sum);
        let one = later == kept && (whole || fractions == Fractions::Add);
        if one {
            *sum += *weight;
        }
        one
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_that_cannot_be_are_refused() {
        for (frequency, recency, age) in [
            (0, 1.0, 5.0),
            (1, -1.0, 5.0),
            (1, 5.5, 5.0),
            (1, f64::NAN, 5.0),
            (1, 1.0, f64::NAN),
            (1, 1.0, f64::INFINITY),
            (0, 0.0, -1.0),
        ] {
            let refused = RepeatHistory::new(frequency, recency, age);
            assert!(matches!(refused, Err(RfmError::History { .. })), "{frequency} {recency} {age}");
        }
        assert!(RepeatHistory::new(0, 0.0, 0.0).is_ok() && RepeatHistory::new(3, 5.0, 5.0).is_ok());
        for (transactions, mean) in [(0, 1.0), (1, 0.0), (1, -3.0), (1, f64::NAN), (1, f64::INFINITY)] {
            assert!(matches!(SpendHistory::new(transactions, mean), Err(RfmError::Spend { .. })));
        }
        assert_eq!(
            ContractHistory::new(3, 2).unwrap_err().to_string(),
            "a contract was renewed 3 times of 2, expected no more renewals than opportunities: \
             give T as the number of times that it could have been renewed"
        );
        let one = ContractHistory::new(1, 2).unwrap();
        for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(Histories::weighted([(one, weight)]), Err(RfmError::Weight { .. })));
        }
    }

    #[test]
    fn equal_histories_are_one_whatever_their_order() {
        let history = |frequency, recency, age| RepeatHistory::new(frequency, recency, age).unwrap();
        let (a, b, c) = (history(1, 2.0, 5.0), history(1, 2.0, 6.0), history(0, 0.0, 5.0));
        let one: Histories<_> = [a, b, c, a].into_iter().collect();
        assert_eq!(one, [c, a, a, b].into_iter().collect());
        assert_eq!(one, Histories::weighted([(b, 1.0), (a, 0.5), (c, 1.0), (a, 1.5)]).unwrap());
        assert_eq!((one.customers(), one.distinct(), one.clone().repeaters().customers()), (4.0, 3, 3.0));
        // Zero has two signs, and is one time.
        let signs: Histories<_> = [history(0, -0.0, 5.0), history(0, 0.0, 5.0)].into_iter().collect();
        assert_eq!(signs.distinct(), 1);
    }
}
