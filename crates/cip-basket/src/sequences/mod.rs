//! Sequential patterns: who does this, then does that, within some time.

mod found;
mod histories;
mod params;
mod search;

pub use found::{Sequence, SequenceBatches, Sequences};
pub use histories::{Histories, HistoryBuilder, HistoryScope};
pub use params::SequencePatterns;
