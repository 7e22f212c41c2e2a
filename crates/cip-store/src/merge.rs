//! The events of several commits as if they were one: merged by user, time, source file and position.
//!
//! Every commit is sorted already, and a source file lies in one commit only, so rows of one user, time and file need no
//! further comparison: they come from one commit, in its order.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{DataType, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use arrow_select::interleave::interleave;
use cip_core::{CoreError, IdColumn, column};

use crate::error::StoreError;
use crate::manifest::{DataFile, Manifest};
use crate::scan::CommitBatches;
use crate::session_map::SessionMap;
use crate::unified::{LastDictionary, UnifiedDictionary, recoded};
use crate::user_range::UserRange;

/// What the commits of a store must know of each other.
#[derive(Debug)]
pub(crate) struct CommitsInLine {
    /// The names of all source files, in their order.
    names: Vec<String>,
    pub(crate) commits: Vec<CommitInLine>,
}

#[derive(Debug)]
pub(crate) struct CommitInLine {
    /// Source files of the commit that a later one replaced: their rows are not read.
    replaced: HashSet<String>,
    /// Session codes of all commits before it.
    pub(crate) session_offset: u64,
    pub(crate) session_dictionary: Option<DataFile>,
}

impl CommitsInLine {
    /// Returns none for a store whose only commit can be read as it is.
    pub(crate) fn new(manifest: &Manifest) -> Option<Self> {
        (!manifest.is_one_commit()).then(|| Self::of(manifest))
    }

    /// What merges any commits, be it one.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let mut names: Vec<String> = manifest.sources().map(|source| source.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        let mut session_offset = 0;
        let commits = manifest.commits.iter().map(|commit| {
            let replaced = commit.sources.iter().filter(|source| source.replaced_by.is_some());
            let in_line = CommitInLine {
                replaced: replaced.map(|source| source.name.clone()).collect(),
                session_offset,
                session_dictionary: commit.session_dictionary.clone(),
            };
            session_offset += commit.session_codes;
            in_line
        });
        Self { commits: commits.collect(), names }
    }
}

/// The rows of one commit, a batch at a time.
#[derive(Debug)]
struct Cursor {
    commit: usize,
    batches: CommitBatches,
    /// One for each column.
    dictionaries: Vec<LastDictionary>,
    head: Option<Loaded>,
    row: usize,
    /// Which of the batches of the output the head is.
    slot: usize,
}

/// A batch that is ready to be merged: dictionary columns as codes over all commits.
#[derive(Debug)]
struct Loaded {
    columns: Vec<ArrayRef>,
    users: Option<IdColumn>,
    times: ScalarBuffer<i64>,
    /// The rank of each row's source file.
    files: ScalarBuffer<i32>,
    rows: usize,
}

/// Merges the commits of a partition.
#[derive(Debug)]
pub(crate) struct Merge {
    schema: SchemaRef,
    line: Arc<CommitsInLine>,
    range: UserRange,
    sessions: Option<SessionMap>,
    cursors: Vec<Cursor>,
    /// The cursors that have rows, by their heads.
    order: Vec<usize>,
    unified: Vec<UnifiedDictionary>,
    rows: usize,
    started: bool,
}

impl Merge {
    /// `schema` has the columns of the readers, among them time, source file and, where there is one, user.
    pub(crate) fn new(
        schema: SchemaRef,
        line: Arc<CommitsInLine>,
        range: UserRange,
        sessions: Option<SessionMap>,
        commits: Vec<(usize, CommitBatches)>,
        rows: usize,
    ) -> Self {
        let columns = schema.fields().len();
        let mut unified: Vec<UnifiedDictionary> = Vec::new();
        unified.resize_with(columns, UnifiedDictionary::default);
        if let Ok(files) = schema.index_of(column::SOURCE_FILE) {
            // So the code of a file is its rank.
            line.names.iter().for_each(|name| {
                unified[files].code(name);
            });
        }
        let cursors = commits.into_iter().map(|(commit, batches)| {
            let mut dictionaries: Vec<LastDictionary> = Vec::new();
            dictionaries.resize_with(columns, LastDictionary::default);
            Cursor { commit, batches, dictionaries, head: None, row: 0, slot: 0 }
        });
        Self {
            line,
            range,
            sessions,
            cursors: cursors.collect(),
            order: Vec::new(),
            unified,
            rows,
            started: false,
            schema,
        }
    }

    pub(crate) fn sessions(&self) -> Option<&SessionMap> {
        self.sessions.as_ref()
    }

    /// Returns the next merged rows; none behind the last.
    pub(crate) fn next_batch(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        if !self.started {
            self.started = true;
            for cursor in 0..self.cursors.len() {
                if self.load(cursor)? {
                    self.place(cursor);
                }
            }
        }
        // The batches that rows of the output lie in, and where.
        let mut slots: Vec<Vec<ArrayRef>> = Vec::new();
        for &cursor in &self.order {
            self.cursors[cursor].slot = slots.len();
            slots.extend(self.cursors[cursor].head.as_ref().map(|head| head.columns.clone()));
        }
        let mut places: Vec<(usize, usize)> = Vec::with_capacity(self.rows);
        while places.len() < self.rows && !self.order.is_empty() {
            let first = self.order.remove(0);
            let (start, slot) = (self.cursors[first].row, self.cursors[first].slot);
            let end = self.run_end(first, start, self.rows - places.len());
            places.extend((start..end).map(|row| (slot, row)));
            self.cursors[first].row = end;
            if self.cursors[first].head.as_ref().is_none_or(|head| end == head.rows) {
                if !self.load(first)? {
                    continue;
                }
                self.cursors[first].slot = slots.len();
                slots.extend(self.cursors[first].head.as_ref().map(|head| head.columns.clone()));
            }
            self.place(first);
        }
        if places.is_empty() { Ok(None) } else { self.gather(&slots, &places).map(Some) }
    }

    /// Returns up to where the rows of a cursor come before those of all others.
    fn run_end(&self, first: usize, start: usize, most: usize) -> usize {
        let Some(head) = &self.cursors[first].head else { return start };
        let limit = head.rows.min(start + most);
        match self.order.first() {
            None => limit,
            Some(&second) => (start + 1..limit)
                .find(|&row| self.compare(first, row, second, self.cursors[second].row).is_gt())
                .unwrap_or(limit),
        }
    }

    /// Puts a cursor where its head belongs among the others.
    fn place(&mut self, cursor: usize) {
        let row = self.cursors[cursor].row;
        let before = |&other: &usize| self.compare(other, self.cursors[other].row, cursor, row).is_lt();
        let place = self.order.partition_point(before);
        self.order.insert(place, cursor);
    }

    fn compare(&self, a: usize, a_row: usize, b: usize, b_row: usize) -> Ordering {
        let (Some(first), Some(second)) = (&self.cursors[a].head, &self.cursors[b].head) else {
            return a.cmp(&b);
        };
        let users = match (&first.users, &second.users) {
            (Some(first), Some(second)) => match (first.get(a_row), second.get(b_row)) {
                (Some(first), Some(second)) => first.cmp(&second),
                (first, second) => first.is_none().cmp(&second.is_none()),
            },
            _ => Ordering::Equal,
        };
        users
            .then_with(|| first.times[a_row].cmp(&second.times[b_row]))
            .then_with(|| first.files[a_row].cmp(&second.files[b_row]))
            .then_with(|| a.cmp(&b))
    }

    /// Loads the next batch of a cursor that has rows; false where there is none.
    fn load(&mut self, cursor: usize) -> Result<bool, StoreError> {
        loop {
            self.cursors[cursor].head = None;
            let Some(batch) = self.cursors[cursor].batches.next_batch()? else { return Ok(false) };
            let users = batch.column_by_name(column::USER_ID);
            let users = users.map(|users| IdColumn::try_new(column::USER_ID, users)).transpose()?;
            let rows = users.as_ref().map_or(0..batch.num_rows(), |users| self.range.rows(users));
            // Rows behind the range: so are all that come.
            let ended = rows.end < batch.num_rows();
            let loaded = self.recode(cursor, batch.slice(rows.start, rows.len()))?;
            if ended {
                self.cursors[cursor].batches.end();
            }
            if loaded.rows > 0 {
                self.cursors[cursor].head = Some(loaded);
                self.cursors[cursor].row = 0;
                return Ok(true);
            }
        }
    }

    /// Makes a commit's codes those over all commits, and leaves out the rows of files that were replaced.
    fn recode(&mut self, cursor: usize, mut batch: RecordBatch) -> Result<Loaded, StoreError> {
        let Cursor { commit, batches, dictionaries, .. } = &mut self.cursors[cursor];
        let own = &self.line.commits[*commit];
        let of_file = |name: &str| match self.line.names.binary_search_by(|known| known.as_str().cmp(name)) {
            _ if own.replaced.contains(name) => Ok(REPLACED),
            Ok(rank) => Ok(rank as i32),
            Err(_) => Err(StoreError::not_as_recorded(&batches.path())),
        };
        let file_column = self.schema.index_of(column::SOURCE_FILE)?;
        let names = batch.column(file_column).as_dictionary::<Int32Type>().clone();
        let ranks = dictionaries[file_column].codes(names.values(), of_file)?;
        let mut files = recoded(&names, &ranks);
        if files.values().contains(&REPLACED) {
            let keep: BooleanArray = files.values().iter().map(|&rank| Some(rank != REPLACED)).collect();
            batch = filter_record_batch(&batch, &keep)?;
            files = files.values().iter().copied().filter(|&rank| rank != REPLACED).collect();
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
        for (index, array) in batch.columns().iter().enumerate() {
            columns.push(match array.data_type() {
                _ if index == file_column => Arc::new(files.clone()),
                DataType::Dictionary(..) => {
                    let dictionary = array.as_dictionary::<Int32Type>();
                    let unified = &mut self.unified[index];
                    let codes =
                        dictionaries[index].codes(dictionary.values(), |text| Ok(unified.code(text)))?;
                    Arc::new(recoded(dictionary, &codes))
                }
                _ => match &self.sessions {
                    Some(map) if self.schema.field(index).name() == column::SOURCE_SESSION => {
                        Arc::new(map.sessions(*commit, array.as_primitive::<UInt32Type>()))
                    }
                    _ => Arc::clone(array),
                },
            });
        }
        let users = batch.column_by_name(column::USER_ID);
        let times = batch.column_by_name(column::EVENT_TIME);
        let times = times.ok_or(CoreError::MissingColumn { column: column::EVENT_TIME })?;
        Ok(Loaded {
            users: users.map(|users| IdColumn::try_new(column::USER_ID, users)).transpose()?,
            times: times.as_primitive::<TimestampMicrosecondType>().values().clone(),
            files: files.values().clone(),
            rows: batch.num_rows(),
            columns,
        })
    }

    /// Takes rows out of their batches.
    fn gather(
        &mut self,
        slots: &[Vec<ArrayRef>],
        places: &[(usize, usize)],
    ) -> Result<RecordBatch, StoreError> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for (index, unified) in self.unified.iter_mut().enumerate() {
            let of_slots: Vec<&dyn Array> = slots.iter().map(|columns| columns[index].as_ref()).collect();
            let column = interleave(&of_slots, places)?;
            columns.push(match self.schema.field(index).data_type() {
                DataType::Dictionary(..) => unified.column(column.as_primitive::<Int32Type>())?,
                _ => match &mut self.sessions {
                    Some(map) if self.schema.field(index).name() == column::SOURCE_SESSION => {
                        Arc::new(map.codes(column.as_primitive::<UInt32Type>()))
                    }
                    _ => column,
                },
            });
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// Stands for the rank of a file whose rows are not read.
const REPLACED: i32 = -1;

/// The columns of a scan that are read where commits are merged: by them the rows are ordered.
pub(crate) fn orders_rows(name: &str) -> bool {
    [column::USER_ID, column::EVENT_TIME, column::SOURCE_FILE].contains(&name)
}

/// Returns those columns of a schema that are read.
pub(crate) fn projected(schema: &Schema, wanted: impl Fn(&str) -> bool) -> SchemaRef {
    let fields: Vec<_> = schema.fields().iter().filter(|field| wanted(field.name())).cloned().collect();
    Arc::new(Schema::new(fields))
}
