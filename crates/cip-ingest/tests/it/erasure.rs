//! Users who are erased: what is left is what an ingest of files without their records would hold.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cip_core::MemoryBudget;
use cip_ingest::{
    ChangedFiles, Compaction, CompactionOutcome, Contract, Erasure, ErasureReport, Ingest, IngestError,
    SourceMapping,
};
use cip_store::{Commit, CommitLayout, EventStore, FileContent, StoreError, TableWriter, read_table};
use proptest::prelude::*;
use serde_json::Value;

use crate::commits::{counted, reject_lines};
use crate::tags::checkout;
use crate::{HEADER, bytes_of, event_lines, ingest_text, layouts, rees46};

/// The user who is erased; products, sessions and words of other records are like the id.
const USER: &str = "3";

/// A record, and whether it is the user's.
#[derive(Debug, Clone)]
struct Record {
    text: String,
    theirs: bool,
}

fn record() -> impl Strategy<Value = Record> {
    let session = |session: u32| {
        if session == 0 { String::new() } else { format!("72d76fde-8bb3-4e00-8c23-a032dfed73{session:02x}") }
    };
    let good = (0u32..40, prop_oneof!["view", "cart", "purchase"], 1u32..9, 1u32..6, 0u32..5).prop_map(
        move |(second, kind, product, user, id)| Record {
            text: format!(
                "2019-10-01 00:00:{second:02} UTC,{kind},{product},2,c.{product},b{},3.50,{user},{}",
                product % 3,
                session(id)
            ),
            theirs: user.to_string() == USER,
        },
    );
    // The user of a row that can be split is its own field and no other.
    let refused = (1u32..6, 1u32..6).prop_map(|(product, user)| Record {
        text: format!("some day,view,{product},3,,,3,{user},"),
        theirs: user.to_string() == USER,
    });
    let cut = proptest::collection::vec(
        prop_oneof!["[a-c]", "[1-5]", Just("3.50".to_owned()), Just("33".to_owned())],
        1..5,
    )
    .prop_map(|words| Record { theirs: words.iter().any(|word| word == USER), text: words.join(",") });
    prop_oneof![8 => good, 1 => refused, 1 => cut]
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    proptest::collection::vec(record(), 0..25)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Everybodys,
    Others,
}

/// Writes a file of a day. The user's records come last, so that the places of the others do not depend on them.
fn write_day(folder: &Path, day: usize, records: &[Record], whose: Whose) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let others = records.iter().filter(|record| !record.theirs).map(|record| record.text.clone());
    let own = format!("2019-10-02 00:00:00 UTC,view,{},2,,,1.00,9,", 100 + day);
    let theirs = records.iter().filter(|record| record.theirs && whose == Whose::Everybodys);
    let lines: Vec<String> = others.chain([own]).chain(theirs.map(|record| record.text.clone())).collect();
    let file = folder.join(format!("day-{day:02}.csv"));
    std::fs::write(&file, format!("{HEADER}\n{}\n", lines.join("\n"))).unwrap();
    file
}

fn forget(store: &Path, ids: &[&str]) -> Result<(EventStore, ErasureReport), IngestError> {
    Erasure::new(ids.iter().copied()).run(store)
}

/// A commit without what says by its nature that there was more: the accounts and the checksums of sources, and the places, which
/// an erasure leaves out; and the codes of offers, of which it leaves gaps.
fn but_sources(commit: &Commit) -> Value {
    let mut value = serde_json::to_value(commit).unwrap();
    for key in [
        "account",
        "sources",
        "layout",
        "events",
        "rejects",
        "places",
        "session_dictionary",
        "product_dictionary",
        "compact",
    ] {
        value.as_object_mut().unwrap().remove(key);
    }
    value
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_left_is_an_ingest_without_the_users_records(
        days in proptest::collection::vec((records(), 0usize..3), 1..6),
        changed in proptest::option::of(records()),
        tag: bool,
        layout in layouts(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let ingest = Ingest::new(rees46()).with_changed_files(ChangedFiles::Replace).with_event_layout(layout);
        let ingest = if tag { ingest.with_experiment(checkout()) } else { ingest };
        for (name, whose) in [("all", Whose::Everybodys), ("others", Whose::Others)] {
            let mut files: Vec<PathBuf> = Vec::new();
            for (day, (records, _)) in days.iter().enumerate() {
                files.push(write_day(&at(&format!("{name}-files")), day, records, whose));
            }
            for commit in 0..3 {
                let of_commit = files.iter().zip(&days).filter(|(_, day)| day.1 == commit);
                let of_commit: Vec<PathBuf> = of_commit.map(|(file, _)| file.clone()).collect();
                if !of_commit.is_empty() {
                    ingest.append(&of_commit, &at(name), &mut |_| ()).unwrap();
                }
            }
            if let Some(changed) = &changed {
                let file = write_day(&at(&format!("{name}-files")), 0, changed, whose);
                ingest.append(&[file], &at(name), &mut |_| ()).unwrap();
            }
        }
        let before = EventStore::open(&at("all")).unwrap();
        let accounts = |store: &EventStore| -> Vec<_> {
            store.manifest().commits.iter().flat_map(|commit| commit.sources.clone()).collect()
        };
        let (store, report) = forget(&at("all"), &[USER, "77"]).unwrap();
        let others = EventStore::open(&at("others")).unwrap();
        prop_assert_eq!(report.found(), 0);
        store.verify().unwrap();
        prop_assert_eq!(event_lines(&store), event_lines(&others));
        prop_assert_eq!(reject_lines(&store), reject_lines(&others));
        prop_assert_eq!(counted(&store), counted(&others));
        // The law of rows, of each file: what it had is there, or forgotten.
        for (was, is) in accounts(&before).iter().zip(accounts(&store)) {
            is.account.check().unwrap();
            prop_assert_eq!(&was.xxh3, &is.xxh3);
            prop_assert_eq!(was.account.rows, is.account.rows);
            let gone = was.account.events + was.account.rejected() - is.account.events - is.account.rejected();
            prop_assert_eq!(is.account.forgotten, gone);
        }
        let erased = report.erased("events") + report.erased("rejects");
        prop_assert_eq!(accounts(&store).iter().map(|source| source.account.forgotten).sum::<u64>(), erased);
        // A file whose change was only the user's makes a commit in one of the stores alone.
        let commits = (&store.manifest().commits, &others.manifest().commits);
        if commits.0.len() == commits.1.len() {
            for (is, other) in commits.0.iter().zip(commits.1) {
                prop_assert_eq!(but_sources(is), but_sources(other));
            }
        }

        let again = bytes_of(&at("all"));
        let (_, second) = forget(&at("all"), &[USER]).unwrap();
        prop_assert!(second.is_nothing());
        prop_assert!(again == bytes_of(&at("all")), "nothing is written where there is nothing");

        Compaction::new().run(&at("all"), &mut |_| ()).unwrap();
        Compaction::new().run(&at("others"), &mut |_| ()).unwrap();
        let (found, mut expected) = (bytes_of(&at("all")), bytes_of(&at("others")));
        // Nobody knows any more which rejects stood where.
        if erased > 0 {
            expected.retain(|name, _| !name.ends_with("places.parquet") || found.contains_key(name));
        }
        prop_assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (name, bytes) in expected.iter().filter(|(name, _)| !name.ends_with("manifest.json")) {
            prop_assert!(found[name] == *bytes, "{} differs", name.display());
        }
        let commit = |name: &str| EventStore::open(&at(name)).unwrap().manifest().commits[0].clone();
        prop_assert_eq!(commit("all").layout, CommitLayout::Whole);
        prop_assert_eq!(but_sources(&commit("all")), but_sources(&commit("others")));
        // The files were taken: their rows do not come back.
        let files: Vec<PathBuf> = (0..days.len()).map(|day| at(&format!("all-files/day-{day:02}.csv"))).collect();
        let (_, report) = ingest.append(&files, &at("all"), &mut |_| ()).unwrap();
        prop_assert_eq!((report.commit, report.files_taken), (None, files.len()));
    }
}

/// Row groups of a store of texts: one user fills several of them, others stand at their borders.
#[test]
fn only_what_changes_is_written_anew() {
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
    let write = |name: &str, without: &[&str]| {
        let mut text = String::from("t,e,u,p,s,n\n");
        for row in 0u64..200_000 {
            let mixed = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            let user = match mixed % 8 {
                0 => String::new(),
                1..=3 => "much".to_owned(),
                _ => format!("u{}", mixed % 5_000),
            };
            if without.contains(&user.as_str()) {
                continue;
            }
            let (page, session) = (format!("/{mixed:0>180}"), mixed % 40);
            let product = if user == "u77" { "only-u77".to_owned() } else { format!("p{}", mixed % 900) };
            text.push_str(&format!(
                "2024-05-{:02} 01:02:03,view,{user},{product},{session},{page}\n",
                1 + mixed / 11_520 % 28
            ));
        }
        std::fs::create_dir_all(at(name)).unwrap();
        std::fs::write(at(name).join("a.csv"), text).unwrap();
        at(name).join("a.csv")
    };
    let all = write("all-files", &[]);
    let ingest = Ingest::new(mapping);
    let groups = |store: &EventStore| {
        store.manifest().commits[0].events.iter().map(|file| file.row_groups.len()).sum::<usize>()
    };
    for users in [&["u77"][..], &["much"], &["u4", "u4999", "much", "u77"]] {
        let (before, _) = ingest.run(std::slice::from_ref(&all), &at("all"), &mut |_| ()).unwrap();
        assert!(groups(&before) >= 3);
        let (store, report) = forget(&at("all"), users).unwrap();
        assert_eq!(report.users_with_events, users.len() as u64);
        assert_eq!(report.erased("product_dictionary"), u64::from(users.contains(&"u77")));
        let (others, _) = ingest.run(&[write("others-files", users)], &at("others"), &mut |_| ()).unwrap();
        assert_eq!(counted(&store), counted(&others));
        if users == ["u77"] {
            // One row group is encoded anew; of the others the columns are as they were, but for the session codes behind it.
            let checksums =
                |store: &EventStore| store.manifest().commits[0].events[0].file.column_xxh3.clone();
            let (old, new) = (checksums(&before), checksums(&store));
            let sessions = store.schema().arrow().index_of("source_session").unwrap();
            let (mut anew, mut moved) = (0, 0);
            for (old, new) in old.iter().zip(&new) {
                let differ: Vec<usize> =
                    (0..old.len()).filter(|&column| old[column] != new[column]).collect();
                match &differ[..] {
                    [] => (),
                    [column] if *column == sessions => moved += 1,
                    _ => anew += 1,
                }
            }
            assert_eq!(anew, 1);
            assert!(moved < old.len() - 1, "row groups before it are as they were");
        }
        let (_, report) = Compaction::new().run(&at("all"), &mut |_| ()).unwrap();
        assert_eq!(report.outcome, CompactionOutcome::Refilled);
        let (mut found, mut expected) = (bytes_of(&at("all")), bytes_of(&at("others")));
        assert!(found.remove(Path::new("manifest.json")) != expected.remove(Path::new("manifest.json")));
        assert!(found == expected, "without {users:?}");
        let (_, report) = Compaction::new().run(&at("all"), &mut |_| ()).unwrap();
        assert_eq!(report.outcome, CompactionOutcome::AsItWas);
    }
}

/// A commit in which the user has nothing is not written: its files are those that were there.
#[test]
fn files_without_the_user_are_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let ingest = Ingest::new(rees46());
    for (day, user) in [7, 8].into_iter().enumerate() {
        let file = at(&format!("{day}.csv"));
        std::fs::write(&file, format!("{HEADER}\n2019-10-01 00:00:00 UTC,view,1,2,,,1.00,{user},\n"))
            .unwrap();
        ingest.append(&[file], &at("store"), &mut |_| ()).unwrap();
    }
    let inode = |file: &str| std::fs::metadata(at("store/commits").join(file)).unwrap().ino();
    let files = ["000001/events-00000.parquet", "000002/events-00000.parquet", "000001/rejects.parquet"];
    let before = files.map(inode);
    let (store, report) = forget(&at("store"), &["8"]).unwrap();
    assert!(!at("store/commits/000002/events-00000.parquet").exists(), "a file of nobody is gone");
    assert_eq!([before[0], before[2]], [inode(files[0]), inode(files[2])]);
    assert_eq!(store.manifest().commits[1].users, 0);
    assert_eq!(store.manifest().commits[1].time_span, None);
    // All that the first commit has is in the account of files that were read again.
    assert!(report.store.iter().any(|file| file.path.ends_with(files[0]) && file.rows_before == 1));
    assert!(report.store.iter().any(|file| file.path.ends_with(files[1]) && file.erased == 1));
    // The last user of all: a store without events is a store.
    let (store, _) = forget(&at("store"), &["7"]).unwrap();
    assert_eq!(event_lines(&store).len(), 0);
    assert_eq!(store.manifest().account().forgotten, 2);
    assert_eq!(store.manifest().time_span(), None);
    Compaction::new().run(&at("store"), &mut |_| ()).unwrap();
    assert_eq!(EventStore::open(&at("store")).unwrap().manifest().account().forgotten, 2);
}

#[test]
fn a_contract_that_names_the_user_names_them_no_more() {
    let contract = Contract::from_toml(
        "name = 'people'\n[[expectations]]\nname = 'known'\nexpect = 'referential'\ncolumn = 'user_id'\n\
         values = [3, 4]\naction = 'warn'\n",
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.csv");
    std::fs::write(&file, format!("{HEADER}\n2019-10-01 00:00:00 UTC,view,1,2,,,1.00,3,\n2019-10-01 00:00:00 UTC,view,1,2,,,1.00,4,\n"))
        .unwrap();
    let store = folder.path().join("store");
    Ingest::new(rees46()).with_contract(contract.unwrap()).run(&[file], &store, &mut |_| ()).unwrap();
    let (store, report) = forget(&store, &[USER]).unwrap();
    assert_eq!((report.erased("events"), report.mentions()), (1, 0));
    let kept = &store.manifest().commits[0].quality[0];
    assert_eq!(kept.pointer("/contract/expectations/0/values"), Some(&serde_json::json!([4])));
    let bound = kept.pointer("/report/expectations/0/bound").and_then(Value::as_str).unwrap();
    assert!(!bound.contains(USER), "{bound}");
}

#[test]
fn rejects_beside_the_store_are_searched_as_those_in_it() {
    let rows = "2019-10-01 00:00:00 UTC,view,1,2,,,1.00,4,\nsome day,view,1,2,,,1.00,3,\nsome day,view,3,3,,,3,4,\ncut,3\n";
    let (folder, store, _) = ingest_text(format!("{HEADER}\n{rows}")).unwrap();
    let copy = folder.path().join("rejects.parquet");
    let rejects = store.rejects().unwrap().unwrap();
    let mut table = TableWriter::create(&copy, "rejects", &rejects.schema()).unwrap();
    rejects.for_each(|batch| table.write(batch.unwrap()).unwrap());
    assert_eq!(table.finish().unwrap(), 3);
    let stranger = folder.path().join("stranger.parquet");
    std::fs::write(&stranger, "not a table").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "3").unwrap();

    let part = store.path().join(&store.manifest().commits[0].rejects.path);
    let refused = Erasure::new([USER]).with_derived([part]).run(store.path()).unwrap_err();
    assert!(refused.to_string().contains("is a part of the store"), "{refused}");
    let refused = Erasure::new([USER]).with_derived([stranger.clone()]).run(store.path()).unwrap_err();
    assert!(refused.to_string().contains("is not a table that cip wrote"), "{refused}");
    assert_eq!(event_lines(&EventStore::open(store.path()).unwrap()).len(), 1);
    let (_, report) =
        Erasure::new([USER]).with_derived([folder.path().to_owned()]).run(store.path()).unwrap();
    assert_eq!((report.erased("rejects"), report.erased_from_derived()), (2, 2));
    assert_eq!(report.derived[0].content, FileContent::Rows);
    assert_eq!(report.left_alone, [stranger]);
    assert!(report.aggregates.iter().any(|path| path.ends_with("notes.txt")));
    let left: Vec<_> = read_table(&copy).unwrap().collect();
    assert_eq!(left.iter().map(|batch| batch.as_ref().unwrap().num_rows()).sum::<usize>(), 1);
}

#[test]
fn what_cannot_be_erased_says_why_and_changes_nothing() {
    let (folder, store, _) =
        ingest_text(format!("{HEADER}\n2019-10-01 00:00:00 UTC,view,1,2,,,1.00,4,\n")).unwrap();
    let before = bytes_of(store.path());
    let refused = forget(store.path(), &["4", "ann"]).unwrap_err();
    assert!(refused.to_string().contains("`ann` cannot be a user of"), "{refused}");
    let refused = Erasure::new([USER]).with_memory(MemoryBudget::from_mib(8)).run(store.path()).unwrap_err();
    assert!(refused.to_string().contains("give it"), "{refused}");
    assert!(matches!(
        forget(&folder.path().join("none"), &["4"]),
        Err(IngestError::Store(StoreError::Io { .. } | StoreError::NotAStore { .. }))
    ));
    assert!(before == bytes_of(store.path()));

    let mapping = SourceMapping::from_toml(
        "name = 'x'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
         event_type = { from = 'e', type = 'dictionary' }\n",
    )
    .unwrap();
    let (file, nobodys) = (folder.path().join("n.csv"), folder.path().join("nobodys"));
    std::fs::write(&file, "t,e\n2019-10-01,view\n").unwrap();
    Ingest::new(mapping).run(&[file], &nobodys, &mut |_| ()).unwrap();
    let refused = forget(&nobodys, &["4"]).unwrap_err();
    assert!(refused.to_string().contains("has no `user_id`"), "{refused}");
}
