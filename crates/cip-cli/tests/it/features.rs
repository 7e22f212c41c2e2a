//! `cip features`: what it says, what it leaves out, and what it refuses.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::{Outcome, args, cip, folder_of_store, names_in};

fn features(store: &Path, out: &Path, more: &[&str]) -> Outcome {
    let more = more.iter().map(OsString::from);
    cip(args!["features", store, "--out", out].into_iter().chain(more))
}

#[test]
fn the_object_says_what_was_computed_and_the_file_is_whole() {
    let (folder, store) = folder_of_store(900);
    let at = |name: &str| folder.path().join(name);
    let said = |name: &str, more: &[&str]| {
        let outcome = features(&store, &at(name), &[more, &["--json"]].concat()).ok();
        assert_eq!(outcome.stderr, "");
        outcome.json()
    };
    let all = said("a", &["--cutoff", "2019-10-10", "--label-until", "2019-10-12"]);
    assert_eq!(all["columns"].as_array().unwrap().len(), 23);
    assert_eq!((&all["absent"], &all["skipped_events"]), (&serde_json::json!({}), &0.into()));
    assert_eq!(all["window"], serde_json::json!(["2019-10-01", "2019-10-10"]));
    assert_eq!((&all["cutoff"], &all["label_until"]), (&"2019-10-10".into(), &"2019-10-12".into()));
    let (users, positives) = (all["users"].as_u64().unwrap(), all["positives"].as_u64().unwrap());
    assert!(0 < positives && positives < users, "{all}");

    let some = said("b", &["--cutoff=2019-10-10", "--from=2019-10-09T12:00:00Z", "--columns=spend,events"]);
    assert_eq!(some["columns"], serde_json::json!(["spend", "events"]));
    assert!(some["positives"].is_null() && some["label_until"].is_null());
    assert!(some["users"].as_u64().unwrap() < users);
    assert_eq!(some["window"][0], "2019-10-09T12:00:00Z");

    // A second run, on other threads, writes the same bytes in place of the first.
    let bytes = fs::read(at("a")).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    said(
        "a",
        &["--cutoff", "2019-10-10", "--label-until", "2019-10-12", "--set", "commerce", "--threads", "3"],
    );
    assert!(fs::read(at("a")).unwrap() == bytes);
}

#[test]
fn people_are_told_of_labels_that_are_incomplete() {
    let (folder, store) = folder_of_store(300);
    let text = |until: &str| {
        let more = ["--cutoff", "2019-10-10", "--label-until", until];
        features(&store, &folder.path().join("f.parquet"), &more).ok().stdout
    };
    // The last events are of the 14th.
    for until in ["2019-10-12", "2019-10-15"] {
        let whole = text(until);
        assert!(whole.contains(&format!("buy before {until}")) && !whole.contains("incomplete"), "{whole}");
    }
    let cut = text("2019-11-12");
    assert!(cut.contains("so the labels up to 2019-11-12 are incomplete"), "{cut}");
}

#[test]
fn what_the_store_cannot_give_is_left_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let rows = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
        1,A,x,2,2010-12-01 08:26:00,2.55,17850.0,France\n\
        2,A,x,1,2010-12-01 09:26:00,2.55,,France\n\
        3,A,x,1,2010-12-03 08:26:00,2.55,17850.0,France\n";
    fs::write(at("t.csv"), rows).unwrap();
    cip(args!["ingest", at("t.csv"), "--mapping", "online-retail", "--out", at("store")]).ok();
    let more = ["--cutoff", "2010-12-02", "--label-until", "2010-12-04"];
    let said = features(&at("store"), &at("f"), &[&more[..], &["--json"]].concat()).ok().json();
    assert_eq!(
        (&said["users"], &said["positives"], &said["skipped_events"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!(said["columns"].as_array().unwrap().len(), 21);
    assert_eq!(
        said["absent"],
        serde_json::json!({
            "categories": "the store has no category_id and no category_code", "brands": "the store has no brand"
        })
    );
    let text = features(&at("store"), &at("f"), &more).ok().stdout;
    assert!(text.contains("\nno brands: the store has no brand\n"), "{text}");
    assert!(text.contains("1 events without a user"), "{text}");
    features(&at("store"), &at("g"), &["--cutoff", "2010-12-02", "--columns", "events,brands"])
        .fails(1, "feature `brands` is made from column `brand`, which the events do not have");
    assert!(!at("g").exists());
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let (folder, store) = folder_of_store(60);
    let before = names_in(folder.path());
    let refused = |more: &[&str], what: &str| {
        features(&store, &folder.path().join("f.parquet"), more).fails(2, what);
    };
    refused(&[], "--cutoff");
    refused(&["--cutoff", "soon"], "write a UTC day such as");
    refused(&["--cutoff", "2019-10-10", "--set", "streamflow"], "streamflow");
    refused(
        &["--cutoff", "2019-10-10", "--columns", "events,revenue"],
        "`revenue` is not a feature: expected one of events",
    );
    refused(&["--cutoff", "2019-10-10", "--columns", "events,events"], "`events` is asked for twice");
    refused(&["--cutoff", "2019-10-10", "--columns", ""], "`` is not a feature");
    refused(&["--cutoff", "2019-10-10", "--label-until", "2019-10-10"], "behind the cutoff, 2019-10-10");
    refused(&["--cutoff", "2019-09-30"], "the window of the features is [2019-10-01, 2019-09-30)");
    refused(&["--cutoff", "2019-10-10", "--from", "2019-10-10"], "[2019-10-10, 2019-10-10)");
    assert_eq!(names_in(folder.path()), before, "nothing was written");
}

#[test]
fn a_store_without_events_has_no_users() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), format!("{}\nyesterday,view,1,2,,,1.00,7,\n", crate::HEADER)).unwrap();
    cip(args!["ingest", at("t.csv"), "--mapping", "rees46", "--out", at("store")]).ok();
    let said = features(&at("store"), &at("f"), &["--cutoff", "2019-10-10", "--json"]).ok().json();
    assert_eq!((&said["users"], &said["window"][0]), (&0.into(), &"2019-10-09".into()));
}
