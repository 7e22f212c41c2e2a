//! Sessions of events that come in any order: what each batch changes in the table, and a state that is saved and resumed.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::time::Duration;

use cip_core::{CoreError, EventBatch, EventSchema, Id, IdRef, IdType, Timestamp, column};

use crate::change::{AbsentUsers, SessionChanges, diff_sessions};
use crate::error::SessionizeError;
use crate::input::{Input, InputSchema};
use crate::kept_user::{KeptEvent, KeptUser};
use crate::rule::{SessionBasis, SessionRule};
use crate::state::{StateReader, StateWriter};
use crate::table::SessionTable;

/// How long behind the latest event others may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lateness {
    /// So long. Zero is in the order of time.
    Within(Duration),
    /// However long: every event is kept.
    Unlimited,
}

impl Lateness {
    /// Microseconds; none is without limit.
    fn micros(self) -> Result<Option<i64>, SessionizeError> {
        let Self::Within(lateness) = self else { return Ok(None) };
        let max = Duration::from_micros(i64::MAX.cast_unsigned());
        let whole = lateness.subsec_nanos().is_multiple_of(1_000);
        let micros = i64::try_from(lateness.as_micros()).ok().filter(|_| whole);
        micros.map(Some).ok_or(SessionizeError::Lateness { lateness, max })
    }
}

/// Sessions of events that come in any order, batch by batch: each batch gives the rows of `fact_sessions` that it changes.
///
/// The changes of all batches, applied in their order to an empty table ([`apply_changes`](crate::apply_changes)), are the table
/// that [`sessionize`](crate::sessionize) makes of all events at once, the rejected ones left out. How the events are split into
/// batches changes neither that table nor what is rejected. Nor does the order in which they come, as far as none is too late; where
/// sessions end at changes of an attribute, events of one user at one instant keep the order in which they came.
///
/// # Late events
/// The *watermark* is the time of the latest event so far, of any user and of none. An event that is earlier than the watermark less the
/// lateness is rejected, with its row and the reason. So one event of a clock that runs ahead rejects those that follow: hold such times
/// back. Every other event joins its session, makes it longer at either end, or merges two, also where these had ended long
/// before.
///
/// # What is kept
/// Of every user a number, and the events that are no earlier than the watermark less the lateness, with the counts of the session that
/// they go on with. No clock is read.
///
/// # Complexity
/// Of a batch: n log n in its events and in those that are kept of its users; and linear in all users when as many events came as are kept.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray, types::Int32Type};
/// # use cip_core::EventBatch;
/// use cip_sessionize::{IncrementalSessions, Lateness, SessionRule, SessionChange};
/// # fn views(user: i64, minutes: &[i64]) -> Result<EventBatch, cip_core::CoreError> {
/// #     let types: DictionaryArray<Int32Type> = minutes.iter().map(|_| "view").collect();
/// #     let times = TimestampMicrosecondArray::from_iter_values(minutes.iter().map(|m| m * 60_000_000));
/// #     EventBatch::try_new(RecordBatch::try_from_iter([
/// #         ("user_id", Arc::new(Int64Array::from(vec![user; minutes.len()])) as ArrayRef),
/// #         ("event_time", Arc::new(times.with_timezone("UTC"))),
/// #         ("event_type", Arc::new(types)),
/// #     ])?)
/// # }
/// let first = views(7, &[0, 50])?; // of user 7, at minutes 0 and 50
/// let lateness = Lateness::Within(Duration::from_secs(3600));
/// let mut sessions = IncrementalSessions::new(SessionRule::default(), first.schema(), lateness)?;
/// assert_eq!(sessions.push(&first)?.changes().count(SessionChange::Insert), 2);
///
/// let late = sessions.push(&views(7, &[25])?)?; // joins the two
/// let count = |change| late.changes().count(change);
/// assert_eq!([count(SessionChange::Update), count(SessionChange::Delete)], [1, 1]);
///
/// let mut saved = Vec::new();
/// sessions.save(&mut saved)?;
/// let mut sessions =
///     IncrementalSessions::resume(SessionRule::default(), first.schema(), lateness, saved.as_slice())?;
/// let too_late = sessions.push(&views(7, &[120, 40])?)?;
/// assert_eq!(
///     too_late.rejects()[0].to_string(),
///     "row 1: the event of 1970-01-01T00:40:00Z is late, expected 1970-01-01T01:00:00Z or later",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct IncrementalSessions {
    schema: InputSchema,
    /// Microseconds; none is without limit.
    lateness: Option<i64>,
    progress: Progress,
    users: HashMap<Id, KeptUser>,
    /// Events that are kept, and how many there were when those of all users were last looked through.
    kept: usize,
    kept_then: usize,
}

/// What was seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The time of the latest event.
    pub(crate) watermark: i64,
    pub(crate) late: u64,
    pub(crate) skipped: u64,
}

/// What a batch of events changes in the table of sessions.
#[derive(Debug, Clone)]
pub struct SessionUpdate {
    changes: SessionChanges,
    rejects: Vec<RejectedEvent>,
}

impl SessionUpdate {
    /// The rows that are new, other than before, or gone.
    pub fn changes(&self) -> &SessionChanges {
        &self.changes
    }

    /// The events of the batch that came too late, in its order.
    pub fn rejects(&self) -> &[RejectedEvent] {
        &self.rejects
    }
}

/// An event that is in no session, as it came too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("row {row}: the event of {time} is late, expected {earliest} or later")]
pub struct RejectedEvent {
    /// Its row in the batch, from 0.
    pub row: usize,
    /// When it was.
    pub time: Timestamp,
    /// The earliest time that it could have had: the latest time of all rows before it, less the lateness.
    pub earliest: Timestamp,
}

impl RejectedEvent {
    /// The code of the reason, as a table of rejects has it.
    pub const REASON: &'static str = "late";
}

impl IncrementalSessions {
    /// Returns sessions by `rule` of events of `schema`, none of which was seen yet.
    ///
    /// # Errors
    /// As [`Sessionizer::new`](crate::Sessionizer::new); [`SessionizeError::ColumnRule`] where the rule takes the sessions of the
    /// source, which never end; [`SessionizeError::Lateness`].
    pub fn new(rule: SessionRule, schema: &EventSchema, lateness: Lateness) -> Result<Self, SessionizeError> {
        if rule.basis() == SessionBasis::Source {
            let (what, column) = ("incremental sessions", column::SOURCE_SESSION.into());
            return Err(SessionizeError::ColumnRule { what, column });
        }
        Ok(Self {
            schema: InputSchema::try_new(rule, schema)?,
            lateness: lateness.micros()?,
            progress: Progress { watermark: i64::MIN, late: 0, skipped: 0 },
            users: HashMap::new(),
            kept: 0,
            kept_then: 0,
        })
    }

    /// Takes a batch of events in any order and returns what it changes.
    ///
    /// # Errors
    /// [`CoreError::MissingColumn`] and [`CoreError::ColumnType`] where a column of the schema is missing or has another type;
    /// [`CoreError::MoneyOverflow`] where a session's revenue exceeds 38 digits; [`SessionizeError::TooMuchText`]. Nothing has changed
    /// then.
    pub fn push(&mut self, events: &EventBatch) -> Result<SessionUpdate, SessionizeError> {
        let input = self.schema.read(events)?;
        let mut progress = self.progress;
        let (mut taken, mut rejects) = (Vec::with_capacity(events.len()), Vec::new());
        for (row, &time) in input.times.iter().enumerate() {
            let earliest = self.horizon(progress);
            progress.watermark = progress.watermark.max(time);
            match input.users.get(row) {
                None => progress.skipped += 1,
                Some(_) if time < earliest => {
                    let [time, earliest] = [time, earliest].map(Timestamp::from_micros);
                    rejects.push(RejectedEvent { row, time, earliest });
                }
                Some(user) => taken.push((user, row)),
            }
        }
        progress.late += rejects.len() as u64;
        taken.sort_by_key(|&(user, _)| user);
        let (changes, changed) = self.change(&input, &taken, self.horizon(progress))?;
        self.progress = progress;
        for (user, now) in changed {
            self.kept += now.kept.len();
            let before = self.users.insert(user, now);
            self.kept -= before.map_or(0, |before| before.kept.len());
        }
        self.settle_all()?;
        Ok(SessionUpdate { changes, rejects })
    }

    /// What events change, and the users as they then are; both in the order of the users.
    fn change(
        &self,
        input: &Input<'_>,
        taken: &[(IdRef<'_>, usize)],
        horizon: i64,
    ) -> Result<(SessionChanges, Vec<(Id, KeptUser)>), SessionizeError> {
        let clock = self.schema.rule().clock();
        let table = || SessionTable::new(self.schema.users, self.schema.money);
        let (mut before, mut after, mut changed) = (table(), table(), Vec::new());
        for rows in taken.chunk_by(|a, b| a.0 == b.0) {
            let user = rows[0].0.to_owned();
            let mut now = self.users.get(&user).cloned().unwrap_or_default();
            now.sessions(&user, clock, &mut |session| before.append(session))?;
            let events =
                rows.iter().map(|&(_, row)| kept_event(input, row)).collect::<Result<Vec<_>, _>>()?;
            now.add(events);
            now.sessions(&user, clock, &mut |session| after.append(session))?;
            now.settle(&user, clock, horizon)?;
            changed.push((user, now));
        }
        let [before, after] = [before.take(), after.take()].map(|table| table.map_err(CoreError::from));
        Ok((diff_sessions(&before?, &after?, AbsentUsers::Gone)?, changed))
    }

    /// Lets go of what no event can reach any more, when as much came as is kept.
    fn settle_all(&mut self) -> Result<(), SessionizeError> {
        /// What is kept anyway.
        const FEW: usize = 4_096;
        if self.kept < 2 * self.kept_then + FEW {
            return Ok(());
        }
        let horizon = self.horizon(self.progress);
        self.kept = 0;
        for (user, kept) in &mut self.users {
            kept.settle(user, self.schema.rule().clock(), horizon)?;
            self.kept += kept.kept.len();
        }
        self.kept_then = self.kept;
        Ok(())
    }

    /// The earliest time that an event may have.
    fn horizon(&self, progress: Progress) -> i64 {
        self.lateness.map_or(i64::MIN, |lateness| progress.watermark.saturating_sub(lateness))
    }

    /// The time of the latest event, of any user and of none; none before the first.
    pub fn watermark(&self) -> Option<Timestamp> {
        (self.progress.watermark > i64::MIN).then(|| Timestamp::from_micros(self.progress.watermark))
    }

    /// How many events so far came too late.
    pub fn late_events(&self) -> u64 {
        self.progress.late
    }

    /// How many events so far had no user.
    pub fn skipped_events(&self) -> u64 {
        self.progress.skipped
    }

    /// How many events are kept at present; some of them may be due to be let go.
    pub fn kept_events(&self) -> usize {
        self.kept
    }

    /// Writes the state: what [`IncrementalSessions::resume`] goes on from.
    ///
    /// The bytes do not depend on how the events were split into batches.
    ///
    /// # Method
    /// `cip-sessions`, the version, the rule and the types that it was made with, what was seen, one record a user in the order of their
    /// ids, and the XXH3-64 of all of it.
    ///
    /// # Errors
    /// [`StateFault::Io`](cip_core::StateFault::Io).
    pub fn save(&self, to: impl Write) -> Result<(), SessionizeError> {
        let (clock, horizon) = (self.schema.rule().clock(), self.horizon(self.progress));
        let mut writer = StateWriter::begin(to, &self.made_with(), self.progress)?;
        let mut users: Vec<_> = self.users.iter().collect();
        users.sort_unstable_by_key(|(user, _)| *user);
        for (user, kept) in users {
            let mut kept = kept.clone();
            kept.settle(user, clock, horizon)?;
            writer.user(user, &kept)?;
        }
        writer.finish()
    }

    /// Returns the sessions that [`IncrementalSessions::save`] wrote.
    ///
    /// # Complexity
    /// Memory is linear in the bytes that there are, whatever they say.
    ///
    /// # Errors
    /// As [`IncrementalSessions::new`]; [`StateFault::Other`](cip_core::StateFault::Other) where the state was made with another rule, other types or another
    /// lateness; [`StateFault::Version`](cip_core::StateFault::Version); [`StateFault::Damaged`](cip_core::StateFault::Damaged), for every change of a byte and every byte
    /// more or less; [`StateFault::Io`](cip_core::StateFault::Io).
    pub fn resume(
        rule: SessionRule,
        schema: &EventSchema,
        lateness: Lateness,
        from: impl Read,
    ) -> Result<Self, SessionizeError> {
        let mut sessions = Self::new(rule, schema, lateness)?;
        let (mut reader, progress) = StateReader::begin(from, &sessions.made_with())?;
        sessions.progress = progress;
        while let Some((user, kept)) = reader.user()? {
            sessions.kept += kept.kept.len();
            sessions.users.insert(user, kept);
        }
        sessions.kept_then = sessions.kept;
        Ok(sessions)
    }

    /// What two states must share to be one.
    fn made_with(&self) -> String {
        let ids = |ids: IdType| if ids == IdType::Int64 { "integers" } else { "texts" };
        let InputSchema { users, products, money, .. } = &self.schema;
        let mut text = format!("{}; users are {}", self.schema.rule(), ids(*users));
        text.push_str(&products.map_or_else(String::new, |products| format!(", products {}", ids(products))));
        text.push_str(
            &money.map_or_else(String::new, |money| format!(", prices have {} decimals", money.decimals())),
        );
        match self.lateness {
            Some(micros) => {
                text + &format!("; up to {:?} late", Duration::from_micros(micros.cast_unsigned()))
            }
            None => text + "; late without limit",
        }
    }
}

/// An event of a batch, with what sessions need of it.
fn kept_event(input: &Input<'_>, row: usize) -> Result<KeptEvent, CoreError> {
    Ok(KeptEvent {
        time: input.times[row],
        kind: input.kinds[row],
        product: input.products.and_then(|products| products.get(row)).map(IdRef::to_owned),
        amount: input.amount(row).ok_or(CoreError::MoneyOverflow { column: column::PRICE })?,
        attributes: input.attributes.iter().map(|column| column.get(row).map(IdRef::to_owned)).collect(),
    })
}
