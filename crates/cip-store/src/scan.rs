//! Reading events: pruned by time and user, in partitions that hold whole users.

use std::path::PathBuf;
use std::slice;
use std::sync::{Arc, OnceLock};

use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{BooleanArray, RecordBatch, cast::AsArray};
use arrow_schema::Schema;
use arrow_select::filter::filter_record_batch;
use cip_core::{CoreError, EventBatch, EventSchema, Id, IdColumn, TimeRange, column};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection,
};

use crate::aliases::AliasTable;
use crate::commit::EVENT_ROW_GROUP_ROWS;
use crate::currency::{in_currency, money_columns};
use crate::error::StoreError;
use crate::event_form::{CompactForm, EventForms};
use crate::manifest::{DataFile, RowGroupSpan};
use crate::merge::{CommitsInLine, Merge, orders_rows, projected};
use crate::places::{CommitPlaces, PlaceBatches, with_places};
use crate::session_map::{SessionMap, WantedSessions, widen};
use crate::store::{EventStore, same_columns};
use crate::stored_file::{StoredFile, StoredFiles};
use crate::transactions::transactions;
use crate::user_range::{UserKey, UserRange};
use crate::user_set::UserSet;

/// Rows of a batch: small enough that a stage's columns stay in the processor's cache.
const BATCH_ROWS: usize = 16_384;

/// The fewest rows that are read at once of each of many commits.
const FEWEST_BATCH_ROWS: usize = 1_024;

/// Which events to read, and which of their columns.
///
/// # Examples
/// ```no_run
/// use cip_core::TimeRange;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = cip_store::EventStore::open("STORE".as_ref())?;
/// let october = TimeRange::new("2019-10-01".parse()?, "2019-11-01".parse()?)?;
/// for partition in store.scan(&["user_id", "event_time"]).with_time_range(october).partitions() {
///     for events in partition.batches()? {
///         println!("{} events", events?.len());
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct EventScan {
    files: Arc<[ScanFile]>,
    open_files: StoredFiles,
    forms: EventForms,
    stored: EventSchema,
    schema: EventSchema,
    columns: Arc<[String]>,
    rows: ScanRows,
    time: TimeRange,
    users: Option<UserSet>,
    currency: Option<Arc<str>>,
    /// Whose events are left out.
    aliases: Option<Arc<AliasTable>>,
    /// The first commit that is read, counted from 0.
    first_commit: usize,
    /// What merges the commits; none where there is one, which is read as it is.
    line: Option<Arc<CommitsInLine>>,
    /// Where the places of the events are read as well.
    places: Option<Arc<CommitPlaces>>,
}

/// Of which events the rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanRows {
    All,
    /// Purchases and cancellations.
    Transactions,
}

#[derive(Debug)]
struct ScanFile {
    /// Which of the commits has it.
    commit: usize,
    /// How many row groups the files of the commit before it have.
    groups_before: usize,
    data: DataFile,
    /// Whether it has the columns of the store, whatever the form of the commit's events.
    is_plain: bool,
    row_groups: Vec<RowGroupSpan>,
    /// The footer, read once however many partitions the file has.
    metadata: OnceLock<ArrowReaderMetadata>,
}

impl ScanFile {
    /// Checks that the file is the one of which the manifest speaks.
    fn check(
        &self,
        file: &StoredFile,
        metadata: &ArrowReaderMetadata,
        stored: &Schema,
    ) -> Result<(), StoreError> {
        let groups = metadata.metadata().row_groups();
        let rows = groups.iter().map(|group| group.num_rows());
        let same_rows = rows.eq(self.row_groups.iter().map(|span| span.rows.cast_signed()));
        if same_rows && same_columns(metadata.schema(), stored) {
            Ok(())
        } else {
            Err(StoreError::not_as_recorded(file.path()))
        }
    }
}

impl EventScan {
    pub(crate) fn new(store: &EventStore, columns: &[&str], rows: ScanRows) -> Self {
        let files = store.manifest().commits.iter().enumerate().flat_map(|(commit, parts)| {
            let mut groups = 0;
            let (files, is_plain) = match (&parts.transactions, rows) {
                (Some(transactions), ScanRows::Transactions) => (slice::from_ref(transactions), true),
                _ => (parts.events.as_slice(), parts.compact.is_none()),
            };
            files.iter().map(move |events| {
                let groups_before = groups;
                groups += events.row_groups.len();
                ScanFile {
                    commit,
                    groups_before,
                    data: events.file.clone(),
                    is_plain,
                    row_groups: events.row_groups.clone(),
                    metadata: OnceLock::new(),
                }
            })
        });
        Self {
            files: files.collect(),
            open_files: store.open_files().clone(),
            forms: store.forms().clone(),
            stored: store.schema().clone(),
            schema: store.schema().project(columns),
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            rows,
            time: TimeRange::ALL,
            users: None,
            currency: None,
            aliases: None,
            first_commit: 0,
            line: store.commits_in_line().cloned(),
            places: None,
        }
    }

    /// Adds the column `rejects_before` behind the others: how many of the rejected records of its source file stand before each
    /// event. Commits are then merged by it, too, so that the events of one file may lie in several. A commit without places is
    /// read as if its files had no rejects. This is for scans of all events.
    ///
    /// # Errors
    /// [`StoreError::Core`] where the store has no such column to add.
    pub fn with_places(mut self, store: &EventStore) -> Result<Self, StoreError> {
        self.schema = EventSchema::try_new(Arc::new(with_places(self.schema.arrow())))?;
        self.places = Some(Arc::new(CommitPlaces::new(&store.manifest().commits)));
        Ok(self)
    }

    /// Keeps only events inside `range`.
    pub fn with_time_range(mut self, range: TimeRange) -> Self {
        self.time = range;
        self
    }

    /// Keeps only one user's events.
    pub fn with_user(self, user: Id) -> Self {
        self.with_users([user].into_iter().collect())
    }

    /// Keeps only the events of some users.
    pub fn with_users(mut self, users: UserSet) -> Self {
        self.users = Some(users);
        self
    }

    /// Keeps only the commits from one on, counted from 0.
    pub fn with_commits_from(mut self, first: usize) -> Self {
        self.first_commit = first;
        self
    }

    /// Keeps only the events of one currency, written as the store has it; those that name none are left out as well.
    ///
    /// # Errors
    /// [`StoreError::Core`] where the store has no column `currency`.
    pub fn with_currency(mut self, currency: &str) -> Result<Self, StoreError> {
        if !self.stored.has(column::CURRENCY) {
            return Err(CoreError::MissingColumn { column: column::CURRENCY }.into());
        }
        self.currency = Some(currency.into());
        Ok(self)
    }

    /// Leaves out the events of ids that are aliases.
    pub fn without_aliases(mut self, aliases: Arc<AliasTable>) -> Self {
        self.aliases = Some(aliases);
        self
    }

    /// Whether a column of money is among those of the batches.
    pub fn reads_money(&self) -> bool {
        !money_columns(self.schema.arrow()).is_empty()
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &EventSchema {
        &self.schema
    }

    /// Returns the parts of the scan, ascending by user. No user is in two of them, so each can be worked on by
    /// itself, and what is written in their order is sorted by user.
    ///
    /// In a store with one commit a partition is one row group of 131,072 events, more only where a user's events go on in
    /// the next. Over several commits it is the users between two ends of row groups, and some times as many events.
    /// Parts in which nothing can match are left out.
    pub fn partitions(&self) -> Vec<EventPartition> {
        if self.line.is_some() {
            return self.merged_partitions();
        }
        let mut partitions: Vec<EventPartition> = Vec::new();
        let mut last: Option<&RowGroupSpan> = None;
        for (file, scan_file) in self.files.iter().enumerate() {
            for (index, span) in scan_file.row_groups.iter().enumerate() {
                // The unknown user (none) is one user as well.
                let same_user = last.is_some_and(|last| last.users[1] == span.users[0]);
                last = Some(span);
                if !self.may_match(scan_file, span) {
                    continue;
                }
                match partitions.last_mut() {
                    Some(partition) if same_user => partition.row_groups.push((file, index)),
                    _ => partitions.push(EventPartition {
                        scan: self.clone(),
                        row_groups: vec![(file, index)],
                        users: UserRange::default(),
                    }),
                }
            }
        }
        partitions
    }

    /// The partitions over several commits: cut where row groups end, so that each has whole row groups of some commits.
    fn merged_partitions(&self) -> Vec<EventPartition> {
        /// A row group is read for every partition that it overlaps: more commits, larger partitions.
        const MOST_ROW_GROUPS: usize = 4;
        let mut groups: Vec<(usize, usize, &RowGroupSpan)> = Vec::new();
        for (file, scan_file) in self.files.iter().enumerate() {
            let spans = scan_file.row_groups.iter().enumerate();
            groups.extend(
                spans
                    .filter(|(_, span)| self.may_match(scan_file, span))
                    .map(|(index, span)| (file, index, span)),
            );
        }
        // Only the last row group of a commit need not be full, be it of rows or of long texts.
        let is_last = |file: usize, index: usize| {
            let here = &self.files[file];
            index + 1 == here.row_groups.len()
                && self.files.get(file + 1).is_none_or(|next| next.commit != here.commit)
        };
        let weigh = |&(file, index, span): &(usize, usize, &RowGroupSpan)| {
            let full = if is_last(file, index) { 0 } else { EVENT_ROW_GROUP_ROWS as u64 };
            (UserKey::of(&span.users[1]), span.rows.max(full))
        };
        let mut ends: Vec<(UserKey, u64)> = groups.iter().map(weigh).collect();
        ends.sort();
        let commits = self.line.as_ref().map_or(1, |line| line.commits.len());
        let enough = (EVENT_ROW_GROUP_ROWS * commits.min(MOST_ROW_GROUPS)) as u64;
        let (mut bounds, mut rows) = (Vec::new(), 0);
        for pair in ends.windows(2) {
            rows += pair[0].1;
            if rows >= enough && pair[0].0 != pair[1].0 {
                bounds.push(pair[0].0.clone());
                rows = 0;
            }
        }
        let mut partitions = Vec::with_capacity(bounds.len() + 1);
        let mut after = None;
        for up_to in bounds.into_iter().map(Some).chain([None]) {
            let users = UserRange { after, up_to: up_to.clone() };
            let meeting = groups.iter().filter(|(_, _, span)| users.meets(span));
            let row_groups: Vec<_> = meeting.map(|&(file, index, _)| (file, index)).collect();
            after = up_to;
            if !row_groups.is_empty() {
                partitions.push(EventPartition { scan: self.clone(), row_groups, users });
            }
        }
        partitions
    }

    /// Rows of the row groups that are read, before any filter.
    pub fn rows(&self) -> u64 {
        let spans = self.files.iter().flat_map(|file| file.row_groups.iter().map(move |span| (file, span)));
        spans.filter(|(file, span)| self.may_match(file, span)).map(|(_, span)| span.rows).sum()
    }

    fn may_match(&self, file: &ScanFile, span: &RowGroupSpan) -> bool {
        let user_fits = self.users.as_ref().is_none_or(|users| users.meets(span));
        file.commit >= self.first_commit && user_fits && self.time.meets(span.times[0], span.times[1])
    }

    /// Whether a column is read: for the caller, for the filters, or to merge commits by.
    fn reads(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column == name)
            || (name == column::EVENT_TIME && self.time != TimeRange::ALL)
            || (name == column::USER_ID && (self.users.is_some() || self.aliases.is_some()))
            || (name == column::CURRENCY && self.currency.is_some())
            || (name == column::EVENT_TYPE && self.rows == ScanRows::Transactions)
            || (self.line.is_some() && orders_rows(name))
    }

    /// The footer of a file.
    fn metadata(&self, file: usize) -> Result<ArrowReaderMetadata, StoreError> {
        let scan_file = &self.files[file];
        if let Some(metadata) = scan_file.metadata.get() {
            return Ok(metadata.clone());
        }
        let handle = self.open_files.get(&scan_file.data)?;
        let loaded = ArrowReaderMetadata::load(handle, ArrowReaderOptions::new())
            .map_err(StoreError::parquet(handle.path()))?;
        let form = self.form(file)?;
        let stored = form.as_ref().map_or(self.stored.arrow(), |form| form.stored());
        scan_file.check(handle, &loaded, stored)?;
        Ok(scan_file.metadata.get_or_init(|| loaded).clone())
    }

    /// The form of a file's events; none where they are plain.
    fn form(&self, file: usize) -> Result<Option<Arc<CompactForm>>, StoreError> {
        match &self.files[file] {
            ScanFile { is_plain: true, .. } => Ok(None),
            ScanFile { commit, .. } => self.forms.of(*commit, &self.stored, &self.open_files),
        }
    }

    /// Opens a row group; none where it has nobody whose events are read.
    fn open(
        &self,
        file: usize,
        group: usize,
        batch_rows: usize,
    ) -> Result<Option<ParquetRecordBatchReader>, StoreError> {
        let scan_file = &self.files[file];
        let metadata = self.metadata(file)?;
        let handle = self.open_files.get(&scan_file.data)?;
        let selection = match &self.users {
            // Places lie in a file of their own: they are filtered beside their events.
            Some(users) if self.places.is_none() => match self.rows_of(users, file, group)? {
                Some(selection) if !selection.selects_any() => return Ok(None),
                selection => selection,
            },
            _ => None,
        };
        let form = self.form(file)?;
        let is_needed = |name: &str| match &form {
            Some(form) => form.needs(name, |name| self.reads(name)),
            None => self.reads(name),
        };
        let fields = metadata.schema().fields().iter().enumerate();
        let roots: Vec<usize> =
            fields.filter(|(_, field)| is_needed(field.name())).map(|(index, _)| index).collect();
        let columns = handle.read_columns(&scan_file.data, metadata.metadata(), group, &roots)?;
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(columns, metadata)
            .with_projection(mask)
            .with_row_groups(vec![group])
            .with_batch_size(batch_rows);
        let builder = match selection {
            Some(selection) => builder.with_row_selection(selection),
            None => builder,
        };
        builder.build().map(Some).map_err(StoreError::parquet(handle.path()))
    }

    /// Which rows of a row group are of some users; none where the events have no users.
    fn rows_of(
        &self,
        users: &UserSet,
        file: usize,
        group: usize,
    ) -> Result<Option<RowSelection>, StoreError> {
        let metadata = self.metadata(file)?;
        let handle = self.open_files.get(&self.files[file].data)?;
        let Ok(column) = metadata.schema().index_of(column::USER_ID) else { return Ok(None) };
        let columns = handle.read_columns(&self.files[file].data, metadata.metadata(), group, &[column])?;
        let mask = ProjectionMask::roots(metadata.parquet_schema(), [column]);
        let rows = ParquetRecordBatchReaderBuilder::new_with_metadata(columns, metadata)
            .with_projection(mask)
            .with_row_groups(vec![group])
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(StoreError::parquet(handle.path()))?;
        let mut theirs = Vec::new();
        for batch in rows {
            let batch = batch.map_err(|error| StoreError::parquet(handle.path())(error.into()))?;
            theirs.push(users.rows(&IdColumn::try_new(column::USER_ID, batch.column(0))?));
        }
        Ok(Some(RowSelection::from_filters(&theirs)))
    }

    /// Applies the filters and leaves only the columns that were asked for.
    fn narrow(&self, mut batch: RecordBatch) -> Result<RecordBatch, StoreError> {
        if self.rows == ScanRows::Transactions
            && let Some(keep) = transactions(&batch).filter(BooleanArray::has_false)
        {
            batch = filter_record_batch(&batch, &keep)?;
        }
        if self.time != TimeRange::ALL
            && let Some(times) = batch.column_by_name(column::EVENT_TIME)
        {
            let times = times.as_primitive::<TimestampMicrosecondType>().values();
            if !times.iter().all(|&time| self.time.contains(time)) {
                let keep: BooleanArray = times.iter().map(|&time| Some(self.time.contains(time))).collect();
                batch = filter_record_batch(&batch, &keep)?;
            }
        }
        if let Some(theirs) = &self.users
            && let Some(users) = batch.column_by_name(column::USER_ID)
        {
            let keep = theirs.rows(&IdColumn::try_new(column::USER_ID, users)?);
            if keep.has_false() {
                batch = filter_record_batch(&batch, &keep)?;
            }
        }
        if let Some(aliases) = &self.aliases
            && let Some(users) = batch.column_by_name(column::USER_ID)
        {
            let users = IdColumn::try_new(column::USER_ID, users)?;
            let mut keep = Vec::with_capacity(users.len());
            for (user, run) in users.runs() {
                let stays = user.is_none_or(|user| aliases.user(user).is_none());
                keep.extend(run.map(|_| Some(stays)));
            }
            let keep = BooleanArray::from(keep);
            if keep.true_count() < keep.len() {
                batch = filter_record_batch(&batch, &keep)?;
            }
        }
        if let Some(currency) = &self.currency
            && let Some(currencies) = batch.column_by_name(column::CURRENCY)
            && let Some(keep) = in_currency(currencies, currency)
        {
            batch = filter_record_batch(&batch, &keep)?;
        }
        if batch.num_columns() != self.schema.arrow().fields().len() {
            let keep: Vec<usize> = (batch.schema().fields().iter().enumerate())
                .filter(|(_, field)| self.schema.has(field.name()))
                .map(|(index, _)| index)
                .collect();
            batch = batch.project(&keep)?;
        }
        Ok(batch)
    }
}

/// All events of some users: a part of a scan that can be worked on by itself.
#[derive(Debug, Clone)]
pub struct EventPartition {
    scan: EventScan,
    /// (file, row group), ascending.
    row_groups: Vec<(usize, usize)>,
    /// Whose events they are, where row groups of several commits overlap.
    users: UserRange,
}

impl EventPartition {
    /// Returns its events in batches, sorted by user, time, source file and position.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Parquet`], also from the iterator.
    pub fn batches(&self) -> Result<EventBatches, StoreError> {
        let Some(line) = &self.scan.line else {
            let rows = Rows::OfOneCommit(Box::new(self.scan.read(&self.row_groups, BATCH_ROWS)?));
            return Ok(EventBatches { scan: self.scan.clone(), rows });
        };
        let of_commit = |&(file, _): &(usize, usize)| self.scan.files[file].commit;
        let parts: Vec<_> = self.row_groups.chunk_by(|a, b| of_commit(a) == of_commit(b)).collect();
        let batch_rows = (BATCH_ROWS / parts.len().max(1)).max(FEWEST_BATCH_ROWS);
        let mut commits = Vec::with_capacity(parts.len());
        for part in &parts {
            commits.push((of_commit(&part[0]), self.scan.read(part, batch_rows)?));
        }
        let wanted = self.scan.reads(column::SOURCE_SESSION) && self.scan.stored.has(column::SOURCE_SESSION);
        let sessions = if wanted { Some(self.sessions(line)?) } else { None };
        let mut schema = projected(self.scan.stored.arrow(), |name| self.scan.reads(name));
        if self.scan.places.is_some() {
            schema = Arc::new(with_places(&schema));
        }
        let merge = Merge::new(schema, Arc::clone(line), self.users.clone(), sessions, commits, BATCH_ROWS);
        Ok(EventBatches { scan: self.scan.clone(), rows: Rows::Merged(Box::new(merge)) })
    }

    /// The source sessions of the partition's users; those of one commit need no map.
    fn sessions(&self, line: &CommitsInLine) -> Result<SessionMap, StoreError> {
        let mut codes: Vec<Option<(u32, u32)>> = vec![None; line.commits.len()];
        for &(file, group) in &self.row_groups {
            let metadata = self.scan.metadata(file)?;
            if let Ok(sessions) = metadata.schema().index_of(column::SOURCE_SESSION) {
                let chunk = metadata.metadata().row_group(group).column(sessions);
                widen(&mut codes[self.scan.files[file].commit], chunk.statistics());
            }
        }
        let mut wanted = Vec::with_capacity(codes.len());
        for (commit, codes) in line.commits.iter().zip(codes) {
            wanted.push(match (&commit.session_dictionary, codes) {
                (Some(data), Some((first, last))) => Some(WantedSessions {
                    file: self.scan.open_files.get(data)?,
                    data,
                    offset: commit.session_offset,
                    codes: first..last.saturating_add(1),
                }),
                _ => None,
            });
        }
        SessionMap::read(&wanted, &self.users)
    }

    /// Rows in the files, before any filter. Row groups that lie in several partitions count in each.
    pub fn rows(&self) -> u64 {
        self.row_groups.iter().map(|&(file, group)| self.scan.files[file].row_groups[group].rows).sum()
    }
}

impl EventScan {
    /// Opens row groups of one commit.
    fn read(&self, row_groups: &[(usize, usize)], batch_rows: usize) -> Result<CommitBatches, StoreError> {
        let mut left = row_groups.to_vec();
        left.reverse();
        let mut batches = CommitBatches { scan: self.clone(), left, batch_rows, open: None };
        batches.open_next()?;
        Ok(batches)
    }
}

/// The batches of row groups of one commit.
#[derive(Debug)]
pub(crate) struct CommitBatches {
    scan: EventScan,
    /// The row groups that are left, (file, row group), the next one last.
    left: Vec<(usize, usize)>,
    batch_rows: usize,
    open: Option<GroupBatches>,
}

/// The batches of one row group.
#[derive(Debug)]
struct GroupBatches {
    file: usize,
    form: Option<Arc<CompactForm>>,
    events: ParquetRecordBatchReader,
    places: Option<PlaceBatches>,
}

impl CommitBatches {
    /// No batches.
    fn none(scan: EventScan) -> Self {
        Self { scan, left: Vec::new(), batch_rows: BATCH_ROWS, open: None }
    }

    /// Opens the next row group that has rows to read; false where there is none.
    fn open_next(&mut self) -> Result<bool, StoreError> {
        self.open = None;
        while let Some((file, group)) = self.left.pop() {
            let Some(events) = self.scan.open(file, group, self.batch_rows)? else { continue };
            let ScanFile { commit, groups_before, .. } = self.scan.files[file];
            let open_files = &self.scan.open_files;
            let places = self.scan.places.as_ref();
            let places = places
                .map(|places| places.open(commit, groups_before + group, self.batch_rows, open_files))
                .transpose()?;
            self.open = Some(GroupBatches { file, form: self.scan.form(file)?, events, places });
            return Ok(true);
        }
        Ok(false)
    }

    /// Returns the next batch with the columns that are read, as the store has them.
    pub(crate) fn next_batch(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        loop {
            let Some(GroupBatches { file, form, events, places }) = &mut self.open else { return Ok(None) };
            match (events.next(), places) {
                (None, _) => {
                    self.open_next()?;
                }
                (Some(Ok(batch)), places) => {
                    let batch = match form {
                        Some(form) => form.restore(&batch, |name| self.scan.reads(name))?,
                        None => batch,
                    };
                    return match places {
                        Some(places) => places.beside(&batch).map(Some),
                        None => Ok(Some(batch)),
                    };
                }
                (Some(Err(error)), _) => {
                    let path = PathBuf::from(&self.scan.files[*file].data.path);
                    self.end();
                    return Err(StoreError::Parquet { path, source: error.into() });
                }
            }
        }
    }

    /// Leaves the rest unread.
    pub(crate) fn end(&mut self) {
        self.left.clear();
        self.open = None;
    }

    /// The file that is being read, by its path inside the store.
    pub(crate) fn path(&self) -> PathBuf {
        let file = self.open.as_ref().map(|open| &self.scan.files[open.file]);
        file.map(|file| PathBuf::from(&file.data.path)).unwrap_or_default()
    }
}

/// The batches of a partition; none is empty.
#[derive(Debug)]
pub struct EventBatches {
    scan: EventScan,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    OfOneCommit(Box<CommitBatches>),
    Merged(Box<Merge>),
}

impl EventBatches {
    /// Returns the source's own id of a session that was among the events so far, as a row of a session dictionary, whose
    /// code may be another, and its number; none where the scan merges no commits.
    pub fn session(&self, code: u32) -> Option<(&RecordBatch, usize)> {
        match &self.rows {
            Rows::OfOneCommit(_) => None,
            Rows::Merged(merge) => merge.sessions()?.entry(code),
        }
    }

    /// Returns the sessions of all events so far, as rows of the session dictionary by their codes; none where the scan
    /// merges no commits, or there are none.
    pub(crate) fn sessions(&self) -> Result<Option<RecordBatch>, StoreError> {
        match &self.rows {
            Rows::OfOneCommit(_) => Ok(None),
            Rows::Merged(merge) => merge.sessions().map_or(Ok(None), SessionMap::rows),
        }
    }

    fn next_rows(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        match &mut self.rows {
            Rows::OfOneCommit(batches) => batches.next_batch(),
            Rows::Merged(merge) => merge.next_batch(),
        }
    }
}

impl Iterator for EventBatches {
    type Item = Result<EventBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_rows() {
                Ok(None) => return None,
                Err(error) => {
                    self.rows = Rows::OfOneCommit(Box::new(CommitBatches::none(self.scan.clone())));
                    return Some(Err(error));
                }
                Ok(Some(batch)) => match self.scan.narrow(batch) {
                    Ok(batch) if batch.num_rows() == 0 => {}
                    narrowed => {
                        return Some(narrowed.and_then(|batch| Ok(EventBatch::try_new(batch)?)));
                    }
                },
            }
        }
    }
}
