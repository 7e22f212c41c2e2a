//! The errors of sessions and funnels.

use std::time::Duration;

use cip_core::CoreError;

/// Why events were not cut into sessions, or not followed through a funnel.
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
        "the user ids of one table have more than {limit} bytes: push batches one by one, and write each result before \
         the next"
    )]
    TooMuchText {
        /// Bytes that one table may hold.
        limit: usize,
    },
    /// A funnel with too few or too many steps.
    #[error(
        "the funnel has {found} steps, expected {min} to {max}: the first is where users come in, the others follow"
    )]
    StepCount {
        /// How many were given.
        found: usize,
        /// The fewest.
        min: usize,
        /// The most.
        max: usize,
    },
    /// A step without a name.
    #[error("step {step} of the funnel is blank, expected an event type such as `cart`")]
    BlankStep {
        /// Which one, from 1.
        step: usize,
    },
    /// A step that comes twice where order does not matter.
    #[error(
        "`{event_type}` is step {first} and step {second} of a funnel in any order, expected different event types: leave \
         one out, or follow the steps in their order"
    )]
    RepeatedStep {
        /// The event type.
        event_type: Box<str>,
        /// Its first step, from 1.
        first: usize,
        /// Its second step.
        second: usize,
    },
    /// A window that is zero, too long, or finer than event times are.
    #[error(
        "the window of the funnel is {within:?}, expected whole microseconds, at least 1 and at most {max:?}: one day is \
         usual"
    )]
    Window {
        /// What was given.
        within: Duration,
        /// The longest window there is.
        max: Duration,
    },
    /// A pattern of events that cannot be read.
    #[error("the pattern `{pattern}` goes wrong at byte {at}: expected {expected}")]
    Pattern {
        /// What was given.
        pattern: Box<str>,
        /// Where, in bytes from 0.
        at: usize,
        /// What would do there.
        expected: &'static str,
    },
    /// A pattern that names a condition that there is not.
    #[error(
        "the pattern has condition {number}, expected no more than the {conditions} that are given: add the condition"
    )]
    Condition {
        /// The highest number in the pattern.
        number: usize,
        /// How many conditions there are.
        conditions: usize,
    },
    /// Totals of two funnels that cannot be added.
    #[error("the totals are of two different funnels: add up parts of one")]
    OtherFunnel,
    /// A column is missing or of another type, rows are not sorted, or a sum of money is too large.
    #[error(transparent)]
    Core(#[from] CoreError),
}
