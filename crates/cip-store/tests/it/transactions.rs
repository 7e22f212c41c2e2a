//! Transactions that lie beside all events: the same rows, in the same order, through every filter.

use cip_core::{Id, IdType, TimeRange, Timestamp};
use cip_store::{EventLayout, EventStore};
use proptest::prelude::*;

use crate::{ALL, Event, Extras, KINDS, batch, event, read, write};

fn kind(name: &str) -> usize {
    KINDS.iter().position(|&kind| kind == name).unwrap()
}

/// Row groups of sorted events, of which one in `one_of` is a purchase.
fn groups(users: &[i64], rows: usize, one_of: usize) -> Vec<Vec<Event>> {
    let mut events: Vec<Event> = users
        .iter()
        .zip(0..)
        .map(|(&user, row)| Event {
            kind: kind(if (row as usize).is_multiple_of(one_of) { "purchase" } else { "view" }),
            ..event((user < 9).then_some(user), row % 50, row)
        })
        .collect();
    events.sort();
    events.chunks(rows).map(<[Event]>::to_vec).collect()
}

fn store(users: IdType, groups: &[Vec<Event>]) -> (tempfile::TempDir, EventStore) {
    let folder = tempfile::tempdir().unwrap();
    let batches: Vec<_> = groups.iter().map(|group| batch(users, group)).collect();
    // Transactions are whole in either layout.
    let layout = if users == IdType::Utf8 { EventLayout::Compact } else { EventLayout::Plain };
    let store = write(&folder.path().join("store"), users, &batches, &Extras { layout, ..Extras::default() })
        .unwrap();
    (folder, store)
}

fn purchases(events: &[Event]) -> Vec<Event> {
    events.iter().filter(|event| event.kind == kind("purchase")).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_scan_of_transactions_equals_filtering_by_hand(
        users in proptest::collection::vec(0i64..10, 1..300),
        rows in 1usize..90,
        one_of in 1usize..20,
        text: bool,
        start in -5i64..55,
        length in 0i64..60,
    ) {
        let id_type = if text { IdType::Utf8 } else { IdType::Int64 };
        let groups = groups(&users, rows, one_of);
        let (_folder, store) = store(id_type, &groups);
        let all = groups.concat();
        let theirs = purchases(&all);
        let scan = store.scan_transactions(&ALL);
        prop_assert_eq!(read(&scan).concat(), theirs.clone());
        store.verify().unwrap();

        let few = groups.len() > 1 && theirs.len() * 8 <= all.len();
        let kept = &store.manifest().commits[0].transactions;
        prop_assert_eq!(kept.as_ref().map(|kept| kept.file.rows), few.then_some(theirs.len() as u64));
        prop_assert_eq!(scan.rows(), if few { theirs.len() } else { all.len() } as u64);
        prop_assert_eq!(few, store.path().join("commits/000001/transactions.parquet").exists());

        let range =
            TimeRange::new(Timestamp::from_micros(start), Timestamp::from_micros(start + length)).unwrap();
        let in_time = |event: &Event| start <= event.time && event.time < start + length;
        let by_hand = |keep: &dyn Fn(&Event) -> bool| -> Vec<Event> {
            theirs.iter().filter(|event| keep(event)).cloned().collect()
        };
        prop_assert_eq!(read(&scan.clone().with_time_range(range)).concat(), by_hand(&in_time));
        let user = match id_type {
            IdType::Int64 => Id::Int64(3),
            IdType::Utf8 => Id::Utf8(crate::text_id(3).into()),
        };
        let of_user = |event: &Event| !event.unknown && event.user == 3;
        prop_assert_eq!(read(&scan.with_user(user)).concat(), by_hand(&of_user));

        // The types of events are read for the filter, and not shown.
        let narrow = store.scan_transactions(&["event_time"]);
        let mut times = Vec::new();
        for partition in narrow.partitions() {
            for events in partition.batches().unwrap() {
                let events = events.unwrap();
                prop_assert_eq!(events.record_batch().num_columns(), 1);
                times.extend_from_slice(events.times().unwrap().values());
            }
        }
        prop_assert_eq!(times, theirs.iter().map(|event| event.time).collect::<Vec<_>>());
    }
}

#[test]
fn many_transactions_are_several_row_groups_that_share_no_user_between_partitions() {
    // One in ten of 400,000: more than a row group of them, and a user whose purchases go on in the next.
    let users: Vec<i64> = (0..400_000).map(|row| row / 60_000).collect();
    let groups = groups(&users, 131_072, 10);
    let (_folder, store) = store(IdType::Int64, &groups);
    let kept = store.manifest().commits[0].transactions.clone().unwrap();
    assert_eq!((kept.file.rows, kept.row_groups.len()), (40_000, 2));
    let parts = read(&store.scan_transactions(&ALL));
    assert_eq!(parts.concat(), purchases(&groups.concat()));
    for pair in parts.windows(2) {
        assert_ne!(pair[0].last().unwrap().user, pair[1][0].user);
    }
}
