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
use crate::{bytes_of, event_lines, layouts, threads};

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
    let good = (0u32..4, kind, user, product, session).prop_map(|(second, kind, user, product, session)| {
        format!("2019-10-01 00:00:{second:02},{kind},{user},{product},{session}")
    });
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
        layout in layouts(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let files: Vec<PathBuf> =
            days.iter().enumerate().map(|(day, (rows, _))| write_day(folder.path(), day, rows)).collect();
        let priced = |drop: &str| format!("price = {{ from = 'b', type = 'money', scale = 2 }}\n{drop}");
        let broken =
            Ingest::new(mapping("a", Nulls::Refused, &priced(""))).with_threads(threads(workers)).with_event_layout(layout);
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
        let ingest =
            |mapping: SourceMapping| Ingest::new(mapping).with_threads(threads(workers)).with_event_layout(layout);
        let mended = ingest(mapping("b", nulls, &priced(drop)));
        let mut steps = vec![mended.clone()];
        if in_two {
            steps.insert(0, ingest(mapping("a", nulls, &priced(drop))));
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

/// Files in all forms of text, each with rows that the mended mapping reads and one that nobody does.
#[test]
fn rejects_of_every_format_are_read_as_their_file_was() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| {
        std::fs::write(at(name), text).unwrap();
        at(name)
    };
    let semicolons = "t;e;u;a;b;s\r\n2019-10-01;view;1;p1;1;\r\n2019-10-01;\"view\r\nmore\";1;p1;2;\r\n\
                      2019-10-01;view;1;3;3;\r\n2019-10-01;view;1;p,\"4;4;\r\nx\r\n2019-10-01;view\r\r\n\
                      2019-10-01;\"view;1;p4;4;\r\n2019-10-01;view;1;p5;5;";
    let json = "{\"t\":\"2019-10-01\",\"e\":\"view\",\"u\":1,\"a\":\"p\\u0031\",\"b\":1,\"x\":[1]}\n\
                {\"t\":\"2019-10-01\",\"e\":\"view\",\"u\":1,\"a\":2,\"b\":2}\n{\"t\":\n\
                {\"t\":\"2019-10-01\",\"e\":\"view\",\"u\":1,\"a\":\"p3\",\"b\":\"p3\"}\n";
    let gzipped = std::fs::File::create(at("e.csv.gz")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(gzipped, flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, semicolons.replace("view", "cart").as_bytes()).unwrap();
    gzip.finish().unwrap();
    let files = [
        write("a.csv", semicolons),
        write("b.csv", "t,b,a,e,u,s,more\n2019-10-01,1,p1,view,1,,x\n2019-10-01,1,2\n2019-10-01,\"2\n"),
        write("c.ndjson", json),
        at("e.csv.gz"),
    ];
    let (store, whole) = (at("store"), at("whole"));
    Ingest::new(mapping("a", Nulls::Refused, "")).run(&files, &store, &mut |_| ()).unwrap();
    let mended = Ingest::new(mapping("b", Nulls::Refused, ""));
    let (_, report) = replay(&mended, &store).unwrap();
    mended.run(&files, &whole, &mut |_| ()).unwrap();
    assert_eq!((report.account.rows, report.account.events, report.account.rejected()), (20, 10, 10));
    assert_bytes(&store, &whole);

    // A mapping that reads them in another way is refused, and so is one that reads columns that are not there.
    let before = bytes_of(&store);
    let with = |more: &str, product: &str| {
        let text = toml::to_string(&mapping(product, Nulls::Refused, "")).unwrap();
        Ingest::new(SourceMapping::from_toml(&format!("{more}\n{text}")).unwrap())
    };
    for (ingest, expected) in [
        (with("delimiter = ','", "b"), "the rejects of `a.csv` are written in CSV with the delimiter ';'"),
        (with("format = 'csv'", "b"), "the rejects of `c.ndjson` are written in JSON lines"),
        (with("", "c"), "the rejects of `a.csv` have the columns t, e, u, a, b, s, mapping `app` reads"),
    ] {
        let error = replay(&ingest, &store).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    assert!(bytes_of(&store) == before);
}

#[test]
fn rejects_without_a_header_line_are_read_by_the_names_of_the_mapping() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("a.txt"), "1 20191001 x 5\n2 20191001 6 6\n\n1 20191001  7\n3 20191001 y y\n").unwrap();
    let mapping = |names: &str, product: &str| {
        SourceMapping::from_toml(&format!(
            "name = 'blank'\nformat = 'blanks'\nwithout_header = [{names}]\n[columns]\n\
             user_id = {{ from = 'u', type = 'int64' }}\n\
             event_time = {{ from = 't', type = 'timestamp', format = 'basic_date' }}\n\
             event_type = {{ constant = 'purchase', type = 'dictionary' }}\n\
             product_id = {{ from = '{product}', type = 'int64' }}\n"
        ))
        .unwrap()
    };
    let files = [at("a.txt")];
    Ingest::new(mapping("['u','t','a','b']", "a")).run(&files, &at("store"), &mut |_| ()).unwrap();
    let mended = Ingest::new(mapping("['u','t','x','p']", "p"));
    let (_, report) = replay(&mended, &at("store")).unwrap();
    assert_eq!((report.account.events, report.account.rejected()), (1, 2));
    mended.run(&files, &at("whole"), &mut |_| ()).unwrap();
    assert_bytes(&at("store"), &at("whole"));

    let unnamed = Ingest::new(mapping("['p','u','t']", "p"));
    let error = replay(&unnamed, &at("store")).unwrap_err();
    assert!(matches!(error, IngestError::ReplayColumns { .. }), "{error}");
}

/// The text of a table has the columns that the mapping reads.
#[test]
fn rejects_of_a_table_are_read_by_a_mapping_of_the_same_columns() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let rows = [["1", "9", "4"], ["", "9", "5"], ["2", "x", "6"], ["3", "\"\n", "7"]];
    let column = |at: usize| Arc::new(StringArray::from_iter_values(rows.map(|row| row[at]))) as ArrayRef;
    let same = |text: &str| Arc::new(StringArray::from(vec![text; rows.len()])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("b", column(2)),
        ("a", column(1)),
        ("u", column(0)),
        ("e", same("view")),
        ("t", same("2019-10-01")),
        ("s", same("")),
    ]);
    let batch = batch.unwrap();
    let mut table = TableWriter::create(&at("t.parquet"), "events", &batch.schema()).unwrap();
    table.write(batch).unwrap();
    table.finish().unwrap();

    let files = [at("t.parquet")];
    Ingest::new(mapping("a", Nulls::Refused, "")).run(&files, &at("store"), &mut |_| ()).unwrap();
    let mended = Ingest::new(mapping("a", Nulls::Allowed, ""));
    let (_, report) = replay(&mended, &at("store")).unwrap();
    assert_eq!((report.account.events, report.account.rejected()), (1, 2));
    mended.run(&files, &at("whole"), &mut |_| ()).unwrap();
    assert_bytes(&at("store"), &at("whole"));

    let others = Ingest::new(mapping("b", Nulls::Allowed, ""));
    let error = replay(&others, &at("store")).unwrap_err().to_string();
    assert!(error.contains("have the columns t, e, u, a, s, mapping `app` reads t, e, u, b, s"), "{error}");
}

/// Of long records the store has a part, and they stay rejects with what was said of them.
#[test]
fn records_that_are_kept_in_part_stay_rejects() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let row = |kind: &str| format!("2019-10-01,{kind},1,x,7,\n");
    let (long, longer) = ("y".repeat(80 << 10), "z".repeat(2 << 20));
    let text = format!("{HEADER}\n{}{}{}{}", row("view"), row(&long), row(&longer), row("cart"));
    std::fs::write(at("a.csv"), text).unwrap();
    let files = [at("a.csv")];
    Ingest::new(mapping("a", Nulls::Refused, "")).run(&files, &at("store"), &mut |_| ()).unwrap();
    let mended = Ingest::new(mapping("b", Nulls::Refused, ""));
    let (store, report) = replay(&mended, &at("store")).unwrap();
    assert_eq!((report.account.events, report.cut), (2, 2));
    let rejects = &store.manifest().account().rejects;
    assert_eq!((rejects["invalid_integer"], rejects["too_long"]), (1, 1));
    assert_eq!(replay(&mended, &at("store")).unwrap().1.commit, None);
}

#[test]
fn what_cannot_be_replayed_is_refused_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let rows = ["2019-10-01,view,1,p,7,".to_owned(), "2019-10-01,view,1,7,7,".to_owned()];
    let files = [write_day(folder.path(), 0, &rows), write_day(folder.path(), 1, &[])];
    let contract =
        |expectation: Expectation| Contract::builder("c").with_expectation(expectation).build().unwrap();
    let known =
        || contract(Expectation::accepted_values("known", "event_type", ["view"], Action::Quarantine));
    let broken = Ingest::new(mapping("a", Nulls::Refused, ""));
    append(&broken.clone().with_contract(known()), &files[..1], &at("store")).unwrap();
    append(&broken, &files[1..], &at("store")).unwrap();
    let before = bytes_of(&at("store"));
    let mended = Ingest::new(mapping("b", Nulls::Refused, ""));
    let refused = |ingest: &Ingest, expected: &str| {
        let error = replay(ingest, &at("store")).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(bytes_of(&at("store")) == before, "the store is as it was");
    };
    refused(&mended, "held against contract `c`: give the contract to hold the rejects against (--contract)");
    let unique = contract(Expectation::unique("once", &["user_id"], Action::Warn));
    refused(
        &mended.clone().with_contract(unique),
        "expects rows to be unique (`once`), which a replay cannot tell",
    );
    let tagged = mended.clone().with_contract(known()).with_experiment(crate::tags::checkout());
    refused(&tagged, "was filled with another experiment");
    let text = SourceMapping::from_toml(
        "name = 'app'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
         event_type = { from = 'e', type = 'dictionary' }\nuser_id = { from = 'u', type = 'int64' }\n\
         product_id = { from = 'b', type = 'utf8' }\n\
         source_session = { from = 's', type = 'uuid', nullable = true }\n",
    );
    refused(&Ingest::new(text.unwrap()).with_contract(known()), "was filled with another set of columns");
    let sessions =
        toml::to_string(&mapping("b", Nulls::Refused, "")).unwrap().replace("\"uuid\"", "\"utf8\"");
    let sessions = SourceMapping::from_toml(&sessions).unwrap();
    refused(
        &Ingest::new(sessions).with_contract(known()),
        "source_session: the store has Some(Uuid), this is",
    );
    let fails = contract(Expectation::accepted_values("known", "product_id", [8], Action::Fail));
    refused(&mended.clone().with_contract(fails), "day-00.csv line 2: known: `7` is not as expected");
    let none = broken.clone().with_contract(known()).with_max_rejects(0);
    refused(&none, "1 rows were rejected, more than the 0 allowed; first: day-00.csv line 2");
    {
        let _first = StoreWriter::append(&at("store")).unwrap();
        let error = replay(&mended.clone().with_contract(known()), &at("store")).unwrap_err();
        assert!(matches!(error, IngestError::Store(StoreError::Busy { .. })), "{error}");
    }

    // Other commits are not touched, and one that is written anew goes behind them.
    let (store, report) = replay(&mended.clone().with_contract(known()), &at("store")).unwrap();
    assert_eq!((report.commit, report.account.events), (Some(3), 1));
    let ids: Vec<u32> = store.manifest().commits.iter().map(|commit| commit.id).collect();
    assert_eq!(ids, [2, 3]);
    let folders: Vec<_> =
        std::fs::read_dir(at("store/commits")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(folders.len(), 2, "{folders:?}");
    assert!(!bytes_of(&at("store")).keys().any(|name| name.ends_with("places.parquet")), "no reject is left");

    // Without rejects there is nothing to replay, but the mapping may still change.
    let dropping = Ingest::new(mapping("b", Nulls::Refused, NO_TYPE));
    assert!(append(&dropping, &files, &at("store")).is_err());
    let (store, report) = replay(&dropping, &at("store")).unwrap();
    assert_eq!((report.commit, report.account.rows, store.manifest().commits.len()), (None, 0, 2));
    assert_eq!(append(&dropping, &files, &at("store")).unwrap().files_taken, 2);
}

/// Where events stand is known of stores whose commits say so.
#[test]
fn a_commit_that_does_not_say_where_its_events_stand_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let files = [write_day(folder.path(), 0, &["2019-10-01,view,1,p,7,".to_owned()])];
    Ingest::new(mapping("a", Nulls::Refused, "")).run(&files, &store, &mut |_| ()).unwrap();
    let manifest = store.join("manifest.json");
    let mut value: serde_json::Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    let mended = Ingest::new(mapping("b", Nulls::Refused, ""));
    for (field, expected) in [
        ("places", "commit 1 of"),
        (
            "records",
            "the rejects of `day-00.csv` are written in an unknown format: an earlier version of cip read it",
        ),
    ] {
        let place =
            if field == "places" { &mut value["commits"][0] } else { &mut value["commits"][0]["sources"][0] };
        let taken = place.as_object_mut().unwrap().remove(field).unwrap();
        std::fs::write(&manifest, value.to_string()).unwrap();
        let error = replay(&mended, &store).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        let place =
            if field == "places" { &mut value["commits"][0] } else { &mut value["commits"][0]["sources"][0] };
        place[field] = taken;
    }
    std::fs::write(&manifest, value.to_string()).unwrap();
    assert_eq!(replay(&mended, &store).unwrap().1.account.events, 1);
}

/// Row groups of several commits, of which one user fills more than one; rejects lie all over the files.
#[test]
fn rejects_of_many_row_groups_fall_into_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let files: Vec<PathBuf> = (0u64..3)
        .map(|day| {
            let mut text = format!("{HEADER}\n");
            for row in 0u64..120_000 {
                let mixed = (row * 3 + day).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                let user = if mixed % 8 < 5 { 7 } else { mixed % 5_000 };
                let product = if mixed % 11 == 0 { "p".to_owned() } else { (row % 900).to_string() };
                let (minute, kind) = (mixed / 8 % 60, ["view", "cart"][(mixed / 480 % 2) as usize]);
                text.push_str(&format!("2024-05-01 00:{minute:02},{kind},{user},{product},{},\n", row % 900));
            }
            let file = at(&format!("{day}.csv"));
            std::fs::write(&file, text).unwrap();
            file
        })
        .collect();
    let broken = Ingest::new(mapping("a", Nulls::Refused, ""));
    append(&broken, &files[1..2], &at("store")).unwrap();
    append(&broken, &[files[0].clone(), files[2].clone()], &at("store")).unwrap();
    let mended = Ingest::new(mapping("b", Nulls::Refused, ""));
    let (_, report) = replay(&mended, &at("store")).unwrap();
    assert!(report.account.events > 30_000);
    mended.run(&files, &at("whole"), &mut |_| ()).unwrap();
    assert!(bytes_of(&at("store")) == bytes_of(&at("whole")));
}
