//! Sources and stores that are not what they should be: an error that says so, never a panic, and nothing written.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{HEADER, Outcome, args, bytes_of, cip, folder_of_store, names_in};

/// Every command that reads a store.
fn read(store: &Path, scratch: &Path) -> [(&'static str, Outcome); 6] {
    let table = scratch.join("table.parquet");
    [
        ("info", cip(args!["info", store])),
        ("rejects", cip(args!["rejects", store])),
        ("sessions", cip(args!["sessions", store, "--out", table])),
        ("funnel", cip(args!["funnel", store, "--steps", "view,cart", "--within", "1d", "--out", table])),
        ("rfm", cip(args!["rfm", store, "--as-of", "2019-11-01", "--out", table])),
        ("features", cip(args!["features", store, "--cutoff", "2019-10-10", "--out", table])),
    ]
}

#[test]
fn what_is_not_a_store_is_refused() {
    let (folder, store) = folder_of_store(60);
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("empty")).unwrap();
    fs::write(at("file"), "x").unwrap();
    fs::create_dir_all(at("odd/manifest.json")).unwrap();
    for (path, what) in [
        (at("gone"), "check the path"),
        (at("empty"), "is not an event store: it has no manifest.json; make one with `cip ingest"),
        (at("file"), "is not an event store"),
        (store.join("commits"), "is not an event store"),
        (at("odd"), "cannot open"),
    ] {
        for (_, outcome) in read(&path, folder.path()) {
            outcome.fails(1, what);
        }
    }
    assert_eq!(names_in(folder.path()), ["empty", "events.csv", "file", "odd", "store"]);
}

#[test]
fn a_junk_manifest_is_refused() {
    let (folder, store) = folder_of_store(60);
    let manifest = store.join("manifest.json");
    let good = fs::read_to_string(&manifest).unwrap();
    let cut = good[..good.len() / 2].to_owned();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "cannot be read as the manifest"),
        (b"\x00\xff\xfe junk".to_vec(), "cannot be read as the manifest"),
        (b"[]".to_vec(), "cannot be read as the manifest"),
        (b"{}".to_vec(), "cannot be read as the manifest"),
        (cut.into_bytes(), "cannot be read as the manifest"),
        (br#"{"format":"iceberg","version":1}"#.to_vec(), "expected `cip-event-store`"),
        (good.replace("\"version\": 1", "\"version\": 2").into_bytes(), "update cip"),
        (good.replace("\"type\": \"timestamp\"", "\"type\": \"int64\"").into_bytes(), "event_time"),
        (
            good.replace("\"type\": \"timestamp\"", "\"type\": \"map\"").into_bytes(),
            "cannot be read as the manifest",
        ),
    ];
    for (bytes, what) in cases {
        assert_ne!(bytes, good.as_bytes());
        fs::write(&manifest, bytes).unwrap();
        for (_, outcome) in read(&store, folder.path()) {
            outcome.fails(1, what);
        }
    }
    assert_eq!(names_in(folder.path()), ["events.csv", "store"]);
}

/// Fails in the way that a user can act on, or does not need what is damaged.
#[track_caller]
fn no_panic(command: &str, outcome: Outcome, file: &Path) -> bool {
    match outcome.code {
        Some(0) => false,
        Some(1) => {
            outcome.fails(1, &file.display().to_string());
            true
        }
        _ => panic!("{command} with {} damaged: {outcome:?}", file.display()),
    }
}

#[test]
fn a_damaged_parquet_file_is_an_error_that_names_it() {
    let (folder, store) = folder_of_store(3_000);
    let files: Vec<PathBuf> = bytes_of(&store)
        .into_keys()
        .filter(|path| path.extension().is_some_and(|e| e == "parquet"))
        .collect();
    assert_eq!(files.len(), 4);
    for name in &files {
        let file = store.join(name);
        let good = fs::read(&file).unwrap();
        let half = good.len() / 2;
        let cases: [Option<&[u8]>; 5] =
            [Some(&good[..half]), Some(&good[..good.len() - 1]), Some(b""), Some(b"PAR1PAR1"), None];
        for damaged in cases {
            match damaged {
                Some(bytes) => fs::write(&file, bytes).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            let failed =
                read(&store, folder.path()).map(|(command, outcome)| no_panic(command, outcome, &file));
            assert_eq!(failed, [true; 6], "a store is opened with all its files: {}", name.display());
        }
        // The footer is whole and every place in it is wrong.
        fs::write(&file, &good[1..]).unwrap();
        for (command, outcome) in read(&store, folder.path()) {
            no_panic(command, outcome, &file);
        }
        fs::write(&file, &good).unwrap();
    }
    let file = store.join("commits/000001/events-00000.parquet");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[4..middle].fill(0);
    fs::write(&file, bytes).unwrap();
    for (command, outcome) in read(&store, folder.path()) {
        no_panic(command, outcome, &file);
    }
    assert_eq!(names_in(folder.path()), ["events.csv", "store"]);
}

/// Whole Parquet files, in the wrong place.
#[test]
fn files_that_were_swapped_are_an_error() {
    let (folder, store) = folder_of_store(3_000);
    let at = |name: &str| store.join("commits/000001").join(name);
    let names = [
        "events-00000.parquet",
        "rejects.parquet",
        "session_dictionary.parquet",
        "product_dictionary.parquet",
    ];
    for target in names {
        let good = fs::read(at(target)).unwrap();
        for source in names.iter().filter(|&&source| source != target) {
            fs::copy(at(source), at(target)).unwrap();
            for (command, outcome) in read(&store, folder.path()) {
                no_panic(command, outcome, &at(target));
            }
            fs::write(at(target), &good).unwrap();
        }
    }
}

/// A manifest that promises what its files do not hold.
#[test]
fn a_manifest_of_another_store_is_an_error() {
    let (folder, store) = folder_of_store(3_000);
    let manifest = store.join("manifest.json");
    let mut edited: serde_json::Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    let groups = edited["commits"][0]["events"][0]["row_groups"].as_array_mut().unwrap();
    groups.push(groups[0].clone());
    fs::write(&manifest, edited.to_string()).unwrap();
    for (command, outcome) in read(&store, folder.path()) {
        let events = store.join("commits/000001/events-00000.parquet");
        let failed = no_panic(command, outcome, &events);
        assert_eq!(failed, ["sessions", "funnel", "rfm", "features"].contains(&command), "{command}");
    }
}

#[test]
fn a_source_without_events_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("empty.csv"), "").unwrap();
    fs::write(at("header.csv"), format!("{HEADER}\n")).unwrap();
    fs::write(at("bare.csv"), HEADER).unwrap();
    let junk: Vec<u8> = (0..4_096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(at("junk.csv"), &junk).unwrap();
    fs::write(at("junk.csv.gz"), &junk).unwrap();
    fs::write(at("junk.csv.zst"), &junk).unwrap();
    fs::write(at("zeros.csv"), [0; 100_000]).unwrap();
    fs::create_dir(at("folder")).unwrap();
    let before = names_in(folder.path());
    for (name, what) in [
        ("gone.csv", "gone.csv"),
        ("empty.csv", "expected a header line"),
        ("header.csv", "no data rows"),
        ("bare.csv", "no data rows"),
        ("junk.csv", "junk.csv"),
        ("junk.csv.gz", "junk.csv.gz"),
        ("junk.csv.zst", "junk.csv.zst"),
        ("zeros.csv", "zeros.csv"),
        ("folder", "expected files ending in .csv"),
    ] {
        for stage in ["ingest", "run"] {
            cip(args![stage, at(name), "--mapping", "rees46", "--out", at("out")]).fails(1, what);
        }
    }
    assert_eq!(names_in(folder.path()), before);
}

#[test]
fn junk_after_a_header_is_rejected_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("junk.csv"), folder.path().join("out"));
    let junk = (0..20_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
    fs::write(&file, HEADER.bytes().chain([b'\n']).chain(junk).collect::<Vec<_>>()).unwrap();
    let said = cip(args!["run", file, "--mapping", "rees46", "--out", out, "--json"]).ok().json();
    let account = &said["account"];
    let sum =
        |key: &str| account[key].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!(account["rows"].as_u64().unwrap(), sum("rejects") + sum("drops"));
    cip(args!["rejects", out.join("store")]).ok();
}
