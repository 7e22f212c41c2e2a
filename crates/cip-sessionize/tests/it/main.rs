//! The kernel against a plain oracle, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod abandonment;
mod change;
mod comparison;
mod edges;
mod events;
mod funnel;
mod funnel_oracle;
mod incremental;
mod laws;
mod live;
mod oracle;
mod paths;
mod rules;
mod sequence;
mod state;
mod zones;
