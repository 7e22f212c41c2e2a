//! Integration tests: every world through its public door.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod csv;
mod experiment;
mod generator;
mod retail;
mod shop;
mod streamflow;
