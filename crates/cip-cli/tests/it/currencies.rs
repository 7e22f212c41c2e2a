//! `--currency`: stages that sum money refuse a store with several, and say what they leave out of one.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::{args, cip};

const MAPPING: &str = "name = 'abroad'
[columns]
event_time = { from = 't', type = 'timestamp' }
event_type = { from = 'e', type = 'dictionary' }
user_id = { from = 'u', type = 'int64' }
price = { from = 'p', type = 'money', scale = 2, nullable = true }
currency = { from = 'c', type = 'dictionary', nullable = true }
";

/// A file of events of two shops and its mapping.
fn files_of(folder: &Path) -> (PathBuf, PathBuf) {
    let (file, mapping) = (folder.join("abroad.csv"), folder.join("abroad.toml"));
    let rows = [
        "2019-10-01,view,1,,",
        "2019-10-01 00:01:00,purchase,1,9.50,EUR",
        "2019-10-02,purchase,2,12.00,USD",
        "2019-10-03,purchase,2,3.00,EUR",
    ];
    fs::write(&file, format!("t,e,u,p,c\n{}\n", rows.join("\n"))).unwrap();
    fs::write(&mapping, MAPPING).unwrap();
    (file, mapping)
}

#[test]
fn every_stage_that_sums_money_refuses_and_takes_one_currency() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (file, mapping) = files_of(folder.path());
    let store = at("store");
    let said = cip(args!["ingest", file, "--mapping", mapping, "--out", store]).ok();
    assert!(
        said.stderr.contains("note: the amounts of the store are in several currencies: `EUR` (2"),
        "{said:?}"
    );

    let currencies = json!([
        { "currency": "EUR", "events": 2, "amounts": 2 },
        { "currency": "USD", "events": 1, "amounts": 1 },
        { "currency": null, "events": 1, "amounts": 0 },
    ]);
    assert_eq!(cip(args!["info", store, "--json"]).ok().json()["currencies"], currencies);
    let info = cip(args!["info", store]).ok().stdout;
    assert!(info.contains("currencies             `EUR` (2 events, all with an amount), `USD` (1"), "{info}");

    for stage in [
        args!["sessions", store, "--out", at("s.parquet")].to_vec(),
        args!["rfm", store, "--as-of", "2019-11-01", "--out", at("r.parquet")].to_vec(),
        args!["segments", store, "--as-of", "2019-11-01", "--out", at("clusters")].to_vec(),
        args!["features", store, "--cutoff", "2019-10-04", "--out", at("f.parquet")].to_vec(),
        args!["run", file, "--mapping", mapping, "--out", at("run")].to_vec(),
    ] {
        let with =
            |more: &[&str]| stage.iter().cloned().chain(more.iter().map(OsString::from)).collect::<Vec<_>>();
        cip(&stage).fails(1, "has amounts in several currencies, which are never summed: `EUR` (2 events");
        assert!(!at("run").exists());
        cip(with(&["--currency", "GBP"])).fails(1, "has no event in the currency `GBP`");
        let said = cip(with(&["--currency", "EUR"])).ok().stdout;
        assert!(
            said.contains("only events in `EUR` are read; 2 in other currencies, or in none, are left out"),
            "{said}"
        );
        let json = cip(with(&["--currency", "EUR", "--json"])).ok().json();
        match json["currency"].as_str() {
            Some(code) => assert_eq!((code, &json["events_of_other_currencies"]), ("EUR", &json!(2))),
            None => assert_eq!(json["currency"], json!({ "code": "EUR", "events_of_other_currencies": 2 })),
        }
    }
    let euros =
        cip(args!["sessions", store, "--out", at("s.parquet"), "--currency", "EUR", "--json"]).ok().json();
    assert_eq!((&euros["revenue"], &euros["events"]), (&json!("12.50"), &json!(2)));

    // A model of clusters keeps the currency, and is of no other.
    let of = |currency: &str, more: &[&str]| {
        let common =
            args!["segments", store, "--as-of", "2019-11-01", "--out", at("c"), "--currency", currency];
        cip(common.into_iter().chain(more.iter().map(|arg| OsString::from(*arg))))
    };
    of("EUR", &[]).ok();
    let model = at("model.json");
    fs::copy(at("c").join("cluster_model.json"), &model).unwrap();
    of("EUR", &["--model", model.to_str().unwrap()]).ok();
    of("USD", &["--model", model.to_str().unwrap()]).fails(
        1,
        "the customers have money in `USD`, but the model of clusters is of `EUR`: fit a model to them",
    );

    // What sums nothing needs no currency.
    cip(args!["funnel", store, "--steps", "view,purchase", "--within", "1d", "--out", at("n.parquet")]).ok();
    cip(args!["features", store, "--cutoff", "2019-10-04", "--columns", "views", "--out", at("v.parquet")])
        .ok();
}
