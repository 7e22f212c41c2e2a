//! The ingest: files in, a store out, and an account of every row.

mod contracted;
mod replay;
mod stitched;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{RecordBatch, StringArray, UInt32Array};
use cip_abtest::Experiment;
use cip_core::pipeline::ordered_map;
use cip_core::{CoreError, EventSchema, IdType, MemoryBudget, column, table};
use cip_store::{
    Account, AliasTable, ColumnSpec, CommitParts, DataFile, EncodedEvents, EventLayout, EventStore,
    EventsWriter, PlacesWriter, SideTableWriter, StoreWriter, WrittenEvents,
};

pub(crate) use self::stitched::KnownAliases;
use crate::assemble::{Assembler, Keyed, Shared};
use crate::attributes::{AttributeUse, Attributes};
use crate::books::{Books, ClosedBooks};
use crate::buffer::SpareBuffers;
use crate::compact_events::{self, CodedForm};
use crate::contract::Contract;
use crate::contract::inspection::Inspection;
use crate::contract::resolve::{Extent, Rule};
use crate::contract::uniqueness::Uniqueness;
use crate::dialect::Dialect;
use crate::error::{IngestError, MappingError};
use crate::find::find_sources;
use crate::local_copy::LocalCopies;
use crate::mapping::SourceMapping;
use crate::number::{RowGroupCutter, SessionNumbering, SharedWriter};
use crate::parse::Parser;
use crate::partition::Partition;
use crate::plan::Plan;
use crate::products::Products;
use crate::reject_places::RejectPlaces;
use crate::report::{IngestPhase, IngestProgress, IngestReport};
use crate::row::Row;
use crate::row_tally::RowTally;
use crate::scatter::Scatter;
use crate::sort::SortedRows;
use crate::source::{Chunk, ChunkReader, OpenFile, SOURCES_AHEAD, Source};
use crate::spill::SpillFolder;
use crate::splitters::{KeySample, Splitters};
use crate::stores::Stores;
use crate::tagging::{Tagging, tagged, with_source_file};
use crate::taken::{ChangedFiles, ToldApart, check_layout, check_same};
use crate::target::ColumnKind;

/// Reads source files into an event store.
///
/// Two passes: records are parsed in parallel and scattered to key ranges, in memory or in one temporary file; then
/// each range is sorted by user, time, file and line, and written. The result depends on the files, their names and the
/// mapping alone, not on threads, chunk size or memory.
///
/// # Examples
/// ```
/// use cip_ingest::{Ingest, SourceMapping};
/// # let folder = std::env::temp_dir().join(format!("cip-ingest-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let file = folder.join("events.csv");
/// std::fs::write(&file, "t,e,u\n2019-10-01 00:00:00 UTC,view,7\nyesterday,view,8\n")?;
/// let mapping = SourceMapping::from_toml(r#"
///     name = "tiny"
///     [columns]
///     event_time = { from = "t", type = "timestamp" }
///     event_type = { from = "e", type = "dictionary" }
///     user_id = { from = "u", type = "int64" }
/// "#)?;
/// let (store, report) = Ingest::new(mapping).run(&[file], &folder.join("store"), &mut |_| ())?;
/// assert_eq!((report.account.rows, report.account.events), (2, 1));
/// assert_eq!(report.account.rejects["invalid_time"], 1);
/// # drop(store);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Ingest {
    mapping: SourceMapping,
    /// The same mapping in the dialect of the sources.
    reading: SourceMapping,
    budget: MemoryBudget,
    threads: Option<NonZeroUsize>,
    chunk_bytes: Option<NonZeroUsize>,
    max_rejects: Option<u64>,
    experiment: Option<Experiment>,
    contract: Option<Contract>,
    aliases: Option<Arc<AliasTable>>,
    changed: ChangedFiles,
    event_layout: Option<EventLayout>,
    stores: Stores,
}

impl Ingest {
    /// Returns an ingest by `mapping` in 512 MiB, on as many threads as the machine runs at once and the memory carries.
    pub fn new(mapping: SourceMapping) -> Self {
        Self {
            reading: mapping.clone(),
            mapping,
            budget: MemoryBudget::from_mib(512),
            threads: None,
            chunk_bytes: None,
            max_rejects: None,
            experiment: None,
            contract: None,
            aliases: None,
            changed: ChangedFiles::Refuse,
            event_layout: None,
            stores: Stores::default(),
        }
    }

    /// Sets how much memory it may use.
    pub fn with_memory(mut self, budget: MemoryBudget) -> Self {
        self.budget = budget;
        self
    }

    /// Sets the number of threads; without it, those that the machine runs at once and the memory carries.
    pub fn with_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Sets about how many bytes are parsed at once; without it, what the memory allows.
    pub fn with_chunk_bytes(mut self, bytes: NonZeroUsize) -> Self {
        self.chunk_bytes = Some(bytes);
        self
    }

    /// Reads CSV as it is written in `dialect`, which goes before what the mapping declares. The store does not keep it but for files
    /// with rejects: other files of the same mapping may come in another one.
    ///
    /// # Errors
    /// [`MappingError`] where its characters cannot be told from each other or from the text, or the mapping is of a format
    /// without them.
    pub fn with_dialect(mut self, dialect: Dialect) -> Result<Self, MappingError> {
        self.reading = self.mapping.in_dialect(dialect)?;
        Ok(self)
    }

    /// Says how a new store keeps its events: plain, where nothing is said. A store that is there goes on as it began, and refuses
    /// another layout.
    pub fn with_event_layout(mut self, layout: EventLayout) -> Self {
        self.event_layout = Some(layout);
        self
    }

    /// Stops with an error, and without a store, at more than `rejects` rejected rows.
    pub fn with_max_rejects(mut self, rejects: u64) -> Self {
        self.max_rejects = Some(rejects);
        self
    }

    /// Gives every event the column `experiment_group`: the arm that the experiment assigns to its user, null where the
    /// user is unknown. The store's manifest keeps the experiment.
    ///
    /// # Complexity
    /// One assignment for each user of a row group.
    pub fn with_experiment(mut self, experiment: Experiment) -> Self {
        self.experiment = Some(experiment);
        self
    }

    /// Holds every event, and the input as a whole, against a contract. The store's manifest keeps the contract and the
    /// [`QualityReport`](crate::QualityReport).
    ///
    /// # Complexity
    /// A few comparisons an event. `unique` keeps 40 bytes of every event, in half of the memory, and refuses more; rows then pass
    /// one thread between parsing and sorting.
    pub fn with_contract(mut self, contract: Contract) -> Self {
        self.contract = Some(contract);
        self
    }

    /// Reads addresses that start with `root`, such as `memory://events` in `memory://events/2019/*.csv`, from this store. A root is a scheme
    /// and a name; the stores of the clouds need none of it, but one that is given goes before them.
    ///
    /// The store's requests run on a thread of the ingest's own, which is there as long as it reads.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use cip_ingest::{Ingest, SourceMapping};
    /// use object_store::{ObjectStoreExt, memory::InMemory, path::Path};
    /// # let folder = tempfile::tempdir()?;
    /// # let mapping = SourceMapping::from_toml(r#"
    /// #     name = "tiny"
    /// #     [columns]
    /// #     event_time = { from = "t", type = "timestamp" }
    /// #     event_type = { from = "e", type = "dictionary" }
    /// # "#)?;
    /// let events = Arc::new(InMemory::new());
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// events.put(&Path::from("2019/10.csv"), "t,e\n2019-10-01,view\n".into()).await?;
    /// # Ok::<(), object_store::Error>(()) })?;
    /// let ingest = Ingest::new(mapping).with_object_store("memory://events", events);
    /// let sources = ["memory://events/2019/*.csv".into()];
    /// let (_, report) = ingest.run(&sources, &folder.path().join("store"), &mut |_| ())?;
    /// assert_eq!((report.files, report.account.events), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "object-store")]
    pub fn with_object_store(mut self, root: &str, store: Arc<dyn object_store::ObjectStore>) -> Self {
        self.stores.add(root, store);
        self
    }

    pub(crate) fn stores(&self) -> &Stores {
        &self.stores
    }

    pub(crate) fn reading(&self) -> &SourceMapping {
        &self.reading
    }

    /// Says what becomes of files that [`Ingest::append`] finds changed; without it they are refused.
    pub fn with_changed_files(mut self, changed: ChangedFiles) -> Self {
        self.changed = changed;
        self
    }

    /// Reads `sources` (files, or folders of `.csv`, `.tsv`, `.ndjson` and `.jsonl`, plain, `.gz` or `.zst`) into a store at `target`, which replaces
    /// a store that was there. Files are ordered by name.
    ///
    /// # Errors
    /// See [`IngestError`]. Whatever was at `target` is then still there.
    pub fn run(
        &self,
        sources: &[PathBuf],
        target: &Path,
        progress: &mut dyn FnMut(IngestProgress),
    ) -> Result<(EventStore, IngestReport), IngestError> {
        self.run_over(Extent::Whole, sources, target, progress)
    }

    /// Reads all rows of an input, or those of a sample of it.
    pub(crate) fn run_over(
        &self,
        extent: Extent,
        sources: &[PathBuf],
        target: &Path,
        progress: &mut dyn FnMut(IngestProgress),
    ) -> Result<(EventStore, IngestReport), IngestError> {
        let rules = self.rules(extent)?;
        let sources: Arc<[Source]> = find_sources(sources, &self.stores)?.into();
        let plan = self.plan(rules.as_deref(), &sources)?;
        for attribute_use in AttributeUse::of(&self.mapping.targets()?) {
            let done = self.run_with(attribute_use, rules.as_ref(), &sources, &plan, target, progress)?;
            if let Some(done) = done {
                return Ok(done);
            }
        }
        Err(IngestError::NoRows { files: sources.len() })
    }

    /// Returns none where the plan has not enough memory for the attributes.
    fn run_with(
        &self,
        attribute_use: AttributeUse,
        rules: Option<&Arc<[Rule]>>,
        sources: &Arc<[Source]>,
        plan: &Plan,
        target: &Path,
        progress: &mut dyn FnMut(IngestProgress),
    ) -> Result<Option<(EventStore, IngestReport)>, IngestError> {
        let known = self.known_aliases(None)?;
        let parser = self.parser(attribute_use, rules, &known)?;
        let mapping = serde_json::to_value(&self.mapping)?;
        let mut writer = StoreWriter::create(target, &self.schema()?, mapping)?
            .with_event_layout(self.event_layout.unwrap_or_default());
        if let Some(experiment) = &self.experiment {
            writer = writer.with_experiment(serde_json::to_value(experiment)?);
        }
        self.write_commit(writer, sources, (&parser, &known), rules, plan, progress)
    }

    /// Reads those of `sources` that the store at `target` has not taken yet into one more commit of it; where there is no
    /// store, it is made as by [`Ingest::run`].
    ///
    /// A file is known by its name and its bytes. One that was taken is left out, and where none is left, nothing is written.
    /// A name that is known with other bytes is refused, unless [`Ingest::with_changed_files`] says otherwise; so are bytes
    /// that are known by another name, if they hold rows. What is read from the store afterwards, and what it becomes when
    /// it is compacted, does not depend on the commits in which its files came.
    ///
    /// # Errors
    /// See [`IngestError`]. The store is then as it was.
    pub fn append(
        &self,
        sources: &[PathBuf],
        target: &Path,
        progress: &mut dyn FnMut(IngestProgress),
    ) -> Result<(EventStore, IngestReport), IngestError> {
        if !EventStore::is_at(target) {
            return self.run(sources, target, progress);
        }
        let rules = self.rules(Extent::Whole)?;
        let found = find_sources(sources, &self.stores)?;
        for attribute_use in AttributeUse::of(&self.mapping.targets()?) {
            let (writer, store) = StoreWriter::append(target)?;
            let experiment = self.experiment.as_ref().map(serde_json::to_value).transpose()?;
            let columns = ColumnSpec::of(&self.schema()?)?;
            check_same(&store, &serde_json::to_value(&self.mapping)?, experiment.as_ref(), &columns)?;
            check_layout(&store, self.event_layout)?;
            let ToldApart { new, taken, replaced } = ToldApart::new(&found, store.manifest(), self.changed)?;
            if new.is_empty() {
                return Ok((store, IngestReport { files_taken: taken, ..IngestReport::default() }));
            }
            let files_replaced = replaced.len();
            let sources: Arc<[Source]> = new.into();
            let plan = self.plan(rules.as_deref(), &sources)?;
            let known = self.known_aliases(Some(&store))?;
            let parser = self.parser(attribute_use, rules.as_ref(), &known)?;
            let writer = writer.with_replaced(replaced);
            let rules = rules.as_ref();
            let done = self.write_commit(writer, &sources, (&parser, &known), rules, &plan, progress)?;
            if let Some((store, report)) = done {
                return Ok((store, IngestReport { files_taken: taken, files_replaced, ..report }));
            }
        }
        Err(IngestError::NoRows { files: found.len() })
    }

    fn parser(
        &self,
        attribute_use: AttributeUse,
        rules: Option<&Arc<[Rule]>>,
        known: &KnownAliases,
    ) -> Result<Parser, IngestError> {
        let parser = Parser::new(&self.mapping, attribute_use)?.with_aliases(known.table.clone());
        Ok(match rules {
            Some(rules) => parser.with_contract(Arc::clone(rules)),
            None => parser,
        })
    }

    /// Returns none where the plan has not enough memory for the attributes.
    fn write_commit(
        &self,
        writer: StoreWriter,
        sources: &Arc<[Source]>,
        (parser, known): (&Parser, &KnownAliases),
        rules: Option<&Arc<[Rule]>>,
        plan: &Plan,
        progress: &mut dyn FnMut(IngestProgress),
    ) -> Result<Option<(EventStore, IngestReport)>, IngestError> {
        let (sources, copies) = LocalCopies::make(sources, writer.scratch())?;
        let (splitters, unmapped_columns) = self.look_ahead(&sources, parser, plan)?;
        let scatter = Scatter::new(
            &parser.layout,
            splitters,
            SpillFolder::new(writer.scratch()),
            plan.buffer_bytes,
            plan.threads,
        )
        .with_event_layout(writer.event_layout());
        let rejects = writer.side_table("rejects", &table::rejects())?;
        let Some(parsed) = self.parse(&sources, parser, plan, &scatter, rejects, progress)? else {
            return Ok(None);
        };
        copies.remove()?;
        // Behind other rows, files without any are days on which nothing happened.
        if parsed.account.rows == 0 && writer.commit_id() == 1 {
            return Err(IngestError::NoRows { files: sources.len() });
        }
        parsed.account.check()?;
        let quality = self.quality(rules.map(|rules| &**rules), &parsed.account, &parsed.tally)?;

        let places = parsed.places.as_ref();
        let written =
            self.write(&writer, &sources, parser, plan, scatter, places, &parsed.account, progress)?;
        let report = IngestReport {
            account: parsed.account,
            files: sources.len(),
            bytes: parsed.files.iter().map(|file| file.bytes).sum(),
            unmapped_columns,
            quality,
            stitched: parsed.stitched,
            commit: Some(writer.commit_id()),
            ..IngestReport::default()
        };
        let aliases = known.write_news(&writer)?;
        let store = writer.finish(CommitParts {
            sources: parsed.files,
            events: written.events,
            session_dictionary: written.session_dictionary,
            product_dictionary: written.product_dictionary,
            rejects: parsed.rejects,
            places: written.places,
            aliases,
            quality: self.kept_quality(report.quality.as_ref())?.into_iter().collect(),
        })?;
        Ok(Some((store, report)))
    }

    /// The schema of the store.
    fn schema(&self) -> Result<EventSchema, IngestError> {
        let schema = self.mapping.schema()?;
        let schema = match &self.experiment {
            None => schema,
            Some(_) if schema.has(column::USER_ID) => tagged(&schema)?,
            Some(experiment) => {
                return Err(IngestError::NoUsers {
                    experiment: experiment.name().into(),
                    mapping: self.mapping.name().to_owned(),
                });
            }
        };
        Ok(with_source_file(&schema)?)
    }

    /// Opens every file once: checks the headers before any work, and samples the keys where the rows will not fit in
    /// memory.
    fn look_ahead(
        &self,
        sources: &[Source],
        parser: &Parser,
        plan: &Plan,
    ) -> Result<(Splitters, Vec<String>), IngestError> {
        let wanted = self.mapping.source_columns();
        let mut unmapped: Vec<String> = Vec::new();
        let mut sample = KeySample::default();
        for (index, source) in sources.iter().enumerate() {
            sources.iter().skip(index + 1).take(SOURCES_AHEAD).for_each(|next| next.origin.expect());
            let mut file = OpenFile::open(index, source, &self.reading)?;
            let header = file.header();
            for name in header.names.iter().chain(&header.left_out) {
                if !wanted.contains(&name.as_str()) && !unmapped.contains(name) {
                    unmapped.push(name.clone());
                }
            }
            if plan.partitions > 1 {
                plan.sample(&mut file, source, |chunk| {
                    parser.parse(chunk, |rows| rows.for_each(|row| sample.push(&row.key())));
                })?;
            }
        }
        Ok((Splitters::from_sample(sample, plan.partitions), unmapped))
    }

    fn parse(
        &self,
        sources: &Arc<[Source]>,
        parser: &Parser,
        plan: &Plan,
        scatter: &Scatter<'_>,
        rejects: SideTableWriter,
        progress: &mut dyn FnMut(IngestProgress),
    ) -> Result<Option<ClosedBooks>, IngestError> {
        let chunks = ChunkReader::new(Arc::clone(sources), Arc::new(self.reading.clone()), plan.chunk_bytes);
        let spare = chunks.spare_buffers();
        // Only in their order it is known which of two rows came first.
        let compares = parser.inspection.as_ref().filter(|inspection| Inspection::compares_rows(inspection));
        let parse = |chunk: Result<Chunk, IngestError>| {
            let mut chunk = chunk?;
            let mut held_back = Vec::new();
            let parsed = if compares.is_some() {
                parser.parse(&chunk, |rows| held_back.extend_from_slice(rows.bytes))
            } else {
                let mut local = scatter.begin()?;
                let parsed = parser.parse(&chunk, |rows| scatter.push_all(&mut local, rows));
                scatter.end(local)?;
                spare.give(std::mem::take(&mut chunk.data));
                parsed
            };
            plan.check_dictionaries(parser)?;
            Ok::<_, IngestError>((chunk, parsed, held_back))
        };
        let contract = self.contract.as_ref().map(Contract::name).unwrap_or_default();
        let mut books = Books::new(sources, parser, rejects, self.max_rejects, contract);
        let mut uniqueness =
            compares.map(|inspection| (inspection, Uniqueness::new(inspection, self.budget)));
        let attributes_fit = std::thread::scope(|scope| {
            for parsed in ordered_map(scope, plan.threads, chunks, parse) {
                let (mut chunk, mut parsed, held_back) = parsed?;
                if let Some((inspection, uniqueness)) = &mut uniqueness {
                    let mut local = scatter.begin()?;
                    let keep = |row: Row<'_>| scatter.push(&mut local, &row);
                    uniqueness.settle(parser, inspection, &chunk, &held_back, &mut parsed, keep)?;
                    scatter.end(local)?;
                    spare.give(std::mem::take(&mut chunk.data));
                }
                progress(books.enter(chunk, parsed)?);
                if !plan.attributes_fit(parser, scatter.event_layout())? {
                    return Ok(false);
                }
            }
            Ok::<_, IngestError>(true)
        })?;
        Ok(if attributes_fit { Some(books.close()?) } else { None })
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one ingest")]
    fn write(
        &self,
        writer: &StoreWriter,
        sources: &[Source],
        parser: &Parser,
        plan: &Plan,
        scatter: Scatter<'_>,
        rejects: Option<&RejectPlaces>,
        account: &Account,
        progress: &mut dyn FnMut(IngestProgress),
    ) -> Result<Written, IngestError> {
        let (partitions, spill, tallies) = scatter.into_partitions()?;
        let spill = &spill;
        let refined = partitions.into_iter().flat_map(|partition| {
            match partition.refine(&parser.layout, spill, plan.partition_bytes) {
                Ok(parts) => parts.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        });
        let spare = SpareBuffers::new(plan.threads.get());
        let sort = |partition: Result<Partition, IngestError>| {
            Ok::<_, IngestError>(SortedRows::new(&parser.layout, partition?.load(&spare)?, &spare))
        };
        std::thread::scope(|scope| {
            let sorted = ordered_map(scope, plan.sort_threads, refined, sort);
            self.encode(writer, sources, parser, plan, sorted, &tallies, rejects, account, progress)
        })
    }

    /// Encodes sorted rows and appends them to the store. The first are sorted while it is told apart what all rows share.
    #[expect(clippy::too_many_arguments, reason = "the parts of one ingest")]
    fn encode(
        &self,
        writer: &StoreWriter,
        sources: &[Source],
        parser: &Parser,
        plan: &Plan,
        sorted: impl Iterator<Item = Result<SortedRows, IngestError>> + Send,
        tallies: &[RowTally],
        rejects: Option<&RejectPlaces>,
        account: &Account,
        progress: &mut dyn FnMut(IngestProgress),
    ) -> Result<Written, IngestError> {
        let schema = self.mapping.schema()?;
        let tagging = self.experiment.as_ref().map(Tagging::new);
        let mut places = rejects.map(|_| writer.places()).transpose()?;
        let files = StringArray::from_iter_values(sources.iter().map(|source| &source.name));
        let mut assembler = Assembler::new(self.schema()?, parser, tagging, files);
        let mut products = schema.id_type(column::PRODUCT_ID).map(Products::new);
        let mut events = match writer.event_layout() {
            EventLayout::Plain => writer.events()?,
            EventLayout::Compact => {
                let offers = parser.attributes.as_ref().is_some_and(Attributes::are_offers);
                let shared = if offers { assembler.attributes()? } else { None };
                let CodedForm { form, codes } = CodedForm::new(&self.schema()?, shared, tallies)?;
                if let Some(of_offers) = compact_events::products(&form)? {
                    assembler = assembler.with_offers(codes);
                    products = Some(of_offers);
                }
                writer.compact_events(form)?
            }
        };
        let encoder = events.encoder();
        let users = schema.id_type(column::USER_ID);
        let user_column = parser.columns.iter().position(|target| target.name == column::USER_ID).zip(users);
        let dictionary: SharedWriter = Arc::new(Mutex::new(None));
        let numbering = match parser.layout.session.map(|session| (session, &parser.columns[session].kind)) {
            Some((session, ColumnKind::Session(ids))) => {
                let schema = table::session_dictionary(*ids, users);
                *dictionary.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(writer.side_table("session_dictionary", &schema)?);
                let dictionary = Arc::clone(&dictionary);
                Some(SessionNumbering::new(&parser.layout, session, user_column, schema, dictionary))
            }
            _ => None,
        };

        std::thread::scope(|scope| {
            let groups = RowGroupCutter::new(&parser.layout, sorted, numbering);
            let encoded = ordered_map(scope, plan.threads, groups, |group| {
                let group = group?;
                let assembled = assembler.assemble(&group)?;
                let events = &assembled.events;
                let (mut encoded, products) = match assembled.shared {
                    Shared::Offers(codes) => (encoder.encode_coded(events, codes)?, None),
                    Shared::Attributes(Keyed { values, keys }) => {
                        let encoded = encoder.encode_keyed(events, &values, &keys)?;
                        let named = values.column_by_name(column::PRODUCT_ID).is_some();
                        (encoded, Some(if named { values } else { events.record_batch().clone() }))
                    }
                    Shared::Nothing => (encoder.encode(events)?, Some(events.record_batch().clone())),
                };
                let products = match (encoded.take_products(), products) {
                    (Some(products), _) => Some(Products::Int64(products)),
                    (None, Some(rows)) => Products::of(&rows)?,
                    (None, None) => None,
                };
                let places = rejects.map(|rejects| assembler.places(&group, rejects));
                Ok::<_, IngestError>(EncodedGroup { products, rows: events.len(), events: encoded, places })
            });
            let commit =
                CommitWriters { events: &mut events, places: places.as_mut(), products: &mut products };
            append_groups(encoded, commit, plan, account, progress)
        })?;
        let session_dictionary = dictionary.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(Written {
            events: events.finish()?,
            session_dictionary: session_dictionary.map(SideTableWriter::finish).transpose()?,
            product_dictionary: products.map(|products| write_products(writer, products)).transpose()?,
            places: places.map(PlacesWriter::finish).transpose()?.flatten(),
        })
    }
}

struct Written {
    events: WrittenEvents,
    places: Option<DataFile>,
    session_dictionary: Option<DataFile>,
    product_dictionary: Option<DataFile>,
}

/// An encoded row group, its distinct products, and the places of its events where they are kept.
pub(crate) struct EncodedGroup {
    pub(crate) events: EncodedEvents,
    pub(crate) products: Option<Products>,
    pub(crate) rows: usize,
    pub(crate) places: Option<Vec<u32>>,
}

/// Where the row groups of a commit go.
pub(crate) struct CommitWriters<'a> {
    pub(crate) events: &'a mut EventsWriter,
    pub(crate) places: Option<&'a mut PlacesWriter>,
    pub(crate) products: &'a mut Option<Products>,
}

/// Appends row groups to the events of a commit, and their products to those that there are.
pub(crate) fn append_groups(
    groups: impl Iterator<Item = Result<EncodedGroup, IngestError>>,
    CommitWriters { events, mut places, products }: CommitWriters<'_>,
    plan: &Plan,
    account: &Account,
    progress: &mut dyn FnMut(IngestProgress),
) -> Result<(), IngestError> {
    let mut done = 0;
    for group in groups {
        let group = group?;
        events.append(group.events)?;
        if let (Some(places), Some(of_group)) = (&mut places, group.places) {
            places.append(of_group)?;
        }
        if let (Some(products), Some(of_group)) = (&mut *products, group.products) {
            products.add(of_group);
            plan.check_products(products.len())?;
        }
        done += group.rows as u64;
        progress(IngestProgress {
            phase: IngestPhase::Write,
            done,
            total: account.events,
            rows: account.rows,
            rejects: account.rejected(),
        });
    }
    Ok(())
}

pub(crate) fn write_products(writer: &StoreWriter, products: Products) -> Result<DataFile, IngestError> {
    let ids = products.into_array();
    let id_type = if ids.data_type() == &IdType::Int64.data_type() { IdType::Int64 } else { IdType::Utf8 };
    let schema = table::product_dictionary(id_type);
    let mut table = writer.side_table("product_dictionary", &schema)?;
    let codes = UInt32Array::from_iter_values((0..).take(ids.len()));
    table.write(RecordBatch::try_new(schema, vec![Arc::new(codes), ids]).map_err(CoreError::from)?)?;
    Ok(table.finish()?)
}

#[cfg(test)]
mod tests;
