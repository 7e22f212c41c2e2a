//! `cip run`: what it writes, that the bytes depend on the input alone, and what it replaces.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{
    args, bytes_of, cip, clicks, folder_of_clicks, folder_of_store, names_in, rows, smallest_memory,
};

const WITHOUT_PRICE: &str = r#"
name = "plain"
[columns]
event_time = { from = "event_time", type = "timestamp" }
event_type = { from = "event_type", type = "dictionary" }
product_id = { from = "product_id", type = "int64" }
user_id = { from = "user_id", type = "utf8" }
"#;

const WITHOUT_USERS: &str = r#"
name = "till"
[columns]
event_time = { from = "event_time", type = "timestamp" }
event_type = { from = "event_type", type = "dictionary" }
product_id = { from = "product_id", type = "int64" }
price = { from = "price", type = "money", scale = 2 }
"#;

fn summary(out: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap()
}

fn run_with(mapping: &str) -> (tempfile::TempDir, PathBuf, serde_json::Value) {
    let (folder, file) = folder_of_clicks(300);
    let (toml, out) = (folder.path().join("m.toml"), folder.path().join("out"));
    fs::write(&toml, mapping).unwrap();
    let said = cip(args!["run", file, "--mapping", toml, "--out", out, "--json"]).ok().json();
    let kept = summary(&out);
    for (key, value) in kept.as_object().unwrap() {
        assert_eq!(&said[key], value, "standard output and summary.json agree");
    }
    (folder, out, kept)
}

#[test]
fn a_run_writes_the_store_the_tables_and_the_summary() {
    let (folder, file) = folder_of_clicks(2_000);
    let out = folder.path().join("out");
    let said = cip(args!["run", file, "--mapping", "rees46", "--out", out]).ok();
    assert!(said.stdout.contains("2,000 rows = 2,000 events + 0 rejected + 0 dropped"), "{}", said.stdout);
    assert!(!said.stderr.contains("error"), "{}", said.stderr);
    assert_eq!(
        names_in(&out),
        [
            "fact_sessions.parquet",
            "features.parquet",
            "model.card.html",
            "model.card.md",
            "model.json",
            "product_pairs.parquet",
            "rejects.parquet",
            "rfm_segments.parquet",
            "scores.parquet",
            "store",
            "summary.json"
        ]
    );
    let summary = summary(&out);
    assert_eq!(summary["format"], "cip-run");
    assert_eq!(summary["absent"], serde_json::json!({}));
    let tables = names_in(&out).into_iter().filter(|name| name.ends_with(".parquet"));
    for table in tables {
        assert_eq!(summary["tables"][&table], rows(&out.join(&table)), "{table}");
    }
    let (features, propensity) = (&summary["features"], &summary["propensity"]);
    assert_eq!((&features["cutoff"], &features["label_until"]), (&"2019-10-08".into(), &"2019-10-15".into()));
    assert_eq!(
        (&propensity["horizon_days"], &propensity["scores"]["as_of"]),
        (&7.into(), &"2019-10-15".into())
    );
    assert_eq!(propensity["scores"]["rows"], rows(&out.join("scores.parquet")));
    assert_eq!(propensity["metrics"]["rows"], propensity["held_out_rows"]);
    assert!(summary.get("experiment").is_none(), "nobody asked for a verdict");
    assert_eq!(summary["rfm"]["as_of"], "2019-10-15", "the day after the last event");
    cip(args!["info", out.join("store")]).ok();
}

/// Each stage by itself writes what the run writes.
#[test]
fn the_stages_one_by_one_give_the_same_bytes() {
    let (folder, file) = folder_of_clicks(2_000);
    let at = |name: &str| folder.path().join(name);
    let out = at("out");
    cip(args!["run", file, "--mapping", "rees46", "--out", out]).ok();
    cip(args!["ingest", file, "--mapping", "rees46", "--out", at("store")]).ok();
    cip(args!["sessions", at("store"), "--out", at("s.parquet"), "--timeout", "30m"]).ok();
    cip(args!["rfm", at("store"), "--as-of", "2019-10-15", "--out", at("r.parquet")]).ok();
    cip(args!["pairs", at("store"), "--out", at("p.parquet"), "--threads", "1"]).ok();
    // The first half of the days foretells the second; the second, the week that follows.
    let past = args!["features", at("store"), "--cutoff", "2019-10-08", "--label-until", "2019-10-15"];
    cip(past.iter().chain(&args!["--out", at("f.parquet")])).ok();
    let present = args!["features", at("store"), "--from", "2019-10-08", "--cutoff", "2019-10-15"];
    cip(present.iter().chain(&args!["--out", at("now.parquet")])).ok();
    cip(args!["train", at("f.parquet"), "--label", "label", "--out", at("m.json")]).ok();
    cip(args!["score", at("now.parquet"), "--model", at("m.json"), "--out", at("c.parquet")]).ok();
    assert!(bytes_of(&at("store")) == bytes_of(&out.join("store")));
    let same = |a: &str, b: &str| assert!(fs::read(at(a)).unwrap() == fs::read(out.join(b)).unwrap(), "{a}");
    same("s.parquet", "fact_sessions.parquet");
    same("r.parquet", "rfm_segments.parquet");
    same("p.parquet", "product_pairs.parquet");
    same("f.parquet", "features.parquet");
    same("m.json", "model.json");
    same("c.parquet", "scores.parquet");
}

#[test]
fn without_prices_there_are_no_segments_and_the_summary_says_why() {
    let (_folder, out, summary) = run_with(WITHOUT_PRICE);
    let absent = summary["absent"].as_object().unwrap();
    assert_eq!(absent.keys().collect::<Vec<_>>(), ["rfm_segments.parquet", "product_pairs.parquet"]);
    assert!(absent.keys().all(|table| !out.join(table).exists()));
    assert!(absent["product_pairs.parquet"].as_str().unwrap().contains("order_id"), "{summary}");
    assert!(absent["rfm_segments.parquet"].as_str().unwrap().contains("price"), "{summary}");
    assert_eq!(summary["sessions"]["revenue"], serde_json::Value::Null);
    assert!(summary.get("rfm").is_none());
}

#[test]
fn without_users_there_are_neither_sessions_nor_segments() {
    let (folder, out, summary) = run_with(WITHOUT_USERS);
    assert_eq!(names_in(&out), ["rejects.parquet", "store", "summary.json"]);
    let absent = summary["absent"].as_object().unwrap();
    assert_eq!(
        absent.keys().collect::<Vec<_>>(),
        [
            "fact_sessions.parquet",
            "rfm_segments.parquet",
            "features.parquet",
            "model.json",
            "scores.parquet",
            "product_pairs.parquet"
        ]
    );
    for table in ["fact_sessions.parquet", "rfm_segments.parquet", "features.parquet", "scores.parquet"] {
        assert!(absent[table].as_str().unwrap().contains("user"), "{absent:?}");
    }
    assert_eq!((&summary["users"], &summary["account"]["events"]), (&0.into(), &300.into()));
    let table = folder.path().join("t.parquet");
    cip(args!["sessions", out.join("store"), "--out", table]).fails(1, "user_id");
    cip(args!["rfm", out.join("store"), "--as-of", "2019-11-01", "--out", table]).fails(1, "user_id");
    assert!(!table.exists());
}

/// Whoever was tagged at the ingest is compared in the end.
#[test]
fn with_an_experiment_there_is_a_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let effect = "[effect]\nfrom = \"cart\"\nto = \"purchase\"\nshare = 0.9\n";
    let text = format!("name = \"checkout\"\nassignment = \"md5_parity\"\n{effect}");
    fs::write(at("checkout.toml"), &text).unwrap();
    let world = args!["generate", at("world"), "--events", "6e4", "--experiment", at("checkout.toml")];
    cip(world).ok();
    // The world keeps what it was made by.
    assert_eq!(fs::read_to_string(at("world/experiment.toml")).unwrap(), text);
    let list = args!["run", at("world"), "--mapping", "rees46", "--out", at("out")];
    cip(list.iter().chain(&args!["--experiment", at("world/experiment.toml")])).ok();
    let kept = summary(&at("out"));
    let found = &kept["experiment"];
    assert_eq!((&found["verdict"], &found["experiment"]), (&"better".into(), &"checkout".into()));
    let said = cip(args!["abtest", at("out/store"), "--metric", "purchase", "--json"]).ok().json();
    for value in ["arms", "p_value", "p_value_yates", "difference", "ci_low", "ci_high", "srm_p_value"] {
        assert_eq!(said[value], found[value], "{value}");
    }
    let read = args![
        "abtest",
        at("out/store"),
        "--experiment",
        at("checkout.toml"),
        "--metric",
        "purchase",
        "--json"
    ];
    assert_eq!(cip(read).ok().json()["p_value"], found["p_value"]);
}

#[test]
fn what_cannot_be_learned_leaves_the_other_tables_and_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("events.csv"), folder.path().join("out"));
    let run = |text: &str, more: &[&str]| {
        fs::write(&file, text).unwrap();
        let list = args!["run", file, "--mapping", "rees46", "--out", out];
        cip(list.iter().cloned().chain(more.iter().map(OsString::from))).ok();
        summary(&out)
    };
    // Nobody buys: there are features and labels, and nothing to tell apart.
    let kept = run(&clicks(2_000, 3).replace(",purchase,", ",view,"), &[]);
    assert!(kept["absent"]["model.json"].as_str().unwrap().contains("labels are 0"), "{kept}");
    assert_eq!(kept["absent"]["model.json"], kept["absent"]["scores.parquet"]);
    assert_eq!((rows(&out.join("features.parquet")), out.join("model.json").exists()), (134, false));
    assert_eq!(kept["features"]["positives"], 0);
    // One day: there is no other to foretell.
    let day = |line: &&str| !line.starts_with("2019") || line.starts_with("2019-10-03");
    let one_day = clicks(2_000, 3).lines().filter(day).collect::<Vec<_>>().join("\n");
    let kept = run(&one_day, &[]);
    for table in ["features.parquet", "model.json", "scores.parquet"] {
        assert!(kept["absent"][table].as_str().unwrap().contains("fewer than two days"), "{kept}");
    }
    // As of a day within the data, labels end there.
    let kept = run(&clicks(2_000, 3), &["--as-of", "2019-10-11"]);
    assert_eq!(
        (&kept["features"]["cutoff"], &kept["rfm"]["as_of"]),
        (&"2019-10-06".into(), &"2019-10-11".into())
    );
    let kept = run(&clicks(2_000, 3), &["--as-of", "2019-10-01"]);
    assert!(kept["absent"]["features.parquet"].is_string(), "{kept}");
}

#[test]
fn where_every_row_is_bad_the_run_says_so_and_keeps_the_rejects() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("events.csv"), folder.path().join("out"));
    fs::write(&file, format!("{}\nx\ny\n", crate::HEADER)).unwrap();
    let outcome = cip(args!["run", file, "--mapping", "rees46", "--out", out]).ok();
    assert!(outcome.stderr.contains("every row was rejected or dropped"), "{}", outcome.stderr);
    assert_eq!(rows(&out.join("rejects.parquet")), 2);
    assert!(summary(&out)["absent"]["rfm_segments.parquet"].is_string());
    cip(args!["info", out.join("store")]).ok();
    cip(args!["rejects", out.join("store")]).ok();
}

#[test]
fn the_bytes_depend_on_neither_threads_nor_memory() {
    // Three row groups, so that several threads have work.
    let (folder, file) = folder_of_clicks(280_000);
    let tight = smallest_memory(&file);
    let made: Vec<BTreeMap<PathBuf, Vec<u8>>> = [("1", "1GiB"), ("2", "1GiB"), ("2", &tight), ("1", &tight)]
        .iter()
        .map(|(threads, memory)| {
            let out = folder.path().join(format!("out-{threads}-{memory}"));
            let flags = ["--threads", threads, "--memory", memory];
            cip(args!["run", file, "--mapping", "rees46", "--out", out]
                .iter()
                .chain(&flags.map(OsString::from)))
            .ok();
            bytes_of(&out)
        })
        .collect();
    assert_eq!(made[0].len(), 15, "{:?}", made[0].keys());
    for other in &made[1..] {
        assert!(made[0].keys().eq(other.keys()));
        for (path, bytes) in &made[0] {
            assert!(bytes == &other[path], "{} differs", path.display());
        }
    }
}

#[test]
fn a_second_run_replaces_the_first_as_a_whole() {
    let (folder, file) = folder_of_clicks(500);
    let (out, toml) = (folder.path().join("out"), folder.path().join("m.toml"));
    cip(args!["run", file, "--mapping", "rees46", "--out", out]).ok();
    let first = bytes_of(&out);
    cip(args!["run", file, "--mapping", "rees46", "--out", out]).ok();
    assert!(bytes_of(&out) == first, "the same input gives the same folder");

    fs::write(&toml, WITHOUT_USERS).unwrap();
    cip(args!["run", file, "--mapping", toml, "--out", out]).ok();
    assert!(!out.join("fact_sessions.parquet").exists(), "nothing of the first is left");
    assert_eq!(names_in(folder.path()), ["events.csv", "m.toml", "out"]);

    // A run that fails leaves it.
    let kept = bytes_of(&out);
    fs::write(&file, "").unwrap();
    cip(args!["run", file, "--mapping", "rees46", "--out", out]).fails(1, "is empty");
    assert!(bytes_of(&out) == kept);
    assert_eq!(names_in(folder.path()), ["events.csv", "m.toml", "out"]);
}

#[test]
fn what_cip_did_not_write_is_refused_and_left_alone() {
    let (folder, store) = folder_of_store(100);
    let (file, photos) = (folder.path().join("events.csv"), folder.path().join("photos"));
    fs::create_dir(&photos).unwrap();
    fs::write(photos.join("a.jpg"), "a").unwrap();
    // A summary or a manifest of somebody else is no marker.
    fs::write(photos.join("summary.json"), r#"{"format":"album"}"#).unwrap();
    fs::write(photos.join("manifest.json"), "{}").unwrap();
    let before = (bytes_of(&photos), names_in(folder.path()));
    for stage in ["run", "ingest"] {
        cip(args![stage, file, "--mapping", "rees46", "--out", photos])
            .fails(1, "exists and was not written by cip: choose another --out, or remove it yourself");
        cip(args![stage, file, "--mapping", "rees46", "--out", file]).fails(1, "was not written by cip");
    }
    cip(args!["generate", photos, "--events", "100"]).fails(1, "was not written by cip");
    cip(args!["sessions", store, "--out", photos]).fails(1, "was not written by cip");
    cip(args!["rfm", store, "--as-of", "2019-11-01", "--out", store]).fails(1, "was not written by cip");
    assert!((bytes_of(&photos), names_in(folder.path())) == before);

    // An empty folder is nobody's.
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    cip(args!["run", file, "--mapping", "rees46", "--out", empty]).ok();
}

/// A generated world is a folder that cip wrote, but not one to replace with what is made of it.
#[test]
fn a_source_is_not_replaced_by_its_own_store() {
    let folder = tempfile::tempdir().unwrap();
    let world = folder.path().join("world");
    cip(args!["generate", world, "--events", "500"]).ok();
    let before = bytes_of(&world);
    let file = names_in(&world).into_iter().find(|name| name.ends_with(".csv")).unwrap();
    for stage in ["ingest", "run"] {
        for source in [world.clone(), world.join(&file), world.join("../world")] {
            cip(args![stage, source, "--mapping", "rees46", "--out", world])
                .fails(2, "would replace its own source");
        }
    }
    assert!(bytes_of(&world) == before);
    // Beside the files is a place of its own.
    cip(args!["ingest", world, "--mapping", "rees46", "--out", folder.path().join("store")]).ok();
}

#[test]
fn a_table_is_replaced_in_one_step() {
    let (folder, store) = folder_of_store(400);
    let sessions = folder.path().join("sessions.parquet");
    let segments = folder.path().join("segments.parquet");
    let before = names_in(folder.path()).len();
    for (stage, out) in [("sessions", &sessions), ("rfm", &segments)] {
        let write = |out: &Path| {
            let mut list = args!["--threads", "2", stage, store, "--out", out].to_vec();
            if stage == "rfm" {
                list.extend(args!["--as-of", "2019-11-01"]);
            }
            cip(list)
        };
        // What is not a table is somebody's: it is not replaced.
        fs::write(out, "notes").unwrap();
        write(out).fails(1, "was not written by cip");
        fs::write(out, "PAR1 old").unwrap();
        let old = fs::File::open(out).unwrap();
        write(out).ok();
        assert!(rows(out) > 0);
        // A new file took the name: whoever read the old one still reads it whole.
        assert_eq!(std::io::read_to_string(old).unwrap(), "PAR1 old");
        let kept = fs::read(out).unwrap();
        write(out).ok();
        assert!(fs::read(out).unwrap() == kept);
    }
    let count = names_in(folder.path()).len();
    assert_eq!(count, before + 2, "nothing is left beside the tables: {:?}", names_in(folder.path()));

    // What fails leaves the old table.
    let kept = fs::read(&sessions).unwrap();
    cip(args!["sessions", folder.path().join("gone"), "--out", sessions]).fails(1, "gone");
    assert!(fs::read(&sessions).unwrap() == kept);
}

#[test]
fn a_dry_run_shows_what_the_rows_become_and_writes_nothing() {
    let (folder, file) = folder_of_clicks(6_000);
    fs::write(&file, format!("{}yesterday,view,1,2,,,1.00,7,\n", clicks(500, 1))).unwrap();
    let text = cip(args!["ingest", file, "--mapping", "rees46", "--dry-run"]).ok().stdout;
    for word in [
        "501 rows = 500 events + 1 rejected (invalid_time 1)",
        "Decimal128(18, 2)",
        "user_session",
        "2019-10-",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let said = cip(args!["ingest", file, "--mapping", "rees46", "--dry-run", "--json"]).ok().json();
    assert_eq!((&said["account"]["events"], &said["files"]), (&500.into(), &1.into()));
    let columns = said["columns"].as_array().unwrap();
    let column = |name: &str| columns.iter().find(|column| column["column"] == name).unwrap();
    assert_eq!((columns.len(), &column("category_code")["nulls"]), (10, &500.into()));
    assert_eq!(column("event_time")["examples"].as_array().unwrap().len(), 3);
    assert_eq!(column("source_session")["from"], "user_session");
    assert_eq!(names_in(folder.path()), ["events.csv"], "nothing was written");
    cip(args!["ingest", file, "--mapping", "rees46"]).fails(2, "--out");
    cip(args!["ingest", file, "--mapping", "rees46", "--dry-run", "--out", folder.path().join("s")])
        .fails(2, "cannot be used with");
    cip(args!["ingest", folder.path().join("none"), "--mapping", "rees46", "--dry-run"]).fails(1, "none");
}

#[test]
fn before_the_first_event_there_are_no_customers() {
    let (folder, store) = folder_of_store(100);
    let table = folder.path().join("t.parquet");
    let said = cip(args!["rfm", store, "--as-of", "1999-01-01", "--out", table, "--json"]).ok().json();
    assert_eq!((&said["customers"], rows(&table)), (&0.into(), 0));
}

#[test]
fn several_files_and_folders_are_one_source() {
    let folder = tempfile::tempdir().unwrap();
    let days = folder.path().join("days");
    fs::create_dir(&days).unwrap();
    for day in 0..3 {
        fs::write(days.join(format!("{day}.csv")), clicks(50, day)).unwrap();
    }
    fs::write(days.join("notes.txt"), "not a source").unwrap();
    let more = folder.path().join("more.csv");
    fs::write(&more, clicks(7, 9)).unwrap();
    let store = folder.path().join("store");
    let said = cip(args!["ingest", days, more, "--mapping", "rees46", "--out", store, "--json"]).ok().json();
    assert_eq!((&said["files"], &said["account"]["rows"]), (&4.into(), &157.into()));
}

#[test]
fn a_run_over_a_video_service_foretells_cancellations() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // More than one row group.
    cip(args!["generate", at("views"), "--world", "streamflow", "--events", "3e5", "--seed", "1"]).ok();
    let said = cip(args!["run", at("views"), "--mapping", "streamflow", "--out", at("out")]).ok();
    assert!(said.stdout.contains("cancel before 2024-07-01"), "{}", said.stdout);
    let whole = summary(&at("out"));
    let absent = whole["absent"].as_object().unwrap();
    assert_eq!(absent.keys().collect::<Vec<_>>(), ["rfm_segments.parquet", "product_pairs.parquet"]);
    assert_eq!(
        (&whole["features"]["set"], &whole["features"]["label_event"]),
        (&"streamflow".into(), &"subscription_cancelled".into())
    );
    assert_eq!(whole["tables"]["scores.parquet"], rows(&at("out").join("scores.parquet")));
    assert_eq!(whole["propensity"]["horizon_days"], 30);
    // The stage by itself writes the same, on any number of threads.
    for threads in ["--threads=1", "--threads=3"] {
        let past =
            args!["features", at("out").join("store"), "--set=streamflow", "--cutoff=2024-06-01", threads];
        let past =
            cip(past.iter().chain(&args!["--label-until=2024-07-01", "--out", at("f.parquet"), "--json"]))
                .ok();
        assert!(fs::read(at("f.parquet")).unwrap() == fs::read(at("out").join("features.parquet")).unwrap());
        assert_eq!(past.json(), whole["features"]);
    }

    // Where nobody cancels there are features, and nothing to learn from them.
    let file = at("views").join("streamflow.csv");
    let faithful =
        fs::read_to_string(&file).unwrap().replace("subscription_cancelled", "subscription_renewed");
    fs::write(&file, faithful).unwrap();
    cip(args!["run", at("views"), "--mapping", "streamflow", "--out", at("out")]).ok();
    let whole = summary(&at("out"));
    assert_eq!(whole["features"]["positives"], 0);
    for table in ["model.json", "scores.parquet"] {
        assert!(whole["absent"][table].as_str().unwrap().contains("labels are 0"), "{whole}");
        assert!(!at("out").join(table).exists());
    }
}
