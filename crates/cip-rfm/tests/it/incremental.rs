//! RFM that is kept equals RFM that is made anew; its state is the bytes that were saved or is refused.

use cip_core::{MICROS_PER_DAY, StateFault, Timestamp};
use cip_rfm::{IncrementalRfm, Keeping, Returns, Rfm, RfmError, RfmTable};
use proptest::prelude::*;

use crate::events::{CANCELLATION, Event, PURCHASE, Shape, split};
use crate::laws::{events, returns, shape};

fn at(day: i64) -> Timestamp {
    Timestamp::from_micros(day * MICROS_PER_DAY)
}

/// Saves and resumes.
fn again(rfm: &Rfm, keeping: Keeping, kept: &IncrementalRfm) -> IncrementalRfm {
    IncrementalRfm::resume(rfm, keeping, saved(kept).as_slice()).unwrap()
}

fn saved(kept: &IncrementalRfm) -> Vec<u8> {
    let mut bytes = Vec::new();
    kept.save(&mut bytes).unwrap();
    bytes
}

fn same(kept: &RfmTable, anew: &RfmTable) -> Result<(), TestCaseError> {
    prop_assert_eq!(kept.record_batch(), anew.record_batch());
    prop_assert_eq!(kept.skipped_events(), anew.skipped_events());
    prop_assert_eq!(kept.customers_before(), anew.customers_before());
    Ok(())
}

proptest! {
    /// Sums: any split of events in any order, saved and resumed between batches, as of a date behind all of them.
    #[test]
    fn sums_that_are_kept_equal_a_table_made_anew(
        events in events().prop_shuffle(),
        shape in shape(),
        returns in returns(),
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
    ) {
        let rfm = Rfm::new(at(20), shape.batch(&[]).schema()).unwrap().with_returns(returns);
        let mut kept = IncrementalRfm::new(&rfm, Keeping::Sums);
        for batch in split(&shape.batch(&events), &cuts) {
            kept.push(&batch).unwrap();
            kept = again(&rfm, Keeping::Sums, &kept);
        }
        let sorted = shape.sorted(&events);
        same(&kept.score(&rfm).unwrap(), &rfm.segment(std::slice::from_ref(&sorted)).unwrap())?;
        let mut whole = IncrementalRfm::new(&rfm, Keeping::Sums);
        whole.push(&sorted).unwrap();
        prop_assert_eq!(saved(&kept), saved(&whole), "batches do not change the bytes");
    }

    /// Parts that are added up apart, as threads do, in any order of the parts.
    #[test]
    fn parts_that_are_appended_are_one_state(
        events in events().prop_shuffle(),
        shape in shape(),
        returns in returns(),
        keeping in prop_oneof![Just(Keeping::Sums), Just(Keeping::Times)],
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
    ) {
        let rfm = Rfm::new(at(20), shape.batch(&[]).schema()).unwrap().with_returns(returns);
        let state = |batch| {
            let mut state = IncrementalRfm::new(&rfm, keeping);
            state.push(&batch).unwrap();
            state
        };
        let mut kept = IncrementalRfm::new(&rfm, keeping);
        for part in split(&shape.batch(&events), &cuts).into_iter().rev() {
            kept.append(state(part)).unwrap();
        }
        prop_assert_eq!(saved(&kept), saved(&state(shape.batch(&events))));
    }

    /// Times: any date and any window, with what lies before it forgotten in between, or not.
    #[test]
    fn times_that_are_kept_serve_any_date_and_window(
        events in events().prop_shuffle(),
        shape in shape(),
        returns in returns(),
        cuts in proptest::collection::vec((any::<usize>(), -9i64..9), 0..6),
        as_of in (-7i64..9, -1i64..2).prop_map(|(day, off)| day * MICROS_PER_DAY + off),
        window in proptest::option::of((1i64..12, 0i64..2).prop_map(|(days, off)| days * MICROS_PER_DAY + off)),
    ) {
        let as_of = Timestamp::from_micros(as_of);
        let rfm = Rfm::new(as_of, shape.batch(&[]).schema()).unwrap().with_returns(returns);
        let from = window.map(|window| Timestamp::from_micros(as_of.micros() - window));
        let rfm = match from {
            Some(from) => rfm.with_from(from).unwrap(),
            None => rfm,
        };
        let mut kept = IncrementalRfm::new(&rfm, Keeping::Times);
        let rows: Vec<usize> = cuts.iter().map(|(row, _)| *row).collect();
        let instants = cuts.iter().map(|(_, day)| at(*day)).chain([at(-9)]);
        for (batch, instant) in split(&shape.batch(&events), &rows).iter().zip(instants) {
            kept.push(batch).unwrap();
            if from.is_some_and(|from| instant <= from) {
                kept.forget_before(instant);
            }
            kept = again(&rfm, Keeping::Times, &kept);
        }
        same(&kept.score(&rfm).unwrap(), &rfm.segment(&[shape.sorted(&events)]).unwrap())?;
    }
}

fn full() -> Rfm {
    Rfm::new(at(10), Shape::FULL.batch(&[]).schema()).unwrap()
}

/// Three customers: with an order, without, and with a return.
fn some(keeping: Keeping) -> IncrementalRfm {
    let mut kept = IncrementalRfm::new(&full().with_returns(Returns::Net), keeping);
    let events = [
        Event { order: Some(5), ..Event::on(1, 1, PURCHASE) },
        Event::on(2, 2, PURCHASE),
        Event::on(3, 3, PURCHASE),
        Event::on(4, 3, CANCELLATION),
    ];
    kept.push(&Shape::FULL.batch(&events)).unwrap();
    kept
}

#[test]
fn every_flipped_byte_and_every_other_length_is_refused() {
    for keeping in [Keeping::Sums, Keeping::Times] {
        let rfm = full().with_returns(Returns::Net);
        let good = saved(&some(keeping));
        let resume = |bytes: &[u8]| IncrementalRfm::resume(&rfm, keeping, bytes);
        assert_eq!(saved(&resume(&good).unwrap()), good);
        for at in 0..good.len() {
            for flip in [1, 0x80, 0xFF] {
                let mut bad = good.clone();
                bad[at] ^= flip;
                assert!(resume(&bad).is_err(), "byte {at} of {} may be flipped by {flip}", good.len());
            }
            assert!(resume(&good[..at]).is_err(), "{at} of {} bytes suffice", good.len());
        }
        assert!(matches!(
            resume(&[good.as_slice(), &[0]].concat()),
            Err(RfmError::State(StateFault::Damaged { .. }))
        ));
    }
}

#[test]
fn a_state_is_resumed_as_it_was_begun() {
    let good = saved(&some(Keeping::Sums));
    let refuse =
        |rfm: &Rfm, keeping| IncrementalRfm::resume(rfm, keeping, good.as_slice()).unwrap_err().to_string();
    assert_eq!(
        refuse(&full(), Keeping::Sums),
        "the state of RFM was made with `sums of users Int64, orders Int64, quantities, money of 2 decimals, returns netted`, expected `sums of users Int64, \
         orders Int64, quantities, money of 2 decimals, returns excluded`: resume it as it was begun, or read the events again"
    );
    let netted = full().with_returns(Returns::Net);
    assert!(refuse(&netted, Keeping::Times).contains("expected `times of users Int64"));
    let without = Shape { quantities: false, orders: None, ..Shape::FULL };
    let without = Rfm::new(at(10), without.batch(&[]).schema()).unwrap().with_returns(Returns::Net);
    assert!(refuse(&without, Keeping::Sums).contains("no orders, no quantities"));
    let mut newer = good.clone();
    newer[7] = 2;
    let error = IncrementalRfm::resume(&netted, Keeping::Sums, newer.as_slice()).unwrap_err().to_string();
    assert_eq!(error, "the state of RFM is of version 2, expected 1: update cip");
    assert!(matches!(some(Keeping::Sums).score(&full()), Err(RfmError::State(StateFault::Other { .. }))));
}

#[test]
fn what_is_not_kept_is_not_guessed() {
    let netted = |day| Rfm::new(at(day), Shape::FULL.batch(&[]).schema()).unwrap().with_returns(Returns::Net);
    let sums = some(Keeping::Sums);
    assert_eq!(sums.score(&netted(5)).unwrap().len(), 3);
    let error = sums.score(&netted(4)).unwrap_err().to_string();
    assert_eq!(
        error,
        "sums of all events up to 1970-01-05 have no times, expected a date behind it, here 1970-01-05, and no window: keep times"
    );
    assert!(matches!(sums.score(&netted(9).with_from(at(2)).unwrap()), Err(RfmError::NoTimes { .. })));

    let mut times = some(Keeping::Times);
    assert_eq!(times.score(&netted(2)).unwrap().len(), 1);
    times.forget_before(at(2));
    times.forget_before(at(1));
    let error = times.score(&netted(9)).unwrap_err().to_string();
    assert_eq!(
        error,
        "purchases before 1970-01-03 are forgotten, expected a window that begins there or later: read the events again"
    );
    let window = netted(9).with_from(at(2)).unwrap();
    let scored = times.score(&window).unwrap();
    assert_eq!((scored.monetary(), scored.customers_before()), (&[100, 0][..], 1));
    // One who bought before comes back; a late event from before adds nobody's money.
    times.push(&Shape::FULL.batch(&[Event::on(6, 1, PURCHASE), Event::on(1, 2, PURCHASE)])).unwrap();
    let scored = times.score(&window).unwrap();
    assert_eq!((scored.monetary(), scored.customers_before()), (&[100, 100, 0][..], 0));
}

#[test]
fn what_is_not_alike_is_not_appended() {
    let mut sums = some(Keeping::Sums);
    let before = saved(&sums);
    assert!(matches!(sums.append(some(Keeping::Times)), Err(RfmError::State(StateFault::Other { .. }))));
    let excluded = IncrementalRfm::new(&full(), Keeping::Sums);
    assert!(matches!(sums.append(excluded), Err(RfmError::State(StateFault::Other { .. }))));
    let mut forgetful = some(Keeping::Times);
    forgetful.forget_before(at(2));
    assert!(matches!(some(Keeping::Times).append(forgetful), Err(RfmError::Forgotten { .. })));
    assert_eq!(saved(&sums), before);
}

#[test]
fn a_batch_that_fails_changes_nothing() {
    let mut kept = some(Keeping::Sums);
    let before = saved(&kept);
    let most =
        Event { price: Some(999_999_999_999_999_999), quantity: Some(i64::MAX), ..Event::on(6, 1, PURCHASE) };
    let batch = Shape::FULL.batch(&vec![most; 40]);
    assert!(kept.push(&batch).unwrap_err().to_string().contains("price"));
    assert_eq!(saved(&kept), before);
    let no_orders = Shape { orders: None, ..Shape::FULL }.batch(&[Event::on(6, 1, PURCHASE)]);
    assert!(kept.push(&no_orders).is_err());
    assert_eq!(saved(&kept), before);
}
