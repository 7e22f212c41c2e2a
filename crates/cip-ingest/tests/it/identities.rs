//! Aliases: users who are known by several ids are one user, as if the source had said so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cip_core::{Id, IdRef, IdType, MemoryBudget};
use cip_ingest::{
    ChangedFiles, Compaction, CompactionOutcome, Contract, Erasure, Ingest, IngestError, SourceMapping,
};
use cip_store::{AliasTable, EventStore, StoreError, read_table};
use proptest::prelude::*;

use crate::tags::checkout;
use crate::{bytes_of, layouts, threads};

/// Users as integers, or as texts of the same digits.
fn mapping(users: &str) -> SourceMapping {
    SourceMapping::from_toml(&format!(
        "name = 'app'\n[columns]\nevent_time = {{ from = 't', type = 'timestamp' }}\n\
         event_type = {{ from = 'e', type = 'dictionary' }}\n\
         user_id = {{ from = 'u', type = '{users}', nullable = true }}\n\
         product_id = {{ from = 'p', type = 'int64' }}\n\
         price = {{ from = 'p', type = 'money', scale = 2 }}\n\
         source_session = {{ from = 's', type = 'uuid', nullable = true }}\n"
    ))
    .unwrap()
}

fn id_type(users: &str) -> IdType {
    if users == "int64" { IdType::Int64 } else { IdType::Utf8 }
}

fn id(id_type: IdType, number: u32) -> Id {
    match id_type {
        IdType::Int64 => Id::Int64(number.into()),
        IdType::Utf8 => Id::Utf8(number.to_string().into()),
    }
}

/// A record: second, user, product, session; some cannot be read.
#[derive(Debug, Clone)]
struct Record {
    second: u32,
    user: Option<u32>,
    product: u32,
    session: u32,
    broken: bool,
}

const IDS: u32 = 8;

fn record() -> impl Strategy<Value = Record> {
    (0u32..50, proptest::option::weighted(0.9, 0..IDS), 0u32..5, 0u32..4, proptest::bool::weighted(0.1))
        .prop_map(|(second, user, product, session, broken)| Record {
            second,
            user,
            product,
            session,
            broken,
        })
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    proptest::collection::vec(record(), 0..25)
}

/// Aliases without cycles: each id has a user that is greater.
fn aliases() -> impl Strategy<Value = BTreeMap<u32, u32>> {
    proptest::collection::btree_map(0..IDS - 1, 1..IDS, 0..6)
        .prop_map(|pairs| pairs.into_iter().filter(|(alias, user)| alias < user).collect())
}

fn table(id_type: IdType, pairs: &BTreeMap<u32, u32>) -> AliasTable {
    AliasTable::new(id_type, pairs.iter().map(|(&alias, &user)| (id(id_type, alias), id(id_type, user))))
        .unwrap()
}

/// Who an id is in the end, by the definition.
fn user_of(pairs: &BTreeMap<u32, u32>, mut id: u32) -> u32 {
    while let Some(&user) = pairs.get(&id) {
        id = user;
    }
    id
}

/// Writes a file of a day, with each id as `name` has it.
fn write_day(folder: &Path, day: usize, records: &[Record], name: impl Fn(u32) -> u32) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let mut text = "t,e,u,p,s\n".to_owned();
    let own = Record { second: 0, user: Some(IDS + day as u32), product: 9, session: 0, broken: false };
    for Record { second, user, product, session, broken } in records.iter().chain([&own]) {
        let user = user.map_or_else(String::new, |user| name(user).to_string());
        let session = if *session == 0 {
            String::new()
        } else {
            format!("72d76fde-8bb3-4e00-8c23-a032dfed73{session:02}")
        };
        let time = if *broken { "never".to_owned() } else { format!("2019-10-01 00:00:{second:02}") };
        text.push_str(&format!("{time},view,{user},{product},{session}\n"));
    }
    let file = folder.join(format!("day-{day}.csv"));
    std::fs::write(&file, text).unwrap();
    file
}

/// The files of a store but those that say what its sources were, and the rejects, which are kept as they came.
fn but_sources(store: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let other = |name: &str| ["manifest.json", "rejects.parquet", "aliases.parquet"].contains(&name);
    let mut files = bytes_of(store);
    files.retain(|path, _| !path.file_name().and_then(|name| name.to_str()).is_some_and(other));
    files
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn an_ingest_with_aliases_is_one_of_a_source_that_names_the_users(
        days in proptest::collection::vec((records(), 0usize..3), 1..4),
        pairs in aliases(),
        later in aliases(),
        users in proptest::sample::select(vec!["int64", "utf8"]),
        workers in 1usize..4,
        tag: bool,
        contracted: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let id_type = id_type(users);
        let plain = Ingest::new(mapping(users));
        let plain = if tag { plain.with_experiment(checkout()) } else { plain };
        let once = "name = 'once'\n[[expectations]]\nname = 'once'\nexpect = 'unique'\ncolumns = ['user_id', 'event_time']\naction = 'drop'\n";
        let plain = if contracted { plain.with_contract(Contract::from_toml(once).unwrap()) } else { plain };
        let stitching = plain.clone().with_aliases(table(id_type, &pairs)).with_threads(threads(workers));

        let mut named: Vec<(PathBuf, PathBuf, usize)> = Vec::new();
        for (day, (records, commit)) in days.iter().enumerate() {
            let own = write_day(&at("days"), day, records, |id| id);
            let users = write_day(&at("users"), day, records, |id| user_of(&pairs, id));
            named.push((own, users, *commit));
        }
        let all: Vec<PathBuf> = named.iter().map(|(own, _, _)| own.clone()).collect();
        let replaced: Vec<PathBuf> = named.iter().map(|(_, users, _)| users.clone()).collect();
        let (stitched, report) = stitching.run(&all, &at("stitched"), &mut |_| ()).unwrap();
        plain.run(&replaced, &at("plain"), &mut |_| ()).unwrap();
        prop_assert!(but_sources(&at("stitched")) == but_sources(&at("plain")), "the events differ");
        if !contracted {
            let good = days.iter().flat_map(|(records, _)| records).filter(|record| !record.broken);
            let aliased = good.filter_map(|record| record.user).filter(|user| pairs.contains_key(user));
            prop_assert_eq!(report.stitched, aliased.count() as u64);
        }
        if pairs.is_empty() {
            prop_assert!(stitched.aliases().unwrap().is_none_or(|known| known.is_empty()));
        } else {
            prop_assert_eq!(stitched.aliases().unwrap(), Some(table(id_type, &pairs)));
        }

        // Commits, of which each may bring more aliases, know them all.
        let mut known = BTreeMap::new();
        for commit in 0..3 {
            let files: Vec<PathBuf> =
                named.iter().filter(|(_, _, of)| *of == commit).map(|(own, _, _)| own.clone()).collect();
            let mut ingest = plain.clone();
            let given = [Some(&pairs), None, Some(&later)][commit];
            let mut both = known.clone();
            both.extend(given.into_iter().flatten());
            let disagree = given.into_iter().flatten().any(|(alias, user)| known.get(alias).is_some_and(|had| had != user));
            if let Some(given) = given {
                ingest = ingest.with_aliases(table(id_type, given));
            }
            if files.is_empty() {
                continue;
            }
            match ingest.append(&files, &at("commits"), &mut |_| ()) {
                Ok((store, _)) => {
                    prop_assert!(!disagree);
                    known = both;
                    let kept = store.aliases().unwrap().map_or(0, |table| table.len());
                    prop_assert_eq!(kept, known.len());
                    let aliases = table(id_type, &known);
                    // In the commit just written nobody is an alias.
                    for span in store.manifest().commits.last().unwrap().events.iter().flat_map(|file| &file.row_groups) {
                        for user in span.users.iter().flatten() {
                            prop_assert_eq!(aliases.user(user.as_ref()), None);
                        }
                    }
                }
                Err(IngestError::Store(StoreError::AliasOfTwo { .. })) => prop_assert!(disagree),
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
    }

    /// But for events of one time and file, whose lines nobody knows any more, it does not matter when an alias becomes known.
    #[test]
    fn a_compaction_with_aliases_is_an_ingest_with_them(
        days in proptest::collection::vec((records(), 0usize..3), 1..4),
        early in aliases(),
        late in aliases(),
        changed in proptest::option::of(records()),
        users in proptest::sample::select(vec!["int64", "utf8"]),
        workers in 1usize..4,
        tag: bool,
        layout in layouts(),
    ) {
        let at_times_of_their_own = |mut records: Vec<Record>| {
            (0..).zip(&mut records).for_each(|(second, record)| record.second = second);
            let third = records.len() / 3;
            records.rotate_left(third);
            records
        };
        let mut days: Vec<(Vec<Record>, usize)> =
            days.into_iter().map(|(records, commit)| (at_times_of_their_own(records), commit)).collect();
        let mut pairs = late.clone();
        pairs.extend(early.clone());
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let id_type = id_type(users);
        let plain = Ingest::new(mapping(users)).with_threads(threads(workers)).with_event_layout(layout);
        let plain = if tag { plain.with_experiment(checkout()) } else { plain };
        let mut files: Vec<PathBuf> = Vec::new();
        for (day, (records, _)) in days.iter().enumerate() {
            files.push(write_day(&at("days"), day, records, |id| id));
        }
        for commit in 0..3 {
            let of_commit: Vec<PathBuf> =
                files.iter().zip(&days).filter(|(_, day)| day.1 == commit).map(|(file, _)| file.clone()).collect();
            // The commit in the middle brings some of the aliases.
            let ingest = if commit == 1 { plain.clone().with_aliases(table(id_type, &early)) } else { plain.clone() };
            if !of_commit.is_empty() {
                ingest.append(&of_commit, &at("store"), &mut |_| ()).unwrap();
            }
        }
        if let Some(changed) = changed {
            days[0].0 = at_times_of_their_own(changed);
            days[0].0.push(Record { second: 49, user: Some(0), product: 1, session: 1, broken: false });
            files[0] = write_day(&at("changed"), 0, &days[0].0, |id| id);
            plain.clone()
                .with_changed_files(ChangedFiles::Replace)
                .append(&files[..1], &at("store"), &mut |_| ())
                .unwrap();
        }
        let compaction = Compaction::new().with_threads(threads(workers)).with_aliases(table(id_type, &pairs));
        compaction.run(&at("store"), &mut |_| ()).unwrap();
        let whole = plain.with_aliases(table(id_type, &pairs));
        whole.run(&files, &at("whole"), &mut |_| ()).unwrap();
        if pairs.is_empty() {
            prop_assert!(but_sources(&at("store")) == but_sources(&at("whole")));
        } else {
            let (found, expected) = (bytes_of(&at("store")), bytes_of(&at("whole")));
            prop_assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            for (name, bytes) in &expected {
                prop_assert!(found[name] == *bytes, "{} differs", name.display());
            }
        }
        // Once more, there is nothing to do.
        let (_, again) = compaction.run(&at("store"), &mut |_| ()).unwrap();
        prop_assert_eq!((again.outcome, again.stitched), (CompactionOutcome::AsItWas, 0));
    }

    #[test]
    fn a_user_is_erased_with_all_aliases(
        records in records(),
        pairs in aliases(),
        forgotten in 0..IDS,
        early: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let plain = Ingest::new(mapping("int64"));
        let first = if early { plain.clone() } else { plain.clone().with_aliases(table(IdType::Int64, &pairs)) };
        first.append(&[write_day(folder.path(), 0, &records, |id| id)], &store, &mut |_| ()).unwrap();
        let later = plain.with_aliases(table(IdType::Int64, &pairs));
        later.append(&[write_day(folder.path(), 1, &records, |id| id)], &store, &mut |_| ()).unwrap();

        let (erased, report) = Erasure::new([forgotten.to_string()]).run(&store).unwrap();
        prop_assert_eq!((report.found(), report.users), (0, 1));
        let person = user_of(&pairs, forgotten);
        let theirs = |id: u32| user_of(&pairs, id) == person;
        let left: BTreeMap<u32, u32> = pairs.iter().filter(|(alias, _)| !theirs(**alias)).map(|(a, b)| (*a, *b)).collect();
        prop_assert_eq!(erased.aliases().unwrap().map_or(0, |known| known.len()), left.len());
        prop_assert_eq!(report.erased("aliases") > 0, left.len() < pairs.len());
        let events = records.iter().filter(|record| !record.broken && !record.user.is_some_and(theirs)).count();
        prop_assert_eq!(erased.manifest().account().events, 2 * (events as u64 + 1));
        for partition in erased.scan(&["user_id"]).partitions() {
            for batch in partition.batches().unwrap() {
                let batch = batch.unwrap();
                for (user, _) in batch.users().unwrap().runs() {
                    let Some(IdRef::Int64(user)) = user else { continue };
                    prop_assert!(user >= i64::from(IDS) || !theirs(user as u32));
                }
            }
        }
        // Their rejected records are gone as well, by whichever id they name them.
        let broken = records.iter().filter(|record| record.broken && !record.user.is_some_and(theirs)).count();
        prop_assert_eq!(erased.manifest().account().rejected(), 2 * broken as u64);
    }
}

#[test]
fn rejects_are_replayed_by_the_aliases_that_the_store_knows() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let records = [
        Record { second: 1, user: Some(1), product: 1, session: 1, broken: false },
        Record { second: 2, user: Some(1), product: 1, session: 1, broken: true },
    ];
    let file = write_day(folder.path(), 0, &records, |id| id);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("never", "20191001")).unwrap();
    let pairs = BTreeMap::from([(1, 2)]);
    let ingest = Ingest::new(mapping("int64")).with_aliases(table(IdType::Int64, &pairs));
    ingest.run(std::slice::from_ref(&file), &store, &mut |_| ()).unwrap();
    let known = std::fs::read(store.join("commits/000001/aliases.parquet")).unwrap();
    let drops = format!(
        "{}\n[[drop]]\nrule = 'late'\ncolumn = 't'\nequals = '20191001'\n",
        toml::to_string(&mapping("int64")).unwrap()
    );
    let (replayed, report) =
        Ingest::new(SourceMapping::from_toml(&drops).unwrap()).replay(&store, &mut |_| ()).unwrap();
    assert_eq!((report.account.dropped(), report.stitched), (1, 0));
    assert_eq!(replayed.aliases().unwrap(), Some(table(IdType::Int64, &pairs)));
    assert_eq!(std::fs::read(store.join("commits/000001/aliases.parquet")).unwrap(), known);
}

#[test]
fn a_replay_takes_no_aliases_that_the_store_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let broken = [Record { second: 1, user: Some(1), product: 1, session: 0, broken: true }];
    let file = write_day(folder.path(), 0, &broken, |id| id);
    Ingest::new(mapping("int64")).run(&[file], &store, &mut |_| ()).unwrap();
    let ingest = Ingest::new(mapping("int64")).with_aliases(table(IdType::Int64, &BTreeMap::from([(1, 2)])));
    let error = ingest.replay(&store, &mut |_| ()).unwrap_err().to_string();
    assert!(error.contains("give them to `cip compact --aliases` first"), "{error}");
}

/// Events of one user, time and file: first the user's own, then those of the aliases by their ids.
#[test]
fn events_of_one_time_have_an_order_that_does_not_depend_on_the_commits() {
    let folder = tempfile::tempdir().unwrap();
    let record = |user, product| Record { second: 5, user: Some(user), product, session: 0, broken: false };
    let file =
        write_day(folder.path(), 0, &[record(2, 1), record(4, 2), record(1, 3), record(2, 4)], |id| id);
    let store = folder.path().join("store");
    Ingest::new(mapping("int64")).run(&[file], &store, &mut |_| ()).unwrap();
    let pairs = BTreeMap::from([(1, 4), (2, 4)]);
    let (compacted, report) =
        Compaction::new().with_aliases(table(IdType::Int64, &pairs)).run(&store, &mut |_| ()).unwrap();
    assert_eq!((report.stitched, report.outcome), (3, CompactionOutcome::Stitched));
    let mut products = Vec::new();
    for partition in compacted.scan(&["product_id"]).partitions() {
        for batch in partition.batches().unwrap() {
            let batch = batch.unwrap();
            let ids = batch.products().unwrap();
            products.extend((0..ids.len()).map(|row| ids.get(row).unwrap().to_string()));
        }
    }
    assert_eq!(products, ["2", "3", "1", "4", "9"]);
}

/// Enough events of aliases to be sorted in several parts, and to fill row groups.
#[test]
fn many_events_of_aliases_are_moved_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    let mut text = "t,e,u,p,s\n".to_owned();
    for row in 0u32..320_000 {
        let (hour, minute, second) = (row / 3_600 % 24, row / 60 % 60, row % 60);
        let (day, user, session) = (row / 86_400 + 1, row * 7_919 % 5_000, row % 97);
        text.push_str(&format!(
            "2019-10-0{day} {hour:02}:{minute:02}:{second:02},view,{user},{},72d76fde-8bb3-4e00-8c23-a032dfed73{session:02}\n",
            row % 50
        ));
    }
    std::fs::write(&file, text).unwrap();
    let pairs = (0..5_000i64).filter(|id| id % 10 != 0).map(|id| (Id::Int64(id), Id::Int64(id / 10 * 10)));
    let aliases = AliasTable::new(IdType::Int64, pairs).unwrap();
    let at = |name: &str| folder.path().join(name);
    let plain = Ingest::new(mapping("int64"));
    plain.run(std::slice::from_ref(&file), &at("store"), &mut |_| ()).unwrap();
    let tight = Compaction::new().with_aliases(aliases.clone()).with_memory(MemoryBudget::from_mib(108));
    let (_, report) = tight.run(&at("store"), &mut |_| ()).unwrap();
    assert_eq!(report.stitched, 288_000);
    plain.with_aliases(aliases).run(&[file], &at("whole"), &mut |_| ()).unwrap();
    assert!(bytes_of(&at("store")) == bytes_of(&at("whole")), "the stores differ");
}

#[test]
fn tables_of_any_kind_are_read_as_ids_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("aliases.csv");
    let read = |text: &str, id_type| {
        std::fs::write(&file, text).unwrap();
        AliasTable::read(&file, id_type)
    };
    let numbers = read("user_id,alias,since\n7,1,x\n7,2,y\n7,2,z\n", IdType::Int64).unwrap();
    assert_eq!((numbers.len(), numbers.user(IdRef::Int64(2))), (2, Some(IdRef::Int64(7))));
    let texts = read("user_id,alias\n7,1\n", IdType::Utf8).unwrap();
    assert_eq!(texts.user(IdRef::Utf8("1")), Some(IdRef::Utf8("7")));
    let written = read("alias,user_id\n007,70\n8,9\n", IdType::Int64).unwrap();
    assert_eq!(written.len(), 2, "what is written as a number is one");
    assert!(read("alias,user_id\n", IdType::Int64).unwrap().is_empty());
    for (text, id_type, expected) in [
        ("alias,user\n1,2\n", IdType::Int64, "has no column `user_id`"),
        (
            "alias,user_id\n1,ann\n",
            IdType::Int64,
            "`ann` in the table of aliases cannot be a user of the store, whose ids are Int64",
        ),
        ("alias,user_id\n1,2\n3,\n", IdType::Int64, "row 2 lacks its `alias` or its `user_id`"),
        (
            "alias,user_id\n1,2\n1,3\n",
            IdType::Int64,
            "`1` is an alias of two users, `2` and `3`: leave one of them",
        ),
        ("alias,user_id\na,a\n", IdType::Utf8, "nobody is the user: `a` -> `a`; take one of them out"),
        ("alias,user_id\na,b\nb,c\nc,b\n", IdType::Utf8, "nobody is the user: `b` -> `c` -> `b`; take"),
        ("alias,user_id\n1.5,2\n", IdType::Int64, "column `alias` is Float64, expected integers or text"),
    ] {
        let error = read(text, id_type).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // A way that is as long as the table takes no longer than the table.
    let chain = (0..200_000i64).map(|id| (Id::Int64(id), Id::Int64(id + 1)));
    let long = AliasTable::new(IdType::Int64, chain.clone()).unwrap();
    assert_eq!(long.user(IdRef::Int64(0)), Some(IdRef::Int64(200_000)));
    let circle = AliasTable::new(IdType::Int64, chain.chain([(Id::Int64(200_000), Id::Int64(0))]));
    assert!(circle.unwrap_err().to_string().contains("`0` -> … (200000 more) -> `0`"));
}

#[test]
fn aliases_that_the_store_cannot_have_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let file = write_day(folder.path(), 0, &[], |id| id);
    let some = table(IdType::Int64, &BTreeMap::from([(1, 2)]));
    let run = |ingest: Ingest| {
        ingest.run(std::slice::from_ref(&file), &store, &mut |_| ()).unwrap_err().to_string()
    };
    let error = run(Ingest::new(mapping("utf8")).with_aliases(some.clone()));
    assert!(error.contains("the aliases are Int64, but the users of mapping `app` are Utf8"), "{error}");
    let nobody = SourceMapping::from_toml(
        "name = 'n'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\nevent_type = { from = 'e', type = 'dictionary' }\n",
    )
    .unwrap();
    let error = run(Ingest::new(nobody).with_aliases(some));
    assert!(error.contains("mapping `n` has no `user_id`, so no alias can be anybody's"), "{error}");
    let many =
        AliasTable::new(IdType::Int64, (0..600_000i64).map(|id| (Id::Int64(id), Id::Int64(-1)))).unwrap();
    let error =
        run(Ingest::new(mapping("int64")).with_aliases(many).with_memory(MemoryBudget::from_mib(200)));
    assert!(error.contains("a table of aliases needs at least"), "{error}");
    assert!(!EventStore::is_at(&store));
}

#[test]
fn a_store_keeps_its_aliases_as_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let file = write_day(folder.path(), 0, &[], |id| id);
    let pairs = BTreeMap::from([(3, 4), (1, 3)]);
    Ingest::new(mapping("int64"))
        .with_aliases(table(IdType::Int64, &pairs))
        .run(&[file], &store, &mut |_| ())
        .unwrap();
    let rows: Vec<_> =
        read_table(&store.join("commits/000001/aliases.parquet")).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows[0].schema().fields(), cip_core::table::aliases(IdType::Int64).fields());
    assert_eq!(rows[0].num_rows(), 2);
    EventStore::open(&store).unwrap().verify().unwrap();
}
