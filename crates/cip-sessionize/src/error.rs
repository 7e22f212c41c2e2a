//! The errors of sessions, funnels and paths.

use std::time::Duration;

use arrow_schema::DataType;
use cip_core::{CoreError, IdType, MoneyScale, StateFault, Timestamp};

use crate::change::SessionChange;

/// Why events were not cut into sessions, not followed through a funnel, or their paths not counted.
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
    /// A length of sessions that is zero, too long, or finer than event times are.
    #[error(
        "the longest session is {length:?}, expected whole microseconds, at least 1 and at most {max:?}: 24 hours is \
         usual"
    )]
    MaxLength {
        /// What was given.
        length: Duration,
        /// The longest there is.
        max: Duration,
    },
    /// Text that is neither an offset from UTC nor the name of a time zone.
    #[error(
        "`{text}` is no midnight: write UTC, an offset up to 18 hours such as +01:00, or a time zone of the IANA database \
         such as Europe/Berlin"
    )]
    Midnight {
        /// What was given.
        text: Box<str>,
    },
    /// Sessions are to end where a column changes, or to be told apart by a column, that there is not.
    #[error("the events have no column `{column}` to tell sessions apart by: name one of {known}")]
    NoAttribute {
        /// What was given.
        column: Box<str>,
        /// The columns that would do.
        known: Box<str>,
    },
    /// Sessions are to end where a column changes, or to be told apart by a column, that has neither texts nor integers.
    #[error(
        "the column `{column}` is {found}, expected Dictionary(Int32, Utf8), Utf8 or Int64 to tell sessions apart by: \
         name one of {known}"
    )]
    AttributeType {
        /// What was given.
        column: Box<str>,
        /// Its type.
        found: DataType,
        /// The columns that would do.
        known: Box<str>,
    },
    /// A rule of sessions that needs a column where only times are known.
    #[error(
        "{what} cut sessions by times alone, but the rule needs the column `{column}`: give a rule without it"
    )]
    ColumnRule {
        /// What was asked.
        what: &'static str,
        /// The column.
        column: Box<str>,
    },
    /// A comparison of the sessions of the source with themselves.
    #[error("the sessions of the source are compared with themselves: give a rule by inactivity")]
    SourceWithSource,
    /// An event that may belong to a session that has ended already.
    #[error(
        "the event of {time} is late, expected {earliest} or later: advance the time less, or sessionize its user again"
    )]
    LateEvent {
        /// When it was.
        time: Timestamp,
        /// The start of the user's open session; where there is none, the instant up to which sessions have ended.
        earliest: Timestamp,
    },
    /// Two tables of sessions that cannot be compared.
    #[error(
        "the sessions have {} and {}, expected {} and {}: compare those of one source",
        users(found.0), prices(found.1), users(expected.0), prices(expected.1)
    )]
    OtherSessions {
        /// The type of user ids, and the decimals of money, of the one.
        found: (IdType, Option<MoneyScale>),
        /// Those of the other.
        expected: (IdType, Option<MoneyScale>),
    },
    /// Text that is no change of a session.
    #[error("`{text}` is no change of a session, expected insert, update or delete")]
    Change {
        /// What was found.
        text: Box<str>,
    },
    /// A change that does not fit the table that it is applied to.
    #[error(
        "the {change} of the session with the key {session_key} does not fit the table, expected one that {}: apply each run of          changes once, in the order in which they came",
        if *change == SessionChange::Insert { "has no such session" } else { "has it" }
    )]
    ChangeMisfit {
        /// What was to become of it.
        change: SessionChange,
        /// The key.
        session_key: u64,
    },
    /// How late events may be is finer than event times are, or too long.
    #[error(
        "events may be {lateness:?} late, expected whole microseconds, at most {max:?}: give a day, or let them be late without          limit"
    )]
    Lateness {
        /// What was given.
        lateness: Duration,
        /// The longest there is.
        max: Duration,
    },
    /// A state of sessions cannot be read or written, or is not the one that was asked for.
    #[error(transparent)]
    State(#[from] StateFault),
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
    /// Paths of no steps, or of too many.
    #[error("the paths have up to {found} steps, expected 1 to {max}: 5 are usual")]
    PathSteps {
        /// What was given.
        found: usize,
        /// The most.
        max: usize,
    },
    /// Paths to an event type without a name.
    #[error("the event type that paths end with is blank, expected one such as `purchase`")]
    BlankTarget,
    /// More different paths than may be kept.
    #[error(
        "there are more than {limit} different paths of up to {steps} steps, which is as many as may be kept: follow fewer \
         steps, take repeated event types as one step, or allow more memory"
    )]
    TooManyPaths {
        /// How many may be kept.
        limit: usize,
        /// The most steps of a path.
        steps: usize,
    },
    /// Abandoned carts are to be counted by a column with too many values.
    #[error("`{column}` has more than {limit} values, too many to count carts by: name a column with fewer")]
    TooManySegments {
        /// The column.
        column: Box<str>,
        /// How many may be counted by.
        limit: usize,
    },
    /// Counts of different paths that cannot be added.
    #[error("the counts are of two different definitions of paths: add up parts of one")]
    OtherPaths,
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

fn users(ids: IdType) -> &'static str {
    match ids {
        IdType::Int64 => "integers as users",
        IdType::Utf8 => "texts as users",
    }
}

fn prices(money: Option<MoneyScale>) -> String {
    money.map_or_else(|| "no prices".to_owned(), |money| format!("prices of {} decimals", money.decimals()))
}
