//! Which visits did a customer make, how long did each last, and what happened in it?
//!
//! A session is a run of one user's events in which no two neighbours lie further apart than a timeout; a [`SessionRule`]
//! may also end it after a longest length, at midnight of a time zone or where a campaign or another column changes, or take
//! the source's own sessions. This crate cuts sorted events into sessions in one pass and returns `fact_sessions`, one row a
//! session.
//!
//! ```
//! use std::sync::Arc;
//! use arrow_array::types::{Int32Type, Int64Type};
//! use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray, cast::AsArray};
//! use cip_core::EventBatch;
//! use cip_sessionize::{SessionRule, sessionize};
//!
//! let minutes = |minutes: [i64; 4]| TimestampMicrosecondArray::from_iter_values(minutes.map(|m| m * 60_000_000));
//! let types: DictionaryArray<Int32Type> = ["view", "cart", "view", "view"].into_iter().collect();
//! let events = EventBatch::try_new(RecordBatch::try_from_iter([
//!     ("user_id", Arc::new(Int64Array::from(vec![7, 7, 7, 9])) as ArrayRef),
//!     ("event_time", Arc::new(minutes([0, 30, 61, 0]).with_timezone("UTC"))),
//!     ("event_type", Arc::new(types)),
//! ])?)?;
//! let sessions = sessionize(SessionRule::default(), &[events])?;
//! let column = |name| sessions.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec();
//! assert_eq!(column("user_id"), [7, 7, 9]);
//! assert_eq!(column("session_seq"), [1, 2, 1]);
//! assert_eq!(column("events"), [2, 1, 1]); // a gap of exactly 30 minutes does not end a session, 31 do
//! assert_eq!(column("duration_seconds"), [1800, 0, 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`sessionize`] takes all events at once. [`Sessionizer`] takes them batch by batch, as a store streams them,
//! and holds one open session. Users are independent of each other: one `Sessionizer` for each disjoint range
//! of users can run on its own thread, and the results, put together in the order of the ranges, are the same
//! table.
//!
//! # Columns in
//! [`SessionRule::columns`] are read and no others: [`COLUMNS`] where the rule needs no more. Rows are sorted by user_id (nulls last), event_time.
//!
//! | column | type | |
//! |---|---|---|
//! | user_id | Int64 or Utf8 | null: unknown, the event is counted and belongs to no session |
//! | event_time | Timestamp(us, UTC) | not null |
//! | event_type | Dictionary(Int32, Utf8) | not null; types beyond commerce's count as events only |
//! | product_id | Int64 or Utf8 | may be absent or null: not a product |
//! | price | Decimal128(18, s) | may be absent: revenue is unknown; null: nothing is added |
//! | quantity | Int64 | may be absent or null: one piece |
//!
//! # Columns out
//! [`cip_core::table::fact_sessions`], sorted by user_id, session_start.
//!
//! | column | type | |
//! |---|---|---|
//! | session_key | UInt64 | [`session_key`] of user and start: the same in every run; of sessions that start together [`twin_session_key`] |
//! | user_id | as it came | |
//! | session_seq | Int64 | 1 for the user's first session, 2 for the second, … |
//! | session_start, session_end | Timestamp(us, UTC) | of the first and the last event |
//! | duration_seconds | Int64 | whole seconds between the two |
//! | events, views, carts, removes, purchases | Int64 | events of all types and of each |
//! | products | Int64 | distinct product ids |
//! | revenue | Decimal128(38, s) | sum of price x quantity over purchases; null where there is no price column |
//!
//! # Sessions of a stream
//! [`session_batches`] is an iterator over an iterator of batches, which holds one open session; [`Sessionizer`] is the same by
//! pushes.
//!
//! # Live sessions
//! [`LiveSessions`] takes the events of a service one by one, of many users at a time, and gives sessions as they end.
//!
//! # Sessions of events in any order
//! [`IncrementalSessions`] takes batches of events in any order, late ones within a limit, and gives what each changes in the table;
//! its state is saved and resumed. [`diff_sessions`] tells two tables apart and [`apply_changes`] makes the one of the other.
//!
//! # Sessions of the source
//! Where the source has sessions of its own, [`compare_sessions`] tells how they lie in those of a rule: which are the same, which
//! are split, and which are merged ([`SourceComparison`]).
//!
//! # Funnels
//! A [`Funnel`] follows users through steps, such as view, cart, purchase, within a window of time. It gives
//! [`cip_core::table::funnel`], one row a user who reached the first step, and [`FunnelTotals`]: users, conversion and
//! times by step, and how many sessions with a cart end without a purchase ([`Abandonment`]).
//!
//! ```
//! use std::time::Duration;
//! # use std::sync::Arc;
//! # use arrow_array::types::Int32Type;
//! # use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
//! # use cip_core::EventBatch;
//! use cip_sessionize::Funnel;
//! # let minutes = TimestampMicrosecondArray::from_iter_values([0, 5, 9, 0, 1].map(|m: i64| m * 60_000_000));
//! # let types: DictionaryArray<Int32Type> = ["view", "cart", "purchase", "view", "cart"].into_iter().collect();
//! # let events = EventBatch::try_new(RecordBatch::try_from_iter([
//! #     ("user_id", Arc::new(Int64Array::from(vec![7, 7, 7, 9, 9])) as ArrayRef),
//! #     ("event_time", Arc::new(minutes.with_timezone("UTC"))),
//! #     ("event_type", Arc::new(types)),
//! # ])?)?;
//! let funnel = Funnel::new(["view", "cart", "purchase"], Duration::from_secs(86_400))?;
//! let (table, totals) = funnel.follow(&[events])?;
//! assert_eq!(table.num_rows(), 2);
//! assert_eq!(totals.steps().map(|step| step.users).collect::<Vec<_>>(), [2, 2, 1]);
//! assert_eq!(totals.abandonment().total().rate(), Some(0.5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`window_funnel`], [`retention`], [`sequence_match`] and [`sequence_count`] answer the same kind of question for the events
//! of one user in memory.
//!
//! # Paths
//! [`Paths`] are the sequences of event types that sessions or users start with, or that lead them to a purchase;
//! [`PathCounts`] says how many take each and how many of them buy, as [`cip_core::table::paths`].
//!
//! # What it refuses
//! Rows that go back in user or time, batches without a column that the first schema had or with another type
//! for it, a timeout or window that is not a positive number of whole microseconds, time zones that there are not, funnels of
//! fewer than 2 or more than [`MAX_STEPS`] steps, patterns that cannot be read, more different paths than may be kept, and sums
//! of money beyond 38 digits: see [`SessionizeError`].

mod attribute;
mod boundaries;
mod change;
mod comparison;
mod cuts;
mod error;
mod facts;
mod funnel;
mod incremental;
mod input;
mod kept_user;
mod key;
mod live;
mod midnight;
mod open_users;
mod paths;
mod rule;
mod session;
mod session_batches;
mod sessionizer;
mod source_sessions;
mod state;
mod table;

pub use change::{AbsentUsers, SessionChange, SessionChanges, apply_changes, diff_sessions};
pub use comparison::{SourceComparer, SourceComparison, compare_sessions};
pub use error::SessionizeError;
pub use funnel::{
    Abandonment, AbandonmentCount, DurationCounts, FUNNEL_COLUMNS, Funnel, FunnelBuilder, FunnelMode,
    FunnelScope, FunnelStep, FunnelTotals, MAX_STEPS, SequencePattern, StepOrder, retention, sequence_count,
    sequence_match, window_funnel,
};
pub use incremental::{IncrementalSessions, Lateness, RejectedEvent, SessionUpdate};
pub use input::COLUMNS;
pub use key::{session_key, twin_session_key};
pub use live::{FinishedSession, LiveEvent, LiveSessions};
pub use midnight::Midnight;
pub use paths::{
    MAX_PATH_STEPS, PATH_COLUMNS, PathBuilder, PathCounts, PathScope, Paths, RepeatedTypes, TopPath,
};
pub use rule::{SessionBasis, SessionRule};
pub use session_batches::{SessionBatches, session_batches};
pub use sessionizer::{Sessionizer, sessionize};
