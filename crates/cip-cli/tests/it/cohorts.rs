//! `cip cohorts` and `cip migrate`.

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::Int64Type;
use cip::store::read_table;
use serde_json::{Value, json};

use crate::real::data;
use crate::{args, bytes_of, cip, folder_of_store, rows};

#[test]
fn cohorts_are_written_and_drawn() {
    let (folder, store) = folder_of_store(600);
    let out = folder.path().join("c.parquet");
    let run = |threads: &str| {
        let said = cip(args!["cohorts", store, "--by", "week", "--out", out, "--threads", threads, "--json"]);
        (said.ok().json(), std::fs::read(&out).unwrap())
    };
    let said = run("1");
    assert_eq!(said, run("2"), "the same for any number of threads");
    // The events are of the first two weeks of October 2019, of which the 1st is a Tuesday and the 14th a Monday.
    let starts: Vec<_> =
        said.0["cohorts"].as_array().unwrap().iter().map(|cohort| cohort["cohort"].clone()).collect();
    assert_eq!(starts[..2], ["2019-09-30", "2019-10-07"]);
    assert_eq!(said.0["as_of"], "2019-10-15");
    let first = said.0["cohorts"][0]["periods"].as_array().unwrap();
    assert_eq!((first.len(), first[0]["active"] == said.0["cohorts"][0]["customers"]), (3, true));
    assert_eq!(first[2], Value::Null, "the third week is not over");
    let cells: usize = (said.0["cohorts"].as_array().unwrap().iter())
        .map(|cohort| cohort["periods"].as_array().unwrap().len())
        .sum();
    assert_eq!(rows(&out), cells as u64);
    let text =
        cip(args!["cohorts", store, "--by", "month", "--out", out, "--as-of", "2019-11-01"]).ok().stdout;
    assert!(text.contains("in 1 cohorts by month, as of 2019-11-01"), "{text}");
    assert!(text.contains("  2019-10-01") && text.contains("100.0%"), "{text}");
}

/// Counted by grouping in polars: customers with a purchase in each month, of those whose first was in December 2010.
#[test]
fn the_retail_customers_of_december_come_back() {
    let Some(files) = data("online_retail_daily") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (store, out) = (folder.path().join("store"), folder.path().join("c.parquet"));
    cip(args!["ingest", files, "--mapping", "online-retail", "--out", store]).ok();
    let said = cip(args!["cohorts", store, "--by", "month", "--out", out, "--json"]).ok().json();
    assert_eq!(said["cohorts"].as_array().unwrap().len(), 13);
    let december = &said["cohorts"][0];
    assert_eq!((&december["cohort"], &december["customers"]), (&json!("2010-12-01"), &json!(885)));
    let active: Vec<_> = (december["periods"].as_array().unwrap().iter())
        .map(|cell| cell.get("active").cloned().unwrap_or_default())
        .collect();
    let counted = [885, 324, 286, 340, 321, 352, 321, 309, 313, 350, 331, 445];
    assert_eq!(active[..12], counted.map(Value::from));
    assert_eq!(active[12..], [Value::Null], "December 2011 ends with the data");
}

#[test]
fn customers_move_between_segments() {
    let (folder, store) = folder_of_store(900);
    let at = |name: &str| folder.path().join(name);
    let (before, after, out) = (at("before.parquet"), at("after.parquet"), at("moves.parquet"));
    cip(args!["rfm", store, "--as-of", "2019-10-08", "--out", before]).ok();
    cip(args!["rfm", store, "--as-of", "2019-10-15", "--out", after]).ok();
    let said = cip(args!["migrate", before, after, "--out", out, "--json"]).ok().json();
    let customers: u64 =
        said["moves"].as_array().unwrap().iter().map(|of| of["customers"].as_u64().unwrap()).sum();
    assert_eq!(customers, rows(&after), "whoever was there is there");
    let counted: i64 = read_table(&out)
        .unwrap()
        .map(|batch| batch.unwrap().column(2).as_primitive::<Int64Type>().values().iter().sum::<i64>())
        .sum();
    assert_eq!(counted as u64, customers);
    let (gone, back) = (
        cip(args!["migrate", after, before, "--json"]).ok().json(),
        cip(args!["migrate", before, before, "--json"]).ok().json(),
    );
    assert!(gone["moves"].as_array().unwrap().iter().any(|of| of["to"].is_null()));
    assert_eq!(back["fell_from_champions"], json!({ "customers": 0, "revenue": "0.00", "first": [] }));
    let text = cip(args!["migrate", before, after]).ok().stdout;
    assert!(text.contains("fell from Champions, worth "), "{text}");
    let untouched = bytes_of(folder.path());
    cip(args!["migrate", before, after, "--out", after])
        .fails(2, "would replace the table that it is made of");
    cip(args!["migrate", before, out]).fails(1, "user_id");
    assert_eq!(bytes_of(folder.path()), untouched);
}
