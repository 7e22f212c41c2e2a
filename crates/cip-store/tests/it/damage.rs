//! Files that changed after they were written.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use cip_core::{IdType, MemoryBudget};
use cip_store::{EventLayout, EventStore, StoreError};

use crate::{ALL, Extras, batch, event, write};

const LAYOUTS: [EventLayout; 2] = [EventLayout::Plain, EventLayout::Compact];

fn store(target: &Path) -> EventStore {
    store_of(target, EventLayout::Plain)
}

fn store_of(target: &Path, layout: EventLayout) -> EventStore {
    let groups = [0, 40].map(|start| {
        let events: Vec<_> =
            (start..start + 40).map(|row| event(Some(row / 3), row * 1_000_000, row)).collect();
        batch(IdType::Int64, &events)
    });
    let sessions = (0..20).map(|code| (code, [code as u8; 16], i64::from(code))).collect();
    write(target, IdType::Int64, &groups, &Extras { sessions, layout, ..Extras::default() }).unwrap()
}

fn files(store: &EventStore) -> Vec<PathBuf> {
    store.files().map(|file| store.path().join(&file.path)).collect()
}

/// Reads all that a store holds, to the first error.
fn read(path: &Path) -> Result<(), StoreError> {
    let store = EventStore::open(path)?;
    store.statistics(MemoryBudget::from_mib(1))?;
    for partition in store.scan(&ALL).partitions() {
        for batch in partition.batches()? {
            batch?;
        }
    }
    for table in [store.session_dictionary()?, store.product_dictionary()?, store.rejects()?] {
        for batch in table.into_iter().flatten() {
            batch?;
        }
    }
    Ok(())
}

#[test]
fn a_flipped_byte_is_found_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder.path().join("store"));
    store.verify().unwrap();
    for file in files(&store) {
        let good = fs::read(&file).unwrap();
        for at in (0..good.len()).step_by(good.len() / 40 + 1).chain([good.len() - 1]) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&file, bad).unwrap();
            let error = store.verify().unwrap_err();
            assert!(
                matches!(&error, StoreError::Damaged { path, .. } if *path == file),
                "byte {at}: {error}"
            );
            assert!(error.to_string().contains("restore it or ingest again"), "{error}");
        }
        fs::write(&file, &good).unwrap();
        store.verify().unwrap();
        fs::remove_file(&file).unwrap();
        assert!(matches!(store.verify(), Err(StoreError::Io { .. })));
        fs::write(&file, &good).unwrap();
    }
}

#[test]
fn a_file_that_was_cut_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder.path().join("store"));
    read(store.path()).unwrap();
    for file in files(&store) {
        let good = fs::read(&file).unwrap();
        for length in (0..good.len()).step_by(good.len() / 60 + 1) {
            fs::write(&file, &good[..length]).unwrap();
            let error = read(store.path()).unwrap_err().to_string();
            assert!(error.contains(&*file.to_string_lossy()), "{length}: {error}");
        }
        fs::write(&file, &good).unwrap();
    }
}

#[test]
fn what_a_later_version_wrote_asks_for_an_update() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder.path().join("store"));
    let path = store.path().join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
    let error = EventStore::open(store.path()).unwrap_err();
    assert!(matches!(error, StoreError::Version { found: 2, supported: 1, .. }), "{error}");
    assert!(error.to_string().ends_with("update cip"), "{error}");

    // What this version does not know beside what it does is no obstacle.
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["comment"] = "by hand".into();
    fs::write(&path, value.to_string()).unwrap();
    assert_eq!(EventStore::open(store.path()).unwrap().manifest(), store.manifest());
}

#[test]
fn a_manifest_and_files_that_do_not_belong_together_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder.path().join("store"));
    let path = store.path().join("manifest.json");
    let good: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let edit = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut value = good.clone();
        edit(&mut value);
        assert_ne!(value, good);
        fs::write(&path, value.to_string()).unwrap();
        read(store.path()).unwrap_err().to_string()
    };
    for said in [
        edit(&|value| {
            let groups = value["commits"][0]["events"][0]["row_groups"].as_array_mut().unwrap();
            groups.push(groups[0].clone());
        }),
        edit(&|value| {
            value["commits"][0]["events"][0]["row_groups"].as_array_mut().unwrap().pop();
        }),
        edit(&|value| value["commits"][0]["events"][0]["row_groups"][1]["rows"] = 39.into()),
        edit(&|value| value["commits"][0]["rejects"]["rows"] = 1.into()),
        edit(&|value| value["commits"][0]["rejects"] = value["commits"][0]["session_dictionary"].clone()),
        edit(&|value| value["columns"][3]["type"] = "utf8".into()),
        edit(&|value| {
            value["columns"].as_array_mut().unwrap().pop();
        }),
    ] {
        assert!(said.contains("are not those in the manifest; restore it or ingest again"), "{said}");
    }
}

/// Checksums keep damaged footers and columns from the decoders, which panic on some and read others as if they were good.
#[test]
fn a_flipped_byte_is_always_an_error_and_never_a_panic() {
    /// The magic at the start, which nobody reads.
    const MAGIC: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let (mut panics, mut silent) = (0, 0);
    let stores = LAYOUTS.map(|layout| store_of(&folder.path().join(format!("{layout:?}")), layout));
    for (store, file) in
        stores.iter().flat_map(|store| files(store).into_iter().map(move |file| (store, file)))
    {
        let good = fs::read(&file).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&file, bad).unwrap();
            match catch_unwind(AssertUnwindSafe(|| read(store.path()))) {
                Err(_) => panics += 1,
                Ok(Ok(_)) if at >= MAGIC => silent += 1,
                Ok(_) => {}
            }
        }
        fs::write(&file, &good).unwrap();
    }
    assert_eq!((panics, silent), (0, 0));
}
