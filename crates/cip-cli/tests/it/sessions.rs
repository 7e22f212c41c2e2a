//! `cip sessions`: its rules, what it says of them, and what it refuses.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{HEADER, Outcome, args, cip, names_in, rows};

/// One user about midnight of 2 October 2019: (time, event type, brand, session of the source).
const EVENTS: [(&str, &str, &str, &str); 8] = [
    ("01 23:50:00", "view", "aqua", "1"),
    ("01 23:55:00", "view", "", "1"),
    ("02 00:05:00", "cart", "aqua", "1"),
    ("02 00:05:05", "view", "elenberg", "2"),
    ("02 02:00:00", "view", "elenberg", "2"),
    ("02 02:00:10", "wish", "", "3"),
    ("02 05:00:00", "purchase", "aqua", "4"),
    ("02 09:00:00", "view", "aqua", ""),
];

fn store_of(folder: &Path) -> PathBuf {
    let lines = EVENTS.iter().map(|(time, kind, brand, session)| {
        let session = if session.is_empty() {
            String::new()
        } else {
            format!("00000000-0000-0000-0000-00000000000{session}")
        };
        format!("2019-10-{time} UTC,{kind},1,2,,{brand},1.00,7,{session}\n")
    });
    let file = folder.join("few.csv");
    fs::write(&file, format!("{HEADER}\n{}", lines.collect::<String>())).unwrap();
    let store = folder.join("store");
    cip(args!["ingest", file, "--mapping", "rees46", "--out", store]).ok();
    store
}

fn sessions(store: &Path, out: &Path, more: &[&str]) -> Outcome {
    let more = more.iter().map(OsString::from);
    cip(args!["sessions", store, "--out", out].into_iter().chain(more))
}

#[test]
fn every_rule_cuts_and_they_combine() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path()), folder.path().join("s.parquet"));
    for (more, expected) in [
        (&[][..], 4),
        (&["--cut-at-midnight", "UTC"], 5),
        (&["--cut-at-midnight", "-05:00"], 4),
        (&["--cut-at-midnight", "Europe/Lisbon"], 4),
        (&["--cut-at-midnight", "africa/abidjan"], 5),
        (&["--cut-at-midnight", "+22:00"], 0),
        (&["--max-length", "15m"], 5),
        (&["--max-length", "905s"], 5),
        (&["--max-length", "906s"], 4),
        (&["--cut-on", "brand"], 5),
        (&["--cut-on", "event_type,brand"], 7),
        (&["--cut-on", "brand", "--cut-on", "event_type"], 7),
        (&["--cut-on", "brand,brand"], 5),
        (&["--cut-on", "brand", "--cut-at-midnight", "UTC", "--max-length", "5m"], 7),
        (&["--by", "source"], 5),
        (&["--by", "source", "--cut-at-midnight", "UTC"], 6),
        (&["--timeout", "5h"], 1),
    ] {
        let outcome = sessions(&store, &out, &[more, &["--json"]].concat());
        if expected == 0 {
            outcome.fails(2, "`+22:00` is no midnight: write UTC, an offset up to 18 hours");
            continue;
        }
        let said = outcome.ok().json();
        assert_eq!((&said["sessions"], &said["events"]), (&expected.into(), &8.into()), "{more:?}");
        assert_eq!(rows(&out), expected, "{more:?}");
        assert!(said.get("source_comparison").is_none(), "{said}");
    }
}

#[test]
fn engaged_sessions_are_counted_as_analytics_does() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path()), folder.path().join("s.parquet"));
    // 3 views; a view and 10 seconds, which are not more than 10; a purchase; a view.
    let said = sessions(&store, &out, &["--json"]).ok().json();
    assert_eq!((&said["engaged_sessions"], &said["engagement_rate"]), (&2.into(), &0.5.into()));
    let text = sessions(&store, &out, &[]).ok().stdout;
    assert!(text.contains("1 with a purchase (25.0%), 2 engaged (50.0%); "), "{text}");
}

#[test]
fn the_sessions_of_the_source_are_compared_where_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path()), folder.path().join("s.parquet"));
    let said = sessions(&store, &out, &["--compare-source", "--json"]).ok().json();
    let expected = json!({
        "sessions": 4, "source_sessions": 4, "exact": 1, "split": 1,
        "parts": [{ "sessions": 1, "source_sessions": 3 }, { "sessions": 2, "source_sessions": 1 }],
        "merged": 2, "without_source": 1,
    });
    assert_eq!(said["source_comparison"], expected);
    let text = sessions(&store, &out, &["--compare-source"]).ok().stdout;
    let line = "\n4 sessions of the source: 1 are the same (25.0%), 1 lie in several of these; 2 of these hold several of \
                the source, 1 none\nwritten to ";
    assert!(text.contains(line), "{text}");
}

#[test]
fn rules_that_make_no_sense_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path()), folder.path().join("s.parquet"));
    let before = names_in(folder.path());
    for (more, code, message) in [
        (&["--cut-on", "campaign"][..], 1, "the events have no column `campaign`"),
        (&["--cut-on", "brand,campaign"], 1, "the events have no column `campaign`"),
        (
            &["--cut-on", "price"],
            1,
            "the column `price` is Decimal128(18, 2), expected Dictionary(Int32, Utf8)",
        ),
        (&["--max-length", "0s"], 2, "the longest session is 0ns"),
        (&["--timeout", "0s"], 2, "the session timeout is 0ns"),
        (&["--cut-at-midnight", "Europe/Atlantis"], 2, "`Europe/Atlantis` is no midnight: write UTC"),
        (&["--by", "source", "--compare-source"], 2, "compared with themselves"),
        (&["--by", "week"], 2, "inactivity, source"),
    ] {
        sessions(&store, &out, more).fails(code, message);
    }
    let lines = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
        1,A,x,2,2010-12-01 08:26:00,2.55,17850.0,France\n\
        2,A,x,2,2010-12-01 08:27:00,2.55,17850.0,Spain\n";
    let till = tempfile::tempdir().unwrap();
    fs::write(till.path().join("t.csv"), lines).unwrap();
    let till_store = till.path().join("store");
    cip(args!["ingest", till.path().join("t.csv"), "--mapping", "online-retail", "--out", till_store]).ok();
    for more in [&["--by", "source"][..], &["--compare-source"]] {
        sessions(&till_store, &out, more).fails(1, "column `source_session` is missing");
    }
    assert_eq!(names_in(folder.path()), before, "nothing was written");
    let said = sessions(&till_store, &out, &["--cut-on", "country", "--json"]).ok().json();
    assert_eq!(said["sessions"], 2);
}
