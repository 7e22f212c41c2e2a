//! Who are the best customers, who is new, and who is slipping away?
//!
//! RFM answers from purchases alone: how long ago the last one was (**r**ecency), how many there were
//! (**f**requency), and what they were worth (**m**onetary). Each becomes a score from 1 to 5, 5 the best, and
//! a [`SegmentMap`] names the segment of the scores.
//!
//! What they will be worth is asked of [`lifetime`] models, who was acquired when and came back of [`Cohorts`], and who moved from
//! which segment to which of a [`Migration`]. Who is alike, whatever scores say, is asked of [`clusters`].
//!
//! ```
//! use std::sync::Arc;
//! use arrow_array::types::Int32Type;
//! use arrow_array::{
//!     ArrayRef, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray,
//! };
//! use cip_core::{EventBatch, MICROS_PER_DAY};
//! use cip_rfm::Rfm;
//!
//! let times = [0, 28, 30, 30].map(|day| day * MICROS_PER_DAY); // in January 1970
//! let types: DictionaryArray<Int32Type> = ["purchase"; 4].into_iter().collect();
//! let events = EventBatch::try_new(RecordBatch::try_from_iter([
//!     ("user_id", Arc::new(Int64Array::from(vec![7, 8, 8, 9])) as ArrayRef),
//!     ("event_time", Arc::new(TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC"))),
//!     ("event_type", Arc::new(types)),
//!     ("price", Arc::new(Decimal128Array::from(vec![3579, 100, 250, 999]).with_precision_and_scale(18, 2)?)),
//! ])?)?;
//! let customers = Rfm::new("1970-02-01".parse()?, events.schema())?.segment(&[events])?;
//! assert_eq!(customers.recency_days(), [31, 1, 1]);
//! assert_eq!(customers.frequency(), [1, 2, 1]);
//! assert_eq!(customers.monetary(), [3579, 350, 999]); // cents
//! assert_eq!(customers.r(), [1, 2, 3]); // three customers fill tiles 1 to 3
//! let segments: Vec<&str> = customers.segments().collect();
//! assert_eq!(segments, ["Hibernating", "Need Attention", "Promising"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Rfm::segment`] takes all events at once. To stream them, or to use several threads, fill one
//! [`CustomerBuilder`] for each ascending range of users, [`append`](CustomerTable::append) their tables in
//! order, and [`Rfm::score`] the whole: scores compare every customer with every other. [`IncrementalRfm`] keeps what customers
//! bought from one day to the next, and takes new events alone.
//!
//! # Columns in
//! [`COLUMNS`] are read and no others. Rows are sorted by user_id, nulls last; a user's events may come in any
//! order.
//!
//! | column | type | |
//! |---|---|---|
//! | user_id | Int64 or Utf8 | null: unknown, the event is counted and is nobody's |
//! | event_time | Timestamp(us, UTC) | not null; events at or after `as_of` do not exist yet |
//! | event_type | Dictionary(Int32, Utf8) | not null; `purchase`, and with [`Returns::Net`] `cancellation`, are used |
//! | price | Decimal128(18, s) | required; null: nothing is added |
//! | quantity | Int64 | may be absent or null: one piece |
//! | order_id | Int64 or Utf8 | may be absent: every purchase event is an order; null: this one is |
//!
//! # Columns out
//! [`cip_core::table::rfm_segments`], sorted by user_id. A user without a purchase before `as_of`, or in the window where
//! there is one, is not a customer and has no row.
//!
//! | column | type | |
//! |---|---|---|
//! | user_id | as it came | |
//! | recency_days | Int32 | UTC date of `as_of` minus that of the last purchase |
//! | frequency | Int64 | distinct order_id of purchases, and one for each purchase without |
//! | monetary | Decimal128(38, s) | sum of price x quantity over purchases, less cancellations with [`Returns::Net`] |
//! | r, f, m | UInt8 | 1 to 5, 5 is best, or to another number of bins; see [`Scoring`] |
//! | segment | Dictionary(Int32, Utf8) | of r, f and m; see [`SegmentMap`] |
//! | score | Float64 | with [`Weights`]: their weighted mean |
//!
//! # What it refuses
//! Events without prices, users that go back, batches without a column that the first schema had or with
//! another type for it, cuts that do not ascend, maps of segments that do not give every code one, histories that cannot be, models without a maximum, models of clusters that are
//! damaged or of other money, states that are not as they were saved, and sums of money beyond 38 digits: see [`RfmError`].

mod activity;
pub mod clusters;
mod cohorts;
mod customers;
mod error;
mod incremental;
mod input;
pub mod lifetime;
mod migration;
mod ntile;
mod period;
mod rfm;
mod score_bins;
mod scored;
mod scoring;
mod segment;
mod segment_map;
mod state;
mod summary;
mod users;
mod weights;

pub use activity::CustomerBuilder;
pub use cohorts::{Cohort, CohortBuilder, CohortCell, CohortMean, CohortTable, Cohorts};
pub use customers::CustomerTable;
pub use error::RfmError;
pub use incremental::{IncrementalRfm, Keeping};
pub use input::COLUMNS;
pub use migration::{Fallen, Migration, Move, SegmentedCustomers};
pub use ntile::Ties;
pub use period::CohortPeriod;
pub use rfm::{Returns, Rfm};
pub use score_bins::ScoreBin;
pub use scored::RfmTable;
pub use scoring::{Cuts, Quantiles, Scoring};
pub use segment::Segment;
pub use segment_map::{MappedSegment, SegmentMap};
pub use summary::SegmentSummary;
pub use weights::Weights;
