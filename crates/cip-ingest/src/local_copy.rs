//! Tables that lie in object stores, copied to the disk: their parts are read in an order of their own, and more than once.

use std::path::Path;
use std::sync::Arc;

use crate::error::IngestError;
use crate::source::Source;

/// The copies of one ingest. They are gone when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct LocalCopies {
    #[cfg(feature = "object-store")]
    folder: Option<tempfile::TempDir>,
}

impl LocalCopies {
    /// Copies the tables among `sources` that are objects into a folder below `scratch`; returns sources of which all tables are files.
    ///
    /// # Errors
    /// [`IngestError::NoRoom`] before anything is copied, [`IngestError::Io`].
    #[cfg(feature = "object-store")]
    pub(crate) fn make(
        sources: &Arc<[Source]>,
        scratch: &Path,
    ) -> Result<(Arc<[Source]>, Self), IngestError> {
        use crate::origin::Origin;
        use crate::source::{Compression, SOURCES_AHEAD};

        let is_copied =
            |source: &Source| source.compression == Compression::Table && source.origin.file().is_none();
        let bytes: u64 = sources.iter().filter(|source| is_copied(source)).map(|source| source.bytes).sum();
        if bytes == 0 {
            return Ok((Arc::clone(sources), Self::default()));
        }
        check_room(scratch, bytes)?;
        let folder = tempfile::Builder::new()
            .prefix("objects-")
            .tempdir_in(scratch)
            .map_err(|source| IngestError::Io { action: "create", path: scratch.to_owned(), source })?;
        let mut copied = Vec::with_capacity(sources.len());
        for (index, source) in sources.iter().enumerate() {
            let mut source = source.clone();
            if is_copied(&source) {
                let next = sources.iter().skip(index + 1).filter(|next| is_copied(next));
                next.take(SOURCES_AHEAD).for_each(|next| next.origin.expect());
                let path = folder.path().join(&source.name);
                copy(&source, &path)?;
                source.origin = Origin::File(path);
            }
            copied.push(source);
        }
        Ok((copied.into(), Self { folder: Some(folder) }))
    }

    /// Without object stores all sources are files.
    #[cfg(not(feature = "object-store"))]
    pub(crate) fn make(sources: &Arc<[Source]>, _: &Path) -> Result<(Arc<[Source]>, Self), IngestError> {
        Ok((Arc::clone(sources), Self::default()))
    }

    /// Removes the copies.
    pub(crate) fn remove(self) -> Result<(), IngestError> {
        #[cfg(feature = "object-store")]
        if let Some(folder) = self.folder {
            let path = folder.path().to_owned();
            folder.close().map_err(|source| IngestError::Io { action: "remove", path, source })?;
        }
        Ok(())
    }
}

#[cfg(feature = "object-store")]
fn copy(source: &Source, path: &Path) -> Result<(), IngestError> {
    use std::fs::File;
    use std::io::{BufReader, ErrorKind, copy};

    use crate::origin::is_of_store;

    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| IngestError::Io { action, path, source }
    };
    let mut file = File::create(path).map_err(io("create", path))?;
    let object = source.origin.open().map_err(io("read", &source.path))?;
    let copied = copy(&mut BufReader::with_capacity(1 << 18, object), &mut file);
    copied.map(|_| ()).map_err(|error| match error.kind() {
        _ if is_of_store(&error) => io("read", &source.path)(error),
        ErrorKind::StorageFull => {
            IngestError::NoRoom { folder: path.to_owned(), bytes: source.bytes, free: 0 }
        }
        _ => io("write", path)(error),
    })
}

#[cfg(feature = "object-store")]
fn check_room(folder: &Path, bytes: u64) -> Result<(), IngestError> {
    let disk = rustix::fs::statvfs(folder).map_err(|source| IngestError::Io {
        action: "read",
        path: folder.to_owned(),
        source: source.into(),
    })?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < bytes {
        return Err(IngestError::NoRoom { folder: folder.to_owned(), bytes, free });
    }
    Ok(())
}

#[cfg(all(test, feature = "object-store"))]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_disk_has_room_for_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_room(folder.path(), 1).is_ok());
        let error = check_room(folder.path(), u64::MAX).unwrap_err();
        assert!(matches!(error, IngestError::NoRoom { bytes: u64::MAX, .. }), "{error}");
    }
}
