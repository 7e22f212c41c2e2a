//! Sessions with a cart: a plain oracle, what lies behind the moment, and how the events come.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType, UInt8Type};
use arrow_array::{Array, RecordBatch};
use cip_core::TimeRange;
use cip_features::{CartSessions, Moment};
use proptest::prelude::*;

use crate::events::{CART, Event, PURCHASE, Shape, TYPES, VIEW};

/// A row of the table as plain values: those that the oracle computes.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    user: i64,
    start: i64,
    counts: [i64; 8],
    cart_value: Option<f64>,
    mean_viewed: Option<f64>,
    days_since_purchase: Option<f64>,
    label: u8,
}

fn table(events: &[Event], shape: Shape, moment: Moment, cuts: &[usize]) -> RecordBatch {
    let whole = shape.batch_turned(events, 0);
    let spec = CartSessions::new(TimeRange::ALL, moment, whole.schema()).unwrap();
    let mut builder = spec.builder();
    let mut batches = Vec::new();
    let mut ends: Vec<usize> =
        cuts.iter().map(|cut| cut % (events.len() + 1)).chain([events.len()]).collect();
    ends.sort_unstable();
    let mut start = 0;
    for (turn, end) in ends.into_iter().enumerate() {
        batches.push(builder.push(&shape.batch_turned(&events[start..end], turn % 3)).unwrap());
        start = end;
    }
    batches.push(builder.finish().unwrap());
    arrow_select::concat::concat_batches(&spec.schema(), &batches).unwrap()
}

fn rows(table: &RecordBatch) -> Vec<Row> {
    let ints = |name: &str| table[name].as_primitive::<Int64Type>().values().to_vec();
    let numbers = |name: &str| table[name].as_primitive::<Float64Type>().iter().collect::<Vec<_>>();
    let counts = [
        "views",
        "carts",
        "removes",
        "products",
        "duration_seconds",
        "earlier_sessions",
        "earlier_carts",
        "earlier_purchases",
    ]
    .map(ints);
    let [value, viewed, days] = ["cart_value", "mean_viewed_price", "days_since_last_purchase"].map(numbers);
    let starts = table["session_start"].as_primitive::<TimestampMicrosecondType>();
    let (users, labels) = (ints("user_id"), table["label"].as_primitive::<UInt8Type>());
    (0..table.num_rows())
        .map(|row| Row {
            user: users[row],
            start: starts.value(row),
            counts: std::array::from_fn(|column| counts[column][row]),
            cart_value: value[row],
            mean_viewed: viewed[row],
            days_since_purchase: days[row],
            label: labels.value(row),
        })
        .collect()
}

/// By the words of the documentation, one session at a time.
fn oracle(events: &[Event], moment: Moment) -> Vec<Row> {
    let mut keys: Vec<(i64, i64, u32)> = Vec::new();
    let mut rows = Vec::new();
    for event in events {
        if let (Some(user), Some(session)) = (event.user, event.session)
            && !keys.iter().any(|&(of, _, code)| (of, code) == (user, session))
        {
            keys.push((user, event.time, session));
        }
    }
    for &(user, start, session) in &keys {
        let own: Vec<&Event> = events
            .iter()
            .filter(|event| event.user == Some(user) && event.session == Some(session))
            .collect();
        let Some(cart) = own.iter().position(|event| event.kind == CART) else { continue };
        let known = if moment == Moment::FirstCart { &own[..=cart] } else { &own[..] };
        let told: Vec<&&Event> = known
            .iter()
            .filter(|event| !["purchase", "cancellation"].contains(&TYPES[event.kind as usize]))
            .collect();
        let count =
            |name: &str| told.iter().filter(|event| TYPES[event.kind as usize] == name).count() as i64;
        let prices = |name: &str| {
            told.iter()
                .filter(|event| TYPES[event.kind as usize] == name)
                .filter_map(|event| event.price)
                .collect::<Vec<_>>()
        };
        let mut products: Vec<i64> = told.iter().filter_map(|event| event.product).collect();
        products.sort_unstable();
        products.dedup();
        let earlier: Vec<&Event> =
            events.iter().filter(|event| event.user == Some(user) && event.time < start).collect();
        let of = |name: &str| {
            earlier.iter().filter(|event| TYPES[event.kind as usize] == name).collect::<Vec<_>>()
        };
        let before = keys.iter().position(|&key| key == (user, start, session)).unwrap();
        let sessions = keys[..before].iter().filter(|&&(of, ..)| of == user).count() as i64;
        let money = |cents: &[i64]| cents.iter().sum::<i64>() as f64 / 100.0;
        rows.push(Row {
            user,
            start,
            counts: [
                count("view"),
                count("cart"),
                count("remove_from_cart"),
                products.len() as i64,
                (known[known.len() - 1].time - start) / 1_000_000,
                sessions,
                of("cart").len() as i64,
                of("purchase").len() as i64,
            ],
            cart_value: (!prices("cart").is_empty()).then(|| money(&prices("cart"))),
            mean_viewed: (!prices("view").is_empty())
                .then(|| money(&prices("view")) / prices("view").len() as f64),
            days_since_purchase: of("purchase").last().map(|event| (start - event.time) as f64 / 86_400e6),
            label: u8::from(own.iter().all(|event| TYPES[event.kind as usize] != "purchase")),
        });
    }
    rows
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (
        0i64..3,
        0i64..40,
        0i32..8,
        proptest::option::of(0i64..3),
        proptest::option::of(0i64..900),
        proptest::option::weighted(0.9, 0u32..3),
    );
    proptest::collection::vec(event, 0..60).prop_map(|events| {
        let mut events: Vec<Event> = events
            .into_iter()
            .map(|(user, time, kind, product, price, session)| Event {
                product,
                price,
                // A code is of one user alone.
                session: session.map(|session| session + 10 * user as u32),
                ..Event::at(time * 500_000_000, user, kind)
            })
            .collect();
        events.sort_by_key(|event| (event.user, event.time));
        events
    })
}

proptest! {
    #[test]
    fn rows_are_those_of_the_plain_way_however_the_events_come(
        events in events(), cuts in proptest::collection::vec(0usize..60, 0..4)
    ) {
        for moment in [Moment::FirstCart, Moment::End] {
            prop_assert_eq!(rows(&table(&events, Shape::FULL, moment, &cuts)), oracle(&events, moment));
        }
    }

    /// Whatever comes behind the first cart of a user's last session, the features of all sessions are the same.
    #[test]
    fn nothing_behind_the_moment_is_seen(
        events in events(), later in proptest::collection::vec((0i32..8, 0i64..900), 0..9)
    ) {
        let mut changed: Vec<Event> = events.clone();
        for user in 0..3 {
            // The last session that has a cart, where none starts behind that cart.
            let own: Vec<usize> = (0..changed.len()).filter(|&row| changed[row].user == Some(user)).collect();
            let Some(&cart) = own.iter().rev().find(|&&row| changed[row].kind == CART && changed[row].session.is_some()) else { continue };
            let (at, session) = (changed[cart].time, changed[cart].session);
            let first = own.iter().find(|&&row| changed[row].session == session && changed[row].kind == CART);
            let sessions_behind = own.iter().any(|&row| row > cart && changed[row].session != session);
            if first != Some(&cart) || sessions_behind { continue }
            let end = own[own.len() - 1] + 1;
            let new = later.iter().map(|&(kind, price)| Event { price: Some(price), session, ..Event::at(at + 1, user, kind) });
            changed.splice(cart + 1..end, new);
        }
        let unlabelled = |events: &[Event]| {
            let table = table(events, Shape::FULL, Moment::FirstCart, &[]);
            table.project(&(0..table.num_columns() - 1).collect::<Vec<_>>()).unwrap()
        };
        prop_assert_eq!(unlabelled(&events), unlabelled(&changed));
    }
}

#[test]
fn without_source_sessions_half_an_hour_parts_them_and_text_users_do() {
    let minute = 60_000_000;
    let events: Vec<Event> = [(0, VIEW), (10, CART), (40, PURCHASE), (71, CART), (72, VIEW)]
        .map(|(at, kind)| Event::at(at * minute, 7, kind))
        .to_vec();
    let shape = Shape { sessions: false, text_users: true, ..Shape::FULL };
    let found = table(&events, shape, Moment::FirstCart, &[2]);
    assert_eq!(found["label"].as_primitive::<UInt8Type>().values(), &[0, 1]);
    let seconds = found["seconds_before_cart"].as_primitive::<Float64Type>();
    assert_eq!((seconds.value(0), seconds.is_null(1)), (600.0, true));
    assert_eq!(found["hour"].as_primitive::<Int64Type>().values(), &[0, 1]);
    // 1970-01-01 was a Thursday.
    assert_eq!(found["weekday"].as_primitive::<Int64Type>().values(), &[3, 3]);
    assert_eq!(found["last_cart_price_ratio"].as_primitive::<Float64Type>().value(0), 1.0);
    assert_eq!(table(&[], shape, Moment::End, &[]).num_rows(), 0);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let batch = Shape::FULL.batch_turned(&[Event::at(5, 7, VIEW), Event::at(4, 7, VIEW)], 0);
    let spec = CartSessions::new(TimeRange::ALL, Moment::End, batch.schema()).unwrap();
    let refuse = |batches: &[_]| spec.matrix(batches).unwrap_err().to_string();
    assert!(refuse(std::slice::from_ref(&batch)).contains("row 1"));
    let [seven, six] = [7, 6].map(|user| Shape::FULL.batch_turned(&[Event::at(1, user, VIEW)], 0));
    assert!(refuse(&[seven.clone(), six]).contains("row 1"));
    let nobody = Shape::FULL.batch_turned(&[Event { user: None, ..Event::at(1, 0, VIEW) }], 0);
    assert!(refuse(&[nobody, seven]).contains("row 1"));
    // There is no experiment.
    let error = spec.clone().with_groups(&["a"], batch.schema()).unwrap_err().to_string();
    assert!(error.contains("experiment_group"), "{error}");
}
