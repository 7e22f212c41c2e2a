//! Sessions of a stream: events one by one, sessions as they end, and a bounded number of users in between.

use std::num::NonZeroUsize;

use cip_core::{CoreError, EventKind, Id, IdRef, Timestamp, ZonePeriod, check_sum, column};

use crate::error::SessionizeError;
use crate::key::session_key;
use crate::open_users::{OpenUser, OpenUsers};
use crate::rule::{ClockRule, SessionRule};

/// An event as a service sees it.
#[derive(Debug, Clone, Copy)]
pub struct LiveEvent<'a> {
    /// Whose it is.
    pub user: IdRef<'a>,
    /// When it was.
    pub time: Timestamp,
    /// What it was: see [`EventKind::from_event_type`].
    pub kind: EventKind,
    /// The product, where there is one.
    pub product: Option<IdRef<'a>>,
    /// Price x quantity in units of the currency's scale; it counts where the event is a purchase.
    pub amount: i128,
}

/// A session that has ended: a row of `fact_sessions`, without its number among the user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedSession {
    /// [`session_key`] of user and start.
    pub key: u64,
    /// Whose it is.
    pub user: Id,
    /// The time of its first event.
    pub start: Timestamp,
    /// The time of its last event.
    pub end: Timestamp,
    /// Events of all types.
    pub events: u64,
    /// Of type `view`.
    pub views: u64,
    /// Of type `cart`.
    pub carts: u64,
    /// Of type `remove_from_cart`.
    pub removes: u64,
    /// Of type `purchase`.
    pub purchases: u64,
    /// Distinct products.
    pub products: u64,
    /// The sum of the amounts of purchases.
    pub revenue: i128,
}

/// Cuts a stream of events into sessions, as a service receives them: many users at a time, one event after the other.
///
/// No clock is read. A session ends where an event of its user starts the next one, where [`LiveSessions::advance_to`] says
/// that no event can go on with it, or where too many users are open: then that of the user who has been idle longest ends
/// first, and is counted ([`LiveSessions::evicted_sessions`]). With events in the order of time and room for all users the
/// sessions are those of [`sessionize`](crate::sessionize).
///
/// # Late events
/// An event may be earlier than others of its session, but not than its start: it would be another session, with another key.
/// Where the user has no open session it may not be earlier than the instant of the last `advance_to`, as its session may have
/// ended there. Such an event is refused with [`SessionizeError::LateEvent`], and counted; nothing else changes. So give
/// `advance_to` the time of the clock less what events may be late.
///
/// # Complexity
/// An event takes the logarithm of the open users; memory is linear in them and their distinct products.
///
/// # Examples
/// ```
/// use std::num::NonZeroUsize;
/// use cip_core::{EventKind, IdRef, Timestamp};
/// use cip_sessionize::{LiveEvent, LiveSessions, SessionRule};
/// let at = |minute: i64| Timestamp::from_micros(minute * 60_000_000);
/// let view = |user, minute| LiveEvent {
///     user: IdRef::Utf8(user), time: at(minute), kind: EventKind::View, product: None, amount: 0,
/// };
/// let users = NonZeroUsize::new(100_000).ok_or("at least one")?;
/// let mut live = LiveSessions::new(SessionRule::default(), users)?;
/// assert!(live.on_event(view("ada", 0))?.is_empty());
/// assert!(live.on_event(view("ben", 20))?.is_empty());
/// let ended = live.on_event(view("ada", 31))?; // 30 minutes would have gone on
/// assert_eq!((ended[0].start, ended[0].events), (at(0), 1));
/// assert_eq!(live.advance_to(at(51)).len(), 1); // ben's
/// assert_eq!(live.finish().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LiveSessions {
    clock: ClockRule,
    /// Where the last days were looked up.
    near: ZonePeriod,
    limit: NonZeroUsize,
    users: OpenUsers,
    now: Timestamp,
    late: u64,
    evicted: u64,
}

impl LiveSessions {
    /// Returns sessions by `rule` of no more than `limit` users at a time.
    ///
    /// # Errors
    /// [`SessionizeError::ColumnRule`] where the rule takes the sessions of the source or ends one where an attribute changes.
    pub fn new(rule: SessionRule, limit: NonZeroUsize) -> Result<Self, SessionizeError> {
        Ok(Self {
            clock: rule.clock_alone("live sessions")?.clone(),
            near: ZonePeriod::NEVER,
            limit,
            users: OpenUsers::default(),
            now: Timestamp::from_micros(i64::MIN),
            late: 0,
            evicted: 0,
        })
    }

    /// Adds an event and returns the sessions that it ends: the user's last one where it starts another, and that of the user
    /// who has been idle longest where there is no room.
    ///
    /// # Errors
    /// [`SessionizeError::LateEvent`]; [`CoreError::MoneyOverflow`] where the revenue of the session exceeds 38 digits. The event
    /// is then not counted, and nothing has changed.
    pub fn on_event(&mut self, event: LiveEvent<'_>) -> Result<Vec<FinishedSession>, SessionizeError> {
        let time = event.time.micros();
        let mut finished = Vec::new();
        let open = self.users.get(event.user).map(|open| (open.start, open.end, open.revenue));
        let earliest = open.map_or(self.now.micros(), |(start, ..)| start);
        if time < earliest {
            self.late += 1;
            return Err(SessionizeError::LateEvent {
                time: event.time,
                earliest: Timestamp::from_micros(earliest),
            });
        }
        let goes_on = open
            .filter(|&(start, end, _)| time <= end || !self.clock.splits(start, end, time, &mut self.near));
        let before = goes_on.map_or(0, |(.., revenue)| revenue);
        let revenue = match event.kind {
            EventKind::Purchase => {
                before.checked_add(event.amount).ok_or(CoreError::MoneyOverflow { column: column::PRICE })?
            }
            _ => before,
        };
        check_sum(column::PRICE, Some(revenue))?;
        if goes_on.is_none() {
            if open.is_some() {
                finished.extend(self.users.close(event.user).map(FinishedSession::of));
            } else if self.users.len() >= self.limit.get() {
                finished.extend(self.users.close_idlest().map(FinishedSession::of));
                self.evicted += 1;
            }
            self.users.open(event.user, time, self.clock.deadline(time, time));
        }
        let clock = &self.clock;
        self.users.update(event.user, |open| {
            open.add(time, event.kind, event.product, revenue);
            clock.deadline(open.start, open.end)
        });
        Ok(finished)
    }

    /// Returns the sessions with which no event at `now` or later can go on, in the order in which they ended.
    ///
    /// The instant never goes back: an earlier one than before does nothing.
    pub fn advance_to(&mut self, now: Timestamp) -> Vec<FinishedSession> {
        self.now = self.now.max(now);
        let mut finished = Vec::new();
        while let Some(open) = self.users.close_due(self.now.micros()) {
            finished.push(FinishedSession::of(open));
        }
        finished
    }

    /// Returns the sessions that are still open, in the order in which they would have ended.
    pub fn finish(mut self) -> Vec<FinishedSession> {
        let mut finished = Vec::with_capacity(self.users.len());
        while let Some(open) = self.users.close_due(i64::MAX) {
            finished.push(FinishedSession::of(open));
        }
        finished
    }

    /// Users with an open session.
    pub fn open_users(&self) -> usize {
        self.users.len()
    }

    /// Events that were refused as too late.
    pub fn late_events(&self) -> u64 {
        self.late
    }

    /// Sessions that ended because too many users were open. An event that would have gone on with one starts another, which has
    /// the same key where it starts at the same instant.
    pub fn evicted_sessions(&self) -> u64 {
        self.evicted
    }
}

impl FinishedSession {
    fn of(open: OpenUser) -> Self {
        let start = Timestamp::from_micros(open.start);
        Self {
            key: session_key(open.user.as_ref(), start),
            start,
            end: Timestamp::from_micros(open.end),
            events: open.events,
            views: open.views,
            carts: open.carts,
            removes: open.removes,
            purchases: open.purchases,
            products: open.products(),
            revenue: open.revenue,
            user: open.user,
        }
    }
}
