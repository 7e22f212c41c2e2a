//! The names of customers: segments from the scores of recency and frequency.

use std::fmt;

/// A segment of customers.
///
/// The first rule that fits decides, in the order of [`Segment::ALL`]. What no rule names is
/// [`Segment::AtRisk`]: also good but rare customers such as r 5, f 2. Every pair of scores:
///
/// | | f 1 | f 2 | f 3 | f 4 | f 5 |
/// |---|---|---|---|---|---|
/// | **r 5** | New Customers | At Risk | Loyal Customers | Champions | Champions |
/// | **r 4** | New Customers | At Risk | Loyal Customers | Champions | Champions |
/// | **r 3** | Promising | At Risk | Loyal Customers | Loyal Customers | Loyal Customers |
/// | **r 2** | At Risk | Need Attention | Need Attention | Need Attention | Need Attention |
/// | **r 1** | Hibernating | Hibernating | At Risk | Can't Lose Them | Can't Lose Them |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// r 4 or more, f 4 or more.
    Champions,
    /// r 3 or more, f 3 or more.
    LoyalCustomers,
    /// r 4 or more, f 1.
    NewCustomers,
    /// r 3 or more, f 1.
    Promising,
    /// r 2, f 2 or more.
    NeedAttention,
    /// r 1, f 4 or more.
    CantLoseThem,
    /// r 1, f 2 or less.
    Hibernating,
    /// Any other scores.
    AtRisk,
}

impl Segment {
    /// All segments, in the order in which their rules are tried and tables list them.
    pub const ALL: [Self; 8] = [
        Self::Champions,
        Self::LoyalCustomers,
        Self::NewCustomers,
        Self::Promising,
        Self::NeedAttention,
        Self::CantLoseThem,
        Self::Hibernating,
        Self::AtRisk,
    ];

    /// Returns the segment of a score of recency and one of frequency, or none where one is not 1 to 5.
    ///
    /// # Examples
    /// ```
    /// use cip_rfm::Segment;
    /// assert_eq!(Segment::from_scores(5, 4), Some(Segment::Champions));
    /// assert_eq!(Segment::from_scores(5, 2), Some(Segment::AtRisk));
    /// assert_eq!(Segment::from_scores(0, 1), None);
    /// ```
    pub fn from_scores(r: u8, f: u8) -> Option<Self> {
        let both_are_scores = (1..=5).contains(&r) && (1..=5).contains(&f);
        both_are_scores.then(|| Self::of(r, f))
    }

    /// As [`Segment::from_scores`], for scores.
    pub(crate) fn of(r: u8, f: u8) -> Self {
        match (r, f) {
            (4.., 4..) => Self::Champions,
            (3.., 3..) => Self::LoyalCustomers,
            (4.., 1) => Self::NewCustomers,
            (3.., 1) => Self::Promising,
            (2, 2..) => Self::NeedAttention,
            (1, 4..) => Self::CantLoseThem,
            (1, ..=2) => Self::Hibernating,
            _ => Self::AtRisk,
        }
    }

    /// The name, as the tables write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Champions => "Champions",
            Self::LoyalCustomers => "Loyal Customers",
            Self::NewCustomers => "New Customers",
            Self::Promising => "Promising",
            Self::NeedAttention => "Need Attention",
            Self::CantLoseThem => "Can't Lose Them",
            Self::Hibernating => "Hibernating",
            Self::AtRisk => "At Risk",
        }
    }

    /// What to do with its customers.
    pub const fn action(self) -> &'static str {
        match self {
            Self::Champions => "Reward them, and let them be the first to try what is new",
            Self::LoyalCustomers => "Offer them what goes with what they buy, and ask for reviews",
            Self::NewCustomers => "Welcome them, and make the second order easy",
            Self::Promising => "Make the shop known to them, and offer a reason for a second order",
            Self::NeedAttention => "Make a limited offer that fits what they bought",
            Self::CantLoseThem => "Call them, and win them back before a competitor does",
            Self::Hibernating => "Send an occasional offer, at low cost",
            Self::AtRisk => "Write personally about what they used to buy, before they are gone",
        }
    }

    /// The position in [`Segment::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_25_pairs_of_scores_written_out() {
        // From r 1 at the top to r 5, from f 1 on the left to f 5.
        let table = [
            ["Hibernating", "Hibernating", "At Risk", "Can't Lose Them", "Can't Lose Them"],
            ["At Risk", "Need Attention", "Need Attention", "Need Attention", "Need Attention"],
            ["Promising", "At Risk", "Loyal Customers", "Loyal Customers", "Loyal Customers"],
            ["New Customers", "At Risk", "Loyal Customers", "Champions", "Champions"],
            ["New Customers", "At Risk", "Loyal Customers", "Champions", "Champions"],
        ];
        for (r, row) in (1..).zip(table) {
            for (f, name) in (1..).zip(row) {
                assert_eq!(Segment::from_scores(r, f).map(Segment::name), Some(name), "r {r}, f {f}");
            }
        }
        for (r, f) in [(0, 3), (3, 0), (6, 3), (3, 6), (255, 255)] {
            assert_eq!(Segment::from_scores(r, f), None);
        }
    }

    #[test]
    fn all_lists_every_segment_at_its_own_place() {
        for (index, segment) in Segment::ALL.into_iter().enumerate() {
            assert_eq!(segment.index(), index);
        }
        let actions: std::collections::BTreeSet<_> = Segment::ALL.map(Segment::action).into();
        assert_eq!(actions.len(), Segment::ALL.len(), "each its own");
        assert_eq!(format!("{:>12}|", Segment::AtRisk), "     At Risk|");
    }
}
