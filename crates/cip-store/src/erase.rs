//! Erasing users: a store as if their rows had never been in it, in one step, and the proof.
//!
//! The new store is staged as a whole beside the old one and takes its place by one exchange. Files in which nothing changes are
//! linked and not copied; see [`events`] for what is written anew. Then the old folder is removed, and every file of the
//! new one is read again and searched.

mod aliases;
mod events;
mod proof;
mod rewrite;
mod row_group;
mod side;
mod table;
mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cip_core::column;

pub use self::side::RejectedRow;
pub use self::table::{ErasedFile, FileContent};
pub use self::users::ErasedUsers;

use self::proof::{search, search_manifest};
use self::rewrite::{link, rewrite, source, theirs};
use crate::error::StoreError;
use crate::manifest::{Commit, DataFile, FILE_NAME, Manifest, SourceFile};
use crate::staged::{StagedFolder, remove_folder, sync};
use crate::store::EventStore;

/// Tells of records and documents, which a store keeps as they came, what is the users'.
pub trait Whose {
    /// Whether a rejected record is one of the users'; `source` is the file that it came from, where the store knows it.
    fn is_theirs(&self, source: Option<&SourceFile>, row: &RejectedRow<'_>) -> bool;

    /// Takes the users out of a contract and what it found, in [`Commit::quality`].
    fn clear(&self, quality: &mut serde_json::Value);
}

/// Erases users from a store, and from result tables that were made of it.
///
/// It holds the store's lock from [`StoreEraser::begin`] on. Dropped without [`StoreEraser::finish`], it leaves the store as it
/// was.
#[derive(Debug)]
pub struct StoreEraser {
    staged: StagedFolder,
    store: EventStore,
    users: ErasedUsers,
    asked: u64,
}

/// A store without the users.
#[derive(Debug)]
pub struct ErasedStore {
    /// The store as it is now.
    pub store: EventStore,
    /// What became of each of its files, the manifest first.
    pub files: Vec<ErasedFile>,
    /// How many of the users had events.
    pub users: u64,
}

impl StoreEraser {
    /// Locks the store at `target` to erase the users with these ids, written as text, and all aliases that the store knows of them;
    /// an alias names its user.
    ///
    /// # Errors
    /// As [`EventStore::open`]; [`StoreError::Busy`] where another run writes the store, [`StoreError::NoUsers`] where it has no
    /// users, [`StoreError::UserId`] where an id cannot be one of its users, [`StoreError::NoSourceFiles`] where its rows could not be
    /// accounted for.
    pub fn begin<T: AsRef<str>>(target: &Path, ids: impl IntoIterator<Item = T>) -> Result<Self, StoreError> {
        // A store that cannot be read is told before a folder is made beside it.
        EventStore::open(target)?;
        let staged = StagedFolder::begin(target)?;
        let store = EventStore::open(staged.target())?;
        let path = || store.path().to_owned();
        let id_type = store.schema().id_type(column::USER_ID);
        let id_type = id_type.ok_or_else(|| StoreError::NoUsers { path: path() })?;
        let unlike = |id| StoreError::UserId { path: path(), id };
        let mut users = ErasedUsers::new(id_type, ids).map_err(unlike)?;
        let asked = users.ids().len() as u64;
        if let Some(known) = store.aliases()? {
            users = aliases::with_aliases(users, &known).map_err(unlike)?;
        }
        let many = store.manifest().commits.iter().any(|commit| commit.sources.len() > 1);
        if many && !store.schema().has(column::SOURCE_FILE) {
            return Err(StoreError::NoSourceFiles { path: path() });
        }
        Ok(Self { staged, store, users, asked })
    }

    /// The store as it is.
    pub fn store(&self) -> &EventStore {
        &self.store
    }

    /// How many users were named, each once.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// The users to erase, with all their aliases.
    pub fn users(&self) -> &ErasedUsers {
        &self.users
    }

    /// Erases the users from a result table: those with a column of users, assignments, and rejects. It is replaced in one step, or left
    /// as it is where it has nothing of them; then it is read again.
    ///
    /// # Errors
    /// [`StoreError::NotAResult`] where cip did not write it, [`StoreError::PartOfStore`], [`StoreError::Busy`], [`StoreError::Io`],
    /// [`StoreError::Parquet`]. It is then as it was.
    pub fn erase_table(&self, path: &Path, whose: &impl Whose) -> Result<ErasedFile, StoreError> {
        let sources = self.store.manifest().commits.iter().flat_map(|commit| &commit.sources);
        let by_name: BTreeMap<&str, &SourceFile> =
            sources.map(|source| (source.name.as_str(), source)).collect();
        table::erase(path, &self.users, &|row| whose.is_theirs(by_name.get(row.source_file).copied(), row))
    }

    /// Puts the store without the users in place, reads all of it again, and returns it with what became of each of its
    /// files. Where it has nothing of the users it is left as it is, and only read.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a file that is read is not the one that was written, [`StoreError::Account`],
    /// [`StoreError::Io`], also where the old files cannot be removed.
    pub fn finish(self, whose: &impl Whose) -> Result<ErasedStore, StoreError> {
        let Self { staged, store, users, asked: _ } = self;
        let mut rows_before: BTreeMap<String, (&str, u64)> = BTreeMap::new();
        let (mut commits, mut changed, mut known) = (Vec::new(), false, BTreeSet::new());
        for commit in &store.manifest().commits {
            // Places have no users; where they are left out, no row of anybody is.
            let of_rows = store_files(commit).filter(|(table, _)| *table != "places");
            rows_before.extend(of_rows.map(|(table, file)| (file.path.clone(), (table, file.rows))));
            let theirs = theirs(&store, commit, &users, whose)?;
            let nothing = theirs.is_nothing(commit);
            known.extend(theirs.events.users.iter().cloned());
            changed |= !nothing;
            commits.push((commit, (!nothing).then_some(theirs)));
        }
        let target = staged.target().to_owned();
        if !changed {
            drop(staged);
            let files = read_again(&store, &users, whose, &rows_before)?;
            return Ok(ErasedStore { store, files, users: 0 });
        }
        let mut written = Vec::with_capacity(commits.len());
        for (commit, theirs) in commits {
            let folder = staged.path().join(format!("commits/{:06}", commit.id));
            fs::create_dir_all(&folder).map_err(StoreError::io("create", &folder))?;
            written.push(match theirs {
                None => {
                    for (_, file) in store_files(commit) {
                        link(store.path(), staged.path(), &file.path)?;
                    }
                    commit.clone()
                }
                Some(theirs) => rewrite(&store, commit, theirs, &users, whose, staged.path())?,
            });
            sync(&folder)?;
        }
        sync(&staged.path().join("commits"))?;
        let manifest = store.manifest().with_commits(written);
        staged.write(FILE_NAME, &json(&manifest, staged.path())?)?;
        let left = staged.path().to_owned();
        staged.publish()?;
        // What the old folder could not be rid of before is an error now: it has the users' bytes.
        remove_folder(&left)?;
        drop(store);
        let store = EventStore::open(&target)?;
        let files = read_again(&store, &users, whose, &rows_before)?;
        Ok(ErasedStore { store, files, users: known.len() as u64 })
    }
}

fn json(manifest: &Manifest, folder: &Path) -> Result<Vec<u8>, StoreError> {
    manifest
        .to_json()
        .map_err(|error| StoreError::Manifest { path: folder.join(FILE_NAME), reason: error.to_string() })
}

/// The files of a commit and their tables.
fn store_files(commit: &Commit) -> impl Iterator<Item = (&'static str, &DataFile)> {
    let events = commit.events.iter().map(|events| ("events", &events.file));
    let events = events.chain(commit.transactions.iter().map(|events| ("transactions", &events.file)));
    let sessions = commit.session_dictionary.iter().map(|file| ("session_dictionary", file));
    let products = commit.product_dictionary.iter().map(|file| ("product_dictionary", file));
    let places = commit.places.iter().map(|file| ("places", file));
    let aliases = commit.aliases.iter().map(|file| ("aliases", file));
    let offers = commit.compact.iter().flat_map(|compact| &compact.offers).map(|file| ("offers", file));
    events
        .chain(offers)
        .chain(sessions)
        .chain(products)
        .chain([("rejects", &commit.rejects)])
        .chain(places)
        .chain(aliases)
}

/// Reads every file of a store and searches it for the users.
fn read_again(
    store: &EventStore,
    users: &ErasedUsers,
    whose: &impl Whose,
    rows_before: &BTreeMap<String, (&str, u64)>,
) -> Result<Vec<ErasedFile>, StoreError> {
    let path = |file: &str| -> PathBuf { store.path().join(file) };
    let manifest = store.manifest();
    let found = search_manifest(manifest, users)
        .map_err(|error| StoreError::Manifest { path: path(FILE_NAME), reason: error.to_string() })?;
    let describe = |file: &str, table: &str, content, rows_before, rows| ErasedFile {
        path: path(file),
        table: table.to_owned(),
        content,
        rows_before,
        erased: rows_before - rows,
        found: 0,
        mentions: 0,
    };
    let mut files = vec![describe(FILE_NAME, "manifest", FileContent::NoUsers, 0, 0).after(found)];
    let mut gone = rows_before.clone();
    for commit in &manifest.commits {
        for (table, file) in store_files(commit) {
            let stored = store.open_files().get(file)?;
            stored.check_columns(file)?;
            let mut found = search(stored, stored.path(), Some(column::USER_ID), users)?;
            if table == "aliases" {
                found.ids += search(stored, stored.path(), Some(column::ALIAS), users)?.ids;
            }
            if table == "rejects" {
                let mut theirs = 0;
                let is_theirs = |row: &RejectedRow<'_>| whose.is_theirs(source(commit, row), row);
                side::count_rejects(store, file, is_theirs, |_| theirs += 1)?;
                found.ids += theirs;
            }
            let before = gone.remove(&file.path).map_or(file.rows, |(_, rows)| rows);
            let content = match table {
                "product_dictionary" | "offers" | "places" => FileContent::NoUsers,
                _ => FileContent::Rows,
            };
            files.push(describe(&file.path, table, content, before, file.rows).after(found));
        }
    }
    // Files of which every row was the users', and transactions, which are read from the events until these are compacted.
    files.extend(gone.iter().map(|(file, &(table, rows))| describe(file, table, FileContent::Rows, rows, 0)));
    Ok(files)
}
