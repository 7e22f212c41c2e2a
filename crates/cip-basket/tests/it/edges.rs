//! Limits, nulls, what is empty, and refused inputs.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use cip_basket::{BasketError, BasketKey, Baskets, MOST_PRODUCTS, Pairs, SingleBaskets};
use cip_core::{CoreError, EventBatch, Id, MemoryBudget};

use crate::events::{Event, Shape};
use crate::oracle::rows;

const BUDGET: MemoryBudget = MemoryBudget::from_mib(64);

fn event(user: i64, key: u32, product: i64) -> Event {
    Event { user: Some(user), key: Some(key), product: Some(product) }
}

fn columns(columns: Vec<(&str, ArrayRef)>) -> EventBatch {
    EventBatch::try_new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
}

fn ints(values: Vec<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}

fn pairs(shape: Shape, events: &[Event]) -> Vec<(Id, Id, [i64; 3])> {
    let found = rows(&shape.count(&[shape.batch(events)]));
    found.into_iter().map(|row| (row.a, row.b, row.counts)).collect()
}

#[test]
fn no_events_and_single_products_have_no_pairs() {
    assert_eq!(pairs(Shape::PLAIN, &[]), []);
    let rule = Shape::PLAIN.rule(BUDGET);
    assert!(Pairs::new(1).unwrap().count(rule.collect(&[]).unwrap()).unwrap().next().is_none());
    let shape = Shape { singles: SingleBaskets::Count, ..Shape::PLAIN };
    let table = shape.table(&[shape.batch(&[event(1, 0, 5), event(1, 0, 5), event(2, 1, 5)])]);
    assert_eq!((table.totals().baskets, table.totals().single_baskets, table.products()), (0, 2, 1));
    let mut found = shape.pairs().count(table).unwrap();
    assert_eq!(found.baskets(), 2);
    assert!(found.next().is_none() && found.next().is_none());
}

#[test]
fn one_basket_with_repeats_holds_each_pair_once() {
    let events = [event(1, 0, 9), event(1, 0, -2), event(1, 0, 9), event(1, 0, 9), event(1, 0, -2)];
    let found = rows(&Shape::PLAIN.count(&[Shape::PLAIN.batch(&events)]));
    assert_eq!((&found[0].a, &found[0].b), (&Id::Int64(-2), &Id::Int64(9)));
    assert_eq!((found[0].counts, found[0].ratios), ([1, 1, 1], [1.0; 4]));
    assert_eq!(found.len(), 1);
}

#[test]
fn events_without_product_or_key_are_counted_and_add_nothing() {
    let events = [
        Event { product: None, ..event(1, 0, 0) },
        event(1, 0, 5),
        Event { key: None, ..event(1, 0, 6) },
        Event { product: None, key: None, ..event(1, 0, 0) },
        Event { product: None, ..event(2, 1, 0) },
    ];
    let totals = Shape::PLAIN.table(&[Shape::PLAIN.batch(&events)]).totals();
    assert_eq!((totals.events, totals.events_without_key, totals.events_without_product), (5, 2, 2));
    assert_eq!((totals.baskets, totals.single_baskets), (0, 1));
}

#[test]
fn baskets_of_unknown_users_are_kept() {
    let unknown = |key, product| Event { user: None, ..event(0, key, product) };
    let events = [event(1, 0, 5), event(1, 0, 6), unknown(7, 5), unknown(8, 5), unknown(7, 6), unknown(8, 7)];
    let (five, six, seven) = (Id::Int64(5), Id::Int64(6), Id::Int64(7));
    let expected = [(five.clone(), six, [2, 3, 2]), (five, seven, [1, 3, 1])];
    assert_eq!(pairs(Shape::PLAIN, &events), expected);
    assert_eq!(pairs(Shape { users: None, ..Shape::PLAIN }, &events), expected);
}

#[test]
fn a_basket_is_of_one_user() {
    let events = [event(1, 0, 5), event(2, 0, 6)];
    assert_eq!(pairs(Shape { key: BasketKey::Order, ..Shape::PLAIN }, &events), []);
}

#[test]
fn baskets_beyond_the_limit_are_counted_and_left_out() {
    let mut events: Vec<_> = (0..4).map(|product| event(1, 0, product)).collect();
    events.extend((0..3).map(|product| event(1, 1, product)));
    let shape = Shape { max_products: 3, ..Shape::PLAIN };
    let totals = shape.table(&[shape.batch(&events)]).totals();
    assert_eq!((totals.baskets, totals.entries, totals.oversized_baskets), (1, 3, 1));
    assert_eq!(pairs(shape, &events).len(), 3);
}

#[test]
fn limits_that_leave_no_pairs_are_refused() {
    let empty = Shape::PLAIN.batch(&[]);
    for given in [0, 1, MOST_PRODUCTS + 1, usize::MAX] {
        let refused = Baskets::new(empty.schema(), BUDGET).unwrap().with_max_products(given).unwrap_err();
        assert!(matches!(refused, BasketError::MaxProducts { given: g } if g == given), "{refused}");
    }
    assert_eq!(Baskets::new(empty.schema(), BUDGET).unwrap().max_products(), 50);
    assert!(Baskets::new(empty.schema(), BUDGET).unwrap().with_max_products(MOST_PRODUCTS).is_ok());
    assert!(matches!(Pairs::new(0), Err(BasketError::MinTogether)));
}

#[test]
fn the_key_is_the_session_where_there_is_one() {
    let (order, product) = (ints(vec![1, 1]), ints(vec![5, 6]));
    let session: ArrayRef = Arc::new(UInt32Array::from(vec![1, 2]));
    let both = columns(vec![
        ("order_id", order.clone()),
        ("source_session", session),
        ("product_id", product.clone()),
    ]);
    let rule = Baskets::new(both.schema(), BUDGET).unwrap();
    assert_eq!(rule.key(), BasketKey::SourceSession);
    assert_eq!(rule.collect(std::slice::from_ref(&both)).unwrap().totals().single_baskets, 2);
    let by_order = Baskets::by(BasketKey::Order, both.schema(), BUDGET).unwrap();
    assert_eq!(by_order.collect(&[both]).unwrap().totals().baskets, 1);
    let neither = columns(vec![("product_id", product)]);
    assert!(matches!(Baskets::new(neither.schema(), BUDGET), Err(BasketError::NoBasketKey)));
    let no_session = columns(vec![("order_id", order)]);
    let refused = Baskets::by(BasketKey::SourceSession, no_session.schema(), BUDGET).unwrap_err();
    assert!(refused.to_string().starts_with("column `source_session` is missing"), "{refused}");
    let refused = Baskets::new(no_session.schema(), BUDGET).unwrap_err();
    assert!(refused.to_string().starts_with("column `product_id` is missing"), "{refused}");
}

#[test]
fn batches_must_go_on_as_they_began() {
    let rule = Shape::PLAIN.rule(BUDGET);
    let good = Shape::PLAIN.batch(&[event(2, 0, 5)]);
    for (shape, start) in [
        (Shape { text_products: true, ..Shape::PLAIN }, "column `product_id` is Utf8"),
        (Shape { users: Some(true), ..Shape::PLAIN }, "column `user_id` is Utf8"),
        (Shape { users: None, ..Shape::PLAIN }, "column `user_id` is missing"),
        (Shape { key: BasketKey::Order, ..Shape::PLAIN }, "column `source_session` is missing"),
    ] {
        let refused = rule.collect(&[good.clone(), shape.batch(&[event(3, 1, 5)])]).unwrap_err();
        assert!(refused.to_string().starts_with(start), "{refused}");
    }
}

#[test]
fn users_that_go_back_are_named() {
    let unknown = Event { user: None, ..event(0, 0, 5) };
    let batch = |events: &[Event]| Shape::PLAIN.batch(events);
    let rule = Shape::PLAIN.rule(BUDGET);
    for (batches, row) in [
        (vec![batch(&[event(1, 0, 5), event(2, 0, 5), event(1, 0, 5)])], 2),
        (vec![batch(&[event(2, 0, 5)]), batch(&[event(2, 0, 5), event(1, 0, 5)])], 2),
        (vec![batch(&[unknown]), batch(&[event(1, 0, 5)])], 1),
    ] {
        let refused = rule.collect(&batches).unwrap_err();
        assert!(
            matches!(refused, BasketError::Core(CoreError::NotSorted { row: r }) if r == row),
            "{refused}"
        );
    }
}

#[test]
fn parts_must_ascend_and_mean_the_same() {
    let table = |shape: Shape, users: &[Option<i64>]| {
        let events: Vec<_> = users.iter().map(|&user| Event { user, ..event(0, 0, 5) }).collect();
        shape.table(&[shape.batch(&events)])
    };
    let plain = Shape::PLAIN;
    for (last, first) in [(Some(2), Some(2)), (Some(2), Some(1)), (None, Some(1)), (None, None)] {
        let refused = table(plain, &[last]).append(table(plain, &[first])).unwrap_err();
        assert!(matches!(refused, BasketError::PartsOverlap { .. }), "{refused}");
    }
    let mut parts = table(plain, &[]);
    for part in [vec![], vec![Some(1), Some(3)], vec![], vec![Some(4), None]] {
        parts.append(table(plain, &part)).unwrap();
    }
    assert_eq!(parts.totals().single_baskets, 4);
    let refused = parts.append(table(plain, &[None])).unwrap_err().to_string();
    assert!(
        refused.starts_with("baskets of user (unknown) were appended behind those of user (unknown)"),
        "{refused}"
    );
    for other in [
        Shape { max_products: 3, ..plain },
        Shape { key: BasketKey::Order, ..plain },
        Shape { text_products: true, ..plain },
        Shape { users: Some(true), ..plain },
    ] {
        let refused = table(plain, &[]).append(table(other, &[])).unwrap_err();
        assert!(matches!(refused, BasketError::PartsDiffer { .. }), "{refused}");
    }
}

#[test]
fn a_part_that_does_not_fit_is_still_counted() {
    let shape = Shape::PLAIN;
    let events: Vec<_> = (0..4_000).map(|row| event(row / 20, row as u32 / 20, row % 20)).collect();
    let whole = shape.table(&[shape.batch(&events)]);
    // Room for a half of the baskets.
    let budget = MemoryBudget::from_bytes(whole.bytes() * 6 / 10);
    let part = |rows: &[Event]| shape.rule(budget).collect(&[shape.batch(rows)]).unwrap();
    let mut parts = part(&events[..2_000]);
    assert!(parts.bytes() <= budget.bytes());
    parts.append(part(&events[2_000..])).unwrap();
    assert_eq!((parts.totals(), parts.bytes()), (whole.totals(), whole.bytes()));
    let refused = shape.pairs().count(parts).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.starts_with("counting product pairs needs at least 82.8KiB of memory, but the budget is"),
        "{text}"
    );
}

#[test]
fn a_user_beyond_the_budget_is_named() {
    let shape = Shape { max_products: MOST_PRODUCTS, ..Shape::PLAIN };
    let events: Vec<_> = (0..70_000).map(|product| event(7, 0, product)).collect();
    let refused = shape.rule(MemoryBudget::from_bytes(1 << 16)).collect(&[shape.batch(&events)]).unwrap_err();
    let text = refused.to_string();
    assert!(text.starts_with("the events of user 7 need more than the budget of 64KiB"), "{text}");
    // The same number of events with repeats fits.
    let events: Vec<_> = (0..200_000).map(|row| event(7, 0, row % 10)).collect();
    let table = shape.rule(MemoryBudget::from_bytes(1 << 17)).collect(&[shape.batch(&events)]).unwrap();
    assert_eq!(table.totals().entries, 10);
}
