//! The kernel against a plain oracle, published numbers, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod edges;
mod events;
mod groceries;
mod laws;
mod oracle;
