//! Which products are looked at or bought together, and how much more often than by chance?
//!
//! Events become baskets: the distinct products (or categories, or brands: [`ItemLevel`]) of one session, of one order, or of one user. Every two
//! products that share enough baskets become a row of `product_pairs`, with the confidence that one comes with the other.
//!
//! - [`Baskets`], [`Pairs`]: pairs of products of any number of baskets, as here. [`PairCounts`]: counts that more baskets can be added to.
//! - [`Transactions`], [`FrequentItemsets`]: any number of items that come together, of events or of baskets from elsewhere.
//! - [`Hierarchy`]: products with the categories and brands that they are under, in one search.
//! - [`AssociationRules`]: who has these has those, with eighteen measures, q-values and redundancy.
//! - [`Visits`], [`RecommenderParams`], [`Recommender`]: what to recommend behind a product or a session, from an index file.
//! - [`Histories`], [`SequencePatterns`]: who does this, then does that, within some time.
//!
//! ```
//! use std::sync::Arc;
//! use arrow_array::cast::AsArray;
//! use arrow_array::types::{Float64Type, Int64Type};
//! use arrow_array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
//! use cip_basket::{Baskets, Pairs};
//! use cip_core::{EventBatch, MemoryBudget};
//!
//! let events = EventBatch::try_new(RecordBatch::try_from_iter([
//!     ("user_id", Arc::new(Int64Array::from(vec![7, 7, 7, 8, 8, 9, 9])) as ArrayRef),
//!     ("source_session", Arc::new(UInt32Array::from(vec![0, 0, 0, 1, 1, 2, 2]))),
//!     ("product_id", Arc::new(Int64Array::from(vec![30, 10, 30, 10, 30, 20, 10]))),
//! ])?)?;
//! let baskets = Baskets::new(events.schema(), MemoryBudget::from_mib(64))?.collect(&[events])?;
//! let pairs = Pairs::new(2)?.count(baskets)?.next().ok_or("no pairs")??;
//! let count = |name| pairs.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec();
//! assert_eq!((count("product_a"), count("product_b")), (vec![10], vec![30]));
//! assert_eq!((count("together"), count("count_a"), count("count_b")), (vec![2], vec![3], vec![2]));
//! let confidence = pairs["confidence_ba"].as_primitive::<Float64Type>();
//! assert_eq!(confidence.value(0), 1.0); // who looked at 30 also looked at 10
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Baskets::collect`] takes all events at once. To stream them, or to use several threads, fill one
//! [`BasketBuilder`] for each ascending range of users and [`append`](BasketTable::append) their tables in order;
//! [`Pairs::count`] then returns batches one by one. Where the baskets do not fit the memory, [`BasketTable::write_run`] makes room, and
//! [`Pairs::merge`] puts the runs together. What is counted and mined in parallel runs on Rayon's threads: install a pool to bound them.
//!
//! # Columns in
//! [`Baskets::columns`] are read and no others. Rows are sorted by user_id, nulls last; a user's events may come in
//! any order, and are of any type.
//!
//! | column | type | |
//! |---|---|---|
//! | user_id | Int64 or Utf8 | may be absent; null: unknown, which is one user with baskets of its own |
//! | product_id | Int64 or Utf8 | required; null: the event adds nothing to its basket, and is counted |
//! | category_code, brand | Dictionary(Utf8) | in the place of product_id, by [`ItemLevel`]; category_id (Int64 or Utf8) where there are no codes |
//! | source_session | UInt32 | one of these two is required, but for baskets by user; the session where there are both and |
//! | order_id | Int64 or Utf8 | nothing else is asked for; null: the event is in no basket, and is counted |
//! | event_time | Timestamp(us, UTC) | of [`Visits`] and [`Histories`], whose rows are sorted by user_id, then event_time, and of pairs inside a time |
//! | event_type | Dictionary(Utf8) | of [`Histories`], of baskets of some event types, and of pairs with their revenue |
//! | price, quantity | money, Int64 | of pairs with their revenue; quantity may be absent |
//!
//! # Columns out
//! [`cip_core::table::product_pairs`], sorted by product_a, product_b. The baskets that count are those of 2 to
//! [`max_products`](Baskets::max_products) distinct products, and of one with [`SingleBaskets::Count`];
//! [`BasketTotals`] says how many there were of each kind.
//!
//! | column | type | |
//! |---|---|---|
//! | product_a, product_b | as they came | product_a comes before product_b, as numbers or as UTF-8 bytes |
//! | together | Int64 | baskets that hold both |
//! | count_a, count_b | Int64 | baskets that hold the one, and the other, of those that count |
//! | support | Float64 | together / baskets that count |
//! | confidence_ab, confidence_ba | Float64 | together / count_a, together / count_b |
//! | lift | Float64 | together x baskets that count / (count_a x count_b); 1: independent |
//! | revenue | Decimal128(38, s) | by [`Baskets::with_revenue`] alone: what the purchases of the two in these baskets come to |
//!
//! [`Itemsets::batches`] gives [`cip_core::table::itemsets`], [`Rules::batches`] gives [`cip_core::table::rules`],
//! [`Sequences::batches`] gives [`cip_core::table::sequences`].
//!
//! # What it refuses
//! Events without products or without anything that makes baskets, users that go back, batches without a column that
//! the first schema had or with another type for it, limits that leave no pairs, baskets that exceed the memory
//! budget, naming one that would do, and searches with more itemsets than it holds, naming the baskets and items that make them so many:
//! see [`BasketError`].

mod basket_rows;
mod builder;
mod bytes;
mod chunk;
mod error;
mod hierarchy;
mod input;
mod itemsets;
mod level;
mod open_user;
mod pairs;
mod recommend;
mod rule;
mod rules;
mod sequences;
mod table;
mod transactions;

pub use basket_rows::BasketRows;
pub use builder::BasketBuilder;
pub use error::BasketError;
pub use hierarchy::{Hierarchy, HierarchyBuilder};
pub use input::BasketKey;
pub use itemsets::{
    Estimate, FrequentItemsets, Itemset, ItemsetBatches, ItemsetKind, Itemsets, LongBasket, MinSupport,
};
pub use level::ItemLevel;
pub use pairs::{PairBatches, PairCounts, Pairs, SingleBaskets};
pub use recommend::{
    NextProductQuality, Recommended, Recommender, RecommenderParams, Similarity, VisitBuilder, Visits,
};
pub use rule::{Baskets, MOST_PRODUCTS};
pub use rules::{AssociationRules, Measures, RedundantRules, Rule, RuleBatches, RuleCounts, Rules};
pub use sequences::{
    Histories, HistoryBuilder, HistoryScope, Sequence, SequenceBatches, SequencePatterns, Sequences,
};
pub use table::{BasketTable, BasketTotals};
pub use transactions::{LongBaskets, TransactionTotals, Transactions, TransactionsBuilder, sampling_error};
