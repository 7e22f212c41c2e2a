//! `cip ingest --replay`: the rejects of a store, read again by a mapping that was mended.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use crate::{args, bytes_of, cip, command, names_in};

/// A mapping of an app's log; `user` says more of its users.
fn mapping(folder: &Path, name: &str, user: &str) {
    let text = format!(
        "name = 'app-log'\n[columns]\nevent_time = {{ from = 'ts', type = 'timestamp', format = 'epoch_seconds' }}\n\
         event_type = {{ from = 'action', type = 'dictionary' }}\nuser_id = {{ from = 'visitor', type = 'utf8'{user} }}\n\
         product_id = {{ from = 'sku', type = 'utf8' }}\n"
    );
    fs::write(folder.join(name), text).unwrap();
}

/// Rows of which every fifth has no visitor, and the last one is cut.
fn log(rows: u64) -> String {
    let mut text = "ts,action,visitor,sku\n".to_owned();
    for row in 0..rows {
        let visitor = if row % 5 == 0 { String::new() } else { format!("v{}", row % 97) };
        text.push_str(&format!("{},view,{visitor},s{}\n", 1_569_888_000 + row / 7, row % 13));
    }
    text.push_str("156988,o\n");
    text
}

#[test]
fn rejects_become_events_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    mapping(folder.path(), "old.toml", "");
    mapping(folder.path(), "new.toml", ", nullable = true");
    fs::write(at("log.csv"), log(100)).unwrap();
    cip(args!["ingest", at("log.csv"), "--mapping", at("old.toml"), "--out", at("store")]).ok();
    let replay = args!["ingest", "--mapping", at("new.toml"), "--out", at("store"), "--replay"];

    let said = cip(&replay).ok().stdout;
    let expected = "replayed: 21 rows = 20 events + 1 rejected (field_count 1) + 0 dropped\n";
    assert!(said.starts_with(expected), "{said}");
    assert!(
        said.contains("store: 101 rows = 100 events + 1 rejected (field_count 1) + 0 dropped\n"),
        "{said}"
    );
    let before = bytes_of(&at("store"));
    let said = cip(&replay).ok().stdout;
    assert!(said.starts_with("1 rejected rows of ") && said.ends_with("store stay as they are\n"), "{said}");
    let again = cip([&replay[..], &args!["--json"]].concat()).ok().json();
    assert_eq!((&again["replayed"]["rows"], &again["replayed"]["events"]), (&1.into(), &0.into()));
    assert_eq!((&again["commit"], &again["account"]["events"]), (&serde_json::Value::Null, &100.into()));
    assert!(bytes_of(&at("store")) == before);

    cip(args!["ingest", at("log.csv"), "--mapping", at("new.toml"), "--out", at("whole")]).ok();
    assert!(bytes_of(&at("whole")) == before, "one ingest by the mended mapping has the same bytes");
    assert_eq!(cip(args!["rejects", at("store"), "--json"]).ok().json()["rejected"], 1);
    let added =
        cip(args!["ingest", at("log.csv"), "--mapping", at("new.toml"), "--out", at("store"), "--json"]);
    assert_eq!(added.ok().json()["files_taken"], 1);
}

#[test]
fn what_goes_with_a_replay_and_what_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    mapping(folder.path(), "m.toml", "");
    fs::write(at("log.csv"), log(10)).unwrap();
    let replay = args!["ingest", "--mapping", at("m.toml"), "--out", at("store"), "--replay"];
    for more in
        [&args![at("log.csv")][..], &args!["--rebuild"], &args!["--changed", "replace"], &args!["--dry-run"]]
    {
        cip([&replay[..], more].concat()).fails(2, "cannot be used with");
    }
    cip(args!["ingest", "--mapping", at("m.toml"), "--replay"]).fails(2, "--out <STORE>");
    cip(args!["ingest", "--mapping", at("m.toml"), "--out", at("store")]).fails(2, "<SRC>");
    cip(&replay).fails(1, "cannot open");
    fs::create_dir(at("store")).unwrap();
    cip(&replay).fails(1, "is not an event store");
    fs::remove_dir(at("store")).unwrap();
    cip(args!["ingest", at("log.csv"), "--mapping", at("m.toml"), "--out", at("store")]).ok();
    fs::write(at("other.toml"), fs::read_to_string(at("m.toml")).unwrap().replace("'sku'", "'product'"))
        .unwrap();
    cip(args!["ingest", "--mapping", at("other.toml"), "--out", at("store"), "--replay"]).fails(
        1,
        "the rejects of `log.csv` have the columns ts, action, visitor, sku, mapping `app-log` reads",
    );
}

#[test]
fn a_killed_replay_leaves_the_old_store_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    mapping(folder.path(), "old.toml", "");
    mapping(folder.path(), "new.toml", ", nullable = true");
    fs::write(at("log.csv"), log(60_000)).unwrap();
    let ingest =
        args!["ingest", at("log.csv"), "--mapping", at("old.toml"), "--out", at("store"), "--rebuild"];
    let replay = args!["ingest", "--mapping", at("new.toml"), "--out", at("store"), "--replay"];
    cip(&ingest).ok();
    let old = bytes_of(&at("store"));
    let start = Instant::now();
    cip(&replay).ok();
    let whole = start.elapsed();
    let new = bytes_of(&at("store"));
    assert!(old != new);
    let mut stopped = 0;
    for step in 0..10 {
        cip(&ingest).ok();
        let mut child = command(&replay).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(step) / 9.0));
        child.kill().unwrap();
        stopped += usize::from(!child.wait().unwrap().success());
        let found = bytes_of(&at("store"));
        assert!(found == old || found == new, "killed at step {step}: neither the old nor the new");
        cip(&replay).ok();
        assert!(bytes_of(&at("store")) == new, "killed at step {step}: the next run differs");
        assert_eq!(names_in(folder.path()), ["log.csv", "new.toml", "old.toml", "store"], "step {step}");
    }
    assert!(stopped >= 3, "only {stopped} of 10 runs were killed before their end");
}
