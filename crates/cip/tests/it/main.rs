//! The stages in line: from CSV through the store to the tables, against the plainest reading of the same rows.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod commits;
mod currencies;
mod funnel;
mod laws;
mod oracle;
mod pairs;
mod paths;
mod scoring;
mod sessions;
mod source;

use std::num::NonZeroUsize;
use std::path::Path;

use cip::arrow_array::RecordBatch;
use cip::store::read_table;

pub(crate) fn threads(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

pub(crate) fn batches(path: &Path) -> Vec<RecordBatch> {
    read_table(path).unwrap().map(|batch| batch.unwrap()).collect()
}
