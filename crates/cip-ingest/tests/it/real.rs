//! The public files that `CIP_DATA` points to; skipped, saying so, where it is unset.

use std::path::PathBuf;

use cip_core::MemoryBudget;
use cip_ingest::{Compaction, Ingest, SourceMapping};
use cip_store::EventStore;

use crate::{event_lines, rees46};

#[expect(clippy::print_stdout, reason = "a test that skips says so")]
fn data(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("CIP_DATA") else {
        println!("skipped: CIP_DATA is not set, so there is no {name}");
        return None;
    };
    Some(PathBuf::from(folder).join(name))
}

/// Counts of the head of the October 2019 clickstream, recomputed from the file with standard text tools.
#[test]
fn the_store_clickstream_is_read_to_the_last_whole_row() {
    let Some(file) = data("rees46_2019-Oct-head.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (store, report) = Ingest::new(rees46())
        .run(std::slice::from_ref(&file), &folder.path().join("store"), &mut |_| ())
        .unwrap();
    assert_eq!(report.account.rows, 17_435);
    assert_eq!(report.account.events, 17_434);
    assert_eq!(report.account.rejects.iter().collect::<Vec<_>>(), [(&"field_count".to_owned(), &1)]);
    let statistics = store.statistics(MemoryBudget::from_mib(64)).unwrap();
    assert_eq!(statistics.users, 4_504);
    assert_eq!(statistics.source_sessions, 5_066);
    assert_eq!(statistics.session_codes, 5_067, "one session id is shared by two users");
    assert_eq!(statistics.products, 6_493);
    store.verify().unwrap();

    let reject = store.rejects().unwrap().unwrap().next().unwrap().unwrap();
    let number = |name: &str| {
        use arrow_array::cast::AsArray;
        reject.column_by_name(name).unwrap().as_primitive::<arrow_array::types::UInt64Type>().value(0)
    };
    assert_eq!(number("line"), 17_436);
    assert_eq!(number("byte_end"), std::fs::metadata(&file).unwrap().len());

    // Nothing but the order is changed: the same rows by a plain reading of the file.
    let text = std::fs::read_to_string(&file).unwrap();
    let mut expected: Vec<(i64, String, usize, String)> = text
        .lines()
        .enumerate()
        .skip(1)
        .take(17_434)
        .map(|(line, text)| {
            let f: Vec<&str> = text.trim_end_matches('\r').split(',').collect();
            let time: cip_core::Timestamp = f[0].replace(" UTC", "Z").replace(' ', "T").parse().unwrap();
            let cents = f[6].replace('.', "").parse::<i64>().unwrap();
            let event = format!(
                "{},{},{},{},{},{},{},{cents},{},rees46_2019-Oct-head.csv",
                f[7],
                time.micros(),
                f[1],
                f[2],
                f[3],
                f[4],
                f[5],
                f[8]
            );
            (f[7].parse().unwrap(), time.to_string(), line, event)
        })
        .collect();
    expected.sort();
    let expected: Vec<String> = expected.into_iter().map(|(_, _, _, event)| event).collect();
    assert_eq!(event_lines(&store), expected);
}

#[test]
fn a_year_of_daily_retail_files_adds_up() {
    let Some(source) = data("online_retail_daily") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mapping = SourceMapping::built_in("online-retail").unwrap();
    let (store, report) =
        Ingest::new(mapping).run(&[source], &folder.path().join("store"), &mut |_| ()).unwrap();
    assert_eq!(report.files, 305);
    assert_eq!(report.account.rows, 541_909);
    assert_eq!(report.account.events, 541_909);
    let commit = &store.manifest().commits[0];
    assert_eq!(commit.events_without_user, 135_080);
    assert_eq!(commit.users, 4_372);
    store.verify().unwrap();
}

/// The 305 daily files of a shop in ten commits: sessions of customers, orders and ties go over the borders.
#[test]
fn a_year_of_daily_retail_files_in_ten_commits_is_one() {
    let Some(days) = data("online_retail_daily") else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&days).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().contains(".csv"));
    files.sort();
    assert_eq!(files.len(), 305);
    let ingest = Ingest::new(SourceMapping::built_in("online-retail").unwrap());
    let (whole, _) = ingest.run(&files, &at("whole"), &mut |_| ()).unwrap();
    // Every tenth file a commit, the last commit first: all of them span the whole year.
    for commit in (0..10).rev() {
        let of_commit: Vec<PathBuf> = files.iter().skip(commit).step_by(10).cloned().collect();
        let (_, report) = ingest.append(&of_commit, &at("commits"), &mut |_| ()).unwrap();
        assert_eq!((report.files, report.files_taken), (of_commit.len(), 0));
    }
    let commits = EventStore::open(&at("commits")).unwrap();
    let counts = |store: &EventStore| {
        let counted = store.statistics(MemoryBudget::from_mib(64)).unwrap();
        (counted.events, counted.users, counted.events_without_user, counted.products)
    };
    assert_eq!(counts(&commits), counts(&whole));
    assert_eq!(commits.manifest().account(), whole.manifest().account());
    Compaction::new().run(&at("commits"), &mut |_| ()).unwrap();
    assert!(crate::bytes_of(&at("commits")) == crate::bytes_of(&at("whole")));
}

/// Rows of both files, and the sum of the dollars in the master, recomputed from the files with standard text tools.
#[test]
fn cdnow_is_read_with_and_without_its_header() {
    for (name, rows) in [("CDNOW_master.txt", 69_659), ("CDNOW_sample.txt", 6_919)] {
        let Some(file) = data(name) else { return };
        let folder = tempfile::tempdir().unwrap();
        let mapping = SourceMapping::built_in("cdnow").unwrap();
        let target = folder.path().join("store");
        let (store, report) = Ingest::new(mapping).run(&[file], &target, &mut |_| ()).unwrap();
        assert_eq!((report.account.rows, report.account.events), (rows, rows));
        let users = store.statistics(MemoryBudget::from_mib(64)).unwrap().users;
        assert_eq!(users, if rows == 6_919 { 2_357 } else { 23_570 });
    }
}
