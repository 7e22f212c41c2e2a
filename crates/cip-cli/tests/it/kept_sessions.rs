//! `cip sessions --state`: the table after each commit is that of one run over all, and the changes lead from one to the next.

use std::ffi::OsString;
use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use arrow_select::concat::concat_batches;
use cip::arrow_array::RecordBatch;
use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::Int64Type;
use cip::sessionize::apply_changes;

use crate::growing_store::GrowingStore;
use crate::real::data;
use crate::{HEADER, args, bytes_of, cip, clicks, command, names_in};

fn table(path: &Path) -> RecordBatch {
    let rows = cip::store::read_table(path).unwrap();
    let schema = rows.schema();
    concat_batches(&schema, &rows.map(Result::unwrap).collect::<Vec<_>>()).unwrap()
}

/// A folder with a store, a kept table, and what the changes made so far.
struct Kept {
    store: GrowingStore,
    rule: Vec<&'static str>,
    followed: Option<RecordBatch>,
    run: u64,
}

impl Deref for Kept {
    type Target = GrowingStore;

    fn deref(&self) -> &GrowingStore {
        &self.store
    }
}

impl Kept {
    fn new(mapping: &'static str) -> Self {
        Self { store: GrowingStore::new(mapping), rule: Vec::new(), followed: None, run: 0 }
    }

    fn command(&self) -> Vec<OsString> {
        let out = self.at("s.parquet");
        let mut arguments =
            args!["sessions", self.at("store"), "--out", out, "--state", self.at("state"), "--json"].to_vec();
        arguments.extend(self.rule.iter().map(OsString::from));
        arguments
    }

    /// Runs, and holds table and changes to a run over all.
    #[track_caller]
    fn run(&mut self) -> serde_json::Value {
        let said = cip(self.command()).ok().json();
        let mut whole =
            args!["sessions", self.at("store"), "--out", self.at("whole.parquet"), "--json"].to_vec();
        whole.extend(self.rule.iter().map(OsString::from));
        let mut all = cip(whole).ok().json();
        let expected = fs::read(self.at("whole.parquet")).unwrap();
        assert!(fs::read(self.at("s.parquet")).unwrap() == expected, "the table is not that of one run");
        assert!(fs::read(self.at("state/fact_sessions.parquet")).unwrap() == expected);
        assert_eq!(names_in(&self.at("state")), ["diff.parquet", "fact_sessions.parquet", "manifest.json"]);
        all["state"] = said["state"].clone();
        assert_eq!(said, all, "the totals are not those of one run");

        let run = said["state"]["run"].as_u64().unwrap();
        if run != self.run {
            assert_eq!(run, self.run + 1);
            let changes = table(&self.at("state/diff.parquet"));
            let before = self.followed.take().unwrap_or_else(|| table(&self.at("whole.parquet")).slice(0, 0));
            let counts =
                ["inserts", "updates", "deletes"].map(|count| said["state"][count].as_u64().unwrap());
            assert_eq!(counts.iter().sum::<u64>(), changes.num_rows() as u64);
            self.followed = Some(apply_changes(&before, &changes).unwrap());
            self.run = run;
        }
        let now = table(&self.at("whole.parquet"));
        assert_eq!(
            self.followed.as_ref().map(RecordBatch::columns),
            Some(now.columns()),
            "the changes lead elsewhere"
        );
        said["state"].clone()
    }
}

#[test]
fn after_every_commit_the_table_is_that_of_one_run() {
    for rule in [&[][..], &["--cut-on", "brand", "--max-length", "20m"], &["--by", "source"]] {
        let mut kept = Kept::new("rees46");
        kept.rule = rule.to_vec();
        for (day, rows) in [(2, 900), (1, 40), (3, 400), (4, 1)] {
            let file = kept.at(&format!("day-{day}.csv"));
            fs::write(&file, clicks(rows, day)).unwrap();
            kept.ingest(&[file], &[]);
            let said = kept.run();
            assert_eq!(said["new_commits"], 1, "{said}");
            assert_eq!(said["rebuilt"].is_null(), day != 2, "{said}");
        }
        let state = bytes_of(&kept.at("state"));
        let again = kept.run();
        assert_eq!(
            (&again["run"], &again["new_commits"], &again["events_read"]),
            (&4.into(), &0.into(), &0.into())
        );
        assert!(
            bytes_of(&kept.at("state")) == state,
            "nothing came, and the changes of the last run are there still"
        );
    }
}

#[test]
fn only_the_users_of_new_commits_are_read() {
    let mut kept = Kept::new("rees46");
    fs::write(kept.at("many.csv"), clicks(300_000, 1)).unwrap();
    kept.ingest(&[kept.at("many.csv")], &[]);
    let first = kept.run();
    assert_eq!((&first["events_read"], &first["events_stored"]), (&300_000.into(), &300_000.into()));
    assert_eq!(first["rebuilt"], "there is no table yet");
    let line = "2019-10-09 12:00:00 UTC,view,1,1,,aqua,1.00,1003,00000000-8bb3-4e00-8c23-000000000001";
    fs::write(kept.at("few.csv"), format!("{HEADER}\n{line}\n")).unwrap();
    kept.ingest(&[kept.at("few.csv")], &[]);
    let said = kept.run();
    assert_eq!((&said["users"], &said["events_stored"]), (&1.into(), &300_001.into()));
    assert!(said["events_read"].as_u64().unwrap() < 160_000, "{said}");
    assert_eq!(said["inserts"].as_u64().unwrap() + said["deletes"].as_u64().unwrap(), 1, "{said}");
}

#[test]
fn what_was_rewritten_is_read_anew_and_says_why() {
    let mut kept = Kept::new("rees46");
    for day in 1..=3 {
        let file = kept.at(&format!("day-{day}.csv"));
        fs::write(&file, clicks(300, day)).unwrap();
        kept.ingest(&[file], &[]);
    }
    assert_eq!(kept.run()["rebuilt"], "there is no table yet");
    fs::write(kept.at("day-2.csv"), clicks(250, 9)).unwrap();
    kept.ingest(&[kept.at("day-2.csv")], &["--changed", "replace"]);
    assert_eq!(kept.run()["rebuilt"], "source files of commit 2 were replaced");
    kept.rule = vec!["--timeout", "5m", "--cut-at-midnight", "UTC"];
    assert_eq!(kept.run()["rebuilt"], "the table was made by another rule: timeout 1800s");
    let user = table(&kept.at("s.parquet"));
    let user = user.column(1).as_primitive::<Int64Type>().value(0);
    cip(args!["forget", kept.at("store"), "--user", user.to_string()]).ok();
    let said = kept.run();
    assert!(said["rebuilt"].as_str().unwrap().starts_with("users were erased from commit "), "{said}");
    assert_eq!((&said["inserts"], &said["updates"]), (&0.into(), &0.into()));
    cip(args!["compact", kept.at("store")]).ok();
    let said = kept.run();
    assert_eq!(said["rebuilt"], "commit 1 was compacted, or the store was made anew");
    assert_eq!((&said["inserts"], &said["updates"], &said["deletes"]), (&0.into(), &0.into(), &0.into()));
    let text = cip(kept.command().into_iter().filter(|argument| argument != "--json")).ok().stdout;
    assert!(text.contains("\nno commit since the run before: nothing changed\nwritten to "), "{text}");
}

#[test]
fn a_killed_run_leaves_the_old_state_or_the_new() {
    let mut kept = Kept::new("rees46");
    for (name, rows) in [("a.csv", 3_000), ("b.csv", 20_000)] {
        fs::write(kept.at(name), clicks(rows, rows)).unwrap();
    }
    kept.ingest(&[kept.at("a.csv")], &[]);
    kept.run();
    let old = bytes_of(&kept.at("state"));
    kept.ingest(&[kept.at("b.csv")], &[]);
    let start = Instant::now();
    kept.run();
    let whole = start.elapsed() / 2;
    let (new, out) = (bytes_of(&kept.at("state")), fs::read(kept.at("s.parquet")).unwrap());
    assert!(old != new);
    for step in 0..10 {
        fs::remove_dir_all(kept.at("state")).unwrap();
        fs::create_dir(kept.at("state")).unwrap();
        old.iter().for_each(|(name, bytes)| fs::write(kept.at("state").join(name), bytes).unwrap());
        let mut child = command(kept.command()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(step) / 9.0));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = bytes_of(&kept.at("state"));
        assert!(found == old || found == new, "killed at step {step}: neither the old state nor the new");
        cip(kept.command()).ok();
        assert!(bytes_of(&kept.at("state")) == new, "killed at step {step}: the next run differs");
        assert!(fs::read(kept.at("s.parquet")).unwrap() == out);
        let names = ["a.csv", "b.csv", "s.parquet", "state", "store", "whole.parquet"];
        assert_eq!(names_in(kept.folder()), names, "killed at step {step}");
    }
}

#[test]
fn what_is_no_state_or_a_damaged_one_is_refused_and_left_alone() {
    let mut kept = Kept::new("rees46");
    fs::write(kept.at("a.csv"), clicks(200, 1)).unwrap();
    kept.ingest(&[kept.at("a.csv")], &[]);
    kept.run();
    let refuse = |state: &Path, out: &Path, code: i32, what: &str| {
        let before = state.is_dir().then(|| bytes_of(state));
        cip(args!["sessions", kept.at("store"), "--out", out, "--state", state]).fails(code, what);
        assert!(state.is_dir().then(|| bytes_of(state)) == before);
    };
    let (out, state) = (kept.at("s.parquet"), kept.at("state"));
    let before = fs::read(&out).unwrap();
    refuse(&kept.at("store"), &out, 1, "its format is `cip-event-store`, expected `cip-table-state`");
    fs::create_dir(kept.at("photos")).unwrap();
    fs::write(kept.at("photos/a.jpg"), "").unwrap();
    refuse(&kept.at("photos"), &out, 1, "was not written by cip");
    refuse(&state, &state.join("s.parquet"), 2, "which --state replaces: choose another --out");
    refuse(&kept.at("new"), &kept.at("new/s.parquet"), 2, "which --state replaces");

    let good = fs::read(state.join("fact_sessions.parquet")).unwrap();
    for at in [0, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(state.join("fact_sessions.parquet"), bad).unwrap();
        refuse(&state, &out, 1, "is damaged or was changed: its checksum is");
    }
    fs::write(state.join("fact_sessions.parquet"), good).unwrap();
    let document = fs::read_to_string(state.join("manifest.json")).unwrap();
    fs::write(state.join("manifest.json"), document.replace("\"version\": 1", "\"version\": 7")).unwrap();
    refuse(&state, &out, 1, "version 7, this version of cip reads 1");
    fs::write(state.join("manifest.json"), document.replace("fact_sessions", "rfm_segments")).unwrap();
    refuse(&state, &out, 1, "it keeps the table `rfm_segments`, expected `fact_sessions`");
    fs::write(state.join("manifest.json"), document).unwrap();
    assert!(fs::read(&out).unwrap() == before);
    kept.run();
}

#[test]
fn days_of_a_shop_come_one_by_one_and_one_comes_late() {
    let Some(source) = data("online_retail_daily") else { return };
    let mut files: Vec<_> = fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".csv.gz"));
    files.sort();
    assert_eq!(files.len(), 305);
    let late = files.remove(150);
    let mut kept = Kept::new("online-retail");
    kept.ingest(&files[..296], &[]);
    kept.run();
    for day in &files[296..] {
        kept.ingest(std::slice::from_ref(day), &[]);
        let said = kept.run();
        assert!(said["rebuilt"].is_null() && said["new_commits"] == 1, "{said}");
        assert_eq!(said["deletes"], 0, "a later day starts sessions and moves none: {said}");
    }
    kept.ingest(&[late], &[]);
    let said = kept.run();
    assert!(said["inserts"].as_u64().unwrap() > 0 && said["updates"].as_u64().unwrap() > 0, "{said}");
    assert_eq!(said["events_stored"], 541_909);
}
