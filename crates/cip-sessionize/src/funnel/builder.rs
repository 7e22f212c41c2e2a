//! The streaming kernel: sorted batches in, what finished users reached out, one open user in between.

use std::mem;
use std::ops::Range;

use arrow_array::RecordBatch;
use cip_core::{CoreError, EventBatch, EventSchema, Id, IdRef, ZonePeriod, column};

use crate::attribute::{AttributeColumn, check_attribute};
use crate::error::SessionizeError;
use crate::funnel::abandonment::OpenSession;
use crate::funnel::attempt::Follower;
use crate::funnel::definition::{Funnel, FunnelScope};
use crate::funnel::event_types::{TypeOf, note_types, types_of};
use crate::funnel::table::FunnelTable;
use crate::funnel::totals::FunnelTotals;

/// The event columns that every funnel is made from, in the store's order; [`Funnel::columns`] has those of one.
pub const FUNNEL_COLUMNS: &[&str] = &[column::USER_ID, column::EVENT_TIME, column::EVENT_TYPE];

/// Follows a stream of batches sorted by user_id (nulls last), event_time through a funnel; made by [`Funnel::builder`].
///
/// Events of one user may span any number of batches: how the rows are split changes nothing. What is held between batches
/// is one user: the times of the events that are steps, until all steps are reached.
///
/// # Complexity
/// Linear in the events, times the steps that one event can be; memory beyond the batch is 16 bytes an event of the open
/// user that is a step, and the different durations between steps.
#[derive(Debug)]
pub struct FunnelBuilder {
    funnel: Funnel,
    schema: EventSchema,
    open: Option<OpenUser>,
    follower: Follower,
    done: FunnelTable,
    totals: FunnelTotals,
    /// Whether an event without a user came: none with a user may follow.
    unknown: bool,
    rows: u64,
    /// Where the last days were looked up.
    near: ZonePeriod,
    /// Reused: what the codes of a batch are, and the seconds from a user's first step.
    types: Vec<TypeOf>,
    seconds: Vec<i64>,
}

/// The user whose events come in.
#[derive(Debug)]
struct OpenUser {
    user: Id,
    /// Of the last event.
    time: i64,
    session: OpenSession,
}

impl FunnelBuilder {
    pub(crate) fn new(funnel: &Funnel, schema: &EventSchema) -> Result<Self, SessionizeError> {
        let users = schema.user_type()?;
        for &column in FUNNEL_COLUMNS {
            if !schema.has(column) {
                return Err(CoreError::MissingColumn { column }.into());
            }
        }
        if let Some(column) = funnel.segments() {
            check_attribute(schema, column)?;
        }
        Ok(Self {
            funnel: funnel.clone(),
            schema: schema.project(&funnel.columns()),
            open: None,
            follower: Follower::new(funnel),
            done: FunnelTable::new(users, funnel.steps().len()),
            totals: FunnelTotals::new(funnel),
            unknown: false,
            rows: 0,
            near: ZonePeriod::NEVER,
            types: Vec::new(),
            seconds: Vec::new(),
        })
    }

    /// Returns the rows of the users that `events` completes, and who reached the first step: all before the user of its
    /// last row.
    ///
    /// # Errors
    /// [`CoreError::NotSorted`] where a row comes before the one above it, also where that is the last of the batch
    /// before; [`CoreError::MissingColumn`] and [`CoreError::ColumnType`] where a column is missing or has another type;
    /// [`SessionizeError::TooMuchText`], [`SessionizeError::TooManySegments`]. After an error the open user is not whole: start
    /// again.
    pub fn push(&mut self, events: &EventBatch) -> Result<RecordBatch, SessionizeError> {
        self.absorb(events)?;
        self.take()
    }

    /// Returns the row of the user that is still open, if there is one who reached the first step, and the totals of all.
    ///
    /// # Errors
    /// [`SessionizeError::TooMuchText`] and [`SessionizeError::TooManySegments`], as [`FunnelBuilder::push`].
    pub fn finish(mut self) -> Result<(RecordBatch, FunnelTotals), SessionizeError> {
        self.close()?;
        self.totals.check_segments()?;
        let rows = self.take()?;
        Ok((rows, self.totals))
    }

    /// Adds a batch to the open user and those behind.
    pub(crate) fn absorb(&mut self, events: &EventBatch) -> Result<(), SessionizeError> {
        self.schema.require(events.schema())?;
        let (users, times, types) = (events.users()?, events.times()?.values(), events.event_types()?);
        types_of(&self.funnel, types, &mut self.types);
        note_types(types, self.totals.event_types_mut());
        let column = self.funnel.segments();
        let column = column.and_then(|column| AttributeColumn::of(events.record_batch(), column));
        let segment = |row: usize| column.and_then(|column| column.get(row)).map(IdRef::to_owned);
        let codes = types.keys().values();
        for (user, rows) in users.runs() {
            match user {
                Some(user) => {
                    self.switch_to(user, times[rows.start], rows.start, segment)?;
                    self.add(&times[rows.clone()], &codes[rows.clone()], rows, segment)?;
                }
                None => {
                    self.unknown = true;
                    self.totals.skip(rows.len());
                }
            }
        }
        self.rows += events.len() as u64;
        self.totals.check_segments()
    }

    /// Opens `user` at the first event of a run, unless it is open.
    fn switch_to(
        &mut self,
        user: IdRef<'_>,
        time: i64,
        row: usize,
        segment: impl Fn(usize) -> Option<Id>,
    ) -> Result<(), SessionizeError> {
        let before = self.open.as_ref().map(|open| (open.user.as_ref(), open.time));
        let goes_on = before.is_some_and(|(open, _)| open == user);
        if self.unknown || before.is_some_and(|(open, last)| if goes_on { time < last } else { user < open })
        {
            return Err(self.not_sorted(row));
        }
        if !goes_on {
            self.close()?;
            let session = OpenSession::starting(time, segment(row));
            self.open = Some(OpenUser { user: user.to_owned(), time, session });
        }
        Ok(())
    }

    /// Adds events of the open user.
    fn add(
        &mut self,
        times: &[i64],
        codes: &[i32],
        rows: Range<usize>,
        segment: impl Fn(usize) -> Option<Id>,
    ) -> Result<(), SessionizeError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let rule = self.funnel.session_rule().clock();
        let mut back = None;
        for (row, (&time, &code)) in rows.zip(times.iter().zip(codes)) {
            if time < open.time {
                back = Some(row);
                break;
            }
            if rule.splits(open.session.start(), open.time, time, &mut self.near) {
                let next = OpenSession::starting(time, segment(row));
                self.totals.abandonment_mut().add(mem::replace(&mut open.session, next));
                if self.funnel.scope() == FunnelScope::Session {
                    self.follower.end_stretch();
                }
            }
            let of = self.types[code as usize];
            open.session.add(of.kind);
            if of.bits != 0 {
                self.follower.push(time, of.bits);
            }
            open.time = time;
        }
        back.map_or(Ok(()), |row| Err(self.not_sorted(row)))
    }

    /// Writes the open user, if there is one.
    fn close(&mut self) -> Result<(), SessionizeError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        self.totals.add_user();
        self.totals.abandonment_mut().add(open.session);
        let (done, totals, seconds) = (&mut self.done, &mut self.totals, &mut self.seconds);
        let written = self.follower.end_user(|best| {
            let first = best.times[0];
            seconds.clear();
            seconds.extend(best.times.iter().map(|&time| whole_seconds(first, time)));
            totals.add_attempt(seconds);
            done.append(open.user.as_ref(), first, seconds)
        });
        written.unwrap_or(Ok(()))
    }

    fn not_sorted(&self, row: usize) -> SessionizeError {
        CoreError::NotSorted { row: self.rows + row as u64 }.into()
    }

    fn take(&mut self) -> Result<RecordBatch, SessionizeError> {
        Ok(self.done.take().map_err(CoreError::from)?)
    }
}

/// Whole seconds from `first` to `time`, which is not before it, rounded down.
fn whole_seconds(first: i64, time: i64) -> i64 {
    (time.wrapping_sub(first).cast_unsigned() / 1_000_000).cast_signed()
}
