//! Files that are added to a store: each once, whole or not at all, and compacted to what one ingest writes.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use crate::{args, bytes_of, cip, clicks, command, names_in, rows};

fn write_days(folder: &Path, rows: u64) {
    for day in 1..=3 {
        fs::write(folder.join(format!("day-{day}.csv")), clicks(rows, day)).unwrap();
    }
}

#[test]
fn files_are_taken_once_and_compacting_makes_one_commit_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_days(folder.path(), 300);
    let ingest = |sources: &[&str]| {
        let mut arguments = args!["ingest"].to_vec();
        arguments.extend(sources.iter().map(|name| at(name).into()));
        arguments.extend(args!["--mapping", "rees46", "--out", at("store")]);
        arguments
    };
    let first = cip(ingest(&["day-2.csv"])).ok();
    assert!(first.stdout.contains("read into") && !first.stdout.contains("commit"), "{}", first.stdout);
    let second = cip(ingest(&["day-2.csv", "day-1.csv", "day-3.csv"])).ok();
    assert!(second.stdout.contains("as commit 2\n1 file(s) taken already"), "{}", second.stdout);
    let before = bytes_of(&at("store"));
    let third = cip([&ingest(&["day-1.csv"])[..], &args!["--json"]].concat()).ok().json();
    assert_eq!(
        (&third["files_taken"], &third["commit"], &third["commits"]),
        (&1.into(), &().into(), &2.into())
    );
    let third = cip(ingest(&["day-1.csv", "day-2.csv"])).ok();
    assert!(third.stdout.starts_with("nothing new for "), "{}", third.stdout);
    assert!(bytes_of(&at("store")) == before);

    let whole = args!["ingest", at("day-1.csv"), at("day-2.csv"), at("day-3.csv"), "--mapping", "rees46"];
    cip([&whole[..], &args!["--out", at("whole")]].concat()).ok();
    let info = |store: &str| {
        let mut info = cip(args!["info", at(store), "--json"]).ok().json();
        for of_the_files in ["store", "commits", "bytes", "columns"] {
            info[of_the_files] = ().into();
        }
        info
    };
    assert_eq!(info("store"), info("whole"));
    for store in ["store", "whole"] {
        cip(args!["sessions", at(store), "--out", at(&format!("{store}.parquet"))]).ok();
    }
    assert!(fs::read(at("store.parquet")).unwrap() == fs::read(at("whole.parquet")).unwrap());

    let compacted = cip(args!["compact", at("store")]).ok();
    assert!(
        compacted.stdout.starts_with("2 commits merged into one: 900 events in "),
        "{}",
        compacted.stdout
    );
    assert!(bytes_of(&at("store")) == bytes_of(&at("whole")));
    let again = cip(args!["compact", at("store"), "--json"]).ok().json();
    assert_eq!((&again["commits_before"], &again["events"]), (&1.into(), &900.into()));
    assert!(bytes_of(&at("store")) == bytes_of(&at("whole")));
}

#[test]
fn a_changed_file_is_refused_until_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_days(folder.path(), 100);
    let arguments =
        args!["ingest", at("day-1.csv"), at("day-2.csv"), "--mapping", "rees46", "--out", at("store")];
    cip(&arguments).ok();
    let before = bytes_of(&at("store"));
    fs::write(at("day-1.csv"), clicks(150, 9)).unwrap();
    cip(&arguments).fails(1, "`day-1.csv` is in the store already, with other bytes");
    fs::copy(at("day-2.csv"), at("copy.csv")).unwrap();
    cip(args!["ingest", at("copy.csv"), "--mapping", "rees46", "--out", at("store")])
        .fails(1, "`copy.csv` has the same bytes as `day-2.csv`");
    cip(args!["ingest", at("day-3.csv"), "--mapping", "online-retail", "--out", at("store")])
        .fails(1, "was filled with another mapping");
    assert!(bytes_of(&at("store")) == before);

    let replaced = cip([&arguments[..], &args!["--changed", "replace"]].concat()).ok();
    assert!(replaced.stdout.contains("1 file(s) replaced\n1 file(s) taken already"), "{}", replaced.stdout);
    assert_eq!(cip(args!["info", at("store"), "--json"]).ok().json()["events"], 250);
    let rebuilt =
        args!["ingest", at("day-1.csv"), at("day-2.csv"), "--mapping", "rees46", "--out", at("anew")];
    cip([&rebuilt[..], &args!["--rebuild"]].concat()).ok();
    cip(args!["compact", at("store")]).ok();
    assert!(bytes_of(&at("store")) == bytes_of(&at("anew")));
    // A store is made anew from the files that are named, and those alone.
    cip(args!["ingest", at("day-3.csv"), "--mapping", "rees46", "--out", at("anew"), "--rebuild"]).ok();
    assert_eq!(cip(args!["info", at("anew"), "--json"]).ok().json()["events"], 100);
    cip([&arguments[..], &args!["--rebuild", "--changed", "refuse"]].concat())
        .fails(2, "cannot be used with");
}

#[test]
fn a_killed_append_or_compaction_leaves_the_old_store_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_days(folder.path(), 20_000);
    let ingest = |day: &str, out: &str| args!["ingest", at(day), "--mapping", "rees46", "--out", at(out)];
    cip(ingest("day-1.csv", "store")).ok();
    let first = bytes_of(&at("store"));
    let start = Instant::now();
    cip(ingest("day-2.csv", "store")).ok();
    let append_time = start.elapsed();
    let appended = bytes_of(&at("store"));
    let start = Instant::now();
    cip(args!["compact", at("store")]).ok();
    let compact_time = start.elapsed();
    let compacted = bytes_of(&at("store"));

    let restore = |files: &std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>| {
        let _ = fs::remove_dir_all(at("store"));
        for (name, bytes) in files {
            let path = at("store").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    };
    let mut stopped = 0;
    for step in 0..10 {
        let (before, after, whole, arguments) = if step % 2 == 0 {
            (&first, &appended, append_time, ingest("day-2.csv", "store").to_vec())
        } else {
            (&appended, &compacted, compact_time, args!["compact", at("store")].to_vec())
        };
        restore(before);
        let mut child = command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(step / 2 + 1) / 5.0));
        child.kill().unwrap();
        stopped += usize::from(!child.wait().unwrap().success());
        // A reader sees all of the one or all of the other.
        let info = cip(args!["info", at("store"), "--json"]).ok().json();
        let events = [20_000, 40_000];
        assert!(events.iter().any(|&events| info["events"] == events), "killed at step {step}: {info}");
        cip(&arguments).ok();
        assert!(bytes_of(&at("store")) == *after, "killed at step {step}: the next run differs");
        assert_eq!(names_in(folder.path()), ["day-1.csv", "day-2.csv", "day-3.csv", "store"], "step {step}");
    }
    assert!(stopped >= 3, "only {stopped} of 10 runs were killed before their end");
    cip(args!["sessions", at("store"), "--out", at("s.parquet")]).ok();
    assert!(rows(&at("s.parquet")) > 0);
}
