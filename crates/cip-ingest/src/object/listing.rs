//! Which objects an address means: one, those of a folder, or those that match a pattern.

use futures_util::{StreamExt, TryStreamExt};
use glob::Pattern;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::failure::Failure;
use crate::find::{MATCHING, is_pattern, is_source};

/// What to look for in a bucket.
#[derive(Debug, Clone)]
pub(super) enum Listing {
    /// An object of this name, or where there is none, the sources of the folder.
    ObjectOrFolder(Path),
    /// The sources of a folder, those below it left out.
    Folder(Path),
    /// The objects behind a folder that match.
    Matching { base: Path, pattern: Pattern, depth: Depth },
}

/// How far below its base a pattern reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    OneFolder,
    AllFolders,
}

/// Why a key says nothing.
#[derive(Debug)]
pub(super) enum ListingError {
    Pattern(glob::PatternError),
    Name(Failure),
}

impl Listing {
    pub(super) fn of(key: &str) -> Result<Self, ListingError> {
        let path = |text: &str| {
            Path::parse(text).map_err(|error| ListingError::Name(object_store::Error::from(error).into()))
        };
        if !is_pattern(key) {
            let folder = key.is_empty() || key.ends_with('/');
            return Ok(if folder { Self::Folder(path(key)?) } else { Self::ObjectOrFolder(path(key)?) });
        }
        let pattern = Pattern::new(key).map_err(ListingError::Pattern)?;
        let plain: usize = (key.split_inclusive('/'))
            .take_while(|part| part.ends_with('/') && !is_pattern(part))
            .map(str::len)
            .sum();
        let (base, rest) = key.split_at(plain);
        let depth = if rest.contains('/') || rest == "**" { Depth::AllFolders } else { Depth::OneFolder };
        Ok(Self::Matching { base: path(base)?, pattern, depth })
    }

    /// Returns the objects that there are, in any order.
    pub(super) async fn find(self, store: &dyn ObjectStore) -> Result<Vec<ObjectMeta>, Failure> {
        match self {
            Self::ObjectOrFolder(key) => match store.head(&key).await {
                Ok(object) => Ok(vec![object]),
                Err(error @ object_store::Error::NotFound { .. }) => {
                    let objects = sources_of(store, &key).await?;
                    if objects.is_empty() { Err(error.into()) } else { Ok(objects) }
                }
                Err(error) => Err(error.into()),
            },
            Self::Folder(folder) => sources_of(store, &folder).await,
            Self::Matching { base, pattern, depth } => {
                let matches = |object: &ObjectMeta| pattern.matches_with(object.location.as_ref(), MATCHING);
                let base = Some(base).filter(|base| !base.as_ref().is_empty());
                Ok(match depth {
                    Depth::OneFolder => {
                        let listed = store.list_with_delimiter(base.as_ref()).await?.objects;
                        listed.into_iter().filter(matches).collect()
                    }
                    Depth::AllFolders => {
                        let all = store.list(base.as_ref());
                        all.try_filter(|object| std::future::ready(matches(object)))
                            .boxed()
                            .try_collect()
                            .await?
                    }
                })
            }
        }
    }
}

async fn sources_of(store: &dyn ObjectStore, folder: &Path) -> Result<Vec<ObjectMeta>, Failure> {
    let folder = Some(folder).filter(|folder| !folder.as_ref().is_empty());
    let objects = store.list_with_delimiter(folder).await?.objects;
    Ok(objects.into_iter().filter(|object| object.location.filename().is_some_and(is_source)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(key: &str) -> Option<(String, Depth)> {
        match Listing::of(key) {
            Ok(Listing::Matching { base, depth, .. }) => Some((base.to_string(), depth)),
            _ => None,
        }
    }

    #[test]
    fn what_stands_before_the_first_wildcard_is_listed() {
        let one = |base: &str| Some((base.to_owned(), Depth::OneFolder));
        let all = |base: &str| Some((base.to_owned(), Depth::AllFolders));
        assert_eq!(matching("2019-*.csv"), one(""));
        assert_eq!(matching("a/b/2019-*.csv"), one("a/b"));
        assert_eq!(matching("a/**/x.csv"), all("a"));
        assert_eq!(matching("a/**"), all("a"));
        assert_eq!(matching("a/*/b/x?.csv"), all("a"));
        assert_eq!(matching("*/x.csv"), all(""));
        assert_eq!(matching("a/b.csv"), None);
        assert!(matches!(Listing::of("a/b.csv"), Ok(Listing::ObjectOrFolder(_))));
        assert!(matches!(Listing::of("a/b/"), Ok(Listing::Folder(_))));
        assert!(matches!(Listing::of(""), Ok(Listing::Folder(_))));
        assert!(matches!(Listing::of("a[b.csv"), Err(ListingError::Pattern(_))));
        assert!(matches!(Listing::of("a//b.csv"), Err(ListingError::Name(_))));
        assert!(matches!(Listing::of("a/../b.csv"), Err(ListingError::Name(_))));
    }
}
