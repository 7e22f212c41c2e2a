//! Customers and scores against a plain oracle, and what is refused.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cdnow;
mod clusters;
mod cohorts;
mod edges;
mod events;
mod incremental;
mod laws;
mod lifetime;
mod migration;
mod oracle;
mod purchase_days;
mod r_values;
