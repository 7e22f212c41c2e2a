//! `cip funnel`: what it says, and what it refuses.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::{HEADER, Outcome, args, cip, folder_of_store, names_in, rows};

fn funnel(store: &Path, out: &Path, more: &[&str]) -> Outcome {
    let more = more.iter().map(OsString::from);
    cip(args!["funnel", store, "--out", out].into_iter().chain(more))
}

/// A store of rows of (time of 1 October 2019, event type, user).
fn store_of(folder: &Path, events: &[(&str, &str, u32)]) -> std::path::PathBuf {
    let lines =
        events.iter().map(|(time, kind, user)| format!("2019-10-{time} UTC,{kind},1,2,,,1.00,{user},\n"));
    let file = folder.join("few.csv");
    fs::write(&file, format!("{HEADER}\n{}", lines.collect::<String>())).unwrap();
    let store = folder.join("store");
    cip(args!["ingest", file, "--mapping", "rees46", "--out", store]).ok();
    store
}

const FEW: [(&str, &str, u32); 9] = [
    ("01 10:00:00", "view", 1),
    ("01 10:00:30", "cart", 1),
    ("02 10:00:00", "purchase", 1),
    ("01 10:00:00", "view", 2),
    ("01 10:01:00", "cart", 2),
    ("02 10:00:01", "purchase", 2),
    ("01 12:00:00", "cart", 3),
    ("01 12:00:09", "purchase", 3),
    ("03 00:00:00", "view", 4),
];

const SHOP: [&str; 4] = ["--steps", "view,cart,purchase", "--within", "1d"];

#[test]
fn the_object_says_who_comes_how_far_and_how_fast() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path(), &FEW), folder.path().join("f.parquet"));
    let outcome = funnel(&store, &out, &[&SHOP[..], &["--json"]].concat()).ok();
    assert_eq!(outcome.stderr, "");
    let said = outcome.json();
    assert_eq!(
        said["steps"],
        json!([
            { "step": 1, "event_type": "view", "users": 3, "from_first": 1.0, "from_previous": null, "lost": null,
              "drop_off": null, "median_seconds": null, "mean_seconds": null },
            { "step": 2, "event_type": "cart", "users": 2, "from_first": 2.0 / 3.0, "from_previous": 2.0 / 3.0, "lost": 1,
              "drop_off": 1.0 / 3.0, "median_seconds": 45.0, "mean_seconds": 45.0 },
            // The purchase of user 1 comes at the limit, that of user 2 a second behind it.
            { "step": 3, "event_type": "purchase", "users": 1, "from_first": 1.0 / 3.0, "from_previous": 0.5, "lost": 1,
              "drop_off": 0.5, "median_seconds": 86_370.0, "mean_seconds": 86_370.0 },
        ])
    );
    assert_eq!(
        (&said["users"], &said["within_seconds"], &said["skipped_events"]),
        (&4.into(), &86_400.into(), &0.into())
    );
    assert_eq!(
        (&said["order"], &said["scope"], &said["missing_types"]),
        (&"strict".into(), &"user".into(), &json!([]))
    );
    assert_eq!(
        said["abandonment"],
        json!({ "cart_sessions": 3, "abandoned": 2, "rate": 2.0 / 3.0, "days": [
            { "day": "2019-10-01", "cart_sessions": 3, "abandoned": 2, "rate": 2.0 / 3.0 },
        ] })
    );
    assert_eq!(rows(&out), 3);

    let more = ["--order", "any", "--scope", "session", "--json"];
    let said = funnel(&store, &out, &[&SHOP[..], &more].concat()).ok().json();
    let users: Vec<_> = said["steps"].as_array().unwrap().iter().map(|step| &step["users"]).collect();
    assert_eq!(users, [4, 3, 0]);
    assert_eq!((&said["order"], &said["scope"]), (&"any".into(), &"session".into()));
    assert!(said["steps"][1]["event_type"].is_null(), "{said}");
    let text = funnel(&store, &out, &[&SHOP[..], &more[..4]].concat()).ok().stdout;
    let first =
        "4 of 4 users take one of 3 steps; the others count up to 1 d behind it and in the same session\n";
    assert!(text.starts_with(first) && text.contains("\n  2 of 3"), "{text}");
}

#[test]
fn people_read_a_table_of_steps_and_of_carts() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path(), &FEW), folder.path().join("f.parquet"));
    let text = funnel(&store, &out, &SHOP).ok().stdout;
    let expected = "3 of 4 users take the first of 3 steps; the others count up to 1 d behind it\n\n\
        \x20 step      users  of first  of previous  lost  drop-off  median time\n\
        \x20 view          3    100.0%            -     -         -            -\n\
        \x20 cart          2     66.7%        66.7%     1     33.3%         45 s\n\
        \x20 purchase      1     33.3%        50.0%     1     50.0%  23 h 59 min\n\
        \n\
        2 of 3 sessions with a cart have no purchase (66.7%):\n\n\
        \x20 day         with a cart  abandoned   rate\n\
        \x20 2019-10-01            3          2  66.7%\n\
        \n\
        written to ";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn carts_are_counted_by_segment_too() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path(), &FEW), folder.path().join("f.parquet"));
    let more = ["--segment", "event_type"];
    let text = funnel(&store, &out, &[&SHOP[..], &more].concat()).ok().stdout;
    let expected = "\x20 2019-10-01            3          2  66.7%\n\
        \n\
        \x20 event_type  with a cart  abandoned    rate\n\
        \x20 view                  2          2  100.0%\n\
        \x20 cart                  1          0    0.0%\n\
        \n\
        written to ";
    assert!(text.contains(expected), "{text}");
    let said = funnel(&store, &out, &[&SHOP[..], &more, &["--json"]].concat()).ok().json();
    let day = |carts: u32, left: u32, rate: f64| json!({ "day": "2019-10-01", "cart_sessions": carts, "abandoned": left, "rate": rate });
    assert_eq!(
        said["abandonment"]["segments"],
        json!([
            { "segment": "cart", "cart_sessions": 1, "abandoned": 0, "rate": 0.0, "days": [day(1, 0, 0.0)] },
            { "segment": "view", "cart_sessions": 2, "abandoned": 2, "rate": 1.0, "days": [day(2, 2, 1.0)] },
        ])
    );
    let unknown = ["--segment", "device_type"];
    funnel(&store, &out, &[&SHOP[..], &unknown].concat())
        .fails(1, "the events have no column `device_type` to tell sessions apart by: name one of");
}

#[test]
fn steps_that_never_occur_have_no_users_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (store_of(folder.path(), &FEW), folder.path().join("f.parquet"));
    let more = ["--steps", "view,wish,order", "--within", "1d"];
    let text = funnel(&store, &out, &more).ok().stdout;
    let note = "\nno event is `wish` or `order`; the store has cart, purchase, view\n";
    assert!(text.contains(note), "{text}");
    let said = funnel(&store, &out, &[&more[..], &["--json"]].concat()).ok().json();
    assert_eq!(said["missing_types"], json!(["wish", "order"]));
    assert_eq!(said["event_types"], json!(["cart", "purchase", "view"]));
    assert_eq!((&said["steps"][0]["users"], &said["steps"][1]["users"]), (&3.into(), &0.into()));
    assert!(said["steps"][2]["from_previous"].is_null() && said["steps"][2]["median_seconds"].is_null());
}

#[test]
fn threads_change_no_byte() {
    let (folder, store) = folder_of_store(3_000);
    let made = ["1", "3"].map(|threads| {
        let out = folder.path().join(threads);
        let said = funnel(&store, &out, &[&SHOP[..], &["--json", "--threads", threads]].concat()).ok().json();
        (said, fs::read(out).unwrap())
    });
    assert!(made[0] == made[1]);
    assert!(made[0].0["steps"][2]["users"].as_u64().unwrap() > 0);
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let (folder, store) = folder_of_store(60);
    let before = names_in(folder.path());
    let refused = |steps: &str, within: &str, more: &[&str], what: &str| {
        let args = [&["--steps", steps, "--within", within], more].concat();
        funnel(&store, &folder.path().join("f.parquet"), &args).fails(2, what);
    };
    refused("view", "1d", &[], "the funnel has 1 steps, expected 2 to 32");
    refused(&["view"; 33].join(","), "1d", &[], "the funnel has 33 steps");
    refused("view,,cart", "1d", &[], "step 2 of the funnel is blank");
    refused(" ,cart", "1d", &[], "step 1 of the funnel is blank");
    refused("view,cart", "0d", &[], "the window of the funnel is 0ns");
    refused("view,cart", "soon", &[], "--within");
    refused("view,cart,view", "1d", &["--order", "any"], "`view` is step 1 and step 3");
    refused("view,cart", "1d", &["--order", "loose"], "loose");
    refused("view,cart", "1d", &["--scope", "day"], "day");
    let out = folder.path().join("f.parquet");
    cip(args!["funnel", store, "--within", "1d", "--out", out]).fails(2, "--steps");
    cip(args!["funnel", store, "--steps", "view,cart", "--out", out]).fails(2, "--within");
    cip(args!["funnel", store, "--steps", "view,cart", "--within", "1d"]).fails(2, "--out");
    assert_eq!(names_in(folder.path()), before, "nothing was written");
}

#[test]
fn events_without_a_user_are_in_no_funnel() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let lines = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
        1,A,x,2,2010-12-01 08:26:00,2.55,17850.0,France\n\
        2,A,x,1,2010-12-01 09:26:00,2.55,,France\n\
        C3,A,x,-1,2010-12-03 08:26:00,2.55,17850.0,France\n";
    fs::write(at("t.csv"), lines).unwrap();
    cip(args!["ingest", at("t.csv"), "--mapping", "online-retail", "--out", at("store")]).ok();
    let more = ["--steps", "purchase,cancellation", "--within", "30d"];
    let said = funnel(&at("store"), &at("f"), &[&more[..], &["--json"]].concat()).ok().json();
    assert_eq!((&said["skipped_events"], &said["steps"][1]["users"]), (&1.into(), &1.into()));
    assert_eq!(said["abandonment"], json!({ "cart_sessions": 0, "abandoned": 0, "rate": null, "days": [] }));
    let text = funnel(&at("store"), &at("f"), &more).ok().stdout;
    assert!(
        text.contains("\n1 events without a user are in no funnel\n") && !text.contains("a cart"),
        "{text}"
    );
}

#[test]
fn a_store_without_events_has_an_empty_funnel() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("t.csv"), format!("{HEADER}\nyesterday,view,1,2,,,1.00,7,\n")).unwrap();
    cip(args!["ingest", at("t.csv"), "--mapping", "rees46", "--out", at("store")]).ok();
    let text = funnel(&at("store"), &at("f"), &SHOP).ok().stdout;
    assert!(text.contains("no event is `view` or `cart` or `purchase`; the store has no events"), "{text}");
    assert_eq!(rows(&at("f")), 0);
}
