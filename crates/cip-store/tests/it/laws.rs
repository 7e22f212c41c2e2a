//! What holds for any store and any scan of it.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::Array;
use cip_core::{EventBatch, Id, IdType, MemoryBudget, TimeRange, Timestamp};
use cip_store::{EventLayout, EventStore, StoredTimes, UserSet};
use proptest::prelude::*;

use crate::{ALL, Event, Extras, batch, event, read, schema, text_id, write};

/// Sorted events, few users of many events among them, cut into row groups anywhere.
fn groups() -> impl Strategy<Value = Vec<Vec<Event>>> {
    let events = proptest::collection::vec((proptest::option::weighted(0.9, -4i64..6), -50i64..50), 1..120);
    (events, proptest::collection::vec(any::<proptest::sample::Index>(), 0..8)).prop_map(
        move |(events, cuts)| {
            let mut events: Vec<Event> = events
                .into_iter()
                .enumerate()
                .map(|(row, (user, time))| event(user, time, row as i64))
                .collect();
            events.sort();
            let mut cuts: BTreeSet<usize> = cuts.iter().map(|cut| cut.index(events.len())).collect();
            cuts.insert(0);
            cuts.insert(events.len());
            let cuts: Vec<usize> = cuts.into_iter().collect();
            cuts.windows(2).map(|cut| events[cut[0]..cut[1]].to_vec()).collect()
        },
    )
}

fn users() -> impl Strategy<Value = IdType> {
    prop_oneof![Just(IdType::Int64), Just(IdType::Utf8)]
}

fn layouts() -> impl Strategy<Value = EventLayout> {
    prop_oneof![Just(EventLayout::Plain), Just(EventLayout::Compact)]
}

fn store(users: IdType, layout: EventLayout, groups: &[Vec<Event>]) -> (tempfile::TempDir, EventStore) {
    let folder = tempfile::tempdir().unwrap();
    let batches: Vec<EventBatch> = groups.iter().map(|group| batch(users, group)).collect();
    let store = write(&folder.path().join("store"), users, &batches, &Extras { layout, ..Extras::default() })
        .unwrap();
    (folder, store)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn partitions_cover_every_row_once_and_share_no_user(users in users(), layout in layouts(), groups in groups()) {
        let (_folder, store) = store(users, layout, &groups);
        let all = groups.concat();
        let parts = read(&store.scan(&ALL));
        prop_assert_eq!(parts.concat(), all.clone(), "every row, once, in order");

        let mut home: BTreeMap<Option<i64>, usize> = BTreeMap::new();
        for (part, events) in parts.iter().enumerate() {
            for event in events {
                prop_assert_eq!(*home.entry(event.user()).or_insert(part), part, "a user is in one partition");
            }
        }
        let rows: u64 = store.scan(&ALL).partitions().iter().map(|partition| partition.rows()).sum();
        prop_assert_eq!(rows, all.len() as u64);

        let commit = &store.manifest().commits[0];
        let distinct: BTreeSet<_> = all.iter().filter_map(Event::user).collect();
        prop_assert_eq!(commit.users, distinct.len() as u64);
        prop_assert_eq!(commit.events_without_user, all.iter().filter(|event| event.unknown).count() as u64);
        let times = all.iter().map(|event| event.time);
        prop_assert_eq!(store.manifest().time_span(), Some([times.clone().min().unwrap(), times.max().unwrap()]));
        store.verify().unwrap();
    }

    #[test]
    fn whole_seconds_and_offers_come_back(users in users(), groups in groups(), fraction in 0i64..2) {
        let seconds: Vec<Vec<Event>> = (groups.iter())
            .map(|group| group.iter().map(|event| Event { time: event.time * 1_000_000, ..event.clone() }).collect())
            .collect();
        let mut all = seconds.clone();
        // One time that is no whole second, at the end of its user.
        let last = all.last_mut().and_then(|group| group.last_mut()).unwrap();
        last.time += fraction;
        let (_folder, store) = store(users, EventLayout::Compact, &all);
        prop_assert_eq!(read(&store.scan(&ALL)).concat(), all.concat());
        let compact = store.manifest().commits[0].compact.clone().unwrap();
        let whole = if fraction == 0 { StoredTimes::Seconds } else { StoredTimes::Microseconds };
        prop_assert_eq!(compact.times, whole);
        // Every row is an offer of its own.
        prop_assert_eq!(compact.offers.unwrap().rows, all.concat().len() as u64);
    }

    #[test]
    fn filters_equal_filtering_by_hand(
        users in users(),
        layout in layouts(),
        groups in groups(),
        start in -60i64..60,
        length in 0i64..80,
        wanted in -5i64..7,
        several in proptest::collection::vec(-5i64..7, 0..5),
        columns in proptest::sample::subsequence(ALL.to_vec(), 0..=ALL.len()),
    ) {
        let (_folder, store) = store(users, layout, &groups);
        let id = match users {
            IdType::Int64 => Id::Int64(wanted),
            IdType::Utf8 => Id::Utf8(text_id(wanted).into()),
        };
        let range =
            TimeRange::new(Timestamp::from_micros(start), Timestamp::from_micros(start + length)).unwrap();
        let in_time = |event: &Event| start <= event.time && event.time < start + length;
        let of_user = |event: &Event| event.user() == Some(wanted);
        let by_hand = |keep: &dyn Fn(&Event) -> bool| -> Vec<Event> {
            groups.iter().flatten().filter(|event| keep(event)).cloned().collect()
        };

        let scan = store.scan(&ALL);
        prop_assert_eq!(read(&scan.clone().with_time_range(range)).concat(), by_hand(&in_time));
        prop_assert_eq!(read(&scan.clone().with_user(id.clone())).concat(), by_hand(&of_user));
        let both = scan.clone().with_time_range(range).with_user(id.clone());
        prop_assert_eq!(read(&both).concat(), by_hand(&|event| in_time(event) && of_user(event)));
        prop_assert_eq!(read(&scan.clone().with_time_range(TimeRange::ALL)), read(&scan));
        let of_users = |event: &Event| event.user().is_some_and(|user| several.contains(&user));
        let set: UserSet = several
            .iter()
            .map(|&user| match users {
                IdType::Int64 => Id::Int64(user),
                IdType::Utf8 => Id::Utf8(text_id(user).into()),
            })
            .collect();
        let theirs = scan.clone().with_users(set);
        prop_assert_eq!(read(&theirs).concat(), by_hand(&of_users));
        let read_rows: u64 = theirs.partitions().iter().map(|partition| partition.rows()).sum();
        prop_assert_eq!(theirs.rows(), read_rows);
        prop_assert!(theirs.rows() <= scan.rows());
        prop_assert_eq!(read(&scan.clone().with_commits_from(0)), read(&scan));
        prop_assert!(read(&scan.clone().with_commits_from(1)).is_empty());
        // Pruned row groups leave no user in two partitions either.
        let mut home = BTreeMap::new();
        for (part, events) in read(&scan.clone().with_time_range(range)).iter().enumerate() {
            for event in events {
                prop_assert_eq!(*home.entry(event.user()).or_insert(part), part);
            }
        }

        // A narrow scan has its own columns and no others, whatever the filters read.
        let narrow = store.scan(&columns).with_time_range(range).with_user(id);
        let mut rows = 0;
        for partition in narrow.partitions() {
            for batch in partition.batches().unwrap() {
                let batch = batch.unwrap();
                let schema = batch.record_batch().schema();
                let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                prop_assert_eq!(&names, &columns);
                rows += batch.len();
            }
        }
        prop_assert_eq!(rows, by_hand(&|event| in_time(event) && of_user(event)).len());
    }

    #[test]
    fn session_ids_come_back_and_are_counted_alike_in_any_memory(
        ids in proptest::collection::vec((any::<[u8; 16]>(), 0u8..4), 1..60),
        budget in 1u64..4_000,
    ) {
        // Some ids are shared by several users: one code each, and one session.
        let mut sessions = Vec::new();
        for (uuid, users) in &ids {
            for user in 0..=i64::from(*users) {
                sessions.push((sessions.len() as u32, *uuid, user));
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let events = batch(IdType::Int64, &[event(Some(1), 0, 0)]);
        let extras = Extras { sessions: sessions.clone(), ..Extras::default() };
        let store = write(&folder.path().join("store"), IdType::Int64, &[events], &extras).unwrap();

        let mut found = Vec::new();
        for table in store.session_dictionary().unwrap().unwrap() {
            use arrow_array::cast::AsArray;
            use arrow_array::types::{Int64Type, UInt32Type};
            let table = table.unwrap();
            let schema = table.schema();
            let extension = schema.field(1).extension_type_name();
            prop_assert_eq!(extension, Some("arrow.uuid"));
            for row in 0..table.num_rows() {
                found.push((
                    table.column(0).as_primitive::<UInt32Type>().value(row),
                    <[u8; 16]>::try_from(table.column(1).as_fixed_size_binary().value(row)).unwrap(),
                    table.column(2).as_primitive::<Int64Type>().value(row),
                ));
            }
        }
        prop_assert_eq!(found, sessions.clone());

        let large = store.statistics(MemoryBudget::from_mib(64)).unwrap();
        let tiny = store.statistics(MemoryBudget::from_bytes(budget)).unwrap();
        prop_assert_eq!(&large, &tiny);
        let distinct: BTreeSet<_> = ids.iter().map(|(uuid, _)| uuid).collect();
        prop_assert_eq!(large.source_sessions, distinct.len() as u64);
        prop_assert_eq!(large.session_codes, sessions.len() as u64);
        let by_column: u64 = large.columns.iter().map(|column| column.bytes).sum();
        prop_assert!(by_column <= large.bytes);
    }

    /// Slices, and dictionaries whose codes stand in another order, are the same events.
    #[test]
    fn how_a_batch_lies_in_memory_does_not_matter(users in users(), layout in layouts(), groups in groups()) {
        let all = groups.concat();
        let whole = batch(users, &all);
        let mut offset = 0;
        let slices: Vec<EventBatch> = groups
            .iter()
            .map(|group| {
                offset += group.len();
                whole.slice(offset - group.len(), group.len())
            })
            .collect();
        let (_a, plain) = store(users, layout, &groups);
        let folder = tempfile::tempdir().unwrap();
        let sliced = write(&folder.path().join("store"), users, &slices, &Extras::default()).unwrap();
        prop_assert_eq!(read(&sliced.scan(&ALL)), read(&plain.scan(&ALL)));
        prop_assert_eq!(sliced.schema(), &schema(users));
    }
}

#[test]
fn a_user_who_spans_row_groups_stays_in_one_partition() {
    let user = |user: i64, rows: std::ops::Range<i64>| rows.map(move |row| event(Some(user), row, row));
    let groups: Vec<Vec<Event>> = vec![
        user(1, 0..3).chain(user(2, 3..5)).collect(),
        user(2, 5..9).collect(),
        user(2, 9..10).chain(user(3, 10..12)).collect(),
        user(4, 12..20).collect(),
    ];
    let (_folder, store) = store(IdType::Int64, EventLayout::Plain, &groups);
    let parts = read(&store.scan(&ALL));
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [12, 8]);
    // The middle of the user is pruned; its two ends still are together.
    let ends = TimeRange::new(Timestamp::from_micros(9), Timestamp::from_micros(99)).unwrap();
    let parts = read(&store.scan(&ALL).with_time_range(ends));
    assert_eq!(parts.concat().len(), 11);
}

/// More row groups than one file holds.
#[test]
fn a_user_who_spans_files_stays_in_one_partition() {
    let groups: Vec<Vec<Event>> =
        (0..70).map(|row| vec![event(Some(if row < 20 { row } else { 20 }), row, row)]).collect();
    let (_folder, store) = store(IdType::Int64, EventLayout::Plain, &groups);
    assert_eq!(store.manifest().commits[0].events.len(), 3);
    assert_eq!(store.manifest().commits[0].users, 21);
    let parts = read(&store.scan(&ALL));
    assert_eq!((parts.len(), parts[20].len()), (21, 50));
    assert_eq!(parts.concat(), groups.concat());
}

#[test]
fn columns_that_the_store_lacks_are_left_out() {
    let (_folder, store) =
        store(IdType::Int64, EventLayout::Plain, &[vec![event(Some(1), 0, 0), event(None, 0, 1)]]);
    let scan = store.scan(&["brand", "event_time", "colour"]);
    assert_eq!(scan.schema().arrow().fields().len(), 1);
    let batch = scan.partitions()[0].batches().unwrap().next().unwrap().unwrap();
    assert_eq!((batch.len(), batch.record_batch().num_columns()), (2, 1));
    assert!(batch.times().unwrap().null_count() == 0 && batch.users().is_err());
    // No column at all still counts the rows.
    let rows: usize =
        store.scan(&[]).partitions()[0].batches().unwrap().map(|batch| batch.unwrap().len()).sum();
    assert_eq!(rows, 2);
}

#[test]
fn a_store_without_events_is_a_store() {
    let (_folder, store) = store(IdType::Utf8, EventLayout::Compact, &[]);
    assert!(store.scan(&ALL).partitions().is_empty());
    assert_eq!(store.manifest().time_span(), None);
    let statistics = store.statistics(MemoryBudget::from_mib(1)).unwrap();
    assert_eq!((statistics.events, statistics.users, statistics.source_sessions), (0, 0, 0));
    store.verify().unwrap();
}
