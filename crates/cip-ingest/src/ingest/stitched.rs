//! What aliases add to an ingest: those that the store knows and those that are new.

use std::sync::Arc;

use cip_core::{EventSchema, MemoryBudget, column};
use cip_store::{AliasTable, DataFile, EventStore, StoreWriter};

use super::Ingest;
use crate::error::IngestError;

/// The aliases by which users are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownAliases {
    pub(crate) table: Option<Arc<AliasTable>>,
    /// Whether the store does not know all of them yet.
    news: bool,
}

impl KnownAliases {
    /// Returns the aliases of a store and those that are given.
    ///
    /// # Errors
    /// [`StoreError::AliasOfTwo`](cip_store::StoreError::AliasOfTwo) and [`StoreError::AliasCycle`](cip_store::StoreError::AliasCycle) where the two do
    /// not go together, [`CoreError::Memory`](cip_core::CoreError::Memory) where they take more than a quarter of the budget.
    pub(crate) fn of(
        store: Option<&EventStore>,
        given: Option<&Arc<AliasTable>>,
        budget: MemoryBudget,
    ) -> Result<Self, IngestError> {
        let stored = store.map(EventStore::aliases).transpose()?.flatten();
        let known = match (stored, given) {
            (None, None) => Self::default(),
            (None, Some(given)) => Self { table: Some(Arc::clone(given)), news: true },
            (Some(stored), None) => Self { table: Some(Arc::new(stored)), news: false },
            (Some(stored), Some(given)) => {
                let both = stored.with(given)?;
                let news = both != stored;
                Self { table: Some(Arc::new(both)), news }
            }
        };
        if let Some(table) = &known.table {
            budget.require("a table of aliases", MemoryBudget::from_bytes(table.bytes().bytes() * 4))?;
        }
        Ok(known)
    }

    /// Checks that aliases are ids as the users of a schema are.
    pub(crate) fn check_type(
        given: &AliasTable,
        schema: &EventSchema,
        mapping: impl Fn() -> String,
    ) -> Result<(), IngestError> {
        match schema.id_type(column::USER_ID) {
            None => Err(IngestError::AliasesWithoutUsers { mapping: mapping() }),
            Some(users) if users != given.id_type() => {
                let (found, expected) = (given.id_type().data_type(), users.data_type());
                Err(IngestError::AliasType { mapping: mapping(), found, expected })
            }
            Some(_) => Ok(()),
        }
    }

    /// Whether the store does not know all of them yet.
    pub(crate) fn news(&self) -> bool {
        self.news
    }

    /// Writes the table where the store does not know it.
    pub(crate) fn write_news(&self, writer: &StoreWriter) -> Result<Option<DataFile>, IngestError> {
        if self.news { self.write(writer) } else { Ok(None) }
    }

    /// Writes the table, where there is one.
    pub(crate) fn write(&self, writer: &StoreWriter) -> Result<Option<DataFile>, IngestError> {
        Ok(self.table.as_ref().map(|table| table.write(writer)).transpose()?)
    }
}

impl Ingest {
    /// Puts users in the place of their aliases, before anything is told of them: contracts, experiments and sessions see the user. The
    /// store keeps the aliases, and later ingests into it read by all that it knows.
    ///
    /// Events that the store has already keep their users until it is compacted. Rules of the mapping that drop rows look at the
    /// source's own text.
    ///
    /// # Complexity
    /// A look-up for each row, and about 100 bytes an alias, which may take a quarter of the memory.
    pub fn with_aliases(mut self, aliases: AliasTable) -> Self {
        self.aliases = Some(Arc::new(aliases));
        self
    }

    /// The aliases by which users are read into a store that there is, or a new one.
    pub(super) fn known_aliases(&self, store: Option<&EventStore>) -> Result<KnownAliases, IngestError> {
        if let Some(given) = &self.aliases {
            KnownAliases::check_type(given, &self.mapping.schema()?, || self.mapping.name().to_owned())?;
        }
        KnownAliases::of(store, self.aliases.as_ref(), self.budget)
    }
}
