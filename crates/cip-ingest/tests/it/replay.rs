//! Rejects that are read again: the store is then what one ingest by the mended mapping makes of all files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use cip_ingest::{
    Action, ChangedFiles, Compaction, Contract, Expectation, Ingest, IngestError, ReplayReport, SourceMapping,
};
use cip_store::{EventStore, StoreError, StoreWriter, TableWriter};
use proptest::prelude::*;

use crate::commits::{append, assert_same};
use crate::{bytes_of, event_lines, threads};

/// A mapping of few columns: `product` names the column of the source that products come from.
fn mapping(product: &str, nulls: Nulls, drop: &str) -> SourceMapping {
    let nullable = nulls == Nulls::Allowed;
    SourceMapping::from_toml(&format!(
        "name = 'app'\n[columns]\nevent_time = {{ from = 't', type = 'timestamp' }}\n\
         event_type = {{ from = 'e', type = 'dictionary' }}\n\
         user_id = {{ from = 'u', type = 'int64', nullable = {nullable} }}\n\
         product_id = {{ from = '{product}', type = 'int64' }}\n\
         source_session = {{ from = 's', type = 'uuid', nullable = true }}\n{drop}"
    ))
    .unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nulls {
    Refused,
    Allowed,
}

const HEADER: &str = "t,e,u,a,b,s";
const NO_TYPE: &str = "[[drop]]\nrule = 'no_type'\ncolumn = 'e'\nequals = ''\n";

/// A row of few users and times, so that many rows tie. Where `a` is a number, `b` is the same one.
fn row() -> impl Strategy<Value = String> {
    let product = prop_oneof![
        5 => (0i64..5).prop_map(|product| format!("{product},{product}")),
        3 => (0i64..5).prop_map(|product| format!("p{product},{product}")),
        1 => (0i64..5).prop_map(|product| format!("p{product},p{product}")),
        1 => Just("\"p,\n1\",7".to_owned()),
    ];
    let kind = prop_oneof![8 => Just("view"), 3 => Just("cart"), 1 => Just("")];
    let user = prop_oneof![6 => (0i64..3).prop_map(|user| user.to_string()), 1 => Just(String::new())];
    let session = prop_oneof![3 => (0u32..4).prop_map(|id| format!("72d76fde-8bb3-4e00-8c23-a032dfed73{id:02x}")), 1 => Just(String::new())];
    let good = (0u32..4, kind, user, product, session)
        .prop_map(|(second, kind, user, product, session)| format!("2019-10-01 00:00:{second:02},{kind},{user},{product},{session}"));
    prop_oneof![10 => good, 1 => "[a-z,\r\n0-9]{0,20}"]
}

fn days() -> impl Strategy<Value = Vec<(Vec<String>, usize)>> {
    proptest::collection::vec((proptest::collection::vec(row(), 0..25), 0usize..4), 1..7)
}

fn write_day(folder: &Path, day: usize, rows: &[String]) -> PathBuf {
    let file = folder.join(format!("day-{day:02}.csv"));
    let own = format!("2019-10-02,view,9,{0},{0},", 100 + day);
    std::fs::write(&file, format!("{HEADER}\n{}\n{own}\n", rows.join("\n"))).unwrap();
    file
}

fn replay(ingest: &Ingest, store: &Path) -> Result<(EventStore, ReplayReport), IngestError> {
    ingest.replay(store, &mut |_| ())
}

#[track_caller]
fn assert_bytes(found: &Path, expected: &Path) {
    let (found, expected) = (bytes_of(found), bytes_of(expected));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in &expected {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(found[name] == *bytes, "{} differs\n{}\n{}", name.display(), text(&found[name]), text(bytes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// In any number of commits, with replaced files, in one step or in two: what is read is one ingest of all files by the
    /// mended mapping, and so are the bytes once the store is compacted. The same replay again writes nothing.
    #[test]
    fn a_replay_is_one_ingest_by_the_mended_mapping(
        days in days(), widen: bool, drops: bool, in_two: bool, replaces: bool, workers in 1usize..3,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let files: Vec<PathBuf> =
            days.iter().enumerate().map(|(day, (rows, _))| write_day(folder.path(), day, rows)).collect();
        let broken = Ingest::new(mapping("a", Nulls::Refused, "")).with_threads(threads(workers));
        for commit in [2, 0, 3, 1] {
            let of_commit: Vec<PathBuf> =
                files.iter().zip(&days).filter(|(_, day)| day.1 == commit).map(|(file, _)| file.clone()).collect();
            if !of_commit.is_empty() {
                append(&broken, &of_commit, &at("store")).unwrap();
            }
        }
        if replaces {
            let rows: Vec<String> = days.iter().flat_map(|(rows, _)| rows.iter().rev().cloned()).collect();
            write_day(folder.path(), 0, &rows);
            append(&broken.clone().with_changed_files(ChangedFiles::Replace), &files[..1], &at("store")).unwrap();
        }
        let before = EventStore::open(&at("store")).unwrap();
        let rows_before = event_lines(&before);
        let rejected = before.manifest().account().rejected();

        let nulls = if widen { Nulls::Allowed } else { Nulls::Refused };
        let drop = if drops { NO_TYPE } else { "" };
        let ingest = |mapping: SourceMapping| Ingest::new(mapping).with_threads(threads(workers));
        let mended = ingest(mapping("b", nulls, drop));
        let mut steps = vec![mended.clone()];
        if in_two {
            steps.insert(0, ingest(mapping("a", nulls, drop)));
        }
        let mut account = (rejected, 0, 0);
        for step in &steps {
            let (_, report) = replay(step, &at("store")).unwrap();
            prop_assert_eq!(report.account.rows, account.0, "all that were rejected");
            account = (report.account.rejected(), account.1 + report.account.events, account.2 + report.account.dropped());
        }
        prop_assert_eq!(rejected, account.0 + account.1 + account.2);

        let (whole, _) = mended.run(&files, &at("whole"), &mut |_| ()).unwrap();
        let store = EventStore::open(&at("store")).unwrap();
        store.verify().unwrap();
        assert_same(&store, &whole);
        prop_assert_eq!(event_lines(&before), rows_before, "who has it open reads on in the old store");

        let written = bytes_of(&at("store"));
        let (_, again) = replay(&mended, &at("store")).unwrap();
        prop_assert_eq!((again.commit, again.account.events), (None, 0));
        prop_assert!(bytes_of(&at("store")) == written, "the same replay again changes nothing");

        Compaction::new().run(&at("store"), &mut |_| ()).unwrap();
        assert_bytes(&at("store"), &at("whole"));
        // The next day comes by the mended mapping.
        let next = write_day(folder.path(), 77, &[]);
        prop_assert_eq!(append(&mended, &[next], &at("store")).unwrap().account.events, 1);
    }

    /// Rows that a contract sent to the rejects come back by the mended contract.
    #[test]
    fn a_quarantine_is_replayed_by_the_mended_contract(days in days()) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let files: Vec<PathBuf> =
            days.iter().enumerate().map(|(day, (rows, _))| write_day(folder.path(), day, rows)).collect();
        let ingest = |types: &[&str]| {
            let expectation = Expectation::accepted_values("known", "event_type", types.iter().copied(), Action::Quarantine);
            let contract = Contract::builder("types").with_expectation(expectation).build().unwrap();
            Ingest::new(mapping("a", Nulls::Refused, "")).with_contract(contract)
        };
        let (strict, mended) = (ingest(&["view"]), ingest(&["view", "cart"]));
        for file in &files {
            append(&strict, std::slice::from_ref(file), &at("store")).unwrap();
        }
        let (store, report) = replay(&mended, &at("store")).unwrap();
        let (whole, _) = mended.run(&files, &at("whole"), &mut |_| ()).unwrap();
        assert_same(&store, &whole);
        if report.commit.is_some() {
            let quality = report.quality.unwrap();
            prop_assert_eq!((quality.bronze, quality.silver), (report.account.rows, report.account.events));
        }
        let reports: usize = store.manifest().commits.iter().map(|commit| commit.quality.len()).sum();
        prop_assert_eq!(reports, files.len() + usize::from(report.commit.is_some()));
        // Without the reports, it is one ingest.
        Compaction::new().run(&at("store"), &mut |_| ()).unwrap();
        let [mut found, mut expected] = [bytes_of(&at("store")), bytes_of(&at("whole"))];
        for files in [&mut found, &mut expected] {
            let manifest = files.get_mut(Path::new("manifest.json")).unwrap();
            let mut value: serde_json::Value = serde_json::from_slice(manifest).unwrap();
            value["commits"][0]["quality"].take();
            *manifest = value.to_string().into_bytes();
        }
        prop_assert!(found == expected);
    }
}

/// Files of every format that there is, each with a row that the mended mapping reads, and one that nobody does.
#[test]
fn rejects_of_every_format_are_read_as_their_file_was() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| {
        std::fs::write(at(name), text).unwrap();
        at(name)
    };
    let semicolons = "t;e;u;a;b;s\r\n2019-10-01;view;1;p1;1;\r\n2019-10-01;\"view\r\nmore\";1;p1;2;\r\n\
                      2019-10-01;view;1;3;3;\r\n2019-10-01;view;1;p,\"4;4;\r\nx\r\n2019-10-01;view;1;p5;5;";
    let json = "{\"t\":\"2019-10-01\",\"e\":\"view\",\"u\":1,\"a\":\"p\\u0031\",\"b\":1,\"x\":[1]}\n\
                {\"t\":\"2019-10-01\",\"e\":\"view\",\"u\":1,\"a\":2,\"b\":2}\n{\"t\":\n\
                {\"t\":\"2019-10-01\",\"e\":\"view\",\"u\":1,\"a\":\"p3\",\"b\":\"p3\"}\n";
    let files = vec![
        write("a.csv", semicolons),
        write("b.csv", "t,b,a,e,u,s,more\n2019-10-01,1,p1,view,1,,x\n2019-10-01,1,2\n2019-10-01,\"2\n"),
        write("c.ndjson", json),
    ];
    for read in [files.clone(), vec![table_file(&at("d.parquet"))], vec![gzipped(&at("e.csv.gz"), semicolons)]] {
        let (store, whole) = (at("store"), at("whole"));
        Ingest::new(mapping("a", Nulls::Refused, "")).run(&read, &store, &mut |_| ()).unwrap();
        let mended = Ingest::new(mapping("b", Nulls::Refused, ""));
        let (_, report) = replay(&mended, &store).unwrap();
        if read.len() == 1 && read[0].ends_with("d.parquet") {
            unreachable!("a table has the columns that were read");
        }
        mended.run(&read, &whole, &mut |_| ()).unwrap();
        assert!(report.account.events > 1 && report.account.rejected() > 0, "{report:?}");
        assert_bytes(&store, &whole);
    }
}
