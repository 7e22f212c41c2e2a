//! Transactions beside all events, as commits come, files are replaced, users are erased, and all is compacted.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::slice;

use cip_ingest::{ChangedFiles, Compaction, Erasure, Ingest};
use cip_store::EventStore;

use crate::commits::append;
use crate::{HEADER, bytes_of, lines_of, rees46};

/// Enough events for a second row group.
const MANY: usize = 140_000;

/// One event in thirty is a purchase.
fn write_file(path: &Path, events: usize, price: usize) -> PathBuf {
    let mut text = format!("{HEADER}\n");
    for event in 0..events {
        let kind = if event % 30 == 7 { "purchase" } else { "view" };
        let (second, product, user) = (event % 60, event % 11, event * 7 % 500);
        writeln!(
            text,
            "2019-10-01 00:00:{second:02} UTC,{kind},{product},2,c.{product},b,{price}.25,{user},72d76fde-8bb3-4e00-8c23-a032dfed{user:04x}"
        )
        .unwrap();
    }
    std::fs::write(path, text).unwrap();
    path.to_owned()
}

/// How many commits have their transactions beside, given that these are the purchases of all events.
#[track_caller]
fn check(store: &Path) -> usize {
    let store = EventStore::open(store).unwrap();
    store.verify().unwrap();
    let columns = store.schema().arrow().fields().iter().map(|field| field.name().as_str());
    let columns: Vec<&str> = columns.filter(|&name| name != "source_session").collect();
    let all = lines_of(&store.scan(&columns));
    let purchases: Vec<String> = all.into_iter().filter(|line| line.contains("purchase")).collect();
    assert!(!purchases.is_empty());
    assert!(lines_of(&store.scan_transactions(&columns)) == purchases);
    store.manifest().commits.iter().filter(|commit| commit.transactions.is_some()).count()
}

#[test]
fn transactions_follow_their_events() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let first = write_file(&at("a.csv"), MANY, 1);
    let second = write_file(&at("b.csv"), 3_000, 2);
    let ingest = Ingest::new(rees46());
    append(&ingest, slice::from_ref(&first), &at("store")).unwrap();
    assert_eq!(check(&at("store")), 1);
    append(&ingest, slice::from_ref(&second), &at("store")).unwrap();
    assert_eq!(check(&at("store")), 1, "a small commit has none");

    let (whole, _) = ingest.run(&[first, second], &at("whole"), &mut |_| ()).unwrap();
    Compaction::new().run(&at("store"), &mut |_| ()).unwrap();
    assert_eq!(check(&at("store")), 1);
    assert!(bytes_of(&at("store")) == bytes_of(whole.path()), "compacting gives the bytes of one ingest");

    // The commit's own rows of a file that another replaces are not read any more.
    let replaced = write_file(&at("b.csv"), 2_000, 3);
    let ingest = ingest.with_changed_files(ChangedFiles::Replace);
    append(&ingest, &[at("a.csv"), replaced], &at("store")).unwrap();
    assert_eq!(check(&at("store")), 1);
    assert_eq!(EventStore::open(&at("store")).unwrap().manifest().commits.len(), 2);

    let (_, report) = Erasure::new(["7"]).run(&at("store")).unwrap();
    assert_eq!(report.found(), 0);
    assert_eq!(check(&at("store")), 0, "an erasure leaves none");
    Compaction::new().run(&at("store"), &mut |_| ()).unwrap();
    assert_eq!(check(&at("store")), 1);
}
