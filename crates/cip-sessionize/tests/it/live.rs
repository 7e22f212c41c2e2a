//! Sessions of a stream against those of the batch kernel, and what happens at the limits.

use std::num::NonZeroUsize;
use std::time::Duration;

use cip_core::{EventKind, Id, IdRef, Timestamp};
use cip_sessionize::{
    FinishedSession, LiveEvent, LiveSessions, SessionRule, SessionizeError, session_key, sessionize,
};
use proptest::prelude::*;

use crate::events::{Event, Shape, TYPES};
use crate::laws::{event, shape};
use crate::oracle::rows;
use crate::rules::plan;

fn live(rule: SessionRule, limit: usize) -> LiveSessions {
    LiveSessions::new(rule, NonZeroUsize::new(limit).unwrap()).unwrap()
}

/// A session as plain values: key, user, start, end, then as in a row of `fact_sessions`.
type Plain = (u64, Id, i64, i64, [i64; 6], i128);

fn plain(session: &FinishedSession) -> Plain {
    let FinishedSession { events, views, carts, removes, purchases, products, .. } = *session;
    let numbers = [events, views, carts, removes, purchases, products].map(|number| number as i64);
    (
        session.key,
        session.user.clone(),
        session.start.micros(),
        session.end.micros(),
        numbers,
        session.revenue,
    )
}

fn batch(rule: SessionRule, shape: Shape, events: &[Event]) -> Vec<Plain> {
    let mut found: Vec<Plain> = rows(&[sessionize(rule, &[shape.sorted(events)]).unwrap()])
        .into_iter()
        .map(|row| {
            let numbers = [1, 2, 3, 4, 5, 6].map(|number| row.numbers[number]);
            (row.key, row.user, row.start, row.end, numbers, row.revenue.unwrap_or(0))
        })
        .collect();
    found.sort();
    found
}

fn push(
    live: &mut LiveSessions,
    shape: Shape,
    event: &Event,
) -> Result<Vec<FinishedSession>, SessionizeError> {
    let user = shape.user(event.user.unwrap());
    let product = event.product.filter(|_| shape.products.is_some()).map(|product| match shape.products {
        Some(true) => Id::Utf8(product.to_string().into()),
        _ => Id::Int64(product),
    });
    let pieces = if shape.quantities { event.quantity.unwrap_or(1) } else { 1 };
    let price = if shape.prices { event.price.unwrap_or(0) } else { 0 };
    live.on_event(LiveEvent {
        user: user.as_ref(),
        time: Timestamp::from_micros(event.time),
        kind: EventKind::from_event_type(TYPES[event.kind as usize]),
        product: product.as_ref().map(Id::as_ref),
        amount: i128::from(price) * i128::from(pieces),
    })
}

proptest! {
    #[test]
    fn in_the_order_of_time_the_sessions_are_those_of_the_batch_kernel(
        plan in plan(),
        events in proptest::collection::vec(event(), 0..80),
        shape in shape(),
        advance in 1usize..9,
    ) {
        let rule = plan.by_the_clock().rule();
        let mut events: Vec<Event> = events.into_iter().filter(|event| event.user.is_some()).collect();
        events.sort_by_key(|event| event.time);
        let mut live = live(rule.clone(), 100);
        let mut found = Vec::new();
        for (position, event) in events.iter().enumerate() {
            if position % advance == 0 {
                found.extend(live.advance_to(Timestamp::from_micros(event.time)));
            }
            found.extend(push(&mut live, shape, event).unwrap());
        }
        prop_assert_eq!((live.late_events(), live.evicted_sessions()), (0, 0));
        let open = live.open_users();
        let rest = live.finish();
        prop_assert_eq!(rest.len(), open);
        found.extend(rest);
        let mut found: Vec<Plain> = found.iter().map(plain).collect();
        found.sort();
        prop_assert_eq!(found, batch(rule, shape, &events));
    }

    #[test]
    fn every_event_is_in_one_session_or_refused_whatever_comes(
        plan in plan(),
        events in proptest::collection::vec((event(), any::<bool>()), 0..80),
        limit in 1usize..4,
    ) {
        let mut live = live(plan.by_the_clock().rule(), limit);
        let (mut found, mut refused, mut given) = (Vec::new(), 0, 0);
        for (event, advance) in events.iter().filter(|(event, _)| event.user.is_some()) {
            given += 1;
            if *advance {
                found.extend(live.advance_to(Timestamp::from_micros(event.time - 5_000_000)));
            }
            match push(&mut live, Shape::FULL, event) {
                Ok(ended) => found.extend(ended),
                Err(SessionizeError::LateEvent { time, earliest }) => {
                    prop_assert!(time < earliest);
                    refused += 1;
                }
                Err(error) => prop_assert!(false, "{}", error),
            }
            prop_assert!(live.open_users() <= limit);
        }
        prop_assert_eq!(live.late_events(), refused);
        found.extend(live.finish());
        prop_assert_eq!(found.iter().map(|session| session.events).sum::<u64>() + refused, given);
        prop_assert!(found.iter().all(|session| session.start <= session.end));
    }
}

fn view(user: i64, time: i64) -> LiveEvent<'static> {
    LiveEvent {
        user: IdRef::Int64(user),
        time: Timestamp::from_micros(time),
        kind: EventKind::View,
        product: None,
        amount: 0,
    }
}

fn ten() -> SessionRule {
    SessionRule::new(Duration::from_micros(10)).unwrap()
}

#[test]
fn time_ends_a_session_when_no_event_can_go_on_with_it() {
    let mut live = live(ten(), 9);
    assert!(live.on_event(view(1, 0)).unwrap().is_empty());
    assert!(live.advance_to(Timestamp::from_micros(10)).is_empty());
    let ended = live.advance_to(Timestamp::from_micros(11));
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].key, session_key(IdRef::Int64(1), Timestamp::from_micros(0)));
    // An earlier instant does nothing.
    assert!(live.advance_to(Timestamp::from_micros(5)).is_empty());
    let error = live.on_event(view(1, 10)).unwrap_err().to_string();
    assert!(error.starts_with("the event of 1970-01-01T00:00:00.00001Z is late"), "{error}");
    assert!(live.on_event(view(1, 11)).unwrap().is_empty());
    assert_eq!(live.late_events(), 1);
}

#[test]
fn an_event_may_be_earlier_than_others_of_its_session_but_not_than_its_start() {
    let mut live = live(ten(), 9);
    for time in [5, 9, 7, 5] {
        assert!(live.on_event(view(1, time)).unwrap().is_empty());
    }
    assert!(matches!(live.on_event(view(1, 4)), Err(SessionizeError::LateEvent { .. })));
    let ended = live.on_event(view(1, 20)).unwrap();
    assert_eq!((ended[0].events, ended[0].end.micros()), (4, 9));
    assert!(matches!(live.on_event(view(1, 19)), Err(SessionizeError::LateEvent { .. })));
    assert_eq!((live.late_events(), live.finish().len()), (2, 1));
}

#[test]
fn beyond_the_limit_the_user_who_is_idle_longest_ends() {
    let mut live = live(ten(), 2);
    for (user, time) in [(1, 0), (2, 1), (1, 2)] {
        assert!(live.on_event(view(user, time)).unwrap().is_empty());
    }
    let ended = live.on_event(view(3, 3)).unwrap();
    assert_eq!((ended.len(), ended[0].user.as_ref()), (1, IdRef::Int64(2)));
    assert_eq!((live.open_users(), live.evicted_sessions()), (2, 1));
    // A session that ends by itself makes room.
    assert_eq!(live.on_event(view(3, 30)).unwrap().len(), 1);
    assert_eq!(live.evicted_sessions(), 1);
}

#[test]
fn what_it_cannot_do_is_refused_and_changes_nothing() {
    let limit = NonZeroUsize::MIN;
    for rule in [SessionRule::source(), ten().with_attribute_cut("campaign")] {
        let error = LiveSessions::new(rule, limit).unwrap_err().to_string();
        assert!(error.starts_with("live sessions cut sessions by times alone"), "{error}");
    }
    let mut live = live(ten(), 1);
    let dear = LiveEvent { kind: EventKind::Purchase, amount: i128::MAX, ..view(1, 0) };
    let error = live.on_event(dear).unwrap_err().to_string();
    assert_eq!(error, "the sum of `price` exceeds 38 digits: check the amounts");
    assert_eq!(live.open_users(), 0);
}
