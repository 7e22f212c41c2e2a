//! The object stores that an ingest knows: those that its caller brings and, where they are compiled in, those of the clouds.

#[cfg(feature = "object-store")]
use std::sync::Arc;

#[cfg(not(feature = "object-store"))]
pub(crate) use absent::Buckets;

#[cfg(feature = "object-store")]
pub(crate) use crate::object::Buckets;

/// The stores that a caller brings, by the start of their addresses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stores {
    #[cfg(feature = "object-store")]
    own: Vec<(String, Arc<dyn object_store::ObjectStore>)>,
}

#[cfg(feature = "object-store")]
impl Stores {
    pub(crate) fn add(&mut self, root: &str, store: Arc<dyn object_store::ObjectStore>) {
        let root = root.trim_end_matches('/').to_owned();
        self.own.retain(|(other, _)| *other != root);
        self.own.push((root, store));
    }

    /// Returns the store of a root such as `s3://shop`.
    pub(crate) fn get(&self, root: &str) -> Option<Arc<dyn object_store::ObjectStore>> {
        self.own.iter().find(|(own, _)| own == root).map(|(_, store)| Arc::clone(store))
    }
}

#[cfg(not(feature = "object-store"))]
mod absent {
    use super::Stores;
    use crate::address::Address;
    use crate::error::IngestError;
    use crate::source::Source;

    /// Without the feature there is no bucket to look into.
    pub(crate) struct Buckets;

    impl Buckets {
        pub(crate) fn new(_: &Stores) -> Self {
            Self
        }

        pub(crate) fn find(&mut self, address: &Address<'_>) -> Result<Vec<Source>, IngestError> {
            Err(IngestError::NoObjectStores { address: address.text.to_owned() })
        }
    }
}
