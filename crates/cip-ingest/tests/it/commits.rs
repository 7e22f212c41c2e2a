//! Files that come in several commits: what is read is what one ingest of all would hold, and compacting makes it so.

use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use cip_core::MemoryBudget;
use cip_ingest::{ChangedFiles, Compaction, Ingest, IngestError, IngestReport};
use cip_store::{EventStore, StoreStatistics};
use proptest::prelude::*;

use crate::tags::checkout;
use crate::{HEADER, bytes_of, event_lines, rees46, threads};

/// A row of few users, times and sessions, so that all of them are shared by files; some rows are refused.
fn row() -> impl Strategy<Value = String> {
    let good = (0u32..40, prop_oneof!["view", "cart", "purchase"], 1u32..9, 1u32..5, 0u32..5).prop_map(
        |(second, kind, product, user, session)| {
            let id = if session == 0 { String::new() } else { format!("72d76fde-8bb3-4e00-8c23-a032dfed73{session:02x}") };
            format!(
                "2019-10-01 00:00:{second:02} UTC,{kind},{product},2,\"c,{product}\",b{},{product}.50,{user},{id}",
                product % 3
            )
        },
    );
    prop_oneof![8 => good, 1 => "[a-z,\r\n0-9]{0,20}"]
}

/// Files of a day each: their rows, and the commit that each comes in.
fn days() -> impl Strategy<Value = Vec<(Vec<String>, usize)>> {
    proptest::collection::vec((proptest::collection::vec(row(), 0..25), 0usize..4), 1..7)
}

fn write_day(folder: &Path, day: usize, rows: &[String]) -> PathBuf {
    let file = folder.join(format!("day-{day:02}.csv"));
    // The last row makes the bytes of every file its own.
    let own = format!("2019-10-02 00:00:00 UTC,view,{},2,,,1.00,9,", 100 + day);
    std::fs::write(&file, format!("{HEADER}\n{}\n{own}\n", rows.join("\n"))).unwrap();
    file
}

fn append(ingest: &Ingest, files: &[PathBuf], store: &Path) -> Result<IngestReport, IngestError> {
    ingest.append(files, store, &mut |_| ()).map(|(_, report)| report)
}

/// The rejects of a store as lines of text.
fn reject_lines(store: &EventStore) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in store.rejects().unwrap().unwrap() {
        let batch = batch.unwrap();
        let files = batch.column(0).as_dictionary::<Int32Type>();
        for row in 0..batch.num_rows() {
            let file = files.values().as_string::<i32>().value(files.keys().value(row) as usize);
            let detail = batch.column_by_name("detail").unwrap().as_string::<i32>().value(row);
            let raw = batch.column_by_name("raw").unwrap().as_binary::<i32>().value(row);
            lines.push(format!("{file} {detail} {raw:?}"));
        }
    }
    lines
}

/// What a store holds, but for its bytes.
fn counted(store: &EventStore) -> StoreStatistics {
    let statistics = store.statistics(MemoryBudget::from_mib(64)).unwrap();
    StoreStatistics { bytes: 0, columns: Vec::new(), ..statistics }
}

#[track_caller]
fn assert_same(commits: &EventStore, whole: &EventStore) {
    assert_eq!(event_lines(commits), event_lines(whole));
    assert_eq!(reject_lines(commits), reject_lines(whole));
    assert_eq!(counted(commits), counted(whole));
    assert_eq!(commits.manifest().account(), whole.manifest().account());
    assert_eq!(commits.manifest().time_span(), whole.manifest().time_span());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn commits_in_any_order_are_one_ingest_of_all_files(days in days(), tag: bool, workers in 1usize..3) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let files: Vec<PathBuf> =
            days.iter().enumerate().map(|(day, (rows, _))| write_day(folder.path(), day, rows)).collect();
        let ingest = Ingest::new(rees46()).with_threads(threads(workers));
        let ingest = if tag { ingest.with_experiment(checkout()) } else { ingest };
        let (whole, _) = ingest.run(&files, &at("whole"), &mut |_| ()).unwrap();

        let mut written = 0;
        for commit in [2, 0, 3, 1] {
            let of_commit: Vec<PathBuf> =
                files.iter().zip(&days).filter(|(_, day)| day.1 == commit).map(|(file, _)| file.clone()).collect();
            if of_commit.is_empty() {
                continue;
            }
            let report = append(&ingest, &of_commit, &at("commits")).unwrap();
            written += 1;
            prop_assert_eq!(report.commit, Some(written));
        }
        let commits = EventStore::open(&at("commits")).unwrap();
        assert_same(&commits, &whole);
        commits.verify().unwrap();

        let before = bytes_of(&at("commits"));
        let report = append(&ingest, &files, &at("commits")).unwrap();
        prop_assert_eq!((report.commit, report.files_taken), (None, files.len()));
        prop_assert!(before == bytes_of(&at("commits")), "nothing new writes nothing");

        let (_, report) = Compaction::new().run(&at("commits"), &mut |_| ()).unwrap();
        prop_assert_eq!(report.commits, written as usize);
        let (found, expected) = (bytes_of(&at("commits")), bytes_of(&at("whole")));
        prop_assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (name, bytes) in &expected {
            prop_assert!(found[name] == *bytes, "{} differs", name.display());
        }
        // Who opened the store before reads on in what was there.
        assert_same(&commits, &whole);
    }

    #[test]
    fn a_changed_file_is_refused_or_replaced(days in days(), changed in proptest::collection::vec(row(), 0..25)) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let files: Vec<PathBuf> =
            days.iter().enumerate().map(|(day, (rows, _))| write_day(folder.path(), day, rows)).collect();
        let ingest = Ingest::new(rees46());
        for file in &files {
            append(&ingest, std::slice::from_ref(file), &at("commits")).unwrap();
        }
        let rows: Vec<String> = changed.into_iter().chain(["2019-10-01 00:00:07 UTC,view,7,2,,,1.00,3,".to_owned()]).collect();
        write_day(folder.path(), 0, &rows);
        if std::fs::read(&files[0]).unwrap() == std::fs::read(at("day-00.csv")).unwrap() && days[0].0 == rows {
            return Ok(());
        }
        let before = bytes_of(&at("commits"));
        let refused = append(&ingest, &files, &at("commits")).unwrap_err();
        prop_assert!(matches!(refused, IngestError::ChangedSource { ref name } if name == "day-00.csv"), "{}", refused);
        prop_assert!(before == bytes_of(&at("commits")));

        let replacing = ingest.clone().with_changed_files(ChangedFiles::Replace);
        let report = append(&replacing, &files, &at("commits")).unwrap();
        prop_assert_eq!((report.files, report.files_replaced, report.files_taken), (1, 1, files.len() - 1));
        let (whole, _) = ingest.run(&files, &at("whole"), &mut |_| ()).unwrap();
        let commits = EventStore::open(&at("commits")).unwrap();
        assert_same(&commits, &whole);
        Compaction::new().run(&at("commits"), &mut |_| ()).unwrap();
        prop_assert!(bytes_of(&at("commits")) == bytes_of(&at("whole")), "replaced rows are gone");
    }
}
