//! `cip features`: what it says, what it leaves out, and what it refuses.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Outcome, args, cip, folder_of_store, names_in, rows};

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
    assert_eq!((&all["set"], &all["label_event"]), (&"commerce".into(), &"purchase".into()));
    let report = all["report"].as_object().unwrap();
    assert_eq!(report.len(), 23);
    assert_eq!(
        (&report["purchase_rate"]["range"], &report["purchase_rate"]["outside"]),
        (&serde_json::json!([0.0, 1.0]), &0.into())
    );
    assert!(report["events"]["min"].as_f64().unwrap() >= 1.0 && report["events"]["range"].is_null());
    assert!(report["days_since_last_cart"]["nulls"].as_u64().unwrap() > 0, "{report:?}");
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
    refused(&["--cutoff", "2019-10-10", "--set", "stream"], "[possible values: commerce, streamflow]");
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

/// Views of a video service: users 1 and 2 come before May; 1 cancels in it.
const VIEWS: &str =
    "user_id,event_type,timestamp,session_id,device_type,content_id,duration_seconds,page_url,referrer,\
    country,plan_type,revenue,error_code,metadata
1,page_view,2024-04-01T00:00:00Z,,mobile,,,/home,,US,basic,,,
1,video_start,2024-04-01T00:01:00Z,,mobile,c1,,/watch,,US,basic,,,
1,video_complete,2024-04-20T01:01:00Z,,smart_tv,c1,3600,/watch,,US,basic,,,
1,subscription_renewed,2024-04-21T12:00:00Z,,,,,,,US,basic,8.99,,
1,subscription_cancelled,2024-05-21T12:00:00Z,,mobile,,,,,US,basic,,,
2,search,2024-04-30T23:59:59Z,,desktop,,,,,GB,basic,,,
2,support_ticket,2024-04-28T23:59:59Z,,desktop,,,,,GB,basic,,,
2,video_start,2024-05-01T00:00:00Z,,desktop,c1,,/watch,,GB,basic,,,
";

/// A folder with a store of `rows` of the streamflow mapping, or of another.
fn folder_of_views(rows: &str, mapping: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let [file, store, toml] = ["t.csv", "store", "m.toml"].map(|name| folder.path().join(name));
    fs::write(&file, rows).unwrap();
    let mapping = match mapping.contains("[columns]") {
        true => fs::write(&toml, mapping).map(|()| toml.into_os_string()).unwrap(),
        false => mapping.into(),
    };
    cip(args!["ingest", file, "--mapping", mapping, "--out", store]).ok();
    (folder, store)
}

const OF_VIEWS: [&str; 6] = ["--set", "streamflow", "--cutoff", "2024-05-01", "--label-until", "2024-05-31"];

#[test]
fn a_video_service_has_features_of_its_own() {
    let (folder, store) = folder_of_views(VIEWS, "streamflow");
    let out = folder.path().join("f.parquet");
    let said = features(&store, &out, &[&OF_VIEWS[..], &["--json"]].concat()).ok().json();
    assert_eq!((&said["users"], &said["positives"]), (&2.into(), &1.into()));
    assert_eq!(
        (&said["set"], &said["label_event"]),
        (&"streamflow".into(), &"subscription_cancelled".into())
    );
    assert_eq!((said["columns"].as_array().unwrap().len(), &said["absent"]), (15, &serde_json::json!({})));
    // The window starts with the day of the store's first event.
    assert_eq!(said["window"], serde_json::json!(["2024-04-01", "2024-05-01"]));
    let of = |name: &str| {
        [&said["report"][name]["min"], &said["report"][name]["max"]].map(|value| value.as_f64().unwrap())
    };
    for (name, ends) in [
        ("daily_avg_events", [2.0 / 30.0, 4.0 / 30.0]),
        ("video_completion_rate", [0.0, 1.0]),
        ("feature_breadth", [1.0, 2.0]),
        ("support_intensity", [0.0, 0.5]),
        ("mobile_fraction", [0.0, 0.5]),
        ("revenue_per_event", [0.0, 2.2475]),
        ("device_diversity", [1.0, 2.0]),
        ("total_revenue", [0.0, 8.99]),
        ("avg_video_duration", [0.0, 3_600.0]),
        ("search_to_view_ratio", [0.0, 10.0]),
        ("days_since_last_event", [0.0, 9.0]),
        ("days_since_last_support", [2.0, 999.0]),
        ("days_since_last_video", [10.0, 999.0]),
        ("activity_trend", [0.0, 1.0]),
        ("activity_volatility", [0.0, 2.0 / 3.0]),
    ] {
        assert_eq!(of(name), ends, "{name}");
    }
    let text = features(&store, &out, &OF_VIEWS).ok().stdout;
    assert!(text.contains("15 features each; 1 (50.0%) cancel before 2024-05-31"), "{text}");
    assert!(!text.contains("outside"), "{text}");
    // Some columns, also of the other set.
    let more = ["--cutoff=2024-05-01", "--set=streamflow", "--columns=total_revenue,events", "--json"];
    let some = features(&store, &out, &more).ok().json();
    assert_eq!(some["columns"], serde_json::json!(["total_revenue", "events"]));
    assert!(some["label_event"].is_null());
}

#[test]
fn people_are_told_of_values_outside_their_range() {
    let more_ends = "1,video_complete,2024-04-21T01:01:00Z,,console,c1,60,/watch,,US,basic,,,\n".repeat(2);
    let (folder, store) = folder_of_views(&format!("{VIEWS}{more_ends}"), "streamflow");
    let out = folder.path().join("f.parquet");
    let text = features(&store, &out, &OF_VIEWS).ok().stdout;
    assert!(
        text.contains("\nvideo_completion_rate: 1 users outside 0 to 1; the least is 0, the greatest 3\n"),
        "{text}"
    );
    let said = features(&store, &out, &[&OF_VIEWS[..], &["--json"]].concat()).ok().json();
    assert_eq!(
        said["report"]["video_completion_rate"],
        serde_json::json!({ "nulls": 0, "min": 0.0, "max": 3.0, "range": [0.0, 1.0], "outside": 1 })
    );
}

#[test]
fn a_store_of_another_kind_gives_what_it_can_and_says_what_not() {
    let (folder, store) = folder_of_store(60);
    let more = ["--set", "streamflow", "--cutoff", "2019-10-10", "--json"];
    let said = features(&store, &folder.path().join("f.parquet"), &more).ok().json();
    let absent = said["absent"].as_object().unwrap();
    assert_eq!((said["columns"].as_array().unwrap().len(), absent.len()), (10, 5));
    assert_eq!(absent["total_revenue"], "the store has no revenue");
    let one = ["--cutoff=2019-10-10", "--columns=total_revenue"];
    features(&store, &folder.path().join("g.parquet"), &one).fails(
        1,
        "feature `total_revenue` is made from column `revenue` (money), which the events do not have: map it",
    );
}

#[test]
fn a_column_of_another_type_is_named_with_its_type() {
    const MAPPING: &str = r#"
        name = "views"
        [columns]
        user_id = { from = "user_id", type = "int64" }
        event_type = { from = "event_type", type = "dictionary" }
        event_time = { from = "timestamp", type = "timestamp" }
        device_type = { from = "device_type", type = "dictionary", nullable = true }
        duration_seconds = { from = "duration_seconds", type = "int64", nullable = true }
        revenue = { from = "revenue", type = "float64", nullable = true }
    "#;
    let (folder, store) = folder_of_views(VIEWS, MAPPING);
    let text = features(&store, &folder.path().join("f.parquet"), &OF_VIEWS).ok().stdout;
    assert!(text.contains("\nno total_revenue: the store's revenue is Float64\n"), "{text}");
    assert!(text.contains("13 features each"), "{text}");
}

#[test]
fn sessions_with_a_cart_are_a_table_to_learn_from() {
    let (folder, store) = folder_of_store(4_000);
    let at = |name: &str| folder.path().join(name);
    let task = ["--cutoff", "2019-10-20", "--task", "cart-abandonment"];
    let json = |out: &str, more: &[&str]| {
        features(&store, &at(out), &[&task[..], more, &["--json"]].concat()).ok().json()
    };
    let all = json("carts.parquet", &[]);
    let (sessions, positives) = (all["sessions"].as_u64().unwrap(), all["positives"].as_u64().unwrap());
    assert!(0 < positives && positives < sessions, "{all}");
    assert_eq!((rows(&at("carts.parquet")), &all["moment"]), (sessions, &"first-cart".into()));
    let names = all["columns"].as_array().unwrap();
    assert_eq!(
        (&names[0], &names[1], names.last().unwrap()),
        (&"user_id".into(), &"session_start".into(), &"label".into())
    );
    let bytes = fs::read(at("carts.parquet")).unwrap();
    json("carts.parquet", &["--threads", "3"]);
    assert!(fs::read(at("carts.parquet")).unwrap() == bytes);
    // The same sessions at their end, and fewer in a shorter window.
    assert_eq!(json("end.parquet", &["--moment", "end"])["sessions"], all["sessions"]);
    assert!(json("late.parquet", &["--from", "2019-10-09"])["sessions"].as_u64().unwrap() < sessions);
    let text = features(&store, &at("carts.parquet"), &task).ok().stdout;
    assert!(text.contains("known up to their first cart") && text.contains("are abandoned"), "{text}");

    let mut list =
        args!["train", at("carts.parquet"), "--label", "label", "--time", "session_start"].to_vec();
    list.extend(args!["--trees", "10", "--depth", "4", "--out", at("m.json"), "--json"]);
    assert!(cip(list).ok().json()["baselines"]["logistic"]["auc"].is_number());
    let refused = [&task[..], &["--set", "streamflow"]].concat();
    features(&store, &at("x.parquet"), &refused).fails(2, "--set");
    features(&store, &at("x.parquet"), &["--cutoff", "2019-10-20", "--moment", "end"]).fails(2, "--task");
}

/// A specification that ships with the examples.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

#[test]
fn a_specification_of_a_shop_makes_a_table_to_learn_from() {
    let (folder, store) = folder_of_store(4_000);
    let at = |name: &str| folder.path().join(name);
    let shop = example("shop_features.toml");
    let said = |out: &str, spec: &Path, more: &[&str]| {
        let spec = ["--spec", spec.to_str().unwrap(), "--cutoff", "2019-10-10", "--json"];
        let outcome = features(&store, &at(out), &[&spec[..], more].concat()).ok();
        assert_eq!(outcome.stderr, "");
        outcome.json()
    };
    let settled = at("settled.toml");
    let label = ["--label-until", "2019-10-13"];
    let all = said("a", &shop, &[&label[..], &["--write-spec", settled.to_str().unwrap()]].concat());
    let columns: Vec<_> =
        all["columns"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    // Three brands are known; products without one have none.
    for name in
        ["views_of_aqua", "views_of_elenberg", "views_of_shiseido", "carts_7d", "cart_rate_30d", "last_event"]
    {
        assert!(columns.contains(&name), "{name} is not in {columns:?}");
    }
    assert_eq!(
        (&all["label_events"], &all["window"][1]),
        (&"event_type = purchase".into(), &"2019-10-10".into())
    );
    let (users, positives) = (all["users"].as_u64().unwrap(), all["positives"].as_u64().unwrap());
    assert!(0 < positives && positives < users && rows(&at("a")) == users, "{all}");
    assert_eq!(all["report"]["spend"]["range"], serde_json::json!([0.0, 100_000.0]));
    assert_eq!(all["report"]["night"]["range"], serde_json::json!([0.0, 1.0]));
    assert_eq!(
        (&all["report"]["event_before"]["nulls"], all["report"].as_object().unwrap().len()),
        (&0.into(), columns.len())
    );
    // The store starts 9 days before the cutoff.
    assert!(all["cut_short"].as_array().unwrap().contains(&"events_30d".into()), "{all}");

    // What was found is written down: the same table again, on other threads, with the same bytes.
    let bytes = fs::read(at("a")).unwrap();
    for (spec, threads) in [(&settled, "3"), (&shop, "1")] {
        said("a", spec, &[&label[..], &["--threads", threads]].concat());
        assert!(fs::read(at("a")).unwrap() == bytes, "{spec:?}");
    }
    let text = fs::read_to_string(&settled).unwrap();
    assert!(text.contains(r#"values = ["#) && !text.contains("top"), "{text}");

    let some = said("b", &settled, &["--columns", "cart_rate_7d,spend", "--correlated", "0"]);
    assert_eq!(some["columns"], serde_json::json!(["cart_rate_7d", "spend"]));
    assert!(some["label_until"].is_null() && some["positives"].is_null());
    assert_eq!(some["correlated"].as_array().unwrap().len(), 1);
    let mut list =
        args!["train", at("a"), "--label", "label", "--trees", "10", "--depth", "4", "--out", at("m.json")]
            .to_vec();
    list.push("--json".into());
    assert!(cip(list).ok().json()["baselines"]["logistic"]["auc"].is_number());
    let model: serde_json::Value = serde_json::from_slice(&fs::read(at("m.json")).unwrap()).unwrap();
    assert_eq!(model["features"], all["columns"]);
}

#[test]
fn a_specification_of_a_video_service_works_on_its_store() {
    let (folder, store) = folder_of_views(VIEWS, "streamflow");
    let spec = example("streamflow_features.toml");
    let out = folder.path().join("f.parquet");
    let more = ["--spec", spec.to_str().unwrap(), "--cutoff", "2024-05-01", "--label-until", "2024-05-31"];
    let said = features(&store, &out, &[&more[..], &["--json"]].concat()).ok().json();
    assert_eq!((&said["users"], &said["positives"]), (&2.into(), &1.into()));
    assert_eq!(said["time_zone"], "America/New_York");
    let of = |name: &str| {
        [&said["report"][name]["min"], &said["report"][name]["max"]].map(|value| value.as_f64().unwrap())
    };
    for (name, ends) in [
        ("events_30d", [2.0, 4.0]),
        ("completion_rate_30d", [0.0, 1.0]),
        ("support", [0.0, 1.0]),
        ("days_since_support", [2.0, 999.0]),
        ("mobile", [0.0, 2.0 / 3.0]),
        ("seconds", [0.0, 3_600.0]),
        ("revenue", [0.0, 8.99]),
        ("on_desktop", [0.0, 2.0]),
        ("searches_per_start_30d", [0.0, 10.0]),
        ("events_per_day_30d", [2.0 / 30.0, 4.0 / 30.0]),
        ("visits", [2.0, 3.0]),
        // 20:00, 20:01, 21:01 and 08:00 in New York.
        ("evening", [0.75, 1.0]),
    ] {
        assert_eq!(of(name), ends, "{name}");
    }
    let text = features(&store, &out, &more).ok().stdout;
    assert!(
        text.contains("1 (50.0%) have an event with event_type = subscription_cancelled before 2024-05-31"),
        "{text}"
    );
}

#[test]
fn the_label_is_that_of_the_set_where_the_specification_has_none() {
    let (folder, store) = folder_of_views(VIEWS, "streamflow");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("s.toml"), "features = [{ name = \"events\", family = \"count\" }]").unwrap();
    let said = |set: &str| {
        let spec = at("s.toml");
        let more =
            ["--spec", spec.to_str().unwrap(), "--cutoff=2024-05-01", "--label-until=2024-05-31", "--json"];
        features(&store, &at("f"), &[&more[..], &["--set", set]].concat()).ok().json()["positives"].clone()
    };
    assert_eq!((said("streamflow"), said("commerce")), (1.into(), 0.into()));
}

#[test]
fn what_a_specification_cannot_be_is_said_with_its_file() {
    let (folder, store) = folder_of_store(60);
    let at = |name: &str| folder.path().join(name);
    let spec = at("s.toml");
    let refused = |rule: &str, more: &[&str], code: i32, what: &str| {
        fs::write(&spec, format!("features = [{{ {rule} }}]")).unwrap();
        let cutoff = ["--spec", spec.to_str().unwrap(), "--cutoff=2019-10-10"];
        features(&store, &at("f"), &[&cutoff[..], more].concat()).fails(code, what);
    };
    let count = r#"name = "n", family = "count""#;
    refused(
        r#"name = "n", family = "kount""#,
        &[],
        1,
        "s.toml: the specification of features: TOML parse error at line 1",
    );
    refused(
        r#"name = "n", family = "mean", column = "weight""#,
        &[],
        1,
        "s.toml: feature `n` is made from column `weight`, which",
    );
    refused(
        r#"name = "n", family = "count", pivot = { column = "weight", top = 3 }"#,
        &[],
        1,
        "s.toml: feature `n` is made",
    );
    refused(
        count,
        &["--columns=views"],
        2,
        "`views` is not a feature of the specification: expected one of n",
    );
    refused(count, &["--label-until=2019-10-10"], 2, "behind the cutoff");
    refused(count, &["--from=2019-10-10"], 2, "the window of the features is");
    refused(count, &["--correlated=1.5"], 2, "--correlated is 1.5, expected a number from 0 to 1");
    refused(count, &["--correlated=nan"], 2, "--correlated is NaN");
    refused(count, &["--task=cart-abandonment"], 2, "--task");
    fs::remove_file(&spec).unwrap();
    let more = ["--spec", spec.to_str().unwrap(), "--cutoff=2019-10-10"];
    features(&store, &at("f"), &more).fails(1, "cannot read");
    features(&store, &at("f"), &["--cutoff=2019-10-10", "--write-spec=x.toml"]).fails(2, "--spec");
    assert!(!at("f").exists());
}

#[test]
fn features_that_say_nearly_the_same_are_told() {
    let (folder, store) = folder_of_store(900);
    let out = folder.path().join("f.parquet");
    let more = ["--cutoff=2019-10-10", "--columns=events,views,spend", "--correlated=0.5"];
    let said = features(&store, &out, &[&more[..], &["--json"]].concat()).ok().json();
    let pairs = said["correlated"].as_array().unwrap();
    let of = |place: usize| (pairs[place]["a"].as_str().unwrap(), pairs[place]["b"].as_str().unwrap());
    assert!(
        pairs.iter().any(|pair| (&pair["a"], &pair["b"]) == (&"events".into(), &"views".into())),
        "{said}"
    );
    let text = features(&store, &out, &more).ok().stdout;
    assert!(text.contains(&format!("\n{} and {}: correlation 0.", of(0).0, of(0).1)), "{text}");
    let none =
        features(&store, &out, &["--cutoff=2019-10-10", "--columns=events", "--correlated=0"]).ok().stdout;
    assert!(none.contains("no two features have a correlation of 0 or more"), "{none}");
    let without = features(&store, &out, &["--cutoff=2019-10-10", "--json"]).ok().json();
    assert!(without["correlated"].is_null());
}
