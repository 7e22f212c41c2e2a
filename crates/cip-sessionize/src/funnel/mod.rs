//! How far do users come on a way of several steps, and where do they leave it?

mod abandonment;
mod attempt;
mod builder;
mod definition;
mod durations;
mod event_types;
mod pattern;
mod retention;
mod sequence;
mod table;
mod totals;
mod window_funnel;

pub use abandonment::{Abandonment, AbandonmentCount};
pub use builder::{FUNNEL_COLUMNS, FunnelBuilder};
pub use definition::{Funnel, FunnelScope, MAX_STEPS, StepOrder};
pub use durations::DurationCounts;
pub use pattern::SequencePattern;
pub use retention::retention;
pub use sequence::{sequence_count, sequence_match};
pub use totals::{FunnelStep, FunnelTotals};
pub use window_funnel::{FunnelMode, window_funnel};
