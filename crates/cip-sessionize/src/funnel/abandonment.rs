//! Carts that were left: sessions with a cart and no purchase.

use std::collections::BTreeMap;

use cip_core::{EventKind, MICROS_PER_DAY, Timestamp};

/// Sessions with a `cart`, and those of them without a `purchase`, by the UTC day on which they started.
///
/// A purchase anywhere in the session counts, also one before the cart, and taking things out of the cart changes nothing.
/// A session belongs to the day of its first event, even where it goes on over midnight.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Abandonment {
    days: BTreeMap<i32, AbandonmentCount>,
}

/// Sessions with a cart, and those of them that were abandoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AbandonmentCount {
    /// Sessions with a cart.
    pub cart_sessions: u64,
    /// Those without a purchase.
    pub abandoned: u64,
}

impl AbandonmentCount {
    /// The share of the sessions with a cart that have no purchase; none where there are no carts.
    pub fn rate(self) -> Option<f64> {
        (self.cart_sessions > 0).then(|| self.abandoned as f64 / self.cart_sessions as f64)
    }

    fn merge(&mut self, other: Self) {
        self.cart_sessions += other.cart_sessions;
        self.abandoned += other.abandoned;
    }
}

impl Abandonment {
    /// The first instants of the days that have a session with a cart, ascending, and the counts of each.
    pub fn days(&self) -> impl DoubleEndedIterator<Item = (Timestamp, AbandonmentCount)> {
        self.days.iter().map(|(&day, &count)| {
            (Timestamp::from_micros(i64::from(day).saturating_mul(MICROS_PER_DAY)), count)
        })
    }

    /// The counts of all days.
    pub fn total(&self) -> AbandonmentCount {
        let mut total = AbandonmentCount::default();
        self.days.values().for_each(|&count| total.merge(count));
        total
    }

    /// Adds the counts of `other`, of other sessions.
    pub fn merge(&mut self, other: &Self) {
        for (&day, &count) in &other.days {
            self.days.entry(day).or_default().merge(count);
        }
    }

    pub(crate) fn add(&mut self, session: OpenSession) {
        if session.cart {
            let count = AbandonmentCount { cart_sessions: 1, abandoned: u64::from(!session.purchase) };
            self.days.entry(Timestamp::from_micros(session.start).day()).or_default().merge(count);
        }
    }
}

/// What is known of a session whose events come in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenSession {
    start: i64,
    cart: bool,
    purchase: bool,
}

impl OpenSession {
    pub(crate) fn starting(start: i64) -> Self {
        Self { start, cart: false, purchase: false }
    }

    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    pub(crate) fn add(&mut self, kind: EventKind) {
        self.cart |= kind == EventKind::Cart;
        self.purchase |= kind == EventKind::Purchase;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventKind::{Cart, Purchase, RemoveFromCart, View};

    fn session(start: i64, kinds: &[EventKind]) -> OpenSession {
        let mut session = OpenSession::starting(start);
        kinds.iter().for_each(|&kind| session.add(kind));
        session
    }

    #[test]
    fn a_cart_without_a_purchase_is_abandoned() {
        let mut carts = Abandonment::default();
        assert_eq!((carts.total().rate(), carts.days().count()), (None, 0));
        carts.add(session(0, &[View]));
        carts.add(session(1, &[Cart, RemoveFromCart]));
        carts.add(session(MICROS_PER_DAY - 1, &[View, Cart, View, Purchase]));
        carts.add(session(-1, &[Purchase, Cart]));
        let days: Vec<_> = carts
            .days()
            .map(|(day, count)| (day.to_string(), count.cart_sessions, count.abandoned))
            .collect();
        assert_eq!(days, [("1969-12-31".to_owned(), 1, 0), ("1970-01-01".to_owned(), 2, 1)]);
        let mut twice = carts.clone();
        twice.merge(&carts);
        assert_eq!(twice.total(), AbandonmentCount { cart_sessions: 6, abandoned: 2 });
        assert_eq!(twice.total().rate(), Some(2.0 / 6.0));
    }
}
