//! What was known of every user before a date, and what did they do behind it?
//!
//! A model that is to foresee purchases learns from the past: from what was known of the users at a cutoff, and from what
//! they bought in the weeks that followed. This crate makes that table: one row a user, one column a [`Feature`], computed
//! from the events of a window `[start, cutoff)`, and a `label` from those of `[cutoff, label_until)`. A [`FeatureSet`] is
//! what to ask of a kind of source: of a shop who will buy, of a subscription video service who will cancel.
//!
//! ```
//! use std::sync::Arc;
//! use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt8Type};
//! use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray, cast::AsArray};
//! use cip_core::{EventBatch, MICROS_PER_DAY, TimeRange};
//! use cip_features::{Feature, Features};
//!
//! let times = TimestampMicrosecondArray::from_iter_values([0, 3, 9, 5].map(|day| day * MICROS_PER_DAY));
//! let types: DictionaryArray<Int32Type> = ["view", "cart", "purchase", "view"].into_iter().collect();
//! let events = EventBatch::try_new(RecordBatch::try_from_iter([
//!     ("user_id", Arc::new(Int64Array::from(vec![7, 7, 7, 9])) as ArrayRef),
//!     ("event_time", Arc::new(times.with_timezone("UTC"))),
//!     ("event_type", Arc::new(types)),
//! ])?)?;
//! let window = TimeRange::new("1970-01-01".parse()?, "1970-01-08".parse()?)?;
//! let features = Features::new(window, events.schema())?
//!     .with_columns(&[Feature::Purchases, Feature::RecencyDays, Feature::ViewToCartRate])?
//!     .with_label_until("1970-01-15".parse()?)?
//!     .matrix(&[events])?;
//! assert_eq!(features["user_id"].as_primitive::<Int64Type>().values(), &[7, 9]);
//! assert_eq!(features["purchases"].as_primitive::<Int64Type>().values(), &[0, 0]); // that of the 10th is not known yet
//! assert_eq!(features["recency_days"].as_primitive::<Int64Type>().values(), &[4, 2]);
//! assert_eq!(features["view_to_cart_rate"].as_primitive::<Float64Type>().values(), &[1.0, 0.0]);
//! assert_eq!(features["label"].as_primitive::<UInt8Type>().values(), &[1, 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Point in time.** A feature never depends on an event at or after the cutoff: the rows of a user are cut there before
//! any is looked at. Events before the window do not count either, and users without an event in the window have no row.
//!
//! [`Features::matrix`] takes all events at once. [`FeatureBuilder`] takes them batch by batch, as a store streams them, and
//! holds what is known of one user. Users are independent of each other: one builder for each disjoint range of users can run
//! on its own thread, and the results, put together in the order of the ranges, are the same table.
//!
//! The sets are ready made. Features of one's own are written down as a specification, in Rust or TOML: see [`spec`].
//!
//! [`CartSessions`] asks of sessions, not of users: which of those with a cart will be abandoned?
//!
//! # Columns in
//! [`Features::columns`] are read and no others: those that the selected features are made from. Rows are sorted by user_id
//! (nulls last), event_time.
//!
//! | column | type | |
//! |---|---|---|
//! | user_id | Int64 or Utf8 | null: unknown, the event is counted and is nobody's |
//! | event_time | Timestamp(us, UTC) | not null |
//! | event_type | Dictionary(Int32, Utf8) | not null; types beyond those of the features count as events only |
//! | product_id, category_id | Int64 or Utf8 | null: not one |
//! | category_code, brand | Dictionary(Int32, Utf8) | null: not one; every batch may have its own dictionary |
//! | price | Decimal128(18, s) | null: unknown |
//! | quantity | Int64 | may be absent or null: one piece |
//! | source_session | UInt32 | may be absent: 30-minute sessions; null: no session |
//! | device_type | Dictionary(Int32, Utf8) | null: not one |
//! | duration_seconds | Int64 | null: adds nothing |
//! | revenue | Decimal128(18, s) | null: adds nothing |
//!
//! The last three belong to a service, whose features are made from them where they have these types.
//!
//! # Columns out
//! [`Features::schema`], sorted by user_id: user_id, the selected features (see [`Feature`] for their formulas), and `label`
//! UInt8 where there is a label window. A null is what is not known of a user, such as the rate of carts of a user without
//! views; no value is ever NaN or infinite. [`MatrixReport`] tells of the nulls and of what lies outside their ranges.
//!
//! # What it refuses
//! Windows without two halves, labels before the cutoff, features that the source cannot give, rows that go back in user or
//! time, batches without a column that the first schema had or with another type for it, and sums of money beyond 38 digits:
//! see [`FeaturesError`].

mod builder;
mod cart;
mod correlation;
mod error;
mod feature;
mod features;
mod finished_users;
mod history;
mod input;
mod pass;
mod report;
mod service;
mod set;
pub mod spec;
mod table;
mod texts;
mod window;

pub use builder::FeatureBuilder;
pub use cart::{CartBuilder, CartSessions, Moment};
pub use correlation::{Correlation, Correlations};
pub use error::FeaturesError;
pub use feature::Feature;
pub use features::Features;
pub use report::{ColumnReport, MatrixReport};
pub use set::FeatureSet;
