//! Which source files a store has taken already, and whether more of them may follow.

use cip_store::{ColumnSpec, EventLayout, EventStore, Manifest, SourceFile};
use serde_json::Value;

use crate::error::IngestError;
use crate::source::{SOURCES_AHEAD, Source, content_hash};

/// What becomes of a source file that a store has taken before with other bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChangedFiles {
    /// Nothing is written; an error names the file.
    #[default]
    Refuse,
    /// Its rows take the place of those that the file had before.
    Replace,
}

/// Sources, told apart by what a store has of them.
#[derive(Debug)]
pub(crate) struct ToldApart {
    /// Those to read, in their order.
    pub(crate) new: Vec<Source>,
    /// How many were taken before, in the same bytes.
    pub(crate) taken: usize,
    /// The names of those to read that replace files of the store.
    pub(crate) replaced: Vec<String>,
}

impl ToldApart {
    /// Compares sources with those of a store, by their names and their bytes.
    ///
    /// Only files of a name or a length that the store knows are read for it.
    ///
    /// # Errors
    /// [`IngestError::ChangedSource`], [`IngestError::SameBytes`], [`IngestError::Io`].
    pub(crate) fn new(
        sources: &[Source],
        manifest: &Manifest,
        changed: ChangedFiles,
    ) -> Result<Self, IngestError> {
        let mut told = Self { new: Vec::new(), taken: 0, replaced: Vec::new() };
        // Files without rows, as of days on which nothing happened, may well be alike.
        let alike = |source: &Source| -> Vec<&SourceFile> {
            let alike = manifest.sources().filter(|other| {
                other.bytes == source.bytes && (other.account.rows > 0 || other.name == source.name)
            });
            alike.collect()
        };
        // Those that are read for their hash, each asked for while others are read.
        let mut read = sources.iter().filter(|&source| !alike(source).is_empty());
        read.by_ref().take(SOURCES_AHEAD).for_each(|source| source.origin.expect());
        for source in sources {
            let alike = alike(source);
            let known = manifest.sources().find(|known| known.name == source.name);
            let hash = if alike.is_empty() { None } else { Some(content_hash(source)?) };
            if hash.is_some()
                && let Some(next) = read.next()
            {
                next.origin.expect();
            }
            let same = alike.iter().filter(|other| hash.as_deref() == Some(other.xxh3.as_str()));
            let same: Vec<_> = same.collect();
            if same.iter().any(|same| same.name == source.name) {
                told.taken += 1;
            } else if let Some(other) = same.first() {
                return Err(IngestError::SameBytes { name: source.name.clone(), other: other.name.clone() });
            } else if known.is_none() {
                told.new.push(source.clone());
            } else if changed == ChangedFiles::Replace {
                told.replaced.push(source.name.clone());
                told.new.push(source.clone());
            } else {
                return Err(IngestError::ChangedSource { name: source.name.clone() });
            }
        }
        Ok(told)
    }
}

/// Checks that a store was filled by this mapping and this experiment, into these columns.
///
/// # Errors
/// [`IngestError::OtherStore`] with the first difference.
pub(crate) fn check_same(
    store: &EventStore,
    mapping: &Value,
    experiment: Option<&Value>,
    columns: &[ColumnSpec],
) -> Result<(), IngestError> {
    if let Some(place) = difference(&store.manifest().mapping, mapping) {
        return differ(store, "mapping", &place);
    }
    check_columns(store, experiment, &store.manifest().columns, columns)
}

fn differ(store: &EventStore, what: &'static str, place: &str) -> Result<(), IngestError> {
    let place = place.trim_start_matches([':', ' ']).to_owned();
    Err(IngestError::OtherStore { store: store.path().to_owned(), what, place })
}

/// Checks that a store keeps its events as it is asked to, if it is.
pub(crate) fn check_layout(store: &EventStore, asked: Option<EventLayout>) -> Result<(), IngestError> {
    let known = store.manifest().event_layout;
    match asked {
        Some(asked) if asked != known => {
            Err(IngestError::OtherLayout { store: store.path().to_owned(), known, asked })
        }
        _ => Ok(()),
    }
}

/// Checks that a store has these columns and this experiment, whatever the mapping; more of them may be null than of the store's.
///
/// # Errors
/// [`IngestError::OtherStore`] with the first difference.
pub(crate) fn check_replayed(
    store: &EventStore,
    experiment: Option<&Value>,
    columns: &[ColumnSpec],
) -> Result<(), IngestError> {
    let known = &store.manifest().columns;
    let widened = |(place, known): (usize, &ColumnSpec)| {
        columns.get(place).map_or_else(|| known.clone(), |asked| known.nullable_as(asked))
    };
    let widened: Vec<ColumnSpec> = known.iter().enumerate().map(widened).collect();
    check_columns(store, experiment, &widened, columns)
}

/// Checks that columns and experiment are those of a store.
///
/// # Errors
/// [`IngestError::OtherStore`] with the first difference.
fn check_columns(
    store: &EventStore,
    experiment: Option<&Value>,
    known_columns: &[ColumnSpec],
    columns: &[ColumnSpec],
) -> Result<(), IngestError> {
    let manifest = store.manifest();
    let none = Value::Null;
    let known = manifest.experiment.as_ref().unwrap_or(&none);
    if let Some(place) = difference(known, experiment.unwrap_or(&none)) {
        return differ(store, "experiment", &place);
    }
    let [known, asked] = [known_columns, columns].map(serde_json::to_value);
    match difference(&known?, &asked?) {
        Some(place) => differ(store, "set of columns", &place),
        None => Ok(()),
    }
}

/// Returns where two documents first differ and how; none where they are the same.
fn difference(known: &Value, asked: &Value) -> Option<String> {
    let show = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(value) => value.to_string(),
    };
    match (known, asked) {
        (Value::Object(known), Value::Object(asked)) => {
            let keys = known.keys().chain(asked.keys().filter(|key| !known.contains_key(*key)));
            keys.into_iter().find_map(|key| match (known.get(key), asked.get(key)) {
                (Some(known), Some(asked)) => difference(known, asked).map(|rest| {
                    let dot = if rest.starts_with(':') { "" } else { "." };
                    format!("{key}{dot}{rest}")
                }),
                (known, asked) => {
                    Some(format!("{key}: the store has {}, this is {}", show(known), show(asked)))
                }
            })
        }
        _ if known == asked => None,
        _ => Some(format!(": the store has {}, this is {}", show(Some(known)), show(Some(asked)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_named_by_its_place() {
        let known = json!({ "name": "a", "columns": { "price": { "scale": 2 } } });
        assert_eq!(difference(&known, &known), None);
        let asked = json!({ "name": "a", "columns": { "price": { "scale": 3 } } });
        assert_eq!(difference(&known, &asked).unwrap(), "columns.price.scale: the store has 2, this is 3");
        let asked = json!({ "name": "a", "columns": {} });
        assert_eq!(
            difference(&known, &asked).unwrap(),
            "columns.price: the store has {\"scale\":2}, this is nothing"
        );
        assert_eq!(difference(&Value::Null, &json!(1)).unwrap(), ": the store has nothing, this is 1");
    }
}
