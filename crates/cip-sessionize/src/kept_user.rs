//! The sessions of one user that later events may still change, and the events that they are made from.

use std::collections::BTreeSet;

use cip_core::{CoreError, EventKind, Id, ZonePeriod, column};

use crate::cuts::change;
use crate::rule::ClockRule;
use crate::session::Session;

/// An event before which others may still come.
#[derive(Debug, Clone)]
pub(crate) struct KeptEvent {
    pub(crate) time: i64,
    pub(crate) kind: EventKind,
    pub(crate) product: Option<Id>,
    /// Price x quantity of a purchase, 0 of all else.
    pub(crate) amount: i128,
    /// The values of the rule's attributes, in its order.
    pub(crate) attributes: Box<[Option<Id>]>,
}

/// A user.
///
/// ```text
///               horizon: no event comes before it any more
///  settled ──┬── open ──┼── kept events ──▶
///            └ events counted, not kept
/// ```
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptUser {
    /// How many sessions nothing can change any more.
    pub(crate) settled: i64,
    /// The session behind those, as its events before the horizon make it; none where no event can go on with it.
    pub(crate) open: Option<OpenSession>,
    /// The events at the horizon and later, by time; those of one instant as they came.
    pub(crate) kept: Vec<KeptEvent>,
}

/// A session that goes on.
#[derive(Debug, Clone)]
pub(crate) struct OpenSession {
    pub(crate) session: Session,
    pub(crate) products: BTreeSet<Id>,
    /// The last value of each attribute.
    pub(crate) values: Vec<Option<Id>>,
}

impl KeptUser {
    /// Adds events, which are not before the horizon.
    pub(crate) fn add(&mut self, events: impl IntoIterator<Item = KeptEvent>) {
        self.kept.extend(events);
        self.kept.sort_by_key(|event| event.time);
    }

    /// Gives the sessions that are not settled to `found`, in their order.
    pub(crate) fn sessions<E: From<CoreError>>(
        &self,
        user: &Id,
        clock: &ClockRule,
        found: &mut impl FnMut(&Session) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut near, mut settled, mut open) = (ZonePeriod::NEVER, self.settled, self.open.clone());
        for event in &self.kept {
            if let Some(ended) = go_on(&mut open, settled, user, event, clock, &mut near)? {
                settled = ended.session.seq;
                found(&ended.counted())?;
            }
        }
        open.map_or(Ok(()), |open| found(&open.counted()))
    }

    /// Moves the horizon: events before it are counted, and no longer kept.
    pub(crate) fn settle(&mut self, user: &Id, clock: &ClockRule, horizon: i64) -> Result<(), CoreError> {
        let before = self.kept.partition_point(|event| event.time < horizon);
        let mut near = ZonePeriod::NEVER;
        for event in self.kept.drain(..before) {
            if let Some(ended) = go_on(&mut self.open, self.settled, user, &event, clock, &mut near)? {
                self.settled = ended.session.seq;
            }
        }
        if before > 0 {
            self.kept.shrink_to_fit();
        }
        // The last instant there is stands for no end at all.
        let over = |open: &mut OpenSession| {
            let deadline = clock.deadline(open.session.start, open.session.end);
            deadline <= horizon && deadline < i64::MAX
        };
        if let Some(ended) = self.open.take_if(over) {
            self.settled = ended.session.seq;
        }
        Ok(())
    }
}

/// Adds an event behind all others, and returns the session that it ends.
fn go_on(
    open: &mut Option<OpenSession>,
    settled: i64,
    user: &Id,
    event: &KeptEvent,
    clock: &ClockRule,
    near: &mut ZonePeriod,
) -> Result<Option<OpenSession>, CoreError> {
    let splits = |open: &mut OpenSession| {
        clock.splits(open.session.start, open.session.end, event.time, near)
            || change(&mut open.values, event.attributes.iter().cloned())
    };
    let ended = open.take_if(splits);
    let session = open.get_or_insert_with(|| OpenSession {
        session: match &ended {
            Some(before) => before.session.clone().followed_by(event.time),
            None => Session { seq: settled + 1, ..Session::starting(user.clone(), event.time) },
        },
        products: BTreeSet::new(),
        values: event.attributes.to_vec(),
    });
    session.add(event)?;
    Ok(ended)
}

impl OpenSession {
    fn add(&mut self, event: &KeptEvent) -> Result<(), CoreError> {
        let session = &mut self.session;
        session.end = event.time;
        session.events += 1;
        session.count(event.kind);
        session.revenue = (session.revenue.checked_add(event.amount))
            .ok_or(CoreError::MoneyOverflow { column: column::PRICE })?;
        if let Some(product) = &event.product
            && !self.products.contains(product)
        {
            self.products.insert(product.clone());
        }
        Ok(())
    }

    /// The session with its products.
    fn counted(&self) -> Session {
        Session { products: self.products.len(), ..self.session.clone() }
    }
}
