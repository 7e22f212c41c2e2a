//! The sessions of the source beside those of a rule.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use cip_core::{CoreError, EventBatch, EventSchema, Id, column};

use crate::boundaries::{Start, StartOf, find_starts};
use crate::cuts::OpenCuts;
use crate::error::SessionizeError;
use crate::input::{Input, InputSchema};
use crate::rule::{SessionBasis, SessionRule};

/// How the sessions of the source lie in those of a rule. A session is its events: times and keys do not matter.
///
/// Events without a user are left out. Those to which the source gave no session count for the rule's sessions alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceComparison {
    /// Sessions of the rule.
    pub sessions: u64,
    /// Sessions of the source: the different codes of every user.
    pub source_sessions: u64,
    /// Pairs that have the very same events.
    pub exact: u64,
    /// Sessions of the source that lie in two sessions of the rule or more.
    pub split: u64,
    /// How many sessions of the source lie in how many sessions of the rule, from 1.
    pub parts: BTreeMap<u64, u64>,
    /// Sessions of the rule that have events of two sessions of the source or more.
    pub merged: u64,
    /// Sessions of the rule that have no event of a session of the source.
    pub without_source: u64,
    /// Events without a user.
    pub skipped_events: u64,
}

impl SourceComparison {
    /// Adds the counts of other users.
    pub fn merge(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.source_sessions += other.source_sessions;
        self.exact += other.exact;
        self.split += other.split;
        for (&parts, &count) in &other.parts {
            *self.parts.entry(parts).or_default() += count;
        }
        self.merged += other.merged;
        self.without_source += other.without_source;
        self.skipped_events += other.skipped_events;
    }

    /// Adds the sessions of one user.
    fn add_user(&mut self, user: &mut UserSessions) {
        self.sessions += user.sessions.len() as u64;
        self.source_sessions += user.source.len() as u64;
        for source in user.source.values() {
            *self.parts.entry(source.parts).or_default() += 1;
            self.split += u64::from(source.parts > 1);
            self.exact += u64::from(source.parts == 1 && source.events == user.sessions[source.last].events);
        }
        for session in &user.sessions {
            self.merged += u64::from(session.sources > 1);
            self.without_source += u64::from(session.sources == 0);
        }
        user.source.clear();
        user.sessions.clear();
    }
}

/// Compares the sessions of the source with those of a rule, batch by batch, as a store streams them.
///
/// # Complexity
/// Linear in the events; memory is linear in the sessions of one user.
#[derive(Debug)]
pub struct SourceComparer {
    schema: InputSchema,
    cuts: OpenCuts,
    /// The user and the time of the last row with a user.
    last: Option<(Id, i64)>,
    user: UserSessions,
    found: SourceComparison,
    rows: u64,
    /// Reused between batches.
    starts: Vec<Start>,
}

/// The sessions of the user that is open.
#[derive(Debug, Default)]
struct UserSessions {
    sessions: Vec<RuleSession>,
    source: HashMap<u32, SourceSession>,
}

#[derive(Debug, Default)]
struct RuleSession {
    events: u64,
    /// Sessions of the source that have events in it.
    sources: u64,
}

#[derive(Debug)]
struct SourceSession {
    events: u64,
    /// Sessions of the rule that it lies in, and the last of them.
    parts: u64,
    last: usize,
}

impl SourceComparer {
    /// Returns a comparer of events of `schema`; [`SourceComparer::columns`] says what it reads.
    ///
    /// # Errors
    /// As [`Sessionizer::new`](crate::Sessionizer::new); [`CoreError::MissingColumn`] without `source_session`;
    /// [`SessionizeError::SourceWithSource`] where the rule is that of the source.
    pub fn new(rule: SessionRule, schema: &EventSchema) -> Result<Self, SessionizeError> {
        if rule.basis() == SessionBasis::Source {
            return Err(SessionizeError::SourceWithSource);
        }
        Ok(Self {
            schema: InputSchema::with_columns(rule, Some(column::SOURCE_SESSION), schema)?,
            cuts: OpenCuts::default(),
            last: None,
            user: UserSessions::default(),
            found: SourceComparison::default(),
            rows: 0,
            starts: Vec::new(),
        })
    }

    /// The event columns that a comparison with `rule` reads.
    pub fn columns(rule: &SessionRule) -> Vec<&str> {
        let mut columns =
            vec![column::USER_ID, column::EVENT_TIME, column::EVENT_TYPE, column::SOURCE_SESSION];
        for attribute in rule.attributes() {
            if !columns.contains(&attribute) {
                columns.push(attribute);
            }
        }
        columns
    }

    /// Adds a batch.
    ///
    /// # Errors
    /// As [`Sessionizer::push`](crate::Sessionizer::push).
    pub fn push(&mut self, events: &EventBatch) -> Result<(), SessionizeError> {
        let input = self.schema.read(events)?;
        let previous = self.last.as_ref().map(|(user, time)| (user.as_ref(), *time));
        let (rule, after_unknown) = (self.schema.rule(), self.found.skipped_events > 0);
        let known = find_starts(rule, &input, after_unknown, previous, &mut self.cuts, &mut self.starts)
            .map_err(|row| CoreError::NotSorted { row: self.rows + row as u64 })?;
        let mut row = 0;
        for start in &self.starts {
            self.user.add(&input, row..start.row);
            if start.of == StartOf::User {
                self.found.add_user(&mut self.user);
            }
            self.user.sessions.push(RuleSession::default());
            row = start.row;
        }
        self.user.add(&input, row..known);
        if let Some(last) = known.checked_sub(1) {
            self.last = input.users.get(last).map(|user| (user.to_owned(), input.times[last]));
        }
        self.rows += events.len() as u64;
        self.found.skipped_events += (events.len() - known) as u64;
        Ok(())
    }

    /// Returns what was found.
    pub fn finish(mut self) -> SourceComparison {
        self.found.add_user(&mut self.user);
        self.found
    }
}

impl UserSessions {
    /// Adds rows of the session that is open.
    fn add(&mut self, input: &Input<'_>, rows: Range<usize>) {
        let current = self.sessions.len().saturating_sub(1);
        let Some(session) = self.sessions.last_mut() else { return };
        session.events += rows.len() as u64;
        for code in rows.filter_map(|row| input.source_session(row)) {
            let source =
                self.source.entry(code).or_insert(SourceSession { events: 0, parts: 0, last: usize::MAX });
            source.events += 1;
            if source.last != current {
                source.last = current;
                source.parts += 1;
                session.sources += 1;
            }
        }
    }
}

/// Returns how the sessions of the source lie in those of `rule`, over all `batches`, which together are sorted by user_id
/// (nulls last), event_time.
///
/// # Errors
/// As [`SourceComparer::new`] (no batch at all has no `user_id`) and [`SourceComparer::push`].
pub fn compare_sessions(
    rule: SessionRule,
    batches: &[EventBatch],
) -> Result<SourceComparison, SessionizeError> {
    let Some(first) = batches.first() else {
        return Err(CoreError::MissingColumn { column: column::USER_ID }.into());
    };
    let mut comparer = SourceComparer::new(rule, first.schema())?;
    for batch in batches {
        comparer.push(batch)?;
    }
    Ok(comparer.finish())
}
