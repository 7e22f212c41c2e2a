//! Pairs of products: counted in memory, kept as runs where they are too many, and merged.

mod batches;
mod counter;
mod counting;
mod counts;
mod counts_file;
mod merge;
mod params;
mod ranked;
pub(crate) mod run;
mod worker;

pub use batches::PairBatches;
pub use counts::PairCounts;
pub use params::{Pairs, SingleBaskets};

pub(crate) use counting::Counting;
pub(crate) use merge::HasMoney;
pub(crate) use params::Room;
pub(crate) use ranked::Ranked;
