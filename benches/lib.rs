//! What the benchmarks share: a shop on disk and in memory, the same at every run.
//!
//! - `cargo bench -p cip-benches`: each stage by itself, and the session kernel by the shape of its events, with criterion.
//! - `cargo run --release -p cip-benches --bin encodings`: bytes and times of the forms that a column can have.
//! - `cargo run --release -p cip-benches --bin scoring -- MODEL TABLE`: what a model takes to score and to explain rows in memory.
//! - `python3 benches/peers.py`: whole processes side by side with DuckDB and Polars.

pub mod columns;
pub mod encodings;
pub mod events;

use std::error::Error;
use std::path::PathBuf;

use cip::core::EventBatch;
use cip::ingest::{Ingest, SourceMapping};
use cip::store::EventStore;
use cip::synth::{Generator, World};

/// A shop's files and the store made of them, in a folder that goes with it.
#[derive(Debug)]
pub struct Shop {
    folder: tempfile::TempDir,
    /// The store.
    pub store: EventStore,
}

impl Shop {
    /// Returns a shop of `events` events.
    ///
    /// # Errors
    /// Where the disk is full.
    pub fn new(events: u64) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("files"))?;
        Generator::new(World::Shop, events, 42).write_to(&folder.path().join("files"), &mut |_| ())?;
        let store = ingest(folder.path().join("files"), folder.path().join("store"))?;
        Ok(Self { folder, store })
    }

    /// The folder of its CSV files.
    pub fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    /// A place for results.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns its events with the given columns, in memory.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn batches(&self, columns: &[&str]) -> Result<Vec<EventBatch>, Box<dyn Error>> {
        let mut batches = Vec::new();
        for partition in self.store.scan(columns).partitions() {
            for events in partition.batches()? {
                batches.push(events?);
            }
        }
        Ok(batches)
    }
}

/// Ingests a folder of the clickstream's files.
///
/// # Errors
/// As the ingest.
pub fn ingest(files: PathBuf, store: PathBuf) -> Result<EventStore, Box<dyn Error>> {
    let mapping = SourceMapping::built_in("rees46").ok_or("no such mapping")?;
    Ok(Ingest::new(mapping).run(&[files], &store, &mut |_| ())?.0)
}
