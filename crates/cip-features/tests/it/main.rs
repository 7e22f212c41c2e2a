//! The kernel against a plain oracle, and what it refuses.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod carts;
mod edges;
mod events;
mod laws;
mod oracle;
mod service;
mod service_events;
mod service_laws;
mod service_oracle;
mod spec;
mod spec_laws;
mod spec_oracle;
