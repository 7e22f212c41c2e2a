//! The streaming kernel: sorted batches in, finished sessions out, one open session in between.

use std::ops::Range;

use arrow_array::RecordBatch;
use cip_core::{CoreError, DistinctIds, EventBatch, EventKind, EventSchema, IdColumn, IdRef, column};

use crate::boundaries::{Start, StartOf, session_starts};
use crate::error::SessionizeError;
use crate::input::{Input, InputSchema};
use crate::key::session_key_in;
use crate::rule::SessionRule;
use crate::table::{Session, SessionTable};

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
/// products.
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
    rule: SessionRule,
    schema: InputSchema,
    open: Option<Session>,
    /// None where the source has no products.
    products: Option<DistinctIds>,
    done: SessionTable,
    rows: u64,
    skipped: u64,
    /// Reused between batches.
    starts: Vec<Start>,
    key_bytes: Vec<u8>,
}

impl Sessionizer {
    /// Returns a sessionizer of events of `schema`.
    ///
    /// The schema's part of [`COLUMNS`](crate::COLUMNS) decides which of them every batch must have, and their
    /// types.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] without `user_id`, `event_time` or `event_type`.
    pub fn new(rule: SessionRule, schema: &EventSchema) -> Result<Self, SessionizeError> {
        let schema = InputSchema::try_new(schema)?;
        Ok(Self {
            rule,
            open: None,
            products: schema.products.map(DistinctIds::new),
            done: SessionTable::new(schema.users, schema.money),
            schema,
            rows: 0,
            skipped: 0,
            starts: Vec::new(),
            key_bytes: Vec::new(),
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

    /// Returns the session that is still open, if there is one.
    ///
    /// # Errors
    /// [`CoreError::MoneyOverflow`] and [`SessionizeError::TooMuchText`], as [`Sessionizer::push`].
    pub fn finish(mut self) -> Result<RecordBatch, SessionizeError> {
        self.close()?;
        self.take()
    }

    /// How many events so far had no user.
    pub fn skipped_events(&self) -> u64 {
        self.skipped
    }

    /// Adds a batch to the open session and those behind it.
    fn absorb(&mut self, events: &EventBatch) -> Result<(), SessionizeError> {
        let input = self.schema.read(events)?;
        let mut starts = std::mem::take(&mut self.starts);
        let known = self
            .find_starts(&input, &mut starts)
            .map_err(|row| CoreError::NotSorted { row: self.rows + row as u64 })?;
        self.done.reserve(starts.len());
        let mut row = 0;
        for start in &starts {
            self.extend(&input, row..start.row)?;
            let time = input.times[start.row];
            self.open = match self.close()? {
                Some(before) if start.of == StartOf::Session => {
                    Some(Session::starting(before.user, before.seq + 1, time))
                }
                _ => input.users.get(start.row).map(|user| Session::starting(user.to_owned(), 1, time)),
            };
            row = start.row;
        }
        self.extend(&input, row..known)?;
        self.starts = starts;
        self.rows += events.len() as u64;
        self.skipped += (events.len() - known) as u64;
        Ok(())
    }

    /// Fills `starts` and returns how many rows have a user; the error is the first row out of order.
    fn find_starts(&self, input: &Input<'_>, starts: &mut Vec<Start>) -> Result<usize, usize> {
        let (known, misplaced) = input.users.known();
        if known > 0 && self.skipped > 0 {
            return Err(0);
        }
        let (rule, times) = (self.rule, &input.times[..known]);
        let previous = self.open.as_ref().map(|open| (open.user.as_ref(), open.end));
        match input.users {
            IdColumn::Int64(array) => {
                let previous = previous.and_then(|(user, time)| match user {
                    IdRef::Int64(user) => Some((user, time)),
                    IdRef::Utf8(_) => None,
                });
                session_starts(rule, array.values()[..known].iter().copied(), times, previous, starts)?;
            }
            IdColumn::Utf8(array) => {
                let previous = previous.and_then(|(user, time)| match user {
                    IdRef::Utf8(user) => Some((user, time)),
                    IdRef::Int64(_) => None,
                });
                session_starts(rule, (0..known).map(|row| array.value(row)), times, previous, starts)?;
            }
        }
        misplaced.map_or(Ok(known), Err)
    }

    /// Adds `rows` to the open session.
    fn extend(&mut self, input: &Input<'_>, rows: Range<usize>) -> Result<(), CoreError> {
        let (Some(open), Some(&last)) = (&mut self.open, input.times[rows.clone()].last()) else {
            return Ok(());
        };
        open.end = last;
        open.events += rows.len();
        let mut purchases = 0;
        for kind in &input.kinds[rows.clone()] {
            match kind {
                EventKind::View => open.views += 1,
                EventKind::Cart => open.carts += 1,
                EventKind::RemoveFromCart => open.removes += 1,
                EventKind::Purchase => purchases += 1,
                EventKind::Cancellation | EventKind::Other => {}
            }
        }
        if purchases > 0 {
            open.purchases += purchases;
            open.revenue = input
                .add_revenue(open.revenue, rows.clone())
                .ok_or(CoreError::MoneyOverflow { column: column::PRICE })?;
        }
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
        let key = session_key_in(session.user.as_ref(), session.start, &mut self.key_bytes);
        self.done.append(key, &session)?;
        Ok(Some(session))
    }

    fn take(&mut self) -> Result<RecordBatch, SessionizeError> {
        Ok(self.done.take().map_err(CoreError::from)?)
    }
}
