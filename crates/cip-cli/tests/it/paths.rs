//! `cip paths`: what it says, and what it refuses.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{HEADER, Outcome, args, cip, folder_of_store, names_in, rows};

fn paths(store: &Path, out: &Path, more: &[&str]) -> Outcome {
    let more = more.iter().map(OsString::from);
    cip(args!["paths", store, "--out", out].into_iter().chain(more))
}

/// Three users: (time of 1 October 2019, event type, user).
const EVENTS: [(&str, &str, u32); 10] = [
    ("10:00:00", "view", 1),
    ("10:00:10", "view", 1),
    ("10:01:00", "cart", 1),
    ("10:02:00", "purchase", 1),
    ("12:00:00", "view", 1),
    ("10:00:00", "view", 2),
    ("10:01:00", "cart", 2),
    ("10:00:00", "cart", 3),
    ("10:30:00", "wish", 3),
    ("11:00:00", "purchase", 3),
];

fn store_of(folder: &Path) -> PathBuf {
    let lines =
        EVENTS.iter().map(|(time, kind, user)| format!("2019-10-01 {time} UTC,{kind},1,2,,,1.00,{user},\n"));
    let file = folder.join("few.csv");
    fs::write(&file, format!("{HEADER}\n{}", lines.collect::<String>())).unwrap();
    let store = folder.join("store");
    cip(args!["ingest", file, "--mapping", "rees46", "--out", store]).ok();
    store
}

#[test]
fn the_object_says_which_paths_are_taken_and_how_often() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path()), folder.path().join("p.parquet"));
    let outcome = paths(&store, &out, &["--max-steps", "2", "--json"]).ok();
    assert_eq!(outcome.stderr, "");
    assert_eq!(
        outcome.json(),
        json!({
            "scope": "session", "repeats": "collapse", "max_steps": 2, "to": null, "users": 3, "sessions": 4,
            "with_path": 4, "different": 3, "skipped_events": 0, "event_types": ["cart", "purchase", "view", "wish"],
            "paths": [
                { "path": ["view", "cart"], "steps": 2, "sessions": 2, "users": 2, "share": 0.5, "conversions": 1,
                  "conversion_rate": 0.5 },
                { "path": ["cart", "wish"], "steps": 2, "sessions": 1, "users": 1, "share": 0.25, "conversions": 1,
                  "conversion_rate": 1.0 },
                { "path": ["view"], "steps": 1, "sessions": 1, "users": 1, "share": 0.25, "conversions": 0,
                  "conversion_rate": 0.0 },
            ],
        })
    );
    assert_eq!(rows(&out), 3);
    let more = ["--to", "purchase", "--scope", "user", "--repeats", "keep", "--top", "1", "--json"];
    let said = paths(&store, &out, &more).ok().json();
    assert_eq!(
        (&said["with_path"], &said["different"], &said["to"]),
        (&2.into(), &2.into(), &"purchase".into())
    );
    assert_eq!(said["paths"].as_array().unwrap().len(), 1);
    assert_eq!(said["paths"][0]["path"], json!(["cart", "wish", "purchase"]));
    assert_eq!(rows(&out), 1);
}

#[test]
fn people_see_the_most_frequent_paths() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path()), folder.path().join("p.parquet"));
    let text = paths(&store, &out, &["--to", "purchase"]).ok().stdout;
    let expected = "2 of 4 sessions come to `purchase` (50.0%), on 2 different paths\n\n  \
                      path                    sessions  users  share  with a purchase\n  \
                      cart > wish > purchase         1      1  50.0%           100.0%\n  \
                      view > cart > purchase         1      1  50.0%           100.0%\n\nwritten to ";
    assert!(text.starts_with(expected), "{text}");
    let text = paths(&store, &out, &["--to", "refund"]).ok().stdout;
    let expected = "0 of 4 sessions come to `refund` (0.0%), on 0 different paths\n\
                    no event is `refund`; the store has cart, purchase, view, wish\n";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(rows(&out), 0);
    let text = paths(&store, &out, &["--scope", "user"]).ok().stdout;
    assert!(text.starts_with("3 users take 3 different paths\n\n  path "), "{text}");
}

#[test]
fn paths_that_make_no_sense_write_nothing() {
    let (folder, store) = folder_of_store(100);
    let (before, out) = (names_in(folder.path()), folder.path().join("p.parquet"));
    for (more, message) in [
        (&["--max-steps", "0"][..], "the paths have up to 0 steps, expected 1 to 32"),
        (&["--max-steps", "33"], "the paths have up to 33 steps"),
        (&["--to", " "], "the event type that paths end with is blank"),
        (&["--scope", "day"], "session"),
        (&["--repeats", "some"], "collapse, keep"),
        (&["--top=-1"], "--top"),
    ] {
        paths(&store, &out, more).fails(2, message);
    }
    cip(args!["paths", store]).fails(2, "--out");
    assert_eq!(names_in(folder.path()), before, "nothing was written");
}

#[test]
fn a_store_without_events_has_no_paths() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), format!("{HEADER}\nyesterday,view,1,2,,,1.00,7,\n")).unwrap();
    cip(args!["ingest", at("t.csv"), "--mapping", "rees46", "--out", at("store")]).ok();
    let text = paths(&at("store"), &at("p"), &["--to", "view"]).ok().stdout;
    assert!(text.contains("no event is `view`; the store has no events"), "{text}");
    assert_eq!(rows(&at("p")), 0);
}
