//! The kernel against a plain oracle, published numbers, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

mod edges;
mod events;
mod forms;
mod groceries;
mod hierarchy;
mod itemsets;
mod laws;
mod oracle;
mod pattern_growth;
mod recommend;
mod rules;
mod sequences;
