//! Sources in object stores.

mod bucket;
mod failure;
mod fetch;
mod listing;
mod provider;
mod reader;

pub(crate) use bucket::Buckets;
pub(crate) use failure::Failure;
pub(crate) use fetch::Object;
pub(crate) use reader::{ObjectRanges, ObjectReader, READ_AHEAD_BYTES};
