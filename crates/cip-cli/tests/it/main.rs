//! The command from outside: what it writes, what it says, and what it leaves behind when it is stopped.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should panic")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

mod abtest;
mod abtest_options;
mod apart;
mod baskets;
mod categories;
mod clv;
mod cohorts;
mod commits;
mod contracts;
mod currencies;
mod dialects;
mod drift;
mod faults;
mod features;
mod forget;
mod funnel;
mod growing_store;
mod heads;
mod hostile;
mod identities;
mod json;
mod kept_rfm;
mod kept_sessions;
mod layouts;
mod memory;
mod pairs;
mod paths;
mod planning;
mod propensity;
mod real;
mod replay;
mod run;
mod segments;
mod sessions;
mod training;
mod uplift;
mod usage;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) const HEADER: &str =
    "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session";

/// What a run of the command left.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cip"));
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs the command to its end.
pub(crate) fn cip<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Outcome {
    let output = command(args).output().unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the command to its end, and returns the most memory that it held, in bytes.
pub(crate) fn peak<S: AsRef<OsStr>>(args: &[S]) -> (Outcome, u64) {
    let mut child = command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) * 1_024);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    let outcome = Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    (outcome, peak)
}

/// Rows of a table.
pub(crate) fn rows(table: &Path) -> u64 {
    cip::store::read_table(table).unwrap().map(|batch| batch.unwrap().num_rows() as u64).sum()
}

/// Arguments of several kinds as one list.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { [$(std::ffi::OsString::from(&$arg)),*] };
}
pub(crate) use args;

impl Outcome {
    /// Asserts success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Asserts a failure with `code` that keeps standard output clean and says `what` on standard error.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, what: &str) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "nothing is on standard output");
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        assert!(self.stderr.contains(what), "`{what}` is not in: {}", self.stderr);
        self
    }

    /// Standard output as the one JSON object on its one line.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        let line = self.stdout.strip_suffix('\n').unwrap();
        assert!(!line.contains('\n'), "more than one line: {}", self.stdout);
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value.is_object(), "{value}");
        value
    }
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A store's clickstream in the rees46 format: `rows` rows of two weeks in October 2019.
pub(crate) fn clicks(rows: u64, seed: u64) -> String {
    let mut noise = Noise(seed);
    let mut text = format!("{HEADER}\n");
    for _ in 0..rows {
        let user = 1_000 + noise.below(rows / 15 + 1);
        let (day, hour) = (1 + noise.below(14), noise.below(24));
        let (minute, second) = (noise.below(60), noise.below(60));
        let kind = ["view", "view", "view", "view", "cart", "purchase"][noise.below(6) as usize];
        let product = noise.below(500);
        let brand = ["", "aqua", "shiseido", "elenberg"][(product % 4) as usize];
        let cents = 100 + product * 37;
        text.push_str(&format!(
            "2019-10-{day:02} {hour:02}:{minute:02}:{second:02} UTC,{kind},{product},{},,{brand},{}.{:02},{user},{:08x}-8bb3-4e00-8c23-{day:012x}\n",
            product % 20,
            cents / 100,
            cents % 100,
            user
        ));
    }
    text
}

/// A folder with `events.csv` of `rows` clicks in it.
pub(crate) fn folder_of_clicks(rows: u64) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    fs::write(&file, clicks(rows, 1)).unwrap();
    (folder, file)
}

/// A folder with a store of `rows` clicks in it.
pub(crate) fn folder_of_store(rows: u64) -> (tempfile::TempDir, PathBuf) {
    let (folder, file) = folder_of_clicks(rows);
    let store = folder.path().join("store");
    cip(args!["ingest", file, "--mapping", "rees46", "--out", store]).ok();
    (folder, store)
}

/// The smallest memory in which two threads ingest `file`, as the command itself tells.
pub(crate) fn smallest_memory(file: &Path) -> String {
    let out = file.with_extension("store");
    let refused =
        cip(args!["ingest", file, "--mapping", "rees46", "--out", out, "--threads", "2", "--memory", "1MiB"])
            .fails(1, "give it ");
    let (_, smallest) = refused.stderr.rsplit_once("give it ").unwrap();
    smallest.split_once(" or more").unwrap().0.to_owned()
}

/// Every file below `root`, by path.
pub(crate) fn bytes_of(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The names in a folder, hidden ones included, sorted.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
