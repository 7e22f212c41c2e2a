//! The errors of RFM.

use cip_core::{CoreError, Id};

/// Why customers were not scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RfmError {
    /// The events have no price.
    #[error(
        "column `price` is missing, and the monetary value of a customer needs money: map it in the source mapping, or \
         read it from the store with this stage's columns"
    )]
    NoMoney,
    /// The bounds between scores do not ascend.
    #[error("the {measure} cuts are {cuts:?}, expected four values, each greater than the one before")]
    Cuts {
        /// `recency`, `frequency` or `monetary`.
        measure: &'static str,
        /// What was given.
        cuts: [i128; 4],
    },
    /// A part of the customers does not come behind the other part.
    #[error(
        "customer {first} was appended behind customer {last}, expected ranges of users that ascend and do not \
         overlap: append the parts in the order of their users"
    )]
    PartsOverlap {
        /// The last customer of the table.
        last: Id,
        /// The first customer of the part.
        first: Id,
    },
    /// Two tables of customers that mean different things.
    #[error(
        "customers counted with another date, treatment of returns, type of user_id or money scale cannot be combined: \
         count all parts, and score them, with one `Rfm`"
    )]
    PartsDiffer,
    /// More customers than one table can rank.
    #[error("more than {limit} customers: score parts of them")]
    TooManyCustomers {
        /// Customers that one table can have.
        limit: u64,
    },
    /// One table cannot hold that much text in its user ids.
    #[error("the user ids of one table of customers have more than {limit} bytes: score parts of them")]
    TooMuchText {
        /// Bytes that one table may hold.
        limit: usize,
    },
    /// A column is missing or of another type, users are not sorted, or a sum of money is too large.
    #[error(transparent)]
    Core(#[from] CoreError),
}
