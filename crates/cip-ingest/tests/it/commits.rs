//! Files that come in several commits: what is read is what one ingest of all would hold, and compacting makes it so.

use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use cip_core::{Id, MemoryBudget, TimeRange};
use cip_ingest::{ChangedFiles, ColumnRule, Compaction, Ingest, IngestError, IngestReport, SourceMapping};
use cip_store::{EventStore, StoreError, StoreStatistics};
use proptest::prelude::*;

use crate::tags::checkout;
use crate::{HEADER, bytes_of, event_lines, layouts, rees46, threads};

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

pub(crate) fn append(ingest: &Ingest, files: &[PathBuf], store: &Path) -> Result<IngestReport, IngestError> {
    ingest.append(files, store, &mut |_| ()).map(|(_, report)| report)
}

/// The rejects of a store as lines of text.
pub(crate) fn reject_lines(store: &EventStore) -> Vec<String> {
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
pub(crate) fn counted(store: &EventStore) -> StoreStatistics {
    let statistics = store.statistics(MemoryBudget::from_mib(64)).unwrap();
    StoreStatistics { bytes: 0, columns: Vec::new(), ..statistics }
}

#[track_caller]
pub(crate) fn assert_same(commits: &EventStore, whole: &EventStore) {
    assert_eq!(event_lines(commits), event_lines(whole));
    assert_eq!(reject_lines(commits), reject_lines(whole));
    assert_eq!(counted(commits), counted(whole));
    assert_eq!(commits.manifest().account(), whole.manifest().account());
    assert_eq!(commits.manifest().time_span(), whole.manifest().time_span());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn commits_in_any_order_are_one_ingest_of_all_files(
        days in days(), tag: bool, workers in 1usize..3, layout in layouts(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let files: Vec<PathBuf> =
            days.iter().enumerate().map(|(day, (rows, _))| write_day(folder.path(), day, rows)).collect();
        let ingest = Ingest::new(rees46()).with_threads(threads(workers)).with_event_layout(layout);
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
    fn a_changed_file_is_refused_or_replaced(
        days in days(), changed in proptest::collection::vec(row(), 0..25), layout in layouts(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let files: Vec<PathBuf> =
            days.iter().enumerate().map(|(day, (rows, _))| write_day(folder.path(), day, rows)).collect();
        let ingest = Ingest::new(rees46()).with_event_layout(layout);
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

/// Row groups of the commits overlap, one user fills more than one of them, long texts cut them earlier, and users and
/// sessions are texts.
#[test]
fn commits_of_many_row_groups_are_merged_and_cut_as_one() {
    let mapping = SourceMapping::from_toml(
        "name = 'app'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
         event_type = { from = 'e', type = 'dictionary' }\nuser_id = { from = 'u', type = 'utf8', nullable = true }\n\
         product_id = { from = 'p', type = 'utf8', nullable = true }\n\
         source_session = { from = 's', type = 'utf8', nullable = true }\n\
         page = { from = 'n', type = 'utf8', nullable = true }\n",
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let files: Vec<PathBuf> = (0u64..3)
        .map(|day| {
            let mut text = String::from("t,e,u,p,s,n\n");
            for row in 0u64..90_000 {
                let mixed = (row * 3 + day).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                let user = match mixed % 8 {
                    0 => String::new(),
                    1..=3 => "much".to_owned(),
                    _ => format!("u{}", mixed % 5_000),
                };
                let page = if mixed % 3 == 0 { String::new() } else { format!("/{mixed:0>180}") };
                let (hour, minute) = (mixed / 8 % 24, mixed / 192 % 60);
                text.push_str(&format!(
                    "2024-05-{:02} {hour:02}:{minute:02}:00,view,{user},p{},{},{page}\n",
                    1 + mixed / 11_520 % 2,
                    mixed % 900,
                    mixed % 40
                ));
            }
            let file = at(&format!("{day}.csv"));
            std::fs::write(&file, text).unwrap();
            file
        })
        .collect();
    let ingest = Ingest::new(mapping);
    let (whole, _) = ingest.run(&files, &at("whole"), &mut |_| ()).unwrap();
    for day in [1, 0, 2] {
        append(&ingest, &files[day..=day], &at("commits")).unwrap();
    }
    let commits = EventStore::open(&at("commits")).unwrap();
    let groups = |store: &EventStore| -> usize {
        let files = store.manifest().commits.iter().flat_map(|commit| &commit.events);
        files.map(|file| file.row_groups.len()).sum()
    };
    assert!(groups(&whole) > 3 && groups(&commits) > 5);
    assert!(commits.scan(&["user_id"]).partitions().len() > 1);
    assert_eq!(counted(&commits), counted(&whole));

    // One user, and a range of time, are found in all commits.
    let times =
        TimeRange::new("2024-05-01T06:00:00Z".parse().unwrap(), "2024-05-01T09:00:00Z".parse().unwrap())
            .unwrap();
    let rows = |store: &EventStore, user: &str| -> usize {
        let scan = store.scan(&["page"]).with_time_range(times).with_user(Id::Utf8(user.into()));
        scan.partitions()
            .iter()
            .flat_map(|part| part.batches().unwrap())
            .map(|events| events.unwrap().len())
            .sum()
    };
    for user in ["much", "u0", "u4997", "none"] {
        assert_eq!(rows(&commits, user), rows(&whole, user), "{user}");
    }
    assert!(rows(&whole, "much") > 1_000);

    Compaction::new().with_threads(threads(2)).run(&at("commits"), &mut |_| ()).unwrap();
    assert!(bytes_of(&at("commits")) == bytes_of(&at("whole")));
}

#[test]
fn what_must_not_be_added_is_refused_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let first = write_day(folder.path(), 0, &[]);
    let ingest = Ingest::new(rees46());
    append(&ingest, std::slice::from_ref(&first), &at("store")).unwrap();
    let before = bytes_of(&at("store"));

    let copy = at("copy.csv");
    std::fs::copy(&first, &copy).unwrap();
    let error = append(&ingest, &[copy], &at("store")).unwrap_err().to_string();
    assert!(
        error.starts_with("`copy.csv` has the same bytes as `day-00.csv`, which is in the store"),
        "{error}"
    );

    let second = write_day(folder.path(), 1, &[]);
    let error =
        append(&ingest.clone().with_experiment(checkout()), std::slice::from_ref(&second), &at("store"));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("was filled with another experiment: the store has nothing, this is"), "{error}");

    let other = SourceMapping::builder("rees46")
        .with_column("event_time", ColumnRule::timestamp("event_time"))
        .with_column("event_type", ColumnRule::dictionary("event_type"))
        .build()
        .unwrap();
    let error =
        append(&Ingest::new(other), std::slice::from_ref(&second), &at("store")).unwrap_err().to_string();
    assert!(
        error.contains("was filled with another mapping: columns.product_id: the store has {"),
        "{error}"
    );
    assert!(error.contains("--rebuild"), "{error}");
    assert!(before == bytes_of(&at("store")));

    // A day on which nothing happened is taken, twice the same bytes as well: there is nothing to count twice.
    for name in ["empty-1.csv", "empty-2.csv"] {
        std::fs::write(at(name), format!("{HEADER}\n")).unwrap();
        assert_eq!(append(&ingest, &[at(name)], &at("store")).unwrap().account.rows, 0);
    }
    let store = EventStore::open(&at("store")).unwrap();
    assert_eq!((store.manifest().commits.len(), event_lines(&store).len()), (3, 1));
    // One commit needs no compaction, and is left as it is.
    let (whole, _) =
        ingest.run(&[first, at("empty-1.csv"), at("empty-2.csv")], &at("whole"), &mut |_| ()).unwrap();
    Compaction::new().run(&at("store"), &mut |_| ()).unwrap();
    assert!(bytes_of(&at("store")) == bytes_of(whole.path()));
    let (_, report) = Compaction::new().run(&at("store"), &mut |_| ()).unwrap();
    assert_eq!(report.commits, 1);
}

#[test]
fn two_writers_of_one_store_exclude_each_other_and_readers_are_not_disturbed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let files: Vec<PathBuf> = (0..3).map(|day| write_day(folder.path(), day, &[])).collect();
    let ingest = Ingest::new(rees46());
    append(&ingest, &files[..1], &at("store")).unwrap();
    append(&ingest, &files[1..2], &at("store")).unwrap();
    let reader = EventStore::open(&at("store")).unwrap();
    let lines = event_lines(&reader);
    {
        let _first = cip_store::StoreWriter::append(&at("store")).unwrap();
        let busy = |error: IngestError| matches!(error, IngestError::Store(StoreError::Busy { .. }));
        assert!(busy(append(&ingest, &files[2..], &at("store")).unwrap_err()));
        assert!(busy(Compaction::new().run(&at("store"), &mut |_| ()).unwrap_err()));
    }
    append(&ingest, &files[2..], &at("store")).unwrap();
    assert_eq!(event_lines(&reader), lines);
    Compaction::new().run(&at("store"), &mut |_| ()).unwrap();
    assert_eq!(event_lines(&reader), lines, "what was opened is still read");
    assert_eq!(event_lines(&EventStore::open(&at("store")).unwrap()).len(), 3);
}
