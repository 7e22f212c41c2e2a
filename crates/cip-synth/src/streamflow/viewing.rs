//! What subscribers do: sessions of viewing, and the events of their payment dates.

use super::DAYS;
use super::subscribers::{Payment, Plan, Subscriber, Subscribers};
use crate::calendar::{DAY, HOUR};
use crate::chance::{Dice, LogLogistic};

/// One row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// Seconds since the world's start.
    pub(super) time: u32,
    pub(super) kind: Kind,
    pub(super) device: u8,
    pub(super) subscriber: u32,
    pub(super) country: &'static str,
    pub(super) plan: Plan,
    /// Number of the content; meaningful for playback and errors.
    pub(super) content: u32,
    /// Seconds watched, for events that end or interrupt playback; the payment date's number for payments.
    pub(super) amount: u32,
    /// What the session's UUID is made of.
    pub(super) session: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    PageView,
    Search,
    Play,
    Pause,
    /// Ended before the end.
    Stop,
    /// Watched to the end.
    Complete,
    FeatureClick,
    Share,
    Download,
    Error,
    Support,
    Started,
    Renewed,
    Upgraded,
    Cancelled,
    PaymentFailed,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::PageView => "page_view",
            Self::Search => "search",
            Self::Play => "video_start",
            Self::Pause => "video_pause",
            Self::Stop => "video_stop",
            Self::Complete => "video_complete",
            Self::FeatureClick => "feature_click",
            Self::Share => "share",
            Self::Download => "download",
            Self::Error => "error",
            Self::Support => "support_ticket",
            Self::Started => "subscription_started",
            Self::Renewed => "subscription_renewed",
            Self::Upgraded => "subscription_upgraded",
            Self::Cancelled => "subscription_cancelled",
            Self::PaymentFailed => "payment_failed",
        }
    }

    /// Whether the event belongs to a content.
    pub(super) const fn is_playback(self) -> bool {
        matches!(self, Self::Play | Self::Pause | Self::Stop | Self::Complete | Self::Error)
    }
}

/// Share of events that are errors, in good times.
const ERRORS: f64 = 0.008;

/// The rates of what happens in a session.
#[derive(Debug)]
pub(super) struct Habits {
    length: LogLogistic,
    watched: LogLogistic,
    browsed: LogLogistic,
    contents: u64,
}

impl Habits {
    pub(super) fn new(contents: u64) -> Self {
        Self {
            length: LogLogistic::new(7.0, 9, 1.0, 90.0).with_mean(9.0),
            watched: LogLogistic::new(1_100.0, 10, 20.0, 9_000.0),
            browsed: LogLogistic::new(18.0, 9, 1.0, 1_200.0),
            contents,
        }
    }

    /// Makes a session from `start` on; gives rows to `push` until it returns false.
    pub(super) fn view(
        &self,
        subscribers: &Subscribers,
        session: u64,
        start: u32,
        dice: &mut Dice,
        push: &mut dyn FnMut(Event) -> bool,
    ) {
        let subscriber = subscribers.visitor(start, dice);
        let trouble = ERRORS * (1.0 + 7.0 * (1.0 - subscribers.eagerness(subscriber, start)));
        let base = event(subscribers, subscriber, start, session, dice.skewed(4) as u8);
        let length = (self.length.value(dice.bits()) + dice.unit()) as u64;
        let mut time = start;
        let mut kind = Kind::PageView;
        let mut watched = 0;
        let mut content = dice.skewed(self.contents as usize) as u32;
        for _ in 0..length.max(1) {
            let wait = match kind {
                Kind::Play => self.watched.value(dice.bits()),
                _ => self.browsed.value(dice.bits()),
            } as u32;
            if !push(Event { time, kind, content, amount: watched, ..base }) {
                return;
            }
            watched = if kind == Kind::Play { wait } else { 0 };
            time += wait;
            // Nothing after the world's end or after leaving.
            if time >= DAYS * DAY || subscribers.eagerness(subscriber, time) == 0.0 {
                return;
            }
            let roll = dice.unit();
            let failed = dice.chance(trouble);
            let next = match kind {
                _ if failed => Kind::Error,
                Kind::PageView if roll < 0.45 => Kind::Play,
                Kind::PageView if roll < 0.62 => Kind::Search,
                Kind::PageView if roll < 0.68 => Kind::FeatureClick,
                Kind::PageView if roll < 0.70 => Kind::Share,
                Kind::PageView if roll < 0.72 => Kind::Download,
                Kind::Search if roll < 0.4 => Kind::Play,
                Kind::Play if roll < 0.45 => Kind::Pause,
                Kind::Play if roll < 0.8 => Kind::Complete,
                Kind::Play => Kind::Stop,
                Kind::Pause if roll < 0.8 => Kind::Play,
                Kind::Pause => Kind::Stop,
                Kind::Error if roll < 0.4 => Kind::Play,
                Kind::Error if roll < 0.6 => Kind::Support,
                _ => Kind::PageView,
            };
            if next == Kind::PageView {
                content = dice.skewed(self.contents as usize) as u32;
            }
            kind = next;
        }
    }
}

/// Gives `push` the rows of a payment date.
pub(super) fn pay(
    subscribers: &Subscribers,
    subscriber: Subscriber,
    cycle: u32,
    session: u64,
    dice: &mut Dice,
    push: &mut dyn FnMut(Event),
) {
    let time = subscribers.pays_at(subscriber.number, cycle) as u32;
    let base = Event { amount: cycle, ..event(subscribers, subscriber, time, session, 1) };
    let later = time + HOUR + dice.below(u64::from(DAY)) as u32;
    let mut at = |time: u32, kind: Kind| {
        if time < DAYS * DAY {
            push(Event { time, kind, plan: subscriber.plan(Some(cycle)), ..base });
        }
    };
    match subscriber.payment(cycle) {
        Payment::None => {}
        Payment::Started => at(time, Kind::Started),
        Payment::Renewed => at(time, Kind::Renewed),
        Payment::Upgraded => at(time, Kind::Upgraded),
        Payment::Cancelled { failed: false } => at(time, Kind::Cancelled),
        Payment::Cancelled { failed: true } => {
            at(time, Kind::PaymentFailed);
            at(later, Kind::Cancelled);
        }
        Payment::Retried => {
            at(time, Kind::PaymentFailed);
            at(later, Kind::Renewed);
        }
    }
}

/// A page view of `subscriber`, to be made into what it is.
fn event(subscribers: &Subscribers, subscriber: Subscriber, time: u32, session: u64, device: u8) -> Event {
    let first = subscribers.pays_at(subscriber.number, 0);
    let cycle = u64::from(time).checked_sub(first).map(|since| (since / u64::from(30 * DAY)) as u32);
    Event {
        time,
        kind: Kind::PageView,
        device,
        subscriber: subscriber.number as u32,
        country: subscriber.country(),
        plan: subscriber.plan(cycle),
        content: 0,
        amount: 0,
        session,
    }
}
