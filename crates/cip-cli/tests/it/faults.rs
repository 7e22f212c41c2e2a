//! Kills, full disks and two writers at once: the target is the old one or the new one, and nothing else is left.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Noise, args, bytes_of, cip, clicks, command, folder_of_store, names_in, smallest_memory};

#[test]
fn a_killed_run_leaves_the_old_result_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("small.csv"), clicks(400, 5)).unwrap();
    fs::write(at("events.csv"), clicks(60_000, 6)).unwrap();
    let arguments =
        |source: &str, out: &str| args!["run", at(source), "--mapping", "rees46", "--out", at(out)];

    cip(arguments("small.csv", "old")).ok();
    let start = Instant::now();
    cip(arguments("events.csv", "undisturbed")).ok();
    let whole = start.elapsed();
    let (old, new) = (bytes_of(&at("old")), bytes_of(&at("undisturbed")));
    assert!(old != new);

    let mut stopped = 0;
    for step in 0..12 {
        let out = at("out");
        let _ = fs::remove_dir_all(&out);
        let before = (step % 2 == 0).then_some(&old);
        if before.is_some() {
            cip(arguments("small.csv", "out")).ok();
        }
        let mut child = command(arguments("events.csv", "out"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(step) / 11.0));
        child.kill().unwrap();
        stopped += usize::from(!child.wait().unwrap().success());

        let found = out.exists().then(|| bytes_of(&out));
        let what = format!("killed at step {step}");
        assert!(
            found.as_ref() == before || found.as_ref() == Some(&new),
            "{what}: neither the old nor the new"
        );
        cip(arguments("events.csv", "out")).ok();
        assert!(bytes_of(&out) == new, "{what}: the next run differs");
        let names = names_in(folder.path());
        assert_eq!(names, ["events.csv", "old", "out", "small.csv", "undisturbed"], "{what}");
        assert_eq!(names_in(&out).len(), 11, "{what}");
    }
    assert!(stopped >= 4, "only {stopped} of 12 runs were killed before their end");
}

#[test]
fn a_killed_table_leaves_the_old_one() {
    let (folder, store) = folder_of_store(60_000);
    let out = folder.path().join("sessions.parquet");
    let arguments = args!["sessions", store, "--out", out];
    let start = Instant::now();
    cip(&arguments).ok();
    let whole = start.elapsed();
    let new = fs::read(&out).unwrap();
    for step in 0..5 {
        fs::write(&out, "PAR1 old").unwrap();
        let mut child = command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(step) / 5.0));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = fs::read(&out).unwrap();
        assert!(found == b"PAR1 old" || found == new, "killed at step {step}");
        cip(&arguments).ok();
        assert!(fs::read(&out).unwrap() == new);
        assert_eq!(names_in(folder.path()), ["events.csv", "sessions.parquet", "store"]);
    }
}

#[test]
fn a_target_that_another_run_holds_is_refused() {
    let (folder, store) = folder_of_store(200);
    let at = |name: &str| folder.path().join(name);
    let csv = at("events.csv");
    let before = bytes_of(&store);
    let locked = |target: &str, arguments: &[std::ffi::OsString]| {
        let path = at(&format!(".{target}.cip-lock"));
        let lock = File::create(&path).unwrap();
        lock.lock().unwrap();
        let outcome = cip(arguments).fails(1, "another run is writing");
        assert!(outcome.stderr.contains("wait for it, or choose another --out"), "{}", outcome.stderr);
        assert!(path.exists(), "the lock is the other's to remove");
        drop(lock);
        // A lock file that nobody holds, as a killed run leaves it, is no hindrance.
        cip(arguments).ok();
        assert!(!path.exists());
    };
    locked("store", &args!["ingest", csv, "--mapping", "rees46", "--out", store]);
    assert!(bytes_of(&store) == before);
    locked("run", &args!["run", csv, "--mapping", "rees46", "--out", at("run")]);
    locked("s.parquet", &args!["sessions", store, "--out", at("s.parquet")]);
    locked("r.parquet", &args!["rfm", store, "--as-of", "2019-11-01", "--out", at("r.parquet")]);
    locked("world", &args!["generate", at("world"), "--events", "100"]);
}

/// Sends a signal by name.
fn signal(name: &str, process: u32) {
    let status = Command::new("kill").args([format!("-{name}"), process.to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn of_two_runs_on_one_target_the_second_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("events.csv"), clicks(60_000, 7)).unwrap();
    let arguments = args!["run", at("events.csv"), "--mapping", "rees46", "--out", at("out")];
    let mut first = command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !at(".out.cip-staging").exists() {
        assert!(start.elapsed() < Duration::from_secs(20), "the first run never began");
        std::thread::sleep(Duration::from_millis(1));
    }
    signal("STOP", first.id());
    let second = cip(&arguments);
    signal("CONT", first.id());
    let first = first.wait().unwrap();
    second.fails(1, "another run is writing");
    assert!(first.success(), "the first run is not disturbed");
    assert_eq!(names_in(folder.path()), ["events.csv", "out"]);
    cip(args!["info", at("out/store")]).ok();
}

/// A small disk of its own; unmounted when dropped.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// None where the system does not allow it.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let option = format!("size={size}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &option, "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(Self { folder });
        }
        println!("skipped: a tmpfs cannot be mounted here (it takes Linux and root)");
        None
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, so that it goes even where a failed test still has a file open.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Rows that hardly compress: every one has a session of its own.
fn incompressible(rows: u64) -> String {
    let mut noise = Noise(9);
    let mut text = format!("{}\n", crate::HEADER);
    for row in 0..rows {
        let (minute, second) = (row / 60 % 60, row % 60);
        text.push_str(&format!(
            "2019-10-01 00:{minute:02}:{second:02} UTC,purchase,{},2,,,{}.10,{row},{:08x}-{:04x}-4e00-8c23-{:012x}\n",
            noise.below(1 << 40),
            noise.below(1 << 20),
            noise.below(1 << 32),
            noise.below(1 << 16),
            noise.below(1 << 48)
        ));
    }
    text
}

#[test]
fn a_full_disk_is_named_and_nothing_is_left_on_it() {
    let Some(disk) = SmallDisk::mount("1m") else { return };
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("events.csv");
    fs::write(&csv, incompressible(60_000)).unwrap();
    for stage in ["ingest", "run"] {
        for memory in ["512MiB", &smallest_memory(&csv)] {
            let out = disk.path().join("out");
            let outcome = cip(args![
                stage,
                csv,
                "--mapping",
                "rees46",
                "--out",
                out,
                "--threads",
                "2",
                "--memory",
                memory
            ])
            .fails(1, "No space left on device");
            assert!(outcome.stderr.contains("out"), "{}", outcome.stderr);
            assert_eq!(names_in(disk.path()), [""; 0], "{stage} in {memory}");
        }
    }

    // An old store stays, and so does an old table.
    let small = folder.path().join("small.csv");
    fs::write(&small, clicks(300, 1)).unwrap();
    let out = disk.path().join("out");
    cip(args!["run", small, "--mapping", "rees46", "--out", out]).ok();
    let old = bytes_of(&out);
    cip(args!["run", csv, "--mapping", "rees46", "--out", out]).fails(1, "No space left on device");
    assert!(bytes_of(&out) == old);
    assert_eq!(names_in(disk.path()), ["out"]);

    let store = folder.path().join("store");
    cip(args!["ingest", csv, "--mapping", "rees46", "--out", store]).ok();
    let table: PathBuf = disk.path().join("table.parquet");
    fs::write(&table, "PAR1 old").unwrap();
    // Fill the disk but for 64 KiB.
    let filler = File::create(disk.path().join("filler")).unwrap();
    let mut filled = 0;
    while (&filler).write_all(&[0; 4_096]).is_ok() {
        filled += 4_096;
    }
    filler.set_len(filled - (64 << 10)).unwrap();
    let kept = names_in(disk.path());
    cip(args!["sessions", store, "--out", table]).fails(1, "No space left on device");
    cip(args!["rfm", store, "--as-of", "2019-11-01", "--out", table]).fails(1, "No space left on device");
    assert_eq!(fs::read_to_string(&table).unwrap(), "PAR1 old");
    assert_eq!(names_in(disk.path()), kept);
}
