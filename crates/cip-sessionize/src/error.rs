//! The errors of sessionizing.

use std::time::Duration;

use cip_core::CoreError;

/// Why events were not cut into sessions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionizeError {
    /// A timeout that is zero, too long, or finer than event times are.
    #[error(
        "the session timeout is {timeout:?}, expected whole microseconds, at least 1 and at most {max:?}: \
         30 minutes is usual"
    )]
    Timeout {
        /// What was given.
        timeout: Duration,
        /// The longest timeout there is.
        max: Duration,
    },
    /// One table cannot hold that much text in its user ids.
    #[error(
        "the user ids of one table of sessions have more than {limit} bytes: push batches one by one, and write each \
         result before the next"
    )]
    TooMuchText {
        /// Bytes that one table may hold.
        limit: usize,
    },
    /// A column is missing or of another type, rows are not sorted, or a sum of money is too large.
    #[error(transparent)]
    Core(#[from] CoreError),
}
