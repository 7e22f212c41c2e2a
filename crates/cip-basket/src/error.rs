//! The errors of basket analysis.

use cip_core::{CoreError, Id, MemoryBudget};

use crate::input::BasketKey;
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
    #[error(
        "baskets by {} of at most {} products and baskets by {} of at most {} products, or of other types of ids, \
         cannot be combined: build all parts with one `Baskets`", keys.0, max_products.0, keys.1, max_products.1
    )]
    PartsDiffer {
        /// What makes a basket, in the table and in the part.
        keys: (BasketKey, BasketKey),
        /// The largest basket, in the table and in the part.
        max_products: (usize, usize),
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
    /// A column is missing or of another type, users are not sorted, or the baskets do not fit in memory.
    #[error(transparent)]
    Core(#[from] CoreError),
}

fn name(user: &Option<Id>) -> String {
    user.as_ref().map_or_else(|| "(unknown)".to_owned(), Id::to_string)
}
