//! Frequent itemsets: which items come together, in any number.

mod database;
mod found;
mod guard;
pub(crate) mod lists;
mod params;
mod projection;
mod search;
mod support;
mod walk;

pub use found::{Itemset, ItemsetBatches, Itemsets};
pub use guard::{Estimate, LongBasket};
pub use params::{FrequentItemsets, ItemsetKind};
pub use support::MinSupport;
