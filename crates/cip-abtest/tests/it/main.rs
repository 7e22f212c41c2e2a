//! Reports, laws, and the false positives of simulated experiments.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conversions;
mod laws;
mod reports;
mod simulation;
