//! `cip rfm --state`: the table after each commit is that of one run over all events, whatever the date, the window and the options.

use std::ffi::OsString;
use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use crate::growing_store::GrowingStore;
use crate::real::data;
use crate::{args, bytes_of, cip, clicks, command, names_in};

/// A folder with a store, and what is kept of it.
struct Kept {
    store: GrowingStore,
}

impl Deref for Kept {
    type Target = GrowingStore;

    fn deref(&self) -> &GrowingStore {
        &self.store
    }
}

impl Kept {
    fn new(mapping: &'static str) -> Self {
        Self { store: GrowingStore::new(mapping) }
    }

    /// With the clicks of some files, one commit each.
    fn of_clicks(files: &[(&str, u64)]) -> Self {
        let kept = Self::new("rees46");
        for (seed, (name, rows)) in files.iter().enumerate() {
            fs::write(kept.at(name), clicks(*rows, 1 + seed as u64)).unwrap();
            kept.ingest(&[kept.at(name)], &[]);
        }
        kept
    }

    fn command(&self, as_of: &str, more: &[&str]) -> Vec<OsString> {
        let out = self.at("r.parquet");
        let mut arguments = args!["rfm", self.at("store"), "--as-of", as_of, "--out", out, "--json"].to_vec();
        arguments.extend(more.iter().map(OsString::from));
        arguments
    }

    /// Runs, and holds table and answer to a run over all events.
    #[track_caller]
    fn run(&self, as_of: &str, more: &[&str]) -> serde_json::Value {
        let mut all = cip(self.command(as_of, more)).ok().json();
        let expected = fs::read(self.at("r.parquet")).unwrap();
        let state = args!["--state", self.at("state")];
        let said = cip(self.command(as_of, more).into_iter().chain(state)).ok().json();
        assert!(fs::read(self.at("r.parquet")).unwrap() == expected, "the table is not that of one run");
        assert_eq!(names_in(&self.at("state")), ["manifest.json", "purchases.state"]);
        all["state"] = said["state"].clone();
        assert_eq!(said, all);
        said["state"].clone()
    }
}

#[test]
fn after_every_commit_the_table_is_that_of_one_run() {
    for (more, keeps) in [
        (&[][..], "sums"),
        (
            &["--returns", "net", "--scoring", "quantiles", "--map", "eleven", "--weights", "r=1,f=1,m=2"],
            "sums",
        ),
        (&["--window", "5d"], "times"),
    ] {
        let kept = Kept::new("rees46");
        for (day, rows) in [(2, 900), (1, 40), (3, 400), (4, 1)] {
            let file = kept.at(&format!("day-{day}.csv"));
            fs::write(&file, clicks(rows, day)).unwrap();
            kept.ingest(&[file], &["--threads", "2"]);
            let said = kept.run(&format!("2019-10-{}", 15 + day), more);
            assert_eq!((&said["new_commits"], &said["events_read"]), (&1.into(), &rows.into()), "{said}");
            assert_eq!((said["rebuilt"].is_null(), &said["keeps"]), (day != 2, &keeps.into()), "{said}");
        }
        let state = bytes_of(&kept.at("state"));
        let again = kept.run("2019-11-30", more);
        assert_eq!(
            (&again["run"], &again["new_commits"], &again["events_read"], &again["events_stored"]),
            (&4.into(), &0.into(), &0.into(), &1_341.into())
        );
        assert!(bytes_of(&kept.at("state")) == state, "nothing came");
    }
}

#[test]
fn dates_windows_and_options_need_no_event_again_where_times_are_kept() {
    let kept = Kept::of_clicks(&[("a.csv", 500)]);
    assert_eq!(kept.run("2019-10-15", &[])["rebuilt"], "there is no table yet");
    let sums = "the table was made by another rule: sums of users Int64, no orders, no quantities, money of 2 decimals, returns excluded";
    for (as_of, more, rebuilt) in [
        ("2019-10-20", &["--scoring", "ntile", "--map", "five"][..], None),
        // Sums do not tell what was bought later, nor when.
        ("2019-10-08", &[], Some(sums)),
        ("2019-10-05", &[], None),
        ("2019-10-15", &["--window", "3d"], None),
        ("2019-10-15", &["--from", "2019-10-01"], None),
        ("2019-10-15", &[], None),
        ("2019-10-15", &["--returns", "net"], Some(&sums.replace("sums", "times")[..])),
    ] {
        let said = kept.run(as_of, more);
        assert_eq!(said["rebuilt"].as_str(), rebuilt, "{as_of} {more:?}");
        assert_eq!(said["events_read"], if rebuilt.is_some() { 500 } else { 0 }, "{as_of} {more:?}");
    }
}

#[test]
fn what_was_rewritten_is_read_anew_and_says_why() {
    let kept = Kept::of_clicks(&[("a.csv", 300), ("b.csv", 300), ("c.csv", 300)]);
    let run = || kept.run("2019-10-15", &[])["rebuilt"].clone();
    assert_eq!(run(), "there is no table yet");
    fs::write(kept.at("b.csv"), clicks(250, 9)).unwrap();
    kept.ingest(&[kept.at("b.csv")], &["--changed", "replace"]);
    assert_eq!(run(), "source files of commit 2 were replaced");
    cip(args!["forget", kept.at("store"), "--user", "1001"]).ok();
    let said = run();
    assert!(said.as_str().unwrap().starts_with("users were erased from commit "), "{said}");
    cip(args!["compact", kept.at("store")]).ok();
    assert_eq!(run(), "commit 1 was compacted, or the store was made anew");
    assert!(run().is_null());
    let text = |as_of: &str| {
        let state = args!["--state", kept.at("state")];
        let command = kept.command(as_of, &[]).into_iter().filter(|argument| argument != "--json");
        cip(command.chain(state)).ok().stdout
    };
    let (nothing, anew) = (text("2019-10-15"), text("2019-10-10"));
    assert!(
        nothing.contains("\n\nno commit since the run before: no event was read\n\nwritten to "),
        "{nothing}"
    );
    assert!(anew.contains("returns excluded; 812 of 812 events read\n"), "{anew}");
}

#[test]
fn a_killed_run_leaves_the_old_state_or_the_new() {
    let kept = Kept::of_clicks(&[("a.csv", 3_000)]);
    let as_of = "2019-10-15";
    kept.run(as_of, &[]);
    let old = bytes_of(&kept.at("state"));
    fs::write(kept.at("b.csv"), clicks(20_000, 7)).unwrap();
    kept.ingest(&[kept.at("b.csv")], &[]);
    let start = Instant::now();
    kept.run(as_of, &[]);
    let whole = start.elapsed() / 2;
    let (new, out) = (bytes_of(&kept.at("state")), fs::read(kept.at("r.parquet")).unwrap());
    assert!(old != new);
    let arguments: Vec<_> =
        kept.command(as_of, &[]).into_iter().chain(args!["--state", kept.at("state")]).collect();
    for step in 0..10 {
        fs::remove_dir_all(kept.at("state")).unwrap();
        fs::create_dir(kept.at("state")).unwrap();
        old.iter().for_each(|(name, bytes)| fs::write(kept.at("state").join(name), bytes).unwrap());
        let mut child = command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(step) / 9.0));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = bytes_of(&kept.at("state"));
        assert!(found == old || found == new, "killed at step {step}: neither the old state nor the new");
        cip(&arguments).ok();
        assert!(bytes_of(&kept.at("state")) == new, "killed at step {step}: the next run differs");
        assert!(fs::read(kept.at("r.parquet")).unwrap() == out);
        let names = ["a.csv", "b.csv", "r.parquet", "state", "store"];
        assert_eq!(names_in(kept.folder()), names, "killed at step {step}");
    }
}

#[test]
fn what_is_no_state_or_a_damaged_one_is_refused_and_left_alone() {
    let kept = Kept::of_clicks(&[("a.csv", 200)]);
    kept.run("2019-10-15", &[]);
    let refuse = |state: &Path, out: &Path, code: i32, what: &str| {
        let before = state.is_dir().then(|| bytes_of(state));
        let store = kept.at("store");
        cip(args!["rfm", store, "--as-of", "2019-10-15", "--out", out, "--state", state]).fails(code, what);
        assert!(state.is_dir().then(|| bytes_of(state)) == before);
    };
    let (out, state) = (kept.at("r.parquet"), kept.at("state"));
    let before = fs::read(&out).unwrap();
    refuse(&kept.at("store"), &out, 1, "its format is `cip-event-store`, expected `cip-table-state`");
    cip(args!["sessions", kept.at("store"), "--out", kept.at("s.parquet"), "--state", kept.at("sessions")])
        .ok();
    refuse(&kept.at("sessions"), &out, 1, "it keeps the table `fact_sessions`, expected `purchases`");
    fs::create_dir(kept.at("photos")).unwrap();
    fs::write(kept.at("photos/a.jpg"), "").unwrap();
    refuse(&kept.at("photos"), &out, 1, "was not written by cip");
    refuse(&state, &state.join("r.parquet"), 2, "which --state replaces: choose another --out");
    let good = fs::read(state.join("purchases.state")).unwrap();
    for at in [0, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(state.join("purchases.state"), bad).unwrap();
        refuse(&state, &out, 1, "purchases.state is damaged or was changed: its checksum is");
    }
    fs::write(state.join("purchases.state"), good).unwrap();
    assert!(fs::read(&out).unwrap() == before);
    assert_eq!(kept.run("2019-10-15", &[])["events_read"], 0);
}

#[test]
fn days_of_a_shop_come_one_by_one_and_one_comes_late() {
    let Some(source) = data("online_retail_daily") else { return };
    let mut files: Vec<_> = fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".csv.gz"));
    files.sort();
    let late = files.remove(150);
    let kept = Kept::new("online-retail");
    kept.ingest(&files[..298], &[]);
    assert_eq!(kept.run("2011-12-03", &[])["keeps"], "sums");
    for day in &files[298..] {
        kept.ingest(std::slice::from_ref(day), &[]);
        let name = day.file_name().unwrap().to_string_lossy().into_owned();
        let said = kept.run(&format!("{}T23:59:59Z", &name[..10]), &[]);
        assert!(said["rebuilt"].is_null() && said["new_commits"] == 1 && said["keeps"] == "sums", "{said}");
        assert!(said["events_read"].as_u64().unwrap() < 6_000, "{said}");
    }
    kept.ingest(&[late], &[]);
    let said = kept.run("2011-12-10", &["--scoring", "quantiles", "--map", "eleven"]);
    assert_eq!((&said["events_stored"], said["rebuilt"].is_null()), (&541_909.into(), true));
    // A window needs the times.
    let said = kept.run("2011-12-10", &["--window", "365d"]);
    assert_eq!((&said["keeps"], &said["events_read"]), (&"times".into(), &541_909.into()));
    assert_eq!(kept.run("2011-09-01", &["--window", "90d"])["events_read"], 0);
}
