//! The manifest: what a store holds, in one JSON file that is replaced in one step.
//!
//! Nothing in it depends on the clock or the machine, so the same input gives the same bytes.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_schema::{DataType, Field, Schema, TimeUnit};
use cip_core::{EventSchema, Id};
use serde::{Deserialize, Serialize};

use crate::currency::CurrencyCounts;
use crate::error::StoreError;
use crate::event_form::{CompactFiles, EventLayout};

/// The manifest's name inside a store.
pub(crate) const FILE_NAME: &str = "manifest.json";
const FORMAT: &str = "cip-event-store";
const VERSION: u32 = 1;

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: String,
    version: u32,
    /// The columns of its events, in their order.
    pub columns: Vec<ColumnSpec>,
    /// The source mapping by which it was filled, as its author wrote it.
    pub mapping: serde_json::Value,
    /// The experiment by which `experiment_group` was filled; none where there is no such column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<serde_json::Value>,
    /// How new commits keep their events.
    #[serde(default, skip_serializing_if = "EventLayout::is_plain")]
    pub event_layout: EventLayout,
    /// The commits, oldest first. Later ones add rows and never change earlier files.
    pub commits: Vec<Commit>,
}

/// One set of files that was added in one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// 1, 2, 3, …; also the name of the folder.
    pub id: u32,
    /// Where every row went.
    pub account: Account,
    /// The files that were read, in the order in which their rows are ordered.
    pub sources: Vec<SourceFile>,
    /// The instants of the first and the last event, UTC microseconds; none without events.
    pub time_span: Option<[i64; 2]>,
    /// Distinct known users in this commit.
    pub users: u64,
    /// Events without a user.
    pub events_without_user: u64,
    /// Dense codes of source sessions in this commit: 0, 1, 2, ….
    pub session_codes: u64,
    /// Files of events, ascending by user.
    pub events: Vec<EventFile>,
    /// The purchases and cancellations among the events, in the same order and with the same columns. None where they are no small part of the
    /// events, where these are one row group, or where users were erased since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<EventFile>,
    /// What the events are to be read with, where they are compact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compact: Option<CompactFiles>,
    /// `session_dictionary`, where the source has sessions.
    pub session_dictionary: Option<DataFile>,
    /// `product_dictionary`, where the source has products.
    pub product_dictionary: Option<DataFile>,
    /// `rejects`.
    pub rejects: DataFile,
    /// `places`, where there are rejects and events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<DataFile>,
    /// `aliases`: those that the store knows from this commit on; none where it was given no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aliases: Option<DataFile>,
    /// The data contracts that the rows were held against, and what was found: one for each ingest with a contract whose rows the
    /// commit has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<serde_json::Value>,
    /// Whether its files are as they were written, or what an erasure of users left of them.
    #[serde(default, skip_serializing_if = "CommitLayout::is_whole")]
    pub layout: CommitLayout,
}

/// How the files of a commit came to be. It says nothing of what they hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitLayout {
    /// Written at once.
    #[default]
    Whole,
    /// Users were erased since: row groups may be small, and file names may leave numbers out.
    Erased,
}

impl CommitLayout {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_whole(&self) -> bool {
        *self == Self::Whole
    }
}

/// A Parquet file of the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataFile {
    /// Relative to the store, with `/`.
    pub path: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// XXH3-128 of the bytes, 32 hexadecimal digits.
    pub xxh3: String,
    /// XXH3-128 of the footer (metadata, its length and the magic), which is checked whenever the file is opened.
    pub footer_xxh3: String,
    /// XXH3-64 of each column's bytes in each row group, 16 hexadecimal digits, checked before they are decoded.
    pub column_xxh3: Vec<Vec<String>>,
}

/// A Parquet file of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventFile {
    /// The file itself.
    #[serde(flatten)]
    pub file: DataFile,
    /// Its row groups, in order.
    pub row_groups: Vec<RowGroupSpan>,
}

/// What a row group covers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowGroupSpan {
    /// Rows.
    pub rows: u64,
    /// The users of the first and the last row; null is the unknown user, who comes last.
    pub users: [Option<Id>; 2],
    /// The earliest and the latest event, UTC microseconds.
    pub times: [i64; 2],
}

/// A file that was ingested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Its name, without folders.
    pub name: String,
    /// Bytes as they lie on disk.
    pub bytes: u64,
    /// XXH3-128 of these bytes.
    pub xxh3: String,
    /// Where its rows went.
    pub account: Account,
    /// How its records are written, as it was found: by that its rejects are read again. None where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<serde_json::Value>,
    /// The commit that holds another file of this name in its place: the rows of this one are not read any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<u32>,
    /// Where the user stands in its records; none where no record was rejected, or the mapping has no users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_field: Option<UserField>,
    /// Its events by currency; none where the events have no column `currency`, or were written before it had a meaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currencies: Option<CurrencyCounts>,
}

/// Where the user stands in the records of a source file: it tells whose a rejected record is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserField {
    /// How the file writes records: `csv`, `blanks` or `ndjson`.
    pub format: String,
    /// Between the fields of `csv`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// What quotes the fields of `csv`: a character, or `none`; none given where it is `"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// Fields of a record.
    pub fields: usize,
    /// Which of them is the user, from 0.
    pub field: usize,
}

/// Where rows went: `rows = events + rejects + drops + forgotten`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Data rows read, headers not counted.
    pub rows: u64,
    /// Rows that became events.
    pub events: u64,
    /// Rows rejected, by reason.
    pub rejects: BTreeMap<String, u64>,
    /// Rows dropped by a rule that the mapping or the contract declares, by rule.
    pub drops: BTreeMap<String, u64>,
    /// Rows of users who were erased since, events and rejects.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub forgotten: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Account {
    /// All rejected rows.
    pub fn rejected(&self) -> u64 {
        self.rejects.values().sum()
    }

    /// All dropped rows.
    pub fn dropped(&self) -> u64 {
        self.drops.values().sum()
    }

    /// Adds another account.
    pub fn add(&mut self, other: &Account) {
        self.rows += other.rows;
        self.events += other.events;
        self.forgotten += other.forgotten;
        for (mine, theirs) in [(&mut self.rejects, &other.rejects), (&mut self.drops, &other.drops)] {
            for (key, count) in theirs {
                *mine.entry(key.clone()).or_default() += count;
            }
        }
    }

    /// Checks the law.
    ///
    /// # Errors
    /// [`StoreError::Account`] where a row was lost or made.
    pub fn check(&self) -> Result<(), StoreError> {
        let (rejects, drops) = (self.rejected(), self.dropped());
        if self.rows == self.events + rejects + drops + self.forgotten {
            return Ok(());
        }
        let Self { rows, events, forgotten, .. } = *self;
        Err(StoreError::Account { rows, events, rejects, drops, forgotten })
    }
}

/// A column of the events, as the manifest writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnSpec {
    name: String,
    #[serde(rename = "type")]
    data_type: TypeName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scale: Option<i8>,
    nullable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TypeName {
    Int64,
    Float64,
    UInt32,
    Utf8,
    Dictionary,
    Timestamp,
    Money,
}

impl Manifest {
    /// Returns the manifest of an empty store.
    ///
    /// # Errors
    /// Where the store has no name for a column's type.
    pub(crate) fn new(schema: &EventSchema, mapping: serde_json::Value) -> Result<Self, StoreError> {
        let columns = ColumnSpec::of(schema)?;
        Ok(Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            columns,
            mapping,
            experiment: None,
            event_layout: EventLayout::Plain,
            commits: Vec::new(),
        })
    }

    /// The same store with other commits.
    pub(crate) fn with_commits(&self, commits: Vec<Commit>) -> Self {
        Self { commits, ..self.clone() }
    }

    /// Whether some bytes say that they are a manifest.
    pub(crate) fn is_one(bytes: &[u8]) -> bool {
        let value: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
        value.is_some_and(|value| value.get("format").and_then(|format| format.as_str()) == Some(FORMAT))
    }

    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, StoreError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let refuse = |reason: String| StoreError::Manifest { path: path.to_owned(), reason };
        let head: Head = serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
        if head.format != FORMAT {
            return Err(refuse(format!("its format is `{}`, expected `{FORMAT}`", head.format)));
        }
        if head.version != VERSION {
            return Err(StoreError::Version {
                path: path.to_owned(),
                found: head.version,
                supported: VERSION,
            });
        }
        serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The schema of the events.
    ///
    /// # Errors
    /// Where a known column has a type that its contract does not allow.
    pub fn schema(&self) -> Result<EventSchema, StoreError> {
        let fields: Vec<Field> = self.columns.iter().map(ColumnSpec::field).collect();
        Ok(EventSchema::try_new(Schema::new(fields).into())?)
    }

    /// Every Parquet file of the store.
    pub(crate) fn files(&self) -> impl Iterator<Item = &DataFile> {
        self.commits.iter().flat_map(|commit| {
            let events = commit.events.iter().chain(&commit.transactions).map(|events| &events.file);
            let offers = commit.compact.iter().flat_map(|compact| &compact.offers);
            events
                .chain(offers)
                .chain(&commit.session_dictionary)
                .chain(&commit.product_dictionary)
                .chain([&commit.rejects])
                .chain(&commit.places)
                .chain(&commit.aliases)
        })
    }

    /// Where every row of every source went, files that were replaced left out.
    pub fn account(&self) -> Account {
        let mut total = Account::default();
        self.sources().for_each(|source| total.add(&source.account));
        total
    }

    /// The source files whose rows are read, in the order of the commits.
    pub fn sources(&self) -> impl Iterator<Item = &SourceFile> {
        let all = self.commits.iter().flat_map(|commit| &commit.sources);
        all.filter(|source| source.replaced_by.is_none())
    }

    /// Whether there is one commit of which every row is read: such a store needs no merging.
    pub fn is_one_commit(&self) -> bool {
        match &self.commits[..] {
            [] => true,
            [commit] => commit.sources.iter().all(|source| source.replaced_by.is_none()),
            _ => false,
        }
    }

    /// The instants of the first and the last event; none without events.
    pub fn time_span(&self) -> Option<[i64; 2]> {
        self.commits
            .iter()
            .filter_map(|commit| commit.time_span)
            .reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])])
    }
}

impl Commit {
    /// The same commit with its files below a folder.
    pub(crate) fn below(mut self, folder: &str) -> Self {
        let events = self.events.iter_mut().chain(&mut self.transactions).map(|events| &mut events.file);
        let offers = self.compact.iter_mut().flat_map(|compact| &mut compact.offers);
        let side_tables = (self.session_dictionary.iter_mut())
            .chain(offers)
            .chain(&mut self.product_dictionary)
            .chain([&mut self.rejects])
            .chain(&mut self.places)
            .chain(&mut self.aliases);
        for file in events.chain(side_tables) {
            file.path = format!("{folder}/{}", file.path);
        }
        self
    }
}

impl ColumnSpec {
    /// Returns the columns of a schema as a manifest writes them.
    ///
    /// # Errors
    /// Where the store has no name for a column's type.
    pub fn of(schema: &EventSchema) -> Result<Vec<Self>, StoreError> {
        schema.arrow().fields().iter().map(|field| Self::try_new(field)).collect()
    }

    /// Returns the column as it is where it may also be null whenever `other` may.
    #[must_use]
    pub fn nullable_as(&self, other: &Self) -> Self {
        Self { nullable: self.nullable || other.nullable, ..self.clone() }
    }

    fn try_new(field: &Field) -> Result<Self, StoreError> {
        let (data_type, scale) = match field.data_type() {
            DataType::Int64 => (TypeName::Int64, None),
            DataType::Float64 => (TypeName::Float64, None),
            DataType::UInt32 => (TypeName::UInt32, None),
            DataType::Utf8 => (TypeName::Utf8, None),
            DataType::Dictionary(key, value)
                if (key.as_ref(), value.as_ref()) == (&DataType::Int32, &DataType::Utf8) =>
            {
                (TypeName::Dictionary, None)
            }
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => {
                (TypeName::Timestamp, None)
            }
            DataType::Decimal128(18, scale) => (TypeName::Money, Some(*scale)),
            found => {
                return Err(cip_core::CoreError::ColumnType {
                    column: field.name().clone(),
                    found: found.clone(),
                    expected: "Int64, Float64, UInt32, Utf8, Dictionary(Int32, Utf8), \
                               Timestamp(µs, \"UTC\") or Decimal128(18, s)",
                }
                .into());
            }
        };
        Ok(Self { name: field.name().clone(), data_type, scale, nullable: field.is_nullable() })
    }

    fn field(&self) -> Field {
        let data_type = match self.data_type {
            TypeName::Int64 => DataType::Int64,
            TypeName::Float64 => DataType::Float64,
            TypeName::UInt32 => DataType::UInt32,
            TypeName::Utf8 => DataType::Utf8,
            TypeName::Dictionary => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            TypeName::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            TypeName::Money => DataType::Decimal128(18, self.scale.unwrap_or(0)),
        };
        Field::new(&self.name, data_type, self.nullable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_of_rows_is_checked() {
        let mut account = Account { rows: 3, events: 2, ..Account::default() };
        assert!(matches!(
            account.check(),
            Err(StoreError::Account { rows: 3, events: 2, rejects: 0, drops: 0, forgotten: 0 })
        ));
        account.rejects.insert("scale".into(), 1);
        account.check().unwrap();
        let other = account.clone();
        account.add(&other);
        assert_eq!((account.rows, account.rejected()), (6, 2));
        account.check().unwrap();
    }

    #[test]
    fn what_is_not_a_manifest_says_so() {
        let path = Path::new("store/manifest.json");
        let read = |text: &str| Manifest::parse(path, text.as_bytes()).unwrap_err().to_string();
        assert!(read("").contains("cannot be read as the manifest"));
        assert!(read(r#"{"format":"iceberg","version":1}"#).contains("its format is `iceberg`"));
        assert!(read(r#"{"format":"cip-event-store","version":9}"#).contains("update cip"));
    }
}
