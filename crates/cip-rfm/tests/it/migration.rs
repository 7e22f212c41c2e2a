//! Moves between segments against a plain oracle.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use cip_core::{CoreError, MICROS_PER_DAY, Timestamp, table};
use cip_rfm::{Migration, Rfm, RfmError, RfmTable, SegmentedCustomers};
use proptest::prelude::*;

use crate::events::{Event, PURCHASE, Shape};

fn scored(day: i64, events: &[Event]) -> RfmTable {
    let sorted = Shape::FULL.sorted(events);
    let rfm = Rfm::new(Timestamp::from_micros(day * MICROS_PER_DAY), sorted.schema()).unwrap();
    rfm.segment(&[sorted]).unwrap()
}

fn customers(batches: impl IntoIterator<Item = RecordBatch>) -> SegmentedCustomers {
    SegmentedCustomers::try_new(batches).unwrap()
}

/// User to segment and money.
fn facts(table: &RfmTable) -> BTreeMap<i64, (String, i128)> {
    let users = cip_core::IdColumn::try_new("user_id", table.record_batch().column(0)).unwrap();
    let user = |row| match users.get(row).unwrap() {
        cip_core::IdRef::Int64(user) => user,
        cip_core::IdRef::Utf8(text) => text.parse().unwrap(),
    };
    let facts = table.segments().zip(table.monetary()).enumerate();
    facts.map(|(row, (segment, &money))| (user(row), (segment.to_owned(), money))).collect()
}

proptest! {
    #[test]
    fn the_matrix_equals_the_oracle(
        purchases in proptest::collection::vec((0i64..30, 0i64..40, 1i64..900), 0..150),
        cut in 0usize..40,
        forgotten in 0i64..30,
    ) {
        let event = |(user, day, cents): &(i64, i64, i64)| Event { price: Some(*cents), ..Event::on(*day, *user, PURCHASE) };
        let events: Vec<Event> = purchases.iter().map(event).collect();
        let before = scored(20, &events);
        // Somebody of before is not there after.
        let later: Vec<Event> = events.iter().filter(|event| event.user != Some(forgotten)).cloned().collect();
        let after = scored(40, &later);
        let batch = before.record_batch();
        let cut = cut.min(batch.num_rows());
        let parts = [batch.slice(0, cut), batch.slice(cut, batch.num_rows() - cut)];
        let migration = Migration::new(&customers(parts), &customers([after.record_batch().clone()])).unwrap();

        let (old, new) = (facts(&before), facts(&after));
        let mut expected: BTreeMap<[Option<String>; 2], (u64, i128, i128)> = BTreeMap::new();
        let mut fallen = 0;
        let mut all: Vec<_> = old.keys().chain(new.keys()).collect();
        all.sort();
        all.dedup();
        for user in all {
            let (was, is) = (old.get(user), new.get(user));
            let entry = expected.entry([was, is].map(|of| of.map(|of| of.0.clone()))).or_default();
            entry.0 += 1;
            entry.1 += was.map_or(0, |was| was.1);
            entry.2 += is.map_or(0, |is| is.1);
            let champion = |of: Option<&(String, i128)>| of.is_some_and(|of| of.0 == "Champions");
            fallen += usize::from(champion(was) && !champion(is));
        }
        let found: BTreeMap<_, _> = migration
            .moves()
            .iter()
            .map(|of| ([of.from.clone(), of.to.clone()], (of.customers, of.revenue_before, of.revenue_after)))
            .collect();
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(found.len(), migration.moves().len());
        prop_assert_eq!(migration.fallen().len(), fallen);
        prop_assert!(migration.fallen().is_sorted_by(|a, b| a.monetary >= b.monetary));
        let batch = migration.record_batch().unwrap();
        prop_assert_eq!((batch.num_rows(), batch.schema()), (found.len(), table::segment_migration(before.money_scale())));
        // Of each segment all go somewhere.
        let mut shares: BTreeMap<Option<String>, f64> = BTreeMap::new();
        for of in migration.moves() {
            *shares.entry(of.from.clone()).or_default() += of.share;
        }
        prop_assert!(shares.values().all(|sum| (sum - 1.0).abs() < 1e-12));
    }
}

#[test]
fn nobody_moves_between_a_table_and_itself_or_out_of_nothing() {
    let events: Vec<_> = (0..25)
        .flat_map(|user| (0..=user % 6).map(move |day| Event::on(day + user % 7, user, PURCHASE)))
        .collect();
    let table = customers([scored(20, &events).record_batch().clone()]);
    let migration = Migration::new(&table, &table).unwrap();
    assert!(migration.moves().iter().all(|of| of.from == of.to && of.share == 1.0));
    assert!(migration.fallen().is_empty());
    let nobody = customers([]);
    assert_eq!(Migration::new(&nobody, &nobody).unwrap().moves(), []);
    let gone = Migration::new(&table, &nobody).unwrap();
    assert!(gone.moves().iter().all(|of| of.to.is_none()));
    assert!(!gone.fallen().is_empty() && gone.fallen()[0].to.is_none());
}

#[test]
fn tables_that_are_none_of_segments_are_refused() {
    let table = scored(20, &[Event::on(1, 1, PURCHASE), Event::on(1, 2, PURCHASE)]);
    let batch = table.record_batch();
    let twice = SegmentedCustomers::try_new([batch.clone(), batch.clone()]).unwrap_err();
    assert!(matches!(twice, RfmError::Core(CoreError::NotSorted { row: 2 })), "{twice}");
    let narrow = batch.project(&[0, 7]).unwrap();
    let error = SegmentedCustomers::try_new([narrow]).unwrap_err().to_string();
    assert!(error.starts_with("column `monetary` is missing"), "{error}");
    let renamed = RecordBatch::try_from_iter([
        ("user_id", batch.column(0).clone()),
        ("segment", batch.column(1).clone()),
        ("monetary", batch.column(3).clone()),
    ]);
    let error = SegmentedCustomers::try_new([renamed.unwrap()]).unwrap_err().to_string();
    assert!(
        error.starts_with("column `segment` is Int32, expected Dictionary(Int32, Utf8) or Utf8"),
        "{error}"
    );
    let text = Shape { text_users: true, ..Shape::FULL }.sorted(&[Event::on(1, 1, PURCHASE)]);
    let rfm = Rfm::new(Timestamp::from_micros(MICROS_PER_DAY * 9), text.schema()).unwrap();
    let text = customers([rfm.segment(&[text]).unwrap().record_batch().clone()]);
    assert!(matches!(Migration::new(&text, &customers([batch.clone()])), Err(RfmError::PartsDiffer)));
    assert_eq!(Migration::new(&text, &customers([])).unwrap().moves()[0].customers, 1);
}
