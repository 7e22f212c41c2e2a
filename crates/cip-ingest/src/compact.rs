//! Compaction: the commits of a store as one, with the bytes that one ingest of all its files would write.
//!
//! The merged scan gives the events in the store's order. What is left of an ingest's second pass follows: sessions get
//! their codes by first event, row groups are cut by rows and by the bytes that the rows would have taken, and encoded.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_select::interleave::interleave;
use cip_core::pipeline::ordered_map;
use cip_core::{CoreError, EventBatch, MemoryBudget, column, table};
use cip_store::{
    Account, AliasTable, CommitLayout, CommitParts, DataFile, EventBatches, EventLayout, EventPartition,
    EventScan, EventStore, PlacesWriter, SideTableWriter, SourceFile, StoreWriter,
};
use foldhash::fast::RandomState;

use crate::compact_events;
use crate::cutter::{Cutter, RowBytes};
use crate::error::IngestError;
use crate::ingest::{CommitWriters, EncodedGroup, KnownAliases, append_groups, write_products};
use crate::merged_places::MergedPlaces;
use crate::moved::{Mover, any_moves};
use crate::number::SharedWriter;
use crate::plan::Plan;
use crate::products::Products;
use crate::report::IngestProgress;

/// Merges the commits of a store into one.
///
/// The store is afterwards, byte for byte, what [`Ingest::run`](crate::Ingest::run) makes of all its files; rows of files
/// that were replaced are gone. It appears in one step; whoever has the old one open reads on in that.
#[derive(Debug, Clone)]
pub struct Compaction {
    budget: MemoryBudget,
    threads: Option<NonZeroUsize>,
    aliases: Option<Arc<AliasTable>>,
}

/// What was compacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionReport {
    /// Commits that there were; one is left as it is, unless users were erased from it.
    pub commits: usize,
    /// Bytes of the store before, all but the manifest.
    pub bytes_before: u64,
    /// Events of aliases that have their users now.
    pub stitched: u64,
    /// What was done.
    pub outcome: CompactionOutcome,
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompactionOutcome {
    /// Nothing: the store had one whole commit.
    AsItWas,
    /// Several commits became one.
    Merged,
    /// Users were put in the place of their aliases in the only commit.
    Stitched,
    /// The row groups of the only commit, from which users had been erased, were filled up again.
    Refilled,
}

impl Default for Compaction {
    fn default() -> Self {
        Self::new()
    }
}

impl Compaction {
    /// Returns a compaction in 512 MiB, on as many threads as the machine runs at once and the memory carries.
    pub fn new() -> Self {
        Self { budget: MemoryBudget::from_mib(512), threads: None, aliases: None }
    }

    /// Sets how much memory it may use. What reads the commits comes on top, up to a MiB a commit.
    pub fn with_memory(mut self, budget: MemoryBudget) -> Self {
        self.budget = budget;
        self
    }

    /// Sets the number of threads; without it, those that the machine runs at once and the memory carries.
    pub fn with_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Puts users in the place of these aliases, beside those that the store knows; it keeps them all.
    pub fn with_aliases(mut self, aliases: AliasTable) -> Self {
        self.aliases = Some(Arc::new(aliases));
        self
    }

    /// Merges the commits of the store at `target`, and puts users in the place of all their aliases; a store with one commit is left as it is, unless users were erased from it
    /// (then its row groups are filled up again) or it has events of aliases.
    ///
    /// Events of one user, time and source file that came under several ids have the order of their lines no more: those of the user's
    /// own id come first, then the others by their ids.
    ///
    /// # Errors
    /// See [`IngestError`]. The store is then as it was.
    pub fn run(
        &self,
        target: &Path,
        progress: &mut dyn FnMut(IngestProgress),
    ) -> Result<(EventStore, CompactionReport), IngestError> {
        let plan = Plan::new(self.budget, self.threads, None, &[])?;
        let (writer, store) = StoreWriter::rewrite(target)?;
        let erased = store.manifest().commits.iter().any(|commit| commit.layout == CommitLayout::Erased);
        let known = self.known_aliases(&store)?;
        let moves = match &known.table {
            Some(aliases) => known.news() || any_moves(&store, aliases)?,
            None => false,
        };
        let mut report = CompactionReport {
            commits: store.manifest().commits.len(),
            bytes_before: store.files().map(|file| file.bytes).sum(),
            stitched: 0,
            outcome: match store.manifest().is_one_commit() {
                false => CompactionOutcome::Merged,
                true if moves => CompactionOutcome::Stitched,
                true if erased => CompactionOutcome::Refilled,
                true => CompactionOutcome::AsItWas,
            },
        };
        if report.outcome == CompactionOutcome::AsItWas {
            return Ok((store, report));
        }
        let store = store.merging();
        let mut rejects = writer.side_table("rejects", &table::rejects())?;
        for batch in store.rejects()?.into_iter().flatten() {
            rejects.write(batch?)?;
        }
        let places = MergedPlaces::of(&store);
        let mut joined = None;
        if let (Some(aliases), true) = (&known.table, moves) {
            let mover = Mover::new(&store, aliases, &places, self.budget.part(1, 8))?;
            if let Some(moved) = mover.run(&writer)? {
                report.stitched = moved.events;
                let all: Vec<u32> = store.manifest().commits.iter().map(|commit| commit.id).collect();
                joined = Some(store.joined(&all, Some(&moved.store), &writer)?);
            }
        }
        let manifest = store.manifest();
        let parts = MergedParts {
            sources: manifest.sources().cloned().collect(),
            rejects: rejects.finish()?,
            quality: manifest.commits.iter().flat_map(|commit| commit.quality.clone()).collect(),
            places,
            aliases: known.write(&writer)?,
            left_out: known.table.clone().filter(|_| joined.is_some()),
        };
        let parts = merge(&writer, joined.as_ref().unwrap_or(&store), &plan, parts, progress)?;
        Mover::clear(&writer)?;
        Ok((writer.finish(parts)?, report))
    }
}

impl Compaction {
    /// The aliases that the store knows and those that are given.
    fn known_aliases(&self, store: &EventStore) -> Result<KnownAliases, IngestError> {
        if let Some(given) = &self.aliases {
            let mapping = || store.manifest().mapping["name"].as_str().unwrap_or_default().to_owned();
            KnownAliases::check_type(given, store.schema(), mapping)?;
        }
        KnownAliases::of(Some(store), self.aliases.as_ref(), self.budget)
    }
}

/// What is known of merged commits before their events are.
pub(crate) struct MergedParts {
    pub(crate) sources: Vec<SourceFile>,
    pub(crate) rejects: DataFile,
    pub(crate) quality: Vec<serde_json::Value>,
    pub(crate) places: MergedPlaces,
    pub(crate) aliases: Option<DataFile>,
    /// Whose events are not read, where they lie in the store under their users as well.
    pub(crate) left_out: Option<Arc<AliasTable>>,
}

/// Merges the events of a store into one commit.
pub(crate) fn merge(
    writer: &StoreWriter,
    store: &EventStore,
    plan: &Plan,
    known: MergedParts,
    progress: &mut dyn FnMut(IngestProgress),
) -> Result<CommitParts, IngestError> {
    let MergedParts { mut sources, rejects, quality, places, aliases, left_out } = known;
    sources.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let mut account = Account::default();
    sources.iter().for_each(|source| account.add(&source.account));

    let schema = store.schema();
    let dictionary: SharedWriter = Arc::new(Mutex::new(None));
    if let Some(sessions) = store.session_dictionary()? {
        *dictionary.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(writer.side_table("session_dictionary", &sessions.schema())?);
    }
    let names: Vec<&str> = schema.arrow().fields().iter().map(|field| field.name().as_str()).collect();
    let scan = left_out.iter().cloned().fold(store.scan(&names), EventScan::without_aliases);
    let mut of_offers = None;
    let scan = if places == MergedPlaces::Unknown { scan } else { scan.with_places(store)? };
    let groups = MergedGroups {
        partitions: scan.partitions().into_iter(),
        batches: None,
        numbering: Numbering { next: 0, codes: HashMap::default(), writer: Arc::clone(&dictionary) },
        cutter: Cutter::new(RowBytes::of(store)?),
        ready: Vec::new().into_iter(),
    };
    let mut events = match writer.event_layout() {
        EventLayout::Plain => writer.events()?,
        EventLayout::Compact => {
            let form = compact_events::form_of(store, |columns| {
                left_out.iter().cloned().fold(store.scan(columns), EventScan::without_aliases)
            })?;
            of_offers = compact_events::products(&form)?;
            writer.compact_events(form)?
        }
    };
    let mut places_writer = if places.are_kept() { Some(writer.places()?) } else { None };
    let encoder = events.encoder();
    let coded = of_offers.is_some();
    let mut products = of_offers.or_else(|| schema.id_type(column::PRODUCT_ID).map(Products::new));
    std::thread::scope(|scope| {
        let encoded = ordered_map(scope, plan.threads, groups, |pieces: Result<_, IngestError>| {
            let (pieces, places) = places.take_off(pieces?)?;
            let mut encoded = encoder.encode_pieces(&pieces)?;
            let mut products = encoded.take_products().map(Products::Int64);
            if products.is_none() && !coded {
                for piece in &pieces {
                    match (&mut products, Products::of(piece.record_batch())?) {
                        (Some(products), Some(of_piece)) => products.add(of_piece),
                        (none, of_piece) => *none = of_piece,
                    }
                }
            }
            let rows = pieces.iter().map(EventBatch::len).sum();
            Ok::<_, IngestError>(EncodedGroup { events: encoded, products, rows, places: Some(places) })
        });
        let commit =
            CommitWriters { events: &mut events, places: places_writer.as_mut(), products: &mut products };
        append_groups(encoded, commit, plan, &account, progress)
    })?;
    let sessions = dictionary.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(CommitParts {
        sources,
        events: events.finish()?,
        session_dictionary: sessions.map(SideTableWriter::finish).transpose()?,
        product_dictionary: products.map(|products| write_products(writer, products)).transpose()?,
        rejects,
        places: places_writer.map(PlacesWriter::finish).transpose()?.flatten(),
        aliases,
        quality,
    })
}

/// The row groups of the merged events, each in pieces.
struct MergedGroups {
    partitions: std::vec::IntoIter<EventPartition>,
    batches: Option<EventBatches>,
    numbering: Numbering,
    cutter: Cutter,
    ready: std::vec::IntoIter<Vec<EventBatch>>,
}

impl MergedGroups {
    fn next_group(&mut self) -> Result<Option<Vec<EventBatch>>, IngestError> {
        loop {
            if let Some(group) = self.ready.next() {
                return Ok(Some(group));
            }
            let Some(batches) = &mut self.batches else {
                match self.partitions.next() {
                    Some(partition) => {
                        self.batches = Some(partition.batches()?);
                        // No user is in two partitions, so no session is.
                        self.numbering.codes.clear();
                        continue;
                    }
                    None => return Ok(self.cutter.finish()),
                }
            };
            match batches.next() {
                None => self.batches = None,
                Some(events) => {
                    let (events, session_bytes) = self.numbering.number(&events?, batches)?;
                    self.ready = self.cutter.take(&events, &session_bytes)?.into_iter();
                }
            }
        }
    }
}

impl Iterator for MergedGroups {
    type Item = Result<Vec<EventBatch>, IngestError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_group().transpose()
    }
}

/// Gives sessions the next code by their first event, and writes their dictionary.
struct Numbering {
    next: u64,
    /// The new code of each session of the partition, and the bytes of its id where it is a text.
    codes: HashMap<u32, (u32, usize), RandomState>,
    writer: SharedWriter,
}

impl Numbering {
    /// Returns the events with their new codes, and what the session ids of each row take; nothing where they are no texts.
    fn number(
        &mut self,
        events: &EventBatch,
        of: &EventBatches,
    ) -> Result<(EventBatch, Vec<usize>), IngestError> {
        let batch = events.record_batch();
        let Some((place, _)) = batch.schema_ref().column_with_name(column::SOURCE_SESSION) else {
            return Ok((events.clone(), Vec::new()));
        };
        let old = batch.column(place).as_primitive::<UInt32Type>();
        let mut new: Vec<u32> = Vec::with_capacity(old.len());
        let mut bytes: Vec<usize> = Vec::new();
        // Rows of the dictionaries for the sessions that come first in this batch.
        let mut found: Vec<(RecordBatch, usize)> = Vec::new();
        let start = self.next;
        for row in 0..old.len() {
            if old.is_null(row) {
                new.push(0);
                bytes.push(0);
                continue;
            }
            let session = old.value(row);
            let (code, length) = match self.codes.get(&session) {
                Some(&known) => known,
                None => {
                    let (rows, entry) = of
                        .session(session)
                        .ok_or(CoreError::MissingColumn { column: column::USER_SESSION })?;
                    let code = u32::try_from(self.next).map_err(|_| CoreError::TooManyCodes {
                        column: column::SOURCE_SESSION,
                        limit: 1 << 32,
                    })?;
                    self.next += 1;
                    let texts = rows.column(1).as_string_opt::<i32>();
                    let length = texts.map_or(0, |texts| texts.value_length(entry) as usize);
                    found.push((rows.clone(), entry));
                    self.codes.insert(session, (code, length));
                    (code, length)
                }
            };
            new.push(code);
            bytes.push(length);
        }
        self.write(start, &found)?;
        let mut columns = batch.columns().to_vec();
        columns[place] = Arc::new(UInt32Array::new(new.into(), old.nulls().cloned()));
        let numbered = RecordBatch::try_new(batch.schema(), columns).map_err(CoreError::from)?;
        Ok((EventBatch::try_new(numbered)?, bytes))
    }

    /// Writes rows of the dictionary with codes from `start` on.
    fn write(&self, start: u64, found: &[(RecordBatch, usize)]) -> Result<(), IngestError> {
        let Some((first, _)) = found.first() else { return Ok(()) };
        let places: Vec<(usize, usize)> =
            found.iter().enumerate().map(|(batch, &(_, row))| (batch, row)).collect();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(first.num_columns());
        let codes = (start..).take(found.len()).map(|code| code as u32);
        columns.push(Arc::new(UInt32Array::from_iter_values(codes)));
        for column in 1..first.num_columns() {
            let arrays: Vec<&dyn Array> =
                found.iter().map(|(rows, _)| rows.column(column).as_ref()).collect();
            columns.push(interleave(&arrays, &places).map_err(CoreError::from)?);
        }
        let batch = RecordBatch::try_new(first.schema(), columns).map_err(CoreError::from)?;
        match self.writer.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(writer) => Ok(writer.write(batch)?),
            None => Ok(()),
        }
    }
}
