//! What holds for all events.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use cip_basket::{BasketError, BasketKey, SingleBaskets};
use cip_core::{CoreError, Id, MemoryBudget, table};
use proptest::option;
use proptest::prelude::*;

use crate::events::{Event, Shape, all, split};
use crate::oracle::{oracle, rows};

fn event() -> impl Strategy<Value = Event> {
    // Few of each, so that baskets fill, and products repeat in them.
    (option::weighted(0.9, -3i64..3), option::weighted(0.9, 0u32..4), option::weighted(0.9, -4i64..9))
        .prop_map(|(user, key, product)| Event { user, key, product })
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(event(), 0..120)
}

fn shape() -> impl Strategy<Value = Shape> {
    let key = prop_oneof![Just(BasketKey::SourceSession), Just(BasketKey::Order), Just(BasketKey::User)];
    let singles = prop_oneof![Just(SingleBaskets::Skip), Just(SingleBaskets::Count)];
    (any::<Option<bool>>(), any::<[bool; 2]>(), key, 2usize..9, 1u32..4, singles).prop_map(
        |(users, [text_products, text_orders], key, max_products, min_together, singles)| Shape {
            // Baskets of users need users.
            users: if key == BasketKey::User { users.or(Some(false)) } else { users },
            text_products,
            text_orders,
            key,
            max_products,
            min_together,
            singles,
        },
    )
}

proptest! {
    #[test]
    fn the_kernel_equals_the_oracle(events in events(), shape in shape()) {
        let table = shape.table(&[shape.sorted(&events)]);
        let (expected, totals) = oracle(shape, &events);
        prop_assert_eq!(table.totals(), totals);
        let pairs = shape.pairs().count(table).unwrap();
        let products = shape.sorted(&events).products().unwrap().id_type();
        prop_assert_eq!(pairs.schema(), table::product_pairs(products));
        let batches = all(pairs);
        for batch in &batches {
            prop_assert_eq!(batch.schema(), table::product_pairs(products));
        }
        prop_assert_eq!(rows(&batches), expected);
    }

    #[test]
    fn any_split_into_batches_gives_the_same_pairs(
        events in events(),
        shape in shape(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let sorted = shape.sorted(&events);
        let batches = split(&sorted, &cuts);
        prop_assert_eq!(shape.table(&batches).totals(), shape.table(std::slice::from_ref(&sorted)).totals());
        prop_assert_eq!(shape.count(&batches), shape.count(&[sorted]));
    }

    #[test]
    fn parts_by_user_put_together_are_the_same_table(events in events(), shape in shape(), border in -3i64..3) {
        let shape = Shape { users: shape.users.or(Some(false)), ..shape };
        let whole = shape.table(&[shape.sorted(&events)]);
        let at = shape.user(&Event { user: Some(border), key: None, product: None });
        let (low, high): (Vec<_>, Vec<_>) =
            events.iter().partition(|event| event.user.is_some() && shape.user(event) < at);
        let [mut parts, later] = [low, high].map(|part: Vec<Event>| shape.table(&[shape.sorted(&part)]));
        parts.append(later).unwrap();
        prop_assert_eq!(parts.totals(), whole.totals());
        prop_assert_eq!((parts.products(), parts.bytes()), (whole.products(), whole.bytes()));
        prop_assert_eq!(all(shape.pairs().count(parts).unwrap()), all(shape.pairs().count(whole).unwrap()));
    }

    #[test]
    fn the_order_of_a_users_events_does_not_matter(
        (events, shuffled) in events().prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        shape in shape(),
    ) {
        prop_assert_eq!(shape.count(&[shape.sorted(&shuffled)]), shape.count(&[shape.sorted(&events)]));
    }

    #[test]
    fn relabelled_products_keep_their_pairs(events in events(), shape in shape()) {
        let relabel = |product: i64| 1_000 - 7 * product;
        let relabelled: Vec<Event> =
            events.iter().map(|event| Event { product: event.product.map(relabel), ..*event }).collect();
        let new: BTreeMap<Id, Id> =
            (-4..9).map(|product| (shape.product(product), shape.product(relabel(product)))).collect();
        let mut expected = rows(&shape.count(&[shape.sorted(&events)]));
        for row in &mut expected {
            (row.a, row.b) = (new[&row.a].clone(), new[&row.b].clone());
            if row.a > row.b {
                std::mem::swap(&mut row.a, &mut row.b);
                row.counts.swap(1, 2);
                row.ratios.swap(1, 2);
            }
        }
        expected.sort_by(|x, y| (&x.a, &x.b).cmp(&(&y.a, &y.b)));
        prop_assert_eq!(rows(&shape.count(&[shape.sorted(&relabelled)])), expected);
    }

    #[test]
    fn the_budget_that_is_named_does_and_a_byte_less_does_not(events in events(), shape in shape()) {
        let sorted = [shape.sorted(&events)];
        let count = |bytes| shape.pairs().count(shape.rule(MemoryBudget::from_bytes(bytes)).collect(&sorted).unwrap());
        let smallest = smallest(count(1).unwrap_err());
        prop_assert_eq!(self::smallest(count(smallest - 1).unwrap_err()), smallest);
        prop_assert_eq!(all(count(smallest).unwrap()), shape.count(&sorted));
    }
}

fn smallest(error: BasketError) -> u64 {
    let smallest = match error {
        BasketError::Core(CoreError::Memory { smallest, .. }) => Some(smallest.bytes()),
        _ => None,
    };
    smallest.unwrap()
}

#[test]
fn many_passes_and_many_batches_are_one_table() {
    // A third of the products in each basket, and one large basket: 44,850 pairs, 300,000 instances.
    let mut state = 1u64;
    let mut events: Vec<Event> = Vec::new();
    for key in 0..60 {
        for product in 0..300 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if key == 0 || state >> 62 == 0 {
                events.push(Event { user: Some(i64::from(key)), key: Some(key), product: Some(product) });
            }
        }
    }
    let shape = Shape { max_products: 300, ..Shape::PLAIN };
    let sorted = [shape.sorted(&events)];
    let table = |bytes| shape.rule(MemoryBudget::from_bytes(bytes)).collect(&sorted).unwrap();
    let bytes = smallest(shape.pairs().count(table(1)).unwrap_err());
    let one_pass = shape.count(&sorted);
    let sizes: Vec<_> = one_pass.iter().map(RecordBatch::num_rows).collect();
    assert_eq!(sizes, [16_384, 16_384, 44_850 - 2 * 16_384]);
    assert_eq!(rows(&one_pass), oracle(shape, &events).0);
    assert_eq!(all(shape.pairs().count(table(bytes)).unwrap()), one_pass);
}
