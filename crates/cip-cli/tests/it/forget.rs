//! `cip forget`: what is left of a run, what is said, and what is left behind when it is stopped.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use crate::real::data;
use crate::{args, bytes_of, cip, clicks, command, folder_of_clicks, folder_of_store, names_in, rows};

/// A user of the clicks, with events before and behind any cutoff.
const USER: &str = "1007";

/// Clicks whose users are texts such as `visitor-1007`.
const TEXT_USERS: &str = r#"
name = "visitors"
[columns]
event_time = { from = "event_time", type = "timestamp" }
event_type = { from = "event_type", type = "dictionary" }
product_id = { from = "product_id", type = "int64" }
price = { from = "price", type = "money", scale = 2 }
user_id = { from = "user_id", type = "utf8" }
source_session = { from = "user_session", type = "uuid" }
"#;

#[test]
fn tables_of_a_run_are_those_of_a_store_without_the_user() {
    let (folder, file) = folder_of_clicks(3_000);
    let at = |name: &str| folder.path().join(name);
    let of_run = |name: &str| at("out").join(name);
    cip(args!["run", file, "--mapping", "rees46", "--out", at("out")]).ok();
    cip(args!["sessions", of_run("store"), "--out", of_run("by-source.parquet"), "--by", "source"]).ok();
    let funnel = |out: &Path| {
        args!["funnel", of_run("store"), "--steps", "view,cart", "--within", "1d", "--out", out].to_vec()
    };
    fs::create_dir(at("funnels")).unwrap();
    cip(funnel(&at("funnels").join("f.parquet"))).ok();
    fs::create_dir(of_run("pictures")).unwrap();
    let before = cip(args!["info", of_run("store"), "--json"]).ok().json();
    let pairs = fs::read(of_run("product_pairs.parquet")).unwrap();
    let scores = rows(&of_run("scores.parquet"));

    let said = cip(args!["forget", of_run("store"), "--user", USER, "--derived", at("funnels"), "--json"])
        .ok()
        .json();
    assert_eq!(
        (&said["users"], &said["users_with_events"], &said["found"]),
        (&1.into(), &1.into(), &0.into())
    );
    let after = cip(args!["info", of_run("store"), "--json"]).ok().json();
    let events = said["erased"]["events"].as_u64().unwrap();
    let sessions = said["erased"]["source_sessions"].as_u64().unwrap();
    assert!(events > 5 && sessions > 1);
    assert_eq!(after["events"].as_u64().unwrap() + events, before["events"].as_u64().unwrap());
    assert_eq!(after["account"]["forgotten"], said["erased"]["events"]);
    assert_eq!(after["account"]["rows"], 3_000);

    // What can be made again is, byte for byte, what is left.
    cip(args!["sessions", of_run("store"), "--out", at("s.parquet")]).ok();
    assert!(fs::read(at("s.parquet")).unwrap() == fs::read(of_run("fact_sessions.parquet")).unwrap());
    cip(args!["sessions", of_run("store"), "--out", at("b.parquet"), "--by", "source"]).ok();
    assert!(fs::read(at("b.parquet")).unwrap() == fs::read(of_run("by-source.parquet")).unwrap());
    cip(funnel(&at("f.parquet"))).ok();
    assert!(fs::read(at("f.parquet")).unwrap() == fs::read(at("funnels").join("f.parquet")).unwrap());
    // Ranks stay as they were computed, and sums are left alone and named.
    assert_eq!(rows(&of_run("scores.parquet")), scores - 1);
    assert!(pairs == fs::read(of_run("product_pairs.parquet")).unwrap());
    let named = |key: &str| {
        said[key].as_array().unwrap().iter().map(|path| path.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for aggregate in ["product_pairs.parquet", "model.json", "summary.json"] {
        assert!(named("aggregates").contains(&of_run(aggregate).display().to_string()), "{said}");
    }
    assert_eq!(named("left_alone"), [of_run("pictures").display().to_string()]);

    // Whoever has to prove it later can.
    let again = cip(args!["forget", of_run("store"), "--user", USER, "--user", "-5"]).ok();
    assert!(again.stdout.contains("holds nothing of these 2 users"), "{}", again.stdout);
    assert!(!again.stdout.contains(USER), "who it was is not said: {}", again.stdout);
    let ingest = args!["ingest", file, "--mapping", "rees46", "--out", of_run("store")];
    assert!(cip(&ingest).ok().stdout.contains("nothing new for"));
    cip([&ingest[..], &args!["--rebuild"]].concat()).ok();
    let said = cip(args!["forget", of_run("store"), "--user", USER]).ok();
    assert!(said.stdout.contains(&format!("{events} events, {sessions} source sessions")), "{}", said.stdout);
    assert!(said.stdout.contains("the source files still have the rows"), "{}", said.stdout);
}

#[test]
fn no_byte_of_the_users_is_left_where_bytes_are_not_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = clicks(2_000, 1).replace(",1003,", ",visitor-1003,").replace(",1130,", ",visitor-1130,");
    // The first and the last user stand in the statistics.
    fs::write(
        at("a.csv"),
        format!("{text}2019-10-01 00:00:00 UTC,view,7,2,,,1.00,zz-visitor,\ncut,zz-visitor\n"),
    )
    .unwrap();
    fs::write(at("m.toml"), TEXT_USERS).unwrap();
    cip(args!["ingest", at("a.csv"), "--mapping", at("m.toml"), "--out", at("store")]).ok();
    cip(args!["sessions", at("store"), "--out", at("s.parquet")]).ok();
    let names = |bytes: &[u8], user: &str| bytes.windows(user.len()).any(|window| window == user.as_bytes());
    let holds = |user: &str| {
        let sessions = fs::read(at("s.parquet")).unwrap();
        names(&sessions, user) || bytes_of(&at("store")).values().any(|bytes| names(bytes, user))
    };
    assert!(holds("zz-visitor"), "bounds of the statistics are not compressed");

    fs::write(at("ids.txt"), "user_id\nvisitor-1003\n\nzz-visitor\n").unwrap();
    fs::write(at("ids.csv"), "n,who\n1,visitor-1130\n2,\n3,nobody\n").unwrap();
    let store = at("store");
    cip(args!["forget", store, "--users", at("ids.txt"), "--derived", at("s.parquet")]).ok();
    let said = cip(args!["forget", store, "--users", at("ids.csv"), "--column", "who", "--json"]).ok().json();
    assert_eq!((&said["users"], &said["users_with_events"]), (&2.into(), &1.into()));
    assert!(!holds("visitor-1003") && !holds("zz-visitor"));
    assert_eq!(cip(args!["info", store, "--json"]).ok().json()["account"]["rejects"], serde_json::json!({}));
    // The table that was not named for the second user still has them, and can itself name users.
    let sessions = rows(&at("s.parquet"));
    let all = cip(args!["forget", store, "--users", at("s.parquet"), "--derived", at("s.parquet"), "--json"])
        .ok()
        .json();
    assert!(sessions > 0 && rows(&at("s.parquet")) == 0);
    assert_eq!(all["found"], 0);
    assert_eq!(cip(args!["info", store, "--json"]).ok().json()["events"], 0);
    assert_eq!(names_in(folder.path()), ["a.csv", "ids.csv", "ids.txt", "m.toml", "s.parquet", "store"]);
}

#[test]
fn tables_of_strangers_and_tables_without_users_are_told_apart() {
    let (folder, store) = folder_of_store(500);
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("tables")).unwrap();
    let tables = at("tables");
    cip(args!["pairs", store, "--out", tables.join("pairs.parquet"), "--min-together", "1"]).ok();
    cip(args!["paths", store, "--out", tables.join("paths.parquet")]).ok();
    fs::write(at("e.toml"), "name = \"x\"\nassignment = \"md5_parity\"\n").unwrap();
    fs::write(at("people.csv"), "who\n1007\n1008\n").unwrap();
    let experiment = args![
        "assign",
        at("people.csv"),
        "--id",
        "who",
        "--experiment",
        at("e.toml"),
        "--out",
        tables.join("arms.parquet")
    ];
    let assigned = cip(&experiment).code == Some(0);
    fs::write(tables.join("notes.md"), "1007").unwrap();
    fs::write(tables.join("other.parquet"), "PAR1").unwrap();
    let said = cip(args!["forget", store, "--user", USER, "--derived", tables, "--json"]).ok().json();
    let of = |name: &str| {
        let derived = said["derived"].as_array().unwrap();
        derived
            .iter()
            .find(|file| file["path"].as_str().unwrap().ends_with(name))
            .cloned()
            .unwrap_or_default()
    };
    assert_eq!(of("pairs.parquet")["content"], "aggregates");
    assert_eq!(of("paths.parquet")["content"], "aggregates");
    assert!(assigned, "the experiment is one");
    assert_eq!(of("arms.parquet")["erased"], 1);
    assert!(said["left_alone"][0].as_str().unwrap().ends_with("other.parquet"));
    assert!(
        said["aggregates"]
            .as_array()
            .unwrap()
            .iter()
            .any(|path| path.as_str().unwrap().ends_with("notes.md"))
    );
    cip(args!["forget", store, "--user", USER, "--derived", tables.join("other.parquet")])
        .fails(1, "is not a table that cip wrote");
}

#[test]
fn what_is_wrong_is_said() {
    let (folder, store) = folder_of_store(50);
    cip(args!["forget", store]).fails(2, "--user");
    cip(args!["forget", store, "--user", "ann"]).fails(1, "`ann` cannot be a user of");
    cip(args!["forget", folder.path(), "--user", "1"]).fails(1, "is not an event store");
    let empty = folder.path().join("empty.txt");
    fs::write(&empty, "\n").unwrap();
    cip(args!["forget", store, "--users", empty]).fails(2, "there is no user to forget");
    cip(args!["forget", store, "--users", folder.path().join("none.txt")]).fails(1, "cannot read");
    cip(args!["forget", store, "--user", "1", "--memory", "16MiB"]).fails(1, "give it");
}

#[test]
fn a_killed_erasure_leaves_the_old_store_or_the_new_and_is_done_again() {
    let (folder, file) = folder_of_clicks(60_000);
    let at = |name: &str| folder.path().join(name);
    cip(args!["ingest", file, "--mapping", "rees46", "--out", at("store")]).ok();
    let before = bytes_of(&at("store"));
    let arguments = args!["forget", at("store"), "--user", USER];
    let start = Instant::now();
    cip(&arguments).ok();
    let whole = start.elapsed();
    let after = bytes_of(&at("store"));
    let mut stopped = 0;
    for step in 0..8 {
        fs::remove_dir_all(at("store")).unwrap();
        for (name, bytes) in &before {
            let path = at("store").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let mut child = command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(step + 1) / 9.0));
        child.kill().unwrap();
        stopped += usize::from(!child.wait().unwrap().success());
        let found = bytes_of(&at("store"));
        assert!(found == before || found == after, "killed at step {step}");
        cip(&arguments).ok();
        assert!(bytes_of(&at("store")) == after, "killed at step {step}: the next run differs");
        assert_eq!(names_in(folder.path()), ["events.csv", "store"], "step {step}");
    }
    assert!(stopped >= 3, "only {stopped} of 8 runs were killed before their end");
}

/// The customer with the most lines of Online Retail among those who buy a week after the first, by the published counts
/// of the file: 17841 has 7,983 lines.
#[test]
fn a_customer_of_online_retail_is_forgotten_in_every_day() {
    let Some(source) = data("online_retail_daily") else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let mut files: Vec<_> = fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".csv.gz"));
    files.sort();
    let ingest = |files: &[std::path::PathBuf]| {
        let mut arguments = args!["ingest", "--mapping", "online-retail", "--out", store].to_vec();
        arguments.extend(files.iter().map(std::ffi::OsString::from));
        cip(arguments).ok();
    };
    let (first, second) = files.split_at(files.len() / 2);
    ingest(first);
    ingest(second);
    let said = cip(args!["forget", store, "--user", "17841", "--json"]).ok().json();
    assert_eq!(said["erased"]["events"], 7_983);
    assert_eq!(said["found"], 0);
    let info = cip(args!["info", store, "--json"]).ok().json();
    assert_eq!(info["account"]["rows"], 541_909);
    assert_eq!(info["account"]["events"], 541_909 - 7_983);
    assert_eq!(info["users"], 4_371);
    cip(args!["compact", store]).ok();
    let compacted = cip(args!["info", store, "--json"]).ok().json();
    assert_eq!(compacted["account"], info["account"]);
}
