//! Carts that were left: sessions with a cart and no purchase.

use std::collections::BTreeMap;

use cip_core::{EventKind, Id, MICROS_PER_DAY, Timestamp};

/// Sessions with a `cart`, and those of them without a `purchase`, by the UTC day on which they started and, where
/// [`Funnel::with_segments`](crate::Funnel::with_segments) asks for it, by segment.
///
/// A purchase anywhere in the session counts, also one before the cart, and taking things out of the cart changes nothing.
/// A session belongs to the day and to the segment of its first event, even where it goes on over midnight or in another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Abandonment {
    /// By segment, then by day; all are of no segment where none was asked for.
    segments: BTreeMap<Option<Id>, BTreeMap<i32, AbandonmentCount>>,
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
        let mut days: BTreeMap<i32, AbandonmentCount> = BTreeMap::new();
        for (&day, &count) in self.segments.values().flatten() {
            days.entry(day).or_default().merge(count);
        }
        days.into_iter().map(|(day, count)| (start_of(day), count))
    }

    /// The segments that have a session with a cart, ascending, the unknown one (none) first, and the counts of each.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = (Option<&Id>, AbandonmentCount)> {
        self.segments.iter().map(|(segment, days)| (segment.as_ref(), total(days)))
    }

    /// The same as [`Abandonment::days`] of one segment.
    pub fn days_of(
        &self,
        segment: Option<&Id>,
    ) -> impl DoubleEndedIterator<Item = (Timestamp, AbandonmentCount)> {
        let days = self.segments.get(&segment.cloned()).into_iter().flatten();
        days.map(|(&day, &count)| (start_of(day), count))
    }

    /// The counts of all days.
    pub fn total(&self) -> AbandonmentCount {
        let mut all = AbandonmentCount::default();
        self.segments.values().for_each(|days| all.merge(total(days)));
        all
    }

    /// Adds the counts of `other`, of other sessions.
    pub fn merge(&mut self, other: &Self) {
        for (segment, days) in &other.segments {
            let into = self.segments.entry(segment.clone()).or_default();
            for (&day, &count) in days {
                into.entry(day).or_default().merge(count);
            }
        }
    }

    pub(crate) fn add(&mut self, session: OpenSession) {
        if session.cart {
            let count = AbandonmentCount { cart_sessions: 1, abandoned: u64::from(!session.purchase) };
            let days = self.segments.entry(session.segment).or_default();
            days.entry(Timestamp::from_micros(session.start).day()).or_default().merge(count);
        }
    }
}

fn start_of(day: i32) -> Timestamp {
    Timestamp::from_micros(i64::from(day).saturating_mul(MICROS_PER_DAY))
}

fn total(days: &BTreeMap<i32, AbandonmentCount>) -> AbandonmentCount {
    let mut total = AbandonmentCount::default();
    days.values().for_each(|&count| total.merge(count));
    total
}

/// What is known of a session whose events come in.
#[derive(Debug, Clone)]
pub(crate) struct OpenSession {
    start: i64,
    segment: Option<Id>,
    cart: bool,
    purchase: bool,
}

impl OpenSession {
    pub(crate) fn starting(start: i64, segment: Option<Id>) -> Self {
        Self { start, segment, cart: false, purchase: false }
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
        session_of(None, start, kinds)
    }

    fn session_of(segment: Option<&str>, start: i64, kinds: &[EventKind]) -> OpenSession {
        let mut session = OpenSession::starting(start, segment.map(|segment| Id::Utf8(segment.into())));
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

    #[test]
    fn segments_add_up_to_the_whole() {
        let mut carts = Abandonment::default();
        carts.add(session_of(Some("mobile"), 0, &[Cart]));
        carts.add(session_of(Some("mobile"), MICROS_PER_DAY, &[Cart, Purchase]));
        carts.add(session_of(None, 5, &[Cart]));
        carts.add(session_of(Some("desktop"), 5, &[View]));
        let of = |segment: Option<&str>| segment.map(|segment| Id::Utf8(segment.into()));
        let count = |cart_sessions, abandoned| AbandonmentCount { cart_sessions, abandoned };
        let segments: Vec<_> = carts.segments().map(|(segment, count)| (segment.cloned(), count)).collect();
        assert_eq!(segments, [(None, count(1, 1)), (of(Some("mobile")), count(2, 1))]);
        assert_eq!(carts.days().map(|(_, count)| count).collect::<Vec<_>>(), [count(2, 2), count(1, 0)]);
        let mobile = of(Some("mobile"));
        let days: Vec<_> = carts.days_of(mobile.as_ref()).map(|(_, count)| count.abandoned).collect();
        assert_eq!(days, [1, 0]);
        assert_eq!(carts.days_of(of(Some("desktop")).as_ref()).count(), 0);
        let mut twice = carts.clone();
        twice.merge(&carts);
        assert_eq!(twice.total(), count(6, 4));
    }
}
