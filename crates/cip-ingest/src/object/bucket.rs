//! The sources behind the addresses of one ingest.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use cip_store::TableFormat;
use futures_util::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore};

use super::failure::Failure;
use super::fetch::{Object, Runtime, Version};
use super::listing::{Listing, ListingError};
use super::provider::connect;
use crate::address::Address;
use crate::error::IngestError;
use crate::find::is_pattern;
use crate::origin::Origin;
use crate::source::{Compression, Source};
use crate::stores::Stores;

/// Objects that are looked into at once.
const LOOKS_AT_ONCE: usize = 16;

/// The buckets that addresses name, each connected once.
#[derive(Debug)]
pub(crate) struct Buckets<'a> {
    own: &'a Stores,
    runtime: Option<Arc<Runtime>>,
    connected: Vec<(String, Arc<dyn ObjectStore>)>,
}

impl<'a> Buckets<'a> {
    /// `own` go before the stores of the clouds.
    pub(crate) fn new(own: &'a Stores) -> Self {
        Self { own, runtime: None, connected: Vec::new() }
    }

    /// Returns the sources that an address means: an object, those of a folder, or those that match a pattern.
    pub(crate) fn find(&mut self, address: &Address<'_>) -> Result<Vec<Source>, IngestError> {
        let io = |source: io::Error| IngestError::Io { action: "read", path: address.text.into(), source };
        let listing = Listing::of(address.key).map_err(|error| match error {
            ListingError::Pattern(error) => {
                IngestError::Pattern { pattern: address.text.into(), reason: error.msg.to_owned() }
            }
            ListingError::Name(failure) => io(failure.into()),
        })?;
        let store = self.store(address)?;
        let runtime = match &self.runtime {
            Some(runtime) => Arc::clone(runtime),
            None => Arc::clone(self.runtime.insert(Arc::new(Runtime::start().map_err(io)?))),
        };
        let searched = Arc::clone(&store);
        let found = runtime.spawn(async move {
            let objects = listing.find(&*searched).await?;
            let looks = objects.into_iter().map(|object| look_at(Arc::clone(&searched), object));
            futures_util::stream::iter(looks).buffered(LOOKS_AT_ONCE).try_collect::<Vec<_>>().await
        });
        let found = found.wait().map_err(|failure| io(failure.into()))?;
        if found.is_empty() {
            let path = PathBuf::from(address.text);
            return Err(if is_pattern(address.key) {
                IngestError::NoMatch { pattern: path }
            } else {
                IngestError::NoSources { path }
            });
        }
        let source = |(version, compression): (Version, Compression)| Source {
            path: format!("{}/{}", address.root, version.key).into(),
            name: version.key.filename().unwrap_or_default().to_owned(),
            bytes: version.bytes,
            compression,
            origin: Origin::Object(Arc::new(Object::new(Arc::clone(&runtime), Arc::clone(&store), version))),
        };
        Ok(found.into_iter().map(source).collect())
    }

    fn store(&mut self, address: &Address<'_>) -> Result<Arc<dyn ObjectStore>, IngestError> {
        let known = self.connected.iter().find(|(root, _)| root == address.root);
        if let Some(store) = known.map(|(_, store)| Arc::clone(store)).or_else(|| self.own.get(address.root))
        {
            return Ok(store);
        }
        let store = connect(address).ok_or_else(|| IngestError::UnknownStore {
            address: address.text.to_owned(),
            scheme: address.scheme.to_owned(),
        })?;
        let store = store.map_err(|failure| IngestError::Io {
            action: "read",
            path: address.text.into(),
            source: failure.into(),
        })?;
        self.connected.push((address.root.to_owned(), Arc::clone(&store)));
        Ok(store)
    }
}

/// Reads how an object starts. Its entity tag is taken from there: what a listing says of it has another form in some stores.
async fn look_at(store: Arc<dyn ObjectStore>, object: ObjectMeta) -> Result<(Version, Compression), Failure> {
    let mut version = Version { key: object.location, bytes: object.size, e_tag: None };
    if version.bytes == 0 {
        return Ok((version, Compression::None));
    }
    let end = version.bytes.min(TableFormat::MAGIC_BYTES as u64);
    let (start, e_tag) = version.read(&*store, 0..end).await?;
    version.e_tag = e_tag;
    Ok((version, Compression::of(&start)))
}
