//! What do sessions start with, and what leads to a purchase? The most frequent sequences of event types.

mod builder;
mod counts;
mod definition;
mod ranking;

pub use builder::{PATH_COLUMNS, PathBuilder};
pub use counts::PathCounts;
pub use definition::{MAX_PATH_STEPS, PathScope, Paths, RepeatedTypes};
pub use ranking::TopPath;
