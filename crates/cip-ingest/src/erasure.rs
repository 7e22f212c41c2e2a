//! Erasure: users out of a store, and out of what was made of it.

use std::fs;
use std::path::{Path, PathBuf};

use cip_core::MemoryBudget;
use cip_store::{ErasedFile, ErasedStore, EventStore, FileContent, StoreEraser, StoreError};

use crate::error::IngestError;
use crate::owner::Owner;

/// Erases users from a store and from result tables, and proves it.
///
/// Their events, their sessions, the products that nobody else has an event of, and the rejected records that are theirs are
/// gone; the account counts them as `forgotten`. A rejected record is theirs where its user is; where that cannot be read, where
/// any word of it is an id of theirs (see [`cip_store::ErasedUsers`]). What is written is read again and searched.
///
/// Compacted, the store has the events, dictionaries and rejects of an ingest of files without their records. The source files
/// themselves still have them: [`Ingest::append`](crate::Ingest::append) does not read those again, a rebuilt store would.
///
/// # Examples
/// ```no_run
/// use cip_ingest::Erasure;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (_, report) = Erasure::new(["v-81"]).with_derived(["results".into()]).run("results/store".as_ref())?;
/// assert_eq!(report.found(), 0);
/// println!("{} events are gone", report.erased("events"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Erasure {
    ids: Vec<String>,
    budget: MemoryBudget,
    derived: Vec<PathBuf>,
}

/// What was erased, and what was found afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErasureReport {
    /// Users that were to be erased, each once.
    pub users: u64,
    /// How many of them had events.
    pub users_with_events: u64,
    /// Every file of the store.
    pub store: Vec<ErasedFile>,
    /// Result tables.
    pub derived: Vec<ErasedFile>,
    /// Files beside the tables that are sums over users, or may be: models, summaries, pictures. They are as they were.
    pub aggregates: Vec<PathBuf>,
    /// Files of the folders that cip did not write, and folders in them. They were not looked at.
    pub left_alone: Vec<PathBuf>,
}

impl ErasureReport {
    /// Rows that were erased from a table, such as `events`, in the store; a product that nobody else has counts in
    /// `product_dictionary`.
    pub fn erased(&self, table: &str) -> u64 {
        self.store.iter().filter(|file| file.table == table).map(|file| file.erased).sum()
    }

    /// Rows that were erased from result tables.
    pub fn erased_from_derived(&self) -> u64 {
        self.derived.iter().map(|file| file.erased).sum()
    }

    /// How often the users were found afterwards: 0 where the erasure is proven.
    pub fn found(&self) -> u64 {
        self.files().map(|file| file.found).sum()
    }

    /// Words in what stays that are like an id of theirs.
    pub fn mentions(&self) -> u64 {
        self.files().map(|file| file.mentions).sum()
    }

    /// Whether there was anything of them.
    pub fn is_nothing(&self) -> bool {
        self.files().all(|file| file.erased == 0)
    }

    fn files(&self) -> impl Iterator<Item = &ErasedFile> {
        self.store.iter().chain(&self.derived)
    }
}

impl Erasure {
    /// Returns an erasure of the users with these ids, written as text.
    pub fn new<T: Into<String>>(ids: impl IntoIterator<Item = T>) -> Self {
        Self {
            ids: ids.into_iter().map(Into::into).collect(),
            budget: MemoryBudget::from_mib(512),
            derived: Vec::new(),
        }
    }

    /// Sets how much memory it may use; without it, 512 MiB.
    pub fn with_memory(mut self, budget: MemoryBudget) -> Self {
        self.budget = budget;
        self
    }

    /// Names result tables, and folders of them, that hold the users as well. In the folder of a run (`store` beside a
    /// `summary.json`) those beside the store need not be named.
    pub fn with_derived(mut self, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        self.derived.extend(paths);
        self
    }

    /// Erases the users from the tables, each replaced in one step, then from the store at `target`, in one step. Done again, it
    /// goes on where it was stopped, and proves again what was done.
    ///
    /// # Complexity
    /// One row group in memory. Row groups that hold a user are written anew; where the source has sessions, so is one column of
    /// those behind them; files that change are copied otherwise. Then everything is read once.
    ///
    /// # Errors
    /// See [`IngestError`]: [`StoreError::UserId`] and others of [`StoreEraser::begin`] before anything is written;
    /// [`IngestError::NotErased`] where a user was found afterwards.
    pub fn run(&self, target: &Path) -> Result<(EventStore, ErasureReport), IngestError> {
        let eraser = StoreEraser::begin(target, &self.ids)?;
        let ids = eraser.users().bytes();
        let smallest = MemoryBudget::from_bytes((ids.bytes() * 4).max(SMALLEST_BYTES));
        self.budget.require("forget", smallest)?;
        let users = eraser.users().clone();
        let owner = Owner::new(&users, &eraser.store().manifest().mapping)?;
        let mut report = ErasureReport { users: eraser.asked(), ..ErasureReport::default() };
        let found = find_derived(&self.derived, eraser.store().path())?;
        for (path, named) in found.tables {
            match eraser.erase_table(&path, &owner) {
                Ok(erased) if erased.content == FileContent::Aggregates => {
                    report.aggregates.push(path);
                    report.derived.push(erased);
                }
                Ok(erased) => report.derived.push(erased),
                // Of a folder, what is not cip's is somebody else's.
                Err(StoreError::NotAResult { .. }) if named == Named::ByItsFolder => {
                    report.left_alone.push(path)
                }
                Err(error) => return Err(error.into()),
            }
        }
        report.aggregates.extend(found.others);
        report.left_alone.extend(found.folders);
        let ErasedStore { store, files, users } = eraser.finish(&owner)?;
        report.store = files;
        report.users_with_events = users;
        if report.found() > 0 {
            let place = report.files().find(|file| file.found > 0);
            let path = place.map(|file| file.path.clone()).unwrap_or_default();
            return Err(IngestError::NotErased { path, found: report.found() });
        }
        Ok((store, report))
    }
}

/// A row group of long texts, decoded, without the user, and encoded anew.
const SMALLEST_BYTES: u64 = 96 << 20;

/// How a table came to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Itself,
    ByItsFolder,
}

/// What was found to look at.
#[derive(Debug, Default)]
struct Derived {
    tables: Vec<(PathBuf, Named)>,
    others: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

/// Finds the tables that are named, those of folders that are named, and those of a run around the store.
fn find_derived(named: &[PathBuf], store: &Path) -> Result<Derived, IngestError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| IngestError::Io { action: "read", path, source }
    };
    let mut found = Derived::default();
    let mut folders: Vec<PathBuf> = Vec::new();
    for path in named {
        if fs::metadata(path).map_err(io(path))?.is_dir() {
            folders.push(path.clone());
        } else {
            found.tables.push((path.clone(), Named::Itself));
        }
    }
    let real = fs::canonicalize(store).map_err(io(store))?;
    if let Some(run) = run_around(store, &real)
        && !folders.iter().any(|folder| folder.canonicalize().ok() == run.canonicalize().ok())
    {
        folders.push(run);
    }
    for folder in folders {
        let entries = fs::read_dir(&folder).map_err(io(&folder))?;
        let mut paths =
            entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(io(&folder))?;
        paths.sort_unstable();
        for path in paths {
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            let is_table = path.extension().is_some_and(|extension| extension == "parquet");
            if hidden || path.canonicalize().is_ok_and(|path| path == real) {
                continue;
            } else if path.is_dir() {
                found.folders.push(path);
            } else if !is_table {
                found.others.push(path);
            } else if !found.tables.iter().any(|(known, _)| *known == path) {
                found.tables.push((path, Named::ByItsFolder));
            }
        }
    }
    Ok(found)
}

/// The folder of the run that made a store: there the store is called `store`, and a summary stands beside it.
fn run_around(store: &Path, real: &Path) -> Option<PathBuf> {
    let folder = real.parent().filter(|_| real.file_name().is_some_and(|name| name == "store"))?;
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("summary.json")).ok()?).ok()?;
    (summary.get("format")?.as_str()? == "cip-run").then_some(())?;
    // As the caller would write it, where that is the same folder.
    let written = store.parent().filter(|parent| !parent.as_os_str().is_empty());
    Some(written.map_or_else(|| PathBuf::from("."), Path::to_owned))
        .filter(|written| written.canonicalize().is_ok_and(|written| written == folder))
        .or_else(|| Some(folder.to_owned()))
}
