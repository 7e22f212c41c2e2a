//! The sessions of one user: cut behind the moment of the score, with what was earlier.

use std::collections::HashMap;

use cip_core::EventKind;

use super::Moment;

/// The longest time between two events of a session, in microseconds, where the source has no sessions.
const TIMEOUT: u64 = 30 * 60 * 1_000_000;

/// An event, as sessions with a cart want it.
#[derive(Debug, Clone, Copy)]
pub(super) struct CartEvent {
    pub(super) time: i64,
    pub(super) kind: EventKind,
    pub(super) product: Option<u32>,
    pub(super) price: Option<i128>,
    pub(super) session: Option<u32>,
    pub(super) group: Option<u32>,
}

/// The events of one user, in the order of time.
#[derive(Debug, Default)]
pub(super) struct UserEvents {
    events: Vec<CartEvent>,
}

/// A session with a cart.
#[derive(Debug)]
pub(super) struct CartSession {
    pub(super) start: i64,
    pub(super) known: KnownEvents,
    pub(super) earlier: Earlier,
    pub(super) abandoned: bool,
}

/// The events of a session up to the moment of its score, of which there is at least the first cart: all that a feature can see.
///
/// Only [`KnownEvents::cut`] makes it.
#[derive(Debug)]
pub(super) struct KnownEvents(Vec<CartEvent>);

/// What a user did before a session started.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Earlier {
    pub(super) sessions: i64,
    pub(super) carts: i64,
    pub(super) purchases: i64,
    pub(super) last_event: Option<i64>,
    pub(super) last_purchase: Option<i64>,
}

impl KnownEvents {
    /// Cuts the events of a session, which ascend in time, behind the moment; none without a cart.
    fn cut(mut events: Vec<CartEvent>, moment: Moment) -> Option<Self> {
        let first_cart = events.iter().position(|event| event.kind == EventKind::Cart)?;
        match moment {
            Moment::FirstCart => events.truncate(first_cart + 1),
            Moment::End => {}
        }
        Some(Self(events))
    }

    /// The events that are no purchase and no cancellation.
    pub(super) fn events(&self) -> impl DoubleEndedIterator<Item = &CartEvent> {
        let told = |event: &&CartEvent| !matches!(event.kind, EventKind::Purchase | EventKind::Cancellation);
        self.0.iter().filter(told)
    }

    /// The time of the moment.
    pub(super) fn last_time(&self) -> i64 {
        self.0.last().map_or(0, |event| event.time)
    }

    /// Microseconds from the event before the first cart to it.
    pub(super) fn before_cart(&self) -> Option<i64> {
        let cart = self.0.iter().position(|event| event.kind == EventKind::Cart)?;
        let before = self.0.get(cart.checked_sub(1)?)?;
        Some(self.0[cart].time.saturating_sub(before.time))
    }
}

impl UserEvents {
    /// Adds an event; false where it comes before the one above it.
    #[must_use]
    pub(super) fn push(&mut self, event: CartEvent) -> bool {
        let ascends = self.events.last().is_none_or(|last| last.time <= event.time);
        self.events.push(event);
        ascends
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
    }

    /// The sessions with a cart, in the order in which they start; events without a session are part of none, and of what was earlier.
    pub(super) fn sessions(&self, by_source: bool, moment: Moment) -> Vec<CartSession> {
        let mut places: HashMap<u32, usize> = HashMap::new();
        let mut sessions: Vec<Vec<CartEvent>> = Vec::new();
        let mut before: Option<i64> = None;
        for event in &self.events {
            if by_source {
                let Some(code) = event.session else { continue };
                let place = *places.entry(code).or_insert_with(|| {
                    sessions.push(Vec::new());
                    sessions.len() - 1
                });
                sessions[place].push(*event);
            } else {
                // The difference of two i64 in order always fits a u64.
                let starts =
                    before.is_none_or(|before| event.time.wrapping_sub(before).cast_unsigned() > TIMEOUT);
                before = Some(event.time);
                if starts {
                    sessions.push(Vec::new());
                }
                if let Some(session) = sessions.last_mut() {
                    session.push(*event);
                }
            }
        }
        let (mut earlier, mut at) = (Earlier::default(), 0);
        let mut found = Vec::new();
        for (number, events) in sessions.into_iter().enumerate() {
            let start = events[0].time;
            // Sessions are in the order of their starts, so what is earlier only grows.
            while let Some(event) = self.events.get(at).filter(|event| event.time < start) {
                earlier.carts += i64::from(event.kind == EventKind::Cart);
                earlier.last_event = Some(event.time);
                if event.kind == EventKind::Purchase {
                    earlier.purchases += 1;
                    earlier.last_purchase = Some(event.time);
                }
                at += 1;
            }
            let abandoned = events.iter().all(|event| event.kind != EventKind::Purchase);
            if let Some(known) = KnownEvents::cut(events, moment) {
                let earlier = Earlier { sessions: number as i64, ..earlier };
                found.push(CartSession { start, known, earlier, abandoned });
            }
        }
        found
    }
}
