//! Reports, laws, and the false positives of simulated experiments.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conversions;
mod golden;
mod laws;
mod peeking;
mod reports;
mod simulation;
