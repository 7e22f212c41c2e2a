//! Events of ids that turned out to be aliases: taken out of a store, given their users, and sorted anew.
//!
//! Users change their place in the order of a store with their ids. So these events become a store of their own in the scratch folder, in
//! commits of a bounded size, each sorted in memory; merged with what is left of the old store, they stand where they belong.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt32Type};
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::concat::concat_batches;
use arrow_select::interleave::interleave;
use arrow_select::take::take_record_batch;
use cip_abtest::Experiment;
use cip_core::{CoreError, EventBatch, IdBuilder, IdColumn, MemoryBudget, column, table};
use cip_store::{
    Account, AliasTable, CommitParts, DataFile, EventBatches, EventStore, PlacesWriter, SideTableWriter,
    SourceFile, StoreWriter,
};

use crate::cutter::{Cutter, RowBytes};
use crate::error::IngestError;
use crate::merged_places::MergedPlaces;
use crate::tagging::Tagging;

/// The store of moved events, in the scratch folder.
const MOVED: &str = "moved";

/// Takes the events of aliases out of a store.
pub(crate) struct Mover<'a> {
    store: &'a EventStore,
    aliases: &'a AliasTable,
    places: &'a MergedPlaces,
    experiment: Option<Experiment>,
    /// The type of the source's own sessions, where it has any.
    sessions: Option<DataType>,
    row_bytes: RowBytes,
    /// Bytes of events that are sorted at once.
    budget: MemoryBudget,
}

/// What was moved.
pub(crate) struct Moved {
    /// The events under their users.
    pub(crate) store: EventStore,
    pub(crate) events: u64,
}

/// Returns whether a store has an event of an alias.
pub(crate) fn any_moves(store: &EventStore, aliases: &AliasTable) -> Result<bool, IngestError> {
    for partition in store.scan(&[column::USER_ID]).partitions() {
        for events in partition.batches()? {
            let events = events?;
            let mut users = events.users()?.runs();
            if users.any(|(user, _)| user.is_some_and(|user| aliases.user(user).is_some())) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

impl<'a> Mover<'a> {
    /// `store` merges its commits, so that its scans tell the source's own sessions; `places` says whether theirs are kept.
    pub(crate) fn new(
        store: &'a EventStore,
        aliases: &'a AliasTable,
        places: &'a MergedPlaces,
        budget: MemoryBudget,
    ) -> Result<Self, IngestError> {
        let experiment = store.manifest().experiment.clone().map(serde_json::from_value).transpose()?;
        let sessions = store.session_dictionary()?.map(|table| table.schema().field(1).data_type().clone());
        Ok(Self { store, aliases, places, experiment, sessions, row_bytes: RowBytes::of(store)?, budget })
    }

    /// Writes the events of aliases, under their users, as a store in the scratch folder of `writer`; none where there are none.
    pub(crate) fn run(&self, writer: &StoreWriter) -> Result<Option<Moved>, IngestError> {
        let folder = writer.scratch().join(MOVED);
        let names: Vec<&str> =
            self.store.schema().arrow().fields().iter().map(|field| field.name().as_str()).collect();
        let scan = self.store.scan(&names);
        let scan = if *self.places == MergedPlaces::Unknown { scan } else { scan.with_places(self.store)? };
        let (mut waiting, mut bytes) = (Vec::new(), 0);
        let mut moved: Option<Moved> = None;
        for partition in scan.partitions() {
            let mut batches = partition.batches()?;
            while let Some(events) = batches.next() {
                let Some(rows) = self.renamed(&events?, &batches)? else { continue };
                bytes += bytes_of(&rows);
                waiting.push(rows);
                if bytes >= self.budget.bytes() {
                    self.flush(&folder, &std::mem::take(&mut waiting), &mut moved)?;
                    bytes = 0;
                }
            }
        }
        if !waiting.is_empty() {
            self.flush(&folder, &waiting, &mut moved)?;
        }
        Ok(moved)
    }

    /// Removes what [`Mover::run`] wrote.
    pub(crate) fn clear(writer: &StoreWriter) -> Result<(), IngestError> {
        let folder = writer.scratch().join(MOVED);
        let io = |source| IngestError::Io { action: "remove", path: folder.clone(), source };
        if folder.exists() { std::fs::remove_dir_all(&folder).map_err(io) } else { Ok(()) }
    }

    /// Returns the rows of aliases under their users, with the source's own session behind the columns; none where there are none.
    fn renamed(&self, events: &EventBatch, of: &EventBatches) -> Result<Option<RecordBatch>, IngestError> {
        let users = events.users()?;
        let mut rows: Vec<u32> = Vec::new();
        let mut ids = IdBuilder::new(users.id_type());
        for (user, run) in users.runs() {
            let Some(user) = user.and_then(|user| self.aliases.user(user)) else { continue };
            for row in run {
                rows.push(row as u32);
                ids.append(Some(user))?;
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let taken =
            take_record_batch(events.record_batch(), &UInt32Array::from(rows)).map_err(CoreError::from)?;
        let mut columns = taken.columns().to_vec();
        let mut fields: Vec<Arc<Field>> = taken.schema_ref().fields().iter().cloned().collect();
        let ids = ids.finish();
        if let (Some(experiment), Ok(place)) =
            (&self.experiment, taken.schema_ref().index_of(column::EXPERIMENT_GROUP))
        {
            let users = IdColumn::try_new(column::USER_ID, &ids)?;
            columns[place] = Tagging::new(experiment).column(&users)?;
        }
        columns[taken.schema_ref().index_of(column::USER_ID).map_err(CoreError::from)?] = ids;
        if let (Some(sessions), Some(codes)) = (&self.sessions, taken.column_by_name(column::SOURCE_SESSION))
        {
            fields.push(Arc::new(Field::new(column::USER_SESSION, sessions.clone(), true)));
            columns.push(source_sessions(codes, sessions, of)?);
        }
        let schema = Arc::new(Schema::new(fields));
        Ok(Some(RecordBatch::try_new(schema, columns).map_err(CoreError::from)?))
    }

    /// Sorts rows and writes them as one more commit.
    fn flush(
        &self,
        folder: &Path,
        waiting: &[RecordBatch],
        moved: &mut Option<Moved>,
    ) -> Result<(), IngestError> {
        let Some(first) = waiting.first() else { return Ok(()) };
        let rows = concat_batches(&first.schema(), waiting).map_err(CoreError::from)?;
        let rows = take_record_batch(&rows, &order(&rows)?).map_err(CoreError::from)?;
        let writer = match moved {
            None => StoreWriter::create(folder, self.store.schema(), serde_json::Value::Null)?,
            Some(_) => StoreWriter::append(folder)?.0,
        };
        let events = rows.num_rows() as u64;
        let parts = self.commit(&writer, rows)?;
        let store = writer.finish(parts)?;
        let before = moved.as_ref().map_or(0, |moved| moved.events);
        *moved = Some(Moved { store, events: before + events });
        Ok(())
    }

    /// Writes the parts of a commit of sorted rows.
    fn commit(&self, writer: &StoreWriter, rows: RecordBatch) -> Result<CommitParts, IngestError> {
        let sources = sources(&rows)?;
        let (rows, session_dictionary) = number(writer, rows)?;
        let mut places = if *self.places == MergedPlaces::Unknown { None } else { Some(writer.places()?) };
        let mut events = writer.events()?;
        let encoder = events.encoder();
        let mut cutter = Cutter::new(self.row_bytes.clone());
        let rows = EventBatch::try_new(rows)?;
        let mut groups = cutter.take(&rows, &[])?;
        groups.extend(cutter.finish());
        for pieces in groups {
            let (pieces, of_group) = self.places.take_off(pieces)?;
            events.append(encoder.encode_pieces(&pieces)?)?;
            if let Some(places) = &mut places {
                places.append(of_group)?;
            }
        }
        Ok(CommitParts {
            sources,
            events: events.finish()?,
            session_dictionary,
            product_dictionary: None,
            rejects: writer.side_table("rejects", &table::rejects())?.finish()?,
            places: places.map(PlacesWriter::finish).transpose()?.flatten(),
            aliases: None,
            quality: Vec::new(),
        })
    }
}

/// About how many bytes some rows take, what they share with others left out.
fn bytes_of(rows: &RecordBatch) -> u64 {
    let of_column = |column: &ArrayRef| match column.as_dictionary_opt::<Int32Type>() {
        Some(column) => column.keys().get_array_memory_size(),
        None => column.get_array_memory_size(),
    };
    rows.columns().iter().map(of_column).sum::<usize>() as u64
}

/// The source's own session of each row, null where it has none.
fn source_sessions(
    codes: &ArrayRef,
    sessions: &DataType,
    of: &EventBatches,
) -> Result<ArrayRef, IngestError> {
    let none = new_null_array(sessions, 1);
    // Rows of the same dictionary share an array.
    let mut arrays: Vec<&dyn Array> = vec![none.as_ref()];
    let mut dictionaries: Vec<&RecordBatch> = Vec::new();
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(codes.len());
    for code in codes.as_primitive::<UInt32Type>() {
        let Some(code) = code else {
            places.push((0, 0));
            continue;
        };
        let (rows, row) =
            of.session(code).ok_or(CoreError::MissingColumn { column: column::USER_SESSION })?;
        let known = dictionaries.iter().position(|dictionary| std::ptr::eq(*dictionary, rows));
        let place = known.unwrap_or_else(|| {
            dictionaries.push(rows);
            arrays.push(rows.column(1).as_ref());
            dictionaries.len() - 1
        });
        places.push((place + 1, row));
    }
    Ok(interleave(&arrays, &places).map_err(CoreError::from)?)
}

/// Returns the order of rows in a store: by user, time, source file, and place among the rejects of the file; equal ones as they come.
fn order(rows: &RecordBatch) -> Result<UInt32Array, IngestError> {
    let events = EventBatch::try_new(rows.clone())?;
    let (users, times) = (events.users()?, events.times()?.values());
    let files = rows
        .column_by_name(column::SOURCE_FILE)
        .and_then(|files| files.as_dictionary_opt::<Int32Type>())
        .ok_or(CoreError::MissingColumn { column: column::SOURCE_FILE })?;
    let names = files.values().as_string::<i32>();
    let name = |row: usize| names.value(files.keys().value(row) as usize);
    let places =
        rows.column_by_name(column::REJECTS_BEFORE).map(|places| places.as_primitive::<UInt32Type>());
    let place = |row: usize| places.map_or(0, |places| places.value(row));
    let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (a as usize, b as usize);
        users
            .compare(a, b)
            .then_with(|| times[a].cmp(&times[b]))
            .then_with(|| name(a).cmp(name(b)))
            .then_with(|| place(a).cmp(&place(b)))
    });
    Ok(UInt32Array::from(order))
}

/// The source files of some rows, each with the rows that it has.
fn sources(rows: &RecordBatch) -> Result<Vec<SourceFile>, IngestError> {
    let files = rows
        .column_by_name(column::SOURCE_FILE)
        .and_then(|files| files.as_dictionary_opt::<Int32Type>())
        .ok_or(CoreError::MissingColumn { column: column::SOURCE_FILE })?;
    let names = files.values().as_string::<i32>();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for &key in files.keys().values() {
        *counts.entry(names.value(key as usize)).or_default() += 1;
    }
    let source = |(name, events): (&str, u64)| SourceFile {
        name: name.to_owned(),
        bytes: 0,
        xxh3: String::new(),
        account: Account { rows: events, events, ..Account::default() },
        records: None,
        replaced_by: None,
        user_field: None,
        currencies: None,
    };
    Ok(counts.into_iter().map(source).collect())
}

/// Gives the sessions of sorted rows codes in their order, writes their dictionary, and takes the sessions off.
fn number(writer: &StoreWriter, rows: RecordBatch) -> Result<(RecordBatch, Option<DataFile>), IngestError> {
    let batch = rows.schema();
    let (Ok(code_place), Ok(id_place)) =
        (batch.index_of(column::SOURCE_SESSION), batch.index_of(column::USER_SESSION))
    else {
        return Ok((rows, None));
    };
    let user_place = batch.index_of(column::USER_ID).map_err(CoreError::from)?;
    let users = IdColumn::try_new(column::USER_ID, rows.column(user_place))?;
    let ids = rows.column(id_place);
    let mut codes: Vec<Option<u32>> = Vec::with_capacity(rows.num_rows());
    let mut firsts: Vec<u32> = Vec::new();
    for (_, run) in users.runs() {
        let mut known: HashMap<&[u8], u32> = HashMap::new();
        for row in run {
            codes.push(session_bytes(ids, row).map(|id| {
                *known.entry(id).or_insert_with(|| {
                    firsts.push(row as u32);
                    firsts.len() as u32 - 1
                })
            }));
        }
    }
    let mut columns = rows.columns().to_vec();
    columns[code_place] = Arc::new(UInt32Array::from(codes));
    let dictionary = dictionary(writer, &rows, (id_place, user_place), firsts)?;
    columns.remove(id_place);
    let mut fields: Vec<Arc<Field>> = batch.fields().iter().cloned().collect();
    fields.remove(id_place);
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(CoreError::from)?;
    Ok((rows, Some(dictionary)))
}

/// Writes the dictionary of the sessions that these rows are the first of.
fn dictionary(
    writer: &StoreWriter,
    rows: &RecordBatch,
    (ids, users): (usize, usize),
    firsts: Vec<u32>,
) -> Result<DataFile, IngestError> {
    let session_type = match rows.column(ids).data_type() {
        DataType::Utf8 => table::SessionIdType::Utf8,
        _ => table::SessionIdType::Uuid,
    };
    let user_type = IdColumn::try_new(column::USER_ID, rows.column(users))?.id_type();
    let schema = table::session_dictionary(session_type, Some(user_type));
    let of_firsts = rows.project(&[ids, users]).map_err(CoreError::from)?;
    let of_firsts = take_record_batch(&of_firsts, &UInt32Array::from(firsts)).map_err(CoreError::from)?;
    let codes: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..of_firsts.num_rows() as u32));
    let columns = vec![codes, Arc::clone(of_firsts.column(0)), Arc::clone(of_firsts.column(1))];
    let mut table: SideTableWriter = writer.side_table("session_dictionary", &schema)?;
    table.write(RecordBatch::try_new(schema, columns).map_err(CoreError::from)?)?;
    Ok(table.finish()?)
}

/// The bytes of a session id; none where the row has none.
fn session_bytes(ids: &ArrayRef, row: usize) -> Option<&[u8]> {
    if ids.is_null(row) {
        return None;
    }
    match (ids.as_fixed_size_binary_opt(), ids.as_string_opt::<i32>()) {
        (Some(uuids), _) => Some(uuids.value(row)),
        (_, Some(texts)) => Some(texts.value(row).as_bytes()),
        _ => None,
    }
}
