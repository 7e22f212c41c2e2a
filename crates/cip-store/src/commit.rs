//! Writing a commit: event files, dictionaries and rejects, then the manifest that makes them count.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use cip_core::EventSchema;

use crate::currency::CountsByFile;
use crate::error::StoreError;
use crate::event_encoder::{EncodedEvents, EventEncoder, UserCount};
use crate::event_form::{CompactFiles, CompactForm, EventLayout};
use crate::manifest::{
    Account, ColumnSpec, Commit, CommitLayout, DataFile, EventFile, FILE_NAME, Manifest, RowGroupSpan,
    SourceFile,
};
use crate::offers::Offers;
use crate::parquet_file::ParquetFile;
use crate::places::PlacesWriter;
use crate::staged::{StagedFolder, remove_folder, sync};
use crate::store::EventStore;
use crate::table::RowGroups;
use crate::transactions::TransactionsWriter;

/// Row groups of an event file: about four million rows, the part that is rewritten to erase a user.
const FILE_ROW_GROUPS: usize = 32;

/// Rows that a full row group of events holds.
pub const EVENT_ROW_GROUP_ROWS: usize = crate::encoding::ROW_GROUP_ROWS;

/// Writes a commit: the only one of a new store, or one more behind those of a store.
///
/// Everything is staged beside the target. [`StoreWriter::finish`] puts it in place; dropped before, it leaves
/// whatever was there.
#[derive(Debug)]
pub struct StoreWriter {
    staged: StagedFolder,
    manifest: Manifest,
    folder: PathBuf,
    prefix: String,
    place: Place,
    /// The number of the commit.
    id: u32,
    replaced: Vec<String>,
    /// The commits in whose place it is put.
    superseded: Vec<u32>,
}

/// Where a commit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Into a store of its own, which replaces what was there.
    NewStore,
    /// Behind the commits that there are, or those that are left of them.
    Behind,
}

impl StoreWriter {
    /// Starts a store at `target`, which must be absent, empty, or a folder that cip wrote.
    ///
    /// `mapping` is kept in the manifest as it is given.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`], [`StoreError::Busy`], [`StoreError::Io`].
    pub fn create(
        target: &Path,
        schema: &EventSchema,
        mapping: serde_json::Value,
    ) -> Result<Self, StoreError> {
        let staged = StagedFolder::begin(target)?;
        Self::begin(staged, Manifest::new(schema, mapping)?, Place::NewStore)
    }

    /// Starts one more commit of the store at `target`, and returns the store as it is. What a run that was killed left in
    /// the store is removed.
    ///
    /// # Errors
    /// As [`EventStore::open`], and [`StoreError::Busy`].
    pub fn append(target: &Path) -> Result<(Self, EventStore), StoreError> {
        let (staged, store) = Self::locked(target)?;
        remove_strangers(staged.target(), store.manifest())?;
        let manifest = store.manifest().clone();
        Ok((Self::begin(staged, manifest, Place::Behind)?, store))
    }

    /// Starts a store with the columns, the mapping and the experiment of the one at `target`, which it will replace, and
    /// returns that one.
    ///
    /// # Errors
    /// As [`EventStore::open`], and [`StoreError::Busy`].
    pub fn rewrite(target: &Path) -> Result<(Self, EventStore), StoreError> {
        let (staged, store) = Self::locked(target)?;
        let manifest = store.manifest().with_commits(Vec::new());
        Ok((Self::begin(staged, manifest, Place::NewStore)?, store))
    }

    /// Starts a commit that will take the place of those that `choose` names of the store at `target`, and returns the store as
    /// it is. Where it names all, the commit makes a store of its own, which replaces the whole folder.
    ///
    /// # Errors
    /// As [`EventStore::open`], and [`StoreError::Busy`].
    pub fn supersede(
        target: &Path,
        choose: impl FnOnce(&EventStore) -> Vec<u32>,
    ) -> Result<(Self, EventStore), StoreError> {
        let (staged, store) = Self::locked(target)?;
        remove_strangers(staged.target(), store.manifest())?;
        let superseded = choose(&store);
        let commits = &store.manifest().commits;
        let left: Vec<Commit> =
            commits.iter().filter(|commit| !superseded.contains(&commit.id)).cloned().collect();
        let (place, last) = match commits.last() {
            Some(last) if !left.is_empty() => (Place::Behind, last.id),
            _ => (Place::NewStore, 0),
        };
        let manifest = store.manifest().with_commits(left);
        let mut writer = Self::begin_as(staged, manifest, place, last + 1)?;
        writer.superseded = superseded;
        Ok((writer, store))
    }

    /// Keeps others from writing the store at `target`, then opens it.
    fn locked(target: &Path) -> Result<(StagedFolder, EventStore), StoreError> {
        // A store that cannot be read is told before a folder is made beside it.
        EventStore::open(target)?;
        let staged = StagedFolder::begin(target)?;
        let store = EventStore::open(staged.target())?;
        Ok((staged, store))
    }

    fn begin(staged: StagedFolder, manifest: Manifest, place: Place) -> Result<Self, StoreError> {
        let id = manifest.commits.last().map_or(0, |commit| commit.id) + 1;
        Self::begin_as(staged, manifest, place, id)
    }

    fn begin_as(staged: StagedFolder, manifest: Manifest, place: Place, id: u32) -> Result<Self, StoreError> {
        let prefix = commit_folder(id);
        let folder = staged.path().join(&prefix);
        fs::create_dir_all(&folder).map_err(StoreError::io("create", &folder))?;
        let (replaced, superseded) = (Vec::new(), Vec::new());
        Ok(Self { staged, manifest, folder, prefix, place, id, replaced, superseded })
    }

    /// Takes the rows of these source files, which earlier commits have, out of the store.
    #[must_use]
    pub fn with_replaced(mut self, names: Vec<String>) -> Self {
        self.replaced = names;
        self
    }

    /// Says in the manifest how new commits keep their events.
    #[must_use]
    pub fn with_event_layout(mut self, layout: EventLayout) -> Self {
        self.manifest.event_layout = layout;
        self
    }

    /// How the store keeps its events.
    pub fn event_layout(&self) -> EventLayout {
        self.manifest.event_layout
    }

    /// Keeps in the manifest the experiment by which the events have their `experiment_group`.
    #[must_use]
    pub fn with_experiment(mut self, experiment: serde_json::Value) -> Self {
        self.manifest.experiment = Some(experiment);
        self
    }

    /// Keeps in the manifest another mapping, by which rows are read from now on, and its columns: those of the store, of which
    /// more may be null.
    #[must_use]
    pub fn with_mapping(mut self, mapping: serde_json::Value, columns: Vec<ColumnSpec>) -> Self {
        self.manifest.mapping = mapping;
        self.manifest.columns = columns;
        self
    }

    /// The number that the commit will have: 1 in a store of its own.
    pub fn commit_id(&self) -> u32 {
        self.id
    }

    /// A folder on the same disk for temporary files; remove them before [`StoreWriter::finish`].
    pub fn scratch(&self) -> &Path {
        self.staged.path()
    }

    /// Starts the commit's events.
    ///
    /// # Errors
    /// As the manifest's schema.
    pub fn events(&self) -> Result<EventsWriter, StoreError> {
        let schema = self.manifest.schema()?;
        let encoder = EventEncoder::new(schema.arrow(), &self.folder)?;
        Ok(self.events_writer(encoder.clone(), encoder, None))
    }

    /// Starts the commit's events in fewer and smaller columns.
    ///
    /// # Errors
    /// As the manifest's schema.
    pub fn compact_events(&self, form: CompactForm) -> Result<EventsWriter, StoreError> {
        let (schema, form) = (self.manifest.schema()?, Arc::new(form));
        let whole = EventEncoder::new(schema.arrow(), &self.folder)?;
        let encoder = EventEncoder::compact(schema.arrow(), Arc::clone(&form), &self.folder)?;
        Ok(self.events_writer(encoder, whole, Some(form)))
    }

    /// `whole` encodes transactions.
    fn events_writer(
        &self,
        encoder: EventEncoder,
        whole: EventEncoder,
        form: Option<Arc<CompactForm>>,
    ) -> EventsWriter {
        let file = "transactions.parquet";
        let (path, name) = (self.folder.join(file), format!("{}/{file}", self.prefix));
        EventsWriter {
            transactions: TransactionsWriter::new(whole, path, name),
            encoder,
            form,
            folder: self.folder.clone(),
            prefix: self.prefix.clone(),
            open: None,
            files: Vec::new(),
            users: UserCount::default(),
            currencies: CountsByFile::new(),
        }
    }

    /// Starts one of the commit's side tables: `session_dictionary`, `product_dictionary` or `rejects`.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn side_table(&self, table: &str, schema: &SchemaRef) -> Result<SideTableWriter, StoreError> {
        let file = format!("{table}.parquet");
        let rows = RowGroups::create(&self.folder.join(&file), table, schema)?;
        Ok(SideTableWriter { rows, name: format!("{}/{file}", self.prefix) })
    }

    /// Starts the places of the commit's events among the rejects of their files.
    ///
    /// # Errors
    /// [`StoreError::Parquet`].
    pub fn places(&self) -> Result<PlacesWriter, StoreError> {
        let file = format!("{}.parquet", crate::places::TABLE);
        PlacesWriter::new(self.folder.join(&file), format!("{}/{file}", self.prefix))
    }

    /// Leaves the commits of `store`, which was returned with this writer, as they are and puts a manifest with this writer's
    /// mapping and columns in place.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the old manifest is then still there.
    pub fn finish_without_commit(self, store: &EventStore) -> Result<EventStore, StoreError> {
        let manifest = self.manifest.with_commits(store.manifest().commits.clone());
        self.write_manifest(&manifest)?;
        let target = self.staged.target().to_owned();
        self.staged.replace_document(FILE_NAME)?;
        EventStore::open(&target)
    }

    /// What the store will hold, but for the commit.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn write_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let path = self.staged.path().join(FILE_NAME);
        let json =
            manifest.to_json().map_err(|error| StoreError::Manifest { path, reason: error.to_string() })?;
        self.staged.write(FILE_NAME, &json)
    }

    /// Checks the law of rows, writes the manifest and puts the store in place.
    ///
    /// # Errors
    /// [`StoreError::Account`] where rows do not add up, [`StoreError::Io`]; what was there before then still is.
    pub fn finish(mut self, mut parts: CommitParts) -> Result<EventStore, StoreError> {
        let mut account = Account::default();
        for source in &parts.sources {
            source.account.check()?;
            account.add(&source.account);
        }
        let WrittenEvents { files, transactions, compact, users, mut currencies } = parts.events;
        let events: u64 = files.iter().map(|file| file.file.rows).sum();
        // The law again, by what lies on disk.
        Account { events, ..account.clone() }.check()?;
        if parts.rejects.rows != account.rejected() {
            return Err(StoreError::Account {
                rows: account.rows,
                events,
                rejects: parts.rejects.rows,
                drops: account.dropped(),
                forgotten: account.forgotten,
            });
        }
        let spans = files.iter().flat_map(|file| &file.row_groups).map(|group| group.times);
        let id = self.id;
        self.mark_replaced(id)?;
        let schema = self.manifest.schema()?;
        if schema.has(cip_core::column::CURRENCY) && schema.has(cip_core::column::SOURCE_FILE) {
            for source in &mut parts.sources {
                source.currencies = Some(currencies.remove(&source.name).unwrap_or_default());
            }
        }
        self.manifest.commits.push(Commit {
            id,
            account,
            sources: parts.sources,
            time_span: spans.reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])]),
            users: users.known,
            events_without_user: users.unknown_events,
            session_codes: parts.session_dictionary.as_ref().map_or(0, |table| table.rows),
            events: files,
            transactions,
            compact,
            session_dictionary: parts.session_dictionary,
            product_dictionary: parts.product_dictionary,
            rejects: parts.rejects,
            places: parts.places,
            aliases: parts.aliases,
            quality: parts.quality,
            layout: CommitLayout::Whole,
        });
        self.write_manifest(&self.manifest)?;
        for made in [&self.folder, &self.staged.path().join("commits")] {
            sync(made)?;
        }
        let target = self.staged.target().to_owned();
        match self.place {
            Place::NewStore => self.staged.publish()?,
            Place::Behind => {
                self.staged.add(&self.prefix, FILE_NAME)?;
                for id in &self.superseded {
                    // Nobody knows of them any more: what cannot be removed is cleared by the next run.
                    let _ = remove_folder(&target.join(commit_folder(*id)));
                }
            }
        }
        EventStore::open(&target)
    }

    /// Notes which source files of earlier commits the commit `id` replaces, and what span their commits have without them.
    fn mark_replaced(&mut self, id: u32) -> Result<(), StoreError> {
        let Manifest { commits, .. } = &mut self.manifest;
        let mut changed = Vec::new();
        for source in commits.iter_mut().flat_map(|commit| &mut commit.sources) {
            if source.replaced_by.is_some_and(|by| self.superseded.contains(&by)) {
                source.replaced_by = Some(id);
            }
        }
        for (index, commit) in commits.iter_mut().enumerate() {
            for source in &mut commit.sources {
                if source.replaced_by.is_none() && self.replaced.contains(&source.name) {
                    source.replaced_by = Some(id);
                    changed.push(index);
                }
            }
        }
        changed.dedup();
        for index in changed {
            let alone = self.manifest.with_commits(vec![self.manifest.commits[index].clone()]);
            self.manifest.commits[index].time_span = counted_span(self.staged.target(), alone)?;
        }
        Ok(())
    }
}

/// The folder of a commit, inside its store.
fn commit_folder(id: u32) -> String {
    format!("commits/{id:06}")
}

/// Returns the span of the events that count in the commits of a manifest, whose files lie at `root`.
pub(crate) fn counted_span(root: &Path, manifest: Manifest) -> Result<Option<[i64; 2]>, StoreError> {
    let store = EventStore::with_manifest(root, manifest)?;
    let mut span: Option<[i64; 2]> = None;
    for partition in store.scan(&[cip_core::column::EVENT_TIME]).partitions() {
        for events in partition.batches()? {
            for &time in events?.times()?.values() {
                span = Some(span.map_or([time; 2], |[first, last]| [first.min(time), last.max(time)]));
            }
        }
    }
    Ok(span)
}

/// Removes folders of commits that the manifest does not know: a run that was killed left them.
fn remove_strangers(store: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let commits = store.join("commits");
    let known = |name: &str| manifest.commits.iter().any(|commit| format!("{:06}", commit.id) == name);
    for entry in fs::read_dir(&commits).map_err(StoreError::io("read", &commits))? {
        let entry = entry.map_err(StoreError::io("read", &commits))?;
        if !entry.file_name().to_str().is_some_and(known) {
            remove_folder(&entry.path())?;
        }
    }
    Ok(())
}

/// The parts of a commit, once they are written.
#[derive(Debug)]
pub struct CommitParts {
    /// The files read, with their accounts.
    pub sources: Vec<SourceFile>,
    /// From [`EventsWriter::finish`].
    pub events: WrittenEvents,
    /// From [`SideTableWriter::finish`]; none where the source has no sessions.
    pub session_dictionary: Option<DataFile>,
    /// From [`SideTableWriter::finish`]; none where the source has no products.
    pub product_dictionary: Option<DataFile>,
    /// From [`SideTableWriter::finish`].
    pub rejects: DataFile,
    /// From [`PlacesWriter::finish`]; none where there are no rejects, or more than are kept track of.
    pub places: Option<DataFile>,
    /// From [`AliasTable::write`](crate::AliasTable::write); none where the store knows no others than before.
    pub aliases: Option<DataFile>,
    /// The data contracts that rows were held against, each with what was found. They are kept as they are given.
    pub quality: Vec<serde_json::Value>,
}

/// Appends row groups of events, in order, to files of a bounded size.
pub struct EventsWriter {
    encoder: EventEncoder,
    form: Option<Arc<CompactForm>>,
    folder: PathBuf,
    prefix: String,
    open: Option<(ParquetFile, Vec<RowGroupSpan>)>,
    files: Vec<EventFile>,
    transactions: TransactionsWriter,
    users: UserCount,
    currencies: CountsByFile,
}

impl std::fmt::Debug for EventsWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventsWriter").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

/// The event files of a commit.
#[derive(Debug)]
pub struct WrittenEvents {
    files: Vec<EventFile>,
    transactions: Option<EventFile>,
    compact: Option<CompactFiles>,
    users: UserCount,
    currencies: CountsByFile,
}

impl EventsWriter {
    /// The encoder of its row groups, for use on other threads.
    pub fn encoder(&self) -> EventEncoder {
        self.encoder.clone()
    }

    /// Appends the next row group.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the disk is full.
    pub fn append(&mut self, events: EncodedEvents) -> Result<(), StoreError> {
        let (file, spans) = match &mut self.open {
            Some(open) => open,
            none => {
                let path = self.folder.join(format!("events-{:05}.parquet", self.files.len()));
                none.insert((ParquetFile::create(&path, self.encoder.row_groups())?, Vec::new()))
            }
        };
        file.append(events.group)?;
        self.transactions.append(events.transactions, events.span.rows)?;
        spans.push(events.span);
        self.users.append(events.users);
        for (file, counts) in events.currencies {
            self.currencies.entry(file).or_default().add(&counts);
        }
        if spans.len() == FILE_ROW_GROUPS {
            self.close()?;
        }
        Ok(())
    }

    /// Ends the last file.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn finish(mut self) -> Result<WrittenEvents, StoreError> {
        self.close()?;
        let compact = match &self.form {
            Some(form) => Some(CompactFiles {
                offers: form
                    .offers()
                    .map(|offers| write_offers(offers, &[], &self.folder, &self.prefix))
                    .transpose()?,
                times: form.times,
            }),
            None => None,
        };
        let Self { files, transactions, users, currencies, .. } = self;
        Ok(WrittenEvents { files, transactions: transactions.finish()?, compact, users, currencies })
    }

    fn close(&mut self) -> Result<(), StoreError> {
        if let Some((file, row_groups)) = self.open.take() {
            let name = format!("{}/events-{:05}.parquet", self.prefix, self.files.len());
            self.files.push(EventFile { file: file.finish(name)?, row_groups });
        }
        Ok(())
    }
}

/// Writes the table of offers of a commit into its folder, with so many events less of each.
pub(crate) fn write_offers(
    offers: &Offers,
    less: &[u64],
    folder: &Path,
    prefix: &str,
) -> Result<DataFile, StoreError> {
    let file = "offers.parquet";
    let table = offers.to_table(less)?;
    let mut rows = RowGroups::create(&folder.join(file), "offers", &table.schema())?;
    rows.write(table)?;
    rows.finish(format!("{prefix}/{file}"))
}

/// Writes a side table of a commit.
pub struct SideTableWriter {
    rows: RowGroups,
    name: String,
}

impl std::fmt::Debug for SideTableWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SideTableWriter").field("name", &self.name).finish_non_exhaustive()
    }
}

impl SideTableWriter {
    /// Appends rows.
    ///
    /// # Errors
    /// As [`crate::TableWriter::write`].
    pub fn write(&mut self, batch: RecordBatch) -> Result<(), StoreError> {
        self.rows.write(batch)
    }

    /// Ends the table.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn finish(self) -> Result<DataFile, StoreError> {
        self.rows.finish(self.name)
    }
}

#[cfg(test)]
mod tests;
