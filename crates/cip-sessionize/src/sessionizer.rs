//! The streaming kernel: sorted batches in, finished sessions out, one open session in between.

use std::ops::Range;

use arrow_array::RecordBatch;
use cip_core::{CoreError, DistinctIds, EventBatch, EventSchema, column};

use crate::boundaries::{Start, StartOf, find_starts, known_rows};
use crate::cuts::OpenCuts;
use crate::error::SessionizeError;
use crate::input::{Input, InputSchema};
use crate::rule::{SessionBasis, SessionRule};
use crate::session::Session;
use crate::source_sessions::SourceSessions;
use crate::table::SessionTable;

/// Returns the sessions of all `batches`, which together are sorted by user_id (nulls last), event_time.
///
/// Events without a user belong to no session. The types of the first batch are those of all.
///
/// # Errors
/// As [`Sessionizer::new`] (no batch at all has no `user_id`), [`Sessionizer::push`] and
/// [`Sessionizer::finish`].
pub fn sessionize(rule: SessionRule, batches: &[EventBatch]) -> Result<RecordBatch, SessionizeError> {
    let Some(first) = batches.first() else {
        return Err(CoreError::MissingColumn { column: column::USER_ID }.into());
    };
    let mut sessionizer = Sessionizer::new(rule, first.schema())?;
    for batch in batches {
        sessionizer.absorb(batch)?;
    }
    sessionizer.finish()
}

/// Cuts a stream of sorted batches into sessions.
///
/// Events of one user, and of one session, may span any number of batches: how the rows are split does not
/// change the sessions. What is held between batches is one open session: its counts, and its distinct
/// products. Of the source's own sessions ([`SessionRule::source`]) it is all those of one user, which come out when the user ends.
///
/// ```text
/// push ──▶ 7 7 7 9 | 9 9 12 ◀── push
///          ─┬─ ┬  ────┬─── ┬
///           │  │      │    └ open until the next push or finish
///           └──┴──────┴───── returned by the push that ends them
/// ```
///
/// # Complexity
/// Linear in the events; memory beyond the batch is linear in the distinct products of the open session.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
/// # use cip_core::EventBatch;
/// # fn batch(users: Vec<Option<i64>>) -> EventBatch {
/// #     let rows = users.len();
/// #     let types: DictionaryArray<arrow_array::types::Int32Type> = (0..rows).map(|_| "view").collect();
/// #     let times = TimestampMicrosecondArray::from_value(0, rows).with_timezone("UTC");
/// #     let columns: [(&str, ArrayRef); 3] = [
/// #         ("user_id", Arc::new(Int64Array::from(users))),
/// #         ("event_time", Arc::new(times)),
/// #         ("event_type", Arc::new(types)),
/// #     ];
/// #     EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
/// # }
/// use cip_sessionize::{SessionRule, Sessionizer};
/// let batches = [batch(vec![Some(7), Some(9)]), batch(vec![Some(9), Some(12), None])];
/// let mut sessionizer = Sessionizer::new(SessionRule::default(), batches[0].schema())?;
/// assert_eq!(sessionizer.push(&batches[0])?.num_rows(), 1); // 7: that of 9 is still open
/// assert_eq!(sessionizer.push(&batches[1])?.num_rows(), 1);
/// assert_eq!(sessionizer.skipped_events(), 1);
/// assert_eq!(sessionizer.finish()?.num_rows(), 1);
/// # Ok::<(), cip_sessionize::SessionizeError>(())
/// ```
#[derive(Debug)]
pub struct Sessionizer {
    schema: InputSchema,
    /// Where the rule is that of the source.
    source: Option<SourceSessions>,
    cuts: OpenCuts,
    open: Option<Session>,
    /// None where the source has no products.
    products: Option<DistinctIds>,
    done: SessionTable,
    rows: u64,
    skipped: u64,
    /// Reused between batches.
    starts: Vec<Start>,
}

impl Sessionizer {
    /// Returns a sessionizer of events of `schema`.
    ///
    /// The schema's part of [`SessionRule::columns`] decides which of them every batch must have, and their
    /// types.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] without `user_id`, `event_time` or `event_type`, or without `source_session` where the
    /// rule is that of the source; [`SessionizeError::NoAttribute`] and [`SessionizeError::AttributeType`] where the column
    /// whose changes end sessions is missing or has a type that it cannot have.
    pub fn new(rule: SessionRule, schema: &EventSchema) -> Result<Self, SessionizeError> {
        let schema = InputSchema::try_new(rule, schema)?;
        let rule = schema.rule();
        let source = (rule.basis() == SessionBasis::Source)
            .then(|| SourceSessions::new(rule.clock().clone(), schema.products));
        Ok(Self {
            source,
            cuts: OpenCuts::default(),
            open: None,
            products: schema.products.map(DistinctIds::new),
            done: SessionTable::new(schema.users, schema.money),
            schema,
            rows: 0,
            skipped: 0,
            starts: Vec::new(),
        })
    }

    /// Returns the sessions that `events` completes: all that started before its last row's session.
    ///
    /// # Errors
    /// [`CoreError::NotSorted`] where a row comes before the one above it, also where that is the last of the
    /// batch before; [`CoreError::MissingColumn`] and [`CoreError::ColumnType`] where a column of the schema is
    /// missing or has another type; [`CoreError::MoneyOverflow`] where a session's revenue exceeds 38 digits;
    /// [`SessionizeError::TooMuchText`]. After an error the open session is not whole: start again.
    pub fn push(&mut self, events: &EventBatch) -> Result<RecordBatch, SessionizeError> {
        self.absorb(events)?;
        self.take()
    }

    /// Returns the sessions that are still open.
    ///
    /// # Errors
    /// [`CoreError::MoneyOverflow`] and [`SessionizeError::TooMuchText`], as [`Sessionizer::push`].
    pub fn finish(mut self) -> Result<RecordBatch, SessionizeError> {
        self.close()?;
        if let Some(source) = &mut self.source {
            source.close(&mut |session| self.done.append(session))?;
        }
        self.take()
    }

    /// How many events so far had no user.
    pub fn skipped_events(&self) -> u64 {
        self.skipped
    }

    /// Adds a batch to the open session and those behind it.
    fn absorb(&mut self, events: &EventBatch) -> Result<(), SessionizeError> {
        let input = self.schema.read(events)?;
        let known = match &self.source {
            None => self.absorb_by_time(&input)?,
            Some(_) => self.absorb_by_source(&input)?,
        };
        self.rows += events.len() as u64;
        self.skipped += (events.len() - known) as u64;
        Ok(())
    }

    /// Adds a batch and returns how many of its rows have a user.
    fn absorb_by_time(&mut self, input: &Input<'_>) -> Result<usize, SessionizeError> {
        let mut starts = std::mem::take(&mut self.starts);
        let previous = self.open.as_ref().map(|open| (open.user.as_ref(), open.end));
        let after_unknown = self.skipped > 0;
        let known =
            find_starts(self.schema.rule(), input, after_unknown, previous, &mut self.cuts, &mut starts)
                .map_err(|row| self.not_sorted(row))?;
        self.done.reserve(starts.len());
        let mut row = 0;
        for start in &starts {
            self.extend(input, row..start.row)?;
            let time = input.times[start.row];
            self.open = match self.close()? {
                Some(before) if start.of == StartOf::Session => Some(before.followed_by(time)),
                _ => input.users.get(start.row).map(|user| Session::starting(user.to_owned(), time)),
            };
            row = start.row;
        }
        self.extend(input, row..known)?;
        self.starts = starts;
        Ok(known)
    }

    /// Adds a batch and returns how many of its rows have a user.
    fn absorb_by_source(&mut self, input: &Input<'_>) -> Result<usize, SessionizeError> {
        let (known, misplaced) = known_rows(input, self.skipped > 0).map_err(|row| self.not_sorted(row))?;
        let (done, rows) = (&mut self.done, self.rows);
        if let Some(source) = &mut self.source {
            source.absorb(input, known, &mut |session| done.append(session)).map_err(
                |error| match error {
                    SessionizeError::Core(CoreError::NotSorted { row }) => {
                        CoreError::NotSorted { row: rows + row }.into()
                    }
                    error => error,
                },
            )?;
        }
        misplaced.map_or(Ok(known), |row| Err(self.not_sorted(row).into()))
    }

    fn not_sorted(&self, row: usize) -> CoreError {
        CoreError::NotSorted { row: self.rows + row as u64 }
    }

    /// Adds `rows` to the open session.
    fn extend(&mut self, input: &Input<'_>, rows: Range<usize>) -> Result<(), CoreError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.extend(input, rows.clone())?;
        if let (Some(distinct), Some(products)) = (&mut self.products, input.products) {
            distinct.extend(products, rows);
        }
        Ok(())
    }

    /// Writes the open session, if there is one, and returns it.
    fn close(&mut self) -> Result<Option<Session>, SessionizeError> {
        let Some(mut session) = self.open.take() else { return Ok(None) };
        if let Some(products) = &mut self.products {
            session.products = products.count();
            products.clear();
        }
        self.done.append(&session)?;
        Ok(Some(session))
    }

    fn take(&mut self) -> Result<RecordBatch, SessionizeError> {
        Ok(self.done.take().map_err(CoreError::from)?)
    }
}
