//! A state that is kept with the commits that went into it, so that a later run reads only what came since.

use std::fs::File;
use std::path::Path;

use crate::error::StoreError;
use crate::store::EventStore;
use crate::table_state::{KeptTable, TableState};

/// The folder of a kept state, held against other runs: as [`KeptTable`], for what a method writes in a form of its own.
///
/// ```text
/// FOLDER/
///   manifest.json      the commits that were read, the rule, the checksum of the state
///   NAME.state         the state
/// ```
///
/// Both are replaced in one step. Dropped without [`KeptState::publish`], the folder stays as it was.
#[derive(Debug)]
pub struct KeptState(KeptTable);

impl KeptState {
    /// Opens the folder at `path`, which is made where there is none.
    ///
    /// # Errors
    /// As [`KeptTable::begin`].
    pub fn begin(path: &Path, name: &'static str) -> Result<Self, StoreError> {
        KeptTable::begin_as(path, name, "state").map(Self)
    }

    /// What is there; none where the folder is new.
    pub fn before(&self) -> Option<&TableState> {
        self.0.before()
    }

    /// Opens the state that is there.
    ///
    /// # Errors
    /// [`StoreError::KeptTable`] where it is not as it was written, [`StoreError::Io`].
    pub fn read(&self) -> Result<Option<File>, StoreError> {
        Ok(self.0.open_before()?.map(|(file, _)| file))
    }

    /// Starts the new state.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn create(&self) -> Result<File, StoreError> {
        self.0.create_file()
    }

    /// Puts the new state in place, as made of all commits of `store` by `rule`, and returns what is said of it.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the old one is then still there.
    pub fn publish(
        self,
        store: &EventStore,
        rule: &str,
        skipped_events: u64,
    ) -> Result<TableState, StoreError> {
        self.0.publish(store, rule, skipped_events)
    }
}
