//! Abandoned carts by segment, against sessions in plain values.

use std::collections::BTreeMap;
use std::time::Duration;

use cip_sessionize::{Abandonment, Funnel, SessionizeError};
use proptest::option;
use proptest::prelude::*;

use crate::events::{Event, Shape, TYPES, split};

const TIMEOUT: i64 = 1_800_000_000;
const DAY: i64 = 86_400_000_000;

/// By segment and day: sessions with a cart, and those without a purchase.
type Carts = BTreeMap<(Option<i64>, i64), (u64, u64)>;

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (option::weighted(0.9, 0i64..3), 0i64..200, 1..TYPES.len() as i32, option::of(0i64..3));
    let event = event.prop_map(|(user, tick, kind, product)| {
        let time = tick * TIMEOUT / 2;
        Event { user, time, kind, product, price: None, quantity: None }
    });
    proptest::collection::vec(event, 0..60)
}

/// The segment is the product of the first event.
fn oracle(events: &[Event]) -> Carts {
    let mut sorted: Vec<&Event> = events.iter().filter(|event| event.user.is_some()).collect();
    sorted.sort_by_key(|event| (event.user, event.time));
    let same =
        |before: &&Event, event: &&Event| before.user == event.user && event.time - before.time <= TIMEOUT;
    let mut carts = Carts::new();
    for session in sorted.chunk_by(same) {
        let has = |kind: &str| session.iter().any(|event| TYPES[event.kind as usize] == kind);
        if has("cart") {
            let count = carts.entry((session[0].product, session[0].time.div_euclid(DAY))).or_default();
            count.0 += 1;
            count.1 += u64::from(!has("purchase"));
        }
    }
    carts
}

fn counted(carts: &Abandonment) -> Carts {
    let mut counts = Carts::new();
    for (segment, total) in carts.segments() {
        let number = segment.map(|segment| segment.to_string().parse().unwrap());
        let mut sum = (0, 0);
        for (day, count) in carts.days_of(segment) {
            counts.insert((number, i64::from(day.day())), (count.cart_sessions, count.abandoned));
            sum = (sum.0 + count.cart_sessions, sum.1 + count.abandoned);
        }
        assert_eq!(sum, (total.cart_sessions, total.abandoned));
    }
    counts
}

fn funnel() -> Funnel {
    Funnel::new(["view", "cart"], Duration::from_secs(60)).unwrap().with_segments("product_id")
}

proptest! {
    #[test]
    fn carts_lie_in_the_segment_of_their_first_event(
        events in events(),
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
    ) {
        let sorted = Shape::FULL.sorted(&events);
        let (table, whole) = funnel().follow(std::slice::from_ref(&sorted)).unwrap();
        prop_assert_eq!(counted(whole.abandonment()), oracle(&events));
        let (same, parts) = funnel().follow(&split(&sorted, &cuts)).unwrap();
        prop_assert_eq!((same, parts), (table.clone(), whole.clone()));
        // Without segments all is the same but for them.
        let plain = Funnel::new(["view", "cart"], Duration::from_secs(60)).unwrap();
        let (same, without) = plain.follow(&[sorted]).unwrap();
        prop_assert_eq!(same, table);
        prop_assert!(without.abandonment().days().eq(whole.abandonment().days()));
        prop_assert!(without.abandonment().segments().all(|(segment, _)| segment.is_none()));
    }
}

#[test]
fn a_column_that_makes_no_segments_is_refused() {
    let shape = Shape { products: None, ..Shape::FULL };
    let refused = |funnel: Funnel| funnel.follow(&[shape.batch(&[])]).unwrap_err();
    assert!(matches!(refused(funnel()), SessionizeError::NoAttribute { .. }));
    assert!(matches!(refused(funnel().with_segments("price")), SessionizeError::AttributeType { .. }));
    let carts: Vec<Event> = (0..1_001)
        .map(|n| Event { user: Some(n), time: 0, kind: 2, product: Some(n), price: None, quantity: None })
        .collect();
    assert!(funnel().follow(&[Shape::FULL.batch(&carts[..1_000])]).is_ok());
    let error = funnel().follow(&split(&Shape::FULL.batch(&carts), &[600])).unwrap_err().to_string();
    assert!(
        error.starts_with("`product_id` has more than 1000 values, too many to count carts by"),
        "{error}"
    );
}
