//! The errors of basket analysis.

use std::time::Duration;

use cip_core::{CoreError, Id, MemoryBudget};

use crate::itemsets::{Estimate, MinSupport};
use crate::rule::MOST_PRODUCTS;

/// Why baskets were not built or not counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BasketError {
    /// Nothing in the events says which of them belong together.
    #[error(
        "columns `source_session` and `order_id` are both missing, and baskets are made from one of them: map one in \
         the source mapping, or read it from the store with this stage's columns"
    )]
    NoBasketKey,
    /// A limit of basket size that leaves no pairs, or too many to count.
    #[error("a basket may hold {given} products, expected 2 to {MOST_PRODUCTS}: 50 is usual for sessions")]
    MaxProducts {
        /// What was given.
        given: usize,
    },
    /// A threshold that pairs never seen together would pass.
    #[error(
        "the smallest count of a pair is 0, which every two products reach: ask for 1 or more, 2 drops chance meetings"
    )]
    MinTogether,
    /// The events of one user alone are more than the budget allows.
    #[error(
        "the events of user {} need more than the budget of {budget}, and a user's baskets are built at once: give it \
         more memory, or leave this user out",
        name(user)
    )]
    UserTooLarge {
        /// Whose events they are; none for the unknown user.
        user: Option<Id>,
        /// What the caller allowed.
        budget: MemoryBudget,
    },
    /// A part of the baskets does not come behind the other part.
    #[error(
        "baskets of user {} were appended behind those of user {}, expected ranges of users that ascend and do not \
         overlap: append the parts in the order of their users",
        name(first),
        name(last)
    )]
    PartsOverlap {
        /// The last user of the table; none for the unknown user, who comes last.
        last: Option<Id>,
        /// The first user of the part.
        first: Option<Id>,
    },
    /// Two tables of baskets that mean different things.
    #[error("{ours} and {theirs} cannot be combined: build all parts with one `Baskets`")]
    PartsDiffer {
        /// What the table means.
        ours: String,
        /// What the part means.
        theirs: String,
    },
    /// Baskets of no events.
    #[error(
        "no event types are named, and baskets are made of events of some: name `purchase`, or leave it to all types"
    )]
    NoEventTypes,
    /// A hierarchy of nothing.
    #[error("no levels are named, expected one or more: name products and categories")]
    NoLevels,
    /// A hierarchy that goes round in a circle.
    #[error(
        "`{item}` is under itself, by what it is under: a hierarchy has a top, so leave one of these out"
    )]
    UnderItself {
        /// One of those that are.
        item: String,
    },
    /// A level of interest that is none.
    #[error("the smallest interest is {given}, expected 1 or more, and finite: 1.1 is usual")]
    MinInterest {
        /// What was given.
        given: f64,
    },
    /// A time beyond all times.
    #[error("the window is {given:?}, expected up to 292,000 years: 7d is usual")]
    Window {
        /// What was given.
        given: Duration,
    },
    /// Itemsets are made of whole baskets.
    #[error(
        "the table holds pairs of products and not whole baskets: build it without a window, and before it writes runs"
    )]
    PairsAlone,
    /// More money than an amount has digits.
    #[error(
        "what user {} paid for one product in one basket has more than 18 digits: check prices and quantities, or leave out the revenue",
        name(user)
    )]
    TooMuchMoney {
        /// Whose basket it is; none for the unknown user.
        user: Option<Id>,
    },
    /// Bytes that are no counts of pairs.
    #[error("they are no counts of pairs: {reason}: count the baskets again")]
    NotPairCounts {
        /// What is wrong with them.
        reason: &'static str,
    },
    /// Counts of pairs of another version.
    #[error("the counts of pairs have version {version}, expected {expected}: count the baskets again")]
    CountsVersion {
        /// Their version.
        version: u32,
        /// The version that is read.
        expected: u32,
    },
    /// More baskets than a count has bits for.
    #[error("more than {limit} baskets: count parts of them")]
    TooManyBaskets {
        /// Baskets that can be counted.
        limit: u64,
    },
    /// One batch cannot hold that much text in its product ids.
    #[error("the product ids of one batch of pairs have more than {limit} bytes: shorten the ids")]
    TooMuchText {
        /// Bytes that one batch may hold.
        limit: usize,
    },
    /// A smallest support that is none.
    #[error(
        "the smallest support is {given}, expected a share above 0 and up to 1.0, or a count of 1 or more: 0.01 is a usual start"
    )]
    MinSupport {
        /// What was given.
        given: MinSupport,
    },
    /// Itemsets of no items.
    #[error("an itemset may hold 0 items, expected 1 or more: 5 is more than most people read")]
    MostItems,
    /// Baskets of no items.
    #[error("a basket may hold 0 items, expected 1 or more: 50 is usual for sessions")]
    LongestBasket,
    /// A probability that is none.
    #[error(
        "the probability of a larger error is {given}, expected more than 0 and less than 1: 0.05 is usual"
    )]
    Risk {
        /// What was given.
        given: f64,
    },
    /// More itemsets than the budget holds.
    #[error(
        "about {} itemsets are in {least} baskets or more, and {most} may be found ({estimate}): raise the smallest support, \
         limit the items of an itemset, cap or split long baskets, mine closed or maximal itemsets or a sample, or give it \
         more memory", many(estimate.itemsets())
    )]
    TooManyItemsets {
        /// Itemsets that may be found.
        most: u64,
        /// The smallest count.
        least: u32,
        /// About how many there are, and what makes them so many.
        estimate: Box<Estimate>,
    },
    /// A basket among whose items no closed itemsets are looked for.
    #[error(
        "basket {number} has {items} frequent items, and closed or maximal itemsets are looked for among {most} of one basket: raise the \
         smallest support, or cap or split long baskets"
    )]
    BasketTooLong {
        /// Which one, from 1, in the order in which the baskets came.
        number: u64,
        /// Its frequent items.
        items: usize,
        /// As many as there may be.
        most: usize,
    },
    /// Closed itemsets inside each other, more than can be followed.
    #[error(
        "closed itemsets lie inside each other so deeply that following them needs {needed} bytes, which the budget of \
         {budget} does not have: raise the smallest support, cap long baskets, or give it more memory"
    )]
    SearchTooDeep {
        /// Bytes that a walk needed when it was given up.
        needed: u64,
        /// What the caller allowed.
        budget: MemoryBudget,
    },
    /// A smallest confidence that is none.
    #[error("the smallest confidence is {given}, expected 0 to 1: 0.5 is a usual start")]
    MinConfidence {
        /// What was given.
        given: f64,
    },
    /// Rules without a consequent.
    #[error("a consequent may have 0 items, expected 1 or more: 1 is usual")]
    MostConsequent,
    /// A false discovery rate that is none.
    #[error("the highest q-value is {given}, expected more than 0 and at most 1: 0.05 is usual")]
    MostQ {
        /// What was given.
        given: f64,
    },
    /// Rules need the counts of all itemsets.
    #[error(
        "rules are made from all frequent itemsets, and these are closed or maximal ones: mine all of them"
    )]
    NotAllItemsets,
    /// More rules than the budget holds.
    #[error(
        "{rules} rules of up to {items} items, and the ways to split their itemsets, do not fit the budget of {budget}: raise the smallest \
         support or confidence, limit the items of an itemset or of a consequent, or give it more memory"
    )]
    TooManyRules {
        /// Rules found when it was given up.
        rules: u64,
        /// Items that they have at the most.
        items: usize,
        /// What the caller allowed.
        budget: MemoryBudget,
    },
    /// No time for a sequence.
    #[error("a sequence may take 0 s, expected more: 7d is usual")]
    Within,
    /// Sequences of fewer than two steps.
    #[error("a sequence may have {given} steps, expected 2 or more: 3 is usual")]
    MostSteps {
        /// What was given.
        given: usize,
    },
    /// Histories of users and of sessions.
    #[error(
        "histories of users and histories of sessions cannot be combined: build all parts with one scope"
    )]
    ScopesDiffer,
    /// More sequences than the budget holds.
    #[error(
        "more than {most} sequences are frequent, which the budget of {budget} does not hold: raise the smallest support, limit the \
         steps or the time, or give it more memory"
    )]
    TooManySequences {
        /// Sequences that may be found.
        most: u64,
        /// What the caller allowed.
        budget: MemoryBudget,
    },
    /// Too few or too many similar products to keep.
    #[error("{given} similar products of each are to be kept, expected 1 to 10000: 50 is usual")]
    Neighbours {
        /// What was given.
        given: usize,
    },
    /// A half-life that is none.
    #[error("the half-life is {given} days, expected more than 0: 30 is usual")]
    HalfLife {
        /// What was given.
        given: f64,
    },
    /// Nothing to learn from.
    #[error(
        "no visit has a product, so there is nothing to recommend: map sessions and products, or read other days"
    )]
    NoVisits,
    /// A file that is no index.
    #[error("it is no index of recommendations: {reason}: write it again with this version")]
    NotAnIndex {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An index of another version.
    #[error(
        "the index of recommendations has version {version}, expected {expected}: write it again with this version"
    )]
    IndexVersion {
        /// Its version.
        version: u32,
        /// The version that is read.
        expected: u32,
    },
    /// Reading or writing an index.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A column is missing or of another type, users are not sorted, or the baskets do not fit in memory.
    #[error(transparent)]
    Core(#[from] CoreError),
}

fn name(user: &Option<Id>) -> String {
    user.as_ref().map_or_else(|| "(unknown)".to_owned(), Id::to_string)
}

/// A number of itemsets, which may be beyond all bounds.
fn many(itemsets: f64) -> String {
    if itemsets < 1e6 { format!("{itemsets:.0}") } else { format!("{itemsets:.0e}") }
}
