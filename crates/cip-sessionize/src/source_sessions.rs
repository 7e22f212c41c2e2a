//! The sessions of the source, of which a user may have several open at a time.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use cip_core::{CoreError, DistinctIds, Id, IdRef, IdType};

use crate::cuts::{AllCuts, Cuts, OpenCuts};
use crate::error::SessionizeError;
use crate::input::Input;
use crate::rule::ClockRule;
use crate::session::Session;

/// A code of the source's sessions; those without one come last.
type Lane = (bool, u32);

/// Cuts one user after the other into the sessions of the source.
///
/// # Complexity
/// Linear in the events, and n log n in a user's sessions. Memory is linear in the sessions of one user and their distinct
/// products.
#[derive(Debug)]
pub(crate) struct SourceSessions {
    /// Of events that have no session of the source, and of those that have one.
    clocks: Arc<[ClockRule; 2]>,
    products: Option<IdType>,
    open: HashMap<Lane, OpenSession>,
    /// Those of the user that have ended, each with its lane.
    ended: Vec<(Lane, Session)>,
    /// Products of sessions that have ended, for those that start.
    spare: Vec<DistinctIds>,
    /// The user, and the time of the last event.
    user: Option<(Id, i64)>,
}

#[derive(Debug)]
struct OpenSession {
    session: Session,
    cuts: OpenCuts,
    products: Option<DistinctIds>,
}

impl SourceSessions {
    pub(crate) fn new(clock: ClockRule, products: Option<IdType>) -> Self {
        let clocks = Arc::new([clock.clone(), clock.without_timeout()]);
        Self { clocks, products, open: HashMap::new(), ended: Vec::new(), spare: Vec::new(), user: None }
    }

    /// Adds the rows of a batch that have a user; every user that they end is given to `done`, sessions in order.
    ///
    /// # Errors
    /// The error of `done`; [`CoreError::NotSorted`] with the row of this batch.
    pub(crate) fn absorb(
        &mut self,
        input: &Input<'_>,
        known: usize,
        done: &mut impl FnMut(&Session) -> Result<(), SessionizeError>,
    ) -> Result<(), SessionizeError> {
        let mut row = 0;
        while row < known {
            let Some(user) = input.users.get(row) else { break };
            let end = input.users.run_end(row).min(known);
            self.switch_to(user, input.times[row], row, done)?;
            while row < end {
                let lane = lane_of(input, row);
                let lane_end = (row + 1..end).find(|&next| lane_of(input, next) != lane).unwrap_or(end);
                self.add(user, lane, input, row..lane_end)?;
                row = lane_end;
            }
        }
        Ok(())
    }

    /// Ends the user that is open.
    pub(crate) fn close(
        &mut self,
        done: &mut impl FnMut(&Session) -> Result<(), SessionizeError>,
    ) -> Result<(), SessionizeError> {
        self.user = None;
        let mut open = std::mem::take(&mut self.open);
        for (lane, session) in open.drain() {
            self.end(lane, session);
        }
        self.open = open;
        // Those of one lane are in their order already: those that are still open come last of it.
        self.ended.sort_by_key(|(lane, session)| (session.start, *lane));
        let mut before: Option<Session> = None;
        for (_, mut session) in self.ended.drain(..) {
            if let Some(before) = before {
                session.seq = before.seq + 1;
                session.twins = if before.start == session.start { before.twins + 1 } else { 0 };
            }
            done(&session)?;
            before = Some(session);
        }
        Ok(())
    }

    /// Opens `user`, whose next event is `row`, unless it is open.
    fn switch_to(
        &mut self,
        user: IdRef<'_>,
        time: i64,
        row: usize,
        done: &mut impl FnMut(&Session) -> Result<(), SessionizeError>,
    ) -> Result<(), SessionizeError> {
        let before = self.user.as_ref().map(|(before, last)| (before.as_ref(), *last));
        match before {
            Some((before, last)) if before == user && time >= last => return Ok(()),
            Some((before, _)) if before >= user => return Err(not_sorted(row)),
            _ => {}
        }
        self.close(done)?;
        self.user = Some((user.to_owned(), time));
        Ok(())
    }

    /// Adds neighbouring rows of one lane of the user.
    fn add(
        &mut self,
        user: IdRef<'_>,
        lane: Lane,
        input: &Input<'_>,
        rows: Range<usize>,
    ) -> Result<(), SessionizeError> {
        let mut last = self.user.as_ref().map_or(i64::MIN, |(_, last)| *last);
        let mut open = self.open.remove(&lane);
        let kept = open.as_mut().map(|open| std::mem::take(&mut open.cuts)).unwrap_or_default();
        let clocks = Arc::clone(&self.clocks);
        let [timed, untimed] = &*clocks;
        let mut cuts = AllCuts::new(if lane.0 { timed } else { untimed }, &input.attributes, &kept);
        let mut first = rows.start;
        for row in rows.clone() {
            let time = input.times[row];
            if time < last {
                return Err(not_sorted(row));
            }
            last = time;
            let before = if row > rows.start {
                Some(input.times[row - 1])
            } else {
                open.as_ref().map(|open| open.session.end)
            };
            if before.is_none_or(|before| cuts.splits(row, before, time)) {
                if let Some(mut ending) = open.take() {
                    extend(&mut ending, input, first..row)?;
                    self.end(lane, ending);
                }
                cuts.begin(row, time);
                open = Some(self.start(user, time));
                first = row;
            }
        }
        if let Some(mut open) = open {
            extend(&mut open, input, first..rows.end)?;
            open.cuts = cuts.keep();
            self.open.insert(lane, open);
        }
        if let Some((_, time)) = &mut self.user {
            *time = last;
        }
        Ok(())
    }

    fn start(&mut self, user: IdRef<'_>, time: i64) -> OpenSession {
        OpenSession {
            session: Session::starting(user.to_owned(), time),
            cuts: OpenCuts::default(),
            products: self.products.map(|ids| self.spare.pop().unwrap_or_else(|| DistinctIds::new(ids))),
        }
    }

    fn end(&mut self, lane: Lane, ending: OpenSession) {
        let OpenSession { mut session, products, .. } = ending;
        if let Some(mut products) = products {
            session.products = products.count();
            products.clear();
            self.spare.push(products);
        }
        self.ended.push((lane, session));
    }
}

fn extend(open: &mut OpenSession, input: &Input<'_>, rows: Range<usize>) -> Result<(), CoreError> {
    if let (Some(distinct), Some(products)) = (&mut open.products, input.products) {
        distinct.extend(products, rows.clone());
    }
    open.session.extend(input, rows)
}

fn lane_of(input: &Input<'_>, row: usize) -> Lane {
    input.source_session(row).map_or((true, 0), |code| (false, code))
}

fn not_sorted(row: usize) -> SessionizeError {
    CoreError::NotSorted { row: row as u64 }.into()
}
