//! What the CIP crates share: the names and types of tables, typed batches of events, ids and their dense codes,
//! exact money, half-open time ranges, the memory budget, and the one way to use several threads.
//!
//! This crate alone knows column names and types. A [`RecordBatch`](arrow_array::RecordBatch) becomes an
//! [`EventBatch`] once, at the door; the methods behind it take typed columns and need not look again.
//!
//! ```
//! use std::sync::Arc;
//! use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
//! use cip_core::{EventBatch, IdRef};
//!
//! let batch = RecordBatch::try_from_iter([
//!     ("user_id", Arc::new(Int64Array::from(vec![7, 7, 9])) as ArrayRef),
//!     ("event_time", Arc::new(TimestampMicrosecondArray::from(vec![0, 5, 1]).with_timezone("UTC"))),
//! ])?;
//! let events = EventBatch::try_new(batch)?;
//! let users: Vec<_> = events.users()?.runs().collect();
//! assert_eq!(users, [(Some(IdRef::Int64(7)), 0..2), (Some(IdRef::Int64(9)), 2..3)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Tour
//! - [`EventSchema`], [`EventBatch`], [`EventKind`]: events, validated once.
//! - [`mod@column`], [`table`]: every column name, and the schemas of the tables that stages write.
//! - [`IdColumn`], [`IdDictionary`], [`Uuid`]: ids as the source has them, and dense codes for kernels.
//! - [`DistinctIds`], [`DistinctCodes`]: how many different ones there are.
//! - [`MoneyScale`]: decimals as scaled integers. [`Timestamp`], [`TimeRange`]: UTC microseconds, half-open. [`TimeZone`]: what clocks show then.
//! - [`benjamini_hochberg`]: p-values of many tests, made comparable.
//! - [`Draws`]: numbers that are drawn by lot, by a seed.
//! - [`StateWriter`], [`StateReader`]: what is kept from one run to the next, as bytes.
//! - [`MemoryBudget`], [`pipeline::ordered_map`]: how much at once, and on how many threads. [`first_where`]: a search by halves.

pub mod column;
mod dictionary;
mod distinct;
mod draws;
mod error;
mod event_batch;
mod event_schema;
mod fetch;
mod id;
mod integer_set;
mod memory;
mod money;
pub mod pipeline;
mod q_value;
mod search;
mod state;
pub mod table;
mod time;
mod time_zone;
mod uuid;

pub use dictionary::IdDictionary;
pub use distinct::{DistinctCodes, DistinctIds};
pub use draws::{Draws, split_mix};
pub use error::{CoreError, MoneyFault};
pub use event_batch::{Amounts, EventBatch, EventKind};
pub use event_schema::EventSchema;
pub use fetch::fetch;
pub use id::{Id, IdBuilder, IdColumn, IdRef, IdType};
pub use memory::MemoryBudget;
pub use money::{AMOUNT_PRECISION, MoneyScale, SUM_PRECISION, check_sum};
pub use q_value::benjamini_hochberg;
pub use search::first_where;
pub use state::{StateFault, StateFormat, StateReader, StateWriter};
pub use time::{MICROS_PER_DAY, TimeRange, Timestamp, parse_duration};
pub use time_zone::{TIME_ZONES, TimeZone, ZonePeriod};
pub use uuid::Uuid;
