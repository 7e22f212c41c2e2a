//! A writer that dies at any moment: what is read is the old store or the new one, and the next writer goes on.

use super::*;
use crate::crash::{self, Moment};
use crate::erase::{RejectedRow, StoreEraser, Whose};
use crate::table_state::{KeptTable, SinceState, TableState, WhyRebuilt};
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, TimestampMicrosecondArray, types::Int32Type};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use cip_core::{EventBatch, IdRef, table};
use std::collections::BTreeMap;
use std::sync::Arc;

fn schema() -> EventSchema {
    let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let fields = vec![
        Field::new("user_id", DataType::Int64, true),
        Field::new("event_time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("event_type", text.clone(), false),
        Field::new("source_file", text, false),
    ];
    EventSchema::try_new(Schema::new(fields).into()).unwrap()
}

/// The parts of a commit of one file with an event of each of `users`.
fn parts(writer: &StoreWriter, file: &str, users: &[i64]) -> Result<CommitParts, StoreError> {
    let text = |text: &str| Arc::new(users.iter().map(|_| text).collect::<DictionaryArray<Int32Type>>());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(users.to_vec())),
        Arc::new(TimestampMicrosecondArray::from(vec![7; users.len()]).with_timezone("UTC")),
        text("view"),
        text(file),
    ];
    let batch = EventBatch::try_new(RecordBatch::try_new(Arc::clone(schema().arrow()), columns)?)?;
    let (mut events, mut places) = (writer.events()?, writer.places()?);
    events.append(events.encoder().encode(&batch)?)?;
    places.append((0..).take(users.len()).collect())?;
    let rows = users.len() as u64;
    let account = Account { rows, events: rows, ..Account::default() };
    let (name, xxh3) = (file.to_owned(), String::new());
    Ok(CommitParts {
        sources: vec![SourceFile {
            name,
            bytes: rows,
            xxh3,
            account,
            records: None,
            replaced_by: None,
            user_field: None,
            currencies: None,
        }],
        events: events.finish()?,
        session_dictionary: None,
        product_dictionary: None,
        rejects: writer.side_table("rejects", &table::rejects())?.finish()?,
        places: places.finish()?,
        aliases: None,
        quality: Vec::new(),
    })
}

fn create(target: &Path) -> Result<EventStore, StoreError> {
    let writer = StoreWriter::create(target, &schema(), serde_json::json!({}))?;
    let parts = parts(&writer, "a.csv", &[1, 2])?;
    writer.finish(parts)
}

fn append(target: &Path) -> Result<EventStore, StoreError> {
    let (writer, _) = StoreWriter::append(target)?;
    let parts = parts(&writer, "b.csv", &[2, 3])?;
    writer.finish(parts)
}

fn rewrite(target: &Path) -> Result<EventStore, StoreError> {
    let (writer, _) = StoreWriter::rewrite(target)?;
    let parts = parts(&writer, "ab.csv", &[1, 2, 2, 3])?;
    writer.finish(parts)
}

/// Puts one commit in place of those of these numbers.
fn supersede(target: &Path, ids: &[u32]) -> Result<EventStore, StoreError> {
    let (writer, store) = StoreWriter::supersede(target, |_| ids.to_vec())?;
    assert_eq!(store.manifest().commits.len(), 2);
    let users = if ids.len() == 2 { vec![1, 2, 2, 3, 4] } else { vec![1, 2, 4] };
    let parts = parts(&writer, "ab.csv", &users)?;
    writer.finish(parts)
}

/// Erases the user 2. No reject and no document is anybody's.
fn forget(target: &Path) -> Result<EventStore, StoreError> {
    struct Nobodys;
    impl Whose for Nobodys {
        fn is_theirs(&self, _: Option<&SourceFile>, _: &RejectedRow<'_>) -> bool {
            false
        }
        fn clear(&self, _: &mut serde_json::Value) {}
    }
    Ok(StoreEraser::begin(target, ["2"])?.finish(&Nobodys)?.store)
}

fn bytes_of(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The users that a reader sees.
fn users(target: &Path) -> Vec<i64> {
    let store = EventStore::open(target).unwrap();
    store.verify().unwrap();
    let mut users = Vec::new();
    for partition in store.scan(&["user_id"]).partitions() {
        for events in partition.batches().unwrap() {
            let events = events.unwrap();
            users.extend(events.users().unwrap().runs().flat_map(|(user, rows)| {
                let Some(IdRef::Int64(user)) = user else { panic!("an integer") };
                std::iter::repeat_n(user, rows.len())
            }));
        }
    }
    users
}

#[test]
fn a_writer_that_dies_leaves_the_old_store_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    create(&at("one")).unwrap();
    let (old, before) = (bytes_of(&at("one")), vec![1, 2]);
    append(&at("one")).unwrap();
    let (appended, after) = (bytes_of(&at("one")), vec![1, 2, 2, 3]);
    assert_eq!(users(&at("one")), after);

    for moment in [Moment::Staged, Moment::FolderMoved, Moment::DocumentReplaced] {
        let store = at(&format!("append {moment:?}"));
        create(&store).unwrap();
        assert!(bytes_of(&store) == old);
        crash::at(moment, || append(&store));
        let done = moment == Moment::DocumentReplaced;
        assert_eq!(users(&store), if done { after.clone() } else { before.clone() }, "{moment:?}");
        // Where the commit is not in, the same run is done again; where it is, any writer clears what is left.
        if done {
            drop(StoreWriter::append(&store).unwrap());
        } else {
            append(&store).unwrap();
        }
        assert!(bytes_of(&store) == appended, "{moment:?}");
    }
    for moment in [Moment::Staged, Moment::FolderMoved] {
        let store = at(&format!("rewrite {moment:?}"));
        create(&store).unwrap();
        append(&store).unwrap();
        crash::at(moment, || rewrite(&store));
        assert_eq!(users(&store), after);
        rewrite(&store).unwrap();
        assert_eq!(users(&store), after);
        assert_eq!(EventStore::open(&store).unwrap().manifest().commits.len(), 1);
    }
    for ids in [&[1][..], &[1, 2]] {
        let (undisturbed, done) = (at(&format!("supersede {}", ids.len())), vec![1, 2, 2, 3, 4]);
        create(&undisturbed).unwrap();
        append(&undisturbed).unwrap();
        let store = supersede(&undisturbed, ids).unwrap();
        let commits: Vec<u32> = store.manifest().commits.iter().map(|commit| commit.id).collect();
        assert_eq!(commits, if ids.len() == 2 { vec![1] } else { vec![2, 3] });
        let expected = bytes_of(&undisturbed);
        let folders = |files: &BTreeMap<PathBuf, Vec<u8>>| {
            files.keys().filter(|name| name.ends_with("rejects.parquet")).count()
        };
        assert_eq!(folders(&expected), commits.len(), "what was superseded is removed");
        for moment in [Moment::Staged, Moment::FolderMoved, Moment::DocumentReplaced] {
            if ids.len() == 2 && moment == Moment::DocumentReplaced {
                continue;
            }
            let store = at(&format!("supersede {} {moment:?}", ids.len()));
            create(&store).unwrap();
            append(&store).unwrap();
            crash::at(moment, || supersede(&store, ids));
            let last = if ids.len() == 2 { Moment::FolderMoved } else { Moment::DocumentReplaced };
            assert_eq!(
                users(&store),
                if moment == last { done.clone() } else { after.clone() },
                "{moment:?}"
            );
            if moment == last {
                drop(StoreWriter::append(&store).unwrap());
            } else {
                supersede(&store, ids).unwrap();
            }
            assert!(bytes_of(&store) == expected, "{ids:?} {moment:?}");
        }
    }
    for moment in [Moment::Staged, Moment::DocumentReplaced] {
        let store = at(&format!("mapping {moment:?}"));
        create(&store).unwrap();
        let remap = || {
            let (writer, opened) = StoreWriter::supersede(&store, |_| Vec::new())?;
            let columns = opened.manifest().columns.clone();
            writer.with_mapping(serde_json::json!("another"), columns).finish_without_commit(&opened)
        };
        crash::at(moment, remap);
        let mapping = &EventStore::open(&store).unwrap().manifest().mapping.clone();
        assert_eq!(mapping == "another", moment == Moment::DocumentReplaced);
        assert_eq!(remap().unwrap().manifest().mapping, "another");
        assert_eq!(users(&store), before);
    }
    create(&at("erased")).unwrap();
    append(&at("erased")).unwrap();
    let whole = bytes_of(&at("erased"));
    forget(&at("erased")).unwrap();
    let erased = bytes_of(&at("erased"));
    for moment in [Moment::Staged, Moment::FolderMoved] {
        let store = at(&format!("forget {moment:?}"));
        create(&store).unwrap();
        append(&store).unwrap();
        crash::at(moment, || forget(&store));
        let done = moment == Moment::FolderMoved;
        assert!(bytes_of(&store) == if done { erased.clone() } else { whole.clone() }, "{moment:?}");
        // The old files, if they are still somewhere, go with the next try, which may find nothing else to do.
        forget(&store).unwrap();
        assert!(bytes_of(&store) == erased, "{moment:?}");
        assert_eq!(users(&store), [1, 3]);
    }
    // No lock, no staging folder and no stranger is left.
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn a_folder_that_no_manifest_knows_is_not_read_and_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    create(&store).unwrap();
    let stranger = store.join("commits/000002");
    fs::create_dir(&stranger).unwrap();
    fs::write(stranger.join("events-00000.parquet"), "half").unwrap();
    assert_eq!(users(&store), [1, 2]);
    append(&store).unwrap();
    assert_eq!(users(&store), [1, 2, 2, 3]);
    assert!(!bytes_of(&store).values().any(|bytes| bytes == b"half"));
}

#[test]
fn a_commit_without_its_column_of_files_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    create(&store).unwrap();
    append(&store).unwrap();
    let manifest = store.join(FILE_NAME);
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    value["columns"].as_array_mut().unwrap().pop();
    fs::write(&manifest, value.to_string()).unwrap();
    let error = EventStore::open(&store).unwrap_err();
    assert!(error.to_string().contains("several commits, but no column `source_file`"), "{error}");
}

#[test]
fn places_come_with_their_events_and_damage_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    create(&path).unwrap();
    append(&path).unwrap();
    let places = |path: &Path| -> Result<Vec<u32>, StoreError> {
        let store = EventStore::open(path)?;
        let mut all = Vec::new();
        for partition in store.scan(&["user_id"]).with_places(&store)?.partitions() {
            for events in partition.batches()? {
                let (bare, places) = crate::take_places(events?.record_batch())?;
                assert_eq!((bare.num_columns(), bare.num_rows()), (1, places.len()));
                all.extend(places);
            }
        }
        Ok(all)
    };
    // Users 1, 2 of a.csv, and 2, 3 of b.csv.
    assert_eq!(places(&path).unwrap(), [0, 1, 0, 1]);
    let file = path.join("commits/000002/places.parquet");
    let good = fs::read(&file).unwrap();
    for at in 4..good.len() - 4 {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&file, bad).unwrap();
        assert!(places(&path).is_err(), "byte {at}");
        assert!(EventStore::open(&path).map_or(true, |store| store.verify().is_err()), "byte {at}");
    }
    fs::write(&file, good).unwrap();
    assert_eq!(places(&path).unwrap(), [0, 1, 0, 1]);
}

/// Keeps the table of the store's users by `rule`.
fn keep(folder: &Path, store: &EventStore, rule: &str) -> Result<TableState, StoreError> {
    let kept = KeptTable::begin(folder, "users")?;
    let rows: Vec<i64> = users(store.path());
    let table = RecordBatch::try_from_iter([("user_id", Arc::new(Int64Array::from(rows)) as ArrayRef)])?;
    let mut writer = kept.create(&table.schema())?;
    writer.write(table.clone())?;
    writer.finish()?;
    kept.create_changes("changes", &table.schema())?.finish()?;
    kept.publish(store, rule, 0)
}

#[test]
fn a_kept_table_knows_what_came_since() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let store = create(&at("one")).unwrap();
    let state = keep(&at("kept"), &store, "plain").unwrap();
    assert_eq!((state.run, state.since(&store, "plain")), (1, SinceState::Nothing));
    let all = |why| SinceState::All(why);
    assert_eq!(state.since(&store, "other"), all(WhyRebuilt::Rule { before: "plain".to_owned() }));
    let store = append(&at("one")).unwrap();
    assert_eq!(state.since(&store, "plain"), SinceState::Commits(1));

    let state = keep(&at("kept"), &store, "plain").unwrap();
    assert_eq!((state.run, state.since(&store, "plain")), (2, SinceState::Nothing));
    assert_eq!(KeptTable::begin(&at("kept"), "users").unwrap().before(), Some(&state));
    let mut manifest = store.manifest().clone();
    manifest.commits[1].sources[0].replaced_by = Some(3);
    let replaced = EventStore::with_manifest(&at("one"), manifest).unwrap();
    assert_eq!(state.since(&replaced, "plain"), all(WhyRebuilt::Replaced { commit: 2 }));
    let erased = forget(&at("one")).unwrap();
    assert_eq!(state.since(&erased, "plain"), all(WhyRebuilt::Erased { commit: 1 }));
    let compacted = rewrite(&at("one")).unwrap();
    assert_eq!(state.since(&compacted, "plain"), all(WhyRebuilt::Rewritten { commit: 1 }));
    let other = create(&at("other")).unwrap();
    assert_eq!(state.since(&other, "plain"), all(WhyRebuilt::Rewritten { commit: 2 }));
}

#[test]
fn a_kept_table_that_dies_is_the_old_one_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let old = create(&at("one")).unwrap();
    keep(&at("new"), &old, "plain").unwrap();
    let before = bytes_of(&at("new"));
    let store = append(&at("one")).unwrap();
    keep(&at("new"), &store, "plain").unwrap();
    let after = bytes_of(&at("new"));
    for moment in [Moment::Staged, Moment::FolderMoved] {
        let kept = at(&format!("{moment:?}"));
        before.iter().for_each(|(name, bytes)| {
            fs::create_dir_all(&kept).unwrap();
            fs::write(kept.join(name), bytes).unwrap();
        });
        crash::at(moment, || keep(&kept, &store, "plain"));
        let done = moment == Moment::FolderMoved;
        assert!(bytes_of(&kept) == if done { after.clone() } else { before.clone() }, "{moment:?}");
        let next = KeptTable::begin(&kept, "users").unwrap();
        let since = next.before().unwrap().since(&store, "plain");
        assert_eq!(since, if done { SinceState::Nothing } else { SinceState::Commits(1) });
        drop(next);
        keep(&kept, &store, "plain").unwrap();
        assert_eq!(bytes_of(&kept).len(), 3);
    }
}
