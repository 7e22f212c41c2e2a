//! The date, returns, ties, and refused inputs.

use cip_core::{CoreError, EventBatch, Id, MICROS_PER_DAY, Timestamp, column};
use cip_rfm::{COLUMNS, Returns, Rfm, RfmError, Scoring};

use crate::events::{CANCELLATION, Event, PURCHASE, Shape};
use crate::oracle::{How, oracle, rows};

const AS_OF: Timestamp = Timestamp::from_micros(10 * MICROS_PER_DAY);

fn rfm() -> Rfm {
    Rfm::new(AS_OF, Shape::FULL.batch(&[]).schema()).unwrap()
}

fn refuse(batches: &[EventBatch]) -> RfmError {
    rfm().segment(batches).unwrap_err()
}

#[test]
fn events_at_the_date_do_not_exist_yet() {
    let last = Event { time: AS_OF.micros() - 1, ..Event::on(0, 1, PURCHASE) };
    let at = Event { time: AS_OF.micros(), ..Event::on(0, 1, PURCHASE) };
    let only_at = Event { user: Some(2), ..at.clone() };
    let scored = rfm().segment(&[Shape::FULL.batch(&[last, at, only_at])]).unwrap();
    assert_eq!(
        (scored.recency_days(), scored.frequency(), scored.monetary()),
        (&[1][..], &[1][..], &[100][..])
    );
    // At noon of the day, the morning's purchase is of today.
    let noon = Timestamp::from_micros(AS_OF.micros() + MICROS_PER_DAY / 2);
    let rfm = Rfm::new(noon, Shape::FULL.batch(&[]).schema()).unwrap();
    let scored = rfm.segment(&[Shape::FULL.batch(&[Event::on(10, 1, PURCHASE)])]).unwrap();
    assert_eq!(scored.recency_days(), [0]);
}

#[test]
fn cancellations_are_excluded_or_netted_and_make_no_customer() {
    let events = Shape::FULL.batch(&[
        Event { quantity: Some(6), ..Event::on(1, 1, PURCHASE) },
        // Sources write the pieces taken back with either sign.
        Event { quantity: Some(-2), ..Event::on(3, 1, CANCELLATION) },
        Event { quantity: Some(1), ..Event::on(4, 1, CANCELLATION) },
        Event::on(12, 1, CANCELLATION),
        Event::on(2, 2, CANCELLATION),
        Event::on(5, 3, PURCHASE),
        Event { price: Some(250), ..Event::on(6, 3, CANCELLATION) },
    ]);
    let excluded = rfm().segment(std::slice::from_ref(&events)).unwrap();
    assert_eq!((excluded.recency_days(), excluded.monetary()), (&[9, 5][..], &[600, 100][..]));
    let netted = rfm().with_returns(Returns::Net).segment(&[events]).unwrap();
    assert_eq!((netted.recency_days(), netted.monetary()), (&[9, 5][..], &[300, -150][..]));
    assert_eq!(netted.frequency(), [1, 1]);
}

#[test]
fn orders_count_once_and_purchases_without_one_each() {
    let order = |order, user| Event { order, ..Event::on(1, user, PURCHASE) };
    let events = [order(Some(7), 1), order(Some(7), 1), order(None, 1), order(None, 1), order(Some(7), 2)];
    let frequency = |shape: Shape| {
        let batch = shape.batch(&events);
        Rfm::new(AS_OF, batch.schema()).unwrap().segment(&[batch]).unwrap().frequency().to_vec()
    };
    assert_eq!(frequency(Shape::FULL), [3, 1]);
    assert_eq!(frequency(Shape { orders: Some(true), ..Shape::FULL }), [3, 1]);
    assert_eq!(frequency(Shape { orders: None, ..Shape::FULL }), [4, 1]);
}

#[test]
fn ties_go_by_user_id_and_few_customers_fill_the_first_tiles() {
    for customers in 0..=12 {
        let events: Vec<_> = (0..customers).map(|user| Event::on(1, user, PURCHASE)).collect();
        let batch = Shape::FULL.batch(&events);
        let scored = rfm().with_scoring(Scoring::Ntile).segment(&[batch]).unwrap();
        let expected = oracle(AS_OF.micros(), Returns::Exclude, How::Ntile, Shape::FULL, &events);
        assert_eq!(rows(scored.record_batch()), expected, "{customers} customers");
        assert!(scored.r().is_sorted() && scored.r() == scored.f() && scored.r() == scored.m());
    }
}

#[test]
fn every_pair_of_scores_occurs_in_a_table_by_cuts() {
    let cuts = ([1, 2, 3, 4], [2, 3, 4, 5], [0, 1, 2, 3]);
    let scoring = Scoring::Cuts(cip_rfm::Cuts::new(cuts.0, cuts.1, cuts.2).unwrap());
    let events: Vec<_> = (0..25)
        .flat_map(|user| (0..=user % 5).map(move |_| Event::on(9 - user / 5, user, PURCHASE)))
        .collect();
    let scored = rfm().with_scoring(scoring).segment(&[Shape::FULL.batch(&events)]).unwrap();
    let expected = oracle(AS_OF.micros(), Returns::Exclude, How::Cuts(cuts), Shape::FULL, &events);
    assert_eq!(rows(scored.record_batch()), expected);
    let pairs: std::collections::BTreeSet<_> = scored.r().iter().zip(scored.f()).collect();
    assert_eq!(pairs.len(), 25);
}

#[test]
fn no_customers_are_no_rows_and_no_shares() {
    let view = Event::on(1, 1, 1);
    for batches in [vec![], vec![Shape::FULL.batch(&[])], vec![Shape::FULL.batch(&[view])]] {
        let scored = rfm().segment(&batches).unwrap();
        assert!(scored.is_empty());
        let summary = scored.summary().unwrap();
        assert!(summary.iter().all(|of| of.share.is_none() && of.average_monetary.is_none()));
    }
}

#[test]
fn the_columns_read_suffice() {
    let batch = Shape::FULL.batch(&[Event::on(1, 1, PURCHASE), Event::on(2, 1, CANCELLATION)]);
    let projected: Vec<usize> =
        COLUMNS.iter().map(|name| batch.schema().arrow().index_of(name).unwrap()).collect();
    let narrow = EventBatch::try_new(batch.record_batch().project(&projected).unwrap()).unwrap();
    let table = |batch: EventBatch| {
        let rfm = Rfm::new(AS_OF, batch.schema()).unwrap().with_returns(Returns::Net);
        rfm.segment(&[batch]).unwrap().record_batch().clone()
    };
    assert_eq!(table(narrow), table(batch));
}

#[test]
fn the_first_schema_decides() {
    let bare = Shape { quantities: false, orders: None, ..Shape::FULL };
    let (bare, full) = (bare.batch(&[Event::on(1, 1, PURCHASE)]), {
        let event = Event { quantity: Some(9), order: Some(7), ..Event::on(1, 1, PURCHASE) };
        Shape::FULL.batch(&[event.clone(), event])
    });
    let rfm = Rfm::new(AS_OF, bare.schema()).unwrap();
    let scored = rfm.segment(&[bare.clone(), full.clone()]).unwrap();
    assert_eq!((scored.frequency(), scored.monetary()), (&[3][..], &[300][..]));
    let error = refuse(&[full, bare]);
    assert!(
        matches!(error, RfmError::Core(CoreError::MissingColumn { column: column::QUANTITY })),
        "{error}"
    );
    let text = Shape { text_users: true, ..Shape::FULL }.batch(&[]);
    assert_eq!(
        refuse(&[text]).to_string(),
        "column `user_id` is Utf8, expected Int64 as in the schema given first: cast it before the batch is made"
    );
}

#[test]
fn a_schema_without_money_users_times_or_types_is_refused() {
    let schema = Shape::FULL.batch(&[]).schema().clone();
    for missing in [column::PRICE, column::USER_ID, column::EVENT_TIME, column::EVENT_TYPE] {
        let rest: Vec<&str> = COLUMNS.iter().copied().filter(|name| *name != missing).collect();
        let error = Rfm::new(AS_OF, &schema.project(&rest)).unwrap_err();
        assert!(error.to_string().starts_with(&format!("column `{missing}` is missing")), "{error}");
        assert_eq!(matches!(error, RfmError::NoMoney), missing == column::PRICE);
    }
}

#[test]
fn users_must_ascend_with_unknown_ones_last() {
    let user = |user| Event { user, ..Event::on(1, 0, 1) };
    let batch = |users: &[Option<i64>], text_users| {
        let events: Vec<_> = users.iter().map(|&id| user(id)).collect();
        Shape { text_users, ..Shape::FULL }.batch(&events)
    };
    let cases: [(&[&[Option<i64>]], u64); 6] = [
        (&[&[Some(2), Some(3), Some(1)]], 2),
        (&[&[Some(2)], &[], &[Some(1)]], 1),
        (&[&[Some(2), None, Some(3)]], 2),
        (&[&[Some(2), None], &[Some(3)]], 2),
        (&[&[Some(2), Some(1), None, Some(3)]], 1),
        (&[&[None], &[None, None], &[Some(3)]], 3),
    ];
    for (parts, expected) in cases {
        for text in [false, true] {
            let batches: Vec<_> = parts.iter().map(|users| batch(users, text)).collect();
            let rfm = Rfm::new(AS_OF, batches[0].schema()).unwrap();
            let error = rfm.segment(&batches).unwrap_err();
            assert!(
                matches!(error, RfmError::Core(CoreError::NotSorted { row }) if row == expected),
                "{parts:?}: {error}"
            );
        }
    }
}

#[test]
fn parts_must_ascend_and_mean_the_same() {
    let part = |rfm: &Rfm, user| {
        let mut part = rfm.customers();
        part.push(&Shape::FULL.batch(&[Event::on(1, user, PURCHASE)])).unwrap();
        part.finish().unwrap()
    };
    let rfm = rfm();
    let mut customers = part(&rfm, 5);
    for user in [4, 5] {
        match customers.append(part(&rfm, user)).unwrap_err() {
            RfmError::PartsOverlap { last: Id::Int64(5), first: Id::Int64(first) } => assert_eq!(first, user),
            error => panic!("{error}"),
        }
    }
    let later = Rfm::new(Timestamp::from_micros(0), Shape::FULL.batch(&[]).schema()).unwrap();
    assert!(matches!(
        customers.append(part(&rfm.clone().with_returns(Returns::Net), 6)),
        Err(RfmError::PartsDiffer)
    ));
    assert!(matches!(later.score(part(&rfm, 6)), Err(RfmError::PartsDiffer)));
    customers.append(part(&rfm.clone().with_scoring(Scoring::Ntile), 6)).unwrap();
    assert_eq!(customers.len(), 2);
}

#[test]
fn sums_beyond_38_digits_are_refused() {
    let dear =
        |user| Event { price: Some(i64::MAX), quantity: Some(i64::MAX), ..Event::on(1, user, PURCHASE) };
    for copies in [2, 3] {
        let error = refuse(&[Shape::FULL.batch(&vec![dear(1); copies])]);
        assert_eq!(error.to_string(), "the sum of `price` exceeds 38 digits: check the amounts");
    }
    let scored = rfm().segment(&[Shape::FULL.batch(&[dear(1), dear(2), dear(3)])]).unwrap();
    assert_eq!(scored.len(), 3);
    assert!(matches!(scored.summary(), Err(RfmError::Core(CoreError::MoneyOverflow { .. }))));
    // The smallest quantity has no positive counterpart of its own type.
    let back = Event { quantity: Some(i64::MIN), ..Event::on(2, 1, CANCELLATION) };
    let batch = Shape::FULL.batch(&[Event::on(1, 1, PURCHASE), back]);
    let scored = rfm().with_returns(Returns::Net).segment(&[batch]).unwrap();
    assert_eq!(scored.monetary(), [100 - 100 * (1i128 << 63)]);
}
