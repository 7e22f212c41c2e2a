//! What holds for all events.

use cip_core::{EventBatch, MICROS_PER_DAY, Timestamp, table};
use std::collections::BTreeSet;
use std::time::Duration;

use cip_rfm::{
    Cuts, Quantiles, Returns, Rfm, RfmError, RfmTable, Scoring, Segment, SegmentMap, Ties, Weights,
};
use proptest::option;
use proptest::prelude::*;

use crate::events::{Event, Shape, TYPES, split};
use crate::oracle::{Bounds, How, oracle, rows};

const AS_OF: i64 = 5 * MICROS_PER_DAY;

fn event() -> impl Strategy<Value = Event> {
    // Around midnights, and around the date of the analysis.
    let time = (-8i64..8, -1i64..2).prop_map(|(day, off)| day * MICROS_PER_DAY + off);
    (
        option::weighted(0.9, -12i64..12),
        time,
        1..TYPES.len() as i32,
        option::weighted(0.9, -200i64..900),
        option::weighted(0.8, -3i64..9),
        option::weighted(0.7, 0i64..5),
    )
        .prop_map(|(user, time, kind, price, quantity, order)| Event {
            user,
            time,
            kind,
            price,
            quantity,
            order,
        })
}

pub(crate) fn events() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(event(), 0..120)
}

pub(crate) fn shape() -> impl Strategy<Value = Shape> {
    (any::<bool>(), any::<bool>(), any::<Option<bool>>()).prop_map(|(text_users, quantities, orders)| Shape {
        text_users,
        quantities,
        orders,
    })
}

fn how() -> impl Strategy<Value = How> {
    let four = |low: i64, step: i64| {
        (low..low + step, proptest::array::uniform3(1..step))
            .prop_map(|(first, [a, b, c])| [first, first + a, first + a + b, first + a + b + c])
    };
    let bounds = (four(0, 4), four(0, 3), four(-500, 600)).prop_map(|(days, orders, money)| -> Bounds {
        (days.map(|day| day as i32), orders, money.map(i128::from))
    });
    prop_oneof![Just(How::Default), Just(How::Ntile), bounds.prop_map(How::Cuts)]
}

pub(crate) fn returns() -> impl Strategy<Value = Returns> {
    prop_oneof![Just(Returns::Exclude), Just(Returns::Net)]
}

fn rfm(events: &EventBatch, returns: Returns, how: How) -> Rfm {
    let scoring = match how {
        How::Default => Scoring::Default,
        How::Ntile => Scoring::Ntile,
        How::Cuts((days, orders, money)) => Scoring::Cuts(Cuts::new(days, orders, money).unwrap()),
    };
    let rfm = Rfm::new(Timestamp::from_micros(AS_OF), events.schema()).unwrap();
    rfm.with_returns(returns).with_scoring(scoring)
}

fn run(shape: Shape, events: &[Event], returns: Returns, how: How) -> RfmTable {
    let sorted = shape.sorted(events);
    rfm(&sorted, returns, how).segment(&[sorted]).unwrap()
}

proptest! {
    #[test]
    fn the_table_equals_the_oracle(
        events in events(),
        shape in shape(),
        how in how(),
        returns in returns(),
    ) {
        let scored = run(shape, &events, returns, how);
        let schema = shape.batch(&[]).schema().clone();
        prop_assert_eq!(
            scored.record_batch().schema(),
            table::rfm_segments(schema.user_type().unwrap(), schema.money_scale().unwrap())
        );
        let expected = oracle(AS_OF, returns, how, shape, &events);
        prop_assert_eq!(&rows(scored.record_batch()), &expected);
        prop_assert_eq!(scored.skipped_events(), events.iter().filter(|event| event.user.is_none()).count() as u64);
        let names: Vec<_> = scored.segments().collect();
        prop_assert_eq!(names, expected.iter().map(|row| row.segment.as_str()).collect::<Vec<_>>());
    }

    /// Equal customers have equal scores, bins say what they hold, and their least values as cuts give the same scores again.
    #[test]
    fn equal_customers_score_equal_where_ties_keep_together(events in events(), bins in 3u8..=10) {
        let sorted = Shape::FULL.sorted(&events);
        let all = SegmentMap::from_toml(&format!("bins = {bins}\n[[segments]]\nname = \"All\"\nscores = [{{}}]")).unwrap();
        let scoring = Scoring::Quantiles(Quantiles::new(bins, Ties::Together).unwrap());
        let rfm = Rfm::new(Timestamp::from_micros(AS_OF), sorted.schema()).unwrap().with_map(all).with_scoring(scoring);
        let scored = rfm.segment(std::slice::from_ref(&sorted)).unwrap();
        for a in 0..scored.len() {
            for b in 0..scored.len() {
                prop_assert_eq!(scored.recency_days()[a] < scored.recency_days()[b] && scored.r()[a] < scored.r()[b], false);
                prop_assert!(scored.frequency()[a] != scored.frequency()[b] || scored.f()[a] == scored.f()[b]);
                prop_assert!(scored.monetary()[a] > scored.monetary()[b] || scored.m()[a] <= scored.m()[b]);
            }
        }
        for (bin, score) in scored.monetary_bins().into_iter().zip(1..) {
            let own = || scored.m().iter().zip(scored.monetary()).filter(|(m, _)| **m == score).map(|(_, money)| *money);
            prop_assert_eq!((bin.score, bin.customers), (score, own().count() as u64));
            prop_assert_eq!((bin.least, bin.greatest), (own().min(), own().max()));
        }
        prop_assert_eq!(scored.frequency_bins().len() + scored.recency_bins().len(), 2 * usize::from(bins));
        let error = Rfm::new(Timestamp::from_micros(AS_OF), sorted.schema()).unwrap()
            .with_scoring(Scoring::Quantiles(Quantiles::new(bins, Ties::ByUser).unwrap())).segment(&[sorted]);
        prop_assert_eq!(matches!(error, Err(RfmError::MapBins { map: 5, .. })), bins != 5);
    }

    #[test]
    fn any_split_into_batches_gives_the_same_table(
        events in events(),
        shape in shape(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let sorted = shape.sorted(&events);
        let batches = split(&sorted, &cuts);
        let rfm = rfm(&sorted, Returns::Net, How::Default);
        let whole = rfm.segment(&[sorted]).unwrap();
        let parts = rfm.segment(&batches).unwrap();
        prop_assert_eq!(parts.record_batch(), whole.record_batch());
    }

    #[test]
    fn parts_by_user_append_to_the_same_table(
        events in events(),
        shape in shape(),
        borders in proptest::collection::vec(-12i64..12, 0..4),
    ) {
        let sorted = shape.sorted(&events);
        let rfm = rfm(&sorted, Returns::Exclude, How::Ntile);
        let mut borders: Vec<_> = borders.into_iter().map(|user| shape.user(user)).collect();
        borders.sort();
        let part_of = |event: &Event| event.user.map(|user| {
            borders.iter().filter(|border| **border <= shape.user(user)).count()
        });
        let mut customers = rfm.customers().finish().unwrap();
        // Unknown users belong to no part: give them to the last.
        for part in 0..=borders.len() {
            let events: Vec<_> =
                events.iter().filter(|event| part_of(event).unwrap_or(borders.len()) == part).cloned().collect();
            let mut later = rfm.customers();
            later.push(&shape.sorted(&events)).unwrap();
            customers.append(later.finish().unwrap()).unwrap();
        }
        prop_assert_eq!(customers.skipped_events(), events.iter().filter(|event| event.user.is_none()).count() as u64);
        let whole = rfm.segment(&[sorted]).unwrap();
        let parts = rfm.score(customers).unwrap();
        prop_assert_eq!(parts.record_batch(), whole.record_batch());
    }

    #[test]
    fn the_order_of_a_users_events_does_not_matter(
        events in events().prop_shuffle(),
        shape in shape(),
        how in how(),
    ) {
        let mut by_user = events.clone();
        by_user.sort_by_key(|event| (event.user.is_none(), event.user.map(|user| shape.user(user))));
        let batch = shape.batch(&by_user);
        let scored = rfm(&batch, Returns::Net, how).segment(&[batch]).unwrap();
        let in_order = run(shape, &events, Returns::Net, how);
        prop_assert_eq!(scored.record_batch(), in_order.record_batch());
    }

    #[test]
    fn relabelling_that_keeps_the_order_of_users_keeps_the_rest(events in events(), how in how()) {
        let relabelled: Vec<_> =
            events.iter().map(|event| Event { user: event.user.map(|user| 1_000 + 7 * user), ..*event }).collect();
        let (one, other) =
            (run(Shape::FULL, &events, Returns::Net, how), run(Shape::FULL, &relabelled, Returns::Net, how));
        let columns: Vec<usize> = (1..8).collect();
        prop_assert_eq!(
            one.record_batch().project(&columns).unwrap(),
            other.record_batch().project(&columns).unwrap()
        );
    }

    /// A window is the same analysis of the events in it; who bought only before it is counted.
    #[test]
    fn a_window_leaves_out_what_lies_before_it(
        events in events(),
        shape in shape(),
        how in how(),
        returns in returns(),
        from in (-8i64..5, -1i64..2).prop_map(|(day, off)| day * MICROS_PER_DAY + off),
    ) {
        let sorted = shape.sorted(&events);
        let rfm = rfm(&sorted, returns, how).with_from(Timestamp::from_micros(from)).unwrap();
        let scored = rfm.segment(&[sorted]).unwrap();
        let inside: Vec<_> = events.iter().filter(|event| event.time >= from).cloned().collect();
        prop_assert_eq!(&rows(scored.record_batch()), &oracle(AS_OF, returns, how, shape, &inside));
        let buyers = |inside: bool| -> BTreeSet<i64> {
            let bought = events.iter().filter(|event| TYPES[event.kind as usize] == "purchase" && event.time < AS_OF);
            bought.filter(|event| (event.time >= from) == inside).filter_map(|event| event.user).collect()
        };
        prop_assert_eq!(scored.customers_before(), buyers(false).difference(&buyers(true)).count() as u64);
        let window = rfm.with_window(Duration::from_micros(AS_OF.abs_diff(from))).unwrap();
        let again = window.segment(&[shape.sorted(&events)]).unwrap();
        prop_assert_eq!(again.record_batch(), scored.record_batch());
    }

    /// Weights add a column, and change no other.
    #[test]
    fn weights_add_one_score(events in events(), shape in shape(), how in how(), terms in [0u32..9, 0u32..9, 1u32..9]) {
        let sorted = shape.sorted(&events);
        let rfm = rfm(&sorted, Returns::Net, how);
        let plain = rfm.segment(std::slice::from_ref(&sorted)).unwrap();
        prop_assert!(plain.scores().is_none());
        let weighted = rfm.with_weights(Weights::new(terms[0], terms[1], terms[2]).unwrap()).segment(&[sorted]).unwrap();
        let (batch, columns) = (weighted.record_batch(), (0..8).collect::<Vec<_>>());
        prop_assert_eq!(&batch.project(&columns).unwrap(), plain.record_batch());
        let schema = shape.batch(&[]).schema().clone();
        prop_assert_eq!(
            batch.schema(),
            table::weighted_rfm_segments(schema.user_type().unwrap(), schema.money_scale().unwrap())
        );
        let mean = |scores: [u8; 3]| {
            let sum: u32 = terms.iter().zip(scores).map(|(term, score)| term * u32::from(score)).sum();
            f64::from(sum) / f64::from(terms.iter().sum::<u32>())
        };
        let expected: Vec<f64> = rows(batch).iter().map(|row| mean(row.scores)).collect();
        prop_assert_eq!(weighted.scores(), Some(expected.as_slice()));
        for of in weighted.summary().unwrap() {
            let own = || weighted.segments().zip(&expected).filter(|(name, _)| *name == of.segment).map(|(_, score)| *score);
            prop_assert_eq!(of.average_score, (of.customers > 0).then(|| own().sum::<f64>() / own().count() as f64));
        }
    }

    #[test]
    fn summaries_add_up_to_the_table(events in events(), shape in shape(), returns in returns()) {
        let scored = run(shape, &events, returns, How::Default);
        let rows = rows(scored.record_batch());
        let summary = scored.summary().unwrap();
        prop_assert_eq!(summary.iter().map(|of| of.segment.as_str()).collect::<Vec<_>>(), Segment::ALL.map(Segment::name));
        let revenue: i128 = rows.iter().map(|row| row.monetary).sum();
        for of in &summary {
            let members: Vec<_> = rows.iter().filter(|row| row.segment == of.segment).collect();
            let count = members.len() as f64;
            let money: i128 = members.iter().map(|row| row.monetary).sum();
            let days: i32 = members.iter().map(|row| row.recency_days).sum();
            let orders: i64 = members.iter().map(|row| row.frequency).sum();
            let mean = |total: f64| (!members.is_empty()).then(|| total / count);
            prop_assert_eq!((of.customers, of.revenue), (members.len() as u64, money));
            prop_assert_eq!(of.share, (!rows.is_empty()).then(|| count / rows.len() as f64));
            prop_assert_eq!(of.revenue_share, (revenue > 0).then(|| money as f64 / revenue as f64));
            prop_assert_eq!(of.average_recency_days, mean(f64::from(days)));
            prop_assert_eq!(of.average_frequency, mean(orders as f64));
            prop_assert_eq!(of.average_monetary, mean(money as f64).map(|cents| cents / 100.0));
        }
    }
}
