//! Replay: the rejects of a store are read again, by a mapping or a contract that was mended.

use std::path::Path;
use std::sync::Arc;

use cip_abtest::Experiment;
use cip_core::CoreError;
use cip_core::table::{self, SessionIdType};
use cip_store::{
    Account, ColumnSpec, CommitParts, DataFile, EventStore, SideTableWriter, SourceFile, StoreError,
    StoreWriter,
};

use super::Ingest;
use crate::attributes::AttributeUse;
use crate::compact::{MergedParts, merge};
use crate::contract::Contract;
use crate::contract::resolve::{Check, Extent, Rule};
use crate::error::IngestError;
use crate::mapping::{SourceMapping, SourceMappingBuilder};
use crate::merged_places::MergedPlaces;
use crate::origin::Origin;
use crate::owner::user_field;
use crate::parse::Parser;
use crate::plan::Plan;
use crate::record_form::RecordForm;
use crate::reject::{self, Reject};
use crate::rejected::{Rejected, RejectedFile};
use crate::replay_books::ReplayBooks;
use crate::report::{IngestPhase, IngestProgress, ReplayReport};
use crate::scatter::Scatter;
use crate::source::{Compression, Source};
use crate::spill::SpillFolder;
use crate::splitters::Splitters;
use crate::taken::check_replayed;
use crate::target::ColumnKind;

/// The store that holds the replayed events until they are merged, in the scratch folder.
const REPLAYED: &str = "replayed";

impl Ingest {
    /// Reads the rejects of the store at `target` again, by this mapping and this contract: rows that fit now become events, others
    /// stay rejects with the reason that they have now, and rules drop rows.
    ///
    /// The bytes are those that the store keeps of each reject; rows of which it has only a part stay as they are. The commits with
    /// rejects are written anew as one, and appear in one step; other commits are not touched. The store has this mapping
    /// afterwards. Where the mapping reads the rows that were events before as they were read then, the store gives what one ingest of
    /// all files by this mapping gives, and becomes it when it is compacted. Rows that were events stay as they are in any case.
    ///
    /// A replay that finds nothing to change writes nothing.
    ///
    /// # Errors
    /// See [`IngestError`]. The mapping must make the columns of the store, and the contract must not have `unique`. The store is then
    /// as it was.
    pub fn replay(
        &self,
        target: &Path,
        progress: &mut dyn FnMut(IngestProgress),
    ) -> Result<(EventStore, ReplayReport), IngestError> {
        let rules = self.rules(Extent::Whole)?;
        self.refuse_unique(rules.as_deref())?;
        let plan = Plan::new(self.budget, self.threads, self.chunk_bytes, &[])?;
        let mapping = serde_json::to_value(&self.mapping)?;
        let columns = ColumnSpec::of(&self.schema()?)?;
        let mut chosen = Vec::new();
        let (writer, store) = StoreWriter::supersede(target, |store| {
            chosen = written_anew(store, &columns);
            chosen.clone()
        })?;
        self.check_replay(&store, &chosen, &columns)?;
        let same = store.manifest().mapping == mapping;
        let other_columns = store.manifest().columns != columns;
        let writer = writer.with_mapping(mapping, columns);

        let old = store.joined(&chosen, None, &writer)?;
        let known_aliases = self.known_aliases(Some(&store))?;
        if known_aliases.news() {
            return Err(IngestError::ReplayAliases { store: store.path().to_owned() });
        }
        let parser = self.parser(AttributeUse::InEachRow, rules.as_ref(), &known_aliases)?;
        let scatter = Scatter::new(
            &parser.layout,
            Splitters::default(),
            SpillFolder::new(writer.scratch()),
            plan.buffer_bytes,
            plan.threads,
        );
        let (read, rejects) = self.read_rejects(&writer, &old, &parser, &plan, &scatter, progress)?;
        let mut report = ReplayReport {
            account: read.account.clone(),
            cut: read.cut,
            stitched: read.stitched,
            ..ReplayReport::default()
        };
        if read.changed == 0 && !other_columns {
            let store = if same { store } else { writer.finish_without_commit(&store)? };
            return Ok((store, report));
        }
        report.quality = self.quality(rules.as_deref(), &read.account, &read.tally)?;

        let replayed = self.write_replayed(&writer, &parser, &plan, scatter, &read)?;
        let joined = store.joined(&chosen, replayed.as_ref(), &writer)?;
        let quality = old.manifest().commits.iter().flat_map(|commit| commit.quality.clone());
        let known = MergedParts {
            sources: read.sources(&old),
            rejects,
            quality: quality.chain(self.kept_quality(report.quality.as_ref())?).collect(),
            places: MergedPlaces::among(read.remaining),
            // The commits that have it now may be among those that are merged.
            aliases: known_aliases.write(&writer)?,
            left_out: None,
        };
        let parts = merge(&writer, &joined, &plan, known, progress)?;
        let scratch = writer.scratch().join(REPLAYED);
        if replayed.is_some() {
            let io = |source| IngestError::Io { action: "remove", path: scratch.clone(), source };
            std::fs::remove_dir_all(&scratch).map_err(io)?;
        }
        report.commit = Some(writer.commit_id());
        Ok((writer.finish(parts)?, report))
    }

    /// Refuses a contract that compares rows with those that were kept before.
    fn refuse_unique(&self, rules: Option<&[Rule]>) -> Result<(), IngestError> {
        let mut rules = rules.unwrap_or_default().iter();
        match rules.find(|rule| matches!(rule.check, Check::Unique)) {
            None => Ok(()),
            Some(rule) => Err(IngestError::ReplayUnique {
                contract: self.contract.as_ref().map(Contract::name).unwrap_or_default().to_owned(),
                expectation: rule.name.clone(),
            }),
        }
    }

    /// Checks that rejects of these commits can be read by this mapping and this contract.
    fn check_replay(
        &self,
        store: &EventStore,
        chosen: &[u32],
        columns: &[ColumnSpec],
    ) -> Result<(), IngestError> {
        let experiment = self.experiment.as_ref().map(serde_json::to_value::<&Experiment>).transpose()?;
        check_replayed(store, experiment.as_ref(), columns)?;
        let before: SourceMappingBuilder = serde_json::from_value(store.manifest().mapping.clone())?;
        let (before, now) = (session_ids(&before.build()?)?, session_ids(&self.mapping)?);
        if before != now {
            let place = format!("source_session: the store has {before:?}, this is {now:?}");
            return Err(IngestError::OtherStore { store: store.path().to_owned(), what: "mapping", place });
        }
        for commit in store.manifest().commits.iter().filter(|commit| chosen.contains(&commit.id)) {
            let rejects = commit.account.rejected();
            if rejects > 0 && commit.account.events > 0 && commit.places.is_none() {
                return Err(IngestError::ReplayPlaces {
                    store: store.path().to_owned(),
                    commit: commit.id,
                    rejects,
                });
            }
            if let (Some(quality), None, 1..) = (commit.quality.last(), &self.contract, rejects) {
                let name = quality["contract"]["name"].as_str().unwrap_or_default().to_owned();
                return Err(IngestError::ReplayContract { store: store.path().to_owned(), contract: name });
            }
        }
        Ok(())
    }

    /// Reads all rejects again: their rows go to `scatter`, those that stay rejects to the writer.
    fn read_rejects(
        &self,
        writer: &StoreWriter,
        old: &EventStore,
        parser: &Parser,
        plan: &Plan,
        scatter: &Scatter<'_>,
        progress: &mut dyn FnMut(IngestProgress),
    ) -> Result<(ReplayBooks, DataFile), IngestError> {
        let mut sources: Vec<&SourceFile> =
            old.manifest().sources().filter(|source| source.account.rejected() > 0).collect();
        sources.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut files = Vec::with_capacity(sources.len());
        for (index, source) in sources.iter().enumerate() {
            let (form, header) = RecordForm::read(source, &self.reading)?;
            let (name, records) = (source.name.clone(), serde_json::to_value(form)?);
            let user_field = user_field(parser, &header);
            files.push(RejectedFile { name, index, header: Arc::new(header), records, user_field });
        }
        let total: u64 = sources.iter().map(|source| source.account.rejected()).sum();
        let contract = self.contract.as_ref().map(Contract::name).unwrap_or_default();
        let mut table = writer.side_table("rejects", &table::rejects())?;
        let mut read = ReplayBooks::new(&files);
        for batch in old.rejects()?.into_iter().flatten() {
            let rejected = Rejected::new(batch?)?;
            let mut local = scatter.begin()?;
            // Those of one file that stay rejects.
            let mut still: (usize, Vec<Reject>) = (0, Vec::new());
            for row in 0..rejected.len() {
                let found = files.binary_search_by(|file| file.name.as_str().cmp(rejected.file(row)));
                // The law of rows says what is missing where the manifest does not know of a file.
                let Some(file) = found.ok().and_then(|found| files.get(found)) else { continue };
                let outcome = rejected.read_again(row, file, parser, contract, |rows| {
                    scatter.push_all(&mut local, rows);
                })?;
                if still.0 != file.index {
                    write_rejects(&mut table, &files, &mut still)?;
                    still.0 = file.index;
                }
                still.1.extend(read.enter(file, rejected.byte_start(row), outcome, parser));
            }
            write_rejects(&mut table, &files, &mut still)?;
            scatter.end(local)?;
            plan.check_dictionaries(parser)?;
            let (rows, rejects) = (read.account.rows, read.account.rejected());
            if let Some(allowed) = self.max_rejects.filter(|&allowed| rejects > allowed) {
                let first = read.first_reject.unwrap_or_default();
                return Err(IngestError::TooManyRejects { rejects, allowed, first });
            }
            progress(IngestProgress { phase: IngestPhase::Replay, done: rows, total, rows, rejects });
        }
        if read.account.rows != total {
            let (events, rejects) = (read.account.events, read.account.rejected());
            let (drops, forgotten) = (read.account.dropped(), read.account.forgotten);
            return Err(StoreError::Account { rows: total, events, rejects, drops, forgotten }.into());
        }
        read.account.check()?;
        Ok((read, table.finish()?))
    }

    /// Writes the rejects that are events now as a store of their own; none where there are none.
    fn write_replayed(
        &self,
        writer: &StoreWriter,
        parser: &Parser,
        plan: &Plan,
        scatter: Scatter<'_>,
        read: &ReplayBooks,
    ) -> Result<Option<EventStore>, IngestError> {
        if read.account.events == 0 {
            return Ok(None);
        }
        let folder = writer.scratch().join(REPLAYED);
        let replayed = StoreWriter::create(&folder, &self.schema()?, serde_json::Value::Null)?;
        let source = |name: &String| Source {
            path: folder.clone(),
            origin: Origin::File(folder.clone()),
            name: name.clone(),
            bytes: 0,
            compression: Compression::None,
        };
        let sources: Vec<Source> = read.names.iter().map(source).collect();
        let places = Some(&read.places);
        let written =
            self.write(&replayed, &sources, parser, plan, scatter, places, &read.account, &mut |_| ())?;
        let rejects = replayed.side_table("rejects", &table::rejects())?.finish()?;
        let of_events = |(source, account): (&Source, &Account)| SourceFile {
            name: source.name.clone(),
            bytes: 0,
            xxh3: String::new(),
            account: Account { rows: account.events, events: account.events, ..Account::default() },
            records: None,
            replaced_by: None,
            user_field: None,
            currencies: None,
        };
        let store = replayed.finish(CommitParts {
            sources: sources.iter().zip(&read.accounts).map(of_events).collect(),
            events: written.events,
            session_dictionary: written.session_dictionary,
            product_dictionary: written.product_dictionary,
            rejects,
            places: written.places,
            aliases: None,
            quality: Vec::new(),
        })?;
        Ok(Some(store))
    }
}

/// The commits of a store that are written anew: those that have rejects of files that count; all, where more columns may be
/// null than before.
fn written_anew(store: &EventStore, columns: &[ColumnSpec]) -> Vec<u32> {
    if store.manifest().columns != columns {
        return store.manifest().commits.iter().map(|commit| commit.id).collect();
    }
    let commits = store.manifest().commits.iter().filter(|commit| {
        let sources = commit.sources.iter().filter(|source| source.replaced_by.is_none());
        sources.map(|source| source.account.rejected()).sum::<u64>() > 0
    });
    commits.map(|commit| commit.id).collect()
}

/// How a mapping keeps the source's own session ids; none where it has no sessions.
fn session_ids(mapping: &SourceMapping) -> Result<Option<SessionIdType>, IngestError> {
    Ok(mapping.targets()?.into_iter().find_map(|target| match target.kind {
        ColumnKind::Session(ids) => Some(ids),
        _ => None,
    }))
}

/// Writes rejects of one file.
fn write_rejects(
    table: &mut SideTableWriter,
    files: &[RejectedFile],
    (file, rejects): &mut (usize, Vec<Reject>),
) -> Result<(), IngestError> {
    if let (Some(file), false) = (files.get(*file), rejects.is_empty()) {
        table.write(reject::to_batch(&file.name, 0, rejects).map_err(CoreError::from)?)?;
        rejects.clear();
    }
    Ok(())
}
